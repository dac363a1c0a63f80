//! The outside world: one folder for each platform behind one trait.
//!
//! `publish` has no `Result`: a platform's author cannot throw, only report one of five outcomes,
//! and what it does not know is `Unknown`. Platforms know neither the store nor each other.

pub mod bluesky;
pub mod check;
mod check_media;
pub mod check_parts;
pub mod correcting;
pub mod facebook;
pub mod mastodon;
mod matching;
mod odd;
pub mod outcome;
pub mod rules;
pub mod session;
mod settings;
pub mod sign_in;
mod staging;
mod wire;
pub mod x;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::{self, Config};
use crate::domain::budget::{Limits, Window};
use crate::domain::variant::Content;
use correcting::Corrects;
use outcome::{
    Access, Alteration, Lookup, NoPost, Outcome, Owner, OwnerError, Presence, Reading, Sighting,
    Witness,
};
use rules::Rules;
use session::{Gap, Item, ItemMedia, Metered, Place, Probe, Progress, Session};
use sign_in::SignIn;

/// A boxed future, so that platforms can be kept in one list.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Ends once it may be sent: the guarded instant has come and nothing has taken the delivery
/// back. `Err` means that the create must not be sent.
///
/// A platform does its repeatable steps (uploads) first, awaits this, and sends the one
/// irreversible request at once after it.
pub type Leave<'a> = Answer<'a, Result<(), Withdrawn>>;

/// A delivery was taken back before its first byte left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withdrawn;

/// One platform.
pub trait Platform: Send + Sync + fmt::Debug {
    /// The word by which it is known in the API and the databases.
    fn id(&self) -> &'static str;

    /// The name that people know.
    fn name(&self) -> &'static str;

    /// Where its interface is, or the first of several; for asking whether it answers at all, and for the
    /// time. `None` while it is not configured: then nothing is sent there.
    fn base_url(&self) -> Option<&url::Url>;

    /// What may be published there.
    fn rules(&self) -> &Rules;

    /// Whether the application's own credentials are configured.
    fn has_app_credentials(&self) -> bool;

    /// Whether requests can be signed there for a token with a secret (OAuth 1.0a).
    fn signs_requests(&self) -> bool {
        false
    }

    /// How people sign in there; `None` while the application's own credentials are not configured.
    fn sign_in(&self) -> Option<&dyn SignIn>;

