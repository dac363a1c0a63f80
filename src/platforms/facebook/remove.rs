//! Deletes a post of a Page, or a comment of it.

use jiff::Timestamp;
use serde_json::Value;

use super::Settings;
use super::api::{Graph, usage};
use super::classify::{GraphError, Meaning, free_at, is_definite, spellings};
use crate::outbound::Response;
use crate::platforms::outcome::{Alteration, Deferral, Refusal, RefusalKind};
use crate::platforms::session::{Metered, Session};
use crate::platforms::wire::failed_alteration;

/// `DELETE /{post}` answers with `success`; a second time it is "not there" (Graph API reference, page
/// post, read 2026-09-11).
pub(super) async fn remove(settings: &Settings, on: &Session, id: &str) -> Metered<Alteration> {
    let unmetered = |value| Metered { value, usage: Vec::new() };
    let graph = Graph::of(settings, on);
    let spellings = spellings(id, graph.page);
    let mut said = None;
    for id in &spellings {
        let came = ask(&graph, on, id).await;
        if !matches!(came.value, Alteration::NotThere(_)) {
            return came;
        }
        said = Some(came);
    }
    said.unwrap_or_else(|| {
        let detail = "the id is of no post of this Page".to_owned();
        let code = "remote_id".to_owned();
        unmetered(Alteration::Refused(Refusal { kind: RefusalKind::Content, code, detail }))
    })
}

async fn ask(graph: &Graph<'_>, on: &Session, id: &str) -> Metered<Alteration> {
    let unmetered = |value| Metered { value, usage: Vec::new() };
    let request = match graph.delete(id) {
        Ok(request) => request,
        Err(fault) => return unmetered(Alteration::Refused(fault.refusal())),
    };
    match on.outbound.send(request).await {
        Ok(answer) => {
            let now = on.clock.now();
            Metered { value: altered(&answer, now), usage: usage(&answer.headers, now) }
        }
        Err(failure) => unmetered(failed_alteration(&failure)),
    }
}

/// What came of it: both deleting a post and changing it are answered with `success`.
pub(super) fn altered(answer: &Response, now: Timestamp) -> Alteration {
    let unknown =
        |why: &str| Alteration::Unknown(format!("status {}: {why}", answer.status.as_u16()));
    if answer.status.is_success() {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        return match value.get("success").and_then(Value::as_bool) {
            Some(true) => Alteration::Made,
            Some(false) | None => unknown("no success in the answer"),
        };
    }
    let error = GraphError::parse(&answer.body).filter(|_| is_definite(answer.status));
    let Some(error) = error else { return unknown("no well-formed refusal") };
    let said = format!("{} {}", error.word(), error.detail());
    if error.word() == "100/33" {
        return Alteration::NotThere(said);
    }
    match error.meaning() {
        Some(meaning @ (Meaning::Throttled | Meaning::TooOften)) => {
            Alteration::Deferred(Deferral {
                until: Some(free_at(answer, meaning, now)),
                code: "rate_limit",
                detail: said,
                whole_account: true,
            })
        }
        Some(Meaning::Refused(kind)) => {
            Alteration::Refused(Refusal { kind, code: error.word(), detail: error.detail() })
        }
        Some(Meaning::Nothing) | None => unknown(&said),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn said(status: u16, body: &str) -> Alteration {
        let status = StatusCode::from_u16(status).expect("status");
        let body = body.to_owned().into();
        let now = "2026-11-22T10:00:00Z".parse().expect("instant");
        altered(&Response { status, headers: HeaderMap::new(), body }, now)
    }

    #[test]
    fn only_the_platforms_own_word_says_that_it_is_deleted_or_not() {
        assert_eq!(said(200, r#"{"success":true}"#), Alteration::Made);
        for (status, body) in [
            (200, r#"{"success":false}"#),
            (200, ""),
            (200, "{\"succ"),
            (502, "<html>"),
            (500, r#"{"error":{"code":2,"message":"Please retry"}}"#),
            (400, r#"{"error":{"code":2,"message":"Please retry"}}"#),
            (400, r#"{"error":{"code":99999,"message":"new"}}"#),
            (500, r#"{"error":{"code":100,"error_subcode":33,"message":"no"}}"#),
            (302, ""),
        ] {
            let removal = said(status, body);
            assert!(matches!(removal, Alteration::Unknown(_)), "{status} {body}: {removal:?}");
        }
        let gone = said(400, r#"{"error":{"code":100,"error_subcode":33,"message":"no"}}"#);
        assert!(matches!(gone, Alteration::NotThere(_)), "{gone:?}");
        let busy = said(400, r#"{"error":{"code":80001,"message":"too many calls"}}"#);
        assert!(matches!(busy, Alteration::Deferred(Deferral { until: Some(_), .. })), "{busy:?}");
        for (code, kind) in [(190, RefusalKind::Credential), (200, RefusalKind::Permission)] {
            let body = format!(r#"{{"error":{{"code":{code},"message":"no"}}}}"#);
            let Alteration::Refused(refusal) = said(403, &body) else { panic!("{code}") };
            assert_eq!(refusal.kind, kind);
        }
    }
}
