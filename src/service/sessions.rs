//! Being signed in: with a password, at a screen, for as long as somebody is there; and showing again that one is
//! who one is before what cannot be taken back.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{
    Caller, Error, Page, Services, Told, Window, factors, finish, passwords as secrets, people,
    permit,
};
use crate::clock::{after, before};
use crate::domain::audit::NewEntry;
use crate::domain::id::{PersonId, SessionId};
use crate::domain::policy::{Action, Subject};
use crate::domain::session::{Key, SignedIn};
use crate::store::passwords::{self, Guesses, Known};
use crate::store::sessions::{self, InForce, Session};
use crate::store::{Reader, Tx, audit};

/// Whoever was not there for so long must sign in again.
pub const IDLE: Duration = Duration::from_mins(30);
/// Everybody must sign in again after so long.
const LONGEST: Duration = Duration::from_hours(12);
/// For how long it counts that somebody has shown who he is.
const PROVED: Duration = Duration::from_mins(15);
/// So long ended sessions and links stay as a record.
const KEPT: Duration = Duration::from_hours(90 * 24);
/// So many wrong passwords in a row are free.
const FREE: u32 = 5;
/// The longest wait after a wrong password.
const LONGEST_WAIT: Duration = Duration::from_mins(15);
/// From where somebody has signed in within so long he does not wait for what others try elsewhere.
const FAMILIAR: Duration = Duration::from_hours(30 * 24);
/// Wrong passwords are forgotten when none came for so long.
const REMEMBERED: Duration = Duration::from_hours(24);
/// How much of what a browser calls itself is kept.
const LONGEST_AGENT: usize = 300;

/// Signing in.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewSession {
    /// His address.
    pub email: String,
    /// His password.
    #[schema(value_type = String, format = Password)]
    pub password: SecretString,
    /// The code of his second factor, where he has one, or a recovery code.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub code: Option<SecretString>,
}

/// Showing again that one is who one is.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Proof {
    /// His password.
    #[schema(value_type = String, format = Password)]
    pub password: SecretString,
    /// The code of his second factor, where he has one, or a recovery code.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub code: Option<SecretString>,
}

/// Somebody signed in at one screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// Who.
    pub person_id: PersonId,
    /// From which address he signed in.
    pub address: String,
    /// What his browser calls itself.
    pub agent: String,
    /// When he signed in.
    pub created_at: Timestamp,
    /// When he was last there, to the minute.
    pub seen_at: Timestamp,
    /// When he has last shown that it is he.
    pub proved_at: Timestamp,
    /// When it ends whatever he does; 30 minutes after he was last there it ends by itself.
    pub ends_at: Timestamp,
}

impl From<Session> for SessionView {
    fn from(it: Session) -> Self {
        Self {
            id: it.id,
            person_id: it.person_id,
            address: it.address,
            agent: it.agent,
            created_at: it.created_at,
            seen_at: it.seen_at,
            proved_at: it.proved_at,
            ends_at: it.ends_at,
        }
    }
}

/// From where somebody asks.
#[derive(Debug, Clone)]
pub struct Place {
    /// The address.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
}

/// Signs somebody in, and gives the key for his browser.
pub async fn create(
    services: &Services,
    place: Place,
    new: NewSession,
) -> Result<(SessionView, Key), Error> {
    let known = recognise(services, &new.email, &new.password, &place.address).await?;
    let shown = factors::ask(services, &known.id, new.code.as_ref()).await?;
    let now = services.clock.now();
    let key = Key::mint(rand::random());
    let session = Session {
        id: SessionId::new(now, services.random()),
        person_id: known.id.clone(),
        address: place.address,
        agent: place.agent.chars().filter(|it| !it.is_control()).take(LONGEST_AGENT).collect(),
        created_at: now,
        seen_at: now,
        proved_at: now,
        ends_at: after(now, LONGEST),
        ended_at: None,
    };
    let mut tx = services.store.begin().await?;
    confirm(&mut tx, &known).await?;
    factors::take(&mut tx, &known.id, &shown, now).await?;
    sessions::prune(&mut tx, before(now, KEPT)).await?;
    passwords::prune(&mut tx, before(now, KEPT)).await?;
    sessions::insert(&mut tx, &session, &key.hash()).await?;
    let detail = json!({"address": session.address, "agent": session.agent});
    audit::append(&mut tx, &[entry("session.create", &session, detail)], now);
    tx.conclude().await?;
    Ok((session.into(), key))
}

