//! Accounts over HTTP.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, IfMatch, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::account::{Account, AccountStatus};
use crate::domain::id::{AccountId, UnitId};
use crate::service::accounts::{self, AccountChange, NewAccount};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_accounts, create_account))
        .routes(routes!(get_account, update_account, delete_account))
        .routes(routes!(check_account))
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
    /// Of this unit.
    unit_id: Option<UnitId>,
    /// On this platform.
    platform: Option<String>,
    /// In this state.
    status: Option<AccountStatus>,
}

/// Lists accounts.
#[utoipa::path(get, path = "/accounts", tag = "accounts", params(Filter),
    responses((status = 200, description = "A page of accounts", body = Items<Account>)))]
async fn list_accounts(
    State(api): State<Api>,
    door: Door,
    Query(query): Query<Filter>,
) -> Result<Answer<Items<Account>>, Problem> {
    let window = window(query.limit, query.cursor.as_deref())?;
    let (unit, platform, status) = (query.unit_id, query.platform, query.status);
    let caller = door.caller();
    let page = accounts::list(&api.services, &caller, unit, platform, status, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Connects an account: the platform is asked whose the credential is.
#[utoipa::path(post, path = "/accounts", tag = "accounts", request_body = NewAccount,
    responses((status = 201, description = "The account", body = Account)))]
async fn create_account(
    State(api): State<Api>,
    door: Door,
    body: Json<NewAccount>,
) -> Result<Answer<Account>, Problem> {
    let caller = door.creating(body.digest);
    let done = accounts::create(&api.services, &caller, body.value).await?;
    let (version, location) = (done.value.version, format!("/api/v1/accounts/{}", done.value.id));
    Ok(Answer::created(done, location).version(version))
}

/// Shows an account.
#[utoipa::path(get, path = "/accounts/{id}", tag = "accounts", params(("id" = AccountId, Path)),
    responses((status = 200, description = "The account", body = Account)))]
async fn get_account(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<AccountId>,
) -> Result<Answer<Account>, Problem> {
    let account = accounts::show(&api.services, &door.caller(), &id).await?;
    let version = account.version;
    Ok(Answer::ok(account).version(version))
}

/// Changes an account, or gives it a new credential.
#[utoipa::path(patch, path = "/accounts/{id}", tag = "accounts", request_body = AccountChange,
    params(("id" = AccountId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "The account as it is now", body = Account)))]
async fn update_account(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<AccountId>,
    seen: IfMatch,
    body: Json<AccountChange>,
) -> Result<Answer<Account>, Problem> {
    let done = accounts::change(&api.services, &door.caller(), &id, *seen, body.value).await?;
    let version = done.value.version;
    Ok(Answer::done(done).version(version))
}

/// Removes an account that nothing waits for, and forgets its credential.
#[utoipa::path(delete, path = "/accounts/{id}", tag = "accounts",
    params(("id" = AccountId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 204, description = "Removed")))]
async fn delete_account(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<AccountId>,
    seen: IfMatch,
) -> Result<StatusCode, Problem> {
    accounts::remove(&api.services, &door.caller(), &id, *seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks the platform now whether the credential is good.
#[utoipa::path(post, path = "/accounts/{id}/check", tag = "accounts", params(("id" = AccountId, Path)),
    responses((status = 200, description = "The account with what the platform said", body = Account)))]
async fn check_account(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<AccountId>,
) -> Result<Answer<Account>, Problem> {
    let done = accounts::check(&api.services, &door.creating([0; 32]), &id).await?;
    let version = done.value.version;
    Ok(Answer::done(done).version(version))
}
