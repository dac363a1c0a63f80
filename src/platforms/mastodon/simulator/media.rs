//! Pictures: an upload that is processed for a while, and asking whether it is done.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Context, error};
use crate::clock;
use crate::simulator::{Content, Media, PhotoRecord, Reply};

const TYPES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];
const LONGEST_DESCRIPTION: usize = 1_500;

/// `POST /api/v2/media`: 202 without an address while it is processed, 200 with one otherwise.
pub(super) fn upload(context: &Context<'_>) -> Reply {
    let settings = &context.settings.mastodon;
    let Content::Multipart(parts) = &context.call.content else {
        return error(422, "Validation failed: File can't be blank");
    };
    let part = |name: &str| parts.iter().find(|part| part.name == name);
    let Some(file) = part("file").filter(|part| part.is_file) else {
        return error(422, "Validation failed: File can't be blank");
    };
    let description = part("description").map(|it| String::from_utf8_lossy(&it.bytes).into_owned());
    if description.as_ref().is_some_and(|it| it.chars().count() > LONGEST_DESCRIPTION) {
        return error(422, "Validation failed: Description is too long");
    }
    if file.bytes.len() > settings.image_max_bytes {
        return error(422, "Validation failed: File file size must be less than 16 MB");
    }
    let kind = infer::get(&file.bytes).map(|kind| kind.mime_type());
    let Some(kind) = kind.filter(|kind| TYPES.contains(kind)) else {
        return error(422, "Validation failed: File content type is invalid");
    };
    let world = context.world;
    let id = world.next_status_at(world.now()).to_string();
    let photo = PhotoRecord {
        id: id.clone(),
        alt_text: description,
        sha256: hex::encode(Sha256::digest(&file.bytes)),
        size: file.bytes.len(),
        media_type: kind.to_owned(),
    };
    let bytes = if context.settings.keep_media { file.bytes.clone() } else { Bytes::new() };
    let media = Media { photo, uploaded_at: world.now(), used: false, bytes };
    let ready = is_ready(context, &media);
    let body = attachment(context, &media.photo, ready);
    context.account.lock().media.insert(id, media);
    Reply::json(if ready { 200 } else { 202 }, &body)
}

/// `GET /api/v1/media/{id}`: 206 while it is processed.
pub(super) fn show(context: &Context<'_>, id: &str) -> Reply {
    let state = context.account.lock();
    let Some(media) = state.media.get(id).filter(|media| !media.used) else {
        return error(404, "Record not found");
    };
    let ready = is_ready(context, media);
    Reply::json(if ready { 200 } else { 206 }, &attachment(context, &media.photo, ready))
}

pub(super) fn is_ready(context: &Context<'_>, media: &Media) -> bool {
    let span = Duration::from_millis(context.settings.mastodon.processing_ms);
    clock::after(media.uploaded_at, span) <= context.world.now()
}

pub(super) fn attachment(context: &Context<'_>, photo: &PhotoRecord, ready: bool) -> Value {
    let base = context.world.base(crate::simulator::Platform::Mastodon);
    let url = format!("{base}/media/{}/{}", context.account.profile.id, photo.id);
    json!({
        "id": photo.id,
        "type": "image",
        "url": if ready { Some(&url) } else { None },
        "preview_url": url,
        "remote_url": null,
        "description": photo.alt_text,
    })
}
