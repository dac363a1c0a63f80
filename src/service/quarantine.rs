//! The acts on a database that came back from a backup or lost its last commits: show what is in doubt,
//! and let it send again. How it begins: `engine/quarantine.rs`.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Caller, Done, Error, Services, Told, all_well, finish, permit};
use crate::clock::after;
use crate::domain::delivery::DeliveryState;
use crate::domain::locale;
use crate::domain::policy::{Action, Subject};
use crate::domain::work;
use crate::store::{Reader, jobs, outcomes, quarantine};

/// What the guard has refused is looked at again after at most so long.
const BETWEEN_LOOKS: Duration = Duration::from_mins(1);

/// Whether the database is in quarantine, and what is still in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuarantineView {
    /// True while nothing is sent.
    pub quarantined: bool,
    /// Since when nothing is sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// The instant of which the database tells the state.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub state_of: Option<Timestamp>,
    /// Deliveries that are still being looked for at the platforms.
    pub unknown: i64,
    /// Deliveries that a person must decide about.
    pub needs_human: i64,
}

/// How the quarantine is to end.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct Release {
    /// Although deliveries are still being looked for at the platforms.
    #[serde(default)]
    pub force: bool,
    /// Why that cannot wait; needed with `force`.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: String,
}

/// The longest reason, in code points.
const LONGEST_REASON: usize = 500;

/// Whether the database is in quarantine.
pub async fn show(services: &Services, caller: &Caller) -> Result<QuarantineView, Error> {
    permit(caller, Action::ReadDeliveries, Subject::Any)?;
    view(&mut services.store.read().await?).await
}

async fn view(reader: &mut Reader) -> Result<QuarantineView, Error> {
    let quarantine = quarantine::find(reader).await?;
    let counts = outcomes::standing_counts(reader).await?;
    let of = |state| counts.iter().find(|(one, _)| *one == state).map_or(0, |(_, count)| *count);
    Ok(QuarantineView {
        quarantined: quarantine.is_some(),
        since: quarantine.as_ref().map(|one| one.since),
        reason: quarantine.as_ref().map(|one| one.reason.clone()),
        state_of: quarantine.map(|one| one.state_of),
        unknown: of(DeliveryState::Unknown),
        needs_human: of(DeliveryState::NeedsHuman),
    })
}

/// Lets the database send again, once nothing is being looked for any more; sooner only by `force`. What
/// is still in doubt stays in doubt.
pub async fn release(
    services: &Services,
    caller: &Caller,
    how: &Release,
) -> Result<Done<QuarantineView>, Error> {
    permit(caller, Action::ReleaseQuarantine, Subject::Any)?;
    if how.force || !how.reason.is_empty() {
        let mut faults = Vec::new();
        locale::check_line("/reason", &how.reason, LONGEST_REASON, &mut faults);
        all_well(faults)?;
    }
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let mut tx = services.store.begin().await?;
    let was = view(&mut tx).await?;
    if !quarantine::release(&mut tx).await? {
        let detail = "the database is not in quarantine; it sends as usual";
        return Err(Error::Conflict(Told::new("not_quarantined", detail)));
    }
    if was.unknown > 0 && !how.force {
        let detail = format!(
            "{} deliveries are still being looked for; wait, or force it with a reason",
            was.unknown
        );
        let told = Told::new("still_in_doubt", detail).with("count", was.unknown);
        return Err(Error::Conflict(told.member("unknown", was.unknown)));
    }
    // What was due meanwhile is looked at once a minute: now it need not wait for that. What is not
    // due yet is told so by the guard.
    let now = services.clock.now();
    jobs::hasten(&mut tx, work::PUBLISH, now, after(now, BETWEEN_LOOKS)).await?;
    let view = QuarantineView {
        quarantined: false,
        since: None,
        reason: None,
        state_of: None,
        unknown: was.unknown,
        needs_human: was.needs_human,
    };
    let detail = json!({
        "since": was.since, "state_of": was.state_of, "unknown": was.unknown,
        "needs_human": was.needs_human, "forced": how.force.then_some(&how.reason),
    });
    let entry = caller.entry("quarantine.release", &"installation", detail);
    let done = finish(services, caller, tx, view, &[entry]).await?;
    services.queue.look_again();
    Ok(done)
}
