//! Plans when each account is read for posts that did not come from here, and counts those that nobody
//! has explained.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::Tools;
use crate::clock::{after, before};
use crate::domain::id::JobId;
use crate::domain::work;
use crate::queue::{Queue, contained};
use crate::store::foreign::{self as rows, Unplanned};
use crate::store::jobs::NewJob;
use crate::store::{Error, foreign_posts, jobs};

/// How often it is looked at what is to be planned, at most.
const PERIOD: Duration = Duration::from_secs(30);
/// An account that was entered so lately is looked after from its beginning; an older one from now on.
const LATELY: Duration = Duration::from_hours(1);
/// After everything else.
const PRIORITY: i64 = 9;

/// How often the accounts of each platform are read; of one that is not named, never.
pub type Intervals = Vec<(&'static str, Duration)>;

/// Plans at once and then again and again, until told to stop.
pub(in super::super) async fn keep(
    tools: Tools,
    queue: Queue,
    every: Intervals,
    stop: CancellationToken,
) {
    let Some(shortest) = every.iter().map(|(_, span)| *span).min() else { return };
    loop {
        if let Err(error) = contained("foreign", round(&tools, &queue, &every)).await {
            let error = crate::telemetry::Chain(&error);
            tracing::warn!(%error, "reading accounts for foreign posts could not be planned yet");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tools.clock.sleep(PERIOD.min(shortest)) => {}
        }
    }
}

async fn round(tools: &Tools, queue: &Queue, every: &Intervals) -> Result<(), Error> {
    let now = tools.clock.now();
    let platforms: Vec<&str> = every.iter().map(|(platform, _)| *platform).collect();
    let mut reader = tools.store.read().await?;
    let counts = foreign_posts::counts(&mut reader).await?;
    let more = rows::unknown_accounts(&mut reader, &platforms).await? > 0;
    let unplanned = rows::unplanned(&mut reader, &platforms).await?;
    drop(reader);
    for platform in platforms.iter().copied() {
        let count = counts.iter().find(|(of, _)| of == platform).map_or(0, |(_, count)| *count);
        let count = u32::try_from(count).map_or(f64::from(u32::MAX), f64::from);
        metrics::gauge!("chancery_foreign_posts", "platform" => platform.to_owned()).set(count);
    }
    if !more && unplanned.is_empty() {
        return Ok(());
    }
    let mut tx = tools.store.begin_for("foreign").await?;
    rows::begin(&mut tx, &platforms, now, before(now, LATELY)).await?;
    let unplanned = rows::unplanned(&mut tx, &platforms).await?;
    let jobs: Vec<NewJob> = unplanned.iter().filter_map(|one| job(one, every, now)).collect();
    jobs::enqueue(&mut tx, &jobs, now).await?;
    tx.commit().await?;
    queue.announce(&jobs);
    Ok(())
}

fn job(one: &Unplanned, every: &Intervals, now: Timestamp) -> Option<NewJob> {
    let (_, span) = every.iter().find(|(platform, _)| *platform == one.platform)?;
    Some(NewJob {
        id: JobId::new(now, rand::random()),
        kind: work::FOREIGN,
        unique_key: work::foreign_key(&one.account_id),
        slot: work::slot(&one.platform, &one.account_id),
        payload: json!(work::Foreign { account_id: one.account_id.clone() }),
        priority: PRIORITY,
        due_at: after(one.since, *span).max(now),
    })
}
