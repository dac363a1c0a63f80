//! The guard: claim, every "never", and the intent, in one transaction that is durable before the
//! first byte of a request leaves.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;

use super::codec::At;
use super::jobs::Holder;
use super::order::Lock;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::class::Class;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{AccountId, AttemptId, DeliveryId, PostId};

/// What the guard compares with.
#[derive(Debug, Clone, Copy)]
pub struct Guard<'a> {
    /// The instant of the guard.
    pub now: Timestamp,
    /// Deliveries due until then may be guarded; their bytes wait for the instant itself.
    pub horizon: Timestamp,
    /// The same text to the same account is refused when it was published after this instant.
    pub repeat_since: Timestamp,
    /// An access token must live until then.
    pub token_until: Timestamp,
    /// Today, as `2026-09-02`: units that closed before it publish nothing.
    pub today: &'a str,
    /// This process.
    pub holder: &'a Holder,
}

/// What is needed to send, or to look for, a delivery.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its post.
    pub post_id: PostId,
    /// Its account.
    pub account_id: AccountId,
    /// The platform's word.
    pub platform: String,
    /// BCP 47 tag.
    pub language: String,
    /// How urgent it is.
    pub class: Class,
    /// Its instant.
    pub due_at: Timestamp,
    /// Its latest useful time.
    pub publish_by: Timestamp,
    /// Attempts that count, this one included.
    pub attempts: i64,
    /// How often its outcome was hidden.
    pub doubts: i64,
    /// How often it was definitely not created and may be tried again.
    pub refusals: i64,
    /// Per-platform settings.
    pub settings: Value,
    /// Which part of the variant it sends, from 1.
    pub part: i64,
    /// How many parts that has.
    pub parts: i64,
    /// The delivery under whose post it goes; nothing for the first part.
    pub before: Option<Before>,
    /// When the first licence of what it carries ends, as far as that is known.
    pub licensed_until: Option<Timestamp>,
    /// The variant as it was scheduled, with all its parts.
    pub content: Value,
    /// The hash of what was scheduled.
    pub content_hash: String,
    /// What the platform has already, such as staged media.
    pub progress: Option<Value>,
    /// The platform's id of the account.
    pub remote_id: String,
    /// The account's handle.
    pub handle: Option<String>,
    /// The newest post of the account that is known.
    pub high_water: Option<String>,
    /// The sealed credential.
    pub credential: SealedCredential,
}

/// The part of a post that comes before another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// How it stands.
    pub state: DeliveryState,
    /// The platform's id of it, once it is out.
    pub remote_id: Option<String>,
}

