//! The acts on the term base, and what it says of posts: where a translation calls something otherwise than it is
//! officially called.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::warning::Warning;
use super::{Caller, Change, Done, Error, Page, Services, Told, Window, finish, permit, posts};
use crate::domain::fault::Fault;
use crate::domain::id::{PostId, TermEntryId, UnitId};
use crate::domain::policy::{Action, Refused, Subject};
use crate::domain::role::permitted;
use crate::domain::term_base::{MOST_ENTRIES, TermEntry, TermName, folded};
use crate::domain::term_search::{TermFault, TermFinding, TermIndex, findings};
use crate::domain::text;
use crate::domain::variant::Variant;
use crate::store::{self, Reader, Tx, term_base, units};

/// An entry to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewTermEntry {
    /// Whose it is; it holds for all units below too.
    pub unit_id: UnitId,
    /// What it is called, language by language.
    pub names: Vec<TermName>,
    /// What is to be known of it.
    #[serde(default)]
    pub note: String,
    /// Whether capitals must be as they are here.
    #[serde(default)]
    pub match_case: bool,
}

/// What to change in an entry; what is not named stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct TermEntryChange {
    /// What it is called, language by language: all of it anew.
    pub names: Option<Vec<TermName>>,
    /// What is to be known of it; `null` for nothing.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub note: Change<String>,
    /// Whether capitals must be as they are here.
    pub match_case: Option<bool>,
}

/// The term bases that this process has read, by their unit: each with the stamp that it had then.
#[derive(Debug, Clone, Default)]
pub struct TermBases(Arc<Mutex<HashMap<UnitId, Stamped>>>);

/// The most letters of what is searched for.
const LONGEST_SEARCH: usize = 200;

type Stamped = (String, Arc<TermIndex>);

impl TermBases {
    fn find(&self, unit: &UnitId, stamp: &str) -> Option<Arc<TermIndex>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(unit).filter(|(had, _)| had == stamp).map(|(_, index)| index.clone())
    }

    fn keep(&self, unit: UnitId, stamp: String, index: Arc<TermIndex>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(unit, (stamp, index));
    }
}

/// The term bases that hold for a unit.
#[derive(Debug, Default)]
pub(super) struct Terms(Vec<Arc<TermIndex>>);

impl Terms {
    /// Those of a unit and of the units above it. Read from the database only where they have changed.
    pub(super) async fn of_unit(
        services: &Services,
        reader: &mut Reader,
        unit: &UnitId,
    ) -> Result<Self, Error> {
        let mut indexes = Vec::new();
        for (owner, stamp) in term_base::stamps(reader, unit).await? {
            if let Some(index) = services.term_bases.find(&owner, &stamp) {
                indexes.push(index);
                continue;
            }
            // Read after the stamp: at worst it is newer than that, and is read once more.
            let entries = term_base::of_unit(reader, &owner).await?;
            let made = tokio::task::spawn_blocking(move || TermIndex::new(&entries));
            let index = made.await.map_err(Error::internal)?.map_err(Error::internal)?;
            let index = Arc::new(index);
            services.term_bases.keep(owner, stamp, index.clone());
            indexes.push(index);
        }
        Ok(Self(indexes))
    }

    /// Those that hold for the unit of a post; none when there is no such post.
    pub(super) async fn of_post(services: &Services, id: &PostId) -> Result<Self, Error> {
        let mut reader = services.store.read().await?;
        match store::posts::find(&mut reader, id).await? {
            Some(post) => Self::of_unit(services, &mut reader, &post.unit_id).await,
            None => Ok(Self::default()),
        }
    }

    /// Whether nothing can be found by them.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is to be told of a post.
    pub(super) fn warnings(&self, source_language: &str, variants: &[Variant]) -> Vec<Warning> {
        if self.is_empty() {
            return Vec::new();
        }
        let indexes: Vec<&TermIndex> = self.0.iter().map(AsRef::as_ref).collect();
        let found = findings(&indexes, source_language, variants).into_iter();
        found.filter_map(|one| Some(warning(variants.get(one.variant)?, one))).collect()
    }
}

