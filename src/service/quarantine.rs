//! The acts on a database that came back from a backup: put what may have been sent since into
//! doubt, show what came of it, and let it send again.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Caller, Done, Error, Services, Told, finish, permit};
use crate::clock::{after, before};
use crate::domain::attempt::AttemptOutcome;
use crate::domain::audit::NewEntry;
use crate::domain::delivery::{DeliveryProblem, DeliveryState, Event, WaitsFor};
use crate::domain::id::{AttemptId, JobId, NodeId};
use crate::domain::policy::{Action, Subject};
use crate::domain::work;
use crate::store::jobs::{Holder, NewJob};
use crate::store::outcomes::{Close, Move};
use crate::store::publishing::Intent;
use crate::store::quarantine::{self, Quarantine, SentPerhaps};
use crate::store::{self, Reader, Store, Tx, audit, jobs, outcomes, publishing};

/// What was sent so long before the backup may not be known to it: an attempt takes a while.
const BEFORE_BACKUP: Duration = Duration::from_hours(1);

/// What the guard has refused is looked at again after at most so long.
const BETWEEN_LOOKS: Duration = Duration::from_mins(1);

/// Whether the database is in quarantine, and what is still in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuarantineView {
    /// True while nothing is sent.
    pub quarantined: bool,
    /// Since when nothing is sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// The instant of which the database tells the state.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub state_of: Option<Timestamp>,
    /// Deliveries that are still being looked for at the platforms.
    pub unknown: i64,
    /// Deliveries that a person must decide about.
    pub needs_human: i64,
}

/// Puts a database that came back from a backup into quarantine: a new generation, nothing is sent,
/// and every delivery that may have been sent since is in doubt. Gives how many those are.
pub async fn begin(
    store: &Store,
    state_of: Timestamp,
    reason: &str,
    now: Timestamp,
) -> Result<usize, store::Error> {
    let generation = format!("{:032x}", rand::random::<u128>());
    let quarantine = Quarantine { since: now, reason: reason.to_owned(), state_of };
    let mut tx = store.begin().await?;
    quarantine::begin(&mut tx, &generation, &quarantine).await?;
    let begun = NewEntry {
        actor: "console".to_owned(),
        action: "quarantine.begin".to_owned(),
        subject: generation,
        detail: json!({"state_of": state_of, "reason": reason}),
    };
    audit::append(&mut tx, &[begun], now).await?;
    let from = before(state_of, BEFORE_BACKUP);
    let mut doubted = 0;
    // One transaction for all: a restore that breaks off must not leave half of them to be sent.
    loop {
        let some = quarantine::sent_perhaps(&mut tx, now).await?;
        if some.is_empty() {
            break;
        }
        doubted += some.len();
        doubt(&mut tx, &some, from, now).await?;
    }
    tx.commit().await?;
    Ok(doubted)
}

/// Opens for each the attempt that the lost database may have had, in doubt, and lets it be looked
/// for since `from`; where the account cannot be read a person is asked at once.
async fn doubt(
    tx: &mut Tx,
    some: &[SentPerhaps],
    from: Timestamp,
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
        found.push(Found::new(one, attempt, now));
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
    fn new(one: &SentPerhaps, attempt: AttemptId, now: Timestamp) -> Self {
        let code = json!({"code": "restored"});
        let payload = work::Reconcile {
            delivery_id: one.id.clone(),
            attempt_id: attempt.clone(),
            remote_id: None,
            duplicate: false,
            // Whoever was sending may have gone on until his lease ended.
            foreign: true,
        };
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
            change: change(one),
            look,
            entry: NewEntry {
                actor: "console".to_owned(),
                action: "delivery.unknown".to_owned(),
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

/// Whether the database is in quarantine.
pub async fn show(services: &Services, caller: &Caller) -> Result<QuarantineView, Error> {
    permit(caller, Action::ReadDeliveries, Subject::Any)?;
    view(&mut services.store.read().await?).await
}

async fn view(reader: &mut Reader) -> Result<QuarantineView, Error> {
    let quarantine = quarantine::find(reader).await?;
    let counts = outcomes::standing_counts(reader).await?;
    let of = |state| counts.iter().find(|(one, _)| *one == state).map_or(0, |(_, count)| *count);
    Ok(QuarantineView {
        quarantined: quarantine.is_some(),
        since: quarantine.as_ref().map(|one| one.since),
        reason: quarantine.as_ref().map(|one| one.reason.clone()),
        state_of: quarantine.map(|one| one.state_of),
        unknown: of(DeliveryState::Unknown),
        needs_human: of(DeliveryState::NeedsHuman),
    })
}

/// Lets the database send again. What is still in doubt stays in doubt.
pub async fn release(services: &Services, caller: &Caller) -> Result<Done<QuarantineView>, Error> {
    permit(caller, Action::ReleaseQuarantine, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let mut tx = services.store.begin().await?;
    let was = view(&mut tx).await?;
    if !quarantine::release(&mut tx).await? {
        let detail = "the database is not in quarantine; it sends as usual";
        return Err(Error::Conflict(Told::new("not_quarantined", detail)));
    }
    // What was due meanwhile is looked at once a minute: now it need not wait for that. What is not
    // due yet is told so by the guard.
    let now = services.clock.now();
    jobs::hasten(&mut tx, work::PUBLISH, now, after(now, BETWEEN_LOOKS)).await?;
    let view = QuarantineView {
        quarantined: false,
        since: None,
        reason: None,
        state_of: None,
        unknown: was.unknown,
        needs_human: was.needs_human,
    };
    let detail = json!({
        "since": was.since, "state_of": was.state_of, "unknown": was.unknown,
        "needs_human": was.needs_human,
    });
    let entry = caller.entry("quarantine.release", &"installation", detail);
    let done = finish(services, caller, tx, view, &[entry]).await?;
    services.queue.look_again();
    Ok(done)
}
