//! A ledger that lives in memory, for tests: what was written down, in order.

use std::sync::{Arc, Mutex, PoisonError};

use super::session::{Ledger, Progress};
use super::{Answer, Withdrawn};

/// What was written down.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pages: Mutex<Vec<Progress>>,
    closed: bool,
}

impl Notes {
    /// One in which everything may be written down.
    pub(crate) fn open() -> Arc<Self> {
        Arc::default()
    }

    /// One of a delivery that is not ours any more.
    pub(crate) fn closed() -> Arc<Self> {
        Arc::new(Self { closed: true, ..Self::default() })
    }

    pub(crate) fn pages(&self) -> Vec<Progress> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Ledger for Notes {
    fn keep<'a>(&'a self, progress: &'a Progress) -> Answer<'a, Result<(), Withdrawn>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).push(progress.clone());
        Box::pin(std::future::ready(if self.closed { Err(Withdrawn) } else { Ok(()) }))
    }
}
