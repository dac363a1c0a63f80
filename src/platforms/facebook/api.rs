//! Requests to the Graph API and the shape of its answers, without any sending.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::Sha256;

use super::Settings;
use super::post_settings::{FilmKind, PostSettings};
use crate::outbound::{Request, secret_header};
use crate::platforms::outcome::Usage;
use crate::platforms::session::{Item, ItemMedia, Made, Session};
use crate::platforms::settings;
use crate::platforms::wire::{
    Body, Caller, FilePart, Unsendable, address, header, same_place, text_at,
};

/// Fields that the create answers with at once (Graph API, read-after-write).
const CREATED_FIELDS: &str = "id,created_time,permalink_url,message,is_published";

/// What tells whose a comment is and what it says.
pub(super) const COMMENT_FIELDS: &str = "id,message,created_time,from";

/// The Graph API as one Page uses it.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    settings: &'a Settings,
    pub(super) page: &'a str,
    caller: Caller<'a>,
}

impl<'a> Graph<'a> {
    /// For one account.
    pub(super) fn of(settings: &'a Settings, on: &'a Session) -> Self {
        let caller = Caller { destination: "facebook", token: &on.token, timeout: on.timeout };
        Self { settings, page: &on.remote_id, caller }
    }

    /// Proof that the caller knows the application's secret: HMAC-SHA256 of the token.
    fn proof(&self) -> Option<String> {
        let secret = self.settings.app_secret.as_ref()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
        mac.update(self.caller.token.expose_secret().as_bytes());
        Some(hex::encode(mac.finalize().into_bytes()))
    }

