//! One request and its answer.

use serde_json::Value;

/// A request that is being put together.
pub(crate) struct Ask(reqwest::RequestBuilder);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Status.
    pub(crate) status: u16,
    /// Headers.
    pub(crate) headers: reqwest::header::HeaderMap,
    /// Body.
    pub(crate) bytes: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(builder: reqwest::RequestBuilder) -> Self {
        Self(builder)
    }

    /// With a header.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// Under an idempotency key.
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// From a version.
    pub(crate) fn seen(self, tag: &str) -> Self {
        self.header("if-match", tag)
    }

    /// Without a body.
    pub(crate) async fn send(self) -> Answer {
        let response = self.0.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap().to_vec();
        Answer { status, headers, bytes }
    }

    /// With bytes of a type.
    pub(crate) async fn body(self, kind: &str, bytes: Vec<u8>) -> Answer {
        Self(self.0.header("content-type", kind).body(bytes)).send().await
    }

    /// With JSON.
    pub(crate) async fn json(self, body: &Value) -> Answer {
        self.body("application/json", serde_json::to_vec(body).unwrap()).await
    }
}

impl Answer {
    /// The body as JSON; `null` when there is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// A header, empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    /// The body, when the status is the wanted one.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self.json()
    }

    /// The problem, when it is one with this status and code and of the right shape.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)), "{body}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], format!("urn:chancery:problem:{code}"));
        assert!(body["title"].as_str().is_some_and(|it| !it.is_empty()));
        assert!(body["detail"].as_str().is_some_and(|it| !it.is_empty()));
        assert_eq!(body["instance"], self.header("x-request-id"));
        body
    }

    /// The faults of a problem, sorted.
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let body = self.problem(422, "validation");
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let mut all: Vec<_> = body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (text(&it["pointer"]), text(&it["code"])))
            .collect();
        all.sort();
        all
    }
}
