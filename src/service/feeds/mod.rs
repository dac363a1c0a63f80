//! The acts on calendar feeds: make one and show its secret address once, list, revoke; and what whoever has the
//! address is given.

mod written;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::{
    Caller, Done, Error, Page, Services, Told, Window, accounts as connected, all_well, calendar,
    finish, people as known, permit, sessions,
};
use crate::clock::{after, before};
use crate::domain::actor::{Actor, Scope, Scopes};
use crate::domain::event::Visibility;
use crate::domain::fault::Fault;
use crate::domain::feed::FeedContent;
use crate::domain::id::{AccountId, FeedId, PersonId, UnitId};
use crate::domain::locale;
use crate::domain::outbox::Locale;
use crate::domain::policy::{Action, Subject};
use crate::domain::role::Reach;
use crate::domain::session::Key;
use crate::domain::text::Language;
use crate::domain::yearly::Occurrence;
use crate::store::calendar::{Filter, First};
use crate::store::feeds::{self, Feed, Whose};
use crate::store::{Reader, accounts, events, people, roles, units};

use written::{Cut, Entries};

/// So many feeds of one person are in force at most.
const MOST: i64 = 20;
/// How far back a feed goes.
const BACK: Duration = Duration::from_hours(60 * 24);
/// How far ahead.
const AHEAD: Duration = Duration::from_hours(400 * 24);
/// For how long what was cancelled or removed is shown as such, so that programs take it away.
const CANCELLED: Duration = Duration::from_hours(30 * 24);
/// So many deliveries lie ahead in a feed at most, and so many behind.
const MOST_AHEAD: u32 = 3_000;
const MOST_BEHIND: u32 = 1_000;
/// So many events are in a feed at most.
const MOST_EVENTS: u32 = 1_000;
/// How often it is written down that a feed was fetched.
const NOTE_EVERY: Duration = Duration::from_mins(1);

/// So many feeds are written at a time; each takes some megabytes.
static TURNS: Semaphore = Semaphore::const_new(4);

/// A feed to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewFeed {
    /// What its owner calls it; calendar programs show it.
    pub name: String,
    /// Which entries it has; all when not said.
    #[serde(default)]
    pub content: Option<FeedContent>,
    /// How much of them at most, also of one's own units; all that its owner may see when not said.
    #[serde(default)]
    pub detail: Option<Visibility>,
    /// The language of our own words in it; Vietnamese when not said.
    #[serde(default)]
    pub locale: Option<Locale>,
    /// Only of this unit: its events, and what goes to its accounts.
    #[serde(default)]
    pub unit_id: Option<UnitId>,
    /// Only deliveries to this account.
    #[serde(default)]
    pub account_id: Option<AccountId>,
    /// Only deliveries on this platform.
    #[serde(default)]
    pub platform: Option<String>,
    /// Only deliveries in this language.
    #[serde(default)]
    pub language: Option<String>,
}

/// A feed: never its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeedView {
    /// Its id.
    pub id: FeedId,
    /// Whose it is: it shows what he may see.
    pub person_id: PersonId,
    /// What its owner calls it.
    pub name: String,
    /// Which entries it has.
    pub content: FeedContent,
    /// How much of them at most.
    pub detail: Visibility,
    /// The language of our own words in it.
    pub locale: Locale,
    /// Only of this unit.
    pub unit_id: Option<UnitId>,
    /// Only deliveries to this account.
    pub account_id: Option<AccountId>,
    /// Only deliveries on this platform.
    pub platform: Option<String>,
    /// Only deliveries in this language.
    pub language: Option<String>,
    /// The only accounts that the token concerned by which it was made.
    pub accounts: Option<Vec<AccountId>>,
    /// When it was last fetched, to the minute.
    pub fetched_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A feed that was just made, with its address, for once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedFeed {
    /// Its id.
    pub id: FeedId,
    /// The secret address, for a calendar program. It is not kept and cannot be shown again; in the answer to a
    /// repeated request it is `null`.
    pub address: Option<String>,
}

