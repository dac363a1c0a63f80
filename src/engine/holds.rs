//! Tells the other processes that this one sends nothing more of what a new hold covers: takes back
//! what waits at the gate, and then writes down up to which hold it has done so.
//!
//! Whoever places a hold waits for that word of every process that has guarded something it covers.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Tools;
use crate::domain::work;
use crate::queue::{Lease, Queue, Recall};
use crate::store::{Error, holds, publishing};

/// How often it looks for new holds; a hold is answered so much later when several processes work.
const PERIOD: Duration = Duration::from_millis(150);

/// Watches for new holds.
#[derive(Debug)]
pub(super) struct Heed {
    tools: Tools,
    lease: Lease,
    queue: Queue,
    heeded: i64,
}

impl Heed {
    /// Takes back from this queue what was guarded under this lease.
    pub(super) fn new(tools: Tools, lease: Lease, queue: Queue) -> Self {
        Self { tools, lease, queue, heeded: 0 }
    }

    /// Looks until told to stop.
    pub(super) async fn keep(mut self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.look().await {
                let error = crate::telemetry::Chain(&error);
                tracing::warn!(%error, "new holds cannot be seen; whoever places one waits for it");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.tools.clock.sleep(PERIOD) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let newest = holds::newest(&mut self.tools.store.read().await?).await?;
        if newest == self.heeded {
            return Ok(());
        }
        let holder = self.lease.holder();
        let mut tx = self.tools.store.begin().await?;
        // After the number: what a later hold covers is taken back in its own turn.
        for id in holds::covered_at(&mut tx, &holder.node).await? {
            if self.queue.gate().recall(&work::publish_key(&id)) == Recall::Taken {
                publishing::withdraw(&mut tx, &id, self.tools.clock.now()).await?;
            }
        }
        holds::confirm(&mut tx, &holder.node, holder.fence, newest).await?;
        tx.commit().await?;
        self.heeded = newest;
        self.queue.look_again();
        Ok(())
    }
}
