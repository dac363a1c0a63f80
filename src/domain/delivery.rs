//! The states of a delivery and the only transitions there are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::words;

words! {
    /// Where a delivery stands.
    DeliveryState {
        /// Not submitted yet.
        Draft = "draft",
        /// Waits for people's yes.
        PendingApproval = "pending_approval",
        /// Waits for its instant.
        Scheduled = "scheduled",
        /// Guarded: an attempt is open, its request is about to leave or has left.
        Publishing = "publishing",
        /// Out, with the platform's id.
        Published = "published",
        /// The platform may or may not have it; being reconciled.
        Unknown = "unknown",
        /// A person must decide.
        NeedsHuman = "needs_human",
        /// A hold or an unhealthy account covers it.
        Held = "held",
        /// Its latest useful time has passed.
        Missed = "missed",
        /// Definitely refused, with the reason.
        Failed = "failed",
        /// Taken back by a person before it left.
        Cancelled = "cancelled",
        /// Was out, removed at the platform.
        Vanished = "vanished",
        /// Was out, deleted by us.
        Recalled = "recalled",
    }
}

words! {
    /// What a person can do about a delivery; the last part of its address in the API, but for
    /// `review`, which is `POST /deliveries/review`.
    Act {
        /// Take it back before it leaves.
        Cancel = "cancel",
        /// Choose another instant.
        Reschedule = "reschedule",
        /// Say which post at the platform it is.
        Adopt = "adopt",
        /// Give it up.
        Drop = "drop",
        /// Send it again.
        Retry = "retry",
        /// Release, reschedule or drop it after a hold.
        Review = "review",
        /// Delete it at the platform.
        Recall = "recall",
    }
}

impl Act {
    /// What it means to the delivery.
    const fn event(self) -> Event {
        match self {
            Self::Cancel => Event::Cancelled,
            Self::Reschedule => Event::Rescheduled,
            Self::Adopt => Event::Found,
            Self::Drop => Event::Dropped,
            Self::Retry => Event::SentAgain,
            Self::Review => Event::Released,
            Self::Recall => Event::Recalled,
        }
    }

    /// Whether it answers a question, and is out of place where nobody was asked.
    const fn is_an_answer(self) -> bool {
        match self {
            Self::Adopt | Self::Drop | Self::Retry => true,
            Self::Cancel | Self::Reschedule | Self::Review | Self::Recall => false,
        }
    }

    /// Whether it has a place only where a hold has caught the delivery.
    const fn is_about_a_hold(self) -> bool {
        matches!(self, Self::Review)
    }
}

/// What can happen to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// It was guarded and its attempt opened.
    Guarded,
    /// The platform has it.
    Published,
    /// The platform took it and is still processing.
    Pending,
    /// Definitely refused.
    Refused,
    /// The guard found that it must not be sent at all.
    GuardRefused,
    /// Definitely not created; try again later.
    Deferred,
    /// The outcome is hidden.
    Doubted,
    /// Reading back found it.
    Found,
    /// Reading back showed, after the quiet wait, that it is not there.
    Absent,
    /// Only a person can tell.
    NeedsPerson,
    /// Its latest useful time passed before it was guarded.
    Late,
    /// A person gave it up whose outcome nobody could tell.
    Dropped,
    /// A person saw that it is not there and sends it again.
    SentAgain,
    /// A person took it back.
    Cancelled,
    /// A person chose another instant.
    Rescheduled,
    /// A guarded delivery was taken back before its first byte left.
    Withdrawn,
    /// Its account cannot publish.
    AccountUnfit,
    /// Its account can publish again.
    AccountFit,
    /// The database came back from a backup that is older than its instant: it may be out.
    Restored,
    /// A hold covers it.
    Stopped,
    /// Those who must have approved it, and it is as they have seen it.
    Approved,
    /// It is not approved, or not any more.
    Unapproved,
    /// A person let it go on after a hold.
    Released,
    /// It was out, and is certainly not there any more.
    Vanished,
    /// It was out, and was deleted because a person wanted it.
    Recalled,
}

