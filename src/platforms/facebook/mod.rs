//! The platform Facebook: a table of contents.

use std::cmp::Ordering;

use super::outcome::{Doubt, Lookup, Outcome, Owner, OwnerError, Ticket};
use super::rules::Rules;
use super::session::{Item, Metered, Probe, Progress, Session};
use super::{Answer, Leave, Platform, Withdrawn};
use crate::domain::attempt::Reach;

mod rules;

/// What Pages need from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Base address, `https://graph.facebook.com`.
    pub graph_url: url::Url,
    /// Version of the Graph API, `v25.0`.
    pub version: String,
    /// The application's id.
    pub app_id: Option<String>,
    /// The application's secret, for `appsecret_proof`.
    pub app_secret: super::AppSecret,
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
        "facebook"
    }
    fn name(&self) -> &'static str {
        "Facebook"
    }
    fn rules(&self) -> &Rules {
        &self.rules
    }
    fn has_app_credentials(&self) -> bool {
        self.settings.app_secret.is_some()
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
