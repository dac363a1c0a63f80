//! Passwords: what a good one is, what is kept of it, and how people choose theirs.

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use jiff::{Timestamp, ToSpan as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::{Caller, Error, Services, Told, all_well, factors, people, permit, sessions};
use crate::domain::actor::Scopes;
use crate::domain::audit::NewEntry;
use crate::domain::fault::Fault;
use crate::domain::id::PersonId;
use crate::domain::policy::{Action, Subject};
use crate::domain::session::Key;
use crate::domain::text::nfc;
use crate::store::passwords::{self, Known, NewInvitation};
use crate::store::{Tx, audit, sessions as rows};

/// The shortest password.
pub(super) const SHORTEST: usize = 12;
/// The longest: a hash of more only costs time.
const LONGEST: usize = 256;
/// How hard to guess it must be, of 4: a program that asks us needs years (the scale of zxcvbn).
const HARD: zxcvbn::Score = zxcvbn::Score::Three;
/// For how long a link may be used, in hours.
const LINK_HOURS: i64 = 72;

/// Turns for hashing: each takes 19 MiB and tens of milliseconds of a processor.
static TURNS: Semaphore = Semaphore::const_new(2);

/// A password that a person has chosen, and what shows that he is the one: the key of a link that was made for him,
/// or his address with the password that he has now.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewPassword {
    /// What stands in the link, behind `#`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub key: Option<SecretString>,
    /// His address.
    #[serde(default)]
    pub email: Option<String>,
    /// The password that he has now.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub current: Option<SecretString>,
    /// With the password that he has now: the code of his second factor, where he has one, or a recovery code.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub code: Option<SecretString>,
    /// The new one: at least 12 characters, and hard to guess.
    #[schema(value_type = String, format = Password)]
    pub password: SecretString,
}

/// A link by which a person chooses his password.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Invitation {
    /// For whom.
    pub person_id: PersonId,
    /// The link. It is shown once, works once, and makes earlier ones void.
    pub link: String,
    /// Until when it works.
    pub ends_at: Timestamp,
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Invitation({})", self.person_id)
    }
}

/// Makes a link by which a person chooses his password, to be handed to him. Whoever may change the person
/// himself may do this.
pub async fn invite(
    services: &Services,
    caller: &Caller,
    id: &PersonId,
) -> Result<Invitation, Error> {
    permit(caller, Action::WritePeople, Subject::Any)?;
    sessions::fresh(caller, services.clock.now())?;
    let mut tx = services.store.begin().await?;
    let person = people::answer_for(&mut tx, caller, id).await?;
    if person.id == caller.actor.person_id || caller.actor.scopes != Scopes::All {
        // A token that carries little would become its owner, who may do everything.
        let detail = "whoever has a password changes it with it; and with a token that carries only some rights no \
                      link can be made";
        return Err(Error::Forbidden(Told::new("link_beyond_own", detail)));
    }
    if person.administrator {
        // What needs two administrators would need one who has chosen the other's password.
        let detail = "an administrator of everything has his link made on the machine itself";
        return Err(Error::Forbidden(Told::new("administrators_own", detail)));
    }
    let known = passwords::of(&mut tx, id).await?;
    if known.is_some_and(|it| it.hash.is_some()) {
        // Whoever approves and whoever has his password made are two people.
        permit(caller, Action::WritePeople, Subject::Everything)?;
    }
    link(services, tx, &person.id, caller.entry("person.invite", id, json!({}))).await
}

/// The same for whoever may run commands on the machine.
pub async fn invite_at_the_console(services: &Services, email: &str) -> Result<Invitation, Error> {
    let person = people::at_the_console(services, email).await?.person_id;
    let entry = NewEntry {
        actor: "console".to_owned(),
        action: "person.invite".to_owned(),
        subject: person.to_string(),
        detail: json!({}),
    };
    link(services, services.store.begin().await?, &person, entry).await
}

