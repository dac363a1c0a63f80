//! Problems as RFC 9457 has them: the one shape of every answer that is no success.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::text::{self, Tongue};
use crate::auth;
use crate::domain::fault::Fault;
use crate::service::{Error, Told};
use crate::telemetry::Chain;

/// What every problem is sent as.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// How long to wait when the outage is ours and nobody knows better.
const OUTAGE_RETRY_S: u64 = 2;

/// An answer that is no success. Written out by the frame, which knows the language and the
/// request's id.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    told: Box<Told>,
    faults: Vec<Fault>,
}

/// A problem as it is sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Body9457 {
    /// Names the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words, in the language of `Accept-Language`.
    title: String,
    /// The status again.
    status: u16,
    /// What happened this time.
    detail: String,
    /// Stable machine word.
    code: String,
    /// The request's id.
    instance: String,
    /// All that is wrong with what was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<BodyFault>,
    /// What else programs may want to know.
    #[serde(flatten)]
    #[schema(ignore)]
    members: Map<String, Value>,
}

/// One thing that is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemError)]
struct BodyFault {
    /// Where, as a JSON pointer into the body; empty for the whole.
    pointer: String,
    /// Stable machine word.
    code: String,
    /// In words.
    detail: String,
}

impl Problem {
    /// A problem.
    pub(super) fn new(status: StatusCode, told: Told) -> Self {
        Self { status, told: Box::new(told), faults: Vec::new() }
    }

    /// Faults of what was sent.
    pub(super) fn invalid(faults: Vec<Fault>) -> Self {
        let count = faults.len();
        let detail = match faults.as_slice() {
            [one] => format!("{}: {}", place(&one.pointer), one.detail),
            _ => format!("{count} faults; see errors"),
        };
        let told = Told::new("validation", detail).with("count", count);
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, told: Box::new(told), faults }
    }

    /// Nobody knows who asks.
    pub(super) fn unauthenticated() -> Self {
        let detail = "send Authorization: Bearer <token> with a token that is in force, or sign in";
        Self::new(StatusCode::UNAUTHORIZED, Told::new("unauthenticated", detail))
    }

    /// Nobody knows who asks, and it was asked too often.
    pub(super) fn too_many_attempts(retry_after_s: u64) -> Self {
        let detail = format!(
            "too many tokens from your address are not in force; check the token, and try again \
             in {retry_after_s} s (a token in force is taken at once)"
        );
        let told = Told::new("too_many_attempts", detail).with("seconds", retry_after_s);
        Self::new(StatusCode::TOO_MANY_REQUESTS, told.retry_after(retry_after_s))
    }

    /// A change that none of our own pages has confirmed.
    fn unconfirmed() -> Self {
        let detail =
            "send the csrf_token of GET /api/v1/sessions/current in X-CSRF-Token with every change";
        Self::new(StatusCode::FORBIDDEN, Told::new("unconfirmed", detail))
    }

    /// Not there, or not for the asker to know.
    pub(super) fn not_found() -> Self {
        let detail = "there is nothing here, or it is not for you to know";
        Self::new(StatusCode::NOT_FOUND, Told::new("not_found", detail))
    }

    /// A fault of ours.
    pub(super) fn internal() -> Self {
        let detail = "a fault of ours, which has been logged; name the instance when you report it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Told::new("internal", detail))
    }

    /// Larger than allowed.
    pub(super) fn too_large(max_bytes: u64) -> Self {
        let told = Told::new("too_large", format!("at most {max_bytes} bytes"));
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, told.with("max", max_bytes))
    }

    /// For an answer that some layer made with a bare status.
    pub(super) fn for_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found(),
            StatusCode::METHOD_NOT_ALLOWED => {
                let detail = "see the header Allow for what this address takes";
                Self::new(status, Told::new("method_not_allowed", detail))
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT => {
                let detail = "not finished in time; try again with the same Idempotency-Key";
                let told = Told::new("timeout", detail).retry_after(OUTAGE_RETRY_S);
                Self::new(StatusCode::SERVICE_UNAVAILABLE, told)
            }
            StatusCode::INTERNAL_SERVER_ERROR => Self::internal(),
            other => {
                let detail = other.canonical_reason().unwrap_or("not possible");
                Self::new(other, Told::new("http_error", detail))
            }
        }
    }

    /// The stable word, for logs.
    pub(super) fn code(&self) -> &'static str {
        self.told.code
    }

    /// Writes it out in a language, for the request with this id.
    pub(super) fn render(&self, tongue: Tongue, instance: &str) -> Response {
        let told = &self.told;
        let reason = self.status.canonical_reason().unwrap_or("Problem");
        let body = Body9457 {
            kind: format!("urn:chancery:problem:{}", told.code),
            title: text::title(told.code, tongue).unwrap_or(reason).to_owned(),
            status: self.status.as_u16(),
            detail: text::detail(told.code, tongue, &told.args)
                .unwrap_or_else(|| told.detail.clone()),
            code: told.code.to_owned(),
            instance: instance.to_owned(),
            errors: self.faults.iter().map(|fault| body_fault(fault, tongue)).collect(),
            members: told.members.clone(),
        };
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = self.status;
        self.headers(tongue, response.headers_mut());
        response
    }

    fn headers(&self, tongue: Tongue, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(tongue.tag()));
        if let Some(seconds) = self.told.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"chancery\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
    }
}