/// The person with this address and password, to be confirmed where something is written. Many wrong ones in a row
/// are answered after a growing wait, whether anybody has the address or not; not so from where he has come
/// before, lest others keep him out.
pub(super) async fn recognise(
    services: &Services,
    email: &str,
    password: &SecretString,
    from: &str,
) -> Result<Known, Error> {
    let now = services.clock.now();
    let email = email.trim().to_lowercase();
    let mut reader = services.store.read().await?;
    // What no address can be is nobody's.
    let known = if people::is_address(&email) {
        passwords::by_email(&mut reader, &email).await?
    } else {
        None
    };
    if let Some(until) = waits(&mut reader, &email, now).await?
        && !has_come_from(&mut reader, known.as_ref(), from, now).await?
    {
        return Err(too_soon(now, until));
    }
    drop(reader);
    if secrets::is_right(known.as_ref(), password).await?
        && let Some(known) = known
    {
        return Ok(known);
    }
    note_wrong(services, &email).await?;
    tracing::warn!(person.id = ?known.map(|it| it.id), client.address = from, "a wrong password");
    Err(unknown())
}

/// Whoever was recognised a moment ago is still known by the same: another password, or that he may not sign in any
/// more, waits for the end of this transaction or was seen by it.
pub(super) async fn confirm(tx: &mut Tx, known: &Known) -> Result<(), Error> {
    if !passwords::is_still(tx, &known.id, known.hash.as_deref()).await? {
        return Err(unknown());
    }
    passwords::right(tx, &named(&known.email)).await?;
    Ok(())
}

async fn has_come_from(
    reader: &mut Reader,
    known: Option<&Known>,
    from: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(known) = known else { return Ok(false) };
    Ok(sessions::has_come_from(reader, &known.id, from, before(now, FAMILIAR)).await?)
}

/// Counts something wrong under a name.
pub(super) async fn note_wrong(services: &Services, name: &str) -> Result<(), Error> {
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    passwords::failed(&mut tx, &named(name), now, before(now, REMEMBERED)).await?;
    Ok(tx.commit().await?)
}

/// Until when nothing is looked at under a name, after what was wrong.
async fn waits(
    reader: &mut Reader,
    name: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let guesses = passwords::guesses(reader, &named(name), before(now, REMEMBERED)).await?;
    Ok(guesses.and_then(waits_until).filter(|until| now < *until))
}

/// Refuses what has to wait under a name.
pub(super) async fn wait_over(
    services: &Services,
    name: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let until = waits(&mut services.store.read().await?, name, now).await?;
    until.map_or(Ok(()), |until| Err(too_soon(now, until)))
}

/// What is kept of a name under which something is counted: anybody may name any address.
pub(super) fn named(name: &str) -> String {
    hex::encode(Sha256::digest(name))
}

/// Until when no password for an address is looked at.
fn waits_until(guesses: Guesses) -> Option<Timestamp> {
    let beyond = guesses.failures.checked_sub(FREE)?;
    let wait = Duration::from_secs(1_u64.checked_shl(beyond).unwrap_or(u64::MAX));
    Some(after(guesses.failed_at, wait.min(LONGEST_WAIT)))
}

fn unknown() -> Error {
    let detail = "the address or the password is wrong, or nobody with that address may sign in";
    Error::Unknown(Told::new("sign_in_refused", detail))
}

fn too_soon(now: Timestamp, until: Timestamp) -> Error {
    let seconds = u64::try_from(now.duration_until(until).as_secs()).unwrap_or(0) + 1;
    let detail = format!("too many wrong passwords or codes in a row; try again in {seconds} s");
    let told = Told::new("sign_in_waits", detail).with("seconds", seconds);
    Error::TooSoon(told.retry_after(seconds))
}

/// The caller's own session.
pub async fn current(services: &Services, caller: &Caller) -> Result<SessionView, Error> {
    let own = caller.actor.signed_in.as_ref().ok_or(Error::NotFound)?;
    let mut reader = services.store.read().await?;
    Ok(sessions::find(&mut reader, &own.session_id).await?.ok_or(Error::NotFound)?.into())
}

