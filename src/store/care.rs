//! Jobs that are claimed with care: each is counted as lost before it is claimed, so that what ends the
//! process meanwhile is known by that count.

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::jobs::Holder;
use super::sql::{on, statements};
use super::{Error, Tx};
use crate::domain::id::JobId;

statements! {
    COUNT_LOSS =
        "UPDATE jobs SET losses = losses + 1 WHERE state = 'queued' AND id = $1 RETURNING losses";
    /// One process at a time: two that are careful with the same job would count each other. The instants
    /// are those of two clocks, which costs a wrong count at the most.
    SUSPECT =
        "UPDATE jobs SET losses = losses + 1, node = $2, lease_until = $3
         WHERE state = 'queued' AND id = $1 AND (node IS NULL OR node = $2 OR lease_until <= $4)
         RETURNING losses";
    ACQUIT =
        "UPDATE jobs SET losses = losses - 1,
                node = CASE WHEN state = 'running' THEN node END,
                lease_until = CASE WHEN state = 'running' THEN lease_until END
         WHERE losses > 0 AND state IN ('queued', $2) AND id IN " ids(1);
}

/// Counts that a queued job has done harm while it was claimed; gives how often it has, or nothing when
/// it is not queued any more.
pub async fn count_loss(tx: &mut Tx, id: &JobId) -> Result<Option<i64>, Error> {
    Ok(on!(tx, COUNT_LOSS, |sql, conn| {
        sqlx::query_scalar(sql).bind(id).fetch_optional(conn).await?
    }))
}

/// How long a process is alone in being careful with a job.
#[derive(Debug, Clone, Copy)]
pub struct Care {
    /// Now; the end of time where whoever was careful before cannot be alive.
    pub now: Timestamp,
    /// Until when others leave it alone.
    pub until: Timestamp,
}

/// Counts a queued job as lost before `holder` claims it; gives how often it was, this time included, or
/// nothing when it is not queued any more, or another process has done the same and may be about to claim
/// it. Whoever lives on takes that back with `acquit`, whether he got the job or not.
pub async fn suspect(
    tx: &mut Tx,
    id: &JobId,
    holder: &Holder,
    care: Care,
) -> Result<Option<i64>, Error> {
    Ok(on!(tx, SUSPECT, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(id)
            .bind(&holder.node)
            .bind(At(care.until))
            .bind(At(care.now))
            .fetch_optional(conn)
            .await?
    }))
}

/// Takes back that these were suspected, in the transaction that claims some of them: whoever suspected
/// them lives, and another may have got the others.
pub async fn acquit(tx: &mut Tx, ids: &[JobId]) -> Result<(), Error> {
    acquit_in(tx, ids, "running").await
}

/// The same of those that are still queued, after a claim that failed: its commit may have been made
/// all the same.
pub async fn acquit_queued(tx: &mut Tx, ids: &[JobId]) -> Result<(), Error> {
    acquit_in(tx, ids, "queued").await
}

async fn acquit_in(tx: &mut Tx, ids: &[JobId], state: &str) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    on!(tx, ACQUIT, |sql, conn| {
        sqlx::query(sql).bind(Json(ids)).bind(state).execute(conn).await?;
    });
    Ok(())
}
