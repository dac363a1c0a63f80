//! The last gate before an irreversible step: work waits here for its instant and can be taken
//! back until it has left.
//!
//! Taking back and leaving are linear: of the two, one happens first and the other is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;

/// All work of this process that is guarded and has not finished.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    passes: Arc<Mutex<HashMap<String, Phase>>>,
}

#[derive(Debug)]
enum Phase {
    Waiting(CancellationToken),
    Leaving,
}

/// What came of taking work back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recall {
    /// It will not be done.
    Taken,
    /// Too late: it is being done.
    Leaving,
    /// This process is not about to do it.
    NotHere,
}

/// The work was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenBack;

/// The right to leave through the gate, once. Dropping it forgets the work.
#[derive(Debug)]
pub struct Pass {
    gate: Gate,
    key: String,
    taken: CancellationToken,
}

impl Gate {
    /// Lets work in; from now on it can be taken back.
    pub fn enter(&self, key: &str) -> Pass {
        let taken = CancellationToken::new();
        self.lock().insert(key.to_owned(), Phase::Waiting(taken.clone()));
        Pass { gate: self.clone(), key: key.to_owned(), taken }
    }

    /// Takes work back if it has not left.
    pub fn recall(&self, key: &str) -> Recall {
        match self.lock().get(key) {
            None => Recall::NotHere,
            Some(Phase::Leaving) => Recall::Leaving,
            Some(Phase::Waiting(taken)) => {
                taken.cancel();
                Recall::Taken
            }
        }
    }

    /// Takes back everything that has not left; for a stop.
    pub fn recall_all(&self) {
        for phase in self.lock().values() {
            match phase {
                Phase::Waiting(taken) => taken.cancel(),
                Phase::Leaving => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Phase>> {
        self.passes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Waits for an instant, unless the work is taken back before.
    pub async fn wait_until(
        &self,
        clock: &SharedClock,
        instant: Timestamp,
    ) -> Result<(), TakenBack> {
        tokio::select! {
            biased;
            () = self.taken.cancelled() => Err(TakenBack),
            () = clock.sleep_until(instant) => Ok(()),
        }
    }

    /// Ends when the work is taken back.
    pub async fn taken_back(&self) {
        self.taken.cancelled().await;
    }

    /// Leaves: after `Ok` nobody can take the work back.
    pub fn leave(&self) -> Result<(), TakenBack> {
        let mut passes = self.gate.lock();
        if self.taken.is_cancelled() {
            return Err(TakenBack);
        }
        passes.insert(self.key.clone(), Phase::Leaving);
        Ok(())
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SimulatedClock;

    #[tokio::test]
    async fn work_is_taken_back_or_leaves_never_both() {
        let gate = Gate::default();
        let pass = gate.enter("publish:1");
        assert_eq!(gate.recall("publish:1"), Recall::Taken);
        assert_eq!(pass.leave(), Err(TakenBack));

        let pass = gate.enter("publish:2");
        assert_eq!(pass.leave(), Ok(()));
        assert_eq!(gate.recall("publish:2"), Recall::Leaving);
        drop(pass);
        assert_eq!(gate.recall("publish:2"), Recall::NotHere);
    }

    #[tokio::test]
    async fn taking_back_ends_the_wait() {
        let clock: SharedClock = Arc::new(SimulatedClock::at(Timestamp::UNIX_EPOCH));
        let gate = Gate::default();
        let pass = gate.enter("publish:1");
        let waiting = tokio::spawn(async move { pass.wait_until(&clock, Timestamp::MAX).await });
        tokio::task::yield_now().await;
        gate.recall_all();
        assert_eq!(waiting.await.unwrap(), Err(TakenBack));
    }
}
