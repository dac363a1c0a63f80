//! Corrections of texts that are out: who wants which, in what order, and how far each has come. Rows are
//! never deleted, and the text that was published first stays with its delivery.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::jobs::Holder;
use super::sql::{on, statements};
use super::{Error, Reader, Tx, publishing};
use crate::domain::correction::{Correction, CorrectionState};
use crate::domain::delivery::DeliveryProblem;
use crate::domain::id::{AccountId, DeliveryId};
use crate::domain::work;

/// A correction that somebody asks for.
#[derive(Debug, Clone)]
pub struct NewCorrection<'a> {
    /// Of which delivery.
    pub delivery_id: &'a DeliveryId,
    /// Where it is out.
    pub account_id: &'a AccountId,
    /// What it is to say.
    pub text: &'a str,
    /// Names all that it says then.
    pub content_hash: &'a str,
    /// By this the same text is noticed.
    pub text_hash: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Who asks.
    pub asked_by: &'a str,
    /// The hash of a text of somebody else's that it may replace.
    pub overwrite: Option<&'a str>,
    /// Whether it may say what the account has said elsewhere lately.
    pub intended_repeat: bool,
}

/// How a correction stands by now.
#[derive(Debug, Clone, Serialize)]
pub struct Progress<'a> {
    /// Of which delivery.
    pub id: &'a DeliveryId,
    /// Which.
    pub number: i64,
    /// Where it stands.
    pub state: CorrectionState,
    /// How often the platform was asked in vain.
    pub tries: i64,
    /// What stands in the way.
    pub problem: Option<&'a DeliveryProblem>,
    /// When people were told of that, in milliseconds.
    pub told_ms: Option<i64>,
    /// What the post says instead.
    pub shown: Option<&'a str>,
    /// Since when the post may say it, in milliseconds.
    pub begun_ms: Option<i64>,
    /// Since when a request for it may be under way whose end nobody knows, in milliseconds.
    pub open_ms: Option<i64>,
    /// When it came to its end, in milliseconds.
    pub ended_ms: Option<i64>,
}

/// What keeps a delivery from being corrected for the moment.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Hindrance {
    /// Which.
    pub id: DeliveryId,
    /// A hold covers it.
    pub held: bool,
    /// What it says may not be said yet.
    pub embargoed: bool,
    /// The database came back from a backup, or is on another server.
    pub quarantined: bool,
    /// What this process has committed is not in the database any more.
    pub moved: bool,
    /// Its account is not connected, or was removed.
    pub account_unfit: bool,
    /// Its unit is closed, or its post was removed.
    pub withdrawn: bool,
    /// Its post does not say the new text any more, or is not approved any more, where the unit wants that; or
    /// nobody has proofed the text.
    pub unapproved: bool,
    /// The account has said the same elsewhere since it was asked for, and that is not meant.
    pub repeated: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    delivery_id: DeliveryId,
    number: i64,
    state: CorrectionState,
    text: String,
    content_hash: String,
    text_hash: String,
    reason: String,
    asked_by: String,
    asked_at: At,
    overwrite: Option<String>,
    tries: i64,
    problem: Option<Json<DeliveryProblem>>,
    told_at: Option<At>,
    shown: Option<String>,
    begun_at: Option<At>,
    open_since: Option<At>,
    ended_at: Option<At>,
}

impl From<Row> for (DeliveryId, Correction) {
    fn from(row: Row) -> Self {
        let correction = Correction {
            number: row.number,
            state: row.state,
            text: row.text,
            content_hash: row.content_hash,
            text_hash: row.text_hash,
            reason: row.reason,
            asked_by: row.asked_by,
            asked_at: row.asked_at.0,
            overwrite: row.overwrite,
            tries: row.tries,
            problem: row.problem.map(|it| it.0),
            told_at: row.told_at.map(Timestamp::from),
            shown: row.shown,
            begun_at: row.begun_at.map(Timestamp::from),
            open_since: row.open_since.map(Timestamp::from),
            ended_at: row.ended_at.map(Timestamp::from),
        };
        (row.delivery_id, correction)
    }
}

