//! Embargoes of posts and campaigns, over HTTP.

use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json, Path};
use crate::api::problem::Problem;
use crate::domain::id::{CampaignId, PostId};
use crate::service::embargoes::{self, EmbargoSet, EmbargoView, Embargoed, NewEmbargo};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(get_post_embargo, set_post_embargo, lift_post_embargo))
        .routes(routes!(get_campaign_embargo, set_campaign_embargo, lift_campaign_embargo))
}

/// Shows until when a post may not be published, and by what.
#[utoipa::path(get, path = "/posts/{id}/embargo", tag = "posts", params(("id" = PostId, Path)),
    responses((status = 200, description = "What binds the post", body = EmbargoView)))]
async fn get_post_embargo(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PostId>,
) -> Result<Answer<EmbargoView>, Problem> {
    Ok(Answer::ok(embargoes::show(&api.services, &door.caller(), Embargoed::Post(&id)).await?))
}

/// Sets until when a post, and every unit's copy of it, may not be published, in the place of what was said before.
#[utoipa::path(put, path = "/posts/{id}/embargo", tag = "posts", request_body = NewEmbargo,
    params(("id" = PostId, Path)),
    responses((status = 200, description = "The embargo, and what it stops", body = EmbargoSet)))]
async fn set_post_embargo(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PostId>,
    body: Json<NewEmbargo>,
) -> Result<Answer<EmbargoSet>, Problem> {
    let subject = Embargoed::Post(&id);
    let done = embargoes::set(&api.services, &door.caller(), subject, body.value).await?;
    Ok(Answer::done(done))
}

/// Lifts the embargo that was set on a post; its campaign's stays.
#[utoipa::path(delete, path = "/posts/{id}/embargo", tag = "posts", params(("id" = PostId, Path)),
    responses((status = 204, description = "Lifted")))]
async fn lift_post_embargo(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PostId>,
) -> Result<StatusCode, Problem> {
    embargoes::lift(&api.services, &door.caller(), Embargoed::Post(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows until when nothing of a campaign may be published.
#[utoipa::path(get, path = "/campaigns/{id}/embargo", tag = "campaigns",
    params(("id" = CampaignId, Path)),
    responses((status = 200, description = "What binds the campaign", body = EmbargoView)))]
async fn get_campaign_embargo(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CampaignId>,
) -> Result<Answer<EmbargoView>, Problem> {
    Ok(Answer::ok(embargoes::show(&api.services, &door.caller(), Embargoed::Campaign(&id)).await?))
}

/// Sets until when nothing of a campaign may be published, by any unit, in the place of what was said before.
#[utoipa::path(put, path = "/campaigns/{id}/embargo", tag = "campaigns", request_body = NewEmbargo,
    params(("id" = CampaignId, Path)),
    responses((status = 200, description = "The embargo, and what it stops", body = EmbargoSet)))]
async fn set_campaign_embargo(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CampaignId>,
    body: Json<NewEmbargo>,
) -> Result<Answer<EmbargoSet>, Problem> {
    let subject = Embargoed::Campaign(&id);
    let done = embargoes::set(&api.services, &door.caller(), subject, body.value).await?;
    Ok(Answer::done(done))
}

/// Lifts the embargo of a campaign; those of single posts stay.
#[utoipa::path(delete, path = "/campaigns/{id}/embargo", tag = "campaigns",
    params(("id" = CampaignId, Path)),
    responses((status = 204, description = "Lifted")))]
async fn lift_campaign_embargo(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CampaignId>,
) -> Result<StatusCode, Problem> {
    embargoes::lift(&api.services, &door.caller(), Embargoed::Campaign(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
