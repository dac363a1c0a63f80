//! What a server's answers mean: one table, with a test for each row.
//!
//! A create is judged by an allow-list of *definitely not created*, each in the form of the protocol,
//! `{"error", "message"}`; a page of HTML with the same status proves nothing.

use jiff::Timestamp;
use serde_json::Value;

use super::api::reset;
use crate::domain::attempt::{Reach, Receipt};
use crate::outbound::Response;
use crate::platforms::outcome::{Deferral, Doubt, Outcome, Refusal, RefusalKind};
use crate::platforms::wire::{shorten, text_at, upload_again};

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Too many calls: wait for the window to end.
    RateLimited,
    /// The access token has ended: a new one is to be asked for.
    Ended,
    /// There is no such record.
    Missing,
    /// Refused for good, for this reason.
    Refused(RefusalKind),
}

use Meaning::{Ended, Missing, RateLimited, Refused};
use RefusalKind::{Content, Credential, Permission, Person};

/// The first row counts whose status is there and whose name is the error's. atproto.com, specifications,
/// XRPC, and the lexicons of the methods; read 2026-11-22.
const TABLE: &[(&[u16], Option<&str>, Meaning)] = &[
    (&[429], None, RateLimited),
    (&[400, 401], Some("ExpiredToken"), Ended),
    (&[400, 401], Some("InvalidToken"), Ended),
    (&[400, 401, 403], Some("AccountTakedown"), Refused(Person)),
    (&[400, 401, 403], Some("AccountSuspended"), Refused(Person)),
    (&[400, 401, 403], Some("AccountDeactivated"), Refused(Person)),
    (&[400], Some("RecordNotFound"), Missing),
    (&[400], Some("RepoNotFound"), Refused(Credential)),
    (&[401], None, Refused(Credential)),
    (&[403], None, Refused(Permission)),
    (&[400, 404, 413], None, Refused(Content)),
];

/// A refusal in the form of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: u16,
    error: String,
    message: String,
}

impl Problem {
    /// The refusal in an answer that is no success.
    pub(super) fn parse(answer: &Response) -> Option<Self> {
        let value: Value = serde_json::from_slice(&answer.body).ok()?;
        let error = text_at(&value, "error")?;
        let message = text_at(&value, "message").unwrap_or_default();
        Some(Self { status: answer.status.as_u16(), error, message })
    }

    /// What it means; `None` when its status is not on the list.
    pub(super) fn meaning(&self) -> Option<Meaning> {
        let fits = |name: Option<&str>| name.is_none_or(|name| self.error == name);
        let row =
            TABLE.iter().find(|(statuses, name, _)| statuses.contains(&self.status) && fits(*name));
        row.map(|(_, _, meaning)| *meaning)
    }

    /// The status, the name and the words, cut short.
    pub(super) fn said(&self) -> String {
        shorten(&format!("{} {} {}", self.status, self.error, self.message))
    }

    /// As an outcome of what may be repeated, or of what was certainly not done.
    pub(super) fn outcome(&self, meaning: Meaning, answer: &Response, now: Timestamp) -> Outcome {
        match meaning {
            Refused(kind) => Outcome::Refused(self.refusal(kind)),
            RateLimited => Outcome::Deferred(self.deferral(answer, now)),
            Ended => Outcome::Deferred(Deferral {
                until: None,
                code: "connect",
                detail: "the session has ended; nothing was done".to_owned(),
                whole_account: false,
            }),
            Missing => Outcome::Refused(self.refusal(Content)),
        }
    }

    /// As a refusal of this kind.
    pub(super) fn refusal(&self, kind: RefusalKind) -> Refusal {
        let code = shorten(&format!("{} {}", self.status, self.error));
        Refusal { kind, code, detail: shorten(&self.message) }
    }

    /// As a wait for the window to end.
    pub(super) fn deferral(&self, answer: &Response, now: Timestamp) -> Deferral {
        Deferral {
            until: reset(&answer.headers).filter(|at| *at > now),
            code: "rate_limit",
            detail: self.said(),
            whole_account: true,
        }
    }
}

/// What came of a create under `key`: a success names the record by its whole address.
pub(super) fn created(answer: &Response, now: Timestamp, uri: &str, receipt: Receipt) -> Outcome {
    if answer.status.is_success() {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        return match text_at(&value, "uri") {
            Some(shown) if shown == uri => Outcome::Published(receipt),
            Some(_) | None => doubt(answer, "the answer does not name the record"),
        };
    }
    let problem = Problem::parse(answer);
    match problem.as_ref().and_then(|problem| Some((problem, problem.meaning()?))) {
        Some((problem, meaning)) => problem.outcome(meaning, answer, now),
        None => doubt(answer, &problem.map_or_else(String::new, |problem| problem.said())),
    }
}