/// A credential as it is kept.
#[derive(Debug, Clone)]
pub struct SealedCredential {
    /// Which kind.
    pub kind: String,
    /// Its version, part of what it is bound to.
    pub version: i64,
    /// The key it is sealed with.
    pub key_id: String,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

/// An intent: the row that is durable before the first byte leaves.
#[derive(Debug, Clone, Serialize)]
pub struct Intent {
    /// Its id.
    pub id: AttemptId,
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// Which account.
    pub account_id: AccountId,
    /// The how-manyth attempt.
    pub number: i64,
    /// Names what will be sent: account, text, media, settings.
    pub fingerprint: String,
    /// The newest post of the account that is known.
    pub high_water: Option<String>,
    /// What the create is charged, in millionths, where that costs money.
    pub cost: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct PreparedRow {
    delivery_id: DeliveryId,
    post_id: PostId,
    account_id: AccountId,
    platform: String,
    language: String,
    class: Class,
    due_at: At,
    publish_by: At,
    attempts: i64,
    doubts: i64,
    refusals: i64,
    settings: Json<Value>,
    part: i64,
    parts: i64,
    before_state: Option<DeliveryState>,
    before_id: Option<String>,
    licensed_until: Option<At>,
    content: Json<Value>,
    content_hash: String,
    progress: Option<Json<Value>>,
    remote_id: String,
    handle: Option<String>,
    high_water: Option<String>,
    kind: String,
    credential_version: i64,
    key_id: String,
    sealed: Vec<u8>,
}

impl From<PreparedRow> for Prepared {
    fn from(row: PreparedRow) -> Self {
        Self {
            delivery_id: row.delivery_id,
            post_id: row.post_id,
            account_id: row.account_id,
            platform: row.platform,
            language: row.language,
            class: row.class,
            due_at: row.due_at.0,
            publish_by: row.publish_by.0,
            attempts: row.attempts,
            doubts: row.doubts,
            refusals: row.refusals,
            settings: row.settings.0,
            part: row.part,
            parts: row.parts,
            before: row.before_state.map(|state| Before { state, remote_id: row.before_id }),
            licensed_until: row.licensed_until.map(Timestamp::from),
            content: row.content.0,
            content_hash: row.content_hash,
            progress: row.progress.map(|progress| progress.0),
            remote_id: row.remote_id,
            handle: row.handle,
            high_water: row.high_water,
            credential: SealedCredential {
                kind: row.kind,
                version: row.credential_version,
                key_id: row.key_id,
                sealed: row.sealed,
            },
        }
    }
}

statements! {
    /// Every guard takes the same lock shared: whoever has this one knows that no guard is open that
    /// has not seen what was committed before, and that none begins until he has committed. SQLite has
    /// one writer anyway. The schema is part of the name, since several may share one server.
    STAND_STILL =
        "SELECT 1"
        | "SELECT pg_advisory_xact_lock(hashtext('chancery.guard'), hashtext(current_schema()))";
    IN_LINE =
        "SELECT 1"
        | "SELECT pg_advisory_xact_lock_shared(hashtext('chancery.guard'),
                                               hashtext(current_schema()))";
    /// Every "never" is a clause here. What is not updated must not be sent. `IS TRUE` keeps SQLite
    /// from walking through everything that is due instead of the few that are named.
    GUARD =
        "UPDATE deliveries
         SET state = 'publishing', state_since = $2, attempts = attempts + 1, waits_for = NULL,
             problem = NULL, version = version + 1, updated_at = $2
         WHERE (state = 'scheduled') IS TRUE AND id IN " ids(1) " AND zone_change IS NULL
           AND due_at <= $3 AND publish_by > $2
           AND EXISTS (SELECT 1 FROM nodes WHERE id = $4 AND fence = $5)
           AND (follows IS NULL OR EXISTS (
               SELECT 1 FROM deliveries AS f
               WHERE f.id = deliveries.follows AND (f.state = 'published') IS TRUE
                 AND f.remote_id IS NOT NULL AND f.recall IS NULL))
           AND NOT EXISTS (SELECT 1 FROM installation WHERE quarantined_at IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM unproofed_deliveries AS w WHERE w.delivery_id = deliveries.id)
           AND NOT EXISTS (
               SELECT 1 FROM installation AS own JOIN this_server AS there
               ON there.word <> own.server)
           AND (CAST($8 AS BIGINT) = 0 OR EXISTS (
               SELECT 1 FROM audit WHERE seq = $8 AND hash = $9))
           AND NOT EXISTS (SELECT 1 FROM hold_covers AS c WHERE c.delivery_id = deliveries.id)
           AND (SELECT COUNT(*) FROM vouched AS v
                WHERE v.person_id = substr(deliveries.created_by, 1, 36) AND v.account_id = deliveries.account_id
                  AND (v.ends_at IS NULL OR (v.ends_at > $2 AND v.ends_at > deliveries.due_at))) > 0
           AND NOT EXISTS (
               SELECT 1 FROM delivery_files AS c JOIN terms AS t ON t.sha256 = c.sha256
               WHERE c.delivery_id = deliveries.id
                 AND ((t.embargo_until > $2 AND t.embargo_until > deliveries.due_at)
                      OR t.licensed_until <= $2 OR t.licensed_until <= deliveries.due_at))
           AND NOT EXISTS (
               SELECT 1 FROM post_embargoes AS e
               WHERE e.post_id = deliveries.post_id AND e.ends_at > $2 AND e.ends_at > deliveries.due_at)
           AND EXISTS (
               SELECT 1 FROM accounts AS a
               JOIN credentials AS c ON c.account_id = a.id
               JOIN posts AS p ON p.id = deliveries.post_id
               JOIN units AS u ON u.id = p.unit_id
               WHERE a.id = deliveries.account_id
                 AND a.status = 'connected' AND a.removed_at IS NULL
                 AND (a.blocked_until IS NULL OR a.blocked_until <= $2)
                 AND (c.expires_at IS NULL OR c.expires_at > $10)
                 AND p.removed_at IS NULL
                 AND (u.closed_on IS NULL OR u.closed_on > $7)
                 AND (u.approval = 'none' OR (
                     SELECT COUNT(DISTINCT y.person_id) FROM delivery_approvals AS y
                     WHERE y.delivery_id = deliveries.id AND (y.until IS NULL OR y.until > $2))
                     >= CASE u.approval WHEN 'two' THEN 2 ELSE 1 END))
           AND (deliveries.intended_repeat OR NOT EXISTS (
               SELECT 1 FROM corrections AS k
               WHERE k.account_id = deliveries.account_id AND k.text_hash = deliveries.text_hash
                 AND k.begun_at IS NOT NULL AND COALESCE(k.ended_at, k.open_since, k.begun_at) > $6))
           AND NOT EXISTS (
               SELECT 1 FROM deliveries AS o
               WHERE o.account_id = deliveries.account_id AND o.state = 'publishing')
           AND NOT EXISTS (
               SELECT 1 FROM deliveries AS o
               WHERE o.account_id = deliveries.account_id AND o.text_hash = deliveries.text_hash
                 AND o.id <> deliveries.id
                 AND (o.state IN ('unknown', 'needs_human')
                      OR (o.state IN ('published', 'vanished', 'recalled') AND o.published_at > $6
                          AND NOT deliveries.intended_repeat)))
         RETURNING id";
    /// Of two nodes that guard deliveries of one account at once, the second waits for the first and
    /// then sees what it did, instead of losing its whole batch to the unique key. In one order, and
    /// apart from the locks of all other changes, so that nobody can wait in a circle.
    IN_TURN =
        "SELECT '' WHERE $1 IS NULL"
        |
        "SELECT CAST(pg_advisory_xact_lock(turn.account) AS TEXT) FROM (
             SELECT DISTINCT hashtextextended(account_id, 0) AS account FROM deliveries
             WHERE id IN (SELECT jsonb_array_elements_text($1)) ORDER BY 1) AS turn";
    PREPARE =
        "SELECT d.id AS delivery_id, d.post_id, d.account_id, d.platform, d.language, d.class,
                d.due_at, d.publish_by, d.attempts, d.doubts, d.refusals, d.settings, d.content,
                d.content_hash, d.progress, d.part, d.parts, f.state AS before_state,
                f.remote_id AS before_id,
                (SELECT MIN(t.licensed_until) FROM delivery_files AS w
                 JOIN terms AS t ON t.sha256 = w.sha256 WHERE w.delivery_id = d.id)
                    AS licensed_until,
                a.remote_id, a.handle, a.high_water,
                c.kind, c.version AS credential_version, c.key_id, c.sealed
         FROM deliveries AS d
         JOIN accounts AS a ON a.id = d.account_id
         JOIN credentials AS c ON c.account_id = d.account_id
         LEFT JOIN deliveries AS f ON f.id = d.follows
         WHERE d.id IN " ids(1);
    OPEN =
        "INSERT INTO attempts (id, delivery_id, account_id, number, node, fence, fingerprint,
                               high_water, cost, started_at, outcome)
         SELECT value->>'id', value->>'delivery_id', value->>'account_id', value->>'number', $2, $3,
                value->>'fingerprint', value->>'high_water', value->>'cost', $4, 'open'
         FROM jsonb_each($1)"
        |
        "INSERT INTO attempts (id, delivery_id, account_id, number, node, fence, fingerprint,
                               high_water, cost, started_at, outcome)
         SELECT id, delivery_id, account_id, number, $2, $3, fingerprint, high_water, cost, $4, 'open'
         FROM jsonb_to_recordset($1) AS v(id TEXT, delivery_id TEXT, account_id TEXT, number BIGINT,
                                          fingerprint TEXT, high_water TEXT, cost BIGINT)";
    /// Only by whoever has the intent open, under a fence that still counts.
    KEEP =
        "UPDATE deliveries SET progress = $3
         WHERE id = $1 AND state = 'publishing' AND EXISTS (
             SELECT 1 FROM attempts AS a JOIN nodes AS n ON n.id = a.node AND n.fence = a.fence
             WHERE a.id = $2 AND a.delivery_id = deliveries.id AND a.outcome = 'open'
               AND a.node = $4 AND a.fence = $5)
         RETURNING id";
}

