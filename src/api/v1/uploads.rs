//! Files piece by piece over HTTP: the protocol tus 1.0.0 (tus.io, read 2026-11-23) with creation,
//! expiration, termination and checksum.

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{head, options};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::answer::Answer;
use crate::api::extract::{Door, Path, in_time, unread};
use crate::api::problem::{Body9457, PROBLEM_JSON, Problem};
use crate::api::{Api, UPLOAD_PATIENCE};
use crate::domain::id::UploadId;
use crate::media::Appending;
use crate::service::uploads::{self, UploadView};
use crate::service::{Error, Told};

/// The one version of the protocol that is spoken.
const VERSION: &str = "1.0.0";
const RESUMABLE: &str = "tus-resumable";
const OFFSET: &str = "upload-offset";
const LENGTH: &str = "upload-length";

/// The status of a piece whose checksum is another one; the protocol's own.
const CHECKSUM_MISMATCH: u16 = 460;

/// The routes. Two methods are the protocol's alone, and not in the document.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(create_upload))
        .route("/uploads", options(async |api| capabilities(api, "OPTIONS, POST")))
        .routes(routes!(get_upload, add_to_upload, delete_upload))
        .route(
            "/uploads/{id}",
            head(look).options(async |api| capabilities(api, "OPTIONS, GET, HEAD, PATCH, DELETE")),
        )
        .layer(from_fn(spoken))
}

/// Every answer says which version is spoken.
async fn spoken(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(RESUMABLE, HeaderValue::from_static(VERSION));
    headers.insert("tus-version", HeaderValue::from_static(VERSION));
    response
}

/// Refuses who speaks another version, once it is known who asks.
fn must_speak(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get(RESUMABLE).map(HeaderValue::as_bytes) == Some(VERSION.as_bytes()) {
        return Ok(());
    }
    let detail = "uploads speak tus 1.0.0: send Tus-Resumable: 1.0.0";
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, Told::new("tus_version", detail)))
}

fn capabilities(State(api): State<Api>, methods: &'static str) -> Response {
    let most = uploads::largest(&api.services);
    let headers = [
        ("tus-max-size", HeaderValue::from(most)),
        ("tus-extension", HeaderValue::from_static("creation,expiration,termination,checksum")),
        ("tus-checksum-algorithm", HeaderValue::from_static("sha1,sha256")),
        (ALLOW.as_str(), HeaderValue::from_static(methods)),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Begins an upload. `Upload-Length` is the size of the whole file; `Upload-Metadata` may have `filetype`,
/// and `sha256` of the whole, which is proven at the end.
#[utoipa::path(post, path = "/uploads", tag = "media",
    params(("Tus-Resumable" = Option<String>, Header, description = "1.0.0; else 412"),
        ("Upload-Length" = Option<String>, Header, description = "Bytes of the whole file; else 400"),
        ("Upload-Metadata" = Option<String>, Header, description = "As tus writes it")),
    responses((status = 201, description = "The upload", body = UploadView),
        (status = 412, description = "Another version of the protocol", body = Body9457, content_type = PROBLEM_JSON),
        (status = 413, description = "Too large", body = Body9457, content_type = PROBLEM_JSON)))]
async fn create_upload(
    State(api): State<Api>,
    door: Door,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    must_speak(&headers)?;
    let size = number(&headers, LENGTH)?;
    let metadata = headers.get("upload-metadata").map(|it| it.to_str());
    let metadata = metadata.transpose().map_err(|_not_ascii| bad("upload-metadata"))?;
    let metadata = metadata.unwrap_or_default().to_owned();
    let digest = Sha256::digest(format!("{size} {metadata}")).into();
    let done = uploads::create(&api.services, &door.creating(digest), size, metadata).await?;
    let (told, location) = (told(&done.value), format!("/api/v1/uploads/{}", done.value.id));
    Ok((told, Answer::created(done, location)).into_response())
}

/// Shows how far an upload has come, and what became of it.
#[utoipa::path(get, path = "/uploads/{id}", tag = "media", params(("id" = UploadId, Path)),
    responses((status = 200, description = "How it stands", body = UploadView)))]
async fn get_upload(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<UploadId>,
) -> Result<Answer<UploadView>, Problem> {
    Ok(Answer::ok(uploads::show(&api.services, &door.caller(), &id).await?))
}

async fn look(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<UploadId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    must_speak(&headers)?;
    let upload = uploads::show(&api.services, &door.caller(), &id).await?;
    if upload.problem.is_some() {
        let told =
            Told::new("upload_over", "nothing could become of this upload; begin another one");
        return Err(Problem::new(StatusCode::GONE, told.member("problem", upload.problem)));
    }
    Ok((StatusCode::OK, told(&upload)).into_response())
}

/// Adds to an upload what follows its offset. What has come before a connection breaks off stays, unless
/// it was to be checked. The last piece answers with `Chancery-Media-Id`.
#[utoipa::path(patch, path = "/uploads/{id}", tag = "media",
    request_body(content = String, content_type = "application/offset+octet-stream"),
    params(("id" = UploadId, Path),
        ("Tus-Resumable" = Option<String>, Header, description = "1.0.0; else 412"),
        ("Upload-Offset" = Option<String>, Header, description = "Where it goes on; else 400"),
        ("Upload-Checksum" = Option<String>, Header, description = "`sha256` or `sha1`, a space, base64")),
    responses((status = 204, description = "Added"),
        (status = 412, description = "Another version of the protocol", body = Body9457, content_type = PROBLEM_JSON),
        (status = 460, description = "The checksum is another one", body = Body9457, content_type = PROBLEM_JSON)))]
