//! What follows from what happened: people and programs are told, and nothing is decided.
//!
//! A follow-up is made from the audit after the transition was committed, in transactions of its own.
//! Nothing in this folder has a platform in its hands or names a part of the store that changes
//! deliveries, attempts or accounts; `tests/architecture` holds the list of what it may name.

pub mod mail;
pub mod relay;
pub mod webhook;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;

use crate::clock::SharedClock;
use crate::config;
use crate::outbound::Outbound;
use crate::outbound::mail::Mailer;
use crate::store::{Error, Store};
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

/// Runs a part of a follow-up. A panic in it is a failure of this part alone, which is tried again:
/// it must not end the process that publishes.
async fn contained<T>(
    name: &'static str,
    part: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match AssertUnwindSafe(part).catch_unwind().await {
        Ok(result) => result,
        Err(_panic) => {
            tracing::error!(name, "a follow-up has panicked; it is tried again");
            Err(Error::NotCommitted)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure_and_nothing_more() {
        let told = contained("test", async { Ok(1) }).await;
        assert!(matches!(told, Ok(1)));
        let lost = contained("test", async { panic!("a fault of ours") }).await;
        assert!(matches!(lost, Err::<(), _>(Error::NotCommitted)));
    }
}
