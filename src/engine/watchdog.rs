//! Watches how late the oldest due delivery is and how many need somebody, for `/readyz` and the
//! metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Tools;
use crate::clock::until;
use crate::domain::delivery::DeliveryState;
use crate::store::{Error, Reader, circuits, jobs, outcomes};

/// How often it looks.
const PERIOD: Duration = Duration::from_secs(5);

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
    pub async fn keep(self, tools: Tools, stop: CancellationToken) {
        loop {
            if let Err(error) = self.look(&tools).await {
                tracing::warn!(error = %crate::telemetry::Chain(&error), "the watchdog cannot see");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tools.clock.sleep(PERIOD) => {}
            }
        }
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

fn float(count: i64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
