//! Holds: placed in line with the guard, lifted by compare-and-set, and what they cover.

use jiff::Timestamp;
use serde_json::json;
use sqlx::types::Json;

use super::codec::At;
use super::jobs;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::class::Class;
use crate::domain::hold::{Hold, HoldScope, HoldState, Lift};
use crate::domain::id::{AccountId, AttemptId, DeliveryId, HoldId, NodeId, PersonId, UnitId};
use crate::domain::work;

/// Which holds a list is to have.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those that stand so.
    pub state: Option<HoldState>,
    /// Of holds on one account, only those on one of these.
    pub among: Option<Vec<AccountId>>,
    /// Of holds on one unit, only those on one of these.
    pub within: Option<Vec<UnitId>>,
    /// Older than this one.
    pub before: Option<HoldId>,
}

/// A hold, and how many deliveries it has caught that nobody has reviewed.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The hold.
    pub hold: Hold,
    /// How many.
    pub waiting: i64,
}

/// A covered delivery that is guarded or on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    /// Which.
    pub delivery_id: DeliveryId,
    /// Its account.
    pub account_id: AccountId,
    /// Since when.
    pub since: Timestamp,
    /// The process that guarded it knows of the hold and has taken back what it could.
    pub confirmed: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: HoldId,
    platform: Option<String>,
    unit_id: Option<UnitId>,
    account_id: Option<AccountId>,
    campaign_id: Option<String>,
    class: Option<Class>,
    except_classes: Json<Vec<Class>>,
    reason: String,
    ends_at: Option<At>,
    lift_needs: i64,
    lifts: Json<Vec<Lift>>,
    lifted_at: Option<At>,
    version: i64,
    created_by: PersonId,
    created_at: At,
    waiting: i64,
}

impl From<Row> for Kept {
    fn from(row: Row) -> Self {
        let scope = None
            .or(row.platform.map(HoldScope::Platform))
            .or(row.unit_id.map(HoldScope::Unit))
            .or(row.account_id.map(HoldScope::Account))
            .or(row.campaign_id.map(HoldScope::Campaign))
            .or(row.class.map(HoldScope::Class))
            .unwrap_or(HoldScope::All);
        let hold = Hold {
            id: row.id,
            scope,
            except: row.except_classes.0,
            reason: row.reason,
            ends_at: row.ends_at.map(Timestamp::from),
            lift_needs: row.lift_needs,
            lifts: row.lifts.0,
            lifted_at: row.lifted_at.map(Timestamp::from),
            version: row.version,
            created_by: row.created_by,
            created_at: row.created_at.0,
        };
        Self { hold, waiting: row.waiting }
    }
}

