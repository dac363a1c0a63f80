//! Posts: rows, one statement for any number of new ones, and change by compare-and-set.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::class::Class;
use crate::domain::id::{PostId, UnitId};
use crate::domain::post::Post;

statements! {
    INSERT =
        "INSERT INTO posts (id, unit_id, campaign_id, title, class, source_language, wanted_languages, labels,
                            revision, content_hash, created_by, created_at, updated_at)
         SELECT value->>'id', value->>'unit_id', value->>'campaign_id', value->>'title', value->>'class',
                value->>'source_language', value->'wanted_languages', value->'labels', value->>'revision', value->>'content_hash',
                value->>'created_by', value->>'created_ms', value->>'created_ms'
         FROM jsonb_each($1)"
        |
        "INSERT INTO posts (id, unit_id, campaign_id, title, class, source_language, wanted_languages, labels,
                            revision, content_hash, created_by, created_at, updated_at)
         SELECT id, unit_id, campaign_id, title, class, source_language, wanted_languages, labels, revision,
                content_hash, created_by, TIMESTAMPTZ 'epoch' + created_ms * INTERVAL '1 millisecond',
                TIMESTAMPTZ 'epoch' + created_ms * INTERVAL '1 millisecond'
         FROM jsonb_to_recordset($1) AS v(id TEXT, unit_id TEXT, campaign_id TEXT, title TEXT,
              class TEXT, source_language TEXT, wanted_languages JSONB, labels JSONB, revision BIGINT, content_hash TEXT,
              created_by TEXT, created_ms BIGINT)";
    FIND =
        "SELECT id, unit_id, campaign_id, title, class, source_language, wanted_languages, labels, revision,
                content_hash, created_by, created_at, updated_at
         FROM posts WHERE id = $1 AND removed_at IS NULL";
    FIND_MANY =
        "SELECT id, unit_id, campaign_id, title, class, source_language, wanted_languages, labels, revision,
                content_hash, created_by, created_at, updated_at
         FROM posts WHERE removed_at IS NULL AND id IN " ids(1);
    UPDATE =
        "UPDATE posts SET campaign_id = $3, title = $4, class = $5, source_language = $6, labels = $7,
                revision = revision + 1, content_hash = $8, updated_at = $9, wanted_languages = $10
         WHERE id = $1 AND revision = $2 AND removed_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM deliveries WHERE post_id = $1 AND state = 'publishing')";
    /// Before `REMOVE`, which would otherwise not see what was scheduled while it waited.
    LOCK = "SELECT id FROM posts WHERE id = $1" | "SELECT id FROM posts WHERE id = $1 FOR UPDATE";
    REMOVE =
        "UPDATE posts SET removed_at = $3, revision = revision + 1, updated_at = $3
         WHERE id = $1 AND revision = $2 AND removed_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM deliveries WHERE post_id = $1
               AND state NOT IN ('published', 'missed', 'failed', 'cancelled', 'vanished', 'recalled'))";
    LOCK_REVISIONS =
        "SELECT id, revision FROM posts
         WHERE id IN (SELECT value FROM jsonb_each($1)) AND removed_at IS NULL"
        |
        "SELECT id, revision FROM posts
         WHERE id IN (SELECT jsonb_array_elements_text($1)) AND removed_at IS NULL
         ORDER BY id FOR SHARE";
    LIST =
        "SELECT id, unit_id, campaign_id, title, class, source_language, wanted_languages, labels, revision,
                content_hash, created_by, created_at, updated_at
         FROM posts WHERE removed_at IS NULL";
}

#[derive(Serialize)]
struct NewRow<'a> {
    id: &'a PostId,
    unit_id: &'a UnitId,
    campaign_id: Option<&'a str>,
    title: &'a str,
    class: Class,
    source_language: &'a str,
    wanted_languages: &'a [String],
    labels: &'a [String],
    revision: i64,
    content_hash: &'a str,
    created_by: &'a str,
    created_ms: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: PostId,
    unit_id: UnitId,
    campaign_id: Option<String>,
    title: String,
    class: Class,
    source_language: String,
    wanted_languages: Json<Vec<String>>,
    labels: Json<Vec<String>>,
    revision: i64,
    content_hash: String,
    created_by: String,
    created_at: At,
    updated_at: At,
}

