//! Which clause of the guard failed, and what that means for the delivery and its job.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::after;
use crate::domain::delivery::{DeliveryProblem, DeliveryState, Event, WaitsFor};
use crate::domain::id::HoldId;
use crate::store::jobs::Ending;
use crate::store::outcomes::Move;
use crate::store::standing::{Standing, Stop};

/// What follows from a failed clause.
#[derive(Debug)]
pub(super) struct Failed {
    /// The clause, as a stable word.
    pub(super) clause: &'static str,
    /// How the delivery moves, if it does.
    pub(super) change: Option<Move>,
    /// What becomes of its job.
    pub(super) ending: Ending,
}

/// Why a delivery may not go now although the guard's clauses would let it: something wider than
/// itself stands in the way.
#[derive(Debug, Clone)]
pub(super) struct Brake {
    /// What it waits for, as a stable word.
    pub(super) code: &'static str,
    /// For people.
    pub(super) detail: String,
    /// When it is worth another look.
    pub(super) until: Timestamp,
    /// How strong it is.
    pub(super) force: Force,
}

/// How strong a brake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Force {
    /// The delivery only waits.
    Waits,
    /// It is held, which people are shown.
    Holds,
    /// It keeps its place, and everything behind it on its account waits with it.
    Rests,
    /// Nobody knows what time it is: not even whether it is late can be said.
    NoTime,
}

/// Wait before a delivery is guarded again that stands behind another one.
pub(super) const BEHIND: Duration = Duration::from_millis(250);
/// The clause that another delivery of the account is at work, on another node.
pub(super) const BUSY: &str = "account_busy";
/// The clause that the part before it is not out yet.
const EARLIER_PART: &str = "earlier_part";
/// How often it is looked at whether a held delivery is still held.
pub(super) const HELD: Duration = Duration::from_mins(1);
/// The clause that it is not approved.
const APPROVAL: &str = "approval";
/// Wait before a delivery is guarded again whose text is in doubt on the same account.
const IN_DOUBT: Duration = Duration::from_secs(5);

/// The clause that nobody who may schedule it has said that it goes out.
pub(super) const REVIEW: &str = "review";
/// The same for people.
pub(super) const UNVOUCHED: &str = "a person to release, reschedule or drop it; whoever scheduled it may not schedule there any more";
/// Wait before a delivery is guarded again whose account is getting a new access token.
pub(super) const TOKEN: Duration = Duration::from_secs(2);

/// Names the first clause that failed, most lasting one first.
pub(super) fn failed(standing: &Standing, brake: Option<&Brake>, now: Timestamp) -> Failed {
    let again = |span| Ending::Again(after(now, span).min(standing.publish_by));
    let waits = matches!(
        standing.state,
        DeliveryState::PendingApproval | DeliveryState::Scheduled | DeliveryState::Held
    );
    if !waits {
        return Failed { clause: standing.state.as_str(), change: None, ending: Ending::Done };
    }
    if let Some(failed) = undecidable(standing, brake, now) {
        return failed;
    }
    if standing.late {
        return late(standing);
    }
    if standing.state == DeliveryState::PendingApproval {
        return pending(standing, now);
    }
    if standing.repeated && standing.state == DeliveryState::Scheduled {
        return ended(standing, Event::GuardRefused, "same_text_recently", REPEATED);
    }
    // Before what holds it otherwise: else it would go out by itself once that is put right, although
    // it was due while the hold stood.
    if standing.stop.hold_id.is_some() {
        return stopped(standing, now);
    }
    if let Some(failed) = held_up(standing, brake, now) {
        return failed;
    }
    if standing.state == DeliveryState::Held {
        // Nothing holds it any more.
        let ending = Ending::Again(standing.due_at.max(now));
        return Failed { clause: "released", change: step(standing, Event::AccountFit), ending };
    }
    if let Some(failed) = asked(standing, now).or_else(|| behind(standing, now)) {
        return failed;
    }
    if let Some(brake) = brake {
        let change = wait(standing, brake.code, &brake.detail);
        let ending = Ending::Again(brake.until.max(standing.due_at).min(standing.publish_by));
        return Failed { clause: brake.code, change: Some(change), ending };
    }
    if let Some(failed) = of_account(standing, now) {
        return failed;
    }
    if standing.due_at > now && !standing.busy && !standing.doubtful {
        let ending = Ending::Again(standing.due_at);
        return Failed { clause: "not_due", change: None, ending };
    }
    if standing.doubtful {
        let change = wait(standing, "same_text_in_doubt", "the same text is in doubt there");
        return Failed {
            clause: "same_text_in_doubt",
            change: Some(change),
            ending: again(IN_DOUBT),
        };
    }
    let clause = if standing.busy { BUSY } else { "fence" };
    Failed { clause, change: None, ending: again(BEHIND) }
}

