//! Requests to a server of the AT protocol, without any sending (lexicons `com.atproto.server` and
//! `com.atproto.repo`, read 2026-11-22).

use http::{HeaderMap, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::record::POST;
use super::{Desk, ID};
use crate::outbound::{Label, Request};
use crate::platforms::outcome::Usage;
use crate::platforms::session::{ItemMedia, Session};
use crate::platforms::wire::{Body, Caller, Unsendable, address, header, open_request};

/// The most records in one answer.
const PAGE: &str = "100";

/// The server as one account uses it.
#[derive(Debug)]
pub(super) struct Api<'a> {
    base: &'a Url,
    /// The account's id, a DID.
    pub(super) account: &'a str,
    on: &'a Session,
}

impl<'a> Api<'a> {
    /// For one account.
    pub(super) fn of(desk: &'a Desk, on: &'a Session) -> Result<Self, Unsendable> {
        let base = desk.settings.service_url.as_ref().ok_or(Unsendable::NotConfigured)?;
        Ok(Self { base, account: &on.remote_id, on })
    }

    fn url(&self, method: &str, query: &[(&str, &str)]) -> Result<Url, Unsendable> {
        let mut url = address(self.base, &["xrpc", method])?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    fn caller<'b>(&self, token: &'b SecretString) -> Caller<'b> {
        Caller { destination: ID, token, timeout: self.on.timeout }
    }

    /// What everybody may read needs no token.
    fn open(&self, method: &str, query: &[(&str, &str)]) -> Result<Request, Unsendable> {
        let label = Label { destination: ID, kind: "read" };
        let url = self.url(method, query)?;
        let request = open_request(label, url, Body::default(), self.on.timeout);
        Ok(Request { method: Method::GET, ..request })
    }

    /// Takes the app password to the server.
    pub(super) fn enter(&self) -> Result<Request, Unsendable> {
        let password = self.on.token.expose_secret();
        let body = json!({ "identifier": self.account, "password": password });
        let label = Label { destination: ID, kind: "token" };
        let url = self.url("com.atproto.server.createSession", &[])?;
        Ok(open_request(label, url, Body::json(&body), self.on.timeout))
    }

    /// Whose an access token is.
    pub(super) fn me(&self, token: &SecretString) -> Result<Request, Unsendable> {
        let url = self.url("com.atproto.server.getSession", &[])?;
        self.caller(token).request("read", Method::GET, url, Body::default())
    }

    /// Uploads a picture.
    pub(super) fn upload(
        &self,
        token: &SecretString,
        media: &ItemMedia,
    ) -> Result<Request, Unsendable> {
        let url = self.url("com.atproto.repo.uploadBlob", &[])?;
        let bytes = media.source.held().ok_or(Unsendable::Kind)?;
        let body = Body::file(&media.mime, bytes.clone());
        self.caller(token).request("upload", Method::POST, url, body)
    }

    /// The one request that makes a post, under its key.
    pub(super) fn create(
        &self,
        token: &SecretString,
        key: &str,
        record: &Value,
    ) -> Result<Request, Unsendable> {
        let body = json!({
            "repo": self.account, "collection": POST, "rkey": key, "record": record,
        });
        let url = self.url("com.atproto.repo.createRecord", &[])?;
        self.caller(token).request("create", Method::POST, url, Body::json(&body))
    }

    /// The post under a key.
    pub(super) fn one(&self, key: &str) -> Result<Request, Unsendable> {
        let query = [("repo", self.account), ("collection", POST), ("rkey", key)];
        self.open("com.atproto.repo.getRecord", &query)
    }

    /// The account's posts whose keys are below `before`, the greatest first.
    pub(super) fn list(&self, before: Option<&str>) -> Result<Request, Unsendable> {
        let mut query = vec![("repo", self.account), ("collection", POST), ("limit", PAGE)];
        query.extend(before.map(|key| ("cursor", key)));
        self.open("com.atproto.repo.listRecords", &query)
    }

    /// Deletes the post under a key.
    pub(super) fn delete(&self, token: &SecretString, key: &str) -> Result<Request, Unsendable> {
        let body = json!({ "repo": self.account, "collection": POST, "rkey": key });
        let url = self.url("com.atproto.repo.deleteRecord", &[])?;
        self.caller(token).request("delete", Method::POST, url, Body::json(&body))
    }
}

/// When calls are free again, as the headers say: seconds since 1970.
pub(super) fn reset(headers: &HeaderMap) -> Option<Timestamp> {
    Timestamp::from_second(header(headers, "ratelimit-reset")?.trim().parse().ok()?).ok()
}

/// The window of writes, in points; an answer names the one of which least is left.
pub(super) fn usage(headers: &HeaderMap, now: Timestamp) -> Vec<Usage> {
    let number = |name: &str| header(headers, name)?.trim().parse::<i64>().ok();
    let (Some(limit), Some(remaining), Some(until)) =
        (number("ratelimit-limit"), number("ratelimit-remaining"), reset(headers))
    else {
        return Vec::new();
    };
    if limit <= 0 || until <= now {
        return Vec::new();
    }
    let left = remaining.clamp(0, limit).saturating_mul(100) / limit;
    vec![Usage {
        window: "ratelimit".to_owned(),
        most: 100,
        left,
        counted: false,
        until: (left <= 10).then_some(until),
        whole_app: false,
    }]
}
