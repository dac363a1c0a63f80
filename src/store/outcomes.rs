//! What came of attempts, recorded by compare-and-set: whoever is too late changes nothing.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::attempt::{AttemptOutcome, Reach};
use crate::domain::delivery::{DeliveryProblem, DeliveryState, WaitsFor};
use crate::domain::id::{AccountId, AttemptId, DeliveryId, HoldId};

/// How an attempt ends.
#[derive(Debug, Clone, Serialize)]
pub struct Close {
    /// Which attempt.
    pub id: AttemptId,
    /// What it must be until now for the change to count.
    pub from: AttemptOutcome,
    /// What it is from now on.
    pub outcome: AttemptOutcome,
    /// How far the request got.
    pub reach: Option<Reach>,
    /// What was seen.
    pub detail: Option<Value>,
    /// When it left the gate.
    #[serde(serialize_with = "millis")]
    pub sent_ms: Option<Timestamp>,
}

/// How a delivery moves on.
#[derive(Debug, Clone, Serialize)]
pub struct Move {
    /// Which delivery.
    pub id: DeliveryId,
    /// What it must be until now for the change to count.
    pub from: DeliveryState,
    /// What it is from now on.
    pub state: DeliveryState,
    /// The platform's id; never replaces one that is there.
    pub remote_id: Option<String>,
    /// Where a person can see it.
    pub permalink: Option<String>,
    /// When the platform says it was published.
    #[serde(serialize_with = "millis")]
    pub published_ms: Option<Timestamp>,
    /// Why it has not gone out.
    pub problem: Option<DeliveryProblem>,
    /// What it waits for.
    pub waits_for: Option<WaitsFor>,
    /// The hold that catches it; kept while it is held, forgotten when it goes on.
    pub hold_id: Option<HoldId>,
    /// What the platform has already.
    pub progress: Option<Value>,
    /// Added to the attempts that count.
    pub attempts: i64,
    /// Added to the doubts.
    pub doubts: i64,
    /// Added to the definite failures that may pass.
    pub refusals: i64,
}

/// What an account learns.
#[derive(Debug, Clone, Serialize)]
pub struct Learn {
    /// Which account.
    pub id: AccountId,
    /// Its newest known post.
    pub high_water: Option<String>,
    /// The whole account waits until then.
    #[serde(serialize_with = "millis")]
    pub blocked_ms: Option<Timestamp>,
    /// Its status from now on, if it is still connected with the credential that was used.
    pub status: Option<&'static str>,
    /// The version of that credential.
    pub credential_version: i64,
}

/// An attempt in doubt, as far as looking for it needs it.
#[derive(Debug, Clone)]
pub struct Doubtful {
    /// Which attempt.
    pub id: AttemptId,
    /// Its delivery.
    pub delivery_id: DeliveryId,
    /// The newest post of the account that was known before it.
    pub high_water: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was found to be in doubt.
    pub ended_at: Option<Timestamp>,
    /// How it stands.
    pub outcome: AttemptOutcome,
}

#[expect(clippy::ref_option, reason = "the signature that serde wants")]
fn millis<S: serde::Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    at.map(Timestamp::as_millisecond).serialize(to)
}

#[derive(sqlx::FromRow)]
struct DoubtfulRow {
    id: AttemptId,
    delivery_id: DeliveryId,
    high_water: Option<String>,
    started_at: At,
    ended_at: Option<At>,
    outcome: AttemptOutcome,
}

