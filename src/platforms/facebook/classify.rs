//! What the Graph API's answers mean: one table of error codes, with a test for each row.
//!
//! A create is judged by an allow-list of *definitely not created*. Code 2 ("please retry") has
//! been seen with the post published, so a code that is not on the list proves nothing.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::api::{instant, permalink, usage};
use crate::domain::attempt::{Reach, Receipt};
use crate::outbound::Response;
use crate::platforms::outcome::{Deferral, Doubt, Outcome, Refusal, RefusalKind, Ticket};
use crate::platforms::wire::{header, is_number, shorten, text_at, upload_again};

/// All numbers of Facebook fit 64 bits.
const LONGEST_NUMBER: usize = 20;

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Too many calls: wait as the usage headers say.
    Throttled,
    /// Too many posts for the platform's liking: wait for hours.
    TooOften,
    /// Refused for good, for this reason.
    Refused(RefusalKind),
    /// Says nothing about what was done.
    Nothing,
}

/// One row of the table.
#[derive(Debug)]
struct Row {
    codes: (i64, i64),
    subcode: Option<i64>,
    phrase: Option<&'static str>,
    meaning: Meaning,
    /// Whether this answer to a create proves that nothing was created.
    proof: bool,
}

const fn row(code: i64, meaning: Meaning, proof: bool) -> Row {
    Row { codes: (code, code), subcode: None, phrase: None, meaning, proof }
}

const fn sub(code: i64, subcode: i64, meaning: Meaning, proof: bool) -> Row {
    Row { codes: (code, code), subcode: Some(subcode), phrase: None, meaning, proof }
}

use Meaning::{Nothing, Refused, Throttled, TooOften};
use RefusalKind::{Configuration, Content, Credential, Duplicate, Permission, Person};

/// The first row that fits counts. Meanings by the Graph API's error handling guide and the error
/// lists of its edges, read 2026-09-11; subcodes by reports of other clients, read 2026-08-21.
const TABLE: &[Row] = &[
    // Seen with the post published.
    row(1, Nothing, false),
    row(2, Nothing, false),
    // Reported by a sister platform although the post was live.
    sub(4, 2_207_051, Nothing, false),
    row(4, Throttled, true),
    row(17, Throttled, true),
    row(32, Throttled, true),
    row(613, Throttled, true),
    row(80_001, Throttled, true),
    row(80_002, Throttled, false),
    row(341, Throttled, false),
    sub(368, 1_390_008, TooOften, true),
    sub(368, 1_404_082, Refused(Duplicate), true),
    Row {
        codes: (368, 368),
        subcode: None,
        phrase: Some("already posted this"),
        meaning: Refused(Duplicate),
        proof: true,
    },
    row(506, Refused(Duplicate), true),
    sub(368, 1_404_006, Refused(Person), true),
    sub(368, 4_854_002, Refused(Person), true),
    sub(368, 1_404_078, Refused(Person), true),
    sub(368, 1_404_112, Refused(Person), true),
    row(368, Refused(Content), true),
    row(1_404_006, Refused(Person), false),
    row(4_854_002, Refused(Person), false),
    row(1_404_078, Refused(Person), false),
    row(1_404_112, Refused(Person), false),
    row(1_346_003, Refused(Content), false),
    row(1_404_102, Refused(Content), false),
    row(3, Refused(Permission), false),
    row(10, Refused(Permission), true),
    Row {
        codes: (200, 299),
        subcode: None,
        phrase: None,
        meaning: Refused(Permission),
        proof: true,
    },
    row(102, Refused(Credential), true),
    row(190, Refused(Credential), true),
    // The Page itself cannot be seen with this token.
    sub(100, 33, Refused(Permission), true),
    row(100, Refused(Content), true),
    row(803, Refused(Permission), false),
    row(197, Refused(Content), false),
    row(324, Refused(Content), false),
    row(1_366_046, Refused(Content), false),
    row(1_366_051, Refused(Content), false),
    row(2_069_019, Refused(Content), false),
    row(1_609_005, Refused(Content), false),
    row(1_609_008, Refused(Content), false),
    row(2_061_006, Refused(Content), false),
    row(6_000, Nothing, false),
    row(6_001, Nothing, false),
    row(2_635, Refused(Configuration), false),
    row(2_500, Refused(Configuration), false),
    row(960, Nothing, false),
];

