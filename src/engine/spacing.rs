//! Lets a backlog out one by one on each account, over all nodes and restarts: never a burst.
//!
//! The lane that has sent one lets the account rest already; this is for what it does not know of.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Tools;
use super::clauses::{Brake, Force};
use super::publish::delivery_of;
use crate::clock::{after, before};
use crate::domain::id::DeliveryId;
use crate::store::jobs::Claimed;
use crate::store::{Error, Tx, budgets as rows};

/// Stops those of the claimed jobs that are part of a backlog and follow another delivery of their
/// account too soon.
pub(super) async fn brakes(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    jobs: &[Claimed],
    stopped: &mut HashMap<DeliveryId, Brake>,
) -> Result<(), Error> {
    let pace = &tools.pace;
    let spacing = pace.catch_up_spacing;
    let is_late = |at: Timestamp| after(at, pace.catch_up_after) < now;
    // A job may have been put off since; younger ones cannot be late.
    let late = |job: &&Claimed| is_late(job.created_at.min(job.due_at));
    let late: Vec<&Claimed> = jobs.iter().filter(late).collect();
    if late.is_empty() || spacing.is_zero() {
        return Ok(());
    }
    let account = |job: &Claimed| job.slot.split_once('/').map(|(_, it)| it.to_owned());
    let names: Vec<String> = late.iter().filter_map(|job| account(job)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let last: HashMap<String, Timestamp> = rows::last_sent(tx, &names, before(now, spacing))
        .await?
        .into_iter()
        .map(|(account, at)| (account.to_string(), at))
        .collect();
    let followers: Vec<(DeliveryId, Timestamp)> = late
        .into_iter()
        .filter_map(|job| Some((delivery_of(job)?, *last.get(&account(job)?)?)))
        .collect();
    if followers.is_empty() {
        return Ok(());
    }
    let ids: Vec<&DeliveryId> = followers.iter().map(|(id, _)| id).collect();
    let dues: HashMap<DeliveryId, Timestamp> = rows::dues(tx, &ids).await?.into_iter().collect();
    for (id, last) in followers {
        if !dues.get(&id).is_some_and(|due_at| is_late(*due_at)) {
            continue;
        }
        let until = after(last, spacing);
        let detail = format!(
            "what was due during an outage goes out one by one, {spacing:?} apart on each account; \
             the next at {until}"
        );
        let brake = Brake { code: "catch_up", detail, until, force: Force::Rests };
        stopped.entry(id).or_insert(brake);
    }
    Ok(())
}
