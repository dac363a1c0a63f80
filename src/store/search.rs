//! The words of posts, to find posts by: full text of SQLite (FTS5) and of PostgreSQL (`tsvector`), which get the
//! same words in the same order.
//!
//! What is known is behind by what has changed since, and never says what a reader may see: it finds ids alone.

use sqlx::types::Json;

use super::db::Conn;
use super::sql::{on, statements};
use super::{Error, Reader, Tx, posts, variants};
use crate::domain::class::Class;
use crate::domain::id::{PostId, UnitId};
use crate::domain::post::Post;
use crate::domain::text::{Phrase, Search, unmarked, words};
use crate::domain::variant::{Content, Variant};

/// The most words of a post that are known; PostgreSQL counts places up to 16,383 and keeps a megabyte of them.
const MOST_WORDS: usize = 10_000;

statements! {
    BEHIND = "SELECT EXISTS (SELECT 1 FROM posts WHERE searched_revision <> revision)";
    /// What somebody is changing is left for later: so this never waits while it has others wait.
    UNSEARCHED = "SELECT id, revision FROM posts WHERE searched_revision <> revision ORDER BY id LIMIT $1"
        | "SELECT id, revision FROM posts WHERE searched_revision <> revision ORDER BY id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED";
    SEARCHED =
        "UPDATE posts SET searched_revision = $2 WHERE id = $1";
    NUMBER =
        "INSERT INTO searched_posts (post_id) VALUES ($1)
         ON CONFLICT (post_id) DO UPDATE SET post_id = excluded.post_id RETURNING number";
    /// What the database is told of a post, as [`told`] words it.
    PUT =
        "INSERT OR REPLACE INTO post_words (rowid, exact, folded, facets)
         SELECT $1, value->>0, value->>1, value->>2 FROM (SELECT jsonb($2) AS value)"
        |
        "INSERT INTO post_words (number, words) VALUES ($1, CAST(CAST($2 AS JSONB)->>0 AS TSVECTOR))
         ON CONFLICT (number) DO UPDATE SET words = excluded.words";
    TAKE_OUT =
        "DELETE FROM post_words WHERE rowid = (SELECT number FROM searched_posts WHERE post_id = $1)"
        |
        "DELETE FROM post_words WHERE number = (SELECT number FROM searched_posts WHERE post_id = $1)";
    PLACE = "SELECT number FROM searched_posts WHERE post_id = $1";
    MATCHING =
        "SELECT s.post_id FROM post_words
         JOIN searched_posts AS s ON s.number = post_words.rowid
         WHERE post_words MATCH $1 AND post_words.rowid < $2 ORDER BY post_words.rowid DESC LIMIT $3"
        |
        "SELECT s.post_id FROM post_words AS w
         JOIN searched_posts AS s ON s.number = w.number
         WHERE w.words @@ CAST($1 AS TSQUERY) AND w.number < $2 ORDER BY w.number DESC LIMIT $3";
}

/// Which posts are wanted; every filter that is `None` lets all pass.
#[derive(Debug, Clone)]
pub struct Filter<'a> {
    /// What they say.
    pub search: &'a Search,
    /// Of one of these units.
    pub units: Option<Vec<&'a UnitId>>,
    /// Of this campaign.
    pub campaign_id: Option<&'a str>,
    /// Of this class.
    pub class: Option<Class>,
    /// Found after this one.
    pub after: Option<&'a PostId>,
}

/// The database that words are told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    fn of(reader: &mut Reader) -> Result<Self, Error> {
        Ok(match reader.conn()? {
            Conn::Sqlite(_) => Self::Sqlite,
            Conn::Postgres(..) => Self::Postgres,
        })
    }
}

/// Whether posts have changed that the search does not know yet.
pub async fn is_behind(reader: &mut Reader) -> Result<bool, Error> {
    Ok(on!(reader, BEHIND, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await?))
}

/// Learns what so many posts say now that have changed; gives how many there were.
pub async fn learn(tx: &mut Tx, most: u32) -> Result<usize, Error> {
    let changed: Vec<(PostId, i64)> = on!(tx, UNSEARCHED, |sql, conn| {
        sqlx::query_as(sql).bind(i64::from(most)).fetch_all(conn).await?
    });
    let ids: Vec<PostId> = changed.iter().map(|(id, _)| id.clone()).collect();
    let found = posts::find_many(tx, &ids).await?;
    let mut said = variants::of_posts(tx, &ids.iter().collect::<Vec<_>>()).await?;
    let kind = Kind::of(tx)?;
    // In the order of their ids: what is newer gets the larger number.
    for (id, revision) in &changed {
        match found.iter().find(|post| post.id == *id) {
            Some(post) => {
                let number: i64 = on!(tx, NUMBER, |sql, conn| {
                    sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?
                });
                let told = told(kind, post, &said.remove(id).unwrap_or_default());
                on!(tx, PUT, |sql, conn| {
                    sqlx::query(sql).bind(number).bind(Json(told)).execute(conn).await?;
                });
            }
            None => on!(tx, TAKE_OUT, |sql, conn| {
                sqlx::query(sql).bind(id).execute(conn).await?;
            }),
        }
        // The revision that was read: whoever changes the post meanwhile makes it unknown again.
        on!(tx, SEARCHED, |sql, conn| {
            sqlx::query(sql).bind(id).bind(revision).execute(conn).await?;
        });
    }
    Ok(changed.len())
}

