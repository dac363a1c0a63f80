//! The acts on people: who may sign in, and what each is to which unit. The first administrator is made at
//! the command line of the machine itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::holds::InFlight;
use super::{
    Caller, Done, Error, Page, Services, Told, Window, all_well, finish, passwords, permit, recall,
    sessions,
};
use crate::domain::actor::{Actor, Scopes};
use crate::domain::audit::NewEntry;
use crate::domain::fault::Fault;
use crate::domain::id::{PersonId, UnitId};
use crate::domain::locale;
use crate::domain::policy::{Action, Subject};
use crate::domain::role::{Office, Role};
use crate::store::people::Person;
use crate::store::{Reader, Tx, audit, leavers, people, publishing, roles, units};

/// The longest address of mail (RFC 5321, 4.5.3.1.3).
const LONGEST_EMAIL: usize = 254;
/// The longest name.
const LONGEST_NAME: usize = 200;
/// The most roles of one person: one for each mission and more.
const MOST_ROLES: usize = 200;

/// A person to be entered.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewPerson {
    /// The address by which he is known; kept in lower case.
    pub email: String,
    /// His name.
    pub name: String,
    /// What he is to which units.
    #[serde(default)]
    pub roles: Vec<Office>,
}

/// What to change in a person; what is not named stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct PersonChange {
    /// His address.
    pub email: Option<String>,
    /// His name.
    pub name: Option<String>,
    /// All his roles from now on in units that the caller may know of: what is not listed is taken from him.
    /// What has ended stays as a record.
    pub roles: Option<Vec<Office>>,
    /// True for somebody who has left: he may not sign in any more, and his tokens die. False lets him in
    /// again; his tokens come back as far as they have not ended.
    pub disabled: Option<bool>,
}

impl PersonChange {
    /// Whether it may leave him with less than he has.
    fn takes(&self) -> bool {
        self.disabled == Some(true) || self.roles.is_some()
    }
}

/// A person as people see him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonView {
    /// His id.
    pub id: PersonId,
    /// His address.
    pub email: String,
    /// His name.
    pub name: String,
    /// True for one who may everything, which only the command line of the machine makes of somebody.
    pub administrator: bool,
    /// What he is to which units, and to all below them, in units that the caller may know of; also what has
    /// ended.
    pub roles: Vec<Office>,
    /// Since when he may not sign in any more.
    pub disabled_at: Option<Timestamp>,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// When he was entered.
    pub created_at: Timestamp,
    /// When that was changed last.
    pub updated_at: Timestamp,
}

/// A person as he is after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonChanged {
    /// The person.
    #[serde(flatten)]
    pub person: PersonView,
    /// Where he may schedule less than before: what he had scheduled there that had begun to leave by then. Nothing
    /// else of it goes out before somebody who may schedule there says so.
    #[serde(default)]
    pub in_flight: Vec<InFlight>,
}

impl PersonView {
    /// With the roles that are the caller's to know of.
    fn new(caller: &Caller, person: Person, mut roles: Vec<Office>) -> Self {
        if person.id != caller.actor.person_id {
            roles.retain(|office| caller.actor.sees_unit(&office.unit_id));
        }
        Self {
            id: person.id,
            email: person.email,
            name: person.name,
            administrator: person.administrator,
            roles,
            disabled_at: person.disabled_at,
            version: person.version,
            created_at: person.created_at,
            updated_at: person.updated_at,
        }
    }
}