/// Its latest useful time has passed.
fn late(standing: &Standing) -> Failed {
    let unapproved = standing.unapproved && standing.state == DeliveryState::PendingApproval;
    let (code, words) = if unapproved {
        ("not_approved", NOT_APPROVED)
    } else if standing.unproofed {
        ("not_proofed", NOT_PROOFED)
    } else {
        ("late", LATE)
    };
    ended(standing, Event::Late, code, words)
}

/// What holds it until it is put right.
fn held_up(standing: &Standing, brake: Option<&Brake>, now: Timestamp) -> Option<Failed> {
    if standing.unvouched {
        let failed = held(standing, now, REVIEW, UNVOUCHED);
        // What was held for something else by then waits for a person from now on.
        let anew = standing.state == DeliveryState::Held && !standing.in_review;
        let change = anew.then(|| wait(standing, REVIEW, UNVOUCHED)).or(failed.change);
        return Some(Failed { change, ..failed });
    }
    if standing.withdrawn {
        return Some(held(standing, now, "unit", "its unit is closed or its post was removed"));
    }
    if standing.unapproved {
        return Some(unapproved(standing, now));
    }
    if standing.account_unfit {
        return Some(held(standing, now, "account", "its account must be connected again"));
    }
    barred(standing, now).or_else(|| {
        let brake = brake.filter(|brake| brake.force == Force::Holds)?;
        Some(held(standing, now, brake.code, &brake.detail))
    })
}

/// The part that it follows is not out. While that may still come it waits, and whoever publishes that
/// one wakes it; when it does not come, or goes away, a person is asked: nothing goes out under nothing.
fn behind(standing: &Standing, now: Timestamp) -> Option<Failed> {
    let before = standing.before?;
    let out = before == DeliveryState::Published;
    if out && !standing.before_recalled {
        return None;
    }
    if before.is_final() {
        let word = if out { "being recalled" } else { before.as_str() };
        let detail = format!("the part before it is {word}: it would stand under nothing");
        let problem = DeliveryProblem {
            code: "earlier_part_not_out".to_owned(),
            detail: detail.clone(),
            hint:
                "drop it, and what follows it ends with it; or publish by hand up to this part and \
                   adopt it, and what follows goes out under it"
                    .to_owned(),
        };
        let waits_for = Some(WaitsFor { code: "person".to_owned(), detail });
        let change = step(standing, Event::NeedsPerson).map(|change| Move {
            problem: Some(problem),
            waits_for,
            ..change
        });
        return Some(Failed { clause: "earlier_part_not_out", change, ending: Ending::Done });
    }
    let span = if before == DeliveryState::Publishing {
        BEHIND
    } else if before == DeliveryState::Unknown {
        IN_DOUBT
    } else {
        HELD
    };
    let detail = format!("the part before it, which is {before}");
    let change = wait(standing, EARLIER_PART, &detail);
    let ending = Ending::Again(after(now, span).min(standing.publish_by));
    Some(Failed { clause: EARLIER_PART, change: Some(change), ending })
}

/// What its account waits for by itself.
fn of_account(standing: &Standing, now: Timestamp) -> Option<Failed> {
    if standing.token_ended {
        let change = wait(standing, "token_refresh", "a new access token of its account");
        let ending = Ending::Again(after(now, TOKEN).min(standing.publish_by));
        return Some(Failed { clause: "token_refresh", change: Some(change), ending });
    }
    let until = standing.blocked_until.0.filter(|until| *until > now)?;
    let change = wait(standing, "rate_limit", "the platform lets the account wait");
    let ending = Ending::Again(until.max(standing.due_at).min(standing.publish_by));
    Some(Failed { clause: "rate_limit", change: Some(change), ending })
}

/// What only a person can let go on; looked at from time to time.
fn asked(standing: &Standing, now: Timestamp) -> Option<Failed> {
    let (clause, detail) = person_needed(standing)?;
    let change = wait(standing, clause, detail);
    let ending = Ending::Again(after(now, HELD).min(standing.publish_by));
    Some(Failed { clause, change: Some(change), ending })
}

fn person_needed(standing: &Standing) -> Option<(&'static str, &'static str)> {
    if standing.quarantined {
        return Some(("quarantine", "the database came back from a backup"));
    }
    if standing.unproofed {
        return Some(("translation", "somebody other than its translator to proof what it says"));
    }
    standing.zone_changed.then_some((
        "time_zone",
        "a person to give it a time again: its zone's clocks go otherwise than when it was scheduled",
    ))
}

