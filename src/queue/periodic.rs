//! Work by the timetable: a cron expression in UTC, one job for each of its instants however many
//! processes run.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Queue;
use crate::clock::SharedClock;
use crate::domain::id::JobId;
use crate::store::jobs::NewJob;
use crate::store::{Error, Store, jobs};

/// An expression that the `cron` crate does not understand.
#[derive(Debug, thiserror::Error)]
#[error("not a cron expression of six fields: {expression}")]
pub struct BadTimetable {
    expression: String,
    #[source]
    source: cron::error::Error,
}

/// A kind of work with its timetable.
#[derive(Debug)]
pub struct Periodic {
    kind: &'static str,
    timetable: cron::Schedule,
}

impl Periodic {
    /// `kind` at the instants of `expression`: second, minute, hour, day, month, weekday, in UTC.
    pub fn new(kind: &'static str, expression: &str) -> Result<Self, BadTimetable> {
        let timetable = cron::Schedule::from_str(expression)
            .map_err(|source| BadTimetable { expression: expression.to_owned(), source })?;
        Ok(Self { kind, timetable })
    }

    /// The first instant after `now`, if there is one.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let now: DateTime<Utc> = DateTime::from_timestamp_millis(now.as_millisecond())?;
        let next = self.timetable.after(&now).next()?;
        Timestamp::from_millisecond(next.timestamp_millis()).ok()
    }

    /// Enqueues at each instant until told to stop.
    pub async fn keep(
        self,
        store: Store,
        clock: SharedClock,
        queue: Queue,
        stop: CancellationToken,
    ) {
        while let Some(at) = self.next(clock.now()) {
            tokio::select! {
                () = stop.cancelled() => return,
                () = clock.sleep_until(at) => {}
            }
            if let Err(error) = self.enqueue(&store, &queue, at).await {
                tracing::error!(
                    job.kind = self.kind, error = %crate::telemetry::Chain(&error),
                    "periodic work was not enqueued"
                );
            }
        }
    }

    async fn enqueue(&self, store: &Store, queue: &Queue, at: Timestamp) -> Result<(), Error> {
        let job = NewJob {
            id: JobId::new(at, rand::random()),
            kind: self.kind,
            // The same key on every process: one of them enqueues, the others find it there.
            unique_key: format!("{}:{at}", self.kind),
            slot: self.kind.to_owned(),
            payload: json!({}),
            priority: 9,
            due_at: at,
        };
        let mut tx = store.begin().await?;
        jobs::enqueue(&mut tx, std::slice::from_ref(&job), at).await?;
        tx.commit().await?;
        queue.announce(&[job]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_instant_is_after_now() {
        let daily = Periodic::new("sweep", "0 40 3 * * *").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(daily.next(at("2026-09-02T03:39:59Z")), Some(at("2026-09-02T03:40:00Z")));
        assert_eq!(daily.next(at("2026-09-02T03:40:00Z")), Some(at("2026-09-03T03:40:00Z")));
    }

    #[test]
    fn a_wrong_expression_is_named() {
        let error = Periodic::new("sweep", "every day").unwrap_err();
        assert!(error.to_string().contains("every day"));
    }
}
