//! What people and programs may do: one function for each act.
//!
//! An act checks the policy, changes, audits and keeps its answer under the caller's idempotency
//! key, all in one transaction; no transaction is open while a platform is asked.

pub mod account_health;
pub mod accounts;
mod act;
pub mod approvals;
pub mod audit;
pub mod backup;
mod batch;
pub mod boards;
pub mod calendar;
pub mod calendar_sheet;
pub mod campaigns;
mod capacity;
mod change;
pub mod check;
pub mod clock;
pub mod comments;
pub mod connections;
pub mod deliveries;
pub mod differences;
pub mod embargoes;
mod error;
pub mod events;
pub mod factors;
pub mod feeds;
pub mod foreign_posts;
pub mod health;
pub mod holds;
pub mod imports;
pub mod inspection;
pub mod kits;
pub mod languages;
pub mod matrix;
pub mod media;
pub mod notifications;
mod ownership;
mod page;
mod parts;
pub mod passwords;
pub mod people;
pub mod plan;
pub mod platforms;
pub mod posts;
pub mod quarantine;
mod recall;
mod remaining;
pub mod rules;
pub mod schedule;
pub mod sealing;
pub mod self_audit;
pub mod series;
pub mod sessions;
pub mod term_base;
pub mod terms;
pub mod tokens;
pub mod translations;
pub mod units;
pub mod uploads;
pub mod warning;
pub mod webhooks;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::Semaphore;

pub use act::{Caller, Done, IdempotencyKey, finish, same_answer};
pub use batch::Batches;
pub use change::Change;
pub use error::{Error, Told, all_well};
pub use ownership::NewCredential;
pub use page::{MOST, Page, USUAL, Window};

use crate::clock::SharedClock;
use crate::config::Config;
use crate::domain::policy::{self, Action, Subject};
use crate::media::Files;
use crate::outbound::Outbound;
use crate::platforms::Platforms;
use crate::queue::Queue;
use crate::store::Store;
use crate::vault::Vault;

/// Everything that acts need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services {
    /// Where everything is kept.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// The outside world.
    pub platforms: Platforms,
    /// The only HTTP client.
    pub outbound: Outbound,
    /// Where durable work is announced.
    pub queue: Queue,
    /// Seals and opens credentials.
    pub vault: Arc<Vault>,
    /// Files of media.
    pub files: Files,
    /// Turns for unpacking pictures.
    pub unpacking: Arc<Semaphore>,
    /// What was configured.
    pub config: Arc<Config>,
    /// Counts revocations, so that whoever remembers bearers forgets them at once.
    pub revocations: Arc<AtomicU64>,
    /// Where acts that come in crowds are committed together.
    pub batches: Batches,
    /// The names that texts are looked through for.
    pub term_bases: term_base::TermBases,
}

impl Services {
    /// Makes whoever remembers bearers look them up anew: what somebody may has changed.
    pub fn forget_bearers(&self) {
        self.revocations.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }

    /// Fresh randomness for an id.
    pub fn random(&self) -> u128 {
        rand::random()
    }
}

/// Refuses what the actor may not.
pub fn permit(caller: &Caller, action: Action, subject: Subject<'_>) -> Result<(), Error> {
    Ok(policy::may(&caller.actor, action, subject)?)
}
