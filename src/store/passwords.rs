//! What proves that somebody is who he says, as far as it may be kept: the hash of his password, how often wrong
//! ones were tried for an address, and the hashes of links by which a password is chosen.

use jiff::Timestamp;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::id::PersonId;

statements! {
    BY_EMAIL =
        "SELECT id, email, name, password_hash FROM people WHERE email = $1 AND disabled_at IS NULL";
    BY_ID =
        "SELECT id, email, name, password_hash FROM people WHERE id = $1 AND disabled_at IS NULL";
    /// Takes his row, so that nobody else changes what he is known by until the transaction ends.
    STILL =
        "UPDATE people SET password_hash = password_hash
         WHERE id = $1 AND disabled_at IS NULL AND (password_hash = $2 OR CAST($2 AS TEXT) IS NULL)";
    SET = "UPDATE people SET password_hash = $2 WHERE id = $1 AND disabled_at IS NULL";
    GUESSES = "SELECT failures, failed_at FROM guesses WHERE hash = $1 AND failed_at > $2";
    FAILED =
        "INSERT INTO guesses (hash, failures, failed_at) VALUES ($1, 1, $2)
         ON CONFLICT (hash) DO UPDATE SET failures = guesses.failures + 1, failed_at = $2";
    RIGHT = "DELETE FROM guesses WHERE hash = $1";
    FORGET = "DELETE FROM guesses WHERE failed_at < $1";
    INVITE =
        "INSERT INTO invitations (hash, person_id, made_by, made_at, ends_at) VALUES ($1, $2, $3, $4, $5)";
    INVITED =
        "SELECT person_id FROM invitations WHERE hash = $1 AND used_at IS NULL AND ends_at > $2";
    USE = "UPDATE invitations SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND ends_at > $2";
    VOID_ALL = "UPDATE invitations SET used_at = $1 WHERE used_at IS NULL";
    VOID = "UPDATE invitations SET used_at = $2 WHERE person_id = $1 AND used_at IS NULL";
    PRUNE = "DELETE FROM invitations WHERE ends_at < $1";
}

/// A person who may sign in, and what is known of his password.
#[derive(Clone)]
pub struct Known {
    /// Who.
    pub id: PersonId,
    /// His address.
    pub email: String,
    /// His name.
    pub name: String,
    /// The hash of his password; none has been chosen when it is missing.
    pub hash: Option<String>,
}

/// Wrong passwords in a row, for an address that was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guesses {
    /// How many.
    pub failures: u32,
    /// When the last one came.
    pub failed_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: PersonId,
    email: String,
    name: String,
    password_hash: Option<String>,
}

impl From<Row> for Known {
    fn from(row: Row) -> Self {
        Self { id: row.id, email: row.email, name: row.name, hash: row.password_hash }
    }
}

/// The person with this address, which must be in lower case, if he may sign in.
pub async fn by_email(reader: &mut Reader, email: &str) -> Result<Option<Known>, Error> {
    let row: Option<Row> = on!(reader, BY_EMAIL, |sql, conn| {
        sqlx::query_as(sql).bind(email).fetch_optional(conn).await?
    });
    Ok(row.map(Known::from))
}

/// The same by his id.
pub async fn of(reader: &mut Reader, id: &PersonId) -> Result<Option<Known>, Error> {
    let row: Option<Row> =
        on!(reader, BY_ID, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Known::from))
}

/// The wrong passwords for an address, by its hash, if the last one came after an instant.
pub async fn guesses(
    reader: &mut Reader,
    hash: &str,
    since: Timestamp,
) -> Result<Option<Guesses>, Error> {
    let row: Option<(i64, At)> = on!(reader, GUESSES, |sql, conn| {
        sqlx::query_as(sql).bind(hash).bind(At(since)).fetch_optional(conn).await?
    });
    Ok(row.map(|(failures, failed_at)| Guesses {
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        failed_at: failed_at.into(),
    }))
}

