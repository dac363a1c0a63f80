//! Second factors: an app on somebody's phone whose code is asked for besides his password (RFC 6238), and codes on
//! paper for when the phone is lost.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use totp_rs::{Builder, Secret, Totp};
use utoipa::ToSchema;

use super::{Caller, Error, Services, Told, people, permit, sessions};
use crate::domain::actor::Scopes;
use crate::domain::audit::NewEntry;
use crate::domain::id::PersonId;
use crate::domain::policy::{Action, Subject};
use crate::domain::session::SignedIn;
use crate::domain::variant::sha256_hex;
use crate::domain::words;
use crate::store::factors::{self, Factor};
use crate::store::{Reader, Tx, audit, passwords, sessions as rows};
use crate::vault::{Binding, Sealed};

/// What apps show above the code.
const ISSUER: &str = "Chancery";
/// How many codes on paper somebody gets.
const CODES: usize = 10;
/// How many random bytes a code on paper has: beyond guessing, so that nobody waits for having tried some.
const CODE_BYTES: usize = 10;
/// How many letters that are.
const CODE_LENGTH: usize = 16;

words! {
    /// Whether a code is asked for besides the password.
    FactorState {
        /// No.
        Off = "off",
        /// Not before the first code of the app has come.
        Pending = "pending",
        /// Yes.
        On = "on",
    }
}

/// A second factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FactorView {
    /// Whether a code is asked for besides the password.
    pub state: FactorState,
    /// Since when.
    pub since: Option<Timestamp>,
    /// How many codes on paper are left.
    pub recovery_codes_left: u32,
    /// Whether everybody must have one here (`sign_in.second_factor_required`).
    pub required: bool,
}

/// What an app is to keep. Shown once.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FactorSecret {
    /// The secret, to be typed.
    pub secret: String,
    /// The same as an address, to be shown as a QR code.
    pub uri: String,
}

/// Codes on paper, each good once. Shown once.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// The codes.
    pub codes: Vec<String>,
}

macro_rules! silent {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}
silent!(FactorSecret, RecoveryCodes);

/// A code that somebody types.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct TypedCode {
    /// The six digits that the app shows.
    #[schema(value_type = String, format = Password)]
    pub code: SecretString,
}

/// A code that fits, to be used up where something is written.
#[derive(Debug)]
pub(super) enum Shown {
    /// None is asked for.
    Nothing,
    /// Of the app: its version and the half minute.
    Step((i64, i64)),
    /// On paper: its hash.
    Paper(String),
}

/// How one's own stands.
pub async fn show(services: &Services, caller: &Caller) -> Result<FactorView, Error> {
    let own = &caller.actor.person_id;
    permit(caller, Action::ReadTokens, Subject::Person(own))?;
    view(services, &mut services.store.read().await?, own).await
}

/// Makes the secret for an app. Nothing is asked for before `confirm`; until then each new one makes those before
/// void.
pub async fn set_up(services: &Services, caller: &Caller) -> Result<FactorSecret, Error> {
    let now = services.clock.now();
    at_a_screen(caller)?;
    sessions::fresh(caller, now)?;
    let own = &caller.actor.person_id;
    let mut tx = services.store.begin().await?;
    let known = passwords::of(&mut tx, own).await?.ok_or(Error::NotFound)?;
    // His row first: two that begin at once begin one after the other. Never the number of one that was taken away.
    passwords::is_still(&mut tx, own, None).await?;
    let before = factors::find(&mut tx, own).await?.map_or(0, |it| it.version);
    let version = now.as_millisecond().max(before + 1);
    let secret = SecretString::from(Secret::generate().to_base32());
    let totp = totp(&secret, &known.email)?;
    let sealed = services.vault.seal(bound(own, version), &secret).map_err(Error::internal)?;
    if !factors::begin(&mut tx, own, version, (&sealed.key_id, &sealed.bytes), now).await? {
        let detail =
            "a code is asked for already; remove the second factor first to set up another app";
        return Err(Error::Conflict(Told::new("second_factor_on", detail)));
    }
    let entry = caller.entry("second_factor.begin", own, json!({}));
    audit::append(&mut tx, &[entry], now);
    tx.conclude().await?;
    let uri = totp.to_url().map_err(Error::internal)?;
    Ok(FactorSecret { secret: secret.expose_secret().to_owned(), uri })
}