/// Nobody knows what time it is, or whether what the database says is all that happened.
fn undecidable(standing: &Standing, brake: Option<&Brake>, now: Timestamp) -> Option<Failed> {
    if standing.moved {
        // It is put into quarantine at once.
        let ending = Ending::Again(after(now, BEHIND));
        return Some(Failed { clause: "failover", change: None, ending });
    }
    let brake = brake.filter(|brake| brake.force == Force::NoTime)?;
    let change = (standing.state == DeliveryState::Scheduled)
        .then(|| wait(standing, brake.code, &brake.detail));
    Some(Failed { clause: brake.code, change, ending: Ending::Again(brake.until) })
}

const NOT_APPROVED: (&str, &str) = (
    "it was not approved before its latest useful time",
    "have it approved and schedule it again if it still holds",
);
const NOT_PROOFED: (&str, &str) = (
    "its translation was not proofed before its latest useful time",
    "have it proofed and schedule it again if it still holds",
);
const LATE: (&str, &str) = (
    "its latest useful time passed before it could be sent",
    "schedule it again if it still holds",
);
const REPEATED: (&str, &str) = (
    "the same text went to this account within the last 24 hours",
    "change the text, or schedule it again as an intended repeat",
);

fn ended(
    standing: &Standing,
    event: Event,
    code: &'static str,
    (detail, hint): (&str, &str),
) -> Failed {
    let problem =
        DeliveryProblem { code: code.to_owned(), detail: detail.to_owned(), hint: hint.to_owned() };
    let change = step(standing, event).map(|change| Move { problem: Some(problem), ..change });
    Failed { clause: code, change, ending: Ending::Done }
}

/// Caught by a hold: while that stands, and then until a person has reviewed it or it is late.
fn stopped(standing: &Standing, now: Timestamp) -> Failed {
    let Stop { hold_id, hold_reason, hold_until } = &standing.stop;
    let name = hold_id.as_ref().map_or("", HoldId::as_str);
    let end = hold_until.0;
    let over = end.is_some_and(|end| end <= now);
    let (clause, detail) = if over {
        let wish = "a person to release, reschedule or drop it; it was due during";
        ("review", format!("{wish} {name}"))
    } else {
        ("hold", format!("the end of {name}: {}", hold_reason.as_deref().unwrap_or_default()))
    };
    let waits_for = Some(WaitsFor { code: clause.to_owned(), detail });
    let change = step(standing, Event::Stopped).map(|change| Move {
        waits_for,
        hold_id: hold_id.clone(),
        ..change
    });
    let next =
        end.filter(|_| !over).map_or(standing.publish_by, |end| end.min(standing.publish_by));
    Failed { clause, change, ending: Ending::Again(next) }
}

/// Held until nothing holds it any more, which is looked at from time to time, or until it is late.
fn held(standing: &Standing, now: Timestamp, code: &'static str, detail: &str) -> Failed {
    let ending = Ending::Again(after(now, HELD).min(standing.publish_by));
    if standing.state == DeliveryState::Held {
        return Failed { clause: code, change: None, ending };
    }

    let waits_for = WaitsFor { code: code.to_owned(), detail: detail.to_owned() };
    let change = step(standing, Event::AccountUnfit)
        .map(|change| Move { waits_for: Some(waits_for), ..change });
    Failed { clause: code, change, ending }
}

/// Not enough people have approved it, or may still do so.
fn unapproved(standing: &Standing, now: Timestamp) -> Failed {
    let change = step(standing, Event::Unapproved)
        .map(|change| Move { waits_for: Some(WaitsFor::approval()), ..change });
    Failed { clause: APPROVAL, change, ending: pending(standing, now).ending }
}

/// Whoever completes the approvals lets it go on; looked at from time to time all the same once it is due.
fn pending(standing: &Standing, now: Timestamp) -> Failed {
    if standing.unapproved {
        let ending = Ending::Again(after(now, HELD).min(standing.publish_by));
        return Failed { clause: APPROVAL, change: None, ending };
    }
    let ending = Ending::Again(standing.due_at.max(now));
    Failed { clause: "approved", change: step(standing, Event::Approved), ending }
}

/// What it says, or a picture or video of it, may not be shown: not yet, which ends by itself, or no more, which only a
/// person can mend.
fn barred(standing: &Standing, now: Timestamp) -> Option<Failed> {
    if let Some(end) = standing.licence_ended.0 {
        let detail = format!("a licence: that of a picture or video ended at {end}");
        return Some(held(standing, now, "licence", &detail));
    }
    let end = standing.embargo_until.0?;
    let detail = format!("the end of an embargo: {end}");
    let ending = Ending::Again(end.min(standing.publish_by));
    Some(Failed { ending, ..held(standing, now, "embargo", &detail) })
}

