//! Requests to version 2 of the X API and the shape of its answers, without any sending.

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Settings;
use super::post_settings::PostSettings;
use super::signature::{Once, Pair, authorization};
use crate::domain::media::MediaKind;
use crate::outbound::Request;
use crate::platforms::outcome::Usage;
use crate::platforms::session::{Item, ItemMedia, Session};
use crate::platforms::settings;
use crate::platforms::wire::{
    Body, Caller, FilePart, Unsendable, address, header, is_number, text_at,
};

/// One vocabulary is asked for everywhere: `tweet.fields` makes X answer in tweet words, while
/// `post.fields` would rename half of the keys.
const TWEET_FIELDS: &str = "author_id,created_at,entities,note_tweet,referenced_tweets,attachments";

/// The most that is read of a list: a hundred long posts, each of 25,000 characters, in its notes and its beginning.
const LARGEST_LIST: usize = 16 << 20;

/// Milliseconds since 1970 of the instant from which X counts its ids.
const ID_EPOCH_MS: i64 = 1_288_834_974_657;

/// Version 2 of the X API as one account uses it.
#[derive(Debug)]
pub(super) struct Api<'a> {
    settings: &'a Settings,
    pub(super) user: &'a str,
    caller: Caller<'a>,
    now: Timestamp,
}

impl<'a> Api<'a> {
    /// For one account.
    pub(super) fn of(settings: &'a Settings, on: &'a Session) -> Self {
        let caller = Caller { destination: "x", token: &on.token, timeout: on.timeout };
        Self { settings, user: &on.remote_id, caller, now: on.clock.now() }
    }

    /// With the bearer token, or signed where the credential is a token with its secret.
    fn request(
        &self,
        kind: &'static str,
        method: Method,
        url: url::Url,
        body: Body,
    ) -> Result<Request, Unsendable> {
        let pair = Pair::of(self.caller.token);
        let mut request = self.caller.request(kind, method, url, body)?;
        if let Some(pair) = pair {
            let consumer = self.settings.consumer().ok_or(Unsendable::NotConfigured)?;
            let once = Once::new(self.now);
            let header = authorization(consumer, pair, (&request.method, &request.url), &once);
            request.headers.insert(AUTHORIZATION, header.ok_or(Unsendable::Token)?);
        }
        Ok(request)
    }

    fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Request, Unsendable> {
        let mut url = address(&self.settings.api_url, path)?;
        url.query_pairs_mut().extend_pairs(query);
        self.request("read", Method::GET, url, Body::default())
    }

    fn post(&self, kind: &'static str, path: &[&str], body: Body) -> Result<Request, Unsendable> {
        self.request(kind, Method::POST, address(&self.settings.api_url, path)?, body)
    }

    /// Uploads a picture in one request.
    pub(super) fn upload(&self, media: &ItemMedia) -> Result<Request, Unsendable> {
        let texts = [("media_category", "tweet_image"), ("media_type", media.mime.as_str())];
        let file = FilePart {
            name: "media",
            mime: &media.mime,
            sha256: &media.sha256,
            bytes: media.source.held().ok_or(Unsendable::Kind)?,
        };
        self.post("upload", &["2", "media", "upload"], Body::multipart(&texts, &file))
    }

    /// Begins an upload in segments.
    pub(super) fn begin_upload(&self, media: &ItemMedia) -> Result<Request, Unsendable> {
        let category = match media.kind {
            MediaKind::Video => "tweet_video",
            MediaKind::Animation => "tweet_gif",
            MediaKind::Image => return Err(Unsendable::Kind),
        };
        let body = json!({
            "media_type": media.mime,
            "media_category": category,
            "total_bytes": media.source.size(),
        });
        self.post("upload", &["2", "media", "upload", "initialize"], Body::json(&body))
    }

