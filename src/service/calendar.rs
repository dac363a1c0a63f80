//! The calendar that all units share: deliveries and events of a time as one list, each with as much as its
//! reader may know.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::events::check_time;
use super::{Caller, Error, Page, Services, Window, permit};
use crate::domain::actor::Actor;
use crate::domain::class::Class;
use crate::domain::delivery::DeliveryState;
use crate::domain::event::{EventKind, Visibility, When};
use crate::domain::id::{AccountId, DeliveryId, EventId, PostId, SeriesId, UnitId};
use crate::domain::listed_day::ListedDay;
use crate::domain::policy::{Action, Subject};
use crate::domain::unit::UnitName;
use crate::domain::yearly::{Mark, Occurrence};
use crate::store::calendar::{self, Abroad, First, Planned};
use crate::store::{Reader, events};

/// One thing in the calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// When it is, or begins.
    pub at: Timestamp,
    /// When it ends, for events.
    pub until: Option<Timestamp>,
    /// Whose it is.
    pub unit_id: UnitId,
    /// How much of it is shown here.
    pub shown: Visibility,
    /// What it is called, by language; nothing where only `busy` is shown.
    pub title: BTreeMap<String, String>,
    /// The delivery, where all is shown.
    pub delivery: Option<CalendarDelivery>,
    /// The event, where all is shown.
    pub event: Option<CalendarEvent>,
}

/// A delivery in the calendar; `GET /deliveries/{id}` has the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CalendarDelivery {
    /// Which.
    pub delivery_id: DeliveryId,
    /// Of which post.
    pub post_id: PostId,
    /// To which account.
    pub account_id: AccountId,
    /// On which platform.
    pub platform: String,
    /// In which language.
    pub language: String,
    /// The post's class.
    pub class: Class,
    /// The campaign that the post belongs to.
    pub campaign_id: Option<String>,
    /// How it stands.
    pub state: DeliveryState,
    /// The series that has made it.
    pub series_id: Option<SeriesId>,
}

/// An event in the calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CalendarEvent {
    /// Which; nothing for a day that the calendar knows by itself.
    pub event_id: Option<EventId>,
    /// What kind it is.
    pub kind: EventKind,
    /// When it is, as it was said.
    pub when: When,
    /// The zone in which its days begin and end.
    pub time_zone: String,
    /// The country that it concerns.
    pub country: Option<String>,
    /// What its own unit should know; only for that one.
    pub note: Option<String>,
    /// How many years it is, for what comes each year and has begun in a known one.
    pub years: Option<i16>,
    /// Whether that is a round number.
    pub mark: Option<Mark>,
}

/// What is wanted of a time.
#[derive(Debug, Clone)]
pub struct Filter {
    /// From this instant.
    pub from: Timestamp,
    /// To before this one.
    pub to: Timestamp,
    /// Only of this unit.
    pub unit_id: Option<UnitId>,
    /// Only to this account; no events then.
    pub account_id: Option<AccountId>,
    /// Only on this platform; no events then.
    pub platform: Option<String>,
    /// Only in this language; no events then.
    pub language: Option<String>,
    /// Only of this class; no events then.
    pub class: Option<Class>,
    /// Only of this campaign's posts; no events then.
    pub campaign_id: Option<String>,
}

