//! Arranges the looks at what was published, some time after.
//!
//! Publishing pays nothing for it: the audit says what went out and when, so a cursor for each span
//! follows it at that distance, some entries at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::missing::Belief;
use super::{Tools, verify};
use crate::clock::before;
use crate::queue::{Queue, contained};
use crate::store::Error;
use crate::store::after::{self as rows, Cursor};
use crate::store::jobs::{NewJob, enqueue};

/// Most audit entries that one transaction goes through.
const STRIDE: i64 = 500;
/// How often a process says which spans it is configured for.
const WANTED: Duration = Duration::from_mins(20);
/// A span that no process has been configured for so long is forgotten.
const UNWANTED: Duration = Duration::from_hours(1);

/// When it is looked whether what was published is still there.
#[derive(Debug, Clone)]
pub struct Looks {
    /// So long after publishing.
    pub spans: Vec<Duration>,
    /// When it counts as gone.
    pub belief: Belief,
    /// How often what is to be looked at is gathered.
    pub interval: Duration,
}

/// The task that arranges them.
#[derive(Debug)]
pub(super) struct Arrange {
    tools: Tools,
    queue: Queue,
    spans: BTreeSet<i64>,
    interval: Duration,
    /// Whether it was said that there are other spans.
    warned: bool,
}

impl Arrange {
    pub(super) fn new(tools: Tools, queue: Queue, looks: &Looks) -> Self {
        let millis = |span: &Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let spans = looks.spans.iter().map(millis).collect();
        Self { tools, queue, spans, interval: looks.interval, warned: false }
    }

    /// Arranges until told to stop. What goes wrong is logged and tried again.
    pub(super) async fn keep(mut self, stop: CancellationToken) {
        loop {
            if let Err(error) = contained("looks", self.round()).await {
                let error = crate::telemetry::Chain(&error);
                tracing::warn!(%error, "looks at what is out could not be arranged yet");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.tools.clock.sleep(self.interval) => {}
            }
        }
    }

    async fn round(&mut self) -> Result<(), Error> {
        let known = rows::cursors(&mut self.tools.store.read().await?).await?;
        let (own, others): (Vec<Cursor>, Vec<Cursor>) =
            known.into_iter().partition(|it| self.spans.contains(&it.span_ms));
        if !others.is_empty() && !self.warned {
            self.warned = true;
            let others: Vec<Duration> = others.iter().map(span).collect();
            tracing::warn!(
                ?others,
                "what is out was looked for after other spans, too: verify.spans was changed, or differs \
                 on another node; each follows its own"
            );
        }
        let now = self.tools.clock.now();
        let since = |it: &Cursor, span| it.wanted_at.is_some_and(|at| at >= before(now, span));
        let said = own.len() == self.spans.len() && own.iter().all(|it| since(it, WANTED));
        if !said || others.iter().any(|it| !since(it, UNWANTED)) {
            return self.agree().await;
        }
        for cursor in own {
            self.follow(cursor).await?;
        }
        Ok(())
    }

    /// Says which spans it is configured for. Another node may be configured for others: what one of them
    /// forgot the other would begin anew, and nothing would ever be looked for.
    async fn agree(&self) -> Result<(), Error> {
        let spans: Vec<i64> = self.spans.iter().copied().collect();
        let now = self.tools.clock.now();
        let mut tx = self.tools.store.begin_for("looks").await?;
        rows::begin(&mut tx, &spans, now).await?;
        rows::forget_cursors(&mut tx, &spans, before(now, UNWANTED)).await?;
        tx.commit().await
    }

    async fn follow(&self, cursor: Cursor) -> Result<(), Error> {
        let now = self.tools.clock.now();
        let (from, until) = (cursor.seq, cursor.seq.saturating_add(STRIDE));
        let mut reader = self.tools.store.read().await?;
        let Some(to) =
            rows::old_enough(&mut reader, from, until, before(now, span(&cursor))).await?
        else {
            return Ok(());
        };
        let went_out = rows::went_out(&mut reader, from, to).await?;
        drop(reader);
        let mut tx = self.tools.store.begin_for("looks").await?;
        if !rows::move_cursor(&mut tx, cursor, to).await? {
            // Another process was faster.
            return Ok(());
        }
        let jobs: Vec<NewJob> = went_out.iter().map(|it| verify::first_job(it, now)).collect();
        enqueue(&mut tx, &jobs, now).await?;
        crate::crash_point!("looks.before_commit");
        tx.commit().await?;
        self.queue.announce(&jobs);
        Ok(())
    }
}

fn span(cursor: &Cursor) -> Duration {
    Duration::from_millis(u64::try_from(cursor.span_ms).unwrap_or(0))
}
