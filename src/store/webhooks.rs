//! Webhooks: addresses of other programs that are told what happens, with their sealed secrets.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::id::WebhookId;
use crate::domain::outbox::Occasion;

/// A webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where it is told.
    pub url: String,
    /// What its owner calls it.
    pub description: String,
    /// What it wants to hear of.
    pub events: Vec<Occasion>,
    /// What requests are signed with.
    pub secret: SealedSecret,
    /// What requests are signed with besides, until an instant.
    pub previous: Option<(SealedSecret, Timestamp)>,
    /// Since when it has not been told anything successfully although it was tried.
    pub failing_since: Option<Timestamp>,
    /// When it was last told successfully.
    pub succeeded_at: Option<Timestamp>,
    /// Since when it is not told anything, and why.
    pub disabled: Option<(Timestamp, String)>,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// Who entered it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A sealed secret; what it is bound to counts its replacements.
#[derive(Clone)]
pub struct SealedSecret {
    /// How often the secret was replaced.
    pub version: i64,
    /// Which key sealed it.
    pub key_id: String,
    /// The sealed secret.
    pub sealed: Vec<u8>,
}

impl std::fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedSecret(version {})", self.version)
    }
}

/// How telling a webhook went, for its standing.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// Which webhook.
    pub id: WebhookId,
    /// Whether it was told successfully.
    pub well: bool,
    /// Why it is not to be told anything any more, if so.
    pub disable: Option<&'static str>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: WebhookId,
    url: String,
    description: String,
    events: Json<Vec<Occasion>>,
    secret_version: i64,
    key_id: String,
    sealed: Vec<u8>,
    previous_key_id: Option<String>,
    previous_sealed: Option<Vec<u8>>,
    previous_until: Option<At>,
    failing_since: Option<At>,
    succeeded_at: Option<At>,
    disabled_at: Option<At>,
    disabled_because: Option<String>,
    version: i64,
    created_by: String,
    created_at: At,
    updated_at: At,
}

statements! {
    INSERT =
        "INSERT INTO webhooks (id, url, description, events, secret_version, key_id, sealed, version,
                               created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $9)";
    FIND =
        "SELECT id, url, description, events, secret_version, key_id, sealed, previous_key_id,
                previous_sealed, previous_until, failing_since, succeeded_at, disabled_at,
                disabled_because, version, created_by, created_at, updated_at
         FROM webhooks WHERE id IN " ids(1);
    LIST =
        "SELECT id, url, description, events, secret_version, key_id, sealed, previous_key_id,
                previous_sealed, previous_until, failing_since, succeeded_at, disabled_at,
                disabled_because, version, created_by, created_at, updated_at
         FROM webhooks WHERE id > $1 ORDER BY id LIMIT $2";
    HEARING = "SELECT id, events FROM webhooks WHERE disabled_at IS NULL";
    UPDATE =
        "UPDATE webhooks SET url = $3, description = $4, events = $5, secret_version = $6,
                key_id = $7, sealed = $8, previous_key_id = $9, previous_sealed = $10,
                previous_until = $11, failing_since = $12, disabled_at = $13,
                disabled_because = $14, version = version + 1, updated_at = $15
         WHERE id = $1 AND version = $2";
    REMOVE = "DELETE FROM webhooks WHERE id = $1";
    /// A webhook that is well has not been failing since any time.
    STAND =
        "UPDATE webhooks SET
                failing_since = CASE WHEN v.well THEN NULL ELSE COALESCE(failing_since, $2) END,
                succeeded_at = CASE WHEN v.well THEN $2 ELSE succeeded_at END,
                disabled_because = CASE
                    WHEN disabled_at IS NOT NULL THEN disabled_because
                    WHEN v.disable IS NOT NULL THEN v.disable
                    WHEN NOT v.well AND failing_since < $3 THEN 'failing' END,
                disabled_at = CASE
                    WHEN disabled_at IS NOT NULL THEN disabled_at
                    WHEN v.disable IS NOT NULL OR (NOT v.well AND failing_since < $3) THEN $2 END,
                version = version + CASE
                    WHEN disabled_at IS NULL
                     AND (v.disable IS NOT NULL OR (NOT v.well AND failing_since < $3))
                    THEN 1 ELSE 0 END
         FROM (SELECT value->>'id' AS id, value->>'well' AS well, value->>'disable' AS disable
               FROM jsonb_each($1)) AS v
         WHERE webhooks.id = v.id
         RETURNING webhooks.id, webhooks.disabled_at"
        |
        "UPDATE webhooks SET
                failing_since = CASE WHEN v.well THEN NULL
                    ELSE COALESCE(failing_since, CAST($2 AS TIMESTAMPTZ)) END,
                succeeded_at = CASE WHEN v.well THEN CAST($2 AS TIMESTAMPTZ) ELSE succeeded_at END,
                disabled_because = CASE
                    WHEN disabled_at IS NOT NULL THEN disabled_because
                    WHEN v.disable IS NOT NULL THEN v.disable
                    WHEN NOT v.well AND failing_since < $3 THEN 'failing' END,
                disabled_at = CASE
                    WHEN disabled_at IS NOT NULL THEN disabled_at
                    WHEN v.disable IS NOT NULL OR (NOT v.well AND failing_since < $3)
                    THEN CAST($2 AS TIMESTAMPTZ) END,
                version = version + CASE
                    WHEN disabled_at IS NULL
                     AND (v.disable IS NOT NULL OR (NOT v.well AND failing_since < $3))
                    THEN 1 ELSE 0 END
         FROM jsonb_to_recordset($1) AS v(id TEXT, well BOOLEAN, disable TEXT)
         WHERE webhooks.id = v.id
         RETURNING webhooks.id, webhooks.disabled_at";
}

