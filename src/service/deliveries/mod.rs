//! The acts on deliveries: look, take back, give another time, and decide about what hangs.

mod adopt;
mod correct;
mod decide;
mod review;
mod take_down;
mod texts;
mod view;
mod waiting;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

pub use adopt::{Adoption, adopt};
pub use correct::{Correcting, correct};
pub use decide::{give_up, retry};
pub use review::{Review, ReviewAct, Reviewed, Verdict, review};
pub use take_down::{Recalling, recall};
pub use texts::{CorrectionView, TextView};
pub use view::{
    AttemptView, ContentView, DeliveryDetail, DeliveryView, LocalView, OwnerView, ProblemView,
    RecallView, ReceiptView, TitleView, WaitsForView,
};
use waiting::Known;

use super::plan::{self, WantedLocal};
use super::recall::{self, Back};
use super::rules::{self, Moving, Override};
use super::{
    Caller, Done, Error, Page, Services, Told, Window, all_well, approvals, embargoes, finish,
    kits, parts, permit, sessions, terms,
};
use crate::domain::delivery::{DeliveryState, Event};
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, DeliveryId, HoldId, JobId, PostId, UnitId};
use crate::domain::parts::Part;
use crate::domain::policy::{Action, Subject};
use crate::domain::schedule;
use crate::domain::waiting::Party;
use crate::domain::work;
use crate::store::deliveries::{self, Delivery, NewTime};
use crate::store::jobs::{self, NewJob};
use crate::store::{Reader, Tx, audit, budgets, recalls};

/// Another time for a delivery. Exactly one of `at`, `local` and `now` says when.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Move {
    /// An instant, RFC 3339 with offset.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<String>,
    /// A time on a wall.
    #[serde(default)]
    pub local: Option<WantedLocal>,
    /// As soon as possible.
    #[serde(default)]
    pub now: bool,
    /// Not to go out at or after this instant; the class decides when not said.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub publish_by: Option<String>,
    /// Lets it through although a rule blocks that time, by an administrator of the rule's unit.
    #[serde(default, rename = "override")]
    pub overriding: Option<Override>,
}

/// Which deliveries a list is to have.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In one of these states.
    pub states: Vec<DeliveryState>,
    /// To this account.
    pub account_id: Option<AccountId>,
    /// Of this unit's posts.
    pub unit_id: Option<UnitId>,
    /// Of this post.
    pub post_id: Option<PostId>,
    /// Of this campaign's posts.
    pub campaign_id: Option<String>,
    /// Caught by this hold.
    pub hold_id: Option<HoldId>,
    /// Whose wall-clock time means another instant by now.
    pub zone_changed: bool,
    /// In this language.
    pub language: Option<String>,
    /// Where it is this party's move.
    pub waits_for: Option<Party>,
    /// That wait for the caller himself.
    pub mine: bool,
    /// Due at or after.
    pub from: Option<Timestamp>,
    /// Due before.
    pub to: Option<Timestamp>,
}

/// A page of deliveries, by their instant.
pub async fn list(
    services: &Services,
    caller: &Caller,
    filter: Filter,
    window: &Window,
) -> Result<Page<DeliveryView>, Error> {
    permit(caller, Action::ReadDeliveries, Subject::Any)?;
    let now = services.clock.now();
    let after = match window.after.as_deref() {
        None => None,
        Some([due_at, id]) => {
            let key = due_at.parse().ok().zip(id.parse().ok());
            Some(key.ok_or_else(Window::foreign_cursor)?)
        }
        Some(_) => return Err(Window::foreign_cursor()),
    };
    let filter = deliveries::Filter {
        states: filter.states,
        account_id: filter.account_id,
        among: caller
            .actor
            .accounts_for(Action::ReadDeliveries)
            .map(|own| own.into_iter().collect()),
        unit_id: filter.unit_id,
        post_id: filter.post_id,
        campaign_id: filter.campaign_id,
        hold_id: filter.hold_id,
        zone_changed: filter.zone_changed,
        language: filter.language,
        waits_for: filter.waits_for,
        owner: filter.mine.then(|| deliveries::Owner {
            person_id: caller.actor.person_id.clone(),
            administrator: caller.actor.administrator,
            at: now,
        }),
        from: filter.from,
        to: filter.to,
        after,
    };
    let mut reader = services.store.read().await?;
    let rows = deliveries::list(&mut reader, &filter, i64::from(window.rows())).await?;
    let page = window.page(rows, |one| vec![one.due_at.to_string(), one.id.to_string()]);
    let known = Known::of(&mut reader, page.items.iter(), now).await?;
    let items = page.items.into_iter().map(|one| DeliveryView::new(one, &known, caller)).collect();
    Ok(Page { items, next: page.next })
}

