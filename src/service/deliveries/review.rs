//! What a person decides about deliveries that a hold has caught, or whose scheduler may not schedule there
//! any more: let them go on, give them another time, or drop them; any number at once, all or none.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{DeliveryView, Move, changed, new_time, publish_job, time_faults};
use crate::clock::{after, before};
use crate::domain::audit::NewEntry;
use crate::domain::delivery::{DeliveryProblem, DeliveryState, Event, WaitsFor};
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, DeliveryId};
use crate::domain::parts::Part;
use crate::domain::policy::{Action, Subject};
use crate::domain::waiting::Cause;
use crate::domain::{words, work};
use crate::service::parts::Apart;
use crate::service::plan::WantedLocal;
use crate::service::{
    Caller, Done, Error, Services, all_well, approvals, finish, parts, permit, rules,
};
use crate::store::deliveries::{self, Delivery, NewTime};
use crate::store::jobs::NewJob;
use crate::store::parts::Behind;
use crate::store::{Tx, holds, jobs, review as rows};

/// The most deliveries of one review.
const MOST: usize = 200;

words! {
    /// What is to become of a delivery.
    ReviewAct {
        /// It goes out soon, with space between it and others of its account.
        Release = "release",
        /// It goes out at another time.
        Reschedule = "reschedule",
        /// It does not go out.
        Drop = "drop",
    }
}

impl ReviewAct {
    /// What happens to the delivery.
    const fn event(self) -> Event {
        match self {
            Self::Release => Event::Released,
            Self::Reschedule => Event::Rescheduled,
            Self::Drop => Event::Dropped,
        }
    }
}

/// Decisions, one for each delivery.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Review {
    /// The deliveries; none twice.
    #[schema(min_items = 1, max_items = 200)]
    pub deliveries: Vec<Verdict>,
}

/// A decision. With `reschedule` exactly one of `at`, `local` and `now` says when; the other acts take
/// no time.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Verdict {
    /// Which delivery.
    pub id: DeliveryId,
    /// What becomes of it.
    pub act: ReviewAct,
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
}

/// What came of a review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reviewed {
    /// The deliveries as they are now, in the order of the decisions.
    pub deliveries: Vec<DeliveryView>,
}

/// What is to be written for one delivery.
enum Step {
    Release(Timestamp),
    Reschedule(NewTime),
    Drop,
}

