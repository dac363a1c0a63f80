//! Series over HTTP.

use axum::extract::State;
use http::HeaderMap;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::posts::in_tongue;
use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, IfMatch, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::api::text::Tongue;
use crate::domain::id::{PostId, SeriesId, UnitId};
use crate::service::series::{
    self, Dates, NewSeries, OccurrenceView, SeriesChange, SeriesChanged, SeriesView, TakenBack,
    WantedDates,
};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_series, create_series))
        .routes(routes!(preview_series))
        .routes(routes!(get_series, update_series, end_series))
        .routes(routes!(list_series_dates))
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
    /// Only of this unit.
    unit_id: Option<UnitId>,
    /// Only of this post.
    post_id: Option<PostId>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Pages {
    /// The most items.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// Lists series, newest first.
#[utoipa::path(get, path = "/series", tag = "series", params(Filter),
    responses((status = 200, description = "A page of series", body = Items<SeriesView>)))]
async fn list_series(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<SeriesView>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let filter = series::Filter { unit_id: filter.unit_id, post_id: filter.post_id };
    let page = series::list(&api.services, &door.caller(), filter, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Makes a series: a post that goes out again and again by a rule.
#[utoipa::path(post, path = "/series", tag = "series", request_body = NewSeries,
    responses((status = 201, description = "The series with its next dates", body = SeriesChanged)))]
async fn create_series(
    State(api): State<Api>,
    door: Door,
    headers: HeaderMap,
    body: Json<NewSeries>,
) -> Result<Answer<SeriesChanged>, Problem> {
    let caller = door.creating(body.digest);
    let mut done = series::create(&api.services, &caller, body.value).await?;
    in_tongue(Tongue::wanted(&headers), &mut done.value.warnings);
    let made = &done.value.series;
    let (version, location) = (made.version, format!("/api/v1/series/{}", made.id));
    Ok(Answer::created(done, location).version(version))
}

/// Says when a rule would fire, without making anything: the next ten dates, and what the clocks do then.
#[utoipa::path(post, path = "/series/preview", tag = "series", request_body = WantedDates,
    responses((status = 200, description = "The next dates", body = Dates)))]
async fn preview_series(
    State(api): State<Api>,
    door: Door,
    body: Json<WantedDates>,
) -> Result<Answer<Dates>, Problem> {
    Ok(Answer::ok(series::preview(&api.services, &door.caller(), body.value).await?))
}

/// Shows a series with its next ten dates.
#[utoipa::path(get, path = "/series/{id}", tag = "series", params(("id" = SeriesId, Path)),
    responses((status = 200, description = "The series", body = SeriesView)))]
async fn get_series(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<SeriesId>,
) -> Result<Answer<SeriesView>, Problem> {
    let series = series::show(&api.services, &door.caller(), &id).await?;
    let version = series.version;
    Ok(Answer::ok(series).version(version))
}

/// Changes a series, pauses it or lets it go on. What was made ahead is taken back and made anew.
#[utoipa::path(patch, path = "/series/{id}", tag = "series", request_body = SeriesChange,
    params(("id" = SeriesId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "The series as it is now, and how much was taken back", body = SeriesChanged)))]
async fn update_series(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<SeriesId>,
    headers: HeaderMap,
    seen: IfMatch,
    body: Json<SeriesChange>,
) -> Result<Answer<SeriesChanged>, Problem> {
    let caller = door.caller();
    let mut done = series::change(&api.services, &caller, &id, *seen, body.value).await?;
    in_tongue(Tongue::wanted(&headers), &mut done.value.warnings);
    let version = done.value.series.version;
    Ok(Answer::done(done).version(version))
}

/// Ends a series, and takes back what was made ahead and has not begun to leave.
#[utoipa::path(delete, path = "/series/{id}", tag = "series",
    params(("id" = SeriesId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "How much was taken back", body = TakenBack)))]
async fn end_series(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<SeriesId>,
    seen: IfMatch,
) -> Result<Answer<TakenBack>, Problem> {
    let (back, version) = series::end(&api.services, &door.caller(), &id, *seen).await?;
    Ok(Answer::ok(back).version(version))
}

/// Lists what was made of a series, and what was missed, the latest first.
#[utoipa::path(get, path = "/series/{id}/dates", tag = "series", params(("id" = SeriesId, Path), Pages),
    responses((status = 200, description = "A page of dates", body = Items<OccurrenceView>)))]
async fn list_series_dates(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<SeriesId>,
    Query(pages): Query<Pages>,
) -> Result<Answer<Items<OccurrenceView>>, Problem> {
    let window = window(pages.limit, pages.cursor.as_deref())?;
    let page = series::dates(&api.services, &door.caller(), &id, &window).await?;
    Ok(Answer::ok(page.into()))
}
