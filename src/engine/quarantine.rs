//! Puts what may have been sent since into doubt, when a database came back from a backup or has lost
//! its last commits: it is looked for, and nothing is sent until a person lets it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::before;
use crate::domain::attempt::AttemptOutcome;
use crate::domain::audit::NewEntry;
use crate::domain::delivery::{DeliveryProblem, DeliveryState, Event, WaitsFor};
use crate::domain::id::{AccountId, AttemptId, DeliveryId, JobId, NodeId};
use crate::domain::work;
use crate::store::jobs::{Holder, NewJob};
use crate::store::outcomes::{Close, Move};
use crate::store::publishing::Intent;
use crate::store::quarantine::{self, Quarantine, SentPerhaps};
use crate::store::{
    self, Store, Tx, audit, jobs, nodes, outcomes, passwords, publishing, read_backs, refreshes,
    sessions,
};

/// What was sent so long before the backup may not be known to it: an attempt takes a while.
const BEFORE_BACKUP: Duration = Duration::from_hours(1);
/// After looks for what is in doubt: these are part of what is compared.
const READ_PRIORITY: i64 = 5;

/// What is to be looked at before anything is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Begun {
    /// Deliveries that may have been sent, each of which is looked for.
    pub doubted: usize,
    /// Accounts that are read through.
    pub accounts: usize,
}

/// What of the history is lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loss<'a> {
    /// Why, and of which instant the database tells the state.
    pub(super) quarantine: &'a Quarantine,
    /// From when on posts may be out that it does not know.
    pub(super) from: Timestamp,
    /// Who says so.
    pub(super) actor: &'a str,
    /// Whether the accounts are read through.
    pub(super) read_back: bool,
}

/// Puts a database that came back from a backup into quarantine: a new generation, nothing is sent,
/// every delivery that may have been sent since is in doubt, and every account is to be read.
pub async fn restored(
    store: &Store,
    state_of: Timestamp,
    reason: &str,
    read_back: bool,
    now: Timestamp,
) -> Result<Begun, store::Error> {
    let generation = format!("{:032x}", rand::random::<u128>());
    let quarantine = Quarantine { since: now, reason: reason.to_owned(), state_of };
    let mut tx = store.begin().await?;
    // One transaction for all: a restore that breaks off must not leave half of them to be sent.
    quarantine::renew(&mut tx, &generation).await?;
    let from = before(state_of, BEFORE_BACKUP);
    let loss = Loss { quarantine: &quarantine, from, actor: "console", read_back };
    let begun = begin(&mut tx, loss, now).await?;
    // A session that has ended since, and a link that was used since, are in force in what came back.
    sessions::end_every(&mut tx, now).await?;
    passwords::void_all(&mut tx, now).await?;
    tx.commit().await?;
    Ok(begun)
}

/// Nothing is sent from here on, everything that was due is in doubt and looked for since the loss
/// began, and all accounts are to be read since then.
pub(super) async fn begin(
    tx: &mut Tx,
    loss: Loss<'_>,
    now: Timestamp,
) -> Result<Begun, store::Error> {
    let Loss { quarantine, from, actor, read_back } = loss;
    if quarantine::find(tx).await?.is_none() {
        // What an earlier one has found; one that is not over goes on, from its own beginning.
        read_backs::forget(tx).await?;
    }
    quarantine::begin(tx, quarantine).await?;
    nodes::jump(tx, now).await?;
    // Refresh tokens, too, may have been spent in what is lost.
    refreshes::doubt(tx, now).await?;
    let begun = NewEntry {
        actor: actor.to_owned(),
        action: "quarantine.begin".to_owned(),
        subject: "installation".to_owned(),
        detail: json!({
            "state_of": quarantine.state_of, "reason": quarantine.reason, "read_back": read_back,
        }),
    };
    audit::append(tx, &[begun], now);
    let mut doubted = 0;
    loop {
        let some = quarantine::sent_perhaps(tx, now).await?;
        if some.is_empty() {
            break;
        }
        doubted += some.len();
        doubt(tx, &some, from, actor, now).await?;
    }
    let accounts = if read_back { read_all(tx, quarantine, from, now).await? } else { 0 };
    Ok(Begun { doubted, accounts })
}

/// Lets every account be read since `from`; gives how many those are.
async fn read_all(
    tx: &mut Tx,
    quarantine: &Quarantine,
    from: Timestamp,
    now: Timestamp,
) -> Result<usize, store::Error> {
    let accounts = read_backs::begin(tx, quarantine.since, from).await?;
    let job = |(account, platform): &(AccountId, String)| NewJob {
        id: JobId::new(now, rand::random()),
        kind: work::READ_BACK,
        unique_key: work::read_back_key(account),
        slot: work::slot(platform, account),
        payload: json!(work::ReadBack { account_id: account.clone() }),
        priority: READ_PRIORITY,
        due_at: now,
    };
    let all: Vec<NewJob> = accounts.iter().map(job).collect();
    // One that is at work finds that another quarantine has begun.
    let keys: Vec<String> = all.iter().map(|one| one.unique_key.clone()).collect();
    jobs::remove_idle(tx, &keys).await?;
    jobs::enqueue(tx, &all, now).await?;
    Ok(accounts.len())
}

