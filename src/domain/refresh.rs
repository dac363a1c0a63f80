//! When a credential is refreshed, and what came of a refresh token that was presented.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::words;

words! {
    /// What became of a refresh token that was presented. Whatever it is: it is not presented again.
    RefreshOutcome {
        /// It may have left, and its answer is awaited.
        Presenting = "presenting",
        /// The new pair is kept.
        Kept = "kept",
        /// The platform does not take it.
        Refused = "refused",
        /// The platform hid what came of it.
        Lost = "lost",
        /// The process that presented it is gone, or the database forgot whether it was presented.
        Orphaned = "orphaned",
        /// Somebody connected the account again meanwhile.
        Superseded = "superseded",
    }
}

/// How long an access token lives of which nobody said it.
const ASSUMED_LIFE: Duration = Duration::from_hours(2);

/// When a credential is to be refreshed, as shares of its access token's life: of two hours, after one;
/// not within 15 minutes before a delivery; and in any case 15 minutes before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// From then on.
    pub due: Timestamp,
    /// From then on whatever else is due.
    pub last_call: Timestamp,
    /// Until then only while nothing is due within so long.
    pub quiet: Duration,
    /// Between two looks, and between two accounts after a platform has hidden an answer.
    pub pause: Duration,
}

impl Plan {
    /// For an access token that was issued and ends at these instants. One whose end nobody knows is
    /// refreshed at once: then it is known.
    pub fn of(issued: Timestamp, ends: Option<Timestamp>) -> Self {
        let life = ends.map_or(ASSUMED_LIFE, |ends| {
            Duration::try_from(ends.duration_since(issued)).unwrap_or_default()
        });
        let at = |span: Duration| {
            let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
            issued.checked_add(span).unwrap_or(Timestamp::MAX)
        };
        Self {
            due: if ends.is_some() { at(life / 2) } else { issued },
            last_call: at(life / 8 * 7),
            quiet: life / 8,
            pause: life / 24,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hours_are_refreshed_after_one_and_at_the_latest_a_quarter_of_an_hour_before_their_end() {
        let issued: Timestamp = "2026-09-02T08:00:00Z".parse().unwrap();
        let ends: Timestamp = "2026-09-02T10:00:00Z".parse().unwrap();
        let plan = Plan::of(issued, Some(ends));
        assert_eq!(plan.due.to_string(), "2026-09-02T09:00:00Z");
        assert_eq!(plan.last_call.to_string(), "2026-09-02T09:45:00Z");
        assert_eq!((plan.quiet, plan.pause), (Duration::from_mins(15), Duration::from_mins(5)));
        let unknown = Plan::of(issued, None);
        assert_eq!((unknown.due, unknown.last_call), (issued, plan.last_call));
        let garbled = Plan::of(ends, Some(issued));
        assert_eq!((garbled.due, garbled.last_call), (ends, ends));
    }
}
