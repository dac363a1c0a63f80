//! The acts on people; so far only the one that makes the first administrator, from the command
//! line of the machine itself.

use argon2::password_hash::PasswordHasher as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::{Error, Services, all_well};
use crate::domain::actor::{Actor, Scopes};
use crate::domain::audit::NewEntry;
use crate::domain::fault::Fault;
use crate::domain::id::PersonId;
use crate::domain::locale;
use crate::store::people::Person;
use crate::store::{audit, people};

/// The longest address of mail (RFC 5321, 4.5.3.1.3).
const LONGEST_EMAIL: usize = 254;
/// The longest name.
const LONGEST_NAME: usize = 200;
/// The shortest password.
const SHORTEST_PASSWORD: usize = 12;

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
    if password.as_ref().is_some_and(|it| it.expose_secret().chars().count() < SHORTEST_PASSWORD) {
        let detail = format!("a password needs at least {SHORTEST_PASSWORD} characters");
        let fault = Fault::new("/password", "password_short", detail);
        faults.push(fault.with("min", SHORTEST_PASSWORD));
    }
    all_well(faults)?;
    let hash = match password {
        Some(password) => Some(hash(password).await?),
        None => None,
    };
    let now = services.clock.now();
    let person = Person {
        id: PersonId::new(now, services.random()),
        email,
        name: name.trim().to_owned(),
        administrator: true,
        disabled_at: None,
        created_at: now,
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
    let person = people::by_email(&mut services.store.read().await?, &email).await?;
    let person = person.filter(|person| person.disabled_at.is_none()).ok_or(Error::NotFound)?;
    Ok(Actor {
        person_id: person.id,
        token_id: None,
        administrator: person.administrator,
        scopes: Scopes::All,
        accounts: None,
    })
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

async fn hash(password: SecretString) -> Result<String, Error> {
    let hashed = tokio::task::spawn_blocking(move || {
        argon2::Argon2::default()
            .hash_password(password.expose_secret().as_bytes())
            .map(|hash| hash.to_string())
    });
    hashed.await.map_err(Error::internal)?.map_err(Error::internal)
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
