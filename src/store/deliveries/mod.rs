//! Deliveries: rows, one statement for any number of new ones, lists by keyset, and the changes
//! that people make, by compare-and-set. What the engine changes stands in `publishing`.

mod rows;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::class::Class;
use crate::domain::delivery::{DeliveryProblem, DeliveryState, WaitsFor};
use crate::domain::id::{AccountId, DeliveryId, HoldId, PersonId, PostId, UnitId};
use crate::domain::parts::Part;
use crate::domain::schedule::Civil;
use crate::domain::variant::Content;
use crate::domain::waiting::{Cause, Party};

pub use rows::{Attempt, Delivery};
use rows::{AttemptRow, Row};

/// A delivery to be written as scheduled, or as waiting for approval.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Its post.
    pub post_id: PostId,
    /// Where it goes.
    pub account_id: AccountId,
    /// The post's unit.
    pub unit_id: UnitId,
    /// The platform's word.
    pub platform: String,
    /// BCP 47 tag.
    pub language: String,
    /// How urgent it is.
    pub class: Class,
    /// Its instant.
    pub due_at: Timestamp,
    /// Its latest useful time.
    pub publish_by: Timestamp,
    /// The time on a wall that was asked for.
    pub civil: Option<Civil>,
    /// Per-platform settings.
    pub settings: Value,
    /// What it says.
    pub content: Content,
    /// The hash of what it says.
    pub content_hash: String,
    /// The hash by which the same text is noticed.
    pub text_hash: String,
    /// The same text is meant to be said again.
    pub intended_repeat: bool,
    /// Which part of the content it sends.
    pub part: Part,
    /// Its time and place are part of what is to be approved: until then it waits.
    pub asks_approval: bool,
    /// Who scheduled it.
    pub created_by: String,
    /// When; what the answer tells, so it does not wait for the commit.
    pub created_at: Timestamp,
}

#[derive(Serialize)]
struct NewRow<'a> {
    id: &'a DeliveryId,
    post_id: &'a PostId,
    account_id: &'a AccountId,
    unit_id: &'a UnitId,
    platform: &'a str,
    language: &'a str,
    class: Class,
    due_ms: i64,
    publish_by_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    civil: Option<&'a Civil>,
    settings: &'a Value,
    content: &'a Content,
    content_hash: &'a str,
    text_hash: &'a str,
    intended_repeat: bool,
    asks_approval: bool,
    state: DeliveryState,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<WaitsFor>,
    part: i64,
    parts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    follows: Option<&'a DeliveryId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<&'a DeliveryId>,
    created_by: &'a str,
    created_ms: i64,
}

/// Which deliveries a list is to have; every filter that is `None` or empty lets all pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In one of these states.
    pub states: Vec<DeliveryState>,
    /// To this account.
    pub account_id: Option<AccountId>,
    /// To one of these accounts: all that the asker may know of.
    pub among: Option<Vec<AccountId>>,
    /// Of this unit's posts.
    pub unit_id: Option<UnitId>,
    /// Of this post.
    pub post_id: Option<PostId>,
    /// Of this campaign's posts.
    pub campaign_id: Option<String>,
    /// Caught by this hold.
    pub hold_id: Option<HoldId>,
    /// Whose wall-clock time means another instant by now.
    pub zone_changed: bool,
    /// In this language.
    pub language: Option<String>,
    /// Due at or after.
    pub from: Option<Timestamp>,
    /// Where it is this party's move.
    pub waits_for: Option<Party>,
    /// That wait for this person.
    pub owner: Option<Owner>,
    /// Due before.
    pub to: Option<Timestamp>,
    /// After this one in the order of the list: where the page before ended.
    pub after: Option<(Timestamp, DeliveryId)>,
}

/// A person who may be responsible for deliveries that wait.
#[derive(Debug, Clone)]
pub struct Owner {
    /// Who.
    pub person_id: PersonId,
    /// Then he is responsible for those too whose author may not schedule there any more.
    pub administrator: bool,
    /// At which instant.
    pub at: Timestamp,
}

/// A new instant for a delivery.
#[derive(Debug, Clone)]
pub struct NewTime {
    /// Its instant.
    pub due_at: Timestamp,
    /// Its latest useful time.
    pub publish_by: Timestamp,
    /// The time on a wall that was asked for.
    pub civil: Option<Civil>,
    /// It is to be approved like the one before.
    pub asks_approval: bool,
}

impl NewDelivery {
    /// Where it stands at first.
    pub fn state(&self) -> DeliveryState {
        if self.asks_approval { DeliveryState::PendingApproval } else { DeliveryState::Scheduled }
    }

