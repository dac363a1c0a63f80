//! Notices that the database is on another server than it was, or has lost what this process has
//! committed: a replica that lagged behind was promoted. What may have gone out in the lost seconds is
//! put into doubt, and nothing is sent until a person lets it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Tools;
use super::quarantine::{self, Loss};
use crate::clock::before;
use crate::queue::Queue;
use crate::store::quarantine::Quarantine;
use crate::store::{Error, installation, nodes, publishing};

/// How often it looks. The guard looks each time: until this has, it guards nothing.
const PERIOD: Duration = Duration::from_secs(1);

/// What was sent so long before the last sign of life may be lost: it is looked for since then.
const LOST: Duration = Duration::from_mins(15);

/// Watches over the server.
#[derive(Debug)]
pub(super) struct Failover {
    tools: Tools,
    queue: Queue,
    read_back: bool,
}

impl Failover {
    /// For the lanes of this queue; `read_back` lets all accounts be read after a loss.
    pub(super) fn new(tools: Tools, queue: Queue, read_back: bool) -> Self {
        Self { tools, queue, read_back }
    }

    /// Looks until told to stop.
    pub(super) async fn keep(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.tools.clock.sleep(PERIOD) => {}
            }
            if let Err(error) = self.look().await {
                let error = crate::telemetry::Chain(&error);
                tracing::debug!(%error, "which server this is could not be seen");
            }
        }
    }

    /// Looks once; to be done before a process registers, for then it is seen itself.
    pub(super) async fn look(&self) -> Result<(), Error> {
        let found = installation::server(&mut self.tools.store.read().await?).await?;
        match found {
            Some(found) if found.has_changed() => self.set_aside().await,
            Some(found) if found.kept.is_none() => {
                let mut tx = self.tools.store.begin_for("failover").await?;
                installation::keep_server(&mut tx, &found.word).await?;
                tx.commit().await
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn set_aside(&self) -> Result<(), Error> {
        let mut tx = self.tools.store.begin_for("failover").await?;
        // No guard is open any more that has not seen what is written here.
        publishing::stand_still(&mut tx).await?;
        // Another process may have been faster.
        let Some(found) = installation::server(&mut tx).await? else { return Ok(()) };
        if !found.has_changed() {
            return Ok(());
        }
        let now = self.tools.clock.now();
        let state_of = nodes::last_seen(&mut tx).await?.map_or(now, |at| at.min(now));
        let reason = if found.stands {
            "the database is on another server or another timeline than before"
        } else {
            "the database has lost what was committed last"
        };
        let begun = Quarantine { since: now, reason: reason.to_owned(), state_of };
        let loss = Loss {
            quarantine: &begun,
            from: before(state_of, LOST),
            actor: "engine",
            read_back: self.read_back,
        };
        let begun = quarantine::begin(&mut tx, loss, now).await?;
        installation::keep_server(&mut tx, &found.word).await?;
        tx.commit().await?;
        self.tools.store.forget_history();
        tracing::error!(
            doubted = begun.doubted,
            accounts = begun.accounts,
            kept = found.kept,
            server = found.word,
            "quarantine: {reason}; nothing is sent"
        );
        self.queue.look_again();
        Ok(())
    }
}
