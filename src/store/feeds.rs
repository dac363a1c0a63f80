//! Secret addresses of the calendar: only the hash of each is kept.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::event::Visibility;
use crate::domain::feed::FeedContent;
use crate::domain::id::{AccountId, FeedId, PersonId, UnitId};
use crate::domain::outbox::Locale;

statements! {
    INSERT =
        "INSERT INTO feeds (id, person_id, name, hash, content, detail, locale, unit_id, account_id, platform,
            language, accounts, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    FIND =
        "SELECT id, person_id, name, content, detail, locale, unit_id, account_id, platform, language, accounts,
            etag, changed_at, fetched_at, created_at, revoked_at
         FROM feeds WHERE id = $1";
    /// Those in force: one's own, those of people who have roles only where one may change people, or all.
    LIST =
        "SELECT e.id, e.person_id, e.name, e.content, e.detail, e.locale, e.unit_id, e.account_id, e.platform,
            e.language, e.accounts, e.etag, e.changed_at, e.fetched_at, e.created_at, e.revoked_at
         FROM feeds AS e JOIN people ON people.id = e.person_id
         WHERE e.id > $1 AND e.revoked_at IS NULL AND (e.person_id = $2 OR $3 OR (
             NOT people.administrator
             AND EXISTS (SELECT 1 FROM roles WHERE roles.person_id = e.person_id)
             AND NOT EXISTS (SELECT 1 FROM roles
                             WHERE roles.person_id = e.person_id AND roles.unit_id NOT IN " ids(4) ")))
         ORDER BY e.id LIMIT $5";
    COUNT = "SELECT COUNT(*) FROM feeds WHERE person_id = $1 AND revoked_at IS NULL";
    /// Of somebody who may sign in.
    BY_HASH =
        "SELECT e.id, e.person_id, e.name, e.content, e.detail, e.locale, e.unit_id, e.account_id, e.platform,
            e.language, e.accounts, e.etag, e.changed_at, e.fetched_at, e.created_at, e.revoked_at
         FROM feeds AS e JOIN people ON people.id = e.person_id
         WHERE e.hash = $1 AND e.revoked_at IS NULL AND people.disabled_at IS NULL";
    REVOKE = "UPDATE feeds SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    FETCHED = "UPDATE feeds SET fetched_at = $2, etag = $3, changed_at = $4 WHERE id = $1";
}

/// A feed without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Its id.
    pub id: FeedId,
    /// Whose it is: it shows what he may see.
    pub person_id: PersonId,
    /// What its owner calls it.
    pub name: String,
    /// Which entries it has.
    pub content: FeedContent,
    /// How much of them at most.
    pub detail: Visibility,
    /// The language of our own words in it.
    pub locale: Locale,
    /// Only of this unit.
    pub unit_id: Option<UnitId>,
    /// Only deliveries to this account.
    pub account_id: Option<AccountId>,
    /// Only deliveries on this platform.
    pub platform: Option<String>,
    /// Only deliveries in this language.
    pub language: Option<String>,
    /// The only accounts that the token concerned by which it was made.
    pub accounts: Option<Vec<AccountId>>,
    /// What was last given out.
    pub etag: Option<String>,
    /// Since when that is so.
    pub changed_at: Option<Timestamp>,
    /// When it was last fetched, to the minute.
    pub fetched_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: FeedId,
    person_id: PersonId,
    name: String,
    content: FeedContent,
    detail: Visibility,
    locale: Locale,
    unit_id: Option<UnitId>,
    account_id: Option<AccountId>,
    platform: Option<String>,
    language: Option<String>,
    accounts: Option<Json<Vec<AccountId>>>,
    etag: Option<String>,
    changed_at: Option<At>,
    fetched_at: Option<At>,
    created_at: At,
    revoked_at: Option<At>,
}

impl From<Row> for Feed {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            person_id: row.person_id,
            name: row.name,
            content: row.content,
            detail: row.detail,
            locale: row.locale,
            unit_id: row.unit_id,
            account_id: row.account_id,
            platform: row.platform,
            language: row.language,
            accounts: row.accounts.map(|it| it.0),
            etag: row.etag,
            changed_at: row.changed_at.map(Timestamp::from),
            fetched_at: row.fetched_at.map(Timestamp::from),
            created_at: row.created_at.into(),
            revoked_at: row.revoked_at.map(Timestamp::from),
        }
    }
}

/// Writes a new feed.
pub async fn insert(tx: &mut Tx, feed: &Feed, hash: &str) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&feed.id)
            .bind(&feed.person_id)
            .bind(&feed.name)
            .bind(hash)
            .bind(feed.content)
            .bind(feed.detail)
            .bind(feed.locale)
            .bind(&feed.unit_id)
            .bind(&feed.account_id)
            .bind(&feed.platform)
            .bind(&feed.language)
            .bind(feed.accounts.as_ref().map(Json))
            .bind(At(feed.created_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// One feed, also one that was revoked.
pub async fn find(reader: &mut Reader, id: &FeedId) -> Result<Option<Feed>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Feed::from))
}

/// Whose feeds are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's.
    All,
    /// One's own, and those of people who have roles in these units alone.
    Within(BTreeSet<UnitId>),
}

/// Feeds in force after an id, in the order of their ids.
pub async fn list(
    reader: &mut Reader,
    asker: &PersonId,
    whose: &Whose,
    after: Option<&FeedId>,
    limit: u32,
) -> Result<Vec<Feed>, Error> {
    let none = BTreeSet::new();
    let (all, within) = match whose {
        Whose::All => (true, &none),
        Whose::Within(units) => (false, units),
    };
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql)
            .bind(after.map_or("", FeedId::as_str))
            .bind(asker)
            .bind(all)
            .bind(Json(within))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
    });
    Ok(rows.into_iter().map(Feed::from).collect())
}

/// How many feeds of a person are in force.
pub async fn count(reader: &mut Reader, person: &PersonId) -> Result<i64, Error> {
    Ok(on!(reader, COUNT, |sql, conn| sqlx::query_scalar(sql).bind(person).fetch_one(conn).await?))
}

/// The feed whose address has a secret with this hash; none when it was revoked or its owner may not sign in.
pub async fn by_hash(reader: &mut Reader, hash: &str) -> Result<Option<Feed>, Error> {
    let row: Option<Row> = on!(reader, BY_HASH, |sql, conn| {
        sqlx::query_as(sql).bind(hash).fetch_optional(conn).await?
    });
    Ok(row.map(Feed::from))
}

/// Revokes a feed; false when it was revoked already.
pub async fn revoke(tx: &mut Tx, id: &FeedId, now: Timestamp) -> Result<bool, Error> {
    on!(tx, REVOKE, |sql, conn| {
        Ok(sqlx::query(sql).bind(id).bind(At(now)).execute(conn).await?.rows_affected() == 1)
    })
}

/// Notes that a feed was fetched, and what was given out since when.
pub async fn fetched(
    tx: &mut Tx,
    id: &FeedId,
    now: Timestamp,
    etag: &str,
    changed_at: Timestamp,
) -> Result<(), Error> {
    on!(tx, FETCHED, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(At(now))
            .bind(etag)
            .bind(At(changed_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}