    /// A read.
    pub(super) fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Request, Unsendable> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().extend_pairs(query);
        if let Some(proof) = self.proof() {
            url.query_pairs_mut().append_pair("appsecret_proof", &proof);
        }
        self.caller.request("read", Method::GET, url, Body::default())
    }

    fn url(&self, path: &[&str]) -> Result<url::Url, Unsendable> {
        let mut segments = vec![self.settings.version.as_str()];
        segments.extend(path);
        address(&self.settings.graph_url, &segments)
    }

    /// Uploads a picture that nobody sees until a post shows it.
    pub(super) fn photo(&self, media: &ItemMedia) -> Result<Request, Unsendable> {
        let proof = self.proof();
        let mut texts = vec![("published", "false")];
        if !media.alt.is_empty() {
            texts.push(("alt_text_custom", media.alt.as_str()));
        }
        if let Some(proof) = &proof {
            texts.push(("appsecret_proof", proof.as_str()));
        }
        let file = FilePart {
            name: "source",
            mime: &media.mime,
            sha256: &media.sha256,
            bytes: media.source.held().ok_or(Unsendable::Kind)?,
        };
        let body = Body::multipart(&texts, &file);
        self.caller.request("upload", Method::POST, self.url(&[self.page, "photos"])?, body)
    }

    /// The one request that makes a post.
    pub(super) fn feed(&self, item: &Item, photos: &[String]) -> Result<Request, Unsendable> {
        self.on_feed("create", item, photos, &[])
    }

    /// Makes a post that nobody sees.
    pub(super) fn draft(&self, item: &Item, photos: &[String]) -> Result<Request, Unsendable> {
        self.on_feed("upload", item, photos, &[("published", "false")])
    }

    /// The one request that makes such a post public.
    pub(super) fn make_public(&self, id: &str) -> Result<Request, Unsendable> {
        let mut pairs = vec![("is_published".to_owned(), "true".to_owned())];
        pairs.extend(self.proof().map(|proof| ("appsecret_proof".to_owned(), proof)));
        self.caller.request("create", Method::POST, self.url(&[id])?, Body::form(&pairs))
    }

    fn on_feed(
        &self,
        label: &'static str,
        item: &Item,
        photos: &[String],
        further: &[(&str, &str)],
    ) -> Result<Request, Unsendable> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut push = |name: &str, value: &str| pairs.push((name.to_owned(), value.to_owned()));
        // An empty message is refused with code 197, so it is left out.
        let message = message(&item.text, item.link.as_deref(), !photos.is_empty());
        if !message.is_empty() {
            push("message", &message);
        }
        if let (Some(link), true) = (&item.link, photos.is_empty()) {
            push("link", link);
        }
        for (index, photo) in photos.iter().enumerate() {
            let attached = json!({ "media_fbid": photo }).to_string();
            push(&format!("attached_media[{index}]"), &attached);
        }
        let set: PostSettings = settings::read(&item.settings)?;
        if let Some(audience) = &set.feed_targeting {
            push("feed_targeting", &audience.parameter());
        }
        for (name, value) in further {
            push(name, value);
        }
        push("fields", CREATED_FIELDS);
        if let Some(proof) = self.proof() {
            push("appsecret_proof", &proof);
        }
        let url = self.url(&[self.page, "feed"])?;
        self.caller.request(label, Method::POST, url, Body::form(&pairs))
    }

    /// The one request that makes a comment below a post.
    pub(super) fn comment(&self, text: &str, post: &str) -> Result<Request, Unsendable> {
        let mut pairs = vec![("message".to_owned(), text.to_owned())];
        pairs.extend(self.proof().map(|proof| ("appsecret_proof".to_owned(), proof)));
        let url = self.url(&[post, "comments"])?;
        self.caller.request("create", Method::POST, url, Body::form(&pairs))
    }

    /// The comments directly below a post, newest first.
    pub(super) fn comments(&self, post: &str, after: Option<&str>) -> Result<Request, Unsendable> {
        let mut query = vec![
            ("fields", COMMENT_FIELDS),
            ("filter", "toplevel"),
            ("order", "reverse_chronological"),
            ("limit", "100"),
        ];
        query.extend(after.map(|after| ("after", after)));
        self.get(&[post, "comments"], &query)
    }

    /// Who the token belongs to.
    pub(super) fn me(&self, fields: &str) -> Result<Request, Unsendable> {
        self.get(&["me"], &[("fields", fields)])
    }

    /// One post.
    pub(super) fn post(&self, id: &str, fields: &str) -> Result<Request, Unsendable> {
        self.get(&[id], &[("fields", fields)])
    }

    /// Deletes one post. The proof goes into the query: bodies of this method may be dropped on the way.
    pub(super) fn delete(&self, id: &str) -> Result<Request, Unsendable> {
        let mut url = self.url(&[id])?;
        if let Some(proof) = self.proof() {
            url.query_pairs_mut().append_pair("appsecret_proof", &proof);
        }
        self.caller.request("delete", Method::DELETE, url, Body::default())
    }

    /// Gives a post another text.
    pub(super) fn edit(&self, id: &str, message: &str) -> Result<Request, Unsendable> {
        let mut pairs = vec![("message".to_owned(), message.to_owned())];
        pairs.extend(self.proof().map(|proof| ("appsecret_proof".to_owned(), proof)));
        self.caller.request("edit", Method::POST, self.url(&[id])?, Body::form(&pairs))
    }

    /// Begins the upload of a film.
    pub(super) fn film_start(&self, kind: FilmKind, size: u64) -> Result<Request, Unsendable> {
        let mut pairs = vec![("upload_phase".to_owned(), "start".to_owned())];
        if kind == FilmKind::Video {
            pairs.push(("file_size".to_owned(), size.to_string()));
        }
        self.film_form("upload", kind, pairs)
    }

    /// One part of a video.
    pub(super) fn film_part(
        &self,
        upload: &str,
        offset: u64,
        file: &FilePart<'_>,
    ) -> Result<Request, Unsendable> {
        let (offset, proof) = (offset.to_string(), self.proof());
        let mut texts = vec![
            ("upload_phase", "transfer"),
            ("upload_session_id", upload),
            ("start_offset", offset.as_str()),
        ];
        if let Some(proof) = &proof {
            texts.push(("appsecret_proof", proof.as_str()));
        }
        let body = Body::multipart(&texts, file);
        let url = self.film_url(FilmKind::Video)?;
        self.caller.request("upload", Method::POST, url, body)
    }

    /// What goes before the bytes of a reel, to the address that the platform has named for it.
    pub(super) fn reel_head(&self, address: &str, size: u64) -> Result<Request, Unsendable> {
        let url: url::Url = address.parse().map_err(|_not_one| Unsendable::Address)?;
        let known = |host: &str| self.settings.upload_hosts.iter().any(|it| it == host);
        let public = url.scheme() == "https" && url.host_str().is_some_and(known);
        // The token goes nowhere else, whatever an answer says.
        if !public && !same_place(&url, &self.settings.graph_url) {
            return Err(Unsendable::Address);
        }
        let body = Body::file("application/octet-stream", bytes::Bytes::new());
        let mut request = self.caller.request("upload", Method::POST, url, body)?;
        let oauth = secret_header(&format!("OAuth {}", self.caller.token.expose_secret()))
            .ok_or(Unsendable::Token)?;
        request.headers.insert(http::header::AUTHORIZATION, oauth);
        request.headers.insert("offset", HeaderValue::from(0));
        request.headers.insert("file_size", HeaderValue::from(size));
        Ok(request)
    }

    /// The one request that makes a film public.
    pub(super) fn film_finish(&self, item: &Item, made: &Made) -> Result<Request, Unsendable> {
        let set: PostSettings = settings::read(&item.settings)?;
        let kind = set.film_kind();
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut push = |name: &str, value: &str| pairs.push((name.to_owned(), value.to_owned()));
        push("upload_phase", "finish");
        match kind {
            FilmKind::Video => {
                push("upload_session_id", made.upload.as_deref().unwrap_or_default());
                push("published", "true");
            }
            FilmKind::Reel => {
                push("video_id", &made.remote_id);
                push("video_state", "PUBLISHED");
            }
        }
        let text = message(&item.text, item.link.as_deref(), true);
        if !text.is_empty() {
            push("description", &text);
        }
        if let Some(audience) = &set.feed_targeting {
            push("feed_targeting", &audience.parameter());
        }
        self.film_form("create", kind, pairs)
    }

    fn film_form(
        &self,
        label: &'static str,
        kind: FilmKind,
        mut pairs: Vec<(String, String)>,
    ) -> Result<Request, Unsendable> {
        pairs.extend(self.proof().map(|proof| ("appsecret_proof".to_owned(), proof)));
        self.caller.request(label, Method::POST, self.film_url(kind)?, Body::form(&pairs))
    }

    /// Videos have a host of their own.
    fn film_url(&self, kind: FilmKind) -> Result<url::Url, Unsendable> {
        match kind {
            FilmKind::Video => {
                let segments = [self.settings.version.as_str(), self.page, "videos"];
                address(&self.settings.video_url, &segments)
            }
            FilmKind::Reel => self.url(&[self.page, "video_reels"]),
        }
    }

    /// The Page's films of one kind, newest first.
    pub(super) fn films(
        &self,
        kind: FilmKind,
        fields: &str,
        after: Option<&str>,
    ) -> Result<Request, Unsendable> {
        let edge = match kind {
            FilmKind::Video => "videos",
            FilmKind::Reel => "video_reels",
        };
        let mut query = vec![("fields", fields), ("limit", "25")];
        query.extend(after.map(|after| ("after", after)));
        self.get(&[self.page, edge], &query)
    }

    /// The Page's published posts, newest first.
    pub(super) fn published(
        &self,
        fields: &str,
        since: Timestamp,
        after: Option<&str>,
    ) -> Result<Request, Unsendable> {
        let since = since.as_second().to_string();
        let mut query = vec![("fields", fields), ("limit", "25"), ("since", since.as_str())];
        if let Some(after) = after {
            query.push(("after", after));
        }
        self.get(&[self.page, "published_posts"], &query)
    }
}

