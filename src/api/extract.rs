//! What handlers take from a request; each refuses with a [`Problem`].

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Deref;

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::Api;
use super::frame::RequestId;
use super::json;
use super::limits::Peer;
use super::problem::Problem;
use crate::domain::fault::Fault;
use crate::service::{Caller, Error, IdempotencyKey, Told};
use crate::telemetry::Chain;

/// The header under which a creating request may be repeated.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A recognised caller. A handler that does not take it does not know who asks.
#[derive(Debug, Clone)]
pub(super) struct Door {
    caller: Caller,
    key: Option<String>,
    operation: String,
}

impl Door {
    /// The caller of a request that creates nothing.
    pub(super) fn caller(self) -> Caller {
        self.caller
    }

    /// The caller of a creating request with this body; repeating it under the same
    /// `Idempotency-Key` gives the same answer.
    pub(super) fn creating(mut self, digest: [u8; 32]) -> Caller {
        let operation = self.operation;
        self.caller.idempotency =
            self.key.map(|key| IdempotencyKey { key, fingerprint: hex::encode(digest), operation });
        self.caller
    }
}

/// What somebody may do who still lacks the second factor that everybody must have; as a route below `/api/v1` sees
/// its address.
const SETS_UP: [&str; 2] = ["/second-factor", "/sessions/current"];

fn second_factor_needed() -> Told {
    let detail =
        "everybody here needs a second factor: set yours up with POST /api/v1/second-factor";
    Told::new("second_factor_needed", detail)
}

impl FromRequestParts<Api> for Door {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        // Without a connection, as in tests of the router alone, all are one client.
        let from =
            parts.extensions.get().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |it: &Peer| it.0);
        let actor = api.auth.actor(&parts.method, &parts.headers, from).await?;
        let required = api.services.config.sign_in.second_factor_required;
        let lacks = actor.signed_in.as_ref().is_some_and(|it| !it.second_factor);
        if required && lacks && !SETS_UP.iter().any(|it| parts.uri.path().starts_with(it)) {
            return Err(Error::Forbidden(second_factor_needed()).into());
        }
        let request_id =
            parts.extensions.get().map_or_else(String::new, |id: &RequestId| id.0.clone());
        let key = idempotency_key(&parts.headers)?;
        let operation = format!("{} {}", parts.method, parts.uri.path());
        Ok(Self { caller: Caller { actor, idempotency: None, request_id }, key, operation })
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let well_formed =
        (1..=255).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic());
    if well_formed && given.next().is_none() {
        return Ok(Some(text.to_owned()));
    }
    let detail = "an Idempotency-Key has 1 to 255 visible ASCII characters and is given once";
    Err(Problem::new(StatusCode::BAD_REQUEST, Told::new("bad_idempotency_key", detail)))
}

/// A JSON body.
#[derive(Debug)]
pub(super) struct Json<T> {
    /// What was sent.
    pub(super) value: T,
    /// Hash of the bytes.
    pub(super) digest: [u8; 32],
}

impl<T: DeserializeOwned> FromRequest<Api> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        check_is_json(request.headers())?;
        let most = api.services.config.server.max_body_bytes;
        check_length(request.headers(), most)?;
        let reading = Limited::new(request.into_body(), most).collect();
        let bytes = in_time(api, 1, reading)
            .await?
            .map_err(|error| unread(error.as_ref(), most))?
            .to_bytes();
        let tree =
            json::parse(&bytes).map_err(|told| Problem::new(StatusCode::BAD_REQUEST, told))?;
        let value = json::typed(tree).map_err(Problem::invalid)?;
        Ok(Self { value, digest: Sha256::digest(&bytes).into() })
    }
}

/// What comes of reading a body, when that ends before so many of the usual deadlines.
pub(super) async fn in_time<T>(
    api: &Api,
    deadlines: u32,
    reading: impl Future<Output = T>,
) -> Result<T, Problem> {
    let patience = api.services.config.server.body_timeout * deadlines;
    tokio::select! {
        biased;
        read = reading => Ok(read),
        () = api.services.clock.sleep(patience) => {
            let seconds = patience.as_secs();
            let detail = format!("the body did not arrive within {seconds} s; send it again");
            let told = Told::new("body_too_slow", detail).with("seconds", seconds);
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, told))
        }
    }
}

