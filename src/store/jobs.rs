//! Durable work: enqueue with the change that causes it, claim, finish, heartbeat, rescue.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::id::{JobId, NodeId};

/// A job to enqueue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// Its kind, one of `domain::work::KINDS`.
    pub kind: &'static str,
    /// At most one unfinished job has this key; a second one is not enqueued.
    pub unique_key: String,
    /// At most one job of a slot runs at a time, such as an account's; begins with its pool.
    pub slot: String,
    /// What the kind needs to know.
    pub payload: Value,
    /// Smaller goes first among jobs that are due.
    pub priority: i64,
    /// Not before this instant.
    pub due_at: Timestamp,
}

/// A queued job as far as a timetable needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its id.
    pub id: JobId,
    /// Its slot.
    pub slot: String,
    /// Smaller goes first.
    pub priority: i64,
    /// Not before this instant.
    pub due_at: Timestamp,
}

/// A job that this process holds a lease on.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// Its id.
    pub id: JobId,
    /// Its unique key.
    pub unique_key: String,
    /// Its slot.
    pub slot: String,
    /// What the kind needs to know.
    pub payload: Value,
    /// Smaller goes first.
    pub priority: i64,
    /// When it was due.
    pub due_at: Timestamp,
    /// How often it was claimed, this time included.
    pub tries: i64,
    /// How often a process or its worker was lost while it was at work, this time included.
    pub losses: i64,
    /// When it was enqueued.
    pub created_at: Timestamp,
}

/// How a claimed job ends, or goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// Which job.
    pub id: JobId,
    /// What becomes of it.
    pub ending: Ending,
    /// A short reason, for people who look at the queue.
    pub note: Option<String>,
}

/// What becomes of a claimed job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Finished.
    Done,
    /// Given up.
    Discarded,
    /// To be run again at an instant.
    Again(Timestamp),
}

/// Who claims: a process and its fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub node: NodeId,
    /// A number that is larger than that of every earlier process.
    pub fence: i64,
}

/// How far a process that has jobs at work has beaten.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Beat {
    /// Whose.
    pub fence: i64,
    /// How often it has renewed its lease; below zero when its row is gone.
    pub beats: i64,
    /// For how long each renewal counts, in milliseconds; `None` when its row is gone.
    pub lease_ms: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct ClaimedRow {
    id: JobId,
    unique_key: String,
    slot: String,
    payload: Json<Value>,
    priority: i64,
    due_at: At,
    tries: i64,
    losses: i64,
    created_at: At,
}

impl From<ClaimedRow> for Claimed {
    fn from(row: ClaimedRow) -> Self {
        Self {
            id: row.id,
            unique_key: row.unique_key,
            slot: row.slot,
            payload: row.payload.0,
            priority: row.priority,
            due_at: row.due_at.0,
            tries: row.tries,
            losses: row.losses,
            created_at: row.created_at.0,
        }
    }
}

#[derive(sqlx::FromRow)]
struct DueRow {
    id: JobId,
    slot: String,
    priority: i64,
    due_at: At,
}