    /// Sends one segment of a file.
    pub(super) fn append(
        &self,
        id: &str,
        number: u64,
        media: &ItemMedia,
        bytes: &[u8],
    ) -> Result<Request, Unsendable> {
        let number = number.to_string();
        let texts = [("segment_index", number.as_str())];
        let ItemMedia { mime, sha256, .. } = media;
        let file = FilePart { name: "media", mime, sha256, bytes };
        self.post("upload", &["2", "media", "upload", id, "append"], Body::multipart(&texts, &file))
    }

    /// Says that all segments are there.
    pub(super) fn finish_upload(&self, id: &str) -> Result<Request, Unsendable> {
        self.post("upload", &["2", "media", "upload", id, "finalize"], Body::default())
    }

    /// How far X's work on a file is.
    pub(super) fn upload_status(&self, id: &str) -> Result<Request, Unsendable> {
        self.get(&["2", "media", "upload"], &[("command", "STATUS"), ("media_id", id)])
    }

    /// Gives an uploaded picture its alternative text.
    pub(super) fn alternative_text(&self, id: &str, alt: &str) -> Result<Request, Unsendable> {
        let body = json!({ "id": id, "metadata": { "alt_text": { "text": alt } } });
        self.post("metadata", &["2", "media", "metadata"], Body::json(&body))
    }

    /// The one request that makes a post. Any key that X does not know would be refused.
    pub(super) fn tweet(&self, item: &Item, media: &[String]) -> Result<Request, Unsendable> {
        let text = sent_text(&item.text, item.link.as_deref());
        let mut body = serde_json::Map::new();
        if !text.is_empty() {
            body.insert("text".to_owned(), text.into());
        }
        if !media.is_empty() {
            body.insert("media".to_owned(), json!({ "media_ids": media }));
        }
        if let Some(above) = &item.under {
            body.insert("reply".to_owned(), json!({ "in_reply_to_tweet_id": above }));
        }
        let set: PostSettings = settings::read(&item.settings)?;
        if let Some(repliers) = set.reply_settings {
            body.insert("reply_settings".to_owned(), json!(repliers));
        }
        if let Some(poll) = &set.poll {
            let (options, minutes) = (poll.options(), poll.duration_minutes);
            body.insert(
                "poll".to_owned(),
                json!({ "options": options, "duration_minutes": minutes }),
            );
        }
        self.post("create", &["2", "tweets"], Body::json(&Value::Object(body)))
    }

    /// Who the token belongs to.
    pub(super) fn me(&self) -> Result<Request, Unsendable> {
        self.get(&["2", "users", "me"], &[("user.fields", "public_metrics,subscription_type")])
    }

    /// One post.
    pub(super) fn one(&self, id: &str) -> Result<Request, Unsendable> {
        self.get(&["2", "tweets", id], &[("tweet.fields", TWEET_FIELDS)])
    }

    /// Deletes one post.
    pub(super) fn delete(&self, id: &str) -> Result<Request, Unsendable> {
        let url = address(&self.settings.api_url, &["2", "tweets", id])?;
        self.request("delete", Method::DELETE, url, Body::default())
    }

    /// The part of the account's list in which one post would stand alone: it costs what it shows.
    pub(super) fn around(&self, before: &str, after: &str) -> Result<Request, Unsendable> {
        let query = [
            ("max_results", "5"),
            ("since_id", before),
            ("until_id", after),
            ("tweet.fields", TWEET_FIELDS),
        ];
        self.get(&["2", "users", self.user, "tweets"], &query)
    }

    /// Some of the account's newest posts, as few as X lets one ask for.
    pub(super) fn newest(&self) -> Result<Request, Unsendable> {
        let query = [("max_results", "5"), ("tweet.fields", TWEET_FIELDS)];
        self.get(&["2", "users", self.user, "tweets"], &query)
    }

    /// The account's posts newer than an id, newest first. Replies are not left out: a part of a
    /// thread is one. Every post that is returned costs money, so the first page is small.
    pub(super) fn own_posts(
        &self,
        since_id: Option<&str>,
        after: Option<&str>,
    ) -> Result<Request, Unsendable> {
        let mut query = vec![
            ("max_results", if after.is_none() { "10" } else { "100" }),
            ("exclude", "retweets"),
            ("tweet.fields", TWEET_FIELDS),
        ];
        query.extend(since_id.map(|id| ("since_id", id)));
        query.extend(after.map(|token| ("pagination_token", token)));
        let request = self.get(&["2", "users", self.user, "tweets"], &query)?;
        Ok(Request { max_answer: LARGEST_LIST, ..request })
    }
}

