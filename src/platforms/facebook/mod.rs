//! Facebook Pages over the Graph API: a table of contents.

use std::cmp::Ordering;

use jiff::Timestamp;
use secrecy::SecretString;

use self::post_settings::PostSettings;
use super::check::Finding;
use super::correcting::Corrects;
use super::outcome::{
    Access, Alteration, Lookup, NoPost, Outcome, Owner, OwnerError, Presence, Reading, Sighting,
    Witness,
};
use super::rules::Rules;
use super::session::{Gap, Item, Metered, Place, Probe, Progress, Session};
use super::sign_in::SignIn;
use super::wire::number_order;
use super::{Answer, Leave, Platform, Withdrawn, settings};
use crate::domain::variant::Content;

mod access;
mod api;
mod back;
mod classify;
mod comments;
mod connect;
mod correct;
mod film;
mod film_look;
mod find;
mod pages;
mod post_settings;
mod presence;
mod publish;
mod reel_rules;
mod remove;
mod rules;
mod seen;
mod sign_in;
pub(crate) mod simulator;
mod two_steps;

/// The word by which it is known in the API and the databases.
pub const ID: &str = "facebook";

/// What Pages need from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Base address, `https://graph.facebook.com`.
    pub graph_url: url::Url,
    /// Version of the Graph API, `v25.0`.
    pub version: String,
    /// The application's id.
    pub app_id: Option<String>,
    /// Where videos are sent.
    pub video_url: url::Url,
    /// Other hosts that uploads may be sent to.
    pub upload_hosts: Vec<String>,
    /// Pages whose posts are made first and made public then; `all` for all.
    pub two_steps: Vec<String>,
    /// The application's secret, for `appsecret_proof`.
    pub app_secret: super::AppSecret,
    /// Where people sign in.
    pub dialog_url: url::Url,
    /// The configuration of Login for Business, which then says what is asked for.
    pub login_config_id: Option<String>,
}

/// Pages on Facebook.
#[derive(Debug)]
pub struct Facebook {
    settings: Settings,
    rules: Rules,
}

impl Facebook {
    /// With this configuration.
    pub fn new(settings: Settings) -> Self {
        let rules = rules::rules(&settings.version);
        Self { settings, rules }
    }
}

impl Platform for Facebook {
    fn id(&self) -> &'static str {
        ID
    }

    fn name(&self) -> &'static str {
        "Facebook"
    }

    fn base_url(&self) -> Option<&url::Url> {
        Some(&self.settings.graph_url)
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn has_app_credentials(&self) -> bool {
        self.settings.app_secret.is_some()
    }

    fn sign_in(&self) -> Option<&dyn SignIn> {
        let known = self.settings.app_id.is_some() && self.settings.app_secret.is_some();
        known.then_some(self as &dyn SignIn)
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

    fn remote_id_in(&self, link: &url::Url, account: &str) -> Result<String, NoPost> {
        seen::remote_id_in(&self.settings, link, account)
    }

    fn look<'a>(
        &'a self,
        on: &'a Session,
        remote_id: &'a str,
        place: &'a Place,
    ) -> Answer<'a, Sighting> {
        Box::pin(seen::look(&self.settings, on, remote_id, place))
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

    fn corrects(&self) -> Option<&dyn Corrects> {
        Some(self)
    }

    fn owner<'a>(&'a self, on: &'a Session) -> Answer<'a, Result<Owner, OwnerError>> {
        Box::pin(connect::owner(&self.settings, on))
    }

    fn access<'a>(&'a self, on: &'a Session) -> Answer<'a, Access> {
        Box::pin(access::access(&self.settings, on))
    }

    fn own_token<'a>(&'a self, on: &'a Session) -> Answer<'a, Result<SecretString, OwnerError>> {
        Box::pin(connect::own_token(&self.settings, on))
    }

    fn can_be_newest(&self, remote_id: &str, account: &str, _now: Timestamp) -> bool {
        classify::is_post_of(remote_id, account)
    }

    fn newer(&self, a: &str, b: &str) -> Ordering {
        number_order(find::tail(a), find::tail(b))
    }

    fn settings_schema(&self) -> serde_json::Value {
        settings::schema::<PostSettings>()
    }

    fn check_settings(&self, settings: &serde_json::Value) -> Vec<(String, String)> {
        settings::check::<PostSettings>(settings)
    }

    fn check_together(&self, content: &Content, settings: &serde_json::Value) -> Vec<Finding> {
        reel_rules::check(content, settings)
    }
}