statements! {
    ENQUEUE =
        "INSERT INTO jobs (id, kind, unique_key, slot, payload, priority, state, due_at, tries, fence, created_at)
         SELECT value->>'id', value->>'kind', value->>'unique_key', value->>'slot',
                json_extract(value, '$.payload'), value->>'priority', 'queued', value->>'due_ms', 0, 0, $2
         FROM jsonb_each($1) WHERE true
         ON CONFLICT DO NOTHING"
        |
        "INSERT INTO jobs (id, kind, unique_key, slot, payload, priority, state, due_at, tries, fence, created_at)
         SELECT id, kind, unique_key, slot, payload, priority, 'queued',
                TIMESTAMPTZ 'epoch' + due_ms * INTERVAL '1 millisecond', 0, 0, $2
         FROM jsonb_to_recordset($1) AS v(id TEXT, kind TEXT, unique_key TEXT, slot TEXT,
                                          payload JSONB, priority BIGINT, due_ms BIGINT)
         ON CONFLICT DO NOTHING";
    UPCOMING =
        "SELECT id, slot, priority, due_at FROM jobs
         WHERE kind = $1 AND state = 'queued' AND due_at <= $2
         ORDER BY due_at, id LIMIT $3";
    CLAIM =
        "UPDATE jobs SET state = 'running', node = $2, fence = $3, lease_until = $4, tries = tries + 1
         WHERE state = 'queued' AND due_at <= $5 AND id IN (SELECT value FROM jsonb_each($1))
         RETURNING id, unique_key, slot, payload, priority, due_at, tries, losses, created_at"
        |
        "WITH free AS MATERIALIZED (
             SELECT id FROM jobs
             WHERE state = 'queued' AND due_at <= $5
               AND id IN (SELECT jsonb_array_elements_text($1))
             FOR UPDATE SKIP LOCKED)
         UPDATE jobs SET state = 'running', node = $2, fence = $3, lease_until = $4, tries = tries + 1
         WHERE state = 'queued' AND id IN (SELECT id FROM free)
         RETURNING id, unique_key, slot, payload, priority, due_at, tries, losses, created_at";
    FINISH =
        "UPDATE jobs SET state = v.state, due_at = COALESCE(v.due_ms, due_at), node = NULL,
                lease_until = NULL, note = v.note,
                finished_at = CASE WHEN v.state = 'queued' THEN NULL ELSE $2 END
         FROM (SELECT value->>'id' AS id, value->>'state' AS state, value->>'due_ms' AS due_ms,
                      value->>'note' AS note FROM jsonb_each($1)) AS v
         WHERE jobs.id = v.id AND jobs.state = 'running' AND jobs.fence = $3"
        |
        "UPDATE jobs SET state = v.state,
                due_at = COALESCE(TIMESTAMPTZ 'epoch' + v.due_ms * INTERVAL '1 millisecond', due_at),
                node = NULL, lease_until = NULL, note = v.note,
                finished_at = CASE WHEN v.state <> 'queued' THEN CAST($2 AS TIMESTAMPTZ) END
         FROM jsonb_to_recordset($1) AS v(id TEXT, state TEXT, due_ms BIGINT, note TEXT)
         WHERE jobs.id = v.id AND jobs.state = 'running' AND jobs.fence = $3";
    /// Never ourselves. A fence without a node is one whose row was forgotten or lost.
    HOLDERS =
        "SELECT j.fence, COALESCE(MAX(n.beats), -1) AS beats, MAX(n.lease_ms) AS lease_ms
         FROM jobs AS j LEFT JOIN nodes AS n ON n.fence = j.fence
         WHERE j.kind = $1 AND j.state = 'running' AND j.fence <> $2
         GROUP BY j.fence";
    HELD_BY_SILENT =
        "SELECT id, unique_key, slot, payload, priority, due_at, tries, losses,
                created_at FROM jobs
         WHERE kind = $1 AND state = 'running' AND fence IN (SELECT value FROM jsonb_each($2))
         ORDER BY lease_until, id LIMIT 500"
        |
        "SELECT id, unique_key, slot, payload, priority, due_at, tries, losses,
                created_at FROM jobs
         WHERE kind = $1 AND state = 'running'
           AND fence IN (SELECT CAST(v AS BIGINT) FROM jsonb_array_elements_text($2) AS v)
         ORDER BY lease_until, id LIMIT 500 FOR UPDATE SKIP LOCKED";
    HELD_BY =
        "SELECT id, unique_key, slot, payload, priority, due_at, tries, losses,
                created_at FROM jobs
         WHERE state = 'running' AND fence = $2 AND id IN " ids(1);
    /// Locked, so that nobody takes them over before what came of them is written down.
    OURS =
        "SELECT id FROM jobs WHERE state = 'running' AND fence = $2
           AND id IN (SELECT value FROM jsonb_each($1))"
        |
        "SELECT id FROM jobs WHERE state = 'running' AND fence = $2
           AND id IN (SELECT jsonb_array_elements_text($1)) FOR UPDATE";
    ORPHANED =
        "SELECT id, unique_key, slot, payload, priority, due_at, tries, losses,
                created_at FROM jobs
         WHERE kind = $1 AND state = 'running' AND fence <> $2
         ORDER BY lease_until, id LIMIT 500";
    LOSE = "UPDATE jobs SET losses = losses + 1 WHERE state = 'running' AND id IN " ids(1);
    TAKE_OVER =
        "UPDATE jobs SET fence = $2, node = $3 WHERE state = 'running'
         AND id IN " ids(1);
    /// Here and below the state is named twice: word by word as in the index of unique keys, or
    /// that index would not be used and everything queued be walked through.
    REMOVE_QUEUED =
        "DELETE FROM jobs WHERE state = 'queued' AND state IN ('queued', 'running')
         AND unique_key IN " ids(1);
    REMOVE_IDLE =
        "DELETE FROM jobs WHERE state = 'queued' AND state IN ('queued', 'running')
         AND unique_key IN (SELECT value FROM jsonb_each($1))"
        |
        "WITH idle AS MATERIALIZED (
             SELECT id FROM jobs WHERE state = 'queued' AND state IN ('queued', 'running')
               AND unique_key IN (SELECT jsonb_array_elements_text($1))
             FOR UPDATE SKIP LOCKED)
         DELETE FROM jobs WHERE id IN (SELECT id FROM idle)";
    MOVE_QUEUED =
        "UPDATE jobs SET due_at = $2
         WHERE state = 'queued' AND state IN ('queued', 'running') AND unique_key = $1";
    MOVE_ALL_QUEUED =
        "UPDATE jobs SET due_at = $2
         WHERE state = 'queued' AND state IN ('queued', 'running') AND unique_key IN " ids(1);
    REQUEUE =
        "UPDATE jobs SET state = 'queued', due_at = $2, node = NULL, lease_until = NULL
         WHERE state = 'running' AND state IN ('queued', 'running') AND unique_key = $1";
    HASTEN =
        "UPDATE jobs SET due_at = $2
         WHERE kind = $1 AND state = 'queued' AND due_at > $2 AND due_at <= $3";
    HASTEN_SLOT =
        "UPDATE jobs SET due_at = $3
         WHERE kind = $1 AND state = 'queued' AND due_at > $3 AND slot = $2";
    PRUNE =
        "DELETE FROM jobs WHERE id IN (
             SELECT id FROM jobs WHERE state IN ('done', 'discarded') AND finished_at < $1 LIMIT 5000)";
    COUNTS =
        "SELECT kind, 'queued', COUNT(*) FROM jobs WHERE state = 'queued' GROUP BY kind
         UNION ALL
         SELECT kind, 'running', COUNT(*) FROM jobs WHERE state = 'running' GROUP BY kind";
}

