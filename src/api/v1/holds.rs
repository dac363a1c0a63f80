//! Holds over HTTP.

use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::hold::HoldState;
use crate::domain::id::HoldId;
use crate::service::holds::{self, HoldView, NewHold, Placed};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_holds, create_hold))
        .routes(routes!(get_hold))
        .routes(routes!(lift_hold))
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
    /// Only those that stand so.
    state: Option<HoldState>,
}

/// Lists holds, newest first.
#[utoipa::path(get, path = "/holds", tag = "holds", params(Filter),
    responses((status = 200, description = "A page of holds", body = Items<HoldView>)))]
async fn list_holds(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<HoldView>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let page = holds::list(&api.services, &door.caller(), filter.state, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Places a hold. 201 means that no request that it covers starts any more, on any node; what had
/// started before is named in `in_flight`. 503 with `hold_unconfirmed` means that the hold stands but
/// a node has not said so yet: ask again under the same `Idempotency-Key`.
#[utoipa::path(post, path = "/holds", tag = "holds", request_body = NewHold,
    responses((status = 201, description = "The hold stands", body = Placed)))]
async fn create_hold(
    State(api): State<Api>,
    door: Door,
    body: Json<NewHold>,
) -> Result<Answer<Placed>, Problem> {
    let caller = door.creating(body.digest);
    let done = holds::place(&api.services, &caller, body.value).await?;
    let hold = &done.value.hold;
    let (version, location) = (hold.version, format!("/api/v1/holds/{}", hold.id));
    Ok(Answer::created(done, location).version(version))
}

/// Shows a hold.
#[utoipa::path(get, path = "/holds/{id}", tag = "holds", params(("id" = HoldId, Path)),
    responses((status = 200, description = "The hold", body = HoldView)))]
async fn get_hold(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<HoldId>,
) -> Result<Answer<HoldView>, Problem> {
    let hold = holds::show(&api.services, &door.caller(), &id).await?;
    let version = hold.version;
    Ok(Answer::ok(hold).version(version))
}

/// Says that a hold may end; with the last person that it needs it is lifted.
#[utoipa::path(post, path = "/holds/{id}/lift", tag = "holds", params(("id" = HoldId, Path)),
    responses((status = 200, description = "The hold as it is now", body = HoldView)))]
async fn lift_hold(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<HoldId>,
) -> Result<Answer<HoldView>, Problem> {
    let done = holds::lift(&api.services, &door.creating([0; 32]), &id).await?;
    let version = done.value.version;
    Ok(Answer::done(done).version(version))
}
