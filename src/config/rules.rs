//! What must hold between options, and what an operator should hear of although it is valid.

use std::str::FromStr as _;

use url::{Host, Url};

use super::duration::print;
use super::media::Keep;
use super::read::Read;
use super::{Config, Outbound};

pub(super) fn check(config: &mut Config, read: &Read<'_>) {
    timings(config, read);
    words(config, read);
    platforms(config, read);
    store(config, read);
}

/// The store of media is one host more to which a password goes.
fn store(config: &mut Config, read: &Read<'_>) {
    let Keep::Bucket(bucket) = &config.media.keep else { return };
    let url = &bucket.endpoint;
    if is_loopback(url) {
        config.warnings.push(format!("media.s3.endpoint is {url} on this machine"));
    } else if url.scheme() != "https" && !trusts(&config.outbound, url) {
        read.fault("media.s3.endpoint", NEEDS_TLS);
    }
}

/// What is said of an address over which secrets would go in the open.
const NEEDS_TLS: &str = "must begin with https://, unless its host is this machine or one of \
                         outbound.trusted_hosts";

fn trusts(outbound: &Outbound, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    outbound.trusted_hosts.iter().any(|it| it.eq_ignore_ascii_case(host))
}

fn timings(config: &Config, read: &Read<'_>) {
    let publish = &config.publish;
    let needed = publish.request_timeout + publish.margin() + publish.lookahead;
    // It is renewed three times in its length, so this much of it is left when all is well.
    if publish.lease * 2 / 3 <= needed {
        let message = format!(
            "{} is too short: two thirds of a lease must outlast publish.request_timeout and a quarter \
             of it and publish.lookahead, together {}",
            print(publish.lease),
            print(needed),
        );
        read.fault("publish.lease", &message);
    }
    if config.server.body_timeout >= config.server.request_timeout {
        let message =
            "must be shorter than server.request_timeout: a slow client is told so in time";
        read.fault("server.body_timeout", message);
    }
    if publish.backoff > publish.backoff_max {
        read.fault("publish.backoff", "must not be longer than publish.backoff_max");
    }
}

fn words(config: &Config, read: &Read<'_>) {
    if config.data_dir.as_os_str().is_empty() {
        read.fault("data_dir", "must name a directory");
    }
    if cron::Schedule::from_str(&config.jobs.prune).is_err() {
        let message = "must have six fields: second, minute, hour, day, month, weekday";
        read.fault("jobs.prune", message);
    }
    if tracing_subscriber::EnvFilter::try_new(&config.telemetry.log_level).is_err() {
        read.fault("telemetry.log_level", "must be a level or filters such as info,chancery=debug");
    }
    let version = config.facebook.version.strip_prefix('v').and_then(|it| it.split_once('.'));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !version.is_some_and(|(major, minor)| digits(major) && digits(minor)) {
        read.fault("facebook.version", "must look like v25.0");
    }
}

fn platforms(config: &mut Config, read: &Read<'_>) {
    let addresses = [
        ("facebook.graph_url", &config.facebook.graph_url),
        ("facebook.video_url", &config.facebook.video_url),
        ("facebook.dialog_url", &config.facebook.dialog_url),
        ("x.api_url", &config.x.api_url),
        ("x.web_url", &config.x.web_url),
        ("x.authorize_url", &config.x.authorize_url),
    ];
    let (servers, bluesky) = (&config.mastodon.servers, &config.bluesky);
    let others = servers
        .iter()
        .map(|url| ("mastodon.servers", url))
        .chain(bluesky.service_url.iter().map(|url| ("bluesky.service_url", url)))
        .chain([("bluesky.web_url", &bluesky.web_url)]);
    let mut here = Vec::new();
    for (key, url) in addresses.into_iter().chain(others) {
        let host = url.host_str().unwrap_or_default();
        if is_loopback(url) {
            here.push(host.to_owned());
            config.warnings.push(format!("{key} is {url} on this machine: a SIMULATED platform"));
        } else if url.scheme() != "https" && !trusts(&config.outbound, url) {
            read.fault(key, NEEDS_TLS);
        }
    }
    config.outbound.trusted_hosts.append(&mut here);
    config.outbound.trusted_hosts.sort();
    config.outbound.trusted_hosts.dedup();
}

/// Whether an address can only mean this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}
