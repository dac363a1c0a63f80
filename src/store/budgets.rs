//! What was created in a window, counted for all nodes, and what platforms said about theirs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::types::Json;

use super::codec::At;
use super::order::Lock;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::budget::{Counted, Said, money_scope, month_of};
use crate::domain::id::{AccountId, AttemptId, DeliveryId};

statements! {
    /// SQLite has one writer. On PostgreSQL whoever counts must see what the one before has taken.
    LOCK =
        "SELECT CAST($1 AS TEXT)"
        | "SELECT CAST(pg_advisory_xact_lock(hashtextextended(current_schema() || '/budget/' || $1, 0)) AS TEXT)";
    CROWDED =
        "SELECT account_id, COUNT(*), MIN(started_at) FROM attempts
         WHERE started_at > $2 AND outcome <> 'withdrawn' AND account_id IN " ids(1) "
         GROUP BY account_id HAVING COUNT(*) >= $3";
    LAST_SENT =
        "SELECT account_id, MAX(started_at) FROM attempts
         WHERE started_at > $2 AND outcome NOT IN ('withdrawn', 'deferred', 'refused', 'absent')
           AND account_id IN " ids(1) " GROUP BY account_id";
    SPENT =
        "SELECT CAST(COALESCE(SUM(creates), 0) AS BIGINT), MIN(slice) FROM spending
         WHERE scope = $1 AND slice > $2";
    SPEND =
        "INSERT INTO spending (scope, slice, creates, cost) VALUES ($1, $2, $3, $4)
         ON CONFLICT (scope, slice) DO UPDATE SET creates = spending.creates + excluded.creates,
             cost = spending.cost + excluded.cost
         RETURNING cost";
    CHARGED =
        "SELECT d.platform, a.started_at, a.cost FROM attempts AS a
         JOIN deliveries AS d ON d.id = a.delivery_id
         WHERE a.cost IS NOT NULL AND a.id IN " ids(1);
    LOOKED =
        "SELECT scope, CAST(SUM(creates) AS BIGINT), MIN(slice) FROM spending
         WHERE slice > $2 AND scope IN " ids(1) " GROUP BY scope";
    COST = "SELECT cost FROM spending WHERE scope = $1 AND slice = $2";
    DUES = "SELECT id, due_at FROM deliveries WHERE id IN " ids(1);
    CONTENTS = "SELECT id, content, part FROM deliveries WHERE id IN " ids(1);
    /// Answers come in any order: within one window the lowest count is the truth.
    SAY =
        "INSERT INTO budgets (scope, name, span_ms, most, remaining, counted, resets_at, seen_at)
         VALUES ($1, $2, 0, $3, $4, $5, $6, $7)
         ON CONFLICT (scope, name) DO UPDATE SET
             remaining = CASE WHEN budgets.counted IS TRUE
                                   AND budgets.resets_at = excluded.resets_at
                                   AND budgets.remaining < excluded.remaining
                              THEN budgets.remaining ELSE excluded.remaining END,
             most = excluded.most, counted = excluded.counted,
             resets_at = excluded.resets_at, seen_at = excluded.seen_at";
    SAID =
        "SELECT scope, name, most, remaining, counted, resets_at FROM budgets
         WHERE resets_at > $2 AND scope IN " ids(1);
    USE_UP =
        "UPDATE budgets SET remaining = remaining - $2
         WHERE counted IS TRUE AND resets_at > $3 AND scope IN " ids(1);
    /// Whoever changes several takes them in the order in which [`say`] does.
    LINE_UP =
        "SELECT '' WHERE $1 IS NULL"
        |
        "SELECT scope FROM budgets WHERE scope IN (SELECT jsonb_array_elements_text($1))
         ORDER BY scope, name FOR UPDATE";
    FORGET_SAID = "DELETE FROM budgets WHERE resets_at < $1";
    /// What a month has cost is kept.
    FORGET = "DELETE FROM spending WHERE slice < $1 AND cost = 0";
    PLANNED =
        "SELECT account_id, due_at FROM deliveries
         WHERE (state IN ('scheduled', 'held', 'publishing')) IS TRUE AND due_at > $2 AND due_at < $3
           AND account_id IN " ids(1);
}