async fn link(
    services: &Services,
    mut tx: Tx,
    id: &PersonId,
    entry: NewEntry,
) -> Result<Invitation, Error> {
    let now = services.clock.now();
    if !passwords::is_still(&mut tx, id, None).await? {
        let detail = "somebody who may not sign in needs no password; let him in first";
        return Err(Error::Conflict(Told::new("person_disabled", detail)));
    }
    let key = Key::mint(rand::random());
    let ends_at = now.checked_add(LINK_HOURS.hours()).unwrap_or(Timestamp::MAX);
    let hash = key.hash();
    let new = NewInvitation { hash: &hash, person_id: id, made_by: &entry.actor, ends_at };
    passwords::invite(&mut tx, new, now).await?;
    audit::append(&mut tx, &[entry], now);
    tx.conclude().await?;
    let base = services.config.server.public_url.as_str().trim_end_matches('/');
    // Behind `#`: what stands there is sent to no server and stands in no log.
    let link = format!("{base}/password#{}", key.reveal());
    Ok(Invitation { person_id: id.clone(), link, ends_at })
}

/// Keeps the password that a person has chosen. Wherever he is signed in he must sign in again.
pub async fn choose(services: &Services, from: &str, new: NewPassword) -> Result<(), Error> {
    let now = services.clock.now();
    let (person, key, shown) = match (&new.key, &new.email, &new.current) {
        (Some(key), None, None) => {
            let key = Key::parse(key.expose_secret()).ok_or_else(void)?;
            let mut reader = services.store.read().await?;
            let id = passwords::invited(&mut reader, &key.hash(), now).await?.ok_or_else(void)?;
            let person = passwords::of(&mut reader, &id).await?.ok_or_else(void)?;
            (person, Some(key), None)
        }
        (None, Some(email), Some(current)) => {
            let person = sessions::recognise(services, email, current, from).await?;
            let shown = factors::ask(services, &person.id, new.code.as_ref()).await?;
            (person, None, Some(shown))
        }
        (Some(_) | None, _, _) => {
            let detail = "send the key of a link, or the address and the current password";
            return Err(Error::fault("", "who_chooses", detail));
        }
    };
    all_well(check(&new.password, &[&person.email, &person.name]).await?)?;
    let hash = hash(&new.password).await?;
    let mut tx = services.store.begin().await?;
    match &key {
        Some(key) => {
            if !passwords::use_up(&mut tx, &key.hash(), now).await? {
                return Err(void());
            }
        }
        None => sessions::confirm(&mut tx, &person).await?,
    }
    if let Some(shown) = &shown {
        factors::take(&mut tx, &person.id, shown, now).await?;
    }
    if !passwords::set(&mut tx, &person.id, &hash).await? {
        return Err(void());
    }
    passwords::void(&mut tx, &person.id, now).await?;
    let ended = rows::end_all(&mut tx, &person.id, now).await?;
    let entry = NewEntry {
        actor: person.id.to_string(),
        action: "person.password".to_owned(),
        subject: person.id.to_string(),
        detail: json!({"by_link": key.is_some(), "sessions_ended": ended}),
    };
    audit::append(&mut tx, &[entry], now);
    tx.conclude().await?;
    services.forget_bearers();
    Ok(())
}

fn void() -> Error {
    let detail = "the link was used, has ended, or another was made since; ask an administrator for a new one";
    Error::Conflict(Told::new("link_void", detail))
}

