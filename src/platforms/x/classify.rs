//! What X's answers mean: one table, with a test for each row.
//!
//! A create is judged by an allow-list of *definitely not created*, each with X's own problem
//! body; a page of HTML with the same status proves nothing.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::Value;

use super::api::{is_id, is_made_by, made_at, usable_for, windows};
use crate::domain::attempt::{Reach, Receipt};
use crate::outbound::Response;
use crate::platforms::outcome::{Deferral, Doubt, Outcome, Refusal, RefusalKind};
use crate::platforms::wire::{shorten, text_at, upload_again};

/// What a problem means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Too many calls: wait for the window that is used up.
    RateLimited,
    /// The application's or account's cap is reached: wait for its period to end.
    Capped,
    /// Refused for good, for this reason.
    Refused(RefusalKind),
}

use Meaning::{Capped, RateLimited, Refused};
use RefusalKind::{Configuration, Content, Credential, Credits, Duplicate, Person};

/// One row of the table. All that is given must fit.
#[derive(Debug)]
struct Row {
    statuses: &'static [u16],
    /// The last segment of the problem's type.
    name: Option<&'static str>,
    /// In the title or the detail, in small letters.
    phrase: Option<&'static str>,
    /// Of the oldest form of errors.
    code: Option<i64>,
    meaning: Meaning,
}

const fn status(statuses: &'static [u16], meaning: Meaning) -> Row {
    Row { statuses, name: None, phrase: None, code: None, meaning }
}

const fn named(statuses: &'static [u16], name: &'static str, meaning: Meaning) -> Row {
    Row { statuses, name: Some(name), phrase: None, code: None, meaning }
}

const fn saying(phrase: &'static str, meaning: Meaning) -> Row {
    Row { statuses: &[403], name: None, phrase: Some(phrase), code: None, meaning }
}

const fn coded(code: i64, meaning: Meaning) -> Row {
    Row { statuses: &[403], name: None, phrase: None, code: Some(code), meaning }
}

/// The first row that fits counts. X API documents, response codes and errors, read 2026-09-11;
/// texts by reports of other clients, read 2026-09-22.
const TABLE: &[Row] = &[
    named(&[403, 429], "usage-capped", Capped),
    status(&[429], RateLimited),
    status(&[401], Refused(Credential)),
    status(&[402], Refused(Credits)),
    saying("duplicate content", Refused(Duplicate)),
    saying("status is a duplicate", Refused(Duplicate)),
    coded(187, Refused(Duplicate)),
    named(&[403], "client-forbidden", Refused(Configuration)),
    named(&[403], "unsupported-authentication", Refused(Credential)),
    named(&[403], "oauth1-permissions", Refused(Configuration)),
    saying("suspended", Refused(Person)),
    named(&[403], "not-authorized-for-resource", Refused(Content)),
    saying("cashtag", Refused(Content)),
    saying("not permitted to perform this action", Refused(Content)),
    saying("video longer than", Refused(Content)),
    status(&[403], Refused(Content)),
    named(&[400], "invalid-request", Refused(Content)),
    status(&[400, 404, 413, 415, 422], Refused(Content)),
];

/// A well-formed problem of the X API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: u16,
    name: Option<String>,
    /// Only the oldest form of errors has one.
    code: Option<i64>,
    title: String,
    detail: String,
    period: Option<String>,
}

impl Problem {
    /// The problem in an answer that is no success.
    pub(super) fn parse(answer: &Response) -> Option<Self> {
        let value: Value = serde_json::from_slice(&answer.body).ok()?;
        let first = value.pointer("/errors/0");
        let title = text_at(&value, "title");
        let detail = text_at(&value, "detail");
        // The oldest form has nothing but a list of errors.
        let message = first.and_then(|error| text_at(error, "message"));
        if title.is_none() && detail.is_none() && message.is_none() {
            return None;
        }
        let name = text_at(&value, "type").and_then(|it| it.rsplit('/').next().map(str::to_owned));
        Some(Self {
            status: answer.status.as_u16(),
            name: name.filter(|name| name != "about:blank"),
            code: first.and_then(|error| error.get("code")).and_then(Value::as_i64),
            title: title.unwrap_or_default(),
            detail: detail.or(message).unwrap_or_default(),
            period: text_at(&value, "period"),
        })
    }

