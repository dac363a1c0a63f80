//! Sign-ins that connect accounts: found by the hash of their state, taken once, forgotten in time.

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::connection::{Connection, ConnectionStatus, Granted, SignInProblem, Wishes};
use crate::domain::id::{AccountId, ConnectionId, PersonId, UnitId};

statements! {
    INSERT =
        "INSERT INTO connections (id, person_id, unit_id, platform, account_id, expected_remote_id, wishes,
            status, state_hash, verifier, chosen, accounts, version, created_at, updated_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15)";
    TAKE =
        "UPDATE connections SET status = 'exchanging', version = version + 1, updated_at = $3, expires_at = $4
         WHERE state_hash = $1 AND platform = $2 AND status = 'waiting' AND expires_at > $3";
    WAITS =
        "SELECT version FROM connections
         WHERE state_hash = $1 AND platform = $2 AND status = 'waiting' AND expires_at > $3";
    BY_STATE =
        "SELECT id, person_id, unit_id, platform, account_id, expected_remote_id, wishes, status, verifier, sealed, granted, chosen, accounts, approved_by, problem, problem_detail, version, created_at, updated_at, expires_at
         FROM connections WHERE state_hash = $1";
    FIND =
        "SELECT id, person_id, unit_id, platform, account_id, expected_remote_id, wishes, status, verifier, sealed, granted, chosen, accounts, approved_by, problem, problem_detail, version, created_at, updated_at, expires_at
         FROM connections WHERE id = $1";
    LIST =
        "SELECT id, person_id, unit_id, platform, account_id, expected_remote_id, wishes, status, verifier, sealed, granted, chosen, accounts, approved_by, problem, problem_detail, version, created_at, updated_at, expires_at
         FROM connections
         WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) AND ($2 IS NULL OR account_id IN (SELECT value FROM jsonb_each($2))
            OR (account_id IS NULL AND unit_id IN (SELECT value FROM jsonb_each($4))))
         ORDER BY id DESC LIMIT $3"
      | "SELECT id, person_id, unit_id, platform, account_id, expected_remote_id, wishes, status, verifier, sealed, granted, chosen, accounts, approved_by, problem, problem_detail, version, created_at, updated_at, expires_at
         FROM connections
         WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) AND (CAST($2 AS JSONB) IS NULL
            OR account_id IN (SELECT jsonb_array_elements_text($2))
            OR (account_id IS NULL AND unit_id IN (SELECT jsonb_array_elements_text($4))))
         ORDER BY id DESC LIMIT $3";
    UPDATE =
        "UPDATE connections SET status = $3, verifier = $4, sealed = $5, granted = $6, chosen = $7,
            accounts = $8, approved_by = $9, problem = $10, problem_detail = $11, updated_at = $12,
            expires_at = $13, version = version + 1
         WHERE id = $1 AND version = $2";
    OVERDUE =
        "SELECT id FROM connections
         WHERE status IN ('waiting', 'exchanging', 'granted', 'chosen') AND expires_at <= $1
         ORDER BY expires_at LIMIT 100";
    EXPIRE =
        "UPDATE connections SET status = 'expired', verifier = NULL, sealed = NULL,
            version = version + 1, updated_at = $2
         WHERE id = $1 AND status IN ('waiting', 'exchanging', 'granted', 'chosen')
            AND expires_at <= $2";
}

/// A sign-in with its ciphertexts.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// What people may see.
    pub connection: Connection,
    /// The sealed secret that the platform has the hash of; until the code has been exchanged.
    pub verifier: Option<Vec<u8>>,
    /// The sealed credentials that were granted; until the accounts are connected.
    pub sealed: Option<Vec<u8>>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({} version {})", self.connection.id, self.connection.version)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ConnectionId,
    person_id: PersonId,
    unit_id: UnitId,
    platform: String,
    account_id: Option<AccountId>,
    expected_remote_id: Option<String>,
    wishes: Json<Wishes>,
    status: ConnectionStatus,
    verifier: Option<Vec<u8>>,
    sealed: Option<Vec<u8>>,
    granted: Option<Json<Granted>>,
    chosen: Json<Vec<String>>,
    accounts: Json<Vec<AccountId>>,
    approved_by: Option<PersonId>,
    problem: Option<SignInProblem>,
    problem_detail: Option<String>,
    version: i64,
    created_at: At,
    updated_at: At,
    expires_at: At,
}

impl From<Row> for Kept {
    fn from(row: Row) -> Self {
        let connection = Connection {
            id: row.id,
            person_id: row.person_id,
            unit_id: row.unit_id,
            platform: row.platform,
            account_id: row.account_id,
            expected_remote_id: row.expected_remote_id,
            wishes: row.wishes.0,
            status: row.status,
            granted: row.granted.map(|it| it.0),
            chosen: row.chosen.0,
            accounts: row.accounts.0,
            approved_by: row.approved_by,
            problem: row.problem,
            problem_detail: row.problem_detail,
            version: row.version,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            expires_at: row.expires_at.into(),
        };
        Self { connection, verifier: row.verifier, sealed: row.sealed }
    }
}