fn warning(variant: &Variant, found: TermFinding) -> Warning {
    let TermFinding { variant: place, pointer, entry, name, kind } = found;
    let (language, pointer) = (&variant.language, format!("/variants/{place}{pointer}"));
    let warning = match kind {
        TermFault::Missing(said) => {
            let detail = format!("the source says “{said}”: in {language} that is “{name}”");
            Warning::new(pointer, "term_missing", detail).with("said", said).with("name", name)
        }
        TermFault::Forbidden(said) => {
            let detail = format!("“{said}” is not to be said: in {language} it is “{name}”");
            Warning::new(pointer, "term_forbidden", detail).with("said", said).with("name", name)
        }
    };
    warning.with("language", language).with("term_entry_id", entry)
}

/// Enters a name with what it is called in each language.
pub async fn create(
    services: &Services,
    caller: &Caller,
    new: NewTermEntry,
) -> Result<Done<TermEntry>, Error> {
    permit(caller, Action::WriteTerms, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let mut tx = services.store.begin().await?;
    let unit = units::find(&mut tx, &new.unit_id).await?;
    let unit = unit.filter(|unit| caller.actor.sees_unit(&unit.id));
    let open = posts::open_unit(unit.as_ref(), &new.unit_id, services.clock.now());
    let unit = open.map_err(|fault| Error::Invalid(vec![fault]))?;
    permit(caller, Action::WriteTerms, Subject::Unit(&unit.id))?;
    let entry = compose(services, caller, new).settle().map_err(Error::Invalid)?;
    room(services, &mut tx, &entry.unit_id, 1).await?;
    term_base::insert(&mut tx, &entry).await?;
    let told = caller.entry("term_entry.create", &entry.id, json!({"term_entry": entry}));
    finish(services, caller, tx, entry, &[told]).await
}

/// An entry as it will be written.
pub(super) fn compose(services: &Services, caller: &Caller, new: NewTermEntry) -> TermEntry {
    let now = services.clock.now();
    TermEntry {
        id: TermEntryId::new(now, services.random()),
        unit_id: new.unit_id,
        names: new.names,
        note: new.note,
        match_case: new.match_case,
        version: 1,
        created_by: caller.actor.person_id.clone(),
        created_at: now,
        updated_at: now,
    }
}

/// Refuses more entries than a unit may have, and says that they are others now.
pub(super) async fn room(
    services: &Services,
    tx: &mut Tx,
    unit: &UnitId,
    more: i64,
) -> Result<(), Error> {
    term_base::touch(tx, unit, services.random()).await?;
    if term_base::count(tx, unit).await?.saturating_add(more) > MOST_ENTRIES {
        let detail = format!("a unit has at most {MOST_ENTRIES} entries");
        return Err(Error::Conflict(Told::new("term_base_full", detail).with("max", MOST_ENTRIES)));
    }
    Ok(())
}

/// Changes an entry from the version that the caller has seen; `None` for whatever it is now.
pub async fn change(
    services: &Services,
    caller: &Caller,
    id: &TermEntryId,
    seen: Option<i64>,
    change: TermEntryChange,
) -> Result<Done<TermEntry>, Error> {
    let mut tx = services.store.begin().await?;
    let before = see(&mut tx, caller, Action::WriteTerms, id).await?;
    if seen.is_some_and(|seen| seen != before.version) {
        return Err(Error::Stale);
    }
    let mut note = Some(before.note.clone());
    change.note.apply(&mut note);
    let entry = TermEntry {
        names: change.names.unwrap_or_else(|| before.names.clone()),
        note: note.unwrap_or_default(),
        match_case: change.match_case.unwrap_or(before.match_case),
        version: before.version + 1,
        updated_at: services.clock.now(),
        ..before.clone()
    };
    let entry = entry.settle().map_err(Error::Invalid)?;
    term_base::touch(&mut tx, &entry.unit_id, services.random()).await?;
    term_base::update(&mut tx, &entry, before.version).await?;
    let told = caller.entry("term_entry.change", id, json!({"before": before, "after": entry}));
    finish(services, caller, tx, entry, &[told]).await
}

/// Removes an entry at the version that the caller has seen.
pub async fn remove(
    services: &Services,
    caller: &Caller,
    id: &TermEntryId,
    seen: Option<i64>,
) -> Result<(), Error> {
    let mut tx = services.store.begin().await?;
    let entry = see(&mut tx, caller, Action::WriteTerms, id).await?;
    if seen.is_some_and(|seen| seen != entry.version) {
        return Err(Error::Stale);
    }
    term_base::touch(&mut tx, &entry.unit_id, services.random()).await?;
    term_base::remove(&mut tx, id, entry.version).await?;
    let told = caller.entry("term_entry.remove", id, json!({"term_entry": entry}));
    finish(services, caller, tx, json!({}), &[told]).await?;
    Ok(())
}

/// One entry.
pub async fn show(
    services: &Services,
    caller: &Caller,
    id: &TermEntryId,
) -> Result<TermEntry, Error> {
    let mut reader = services.store.read().await?;
    see(&mut reader, caller, Action::ReadPosts, id).await
}

/// Whether the caller may know of the entries of a unit: of his own, and of those above them, which hold for his too.
fn knows(caller: &Caller, unit: &UnitId) -> bool {
    caller.actor.sees_unit(unit) || caller.actor.reach.is_above(unit)
}

async fn see(
    reader: &mut Reader,
    caller: &Caller,
    action: Action,
    id: &TermEntryId,
) -> Result<TermEntry, Error> {
    permit(caller, action, Subject::Any)?;
    let entry = term_base::find(reader, id).await?.ok_or(Error::NotFound)?;
    if !knows(caller, &entry.unit_id) {
        return Err(Error::NotFound);
    }
    if action == Action::ReadPosts {
        return Ok(entry);
    }
    if !caller.actor.sees_unit(&entry.unit_id) {
        // He reads it, so nothing is told by saying what it takes.
        return Err(Refused::NeedsRole(permitted(action)).into());
    }
    permit(caller, action, Subject::Unit(&entry.unit_id))?;
    Ok(entry)
}

/// Which entries a list is to have.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this unit.
    pub unit_id: Option<UnitId>,
    /// Of this unit and of those above it.
    pub covers: Option<UnitId>,
    /// In which this stands.
    pub search: Option<String>,
}

