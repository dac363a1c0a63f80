//! What is known of stored files; the bytes are on disk, by their hash.

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::id::{MediaId, PersonId};
use crate::domain::media::{Media, MediaKind, VideoFacts};
use crate::domain::terms::Terms;

statements! {
    INSERT = "INSERT INTO media (id, kind, mime, width, height, duration_ms, video, size_bytes, sha256, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    BY_OTHERS = "SELECT EXISTS (SELECT 1 FROM media WHERE sha256 = $1 AND created_by <> $2)";
    FIND = "SELECT media.id, kind, mime, width, height, duration_ms, video, size_bytes, media.sha256, created_at, t.sha256 IS NOT NULL AS has_terms, licence, credit, embargo_until, licensed_until FROM media LEFT JOIN terms AS t ON t.sha256 = media.sha256 WHERE id = $1 AND removed_at IS NULL";
    FIND_MANY = "SELECT media.id, kind, mime, width, height, duration_ms, video, size_bytes, media.sha256, created_at, t.sha256 IS NOT NULL AS has_terms, licence, credit, embargo_until, licensed_until FROM media LEFT JOIN terms AS t ON t.sha256 = media.sha256 WHERE removed_at IS NULL AND id IN " ids(1) " ORDER BY id";
    LIST = "SELECT media.id, kind, mime, width, height, duration_ms, video, size_bytes, media.sha256, created_at, t.sha256 IS NOT NULL AS has_terms, licence, credit, embargo_until, licensed_until FROM media LEFT JOIN terms AS t ON t.sha256 = media.sha256 WHERE removed_at IS NULL AND id > $1 ORDER BY id LIMIT $2";
    /// Also of what was removed: its bytes stay.
    NEWEST = "SELECT sha256, size_bytes FROM media ORDER BY id DESC LIMIT 1";
    REMOVE = "UPDATE media SET removed_at = $2 WHERE id = $1 AND removed_at IS NULL";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: MediaId,
    kind: MediaKind,
    mime: String,
    width: Option<i64>,
    height: Option<i64>,
    duration_ms: Option<i64>,
    video: Option<Json<VideoFacts>>,
    size_bytes: i64,
    sha256: String,
    created_at: At,
    has_terms: bool,
    licence: Option<String>,
    credit: Option<String>,
    embargo_until: Option<At>,
    licensed_until: Option<At>,
}

impl Row {
    fn media(self) -> Result<Media, Error> {
        let pixels = |it: Option<i64>| {
            it.map(u32::try_from).transpose().map_err(|_range| Error::Unreadable("media.width"))
        };
        let terms = Terms {
            licence: self.licence,
            credit: self.credit,
            embargo_until: self.embargo_until.map(Timestamp::from),
            licensed_until: self.licensed_until.map(Timestamp::from),
        };
        Ok(Media {
            id: self.id,
            kind: self.kind,
            mime: self.mime,
            width: pixels(self.width)?,
            height: pixels(self.height)?,
            duration_ms: self.duration_ms.map(i64::unsigned_abs),
            video: self.video.map(|video| video.0),
            size_bytes: self.size_bytes.unsigned_abs(),
            sha256: self.sha256,
            terms: self.has_terms.then_some(terms),
            created_at: self.created_at.into(),
        })
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Whether anybody else has handed in this content.
pub async fn by_others(reader: &mut Reader, sha256: &str, but: &PersonId) -> Result<bool, Error> {
    Ok(on!(reader, BY_OTHERS, |sql, conn| {
        sqlx::query_scalar(sql).bind(sha256).bind(but).fetch_one(conn).await?
    }))
}

/// Writes what is known of a new file.
pub async fn insert(tx: &mut Tx, media: &Media, by: &PersonId) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&media.id)
            .bind(media.kind)
            .bind(&media.mime)
            .bind(media.width.map(i64::from))
            .bind(media.height.map(i64::from))
            .bind(media.duration_ms.map(signed))
            .bind(media.video.as_ref().map(Json))
            .bind(signed(media.size_bytes))
            .bind(&media.sha256)
            .bind(by)
            .bind(At(media.created_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// One file that was not removed.
pub async fn find(reader: &mut Reader, id: &MediaId) -> Result<Option<Media>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    row.map(Row::media).transpose()
}

/// Those of the files that exist, in the order of their ids.
pub async fn find_many(reader: &mut Reader, ids: &[MediaId]) -> Result<Vec<Media>, Error> {
    let rows: Vec<Row> = on!(reader, FIND_MANY, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    });
    rows.into_iter().map(Row::media).collect()
}

/// Files after an id, in the order of their ids.
pub async fn list(
    reader: &mut Reader,
    after: Option<&MediaId>,
    limit: u32,
) -> Result<Vec<Media>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql)
            .bind(after.map_or("", MediaId::as_str))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
    });
    rows.into_iter().map(Row::media).collect()
}

/// The hash and the size of the newest file, if there is any.
pub async fn newest(reader: &mut Reader) -> Result<Option<(String, u64)>, Error> {
    let row: Option<(String, i64)> =
        on!(reader, NEWEST, |sql, conn| sqlx::query_as(sql).fetch_optional(conn).await?);
    Ok(row.map(|(sha256, size)| (sha256, size.unsigned_abs())))
}

/// Hides a file; false when it was hidden already. The bytes stay: what was scheduled needs them.
pub async fn remove(tx: &mut Tx, id: &MediaId, now: Timestamp) -> Result<bool, Error> {
    on!(tx, REMOVE, |sql, conn| {
        Ok(sqlx::query(sql).bind(id).bind(At(now)).execute(conn).await?.rows_affected() == 1)
    })
}
