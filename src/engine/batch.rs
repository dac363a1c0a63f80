//! Changes of attempts, deliveries, accounts and jobs that are written together, with a fixed number
//! of statements.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::entry;
use super::publish::{close, moved, waiting_for};
use crate::domain::attempt::AttemptOutcome;
use crate::domain::audit::NewEntry;
use crate::domain::delivery::{DeliveryState, Event};
use crate::domain::id::{AccountId, AttemptId};
use crate::platforms::outcome::Doubt;
use crate::store::jobs::{self, NewJob};
use crate::store::outcomes::{Close, Learn, Move};
use crate::store::publishing::Prepared;
use crate::store::scrub::{scrub, scrubbed};
use crate::store::{Error, Tx, audit, outcomes as rows};

/// Changes that are written together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    closes: Vec<Close>,
    moves: Vec<(AttemptId, Move)>,
    learned: Vec<(AttemptId, Learn)>,
    entries: Vec<(AttemptId, NewEntry)>,
}

impl Batch {
    /// One attempt ends and its delivery moves on.
    pub(super) fn add(&mut self, mut close: Close, mut change: Move, mut detail: Value) {
        // What platforms say is kept, but for what a database cannot keep.
        close.detail.iter_mut().for_each(scrub);
        scrub(&mut detail);
        change.permalink = change.permalink.filter(|link| !link.contains(char::is_control));
        if let Some(problem) = &mut change.problem {
            problem.detail = scrubbed(&problem.detail);
        }
        if let Some(waits_for) = &mut change.waits_for {
            waits_for.detail = scrubbed(&waits_for.detail);
        }
        let action = format!("delivery.{}", change.state);
        self.entries.push((close.id.clone(), entry(&action, &change.id, detail)));
        self.moves.push((close.id.clone(), change));
        self.closes.push(close);
    }

    /// The account of an attempt learns something.
    pub(super) fn learn(&mut self, attempt: &AttemptId, learned: Learn) {
        self.learned.push((attempt.clone(), learned));
    }

    /// The outcome of an open attempt is hidden.
    pub(super) fn doubt(
        &mut self,
        prepared: &Prepared,
        attempt: &AttemptId,
        doubt: &Doubt,
        sent_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        let change = Move {
            doubts: 1,
            waits_for: waiting_for(
                "reconcile",
                format!("being looked for since {now}: {}", doubt.detail),
            ),
            ..moved(prepared, DeliveryState::Publishing, Event::Doubted)
        };
        let detail = json!({"code": "unknown", "detail": doubt.detail, "reach": doubt.reach});
        let close = Close {
            reach: Some(doubt.reach),
            detail: Some(detail.clone()),
            sent_ms: sent_at,
            ..close(attempt, AttemptOutcome::Unknown)
        };
        self.add(close, change, detail);
    }

    /// Writes everything; changes whose attempt has ended meanwhile are left out.
    pub(super) async fn write(
        self,
        tx: &mut Tx,
        now: Timestamp,
        enqueued: &[NewJob],
    ) -> Result<(), Error> {
        self.write_rows(tx, now).await?.tell(tx, now, enqueued).await
    }

    /// The same but for the audit and the jobs, which are to come last.
    pub(super) async fn write_rows(self, tx: &mut Tx, now: Timestamp) -> Result<Written, Error> {
        if self.closes.is_empty() {
            return Ok(Written::default());
        }
        let closed: HashSet<AttemptId> =
            rows::close(tx, &self.closes, now).await?.into_iter().collect();
        let ours = |(attempt, kept)| closed.contains(&attempt).then_some(kept);
        let moves: Vec<Move> = self.moves.into_iter().filter_map(ours).collect();
        rows::transition(tx, &moves, now).await?;
        let unfit = rows::learn(tx, &merged(self.learned, &closed), now).await?;
        let ours = |(attempt, kept)| closed.contains(&attempt).then_some(kept);
        let mut entries: Vec<NewEntry> = self.entries.into_iter().filter_map(ours).collect();
        // What is told of hangs on the audit, so an account that falls out must stand there too.
        entries.extend(unfit.into_iter().map(|(account, status)| fallen_out(&account, status)));
        Ok(Written { any: true, closed, entries })
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Whether there was anything.
    any: bool,
    /// The attempts that were still open.
    pub(super) closed: HashSet<AttemptId>,
    /// What the audit is to say of them.
    entries: Vec<NewEntry>,
}

impl Written {
    /// The end of a transaction, as where things are claimed: whoever has the head of the audit waits
    /// for nobody, or two of them could wait for each other.
    pub(super) async fn tell(
        self,
        tx: &mut Tx,
        now: Timestamp,
        enqueued: &[NewJob],
    ) -> Result<(), Error> {
        if self.any {
            audit::append(tx, &self.entries, now);
            jobs::enqueue(tx, enqueued, now).await?;
        }
        Ok(())
    }
}

/// An account that may not publish any more.
fn fallen_out(account: &AccountId, status: &str) -> NewEntry {
    NewEntry {
        actor: "engine".to_owned(),
        action: format!("account.{status}"),
        subject: account.to_string(),
        detail: json!({}),
    }
}

/// One row for each account, from attempts that were still open: an update that finds two rows
/// takes either, and what came too late teaches nothing.
fn merged(learned: Vec<(AttemptId, Learn)>, closed: &HashSet<AttemptId>) -> Vec<Learn> {
    let mut rows: Vec<Learn> = Vec::new();
    for (_, one) in learned.into_iter().filter(|(attempt, _)| closed.contains(attempt)) {
        match rows.iter_mut().find(|row| row.id == one.id) {
            None => rows.push(one),
            Some(row) => {
                row.high_water = one.high_water.or(row.high_water.take());
                row.blocked_ms = one.blocked_ms.max(row.blocked_ms);
                row.status = one.status.or(row.status);
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::DeliveryId;
    use crate::engine::outcomes::problem;

    #[test]
    fn nothing_is_handed_to_the_database_that_it_cannot_keep() {
        let at = Timestamp::UNIX_EPOCH;
        let said = || json!({"said": ["a\0b", {"deep": "\0"}]});
        let close = Close {
            detail: Some(said()),
            ..close(&AttemptId::new(at, 1), AttemptOutcome::Unknown)
        };
        let change = Move {
            permalink: Some("https://x.com/\0".to_owned()),
            problem: Some(problem("code", "a\0b", "hint")),
            waits_for: waiting_for("code", "a\0b"),
            ..Move::stay(DeliveryId::new(at, 1), DeliveryState::Publishing)
        };
        let mut batch = Batch::default();
        batch.add(close, change, said());
        let (change, detail) = (&batch.moves[0].1, &batch.entries[0].1.detail);
        assert_eq!(change.permalink, None);
        assert_eq!(change.problem.as_ref().map(|it| it.detail.as_str()), Some("ab"));
        assert_eq!(change.waits_for.as_ref().map(|it| it.detail.as_str()), Some("ab"));
        let clean = json!({"said": ["ab", {"deep": ""}]});
        assert_eq!((detail, batch.closes[0].detail.as_ref()), (&clean, Some(&clean)));
    }
}
