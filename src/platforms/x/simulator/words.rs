//! Posts as X writes them down: two vocabularies, and only the fields that were asked for
//! (OpenAPI 2.165 and 2.167; which request gets which words was seen live on 2026-08-23).

use serde_json::{Map, Value, json};

use super::problems::{self, Refusal};
use super::text::{self, Shown};
use super::{Context, find_post};
use crate::simulator::{PhotoRecord, PostRecord, Profile, Words};

const TWEET_FIELDS: &[&str] = &[
    "article",
    "attachments",
    "author_id",
    "card_uri",
    "community_id",
    "context_annotations",
    "conversation_id",
    "created_at",
    "display_text_range",
    "edit_controls",
    "edit_history_tweet_ids",
    "entities",
    "geo",
    "id",
    "in_reply_to_user_id",
    "lang",
    "matched_media_notes",
    "media_metadata",
    "non_public_metrics",
    "note_request_suggestions",
    "note_tweet",
    "organic_metrics",
    "paid_partnership",
    "possibly_sensitive",
    "promoted_metrics",
    "public_metrics",
    "referenced_tweets",
    "reply_settings",
    "scopes",
    "source",
    "suggested_source_links",
    "suggested_source_links_with_counts",
    "text",
    "withheld",
];
/// Those of 2.167, and those that the probe of 2026-08-23 saw answered beside them.
const POST_FIELDS: &[&str] = &[
    "article",
    "article_title",
    "attachments",
    "author_id",
    "card_uri",
    "community_id",
    "context_annotations",
    "conversation_id",
    "created_at",
    "display_text_range",
    "edit_controls",
    "edit_history_post_ids",
    "entities",
    "geo",
    "id",
    "in_reply_to_user_id",
    "lang",
    "matched_media_notes",
    "media_metadata",
    "non_public_metrics",
    "note_post",
    "note_request_suggestions",
    "organic_metrics",
    "paid_partnership",
    "possibly_sensitive",
    "promoted_metrics",
    "public_metrics",
    "referenced_posts",
    "reply_settings",
    "scopes",
    "source",
    "suggested_source_links",
    "suggested_source_links_with_counts",
    "text",
    "withheld",
];
const EXPANSIONS: &[&str] = &[
    "article.cover_media",
    "article.media_entities",
    "attachments.media_keys",
    "attachments.media_source_tweet",
    "attachments.poll_ids",
    "author_id",
    "edit_history_tweet_ids",
    "edit_history_post_ids",
    "entities.mentions.username",
    "geo.place_id",
    "in_reply_to_user_id",
    "referenced_tweets.id",
    "referenced_posts",
    "referenced_tweets.id.author_id",
];

/// What a read asked for.
pub(super) struct Wanted {
    pub(super) words: Words,
    fields: Vec<String>,
    expansions: Vec<String>,
}

impl Wanted {
    /// Reads the parameters; a name that does not exist refuses the call and lists those that do.
    pub(super) fn read(context: &Context<'_>) -> Result<Self, Refusal> {
        let (words, name) = if context.call.query("post.fields").is_some() {
            (Words::Post, "post.fields")
        } else if context.call.query("tweet.fields").is_some() {
            (Words::Tweet, "tweet.fields")
        } else {
            (context.settings.x.default_words, "tweet.fields")
        };
        let known = match words {
            Words::Tweet => TWEET_FIELDS,
            Words::Post => POST_FIELDS,
        };
        let fields = list(context, name, known)?;
        let expansions = list(context, "expansions", EXPANSIONS)?;
        Ok(Self { words, fields, expansions })
    }

    fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|wanted| wanted == field)
    }
}

/// The values of a comma list, each of which must be known.
pub(super) fn list(
    context: &Context<'_>,
    name: &str,
    known: &[&str],
) -> Result<Vec<String>, Refusal> {
    let Some(value) = context.call.query(name) else { return Ok(Vec::new()) };
    let values: Vec<String> = value.split(',').map(str::to_owned).collect();
    match values.iter().find(|value| !known.contains(&value.as_str())) {
        None => Ok(values),
        Some(unknown) => {
            let message = format!(
                "The `{name}` query parameter value [{unknown}] is not one of [{}]",
                known.join(",")
            );
            Err(problems::invalid(&context.settings.x, &message, name, value))
        }
    }
}

