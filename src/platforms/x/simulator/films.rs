//! Videos and animations of X: uploads in segments and the work on them (chunked media upload and media
//! upload status, read 2026-09-11).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Context;
use super::problems::{self, Answer, Refusal};
use crate::clock::{after, until};
use crate::simulator::{Content, Media, PhotoRecord, Reply, Segmented, XSettings};

const INITIALIZE_KEYS: &[&str] =
    &["additional_owners", "media_category", "media_type", "shared", "total_bytes"];
const CATEGORIES: &[&str] = &["amplify_video", "dm_gif", "dm_video", "tweet_gif", "tweet_video"];
const TYPES: &[&str] = &["image/gif", "video/mp2t", "video/mp4", "video/quicktime", "video/webm"];
/// The largest file of all.
const LARGEST: u64 = 17_179_869_184;
const LARGEST_GIF: u64 = 15_000_000;
/// The last segment that there may be.
const LAST_SEGMENT: u64 = 999;

fn wrong(context: &Context<'_>, message: &str, name: &str) -> Refusal {
    problems::invalid(&context.settings.x, message, name, "")
}

/// `POST /2/media/upload/initialize`.
pub(super) fn initialize(context: &Context<'_>) -> Answer {
    let Content::Json(Value::Object(body)) = &context.call.content else {
        return Err(wrong(context, "The body must be a JSON object.", "body"));
    };
    if let Some(key) = body.keys().find(|key| !INITIALIZE_KEYS.contains(&key.as_str())) {
        return Err(wrong(context, "is not defined in the schema", key));
    }
    let text = |name: &str, values: &[&str]| {
        let value = body.get(name).and_then(Value::as_str).filter(|it| values.contains(it));
        value.map(str::to_owned).ok_or_else(|| wrong(context, "is not one of its values", name))
    };
    let media_type = text("media_type", TYPES)?;
    let category = text("media_category", CATEGORIES)?;
    if category.ends_with("gif") != (media_type == "image/gif") {
        return Err(wrong(context, "does not go with media_type", "media_category"));
    }
    let largest = if category.ends_with("gif") { LARGEST_GIF } else { LARGEST };
    let total = body.get("total_bytes").and_then(Value::as_u64);
    let Some(total) = total.filter(|total| (1..=largest).contains(total)) else {
        return Err(wrong(
            context,
            "must be the size of the file, which is limited",
            "total_bytes",
        ));
    };
    let world = context.world;
    let id = world.next_snowflake().to_string();
    let film = Segmented {
        media_type,
        category,
        total,
        begun_at: world.now(),
        segments: std::collections::BTreeMap::new(),
        whole_at: None,
        is_sound: false,
    };
    let body = json!({ "data": {
        "id": id,
        "media_key": key_of(&film, &id),
        "expires_after_secs": context.settings.x.media_life_s,
    } });
    context.account.lock().segmented.insert(id, film);
    Ok(Reply::json(200, &body))
}

fn key_of(film: &Segmented, id: &str) -> String {
    format!("{}_{id}", if film.category.ends_with("gif") { 16 } else { 7 })
}

/// `POST /2/media/upload/{id}/append`.
pub(super) fn append(context: &Context<'_>, id: &str) -> Answer {
    let (number, bytes) = read_segment(context)?;
    let settings = &context.settings.x;
    if bytes.len() > settings.segment_max_bytes {
        return Err(Refusal::new(problems::plain(
            413,
            "Request Entity Too Large",
            "The segment is too large.",
        )));
    }
    let now = context.world.now();
    let mut state = context.account.lock();
    let film = state.segmented.get_mut(id).filter(|film| is_alive(film, settings, now));
    let Some(film) = film.filter(|film| film.whole_at.is_none()) else {
        return Err(wrong(context, "There is no such upload.", "id"));
    };
    film.segments.insert(number, bytes);
    let expires = after(film.begun_at, Duration::from_secs(settings.media_life_s));
    Ok(Reply::json(200, &json!({ "data": { "expires_at": expires.as_second() } })))
}

fn read_segment(context: &Context<'_>) -> Result<(u64, Bytes), Refusal> {
    let (number, bytes) = match &context.call.content {
        Content::Multipart(parts) => {
            let part = |name: &str| parts.iter().find(|part| part.name == name);
            let number = part("segment_index")
                .and_then(|part| String::from_utf8_lossy(&part.bytes).trim().parse::<u64>().ok());
            (number, part("media").map(|part| part.bytes.clone()))
        }
        Content::Json(Value::Object(body)) => {
            let bytes = body.get("media").and_then(Value::as_str);
            let bytes = bytes.and_then(|media| STANDARD.decode(media).ok()).map(Bytes::from);
            (body.get("segment_index").and_then(Value::as_u64), bytes)
        }
        Content::Json(_)
        | Content::BrokenJson
        | Content::Form(_)
        | Content::File(_)
        | Content::Other => (None, None),
    };
    let number = number.filter(|number| *number <= LAST_SEGMENT);
    let number = number.ok_or_else(|| wrong(context, "must be 0 to 999", "segment_index"))?;
    let bytes = bytes.filter(|bytes| !bytes.is_empty());
    Ok((number, bytes.ok_or_else(|| wrong(context, "media is required", "media"))?))
}

