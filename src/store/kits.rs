//! Kits: what is offered to units, how they have answered, and the copies that they have made.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::id::{CampaignId, KitId, OfferId, PersonId, PostId, UnitId};
use crate::domain::kit::{Kit, KitTime, Offer, OfferState, Rules};
use crate::domain::variant::Content;

statements! {
    INSERT =
        "INSERT INTO kits (id, campaign_id, post_id, fields, local, answer_by, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    OFFER =
        "INSERT INTO offers (id, kit_id, source_id, unit_id, state, created_at)
         SELECT value->>'id', value->>'kit_id', value->>'source_id', value->>'unit_id', 'offered', $2
         FROM jsonb_each($1)"
        |
        "INSERT INTO offers (id, kit_id, source_id, unit_id, state, created_at)
         SELECT id, kit_id, source_id, unit_id, 'offered', $2
         FROM jsonb_to_recordset($1) AS v(id TEXT, kit_id TEXT, source_id TEXT, unit_id TEXT)";
    OFFERED_TO = "SELECT unit_id FROM offers WHERE source_id = $1 ORDER BY unit_id";
    IS_COPY = "SELECT EXISTS (SELECT 1 FROM offers WHERE post_id = $1)";
    IS_KNOWN =
        "SELECT EXISTS (SELECT 1 FROM kits JOIN offers ON offers.kit_id = kits.id
                        WHERE kits.campaign_id = $1 AND offers.unit_id IN " ids(2) ")";
    FIND =
        "SELECT offers.id, offers.kit_id, kits.campaign_id, offers.source_id, kits.fields, kits.local,
            kits.answer_by, kits.created_by, kits.created_at AS kit_created_at, offers.unit_id, offers.state,
            offers.post_id, offers.base_revision, offers.base, offers.reason, offers.answered_by,
            offers.answered_at, offers.created_at
         FROM offers JOIN kits ON kits.id = offers.kit_id WHERE offers.id = $1";
    OF_COPY =
        "SELECT offers.id, offers.kit_id, kits.campaign_id, offers.source_id, kits.fields, kits.local,
            kits.answer_by, kits.created_by, kits.created_at AS kit_created_at, offers.unit_id, offers.state,
            offers.post_id, offers.base_revision, offers.base, offers.reason, offers.answered_by,
            offers.answered_at, offers.created_at
         FROM offers JOIN kits ON kits.id = offers.kit_id WHERE offers.post_id = $1";
    COPIES =
        "SELECT offers.id, offers.kit_id, kits.campaign_id, offers.source_id, kits.fields, kits.local,
            kits.answer_by, kits.created_by, kits.created_at AS kit_created_at, offers.unit_id, offers.state,
            offers.post_id, offers.base_revision, offers.base, offers.reason, offers.answered_by,
            offers.answered_at, offers.created_at
         FROM offers JOIN kits ON kits.id = offers.kit_id
         WHERE offers.source_id = $1 AND offers.post_id IS NOT NULL ORDER BY offers.post_id";
    OF_CAMPAIGN =
        "SELECT offers.id, offers.kit_id, kits.campaign_id, offers.source_id, kits.fields, kits.local,
            kits.answer_by, kits.created_by, kits.created_at AS kit_created_at, offers.unit_id, offers.state,
            offers.post_id, offers.base_revision, NULL AS base, offers.reason, offers.answered_by,
            offers.answered_at, offers.created_at
         FROM kits JOIN offers ON offers.kit_id = kits.id
         WHERE kits.campaign_id = $1 ORDER BY offers.kit_id, offers.id";
    LIST =
        "SELECT offers.id, offers.kit_id, kits.campaign_id, offers.source_id, kits.fields, kits.local,
            kits.answer_by, kits.created_by, kits.created_at AS kit_created_at, offers.unit_id, offers.state,
            offers.post_id, offers.base_revision, NULL AS base, offers.reason, offers.answered_by,
            offers.answered_at, offers.created_at
         FROM offers JOIN kits ON kits.id = offers.kit_id WHERE TRUE";
    ANSWER =
        "UPDATE offers SET state = $2, post_id = $3, base_revision = $4, base = $5, reason = $6,
            answered_by = $7, answered_at = $8
         WHERE id = $1 AND state = $9";
    /// Whoever plans in each of these units itself.
    PLANNERS =
        "SELECT DISTINCT roles.unit_id, roles.person_id FROM roles
         JOIN people ON people.id = roles.person_id AND people.disabled_at IS NULL
         WHERE roles.role IN ('administrator', 'publisher', 'author')
           AND (roles.ends_at IS NULL OR roles.ends_at > $2) AND roles.unit_id IN " ids(1) "
         ORDER BY roles.unit_id, roles.person_id";
    /// In the order of their ids: nobody can change them before the transaction ends.
    LOCK_COPIES =
        "SELECT id FROM posts WHERE id IN (SELECT value FROM jsonb_each($1)) ORDER BY id"
        |
        "SELECT id FROM posts WHERE id IN (SELECT jsonb_array_elements_text($1)) ORDER BY id FOR UPDATE";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: OfferId,
    kit_id: KitId,
    campaign_id: CampaignId,
    source_id: PostId,
    fields: Json<Rules>,
    local: Option<Json<KitTime>>,
    answer_by: Option<At>,
    created_by: PersonId,
    kit_created_at: At,
    unit_id: UnitId,
    state: OfferState,
    post_id: Option<PostId>,
    base_revision: Option<i64>,
    base: Option<Json<BTreeMap<String, Content>>>,
    reason: Option<String>,
    answered_by: Option<PersonId>,
    answered_at: Option<At>,
    created_at: At,
}

