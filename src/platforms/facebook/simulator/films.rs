//! Films of a Page: videos by an upload session, reels by their three phases, and what becomes of them
//! (Graph API reference, Page videos, Page video reels, resumable upload, read 2026-09-11; errors as others
//! have recorded them, read 2026-09-22).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::errors::GraphError;
use super::{Context, feed, fields, read};
use crate::clock;
use crate::simulator::{
    AccountState, Call, Content, Film, FinishedFilm, PhotoRecord, Platform, PostRecord, Reply,
};

/// The first part of the paths to which the bytes of reels are sent.
pub(super) const UPLOADS: &str = "video-upload";

/// `POST /{page}/videos` in its phases.
pub(super) fn video(context: &Context<'_>) -> Result<Reply, GraphError> {
    let params = &context.params;
    match params.text("upload_phase").as_deref() {
        Some("start") => {
            let size = params.text("file_size").and_then(|size| size.parse::<u64>().ok());
            let size = size.filter(|size| *size > 0);
            let size =
                size.ok_or_else(|| GraphError::parameter("file_size must be a positive number"))?;
            let session = context.world.next_graph_number().to_string();
            let film = begin(context, Some(session.clone()), Some(size));
            let mut body = offsets(context, 0, size);
            body.insert("video_id".to_owned(), film.into());
            body.insert("upload_session_id".to_owned(), session.into());
            Ok(Reply::json(200, &Value::Object(body)))
        }
        Some("transfer") => transfer(context),
        Some("finish") => {
            let id = of_session(context)?;
            finish(context, &id, params.flag("published").unwrap_or(true), false)
        }
        Some(_) | None => Err(GraphError::parameter("upload_phase is not one of its values")),
    }
}

/// `POST /{page}/video_reels` in its phases.
pub(super) fn reel(context: &Context<'_>) -> Result<Reply, GraphError> {
    let params = &context.params;
    match params.text("upload_phase").as_deref() {
        Some("start") => {
            let film = begin(context, None, None);
            let base = context.world.base(Platform::Facebook);
            let place = format!("{base}/{UPLOADS}/v25.0/{film}");
            Ok(Reply::json(200, &json!({ "video_id": film, "upload_url": place })))
        }
        Some("finish") => {
            let id = params.text("video_id").unwrap_or_default();
            let is_reel = |film: &Film| film.session.is_none();
            if !context.account.lock().films.get(&id).is_some_and(is_reel) {
                return Err(GraphError::missing(&id));
            }
            let public = match params.text("video_state").as_deref() {
                Some("PUBLISHED") => true,
                Some("DRAFT") => false,
                Some(_) | None => return Err(GraphError::parameter("video_state is not served")),
            };
            finish(context, &id, public, true)
        }
        Some(_) | None => Err(GraphError::parameter("upload_phase is not one of its values")),
    }
}

fn begin(context: &Context<'_>, session: Option<String>, size: Option<u64>) -> String {
    let id = context.world.next_graph_number().to_string();
    let film = Film {
        id: id.clone(),
        session,
        size,
        bytes: Vec::new(),
        begun_at: context.world.now(),
        finished: None,
    };
    context.account.lock().films.insert(id.clone(), film);
    id
}

/// Offsets come as texts.
fn offsets(context: &Context<'_>, from: u64, size: u64) -> Map<String, Value> {
    let until = size.min(from + context.settings.facebook.film_part_bytes.max(1));
    [("start_offset", from), ("end_offset", until)]
        .into_iter()
        .map(|(name, at)| (name.to_owned(), Value::from(at.to_string())))
        .collect()
}

fn of_session(context: &Context<'_>) -> Result<String, GraphError> {
    let session = context.params.text("upload_session_id").unwrap_or_default();
    let state = context.account.lock();
    let mut films = state.films.values();
    let film = films.find(|film| film.session.as_deref() == Some(session.as_str()));
    let film = film.ok_or_else(|| GraphError::parameter("upload_session_id is not known"))?;
    Ok(film.id.clone())
}

fn ended(context: &Context<'_>, film: &Film) -> bool {
    let life = Duration::from_secs(context.settings.facebook.film_session_life_s);
    film.finished.is_none() && clock::until(film.begun_at, context.world.now()) >= life
}

fn expired() -> GraphError {
    GraphError::known(6_000, Some(1_363_041)).saying("The upload session has expired")
}

fn incomplete() -> GraphError {
    GraphError::known(6_000, Some(1_363_045))
        .saying("The size of the file is not the one that was declared")
}

fn transfer(context: &Context<'_>) -> Result<Reply, GraphError> {
    let id = of_session(context)?;
    let part = context.params.file("video_file_chunk");
    let part = part.ok_or_else(|| GraphError::parameter("video_file_chunk is required"))?;
    let from = context.params.text("start_offset").and_then(|at| at.parse::<u64>().ok());
    let mut state = context.account.lock();
    let film = state.films.get_mut(&id).ok_or_else(|| GraphError::missing(&id))?;
    if ended(context, film) {
        return Err(expired());
    }
    let (has, size) = (film.bytes.len() as u64, film.size.unwrap_or_default());
    if from != Some(has) {
        return Err(GraphError::known(6_001, Some(1_363_037))
            .saying("There was a problem uploading your video file. Please try again.")
            .with_data(Value::Object(offsets(context, has, size))));
    }
    if has + part.len() as u64 > size {
        return Err(incomplete());
    }
    film.bytes.extend_from_slice(part);
    Ok(Reply::json(200, &Value::Object(offsets(context, film.bytes.len() as u64, size))))
}

