//! Units over HTTP.

use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, IfMatch, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::id::UnitId;
use crate::domain::unit::Unit;
use crate::service::units::{self, NewUnit, UnitChange};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_units, create_unit))
        .routes(routes!(get_unit, update_unit))
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
    /// Only units right below this one.
    parent_id: Option<UnitId>,
}

/// Lists units.
#[utoipa::path(get, path = "/units", tag = "units", params(Filter),
    responses((status = 200, description = "A page of units", body = Items<Unit>)))]
async fn list_units(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<Unit>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let parent = filter.parent_id.as_ref();
    let page = units::list(&api.services, &door.caller(), parent, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Enters a unit.
#[utoipa::path(post, path = "/units", tag = "units", request_body = NewUnit,
    responses((status = 201, description = "The unit", body = Unit)))]
async fn create_unit(
    State(api): State<Api>,
    door: Door,
    body: Json<NewUnit>,
) -> Result<Answer<Unit>, Problem> {
    let caller = door.creating(body.digest);
    let done = units::create(&api.services, &caller, body.value).await?;
    let (version, location) = (done.value.version, format!("/api/v1/units/{}", done.value.id));
    Ok(Answer::created(done, location).version(version))
}

/// Shows a unit.
#[utoipa::path(get, path = "/units/{id}", tag = "units", params(("id" = UnitId, Path)),
    responses((status = 200, description = "The unit", body = Unit)))]
async fn get_unit(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<UnitId>,
) -> Result<Answer<Unit>, Problem> {
    let unit = units::show(&api.services, &door.caller(), &id).await?;
    let version = unit.version;
    Ok(Answer::ok(unit).version(version))
}

/// Changes a unit.
#[utoipa::path(patch, path = "/units/{id}", tag = "units", request_body = UnitChange,
    params(("id" = UnitId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "The unit as it is now", body = Unit)))]
async fn update_unit(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<UnitId>,
    seen: IfMatch,
    body: Json<UnitChange>,
) -> Result<Answer<Unit>, Problem> {
    let done = units::change(&api.services, &door.caller(), &id, *seen, body.value).await?;
    let version = done.value.version;
    Ok(Answer::done(done).version(version))
}
