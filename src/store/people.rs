//! People who may sign in.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::id::{PersonId, UnitId};

statements! {
    INSERT = "INSERT INTO people (id, email, name, administrator, password_hash, disabled_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    FIND = "SELECT id, email, name, administrator, disabled_at, version, created_at, updated_at FROM people WHERE id = $1";
    BY_EMAIL = "SELECT id, email, name, administrator, disabled_at, version, created_at, updated_at FROM people WHERE email = $1";
    UPDATE = "UPDATE people SET email = $2, name = $3, disabled_at = $4, updated_at = $5, version = version + 1 WHERE id = $1 AND version = $6";
    /// Those with a role in one of these units, and the one who asks.
    LIST =
        "SELECT id, email, name, administrator, disabled_at, version, created_at, updated_at FROM people
         WHERE id > $1 AND ($2 IS NULL OR id = $3 OR id IN (
               SELECT person_id FROM roles WHERE unit_id IN (SELECT value FROM jsonb_each($2))))
         ORDER BY id LIMIT $4"
        | "SELECT id, email, name, administrator, disabled_at, version, created_at, updated_at FROM people
         WHERE id > $1 AND (CAST($2 AS JSONB) IS NULL OR id = $3 OR id IN (
               SELECT person_id FROM roles WHERE unit_id IN (SELECT jsonb_array_elements_text($2))))
         ORDER BY id LIMIT $4";
    NAMES = "SELECT id, name FROM people WHERE id IN " ids(1);
    ADMINISTRATORS = "SELECT COUNT(*) FROM people WHERE administrator AND disabled_at IS NULL";
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// His id.
    pub id: PersonId,
    /// His address, in lower case.
    pub email: String,
    /// His name.
    pub name: String,
    /// True for one who may everything.
    pub administrator: bool,
    /// Since when he may not sign in any more.
    pub disabled_at: Option<Timestamp>,
    /// Counts changes.
    pub version: i64,
    /// When he was entered.
    pub created_at: Timestamp,
    /// When that was changed last.
    pub updated_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: PersonId,
    email: String,
    name: String,
    administrator: bool,
    disabled_at: Option<At>,
    version: i64,
    created_at: At,
    updated_at: Option<At>,
}

impl From<Row> for Person {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            email: row.email,
            name: row.name,
            administrator: row.administrator,
            disabled_at: row.disabled_at.map(Timestamp::from),
            version: row.version,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.unwrap_or(row.created_at).into(),
        }
    }
}

/// Writes a new person; `Conflict("people_email_key")` when the address is taken.
pub async fn insert(
    tx: &mut Tx,
    person: &Person,
    password_hash: Option<&str>,
) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&person.id)
            .bind(&person.email)
            .bind(&person.name)
            .bind(person.administrator)
            .bind(password_hash)
            .bind(person.disabled_at.map(At))
            .bind(At(person.created_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// One person.
pub async fn find(reader: &mut Reader, id: &PersonId) -> Result<Option<Person>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Person::from))
}

/// The person with this address, which must be in lower case.
pub async fn by_email(reader: &mut Reader, email: &str) -> Result<Option<Person>, Error> {
    let row: Option<Row> = on!(reader, BY_EMAIL, |sql, conn| {
        sqlx::query_as(sql).bind(email).fetch_optional(conn).await?
    });
    Ok(row.map(Person::from))
}

/// Writes a changed person over the version that was read; `Stale` when that is gone, and
/// `Conflict("people_email_key")` when the address is taken.
pub async fn update(tx: &mut Tx, person: &Person, from_version: i64) -> Result<(), Error> {
    let changed = on!(tx, UPDATE, |sql, conn| {
        sqlx::query(sql)
            .bind(&person.id)
            .bind(&person.email)
            .bind(&person.name)
            .bind(person.disabled_at.map(At))
            .bind(At(person.updated_at))
            .bind(from_version)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// People after an id, in the order of their ids: all, or those with a role in one of these units and
/// the one who asks.
pub async fn list(
    reader: &mut Reader,
    after: Option<&PersonId>,
    within: Option<&BTreeSet<UnitId>>,
    asker: &PersonId,
    limit: u32,
) -> Result<Vec<Person>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql)
            .bind(after.map_or("", PersonId::as_str))
            .bind(within.map(Json))
            .bind(asker)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
    });
    Ok(rows.into_iter().map(Person::from).collect())
}

/// What people are called, by their ids; of those that are ids of people.
pub async fn names(
    reader: &mut Reader,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, Error> {
    let rows: Vec<(String, String)> = on!(reader, NAMES, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().collect())
}

/// How many administrators of everything may sign in.
pub async fn administrators(reader: &mut Reader) -> Result<i64, Error> {
    Ok(on!(reader, ADMINISTRATORS, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await?))
}
