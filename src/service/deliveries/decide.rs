//! What a person decides about a delivery whose outcome nobody else can tell: give it up, or send it
//! again.

use serde_json::json;

use super::{DeliveryView, changed, not_now, publish_job, see};
use crate::clock;
use crate::domain::delivery::{DeliveryProblem, DeliveryState, Event};
use crate::domain::id::DeliveryId;
use crate::domain::policy::Action;
use crate::service::{Caller, Done, Error, Services, finish};
use crate::service::{parts, plan};
use crate::store::deliveries::{self, Delivery};
use crate::store::{Tx, jobs};

/// A transaction on a delivery that waits for a person.
pub(super) async fn waiting(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
    event: Event,
) -> Result<(Tx, Delivery), Error> {
    let mut tx = services.store.begin().await?;
    let delivery = see(&mut tx, caller, Action::WriteDeliveries, id).await?;
    check_asked(&delivery, event)?;
    Ok((tx, delivery))
}

/// Refuses when nobody was asked about the delivery.
pub(super) fn check_asked(delivery: &Delivery, event: Event) -> Result<(), Error> {
    let asked = delivery.state == DeliveryState::NeedsHuman;
    if asked && delivery.state.apply(event).is_ok() {
        return Ok(());
    }
    let detail = "only a delivery that needs a person can be decided about";
    Err(not_now(delivery, "not_asked", detail))
}

/// A person gives it up: it is not sent again, and nothing goes out under it.
pub async fn give_up(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
) -> Result<Done<DeliveryView>, Error> {
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let (mut tx, delivery) = waiting(services, caller, id, Event::Dropped).await?;
    let why = DeliveryProblem {
        code: "dropped".to_owned(),
        detail: "a person decided not to send it again".to_owned(),
        hint: "schedule it again if it is wanted after all".to_owned(),
    };
    let now = services.clock.now();
    let mut entries =
        parts::end_behind(&mut tx, caller, (&delivery, &parts::Apart::new()), now).await?;
    if !deliveries::give_up(&mut tx, id, &why, now).await? {
        return Err(Error::Busy);
    }
    let view = changed(&mut tx, caller, id, services.clock.now()).await?;
    entries.push(caller.entry("delivery.drop", id, json!({"was": delivery.problem})));
    finish(services, caller, tx, view, &entries).await
}

/// A person has seen that it is not there: it is sent again, now, or at its instant if that is to come.
pub async fn retry(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
) -> Result<Done<DeliveryView>, Error> {
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let (mut tx, delivery) = waiting(services, caller, id, Event::SentAgain).await?;
    let publish_by = clock::after(now, plan::grace(services, delivery.class));
    let by = caller.actor.label();
    if !deliveries::retry(&mut tx, id, publish_by, &by, now).await? {
        return Err(Error::Busy);
    }
    parts::take_over_behind(&mut tx, &delivery, &by, now).await?;
    let job = publish_job(services, &delivery, now.max(delivery.due_at));
    jobs::remove_queued(&mut tx, std::slice::from_ref(&job.unique_key)).await?;
    jobs::enqueue(&mut tx, std::slice::from_ref(&job), now).await?;
    let view = changed(&mut tx, caller, id, services.clock.now()).await?;
    let entry = caller.entry("delivery.retry", id, json!({"was": delivery.problem}));
    let done = finish(services, caller, tx, view, &[entry]).await?;
    services.queue.announce(&[job]);
    Ok(done)
}
