//! Deliveries that a hold has caught, or whose scheduler may not schedule there any more, and that a person
//! looks over: let go on with space between, or dropped. Giving them another time is `deliveries::reschedule`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Tx};
use crate::domain::delivery::DeliveryProblem;
use crate::domain::id::{AccountId, DeliveryId};

statements! {
    /// Two reviews at once would otherwise give out the same instants; SQLite has one writer anyway.
    LOCK =
        "SELECT 1"
        | "SELECT pg_advisory_xact_lock(hashtext('chancery.review'), hashtext(current_schema()))";
    RELEASED =
        "SELECT d.account_id, MAX(d.due_at) FROM deliveries AS d
         WHERE d.account_id IN " ids(1) " AND d.due_at > $2 AND d.released_at IS NOT NULL
         GROUP BY d.account_id";
    /// Whoever lets go what nobody vouches for takes it over. What keeps its own instant takes none of those
    /// that are given out.
    RELEASE =
        "UPDATE deliveries SET state = 'scheduled', state_since = $3, due_at = $4,
            released_at = CASE WHEN hold_id IS NULL AND due_at > $3 THEN released_at ELSE $3 END,
            created_by = CASE WHEN (
                SELECT COUNT(*) FROM vouched AS v
                WHERE v.person_id = substr(deliveries.created_by, 1, 36) AND v.account_id = deliveries.account_id
                  AND (v.ends_at IS NULL OR v.ends_at > $3)) > 0 THEN created_by ELSE $5 END,
            hold_id = NULL, waits_for = NULL, problem = NULL, version = version + 1, updated_at = $3
         WHERE id = $1 AND version = $2 AND state = 'held'
           AND (hold_id IS NOT NULL OR waits_for->>'code' = 'review')";
    DROP =
        "UPDATE deliveries SET state = 'cancelled', state_since = $3, problem = $4, waits_for = NULL,
            version = version + 1, updated_at = $3
         WHERE id = $1 AND version = $2 AND state = 'held'
           AND (hold_id IS NOT NULL OR waits_for->>'code' = 'review')";
}

/// One review at a time from now on in this transaction; before anything that another may hold.
pub async fn one_at_a_time(tx: &mut Tx) -> Result<(), Error> {
    on!(tx, LOCK, |sql, conn| {
        sqlx::query(sql).execute(conn).await?;
        Ok(())
    })
}

/// The last instants after `since` that earlier reviews gave to deliveries of these accounts.
pub async fn released(
    tx: &mut Tx,
    accounts: &[&AccountId],
    since: Timestamp,
) -> Result<BTreeMap<AccountId, Timestamp>, Error> {
    let rows: Vec<(AccountId, At)> = on!(tx, RELEASED, |sql, conn| {
        sqlx::query_as(sql).bind(Json(accounts)).bind(At(since)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(account, at)| (account, at.0)).collect())
}

/// Lets a caught delivery at `version` go on at an instant by this person's word; false when it has changed.
pub async fn release(
    tx: &mut Tx,
    (id, version): (&DeliveryId, i64),
    due_at: Timestamp,
    by: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = on!(tx, RELEASE, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(version)
            .bind(At(now))
            .bind(At(due_at))
            .bind(by)
            .execute(conn)
            .await?
            .rows_affected()
    });
    Ok(changed == 1)
}

/// Gives a caught delivery at `version` up; false when it has changed.
pub async fn give_up(
    tx: &mut Tx,
    id: &DeliveryId,
    version: i64,
    why: &DeliveryProblem,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = on!(tx, DROP, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(version)
            .bind(At(now))
            .bind(Json(why))
            .execute(conn)
            .await?
            .rows_affected()
    });
    Ok(changed == 1)
}
