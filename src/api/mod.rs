//! The HTTP API, the only door: routers joined, and the layers around them.
//!
//! It maps bodies to acts and acts' answers to bodies; it holds no rule and opens no transaction.

mod answer;
mod closed;
mod extract;
mod feed;
mod frame;
mod headers;
mod health;
mod json;
mod landing;
mod limits;
mod listen;
mod openapi;
mod page;
mod password_page;
mod problem;
mod sheet;
mod text;
#[cfg(test)]
mod text_codes;
mod text_connections;
mod text_embargoes;
mod text_follow_ups;
mod text_holds;
mod text_http;
mod text_imports;
mod text_landing;
mod text_nouns;
mod text_plans;
mod text_platforms;
mod text_rules;
mod text_series;
mod text_translations;
mod unread;
mod v1;

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

pub use health::Vitals;
pub use listen::serve;
pub use openapi::document;
pub use problem::Problem;

use crate::auth::Auth;
use crate::service::Services;

/// How much longer than other requests an upload may take.
const UPLOAD_PATIENCE: u32 = 20;

/// What every handler has.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    services: Services,
    auth: Auth,
    vitals: Arc<dyn Vitals>,
}

/// All addresses.
///
/// Layers, from the outside in, each with the reason for its place: the frame (it must see what
/// every other layer answers, and give each its id), the catching of panics (inside the frame, so
/// that a panic becomes a problem with an id, outside of all that can panic), the deadlines (by
/// kind of route, because an upload may take longer). Bodies are bounded where they are read, in
/// `extract`, because media and JSON have different limits.
pub fn router(services: Services, auth: Auth, vitals: Arc<dyn Vitals>) -> Router {
    let patience = services.config.server.request_timeout;
    let api = Api { services, auth, vitals };
    let (short, long) = openapi::routers();
    let (short, _) = short.split_for_parts();
    let (long, _) = long.split_for_parts();
    let deadline = |span| TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, span);
    Router::new()
        .merge(short.layer(deadline(patience)))
        .merge(long.layer(deadline(patience * UPLOAD_PATIENCE)).layer(DefaultBodyLimit::disable()))
        .merge(openapi::page())
        .merge(password_page::routes().layer(deadline(patience)))
        .merge(feed::routes().layer(deadline(patience)))
        .merge(landing::routes().layer(deadline(patience * UPLOAD_PATIENCE)))
        .fallback(nothing_here)
        .layer(CatchPanicLayer::custom(after_panic))
        .layer(middleware::from_fn_with_state(api.clone(), frame::around))
        .with_state(api)
}

async fn nothing_here() -> Problem {
    Problem::not_found()
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn after_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("nothing");
    tracing::error!(panic = said, "a request panicked");
    Problem::internal().into_response()
}
