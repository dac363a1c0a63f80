//! The acts on units: enter, change, look.

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    Caller, Change, Done, Error, Page, Services, Window, all_well, finish, permit, sessions,
};
use crate::domain::fault::Fault;
use crate::domain::id::UnitId;
use crate::domain::policy::{Action, Subject};
use crate::domain::unit::{Approval, Unit, UnitKind, UnitName, check_place};
use crate::store::{Tx, units};

/// A unit to be entered.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewUnit {
    /// Its name.
    pub name: UnitName,
    /// What it is.
    pub kind: UnitKind,
    /// The unit it belongs to.
    #[serde(default)]
    pub parent_id: Option<UnitId>,
    /// ISO 3166 code of the country where it works.
    #[serde(default)]
    pub country: Option<String>,
    /// IANA zone of its working day.
    pub time_zone: String,
    /// Languages it publishes in.
    pub languages: Vec<String>,
    /// How many people other than the author must approve; one when not said.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// First day.
    #[serde(default)]
    pub opened_on: Option<Date>,
    /// First day on which it no longer works.
    #[serde(default)]
    pub closed_on: Option<Date>,
}

/// What to change in a unit; what is not named stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct UnitChange {
    /// Its name.
    pub name: Option<UnitName>,
    /// What it is.
    pub kind: Option<UnitKind>,
    /// The unit it belongs to; `null` puts it at the top.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub parent_id: Change<UnitId>,
    /// The country where it works; `null` for none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub country: Change<String>,
    /// IANA zone of its working day.
    pub time_zone: Option<String>,
    /// Languages it publishes in.
    pub languages: Option<Vec<String>>,
    /// How many people other than the author must approve.
    pub approval: Option<Approval>,
    /// First day; `null` for none.
    #[serde(default)]
    #[schema(value_type = Option<Date>)]
    pub opened_on: Change<Date>,
    /// First day on which it no longer works; `null` for none.
    #[serde(default)]
    #[schema(value_type = Option<Date>)]
    pub closed_on: Change<Date>,
}

/// Enters a unit.
pub async fn create(
    services: &Services,
    caller: &Caller,
    new: NewUnit,
) -> Result<Done<Unit>, Error> {
    let parent = named(caller, new.parent_id.as_ref())?;
    permit(caller, Action::WriteUnits, place(parent))?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let unit = Unit {
        id: UnitId::new(now, services.random()),
        name: new.name,
        kind: new.kind,
        parent_id: new.parent_id,
        country: new.country,
        time_zone: new.time_zone,
        languages: new.languages,
        approval: new.approval.unwrap_or(Approval::One),
        opened_on: new.opened_on,
        closed_on: new.closed_on,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let mut tx = services.store.begin().await?;
    check(&mut tx, &unit).await?;
    units::insert(&mut tx, &unit).await?;
    let entry = caller.entry("unit.create", &unit.id, json!({"name": unit.name}));
    let done = finish(services, caller, tx, unit, &[entry]).await?;
    services.forget_bearers();
    Ok(done)
}

/// Changes a unit from the version that the caller has seen; `None` for whatever it is now.
pub async fn change(
    services: &Services,
    caller: &Caller,
    id: &UnitId,
    seen: Option<i64>,
    change: UnitChange,
) -> Result<Done<Unit>, Error> {
    permit(caller, Action::WriteUnits, Subject::Unit(id))?;
    if change.approval.is_some() {
        sessions::fresh(caller, services.clock.now())?;
    }
    let mut tx = services.store.begin().await?;
    let mut unit = units::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let from = unit.version;
    if seen.is_some_and(|seen| seen != from) {
        return Err(Error::Stale);
    }
    let (was, wanted) = (unit.parent_id.clone(), unit.approval.needed());
    let before = serde_json::to_value(&unit).map_err(Error::internal)?;
    apply(&mut unit, change);
    if unit.parent_id != was {
        // Whoever moves it answers for both places.
        permit(caller, Action::WriteUnits, place(was.as_ref()))?;
        let parent = named(caller, unit.parent_id.as_ref())?;
        permit(caller, Action::WriteUnits, place(parent))?;
    }
    if unit.approval.needed() < wanted {
        // Nobody frees himself from those who must agree.
        permit(caller, Action::WriteUnits, place(unit.parent_id.as_ref()))?;
    }
    unit.version = from + 1;
    unit.updated_at = services.clock.now();
    check(&mut tx, &unit).await?;
    units::update(&mut tx, &unit, from).await?;
    let entry = caller.entry("unit.change", id, json!({"before": before, "after": unit}));
    let done = finish(services, caller, tx, unit, &[entry]).await?;
    services.forget_bearers();
    Ok(done)
}

/// The unit above, unless the caller may not name it: then it is as if it were not there.
fn named<'a>(caller: &Caller, parent: Option<&'a UnitId>) -> Result<Option<&'a UnitId>, Error> {
    match parent {
        Some(parent) if !caller.actor.sees_unit(parent) => {
            let detail = format!("there is no unit {parent}");
            let fault = Fault::new("/parent_id", "unknown_reference", detail);
            Err(Error::Invalid(vec![fault.with("value", parent)]))
        }
        named => Ok(named),
    }
}

/// Where a unit is entered: below another, or at the top, which is everybody's.
fn place(parent: Option<&UnitId>) -> Subject<'_> {
    parent.map_or(Subject::Everything, Subject::Unit)
}

fn apply(unit: &mut Unit, change: UnitChange) {
    unit.name = change.name.unwrap_or_else(|| unit.name.clone());
    unit.kind = change.kind.unwrap_or(unit.kind);
    change.parent_id.apply(&mut unit.parent_id);
    change.country.apply(&mut unit.country);
    unit.time_zone = change.time_zone.unwrap_or_else(|| unit.time_zone.clone());
    unit.languages = change.languages.unwrap_or_else(|| unit.languages.clone());
    unit.approval = change.approval.unwrap_or(unit.approval);
    change.opened_on.apply(&mut unit.opened_on);
    change.closed_on.apply(&mut unit.closed_on);
}

async fn check(tx: &mut Tx, unit: &Unit) -> Result<(), Error> {
    let mut faults = unit.check();
    if let Some(parent) = &unit.parent_id {
        let above = units::above(tx, parent).await?;
        faults.extend(check_place(unit, &above));
    }
    all_well(faults)
}

/// One unit.
pub async fn show(services: &Services, caller: &Caller, id: &UnitId) -> Result<Unit, Error> {
    permit(caller, Action::ReadUnits, Subject::Any)?;
    let mut reader = services.store.read().await?;
    units::find(&mut reader, id).await?.ok_or(Error::NotFound)
}

/// A page of units; those right below `parent` when it is given.
pub async fn list(
    services: &Services,
    caller: &Caller,
    parent: Option<&UnitId>,
    window: &Window,
) -> Result<Page<Unit>, Error> {
    permit(caller, Action::ReadUnits, Subject::Any)?;
    let after: Option<UnitId> = window.after_id()?;
    let mut reader = services.store.read().await?;
    let rows = units::list(&mut reader, after.as_ref(), parent, window.rows()).await?;
    Ok(window.page(rows, |unit| vec![unit.id.to_string()]))
}
