//! What a platform says of an account's access, when it is asked again, and when people are told of it.

use std::time::Duration;

use jiff::Timestamp;

use super::account::AccountStatus;
use super::words;

words! {
    /// What the last question about an account's access has shown.
    ProbeVerdict {
        /// Its credential is taken, and may do what is needed.
        Fit = "fit",
        /// Its credential is taken, but the account may not publish until somebody does something.
        Lacking = "lacking",
        /// The platform does not take its credential. Only the second such answer ends it.
        Refused = "refused",
        /// No answer has said anything yet.
        Unclear = "unclear",
    }
}

/// So many refusals in a row end a credential.
pub const REFUSALS: i64 = 2;

/// So many days before an end people are told of it.
const DAYS: [i64; 4] = [30, 14, 7, 1];

/// So many hours before a delivery its account is looked at, and people are told when it is not fit.
const HOURS: [i64; 2] = [24, 1];

/// The longest before a delivery.
pub const DAY: Duration = Duration::from_hours(24);

/// The last before a delivery.
pub const HOUR: Duration = Duration::from_hours(1);

/// The longest before an end.
pub const FIRST_WARNING: Duration = Duration::from_hours(30 * 24);

/// The last stage that an end has reached, in days before it: whoever sees it late tells of that one alone.
pub fn days_before(end: Timestamp, now: Timestamp) -> Option<i64> {
    let left = end.as_second() - now.as_second();
    DAYS.into_iter().filter(|days| left <= days * 86_400).min()
}

/// The same for a delivery that is due, in hours.
pub fn hours_before(due: Timestamp, now: Timestamp) -> Option<i64> {
    let left = due.as_second() - now.as_second();
    HOURS.into_iter().filter(|hours| left <= hours * 3_600).min()
}

/// What decides whether an account can publish at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fitness {
    /// How it stands.
    pub status: AccountStatus,
    /// What the last question has shown.
    pub verdict: Option<ProbeVerdict>,
    /// When its access ends, where nothing gives it another by itself.
    pub ends_at: Option<Timestamp>,
}

impl Fitness {
    /// Why it cannot publish at that instant, as a stable word.
    pub fn hindrance(self, at: Timestamp) -> Option<&'static str> {
        match (self.status, self.verdict) {
            (AccountStatus::NeedsReconnect, _) => Some("needs_reconnect"),
            (AccountStatus::Revoked, _) => Some("revoked"),
            (AccountStatus::Paused, _) => Some("paused"),
            (AccountStatus::Connected, Some(ProbeVerdict::Lacking)) => Some("lacking"),
            (
                AccountStatus::Connected,
                Some(ProbeVerdict::Fit | ProbeVerdict::Refused | ProbeVerdict::Unclear) | None,
            ) => self.ends_at.is_some_and(|end| end <= at).then_some("ends_before"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    #[test]
    fn each_stage_before_an_end_begins_at_its_instant() {
        let day = 86_400;
        let stages =
            [30 * day + 1, 30 * day, 14 * day + 1, 14 * day, 7 * day, day + 1, day, 0, -day]
                .map(|left| days_before(at(left), at(0)));
        let expected =
            [None, Some(30), Some(30), Some(14), Some(7), Some(7), Some(1), Some(1), Some(1)];
        assert_eq!(stages, expected);
        let hours = [86_401, 86_400, 3_601, 3_600, 0].map(|left| hours_before(at(left), at(0)));
        assert_eq!(hours, [None, Some(24), Some(24), Some(1), Some(1)]);
    }

    #[test]
    fn an_account_is_fit_until_its_status_its_rights_or_its_end_say_otherwise() {
        use AccountStatus::{Connected, NeedsReconnect, Paused, Revoked};
        let fit = Fitness { status: Connected, verdict: Some(ProbeVerdict::Fit), ends_at: None };
        assert_eq!(fit.hindrance(at(0)), None);
        for (status, word) in
            [(NeedsReconnect, "needs_reconnect"), (Paused, "paused"), (Revoked, "revoked")]
        {
            assert_eq!(Fitness { status, ..fit }.hindrance(at(0)), Some(word));
        }
        let lacking = Fitness { verdict: Some(ProbeVerdict::Lacking), ..fit };
        assert_eq!(lacking.hindrance(at(0)), Some("lacking"));
        // One refusal is none, and what says nothing says nothing.
        for verdict in [None, Some(ProbeVerdict::Refused), Some(ProbeVerdict::Unclear)] {
            let ending = Fitness { verdict, ends_at: Some(at(10)), ..fit };
            assert_eq!(ending.hindrance(at(9)), None);
            assert_eq!(ending.hindrance(at(10)), Some("ends_before"));
        }
    }
}