/// Writes a new webhook.
pub async fn insert(tx: &mut Tx, webhook: &Webhook) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&webhook.id)
            .bind(&webhook.url)
            .bind(&webhook.description)
            .bind(Json(&webhook.events))
            .bind(webhook.secret.version)
            .bind(&webhook.secret.key_id)
            .bind(&webhook.secret.sealed)
            .bind(&webhook.created_by)
            .bind(At(webhook.created_at))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Webhooks by id; in no order.
pub async fn find(reader: &mut Reader, ids: &[&WebhookId]) -> Result<Vec<Webhook>, Error> {
    let rows: Vec<Row> = on!(reader, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Webhook::from).collect())
}

/// Webhooks after an id, in the order of their ids.
pub async fn list(
    reader: &mut Reader,
    after: Option<&WebhookId>,
    limit: u32,
) -> Result<Vec<Webhook>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql)
            .bind(after.map_or("", WebhookId::as_str))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
    });
    Ok(rows.into_iter().map(Webhook::from).collect())
}

/// Which webhooks want to hear of what; in no order.
pub async fn hearing(reader: &mut Reader) -> Result<Vec<(WebhookId, Vec<Occasion>)>, Error> {
    let rows: Vec<(WebhookId, Json<Vec<Occasion>>)> =
        on!(reader, HEARING, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(id, events)| (id, events.0)).collect())
}

/// Writes a webhook over the version `from`; `Stale` when that is gone.
pub async fn update(tx: &mut Tx, webhook: &Webhook, from: i64) -> Result<(), Error> {
    let previous = webhook.previous.as_ref();
    let disabled = webhook.disabled.as_ref();
    let changed = on!(tx, UPDATE, |sql, conn| {
        sqlx::query(sql)
            .bind(&webhook.id)
            .bind(from)
            .bind(&webhook.url)
            .bind(&webhook.description)
            .bind(Json(&webhook.events))
            .bind(webhook.secret.version)
            .bind(&webhook.secret.key_id)
            .bind(&webhook.secret.sealed)
            .bind(previous.map(|(secret, _)| &secret.key_id))
            .bind(previous.map(|(secret, _)| &secret.sealed))
            .bind(previous.map(|(_, until)| At(*until)))
            .bind(webhook.failing_since.map(At))
            .bind(disabled.map(|(at, _)| At(*at)))
            .bind(disabled.map(|(_, because)| because))
            .bind(At(webhook.updated_at))
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Removes a webhook, whose tries must be gone; false when it was not there.
pub async fn remove(tx: &mut Tx, id: &WebhookId) -> Result<bool, Error> {
    Ok(on!(tx, REMOVE, |sql, conn| {
        sqlx::query(sql).bind(id).execute(conn).await?.rows_affected() == 1
    }))
}

/// Notes how telling webhooks went. One that has been failing since before `patience` is disabled.
/// Gives those that are disabled by this; in no order.
pub async fn stand(
    tx: &mut Tx,
    standings: &[Standing],
    now: Timestamp,
    patience: Timestamp,
) -> Result<Vec<WebhookId>, Error> {
    let rows: Vec<(WebhookId, Option<At>)> = on!(tx, STAND, |sql, conn| {
        sqlx::query_as(sql)
            .bind(Json(standings))
            .bind(At(now))
            .bind(At(patience))
            .fetch_all(conn)
            .await?
    });
    Ok(rows.into_iter().filter(|(_, at)| *at == Some(At(now))).map(|(id, _)| id).collect())
}

impl From<Row> for Webhook {
    fn from(row: Row) -> Self {
        let version = row.secret_version;
        let previous = match (row.previous_key_id, row.previous_sealed, row.previous_until) {
            (Some(key_id), Some(sealed), Some(until)) => {
                Some((SealedSecret { version: version - 1, key_id, sealed }, until.0))
            }
            _ => None,
        };
        Self {
            id: row.id,
            url: row.url,
            description: row.description,
            events: row.events.0,
            secret: SealedSecret { version, key_id: row.key_id, sealed: row.sealed },
            previous,
            failing_since: row.failing_since.map(Timestamp::from),
            succeeded_at: row.succeeded_at.map(Timestamp::from),
            disabled: row.disabled_at.map(|at| (at.0, row.disabled_because.unwrap_or_default())),
            version: row.version,
            created_by: row.created_by,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}
