//! What comes of a sign-in: accounts, new or connected again, each proven by its own credential.

use std::sync::Arc;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde_json::json;

use super::{account_of, changed, seal};
use crate::clock::before;
use crate::domain::account::{Account, AccountStatus, Health};
use crate::domain::actor::{Actor, Scopes};
use crate::domain::audit::NewEntry;
use crate::domain::connection::{Connection, ConnectionStatus};
use crate::domain::id::ConnectionId;
use crate::domain::policy::{self, Action, Subject};
use crate::domain::session::SignedIn;
use crate::platforms::outcome::Owner;
use crate::service::accounts::Released;
use crate::service::sessions::IDLE;
use crate::service::{
    Caller, Done, Error, NewCredential, Services, Told, accounts, all_well, finish, ownership,
};
use crate::store::connections::{self, Kept};
use crate::store::people::{self, Person};
use crate::store::sessions::{self, InForce};
use crate::store::tokens::{self, Token};
use crate::store::{Tx, audit, credentials, factors, roles, units};

/// Accounts that are proven at once.
const AT_ONCE: usize = 10;

/// Tokens that are read at once.
const PAGE: u32 = 100;

/// An account that its own credential has proven.
struct Proven {
    account: Account,
    credential: NewCredential,
    owner: Owner,
}

/// Everything written, not yet durable.
struct Written {
    tx: Tx,
    connection: Connection,
    entries: Vec<NewEntry>,
    released: Released,
}

/// Connects what was chosen because a person says so.
pub(super) async fn by(
    services: &Services,
    caller: &Caller,
    kept: Kept,
    action: &str,
) -> Result<Done<Connection>, Error> {
    let written = write(services, kept, &caller.actor.label(), action).await?;
    let Written { tx, connection, entries, released } = written;
    let done = finish(services, caller, tx, connection, &entries).await?;
    services.forget_bearers();
    released.announce(services);
    Ok(done)
}

/// Connects the one account that was named before the sign-in began; gives its name.
pub(super) async fn by_itself(
    services: &Services,
    mut kept: Kept,
    remote_id: &str,
) -> Result<String, Error> {
    kept.connection.chosen = vec![remote_id.to_owned()];
    let name = kept.connection.granted.as_ref().and_then(|it| it.offered(remote_id));
    let name = name.map(|it| it.name.clone()).unwrap_or_default();
    let written = write(services, kept, "sign-in", "connection.finish").await?;
    let Written { mut tx, entries, released, .. } = written;
    audit::append(&mut tx, &entries, services.clock.now());
    tx.conclude().await?;
    services.forget_bearers();
    released.announce(services);
    Ok(name)
}

async fn write(
    services: &Services,
    mut kept: Kept,
    actor: &str,
    action: &str,
) -> Result<Written, Error> {
    let proven = prove(services, &kept).await?;
    let now = services.clock.now();
    let from = kept.connection.version;
    let mut tx = services.store.begin().await?;
    still_his(services, &mut tx, &kept.connection, now).await?;
    let (mut entries, mut released) = (Vec::new(), Released::default());
    let entry = |action: &str, subject: String, detail| NewEntry {
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject,
        detail,
    };
    for one in proven {
        let again = kept.connection.account_id.is_some();
        let account = if again {
            // There is one account to be connected again, and never another beside it.
            let (account, freed) = renew(services, &mut tx, &kept.connection, one, now).await?;
            released = freed;
            account
        } else {
            enter(services, &mut tx, &kept.connection, one, now).await?
        };
        let detail = json!({
            "platform": account.platform, "remote_id": account.remote_id,
            "unit_id": account.unit_id, "connection": kept.connection.id,
            "released": released.jobs.len(),
        });
        let action = if again { "account.reconnect" } else { "account.create" };
        entries.push(entry(action, account.id.to_string(), detail));
        kept.connection.accounts.push(account.id);
    }
    kept.connection.status = ConnectionStatus::Done;
    kept.sealed = None;
    changed(&mut kept.connection, now);
    // Whoever comes second finds another version, and nothing of his is kept.
    connections::update(&mut tx, &kept, from).await?;
    let connection = kept.connection;
    let detail = json!({
        "remote_ids": connection.chosen, "accounts": connection.accounts,
        "begun_by": connection.person_id, "approved_by": connection.approved_by,
    });
    entries.push(entry(action, connection.id.to_string(), detail));
    Ok(Written { tx, connection, entries, released })
}

/// The one who began it may have left meanwhile, or lost what let him: then nothing comes of it.
async fn still_his(
    services: &Services,
    tx: &mut Tx,
    connection: &Connection,
    now: Timestamp,
) -> Result<(), Error> {
    let required = services.config.sign_in.second_factor_required;
    let person = people::find(tx, &connection.person_id).await?;
    if let Some(person) = person.filter(|person| person.disabled_at.is_none())
        && may_act(tx, &person, connection, (now, required)).await?
    {
        return Ok(());
    }
    let detail = "the one who began the sign-in may not act any more";
    Err(Error::Conflict(Told::new("begun_by_nobody", detail)))
}