/// Opens for each the attempt that the lost database must have had, if the post that was seen is this
/// delivery: nobody but a person can tell. Gives what the audit is to be told.
pub(super) async fn put_before_person(
    tx: &mut Tx,
    some: &[(SentPerhaps, Seen)],
    from: Timestamp,
    now: Timestamp,
) -> Result<Vec<NewEntry>, store::Error> {
    let mut found = Vec::with_capacity(some.len());
    for (one, seen) in some {
        let attempt = open_lost(tx, one, from, now).await?;
        let code = json!({"code": "restored", "found": seen.ids});
        let Some(change) = asked(one, &seen.detail) else { continue };
        found.push(Found {
            close: close(attempt),
            entry: told(one, change.state, code, "engine"),
            change: Some(change),
            look: None,
        });
    }
    let ids: Vec<&DeliveryId> = some.iter().map(|(one, _)| &one.id).collect();
    write(tx, &ids, found, now).await
}

/// What was seen that may be a delivery which is still to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// The platform's ids of it.
    pub(super) ids: Vec<String>,
    /// For people: where it can be looked at.
    pub(super) detail: String,
}

/// `None` never happens: what is still to be sent is scheduled or held, and both have the arrow.
fn asked(one: &SentPerhaps, detail: &str) -> Option<Move> {
    let hint = "look at the post: if it is this delivery, adopt it or drop the delivery; if it is to go \
                out all the same, retry leaves it at its instant";
    Some(Move {
        state: one.state.apply(Event::NeedsPerson).ok()?,
        waits_for: Some(WaitsFor { code: "person".to_owned(), detail: detail.to_owned() }),
        problem: Some(DeliveryProblem {
            code: "perhaps_sent_earlier".to_owned(),
            detail: detail.to_owned(),
            hint: hint.to_owned(),
        }),
        attempts: 1,
        doubts: 1,
        ..Move::stay(one.id.clone(), one.state)
    })
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
    let mut found = Vec::with_capacity(some.len());
    for one in some {
        // Not from its own instant on: it may have been moved to an earlier one after the backup.
        let attempt = open_lost(tx, one, one.due_at.min(from), now).await?;
        found.push(Found::new(one, attempt, actor, now));
    }
    let ids: Vec<&DeliveryId> = some.iter().map(|one| &one.id).collect();
    let entries = write(tx, &ids, found, now).await?;
    audit::append(tx, &entries, now);
    Ok(())
}

/// Opens the attempt that the lost database may have had.
async fn open_lost(
    tx: &mut Tx,
    one: &SentPerhaps,
    from: Timestamp,
    now: Timestamp,
) -> Result<AttemptId, store::Error> {
    let lost = Holder { node: NodeId::new(now, rand::random()), fence: 0 };
    let id = AttemptId::new(now, rand::random());
    let intent = Intent {
        id: id.clone(),
        delivery_id: one.id.clone(),
        account_id: one.account_id.clone(),
        number: one.attempts + 1,
        fingerprint: one.content_hash.clone(),
        high_water: one.high_water.clone(),
        cost: None,
    };
    publishing::open(tx, &[intent], &lost, from).await?;
    Ok(id)
}

/// Writes what came of deliveries that may have been sent, and lets none of them be sent by itself.
/// Gives what the audit is to be told.
async fn write(
    tx: &mut Tx,
    ids: &[&DeliveryId],
    found: Vec<Found>,
    now: Timestamp,
) -> Result<Vec<NewEntry>, store::Error> {
    let keys: Vec<String> = ids.iter().map(|id| work::publish_key(id)).collect();
    jobs::remove_idle(tx, &keys).await?;
    let closes: Vec<Close> = found.iter().map(|one| one.close.clone()).collect();
    outcomes::close(tx, &closes, now).await?;
    let moves: Vec<Move> = found.iter().filter_map(|one| one.change.clone()).collect();
    outcomes::transition(tx, &moves, now).await?;
    let looks: Vec<NewJob> = found.iter().filter_map(|one| one.look.clone()).collect();
    jobs::enqueue(tx, &looks, now).await?;
    Ok(found.into_iter().map(|one| one.entry).collect())
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
            close: close(attempt),
            change,
            look,
            entry: told(one, state, json!({"code": "restored"}), actor),
        }
    }
}

/// Nobody has found out what came of it.
fn close(attempt: AttemptId) -> Close {
    Close {
        id: attempt,
        from: AttemptOutcome::Open,
        outcome: AttemptOutcome::Unknown,
        reach: None,
        detail: Some(json!({"code": "restored"})),
        sent_ms: None,
    }
}

fn told(one: &SentPerhaps, state: DeliveryState, detail: Value, actor: &str) -> NewEntry {
    NewEntry {
        actor: actor.to_owned(),
        action: format!("delivery.{state}"),
        subject: one.id.to_string(),
        detail,
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
