//! Deliveries that were held because their account could not publish, and go on when it can again.

use jiff::Timestamp;
use serde_json::json;

use super::audit;
use super::codec::At;
use super::jobs::{self, NewJob};
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::audit::NewEntry;
use crate::domain::class::Class;
use crate::domain::id::{AccountId, DeliveryId, JobId};
use crate::domain::work;

statements! {
    HELD =
        "SELECT id FROM deliveries WHERE account_id = $1 AND state = 'held' AND hold_id IS NULL
           AND COALESCE(waits_for->>'code', '') <> 'review' ORDER BY id";
    RELEASE =
        "UPDATE deliveries SET state = 'scheduled', state_since = $2, problem = NULL,
                waits_for = NULL, version = version + 1, updated_at = $2
         WHERE account_id = $1 AND state = 'held' AND hold_id IS NULL
           AND COALESCE(waits_for->>'code', '') <> 'review'
         RETURNING id, account_id, platform, class, due_at";
    PUBLISHING = "SELECT id FROM deliveries WHERE account_id = $1 AND state = 'publishing'";
}

/// Schedules the held deliveries of an account again and enqueues their jobs, to be announced after
/// the commit. What is too late by then is found by the guard and recorded as missed.
pub async fn release(
    tx: &mut Tx,
    account: &AccountId,
    now: Timestamp,
) -> Result<Vec<NewJob>, Error> {
    let held: Vec<DeliveryId> =
        on!(tx, HELD, |sql, conn| sqlx::query_scalar(sql).bind(account).fetch_all(conn).await?);
    // Its job looks from time to time whether it is still held: now it need not wait for that. The jobs
    // before the deliveries, as whoever claims them: in the other order the two can wait for each other.
    let keys: Vec<String> = held.iter().map(work::publish_key).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    jobs::remove_queued(tx, &keys).await?;
    let released: Vec<Released> = on!(tx, RELEASE, |sql, conn| {
        sqlx::query_as(sql).bind(account).bind(At(now)).fetch_all(conn).await?
    });
    if !held.iter().all(|id| released.iter().any(|one| one.id == *id)) {
        // Somebody has moved one since, and given it a job that was just removed: not so.
        return Err(Error::Busy);
    }
    go_on(tx, released, "account_fit", now).await
}

/// Gives deliveries that are scheduled again their jobs, to be announced after the commit.
pub(super) async fn go_on(
    tx: &mut Tx,
    released: Vec<Released>,
    code: &str,
    now: Timestamp,
) -> Result<Vec<NewJob>, Error> {
    let entries: Vec<NewEntry> = released
        .iter()
        .map(|one| NewEntry {
            actor: "engine".to_owned(),
            action: "delivery.scheduled".to_owned(),
            subject: one.id.to_string(),
            detail: json!({"code": code}),
        })
        .collect();
    let jobs: Vec<NewJob> = released
        .into_iter()
        .map(|one| NewJob {
            id: JobId::new(now, rand::random()),
            kind: work::PUBLISH,
            unique_key: work::publish_key(&one.id),
            slot: work::slot(&one.platform, &one.account_id),
            payload: json!(work::Publish { delivery_id: one.id }),
            priority: i64::from(one.class.priority()),
            due_at: one.due_at.0.max(now),
        })
        .collect();
    jobs::enqueue(tx, &jobs, now).await?;
    audit::append(tx, &entries, now);
    Ok(jobs)
}

/// A delivery that is scheduled again, and what its job is made from.
#[derive(sqlx::FromRow)]
pub(super) struct Released {
    pub(super) id: DeliveryId,
    account_id: AccountId,
    platform: String,
    class: Class,
    due_at: At,
}

/// The deliveries of an account that are guarded or on their way.
pub async fn publishing(
    reader: &mut Reader,
    account: &AccountId,
) -> Result<Vec<DeliveryId>, Error> {
    Ok(on!(reader, PUBLISHING, |sql, conn| {
        sqlx::query_scalar(sql).bind(account).fetch_all(conn).await?
    }))
}
