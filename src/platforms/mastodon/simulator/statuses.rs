//! Making, reading, editing and deleting statuses.

use std::time::Duration;

use serde_json::{Map, Value, json};
use unicode_segmentation::UnicodeSegmentation as _;

use super::media::{attachment, is_ready};
use super::{Context, account, error, html};
use crate::clock;
use crate::simulator::{
    Account, AccountState, Application, Content, PhotoRecord, Platform, PostRecord, Reply,
};

const VISIBILITIES: &[&str] = &["public", "unlisted", "private", "direct"];

/// What is to be posted, checked as far as its form goes.
struct Draft {
    text: String,
    media: Vec<String>,
    visibility: Option<String>,
    language: Option<String>,
    warning: String,
    sensitive: bool,
}

/// `POST /api/v1/statuses`.
pub(super) fn create(context: &Context<'_>) -> Reply {
    let now = context.world.now();
    let key = context.call.header("idempotency-key").map(str::to_owned);
    if let Some(first) = key.as_deref().and_then(|key| remembered(context, key)) {
        return Reply::json(200, &status(context, &first));
    }
    let draft = match read_draft(context) {
        Ok(draft) => draft,
        Err(refusal) => return *refusal,
    };
    let mut state = context.account.lock();
    let photos = match attached(context, &state, &draft.media) {
        Ok(photos) => photos,
        Err(refusal) => return *refusal,
    };
    for id in &draft.media {
        if let Some(media) = state.media.get_mut(id) {
            media.used = true;
        }
    }
    let words = [
        draft.visibility.clone(),
        draft.language.clone(),
        (!draft.warning.is_empty()).then(|| draft.warning.clone()),
        draft.sensitive.then(|| "sensitive".to_owned()),
    ];
    let audience = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let post = PostRecord {
        id: context.world.next_status_at(now).to_string(),
        text: draft.text,
        link: None,
        photos,
        poll: None,
        reply_to: None,
        audience: (!audience.is_empty()).then_some(audience),
        created_at: now,
        visible_at: now,
        application: Some(Application { id: "1".to_owned(), name: "Chancery".to_owned() }),
        is_published: true,
        publish_at: None,
        versions: Vec::new(),
    };
    if let Some(key) = key {
        state.keys.insert(key, (post.id.clone(), now));
    }
    context.world.store(&context.account, &mut state, post.clone(), context.effects);
    drop(state);
    Reply::json(200, &status(context, &post)).creating(post.id)
}

/// The status that an earlier call with this key has made, while it is remembered.
fn remembered(context: &Context<'_>, key: &str) -> Option<PostRecord> {
    let span = Duration::from_secs(context.settings.mastodon.idempotency_s?);
    let now = context.world.now();
    let state = context.account.lock();
    let (id, at) = state.keys.get(key)?;
    let fresh = clock::until(*at, now) < span;
    state.post(id, now).filter(|_| fresh).map(|post| post.record.clone())
}

fn read_draft(context: &Context<'_>) -> Result<Draft, Box<Reply>> {
    let refused = |words: &str| Box::new(error(422, &format!("Validation failed: {words}")));
    let Content::Json(Value::Object(body)) = &context.call.content else {
        return Err(refused("Text can't be blank"));
    };
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let media: Option<Vec<String>> = match body.get("media_ids") {
        None => Some(Vec::new()),
        Some(ids) => ids
            .as_array()
            .and_then(|ids| ids.iter().map(|id| id.as_str().map(str::to_owned)).collect()),
    };
    let draft = Draft {
        text: text("status").unwrap_or_default().trim().replace("\r\n", "\n"),
        media: media.ok_or_else(|| refused("Media ids are invalid"))?,
        visibility: text("visibility"),
        language: text("language"),
        warning: text("spoiler_text").unwrap_or_default(),
        sensitive: body.get("sensitive").and_then(Value::as_bool).unwrap_or(false),
    };
    if draft.text.is_empty() && draft.media.is_empty() {
        return Err(refused("Text can't be blank"));
    }
    let most = context.settings.mastodon.characters;
    if length(&draft.text) + draft.warning.graphemes(true).count() > most {
        return Err(refused(&format!("Text character limit of {most} exceeded")));
    }
    if draft.visibility.as_deref().is_some_and(|it| !VISIBILITIES.contains(&it)) {
        return Err(refused("Visibility is not included in the list"));
    }
    if draft.language.as_deref().is_some_and(|it| !(2..=3).contains(&it.len())) {
        return Err(refused("Language is not a valid language"));
    }
    if draft.media.len() > context.settings.mastodon.pictures {
        return Err(refused("Cannot attach more than 4 files"));
    }
    Ok(draft)
}

/// Addresses are 23 long, names are counted without their server.
fn length(text: &str) -> usize {
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let bare = word.trim_end();
        let gap = word.graphemes(true).count() - bare.graphemes(true).count();
        let counted = if bare.starts_with("https://") || bare.starts_with("http://") {
            23
        } else if let Some((name, _)) = bare.strip_prefix('@').and_then(|name| name.split_once('@'))
        {
            1 + name.graphemes(true).count()
        } else {
            bare.graphemes(true).count()
        };
        counted + gap
    });
    words.sum()
}

fn attached(
    context: &Context<'_>,
    state: &AccountState,
    ids: &[String],
) -> Result<Vec<PhotoRecord>, Box<Reply>> {
    let mut photos = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(media) = state.media.get(id).filter(|media| !media.used) else {
            return Err(Box::new(error(422, "Validation failed: Media not found")));
        };
        if !is_ready(context, media) {
            let words =
                "Cannot attach files that have not finished processing. Try again in a moment!";
            return Err(Box::new(error(422, words)));
        }
        photos.push(media.photo.clone());
    }
    Ok(photos)
}

