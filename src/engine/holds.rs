//! Tells the other processes that this one sends nothing more of what a new hold covers, or of what one
//! of them was asked to take back: recalls what waits at the gate, and then writes down that it has
//! done so.
//!
//! Whoever places a hold, cancels or moves something, or pauses an account waits for that word of every
//! process that has guarded something of it.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Tools, entry};
use crate::clock::after;
use crate::domain::id::AttemptId;
use crate::domain::work;
use crate::queue::{Lease, Queue, Recall};
use crate::store::{Error, Tx, audit, budgets, holds, recalls};

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

/// What was taken back for somebody waits so long before it is guarded again: he is to come first.
const HIS: Duration = Duration::from_millis(250);

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
        let heeded = self.heed().await;
        // One does not wait for the other: a hold is heeded although this fails, and the other way.
        if let Err(error) = self.give_back().await {
            let error = crate::telemetry::Chain(&error);
            tracing::warn!(%error, "what others want back cannot be given back; they wait for it");
        }
        heeded
    }

    /// Takes back what new holds cover, and confirms them.
    async fn heed(&mut self) -> Result<(), Error> {
        let newest = holds::newest(&mut self.tools.store.read().await?).await?;
        if newest == self.heeded {
            return Ok(());
        }
        let holder = self.lease.holder();
        let mut tx = self.tools.store.begin().await?;
        let now = self.tools.clock.now();
        let (mut entries, mut withdrawn) = (Vec::new(), Vec::new());
        // After the number: what a later hold covers is taken back in its own turn.
        for (id, attempt) in holds::covered_at(&mut tx, &holder.node).await? {
            if self.queue.gate().recall(&work::publish_key(&id)) == Recall::Taken
                && recalls::withdraw(&mut tx, (&id, &attempt), now, now).await?
            {
                entries.push(entry("delivery.scheduled", &id, json!({"code": "withdrawn"})));
                withdrawn.push(attempt);
            }
        }
        give_money_back(&mut tx, &withdrawn).await?;
        holds::confirm(&mut tx, &holder.node, holder.fence, newest).await?;
        audit::append(&mut tx, &entries, now);
        tx.commit().await?;
        self.heeded = newest;
        self.queue.look_again();
        Ok(())
    }

    /// Takes back what others have asked for, or says that it has left. What is not at the gate has come
    /// to its end, which is being written down.
    async fn give_back(&self) -> Result<(), Error> {
        let node = &self.lease.holder().node;
        let asked = recalls::asked(&mut self.tools.store.read().await?, node).await?;
        if asked.is_empty() {
            return Ok(());
        }
        let now = self.tools.clock.now();
        let mut tx = self.tools.store.begin().await?;
        // What is due within the look-ahead would be guarded at once.
        let again = after(now, HIS + self.tools.pace.lookahead);
        let (mut entries, mut withdrawn) = (Vec::new(), Vec::new());
        for (id, attempt) in asked {
            match self.queue.gate().recall(&work::publish_key(&id)) {
                Recall::Taken => {
                    if recalls::withdraw(&mut tx, (&id, &attempt), now, again).await? {
                        let detail = json!({"code": "withdrawn"});
                        entries.push(entry("delivery.scheduled", &id, detail));
                        withdrawn.push(attempt);
                    }
                }
                Recall::Leaving => recalls::refuse(&mut tx, &attempt).await?,
                Recall::NotHere => {}
            }
        }
        give_money_back(&mut tx, &withdrawn).await?;
        audit::append(&mut tx, &entries, now);
        tx.commit().await?;
        self.queue.look_again();
        Ok(())
    }
}

/// What never left costs nothing.
async fn give_money_back(tx: &mut Tx, withdrawn: &[AttemptId]) -> Result<(), Error> {
    budgets::give_back(tx, &withdrawn.iter().collect::<Vec<_>>()).await
}
