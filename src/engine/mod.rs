//! What happens by itself: one kind of durable work in each file.
//!
//! Only this folder sees both the store and the platforms. Nothing here keeps a transaction open
//! while a platform is awaited.

pub mod after;
mod batch;
mod below;
pub mod bring;
mod budgets;
mod circuits;
mod clauses;
mod conclude;
pub mod correct;
mod credentials;
mod failover;
mod files;
pub mod follow;
pub mod foreign;
mod holds;
mod leavers;
mod ledger;
mod looks;
pub mod missing;
mod money;
mod outcomes;
mod place;
pub mod probe;
pub mod publish;
pub mod quarantine;
pub mod read_back;
pub mod recall;
pub mod reconcile;
pub mod refresh;
mod remind;
mod renewals;
mod search;
pub mod self_audit;
mod session;
mod sign_ins;
mod spacing;
pub mod start;
mod sunset;
pub mod sweep;
mod timekeeper;
pub mod verify;
pub mod watchdog;
mod zones;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::{SharedClock, Steady};
use crate::domain::audit::NewEntry;
use crate::domain::budget::Limits;
use crate::domain::circuit::Rules;
use crate::domain::id::{DeliveryId, JobId};
use crate::domain::work;
use crate::media::Files;
use crate::outbound::Outbound;
use crate::platforms::Platforms;
use crate::queue::retry::BackOff;
use crate::store::Store;
use crate::store::jobs::NewJob;
use crate::store::publishing::Prepared;
use crate::vault::Vault;

/// What all kinds of work share.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// The same, and whether it can be trusted.
    pub steady: Steady,
    /// The platforms.
    pub platforms: Platforms,
    /// Opens credentials.
    pub vault: Arc<Vault>,
    /// Files of media.
    pub files: Files,
    /// The only HTTP client.
    pub outbound: Outbound,
    /// Timings.
    pub pace: Pace,
}

/// The timings of publishing; `src/config/default.toml` explains them.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Deliveries in flight at once on each platform.
    pub workers: usize,
    /// Total deadline of one request.
    pub request_timeout: Duration,
    /// What must be left of the lease beyond that deadline.
    pub margin: Duration,
    /// How long before its instant files are brought that take long.
    pub files_ahead: Duration,
    /// How far ahead of its instant a delivery is guarded.
    pub lookahead: Duration,
    /// Length of a lease; another process's attempt may go on that long.
    pub lease: Duration,
    /// How long absence does not count, by platform, with one for all others.
    pub quiet_wait: QuietWait,
    /// Overdue by more than this is a backlog.
    pub catch_up_after: Duration,
    /// Between two deliveries of a backlog on one account.
    pub catch_up_spacing: Duration,
    /// What may be created, by platform.
    pub limits: Vec<(&'static str, Limits)>,
    /// When platforms and accounts are left alone.
    pub circuits: Rules,
    /// After definite failures that may pass.
    pub back_off: BackOff,
}

impl Pace {
    /// What may be created on a platform.
    fn limits_of(&self, platform: &str) -> &Limits {
        static NONE: Limits = Limits {
            per_account: Vec::new(),
            per_app: Vec::new(),
            looks_per_account: Vec::new(),
            reserve_percent: 0,
            monthly_usd_micros: None,
        };
        self.limits.iter().find(|(id, _)| *id == platform).map_or(&NONE, |(_, limits)| limits)
    }
}

/// How long after a doubtful attempt absence does not count.
#[derive(Debug, Clone)]
pub struct QuietWait {
    /// Where a platform has none of its own.
    pub usual: Duration,
    /// By platform.
    pub by_platform: Vec<(&'static str, Duration)>,
}

impl QuietWait {
    fn of(&self, platform: &str) -> Duration {
        let own = self.by_platform.iter().find(|(id, _)| *id == platform);
        own.map_or(self.usual, |(_, wait)| *wait)
    }
}

/// An audit entry of the engine.
fn entry(action: &str, subject: &DeliveryId, detail: Value) -> NewEntry {
    NewEntry {
        actor: "engine".to_owned(),
        action: action.to_owned(),
        subject: subject.to_string(),
        detail,
    }
}

/// The job that publishes a delivery at `due_at`.
fn publish_job(prepared: &Prepared, now: Timestamp, due_at: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(now, rand::random()),
        kind: work::PUBLISH,
        unique_key: work::publish_key(&prepared.delivery_id),
        slot: work::slot(&prepared.platform, &prepared.account_id),
        payload: json!(work::Publish { delivery_id: prepared.delivery_id.clone() }),
        priority: i64::from(prepared.class.priority()),
        due_at,
    }
}

/// The job that finds out what became of a doubtful attempt.
fn reconcile_job(
    prepared: &Prepared,
    payload: &work::Reconcile,
    now: Timestamp,
    due_at: Timestamp,
) -> NewJob {
    NewJob {
        id: JobId::new(now, rand::random()),
        kind: work::RECONCILE,
        unique_key: work::reconcile_key(&prepared.delivery_id),
        // One reader for each account.
        slot: work::slot(&prepared.platform, &prepared.account_id),
        payload: json!(payload),
        priority: i64::from(prepared.class.priority()),
        due_at,
    }
}
