//! Campaigns.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::campaign::{Campaign, Period};
use crate::domain::id::{AccountId, CampaignId, PersonId, UnitId};
use crate::domain::unit::UnitName;

statements! {
    INSERT =
        "INSERT INTO campaigns (id, unit_id, title, first_day, last_day, time_zone, message, hashtags,
            pillars, guidance, units, accounts, cloned_from, version, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    UPDATE =
        "UPDATE campaigns SET title = $2, first_day = $3, last_day = $4, time_zone = $5, message = $6,
            hashtags = $7, pillars = $8, guidance = $9, units = $10, accounts = $11, updated_at = $12,
            version = version + 1
         WHERE id = $1 AND version = $13 AND removed_at IS NULL";
    REMOVE =
        "UPDATE campaigns SET removed_at = $2, updated_at = $2, version = version + 1
         WHERE id = $1 AND version = $3 AND removed_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM posts WHERE campaign_id = $1 AND removed_at IS NULL)
           AND NOT EXISTS (SELECT 1 FROM kits WHERE campaign_id = $1)";
    FIND =
        "SELECT id, unit_id, title, first_day, last_day, time_zone, message, hashtags, pillars, guidance,
            units, accounts, cloned_from, version, created_by, created_at, updated_at
         FROM campaigns WHERE id = $1 AND removed_at IS NULL";
    LIST =
        "SELECT id, unit_id, title, first_day, last_day, time_zone, message, hashtags, pillars, guidance,
            units, accounts, cloned_from, version, created_by, created_at, updated_at
         FROM campaigns WHERE removed_at IS NULL";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: CampaignId,
    unit_id: UnitId,
    title: Json<UnitName>,
    first_day: String,
    last_day: String,
    time_zone: String,
    message: String,
    hashtags: Json<Vec<String>>,
    pillars: Json<Vec<String>>,
    guidance: String,
    units: Json<Vec<UnitId>>,
    accounts: Json<Vec<AccountId>>,
    cloned_from: Option<CampaignId>,
    version: i64,
    created_by: PersonId,
    created_at: At,
    updated_at: At,
}

impl Row {
    fn campaign(self) -> Result<Campaign, Error> {
        Ok(Campaign {
            id: self.id,
            unit_id: self.unit_id,
            title: self.title.0,
            period: Period {
                from: day(&self.first_day, "campaigns.first_day")?,
                to: day(&self.last_day, "campaigns.last_day")?,
            },
            time_zone: self.time_zone,
            message: self.message,
            hashtags: self.hashtags.0,
            pillars: self.pillars.0,
            guidance: self.guidance,
            units: self.units.0,
            accounts: self.accounts.0,
            cloned_from: self.cloned_from,
            version: self.version,
            created_by: self.created_by,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}

fn day(text: &str, column: &'static str) -> Result<Date, Error> {
    text.parse().map_err(|_unreadable: jiff::Error| Error::Unreadable(column))
}

/// Writes a new campaign.
pub async fn insert(tx: &mut Tx, campaign: &Campaign) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&campaign.id)
            .bind(&campaign.unit_id)
            .bind(Json(&campaign.title))
            .bind(campaign.period.from.to_string())
            .bind(campaign.period.to.to_string())
            .bind(&campaign.time_zone)
            .bind(&campaign.message)
            .bind(Json(&campaign.hashtags))
            .bind(Json(&campaign.pillars))
            .bind(&campaign.guidance)
            .bind(Json(&campaign.units))
            .bind(Json(&campaign.accounts))
            .bind(&campaign.cloned_from)
            .bind(campaign.version)
            .bind(&campaign.created_by)
            .bind(At(campaign.created_at))
            .bind(At(campaign.updated_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// Writes a changed campaign over the version that it was made from; `Stale` when that is gone.
pub async fn update(tx: &mut Tx, campaign: &Campaign, from_version: i64) -> Result<(), Error> {
    let changed = on!(tx, UPDATE, |sql, conn| {
        sqlx::query(sql)
            .bind(&campaign.id)
            .bind(Json(&campaign.title))
            .bind(campaign.period.from.to_string())
            .bind(campaign.period.to.to_string())
            .bind(&campaign.time_zone)
            .bind(&campaign.message)
            .bind(Json(&campaign.hashtags))
            .bind(Json(&campaign.pillars))
            .bind(&campaign.guidance)
            .bind(Json(&campaign.units))
            .bind(Json(&campaign.accounts))
            .bind(At(campaign.updated_at))
            .bind(from_version)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Removes a campaign at a version; it stays as a record. False when it has changed meanwhile or has posts.
pub async fn remove(
    tx: &mut Tx,
    id: &CampaignId,
    from_version: i64,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(on!(tx, REMOVE, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(At(now))
            .bind(from_version)
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// One campaign.
pub async fn find(reader: &mut Reader, id: &CampaignId) -> Result<Option<Campaign>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    row.map(Row::campaign).transpose()
}

/// Which campaigns a list is to have; every filter that is `None` lets all pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this unit.
    pub unit_id: Option<UnitId>,
    /// Of one of these units, or with something that was offered to one of them.
    pub within: Option<BTreeSet<UnitId>>,
    /// Those that have not ended before this day.
    pub from: Option<Date>,
    /// Those that have begun by this day.
    pub to: Option<Date>,
    /// Older than this one: where the page before ended.
    pub before: Option<CampaignId>,
}

/// The newest campaigns that pass, newest first.
pub async fn list(
    reader: &mut Reader,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Campaign>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        let mut query = sqlx::QueryBuilder::new(sql);
        if let Some(unit) = &filter.unit_id {
            query.push(" AND unit_id = ").push_bind(unit);
        }
        if let Some(within) = &filter.within {
            query.push(" AND (unit_id IN (''");
            for unit in within {
                query.push(", ").push_bind(unit);
            }
            query.push(") OR id IN (SELECT kits.campaign_id FROM offers JOIN kits ON kits.id = offers.kit_id");
            query.push(" WHERE offers.unit_id IN (''");
            for unit in within {
                query.push(", ").push_bind(unit);
            }
            query.push(")))");
        }
        // Days are written so that they sort as text.
        if let Some(from) = filter.from {
            query.push(" AND last_day >= ").push_bind(from.to_string());
        }
        if let Some(to) = filter.to {
            query.push(" AND first_day <= ").push_bind(to.to_string());
        }
        if let Some(before) = &filter.before {
            query.push(" AND id < ").push_bind(before);
        }
        query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit));
        query.build_query_as().fetch_all(conn).await?
    });
    rows.into_iter().map(Row::campaign).collect()
}