pub(super) fn history_key(words: Words) -> &'static str {
    match words {
        Words::Tweet => "edit_history_tweet_ids",
        Words::Post => "edit_history_post_ids",
    }
}

/// The key of a file, made of its kind and its id.
fn media_key(file: &PhotoRecord) -> String {
    let kind = match file.media_type.as_str() {
        "image/gif" => 16,
        kind if kind.starts_with("video/") => 7,
        _ => 3,
    };
    format!("{kind}_{}", file.id)
}

/// What a file is called, in the address of its page and as its type.
fn media_words(file: &PhotoRecord) -> (&'static str, &'static str) {
    match file.media_type.as_str() {
        "image/gif" => ("video", "animated_gif"),
        kind if kind.starts_with("video/") => ("video", "video"),
        _ => ("photo", "photo"),
    }
}

/// The text of a post as it is shown.
pub(super) fn shown(context: &Context<'_>, author: &Profile, post: &PostRecord) -> Shown {
    let media = post.photos.first().map(|first| {
        let (part, _) = media_words(first);
        let own = || "https://x.com".to_owned();
        let base = context.settings.x.permalink_base.clone().unwrap_or_else(own);
        let page = format!("{base}/{}/status/{}/{part}/1", author.username, post.id);
        (page, post.photos.iter().map(media_key).collect())
    });
    if text::weight(&post.text) <= text::MAX_WEIGHT {
        return text::show(&post.text, &post.id, media.as_ref());
    }
    // What is longer stands in the note; the ordinary text is cut.
    let mut cut: String = post.text.chars().take(text::MAX_WEIGHT).collect();
    while text::weight(&cut) > text::MAX_WEIGHT - 1 {
        cut.pop();
    }
    cut.push('…');
    text::show(&cut, &post.id, media.as_ref())
}

/// The object of a post.
pub(super) fn object(
    context: &Context<'_>,
    author: &Profile,
    post: &PostRecord,
    wanted: &Wanted,
) -> Value {
    let mut node = Map::new();
    let mut put = |name: &str, value: Value| {
        node.insert(name.to_owned(), value);
    };
    let shown = shown(context, author, post);
    put("id", post.id.as_str().into());
    put(history_key(wanted.words), json!([post.id]));
    if wanted.has("created_at") {
        put("created_at", time(post.created_at).into());
    }
    if wanted.has("author_id") {
        put("author_id", author.id.as_str().into());
    }
    if wanted.has("conversation_id") {
        put("conversation_id", conversation(context, post).into());
    }
    if wanted.has("lang") {
        put("lang", "und".into());
    }
    if wanted.has("possibly_sensitive") {
        put("possibly_sensitive", false.into());
    }
    if wanted.has("reply_settings") {
        put("reply_settings", "everyone".into());
    }
    if wanted.has("attachments") && !post.photos.is_empty() {
        let keys: Vec<_> = post.photos.iter().map(media_key).collect();
        put("attachments", json!({ "media_keys": keys }));
    }
    if wanted.has("attachments") && post.poll.is_some() {
        put("attachments", json!({ "poll_ids": [post.id] }));
    }
    if wanted.has("public_metrics") {
        put("public_metrics", metrics(wanted.words));
    }
    if let Some(target) = &post.reply_to {
        put_references(context, target, wanted, &mut put);
    }
    put_note(post, wanted, &mut put);
    if wanted.has("entities") {
        put_entities(context, post, &shown, &mut put);
    }
    put("text", shown.text.into());
    Value::Object(node)
}

fn put_references(
    context: &Context<'_>,
    target: &str,
    wanted: &Wanted,
    put: &mut impl FnMut(&str, Value),
) {
    let name = match wanted.words {
        Words::Tweet => "referenced_tweets",
        Words::Post => "referenced_posts",
    };
    if wanted.has(name) {
        put(name, json!([{ "type": "replied_to", "id": target }]));
    }
    if wanted.has("in_reply_to_user_id")
        && let Some((author, _)) = find_post(context.world, target)
    {
        put("in_reply_to_user_id", author.profile.id.as_str().into());
    }
}

fn put_note(post: &PostRecord, wanted: &Wanted, put: &mut impl FnMut(&str, Value)) {
    let name = match wanted.words {
        Words::Tweet => "note_tweet",
        Words::Post => "note_post",
    };
    if wanted.has(name) && text::weight(&post.text) > text::MAX_WEIGHT {
        let note = text::show(&post.text, &post.id, None);
        put(name, json!({ "text": note.text, "entities": { "urls": note.urls } }));
    }
}