fn place(pointer: &str) -> &str {
    if pointer.is_empty() { "the body" } else { pointer }
}

fn body_fault(fault: &Fault, tongue: Tongue) -> BodyFault {
    BodyFault {
        pointer: fault.pointer.clone(),
        code: fault.code.to_owned(),
        detail: text::detail(fault.code, tongue, &fault.args)
            .unwrap_or_else(|| fault.detail.clone()),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<auth::Error> for Problem {
    fn from(error: auth::Error) -> Self {
        match error {
            auth::Error::Unknown => Self::unauthenticated(),
            auth::Error::TooMany { retry_after_s } => Self::too_many_attempts(retry_after_s),
            auth::Error::Unconfirmed => Self::unconfirmed(),
            auth::Error::Store(source) => Error::from(source).into(),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Forbidden(told) => Self::new(StatusCode::FORBIDDEN, told),
            Error::Unknown(told) => Self::new(StatusCode::UNAUTHORIZED, told),
            Error::TooSoon(told) => Self::new(StatusCode::TOO_MANY_REQUESTS, told),
            Error::NotFound => Self::not_found(),
            Error::Conflict(told) => Self::new(StatusCode::CONFLICT, told),
            Error::Stale => {
                let detail = "the version in If-Match is not the current one; read it again";
                Self::new(StatusCode::PRECONDITION_FAILED, Told::new("stale", detail))
            }
            Error::Invalid(faults) => Self::invalid(faults),
            Error::TooLarge { max_bytes } => Self::too_large(max_bytes),
            Error::Unsupported(told) => Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, told),
            Error::Unreadable(told) => Self::new(StatusCode::BAD_REQUEST, told),
            Error::IdempotencyMismatch => {
                let detail = "this Idempotency-Key belongs to another request; take a new one";
                let told = Told::new("idempotency_mismatch", detail);
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, told)
            }
            Error::Unfinished(told) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, told.retry_after(OUTAGE_RETRY_S))
            }
            Error::Busy => {
                let told = Told::new("busy", "the database is busy; try again");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, told.retry_after(OUTAGE_RETRY_S))
            }
            Error::Internal(source) => {
                tracing::error!(error = %Chain(source.as_ref()), "a request failed by our fault");
                Self::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(problem: Problem, tongue: Tongue) -> (StatusCode, HeaderMap, Value) {
        let response = problem.render(tongue, "req_1");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn faults_are_told_in_vietnamese_with_their_values() {
        let fault = Fault::new("/name", "too_long", "at most 5 characters").with("max", 5);
        let (status, headers, body) = body(Problem::invalid(vec![fault]), Tongue::Vi).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(headers[CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(headers[CONTENT_LANGUAGE], "vi");
        assert_eq!(body["errors"][0]["detail"], "Tối đa 5 ký tự.");
        assert_eq!(body["instance"], "req_1");
        assert_eq!(body["code"], "validation");
    }

    #[tokio::test]
    async fn our_own_failures_do_not_tell_their_cause() {
        let cause = std::io::Error::other("password=hunter2");
        let (status, _, body) = body(Error::internal(cause).into(), Tongue::En).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!body.to_string().contains("hunter2"));
    }

    #[tokio::test]
    async fn members_and_retry_after_are_passed_on() {
        let told = Told::new("conflict", "x").member("state", "publishing").retry_after(7);
        let (_, headers, body) = body(Error::Conflict(told).into(), Tongue::En).await;
        assert_eq!(headers[RETRY_AFTER], "7");
        assert_eq!(body["state"], "publishing");
    }
}