/// Whether he is signed in, or a token of his is in force with which he could begin it now. The browser that
/// comes back brings neither, and which one he began it with says nothing about him.
async fn may_act(
    tx: &mut Tx,
    person: &Person,
    connection: &Connection,
    (now, required): (Timestamp, bool),
) -> Result<bool, Error> {
    let unit = Subject::Unit(&connection.unit_id);
    let subject = connection.account_id.as_ref().map_or(unit, Subject::Account);
    let reach = Arc::new(roles::reach(tx, &person.id, now).await?);
    let lets = |token: Token| {
        let actor = Actor {
            person_id: person.id.clone(),
            token_id: Some(token.id),
            signed_in: None,
            administrator: person.administrator,
            scopes: token.scopes,
            accounts: token.accounts.map(|it| it.into_iter().collect()),
            reach: Arc::clone(&reach),
        };
        token.revoked_at.is_none()
            && token.expires_at.is_none_or(|end| end > now)
            && policy::may(&actor, Action::WriteAccounts, subject).is_ok()
    };
    let when = InForce { now, seen_since: before(now, IDLE) };
    if let [session, ..] = sessions::list(tx, &person.id, None, when, 1).await?.as_slice() {
        let has_factor = factors::is_on(tx, &person.id).await?;
        let signed_in = SignedIn {
            session_id: session.id.clone(),
            proved_at: session.proved_at,
            second_factor: has_factor,
        };
        let actor = Actor {
            person_id: person.id.clone(),
            token_id: None,
            signed_in: Some(signed_in),
            administrator: person.administrator,
            scopes: Scopes::All,
            accounts: None,
            reach: Arc::clone(&reach),
        };
        let lacks = required && !has_factor;
        if !lacks && policy::may(&actor, Action::WriteAccounts, subject).is_ok() {
            return Ok(true);
        }
    }
    let mut after = None;
    loop {
        let page = tokens::list(tx, Some(&person.id), after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(false) };
        after = Some(last.id.clone());
        if page.into_iter().any(lets) {
            return Ok(true);
        }
    }
}

/// Asks the platform about each account by its own credential. No transaction is open.
async fn prove(services: &Services, kept: &Kept) -> Result<Vec<Proven>, Error> {
    let connection = &kept.connection;
    let mut held = seal::open_credentials(services, kept)?;
    let mut chosen = Vec::new();
    for remote_id in &connection.chosen {
        let gone = || Error::internal("a chosen account has no credential");
        let credential = held.remove(remote_id).ok_or_else(gone)?;
        let offered = connection.granted.as_ref().and_then(|it| it.offered(remote_id));
        let name = offered.map_or("", |it| it.name.as_str());
        let account = account_of(connection, remote_id, name, services);
        chosen.push((account, credential));
    }
    // Several at once: the most that may be chosen are proven within the time of one request.
    let mut proven = Vec::new();
    let mut chosen = chosen.into_iter().peekable();
    while chosen.peek().is_some() {
        let some = chosen.by_ref().take(AT_ONCE).map(|(account, credential)| async move {
            let owner = ownership::prove(services, &account, &credential).await?;
            Ok::<_, Error>(Proven { account, credential, owner })
        });
        proven.extend(try_join_all(some).await?);
    }
    Ok(proven)
}

/// The health of an account that was just signed in.
fn health(connection: &Connection, owner: Owner, now: Timestamp) -> Health {
    let mut health = ownership::healthy(&Health::default(), owner, now);
    if let Some(granted) = &connection.granted {
        health.scopes.clone_from(&granted.scopes);
        health.scopes_missing.clone_from(&granted.missing);
        health.data_access_ends_at = granted.data_access_ends_at;
    }
    health.connected_by = Some(connection.person_id.clone());
    health.connected_at = Some(now);
    health
}

/// Writes a new account.
async fn enter(
    services: &Services,
    tx: &mut Tx,
    connection: &Connection,
    one: Proven,
    now: Timestamp,
) -> Result<Account, Error> {
    let Proven { mut account, credential, owner } = one;
    let unit = units::find(tx, &connection.unit_id).await?;
    let Some(unit) = unit.filter(|unit| !unit.is_closed(now)) else {
        return Err(Error::Conflict(Told::new("unit_closed", "the unit has closed")));
    };
    let wishes = &connection.wishes;
    account.languages = wishes.languages.clone().unwrap_or(unit.languages);
    account.time_zone = wishes.time_zone.clone().unwrap_or(unit.time_zone);
    account.handle.clone_from(&owner.handle);
    account.health = health(connection, owner, now);
    // The name may be the platform's.
    all_well(account.check())?;
    crate::store::accounts::insert(tx, &account)
        .await
        .map_err(|error| accounts::taken(error, &account))?;
    ownership::keep(services, tx, &account, &credential, 1).await?;
    Ok(account)
}

/// Gives an account its new credential. One that a person has switched off stays off.
async fn renew(
    services: &Services,
    tx: &mut Tx,
    connection: &Connection,
    one: Proven,
    now: Timestamp,
) -> Result<(Account, Released), Error> {
    let Proven { account: proven, credential, owner } = one;
    let id = connection.account_id.as_ref().ok_or(Error::NotFound)?;
    let account = crate::store::accounts::find(tx, id).await?;
    let mut account = account.ok_or_else(|| gone(&connection.id))?;
    if account.remote_id != proven.remote_id || account.platform != proven.platform {
        // Neither ever changes; should one have, no other account is slipped in.
        return Err(Error::internal("an account is not the one that was expected"));
    }
    let from = account.version;
    account.handle.clone_from(&owner.handle);
    let paused_by = account.health.paused_by.take();
    account.health = health(connection, owner, now);
    if account.status == AccountStatus::Paused && paused_by.is_some() {
        account.health.paused_by = paused_by;
    } else {
        // Also what the platform had paused: mostly for a right that the new credential has.
        account.status = AccountStatus::Connected;
    }
    account.version = from + 1;
    account.updated_at = now;
    crate::store::accounts::update(tx, &account, from).await?;
    let old = credentials::find(tx, id).await?.map_or(0, |old| old.version);
    ownership::keep(services, tx, &account, &credential, old + 1).await?;
    let released = accounts::release(tx, &account, now).await?;
    Ok((account, released))
}

fn gone(id: &ConnectionId) -> Error {
    let detail = format!("the account that {id} was to connect again has been removed");
    Error::Conflict(Told::new("account_removed", detail))
}
