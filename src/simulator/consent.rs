//! Who has let an application act for them: people, codes, their tokens, and families of refresh tokens.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::records::{Death, Platform};
use super::world::World;
use crate::clock;

/// A person who may act for Pages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Person {
    /// The decimal id.
    pub id: String,
    /// The name people see.
    pub name: String,
    /// The Pages on which the person has a role of his own.
    pub pages: Vec<Role>,
    /// The portfolios through which he reaches others.
    pub businesses: Vec<Business>,
}

/// What a person may do on one Page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Role {
    /// The Page's id.
    pub page: String,
    /// `CREATE_CONTENT`, `MANAGE` and so on.
    pub tasks: Vec<String>,
}

impl Role {
    /// Everything on a Page.
    pub fn full(page: &str) -> Self {
        let tasks = ["ANALYZE", "ADVERTISE", "MODERATE", "CREATE_CONTENT", "MANAGE"];
        Self { page: page.to_owned(), tasks: tasks.map(str::to_owned).to_vec() }
    }
}

/// A business portfolio.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Business {
    /// The decimal id.
    pub id: String,
    /// The name people see.
    pub name: String,
    /// The Pages that it owns.
    pub owned: Vec<Role>,
    /// The Pages that others let it work on.
    pub client: Vec<Role>,
}

/// A code that an application may exchange once.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) platform: Platform,
    /// The person, or the account on X.
    pub(crate) subject: String,
    pub(crate) client: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) redirect: String,
    /// The method and the challenge itself.
    pub(crate) challenge: Option<(String, String)>,
    pub(crate) made_at: Timestamp,
    pub(crate) used: bool,
}

/// A token that acts for a person.
#[derive(Debug, Clone)]
pub(crate) struct PersonToken {
    pub(crate) person: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) ends_at: Timestamp,
    pub(crate) long: bool,
    pub(crate) death: Option<Death>,
}

/// All that came of one consent on X: it lives and dies together.
#[derive(Debug, Clone)]
struct Family {
    user: String,
    client: String,
    scopes: Vec<String>,
    dead: bool,
    /// The only refresh token that works.
    current: String,
    access: Vec<String>,
}

/// What a consent or a refresh gives.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) scopes: Vec<String>,
}

/// Everything that was consented to.
#[derive(Debug, Default)]
pub(crate) struct Consents {
    people: BTreeMap<String, Person>,
    codes: HashMap<String, Code>,
    person_tokens: HashMap<String, PersonToken>,
    families: Vec<Family>,
    /// The family of each refresh token there ever was, and how often it was presented.
    refresh: BTreeMap<String, (usize, u32)>,
    redirects: BTreeMap<Platform, Vec<String>>,
    client: Client,
    /// The application's key and secret of OAuth 1.0a.
    consumer: Option<(String, String)>,
    signers: HashMap<String, Signer>,
    /// What made signed requests others.
    nonces: HashSet<String>,
    made: u64,
}

/// A token of OAuth 1.0a. It does not end.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub(crate) user: String,
    pub(crate) secret: String,
}

/// The application as X knows it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    /// None for a public one.
    pub(crate) secret: Option<String>,
}

impl Default for Client {
    fn default() -> Self {
        Self { id: "sim-client".to_owned(), secret: None }
    }
}

impl Consents {
    pub(crate) fn person(&self, id: &str) -> Option<&Person> {
        self.people.get(id)
    }

    pub(crate) fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// Whether an application may ask to be answered there. Without any registered, everywhere.
    pub(crate) fn may_redirect(&self, platform: Platform, to: &str) -> bool {
        let registered = self.redirects.get(&platform).filter(|list| !list.is_empty());
        let is_address = url::Url::parse(to).is_ok_and(|url| url.has_host());
        is_address && registered.is_none_or(|list| list.iter().any(|it| it == to))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn consumer(&self) -> Option<(String, String)> {
        self.consumer.clone()
    }

    pub(crate) fn signer(&self, token: &str) -> Option<Signer> {
        self.signers.get(token).cloned()
    }

    /// Takes what makes a signed request another one; false when it was taken before.
    pub(crate) fn take_nonce(&mut self, once: String) -> bool {
        self.nonces.insert(once)
    }

    /// A word that was never given before.
    pub(crate) fn mint(&mut self, kind: &str, of: &str) -> String {
        self.made += 1;
        format!("sim-{kind}-{of}-{:06}-{:016x}", self.made, rand::random::<u64>())
    }

    pub(crate) fn give_code(&mut self, code: Code) -> String {
        let word = self.mint("code", &code.subject);
        self.codes.insert(word.clone(), code);
        word
    }

    /// The code as it was before this use of it.
    pub(crate) fn use_code(&mut self, platform: Platform, word: &str) -> Option<Code> {
        let code = self.codes.get_mut(word).filter(|code| code.platform == platform)?;
        let before = code.clone();
        code.used = true;
        Some(before)
    }

    pub(crate) fn give_person_token(&mut self, token: PersonToken) -> String {
        let word = self.mint("person-token", &token.person);
        self.person_tokens.insert(word.clone(), token);
        word
    }

    pub(crate) fn person_token(&self, word: &str) -> Option<&PersonToken> {
        self.person_tokens.get(word)
    }
}

impl World {
    pub(crate) fn consents(&self) -> MutexGuard<'_, Consents> {
        self.consents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a person who may act for Pages, or replaces the one with that id.
    pub fn add_person(&self, person: Person) {
        self.consents().people.insert(person.id.clone(), person);
    }

