//! Requests to a Mastodon server and the shape of its answers, without any sending.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use super::post_settings::PostSettings;
use super::{ID, Settings, html};
use crate::domain::attempt::Receipt;
use crate::outbound::Request;
use crate::platforms::correcting::Revision;
use crate::platforms::matching::{Listed, with_link};
use crate::platforms::outcome::Usage;
use crate::platforms::session::{Item, ItemMedia, Session};
use crate::platforms::settings;
use crate::platforms::wire::{
    Body, Caller, FilePart, Unsendable, address, header, is_number, text_at,
};

/// The most posts of an account in one answer.
pub(super) const PAGE: usize = 40;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A server as one account uses it.
#[derive(Debug)]
pub(super) struct Api<'a> {
    base: &'a Url,
    /// The account's name there, without the server.
    pub(super) name: &'a str,
    caller: Caller<'a>,
}

impl<'a> Api<'a> {
    /// For one account, on the server that its name ends with.
    pub(super) fn of(settings: &'a Settings, on: &'a Session) -> Result<Self, Unsendable> {
        let (name, base) = home(settings, &on.remote_id).ok_or(Unsendable::Account)?;
        let caller = Caller { destination: ID, token: &on.token, timeout: on.timeout };
        Ok(Self { base, name, caller })
    }

    fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Request, Unsendable> {
        let mut url = address(self.base, path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.caller.request("read", Method::GET, url, Body::default())
    }

    /// Whose the token is.
    pub(super) fn me(&self) -> Result<Request, Unsendable> {
        self.get(&["api", "v1", "accounts", "verify_credentials"], &[])
    }

    /// Uploads a picture with its alternative text.
    pub(super) fn upload(&self, media: &ItemMedia) -> Result<Request, Unsendable> {
        let texts = [("description", media.alt.as_str())];
        let texts = if media.alt.is_empty() { &texts[..0] } else { &texts[..] };
        let bytes = media.source.held().ok_or(Unsendable::Kind)?;
        let file = FilePart { name: "file", mime: &media.mime, sha256: &media.sha256, bytes };
        let url = address(self.base, &["api", "v2", "media"])?;
        self.caller.request("upload", Method::POST, url, Body::multipart(texts, &file))
    }

    /// Whether an uploaded picture has been processed.
    pub(super) fn processed(&self, id: &str) -> Result<Request, Unsendable> {
        self.get(&["api", "v1", "media", id], &[])
    }

    /// The one request that makes a post. The key is the delivery's, so that a server which remembers it
    /// answers a repetition with the first post; that it does is a help and no proof.
    pub(super) fn status(&self, item: &Item, media: &[String]) -> Result<Request, Unsendable> {
        let set: PostSettings = settings::read(&item.settings)?;
        let visibility = set.visibility;
        let text = with_link(&item.text, item.link.as_deref());
        let mut body = said(text, &item.language, set, media);
        if let Some(visibility) = visibility {
            body.insert("visibility".to_owned(), json!(visibility));
        }
        let url = address(self.base, &["api", "v1", "statuses"])?;
        let body = Body::json(&Value::Object(body));
        let mut request = self.caller.request("create", Method::POST, url, body)?;
        let key =
            HeaderValue::from_str(item.delivery.as_str()).map_err(|_odd| Unsendable::Settings)?;
        request.headers.insert(IDEMPOTENCY_KEY, key);
        Ok(request)
    }

    /// One post.
    pub(super) fn one(&self, id: &str) -> Result<Request, Unsendable> {
        self.get(&["api", "v1", "statuses", id], &[])
    }

    /// Every version of a post.
    pub(super) fn history(&self, id: &str) -> Result<Request, Unsendable> {
        self.get(&["api", "v1", "statuses", id, "history"], &[])
    }

    /// Gives a post another text. What is not said again is taken away from it.
    pub(super) fn edit(&self, revision: &Revision<'_>) -> Result<Request, Unsendable> {
        let beside = Beside::deserialize(revision.beside);
        let beside = beside.map_err(|_misread| Unsendable::Settings)?;
        let mut set: PostSettings = settings::read(revision.settings)?;
        // Somebody may have put a warning before it, or covered its pictures, since it was made.
        set.content_warning = beside.warning.clone().or(set.content_warning);
        set.sensitive = beside.sensitive.or(set.sensitive);
        let language = beside.language.as_deref().unwrap_or(revision.language);
        let text = with_link(&revision.said.text, revision.said.link.as_deref());
        let body = Body::json(&Value::Object(said(text, language, set, &beside.media)));
        let url = address(self.base, &["api", "v1", "statuses", revision.remote_id])?;
        self.caller.request("edit", Method::PUT, url, body)
    }

    /// Deletes one post.
    pub(super) fn delete(&self, id: &str) -> Result<Request, Unsendable> {
        let url = address(self.base, &["api", "v1", "statuses", id])?;
        self.caller.request("delete", Method::DELETE, url, Body::default())
    }

    /// The posts of the account with this number, newest first: those above `since` and below `before`.
    /// Answers are not left out: a part of a thread is one.
    pub(super) fn own_posts(
        &self,
        number: &str,
        since: Option<&str>,
        before: Option<&str>,
    ) -> Result<Request, Unsendable> {
        let limit = PAGE.to_string();
        let mut query = vec![("limit", limit.as_str()), ("exclude_reblogs", "true")];
        query.extend(since.map(|id| ("since_id", id)));
        query.extend(before.map(|id| ("max_id", id)));
        self.get(&["api", "v1", "accounts", number, "statuses"], &query)
    }

    /// The address of a post for people.
    pub(super) fn permalink(&self, id: &str) -> Option<String> {
        let name = format!("@{}", self.name);
        address(self.base, &[&name, id]).ok().map(|url| url.to_string())
    }

    /// A post of the account; `None` when it lacks anything that is looked at, or is another's.
    pub(super) fn post(&self, value: &Value) -> Option<Post> {
        let id = text_at(value, "id").filter(|id| is_id(id))?;
        let published_at: Timestamp = text_at(value, "created_at")?.parse().ok()?;
        let media = value.get("media_attachments").and_then(Value::as_array)?.len();
        let author = text_at(value.get("account")?, "acct")?;
        let receipt = Receipt { permalink: self.permalink(&id), published_at, remote_id: id };
        let text = comparable(&html::text(&text_at(value, "content")?));
        let is_own = author.eq_ignore_ascii_case(self.name);
        Some(Post { shown: Listed { receipt, text, media }, is_own })
    }
}

/// What a post says and shows, as the server takes it.
fn said(text: String, language: &str, set: PostSettings, media: &[String]) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("status".to_owned(), text.into());
    if !media.is_empty() {
        body.insert("media_ids".to_owned(), json!(media));
    }
    // Its list of languages has no regions.
    let language = language.split('-').next().unwrap_or_default();
    if !language.is_empty() {
        body.insert("language".to_owned(), language.into());
    }
    if let Some(warning) = set.content_warning {
        body.insert("spoiler_text".to_owned(), warning.into());
    }
    if let Some(sensitive) = set.sensitive {
        body.insert("sensitive".to_owned(), sensitive.into());
    }
    body
}

