//! Where platforms send browsers back to: one small page, in which nothing stands that came with the
//! request.
//!
//! Who comes here has no token; he is known by the state that his browser was given. What is not
//! exactly as a platform sends it is turned away before anything is looked at.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::header::{CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use secrecy::SecretString;

use super::Api;
use super::frame::ForPeople;
use super::limits::Peer;
use super::problem::Problem;
use super::text::Tongue;
use super::text_landing::{Page, page};
use crate::service::Error;
use crate::service::connections::{Arrived, Landing, Said, arrive, waits};
use crate::telemetry::Chain;

/// The longest query that is looked at.
const LONGEST: usize = 8_192;
/// The longest code; Facebook's have several hundred characters.
const LONGEST_CODE: usize = 4_096;
/// A state is 32 bytes in base64url.
const STATE: usize = 43;
/// The longest word for a refusal.
const LONGEST_WORD: usize = 64;

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;\
    padding:0 1rem;color:#1b1b1b;background:#f6f6f4}h1{font-size:1.4rem}";

/// The route. It is for browsers and no part of the API's document.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/connect/{platform}/callback", get(land))
}

async fn land(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    Path(platform): Path<String>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let tongue = Tongue::wanted(&headers);
    // What only looks ahead must not use the sign-in up.
    let arrived =
        if method == Method::GET { read(query.as_deref().unwrap_or_default()) } else { None };
    let Some(arrived) = arrived else { return show(&Landing::Stale, tongue) };
    let services = api.services;
    let from = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(peer)| peer.0);
    // Anybody may come here: who brings nothing that is known costs a look, and no place among those who
    // write. It ends with his connection, so their number is bounded with that of connections.
    match api.auth.known(from, waits(&services, &platform, &arrived)).await {
        Ok(true) => {}
        Ok(false) => return show(&Landing::Stale, tongue),
        Err(error) => return failed(&error),
    }
    // On its own: a code is good once, so what was begun is finished even when the browser goes away.
    let work = tokio::spawn(async move { arrive(&services, &platform, arrived).await });
    match work.await {
        Ok(Ok(landing)) => show(&landing, tongue),
        Ok(Err(error)) => failed(&error),
        Err(panicked) => {
            tracing::error!(error = %Chain(&panicked), "a sign-in panicked");
            Problem::internal().into_response()
        }
    }
}

fn failed(error: &Error) -> Response {
    if matches!(error, Error::Busy) {
        return Problem::from(Error::Busy).into_response();
    }
    tracing::error!(error = %Chain(error), "a sign-in failed by our fault");
    Problem::internal().into_response()
}

/// What a platform sends: one state, and either one code or one word for a refusal. Anything else is
/// not from it.
fn read(query: &str) -> Option<Arrived> {
    if query.len() > LONGEST {
        return None;
    }
    let (mut states, mut codes, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "state" => states.push(value.into_owned()),
            "code" => codes.push(value.into_owned()),
            "error" => errors.push(value.into_owned()),
            _ => {}
        }
    }
    let url_safe = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
    let [state] = <[String; 1]>::try_from(states).ok()?;
    if state.len() != STATE || !state.bytes().all(url_safe) {
        return None;
    }
    let said = match (codes.as_slice(), errors.as_slice()) {
        ([code], []) => {
            let plain = code.bytes().all(|it| it.is_ascii_graphic());
            let good = (1..=LONGEST_CODE).contains(&code.len()) && plain;
            good.then(|| Said::Code(SecretString::from(code.clone())))?
        }
        ([], [word]) => {
            let plain = word.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
            let good = (1..=LONGEST_WORD).contains(&word.len()) && plain;
            good.then(|| Said::Error(word.clone()))?
        }
        _ => return None,
    };
    Some(Arrived { state, said })
}

fn show(landing: &Landing, tongue: Tongue) -> Response {
    let Page { title, text, good } = page(landing, tongue);
    let (title, text) = (escape(&title), escape(text));
    let body = format!(
        "<!DOCTYPE html><html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1><p>{text}</p></main></body></html>",
        tongue.tag()
    );
    let status = if good { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_LANGUAGE, HeaderValue::from_static(tongue.tag())),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    (status, headers, Extension(ForPeople), body).into_response()
}

/// Makes text harmless inside HTML. An account's name is its owner's to choose.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn only_what_a_platform_sends_is_read() {
        assert!(read(&format!("state={STATE}&code=abc")).is_some());
        assert!(read(&format!("code=abc&state={STATE}&granted_scopes=a%2Cb")).is_some());
        assert!(read(&format!("error=access_denied&error_code=200&state={STATE}")).is_some());
        let long = "a".repeat(4_097);
        for bad in [
            String::new(),
            format!("state={STATE}"),
            "code=abc".to_owned(),
            format!("state={STATE}&code="),
            format!("state={STATE}&code=a%20b"),
            format!("state={STATE}&code=a%0Ab"),
            format!("state={STATE}&code={long}"),
            format!("state={STATE}&code=a&code=b"),
            format!("state={STATE}&code=a&error=access_denied"),
            format!("state={STATE}&state={STATE}&code=a"),
            format!("state={STATE}&error=%3Cscript%3E"),
            format!("state={STATE}&error="),
            format!("state={STATE}A&code=a"),
            format!("state={}&code=a", &STATE[1..]),
            format!("state={}%00&code=a", &STATE[1..]),
            format!("state={}%C3%A9&code=a", &STATE[2..]),
            format!("state={STATE}&code=a&pad={}", "a".repeat(9_000)),
        ] {
            assert!(read(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_name_cannot_leave_its_place() {
        let landing = Landing::Done("<script>alert('1')</script>&\"".to_owned());
        let response = show(&landing, Tongue::En);
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(escape("<a href=\"'&"), "&lt;a href=&quot;&#39;&amp;");
    }
}
