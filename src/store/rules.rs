//! Rules about when accounts may not speak, and what is scheduled on these accounts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::class::Class;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{AccountId, DeliveryId, PersonId, PostId, RuleId, UnitId};
use crate::domain::rule::{Effect, Neighbour, Rule, RuleKind};
use crate::domain::unit::UnitName;

statements! {
    INSERT =
        "INSERT INTO rules (id, unit_id, name, kind, effect, platforms, account_ids, classes,
            except_classes, version, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    UPDATE =
        "UPDATE rules SET name = $2, kind = $3, effect = $4, platforms = $5, account_ids = $6,
            classes = $7, except_classes = $8, updated_at = $9, version = version + 1
         WHERE id = $1 AND version = $10 AND removed_at IS NULL";
    REMOVE =
        "UPDATE rules SET removed_at = $2, updated_at = $2, version = version + 1
         WHERE id = $1 AND version = $3 AND removed_at IS NULL";
    FIND =
        "SELECT id, unit_id, name, kind, effect, platforms, account_ids, classes, except_classes,
            version, created_by, created_at, updated_at
         FROM rules WHERE id = $1 AND removed_at IS NULL";
    LIST =
        "SELECT id, unit_id, name, kind, effect, platforms, account_ids, classes, except_classes,
            version, created_by, created_at, updated_at
         FROM rules WHERE removed_at IS NULL";
    COUNT = "SELECT COUNT(*) FROM rules WHERE unit_id = $1 AND removed_at IS NULL";
    /// Every rule of these units and of all above them, once for each of these units.
    COVERING =
        "WITH RECURSIVE above (covered, country, id, parent_id, depth) AS (
            SELECT id, country, id, parent_id, 0 FROM units WHERE id IN " ids(1) "
            UNION ALL
            SELECT above.covered, above.country, units.id, units.parent_id, above.depth + 1
            FROM units JOIN above ON units.id = above.parent_id WHERE above.depth < 100)
         SELECT above.covered, above.country, r.id, r.unit_id, r.name, r.kind, r.effect, r.platforms,
            r.account_ids, r.classes, r.except_classes, r.version, r.created_by, r.created_at,
            r.updated_at
         FROM above JOIN rules AS r ON r.unit_id = above.id
         WHERE r.removed_at IS NULL
         ORDER BY above.covered, above.depth, r.id";
    /// The accounts of a unit and of all below it, with where their units work.
    ACCOUNTS =
        "WITH RECURSIVE below (id, country, depth) AS (
            SELECT id, country, 0 FROM units WHERE id = $1
            UNION ALL
            SELECT units.id, units.country, below.depth + 1
            FROM units JOIN below ON units.parent_id = below.id WHERE below.depth < 100)
         SELECT a.id, a.platform, a.time_zone, below.country
         FROM below JOIN accounts AS a ON a.unit_id = below.id
         WHERE a.removed_at IS NULL ORDER BY a.id";
    /// What one account is still to say, by its instant; a thread once.
    TO_COME =
        "SELECT id, post_id, class, state, due_at FROM deliveries
         WHERE account_id = $1 AND due_at >= $2 AND due_at < $3 AND part = 1
           AND state IN ('draft', 'pending_approval', 'scheduled', 'held')
           AND (due_at > $4 OR (due_at = $4 AND id > $5))
         ORDER BY due_at, id LIMIT $6";
    /// What else one account says near others, the earliest few for each; a thread once.
    NEAR =
        "SELECT place, id, class, due_at FROM (
            SELECT v.value->>'place' AS place, d.id, d.class, d.due_at,
                ROW_NUMBER() OVER (PARTITION BY v.value->>'place' ORDER BY d.due_at, d.id) AS number
            FROM jsonb_each($1) AS v
            JOIN deliveries AS d ON d.account_id = v.value->>'account_id'
                 AND d.due_at > v.value->>'from_ms' AND d.due_at < v.value->>'to_ms'
            WHERE d.id <> v.value->>'id' AND d.part = 1
              AND d.class IN (SELECT value FROM jsonb_each($2))
              AND d.state NOT IN ('failed', 'missed', 'cancelled', 'vanished', 'recalled')) AS near
         WHERE number <= 5 ORDER BY place, due_at, id"
        |
        "SELECT place, id, class, due_at FROM (
            SELECT v.place, d.id, d.class, d.due_at,
                ROW_NUMBER() OVER (PARTITION BY v.place ORDER BY d.due_at, d.id) AS number
            FROM jsonb_to_recordset($1) AS v(place BIGINT, id TEXT, account_id TEXT, from_ms BIGINT, to_ms BIGINT)
            JOIN deliveries AS d ON d.account_id = v.account_id
                 AND d.due_at > TIMESTAMPTZ 'epoch' + v.from_ms * INTERVAL '1 millisecond'
                 AND d.due_at < TIMESTAMPTZ 'epoch' + v.to_ms * INTERVAL '1 millisecond'
            WHERE d.id <> v.id AND d.part = 1
              AND d.class IN (SELECT jsonb_array_elements_text($2))
              AND d.state NOT IN ('failed', 'missed', 'cancelled', 'vanished', 'recalled')) AS near
         WHERE number <= 5 ORDER BY place, due_at, id";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: RuleId,
    unit_id: UnitId,
    name: Json<UnitName>,
    kind: Json<RuleKind>,
    effect: Effect,
    platforms: Json<Vec<String>>,
    account_ids: Json<Vec<AccountId>>,
    classes: Json<Vec<Class>>,
    except_classes: Json<Vec<Class>>,
    version: i64,
    created_by: PersonId,
    created_at: At,
    updated_at: At,
}