/// Enters an administrator. Whoever may run commands on the machine may do this.
pub async fn create_administrator(
    services: &Services,
    email: &str,
    name: &str,
    password: Option<SecretString>,
) -> Result<PersonId, Error> {
    let email = email.trim().to_lowercase();
    let mut faults = Vec::new();
    check_email(&email, &mut faults);
    locale::check_line("/name", name, LONGEST_NAME, &mut faults);
    if let Some(password) = &password {
        faults.extend(passwords::check(password, &[&email, name]).await?);
    }
    all_well(faults)?;
    let hash = match &password {
        Some(password) => Some(passwords::hash(password).await?),
        None => None,
    };
    let now = services.clock.now();
    let person = Person {
        id: PersonId::new(now, services.random()),
        email,
        name: name.trim().to_owned(),
        administrator: true,
        disabled_at: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let entry = NewEntry {
        actor: "console".to_owned(),
        action: "person.create".to_owned(),
        subject: person.id.to_string(),
        detail: json!({"administrator": true}),
    };
    let mut tx = services.store.begin().await?;
    people::insert(&mut tx, &person, hash.as_deref()).await?;
    audit::append(&mut tx, &[entry], now);
    tx.conclude().await?;
    Ok(person.id)
}

/// Somebody at the command line of the machine, acting as this person.
pub async fn at_the_console(services: &Services, email: &str) -> Result<Actor, Error> {
    let email = email.trim().to_lowercase();
    let mut reader = services.store.read().await?;
    let person = people::by_email(&mut reader, &email).await?;
    let person = person.filter(|person| person.disabled_at.is_none()).ok_or(Error::NotFound)?;
    let reach = roles::reach(&mut reader, &person.id, services.clock.now()).await?;
    Ok(Actor {
        reach: Arc::new(reach),
        person_id: person.id,
        token_id: None,
        signed_in: None,
        administrator: person.administrator,
        scopes: Scopes::All,
        accounts: None,
    })
}

/// Enters a person. Whoever does so gives roles only where he is an administrator himself.
pub async fn create(
    services: &Services,
    caller: &Caller,
    new: NewPerson,
) -> Result<Done<PersonView>, Error> {
    permit(caller, Action::WritePeople, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    sessions::fresh(caller, now)?;
    let mut person = Person {
        id: PersonId::new(now, services.random()),
        email: String::new(),
        name: String::new(),
        administrator: false,
        disabled_at: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let change =
        PersonChange { email: Some(new.email), name: Some(new.name), ..PersonChange::default() };
    let mut faults = apply(&mut person, change, now);
    let mut tx = services.store.begin().await?;
    let (given, wrong) = settle(&mut tx, caller, new.roles, now).await?;
    faults.extend(wrong);
    if given.is_empty() && !caller.actor.administrator {
        // Somebody without a role would be nobody's to see.
        faults.push(Fault::new("/roles", "blank", "must not be empty"));
    }
    all_well(faults)?;
    people::insert(&mut tx, &person, None).await.map_err(|error| taken(error, &person))?;
    move_roles(&mut tx, caller, &person.id, (&[], &given), now).await?;
    let detail = json!({"email": person.email, "roles": given});
    let entry = caller.entry("person.create", &person.id, detail);
    finish(services, caller, tx, PersonView::new(caller, person, given), &[entry]).await
}

/// Changes a person from the version that the caller has seen; `None` for whatever it is now.
pub async fn change(
    services: &Services,
    caller: &Caller,
    id: &PersonId,
    seen: Option<i64>,
    change: PersonChange,
) -> Result<Done<PersonChanged>, Error> {
    permit(caller, Action::WritePeople, Subject::Any)?;
    let takes = change.takes();
    let mut done = write(services, caller, (id, seen), change).await?;
    services.forget_bearers();
    if takes {
        done.value.in_flight = take_back(services, caller, id).await?;
    }
    Ok(done)
}

async fn write(
    services: &Services,
    caller: &Caller,
    (id, seen): (&PersonId, Option<i64>),
    change: PersonChange,
) -> Result<Done<PersonChanged>, Error> {
    let now = services.clock.now();
    if change.roles.is_some() || change.disabled.is_some() {
        sessions::fresh(caller, now)?;
    }
    // Before anybody waits for it.
    see(&mut services.store.read().await?, caller, id).await?;
    let mut tx = services.store.begin().await?;
    if change.takes() {
        // What a guard that is open lets pass must be there to be taken back before the answer.
        publishing::stand_still(&mut tx).await?;
    }
    let (mut person, had) = see(&mut tx, caller, id).await?;
    let from = person.version;
    if seen.is_some_and(|seen| seen != from) {
        return Err(Error::Stale);
    }
    let personal = change.email.is_some() || change.name.is_some() || change.disabled.is_some();
    if personal {
        answers_for(caller, &person, &had)?;
    }
    if change.disabled == Some(false) && person.disabled_at.is_some() {
        // Who has shut him out may have reasons that a unit does not know.
        permit(caller, Action::WritePeople, Subject::Everything)?;
    }
    let wanted = change.roles.clone();
    let mut faults = apply(&mut person, change, now);
    let has = match wanted {
        None => had.clone(),
        Some(wanted) => {
            let (mut has, new) = untouched(caller, &had, wanted, now);
            let (given, wrong) = settle(&mut tx, caller, new, now).await?;
            faults.extend(wrong);
            has.retain(|one| !given.iter().any(|other| same(one, other)));
            has.extend(given);
            has.sort();
            has
        }
    };
    all_well(faults)?;
    move_roles(&mut tx, caller, id, (&had, &has), now).await?;
    person.version = from + 1;
    person.updated_at = now;
    people::update(&mut tx, &person, from).await.map_err(|error| taken(error, &person))?;
    if person.disabled_at.is_some() {
        sessions::end_all(&mut tx, id, now).await?;
    } else if had != has {
        // A link that was made for somebody who might less is not to be used for more.
        sessions::void_links(&mut tx, id, now).await?;
    }
    if people::administrators(&mut tx).await? == 0 {
        let detail = "nobody would be left who may everything";
        return Err(Error::Conflict(Told::new("last_administrator", detail)));
    }
    let detail = json!({
        "email": person.email, "name": person.name, "disabled_at": person.disabled_at,
        "before": had, "after": has,
    });
    let entry = caller.entry("person.change", id, detail);
    let person = PersonView::new(caller, person, has);
    let changed = PersonChanged { person, in_flight: Vec::new() };
    finish(services, caller, tx, changed, &[entry]).await
}

/// Takes back what is guarded of somebody who may not schedule there any more and has not left, and tells what
/// had left before. That he may not must be committed: nothing of it is guarded any more.
async fn take_back(
    services: &Services,
    caller: &Caller,
    id: &PersonId,
) -> Result<Vec<InFlight>, Error> {
    let now = services.clock.now();
    let guarded = leavers::guarded(&mut services.store.read().await?, id, now).await?;
    let mut in_flight = recall::stop(services, guarded).await?;
    in_flight.retain(|one| caller.actor.sees(&one.account_id));
    Ok(in_flight)
}

/// One person.
pub async fn show(
    services: &Services,
    caller: &Caller,
    id: &PersonId,
) -> Result<PersonView, Error> {
    permit(caller, Action::ReadPeople, mine_or_any(caller, id))?;
    let mut reader = services.store.read().await?;
    let (person, roles) = see(&mut reader, caller, id).await?;
    Ok(PersonView::new(caller, person, roles))
}

/// A page of the people that the caller may know of: those of his units, and himself.
pub async fn list(
    services: &Services,
    caller: &Caller,
    window: &Window,
) -> Result<Page<PersonView>, Error> {
    permit(caller, Action::ReadPeople, Subject::Any)?;
    let after: Option<PersonId> = window.after_id()?;
    let within = caller.actor.units_for(Action::ReadPeople);
    let mut reader = services.store.read().await?;
    let (within, asker) = (within.as_ref(), &caller.actor.person_id);
    let found = people::list(&mut reader, after.as_ref(), within, asker, window.rows()).await?;
    let page = window.page(found, |person| vec![person.id.to_string()]);
    let ids: Vec<&PersonId> = page.items.iter().map(|person| &person.id).collect();
    let mut held = roles::of_people(&mut reader, &ids).await?;
    let view = |person: Person| {
        let roles = held.remove(&person.id).unwrap_or_default();
        PersonView::new(caller, person, roles)
    };
    Ok(Page { items: page.items.into_iter().map(view).collect(), next: page.next })
}

fn mine_or_any<'a>(caller: &Caller, id: &'a PersonId) -> Subject<'a> {
    if *id == caller.actor.person_id { Subject::Person(id) } else { Subject::Any }
}

/// The person with his roles, when he is the caller's to know of.
async fn see(
    reader: &mut Reader,
    caller: &Caller,
    id: &PersonId,
) -> Result<(Person, Vec<Office>), Error> {
    let person = people::find(reader, id).await?.ok_or(Error::NotFound)?;
    let roles = roles::of_people(reader, &[id]).await?.remove(id).unwrap_or_default();
    let known = caller.actor.administrator
        || *id == caller.actor.person_id
        || roles.iter().any(|office| caller.actor.sees_unit(&office.unit_id));
    if known { Ok((person, roles)) } else { Err(Error::NotFound) }
}

/// The person, when the caller may change him himself.
pub(super) async fn answer_for(
    reader: &mut Reader,
    caller: &Caller,
    id: &PersonId,
) -> Result<Person, Error> {
    let (person, had) = see(reader, caller, id).await?;
    answers_for(caller, &person, &had)?;
    Ok(person)
}

/// Who changes a person himself must be an administrator wherever he has a role.
fn answers_for(caller: &Caller, person: &Person, had: &[Office]) -> Result<(), Error> {
    if person.administrator || had.is_empty() {
        permit(caller, Action::WritePeople, Subject::Everything)?;
    }
    for office in had {
        permit(caller, Action::WritePeople, own(caller, &office.unit_id))?;
    }
    Ok(())
}

/// A unit that the caller may not know of concerns everybody to him.
fn own<'a>(caller: &Caller, unit: &'a UnitId) -> Subject<'a> {
    if caller.actor.sees_unit(unit) { Subject::Unit(unit) } else { Subject::Everything }
}

