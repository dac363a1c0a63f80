//! How large and how long a video may be where the platform's own pages do not agree.

use std::time::Duration;

use super::read::Read;

/// The most that a platform is thought to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Films {
    /// The largest file, in bytes.
    pub max_bytes: u64,
    /// The longest that plays.
    pub max_duration: Duration,
}

impl Films {
    pub(super) fn read(read: &Read<'_>, platform: &str) -> Self {
        let key = |name: &str| format!("{platform}.max_video_{name}");
        Self {
            max_bytes: read.number(&key("bytes"), 1..=8_000_000_000),
            max_duration: read.duration(&key("duration"), Duration::from_secs(1)),
        }
    }
}
