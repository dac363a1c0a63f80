//! Pictures of X: upload in one call, and their description (media upload, read 2026-09-11).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Context;
use super::problems::{self, Answer, Refusal};
use crate::simulator::{Content, Media, PhotoRecord, Reply};

const CATEGORIES: &[&str] = &["tweet_image", "dm_image", "subtitles"];
/// Those of one call; a GIF needs the upload in parts.
const TYPES: &[&str] = &["image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff"];
const KEYS: &[&str] = &["additional_owners", "media", "media_category", "media_type", "shared"];
const ALT_TEXT_LIMIT: usize = 1_000;

/// What an upload brings.
struct Upload {
    bytes: Bytes,
    category: String,
}

/// `POST /2/media/upload`.
pub(super) fn upload(context: &Context<'_>) -> Answer {
    let settings = &context.settings.x;
    let wrong = |message: &str, name: &str| problems::invalid(settings, message, name, "");
    let upload = read_upload(context)?;
    if !CATEGORIES.contains(&upload.category.as_str()) {
        return Err(wrong("media_category is not one of its values", "media_category"));
    }
    if upload.bytes.len() > settings.image_max_bytes {
        return Err(wrong("The picture is too large.", "media"));
    }
    let kind = infer::get(&upload.bytes).map(|kind| kind.mime_type());
    let Some(kind) = kind.filter(|kind| TYPES.contains(kind)) else {
        return Err(wrong("The media type is not recognised.", "media"));
    };
    let world = context.world;
    let id = world.next_snowflake().to_string();
    let photo = PhotoRecord {
        id: id.clone(),
        alt_text: None,
        sha256: hex::encode(Sha256::digest(&upload.bytes)),
        size: upload.bytes.len(),
        media_type: kind.to_owned(),
    };
    let body = json!({ "data": {
        "id": id,
        "media_key": format!("3_{id}"),
        "size": photo.size,
        "expires_after_secs": settings.media_life_s,
    } });
    let bytes = if context.settings.keep_media { upload.bytes } else { Bytes::new() };
    let media = Media { photo, uploaded_at: world.now(), used: false, bytes };
    context.account.lock().media.insert(id, media);
    Ok(Reply::json(200, &body))
}

fn read_upload(context: &Context<'_>) -> Result<Upload, Refusal> {
    let settings = &context.settings.x;
    let wrong = |message: &str, name: &str| problems::invalid(settings, message, name, "");
    let (bytes, category) = match &context.call.content {
        Content::Multipart(parts) => {
            if let Some(part) = parts.iter().find(|part| !KEYS.contains(&part.name.as_str())) {
                return Err(wrong("is not defined in the schema", &part.name));
            }
            let part = |name: &str| parts.iter().find(|part| part.name == name);
            let category = part("media_category")
                .map(|part| String::from_utf8_lossy(&part.bytes).into_owned());
            (part("media").map(|part| part.bytes.clone()), category)
        }
        Content::Json(Value::Object(body)) => {
            if let Some(key) = body.keys().find(|key| !KEYS.contains(&key.as_str())) {
                return Err(wrong("is not defined in the schema", key));
            }
            let text = |name: &str| body.get(name).and_then(Value::as_str);
            let bytes = text("media").and_then(|media| STANDARD.decode(media).ok());
            (bytes.map(Bytes::from), text("media_category").map(str::to_owned))
        }
        Content::Json(_)
        | Content::BrokenJson
        | Content::Form(_)
        | Content::File(_)
        | Content::Other => (None, None),
    };
    let bytes = bytes.ok_or_else(|| wrong("media is required", "media"))?;
    let category = category.ok_or_else(|| wrong("media_category is required", "media_category"))?;
    Ok(Upload { bytes, category })
}

/// `POST /2/media/metadata`: the description of a picture.
pub(super) fn describe(context: &Context<'_>) -> Answer {
    let settings = &context.settings.x;
    let wrong =
        |message: &str, name: &str, value: &str| problems::invalid(settings, message, name, value);
    let Content::Json(Value::Object(body)) = &context.call.content else {
        return Err(wrong("The body must be a JSON object.", "body", ""));
    };
    let Some(id) = body.get("id").and_then(Value::as_str) else {
        return Err(wrong("id is required", "id", ""));
    };
    let now = context.world.now();
    let mut state = context.account.lock();
    let media =
        state.media.get_mut(id).filter(|media| !media.is_expired(now, settings.media_life_s));
    let Some(media) = media else {
        return Err(wrong("Your media IDs are invalid.", "id", id));
    };
    let mut associated = Map::new();
    if let Some(alt) = body.get("metadata").and_then(|metadata| metadata.get("alt_text")) {
        let text = alt.get("text").and_then(Value::as_str).unwrap_or_default();
        if text.is_empty() || text.chars().count() > ALT_TEXT_LIMIT {
            return Err(wrong("must have 1 to 1000 characters", "metadata.alt_text.text", text));
        }
        media.photo.alt_text = Some(text.to_owned());
        associated.insert("alt_text".to_owned(), json!({ "text": text }));
    }
    Ok(Reply::json(200, &json!({ "data": { "id": id, "associated_metadata": associated } })))
}
