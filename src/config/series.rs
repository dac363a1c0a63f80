//! How far ahead series are made.

use std::time::Duration;

use super::read::Read;

/// Posts that go out again and again.
#[derive(Debug, Clone, Copy)]
pub struct Series {
    /// How long before their instants deliveries are made.
    pub ahead: Duration,
}

impl Series {
    pub(super) fn read(read: &Read<'_>) -> Self {
        Self { ahead: read.duration("series.ahead", Duration::from_hours(1)) }
    }
}
