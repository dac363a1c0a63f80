//! Claims one by one after a process that did not end in order, and notes before each that it was begun:
//! what ends the process while it is claimed is counted by that, and set aside at last. What panics there is
//! counted, too, whenever it does.
//!
//! An ordinary claim writes nothing of the kind. The note is taken back by the commit of the claim.

use super::job::{SET_ASIDE, Work};
use super::lane::{Lane, PAUSE};
use super::{aside, contained};
use crate::clock::after;
use crate::store::jobs::Due;
use crate::store::{Error, audit, care, jobs};

/// Claims each of these alone; says how many those were.
pub(super) async fn claim<W: Work>(lane: &mut Lane<W>, picked: Vec<Due>) -> usize {
    let count = picked.len();
    for due in picked {
        let one = std::slice::from_ref(&due);
        let Err(error) = begin(lane, &due).await else { continue };
        tracing::error!(
            job.id = %due.id, job.kind = W::KIND, error = %crate::telemetry::Chain(&error),
            "a job could not be claimed by itself; set aside for a while"
        );
        lane.doubt_claim(one);
        if matches!(error, Error::Busy) {
            lane.rest_slots(one, PAUSE);
        } else {
            lane.set_slots_aside(one);
        }
    }
    count
}

async fn begin<W: Work>(lane: &mut Lane<W>, due: &Due) -> Result<(), Error> {
    let one = std::slice::from_ref(due);
    let now = lane.clock.now();
    let until = after(now, lane.lease.left());
    // Whoever was careful before and left it so is gone.
    let apart = care::Care { now: if lane.timing.alone { until } else { now }, until };
    let mut tx = lane.store.begin().await?;
    let losses = care::suspect(&mut tx, &due.id, lane.lease.holder(), apart).await?;
    tx.commit().await?;
    match losses {
        // Somebody else has it, is careful with it, or has taken it back.
        None => lane.rest_slots(one, PAUSE),
        Some(losses) if losses > SET_ASIDE => set_aside(lane, due).await?,
        Some(losses) => {
            if let Err(error) = lane.claim(one, true).await {
                if matches!(error, Error::Panicked) {
                    // It was this, and is counted already.
                    if losses >= SET_ASIDE {
                        set_aside(lane, due).await?;
                    }
                    return Err(error);
                }
                // The process lives: it was not this.
                let mut tx = lane.store.begin().await?;
                care::acquit_queued(&mut tx, std::slice::from_ref(&due.id)).await?;
                tx.commit().await?;
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Counts that the admission of a job has panicked, which is a crash of this job alone; sets it aside when
/// it has done so too often.
pub(super) async fn blame<W: Work>(lane: &mut Lane<W>, due: &Due) -> Result<(), Error> {
    let mut tx = lane.store.begin().await?;
    let losses = care::count_loss(&mut tx, &due.id).await?;
    tx.commit().await?;
    match losses {
        Some(losses) if losses >= SET_ASIDE => set_aside(lane, due).await,
        Some(_) | None => Ok(()),
    }
}

/// Takes the job out of the queue, and lets its kind say what that means.
async fn set_aside<W: Work>(lane: &mut Lane<W>, due: &Due) -> Result<(), Error> {
    let now = lane.clock.now();
    let holder = lane.lease.holder().clone();
    let horizon = after(now, lane.work.lookahead());
    let lease_until = after(now, lane.lease.left());
    let ids = std::slice::from_ref(&due.id);
    let mut tx = lane.store.begin().await?;
    let claimed = jobs::claim(&mut tx, ids, &holder, lease_until, horizon).await?;
    let settlement = contained(W::KIND, lane.work.aside(&mut tx, now, &claimed)).await?;
    let finishes = super::settle::finishes(&claimed, &settlement.verdicts);
    jobs::finish(&mut tx, &finishes, &holder, now).await?;
    let told = aside::entries(W::KIND, claimed.iter().zip(&settlement.verdicts));
    audit::append(&mut tx, &told, now);
    tx.commit().await?;
    if !claimed.is_empty() {
        tracing::error!(job.id = %due.id, job.kind = W::KIND, "a job was set aside");
    }
    lane.agenda.release(&due.slot, None);
    lane.queue.announce(&settlement.enqueued);
    Ok(())
}
