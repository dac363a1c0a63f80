//! Approvals: people's yes or no to a post, bound to what it says, and to the times they were shown.

use jiff::Timestamp;
use serde::Serialize;

use super::id::{AccountId, ApprovalId, DeliveryId, PersonId, PostId};
use super::variant::sha256_hex;
use super::words;

words! {
    /// What somebody says to a post.
    Decision {
        /// It may go out.
        Approve = "approve",
        /// It may not; whatever others have said to it does not count any more.
        Reject = "reject",
        /// He takes back his own yes.
        Withdraw = "withdraw",
    }
}

words! {
    /// How a post stands with those who must approve it.
    ApprovalState {
        /// Its unit wants no approvals.
        NotNeeded = "not_needed",
        /// Nobody has asked for them.
        Missing = "missing",
        /// Somebody has asked, and they are not complete.
        Wanted = "wanted",
        /// Somebody has refused what it says now.
        Rejected = "rejected",
        /// Complete.
        Given = "given",
    }
}

words! {
    /// Which posts a list is to have.
    Asked {
        /// Those that wait for somebody's approval.
        Wanted = "wanted",
    }
}

/// The longest note, in code points.
pub const MAX_NOTE: usize = 1_000;

/// What somebody has said to a post as it was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// To which post.
    pub post_id: PostId,
    /// To which revision of it.
    pub revision: i64,
    /// To which content.
    pub content_hash: String,
    /// Who.
    pub person_id: PersonId,
    /// What.
    pub decision: Decision,
    /// Why.
    pub note: Option<String>,
    /// When.
    pub decided_at: Timestamp,
    /// When a yes ended: it was taken back, fell with a no, or what it was said to was changed.
    pub ended_at: Option<Timestamp>,
    /// By whom.
    pub ended_by: Option<String>,
}

/// That somebody asks for approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Of which content.
    pub content_hash: String,
    /// Who.
    pub by: PersonId,
    /// When.
    pub at: Timestamp,
}

/// What of a post waits for approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The instant of its first delivery that waits.
    pub due_at: Timestamp,
    /// Since when the last of them waits.
    pub since: Timestamp,
    /// When somebody has last planned one that asks for approval: nobody else asks for it by that.
    pub planned_at: Option<Timestamp>,
    /// Whether a yes to the post can let one of them go: not to those that still have words from before a change.
    pub coverable: bool,
}

/// Whether a post that stands so is for those who approve. A yes to what it says does not cover a plan that was made
/// after it; and what has words from before a change is planned anew, not approved.
pub fn waits(state: ApprovalState, waiting: Option<&Waiting>) -> bool {
    match state {
        ApprovalState::Wanted => true,
        ApprovalState::Missing => waiting.is_some(),
        ApprovalState::Given => waiting.is_some_and(|it| it.coverable),
        ApprovalState::NotNeeded | ApprovalState::Rejected => false,
    }
}

/// Of those who may approve a post, each with how many units above it, the nearest: as many units up as it takes to
/// have the `needed` people.
pub fn nearest<T>(approvers: &[(T, i64)], needed: usize) -> Vec<&T> {
    let mut heights: Vec<i64> = approvers.iter().map(|(_, above)| *above).collect();
    heights.sort_unstable();
    let last = heights.get(needed.max(1) - 1).or(heights.last()).copied().unwrap_or(0);
    approvers.iter().filter(|(_, above)| *above <= last).map(|(it, _)| it).collect()
}

/// A delivery whose time and place are part of what is approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// Which.
    pub id: DeliveryId,
    /// Where it goes.
    pub account_id: AccountId,
    /// When it goes, in milliseconds.
    pub due_ms: i64,
    /// How often it was moved.
    pub moves: i64,
}

/// Names a plan: which deliveries go where and when. Nothing where there are none.
pub fn plan_hash(planned: &[Planned]) -> Option<String> {
    if planned.is_empty() {
        return None;
    }
    let mut planned: Vec<&Planned> = planned.iter().collect();
    planned.sort_unstable_by_key(|one| &one.id);
    Some(sha256_hex(&serde_json::to_vec(&planned).unwrap_or_default()))
}

