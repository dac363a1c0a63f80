//! Files that come in piece by piece: whose they are and what became of them.

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::id::{MediaId, PersonId, UploadId};
use crate::domain::upload::Upload;

statements! {
    /// Of two uploads that one person begins at once, the second waits for the first and counts it.
    IN_TURN =
        "SELECT '' WHERE $1 IS NULL"
        | "SELECT CAST(pg_advisory_xact_lock(hashtext('chancery.uploads'), hashtext($1)) AS TEXT)";
    UNFINISHED =
        "SELECT COUNT(*) FROM uploads
         WHERE person_id = $1 AND expires_at > $2 AND media_id IS NULL AND problem IS NULL";
    INSERT =
        "INSERT INTO uploads (id, person_id, size_bytes, metadata, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)";
    FIND =
        "SELECT id, person_id, size_bytes, metadata, media_id, problem, created_at, expires_at
         FROM uploads WHERE id = $1";
    FINISH =
        "UPDATE uploads SET media_id = $2, problem = $3
         WHERE id = $1 AND media_id IS NULL AND problem IS NULL";
    REMOVE = "DELETE FROM uploads WHERE id = $1";
    EXPIRED = "SELECT id FROM uploads WHERE expires_at <= $1 ORDER BY id LIMIT 200";
    FORGET = "DELETE FROM uploads WHERE id IN " ids(1);
}

#[derive(sqlx::FromRow)]
struct Row {
    id: UploadId,
    person_id: PersonId,
    size_bytes: i64,
    metadata: String,
    media_id: Option<MediaId>,
    problem: Option<String>,
    created_at: At,
    expires_at: At,
}

impl From<Row> for Upload {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            person_id: row.person_id,
            size_bytes: row.size_bytes.unsigned_abs(),
            metadata: row.metadata,
            media_id: row.media_id,
            problem: row.problem,
            created_at: row.created_at.into(),
            expires_at: row.expires_at.into(),
        }
    }
}

/// How many of a person's uploads are unfinished; nobody can begin another one until the commit.
pub async fn unfinished(tx: &mut Tx, person: &PersonId, now: Timestamp) -> Result<i64, Error> {
    on!(tx, IN_TURN, |sql, conn| {
        sqlx::query(sql).bind(person).execute(conn).await?;
    });
    Ok(on!(tx, UNFINISHED, |sql, conn| {
        sqlx::query_scalar(sql).bind(person).bind(At(now)).fetch_one(conn).await?
    }))
}

/// Writes a new one.
pub async fn insert(tx: &mut Tx, upload: &Upload) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&upload.id)
            .bind(&upload.person_id)
            .bind(i64::try_from(upload.size_bytes).unwrap_or(i64::MAX))
            .bind(&upload.metadata)
            .bind(At(upload.created_at))
            .bind(At(upload.expires_at))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The upload with this id.
pub async fn find(reader: &mut Reader, id: &UploadId) -> Result<Option<Upload>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Upload::from))
}

/// Notes what became of it, once; false when that is known already, or nobody wants it any more.
pub async fn finish(
    tx: &mut Tx,
    id: &UploadId,
    became: Result<&MediaId, &str>,
) -> Result<bool, Error> {
    Ok(on!(tx, FINISH, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(became.ok())
            .bind(became.err())
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// Forgets one.
pub async fn remove(tx: &mut Tx, id: &UploadId) -> Result<(), Error> {
    on!(tx, REMOVE, |sql, conn| {
        sqlx::query(sql).bind(id).execute(conn).await?;
    });
    Ok(())
}

/// Forgets some of those whose time is over, and says which.
pub async fn forget(tx: &mut Tx, now: Timestamp) -> Result<Vec<UploadId>, Error> {
    let over: Vec<UploadId> = on!(tx, EXPIRED, |sql, conn| {
        sqlx::query_scalar(sql).bind(At(now)).fetch_all(conn).await?
    });
    if !over.is_empty() {
        on!(tx, FORGET, |sql, conn| {
            sqlx::query(sql).bind(Json(&over)).execute(conn).await?;
        });
    }
    Ok(over)
}