/// What a post shows beside its text; nothing of what the server does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beside {
    /// The ids of its pictures.
    pub(super) media: Vec<String>,
    /// The warning before it; empty for none.
    pub(super) warning: Option<String>,
    /// Whether its pictures are covered.
    pub(super) sensitive: Option<bool>,
    /// In which language it is said to be.
    pub(super) language: Option<String>,
}

impl Beside {
    /// Of a post as the server shows it; `None` when a picture has no id.
    pub(super) fn of(post: &Value) -> Option<Self> {
        let pictures = post.get("media_attachments").and_then(Value::as_array);
        let media = pictures.into_iter().flatten().map(|one| text_at(one, "id"));
        Some(Self {
            media: media.collect::<Option<_>>()?,
            warning: text_at(post, "spoiler_text"),
            sensitive: post.get("sensitive").and_then(Value::as_bool),
            language: text_at(post, "language"),
        })
    }
}

/// A post, and whether it is the account's own.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) shown: Listed,
    pub(super) is_own: bool,
}

/// The name and the server of `name@server`, when it is one that is configured.
pub(super) fn home<'a>(settings: &'a Settings, account: &'a str) -> Option<(&'a str, &'a Url)> {
    let (name, server) = account.split_once('@')?;
    let base = settings.servers.iter().find(|base| authority(base).eq_ignore_ascii_case(server))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!name.is_empty() && name.chars().all(plain)).then_some((name, base))
}

/// The host of an address, with its port where it has one of its own.
pub(super) fn authority(base: &Url) -> String {
    let host = base.host_str().unwrap_or_default();
    base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A text in the form in which texts are compared: the server shows `@name@elsewhere` as `@name`.
pub(super) fn comparable(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let Some(rest) = word.strip_prefix('@') else { return word.to_owned() };
        let Some((name, server)) = rest.split_once('@') else { return word.to_owned() };
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | ':');
        let after = server.trim_start_matches(is_part);
        // What ends a sentence is none of the name of a server.
        let ends = server.len() - after.len();
        let dot = server.get(..ends).is_some_and(|it| it.ends_with('.'));
        format!("@{name}{}{after}", if dot { "." } else { "" })
    });
    words.collect()
}

/// Whether a text can be the id of a post.
pub(super) fn is_id(text: &str) -> bool {
    is_number(text) && text.len() <= 20
}

/// When a post was made, by its id: milliseconds above sixteen other bits. That is the server's source
/// and no promise of its documents, so only ids of the future are told by it.
fn made_at(id: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(id.parse::<u64>().ok()? >> 16).ok()?).ok()
}

/// Clocks differ by less.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// Whether an id can have been given until an instant.
pub(super) fn is_made_by(id: &str, instant: Timestamp) -> bool {
    let latest = instant.checked_add(AHEAD).unwrap_or(instant);
    is_id(id) && made_at(id).is_some_and(|at| at <= latest)
}

/// When calls are free again, as the headers say.
pub(super) fn reset(headers: &HeaderMap) -> Option<Timestamp> {
    header(headers, "x-ratelimit-reset")?.trim().parse().ok()
}

/// The window of calls, of which an answer names the one that is used most. What is left is a share:
/// a create is several calls.
pub(super) fn usage(headers: &HeaderMap, now: Timestamp) -> Vec<Usage> {
    let number = |name: &str| header(headers, name)?.trim().parse::<i64>().ok();
    let (Some(limit), Some(remaining), Some(until)) =
        (number("x-ratelimit-limit"), number("x-ratelimit-remaining"), reset(headers))
    else {
        return Vec::new();
    };
    if limit <= 0 || until <= now {
        return Vec::new();
    }
    let left = remaining.clamp(0, limit).saturating_mul(100) / limit;
    vec![Usage {
        window: "x-ratelimit".to_owned(),
        most: 100,
        left,
        counted: false,
        until: (left <= 10).then_some(until),
        whole_app: false,
    }]
}

#[cfg(test)]
#[path = "tests/api.rs"]
mod tests;
