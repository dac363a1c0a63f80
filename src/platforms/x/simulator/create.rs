//! Making and deleting posts (create post, read 2026-09-11; OpenAPI 2.165 and 2.167).

use serde_json::{Map, Value, json};

use super::problems::{self, Answer, Refusal};
use super::{Context, films, find_post, text, words};
use crate::simulator::{
    AccountState, Application, Content, DeleteMissing, PhotoRecord, PostRecord, Reply, Segmented,
};

/// The keys that the body may have; any other is refused.
const KEYS: &[&str] = &[
    "card_uri",
    "community_id",
    "direct_message_deep_link",
    "edit_options",
    "for_super_followers_only",
    "geo",
    "made_with_ai",
    "media",
    "nullcast",
    "paid_partnership",
    "poll",
    "quote_tweet_id",
    "reply",
    "reply_settings",
    "share_with_followers",
    "text",
];
const MEDIA_KEYS: &[&str] = &[
    "call_to_actions",
    "description",
    "embeddable",
    "media_ids",
    "preview_media_id",
    "tagged_user_ids",
    "title",
];
const REPLY_KEYS: &[&str] =
    &["auto_populate_reply_metadata", "exclude_reply_user_ids", "in_reply_to_tweet_id"];
const POLL_KEYS: &[&str] = &["duration_minutes", "options", "reply_settings"];
const REPLY_SETTINGS: &[&str] = &["following", "mentionedUsers", "subscribers", "verified"];

/// The longest post of a Premium account.
const PREMIUM_WEIGHT: usize = 25_000;

/// What is to be posted, checked as far as its form goes.
struct Draft {
    text: String,
    media: Vec<String>,
    reply_to: Option<String>,
    repliers: Option<String>,
    poll: Option<(Vec<String>, u32)>,
}

/// `POST /2/tweets`.
pub(super) fn create(context: &Context<'_>) -> Answer {
    let draft = read_draft(context)?;
    let limit = if context.account.premium() { PREMIUM_WEIGHT } else { text::MAX_WEIGHT };
    if text::weight(&draft.text) > limit {
        return Err(problems::not_permitted());
    }
    check_reply(context, &draft)?;
    if context.settings.x.self_serve_rules && cashtags(&draft.text) > 1 {
        return Err(problems::forbidden("A post may have a maximum of one cashtag."));
    }
    let post = publish(context, draft)?;
    let words = context.settings.x.create_words;
    let mut data = Map::new();
    let shown = words::shown(context, &context.account.profile, &post);
    data.insert("id".to_owned(), post.id.as_str().into());
    data.insert("text".to_owned(), shown.text.into());
    data.insert(words::history_key(words).to_owned(), json!([post.id]));
    Ok(Reply::json(201, &json!({ "data": data })).creating(post.id))
}

