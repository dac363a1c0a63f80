//! Tells the other processes that this one sends nothing more of what a new hold covers, or of what one
//! of them was asked to take back: recalls what waits at the gate, and then writes down that it has
//! done so.
//!
//! Whoever places a hold, cancels or moves something, or pauses an account waits for that word of every
//! process that has guarded something of it. When a server is lost with its last commits, nothing of what
//! waits leaves: nobody could be told of it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Tools, entry};
use crate::clock::after;
use crate::domain::id::AttemptId;
use crate::domain::work;
use crate::queue::{Lease, Queue, Recall};
use crate::store::{Error, Tx, audit, budgets, holds, installation, quarantine, recalls};

/// How often it looks for new holds; a hold is answered so much later when several processes work.
const PERIOD: Duration = Duration::from_millis(150);

/// Watches for new holds.
#[derive(Debug)]
pub(super) struct Heed {
    tools: Tools,
    lease: Lease,
    queue: Queue,
    heeded: i64,
    /// On which server, and since when in quarantine, as it was seen last.
    seen: Option<Seen>,
}

/// What changes when commits may have been lost.
type Seen = (Option<String>, Option<Timestamp>);

/// What was taken back for somebody waits so long before it is guarded again: he is to come first.
const HIS: Duration = Duration::from_millis(250);

impl Heed {
    /// Takes back from this queue what was guarded under this lease.
    pub(super) fn new(tools: Tools, lease: Lease, queue: Queue) -> Self {
        Self { tools, lease, queue, heeded: 0, seen: None }
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
        if !self.is_trusted().await? {
            // What was guarded here may be known to nobody: there is nothing that could be confirmed.
            return Ok(());
        }
        let heeded = self.heed().await;
        // One does not wait for the other: a hold is heeded although this fails, and the other way.
        if let Err(error) = self.give_back().await {
            let error = crate::telemetry::Chain(&error);
            tracing::warn!(%error, "what others want back cannot be given back; they wait for it");
        }
        heeded
    }

    /// False as long as commits may be lost of which the database does not know yet. What was guarded by
    /// them leaves no trace there, so whoever places a hold, or looks for what was sent, cannot know of it:
    /// nothing of what waits here leaves, now or when a quarantine has begun since the last look.
    async fn is_trusted(&mut self) -> Result<bool, Error> {
        let mut reader = self.tools.store.read().await?;
        let Some(server) = installation::server(&mut reader).await? else { return Ok(true) };
        let since = quarantine::find(&mut reader).await?.map(|it| it.since);
        let (lost, seen) = (server.has_changed(), (server.kept, since));
        // A quarantine may have come and gone between two looks: then the server still is another one.
        let is_new = |it: &Seen| it.0 != seen.0 || (seen.1.is_some() && it.1 != seen.1);
        if lost || self.seen.as_ref().is_some_and(is_new) {
            self.queue.gate().recall_all();
        }
        self.seen = Some(seen);
        Ok(!lost)
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
