//! Calendar feeds over HTTP: those of their owners. What a calendar program fetches is in `api/feed.rs`.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::id::FeedId;
use crate::service::feeds::{self, CreatedFeed, FeedView, NewFeed};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_feeds, create_feed))
        .routes(routes!(get_feed, delete_feed))
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
}

/// Lists calendar feeds in force, without their secrets: one's own, and those of people whom one answers for.
#[utoipa::path(get, path = "/calendar/feeds", tag = "calendar", params(Filter),
    responses((status = 200, description = "A page of feeds", body = Items<FeedView>)))]
async fn list_feeds(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<FeedView>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let page = feeds::list(&api.services, &door.caller(), &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Makes a secret address for a calendar program and shows it, once.
///
/// Whoever has the address sees there what its owner may see, at any time, until it is revoked.
#[utoipa::path(post, path = "/calendar/feeds", tag = "calendar", request_body = NewFeed,
    responses((status = 201, description = "The feed", body = CreatedFeed)))]
async fn create_feed(
    State(api): State<Api>,
    door: Door,
    body: Json<NewFeed>,
) -> Result<Answer<CreatedFeed>, Problem> {
    let caller = door.creating(body.digest);
    let done = feeds::create(&api.services, &caller, body.value).await?;
    let location = format!("/api/v1/calendar/feeds/{}", done.value.id);
    Ok(Answer::created(done, location))
}

/// Shows a calendar feed, without its secret.
#[utoipa::path(get, path = "/calendar/feeds/{id}", tag = "calendar", params(("id" = FeedId, Path)),
    responses((status = 200, description = "The feed", body = FeedView)))]
async fn get_feed(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<FeedId>,
) -> Result<Answer<FeedView>, Problem> {
    Ok(Answer::ok(feeds::show(&api.services, &door.caller(), &id).await?))
}

/// Revokes a calendar feed at once.
#[utoipa::path(delete, path = "/calendar/feeds/{id}", tag = "calendar", params(("id" = FeedId, Path)),
    responses((status = 204, description = "Revoked")))]
async fn delete_feed(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<FeedId>,
) -> Result<StatusCode, Problem> {
    feeds::revoke(&api.services, &door.caller(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
