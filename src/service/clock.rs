//! The acts on the clocks of the processes: show how they stand, and confirm one that is in doubt.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::health::{self, NodeView};
use super::{Caller, Done, Error, Services, Told, finish, permit};
use crate::domain::id::NodeId;
use crate::domain::policy::{Action, Subject};
use crate::store::nodes;

/// How the clock of a process stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClockView {
    /// Grows each time that the clock steps; a confirmation names it.
    pub step: i64,
    /// `unproven`, `stepped` or `disagrees`; nothing when it is trusted.
    pub doubt: Option<String>,
    /// The same in a sentence.
    pub detail: Option<String>,
}

/// Says that the clock of a machine is right.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Confirmation {
    /// The process, as `GET /clock` lists it.
    pub node_id: NodeId,
    /// The step, as it was shown; another one since is another doubt.
    pub step: i64,
}

/// The clocks of the processes that were seen lately.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Clocks {
    /// By the clock of the process that answers.
    #[schema(value_type = String, format = DateTime)]
    pub now: Timestamp,
    /// Newest first.
    pub nodes: Vec<NodeView>,
}

/// How the clocks stand.
pub async fn show(services: &Services, caller: &Caller) -> Result<Clocks, Error> {
    permit(caller, Action::ReadDeliveries, Subject::Any)?;
    Ok(Clocks { now: services.clock.now(), nodes: health::nodes(services).await? })
}

/// Lets a process go by its machine's clock, whatever the platforms say, until it steps again.
pub async fn confirm(
    services: &Services,
    caller: &Caller,
    confirmation: &Confirmation,
) -> Result<Done<ClockView>, Error> {
    permit(caller, Action::ReleaseQuarantine, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let Confirmation { node_id, step } = confirmation;
    let mut tx = services.store.begin().await?;
    let Some(clock) = nodes::confirm_clock(&mut tx, node_id, *step).await? else {
        let detail = "this clock is not in doubt, or it has stepped again; look at it anew";
        return Err(Error::Conflict(Told::new("clock_not_in_doubt", detail)));
    };
    let view = ClockView { step: clock.step, doubt: clock.doubt, detail: clock.detail };
    let detail = json!({"step": step, "reason": view.doubt, "detail": view.detail});
    let entry = caller.entry("clock.confirm", node_id, detail);
    finish(services, caller, tx, view, &[entry]).await
}
