//! The parts of a post that stand behind another one: what waits until that is out, what goes with it when
//! it is taken back, and what is to be deleted before it.

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::deliveries::NewTime;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::delivery::{DeliveryProblem, DeliveryState, WaitsFor};
use crate::domain::id::DeliveryId;

statements! {
    BEHIND =
        "SELECT id, state, part, remote_id, recall IS NOT NULL AS recalled FROM deliveries
         WHERE root = $1 AND part > $2 ORDER BY part";
    CANCEL =
        "UPDATE deliveries SET state = 'cancelled', state_since = $2, waits_for = NULL, problem = $3,
            version = version + 1, updated_at = $2
         WHERE id IN (SELECT value FROM jsonb_each($1)) AND (state IN ('pending_approval', 'scheduled', 'held')) IS TRUE
         RETURNING id"
        |
        "UPDATE deliveries SET state = 'cancelled', state_since = $2, waits_for = NULL, problem = $3,
            version = version + 1, updated_at = $2
         WHERE id IN (SELECT jsonb_array_elements_text($1)) AND state IN ('pending_approval', 'scheduled', 'held')
         RETURNING id";
    MOVE =
        "UPDATE deliveries SET due_at = $3, publish_by = $4, civil = $5,
            created_by = CASE WHEN (
                SELECT COUNT(*) FROM vouched AS v
                WHERE v.person_id = substr(deliveries.created_by, 1, 36) AND v.account_id = deliveries.account_id
                  AND (v.ends_at IS NULL OR v.ends_at > $2)) > 0 THEN created_by ELSE $7 END,
            state = CASE WHEN asks_approval THEN 'pending_approval' ELSE 'scheduled' END,
            waits_for = $6, moves = moves + 1,
            state_since = CASE WHEN state = 'scheduled' AND NOT asks_approval THEN state_since ELSE $2 END,
            hold_id = NULL, zone_change = NULL, problem = NULL,
            version = version + 1, updated_at = $2
         WHERE id IN (SELECT value FROM jsonb_each($1)) AND (state IN ('pending_approval', 'scheduled', 'held')) IS TRUE
         RETURNING id"
        |
        "UPDATE deliveries SET due_at = $3, publish_by = $4, civil = $5,
            created_by = CASE WHEN (
                SELECT COUNT(*) FROM vouched AS v
                WHERE v.person_id = substr(deliveries.created_by, 1, 36) AND v.account_id = deliveries.account_id
                  AND (v.ends_at IS NULL OR v.ends_at > $2)) > 0 THEN created_by ELSE $7 END,
            state = CASE WHEN asks_approval THEN 'pending_approval' ELSE 'scheduled' END,
            waits_for = $6, moves = moves + 1,
            state_since = CASE WHEN state = 'scheduled' AND NOT asks_approval THEN state_since ELSE $2 END,
            hold_id = NULL, zone_change = NULL, problem = NULL,
            version = version + 1, updated_at = $2
         WHERE id IN (SELECT jsonb_array_elements_text($1)) AND state IN ('pending_approval', 'scheduled', 'held')
         RETURNING id";
    /// Whoever takes a part over takes over what follows it.
    TAKE_OVER =
        "UPDATE deliveries SET created_by = $3, version = version + 1, updated_at = $4
         WHERE root = $1 AND part > $2 AND (state IN ('pending_approval', 'scheduled', 'held')) IS TRUE
           AND (SELECT COUNT(*) FROM vouched AS v
                WHERE v.person_id = substr(deliveries.created_by, 1, 36) AND v.account_id = deliveries.account_id
                  AND (v.ends_at IS NULL OR v.ends_at > $4)) = 0";
    /// Whoever is at work on one of them looks by himself: it is not waited for.
    WAKE =
        "UPDATE jobs SET due_at = $2
         WHERE state = 'queued' AND state IN ('queued', 'running') AND due_at > $2
           AND unique_key IN (SELECT 'publish:' || d.id FROM deliveries AS d
                              WHERE d.follows IN (SELECT value FROM jsonb_each($1)))"
        |
        "WITH idle AS MATERIALIZED (
             SELECT id FROM jobs WHERE state = 'queued' AND state IN ('queued', 'running')
               AND due_at > $2
               AND unique_key IN (SELECT 'publish:' || d.id FROM deliveries AS d
                                  WHERE d.follows IN (SELECT jsonb_array_elements_text($1)))
             FOR UPDATE SKIP LOCKED)
         UPDATE jobs SET due_at = $2 WHERE id IN (SELECT id FROM idle)";
    NEXT =
        "SELECT follows, id, state, recall IS NOT NULL AS recalled,
                recall->>'problem' IS NOT NULL AS stuck
         FROM deliveries WHERE follows IN " ids(1);
}