fn doubt(answer: &Response, why: &str) -> Outcome {
    Outcome::Unknown(Doubt {
        reach: Reach::AnswerStarted,
        detail: shorten(&format!("status {}: {why}", answer.status.as_u16())),
        // The key is known without any answer.
        remote_id: None,
    })
}

/// What an uploaded file is called in a record.
pub(super) fn uploaded(answer: &Response, now: Timestamp) -> Result<Value, Box<Outcome>> {
    if answer.status.is_success() {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let blob = value.get("blob").filter(|blob| blob.pointer("/ref/$link").is_some());
        return blob.cloned().ok_or_else(|| Box::new(upload_again("no blob in the answer")));
    }
    Err(Box::new(repeatable(answer, now)))
}

/// What came of a step that may be repeated and was no success.
pub(super) fn repeatable(answer: &Response, now: Timestamp) -> Outcome {
    let problem = Problem::parse(answer);
    match problem.as_ref().and_then(|problem| Some((problem, problem.meaning()?))) {
        Some((problem, meaning)) => problem.outcome(meaning, answer, now),
        None => upload_again(&format!("status {}", answer.status.as_u16())),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().expect("instant")
    }

    fn answer(status: u16, body: &str) -> Response {
        let mut headers = HeaderMap::new();
        let reset = (now().as_second() + 300).to_string();
        headers.insert("ratelimit-reset", HeaderValue::from_str(&reset).expect("header"));
        let status = StatusCode::from_u16(status).expect("status");
        Response { status, headers, body: body.to_owned().into() }
    }

    const URI: &str = "at://did:plc:abc/app.bsky.feed.post/3jzfcijpj2z2a";

    fn say(status: u16, body: &str) -> Outcome {
        let receipt = Receipt { remote_id: "3jz".to_owned(), permalink: None, published_at: now() };
        created(&answer(status, body), now(), URI, receipt)
    }

    #[test]
    fn a_refusal_in_the_form_of_the_protocol_is_one() {
        for (status, error, kind) in [
            (401, "AuthenticationRequired", Credential),
            (401, "AuthMissing", Credential),
            (401, "AccountTakedown", Person),
            (400, "AccountDeactivated", Person),
            (403, "Forbidden", Permission),
            (400, "InvalidRequest", Content),
            (400, "InvalidRecord", Content),
            (413, "PayloadTooLarge", Content),
        ] {
            let body = serde_json::json!({ "error": error, "message": "why" }).to_string();
            let Outcome::Refused(refusal) = say(status, &body) else { panic!("{status} {error}") };
            assert_eq!((refusal.kind, refusal.detail.as_str()), (kind, "why"));
        }
        let Outcome::Deferred(wait) = say(429, r#"{"error":"RateLimitExceeded"}"#) else {
            panic!("a limit")
        };
        assert_eq!(wait.until, Timestamp::from_second(now().as_second() + 300).ok());
        let ended = say(400, r#"{"error":"ExpiredToken","message":"Token has expired"}"#);
        assert!(matches!(ended, Outcome::Deferred(Deferral { code: "connect", .. })), "{ended:?}");
    }

    #[test]
    fn whatever_else_comes_proves_nothing() {
        for (status, body) in [
            (200, "{}"),
            (200, "<html>"),
            (200, r#"{"uri":"at://did:plc:abc/app.bsky.feed.post/other"}"#),
            (401, "<html>"),
            (400, "{}"),
            (429, ""),
            (500, r#"{"error":"InternalServerError","message":"Internal Server Error"}"#),
            (502, r#"{"error":"UpstreamFailure"}"#),
            (409, r#"{"error":"Conflict"}"#),
            (302, ""),
        ] {
            let said = say(status, body);
            assert!(matches!(said, Outcome::Unknown(_)), "{status} {body}: {said:?}");
        }
        let done = say(200, &format!(r#"{{"uri":"{URI}","cid":"bafy"}}"#));
        assert!(matches!(done, Outcome::Published(_)), "{done:?}");
    }

    #[test]
    fn an_upload_is_never_a_doubt() {
        let blob =
            r#"{"blob":{"$type":"blob","ref":{"$link":"bafk"},"mimeType":"image/png","size":1}}"#;
        assert!(uploaded(&answer(200, blob), now()).is_ok());
        for (status, body) in [(200, "{}"), (200, ""), (503, ""), (500, r#"{"error":"E"}"#)] {
            let lost = uploaded(&answer(status, body), now()).expect_err("no blob");
            assert!(matches!(*lost, Outcome::Deferred(_)), "{status} {body}: {lost:?}");
        }
        let big = uploaded(&answer(400, r#"{"error":"BlobTooLarge"}"#), now());
        assert!(matches!(*big.expect_err("refused"), Outcome::Refused(_)));
    }
}
