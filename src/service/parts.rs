//! The parts of a post: how one wanted delivery becomes several, and what the acts on one of them mean to
//! those that follow it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Caller, Error};
use crate::domain::audit::NewEntry;
use crate::domain::delivery::{DeliveryProblem, DeliveryState};
use crate::domain::id::DeliveryId;
use crate::domain::parts::Part;
use crate::domain::work;
use crate::store::deliveries::{Delivery, NewDelivery, NewTime};
use crate::store::parts::{self, Behind};
use crate::store::{Tx, jobs};

/// The deliveries of one that is wanted: one for each part of what it says. Every one has the whole
/// content, so that its hash is that of what was scheduled, and says which part it sends.
pub(super) fn split(first: NewDelivery, random: impl Fn() -> u128) -> Vec<NewDelivery> {
    let hashes = first.content.text_hashes();
    let of = first.content.parts();
    let root = first.id.clone();
    let mut rows = vec![NewDelivery { part: Part { of, ..Part::default() }, ..first }];
    for (hash, number) in hashes.into_iter().skip(1).zip(2..) {
        let Some(before) = rows.last().cloned() else { break };
        rows.push(NewDelivery {
            id: DeliveryId::new(before.created_at, random()),
            part: Part { number, of, follows: Some(before.id), root: Some(root.clone()) },
            text_hash: hash,
            // Who sees a post, or may answer it, is said of its first part.
            settings: Value::Object(Map::new()),
            ..before
        });
    }
    rows
}

/// Deliveries that a person has decided about one by one: what happens to the one before them does not happen to
/// them.
pub(super) type Apart<'a> = BTreeSet<&'a DeliveryId>;

/// The parts behind a delivery, in order.
async fn behind(tx: &mut Tx, delivery: &Delivery) -> Result<Vec<Behind>, Error> {
    if delivery.part.number >= delivery.part.of {
        return Ok(Vec::new());
    }
    let root = delivery.part.root.as_ref().unwrap_or(&delivery.id);
    Ok(parts::behind(tx, root, delivery.part.number).await?)
}

/// What waits behind a delivery and goes with it, in order.
pub(super) async fn waiting_behind(
    tx: &mut Tx,
    delivery: &Delivery,
    apart: &Apart<'_>,
) -> Result<Vec<Behind>, Error> {
    let mut behind = behind(tx, delivery).await?;
    behind.retain(|one| waits(one) && !apart.contains(&one.id));
    Ok(behind)
}

fn waits(one: &Behind) -> bool {
    matches!(
        one.state,
        DeliveryState::PendingApproval | DeliveryState::Scheduled | DeliveryState::Held
    )
}

/// What is to go out under a delivery that is taken back does not go out either. Gives what the audit
/// is told of it. To be called before the delivery itself is changed: jobs come first.
pub(super) async fn end_behind(
    tx: &mut Tx,
    caller: &Caller,
    (delivery, apart): (&Delivery, &Apart<'_>),
    now: jiff::Timestamp,
) -> Result<Vec<NewEntry>, Error> {
    let behind = waiting_behind(tx, delivery, apart).await?;
    let ids: Vec<&DeliveryId> = behind.iter().map(|one| &one.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<String> = ids.iter().map(|id| work::publish_key(id)).collect();
    jobs::remove_queued(tx, &keys).await?;
    let why = DeliveryProblem {
        code: "earlier_part_taken_back".to_owned(),
        detail: format!("part {} of it was taken back", delivery.part.number),
        hint: "schedule the post again if it is wanted after all".to_owned(),
    };
    let ended = parts::cancel(tx, &ids, &why, now).await?;
    let with = json!({"with": delivery.id});
    Ok(ended.iter().map(|id| caller.entry("delivery.cancel", id, with.clone())).collect())
}

/// What follows a delivery goes with it to its new time. Gives what was moved. To be called before the
/// delivery itself is changed: jobs come first.
pub(super) async fn move_behind(
    tx: &mut Tx,
    (delivery, apart): (&Delivery, &Apart<'_>),
    (to, by): (&NewTime, &str),
    now: jiff::Timestamp,
) -> Result<Vec<Behind>, Error> {
    let mut behind = waiting_behind(tx, delivery, apart).await?;
    if behind.is_empty() {
        return Ok(behind);
    }
    let ids: Vec<&DeliveryId> = behind.iter().map(|one| &one.id).collect();
    let keys: Vec<String> = ids.iter().map(|id| work::publish_key(id)).collect();
    jobs::remove_queued(tx, &keys).await?;
    let moved = parts::reschedule(tx, &ids, (to, by), now).await?;
    behind.retain(|one| moved.contains(&one.id));
    Ok(behind)
}

/// Whoever says that a delivery goes out vouches for what follows it, too, where nobody else does.
pub(super) async fn take_over_behind(
    tx: &mut Tx,
    delivery: &Delivery,
    by: &str,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    if delivery.part.number < delivery.part.of {
        let root = delivery.part.root.as_ref().unwrap_or(&delivery.id);
        parts::take_over(tx, (root, delivery.part.number), by, now).await?;
    }
    Ok(())
}

/// The parts behind a delivery that are out and that nobody wants to be deleted yet.
pub(super) async fn out_behind(tx: &mut Tx, delivery: &Delivery) -> Result<Vec<DeliveryId>, Error> {
    let mut behind = behind(tx, delivery).await?;
    behind.retain(|one| one.state == DeliveryState::Published && !one.recalled);
    Ok(behind.into_iter().map(|one| one.id).collect())
}
