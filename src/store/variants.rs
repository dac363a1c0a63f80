//! Variants: what a post says in each language, as of its present revision.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::id::{PersonId, PostId, VariantId};
use crate::domain::translation::{Translation, VariantStatus};
use crate::domain::variant::{Content, Variant};

statements! {
    INSERT =
        "INSERT INTO variants (id, post_id, language, position, content, content_hash, revision, status,
                               made_from, source_hash, translator, editor)
         SELECT value->>'id', value->>'post_id', value->>'language', value->>'position',
                value->'content', value->>'content_hash', value->>'revision', value->>'status',
                value->>'made_from', value->>'source_hash', value->>'translator', value->>'editor'
         FROM jsonb_each($1)"
        |
        "INSERT INTO variants (id, post_id, language, position, content, content_hash, revision, status,
                               made_from, source_hash, translator, editor)
         SELECT id, post_id, language, position, content, content_hash, revision, status, made_from,
                source_hash, translator, editor
         FROM jsonb_to_recordset($1) AS v(id TEXT, post_id TEXT, language TEXT, position BIGINT,
              content JSONB, content_hash TEXT, revision BIGINT, status TEXT, made_from BIGINT,
              source_hash TEXT, translator TEXT, editor TEXT)";
    OF_POSTS =
        "SELECT post_id, language, content, content_hash, revision, status, made_from, source_hash,
                translator, editor
         FROM variants WHERE post_id IN " ids(1) " ORDER BY post_id, position";
    CLEAR =
        "DELETE FROM variants WHERE post_id = $1";
}

#[derive(Serialize)]
struct NewRow<'a> {
    id: VariantId,
    post_id: &'a PostId,
    language: &'a str,
    position: usize,
    content: &'a Content,
    content_hash: &'a str,
    revision: i64,
    status: VariantStatus,
    made_from: i64,
    source_hash: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    translator: Option<&'a PersonId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    editor: Option<&'a PersonId>,
}

#[derive(sqlx::FromRow)]
struct Row {
    post_id: PostId,
    language: String,
    content: Json<Content>,
    content_hash: String,
    revision: i64,
    status: VariantStatus,
    made_from: i64,
    source_hash: String,
    translator: Option<PersonId>,
    editor: Option<PersonId>,
}

/// Writes the variants of any number of posts, in their order. `random` gives fresh randomness for
/// each id.
pub async fn insert(
    tx: &mut Tx,
    variants: &[(&PostId, &[Variant])],
    now: Timestamp,
    random: impl Fn() -> u128,
) -> Result<(), Error> {
    let mut rows = Vec::new();
    for &(post_id, variants) in variants {
        rows.extend(variants.iter().enumerate().map(|(position, variant)| NewRow {
            id: VariantId::new(now, random()),
            post_id,
            language: &variant.language,
            position,
            content: &variant.content,
            content_hash: &variant.content_hash,
            revision: variant.revision,
            status: variant.translation.status,
            made_from: variant.translation.made_from,
            source_hash: &variant.translation.source_hash,
            translator: variant.translation.translator.as_ref(),
            editor: variant.translation.editor.as_ref(),
        }));
    }
    if rows.is_empty() {
        return Ok(());
    }
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql).bind(Json(rows)).execute(conn).await?;
    });
    Ok(())
}

/// The variants of posts, in their order.
pub async fn of_posts(
    reader: &mut Reader,
    posts: &[&PostId],
) -> Result<BTreeMap<PostId, Vec<Variant>>, Error> {
    let rows: Vec<Row> = on!(reader, OF_POSTS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(posts)).fetch_all(conn).await?
    });
    let mut found: BTreeMap<PostId, Vec<Variant>> = BTreeMap::new();
    for row in rows {
        found.entry(row.post_id).or_default().push(Variant {
            language: row.language,
            content: row.content.0,
            content_hash: row.content_hash,
            revision: row.revision,
            translation: Translation {
                status: row.status,
                made_from: row.made_from,
                source_hash: row.source_hash,
                translator: row.translator,
                editor: row.editor,
            },
        });
    }
    Ok(found)
}

/// Puts other variants in the place of all that a post has.
pub async fn replace(
    tx: &mut Tx,
    post_id: &PostId,
    variants: &[Variant],
    now: Timestamp,
    random: impl Fn() -> u128,
) -> Result<(), Error> {
    on!(tx, CLEAR, |sql, conn| {
        sqlx::query(sql).bind(post_id).execute(conn).await?;
    });
    insert(tx, &[(post_id, variants)], now, random).await
}