statements! {
    /// Its row is the turn of whoever asks: two who ask at once get two numbers.
    TURN =
        "UPDATE deliveries SET version = version + 1, updated_at = $2
         WHERE id = $1 AND (state = 'published') IS TRUE AND recall IS NULL";
    REPLACE =
        "UPDATE corrections SET state = 'replaced', problem = NULL, ended_at = $2
         WHERE delivery_id = $1 AND state IN ('wanted', 'stuck')";
    ASK =
        "INSERT INTO corrections (delivery_id, number, account_id, state, text, content_hash, text_hash,
                                  reason, asked_by, asked_at, overwrite, intended_repeat, tries)
         VALUES ($1, (SELECT COALESCE(MAX(c.number), 0) + 1 FROM corrections AS c
                      WHERE c.delivery_id = $1),
                 $2, 'wanted', $3, $4, $5, $6, $7, $8, $9, $10, 0)
         RETURNING number";
    OF =
        "SELECT delivery_id, number, state, text, content_hash, text_hash, reason, asked_by, asked_at,
                overwrite, tries, problem, told_at, shown, begun_at, open_since, ended_at
         FROM corrections WHERE delivery_id IN " ids(1) " ORDER BY delivery_id, number";
    /// By any other delivery of the account: what may be there, what was lately, and what is about to be.
    ELSEWHERE =
        "SELECT EXISTS (SELECT 1 FROM deliveries AS o
                        WHERE o.account_id = $1 AND o.text_hash = $2 AND o.id <> $3
                          AND (o.state IN ('publishing', 'unknown', 'needs_human')
                               OR (o.state IN ('published', 'vanished', 'recalled')
                                   AND o.published_at > $4)))
             OR EXISTS (SELECT 1 FROM corrections AS k
                        WHERE k.account_id = $1 AND k.text_hash = $2 AND k.delivery_id <> $3
                          AND (k.state IN ('wanted', 'stuck')
                               OR (k.begun_at IS NOT NULL
                                   AND COALESCE(k.ended_at, k.open_since, k.begun_at) > $4)))";
    /// A hold that has ended covers nothing that is out.
    HINDRANCES =
        "SELECT d.id,
                EXISTS (SELECT 1 FROM hold_covers AS h WHERE h.delivery_id = d.id
                        AND (h.stands_until IS NULL OR h.stands_until > $2)) AS held,
                EXISTS (SELECT 1 FROM post_embargoes AS b
                        WHERE b.post_id = d.post_id AND b.ends_at > $2) AS embargoed,
                (EXISTS (SELECT 1 FROM installation WHERE quarantined_at IS NOT NULL)
                 OR EXISTS (SELECT 1 FROM installation AS own JOIN this_server AS there
                            ON there.word <> own.server)) AS quarantined,
                (CAST($4 AS BIGINT) <> 0 AND NOT EXISTS (
                    SELECT 1 FROM audit WHERE seq = $4 AND hash = $5)) AS moved,
                (a.status <> 'connected' OR a.removed_at IS NOT NULL) AS account_unfit,
                (p.removed_at IS NOT NULL OR COALESCE(u.closed_on <= $3, FALSE)) AS withdrawn,
                (u.approval <> 'none' AND (NOT EXISTS (
                    SELECT 1 FROM variants AS v JOIN corrections AS k
                    ON k.delivery_id = d.id AND k.state IN ('wanted', 'stuck')
                    WHERE v.post_id = d.post_id AND v.language = d.language
                      AND v.content->>'text' = k.text)
                    OR (SELECT COUNT(DISTINCT y.person_id) FROM post_approvals AS y
                        WHERE y.post_id = d.post_id AND (y.until IS NULL OR y.until > $2))
                    < CASE u.approval WHEN 'two' THEN 2 ELSE 1 END))
                OR EXISTS (
                    SELECT 1 FROM corrections AS k JOIN unproofed AS w
                    ON w.post_id = d.post_id AND w.language = d.language AND w.content_hash = k.content_hash
                    WHERE k.delivery_id = d.id AND k.state IN ('wanted', 'stuck'))
                OR EXISTS (
                    SELECT 1 FROM corrections AS k JOIN variants AS v
                    ON v.post_id = d.post_id AND v.language = d.language AND v.content->>'text' = k.text
                    WHERE k.delivery_id = d.id AND k.state IN ('wanted', 'stuck')
                      AND v.status IN ('machine', 'in_translation', 'in_editing')) AS unapproved,
                EXISTS (SELECT 1 FROM corrections AS k
                        WHERE k.delivery_id = d.id AND k.state IN ('wanted', 'stuck')
                          AND NOT k.intended_repeat AND k.begun_at IS NULL
                          AND (EXISTS (SELECT 1 FROM deliveries AS o
                                       WHERE o.account_id = k.account_id AND o.text_hash = k.text_hash
                                         AND o.id <> k.delivery_id
                                         AND (o.state IN ('publishing', 'unknown', 'needs_human')
                                              OR (o.state IN ('published', 'vanished', 'recalled')
                                                  AND o.published_at > $6)))
                               OR EXISTS (SELECT 1 FROM corrections AS e
                                          WHERE e.account_id = k.account_id AND e.text_hash = k.text_hash
                                            AND e.delivery_id <> k.delivery_id AND e.begun_at IS NOT NULL
                                            AND COALESCE(e.ended_at, e.open_since, e.begun_at) > $6))) AS repeated
         FROM deliveries AS d
         JOIN accounts AS a ON a.id = d.account_id
         JOIN posts AS p ON p.id = d.post_id
         JOIN units AS u ON u.id = p.unit_id
         WHERE d.id IN " ids(1);
    /// Every "never" of a correction is a clause here. What is not updated must not be sent: above all no
    /// correction that a later one has replaced, and none by a process that has lost the job. What has begun is
    /// seen by the guard of whatever says the same, which waits for it.
    BEGIN =
        "UPDATE corrections SET begun_at = COALESCE(begun_at, $3), open_since = $3, node = $4, fence = $5
         WHERE delivery_id = $1 AND number = $2 AND state IN ('wanted', 'stuck')
           AND NOT EXISTS (SELECT 1 FROM corrections AS later
                           WHERE later.delivery_id = $1 AND later.number > $2)
           AND EXISTS (SELECT 1 FROM nodes WHERE id = $4 AND fence = $5)
           AND EXISTS (SELECT 1 FROM jobs WHERE state = 'running' AND state IN ('queued', 'running')
                       AND unique_key = $6 AND node = $4 AND fence = $5)
           AND EXISTS (SELECT 1 FROM deliveries AS d
                       JOIN accounts AS a ON a.id = d.account_id
                       JOIN posts AS p ON p.id = d.post_id
                       JOIN units AS u ON u.id = p.unit_id
                       WHERE d.id = $1 AND (d.state = 'published') IS TRUE AND d.recall IS NULL
                         AND a.status = 'connected' AND a.removed_at IS NULL
                         AND p.removed_at IS NULL AND (u.closed_on IS NULL OR u.closed_on > $7)
                         AND NOT EXISTS (SELECT 1 FROM post_embargoes AS e
                                         WHERE e.post_id = d.post_id AND e.ends_at > $3)
                         AND NOT EXISTS (
                             SELECT 1 FROM unproofed AS w WHERE w.post_id = d.post_id
                             AND w.language = d.language AND w.content_hash = corrections.content_hash)
                         AND NOT EXISTS (
                             SELECT 1 FROM variants AS v WHERE v.post_id = d.post_id
                             AND v.language = d.language AND v.content->>'text' = corrections.text
                             AND v.status IN ('machine', 'in_translation', 'in_editing'))
                         AND (u.approval = 'none' OR (EXISTS (
                             SELECT 1 FROM variants AS v WHERE v.post_id = d.post_id
                             AND v.language = d.language AND v.content->>'text' = corrections.text)
                             AND (SELECT COUNT(DISTINCT y.person_id) FROM post_approvals AS y
                                  WHERE y.post_id = d.post_id AND (y.until IS NULL OR y.until > $3))
                             >= CASE u.approval WHEN 'two' THEN 2 ELSE 1 END)))
           AND (intended_repeat OR begun_at IS NOT NULL OR NOT (
               EXISTS (SELECT 1 FROM deliveries AS o
                       WHERE o.account_id = corrections.account_id AND o.text_hash = corrections.text_hash
                         AND o.id <> $1
                         AND (o.state IN ('publishing', 'unknown', 'needs_human')
                              OR (o.state IN ('published', 'vanished', 'recalled')
                                  AND o.published_at > $10)))
               OR EXISTS (SELECT 1 FROM corrections AS e
                          WHERE e.account_id = corrections.account_id AND e.text_hash = corrections.text_hash
                            AND e.delivery_id <> $1 AND e.begun_at IS NOT NULL
                            AND COALESCE(e.ended_at, e.open_since, e.begun_at) > $10)))
           AND (CAST($8 AS BIGINT) = 0 OR EXISTS (
               SELECT 1 FROM audit WHERE seq = $8 AND hash = $9))
           AND NOT EXISTS (SELECT 1 FROM installation WHERE quarantined_at IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM installation AS own JOIN this_server AS there
                           ON there.word <> own.server)
           AND NOT EXISTS (SELECT 1 FROM hold_covers AS h WHERE h.delivery_id = $1
                           AND (h.stands_until IS NULL OR h.stands_until > $3))";
    /// What was replaced meanwhile stays so, unless it was made all the same.
    NOTE =
        "UPDATE corrections
         SET state = CASE WHEN corrections.state IN ('wanted', 'stuck') OR v.state = 'done' THEN v.state
                          ELSE corrections.state END,
             tries = v.tries, problem = v.problem, told_at = v.told_ms, shown = v.shown,
             begun_at = v.begun_ms, open_since = v.open_ms, ended_at = COALESCE(v.ended_ms, corrections.ended_at)
         FROM (SELECT value->>'id' AS id, value->>'number' AS number, value->>'state' AS state,
                      value->>'tries' AS tries,
                      CASE WHEN value->>'problem' IS NOT NULL
                           THEN json_extract(value, '$.problem') END AS problem,
                      value->>'told_ms' AS told_ms, value->>'shown' AS shown,
                      value->>'begun_ms' AS begun_ms, value->>'open_ms' AS open_ms,
                      value->>'ended_ms' AS ended_ms
               FROM jsonb_each($1)) AS v
         WHERE corrections.delivery_id = v.id AND corrections.number = v.number"
        |
        "UPDATE corrections
         SET state = CASE WHEN corrections.state IN ('wanted', 'stuck') OR v.state = 'done' THEN v.state
                          ELSE corrections.state END,
             tries = v.tries, problem = v.problem,
             told_at = TIMESTAMPTZ 'epoch' + v.told_ms * INTERVAL '1 millisecond', shown = v.shown,
             begun_at = TIMESTAMPTZ 'epoch' + v.begun_ms * INTERVAL '1 millisecond',
             open_since = TIMESTAMPTZ 'epoch' + v.open_ms * INTERVAL '1 millisecond',
             ended_at = COALESCE(TIMESTAMPTZ 'epoch' + v.ended_ms * INTERVAL '1 millisecond',
                                 corrections.ended_at)
         FROM jsonb_to_recordset($1) AS v(id TEXT, number BIGINT, state TEXT, tries BIGINT, problem JSONB,
                                          told_ms BIGINT, shown TEXT, begun_ms BIGINT, open_ms BIGINT, ended_ms BIGINT)
         WHERE corrections.delivery_id = v.id AND corrections.number = v.number";
    CHANGED =
        "UPDATE deliveries SET version = version + 1, updated_at = $2
         WHERE (state = 'published') IS TRUE AND id IN " ids(1);
    DROP =
        "UPDATE corrections SET state = 'dropped', problem = NULL, ended_at = $2
         WHERE state IN ('wanted', 'stuck') AND delivery_id IN " ids(1);
}

