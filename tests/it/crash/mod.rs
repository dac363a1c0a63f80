//! The real process, stopped at every named point, killed while a platform hangs, stopped under load,
//! and started where it must refuse. The platforms live in the test, and remember what they accepted.

#[cfg(feature = "crash-points")]
mod after;
#[cfg(feature = "s3")]
mod bucket;
mod canaries;
mod daemon;
mod disk;
mod exits;
#[cfg(feature = "crash-points")]
mod films;
mod flips;
mod nodes;
#[cfg(feature = "crash-points")]
mod points;
mod refresh;
mod stops;
mod storage;
mod storm;
#[cfg(feature = "crash-points")]
mod told;
mod uploads;
#[cfg(feature = "crash-points")]
mod vital;
mod zones;

use std::time::Duration;

use chancery::clock::{Clock as _, SystemClock, after};
use chancery::domain::id::DeliveryId;
use chancery::simulator::{CreateOutcome, Kind};
use jiff::Timestamp;

use crate::stage::{Kind as Database, Outlet, Stage, Wanted, eventually, now};
use daemon::Daemon;

/// Short leases, because a lost process is waited for; a request may hang longer than a kill takes.
const OPTIONS: [(&str, &str); 2] =
    [("CHANCERY_PUBLISH__LEASE", "4s"), ("CHANCERY_PUBLISH__REQUEST_TIMEOUT", "2s")];

/// A stage whose service is going to be the real process.
async fn set(kind: Database) -> Option<Stage> {
    Stage::start(kind, &OPTIONS).await
}

/// The same with these further options.
async fn set_with(kind: Database, further: &[(&str, &str)]) -> Option<Stage> {
    Stage::start(kind, &[&OPTIONS[..], further].concat()).await
}

/// Deliveries that are due when the real process has taken over.
fn soon() -> Timestamp {
    after(now(), Duration::from_millis(1_500))
}

/// Where a delivery stands by the database itself, with its remote id.
async fn standing(stage: &Stage, id: &DeliveryId) -> (String, String) {
    let sql = format!("SELECT state, COALESCE(remote_id, '') FROM deliveries WHERE id = '{id}'");
    let row = stage.setting().database.rows(&sql).await.remove(0);
    (row[0].clone(), row[1].clone())
}

/// Waits for a delivery to be published under the one id that the platform gave it.
async fn published_once(stage: &Stage, id: &DeliveryId, outlet: &Outlet) {
    let remote_id = eventually(&format!("{id} is published"), async || {
        let (stands, remote_id) = standing(stage, id).await;
        if stands == "published" { Ok(remote_id) } else { Err(stands) }
    })
    .await;
    let made: Vec<_> = stage
        .creates(outlet)
        .into_iter()
        .filter_map(|entry| match entry.outcome {
            CreateOutcome::Created(id) => Some(id),
            CreateOutcome::Refused(_) | CreateOutcome::NotExecuted => None,
        })
        .collect();
    assert_eq!(made, [remote_id]);
}

/// Runs one story on both databases, one after the other.
async fn on_both(story: impl AsyncFn(&mut Stage)) {
    for kind in [Database::Sqlite, Database::Postgres] {
        if let Some(mut stage) = Box::pin(set(kind)).await {
            story(&mut stage).await;
            Box::pin(stage.finish()).await;
        }
    }
}

/// kill -9 after the last byte and before the answer: the post is there, and stays the only one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_the_platform_hangs_makes_no_second_post() {
    on_both(async |stage| {
        let outlets = stage.both().await;
        let due = soon();
        let mut ids = Vec::new();
        for outlet in &outlets {
            stage.spoil(outlet, Kind::HangAfter { ms: 30_000 });
            ids.push(stage.deliver(outlet, &Wanted::text("killed").at(due)).await);
        }
        stage.stop().await;
        let mut daemon = Daemon::start(stage.setting(), &[]);
        eventually("both were accepted", async || {
            let made: usize = outlets.iter().map(|outlet| stage.made(outlet)).sum();
            daemon.must_run();
            if made == 2 { Ok(()) } else { Err(made.to_string()) }
        })
        .await;
        for id in &ids {
            assert_eq!(standing(stage, id).await.0, "publishing");
        }
        daemon.kill().await;
        let daemon = Daemon::start(stage.setting(), &[]);
        for (id, outlet) in ids.iter().zip(&outlets) {
            published_once(stage, id, outlet).await;
            assert_eq!(stage.creates(outlet).len(), 1, "it was sent again");
        }
        daemon.stop().await;
    })
    .await;
}

