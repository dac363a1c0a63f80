//! The acts on embargoes of posts and campaigns: set, lift, look; and what they have against deliveries.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::holds::InFlight;
use super::plan::Plan;
use super::{Caller, Done, Error, Services, all_well, campaigns, finish, permit, posts, recall};
use crate::domain::embargo::{Binding, Embargo};
use crate::domain::fault::Fault;
use crate::domain::id::{CampaignId, DeliveryId, PostId, UnitId};
use crate::domain::policy::{Action, Subject};
use crate::domain::post::Post;
use crate::domain::work;
use crate::store::{Reader, Tx, embargoes, jobs, publishing};

/// The most deliveries that an answer lists.
const MOST: usize = 200;

/// An embargo to be set.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewEmbargo {
    /// Its end: from then on it may be published. RFC 3339 with offset.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Why; everybody whose delivery waits reads it here.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

/// What may not be published yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmbargoView {
    /// The one that was set here, over or not.
    pub own: Option<Embargo>,
    /// All that bind it now, the longest first: its own, its campaign's, that of the post of which it is a copy.
    pub binding: Vec<Binding>,
}

/// An embargo that stands: nothing under it begins to leave any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmbargoSet {
    /// The embargo.
    pub embargo: Embargo,
    /// Deliveries that it does not let go at their instant, by that; at most 200. They go out at its end, if that is
    /// before `publish_by`.
    pub stopped: Vec<DeliveryId>,
    /// How many those are.
    pub stopped_count: usize,
    /// What had begun to leave before.
    pub in_flight: Vec<InFlight>,
}

/// What an embargo is set on.
#[derive(Debug, Clone, Copy)]
pub enum Embargoed<'a> {
    /// A post, with the copies that other units have made of it.
    Post(&'a PostId),
    /// All posts of a campaign.
    Campaign(&'a CampaignId),
}

impl Embargoed<'_> {
    fn id(&self) -> &str {
        match self {
            Self::Post(id) => id.as_str(),
            Self::Campaign(id) => id.as_str(),
        }
    }

    /// Whose it is, when the caller may write it.
    async fn unit(&self, reader: &mut Reader, caller: &Caller) -> Result<UnitId, Error> {
        Ok(match self {
            Self::Post(id) => posts::see(reader, caller, Action::WritePosts, id).await?.unit_id,
            Self::Campaign(id) => {
                campaigns::see(reader, caller, Action::WriteCampaigns, id).await?.unit_id
            }
        })
    }
}

/// Sets an embargo in the place of the one before. Whoever writes may set or prolong it; only who decides when
/// something goes out may shorten or lift it.
pub async fn set(
    services: &Services,
    caller: &Caller,
    subject: Embargoed<'_>,
    new: NewEmbargo,
) -> Result<Done<EmbargoSet>, Error> {
    let mut tx = services.store.begin().await?;
    // Before anything else: every later guard sees this embargo, and what earlier ones have let through is
    // found below.
    publishing::stand_still(&mut tx).await?;
    let unit = subject.unit(&mut tx, caller).await?;
    let now = services.clock.now();
    let (until, set_by) = (new.until, caller.actor.person_id.clone());
    let embargo = Embargo { until, reason: new.reason, set_by, set_at: now };
    let embargo = embargo.settle().map_err(Error::Invalid)?;
    let before = embargoes::find(&mut tx, subject.id()).await?;
    if before.as_ref().is_some_and(|it| it.until > now && it.until > embargo.until) {
        permit(caller, Action::WriteDeliveries, Subject::Unit(&unit))?;
    }
    embargoes::set(&mut tx, subject.id(), &embargo).await?;
    let mut stopped = embargoes::stopped(&mut tx, subject.id()).await?;
    look_at_held(&mut tx, subject, now).await?;
    let stopped_count = stopped.len();
    let detail = json!({"before": before, "after": embargo, "stopped": stopped_count});
    let entry = caller.entry("embargo.set", &subject.id(), detail);
    stopped.truncate(MOST);
    let set = EmbargoSet { embargo, stopped, stopped_count, in_flight: Vec::new() };
    let mut done = finish(services, caller, tx, set, &[entry]).await?;
    services.queue.look_again();
    let under_way = embargoes::under_way(&mut services.store.read().await?, subject.id()).await?;
    done.value.in_flight = recall::stop(services, under_way).await?;
    Ok(done)
}

/// Lifts an embargo; what it held goes out, unless something else holds it.
pub async fn lift(
    services: &Services,
    caller: &Caller,
    subject: Embargoed<'_>,
) -> Result<(), Error> {
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let unit = subject.unit(&mut tx, caller).await?;
    permit(caller, Action::WriteDeliveries, Subject::Unit(&unit))?;
    let Some(before) = embargoes::find(&mut tx, subject.id()).await? else { return Ok(()) };
    look_at_held(&mut tx, subject, now).await?;
    embargoes::lift(&mut tx, subject.id()).await?;
    let entry = caller.entry("embargo.lift", &subject.id(), json!({"before": before}));
    finish(services, caller, tx, json!({}), &[entry]).await?;
    services.queue.look_again();
    Ok(())
}