/// A page of entries, newest first.
pub async fn list(
    services: &Services,
    caller: &Caller,
    filter: Filter,
    window: &Window,
) -> Result<Page<TermEntry>, Error> {
    permit(caller, Action::ReadPosts, Subject::Any)?;
    if filter.search.as_ref().is_some_and(|it| text::code_points(it) > LONGEST_SEARCH) {
        let detail = format!("at most {LONGEST_SEARCH} characters are searched for");
        let fault = Fault::new("?q", "too_long", detail).with("max", LONGEST_SEARCH);
        return Err(Error::Invalid(vec![fault]));
    }
    let mut reader = services.store.read().await?;
    let mut within = caller.actor.units_for(Action::ReadPosts).map(|mut own| {
        own.extend(caller.actor.reach.above().iter().cloned());
        own
    });
    let mut only = |wanted: BTreeSet<UnitId>| {
        let known =
            wanted.into_iter().filter(|it| within.as_ref().is_none_or(|own| own.contains(it)));
        within = Some(known.collect());
    };
    if let Some(unit) = filter.unit_id {
        only([unit].into());
    }
    if let Some(unit) = filter.covers {
        only(units::upwards(&mut reader, &unit).await?.into_iter().collect());
    }
    let filter = term_base::Filter {
        within,
        search: filter.search.map(|it| folded(&text::normalised(&it))),
        before: window.after_id()?,
    };
    let found = term_base::list(&mut reader, &filter, window.rows()).await?;
    Ok(window.page(found, |entry| vec![entry.id.to_string()]))
}

/// All entries of a unit, for a table of them.
pub async fn all(
    services: &Services,
    caller: &Caller,
    unit: &UnitId,
) -> Result<Vec<TermEntry>, Error> {
    permit(caller, Action::ReadPosts, Subject::Any)?;
    let mut reader = services.store.read().await?;
    if !knows(caller, unit) || units::find(&mut reader, unit).await?.is_none() {
        let fault = Fault::new("?unit_id", "unknown_reference", format!("there is no {unit}"));
        return Err(Error::Invalid(vec![fault.with("value", unit)]));
    }
    Ok(term_base::of_unit(&mut reader, unit).await?)
}