statements! {
    INSERT =
        "INSERT INTO holds (id, seq, platform, unit_id, account_id, campaign_id, class,
            except_classes, reason, ends_at, stands_until, lift_needs, lifts, lifted_at, version,
            created_by, created_at)
         VALUES ($1, (SELECT COALESCE(MAX(seq), 0) + 1 FROM holds), $2, $3, $4, $5, $6, $7, $8, $9,
            $9, $10, $11, NULL, $12, $13, $14)";
    FIND =
        "SELECT h.id, h.platform, h.unit_id, h.account_id, h.campaign_id, h.class, h.except_classes,
            h.reason, h.ends_at, h.lift_needs, h.lifts, h.lifted_at, h.version, h.created_by,
            h.created_at, (SELECT COUNT(*) FROM deliveries AS d
                           WHERE d.hold_id = h.id AND (d.state = 'held') IS TRUE) AS waiting
         FROM holds AS h WHERE h.id = $1";
    LIST =
        "SELECT h.id, h.platform, h.unit_id, h.account_id, h.campaign_id, h.class, h.except_classes,
            h.reason, h.ends_at, h.lift_needs, h.lifts, h.lifted_at, h.version, h.created_by,
            h.created_at, (SELECT COUNT(*) FROM deliveries AS d
                           WHERE d.hold_id = h.id AND (d.state = 'held') IS TRUE) AS waiting
         FROM holds AS h WHERE true";
    UPDATE_LIFTS =
        "UPDATE holds SET lifts = $3, lifted_at = $4, stands_until = COALESCE($4, stands_until),
            version = version + 1
         WHERE id = $1 AND version = $2";
    COVERED =
        "SELECT d.id, d.account_id, d.state_since, n.holds_seen >= h.seq AS confirmed
         FROM holds AS h
         JOIN hold_covers AS c ON c.hold_id = h.id
         JOIN deliveries AS d ON d.id = c.delivery_id
         JOIN attempts AS t ON t.delivery_id = d.id AND t.outcome = 'open'
         LEFT JOIN nodes AS n ON n.id = t.node AND n.fence = t.fence
         WHERE h.id = $1 AND d.id IN (
             SELECT id FROM deliveries WHERE state = 'publishing')
         ORDER BY d.due_at, d.id";
    COVERED_AT =
        "SELECT DISTINCT d.id, t.id FROM deliveries AS d
         JOIN hold_covers AS c ON c.delivery_id = d.id
         JOIN attempts AS t ON t.delivery_id = d.id AND t.outcome = 'open' AND t.node = $1
         WHERE d.id IN (SELECT id FROM deliveries WHERE state = 'publishing')";
    NEWEST = "SELECT COALESCE(MAX(seq), 0) FROM holds";
    UNHEEDED =
        "SELECT COUNT(*) FROM nodes
         WHERE stopped_at IS NULL AND seen_at >= $2
           AND holds_seen < (SELECT seq FROM holds WHERE id = $1)";
    CONFIRM = "UPDATE nodes SET holds_seen = $3 WHERE id = $1 AND fence = $2";
    STANDING =
        "SELECT COUNT(*) FROM holds WHERE stands_until IS NULL OR stands_until > $1";
    STOPPED =
        "SELECT DISTINCT c.delivery_id FROM hold_covers AS c
         WHERE c.delivery_id IN " ids(1) " AND (c.stands_until IS NULL OR c.stands_until > $2)";
    CAUGHT =
        "SELECT id FROM deliveries WHERE hold_id = $1 AND (state = 'held') IS TRUE ORDER BY due_at, id";
}

/// Writes a new hold; the transaction must stand still.
pub async fn insert(tx: &mut Tx, hold: &Hold) -> Result<(), Error> {
    let (mut platform, mut unit, mut account, mut campaign, mut class) =
        (None, None, None, None, None);
    match &hold.scope {
        HoldScope::All => {}
        HoldScope::Platform(name) => platform = Some(name),
        HoldScope::Unit(id) => unit = Some(id),
        HoldScope::Account(id) => account = Some(id),
        HoldScope::Campaign(id) => campaign = Some(id),
        HoldScope::Class(one) => class = Some(*one),
    }
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&hold.id)
            .bind(platform)
            .bind(unit)
            .bind(account)
            .bind(campaign)
            .bind(class)
            .bind(Json(&hold.except))
            .bind(&hold.reason)
            .bind(hold.ends_at.map(At))
            .bind(hold.lift_needs)
            .bind(Json(&hold.lifts))
            .bind(hold.version)
            .bind(&hold.created_by)
            .bind(At(hold.created_at))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The hold with this id.
pub async fn find(reader: &mut Reader, id: &HoldId) -> Result<Option<Kept>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Kept::from))
}

/// The holds that pass, newest first.
pub async fn list(
    reader: &mut Reader,
    filter: &Filter,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Kept>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        let mut query = sqlx::QueryBuilder::new(sql);
        match filter.state {
            None => {}
            Some(HoldState::Active) => {
                query.push(" AND (h.stands_until IS NULL OR h.stands_until > ");
                query.push_bind(At(now)).push(")");
            }
            Some(HoldState::Lifted) => {
                query.push(" AND h.stands_until <= ").push_bind(At(now));
            }
        }
        if let Some(within) = &filter.within {
            query.push(" AND (h.unit_id IS NULL OR h.unit_id IN (''");
            for unit in within {
                query.push(", ").push_bind(unit);
            }
            query.push("))");
        }
        if let Some(among) = &filter.among {
            query.push(" AND (h.account_id IS NULL OR h.account_id IN (''");
            for account in among {
                query.push(", ").push_bind(account);
            }
            query.push("))");
        }
        if let Some(before) = &filter.before {
            query.push(" AND h.id < ").push_bind(before);
        }
        query.push(" ORDER BY h.id DESC LIMIT ").push_bind(i64::from(limit));
        query.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Kept::from).collect())
}

