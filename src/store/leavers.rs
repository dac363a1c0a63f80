//! What is still to go out although whoever scheduled it may not schedule there any more.

use jiff::Timestamp;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::id::{AccountId, DeliveryId, PersonId};

statements! {
    /// Changes whenever somebody may be entitled to more or less: a change of a person or a unit counts its
    /// version up, and a role that ends is one less.
    RIGHTS =
        "SELECT (SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM people),
                (SELECT COUNT(*) FROM people WHERE disabled_at IS NULL),
                (SELECT COUNT(*) FROM roles WHERE ends_at IS NULL OR ends_at > $1),
                (SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM units)";
    /// Jumps in the index from one scheduler and account to the next, however much each has scheduled there.
    /// Beside a plain column SQLite would jump to the scheduler alone.
    UNVOUCHED =
        "WITH RECURSIVE scheduled (created_by, account_id) AS (
             SELECT (SELECT d.created_by FROM deliveries AS d WHERE (d.state = 'scheduled') IS TRUE
                     ORDER BY d.created_by, d.account_id LIMIT 1),
                    (SELECT d.account_id FROM deliveries AS d WHERE (d.state = 'scheduled') IS TRUE
                     ORDER BY d.created_by, d.account_id LIMIT 1)
             UNION ALL
             SELECT (SELECT d.created_by FROM deliveries AS d WHERE (d.state = 'scheduled') IS TRUE
                       AND (d.created_by, d.account_id) > (w.created_by, w.account_id || '')
                     ORDER BY d.created_by, d.account_id LIMIT 1),
                    (SELECT d.account_id FROM deliveries AS d WHERE (d.state = 'scheduled') IS TRUE
                       AND (d.created_by, d.account_id) > (w.created_by, w.account_id || '')
                     ORDER BY d.created_by, d.account_id LIMIT 1)
             FROM scheduled AS w WHERE w.created_by IS NOT NULL)
         SELECT w.created_by, w.account_id FROM scheduled AS w
         WHERE w.created_by IS NOT NULL AND (
             SELECT COUNT(*) FROM vouched AS v
             WHERE v.person_id = substr(w.created_by, 1, 36) AND v.account_id = w.account_id
               AND (v.ends_at IS NULL OR v.ends_at > $1)) = 0";
    /// What somebody else is changing at this moment is left to him, and to the next look. Whoever may again by now
    /// loses no more.
    OF =
        "SELECT id FROM deliveries
         WHERE (state = 'scheduled') IS TRUE AND created_by = $1 AND account_id = $2
           AND (SELECT COUNT(*) FROM vouched AS v
                WHERE v.person_id = substr($1, 1, 36) AND v.account_id = $2
                  AND (v.ends_at IS NULL OR v.ends_at > $4)) = 0
         LIMIT $3"
        |
        "SELECT id FROM deliveries
         WHERE (state = 'scheduled') IS TRUE AND created_by = $1 AND account_id = $2
           AND (SELECT COUNT(*) FROM vouched AS v
                WHERE v.person_id = substr($1, 1, 36) AND v.account_id = $2
                  AND (v.ends_at IS NULL OR v.ends_at > $4)) = 0
         LIMIT $3 FOR UPDATE SKIP LOCKED";
    GUARDED =
        "SELECT d.id, d.account_id, d.state_since FROM deliveries AS d
         WHERE d.state = 'publishing' AND substr(d.created_by, 1, 36) = $1
           AND (SELECT COUNT(*) FROM vouched AS v
                WHERE v.person_id = $1 AND v.account_id = d.account_id
                  AND (v.ends_at IS NULL OR (v.ends_at > $2 AND v.ends_at > d.due_at))) = 0
         ORDER BY d.id";
}

/// By what it is known that rights may have changed.
pub type Rights = (i64, i64, i64, i64);

/// Somebody who has scheduled something, as deliveries name him, and to which account.
pub type Scheduler = (String, AccountId);

/// How rights stand.
pub async fn rights(reader: &mut Reader, now: Timestamp) -> Result<Rights, Error> {
    Ok(on!(reader, RIGHTS, |sql, conn| {
        sqlx::query_as(sql).bind(At(now)).fetch_one(conn).await?
    }))
}

/// Who has something scheduled to accounts to which he may not schedule.
pub async fn unvouched(reader: &mut Reader, now: Timestamp) -> Result<Vec<Scheduler>, Error> {
    Ok(on!(reader, UNVOUCHED, |sql, conn| {
        sqlx::query_as(sql).bind(At(now)).fetch_all(conn).await?
    }))
}

/// Some of what somebody has scheduled to an account to which he may not schedule; nobody else changes it until the transaction ends.
pub async fn scheduled_by(
    tx: &mut Tx,
    (label, account): &Scheduler,
    (limit, now): (i64, Timestamp),
) -> Result<Vec<DeliveryId>, Error> {
    Ok(on!(tx, OF, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(label)
            .bind(account)
            .bind(limit)
            .bind(At(now))
            .fetch_all(conn)
            .await?
    }))
}

/// What somebody has scheduled that is guarded, and may be on its way, although he may not schedule there;
/// with its account, and since when.
pub async fn guarded(
    reader: &mut Reader,
    person: &PersonId,
    now: Timestamp,
) -> Result<Vec<(DeliveryId, AccountId, Timestamp)>, Error> {
    let rows: Vec<(DeliveryId, AccountId, At)> = on!(reader, GUARDED, |sql, conn| {
        sqlx::query_as(sql).bind(person).bind(At(now)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(id, account, since)| (id, account, since.0)).collect())
}
