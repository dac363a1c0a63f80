//! How successes are written: JSON with its version as `ETag`, its place, and whether it is an
//! answer given before.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::problem::Problem;
use crate::service::Done;

/// Tells that the work was done earlier and this is its answer.
static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A success.
#[derive(Debug)]
pub(super) struct Answer<T> {
    status: StatusCode,
    value: T,
    version: Option<i64>,
    location: Option<String>,
    replayed: bool,
}

impl<T> Answer<T> {
    /// What was asked for.
    pub(super) fn ok(value: T) -> Self {
        Self { status: StatusCode::OK, value, version: None, location: None, replayed: false }
    }

    /// What was changed.
    pub(super) fn done(done: Done<T>) -> Self {
        Self { replayed: done.replayed, ..Self::ok(done.value) }
    }

    /// What was created, at this address.
    pub(super) fn created(done: Done<T>, location: String) -> Self {
        Self { status: StatusCode::CREATED, location: Some(location), ..Self::done(done) }
    }

    /// With the version that a change must name in `If-Match`.
    #[must_use]
    pub(super) fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let bytes = match serde_json::to_vec(&self.value) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(%error, "an answer could not be written");
                return Problem::internal().into_response();
            }
        };
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(version) = self.version
            && let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\""))
        {
            headers.insert(ETAG, tag);
        }
        if let Some(Ok(place)) = self.location.as_deref().map(HeaderValue::from_str) {
            headers.insert(LOCATION, place);
        }
        if self.replayed {
            headers.insert(&REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}