    /// What it waits for at first, besides its instant.
    pub fn waits_for(&self) -> Option<WaitsFor> {
        self.asks_approval.then(WaitsFor::approval)
    }
}

statements! {
    INSERT =
        "INSERT INTO deliveries (id, post_id, account_id, unit_id, platform, language, class, state,
            state_since, due_at, publish_by, civil, settings, content, content_hash, text_hash,
            intended_repeat, asks_approval, part, parts, follows, root, attempts, doubts, refusals,
            waits_for, version, created_by, created_at, updated_at)
         SELECT value->>'id', value->>'post_id', value->>'account_id', value->>'unit_id',
            value->>'platform', value->>'language', value->>'class', value->>'state',
            value->>'created_ms', value->>'due_ms', value->>'publish_by_ms', value->'civil',
            value->'settings', value->'content', value->>'content_hash', value->>'text_hash',
            value->>'intended_repeat', value->>'asks_approval', value->>'part', value->>'parts',
            value->>'follows', value->>'root', 0, 0, 0, value->'waits_for', 1, value->>'created_by',
            value->>'created_ms', value->>'created_ms'
         FROM jsonb_each($1)"
        |
        "INSERT INTO deliveries (id, post_id, account_id, unit_id, platform, language, class, state,
            state_since, due_at, publish_by, civil, settings, content, content_hash, text_hash,
            intended_repeat, asks_approval, part, parts, follows, root, attempts, doubts, refusals,
            waits_for, version, created_by, created_at, updated_at)
         SELECT id, post_id, account_id, unit_id, platform, language, class, state,
            TIMESTAMPTZ 'epoch' + created_ms * INTERVAL '1 millisecond',
            TIMESTAMPTZ 'epoch' + due_ms * INTERVAL '1 millisecond',
            TIMESTAMPTZ 'epoch' + publish_by_ms * INTERVAL '1 millisecond',
            civil, settings, content, content_hash, text_hash, intended_repeat, asks_approval, part,
            parts, follows, root, 0, 0, 0, waits_for, 1,
            created_by, TIMESTAMPTZ 'epoch' + created_ms * INTERVAL '1 millisecond',
            TIMESTAMPTZ 'epoch' + created_ms * INTERVAL '1 millisecond'
         FROM jsonb_to_recordset($1) AS v(id TEXT, post_id TEXT, account_id TEXT, unit_id TEXT,
            platform TEXT, language TEXT, class TEXT, due_ms BIGINT, publish_by_ms BIGINT,
            civil JSONB, settings JSONB, content JSONB, content_hash TEXT, text_hash TEXT,
            intended_repeat BOOLEAN, asks_approval BOOLEAN, state TEXT, waits_for JSONB, part BIGINT, parts BIGINT, follows TEXT, root TEXT,
            created_by TEXT, created_ms BIGINT)";
    FIND =
        "SELECT d.id, d.post_id, d.account_id, d.unit_id, d.platform, d.language, d.class, d.state,
            d.state_since, d.due_at, d.publish_by, d.civil, d.settings, d.content, d.content_hash,
            d.text_hash, d.intended_repeat, d.attempts, d.remote_id, d.permalink, d.published_at,
            d.problem, d.waits_for, d.hold_id, d.released_at, d.zone_change, d.recall,
            d.part, d.parts, d.follows, d.root, d.asks_approval, d.version, d.created_by, d.created_at, d.updated_at,
            a.time_zone AS account_zone,
            EXISTS (SELECT 1 FROM deliveries_of_stale_variants AS y WHERE y.delivery_id = d.id) AS variant_stale
         FROM deliveries AS d JOIN accounts AS a ON a.id = d.account_id
         WHERE d.id = $1";
    LIST =
        "SELECT d.id, d.post_id, d.account_id, d.unit_id, d.platform, d.language, d.class, d.state,
            d.state_since, d.due_at, d.publish_by, d.civil, d.settings, d.content, d.content_hash,
            d.text_hash, d.intended_repeat, d.attempts, d.remote_id, d.permalink, d.published_at,
            d.problem, d.waits_for, d.hold_id, d.released_at, d.zone_change, d.recall,
            d.part, d.parts, d.follows, d.root, d.asks_approval, d.version, d.created_by, d.created_at, d.updated_at,
            a.time_zone AS account_zone,
            EXISTS (SELECT 1 FROM deliveries_of_stale_variants AS y WHERE y.delivery_id = d.id) AS variant_stale
         FROM deliveries AS d JOIN accounts AS a ON a.id = d.account_id
         WHERE true";
    ATTEMPTS =
        "SELECT id, number, started_at, sent_at, ended_at, outcome, reach, detail
         FROM attempts WHERE delivery_id = $1 ORDER BY number, started_at, id";
    /// `IS TRUE` keeps SQLite from walking through everything that is scheduled.
    STALE =
        "SELECT d.post_id, d.id FROM deliveries AS d
         WHERE d.post_id IN " ids(1) "
           AND (d.state IN ('draft', 'pending_approval', 'scheduled', 'held')) IS TRUE
           AND NOT EXISTS (SELECT 1 FROM variants AS v WHERE v.post_id = d.post_id
               AND v.language = d.language AND v.content_hash = d.content_hash)
         ORDER BY d.due_at, d.id";
    UNFINISHED =
        "SELECT id, state FROM deliveries
         WHERE post_id = $1
           AND state NOT IN ('published', 'missed', 'failed', 'cancelled', 'vanished', 'recalled')
         ORDER BY due_at, id LIMIT 20";
    /// None of them can be removed, or come under another unit, before the transaction ends.
    FIT_ACCOUNTS =
        "SELECT id, unit_id FROM accounts WHERE id IN (SELECT value FROM jsonb_each($1))
           AND removed_at IS NULL AND status = 'connected'"
        |
        "SELECT id, unit_id FROM accounts WHERE id IN (SELECT jsonb_array_elements_text($1))
           AND removed_at IS NULL AND status = 'connected'
         ORDER BY id FOR KEY SHARE";
    CANCEL =
        "UPDATE deliveries SET state = 'cancelled', state_since = $2, waits_for = NULL,
            version = version + 1, updated_at = $2
         WHERE id = $1 AND state IN ('draft', 'pending_approval', 'scheduled', 'held')";
    /// Whoever gives another time to what nobody vouches for takes it over.
    MOVE =
        "UPDATE deliveries SET due_at = $4, publish_by = $5, civil = $6,
            created_by = CASE WHEN (
                SELECT COUNT(*) FROM vouched AS v
                WHERE v.person_id = substr(deliveries.created_by, 1, 36) AND v.account_id = deliveries.account_id
                  AND (v.ends_at IS NULL OR v.ends_at > $3)) > 0 THEN created_by ELSE $8 END,
            state = CASE WHEN asks_approval THEN 'pending_approval' ELSE 'scheduled' END,
            waits_for = $7, moves = moves + 1,
            state_since = CASE WHEN state = 'scheduled' AND NOT asks_approval THEN state_since ELSE $3 END,
            hold_id = NULL, zone_change = NULL, problem = NULL, version = version + 1, updated_at = $3
         WHERE id = $1 AND version = $2 AND state IN ('pending_approval', 'scheduled', 'held')";
    ADOPT =
        "UPDATE deliveries SET state = 'published', state_since = $2, remote_id = $3, permalink = $4,
            published_at = $5, problem = NULL, waits_for = NULL, version = version + 1, updated_at = $2
         WHERE id = $1 AND state = 'needs_human'";
    DROP =
        "UPDATE deliveries SET state = 'cancelled', state_since = $2, problem = $3, waits_for = NULL,
            version = version + 1, updated_at = $2
         WHERE id = $1 AND state = 'needs_human'";
    /// What is not due yet keeps its instant.
    RETRY =
        "UPDATE deliveries SET state = 'scheduled', state_since = $2,
            due_at = CASE WHEN due_at > $2 THEN due_at ELSE $2 END,
            publish_by = CASE WHEN due_at > $2 THEN publish_by ELSE $3 END,
            created_by = CASE WHEN (
                SELECT COUNT(*) FROM vouched AS v
                WHERE v.person_id = substr(deliveries.created_by, 1, 36) AND v.account_id = deliveries.account_id
                  AND (v.ends_at IS NULL OR v.ends_at > $2)) > 0 THEN created_by ELSE $4 END,
            problem = NULL, waits_for = NULL, version = version + 1, updated_at = $2
         WHERE id = $1 AND state = 'needs_human'";
}