impl From<Row> for Offer {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kit: Kit {
                id: row.kit_id,
                campaign_id: row.campaign_id,
                post_id: row.source_id,
                fields: row.fields.0,
                local: row.local.map(|it| it.0),
                answer_by: row.answer_by.map(Timestamp::from),
                created_by: row.created_by,
                created_at: row.kit_created_at.into(),
            },
            unit_id: row.unit_id,
            state: row.state,
            post_id: row.post_id,
            base_revision: row.base_revision,
            base: row.base.map(|it| it.0).unwrap_or_default(),
            reason: row.reason,
            answered_by: row.answered_by,
            answered_at: row.answered_at.map(Timestamp::from),
            created_at: row.created_at.into(),
        }
    }
}

#[derive(Serialize)]
struct NewRow<'a> {
    id: &'a OfferId,
    kit_id: &'a KitId,
    source_id: &'a PostId,
    unit_id: &'a UnitId,
}

/// Writes a kit and what each unit is offered of it.
pub async fn insert(tx: &mut Tx, kit: &Kit, offers: &[Offer]) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&kit.id)
            .bind(&kit.campaign_id)
            .bind(&kit.post_id)
            .bind(Json(&kit.fields))
            .bind(kit.local.map(Json))
            .bind(kit.answer_by.map(At))
            .bind(&kit.created_by)
            .bind(At(kit.created_at))
            .execute(conn)
            .await?;
    });
    let (kit_id, source_id) = (&kit.id, &kit.post_id);
    let rows: Vec<NewRow<'_>> = offers
        .iter()
        .map(|offer| NewRow { id: &offer.id, kit_id, source_id, unit_id: &offer.unit_id })
        .collect();
    on!(tx, OFFER, |sql, conn| {
        sqlx::query(sql).bind(Json(rows)).bind(At(kit.created_at)).execute(conn).await?;
    });
    Ok(())
}

/// The units to which a post has been offered.
pub async fn offered_to(reader: &mut Reader, post: &PostId) -> Result<BTreeSet<UnitId>, Error> {
    let rows: Vec<UnitId> = on!(reader, OFFERED_TO, |sql, conn| sqlx::query_scalar(sql)
        .bind(post)
        .fetch_all(conn)
        .await?);
    Ok(rows.into_iter().collect())
}

/// Whether a post is itself a copy of what was offered.
pub async fn is_copy(reader: &mut Reader, post: &PostId) -> Result<bool, Error> {
    Ok(on!(reader, IS_COPY, |sql, conn| sqlx::query_scalar(sql).bind(post).fetch_one(conn).await?))
}

/// Whether anything of a campaign was offered to one of these units.
pub async fn is_known(
    reader: &mut Reader,
    campaign: &CampaignId,
    units: &BTreeSet<UnitId>,
) -> Result<bool, Error> {
    Ok(on!(reader, IS_KNOWN, |sql, conn| {
        sqlx::query_scalar(sql).bind(campaign).bind(Json(units)).fetch_one(conn).await?
    }))
}