/// A part that stands behind another one.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Behind {
    /// Its delivery.
    pub id: DeliveryId,
    /// How it stands.
    pub state: DeliveryState,
    /// The how-manyth it is.
    pub part: i64,
    /// The platform's id of it, once it is out.
    pub remote_id: Option<String>,
    /// Somebody wants it to be deleted there.
    pub recalled: bool,
}

/// The part that comes right after another one, as far as deleting that needs it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Next {
    /// The one that it follows.
    pub follows: DeliveryId,
    /// Its delivery.
    pub id: DeliveryId,
    /// How it stands.
    pub state: DeliveryState,
    /// Somebody wants it to be deleted.
    pub recalled: bool,
    /// Something stands in the way of that.
    pub stuck: bool,
}

/// The parts behind number `part` of the post whose first part is `root`, in order.
pub async fn behind(
    reader: &mut Reader,
    root: &DeliveryId,
    part: i64,
) -> Result<Vec<Behind>, Error> {
    Ok(on!(reader, BEHIND, |sql, conn| {
        sqlx::query_as(sql).bind(root).bind(part).fetch_all(conn).await?
    }))
}

/// Takes back those of these that are not leaving; gives them, in no order.
pub async fn cancel(
    tx: &mut Tx,
    ids: &[&DeliveryId],
    why: &DeliveryProblem,
    now: Timestamp,
) -> Result<Vec<DeliveryId>, Error> {
    Ok(on!(tx, CANCEL, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(Json(ids))
            .bind(At(now))
            .bind(Json(why))
            .fetch_all(conn)
            .await?
    }))
}

/// Gives those of these that are not leaving another instant; gives them, in no order.
pub async fn reschedule(
    tx: &mut Tx,
    ids: &[&DeliveryId],
    (to, by): (&NewTime, &str),
    now: Timestamp,
) -> Result<Vec<DeliveryId>, Error> {
    Ok(on!(tx, MOVE, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(Json(ids))
            .bind(At(now))
            .bind(At(to.due_at))
            .bind(At(to.publish_by))
            .bind(to.civil.as_ref().map(Json))
            .bind(to.asks_approval.then(WaitsFor::approval).map(Json))
            .bind(by)
            .fetch_all(conn)
            .await?
    }))
}

/// What waits behind number `part` of the post whose first part is `root`, and nobody vouches for, is this
/// person's from now on.
pub async fn take_over(
    tx: &mut Tx,
    (root, part): (&DeliveryId, i64),
    by: &str,
    now: Timestamp,
) -> Result<(), Error> {
    on!(tx, TAKE_OVER, |sql, conn| {
        sqlx::query(sql).bind(root).bind(part).bind(by).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// These are out: whatever follows one of them is looked at now.
pub async fn wake(tx: &mut Tx, out: &[&DeliveryId], now: Timestamp) -> Result<(), Error> {
    if out.is_empty() {
        return Ok(());
    }
    on!(tx, WAKE, |sql, conn| {
        sqlx::query(sql).bind(Json(out)).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// What comes right after each of these; in no order.
pub async fn next(reader: &mut Reader, ids: &[DeliveryId]) -> Result<Vec<Next>, Error> {
    Ok(on!(reader, NEXT, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    }))
}
