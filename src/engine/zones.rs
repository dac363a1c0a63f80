//! Looks whether wall-clock times still mean the instants that were resolved from them: governments
//! change their clocks, sometimes within days. No instant is moved; people are told, and until one of
//! them gives a delivery a time again it is not sent.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Tools;
use super::clauses::HELD;
use crate::clock::after;
use crate::domain::audit::NewEntry;
use crate::domain::delivery::{DeliveryState, WaitsFor};
use crate::domain::outbox::Occasion;
use crate::domain::schedule::ZoneChange;
use crate::domain::work;
use crate::store::zones::{self, OnWall, Place};
use crate::store::{Error, audit, jobs};

/// How often it looks; the time-zone data of a machine are renewed while it runs.
const PERIOD: Duration = Duration::from_hours(1);
/// The states of what is still to go out.
const TO_GO_OUT: [DeliveryState; 4] = [
    DeliveryState::Draft,
    DeliveryState::PendingApproval,
    DeliveryState::Scheduled,
    DeliveryState::Held,
];
/// Wait before it looks again after it failed.
const PAUSE: Duration = Duration::from_mins(1);

/// Looks at what is due within two looks; to be done before anything is sent.
pub(super) async fn look_ahead(tools: &Tools) -> Result<(), Error> {
    look(tools, after(tools.clock.now(), PERIOD * 2)).await
}

/// Looks at once and then every hour, until told to stop.
pub(super) async fn keep(tools: Tools, stop: CancellationToken) {
    loop {
        let span = match look(&tools, Timestamp::MAX).await {
            Ok(()) => PERIOD,
            Err(error) => {
                let error = crate::telemetry::Chain(&error);
                tracing::warn!(%error, "wall-clock times could not be looked at");
                PAUSE
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tools.clock.sleep(span) => {}
        }
    }
}

/// Resolves all that is still to go out, and is due until then, once more.
async fn look(tools: &Tools, until: Timestamp) -> Result<(), Error> {
    for state in TO_GO_OUT {
        look_at(tools, state, until).await?;
    }
    Ok(())
}

async fn look_at(tools: &Tools, state: DeliveryState, until: Timestamp) -> Result<(), Error> {
    // What is overdue may be flagged, too, or was due by the old law while nobody worked.
    let mut place = Place { from: Timestamp::UNIX_EPOCH, after: String::new(), until };
    loop {
        let page = zones::on_wall(&mut tools.store.read().await?, state, &place).await?;
        let Some(last) = page.last() else { return Ok(()) };
        (place.from, place.after) = (last.due_at, last.id.to_string());
        let now = tools.clock.now();
        let news: Vec<(OnWall, Option<ZoneChange>)> = page
            .into_iter()
            .filter_map(|one| {
                let change = one.civil.change(one.due_at, jiff::tz::db(), now);
                let known = one.change.as_ref().map(|it| &it.means);
                (change.as_ref().map(|it| &it.means) != known).then_some((one, change))
            })
            .collect();
        if !news.is_empty() {
            note(tools, &news, now).await?;
        }
    }
}

async fn note(
    tools: &Tools,
    news: &[(OnWall, Option<ZoneChange>)],
    now: Timestamp,
) -> Result<(), Error> {
    let mut tx = tools.store.begin_for("zones").await?;
    let mut entries = Vec::new();
    for (one, change) in news {
        let waits_for = change.as_ref().map(|change| waits_for(one, change));
        if !zones::note(&mut tx, one, change.as_ref(), waits_for.as_ref(), now).await? {
            continue;
        }
        let action = match change {
            Some(_) => Occasion::DeliveryZoneChanged.as_str(),
            None => "delivery.zone_restored",
        };
        entries.push(NewEntry {
            actor: "engine".to_owned(),
            action: action.to_owned(),
            subject: one.id.to_string(),
            detail: json!({
                "reason": "time_zone", "zone": one.civil.zone, "due_at": one.due_at,
                "resolved_by": one.civil.rules, "means": change.as_ref().map(|it| &it.means),
                "by": change.as_ref().map(|it| &it.rules),
            }),
        });
        tracing::warn!(
            delivery.id = %one.id, zone = one.civil.zone, due_at = %one.due_at, change = ?change,
            "the clocks of a zone go otherwise than when a delivery was scheduled"
        );
    }
    if news.iter().any(|(_, change)| change.is_none()) {
        // What has waited for it need not wait for the guard's next look.
        jobs::hasten(&mut tx, work::PUBLISH, now, after(now, HELD)).await?;
    }
    audit::append(&mut tx, &entries, now);
    tx.commit().await
}

fn waits_for(one: &OnWall, change: &ZoneChange) -> WaitsFor {
    let means: Vec<String> = change.means.iter().map(ToString::to_string).collect();
    let means = match means.as_slice() {
        [] => "no instant any more".to_owned(),
        [only] => only.clone(),
        several => format!("one of {}", several.join(", ")),
    };
    let civil = &one.civil;
    WaitsFor {
        code: "time_zone".to_owned(),
        detail: format!(
            "a person to give it a time again: {} {} in {} meant {} and now means {means}",
            civil.date, civil.time, civil.zone, one.due_at
        ),
    }
}
