//! The acts on accounts: connect, change, check, remove. The platform itself says whose a
//! credential is, before it is accepted.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::ownership::{self, NewCredential};
use super::{
    Caller, Done, Error, Page, Services, Told, Window, all_well, finish, permit, recall, sessions,
};
use crate::domain::account::{Account, AccountStatus, Health};
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, PersonId, UnitId};
use crate::domain::policy::{Action, Subject};
use crate::domain::work;
use crate::platforms::outcome::OwnerError;
use crate::store::accounts::{self, Filter};
use crate::store::jobs::{self, NewJob};
use crate::store::{self, Reader, Tx, credentials, held, publishing, units};
use crate::vault::{Binding, Sealed};

/// An account to be connected.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewAccount {
    /// The unit that answers for it.
    pub unit_id: UnitId,
    /// The platform's id, as in `GET /platforms`.
    pub platform: String,
    /// The platform's id of the page or profile.
    pub remote_id: String,
    /// The name shown in the desk; the platform's own when not said.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Languages it publishes in; the unit's when not said.
    #[serde(default)]
    pub languages: Option<Vec<String>>,
    /// IANA zone of its readers; the unit's when not said.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// The credential; never shown again.
    pub credential: NewCredential,
}

/// What to change in an account; what is not named stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct AccountChange {
    /// The unit that answers for it.
    pub unit_id: Option<UnitId>,
    /// The name shown in the desk.
    pub display_name: Option<String>,
    /// Languages it publishes in.
    pub languages: Option<Vec<String>>,
    /// IANA zone of its readers.
    pub time_zone: Option<String>,
    /// `paused` stops publishing, `connected` goes on; people set no other.
    pub status: Option<AccountStatus>,
    /// A new credential in the place of the old one.
    pub credential: Option<NewCredential>,
}

