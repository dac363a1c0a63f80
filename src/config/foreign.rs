//! How often accounts are read for posts that did not come from here.

use std::time::Duration;

use super::read::Read;

/// Posts on our accounts that did not come from here.
#[derive(Debug, Clone, Copy)]
pub struct Foreign {
    /// How often each Facebook Page is read; never when it is none.
    pub facebook_every: Option<Duration>,
    /// The same of X accounts.
    pub x_every: Option<Duration>,
}

impl Foreign {
    pub(super) fn read(read: &Read<'_>) -> Self {
        // More often would be no news sooner: lists lag by seconds at least.
        let least = Duration::from_secs(1);
        Self {
            facebook_every: read.optional_duration("foreign.facebook_every", least),
            x_every: read.optional_duration("foreign.x_every", least),
        }
    }
}
