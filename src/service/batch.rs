//! The two groups in which acts that come in crowds are committed together.

use std::sync::{Arc, OnceLock};

use super::Services;
use super::posts::Creating;
use super::schedule::Scheduling;
use crate::store::Group;

/// Groups that commit together; each begins with its first act.
#[derive(Debug, Clone, Default)]
pub struct Batches {
    creating: Arc<OnceLock<Group<Creating>>>,
    scheduling: Arc<OnceLock<Group<Scheduling>>>,
}

impl Services {
    /// Where new posts are committed.
    pub(super) fn creating(&self) -> &Group<Creating> {
        self.batches
            .creating
            .get_or_init(|| Group::start(self.store.clone(), Creating::new(self.clock.clone())))
    }

    /// Where new deliveries are committed.
    pub(super) fn scheduling(&self) -> &Group<Scheduling> {
        self.batches
            .scheduling
            .get_or_init(|| Group::start(self.store.clone(), Scheduling::new(self.clock.clone())))
    }
}
