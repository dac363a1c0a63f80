//! Events over HTTP.

use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, IfMatch, Json, Path};
use crate::api::problem::Problem;
use crate::domain::event::Event;
use crate::domain::id::EventId;
use crate::service::events::{self, EventChange, NewEvent};

/// The routes. What events there are, the calendar lists.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(create_event)).routes(routes!(
        get_event,
        update_event,
        delete_event
    ))
}

/// Enters an event.
#[utoipa::path(post, path = "/events", tag = "calendar", request_body = NewEvent,
    responses((status = 201, description = "The event", body = Event)))]
async fn create_event(
    State(api): State<Api>,
    door: Door,
    body: Json<NewEvent>,
) -> Result<Answer<Event>, Problem> {
    let caller = door.creating(body.digest);
    let done = events::create(&api.services, &caller, body.value).await?;
    let (version, location) = (done.value.version, format!("/api/v1/events/{}", done.value.id));
    Ok(Answer::created(done, location).version(version))
}

/// Shows an event of one's own units.
#[utoipa::path(get, path = "/events/{id}", tag = "calendar", params(("id" = EventId, Path)),
    responses((status = 200, description = "The event", body = Event)))]
async fn get_event(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<EventId>,
) -> Result<Answer<Event>, Problem> {
    let event = events::show(&api.services, &door.caller(), &id).await?;
    let version = event.version;
    Ok(Answer::ok(event).version(version))
}

/// Changes an event.
#[utoipa::path(patch, path = "/events/{id}", tag = "calendar", request_body = EventChange,
    params(("id" = EventId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "The event as it is now", body = Event)))]
async fn update_event(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<EventId>,
    seen: IfMatch,
    body: Json<EventChange>,
) -> Result<Answer<Event>, Problem> {
    let done = events::change(&api.services, &door.caller(), &id, *seen, body.value).await?;
    let version = done.value.version;
    Ok(Answer::done(done).version(version))
}

/// Takes an event out of the calendar.
#[utoipa::path(delete, path = "/events/{id}", tag = "calendar",
    params(("id" = EventId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 204, description = "Removed")))]
async fn delete_event(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<EventId>,
    seen: IfMatch,
) -> Result<StatusCode, Problem> {
    events::remove(&api.services, &door.caller(), &id, *seen).await?;
    Ok(StatusCode::NO_CONTENT)
}
