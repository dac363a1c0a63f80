//! Keeps what creates cost within the month's budget, over all nodes, and tells people when it becomes
//! scarce. Counted like creates: in the transaction of the guard, under the platform's lock.

use std::collections::{BTreeMap, HashMap};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::json;

use super::Tools;
use super::budgets::free_in;
use super::clauses::{Brake, Force};
use super::publish::{Errand, Report};
use crate::domain::audit::NewEntry;
use crate::domain::budget::{Purse, money_scope as scope, month_of};
use crate::domain::class::Class;
use crate::domain::id::{AttemptId, DeliveryId};
use crate::domain::outbox::Occasion;
use crate::domain::variant::Content;
use crate::platforms::outcome::{Outcome, RefusalKind};
use crate::queue::job::Settled;
use crate::store::jobs::Claimed;
use crate::store::{Error, Tx, audit, budgets as rows, incidents};

/// Stops those of the claimed jobs that the month's money does not pay. The platform's lock is held.
pub(super) async fn brakes(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    jobs: &[Claimed],
    stopped: &mut HashMap<DeliveryId, Brake>,
) -> Result<Vec<Empty>, Error> {
    let mut empty = Vec::new();
    for platform in tools.platforms.iter() {
        let pool = platform.id();
        let purse = Purse::of(tools.pace.limits_of(pool));
        let (Some(purse), Some(rule)) = (purse, platform.rules().cost) else { continue };
        let free = free_in(pool, jobs, stopped);
        if free.is_empty() {
            continue;
        }
        let ids: Vec<&DeliveryId> = free.iter().map(|(_, id)| id).collect();
        let contents: HashMap<DeliveryId, Option<Content>> = rows::contents(tx, &ids)
            .await?
            .into_iter()
            .map(|(id, whole, part)| (id, part_of(whole, part)))
            .collect();
        let already = rows::cost(tx, &scope(pool), month_of(now)).await?;
        let mut spent = already;
        for (job, id) in free {
            // What cannot be read is refused after the guard.
            let Some(Some(content)) = contents.get(&id) else { continue };
            let cost = rule.of(content);
            if purse.affords(spent, cost, job.priority) {
                spent = spent.saturating_add(cost);
            } else {
                stopped.insert(id, too_dear(pool, &purse, already, now));
            }
        }
        if stopped.values().any(|brake| brake.code == CODE) {
            empty.push(Empty { pool, purse, spent: already });
        }
    }
    Ok(empty)
}

fn part_of(whole: serde_json::Value, part: i64) -> Option<Content> {
    serde_json::from_value::<Content>(whole).ok()?.part(part)
}

/// A platform for which the month's money is spent.
pub(super) struct Empty {
    pool: &'static str,
    purse: Purse,
    spent: i64,
}

/// Tells people that no money is left; after the guard.
pub(super) async fn tell_empty(tx: &mut Tx, now: Timestamp, empty: &[Empty]) -> Result<(), Error> {
    for Empty { pool, purse, spent } in empty {
        tell(tx, now, (pool, purse, *spent), Occasion::MoneySpent).await?;
    }
    Ok(())
}

/// What a delivery waits for, as a stable word.
const CODE: &str = "money";

fn too_dear(pool: &str, purse: &Purse, spent: i64, now: Timestamp) -> Brake {
    let until = next_month(now);
    Brake {
        code: CODE,
        detail: format!(
            "{} of this month's {} US dollars for {pool} are spent, and {} are kept for what cannot \
             wait; it goes out when {pool}.monthly_budget is raised, or from {until} on",
            dollars(spent),
            dollars(purse.most),
            dollars(purse.kept),
        ),
        until,
        force: Force::Holds,
    }
}

/// What these cost, by platform, to be charged when they are guarded.
pub(super) struct Bill<'a> {
    tools: &'a Tools,
    month: Timestamp,
    by_pool: BTreeMap<&'static str, (i64, i64)>,
}

impl<'a> Bill<'a> {
    /// An empty one.
    pub(super) fn new(tools: &'a Tools, now: Timestamp) -> Self {
        Self { tools, month: month_of(now), by_pool: BTreeMap::new() }
    }

    /// Adds one create and gives what it is charged; nothing where platforms take no money.
    pub(super) fn add(&mut self, platform: &str, content: &Content) -> Option<i64> {
        let platform = self.tools.platforms.get(platform)?;
        let cost = platform.rules().cost?.of(content);
        let (creates, sum) = self.by_pool.entry(platform.id()).or_default();
        *creates += 1;
        *sum = sum.saturating_add(cost);
        Some(cost)
    }

    /// Charges it all; tells people when a month's money becomes low.
    pub(super) async fn charge(self, tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
        for (pool, (creates, cost)) in self.by_pool {
            let spent = rows::spend(tx, &scope(pool), self.month, creates, cost).await?;
            let Some(purse) = Purse::of(self.tools.pace.limits_of(pool)) else { continue };
            if purse.is_low(spent) && !purse.is_low(spent - cost) {
                tell(tx, now, (pool, &purse, spent), Occasion::MoneyLow).await?;
            }
        }
        Ok(())
    }
}

