//! The machine's clock with all its digits: the service's own is rounded down to milliseconds, too
//! coarse to see whether something was early.

use std::time::Duration;

use chancery::clock::{Clock, Sleep, SystemClock};
use jiff::Timestamp;

/// Reads finely, sleeps like the service's own.
#[derive(Debug)]
pub(crate) struct FineClock;

impl Clock for FineClock {
    #[expect(clippy::disallowed_methods, reason = "a measuring clock has to read the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        SystemClock.elapsed()
    }

    fn sleep_until(&self, until: Timestamp) -> Sleep {
        SystemClock.sleep_until(until)
    }

    fn sleep(&self, span: Duration) -> Sleep {
        SystemClock.sleep(span)
    }
}
