//! Platforms over HTTP.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Path};
use crate::api::page::Items;
use crate::api::problem::Problem;
use crate::service::Page;
use crate::service::platforms::{self, PlatformView};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_platforms)).routes(routes!(get_platform))
}

/// Lists the platforms there are, with what they allow as data.
#[utoipa::path(get, path = "/platforms", tag = "platforms",
    responses((status = 200, description = "All platforms", body = Items<PlatformView>)))]
async fn list_platforms(
    State(api): State<Api>,
    door: Door,
) -> Result<Answer<Items<PlatformView>>, Problem> {
    let items = platforms::list(&api.services, &door.caller())?;
    Ok(Answer::ok(Page { items, next: None }.into()))
}

/// Shows a platform: what it allows, and what can be set for a delivery there.
#[utoipa::path(get, path = "/platforms/{id}", tag = "platforms", params(("id" = String, Path)),
    responses((status = 200, description = "The platform", body = PlatformView)))]
async fn get_platform(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<String>,
) -> Result<Answer<PlatformView>, Problem> {
    Ok(Answer::ok(platforms::show(&api.services, &door.caller(), &id)?))
}