/// The message as it is sent. A post shows either pictures or a link's card; with pictures the
/// link therefore goes into the text.
pub(super) fn message(text: &str, link: Option<&str>, has_pictures: bool) -> String {
    match link {
        Some(link) if has_pictures && !text.contains(link) => {
            if text.is_empty() {
                link.to_owned()
            } else {
                format!("{text}\n{link}")
            }
        }
        Some(_) | None => text.to_owned(),
    }
}

/// A post as the Graph API shows it, as far as it was asked for and given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Post {
    pub(super) id: String,
    pub(super) message: String,
    pub(super) created: Option<Timestamp>,
    pub(super) permalink: Option<String>,
    pub(super) from: Option<String>,
    pub(super) application: Option<String>,
    /// Whether it shows pictures, where that can be told.
    pub(super) has_pictures: Option<bool>,
    /// The address of its card.
    pub(super) link: Option<String>,
}

impl Post {
    /// From an object with at least an id. Every other field may be absent: the API leaves out
    /// what is empty, and a field of another type must not hide a post.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let attachment = value.pointer("/attachments/data/0");
        let kind =
            attachment.and_then(|it| text_at(it, "media_type").or_else(|| text_at(it, "type")));
        Some(Self {
            id: text_at(value, "id")?,
            message: text_at(value, "message").unwrap_or_default(),
            created: text_at(value, "created_time").and_then(|text| instant(&text)),
            permalink: text_at(value, "permalink_url"),
            from: value.get("from").and_then(|from| text_at(from, "id")),
            application: value.get("application").and_then(|it| text_at(it, "id")),
            has_pictures: kind.and_then(|kind| match kind.as_str() {
                "photo" | "album" | "new_album" => Some(true),
                "link" | "share" => Some(false),
                _ => None,
            }),
            link: attachment
                .and_then(|it| text_at(it, "unshimmed_url").or_else(|| text_at(it, "url"))),
        })
    }
}

