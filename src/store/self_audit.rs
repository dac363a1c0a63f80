//! The invariants that SQL can check on deliveries that have moved lately, and what was found broken.
//!
//! Each check is one statement over a bounded list of deliveries and gives the ids of what breaks it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::delivery::DeliveryState;
use crate::domain::id::DeliveryId;
use crate::domain::invariant::Invariant;

/// How far the audit was verified, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Up to this link.
    pub seq: i64,
    /// Its hash; empty before the first.
    pub hash: String,
    /// When.
    pub at: Option<Timestamp>,
    /// How many deliveries were looked at.
    pub checked: i64,
    /// When a head was signed last.
    pub signed_at: Option<Timestamp>,
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Which.
    pub invariant: Invariant,
    /// By what: an id.
    pub subject: String,
    /// What was seen.
    pub detail: Value,
}

/// A broken invariant as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// By what: an id.
    pub subject: String,
    /// What was seen.
    pub detail: Value,
    /// When it was found first.
    pub found_at: Timestamp,
}

statements! {
    HEAD = "SELECT seq, hash FROM audit_head WHERE id = 1";
    VERIFIED = "SELECT seq, hash, at, checked, signed_at FROM self_audit WHERE id = 1";
    KEEP = "UPDATE self_audit SET seq = $1, hash = $2, at = $3, checked = $4, signed_at = $5 WHERE id = 1";
    /// Whatever the audit says or does not say of them.
    RECENT =
        "SELECT id FROM deliveries WHERE state IN ('publishing', 'published', 'unknown', 'needs_human',
             'failed') AND due_at >= $1 AND due_at <= $2 ORDER BY due_at DESC LIMIT $3";
    ONE_CREATE =
        "SELECT delivery_id FROM attempts WHERE outcome = 'published' AND delivery_id IN " ids(1) "
         GROUP BY delivery_id HAVING COUNT(*) > 1";
    ONE_PUBLISHING =
        "SELECT account_id FROM deliveries WHERE state = 'publishing'
         GROUP BY account_id HAVING COUNT(*) > 1";
    IN_TIME =
        "SELECT d.id FROM deliveries AS d
         JOIN attempts AS t ON t.delivery_id = d.id AND t.outcome = 'published'
         WHERE d.id IN " ids(1) " AND (d.state = 'published') IS TRUE AND t.sent_at IS NOT NULL
           AND (t.sent_at < d.due_at OR t.sent_at >= d.publish_by)";
    FINAL =
        "SELECT DISTINCT ended.subject FROM audit AS ended
         JOIN audit AS later ON later.subject = ended.subject AND later.seq > ended.seq
         WHERE ended.subject IN " ids(1) "
           AND ended.action IN ('delivery.published', 'delivery.adopt', 'delivery.missed',
               'delivery.failed', 'delivery.cancelled', 'delivery.cancel', 'delivery.drop',
               'delivery.vanished', 'delivery.recalled')
           AND later.action IN ('delivery.plan', 'delivery.pending_approval', 'delivery.scheduled',
               'delivery.reschedule', 'delivery.release',
               'delivery.retry', 'delivery.publishing', 'delivery.published', 'delivery.adopt',
               'delivery.unknown', 'delivery.needs_human', 'delivery.held', 'delivery.missed',
               'delivery.failed', 'delivery.cancelled', 'delivery.drop')";
    /// In one statement: the state and what was said of it belong to the same moment.
    LAST_WORDS =
        "SELECT d.id, d.state, (
             SELECT a.action FROM audit AS a WHERE a.subject = d.id AND a.action IN (
                 'delivery.plan', 'delivery.pending_approval', 'delivery.schedule',
                 'delivery.scheduled', 'delivery.reschedule', 'delivery.release',
                 'delivery.retry', 'delivery.publishing', 'delivery.published', 'delivery.adopt',
                 'delivery.unknown', 'delivery.needs_human', 'delivery.held', 'delivery.missed',
                 'delivery.failed', 'delivery.cancelled', 'delivery.cancel', 'delivery.drop',
                 'delivery.vanished', 'delivery.recalled')
             ORDER BY a.seq DESC LIMIT 1)
         FROM deliveries AS d WHERE d.id IN " ids(1);
    ONE_REMOTE =
        "SELECT DISTINCT d.id FROM deliveries AS d
         JOIN deliveries AS twin ON twin.account_id = d.account_id AND twin.remote_id = d.remote_id
          AND twin.remote_id IS NOT NULL AND twin.id <> d.id
         WHERE d.id IN " ids(1) " AND d.remote_id IS NOT NULL";
    FENCES =
        "SELECT DISTINCT t.delivery_id FROM attempts AS t
         WHERE t.delivery_id IN " ids(1) " AND t.fence > 0
           AND (t.fence > (SELECT COALESCE(MAX(n.fence), t.fence) FROM nodes AS n)
                OR EXISTS (SELECT 1 FROM nodes AS n WHERE n.fence = t.fence AND n.id <> t.node))";
    BREAK =
        "INSERT INTO violations (invariant, subject, detail, found_at)
         SELECT value->>'invariant', value->>'subject', json_extract(value, '$.detail'), $2
         FROM jsonb_each($1) WHERE true ON CONFLICT DO NOTHING RETURNING invariant, subject"
        |
        "INSERT INTO violations (invariant, subject, detail, found_at)
         SELECT invariant, subject, detail, $2
         FROM jsonb_to_recordset($1) AS v(invariant TEXT, subject TEXT, detail JSONB)
         ORDER BY invariant, subject ON CONFLICT DO NOTHING RETURNING invariant, subject";
    VIOLATIONS =
        "SELECT invariant, subject, detail, found_at FROM violations
         ORDER BY found_at DESC, invariant, subject LIMIT $1";
    COUNTS =
        "SELECT invariant, COUNT(*) FROM violations WHERE found_at >= $1 GROUP BY invariant";
}