/// The app works: from now on its codes are asked for. Wherever else he is signed in he must sign in again.
pub async fn confirm(
    services: &Services,
    caller: &Caller,
    typed: &TypedCode,
) -> Result<RecoveryCodes, Error> {
    let here = at_a_screen(caller)?;
    let own = &caller.actor.person_id;
    let mut reader = services.store.read().await?;
    let factor = factors::find(&mut reader, own).await?.filter(|it| it.confirmed_at.is_none());
    let Some(factor) = factor else {
        let detail = "no app waits to be confirmed; begin with POST /api/v1/second-factor";
        return Err(Error::Conflict(Told::new("second_factor_not_begun", detail)));
    };
    drop(reader);
    let now = services.clock.now();
    let step = step(services, own, &factor, &typed.code, now).await?;
    let (codes, hashes) = paper();
    let mut tx = services.store.begin().await?;
    // His row first, as whoever signs him in.
    let may = passwords::is_still(&mut tx, own, None).await?;
    if !may || !factors::confirm(&mut tx, own, (factor.version, step), now).await? {
        return Err(refused());
    }
    passwords::right(&mut tx, &sessions::named(&counted(own))).await?;
    factors::write_codes(&mut tx, own, &hashes, now).await?;
    let ended = rows::end_others(&mut tx, own, &here.session_id, now).await?;
    let entry = caller.entry("second_factor.on", own, json!({"sessions_ended": ended}));
    audit::append(&mut tx, &[entry], now);
    tx.conclude().await?;
    services.forget_bearers();
    Ok(codes)
}

/// New codes on paper, in the place of all before.
pub async fn renew_codes(services: &Services, caller: &Caller) -> Result<RecoveryCodes, Error> {
    let now = services.clock.now();
    at_a_screen(caller)?;
    sessions::fresh(caller, now)?;
    let own = &caller.actor.person_id;
    let (codes, hashes) = paper();
    let mut tx = services.store.begin().await?;
    passwords::is_still(&mut tx, own, None).await?;
    if !factors::is_on(&mut tx, own).await? {
        return Err(not_on());
    }
    factors::write_codes(&mut tx, own, &hashes, now).await?;
    audit::append(&mut tx, &[caller.entry("second_factor.codes", own, json!({}))], now);
    tx.conclude().await?;
    Ok(codes)
}

/// Takes one's own away: only the password is asked for then.
pub async fn remove(services: &Services, caller: &Caller) -> Result<(), Error> {
    let now = services.clock.now();
    at_a_screen(caller)?;
    sessions::fresh(caller, now)?;
    let own = &caller.actor.person_id;
    take_away(services, own, caller.entry("second_factor.off", own, json!({})), false).await
}

/// Takes somebody else's away, whose phone and paper are lost. He signs in anew, with his password alone.
pub async fn reset(services: &Services, caller: &Caller, id: &PersonId) -> Result<(), Error> {
    permit(caller, Action::WritePeople, Subject::Any)?;
    sessions::fresh(caller, services.clock.now())?;
    let person = people::answer_for(&mut services.store.read().await?, caller, id).await?;
    // Whoever can do this and make links could become anybody: both are for administrators of everything.
    permit(caller, Action::WritePeople, Subject::Everything)?;
    if caller.actor.scopes != Scopes::All {
        let detail =
            "with a token that carries only some rights nobody's second factor is taken away";
        return Err(Error::Forbidden(Told::new("link_beyond_own", detail)));
    }
    if person.id == caller.actor.person_id {
        let detail = "your own is removed at DELETE /api/v1/second-factor, with a code";
        return Err(Error::Forbidden(Told::new("own_second_factor", detail)));
    }
    if person.administrator {
        let detail = "that of an administrator of everything is taken away on the machine itself";
        return Err(Error::Forbidden(Told::new("administrators_own", detail)));
    }
    take_away(services, id, caller.entry("second_factor.reset", id, json!({})), true).await
}