impl From<Row> for Rule {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            unit_id: row.unit_id,
            name: row.name.0,
            kind: row.kind.0,
            effect: row.effect,
            platforms: row.platforms.0,
            account_ids: row.account_ids.0,
            classes: row.classes.0,
            except_classes: row.except_classes.0,
            version: row.version,
            created_by: row.created_by,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

/// Writes a new rule.
pub async fn insert(tx: &mut Tx, rule: &Rule) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&rule.id)
            .bind(&rule.unit_id)
            .bind(Json(&rule.name))
            .bind(Json(&rule.kind))
            .bind(rule.effect)
            .bind(Json(&rule.platforms))
            .bind(Json(&rule.account_ids))
            .bind(Json(&rule.classes))
            .bind(Json(&rule.except_classes))
            .bind(rule.version)
            .bind(&rule.created_by)
            .bind(At(rule.created_at))
            .bind(At(rule.updated_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// Writes a changed rule over the version that it was made from; `Stale` when that is gone.
pub async fn update(tx: &mut Tx, rule: &Rule, from_version: i64) -> Result<(), Error> {
    let changed = on!(tx, UPDATE, |sql, conn| {
        sqlx::query(sql)
            .bind(&rule.id)
            .bind(Json(&rule.name))
            .bind(Json(&rule.kind))
            .bind(rule.effect)
            .bind(Json(&rule.platforms))
            .bind(Json(&rule.account_ids))
            .bind(Json(&rule.classes))
            .bind(Json(&rule.except_classes))
            .bind(At(rule.updated_at))
            .bind(from_version)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Ends a rule; it stays as a record.
pub async fn remove(
    tx: &mut Tx,
    id: &RuleId,
    from_version: i64,
    now: Timestamp,
) -> Result<(), Error> {
    let changed = on!(tx, REMOVE, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(At(now))
            .bind(from_version)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// One rule.
pub async fn find(reader: &mut Reader, id: &RuleId) -> Result<Option<Rule>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Rule::from))
}

/// Which rules a list is to have.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this unit.
    pub unit_id: Option<UnitId>,
    /// Of one of these units.
    pub within: Option<BTreeSet<UnitId>>,
    /// Older than this one: where the page before ended.
    pub before: Option<RuleId>,
}

/// The newest rules that pass, newest first.
pub async fn list(reader: &mut Reader, filter: &Filter, limit: u32) -> Result<Vec<Rule>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        let mut query = sqlx::QueryBuilder::new(sql);
        if let Some(unit) = &filter.unit_id {
            query.push(" AND unit_id = ").push_bind(unit);
        }
        if let Some(within) = &filter.within {
            query.push(" AND unit_id IN (''");
            for unit in within {
                query.push(", ").push_bind(unit);
            }
            query.push(")");
        }
        if let Some(before) = &filter.before {
            query.push(" AND id < ").push_bind(before);
        }
        query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit));
        query.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Rule::from).collect())
}

/// How many rules a unit has of its own.
pub async fn count(reader: &mut Reader, unit: &UnitId) -> Result<i64, Error> {
    on!(reader, COUNT, |sql, conn| Ok(sqlx::query_scalar(sql).bind(unit).fetch_one(conn).await?))
}

/// A rule, and a unit that it covers.
#[derive(Debug)]
pub struct Covering {
    /// A unit that was asked about.
    pub unit_id: UnitId,
    /// Where that works.
    pub country: Option<String>,
    /// A rule of it, or of one above.
    pub rule: Rule,
}

