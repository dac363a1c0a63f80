//! Accounts on Bluesky over the AT protocol: a table of contents.
//!
//! A post is kept under a key that we choose, and the key is the delivery's: a repetition cannot make a
//! second post, and a look asks for that very key.

use std::cmp::Ordering;

use jiff::Timestamp;
use secrecy::SecretString;

use self::entry::Entries;
use self::post_settings::PostSettings;
use super::outcome::{
    Alteration, Lookup, NoPost, Outcome, Owner, OwnerError, Presence, Reading, Sighting, Witness,
};
use super::rules::Rules;
use super::session::{Gap, Item, Metered, Place, Probe, Progress, Session};
use super::sign_in::SignIn;
use super::{Answer, Leave, Platform, Withdrawn, settings};

mod api;
mod classify;
mod entry;
mod facets;
mod find;
mod key;
mod post_settings;
mod publish;
mod record;
mod rules;
mod seen;
pub(crate) mod simulator;

/// The word by which it is known in the API and the databases.
pub const ID: &str = "bluesky";

/// What Bluesky needs from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server on which the accounts are, or the one through which theirs are reached.
    pub service_url: Option<url::Url>,
    /// Where people read posts; links to posts begin with it.
    pub web_url: url::Url,
}

/// Accounts on Bluesky.
#[derive(Debug)]
pub struct Bluesky {
    desk: Desk,
    rules: Rules,
}

/// What every act needs.
#[derive(Debug)]
struct Desk {
    settings: Settings,
    entries: Entries,
}

impl Bluesky {
    /// With this configuration.
    pub fn new(settings: Settings) -> Self {
        let desk = Desk { settings, entries: Entries::default() };
        Self { desk, rules: rules::rules() }
    }
}

impl Platform for Bluesky {
    fn id(&self) -> &'static str {
        ID
    }

    fn name(&self) -> &'static str {
        "Bluesky"
    }

    fn base_url(&self) -> Option<&url::Url> {
        self.desk.settings.service_url.as_ref()
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn has_app_credentials(&self) -> bool {
        false
    }

    /// An app password is handed in.
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
        Box::pin(publish::publish(&self.desk, on, item, progress, leave))
    }

    fn find<'a>(&'a self, on: &'a Session, probe: &'a Probe) -> Answer<'a, Metered<Lookup>> {
        Box::pin(find::find(&self.desk, on, probe))
    }

    fn read_back<'a>(&'a self, on: &'a Session, gap: &'a Gap) -> Answer<'a, Metered<Reading>> {
        Box::pin(find::read_back(&self.desk, on, gap))
    }

    fn remote_id_in(&self, link: &url::Url, account: &str) -> Result<String, NoPost> {
        seen::remote_id_in(&self.desk.settings, link, account)
    }

    fn look<'a>(
        &'a self,
        on: &'a Session,
        remote_id: &'a str,
        _place: &'a Place,
    ) -> Answer<'a, Sighting> {
        Box::pin(seen::look(&self.desk, on, remote_id))
    }

    fn presence<'a>(
        &'a self,
        on: &'a Session,
        remote_id: &'a str,
        witness: &'a Witness,
    ) -> Answer<'a, Metered<Presence>> {
        Box::pin(seen::presence(&self.desk, on, remote_id, witness))
    }

    fn remove<'a>(
        &'a self,
        on: &'a Session,
        remote_id: &'a str,
    ) -> Answer<'a, Metered<Alteration>> {
        Box::pin(seen::remove(&self.desk, on, remote_id))
    }

    fn owner<'a>(&'a self, on: &'a Session) -> Answer<'a, Result<Owner, OwnerError>> {
        Box::pin(entry::owner(&self.desk, on))
    }

    fn own_token<'a>(&'a self, _on: &'a Session) -> Answer<'a, Result<SecretString, OwnerError>> {
        let why = "this platform has no tokens that reach other accounts";
        Box::pin(async move { Err(OwnerError::Refused(why.to_owned())) })
    }

    /// Keys of our own are as old as their deliveries, so none is a mark that others are newer than; no
    /// look needs one.
    fn can_be_newest(&self, remote_id: &str, _account: &str, now: Timestamp) -> bool {
        key::is_made_by(remote_id, now)
    }

    fn newer(&self, a: &str, b: &str) -> Ordering {
        key::order(a, b)
    }

    fn settings_schema(&self) -> serde_json::Value {
        settings::schema::<PostSettings>()
    }

    fn check_settings(&self, settings: &serde_json::Value) -> Vec<(String, String)> {
        settings::check::<PostSettings>(settings)
    }
}
