//! The order in which transactions take what others wait for, so that no two of them can wait for each
//! other; and what was seen out of that order.
//!
//! Only what many transactions share is ranked. The rows of one delivery are changed by whoever has its
//! job, or by one person's act, and come between the guard and what is counted.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What is taken until the end of a transaction, first to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lock {
    /// Rows of circuits: who probes, and what was learnt.
    Circuits,
    /// The turn of whoever counts what a platform is still open to.
    Counting,
    /// The turn between guards and holds.
    Guard,
    /// Rows of what accounts were looked through for.
    Looks,
    /// Rows of windows: creates that were counted, and what platforms said.
    Windows,
    /// The row of a month's money.
    Money,
    /// Rows of what is wrong with the service.
    Incidents,
    /// The head of the audit.
    Chain,
}

/// Who took what after what, of each kind one.
static BROKEN: Mutex<BTreeSet<(&str, Lock, Lock)>> = Mutex::new(BTreeSet::new());

/// Notes that a transaction has taken something too late. It goes on: most likely nobody waits.
pub(super) fn broken(purpose: &'static str, after: Lock, taken: Lock) {
    let mut broken = BROKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if broken.insert((purpose, after, taken)) {
        tracing::error!(purpose, ?after, ?taken, "a transaction takes locks out of their order");
    }
}

/// What transactions of this process have taken out of the order, each once; for tests.
pub fn disorder() -> Vec<String> {
    let broken = BROKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let told = |(purpose, after, taken): &(&str, Lock, Lock)| {
        format!("{purpose}: {taken:?} after {after:?}")
    };
    broken.iter().map(told).collect()
}
