//! Whether a post on an account is ours, by what the database knows. Pure: no database, no clock.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{after, before};
use crate::domain::delivery::DeliveryState;
use crate::store::foreign::Unsettled;

/// A platform's clock may be behind ours by less.
const BEHIND: Duration = Duration::from_mins(10);
/// A post that was still to come when a person was asked comes within this.
const COMES: Duration = Duration::from_hours(1);

/// What a post is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It came from here.
    Ours,
    /// It may be a delivery's whose outcome is not known yet.
    Open,
    /// It did not come from here.
    Foreign,
    /// It is from before all that, or is the next reading's to judge.
    Beyond,
}

/// The time in which a delivery may have made a post that nobody knows the id of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    from: Timestamp,
    /// None while it is still on its way or looked for.
    until: Option<Timestamp>,
}

impl Window {
    /// That of a delivery whose outcome is not known; none when it was never tried.
    pub(super) fn of(delivery: &Unsettled) -> Option<Self> {
        let from = before(delivery.began_at?, BEHIND);
        let asks = delivery.state == DeliveryState::NeedsHuman;
        Some(Self { from, until: asks.then(|| after(delivery.state_since, COMES)) })
    }

    fn covers(&self, at: Timestamp) -> bool {
        at >= self.from && self.until.is_none_or(|until| at <= until)
    }
}

/// What is known of an account.
#[derive(Debug)]
pub(super) struct Account {
    /// What is older was there before.
    pub(super) from: Timestamp,
    /// What is younger is the next reading's to judge.
    pub(super) until: Timestamp,
    /// Remote ids of deliveries.
    pub(super) taken: HashSet<String>,
    /// Remote ids of posts that say what a delivery says that the account does not show by its id.
    pub(super) claimed: HashSet<String>,
    /// Of deliveries whose outcome is not known.
    pub(super) windows: Vec<Window>,
}

impl Account {
    /// What a post is that the account shows.
    pub(super) fn judge(&self, remote_id: &str, published_at: Timestamp) -> Fate {
        if published_at < self.from || published_at > self.until {
            return Fate::Beyond;
        }
        if self.claimed.contains(remote_id) {
            return Fate::Ours;
        }
        self.judge_left(remote_id, published_at)
    }

    /// What a post is that was left open by an earlier reading.
    pub(super) fn judge_left(&self, remote_id: &str, published_at: Timestamp) -> Fate {
        if self.taken.contains(remote_id) {
            return Fate::Ours;
        }
        if self.windows.iter().any(|window| window.covers(published_at)) {
            return Fate::Open;
        }
        Fate::Foreign
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::DeliveryId;
    use crate::domain::variant::Content;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
    }

    fn unsettled(state: DeliveryState, began: Option<i64>, since: i64) -> Unsettled {
        Unsettled {
            id: DeliveryId::new(at(0), 1),
            state,
            state_since: at(since),
            began_at: began.map(at),
            part: 1,
            content: Content::default(),
        }
    }

    fn account(windows: &[Unsettled]) -> Account {
        Account {
            from: at(0),
            until: at(1_000),
            taken: ["ours".to_owned()].into(),
            claimed: ["same".to_owned()].into(),
            windows: windows.iter().filter_map(Window::of).collect(),
        }
    }

    #[test]
    fn what_nobody_knows_is_foreign_and_what_was_there_before_is_not() {
        let account = account(&[]);
        assert_eq!(account.judge("other", at(5)), Fate::Foreign);
        assert_eq!(account.judge("ours", at(5)), Fate::Ours);
        assert_eq!(account.judge("same", at(5)), Fate::Ours);
        assert_eq!(account.judge("other", at(-1)), Fate::Beyond);
        assert_eq!(account.judge("other", at(1_001)), Fate::Beyond);
    }

    #[test]
    fn nothing_is_judged_that_a_delivery_on_its_way_may_have_made() {
        for state in [DeliveryState::Publishing, DeliveryState::Unknown] {
            let account = account(&[unsettled(state, Some(60), 60)]);
            // By a clock that is behind.
            assert_eq!(account.judge("other", at(51)), Fate::Open, "{state}");
            assert_eq!(account.judge("other", at(900)), Fate::Open, "{state}");
            assert_eq!(account.judge("other", at(49)), Fate::Foreign, "{state}");
            assert_eq!(account.judge_left("other", at(70)), Fate::Open, "{state}");
            assert_eq!(account.judge("ours", at(70)), Fate::Ours, "{state}");
        }
    }

    #[test]
    fn a_question_covers_the_time_until_it_was_asked() {
        let account = account(&[unsettled(DeliveryState::NeedsHuman, Some(60), 90)]);
        for (minute, fate) in
            [(49, Fate::Foreign), (51, Fate::Open), (149, Fate::Open), (151, Fate::Foreign)]
        {
            assert_eq!(account.judge("other", at(minute)), fate, "{minute}");
        }
        // One that was never tried has made nothing.
        let never = unsettled(DeliveryState::NeedsHuman, None, 90);
        assert_eq!(Window::of(&never), None);
    }
}
