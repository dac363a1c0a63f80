//! When people are told again of what waits for them, and who is told at which step: a pure ladder.

use std::time::Duration;

/// The steps of a ladder: at once, after each of these, and then again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder<'a> {
    /// Waits after the beginning, growing.
    pub after: &'a [Duration],
    /// The wait from one step to the next when those are over.
    pub every: Duration,
}

/// The step from which administrators are told of what is not their own: after the first reminder.
pub const ESCALATES: i64 = 2;

impl Ladder<'_> {
    /// The step that is due after so long: 0 at once, 1 after the first wait.
    pub fn step(&self, age: Duration) -> i64 {
        let passed = self.after.iter().take_while(|wait| **wait <= age).count();
        let mut step = i64::try_from(passed).unwrap_or(i64::MAX);
        if passed == self.after.len() && !self.every.is_zero() {
            let over = age.saturating_sub(self.after.last().copied().unwrap_or_default());
            let rounds = over.as_millis() / self.every.as_millis().max(1);
            step = step.saturating_add(i64::try_from(rounds).unwrap_or(i64::MAX));
        }
        step
    }

    /// How old it is when the step after this one is due.
    pub fn next(&self, step: i64) -> Duration {
        let place = usize::try_from(step).unwrap_or(0);
        if let Some(wait) = self.after.get(place) {
            return *wait;
        }
        let rounds = u32::try_from(place + 1 - self.after.len()).unwrap_or(u32::MAX);
        let last = self.after.last().copied().unwrap_or_default();
        last.saturating_add(self.every.saturating_mul(rounds))
    }

    /// Whether the ladder is past its quick steps at this one, and administrators were told.
    pub fn is_slow(&self, step: i64) -> bool {
        step >= ESCALATES.max(i64::try_from(self.after.len()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_at_once_after_ten_minutes_an_hour_and_then_daily() {
        let after = [Duration::from_mins(10), Duration::from_hours(1)];
        let ladder = Ladder { after: &after, every: Duration::from_hours(24) };
        let rows = [(0, 0), (9, 0), (10, 1), (59, 1), (60, 2), (60 + 1_439, 2), (60 + 1_440, 3)];
        for (minutes, step) in rows {
            assert_eq!(ladder.step(Duration::from_mins(minutes)), step, "after {minutes} min");
        }
        for (minutes, _) in rows {
            let age = Duration::from_mins(minutes);
            let next = ladder.next(ladder.step(age));
            assert!(next > age && ladder.step(next) == ladder.step(age) + 1, "after {minutes} min");
        }
        assert!(!ladder.is_slow(1) && ladder.is_slow(2));
        let days = Duration::from_hours(1 + 24 * 9);
        assert_eq!(ladder.step(days), 11, "nobody is told nine times at once");
    }

    #[test]
    fn a_ladder_without_waits_is_only_the_round() {
        let ladder = Ladder { after: &[], every: Duration::from_mins(5) };
        assert_eq!(ladder.step(Duration::from_mins(11)), 2);
        assert_eq!(ladder.next(2), Duration::from_mins(15));
    }
}