    fn row(&self) -> Option<&'static Row> {
        let said = format!("{} {}", self.title, self.detail).to_lowercase();
        TABLE.iter().find(|row| {
            row.statuses.contains(&self.status)
                && row.name.is_none_or(|name| self.name.as_deref() == Some(name))
                && row.phrase.is_none_or(|phrase| said.contains(phrase))
                && row.code.is_none_or(|code| self.code == Some(code))
        })
    }

    /// What it means; `None` when its status is not on the list.
    pub(super) fn meaning(&self) -> Option<Meaning> {
        self.row().map(|row| row.meaning)
    }

    /// `403 duplicate`, `400 invalid-request` or `401`.
    pub(super) fn word(&self) -> String {
        match (self.meaning(), &self.name) {
            (Some(Refused(Duplicate)), _) => format!("{} duplicate", self.status),
            (_, Some(name)) => shorten(&format!("{} {name}", self.status)),
            (_, None) => self.status.to_string(),
        }
    }

    /// For people. X repeats all parameters in some details, so it is cut.
    pub(super) fn said(&self) -> String {
        shorten(if self.detail.is_empty() { &self.title } else { &self.detail })
    }

    fn outcome(&self, meaning: Meaning, answer: &Response, now: Timestamp) -> Outcome {
        match meaning {
            Refused(kind) => {
                Outcome::Refused(Refusal { kind, code: self.word(), detail: self.said() })
            }
            RateLimited => self.deferral(free_at(answer, now)),
            Capped => self.deferral(self.cap_ends(now)),
        }
    }

    fn deferral(&self, (until, code): (Option<Timestamp>, &'static str)) -> Outcome {
        let detail = format!("{} {}", self.word(), self.said());
        Outcome::Deferred(Deferral { until, code, detail, whole_account: true })
    }

    /// The next UTC day or month, as the problem says.
    fn cap_ends(&self, now: Timestamp) -> (Option<Timestamp>, &'static str) {
        let today = TimeZone::UTC.to_datetime(now).date();
        let monthly = self.period.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("monthly"));
        let (next, code) = if monthly {
            (today.first_of_month().checked_add(1.month()), "monthly_limit")
        } else {
            (today.tomorrow(), "daily_limit")
        };
        let midnight = next.ok().map(DateTime::from);
        let until = midnight.and_then(|it| TimeZone::UTC.to_timestamp(it).ok());
        (until, code)
    }
}

/// When calls are free again: the last reset of the windows that are used up. X sends no
/// `Retry-After`, and the endpoint's window may have room while that of the day has none.
pub(super) fn free_at(answer: &Response, now: Timestamp) -> (Option<Timestamp>, &'static str) {
    let windows = windows(&answer.headers);
    let spent = windows.iter().filter(|it| it.remaining == 0).max_by_key(|it| it.reset);
    let binding = spent.or_else(|| windows.iter().find(|it| it.name == "x-rate-limit"));
    let until = binding.map(|it| it.reset).filter(|reset| *reset > now);
    let daily = binding.is_some_and(|it| it.name.ends_with("24hour"));
    (until, if daily { "daily_limit" } else { "rate_limit" })
}

/// What came of the create. `permalink` makes the address of a post from its id.
pub(super) fn created(
    answer: &Response,
    now: Timestamp,
    permalink: impl Fn(&str) -> Option<String>,
) -> Outcome {
    if answer.status.is_success() {
        let id = serde_json::from_slice::<Value>(&answer.body)
            .ok()
            .and_then(|value| text_at(value.get("data")?, "id"))
            .filter(|id| is_id(id));
        return match id {
            Some(id) if !is_new(&id, now) => {
                doubt(answer, "the id in the answer is of a post of another time")
            }
            Some(id) => Outcome::Published(Receipt {
                permalink: permalink(&id),
                published_at: made_at(&id).unwrap_or(now),
                remote_id: id,
            }),
            None => doubt(answer, "no id in the answer"),
        };
    }
    let problem = Problem::parse(answer);
    match problem.as_ref().and_then(|problem| Some((problem, problem.meaning()?))) {
        Some((problem, meaning)) => problem.outcome(meaning, answer, now),
        None => doubt(answer, &problem.map_or_else(String::new, |problem| problem.said())),
    }
}

/// No create takes so long.
const LONGEST_CREATE: SignedDuration = SignedDuration::from_hours(1);

