//! The real program when 50,000 deliveries are due within one second: its memory, how long its API
//! takes meanwhile, and that what is urgent goes first.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chancery::app::Base;
use chancery::clock::{Clock as _, SystemClock, after, before};
use chancery::config::Config;
use chancery::domain::class::Class;
use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _, SqliteConnection};

use super::daemon::{Daemon, command};
use super::figures::{Lateness, print_most, print_rate, rate};
use super::process::{Simulator, world};
use super::seed::{Seeded, plant};
use super::service::{scratch, variables};
use super::{Extent, bare, judge};

/// Accounts that share it.
const ACCOUNTS: usize = 170;
/// One of so many is urgent.
const ONE_URGENT_IN: usize = 100;
/// Deliveries in flight at once.
const AT_ONCE: usize = 64;
/// People who look and schedule meanwhile.
const PEOPLE: usize = 4;
/// How long they think between two requests.
const THINK: Duration = Duration::from_millis(50);
/// From the end of seeding to the second that all is due in: time to start.
const AHEAD: Duration = Duration::from_secs(8);
/// A burst that takes longer has lost something.
const PATIENCE: Duration = Duration::from_mins(5);

/// Seeds, starts, looks on, and reads what became of it.
pub(crate) async fn measure(extent: Extent) -> Result<()> {
    let count = extent.of(50_000, 5_000);
    let mut simulator = Simulator::start()?;
    let directory = scratch()?;
    let mut variables = variables(directory.path(), &simulator.facebook, &simulator.x);
    variables.push(("CHANCERY_TELEMETRY__LOG_LEVEL".to_owned(), "warn".to_owned()));
    variables.push(("CHANCERY_PUBLISH__WORKERS".to_owned(), AT_ONCE.to_string()));
    let (seeded, due) = seed(Config::load(None, variables.iter().cloned())?, count).await?;
    command(&["admin", "create", "--email", "bench@example.org", "--name", "Bench"], &variables)?;
    let asked = ["token", "create", "--email", "bench@example.org", "--name", "bench"];
    let token = command(&asked, &variables)?;
    let earlier = simulator.counts()?;

    let (mut daemon, _) = Daemon::start(&variables).await?;
    ensure!(SystemClock.now() < due, "it was not ready before the second came");
    SystemClock.sleep_until(due).await;
    let start = SystemClock.elapsed();
    let desk = Arc::new(Desk {
        client: bare::client()?,
        url: daemon.url.clone(),
        token,
        seeded,
        done: AtomicBool::new(false),
    });
    let people: Vec<_> = (0..PEOPLE).map(|one| tokio::spawn(desk.clone().work(one))).collect();
    let wanted = u64::try_from(count)?;
    let mut most = 0.0_f64;
    while simulator.counts()?.0 - earlier.0 < wanted {
        ensure!(SystemClock.elapsed() < start + PATIENCE, "not out within {PATIENCE:?}");
        most = most.max(daemon.resident_mb().unwrap_or(f64::NAN));
        SystemClock.sleep(Duration::from_millis(100)).await;
    }
    let sent = rate(count, start);
    desk.done.store(true, Ordering::Relaxed);
    let mut waits = Vec::new();
    for person in people {
        waits.extend(person.await??);
    }
    daemon.stop().await?;
    judge::all_once(earlier, simulator.counts()?, wanted)?;

    println!("  {count} due within one second, {ACCOUNTS} accounts, {AT_ONCE} at once");
    print_rate("deliveries, end to end", sent);
    print_most("resident memory, at most", most, "MB", 300.0);
    let waits = Lateness::of(waits);
    waits.print(&format!("answers of the API to {PEOPLE} people"));
    print_most("… p99", waits.at(99), "ms", 500.0);
    urgent_first(&directory.path().join("chancery.db")).await
}

/// Due within one second from the instant that is given back, mixed over the accounts.
async fn seed(config: Config, count: usize) -> Result<(Seeded, Timestamp)> {
    let base = Base::open(&config, &(Arc::new(SystemClock) as _)).await?;
    let now = SystemClock.now();
    let seeded = plant(&base, &world(), ACCOUNTS, now).await?;
    // Written as far ahead as it takes, and moved to the second that counts when that is known.
    let spread = |first: Timestamp| {
        (0..count)
            .map(|_| after(first, Duration::from_micros(rand::random::<u64>() % 1_000_000)))
            .collect::<Vec<_>>()
    };
    // Writing takes less than a millisecond for each.
    let due = after(now, AHEAD + Duration::from_micros(250) * u32::try_from(count)?);
    let class = |number: usize| {
        if number.is_multiple_of(ONE_URGENT_IN) { Class::Urgent } else { Class::Routine }
    };
    let written = before(now, Duration::from_secs(1));
    seeded.schedule_as(&base, written, &spread(due), class).await?;
    base.store.close().await;
    Ok((seeded, due))
}

/// One who looks at the calendar and at single deliveries, and plans for next month.
struct Desk {
    client: reqwest::Client,
    url: String,
    token: String,
    seeded: Seeded,
    done: AtomicBool,
}

impl Desk {
    /// Until all is out; how long each answer took, in milliseconds.
    async fn work(self: Arc<Self>, one: usize) -> Result<Vec<f64>> {
        let mut took = Vec::new();
        let mut number = one;
        while !self.done.load(Ordering::Relaxed) {
            number += PEOPLE;
            let start = SystemClock.elapsed();
            self.ask(number).await?;
            took.push(SystemClock.elapsed().saturating_sub(start).as_secs_f64() * 1_000.0);
            SystemClock.sleep(THINK).await;
        }
        Ok(took)
    }

    async fn ask(&self, number: usize) -> Result<()> {
        let base = format!("{}/api/v1", self.url);
        let request = match number / PEOPLE % 3 {
            0 => self.client.get(format!("{base}/deliveries?state=scheduled&limit=50")),
            1 => self.client.get(format!("{base}/accounts?limit=50")),
            _ => self.client.post(format!("{base}/posts")).json(&json!({
                "unit_id": self.seeded.unit,
                "title": format!("Thông cáo số {number}"),
                "class": "routine",
                "source_language": "vi",
                "variants": [{ "language": "vi", "text": format!("Số {number}"), "media": [] }],
                "labels": [],
            })),
        };
        let answer = request.bearer_auth(&self.token).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        Ok(())
    }
}

/// What is urgent does not stand behind what is not.
async fn urgent_first(file: &Path) -> Result<()> {
    let mut database: SqliteConnection =
        SqliteConnectOptions::new().filename(file).read_only(true).connect().await?;
    let rows = sqlx::query(
        "SELECT class, CAST(state_since - due_at AS REAL) AS late
         FROM deliveries WHERE state = 'published'",
    )
    .fetch_all(&mut database)
    .await?;
    let mut by_class: HashMap<String, Vec<f64>> = HashMap::new();
    for row in rows {
        by_class.entry(row.try_get("class")?).or_default().push(row.try_get("late")?);
    }
    let of = |class: Class| by_class.get(class.as_str()).cloned().map(Lateness::of);
    let urgent = of(Class::Urgent).context("nothing urgent was sent")?;
    let routine = of(Class::Routine).context("nothing else was sent")?;
    urgent.print("urgent, due to written as published");
    routine.print("the others");
    ensure!(urgent.at(99) < routine.at(50), "what was urgent waited with the others");
    Ok(())
}
