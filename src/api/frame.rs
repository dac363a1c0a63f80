//! What surrounds every request: its id, its span and its metrics, and the last word on the answer.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument as _;

use super::problem::{PROBLEM_JSON, Problem};
use super::text::Tongue;
use super::{Api, limits};

/// Where clients find and may set the id of a request.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Marks an answer that is a page for people: whatever its status, it is not rewritten.
#[derive(Debug, Clone, Copy)]
pub(super) struct ForPeople;

/// The id of a request, in its extensions.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

/// Gives the request its id, runs it in its span, counts it and finishes the answer: a problem is
/// written out here, where language and id are known, and so is every bare error of a layer below.
pub(super) async fn around(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let id =
        sent_id(request.headers()).unwrap_or_else(|| format!("req_{:032x}", api.services.random()));
    let tongue = Tongue::wanted(request.headers());
    let method = request.method().clone();
    // Never the path itself: it may hold ids, and metrics need few names.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("request", request.id = %id, http.method = %method, http.route = %route);
    request.extensions_mut().insert(RequestId(id.clone()));
    let begun = api.services.clock.elapsed();

    let mut response = match limits::check(&request) {
        Some(problem) => problem.into_response(),
        None => next.run(request).instrument(span.clone()).await,
    };
    let problem = problem_of(&response);
    if let Some(problem) = &problem {
        let kept = std::mem::take(response.headers_mut());
        response = problem.render(tongue, &id);
        keep_headers(response.headers_mut(), kept);
    }
    let took = api.services.clock.elapsed().saturating_sub(begun);
    let status = response.status().as_u16();
    span.in_scope(|| {
        let code = problem.as_ref().map_or("", Problem::code);
        tracing::debug!(
            http.status = status,
            took_ms = took.as_millis(),
            problem.code = code,
            "answered"
        );
    });
    let labels =
        [("method", method.as_str().to_owned()), ("route", route), ("status", status.to_string())];
    metrics::counter!("chancery_http_requests_total", &labels).increment(1);
    metrics::histogram!("chancery_http_request_seconds").record(took.as_secs_f64());
    finish(response.headers_mut(), &id);
    response
}

/// A client's own id, when it is short and harmless.
fn sent_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(&REQUEST_ID)?.to_str().ok()?;
    let harmless = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    let good = (1..=64).contains(&text.len()) && text.bytes().all(harmless);
    good.then(|| text.to_owned())
}

fn problem_of(response: &Response) -> Option<Problem> {
    if let Some(problem) = response.extensions().get::<Problem>() {
        return Some(problem.clone());
    }
    if response.extensions().get::<ForPeople>().is_some() {
        return None;
    }
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let bare = kind != Some(PROBLEM_JSON.as_bytes()) && kind != Some(b"application/json");
    ((status.is_client_error() || status.is_server_error()) && bare)
        .then(|| Problem::for_status(status))
}

/// Headers such as `Allow` outlive the rewriting of the body; what described the old body does not.
fn keep_headers(headers: &mut HeaderMap, kept: HeaderMap) {
    for (name, value) in kept {
        if let Some(name) = name
            && !name.as_str().starts_with("content-")
            && !headers.contains_key(&name)
        {
            headers.insert(name, value);
        }
    }
}

fn finish(headers: &mut HeaderMap, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(&REQUEST_ID, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
