//! Units and their tree.

use jiff::civil::Date;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::id::UnitId;
use crate::domain::unit::{Approval, Unit, UnitKind, UnitName};

statements! {
    INSERT = "INSERT INTO units (id, name, kind, parent_id, country, time_zone, languages, approval, opened_on, closed_on, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    UPDATE = "UPDATE units SET name = $2, kind = $3, parent_id = $4, country = $5, time_zone = $6, languages = $7, approval = $8, opened_on = $9, closed_on = $10, version = version + 1, updated_at = $11 WHERE id = $1 AND version = $12";
    FIND = "SELECT id, name, kind, parent_id, country, time_zone, languages, approval, opened_on, closed_on, version, created_at, updated_at FROM units WHERE id = $1";
    LIST = "SELECT id, name, kind, parent_id, country, time_zone, languages, approval, opened_on, closed_on, version, created_at, updated_at FROM units WHERE id > $1 AND (CAST($2 AS TEXT) IS NULL OR parent_id = $2) ORDER BY id LIMIT $3";
    ABOVE = "WITH RECURSIVE above (id, parent_id, depth) AS (SELECT id, parent_id, 0 FROM units WHERE id = $1 UNION ALL SELECT units.id, units.parent_id, above.depth + 1 FROM units JOIN above ON units.id = above.parent_id WHERE above.depth < 100) SELECT id FROM above";
    BELOW = "WITH RECURSIVE below (id, depth) AS (SELECT id, 0 FROM units WHERE id = $1 UNION ALL SELECT units.id, below.depth + 1 FROM units JOIN below ON units.parent_id = below.id WHERE below.depth < 100) SELECT id FROM below";
    /// Two moves at once could otherwise close a circle; SQLite has one writer anyway.
    LOCK_TREE = "SELECT 1" | "LOCK TABLE units IN SHARE ROW EXCLUSIVE MODE";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: UnitId,
    name: Json<UnitName>,
    kind: UnitKind,
    parent_id: Option<UnitId>,
    country: Option<String>,
    time_zone: String,
    languages: Json<Vec<String>>,
    approval: Approval,
    opened_on: Option<String>,
    closed_on: Option<String>,
    version: i64,
    created_at: At,
    updated_at: At,
}

impl Row {
    fn unit(self) -> Result<Unit, Error> {
        Ok(Unit {
            id: self.id,
            name: self.name.0,
            kind: self.kind,
            parent_id: self.parent_id,
            country: self.country,
            time_zone: self.time_zone,
            languages: self.languages.0,
            approval: self.approval,
            opened_on: day(self.opened_on, "units.opened_on")?,
            closed_on: day(self.closed_on, "units.closed_on")?,
            version: self.version,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}

fn day(text: Option<String>, column: &'static str) -> Result<Option<Date>, Error> {
    text.map(|text| text.parse().map_err(|_unreadable: jiff::Error| Error::Unreadable(column)))
        .transpose()
}

/// Writes a new unit.
pub async fn insert(tx: &mut Tx, unit: &Unit) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&unit.id)
            .bind(Json(&unit.name))
            .bind(unit.kind)
            .bind(&unit.parent_id)
            .bind(&unit.country)
            .bind(&unit.time_zone)
            .bind(Json(&unit.languages))
            .bind(unit.approval)
            .bind(unit.opened_on.map(|day| day.to_string()))
            .bind(unit.closed_on.map(|day| day.to_string()))
            .bind(unit.version)
            .bind(At(unit.created_at))
            .bind(At(unit.updated_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// Writes a changed unit over the version that it was made from; `Stale` when that is gone.
pub async fn update(tx: &mut Tx, unit: &Unit, from_version: i64) -> Result<(), Error> {
    let changed = on!(tx, UPDATE, |sql, conn| {
        sqlx::query(sql)
            .bind(&unit.id)
            .bind(Json(&unit.name))
            .bind(unit.kind)
            .bind(&unit.parent_id)
            .bind(&unit.country)
            .bind(&unit.time_zone)
            .bind(Json(&unit.languages))
            .bind(unit.approval)
            .bind(unit.opened_on.map(|day| day.to_string()))
            .bind(unit.closed_on.map(|day| day.to_string()))
            .bind(At(unit.updated_at))
            .bind(from_version)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// One unit.
pub async fn find(reader: &mut Reader, id: &UnitId) -> Result<Option<Unit>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    row.map(Row::unit).transpose()
}

/// Units after an id, in the order of their ids; those right below `parent` when it is given.
pub async fn list(
    reader: &mut Reader,
    after: Option<&UnitId>,
    parent: Option<&UnitId>,
    limit: u32,
) -> Result<Vec<Unit>, Error> {
    let after = after.map_or("", UnitId::as_str);
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql).bind(after).bind(parent).bind(i64::from(limit)).fetch_all(conn).await?
    });
    rows.into_iter().map(Row::unit).collect()
}

/// The unit itself and all above it, nearest first; empty when there is no such unit. The tree
/// cannot change any more in this transaction.
pub async fn above(tx: &mut Tx, id: &UnitId) -> Result<Vec<UnitId>, Error> {
    on!(tx, LOCK_TREE, |sql, conn| {
        sqlx::query(sql).execute(conn).await?;
    });
    on!(tx, ABOVE, |sql, conn| Ok(sqlx::query_scalar(sql).bind(id).fetch_all(conn).await?))
}

/// The unit itself and all above it, nearest first, as they are at the moment.
pub async fn upwards(reader: &mut Reader, id: &UnitId) -> Result<Vec<UnitId>, Error> {
    Ok(on!(reader, ABOVE, |sql, conn| sqlx::query_scalar(sql).bind(id).fetch_all(conn).await?))
}

/// A unit and all units below it.
pub async fn below(
    reader: &mut Reader,
    id: &UnitId,
) -> Result<std::collections::BTreeSet<UnitId>, Error> {
    let rows: Vec<UnitId> =
        on!(reader, BELOW, |sql, conn| sqlx::query_scalar(sql).bind(id).fetch_all(conn).await?);
    Ok(rows.into_iter().collect())
}
