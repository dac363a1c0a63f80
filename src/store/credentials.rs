//! Credentials of accounts, sealed: nothing here can be read without a key from outside.

use jiff::Timestamp;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::account::CredentialKind;
use crate::domain::id::AccountId;

statements! {
    PUT = "INSERT INTO credentials (account_id, kind, version, key_id, sealed, refresh, expires_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (account_id) DO UPDATE SET kind = excluded.kind, version = excluded.version, key_id = excluded.key_id, sealed = excluded.sealed, refresh = excluded.refresh, expires_at = excluded.expires_at, updated_at = excluded.updated_at, refused_version = NULL";
    FIND = "SELECT account_id, kind, version, key_id, sealed, refresh, expires_at, updated_at FROM credentials WHERE account_id = $1";
    REMOVE = "DELETE FROM credentials WHERE account_id = $1";
}

/// A sealed credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose.
    pub account_id: AccountId,
    /// What kind of secret is inside.
    pub kind: CredentialKind,
    /// Counts replacements; bound into the seal, so that an old one cannot be put back.
    pub version: i64,
    /// Which key sealed it.
    pub key_id: String,
    /// The sealed access token.
    pub sealed: Vec<u8>,
    /// The sealed refresh token, by the same key.
    pub refresh: Option<Vec<u8>>,
    /// When the access token ends, where that is known.
    pub expires_at: Option<Timestamp>,
    /// When it was stored.
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential({} version {})", self.account_id, self.version)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    account_id: AccountId,
    kind: CredentialKind,
    version: i64,
    key_id: String,
    sealed: Vec<u8>,
    refresh: Option<Vec<u8>>,
    expires_at: Option<At>,
    updated_at: At,
}

/// Stores a credential in the place of the one before it.
pub async fn put(tx: &mut Tx, credential: &Credential) -> Result<(), Error> {
    on!(tx, PUT, |sql, conn| {
        sqlx::query(sql)
            .bind(&credential.account_id)
            .bind(credential.kind)
            .bind(credential.version)
            .bind(&credential.key_id)
            .bind(&credential.sealed)
            .bind(&credential.refresh)
            .bind(credential.expires_at.map(At))
            .bind(At(credential.updated_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// The credential of an account.
pub async fn find(reader: &mut Reader, account: &AccountId) -> Result<Option<Credential>, Error> {
    let row: Option<Row> = on!(reader, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(account).fetch_optional(conn).await?
    });
    Ok(row.map(|row| Credential {
        account_id: row.account_id,
        kind: row.kind,
        version: row.version,
        key_id: row.key_id,
        sealed: row.sealed,
        refresh: row.refresh,
        expires_at: row.expires_at.map(Timestamp::from),
        updated_at: row.updated_at.into(),
    }))
}

/// Forgets the credential of an account.
pub async fn remove(tx: &mut Tx, account: &AccountId) -> Result<(), Error> {
    on!(tx, REMOVE, |sql, conn| {
        sqlx::query(sql).bind(account).execute(conn).await?;
        Ok(())
    })
}
