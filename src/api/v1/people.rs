//! People over HTTP.

use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, IfMatch, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::id::PersonId;
use crate::service::people::{self, NewPerson, PersonChange, PersonChanged, PersonView};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_people, create_person))
        .routes(routes!(get_person, update_person))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Paging {
    /// The most items.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// Lists people: those of the caller's units, and himself.
#[utoipa::path(get, path = "/people", tag = "people", params(Paging),
    responses((status = 200, description = "A page of people", body = Items<PersonView>)))]
async fn list_people(
    State(api): State<Api>,
    door: Door,
    Query(paging): Query<Paging>,
) -> Result<Answer<Items<PersonView>>, Problem> {
    let window = window(paging.limit, paging.cursor.as_deref())?;
    let page = people::list(&api.services, &door.caller(), &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Enters a person with what he is to which units.
#[utoipa::path(post, path = "/people", tag = "people", request_body = NewPerson,
    responses((status = 201, description = "The person", body = PersonView)))]
async fn create_person(
    State(api): State<Api>,
    door: Door,
    body: Json<NewPerson>,
) -> Result<Answer<PersonView>, Problem> {
    let caller = door.creating(body.digest);
    let done = people::create(&api.services, &caller, body.value).await?;
    let (version, location) = (done.value.version, format!("/api/v1/people/{}", done.value.id));
    Ok(Answer::created(done, location).version(version))
}

/// Shows a person.
#[utoipa::path(get, path = "/people/{id}", tag = "people", params(("id" = PersonId, Path)),
    responses((status = 200, description = "The person", body = PersonView)))]
async fn get_person(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PersonId>,
) -> Result<Answer<PersonView>, Problem> {
    let person = people::show(&api.services, &door.caller(), &id).await?;
    let version = person.version;
    Ok(Answer::ok(person).version(version))
}

/// Changes a person: his name, his roles, and whether he may sign in.
#[utoipa::path(patch, path = "/people/{id}", tag = "people", request_body = PersonChange,
    params(("id" = PersonId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "The person as he is now", body = PersonChanged)))]
async fn update_person(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PersonId>,
    seen: IfMatch,
    body: Json<PersonChange>,
) -> Result<Answer<PersonChanged>, Problem> {
    let done = people::change(&api.services, &door.caller(), &id, *seen, body.value).await?;
    let version = done.value.person.version;
    Ok(Answer::done(done).version(version))
}
