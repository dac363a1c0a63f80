//! A program that is told by webhook: a real HTTP server that checks signatures by itself.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::watch;

/// How it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mood {
    /// With this status.
    Answer(u16),
    /// With this status and a `Retry-After` in seconds.
    RetryAfter(u16, u64),
    /// Elsewhere.
    Redirect(String),
    /// Not before it is told another mood, and then with 500.
    Hang,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) timestamp: i64,
    pub(crate) signatures: Vec<String>,
    pub(crate) body: Vec<u8>,
}

/// The program.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
    mood: watch::Sender<Mood>,
}

impl Hook {
    /// Starts it; it lives as long as the test's runtime.
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hook = Self { address, told: Arc::default(), mood: watch::channel(mood).0 };
        let router = Router::new().fallback(take).with_state(hook.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        hook
    }

    /// Where it is told.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?from=chancery", self.address)
    }

    /// It answers otherwise from now on.
    pub(crate) fn becomes(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Everything that came.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}

impl Told {
    /// Whether one of its signatures was made with this secret, computed as the specification says.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(key.len(), 32);
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(self.id.as_bytes());
        mac.update(b".");
        mac.update(self.timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(&self.body);
        let right = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.signatures.contains(&right)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn take(State(hook): State<Hook>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(text("content-type"), "application/json");
    let told = Told {
        id: text("webhook-id"),
        timestamp: text("webhook-timestamp").parse().unwrap(),
        signatures: text("webhook-signature").split(' ').map(str::to_owned).collect(),
        body: body.to_vec(),
    };
    hook.told.lock().unwrap().push(told);
    let mut mood = hook.mood.subscribe();
    let now = mood.borrow_and_update().clone();
    match now {
        Mood::Answer(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Mood::RetryAfter(status, seconds) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [("retry-after", seconds.to_string())]).into_response()
        }
        Mood::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response(),
        Mood::Hang => {
            mood.changed().await.unwrap();
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
