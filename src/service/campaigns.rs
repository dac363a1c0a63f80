//! The acts on campaigns: enter, change, clone, remove, look.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    Caller, Change, Done, Error, Page, Services, Told, Window, embargoes, finish, permit, posts,
    schedule,
};
use crate::domain::actor::Actor;
use crate::domain::audit::NewEntry;
use crate::domain::campaign::{Campaign, Period};
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, CampaignId, PostId, UnitId};
use crate::domain::policy::{Action, Subject};
use crate::domain::post::Post;
use crate::domain::unit::UnitName;
use crate::domain::variant::Variant;
use crate::store::{self, Reader, Tx, campaigns, units, variants};

/// The most posts that are copied with a campaign.
const MOST_POSTS: usize = 500;

/// A campaign to be entered.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewCampaign {
    /// Whose it is.
    pub unit_id: UnitId,
    /// What it is called.
    pub title: UnitName,
    /// When it is.
    pub period: Period,
    /// IANA zone in which its days begin and end; the unit's when not said.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// What is to be understood.
    #[serde(default)]
    pub message: String,
    /// With or without their `#`.
    #[serde(default)]
    pub hashtags: Vec<String>,
    /// The topics that it rests on.
    #[serde(default)]
    pub pillars: Vec<String>,
    /// What is to be heeded: for all who take part.
    #[serde(default)]
    pub guidance: String,
    /// The units that it is meant for.
    #[serde(default)]
    pub units: Vec<UnitId>,
    /// The accounts that it is meant for.
    #[serde(default)]
    pub accounts: Vec<AccountId>,
}

/// What to change in a campaign; what is not named stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct CampaignChange {
    /// What it is called.
    pub title: Option<UnitName>,
    /// When it is.
    pub period: Option<Period>,
    /// IANA zone in which its days begin and end.
    pub time_zone: Option<String>,
    /// What is to be understood; `null` for nothing.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub message: Change<String>,
    /// With or without their `#`.
    pub hashtags: Option<Vec<String>>,
    /// The topics that it rests on.
    pub pillars: Option<Vec<String>>,
    /// What is to be heeded; `null` for nothing.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub guidance: Change<String>,
    /// The units that it is meant for.
    pub units: Option<Vec<UnitId>>,
    /// The accounts that it is meant for.
    pub accounts: Option<Vec<AccountId>>,
}

/// How a campaign is made after another.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Cloning {
    /// The first day of the new one. Its last is as far from it as before: by whole years where day and month of
    /// the first stay the same, by days otherwise.
    pub from: Date,
    /// What the new one is called; as before when not said.
    #[serde(default)]
    pub title: Option<UnitName>,
}

/// A campaign that was made after another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cloned {
    /// The new one.
    pub campaign: Campaign,
    /// Its posts, as drafts: copies of those that the unit of the campaign has in the old one.
    pub posts: Vec<PostId>,
}

