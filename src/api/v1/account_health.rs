//! How accounts stand, over HTTP.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json, Path};
use crate::api::problem::Problem;
use crate::domain::id::AccountId;
use crate::service::account_health::{self, AccountHealth, NewAttestation};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get_account_health)).routes(routes!(attest_account))
}

/// Shows how an account stands: its rights and their ends, what its platform said last, who connected it, and
/// what is to go out on it.
#[utoipa::path(get, path = "/accounts/{id}/health", tag = "accounts", params(("id" = AccountId, Path)),
    responses((status = 200, description = "How the account stands", body = AccountHealth)))]
async fn get_account_health(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<AccountId>,
) -> Result<Answer<AccountHealth>, Problem> {
    Ok(Answer::ok(account_health::show(&api.services, &door.caller(), &id).await?))
}

/// Attests that the account's owners sign in with a second factor at the platform, which no platform tells.
#[utoipa::path(post, path = "/accounts/{id}/attest", tag = "accounts", params(("id" = AccountId, Path)),
    request_body = NewAttestation,
    responses((status = 200, description = "How the account stands", body = AccountHealth)))]
async fn attest_account(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<AccountId>,
    body: Json<NewAttestation>,
) -> Result<Answer<AccountHealth>, Problem> {
    let caller = door.creating(body.digest);
    Ok(Answer::done(account_health::attest(&api.services, &caller, &id, &body.value).await?))
}