/// Decides about deliveries that holds have caught.
pub async fn review(
    services: &Services,
    caller: &Caller,
    review: Review,
) -> Result<Done<Reviewed>, Error> {
    permit(caller, Action::WriteDeliveries, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let count = review.deliveries.len();
    if !(1..=MOST).contains(&count) {
        let fault = Fault::new("/deliveries", "count_out_of_range", "one to 200 deliveries");
        return Err(Error::Invalid(vec![fault.with("max", MOST)]));
    }
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    rows::one_at_a_time(&mut tx).await?;
    // Before the deliveries are read: while their jobs are gone no worker moves them. In the other
    // order the two could also wait for each other.
    let keys: Vec<String> = review.deliveries.iter().map(|it| work::publish_key(&it.id)).collect();
    jobs::remove_queued(&mut tx, &keys).await?;
    let found = found(&mut tx, caller, &review).await?;
    let steps = steps(services, caller, &mut tx, (&review, &found), now).await?;
    let (mut jobs, mut entries) = write_behind(services, caller, &mut tx, &steps, now).await?;
    write(services, caller, &mut tx, &steps, (&mut jobs, &mut entries)).await?;
    entries.extend(wanted_again(&mut tx, &steps, now).await?);
    jobs::enqueue(&mut tx, &jobs, now).await?;
    let mut views = Vec::with_capacity(count);
    for (delivery, _) in &steps {
        views.push(changed(&mut tx, caller, &delivery.id, services.clock.now()).await?);
    }
    let done = finish(services, caller, tx, Reviewed { deliveries: views }, &entries).await?;
    services.queue.announce(&jobs);
    Ok(done)
}

/// The deliveries that are decided about, as far as there are such.
async fn found(
    tx: &mut Tx,
    caller: &Caller,
    review: &Review,
) -> Result<Vec<Option<Delivery>>, Error> {
    let mut found = Vec::with_capacity(review.deliveries.len());
    for verdict in &review.deliveries {
        let delivery = deliveries::find(tx, &verdict.id).await?;
        let delivery = delivery.filter(|it| caller.actor.sees(&it.account_id));
        if let Some(delivery) = &delivery {
            permit(caller, Action::WriteDeliveries, Subject::Account(&delivery.account_id))?;
        }
        found.push(delivery);
    }
    Ok(found)
}

/// What is to be done with each, or everything that forbids it.
async fn steps<'a>(
    services: &Services,
    caller: &Caller,
    tx: &mut Tx,
    (review, found): (&Review, &'a [Option<Delivery>]),
    now: Timestamp,
) -> Result<Vec<(&'a Delivery, Step)>, Error> {
    let known: Vec<&Delivery> = found.iter().flatten().collect();
    let ids: Vec<&DeliveryId> = known.iter().map(|it| &it.id).collect();
    let stopped: BTreeSet<DeliveryId> = holds::stopped(tx, &ids, now).await?.into_iter().collect();
    let mut spacing = Spacing::new(services, tx, &known, now).await?;
    let mut seen = BTreeSet::new();
    let (mut faults, mut steps) = (Vec::new(), Vec::new());
    for (place, (verdict, delivery)) in review.deliveries.iter().zip(found).enumerate() {
        let pointer = format!("/deliveries/{place}");
        let before = faults.len();
        if !seen.insert(&verdict.id) {
            let detail = format!("{} is named twice", verdict.id);
            let fault = Fault::new(format!("{pointer}/id"), "repeated", detail);
            faults.push(fault.with("value", &verdict.id));
        }
        let Some(delivery) = delivery else {
            let detail = format!("there is no delivery {}", verdict.id);
            let fault = Fault::new(format!("{pointer}/id"), "unknown_reference", detail);
            faults.push(fault.with("value", &verdict.id));
            continue;
        };
        let caught = is_caught(delivery) && delivery.state.apply(verdict.act.event()).is_ok();
        if !caught {
            let detail = format!("it waits for no review; it is {}", delivery.state);
            let fault = Fault::new(format!("{pointer}/id"), "not_in_review", detail);
            faults.push(fault.with("state", delivery.state));
        } else if verdict.act == ReviewAct::Release && stopped.contains(&delivery.id) {
            let detail = "a hold still covers it; lift that first, or choose another time";
            faults.push(Fault::new(format!("{pointer}/act"), "hold_stands", detail));
        }
        let clean = faults.len() == before;
        match step(services, verdict, delivery, &pointer, &mut faults)? {
            Some(Step::Release(_)) if clean => match spacing.place(delivery, &pointer) {
                Ok(due_at) => steps.push((delivery, Step::Release(due_at))),
                Err(fault) => faults.push(fault),
            },
            Some(step) => {
                if let Step::Reschedule(time) = &step {
                    let to = (delivery, time.due_at);
                    faults.extend(time_faults(tx, delivery, time.due_at, &pointer).await?);
                    faults.extend(rules::move_faults(caller, tx, to, &pointer).await?);
                }
                steps.push((delivery, step));
            }
            None => {}
        }
    }
    all_well(faults)?;
    Ok(steps)
}

/// Whether it waits for a person's review.
pub(super) fn is_caught(delivery: &Delivery) -> bool {
    let review = |it: &WaitsFor| Cause::of_code(&it.code) == Cause::Review;
    delivery.state == DeliveryState::Held
        && (delivery.hold_id.is_some() || delivery.waits_for.as_ref().is_some_and(review))
}

/// What a decision means for a delivery, whether or not it may be done.
fn step(
    services: &Services,
    verdict: &Verdict,
    delivery: &Delivery,
    pointer: &str,
    faults: &mut Vec<Fault>,
) -> Result<Option<Step>, Error> {
    let timed = verdict.at.is_some()
        || verdict.local.is_some()
        || verdict.now
        || verdict.publish_by.is_some();
    match verdict.act {
        ReviewAct::Release | ReviewAct::Drop if timed => {
            let detail = "only reschedule takes a time";
            faults.push(Fault::new(format!("{pointer}/act"), "act_takes_no_time", detail));
            Ok(None)
        }
        ReviewAct::Release => Ok(Some(Step::Release(delivery.due_at))),
        ReviewAct::Drop => Ok(Some(Step::Drop)),
        ReviewAct::Reschedule => {
            let to = Move {
                at: verdict.at.clone(),
                local: verdict.local.clone(),
                now: verdict.now,
                publish_by: verdict.publish_by.clone(),
                overriding: None,
            };
            match new_time(services, delivery, &to) {
                Ok(time) => Ok(Some(Step::Reschedule(time))),
                Err(Error::Invalid(found)) => {
                    faults.extend(found.into_iter().map(|fault| Fault {
                        pointer: format!("{pointer}{}", fault.pointer),
                        ..fault
                    }));
                    Ok(None)
                }
                Err(other) => Err(other),
            }
        }
    }
}

/// Hands out instants, so that what is released never goes out as a burst.
struct Spacing {
    last: BTreeMap<AccountId, Timestamp>,
    span: std::time::Duration,
    now: Timestamp,
}

impl Spacing {
    async fn new(
        services: &Services,
        tx: &mut Tx,
        known: &[&Delivery],
        now: Timestamp,
    ) -> Result<Self, Error> {
        let span = services.config.publish.catch_up_spacing;
        let accounts: BTreeSet<&AccountId> = known.iter().map(|it| &it.account_id).collect();
        let accounts: Vec<&AccountId> = accounts.into_iter().collect();
        let last = rows::released(tx, &accounts, before(now, span)).await?;
        Ok(Self { last, span, now })
    }

    /// The next instant that is free on the delivery's account, when that is not too late for it.
    fn place(&mut self, delivery: &Delivery, pointer: &str) -> Result<Timestamp, Fault> {
        let here = format!("{pointer}/id");
        if delivery.publish_by <= self.now {
            let detail = "its latest useful time has passed; give it another time or drop it";
            return Err(Fault::new(here, "release_too_late", detail));
        }
        // No hold has caught it, so it need not have been due: then it goes out when it is.
        if delivery.hold_id.is_none() && delivery.due_at > self.now {
            return Ok(delivery.due_at);
        }
        let last = self.last.get(&delivery.account_id).copied();
        let due_at = last.map_or(self.now, |last| after(last, self.span).max(self.now));
        if delivery.publish_by <= due_at {
            let detail = "others that were released before it to the same account push it beyond its \
                          latest useful time; give it another time or drop it";
            return Err(Fault::new(here, "release_does_not_fit", detail));
        }
        self.last.insert(delivery.account_id.clone(), due_at);
        Ok(due_at)
    }
}

/// What a person says of a part holds for what follows it, of which he has said nothing: else the rest of a
/// thread would wait for its old time, and be missed.
async fn write_behind(
    services: &Services,
    caller: &Caller,
    tx: &mut Tx,
    steps: &[(&Delivery, Step)],
    now: Timestamp,
) -> Result<(Vec<NewJob>, Vec<NewEntry>), Error> {
    let by = caller.actor.label();
    let apart: Apart<'_> = steps.iter().map(|(delivery, _)| &delivery.id).collect();
    let (mut enqueued, mut entries) = (Vec::new(), Vec::new());
    let mut steps: Vec<&(&Delivery, Step)> = steps.iter().collect();
    // What a later part was told comes after what an earlier one was.
    steps.sort_by_key(|(delivery, _)| delivery.part.number);
    for (delivery, step) in steps {
        let with = (*delivery, &apart);
        let (moved, act) = match step {
            Step::Release(due_at) => {
                let released = release_behind(caller, tx, with, (*due_at, now)).await?;
                (released, "delivery.release")
            }
            Step::Reschedule(time) => {
                let moved = parts::move_behind(tx, with, (time, &by), now).await?;
                (moved.into_iter().map(|one| (one, time.due_at)).collect(), word(time))
            }
            Step::Drop => {
                // What was said of an earlier part counts no more for these.
                for one in parts::waiting_behind(tx, delivery, &apart).await? {
                    let (key, id) = (work::publish_key(&one.id), one.id.to_string());
                    enqueued.retain(|job: &NewJob| job.unique_key != key);
                    entries.retain(|it: &NewEntry| it.subject != id);
                }
                entries.extend(parts::end_behind(tx, caller, with, now).await?);
                continue;
            }
        };
        for (one, due_at) in moved {
            let detail = json!({"with": delivery.id, "from": delivery.due_at, "to": due_at});
            let key = work::publish_key(&one.id);
            let following = Delivery { id: one.id.clone(), ..(*delivery).clone() };
            enqueued.retain(|job: &NewJob| job.unique_key != key);
            enqueued.push(publish_job(services, &following, Part::turn(one.part, due_at)));
            entries.push(caller.entry(act, &one.id, detail));
        }
    }
    Ok((enqueued, entries))
}

/// Lets what was caught behind a delivery go on with it, or at an instant of its own that is to come. What would be
/// too late stays where it is, for a person.
async fn release_behind(
    caller: &Caller,
    tx: &mut Tx,
    (delivery, apart): (&Delivery, &Apart<'_>),
    (due_at, now): (Timestamp, Timestamp),
) -> Result<Vec<(Behind, Timestamp)>, Error> {
    let mut caught = Vec::new();
    for one in parts::waiting_behind(tx, delivery, apart).await? {
        let found = deliveries::find(tx, &one.id).await?.filter(is_caught);
        let Some(it) = found else { continue };
        let own = it.hold_id.is_none() && it.due_at > now;
        let due_at = if own { due_at.max(it.due_at) } else { due_at };
        if due_at < it.publish_by {
            caught.push((one, due_at));
        }
    }
    let keys: Vec<String> = caught.iter().map(|(one, _)| work::publish_key(&one.id)).collect();
    jobs::remove_queued(tx, &keys).await?;
    let by = caller.actor.label();
    for (one, due_at) in &caught {
        // Read again now that no worker moves it.
        let version = deliveries::find(tx, &one.id).await?.map_or(0, |it| it.version);
        if !rows::release(tx, (&one.id, version), *due_at, &by, now).await? {
            return Err(Error::Busy);
        }
    }
    Ok(caught)
}

/// The audit's word for another time.
fn word(time: &NewTime) -> &'static str {
    if time.asks_approval { "delivery.plan" } else { "delivery.reschedule" }
}

/// What was given another time waits for approval again where that covers the time.
async fn wanted_again(
    tx: &mut Tx,
    steps: &[(&Delivery, Step)],
    now: Timestamp,
) -> Result<Vec<NewEntry>, Error> {
    let mut asking = BTreeSet::new();
    for (delivery, step) in steps {
        match step {
            Step::Reschedule(time) if time.asks_approval => {
                asking.insert(&delivery.post_id);
            }
            Step::Reschedule(_) | Step::Release(_) | Step::Drop => {}
        }
    }
    let mut entries = Vec::new();
    for post in asking {
        entries.extend(approvals::wanted_again(tx, post, now).await?);
    }
    Ok(entries)
}

async fn write(
    services: &Services,
    caller: &Caller,
    tx: &mut Tx,
    steps: &[(&Delivery, Step)],
    (enqueued, entries): (&mut Vec<NewJob>, &mut Vec<NewEntry>),
) -> Result<(), Error> {
    let now = services.clock.now();
    let by = caller.actor.label();
    for (delivery, step) in steps {
        let (id, version) = (&delivery.id, delivery.version);
        let (written, due_at, act) = match step {
            Step::Release(due_at) => {
                let written = rows::release(tx, (id, version), *due_at, &by, now).await?;
                (written, Some(*due_at), "delivery.release")
            }
            Step::Reschedule(time) => {
                let written = deliveries::reschedule(tx, (id, version), time, &by, now).await?;
                (written, Some(time.due_at), word(time))
            }
            Step::Drop => {
                let written = rows::give_up(tx, id, version, &dropped(), now).await?;
                (written, None, "delivery.drop")
            }
        };
        if !written {
            // It has moved on since it was read here.
            return Err(Error::Busy);
        }
        enqueued.extend(due_at.map(|due_at| publish_job(services, delivery, due_at)));
        let detail = json!({"hold": delivery.hold_id, "from": delivery.due_at, "to": due_at});
        entries.push(caller.entry(act, id, detail));
    }
    // After all that was decided about: that goes by its own word, and by the version that was seen.
    for (delivery, step) in steps {
        match step {
            Step::Release(_) | Step::Reschedule(_) => {
                parts::take_over_behind(tx, delivery, &by, now).await?;
            }
            Step::Drop => {}
        }
    }
    Ok(())
}

fn dropped() -> DeliveryProblem {
    DeliveryProblem {
        code: "dropped".to_owned(),
        detail: "a person decided in a review not to send it".to_owned(),
        hint: "schedule it again if it is wanted after all".to_owned(),
    }
}