    /// Brings files there ahead of the post, as far as that can be done. `Err` says why they are not ready yet,
    /// or never will be; it is never a doubt.
    fn bring<'a>(
        &'a self,
        _on: &'a Session,
        _media: &'a [ItemMedia],
        _progress: &'a mut Progress,
    ) -> Answer<'a, Result<(), Box<Outcome>>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Publishes one item with exactly one irreversible request. `Err` only when `leave` said no.
    fn publish<'a>(
        &'a self,
        on: &'a Session,
        item: &'a Item,
        progress: &'a mut Progress,
        leave: Leave<'a>,
    ) -> Answer<'a, Result<Metered<Outcome>, Withdrawn>>;

    /// Looks for a post after doubt.
    fn find<'a>(&'a self, on: &'a Session, probe: &'a Probe) -> Answer<'a, Metered<Lookup>>;

    /// Reads all posts of a gap, and compares them with what is still to be sent.
    fn read_back<'a>(&'a self, on: &'a Session, gap: &'a Gap) -> Answer<'a, Metered<Reading>>;

    /// The id of the post that a link for people means, for the account with this remote id.
    fn remote_id_in(&self, link: &url::Url, account: &str) -> Result<String, NoPost>;

    /// Asks for one post by its id, in any spelling that the platform knows.
    fn look<'a>(
        &'a self,
        on: &'a Session,
        remote_id: &'a str,
        place: &'a Place,
    ) -> Answer<'a, Sighting>;

    /// Asks whether a post of the account that was there once still is. `Gone` needs two answers: that
    /// it does not exist, and that the account's posts can be read at this moment, of which one is
    /// shown if the witness wants that.
    fn presence<'a>(
        &'a self,
        on: &'a Session,
        remote_id: &'a str,
        witness: &'a Witness,
    ) -> Answer<'a, Metered<Presence>>;

    /// Deletes a post of the account. May be repeated.
    fn remove<'a>(&'a self, on: &'a Session, remote_id: &'a str)
    -> Answer<'a, Metered<Alteration>>;

    /// What changes the text of a post that is out; `None` where the platform cannot, or only by making
    /// another post of it.
    fn corrects(&self) -> Option<&dyn Corrects> {
        None
    }

    /// Asks who owns a token.
    fn owner<'a>(&'a self, on: &'a Session) -> Answer<'a, Result<Owner, OwnerError>>;

    /// Asks what the account's credential is worth at this moment: only reads.
    fn access<'a>(&'a self, on: &'a Session) -> Answer<'a, Access> {
        Box::pin(async move { Access::from(self.owner(on).await) })
    }

    /// Asks for the account's own token with one that only reaches the account, such as a system user's.
    fn own_token<'a>(&'a self, on: &'a Session) -> Answer<'a, Result<SecretString, OwnerError>>;

    /// Whether an id can be the account's newest post at this moment: it has the form of the account's
    /// ids, and does not say that it is of the future. Only such a one may become the high-water mark,
    /// for whatever is older than that is not looked through any more.
    fn can_be_newest(&self, remote_id: &str, account: &str, now: jiff::Timestamp) -> bool;

    /// The newer of two remote ids of one account, for the high-water mark.
    fn newer(&self, a: &str, b: &str) -> std::cmp::Ordering;

    /// The JSON Schema of the settings that a delivery may have here.
    fn settings_schema(&self) -> serde_json::Value;

    /// Checks the per-platform settings of a delivery; pairs of pointer and reason.
    fn check_settings(&self, settings: &serde_json::Value) -> Vec<(String, String)>;

    /// What is wrong with a variant and settings that are right each by itself.
    fn check_together(
        &self,
        _content: &Content,
        _settings: &serde_json::Value,
    ) -> Vec<check::Finding> {
        Vec::new()
    }
}

/// What the platforms need from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Graph API of Pages.
    pub facebook: facebook::Settings,
    /// API version 2 of X.
    pub x: x::Settings,
    /// Mastodon servers.
    pub mastodon: mastodon::Settings,
    /// A server of the AT protocol.
    pub bluesky: bluesky::Settings,
}

/// How long after a doubtful attempt absence does not count, by platform.
pub fn quiet_waits(config: &Config) -> Vec<(&'static str, Duration)> {
    vec![
        (facebook::ID, config.facebook.quiet_wait),
        (x::ID, config.x.quiet_wait),
        (mastodon::ID, config.mastodon.quiet_wait),
        (bluesky::ID, config.bluesky.quiet_wait),
    ]
}

/// How often accounts are read for posts that did not come from here, where that is wanted.
pub fn foreign_intervals(config: &Config) -> Vec<(&'static str, Duration)> {
    let all = [(facebook::ID, config.foreign.facebook_every), (x::ID, config.foreign.x_every)];
    all.into_iter().filter_map(|(id, every)| Some((id, every?))).collect()
}

/// What may be created, by platform.
pub fn limits(config: &Config) -> Vec<(&'static str, Limits)> {
    let windows = |ceilings: &[config::Ceiling]| -> Vec<Window> {
        ceilings.iter().map(|it| Window { most: it.most, span: it.span }).collect()
    };
    let (facebook, x) = (&config.facebook, &config.x);
    let reserve_percent = config.publish.reserve_percent;
    let of_facebook = Limits {
        per_account: windows(&facebook.creates_per_account),
        per_app: windows(&facebook.creates_per_app),
        looks_per_account: windows(&facebook.looks_per_account),
        reserve_percent,
        monthly_usd_micros: None,
    };
    let of_x = Limits {
        per_account: windows(&x.creates_per_account),
        per_app: windows(&x.creates_per_app),
        looks_per_account: windows(&x.looks_per_account),
        reserve_percent,
        monthly_usd_micros: x.monthly_budget,
    };
    let of_others = |creates: &[config::Ceiling], looks: &[config::Ceiling]| Limits {
        per_account: windows(creates),
        per_app: Vec::new(),
        looks_per_account: windows(looks),
        reserve_percent,
        monthly_usd_micros: None,
    };
    let (mastodon, bluesky) = (&config.mastodon, &config.bluesky);
    vec![
        (facebook::ID, of_facebook),
        (x::ID, of_x),
        (mastodon::ID, of_others(&mastodon.creates_per_account, &mastodon.looks_per_account)),
        (bluesky::ID, of_others(&bluesky.creates_per_account, &bluesky.looks_per_account)),
    ]
}

