//! Looks over the credentials every minute: each that can be refreshed has its job, and an account whose
//! access token has ended, and that nothing but a person can give another, must be connected again.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Tools;
use crate::domain::account::AccountStatus;
use crate::domain::audit::NewEntry;
use crate::domain::id::{AccountId, JobId, PersonId};
use crate::domain::outbox::Occasion;
use crate::domain::refresh::Plan;
use crate::domain::work;
use crate::queue::{Queue, contained};
use crate::store::jobs::NewJob;
use crate::store::outcomes::{self, Learn};
use crate::store::refreshes::Unplanned;
use crate::store::{Error, Tx, accounts, audit, jobs, refreshes};

/// How often it looks.
const PERIOD: Duration = Duration::from_mins(1);
/// Before looks, after everything that publishes.
const PRIORITY: i64 = 4;

/// Looks at once and then every minute, until told to stop.
pub(super) async fn keep(tools: Tools, queue: Queue, stop: CancellationToken) {
    loop {
        if let Err(error) = contained("credentials", look(&tools, &queue)).await {
            let error = crate::telemetry::Chain(&error);
            tracing::warn!(%error, "credentials could not be looked over; tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tools.clock.sleep(PERIOD) => {}
        }
    }
}

async fn look(tools: &Tools, queue: &Queue) -> Result<(), Error> {
    let now = tools.clock.now();
    let mut reader = tools.store.read().await?;
    let unplanned = refreshes::unplanned(&mut reader).await?;
    let ended = refreshes::ended(&mut reader, now).await?;
    drop(reader);
    if !unplanned.is_empty() {
        let jobs: Vec<NewJob> = unplanned.iter().map(|one| job(one, now)).collect();
        let mut tx = tools.store.begin_for("refresh").await?;
        jobs::enqueue(&mut tx, &jobs, now).await?;
        tx.commit().await?;
        queue.announce(&jobs);
    }
    if ended.is_empty() || !tools.steady.is_vouched_for() {
        // Whether a token has ended is said by the clock.
        return Ok(());
    }
    end(tools, &ended, now).await
}

async fn end(tools: &Tools, ended: &[(AccountId, i64)], now: Timestamp) -> Result<(), Error> {
    let learned: Vec<Learn> = ended
        .iter()
        .map(|(id, version)| Learn {
            id: id.clone(),
            high_water: None,
            blocked_ms: None,
            status: Some(AccountStatus::NeedsReconnect.as_str()),
            credential_version: *version,
        })
        .collect();
    let mut tx = tools.store.begin_for("refresh").await?;
    let fallen = outcomes::learn(&mut tx, &learned, now).await?;
    let entries: Vec<NewEntry> = fallen
        .iter()
        .map(|(id, _)| {
            account_entry(Occasion::AccountNeedsReconnect, id, json!({"reason": "token_ended"}))
        })
        .collect();
    audit::append(&mut tx, &entries, now);
    tx.commit().await
}

fn job(one: &Unplanned, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(now, rand::random()),
        kind: work::REFRESH,
        unique_key: work::refresh_key(&one.account_id),
        // One refresher for each account.
        slot: work::slot(&one.platform, &one.account_id),
        payload: json!(work::Refresh { account_id: one.account_id.clone() }),
        priority: PRIORITY,
        due_at: Plan::of(one.issued_at, one.expires_at).due.max(now),
    }
}

/// That an account's access ends unless somebody signs in again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending<'a> {
    /// Why, as a stable word.
    pub(super) reason: &'a str,
    /// When, where that is known.
    pub(super) ends_at: Option<Timestamp>,
    /// More of it, for people.
    pub(super) detail: &'a str,
}

/// What is told of that: to administrators, and to whoever connected the account.
pub(super) async fn tell_ending(
    tx: &mut Tx,
    id: &AccountId,
    ending: Ending<'_>,
) -> Result<Option<NewEntry>, Error> {
    let Some(account) = accounts::find(tx, id).await? else { return Ok(None) };
    let owners: Vec<&str> = account.health.connected_by.iter().map(PersonId::as_str).collect();
    let detail = json!({
        "reason": ending.reason, "ends_at": ending.ends_at, "detail": ending.detail,
        "owners": owners, "administrators": true,
    });
    Ok(Some(account_entry(Occasion::AccountEnding, id, detail)))
}

/// An audit entry of the engine about an account.
pub(super) fn account_entry(event: Occasion, id: &AccountId, detail: Value) -> NewEntry {
    NewEntry {
        actor: "engine".to_owned(),
        action: event.as_str().to_owned(),
        subject: id.to_string(),
        detail,
    }
}
