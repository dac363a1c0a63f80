//! How many posts a second 64 clients create and schedule over HTTP, beside how many single rows as
//! many tasks get committed in groups: what the disk allows at the most.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chancery::app::Base;
use chancery::clock::{Clock as _, SystemClock};
use chancery::config::Config;
use chancery::domain::post::Post;
use chancery::store::{Applied, Apply, Group, Tx, posts};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::daemon::{Daemon, command};
use super::figures::{print_rate, print_ratio, rate};
use super::process::world;
use super::seed::{Seeded, plant, post};
use super::service::{scratch, variables};
use super::{Extent, bare};

/// Clients, each with its own connection, and tasks of the raw commits.
const CLIENTS: usize = 64;
/// So many accounts they schedule to.
const ACCOUNTS: usize = 200;

/// What all clients share.
struct Shared {
    client: reqwest::Client,
    url: String,
    token: String,
    seeded: Seeded,
    until: Duration,
    /// The first instant that anything is scheduled for.
    first: Timestamp,
    number: AtomicUsize,
}

/// The raw commits, then the service on a database of the same kind.
pub(crate) async fn measure(extent: Extent) -> Result<()> {
    let span = extent.of(Duration::from_secs(10), Duration::from_secs(2));
    let raw = raw_commits(span / 2).await?;
    let directory = scratch()?;
    let nowhere = "http://127.0.0.1:9";
    let mut variables = variables(directory.path(), nowhere, nowhere);
    let seeded = seed(&variables).await?;
    // What is refused is refused, but nobody writes it down for a terminal.
    variables.push(("CHANCERY_TELEMETRY__LOG_LEVEL".to_owned(), "warn".to_owned()));
    command(&["admin", "create", "--email", "bench@example.org", "--name", "Bench"], &variables)?;
    let token = command(
        &["token", "create", "--email", "bench@example.org", "--name", "bench"],
        &variables,
    )?;

    let (daemon, _) = Daemon::start(&variables).await?;
    let shared = Arc::new(Shared {
        client: bare::client()?,
        url: daemon.url.clone(),
        token,
        seeded,
        until: SystemClock.elapsed() + span,
        first: SystemClock.now() + jiff::SignedDuration::from_hours(24 * 30),
        number: AtomicUsize::new(0),
    });
    let start = SystemClock.elapsed();
    let tasks: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(work(shared.clone()))).collect();
    for task in tasks {
        task.await??;
    }
    let pairs = rate(shared.number.load(Ordering::Relaxed), start);
    print_rate(&format!("posts created and scheduled, {CLIENTS} clients"), pairs);
    print_rate(&format!("raw group commit of single rows, {CLIENTS} tasks"), raw);
    print_ratio("posts / goal of 2,000 a second", pairs, 2_000.0, 1.0);
    print_ratio("posts / raw group commit", pairs, raw, 0.25);
    daemon.stop().await
}

async fn seed(variables: &[(String, String)]) -> Result<Seeded> {
    let config = Config::load(None, variables.iter().cloned())?;
    let base = Base::open(&config, &(Arc::new(SystemClock) as _)).await?;
    let seeded = plant(&base, &world(), ACCOUNTS, SystemClock.now()).await?;
    base.store.close().await;
    Ok(seeded)
}

async fn work(shared: Arc<Shared>) -> Result<()> {
    while SystemClock.elapsed() < shared.until {
        let number = shared.number.fetch_add(1, Ordering::Relaxed);
        let post = shared.ask("posts", &shared.post(number)).await?;
        let id = post.get("id").and_then(Value::as_str).context("a post without id")?;
        let accounts = &shared.seeded.accounts;
        let account = accounts.get(number % accounts.len()).context("no account")?;
        // A quarter of an hour between the posts of one account, as offices plan: what is near in
        // time is looked up and warned of.
        let quarters = i32::try_from(number / accounts.len())?;
        let at = shared.first + jiff::SignedDuration::from_mins(15) * quarters;
        let schedule = json!({ "deliveries": [{ "account_id": account.id, "at": at }] });
        shared.ask(&format!("posts/{id}/deliveries"), &schedule).await?;
    }
    Ok(())
}

impl Shared {
    fn post(&self, number: usize) -> Value {
        json!({
            "unit_id": self.seeded.unit,
            "title": format!("Thông cáo số {number}"),
            "class": "routine",
            "source_language": "vi",
            "variants": [{
                "language": "vi",
                "text": format!("Thông cáo số {number}: đại sứ quán mở cửa trở lại từ hôm nay."),
                "media": [],
            }],
            "labels": [],
        })
    }

    async fn ask(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.client.post(format!("{}/api/v1/{path}", self.url));
        let answer = request.bearer_auth(&self.token).json(body).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        ensure!(status.as_u16() == 201, "{status}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }
}

/// Writes posts, and nothing that belongs to them.
struct Rows;

impl Apply for Rows {
    type Item = Post;
    type Answer = ();

    fn apply<'a>(&'a self, tx: &'a mut Tx, items: &'a [Post]) -> Applied<'a, ()> {
        Box::pin(async move {
            let rows: Vec<&Post> = items.iter().collect();
            posts::insert(tx, &rows).await?;
            Ok(items.iter().map(|_| Ok(())).collect())
        })
    }
}

async fn raw_commits(span: Duration) -> Result<f64> {
    let directory = scratch()?;
    let nowhere = "http://127.0.0.1:9";
    let variables = variables(directory.path(), nowhere, nowhere);
    let config = Config::load(None, variables.into_iter())?;
    let base = Base::open(&config, &(Arc::new(SystemClock) as _)).await?;
    let seeded = plant(&base, &world(), 1, SystemClock.now()).await?;
    let group = Group::start(base.store.clone(), Rows);
    let start = SystemClock.elapsed();
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (group, unit) = (group.clone(), seeded.unit.clone());
            tokio::spawn(async move {
                let mut count = 0;
                while SystemClock.elapsed() < start + span {
                    group.submit(post(&unit, SystemClock.now())).await?;
                    count += 1;
                }
                anyhow::Ok(count)
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await??;
    }
    let rate = rate(count, start);
    drop(group);
    base.store.close().await;
    Ok(rate)
}
