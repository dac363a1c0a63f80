//! The acts on events: enter, change, remove, look.

use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{Caller, Change, Done, Error, Services, all_well, finish, permit, posts};
use crate::domain::event::{Event, EventKind, Visibility, When};
use crate::domain::fault::Fault;
use crate::domain::id::{EventId, UnitId};
use crate::domain::policy::{Action, Subject};
use crate::domain::unit::{Unit, UnitName};
use crate::store::{Reader, events, units};

/// An event to be entered.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewEvent {
    /// Whose it is.
    pub unit_id: UnitId,
    /// What it is called.
    pub title: UnitName,
    /// What kind it is.
    pub kind: EventKind,
    /// When it is.
    pub when: When,
    /// IANA zone in which its days begin and end; the unit's when not said.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// ISO 3166 code of the country that it concerns.
    #[serde(default)]
    pub country: Option<String>,
    /// How much of it other units see; its title when not said.
    #[serde(default)]
    pub visibility: Option<Visibility>,
    /// What its own unit should know.
    #[serde(default)]
    pub note: Option<String>,
}

/// What to change in an event; what is not named stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct EventChange {
    /// What it is called.
    pub title: Option<UnitName>,
    /// What kind it is.
    pub kind: Option<EventKind>,
    /// When it is.
    pub when: Option<When>,
    /// IANA zone in which its days begin and end.
    pub time_zone: Option<String>,
    /// The country that it concerns; `null` for none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub country: Change<String>,
    /// How much of it other units see.
    pub visibility: Option<Visibility>,
    /// What its own unit should know; `null` for nothing.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub note: Change<String>,
}

/// Enters an event.
pub async fn create(
    services: &Services,
    caller: &Caller,
    new: NewEvent,
) -> Result<Done<Event>, Error> {
    permit(caller, Action::WriteEvents, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let unit = units::find(&mut tx, &new.unit_id).await?;
    let unit = unit.filter(|unit| caller.actor.sees_unit(&unit.id));
    let open = posts::open_unit(unit.as_ref(), &new.unit_id, now);
    let unit = open.map_err(|fault| Error::Invalid(vec![fault]))?;
    permit(caller, Action::WriteEvents, Subject::Unit(&unit.id))?;
    let event = compose(services, caller, unit, new);
    all_well(event.check())?;
    events::insert(&mut tx, &event).await?;
    let entry = caller.entry("event.create", &event.id, json!({"event": event}));
    finish(services, caller, tx, event, &[entry]).await
}

/// The event as it will be written, unless something is wrong with it.
pub(super) fn compose(services: &Services, caller: &Caller, unit: &Unit, new: NewEvent) -> Event {
    let now = services.clock.now();
    Event {
        id: EventId::new(now, services.random()),
        unit_id: new.unit_id,
        title: new.title,
        kind: new.kind,
        when: new.when.settled(),
        time_zone: new.time_zone.unwrap_or_else(|| unit.time_zone.clone()),
        country: new.country,
        visibility: new.visibility.unwrap_or(Visibility::Title),
        note: new.note,
        version: 1,
        created_by: caller.actor.person_id.clone(),
        created_at: now,
        updated_at: now,
    }
}

/// Changes an event from the version that the caller has seen; `None` for whatever it is now.
pub async fn change(
    services: &Services,
    caller: &Caller,
    id: &EventId,
    seen: Option<i64>,
    change: EventChange,
) -> Result<Done<Event>, Error> {
    let mut tx = services.store.begin().await?;
    let mut event = see(&mut tx, caller, Action::WriteEvents, id).await?;
    let from = event.version;
    if seen.is_some_and(|seen| seen != from) {
        return Err(Error::Stale);
    }
    let before = event.clone();
    event.title = change.title.unwrap_or(event.title);
    event.kind = change.kind.unwrap_or(event.kind);
    event.when = change.when.map_or(event.when, When::settled);
    event.time_zone = change.time_zone.unwrap_or(event.time_zone);
    change.country.apply(&mut event.country);
    event.visibility = change.visibility.unwrap_or(event.visibility);
    change.note.apply(&mut event.note);
    event.version = from + 1;
    event.updated_at = services.clock.now();
    all_well(event.check())?;
    events::update(&mut tx, &event, from).await?;
    let entry = caller.entry("event.change", id, json!({"before": before, "after": event}));
    finish(services, caller, tx, event, &[entry]).await
}

/// Takes an event out of the calendar, at the version that the caller has seen.
pub async fn remove(
    services: &Services,
    caller: &Caller,
    id: &EventId,
    seen: Option<i64>,
) -> Result<(), Error> {
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let event = see(&mut tx, caller, Action::WriteEvents, id).await?;
    if seen.is_some_and(|seen| seen != event.version) {
        return Err(Error::Stale);
    }
    events::remove(&mut tx, id, event.version, now).await?;
    let entry = caller.entry("event.remove", id, json!({"event": event}));
    finish(services, caller, tx, json!({}), &[entry]).await?;
    Ok(())
}

/// One event of the caller's units; the calendar shows what he may know of others.
pub async fn show(services: &Services, caller: &Caller, id: &EventId) -> Result<Event, Error> {
    let mut reader = services.store.read().await?;
    see(&mut reader, caller, Action::ReadCalendar, id).await
}

async fn see(
    reader: &mut Reader,
    caller: &Caller,
    action: Action,
    id: &EventId,
) -> Result<Event, Error> {
    permit(caller, action, Subject::Any)?;
    let event = events::find(reader, id).await?.ok_or(Error::NotFound)?;
    permit(caller, action, Subject::Unit(&event.unit_id))?;
    Ok(event)
}

/// The longest time that is looked at once, in days.
const MOST_DAYS: i64 = 400;

/// Checks a time that is to be looked at.
pub(super) fn check_time(from: jiff::Timestamp, to: jiff::Timestamp) -> Result<(), Error> {
    if to <= from || to.as_second() - from.as_second() > MOST_DAYS * 86_400 {
        let detail = format!("to must lie after from, by {MOST_DAYS} days at most");
        let fault = Fault::new("?to", "bad_time_span", detail);
        return Err(Error::Invalid(vec![fault.with("max", MOST_DAYS)]));
    }
    Ok(())
}