/// `POST /2/media/upload/{id}/finalize`.
pub(super) fn finalize(context: &Context<'_>, id: &str) -> Answer {
    let settings = &context.settings.x;
    let now = context.world.now();
    let mut state = context.account.lock();
    let film = state.segmented.get_mut(id).filter(|film| is_alive(film, settings, now));
    let Some(film) = film.filter(|it| it.whole_at.is_none() || settings.finalize_again) else {
        return Err(wrong(context, "There is no such upload.", "id"));
    };
    if film.whole_at.is_some() {
        return Ok(Reply::json(200, &json!({ "data": told(film, id, settings, now) })));
    }
    let whole = joined(film);
    if whole.len() as u64 != film.total {
        let message = "Segments do not add up to provided total file size.";
        return Err(wrong(context, message, "id"));
    }
    let kind = infer::get(&whole).map_or("", |kind| kind.mime_type());
    let is_film = kind.starts_with("video/");
    film.is_sound = if film.category.ends_with("gif") { kind == "image/gif" } else { is_film };
    film.whole_at = Some(now);
    let body = json!({ "data": told(film, id, settings, now) });
    let photo = PhotoRecord {
        id: id.to_owned(),
        alt_text: None,
        sha256: hex::encode(Sha256::digest(&whole)),
        size: whole.len(),
        media_type: film.media_type.clone(),
    };
    let uploaded_at = film.begun_at;
    film.segments.clear();
    let bytes = if context.settings.keep_media { whole } else { Bytes::new() };
    let media = Media { photo, uploaded_at, used: false, bytes };
    state.media.insert(id.to_owned(), media);
    Ok(Reply::json(200, &body))
}

/// The segments from 0 on, up to the first that is missing.
fn joined(film: &Segmented) -> Bytes {
    let mut whole = BytesMut::new();
    for ((number, bytes), expected) in film.segments.iter().zip(0_u64..) {
        if *number != expected {
            break;
        }
        whole.extend_from_slice(bytes);
    }
    whole.freeze()
}

/// `GET /2/media/upload?command=STATUS`.
pub(super) fn status(context: &Context<'_>) -> Answer {
    let settings = &context.settings.x;
    if context.call.query("command") != Some("STATUS") {
        return Err(wrong(context, "must be STATUS", "command"));
    }
    let id = context.call.query("media_id").unwrap_or_default();
    let now = context.world.now();
    let state = context.account.lock();
    let Some(film) = state.segmented.get(id).filter(|film| is_alive(film, settings, now)) else {
        let error = problems::not_found(settings, "media", "media_id", id);
        return Err(Refusal::new(Reply::json(404, &error)));
    };
    Ok(Reply::json(200, &json!({ "data": told(film, id, settings, now) })))
}

fn is_alive(film: &Segmented, settings: &XSettings, now: Timestamp) -> bool {
    until(film.begun_at, now) < Duration::from_secs(settings.media_life_s)
}

/// How long it has been worked on.
fn worked_s(film: &Segmented, now: Timestamp) -> Option<u64> {
    film.whole_at.map(|at| until(at, now).as_secs())
}

/// Whether it may stand in a post.
pub(super) fn is_ready(film: &Segmented, settings: &XSettings, now: Timestamp) -> bool {
    let done = worked_s(film, now).is_some_and(|worked| worked >= settings.processing_s);
    done && film.is_sound && !settings.processing_fails
}

fn told(film: &Segmented, id: &str, settings: &XSettings, now: Timestamp) -> Value {
    let life = Duration::from_secs(settings.media_life_s);
    let left = until(now, after(film.begun_at, life)).as_secs();
    let mut data = Map::new();
    data.insert("id".to_owned(), id.into());
    data.insert("media_key".to_owned(), key_of(film, id).into());
    data.insert("expires_after_secs".to_owned(), left.into());
    if let Some(worked) = worked_s(film, now) {
        data.insert("size".to_owned(), film.total.into());
        data.insert("processing_info".to_owned(), work(film, worked, settings));
    }
    Value::Object(data)
}

fn work(film: &Segmented, worked: u64, settings: &XSettings) -> Value {
    let needed = settings.processing_s;
    if worked >= needed {
        return if film.is_sound && !settings.processing_fails {
            json!({ "state": "succeeded", "progress_percent": 100 })
        } else {
            let message = "Unsupported video format";
            json!({ "state": "failed", "progress_percent": 0,
                "error": { "code": 1, "name": "InvalidMedia", "message": message } })
        };
    }
    let state = if worked == 0 { "pending" } else { "in_progress" };
    json!({
        "state": state,
        "check_after_secs": (needed - worked).min(settings.check_after_s),
        "progress_percent": worked * 100 / needed,
    })
}
