//! Deliveries over HTTP: lists, one with its attempts, and what people decide about them.

use axum::extract::State;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::posts::in_tongue;
use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, IfMatch, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::{Body9457, Problem};
use crate::api::text::Tongue;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{AccountId, DeliveryId, HoldId, PostId, UnitId};
use crate::domain::waiting::{Party, Whose};
use crate::service::deliveries::{
    self, Adoption, Correcting, DeliveryDetail, DeliveryView, Move, Recalling, Review, Reviewed,
};
use crate::service::{Caller, Done, Error};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_deliveries))
        .routes(routes!(get_delivery))
        .routes(routes!(cancel_delivery))
        .routes(routes!(reschedule_delivery))
        .routes(routes!(adopt_delivery))
        .routes(routes!(drop_delivery))
        .routes(routes!(retry_delivery))
        .routes(routes!(recall_delivery))
        .routes(routes!(correct_delivery))
        .routes(routes!(review_deliveries))
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
    /// Only in these states; several with commas between them.
    #[param(example = "scheduled,publishing")]
    state: Option<String>,
    /// Only to this account.
    account_id: Option<AccountId>,
    /// Only of this unit's posts.
    unit_id: Option<UnitId>,
    /// Only of this post.
    post_id: Option<PostId>,
    /// Only of this campaign's posts.
    campaign_id: Option<String>,
    /// Only what this hold has caught.
    hold_id: Option<HoldId>,
    /// `true`: only those whose wall-clock time means another instant than when it was scheduled.
    zone_changed: Option<bool>,
    /// Only in this language.
    language: Option<String>,
    /// Only those where it is this party's move.
    waits_for: Option<Party>,
    /// `me`: only those that wait for the caller himself.
    #[param(inline)]
    owner: Option<Whose>,
    /// Only due at or after this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only due before this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

fn states(text: Option<&str>) -> Result<Vec<DeliveryState>, Problem> {
    let Some(text) = text else { return Ok(Vec::new()) };
    text.split(',')
        .map(|word| {
            word.trim().parse().map_err(|unknown: crate::domain::UnknownWord| {
                let detail = format!("expected some of {}", unknown.expected.join(", "));
                Problem::from(Error::fault("?state", "unknown_state", detail))
            })
        })
        .collect()
}

/// Lists deliveries by their instant.
#[utoipa::path(get, path = "/deliveries", tag = "deliveries", params(Filter),
    responses((status = 200, description = "A page of deliveries", body = Items<DeliveryView>)))]
async fn list_deliveries(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<DeliveryView>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let filter = deliveries::Filter {
        states: states(filter.state.as_deref())?,
        account_id: filter.account_id,
        unit_id: filter.unit_id,
        post_id: filter.post_id,
        campaign_id: filter.campaign_id,
        hold_id: filter.hold_id,
        zone_changed: filter.zone_changed == Some(true),
        language: filter.language,
        waits_for: filter.waits_for,
        mine: filter.owner == Some(Whose::Me),
        from: filter.from,
        to: filter.to,
    };
    let page = deliveries::list(&api.services, &door.caller(), filter, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Shows a delivery with what it says and everything that was tried.
#[utoipa::path(get, path = "/deliveries/{id}", tag = "deliveries", params(("id" = DeliveryId, Path)),
    responses((status = 200, description = "The delivery", body = DeliveryDetail)))]
async fn get_delivery(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<DeliveryId>,
) -> Result<Answer<DeliveryDetail>, Problem> {
    let detail = deliveries::show(&api.services, &door.caller(), &id).await?;
    let version = detail.delivery.version;
    Ok(Answer::ok(detail).version(version))
}

/// The caller of a request without a body.
fn bare(door: Door) -> Caller {
    door.creating([0; 32])
}

fn changed(done: Done<DeliveryView>) -> Answer<DeliveryView> {
    let version = done.value.version;
    Answer::done(done).version(version)
}

/// Takes a delivery back. 200 means that it will not be sent, 409 that it is leaving or has ended.
#[utoipa::path(post, path = "/deliveries/{id}/cancel", tag = "deliveries",
    params(("id" = DeliveryId, Path)),
    responses((status = 200, description = "It will not be sent", body = DeliveryView)))]
async fn cancel_delivery(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<DeliveryId>,
) -> Result<Answer<DeliveryView>, Problem> {
    Ok(changed(deliveries::cancel(&api.services, &bare(door), &id).await?))
}

/// Gives a delivery another time.
#[utoipa::path(post, path = "/deliveries/{id}/reschedule", tag = "deliveries", request_body = Move,
    params(("id" = DeliveryId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses(
        (status = 200, description = "The delivery as it is now", body = DeliveryView),
        (status = 412, description = "If-Match does not name the current version",
            body = Body9457, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing",
            body = Body9457, content_type = "application/problem+json")))]