/// Writes new deliveries.
pub async fn insert(tx: &mut Tx, new: &[&NewDelivery]) -> Result<(), Error> {
    if new.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = new
        .iter()
        .map(|one| NewRow {
            id: &one.id,
            post_id: &one.post_id,
            account_id: &one.account_id,
            unit_id: &one.unit_id,
            platform: &one.platform,
            language: &one.language,
            class: one.class,
            due_ms: one.due_at.as_millisecond(),
            publish_by_ms: one.publish_by.as_millisecond(),
            civil: one.civil.as_ref(),
            settings: &one.settings,
            content: &one.content,
            content_hash: &one.content_hash,
            text_hash: &one.text_hash,
            intended_repeat: one.intended_repeat,
            asks_approval: one.asks_approval,
            state: one.state(),
            waits_for: one.waits_for(),
            part: one.part.number,
            parts: one.part.of,
            follows: one.part.follows.as_ref(),
            root: one.part.root.as_ref(),
            created_by: &one.created_by,
            created_ms: one.created_at.as_millisecond(),
        })
        .collect();
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql).bind(Json(rows)).execute(conn).await?;
    });
    super::terms::carry(tx, new).await
}

/// The delivery with this id.
pub async fn find(reader: &mut Reader, id: &DeliveryId) -> Result<Option<Delivery>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Delivery::from))
}

