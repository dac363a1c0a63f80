//! The front of a simulator: reads a call, lets a fault strike, keeps the journal, and answers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::response::Response;
use axum::{Extension, Router};
use futures_util::stream;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use tokio_util::sync::CancellationToken;

use super::call::{Call, Content, Part, Reply};
use super::control;
use super::faults::{Effects, Kind, Operation};
use super::records::{CreateOutcome, Intent, Platform};
use super::wire::Cut;
use super::world::World;
use crate::clock::{Clock, SystemClock};

/// No call is longer; the largest picture of either platform is far below.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// What a call is for and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) operation: Operation,
    pub(crate) account: Option<String>,
}

/// One platform's side of the contract.
pub(crate) trait Side: Send + Sync + 'static {
    /// Which platform it is.
    fn platform(&self) -> Platform;

    /// What the call is for and whose it is, for faults and the journal.
    fn place(&self, world: &World, call: &Call) -> Place;

    /// What a create asks for, for the journal.
    fn intent(&self, world: &World, call: &Call) -> Intent;

    /// Carries the call out.
    fn answer(&self, world: &World, call: &Call, effects: Effects) -> Reply;

    /// The platform's own form of a failure; `own` is the true answer when the call was carried
    /// out.
    fn failure(&self, world: &World, call: &Call, kind: &Kind, own: Option<&Reply>) -> Reply;

    /// A page for people, when the address is one.
    fn page(&self, world: &World, call: &Call) -> Option<Reply>;
}

struct Front<S> {
    side: S,
    world: Arc<World>,
    stopping: CancellationToken,
}

/// The routes of one platform's simulator.
pub(crate) fn router<S: Side>(side: S, world: Arc<World>, stopping: CancellationToken) -> Router {
    let front = Arc::new(Front { side, world: Arc::clone(&world), stopping });
    Router::new()
        .nest("/_control", control::router(world))
        .fallback(serve::<S>)
        .layer(DefaultBodyLimit::disable())
        .with_state(front)
}

async fn serve<S: Side>(
    State(front): State<Arc<Front<S>>>,
    cut: Option<Extension<ConnectInfo<Cut>>>,
    request: Request,
) -> Response {
    let call = match receive(&front.world, request).await {
        Ok(call) => call,
        Err(status) => return front.respond(&plain(status)),
    };
    front.world.hear(front.side.platform(), &call);
    if let Some(page) = front.side.page(&front.world, &call) {
        return front.respond(&page);
    }
    let place = front.side.place(&front.world, &call);
    let fault =
        front.world.faults().pick(front.side.platform(), place.operation, place.account.as_deref());
    let latency = front.world.settings().latency_ms;
    if latency > 0 {
        front.pause(latency).await;
    }
    match fault {
        None => {
            let reply = front.execute(&call, &place, None);
            front.respond(&reply)
        }
        Some(kind) => strike(front, call, place, kind, cut.map(|Extension(info)| info.0)).await,
    }
}

/// Lets a fault happen to a call.
async fn strike<S: Side>(
    front: Arc<Front<S>>,
    call: Call,
    place: Place,
    kind: Kind,
    cut: Option<Cut>,
) -> Response {
    if let Kind::Late { ms } = kind {
        let (later, name) = (Arc::clone(&front), kind);
        // On its own task, because the client may go away meanwhile and it must happen still.
        let done = tokio::spawn(async move {
            if later.pause(ms).await {
                later.execute(&call, &place, Some(&name));
            }
        });
        // It can only fail by panicking, and then the connection closes as well.
        let _ended = done.await;
        return hang_up(cut.as_ref());
    }
    let own = if kind.executes() {
        Some(front.execute(&call, &place, Some(&kind)))
    } else {
        front.note(&call, &place, CreateOutcome::NotExecuted, Some(&kind));
        None
    };
    match &kind {
        Kind::DropBefore | Kind::DropAfter => return hang_up(cut.as_ref()),
        Kind::HangBefore { ms } => {
            front.pause(*ms).await;
            return hang_up(cut.as_ref());
        }
        Kind::CutAnswer { bytes } => {
            if let Some(cut) = &cut {
                cut.after(u64::from(*bytes));
            }
        }
        Kind::HangAfter { ms } => {
            front.pause(*ms).await;
        }
        Kind::SlowDrip { ms } => return front.drip(own.unwrap_or_else(|| plain(500)), *ms),
        Kind::Huge { bytes } => return front.flood(&own.unwrap_or_else(|| plain(500)), *bytes),
        Kind::Late { .. }
        | Kind::ServerError { .. }
        | Kind::Html { .. }
        | Kind::Truncate { .. }
        | Kind::WithoutId
        | Kind::Empty
        | Kind::Redirect
        | Kind::Lag { .. }
        | Kind::Unreadable { .. }
        | Kind::Vanish { .. }
        | Kind::RateLimited { .. }
        | Kind::Graph { .. }
        | Kind::XProblem { .. }
        | Kind::Answer { .. } => {}
    }
    front.respond(&front.spoil(&call, &kind, own))
}

impl<S: Side> Front<S> {
    fn execute(&self, call: &Call, place: &Place, fault: Option<&Kind>) -> Reply {
        let effects = fault.map(Kind::effects).unwrap_or_default();
        let reply = self.side.answer(&self.world, call, effects);
        let outcome = match &reply.created {
            Some(id) => CreateOutcome::Created(id.clone()),
            None => CreateOutcome::Refused(reply.status),
        };
        self.note(call, place, outcome, fault);
        reply
    }

    fn note(&self, call: &Call, place: &Place, outcome: CreateOutcome, fault: Option<&Kind>) {
        if place.operation == Operation::Create {
            self.world.record(
                self.side.platform(),
                place.account.clone(),
                call.at,
                || self.side.intent(&self.world, call),
                outcome,
                fault.map(Kind::name),
            );
        }
    }