fn apply(person: &mut Person, change: PersonChange, now: Timestamp) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(email) = change.email {
        person.email = email.trim().to_lowercase();
        check_email(&person.email, &mut faults);
    }
    if let Some(name) = change.name {
        locale::check_line("/name", &name, LONGEST_NAME, &mut faults);
        name.trim().clone_into(&mut person.name);
    }
    match change.disabled {
        Some(true) => person.disabled_at = person.disabled_at.or(Some(now)),
        Some(false) => person.disabled_at = None,
        None => {}
    }
    faults
}

/// The roles as they are to be, each once, and everything that is wrong with them.
async fn settle(
    tx: &mut Tx,
    caller: &Caller,
    wanted: Vec<Office>,
    now: Timestamp,
) -> Result<(Vec<Office>, Vec<Fault>), Error> {
    let (mut faults, mut seen, mut settled) = (Vec::new(), BTreeSet::new(), Vec::new());
    if wanted.len() > MOST_ROLES {
        let detail = format!("{MOST_ROLES} roles are the most; give one on a unit above");
        faults.push(Fault::new("/roles", "too_many", detail).with("max", MOST_ROLES));
        return Ok((settled, faults));
    }
    for (place, office) in wanted.into_iter().enumerate() {
        let pointer = |field: &str| format!("/roles/{place}/{field}");
        let known = caller.actor.sees_unit(&office.unit_id)
            && units::find(tx, &office.unit_id).await?.is_some();
        if !known {
            let detail = format!("there is no unit {}", office.unit_id);
            let fault = Fault::new(pointer("unit_id"), "unknown_reference", detail);
            faults.push(fault.with("value", &office.unit_id));
        }
        if office.ends_at.is_some_and(|end| end <= now) {
            let detail = "the role would have ended already";
            faults.push(Fault::new(pointer("ends_at"), "role_over", detail));
        }
        if seen.insert((office.unit_id.clone(), office.role)) {
            let ends_at = office.ends_at.map(crate::clock::whole_millis);
            settled.push(Office { ends_at, ..office });
        } else {
            let detail = "this role in this unit is listed twice";
            let fault = Fault::new(format!("/roles/{place}"), "repeated", detail);
            faults.push(fault.with("value", office.role));
        }
    }
    settled.sort();
    Ok((settled, faults))
}

