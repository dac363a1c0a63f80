//! Accounts: what people enter and what is known of their connection.

use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::account::{Account, AccountStatus, Health};
use crate::domain::id::{AccountId, UnitId};

statements! {
    INSERT = "INSERT INTO accounts (id, unit_id, platform, remote_id, display_name, handle, languages, time_zone, status, health, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    UPDATE = "UPDATE accounts SET unit_id = $2, display_name = $3, handle = $4, languages = $5, time_zone = $6, status = $7, health = $8, version = version + 1, updated_at = $9 WHERE id = $1 AND version = $10 AND removed_at IS NULL";
    REMOVE = "UPDATE accounts SET removed_at = $2, updated_at = $2, version = version + 1 WHERE id = $1 AND version = $3 AND removed_at IS NULL";
    LOCK = "SELECT id FROM accounts WHERE id = $1" | "SELECT id FROM accounts WHERE id = $1 FOR UPDATE";
    FIND = "SELECT id, unit_id, platform, remote_id, display_name, handle, languages, time_zone, status, health, version, created_at, updated_at FROM accounts WHERE id = $1 AND removed_at IS NULL";
    FIND_MANY = "SELECT id, unit_id, platform, remote_id, display_name, handle, languages, time_zone, status, health, version, created_at, updated_at FROM accounts WHERE removed_at IS NULL AND id IN " ids(1) " ORDER BY id";
    LIST = "SELECT id, unit_id, platform, remote_id, display_name, handle, languages, time_zone, status, health, version, created_at, updated_at FROM accounts WHERE removed_at IS NULL AND id > $1 AND (CAST($2 AS TEXT) IS NULL OR unit_id = $2) AND (CAST($3 AS TEXT) IS NULL OR platform = $3) AND (CAST($4 AS TEXT) IS NULL OR status = $4) AND ($5 IS NULL OR id IN (SELECT value FROM jsonb_each($5))) ORDER BY id LIMIT $6"
        | "SELECT id, unit_id, platform, remote_id, display_name, handle, languages, time_zone, status, health, version, created_at, updated_at FROM accounts WHERE removed_at IS NULL AND id > $1 AND (CAST($2 AS TEXT) IS NULL OR unit_id = $2) AND (CAST($3 AS TEXT) IS NULL OR platform = $3) AND (CAST($4 AS TEXT) IS NULL OR status = $4) AND (CAST($5 AS JSONB) IS NULL OR id IN (SELECT jsonb_array_elements_text($5))) ORDER BY id LIMIT $6";
    WAITING = "SELECT COUNT(*) FROM deliveries WHERE account_id = $1 AND state IN ('draft', 'pending_approval', 'scheduled', 'publishing', 'unknown', 'needs_human', 'held')";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: AccountId,
    unit_id: UnitId,
    platform: String,
    remote_id: String,
    display_name: String,
    handle: Option<String>,
    languages: Json<Vec<String>>,
    time_zone: String,
    status: AccountStatus,
    health: Json<Health>,
    version: i64,
    created_at: At,
    updated_at: At,
}

impl From<Row> for Account {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            unit_id: row.unit_id,
            platform: row.platform,
            remote_id: row.remote_id,
            display_name: row.display_name,
            handle: row.handle,
            languages: row.languages.0,
            time_zone: row.time_zone,
            status: row.status,
            health: row.health.0,
            version: row.version,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

/// Which accounts to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this unit.
    pub unit_id: Option<UnitId>,
    /// On this platform.
    pub platform: Option<String>,
    /// In this state.
    pub status: Option<AccountStatus>,
    /// Only these.
    pub among: Option<Vec<AccountId>>,
}

/// Writes a new account.
pub async fn insert(tx: &mut Tx, account: &Account) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&account.id)
            .bind(&account.unit_id)
            .bind(&account.platform)
            .bind(&account.remote_id)
            .bind(&account.display_name)
            .bind(&account.handle)
            .bind(Json(&account.languages))
            .bind(&account.time_zone)
            .bind(account.status)
            .bind(Json(&account.health))
            .bind(account.version)
            .bind(At(account.created_at))
            .bind(At(account.updated_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// Writes a changed account over the version that it was made from; `Stale` when that is gone.
/// Platform and remote id never change.
pub async fn update(tx: &mut Tx, account: &Account, from_version: i64) -> Result<(), Error> {
    let changed = on!(tx, UPDATE, |sql, conn| {
        sqlx::query(sql)
            .bind(&account.id)
            .bind(&account.unit_id)
            .bind(&account.display_name)
            .bind(&account.handle)
            .bind(Json(&account.languages))
            .bind(&account.time_zone)
            .bind(account.status)
            .bind(Json(&account.health))
            .bind(At(account.updated_at))
            .bind(from_version)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Hides an account for good; its deliveries and attempts stay as proof.
pub async fn remove(
    tx: &mut Tx,
    id: &AccountId,
    from_version: i64,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    let changed = on!(tx, REMOVE, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(At(now))
            .bind(from_version)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// One account that was not removed.
pub async fn find(reader: &mut Reader, id: &AccountId) -> Result<Option<Account>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Account::from))
}

/// Those of the accounts that exist, in the order of their ids.
pub async fn find_many(reader: &mut Reader, ids: &[AccountId]) -> Result<Vec<Account>, Error> {
    let rows: Vec<Row> = on!(reader, FIND_MANY, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Account::from).collect())
}

/// Accounts after an id, in the order of their ids.
pub async fn list(
    reader: &mut Reader,
    filter: &Filter,
    after: Option<&AccountId>,
    limit: u32,
) -> Result<Vec<Account>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql)
            .bind(after.map_or("", AccountId::as_str))
            .bind(&filter.unit_id)
            .bind(&filter.platform)
            .bind(filter.status)
            .bind(filter.among.as_ref().map(Json))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
    });
    Ok(rows.into_iter().map(Account::from).collect())
}

/// How many deliveries of the account have not come to their end.
pub async fn waiting(reader: &mut Reader, id: &AccountId) -> Result<i64, Error> {
    on!(reader, WAITING, |sql, conn| {
        Ok(sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?)
    })
}

/// Keeps everybody from scheduling for an account until the transaction ends, after those who are
/// at it.
pub async fn lock(tx: &mut Tx, id: &AccountId) -> Result<(), Error> {
    on!(tx, LOCK, |sql, conn| {
        sqlx::query(sql).bind(id).execute(conn).await?;
    });
    Ok(())
}
