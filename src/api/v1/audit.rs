//! What the service has found out about its own promises, over HTTP.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::Door;
use crate::api::problem::Problem;
use crate::service::self_audit::{self, SelfAuditView};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get_self_audit))
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