/// An event that has no place in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to a delivery that is {state}")]
pub struct NotNow {
    /// The state it stands in.
    pub state: DeliveryState,
    /// What was to happen.
    pub event: Event,
}

impl DeliveryState {
    /// True for a state that nothing of ours moves on from, except published to vanished or
    /// recalled.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Published
            | Self::Missed
            | Self::Failed
            | Self::Cancelled
            | Self::Vanished
            | Self::Recalled => true,
            Self::Draft
            | Self::PendingApproval
            | Self::Scheduled
            | Self::Publishing
            | Self::Unknown
            | Self::NeedsHuman
            | Self::Held => false,
        }
    }

    /// True where it may be at the platform although nobody knows its id there.
    pub const fn may_be_out(self) -> bool {
        match self {
            Self::Publishing | Self::Unknown | Self::NeedsHuman => true,
            Self::Draft
            | Self::PendingApproval
            | Self::Scheduled
            | Self::Published
            | Self::Held
            | Self::Missed
            | Self::Failed
            | Self::Cancelled
            | Self::Vanished
            | Self::Recalled => false,
        }
    }

    /// What a person can do about a delivery that stands here; `caught` when a hold has caught it.
    pub fn acts(self, caught: bool) -> impl Iterator<Item = Act> {
        let asked = matches!(self, Self::NeedsHuman);
        Act::ALL.iter().copied().filter(move |act| {
            (asked || !act.is_an_answer())
                && (caught || !act.is_about_a_hold())
                && self.apply(act.event()).is_ok()
        })
    }

    /// The state after `event`; an error when it has no place here.
    pub const fn apply(self, event: Event) -> Result<Self, NotNow> {
        use DeliveryState as S;
        let next = match (self, event) {
            (S::Scheduled, Event::Guarded) | (S::Publishing, Event::Pending) => S::Publishing,
            (S::Publishing, Event::Published) | (S::Unknown | S::NeedsHuman, Event::Found) => {
                S::Published
            }
            (S::Publishing | S::Unknown, Event::Refused) | (S::Scheduled, Event::GuardRefused) => {
                S::Failed
            }
            (S::Publishing, Event::Doubted)
            | (S::PendingApproval | S::Scheduled | S::Held, Event::Restored) => S::Unknown,
            (S::Publishing, Event::Deferred | Event::Withdrawn)
            | (S::Unknown, Event::Absent)
            | (S::NeedsHuman, Event::SentAgain)
            | (S::Held, Event::AccountFit | Event::Released | Event::Rescheduled)
            | (S::Scheduled, Event::Rescheduled)
            | (S::PendingApproval, Event::Approved) => S::Scheduled,
            (S::Scheduled | S::Held, Event::Unapproved)
            | (S::PendingApproval, Event::Rescheduled) => S::PendingApproval,
            (S::Published, Event::Vanished) => S::Vanished,
            (S::Published, Event::Recalled) => S::Recalled,
            (
                S::PendingApproval | S::Scheduled | S::Held | S::Publishing | S::Unknown,
                Event::NeedsPerson,
            ) => S::NeedsHuman,
            (S::Scheduled | S::Held | S::PendingApproval, Event::Late) => S::Missed,
            (S::Scheduled | S::Publishing, Event::AccountUnfit)
            | (S::Scheduled | S::Held, Event::Stopped) => S::Held,
            (S::Draft | S::PendingApproval | S::Scheduled | S::Held, Event::Cancelled)
            | (S::NeedsHuman | S::Held, Event::Dropped) => S::Cancelled,
            (state, event) => return Err(NotNow { state, event }),
        };
        Ok(next)
    }
}

/// Why a delivery has not gone out, in a stable word and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryProblem {
    /// Stable machine word.
    pub code: String,
    /// What happened.
    pub detail: String,
    /// What one can do.
    pub hint: String,
}