/// Guards those of `ids` for which every clause holds; in no order. A hold that is placed meanwhile
/// waits for the end of this transaction, and what it then takes back is what was guarded here.
pub async fn guard(
    tx: &mut Tx,
    ids: &[DeliveryId],
    with: &Guard<'_>,
) -> Result<Vec<DeliveryId>, Error> {
    in_turn(tx, ids).await?;
    in_line(tx).await?;
    let (seq, hash) = tx.known();
    Ok(on!(tx, GUARD, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(Json(ids))
            .bind(At(with.now))
            .bind(At(with.horizon))
            .bind(&with.holder.node)
            .bind(with.holder.fence)
            .bind(At(with.repeat_since))
            .bind(with.today)
            .bind(seq)
            .bind(&hash)
            .bind(At(with.token_until))
            .fetch_all(conn)
            .await?
    }))
}

/// Waits for the turn of the accounts of these deliveries, of two that are about to say something on one.
pub(super) async fn in_turn(tx: &mut Tx, ids: &[DeliveryId]) -> Result<(), Error> {
    on!(tx, IN_TURN, |sql, conn| {
        sqlx::query(sql).bind(Json(ids)).execute(conn).await?;
    });
    Ok(())
}

/// Puts this transaction in line with holds: one that was placed before is seen by what follows, and one that
/// is placed now waits for the end of it.
pub(super) async fn in_line(tx: &mut Tx) -> Result<(), Error> {
    tx.takes(Lock::Guard);
    // A statement of its own: the next one sees everything that was committed before it.
    on!(tx, IN_LINE, |sql, conn| {
        sqlx::query(sql).execute(conn).await?;
    });
    Ok(())
}

