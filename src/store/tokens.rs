//! API tokens: only the hash of each is kept.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx, roles};
use crate::domain::actor::{Actor, Scopes};
use crate::domain::id::{AccountId, PersonId, TokenId};
use crate::domain::role::Reach;

statements! {
    INSERT = "INSERT INTO tokens (id, person_id, name, hash, prefix, scopes, accounts, expires_at, revoked_at, last_used_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    FIND = "SELECT id, person_id, name, prefix, scopes, accounts, expires_at, revoked_at, last_used_at, created_at FROM tokens WHERE id = $1";
    LIST = "SELECT id, person_id, name, prefix, scopes, accounts, expires_at, revoked_at, last_used_at, created_at FROM tokens WHERE id > $1 AND (CAST($2 AS TEXT) IS NULL OR person_id = $2) ORDER BY id LIMIT $3";
    REVOKE = "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    BEARER = "SELECT tokens.id, tokens.person_id, tokens.scopes, tokens.accounts, tokens.expires_at, people.administrator FROM tokens JOIN people ON people.id = tokens.person_id WHERE tokens.hash = $1 AND tokens.revoked_at IS NULL AND people.disabled_at IS NULL";
    USED = "UPDATE tokens SET last_used_at = $2 WHERE id IN " ids(1) " AND (last_used_at IS NULL OR last_used_at < $2)";
}

/// A token as people see it: without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Whose.
    pub person_id: PersonId,
    /// What its owner calls it.
    pub name: String,
    /// The visible beginning.
    pub prefix: String,
    /// What it carries.
    pub scopes: Scopes,
    /// The only accounts it concerns.
    pub accounts: Option<Vec<AccountId>>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Who bears a token, and until when.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The actor.
    pub actor: Actor,
    /// When the token ends.
    pub expires_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: TokenId,
    person_id: PersonId,
    name: String,
    prefix: String,
    scopes: Json<Scopes>,
    accounts: Option<Json<Vec<AccountId>>>,
    expires_at: Option<At>,
    revoked_at: Option<At>,
    last_used_at: Option<At>,
    created_at: At,
}

impl From<Row> for Token {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            person_id: row.person_id,
            name: row.name,
            prefix: row.prefix,
            scopes: row.scopes.0,
            accounts: row.accounts.map(|it| it.0),
            expires_at: row.expires_at.map(Timestamp::from),
            revoked_at: row.revoked_at.map(Timestamp::from),
            last_used_at: row.last_used_at.map(Timestamp::from),
            created_at: row.created_at.into(),
        }
    }
}

#[derive(sqlx::FromRow)]
struct BearerRow {
    id: TokenId,
    person_id: PersonId,
    scopes: Json<Scopes>,
    accounts: Option<Json<Vec<AccountId>>>,
    expires_at: Option<At>,
    administrator: bool,
}

/// Writes a new token.
pub async fn insert(tx: &mut Tx, token: &Token, hash: &str) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&token.id)
            .bind(&token.person_id)
            .bind(&token.name)
            .bind(hash)
            .bind(&token.prefix)
            .bind(Json(&token.scopes))
            .bind(token.accounts.as_ref().map(Json))
            .bind(token.expires_at.map(At))
            .bind(token.revoked_at.map(At))
            .bind(token.last_used_at.map(At))
            .bind(At(token.created_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// One token.
pub async fn find(reader: &mut Reader, id: &TokenId) -> Result<Option<Token>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Token::from))
}

/// Tokens after an id, in the order of their ids; one person's when he is given.
pub async fn list(
    reader: &mut Reader,
    person: Option<&PersonId>,
    after: Option<&TokenId>,
    limit: u32,
) -> Result<Vec<Token>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql)
            .bind(after.map_or("", TokenId::as_str))
            .bind(person)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
    });
    Ok(rows.into_iter().map(Token::from).collect())
}

/// Revokes a token; false when it was revoked already.
pub async fn revoke(tx: &mut Tx, id: &TokenId, now: Timestamp) -> Result<bool, Error> {
    on!(tx, REVOKE, |sql, conn| {
        Ok(sqlx::query(sql).bind(id).bind(At(now)).execute(conn).await?.rows_affected() == 1)
    })
}

/// Who bears the token with this hash; nobody when it was revoked or its owner may not sign in.
pub async fn bearer(
    reader: &mut Reader,
    hash: &str,
    now: Timestamp,
) -> Result<Option<Bearer>, Error> {
    let row: Option<BearerRow> = on!(reader, BEARER, |sql, conn| {
        sqlx::query_as(sql).bind(hash).fetch_optional(conn).await?
    });
    let Some(row) = row else { return Ok(None) };
    let reach = if row.administrator {
        Reach::default()
    } else {
        roles::reach(reader, &row.person_id, now).await?
    };
    Ok(Some(Bearer {
        actor: Actor {
            person_id: row.person_id,
            token_id: Some(row.id),
            signed_in: None,
            administrator: row.administrator,
            scopes: row.scopes.0,
            accounts: row.accounts.map(|it| it.0.into_iter().collect()),
            reach: Arc::new(reach),
        },
        expires_at: row.expires_at.map(Timestamp::from),
    }))
}

/// Notes that tokens were used.
pub async fn used(tx: &mut Tx, ids: &[TokenId], now: Timestamp) -> Result<(), Error> {
    on!(tx, USED, |sql, conn| {
        sqlx::query(sql).bind(Json(ids)).bind(At(now)).execute(conn).await?;
        Ok(())
    })
}