statements! {
    CLOSE =
        "UPDATE attempts SET outcome = v.outcome, reach = COALESCE(v.reach, attempts.reach),
                detail = COALESCE(v.detail, attempts.detail),
                sent_at = COALESCE(v.sent_ms, attempts.sent_at), ended_at = $2
         FROM (SELECT value->>'id' AS id, value->>'from' AS was, value->>'outcome' AS outcome,
                      value->>'reach' AS reach, json_extract(value, '$.detail') AS detail,
                      value->>'sent_ms' AS sent_ms FROM jsonb_each($1)) AS v
         WHERE attempts.id = v.id AND attempts.outcome = v.was
         RETURNING attempts.id"
        |
        "UPDATE attempts SET outcome = v.outcome, reach = COALESCE(v.reach, attempts.reach),
                detail = COALESCE(v.detail, attempts.detail),
                sent_at = COALESCE(TIMESTAMPTZ 'epoch' + v.sent_ms * INTERVAL '1 millisecond',
                                   attempts.sent_at),
                ended_at = $2
         FROM jsonb_to_recordset($1) AS v(id TEXT, \"from\" TEXT, outcome TEXT, reach TEXT,
                                          detail JSONB, sent_ms BIGINT)
         WHERE attempts.id = v.id AND attempts.outcome = v.\"from\"
         RETURNING attempts.id";
    MOVE =
        "UPDATE deliveries SET state = v.state,
                state_since = CASE WHEN v.state = v.was THEN state_since ELSE $2 END,
                remote_id = COALESCE(deliveries.remote_id, v.remote_id),
                permalink = COALESCE(deliveries.permalink, v.permalink),
                published_at = COALESCE(deliveries.published_at, v.published_ms),
                problem = v.problem, waits_for = v.waits_for,
                hold_id = CASE WHEN v.state IN ('held', 'missed')
                               THEN COALESCE(v.hold_id, deliveries.hold_id) END,
                progress = COALESCE(v.progress, deliveries.progress),
                attempts = deliveries.attempts + v.attempts,
                doubts = deliveries.doubts + v.doubts,
                refusals = deliveries.refusals + v.refusals,
                version = version + 1, updated_at = $2
         FROM (SELECT value->>'id' AS id, value->>'from' AS was, value->>'state' AS state,
                      value->>'remote_id' AS remote_id, value->>'permalink' AS permalink,
                      value->>'hold_id' AS hold_id,
                      value->>'published_ms' AS published_ms,
                      json_extract(value, '$.problem') AS problem,
                      json_extract(value, '$.waits_for') AS waits_for,
                      json_extract(value, '$.progress') AS progress,
                      value->>'attempts' AS attempts, value->>'doubts' AS doubts,
                      value->>'refusals' AS refusals FROM jsonb_each($1)) AS v
         WHERE deliveries.id = v.id AND deliveries.state = v.was
         RETURNING deliveries.id"
        |
        "UPDATE deliveries SET state = v.state,
                state_since = CASE WHEN v.state = v.\"from\" THEN state_since ELSE $2 END,
                remote_id = COALESCE(deliveries.remote_id, v.remote_id),
                permalink = COALESCE(deliveries.permalink, v.permalink),
                published_at = COALESCE(deliveries.published_at,
                    TIMESTAMPTZ 'epoch' + v.published_ms * INTERVAL '1 millisecond'),
                problem = v.problem, waits_for = v.waits_for,
                hold_id = CASE WHEN v.state IN ('held', 'missed')
                               THEN COALESCE(v.hold_id, deliveries.hold_id) END,
                progress = COALESCE(v.progress, deliveries.progress),
                attempts = deliveries.attempts + v.attempts,
                doubts = deliveries.doubts + v.doubts,
                refusals = deliveries.refusals + v.refusals,
                version = version + 1, updated_at = $2
         FROM jsonb_to_recordset($1) AS v(id TEXT, \"from\" TEXT, state TEXT, hold_id TEXT,
                  remote_id TEXT, permalink TEXT, published_ms BIGINT, problem JSONB, waits_for JSONB,
                  progress JSONB, attempts BIGINT, doubts BIGINT, refusals BIGINT)
         WHERE deliveries.id = v.id AND deliveries.state = v.\"from\"
         RETURNING deliveries.id";
    /// While a refresh is on its way nothing is learned of the credential: its access token may have died
    /// of it, and the next one is about to be kept.
    LEARN =
        "UPDATE accounts SET high_water = COALESCE(v.high_water, accounts.high_water),
                blocked_until = COALESCE(v.blocked_ms, accounts.blocked_until),
                status = CASE WHEN v.status IS NOT NULL AND accounts.status = 'connected' AND EXISTS (
                              SELECT 1 FROM credentials AS c WHERE c.account_id = accounts.id
                              AND c.version = v.credential_version)
                              AND NOT EXISTS (
                              SELECT 1 FROM refreshes AS r WHERE r.account_id = accounts.id
                              AND r.version = v.credential_version AND r.outcome = 'presenting')
                         THEN v.status ELSE accounts.status END,
                version = version + CASE WHEN v.status IS NULL THEN 0 ELSE 1 END, updated_at = $2
         FROM (SELECT value->>'id' AS id, value->>'high_water' AS high_water,
                      value->>'blocked_ms' AS blocked_ms, value->>'status' AS status,
                      value->>'credential_version' AS credential_version
               FROM jsonb_each($1)) AS v
         WHERE accounts.id = v.id
         RETURNING accounts.id, accounts.status"
        |
        "UPDATE accounts SET high_water = COALESCE(v.high_water, accounts.high_water),
                blocked_until = COALESCE(TIMESTAMPTZ 'epoch' + v.blocked_ms * INTERVAL '1 millisecond',
                                         accounts.blocked_until),
                status = CASE WHEN v.status IS NOT NULL AND accounts.status = 'connected' AND EXISTS (
                              SELECT 1 FROM credentials AS c WHERE c.account_id = accounts.id
                              AND c.version = v.credential_version)
                              AND NOT EXISTS (
                              SELECT 1 FROM refreshes AS r WHERE r.account_id = accounts.id
                              AND r.version = v.credential_version AND r.outcome = 'presenting')
                         THEN v.status ELSE accounts.status END,
                version = version + CASE WHEN v.status IS NULL THEN 0 ELSE 1 END, updated_at = $2
         FROM jsonb_to_recordset($1) AS v(id TEXT, high_water TEXT, blocked_ms BIGINT, status TEXT,
                                          credential_version BIGINT)
         WHERE accounts.id = v.id
         RETURNING accounts.id, accounts.status";
    HIGH_WATERS =
        "SELECT id, high_water FROM accounts
         WHERE high_water IS NOT NULL AND id IN " ids(1);
    /// Both columns of the index of remote ids, or everything published would be walked through.
    TAKEN =
        "SELECT d.account_id, d.remote_id FROM jsonb_each($1) AS v
         CROSS JOIN deliveries AS d
         ON d.account_id = v.value->>0 AND d.remote_id = v.value->>1"
        |
        "SELECT d.account_id, d.remote_id FROM jsonb_array_elements($1) AS v
         JOIN deliveries AS d ON d.account_id = v.value->>0 AND d.remote_id = v.value->>1";
    OPEN_OF =
        "SELECT id, delivery_id, high_water, started_at, ended_at, outcome FROM attempts
         WHERE outcome = 'open' AND delivery_id IN " ids(1);
    DOUBTFUL =
        "SELECT id, delivery_id, high_water, started_at, ended_at, outcome FROM attempts
         WHERE id IN " ids(1);
    /// What was taken for absent may show up later all the same.
    FIRST_DOUBTS =
        "SELECT delivery_id, started_at, high_water FROM attempts
         WHERE outcome IN ('unknown', 'absent') AND delivery_id IN " ids(1) "
         ORDER BY started_at, number";
    KNOWN_REMOTE =
        "SELECT remote_id FROM deliveries
         WHERE account_id = $1 AND id <> $2 AND remote_id IS NOT NULL AND published_at >= $3";
    KEEP_PROGRESS =
        "UPDATE deliveries SET progress = $2 WHERE id = $1 AND state IN ('scheduled', 'held')";
    STATES =
        "SELECT id, state FROM deliveries WHERE id IN " ids(1);
    STANDING_COUNTS =
        "SELECT state, COUNT(*) FROM deliveries
         WHERE state IN ('unknown', 'needs_human', 'held', 'publishing') GROUP BY state";
    /// Without what waits for a reason that is shown, and what stands behind such a delivery on its
    /// account. A reason counts while somebody looks whether it still holds: one that was written
    /// before $2, with a look that was due before it, does not.
    OLDEST_DUE =
        "SELECT MIN(d.due_at) FROM deliveries AS d
         WHERE d.state = 'scheduled' AND d.due_at <= $1
           AND (d.waits_for IS NULL OR d.waits_for->>'code' = 'due' OR (d.updated_at < $2
                AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.unique_key = 'publish:' || d.id
                                AND j.state IN ('queued', 'running') AND j.due_at >= $2)))
           AND d.account_id NOT IN (
               SELECT w.account_id FROM deliveries AS w
               WHERE w.waits_for IS NOT NULL
                 AND w.waits_for->>'code' NOT IN ('due', 'time_zone', 'media_missing', 'same_text_in_doubt', 'earlier_part')
                 AND (w.state = 'scheduled') IS TRUE AND w.due_at <= $1
                 AND (w.updated_at >= $2 OR EXISTS (
                      SELECT 1 FROM jobs AS j WHERE j.unique_key = 'publish:' || w.id
                        AND j.state IN ('queued', 'running') AND j.due_at >= $2)))";
    /// Nobody is about to go on with it, or it has taken longer than anything can.
    STUCK =
        "SELECT d.id, d.state FROM deliveries AS d
         LEFT JOIN jobs AS j ON j.state IN ('queued', 'running')
          AND j.unique_key = (CASE d.state WHEN 'publishing' THEN 'publish:' ELSE 'reconcile:' END)
                             || d.id
         LEFT JOIN nodes AS n ON n.fence = j.fence
         WHERE d.state IN ('publishing', 'unknown') AND d.state_since < $1
           AND (j.id IS NULL OR d.state_since < $2
                OR (CASE j.state WHEN 'running' THEN COALESCE(n.seen_at, j.lease_until)
                                 ELSE j.due_at END) < $1)
         ORDER BY d.state_since, d.id LIMIT 100";
}

