//! What waits for people, and how often they were told of it.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::class::Class;
use crate::domain::id::{AccountId, DeliveryId, HoldId};

/// What stands before the state and the id of a delivery that is one of many questions: nobody was told
/// of it when it began to wait, since all of them are told of together.
pub const MANY: &str = "many:";

/// A delivery that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub id: DeliveryId,
    /// Where it goes.
    pub account_id: AccountId,
    /// What it has in common with others: a kind and an id, such as `hold:hold_…`.
    pub cause: String,
    /// The machine word of what it waits for.
    pub code: String,
    /// Who scheduled it.
    pub author: String,
    /// Whether he may still decide about it.
    pub vouched: bool,
    /// How urgent it is.
    pub class: Class,
    /// Its latest useful time.
    pub publish_by: Timestamp,
    /// Since when it is in its state, or one of many questions.
    pub since: Timestamp,
}

/// How far something was told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Of what.
    pub subject: String,
    /// Since when it waits.
    pub since: Timestamp,
    /// The last step of the ladder.
    pub step: i64,
    /// When that was told.
    pub told_at: Timestamp,
}

/// A step that is to be told of.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Of what.
    pub subject: String,
    /// Since when it waits.
    #[serde(rename = "since_ms", serialize_with = "millis")]
    pub since: Timestamp,
    /// Which step.
    pub step: i64,
    /// Another beginning is another wait, and begins with its own first step.
    pub renews: bool,
}

/// A hold of which somebody may be told something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldNews {
    /// Which.
    pub id: HoldId,
    /// Why it was placed.
    pub reason: String,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub ends_at: Option<Timestamp>,
    /// When people have lifted it.
    pub lifted_at: Option<Timestamp>,
}

/// Whose deliveries a hold concerns: who scheduled them, how many, and how many of these he may still
/// decide about.
pub type Concerned = (String, i64, i64);

#[derive(sqlx::FromRow)]
struct WaitingRow {
    id: DeliveryId,
    account_id: AccountId,
    cause: String,
    code: String,
    author: String,
    vouched: bool,
    class: Class,
    publish_by: At,
    since: At,
}

#[derive(sqlx::FromRow)]
struct HoldRow {
    id: HoldId,
    reason: String,
    created_at: At,
    ends_at: Option<At>,
    lifted_at: Option<At>,
}

fn millis<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(at.as_millisecond())
}

