//! What is known about deliveries that wait: when the service goes on, who is responsible, and what the
//! caller can do.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use super::review::is_caught;
use super::view::{OwnerView, TitleView, WaitsForView};
use crate::domain::actor::person_of;
use crate::domain::correction::Correction;
use crate::domain::delivery::{Act, DeliveryState, WaitsFor};
use crate::domain::id::{DeliveryId, PostId};
use crate::domain::policy::{self, Action, Subject};
use crate::domain::waiting::{Cause, Party};
use crate::domain::work;
use crate::service::{Caller, Error};
use crate::store::Reader;
use crate::store::deliveries::{Delivery, NewDelivery};
use crate::store::waiting::{self, Responsible};
use crate::store::{approvals, corrections};

/// The name of whoever is responsible where it is nobody's move.
const SERVICE: &str = "the service";

/// What is known about some deliveries besides their rows.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By the key of the job.
    next: HashMap<String, Timestamp>,
    people: Vec<Responsible>,
    /// Of each post that waits for approval, who may give it.
    approvers: BTreeMap<PostId, Vec<(Responsible, i64)>>,
    /// Those whose scheduler may still decide about them.
    vouched: HashSet<DeliveryId>,
    /// Of each delivery in the order in which they were asked for.
    corrections: HashMap<DeliveryId, Vec<Correction>>,
}

impl Known {
    /// What is known about these.
    pub(super) async fn of(
        reader: &mut Reader,
        deliveries: impl Iterator<Item = &Delivery>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let (mut keys, mut authors, mut out) = (Vec::new(), Vec::new(), Vec::new());
        let (mut unapproved, mut since) = (Vec::new(), Timestamp::MIN);
        let mut asking = Vec::new();
        for delivery in deliveries {
            if delivery.receipt.is_some() {
                out.push(delivery.id.clone());
            }
            let Some(cause) = cause(delivery) else { continue };
            keys.push(job_key(delivery));
            if cause == Cause::Approval {
                unapproved.push(&delivery.post_id);
                since = since.max(delivery.updated_at);
            }
            if cause.party() == Party::Person {
                authors.push(person_of(&delivery.created_by));
                asking.push(&delivery.id);
            }
        }
        let next = waiting::next(reader, &keys).await?;
        let people = match authors.as_slice() {
            [] => Vec::new(),
            authors => waiting::responsible(reader, authors).await?,
        };
        // Those who could when it began to wait: what is asked for by name need not be known to the second.
        let approvers = match unapproved.as_slice() {
            [] => BTreeMap::new(),
            posts => approvals::approvers(reader, posts, since).await?,
        };
        let vouched = waiting::vouched(reader, &asking, now).await?.into_iter().collect();
        let next = next.into_iter().map(|next| (next.unique_key, next.at)).collect();
        let mut corrections: HashMap<DeliveryId, Vec<Correction>> = HashMap::new();
        if !out.is_empty() {
            for (id, one) in corrections::of(reader, &out).await? {
                corrections.entry(id).or_default().push(one);
            }
        }
        Ok(Self { next, people, approvers, vouched, corrections })
    }

    /// What is known about one that is about to be written.
    pub(super) fn planned(row: &NewDelivery) -> Self {
        let next = [(work::publish_key(&row.id), row.due_at)].into();
        Self { next, ..Self::default() }
    }

    /// The corrections of a delivery, in the order in which they were asked for.
    pub(super) fn corrections(&self, id: &DeliveryId) -> &[Correction] {
        self.corrections.get(id).map_or(&[], Vec::as_slice)
    }

    /// What a delivery waits for; nothing at its end.
    pub(super) fn wait(&self, delivery: &Delivery) -> Option<WaitsForView> {
        let cause = cause(delivery)?;
        let [vi, en] = cause.title().map(str::to_owned);
        let (code, detail) = match &delivery.waits_for {
            Some(WaitsFor { code, detail }) => (code.clone(), detail.clone()),
            None => (cause.as_str().to_owned(), en.clone()),
        };
        let next_look_at = self.next.get(&job_key(delivery)).copied();
        Some(WaitsForView {
            code,
            title: TitleView { vi, en },
            detail,
            party: cause.party(),
            owners: self.owners(delivery, cause),
            since: since(delivery, cause),
            until: until(delivery, next_look_at),
            next_look_at,
        })
    }

    /// Whoever may approve it, where it waits for that; else whoever scheduled it while he may schedule there, else
    /// the administrators; the service where it is
    /// nobody's move.
    fn owners(&self, delivery: &Delivery, cause: Cause) -> Vec<OwnerView> {
        if cause.party() == Party::Service {
            return vec![OwnerView { id: None, name: SERVICE.to_owned() }];
        }
        let named = |it: &Responsible| OwnerView { id: Some(it.id.clone()), name: it.name.clone() };
        let approvers = self.approvers.get(&delivery.post_id).filter(|_| cause == Cause::Approval);
        if let Some(approvers) = approvers {
            return approvers.iter().map(|(it, _)| named(it)).collect();
        }
        let author = person_of(&delivery.created_by);
        let own = self.people.iter().find(|it| it.id.as_str() == author);
        let his = !cause.needs_administrator() && self.vouched.contains(&delivery.id);
        match own.filter(|_| his) {
            Some(own) => vec![named(own)],
            None => self.people.iter().filter(|it| it.administrator).map(named).collect(),
        }
    }
}

/// What it waits for.
fn cause(delivery: &Delivery) -> Option<Cause> {
    let usual = Cause::usual(delivery.state)?;
    Some(delivery.waits_for.as_ref().map_or(usual, |wait| Cause::of_code(&wait.code)))
}

/// The key of the job by which the service goes on with it.
fn job_key(delivery: &Delivery) -> String {
    if delivery.state == DeliveryState::Unknown {
        work::reconcile_key(&delivery.id)
    } else {
        work::publish_key(&delivery.id)
    }
}

/// Since when it waits for that: what is due waits for something else since its instant at most.
fn since(delivery: &Delivery, cause: Cause) -> Timestamp {
    if delivery.state != DeliveryState::Scheduled || cause == Cause::Due {
        return delivery.state_since;
    }
    delivery.state_since.max(delivery.due_at.min(delivery.updated_at))
}

/// Until when: what is on its way or being looked for is heard of before its latest useful time.
fn until(delivery: &Delivery, next_look_at: Option<Timestamp>) -> Timestamp {
    let soon = matches!(delivery.state, DeliveryState::Publishing | DeliveryState::Unknown);
    next_look_at.filter(|_| soon).unwrap_or(delivery.publish_by)
}

/// What the caller can do about it.
pub(super) fn acts(delivery: &Delivery, caller: &Caller) -> Vec<Act> {
    let account = Subject::Account(&delivery.account_id);
    if policy::may(&caller.actor, Action::WriteDeliveries, account).is_err() {
        return Vec::new();
    }
    // While something stands in its way it can be asked for again.
    let recalling = delivery.recall.as_ref().is_some_and(|recall| recall.problem.is_none());
    let acts = delivery.state.acts(is_caught(delivery));
    acts.filter(|act| !(recalling && *act == Act::Recall)).collect()
}