impl std::fmt::Debug for CreatedFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CreatedFeed({})", self.id)
    }
}

impl From<Feed> for FeedView {
    fn from(feed: Feed) -> Self {
        Self {
            id: feed.id,
            person_id: feed.person_id,
            name: feed.name,
            content: feed.content,
            detail: feed.detail,
            locale: feed.locale,
            unit_id: feed.unit_id,
            account_id: feed.account_id,
            platform: feed.platform,
            language: feed.language,
            accounts: feed.accounts,
            fetched_at: feed.fetched_at,
            created_at: feed.created_at,
            revoked_at: feed.revoked_at,
        }
    }
}

/// Makes a feed of the caller's own. Nobody makes one for somebody else: what it shows would be that one's.
pub async fn create(
    services: &Services,
    caller: &Caller,
    new: NewFeed,
) -> Result<Done<CreatedFeed>, Error> {
    let owner = caller.actor.person_id.clone();
    permit(caller, Action::ReadCalendar, Subject::Any)?;
    permit(caller, Action::WriteTokens, Subject::Person(&owner))?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    sessions::fresh(caller, now)?;
    all_well(faults(services, &new))?;
    let key = Key::mint(rand::random());
    let feed = Feed {
        id: FeedId::new(now, services.random()),
        person_id: owner,
        name: new.name.trim().to_owned(),
        content: new.content.unwrap_or(FeedContent::Both),
        detail: new.detail.unwrap_or(Visibility::Whole),
        locale: new.locale.unwrap_or(Locale::Vi),
        unit_id: new.unit_id,
        account_id: new.account_id,
        platform: new.platform,
        language: new.language,
        accounts: caller.actor.accounts.as_ref().map(|own| own.iter().cloned().collect()),
        etag: None,
        changed_at: None,
        fetched_at: None,
        created_at: now,
        revoked_at: None,
    };
    let mut tx = services.store.begin().await?;
    check_references(&mut tx, caller, &feed).await?;
    if feeds::count(&mut tx, &feed.person_id).await? >= MOST {
        let detail = format!("you have {MOST} calendar feeds; revoke one first");
        return Err(Error::Conflict(Told::new("too_many_feeds", detail).with("max", MOST)));
    }
    feeds::insert(&mut tx, &feed, &key.hash()).await?;
    let id = feed.id.clone();
    let detail = json!({"feed": FeedView::from(feed)});
    let entry = caller.entry("feed.create", &id, detail);
    // What is kept for a repetition must not contain the secret: only its hash is kept anywhere.
    let kept = CreatedFeed { id, address: None };
    let mut done = finish(services, caller, tx, kept, &[entry]).await?;
    if !done.replayed {
        let base = services.config.server.public_url.as_str().trim_end_matches('/');
        done.value.address = Some(format!("{base}/calendar/feeds/{}.ics", key.reveal()));
    }
    Ok(done)
}

fn faults(services: &Services, new: &NewFeed) -> Vec<Fault> {
    let mut faults = Vec::new();
    locale::check_line("/name", &new.name, 100, &mut faults);
    if let Some(platform) = &new.platform
        && services.platforms.get(platform).is_none()
    {
        faults.push(connected::unknown_platform(platform));
    }
    if let Some(tag) = &new.language
        && tag.parse::<Language>().ok().as_ref().map(Language::as_str) != Some(tag)
    {
        let value = locale::quoted(tag);
        let detail = format!("{value} is not a language tag, such as vi or zh-Hans");
        faults.push(Fault::new("/language", "bad_language", detail).with("value", value));
    }
    let of_deliveries =
        new.account_id.is_some() || new.platform.is_some() || new.language.is_some();
    if of_deliveries && new.content == Some(FeedContent::Events) {
        let detail =
            "account_id, platform and language choose deliveries; a feed of events has none";
        faults.push(Fault::new("/content", "feed_of_events", detail));
    }
    faults
}