/// A page of the calendar, by the instant.
pub async fn list(
    services: &Services,
    caller: &Caller,
    filter: Filter,
    window: &Window,
) -> Result<Page<Entry>, Error> {
    permit(caller, Action::ReadCalendar, Subject::Any)?;
    check_time(filter.from, filter.to)?;
    let after = match window.after.as_deref() {
        None => None,
        Some([at, id]) => {
            let at: Timestamp = at.parse().map_err(|_unreadable| Window::foreign_cursor())?;
            Some((at, id.clone()))
        }
        Some(_) => return Err(Window::foreign_cursor()),
    };
    let mut reader = services.store.read().await?;
    let relation = Relation::of(&mut reader, &caller.actor).await?;
    let mut entries = deliveries(&mut reader, caller, &filter, after.clone(), window).await?;
    let only_deliveries = filter.account_id.is_some()
        || filter.platform.is_some()
        || filter.language.is_some()
        || filter.class.is_some()
        || filter.campaign_id.is_some();
    if !only_deliveries {
        let (from, to, unit_id) = (filter.from, filter.to, filter.unit_id);
        let wanted = events::Filter { from, to, unit_id, after };
        let found = events::list(&mut reader, &wanted, window.rows()).await?;
        let yearly = days_of_the_year(&mut reader, &wanted).await?;
        let found = found.into_iter().map(Occurrence::from).chain(yearly);
        entries.extend(found.map(Found::Event));
    }
    entries.sort_by_cached_key(|entry| (entry.at(), entry.id()));
    entries.truncate(usize::try_from(window.rows()).unwrap_or(usize::MAX));
    let page = window.page(entries, |entry| vec![entry.at().to_string(), entry.id()]);
    let items = page.items.into_iter().map(|found| found.shown(&relation, &caller.actor)).collect();
    Ok(Page { items, next: page.next })
}

async fn deliveries(
    reader: &mut Reader,
    caller: &Caller,
    filter: &Filter,
    after: Option<(Timestamp, String)>,
    window: &Window,
) -> Result<Vec<Found>, Error> {
    let wanted = calendar::Filter {
        from: filter.from,
        to: filter.to,
        unit_id: filter.unit_id.clone(),
        account_id: filter.account_id.clone(),
        // A token for some accounts is for a program that has no business with others.
        among: caller.actor.accounts.as_ref().map(|own| own.iter().cloned().collect()),
        platform: filter.platform.clone(),
        language: filter.language.clone(),
        class: filter.class,
        campaign_id: filter.campaign_id.clone(),
        cancelled_since: None,
        first: First::Earliest,
        after,
    };
    let found = calendar::deliveries(reader, &wanted, window.rows()).await?;
    Ok(found.into_iter().map(Found::Delivery).collect())
}

enum Found {
    Delivery(Planned),
    Event(Occurrence),
}

impl Found {
    fn at(&self) -> Timestamp {
        match self {
            Self::Delivery(one) => one.due_at,
            Self::Event(one) => one.span().0,
        }
    }

    fn id(&self) -> String {
        match self {
            Self::Delivery(one) => one.id.to_string(),
            Self::Event(one) => one.key.clone(),
        }
    }

    fn shown(self, relation: &Relation, actor: &Actor) -> Entry {
        match self {
            Self::Delivery(one) => {
                let shown = relation.to(&one.unit_id, actor);
                delivery(one, shown)
            }
            Self::Event(one) => {
                let own = actor.sees_unit(&one.unit_id);
                let shown = event_to(&one, actor);
                event(one, shown, own)
            }
        }
    }
}

/// What comes each year, in the wanted time: what was entered, and days that everybody knows of the countries in which
/// there are units. Those are entries of the oldest unit there, or of the one that is asked for.
pub(super) async fn days_of_the_year(
    reader: &mut Reader,
    wanted: &events::Filter,
) -> Result<Vec<Occurrence>, Error> {
    let mut all = Vec::new();
    for event in events::yearly(reader, wanted.unit_id.as_ref()).await? {
        if let When::Yearly(yearly) = event.when.clone() {
            all.extend(Occurrence::from(event).each_year(&yearly, wanted.from, wanted.to));
        }
    }
    let mut seen = BTreeSet::new();
    let open_on = wanted.from.to_zoned(TimeZone::UTC).date();
    for unit in calendar::countries(reader, open_on).await? {
        let asked = wanted.unit_id.as_ref().is_none_or(|it| *it == unit.id);
        if asked && seen.insert(unit.country.clone()) {
            for day in ListedDay::of(&unit.country) {
                let one = listed(day, &unit);
                all.extend(one.each_year(&day.yearly, wanted.from, wanted.to));
            }
        }
    }
    if let Some((at, key)) = &wanted.after {
        all.retain(|one| (one.span().0, &one.key) > (*at, key));
    }
    Ok(all)
}

