//! Accounts on X over version 2 of its API: a table of contents.

use std::cmp::Ordering;

use jiff::Timestamp;
use secrecy::SecretString;

use self::post_settings::PostSettings;
use super::check::Finding;
use super::outcome::{
    Access, Alteration, Lookup, NoPost, Outcome, Owner, OwnerError, Presence, Reading, Sighting,
    Witness,
};
use super::rules::Rules;
use super::session::{Gap, Item, ItemMedia, Metered, Place, Probe, Progress, Session};
use super::sign_in::SignIn;
use super::wire::number_order;
use super::{Answer, Leave, Platform, Withdrawn, settings};
use crate::config::{Films, Prices};
use crate::domain::variant::Content;

mod access;
mod api;
mod back;
mod classify;
mod connect;
mod films;
mod find;
mod post_settings;
mod presence;
mod publish;
mod remove;
mod rules;
mod seen;
mod sign_in;
mod signature;
pub(crate) mod simulator;

/// The word by which it is known in the API and the databases.
pub const ID: &str = "x";

/// What X needs from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Base address, `https://api.x.com`.
    pub api_url: url::Url,
    /// Where people read posts, `https://x.com`; links to posts begin with it.
    pub web_url: url::Url,
    /// The application's client id.
    pub client_id: Option<String>,
    /// The application's client secret; a public application has none.
    pub client_secret: super::AppSecret,
    /// The application's key of OAuth 1.0a.
    pub consumer_key: Option<String>,
    /// The secret that goes with it.
    pub consumer_secret: super::AppSecret,
    /// Where people sign in.
    pub authorize_url: url::Url,
    /// What X takes for what.
    pub prices: Prices,
    /// The largest and longest video.
    pub films: Films,
    /// Accounts that may publish long posts whatever X says of them.
    pub long_posts: Vec<String>,
    /// What a long post may count.
    pub long_post_max: u32,
}

impl Settings {
    /// The application as it signs requests, where it is configured to.
    fn consumer(&self) -> Option<signature::Consumer<'_>> {
        let (key, secret) = (self.consumer_key.as_deref()?, self.consumer_secret.as_ref()?);
        Some(signature::Consumer { key, secret })
    }
}

/// Accounts on X.
#[derive(Debug)]
pub struct X {
    settings: Settings,
    rules: Rules,
}

impl X {
    /// With this configuration.
    pub fn new(settings: Settings) -> Self {
        let rules = rules::rules(settings.prices, settings.films, settings.long_post_max);
        Self { settings, rules }
    }
}

impl Platform for X {
    fn id(&self) -> &'static str {
        ID
    }

    fn name(&self) -> &'static str {
        "X"
    }

    fn base_url(&self) -> Option<&url::Url> {
        Some(&self.settings.api_url)
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn has_app_credentials(&self) -> bool {
        self.settings.client_secret.is_some()
    }

    fn sign_in(&self) -> Option<&dyn SignIn> {
        self.settings.client_id.is_some().then_some(self as &dyn SignIn)
    }

    fn signs_requests(&self) -> bool {
        self.settings.consumer().is_some()
    }

    fn bring<'a>(
        &'a self,
        on: &'a Session,
        media: &'a [ItemMedia],
        progress: &'a mut Progress,
    ) -> Answer<'a, Result<(), Box<Outcome>>> {
        Box::pin(films::bring_all(&self.settings, on, media, progress))
    }

    fn publish<'a>(
        &'a self,
        on: &'a Session,
        item: &'a Item,
        progress: &'a mut Progress,
        leave: Leave<'a>,
    ) -> Answer<'a, Result<Metered<Outcome>, Withdrawn>> {
        Box::pin(publish::publish(&self.settings, on, item, progress, leave))
    }

    fn find<'a>(&'a self, on: &'a Session, probe: &'a Probe) -> Answer<'a, Metered<Lookup>> {
        Box::pin(find::find(&self.settings, on, probe))
    }

    fn read_back<'a>(&'a self, on: &'a Session, gap: &'a Gap) -> Answer<'a, Metered<Reading>> {
        Box::pin(back::read_back(&self.settings, on, gap))
    }

    fn remote_id_in(&self, link: &url::Url, _account: &str) -> Result<String, NoPost> {
        seen::remote_id_in(&self.settings, link)
    }

    fn look<'a>(
        &'a self,
        on: &'a Session,
        remote_id: &'a str,
        _place: &'a Place,
    ) -> Answer<'a, Sighting> {
        Box::pin(seen::look(&self.settings, on, remote_id))
    }

    fn presence<'a>(
        &'a self,
        on: &'a Session,
        remote_id: &'a str,
        witness: &'a Witness,
    ) -> Answer<'a, Metered<Presence>> {
        Box::pin(presence::presence(&self.settings, on, remote_id, witness))
    }

    fn remove<'a>(
        &'a self,
        on: &'a Session,
        remote_id: &'a str,
    ) -> Answer<'a, Metered<Alteration>> {
        Box::pin(remove::remove(&self.settings, on, remote_id))
    }

    fn owner<'a>(&'a self, on: &'a Session) -> Answer<'a, Result<Owner, OwnerError>> {
        Box::pin(connect::owner(&self.settings, on))
    }

    fn access<'a>(&'a self, on: &'a Session) -> Answer<'a, Access> {
        Box::pin(access::access(&self.settings, on))
    }

    fn own_token<'a>(&'a self, _on: &'a Session) -> Answer<'a, Result<SecretString, OwnerError>> {
        let why = "this platform has no tokens that reach other accounts";
        Box::pin(async move { Err(OwnerError::Refused(why.to_owned())) })
    }

    fn can_be_newest(&self, remote_id: &str, _account: &str, now: Timestamp) -> bool {
        api::is_made_by(remote_id, now)
    }

    fn newer(&self, a: &str, b: &str) -> Ordering {
        number_order(a, b)
    }

    fn settings_schema(&self) -> serde_json::Value {
        settings::schema::<PostSettings>()
    }

    fn check_settings(&self, settings: &serde_json::Value) -> Vec<(String, String)> {
        settings::check::<PostSettings>(settings)
    }

    fn check_together(&self, content: &Content, settings: &serde_json::Value) -> Vec<Finding> {
        post_settings::check(content, settings)
    }
}