/// Writes whose word counts over the version that it was made from; `Stale` when that is gone.
pub async fn update_lifts(tx: &mut Tx, hold: &Hold, from_version: i64) -> Result<(), Error> {
    let changed = on!(tx, UPDATE_LIFTS, |sql, conn| {
        sqlx::query(sql)
            .bind(&hold.id)
            .bind(from_version)
            .bind(Json(&hold.lifts))
            .bind(hold.lifted_at.map(At))
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Has the guard look at once at everything that a hold has caught: it names what each waits for
/// from now on. Says how many.
pub async fn look_again(tx: &mut Tx, id: &HoldId, now: Timestamp) -> Result<usize, Error> {
    let caught: Vec<DeliveryId> =
        on!(tx, CAUGHT, |sql, conn| sqlx::query_scalar(sql).bind(id).fetch_all(conn).await?);
    let keys: Vec<String> = caught.iter().map(work::publish_key).collect();
    jobs::move_all_queued(tx, &keys, now).await?;
    Ok(keys.len())
}

/// What a hold covers of what is guarded or on its way, by its instant.
pub async fn covered(reader: &mut Reader, id: &HoldId) -> Result<Vec<Covered>, Error> {
    let rows: Vec<(DeliveryId, AccountId, At, Option<bool>)> =
        on!(reader, COVERED, |sql, conn| sqlx::query_as(sql).bind(id).fetch_all(conn).await?);
    Ok(rows
        .into_iter()
        .map(|(delivery_id, account_id, since, confirmed)| Covered {
            delivery_id,
            account_id,
            since: since.0,
            confirmed: confirmed.unwrap_or(false),
        })
        .collect())
}

/// How many of the processes that were seen since an instant have not confirmed a hold.
pub async fn unheeded(reader: &mut Reader, id: &HoldId, since: Timestamp) -> Result<i64, Error> {
    Ok(on!(reader, UNHEEDED, |sql, conn| {
        sqlx::query_scalar(sql).bind(id).bind(At(since)).fetch_one(conn).await?
    }))
}

/// What any hold covers of what this process has guarded; in no order.
pub async fn covered_at(
    reader: &mut Reader,
    node: &NodeId,
) -> Result<Vec<(DeliveryId, AttemptId)>, Error> {
    Ok(on!(reader, COVERED_AT, |sql, conn| {
        sqlx::query_as(sql).bind(node).fetch_all(conn).await?
    }))
}

/// The number of the newest hold; 0 when there is none.
pub async fn newest(reader: &mut Reader) -> Result<i64, Error> {
    Ok(on!(reader, NEWEST, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await?))
}

/// A process has taken back all that it could of what holds up to this number cover.
pub async fn confirm(tx: &mut Tx, node: &NodeId, fence: i64, seq: i64) -> Result<(), Error> {
    on!(tx, CONFIRM, |sql, conn| {
        sqlx::query(sql).bind(node).bind(fence).bind(seq).execute(conn).await?;
    });
    Ok(())
}

/// How many holds stand.
pub async fn standing(reader: &mut Reader, now: Timestamp) -> Result<i64, Error> {
    Ok(on!(reader, STANDING, |sql, conn| {
        sqlx::query_scalar(sql).bind(At(now)).fetch_one(conn).await?
    }))
}

/// Those of the deliveries that a standing hold covers; in no order.
pub async fn stopped(
    reader: &mut Reader,
    ids: &[&DeliveryId],
    now: Timestamp,
) -> Result<Vec<DeliveryId>, Error> {
    Ok(on!(reader, STOPPED, |sql, conn| {
        sqlx::query_scalar(sql).bind(Json(json!(ids))).bind(At(now)).fetch_all(conn).await?
    }))
}
