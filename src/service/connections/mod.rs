//! The acts on sign-ins that connect accounts: begin one, show it, choose what comes of it, approve.
//!
//! What a browser brings back is `arrive`; what becomes of the accounts is `complete`. An account that
//! nobody named before the sign-in needs a second administrator, and connecting an account again can
//! give it no other owner.

mod arrive;
mod complete;
mod seal;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use url::Url;
use utoipa::ToSchema;

use super::{
    Caller, Done, Error, Page, Services, Told, Window, accounts, all_well, finish, permit, sessions,
};
use crate::clock::after;
use crate::domain::account::{Account, AccountStatus, Health};
use crate::domain::connection::{Connection, ConnectionStatus, Wishes};
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, ConnectionId, UnitId};
use crate::domain::policy::{Action, Refused, Subject};
use crate::platforms::sign_in::Departure;
use crate::store::connections::{self, Kept};
use crate::store::{Reader, units};

pub use arrive::{Arrived, Landing, Said, arrive, waits};

/// How long somebody may be at the platform.
const SIGN_IN: std::time::Duration = std::time::Duration::from_mins(10);

/// How long one may take to choose after that.
const CHOOSE: std::time::Duration = std::time::Duration::from_hours(1);

/// The most accounts that one sign-in connects.
const MOST: usize = 100;

/// A sign-in to be begun.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewConnection {
    /// The unit that is to answer for the accounts; not said when an account is connected again.
    #[serde(default)]
    pub unit_id: Option<UnitId>,
    /// The platform's id, as in `GET /platforms`.
    pub platform: String,
    /// The platform's id of the one account that is to be connected. It then needs no second
    /// administrator, and no other account comes of the sign-in.
    #[serde(default)]
    pub expected_remote_id: Option<String>,
    /// The account that is to be connected again, with its history.
    #[serde(default)]
    pub account_id: Option<AccountId>,
    /// Languages it publishes in; the unit's when not said.
    #[serde(default)]
    pub languages: Option<Vec<String>>,
    /// IANA zone of its readers; the unit's when not said.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// The name shown in the desk; the platform's own when not said.
    #[serde(default)]
    pub display_name: Option<String>,
}

/// A sign-in that was begun.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BegunConnection {
    /// Its id.
    pub id: ConnectionId,
    /// Where to send the person's browser: the platform's own page. Good for one sign-in and not kept;
    /// in the answer to a repeated request it is `null`.
    pub authorize_url: Option<String>,
    /// Until when he must be back.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for BegunConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BegunConnection({})", self.id)
    }
}

/// Which accounts are to come of a sign-in.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Choice {
    /// The platform's ids of the accounts.
    #[schema(min_items = 1, max_items = 100)]
    pub remote_ids: Vec<String>,
}

/// A word that nobody guesses: 32 random bytes.
fn unguessable() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// All that is kept of a state.
fn hash(state: &str) -> String {
    hex::encode(Sha256::digest(state))
}

/// Where a platform sends people back to. Each has an address of its own, so that what one platform
/// gives cannot be handed in as another's.
fn redirect(services: &Services, platform: &str) -> Result<Url, Error> {
    let mut url = services.config.server.public_url.clone();
    let unusable = || Error::internal("the public address cannot carry a path");
    url.path_segments_mut()
        .map_err(|()| unusable())?
        .pop_if_empty()
        .extend(["connect", platform, "callback"]);
    Ok(url)
}

