//! Ends sign-ins that were not finished in time, and forgets what is sealed in them.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Tools;
use crate::domain::audit::NewEntry;
use crate::store::{Error, audit, connections};

/// How often it looks. A credential that nobody wanted is kept no longer than an hour and this.
const PERIOD: Duration = Duration::from_mins(1);

/// Looks at once and then every minute, until told to stop.
pub(super) async fn keep(tools: Tools, stop: CancellationToken) {
    loop {
        if let Err(error) = look(&tools).await {
            let error = crate::telemetry::Chain(&error);
            tracing::warn!(%error, "sign-ins that are over could not be ended");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tools.clock.sleep(PERIOD) => {}
        }
    }
}

async fn look(tools: &Tools) -> Result<(), Error> {
    let now = tools.clock.now();
    if connections::overdue(&mut tools.store.read().await?, now).await?.is_empty() {
        return Ok(());
    }
    let mut tx = tools.store.begin().await?;
    let ended = connections::expire(&mut tx, now).await?;
    let entries: Vec<NewEntry> = ended
        .iter()
        .map(|id| NewEntry {
            actor: "engine".to_owned(),
            action: "connection.expire".to_owned(),
            subject: id.to_string(),
            detail: json!({}),
        })
        .collect();
    audit::append(&mut tx, &entries, now);
    tx.commit().await
}
