//! Waiting for something that is not ours to hurry: by its level, bounded, and with the last status
//! in the message.

use std::fmt::Display;
use std::time::Duration;

use chancery::clock::{Clock as _, SystemClock};
use jiff::Timestamp;

/// Far beyond what anything here takes, on a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(45);
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is an answer; `Err` says what was seen instead.
pub(crate) async fn eventually<T, E: Display>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let start = SystemClock.elapsed();
    loop {
        let seen = match look().await {
            Ok(found) => return found,
            Err(seen) => seen,
        };
        let waited = SystemClock.elapsed().saturating_sub(start);
        assert!(waited < PATIENCE, "not within {PATIENCE:?}: {what}; last seen: {seen}");
        SystemClock.sleep(PAUSE).await;
    }
}

/// Now.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// Lets time pass, for what must not happen meanwhile.
pub(crate) async fn pass(span: Duration) {
    SystemClock.sleep(span).await;
}
