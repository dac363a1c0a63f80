//! Notes on posts over HTTP.

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
use crate::domain::comment::Comment;
use crate::domain::id::{CommentId, PostId};
use crate::service::comments::{self, CommentChange, NewComment};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_comments, create_comment)).routes(routes!(
        get_comment,
        update_comment,
        delete_comment
    ))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// The most items.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// Lists the notes on a post, as they were written.
#[utoipa::path(get, path = "/posts/{id}/comments", tag = "comments", params(("id" = PostId, Path), Wanted),
    responses((status = 200, description = "A page of notes", body = Items<Comment>)))]
async fn list_comments(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PostId>,
    Query(wanted): Query<Wanted>,
) -> Result<Answer<Items<Comment>>, Problem> {
    let window = window(wanted.limit, wanted.cursor.as_deref())?;
    let page = comments::list(&api.services, &door.caller(), &id, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Writes a note on a post.
#[utoipa::path(post, path = "/posts/{id}/comments", tag = "comments", request_body = NewComment,
    params(("id" = PostId, Path)),
    responses((status = 201, description = "The note", body = Comment)))]
async fn create_comment(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PostId>,
    body: Json<NewComment>,
) -> Result<Answer<Comment>, Problem> {
    let caller = door.creating(body.digest);
    let done = comments::create(&api.services, &caller, &id, body.value).await?;
    let (version, location) = (done.value.version, format!("/api/v1/comments/{}", done.value.id));
    Ok(Answer::created(done, location).version(version))
}

/// Shows a note.
#[utoipa::path(get, path = "/comments/{id}", tag = "comments", params(("id" = CommentId, Path)),
    responses((status = 200, description = "The note", body = Comment)))]
async fn get_comment(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CommentId>,
) -> Result<Answer<Comment>, Problem> {
    let comment = comments::show(&api.services, &door.caller(), &id).await?;
    let version = comment.version;
    Ok(Answer::ok(comment).version(version))
}

/// Changes what a note says, or settles it.
#[utoipa::path(patch, path = "/comments/{id}", tag = "comments", request_body = CommentChange,
    params(("id" = CommentId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "The note as it is now", body = Comment)))]
async fn update_comment(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CommentId>,
    seen: IfMatch,
    body: Json<CommentChange>,
) -> Result<Answer<Comment>, Problem> {
    let done = comments::change(&api.services, &door.caller(), &id, *seen, body.value).await?;
    let version = done.value.version;
    Ok(Answer::done(done).version(version))
}

/// Removes a note; that it was there stays.
#[utoipa::path(delete, path = "/comments/{id}", tag = "comments",
    params(("id" = CommentId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 204, description = "Removed")))]
async fn delete_comment(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<CommentId>,
    seen: IfMatch,
) -> Result<StatusCode, Problem> {
    comments::remove(&api.services, &door.caller(), &id, *seen).await?;
    Ok(StatusCode::NO_CONTENT)
}
