//! Each row of the table, and what is no row.

use http::{HeaderMap, HeaderValue, StatusCode};

use super::*;
use crate::domain::attempt::Receipt;

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().expect("instant")
}

fn answer(status: u16, body: &str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert("x-ratelimit-reset", HeaderValue::from_static("2026-11-22T10:05:00.000000Z"));
    let status = StatusCode::from_u16(status).expect("status");
    Response { status, headers, body: body.to_owned().into() }
}

fn say(status: u16, body: &str) -> Outcome {
    let read = |value: &Value| {
        let remote_id = text_at(value, "id")?;
        value.get("whole")?;
        Some(Receipt { remote_id, permalink: None, published_at: now() })
    };
    created(&answer(status, body), now(), read)
}

#[test]
fn a_refusal_in_the_servers_words_is_one() {
    for (status, error, kind) in [
        (401, "The access token is invalid", Credential),
        (401, "The access token was revoked", Credential),
        (403, "This action is outside the authorized scopes", Permission),
        (403, "Your login is currently disabled", Person),
        (403, "Your login is missing a confirmed e-mail address", Person),
        (403, "Your login is currently pending approval", Person),
        (403, "This action is not allowed", Content),
        (404, "The post you are trying to reply to does not appear to exist.", Content),
        (422, "Validation failed: Text character limit of 500 exceeded", Content),
        (422, "Validation failed: Text can't be blank", Content),
        (413, "too large", Content),
    ] {
        let body = serde_json::json!({ "error": error }).to_string();
        let Outcome::Refused(refusal) = say(status, &body) else { panic!("{status} {error}") };
        assert_eq!((refusal.kind, refusal.detail.as_str()), (kind, error));
    }
    let busy = say(429, r#"{"error":"Too many requests"}"#);
    let Outcome::Deferred(wait) = busy else { panic!("{busy:?}") };
    assert_eq!(wait.until, Some("2026-11-22T10:05:00Z".parse().expect("instant")));
    assert!(wait.whole_account);
    let early = say(422, r#"{"error":"Cannot attach files that have not finished processing."}"#);
    assert!(matches!(early, Outcome::Deferred(Deferral { code: "upload", .. })), "{early:?}");
}

#[test]
fn whatever_else_comes_proves_nothing() {
    for (status, body) in [
        (200, "{}"),
        (200, "<html>"),
        (202, ""),
        (401, "<html>"),
        (422, "{}"),
        (429, ""),
        (500, r#"{"error":"There was an error"}"#),
        (503, r#"{"error":"Remote data could not be fetched"}"#),
        (409, r#"{"error":"conflict"}"#),
        (302, ""),
    ] {
        let said = say(status, body);
        assert!(matches!(said, Outcome::Unknown(_)), "{status} {body}: {said:?}");
    }
    assert!(matches!(say(200, r#"{"id":"7","whole":1}"#), Outcome::Published(_)));
    let Outcome::Unknown(doubt) = say(200, r#"{"id":"7"}"#) else { panic!("not whole") };
    assert_eq!(doubt.remote_id.as_deref(), Some("7"));
}

#[test]
fn a_picture_is_there_being_processed_or_gone() {
    let upload = |status: u16, body: &str| uploaded(&answer(status, body), now());
    assert_eq!(upload(200, r#"{"id":"5"}"#), Ok(Upload::Ready("5".to_owned())));
    assert_eq!(upload(202, r#"{"id":"5","url":null}"#), Ok(Upload::Processing("5".to_owned())));
    assert_eq!(upload(206, r#"{"id":"5"}"#), Ok(Upload::Processing("5".to_owned())));
    assert_eq!(upload(404, r#"{"error":"Record not found"}"#), Ok(Upload::Gone));
    for (status, body) in [(200, "{}"), (503, ""), (404, "<html>")] {
        let lost = upload(status, body).expect_err("no picture");
        assert!(matches!(*lost, Outcome::Deferred(_)), "{status} {body}: {lost:?}");
    }
    let bad = upload(422, r#"{"error":"Validation failed: File is not a picture"}"#);
    assert!(matches!(*bad.expect_err("refused"), Outcome::Refused(_)));
}