/// One offer.
pub async fn find(reader: &mut Reader, id: &OfferId) -> Result<Option<Offer>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Offer::from))
}

/// The offer of which a post is the copy.
pub async fn of_copy(reader: &mut Reader, post: &PostId) -> Result<Option<Offer>, Error> {
    let row: Option<Row> = on!(reader, OF_COPY, |sql, conn| sqlx::query_as(sql)
        .bind(post)
        .fetch_optional(conn)
        .await?);
    Ok(row.map(Offer::from))
}

/// The offers of a post that have copies, by the copy.
pub async fn copies(reader: &mut Reader, source: &PostId) -> Result<Vec<Offer>, Error> {
    let rows: Vec<Row> =
        on!(reader, COPIES, |sql, conn| sqlx::query_as(sql).bind(source).fetch_all(conn).await?);
    Ok(rows.into_iter().map(Offer::from).collect())
}

/// Everything that is offered in a campaign, by kit; without what the posts said.
pub async fn of_campaign(reader: &mut Reader, id: &CampaignId) -> Result<Vec<Offer>, Error> {
    let rows: Vec<Row> =
        on!(reader, OF_CAMPAIGN, |sql, conn| sqlx::query_as(sql).bind(id).fetch_all(conn).await?);
    Ok(rows.into_iter().map(Offer::from).collect())
}

/// Which offers a list is to have; every filter that is `None` lets all pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// To this unit.
    pub unit_id: Option<UnitId>,
    /// To one of these units.
    pub within: Option<BTreeSet<UnitId>>,
    /// Of this campaign.
    pub campaign_id: Option<CampaignId>,
    /// That were answered so.
    pub state: Option<OfferState>,
    /// Older than this one: where the page before ended.
    pub before: Option<OfferId>,
}

/// The newest offers that pass, newest first; without what the posts said.
pub async fn list(reader: &mut Reader, filter: &Filter, limit: u32) -> Result<Vec<Offer>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        let mut query = sqlx::QueryBuilder::new(sql);
        if let Some(unit) = &filter.unit_id {
            query.push(" AND offers.unit_id = ").push_bind(unit);
        }
        if let Some(within) = &filter.within {
            query.push(" AND offers.unit_id IN (''");
            for unit in within {
                query.push(", ").push_bind(unit);
            }
            query.push(")");
        }
        if let Some(campaign) = &filter.campaign_id {
            query.push(" AND kits.campaign_id = ").push_bind(campaign);
        }
        if let Some(state) = filter.state {
            query.push(" AND offers.state = ").push_bind(state);
        }
        if let Some(before) = &filter.before {
            query.push(" AND offers.id < ").push_bind(before);
        }
        query.push(" ORDER BY offers.id DESC LIMIT ").push_bind(i64::from(limit));
        query.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Offer::from).collect())
}

/// Writes how a unit has answered, over the state that was read; false when that is gone.
pub async fn answer(tx: &mut Tx, offer: &Offer, was: OfferState) -> Result<bool, Error> {
    Ok(on!(tx, ANSWER, |sql, conn| {
        sqlx::query(sql)
            .bind(&offer.id)
            .bind(offer.state)
            .bind(&offer.post_id)
            .bind(offer.base_revision)
            .bind(Json(&offer.base))
            .bind(&offer.reason)
            .bind(&offer.answered_by)
            .bind(offer.answered_at.map(At))
            .bind(was)
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// Who plans in these units: by a role in the unit itself, not above it.
pub async fn planners(
    reader: &mut Reader,
    units: &[&UnitId],
    now: Timestamp,
) -> Result<BTreeMap<UnitId, Vec<PersonId>>, Error> {
    let rows: Vec<(UnitId, PersonId)> = on!(reader, PLANNERS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(units)).bind(At(now)).fetch_all(conn).await?
    });
    let mut found: BTreeMap<UnitId, Vec<PersonId>> = BTreeMap::new();
    for (unit, person) in rows {
        found.entry(unit).or_default().push(person);
    }
    Ok(found)
}

/// Keeps copies as they are until the transaction ends.
pub async fn lock_copies(tx: &mut Tx, posts: &[&PostId]) -> Result<(), Error> {
    on!(tx, LOCK_COPIES, |sql, conn| {
        sqlx::query(sql).bind(Json(posts)).fetch_all(conn).await?;
    });
    Ok(())
}
