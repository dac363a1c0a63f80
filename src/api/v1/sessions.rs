//! Signing in and out over HTTP, and passwords.
//!
//! The key lies in a cookie that no script can read and that is sent with no request of another site; every
//! change must be confirmed with a word that only our own pages learn.

use std::net::{IpAddr, Ipv4Addr};

use axum::Extension;
use axum::extract::State;
use axum::response::AppendHeaders;
use http::header::{HeaderName, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json, Path, Query};
use crate::api::limits::Peer;
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::auth::browser;
use crate::domain::id::{PersonId, SessionId};
use crate::service::passwords::{self, Invitation, NewPassword};
use crate::service::sessions::{self, NewSession, Place, Proof, SessionView};
use crate::service::{Done, Error};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_sessions, create_session))
        .routes(routes!(get_current_session, end_current_session))
        .routes(routes!(prove_session))
        .routes(routes!(end_session))
        .routes(routes!(choose_password))
        .routes(routes!(invite_person))
}

/// Being signed in, as the one learns who is.
#[derive(Debug, Serialize, ToSchema)]
struct OwnSession {
    /// The session.
    #[serde(flatten)]
    session: SessionView,
    /// What every change at this screen must carry in the header `X-CSRF-Token`.
    csrf_token: String,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Whose; one's own when not said.
    person_id: Option<PersonId>,
    /// The most items.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

type WithCookie<T> = (AppendHeaders<[(HeaderName, String); 1]>, T);

/// Signs in, and sets the cookie.
#[utoipa::path(post, path = "/sessions", tag = "sessions", security(()), request_body = NewSession,
    responses((status = 201, description = "The session; its key is in the cookie", body = OwnSession)))]
async fn create_session(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Json<NewSession>,
) -> Result<WithCookie<Answer<OwnSession>>, Problem> {
    let (from, place) = place(peer, &headers);
    let asked = Box::pin(sessions::create(&api.services, place, body.value));
    let (session, key) = api.auth.unproven(from, asked).await?;
    let location = format!("/api/v1/sessions/{}", session.id);
    let own = OwnSession { session, csrf_token: key.confirmation() };
    let answer = Answer::created(Done { value: own, replayed: false }, location);
    Ok((AppendHeaders([(SET_COOKIE, browser::set(&api.services.config, &key))]), answer))
}

/// Lists where somebody is signed in.
#[utoipa::path(get, path = "/sessions", tag = "sessions", params(Filter),
    responses((status = 200, description = "A page of sessions", body = Items<SessionView>),
    (status = 404, description = "Nobody for whom the asker answers", body = crate::api::problem::Body9457,
     content_type = "application/problem+json")))]
async fn list_sessions(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<SessionView>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let caller = door.caller();
    let page = sessions::list(&api.services, &caller, filter.person_id.as_ref(), &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Shows how the asker is signed in, and what confirms his changes.
#[utoipa::path(get, path = "/sessions/current", tag = "sessions", responses(
    (status = 200, description = "The session", body = OwnSession),
    (status = 404, description = "A program is not signed in", body = crate::api::problem::Body9457,
     content_type = "application/problem+json")))]
async fn get_current_session(
    State(api): State<Api>,
    door: Door,
    headers: HeaderMap,
) -> Result<Answer<OwnSession>, Problem> {
    let session = sessions::current(&api.services, &door.caller()).await?;
    let key = browser::key(&api.services.config, &headers).ok_or(Error::NotFound)?;
    Ok(Answer::ok(OwnSession { session, csrf_token: key.confirmation() }))
}

/// Signs out.
#[utoipa::path(delete, path = "/sessions/current", tag = "sessions", responses(
    (status = 204, description = "Signed out"),
    (status = 404, description = "A program is not signed in", body = crate::api::problem::Body9457,
     content_type = "application/problem+json")))]
async fn end_current_session(
    State(api): State<Api>,
    door: Door,
) -> Result<WithCookie<StatusCode>, Problem> {
    let caller = door.caller();
    let own = caller.actor.signed_in.as_ref().ok_or(Error::NotFound)?;
    sessions::end(&api.services, &caller, &own.session_id).await?;
    let cookie = browser::clear(&api.services.config);
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), StatusCode::NO_CONTENT))
}

/// Shows again that it is the one who signed in, which counts for 15 minutes.
#[utoipa::path(post, path = "/sessions/current/proof", tag = "sessions", request_body = Proof, responses(
    (status = 200, description = "The session", body = SessionView),
    (status = 404, description = "A program is not signed in", body = crate::api::problem::Body9457,
     content_type = "application/problem+json")))]
async fn prove_session(
    State(api): State<Api>,
    door: Door,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Json<Proof>,
) -> Result<Answer<SessionView>, Problem> {
    let (from, place) = place(peer, &headers);
    let caller = door.caller();
    let asked = Box::pin(sessions::prove(&api.services, &caller, &place.address, body.value));
    Ok(Answer::ok(api.auth.unproven(from, asked).await?))
}

/// Ends a session: one's own, or that of somebody for whom one answers.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "sessions", params(("id" = SessionId, Path)),
    responses((status = 204, description = "Ended")))]
async fn end_session(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    sessions::end(&api.services, &door.caller(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Chooses a password: with the key of a link, or with the password that one has.
#[utoipa::path(post, path = "/passwords", tag = "sessions", security(()), request_body = NewPassword,
    responses((status = 204, description = "Chosen; whoever was signed in signs in anew")))]
async fn choose_password(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    let (from, place) = place(peer, &headers);
    let asked = Box::pin(passwords::choose(&api.services, &place.address, body.value));
    api.auth.unproven(from, asked).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a link by which a person chooses his password, to be handed to him; earlier ones are void then.
#[utoipa::path(post, path = "/people/{id}/invitation", tag = "people", params(("id" = PersonId, Path)),
    responses((status = 200, description = "The link, shown once", body = Invitation)))]
async fn invite_person(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PersonId>,
) -> Result<Answer<Invitation>, Problem> {
    Ok(Answer::ok(passwords::invite(&api.services, &door.caller(), &id).await?))
}

fn place(peer: Option<Extension<Peer>>, headers: &HeaderMap) -> (IpAddr, Place) {
    // Without a connection, as in tests of the router alone, all are one client.
    let from = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(peer)| peer.0);
    let agent = headers.get(USER_AGENT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    (from, Place { address: from.to_string(), agent: agent.to_owned() })
}
