//! What a kind of work must say of itself: how it is admitted, done, settled, and what its loss means.

use std::time::Duration;

use jiff::Timestamp;

use super::gate::Pass;
use crate::store::jobs::{Claimed, Ending, NewJob};
use crate::store::{Error, Tx};

/// A job that was lost so often is not run again: it may be what kills the process.
pub const SET_ASIDE: i64 = 3;

/// A boxed future, so that a lane can keep many.
pub type Later<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A kind of durable work.
///
/// `admit` and `settle` run inside transactions of the queue; `run` runs outside of any and is the
/// only one that may await the outside world.
pub trait Work: Send + Sync + 'static {
    /// Its name, one of `domain::work::KINDS`.
    const KIND: &'static str;

    /// What `admit` prepares for `run`.
    type Item: Send + Sync + 'static;

    /// What `run` found out, for `settle`.
    type Report: Send + Sync + 'static;

    /// How far ahead of its instant a job may be claimed.
    fn lookahead(&self) -> Duration;

    /// How much of the lease must be left for a job to be worth claiming.
    fn least_lease(&self) -> Duration;

    /// How many jobs that are due may be at work at once in each pool.
    fn workers(&self) -> usize;

    /// Whether the time is known well enough to decide about lost work: waits are counted from then on.
    fn knows_time(&self) -> bool {
        true
    }

    /// Decides, in the transaction of the claim, what may run. One answer for each job, in order.
    fn admit<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Vec<Admission<Self::Item>>, Error>>;

    /// Does the work. What must not be repeated happens after `pass.leave()` has said yes.
    fn run<'a>(
        &'a self,
        job: &'a Claimed,
        item: &'a Self::Item,
        pass: Pass,
    ) -> Later<'a, Self::Report>;

    /// Records, in one transaction, what came of several jobs; may be repeated when the commit
    /// fails, so it compares before it sets.
    fn settle<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<Self::Item, Self::Report>],
    ) -> Later<'a, Result<Settlement, Error>>;

    /// Decides what the loss of a worker means (a crash, a panic, a lease that ran out). A job with
    /// [`SET_ASIDE`] losses must not run again.
    fn lost<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>>;

    /// Decides about jobs that have ended the process, or panicked, [`SET_ASIDE`] times while they were
    /// claimed. None may run again: where that is what a loss means, it is said there already.
    fn aside<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>> {
        self.lost(tx, now, jobs)
    }
}

/// Whether a claimed job may run.
#[derive(Debug)]
pub enum Admission<I> {
    /// It may, with this.
    Run(I),
    /// It ends or waits without having run, for this reason.
    Not(Ending, String),
    /// It keeps its place, and its slot rests until this instant, for this reason.
    Rest(Timestamp, String),
}

/// A job that has run.
#[derive(Debug)]
pub struct Settled<I, R> {
    /// The job.
    pub job: Claimed,
    /// What was prepared for it.
    pub item: I,
    /// What it found out.
    pub report: R,
}

/// What becomes of jobs that have run or were lost, one verdict for each in order.
#[derive(Debug, Default)]
pub struct Settlement {
    /// Verdicts.
    pub verdicts: Vec<Verdict>,
    /// Jobs that were enqueued in the same transaction, to be announced after the commit.
    pub enqueued: Vec<NewJob>,
}

/// What becomes of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Finished, given up, or to be run again.
    pub ending: Ending,
    /// A short reason, for people who look at the queue.
    pub note: Option<String>,
    /// The slot is not used again before this instant.
    pub rest_until: Option<Timestamp>,
}

impl Verdict {
    /// Finished.
    pub const DONE: Self = Self { ending: Ending::Done, note: None, rest_until: None };

    /// Not to be run again, because of `note`.
    pub fn discarded(note: impl Into<String>) -> Self {
        Self { ending: Ending::Discarded, note: Some(note.into()), rest_until: None }
    }

    /// What a lost job that may be repeated comes to: run again at `at`, unless it was lost so often
    /// that it may be what kills the process.
    pub fn lost(job: &Claimed, at: Timestamp, note: &'static str) -> Self {
        if job.losses < SET_ASIDE {
            return Self::again(at, note);
        }
        tracing::error!(job.id = %job.id, losses = job.losses, "a job was set aside");
        Self::discarded("set aside")
    }

    /// To be run again at `at`, because of `note`.
    pub fn again(at: Timestamp, note: impl Into<String>) -> Self {
        Self { ending: Ending::Again(at), note: Some(note.into()), rest_until: None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::id::JobId;

    #[test]
    fn a_job_that_was_lost_too_often_is_set_aside() {
        let at = Timestamp::UNIX_EPOCH;
        let lost = |losses| Claimed {
            id: JobId::new(at, 1),
            unique_key: "mail:1".to_owned(),
            slot: "1".to_owned(),
            payload: json!({}),
            priority: 1,
            due_at: at,
            tries: losses,
            losses,
            created_at: at,
        };
        let ending = |losses| Verdict::lost(&lost(losses), at, "lost").ending;
        assert_eq!(ending(SET_ASIDE - 1), Ending::Again(at));
        assert_eq!(ending(SET_ASIDE), Ending::Discarded);
    }
}