/// The same for whoever may run commands on the machine.
pub async fn reset_at_the_console(services: &Services, email: &str) -> Result<(), Error> {
    let person = people::at_the_console(services, email).await?.person_id;
    let entry = NewEntry {
        actor: "console".to_owned(),
        action: "second_factor.reset".to_owned(),
        subject: person.to_string(),
        detail: json!({}),
    };
    take_away(services, &person, entry, true).await
}

async fn take_away(
    services: &Services,
    person: &PersonId,
    entry: NewEntry,
    ends_sessions: bool,
) -> Result<(), Error> {
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    passwords::is_still(&mut tx, person, None).await?;
    if !factors::remove(&mut tx, person).await? {
        return Err(not_on());
    }
    if ends_sessions {
        rows::end_all(&mut tx, person, now).await?;
    }
    audit::append(&mut tx, &[entry], now);
    tx.conclude().await?;
    services.forget_bearers();
    Ok(())
}

/// What the person who gave the right password shows besides it. Codes of the app can be guessed, so wrong ones make
/// the next wait, from wherever they come.
pub(super) async fn ask(
    services: &Services,
    person: &PersonId,
    code: Option<&SecretString>,
) -> Result<Shown, Error> {
    let mut reader = services.store.read().await?;
    let factor = factors::find(&mut reader, person).await?;
    drop(reader);
    let Some(factor) = factor.filter(|it| it.confirmed_at.is_some()) else {
        return Ok(Shown::Nothing);
    };
    let Some(code) = code else {
        let detail = "the password is right; send the code of your app, or one of your recovery codes, as code";
        return Err(Error::Unknown(Told::new("code_needed", detail)));
    };
    if let Some(hash) = on_paper(code.expose_secret()) {
        return Ok(Shown::Paper(hash));
    }
    let now = services.clock.now();
    Ok(Shown::Step((factor.version, step(services, person, &factor, code, now).await?)))
}

/// Uses up what was shown, and makes sure that no more is asked for than that.
pub(super) async fn take(
    tx: &mut Tx,
    person: &PersonId,
    shown: &Shown,
    now: Timestamp,
) -> Result<(), Error> {
    let fits = match shown {
        Shown::Nothing => !factors::is_on(tx, person).await?,
        Shown::Step(step) => {
            passwords::right(tx, &sessions::named(&counted(person))).await?;
            factors::use_step(tx, person, *step).await?
        }
        Shown::Paper(hash) => factors::use_code(tx, person, hash, now).await?,
    };
    if fits { Ok(()) } else { Err(refused()) }
}

/// The half minute to which a code of an app belongs: the one of now, or one beside it.
async fn step(
    services: &Services,
    person: &PersonId,
    factor: &Factor,
    code: &SecretString,
    now: Timestamp,
) -> Result<i64, Error> {
    let counted = counted(person);
    sessions::wait_over(services, &counted, now).await?;
    let sealed = Sealed { key_id: factor.key_id.clone(), bytes: factor.sealed.clone() };
    let secret = services.vault.open(bound(person, factor.version), &sealed);
    let totp = totp(&secret.map_err(Error::internal)?, "-")?;
    let typed: String =
        code.expose_secret().chars().filter(|it| !it.is_whitespace()).take(CODE_LENGTH).collect();
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    if let Some(step) = totp.check(&typed, seconds).and_then(|it| i64::try_from(it).ok()) {
        return Ok(step);
    }
    sessions::note_wrong(services, &counted).await?;
    tracing::warn!(person.id = %person, "a wrong code of a second factor");
    Err(refused())
}

/// Under what wrong codes are counted: not under the address, or whoever knows no password could make others wait
/// for their codes.
fn counted(person: &PersonId) -> String {
    format!("code {person}")
}

fn totp(secret: &SecretString, email: &str) -> Result<Totp, Error> {
    let secret = Secret::try_from_base32(secret.expose_secret()).map_err(Error::internal)?;
    let name = email.replace(':', "-");
    let builder = Builder::new().with_secret(secret).with_account_name(name.as_str());
    builder.with_issuer(Some(ISSUER)).build().map_err(Error::internal)
}

