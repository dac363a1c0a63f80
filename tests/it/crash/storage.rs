//! The disk fails under the real process: it is full, it confirms nothing, the power goes. Nothing is
//! sent whose intent is not on the disk, and when the disk works again so does the service.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::id::DeliveryId;
use chancery::service::tokens;
use chancery::simulator::Kind as FaultKind;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::daemon::Daemon;
use super::disk::{Disk, Whim};
use super::{OPTIONS, published_once, standing};
use crate::stage::{Kind, Outlet, Stage, Wanted, eventually, now, pass};

/// What makes the runs repeatable, but for the instants of the machine.
const SEED: u64 = 20_260_902;

async fn token(stage: &Stage) -> String {
    let new = serde_json::from_value(json!({"name": "disk"})).unwrap();
    tokens::create(stage.acts(), stage.caller(), new).await.unwrap().value.token.unwrap()
}

/// Somebody wants to change something meanwhile: the status and the code of the answer.
#[expect(clippy::disallowed_methods, reason = "a client of our own service")]
async fn refusal(daemon: &Daemon, token: &str) -> (u16, Value) {
    let url = format!("http://{}/api/v1/tokens", daemon.address());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = client.post(url).bearer_auth(token).header("content-type", "application/json");
    let answer = ask.body(r#"{"name": "meanwhile"}"#).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    (status, body["code"].clone())
}

/// The disk fails while one request is on its way and others become due; then it works again.
async fn story(whim: Whim, lease: &str, wanted: (u16, &str)) {
    let options = [("CHANCERY_PUBLISH__LEASE", lease), OPTIONS[1]];
    let mut stage = Stage::start(Kind::Sqlite, &options).await.unwrap();
    let disk = Disk::under(&stage);
    let token = token(&stage).await;
    let (first, others) =
        (stage.outlet(chancery::simulator::Platform::X).await, stage.both().await);
    stage.spoil(&first, FaultKind::HangAfter { ms: 1_200 });
    let start = now();
    let due = after(start, Duration::from_secs(2));
    let mut rows = vec![(stage.deliver(&first, &Wanted::text("on its way").at(due)).await, &first)];
    let later = after(start, Duration::from_secs(10));
    for outlet in &others {
        rows.push((stage.deliver(outlet, &Wanted::text("meanwhile").at(later)).await, outlet));
    }
    stage.stop().await;
    disk.settle();
    let daemon = Daemon::start(stage.setting(), &disk.options());
    daemon.ready().await;
    eventually("the first is on its way", async || {
        let received = stage.world().counts().received;
        if received == 1 { Ok(()) } else { Err(received) }
    })
    .await;
    disk.become_(whim);
    assert!(now() < later, "too slow: the others may have left already");
    // Longer than the shorter of the leases, and long after the others were due.
    while now() < after(later, Duration::from_secs(3)) {
        pass(Duration::from_millis(100)).await;
    }
    assert_eq!(stage.world().counts().received, 1, "sent without a durable row");
    assert_eq!(standing(&stage, &rows[0].0).await.0, "publishing", "the disk takes writes");
    let (status, code) = refusal(&daemon, &token).await;
    assert_eq!((status, code), (wanted.0, json!(wanted.1)));
    disk.recover(whim);
    for (id, outlet) in &rows {
        published_once(&stage, id, outlet).await;
        assert_eq!(stage.creates(outlet).len(), 1, "{id} was sent again");
    }
    // And all that was so, is so after the power goes.
    daemon.kill().await;
    disk.lose_power(None);
    let daemon = Daemon::start(stage.setting(), &[]);
    daemon.stop().await;
    for (id, outlet) in &rows {
        published_once(&stage, id, outlet).await;
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_what_leaves_and_nothing_else_is_needed_than_room() {
    story(Whim::Full, "4s", (503, "disk_full")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_confirms_nothing_stops_what_leaves() {
    story(Whim::Broken, "4s", (500, "internal")).await;
}

/// Under a lease that does not run out meanwhile, so that nothing but the commit stops what leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_is_not_confirmed_starts_nothing() {
    story(Whim::Broken, "15s", (500, "internal")).await;
}

/// Posts for eight accounts over some seconds, to platforms that answer slowly.
async fn spread(stage: &Stage, each: u32) -> Vec<(DeliveryId, Outlet)> {
    stage.world().change_settings(|settings| {
        settings.rate_limits = false;
        settings.latency_ms = 120;
        settings.x.duplicate_window_s = None;
    });
    let mut outlets = Vec::new();
    for _ in 0..4 {
        outlets.extend(stage.both().await);
    }
    let first = after(now(), Duration::from_secs(2));
    let mut rows = Vec::new();
    for number in 0..each {
        for outlet in &outlets {
            let due = after(first, Duration::from_millis(400) * number);
            let wanted = Wanted::text("through power losses").at(due);
            rows.push((stage.deliver(outlet, &wanted).await, outlet.clone()));
        }
    }
    rows
}

async fn losing_power(lives: usize, whim: Option<Whim>) -> (Stage, Vec<(DeliveryId, Outlet)>) {
    let quiet = [OPTIONS[0], OPTIONS[1], ("CHANCERY_PUBLISH__CATCH_UP_AFTER", "1h")];
    let mut stage = Stage::start(Kind::Sqlite, &quiet).await.unwrap();
    let disk = Disk::under(&stage);
    let rows = spread(&stage, 10).await;
    stage.stop().await;
    let mut chance = StdRng::seed_from_u64(SEED);
    for life in 0..lives {
        disk.settle();
        let before = stage.world().counts().received;
        if whim == Some(Whim::Lying) {
            disk.become_(Whim::Lying);
        }
        let daemon = Daemon::start(stage.setting(), &disk.options());
        daemon.ready().await;
        if whim == Some(Whim::Broken) {
            disk.become_(Whim::Broken);
        }
        pass(Duration::from_millis(chance.random_range(100..600))).await;
        if whim == Some(Whim::Broken) {
            // What was written meanwhile is never on the disk, although it can be read.
            disk.recover(Whim::Broken);
        }
        // Until something is sent; the last lives may have nothing left but doubts.
        for _ in 0..200 {
            if stage.world().counts().received > before {
                break;
            }
            pass(Duration::from_millis(20)).await;
        }
        pass(Duration::from_millis(chance.random_range(100..600))).await;
        daemon.kill().await;
        if whim == Some(Whim::Lying) {
            disk.recover(Whim::Lying);
        }
        let sent = stage.world().counts().received - before;
        let torn = life % 2 == 1 && whim != Some(Whim::Lying);
        eprintln!("life {life}: {sent} requests, torn: {torn}");
        disk.lose_power(torn.then_some(&mut chance));
    }
    let daemon = Daemon::start(stage.setting(), &[]);
    for (id, _) in &rows {
        eventually(&format!("{id} has ended or asks a person"), async || {
            let (stands, _) = standing(&stage, id).await;
            if stands == "published" || stands == "needs_human" { Ok(()) } else { Err(stands) }
        })
        .await;
    }
    daemon.stop().await;
    (stage, rows)
}

/// kill -9, and what was written and not confirmed is gone, in whole or by sectors.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_loss_forgets_nothing_that_was_sent() {
    let (stage, _) = losing_power(6, None).await;
    stage.finish().await;
}

/// The same with a disk that fails to confirm for a while before each, and drops what it failed with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_loss_after_a_failed_confirmation_forgets_nothing_that_was_sent() {
    let (stage, _) = losing_power(4, Some(Whim::Broken)).await;
    stage.finish().await;
}

/// The control: a disk that confirms what it does not keep makes the service send without a durable
/// row, and the judge sees it. Without this the tests above might be blind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_lies_is_found_out_by_the_judge() {
    let (stage, _) = losing_power(2, Some(Whim::Lying)).await;
    let found = stage.finish_with_findings().await;
    eprintln!("found:\n{}", found.join("\n"));
    assert!(found.iter().any(|it| it.contains("reached its platform")), "{found:?}");
}
