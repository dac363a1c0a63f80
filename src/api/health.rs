//! Is it alive, is it ready, how late is it: for whoever watches over the process.

use std::fmt;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::answer::Answer;
use crate::service::quarantine::AccountsRead;
use crate::service::{self, health::NodeView};

/// What the parts of the running process tell about themselves.
pub trait Vitals: Send + Sync + fmt::Debug + 'static {
    /// How late the oldest delivery is that is due, has not left and shows no reason.
    fn lateness(&self) -> Duration;

    /// How many deliveries are on their way or in doubt for longer than can be.
    fn stuck(&self) -> u64;

    /// Whether the database came back from a backup and sends nothing until a person lets it; then how
    /// far the reading of the accounts has come.
    fn quarantine(&self) -> Option<AccountsRead>;

    /// Why the clock of the machine is not trusted; empty when it is.
    fn clock_doubts(&self) -> Vec<String>;

    /// What is the matter with the store of media, if anything.
    fn media_trouble(&self) -> Option<String>;

    /// Whether a stop has begun.
    fn is_stopping(&self) -> bool;

    /// All metrics, as Prometheus reads them.
    fn metrics(&self) -> String;
}

/// It is alive.
#[derive(Debug, Serialize, ToSchema)]
struct Alive {
    /// `alive`.
    status: &'static str,
}

/// Whether it is ready.
#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    /// Whether requests can be served.
    ready: bool,
    /// How late the oldest due delivery is that shows no reason for waiting.
    oldest_due_late_ms: u64,
    /// What is not as it should be.
    reasons: Vec<Reason>,
    /// The processes that were seen within the last hour, newest first.
    nodes: Vec<NodeView>,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize, ToSchema)]
struct Reason {
    /// Stable word: `database`, `stopping`, `late`, `stuck`, `quarantine`, `clock`,
    /// `media`.
    code: &'static str,
    /// In words.
    detail: String,
}

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(get_liveness))
        .routes(routes!(get_readiness))
        .routes(routes!(get_metrics))
}

/// Tells that the process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()),
    responses((status = 200, description = "Alive", body = Alive)))]
async fn get_liveness() -> Answer<Alive> {
    Answer::ok(Alive { status: "alive" })
}

/// Tells whether requests can be served, why not, and how late the oldest due delivery is.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()),
    responses(
        (status = 200, description = "Ready", body = Readiness),
        (status = 503, description = "Not ready, with reasons", body = Readiness),
    ))]
async fn get_readiness(State(api): State<Api>) -> Response {
    let late = api.vitals.lateness();
    let mut reasons = Vec::new();
    // Whether the database answers is asked below.
    let nodes = service::health::nodes(&api.services).await.unwrap_or_default();
    if let Err(error) = service::health::database(&api.services).await {
        tracing::warn!(%error, "the database does not answer");
        reasons.push(Reason { code: "database", detail: "the database does not answer".into() });
    }
    if api.vitals.is_stopping() {
        reasons.push(Reason { code: "stopping", detail: "the process is stopping".into() });
    }
    let ready = reasons.is_empty();
    if late >= api.services.config.notify.late_after {
        // No reason to refuse requests: the desk is needed most when sending lags behind.
        let detail = format!("the oldest due delivery is {} s late", late.as_secs());
        reasons.push(Reason { code: "late", detail });
    }
    // No reasons to refuse requests either.
    let stuck = api.vitals.stuck();
    if stuck > 0 {
        let detail = format!("{stuck} deliveries are on their way or in doubt for too long");
        reasons.push(Reason { code: "stuck", detail });
    }
    if let Some(accounts) = api.vitals.quarantine() {
        let AccountsRead { read, left, unreadable, in_the_way: _ } = accounts;
        let detail = format!(
            "the database came back from a backup; an administrator must let it send again (accounts \
             read through: {read}, left: {left}, could not be read: {unreadable})"
        );
        reasons.push(Reason { code: "quarantine", detail });
    }
    reasons.extend(
        api.vitals.clock_doubts().into_iter().map(|detail| Reason { code: "clock", detail }),
    );
    if let Some(trouble) = api.vitals.media_trouble() {
        // Posts without files go out, and this is no place to show how the store is reached.
        let detail = format!("the store of media does not do its work: {trouble}");
        reasons.push(Reason { code: "media", detail });
    }
    let oldest_due_late_ms = u64::try_from(late.as_millis()).unwrap_or(u64::MAX);
    let mut response =
        Answer::ok(Readiness { ready, oldest_due_late_ms, reasons, nodes }).into_response();
    if !ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// All metrics, as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "health", security(()),
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain")))]
async fn get_metrics(State(api): State<Api>) -> Response {
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, api.vitals.metrics()).into_response()
}
