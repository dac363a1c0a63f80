//! The acts on API tokens: make, list, revoke.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Caller, Done, Error, Page, Services, Window, all_well, finish, permit, sessions};
use crate::domain::actor::Scopes;
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, PersonId, TokenId};
use crate::domain::locale;
use crate::domain::policy::{Action, Subject};
use crate::domain::token::ApiToken;
use crate::store::tokens::{self, Token};
use crate::store::{Tx, accounts, people};

/// The longest life of a token.
pub(super) const LONGEST_DAYS: i64 = 366;

/// A token to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewToken {
    /// What its owner calls it.
    pub name: String,
    /// Whose it is to be; the caller's own when not said.
    #[serde(default)]
    pub person_id: Option<PersonId>,
    /// What it carries: words such as `posts:write`, or `*` for all that the person may, which is
    /// also what it carries when nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub scopes: Option<Vec<String>>,
    /// The only accounts that it concerns; all when not said.
    #[serde(default)]
    pub accounts: Option<Vec<AccountId>>,
    /// When it ends; at most 366 days from now, and 90 days when not said.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// A token as people see it: never its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub person_id: PersonId,
    /// What its owner calls it.
    pub name: String,
    /// The beginning of it, by which its owner tells it from others.
    pub prefix: String,
    /// What it carries.
    pub scopes: Vec<String>,
    /// The only accounts it concerns.
    pub accounts: Option<Vec<AccountId>>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A token that was just made, with its secret, for once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// Its id.
    pub id: TokenId,
    /// The token. It is not kept and cannot be shown again; in the answer to a repeated request
    /// it is `null`.
    pub token: Option<String>,
    /// What it carries.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CreatedToken({})", self.id)
    }
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        Self {
            id: token.id,
            person_id: token.person_id,
            name: token.name,
            prefix: token.prefix,
            scopes: token.scopes.into(),
            accounts: token.accounts,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            last_used_at: token.last_used_at,
            created_at: token.created_at,
        }
    }
}

/// Makes a token. Nobody can give it more than he has himself.
pub async fn create(
    services: &Services,
    caller: &Caller,
    new: NewToken,
) -> Result<Done<CreatedToken>, Error> {
    let owner = new.person_id.clone().unwrap_or_else(|| caller.actor.person_id.clone());
    permit(caller, Action::WriteTokens, Subject::Person(&owner))?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    sessions::fresh(caller, services.clock.now())?;
    let now = services.clock.now();
    let wanted = wanted(caller, &new, now)?;
    let listed = new.accounts.unwrap_or_default();
    let secret = ApiToken::mint(rand::random());
    let token = Token {
        id: TokenId::new(now, services.random()),
        person_id: owner,
        name: new.name,
        prefix: secret.visible().to_owned(),
        scopes: wanted.scopes,
        accounts: wanted.accounts,
        expires_at: Some(wanted.expires_at),
        revoked_at: None,
        last_used_at: None,
        created_at: now,
    };
    let mut tx = services.store.begin().await?;
    check_references(&mut tx, caller, &token.person_id, &listed).await?;
    tokens::insert(&mut tx, &token, &secret.hash()).await?;
    let detail = json!({
        "name": token.name, "person_id": token.person_id, "scopes": token.scopes,
        "accounts": token.accounts, "prefix": token.prefix,
    });
    let entry = caller.entry("token.create", &token.id, detail);
    // What is kept for a repetition must not contain the secret: only its hash is kept anywhere.
    let kept = CreatedToken {
        id: token.id,
        token: None,
        scopes: token.scopes.into(),
        expires_at: token.expires_at,
    };
    let mut done = finish(services, caller, tx, kept, &[entry]).await?;
    if !done.replayed {
        done.value.token = Some(secret.reveal().to_owned());
    }
    Ok(done)
}

struct Wanted {
    scopes: Scopes,
    accounts: Option<Vec<AccountId>>,
    expires_at: Timestamp,
}

