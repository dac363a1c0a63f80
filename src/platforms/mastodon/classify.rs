//! What a Mastodon server's answers mean: one table, with a test for each row.
//!
//! A create is judged by an allow-list of *definitely not created*, each with the server's own words in
//! `error`; a page of HTML with the same status proves nothing.

use jiff::Timestamp;
use serde_json::Value;

use super::api::{is_id, reset};
use crate::domain::attempt::Reach;
use crate::outbound::Response;
use crate::platforms::outcome::{Deferral, Doubt, Outcome, Refusal, RefusalKind};
use crate::platforms::wire::{shorten, text_at, upload_again};

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Too many calls: wait for the window to end.
    RateLimited,
    /// A picture is not ready: the steps before the create are to be done again.
    NotReady,
    /// Refused for good, for this reason.
    Refused(RefusalKind),
}

use Meaning::{NotReady, RateLimited, Refused};
use RefusalKind::{Content, Credential, Permission, Person};

/// The first row counts whose status is there and whose phrase, in small letters, is in the words.
/// docs.joinmastodon.org, methods, statuses and media; entities, Error; read 2026-11-22. The phrases are
/// the English ones of its locale file: a server in another language is known by its status.
const TABLE: &[(&[u16], Option<&str>, Meaning)] = &[
    (&[429], None, RateLimited),
    (&[401], None, Refused(Credential)),
    (&[403], Some("authorized scopes"), Refused(Permission)),
    (&[403], Some("login is currently"), Refused(Person)),
    (&[403], Some("confirmed e-mail"), Refused(Person)),
    (&[403], Some("pending approval"), Refused(Person)),
    (&[403], None, Refused(Content)),
    (&[422], Some("finished processing"), NotReady),
    (&[400, 404, 410, 413, 422], None, Refused(Content)),
];

/// A refusal in the server's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: u16,
    error: String,
}

impl Problem {
    /// The refusal in an answer that is no success.
    pub(super) fn parse(answer: &Response) -> Option<Self> {
        let value: Value = serde_json::from_slice(&answer.body).ok()?;
        let error = text_at(&value, "error")?;
        // The OAuth layer gives a word, and its description beside it.
        let more =
            text_at(&value, "error_description").map_or(String::new(), |it| format!(" {it}"));
        Some(Self { status: answer.status.as_u16(), error: format!("{error}{more}") })
    }

    /// What it means; `None` when its status is not on the list.
    pub(super) fn meaning(&self) -> Option<Meaning> {
        let said = self.error.to_lowercase();
        let fits = |phrase: Option<&str>| phrase.is_none_or(|phrase| said.contains(phrase));
        let row = TABLE
            .iter()
            .find(|(statuses, phrase, _)| statuses.contains(&self.status) && fits(*phrase));
        row.map(|(_, _, meaning)| *meaning)
    }

    /// The status and the words, cut short.
    pub(super) fn said(&self) -> String {
        shorten(&format!("{} {}", self.status, self.error))
    }

    fn outcome(&self, meaning: Meaning, answer: &Response, now: Timestamp) -> Outcome {
        match meaning {
            Refused(kind) => Outcome::Refused(self.refusal(kind)),
            RateLimited => Outcome::Deferred(self.deferral(answer, now)),
            NotReady => upload_again(&self.said()),
        }
    }

    /// As a refusal of this kind.
    pub(super) fn refusal(&self, kind: RefusalKind) -> Refusal {
        Refusal { kind, code: self.status.to_string(), detail: shorten(&self.error) }
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

/// What came of a create: a success has the whole post, which `read` takes it from.
pub(super) fn created(
    answer: &Response,
    now: Timestamp,
    read: impl Fn(&Value) -> Option<crate::domain::attempt::Receipt>,
) -> Outcome {
    if answer.status.is_success() {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        return match read(&value) {
            Some(receipt) => Outcome::Published(receipt),
            None => doubt(answer, "no post of the account in the answer"),
        };
    }
    let problem = Problem::parse(answer);
    match problem.as_ref().and_then(|problem| Some((problem, problem.meaning()?))) {
        Some((problem, meaning)) => problem.outcome(meaning, answer, now),
        None => doubt(answer, &problem.map_or_else(String::new, |problem| problem.said())),
    }
}

fn doubt(answer: &Response, why: &str) -> Outcome {
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let id = text_at(&value, "id").filter(|id| is_id(id));
    Outcome::Unknown(Doubt {
        reach: Reach::AnswerStarted,
        detail: shorten(&format!("status {}: {why}", answer.status.as_u16())),
        remote_id: id.filter(|_| answer.status.is_success()),
    })
}

/// How far a picture is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Upload {
    /// It can be used under this id.
    Ready(String),
    /// It is being processed under this id.
    Processing(String),
    /// The server does not have it any more.
    Gone,
}

/// What came of an upload, or of asking for one: never a doubt.
pub(super) fn uploaded(answer: &Response, now: Timestamp) -> Result<Upload, Box<Outcome>> {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let id = text_at(&value, "id").filter(|id| is_id(id));
        let id = id.ok_or_else(|| Box::new(upload_again("no id in the answer")))?;
        // 202 after an upload, 206 after a question.
        let done = !matches!(status, 202 | 206);
        return Ok(if done { Upload::Ready(id) } else { Upload::Processing(id) });
    }
    let problem = Problem::parse(answer);
    match problem.as_ref().and_then(|problem| Some((problem, problem.meaning()?))) {
        Some(_) if status == 404 => Ok(Upload::Gone),
        Some((problem, meaning)) => Err(Box::new(problem.outcome(meaning, answer, now))),
        None => Err(Box::new(upload_again(&format!("status {status}")))),
    }
}

#[cfg(test)]
#[path = "tests/classify.rs"]
mod tests;