/// A well-formed error of the Graph API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GraphError {
    code: i64,
    subcode: Option<i64>,
    message: String,
}

impl GraphError {
    /// The error in a body, if the body is a well-formed envelope with a code.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        let error = value.get("error")?;
        Some(Self {
            code: error.get("code")?.as_i64()?,
            subcode: error.get("error_subcode").and_then(Value::as_i64),
            message: text_at(error, "message").unwrap_or_default(),
        })
    }

    fn row(&self) -> Option<&'static Row> {
        TABLE.iter().find(|row| {
            (row.codes.0..=row.codes.1).contains(&self.code)
                && row.subcode.is_none_or(|subcode| self.subcode == Some(subcode))
                && row.phrase.is_none_or(|phrase| self.message.to_lowercase().contains(phrase))
        })
    }

    /// What it means, leaving creates aside; `None` for a code that nobody has described.
    pub(super) fn meaning(&self) -> Option<Meaning> {
        self.row().map(|row| row.meaning)
    }

    /// `190/463`, or `190` without a subcode.
    pub(super) fn word(&self) -> String {
        match self.subcode {
            Some(subcode) => format!("{}/{subcode}", self.code),
            None => self.code.to_string(),
        }
    }

    /// For people.
    pub(super) fn detail(&self) -> String {
        shorten(&self.message)
    }

    fn refusal(&self, kind: RefusalKind) -> Outcome {
        Outcome::Refused(Refusal { kind, code: self.word(), detail: self.detail() })
    }
}

/// What came of the create. Published only with an id that begins with our Page's: a token of
/// another Page would have made a post there.
pub(super) fn created(answer: &Response, page: &str, now: Timestamp) -> Outcome {
    if answer.status.is_success() {
        return match receipt(&answer.body, page, now) {
            Some(receipt) => Outcome::Published(receipt),
            None => doubt(answer, page, "no id of this Page in the answer"),
        };
    }
    refused(answer, page, now)
}

/// What came of a comment below a post. Its id begins with the post's number, without the Page's. A
/// token that may not write comments is no reason to stop the posts of its Page.
pub(super) fn commented(answer: &Response, page: &str, post: &str, now: Timestamp) -> Outcome {
    if answer.status.is_success() {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let id = text_at(&value, "id").filter(|id| is_comment_of(id, post));
        return match id {
            Some(id) => Outcome::Published(comment_receipt(id, post, now)),
            None => doubt(answer, page, "no id of a comment below this post in the answer"),
        };
    }
    match refused(answer, page, now) {
        Outcome::Refused(Refusal { kind: Permission, code, detail }) => {
            let detail =
                format!("{detail}; a comment needs the permission pages_manage_engagement");
            Outcome::Refused(Refusal { kind: Content, code, detail })
        }
        other @ (Outcome::Published(_)
        | Outcome::Pending(_)
        | Outcome::Refused(_)
        | Outcome::Deferred(_)
        | Outcome::Unknown(_)) => other,
    }
}

/// What is known of a comment.
pub(super) fn comment_receipt(id: String, post: &str, at: Timestamp) -> Receipt {
    let own = id.rsplit('_').next().unwrap_or_default();
    let permalink = Some(format!("https://www.facebook.com/{post}?comment_id={own}"));
    Receipt { permalink, published_at: at, remote_id: id }
}