/// Whether there is money for one look at a post that is out, beside so many that are to be charged
/// too. Creates go before: looks take nothing of what is kept for what cannot wait.
pub(super) async fn affords_look(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    (pool, beside): (&str, usize),
) -> Result<bool, Error> {
    let platform = tools.platforms.get(pool);
    let Some(rule) = platform.and_then(|it| it.rules().cost) else { return Ok(true) };
    let Some(purse) = Purse::of(tools.pace.limits_of(pool)) else { return Ok(true) };
    let cost = rule.read_usd_micros;
    let beside = cost.saturating_mul(i64::try_from(beside).unwrap_or(i64::MAX));
    let spent = rows::cost(tx, &scope(pool), month_of(now)).await?.saturating_add(beside);
    Ok(purse.affords(spent, cost, i64::from(Class::Evergreen.priority())))
}

/// Charges posts that were read or are to be, whether there is money for them or not.
pub(super) async fn charge_reads(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    pool: &str,
    posts: usize,
) -> Result<(), Error> {
    let platform = tools.platforms.get(pool);
    let Some(rule) = platform.and_then(|it| it.rules().cost) else { return Ok(()) };
    let posts = i64::try_from(posts).unwrap_or(i64::MAX);
    let cost = rule.read_usd_micros.saturating_mul(posts);
    rows::spend(tx, &scope(pool), month_of(now), 0, cost).await?;
    Ok(())
}

/// Gives back what was charged for creates that were not made.
pub(super) async fn give_back(
    tx: &mut Tx,
    done: &[Settled<Errand, Report>],
    closed: impl Fn(&Errand) -> bool,
) -> Result<(), Error> {
    let unmade = |one: &&Settled<Errand, Report>| match &one.report {
        Report::TakenBack | Report::NotNow { .. } | Report::Unfit { .. } => true,
        Report::Asked { answer, .. } => is_free(&answer.value),
    };
    // Whoever has closed an attempt before has given back what it was charged, if it was to be.
    let unmade = done.iter().filter(unmade).filter(|one| closed(&one.item));
    let attempts: Vec<&AttemptId> = unmade.map(|one| &one.item.attempt).collect();
    rows::give_back(tx, &attempts).await
}

/// Requests that fail are not billed (X API documents, pricing, read 2026-09-11). A refusal as
/// duplicate may stand for a post that was made.
fn is_free(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Published(_) | Outcome::Pending(_) | Outcome::Unknown(_) => false,
        Outcome::Deferred(_) => true,
        Outcome::Refused(refusal) => refusal.kind != RefusalKind::Duplicate,
    }
}

/// Tells people once a month, whichever node sees it.
async fn tell(
    tx: &mut Tx,
    now: Timestamp,
    (pool, purse, spent): (&str, &Purse, i64),
    occasion: Occasion,
) -> Result<(), Error> {
    let month = month_of(now).strftime("%Y-%m").to_string();
    if !incidents::open(tx, &format!("{occasion}:{pool}:{month}"), now).await? {
        return Ok(());
    }
    let said = format!("{} of {} USD in {month}", dollars(spent), dollars(purse.most));
    tracing::warn!(platform = pool, spent = said, "{occasion}");
    let entry = NewEntry {
        actor: "engine".to_owned(),
        action: occasion.as_str().to_owned(),
        subject: pool.to_owned(),
        detail: json!({
            "platform": pool, "reason": said, "month": month,
            "spent_usd_micros": spent, "most_usd_micros": purse.most,
        }),
    };
    audit::append(tx, &[entry], now);
    Ok(())
}

/// What was spent in this month, in millionths of a dollar.
pub(super) async fn spent(
    reader: &mut crate::store::Reader,
    pool: &str,
    now: Timestamp,
) -> Result<i64, Error> {
    rows::cost(reader, &scope(pool), month_of(now)).await
}

fn next_month(now: Timestamp) -> Timestamp {
    let first = month_of(now).to_zoned(TimeZone::UTC).checked_add(1.month());
    first.map_or(now, |it| it.timestamp())
}

/// With cents, for people.
fn dollars(micros: i64) -> String {
    let cents = micros / 10_000;
    format!("{}.{:02}", cents / 100, (cents % 100).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_utc() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(month_of(at("2026-12-31T23:59:59Z")), at("2026-12-01T00:00:00Z"));
        assert_eq!(next_month(at("2026-12-31T23:59:59Z")), at("2027-01-01T00:00:00Z"));
        assert_eq!(month_of(at("2027-01-01T00:00:00Z")), at("2027-01-01T00:00:00Z"));
        assert_eq!(dollars(450_015_000), "450.01");
    }
}