fn wait(standing: &Standing, code: &str, detail: &str) -> Move {
    Move {
        waits_for: Some(WaitsFor { code: code.to_owned(), detail: detail.to_owned() }),
        ..Move::stay(standing.id.clone(), standing.state)
    }
}

fn step(standing: &Standing, event: Event) -> Option<Move> {
    let state = standing.state.apply(event).ok()?;
    Some(Move { state, ..Move::stay(standing.id.clone(), standing.state) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::DeliveryId;
    use crate::store::standing::{Blocked, Until};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn sound() -> Standing {
        Standing {
            id: DeliveryId::new(at(0), 1),
            state: DeliveryState::Scheduled,
            due_at: at(100),
            publish_by: at(1_000),
            late: false,
            account_unfit: false,
            token_ended: false,
            blocked_until: Blocked(None),
            withdrawn: false,
            unapproved: false,
            unproofed: false,
            unvouched: false,
            in_review: false,
            quarantined: false,
            moved: false,
            zone_changed: false,
            busy: false,
            doubtful: false,
            repeated: false,
            before: None,
            before_recalled: false,
            embargo_until: Until(None),
            licence_ended: Until(None),
            stop: Stop::default(),
        }
    }

    fn hold(until: Option<i64>) -> Stop {
        Stop {
            hold_id: Some(HoldId::new(at(0), 7)),
            hold_reason: Some("An accident".to_owned()),
            hold_until: Until(until.map(at)),
        }
    }

    #[test]
    fn each_clause_has_its_consequence() {
        use DeliveryState as S;
        let rows = [
            (Standing { late: true, ..sound() }, "late", Some(S::Missed)),
            (Standing { moved: true, late: true, ..sound() }, "failover", None),
            (Standing { repeated: true, ..sound() }, "same_text_recently", Some(S::Failed)),
            (Standing { stop: hold(None), ..sound() }, "hold", Some(S::Held)),
            (Standing { unvouched: true, ..sound() }, "review", Some(S::Held)),
            (Standing { withdrawn: true, ..sound() }, "unit", Some(S::Held)),
            (Standing { unapproved: true, ..sound() }, "approval", Some(S::PendingApproval)),
            (Standing { account_unfit: true, ..sound() }, "account", Some(S::Held)),
            (Standing { unproofed: true, ..sound() }, "translation", Some(S::Scheduled)),
            (Standing { quarantined: true, ..sound() }, "quarantine", Some(S::Scheduled)),
            (Standing { zone_changed: true, ..sound() }, "time_zone", Some(S::Scheduled)),
            (
                Standing { blocked_until: Blocked(Some(at(300))), ..sound() },
                "rate_limit",
                Some(S::Scheduled),
            ),
            (Standing { token_ended: true, ..sound() }, "token_refresh", Some(S::Scheduled)),
            (Standing { doubtful: true, ..sound() }, "same_text_in_doubt", Some(S::Scheduled)),
            (
                Standing { before: Some(S::Publishing), ..sound() },
                "earlier_part",
                Some(S::Scheduled),
            ),
            (
                Standing { before: Some(S::NeedsHuman), ..sound() },
                "earlier_part",
                Some(S::Scheduled),
            ),
            (
                Standing { before: Some(S::Failed), busy: true, ..sound() },
                "earlier_part_not_out",
                Some(S::NeedsHuman),
            ),
            (
                Standing { before: Some(S::Published), before_recalled: true, ..sound() },
                "earlier_part_not_out",
                Some(S::NeedsHuman),
            ),
            (Standing { before: Some(S::Published), busy: true, ..sound() }, "account_busy", None),
            (Standing { busy: true, ..sound() }, "account_busy", None),
            (Standing { due_at: at(500), ..sound() }, "not_due", None),
            (Standing { state: S::Cancelled, ..sound() }, "cancelled", None),
        ];
        for (standing, clause, state) in rows {
            let failed = failed(&standing, None, at(200));
            assert_eq!(failed.clause, clause);
            assert_eq!(failed.change.map(|change| change.state), state, "{clause}");
        }
    }

    #[test]
    fn what_is_held_goes_on_when_nothing_holds_it_and_is_missed_when_it_is_late() {
        use DeliveryState as S;
        let held = || Standing { state: S::Held, ..sound() };
        let rows = [
            (held(), "released", Some(S::Scheduled), Ending::Again(at(200))),
            (Standing { account_unfit: true, ..held() }, "account", None, Ending::Again(at(260))),
            (
                Standing { unvouched: true, ..held() },
                "review",
                Some(S::Held),
                Ending::Again(at(260)),
            ),
            (
                Standing { unvouched: true, in_review: true, ..held() },
                "review",
                None,
                Ending::Again(at(260)),
            ),
            (Standing { late: true, ..held() }, "late", Some(S::Missed), Ending::Done),
        ];
        for (standing, clause, state, ending) in rows {
            let failed = failed(&standing, None, at(200));
            assert_eq!(failed.clause, clause);
            assert_eq!(failed.change.map(|change| change.state), state, "{clause}");
            assert_eq!(failed.ending, ending, "{clause}");
        }
    }

    #[test]
    fn a_brake_holds_or_lets_wait_but_lateness_comes_first() {
        use DeliveryState as S;
        use Force::{Holds, NoTime, Waits};
        let brake = |force| Brake { code: "why", detail: "so".into(), until: at(700), force };
        let held = || Standing { state: S::Held, ..sound() };
        let rows = [
            (sound(), Holds, "why", Some(S::Held), Ending::Again(at(260))),
            (sound(), Waits, "why", Some(S::Scheduled), Ending::Again(at(700))),
            (held(), Holds, "why", None, Ending::Again(at(260))),
            (Standing { late: true, ..sound() }, Holds, "late", Some(S::Missed), Ending::Done),
            // Nobody can tell.
            (
                Standing { late: true, ..sound() },
                NoTime,
                "why",
                Some(S::Scheduled),
                Ending::Again(at(700)),
            ),
            (Standing { late: true, ..held() }, NoTime, "why", None, Ending::Again(at(700))),
            (
                Standing { publish_by: at(300), ..sound() },
                Waits,
                "why",
                Some(S::Scheduled),
                Ending::Again(at(300)),
            ),
        ];
        for (standing, force, clause, state, ending) in rows {
            let failed = failed(&standing, Some(&brake(force)), at(200));
            assert_eq!((failed.clause, failed.ending), (clause, ending));
            assert_eq!(failed.change.map(|change| change.state), state);
        }
    }

    #[test]
    fn what_a_hold_has_caught_waits_for_its_end_and_then_for_a_person() {
        use DeliveryState as S;
        let held = |until| Standing { state: S::Held, stop: hold(until), ..sound() };
        let unfit = Standing { account_unfit: true, ..held(Some(400)) };
        let rows = [
            (held(None), "hold", at(1_000)),
            (held(Some(400)), "hold", at(400)),
            (held(Some(4_000)), "hold", at(1_000)),
            (held(Some(200)), "review", at(1_000)),
            (unfit, "hold", at(400)),
        ];
        for (standing, clause, next) in rows {
            let failed = failed(&standing, None, at(200));
            let change = failed.change.unwrap();
            assert_eq!((failed.clause, failed.ending), (clause, Ending::Again(next)));
            assert_eq!((change.state, change.hold_id), (S::Held, standing.stop.hold_id));
            assert_eq!(change.waits_for.unwrap().code, clause);
        }
        let late = Standing { late: true, ..held(None) };
        assert_eq!(failed(&late, None, at(2_000)).clause, "late");
    }

    #[test]
    fn what_may_not_be_shown_yet_waits_until_it_may_and_what_may_no_more_for_a_person() {
        use DeliveryState as S;
        let embargo = |end| Standing { embargo_until: Until(Some(at(end))), ..sound() };
        let ended = || Standing { licence_ended: Until(Some(at(150))), ..embargo(400) };
        let rows = [
            (embargo(400), "embargo", Some(S::Held), Ending::Again(at(400))),
            (Standing { state: S::Held, ..embargo(400) }, "embargo", None, Ending::Again(at(400))),
            (embargo(4_000), "embargo", Some(S::Held), Ending::Again(at(1_000))),
            (ended(), "licence", Some(S::Held), Ending::Again(at(260))),
        ];
        for (standing, clause, state, ending) in rows {
            let failed = failed(&standing, None, at(200));
            assert_eq!((failed.clause, failed.ending), (clause, ending));
            assert_eq!(failed.change.map(|change| change.state), state);
        }
    }

    #[test]
    fn no_wait_outlasts_the_latest_useful_time() {
        let standing = Standing { blocked_until: Blocked(Some(at(9_000))), ..sound() };
        assert_eq!(failed(&standing, None, at(200)).ending, Ending::Again(at(1_000)));
    }
}
