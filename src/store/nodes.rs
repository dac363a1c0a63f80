//! The processes that work on one database, each with a fence larger than all before it.

use std::time::Duration;

use jiff::Timestamp;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, SCHEMA_VERSION, Tx};
use crate::domain::id::NodeId;

/// A process as it registered.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Node {
    /// The process.
    pub id: NodeId,
    /// Larger than that of every process before it.
    pub fence: i64,
    /// Its build.
    pub version: String,
    /// The schema step that it knows.
    pub schema_step: i64,
    /// When it registered.
    #[sqlx(try_from = "At")]
    pub started_at: Timestamp,
    /// When it last renewed its lease.
    #[sqlx(try_from = "At")]
    pub seen_at: Timestamp,
    /// How its clock stands.
    #[sqlx(flatten)]
    pub clock: Clock,
}

/// How the clock of a process stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Clock {
    /// Grows each time that it steps.
    #[sqlx(rename = "clock_step")]
    pub step: i64,
    /// Why it is not trusted, as a stable word.
    #[sqlx(rename = "clock_doubt")]
    pub doubt: Option<String>,
    /// The same for people.
    #[sqlx(rename = "clock_detail")]
    pub detail: Option<String>,
}

statements! {
    REGISTER =
        "INSERT INTO nodes (id, fence, started_at, seen_at, version, schema_step)
         VALUES ($1, (SELECT COALESCE(MAX(given.fence), 0) + 1 FROM (
                          SELECT fence FROM nodes
                          UNION ALL SELECT fence_floor FROM installation) AS given), $2, $2, $3, $4)
         RETURNING fence";
    /// Larger than any fence of a history that went on from here: nobody registers a million times, or
    /// once in each millisecond.
    JUMP =
        "UPDATE installation SET fence_floor = (
             SELECT MAX(given.fence) FROM (
                 SELECT fence + 1000000 AS fence FROM nodes
                 UNION ALL SELECT fence_floor + 1000000 FROM installation
                 UNION ALL SELECT CAST($1 AS BIGINT)) AS given)
         WHERE id = 1";
    LIST =
        "SELECT id, fence, version, schema_step, started_at, seen_at, clock_step, clock_doubt,
                clock_detail
         FROM nodes
         WHERE seen_at >= $1 ORDER BY fence DESC LIMIT 100";
    BEAT =
        "UPDATE nodes SET seen_at = $3, beats = beats + 1, lease_ms = $4 WHERE id = $1 AND fence = $2";
    TELL_CLOCK =
        "UPDATE nodes SET clock_step = $3, clock_doubt = $4, clock_detail = $5
         WHERE id = $1 AND fence = $2";
    CONFIRM_CLOCK =
        "UPDATE nodes SET clock_confirmed = $2
         WHERE id = $1 AND clock_step = $2 AND clock_doubt IS NOT NULL
         RETURNING clock_step, clock_doubt, clock_detail";
    CLOCK_CONFIRMED =
        "SELECT EXISTS (SELECT 1 FROM nodes WHERE id = $1 AND fence = $2 AND clock_confirmed = $3)";
    DOUBTED_CLOCK =
        "SELECT EXISTS (SELECT 1 FROM nodes WHERE seen_at >= $1 AND clock_doubt IS NOT NULL)";
    STOPPED = "UPDATE nodes SET stopped_at = $3 WHERE id = $1 AND fence = $2";
    /// Of the others the last one, or any that was seen lately: it may be alive, and may not.
    DIED =
        "SELECT EXISTS (SELECT 1 FROM nodes WHERE stopped_at IS NULL AND fence < $1
             AND (seen_at >= $2 OR fence = (SELECT MAX(fence) FROM nodes WHERE fence < $1)))";
    LAST_SEEN = "SELECT MAX(seen_at) FROM nodes";
    FORGET = "DELETE FROM nodes WHERE seen_at < $1 AND fence < (SELECT MAX(fence) FROM nodes)";
}