/// Closes attempts; gives the ids of those that were still as expected, in no order.
pub async fn close(tx: &mut Tx, closes: &[Close], now: Timestamp) -> Result<Vec<AttemptId>, Error> {
    Ok(on!(tx, CLOSE, |sql, conn| {
        sqlx::query_scalar(sql).bind(Json(closes)).bind(At(now)).fetch_all(conn).await?
    }))
}

/// Moves deliveries on; gives the ids of those that were still as expected, in no order.
pub async fn transition(
    tx: &mut Tx,
    moves: &[Move],
    now: Timestamp,
) -> Result<Vec<DeliveryId>, Error> {
    if moves.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on!(tx, MOVE, |sql, conn| {
        sqlx::query_scalar(sql).bind(Json(moves)).bind(At(now)).fetch_all(conn).await?
    }))
}

/// Lets accounts learn from answers; gives those that now have the status they were to get, in no
/// order.
pub async fn learn(
    tx: &mut Tx,
    learned: &[Learn],
    now: Timestamp,
) -> Result<Vec<(AccountId, &'static str)>, Error> {
    if learned.is_empty() {
        return Ok(Vec::new());
    }
    let stand: Vec<(AccountId, String)> = on!(tx, LEARN, |sql, conn| {
        sqlx::query_as(sql).bind(Json(learned)).bind(At(now)).fetch_all(conn).await?
    });
    let got = |(id, status): (AccountId, String)| {
        let wanted = learned.iter().find(|one| one.id == id)?.status?;
        (wanted == status).then_some((id, wanted))
    };
    Ok(stand.into_iter().filter_map(got).collect())
}

