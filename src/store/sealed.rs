//! Everything that is sealed, row by row, so that it can be sealed again with another key.

use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::id::{AccountId, PersonId, WebhookId};

statements! {
    CREDENTIALS =
        "SELECT c.account_id, a.platform, a.remote_id, c.version, c.key_id, c.sealed, c.refresh
         FROM credentials AS c JOIN accounts AS a ON a.id = c.account_id
         WHERE c.key_id <> $1 AND c.account_id > $2 ORDER BY c.account_id LIMIT $3";
    /// Only what was read: a credential that was replaced meanwhile is sealed with the new key already.
    RESEAL_CREDENTIAL =
        "UPDATE credentials SET key_id = $4, sealed = $5, refresh = $6
         WHERE account_id = $1 AND version = $2 AND key_id = $3";
    WEBHOOKS =
        "SELECT id, secret_version, key_id, sealed, previous_key_id, previous_sealed FROM webhooks
         WHERE (key_id <> $1 OR previous_key_id <> $1) AND id > $2 ORDER BY id LIMIT $3";
    RESEAL_WEBHOOK =
        "UPDATE webhooks SET key_id = $4, sealed = $5,
                previous_key_id = CASE WHEN previous_sealed IS NULL THEN NULL ELSE $4 END,
                previous_sealed = $6
         WHERE id = $1 AND secret_version = $2 AND key_id = $3";
    FACTORS =
        "SELECT person_id, version, key_id, sealed FROM second_factors
         WHERE key_id <> $1 AND person_id > $2 ORDER BY person_id LIMIT $3";
    RESEAL_FACTOR =
        "UPDATE second_factors SET key_id = $4, sealed = $5
         WHERE person_id = $1 AND version = $2 AND key_id = $3";
    KEEP_CHECK = "UPDATE installation SET key_check = $1 WHERE id = 1";
    KEYS =
        "SELECT held.key_id, COUNT(*) FROM (
             SELECT key_id FROM credentials
             UNION ALL SELECT key_id FROM second_factors
             UNION ALL SELECT key_id FROM webhooks
             UNION ALL SELECT previous_key_id FROM webhooks WHERE previous_key_id IS NOT NULL
         ) AS held GROUP BY held.key_id ORDER BY held.key_id";
}

/// A credential that is sealed with another key than the one asked about.
#[derive(sqlx::FromRow)]
pub struct SealedCredential {
    /// Whose.
    pub account_id: AccountId,
    /// The account's platform, which is bound into the seal.
    pub platform: String,
    /// The account's id there, which is bound into the seal.
    pub remote_id: String,
    /// Counts replacements; bound into the seal.
    pub version: i64,
    /// Which key sealed it.
    pub key_id: String,
    /// The sealed access token.
    pub sealed: Vec<u8>,
    /// The sealed refresh token.
    pub refresh: Option<Vec<u8>>,
}

/// A webhook whose secret, or the one before it, is sealed with another key than the one asked about.
#[derive(sqlx::FromRow)]
pub struct SealedWebhook {
    /// Which.
    pub id: WebhookId,
    /// Counts replacements; bound into the seal, one less for the secret before.
    pub secret_version: i64,
    /// Which key sealed the secret.
    pub key_id: String,
    /// The sealed secret.
    pub sealed: Vec<u8>,
    /// Which key sealed the secret before it.
    pub previous_key_id: Option<String>,
    /// The sealed secret before it.
    pub previous_sealed: Option<Vec<u8>>,
}

/// A second factor that is sealed with another key than the one asked about.
#[derive(sqlx::FromRow)]
pub struct SealedFactor {
    /// Whose; bound into the seal.
    pub person_id: PersonId,
    /// Counts replacements; bound into the seal.
    pub version: i64,
    /// Which key sealed it.
    pub key_id: String,
    /// The sealed secret.
    pub sealed: Vec<u8>,
}

/// Credentials that `key` has not sealed, after an id, in the order of their ids.
pub async fn credentials(
    reader: &mut Reader,
    key: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<SealedCredential>, Error> {
    Ok(on!(reader, CREDENTIALS, |sql, conn| {
        sqlx::query_as(sql).bind(key).bind(after).bind(i64::from(limit)).fetch_all(conn).await?
    }))
}

/// Webhooks of which `key` has not sealed everything, after an id, in the order of their ids.
pub async fn webhooks(
    reader: &mut Reader,
    key: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<SealedWebhook>, Error> {
    Ok(on!(reader, WEBHOOKS, |sql, conn| {
        sqlx::query_as(sql).bind(key).bind(after).bind(i64::from(limit)).fetch_all(conn).await?
    }))
}

/// Second factors that `key` has not sealed, after an id, in the order of their ids.
pub async fn factors(
    reader: &mut Reader,
    key: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<SealedFactor>, Error> {
    Ok(on!(reader, FACTORS, |sql, conn| {
        sqlx::query_as(sql).bind(key).bind(after).bind(i64::from(limit)).fetch_all(conn).await?
    }))
}

/// Puts a second factor in the place of itself, sealed with `key`; false when it was replaced meanwhile.
pub async fn reseal_factor(
    tx: &mut Tx,
    was: &SealedFactor,
    key: &str,
    sealed: &[u8],
) -> Result<bool, Error> {
    Ok(on!(tx, RESEAL_FACTOR, |sql, conn| {
        sqlx::query(sql)
            .bind(&was.person_id)
            .bind(was.version)
            .bind(&was.key_id)
            .bind(key)
            .bind(sealed)
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// Puts a credential in the place of itself, sealed with `key`; false when it was replaced meanwhile.
pub async fn reseal_credential(
    tx: &mut Tx,
    was: &SealedCredential,
    key: &str,
    sealed: &[u8],
    refresh: Option<&[u8]>,
) -> Result<bool, Error> {
    Ok(on!(tx, RESEAL_CREDENTIAL, |sql, conn| {
        sqlx::query(sql)
            .bind(&was.account_id)
            .bind(was.version)
            .bind(&was.key_id)
            .bind(key)
            .bind(sealed)
            .bind(refresh)
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// Puts a webhook's secrets in the place of themselves, sealed with `key`; false when they were
/// replaced meanwhile.
pub async fn reseal_webhook(
    tx: &mut Tx,
    was: &SealedWebhook,
    key: &str,
    sealed: &[u8],
    previous: Option<&[u8]>,
) -> Result<bool, Error> {
    Ok(on!(tx, RESEAL_WEBHOOK, |sql, conn| {
        sqlx::query(sql)
            .bind(&was.id)
            .bind(was.secret_version)
            .bind(&was.key_id)
            .bind(key)
            .bind(sealed)
            .bind(previous)
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// Keeps the value by which a wrong key is noticed.
pub async fn keep_check(tx: &mut Tx, check: &[u8]) -> Result<(), Error> {
    on!(tx, KEEP_CHECK, |sql, conn| {
        sqlx::query(sql).bind(check).execute(conn).await?;
    });
    Ok(())
}

/// How many values each key has sealed, by key id.
pub async fn keys(reader: &mut Reader) -> Result<Vec<(String, i64)>, Error> {
    Ok(on!(reader, KEYS, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?))
}
