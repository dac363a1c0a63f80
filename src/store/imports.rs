//! Imports: what came out of which table, and what has become of it since.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::id::{EventId, ImportId, PersonId, PostId, UnitId};
use crate::domain::import::{Import, ImportKind, Item, MeantDelivery, Since};

statements! {
    INSERT =
        "INSERT INTO imports (id, kind, unit_id, file_name, sha256, row_count, made, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    INSERT_ITEM =
        "INSERT INTO import_items (import_id, number, title, post_id, event_id, deliveries)
         VALUES ($1, $2, $3, $4, $5, $6)";
    FIND =
        "SELECT id, kind, unit_id, file_name, sha256, row_count AS rows_below, made, created_by, created_at, undone_by, undone_at
         FROM imports WHERE id = $1";
    /// Those of some units, or all.
    LIST =
        "SELECT id, kind, unit_id, file_name, sha256, row_count AS rows_below, made, created_by, created_at, undone_by, undone_at
         FROM imports
         WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) AND ($2 OR unit_id IN " ids(3) ")
         ORDER BY id DESC LIMIT $4";
    ITEMS =
        "SELECT number, title, post_id, event_id, deliveries FROM import_items WHERE import_id = $1 ORDER BY number";
    POSTS_SINCE =
        "SELECT p.id, CASE
            WHEN p.removed_at IS NOT NULL THEN 'removed'
            WHEN EXISTS (SELECT 1 FROM deliveries WHERE deliveries.post_id = p.id)
              OR EXISTS (SELECT 1 FROM series WHERE series.post_id = p.id)
              OR EXISTS (SELECT 1 FROM kits WHERE kits.post_id = p.id) THEN 'planned'
            WHEN p.submitted_at IS NOT NULL
              OR EXISTS (SELECT 1 FROM approvals WHERE approvals.post_id = p.id) THEN 'submitted'
            WHEN p.revision <> 1
              OR EXISTS (SELECT 1 FROM variants WHERE variants.post_id = p.id AND status <> 'draft') THEN 'changed'
            ELSE 'untouched' END AS since
         FROM import_items AS t JOIN posts AS p ON p.id = t.post_id
         WHERE t.import_id = $1";
    EVENTS_SINCE =
        "SELECT e.id, CASE
            WHEN e.removed_at IS NOT NULL THEN 'removed'
            WHEN e.version <> 1 THEN 'changed'
            ELSE 'untouched' END AS since
         FROM import_items AS t JOIN events AS e ON e.id = t.event_id
         WHERE t.import_id = $1";
    UNDONE = "UPDATE imports SET undone_by = $2, undone_at = $3 WHERE id = $1 AND undone_at IS NULL";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ImportId,
    kind: ImportKind,
    unit_id: UnitId,
    file_name: Option<String>,
    sha256: String,
    rows_below: i64,
    made: i64,
    created_by: PersonId,
    created_at: At,
    undone_by: Option<PersonId>,
    undone_at: Option<At>,
}

impl From<Row> for Import {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            unit_id: row.unit_id,
            file_name: row.file_name,
            sha256: row.sha256,
            rows: row.rows_below,
            made: row.made,
            created_by: row.created_by,
            created_at: row.created_at.into(),
            undone_by: row.undone_by,
            undone_at: row.undone_at.map(Timestamp::from),
        }
    }
}

#[derive(sqlx::FromRow)]
struct ItemRow {
    number: i64,
    title: String,
    post_id: Option<PostId>,
    event_id: Option<EventId>,
    deliveries: Json<Vec<MeantDelivery>>,
}

impl From<ItemRow> for Item {
    fn from(row: ItemRow) -> Self {
        Self {
            number: row.number,
            title: row.title,
            post_id: row.post_id,
            event_id: row.event_id,
            deliveries: row.deliveries.0,
        }
    }
}

/// Writes a batch with everything that was made.
pub async fn insert(tx: &mut Tx, import: &Import, items: &[Item]) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&import.id)
            .bind(import.kind)
            .bind(&import.unit_id)
            .bind(&import.file_name)
            .bind(&import.sha256)
            .bind(import.rows)
            .bind(import.made)
            .bind(&import.created_by)
            .bind(At(import.created_at))
            .execute(conn)
            .await?;
    });
    for item in items {
        on!(tx, INSERT_ITEM, |sql, conn| {
            sqlx::query(sql)
                .bind(&import.id)
                .bind(item.number)
                .bind(&item.title)
                .bind(&item.post_id)
                .bind(&item.event_id)
                .bind(Json(&item.deliveries))
                .execute(conn)
                .await?;
        });
    }
    Ok(())
}

/// One batch.
pub async fn find(reader: &mut Reader, id: &ImportId) -> Result<Option<Import>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Import::from))
}

/// The newest batches of these units, or of all; newest first, older than `before`.
pub async fn list(
    reader: &mut Reader,
    within: Option<&[UnitId]>,
    before: Option<&ImportId>,
    limit: u32,
) -> Result<Vec<Import>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql)
            .bind(before)
            .bind(within.is_none())
            .bind(Json(within.unwrap_or_default()))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
    });
    Ok(rows.into_iter().map(Import::from).collect())
}

/// What was made, in the order of the rows.
pub async fn items(reader: &mut Reader, id: &ImportId) -> Result<Vec<Item>, Error> {
    let rows: Vec<ItemRow> =
        on!(reader, ITEMS, |sql, conn| sqlx::query_as(sql).bind(id).fetch_all(conn).await?);
    Ok(rows.into_iter().map(Item::from).collect())
}

/// What has become of the posts.
pub async fn posts_since(
    reader: &mut Reader,
    id: &ImportId,
) -> Result<BTreeMap<PostId, Since>, Error> {
    let rows: Vec<(PostId, Since)> =
        on!(reader, POSTS_SINCE, |sql, conn| sqlx::query_as(sql).bind(id).fetch_all(conn).await?);
    Ok(rows.into_iter().collect())
}

/// What has become of the events.
pub async fn events_since(
    reader: &mut Reader,
    id: &ImportId,
) -> Result<BTreeMap<EventId, Since>, Error> {
    let rows: Vec<(EventId, Since)> =
        on!(reader, EVENTS_SINCE, |sql, conn| sqlx::query_as(sql).bind(id).fetch_all(conn).await?);
    Ok(rows.into_iter().collect())
}

/// Notes who undid a batch first.
pub async fn undone(
    tx: &mut Tx,
    id: &ImportId,
    by: &PersonId,
    now: Timestamp,
) -> Result<(), Error> {
    on!(tx, UNDONE, |sql, conn| {
        sqlx::query(sql).bind(id).bind(by).bind(At(now)).execute(conn).await?;
        Ok(())
    })
}
