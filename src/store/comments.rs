//! Notes on posts, and who may be called by one.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::comment::Comment;
use crate::domain::id::{CommentId, PersonId, PostId, UnitId};

statements! {
    INSERT =
        "INSERT INTO comments (id, post_id, reply_to, language, revision, text, mentions, version, created_by,
            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)";
    UPDATE =
        "UPDATE comments SET text = $2, mentions = $3, resolved_at = $4, resolved_by = $5, removed_at = $6,
            removed_by = $7, updated_at = $8, version = version + 1
         WHERE id = $1 AND version = $9";
    FIND =
        "SELECT id, post_id, reply_to, language, revision, text, mentions, resolved_at, resolved_by, removed_at,
            removed_by, version, created_by, created_at, updated_at
         FROM comments WHERE id = $1";
    LIST =
        "SELECT id, post_id, reply_to, language, revision, text, mentions, resolved_at, resolved_by, removed_at,
            removed_by, version, created_by, created_at, updated_at
         FROM comments WHERE post_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    COUNT = "SELECT COUNT(*) FROM comments WHERE post_id = $1";
    /// Of some people those who see what a unit has: roles cover the units below.
    WHO_SEE =
        "WITH RECURSIVE above (id, parent_id, depth) AS (
             SELECT id, parent_id, 0 FROM units WHERE id = $2
             UNION ALL
             SELECT units.id, units.parent_id, above.depth + 1 FROM units
             JOIN above ON units.id = above.parent_id WHERE above.depth < 100)
         SELECT p.id FROM people AS p
         WHERE p.disabled_at IS NULL
           AND (p.administrator OR EXISTS (
               SELECT 1 FROM roles AS r JOIN above ON above.id = r.unit_id
               WHERE r.person_id = p.id AND (r.ends_at IS NULL OR r.ends_at > $3)))
           AND p.id IN " ids(1);
}

#[derive(sqlx::FromRow)]
struct Row {
    id: CommentId,
    post_id: PostId,
    reply_to: Option<CommentId>,
    language: Option<String>,
    revision: i64,
    text: String,
    mentions: Json<Vec<PersonId>>,
    resolved_at: Option<At>,
    resolved_by: Option<PersonId>,
    removed_at: Option<At>,
    removed_by: Option<PersonId>,
    version: i64,
    created_by: PersonId,
    created_at: At,
    updated_at: At,
}

impl From<Row> for Comment {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            post_id: row.post_id,
            reply_to: row.reply_to,
            language: row.language,
            revision: row.revision,
            text: row.text,
            mentions: row.mentions.0,
            resolved_at: row.resolved_at.map(Timestamp::from),
            resolved_by: row.resolved_by,
            removed_at: row.removed_at.map(Timestamp::from),
            removed_by: row.removed_by,
            version: row.version,
            created_by: row.created_by,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

/// Writes a new note.
pub async fn insert(tx: &mut Tx, comment: &Comment) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&comment.id)
            .bind(&comment.post_id)
            .bind(&comment.reply_to)
            .bind(&comment.language)
            .bind(comment.revision)
            .bind(&comment.text)
            .bind(Json(&comment.mentions))
            .bind(comment.version)
            .bind(&comment.created_by)
            .bind(At(comment.created_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// Writes a changed note over the version that it was made from; `Stale` when that is gone.
pub async fn update(tx: &mut Tx, comment: &Comment, from_version: i64) -> Result<(), Error> {
    let changed = on!(tx, UPDATE, |sql, conn| {
        sqlx::query(sql)
            .bind(&comment.id)
            .bind(&comment.text)
            .bind(Json(&comment.mentions))
            .bind(comment.resolved_at.map(At))
            .bind(&comment.resolved_by)
            .bind(comment.removed_at.map(At))
            .bind(&comment.removed_by)
            .bind(At(comment.updated_at))
            .bind(from_version)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// One note.
pub async fn find(reader: &mut Reader, id: &CommentId) -> Result<Option<Comment>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Comment::from))
}

/// Notes on a post after one, as they were written.
pub async fn list(
    reader: &mut Reader,
    post: &PostId,
    after: Option<&CommentId>,
    limit: u32,
) -> Result<Vec<Comment>, Error> {
    let after = after.map_or("", CommentId::as_str);
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql).bind(post).bind(after).bind(i64::from(limit)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Comment::from).collect())
}

/// How many notes a post has, removed ones too.
pub async fn count(reader: &mut Reader, post: &PostId) -> Result<i64, Error> {
    Ok(on!(reader, COUNT, |sql, conn| sqlx::query_scalar(sql).bind(post).fetch_one(conn).await?))
}

/// Those of these people who see what this unit has.
pub async fn who_see(
    reader: &mut Reader,
    people: &[PersonId],
    unit: &UnitId,
    now: Timestamp,
) -> Result<BTreeSet<PersonId>, Error> {
    let rows: Vec<PersonId> = on!(reader, WHO_SEE, |sql, conn| {
        sqlx::query_scalar(sql).bind(Json(people)).bind(unit).bind(At(now)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().collect())
}
