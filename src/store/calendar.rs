//! What the calendar shows of deliveries, and where units stand to each other.

use jiff::Timestamp;
use jiff::civil::Date;

use super::Reader;
use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use crate::domain::class::Class;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{AccountId, DeliveryId, PostId, SeriesId, UnitId};

statements! {
    /// What follows the first part of a post goes out with it. A delivery belongs to its account's unit.
    DELIVERIES =
        "SELECT d.id, d.post_id, d.account_id, a.unit_id, d.platform, d.language, d.class, d.state,
            d.due_at, p.title, p.source_language, p.campaign_id, o.series_id,
            a.display_name AS account_name,
            d.version + p.revision AS version, d.updated_at, p.updated_at AS retitled_at
         FROM deliveries AS d
         JOIN posts AS p ON p.id = d.post_id
         JOIN accounts AS a ON a.id = d.account_id
         LEFT JOIN occurrences AS o ON o.delivery_id = d.id
         WHERE d.part = 1";
    PARENTS = "SELECT id, parent_id FROM units";
    COUNTRIES =
        "SELECT id, country, time_zone FROM units
         WHERE country IS NOT NULL AND (closed_on IS NULL OR closed_on > $1) ORDER BY id";
}

/// A delivery as the calendar knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Which.
    pub id: DeliveryId,
    /// Of which post.
    pub post_id: PostId,
    /// To which account.
    pub account_id: AccountId,
    /// Whose account that is.
    pub unit_id: UnitId,
    /// The platform.
    pub platform: String,
    /// In which language.
    pub language: String,
    /// The post's class.
    pub class: Class,
    /// How it stands.
    pub state: DeliveryState,
    /// When it is due.
    pub due_at: Timestamp,
    /// The post's title.
    pub title: String,
    /// The language of the title.
    pub source_language: String,
    /// The campaign that the post belongs to.
    pub campaign_id: Option<String>,
    /// The series that has made it.
    pub series_id: Option<SeriesId>,
    /// The account's name.
    pub account_name: String,
    /// Counts changes of the delivery and its post.
    pub version: i64,
    /// When either was last changed.
    pub updated_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: DeliveryId,
    post_id: PostId,
    account_id: AccountId,
    unit_id: UnitId,
    platform: String,
    language: String,
    class: Class,
    state: DeliveryState,
    due_at: At,
    title: String,
    source_language: String,
    campaign_id: Option<String>,
    series_id: Option<SeriesId>,
    account_name: String,
    version: i64,
    updated_at: At,
    retitled_at: At,
}

impl From<Row> for Planned {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            post_id: row.post_id,
            account_id: row.account_id,
            unit_id: row.unit_id,
            platform: row.platform,
            language: row.language,
            class: row.class,
            state: row.state,
            due_at: row.due_at.into(),
            title: row.title,
            source_language: row.source_language,
            campaign_id: row.campaign_id,
            series_id: row.series_id,
            account_name: row.account_name,
            version: row.version,
            updated_at: Timestamp::from(row.updated_at).max(row.retitled_at.into()),
        }
    }
}

/// Which deliveries are wanted.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Due at or after.
    pub from: Timestamp,
    /// Due before.
    pub to: Timestamp,
    /// To accounts of this unit.
    pub unit_id: Option<UnitId>,
    /// To this account.
    pub account_id: Option<AccountId>,
    /// Only to these accounts.
    pub among: Option<Vec<AccountId>>,
    /// On this platform.
    pub platform: Option<String>,
    /// In this language.
    pub language: Option<String>,
    /// Of this class.
    pub class: Option<Class>,
    /// Of this campaign's posts.
    pub campaign_id: Option<String>,
    /// Also those that were cancelled since; none that were when not said.
    pub cancelled_since: Option<Timestamp>,
    /// Which come first.
    pub first: First,
    /// Those after this one, by their instant and id, where the earliest come first.
    pub after: Option<(Timestamp, String)>,
}

/// Which deliveries of a time come first, and stay where there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Those that are due first.
    Earliest,
    /// Those that are due last.
    Latest,
}

/// Deliveries of a time, by their instant.
pub async fn deliveries(
    reader: &mut Reader,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Planned>, Error> {
    let rows: Vec<Row> = on!(reader, DELIVERIES, |sql, conn| {
        let mut query = sqlx::QueryBuilder::new(sql);
        query.push(" AND (d.state <> ").push_bind(DeliveryState::Cancelled);
        if let Some(since) = filter.cancelled_since {
            query.push(" OR d.state_since >= ").push_bind(At(since));
        }
        query.push(")");
        query.push(" AND d.due_at >= ").push_bind(At(filter.from));
        query.push(" AND d.due_at < ").push_bind(At(filter.to));
        if let Some(unit) = &filter.unit_id {
            query.push(" AND a.unit_id = ").push_bind(unit);
        }
        if let Some(account) = &filter.account_id {
            query.push(" AND d.account_id = ").push_bind(account);
        }
        if let Some(among) = &filter.among {
            query.push(" AND d.account_id IN (''");
            for account in among {
                query.push(", ").push_bind(account);
            }
            query.push(")");
        }
        if let Some(platform) = &filter.platform {
            query.push(" AND d.platform = ").push_bind(platform);
        }
        if let Some(language) = &filter.language {
            query.push(" AND d.language = ").push_bind(language);
        }
        if let Some(class) = filter.class {
            query.push(" AND d.class = ").push_bind(class);
        }
        if let Some(campaign) = &filter.campaign_id {
            query.push(" AND p.campaign_id = ").push_bind(campaign);
        }
        if let Some((at, id)) = &filter.after {
            query.push(" AND (d.due_at > ").push_bind(At(*at));
            query.push(" OR (d.due_at = ").push_bind(At(*at));
            query.push(" AND d.id > ").push_bind(id).push("))");
        }
        query.push(match filter.first {
            First::Earliest => " ORDER BY d.due_at, d.id LIMIT ",
            First::Latest => " ORDER BY d.due_at DESC, d.id DESC LIMIT ",
        });
        query.push_bind(i64::from(limit));
        query.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Planned::from).collect())
}

/// Every unit with the one above it.
pub async fn parents(reader: &mut Reader) -> Result<Vec<(UnitId, Option<UnitId>)>, Error> {
    Ok(on!(reader, PARENTS, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?))
}

/// A unit with its country.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Abroad {
    /// Which.
    pub id: UnitId,
    /// ISO 3166 code of the country.
    pub country: String,
    /// IANA zone of its walls.
    pub time_zone: String,
}

/// Units that are not closed before this day, with their countries, the oldest first.
pub async fn countries(reader: &mut Reader, open_on: Date) -> Result<Vec<Abroad>, Error> {
    Ok(on!(reader, COUNTRIES, |sql, conn| sqlx::query_as(sql)
        .bind(open_on.to_string())
        .fetch_all(conn)
        .await?))
}
