//! The platform X: a table of contents.

use std::cmp::Ordering;

use super::outcome::{Doubt, Lookup, Outcome, Owner, OwnerError, Ticket};
use super::rules::Rules;
use super::session::{Item, Metered, Probe, Progress, Session};
use super::{Answer, Leave, Platform, Withdrawn};
use crate::domain::attempt::Reach;

mod rules;
pub(crate) mod simulator;

/// What X needs from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Base address, `https://api.x.com`.
    pub api_url: url::Url,
    /// Where people read posts, `https://x.com`; links to posts begin with it.
    pub web_url: url::Url,
    /// The application's client id.
    pub client_id: Option<String>,
    /// The application's client secret.
    pub client_secret: super::AppSecret,
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
        Self { settings, rules: rules::rules() }
    }
}

impl Platform for X {
    fn id(&self) -> &'static str {
        "x"
    }
    fn name(&self) -> &'static str {
        "X"
    }
    fn rules(&self) -> &Rules {
        &self.rules
    }
    fn has_app_credentials(&self) -> bool {
        self.settings.client_secret.is_some()
    }
    fn publish<'a>(
        &'a self,
        _: &'a Session,
        _: &'a Item,
        _: &'a mut Progress,
        _: Leave<'a>,
    ) -> Answer<'a, Result<Metered<Outcome>, Withdrawn>> {
        Box::pin(async {
            Ok(Metered {
                value: Outcome::Unknown(Doubt {
                    reach: Reach::NotConnected,
                    detail: String::new(),
                    remote_id: None,
                }),
                usage: Vec::new(),
            })
        })
    }
    fn poll<'a>(&'a self, _: &'a Session, _: &'a Ticket) -> Answer<'a, Metered<Outcome>> {
        Box::pin(async {
            Metered {
                value: Outcome::Unknown(Doubt {
                    reach: Reach::NotConnected,
                    detail: String::new(),
                    remote_id: None,
                }),
                usage: Vec::new(),
            }
        })
    }
    fn find<'a>(&'a self, _: &'a Session, _: &'a Probe) -> Answer<'a, Metered<Lookup>> {
        Box::pin(async {
            Metered {
                value: Lookup::CannotSee { detail: String::new(), until: None },
                usage: Vec::new(),
            }
        })
    }
    fn owner<'a>(&'a self, _: &'a Session) -> Answer<'a, Result<Owner, OwnerError>> {
        Box::pin(async { Err(OwnerError::Unreachable(String::new())) })
    }
    fn newer(&self, a: &str, b: &str) -> Ordering {
        a.cmp(b)
    }
    fn check_settings(&self, _: &serde_json::Value) -> Vec<(String, String)> {
        Vec::new()
    }
}
