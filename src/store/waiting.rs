//! When the service goes on with deliveries by itself, and who is there to be responsible for them.

use jiff::{SignedDuration, Timestamp};
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader};
use crate::domain::id::{DeliveryId, PersonId};

/// When a job that is not finished goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// Its key.
    pub unique_key: String,
    /// When it is run; when its lease ends if it is at work.
    pub at: Timestamp,
}

/// A person who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Responsible {
    /// Who.
    pub id: PersonId,
    /// His name.
    pub name: String,
    /// May everything.
    pub administrator: bool,
}

statements! {
    NEXT =
        "SELECT j.unique_key,
                CASE WHEN j.state = 'running' THEN COALESCE(n.seen_at, j.lease_until)
                     ELSE j.due_at END,
                CASE WHEN j.state = 'running' THEN n.lease_ms END
         FROM jobs AS j LEFT JOIN nodes AS n ON n.fence = j.fence
         WHERE j.state IN ('queued', 'running') AND j.unique_key IN " ids(1);
    VOUCHED =
        "SELECT d.id FROM deliveries AS d
         WHERE (SELECT COUNT(*) FROM vouched AS v
                WHERE v.person_id = substr(d.created_by, 1, 36) AND v.account_id = d.account_id
                  AND (v.ends_at IS NULL OR v.ends_at > $2)) > 0
           AND d.id IN " ids(1);
    RESPONSIBLE =
        "SELECT id, name, administrator FROM people
         WHERE disabled_at IS NULL AND (administrator OR id IN " ids(1) ") ORDER BY name, id";
}

/// Those of these deliveries whose scheduler may schedule them at this instant; in no order.
pub async fn vouched(
    reader: &mut Reader,
    ids: &[&DeliveryId],
    now: Timestamp,
) -> Result<Vec<DeliveryId>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on!(reader, VOUCHED, |sql, conn| {
        sqlx::query_scalar(sql).bind(Json(ids)).bind(At(now)).fetch_all(conn).await?
    }))
}

/// When the jobs with these keys go on that are not finished; in no order.
pub async fn next(reader: &mut Reader, keys: &[String]) -> Result<Vec<Next>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, Option<At>, Option<i64>)> = on!(reader, NEXT, |sql, conn| {
        sqlx::query_as(sql).bind(Json(keys)).fetch_all(conn).await?
    });
    // What is at work goes on, or is taken over, at the latest when the lease of its node ends.
    let next = |(unique_key, at, lease): (String, Option<At>, Option<i64>)| {
        Some(Next { unique_key, at: at?.0 + SignedDuration::from_millis(lease.unwrap_or(0)) })
    };
    Ok(rows.into_iter().filter_map(next).collect())
}

/// Those of these people who may sign in, and all administrators who may; by name.
pub async fn responsible(reader: &mut Reader, people: &[&str]) -> Result<Vec<Responsible>, Error> {
    Ok(on!(reader, RESPONSIBLE, |sql, conn| {
        sqlx::query_as(sql).bind(Json(people)).fetch_all(conn).await?
    }))
}