async fn reschedule_delivery(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<DeliveryId>,
    seen: IfMatch,
    headers: HeaderMap,
    body: Json<Move>,
) -> Result<Answer<DeliveryView>, Problem> {
    let caller = door.creating(body.digest);
    let mut done = deliveries::reschedule(&api.services, &caller, &id, *seen, body.value).await?;
    in_tongue(Tongue::wanted(&headers), &mut done.value.warnings);
    Ok(changed(done))
}

/// A person has found it at the platform: it counts as published, once the platform itself shows
/// the post on the delivery's account. `permalink` alone is enough where an id can be read from it.
#[utoipa::path(post, path = "/deliveries/{id}/adopt", tag = "deliveries", request_body = Adoption,
    params(("id" = DeliveryId, Path)),
    responses((status = 200, description = "The delivery as it is now", body = DeliveryView)))]
async fn adopt_delivery(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<DeliveryId>,
    body: Json<Adoption>,
) -> Result<Answer<DeliveryView>, Problem> {
    let caller = door.creating(body.digest);
    Ok(changed(deliveries::adopt(&api.services, &caller, &id, body.value).await?))
}

/// A person gives it up: it is not sent again.
#[utoipa::path(post, path = "/deliveries/{id}/drop", tag = "deliveries",
    params(("id" = DeliveryId, Path)),
    responses((status = 200, description = "The delivery as it is now", body = DeliveryView)))]
async fn drop_delivery(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<DeliveryId>,
) -> Result<Answer<DeliveryView>, Problem> {
    Ok(changed(deliveries::give_up(&api.services, &bare(door), &id).await?))
}

/// A person has seen that it is not there: it is sent again, now, or at its instant if that is to come.
#[utoipa::path(post, path = "/deliveries/{id}/retry", tag = "deliveries",
    params(("id" = DeliveryId, Path)),
    responses((status = 200, description = "The delivery as it is now", body = DeliveryView)))]
async fn retry_delivery(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<DeliveryId>,
) -> Result<Answer<DeliveryView>, Problem> {
    Ok(changed(deliveries::retry(&api.services, &bare(door), &id).await?))
}

/// Has what is out deleted at the platform. The answer 200 means that the wish is kept: the delivery is
/// `published` until the post is certainly gone, then `recalled`; `recall` shows how it gets on. Holds
/// do not stop it. Asking twice is asking once. 409 when it is not out, with what to do instead.
#[utoipa::path(post, path = "/deliveries/{id}/recall", tag = "deliveries", request_body = Recalling,
    params(("id" = DeliveryId, Path)),
    responses((status = 200, description = "The delivery as it is now", body = DeliveryView)))]
async fn recall_delivery(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<DeliveryId>,
    body: Json<Recalling>,
) -> Result<Answer<DeliveryView>, Problem> {
    let caller = door.creating(body.digest);
    Ok(changed(deliveries::recall(&api.services, &caller, &id, body.value).await?))
}

/// Gives what is out another text, under the same id at the platform. The answer 200 means that the wish is
/// kept; `correction` shows how it gets on. A later wish takes the place of one that was not fulfilled yet,
/// and never the other way. What somebody else has changed at the platform is not overwritten unless its
/// `shown_hash` is given as `overwrite`. Holds stop it. 409 when it is not out, with what to do instead; 422
/// where the platform cannot, or the text may not be published there.
#[utoipa::path(post, path = "/deliveries/{id}/correct", tag = "deliveries", request_body = Correcting,
    params(("id" = DeliveryId, Path)),
    responses((status = 200, description = "The delivery as it is now", body = DeliveryView)))]
async fn correct_delivery(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<DeliveryId>,
    body: Json<Correcting>,
) -> Result<Answer<DeliveryView>, Problem> {
    let caller = door.creating(body.digest);
    Ok(changed(deliveries::correct(&api.services, &caller, &id, body.value).await?))
}

/// Decides about deliveries that holds have caught, once their hold has ended: each is released,
/// given another time or dropped. All or none; every fault at once. What is released for one account
/// goes out with `publish.catch_up_spacing` between.
#[utoipa::path(post, path = "/deliveries/review", tag = "deliveries", request_body = Review,
    responses((status = 200, description = "The deliveries as they are now, in the order of the request",
        body = Reviewed)))]
async fn review_deliveries(
    State(api): State<Api>,
    door: Door,
    body: Json<Review>,
) -> Result<Answer<Reviewed>, Problem> {
    let caller = door.creating(body.digest);
    Ok(Answer::done(deliveries::review(&api.services, &caller, body.value).await?))
}
