//! Arranges the looks at what was published, some time after.
//!
//! Publishing pays nothing for it: the audit says what went out and when, so a cursor for each span
//! follows it at that distance, some entries at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Tools, verify};
use crate::clock::before;
use crate::queue::{Queue, contained};
use crate::store::Error;
use crate::store::after::{self as rows, Cursor};
use crate::store::jobs::{NewJob, enqueue};

/// Most audit entries that one transaction goes through.
const STRIDE: i64 = 500;

/// When it is looked whether what was published is still there.
#[derive(Debug, Clone)]
pub struct Looks {
    /// So long after publishing.
    pub spans: Vec<Duration>,
    /// Between the two looks after which it counts as gone.
    pub pause: Duration,
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
}

impl Arrange {
    pub(super) fn new(tools: Tools, queue: Queue, looks: &Looks) -> Self {
        let millis = |span: &Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let spans = looks.spans.iter().map(millis).collect();
        Self { tools, queue, spans, interval: looks.interval }
    }

    /// Arranges until told to stop. What goes wrong is logged and tried again.
    pub(super) async fn keep(self, stop: CancellationToken) {
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

    async fn round(&self) -> Result<(), Error> {
        let known = rows::cursors(&mut self.tools.store.read().await?).await?;
        let spans: BTreeSet<i64> = known.iter().map(|it| it.span_ms).collect();
        if spans != self.spans {
            return self.agree().await;
        }
        for cursor in known {
            self.follow(cursor).await?;
        }
        Ok(())
    }

    /// The spans in the database are those that are configured.
    async fn agree(&self) -> Result<(), Error> {
        let spans: Vec<i64> = self.spans.iter().copied().collect();
        let mut tx = self.tools.store.begin_for("looks").await?;
        rows::forget_cursors(&mut tx, &spans).await?;
        for span in spans {
            rows::begin(&mut tx, span).await?;
        }
        tx.commit().await
    }

    async fn follow(&self, cursor: Cursor) -> Result<(), Error> {
        let now = self.tools.clock.now();
        let span = Duration::from_millis(u64::try_from(cursor.span_ms).unwrap_or(0));
        let (from, until) = (cursor.seq, cursor.seq.saturating_add(STRIDE));
        let mut reader = self.tools.store.read().await?;
        let Some(to) = rows::old_enough(&mut reader, from, until, before(now, span)).await? else {
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
