//! Keeps reads of accounts within what platforms allow, over all nodes. A look that does not fit is
//! put off: that says nothing about the post, least of all that it is not there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use super::budgets::{self, SLICES, slice_at};
use super::publish::waiting_for;
use super::{Tools, money};
use crate::clock::{after, before};
use crate::domain::budget::looks_scope as scope;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::DeliveryId;
use crate::domain::work;
use crate::platforms::outcome::Reading;
use crate::platforms::session::Metered;
use crate::queue::job::{Admission, Settled};
use crate::store::jobs::{Claimed, Ending};
use crate::store::outcomes::Move;
use crate::store::{Error, Tx, budgets as rows, outcomes};

/// A look that is to be made.
pub(super) struct Look<'a, I> {
    /// Whose account.
    pub(super) slot: &'a str,
    /// For which delivery.
    pub(super) id: DeliveryId,
    /// Whether it may be made.
    pub(super) admission: &'a mut Admission<I>,
}

/// Puts looks off for which there is no room, and counts the others.
pub(super) async fn restrain<I>(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    looks: Vec<Look<'_, I>>,
) -> Result<(), Error> {
    let slots: BTreeSet<&str> = looks.iter().map(|look| look.slot).collect();
    let put_off = used_up(tools, tx, now, &slots, 1).await?;
    let (mut waiting, mut made) = (Vec::new(), Vec::new());
    for Look { slot, id, admission } in looks {
        if let Some(until) = put_off.get(slot) {
            let detail = format!("the account's reads are used up; looked for again at {until}");
            let waits_for = waiting_for("reconcile", detail);
            waiting.push(Move { waits_for, ..Move::stay(id, DeliveryState::Unknown) });
            *admission = Admission::Not(Ending::Again(*until), "no reads left".to_owned());
            continue;
        }
        made.push(slot);
    }
    // In one order everywhere.
    made.sort_unstable();
    for slot in made {
        count(tools, tx, now, slot).await?;
    }
    outcomes::transition(tx, &waiting, now).await?;
    Ok(())
}

async fn count(tools: &Tools, tx: &mut Tx, now: Timestamp, slot: &str) -> Result<(), Error> {
    let windows = &tools.pace.limits_of(work::pool(slot)).looks_per_account;
    if let Some(shortest) = windows.iter().map(|window| window.span).min() {
        rows::spend(tx, &scope(slot), slice_at(now, slice_of(shortest)), 1, 0).await?;
    }
    Ok(())
}

/// Puts off looks that nobody waits for when half of what an account may be read is used up: the other
/// half is for posts in doubt. What is left is to be counted by [`made`].
pub(super) async fn spare<I>(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    jobs: &[Claimed],
    admissions: &mut [Admission<I>],
) -> Result<(), Error> {
    let slots: BTreeSet<&str> = jobs.iter().map(|job| job.slot.as_str()).collect();
    let put_off = used_up(tools, tx, now, &slots, 2).await?;
    for (job, admission) in jobs.iter().zip(admissions) {
        if !matches!(admission, Admission::Run(_)) {
            continue;
        }
        if let Some(until) = put_off.get(job.slot.as_str()) {
            *admission = Admission::Not(Ending::Again(*until), "no reads left".to_owned());
        }
    }
    Ok(())
}

/// Counts the looks that are made, when nothing else can stand in their way.
pub(super) async fn made<I>(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    jobs: &[Claimed],
    admissions: &[Admission<I>],
) -> Result<(), Error> {
    let made = jobs.iter().zip(admissions).filter(|(_, it)| matches!(it, Admission::Run(_)));
    let mut slots: Vec<&str> = made.map(|(job, _)| job.slot.as_str()).collect();
    slots.sort_unstable();
    for slot in slots {
        count(tools, tx, now, slot).await?;
    }
    Ok(())
}