/// Enters a campaign.
pub async fn create(
    services: &Services,
    caller: &Caller,
    new: NewCampaign,
) -> Result<Done<Campaign>, Error> {
    permit(caller, Action::WriteCampaigns, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let unit = units::find(&mut tx, &new.unit_id).await?;
    let unit = unit.filter(|unit| caller.actor.sees_unit(&unit.id));
    let open = posts::open_unit(unit.as_ref(), &new.unit_id, now);
    let unit = open.map_err(|fault| Error::Invalid(vec![fault]))?;
    permit(caller, Action::WriteCampaigns, Subject::Unit(&unit.id))?;
    let campaign = Campaign {
        id: CampaignId::new(now, services.random()),
        time_zone: new.time_zone.unwrap_or_else(|| unit.time_zone.clone()),
        unit_id: new.unit_id,
        title: new.title,
        period: new.period,
        message: new.message,
        hashtags: new.hashtags,
        pillars: new.pillars,
        guidance: new.guidance,
        units: new.units,
        accounts: new.accounts,
        cloned_from: None,
        version: 1,
        created_by: caller.actor.person_id.clone(),
        created_at: now,
        updated_at: now,
    };
    let campaign = settled(&mut tx, caller, campaign, None).await?;
    campaigns::insert(&mut tx, &campaign).await?;
    let entry = caller.entry("campaign.create", &campaign.id, json!({"campaign": campaign}));
    finish(services, caller, tx, campaign, &[entry]).await
}

/// Changes a campaign from the version that the caller has seen; `None` for whatever it is now.
pub async fn change(
    services: &Services,
    caller: &Caller,
    id: &CampaignId,
    seen: Option<i64>,
    change: CampaignChange,
) -> Result<Done<Campaign>, Error> {
    let mut tx = services.store.begin().await?;
    let before = see(&mut tx, caller, Action::WriteCampaigns, id).await?;
    let from = before.version;
    if seen.is_some_and(|seen| seen != from) {
        return Err(Error::Stale);
    }
    let mut campaign = before.clone();
    campaign.title = change.title.unwrap_or(campaign.title);
    campaign.period = change.period.unwrap_or(campaign.period);
    campaign.time_zone = change.time_zone.unwrap_or(campaign.time_zone);
    let text = |change: Change<String>, text: &mut String| {
        let mut is = Some(std::mem::take(text));
        change.apply(&mut is);
        *text = is.unwrap_or_default();
    };
    text(change.message, &mut campaign.message);
    text(change.guidance, &mut campaign.guidance);
    campaign.hashtags = change.hashtags.unwrap_or(campaign.hashtags);
    campaign.pillars = change.pillars.unwrap_or(campaign.pillars);
    campaign.units = change.units.unwrap_or(campaign.units);
    campaign.accounts = change.accounts.unwrap_or(campaign.accounts);
    campaign.version = from + 1;
    campaign.updated_at = services.clock.now();
    let campaign = settled(&mut tx, caller, campaign, Some(&before)).await?;
    campaigns::update(&mut tx, &campaign, from).await?;
    let entry = caller.entry("campaign.change", id, json!({"before": before, "after": campaign}));
    finish(services, caller, tx, campaign, &[entry]).await
}

/// The campaign in its one form. What it is meant for must be there; what `before` had may have gone since.
async fn settled(
    reader: &mut Reader,
    caller: &Caller,
    campaign: Campaign,
    before: Option<&Campaign>,
) -> Result<Campaign, Error> {
    let campaign = campaign.settle().map_err(Error::Invalid)?;
    let mut faults = Vec::new();
    let had_units = before.map_or(&[][..], |it| &it.units);
    for (place, id) in campaign.units.iter().enumerate().filter(|(_, id)| !had_units.contains(id)) {
        if units::find(reader, id).await?.is_none() {
            faults.push(unknown(format!("/units/{place}"), id));
        }
    }
    let had_accounts = before.map_or(&[][..], |it| &it.accounts);
    let seen: Vec<AccountId> =
        campaign.accounts.iter().filter(|id| caller.actor.sees(id)).cloned().collect();
    let found = store::accounts::find_many(reader, &seen).await?;
    for (place, id) in campaign.accounts.iter().enumerate() {
        if !had_accounts.contains(id) && !found.iter().any(|one| one.id == *id) {
            faults.push(unknown(format!("/accounts/{place}"), id));
        }
    }
    super::all_well(faults)?;
    Ok(campaign)
}

pub(super) fn unknown(pointer: String, id: &impl ToString) -> Fault {
    let id = id.to_string();
    Fault::new(pointer, "unknown_reference", format!("there is no {id}")).with("value", id)
}

/// Makes a campaign after another, at another time, with the posts that its unit has in it as drafts.
pub async fn clone(
    services: &Services,
    caller: &Caller,
    id: &CampaignId,
    wanted: Cloning,
) -> Result<Done<Cloned>, Error> {
    permit(caller, Action::WriteCampaigns, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let old = see(&mut tx, caller, Action::WriteCampaigns, id).await?;
    let unit = units::find(&mut tx, &old.unit_id).await?.ok_or(Error::NotFound)?;
    schedule::check_open(services, &unit)?;
    let campaign = Campaign {
        id: CampaignId::new(now, services.random()),
        title: wanted.title.unwrap_or(old.title),
        period: old.period.moved_to(wanted.from),
        cloned_from: Some(old.id),
        version: 1,
        created_by: caller.actor.person_id.clone(),
        created_at: now,
        updated_at: now,
        ..old
    };
    let campaign = campaign.settle().map_err(Error::Invalid)?;
    campaigns::insert(&mut tx, &campaign).await?;
    let mut entries = vec![caller.entry(
        "campaign.clone",
        &campaign.id,
        json!({"campaign": campaign, "cloned_from": id}),
    )];
    let posts = copy_posts(services, caller, &mut tx, (id, &campaign), &mut entries).await?;
    finish(services, caller, tx, Cloned { campaign, posts }, &entries).await
}

/// Copies the posts of the campaign's own unit: those of others are theirs.
async fn copy_posts(
    services: &Services,
    caller: &Caller,
    tx: &mut Tx,
    (old, new): (&CampaignId, &Campaign),
    entries: &mut Vec<NewEntry>,
) -> Result<Vec<PostId>, Error> {
    permit(caller, Action::WritePosts, Subject::Unit(&new.unit_id))?;
    let filter = store::posts::Filter {
        unit_id: Some(new.unit_id.clone()),
        campaign_id: Some(old.to_string()),
        ..store::posts::Filter::default()
    };
    let limit = i64::try_from(MOST_POSTS).unwrap_or(i64::MAX).saturating_add(1);
    // Oldest first, as they were written.
    let found: Vec<Post> =
        store::posts::list(tx, &filter, limit).await?.into_iter().rev().collect();
    if found.len() > MOST_POSTS {
        let detail = format!("the campaign has more than {MOST_POSTS} posts");
        let told = Told::new("campaign_too_large", detail).with("max", MOST_POSTS);
        return Err(Error::Conflict(told));
    }
    let ids: Vec<&PostId> = found.iter().map(|post| &post.id).collect();
    let mut said = variants::of_posts(tx, &ids).await?;
    let now = services.clock.now();
    let (mut copies, mut sources) = (Vec::with_capacity(found.len()), BTreeMap::new());
    for post in found {
        let said = said.remove(&post.id).unwrap_or_default();
        let said = said.into_iter().map(Variant::at_first).collect();
        let source = post.id.clone();
        let copy = copy(post, new.id.to_string(), caller, (now, services.random()));
        let detail =
            json!({"unit_id": copy.unit_id, "content_hash": copy.content_hash, "clone": new.id});
        entries.push(caller.entry("post.create", &copy.id, detail));
        sources.insert(source, copy.id.clone());
        copies.push((copy, said));
    }
    let rows: Vec<&Post> = copies.iter().map(|(post, _)| post).collect();
    store::posts::insert(tx, &rows).await?;
    let rows: Vec<(&PostId, &[Variant])> =
        copies.iter().map(|(post, said): &(Post, Vec<Variant>)| (&post.id, &said[..])).collect();
    variants::insert(tx, &rows, now, rand::random).await?;
    store::translations::bar(tx, &rows).await?;
    embargoes::carry(tx, caller, &sources, now).await?;
    Ok(copies.into_iter().map(|(post, _)| post.id).collect())
}

/// A post that says the same, as a draft of the caller's.
fn copy(post: Post, campaign: String, caller: &Caller, (now, random): (Timestamp, u128)) -> Post {
    Post {
        id: PostId::new(now, random),
        campaign_id: Some(campaign),
        revision: 1,
        created_by: caller.actor.person_id.to_string(),
        created_at: now,
        updated_at: now,
        ..post
    }
}

/// Removes a campaign that has no posts, at the version that the caller has seen.
pub async fn remove(
    services: &Services,
    caller: &Caller,
    id: &CampaignId,
    seen: Option<i64>,
) -> Result<(), Error> {
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let campaign = see(&mut tx, caller, Action::WriteCampaigns, id).await?;
    if seen.is_some_and(|seen| seen != campaign.version) {
        return Err(Error::Stale);
    }
    if !campaigns::remove(&mut tx, id, campaign.version, now).await? {
        let is = campaigns::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
        if is.version != campaign.version {
            return Err(Error::Stale);
        }
        let detail = "posts belong to the campaign, or were offered in it; remove them, or take them out of it. What was \
                      offered stays";
        return Err(Error::Conflict(Told::new("campaign_has_posts", detail)));
    }
    let entry = caller.entry("campaign.remove", id, json!({"campaign": campaign}));
    finish(services, caller, tx, json!({}), &[entry]).await?;
    Ok(())
}

/// One campaign.
pub async fn show(
    services: &Services,
    caller: &Caller,
    id: &CampaignId,
) -> Result<Campaign, Error> {
    let mut reader = services.store.read().await?;
    see(&mut reader, caller, Action::ReadCampaigns, id).await
}

/// The campaign, when the caller may do this with campaigns of its unit. Of another's he reads what anything was
/// offered of to one of his units.
pub(super) async fn see(
    reader: &mut Reader,
    caller: &Caller,
    action: Action,
    id: &CampaignId,
) -> Result<Campaign, Error> {
    permit(caller, action, Subject::Any)?;
    let campaign = campaigns::find(reader, id).await?.ok_or(Error::NotFound)?;
    if action == Action::ReadCampaigns && is_known(reader, &caller.actor, &campaign).await? {
        return Ok(narrowed(campaign, &caller.actor));
    }
    permit(caller, action, Subject::Unit(&campaign.unit_id))?;
    Ok(campaign)
}

/// Whether somebody knows of a campaign at all.
async fn is_known(reader: &mut Reader, actor: &Actor, campaign: &Campaign) -> Result<bool, Error> {
    if actor.sees_unit(&campaign.unit_id) {
        return Ok(true);
    }
    let own = actor.units_for(Action::ReadCampaigns).unwrap_or_default();
    Ok(store::kits::is_known(reader, &campaign.id, &own).await?)
}

/// Without those of others for whom it is meant, where it is another unit's.
fn narrowed(mut campaign: Campaign, actor: &Actor) -> Campaign {
    if !actor.sees_unit(&campaign.unit_id) {
        campaign.units.retain(|unit| actor.sees_unit(unit));
        campaign.accounts.retain(|account| actor.sees(account));
    }
    campaign
}

/// Whether a post may be put into this campaign: into one that its writer knows of.
pub(super) async fn check_reference(
    reader: &mut Reader,
    actor: &Actor,
    id: Option<&str>,
) -> Result<Option<Fault>, Error> {
    let Some(id) = id else { return Ok(None) };
    let found = match CampaignId::parse(id) {
        Ok(id) => campaigns::find(reader, &id).await?,
        Err(_other) => None,
    };
    let known = match found {
        Some(campaign) => is_known(reader, actor, &campaign).await?,
        None => false,
    };
    Ok((!known).then(|| unknown("/campaign_id".to_owned(), &id)))
}

/// Which campaigns a list is to have.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this unit.
    pub unit_id: Option<UnitId>,
    /// Those that have not ended before this day.
    pub from: Option<Date>,
    /// Those that have begun by this day.
    pub to: Option<Date>,
}

/// A page of campaigns, newest first.
pub async fn list(
    services: &Services,
    caller: &Caller,
    filter: Filter,
    window: &Window,
) -> Result<Page<Campaign>, Error> {
    permit(caller, Action::ReadCampaigns, Subject::Any)?;
    let filter = campaigns::Filter {
        unit_id: filter.unit_id,
        within: caller.actor.units_for(Action::ReadCampaigns),
        from: filter.from,
        to: filter.to,
        before: window.after_id()?,
    };
    let mut reader = services.store.read().await?;
    let found = campaigns::list(&mut reader, &filter, window.rows()).await?;
    let page = window.page(found, |campaign| vec![campaign.id.to_string()]);
    let items = page.items.into_iter().map(|one| narrowed(one, &caller.actor)).collect();
    Ok(Page { items, next: page.next })
}
