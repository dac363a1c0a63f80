//! What becomes of deliveries after they are out: which are to be looked at again, and which are to be
//! deleted because a person wants it.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::delivery::{DeliveryState, Recall};
use crate::domain::id::{AccountId, DeliveryId};

/// How far a span of looks has come in the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// So long after publishing it looks, in milliseconds.
    pub span_ms: i64,
    /// Everything up to this entry was arranged.
    pub seq: i64,
    /// When a process last said that it is configured for this span.
    pub wanted_at: Option<Timestamp>,
}

/// A delivery that went out, as far as a look at it needs it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct WentOut {
    /// Which.
    pub id: DeliveryId,
    /// Where it went.
    pub account_id: AccountId,
    /// The platform's word.
    pub platform: String,
}

/// A delivery that is out, or was.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Which.
    pub id: DeliveryId,
    /// How it stands.
    pub state: DeliveryState,
    /// The platform's id of it.
    pub remote_id: Option<String>,
    /// Where a person can see it.
    pub permalink: Option<String>,
    /// Who wants it to be deleted.
    pub recall: Option<Recall>,
}

#[derive(sqlx::FromRow)]
struct StandingRow {
    id: DeliveryId,
    state: DeliveryState,
    remote_id: Option<String>,
    permalink: Option<String>,
    recall: Option<Json<Recall>>,
}

/// What is to be noted of a recall.
#[derive(Debug, Clone, Serialize)]
pub struct Note<'a> {
    /// Of which delivery.
    pub id: &'a DeliveryId,
    /// How it stands by now.
    pub recall: &'a Recall,
}

statements! {
    CURSORS = "SELECT span_ms, seq, wanted_at FROM look_cursors ORDER BY span_ms";
    /// In the place of the nearest one of which this process knows nothing: the configuration was changed,
    /// and what that one was still to look for is looked for by this one. What went out before anybody
    /// wanted any is not gone through.
    BEGIN =
        "INSERT INTO look_cursors (span_ms, seq)
         SELECT $1, COALESCE(
             (SELECT c.seq FROM look_cursors AS c
              WHERE c.span_ms NOT IN (SELECT value FROM jsonb_each($2))
              ORDER BY ABS(c.span_ms - $1), c.span_ms LIMIT 1), h.seq)
         FROM audit_head AS h WHERE h.id = 1
         ON CONFLICT DO NOTHING"
        |
        "INSERT INTO look_cursors (span_ms, seq)
         SELECT $1, COALESCE(
             (SELECT c.seq FROM look_cursors AS c
              WHERE c.span_ms NOT IN (SELECT CAST(value AS BIGINT) FROM jsonb_array_elements_text($2))
              ORDER BY ABS(c.span_ms - $1), c.span_ms LIMIT 1), h.seq)
         FROM audit_head AS h WHERE h.id = 1
         ON CONFLICT DO NOTHING";
    WANT =
        "UPDATE look_cursors SET wanted_at = $2
         WHERE span_ms IN (SELECT value FROM jsonb_each($1))"
        | "UPDATE look_cursors SET wanted_at = $2
           WHERE span_ms IN (SELECT CAST(value AS BIGINT) FROM jsonb_array_elements_text($1))";
    MOVE_CURSOR = "UPDATE look_cursors SET seq = $3 WHERE span_ms = $1 AND seq = $2";
    FORGET_CURSORS =
        "DELETE FROM look_cursors
         WHERE (wanted_at IS NULL OR wanted_at < $2)
           AND span_ms NOT IN (SELECT value FROM jsonb_each($1))"
        | "DELETE FROM look_cursors
           WHERE (wanted_at IS NULL OR wanted_at < $2)
             AND span_ms NOT IN (SELECT CAST(value AS BIGINT) FROM jsonb_array_elements_text($1))";
    /// The last entry of a stride that is old enough.
    OLD_ENOUGH =
        "SELECT MAX(seq) FROM audit WHERE seq > $1 AND seq <= $2 AND at <= $3";
    WENT_OUT =
        "SELECT DISTINCT d.id, d.account_id, d.platform FROM audit AS e
         JOIN deliveries AS d ON d.id = e.subject
         WHERE e.seq > $1 AND e.seq <= $2 AND e.action IN ('delivery.published', 'delivery.adopt')
           AND (d.state = 'published') IS TRUE AND d.recall IS NULL";
    /// Locked, so that a wish to recall comes before or after whatever is decided here.
    STANDING =
        "SELECT id, state, remote_id, permalink, recall FROM deliveries
         WHERE id IN (SELECT value FROM jsonb_each($1))"
        |
        "SELECT id, state, remote_id, permalink, recall FROM deliveries
         WHERE id IN (SELECT jsonb_array_elements_text($1)) ORDER BY id FOR UPDATE";
    /// Of each account another post that is out, and has been for long enough to be shown.
    WITNESSES =
        "SELECT d.id, (SELECT w.remote_id FROM deliveries AS w
                       WHERE w.account_id = d.account_id AND (w.state = 'published') IS TRUE
                         AND w.id <> d.id AND w.recall IS NULL AND w.remote_id IS NOT NULL
                         AND w.published_at <= $2
                       ORDER BY w.due_at DESC LIMIT 1)
         FROM deliveries AS d WHERE d.id IN " ids(1);
    /// Posts of a platform that were missed once and are to be looked for again.
    MISSED =
        "SELECT (SELECT COUNT(*) FROM jobs WHERE state = 'queued' AND kind = 'verify'
                     AND unique_key LIKE 'verify:%:again' AND slot LIKE $1 || '/%')
              + (SELECT COUNT(*) FROM jobs WHERE state = 'running' AND kind = 'verify'
                     AND unique_key LIKE 'verify:%:again' AND slot LIKE $1 || '/%')";
    VANISHED =
        "SELECT COUNT(*) FROM deliveries
         WHERE state = 'vanished' AND platform = $1 AND state_since > $2";
    ASK =
        "UPDATE deliveries SET recall = $2, version = version + 1, updated_at = $3
         WHERE id = $1 AND state = 'published' AND recall IS NULL";
    /// `IS TRUE` keeps SQLite from walking through everything that is out.
    NOTE =
        "UPDATE deliveries SET recall = v.recall, version = version + 1, updated_at = $2
         FROM (SELECT value->>'id' AS id, json_extract(value, '$.recall') AS recall
               FROM jsonb_each($1)) AS v
         WHERE deliveries.id = v.id AND (deliveries.state = 'published') IS TRUE"
        |
        "UPDATE deliveries SET recall = v.recall, version = version + 1, updated_at = $2
         FROM jsonb_to_recordset($1) AS v(id TEXT, recall JSONB)
         WHERE deliveries.id = v.id AND (deliveries.state = 'published') IS TRUE";
}