/// Keeps the wish for another text, in the place of one that was not made yet, and gives its number; nothing
/// when the post is not out, or is to be deleted.
pub async fn ask(
    tx: &mut Tx,
    new: &NewCorrection<'_>,
    now: Timestamp,
) -> Result<Option<i64>, Error> {
    let id = new.delivery_id;
    let out = on!(tx, TURN, |sql, conn| {
        sqlx::query(sql).bind(id).bind(At(now)).execute(conn).await?.rows_affected()
    });
    if out == 0 {
        return Ok(None);
    }
    on!(tx, REPLACE, |sql, conn| {
        sqlx::query(sql).bind(id).bind(At(now)).execute(conn).await?;
    });
    Ok(Some(on!(tx, ASK, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(id)
            .bind(new.account_id)
            .bind(new.text)
            .bind(new.content_hash)
            .bind(new.text_hash)
            .bind(new.reason)
            .bind(new.asked_by)
            .bind(At(now))
            .bind(new.overwrite)
            .bind(new.intended_repeat)
            .fetch_one(conn)
            .await?
    })))
}

/// Whether another delivery of the account has said the same since an instant, or may be about to.
pub async fn is_said_elsewhere(
    reader: &mut Reader,
    new: &NewCorrection<'_>,
    since: Timestamp,
) -> Result<bool, Error> {
    Ok(on!(reader, ELSEWHERE, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(new.account_id)
            .bind(new.text_hash)
            .bind(new.delivery_id)
            .bind(At(since))
            .fetch_one(conn)
            .await?
    }))
}