/// What is wrong with a password, for somebody of whom these words are known.
pub(super) async fn check(password: &SecretString, known: &[&str]) -> Result<Vec<Fault>, Error> {
    let password = composed(password);
    let length = password.expose_secret().chars().count();
    if length < SHORTEST {
        let detail = format!("a password needs at least {SHORTEST} characters");
        return Ok(vec![Fault::new("/password", "password_short", detail).with("min", SHORTEST)]);
    }
    if length > LONGEST {
        let detail = format!("a password has at most {LONGEST} characters");
        return Ok(vec![Fault::new("/password", "too_long", detail).with("max", LONGEST)]);
    }
    let known = known.join(" ");
    let score = in_turn(move || {
        let password = password.expose_secret();
        let known: Vec<&str> = known.split([' ', '@', '.']).chain(["chancery"]).collect();
        // Words in a row count for much; what is left without his own must be hard by itself.
        let long = known.iter().filter(|word| word.chars().count() > 2);
        let bare =
            long.fold(password.to_lowercase(), |it, word| it.replace(&word.to_lowercase(), ""));
        let scores = [zxcvbn::zxcvbn(password, &known), zxcvbn::zxcvbn(&bare, &[])];
        scores.iter().map(zxcvbn::Entropy::score).min()
    });
    if score.await?.is_some_and(|score| score >= HARD) {
        return Ok(Vec::new());
    }
    let detail = "it is among the passwords that are tried first, or made of such words, of names or of rows of \
                  keys; four words by chance are easy to keep and hard to guess";
    Ok(vec![Fault::new("/password", "password_weak", detail)])
}

/// What is kept of a password.
pub(super) async fn hash(password: &SecretString) -> Result<String, Error> {
    let password = composed(password);
    let hashed = in_turn(move || {
        let hashed = argon2::Argon2::default().hash_password(password.expose_secret().as_bytes());
        hashed.map(|hash| hash.to_string())
    });
    hashed.await?.map_err(Error::internal)
}

/// Whether a password is this person's. It takes as long when there is no such person.
pub(super) async fn is_right(
    known: Option<&Known>,
    password: &SecretString,
) -> Result<bool, Error> {
    let Some(kept) = known.and_then(|it| it.hash.clone()) else {
        hash(password).await?;
        return Ok(false);
    };
    let password = composed(password);
    in_turn(move || {
        let offered = password.expose_secret().as_bytes();
        argon2::Argon2::default().verify_password(offered, kept.as_str()).is_ok()
    })
    .await
}

/// One keyboard writes a letter with its marks as one character, another as several.
fn composed(password: &SecretString) -> SecretString {
    SecretString::from(nfc(password.expose_secret()))
}

/// Does what takes long, where nobody else waits for it.
async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let turn = TURNS.acquire().await.map_err(Error::internal)?;
    // Whoever asks may go away; the turn is over when the work is.
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    done.await.map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn faults(password: &str) -> Vec<&'static str> {
        let secret = SecretString::from(password);
        let found = check(&secret, &["an.nguyen@mofa.gov.vn", "An Nguyễn"]).await.unwrap();
        found.into_iter().map(|it| it.code).collect()
    }

    #[tokio::test]
    async fn what_is_tried_first_is_refused() {
        assert_eq!(faults("matkhau").await, ["password_short"]);
        assert_eq!(faults(&"a".repeat(257)).await, ["too_long"]);
        for weak in
            ["password1234", "qwertyuiop123", "iloveyou2026", "an.nguyen2026", "aaaaaaaaaaaaaaaa"]
        {
            assert_eq!(faults(weak).await, ["password_weak"], "{weak}");
        }
        for good in ["giếng bút mưa đá", "correct horse battery staple", "x7#Lq0!vRz9s"] {
            assert_eq!(faults(good).await, Vec::<&str>::new(), "{good}");
        }
    }

    #[tokio::test]
    async fn only_the_password_itself_is_right() {
        let [right, wrong] = ["giếng bút mưa đá", "giếng bút mưa"].map(SecretString::from);
        let known = Known {
            id: PersonId::new(Timestamp::UNIX_EPOCH, 7),
            email: String::new(),
            name: String::new(),
            hash: Some(hash(&right).await.unwrap()),
        };
        assert!(is_right(Some(&known), &right).await.unwrap());
        let apart = "gie\u{302}\u{301}ng bu\u{301}t mu\u{31b}a \u{111}a\u{301}";
        assert!(is_right(Some(&known), &SecretString::from(apart)).await.unwrap());
        assert!(!is_right(Some(&known), &wrong).await.unwrap());
        let unset = Known { hash: None, ..known };
        assert!(!is_right(Some(&unset), &right).await.unwrap());
        assert!(!is_right(None, &right).await.unwrap());
    }
}
