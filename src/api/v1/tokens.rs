//! API tokens over HTTP.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::id::TokenId;
use crate::service::tokens::{self, CreatedToken, NewToken, TokenView};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_tokens, create_token))
        .routes(routes!(get_token, delete_token))
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

/// Lists tokens, without their secrets.
#[utoipa::path(get, path = "/tokens", tag = "tokens", params(Filter),
    responses((status = 200, description = "A page of tokens", body = Items<TokenView>)))]
async fn list_tokens(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<TokenView>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let page = tokens::list(&api.services, &door.caller(), &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Makes a token and shows it, once.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = NewToken,
    responses((status = 201, description = "The token", body = CreatedToken)))]
async fn create_token(
    State(api): State<Api>,
    door: Door,
    body: Json<NewToken>,
) -> Result<Answer<CreatedToken>, Problem> {
    let caller = door.creating(body.digest);
    let done = tokens::create(&api.services, &caller, body.value).await?;
    let location = format!("/api/v1/tokens/{}", done.value.id);
    Ok(Answer::created(done, location))
}

/// Shows a token, without its secret.
#[utoipa::path(get, path = "/tokens/{id}", tag = "tokens", params(("id" = TokenId, Path)),
    responses((status = 200, description = "The token", body = TokenView)))]
async fn get_token(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<TokenId>,
) -> Result<Answer<TokenView>, Problem> {
    Ok(Answer::ok(tokens::show(&api.services, &door.caller(), &id).await?))
}

/// Revokes a token at once.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", params(("id" = TokenId, Path)),
    responses((status = 204, description = "Revoked")))]
async fn delete_token(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<TokenId>,
) -> Result<StatusCode, Problem> {
    tokens::revoke(&api.services, &door.caller(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
