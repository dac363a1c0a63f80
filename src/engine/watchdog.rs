//! Watches how late the oldest delivery is that shows no reason, what is stuck on its way or in doubt, and
//! how many need somebody: for `/readyz`, the metrics, and the people who are told once when something is
//! wrong and once when that is over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Tools, money, sunset};
use crate::clock::{before, until};
use crate::config;
use crate::domain::audit::NewEntry;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::DeliveryId;
use crate::domain::invariant::Invariant;
use crate::domain::outbox::Occasion;
use crate::store::read_backs::Counts;
use crate::store::{
    Error, Reader, audit, circuits, holds, incidents, jobs, outcomes, quarantine, read_backs,
    self_audit,
};

/// Something that can be wrong with the service as a whole, told of when it begins and when it ends.
#[derive(Debug)]
struct Alarm {
    /// Its name among the incidents, for all processes on one database.
    kind: &'static str,
    begins: Occasion,
    ends: Occasion,
}

const LATE: Alarm =
    Alarm { kind: "late", begins: Occasion::PublishingLate, ends: Occasion::PublishingOnTime };
const STUCK: Alarm =
    Alarm { kind: "stuck", begins: Occasion::DeliveriesStuck, ends: Occasion::DeliveriesMoving };

/// How long a broken promise is counted after it was found.
const FRESH: Duration = Duration::from_hours(24);
/// How many deliveries an alarm names.
const NAMED: usize = 20;

/// What the watchdog last saw. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    oldest_due_ms: Arc<AtomicU64>,
    stuck: Arc<AtomicU64>,
    quarantine: Arc<Mutex<Option<Counts>>>,
}

impl Watch {
    /// How long ago the oldest delivery was due that has not been guarded and shows no reason.
    pub fn oldest_due(&self) -> Duration {
        Duration::from_millis(self.oldest_due_ms.load(Ordering::Relaxed))
    }

    /// How many deliveries are on their way or in doubt for longer than can be.
    pub fn stuck(&self) -> u64 {
        self.stuck.load(Ordering::Relaxed)
    }

    /// While the database came back from a backup and sends nothing: how far the reading of the accounts
    /// has come.
    pub fn quarantine(&self) -> Option<Counts> {
        *self.quarantine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks until told to stop.
    pub async fn keep(self, tools: Tools, settings: config::Notify, stop: CancellationToken) {
        loop {
            if let Err(error) = self.round(&tools, &settings).await {
                tracing::warn!(error = %crate::telemetry::Chain(&error), "the watchdog cannot see");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tools.clock.sleep(settings.watch_interval) => {}
            }
        }
    }

    async fn round(&self, tools: &Tools, settings: &config::Notify) -> Result<(), Error> {
        let stuck = self.look(tools, settings).await?;
        let mut reader = tools.store.read().await?;
        let was_late = incidents::began(&mut reader, LATE.kind).await?.is_some();
        let was_stuck = incidents::began(&mut reader, STUCK.kind).await?.is_some();
        drop(reader);
        let (late, after) = (self.oldest_due(), settings.late_after);
        // It ends well below where it begins, so that what hovers there is one incident: by the row,
        // not by what this process remembers, which may just have started.
        let is_late = if was_late { late > after / 2 } else { late >= after };
        metrics::gauge!("chancery_publishing_late").set(if is_late { 1.0 } else { 0.0 });
        alarm(tools, &LATE, (was_late, is_late), json!({"late_s": late.as_secs()})).await?;
        let ids: Vec<&DeliveryId> = stuck.iter().map(|(id, _)| id).take(NAMED).collect();
        let detail = json!({"count": stuck.len(), "deliveries": ids});
        alarm(tools, &STUCK, (was_stuck, !stuck.is_empty()), detail).await?;
        sunset::watch(tools).await
    }

    /// Looks once; gives what is stuck.
    async fn look(
        &self,
        tools: &Tools,
        settings: &config::Notify,
    ) -> Result<Vec<(DeliveryId, DeliveryState)>, Error> {
        let mut reader = tools.store.read().await?;
        let now = tools.clock.now();
        let late = outcomes::oldest_due(&mut reader, now, before(now, settings.late_after))
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
        let (overdue, longest) =
            (before(now, settings.late_after), before(now, settings.stuck_after));
        let stuck = outcomes::stuck(&mut reader, overdue, longest).await?;
        self.stuck.store(u64::try_from(stuck.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        for state in [DeliveryState::Publishing, DeliveryState::Unknown] {
            let count = stuck.iter().filter(|(_, one)| *one == state).count();
            metrics::gauge!("chancery_deliveries_stuck", "state" => state.as_str())
                .set(float(i64::try_from(count).unwrap_or(i64::MAX)));
        }
        let quarantine = match quarantine::find(&mut reader).await? {
            Some(_) => Some(read_backs::counts(&mut reader).await?),
            None => None,
        };
        *self.quarantine.lock().unwrap_or_else(PoisonError::into_inner) = quarantine;
        metrics::gauge!("chancery_quarantined").set(if quarantine.is_some() { 1.0 } else { 0.0 });
        self.look_at_circuits(tools, &mut reader).await?;
        look_at_promises(&mut reader, now).await?;
        look_at_money(tools, &mut reader, now).await?;
        metrics::gauge!("chancery_holds_active")
            .set(float(holds::standing(&mut reader, now).await?));
        look_at_jobs(&mut reader).await?;
        Ok(stuck)
    }
}

async fn look_at_promises(reader: &mut Reader, now: Timestamp) -> Result<(), Error> {
    let counts = self_audit::counts(reader, before(now, FRESH)).await?;
    for &invariant in Invariant::ALL {
        let count = counts.iter().find(|(one, _)| *one == invariant).map_or(0, |(_, count)| *count);
        metrics::gauge!("chancery_invariant_violations", "invariant" => invariant.as_str())
            .set(float(count));
    }
    Ok(())
}

async fn look_at_jobs(reader: &mut Reader) -> Result<(), Error> {
    for kind in crate::domain::work::KINDS {
        for state in ["queued", "running"] {
            metrics::gauge!("chancery_jobs", "kind" => *kind, "state" => state).set(0.0);
        }
    }
    for (kind, state, count) in jobs::counts(reader).await? {
        metrics::gauge!("chancery_jobs", "kind" => kind, "state" => state).set(float(count));
    }
    Ok(())
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

/// Tells once of an incident when it begins and once when it ends, whichever process sees it.
async fn alarm(
    tools: &Tools,
    alarm: &Alarm,
    (was, is): (bool, bool),
    detail: Value,
) -> Result<(), Error> {
    if was == is {
        return Ok(());
    }
    let now = tools.clock.now();
    let mut tx = tools.store.begin_for("watchdog").await?;
    let (news, occasion) = if is {
        (incidents::open(&mut tx, alarm.kind, now).await?, alarm.begins)
    } else {
        (incidents::close(&mut tx, alarm.kind).await?, alarm.ends)
    };
    if news {
        tracing::warn!(%detail, "{occasion}");
        let entry = NewEntry {
            actor: "engine".to_owned(),
            action: occasion.as_str().to_owned(),
            subject: "publishing".to_owned(),
            detail,
        };
        audit::append(&mut tx, &[entry], now);
        tx.commit().await?;
    }
    Ok(())
}

fn float(count: i64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
