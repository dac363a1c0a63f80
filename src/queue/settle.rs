//! Records what came of work, many jobs in one transaction; a lone one never waits for others.
//!
//! What was found out must not be lost: while the database refuses, it is kept and tried again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::job::{Settled, Settlement, Verdict, Work};
use super::lane::Message;
use super::{Lease, Queue, aside, contained};
use crate::clock::SharedClock;
use crate::domain::id::JobId;
use crate::store::jobs::{Claimed, Due, Ending, Finish, NewJob};
use crate::store::{Error, Store, Tx, audit, jobs};

/// Most jobs that one transaction settles.
const BATCH: usize = 256;
/// Wait after the database has refused.
const PAUSE: Duration = Duration::from_millis(250);
/// Refusals after which a batch is tried one by one.
const PATIENCE: u32 = 3;
/// Refusals after which one outcome is given up: its delivery is then in doubt and looked for.
const INSISTENCE: u32 = 40;

/// A job that is not at work any more.
pub(super) enum Ended<W: Work> {
    /// It has run.
    Report(Settled<W::Item, W::Report>),
    /// Its worker panicked.
    Lost(Claimed),
}

impl<W: Work> std::fmt::Debug for Ended<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ended({})", self.job().id)
    }
}

impl<W: Work> Ended<W> {
    fn job(&self) -> &Claimed {
        match self {
            Self::Report(settled) => &settled.job,
            Self::Lost(job) => job,
        }
    }
}

/// The task that settles the jobs of one lane.
#[derive(Debug)]
pub(super) struct Settler<W: Work> {
    pub(super) ledger: Ledger<W>,
    pub(super) ended: mpsc::UnboundedReceiver<Ended<W>>,
}

/// Writes down what came of jobs.
#[derive(Debug)]
pub(super) struct Ledger<W: Work> {
    pub(super) work: Arc<W>,
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    pub(super) lease: Lease,
    pub(super) queue: Queue,
    pub(super) lane: mpsc::UnboundedSender<Message>,
}

impl<W: Work> Clone for Ledger<W> {
    fn clone(&self) -> Self {
        Self {
            work: self.work.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            lease: self.lease.clone(),
            queue: self.queue.clone(),
            lane: self.lane.clone(),
        }
    }
}

impl<W: Work> Settler<W> {
    /// Settles until the lane and all its work are gone.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::new();
        while self.ended.recv_many(&mut batch, BATCH).await > 0 {
            let (done, lost) = split(std::mem::take(&mut batch));
            self.ledger.settle(done, lost).await;
        }
    }
}

impl<W: Work> Ledger<W> {
    async fn settle(&self, mut done: Vec<Settled<W::Item, W::Report>>, mut lost: Vec<Claimed>) {
        for refusals in 1..=PATIENCE {
            match self.commit(&mut done, &mut lost).await {
                Ok(()) => return,
                Err(error) => self.refused(&error, refusals, done.len() + lost.len()).await,
            }
        }
        // One bad outcome must not hold up its neighbours: each goes on by itself. What is not
        // written down when the process ends is found by the next start and looked for.
        for one in done {
            let ledger = self.clone();
            let insisting = async move { ledger.insist(vec![one], Vec::new()).await };
            tokio::spawn(super::vital(W::KIND, insisting));
        }
        for one in lost {
            let ledger = self.clone();
            let insisting = async move { ledger.insist(Vec::new(), vec![one]).await };
            tokio::spawn(super::vital(W::KIND, insisting));
        }
    }

    async fn insist(&self, mut done: Vec<Settled<W::Item, W::Report>>, mut lost: Vec<Claimed>) {
        let mut refusals = PATIENCE;
        while let Err(error) = self.commit(&mut done, &mut lost).await {
            refusals = refusals.saturating_add(1);
            self.refused(&error, refusals, 1).await;
            if refusals > INSISTENCE {
                for job in done.iter().map(|one| &one.job).chain(&lost) {
                    let (id, slot) = (job.id.clone(), job.slot.clone());
                    // A lane that has stopped leaves it to the next start.
                    let _stopped = self.lane.send(Message::GivenUp { id, slot });
                }
                return;
            }
        }
    }

    async fn refused(&self, error: &Error, refusals: u32, count: usize) {
        tracing::error!(
            job.kind = W::KIND, count, refusals,
            error = %crate::telemetry::Chain(error),
            "outcomes could not be recorded; kept and tried again"
        );
        self.clock.sleep(PAUSE * refusals.min(120)).await;
    }

