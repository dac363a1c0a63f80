//! Events of the calendar.

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::event::{Event, EventKind, Visibility, When};
use crate::domain::id::{EventId, PersonId, UnitId};
use crate::domain::unit::UnitName;

statements! {
    INSERT =
        "INSERT INTO events (id, unit_id, title, kind, said_when, time_zone, country, visibility, note,
            begins_at, ends_at, version, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    UPDATE =
        "UPDATE events SET title = $2, kind = $3, said_when = $4, time_zone = $5, country = $6,
            visibility = $7, note = $8, begins_at = $9, ends_at = $10, updated_at = $11,
            version = version + 1
         WHERE id = $1 AND version = $12 AND removed_at IS NULL";
    REMOVE =
        "UPDATE events SET removed_at = $2, updated_at = $2, version = version + 1
         WHERE id = $1 AND version = $3 AND removed_at IS NULL";
    FIND =
        "SELECT id, unit_id, title, kind, said_when, time_zone, country, visibility, note, version,
            created_by, created_at, updated_at
         FROM events WHERE id = $1 AND removed_at IS NULL";
    LIST =
        "SELECT id, unit_id, title, kind, said_when, time_zone, country, visibility, note, version,
            created_by, created_at, updated_at
         FROM events WHERE removed_at IS NULL AND begins_at < ends_at";
    /// What comes each year has no span: it stands at the epoch, by which it is found.
    YEARLY =
        "SELECT id, unit_id, title, kind, said_when, time_zone, country, visibility, note, version,
            created_by, created_at, updated_at
         FROM events
         WHERE removed_at IS NULL AND begins_at = $2 AND ends_at = $2
           AND (CAST($1 AS TEXT) IS NULL OR unit_id = $1)";
    REMOVED =
        "SELECT id, unit_id, title, kind, said_when, time_zone, country, visibility, note, version,
            created_by, created_at, updated_at
         FROM events
         WHERE removed_at >= $1 AND begins_at < $2 AND ends_at > $3 AND begins_at < ends_at
           AND (CAST($4 AS TEXT) IS NULL OR unit_id = $4)
         ORDER BY removed_at DESC LIMIT $5";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: EventId,
    unit_id: UnitId,
    title: Json<UnitName>,
    kind: EventKind,
    said_when: Json<When>,
    time_zone: String,
    country: Option<String>,
    visibility: Visibility,
    note: Option<String>,
    version: i64,
    created_by: PersonId,
    created_at: At,
    updated_at: At,
}

impl From<Row> for Event {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            unit_id: row.unit_id,
            title: row.title.0,
            kind: row.kind,
            when: row.said_when.0,
            time_zone: row.time_zone,
            country: row.country,
            visibility: row.visibility,
            note: row.note,
            version: row.version,
            created_by: row.created_by,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

/// Writes a new event.
pub async fn insert(tx: &mut Tx, event: &Event) -> Result<(), Error> {
    let (begins, ends) = event.when.span(&event.time_zone);
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&event.id)
            .bind(&event.unit_id)
            .bind(Json(&event.title))
            .bind(event.kind)
            .bind(Json(&event.when))
            .bind(&event.time_zone)
            .bind(&event.country)
            .bind(event.visibility)
            .bind(&event.note)
            .bind(At(begins))
            .bind(At(ends))
            .bind(event.version)
            .bind(&event.created_by)
            .bind(At(event.created_at))
            .bind(At(event.updated_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// Writes a changed event over the version that it was made from; `Stale` when that is gone.
pub async fn update(tx: &mut Tx, event: &Event, from_version: i64) -> Result<(), Error> {
    let (begins, ends) = event.when.span(&event.time_zone);
    let changed = on!(tx, UPDATE, |sql, conn| {
        sqlx::query(sql)
            .bind(&event.id)
            .bind(Json(&event.title))
            .bind(event.kind)
            .bind(Json(&event.when))
            .bind(&event.time_zone)
            .bind(&event.country)
            .bind(event.visibility)
            .bind(&event.note)
            .bind(At(begins))
            .bind(At(ends))
            .bind(At(event.updated_at))
            .bind(from_version)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Takes an event out of the calendar; it stays as a record.
pub async fn remove(
    tx: &mut Tx,
    id: &EventId,
    from_version: i64,
    now: Timestamp,
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

/// One event.
pub async fn find(reader: &mut Reader, id: &EventId) -> Result<Option<Event>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Event::from))
}

/// Which events of a time are wanted.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Those that have not ended before.
    pub from: Timestamp,
    /// Those that begin before.
    pub to: Timestamp,
    /// Of this unit.
    pub unit_id: Option<UnitId>,
    /// Those after this one, by their beginning and id.
    pub after: Option<(Timestamp, String)>,
}

/// Events of a time, by their beginning.
pub async fn list(reader: &mut Reader, filter: &Filter, limit: u32) -> Result<Vec<Event>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        let mut query = sqlx::QueryBuilder::new(sql);
        query.push(" AND begins_at < ").push_bind(At(filter.to));
        query.push(" AND ends_at > ").push_bind(At(filter.from));
        if let Some(unit) = &filter.unit_id {
            query.push(" AND unit_id = ").push_bind(unit);
        }
        if let Some((at, id)) = &filter.after {
            query.push(" AND (begins_at > ").push_bind(At(*at));
            query.push(" OR (begins_at = ").push_bind(At(*at));
            query.push(" AND id > ").push_bind(id).push("))");
        }
        query.push(" ORDER BY begins_at, id LIMIT ").push_bind(i64::from(limit));
        query.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Event::from).collect())
}

/// Events that come each year.
pub async fn yearly(reader: &mut Reader, unit_id: Option<&UnitId>) -> Result<Vec<Event>, Error> {
    let rows: Vec<Row> = on!(reader, YEARLY, |sql, conn| sqlx::query_as(sql)
        .bind(unit_id)
        .bind(At(Timestamp::UNIX_EPOCH))
        .fetch_all(conn)
        .await?);
    Ok(rows.into_iter().map(Event::from).collect())
}

/// Events of a time that were removed since, the latest first.
pub async fn removed(
    reader: &mut Reader,
    since: Timestamp,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Event>, Error> {
    let rows: Vec<Row> = on!(reader, REMOVED, |sql, conn| {
        sqlx::query_as(sql)
            .bind(At(since))
            .bind(At(filter.to))
            .bind(At(filter.from))
            .bind(&filter.unit_id)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
    });
    Ok(rows.into_iter().map(Event::from).collect())
}
