//! The acts on kits: offer a post to other units, answer an offer, look at both.

mod body;
mod copies;
mod diff;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

pub use body::{Accepting, Declining, KitView, NewKit, OfferView, OfferedPost};
use copies::{answered, take_over};
pub(super) use copies::{check_move, check_plan, edited, flow, with_copies};
pub use diff::{FieldDiff, LanguageDiff, OfferDiff, diff};

use super::posts::open_unit;
use super::{
    Caller, Done, Error, Page, Services, Told, Window, all_well, campaigns, finish, permit, posts,
    schedule,
};
use crate::domain::audit::NewEntry;
use crate::domain::campaign::Campaign;
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, CampaignId, KitId, OfferId, PersonId, PostId, UnitId};
use crate::domain::kit::{Kit, MAX_REASON, MOST_UNITS, Offer, OfferState, Rule};
use crate::domain::policy::{Action, Subject};
use crate::domain::post::Post;
use crate::domain::variant::{self, Variant};
use crate::store::{self, Reader, Tx, accounts, kits, publishing, units, variants};

/// When to try again what a delivery stands in the way of that is leaving.
const RETRY_AFTER_S: u64 = 5;

/// Offers a post of a campaign to other units, which are told.
pub async fn offer(
    services: &Services,
    caller: &Caller,
    id: &CampaignId,
    new: NewKit,
) -> Result<Done<KitView>, Error> {
    permit(caller, Action::WriteCampaigns, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let campaign = campaigns::see(&mut tx, caller, Action::WriteCampaigns, id).await?;
    store::posts::lock_revisions(&mut tx, &[&new.post_id]).await?;
    let post = store::posts::find(&mut tx, &new.post_id).await?;
    let own = |post: &Post| {
        post.unit_id == campaign.unit_id && post.campaign_id.as_deref() == Some(id.as_str())
    };
    let Some(post) = post.filter(own) else {
        let detail = "the campaign's unit has no such post in it";
        let fault = Fault::new("/post_id", "unknown_reference", detail);
        return Err(Error::Invalid(vec![fault.with("value", &new.post_id)]));
    };
    if kits::is_copy(&mut tx, &post.id).await? {
        let detail = "it is itself a copy of what another unit offers, and follows that";
        return Err(Error::Conflict(Told::new("kit_of_a_copy", detail)));
    }
    let mut faults = check(&new, now);
    let to = recipients(&mut tx, caller, &campaign, &new, now, &mut faults).await?;
    all_well(faults)?;
    let kit = Kit {
        id: KitId::new(now, services.random()),
        campaign_id: id.clone(),
        post_id: post.id.clone(),
        fields: new.fields,
        local: new.local,
        answer_by: new.answer_by,
        created_by: caller.actor.person_id.clone(),
        created_at: now,
    };
    let offers: Vec<Offer> = to.into_iter().map(|unit| fresh(services, &kit, unit, now)).collect();
    kits::insert(&mut tx, &kit, &offers).await?;
    let detail = json!({"kit": kit.id, "post_id": post.id, "revision": post.revision, "fields": kit.fields,
        "units": offers.iter().map(|it| &it.unit_id).collect::<Vec<_>>()});
    let mut entries = vec![caller.entry("campaign.offer", id, detail)];
    let hear = hearers(&mut tx, &offers, now).await?;
    for offer in &offers {
        let owners = hear.get(&offer.unit_id).cloned().unwrap_or_default();
        entries.push(told_of("kit.offered", offer, &post.title, &owners, json!({})));
    }
    finish(services, caller, tx, KitView::new(kit, offers, now), &entries).await
}

fn check(new: &NewKit, now: Timestamp) -> Vec<Fault> {
    let mut faults = Vec::new();
    if new.fields.time != Rule::May && new.local.is_none() {
        let detail = "say in local when it should go out";
        faults.push(Fault::new("/fields/time", "kit_time_missing", detail));
    }
    if new.answer_by.is_some_and(|by| by <= now) {
        faults.push(Fault::new("/answer_by", "answer_by_passed", "it has passed already"));
    }
    faults
}

/// The units to which a post is to be offered: each once.
async fn recipients(
    tx: &mut Tx,
    caller: &Caller,
    campaign: &Campaign,
    new: &NewKit,
    now: Timestamp,
    faults: &mut Vec<Fault>,
) -> Result<BTreeSet<UnitId>, Error> {
    let meant = new.units.is_empty() && new.accounts.is_empty();
    let (named, through) =
        if meant { (&campaign.units, &campaign.accounts) } else { (&new.units, &new.accounts) };
    let known: Vec<AccountId> =
        through.iter().filter(|id| caller.actor.sees(id)).cloned().collect();
    let found = accounts::find_many(tx, &known).await?;
    let mut wanted: Vec<(String, UnitId)> = Vec::new();
    for (place, id) in through.iter().enumerate() {
        match found.iter().find(|one| one.id == *id) {
            Some(one) => wanted.push((format!("/accounts/{place}"), one.unit_id.clone())),
            None if meant => {}
            None => faults.push(campaigns::unknown(format!("/accounts/{place}"), id)),
        }
    }
    let name = |(place, id): (usize, &UnitId)| (format!("/units/{place}"), id.clone());
    wanted.extend(named.iter().enumerate().map(name));
    let already = kits::offered_to(tx, &new.post_id).await?;
    let mut units = BTreeSet::new();
    for (pointer, id) in wanted {
        let unit = units::find(tx, &id).await?;
        let open = open_unit(unit.as_ref(), &id, now).err();
        let again = already.contains(&id).then(|| {
            let detail = format!("this post has been offered to {id}");
            Fault::new("", "offered_already", detail).with("value", &id)
        });
        match open.or(again) {
            None => {
                units.insert(id);
            }
            // Of those it is meant for whoever can be offered it is.
            Some(_) if meant => {}
            Some(fault) => faults.push(Fault { pointer, ..fault }),
        }
    }
    if faults.is_empty() && (units.is_empty() || units.len() > MOST_UNITS) {
        let detail = format!("offer it to 1 to {MOST_UNITS} units that it was not offered to yet");
        faults.push(Fault::new("/units", "count_of_units", detail).with("max", MOST_UNITS));
    }
    Ok(units)
}

fn fresh(services: &Services, kit: &Kit, unit_id: UnitId, now: Timestamp) -> Offer {
    Offer {
        id: OfferId::new(now, services.random()),
        kit: kit.clone(),
        unit_id,
        state: OfferState::Offered,
        post_id: None,
        base_revision: None,
        base: BTreeMap::new(),
        reason: None,
        answered_by: None,
        answered_at: None,
        created_at: now,
    }
}

/// Who hears in each unit of what it is offered.
async fn hearers(
    reader: &mut Reader,
    offers: &[Offer],
    now: Timestamp,
) -> Result<BTreeMap<UnitId, Vec<PersonId>>, Error> {
    let units: Vec<&UnitId> = offers.iter().map(|it| &it.unit_id).collect();
    Ok(kits::planners(reader, &units, now).await?)
}

/// What is told of an offer; administrators of everything hear where nobody else would.
fn told_of(action: &str, offer: &Offer, title: &str, owners: &[PersonId], more: Value) -> NewEntry {
    let mut detail = json!({
        "offer_id": offer.id, "campaign_id": offer.kit.campaign_id, "unit_id": offer.unit_id,
        "post_id": offer.post_id, "title": title, "owners": owners, "administrators": owners.is_empty(),
    });
    if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), more) {
        detail.extend(more);
    }
    NewEntry {
        actor: "service".to_owned(),
        action: action.to_owned(),
        subject: offer.id.to_string(),
        detail,
    }
}