/// Counts further calls of a look that took more than one.
pub(super) async fn count_more(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    slot: &str,
    calls: u32,
) -> Result<(), Error> {
    for _ in 0..calls {
        count(tools, tx, now, slot).await?;
    }
    Ok(())
}

/// Counts what was read of accounts; the first page of each was counted when it was admitted. What was
/// shown is paid for, whether or not it said something.
pub(super) async fn count_readings<I>(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    done: &[Settled<I, Metered<Reading>>],
) -> Result<(), Error> {
    let mut read: BTreeMap<&str, u32> = BTreeMap::new();
    let mut paid: BTreeMap<&str, usize> = BTreeMap::new();
    for one in done {
        let (Reading::CannotSee { shown, pages, .. } | Reading::Whole { shown, pages, .. }) =
            &one.report.value;
        *read.entry(&one.job.slot).or_default() += pages.saturating_sub(1);
        *paid.entry(work::pool(&one.job.slot)).or_default() += shown;
    }
    for (slot, pages) in read {
        count_more(tools, tx, now, slot, pages).await?;
    }
    let heard = done.iter().map(|one| (one.job.slot.as_str(), one.report.usage.as_slice()));
    budgets::hear(tx, now, heard).await?;
    for (pool, shown) in paid {
        money::charge_reads(tools, tx, now, pool, shown).await?;
    }
    Ok(())
}

/// The accounts of whose reads one part in `parts` is used up, and until when.
async fn used_up<'a>(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    slots: &BTreeSet<&'a str>,
    parts: i64,
) -> Result<HashMap<&'a str, Timestamp>, Error> {
    let pools: BTreeSet<&str> = slots.iter().map(|slot| work::pool(slot)).collect();
    let mut put_off = HashMap::new();
    for pool in &pools {
        let of_pool: Vec<&str> =
            slots.iter().copied().filter(|slot| work::pool(slot) == *pool).collect();
        let windows = &tools.pace.limits_of(pool).looks_per_account;
        if !windows.is_empty() {
            // Another node may be reading the same accounts.
            rows::lock(tx, &scope(pool)).await?;
        }
        let scopes: Vec<String> = of_pool.iter().map(|slot| scope(slot)).collect();
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        for window in windows {
            let span = window.span + slice_of(window.span);
            for (looked, count, first) in rows::looked(tx, &scopes, before(now, span)).await? {
                let Some(slot) = of_pool.iter().find(|slot| scope(slot) == looked) else {
                    continue;
                };
                if count >= window.most / parts {
                    put_off_until(&mut put_off, slot, after(first, span));
                }
            }
        }
    }
    let all: Vec<&str> = slots.iter().copied().collect();
    for (slot, until) in silent(tx, now, &all).await? {
        put_off_until(&mut put_off, slot, until);
    }
    Ok(put_off)
}

/// Slots of which the platform says that no call is left, and until when. Where reads are counted with
/// creates, one more makes it worse.
pub(super) async fn silent<'a>(
    tx: &mut Tx,
    now: Timestamp,
    slots: &[&'a str],
) -> Result<HashMap<&'a str, Timestamp>, Error> {
    let scopes: BTreeSet<&str> = slots.iter().flat_map(|slot| [work::pool(slot), slot]).collect();
    let scopes: Vec<&str> = scopes.into_iter().collect();
    let mut silent = HashMap::new();
    let said = rows::said(tx, &scopes, now).await?;
    for said in said.iter().filter(|it| !it.counted && it.left <= 0) {
        for slot in slots.iter().filter(|it| **it == said.scope || work::pool(it) == said.scope) {
            put_off_until(&mut silent, slot, said.until);
        }
    }
    Ok(silent)
}

fn slice_of(span: Duration) -> Duration {
    (span / SLICES).max(Duration::from_secs(1))
}

fn put_off_until<'a>(put_off: &mut HashMap<&'a str, Timestamp>, slot: &'a str, until: Timestamp) {
    let known = put_off.entry(slot).or_insert(until);
    *known = until.max(*known);
}