/// The text as it is sent: X makes the card from a link in the text.
pub(super) fn sent_text(text: &str, link: Option<&str>) -> String {
    match link {
        Some(link) if !text.contains(link) => {
            if text.is_empty() {
                link.to_owned()
            } else {
                format!("{text}\n{link}")
            }
        }
        Some(_) | None => text.to_owned(),
    }
}

/// When a post was made, by its id: the upper bits are milliseconds since X's own epoch.
pub(super) fn made_at(id: &str) -> Option<Timestamp> {
    let millis = i64::try_from(id.parse::<u64>().ok()? >> 22).ok()?;
    Timestamp::from_millisecond(millis.checked_add(ID_EPOCH_MS)?).ok()
}

/// The id below which every post is older than an instant; `None` before X's epoch.
pub(super) fn id_at(instant: Timestamp) -> Option<String> {
    let millis = u64::try_from(instant.as_millisecond().checked_sub(ID_EPOCH_MS)?).ok()?;
    Some(millis.checked_mul(1 << 22)?.to_string())
}

/// Clocks differ by less.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// Whether an id is one that X can have given until an instant: its time is not of the future, and not
/// of before X's epoch.
pub(super) fn is_made_by(id: &str, instant: Timestamp) -> bool {
    let latest = instant.checked_add(AHEAD).unwrap_or(instant);
    is_id(id) && made_at(id).is_some_and(|at| at <= latest)
}

/// Whether a text can be the id of a post: up to 19 digits.
pub(super) fn is_id(text: &str) -> bool {
    is_number(text) && text.len() <= 19
}

/// The address of a post for people.
pub(super) fn permalink(settings: &Settings, handle: Option<&str>, id: &str) -> Option<String> {
    let handle = handle.map(|it| it.trim_start_matches('@')).filter(|it| !it.is_empty());
    let segments: Vec<&str> = match handle {
        Some(handle) => vec![handle, "status", id],
        None => vec!["i", "web", "status", id],
    };
    address(&settings.web_url, &segments).ok().map(|url| url.to_string())
}

/// A post as X shows it, as far as it was asked for and given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tweet {
    pub(super) id: String,
    pub(super) author: Option<String>,
    /// The whole text, from the note when it is a long one, unescaped.
    pub(super) text: String,
    pub(super) links: Vec<ShortLink>,
    /// How many media it has, when it has any.
    pub(super) media: Option<usize>,
    /// Whether X says that it has a poll; that it has none is never said.
    pub(super) has_poll: bool,
    pub(super) created: Option<Timestamp>,
    /// The post that it answers, when X says that it answers one.
    pub(super) above: Option<String>,
}

/// What a `t.co` address in a text stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShortLink {
    pub(super) short: String,
    /// `None` for the link that X appends for attached media.
    pub(super) target: Option<String>,
}

impl Tweet {
    /// From an object with at least an id and a text, in either vocabulary.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let note = value.get("note_tweet").or_else(|| value.get("note_post"));
        let note = note.filter(|note| note.get("text").is_some());
        let whole = note.unwrap_or(value);
        // A long post's attached media have their links in the short form only.
        let lists = [Some(whole), Some(value)]
            .into_iter()
            .flatten()
            .filter_map(|it| it.pointer("/entities/urls").and_then(Value::as_array));
        let links = lists.flatten().filter_map(short_link).collect();
        let media = value.pointer("/attachments/media_keys").and_then(Value::as_array);
        let polls = value.pointer("/attachments/poll_ids").and_then(Value::as_array);
        Some(Self {
            id: text_at(value, "id").filter(|id| is_id(id))?,
            author: text_at(value, "author_id"),
            text: unescape(&text_at(whole, "text")?),
            links,
            media: media.map(Vec::len),
            has_poll: polls.is_some_and(|polls| !polls.is_empty()),
            created: text_at(value, "created_at").and_then(|text| text.parse().ok()),
            above: above(value),
        })
    }

    /// When it was made.
    pub(super) fn published_at(&self, now: Timestamp) -> Timestamp {
        self.created.or_else(|| made_at(&self.id)).unwrap_or(now)
    }
}

