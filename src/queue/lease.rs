//! The lease of this process on everything it has claimed: kept alive by a heartbeat, and asked
//! before every irreversible step whether enough of it is left.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::neighbours::Neighbours;
use crate::clock::{Clock as _, SharedClock, SystemClock};
use crate::store::jobs::{Beat, Holder};
use crate::store::{Error, Store, nodes};

/// The lease. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lease {
    store: Store,
    clock: SharedClock,
    holder: Holder,
    length: Duration,
    gate: Gate,
    /// Until when it holds, in milliseconds of the clock that counts suspended time.
    ends_ms: Arc<AtomicU64>,
    /// Nobody knows this process any more: its fence counts for nothing, and never will again.
    lost: CancellationToken,
    neighbours: Arc<Mutex<Neighbours>>,
}

impl Lease {
    /// A lease for `holder`, good for `length` from now, on what leaves through `gate`.
    pub fn new(
        store: Store,
        clock: SharedClock,
        holder: Holder,
        length: Duration,
        gate: Gate,
    ) -> Self {
        let ends_ms = Arc::new(AtomicU64::new(millis(clock.elapsed() + length)));
        let (lost, neighbours) = (CancellationToken::new(), Arc::default());
        Self { store, clock, holder, length, gate, ends_ms, lost, neighbours }
    }

    /// Who holds it.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// How long it lasts when renewed.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// How much of it is certainly left.
    pub fn left(&self) -> Duration {
        let ends = Duration::from_millis(self.ends_ms.load(Ordering::Acquire));
        ends.saturating_sub(self.clock.elapsed())
    }

    /// Ends when this process finds that it is not among the nodes any more: it was forgotten while it
    /// stood still, or its place was lost with the last commits of a server. It must end then.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// The fences of those whose leases have certainly ended, from how they beat, which was asked at
    /// `asked`; asked often.
    pub(super) fn silent(&self, beats: &[Beat], asked: Duration) -> Vec<i64> {
        let mut neighbours = self.neighbours.lock().unwrap_or_else(PoisonError::into_inner);
        neighbours.silent(beats, [asked, self.clock.elapsed()], self.length)
    }

    /// Nothing leaves any more, and nothing is claimed.
    fn give_up(&self) {
        self.ends_ms.store(0, Ordering::Release);
        self.gate.recall_all();
    }

    /// Renews it in the database and, if that succeeded, here.
    pub async fn renew(&self) -> Result<(), Error> {
        if let Err(error) = self.store.schema().await {
            if let Error::Unsafe(_) = &error {
                // Another node has moved the schema on: this build does not know what its rows mean
                // any more. What is leaving is recorded, nothing else leaves.
                self.give_up();
            }
            return Err(error);
        }
        // Counted from before the write: the lease here must never outlast the one there.
        let before = self.clock.elapsed();
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let Holder { node, fence } = &self.holder;
        if !nodes::beat(&mut tx, node, *fence, self.length, now).await? {
            self.give_up();
            self.lost.cancel();
            return Err(Error::Stale);
        }
        tx.commit().await?;
        if self.left().is_zero() {
            // It had lapsed: others may have decided about what waits here, so nothing of that may
            // leave under the new lease.
            self.gate.recall_all();
        }
        self.ends_ms.store(millis(before + self.length), Ordering::Release);
        Ok(())
    }

    /// Renews it three times in its length until told to stop.
    pub async fn keep(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.sleep(self.length / 3) => {}
            }
            crate::crash_point!("lease.before_renewal");
            let renewed = tokio::select! {
                renewed = self.renew() => renewed,
                // A server that does not answer must not keep us from asking again: meanwhile the lease
                // runs out, and nothing leaves. Real time: it is the server that is waited for.
                () = SystemClock.sleep(self.length / 3) => Err(Error::Busy),
            };
            if let Err(error) = renewed {
                tracing::error!(node.id = %self.holder.node, %error, "the lease was not renewed");
            }
            if self.lost.is_cancelled() {
                return;
            }
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
