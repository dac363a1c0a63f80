//! Work by the timetable: a cron expression in UTC, one job for each of its instants however many
//! processes run.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};
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
        // The same key and the same id on every process: one of them enqueues, the others find it
        // there, even when it has been done already.
        let unique_key = format!("{}:{at}", self.kind);
        let job = NewJob {
            id: JobId::new(at, number(&unique_key)),
            kind: self.kind,
            unique_key,
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

/// The same for the same text.
fn number(text: &str) -> u128 {
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(Sha256::digest(text)) {
        *to = from;
    }
    u128::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::NodeId;
    use crate::store::Location;
    use crate::store::jobs::{Ending, Finish, Holder};

    #[tokio::test]
    async fn an_instant_has_one_job_however_late_a_process_comes() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("chancery.db");
        let store = Store::open(&Location::Sqlite { file }).await.unwrap();
        store.migrate().await.unwrap();
        let at: Timestamp = "2026-09-02T03:40:00Z".parse().unwrap();
        let count = async || -> usize {
            let mut reader = store.read().await.unwrap();
            jobs::upcoming(&mut reader, "sweep", Timestamp::MAX, 10).await.unwrap().len()
        };
        let daily = || Periodic::new("sweep", "0 40 3 * * *").unwrap();
        let queue = Queue::default();
        daily().enqueue(&store, &queue, at).await.unwrap();
        daily().enqueue(&store, &queue, at).await.unwrap();
        assert_eq!(count().await, 1);

        let mut tx = store.begin().await.unwrap();
        let holder = Holder { node: NodeId::new(at, 1), fence: 1 };
        let due = jobs::upcoming(&mut tx, "sweep", at, 10).await.unwrap().remove(0);
        jobs::claim(&mut tx, std::slice::from_ref(&due.id), &holder, at, at).await.unwrap();
        let done = Finish { id: due.id, ending: Ending::Done, note: None };
        jobs::finish(&mut tx, &[done], &holder, at).await.unwrap();
        tx.commit().await.unwrap();
        daily().enqueue(&store, &queue, at).await.unwrap();
        assert_eq!(count().await, 0);
    }

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