pub(super) fn bound(person: &PersonId, version: i64) -> Binding<'_> {
    Binding { platform: "second_factor", remote_id: person.as_str(), version }
}

/// Fresh codes on paper, and what is kept of them.
fn paper() -> (RecoveryCodes, Vec<String>) {
    let (mut codes, mut hashes) = (Vec::new(), Vec::new());
    for _ in 0..CODES {
        let random: [u8; CODE_BYTES] = rand::random();
        let letters = Secret::new(Box::new(random)).to_base32();
        hashes.push(sha256_hex(letters.as_bytes()));
        let groups: Vec<&str> =
            [0, 4, 8, 12].iter().filter_map(|at| letters.get(*at..at + 4)).collect();
        codes.push(groups.join("-"));
    }
    (RecoveryCodes { codes }, hashes)
}

/// The hash of what may be a code on paper, however it was typed.
fn on_paper(typed: &str) -> Option<String> {
    let letters: String = typed
        .chars()
        .filter(|it| !it.is_whitespace() && *it != '-')
        .map(|it| it.to_ascii_uppercase())
        .take(CODE_LENGTH + 1)
        .collect();
    let is = letters.len() == CODE_LENGTH
        && letters.bytes().all(|it| matches!(it, b'A'..=b'Z' | b'2'..=b'7'));
    is.then(|| sha256_hex(letters.as_bytes()))
}

async fn view(
    services: &Services,
    reader: &mut Reader,
    person: &PersonId,
) -> Result<FactorView, Error> {
    let factor = factors::find(reader, person).await?;
    let since = factor.as_ref().and_then(|it| it.confirmed_at);
    let state = match (&factor, since) {
        (None, _) => FactorState::Off,
        (Some(_), None) => FactorState::Pending,
        (Some(_), Some(_)) => FactorState::On,
    };
    Ok(FactorView {
        state,
        since,
        recovery_codes_left: factors::codes_left(reader, person).await?,
        required: services.config.sign_in.second_factor_required,
    })
}

/// A program has no phone.
fn at_a_screen(caller: &Caller) -> Result<&SignedIn, Error> {
    caller.actor.signed_in.as_ref().ok_or(Error::NotFound)
}

fn refused() -> Error {
    let detail = "the code is wrong, too old, or was used before; wait for the next one of the app, or use another \
                  recovery code";
    Error::Unknown(Told::new("code_refused", detail))
}

fn not_on() -> Error {
    Error::Conflict(Told::new("second_factor_off", "there is no second factor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_paper_is_read_as_people_type_it() {
        let (codes, hashes) = paper();
        assert_eq!((codes.codes.len(), hashes.len()), (CODES, CODES));
        for (code, hash) in codes.codes.iter().zip(&hashes) {
            assert_eq!(code.len(), CODE_LENGTH + 3, "{code}");
            let typed = format!(" {} ", code.to_lowercase().replace('-', " "));
            assert_eq!(on_paper(&typed).as_ref(), Some(hash));
        }
        for other in
            ["123456", "", "ABCD-EFGH-IJKL-MNO", "ABCD-EFGH-IJKL-MNOPQ", "ABCD-EFGH-IJKL-MNO1"]
        {
            assert_eq!(on_paper(other), None, "{other}");
        }
        assert_eq!(format!("{codes:?}"), "RecoveryCodes(…)");
    }

    /// The vectors of RFC 6238, appendix B, to six digits, for the secret "12345678901234567890".
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = SecretString::from("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let totp = totp(&secret, "an@mofa.example").unwrap();
        for (second, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            assert_eq!(totp.check(code, second), Some(second / 30), "{second}");
            assert_eq!(totp.check(code, second + 30), Some(second / 30), "a late one");
            assert_eq!(totp.check(code, second + 60), None, "too late");
        }
        let uri = totp.to_url().unwrap();
        assert!(
            uri.starts_with("otpauth://totp/Chancery:an%40mofa.example?secret=GEZDGNBVGY3TQOJQ"),
            "{uri}"
        );
    }
}
