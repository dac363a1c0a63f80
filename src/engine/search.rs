//! Tells the search what posts say that have changed, a little at a time, so that nobody who searches has to wait for
//! it. Every node does; what two learn at once is the same.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Tools;
use crate::store::{Error, search};

/// Posts that are learnt in one transaction.
const BATCH: u32 = 50;
/// Between two looks whether anything has changed.
const PERIOD: Duration = Duration::from_secs(5);
/// Between two batches, so that others get their turn to write.
const BREATH: Duration = Duration::from_millis(20);

/// Learns until told to stop.
pub(super) async fn keep(tools: Tools, stop: CancellationToken) {
    loop {
        let span = match learn(&tools).await {
            Ok(true) => BREATH,
            Ok(false) => PERIOD,
            Err(error) => {
                let error = crate::telemetry::Chain(&error);
                tracing::warn!(%error, "the search has not learnt what posts say");
                PERIOD
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tools.clock.sleep(span) => {}
        }
    }
}

/// One batch; whether there may be more.
async fn learn(tools: &Tools) -> Result<bool, Error> {
    if !search::is_behind(&mut tools.store.read().await?).await? {
        return Ok(false);
    }
    let mut tx = tools.store.begin_for("search").await?;
    let count = search::learn(&mut tx, BATCH).await?;
    tx.commit().await?;
    Ok(count > 0)
}
