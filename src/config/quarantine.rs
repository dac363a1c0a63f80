//! What is done while a database that came back sends nothing.

use super::read::Read;

/// After a restore or a failover.
#[derive(Debug, Clone, Copy)]
pub struct Quarantine {
    /// Whether every account is read through before anything is sent.
    pub read_back: bool,
}

impl Quarantine {
    pub(super) fn read(read: &Read<'_>) -> Self {
        Self { read_back: read.truth("quarantine.read_back") }
    }
}