    async fn commit(
        &self,
        done: &mut Vec<Settled<W::Item, W::Report>>,
        lost: &mut Vec<Claimed>,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        self.keep_ours(&mut tx, done, lost).await?;
        let mut enqueued: Vec<NewJob> = Vec::new();
        let mut verdicts: Vec<(Claimed, Verdict)> = Vec::new();
        if !done.is_empty() {
            let settlement = contained(W::KIND, self.work.settle(&mut tx, now, done)).await?;
            take(&mut verdicts, &mut enqueued, done.iter().map(|one| &one.job), settlement);
        }
        if !lost.is_empty() {
            let lost = &jobs::lose(&mut tx, lost.clone()).await?;
            let settlement = contained(W::KIND, self.work.lost(&mut tx, now, lost)).await?;
            take(&mut verdicts, &mut enqueued, lost.iter(), settlement);
        }
        let (claimed, plain): (Vec<_>, Vec<_>) = verdicts.into_iter().unzip();
        let finishes = finishes(&claimed, &plain);
        jobs::finish(&mut tx, &finishes, self.lease.holder(), now).await?;
        let aside = aside::entries(W::KIND, claimed.iter().zip(&plain));
        audit::append(&mut tx, &aside, now);
        crate::crash_point!("settle.before_commit");
        tx.commit().await?;
        crate::crash_point!("settle.after_commit");
        self.queue.announce(&enqueued);
        for (job, verdict) in claimed.into_iter().zip(plain) {
            let again = again(&job, verdict.ending);
            let settled = Message::Settled {
                id: job.id,
                slot: job.slot,
                rest_until: verdict.rest_until,
                again,
            };
            // A lane that has stopped takes no more work.
            let _stopped = self.lane.send(settled);
        }
        Ok(())
    }

    /// Lets go of what is not ours any more: somebody has taken it back, or another process has taken
    /// it over and decides. What was found out here must not be mixed with that.
    async fn keep_ours(
        &self,
        tx: &mut Tx,
        done: &mut Vec<Settled<W::Item, W::Report>>,
        lost: &mut Vec<Claimed>,
    ) -> Result<(), Error> {
        let all: Vec<&JobId> =
            done.iter().map(|one| &one.job).chain(&*lost).map(|job| &job.id).collect();
        let ours = jobs::ours(tx, &all, self.lease.holder()).await?;
        let given_away = |job: &Claimed| {
            if ours.contains(&job.id) {
                return false;
            }
            tracing::warn!(job.id = %job.id, job.kind = W::KIND, "somebody else decides about a job");
            let (id, slot) = (job.id.clone(), job.slot.clone());
            let settled = Message::Settled { id, slot, rest_until: None, again: None };
            let _stopped = self.lane.send(settled);
            true
        };
        done.retain(|one| !given_away(&one.job));
        lost.retain(|job| !given_away(job));
        Ok(())
    }
}

fn take<'a>(
    verdicts: &mut Vec<(Claimed, Verdict)>,
    enqueued: &mut Vec<NewJob>,
    jobs: impl Iterator<Item = &'a Claimed>,
    settlement: Settlement,
) {
    verdicts.extend(jobs.cloned().zip(settlement.verdicts));
    enqueued.extend(settlement.enqueued);
}

#[expect(clippy::type_complexity, reason = "the two halves of one batch")]
fn split<W: Work>(batch: Vec<Ended<W>>) -> (Vec<Settled<W::Item, W::Report>>, Vec<Claimed>) {
    let mut done = Vec::new();
    let mut lost = Vec::new();
    for ended in batch {
        match ended {
            Ended::Report(settled) => done.push(settled),
            Ended::Lost(job) => lost.push(job),
        }
    }
    (done, lost)
}

/// How the queue's rows change by these verdicts.
pub(super) fn finishes(jobs: &[Claimed], verdicts: &[Verdict]) -> Vec<Finish> {
    jobs.iter()
        .zip(verdicts)
        .map(|(job, verdict)| Finish {
            id: job.id.clone(),
            ending: verdict.ending,
            note: verdict.note.clone(),
        })
        .collect()
}

/// The job's next entry in the timetable, when it is to be run again.
pub(super) fn again(job: &Claimed, ending: Ending) -> Option<Due> {
    match ending {
        Ending::Done | Ending::Discarded => None,
        Ending::Again(due_at) => {
            Some(Due { id: job.id.clone(), slot: job.slot.clone(), priority: job.priority, due_at })
        }
    }
}
