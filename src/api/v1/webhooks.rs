//! Webhooks over HTTP.

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
use crate::domain::id::WebhookId;
use crate::service::webhooks::{
    self, NewWebhook, RevealedWebhook, TryView, WebhookChange, WebhookView,
};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_webhooks, create_webhook))
        .routes(routes!(get_webhook, update_webhook, delete_webhook))
        .routes(routes!(rotate_webhook_secret))
        .routes(routes!(list_webhook_tries))
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

/// Lists webhooks, without their secrets.
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", params(Filter),
    responses((status = 200, description = "A page of webhooks", body = Items<WebhookView>)))]
async fn list_webhooks(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<WebhookView>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let page = webhooks::list(&api.services, &door.caller(), &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Enters a webhook and shows its secret, once. Requests are signed by the Standard Webhooks
/// specification; each message comes at least once, always under the same `webhook-id`, in any order.
#[utoipa::path(post, path = "/webhooks", tag = "webhooks", request_body = NewWebhook,
    responses((status = 201, description = "The webhook with its secret", body = RevealedWebhook)))]
async fn create_webhook(
    State(api): State<Api>,
    door: Door,
    body: Json<NewWebhook>,
) -> Result<Answer<RevealedWebhook>, Problem> {
    let caller = door.creating(body.digest);
    let done = webhooks::create(&api.services, &caller, body.value).await?;
    let webhook = &done.value.webhook;
    let (version, location) = (webhook.version, format!("/api/v1/webhooks/{}", webhook.id));
    Ok(Answer::created(done, location).version(version))
}

/// Shows a webhook, without its secret.
#[utoipa::path(get, path = "/webhooks/{id}", tag = "webhooks", params(("id" = WebhookId, Path)),
    responses((status = 200, description = "The webhook", body = WebhookView)))]
async fn get_webhook(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<WebhookId>,
) -> Result<Answer<WebhookView>, Problem> {
    let webhook = webhooks::show(&api.services, &door.caller(), &id).await?;
    let version = webhook.version;
    Ok(Answer::ok(webhook).version(version))
}

/// Changes a webhook, or switches it off or on.
#[utoipa::path(patch, path = "/webhooks/{id}", tag = "webhooks", request_body = WebhookChange,
    params(("id" = WebhookId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "The webhook as it is now", body = WebhookView)))]
async fn update_webhook(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<WebhookId>,
    seen: IfMatch,
    body: Json<WebhookChange>,
) -> Result<Answer<WebhookView>, Problem> {
    let done = webhooks::change(&api.services, &door.caller(), &id, *seen, body.value).await?;
    let version = done.value.version;
    Ok(Answer::done(done).version(version))
}

/// Removes a webhook with its log.
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "webhooks", params(("id" = WebhookId, Path)),
    responses((status = 204, description = "Removed")))]
async fn delete_webhook(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<WebhookId>,
) -> Result<StatusCode, Problem> {
    webhooks::remove(&api.services, &door.caller(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces the secret and shows the new one, once. For `webhooks.rotation_overlap` requests carry a
/// signature of each, and either is right.
#[utoipa::path(post, path = "/webhooks/{id}/rotate", tag = "webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 200, description = "The webhook with its new secret", body = RevealedWebhook)))]
async fn rotate_webhook_secret(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<WebhookId>,
) -> Result<Answer<RevealedWebhook>, Problem> {
    let done = webhooks::rotate(&api.services, &door.creating([0; 32]), &id).await?;
    let version = done.value.webhook.version;
    Ok(Answer::done(done).version(version))
}

/// Lists what came of telling a webhook, newest first.
#[utoipa::path(get, path = "/webhooks/{id}/tries", tag = "webhooks",
    params(("id" = WebhookId, Path), Filter),
    responses((status = 200, description = "A page of tries", body = Items<TryView>)))]
async fn list_webhook_tries(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<WebhookId>,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<TryView>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let page = webhooks::tries(&api.services, &door.caller(), &id, &window).await?;
    Ok(Answer::ok(page.into()))
}