/// All corrections of these deliveries, each in the order in which they were asked for.
pub async fn of(
    reader: &mut Reader,
    ids: &[DeliveryId],
) -> Result<Vec<(DeliveryId, Correction)>, Error> {
    let rows: Vec<Row> =
        on!(reader, OF, |sql, conn| sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?);
    Ok(rows.into_iter().map(<(DeliveryId, Correction)>::from).collect())
}

/// What keeps these from being corrected for the moment; in no order.
pub async fn hindrances(
    reader: &mut Reader,
    ids: &[DeliveryId],
    now: Timestamp,
    repeat_since: Timestamp,
) -> Result<Vec<Hindrance>, Error> {
    let (seq, hash) = reader.known();
    let today = day(now);
    Ok(on!(reader, HINDRANCES, |sql, conn| {
        sqlx::query_as(sql)
            .bind(Json(ids))
            .bind(At(now))
            .bind(&today)
            .bind(seq)
            .bind(&hash)
            .bind(At(repeat_since))
            .fetch_all(conn)
            .await?
    }))
}

/// Writes down that a request for this correction is about to leave; false when it must not. A hold that is
/// placed meanwhile waits for the end of this transaction.
pub async fn begin(
    tx: &mut Tx,
    (id, number): (&DeliveryId, i64),
    holder: &Holder,
    (now, repeat_since): (Timestamp, Timestamp),
) -> Result<bool, Error> {
    publishing::in_turn(tx, std::slice::from_ref(id)).await?;
    publishing::in_line(tx).await?;
    let (seq, hash) = tx.known();
    let today = day(now);
    Ok(on!(tx, BEGIN, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(number)
            .bind(At(now))
            .bind(&holder.node)
            .bind(holder.fence)
            .bind(work::correct_key(id, number))
            .bind(&today)
            .bind(seq)
            .bind(&hash)
            .bind(At(repeat_since))
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// As `2026-09-02`, as units close.
fn day(now: Timestamp) -> String {
    now.strftime("%Y-%m-%d").to_string()
}

/// Notes how corrections stand, and gives their deliveries a new version.
pub async fn note(tx: &mut Tx, notes: &[Progress<'_>], now: Timestamp) -> Result<(), Error> {
    if notes.is_empty() {
        return Ok(());
    }
    let ids: Vec<&DeliveryId> = notes.iter().map(|note| note.id).collect();
    // The delivery before what belongs to it, as whoever asks.
    on!(tx, CHANGED, |sql, conn| {
        sqlx::query(sql).bind(Json(&ids)).bind(At(now)).execute(conn).await?;
    });
    on!(tx, NOTE, |sql, conn| {
        sqlx::query(sql).bind(Json(notes)).execute(conn).await?;
    });
    Ok(())
}

/// What was to be corrected is not out any more, or is to be deleted.
pub async fn drop_open(tx: &mut Tx, ids: &[DeliveryId], now: Timestamp) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    on!(tx, DROP, |sql, conn| {
        sqlx::query(sql).bind(Json(ids)).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}