statements! {
    /// On the index of what waits. While a hold stands nothing is to be decided; and what is scheduled
    /// goes on by itself, unless its zone's clocks have changed or its file is gone.
    WAITING =
        "SELECT d.id, d.account_id, d.class, d.publish_by, COALESCE(m.since, d.state_since) AS since,
                substr(d.created_by, 1, 36) AS author,
                (SELECT COUNT(*) FROM vouched AS v
                 WHERE v.person_id = substr(d.created_by, 1, 36) AND v.account_id = d.account_id
                   AND (v.ends_at IS NULL OR v.ends_at > $1)) > 0 AS vouched,
                d.waits_for->>'code' AS code,
                CASE WHEN m.subject IS NOT NULL AND d.state = 'needs_human' THEN 'person:' || d.account_id
                     WHEN m.subject IS NOT NULL THEN 'zones:' || d.account_id
                     WHEN d.state = 'needs_human' THEN 'delivery:' || d.id
                     WHEN d.waits_for->>'code' = 'review' AND d.hold_id IS NOT NULL THEN 'hold:' || d.hold_id
                     WHEN d.waits_for->>'code' = 'incident' THEN 'incident:' || d.platform
                     ELSE (d.waits_for->>'code') || ':' || d.account_id END AS cause
         FROM deliveries AS d
         LEFT JOIN reminders AS m ON m.subject = 'many:' || d.state || ':' || d.id
         WHERE d.waits_for IS NOT NULL
           AND (d.state IN ('needs_human', 'pending_approval', 'held', 'scheduled')) IS TRUE
           AND (d.state <> 'scheduled' OR d.waits_for->>'code' IN ('time_zone', 'media_missing'))
           AND d.waits_for->>'code' IN ('person', 'review', 'account', 'unit', 'approval', 'money',
               'incident', 'time_zone', 'media_missing')
         ORDER BY d.due_at, d.id";
    /// What is being tried at this moment.
    TRIED = "SELECT id, account_id FROM deliveries WHERE state = 'publishing'";
    /// Questions of the same kind at the same account stand beside each other.
    CROWDED =
        "SELECT id, state FROM (
             SELECT d.id, d.state, COUNT(*) OVER (PARTITION BY d.account_id, d.state) AS beside
             FROM deliveries AS d
             WHERE d.waits_for IS NOT NULL AND (d.state IN ('needs_human', 'scheduled')) IS TRUE
               AND (d.state = 'needs_human' OR d.waits_for->>'code' = 'time_zone')) AS q
         WHERE beside > $2 AND id IN " ids(1);
    /// What was due and is not sent because an administrator must look first.
    QUARANTINED =
        "SELECT COUNT(*) FROM deliveries
         WHERE waits_for IS NOT NULL AND (state = 'scheduled') IS TRUE
           AND waits_for->>'code' = 'quarantine'";
    TOLD = "SELECT subject, since, step, told_at FROM reminders";
    /// Gives those that were not told of before, by whichever node. A node that has not seen yet that a
    /// ladder began anew does not go on with the old one.
    TELL =
        "INSERT INTO reminders (subject, since, step, told_at, renews)
         SELECT value->>'subject', value->>'since_ms', value->>'step', $2, value->>'renews'
         FROM jsonb_each($1) WHERE true
         ON CONFLICT (subject) DO UPDATE SET step = excluded.step, told_at = excluded.told_at,
             since = CASE WHEN excluded.renews THEN excluded.since ELSE reminders.since END
         WHERE (reminders.step < excluded.step AND reminders.since <= excluded.since)
            OR (excluded.renews AND reminders.since < excluded.since)
         RETURNING subject"
        |
        "INSERT INTO reminders (subject, since, step, told_at, renews)
         SELECT subject, TIMESTAMPTZ 'epoch' + since_ms * INTERVAL '1 millisecond', step, $2, renews
         FROM jsonb_to_recordset($1) AS v(subject TEXT, since_ms BIGINT, step BIGINT, renews BOOLEAN)
         ORDER BY subject
         ON CONFLICT (subject) DO UPDATE SET step = excluded.step, told_at = excluded.told_at,
             since = CASE WHEN excluded.renews THEN excluded.since ELSE reminders.since END
         WHERE (reminders.step < excluded.step AND reminders.since <= excluded.since)
            OR (excluded.renews AND reminders.since < excluded.since)
         RETURNING subject";
    FORGET = "DELETE FROM reminders WHERE told_at < $2 AND subject IN " ids(1);
    HOLDS =
        "SELECT id, reason, created_at, ends_at, lifted_at FROM holds
         WHERE stands_until IS NULL OR stands_until > $1 ORDER BY seq";
    COVERED =
        "SELECT substr(d.created_by, 1, 36), COUNT(*), COUNT(CASE WHEN (
             SELECT COUNT(*) FROM vouched AS v
             WHERE v.person_id = substr(d.created_by, 1, 36) AND v.account_id = d.account_id
               AND (v.ends_at IS NULL OR v.ends_at > $3)) > 0 THEN 1 END) FROM deliveries AS d
         WHERE d.state IN ('scheduled', 'held') AND d.due_at < $2 AND EXISTS (
             SELECT 1 FROM hold_covers AS c WHERE c.hold_id = $1 AND c.delivery_id = d.id)
         GROUP BY 1 ORDER BY 1";
    CAUGHT =
        "SELECT substr(d.created_by, 1, 36), COUNT(*), COUNT(CASE WHEN (
             SELECT COUNT(*) FROM vouched AS v
             WHERE v.person_id = substr(d.created_by, 1, 36) AND v.account_id = d.account_id
               AND (v.ends_at IS NULL OR v.ends_at > $2)) > 0 THEN 1 END) FROM deliveries AS d
         WHERE d.hold_id = $1 AND (d.state = 'held') IS TRUE GROUP BY 1 ORDER BY 1";
}

