//! The quarantine of a restored database over HTTP.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json};
use crate::api::problem::Problem;
use crate::service::quarantine::{self, QuarantineView, Release};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get_quarantine)).routes(routes!(release_quarantine))
}

/// Tells whether the database came back from a backup and sends nothing, what is in doubt, how far the
/// reading of the accounts has come, and which of their posts nobody here knows.
#[utoipa::path(get, path = "/quarantine", tag = "quarantine",
    responses((status = 200, description = "The quarantine", body = QuarantineView)))]
async fn get_quarantine(
    State(api): State<Api>,
    door: Door,
) -> Result<Answer<QuarantineView>, Problem> {
    Ok(Answer::ok(quarantine::show(&api.services, &door.caller()).await?))
}

/// Lets the database send again, once nothing is being looked for any more (409 `still_in_doubt` says
/// how much is) and every account with something to send was read through (409 `accounts_not_read`). With
/// `force` and a reason sooner; what is still in doubt stays in doubt, and what was not read is read on.
#[utoipa::path(post, path = "/quarantine/release", tag = "quarantine", request_body = Release,
    responses((status = 200, description = "Released", body = QuarantineView)))]
async fn release_quarantine(
    State(api): State<Api>,
    door: Door,
    body: Json<Release>,
) -> Result<Answer<QuarantineView>, Problem> {
    let caller = door.creating(body.digest);
    Ok(Answer::done(quarantine::release(&api.services, &caller, &body.value).await?))
}
