//! The platforms on which anybody may run a server: which servers are asked.

use std::time::Duration;

use url::Url;

use super::read::Read;
use super::{Ceiling, Publish};

/// Accounts on Mastodon servers.
#[derive(Debug, Clone)]
pub struct Mastodon {
    /// The servers that accounts may be on; no other is ever asked.
    pub servers: Vec<Url>,
    /// The longest text that they take.
    pub characters: u32,
    /// How long after a doubtful attempt before absence counts.
    pub quiet_wait: Duration,
    /// How many creates each account may make.
    pub creates_per_account: Vec<Ceiling>,
    /// How often each account may be looked through for posts in doubt.
    pub looks_per_account: Vec<Ceiling>,
}

impl Mastodon {
    pub(super) fn read(read: &Read<'_>, publish: &Publish) -> Self {
        let key = "mastodon.servers";
        let servers = read.list(key).into_iter().filter_map(|text| {
            let whole = if text.contains("://") { text.clone() } else { format!("https://{text}") };
            let url = Url::parse(&whole).ok().filter(|url| {
                let plain = url.username().is_empty() && url.password().is_none();
                matches!(url.scheme(), "https" | "http") && url.has_host() && plain
            });
            if url.is_none() {
                read.fault(key, &format!("{text:?} is no server; write social.example"));
            }
            url
        });
        Self {
            servers: servers.collect(),
            characters: read.number("mastodon.characters", 100..=100_000),
            quiet_wait: read
                .optional_duration("mastodon.quiet_wait", Duration::ZERO)
                .unwrap_or(publish.quiet_wait),
            creates_per_account: read.ceilings("mastodon.creates_per_account"),
            looks_per_account: read.ceilings("mastodon.looks_per_account"),
        }
    }
}

/// Accounts on Bluesky.
#[derive(Debug, Clone)]
pub struct Bluesky {
    /// The server; none while nothing is published there.
    pub service_url: Option<Url>,
    /// What links to posts begin with.
    pub web_url: Url,
    /// How long after a doubtful attempt before absence counts.
    pub quiet_wait: Duration,
    /// How many creates each account may make.
    pub creates_per_account: Vec<Ceiling>,
    /// How often each account may be looked through for posts in doubt.
    pub looks_per_account: Vec<Ceiling>,
}

impl Bluesky {
    /// `None` when an address was so wrong that there is nothing to go on with; noted as a fault.
    pub(super) fn read(read: &Read<'_>, publish: &Publish) -> Option<Self> {
        let given = read.optional("bluesky.service_url").is_some();
        let service_url = given.then(|| read.url("bluesky.service_url"));
        let web_url = read.url("bluesky.web_url");
        Some(Self {
            service_url: match service_url {
                Some(url) => Some(url?),
                None => None,
            },
            quiet_wait: read
                .optional_duration("bluesky.quiet_wait", Duration::ZERO)
                .unwrap_or(publish.quiet_wait),
            creates_per_account: read.ceilings("bluesky.creates_per_account"),
            looks_per_account: read.ceilings("bluesky.looks_per_account"),
            web_url: web_url?,
        })
    }
}