/// How far every span has come.
pub async fn cursors(reader: &mut Reader) -> Result<Vec<Cursor>, Error> {
    let rows: Vec<(i64, i64, Option<At>)> =
        on!(reader, CURSORS, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?);
    let cursor = |(span_ms, seq, at): (_, _, Option<At>)| Cursor {
        span_ms,
        seq,
        wanted_at: at.map(|at| at.0),
    };
    Ok(rows.into_iter().map(cursor).collect())
}

/// From now on these spans are looked after, and wanted; nothing else changes for those that are already.
pub async fn begin(tx: &mut Tx, spans: &[i64], now: Timestamp) -> Result<(), Error> {
    for span_ms in spans {
        on!(tx, BEGIN, |sql, conn| {
            sqlx::query(sql).bind(span_ms).bind(Json(spans)).execute(conn).await?;
        });
    }
    on!(tx, WANT, |sql, conn| {
        sqlx::query(sql).bind(Json(spans)).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// Moves a cursor; false when another process has. Locks it until the commit.
pub async fn move_cursor(tx: &mut Tx, cursor: Cursor, to: i64) -> Result<bool, Error> {
    Ok(on!(tx, MOVE_CURSOR, |sql, conn| {
        sqlx::query(sql)
            .bind(cursor.span_ms)
            .bind(cursor.seq)
            .bind(to)
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// Forgets the cursors of all other spans that nobody has wanted since.
pub async fn forget_cursors(tx: &mut Tx, but: &[i64], since: Timestamp) -> Result<(), Error> {
    on!(tx, FORGET_CURSORS, |sql, conn| {
        sqlx::query(sql).bind(Json(but)).bind(At(since)).execute(conn).await?;
    });
    Ok(())
}

/// The last audit entry after `from` and up to `until` that was written at or before `at`.
pub async fn old_enough(
    reader: &mut Reader,
    from: i64,
    until: i64,
    at: Timestamp,
) -> Result<Option<i64>, Error> {
    Ok(on!(reader, OLD_ENOUGH, |sql, conn| {
        sqlx::query_scalar(sql).bind(from).bind(until).bind(At(at)).fetch_one(conn).await?
    }))
}

/// What went out by these audit entries, is out still, and is not to be deleted; in no order.
pub async fn went_out(reader: &mut Reader, from: i64, until: i64) -> Result<Vec<WentOut>, Error> {
    Ok(on!(reader, WENT_OUT, |sql, conn| {
        sqlx::query_as(sql).bind(from).bind(until).fetch_all(conn).await?
    }))
}

/// How deliveries stand; in no order.
pub async fn standing(tx: &mut Tx, ids: &[DeliveryId]) -> Result<Vec<Standing>, Error> {
    let rows: Vec<StandingRow> = on!(tx, STANDING, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    });
    let standing = |row: StandingRow| Standing {
        id: row.id,
        state: row.state,
        remote_id: row.remote_id,
        permalink: row.permalink,
        recall: row.recall.map(|it| it.0),
    };
    Ok(rows.into_iter().map(standing).collect())
}

/// For each of these deliveries another post of its account that has been out since `before`.
pub async fn witnesses(
    tx: &mut Tx,
    ids: &[DeliveryId],
    before: Timestamp,
) -> Result<Vec<(DeliveryId, Option<String>)>, Error> {
    Ok(on!(tx, WITNESSES, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).bind(At(before)).fetch_all(conn).await?
    }))
}

/// How many posts of a platform were missed once and are looked for again, or were found to be gone
/// since `since`. What moves from the one to the other is counted at least once.
pub async fn suspected(tx: &mut Tx, platform: &str, since: Timestamp) -> Result<i64, Error> {
    let missed: i64 = on!(tx, MISSED, |sql, conn| {
        sqlx::query_scalar(sql).bind(platform).fetch_one(conn).await?
    });
    let gone: i64 = on!(tx, VANISHED, |sql, conn| {
        sqlx::query_scalar(sql).bind(platform).bind(At(since)).fetch_one(conn).await?
    });
    Ok(missed + gone)
}

/// Keeps the wish that a delivery be deleted; false when it is not out, or somebody was faster.
pub async fn ask(
    tx: &mut Tx,
    id: &DeliveryId,
    recall: &Recall,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(on!(tx, ASK, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(Json(recall))
            .bind(At(now))
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// Notes how recalls stand of deliveries that are still out.
pub async fn note(tx: &mut Tx, notes: &[Note<'_>], now: Timestamp) -> Result<(), Error> {
    if notes.is_empty() {
        return Ok(());
    }
    on!(tx, NOTE, |sql, conn| {
        sqlx::query(sql).bind(Json(notes)).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}