/// An instant as the Graph API writes it: `2026-11-21T10:00:00+0000`, which RFC 3339 does not allow.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", text).ok().or_else(|| text.parse().ok())
}

/// The address of a post for people: absolute for posts, relative for what became a reel.
pub(super) fn permalink(id: &str, given: Option<&str>) -> String {
    match given {
        Some(path) if path.starts_with('/') => format!("https://www.facebook.com{path}"),
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => url.to_owned(),
        Some(_) | None => format!("https://www.facebook.com/{id}"),
    }
}

/// What the usage headers of an answer say (Graph API rate limiting guide, read 2026-08-23).
///
/// Calls while throttled make the block longer, so a window that is nearly used up is told before
/// the platform blocks: for 2 minutes from 85 %, for 10 from 95 %, or as long as the platform says.
pub(super) fn usage(headers: &HeaderMap, now: Timestamp) -> Vec<Usage> {
    let mut found = Vec::new();
    for (name, window) in [("x-app-usage", "app"), ("x-page-usage", "page")] {
        if let Some(counts) = json_header(headers, name) {
            found.extend(one_window(window, &counts, now));
        }
    }
    let business = json_header(headers, "x-business-use-case-usage");
    let owners = business.as_ref().and_then(Value::as_object);
    for counts in
        owners.into_iter().flat_map(|it| it.values()).filter_map(Value::as_array).flatten()
    {
        let window = text_at(counts, "type").unwrap_or_else(|| "business".to_owned());
        found.extend(one_window(&window, counts, now));
    }
    found
}

fn json_header(headers: &HeaderMap, name: &str) -> Option<Value> {
    serde_json::from_str(header(headers, name)?).ok()
}

fn one_window(window: &str, counts: &Value, now: Timestamp) -> Option<Usage> {
    let used = ["call_count", "total_time", "total_cputime"]
        .iter()
        .filter_map(|key| counts.get(*key).and_then(Value::as_u64))
        .max()?;
    let told = counts.get("estimated_time_to_regain_access").and_then(Value::as_u64).unwrap_or(0);
    let cautious = match used {
        0..85 => 0,
        85..95 => 2,
        95.. => 10,
    };
    let minutes = i64::try_from(told.min(7 * 24 * 60)).unwrap_or(0).max(cautious);
    let until =
        if minutes == 0 { None } else { now.checked_add(SignedDuration::from_mins(minutes)).ok() };
    // Whoever is told when calls are free again has none now, whatever the shares say.
    let left = if told > 0 { 0 } else { 100 - i64::try_from(used).unwrap_or(100).min(100) };
    Some(Usage {
        window: window.to_owned(),
        most: 100,
        left,
        counted: false,
        until,
        whole_app: window == "app",
    })
}

#[cfg(test)]
#[path = "tests/api.rs"]
mod tests;
