//! The terms of files, and which deliveries carry which files.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::deliveries::NewDelivery;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::id::{AccountId, DeliveryId, PersonId};
use crate::domain::terms::Terms;

statements! {
    SET =
        "INSERT INTO terms (sha256, licence, credit, embargo_until, licensed_until, updated_by,
            updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (sha256) DO UPDATE SET licence = excluded.licence, credit = excluded.credit,
            embargo_until = excluded.embargo_until, licensed_until = excluded.licensed_until,
            updated_by = excluded.updated_by, updated_at = excluded.updated_at";
    OF =
        "SELECT sha256, licence, credit, embargo_until, licensed_until FROM terms
         WHERE sha256 IN " ids(1);
    OF_DELIVERY =
        "SELECT t.sha256, t.licence, t.credit, t.embargo_until, t.licensed_until
         FROM delivery_files AS c JOIN terms AS t ON t.sha256 = c.sha256
         WHERE c.delivery_id = $1 ORDER BY t.sha256";
    CARRY =
        "INSERT INTO delivery_files (delivery_id, sha256)
         SELECT value->>'delivery_id', value->>'sha256' FROM jsonb_each($1)"
        |
        "INSERT INTO delivery_files (delivery_id, sha256)
         SELECT delivery_id, sha256 FROM jsonb_to_recordset($1) AS v(delivery_id TEXT, sha256 TEXT)";
    HELD =
        "SELECT d.id FROM delivery_files AS c JOIN deliveries AS d ON d.id = c.delivery_id
         WHERE c.sha256 = $1 AND (d.state = 'held') IS TRUE ORDER BY d.id";
    STOPPED =
        "SELECT d.id FROM delivery_files AS c
         JOIN deliveries AS d ON d.id = c.delivery_id
         JOIN terms AS t ON t.sha256 = c.sha256
         WHERE c.sha256 = $1 AND (d.state IN ('scheduled', 'held')) IS TRUE
           AND (t.embargo_until > d.due_at OR t.licensed_until <= d.due_at)
         ORDER BY d.due_at, d.id";
    UNDER_WAY =
        "SELECT d.id, d.account_id, d.state_since FROM delivery_files AS c
         JOIN deliveries AS d ON d.id = c.delivery_id
         WHERE c.sha256 = $1 AND (d.state = 'publishing') IS TRUE ORDER BY d.due_at, d.id";
}

#[derive(sqlx::FromRow)]
struct Row {
    sha256: String,
    licence: Option<String>,
    credit: Option<String>,
    embargo_until: Option<At>,
    licensed_until: Option<At>,
}

impl Row {
    fn terms(self) -> (String, Terms) {
        let terms = Terms {
            licence: self.licence,
            credit: self.credit,
            embargo_until: self.embargo_until.map(Timestamp::from),
            licensed_until: self.licensed_until.map(Timestamp::from),
        };
        (self.sha256, terms)
    }
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Carried<'a> {
    delivery_id: &'a DeliveryId,
    sha256: &'a str,
}

/// Sets the terms of a file in the place of those before.
pub async fn set(
    tx: &mut Tx,
    sha256: &str,
    terms: &Terms,
    by: &PersonId,
    now: Timestamp,
) -> Result<(), Error> {
    on!(tx, SET, |sql, conn| {
        sqlx::query(sql)
            .bind(sha256)
            .bind(&terms.licence)
            .bind(&terms.credit)
            .bind(terms.embargo_until.map(At))
            .bind(terms.licensed_until.map(At))
            .bind(by)
            .bind(At(now))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The terms of those of the files that have any, by their hash.
pub async fn of(
    reader: &mut Reader,
    files: &BTreeSet<&str>,
) -> Result<BTreeMap<String, Terms>, Error> {
    let rows: Vec<Row> =
        on!(reader, OF, |sql, conn| sqlx::query_as(sql).bind(Json(files)).fetch_all(conn).await?);
    Ok(rows.into_iter().map(Row::terms).collect())
}

/// The terms of the files that a delivery carries in any of its parts.
pub async fn of_delivery(reader: &mut Reader, id: &DeliveryId) -> Result<Vec<Terms>, Error> {
    let rows: Vec<Row> =
        on!(reader, OF_DELIVERY, |sql, conn| sqlx::query_as(sql).bind(id).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|row| row.terms().1).collect())
}

/// Notes which files new deliveries carry.
pub(super) async fn carry(tx: &mut Tx, deliveries: &[&NewDelivery]) -> Result<(), Error> {
    let carried: BTreeSet<Carried<'_>> = deliveries
        .iter()
        .flat_map(|one| {
            let thread = one.content.thread.iter().flat_map(|part| &part.media);
            let files = one.content.media.iter().chain(thread);
            files.map(|file| Carried { delivery_id: &one.id, sha256: &file.sha256 })
        })
        .collect();
    if carried.is_empty() {
        return Ok(());
    }
    on!(tx, CARRY, |sql, conn| {
        sqlx::query(sql).bind(Json(carried)).execute(conn).await?;
    });
    Ok(())
}

/// The deliveries with a file that are held, for whatever reason, by their id.
pub async fn held(reader: &mut Reader, sha256: &str) -> Result<Vec<DeliveryId>, Error> {
    Ok(on!(reader, HELD, |sql, conn| {
        sqlx::query_scalar(sql).bind(sha256).fetch_all(conn).await?
    }))
}

/// The deliveries with a file that have not begun to leave and that its terms
/// do not let go at their instant, by that.
pub async fn stopped(reader: &mut Reader, sha256: &str) -> Result<Vec<DeliveryId>, Error> {
    Ok(on!(reader, STOPPED, |sql, conn| {
        sqlx::query_scalar(sql).bind(sha256).fetch_all(conn).await?
    }))
}

/// The deliveries with a file that are guarded or on their way, and since when, by their instant.
pub async fn under_way(
    reader: &mut Reader,
    sha256: &str,
) -> Result<Vec<(DeliveryId, AccountId, Timestamp)>, Error> {
    let rows: Vec<(DeliveryId, AccountId, At)> =
        on!(reader, UNDER_WAY, |sql, conn| sqlx::query_as(sql)
            .bind(sha256)
            .fetch_all(conn)
            .await?);
    Ok(rows.into_iter().map(|(id, account, since)| (id, account, since.0)).collect())
}
