//! Pictures of a Page: upload, staged or at once (Graph API reference, Page photos edge, read
//! 2026-09-11).

use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::errors::GraphError;
use super::{Context, feed, fields};
use crate::simulator::{Media, PhotoRecord, PostRecord, Reply};

/// The types that the edge takes, as `infer` names them.
const TYPES: &[&str] = &[
    "image/jpeg",
    "image/png",
    "image/bmp",
    "image/gif",
    "image/tiff",
    "image/heif",
    "image/webp",
];

/// `POST /{page}/photos`.
pub(super) fn upload(context: &Context<'_>) -> Result<Reply, GraphError> {
    let params = &context.params;
    let photo = read_photo(context)?;
    let is_published = params.flag("published").unwrap_or(true);
    let world = context.world;
    let now = world.now();
    let (id, bytes) = photo;
    let kept = if context.settings.keep_media { bytes.clone() } else { Bytes::new() };
    let record = PhotoRecord {
        id: id.clone(),
        alt_text: params.text("alt_text_custom").filter(|text| !text.is_empty()),
        sha256: if bytes.is_empty() { String::new() } else { hex::encode(Sha256::digest(&bytes)) },
        size: bytes.len(),
        media_type: infer::get(&bytes).map_or("", |kind| kind.mime_type()).to_owned(),
    };
    let media = Media { photo: record.clone(), uploaded_at: now, used: is_published, bytes: kept };
    let mut state = context.account.lock();
    state.media.insert(id.clone(), media);
    let mut body = Map::new();
    body.insert("id".to_owned(), Value::from(id.as_str()));
    if !is_published {
        return Ok(Reply::json(200, &Value::Object(body)));
    }
    let caption = ["caption", "message", "name"].iter().find_map(|name| params.text(name));
    let post = PostRecord {
        id: format!("{}_{}", context.account.profile.id, world.next_graph_number()),
        text: caption.unwrap_or_default(),
        link: None,
        photos: vec![record],
        poll: None,
        reply_to: None,
        audience: None,
        created_at: now,
        visible_at: now,
        application: Some(feed::own_application(context)),
        is_published: true,
        publish_at: None,
        versions: Vec::new(),
    };
    let post_id = post.id.clone();
    world.store(&context.account, &mut state, post, context.effects);
    body.insert("post_id".to_owned(), Value::from(post_id.as_str()));
    Ok(Reply::json(200, &Value::Object(body)).creating(post_id))
}

/// The new id and the bytes; no bytes when Facebook was to fetch an address, which a simulator
/// without a network does not do.
fn read_photo(context: &Context<'_>) -> Result<(String, Bytes), GraphError> {
    let id = context.world.next_graph_number().to_string();
    let Some(bytes) = context.params.file("source") else {
        let url = context.params.text("url").and_then(|url| url::Url::parse(&url).ok());
        return match url.filter(|url| matches!(url.scheme(), "http" | "https")) {
            Some(_) => Ok((id, Bytes::new())),
            None => Err(GraphError::known(324, None)),
        };
    };
    let known = infer::get(bytes).is_some_and(|kind| TYPES.contains(&kind.mime_type()));
    if !known {
        return Err(GraphError::known(324, None));
    }
    if bytes.len() > context.settings.facebook.photo_max_bytes {
        return Err(GraphError::content(1_366_046, "Photos should be smaller"));
    }
    Ok((id, bytes.clone()))
}

/// `GET /{photo}`.
pub(super) fn read(context: &Context<'_>, id: &str) -> Result<Reply, GraphError> {
    let wanted = fields::parse(&context.params.text("fields").unwrap_or_default())?;
    let state = context.account.lock();
    let media = state.media.get(id).ok_or_else(|| GraphError::missing(id))?;
    let mut node = Map::new();
    for field in &wanted {
        let value = match field.name.as_str() {
            "id" => Some(Value::from(id)),
            "alt_text" | "alt_text_custom" => media.photo.alt_text.as_deref().map(Value::from),
            "created_time" => Some(fields::graph_time(media.uploaded_at).into()),
            "link" | "images" | "name" | "album" | "height" | "width" => None,
            unknown => return Err(fields::nonexisting(unknown, "Photo")),
        };
        if let Some(value) = value {
            node.insert(field.name.clone(), value);
        }
    }
    node.insert("id".to_owned(), Value::from(id));
    Ok(Reply::json(200, &Value::Object(node)))
}

/// `DELETE /{photo}`.
pub(super) fn delete(context: &Context<'_>, id: &str) -> Result<Reply, GraphError> {
    match context.account.lock().media.remove(id) {
        Some(_) => Ok(Reply::json(200, &json!({ "success": true }))),
        None => Err(GraphError::missing(id)),
    }
}
