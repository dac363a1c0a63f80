//! Translations over HTTP: how variants are moved on their way, and said to be still right.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, IfMatch, Json, Path};
use crate::api::problem::{Body9457, Problem};
use crate::domain::id::PostId;
use crate::service::differences::{self, Difference};
use crate::service::posts::PostView;
use crate::service::translations::{self, Moving, StillRight};

/// The routes. How a variant stands, the post itself shows.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(move_variant))
        .routes(routes!(confirm_variant))
        .routes(routes!(compare_variant))
}

/// Moves a variant on its way: into translation, into editing, proofed by somebody other than its translator;
/// or says that a machine has made it. Only what is a draft or proofed goes out.
#[utoipa::path(post, path = "/posts/{id}/variants/{language}/status", tag = "posts",
    request_body = Moving,
    params(("id" = PostId, Path), ("language" = String, Path, description = "BCP 47 tag"),
        ("If-Match" = String, Header, description = "The ETag that was read")),
    responses(
        (status = 200, description = "The post as it is now", body = PostView),
        (status = 412, description = "If-Match does not name the current version",
            body = Body9457, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing",
            body = Body9457, content_type = "application/problem+json")))]
async fn move_variant(
    State(api): State<Api>,
    door: Door,
    Path((id, language)): Path<(PostId, String)>,
    seen: IfMatch,
    body: Json<Moving>,
) -> Result<Answer<PostView>, Problem> {
    let (caller, which) = (door.creating(body.digest), (&id, language.as_str()));
    let done = translations::move_on(&api.services, &caller, which, *seen, body.value).await?;
    let revision = done.value.revision;
    Ok(Answer::done(done).version(revision))
}

/// Says that a variant is still right although its source has changed.
#[utoipa::path(post, path = "/posts/{id}/variants/{language}/still-right", tag = "posts",
    request_body = StillRight,
    params(("id" = PostId, Path), ("language" = String, Path, description = "BCP 47 tag"),
        ("If-Match" = String, Header, description = "The ETag that was read")),
    responses(
        (status = 200, description = "The post as it is now", body = PostView),
        (status = 412, description = "If-Match does not name the current version",
            body = Body9457, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing",
            body = Body9457, content_type = "application/problem+json")))]
async fn confirm_variant(
    State(api): State<Api>,
    door: Door,
    Path((id, language)): Path<(PostId, String)>,
    seen: IfMatch,
    body: Json<StillRight>,
) -> Result<Answer<PostView>, Problem> {
    let (caller, which) = (door.creating(body.digest), (&id, language.as_str()));
    let done = translations::still_right(&api.services, &caller, which, *seen, body.value).await?;
    let revision = done.value.revision;
    Ok(Answer::done(done).version(revision))
}

/// Shows what has changed in the source since a variant was made from it, word by word.
#[utoipa::path(get, path = "/posts/{id}/variants/{language}/diff", tag = "posts",
    params(("id" = PostId, Path), ("language" = String, Path, description = "BCP 47 tag")),
    responses((status = 200, description = "What has changed", body = Difference)))]
async fn compare_variant(
    State(api): State<Api>,
    door: Door,
    Path((id, language)): Path<(PostId, String)>,
) -> Result<Answer<Difference>, Problem> {
    let which = (&id, language.as_str());
    Ok(Answer::ok(differences::show(&api.services, &door.caller(), which).await?))
}
