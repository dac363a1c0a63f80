//! The time: the only folder that may read the system clock or sleep.
//!
//! Everything else asks a [`Clock`], so that tests move time by hand and no delivery ever depends
//! on how fast a machine is. Instants are rounded down to milliseconds when they are made: both
//! databases keep milliseconds, and a value read back must equal the one written.

mod steady;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

pub use steady::{Asked, Condition, Doubt, Limits, Steady, Why};

/// A future that ends when a clock says so.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// A clock handed to everything that needs the time.
pub type SharedClock = Arc<dyn Clock>;

/// Where the time comes from.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The wall-clock instant, in whole milliseconds.
    fn now(&self) -> Timestamp;

    /// Time since some fixed start that never steps and goes on while the machine is suspended;
    /// for leases, deadlines and for noticing that the wall clock has stepped.
    fn elapsed(&self) -> Duration;

    /// Ends at or after `until`, never before it by this clock.
    fn sleep_until(&self, until: Timestamp) -> Sleep;

    /// Ends when `span` has passed.
    fn sleep(&self, span: Duration) -> Sleep;
}

/// Rounds an instant down to whole milliseconds, the resolution of both databases.
pub fn whole_millis(instant: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(instant.as_millisecond()).unwrap_or(instant)
}

/// The instant `span` after `instant`; the last instant there is when that would overflow.
pub fn after(instant: Timestamp, span: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(span)
        .ok()
        .and_then(|span| instant.checked_add(span).ok())
        .unwrap_or(Timestamp::MAX)
}

/// The instant `span` before `instant`; the first instant there is when that would overflow.
pub fn before(instant: Timestamp, span: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(span)
        .ok()
        .and_then(|span| instant.checked_sub(span).ok())
        .unwrap_or(Timestamp::MIN)
}

/// How long from `from` to `to`; zero when `to` is not later.
pub fn until(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        whole_millis(Timestamp::now())
    }

    fn elapsed(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(
            u64::try_from(now.tv_sec).unwrap_or(0),
            u32::try_from(now.tv_nsec).unwrap_or(0),
        )
    }

    fn sleep_until(&self, until: Timestamp) -> Sleep {
        Box::pin(async move {
            loop {
                // The exact instant, not the rounded one: rounding down could wake us early.
                #[expect(
                    clippy::disallowed_methods,
                    reason = "this is the one place that reads the clock"
                )]
                let now = Timestamp::now();
                if now >= until {
                    return;
                }
                let span = self::until(now, until);
                // Long sleeps are cut, so that a stepped wall clock is noticed within a minute.
                #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
                tokio::time::sleep(span.min(Duration::from_mins(1))).await;
            }
        })
    }

    fn sleep(&self, span: Duration) -> Sleep {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
        Box::pin(tokio::time::sleep(span))
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug, Clone)]
pub struct SimulatedClock {
    state: Arc<Mutex<Simulated>>,
}

#[derive(Debug)]
struct Simulated {
    now: Timestamp,
    elapsed: Duration,
    next_number: u64,
    sleepers: BinaryHeap<Reverse<Sleeper>>,
}

#[derive(Debug)]
struct Sleeper {
    until: Duration,
    number: u64,
    wake: oneshot::Sender<()>,
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        (self.until, self.number) == (other.until, other.number)
    }
}
impl Eq for Sleeper {}
impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Sleeper {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.until, self.number).cmp(&(other.until, other.number))
    }
}

impl SimulatedClock {
    /// A clock that stands at `start`.
    pub fn at(start: Timestamp) -> Self {
        Self {
            state: Arc::new(Mutex::new(Simulated {
                now: whole_millis(start),
                elapsed: Duration::from_secs(1_000_000),
                next_number: 0,
                sleepers: BinaryHeap::new(),
            })),
        }
    }

    /// The instant at which the next sleeper wakes, if anybody sleeps.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let mut state = self.lock();
        // Sleepers whose future was dropped will never be woken: forget them.
        while state.sleepers.peek().is_some_and(|next| next.0.wake.is_closed()) {
            state.sleepers.pop();
        }
        let span = state.sleepers.peek()?.0.until.saturating_sub(state.elapsed);
        Some(after(state.now, span))
    }

    /// Moves the time to `instant` (never backwards) and wakes all who slept until then.
    pub fn advance_to(&self, instant: Timestamp) {
        let mut state = self.lock();
        let span = until(state.now, instant);
        state.now = after(state.now, span);
        state.elapsed += span;
        Self::wake_due(&mut state);
    }

    /// Moves the time on by `span` and wakes all who slept until then.
    pub fn advance(&self, span: Duration) {
        let to = after(self.lock().now, span);
        self.advance_to(to);
    }

    /// Steps the wall clock alone, as a broken time server would; nobody wakes.
    pub fn step_wall(&self, to: Timestamp) {
        self.lock().now = whole_millis(to);
    }

    fn wake_due(state: &mut Simulated) {
        while state.sleepers.peek().is_some_and(|next| next.0.until <= state.elapsed) {
            if let Some(Reverse(sleeper)) = state.sleepers.pop() {
                // A sleeper that went away needs no waking.
                let _gone = sleeper.wake.send(());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Simulated> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    fn sleep_until(&self, until: Timestamp) -> Sleep {
        let span = self::until(self.lock().now, until);
        self.sleep(span)
    }

    fn sleep(&self, span: Duration) -> Sleep {
        let (wake, woken) = oneshot::channel();
        let mut state = self.lock();
        if !span.is_zero() {
            let number = state.next_number;
            state.next_number += 1;
            let until = state.elapsed + span;
            state.sleepers.push(Reverse(Sleeper { until, number, wake }));
        }
        Box::pin(async move {
            // An error means that the sender is gone: at once for an empty span, or because the
            // clock itself is, and then nobody waits for the time any more.
            let _ended = woken.await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_time_is_moved_and_not_before() {
        let clock = SimulatedClock::at("2026-09-02T02:00:00Z".parse().unwrap());
        let sleep = tokio::spawn(clock.sleep(Duration::from_mins(1)));
        clock.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleep.is_finished());
        clock.advance(Duration::from_secs(1));
        sleep.await.unwrap();
        assert_eq!(clock.now(), "2026-09-02T02:01:00Z".parse().unwrap());
    }

    #[tokio::test]
    async fn the_system_clock_never_ends_a_sleep_early() {
        let clock = SystemClock;
        let until = after(clock.now(), Duration::from_millis(15));
        clock.sleep_until(until).await;
        assert!(clock.now() >= until);
    }

    #[test]
    fn instants_have_whole_milliseconds() {
        let fine: Timestamp = "2026-09-02T02:00:00.123456789Z".parse().unwrap();
        assert_eq!(whole_millis(fine).to_string(), "2026-09-02T02:00:00.123Z");
    }
}
