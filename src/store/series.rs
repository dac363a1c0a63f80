//! Series of posts, and what was made of each.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::DateTime;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{AccountId, DeliveryId, PersonId, PostId, SeriesId, UnitId};
use crate::domain::series::{Recurrence, Series, Stuck, Target};

statements! {
    INSERT =
        "INSERT INTO series (id, unit_id, post_id, recurrence, accounts, paused_at, stuck, settled_until, look_at,
            answers_by, version, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11, $12, $13)";
    UPDATE =
        "UPDATE series SET recurrence = $3, accounts = $4, paused_at = $5, stuck = '[]', settled_until = $6, look_at = $6,
            answers_by = $7, updated_at = $6, version = version + 1
         WHERE id = $1 AND version = $2 AND removed_at IS NULL";
    REMOVE =
        "UPDATE series SET removed_at = $3, updated_at = $3, version = version + 1
         WHERE id = $1 AND version = $2 AND removed_at IS NULL";
    FIND =
        "SELECT id, unit_id, post_id, recurrence, accounts, paused_at, stuck, settled_until, look_at, answers_by,
            version, created_by, created_at, updated_at
         FROM series WHERE id = $1 AND removed_at IS NULL";
    LIST =
        "SELECT id, unit_id, post_id, recurrence, accounts, paused_at, stuck, settled_until, look_at, answers_by,
            version, created_by, created_at, updated_at
         FROM series WHERE removed_at IS NULL";
    TO_LOOK_AT =
        "SELECT id, unit_id, post_id, recurrence, accounts, paused_at, stuck, settled_until, look_at, answers_by,
            version, created_by, created_at, updated_at
         FROM series WHERE removed_at IS NULL AND paused_at IS NULL AND look_at <= $1
         ORDER BY look_at, id LIMIT 100";
    /// One of several that look at the same gets it; the others find that it is to be looked at another time. So does
    /// whoever has looked before a hint that something has changed. The version counts what people change.
    SETTLE =
        "UPDATE series SET settled_until = $4, look_at = $5, stuck = $6
         WHERE id = $1 AND version = $2 AND settled_until = $3 AND look_at = $7
           AND removed_at IS NULL AND paused_at IS NULL";
    /// Nobody else makes anything of it, or takes it back, until the transaction ends.
    LOCK = "SELECT version FROM series WHERE id = $1 AND removed_at IS NULL"
        | "SELECT version FROM series WHERE id = $1 AND removed_at IS NULL FOR UPDATE";
    HASTEN = "UPDATE series SET look_at = $2 WHERE post_id = $1";
    PUT_OFF = "UPDATE series SET look_at = $2 WHERE id = $1 AND look_at < $2";
    KNOWN = "SELECT account_id, wall, due_at FROM occurrences WHERE series_id = $1 AND due_at > $2";
    NOTE =
        "INSERT INTO occurrences (series_id, account_id, wall, zone, due_at, delivery_id)
         VALUES ($1, $2, $3, $4, $5, $6)";
    OCCURRENCES =
        "SELECT o.account_id, o.wall, o.zone, o.due_at, o.delivery_id, d.state, d.moves > 0 AS moved
         FROM occurrences AS o LEFT JOIN deliveries AS d ON d.id = o.delivery_id
         WHERE o.series_id = $1 AND (o.due_at, o.account_id) < ($2, $3)
         ORDER BY o.due_at DESC, o.account_id DESC LIMIT $4";
    AHEAD =
        "SELECT COUNT(*) FROM occurrences AS o JOIN deliveries AS d ON d.id = o.delivery_id
         WHERE o.series_id = $1 AND (d.state IN ('draft', 'pending_approval', 'scheduled', 'held')) IS TRUE";
    /// What nobody has moved by hand and has not begun to leave.
    UNTOUCHED =
        "SELECT d.id FROM occurrences AS o JOIN deliveries AS d ON d.id = o.delivery_id
         WHERE o.series_id = $1 AND d.moves = 0
           AND (d.state IN ('draft', 'pending_approval', 'scheduled', 'held')) IS TRUE";
    /// Of that, what is still to come and says something else than the post does now.
    OUTDATED =
        "SELECT d.id FROM occurrences AS o
         JOIN deliveries AS d ON d.id = o.delivery_id
         JOIN posts AS p ON p.id = d.post_id
         WHERE o.series_id = $1 AND d.moves = 0
           AND (d.state IN ('draft', 'pending_approval', 'scheduled', 'held')) IS TRUE
           AND d.due_at > $2 AND (d.class <> p.class OR NOT EXISTS (
                SELECT 1 FROM variants AS v WHERE v.post_id = d.post_id
                  AND v.language = d.language AND v.content_hash = d.content_hash))";
    UNDER_WAY =
        "SELECT COUNT(*) FROM occurrences AS o JOIN deliveries AS d ON d.id = o.delivery_id
         WHERE o.series_id = $1 AND (d.state = 'publishing') IS TRUE";
    PARTS =
        "SELECT id FROM deliveries
         WHERE root IN " ids(1) " AND (state IN ('draft', 'pending_approval', 'scheduled', 'held')) IS TRUE";
    CANCEL =
        "UPDATE deliveries SET state = 'cancelled', state_since = $2, waits_for = NULL,
            version = version + 1, updated_at = $2
         WHERE id IN (SELECT value FROM jsonb_each($1)) AND (root IS NOT NULL OR moves = 0)
           AND (state IN ('draft', 'pending_approval', 'scheduled', 'held')) IS TRUE"
        |
        "UPDATE deliveries SET state = 'cancelled', state_since = $2, waits_for = NULL,
            version = version + 1, updated_at = $2
         WHERE id IN (SELECT jsonb_array_elements_text($1)) AND (root IS NOT NULL OR moves = 0)
           AND state IN ('draft', 'pending_approval', 'scheduled', 'held')";
    /// What was due and never left is not made again.
    MISS =
        "UPDATE occurrences SET delivery_id = NULL
         WHERE due_at <= $2 AND delivery_id IN (SELECT value FROM jsonb_each($1))"
        |
        "UPDATE occurrences SET delivery_id = NULL
         WHERE due_at <= $2 AND delivery_id IN (SELECT jsonb_array_elements_text($1))";
    FORGET =
        "DELETE FROM occurrences WHERE delivery_id IN (SELECT value FROM jsonb_each($1))"
        |
        "DELETE FROM occurrences WHERE delivery_id IN (SELECT jsonb_array_elements_text($1))";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: SeriesId,
    unit_id: UnitId,
    post_id: PostId,
    recurrence: Json<Recurrence>,
    accounts: Json<Vec<Target>>,
    paused_at: Option<At>,
    stuck: Json<Vec<Stuck>>,
    settled_until: At,
    look_at: At,
    answers_by: PersonId,
    version: i64,
    created_by: PersonId,
    created_at: At,
    updated_at: At,
}

