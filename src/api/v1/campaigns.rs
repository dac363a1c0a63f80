//! Campaigns over HTTP.

use axum::extract::State;
use http::StatusCode;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, IfMatch, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::campaign::Campaign;
use crate::domain::id::{CampaignId, UnitId};
use crate::service::campaigns::{self, CampaignChange, Cloned, Cloning, NewCampaign};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_campaigns, create_campaign))
        .routes(routes!(get_campaign, update_campaign, delete_campaign))
        .routes(routes!(clone_campaign))
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
    /// Only of this unit.
    unit_id: Option<UnitId>,
    /// Only those that have not ended before this day.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// Only those that have begun by this day.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Date>,
}

/// Lists campaigns, newest first.
#[utoipa::path(get, path = "/campaigns", tag = "campaigns", params(Filter),
    responses((status = 200, description = "A page of campaigns", body = Items<Campaign>)))]
async fn list_campaigns(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<Campaign>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let filter = campaigns::Filter { unit_id: filter.unit_id, from: filter.from, to: filter.to };
    let page = campaigns::list(&api.services, &door.caller(), filter, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Enters a campaign.
#[utoipa::path(post, path = "/campaigns", tag = "campaigns", request_body = NewCampaign,
    responses((status = 201, description = "The campaign", body = Campaign)))]
async fn create_campaign(
    State(api): State<Api>,
    door: Door,
    body: Json<NewCampaign>,
) -> Result<Answer<Campaign>, Problem> {
    let caller = door.creating(body.digest);
    let done = campaigns::create(&api.services, &caller, body.value).await?;
    let (version, location) = (done.value.version, place(&done.value.id));
    Ok(Answer::created(done, location).version(version))
}

/// Shows a campaign.
#[utoipa::path(get, path = "/campaigns/{id}", tag = "campaigns", params(("id" = CampaignId, Path)),
    responses((status = 200, description = "The campaign", body = Campaign)))]
async fn get_campaign(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CampaignId>,
) -> Result<Answer<Campaign>, Problem> {
    let campaign = campaigns::show(&api.services, &door.caller(), &id).await?;
    let version = campaign.version;
    Ok(Answer::ok(campaign).version(version))
}

/// Changes a campaign.
#[utoipa::path(patch, path = "/campaigns/{id}", tag = "campaigns", request_body = CampaignChange,
    params(("id" = CampaignId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "The campaign as it is now", body = Campaign)))]
async fn update_campaign(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CampaignId>,
    seen: IfMatch,
    body: Json<CampaignChange>,
) -> Result<Answer<Campaign>, Problem> {
    let done = campaigns::change(&api.services, &door.caller(), &id, *seen, body.value).await?;
    let version = done.value.version;
    Ok(Answer::done(done).version(version))
}

/// Removes a campaign that has no posts.
#[utoipa::path(delete, path = "/campaigns/{id}", tag = "campaigns",
    params(("id" = CampaignId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 204, description = "Removed")))]
async fn delete_campaign(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CampaignId>,
    seen: IfMatch,
) -> Result<StatusCode, Problem> {
    campaigns::remove(&api.services, &door.caller(), &id, *seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a campaign after this one, at another time, with the posts that its unit has in it as drafts.
#[utoipa::path(post, path = "/campaigns/{id}/clone", tag = "campaigns", request_body = Cloning,
    params(("id" = CampaignId, Path)),
    responses((status = 201, description = "The new campaign and its posts", body = Cloned)))]
async fn clone_campaign(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CampaignId>,
    body: Json<Cloning>,
) -> Result<Answer<Cloned>, Problem> {
    let caller = door.creating(body.digest);
    let done = campaigns::clone(&api.services, &caller, &id, body.value).await?;
    let (version, location) = (done.value.campaign.version, place(&done.value.campaign.id));
    Ok(Answer::created(done, location).version(version))
}

fn place(id: &CampaignId) -> String {
    format!("/api/v1/campaigns/{id}")
}
