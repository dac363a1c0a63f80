//! What a campaign has come to, unit by unit: counted in a few statements, however many units there are.

use sqlx::types::Json;

use super::Reader;
use super::error::Error;
use super::sql::{on, statements};
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{CampaignId, UnitId};
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