fn wanted(caller: &Caller, new: &NewToken, now: Timestamp) -> Result<Wanted, Error> {
    let mut faults = Vec::new();
    locale::check_line("/name", &new.name, 100, &mut faults);
    let scopes = match &new.scopes {
        None => caller.actor.scopes.clone(),
        Some(words) => Scopes::try_from(words.clone()).unwrap_or_else(|unknown| {
            let detail = format!("unknown scope; there are * and {:?}", unknown.expected);
            faults.push(Fault::new("/scopes", "unknown_scope", detail));
            caller.actor.scopes.clone()
        }),
    };
    if !caller.actor.scopes.covers(&scopes) {
        let detail = "a token cannot carry more than the one it is made with";
        faults.push(Fault::new("/scopes", "scope_beyond_own", detail));
    }
    if matches!(&scopes, Scopes::Only(only) if only.is_empty()) {
        faults.push(Fault::new("/scopes", "blank", "must not be empty"));
    }
    let accounts = accounts_within(caller, new, &mut faults);
    let latest = |days: i64| now.checked_add((days * 24).hours()).unwrap_or(Timestamp::MAX);
    let expires_at = crate::clock::whole_millis(new.expires_at.unwrap_or_else(|| latest(90)));
    if expires_at <= now || expires_at > latest(LONGEST_DAYS) {
        let detail = format!("must lie between now and {LONGEST_DAYS} days from now");
        faults.push(Fault::new("/expires_at", "bad_expiry", detail).with("max", LONGEST_DAYS));
    }
    all_well(faults)?;
    Ok(Wanted { scopes, accounts, expires_at })
}

fn accounts_within(
    caller: &Caller,
    new: &NewToken,
    faults: &mut Vec<Fault>,
) -> Option<Vec<AccountId>> {
    let Some(listed) = &new.accounts else {
        return caller.actor.accounts.as_ref().map(|own| own.iter().cloned().collect());
    };
    for (index, account) in listed.iter().enumerate() {
        if !caller.actor.sees(account) {
            faults.push(unknown_account(index, account));
        }
    }
    let once: BTreeSet<AccountId> = listed.iter().cloned().collect();
    Some(once.into_iter().collect())
}

fn unknown_account(index: usize, account: &AccountId) -> Fault {
    let detail = format!("there is no account {account}");
    Fault::new(format!("/accounts/{index}"), "unknown_reference", detail).with("value", account)
}

/// The accounts as they were listed: a fault names the place where the asker wrote it.
async fn check_references(
    tx: &mut Tx,
    caller: &Caller,
    person: &PersonId,
    listed: &[AccountId],
) -> Result<(), Error> {
    let mut faults = Vec::new();
    match people::find(tx, person).await? {
        None => {
            let detail = format!("there is no person {person}");
            let fault = Fault::new("/person_id", "unknown_reference", detail);
            faults.push(fault.with("value", person));
        }
        // What needs two administrators would need one who has the other's token in his hand.
        Some(owner) if owner.administrator && owner.id != caller.actor.person_id => {
            let detail =
                "an administrator makes his own tokens, or has them made on the machine itself";
            faults.push(Fault::new("/person_id", "administrators_own", detail));
        }
        Some(_) => {}
    }
    let known = accounts::find_many(tx, listed).await?;
    for (index, account) in listed.iter().enumerate() {
        if !known.iter().any(|it| it.id == *account) {
            faults.push(unknown_account(index, account));
        }
    }
    all_well(faults)
}

/// A page of tokens: one's own, and everybody's for an administrator.
pub async fn list(
    services: &Services,
    caller: &Caller,
    window: &Window,
) -> Result<Page<TokenView>, Error> {
    let own = &caller.actor.person_id;
    permit(caller, Action::ReadTokens, Subject::Person(own))?;
    let all = permit(caller, Action::ReadTokens, Subject::Any).is_ok();
    let person = if all && caller.actor.administrator { None } else { Some(own) };
    let after: Option<TokenId> = window.after_id()?;
    let mut reader = services.store.read().await?;
    let rows = tokens::list(&mut reader, person, after.as_ref(), window.rows()).await?;
    let page = window.page(rows, |token| vec![token.id.to_string()]);
    Ok(Page { items: page.items.into_iter().map(TokenView::from).collect(), next: page.next })
}

/// One token.
pub async fn show(services: &Services, caller: &Caller, id: &TokenId) -> Result<TokenView, Error> {
    let mut reader = services.store.read().await?;
    let token = tokens::find(&mut reader, id).await?.ok_or(Error::NotFound)?;
    permit(caller, Action::ReadTokens, Subject::Person(&token.person_id))?;
    Ok(token.into())
}

/// Revokes a token, at once in this process and within a second in others. Doing it twice is no
/// fault.
pub async fn revoke(services: &Services, caller: &Caller, id: &TokenId) -> Result<(), Error> {
    let mut tx = services.store.begin().await?;
    let token = tokens::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    permit(caller, Action::WriteTokens, Subject::Person(&token.person_id))?;
    if tokens::revoke(&mut tx, id, services.clock.now()).await? {
        let entry = caller.entry("token.revoke", id, json!({"name": token.name}));
        finish(services, caller, tx, (), &[entry]).await?;
        services.forget_bearers();
    }
    Ok(())
}
