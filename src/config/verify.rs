//! When it is looked whether what was published is still there.

use std::time::Duration;

use super::read::Read;
use super::{LEAST, duration};

/// Looks at what is out.
#[derive(Debug, Clone)]
pub struct Verify {
    /// So long after publishing; none for never.
    pub spans: Vec<Duration>,
    /// Between the two looks after which a post counts as gone.
    pub pause: Duration,
    /// More posts of one platform than these are not gone within an hour: then the platform errs.
    pub most_per_hour: i64,
}

impl Verify {
    pub(super) fn read(read: &Read<'_>) -> Self {
        let text = read.text("verify.spans");
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let spans: Option<Vec<Duration>> =
            parts.map(|part| duration::parse(part).filter(|span| *span >= LEAST)).collect();
        if spans.is_none() {
            let message = format!("{text:?} is no list of durations; write 5m, 24h");
            read.fault("verify.spans", &message);
        }
        Self {
            spans: spans.unwrap_or_default(),
            pause: read.duration("verify.pause", LEAST),
            most_per_hour: read.number("verify.most_per_hour", 1..=1_000_000),
        }
    }
}