/// How a post stands for which `needed` people must say yes. Whoever plans a delivery that waits for that asks for
/// it, as whoever submits the post does.
pub fn state(
    needed: usize,
    given: usize,
    content_hash: &str,
    (submission, waiting): (Option<&Submission>, Option<&Waiting>),
    said: &[Approval],
) -> ApprovalState {
    let of_this = |one: &&Approval| one.content_hash == content_hash;
    let last_no = said.iter().filter(of_this).filter(|one| one.decision == Decision::Reject);
    let submitted = submission.filter(|it| it.content_hash == content_hash).map(|it| it.at);
    let asked = submitted.max(waiting.and_then(|it| it.planned_at));
    if needed == 0 {
        ApprovalState::NotNeeded
    } else if given >= needed {
        ApprovalState::Given
    } else if let Some(no) = last_no.max_by_key(|one| one.decided_at)
        && asked.is_none_or(|asked| asked <= no.decided_at)
    {
        ApprovalState::Rejected
    } else if asked.is_some() || waiting.is_some() || given > 0 {
        ApprovalState::Wanted
    } else {
        ApprovalState::Missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn said(decision: Decision, second: i64) -> Approval {
        Approval {
            id: ApprovalId::new(at(second), 1),
            post_id: PostId::new(at(0), 1),
            revision: 1,
            content_hash: "now".into(),
            person_id: PersonId::new(at(0), 1),
            decision,
            note: None,
            decided_at: at(second),
            ended_at: None,
            ended_by: None,
        }
    }

    fn asked(second: i64) -> Submission {
        let by = PersonId::new(at(0), 2);
        Submission { content_hash: "now".into(), by, at: at(second) }
    }

    #[test]
    fn a_no_stands_until_somebody_asks_again_or_the_post_is_another() {
        use ApprovalState as S;
        let no = [said(Decision::Reject, 5)];
        assert_eq!(state(0, 0, "now", (None, None), &[]), S::NotNeeded);
        assert_eq!(state(1, 0, "now", (None, None), &[]), S::Missing);
        assert_eq!(state(1, 0, "now", (Some(&asked(1)), None), &[]), S::Wanted);
        assert_eq!(state(1, 0, "now", (Some(&asked(1)), None), &no), S::Rejected);
        assert_eq!(state(1, 0, "now", (Some(&asked(6)), None), &no), S::Wanted);
        assert_eq!(state(1, 0, "later", (Some(&asked(6)), None), &no), S::Missing);
        assert_eq!(state(2, 1, "now", (None, None), &[]), S::Wanted);
        assert_eq!(state(2, 2, "now", (None, None), &no), S::Given);
        // So does a plan that waits for it.
        let waiting = |second| {
            let planned_at = Some(at(second));
            Waiting { due_at: at(9), since: at(second), planned_at, coverable: true }
        };
        let old = Waiting { coverable: false, ..waiting(1) };
        assert!(waits(S::Given, Some(&waiting(1))) && !waits(S::Given, Some(&old)));
        assert!(waits(S::Wanted, None) && !waits(S::Rejected, Some(&waiting(1))));
        let stopped = Waiting { planned_at: None, ..waiting(6) };
        assert_eq!(state(1, 0, "now", (None, Some(&stopped)), &no), S::Rejected);
        assert_eq!(state(1, 0, "now", (None, Some(&stopped)), &[]), S::Wanted);
        assert_eq!(state(1, 0, "now", (None, Some(&waiting(4))), &[]), S::Wanted);
        assert_eq!(state(1, 0, "now", (None, Some(&waiting(5))), &no), S::Rejected);
        assert_eq!(state(1, 0, "now", (None, Some(&waiting(6))), &no), S::Wanted);
    }

    #[test]
    fn those_above_are_asked_where_the_unit_has_too_few() {
        let all = [("chief", 0), ("deputy", 0), ("director", 1), ("minister", 2)];
        assert_eq!(nearest(&all, 1), [&"chief", &"deputy"]);
        assert_eq!(nearest(&all[1..], 2), [&"deputy", &"director"]);
        assert_eq!(nearest(&all[3..], 2), [&"minister"]);
        assert_eq!(nearest::<&str>(&[], 1), [] as [&&str; 0]);
    }

    #[test]
    fn a_plan_is_named_by_where_and_when_and_not_by_its_order() {
        let one = |number, due_ms| Planned {
            id: DeliveryId::new(at(0), number),
            account_id: AccountId::new(at(0), 1),
            due_ms,
            moves: 0,
        };
        let plan = [one(1, 5), one(2, 5)];
        let turned = [one(2, 5), one(1, 5)];
        assert_eq!(plan_hash(&plan), plan_hash(&turned));
        assert_ne!(plan_hash(&plan), plan_hash(&[one(1, 6), one(2, 5)]));
        assert_ne!(plan_hash(&plan), plan_hash(&plan[..1]));
        assert_eq!(plan_hash(&[]), None);
    }
}