/// The guard says at once what each waits for from now on.
async fn look_at_held(tx: &mut Tx, subject: Embargoed<'_>, now: Timestamp) -> Result<(), Error> {
    let held = embargoes::held(tx, subject.id()).await?;
    let held: Vec<String> = held.iter().map(work::publish_key).collect();
    jobs::move_all_queued(tx, &held, now).await?;
    Ok(())
}

/// What binds a post or a campaign.
pub async fn show(
    services: &Services,
    caller: &Caller,
    subject: Embargoed<'_>,
) -> Result<EmbargoView, Error> {
    let now = services.clock.now();
    let mut reader = services.store.read().await?;
    match subject {
        Embargoed::Post(id) => drop(posts::see(&mut reader, caller, Action::ReadPosts, id).await?),
        Embargoed::Campaign(id) => drop(campaigns::show(services, caller, id).await?),
    }
    let own = embargoes::find(&mut reader, subject.id()).await?;
    let binding = match subject {
        Embargoed::Post(id) => of_post(&mut reader, id, now).await?,
        Embargoed::Campaign(id) => {
            let running = own.iter().filter(|it| it.until > now);
            let binding = |it: &Embargo| Binding {
                subject_id: id.to_string(),
                until: it.until,
                reason: it.reason.clone(),
            };
            running.map(binding).collect()
        }
    };
    Ok(EmbargoView { own, binding })
}

async fn of_post(
    reader: &mut Reader,
    post: &PostId,
    now: Timestamp,
) -> Result<Vec<Binding>, Error> {
    Ok(embargoes::binding(reader, &[post].into(), now).await?.remove(post).unwrap_or_default())
}

/// Holds what is planned of a post against what binds it: nothing goes out before the last of these has ended.
pub(super) async fn judge(
    reader: &mut Reader,
    post: Option<&PostId>,
    plan: &mut Plan,
) -> Result<(), Error> {
    let (Some(post), Some(first)) = (post, plan.ready.iter().map(|one| one.row.due_at).min())
    else {
        return Ok(());
    };
    let Some(until) = of_post(reader, post, first).await?.first().map(|it| it.until) else {
        return Ok(());
    };
    let barred: BTreeSet<usize> =
        plan.ready.iter().filter(|one| one.row.due_at < until).map(|one| one.place).collect();
    plan.ready.retain(|one| !barred.contains(&one.place));
    plan.faults
        .extend(barred.into_iter().map(|place| fault(until, &format!("/deliveries/{place}"))));
    Ok(())
}

/// Why a delivery of a post may not be given this instant.
pub(super) async fn time_fault(
    reader: &mut Reader,
    post: &PostId,
    due_at: Timestamp,
    pointer: &str,
) -> Result<Option<Fault>, Error> {
    let longest = of_post(reader, post, due_at).await?;
    Ok(longest.first().map(|it| fault(it.until, pointer)))
}

fn fault(until: Timestamp, pointer: &str) -> Fault {
    let detail =
        format!("an embargo lets it go out from {until} on; choose that instant or a later one");
    Fault::new(pointer, "embargoed", detail).with("until", until)
}

/// A post does not leave its campaign's embargo by leaving the campaign.
pub(super) async fn check_campaign(
    reader: &mut Reader,
    (was, is): (&Post, &Post),
    now: Timestamp,
) -> Result<(), Error> {
    if was.campaign_id == is.campaign_id {
        return Ok(());
    }
    let bound = of_post(reader, &is.id, now).await?;
    let left = |it: &&Binding| Some(it.subject_id.as_str()) == was.campaign_id.as_deref();
    let Some(old) = bound.iter().find(left).map(|it| it.until) else { return Ok(()) };
    let mut others: Vec<Timestamp> =
        bound.iter().filter(|it| !left(it)).map(|it| it.until).collect();
    if let Some(new) = &is.campaign_id {
        others.extend(embargoes::find(reader, new).await?.map(|it| it.until));
    }
    let fault = || {
        let detail = format!(
            "an embargo of its campaign runs until {old}, and it would leave that; give the post one of its own that is as long, \
             or lift the campaign's"
        );
        Fault::new("/campaign_id", "leaves_embargo", detail).with("until", old)
    };
    all_well(others.iter().all(|until| *until < old).then(fault).into_iter().collect())
}

/// What binds posts binds what was copied from them, so that nobody gets it out as another.
pub(super) async fn carry(
    tx: &mut Tx,
    caller: &Caller,
    copies: &BTreeMap<PostId, PostId>,
    now: Timestamp,
) -> Result<(), Error> {
    let bound = embargoes::binding(tx, &copies.keys().collect(), now).await?;
    for (old, new) in copies {
        let Some(longest) = bound.get(old).and_then(|all| all.first()) else { continue };
        let (reason, set_by) = (longest.reason.clone(), caller.actor.person_id.clone());
        let embargo = Embargo { until: longest.until, reason, set_by, set_at: now };
        embargoes::set(tx, new.as_str(), &embargo).await?;
    }
    Ok(())
}