/// `POST {upload_url}`: the bytes of a reel. Its errors have a form of their own (recorded 2026-09-18).
pub(super) fn receive(context: &Context<'_>, call: &Call, id: &str) -> Result<Reply, GraphError> {
    let number = |name: &str| call.header(name).and_then(|text| text.parse::<u64>().ok());
    let refuse = |kind: &str, why: &str| {
        let body = json!({ "debug_info": { "retriable": false, "type": kind, "message": why } });
        Ok(Reply::json(400, &body))
    };
    let (Some(offset), Some(size)) = (number("offset"), number("file_size")) else {
        let why = "HeaderValuePredicate: Header Offset not convertable to unsigned long";
        return refuse("ParameterValidationError", why);
    };
    let Content::File(bytes) = &call.content else {
        return refuse("ParameterValidationError", "no bytes");
    };
    let mut state = context.account.lock();
    let film = state.films.get_mut(id).ok_or_else(|| GraphError::missing(id))?;
    if film.session.is_some() || ended(context, film) {
        return refuse("UploadExpiredError", "the upload does not exist");
    }
    let has = film.bytes.len() as u64;
    if offset > has || film.size.is_some_and(|known| known != size) {
        return refuse("OffsetInvalidError", "the offset is not where the upload stands");
    }
    film.size = Some(size);
    film.bytes.truncate(usize::try_from(offset).unwrap_or(usize::MAX));
    film.bytes.extend_from_slice(bytes);
    if film.is_whole() {
        Ok(Reply::json(200, &json!({ "success": true })))
    } else {
        refuse("PartialRequestError", "the file is longer than what has come")
    }
}

/// Finishing again what is finished changes nothing.
fn finish(
    context: &Context<'_>,
    id: &str,
    public: bool,
    is_reel: bool,
) -> Result<Reply, GraphError> {
    let (world, settings) = (context.world, &context.settings.facebook);
    let now = world.now();
    let description = context.params.text("description").unwrap_or_default();
    let description = feed::tidy(context, &description);
    let audience = feed::read_audience(context)?;
    let done = json!({ "success": true });
    let mut state = context.account.lock();
    let film = state.films.get_mut(id).ok_or_else(|| GraphError::missing(id))?;
    if film.finished.is_some() {
        return Ok(Reply::json(200, &done));
    }
    if ended(context, film) {
        return Err(expired());
    }
    if !film.is_whole() {
        return Err(incomplete());
    }
    let ready_at = clock::after(now, Duration::from_millis(settings.film_processing_ms));
    let failure = settings.film_failure.clone();
    let number = || format!("{}_{}", context.account.profile.id, world.next_graph_number());
    let post =
        (public && failure.is_none()).then(|| if is_reel { id.to_owned() } else { number() });
    film.finished = Some(FinishedFilm {
        description: description.clone(),
        ready_at,
        post: post.clone(),
        failure,
    });
    let shown = PhotoRecord {
        id: id.to_owned(),
        alt_text: None,
        sha256: hex::encode(Sha256::digest(&film.bytes)),
        size: film.bytes.len(),
        media_type: "video/mp4".to_owned(),
    };
    let Some(post) = post else { return Ok(Reply::json(200, &done)) };
    let record = PostRecord {
        id: post.clone(),
        text: description,
        link: None,
        photos: vec![shown],
        reply_to: None,
        audience,
        poll: None,
        created_at: now,
        visible_at: now,
        application: Some(feed::own_application(context)),
        is_published: false,
        publish_at: Some(ready_at),
        versions: Vec::new(),
    };
    world.store(&context.account, &mut state, record, context.effects);
    Ok(Reply::json(200, &done).creating(post))
}

/// `GET /{film}`.
pub(super) fn read(context: &Context<'_>, id: &str) -> Result<Reply, GraphError> {
    let asked = context.params.text("fields").unwrap_or_else(|| "description".to_owned());
    let wanted = fields::parse(&asked)?;
    context.account.count_read();
    let state = context.account.lock();
    let film = state.films.get(id).ok_or_else(|| GraphError::missing(id))?;
    let hidden = Duration::from_millis(context.settings.facebook.film_hidden_ms);
    if clock::until(film.begun_at, context.world.now()) < hidden {
        return Err(GraphError::missing(id));
    }
    Ok(Reply::json(200, &Value::Object(node(context, &state, film, &wanted)?)))
}

