//! Accounts on Mastodon servers over their REST API: a table of contents.
//!
//! An account is known as `name@server`; only servers that are configured are ever asked.

use std::cmp::Ordering;

use jiff::Timestamp;
use secrecy::SecretString;

use self::post_settings::PostSettings;
use super::correcting::Corrects;
use super::outcome::{
    Alteration, Lookup, NoPost, Outcome, Owner, OwnerError, Presence, Reading, Sighting, Witness,
};
use super::rules::Rules;
use super::session::{Gap, Item, Metered, Place, Probe, Progress, Session};
use super::sign_in::SignIn;
use super::wire::number_order;
use super::{Answer, Leave, Platform, Withdrawn, settings};

mod api;
mod classify;
mod correct;
mod find;
mod html;
mod post_settings;
mod presence;
mod publish;
mod remove;
mod rules;
mod seen;
pub(crate) mod simulator;

/// The word by which it is known in the API and the databases.
pub const ID: &str = "mastodon";

/// What Mastodon needs from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The servers that accounts may be on, by their base addresses.
    pub servers: Vec<url::Url>,
    /// The longest text that they take.
    pub characters: u32,
}

/// Accounts on Mastodon servers.
#[derive(Debug)]
pub struct Mastodon {
    settings: Settings,
    rules: Rules,
}

impl Mastodon {
    /// With this configuration.
    pub fn new(settings: Settings) -> Self {
        let rules = rules::rules(settings.characters);
        Self { settings, rules }
    }
}

impl Platform for Mastodon {
    fn id(&self) -> &'static str {
        ID
    }

    fn name(&self) -> &'static str {
        "Mastodon"
    }

    fn base_url(&self) -> Option<&url::Url> {
        self.settings.servers.first()
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn has_app_credentials(&self) -> bool {
        false
    }

    /// Every server wants an application of its own to be registered with it: a token is handed in.
    fn sign_in(&self) -> Option<&dyn SignIn> {
        None
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
        Box::pin(find::read_back(&self.settings, on, gap))
    }

    fn remote_id_in(&self, link: &url::Url, account: &str) -> Result<String, NoPost> {
        seen::remote_id_in(&self.settings, link, account)
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

    fn corrects(&self) -> Option<&dyn Corrects> {
        Some(self)
    }

    fn owner<'a>(&'a self, on: &'a Session) -> Answer<'a, Result<Owner, OwnerError>> {
        Box::pin(seen::owner(&self.settings, on))
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
}
