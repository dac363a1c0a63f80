//! Translations: what sources have said before, and texts that may not go out before they are proofed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::id::{DeliveryId, PostId};
use crate::domain::translation::{Unproofed, VariantStatus};
use crate::domain::variant::{Content, Variant};

statements! {
    /// What it says again later is kept once.
    KEEP =
        "INSERT INTO former_sources (post_id, content_hash, language, revision, content, replaced_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    FORMER =
        "SELECT language, content FROM former_sources WHERE post_id = $1 AND content_hash = $2";
    BAR =
        "INSERT INTO unproofed (post_id, language, content_hash, status)
         SELECT value->>'post_id', value->>'language', value->>'content_hash', value->>'status'
         FROM jsonb_each($1) WHERE true
         ON CONFLICT (post_id, language, content_hash) DO UPDATE SET status = excluded.status"
        |
        "INSERT INTO unproofed (post_id, language, content_hash, status)
         SELECT post_id, language, content_hash, status
         FROM jsonb_to_recordset($1) AS v(post_id TEXT, language TEXT, content_hash TEXT, status TEXT)
         ON CONFLICT (post_id, language, content_hash) DO UPDATE SET status = excluded.status";
    /// The same words in copies of what is offered, unless their own unit has proofed them.
    BAR_COPIES =
        "INSERT INTO unproofed (post_id, language, content_hash, status)
         SELECT v.post_id, v.language, v.content_hash, $4 FROM offers AS o
         JOIN variants AS v ON v.post_id = o.post_id
         WHERE o.source_id = $1 AND v.language = $2 AND v.content_hash = $3 AND v.status <> 'proofed'
         ON CONFLICT (post_id, language, content_hash) DO UPDATE SET status = excluded.status";
    MARK_COPIES =
        "UPDATE variants SET status = $4
         WHERE language = $2 AND content_hash = $3 AND status <> 'proofed'
           AND post_id IN (SELECT o.post_id FROM offers AS o WHERE o.source_id = $1)";
    LET_PASS =
        "DELETE FROM unproofed WHERE post_id = $1 AND language = $2 AND content_hash = $3";
    UNPROOFED = "SELECT language, content_hash, status FROM unproofed WHERE post_id = $1";
    /// What is still to go out in a language of a post, and who has planned it.
    COMING =
        "SELECT id, language, substr(created_by, 1, 36) FROM deliveries
         WHERE post_id = $1 AND (state IN ('draft', 'pending_approval', 'scheduled', 'held')) IS TRUE
         ORDER BY due_at, id";
}

#[derive(Serialize)]
struct Barred<'a> {
    post_id: &'a PostId,
    language: &'a str,
    content_hash: &'a str,
    status: VariantStatus,
}

/// What the source of a post said before something else takes its place.
pub async fn keep(tx: &mut Tx, post: &PostId, was: &Variant, now: Timestamp) -> Result<(), Error> {
    on!(tx, KEEP, |sql, conn| {
        sqlx::query(sql)
            .bind(post)
            .bind(&was.content_hash)
            .bind(&was.language)
            .bind(was.revision)
            .bind(Json(&was.content))
            .bind(At(now))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// What the source of a post said once, and in which language.
pub async fn former(
    reader: &mut Reader,
    post: &PostId,
    content_hash: &str,
) -> Result<Option<(String, Content)>, Error> {
    let row: Option<(String, Json<Content>)> = on!(reader, FORMER, |sql, conn| {
        sqlx::query_as(sql).bind(post).bind(content_hash).fetch_optional(conn).await?
    });
    Ok(row.map(|(language, content)| (language, content.0)))
}

/// From here on none of those goes out that are not proofed.
pub async fn bar(tx: &mut Tx, variants: &[(&PostId, &[Variant])]) -> Result<(), Error> {
    let each = |&(post_id, variants): &(_, _)| {
        let variants: &[Variant] = variants;
        variants.iter().map(move |one| Barred {
            post_id,
            language: &one.language,
            content_hash: &one.content_hash,
            status: one.translation.status,
        })
    };
    let rows: Vec<Barred<'_>> =
        variants.iter().flat_map(each).filter(|one| !one.status.goes_out()).collect();
    if rows.is_empty() {
        return Ok(());
    }
    on!(tx, BAR, |sql, conn| {
        sqlx::query(sql).bind(Json(rows)).execute(conn).await?;
    });
    Ok(())
}

/// What is not proofed in what is offered goes out of no copy either that says just the same.
pub async fn bar_copies(tx: &mut Tx, source: &PostId, variants: &[Variant]) -> Result<(), Error> {
    for one in variants.iter().filter(|one| !one.translation.status.goes_out()) {
        for sql in [BAR_COPIES, MARK_COPIES] {
            on!(tx, sql, |sql, conn| {
                sqlx::query(sql)
                    .bind(source)
                    .bind(&one.language)
                    .bind(&one.content_hash)
                    .bind(one.translation.status)
                    .execute(conn)
                    .await?;
            });
        }
    }
    Ok(())
}

/// Just this text is proofed.
pub async fn let_pass(tx: &mut Tx, post: &PostId, proofed: &Variant) -> Result<(), Error> {
    on!(tx, LET_PASS, |sql, conn| {
        sqlx::query(sql)
            .bind(post)
            .bind(&proofed.language)
            .bind(&proofed.content_hash)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The texts of a post that are not proofed, whether or not they are what it says now.
pub async fn unproofed(reader: &mut Reader, post: &PostId) -> Result<Unproofed, Error> {
    let rows: Vec<(String, String, VariantStatus)> = on!(reader, UNPROOFED, |sql, conn| {
        sqlx::query_as(sql).bind(post).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(language, hash, status)| ((language, hash), status)).collect())
}

/// By language what is still to go out of a post, and who has planned it.
pub async fn coming(
    reader: &mut Reader,
    post: &PostId,
) -> Result<BTreeMap<String, Vec<(DeliveryId, String)>>, Error> {
    let rows: Vec<(DeliveryId, String, String)> =
        on!(reader, COMING, |sql, conn| sqlx::query_as(sql).bind(post).fetch_all(conn).await?);
    let mut found: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (id, language, by) in rows {
        found.entry(language).or_default().push((id, by));
    }
    Ok(found)
}
