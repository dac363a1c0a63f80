//! The audit for inspectors, and what the service has found out about its own promises, over HTTP.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::api::sheet;
use crate::service::Error;
use crate::service::inspection::{self, AuditEntry, Export, Filter};
use crate::service::self_audit::{self, SelfAuditView};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_audit))
        .routes(routes!(export_audit))
        .routes(routes!(get_self_audit))
}

/// Which entries are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// The most items.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// Only what this person or part of the service did.
    actor: Option<String>,
    /// Only this act, such as `post.create`; all that begin so where it ends with a dot: `post.`
    action: Option<String>,
    /// Only what was done to this, by its id.
    subject: Option<String>,
    /// From this instant.
    from: Option<Timestamp>,
    /// To before this one.
    to: Option<Timestamp>,
}

/// Lists the audit, newest first. A page can have few entries, or none, and still go on: see `next_cursor`.
#[utoipa::path(get, path = "/audit", tag = "audit", params(Wanted),
    responses((status = 200, description = "A page of the audit", body = Items<AuditEntry>)))]
async fn list_audit(
    State(api): State<Api>,
    door: Door,
    Query(wanted): Query<Wanted>,
) -> Result<Answer<Items<AuditEntry>>, Problem> {
    let window = window(wanted.limit, wanted.cursor.as_deref())?;
    let Wanted { actor, action, subject, from, to, .. } = wanted;
    let filter = Filter { actor, action, subject, from, to };
    let page = inspection::list(&api.services, &door.caller(), &filter, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// How an export is written.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum AuditFormat {
    /// A table for a spreadsheet.
    Csv,
    /// A JSON object on each line, from which `chancery audit verify --file` can prove the whole.
    Jsonl,
}

/// Which entries are taken away.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Taken {
    /// `csv`, or `jsonl` when not said.
    #[param(inline)]
    format: Option<AuditFormat>,
    /// Only what this person or part of the service did.
    actor: Option<String>,
    /// Only this act, such as `post.create`; all that begin so where it ends with a dot: `post.`
    action: Option<String>,
    /// Only what was done to this, by its id.
    subject: Option<String>,
    /// From this instant.
    from: Option<Timestamp>,
    /// To before this one.
    to: Option<Timestamp>,
}

/// Gives the audit to take away, as it was written. That it was taken is written there.
#[utoipa::path(get, path = "/audit/export", tag = "audit", params(Taken),
    responses((status = 200, description = "The audit", content((String = "text/csv"), (String = "application/jsonl")))))]
async fn export_audit(
    State(api): State<Api>,
    door: Door,
    Query(taken): Query<Taken>,
) -> Result<Response, Problem> {
    let Taken { format, actor, action, subject, from, to } = taken;
    let filter = Filter { actor, action, subject, from, to };
    let export = inspection::export(&api.services, &door.caller(), filter).await?;
    let format = format.unwrap_or(AuditFormat::Jsonl);
    let (kind, name) = match format {
        AuditFormat::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
        AuditFormat::Jsonl => ("application/jsonl", "attachment; filename=\"audit.jsonl\""),
    };
    let headers = [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)];
    let parts =
        stream::try_unfold((export, true), move |(export, first)| written(export, first, format));
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// The next part of an export. What cannot be read ends the answer before its end, so that nobody takes it for the whole.
async fn written(
    mut export: Export,
    first: bool,
    format: AuditFormat,
) -> Result<Option<(Vec<u8>, (Export, bool))>, Error> {
    let batch = export.next().await?;
    if batch.is_none() && !first {
        return Ok(None);
    }
    let entries = batch.unwrap_or_default();
    let part = match format {
        AuditFormat::Csv => {
            let head = first.then_some(&HEAD[..]);
            let rows = entries.iter().map(row);
            sheet::csv(head, rows).map_err(Error::internal)?
        }
        AuditFormat::Jsonl => {
            let mut lines = Vec::new();
            for entry in &entries {
                serde_json::to_writer(&mut lines, entry).map_err(Error::internal)?;
                lines.push(b'\n');
            }
            lines
        }
    };
    Ok(Some((part, (export, false))))
}

const HEAD: [&str; 8] = ["seq", "at", "actor", "actor_name", "action", "subject", "detail", "hash"];

fn row(entry: &AuditEntry) -> [String; 8] {
    [
        entry.seq.to_string(),
        entry.at.to_string(),
        entry.actor.clone(),
        entry.actor_name.clone().unwrap_or_default(),
        entry.action.clone(),
        entry.subject.clone(),
        entry.detail.to_string(),
        entry.hash.clone(),
    ]
}

/// Tells how far the service has verified its own promises, and what it has found broken.
#[utoipa::path(get, path = "/audit/self", tag = "audit",
    responses((status = 200, description = "What was looked for and found", body = SelfAuditView)))]
async fn get_self_audit(
    State(api): State<Api>,
    door: Door,
) -> Result<Answer<SelfAuditView>, Problem> {
    Ok(Answer::ok(self_audit::show(&api.services, &door.caller()).await?))
}
