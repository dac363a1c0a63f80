//! A person wants what is out to be deleted at the platform. The wish is durable; the engine sees to it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{DeliveryView, changed, not_now, see, shown};
use crate::domain::delivery::{DeliveryState, Event, Recall};
use crate::domain::id::{DeliveryId, JobId};
use crate::domain::policy::{Action, Subject};
use crate::domain::{hold, locale, work};
use crate::service::{Caller, Done, Error, Services, all_well, finish, parts, permit};
use crate::store::after::Note;
use crate::store::deliveries::Delivery;
use crate::store::jobs::{self, NewJob};
use crate::store::{Tx, after};

/// The wish to have it deleted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Recalling {
    /// Why; it stays with the delivery and in the audit.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

/// Asks for a published delivery to be deleted, with all that stands under it: what is out of that is
/// deleted before it, what is not is taken back. Asking twice is asking once; asked again when something
/// stood in the way, it is tried at once.
pub async fn recall(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
    wish: Recalling,
) -> Result<Done<DeliveryView>, Error> {
    permit(caller, Action::WriteDeliveries, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let mut faults = Vec::new();
    locale::check_line("/reason", &wish.reason, hold::LONGEST_REASON, &mut faults);
    all_well(faults)?;
    let mut tx = services.store.begin().await?;
    let delivery = see(&mut tx, caller, Action::WriteDeliveries, id).await?;
    if delivery.state == DeliveryState::Recalled {
        let value = shown(&mut tx, caller, delivery, services.clock.now()).await?;
        return Ok(Done { value, replayed: false });
    }
    if delivery.state.apply(Event::Recalled).is_err() {
        return Err(not_now(&delivery, "not_published", advice(delivery.state)));
    }
    let now = services.clock.now();
    let mut entries =
        parts::end_behind(&mut tx, caller, (&delivery, &parts::Apart::new()), now).await?;
    let wanted = wish_of(caller, &wish, now);
    let mut jobs = Vec::new();
    for below in parts::out_behind(&mut tx, &delivery).await? {
        let part = Delivery { id: below.clone(), recall: None, ..delivery.clone() };
        jobs.push(enqueue(services, &mut tx, &part).await?);
        if after::ask(&mut tx, &below, &wanted, now).await? {
            let detail = json!({"reason": wish.reason, "with": id});
            entries.push(caller.entry("delivery.recall", &below, detail));
        }
    }
    jobs.push(enqueue(services, &mut tx, &delivery).await?);
    let again = delivery.recall.is_some();
    if let Some(recall) = &delivery.recall {
        // Somebody has put something right, or thinks so: if it is in vain he is to hear of it.
        let recall = Recall { tries: 0, told_at: None, ..recall.clone() };
        after::note(&mut tx, &[Note { id, recall: &recall }], now).await?;
    } else if !after::ask(&mut tx, id, &wanted, now).await? {
        return Err(Error::Busy);
    }
    let view = changed(&mut tx, caller, id, services.clock.now()).await?;
    let remote_id = delivery.receipt.as_ref().map(|it| &it.remote_id);
    let detail = json!({"reason": wish.reason, "remote_id": remote_id, "again": again});
    entries.push(caller.entry("delivery.recall", id, detail));
    let done = finish(services, caller, tx, view, &entries).await?;
    if again {
        // The job that is there has another id and instant than the one that was not enqueued.
        services.queue.look_again();
    } else {
        services.queue.announce(&jobs);
    }
    Ok(done)
}

fn wish_of(caller: &Caller, wish: &Recalling, now: Timestamp) -> Recall {
    Recall {
        asked_by: caller.actor.label(),
        asked_at: now,
        reason: wish.reason.clone(),
        tries: 0,
        problem: None,
        told_at: None,
        missed_at: None,
    }
}

/// One job, due now, whether or not there is one already.
async fn enqueue(services: &Services, tx: &mut Tx, delivery: &Delivery) -> Result<NewJob, Error> {
    let now = services.clock.now();
    let job = NewJob {
        id: JobId::new(now, services.random()),
        kind: work::RECALL,
        unique_key: work::recall_key(&delivery.id),
        slot: work::slot(&delivery.platform, &delivery.account_id),
        payload: json!(work::Recall { delivery_id: delivery.id.clone() }),
        // Nothing is more urgent than what should not be seen.
        priority: 0,
        due_at: now,
    };
    // The job before the delivery, as the worker that claims it.
    let stuck = delivery.recall.as_ref().is_some_and(|it| it.problem.is_some());
    if !stuck || !jobs::move_queued(tx, &job.unique_key, now).await? {
        jobs::enqueue(tx, std::slice::from_ref(&job), now).await?;
    }
    Ok(job)
}

/// What one can do instead.
const fn advice(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Draft
        | DeliveryState::PendingApproval
        | DeliveryState::Scheduled
        | DeliveryState::Held => "it has not gone out, so cancel it instead",
        DeliveryState::Publishing | DeliveryState::Unknown => {
            "it may be going out just now; recall it as soon as it is published, which its state will \
             say"
        }
        DeliveryState::NeedsHuman => {
            "nobody knows whether it is out; if it is, adopt the post and then recall it"
        }
        DeliveryState::Missed | DeliveryState::Failed | DeliveryState::Cancelled => {
            "it never went out, so there is nothing to recall"
        }
        DeliveryState::Vanished => "the platform has removed it already",
        DeliveryState::Published | DeliveryState::Recalled => "it cannot be recalled",
    }
}