/// Begins a sign-in: nothing is asked of the platform, a person is sent there.
pub async fn open(
    services: &Services,
    caller: &Caller,
    new: NewConnection,
) -> Result<Done<BegunConnection>, Error> {
    let own = new.unit_id.as_ref().filter(|unit| caller.actor.sees_unit(unit));
    let subject = match (&new.account_id, own) {
        (Some(account), _) => Subject::Account(account),
        (None, Some(unit)) => Subject::Unit(unit),
        (None, None) => Subject::Any,
    };
    permit(caller, Action::WriteAccounts, subject)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    sessions::fresh(caller, services.clock.now())?;
    let connection = draft(services, caller, new).await?;
    let (state, verifier) = (unguessable(), SecretString::from(unguessable()));
    let back = redirect(services, &connection.platform)?;
    let with = Departure { state: &state, verifier: &verifier, redirect: &back };
    let platform = services.platforms.get(&connection.platform);
    let url = platform.and_then(|it| it.sign_in()).and_then(|it| it.authorize_url(&with));
    let url = url.ok_or_else(|| Error::Invalid(vec![not_configured(&connection.platform)]))?;
    let verifier = seal::verifier(services, &connection, &verifier)?;
    let kept = Kept { connection, verifier: Some(verifier), sealed: None };
    let new = &kept.connection;
    let detail = json!({
        "platform": new.platform, "unit_id": new.unit_id, "account_id": new.account_id,
        "expected_remote_id": new.expected_remote_id,
    });
    let entry = caller.entry("connection.begin", &new.id, detail);
    let begun =
        BegunConnection { id: new.id.clone(), authorize_url: None, expires_at: new.expires_at };
    let mut tx = services.store.begin().await?;
    connections::insert(&mut tx, &kept, &hash(&state)).await?;
    let mut done = finish(services, caller, tx, begun, &[entry]).await?;
    if !done.replayed {
        done.value.authorize_url = Some(url.to_string());
    }
    Ok(done)
}

async fn draft(
    services: &Services,
    caller: &Caller,
    new: NewConnection,
) -> Result<Connection, Error> {
    let now = services.clock.now();
    let mut reader = services.store.read().await?;
    let again = match &new.account_id {
        None => None,
        Some(id) => Some(connected_before(&mut reader, id).await?),
    };
    let mut faults = unusable(services, &new.platform);
    if let Some(account) = &again {
        faults.extend(of_another(account, &new));
    }
    let unit_id = again.as_ref().map(|account| account.unit_id.clone()).or(new.unit_id);
    let Some(unit_id) = unit_id else {
        faults.push(Fault::new("/unit_id", "blank", "must not be blank"));
        return Err(Error::Invalid(faults));
    };
    let unit = units::find(&mut reader, &unit_id).await?;
    match unit.filter(|unit| caller.actor.sees_unit(&unit.id)) {
        None => faults.push(accounts::unknown_unit(&unit_id)),
        Some(unit) if unit.is_closed(now) => {
            faults.push(Fault::new("/unit_id", "unit_closed", "the unit has closed"));
        }
        Some(_) => {}
    }
    let named = again.as_ref().map(|it| it.remote_id.clone()).or(new.expected_remote_id);
    let connection = Connection {
        id: ConnectionId::new(now, services.random()),
        person_id: caller.actor.person_id.clone(),
        unit_id,
        platform: new.platform,
        account_id: new.account_id,
        expected_remote_id: named,
        wishes: Wishes {
            languages: new.languages,
            time_zone: new.time_zone,
            display_name: new.display_name,
        },
        status: ConnectionStatus::Waiting,
        granted: None,
        chosen: Vec::new(),
        accounts: Vec::new(),
        approved_by: None,
        problem: None,
        problem_detail: None,
        version: 1,
        created_at: now,
        updated_at: now,
        expires_at: after(now, SIGN_IN),
    };
    faults.extend(ill_formed(&connection, services));
    all_well(faults)?;
    Ok(connection)
}

/// Why nobody can sign in there.
fn unusable(services: &Services, platform: &str) -> Vec<Fault> {
    match services.platforms.get(platform) {
        None => vec![accounts::unknown_platform(platform)],
        Some(known) if known.sign_in().is_none() => vec![not_configured(platform)],
        Some(_) => Vec::new(),
    }
}

/// The account that is to be connected again.
async fn connected_before(reader: &mut Reader, id: &AccountId) -> Result<Account, Error> {
    crate::store::accounts::find(reader, id).await?.ok_or_else(|| {
        let detail = format!("there is no account {id}");
        let fault = Fault::new("/account_id", "unknown_reference", detail);
        Error::Invalid(vec![fault.with("value", id)])
    })
}

/// What is wrong with the wishes, by the rules of accounts.
fn ill_formed(connection: &Connection, services: &Services) -> Vec<Fault> {
    let expected = connection.expected_remote_id.as_deref();
    let account = account_of(connection, expected.unwrap_or("1"), "name", services);
    account
        .check()
        .into_iter()
        .map(|mut fault| {
            if fault.pointer == "/remote_id" {
                "/expected_remote_id".clone_into(&mut fault.pointer);
            }
            fault
        })
        .collect()
}