    /// The answer that a fault leaves of the true one.
    fn spoil(&self, call: &Call, kind: &Kind, own: Option<Reply>) -> Reply {
        match (kind, own) {
            (Kind::Html { .. }, _) => Reply::html(502, BAD_GATEWAY.to_owned()),
            (Kind::Redirect, _) => plain(307).with_header("location", call.path.clone()),
            (Kind::Answer { status, headers, body, .. }, _) => {
                let reply = plain(*status).with_body(body.clone());
                headers.iter().fold(reply, |reply, (name, value)| {
                    reply.with_header(name.to_ascii_lowercase(), value.clone())
                })
            }
            (Kind::Truncate { bytes }, Some(own)) => {
                let kept = own.body.slice(..own.body.len().min(*bytes));
                own.with_body(kept)
            }
            (Kind::Empty, Some(own)) => own.with_body(Bytes::new()),
            (
                Kind::CutAnswer { .. }
                | Kind::HangAfter { .. }
                | Kind::Lag { .. }
                | Kind::Unreadable { .. }
                | Kind::Vanish { .. },
                Some(own),
            ) => own,
            (kind, own) => self.side.failure(&self.world, call, kind, own.as_ref()),
        }
    }

    /// Waits by the simulators' clock; false when the simulator stops meanwhile.
    async fn pause(&self, ms: u64) -> bool {
        let cap = Duration::from_millis(self.world.settings().hang_cap_ms);
        tokio::select! {
            () = self.world.clock().sleep(Duration::from_millis(ms)) => true,
            () = SystemClock.sleep(cap) => true,
            () = self.stopping.cancelled() => false,
        }
    }

    fn respond(&self, reply: &Reply) -> Response {
        self.respond_with(reply, Body::from(reply.body.clone()))
    }

    fn respond_with(&self, reply: &Reply, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static(reply.content_type));
        let date = self.world.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let own = [("date".into(), date)];
        for (name, value) in own.iter().chain(&reply.headers) {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                headers.insert(name, value);
            }
        }
        response
    }

    /// The answer, one byte at a time.
    fn drip(self: Arc<Self>, reply: Reply, ms: u64) -> Response {
        let length = reply.body.len().to_string();
        let front = Arc::clone(&self);
        let bytes =
            stream::unfold((front, reply.body.clone()), move |(front, mut rest)| async move {
                if rest.is_empty() || !front.pause(ms).await {
                    return None;
                }
                let byte = rest.split_to(1);
                Some((Ok::<_, std::convert::Infallible>(byte), (front, rest)))
            });
        let reply = reply.with_header("content-length", length);
        self.respond_with(&reply, Body::from_stream(bytes))
    }

    /// The answer, followed by blanks up to so many bytes.
    fn flood(self: Arc<Self>, reply: &Reply, bytes: u64) -> Response {
        static BLANKS: [u8; 65_536] = [b' '; 65_536];
        let front = Arc::clone(&self);
        let start = (front, Some(reply.body.clone()), bytes);
        let chunks = stream::unfold(start, |(front, first, left)| async move {
            if left == 0 || front.stopping.is_cancelled() {
                return None;
            }
            let chunk = first.unwrap_or_else(|| Bytes::from_static(&BLANKS));
            let left = left.saturating_sub(u64::try_from(chunk.len()).unwrap_or(left));
            Some((Ok::<_, std::convert::Infallible>(chunk), (front, None, left)))
        });
        self.respond_with(reply, Body::from_stream(chunks))
    }
}

const BAD_GATEWAY: &str = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>\
    <body><h1>Bad Gateway</h1></body></html>";

fn plain(status: u16) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        content_type: "application/json; charset=utf-8",
        body: Bytes::new(),
        created: None,
    }
}

/// Closes the connection; what is returned never leaves.
fn hang_up(cut: Option<&Cut>) -> Response {
    if let Some(cut) = cut {
        cut.after(0);
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// Reads a call to its end.
async fn receive(world: &World, request: Request) -> Result<Call, u16> {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, MAX_BODY).await else {
        return Err(StatusCode::PAYLOAD_TOO_LARGE.as_u16());
    };
    let at = world.now();
    let content = decode(&parts, bytes).await?;
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    let path = parts.uri.path().to_owned();
    Ok(Call { method: parts.method, path, query, headers: parts.headers, content, at })
}

async fn decode(parts: &Parts, bytes: Bytes) -> Result<Content, u16> {
    let kind = parts.headers.get("content-type").and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default();
    if kind.starts_with("application/json") {
        return Ok(serde_json::from_slice(&bytes).map_or(Content::BrokenJson, Content::Json));
    }
    if kind.starts_with("application/x-www-form-urlencoded") {
        return Ok(Content::Form(url::form_urlencoded::parse(&bytes).into_owned().collect()));
    }
    if !kind.starts_with("multipart/form-data") {
        return Ok(if bytes.is_empty() { Content::Other } else { Content::File(bytes) });
    }
    let mut request = Request::new(Body::from(bytes));
    *request.headers_mut() = parts.headers.clone();
    *request.extensions_mut() = parts.extensions.clone();
    let bad = StatusCode::BAD_REQUEST.as_u16();
    let Ok(mut multipart) = Multipart::from_request(request, &()).await else {
        return Err(bad);
    };
    let mut fields = Vec::new();
    while let Some(field) = multipart.next_field().await.map_err(|error| error.status().as_u16())? {
        let name = field.name().unwrap_or_default().to_owned();
        let is_file = field.file_name().is_some();
        let Ok(bytes) = field.bytes().await else { return Err(bad) };
        fields.push(Part { name, is_file, bytes });
    }
    Ok(Content::Multipart(fields))
}