async fn check_references(reader: &mut Reader, caller: &Caller, feed: &Feed) -> Result<(), Error> {
    let mut faults = Vec::new();
    if let Some(unit) = &feed.unit_id
        && units::find(reader, unit).await?.is_none()
    {
        faults.push(connected::unknown_unit(unit));
    }
    if let Some(account) = &feed.account_id
        && (!caller.actor.sees(account) || accounts::find(reader, account).await?.is_none())
    {
        let fault = Fault::new(
            "/account_id",
            "unknown_reference",
            format!("there is no account {account}"),
        );
        faults.push(fault.with("value", account));
    }
    all_well(faults)
}

/// A page of feeds in force: one's own, and those of people whom one answers for.
pub async fn list(
    services: &Services,
    caller: &Caller,
    window: &Window,
) -> Result<Page<FeedView>, Error> {
    let own = &caller.actor.person_id;
    permit(caller, Action::ReadTokens, Subject::Person(own))?;
    let answers = permit(caller, Action::WritePeople, Subject::Any).is_ok();
    let whose = match caller.actor.units_for(Action::WritePeople) {
        None if answers => Whose::All,
        Some(units) if answers => Whose::Within(units),
        None | Some(_) => Whose::Within([].into()),
    };
    let after: Option<FeedId> = window.after_id()?;
    let mut reader = services.store.read().await?;
    let rows = feeds::list(&mut reader, own, &whose, after.as_ref(), window.rows()).await?;
    let page = window.page(rows, |feed| vec![feed.id.to_string()]);
    Ok(Page { items: page.items.into_iter().map(FeedView::from).collect(), next: page.next })
}

/// One feed.
pub async fn show(services: &Services, caller: &Caller, id: &FeedId) -> Result<FeedView, Error> {
    let mut reader = services.store.read().await?;
    Ok(see(&mut reader, caller, Action::ReadTokens, id).await?.into())
}

/// Revokes a feed at once. Doing it twice is no fault.
pub async fn revoke(services: &Services, caller: &Caller, id: &FeedId) -> Result<(), Error> {
    let mut tx = services.store.begin().await?;
    let feed = see(&mut tx, caller, Action::WriteTokens, id).await?;
    if feeds::revoke(&mut tx, id, services.clock.now()).await? {
        let detail = json!({"name": feed.name, "person_id": feed.person_id});
        let entry = caller.entry("feed.revoke", id, detail);
        finish(services, caller, tx, (), &[entry]).await?;
    }
    Ok(())
}

/// A feed of the caller's, or of somebody whom he answers for.
async fn see(
    reader: &mut Reader,
    caller: &Caller,
    action: Action,
    id: &FeedId,
) -> Result<Feed, Error> {
    let feed = feeds::find(reader, id).await?.ok_or(Error::NotFound)?;
    let own = &caller.actor.person_id;
    permit(caller, action, Subject::Person(own))?;
    if feed.person_id != *own {
        let answers = permit(caller, Action::WritePeople, Subject::Any).is_ok()
            && known::answer_for(reader, caller, &feed.person_id).await.is_ok();
        if !answers {
            return Err(Error::NotFound);
        }
    }
    Ok(feed)
}

/// What is given out under a secret address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The calendar.
    pub text: String,
    /// Tells it from any other.
    pub etag: String,
    /// Since when it is given out so.
    pub changed_at: Timestamp,
}

/// The feed that belongs to a secret, when its owner may still see a calendar.
pub async fn find(services: &Services, key: &Key) -> Result<Option<(Feed, Actor)>, Error> {
    let mut reader = services.store.read().await?;
    let Some(feed) = feeds::by_hash(&mut reader, &key.hash()).await? else { return Ok(None) };
    let person = people::find(&mut reader, &feed.person_id).await?.ok_or(Error::NotFound)?;
    let reach = if person.administrator {
        Reach::default()
    } else {
        roles::reach(&mut reader, &person.id, services.clock.now()).await?
    };
    let actor = Actor {
        person_id: person.id,
        token_id: None,
        signed_in: None,
        administrator: person.administrator,
        scopes: Scopes::Only([Scope::CalendarRead].into()),
        accounts: feed.accounts.as_ref().map(|own| own.iter().cloned().collect()),
        reach: Arc::new(reach),
    };
    let caller = Caller { actor, idempotency: None, request_id: String::new() };
    let may = permit(&caller, Action::ReadCalendar, Subject::Any).is_ok();
    Ok(may.then_some((feed, caller.actor)))
}