/// Registers a process and gives it its fence. `Conflict("nodes_fence_key")` when another process
/// registered at the same moment: try again.
pub async fn register(
    tx: &mut Tx,
    id: &NodeId,
    version: &str,
    now: Timestamp,
) -> Result<i64, Error> {
    Ok(on!(tx, REGISTER, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(id)
            .bind(At(now))
            .bind(version)
            .bind(SCHEMA_VERSION)
            .fetch_one(conn)
            .await?
    }))
}

/// The processes that were seen since an instant, newest first.
pub async fn list(reader: &mut Reader, since: Timestamp) -> Result<Vec<Node>, Error> {
    Ok(on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql).bind(At(since)).fetch_all(conn).await?
    }))
}

/// Lets no fence be given any more that a process may have which registered in a history that is lost.
pub async fn jump(tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
    on!(tx, JUMP, |sql, conn| {
        sqlx::query(sql).bind(now.as_millisecond()).execute(conn).await?;
    });
    Ok(())
}

/// Notes that a process is alive and holds a lease of this length; false when its row is gone.
pub async fn beat(
    tx: &mut Tx,
    id: &NodeId,
    fence: i64,
    lease: Duration,
    now: Timestamp,
) -> Result<bool, Error> {
    let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
    let changed = on!(tx, BEAT, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(fence)
            .bind(At(now))
            .bind(lease)
            .execute(conn)
            .await?
            .rows_affected()
    });
    Ok(changed > 0)
}

/// Forgets processes that were not seen since `before`; never the newest fence.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    Ok(on!(tx, FORGET, |sql, conn| {
        sqlx::query(sql).bind(At(before)).execute(conn).await?.rows_affected()
    }))
}

/// Writes down how the clock of a process stands.
pub async fn tell_clock(tx: &mut Tx, id: &NodeId, fence: i64, clock: &Clock) -> Result<(), Error> {
    on!(tx, TELL_CLOCK, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(fence)
            .bind(clock.step)
            .bind(&clock.doubt)
            .bind(&clock.detail)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Confirms the clock of a process that is in doubt since this step; `None` when it is not.
pub async fn confirm_clock(tx: &mut Tx, id: &NodeId, step: i64) -> Result<Option<Clock>, Error> {
    Ok(on!(tx, CONFIRM_CLOCK, |sql, conn| {
        sqlx::query_as(sql).bind(id).bind(step).fetch_optional(conn).await?
    }))
}

/// Whether a person has confirmed the clock of a process since this step.
pub async fn is_clock_confirmed(
    reader: &mut Reader,
    id: &NodeId,
    fence: i64,
    step: i64,
) -> Result<bool, Error> {
    Ok(on!(reader, CLOCK_CONFIRMED, |sql, conn| {
        sqlx::query_scalar(sql).bind(id).bind(fence).bind(step).fetch_one(conn).await?
    }))
}

/// Whether a process that was seen since an instant has a clock that is in doubt.
pub async fn has_doubted_clock(reader: &mut Reader, since: Timestamp) -> Result<bool, Error> {
    Ok(on!(reader, DOUBTED_CLOCK, |sql, conn| {
        sqlx::query_scalar(sql).bind(At(since)).fetch_one(conn).await?
    }))
}

/// Notes that a process has ended in order.
pub async fn stopped(tx: &mut Tx, id: &NodeId, fence: i64, now: Timestamp) -> Result<(), Error> {
    on!(tx, STOPPED, |sql, conn| {
        sqlx::query(sql).bind(id).bind(fence).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// Whether the process before the one with this fence, or any that was seen since an instant, has not
/// ended in order as far as is known.
pub async fn died(reader: &mut Reader, fence: i64, since: Timestamp) -> Result<bool, Error> {
    Ok(on!(reader, DIED, |sql, conn| {
        sqlx::query_scalar(sql).bind(fence).bind(At(since)).fetch_one(conn).await?
    }))
}

/// When any process was last seen.
pub async fn last_seen(reader: &mut Reader) -> Result<Option<Timestamp>, Error> {
    let at: Option<At> =
        on!(reader, LAST_SEEN, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await?);
    Ok(at.map(Timestamp::from))
}
