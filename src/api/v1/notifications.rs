//! Notifications over HTTP.

use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, IfMatch, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::id::NotificationId;
use crate::service::notifications::{
    self, Marked, NotificationView, ReadUpTo, SettingsChange, SettingsView,
};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_notifications))
        .routes(routes!(read_notifications))
        .routes(routes!(get_notification_settings, update_notification_settings))
        .routes(routes!(read_notification))
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
    /// `true` for those alone that were not read.
    unread: Option<bool>,
}

/// Lists one's own notifications, newest first.
#[utoipa::path(get, path = "/notifications", tag = "notifications", params(Filter),
    responses((status = 200, description = "A page of notifications", body = Items<NotificationView>)))]
async fn list_notifications(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<NotificationView>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let unread = filter.unread.unwrap_or(false);
    let page = notifications::list(&api.services, &door.caller(), unread, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Marks everything up to one notification as read, itself included.
#[utoipa::path(post, path = "/notifications/read", tag = "notifications", request_body = ReadUpTo,
    responses((status = 200, description = "How many were marked", body = Marked)))]
async fn read_notifications(
    State(api): State<Api>,
    door: Door,
    body: Json<ReadUpTo>,
) -> Result<Answer<Marked>, Problem> {
    let caller = door.creating(body.digest);
    Ok(Answer::done(notifications::read_up_to(&api.services, &caller, &body.value.up_to).await?))
}

/// Marks one notification as read. Doing it twice is no fault.
#[utoipa::path(post, path = "/notifications/{id}/read", tag = "notifications",
    params(("id" = NotificationId, Path)),
    responses((status = 200, description = "How many were marked", body = Marked)))]
async fn read_notification(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<NotificationId>,
) -> Result<Answer<Marked>, Problem> {
    let caller = door.creating([0; 32]);
    Ok(Answer::done(notifications::read_one(&api.services, &caller, &id).await?))
}

/// Shows what one is told, and where.
#[utoipa::path(get, path = "/notifications/settings", tag = "notifications",
    responses((status = 200, description = "What one is told", body = SettingsView)))]
async fn get_notification_settings(
    State(api): State<Api>,
    door: Door,
) -> Result<Answer<SettingsView>, Problem> {
    let settings = notifications::settings(&api.services, &door.caller()).await?;
    let version = settings.version;
    Ok(Answer::ok(settings).version(version))
}

/// Chooses what one is told in the product and by mail, and in which language.
#[utoipa::path(patch, path = "/notifications/settings", tag = "notifications",
    request_body = SettingsChange,
    params(("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "What one is told from now on", body = SettingsView)))]
async fn update_notification_settings(
    State(api): State<Api>,
    door: Door,
    seen: IfMatch,
    body: Json<SettingsChange>,
) -> Result<Answer<SettingsView>, Problem> {
    let caller = door.caller();
    let done = notifications::change_settings(&api.services, &caller, *seen, body.value).await?;
    let version = done.value.version;
    Ok(Answer::done(done).version(version))
}