fn listed(day: &ListedDay, unit: &Abroad) -> Occurrence {
    Occurrence {
        key: day.key(),
        event_id: None,
        unit_id: unit.id.clone(),
        title: UnitName { vi: day.title.vi.clone(), en: day.title.en.clone() },
        kind: day.kind,
        when: When::Yearly(day.yearly.clone()),
        time_zone: unit.time_zone.clone(),
        country: Some(day.country.to_owned()),
        visibility: Visibility::Whole,
        note: None,
        years: None,
        version: 1,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

/// How much an event tells somebody.
pub(super) fn event_to(event: &Occurrence, actor: &Actor) -> Visibility {
    if actor.sees_unit(&event.unit_id) { Visibility::Whole } else { event.visibility }
}

fn delivery(one: Planned, shown: Visibility) -> Entry {
    let title = match shown {
        Visibility::Busy => BTreeMap::new(),
        Visibility::Whole | Visibility::Title => [(one.source_language, one.title)].into(),
    };
    Entry {
        at: one.due_at,
        until: None,
        unit_id: one.unit_id,
        shown,
        title,
        delivery: (shown == Visibility::Whole).then_some(CalendarDelivery {
            delivery_id: one.id,
            post_id: one.post_id,
            account_id: one.account_id,
            platform: one.platform,
            language: one.language,
            class: one.class,
            campaign_id: one.campaign_id,
            state: one.state,
            series_id: one.series_id,
        }),
        event: None,
    }
}

fn event(one: Occurrence, shown: Visibility, own: bool) -> Entry {
    let (at, until) = one.span();
    let titles = [("vi".to_owned(), one.title.vi), ("en".to_owned(), one.title.en)];
    Entry {
        at,
        until: Some(until),
        unit_id: one.unit_id,
        shown,
        title: if shown == Visibility::Busy { BTreeMap::new() } else { titles.into() },
        delivery: None,
        event: (shown == Visibility::Whole).then_some(CalendarEvent {
            event_id: one.event_id,
            kind: one.kind,
            when: one.when,
            time_zone: one.time_zone,
            country: one.country,
            note: one.note.filter(|_| own),
            years: one.years,
            mark: one.years.and_then(Mark::of),
        }),
    }
}

/// How near units are to those of somebody: of the same region are those below the same unit, and those above.
pub(super) struct Relation {
    near: BTreeSet<UnitId>,
}

impl Relation {
    pub(super) async fn of(reader: &mut Reader, actor: &Actor) -> Result<Self, Error> {
        if actor.administrator {
            return Ok(Self { near: BTreeSet::new() });
        }
        let units = calendar::parents(reader).await?;
        let mine = |id: &UnitId| actor.reach.unit(id).is_some();
        let regions: BTreeSet<&UnitId> = units
            .iter()
            .filter(|(id, _)| mine(id))
            .filter_map(|(_, parent)| parent.as_ref())
            .collect();
        let sibling =
            |parent: &Option<UnitId>| parent.as_ref().is_some_and(|it| regions.contains(it));
        let near = units
            .iter()
            .filter(|(id, parent)| actor.reach.is_above(id) || sibling(parent))
            .map(|(id, _)| id.clone())
            .collect();
        Ok(Self { near })
    }

    /// How much a delivery of this unit tells him.
    pub(super) fn to(&self, unit: &UnitId, actor: &Actor) -> Visibility {
        if actor.sees_unit(unit) {
            Visibility::Whole
        } else if self.near.contains(unit) {
            Visibility::Title
        } else {
            Visibility::Busy
        }
    }
}