#[derive(sqlx::FromRow)]
struct CoveringRow {
    covered: UnitId,
    country: Option<String>,
    #[sqlx(flatten)]
    rule: Row,
}

/// The rules that cover these units: the units' own first, then those of the units above.
pub async fn covering(
    reader: &mut Reader,
    units: &BTreeSet<&UnitId>,
) -> Result<Vec<Covering>, Error> {
    let rows: Vec<CoveringRow> = on!(reader, COVERING, |sql, conn| {
        sqlx::query_as(sql).bind(Json(units)).fetch_all(conn).await?
    });
    let covering = |row: CoveringRow| Covering {
        unit_id: row.covered,
        country: row.country,
        rule: row.rule.into(),
    };
    Ok(rows.into_iter().map(covering).collect())
}

/// An account that a rule's unit covers.
#[derive(Debug, sqlx::FromRow)]
pub struct Covered {
    /// Which.
    pub id: AccountId,
    /// The platform's id.
    pub platform: String,
    /// Its zone.
    pub time_zone: String,
    /// Where its unit works.
    pub country: Option<String>,
}

/// The accounts of a unit and of all below it, by their ids.
pub async fn accounts(reader: &mut Reader, unit: &UnitId) -> Result<Vec<Covered>, Error> {
    let found =
        on!(reader, ACCOUNTS, |sql, conn| sqlx::query_as(sql).bind(unit).fetch_all(conn).await?);
    Ok(found)
}

/// A delivery that is still to go out.
#[derive(Debug)]
pub struct ToCome {
    /// Which.
    pub id: DeliveryId,
    /// Its post.
    pub post_id: PostId,
    /// How urgent it is.
    pub class: Class,
    /// Where it stands.
    pub state: DeliveryState,
    /// Its instant.
    pub due_at: Timestamp,
}

/// What one account is still to say between two instants, behind the delivery where the page before ended.
pub async fn to_come(
    reader: &mut Reader,
    account: &AccountId,
    (from, to): (Timestamp, Timestamp),
    after: Option<&(Timestamp, DeliveryId)>,
    limit: usize,
) -> Result<Vec<ToCome>, Error> {
    type Found = (DeliveryId, PostId, Class, DeliveryState, At);
    let (at, id) = after.map_or((Timestamp::UNIX_EPOCH, ""), |(at, id)| (*at, id.as_str()));
    let rows: Vec<Found> = on!(reader, TO_COME, |sql, conn| {
        sqlx::query_as(sql)
            .bind(account)
            .bind(At(from))
            .bind(At(to))
            .bind(At(at))
            .bind(id)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(conn)
            .await?
    });
    let one = |(id, post_id, class, state, due_at): Found| ToCome {
        id,
        post_id,
        class,
        state,
        due_at: due_at.0,
    };
    Ok(rows.into_iter().map(one).collect())
}

/// A delivery whose neighbours are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Middle<'a> {
    /// Itself: no neighbour of its own.
    pub id: &'a DeliveryId,
    /// Where it goes.
    pub account_id: &'a AccountId,
    /// Its instant.
    pub due_at: Timestamp,
}

#[derive(Serialize)]
struct MiddleRow<'a> {
    place: usize,
    id: &'a DeliveryId,
    account_id: &'a AccountId,
    from_ms: i64,
    to_ms: i64,
}

/// What goes or went out on the same account within so many minutes, of these classes: the earliest few, by place.
pub async fn near<'a>(
    reader: &mut Reader,
    middles: &[Middle<'a>],
    minutes: u32,
    classes: &[Class],
) -> Result<BTreeMap<usize, Vec<Neighbour>>, Error> {
    let apart_ms = i64::from(minutes) * 60_000;
    let row = |(place, one): (usize, &Middle<'a>)| MiddleRow {
        place,
        id: one.id,
        account_id: one.account_id,
        from_ms: one.due_at.as_millisecond() - apart_ms,
        to_ms: one.due_at.as_millisecond() + apart_ms,
    };
    let rows: Vec<MiddleRow<'a>> = middles.iter().enumerate().map(row).collect();
    let found: Vec<(i64, DeliveryId, Class, At)> = on!(reader, NEAR, |sql, conn| {
        sqlx::query_as(sql).bind(Json(&rows)).bind(Json(classes)).fetch_all(conn).await?
    });
    let mut near: BTreeMap<usize, Vec<Neighbour>> = BTreeMap::new();
    for (place, id, class, due_at) in found {
        let place = usize::try_from(place).unwrap_or(0);
        near.entry(place).or_default().push(Neighbour { id, class, due_at: due_at.0 });
    }
    Ok(near)
}
