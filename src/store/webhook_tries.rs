//! What came of each try to tell a webhook, for people who look why another program heard nothing.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::id::{MessageId, WebhookId, WebhookTryId};
use crate::domain::outbox::Occasion;

/// A try.
#[derive(Debug, Clone, Serialize)]
pub struct Try {
    /// Its id.
    pub id: WebhookTryId,
    /// Which webhook.
    pub webhook_id: WebhookId,
    /// Of what it was told.
    pub message_id: MessageId,
    /// What that tells of.
    pub event: Occasion,
    /// The how-manyth.
    pub number: i64,
    /// `delivered`, or how it failed.
    pub outcome: &'static str,
    /// The status, when an answer came.
    pub status: Option<i64>,
    /// For people.
    pub detail: String,
    /// How long it took.
    pub took_ms: i64,
    /// When it is tried again; never when it is not.
    #[serde(rename = "next_ms", serialize_with = "millis")]
    pub next_at: Option<Timestamp>,
}

/// A try as it was kept.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Its id.
    pub id: WebhookTryId,
    /// Of what the webhook was told.
    pub message_id: MessageId,
    /// What that tells of.
    pub event: Occasion,
    /// The how-manyth.
    pub number: i64,
    /// `delivered`, or how it failed.
    pub outcome: String,
    /// The status, when an answer came.
    pub status: Option<i64>,
    /// For people.
    pub detail: String,
    /// How long it took.
    pub took_ms: i64,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
}

#[expect(clippy::ref_option, reason = "the signature that serde wants")]
fn millis<S: serde::Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    at.map(Timestamp::as_millisecond).serialize(to)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: WebhookTryId,
    message_id: MessageId,
    event: Occasion,
    number: i64,
    outcome: String,
    status: Option<i64>,
    detail: String,
    took_ms: i64,
    next_at: Option<At>,
    created_at: At,
}

statements! {
    /// A webhook that was removed while it was told has no log any more.
    INSERT =
        "INSERT INTO webhook_tries (id, webhook_id, message_id, event, number, outcome, status, detail,
                                    took_ms, next_at, created_at)
         SELECT value->>'id', value->>'webhook_id', value->>'message_id', value->>'event',
                value->>'number', value->>'outcome', value->>'status', value->>'detail',
                value->>'took_ms', value->>'next_ms', $2
         FROM jsonb_each($1)
         WHERE value->>'webhook_id' IN (SELECT id FROM webhooks)"
        |
        "INSERT INTO webhook_tries (id, webhook_id, message_id, event, number, outcome, status, detail,
                                    took_ms, next_at, created_at)
         SELECT v.id, v.webhook_id, v.message_id, v.event, v.number, v.outcome, v.status, v.detail,
                v.took_ms, TIMESTAMPTZ 'epoch' + v.next_ms * INTERVAL '1 millisecond', $2
         FROM jsonb_to_recordset($1) AS v(id TEXT, webhook_id TEXT, message_id TEXT, event TEXT,
                  number BIGINT, outcome TEXT, status BIGINT, detail TEXT, took_ms BIGINT,
                  next_ms BIGINT)
         WHERE v.webhook_id IN (SELECT id FROM webhooks FOR KEY SHARE)";
    /// Newest first.
    LIST =
        "SELECT id, message_id, event, number, outcome, status, detail, took_ms, next_at, created_at
         FROM webhook_tries WHERE webhook_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    REMOVE = "DELETE FROM webhook_tries WHERE webhook_id = $1";
    FORGET =
        "DELETE FROM webhook_tries WHERE id IN (
             SELECT id FROM webhook_tries WHERE created_at < $1 ORDER BY created_at LIMIT 2000)";
}

/// Writes down tries.
pub async fn insert(tx: &mut Tx, tries: &[Try], now: Timestamp) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql).bind(Json(tries)).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// The tries of a webhook before one of them, newest first.
pub async fn list(
    reader: &mut Reader,
    webhook: &WebhookId,
    before: Option<&WebhookTryId>,
    limit: u32,
) -> Result<Vec<Tried>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql)
            .bind(webhook)
            // Later than every id.
            .bind(before.map_or("x", WebhookTryId::as_str))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
    });
    Ok(rows
        .into_iter()
        .map(|row| Tried {
            id: row.id,
            message_id: row.message_id,
            event: row.event,
            number: row.number,
            outcome: row.outcome,
            status: row.status,
            detail: row.detail,
            took_ms: row.took_ms,
            next_at: row.next_at.map(Timestamp::from),
            at: row.created_at.0,
        })
        .collect())
}

/// Forgets all tries of a webhook.
pub async fn remove(tx: &mut Tx, webhook: &WebhookId) -> Result<(), Error> {
    on!(tx, REMOVE, |sql, conn| {
        sqlx::query(sql).bind(webhook).execute(conn).await?;
    });
    Ok(())
}

/// Forgets some that were made before `before`; says how many.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    Ok(on!(tx, FORGET, |sql, conn| {
        sqlx::query(sql).bind(At(before)).execute(conn).await?.rows_affected()
    }))
}