/// Whether an id says that its post was made just now.
fn is_new(id: &str, now: Timestamp) -> bool {
    let earliest = now.checked_sub(LONGEST_CREATE).unwrap_or(now);
    is_made_by(id, now) && made_at(id).is_some_and(|at| at >= earliest)
}

/// An uploaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Uploaded {
    pub(super) id: String,
    pub(super) usable_for: SignedDuration,
}

/// What came of an upload: never a doubt.
pub(super) fn uploaded(answer: &Response, now: Timestamp) -> Result<Uploaded, Box<Outcome>> {
    accepted(answer, now)?;
    let value: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let data = value.as_ref().and_then(|value| value.get("data"));
    let state =
        data.and_then(|data| data.pointer("/processing_info/state")).and_then(Value::as_str);
    if state == Some("failed") {
        return Err(Box::new(Outcome::Refused(Refusal {
            kind: Content,
            code: "media failed".to_owned(),
            detail: "X could not process the picture".to_owned(),
        })));
    }
    let id = data.and_then(|data| text_at(data, "id")).filter(|id| is_id(id));
    let id = id.ok_or_else(|| Box::new(upload_again("no id in the answer")))?;
    let seconds = data.and_then(|data| data.get("expires_after_secs")).and_then(Value::as_i64);
    Ok(Uploaded { id, usable_for: usable_for(seconds) })
}

/// How far X is with a file that it has whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// It can be used.
    Done,
    /// Not yet; to be asked again then.
    Goes(Timestamp),
    /// It can never be used, in X's words.
    Failed(String),
}

/// Between two questions when X does not say.
const ASK_AGAIN: i64 = 5;
/// What X says is never believed for longer, in seconds.
const LONGEST_WORK: i64 = 600;

/// What an answer about a file that is whole says of it; none when it says nothing of any file. X leaves
/// its word on the work out where there is none (X API documents, media upload status, read 2026-09-11).
pub(super) fn worked(answer: &Response, now: Timestamp) -> Option<Work> {
    let value: Value = serde_json::from_slice(&answer.body).ok()?;
    let data = value.get("data").filter(|data| text_at(data, "id").is_some())?;
    let Some(info) = data.get("processing_info") else { return Some(Work::Done) };
    match info.get("state").and_then(Value::as_str) {
        Some("succeeded") => Some(Work::Done),
        Some("failed") => {
            let why = info
                .get("error")
                .and_then(|error| text_at(error, "message").or_else(|| text_at(error, "name")));
            Some(Work::Failed(shorten(&why.unwrap_or_else(|| "it does not say why".to_owned()))))
        }
        // A word that is new is no promise.
        Some(_) | None => {
            let said = info.get("check_after_secs").and_then(Value::as_i64).unwrap_or(ASK_AGAIN);
            let pause = SignedDuration::from_secs(said.clamp(1, LONGEST_WORK));
            Some(Work::Goes(now.checked_add(pause).unwrap_or(now)))
        }
    }
}

/// Whether a repeatable step succeeded.
pub(super) fn accepted(answer: &Response, now: Timestamp) -> Result<(), Box<Outcome>> {
    if answer.status.is_success() {
        return Ok(());
    }
    let problem = Problem::parse(answer);
    let known = problem.as_ref().and_then(|problem| Some((problem, problem.meaning()?)));
    Err(Box::new(match known {
        Some((problem, meaning)) => problem.outcome(meaning, answer, now),
        None => upload_again(&format!("status {}", answer.status.as_u16())),
    }))
}

fn doubt(answer: &Response, why: &str) -> Outcome {
    Outcome::Unknown(Doubt {
        reach: Reach::AnswerStarted,
        detail: shorten(&format!("status {}: {why}", answer.status.as_u16())),
        remote_id: if answer.status.is_success() { id_given_away(&answer.body) } else { None },
    })
}

/// The id in a broken answer, closed by its quotation mark so that it is not cut short itself.
/// Inside the text of a post the marks would be escaped, so only a real key is found.
fn id_given_away(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let tight: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (_, rest) = tight.split_once("\"id\":\"")?;
    let (id, _) = rest.split_once('"')?;
    is_id(id).then(|| id.to_owned())
}

#[cfg(test)]
#[path = "tests/classify.rs"]
mod tests;
