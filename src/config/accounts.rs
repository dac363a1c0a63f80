//! How often platforms are asked what accounts' access is worth.

use std::time::Duration;

use super::read::Read;

/// What is asked about accounts.
#[derive(Debug, Clone, Copy)]
pub struct Accounts {
    /// How often each is asked about; never when it is none.
    pub probe_every: Option<Duration>,
}

impl Accounts {
    pub(super) fn read(read: &Read<'_>) -> Self {
        Self { probe_every: read.optional_duration("accounts.probe_every", Duration::from_secs(1)) }
    }
}