/// A page of one's own sessions, or those of a person whom one answers for.
pub async fn list(
    services: &Services,
    caller: &Caller,
    person: Option<&PersonId>,
    window: &Window,
) -> Result<Page<SessionView>, Error> {
    let own = &caller.actor.person_id;
    let person = person.unwrap_or(own);
    permit(caller, Action::ReadTokens, Subject::Person(own))?;
    let now = services.clock.now();
    let when = InForce { now, seen_since: before(now, IDLE) };
    let after: Option<SessionId> = window.after_id()?;
    let mut reader = services.store.read().await?;
    if person != own {
        permit(caller, Action::WritePeople, Subject::Any)?;
        people::answer_for(&mut reader, caller, person).await?;
    }
    let rows = sessions::list(&mut reader, person, after.as_ref(), when, window.rows()).await?;
    let page = window.page(rows, |one| vec![one.id.to_string()]);
    Ok(Page { items: page.items.into_iter().map(SessionView::from).collect(), next: page.next })
}

/// Ends a session, at once in this process and within seconds in others. Doing it twice is no fault.
pub async fn end(services: &Services, caller: &Caller, id: &SessionId) -> Result<(), Error> {
    let mut tx = services.store.begin().await?;
    let session = sessions::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let own = &caller.actor.person_id;
    permit(caller, Action::WriteTokens, Subject::Person(own))?;
    if session.person_id != *own {
        if permit(caller, Action::WritePeople, Subject::Any).is_err() {
            return Err(Error::NotFound);
        }
        people::answer_for(&mut tx, caller, &session.person_id).await?;
    }
    if sessions::end(&mut tx, id, services.clock.now()).await? {
        let entry = caller.entry("session.end", id, json!({"person_id": session.person_id}));
        finish(services, caller, tx, (), &[entry]).await?;
        services.forget_bearers();
    }
    Ok(())
}

/// Shows again that one is who one is.
pub async fn prove(
    services: &Services,
    caller: &Caller,
    from: &str,
    proof: Proof,
) -> Result<SessionView, Error> {
    let own = caller.actor.signed_in.as_ref().ok_or(Error::NotFound)?;
    let known = passwords::of(&mut services.store.read().await?, &caller.actor.person_id).await?;
    let email = known.ok_or(Error::NotFound)?.email;
    let known = recognise(services, &email, &proof.password, from).await?;
    let shown = factors::ask(services, &known.id, proof.code.as_ref()).await?;
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    confirm(&mut tx, &known).await?;
    factors::take(&mut tx, &known.id, &shown, now).await?;
    sessions::prove(&mut tx, &own.session_id, now).await?;
    let entry = caller.entry("session.prove", &own.session_id, json!({}));
    audit::append(&mut tx, &[entry], now);
    tx.conclude().await?;
    services.forget_bearers();
    current(services, caller).await
}

/// Refuses somebody at a screen who has not shown for a while that it is he. A program has nobody to ask.
pub(super) fn fresh(caller: &Caller, now: Timestamp) -> Result<(), Error> {
    let Some(signed_in) = &caller.actor.signed_in else { return Ok(()) };
    if is_fresh(signed_in, now) {
        return Ok(());
    }
    let detail = "this needs your password again (and a code, if you have a second factor): send it to POST /api/v1/sessions/current/proof, then repeat this";
    Err(Error::Forbidden(Told::new("proof_needed", detail)))
}

/// Whether it still counts that somebody has shown who he is.
pub fn is_fresh(signed_in: &SignedIn, now: Timestamp) -> bool {
    now < after(signed_in.proved_at, PROVED)
}

/// Whoever may not sign in any more, or must anew, is signed out.
pub(super) async fn end_all(tx: &mut Tx, person: &PersonId, now: Timestamp) -> Result<(), Error> {
    sessions::end_all(tx, person, now).await?;
    passwords::void(tx, person, now).await?;
    Ok(())
}

/// Links that were made for somebody work no more.
pub(super) async fn void_links(
    tx: &mut Tx,
    person: &PersonId,
    now: Timestamp,
) -> Result<(), Error> {
    Ok(passwords::void(tx, person, now).await?)
}

fn entry(action: &str, session: &Session, detail: serde_json::Value) -> NewEntry {
    NewEntry {
        actor: session.person_id.to_string(),
        action: action.to_owned(),
        subject: session.id.to_string(),
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_and_has_an_end() {
        let failed_at = Timestamp::UNIX_EPOCH;
        let wait = |failures| {
            let until = waits_until(Guesses { failures, failed_at });
            until.map_or(0, Timestamp::as_second)
        };
        let waits: Vec<i64> = [0, 4, 5, 6, 7, 14, 15, 80, u32::MAX].map(wait).to_vec();
        assert_eq!(waits, [0, 0, 1, 2, 4, 512, 900, 900, 900]);
    }
}
