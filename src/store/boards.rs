//! What a campaign has come to, unit by unit: counted in a few statements, however many units there are.

use sqlx::types::Json;

use super::Reader;
use super::error::Error;
use super::sql::{on, statements};
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{AccountId, CampaignId, PostId, UnitId};
use crate::domain::translation::VariantStatus;
use crate::domain::unit::UnitName;

statements! {
    POSTS =
        "SELECT p.unit_id, COUNT(*) FROM posts AS p
         WHERE p.campaign_id = $1 AND p.removed_at IS NULL GROUP BY p.unit_id";
    LANGUAGES =
        "SELECT p.unit_id, v.language, COUNT(*) FROM posts AS p JOIN variants AS v ON v.post_id = p.id
         WHERE p.campaign_id = $1 AND p.removed_at IS NULL GROUP BY p.unit_id, v.language";
    /// What follows the first part of a post goes out with it.
    DELIVERIES =
        "SELECT p.unit_id, d.language, d.state, COUNT(*) FROM posts AS p
         JOIN deliveries AS d ON d.post_id = p.id
         WHERE p.campaign_id = $1 AND d.part = 1 GROUP BY p.unit_id, d.language, d.state";
    STATES =
        "SELECT v.post_id, v.language, v.status, v.source_hash, s.content_hash AS source_now
         FROM posts AS p JOIN variants AS v ON v.post_id = p.id
         LEFT JOIN variants AS s ON s.post_id = p.id AND s.language = p.source_language
         WHERE p.campaign_id = $1 AND p.removed_at IS NULL";
    /// What follows the first part of a post goes out with it.
    PLACES =
        "SELECT p.id, d.account_id, d.language, d.state FROM posts AS p
         JOIN deliveries AS d ON d.post_id = p.id
         WHERE p.campaign_id = $1 AND d.part = 1";
    ACCOUNTS =
        "SELECT id, unit_id, platform, display_name, languages FROM accounts
         WHERE removed_at IS NULL AND (unit_id IN " ids(1) " OR id IN " ids(2) ")
         ORDER BY unit_id, id";
    UNITS = "SELECT id, name, languages FROM units WHERE id IN " ids(1) " ORDER BY id";
}

/// How many posts each unit has in a campaign.
pub async fn posts(reader: &mut Reader, id: &CampaignId) -> Result<Vec<(UnitId, i64)>, Error> {
    Ok(on!(reader, POSTS, |sql, conn| sqlx::query_as(sql).bind(id).fetch_all(conn).await?))
}

/// In how many of them each language is.
pub async fn languages(
    reader: &mut Reader,
    id: &CampaignId,
) -> Result<Vec<(UnitId, String, i64)>, Error> {
    Ok(on!(reader, LANGUAGES, |sql, conn| sqlx::query_as(sql).bind(id).fetch_all(conn).await?))
}

/// How many of their deliveries stand how, by language.
pub async fn deliveries(
    reader: &mut Reader,
    id: &CampaignId,
) -> Result<Vec<(UnitId, String, DeliveryState, i64)>, Error> {
    Ok(on!(reader, DELIVERIES, |sql, conn| sqlx::query_as(sql).bind(id).fetch_all(conn).await?))
}

/// The names of units, and the languages that they publish in.
pub async fn units(
    reader: &mut Reader,
    ids: &[&UnitId],
) -> Result<Vec<(UnitId, UnitName, Vec<String>)>, Error> {
    let rows: Vec<(UnitId, Json<UnitName>, Json<Vec<String>>)> =
        on!(reader, UNITS, |sql, conn| sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(id, name, languages)| (id, name.0, languages.0)).collect())
}

/// How far a variant of a post is.
#[derive(Debug, sqlx::FromRow)]
pub struct VariantState {
    /// Of which post.
    pub post_id: PostId,
    /// In which language.
    pub language: String,
    /// How far it is.
    pub status: VariantStatus,
    source_hash: String,
    source_now: Option<String>,
}

impl VariantState {
    /// Whether its source says something else by now.
    pub fn is_stale(&self) -> bool {
        self.source_now.as_ref().is_some_and(|is| *is != self.source_hash)
    }
}

/// How far each variant of each post of a campaign is.
pub async fn variant_states(
    reader: &mut Reader,
    id: &CampaignId,
) -> Result<Vec<VariantState>, Error> {
    Ok(on!(reader, STATES, |sql, conn| sqlx::query_as(sql).bind(id).fetch_all(conn).await?))
}

/// A delivery of a campaign: which post, where, in which language, and how it stands.
pub type Placed = (PostId, AccountId, String, DeliveryState);

/// Where the posts of a campaign go.
pub async fn placed(reader: &mut Reader, id: &CampaignId) -> Result<Vec<Placed>, Error> {
    Ok(on!(reader, PLACES, |sql, conn| sqlx::query_as(sql).bind(id).fetch_all(conn).await?))
}

/// An account as a campaign sees it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its id.
    pub id: AccountId,
    /// Whose it is.
    pub unit_id: UnitId,
    /// The platform's id.
    pub platform: String,
    /// What it is called there.
    pub name: String,
    /// The languages that it publishes in, the first before the others.
    pub languages: Vec<String>,
}

type TargetRow = (AccountId, UnitId, String, String, Json<Vec<String>>);

/// The accounts of these units, and these.
pub async fn targets(
    reader: &mut Reader,
    units: &[&UnitId],
    accounts: &[&AccountId],
) -> Result<Vec<Target>, Error> {
    let rows: Vec<TargetRow> = on!(reader, ACCOUNTS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(units)).bind(Json(accounts)).fetch_all(conn).await?
    });
    let target = |(id, unit_id, platform, name, languages): (_, _, _, _, Json<Vec<String>>)| {
        Target { id, unit_id, platform, name, languages: languages.0 }
    };
    Ok(rows.into_iter().map(target).collect())
}