/// The newest link of the audit: its number and hash.
pub async fn head(reader: &mut Reader) -> Result<(i64, String), Error> {
    Ok(on!(reader, HEAD, |sql, conn| sqlx::query_as(sql).fetch_one(conn).await?))
}

/// How far the audit was verified.
pub async fn verified(reader: &mut Reader) -> Result<Verified, Error> {
    let (seq, hash, at, checked, signed_at): (i64, String, Option<At>, i64, Option<At>) =
        on!(reader, VERIFIED, |sql, conn| sqlx::query_as(sql).fetch_one(conn).await?);
    Ok(Verified {
        seq,
        hash,
        at: at.map(Timestamp::from),
        checked,
        signed_at: signed_at.map(Timestamp::from),
    })
}

/// Keeps how far the audit was verified.
pub async fn keep(tx: &mut Tx, verified: &Verified) -> Result<(), Error> {
    on!(tx, KEEP, |sql, conn| {
        sqlx::query(sql)
            .bind(verified.seq)
            .bind(&verified.hash)
            .bind(verified.at.map(At))
            .bind(verified.checked)
            .bind(verified.signed_at.map(At))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The newest deliveries that were due between two instants and may have left.
pub async fn recent(
    reader: &mut Reader,
    from: Timestamp,
    until: Timestamp,
    most: i64,
) -> Result<Vec<DeliveryId>, Error> {
    Ok(on!(reader, RECENT, |sql, conn| {
        sqlx::query_scalar(sql).bind(At(from)).bind(At(until)).bind(most).fetch_all(conn).await?
    }))
}

/// Whatever breaks an invariant among these deliveries, by id; in no order.
pub async fn broken(
    reader: &mut Reader,
    invariant: Invariant,
    among: &[DeliveryId],
) -> Result<Vec<String>, Error> {
    let statement = match invariant {
        Invariant::OneCreate => ONE_CREATE,
        Invariant::InTime => IN_TIME,
        Invariant::FinalStays => FINAL,
        Invariant::OneRemote => ONE_REMOTE,
        Invariant::Fences => FENCES,
        Invariant::OnePublishing => {
            return Ok(on!(reader, ONE_PUBLISHING, |sql, conn| {
                sqlx::query_scalar(sql).fetch_all(conn).await?
            }));
        }
        // Not to be told by one statement: see `last_words` and the chain itself.
        Invariant::Audited | Invariant::Chain => return Ok(Vec::new()),
    };
    Ok(on!(reader, statement, |sql, conn| {
        sqlx::query_scalar(sql).bind(Json(among)).fetch_all(conn).await?
    }))
}

/// Where deliveries stand and the last word of the audit that moved each; in no order.
pub async fn last_words(
    reader: &mut Reader,
    among: &[DeliveryId],
) -> Result<Vec<(DeliveryId, DeliveryState, Option<String>)>, Error> {
    Ok(on!(reader, LAST_WORDS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(among)).fetch_all(conn).await?
    }))
}

/// Writes down what is broken; gives what was not known, in no order.
pub async fn note(
    tx: &mut Tx,
    broken: &[Broken],
    now: Timestamp,
) -> Result<Vec<(Invariant, String)>, Error> {
    if broken.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on!(tx, BREAK, |sql, conn| {
        sqlx::query_as(sql).bind(Json(broken)).bind(At(now)).fetch_all(conn).await?
    }))
}

/// The newest violations.
pub async fn violations(reader: &mut Reader, most: i64) -> Result<Vec<Violation>, Error> {
    let rows: Vec<(Invariant, String, Json<Value>, At)> = on!(reader, VIOLATIONS, |sql, conn| {
        sqlx::query_as(sql).bind(most).fetch_all(conn).await?
    });
    Ok(rows
        .into_iter()
        .map(|(invariant, subject, detail, at)| Violation {
            invariant,
            subject,
            detail: detail.0,
            found_at: at.0,
        })
        .collect())
}

/// How many violations were found since an instant, by invariant.
pub async fn counts(reader: &mut Reader, since: Timestamp) -> Result<Vec<(Invariant, i64)>, Error> {
    Ok(on!(reader, COUNTS, |sql, conn| {
        sqlx::query_as(sql).bind(At(since)).fetch_all(conn).await?
    }))
}
