//! Judges a run of the benchmarks: what was lost, sent twice, refused or early makes it worthless,
//! however fast it was.

use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};
use chancery::simulator::{CreateOutcome, JournalEntry};
use jiff::Timestamp;

/// How late each create arrived, in milliseconds; every text once.
pub(crate) fn arrivals(
    texts: &[String],
    dues: &[Timestamp],
    journal: &[JournalEntry],
) -> Result<Vec<f64>> {
    let mut waiting: HashMap<&str, Timestamp> =
        texts.iter().map(String::as_str).zip(dues.iter().copied()).collect();
    let mut late = Vec::with_capacity(dues.len());
    for entry in journal {
        ensure!(matches!(entry.outcome, CreateOutcome::Created(_)), "refused: {entry:?}");
        let due = waiting.remove(entry.intent.text.as_str());
        late.push(millis(due.with_context(|| format!("sent twice: {entry:?}"))?, entry.at));
    }
    ensure!(waiting.is_empty(), "{} deliveries never arrived", waiting.len());
    Ok(late)
}

/// Nothing arrived before its instant.
pub(crate) fn punctual(late: &[f64]) -> Result<()> {
    let early = late.iter().filter(|late| **late < 0.0).count();
    ensure!(early == 0, "{early} creates were early");
    Ok(())
}

/// Between two looks at the platforms' counters (of creates and of posts) so many creates arrived,
/// and each made a post.
pub(crate) fn all_once(before: (u64, u64), after: (u64, u64), wanted: u64) -> Result<()> {
    let (received, created) = (after.0 - before.0, after.1 - before.1);
    ensure!(received == wanted, "{received} creates for {wanted} deliveries");
    ensure!(created == wanted, "{created} posts for {wanted} deliveries");
    Ok(())
}

/// From an instant to another, negative when that was earlier.
pub(crate) fn millis(due: Timestamp, at: Timestamp) -> f64 {
    at.duration_since(due).as_secs_f64() * 1_000.0
}