    /// Says to which addresses a platform sends people back; with none, to any.
    pub fn set_redirects(&self, platform: Platform, addresses: &[&str]) {
        let addresses = addresses.iter().map(|&it| it.to_owned()).collect();
        self.consents().redirects.insert(platform, addresses);
    }

    /// Says what X calls the application; one without a secret is public.
    pub fn set_x_client(&self, id: &str, secret: Option<&str>) {
        self.consents().client = Client { id: id.to_owned(), secret: secret.map(str::to_owned) };
    }

    /// Says with what X lets the application sign requests.
    pub fn set_x_consumer(&self, key: &str, secret: &str) {
        self.consents().consumer = Some((key.to_owned(), secret.to_owned()));
    }

    /// Gives an account on X a token of OAuth 1.0a with its secret.
    pub fn add_x_signer(&self, user: &str, token: &str, secret: &str) {
        let signer = Signer { user: user.to_owned(), secret: secret.to_owned() };
        self.consents().signers.insert(token.to_owned(), signer);
    }

    /// Takes such a token back.
    pub fn remove_x_signer(&self, token: &str) {
        self.consents().signers.remove(token);
    }

    /// Gives somebody a token without an end, as system users have.
    pub fn add_system_token(&self, person: &str, token: &str, scopes: &[&str]) {
        let record = PersonToken {
            person: person.to_owned(),
            scopes: scopes.iter().map(|&it| it.to_owned()).collect(),
            ends_at: Timestamp::MAX,
            long: true,
            death: None,
        };
        self.consents().person_tokens.insert(token.to_owned(), record);
    }

    /// Lets a person's token die.
    pub fn revoke_person_token(&self, token: &str, reason: Death) {
        if let Some(token) = self.consents().person_tokens.get_mut(token) {
            token.death = Some(reason);
        }
    }

    /// How often each refresh token was presented, living or dead.
    pub fn presented(&self) -> BTreeMap<String, u32> {
        let consents = self.consents();
        consents.refresh.iter().map(|(word, (_, times))| (word.clone(), *times)).collect()
    }

    /// What a person's consent gives the application that X knows: an access and a refresh token.
    pub fn consent(&self, user: &str) -> [String; 2] {
        let client = self.consents().client().id.clone();
        let scopes = ["tweet.read", "tweet.write", "users.read", "media.write", "offline.access"];
        let pair = self.found_family(user, &client, scopes.map(str::to_owned).to_vec());
        [pair.access, pair.refresh.unwrap_or_default()]
    }

    /// Begins a family for an account on X.
    pub(crate) fn found_family(&self, user: &str, client: &str, scopes: Vec<String>) -> Pair {
        let refreshable = scopes.iter().any(|scope| scope == "offline.access");
        let mut consents = self.consents();
        let access = consents.mint("access-token", user);
        let mut family = Family {
            user: user.to_owned(),
            client: client.to_owned(),
            scopes: scopes.clone(),
            dead: false,
            current: String::new(),
            access: vec![access.clone()],
        };
        let number = consents.families.len();
        let refresh = refreshable.then(|| consents.mint("refresh-token", user));
        if let Some(word) = &refresh {
            family.current.clone_from(word);
            consents.refresh.insert(word.clone(), (number, 0));
        }
        consents.families.push(family);
        drop(consents);
        self.give_access(user, &access);
        Pair { access, refresh, scopes }
    }

    /// Takes a refresh token for a new pair; `None` when it is worth nothing. One that was replaced
    /// before kills all that came of its consent, unless the settings say otherwise.
    pub(crate) fn refresh(&self, client: &str, presented: &str) -> Option<Pair> {
        let settings = self.settings();
        let mut consents = self.consents();
        let (number, times) = consents.refresh.get_mut(presented)?;
        *times += 1;
        let number = *number;
        let family = consents.families.get(number)?.clone();
        if family.dead || family.client != client {
            return None;
        }
        if family.current != presented {
            if settings.x.refresh_family_kill {
                if let Some(family) = consents.families.get_mut(number) {
                    family.dead = true;
                }
                drop(consents);
                for token in &family.access {
                    self.revoke(token, Death::Invalid);
                }
            }
            return None;
        }
        let access = consents.mint("access-token", &family.user);
        let refresh = if settings.x.refresh_rotation {
            let word = consents.mint("refresh-token", &family.user);
            consents.refresh.insert(word.clone(), (number, 0));
            word
        } else {
            presented.to_owned()
        };
        if let Some(family) = consents.families.get_mut(number) {
            family.current.clone_from(&refresh);
            family.access.push(access.clone());
        }
        drop(consents);
        self.give_access(&family.user, &access);
        Some(Pair { access, refresh: Some(refresh), scopes: family.scopes })
    }

    /// Takes a token back; a refresh token with all that came of its consent.
    pub(crate) fn take_back(&self, token: &str) {
        let mut consents = self.consents();
        let number = consents.refresh.get(token).map(|(number, _)| *number);
        let mut lost = vec![token.to_owned()];
        if let Some(number) = number
            && let Some(family) = consents.families.get_mut(number)
        {
            family.dead = true;
            lost.extend(family.access.iter().cloned());
        }
        drop(consents);
        for token in lost {
            self.revoke(&token, Death::Invalid);
        }
    }

    fn give_access(&self, user: &str, access: &str) {
        let life = Duration::from_secs(self.settings().x.access_life_s);
        self.add_ending_token(Platform::X, user, access, clock::after(self.now(), life));
    }
}
