//! Puts what may have been sent since into doubt, when a database came back from a backup or has lost
//! its last commits: it is looked for, and nothing is sent until a person lets it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::clock::before;
use crate::domain::attempt::AttemptOutcome;
use crate::domain::audit::NewEntry;
use crate::domain::delivery::{DeliveryProblem, Event, WaitsFor};
use crate::domain::id::{AttemptId, JobId, NodeId};
use crate::domain::work;
use crate::store::jobs::{Holder, NewJob};
use crate::store::outcomes::{Close, Move};
use crate::store::publishing::Intent;
use crate::store::quarantine::{self, Quarantine, SentPerhaps};
use crate::store::{self, Store, Tx, audit, jobs, nodes, outcomes, publishing};

/// What was sent so long before the backup may not be known to it: an attempt takes a while.
const BEFORE_BACKUP: Duration = Duration::from_hours(1);

/// Puts a database that came back from a backup into quarantine: a new generation, nothing is sent,
/// and every delivery that may have been sent since is in doubt. Gives how many those are.
pub async fn restored(
    store: &Store,
    state_of: Timestamp,
    reason: &str,
    now: Timestamp,
) -> Result<usize, store::Error> {
    let generation = format!("{:032x}", rand::random::<u128>());
    let quarantine = Quarantine { since: now, reason: reason.to_owned(), state_of };
    let mut tx = store.begin().await?;
    // One transaction for all: a restore that breaks off must not leave half of them to be sent.
    quarantine::renew(&mut tx, &generation).await?;
    let from = before(state_of, BEFORE_BACKUP);
    let doubted = begin(&mut tx, &quarantine, from, "console", now).await?;
    tx.commit().await?;
    Ok(doubted)
}

/// Nothing is sent from here on, and everything that was due is in doubt and looked for since `from`.
/// Gives how many those are.
pub(super) async fn begin(
    tx: &mut Tx,
    quarantine: &Quarantine,
    from: Timestamp,
    actor: &str,
    now: Timestamp,
) -> Result<usize, store::Error> {
    quarantine::begin(tx, quarantine).await?;
    nodes::jump(tx, now).await?;
    let begun = NewEntry {
        actor: actor.to_owned(),
        action: "quarantine.begin".to_owned(),
        subject: "installation".to_owned(),
        detail: json!({"state_of": quarantine.state_of, "reason": quarantine.reason}),
    };
    audit::append(tx, &[begun], now).await?;
    let mut doubted = 0;
    loop {
        let some = quarantine::sent_perhaps(tx, now).await?;
        if some.is_empty() {
            return Ok(doubted);
        }
        doubted += some.len();
        doubt(tx, &some, from, actor, now).await?;
    }
}

/// Opens for each the attempt that the lost database may have had, in doubt, and lets it be looked
/// for since `from`; where the account cannot be read a person is asked at once.
async fn doubt(
    tx: &mut Tx,
    some: &[SentPerhaps],
    from: Timestamp,
    actor: &str,
    now: Timestamp,
) -> Result<(), store::Error> {
    let lost = Holder { node: NodeId::new(now, rand::random()), fence: 0 };
    let mut found = Vec::with_capacity(some.len());
    for one in some {
        let attempt = AttemptId::new(now, rand::random());
        let intent = Intent {
            id: attempt.clone(),
            delivery_id: one.id.clone(),
            account_id: one.account_id.clone(),
            number: one.attempts + 1,
            fingerprint: one.content_hash.clone(),
            high_water: one.high_water.clone(),
        };
        // Not from its own instant on: it may have been moved to an earlier one after the backup.
        publishing::open(tx, &[intent], &lost, one.due_at.min(from)).await?;
        found.push(Found::new(one, attempt, actor, now));
    }
    let keys: Vec<String> = some.iter().map(|one| work::publish_key(&one.id)).collect();
    jobs::remove_queued(tx, &keys).await?;
    let closes: Vec<Close> = found.iter().map(|one| one.close.clone()).collect();
    outcomes::close(tx, &closes, now).await?;
    let moves: Vec<Move> = found.iter().filter_map(|one| one.change.clone()).collect();
    outcomes::transition(tx, &moves, now).await?;
    let looks: Vec<NewJob> = found.iter().filter_map(|one| one.look.clone()).collect();
    jobs::enqueue(tx, &looks, now).await?;
    let entries: Vec<NewEntry> = found.into_iter().map(|one| one.entry).collect();
    audit::append(tx, &entries, now).await
}

/// What is written about one delivery that may have been sent.
struct Found {
    close: Close,
    change: Option<Move>,
    look: Option<NewJob>,
    entry: NewEntry,
}

impl Found {
    fn new(one: &SentPerhaps, attempt: AttemptId, actor: &str, now: Timestamp) -> Self {
        let code = json!({"code": "restored"});
        let payload = work::Reconcile {
            delivery_id: one.id.clone(),
            attempt_id: attempt.clone(),
            remote_id: None,
            duplicate: false,
            // Whoever was sending may have gone on until his lease ended.
            foreign: true,
        };
        let change = change(one);
        let state = change.as_ref().map_or(one.state, |change| change.state);
        let look = one.can_be_read.then(|| NewJob {
            id: JobId::new(now, rand::random()),
            kind: work::RECONCILE,
            unique_key: work::reconcile_key(&one.id),
            slot: work::slot(&one.platform, &one.account_id),
            payload: json!(payload),
            priority: i64::from(one.class.priority()),
            due_at: now,
        });
        Self {
            close: Close {
                id: attempt,
                from: AttemptOutcome::Open,
                outcome: AttemptOutcome::Unknown,
                reach: None,
                detail: Some(code.clone()),
                sent_ms: None,
            },
            change,
            look,
            entry: NewEntry {
                actor: actor.to_owned(),
                action: format!("delivery.{state}"),
                subject: one.id.to_string(),
                detail: code,
            },
        }
    }
}

/// `None` never happens: what may have been sent is scheduled or held, and both have the arrow.
fn change(one: &SentPerhaps) -> Option<Move> {
    let state = one.state.apply(Event::Restored).ok()?;
    let stay = Move { attempts: 1, doubts: 1, ..Move::stay(one.id.clone(), one.state) };
    let waits = |code: &str, detail: &str| {
        Some(WaitsFor { code: code.to_owned(), detail: detail.to_owned() })
    };
    let detail = "it was due when the database was lost, and may be out";
    if one.can_be_read {
        return Some(Move { state, waits_for: waits("reconcile", detail), ..stay });
    }
    let hint = "connect the account again and look at it, then adopt the post, send again or drop";
    Some(Move {
        state: state.apply(Event::NeedsPerson).ok()?,
        waits_for: waits("person", detail),
        problem: Some(DeliveryProblem {
            code: "cannot_see".to_owned(),
            detail: format!("{detail}; the account has no credential to be read with"),
            hint: hint.to_owned(),
        }),
        ..stay
    })
}
