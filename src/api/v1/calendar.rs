//! The calendar over HTTP.

use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::class::Class;
use crate::domain::id::{AccountId, UnitId};
use crate::service::calendar::{self, Entry};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_calendar))
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
    /// From this instant on; an event that lasts until then is there too.
    #[param(value_type = String, format = DateTime)]
    from: Timestamp,
    /// To before this instant, at most 400 days later.
    #[param(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Only of this unit: its events, and what goes to its accounts.
    unit_id: Option<UnitId>,
    /// Only deliveries to this account.
    account_id: Option<AccountId>,
    /// Only deliveries on this platform.
    platform: Option<String>,
    /// Only deliveries in this language.
    language: Option<String>,
    /// Only deliveries of this class.
    class: Option<Class>,
    /// Only deliveries of this campaign's posts.
    campaign_id: Option<String>,
}

/// Lists what all units plan: deliveries and events of a time, by their instant.
///
/// Of one's own units everything is shown, of units of the same region and of those above the title, and of all others
/// that there is something; of an event as much as its unit wants.
#[utoipa::path(get, path = "/calendar", tag = "calendar", params(Filter),
    responses((status = 200, description = "A page of the calendar", body = Items<Entry>)))]
async fn list_calendar(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<Entry>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let filter = calendar::Filter {
        from: filter.from,
        to: filter.to,
        unit_id: filter.unit_id,
        account_id: filter.account_id,
        platform: filter.platform,
        language: filter.language,
        class: filter.class,
        campaign_id: filter.campaign_id,
    };
    let page = calendar::list(&api.services, &door.caller(), filter, &window).await?;
    Ok(Answer::ok(page.into()))
}
