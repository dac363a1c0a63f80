//! Media over HTTP. The body is the file itself, or a form with one file.

use axum::body::Body;
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::answer::Answer;
use crate::api::extract::{Door, Path, Query, check_length, in_time, unread};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::api::{Api, UPLOAD_PATIENCE};
use crate::domain::id::MediaId;
use crate::domain::media::Media;
use crate::media::{Incoming, Received, TELLING};
use crate::service::{self, Told, media};

/// So much of a file is held while it is given out.
const PART: u64 = 1 << 20;

/// What a form needs around its file.
const FORM_ROOM: usize = 64 * 1024;

/// The routes that are soon done.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_media)).routes(routes!(get_media, delete_media))
}

/// The routes that take or give files.
pub(super) fn uploads() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(create_media)).routes(routes!(get_media_content))
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

/// The bytes of a file.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only for the document")]
struct File(Vec<u8>);

/// A form with one file.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "only for the document")]
struct Form {
    /// The file.
    file: File,
}

/// Lists files.
#[utoipa::path(get, path = "/media", tag = "media", params(Filter),
    responses((status = 200, description = "A page of files", body = Items<Media>)))]
async fn list_media(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<Media>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let page = media::list(&api.services, &door.caller(), &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Takes a file: as the body, or as the field `file` of a form. Its type is told by its bytes.
#[utoipa::path(post, path = "/media", tag = "media",
    request_body(content((File = "application/octet-stream"), (File = "image/*"), (File = "video/*"), (Form = "multipart/form-data"))),
    responses((status = 201, description = "What is known of it", body = Media)))]
async fn create_media(
    State(api): State<Api>,
    door: Door,
    request: Request,
) -> Result<Answer<Media>, Problem> {
    media::may_create(&door.clone().caller())?;
    let limits = &api.services.config.media;
    let most = limits.max_bytes.max(limits.max_video_bytes);
    let kind = essence(request.headers());
    let (declared, received) = if kind.as_deref() == Some("multipart/form-data") {
        check_length(request.headers(), most.saturating_add(FORM_ROOM))?;
        in_time(&api, UPLOAD_PATIENCE, from_form(&api, request)).await??
    } else {
        check_length(request.headers(), most)?;
        (kind, in_time(&api, UPLOAD_PATIENCE, from_body(&api, request)).await??)
    };
    let declared = declared.filter(|it| it != "application/octet-stream");
    let done = media::create(&api.services, door.creating([0; 32]), declared, received).await?;
    let location = format!("/api/v1/media/{}", done.value.id);
    Ok(Answer::created(done, location))
}

/// One more piece of a file, unless that makes it larger than what it seems to be may be.
async fn take(api: &Api, incoming: &mut Incoming, piece: &[u8]) -> Result<(), Problem> {
    let before = incoming.head().len();
    if before >= TELLING {
        must_fit(api, incoming.head(), incoming.size(), piece)?;
    } else {
        let missing = (TELLING - before).min(piece.len());
        let head = [incoming.head(), piece.get(..missing).unwrap_or_default()].concat();
        must_fit(api, &head, incoming.size(), piece)?;
    }
    incoming.write(piece).await.map_err(disk)
}

fn must_fit(api: &Api, head: &[u8], size: u64, piece: &[u8]) -> Result<(), Problem> {
    let most = media::largest(&api.services, head) as u64;
    if size + piece.len() as u64 > most { Err(Problem::too_large(most)) } else { Ok(()) }
}

fn disk(error: crate::media::Error) -> Problem {
    service::Error::internal(error).into()
}

async fn from_body(api: &Api, request: Request) -> Result<Received, Problem> {
    let mut incoming = api.services.files.receive().await.map_err(disk)?;
    let mut body = request.into_body().into_data_stream();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| unread(&error, usize::MAX))?;
        take(api, &mut incoming, &piece).await?;
    }
    incoming.end().await.map_err(disk)
}

fn essence(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

async fn from_form(api: &Api, request: Request) -> Result<(Option<String>, Received), Problem> {
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| {
        tracing::debug!(%error, "a form could not be read");
        bad_form()
    })?;
    let mut found = None;
    while let Some(mut field) = form.next_field().await.map_err(|_broken| bad_form())? {
        if field.name() != Some("file") || found.is_some() {
            return Err(bad_form());
        }
        let declared = field.content_type().map(str::to_ascii_lowercase);
        let mut incoming = api.services.files.receive().await.map_err(disk)?;
        while let Some(piece) = field.chunk().await.map_err(|_broken| bad_form())? {
            take(api, &mut incoming, &piece).await?;
        }
        found = Some((declared, incoming.end().await.map_err(disk)?));
    }
    found.ok_or_else(bad_form)
}

fn bad_form() -> Problem {
    let told = Told::new("bad_multipart", "a form has exactly one file, in the field `file`");
    Problem::new(StatusCode::BAD_REQUEST, told)
}

/// Shows what is known of a file.
#[utoipa::path(get, path = "/media/{id}", tag = "media", params(("id" = MediaId, Path)),
    responses((status = 200, description = "What is known of it", body = Media)))]
async fn get_media(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<MediaId>,
) -> Result<Answer<Media>, Problem> {
    Ok(Answer::ok(media::show(&api.services, &door.caller(), &id).await?))
}

/// Gives the file itself.
#[utoipa::path(get, path = "/media/{id}/content", tag = "media", params(("id" = MediaId, Path)),
    responses((status = 200, description = "The file", body = File, content_type = "image/*")))]
async fn get_media_content(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<MediaId>,
) -> Result<Response, Problem> {
    let (media, opened) = media::fetch(&api.services, &door.caller(), &id).await?;
    // Never shown as a page of ours, whatever somebody managed to hide in it.
    let headers = [
        (CONTENT_TYPE, media.mime),
        (CONTENT_DISPOSITION, "attachment".to_owned()),
        (CONTENT_LENGTH, opened.size().to_string()),
    ];
    // In parts: a video is larger than what one answer may hold.
    let parts = stream::try_unfold(0, move |from| {
        let opened = opened.clone();
        async move {
            let part = opened.read(from..from + PART).await?;
            Ok::<_, crate::media::Error>((!part.is_empty()).then(|| (part, from + PART)))
        }
    });
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// Hides a file from further use.
#[utoipa::path(delete, path = "/media/{id}", tag = "media", params(("id" = MediaId, Path)),
    responses((status = 204, description = "Removed")))]
async fn delete_media(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<MediaId>,
) -> Result<StatusCode, Problem> {
    media::remove(&api.services, &door.caller(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