/// The attempts of a delivery, in their order.
pub async fn attempts(reader: &mut Reader, id: &DeliveryId) -> Result<Vec<Attempt>, Error> {
    let rows: Vec<AttemptRow> =
        on!(reader, ATTEMPTS, |sql, conn| sqlx::query_as(sql).bind(id).fetch_all(conn).await?);
    Ok(rows.into_iter().map(Attempt::from).collect())
}

/// The deliveries that pass, by their instant.
pub async fn list(
    reader: &mut Reader,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Delivery>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        let mut query = sqlx::QueryBuilder::new(sql);
        if !filter.states.is_empty() {
            let mut states = query.push(" AND d.state IN (").separated(", ");
            for &state in &filter.states {
                states.push_bind(state);
            }
            query.push(")");
        }
        if let Some(account) = &filter.account_id {
            query.push(" AND d.account_id = ").push_bind(account);
        }
        if let Some(among) = &filter.among {
            let mut accounts = query.push(" AND d.account_id IN (''").separated("");
            for account in among {
                accounts.push(", ").push_bind_unseparated(account);
            }
            query.push(")");
        }
        if let Some(unit) = &filter.unit_id {
            query.push(" AND d.unit_id = ").push_bind(unit);
        }
        if let Some(post) = &filter.post_id {
            query.push(" AND d.post_id = ").push_bind(post);
        }
        if let Some(campaign) = &filter.campaign_id {
            query.push(" AND d.post_id IN (SELECT id FROM posts WHERE campaign_id = ");
            query.push_bind(campaign).push(")");
        }
        if let Some(hold) = &filter.hold_id {
            query.push(" AND d.hold_id = ").push_bind(hold);
        }
        if filter.zone_changed {
            query.push(" AND d.zone_change IS NOT NULL");
        }
        if let Some(language) = &filter.language {
            query.push(" AND d.language = ").push_bind(language);
        }
        push_waiting(&mut query, filter);
        if let Some(from) = filter.from {
            query.push(" AND d.due_at >= ").push_bind(At(from));
        }
        if let Some(to) = filter.to {
            query.push(" AND d.due_at < ").push_bind(At(to));
        }
        if let Some((due_at, id)) = &filter.after {
            query.push(" AND (d.due_at, d.id) > (").push_bind(At(*due_at));
            query.push(", ").push_bind(id).push(")");
        }
        query.push(" ORDER BY d.due_at, d.id LIMIT ").push_bind(limit);
        query.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Delivery::from).collect())
}

/// Whose move it is, and who is responsible: whoever scheduled it, and an administrator for what only
/// one can do something about or whose author may not schedule there any more.
fn push_waiting<D: sqlx::Database>(query: &mut sqlx::QueryBuilder<D>, filter: &Filter)
where
    for<'a> String: sqlx::Encode<'a, D> + sqlx::Type<D>,
    for<'a> At: sqlx::Encode<'a, D> + sqlx::Type<D>,
{
    let asked = match (&filter.owner, filter.waits_for) {
        (Some(_), _) | (None, Some(Party::Person)) => true,
        (None, Some(Party::Service)) => false,
        (None, None) => return,
    };
    if asked {
        query.push(" AND (d.state IN ('draft', 'pending_approval', 'needs_human') OR (");
    } else {
        query.push(" AND d.state IN ('scheduled', 'publishing', 'unknown', 'held') AND NOT (");
    }
    query.push("d.waits_for IS NOT NULL AND d.waits_for->>'code' IN (''");
    for code in Cause::codes_of(Party::Person) {
        query.push(", ").push_bind(code.to_owned());
    }
    query.push(if asked { ")))" } else { "))" });
    let Some(owner) = &filter.owner else { return };
    // An id has a fixed length; what follows it in the label is a token.
    query.push(" AND ((substr(d.created_by, 1, 36) = ");
    query.push_bind(owner.person_id.to_string());
    query.push(" AND COALESCE(d.waits_for->>'code', '') <> 'quarantine' AND ");
    push_vouchers(query, owner.at);
    query.push(" > 0)");
    if owner.administrator {
        query.push(" OR COALESCE(d.waits_for->>'code', '') = 'quarantine' OR ");
        push_vouchers(query, owner.at);
        query.push(" = 0");
    }
    query.push(")");
}

