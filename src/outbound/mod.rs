//! The only HTTP client: one request, no redirects, no replay, one deadline, capped answers.
//!
//! It reports how far a request got ([`Reach`]), because that decides whether a failure can have
//! created a post. Addresses inside private networks are refused unless the host was configured.
//! Neither addresses with queries nor headers nor bodies are ever logged here.
//!
//! HTTP/1.1 alone: there a body is taken in the same step that writes the head, so a body nobody
//! took proves that no byte left. HTTP/2 sends the head first and may have a request refused and
//! repeated by the library.

mod address;
mod body;
mod hidden;
pub mod mail;
#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AGE, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use crate::clock::Steady;
use crate::config;
use crate::domain::attempt::Reach;
use address::{Forbidden, Guard};
pub use body::Pieces;
use body::{Progress, Taken, Tracked};
use hidden::Sent;

/// How long an unused connection is kept. Shorter than what servers allow, so that they seldom
/// close one in the moment in which it is used again.
const KEEP_IDLE: Duration = Duration::from_secs(15);

/// How long connecting may take where the configuration does not say it.
const CONNECT: Duration = Duration::from_secs(5);

/// The most that the answer's `Content-Length` is trusted with before the bytes are there.
const RESERVE: usize = 64 * 1024;

/// The client. Cheap to clone; connections are shared.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: reqwest::Client,
    guard: Guard,
    /// Hears what answers say of the time.
    listener: Option<Steady>,
}

/// A request, complete before it is sent.
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
#[derive(Clone)]
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

/// Neither the address's query nor the body is shown: both can hold what only the platform may see.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .field("path", &self.url.path())
            .field("label", &self.label)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The body is not shown: answers of platforms can hold tokens.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Outbound {
    /// A client that may also reach `trusted_hosts`, privately and without TLS.
    pub fn new(trusted_hosts: Vec<String>) -> Result<Self, SetupError> {
        let settings =
            config::Outbound { connect_timeout: CONNECT, trusted_hosts, system_proxy: false };
        Self::configured(&settings)
    }

    /// A client as configured.
    pub fn configured(settings: &config::Outbound) -> Result<Self, SetupError> {
        Self::guarded(settings, Guard::new(&settings.trusted_hosts))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that makes a client")]
    fn guarded(settings: &config::Outbound, guard: Guard) -> Result<Self, SetupError> {
        // An error means that the provider is in place already.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(KEEP_IDLE)
            .pool_max_idle_per_host(1_024)
            .tcp_nodelay(true)
            .dns_resolver(Arc::new(guard.clone()));
        if !settings.system_proxy {
            builder = builder.no_proxy();
        }
        Ok(Self { client: builder.build().map_err(SetupError)?, guard, listener: None })
    }

    /// From now on `clock` hears what answers say of the time.
    #[must_use]
    pub fn heard_by(self, clock: Steady) -> Self {
        Self { listener: Some(clock), ..self }
    }

    /// Whether an address may be asked: public, or of a trusted host, and by TLS unless trusted. A
    /// name is resolved; one that has no address yet may get a public one, and is looked at again
    /// whenever it is asked.
    pub async fn may_ask(&self, url: &Url) -> bool {
        self.guard.permits(url) && self.guard.may_lead_there(url).await
    }

    /// Sends one request once.
    pub async fn send(&self, request: Request) -> Result<Response, Failure> {
        self.send_with(request, None).await
    }

    /// The same with a body that is handed over meanwhile, in the place of the request's own.
    pub async fn send_pieces(&self, request: Request, body: Pieces) -> Result<Response, Failure> {
        self.send_with(request, Some(body)).await
    }

    async fn send_with(
        &self,
        request: Request,
        pieces: Option<Pieces>,
    ) -> Result<Response, Failure> {
        let label = request.label;
        let asked = self.listener.as_ref().map(|clock| (clock, clock.asking()));
        let result = self.send_once(request, pieces).await;
        if let (Some((clock, asked)), Ok(response)) = (asked, &result)
            && let Some(date) = date(&response.headers)
        {
            clock.heard(label.destination, asked, date);
        }
        let reach = match &result {
            Ok(_) => "answered",
            Err(failure) => failure.reach.as_str(),
        };
        metrics::counter!(
            "chancery_outbound_requests_total",
            "platform" => label.destination, "kind" => label.kind, "reach" => reach,
        )
        .increment(1);
        result
    }

    async fn send_once(
        &self,
        request: Request,
        pieces: Option<Pieces>,
    ) -> Result<Response, Failure> {
        if !self.guard.permits(&request.url) {
            return Err(failure(Reach::NotConnected, FailureKind::Forbidden, None));
        }
        let max_answer = request.max_answer;
        let label = request.label;
        let sent = Sent::new(&request.url, &request.headers, &request.body);
        let (request, progress) = prepare(request, pieces);
        let answer = match self.client.execute(request).await {
            Ok(answer) => answer,
            Err(error) => {
                let failure = before_answer(&error, progress.as_ref());
                log(label, &failure, error);
                return Err(failure);
            }
        };
        let answer = read(answer, max_answer).await.map_err(|(failure, error)| {
            if let Some(error) = error {
                log(label, &failure, error);
            }
            failure
        })?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        // What a refusal says is kept and shown to people.
        Ok(Response { body: sent.hide(answer.body), ..answer })
    }
}

fn prepare(request: Request, pieces: Option<Pieces>) -> (reqwest::Request, Option<Progress>) {
    let Request { method, url, headers, body, timeout, max_answer: _, label: _ } = request;
    let carries = method == Method::POST || method == Method::PUT || method == Method::PATCH;
    let mut prepared = reqwest::Request::new(method, url);
    *prepared.headers_mut() = headers;
    *prepared.timeout_mut() = Some(timeout);
    let (tracked, progress) = match pieces {
        Some(pieces) => Tracked::pieces(pieces),
        None if body.is_empty() => {
            if carries {
                prepared.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(0));
            }
            return (prepared, None);
        }
        None => Tracked::new(body),
    };
    *prepared.body_mut() = Some(reqwest::Body::wrap(tracked));
    (prepared, Some(progress))
}

