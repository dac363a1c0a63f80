//! Platforms over HTTP.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::Door;
use crate::api::page::Items;
use crate::api::problem::Problem;
use crate::service::Page;
use crate::service::platforms::{self, PlatformView};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_platforms))
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
