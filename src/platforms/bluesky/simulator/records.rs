//! Records: posts under keys, and the files that they name.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use unicode_segmentation::UnicodeSegmentation as _;

use super::{Context, error, limited, repo, sessions, too_many};
use crate::simulator::{
    Account, Application, Content, Media, PhotoRecord, PostRecord, Reply, Window,
};

const POST: &str = "app.bsky.feed.post";

/// What a create takes of the points of an hour.
const POINTS: u64 = 3;

fn invalid(message: &str) -> Reply {
    error(400, "InvalidRequest", message)
}

/// `POST com.atproto.repo.uploadBlob`: the file is the body.
pub(super) fn upload(context: &Context<'_>) -> Reply {
    let account = match sessions::bearer(context.world, context.call) {
        Ok(account) => account,
        Err(refusal) => return *refusal,
    };
    let Content::File(bytes) = &context.call.content else {
        return invalid("Request encoding (Content-Type) required but not provided");
    };
    let said = context.call.header("content-type").unwrap_or_default().to_owned();
    let media_type = infer::get(bytes).map_or(said, |kind| kind.mime_type().to_owned());
    let hash = hex::encode(Sha256::digest(bytes));
    let cid = format!("bafkrei{}", hash.get(..52).unwrap_or_default());
    let photo = PhotoRecord {
        id: cid.clone(),
        alt_text: None,
        sha256: hash,
        size: bytes.len(),
        media_type: media_type.clone(),
    };
    let kept = if context.settings.keep_media { bytes.clone() } else { Bytes::new() };
    let media = Media { photo, uploaded_at: context.world.now(), used: false, bytes: kept };
    account.lock().media.insert(cid.clone(), media);
    Reply::json(200, &json!({ "blob": blob(&cid, &media_type, bytes.len()) }))
}

fn blob(cid: &str, media_type: &str, size: usize) -> Value {
    json!({ "$type": "blob", "ref": { "$link": cid }, "mimeType": media_type, "size": size })
}

/// `POST com.atproto.repo.createRecord`. A key that is taken makes the server fail: it says neither that
/// there is such a record nor what it is (source of the reference server, read 2026-11-22).
pub(super) fn create(context: &Context<'_>) -> Reply {
    let account = match sessions::bearer(context.world, context.call) {
        Ok(account) => account,
        Err(refusal) => return *refusal,
    };
    let (world, now) = (context.world, context.world.now());
    let allowance = context.settings.bluesky.write_points;
    let window = Window::count(&mut account.lock().windows, "writes", allowance, now);
    let used = window.used * POINTS;
    if context.settings.rate_limits && used > allowance.calls {
        return limited(too_many(), allowance.calls, 0, window.ends_at);
    }
    let draft = match read_draft(context, &account) {
        Ok(draft) => draft,
        Err(refusal) => return *refusal,
    };
    let key = draft.key.unwrap_or_else(|| world.next_key_at(now));
    let mut state = account.lock();
    if state.post(&key, now).is_some() {
        return error(500, "InternalServerError", "Internal Server Error");
    }
    let post = PostRecord {
        id: key.clone(),
        text: draft.text,
        link: draft.link,
        photos: draft.photos,
        poll: None,
        reply_to: None,
        audience: draft.language,
        created_at: now,
        visible_at: now,
        application: Some(Application { id: "1".to_owned(), name: "Chancery".to_owned() }),
        is_published: true,
        publish_at: None,
        versions: Vec::new(),
    };
    world.store(&account, &mut state, post, context.effects);
    drop(state);
    let body = json!({
        "uri": uri(&account, &key),
        "cid": cid(&key),
        "commit": { "cid": cid("commit"), "rev": world.next_key_at(now) },
        "validationStatus": "valid",
    });
    let reply = Reply::json(200, &body).creating(key);
    limited(reply, allowance.calls, allowance.calls.saturating_sub(used), window.ends_at)
}

/// What is to be posted, checked against its lexicon.
struct Draft {
    key: Option<String>,
    text: String,
    link: Option<String>,
    photos: Vec<PhotoRecord>,
    language: Option<String>,
}