fn same(one: &Office, other: &Office) -> bool {
    (&one.unit_id, one.role) == (&other.unit_id, other.role)
}

/// What stays of the roles that somebody has, whatever is wanted: what has ended, what is not the caller's to
/// know of, and what is wanted as it is; and what is wanted besides.
fn untouched(
    caller: &Caller,
    had: &[Office],
    wanted: Vec<Office>,
    now: Timestamp,
) -> (Vec<Office>, Vec<Office>) {
    let over = |office: &Office| office.ends_at.is_some_and(|end| end <= now);
    let stays = |office: &&Office| {
        over(office) || !caller.actor.sees_unit(&office.unit_id) || wanted.contains(office)
    };
    let has: Vec<Office> = had.iter().filter(stays).cloned().collect();
    let new = wanted.into_iter().filter(|office| !had.contains(office)).collect();
    (has, new)
}

/// Gives and takes what is new and what is gone; each needs an administrator of its unit.
async fn move_roles(
    tx: &mut Tx,
    caller: &Caller,
    id: &PersonId,
    (had, has): (&[Office], &[Office]),
    now: Timestamp,
) -> Result<(), Error> {
    for office in has.iter().filter(|office| !had.contains(office)) {
        may_give(tx, caller, office, now).await?;
        roles::give(tx, id, office, &caller.actor.person_id, now).await?;
    }
    for office in had.iter().filter(|office| !has.iter().any(|it| same(it, office))) {
        permit(caller, Action::WritePeople, own(caller, &office.unit_id))?;
        roles::take(tx, id, office).await?;
    }
    Ok(())
}

