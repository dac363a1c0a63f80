//! What follows from what happened: people and programs are told, and nothing is decided.
//!
//! A follow-up is made from the audit after the transition was committed, in transactions of its own.
//! Nothing in this folder has a platform in its hands or names a part of the store that changes
//! deliveries, attempts or accounts; `tests/architecture` holds the list of what it may name.

pub mod mail;
pub mod relay;
pub mod webhook;

use std::sync::Arc;

use crate::clock::SharedClock;
use crate::config;
use crate::outbound::Outbound;
use crate::outbound::mail::Mailer;
use crate::store::Store;
use crate::vault::Vault;

/// What follow-ups work with: less than what publishing has.
#[derive(Debug, Clone)]
pub struct Means {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// Opens the secrets of webhooks.
    pub vault: Arc<Vault>,
    /// The only HTTP client.
    pub outbound: Outbound,
    /// Where mail leaves; none when there is no mail server.
    pub mailer: Option<Mailer>,
    /// How often it is looked at what has happened.
    pub notify: config::Notify,
    /// How webhooks are told.
    pub webhooks: config::Webhooks,
    /// How mail is sent.
    pub mail: config::Mail,
}
