//! What is noted of a correction that was not made, and what people are told of it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::Came;
use crate::clock::after;
use crate::domain::audit::NewEntry;
use crate::domain::correction::{Correction, CorrectionState};
use crate::domain::delivery::DeliveryProblem;
use crate::domain::outbox::Occasion;
use crate::engine::entry;
use crate::engine::outcomes::problem;
use crate::store::after::Standing;

/// After so many tries without success people are told; a refusal is told at once.
pub(super) const TELL_AFTER: i64 = 4;
/// A correction that goes on for longer than this is told of, however few tries it had.
const TELL_BEYOND: Duration = Duration::from_mins(10);
/// What somebody else wrote was replaced before anybody here could see it.
const OVERWROTE: &str = "correction_overwrote";
/// How often it is looked whether somebody has done what only a person can do.
const PERSONS: Duration = Duration::from_hours(1);

/// The word of an outcome, for metrics.
pub(super) fn word(came: &Came) -> &'static str {
    match came {
        Came::Made { .. } => "made",
        Came::Missing { .. } => "missing",
        Came::NotYet { .. } => "not_yet",
        Came::Waits { .. } => "waits",
        Came::Refused { .. } => "refused",
        Came::Conflict { .. } => "conflict",
        Came::Overtaken => "overtaken",
    }
}

/// A correction after a try without success, which goes on at `again`; and when that is.
pub(super) fn goes_on(
    standing: &Standing,
    it: &Correction,
    came: &Came,
    (now, again): (Timestamp, Timestamp),
) -> (Correction, Timestamp) {
    match came {
        Came::Made { .. } | Came::Overtaken => (it.clone(), again),
        Came::Missing { detail } => {
            let said = format!("{detail}; it is looked for whether the post is gone");
            (tried(standing, it, ("correction_unclear", &said), (now, again)), again)
        }
        Came::NotYet { detail, .. } => {
            let said = format!("{detail}; asked again at {again}");
            (tried(standing, it, ("correction_unclear", &said), (now, again)), again)
        }
        Came::Waits { detail } => {
            let said = format!("{detail}; it is asked again when the account is connected again");
            let problem = Some(in_the_way(standing, "correction_waits", &said));
            (told(Correction { problem, ..it.clone() }, now), after(now, PERSONS))
        }
        Came::Refused { code, detail } => {
            let said = format!("the platform refuses to change it ({code}): {detail}");
            (tried(standing, it, ("correction_refused", &said), (now, again)), again)
        }
        Came::Conflict { shown } => {
            let detail =
                "somebody has changed the post at the platform since; nothing was overwritten";
            let hint = "look at what it says (shown); to replace that, ask for the correction again with \
                        shown_hash as overwrite";
            let problem = Some(problem("correction_conflict", detail, hint));
            // Another text than the one that people were told of is news.
            let told_at = it.told_at.filter(|_| it.shown.as_ref() == Some(shown));
            let shown = Some(shown.clone());
            let it = Correction { problem, told_at, shown, ..it.clone() };
            (told(it, now), after(now, PERSONS))
        }
    }
}

/// A correction that the post says. In its way stands nothing any more; but people are told of what somebody
/// else had written there between the look and the request, which is not there any more.
pub(super) fn settled(it: &Correction, replaced: Option<&str>, now: Timestamp) -> Correction {
    if let Some(text) = replaced {
        let detail = "somebody had changed the post at the platform in the moment before, which could not be \
                      seen in time: that text is not there any more";
        let hint = "look at what it said (shown); if that was right, correct the post to it";
        let problem = Some(problem(OVERWROTE, detail, hint));
        let (shown, told_at) = (Some(text.to_owned()), Some(now));
        return Correction { problem, told_at, shown, ..it.clone() };
    }
    if it.problem.as_ref().is_some_and(|it| it.code == OVERWROTE) {
        return it.clone();
    }
    Correction { problem: None, shown: None, ..it.clone() }
}

/// A correction that waits, and for what. People are told when it takes long, unless it waits for what they
/// want or know: then nothing says until when.
pub(super) fn put_off(
    standing: &Standing,
    it: &Correction,
    why: &str,
    now: Timestamp,
    until: Option<Timestamp>,
) -> Correction {
    let problem = Some(in_the_way(standing, "correction_waits", why));
    let it = Correction { problem, ..it.clone() };
    if until.is_some_and(|until| is_long(&it, until)) { told(it, now) } else { it }
}

fn tried(
    standing: &Standing,
    it: &Correction,
    (code, detail): (&str, &str),
    (now, again): (Timestamp, Timestamp),
) -> Correction {
    let tries = it.tries + 1;
    let tell = code == "correction_refused" || tries >= TELL_AFTER || is_long(it, again);
    let problem = Some(in_the_way(standing, code, detail));
    let it = Correction { tries, problem, shown: None, ..it.clone() };
    if tell { told(it, now) } else { it }
}

/// People are told, once.
fn told(it: Correction, now: Timestamp) -> Correction {
    Correction { state: CorrectionState::Stuck, told_at: it.told_at.or(Some(now)), ..it }
}

/// Whether it is not done when people begin to wonder.
fn is_long(it: &Correction, again: Timestamp) -> bool {
    again > after(it.asked_at, TELL_BEYOND)
}

/// What stands in the way, without what a database cannot keep: platforms are quoted.
pub(super) fn in_the_way(standing: &Standing, code: &str, detail: &str) -> DeliveryProblem {
    problem(code, &detail.replace('\0', ""), &by_hand(standing))
}

/// What a person can do when the service cannot.
fn by_hand(standing: &Standing) -> String {
    let place = standing.permalink.as_deref().or(standing.remote_id.as_deref());
    let place = place.unwrap_or("the account");
    format!("put right what the platform names, or change the text by hand, which is seen: {place}")
}

/// What people are told.
pub(super) fn tell(standing: &Standing, it: &Correction) -> NewEntry {
    let detail = json!({
        "code": it.problem.as_ref().map(|it| &it.code),
        "detail": it.problem.as_ref().map(|it| &it.detail),
        "number": it.number, "asked_by": it.asked_by, "tries": it.tries,
    });
    entry(Occasion::CorrectionStuck.as_str(), &standing.id, detail)
}

/// The audit's word for what was made.
pub(super) fn corrected(standing: &Standing, it: &Correction, how: &str) -> NewEntry {
    let detail = json!({
        "remote_id": standing.remote_id, "number": it.number, "asked_by": it.asked_by,
        "asked_at": it.asked_at, "reason": it.reason, "content_hash": it.content_hash, "how": how,
    });
    entry(Occasion::DeliveryCorrected.as_str(), &standing.id, detail)
}
