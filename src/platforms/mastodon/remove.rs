//! Deletes a post on Mastodon.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::Settings;
use super::api::{Api, is_id};
use super::classify::{Meaning, Problem};
use crate::outbound::Response;
use crate::platforms::outcome::{Alteration, Refusal, RefusalKind};
use crate::platforms::session::{Metered, Session};
use crate::platforms::wire::{failed_alteration, text_at};

/// `DELETE /api/v1/statuses/{id}` answers with the post as it was.
pub(super) async fn remove(settings: &Settings, on: &Session, id: &str) -> Metered<Alteration> {
    let metered = |value| Metered { value, usage: Vec::new() };
    if !is_id(id) {
        let (code, detail) = ("remote_id".to_owned(), "the id is of no post".to_owned());
        return metered(Alteration::Refused(Refusal { kind: RefusalKind::Content, code, detail }));
    }
    let request = match Api::of(settings, on).and_then(|api| api.delete(id)) {
        Ok(request) => request,
        Err(fault) => return metered(Alteration::Refused(fault.refusal())),
    };
    metered(match on.outbound.send(request).await {
        Ok(answer) => altered(&answer, id, on.clock.now()),
        Err(failure) => failed_alteration(&failure),
    })
}

/// What came of it: both deleting a post and changing it are answered with the post.
pub(super) fn altered(answer: &Response, id: &str, now: Timestamp) -> Alteration {
    let unknown =
        |why: &str| Alteration::Unknown(format!("status {}: {why}", answer.status.as_u16()));
    if answer.status.is_success() {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        return match text_at(&value, "id") {
            Some(shown) if shown == id => Alteration::Made,
            Some(_) | None => unknown("it shows another post, or none"),
        };
    }
    let Some(problem) = Problem::parse(answer) else { return unknown("no well-formed refusal") };
    if answer.status == StatusCode::NOT_FOUND {
        return Alteration::NotThere(problem.said());
    }
    match problem.meaning() {
        Some(Meaning::RateLimited) => Alteration::Deferred(problem.deferral(answer, now)),
        Some(Meaning::Refused(kind)) => Alteration::Refused(problem.refusal(kind)),
        Some(Meaning::NotReady) | None => unknown(&problem.said()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn only_the_servers_own_word_says_that_it_is_deleted_or_not() {
        let now = "2026-11-22T10:00:00Z".parse().expect("instant");
        let said = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).expect("status");
            let body = body.to_owned().into();
            altered(&Response { status, headers: HeaderMap::new(), body }, "7", now)
        };
        assert_eq!(said(200, r#"{"id":"7","text":"A"}"#), Alteration::Made);
        for (status, body) in [
            (200, "{}"),
            (200, r#"{"id":"8"}"#),
            (404, "<html>"),
            (503, r#"{"error":"no"}"#),
            (429, ""),
        ] {
            let removal = said(status, body);
            assert!(matches!(removal, Alteration::Unknown(_)), "{status} {body}: {removal:?}");
        }
        let missing = said(404, r#"{"error":"Record not found"}"#);
        assert!(matches!(missing, Alteration::NotThere(_)), "{missing:?}");
        let busy = said(429, r#"{"error":"Too many requests"}"#);
        assert!(matches!(busy, Alteration::Deferred(_)), "{busy:?}");
        let dead = said(401, r#"{"error":"The access token is invalid"}"#);
        assert!(matches!(dead, Alteration::Refused(it) if it.kind == RefusalKind::Credential));
    }
}
