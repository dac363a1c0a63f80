//! Deletes a post on X.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::Settings;
use super::api::{Api, is_id};
use super::classify::{Meaning, Problem, free_at};
use crate::outbound::Response;
use crate::platforms::outcome::{Alteration, Deferral, Refusal, RefusalKind};
use crate::platforms::session::{Metered, Session};
use crate::platforms::wire::failed_alteration;

/// `DELETE /2/tweets/{id}` answers with `deleted`. What it says of a post that is not there differs
/// between documents (404, or `deleted: false`), so both are taken for it.
pub(super) async fn remove(settings: &Settings, on: &Session, id: &str) -> Metered<Alteration> {
    let metered = |value| Metered { value, usage: Vec::new() };
    if !is_id(id) {
        let (code, detail) = ("remote_id".to_owned(), "the id is of no post on X".to_owned());
        return metered(Alteration::Refused(Refusal { kind: RefusalKind::Content, code, detail }));
    }
    let request = match Api::of(settings, on).delete(id) {
        Ok(request) => request,
        Err(fault) => return metered(Alteration::Refused(fault.refusal())),
    };
    metered(match on.outbound.send(request).await {
        Ok(answer) => removed(&answer, on.clock.now()),
        Err(failure) => failed_alteration(&failure),
    })
}

fn removed(answer: &Response, now: Timestamp) -> Alteration {
    let unknown =
        |why: &str| Alteration::Unknown(format!("status {}: {why}", answer.status.as_u16()));
    if answer.status.is_success() {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        return match value.pointer("/data/deleted").and_then(Value::as_bool) {
            Some(true) => Alteration::Made,
            Some(false) => Alteration::NotThere("deleted: false".to_owned()),
            None => unknown("it does not say whether it is deleted"),
        };
    }
    let Some(problem) = Problem::parse(answer) else { return unknown("no well-formed refusal") };
    let said = format!("{} {}", problem.word(), problem.said());
    if answer.status == StatusCode::NOT_FOUND {
        return Alteration::NotThere(said);
    }
    match problem.meaning() {
        Some(Meaning::RateLimited | Meaning::Capped) => Alteration::Deferred(Deferral {
            until: free_at(answer, now).0,
            code: "rate_limit",
            detail: said,
            whole_account: true,
        }),
        Some(Meaning::Refused(kind)) => {
            Alteration::Refused(Refusal { kind, code: problem.word(), detail: problem.said() })
        }
        None => unknown(&said),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn said(status: u16, body: &str) -> Alteration {
        let status = StatusCode::from_u16(status).expect("status");
        let body = body.to_owned().into();
        let now = "2026-11-22T10:00:00Z".parse().expect("instant");
        removed(&Response { status, headers: HeaderMap::new(), body }, now)
    }

    #[test]
    fn only_the_platforms_own_word_says_that_it_is_deleted_or_not() {
        assert_eq!(said(200, r#"{"data":{"deleted":true}}"#), Alteration::Made);
        for (status, body) in [
            (200, "{}"),
            (200, r#"{"data":{"dele"#),
            (503, r#"{"title":"Service Unavailable"}"#),
            (404, "<html>"),
            (429, "<html>"),
            (307, ""),
        ] {
            let removal = said(status, body);
            assert!(matches!(removal, Alteration::Unknown(_)), "{status} {body}: {removal:?}");
        }
        for (status, body) in [
            (200, r#"{"data":{"deleted":false}}"#),
            (404, r#"{"title":"Not Found Error","detail":"no","type":"a/resource-not-found"}"#),
        ] {
            let removal = said(status, body);
            assert!(matches!(removal, Alteration::NotThere(_)), "{status} {body}: {removal:?}");
        }
        let busy = said(429, r#"{"title":"Too Many Requests","detail":"Too Many Requests"}"#);
        assert!(matches!(busy, Alteration::Deferred(_)), "{busy:?}");
        let rows = [
            (401, "Unauthorized", RefusalKind::Credential),
            (403, "You are not permitted to perform this action.", RefusalKind::Content),
            (403, "Your account is suspended", RefusalKind::Person),
            (402, "CreditsDepleted", RefusalKind::Credits),
        ];
        for (status, detail, kind) in rows {
            let body = format!(r#"{{"title":"no","detail":"{detail}"}}"#);
            let Alteration::Refused(refusal) = said(status, &body) else { panic!("{status}") };
            assert_eq!(refusal.kind, kind, "{status} {detail}");
        }
    }
}