/// What waits for people now, by instant.
pub async fn waiting(reader: &mut Reader, now: Timestamp) -> Result<Vec<Waiting>, Error> {
    let rows: Vec<WaitingRow> = on!(reader, WAITING, |sql, conn| {
        sqlx::query_as(sql).bind(At(now)).fetch_all(conn).await?
    });
    Ok(rows
        .into_iter()
        .map(|row| Waiting {
            id: row.id,
            account_id: row.account_id,
            cause: row.cause,
            code: row.code,
            author: row.author,
            vouched: row.vouched,
            class: row.class,
            publish_by: row.publish_by.0,
            since: row.since.0,
        })
        .collect())
}

/// The deliveries that are being tried at this moment, each with its account.
pub async fn tried(reader: &mut Reader) -> Result<Vec<(DeliveryId, AccountId)>, Error> {
    Ok(on!(reader, TRIED, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?))
}

/// Which of these deliveries are questions now that have more than so many beside them, with the
/// subject of the row that makes them one of many; in no order.
pub async fn crowded(
    reader: &mut Reader,
    ids: &[&str],
    most: i64,
) -> Result<Vec<(String, String)>, Error> {
    let rows: Vec<(String, String)> = on!(reader, CROWDED, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).bind(most).fetch_all(conn).await?
    });
    Ok(rows
        .into_iter()
        .map(|(id, state)| {
            let subject = format!("{MANY}{state}:{id}");
            (id, subject)
        })
        .collect())
}

/// How many deliveries are due that a quarantine keeps back.
pub async fn quarantined(reader: &mut Reader) -> Result<i64, Error> {
    Ok(on!(reader, QUARANTINED, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await?))
}

/// How far everything was told of that is remembered; in no order.
pub async fn told(reader: &mut Reader) -> Result<Vec<Told>, Error> {
    let rows: Vec<(String, At, i64, At)> =
        on!(reader, TOLD, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?);
    Ok(rows
        .into_iter()
        .map(|(subject, since, step, told_at)| Told {
            subject,
            since: since.0,
            step,
            told_at: told_at.0,
        })
        .collect())
}

/// Notes steps as told; gives the subjects of those that nobody had told of, in no order.
pub async fn tell(tx: &mut Tx, steps: &[Step], now: Timestamp) -> Result<Vec<String>, Error> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on!(tx, TELL, |sql, conn| {
        sqlx::query_scalar(sql).bind(Json(steps)).bind(At(now)).fetch_all(conn).await?
    }))
}

/// Forgets that these were told of, as far as that was before `before`.
pub async fn forget(tx: &mut Tx, subjects: &[&str], before: Timestamp) -> Result<(), Error> {
    if subjects.is_empty() {
        return Ok(());
    }
    on!(tx, FORGET, |sql, conn| {
        sqlx::query(sql).bind(Json(subjects)).bind(At(before)).execute(conn).await?;
    });
    Ok(())
}

/// Holds that stand or have ended after `since`.
pub async fn holds(reader: &mut Reader, since: Timestamp) -> Result<Vec<HoldNews>, Error> {
    let rows: Vec<HoldRow> =
        on!(reader, HOLDS, |sql, conn| sqlx::query_as(sql).bind(At(since)).fetch_all(conn).await?);
    Ok(rows
        .into_iter()
        .map(|row| HoldNews {
            id: row.id,
            reason: row.reason,
            created_at: row.created_at.0,
            ends_at: row.ends_at.map(Timestamp::from),
            lifted_at: row.lifted_at.map(Timestamp::from),
        })
        .collect())
}

/// Whose deliveries a hold covers that are due before `until`, and how many of each.
pub async fn covered(
    reader: &mut Reader,
    hold: &HoldId,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<Concerned>, Error> {
    let rows = on!(reader, COVERED, |sql, conn| {
        sqlx::query_as(sql).bind(hold).bind(At(until)).bind(At(now)).fetch_all(conn).await?
    });
    Ok(rows)
}

/// Whose deliveries a hold has caught that nobody has reviewed, and how many of each.
pub async fn caught(
    reader: &mut Reader,
    hold: &HoldId,
    now: Timestamp,
) -> Result<Vec<Concerned>, Error> {
    Ok(on!(reader, CAUGHT, |sql, conn| {
        sqlx::query_as(sql).bind(hold).bind(At(now)).fetch_all(conn).await?
    }))
}
