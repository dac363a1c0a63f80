//! The term base: entries, and the stamp by which whoever remembers those of a unit sees that they have changed.

use std::collections::BTreeSet;

use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::id::{PersonId, TermEntryId, UnitId};
use crate::domain::term_base::{TermEntry, TermName};

statements! {
    INSERT =
        "INSERT INTO term_entries (id, unit_id, names, search, note, match_case, version, created_by, created_at,
            updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    UPDATE =
        "UPDATE term_entries SET names = $2, search = $3, note = $4, match_case = $5, updated_at = $6,
            version = version + 1
         WHERE id = $1 AND version = $7";
    REMOVE = "DELETE FROM term_entries WHERE id = $1 AND version = $2";
    FIND =
        "SELECT id, unit_id, names, note, match_case, version, created_by, created_at, updated_at
         FROM term_entries WHERE id = $1";
    OF_UNIT =
        "SELECT id, unit_id, names, note, match_case, version, created_by, created_at, updated_at
         FROM term_entries WHERE unit_id = $1 ORDER BY id";
    COUNT = "SELECT COUNT(*) FROM term_entries WHERE unit_id = $1";
    LIST =
        "SELECT id, unit_id, names, note, match_case, version, created_by, created_at, updated_at
         FROM term_entries WHERE true";
    /// Whoever writes comes first or afterwards: the row is held until the end.
    TOUCH =
        "INSERT INTO term_bases (unit_id, stamp) VALUES ($1, $2)
         ON CONFLICT (unit_id) DO UPDATE SET stamp = excluded.stamp";
    STAMPS =
        "WITH RECURSIVE above (id, parent_id, depth) AS (
             SELECT id, parent_id, 0 FROM units WHERE id = $1
             UNION ALL
             SELECT units.id, units.parent_id, above.depth + 1 FROM units
             JOIN above ON units.id = above.parent_id WHERE above.depth < 100)
         SELECT b.unit_id, b.stamp FROM above JOIN term_bases AS b ON b.unit_id = above.id
         ORDER BY above.depth";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: TermEntryId,
    unit_id: UnitId,
    names: Json<Vec<TermName>>,
    note: String,
    match_case: bool,
    version: i64,
    created_by: PersonId,
    created_at: At,
    updated_at: At,
}

impl From<Row> for TermEntry {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            unit_id: row.unit_id,
            names: row.names.0,
            note: row.note,
            match_case: row.match_case,
            version: row.version,
            created_by: row.created_by,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

/// Says that the entries of a unit are others now: before they are counted or changed, so that two who write at once
/// come one after the other.
pub async fn touch(tx: &mut Tx, unit: &UnitId, stamp: u128) -> Result<(), Error> {
    on!(tx, TOUCH, |sql, conn| {
        sqlx::query(sql).bind(unit).bind(format!("{stamp:032x}")).execute(conn).await?;
        Ok(())
    })
}

/// The units with entries that hold for this one, itself first, each with its stamp.
pub async fn stamps(reader: &mut Reader, unit: &UnitId) -> Result<Vec<(UnitId, String)>, Error> {
    Ok(on!(reader, STAMPS, |sql, conn| sqlx::query_as(sql).bind(unit).fetch_all(conn).await?))
}

/// Writes a new entry.
pub async fn insert(tx: &mut Tx, entry: &TermEntry) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&entry.id)
            .bind(&entry.unit_id)
            .bind(Json(&entry.names))
            .bind(entry.found_by())
            .bind(&entry.note)
            .bind(entry.match_case)
            .bind(entry.version)
            .bind(&entry.created_by)
            .bind(At(entry.created_at))
            .bind(At(entry.updated_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// Writes a changed entry over the version that it was made from; `Stale` when that is gone.
pub async fn update(tx: &mut Tx, entry: &TermEntry, from_version: i64) -> Result<(), Error> {
    let changed = on!(tx, UPDATE, |sql, conn| {
        sqlx::query(sql)
            .bind(&entry.id)
            .bind(Json(&entry.names))
            .bind(entry.found_by())
            .bind(&entry.note)
            .bind(entry.match_case)
            .bind(At(entry.updated_at))
            .bind(from_version)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Removes an entry at a version; what it said is in the audit. `Stale` when it has changed meanwhile.
pub async fn remove(tx: &mut Tx, id: &TermEntryId, from_version: i64) -> Result<(), Error> {
    let gone = on!(tx, REMOVE, |sql, conn| {
        sqlx::query(sql).bind(id).bind(from_version).execute(conn).await?.rows_affected()
    });
    if gone == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// One entry.
pub async fn find(reader: &mut Reader, id: &TermEntryId) -> Result<Option<TermEntry>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(TermEntry::from))
}

/// All entries of a unit, oldest first.
pub async fn of_unit(reader: &mut Reader, unit: &UnitId) -> Result<Vec<TermEntry>, Error> {
    let rows: Vec<Row> =
        on!(reader, OF_UNIT, |sql, conn| sqlx::query_as(sql).bind(unit).fetch_all(conn).await?);
    Ok(rows.into_iter().map(TermEntry::from).collect())
}

/// How many entries a unit has.
pub async fn count(reader: &mut Reader, unit: &UnitId) -> Result<i64, Error> {
    Ok(on!(reader, COUNT, |sql, conn| sqlx::query_scalar(sql).bind(unit).fetch_one(conn).await?))
}

/// Which entries a list is to have; every filter that is `None` lets all pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of one of these units.
    pub within: Option<BTreeSet<UnitId>>,
    /// Those in which this stands, as names are compared.
    pub search: Option<String>,
    /// Older than this one: where the page before ended.
    pub before: Option<TermEntryId>,
}

/// The newest entries that pass, newest first.
pub async fn list(
    reader: &mut Reader,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<TermEntry>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        let mut query = sqlx::QueryBuilder::new(sql);
        if let Some(within) = &filter.within {
            query.push(" AND unit_id IN (''");
            for unit in within {
                query.push(", ").push_bind(unit);
            }
            query.push(")");
        }
        if let Some(search) = &filter.search {
            query.push(" AND search LIKE ").push_bind(anywhere(search)).push(" ESCAPE '!'");
        }
        if let Some(before) = &filter.before {
            query.push(" AND id < ").push_bind(before);
        }
        query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit));
        query.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(TermEntry::from).collect())
}

/// A pattern for what stands anywhere; signs of patterns are meant as themselves.
fn anywhere(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
