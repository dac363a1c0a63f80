//! The terms of media over HTTP.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json, Path};
use crate::api::problem::Problem;
use crate::domain::id::MediaId;
use crate::domain::terms::Terms;
use crate::service::terms::{self, TermsSet};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(set_media_terms))
}

/// Sets on what terms a file may be shown, in the place of all that was said before.
#[utoipa::path(put, path = "/media/{id}/terms", tag = "media", request_body = Terms,
    params(("id" = MediaId, Path)),
    responses((status = 200, description = "The terms, and what they stop", body = TermsSet)))]
async fn set_media_terms(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<MediaId>,
    body: Json<Terms>,
) -> Result<Answer<TermsSet>, Problem> {
    let done = terms::set(&api.services, &door.caller(), &id, body.value).await?;
    Ok(Answer::done(done))
}
