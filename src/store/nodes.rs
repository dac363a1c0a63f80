//! The processes that work on one database, each with a fence larger than all before it.

use jiff::Timestamp;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Tx};
use crate::domain::id::NodeId;

statements! {
    REGISTER =
        "INSERT INTO nodes (id, fence, started_at, seen_at, version)
         VALUES ($1, (SELECT COALESCE(MAX(fence), 0) + 1 FROM nodes), $2, $2, $3)
         RETURNING fence";
    SEEN = "UPDATE nodes SET seen_at = $3 WHERE id = $1 AND fence = $2";
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
        sqlx::query_scalar(sql).bind(id).bind(At(now)).bind(version).fetch_one(conn).await?
    }))
}

/// Notes that a process is alive; false when its row is gone.
pub async fn seen(tx: &mut Tx, id: &NodeId, fence: i64, now: Timestamp) -> Result<bool, Error> {
    Ok(on!(tx, SEEN, |sql, conn| {
        sqlx::query(sql).bind(id).bind(fence).bind(At(now)).execute(conn).await?.rows_affected() > 0
    }))
}

/// Forgets processes that were not seen since `before`; never the newest fence.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    Ok(on!(tx, FORGET, |sql, conn| {
        sqlx::query(sql).bind(At(before)).execute(conn).await?.rows_affected()
    }))
}