/// The post that another one answers.
fn above(value: &Value) -> Option<String> {
    let named = value.get("referenced_tweets").or_else(|| value.get("referenced_posts"))?;
    let answered = |it: &&Value| text_at(it, "type").as_deref() == Some("replied_to");
    named.as_array()?.iter().find(answered).and_then(|it| text_at(it, "id"))
}

fn short_link(entity: &Value) -> Option<ShortLink> {
    let short = text_at(entity, "url")?;
    let target = text_at(entity, "expanded_url").filter(|target| {
        let of_media = ["/photo/", "/video/"].iter().any(|part| target.contains(part));
        entity.get("media_key").is_none() && !(target.contains("/status/") && of_media)
    });
    Some(ShortLink { short, target })
}

/// X gives `&`, `<` and `>` as HTML entities.
fn unescape(text: &str) -> String {
    // `&amp;` last, so that an escaped `&lt;` that somebody typed stays what it was.
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// One group of rate headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) name: &'static str,
    pub(super) limit: u64,
    pub(super) remaining: u64,
    pub(super) reset: Timestamp,
}

/// The groups of rate headers there are: the endpoint's own, and two undocumented ones of a day.
/// (X API documents, rate limits, read 2026-09-11; the last two by reports of other clients.)
const WINDOWS: [&str; 3] = ["x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour"];

/// What the rate headers of an answer say. A missing group says nothing, least of all zero.
pub(super) fn windows(headers: &HeaderMap) -> Vec<Window> {
    WINDOWS.iter().filter_map(|name| window(headers, name)).collect()
}

fn window(headers: &HeaderMap, name: &'static str) -> Option<Window> {
    let number =
        |part: &str| header(headers, &format!("{name}-{part}"))?.trim().parse::<i64>().ok();
    Some(Window {
        name,
        limit: u64::try_from(number("limit")?).ok()?,
        remaining: u64::try_from(number("remaining")?.max(0)).ok()?,
        reset: Timestamp::from_second(number("reset")?).ok()?,
    })
}

/// So many creates of one application may be in flight at once over all nodes.
const IN_FLIGHT: u64 = 1_000;

/// The windows of creates. Those of other endpoints carry the same header names and must not be
/// taken for these, so only the answer to a create is read. From the last quarter on it matters what
/// is left, and of a whole application as soon as it is less than may be in flight at once.
pub(super) fn usage(headers: &HeaderMap, now: Timestamp) -> Vec<Usage> {
    windows(headers)
        .into_iter()
        .filter(|window| window.limit > 0 && window.reset > now)
        .map(|window| {
            let whole_app = window.name == "x-app-limit-24hour";
            let scarce = window.remaining <= window.limit / 4
                || (whole_app && window.remaining <= IN_FLIGHT);
            Usage {
                window: window.name.to_owned(),
                most: i64::try_from(window.limit).unwrap_or(i64::MAX),
                left: i64::try_from(window.remaining).unwrap_or(i64::MAX),
                counted: true,
                until: scarce.then_some(window.reset),
                whole_app,
            }
        })
        .collect()
}

/// How long an uploaded file may be used: as X says, less a margin for the create.
pub(super) fn usable_for(seconds: Option<i64>) -> SignedDuration {
    let hours = SignedDuration::from_hours;
    let given =
        seconds.map_or(hours(24), |seconds| SignedDuration::from_secs(seconds.clamp(0, 604_800)));
    (given - hours(2)).max(SignedDuration::ZERO)
}

#[cfg(test)]
#[path = "tests/api.rs"]
mod tests;
