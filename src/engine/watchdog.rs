//! Watches how late the oldest due delivery is and how many need somebody, for `/readyz`, the metrics,
//! and the people who are told once when publishing becomes late and once when it is on time again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Tools, money};
use crate::clock::until;
use crate::config;
use crate::domain::audit::NewEntry;
use crate::domain::delivery::DeliveryState;
use crate::domain::outbox::Occasion;
use crate::store::{Error, Reader, audit, circuits, holds, incidents, jobs, outcomes};

/// The incident of the oldest due delivery being late, among all processes on one database.
const LATE: &str = "late";

/// What the watchdog last saw. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    oldest_due_ms: Arc<AtomicU64>,
}

impl Watch {
    /// How long ago the oldest delivery was due that has not been guarded.
    pub fn oldest_due(&self) -> Duration {
        Duration::from_millis(self.oldest_due_ms.load(Ordering::Relaxed))
    }

    /// Looks until told to stop.
    pub async fn keep(self, tools: Tools, settings: config::Notify, stop: CancellationToken) {
        // What this process knows to be told; nothing when it starts.
        let mut told = None;
        loop {
            if let Err(error) = self.look(&tools).await {
                tracing::warn!(error = %crate::telemetry::Chain(&error), "the watchdog cannot see");
            } else if let Err(error) = self.alarm(&tools, settings.late_after, &mut told).await {
                tracing::warn!(error = %crate::telemetry::Chain(&error), "the watchdog cannot bark");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tools.clock.sleep(settings.watch_interval) => {}
            }
        }
    }

    /// Tells once of an incident when it begins and once when it ends, whichever process sees it.
    async fn alarm(
        &self,
        tools: &Tools,
        late_after: Duration,
        told: &mut Option<bool>,
    ) -> Result<(), Error> {
        let late = self.oldest_due();
        // It ends well below where it begins, so that what hovers there is one incident.
        let is_late = if *told == Some(true) { late > late_after / 2 } else { late >= late_after };
        metrics::gauge!("chancery_publishing_late").set(if is_late { 1.0 } else { 0.0 });
        if *told == Some(is_late) {
            return Ok(());
        }
        let now = tools.clock.now();
        let mut tx = tools.store.begin_for("watchdog").await?;
        let (news, occasion) = if is_late {
            (incidents::open(&mut tx, LATE, now).await?, Occasion::PublishingLate)
        } else {
            (incidents::close(&mut tx, LATE).await?, Occasion::PublishingOnTime)
        };
        if news {
            audit::append(&mut tx, &[bark(occasion, late, now)], now).await?;
            tx.commit().await?;
            tracing::warn!(late_s = late.as_secs(), "{occasion}");
        }
        *told = Some(is_late);
        Ok(())
    }

    async fn look(&self, tools: &Tools) -> Result<(), Error> {
        let mut reader = tools.store.read().await?;
        let now = tools.clock.now();
        let late = outcomes::oldest_due(&mut reader, now)
            .await?
            .map_or(Duration::ZERO, |at| until(at, now));
        self.oldest_due_ms
            .store(u64::try_from(late.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        metrics::gauge!("chancery_oldest_due_seconds").set(late.as_secs_f64());
        let counts = outcomes::standing_counts(&mut reader).await?;
        let of =
            |state| counts.iter().find(|(one, _)| *one == state).map_or(0, |(_, count)| *count);
        metrics::gauge!("chancery_deliveries_needing_human")
            .set(float(of(DeliveryState::NeedsHuman)));
        metrics::gauge!("chancery_deliveries_unknown").set(float(of(DeliveryState::Unknown)));
        self.look_at_circuits(tools, &mut reader).await?;
        look_at_money(tools, &mut reader, now).await?;
        metrics::gauge!("chancery_holds_active")
            .set(float(holds::standing(&mut reader, now).await?));
        for kind in crate::domain::work::KINDS {
            for state in ["queued", "running"] {
                metrics::gauge!("chancery_jobs", "kind" => *kind, "state" => state).set(0.0);
            }
        }
        for (kind, state, count) in jobs::counts(&mut reader).await? {
            metrics::gauge!("chancery_jobs", "kind" => kind, "state" => state).set(float(count));
        }
        Ok(())
    }
}

impl Watch {
    async fn look_at_circuits(&self, tools: &Tools, reader: &mut Reader) -> Result<(), Error> {
        let open = circuits::open(reader).await?;
        for platform in tools.platforms.iter().map(|platform| platform.id()) {
            let of = |incident: bool| {
                let here = |(scope, it): &&(String, bool)| {
                    *it == incident && scope.split('/').next() == Some(platform)
                };
                let count = open.iter().filter(here).count();
                float(i64::try_from(count).unwrap_or(i64::MAX))
            };
            for (reason, count) in [("no_answer", of(false)), ("incident", of(true))] {
                metrics::gauge!(
                    "chancery_circuits_open", "platform" => platform, "reason" => reason
                )
                .set(count);
            }
        }
        Ok(())
    }
}

async fn look_at_money(tools: &Tools, reader: &mut Reader, now: Timestamp) -> Result<(), Error> {
    let dollars = |micros: i64| float(micros.max(0) / 10_000) / 100.0;
    for platform in tools.platforms.iter().filter(|it| it.rules().cost.is_some()) {
        let spent = money::spent(reader, platform.id(), now).await?;
        metrics::gauge!("chancery_spent_usd", "platform" => platform.id()).set(dollars(spent));
        if let Some(most) = tools.pace.limits_of(platform.id()).monthly_usd_micros {
            metrics::gauge!("chancery_budget_usd", "platform" => platform.id()).set(dollars(most));
        }
    }
    Ok(())
}

fn bark(occasion: Occasion, late: Duration, now: Timestamp) -> NewEntry {
    NewEntry {
        actor: "engine".to_owned(),
        action: occasion.as_str().to_owned(),
        subject: "publishing".to_owned(),
        detail: json!({"late_s": late.as_secs(), "seen_at": now}),
    }
}

fn float(count: i64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
