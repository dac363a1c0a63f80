//! `chancery check`: prints the effective configuration and tests what the service stands on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::exit::{Failure, say};
use crate::app::{self, Parts};
use crate::clock::{Clock as _, SharedClock, SystemClock};
use crate::config::Config;
use crate::outbound::{self, Label, Request};
use crate::platforms::Platform;
use crate::store::media;
use crate::telemetry::Chain;

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    say(config.effective())?;
    for warning in &config.warnings {
        say(format_args!("warning: {warning}"))?;
    }
    let clock: SharedClock = Arc::new(SystemClock);
    let parts = Parts::open(config, clock).await?;
    say("database: open, schema up to date, waits for the disk")?;
    say("key: opens what this database has sealed")?;
    let kept = media(&parts).await;
    match &kept {
        Ok(told) => say(format_args!("media: kept {told}"))?,
        Err(error) => say(format_args!("media: {}", Chain(error)))?,
    }
    say(format_args!("clock: {} (compare it with a clock that you trust)", SystemClock.now()))?;
    let mut unreachable = 0;
    for platform in parts.platforms.iter() {
        let Some(url) = platform.base_url() else {
            say(format_args!("{}: not configured", platform.id()))?;
            continue;
        };
        match reach(&parts, platform.as_ref(), url, config.publish.request_timeout).await {
            Ok(status) => say(format_args!("{}: answers ({status})", platform.id()))?,
            Err(error) => {
                unreachable += 1;
                say(format_args!("{}: does not answer: {}", platform.id(), Chain(&error)))?;
            }
        }
    }
    parts.base.store.close().await;
    if kept.is_err() {
        return Err(Failure::because("media cannot be kept, or are not where they were"));
    }
    if unreachable == 0 { Ok(()) } else { Err(Failure::because("a platform does not answer")) }
}

/// Where files are kept, once that was tried, and the newest of them was read to its end.
async fn media(parts: &Parts) -> Result<String, app::Error> {
    let place = parts.files.check().await?;
    let newest = media::newest(&mut parts.base.store.read().await?).await?;
    let Some((sha256, size)) = newest else { return Ok(format!("{place}; there is no file yet")) };
    let opened = parts.files.open(&sha256, size).await?;
    Ok(format!("{place}; the newest file is there and proven ({} bytes)", opened.size()))
}

/// Asks for the platform's base address; any answer at all will do.
async fn reach(
    parts: &Parts,
    platform: &dyn Platform,
    url: &Url,
    timeout: Duration,
) -> Result<StatusCode, outbound::Failure> {
    let request = Request {
        method: Method::GET,
        url: url.clone(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout,
        max_answer: 1 << 20,
        label: Label { destination: platform.id(), kind: "check" },
    };
    match parts.outbound.send(request).await {
        Ok(response) => Ok(response.status),
        // A broken or endless answer is one too.
        Err(outbound::Failure { status: Some(status), .. }) => Ok(status),
        Err(failure) => Err(failure),
    }
}