/// A body that could not be read to its end.
pub(super) fn unread(
    error: &(dyn std::error::Error + Send + Sync + 'static),
    most: usize,
) -> Problem {
    if error.is::<http_body_util::LengthLimitError>() {
        return Problem::too_large(most as u64);
    }
    tracing::debug!(error = %Chain(error), "a body broke off");
    Problem::new(
        StatusCode::BAD_REQUEST,
        Told::new("bad_upload", "the body broke off; send it again"),
    )
}

fn check_is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json && !headers.contains_key(CONTENT_ENCODING) {
        return Ok(());
    }
    let detail = "send JSON with Content-Type: application/json, not compressed";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Told::new("not_json", detail)))
}

/// Refuses a body that says itself that it is too large, before a byte of it is read.
pub(super) fn check_length(headers: &HeaderMap, most: usize) -> Result<(), Problem> {
    let length = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > most as u64) {
        return Err(Problem::too_large(most as u64));
    }
    Ok(())
}

/// The query of an address; unknown names are refused where the type says so.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let reason = rejection.body_text();
                let reason = reason.rsplit("query string: ").next().unwrap_or_default().to_owned();
                let pointer = reason.split(':').next().filter(|it| !it.contains(' '));
                let fault = Fault::new(
                    pointer.map(|name| format!("?{name}")).unwrap_or_default(),
                    "bad_query",
                    format!("the query cannot be read: {reason}"),
                );
                Err(Problem::invalid(vec![fault.with("reason", reason)]))
            }
        }
    }
}

/// The id in the path. One of a wrong form is simply not there.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(id)) => Ok(Self(id)),
            Err(_not_an_id) => Err(Problem::not_found()),
        }
    }
}

/// The version that a change was made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct IfMatch(Option<i64>);

impl Deref for IfMatch {
    type Target = Option<i64>;
    fn deref(&self) -> &Option<i64> {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(IF_MATCH) else {
            let detail = "send the ETag that you have read in If-Match";
            let told = Told::new("precondition_required", detail);
            return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, told));
        };
        if_match(value.to_str().unwrap_or_default()).map(Self)
    }
}

/// `None` for `*`. A weak tag never matches, and neither does one that we did not give.
fn if_match(text: &str) -> Result<Option<i64>, Problem> {
    if text == "*" {
        return Ok(None);
    }
    let bare = text.strip_prefix("W/").unwrap_or(text);
    let Some(inner) = bare.strip_prefix('"').and_then(|it| it.strip_suffix('"')) else {
        let told = Told::new("bad_if_match", "If-Match must be one ETag such as \"3\", or *");
        return Err(Problem::new(StatusCode::BAD_REQUEST, told));
    };
    match inner.parse() {
        Ok(version) if bare.len() == text.len() => Ok(Some(version)),
        Ok(_) | Err(_) => Err(Error::Stale.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_strong_tag_or_a_star_matches() {
        assert_eq!(if_match("*").unwrap(), None);
        assert_eq!(if_match("\"12\"").unwrap(), Some(12));
        for bad in ["12", "", "\"", "W/12"] {
            assert!(if_match(bad).is_err(), "{bad}");
        }
        assert_eq!(if_match("W/\"12\"").unwrap_err().code(), "stale");
        assert_eq!(if_match("\"abc\"").unwrap_err().code(), "stale");
    }

    #[test]
    fn an_idempotency_key_is_visible_ascii() {
        let with = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(IDEMPOTENCY_KEY, http::HeaderValue::from_bytes(value).unwrap());
            idempotency_key(&headers)
        };
        assert_eq!(with(b"a-1_Z").unwrap().as_deref(), Some("a-1_Z"));
        assert!(with(b"").is_err());
        assert!(with(b"a b").is_err());
        assert!(with("khoá".as_bytes()).is_err());
        assert!(with(&[b'a'; 256]).is_err());
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }
}
