//! A raw HTTP client for tests of the simulators: one call, one connection, nothing hidden.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::front::{Side, router};
use super::world::World;
use crate::clock::SimulatedClock;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A simulator without a network, at a fixed time.
pub(crate) struct Probe {
    pub(crate) clock: SimulatedClock,
    pub(crate) world: Arc<World>,
    routes: Router,
}

impl Probe {
    pub(crate) fn new(side: impl Side) -> Self {
        let clock = SimulatedClock::at("2026-09-02T02:00:00Z".parse().unwrap());
        let world = Arc::new(World::new(Arc::new(clock.clone())));
        let routes = router(side, Arc::clone(&world), CancellationToken::new());
        Self { clock, world, routes }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 64 * 1024 * 1024).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(request(Method::GET, path, token, "", Body::empty())).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Answer {
        self.send(request(Method::DELETE, path, token, "", Body::empty())).await
    }

    pub(crate) async fn post_json(&self, path: &str, token: &str, body: &Value) -> Answer {
        let body = Body::from(body.to_string());
        self.send(request(Method::POST, path, token, "application/json", body)).await
    }

    pub(crate) async fn put_json(&self, path: &str, token: &str, body: &Value) -> Answer {
        let body = Body::from(body.to_string());
        self.send(request(Method::PUT, path, token, "application/json", body)).await
    }

    pub(crate) async fn post_form(&self, path: &str, token: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = "application/x-www-form-urlencoded";
        self.send(request(Method::POST, path, token, kind, Body::from(body))).await
    }

    /// A multipart body with text fields and one file.
    pub(crate) async fn post_file(
        &self,
        path: &str,
        token: &str,
        fields: &[(&str, &str)],
        (name, bytes): (&str, &[u8]),
    ) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!(
                "--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
            body.extend_from_slice(part.as_bytes());
        }
        let head = format!(
            "--edge\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"a\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--edge--\r\n");
        let kind = "multipart/form-data; boundary=edge";
        self.send(request(Method::POST, path, token, kind, Body::from(body))).await
    }
}

fn request(method: Method, path: &str, token: &str, kind: &str, body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if !kind.is_empty() {
        request = request.header("content-type", kind);
    }
    request.body(body).unwrap()
}

/// A few bytes that are taken for a PNG picture; `salt` makes them differ.
pub(crate) fn picture(salt: u8) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0, salt]);
    bytes
}

/// Sends a call over a real connection; everything that came back until it closed.
pub(crate) async fn over_wire(
    base: &str,
    path: &str,
    token: &str,
    body: &Value,
) -> io::Result<Vec<u8>> {
    let address = base.strip_prefix("http://").unwrap_or(base);
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}
