//! Forgets what need not be kept: finished jobs, answers to idempotency keys, processes long gone,
//! what people were told long ago.

use std::time::Duration;

use jiff::Timestamp;

use super::Tools;
use crate::clock::{after, before};
use crate::domain::work;
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, SET_ASIDE, Settled, Settlement, Verdict, Work};
use crate::store::jobs::Claimed;
use crate::store::{
    Error, Tx, budgets, idempotency, jobs, mail_items, nodes, notifications, outbox, probes,
    refreshes, uploads, webhook_tries,
};

/// Processes that were not seen for this long are forgotten.
const NODES: Duration = Duration::from_hours(30 * 24);

/// No window is longer than this.
const COUNTED: Duration = Duration::from_hours(40 * 24);

/// No refresh token lives longer than half a year: one that was presented so long ago is known to nobody.
const PRESENTED: Duration = Duration::from_hours(400 * 24);

/// The kind of work that sweeps.
#[derive(Debug)]
pub struct Sweep {
    tools: Tools,
    keep: Keep,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Finished jobs.
    pub jobs: Duration,
    /// Answers to idempotency keys.
    pub idempotency: Duration,
    /// Messages, notifications and what came of telling others.
    pub follow_ups: Duration,
    /// Files that come in over several requests.
    pub uploads: Duration,
}

impl Sweep {
    /// Sweeps with these tools.
    pub fn new(tools: Tools, keep: Keep) -> Self {
        Self { tools, keep }
    }

    async fn sweep(&self) -> Result<u64, Error> {
        let now = self.tools.clock.now();
        let mut swept = 0;
        // In small transactions, so that nobody waits for long.
        loop {
            let mut tx = self.tools.store.begin().await?;
            let mut round = jobs::prune(&mut tx, before(now, self.keep.jobs)).await?;
            round += idempotency::forget(&mut tx, before(now, self.keep.idempotency)).await?;
            round += budgets::forget(&mut tx, before(now, COUNTED)).await?;
            round += nodes::forget(&mut tx, before(now, NODES)).await?;
            let told = before(now, self.keep.follow_ups);
            round += notifications::forget(&mut tx, told).await?;
            round += mail_items::forget(&mut tx, told).await?;
            round += webhook_tries::forget(&mut tx, told).await?;
            round += outbox::forget(&mut tx, told).await?;
            round += refreshes::forget(&mut tx, before(now, PRESENTED)).await?;
            round += probes::prune(&mut tx, before(now, PRESENTED)).await?;
            let uploads = uploads::forget(&mut tx, now).await?;
            round += uploads.len() as u64;
            tx.commit().await?;
            for id in uploads {
                note(self.tools.files.resumables().remove(id.as_str()).await);
            }
            swept += round;
            if round == 0 {
                // What a row was never written for, or whose row went with a process.
                let before = before(now, self.keep.uploads);
                note(self.tools.files.resumables().sweep(before).await);
                return Ok(swept);
            }
        }
    }
}

/// What could not be removed is swept the next time.
fn note(removed: Result<(), crate::media::Error>) {
    if let Err(error) = removed {
        let error = crate::telemetry::Chain(&error);
        tracing::warn!(%error, "what is left of an upload could not be removed");
    }
}

impl Work for Sweep {
    const KIND: &'static str = work::SWEEP;
    type Item = ();
    type Report = Result<u64, Error>;

    fn lookahead(&self) -> Duration {
        Duration::ZERO
    }

    fn least_lease(&self) -> Duration {
        Duration::ZERO
    }

    fn workers(&self) -> usize {
        1
    }

    fn admit<'a>(
        &'a self,
        _: &'a mut Tx,
        _: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Vec<Admission<()>>, Error>> {
        Box::pin(async move { Ok(jobs.iter().map(|_| Admission::Run(())).collect()) })
    }

    fn run<'a>(&'a self, _: &'a Claimed, (): &'a (), _: Pass) -> Later<'a, Self::Report> {
        Box::pin(self.sweep())
    }

    fn settle<'a>(
        &'a self,
        _: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<(), Self::Report>],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(async move {
            let verdicts = done
                .iter()
                .map(|one| match &one.report {
                    Ok(swept) => Verdict { note: Some(format!("swept {swept}")), ..Verdict::DONE },
                    Err(error) => {
                        Verdict::again(after(now, Duration::from_mins(10)), error.to_string())
                    }
                })
                .collect();
            Ok(Settlement { verdicts, enqueued: Vec::new() })
        })
    }

    fn lost<'a>(
        &'a self,
        _: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>> {
        let verdict = |job: &Claimed| {
            if job.losses >= SET_ASIDE {
                // The timetable brings the next one.
                return Verdict::discarded("set aside: lost three times while sweeping");
            }
            Verdict::again(after(now, Duration::from_mins(1)), "lost while sweeping")
        };
        let verdicts = jobs.iter().map(verdict).collect();
        Box::pin(async move { Ok(Settlement { verdicts, enqueued: Vec::new() }) })
    }
}
