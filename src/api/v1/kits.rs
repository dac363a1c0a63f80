//! Kits, offers and the board of a campaign over HTTP.

use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::id::{CampaignId, OfferId, UnitId};
use crate::domain::kit::OfferState;
use crate::service::boards::{self, Board};
use crate::service::kits::{self, Accepting, Declining, KitView, NewKit, OfferDiff, OfferView};
use crate::service::matrix::{self, Matrix};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_kits, create_kit))
        .routes(routes!(get_board))
        .routes(routes!(get_matrix))
        .routes(routes!(list_offers))
        .routes(routes!(get_offer))
        .routes(routes!(accept_offer))
        .routes(routes!(decline_offer))
        .routes(routes!(diff_offer))
}

/// Lists what is offered in a campaign, and how units have answered.
#[utoipa::path(get, path = "/campaigns/{id}/kits", tag = "campaigns", params(("id" = CampaignId, Path)),
    responses((status = 200, description = "All kits", body = Items<KitView>)))]
async fn list_kits(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CampaignId>,
) -> Result<Answer<Items<KitView>>, Problem> {
    let page = kits::of_campaign(&api.services, &door.caller(), &id).await?;
    Ok(Answer::ok(page.into()))
}

/// Offers a post of a campaign to other units, which are told.
#[utoipa::path(post, path = "/campaigns/{id}/kits", tag = "campaigns", request_body = NewKit,
    params(("id" = CampaignId, Path)),
    responses((status = 201, description = "What is offered, and to whom", body = KitView)))]
async fn create_kit(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CampaignId>,
    body: Json<NewKit>,
) -> Result<Answer<KitView>, Problem> {
    let caller = door.creating(body.digest);
    let done = kits::offer(&api.services, &caller, &id, body.value).await?;
    Ok(Answer::created(done, format!("/api/v1/campaigns/{id}/kits")))
}

/// Shows how far each target of a campaign is in each language that it should have, and where nothing is yet.
#[utoipa::path(get, path = "/campaigns/{id}/matrix", tag = "campaigns", params(("id" = CampaignId, Path)),
    responses((status = 200, description = "The matrix", body = Matrix)))]
async fn get_matrix(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CampaignId>,
) -> Result<Answer<Matrix>, Problem> {
    Ok(Answer::ok(matrix::show(&api.services, &door.caller(), &id).await?))
}

/// Shows what a campaign has come to: of all units for those whose campaign it is, of their own for others.
#[utoipa::path(get, path = "/campaigns/{id}/board", tag = "campaigns", params(("id" = CampaignId, Path)),
    responses((status = 200, description = "The board", body = Board)))]
async fn get_board(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CampaignId>,
) -> Result<Answer<Board>, Problem> {
    Ok(Answer::ok(boards::show(&api.services, &door.caller(), &id).await?))
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
    /// Only to this unit.
    unit_id: Option<UnitId>,
    /// Only of this campaign.
    campaign_id: Option<CampaignId>,
    /// Only those that were answered so.
    state: Option<OfferState>,
}

/// Lists what one's own units are offered, newest first.
#[utoipa::path(get, path = "/offers", tag = "campaigns", params(Filter),
    responses((status = 200, description = "A page of offers", body = Items<OfferView>)))]
async fn list_offers(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<OfferView>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let filter = kits::Filter {
        unit_id: filter.unit_id,
        campaign_id: filter.campaign_id,
        state: filter.state,
    };
    let page = kits::list(&api.services, &door.caller(), filter, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Shows an offer, with what is offered as it is now.
#[utoipa::path(get, path = "/offers/{id}", tag = "campaigns", params(("id" = OfferId, Path)),
    responses((status = 200, description = "The offer", body = OfferView)))]
async fn get_offer(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<OfferId>,
) -> Result<Answer<OfferView>, Problem> {
    Ok(Answer::ok(kits::show(&api.services, &door.caller(), &id).await?))
}

/// Takes what is offered: makes a copy of it as a draft. Where there is a copy, what has been changed in what is
/// offered since is taken over into it, but for what the unit says otherwise.
#[utoipa::path(post, path = "/offers/{id}/accept", tag = "campaigns", request_body = Accepting,
    params(("id" = OfferId, Path)),
    responses((status = 200, description = "The offer with its copy", body = OfferView)))]
async fn accept_offer(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<OfferId>,
    body: Json<Accepting>,
) -> Result<Answer<OfferView>, Problem> {
    let caller = door.creating(body.digest);
    let done = kits::accept(&api.services, &caller, &id, body.value).await?;
    Ok(Answer::done(done))
}

/// Does not take what is offered, and says why.
#[utoipa::path(post, path = "/offers/{id}/decline", tag = "campaigns", request_body = Declining,
    params(("id" = OfferId, Path)),
    responses((status = 200, description = "The offer", body = OfferView)))]
async fn decline_offer(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<OfferId>,
    body: Json<Declining>,
) -> Result<Answer<OfferView>, Problem> {
    let caller = door.creating(body.digest);
    let done = kits::decline(&api.services, &caller, &id, body.value).await?;
    Ok(Answer::done(done))
}

/// Compares what a copy was made of with what is offered now, word by word.
#[utoipa::path(get, path = "/offers/{id}/diff", tag = "campaigns", params(("id" = OfferId, Path)),
    responses((status = 200, description = "What has changed", body = OfferDiff)))]
async fn diff_offer(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<OfferId>,
) -> Result<Answer<OfferDiff>, Problem> {
    Ok(Answer::ok(kits::diff(&api.services, &door.caller(), &id).await?))
}