/// What a delivery that is not final waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitsFor {
    /// Stable machine word: one of `waiting::Cause`, or a platform's own for what passes.
    pub code: String,
    /// For people.
    pub detail: String,
}

impl WaitsFor {
    /// People's yes to what it says, where and when.
    pub fn approval() -> Self {
        Self {
            code: "approval".to_owned(),
            detail: "approval of what it says, where and when".to_owned(),
        }
    }
}

/// The wish of a person that what is out be deleted at the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// Why.
    pub reason: String,
    /// How often the platform was asked without success.
    pub tries: i64,
    /// What stands in the way, when a person should know.
    pub problem: Option<DeliveryProblem>,
    /// When people were told of that.
    pub told_at: Option<Timestamp>,
    /// When the platform said first that the post does not exist, without having said that it deleted
    /// it: what is new may not be seen yet.
    #[serde(default)]
    pub missed_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &[Event] = &[
        Event::Guarded,
        Event::Published,
        Event::Pending,
        Event::Refused,
        Event::GuardRefused,
        Event::Deferred,
        Event::Doubted,
        Event::Found,
        Event::Absent,
        Event::NeedsPerson,
        Event::Late,
        Event::Dropped,
        Event::SentAgain,
        Event::Cancelled,
        Event::Rescheduled,
        Event::Withdrawn,
        Event::AccountUnfit,
        Event::AccountFit,
        Event::Restored,
        Event::Stopped,
        Event::Approved,
        Event::Unapproved,
        Event::Released,
        Event::Vanished,
        Event::Recalled,
    ];

    #[test]
    fn nothing_moves_a_final_state_but_what_is_out_may_be_taken_away() {
        for &state in DeliveryState::ALL.iter().filter(|state| state.is_final()) {
            for &event in EVENTS {
                let taken_away = matches!(event, Event::Vanished | Event::Recalled);
                let may = state == DeliveryState::Published && taken_away;
                assert_eq!(state.apply(event).is_ok(), may, "{event:?} of {state}");
            }
        }
        for &state in DeliveryState::ALL.iter().filter(|it| **it != DeliveryState::Published) {
            assert!(state.apply(Event::Vanished).is_err() && state.apply(Event::Recalled).is_err());
        }
    }

    #[test]
    fn what_can_be_done_about_it_follows_from_where_it_stands() {
        let acts = |state: DeliveryState| state.acts(false).map(Act::as_str).collect::<Vec<_>>();
        assert_eq!(acts(DeliveryState::Scheduled), ["cancel", "reschedule"]);
        assert_eq!(acts(DeliveryState::Held), ["cancel", "reschedule"]);
        let caught: Vec<_> = DeliveryState::Held.acts(true).map(Act::as_str).collect();
        assert_eq!(caught, ["cancel", "reschedule", "review"]);
        assert_eq!(acts(DeliveryState::NeedsHuman), ["adopt", "drop", "retry"]);
        for state in [DeliveryState::Publishing, DeliveryState::Unknown] {
            assert!(acts(state).is_empty(), "{state}: it may have left");
        }
        assert_eq!(acts(DeliveryState::Published), ["recall"]);
        let published = |state: &&DeliveryState| **state == DeliveryState::Published;
        for &state in DeliveryState::ALL.iter().filter(|it| it.is_final() && !published(it)) {
            assert!(acts(state).is_empty(), "{state} is final");
        }
    }

    #[test]
    fn an_unknown_delivery_is_never_guarded_again_without_a_look() {
        assert!(DeliveryState::Unknown.apply(Event::Guarded).is_err());
        assert!(DeliveryState::NeedsHuman.apply(Event::Guarded).is_err());
        assert_eq!(DeliveryState::Unknown.apply(Event::Absent), Ok(DeliveryState::Scheduled));
    }

    #[test]
    fn a_request_that_may_have_left_cannot_be_cancelled() {
        assert!(DeliveryState::Publishing.apply(Event::Cancelled).is_err());
        assert!(DeliveryState::Unknown.apply(Event::Cancelled).is_err());
    }
}
