//! One call as a platform's simulator sees it, and its answer.

use std::borrow::Cow;

use axum::body::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::Value;

/// A file or field of a multipart body.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) is_file: bool,
    pub(crate) bytes: Bytes,
}

/// The body, read to its end and decoded as its content type says.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// No body.
    Other,
    /// A body of another type.
    File(Bytes),
    /// `application/json` that could not be decoded.
    BrokenJson,
    /// `application/json`.
    Json(Value),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// `multipart/form-data`.
    Multipart(Vec<Part>),
}

/// A call that has arrived completely.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
    /// When it arrived, by the simulators' clock.
    pub(crate) at: Timestamp,
}

impl Call {
    /// The first query parameter of that name.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first field of that name in a form.
    pub(crate) fn form(&self, name: &str) -> Option<&str> {
        let Content::Form(fields) = &self.content else { return None };
        fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All query parameters of that name.
    pub(crate) fn queries(&self, name: &str) -> Vec<&str> {
        let all = self.query.iter().filter(|(key, _)| key == name);
        all.map(|(_, value)| value.as_str()).collect()
    }

    /// A header, when it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of `Authorization: Bearer …` (or `OAuth …`, which Graph takes too).
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth");
        known.then(|| token.trim())
    }

    /// The parts of the path.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).collect()
    }
}

/// An answer before faults have touched it.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    /// The id of the post that the call made.
    pub(crate) created: Option<String>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/json; charset=utf-8",
            body: Bytes::from(body.to_string()),
            created: None,
        }
    }

    pub(crate) fn html(status: u16, body: String) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "text/html; charset=utf-8",
            body: Bytes::from(body),
            created: None,
        }
    }

    /// Sends a browser on.
    pub(crate) fn redirect(to: String) -> Self {
        Self::html(302, String::new()).with_header("location", to)
    }

    #[must_use]
    pub(crate) fn with_header(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub(crate) fn creating(mut self, id: String) -> Self {
        self.created = Some(id);
        self
    }

    #[must_use]
    pub(crate) fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}