/// Posts that pass, the newest first.
pub async fn matching(
    reader: &mut Reader,
    filter: &Filter<'_>,
    limit: u32,
) -> Result<Vec<PostId>, Error> {
    if filter.units.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let below: Option<i64> = match filter.after {
        None => None,
        Some(after) => on!(reader, PLACE, |sql, conn| {
            sqlx::query_scalar(sql).bind(after).fetch_optional(conn).await?
        }),
    };
    let wanted = match Kind::of(reader)? {
        Kind::Sqlite => match_of(filter),
        Kind::Postgres => query_of(filter),
    };
    Ok(on!(reader, MATCHING, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(&wanted)
            .bind(below.unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
    }))
}

/// The words of a post in the spelling of the database: three columns, or one vector in which a word stands twice at
/// the same place.
fn told(kind: Kind, post: &Post, variants: &[Variant]) -> Vec<String> {
    let mut all = words(&post.title);
    all.extend(post.labels.iter().flat_map(|label| words(label)));
    all.extend(variants.iter().flat_map(|variant| spoken(&variant.content)));
    all.truncate(MOST_WORDS);
    let facets = [
        Some(unit_facet(&post.unit_id)),
        post.campaign_id.as_deref().map(campaign_facet),
        Some(class_facet(post.class)),
    ];
    let facets = facets.into_iter().flatten();
    let folded = all.iter().map(|word| unmarked(word));
    match kind {
        Kind::Sqlite => vec![
            all.join(" "),
            folded.collect::<Vec<_>>().join(" "),
            facets.collect::<Vec<_>>().join(" "),
        ],
        Kind::Postgres => {
            let both = all.iter().zip(folded).zip(1..);
            let both = both.map(|((word, bare), at)| format!("'e{word}':{at} 'f{bare}':{at}"));
            vec![both.chain(facets).collect::<Vec<_>>().join(" ")]
        }
    }
}

/// All words that readers see of one language.
fn spoken(content: &Content) -> impl Iterator<Item = String> {
    let thread = content.thread.iter().map(|piece| piece.text.as_str());
    let alt = content.media.iter().chain(content.thread.iter().flat_map(|piece| &piece.media));
    std::iter::once(content.text.as_str())
        .chain(thread)
        .chain(content.first_comment.as_deref())
        .chain(content.link.as_deref())
        .chain(alt.map(|one| one.alt.as_str()))
        .flat_map(words)
}

fn unit_facet(unit: &UnitId) -> String {
    facet(unit.as_str())
}

fn campaign_facet(campaign: &str) -> String {
    facet(campaign)
}

fn class_facet(class: Class) -> String {
    facet(&format!("class{class}"))
}

/// One word for both databases, which would take an underline for the end of it. Ids begin with their kind, so nothing
/// is taken for something else.
fn facet(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What all must have besides the words: one of each of these.
fn facets(filter: &Filter<'_>) -> Vec<Vec<String>> {
    let units = filter.units.as_ref();
    let units = units.map(|units| units.iter().map(|unit| unit_facet(unit)).collect());
    let campaign = filter.campaign_id.map(|it| vec![campaign_facet(it)]);
    let class = filter.class.map(|it| vec![class_facet(it)]);
    [units, campaign, class].into_iter().flatten().collect()
}

/// In the language of FTS5. Words have letters, figures and marks alone, so nothing in them can end a phrase.
fn match_of(filter: &Filter<'_>) -> String {
    let phrase = |phrase: &Phrase| {
        let column = if phrase.exact { "exact" } else { "folded" };
        let beginning = if phrase.beginning { " *" } else { "" };
        format!("{column} : \"{}\"{beginning}", phrase.words.join(" "))
    };
    let facet = |any: Vec<String>| {
        let any: Vec<String> = any.iter().map(|one| format!("\"{one}\"")).collect();
        format!("facets : ({})", any.join(" OR "))
    };
    let phrases = filter.search.phrases.iter().map(phrase);
    phrases.chain(facets(filter).into_iter().map(facet)).collect::<Vec<_>>().join(" AND ")
}

/// In the language of `tsquery`.
fn query_of(filter: &Filter<'_>) -> String {
    let phrase = |phrase: &Phrase| {
        let form = if phrase.exact { 'e' } else { 'f' };
        let words = phrase.words.iter().map(|word| format!("'{form}{word}'"));
        let beginning = if phrase.beginning { ":*" } else { "" };
        format!("({}{beginning})", words.collect::<Vec<_>>().join(" <-> "))
    };
    let facet = |any: Vec<String>| format!("({})", any.join(" | "));
    let phrases = filter.search.phrases.iter().map(phrase);
    phrases.chain(facets(filter).into_iter().map(facet)).collect::<Vec<_>>().join(" & ")
}