/// What came of the request that makes a post public which nobody saw before.
pub(super) fn made_public(
    answer: &Response,
    page: &str,
    (post, again): (&str, bool),
    now: Timestamp,
) -> Outcome {
    let said = finished(answer, page, (post, again), now);
    if let Outcome::Pending(ticket) = said {
        return Outcome::Published(Receipt {
            permalink: Some(permalink(&ticket.id, None)),
            published_at: now,
            remote_id: ticket.id,
        });
    }
    said
}

/// What came of the request that makes a film public. `again` when it was asked for before: then a refusal
/// proves nothing, for the film may be public because of that.
pub(super) fn finished(
    answer: &Response,
    page: &str,
    (film, again): (&str, bool),
    now: Timestamp,
) -> Outcome {
    if answer.status.is_success() {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        return match value.get("success").and_then(Value::as_bool) {
            Some(true) => Outcome::Pending(Ticket { id: film.to_owned(), check_at: now }),
            Some(false) | None => {
                doubt_about(film, doubt(answer, page, "no success in the answer"))
            }
        };
    }
    match refused(answer, page, now) {
        Outcome::Refused(refusal) if again => {
            let why = format!("{} {}", refusal.code, refusal.detail);
            doubt_about(film, doubt(answer, page, &why))
        }
        said @ (Outcome::Published(_)
        | Outcome::Pending(_)
        | Outcome::Refused(_)
        | Outcome::Deferred(_)
        | Outcome::Unknown(_)) => doubt_about(film, said),
    }
}

/// A doubt about what has an id names it.
pub(super) fn doubt_about(id: &str, outcome: Outcome) -> Outcome {
    if let Outcome::Unknown(doubt) = outcome {
        return Outcome::Unknown(Doubt { remote_id: Some(id.to_owned()), ..doubt });
    }
    outcome
}

fn refused(answer: &Response, page: &str, now: Timestamp) -> Outcome {
    let error = GraphError::parse(&answer.body).filter(|_| is_definite(answer.status));
    let Some(error) = error else { return doubt(answer, page, "no well-formed refusal") };
    match error.row() {
        Some(row) if row.proof => match row.meaning {
            Throttled | TooOften => deferral(&error, row.meaning, answer, now),
            Refused(kind) => error.refusal(kind),
            Nothing => doubt(answer, page, &error.word()),
        },
        Some(_) | None => doubt(answer, page, &format!("{} {}", error.word(), error.detail())),
    }
}

/// What came of an upload: the id of the picture, or an outcome that is never a doubt.
pub(super) fn uploaded(answer: &Response, now: Timestamp) -> Result<String, Box<Outcome>> {
    text_at(&step(answer, now)?, "id")
        .filter(|id| is_number(id))
        .ok_or_else(|| Box::new(upload_again("no id in the answer")))
}

/// What came of a step that nobody sees: the answer, or an outcome that is never a doubt.
pub(super) fn step(answer: &Response, now: Timestamp) -> Result<Value, Box<Outcome>> {
    if answer.status.is_success() {
        let value = serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object);
        return value.ok_or_else(|| Box::new(upload_again("the answer is not what was asked for")));
    }
    let again = || upload_again(&format!("status {}", answer.status.as_u16()));
    let error = GraphError::parse(&answer.body).filter(|_| is_definite(answer.status));
    Err(Box::new(match error {
        None => again(),
        Some(error) => match error.meaning() {
            Some(meaning @ (Throttled | TooOften)) => deferral(&error, meaning, answer, now),
            Some(Refused(kind)) => error.refusal(kind),
            Some(Nothing) => again(),
            None => error.refusal(Content),
        },
    }))
}

/// A status with which a refusal is the platform's own word. 408 is a time-out.
pub(super) fn is_definite(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT
}

fn receipt(body: &[u8], page: &str, now: Timestamp) -> Option<Receipt> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let id = text_at(&value, "id").filter(|id| is_post_of(id, page))?;
    Some(Receipt {
        permalink: Some(permalink(&id, text_at(&value, "permalink_url").as_deref())),
        published_at: text_at(&value, "created_time").and_then(|it| instant(&it)).unwrap_or(now),
        remote_id: id,
    })
}

