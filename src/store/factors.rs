//! Second factors: the sealed secret of an app on somebody's phone, and the hashes of codes on paper.

use jiff::Timestamp;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::id::PersonId;

statements! {
    FIND =
        "SELECT version, key_id, sealed, confirmed_at FROM second_factors WHERE person_id = $1";
    /// Never over one that asks for codes.
    BEGIN =
        "INSERT INTO second_factors (person_id, version, key_id, sealed, made_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (person_id) DO UPDATE SET version = excluded.version, key_id = excluded.key_id,
             sealed = excluded.sealed, made_at = excluded.made_at
         WHERE second_factors.confirmed_at IS NULL";
    CONFIRM =
        "UPDATE second_factors SET confirmed_at = $3, last_step = $4
         WHERE person_id = $1 AND version = $2 AND confirmed_at IS NULL";
    /// A code is good once: whoever reads it over a shoulder comes too late.
    USE =
        "UPDATE second_factors SET last_step = $3
         WHERE person_id = $1 AND version = $2 AND confirmed_at IS NOT NULL AND last_step < $3";
    IS_ON = "SELECT EXISTS (SELECT 1 FROM second_factors WHERE person_id = $1 AND confirmed_at IS NOT NULL)";
    REMOVE = "DELETE FROM second_factors WHERE person_id = $1";
    WRITE_CODE = "INSERT INTO recovery_codes (hash, person_id, made_at) VALUES ($1, $2, $3)";
    USE_CODE =
        "UPDATE recovery_codes SET used_at = $3 WHERE hash = $1 AND person_id = $2 AND used_at IS NULL";
    CODES_LEFT = "SELECT COUNT(*) FROM recovery_codes WHERE person_id = $1 AND used_at IS NULL";
    FORGET_CODES = "DELETE FROM recovery_codes WHERE person_id = $1";
}

/// The app on somebody's phone.
#[derive(Clone)]
pub struct Factor {
    /// Counts replacements; bound into the seal.
    pub version: i64,
    /// Which key has sealed its secret.
    pub key_id: String,
    /// Its secret, sealed.
    pub sealed: Vec<u8>,
    /// Since when it is asked for.
    pub confirmed_at: Option<Timestamp>,
}

/// Somebody's second factor, also one that he has not confirmed yet.
pub async fn find(reader: &mut Reader, person: &PersonId) -> Result<Option<Factor>, Error> {
    let row: Option<(i64, String, Vec<u8>, Option<At>)> = on!(reader, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(person).fetch_optional(conn).await?
    });
    Ok(row.map(|(version, key_id, sealed, confirmed_at)| Factor {
        version,
        key_id,
        sealed,
        confirmed_at: confirmed_at.map(Timestamp::from),
    }))
}

/// Keeps the secret of an app that is to be confirmed; false when another is asked for already.
pub async fn begin(
    tx: &mut Tx,
    person: &PersonId,
    version: i64,
    (key_id, sealed): (&str, &[u8]),
    now: Timestamp,
) -> Result<bool, Error> {
    on!(tx, BEGIN, |sql, conn| {
        let written = sqlx::query(sql)
            .bind(person)
            .bind(version)
            .bind(key_id)
            .bind(sealed)
            .bind(At(now))
            .execute(conn)
            .await?;
        Ok(written.rows_affected() == 1)
    })
}

/// From now on its codes are asked for; false when it is not this one, or already is.
pub async fn confirm(
    tx: &mut Tx,
    person: &PersonId,
    (version, step): (i64, i64),
    now: Timestamp,
) -> Result<bool, Error> {
    on!(tx, CONFIRM, |sql, conn| {
        let written = sqlx::query(sql)
            .bind(person)
            .bind(version)
            .bind(At(now))
            .bind(step)
            .execute(conn)
            .await?;
        Ok(written.rows_affected() == 1)
    })
}

/// Uses the code of a step up; false when it, or a later one, was used before.
pub async fn use_step(
    tx: &mut Tx,
    person: &PersonId,
    (version, step): (i64, i64),
) -> Result<bool, Error> {
    on!(tx, USE, |sql, conn| {
        let written = sqlx::query(sql).bind(person).bind(version).bind(step).execute(conn).await?;
        Ok(written.rows_affected() == 1)
    })
}

/// Whether somebody is asked for codes.
pub async fn is_on(reader: &mut Reader, person: &PersonId) -> Result<bool, Error> {
    Ok(on!(reader, IS_ON, |sql, conn| sqlx::query_scalar(sql).bind(person).fetch_one(conn).await?))
}

/// Asks nobody for codes any more, and forgets those on paper; false when nothing was there.
pub async fn remove(tx: &mut Tx, person: &PersonId) -> Result<bool, Error> {
    on!(tx, FORGET_CODES, |sql, conn| {
        sqlx::query(sql).bind(person).execute(conn).await?;
    });
    on!(tx, REMOVE, |sql, conn| {
        Ok(sqlx::query(sql).bind(person).execute(conn).await?.rows_affected() == 1)
    })
}

/// Puts codes on paper, by their hashes, in the place of all before.
pub async fn write_codes(
    tx: &mut Tx,
    person: &PersonId,
    hashes: &[String],
    now: Timestamp,
) -> Result<(), Error> {
    on!(tx, FORGET_CODES, |sql, conn| {
        sqlx::query(sql).bind(person).execute(conn).await?;
    });
    for hash in hashes {
        on!(tx, WRITE_CODE, |sql, conn| {
            sqlx::query(sql).bind(hash).bind(person).bind(At(now)).execute(conn).await?;
        });
    }
    Ok(())
}

/// Uses a code on paper up, by its hash; false when it is none of his, or was used.
pub async fn use_code(
    tx: &mut Tx,
    person: &PersonId,
    hash: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    on!(tx, USE_CODE, |sql, conn| {
        let written = sqlx::query(sql).bind(hash).bind(person).bind(At(now)).execute(conn).await?;
        Ok(written.rows_affected() == 1)
    })
}

/// How many codes on paper are left.
pub async fn codes_left(reader: &mut Reader, person: &PersonId) -> Result<u32, Error> {
    let count: i64 = on!(reader, CODES_LEFT, |sql, conn| {
        sqlx::query_scalar(sql).bind(person).fetch_one(conn).await?
    });
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}