fn read_draft(context: &Context<'_>) -> Result<Draft, Refusal> {
    let wrong = |message: &str, name: &str, value: &Value| {
        problems::invalid(&context.settings.x, message, name, &value.to_string())
    };
    let Content::Json(Value::Object(body)) = &context.call.content else {
        return Err(wrong("The body must be a JSON object.", "body", &Value::Null));
    };
    let nested = [("media", MEDIA_KEYS), ("reply", REPLY_KEYS), ("poll", POLL_KEYS)];
    refuse_unknown_keys(body, KEYS, "$", &wrong)?;
    for (name, keys) in nested {
        match body.get(name) {
            None => {}
            Some(Value::Object(inner)) => {
                refuse_unknown_keys(inner, keys, &format!("$.{name}"), &wrong)?;
            }
            Some(other) => return Err(wrong("must be an object", name, other)),
        }
    }
    let repliers = match body.get("reply_settings") {
        None => None,
        Some(Value::String(word)) if REPLY_SETTINGS.contains(&word.as_str()) => Some(word.clone()),
        Some(other) => {
            return Err(wrong("reply_settings is not one of its values", "reply_settings", other));
        }
    };
    if body.contains_key("quote_tweet_id") && context.settings.x.self_serve_rules {
        // Self-serve plans lost quoting on 2026-04-20.
        return Err(problems::reply_rule(&context.settings.x));
    }
    let text = match body.get("text") {
        None => String::new(),
        Some(Value::String(text)) => text::compose(text.trim()),
        Some(other) => return Err(wrong("text must be a string", "text", other)),
    };
    let media = read_media_ids(body.get("media"), &wrong)?;
    let reply_to = match body.get("reply") {
        None => None,
        Some(reply) => match reply.get("in_reply_to_tweet_id") {
            Some(Value::String(id)) if is_id(id) => Some(id.clone()),
            other => {
                let value = other.unwrap_or(reply);
                return Err(wrong("must be the id of a post", "in_reply_to_tweet_id", value));
            }
        },
    };
    if text.is_empty() && media.is_empty() {
        return Err(wrong("A post needs text or media.", "text", &Value::from("")));
    }
    let poll = body.get("poll").map(|poll| read_poll(poll, &wrong)).transpose()?;
    if poll.is_some() && (!media.is_empty() || text.is_empty()) {
        return Err(wrong("A poll needs a text and stands without media.", "poll", &Value::Null));
    }
    Ok(Draft { text, media, reply_to, repliers, poll })
}

type Wrong<'a> = dyn Fn(&str, &str, &Value) -> Refusal + 'a;

fn refuse_unknown_keys(
    body: &Map<String, Value>,
    known: &[&str],
    path: &str,
    wrong: &Wrong<'_>,
) -> Result<(), Refusal> {
    match body.iter().find(|(key, _)| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some((key, value)) => {
            let message = format!("{path}.{key}: is not defined in the schema");
            Err(wrong(&message, &format!("{path}.{key}"), value))
        }
    }
}

fn read_media_ids(media: Option<&Value>, wrong: &Wrong<'_>) -> Result<Vec<String>, Refusal> {
    let Some(media) = media else { return Ok(Vec::new()) };
    let ids = media.get("media_ids").and_then(Value::as_array);
    let ids: Option<Vec<String>> = ids.and_then(|ids| {
        ids.iter().map(|id| id.as_str().filter(|id| is_id(id)).map(str::to_owned)).collect()
    });
    match ids {
        Some(ids) if (1..=4).contains(&ids.len()) => Ok(ids),
        Some(_) | None => Err(wrong("must be one to four ids", "media.media_ids", media)),
    }
}

fn read_poll(poll: &Value, wrong: &Wrong<'_>) -> Result<(Vec<String>, u32), Refusal> {
    let options = poll.get("options").and_then(Value::as_array).map(|options| {
        let text = |option: &Value| option.as_str().map(text::compose);
        options.iter().filter_map(text).collect::<Vec<_>>()
    });
    let fits = |options: &Vec<String>| {
        (2..=4).contains(&options.len())
            && options.iter().all(|option| (1..=25).contains(&option.chars().count()))
    };
    let options = options.filter(fits).ok_or_else(|| {
        wrong("must be two to four texts of 1 to 25 characters", "poll.options", poll)
    })?;
    let minutes = poll.get("duration_minutes").and_then(Value::as_u64);
    let minutes = minutes.filter(|it| (5..=10_080).contains(it)).and_then(|it| it.try_into().ok());
    let minutes =
        minutes.ok_or_else(|| wrong("must be 5 to 10080", "poll.duration_minutes", poll))?;
    Ok((options, minutes))
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 19 && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// Replies go to own posts, and to authors who mentioned us (since 2026-02-23).
fn check_reply(context: &Context<'_>, draft: &Draft) -> Result<(), Refusal> {
    let Some(target) = &draft.reply_to else { return Ok(()) };
    let Some((author, target)) = find_post(context.world, target) else {
        return Err(problems::forbidden(
            "You attempted to reply to a Tweet that is deleted or not visible to you.",
        ));
    };
    let own = &context.account.profile;
    let mentioned =
        words::mentions(&target.text).any(|(_, name)| name.eq_ignore_ascii_case(&own.username));
    if !context.settings.x.self_serve_rules || author.profile.id == own.id || mentioned {
        return Ok(());
    }
    Err(problems::reply_rule(&context.settings.x))
}

/// `$` and up to six letters, as stock symbols are written.
fn cashtags(text: &str) -> usize {
    text.split_whitespace()
        .filter_map(|word| word.strip_prefix('$'))
        .map(|rest| rest.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric()))
        .filter(|name| (1..=6).contains(&name.len()))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic()))
        .count()
}

