//! Whether the parts that acts rely on answer, and which processes work on the database.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::clock::ClockView;
use super::{Error, Services};
use crate::clock::before;
use crate::store::{audit, nodes};

/// A process that was not seen for so long is not listed.
const GONE: Duration = Duration::from_hours(1);

/// A process that works on the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NodeView {
    /// Its id; new with each start.
    pub id: String,
    /// Larger than that of every process before it.
    pub fence: i64,
    /// Its build.
    pub version: String,
    /// The schema step that it knows; one that is older than the database's claims nothing.
    pub schema: i64,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it last renewed its lease.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// How its clock stands.
    pub clock: ClockView,
}

/// The processes that were seen within the last hour, newest first.
pub async fn nodes(services: &Services) -> Result<Vec<NodeView>, Error> {
    let since = before(services.clock.now(), GONE);
    let nodes = nodes::list(&mut services.store.read().await?, since).await?;
    Ok(nodes
        .into_iter()
        .map(|node| NodeView {
            id: node.id.to_string(),
            fence: node.fence,
            version: node.version,
            schema: node.schema_step,
            started_at: node.started_at,
            seen_at: node.seen_at,
            clock: ClockView {
                step: node.clock.step,
                doubt: node.clock.doubt,
                detail: node.clock.detail,
            },
        })
        .collect())
}

/// Reads one row's worth from the database.
pub async fn database(services: &Services) -> Result<(), Error> {
    let mut reader = services.store.read().await?;
    audit::after(&mut reader, i64::MAX, 1).await?;
    Ok(())
}