/// A new account as it comes of a sign-in; languages and zone that nobody wished for are filled in
/// from the unit when it is written.
fn account_of(
    connection: &Connection,
    remote_id: &str,
    name: &str,
    services: &Services,
) -> Account {
    let now = services.clock.now();
    let wishes = &connection.wishes;
    Account {
        id: AccountId::new(now, services.random()),
        unit_id: connection.unit_id.clone(),
        platform: connection.platform.clone(),
        remote_id: remote_id.to_owned(),
        display_name: wishes.display_name.clone().unwrap_or_else(|| name.to_owned()),
        handle: None,
        languages: wishes.languages.clone().unwrap_or_else(|| vec!["vi".to_owned()]),
        time_zone: wishes.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        status: AccountStatus::Connected,
        health: Health::default(),
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

/// What was said that is not so about the account that is connected again.
fn of_another(account: &Account, new: &NewConnection) -> Vec<Fault> {
    let fault = |pointer: &str, own: &str| {
        let detail = format!("the account has {own}");
        Fault::new(pointer, "not_the_accounts", detail).with("own", own)
    };
    let mut faults = Vec::new();
    if new.platform != account.platform {
        faults.push(fault("/platform", &account.platform));
    }
    if new.unit_id.as_ref().is_some_and(|unit| *unit != account.unit_id) {
        faults.push(fault("/unit_id", account.unit_id.as_str()));
    }
    if new.expected_remote_id.as_ref().is_some_and(|id| *id != account.remote_id) {
        faults.push(fault("/expected_remote_id", &account.remote_id));
    }
    faults
}

fn not_configured(platform: &str) -> Fault {
    let detail = "the application's own credentials for this platform are not configured";
    Fault::new("/platform", "sign_in_not_configured", detail).with("value", platform)
}

/// Says which accounts are to come of a sign-in; only the one who began it may. Those that were named
/// beforehand are connected at once; all others wait for a second administrator.
pub async fn choose(
    services: &Services,
    caller: &Caller,
    id: &ConnectionId,
    choice: Choice,
) -> Result<Done<Connection>, Error> {
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let mut kept = see(services, caller, id, Action::WriteAccounts).await?;
    let now = services.clock.now();
    sessions::fresh(caller, now)?;
    if kept.connection.person_id != caller.actor.person_id {
        let detail = "only the one who began a sign-in chooses what comes of it";
        return Err(Error::Forbidden(Told::new("not_yours", detail)));
    }
    at(&kept.connection, &[ConnectionStatus::Granted], now)?;
    all_well(unfit(&kept.connection, &choice.remote_ids))?;
    kept.connection.chosen = choice.remote_ids;
    if kept.connection.chosen.iter().all(|it| kept.connection.is_named(it)) {
        return complete::by(services, caller, kept, "connection.finish").await;
    }
    let from = kept.connection.version;
    kept.connection.status = ConnectionStatus::Chosen;
    changed(&mut kept.connection, now);
    let detail = json!({"remote_ids": kept.connection.chosen, "waits_for": "approval"});
    let entry = caller.entry("connection.choose", id, detail);
    let mut tx = services.store.begin().await?;
    connections::update(&mut tx, &kept, from).await?;
    finish(services, caller, tx, kept.connection, &[entry]).await
}

/// Connects the accounts that another administrator has chosen.
pub async fn approve(
    services: &Services,
    caller: &Caller,
    id: &ConnectionId,
) -> Result<Done<Connection>, Error> {
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let mut kept = see(services, caller, id, Action::WriteAccounts).await?;
    if !caller.actor.administrator {
        return Err(Refused::NeedsAdministrator.into());
    }
    sessions::fresh(caller, services.clock.now())?;
    at(&kept.connection, &[ConnectionStatus::Chosen], services.clock.now())?;
    if kept.connection.person_id == caller.actor.person_id {
        let detail = "an account that nobody had named beforehand needs another administrator than \
                      the one who began the sign-in";
        return Err(Error::Conflict(Told::new("approval_needs_another", detail)));
    }
    kept.connection.approved_by = Some(caller.actor.person_id.clone());
    complete::by(services, caller, kept, "connection.approve").await
}

/// Refuses what can only be done at another stage.
fn at(connection: &Connection, stages: &[ConnectionStatus], now: Timestamp) -> Result<(), Error> {
    let status = connection.status_at(now);
    if stages.contains(&status) {
        return Ok(());
    }
    let detail = format!("the sign-in is {status}; that is not the time for this");
    let told = Told::new("connection_elsewhere", detail).with("stage", status);
    // Not `status`: a problem has one of its own.
    Err(Error::Conflict(told.member("stage", status.as_str())))
}

/// What stands against the choice.
fn unfit(connection: &Connection, remote_ids: &[String]) -> Vec<Fault> {
    let mut faults = Vec::new();
    if remote_ids.is_empty() {
        faults.push(Fault::new("/remote_ids", "blank", "must not be blank"));
    }
    if remote_ids.len() > MOST {
        let detail = format!("at most {MOST} at once");
        faults.push(Fault::new("/remote_ids", "too_many_accounts", detail).with("max", MOST));
        return faults;
    }
    let mut seen = BTreeSet::new();
    for (index, id) in remote_ids.iter().enumerate() {
        let pointer = format!("/remote_ids/{index}");
        let value = crate::domain::locale::quoted(id);
        let offered = connection.granted.as_ref().and_then(|it| it.offered(id));
        if !seen.insert(id) {
            let detail = format!("{value} is named twice");
            faults.push(Fault::new(pointer, "repeated", detail).with("value", value));
        } else if offered.is_none() || !connection.may_become(id) {
            let detail = format!("the platform has not offered {value}");
            faults.push(Fault::new(pointer, "not_offered", detail).with("value", value));
        } else if let Some(why) = offered.and_then(|it| it.hindrance.as_deref()) {
            let detail = format!("{value} cannot be connected: {why}");
            let fault = Fault::new(pointer, "cannot_publish_there", detail);
            faults.push(fault.with("value", value).with("reason", why));
        }
    }
    faults
}

fn changed(connection: &mut Connection, now: Timestamp) {
    connection.version += 1;
    connection.updated_at = now;
}

/// The sign-in, when the caller may do this with it.
async fn see(
    services: &Services,
    caller: &Caller,
    id: &ConnectionId,
    action: Action,
) -> Result<Kept, Error> {
    // Without an account of its own it concerns everybody; one that does not exist is not told apart.
    if caller.actor.accounts.is_none() {
        permit(caller, action, Subject::Any)?;
    }
    let found = connections::find(&mut services.store.read().await?, id).await?;
    let kept = found.ok_or(Error::NotFound)?;
    match &kept.connection.account_id {
        Some(account) => permit(caller, action, Subject::Account(account))?,
        None if caller.actor.accounts.is_some() => return Err(Error::NotFound),
        None => permit(caller, action, Subject::Unit(&kept.connection.unit_id))?,
    }
    Ok(kept)
}

/// One sign-in.
pub async fn show(
    services: &Services,
    caller: &Caller,
    id: &ConnectionId,
) -> Result<Connection, Error> {
    let kept = see(services, caller, id, Action::ReadAccounts).await?;
    Ok(as_it_is(kept.connection, services.clock.now()))
}

/// A page of sign-ins, newest first.
pub async fn list(
    services: &Services,
    caller: &Caller,
    window: &Window,
) -> Result<Page<Connection>, Error> {
    permit(caller, Action::ReadAccounts, Subject::Any)?;
    let among: Option<Vec<AccountId>> =
        caller.actor.accounts_for(Action::ReadAccounts).map(|own| own.into_iter().collect());
    // One that has no account yet is its unit's; whoever is limited to accounts knows of none.
    let units = caller.actor.units_for(Action::ReadAccounts).unwrap_or_default();
    let units: Vec<UnitId> =
        units.into_iter().filter(|_| caller.actor.accounts.is_none()).collect();
    let before: Option<ConnectionId> = window.after_id()?;
    let now = services.clock.now();
    let mut reader = services.store.read().await?;
    let among = among.as_deref().map(|accounts| (accounts, units.as_slice()));
    let rows = connections::list(&mut reader, before.as_ref(), among, window.rows()).await?;
    let page = window.page(rows, |it| vec![it.id.to_string()]);
    let items = page.items.into_iter().map(|it| as_it_is(it, now)).collect();
    Ok(Page { items, next: page.next })
}

/// One whose time is over shows it, whether or not anybody has written it down yet.
fn as_it_is(mut connection: Connection, now: Timestamp) -> Connection {
    connection.status = connection.status_at(now);
    connection
}