fn publish(context: &Context<'_>, draft: Draft) -> Result<PostRecord, Refusal> {
    let (world, settings) = (context.world, &context.settings.x);
    let now = world.now();
    let mut state = context.account.lock();
    let photos = attached(context, &state, &draft.media)?;
    if let Some(window) = settings.duplicate_window_s {
        let key = content_key(&draft, &photos, settings.duplicate_includes_media);
        if state.is_repeat(&key, now, window) {
            return Err(problems::duplicate());
        }
        state.remember(key, now);
    }
    for id in &draft.media {
        if let Some(media) = state.media.get_mut(id) {
            media.used = true;
        }
    }
    let post = PostRecord {
        id: world.next_snowflake().to_string(),
        text: draft.text,
        link: None,
        photos,
        poll: draft.poll,
        reply_to: draft.reply_to,
        audience: draft.repliers,
        created_at: now,
        visible_at: now,
        application: Some(Application { id: "1".to_owned(), name: "Chancery".to_owned() }),
        is_published: true,
        publish_at: None,
        versions: Vec::new(),
    };
    world.store(&context.account, &mut state, post.clone(), context.effects);
    Ok(post)
}

/// What two posts must have in common to be the same: their text without regard to spaces.
fn content_key(draft: &Draft, photos: &[PhotoRecord], with_media: bool) -> String {
    let mut key = draft.text.split_whitespace().collect::<Vec<_>>().join(" ");
    if with_media {
        for photo in photos {
            key.push('\n');
            key.push_str(&photo.sha256);
        }
    }
    key
}

fn attached(
    context: &Context<'_>,
    state: &AccountState,
    ids: &[String],
) -> Result<Vec<PhotoRecord>, Refusal> {
    let settings = &context.settings.x;
    let now = context.world.now();
    let refused = |message: &str| {
        problems::invalid(settings, message, "media.media_ids", &format!("{ids:?}"))
    };
    let mut photos = Vec::with_capacity(ids.len());
    let moving: Vec<&Segmented> = ids.iter().filter_map(|id| state.segmented.get(id)).collect();
    if !moving.is_empty() && ids.len() > 1 {
        return Err(refused("Only one video or GIF can be attached, and nothing beside it."));
    }
    if moving.iter().any(|film| !films::is_ready(film, settings, now)) {
        return Err(refused("Your media IDs are invalid."));
    }
    for id in ids {
        match state.media.get(id) {
            Some(media)
                if !media.is_expired(now, settings.media_life_s)
                    && (settings.reuse_media || !media.used) =>
            {
                photos.push(media.photo.clone());
            }
            Some(_) | None => return Err(refused("Your media IDs are invalid.")),
        }
    }
    Ok(photos)
}

/// `DELETE /2/tweets/{id}`.
pub(super) fn delete(context: &Context<'_>, id: &str) -> Answer {
    let deleted = |it: bool| Ok(Reply::json(200, &json!({ "data": { "deleted": it } })));
    if context.account.lock().delete(id, context.world.now()) {
        return deleted(true);
    }
    if find_post(context.world, id).is_some() {
        return Err(problems::forbidden("Only the author may delete a post."));
    }
    match context.settings.x.delete_missing {
        DeleteMissing::NotDeleted => deleted(false),
        DeleteMissing::NotFound => {
            let error = problems::not_found(&context.settings.x, "tweet", "id", id);
            Err(Refusal::new(Reply::json(404, &error)))
        }
    }
}