/// Notes a wrong password for an address, and forgets those whose last one came before an instant.
pub async fn failed(
    tx: &mut Tx,
    hash: &str,
    now: Timestamp,
    since: Timestamp,
) -> Result<(), Error> {
    on!(tx, FORGET, |sql, conn| {
        sqlx::query(sql).bind(At(since)).execute(conn).await?;
    });
    on!(tx, FAILED, |sql, conn| {
        sqlx::query(sql).bind(hash).bind(At(now)).execute(conn).await?;
        Ok(())
    })
}

/// Forgets the wrong passwords for an address: the right one came.
pub async fn right(tx: &mut Tx, hash: &str) -> Result<(), Error> {
    on!(tx, RIGHT, |sql, conn| {
        sqlx::query(sql).bind(hash).execute(conn).await?;
        Ok(())
    })
}

/// Whether a person may still sign in, and is still known by this password where one is given; nobody changes that
/// until the transaction ends.
pub async fn is_still(tx: &mut Tx, id: &PersonId, hash: Option<&str>) -> Result<bool, Error> {
    on!(tx, STILL, |sql, conn| {
        Ok(sqlx::query(sql).bind(id).bind(hash).execute(conn).await?.rows_affected() == 1)
    })
}

/// Keeps a new password; false when the person may not sign in any more.
pub async fn set(tx: &mut Tx, id: &PersonId, hash: &str) -> Result<bool, Error> {
    on!(tx, SET, |sql, conn| {
        Ok(sqlx::query(sql).bind(id).bind(hash).execute(conn).await?.rows_affected() == 1)
    })
}

/// A link by which a person chooses his password.
#[derive(Debug, Clone, Copy)]
pub struct NewInvitation<'a> {
    /// The hash of what is in it.
    pub hash: &'a str,
    /// For whom.
    pub person_id: &'a PersonId,
    /// By whom.
    pub made_by: &'a str,
    /// Until when it may be used.
    pub ends_at: Timestamp,
}

/// Keeps a link, and makes those that were made for the person before void.
pub async fn invite(tx: &mut Tx, new: NewInvitation<'_>, now: Timestamp) -> Result<(), Error> {
    void(tx, new.person_id, now).await?;
    on!(tx, INVITE, |sql, conn| {
        sqlx::query(sql)
            .bind(new.hash)
            .bind(new.person_id)
            .bind(new.made_by)
            .bind(At(now))
            .bind(At(new.ends_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// For whom a link is that may still be used.
pub async fn invited(
    reader: &mut Reader,
    hash: &str,
    now: Timestamp,
) -> Result<Option<PersonId>, Error> {
    Ok(on!(reader, INVITED, |sql, conn| {
        sqlx::query_scalar(sql).bind(hash).bind(At(now)).fetch_optional(conn).await?
    }))
}

/// Uses a link; false when it may not be used any more.
pub async fn use_up(tx: &mut Tx, hash: &str, now: Timestamp) -> Result<bool, Error> {
    on!(tx, USE, |sql, conn| {
        Ok(sqlx::query(sql).bind(hash).bind(At(now)).execute(conn).await?.rows_affected() == 1)
    })
}

/// Makes the links of a person void.
pub async fn void(tx: &mut Tx, person: &PersonId, now: Timestamp) -> Result<(), Error> {
    on!(tx, VOID, |sql, conn| {
        sqlx::query(sql).bind(person).bind(At(now)).execute(conn).await?;
        Ok(())
    })
}

/// Makes the links of everybody void.
pub async fn void_all(tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
    on!(tx, VOID_ALL, |sql, conn| {
        sqlx::query(sql).bind(At(now)).execute(conn).await?;
        Ok(())
    })
}

/// Forgets what ended before an instant.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<(), Error> {
    on!(tx, PRUNE, |sql, conn| {
        sqlx::query(sql).bind(At(before)).execute(conn).await?;
        Ok(())
    })
}