/// The time of whoever answered; none when a cache did.
pub fn date(headers: &HeaderMap) -> Option<jiff::Timestamp> {
    if headers.contains_key(AGE) {
        return None;
    }
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}

/// What a failure before the head of an answer means.
fn before_answer(error: &reqwest::Error, progress: Option<&Progress>) -> Failure {
    let kind = if is_forbidden(error) {
        FailureKind::Forbidden
    } else if error.is_connect() {
        FailureKind::Connect
    } else if error.is_timeout() {
        FailureKind::Timeout
    } else {
        FailureKind::Broken
    };
    let reach = match progress.map(Progress::close) {
        Some(Taken::Nothing) => Reach::NotConnected,
        Some(Taken::Part) => Reach::HeadersStarted,
        // Without a body nobody can tell, and only a failed connection is certain.
        None if error.is_connect() => Reach::NotConnected,
        Some(Taken::All) | None => Reach::BodyComplete,
    };
    failure(reach, kind, None)
}

fn is_forbidden(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<Forbidden>() {
            return true;
        }
        source = cause.source();
    }
    false
}

async fn read(
    mut answer: reqwest::Response,
    max_answer: usize,
) -> Result<Response, (Failure, Option<reqwest::Error>)> {
    let status = answer.status();
    let failed = |kind| failure(Reach::AnswerStarted, kind, Some(status));
    let announced = answer.content_length();
    if announced.is_some_and(|length| usize::try_from(length).is_ok_and(|it| it > max_answer)) {
        return Err((failed(FailureKind::TooLarge), None));
    }
    let headers = std::mem::take(answer.headers_mut());
    // Nearly every answer is one piece, which is passed on as it is.
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        match answer.chunk().await {
            Ok(Some(piece)) if first.len().max(rest.len()) + piece.len() > max_answer => {
                return Err((failed(FailureKind::TooLarge), None));
            }
            Ok(Some(piece)) if first.is_empty() && rest.is_empty() => first = piece,
            Ok(Some(piece)) => {
                if rest.is_empty() {
                    let whole = announced.and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
                    rest.reserve(whole.min(RESERVE).max(first.len() + piece.len()));
                    rest.extend_from_slice(&std::mem::take(&mut first));
                }
                rest.extend_from_slice(&piece);
            }
            Ok(None) => break,
            Err(error) if error.is_timeout() => {
                return Err((failed(FailureKind::Timeout), Some(error)));
            }
            Err(error) => return Err((failed(FailureKind::Broken), Some(error))),
        }
    }
    let body = if rest.is_empty() { first } else { rest.freeze() };
    Ok(Response { status, headers, body })
}

const fn failure(reach: Reach, kind: FailureKind, status: Option<StatusCode>) -> Failure {
    Failure { reach, kind, status }
}

/// The cause, for whoever looks for it; the address is taken out, its query may hold secrets.
fn log(label: Label, failure: &Failure, error: reqwest::Error) {
    tracing::debug!(
        platform = label.destination,
        kind = label.kind,
        reach = failure.reach.as_str(),
        failure = ?failure.kind,
        cause = ?error.without_url(),
        "an outbound request failed"
    );
}

/// A header value that is never printed.
pub fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The header names that platforms use are lower case.
pub type Name = HeaderName;