/// Waits for whoever is counting the same scope, until the end of the transaction.
pub async fn lock(tx: &mut Tx, scope: &str) -> Result<(), Error> {
    tx.takes(Lock::Counting);
    on!(tx, LOCK, |sql, conn| {
        sqlx::query(sql).bind(scope).execute(conn).await?;
    });
    Ok(())
}

/// Accounts with at least so many attempts since an instant, with how many and the first; in no
/// order. What was taken back before it left does not count.
pub async fn crowded(
    reader: &mut Reader,
    accounts: &[&str],
    since: Timestamp,
    least: i64,
) -> Result<Vec<(AccountId, i64, Timestamp)>, Error> {
    let rows: Vec<(AccountId, i64, At)> = on!(reader, CROWDED, |sql, conn| {
        sqlx::query_as(sql).bind(Json(accounts)).bind(At(since)).bind(least).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(account, count, first)| (account, count, first.0)).collect())
}

/// When something was last guarded for accounts since an instant that may be out; in no order.
pub async fn last_sent(
    reader: &mut Reader,
    accounts: &[&str],
    since: Timestamp,
) -> Result<Vec<(AccountId, Timestamp)>, Error> {
    let rows: Vec<(AccountId, At)> = on!(reader, LAST_SENT, |sql, conn| {
        sqlx::query_as(sql).bind(Json(accounts)).bind(At(since)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(account, at)| (account, at.0)).collect())
}

/// How many creates of a scope were guarded since an instant, and in which slice the first was.
pub async fn spent(
    reader: &mut Reader,
    scope: &str,
    since: Timestamp,
) -> Result<(i64, Option<Timestamp>), Error> {
    let (count, first): (i64, Option<At>) = on!(reader, SPENT, |sql, conn| {
        sqlx::query_as(sql).bind(scope).bind(At(since)).fetch_one(conn).await?
    });
    Ok((count, first.map(Timestamp::from)))
}

/// Counts creates of a scope in a slice and what they cost; gives what the slice has cost by now.
pub async fn spend(
    tx: &mut Tx,
    scope: &str,
    slice: Timestamp,
    creates: i64,
    cost: i64,
) -> Result<i64, Error> {
    tx.takes(match Counted::of(scope) {
        Counted::Money => Lock::Money,
        Counted::Looks => Lock::Looks,
        Counted::Creates => Lock::Windows,
    });
    Ok(on!(tx, SPEND, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(scope)
            .bind(At(slice))
            .bind(creates)
            .bind(cost)
            .fetch_one(conn)
            .await?
    }))
}

/// Gives back what these attempts were charged, whose creates were not made. Only whoever has ended an
/// attempt in the same transaction may do so, and after everything else but the audit: the row that is
/// changed here is everybody's.
pub async fn give_back(tx: &mut Tx, attempts: &[&AttemptId]) -> Result<(), Error> {
    if attempts.is_empty() {
        return Ok(());
    }
    let charged: Vec<(String, At, i64)> = on!(tx, CHARGED, |sql, conn| {
        sqlx::query_as(sql).bind(Json(attempts)).fetch_all(conn).await?
    });
    let mut sums: BTreeMap<(String, Timestamp), (i64, i64)> = BTreeMap::new();
    for (platform, started_at, cost) in charged {
        let key = (money_scope(&platform), month_of(started_at.0));
        let (creates, sum) = sums.entry(key).or_default();
        *creates += 1;
        *sum = sum.saturating_add(cost);
    }
    for ((scope, month), (creates, cost)) in sums {
        spend(tx, &scope, month, -creates, -cost).await?;
    }
    Ok(())
}