fn put_entities(
    context: &Context<'_>,
    post: &PostRecord,
    shown: &Shown,
    put: &mut impl FnMut(&str, Value),
) {
    let mut entities = Map::new();
    if !shown.urls.is_empty() {
        entities.insert("urls".to_owned(), shown.urls.clone().into());
    }
    let mentions: Vec<Value> = mentions(&post.text)
        .filter_map(|(start, name)| {
            let user = super::users::by_name(context.world, name)?;
            let end = start + 1 + name.chars().count();
            Some(json!({ "start": start, "end": end, "username": user.profile.username,
                "id": user.profile.id }))
        })
        .collect();
    if !mentions.is_empty() {
        entities.insert("mentions".to_owned(), mentions.into());
    }
    if !entities.is_empty() {
        put("entities", Value::Object(entities));
    }
}

/// The handles that a text mentions, with the position of their `@` in code points.
pub(super) fn mentions(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('@').filter_map(|(position, _)| {
        let before = text.get(..position)?;
        if before.chars().next_back().is_some_and(char::is_alphanumeric) {
            return None;
        }
        let rest = text.get(position + 1..)?;
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let name = rest.get(..end.unwrap_or(rest.len()))?;
        (!name.is_empty() && name.len() <= 15).then(|| (before.chars().count(), name))
    })
}

/// The post that began the conversation.
fn conversation(context: &Context<'_>, post: &PostRecord) -> String {
    let mut root = post.id.clone();
    let mut target = post.reply_to.clone();
    // Longer chains than this are not made; the bound keeps a wrong one from going on for ever.
    for _ in 0..1_000 {
        let Some(id) = target else { break };
        target = find_post(context.world, &id).and_then(|(_, post)| post.reply_to);
        root = id;
    }
    root
}

fn metrics(words: Words) -> Value {
    let reposts = match words {
        Words::Tweet => "retweet_count",
        Words::Post => "repost_count",
    };
    json!({ reposts: 0, "reply_count": 0, "like_count": 0, "quote_count": 0,
        "bookmark_count": 0, "impression_count": 0 })
}

/// RFC 3339 in UTC with milliseconds.
pub(super) fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// `includes`, when something was expanded.
pub(super) fn includes(
    context: &Context<'_>,
    posts: &[(Profile, PostRecord)],
    wanted: &Wanted,
) -> Option<Value> {
    let has = |name: &str| wanted.expansions.iter().any(|wanted| wanted == name);
    let mut all = Map::new();
    if has("author_id") {
        let mut authors: Vec<&Profile> = posts.iter().map(|(author, _)| author).collect();
        authors.sort_by(|a, b| a.id.cmp(&b.id));
        authors.dedup_by(|a, b| a.id == b.id);
        let users = authors.into_iter().map(super::users::brief).collect::<Vec<_>>();
        all.insert("users".to_owned(), users.into());
    }
    if has("attachments.media_keys") {
        let alt = context.call.query("media.fields").is_some_and(|it| it.contains("alt_text"));
        let media: Vec<Value> = posts
            .iter()
            .flat_map(|(_, post)| &post.photos)
            .map(|photo| {
                let mut node =
                    json!({ "media_key": media_key(photo), "type": media_words(photo).1 });
                if let (true, Some(text), Some(node)) = (alt, &photo.alt_text, node.as_object_mut())
                {
                    node.insert("alt_text".to_owned(), text.as_str().into());
                }
                node
            })
            .collect();
        if !media.is_empty() {
            all.insert("media".to_owned(), media.into());
        }
    }
    if has("referenced_tweets.id") || has("referenced_posts") {
        let targets: Vec<Value> = posts
            .iter()
            .filter_map(|(_, post)| find_post(context.world, post.reply_to.as_deref()?))
            .map(|(author, post)| object(context, &author.profile, &post, wanted))
            .collect();
        let name = match wanted.words {
            Words::Tweet => "tweets",
            Words::Post => "posts",
        };
        if !targets.is_empty() {
            all.insert(name.to_owned(), targets.into());
        }
    }
    (!all.is_empty()).then_some(Value::Object(all))
}