/// Takes what is offered: makes a copy of it as a draft of the unit's, or takes over into the copy what has been
/// changed in what is offered since, but for what the unit says otherwise.
pub async fn accept(
    services: &Services,
    caller: &Caller,
    id: &OfferId,
    said: Accepting,
) -> Result<Done<OfferView>, Error> {
    permit(caller, Action::WriteCampaigns, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let seen = mine(&mut services.store.read().await?, caller, id).await?;
    permit(caller, Action::WritePosts, Subject::Unit(&seen.unit_id))?;
    let mut tx = services.store.begin().await?;
    if let Some(copy) = &seen.post_id
        && posts::approved(services, &[copy], now).await?
    {
        publishing::stand_still(&mut tx).await?;
    }
    // What is offered stays as it is, so that no correction of it misses a copy that is being made.
    store::posts::lock_revisions(&mut tx, &[&seen.kit.post_id]).await?;
    kits::lock_copies(&mut tx, &seen.post_id.iter().collect::<Vec<_>>()).await?;
    let mut offer = mine(&mut tx, caller, id).await?;
    let was = offer.state;
    let (source, says) = offered(&mut tx, &offer, said.revision).await?;
    let copy = match &offer.post_id {
        Some(copy) => store::posts::find(&mut tx, copy).await?,
        None => None,
    };
    match copy {
        None => copy_of(services, caller, &mut tx, &mut offer, (&source, &says), now).await?,
        Some(copy) => {
            let newest = (source.revision, &says[..]);
            if !take_over(&mut tx, caller, &mut offer, copy, newest, now).await? {
                let detail = "a delivery of the copy is leaving at this moment; try again after it";
                let told = Told::new("already_leaving", detail).with("state", "publishing");
                return Err(Error::Conflict(told.retry_after(RETRY_AFTER_S)));
            }
        }
    }
    offer.answered_by = Some(caller.actor.person_id.clone());
    offer.answered_at = Some(now);
    offer.reason = None;
    if !kits::answer(&mut tx, &offer, was).await? {
        return Err(Error::Stale);
    }
    let detail = json!({"unit_id": offer.unit_id, "post_id": offer.post_id, "revision": source.revision,
        "state": offer.state});
    let mut entries = vec![caller.entry("offer.accept", id, detail)];
    if matches!(was, OfferState::Offered | OfferState::Declined) {
        entries.push(answered(&mut tx, "kit.accepted", &offer, &source.title, json!({})).await?);
    }
    let view = OfferView::new(offer, now).with(source, &says);
    finish(services, caller, tx, view, &entries).await
}

/// What is offered, when it is what was seen.
async fn offered(tx: &mut Tx, offer: &Offer, seen: i64) -> Result<(Post, Vec<Variant>), Error> {
    let Some(source) = store::posts::find(tx, &offer.kit.post_id).await? else {
        let detail = "what was offered has been removed";
        return Err(Error::Conflict(Told::new("offer_gone", detail)));
    };
    if source.revision != seen {
        let detail = "what is offered has changed since: look at it as it is now";
        let told = Told::new("offer_changed", detail).member("revision", source.revision);
        return Err(Error::Conflict(told));
    }
    let says = said_by(tx, &source.id).await?;
    Ok((source, says))
}

async fn said_by(reader: &mut Reader, post: &PostId) -> Result<Vec<Variant>, Error> {
    Ok(variants::of_posts(reader, &[post]).await?.remove(post).unwrap_or_default())
}

/// Writes the copy of a unit that says what is offered.
async fn copy_of(
    services: &Services,
    caller: &Caller,
    tx: &mut Tx,
    offer: &mut Offer,
    (source, says): (&Post, &[Variant]),
    now: Timestamp,
) -> Result<(), Error> {
    let unit = units::find(tx, &offer.unit_id).await?.ok_or(Error::NotFound)?;
    schedule::check_open(services, &unit)?;
    let copy = Post {
        id: PostId::new(now, services.random()),
        unit_id: offer.unit_id.clone(),
        campaign_id: Some(offer.kit.campaign_id.to_string()),
        revision: 1,
        created_by: caller.actor.person_id.to_string(),
        created_at: now,
        updated_at: now,
        ..source.clone()
    };
    let own: Vec<Variant> = says.iter().map(|one| one.clone().at_first()).collect();
    store::posts::insert(tx, &[&copy]).await?;
    variants::insert(tx, &[(&copy.id, &own)], now, rand::random).await?;
    store::translations::bar(tx, &[(&copy.id, &own)]).await?;
    let detail =
        json!({"unit_id": copy.unit_id, "content_hash": copy.content_hash, "offer": offer.id});
    store::audit::append(tx, &[caller.entry("post.create", &copy.id, detail)], now);
    offer.base = says.iter().map(|it| (it.language.clone(), it.content.clone())).collect();
    offer.base_revision = Some(source.revision);
    offer.state = OfferState::Accepted;
    offer.post_id = Some(copy.id);
    Ok(())
}

/// Does not take what is offered, and says why.
pub async fn decline(
    services: &Services,
    caller: &Caller,
    id: &OfferId,
    said: Declining,
) -> Result<Done<OfferView>, Error> {
    permit(caller, Action::WriteCampaigns, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let mut faults = Vec::new();
    let reason = variant::clean(&said.reason, MAX_REASON, true, "/reason", &mut faults);
    if reason.is_empty() {
        faults.push(Fault::new("/reason", "blank", "say why"));
    }
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let mut offer = mine(&mut tx, caller, id).await?;
    all_well(faults)?;
    if let Some(copy) = &offer.post_id
        && store::posts::find(&mut tx, copy).await?.is_some()
    {
        let detail = "it was accepted: remove the copy first, if it is not wanted any more";
        let told = Told::new("offer_accepted", detail).member("post_id", copy.as_str());
        return Err(Error::Conflict(told));
    }
    let was = offer.state;
    offer.state = OfferState::Declined;
    offer.reason = Some(reason.clone());
    offer.answered_by = Some(caller.actor.person_id.clone());
    offer.answered_at = Some(now);
    if !kits::answer(&mut tx, &offer, was).await? {
        return Err(Error::Stale);
    }
    let mut entries = vec![caller.entry("offer.decline", id, json!({"reason": reason}))];
    if was != OfferState::Declined {
        let title = store::posts::find(&mut tx, &offer.kit.post_id).await?.map(|it| it.title);
        let more = json!({"reason": reason});
        let title = title.unwrap_or_default();
        entries.push(answered(&mut tx, "kit.declined", &offer, &title, more).await?);
    }
    finish(services, caller, tx, OfferView::new(offer, now), &entries).await
}

/// The offer, when the caller may answer it.
async fn mine(reader: &mut Reader, caller: &Caller, id: &OfferId) -> Result<Offer, Error> {
    permit(caller, Action::WriteCampaigns, Subject::Any)?;
    let offer = kits::find(reader, id).await?.ok_or(Error::NotFound)?;
    permit(caller, Action::WriteCampaigns, Subject::Unit(&offer.unit_id))?;
    Ok(offer)
}

/// The offer, when the caller is of the unit that it was made to, or of the one that makes it.
async fn see(reader: &mut Reader, caller: &Caller, id: &OfferId) -> Result<Offer, Error> {
    permit(caller, Action::ReadCampaigns, Subject::Any)?;
    let offer = kits::find(reader, id).await?.ok_or(Error::NotFound)?;
    if !caller.actor.sees_unit(&offer.unit_id) {
        let campaign = store::campaigns::find(reader, &offer.kit.campaign_id).await?;
        let by = campaign.ok_or(Error::NotFound)?.unit_id;
        permit(caller, Action::ReadCampaigns, Subject::Unit(&by))?;
    }
    Ok(offer)
}

/// One offer, with what is offered.
pub async fn show(services: &Services, caller: &Caller, id: &OfferId) -> Result<OfferView, Error> {
    let mut reader = services.store.read().await?;
    let offer = see(&mut reader, caller, id).await?;
    let source = offer.kit.post_id.clone();
    let view = OfferView::new(offer, services.clock.now());
    let Some(post) = store::posts::find(&mut reader, &source).await? else { return Ok(view) };
    let says = said_by(&mut reader, &source).await?;
    Ok(view.with(post, &says))
}

/// Which offers a list is to have.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// To this unit.
    pub unit_id: Option<UnitId>,
    /// Of this campaign.
    pub campaign_id: Option<CampaignId>,
    /// That were answered so.
    pub state: Option<OfferState>,
}

/// A page of what the caller's units are offered, newest first.
pub async fn list(
    services: &Services,
    caller: &Caller,
    filter: Filter,
    window: &Window,
) -> Result<Page<OfferView>, Error> {
    permit(caller, Action::ReadCampaigns, Subject::Any)?;
    let filter = kits::Filter {
        unit_id: filter.unit_id,
        within: caller.actor.units_for(Action::ReadCampaigns),
        campaign_id: filter.campaign_id,
        state: filter.state,
        before: window.after_id()?,
    };
    let now = services.clock.now();
    let found = kits::list(&mut services.store.read().await?, &filter, window.rows()).await?;
    let page = window.page(found, |offer| vec![offer.id.to_string()]);
    let items = page.items.into_iter().map(|one| OfferView::new(one, now)).collect();
    Ok(Page { items, next: page.next })
}

/// What is offered in a campaign, and how units have answered: all of it for those who offer it, to others what
/// their own units are offered.
pub async fn of_campaign(
    services: &Services,
    caller: &Caller,
    id: &CampaignId,
) -> Result<Page<KitView>, Error> {
    let mut reader = services.store.read().await?;
    let campaign = campaigns::see(&mut reader, caller, Action::ReadCampaigns, id).await?;
    let whole = caller.actor.sees_unit(&campaign.unit_id);
    let now = services.clock.now();
    let mut found: Vec<(Kit, Vec<Offer>)> = Vec::new();
    for offer in kits::of_campaign(&mut reader, id).await? {
        if !whole && !caller.actor.sees_unit(&offer.unit_id) {
            continue;
        }
        match found.last_mut().filter(|(kit, _)| kit.id == offer.kit.id) {
            Some((_, offers)) => offers.push(offer),
            None => found.push((offer.kit.clone(), vec![offer])),
        }
    }
    let items = found.into_iter().map(|(kit, offers)| KitView::new(kit, offers, now)).collect();
    Ok(Page { items, next: None })
}
