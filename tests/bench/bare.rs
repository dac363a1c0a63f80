//! The limit that draining is compared with: reqwest alone sending the same creates to the same
//! simulator, so many at once, and nothing else done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chancery::clock::{Clock as _, SystemClock};
use chancery::simulator::WorldSeed;
use serde_json::json;

use super::figures::rate;
use super::process::Simulator;

/// What one of many tasks needs.
struct Shared {
    client: reqwest::Client,
    world: WorldSeed,
    facebook: String,
    x: String,
    /// The platforms refuse what they have seen before.
    salt: u64,
    next: AtomicUsize,
    count: usize,
}

/// So many creates, `at_once` in flight; by the second.
pub(crate) async fn creates(
    simulator: &Simulator,
    world: WorldSeed,
    count: usize,
    at_once: usize,
) -> Result<f64> {
    let shared = Arc::new(Shared {
        client: client()?,
        world,
        facebook: simulator.facebook.clone(),
        x: simulator.x.clone(),
        salt: rand::random(),
        next: AtomicUsize::new(0),
        count,
    });
    let start = SystemClock.elapsed();
    let tasks: Vec<_> = (0..at_once).map(|_| tokio::spawn(work(shared.clone()))).collect();
    for task in tasks {
        task.await??;
    }
    Ok(rate(count, start))
}

#[expect(clippy::disallowed_methods, reason = "the bare client is what is measured")]
/// A client without any of what ours adds.
pub(crate) fn client() -> Result<reqwest::Client> {
    // An error means that the provider is in place already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder()
        .http1_only()
        .no_proxy()
        .tcp_nodelay(true)
        .timeout(Duration::from_secs(20))
        .build()?)
}

async fn work(shared: Arc<Shared>) -> Result<()> {
    loop {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= shared.count {
            return Ok(());
        }
        let request = shared.request(number)?;
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    }
}

impl Shared {
    fn request(&self, number: usize) -> Result<reqwest::RequestBuilder> {
        let text = format!("Thông cáo số {number}: the embassy is open again, {}.", self.salt);
        let all = self.world.accounts();
        let one = all.get(number / 2 % all.len()).context("no account")?;
        let request = if number.is_multiple_of(2) {
            let fields = "id,created_time,permalink_url,message,is_published";
            self.client
                .post(format!("{}/v25.0/{}/feed", self.facebook, one.page.id))
                .bearer_auth(&one.page.token)
                .form(&[("message", text.as_str()), ("fields", fields)])
        } else {
            self.client
                .post(format!("{}/2/tweets", self.x))
                .bearer_auth(&one.user.token)
                .json(&json!({ "text": text }))
        };
        Ok(request)
    }
}
