//! Durable work: jobs that live in the database and survive every crash.
//!
//! Promises: a job is enqueued in the transaction of the change that causes it; it is claimed by
//! one process at a time; at most one job of a slot is at work; it is not run before its instant;
//! a job whose worker is lost is never run again by itself: its kind decides (see [`job::Work`]).
//! It knows jobs, not posts, and does not promise that work is done only once: that is the kind's
//! business, which opens its intent in the transaction of the claim.

mod agenda;
mod aside;
mod careful;
pub mod gate;
mod herald;
pub mod job;
mod lane;
mod lease;
mod neighbours;
pub mod periodic;
mod rescue;
pub mod retry;
mod settle;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures_util::FutureExt as _;
use tokio::sync::mpsc;

pub use gate::{Gate, Recall};
pub use herald::Herald;
pub use lane::{Lane, Timing};
pub use lease::Lease;

use crate::store::Error;
use crate::store::jobs::{Due, NewJob};

/// Hints for the lanes of this process; without them work is found by polling.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    inboxes: Arc<Mutex<HashMap<&'static str, mpsc::UnboundedSender<lane::Message>>>>,
    gate: Gate,
    /// Tells the other nodes of jobs, or that they should look.
    others: Arc<OnceLock<mpsc::UnboundedSender<Option<Vec<herald::Told>>>>>,
}

impl Queue {
    /// Tells the lanes of new or moved jobs. Call it after the commit: it is only a hint.
    pub fn announce(&self, jobs: &[NewJob]) {
        let mut by_kind: HashMap<&'static str, Vec<Due>> = HashMap::new();
        for job in jobs {
            by_kind.entry(job.kind).or_default().push(Due {
                id: job.id.clone(),
                slot: job.slot.clone(),
                priority: job.priority,
                due_at: job.due_at,
            });
        }
        if let Some(others) = self.others.get() {
            let told = by_kind
                .iter()
                .flat_map(|(kind, dues)| dues.iter().map(|due| herald::Told::new(kind, due)));
            // Only a hint.
            let _stopped = others.send(Some(told.collect()));
        }
        self.tell_lanes(by_kind);
    }

    /// Tells the lanes of what another node has enqueued.
    fn hear_of(&self, jobs: impl Iterator<Item = (&'static str, Due)>) {
        let mut by_kind: HashMap<&'static str, Vec<Due>> = HashMap::new();
        for (kind, due) in jobs {
            by_kind.entry(kind).or_default().push(due);
        }
        self.tell_lanes(by_kind);
    }

    fn tell_lanes(&self, by_kind: HashMap<&'static str, Vec<Due>>) {
        let inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        for (kind, dues) in by_kind {
            if let Some(inbox) = inboxes.get(kind) {
                // A lane that has stopped needs no hints.
                let _stopped = inbox.send(lane::Message::Announced(dues));
            }
        }
    }

    /// From now on the other nodes are told too.
    fn tell_others(&self, others: mpsc::UnboundedSender<Option<Vec<herald::Told>>>) {
        // A queue has one herald.
        let _second = self.others.set(others);
    }

    /// Makes every lane of every node look into the database again; when it is not known what has
    /// changed.
    pub fn look_again(&self) {
        if let Some(others) = self.others.get() {
            let _stopped = others.send(None);
        }
        self.look();
    }

    /// Makes the lanes of this process look.
    fn look(&self) {
        let inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        for inbox in inboxes.values() {
            let _stopped = inbox.send(lane::Message::LookAgain);
        }
    }

    /// The gate through which irreversible work leaves.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    fn register(&self, kind: &'static str, inbox: mpsc::UnboundedSender<lane::Message>) {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, inbox);
    }
}

/// Runs a part without which nothing is published any more. When it panics the process ends at
/// once: whoever watches it starts it anew, and what was open is looked for.
pub async fn vital(name: &'static str, part: impl Future<Output = ()> + Send) {
    if AssertUnwindSafe(part).catch_unwind().await.is_err() {
        tracing::error!(name, "a vital part has panicked: the process ends");
        std::process::abort();
    }
}

/// Runs a part whose panic is a failure of this part alone, which is tried again.
pub(crate) async fn contained<T>(
    name: &'static str,
    part: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match AssertUnwindSafe(part).catch_unwind().await {
        Ok(result) => result,
        Err(_panic) => {
            tracing::error!(name, "a part has panicked; it is tried again");
            Err(Error::Panicked)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure_and_nothing_more() {
        let told = contained("test", async { Ok(1) }).await;
        assert!(matches!(told, Ok(1)));
        let lost = contained("test", async { panic!("a fault of ours") }).await;
        assert!(matches!(lost, Err::<(), _>(Error::Panicked)));
    }
}