/// Writes a feed as its owner may see it now.
pub async fn give(services: &Services, feed: &Feed, owner: &Actor) -> Result<Given, Error> {
    let now = services.clock.now();
    let text = {
        let _turn = TURNS.acquire().await.map_err(Error::internal)?;
        let entries = gather(services, feed, owner, now).await?;
        written::calendar(services, feed, &entries)
    };
    let hash = hex::encode(Sha256::digest(text.as_bytes()));
    let etag = hash.get(..32).unwrap_or(&hash).to_owned();
    let same = feed.etag.as_ref() == Some(&etag);
    let changed_at = feed.changed_at.filter(|_| same).unwrap_or(now);
    if !same || feed.fetched_at.is_none_or(|at| now >= after(at, NOTE_EVERY)) {
        let mut tx = services.store.begin().await?;
        feeds::fetched(&mut tx, &feed.id, now, &etag, changed_at).await?;
        tx.commit().await?;
    }
    Ok(Given { text, etag, changed_at })
}

/// Everything of the feed's time, each with as much as its owner may know and the feed shows.
async fn gather(
    services: &Services,
    feed: &Feed,
    owner: &Actor,
    now: Timestamp,
) -> Result<Entries, Error> {
    let mut reader = services.store.read().await?;
    let relation = calendar::Relation::of(&mut reader, owner).await?;
    let mut entries = Entries::default();
    let of_deliveries =
        feed.account_id.is_some() || feed.platform.is_some() || feed.language.is_some();
    if feed.content != FeedContent::Events {
        for (side, first, most) in
            [(Cut::Before, First::Latest, MOST_BEHIND), (Cut::After, First::Earliest, MOST_AHEAD)]
        {
            let filter = filter(feed, owner, now, first);
            let rows = crate::store::calendar::deliveries(&mut reader, &filter, most + 1).await?;
            let shown = |unit: &UnitId| relation.to(unit, owner).max(feed.detail);
            entries.add_deliveries(rows, most, side, shown);
        }
    }
    if feed.content != FeedContent::Deliveries && !of_deliveries {
        let (from, to) = (before(now, BACK), after(now, AHEAD));
        let wanted = events::Filter { from, to, unit_id: feed.unit_id.clone(), after: None };
        let since = before(now, CANCELLED);
        let removed = events::removed(&mut reader, since, &wanted, MOST_EVENTS).await?;
        let live = events::list(&mut reader, &wanted, MOST_EVENTS + 1).await?;
        let yearly = calendar::days_of_the_year(&mut reader, &wanted).await?;
        let mut live: Vec<_> = live.into_iter().map(Occurrence::from).chain(yearly).collect();
        live.sort_by_cached_key(|one| (one.span().0, one.key.clone()));
        let removed = removed.into_iter().map(Occurrence::from).collect();
        let shown = |one: &_| calendar::event_to(one, owner).max(feed.detail);
        entries.add_events(live, removed, MOST_EVENTS, shown);
    }
    Ok(entries)
}

fn filter(feed: &Feed, owner: &Actor, now: Timestamp, first: First) -> Filter {
    let (from, to) = match first {
        First::Latest => (before(now, BACK), now),
        First::Earliest => (now, after(now, AHEAD)),
    };
    Filter {
        from,
        to,
        unit_id: feed.unit_id.clone(),
        account_id: feed.account_id.clone(),
        among: owner.accounts.as_ref().map(|own| own.iter().cloned().collect()),
        platform: feed.platform.clone(),
        language: feed.language.clone(),
        class: None,
        campaign_id: None,
        cancelled_since: Some(before(now, CANCELLED)),
        first,
        after: None,
    }
}
