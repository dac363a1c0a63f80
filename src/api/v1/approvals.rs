//! Approvals over HTTP: asking for them, and giving, refusing and taking them back.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json, Path};
use crate::api::problem::Problem;
use crate::domain::id::PostId;
use crate::service::approvals::{self, ApprovalsView, Decided, Deciding};

/// The routes. How a post stands, the post itself shows.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(submit_post)).routes(routes!(decide_post))
}

/// Asks for approval of what a post says now; whoever may approve it is told.
#[utoipa::path(post, path = "/posts/{id}/submit", tag = "posts", params(("id" = PostId, Path)),
    responses((status = 200, description = "How it stands", body = ApprovalsView)))]
async fn submit_post(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PostId>,
) -> Result<Answer<ApprovalsView>, Problem> {
    let done = approvals::submit(&api.services, &door.creating([0; 32]), &id).await?;
    Ok(Answer::done(done))
}

/// Approves a post as it was seen, refuses it, or takes an approval back. After the answer to a refusal
/// nothing of the post begins to leave; `in_flight` names what had begun before.
#[utoipa::path(post, path = "/posts/{id}/approvals", tag = "posts", request_body = Deciding,
    params(("id" = PostId, Path)),
    responses((status = 201, description = "What came of it", body = Decided)))]
async fn decide_post(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PostId>,
    body: Json<Deciding>,
) -> Result<Answer<Decided>, Problem> {
    let caller = door.creating(body.digest);
    let done = approvals::decide(&api.services, &caller, &id, body.value).await?;
    let location = format!("/api/v1/posts/{id}");
    Ok(Answer::created(done, location))
}
