//! Answers kept by the key under which they were asked for, in the transaction of the work itself.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::id::PersonId;

statements! {
    CLAIM = "INSERT INTO idempotency (person_id, key, operation, fingerprint, answer, created_at) SELECT json_extract(value, '$.person_id'), json_extract(value, '$.key'), json_extract(value, '$.operation'), json_extract(value, '$.fingerprint'), json_extract(value, '$.answer'), $2 FROM jsonb_each($1) WHERE true ON CONFLICT (person_id, key) DO NOTHING RETURNING person_id, key"
        | "INSERT INTO idempotency (person_id, key, operation, fingerprint, answer, created_at) SELECT person_id, key, operation, fingerprint, answer, CAST($2 AS TIMESTAMPTZ) FROM jsonb_to_recordset($1) AS new (person_id TEXT, key TEXT, operation TEXT, fingerprint TEXT, answer JSONB) ON CONFLICT (person_id, key) DO NOTHING RETURNING person_id, key";
    FIND = "SELECT operation, fingerprint, answer FROM idempotency WHERE person_id = $1 AND key = $2";
    FORGET = "DELETE FROM idempotency WHERE created_at < $1";
}

/// A key that somebody asks under, with the answer that he will get. The answer must be a JSON
/// object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claim {
    /// Whose key: two people may choose the same.
    pub person_id: PersonId,
    /// The key.
    pub key: String,
    /// Method and path.
    pub operation: String,
    /// Hash of the whole request.
    pub fingerprint: String,
    /// The answer.
    pub answer: Value,
}

/// What is kept under a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Method and path.
    pub operation: String,
    /// Hash of the whole request.
    pub fingerprint: String,
    /// The answer.
    pub answer: Value,
}

/// Keeps the answers of keys that are new; one word for each claim, true when it was new. Of two
/// claims to one key in the same call the first counts as new.
pub async fn claim(tx: &mut Tx, claims: &[Claim], now: Timestamp) -> Result<Vec<bool>, Error> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    // One order for all, or two batches could each wait for a key of the other.
    let mut sorted: Vec<&Claim> = claims.iter().collect();
    sorted.sort_by(|a, b| (&a.person_id, &a.key).cmp(&(&b.person_id, &b.key)));
    let kept: Vec<(PersonId, String)> = on!(tx, CLAIM, |sql, conn| {
        sqlx::query_as(sql).bind(Json(&sorted)).bind(At(now)).fetch_all(conn).await?
    });
    let mut kept: std::collections::BTreeSet<(PersonId, String)> = kept.into_iter().collect();
    Ok(claims.iter().map(|it| kept.remove(&(it.person_id.clone(), it.key.clone()))).collect())
}

/// What is kept under a person's key.
pub async fn find(
    reader: &mut Reader,
    person: &PersonId,
    key: &str,
) -> Result<Option<Kept>, Error> {
    let row: Option<(String, String, Json<Value>)> = on!(reader, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(person).bind(key).fetch_optional(conn).await?
    });
    Ok(row.map(|(operation, fingerprint, answer)| Kept {
        operation,
        fingerprint,
        answer: answer.0,
    }))
}

/// Forgets what is older than an instant; how many.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    on!(tx, FORGET, |sql, conn| {
        Ok(sqlx::query(sql).bind(At(before)).execute(conn).await?.rows_affected())
    })
}