/// `GET /{page}/videos` and `GET /{page}/video_reels`: what was finished, newest first.
pub(super) fn list(context: &Context<'_>, edge: &str) -> Result<Reply, GraphError> {
    let asked = context.params.text("fields").unwrap_or_else(|| "description".to_owned());
    let wanted = fields::parse(&asked)?;
    let range = read::Range::read(&context.params)?;
    context.account.count_read();
    let state = context.account.lock();
    let mut films: Vec<&Film> = state
        .films
        .values()
        .filter(|film| (edge == "video_reels") == film.session.is_none())
        .filter(|film| film.finished.is_some() && exists(&state, film, context.world.now()))
        .collect();
    films.sort_by(|a, b| (b.begun_at, &b.id).cmp(&(a.begun_at, &a.id)));
    if let Some(after) = &range.after {
        let passed = films.iter().position(|film| film.id == *after).map_or(0, |at| at + 1);
        films.drain(..passed);
    }
    let continues = films.len() > range.limit;
    films.truncate(range.limit);
    let data = films.iter().map(|film| node(context, &state, film, &wanted).map(Value::Object));
    let data: Vec<Value> = data.collect::<Result<_, _>>()?;
    let mut body = Map::new();
    body.insert("data".to_owned(), data.into());
    if let (Some(first), Some(last)) = (films.first(), films.last()) {
        let paging = read::paging(context, &first.id, &last.id, continues);
        body.insert("paging".to_owned(), paging);
    }
    Ok(Reply::json(200, &Value::Object(body)))
}

/// Its post may have been deleted.
fn exists(state: &AccountState, film: &Film, now: Timestamp) -> bool {
    let post = film.finished.as_ref().and_then(|it| it.post.as_ref());
    post.is_none_or(|post| state.post(post, now).is_some())
}

fn node(
    context: &Context<'_>,
    state: &AccountState,
    film: &Film,
    wanted: &[fields::Field],
) -> Result<Map<String, Value>, GraphError> {
    let now = context.world.now();
    if !exists(state, film, now) {
        return Err(GraphError::missing(&film.id));
    }
    let ready = film.finished.as_ref().filter(|it| it.ready_at <= now);
    let post = ready.and_then(|it| it.post.clone());
    let profile = &context.account.profile;
    let mut node = Map::new();
    for field in wanted {
        let value = match field.name.as_str() {
            "status" => Some(status(context, film, now)),
            "published" => Some(post.is_some().into()),
            // Known when the work is done; a reel is no post of the list.
            "post_id" => post.clone().filter(|post| post.contains('_')).map(Value::from),
            "permalink_url" => Some(format!("/reel/{}/", film.id).into()),
            "description" => film.finished.as_ref().map(|it| it.description.as_str().into()),
            "created_time" | "updated_time" => Some(fields::graph_time(film.begun_at).into()),
            "from" => Some(json!({ "id": profile.id, "name": profile.name })),
            "id" | "title" | "length" | "picture" | "source" | "embeddable" => None,
            unknown => return Err(fields::nonexisting(unknown, "Video")),
        };
        if let Some(value) = value {
            node.insert(field.name.clone(), value);
        }
    }
    node.insert("id".to_owned(), film.id.as_str().into());
    Ok(node)
}

fn status(context: &Context<'_>, film: &Film, now: Timestamp) -> Value {
    let uploading = json!({
        "status": if film.is_whole() { "complete" } else { "in_progress" },
        "bytes_transferred": film.bytes.len(),
    });
    let phases = |whole: &str, processing: Value, publishing: Value| {
        json!({
            "video_status": whole, "uploading_phase": uploading,
            "processing_phase": processing, "publishing_phase": publishing,
        })
    };
    let (idle, done) = (json!({ "status": "not_started" }), json!({ "status": "complete" }));
    let Some(finished) = &film.finished else {
        let whole = match (ended(context, film), film.is_whole()) {
            (true, _) => "expired",
            (false, true) => "upload_complete",
            (false, false) => "uploading",
        };
        return phases(whole, idle.clone(), idle);
    };
    if now < finished.ready_at {
        return phases("processing", json!({ "status": "in_progress" }), idle);
    }
    if let Some(why) = &finished.failure {
        let errors = json!([{ "code": 1_363_026, "message": why }]);
        return phases("error", json!({ "status": "error", "errors": errors }), idle);
    }
    let publishing = if finished.post.is_some() {
        json!({
            "status": "complete", "publish_status": "published",
            "publish_time": fields::graph_time(finished.ready_at),
        })
    } else {
        json!({ "status": "not_started", "publish_status": "draft" })
    };
    phases("ready", done, publishing)
}

/// `DELETE /{film}`; its post goes with it.
pub(super) fn delete(context: &Context<'_>, id: &str) -> Result<Reply, GraphError> {
    let now = context.world.now();
    let mut state = context.account.lock();
    let film = state.films.get(id).filter(|film| exists(&state, film, now));
    let film = film.cloned().ok_or_else(|| GraphError::missing(id))?;
    if let Some(post) = film.finished.and_then(|it| it.post) {
        state.delete(&post, now);
    }
    state.films.remove(id);
    Ok(Reply::json(200, &json!({ "success": true })))
}