impl From<Row> for Post {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            unit_id: row.unit_id,
            campaign_id: row.campaign_id,
            title: row.title,
            class: row.class,
            source_language: row.source_language,
            wanted_languages: row.wanted_languages.0,
            labels: row.labels.0,
            revision: row.revision,
            content_hash: row.content_hash,
            created_by: row.created_by,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

/// Which posts a list is to have; every filter that is `None` lets all pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this unit.
    pub unit_id: Option<UnitId>,
    /// Of one of these units.
    pub within: Option<BTreeSet<UnitId>>,
    /// Of this campaign.
    pub campaign_id: Option<String>,
    /// Of this class.
    pub class: Option<Class>,
    /// Older than this one: where the page before ended.
    pub before: Option<PostId>,
}

/// Writes new posts, without their variants.
pub async fn insert(tx: &mut Tx, posts: &[&Post]) -> Result<(), Error> {
    if posts.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = posts
        .iter()
        .map(|post| NewRow {
            id: &post.id,
            unit_id: &post.unit_id,
            campaign_id: post.campaign_id.as_deref(),
            title: &post.title,
            class: post.class,
            source_language: &post.source_language,
            wanted_languages: &post.wanted_languages,
            labels: &post.labels,
            revision: post.revision,
            content_hash: &post.content_hash,
            created_by: &post.created_by,
            created_ms: post.created_at.as_millisecond(),
        })
        .collect();
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql).bind(Json(rows)).execute(conn).await?;
    });
    Ok(())
}

/// The post with this id, unless it was removed.
pub async fn find(reader: &mut Reader, id: &PostId) -> Result<Option<Post>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Post::from))
}

/// Those of these posts that were not removed; in no order.
pub async fn find_many(reader: &mut Reader, ids: &[PostId]) -> Result<Vec<Post>, Error> {
    let rows: Vec<Row> = on!(reader, FIND_MANY, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Post::from).collect())
}

/// Writes a change that was based on `post.revision` and raises the revision by one. False when the
/// post has changed meanwhile, was removed, or one of its deliveries is leaving at this moment.
pub async fn update(tx: &mut Tx, post: &Post, now: Timestamp) -> Result<bool, Error> {
    let changed = on!(tx, UPDATE, |sql, conn| {
        sqlx::query(sql)
            .bind(&post.id)
            .bind(post.revision)
            .bind(post.campaign_id.as_deref())
            .bind(&post.title)
            .bind(post.class)
            .bind(&post.source_language)
            .bind(Json(&post.labels))
            .bind(&post.content_hash)
            .bind(At(now))
            .bind(Json(&post.wanted_languages))
            .execute(conn)
            .await?
            .rows_affected()
    });
    Ok(changed == 1)
}

/// Removes a post at `revision`; it stays for the deliveries that were made of it. False when it
/// has changed meanwhile or one of its deliveries is not at its end.
pub async fn remove(
    tx: &mut Tx,
    id: &PostId,
    revision: i64,
    now: Timestamp,
) -> Result<bool, Error> {
    on!(tx, LOCK, |sql, conn| {
        sqlx::query(sql).bind(id).execute(conn).await?;
    });
    let changed = on!(tx, REMOVE, |sql, conn| {
        sqlx::query(sql).bind(id).bind(revision).bind(At(now)).execute(conn).await?.rows_affected()
    });
    Ok(changed == 1)
}

/// The present revision of those of `ids` that are not removed. Nobody can change them before the
/// transaction ends.
pub async fn lock_revisions(tx: &mut Tx, ids: &[&PostId]) -> Result<BTreeMap<PostId, i64>, Error> {
    let rows: Vec<(PostId, i64)> = on!(tx, LOCK_REVISIONS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().collect())
}

/// The newest posts that pass, newest first.
pub async fn list(reader: &mut Reader, filter: &Filter, limit: i64) -> Result<Vec<Post>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        let mut query = sqlx::QueryBuilder::new(sql);
        if let Some(unit) = &filter.unit_id {
            query.push(" AND unit_id = ").push_bind(unit);
        }
        if let Some(within) = &filter.within {
            query.push(" AND unit_id IN (''");
            for unit in within {
                query.push(", ").push_bind(unit);
            }
            query.push(")");
        }
        if let Some(campaign) = &filter.campaign_id {
            query.push(" AND campaign_id = ").push_bind(campaign);
        }
        if let Some(class) = filter.class {
            query.push(" AND class = ").push_bind(class);
        }
        if let Some(before) = &filter.before {
            query.push(" AND id < ").push_bind(before);
        }
        query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
        query.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Post::from).collect())
}