/// How often scopes were looked through since an instant, and in which slice first; in no order.
pub async fn looked(
    reader: &mut Reader,
    scopes: &[&str],
    since: Timestamp,
) -> Result<Vec<(String, i64, Timestamp)>, Error> {
    let rows: Vec<(String, i64, At)> = on!(reader, LOOKED, |sql, conn| {
        sqlx::query_as(sql).bind(Json(scopes)).bind(At(since)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(scope, count, first)| (scope, count, first.0)).collect())
}

/// What a slice of a scope has cost, in millionths.
pub async fn cost(reader: &mut Reader, scope: &str, slice: Timestamp) -> Result<i64, Error> {
    let cost: Option<i64> = on!(reader, COST, |sql, conn| {
        sqlx::query_scalar(sql).bind(scope).bind(At(slice)).fetch_optional(conn).await?
    });
    Ok(cost.unwrap_or(0))
}

/// When deliveries were to go out, whatever their jobs wait for by now; in no order.
pub async fn dues(
    reader: &mut Reader,
    ids: &[&DeliveryId],
) -> Result<Vec<(DeliveryId, Timestamp)>, Error> {
    let rows: Vec<(DeliveryId, At)> = on!(reader, DUES, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(id, due_at)| (id, due_at.0)).collect())
}

/// What deliveries say, as it is kept; in no order.
pub async fn contents(
    reader: &mut Reader,
    ids: &[&DeliveryId],
) -> Result<Vec<(DeliveryId, Value, i64)>, Error> {
    let rows: Vec<(DeliveryId, Json<Value>, i64)> = on!(reader, CONTENTS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(id, content, part)| (id, content.0, part)).collect())
}

/// Keeps what a platform says about a window.
pub async fn say(tx: &mut Tx, said: &Said, now: Timestamp) -> Result<(), Error> {
    tx.takes(Lock::Windows);
    on!(tx, SAY, |sql, conn| {
        sqlx::query(sql)
            .bind(&said.scope)
            .bind(&said.name)
            .bind(said.most)
            .bind(said.left)
            .bind(said.counted)
            .bind(At(said.until))
            .bind(At(now))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// What platforms said about the windows of scopes that have not ended; in no order.
pub async fn said(
    reader: &mut Reader,
    scopes: &[&str],
    now: Timestamp,
) -> Result<Vec<Said>, Error> {
    let rows: Vec<(String, String, i64, i64, bool, At)> = on!(reader, SAID, |sql, conn| {
        sqlx::query_as(sql).bind(Json(scopes)).bind(At(now)).fetch_all(conn).await?
    });
    Ok(rows
        .into_iter()
        .map(|(scope, name, most, left, counted, until)| Said {
            scope,
            name,
            most,
            left,
            counted,
            until: until.0,
        })
        .collect())
}

/// Waits for whoever is changing what platforms said about the windows of these scopes.
pub async fn line_up(tx: &mut Tx, scopes: &[&str]) -> Result<(), Error> {
    tx.takes(Lock::Windows);
    on!(tx, LINE_UP, |sql, conn| {
        sqlx::query(sql).bind(Json(scopes)).execute(conn).await?;
    });
    Ok(())
}

/// Takes creates from what is left of the windows of scopes, where creates are counted.
pub async fn use_up(
    tx: &mut Tx,
    scopes: &[&str],
    creates: i64,
    now: Timestamp,
) -> Result<(), Error> {
    tx.takes(Lock::Windows);
    on!(tx, USE_UP, |sql, conn| {
        sqlx::query(sql).bind(Json(scopes)).bind(creates).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// Forgets what was counted before an instant; says how much.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    let mut forgotten = 0;
    for statement in [FORGET, FORGET_SAID] {
        forgotten += on!(tx, statement, |sql, conn| {
            sqlx::query(sql).bind(At(before)).execute(conn).await?.rows_affected()
        });
    }
    Ok(forgotten)
}

/// When deliveries of accounts are due between two instants that have not gone out; in no order.
pub async fn planned(
    reader: &mut Reader,
    accounts: &[AccountId],
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(AccountId, Timestamp)>, Error> {
    let rows: Vec<(AccountId, At)> = on!(reader, PLANNED, |sql, conn| {
        sqlx::query_as(sql).bind(Json(accounts)).bind(At(from)).bind(At(to)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(account, due_at)| (account, due_at.0)).collect())
}
