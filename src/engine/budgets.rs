//! Keeps creates within what platforms allow, over all nodes: counted in the transaction of the guard,
//! by whoever holds the lock of the platform.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use super::Tools;
use super::clauses::{Brake, Force};
use super::outcomes::LONGEST_BLOCK;
use super::publish::delivery_of;
use crate::clock::{after, before};
use crate::domain::budget::{Limits, Said, Window};
use crate::domain::id::DeliveryId;
use crate::domain::work;
use crate::platforms::outcome::Usage;
use crate::store::jobs::Claimed;
use crate::store::{Error, Tx, budgets as rows};

/// How finely the creates of an application are counted: a window has so many slices.
pub(super) const SLICES: u32 = 48;

/// What platforms said about the windows that the claimed jobs would use up.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    by_scope: HashMap<String, Vec<Said>>,
}

impl Spoken {
    async fn of(tx: &mut Tx, now: Timestamp, scopes: &[&str]) -> Result<Self, Error> {
        let mut by_scope: HashMap<String, Vec<Said>> = HashMap::new();
        for said in rows::said(tx, scopes, now).await? {
            by_scope.entry(said.scope.clone()).or_default().push(said);
        }
        Ok(Self { by_scope })
    }

    fn counts(&self) -> bool {
        self.by_scope.values().flatten().any(|said| said.counted)
    }

    fn counts_of(&self, scope: &str) -> bool {
        self.by_scope.get(scope).is_some_and(|all| all.iter().any(|said| said.counted))
    }

    /// The window that lets nothing of this priority through for the longest.
    fn against(&self, scope: &str, limits: &Limits, priority: i64) -> Option<&Said> {
        let all = self.by_scope.get(scope)?;
        all.iter().filter(|said| !limits.lets(said, priority)).max_by_key(|said| said.until)
    }

    fn take_one(&mut self, scope: &str) {
        let all = self.by_scope.get_mut(scope).into_iter().flatten();
        all.filter(|said| said.counted).for_each(|said| said.left -= 1);
    }
}

/// Stops those of the claimed jobs for which there is no room. What is counted here cannot change
/// before the transaction ends.
pub(super) async fn brakes(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    jobs: &[Claimed],
    stopped: &mut HashMap<DeliveryId, Brake>,
) -> Result<Spoken, Error> {
    let pools: BTreeSet<&str> = jobs.iter().map(|job| work::pool(&job.slot)).collect();
    let slots: BTreeSet<&str> = jobs.iter().map(|job| job.slot.as_str()).collect();
    let scopes: Vec<&str> = pools.iter().chain(&slots).copied().collect();
    let limited = |pool: &str| {
        let limits = tools.pace.limits_of(pool);
        let windows = limits.per_account.len() + limits.per_app.len();
        windows > 0 || limits.monthly_usd_micros.is_some()
    };
    let mut spoken = Spoken::default();
    if !pools.iter().all(|pool| limited(pool)) {
        spoken = Spoken::of(tx, now, &scopes).await?;
    }
    // In one order everywhere, so that no two nodes wait for each other.
    let counted: Vec<&str> =
        pools.iter().copied().filter(|pool| limited(pool) || spoken.counts()).collect();
    for pool in &counted {
        rows::lock(tx, pool).await?;
    }
    if !counted.is_empty() {
        spoken = Spoken::of(tx, now, &scopes).await?;
    }
    for pool in pools {
        let limits = tools.pace.limits_of(pool);
        let mut free = free_in(pool, jobs, stopped);
        for window in &limits.per_account {
            account(tools, tx, now, (limits, window), &free, stopped).await?;
        }
        for window in &limits.per_app {
            free.retain(|(_, id)| !stopped.contains_key(id));
            application(tools, tx, now, (pool, limits, window), &free, stopped).await?;
        }
        free.retain(|(_, id)| !stopped.contains_key(id));
        told(&mut spoken, limits, pool, free, stopped);
    }
    Ok(spoken)
}

/// The claimed jobs of a pool that nothing stops yet, in the order of urgency.
pub(super) fn free_in<'a>(
    pool: &str,
    jobs: &'a [Claimed],
    stopped: &HashMap<DeliveryId, Brake>,
) -> Vec<(&'a Claimed, DeliveryId)> {
    let mut free: Vec<(&Claimed, DeliveryId)> = jobs
        .iter()
        .filter(|job| work::pool(&job.slot) == pool)
        .filter_map(|job| Some((job, delivery_of(job)?)))
        .filter(|(_, id)| !stopped.contains_key(id))
        .collect();
    free.sort_by_key(|(job, _)| (job.priority, job.due_at));
    free
}

/// Stops what has no room by a platform's own word.
fn told(
    spoken: &mut Spoken,
    limits: &Limits,
    pool: &str,
    free: Vec<(&Claimed, DeliveryId)>,
    stopped: &mut HashMap<DeliveryId, Brake>,
) {
    for (job, id) in free {
        let against =
            [(job.slot.as_str(), "rate_limit", "the account"), (pool, "budget", "the application")]
                .into_iter()
                .find_map(|(scope, code, whose)| {
                    Some((spoken.against(scope, limits, job.priority)?, code, whose))
                });
        let Some((said, code, whose)) = against else {
            spoken.take_one(pool);
            continue;
        };
        let unit = if said.counted { "creates" } else { "percent of its calls" };
        let detail = format!(
            "{pool} says that {whose} has {} of {} {unit} left until {}",
            said.left.max(0),
            said.most,
            said.until
        );
        stopped.insert(id, Brake { code, detail, until: said.until, force: Force::Waits });
    }
}

