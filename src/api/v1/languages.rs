//! Languages over HTTP.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::Door;
use crate::api::page::Items;
use crate::api::problem::Problem;
use crate::service::Page;
use crate::service::languages::{self, LanguageView};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_languages))
}

/// Lists languages with their names, those of the world and those of the peoples of Viet Nam. Any other
/// well-formed tag is taken as well.
#[utoipa::path(get, path = "/languages", tag = "languages",
    responses((status = 200, description = "Languages with names", body = Items<LanguageView>)))]
async fn list_languages(door: Door) -> Result<Answer<Items<LanguageView>>, Problem> {
    let items = languages::list(&door.caller())?;
    Ok(Answer::ok(Page { items, next: None }.into()))
}