/// One delivery with everything that was tried.
pub async fn show(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
) -> Result<DeliveryDetail, Error> {
    let mut reader = services.store.read().await?;
    let delivery = see(&mut reader, caller, Action::ReadDeliveries, id).await?;
    let attempts = deliveries::attempts(&mut reader, id).await?;
    let known = Known::of(&mut reader, std::iter::once(&delivery), services.clock.now()).await?;
    Ok(DeliveryDetail::new(delivery, attempts, &known, caller))
}

/// The delivery, when the caller may do this with deliveries of its account.
async fn see(
    reader: &mut Reader,
    caller: &Caller,
    action: Action,
    id: &DeliveryId,
) -> Result<Delivery, Error> {
    permit(caller, action, Subject::Any)?;
    let delivery = deliveries::find(reader, id).await?.ok_or(Error::NotFound)?;
    permit(caller, action, Subject::Account(&delivery.account_id))?;
    Ok(delivery)
}

/// A delivery as it stands after a change in this transaction.
async fn changed(
    tx: &mut Tx,
    caller: &Caller,
    id: &DeliveryId,
    now: Timestamp,
) -> Result<DeliveryView, Error> {
    let delivery = deliveries::find(tx, id).await?.ok_or(Error::NotFound)?;
    shown(tx, caller, delivery, now).await
}

/// The view of a delivery that was read.
async fn shown(
    reader: &mut Reader,
    caller: &Caller,
    delivery: Delivery,
    now: Timestamp,
) -> Result<DeliveryView, Error> {
    let known = Known::of(reader, std::iter::once(&delivery), now).await?;
    Ok(DeliveryView::new(delivery, &known, caller))
}

/// The state does not let this happen; the answer shows where it stands.
fn not_now(delivery: &Delivery, code: &'static str, detail: &str) -> Error {
    let told = Told::new(code, format!("{detail}; it is {}", delivery.state))
        .with("state", delivery.state)
        .member("state", delivery.state.as_str())
        .member("state_since", delivery.state_since.to_string());
    Error::Conflict(match &delivery.receipt {
        Some(receipt) => told
            .member("remote_id", receipt.remote_id.clone())
            .member("permalink", receipt.permalink.clone()),
        None => told,
    })
}

/// How often a delivery may be guarded anew while somebody takes it back.
const ROUNDS: usize = 5;

/// A transaction in which the delivery is not leaving: one that was guarded ahead of its instant is
/// taken back first. A refusal when it is too late for that.
async fn stopped(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
    event: Event,
) -> Result<(Tx, Delivery), Error> {
    let now = services.clock.now();
    // A guard may fall between a look and the next; it cannot do so for ever.
    for _round in 0..ROUNDS {
        let mut tx = services.store.begin().await?;
        let delivery = see(&mut tx, caller, Action::WriteDeliveries, id).await?;
        if delivery.state.apply(event).is_ok() || delivery.state.is_final() {
            return Ok((tx, delivery));
        }
        if delivery.state != DeliveryState::Publishing {
            return Err(not_now(&delivery, "not_now", "this cannot be done to the delivery now"));
        }
        // Not while the transaction is open: whoever leaves may be waiting to write.
        drop(tx);
        match recall::take_back(services, id).await? {
            Back::Here(attempt) => {
                let mut tx = services.store.begin().await?;
                if recalls::withdraw(&mut tx, (id, &attempt), now, now).await? {
                    budgets::give_back(&mut tx, &[&attempt]).await?;
                    let entry =
                        caller.entry("delivery.scheduled", id, json!({"code": "withdrawn"}));
                    audit::append(&mut tx, &[entry], now);
                    let delivery = see(&mut tx, caller, Action::WriteDeliveries, id).await?;
                    return Ok((tx, delivery));
                }
            }
            Back::Leaving => {
                return Err(not_now(&delivery, "already_leaving", "it is already leaving"));
            }
            Back::Ended => {}
        }
    }
    Err(Error::Busy)
}