impl From<Row> for Series {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            unit_id: row.unit_id,
            post_id: row.post_id,
            recurrence: row.recurrence.0,
            accounts: row.accounts.0,
            paused_at: row.paused_at.map(Timestamp::from),
            stuck: row.stuck.0,
            settled_until: row.settled_until.0,
            look_at: row.look_at.0,
            answers_by: row.answers_by,
            version: row.version,
            created_by: row.created_by,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

/// One time of a series on one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// On which account.
    pub account_id: AccountId,
    /// What the rule says: the time of the wall.
    pub wall: DateTime,
    /// Whose wall.
    pub zone: String,
    /// The instant.
    pub due_at: Timestamp,
    /// What was made of it; nothing when it was missed.
    pub delivery_id: Option<DeliveryId>,
}

/// The same with where its delivery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it is.
    pub noted: Noted,
    /// Where its delivery stands; nothing when it was missed.
    pub state: Option<DeliveryState>,
    /// Somebody has given it another time.
    pub moved: bool,
}

#[derive(sqlx::FromRow)]
struct StandingRow {
    account_id: AccountId,
    wall: String,
    zone: String,
    due_at: At,
    delivery_id: Option<DeliveryId>,
    state: Option<DeliveryState>,
    moved: Option<bool>,
}

/// Writes a new series.
pub async fn insert(tx: &mut Tx, series: &Series) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&series.id)
            .bind(&series.unit_id)
            .bind(&series.post_id)
            .bind(Json(&series.recurrence))
            .bind(Json(&series.accounts))
            .bind(series.paused_at.map(At))
            .bind(Json(&series.stuck))
            .bind(At(series.settled_until))
            .bind(&series.answers_by)
            .bind(series.version)
            .bind(&series.created_by)
            .bind(At(series.created_at))
            .bind(At(series.updated_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// Writes a changed series over the version that it was made from; `Stale` when that is gone. What was due until
/// then is settled.
pub async fn update(tx: &mut Tx, series: &Series, from_version: i64) -> Result<(), Error> {
    let changed = on!(tx, UPDATE, |sql, conn| {
        sqlx::query(sql)
            .bind(&series.id)
            .bind(from_version)
            .bind(Json(&series.recurrence))
            .bind(Json(&series.accounts))
            .bind(series.paused_at.map(At))
            .bind(At(series.updated_at))
            .bind(&series.answers_by)
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Ends a series; it stays as a record.
pub async fn remove(
    tx: &mut Tx,
    id: &SeriesId,
    from_version: i64,
    now: Timestamp,
) -> Result<(), Error> {
    let changed = on!(tx, REMOVE, |sql, conn| {
        sqlx::query(sql)
            .bind(id)
            .bind(from_version)
            .bind(At(now))
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// One series.
pub async fn find(reader: &mut Reader, id: &SeriesId) -> Result<Option<Series>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Series::from))
}

/// Which series a list is to have.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this unit.
    pub unit_id: Option<UnitId>,
    /// Of these units alone.
    pub within: Option<BTreeSet<UnitId>>,
    /// Of this post.
    pub post_id: Option<PostId>,
    /// Older than this one: where the page before ended.
    pub before: Option<SeriesId>,
}

/// The newest series that pass, newest first.
pub async fn list(reader: &mut Reader, filter: &Filter, limit: i64) -> Result<Vec<Series>, Error> {
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
        if let Some(post) = &filter.post_id {
            query.push(" AND post_id = ").push_bind(post);
        }
        if let Some(before) = &filter.before {
            query.push(" AND id < ").push_bind(before);
        }
        query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
        query.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Series::from).collect())
}

/// Some of those that are to be looked at.
pub async fn to_look_at(reader: &mut Reader, now: Timestamp) -> Result<Vec<Series>, Error> {
    let rows: Vec<Row> = on!(reader, TO_LOOK_AT, |sql, conn| {
        sqlx::query_as(sql).bind(At(now)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Series::from).collect())
}

/// How far a look at a series has come.
#[derive(Debug, Clone)]
pub struct Looked {
    /// What was due until then is settled.
    pub settled_until: Timestamp,
    /// When it is looked next.
    pub look_at: Timestamp,
    /// What stands in the way.
    pub stuck: Vec<Stuck>,
}

/// Writes down how far a look at a series has come; false when somebody else has looked, or has changed it. Nobody
/// else does before the transaction ends.
pub async fn settle(tx: &mut Tx, seen: &Series, looked: &Looked) -> Result<bool, Error> {
    Ok(on!(tx, SETTLE, |sql, conn| {
        sqlx::query(sql)
            .bind(&seen.id)
            .bind(seen.version)
            .bind(At(seen.settled_until))
            .bind(At(looked.settled_until))
            .bind(At(looked.look_at))
            .bind(Json(&looked.stuck))
            .bind(At(seen.look_at))
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// The version of a series, which nobody changes, and of which nobody makes anything, until the transaction ends.
pub async fn lock(tx: &mut Tx, id: &SeriesId) -> Result<Option<i64>, Error> {
    Ok(on!(tx, LOCK, |sql, conn| sqlx::query_scalar(sql).bind(id).fetch_optional(conn).await?))
}

/// The series of a post are looked at soon.
pub async fn hasten(tx: &mut Tx, post: &PostId, now: Timestamp) -> Result<(), Error> {
    on!(tx, HASTEN, |sql, conn| {
        sqlx::query(sql).bind(post).bind(At(now)).execute(conn).await?;
        Ok(())
    })
}

/// A series that could not be looked at keeps no other waiting.
pub async fn put_off(tx: &mut Tx, id: &SeriesId, until: Timestamp) -> Result<(), Error> {
    on!(tx, PUT_OFF, |sql, conn| {
        sqlx::query(sql).bind(id).bind(At(until)).execute(conn).await?;
        Ok(())
    })
}

/// What is known of a series after an instant: by account the times of the wall, and the instants.
pub async fn known(
    reader: &mut Reader,
    id: &SeriesId,
    after: Timestamp,
) -> Result<Vec<(AccountId, String, Timestamp)>, Error> {
    let rows: Vec<(AccountId, String, At)> = on!(reader, KNOWN, |sql, conn| {
        sqlx::query_as(sql).bind(id).bind(At(after)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(account, wall, at)| (account, wall, at.0)).collect())
}

/// Writes down what was made of a series, or missed.
pub async fn note(tx: &mut Tx, id: &SeriesId, new: &[Noted]) -> Result<(), Error> {
    for one in new {
        on!(tx, NOTE, |sql, conn| {
            sqlx::query(sql)
                .bind(id)
                .bind(&one.account_id)
                .bind(one.wall.to_string())
                .bind(&one.zone)
                .bind(At(one.due_at))
                .bind(&one.delivery_id)
                .execute(conn)
                .await?;
        });
    }
    Ok(())
}

/// What was made of a series, the latest first, before a place.
pub async fn occurrences(
    reader: &mut Reader,
    id: &SeriesId,
    (at, account): (Timestamp, &str),
    limit: i64,
) -> Result<Vec<Standing>, Error> {
    let rows: Vec<StandingRow> = on!(reader, OCCURRENCES, |sql, conn| {
        sqlx::query_as(sql).bind(id).bind(At(at)).bind(account).bind(limit).fetch_all(conn).await?
    });
    let standing = |row: StandingRow| {
        let wall = row.wall.parse().map_err(|_unreadable| Error::Unreadable("occurrences.wall"))?;
        let (account_id, zone, due_at) = (row.account_id, row.zone, row.due_at.0);
        let noted = Noted { account_id, wall, zone, due_at, delivery_id: row.delivery_id };
        Ok(Standing { noted, state: row.state, moved: row.moved.unwrap_or(false) })
    };
    rows.into_iter().map(standing).collect()
}

/// How many deliveries of a series wait for their instant.
pub async fn ahead(reader: &mut Reader, id: &SeriesId) -> Result<i64, Error> {
    Ok(on!(reader, AHEAD, |sql, conn| sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?))
}

/// How many deliveries of a series are leaving.
pub async fn under_way(reader: &mut Reader, id: &SeriesId) -> Result<i64, Error> {
    Ok(on!(reader, UNDER_WAY, |sql, conn| sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?))
}

/// Which deliveries of a series are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All that nobody has moved by hand and that have not begun to leave.
    Untouched,
    /// Of these, what says something else than the post does now.
    Outdated,
}

/// The first parts of these deliveries, and what follows them.
pub async fn to_take_back(
    reader: &mut Reader,
    id: &SeriesId,
    which: Which,
    now: Timestamp,
) -> Result<(Vec<DeliveryId>, Vec<DeliveryId>), Error> {
    let first: Vec<DeliveryId> = match which {
        Which::Untouched => on!(reader, UNTOUCHED, |sql, conn| {
            sqlx::query_scalar(sql).bind(id).fetch_all(conn).await?
        }),
        Which::Outdated => on!(reader, OUTDATED, |sql, conn| {
            sqlx::query_scalar(sql).bind(id).bind(At(now)).fetch_all(conn).await?
        }),
    };
    let parts: Vec<DeliveryId> = if first.is_empty() {
        Vec::new()
    } else {
        on!(reader, PARTS, |sql, conn| {
            sqlx::query_scalar(sql).bind(Json(&first)).fetch_all(conn).await?
        })
    };
    Ok((first, parts))
}

/// Takes deliveries back that nobody has touched and that are not leaving, so that they may be made anew; what was due
/// already counts as missed. Says how many.
pub async fn take_back(tx: &mut Tx, ids: &[DeliveryId], now: Timestamp) -> Result<u64, Error> {
    let ended = on!(tx, CANCEL, |sql, conn| {
        sqlx::query(sql).bind(Json(ids)).bind(At(now)).execute(conn).await?.rows_affected()
    });
    on!(tx, MISS, |sql, conn| {
        sqlx::query(sql).bind(Json(ids)).bind(At(now)).execute(conn).await?;
    });
    on!(tx, FORGET, |sql, conn| {
        sqlx::query(sql).bind(Json(ids)).execute(conn).await?;
    });
    Ok(ended)
}
