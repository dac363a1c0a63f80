//! Sign-ins that connect accounts, over HTTP. Where browsers come back to: `api/landing.rs`.

use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::connection::Connection;
use crate::domain::id::ConnectionId;
use crate::service::connections::{self, BegunConnection, Choice, NewConnection};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(connect_account))
        .routes(routes!(list_connections))
        .routes(routes!(get_connection))
        .routes(routes!(finish_connection))
        .routes(routes!(approve_connection))
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

/// Begins a sign-in at a platform. Send the person's browser to `authorize_url`; the platform sends it
/// back to `/connect/{platform}/callback`.
#[utoipa::path(post, path = "/accounts/connect", tag = "accounts", request_body = NewConnection,
    responses((status = 201, description = "The sign-in, with the platform's own page", body = BegunConnection)))]
async fn connect_account(
    State(api): State<Api>,
    door: Door,
    body: Json<NewConnection>,
) -> Result<Answer<BegunConnection>, Problem> {
    let caller = door.creating(body.digest);
    let done = connections::open(&api.services, &caller, body.value).await?;
    let location = format!("/api/v1/accounts/connections/{}", done.value.id);
    Ok(Answer::created(done, location))
}

/// Lists sign-ins, newest first.
#[utoipa::path(get, path = "/accounts/connections", tag = "accounts", params(Filter),
    responses((status = 200, description = "A page of sign-ins", body = Items<Connection>)))]
async fn list_connections(
    State(api): State<Api>,
    door: Door,
    Query(query): Query<Filter>,
) -> Result<Answer<Items<Connection>>, Problem> {
    let window = window(query.limit, query.cursor.as_deref())?;
    let page = connections::list(&api.services, &door.caller(), &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Shows a sign-in: how far it has come, what was granted, which accounts can be chosen.
#[utoipa::path(get, path = "/accounts/connections/{id}", tag = "accounts",
    params(("id" = ConnectionId, Path)),
    responses((status = 200, description = "The sign-in", body = Connection)))]
async fn get_connection(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<ConnectionId>,
) -> Result<Answer<Connection>, Problem> {
    Ok(Answer::ok(connections::show(&api.services, &door.caller(), &id).await?))
}

/// Says which accounts are to come of a sign-in. One that was named beforehand is connected at once;
/// any other waits for a second administrator.
#[utoipa::path(post, path = "/accounts/connections/{id}/finish", tag = "accounts", request_body = Choice,
    params(("id" = ConnectionId, Path)),
    responses((status = 200, description = "The sign-in as it is now", body = Connection)))]
async fn finish_connection(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<ConnectionId>,
    body: Json<Choice>,
) -> Result<Answer<Connection>, Problem> {
    let caller = door.creating(body.digest);
    Ok(Answer::done(connections::choose(&api.services, &caller, &id, body.value).await?))
}

/// Approves the accounts that another administrator has chosen, and connects them.
#[utoipa::path(post, path = "/accounts/connections/{id}/approve", tag = "accounts",
    params(("id" = ConnectionId, Path)),
    responses((status = 200, description = "The sign-in as it is now", body = Connection)))]
async fn approve_connection(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<ConnectionId>,
) -> Result<Answer<Connection>, Problem> {
    let caller = door.creating([0; 32]);
    Ok(Answer::done(connections::approve(&api.services, &caller, &id).await?))
}