/// Waits until no guard is open, and lets none begin before this transaction has ended. Whatever is
/// committed then was seen by every later guard, and every earlier guard can be seen. To be called
/// before anything else is locked, by whoever promises that nothing starts after his answer.
pub async fn stand_still(tx: &mut Tx) -> Result<(), Error> {
    tx.takes(Lock::Guard);
    on!(tx, STAND_STILL, |sql, conn| {
        sqlx::query(sql).execute(conn).await?;
    });
    Ok(())
}

/// What is needed to send or look for deliveries; in no order.
pub async fn prepare(reader: &mut Reader, ids: &[DeliveryId]) -> Result<Vec<Prepared>, Error> {
    let rows: Vec<PreparedRow> = on!(reader, PREPARE, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Prepared::from).collect())
}

/// Opens the intents of guarded deliveries.
pub async fn open(
    tx: &mut Tx,
    intents: &[Intent],
    holder: &Holder,
    now: Timestamp,
) -> Result<(), Error> {
    on!(tx, OPEN, |sql, conn| {
        sqlx::query(sql)
            .bind(Json(intents))
            .bind(&holder.node)
            .bind(holder.fence)
            .bind(At(now))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Writes down what the platform has of a delivery whose intent is open; false when it is not ours any
/// more.
pub async fn keep(
    tx: &mut Tx,
    (delivery, attempt): (&DeliveryId, &AttemptId),
    progress: &Value,
    holder: &Holder,
) -> Result<bool, Error> {
    let kept: Option<DeliveryId> = on!(tx, KEEP, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(delivery)
            .bind(attempt)
            .bind(Json(progress))
            .bind(&holder.node)
            .bind(holder.fence)
            .fetch_optional(conn)
            .await?
    });
    Ok(kept.is_some())
}
