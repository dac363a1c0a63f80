//! Decides about jobs whose worker was lost: together, and one by one when that fails, so that a job
//! about which nothing can be decided leaves nobody else waiting.

use super::job::Work;
use super::{Queue, aside, contained};
use crate::clock::SharedClock;
use crate::domain::id::JobId;
use crate::store::jobs::Holder;
use crate::store::{Error, Store, audit, jobs};

/// Who decides about lost jobs of one kind, in whose name.
#[derive(Debug)]
pub(super) struct Rescue<'a, W> {
    pub(super) work: &'a W,
    pub(super) store: &'a Store,
    pub(super) clock: &'a SharedClock,
    pub(super) queue: &'a Queue,
    pub(super) holder: &'a Holder,
}

impl<W: Work> Rescue<'_, W> {
    /// Decides what the loss of these jobs means, as far as they are still ours. Gives those about
    /// which nothing could be decided.
    pub(super) async fn decide(&self, lost: Vec<JobId>) -> Vec<JobId> {
        if lost.is_empty() {
            return lost;
        }
        let Err(error) = self.together(&lost).await else { return Vec::new() };
        let mut left = Vec::new();
        if lost.len() == 1 {
            refused::<W>(&lost, &error);
            return lost;
        }
        let mut rest = lost.into_iter();
        for id in rest.by_ref() {
            let one = [id];
            let Err(error) = self.together(&one).await else { continue };
            refused::<W>(&one, &error);
            left.extend(one);
            if matches!(error, Error::Busy) {
                // Not the job's fault: the others would only wait for the same.
                break;
            }
        }
        left.extend(rest);
        left
    }

    async fn together(&self, lost: &[JobId]) -> Result<(), Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let lost = jobs::held_by(&mut tx, lost, self.holder).await?;
        if lost.is_empty() {
            return Ok(());
        }
        let settlement = contained(W::KIND, self.work.lost(&mut tx, now, &lost)).await?;
        let finishes = super::settle::finishes(&lost, &settlement.verdicts);
        jobs::finish(&mut tx, &finishes, self.holder, now).await?;
        let aside = aside::entries(W::KIND, lost.iter().zip(&settlement.verdicts));
        audit::append(&mut tx, &aside, now);
        crate::crash_point!("rescue.before_commit");
        tx.commit().await?;
        tracing::warn!(job.kind = W::KIND, count = lost.len(), "lost jobs were rescued");
        self.queue.announce(&settlement.enqueued);
        Ok(())
    }
}

fn refused<W: Work>(lost: &[JobId], error: &Error) {
    tracing::error!(
        job.kind = W::KIND, job.id = ?lost, error = %crate::telemetry::Chain(error),
        "nothing could be decided about a lost job; tried again"
    );
}