/// Nobody gives more than he has: not where he is no administrator now, and not for longer than he is one.
async fn may_give(
    tx: &mut Tx,
    caller: &Caller,
    office: &Office,
    now: Timestamp,
) -> Result<(), Error> {
    permit(caller, Action::WritePeople, own(caller, &office.unit_id))?;
    if caller.actor.administrator {
        return Ok(());
    }
    let me = &caller.actor.person_id;
    let mine = roles::of_people(tx, &[me]).await?.remove(me).unwrap_or_default();
    let above = units::above(tx, &office.unit_id).await?;
    let covers = |own: &Office| {
        own.role == Role::Administrator
            && above.contains(&own.unit_id)
            && own
                .ends_at
                .is_none_or(|end| end > now && office.ends_at.is_some_and(|given| given <= end))
    };
    if mine.iter().any(covers) {
        return Ok(());
    }
    let detail =
        "a role cannot be given for longer than one is an administrator of its unit oneself";
    Err(Error::Forbidden(Told::new("role_beyond_own", detail)))
}

fn taken(error: crate::store::Error, person: &Person) -> Error {
    if let crate::store::Error::Conflict("people_email_key") = error {
        let detail = format!("somebody with the address {} is entered already", person.email);
        return Error::Conflict(Told::new("person_exists", detail).with("email", &person.email));
    }
    error.into()
}

/// Whether a text can be an address, in lower case.
pub(super) fn is_address(email: &str) -> bool {
    let mut faults = Vec::new();
    check_email(email, &mut faults);
    faults.is_empty()
}

fn check_email(email: &str, faults: &mut Vec<Fault>) {
    let parts = email.split_once('@');
    let well_formed = parts.is_some_and(|(user, host)| {
        !user.is_empty() && host.contains('.') && !host.contains('@') && !host.starts_with('.')
    });
    let plain = !email.chars().any(|c| c.is_whitespace() || c.is_control());
    if !well_formed || !plain || email.len() > LONGEST_EMAIL {
        faults.push(Fault::new("/email", "email", "not an address such as an.nguyen@mofa.example"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked() {
        for good in ["an.nguyen@mofa.gov.vn", "a+b@x.example"] {
            let mut faults = Vec::new();
            check_email(good, &mut faults);
            assert!(faults.is_empty(), "{good}");
        }
        for bad in ["", "an", "an@", "@mofa.gov.vn", "an@mofa", "a n@mofa.vn", "an@x@mofa.vn"] {
            let mut faults = Vec::new();
            check_email(bad, &mut faults);
            assert_eq!(faults.len(), 1, "{bad}");
        }
    }
}
