//! Tells the other nodes of new and moved jobs, and hears of theirs. Only a hint: what is not heard is
//! found by looking.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Queue;
use crate::clock::SharedClock;
use crate::domain::id::{JobId, NodeId};
use crate::domain::work::KINDS;
use crate::store::hints::{Heard, LONGEST, Line};
use crate::store::jobs::Due;

/// What comes so soon after another hint goes out with the next one.
const TOGETHER: Duration = Duration::from_millis(50);
/// Between two looks that others ask for, at least.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// Wait before listening again after it failed.
const PAUSE: Duration = Duration::from_secs(2);

/// One job of a hint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Told {
    kind: String,
    id: JobId,
    slot: String,
    priority: i64,
    due_ms: i64,
}

impl Told {
    pub(super) fn new(kind: &str, due: &Due) -> Self {
        Self {
            kind: kind.to_owned(),
            id: due.id.clone(),
            slot: due.slot.clone(),
            priority: due.priority,
            due_ms: due.due_at.as_millisecond(),
        }
    }

    fn due(self) -> Option<(&'static str, Due)> {
        let kind = KINDS.iter().find(|kind| **kind == self.kind)?;
        let due_at = jiff::Timestamp::from_millisecond(self.due_ms).ok()?;
        let (id, slot, priority) = (self.id, self.slot, self.priority);
        Some((kind, Due { id, slot, priority, due_at }))
    }
}

/// What one node tells the others: these jobs, or that they should look when there are too many.
#[derive(Debug, Serialize, Deserialize)]
struct Hint {
    node: NodeId,
    jobs: Option<Vec<Told>>,
}

/// Stands between the queue of this node and those of the others.
#[derive(Debug)]
pub struct Herald {
    line: Line,
    clock: SharedClock,
    queue: Queue,
    node: NodeId,
}

impl Herald {
    /// The herald of `node`.
    pub fn new(line: Line, clock: SharedClock, queue: Queue, node: NodeId) -> Self {
        Self { line, clock, queue, node }
    }

    /// Tells and hears until told to stop.
    pub async fn keep(self, stop: CancellationToken) {
        let (to_tell, telling) = mpsc::unbounded_channel();
        self.queue.tell_others(to_tell);
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.tell_all(telling) => {}
            () = self.hear_all() => {}
        }
    }

    async fn tell_all(&self, mut telling: mpsc::UnboundedReceiver<Option<Vec<Told>>>) {
        let mut batch = Vec::new();
        while telling.recv_many(&mut batch, usize::MAX).await > 0 {
            let jobs: Option<Vec<Vec<Told>>> = batch.drain(..).collect();
            let node = self.node.clone();
            let hint = Hint { node: node.clone(), jobs: jobs.map(|jobs| jobs.concat()) };
            let text = serde_json::to_string(&hint).unwrap_or_default();
            let text = if text.len() > LONGEST {
                serde_json::to_string(&Hint { node, jobs: None }).unwrap_or_default()
            } else {
                text
            };
            if let Err(error) = self.line.tell(&text).await {
                tracing::debug!(%error, "the other nodes were not told; they will find it");
            }
            self.clock.sleep(TOGETHER).await;
        }
    }

    async fn hear_all(&self) {
        loop {
            let error = match self.line.listen().await {
                Ok(mut listener) => {
                    // What was told before is not heard any more.
                    self.queue.look();
                    loop {
                        match listener.next().await {
                            Ok(heard) => self.heed(heard).await,
                            Err(error) => break error,
                        }
                    }
                }
                Err(error) => error,
            };
            tracing::warn!(%error, "the other nodes cannot be heard; what they enqueue is found by looking");
            self.clock.sleep(PAUSE).await;
        }
    }

    async fn heed(&self, heard: Heard) {
        let hint: Option<Hint> = match &heard {
            Heard::Gap => None,
            // What cannot be read is of a newer build: it says at least that there is work.
            Heard::Hint(text) => serde_json::from_str(text).ok(),
        };
        match hint {
            Some(hint) if hint.node == self.node => {}
            Some(Hint { jobs: Some(jobs), .. }) => {
                self.queue.hear_of(jobs.into_iter().filter_map(Told::due));
            }
            Some(Hint { jobs: None, .. }) | None => {
                self.queue.look();
                // Whoever tells so much would otherwise keep us looking all the time.
                self.clock.sleep(BETWEEN_LOOKS).await;
            }
        }
    }
}