/// Whether an id is `{page}_{number}`, the number of a length that Facebook's have.
pub(super) fn is_post_of(id: &str, page: &str) -> bool {
    let number = id.strip_prefix(page).and_then(|rest| rest.strip_prefix('_'));
    number.is_some_and(|it| is_number(it) && it.len() <= LONGEST_NUMBER)
}

/// Whether an id is that of a comment below a post: `{post}_{comment}`, the post without its Page.
pub(super) fn is_comment_of(id: &str, post: &str) -> bool {
    let post = post.rsplit('_').next().unwrap_or(post);
    is_post_of(id, post)
}

/// Whether an id can be that of a comment: it begins with another number than the Page's.
pub(super) fn is_comment(id: &str, page: &str) -> bool {
    let number = |it: &str| is_number(it) && it.len() <= LONGEST_NUMBER;
    id.split_once('_').is_some_and(|(post, own)| number(post) && number(own) && post != page)
}

/// The id of a post as it is asked for: `{page}_{number}`, also where only the number is known.
pub(super) fn whole_id(id: &str, page: &str) -> String {
    if is_number(id) { format!("{page}_{id}") } else { id.to_owned() }
}

/// The ids under which a post of the Page may be known: a bare number is a film's, or a post's without its
/// Page. None for what is of another form.
pub(super) fn spellings(id: &str, page: &str) -> Vec<String> {
    let whole = whole_id(id, page);
    if !is_post_of(&whole, page) && !is_comment(&whole, page) {
        return Vec::new();
    }
    if whole == id { vec![whole] } else { vec![id.to_owned(), whole] }
}

fn doubt(answer: &Response, page: &str, why: &str) -> Outcome {
    Outcome::Unknown(Doubt {
        reach: Reach::AnswerStarted,
        detail: shorten(&format!("status {}: {why}", answer.status.as_u16())),
        remote_id: id_given_away(&answer.body, page),
    })
}

/// An id of our Page in an answer that is broken otherwise, closed by its quotation mark so that
/// it is not cut short itself.
fn id_given_away(body: &[u8], page: &str) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let opening = format!("\"id\":\"{page}_");
    let tight: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let rest = tight.split_once(&opening)?.1;
    let (number, _) = rest.split_once('"')?;
    is_number(number).then(|| format!("{page}_{number}"))
}

/// When calls are free again: the latest that any header says, or a time that does no harm.
pub(super) fn free_at(answer: &Response, meaning: Meaning, now: Timestamp) -> Timestamp {
    let asked =
        header(&answer.headers, "retry-after").and_then(|text| text.parse::<i64>().ok()).and_then(
            |seconds| now.checked_add(SignedDuration::from_secs(seconds.clamp(0, 604_800))).ok(),
        );
    let told = usage(&answer.headers, now).into_iter().filter_map(|usage| usage.until);
    let least = match meaning {
        // "Hours", says everyone who met it.
        TooOften => SignedDuration::from_hours(3),
        Throttled | Refused(_) | Nothing => SignedDuration::from_mins(10),
    };
    match (told.chain(asked).max(), meaning) {
        (Some(until), Throttled) => until,
        (until, _) => until.unwrap_or(now).max(now.checked_add(least).unwrap_or(now)),
    }
}

fn deferral(error: &GraphError, meaning: Meaning, answer: &Response, now: Timestamp) -> Outcome {
    Outcome::Deferred(Deferral {
        until: Some(free_at(answer, meaning, now)),
        code: if meaning == TooOften { "throttled" } else { "rate_limit" },
        detail: format!("{} {}", error.word(), error.detail()),
        whole_account: true,
    })
}

#[cfg(test)]
#[path = "tests/classify.rs"]
mod tests;
