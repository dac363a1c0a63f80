//! The clock of a stage: the machine's own, until a test lets hours pass, suspends the machine or
//! breaks its time server.

use std::time::Duration;

use chancery::clock::{Clock, Sleep, SystemClock, until};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// How far it is ahead of the machine's own.
#[derive(Debug, Clone, Copy, Default)]
struct Ahead {
    /// What the wall clock says.
    wall: SignedDuration,
    /// What has passed, suspended time included.
    elapsed: Duration,
    /// What sleepers have noticed of it.
    slept: Duration,
}

/// A clock that goes with the machine's and can be put forward. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Shifted {
    ahead: watch::Sender<Ahead>,
}

impl Shifted {
    /// As the machine's own.
    pub(super) fn new() -> Self {
        Self { ahead: watch::Sender::new(Ahead::default()) }
    }

    /// Time passes, and all who slept until then wake.
    pub(super) fn advance(&self, span: Duration) {
        self.ahead.send_modify(|ahead| {
            ahead.wall += signed(span);
            ahead.elapsed += span;
            ahead.slept += span;
        });
    }

    /// The machine is suspended and goes on: time has passed, and nobody's sleep was shortened by it.
    pub(super) fn suspend(&self, span: Duration) {
        self.ahead.send_modify(|ahead| {
            ahead.wall += signed(span);
            ahead.elapsed += span;
        });
    }

    /// The wall clock alone steps; no time has passed.
    pub(super) fn step(&self, span: SignedDuration) {
        self.ahead.send_modify(|ahead| ahead.wall += span);
    }

    fn slept(&self) -> Duration {
        SystemClock.elapsed() + self.ahead.borrow().slept
    }

    async fn doze(&self, span: Duration) {
        let mut ahead = self.ahead.subscribe();
        let end = self.slept() + span;
        loop {
            let left = end.saturating_sub(self.slept());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = SystemClock.sleep(left) => {}
                _moved = ahead.changed() => {}
            }
        }
    }
}

fn signed(span: Duration) -> SignedDuration {
    span.try_into().unwrap()
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        SystemClock.now().checked_add(self.ahead.borrow().wall).unwrap()
    }

    fn elapsed(&self) -> Duration {
        SystemClock.elapsed() + self.ahead.borrow().elapsed
    }

    fn sleep_until(&self, instant: Timestamp) -> Sleep {
        let clock = self.clone();
        Box::pin(async move {
            loop {
                // The machine's own says whole milliseconds and rounds down.
                let now = clock.now();
                if now >= instant {
                    return;
                }
                clock.doze(until(now, instant).min(Duration::from_mins(1))).await;
            }
        })
    }

    fn sleep(&self, span: Duration) -> Sleep {
        let clock = self.clone();
        Box::pin(async move { clock.doze(span).await })
    }
}
