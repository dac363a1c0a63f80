//! What a calendar program fetches under a secret address. It has no token; who may see what is asked anew each time.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Api;
use super::limits::Peer;
use super::problem::Problem;
use crate::domain::session::Key;
use crate::service::Error;
use crate::service::feeds::{self, Given};

/// No machine that finds an address in some log shall list it.
static ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// The route. It is for calendar programs and no part of the API's document.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/calendar/feeds/{file}", get(fetch))
}

async fn fetch(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = file.strip_suffix(".ics").and_then(Key::parse).ok_or_else(Problem::not_found)?;
    let from = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(peer)| peer.0);
    let mut found = None;
    let look_up = async {
        found = feeds::find(&api.services, &key).await?;
        Ok::<_, Error>(found.is_some())
    };
    api.auth.known(from, look_up).await?;
    let Some((feed, owner)) = found else { return Err(Problem::not_found()) };
    let given = feeds::give(&api.services, &feed, &owner).await?;
    Ok(answer(given, &headers))
}

fn answer(given: Given, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", given.etag);
    let mut known = HeaderMap::new();
    let said = [
        (CACHE_CONTROL, "private, no-cache".to_owned()),
        (LAST_MODIFIED, written(given.changed_at)),
        (ROBOTS.clone(), "noindex".to_owned()),
        (ETAG, tag.clone()),
    ];
    for (name, value) in said {
        if let Ok(value) = HeaderValue::from_str(&value) {
            known.insert(name, value);
        }
    }
    if has(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, known).into_response();
    }
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"))];
    (known, kind, given.text).into_response()
}

/// Whether the program has it already. What a proxy has packed has a weak tag then, and is the same.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|it| it.to_str().ok());
    let mut tags = given.flat_map(|it| it.split(',')).map(str::trim);
    tags.any(|it| it == "*" || it.strip_prefix("W/").unwrap_or(it) == tag)
}

/// As HTTP writes instants.
fn written(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_whole_weak_among_others_and_by_a_star() {
        let asked = |value: &str| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, value.parse().unwrap())]);
            has(&headers, "\"abc\"")
        };
        assert!(asked("\"abc\"") && asked("W/\"abc\"") && asked("\"x\", \"abc\"") && asked("*"));
        assert!(!asked("\"abcd\"") && !asked("abc") && !has(&HeaderMap::new(), "\"abc\""));
        assert_eq!(written(Timestamp::UNIX_EPOCH), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