/// How many times over whoever scheduled it may schedule there at an instant.
fn push_vouchers<D: sqlx::Database>(query: &mut sqlx::QueryBuilder<D>, at: Timestamp)
where
    for<'a> At: sqlx::Encode<'a, D> + sqlx::Type<D>,
{
    query.push("(SELECT COUNT(*) FROM vouched AS v WHERE v.account_id = d.account_id");
    query.push(" AND v.person_id = substr(d.created_by, 1, 36)");
    query.push(" AND (v.ends_at IS NULL OR v.ends_at > ").push_bind(At(at)).push("))");
}

/// Deliveries of posts that are still to go out with something else than the variants now say.
pub async fn stale(
    reader: &mut Reader,
    posts: &[&PostId],
) -> Result<BTreeMap<PostId, Vec<DeliveryId>>, Error> {
    let rows: Vec<(PostId, DeliveryId)> = on!(reader, STALE, |sql, conn| {
        sqlx::query_as(sql).bind(Json(posts)).fetch_all(conn).await?
    });
    let mut found: BTreeMap<PostId, Vec<DeliveryId>> = BTreeMap::new();
    for (post, delivery) in rows {
        found.entry(post).or_default().push(delivery);
    }
    Ok(found)
}

/// Some of the deliveries of a post that are not at their end.
pub async fn unfinished(
    reader: &mut Reader,
    post: &PostId,
) -> Result<Vec<(DeliveryId, DeliveryState)>, Error> {
    Ok(on!(reader, UNFINISHED, |sql, conn| {
        sqlx::query_as(sql).bind(post).fetch_all(conn).await?
    }))
}

/// Those of the accounts that can publish at this moment, and the unit that answers for each. The guard asks
/// again when it is time.
pub async fn fit_accounts(
    tx: &mut Tx,
    ids: &BTreeSet<&AccountId>,
) -> Result<BTreeMap<AccountId, UnitId>, Error> {
    let rows: Vec<(AccountId, UnitId)> = on!(tx, FIT_ACCOUNTS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().collect())
}

/// Takes a delivery back that is not leaving; false when it is in no such state.
pub async fn cancel(tx: &mut Tx, id: &DeliveryId, now: Timestamp) -> Result<bool, Error> {
    let changed = on!(tx, CANCEL, |sql, conn| {
        sqlx::query(sql).bind(id).bind(At(now)).execute(conn).await?.rows_affected()
    });
    Ok(changed == 1)
}

/// Gives a delivery at `version` another instant; false when it has changed or is leaving.
pub async fn reschedule(
    tx: &mut Tx,
    (id, version): (&DeliveryId, i64),
    to: &NewTime,
    by: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = on!(tx, MOVE, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(version)
            .bind(At(now))
            .bind(At(to.due_at))
            .bind(At(to.publish_by))
            .bind(to.civil.as_ref().map(Json))
            .bind(to.asks_approval.then(WaitsFor::approval).map(Json))
            .bind(by)
            .execute(conn)
            .await?
            .rows_affected()
    });
    Ok(changed == 1)
}

/// A person has found it at the platform; false when no person was asked. `Conflict` when another
/// delivery has this id already.
pub async fn adopt(
    tx: &mut Tx,
    id: &DeliveryId,
    receipt: &crate::domain::attempt::Receipt,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = on!(tx, ADOPT, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(At(now))
            .bind(&receipt.remote_id)
            .bind(receipt.permalink.as_deref())
            .bind(At(receipt.published_at))
            .execute(conn)
            .await?
            .rows_affected()
    });
    Ok(changed == 1)
}

/// A person gives it up; false when no person was asked.
pub async fn give_up(
    tx: &mut Tx,
    id: &DeliveryId,
    why: &DeliveryProblem,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = on!(tx, DROP, |sql, conn| {
        sqlx::query(sql).bind(id).bind(At(now)).bind(Json(why)).execute(conn).await?.rows_affected()
    });
    Ok(changed == 1)
}

/// A person has seen that it is not there and sends it again, now; false when no person was asked.
pub async fn retry(
    tx: &mut Tx,
    id: &DeliveryId,
    publish_by: Timestamp,
    by: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = on!(tx, RETRY, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(At(now))
            .bind(At(publish_by))
            .bind(by)
            .execute(conn)
            .await?
            .rows_affected()
    });
    Ok(changed == 1)
}