/// Writes a new sign-in.
pub async fn insert(tx: &mut Tx, kept: &Kept, state_hash: &str) -> Result<(), Error> {
    let new = &kept.connection;
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&new.id)
            .bind(&new.person_id)
            .bind(&new.unit_id)
            .bind(&new.platform)
            .bind(&new.account_id)
            .bind(&new.expected_remote_id)
            .bind(Json(&new.wishes))
            .bind(new.status)
            .bind(state_hash)
            .bind(&kept.verifier)
            .bind(Json(&new.chosen))
            .bind(Json(&new.accounts))
            .bind(new.version)
            .bind(At(new.created_at))
            .bind(At(new.expires_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// Whether there is a sign-in with this state on this platform that waits and has not ended; whoever
/// comes first takes it.
pub async fn waits(
    reader: &mut Reader,
    state_hash: &str,
    platform: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    on!(reader, WAITS, |sql, conn| {
        let found: Option<i64> = sqlx::query_scalar(sql)
            .bind(state_hash)
            .bind(platform)
            .bind(At(now))
            .fetch_optional(conn)
            .await?;
        Ok(found.is_some())
    })
}

/// Takes the sign-in with this state, for whoever comes first, who has until `until` to finish; `None`
/// when there is none on this platform that waits and has not ended.
pub async fn take(
    tx: &mut Tx,
    state_hash: &str,
    platform: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Kept>, Error> {
    let taken = on!(tx, TAKE, |sql, conn| {
        sqlx::query(sql)
            .bind(state_hash)
            .bind(platform)
            .bind(At(now))
            .bind(At(until))
            .execute(conn)
            .await?
            .rows_affected()
    });
    if taken != 1 {
        return Ok(None);
    }
    let row: Option<Row> = on!(tx, BY_STATE, |sql, conn| {
        sqlx::query_as(sql).bind(state_hash).fetch_optional(conn).await?
    });
    Ok(row.map(Kept::from))
}

/// One sign-in.
pub async fn find(reader: &mut Reader, id: &ConnectionId) -> Result<Option<Kept>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Kept::from))
}

/// Sign-ins before an id, newest first; with `among` only those that connect one of these accounts
/// again.
pub async fn list(
    reader: &mut Reader,
    before: Option<&ConnectionId>,
    among: Option<(&[AccountId], &[UnitId])>,
    limit: u32,
) -> Result<Vec<Connection>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql)
            .bind(before)
            .bind(among.map(|it| Json(it.0)))
            .bind(i64::from(limit))
            .bind(among.map_or(Json(&[][..]), |it| Json(it.1)))
            .fetch_all(conn)
            .await?
    });
    Ok(rows.into_iter().map(|row| Kept::from(row).connection).collect())
}

/// Writes a changed sign-in over the version that it was made from; `Stale` when that is gone.
pub async fn update(tx: &mut Tx, kept: &Kept, from_version: i64) -> Result<(), Error> {
    let new = &kept.connection;
    let changed = on!(tx, UPDATE, |sql, conn| {
        sqlx::query(sql)
            .bind(&new.id)
            .bind(from_version)
            .bind(new.status)
            .bind(&kept.verifier)
            .bind(&kept.sealed)
            .bind(new.granted.as_ref().map(Json))
            .bind(Json(&new.chosen))
            .bind(Json(&new.accounts))
            .bind(&new.approved_by)
            .bind(new.problem)
            .bind(&new.problem_detail)
            .bind(At(new.updated_at))
            .bind(At(new.expires_at))
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Up to a hundred sign-ins whose time is over.
pub async fn overdue(reader: &mut Reader, now: Timestamp) -> Result<Vec<ConnectionId>, Error> {
    on!(reader, OVERDUE, |sql, conn| {
        Ok(sqlx::query_scalar(sql).bind(At(now)).fetch_all(conn).await?)
    })
}

/// Ends what was not finished in time and forgets its secrets, up to a hundred at once; gives those
/// that this call has ended.
pub async fn expire(tx: &mut Tx, now: Timestamp) -> Result<Vec<ConnectionId>, Error> {
    let mut ended = Vec::new();
    for id in overdue(tx, now).await? {
        let changed = on!(tx, EXPIRE, |sql, conn| {
            sqlx::query(sql).bind(&id).bind(At(now)).execute(conn).await?.rows_affected()
        });
        if changed == 1 {
            ended.push(id);
        }
    }
    Ok(ended)
}