const ACCOUNTS: usize = 8;
const EACH: usize = 6;

async fn load(stage: &Stage) -> Vec<(DeliveryId, Outlet)> {
    stage.world().change_settings(|settings| settings.latency_ms = 40);
    let mut outlets = Vec::new();
    let start = SystemClock.elapsed();
    for _ in 0..ACCOUNTS / 2 {
        outlets.extend(stage.both().await);
    }
    // All must be written before the first is due, however busy the machine is.
    let lead = 3 * SystemClock.elapsed().saturating_sub(start) + Duration::from_secs(5);
    let due = after(now(), lead);
    let mut asked = Vec::new();
    for _ in 0..EACH {
        for outlet in &outlets {
            let id = stage.deliver(outlet, &Wanted::text("under load").at(due)).await;
            asked.push((id, outlet.clone()));
        }
    }
    asked
}

async fn until_made(stage: &Stage, daemon: &mut Daemon, wanted: u64) {
    eventually("enough were made", async || {
        daemon.must_run();
        let made = stage.world().counts().created;
        if made >= wanted { Ok(()) } else { Err(made.to_string()) }
    })
    .await;
}

/// SIGTERM under load: it ends cleanly, in doubt about nothing, and the next start does the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_is_clean_and_nothing_is_lost_or_doubled() {
    on_both(async |stage| {
        let asked = load(stage).await;
        stage.stop().await;
        let mut daemon = Daemon::start(stage.setting(), &[]);
        until_made(stage, &mut daemon, 10).await;
        daemon.stop().await;
        let made = stage.world().counts().created;
        assert!(made < asked.len() as u64, "all were made before the stop: no load");
        let sql = "SELECT state FROM deliveries WHERE state NOT IN ('scheduled', 'published')";
        assert_eq!(
            stage.setting().database.rows(sql).await.len(),
            0,
            "a clean stop leaves no doubt"
        );
        let daemon = Daemon::start(stage.setting(), &[]);
        for (id, _) in &asked {
            eventually(&format!("{id} is published"), async || {
                let (state, _) = standing(stage, id).await;
                if state == "published" { Ok(()) } else { Err(state) }
            })
            .await;
        }
        daemon.stop().await;
        let counts = stage.world().counts();
        assert_eq!((counts.created, counts.received), (asked.len() as u64, asked.len() as u64));
    })
    .await;
}

/// kill -9 at moments that nobody chose, three times under load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_load_lose_and_double_nothing() {
    on_both(async |stage| {
        let asked = load(stage).await;
        stage.stop().await;
        for round in 1..=3 {
            let mut daemon = Daemon::start(stage.setting(), &[]);
            until_made(stage, &mut daemon, round * 8).await;
            daemon.kill().await;
        }
        let daemon = Daemon::start(stage.setting(), &[]);
        for (id, _) in &asked {
            eventually(&format!("{id} has ended or asks a person"), async || {
                let (state, _) = standing(stage, id).await;
                // Killed twice in flight, it is in doubt twice.
                if state == "published" || state == "needs_human" { Ok(()) } else { Err(state) }
            })
            .await;
        }
        daemon.stop().await;
        for (id, outlet) in &asked {
            let (state, _) = standing(stage, id).await;
            assert!(state == "published" || stage.made(outlet) < EACH, "{id} is made and {state}");
        }
    })
    .await;
}