/// Connects an account.
pub async fn create(
    services: &Services,
    caller: &Caller,
    new: NewAccount,
) -> Result<Done<Account>, Error> {
    permit(caller, Action::WriteAccounts, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    sessions::fresh(caller, services.clock.now())?;
    let (mut account, credential) = draft(services, caller, new).await?;
    let credential = ownership::settle(services, &account, credential).await?;
    let owner = ownership::prove(services, &account, &credential).await?;
    let now = services.clock.now();
    if account.display_name.is_empty() {
        account.display_name.clone_from(&owner.name);
    }
    account.handle.clone_from(&owner.handle);
    account.health = ownership::healthy(&account.health, owner, now);
    all_well(account.check())?;
    let mut tx = services.store.begin().await?;
    check_unit(&mut tx, &account, now).await?;
    accounts::insert(&mut tx, &account).await.map_err(|error| taken(error, &account))?;
    ownership::keep(services, &mut tx, &account, &credential, 1).await?;
    let detail = json!({
        "platform": account.platform, "remote_id": account.remote_id, "unit_id": account.unit_id,
    });
    let entry = caller.entry("account.create", &account.id, detail);
    let done = finish(services, caller, tx, account, &[entry]).await?;
    services.forget_bearers();
    Ok(done)
}

async fn draft(
    services: &Services,
    caller: &Caller,
    new: NewAccount,
) -> Result<(Account, NewCredential), Error> {
    let now = services.clock.now();
    let mut reader = services.store.read().await?;
    let mut faults = Vec::new();
    let unit = units::find(&mut reader, &new.unit_id).await?;
    let unit = unit.filter(|unit| caller.actor.sees_unit(&unit.id));
    if unit.is_none() {
        faults.push(unknown_unit(&new.unit_id));
    } else {
        permit(caller, Action::WriteAccounts, Subject::Unit(&new.unit_id))?;
    }
    if services.platforms.get(&new.platform).is_none() {
        faults.push(unknown_platform(&new.platform));
    }
    let languages = new.languages.or_else(|| unit.as_ref().map(|it| it.languages.clone()));
    let time_zone = new.time_zone.or_else(|| unit.as_ref().map(|it| it.time_zone.clone()));
    let named = new.display_name.is_some();
    let mut account = Account {
        id: AccountId::new(now, services.random()),
        unit_id: new.unit_id,
        platform: new.platform,
        remote_id: new.remote_id,
        display_name: new.display_name.unwrap_or_else(|| "the platform's own".to_owned()),
        handle: None,
        languages: languages.unwrap_or_else(|| vec!["vi".to_owned()]),
        time_zone: time_zone.unwrap_or_else(|| "UTC".to_owned()),
        status: AccountStatus::Connected,
        health: Health::default(),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    faults.extend(account.check());
    faults.extend(new.credential.check(now));
    all_well(faults)?;
    if !named {
        account.display_name.clear();
    }
    Ok((account, new.credential))
}

pub(super) fn unknown_platform(name: &str) -> Fault {
    let value = crate::domain::locale::quoted(name);
    let detail = format!("there is no platform {value}; see GET /api/v1/platforms");
    Fault::new("/platform", "unknown_platform", detail).with("value", value)
}

pub(super) fn unknown_unit(id: &UnitId) -> Fault {
    Fault::new("/unit_id", "unknown_reference", format!("there is no unit {id}")).with("value", id)
}

async fn check_unit(reader: &mut Reader, account: &Account, now: Timestamp) -> Result<(), Error> {
    match units::find(reader, &account.unit_id).await? {
        None => Err(Error::Invalid(vec![unknown_unit(&account.unit_id)])),
        Some(unit) if unit.is_closed(now) => {
            Err(Error::fault("/unit_id", "unit_closed", "the unit has closed"))
        }
        Some(_) => Ok(()),
    }
}

pub(super) fn taken(error: store::Error, account: &Account) -> Error {
    if !matches!(error, store::Error::Conflict("accounts_remote_key")) {
        return error.into();
    }
    Error::Conflict(
        Told::new("account_exists", "this account of the platform is already entered")
            .member("platform", account.platform.as_str())
            .member("remote_id", account.remote_id.as_str()),
    )
}

/// Changes an account from the version that the caller has seen.
pub async fn change(
    services: &Services,
    caller: &Caller,
    id: &AccountId,
    seen: Option<i64>,
    mut change: AccountChange,
) -> Result<Done<Account>, Error> {
    permit(caller, Action::WriteAccounts, Subject::Account(id))?;
    let now = services.clock.now();
    let mut account = seen_version(&mut services.store.read().await?, id, seen).await?;
    let from = account.version;
    let before = account.clone();
    let moved = change.unit_id.as_ref().is_some_and(|unit| *unit != account.unit_id);
    let mut faults = apply(&mut account, &change);
    if moved && !caller.actor.sees_unit(&account.unit_id) {
        faults.push(unknown_unit(&account.unit_id));
    } else if moved {
        permit(caller, Action::WriteAccounts, Subject::Unit(&account.unit_id))?;
    }
    if let Some(credential) = &change.credential {
        sessions::fresh(caller, now)?;
        faults.extend(credential.check(now));
    }
    all_well(faults)?;
    if let Some(credential) = change.credential.take() {
        change.credential = Some(ownership::settle(services, &account, credential).await?);
    }
    if let Some(credential) = &change.credential {
        let owner = ownership::prove(services, &account, credential).await?;
        account.handle.clone_from(&owner.handle);
        account.health = ownership::healthy_anew(&account.health, owner, now);
        if change.status.is_none() {
            account.status = AccountStatus::Connected;
        }
    }
    account.health.paused_by = pauser(&account, &change, caller);
    account.version = from + 1;
    account.updated_at = now;
    let mut tx = services.store.begin().await?;
    if account.status != AccountStatus::Connected {
        // A guard that is open has seen the account connected: what it guards must be there to be
        // taken back before the answer.
        publishing::stand_still(&mut tx).await?;
    }
    if moved {
        accounts::lock(&mut tx, id).await?;
        check_unit(&mut tx, &account, now).await?;
        nothing_waits(&mut tx, id).await?;
    }
    accounts::update(&mut tx, &account, from).await?;
    if let Some(credential) = &change.credential {
        let old = credentials::find(&mut tx, id).await?.map_or(0, |old| old.version);
        ownership::keep(services, &mut tx, &account, credential, old + 1).await?;
    }
    let fit_again = before.status != AccountStatus::Connected || change.credential.is_some();
    let released =
        if fit_again { release(&mut tx, &account, now).await? } else { Released::default() };
    let detail = json!({
        "before": before, "after": account, "credential_replaced": change.credential.is_some(),
        "released": released.jobs.len(),
    });
    let entry = caller.entry("account.change", id, detail);
    let done = finish(services, caller, tx, account, &[entry]).await?;
    services.forget_bearers();
    released.announce(services);
    take_back(services, &done.value).await?;
    Ok(done)
}

/// Who has switched the account off, after a change.
fn pauser(account: &Account, change: &AccountChange, caller: &Caller) -> Option<PersonId> {
    match (account.status, change.status) {
        (AccountStatus::Paused, Some(_)) => Some(caller.actor.person_id.clone()),
        (AccountStatus::Paused, None) => account.health.paused_by.clone(),
        (
            AccountStatus::Connected | AccountStatus::NeedsReconnect | AccountStatus::Revoked,
            Some(_) | None,
        ) => None,
    }
}

/// An account that may not publish: what is guarded and has not left is taken back, so that nothing
/// starts any more once the answer is given.
async fn take_back(services: &Services, account: &Account) -> Result<(), Error> {
    if account.status == AccountStatus::Connected {
        return Ok(());
    }
    let guarded = held::publishing(&mut services.store.read().await?, &account.id).await?;
    for delivery in guarded {
        // What is leaving has started before the answer.
        let _back = recall::take_back(services, &delivery).await?;
    }
    Ok(())
}

/// What goes on because an account can publish again.
#[derive(Debug, Default)]
pub(super) struct Released {
    /// Deliveries.
    pub(super) jobs: Vec<NewJob>,
    /// Something waits to be deleted on it.
    recalls: bool,
}

impl Released {
    /// After the commit.
    pub(super) fn announce(&self, services: &Services) {
        services.queue.announce(&self.jobs);
        if self.recalls {
            services.queue.look_again();
        }
    }
}

/// Lets held deliveries go on when their account can publish, and what waits to be deleted on it. What
/// something else holds is held again by the guard.
pub(super) async fn release(
    tx: &mut Tx,
    account: &Account,
    now: Timestamp,
) -> Result<Released, Error> {
    if account.status != AccountStatus::Connected {
        return Ok(Released::default());
    }
    let slot = work::slot(&account.platform, &account.id);
    let recalls = jobs::hasten_slot(tx, work::RECALL, &slot, now).await? > 0;
    Ok(Released { jobs: held::release(tx, &account.id, now).await?, recalls })
}

fn apply(account: &mut Account, change: &AccountChange) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(unit) = &change.unit_id {
        account.unit_id.clone_from(unit);
    }
    if let Some(name) = &change.display_name {
        account.display_name.clone_from(name);
    }
    if let Some(languages) = &change.languages {
        account.languages.clone_from(languages);
    }
    if let Some(zone) = &change.time_zone {
        account.time_zone.clone_from(zone);
    }
    match change.status {
        None => {}
        Some(status @ (AccountStatus::Paused | AccountStatus::Connected)) => {
            let dead = !matches!(account.status, AccountStatus::Paused | AccountStatus::Connected);
            if dead && status == AccountStatus::Connected && change.credential.is_none() {
                let detail = "the credential is dead; hand in a new one with the change";
                faults.push(Fault::new("/status", "status_not_allowed", detail));
            } else {
                account.status = status;
            }
        }
        Some(AccountStatus::NeedsReconnect | AccountStatus::Revoked) => {
            let detail = "people set paused or connected; the others are found out";
            faults.push(Fault::new("/status", "status_not_allowed", detail));
        }
    }
    faults.extend(account.check());
    faults
}

async fn seen_version(
    reader: &mut Reader,
    id: &AccountId,
    seen: Option<i64>,
) -> Result<Account, Error> {
    let account = accounts::find(reader, id).await?.ok_or(Error::NotFound)?;
    if seen.is_some_and(|seen| seen != account.version) {
        return Err(Error::Stale);
    }
    Ok(account)
}

/// Removes an account for good and forgets its credential. Refused while deliveries wait for it.
pub async fn remove(
    services: &Services,
    caller: &Caller,
    id: &AccountId,
    seen: Option<i64>,
) -> Result<(), Error> {
    permit(caller, Action::WriteAccounts, Subject::Account(id))?;
    sessions::fresh(caller, services.clock.now())?;
    let mut tx = services.store.begin().await?;
    accounts::lock(&mut tx, id).await?;
    let account = seen_version(&mut tx, id, seen).await?;
    nothing_waits(&mut tx, id).await?;
    accounts::remove(&mut tx, id, account.version, services.clock.now()).await?;
    credentials::remove(&mut tx, id).await?;
    let entry = caller.entry("account.remove", id, json!({"remote_id": account.remote_id}));
    finish(services, caller, tx, (), &[entry]).await?;
    Ok(())
}

/// What waits for an account was scheduled where it is now: neither does it end with the account, nor
/// does it come under other people with it. To be called once the account is locked.
async fn nothing_waits(tx: &mut Tx, id: &AccountId) -> Result<(), Error> {
    let waiting = accounts::waiting(tx, id).await?;
    if waiting == 0 {
        return Ok(());
    }
    let detail = format!("{waiting} deliveries have not come to their end; cancel them first");
    let told = Told::new("account_in_use", detail).with("count", waiting);
    Err(Error::Conflict(told.member("deliveries", waiting)))
}

/// Asks the platform now whether the credential is good, and notes what it says.
pub async fn check(
    services: &Services,
    caller: &Caller,
    id: &AccountId,
) -> Result<Done<Account>, Error> {
    permit(caller, Action::WriteAccounts, Subject::Account(id))?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let mut reader = services.store.read().await?;
    let asked = accounts::find(&mut reader, id).await?.ok_or(Error::NotFound)?;
    let token = stored_token(services, &mut reader, &asked).await?;
    drop(reader);
    let said = match token {
        Some(token) => ownership::ask(services, &asked, token).await?,
        None => Err(OwnerError::Refused("no credential is stored".to_owned())),
    };
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let mut account = accounts::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let (from, was) = (account.version, account.status);
    note(&mut account, said, now);
    account.version = from + 1;
    account.updated_at = now;
    accounts::update(&mut tx, &account, from).await?;
    let released = release(&mut tx, &account, now).await?;
    let detail = json!({"status": account.status, "released": released.jobs.len()});
    let mut entries = vec![caller.entry("account.check", id, detail)];
    if account.status == AccountStatus::NeedsReconnect && account.status != was {
        entries.push(caller.entry("account.needs_reconnect", id, json!({})));
    }
    let done = finish(services, caller, tx, account, &entries).await?;
    released.announce(services);
    Ok(done)
}

/// The token of an account; `None` when it has none.
pub(super) async fn stored_token(
    services: &Services,
    reader: &mut Reader,
    account: &Account,
) -> Result<Option<SecretString>, Error> {
    let Some(kept) = credentials::find(reader, &account.id).await? else { return Ok(None) };
    let binding = Binding {
        platform: &account.platform,
        remote_id: &account.remote_id,
        version: kept.version,
    };
    let sealed = Sealed { key_id: kept.key_id, bytes: kept.sealed };
    services.vault.open(binding, &sealed).map(Some).map_err(Error::internal)
}

/// Writes into an account what its platform said. Not being reachable says nothing about it.
fn note(
    account: &mut Account,
    said: Result<crate::platforms::outcome::Owner, OwnerError>,
    now: Timestamp,
) {
    account.health.checked_at = Some(now);
    match said {
        Ok(owner) if owner.remote_id == account.remote_id => {
            account.handle.clone_from(&owner.handle);
            account.health = ownership::healthy(&account.health, owner, now);
            let by_person = account.health.paused_by.is_some();
            match account.status {
                AccountStatus::Paused if by_person => {}
                // The platform took a right away or wanted something done: should it still, it says so
                // again with the next post.
                AccountStatus::NeedsReconnect | AccountStatus::Paused => {
                    account.status = AccountStatus::Connected;
                }
                AccountStatus::Connected | AccountStatus::Revoked => {}
            }
        }
        Ok(other) => {
            account.status = AccountStatus::NeedsReconnect;
            let error = format!("the credential belongs to {}", other.remote_id);
            account.health.last_error = Some(error);
        }
        Err(OwnerError::Refused(why)) => {
            account.status = AccountStatus::NeedsReconnect;
            account.health.last_error = Some(why);
        }
        Err(OwnerError::Unreachable(why)) => account.health.last_error = Some(why),
    }
}

/// One account.
pub async fn show(services: &Services, caller: &Caller, id: &AccountId) -> Result<Account, Error> {
    permit(caller, Action::ReadAccounts, Subject::Account(id))?;
    let mut reader = services.store.read().await?;
    accounts::find(&mut reader, id).await?.ok_or(Error::NotFound)
}

/// A page of the accounts that the caller may know of.
pub async fn list(
    services: &Services,
    caller: &Caller,
    unit_id: Option<UnitId>,
    platform: Option<String>,
    status: Option<AccountStatus>,
    window: &Window,
) -> Result<Page<Account>, Error> {
    permit(caller, Action::ReadAccounts, Subject::Any)?;
    let among =
        caller.actor.accounts_for(Action::ReadAccounts).map(|own| own.into_iter().collect());
    let filter = Filter { unit_id, platform, status, among };
    let after: Option<AccountId> = window.after_id()?;
    let mut reader = services.store.read().await?;
    let rows = accounts::list(&mut reader, &filter, after.as_ref(), window.rows()).await?;
    Ok(window.page(rows, |account| vec![account.id.to_string()]))
}