/// The newest known posts of accounts; in no order.
pub async fn high_waters(
    reader: &mut Reader,
    accounts: &[&AccountId],
) -> Result<Vec<(AccountId, String)>, Error> {
    Ok(on!(reader, HIGH_WATERS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(accounts)).fetch_all(conn).await?
    }))
}

/// Which of these remote ids of accounts belong to deliveries already; in no order.
pub async fn taken(
    reader: &mut Reader,
    remote_ids: &[(&AccountId, &str)],
) -> Result<Vec<(AccountId, String)>, Error> {
    if remote_ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on!(reader, TAKEN, |sql, conn| {
        sqlx::query_as(sql).bind(Json(remote_ids)).fetch_all(conn).await?
    }))
}

/// The open attempts of deliveries; in no order.
pub async fn open_of(
    reader: &mut Reader,
    deliveries: &[DeliveryId],
) -> Result<Vec<Doubtful>, Error> {
    let rows: Vec<DoubtfulRow> = on!(reader, OPEN_OF, |sql, conn| {
        sqlx::query_as(sql).bind(Json(deliveries)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Doubtful::from).collect())
}

/// When the first attempt of each delivery began that may have been carried out, although it may have
/// been taken for absent since, and the newest post of the account before it.
pub async fn first_doubts(
    reader: &mut Reader,
    deliveries: &[DeliveryId],
) -> Result<HashMap<DeliveryId, (Timestamp, Option<String>)>, Error> {
    let rows: Vec<(DeliveryId, At, Option<String>)> = on!(reader, FIRST_DOUBTS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(deliveries)).fetch_all(conn).await?
    });
    let mut first = HashMap::new();
    for (delivery, at, mark) in rows {
        first.entry(delivery).or_insert((at.0, mark));
    }
    Ok(first)
}