fn read_draft(context: &Context<'_>, account: &Arc<Account>) -> Result<Draft, Box<Reply>> {
    let Content::Json(body) = &context.call.content else {
        return Err(Box::new(invalid("No input")));
    };
    let text_at = |place: &str| body.pointer(place).and_then(Value::as_str).map(str::to_owned);
    let own = text_at("/repo").and_then(|name| repo(context.world, &name));
    if own.is_none_or(|own| own.profile.id != account.profile.id) {
        return Err(Box::new(error(401, "AuthenticationRequired", "Authentication Required")));
    }
    if text_at("/collection").as_deref() != Some(POST)
        || text_at("/record/$type").as_deref() != Some(POST)
    {
        return Err(Box::new(invalid("Invalid $type")));
    }
    let key = text_at("/rkey");
    if key.as_deref().is_some_and(|key| !is_tid(key)) {
        return Err(Box::new(invalid("Invalid record key: not a TID")));
    }
    let text = text_at("/record/text").ok_or_else(|| Box::new(invalid("Record must have text")))?;
    if text.len() > 3_000 || text.graphemes(true).count() > 300 {
        let message =
            "Invalid app.bsky.feed.post record: Record/text must not be longer than 300 graphemes";
        return Err(Box::new(invalid(message)));
    }
    let at = text_at("/record/createdAt").and_then(|at| at.parse::<jiff::Timestamp>().ok());
    at.ok_or_else(|| Box::new(invalid("Record/createdAt must be a valid datetime")))?;
    check_facets(body.pointer("/record/facets"), &text)?;
    let langs = body.pointer("/record/langs").and_then(Value::as_array);
    if langs.is_some_and(|langs| langs.len() > 3) {
        return Err(Box::new(invalid("Record/langs must not have more than 3 elements")));
    }
    let language = langs.and_then(|langs| langs.first()?.as_str()).map(str::to_owned);
    let link = text_at("/record/embed/external/uri");
    if link.is_some()
        && (text_at("/record/embed/external/title").is_none()
            || text_at("/record/embed/external/description").is_none())
    {
        return Err(Box::new(invalid("Record/embed/external must have the property \"title\"")));
    }
    let photos = images(context, account, body)?;
    Ok(Draft { key, text, link, photos, language })
}

fn is_tid(key: &str) -> bool {
    let sign = |c: char| matches!(c, '2'..='7' | 'a'..='z');
    key.len() == 13
        && key.chars().all(sign)
        && key.starts_with(|c: char| matches!(c, '2'..='7' | 'a'..='j'))
}

/// A facet lies between signs of the text.
fn check_facets(facets: Option<&Value>, text: &str) -> Result<(), Box<Reply>> {
    let Some(facets) = facets.and_then(Value::as_array) else { return Ok(()) };
    for facet in facets {
        let place = |name: &str| {
            let number = facet.pointer(&format!("/index/{name}"))?.as_u64()?;
            usize::try_from(number).ok()
        };
        let (Some(start), Some(end)) = (place("byteStart"), place("byteEnd")) else {
            return Err(Box::new(invalid(
                "Record/facets/0/index must have the property \"byteStart\"",
            )));
        };
        if start >= end || text.get(start..end).is_none() {
            return Err(Box::new(invalid("Record/facets/0/index is outside of the text")));
        }
    }
    Ok(())
}

fn images(
    context: &Context<'_>,
    account: &Arc<Account>,
    body: &Value,
) -> Result<Vec<PhotoRecord>, Box<Reply>> {
    let list = body.pointer("/record/embed/images").and_then(Value::as_array);
    let Some(list) = list else { return Ok(Vec::new()) };
    if list.len() > 4 {
        return Err(Box::new(invalid("Record/embed/images must not have more than 4 elements")));
    }
    let state = account.lock();
    let mut photos = Vec::with_capacity(list.len());
    for image in list {
        let cid = image.pointer("/image/ref/$link").and_then(Value::as_str).unwrap_or_default();
        let alt = image.get("alt").and_then(Value::as_str);
        let alt = alt.ok_or_else(|| {
            Box::new(invalid("Record/embed/images/0 must have the property \"alt\""))
        })?;
        let media = state.media.get(cid).ok_or_else(|| {
            Box::new(error(400, "BlobNotFound", &format!("Could not find blob: {cid}")))
        })?;
        if media.photo.size > context.settings.bluesky.image_max_bytes {
            let message = "This file is too large. It must be at most 1MB";
            return Err(Box::new(error(400, "BlobTooLarge", message)));
        }
        let alt_text = (!alt.is_empty()).then(|| alt.to_owned());
        photos.push(PhotoRecord { alt_text, ..media.photo.clone() });
    }
    Ok(photos)
}

