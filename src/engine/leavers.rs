//! Takes what is scheduled out of the queue when whoever scheduled it may not schedule there any more: it
//! waits for a person's review. The guard would not let it through either; this tells of it at once.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::clauses::{REVIEW, UNVOUCHED};
use super::{Tools, entry};
use crate::clock::after;
use crate::domain::delivery::{DeliveryState, Event, WaitsFor};
use crate::domain::id::DeliveryId;
use crate::queue::contained;
use crate::store::leavers::{self, Rights, Scheduler};
use crate::store::outcomes::{self as rows, Move};
use crate::store::{Error, audit};

/// How often it is looked whether rights have changed.
const PERIOD: Duration = Duration::from_secs(2);
/// How often everything is looked over although they have not: what was approved or released since.
const ANYWAY: Duration = Duration::from_mins(1);
/// Deliveries that one transaction moves.
const AT_ONCE: i64 = 200;

/// Looks until told to stop.
pub(super) async fn keep(tools: Tools, stop: CancellationToken) {
    let mut seen = None;
    loop {
        if let Err(error) = contained("leavers", look(&tools, &mut seen)).await {
            let error = crate::telemetry::Chain(&error);
            tracing::warn!(%error, "what leavers have scheduled could not be looked over");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tools.clock.sleep(PERIOD) => {}
        }
    }
}

async fn look(tools: &Tools, seen: &mut Option<(Rights, Timestamp)>) -> Result<(), Error> {
    let now = tools.clock.now();
    if !tools.steady.is_vouched_for() {
        // Whether a role has ended is said by the clock; and nothing is sent meanwhile.
        return Ok(());
    }
    let mut reader = tools.store.read().await?;
    let rights = leavers::rights(&mut reader, now).await?;
    if seen.as_ref().is_some_and(|(known, at)| *known == rights && now < after(*at, ANYWAY)) {
        return Ok(());
    }
    let found = leavers::unvouched(&mut reader, now).await?;
    drop(reader);
    for scheduler in &found {
        while hold(tools, scheduler, tools.clock.now()).await? > 0 {}
    }
    *seen = Some((rights, now));
    Ok(())
}

/// Holds some of what somebody has scheduled to an account; says how many.
async fn hold(tools: &Tools, scheduler: &Scheduler, now: Timestamp) -> Result<usize, Error> {
    let Ok(state) = DeliveryState::Scheduled.apply(Event::AccountUnfit) else { return Ok(0) };
    let mut tx = tools.store.begin_for("leavers").await?;
    let found = leavers::scheduled_by(&mut tx, scheduler, (AT_ONCE, now)).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let waits_for = WaitsFor { code: REVIEW.to_owned(), detail: UNVOUCHED.to_owned() };
    let held = |id: &DeliveryId| Move {
        state,
        waits_for: Some(waits_for.clone()),
        ..Move::stay(id.clone(), DeliveryState::Scheduled)
    };
    let wanted: Vec<Move> = found.iter().map(held).collect();
    let moved = rows::transition(&mut tx, &wanted, now).await?;
    let told = |id: &DeliveryId| entry("delivery.held", id, json!({"clause": REVIEW}));
    audit::append(&mut tx, &moved.iter().map(told).collect::<Vec<_>>(), now);
    tx.commit().await?;
    Ok(moved.len())
}