#[derive(Serialize)]
struct EnqueueRow<'a> {
    id: &'a JobId,
    kind: &'a str,
    unique_key: &'a str,
    slot: &'a str,
    payload: &'a Value,
    priority: i64,
    due_ms: i64,
}

/// Enqueues jobs in the transaction of the change that causes them. A job whose key is already
/// queued or running is left out.
pub async fn enqueue(tx: &mut Tx, jobs: &[NewJob], now: Timestamp) -> Result<(), Error> {
    if jobs.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = jobs
        .iter()
        .map(|job| EnqueueRow {
            id: &job.id,
            kind: job.kind,
            unique_key: &job.unique_key,
            slot: &job.slot,
            payload: &job.payload,
            priority: job.priority,
            due_ms: job.due_at.as_millisecond(),
        })
        .collect();
    on!(tx, ENQUEUE, |sql, conn| {
        sqlx::query(sql).bind(Json(rows)).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// Queued jobs of a kind that are due until `until`, earliest first.
pub async fn upcoming(
    reader: &mut Reader,
    kind: &str,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<Due>, Error> {
    let rows: Vec<DueRow> = on!(reader, UPCOMING, |sql, conn| {
        sqlx::query_as(sql).bind(kind).bind(At(until)).bind(limit).fetch_all(conn).await?
    });
    Ok(rows
        .into_iter()
        .map(|row| Due { id: row.id, slot: row.slot, priority: row.priority, due_at: row.due_at.0 })
        .collect())
}

/// Takes a lease on those of `ids` that are queued and due until `horizon`; in no order.
pub async fn claim(
    tx: &mut Tx,
    ids: &[JobId],
    holder: &Holder,
    lease_until: Timestamp,
    horizon: Timestamp,
) -> Result<Vec<Claimed>, Error> {
    let rows: Vec<ClaimedRow> = on!(tx, CLAIM, |sql, conn| {
        sqlx::query_as(sql)
            .bind(Json(ids))
            .bind(&holder.node)
            .bind(holder.fence)
            .bind(At(lease_until))
            .bind(At(horizon))
            .fetch_all(conn)
            .await?
    });
    Ok(rows.into_iter().map(Claimed::from).collect())
}

#[derive(Serialize)]
struct FinishRow<'a> {
    id: &'a JobId,
    state: &'static str,
    due_ms: Option<i64>,
    note: Option<&'a str>,
}

/// Ends or requeues jobs that `holder` still holds; the others are left alone.
pub async fn finish(
    tx: &mut Tx,
    finishes: &[Finish],
    holder: &Holder,
    now: Timestamp,
) -> Result<(), Error> {
    if finishes.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = finishes
        .iter()
        .map(|finish| {
            let (state, due_ms) = match finish.ending {
                Ending::Done => ("done", None),
                Ending::Discarded => ("discarded", None),
                Ending::Again(at) => ("queued", Some(at.as_millisecond())),
            };
            FinishRow { id: &finish.id, state, due_ms, note: finish.note.as_deref() }
        })
        .collect();
    on!(tx, FINISH, |sql, conn| {
        sqlx::query(sql).bind(Json(rows)).bind(At(now)).bind(holder.fence).execute(conn).await?;
    });
    Ok(())
}

/// How the other processes beat that have jobs of a kind at work; in no order.
pub async fn holders(reader: &mut Reader, kind: &str, holder: &Holder) -> Result<Vec<Beat>, Error> {
    Ok(on!(reader, HOLDERS, |sql, conn| {
        sqlx::query_as(sql).bind(kind).bind(holder.fence).fetch_all(conn).await?
    }))
}

/// Jobs of the processes with these fences, taken over by `holder` so that it may finish them; only
/// when the leases of those have certainly ended.
pub async fn take_from(
    tx: &mut Tx,
    kind: &str,
    silent: &[i64],
    holder: &Holder,
) -> Result<Vec<Claimed>, Error> {
    if silent.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<ClaimedRow> = on!(tx, HELD_BY_SILENT, |sql, conn| {
        sqlx::query_as(sql).bind(kind).bind(Json(silent)).fetch_all(conn).await?
    });
    take_over(tx, rows, holder).await
}

/// Those of `ids` that are running in the name of `holder`; for a claim whose commit failed, which
/// may have been made all the same.
pub async fn held_by(
    reader: &mut Reader,
    ids: &[JobId],
    holder: &Holder,
) -> Result<Vec<Claimed>, Error> {
    let rows: Vec<ClaimedRow> = on!(reader, HELD_BY, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).bind(holder.fence).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Claimed::from).collect())
}

/// Those of `ids` that are still running in the name of `holder`.
pub async fn ours(tx: &mut Tx, ids: &[&JobId], holder: &Holder) -> Result<HashSet<JobId>, Error> {
    let ours: Vec<JobId> = on!(tx, OURS, |sql, conn| {
        sqlx::query_scalar(sql).bind(Json(ids)).bind(holder.fence).fetch_all(conn).await?
    });
    Ok(ours.into_iter().collect())
}

/// Running jobs of other processes, taken over; only when it is certain that none is alive.
pub async fn take_orphaned(
    tx: &mut Tx,
    kind: &str,
    holder: &Holder,
) -> Result<Vec<Claimed>, Error> {
    let rows: Vec<ClaimedRow> = on!(tx, ORPHANED, |sql, conn| {
        sqlx::query_as(sql).bind(kind).bind(holder.fence).fetch_all(conn).await?
    });
    take_over(tx, rows, holder).await
}

/// Counts that these running jobs were lost while they were at work.
pub async fn lose(tx: &mut Tx, mut lost: Vec<Claimed>) -> Result<Vec<Claimed>, Error> {
    if lost.is_empty() {
        return Ok(lost);
    }
    let ids: Vec<&JobId> = lost.iter().map(|job| &job.id).collect();
    on!(tx, LOSE, |sql, conn| {
        sqlx::query(sql).bind(Json(ids)).execute(conn).await?;
    });
    for job in &mut lost {
        job.losses += 1;
    }
    Ok(lost)
}

async fn take_over(
    tx: &mut Tx,
    rows: Vec<ClaimedRow>,
    holder: &Holder,
) -> Result<Vec<Claimed>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&JobId> = rows.iter().map(|row| &row.id).collect();
    on!(tx, TAKE_OVER, |sql, conn| {
        sqlx::query(sql)
            .bind(Json(ids))
            .bind(holder.fence)
            .bind(&holder.node)
            .execute(conn)
            .await?;
    });
    Ok(rows.into_iter().map(Claimed::from).collect())
}

