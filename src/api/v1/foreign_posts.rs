//! Posts that did not come from here, over HTTP.

use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::foreign::ForeignStatus;
use crate::domain::id::{AccountId, ForeignPostId, UnitId};
use crate::service::foreign_posts::{self, Explanation, ForeignPostView};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_foreign_posts)).routes(routes!(explain_foreign_post))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// The most items.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// Only on this account.
    account_id: Option<AccountId>,
    /// Only on accounts of this unit.
    unit_id: Option<UnitId>,
    /// Only those that stand so.
    status: Option<ForeignStatus>,
    /// Only published at or after this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only published before this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// Lists posts on our accounts that did not come from here, those that were found last first. What a
/// delivery adopts is not among them any more.
#[utoipa::path(get, path = "/foreign-posts", tag = "foreign-posts", params(Filter),
    responses((status = 200, description = "A page of foreign posts", body = Items<ForeignPostView>)))]
async fn list_foreign_posts(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<ForeignPostView>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let filter = foreign_posts::Filter {
        account_id: filter.account_id,
        unit_id: filter.unit_id,
        status: filter.status,
        from: filter.from,
        to: filter.to,
    };
    let page = foreign_posts::list(&api.services, &door.caller(), filter, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Says what a foreign post is, once. If nobody knows of it, hold the account: `POST /holds`.
#[utoipa::path(post, path = "/foreign-posts/{id}/explain", tag = "foreign-posts",
    params(("id" = ForeignPostId, Path)), request_body = Explanation,
    responses((status = 200, description = "The post with its explanation", body = ForeignPostView)))]
async fn explain_foreign_post(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<ForeignPostId>,
    body: Json<Explanation>,
) -> Result<Answer<ForeignPostView>, Problem> {
    let caller = door.creating(body.digest);
    Ok(Answer::done(foreign_posts::explain(&api.services, &caller, &id, &body.value).await?))
}
