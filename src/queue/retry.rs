//! How long to wait before work is tried again, as pure functions.

use std::time::Duration;

/// Growing waits with a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// Wait before the second try.
    pub first: Duration,
    /// No wait is longer.
    pub most: Duration,
}

impl BackOff {
    /// The wait after `failures` failures: doubled each time, then between half and all of it by
    /// `random`, so that many that failed together do not come back together.
    pub fn wait(self, failures: u32, random: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let full = self.first.saturating_mul(1 << doublings).min(self.most);
        let half = full / 2;
        let spread = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_millis(random % spread)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_the_ceiling(failures in 0..100_u32, random: u64) {
            let back_off = BackOff { first: Duration::from_secs(1), most: Duration::from_mins(5) };
            let wait = back_off.wait(failures, random);
            prop_assert!(wait <= back_off.most);
            prop_assert!(wait >= back_off.first / 2);
        }
    }

    #[test]
    fn waits_grow() {
        let back_off = BackOff { first: Duration::from_secs(1), most: Duration::from_mins(5) };
        assert!(back_off.wait(5, 0) > back_off.wait(1, u64::MAX));
    }
}