/// The platforms there are, by id.
#[derive(Debug, Clone)]
pub struct Platforms {
    by_id: BTreeMap<&'static str, Arc<dyn Platform>>,
}

impl Platforms {
    /// All platforms: one line for each.
    pub fn new(settings: Settings) -> Self {
        let all: [Arc<dyn Platform>; 4] = [
            Arc::new(facebook::Facebook::new(settings.facebook)),
            Arc::new(x::X::new(settings.x)),
            Arc::new(mastodon::Mastodon::new(settings.mastodon)),
            Arc::new(bluesky::Bluesky::new(settings.bluesky)),
        ];
        Self { by_id: all.into_iter().map(|platform| (platform.id(), platform)).collect() }
    }

    /// All platforms as configured.
    pub fn configured(config: &Config) -> Self {
        Self::new(Settings {
            facebook: facebook::Settings {
                graph_url: config.facebook.graph_url.clone(),
                video_url: config.facebook.video_url.clone(),
                upload_hosts: config.facebook.upload_hosts.clone(),
                two_steps: config.facebook.two_steps.clone(),
                version: config.facebook.version.clone(),
                app_id: config.facebook.app_id.clone(),
                app_secret: config.facebook.app_secret.clone(),
                dialog_url: config.facebook.dialog_url.clone(),
                login_config_id: config.facebook.login_config_id.clone(),
            },
            x: x::Settings {
                api_url: config.x.api_url.clone(),
                web_url: config.x.web_url.clone(),
                client_id: config.x.client_id.clone(),
                client_secret: config.x.client_secret.clone(),
                consumer_key: config.x.consumer_key.clone(),
                consumer_secret: config.x.consumer_secret.clone(),
                authorize_url: config.x.authorize_url.clone(),
                prices: config.x.prices,
                films: config.x.films,
                long_posts: config.x.long_posts.clone(),
                long_post_max: config.x.long_post_max,
            },
            mastodon: mastodon::Settings {
                servers: config.mastodon.servers.clone(),
                characters: config.mastodon.characters,
            },
            bluesky: bluesky::Settings {
                service_url: config.bluesky.service_url.clone(),
                web_url: config.bluesky.web_url.clone(),
            },
        })
    }

    /// The platform with this id.
    pub fn get(&self, id: &str) -> Option<&Arc<dyn Platform>> {
        self.by_id.get(id)
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Platform>> {
        self.by_id.values()
    }
}

/// The secret that proves calls of an application, when it is configured.
pub type AppSecret = Option<SecretString>;

#[cfg(test)]
#[path = "tests/setting.rs"]
mod setting;

#[cfg(test)]
#[path = "tests/notes.rs"]
mod notes;
#[cfg(test)]
#[path = "tests/page_films.rs"]
mod page_films;
#[cfg(test)]
#[path = "tests/flow.rs"]
mod tests;

#[cfg(test)]
#[path = "tests/subjects.rs"]
mod subjects;

#[cfg(test)]
#[path = "tests/contract.rs"]
mod contract;

#[cfg(test)]
#[path = "tests/simulated.rs"]
mod simulated;

#[cfg(test)]
#[path = "tests/films.rs"]
mod films;

#[cfg(test)]
#[path = "tests/polls.rs"]
mod polls;

#[cfg(test)]
#[path = "tests/signing_in.rs"]
mod signing_in;

#[cfg(test)]
#[path = "tests/after.rs"]
mod after;

#[cfg(test)]
#[path = "tests/back.rs"]
mod back;

#[cfg(test)]
#[path = "tests/corrections.rs"]
mod corrections;