/// `POST com.atproto.repo.deleteRecord`: what is not there is deleted already, without a commit.
pub(super) fn delete(context: &Context<'_>) -> Reply {
    let account = match sessions::bearer(context.world, context.call) {
        Ok(account) => account,
        Err(refusal) => return *refusal,
    };
    let Content::Json(body) = &context.call.content else { return invalid("No input") };
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let own = repo(context.world, text("repo"));
    if own.is_none_or(|own| own.profile.id != account.profile.id) {
        return error(401, "AuthenticationRequired", "Authentication Required");
    }
    let now = context.world.now();
    if text("collection") == POST && account.lock().delete(text("rkey"), now) {
        let rev = context.world.next_key_at(now);
        return Reply::json(200, &json!({ "commit": { "cid": cid("commit"), "rev": rev } }));
    }
    Reply::json(200, &json!({}))
}

/// `GET com.atproto.repo.getRecord`.
pub(super) fn show(context: &Context<'_>) -> Reply {
    let (account, key) = match asked(context) {
        Ok(account) => (account, context.call.query("rkey").unwrap_or_default()),
        Err(refusal) => return *refusal,
    };
    let now = context.world.now();
    let state = account.lock();
    let post = state.post(key, now).filter(|post| post.hidden(now).is_none());
    if let Some(post) = post {
        return Reply::json(200, &entry(&account, &post.record));
    }
    let message = format!("Could not locate record: {}", uri(&account, key));
    error(400, "RecordNotFound", &message)
}

/// `GET com.atproto.repo.listRecords`: the greatest key first; a cursor is the last key of a page.
pub(super) fn list(context: &Context<'_>) -> Reply {
    let account = match asked(context) {
        Ok(account) => account,
        Err(refusal) => return *refusal,
    };
    account.count_read();
    let now = context.world.now();
    let limit = context.call.query("limit").map_or(Some(50), |limit| limit.parse::<usize>().ok());
    let Some(limit) = limit.filter(|limit| (1..=100).contains(limit)) else {
        return invalid("limit must be between 1 and 100");
    };
    let cursor = context.call.query("cursor");
    let state = account.lock();
    let mut posts: Vec<&PostRecord> = state
        .posts(now)
        .filter(|post| post.is_listed(now) && cursor.is_none_or(|cursor| post.id.as_str() < cursor))
        .collect();
    posts.sort_by(|a, b| b.id.cmp(&a.id));
    posts.truncate(limit);
    let mut body = Map::new();
    if let Some(last) = posts.last() {
        body.insert("cursor".to_owned(), last.id.as_str().into());
    }
    let records: Vec<Value> = posts.into_iter().map(|post| entry(&account, post)).collect();
    body.insert("records".to_owned(), records.into());
    Reply::json(200, &Value::Object(body))
}

fn asked(context: &Context<'_>) -> Result<Arc<Account>, Box<Reply>> {
    let name = context.call.query("repo").unwrap_or_default();
    if context.call.query("collection") != Some(POST) {
        return Err(Box::new(invalid("collection must be an nsid")));
    }
    let missing =
        || Box::new(error(400, "InvalidRequest", &format!("Could not find repo: {name}")));
    repo(context.world, name).ok_or_else(missing)
}

fn uri(account: &Account, key: &str) -> String {
    format!("at://{}/{POST}/{key}", account.profile.id)
}

fn cid(of: &str) -> String {
    let hash = hex::encode(Sha256::digest(of.as_bytes()));
    format!("bafyrei{}", hash.get(..52).unwrap_or_default())
}

fn entry(account: &Account, post: &PostRecord) -> Value {
    let mut value = Map::new();
    value.insert("$type".to_owned(), POST.into());
    value.insert("text".to_owned(), post.text.as_str().into());
    let at = post.created_at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    value.insert("createdAt".to_owned(), at.into());
    if !post.photos.is_empty() {
        let image = |photo: &PhotoRecord| {
            json!({
                "alt": photo.alt_text.clone().unwrap_or_default(),
                "image": blob(&photo.id, &photo.media_type, photo.size),
            })
        };
        let images: Vec<Value> = post.photos.iter().map(image).collect();
        let embed = json!({ "$type": "app.bsky.embed.images", "images": images });
        value.insert("embed".to_owned(), embed);
    } else if let Some(link) = &post.link {
        let external = json!({ "uri": link, "title": link, "description": "" });
        let embed = json!({ "$type": "app.bsky.embed.external", "external": external });
        value.insert("embed".to_owned(), embed);
    }
    json!({ "uri": uri(account, &post.id), "cid": cid(&post.id), "value": value })
}