/// Attempts by id; in no order.
pub async fn doubtful(reader: &mut Reader, attempts: &[AttemptId]) -> Result<Vec<Doubtful>, Error> {
    let rows: Vec<DoubtfulRow> = on!(reader, DOUBTFUL, |sql, conn| {
        sqlx::query_as(sql).bind(Json(attempts)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Doubtful::from).collect())
}

/// Remote ids of an account's other deliveries that were published since an instant.
pub async fn known_remote(
    reader: &mut Reader,
    account: &AccountId,
    except: &DeliveryId,
    since: Timestamp,
) -> Result<Vec<String>, Error> {
    Ok(on!(reader, KNOWN_REMOTE, |sql, conn| {
        sqlx::query_scalar(sql).bind(account).bind(except).bind(At(since)).fetch_all(conn).await?
    }))
}

/// Keeps what the platform has already of a delivery that waits; nothing when it waits no more.
pub async fn keep_progress(tx: &mut Tx, id: &DeliveryId, progress: &Value) -> Result<(), Error> {
    on!(tx, KEEP_PROGRESS, |sql, conn| {
        sqlx::query(sql).bind(id).bind(Json(progress)).execute(conn).await?;
    });
    Ok(())
}

/// The states of deliveries; in no order.
pub async fn states(
    reader: &mut Reader,
    deliveries: &[DeliveryId],
) -> Result<Vec<(DeliveryId, DeliveryState)>, Error> {
    Ok(on!(reader, STATES, |sql, conn| {
        sqlx::query_as(sql).bind(Json(deliveries)).fetch_all(conn).await?
    }))
}

/// How many deliveries are in states that somebody should know of.
pub async fn standing_counts(reader: &mut Reader) -> Result<Vec<(DeliveryState, i64)>, Error> {
    Ok(on!(reader, STANDING_COUNTS, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?))
}

/// Some deliveries that have been on their way or in doubt since before `overdue` although nobody is
/// about to go on with them, or since before `longest`.
pub async fn stuck(
    reader: &mut Reader,
    overdue: Timestamp,
    longest: Timestamp,
) -> Result<Vec<(DeliveryId, DeliveryState)>, Error> {
    Ok(on!(reader, STUCK, |sql, conn| {
        sqlx::query_as(sql).bind(At(overdue)).bind(At(longest)).fetch_all(conn).await?
    }))
}

/// When the oldest delivery was due that is still scheduled and shows no reason, if one is overdue.
/// Reasons count that were looked at since `fresh`.
pub async fn oldest_due(
    reader: &mut Reader,
    now: Timestamp,
    fresh: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let oldest: Option<At> = on!(reader, OLDEST_DUE, |sql, conn| {
        sqlx::query_scalar(sql).bind(At(now)).bind(At(fresh)).fetch_one(conn).await?
    });
    Ok(oldest.map(Timestamp::from))
}

impl From<DoubtfulRow> for Doubtful {
    fn from(row: DoubtfulRow) -> Self {
        Self {
            id: row.id,
            delivery_id: row.delivery_id,
            high_water: row.high_water,
            started_at: row.started_at.0,
            ended_at: row.ended_at.map(Timestamp::from),
            outcome: row.outcome,
        }
    }
}

impl Move {
    /// No change of state, and nothing learnt; for the fields that do change.
    pub fn stay(id: DeliveryId, state: DeliveryState) -> Self {
        Self {
            id,
            from: state,
            state,
            remote_id: None,
            permalink: None,
            published_ms: None,
            problem: None,
            waits_for: None,
            hold_id: None,
            progress: None,
            attempts: 0,
            doubts: 0,
            refusals: 0,
        }
    }
}