/// Removes queued jobs by key; running ones are left alone.
pub async fn remove_queued(tx: &mut Tx, unique_keys: &[String]) -> Result<u64, Error> {
    Ok(on!(tx, REMOVE_QUEUED, |sql, conn| {
        sqlx::query(sql).bind(Json(unique_keys)).execute(conn).await?.rows_affected()
    }))
}

/// The same, and without waiting for those that are being claimed; for whoever holds what a claim waits
/// for, and has made sure that the claim will come to nothing.
pub async fn remove_idle(tx: &mut Tx, unique_keys: &[String]) -> Result<u64, Error> {
    Ok(on!(tx, REMOVE_IDLE, |sql, conn| {
        sqlx::query(sql).bind(Json(unique_keys)).execute(conn).await?.rows_affected()
    }))
}

/// Gives a queued job another instant; false when it is not queued.
pub async fn move_queued(tx: &mut Tx, unique_key: &str, due_at: Timestamp) -> Result<bool, Error> {
    Ok(on!(tx, MOVE_QUEUED, |sql, conn| {
        sqlx::query(sql).bind(unique_key).bind(At(due_at)).execute(conn).await?.rows_affected() > 0
    }))
}

/// Gives queued jobs another instant; running ones are left alone.
pub async fn move_all_queued(
    tx: &mut Tx,
    unique_keys: &[String],
    due_at: Timestamp,
) -> Result<(), Error> {
    on!(tx, MOVE_ALL_QUEUED, |sql, conn| {
        sqlx::query(sql).bind(Json(unique_keys)).bind(At(due_at)).execute(conn).await?;
    });
    Ok(())
}