/// A status of any account here, with its author.
fn anybodys(context: &Context<'_>, id: &str) -> Option<(std::sync::Arc<Account>, PostRecord)> {
    let now = context.world.now();
    context.world.accounts(Platform::Mastodon).into_iter().find_map(|account| {
        let state = account.lock();
        let post = state.post(id, now).filter(|post| post.hidden(now).is_none());
        let record = post.map(|post| post.record.clone());
        drop(state);
        record.map(|record| (account, record))
    })
}

/// `GET /api/v1/statuses/{id}`.
pub(super) fn one(context: &Context<'_>, id: &str) -> Reply {
    match anybodys(context, id) {
        Some((author, post)) => Reply::json(200, &shown(context, &author, &post)),
        None => error(404, "Record not found"),
    }
}

/// `PUT /api/v1/statuses/{id}`: only the author's own; pictures that are not named again are taken away
/// (methods, statuses, edit).
pub(super) fn edit(context: &Context<'_>, id: &str) -> Reply {
    let now = context.world.now();
    let draft = match read_draft(context) {
        Ok(draft) => draft,
        Err(refusal) => return *refusal,
    };
    let mut state = context.account.lock();
    let Some(before) = state.post(id, now).map(|post| post.record.clone()) else {
        return error(404, "Record not found");
    };
    let mut photos = Vec::with_capacity(draft.media.len());
    for wanted in &draft.media {
        if let Some(own) = before.photos.iter().find(|photo| photo.id == *wanted) {
            photos.push(own.clone());
            continue;
        }
        match attached(context, &state, std::slice::from_ref(wanted)) {
            Ok(new) => photos.extend(new),
            Err(refusal) => return *refusal,
        }
    }
    let Some(post) = state.post_mut(id, now) else { return error(404, "Record not found") };
    post.rewrite(&draft.text);
    post.photos = photos;
    let post = post.clone();
    drop(state);
    Reply::json(200, &status(context, &post))
}

/// `GET /api/v1/statuses/{id}/history`: every version, the first one first (methods, statuses, history).
pub(super) fn history(context: &Context<'_>, id: &str) -> Reply {
    let Some((author, post)) = anybodys(context, id) else {
        return error(404, "Record not found");
    };
    let version = |text: &String| {
        json!({
            "content": html::page(text), "spoiler_text": "", "sensitive": false,
            "created_at": post.created_at.to_string(), "account": account(context, &author),
            "media_attachments": [], "emojis": [],
        })
    };
    let all: Vec<Value> = post.versions.iter().chain([&post.text]).map(version).collect();
    Reply::json(200, &all.into())
}

/// `DELETE /api/v1/statuses/{id}`: the status with its source; only the author's own.
pub(super) fn delete(context: &Context<'_>, id: &str) -> Reply {
    let now = context.world.now();
    let post = context.account.lock().post(id, now).map(|post| post.record.clone());
    let Some(post) = post else { return error(404, "Record not found") };
    let mut body = status(context, &post);
    if let Some(fields) = body.as_object_mut() {
        fields.insert("text".to_owned(), post.text.as_str().into());
    }
    context.account.lock().delete(id, now);
    Reply::json(200, &body)
}

/// `GET /api/v1/accounts/{id}/statuses`: newest first.
pub(super) fn timeline(context: &Context<'_>, id: &str) -> Reply {
    let Some(author) = context.world.account(Platform::Mastodon, id) else {
        return error(404, "Record not found");
    };
    context.account.count_read();
    let number = |name: &str| context.call.query(name).and_then(|text| text.parse::<u64>().ok());
    let limit = number("limit").unwrap_or(20).min(40);
    let (since, before) = (number("since_id"), number("max_id"));
    let now = context.world.now();
    let mut posts: Vec<PostRecord> = {
        let state = author.lock();
        let listed = state.posts(now).filter(|post| post.is_listed(now));
        listed.cloned().collect()
    };
    let key = |post: &PostRecord| post.id.parse::<u64>().unwrap_or(0);
    posts.retain(|post| {
        since.is_none_or(|since| key(post) > since)
            && before.is_none_or(|before| key(post) < before)
    });
    posts.sort_by_key(|post| std::cmp::Reverse(key(post)));
    posts.truncate(usize::try_from(limit).unwrap_or(40));
    let list: Vec<Value> = posts.iter().map(|post| shown(context, &author, post)).collect();
    Reply::json(200, &list.into())
}

fn status(context: &Context<'_>, post: &PostRecord) -> Value {
    shown(context, &context.account, post)
}

fn shown(context: &Context<'_>, author: &Account, post: &PostRecord) -> Value {
    let base = context.settings.mastodon.permalink_base.clone();
    let base = base.unwrap_or_else(|| context.world.base(Platform::Mastodon));
    let media: Vec<Value> =
        post.photos.iter().map(|photo| attachment(context, photo, true)).collect();
    let mut value = Map::new();
    let url = format!("{base}/@{}/{}", author.profile.username, post.id);
    for (name, field) in [
        ("id", json!(post.id)),
        ("uri", json!(url)),
        ("url", json!(url)),
        ("created_at", json!(post.created_at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())),
        ("visibility", json!("public")),
        ("in_reply_to_id", json!(post.reply_to)),
        ("content", json!(html::page(&post.text))),
        ("account", account(context, author)),
        ("media_attachments", json!(media)),
        ("mentions", json!([])),
        ("tags", json!([])),
        ("favourites_count", json!(0)),
        ("reblogs_count", json!(0)),
        ("replies_count", json!(0)),
    ] {
        value.insert(name.to_owned(), field);
    }
    Value::Object(value)
}