async fn account(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    (limits, window): (&Limits, &Window),
    free: &[(&Claimed, DeliveryId)],
    stopped: &mut HashMap<DeliveryId, Brake>,
) -> Result<(), Error> {
    let name = |job: &Claimed| job.slot.split_once('/').map(|(_, account)| account.to_owned());
    let names: Vec<String> = free.iter().filter_map(|(job, _)| name(job)).collect();
    let accounts: Vec<&str> = names.iter().map(String::as_str).collect();
    let span = padded(tools, window);
    let least = limits.open_to(window, i64::MAX);
    let full: HashMap<String, (i64, Timestamp)> =
        rows::crowded(tx, &accounts, before(now, span), least)
            .await?
            .into_iter()
            .map(|(account, count, first)| (account.to_string(), (count, first)))
            .collect();
    for (job, id) in free {
        let Some((count, first)) = name(job).and_then(|name| full.get(&name)) else { continue };
        if *count >= limits.open_to(window, job.priority) {
            let until = after(*first, span);
            let detail = format!(
                "the account has had {count} of {} creates in {:?}; room again at {until}",
                window.most, window.span
            );
            stopped.entry(id.clone()).or_insert_with(|| brake(&detail, until));
        }
    }
    Ok(())
}

async fn application(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    (pool, limits, window): (&str, &Limits, &Window),
    free: &[(&Claimed, DeliveryId)],
    stopped: &mut HashMap<DeliveryId, Brake>,
) -> Result<(), Error> {
    // A slice counts until its last instant has left the window.
    let span = padded(tools, window) + slice_of(limits);
    let (mut count, first) = rows::spent(tx, pool, before(now, span)).await?;
    for (job, id) in free {
        if count < limits.open_to(window, job.priority) {
            count += 1;
            continue;
        }
        let until = after(first.unwrap_or(now), span);
        let detail = format!(
            "the application has had {count} of {} creates in {:?}; room again at {until}",
            window.most, window.span
        );
        stopped.insert(id.clone(), brake(&detail, until));
    }
    Ok(())
}

/// Counts what was guarded.
pub(super) async fn spend(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    (jobs, guarded): (&[Claimed], &HashSet<DeliveryId>),
    spoken: &Spoken,
) -> Result<(), Error> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    let mut slots: BTreeSet<&str> = BTreeSet::new();
    for job in jobs {
        if delivery_of(job).is_some_and(|id| guarded.contains(&id)) {
            *counts.entry(work::pool(&job.slot)).or_default() += 1;
            slots.insert(&job.slot);
        }
    }
    for (pool, count) in &counts {
        let limits = tools.pace.limits_of(pool);
        if !limits.per_app.is_empty() {
            rows::spend(tx, pool, slice_at(now, slice_of(limits)), *count, 0).await?;
        }
    }
    counts.retain(|pool, _| spoken.counts_of(pool));
    slots.retain(|slot| spoken.counts_of(slot));
    let all: Vec<&str> = counts.keys().chain(&slots).copied().collect();
    if all.is_empty() {
        return Ok(());
    }
    rows::line_up(tx, &all).await?;
    for (pool, count) in counts {
        rows::use_up(tx, &[pool], count, now).await?;
    }
    // Of one account one delivery at a time is guarded.
    let slots: Vec<&str> = slots.into_iter().collect();
    if slots.is_empty() { Ok(()) } else { rows::use_up(tx, &slots, 1, now).await }
}

/// Keeps what answers said about windows in which little is left, for all nodes.
pub(super) async fn hear<'a>(
    tx: &mut Tx,
    now: Timestamp,
    answers: impl Iterator<Item = (&'a str, &'a [Usage])>,
) -> Result<(), Error> {
    let mut heard: BTreeMap<(String, String), Said> = BTreeMap::new();
    for (slot, usages) in answers {
        for usage in usages {
            let Some(until) = usage.until else { continue };
            let scope = if usage.whole_app { work::pool(slot) } else { slot };
            let said = Said {
                scope: scope.to_owned(),
                name: usage.window.clone(),
                most: usage.most,
                left: usage.left,
                counted: usage.counted,
                // No window of a platform is longer than a day: what says more is garbled.
                until: until.min(after(now, LONGEST_BLOCK)),
            };
            let key = (said.scope.clone(), said.name.clone());
            let lower = heard
                .get(&key)
                .is_none_or(|known| (known.until, -known.left) < (said.until, -said.left));
            if lower {
                heard.insert(key, said);
            }
        }
    }
    for said in heard.values() {
        rows::say(tx, said, now).await?;
    }
    Ok(())
}

fn brake(detail: &str, until: Timestamp) -> Brake {
    Brake { code: "budget", detail: detail.to_owned(), until, force: Force::Waits }
}

/// What is guarded now may reach the platform this much later: a window by our count must be longer
/// than one by the platform's.
fn padded(tools: &Tools, window: &Window) -> Duration {
    window.span + tools.pace.lookahead + tools.pace.request_timeout
}

fn slice_of(limits: &Limits) -> Duration {
    let shortest = limits.per_app.iter().map(|window| window.span).min().unwrap_or_default();
    (shortest / SLICES).max(Duration::from_secs(1))
}

pub(super) fn slice_at(now: Timestamp, slice: Duration) -> Timestamp {
    let millis = i64::try_from(slice.as_millis()).unwrap_or(i64::MAX).max(1);
    let start = now.as_millisecond().div_euclid(millis) * millis;
    Timestamp::from_millisecond(start).unwrap_or(now)
}
