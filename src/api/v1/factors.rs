//! Second factors over HTTP: setting up an app, codes on paper, and taking both away.

use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json, Path};
use crate::api::problem::Problem;
use crate::domain::id::PersonId;
use crate::service::factors::{self, FactorSecret, FactorView, RecoveryCodes, TypedCode};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(get_second_factor, begin_second_factor, remove_second_factor))
        .routes(routes!(confirm_second_factor))
        .routes(routes!(renew_recovery_codes))
        .routes(routes!(reset_second_factor))
}

/// Shows how the asker's second factor stands.
#[utoipa::path(get, path = "/second-factor", tag = "sessions",
    responses((status = 200, description = "How it stands", body = FactorView)))]
async fn get_second_factor(
    State(api): State<Api>,
    door: Door,
) -> Result<Answer<FactorView>, Problem> {
    Ok(Answer::ok(factors::show(&api.services, &door.caller()).await?))
}

/// Makes the secret for an app; nothing is asked for before its first code is confirmed.
#[utoipa::path(post, path = "/second-factor", tag = "sessions", responses(
    (status = 200, description = "The secret, shown once", body = FactorSecret),
    (status = 404, description = "A program is not signed in", body = crate::api::problem::Body9457,
     content_type = "application/problem+json")))]
async fn begin_second_factor(
    State(api): State<Api>,
    door: Door,
) -> Result<Answer<FactorSecret>, Problem> {
    Ok(Answer::ok(factors::set_up(&api.services, &door.caller()).await?))
}

/// Takes the asker's second factor away: only the password is asked for then.
#[utoipa::path(delete, path = "/second-factor", tag = "sessions", responses(
    (status = 204, description = "Taken away"),
    (status = 404, description = "A program is not signed in", body = crate::api::problem::Body9457,
     content_type = "application/problem+json")))]
async fn remove_second_factor(State(api): State<Api>, door: Door) -> Result<StatusCode, Problem> {
    factors::remove(&api.services, &door.caller()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Confirms the app by its first code: from now on it is asked for.
#[utoipa::path(post, path = "/second-factor/confirm", tag = "sessions", request_body = TypedCode, responses(
    (status = 200, description = "Codes on paper, shown once", body = RecoveryCodes),
    (status = 404, description = "A program is not signed in", body = crate::api::problem::Body9457,
     content_type = "application/problem+json")))]
async fn confirm_second_factor(
    State(api): State<Api>,
    door: Door,
    body: Json<TypedCode>,
) -> Result<Answer<RecoveryCodes>, Problem> {
    Ok(Answer::ok(factors::confirm(&api.services, &door.caller(), &body.value).await?))
}

/// Makes new codes on paper, in the place of all before.
#[utoipa::path(post, path = "/second-factor/recovery-codes", tag = "sessions", responses(
    (status = 200, description = "Codes on paper, shown once", body = RecoveryCodes),
    (status = 404, description = "A program is not signed in", body = crate::api::problem::Body9457,
     content_type = "application/problem+json")))]
async fn renew_recovery_codes(
    State(api): State<Api>,
    door: Door,
) -> Result<Answer<RecoveryCodes>, Problem> {
    Ok(Answer::ok(factors::renew_codes(&api.services, &door.caller()).await?))
}

/// Takes somebody's second factor away, whose phone and paper are lost. He is signed out everywhere.
#[utoipa::path(delete, path = "/people/{id}/second-factor", tag = "people", params(("id" = PersonId, Path)),
    responses((status = 204, description = "Taken away")))]
async fn reset_second_factor(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PersonId>,
) -> Result<StatusCode, Problem> {
    factors::reset(&api.services, &door.caller(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