/// Puts a running job back into the queue, whoever holds it; for work that was taken back.
pub async fn requeue(tx: &mut Tx, unique_key: &str, due_at: Timestamp) -> Result<bool, Error> {
    Ok(on!(tx, REQUEUE, |sql, conn| {
        sqlx::query(sql).bind(unique_key).bind(At(due_at)).execute(conn).await?.rows_affected() > 0
    }))
}

/// Makes the queued jobs of a kind due now that are due until `until`; how many.
pub async fn hasten(
    tx: &mut Tx,
    kind: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<u64, Error> {
    Ok(on!(tx, HASTEN, |sql, conn| {
        sqlx::query(sql)
            .bind(kind)
            .bind(At(now))
            .bind(At(until))
            .execute(conn)
            .await?
            .rows_affected()
    }))
}

/// Makes the queued jobs of a kind due now that are at work on one slot; how many.
pub async fn hasten_slot(
    tx: &mut Tx,
    kind: &str,
    slot: &str,
    now: Timestamp,
) -> Result<u64, Error> {
    Ok(on!(tx, HASTEN_SLOT, |sql, conn| {
        sqlx::query(sql).bind(kind).bind(slot).bind(At(now)).execute(conn).await?.rows_affected()
    }))
}

/// Forgets some jobs that finished before `before`; says how many.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    Ok(on!(tx, PRUNE, |sql, conn| {
        sqlx::query(sql).bind(At(before)).execute(conn).await?.rows_affected()
    }))
}

/// How many jobs are queued and running, by kind and state.
pub async fn counts(reader: &mut Reader) -> Result<Vec<(String, String, i64)>, Error> {
    Ok(on!(reader, COUNTS, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?))
}
