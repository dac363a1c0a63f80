//! Posts on our accounts that did not come from here, as people see them.

use jiff::Timestamp;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::foreign::ForeignStatus;
use crate::domain::id::{AccountId, ForeignPostId, PersonId, UnitId};

statements! {
    /// What a delivery has is left out wherever foreign posts are shown or counted: it may have become the
    /// delivery's after it was found.
    LIST =
        "SELECT f.id, f.account_id, a.unit_id, a.platform, f.remote_id, f.permalink, f.published_at,
                f.text, f.seen_at, f.status, f.explained_by, f.explained_at, f.note
         FROM foreign_posts AS f JOIN accounts AS a ON a.id = f.account_id
         WHERE f.status <> 'open' AND NOT EXISTS (
             SELECT 1 FROM deliveries AS d
             WHERE d.account_id = f.account_id AND d.remote_id = f.remote_id)";
    FIND =
        "SELECT f.id, f.account_id, a.unit_id, a.platform, f.remote_id, f.permalink, f.published_at,
                f.text, f.seen_at, f.status, f.explained_by, f.explained_at, f.note
         FROM foreign_posts AS f JOIN accounts AS a ON a.id = f.account_id
         WHERE f.id = $1 AND f.status <> 'open' AND NOT EXISTS (
             SELECT 1 FROM deliveries AS d
             WHERE d.account_id = f.account_id AND d.remote_id = f.remote_id)";
    COUNTS =
        "SELECT a.platform, COUNT(*) FROM foreign_posts AS f JOIN accounts AS a ON a.id = f.account_id
         WHERE f.status = 'new' AND NOT EXISTS (
             SELECT 1 FROM deliveries AS d
             WHERE d.account_id = f.account_id AND d.remote_id = f.remote_id)
         GROUP BY a.platform";
    EXPLAIN =
        "UPDATE foreign_posts SET status = 'explained', explained_by = $2, explained_at = $3, note = $4
         WHERE id = $1 AND status = 'new'";
}

/// A post that did not come from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignPost {
    /// Its id here.
    pub id: ForeignPostId,
    /// On which account.
    pub account_id: AccountId,
    /// The account's unit.
    pub unit_id: UnitId,
    /// The platform's word.
    pub platform: String,
    /// The platform's id of it.
    pub remote_id: String,
    /// Where it can be seen.
    pub permalink: Option<String>,
    /// When the platform says it was published.
    pub published_at: Timestamp,
    /// The beginning of what it says.
    pub text: String,
    /// When it was found.
    pub seen_at: Timestamp,
    /// Whether somebody has said what it is.
    pub status: ForeignStatus,
    /// Who.
    pub explained_by: Option<PersonId>,
    /// When.
    pub explained_at: Option<Timestamp>,
    /// What he has said.
    pub note: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ForeignPostId,
    account_id: AccountId,
    unit_id: UnitId,
    platform: String,
    remote_id: String,
    permalink: Option<String>,
    published_at: At,
    text: String,
    seen_at: At,
    status: ForeignStatus,
    explained_by: Option<PersonId>,
    explained_at: Option<At>,
    note: Option<String>,
}

impl From<Row> for ForeignPost {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            account_id: row.account_id,
            unit_id: row.unit_id,
            platform: row.platform,
            remote_id: row.remote_id,
            permalink: row.permalink,
            published_at: row.published_at.0,
            text: row.text,
            seen_at: row.seen_at.0,
            status: row.status,
            explained_by: row.explained_by,
            explained_at: row.explained_at.map(Timestamp::from),
            note: row.note,
        }
    }
}

/// Which of them a list is to have; every filter that is `None` lets all pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// On this account.
    pub account_id: Option<AccountId>,
    /// On one of these accounts: all that the asker may know of.
    pub among: Option<Vec<AccountId>>,
    /// On an account of this unit.
    pub unit_id: Option<UnitId>,
    /// That stand so.
    pub status: Option<ForeignStatus>,
    /// Published at or after.
    pub from: Option<Timestamp>,
    /// Published before.
    pub to: Option<Timestamp>,
    /// Found before this one.
    pub before: Option<ForeignPostId>,
}

/// The posts that pass, those that were found last first.
pub async fn list(
    reader: &mut Reader,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<ForeignPost>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        let mut query = sqlx::QueryBuilder::new(sql);
        if let Some(account) = &filter.account_id {
            query.push(" AND f.account_id = ").push_bind(account);
        }
        if let Some(among) = &filter.among {
            query.push(" AND f.account_id IN (''");
            for account in among {
                query.push(", ").push_bind(account);
            }
            query.push(")");
        }
        if let Some(unit) = &filter.unit_id {
            query.push(" AND a.unit_id = ").push_bind(unit);
        }
        if let Some(status) = filter.status {
            query.push(" AND f.status = ").push_bind(status);
        }
        if let Some(from) = filter.from {
            query.push(" AND f.published_at >= ").push_bind(At(from));
        }
        if let Some(to) = filter.to {
            query.push(" AND f.published_at < ").push_bind(At(to));
        }
        if let Some(before) = &filter.before {
            query.push(" AND f.id < ").push_bind(before);
        }
        query.push(" ORDER BY f.id DESC LIMIT ").push_bind(i64::from(limit));
        query.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(ForeignPost::from).collect())
}

/// The post with this id, unless it is a delivery's by now.
pub async fn find(reader: &mut Reader, id: &ForeignPostId) -> Result<Option<ForeignPost>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(ForeignPost::from))
}

/// How many nobody has explained, by platform.
pub async fn counts(reader: &mut Reader) -> Result<Vec<(String, i64)>, Error> {
    Ok(on!(reader, COUNTS, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?))
}

/// Keeps what a person says of one; `Stale` when it has been explained.
pub async fn explain(
    tx: &mut Tx,
    id: &ForeignPostId,
    by: &PersonId,
    note: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let changed = on!(tx, EXPLAIN, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(by)
            .bind(At(now))
            .bind(note)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}
