//! Plans when each account is asked about: daily, a day before what is due, and an hour before it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::Tools;
use super::warn;
use crate::clock::after;
use crate::domain::id::{AccountId, JobId};
use crate::domain::probe::{DAY, HOUR};
use crate::domain::work;
use crate::queue::{Queue, contained};
use crate::store::jobs::NewJob;
use crate::store::probes as rows;
use crate::store::{Error, jobs};

/// How often it is looked at what is to be planned and told, at most.
const PERIOD: Duration = Duration::from_mins(1);
/// After everything that publishes or looks for what was published.
const PRIORITY: i64 = 8;

/// Plans at once and then again and again, until told to stop; never when nothing is to be asked.
pub(in super::super) async fn keep(
    tools: Tools,
    queue: Queue,
    every: Option<Duration>,
    stop: CancellationToken,
) {
    let Some(every) = every else { return };
    loop {
        if let Err(error) = contained("probes", round(&tools, &queue)).await {
            let error = crate::telemetry::Chain(&error);
            tracing::warn!(%error, "asking about accounts could not be planned yet");
        }
        if let Err(error) = contained("warnings", warn::round(&tools)).await {
            let error = crate::telemetry::Chain(&error);
            tracing::warn!(%error, "people could not be told of accounts yet");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tools.clock.sleep(PERIOD.min(every)) => {}
        }
    }
}

async fn round(tools: &Tools, queue: &Queue) -> Result<(), Error> {
    let now = tools.clock.now();
    let mut reader = tools.store.read().await?;
    let due = rows::due(&mut reader, now, after(now, DAY), after(now, HOUR)).await?;
    drop(reader);
    if due.is_empty() {
        return Ok(());
    }
    let jobs: Vec<NewJob> = due.iter().map(|one| job(one, now)).collect();
    let mut tx = tools.store.begin_for("probe").await?;
    jobs::enqueue(&mut tx, &jobs, now).await?;
    tx.commit().await?;
    queue.announce(&jobs);
    Ok(())
}

fn job((account, platform): &(AccountId, String), now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(now, rand::random()),
        kind: work::PROBE,
        unique_key: work::probe_key(account),
        slot: work::slot(platform, account),
        payload: json!(work::Probe { account_id: account.clone() }),
        priority: PRIORITY,
        due_at: now,
    }
}
