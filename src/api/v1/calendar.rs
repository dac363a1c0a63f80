//! The calendar over HTTP.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::api::sheet;
use crate::api::text::Tongue;
use crate::domain::class::Class;
use crate::domain::id::{AccountId, UnitId};
use crate::service::Error;
use crate::service::calendar::{self, Entry};
use crate::service::calendar_sheet::{self, Content};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_calendar)).routes(routes!(export_calendar))
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

/// How a table is written.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum CalendarFormat {
    /// UTF-8 with a mark, for any program.
    Csv,
    /// A workbook with one sheet.
    Xlsx,
}

/// What a table is of.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum CalendarContent {
    /// What goes out.
    Deliveries,
    /// What happens; it can be imported as a plan.
    Events,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Taken {
    /// `xlsx` when not said.
    #[param(inline)]
    format: Option<CalendarFormat>,
    /// `deliveries` when not said.
    #[param(inline)]
    content: Option<CalendarContent>,
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

/// Gives the calendar as a table, with as much of each entry as the list shows.
#[utoipa::path(get, path = "/calendar/export", tag = "calendar", params(Taken),
    responses((status = 200, description = "The table", content((String = "text/csv"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))))]
async fn export_calendar(
    State(api): State<Api>,
    door: Door,
    headers: HeaderMap,
    Query(taken): Query<Taken>,
) -> Result<Response, Problem> {
    let filter = calendar::Filter {
        from: taken.from,
        to: taken.to,
        unit_id: taken.unit_id,
        account_id: taken.account_id,
        platform: taken.platform,
        language: taken.language,
        class: taken.class,
        campaign_id: taken.campaign_id,
    };
    let content = match taken.content {
        Some(CalendarContent::Events) => Content::Events,
        Some(CalendarContent::Deliveries) | None => Content::Deliveries,
    };
    let table = calendar_sheet::export(&api.services, &door.caller(), &filter, content).await?;
    let tongue = Tongue::wanted(&headers);
    let (kind, name, bytes) = match taken.format.unwrap_or(CalendarFormat::Xlsx) {
        CalendarFormat::Csv => (
            "text/csv; charset=utf-8",
            "calendar.csv",
            sheet::table_csv(&table, tongue).map_err(Error::internal)?,
        ),
        CalendarFormat::Xlsx => {
            (XLSX, "calendar.xlsx", sheet::table_xlsx(&table, tongue).map_err(Error::internal)?)
        }
    };
    let place = format!("attachment; filename=\"{name}\"");
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, place)], bytes).into_response())
}

/// What a workbook is called on the web.
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