async fn add_to_upload(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<UploadId>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers();
    must_speak(headers)?;
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind != Some(b"application/offset+octet-stream") {
        let detail = "send a piece as application/offset+octet-stream";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Told::new("not_a_piece", detail),
        ));
    }
    let (offset, mut checksum) = (number(headers, OFFSET)?, Checksum::wanted(headers)?);
    let caller = door.caller();
    let checked = checksum.is_some();
    let (upload, mut appending) =
        uploads::append(&api.services, &caller, &id, (offset, checked)).await?;
    let reading = pour(request, upload.size_bytes, &mut appending, checksum.as_mut());
    let poured = in_time(&api, UPLOAD_PATIENCE, reading).await.and_then(|it| it);
    let good = checksum.is_none_or(Checksum::holds);
    match poured {
        Ok(()) if !good => {
            appending.undo().await.map_err(disk)?;
            let told =
                Told::new("checksum_mismatch", "the piece is not what was sent; send it again");
            let status = StatusCode::from_u16(CHECKSUM_MISMATCH).unwrap_or(StatusCode::CONFLICT);
            return Err(Problem::new(status, told));
        }
        Ok(()) => appending.end().await.map_err(disk)?,
        Err(problem) if checked => {
            appending.undo().await.map_err(disk)?;
            return Err(problem);
        }
        Err(problem) => {
            appending.end().await.map_err(disk)?;
            return Err(problem);
        }
    };
    let upload = uploads::settle(&api.services, &caller, upload).await?;
    Ok((StatusCode::NO_CONTENT, told(&upload)).into_response())
}

/// Writes a body to its place, and never more than the whole file was to have.
async fn pour(
    request: Request,
    size: u64,
    appending: &mut Appending,
    mut checksum: Option<&mut Checksum>,
) -> Result<(), Problem> {
    let mut body = request.into_body().into_data_stream();
    loop {
        let piece = tokio::select! {
            biased;
            () = appending.given_way() => return Err(Error::Unfinished(busy()).into()),
            piece = body.next() => piece,
        };
        let Some(piece) = piece else { return Ok(()) };
        let piece = piece.map_err(|error| unread(&error, usize::MAX))?;
        if appending.offset() + piece.len() as u64 > size {
            return Err(Problem::too_large(size));
        }
        if let Some(checksum) = checksum.as_deref_mut() {
            checksum.add(&piece);
        }
        appending.write(piece).await.map_err(disk)?;
    }
}

/// Gives an upload up. What became of one that was whole stays.
#[utoipa::path(delete, path = "/uploads/{id}", tag = "media", params(("id" = UploadId, Path),
        ("Tus-Resumable" = Option<String>, Header, description = "1.0.0; else 412")),
    responses((status = 204, description = "Forgotten"),
        (status = 412, description = "Another version of the protocol", body = Body9457, content_type = PROBLEM_JSON)))]
async fn delete_upload(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<UploadId>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    must_speak(&headers)?;
    uploads::remove(&api.services, &door.caller(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the protocol wants said of an upload.
fn told(upload: &UploadView) -> HeaderMap {
    use jiff::fmt::rfc2822::DateTimePrinter;
    let mut headers = HeaderMap::new();
    headers.insert(OFFSET, HeaderValue::from(upload.offset_bytes));
    headers.insert(LENGTH, HeaderValue::from(upload.size_bytes));
    let until = DateTimePrinter::new().timestamp_to_rfc9110_string(&upload.expires_at);
    let media = upload.media_id.as_ref().map(|id| HeaderValue::from_str(id.as_str()));
    let until = until.ok().map(|it| HeaderValue::from_str(&it));
    for (name, value) in [("upload-expires", until), ("chancery-media-id", media)] {
        if let Some(Ok(value)) = value {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}

fn number(headers: &HeaderMap, name: &'static str) -> Result<u64, Problem> {
    let text = headers.get(name).and_then(|it| it.to_str().ok());
    text.filter(|it| it.bytes().all(|it| it.is_ascii_digit()))
        .and_then(|it| it.parse().ok())
        .ok_or_else(|| bad(name))
}

fn bad(name: &'static str) -> Problem {
    let detail = format!("the header {name} is missing or cannot be read");
    Problem::new(StatusCode::BAD_REQUEST, Told::new("bad_upload_header", detail).with("name", name))
}

fn busy() -> Told {
    Told::new("upload_busy", "a newer connection goes on with this upload")
}

fn disk(error: crate::media::Error) -> Problem {
    Error::internal(error).into()
}

/// What a piece is to hash to.
struct Checksum {
    hash: Hash,
    wanted: Vec<u8>,
}

enum Hash {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    fn wanted(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let name = "upload-checksum";
        let Some(value) = headers.get(name) else { return Ok(None) };
        let text = value.to_str().map_err(|_not_ascii| bad(name))?;
        let (algorithm, wanted) = text.split_once(' ').ok_or_else(|| bad(name))?;
        let wanted = STANDARD.decode(wanted).map_err(|_not_base64| bad(name))?;
        let hash = match algorithm {
            "sha1" => Hash::Sha1(Sha1::new()),
            "sha256" => Hash::Sha256(Sha256::new()),
            _ => return Err(bad(name)),
        };
        Ok(Some(Self { hash, wanted }))
    }

    fn add(&mut self, piece: &[u8]) {
        match &mut self.hash {
            Hash::Sha1(hash) => hash.update(piece),
            Hash::Sha256(hash) => hash.update(piece),
        }
    }

    fn holds(self) -> bool {
        match self.hash {
            Hash::Sha1(hash) => hash.finalize().as_slice() == self.wanted,
            Hash::Sha256(hash) => hash.finalize().as_slice() == self.wanted,
        }
    }
}