/// Takes a delivery back, and with it what was to go under it. After success none of them will be sent.
pub async fn cancel(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
) -> Result<Done<DeliveryView>, Error> {
    permit(caller, Action::WriteDeliveries, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let (mut tx, delivery) = stopped(services, caller, id, Event::Cancelled).await?;
    if delivery.state == DeliveryState::Cancelled {
        let value = shown(&mut tx, caller, delivery, services.clock.now()).await?;
        return Ok(Done { value, replayed: false });
    }
    if delivery.state.is_final() {
        return Err(not_now(&delivery, "already_ended", "there is nothing left to cancel"));
    }
    let now = services.clock.now();
    // The job before the delivery, as the worker that claims it: in the other order the two can wait
    // for each other.
    jobs::remove_queued(&mut tx, &[work::publish_key(id)]).await?;
    let mut entries =
        parts::end_behind(&mut tx, caller, (&delivery, &parts::Apart::new()), now).await?;
    if !deliveries::cancel(&mut tx, id, now).await? {
        return Err(Error::Busy);
    }
    let view = changed(&mut tx, caller, id, services.clock.now()).await?;
    entries.push(caller.entry("delivery.cancel", id, json!({"was": delivery.state})));
    finish(services, caller, tx, view, &entries).await
}

/// Gives a delivery another time, from the version that the caller has seen; `None` for whatever
/// it is now. What is to go under it goes with it.
pub async fn reschedule(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
    seen: Option<i64>,
    to: Move,
) -> Result<Done<DeliveryView>, Error> {
    permit(caller, Action::WriteDeliveries, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    all_well(rules::check_override(to.overriding.as_ref()))?;
    let before = {
        let mut reader = services.store.read().await?;
        see(&mut reader, caller, Action::WriteDeliveries, id).await?
    };
    if seen.is_some_and(|seen| seen != before.version) {
        return Err(Error::Stale);
    }
    let taken_back = before.state == DeliveryState::Publishing;
    let time = new_time(services, &before, &to)?;
    all_well(time_faults(&mut services.store.read().await?, &before, time.due_at, "/at").await?)?;
    kits::check_move(&mut services.store.read().await?, &before, time.due_at).await?;
    let moving = check_rules(services, caller, &before, &to, time.due_at).await?;
    let (mut tx, delivery) = stopped(services, caller, id, Event::Rescheduled).await?;
    if delivery.state.is_final() {
        return Err(not_now(&delivery, "already_ended", "it has come to its end"));
    }
    if seen.is_some() && !taken_back && delivery.version != before.version {
        // It may have been taken back from its way out: that has to stay so.
        tx.conclude().await?;
        services.queue.look_again();
        return Err(Error::Stale);
    }
    let now = services.clock.now();
    let job = publish_job(services, &delivery, time.due_at);
    jobs::remove_queued(&mut tx, std::slice::from_ref(&job.unique_key)).await?;
    let by = caller.actor.label();
    let moved =
        parts::move_behind(&mut tx, (&delivery, &parts::Apart::new()), (&time, &by), now).await?;
    if !deliveries::reschedule(&mut tx, (id, delivery.version), &time, &by, now).await? {
        return Err(Error::Stale);
    }
    let mut jobs = vec![job];
    for one in &moved {
        let delivery = Delivery { id: one.id.clone(), ..delivery.clone() };
        jobs.push(publish_job(services, &delivery, Part::turn(one.part, time.due_at)));
    }
    jobs::enqueue(&mut tx, &jobs, now).await?;
    for one in std::iter::once(id).chain(moved.iter().map(|one| &one.id)) {
        let begin = super::schedule::bring_at(services, time.due_at);
        jobs::move_queued(&mut tx, &work::bring_key(one), begin).await?;
    }
    let mut view = changed(&mut tx, caller, id, services.clock.now()).await?;
    view.warnings = moving.warnings;
    let detail = json!({"from": delivery.due_at, "to": time.due_at, "publish_by": time.publish_by});
    let action = if time.asks_approval { "delivery.plan" } else { "delivery.reschedule" };
    let each = std::iter::once(id).chain(moved.iter().map(|one| &one.id));
    let mut entries: Vec<_> = each.map(|id| caller.entry(action, id, detail.clone())).collect();
    entries.extend(rules::overriding_entries(caller, to.overriding.as_ref(), &moving.overridden));
    if time.asks_approval && delivery.state != DeliveryState::PendingApproval {
        entries.extend(approvals::wanted_again(&mut tx, &delivery.post_id, now).await?);
    }
    let done = finish(services, caller, tx, view, &entries).await?;
    services.queue.announce(&jobs);
    Ok(done)
}

/// Why what a delivery says or shows may not be public at this instant.
async fn time_faults(
    reader: &mut Reader,
    delivery: &Delivery,
    due_at: Timestamp,
    pointer: &str,
) -> Result<Vec<Fault>, Error> {
    let mut faults = terms::time_faults(reader, &delivery.id, due_at, pointer).await?;
    faults.extend(embargoes::time_fault(reader, &delivery.post_id, due_at, pointer).await?);
    Ok(faults)
}

/// What rules say of another time, unless one of them blocks it.
async fn check_rules(
    services: &Services,
    caller: &Caller,
    delivery: &Delivery,
    to: &Move,
    due_at: Timestamp,
) -> Result<Moving, Error> {
    let pointer = match (&to.at, &to.local) {
        (Some(_), _) => "/at",
        (None, Some(_)) => "/local",
        (None, None) => "/now",
    };
    let mut reader = services.store.read().await?;
    let overriding = to.overriding.as_ref();
    let moving =
        rules::judge_move(caller, &mut reader, (delivery, due_at), overriding, pointer).await?;
    if !moving.overridden.is_empty() {
        sessions::fresh(caller, services.clock.now())?;
    }
    Ok(moving)
}

fn new_time(services: &Services, delivery: &Delivery, to: &Move) -> Result<NewTime, Error> {
    let mut faults = Vec::new();
    let when = plan::when(to.at.as_deref(), to.local.as_ref(), to.now, "", &mut faults);
    let asked =
        to.publish_by.as_deref().and_then(|text| plan::instant(text, "/publish_by", &mut faults));
    let Some(when) = when.filter(|_| faults.is_empty()) else {
        return Err(Error::Invalid(faults));
    };
    let place = if to.at.is_some() { "/at" } else { "/local" };
    let resolved = schedule::resolve(&when, &delivery.account_zone, services.clock.now())
        .map_err(|refused| Error::Invalid(vec![plan::time_fault(&refused, place)]))?;
    let grace = plan::grace(services, delivery.class);
    let publish_by = schedule::publish_by(resolved.due_at, asked, grace)
        .map_err(|refused| Error::Invalid(vec![plan::time_fault(&refused, "/publish_by")]))?;
    let asks_approval = delivery.asks_approval;
    Ok(NewTime { due_at: resolved.due_at, publish_by, civil: resolved.civil, asks_approval })
}

/// The job that publishes an existing delivery.
fn publish_job(services: &Services, delivery: &Delivery, due_at: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(services.clock.now(), services.random()),
        kind: work::PUBLISH,
        unique_key: work::publish_key(&delivery.id),
        slot: work::slot(&delivery.platform, &delivery.account_id),
        payload: json!({"delivery_id": delivery.id}),
        priority: i64::from(delivery.class.priority()),
        due_at,
    }
}
