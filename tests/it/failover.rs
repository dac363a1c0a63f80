//! A server that is lost with its last seconds: a replica that lagged behind takes its place, or a copy of
//! some time ago. What went out in those seconds is found and not sent again, and what did not waits until
//! a person lets it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::deliveries::{self, Adoption};
use chancery::service::holds;
use chancery::service::quarantine::{self, Release};
use chancery::simulator::Kind as FaultKind;
use jiff::Timestamp;
use serde_json::json;

use crate::read_back::all_read;
use crate::stage::{Outlet, Relay, Stage, Wanted, eventually, now, pass};
use crate::stops::everything;

/// A PostgreSQL of this test alone, and later its copy; ended when dropped.
struct Servers {
    directory: tempfile::TempDir,
}

impl Servers {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// Does something and gives what was told.
    fn ask(&self, words: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/postgres.sh");
        let output = Command::new(script)
            .args(words)
            .env("CARGO_TARGET_DIR", self.directory.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.ask(&["stop"]);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment what to leave out"
)]
fn is_left_out() -> bool {
    std::env::var("CHANCERY_TEST_SKIP").is_ok_and(|it| it.contains("postgres"))
}

/// What takes the place of the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Successor {
    /// A replica, promoted: its log goes on on another timeline.
    Replica,
    /// A copy whose log goes on where it was: only whoever knows what was committed can tell.
    Copy,
}

/// Whether the service runs while the server is lost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    Lives,
    IsDown,
}

async fn lost_seconds(successor: Successor, service: Service) {
    if is_left_out() {
        eprintln!("SKIPPED: PostgreSQL, because CHANCERY_TEST_SKIP says so");
        return;
    }
    let servers = Servers::new();
    let (relay, url) = Relay::before(&servers.ask(&["start"])).await;
    let mut stage = Stage::start_on(url).await;
    let [page, user] = stage.both().await;
    let [idle, other] = stage.both().await;
    let due = after(now(), Duration::from_secs(8));
    let sent = [
        stage.deliver(&page, &Wanted::text("sent in the lost seconds").at(due)).await,
        stage.deliver(&user, &Wanted::text("sent in the lost seconds").at(due)).await,
    ];
    let later = after(due, Duration::from_secs(30));
    let unsent = stage.deliver(&idle, &Wanted::text("due in quarantine").at(later)).await;
    let tomorrow = after(due, Duration::from_hours(24));
    let moved =
        stage.deliver(&other, &Wanted::text("moved in the lost seconds").at(tomorrow)).await;
    match successor {
        Successor::Replica => servers.ask(&["copy", "standby"]),
        Successor::Copy => servers.ask(&["copy"]),
    };
    assert!(now() < due, "the copy took too long for what this test wants to show");
    for id in &sent {
        stage.published(id).await;
    }
    send_now(&stage, &moved).await;
    if service == Service::IsDown {
        stage.stop().await;
    }
    servers.ask(&["crash"]);
    relay.lead_to(&servers.ask(&["promote"]));
    if service == Service::IsDown {
        stage.resume().await;
    }
    is_in_quarantine(&stage).await;
    for id in &sent {
        stage.published(id).await;
        assert_eq!(stage.doubts(id).await, 1, "it was looked for");
    }
    is_asked_about(&stage, &other, &moved).await;
    waits_for_a_person(&stage, &idle, &unsent, later).await;
    all_read(&stage).await;
    quarantine::release(stage.acts(), stage.caller(), &Release::default()).await.unwrap();
    stage.published(&unsent).await;
    for outlet in [&page, &user, &idle, &other] {
        assert_eq!(stage.creates(outlet).len(), 1);
    }
    let view = quarantine::show(stage.acts(), stage.caller()).await.unwrap();
    assert!(!view.quarantined, "{view:?}");
    // The judge knows one instant of what was moved: that of tomorrow.
    let found = stage.finish_with_findings().await;
    assert!(found.len() == 1 && found[0].contains("although due at"), "{found:?}");
}

/// How far ahead of its instant a delivery is guarded here.
const AHEAD: Duration = Duration::from_secs(20);

/// A delivery waits at the gate of a living service, and the commit that guarded it is lost. Nobody can
/// know of it there: who places a hold would be told that nothing is on its way, and who looks for what
/// was sent would look too early. So it does not leave, and goes out once, after the release.
async fn what_waits_at_the_gate(hold: bool) {
    if is_left_out() {
        eprintln!("SKIPPED: PostgreSQL, because CHANCERY_TEST_SKIP says so");
        return;
    }
    let servers = Servers::new();
    let (relay, url) = Relay::before(&servers.ask(&["start"])).await;
    let mut stage = Stage::start_on(url).await;
    stage.stop().await;
    stage.set_option("CHANCERY_PUBLISH__LOOKAHEAD", &format!("{}s", AHEAD.as_secs()));
    stage.set_option("CHANCERY_PUBLISH__LEASE", "90s");
    stage.resume().await;
    let outlets = stage.both().await;
    let due = after(stage.now(), AHEAD * 2);
    let mut ids = Vec::new();
    for outlet in &outlets {
        ids.push(stage.deliver(outlet, &Wanted::text("waits at the gate").at(due)).await);
    }
    servers.ask(&["copy", "standby"]);
    let guarded = after(stage.now(), AHEAD);
    assert!(guarded < due, "the copy took too long for what this test wants to show");
    stage.advance(chancery::clock::until(guarded, due) + Duration::from_secs(1));
    for id in &ids {
        stage.until(id, DeliveryState::Publishing).await;
    }
    servers.ask(&["crash"]);
    relay.lead_to(&servers.ask(&["promote"]));
    if hold {
        // Before anybody has noticed.
        eventually("a hold is placed", async || {
            let all = serde_json::from_value(everything()).unwrap();
            let placed = holds::place(stage.acts(), stage.caller(), all).await;
            placed.map(|it| assert!(it.value.in_flight.is_empty())).map_err(|it| it.to_string())
        })
        .await;
    } else {
        is_in_quarantine(&stage).await;
        pass(Duration::from_millis(500)).await;
    }
    assert!(stage.now() < due, "too slow: they are due");
    stage.advance(chancery::clock::until(stage.now(), due) + Duration::from_secs(1));
    pass(Duration::from_secs(2)).await;
    assert_eq!(stage.world().counts().created, 0, "it left although nobody could know of it");
    if hold {
        return;
    }
    // The accounts are read when whoever sent before has certainly ended.
    for _ in 0..6 {
        stage.advance(AHEAD);
        pass(Duration::from_millis(300)).await;
    }
    all_read(&stage).await;
    quarantine::release(stage.acts(), stage.caller(), &Release::default()).await.unwrap();
    for (id, outlet) in ids.iter().zip(&outlets) {
        stage.published(id).await;
        assert_eq!(stage.creates(outlet).len(), 1);
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_guarded_by_a_lost_commit_does_not_leave() {
    what_waits_at_the_gate(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_after_a_failover_stops_what_was_guarded_by_a_lost_commit() {
    what_waits_at_the_gate(true).await;
}

async fn is_in_quarantine(stage: &Stage) {
    eventually("it is in quarantine", async || {
        let view = quarantine::show(stage.acts(), stage.caller()).await;
        if view.as_ref().is_ok_and(|it| it.quarantined) { Ok(()) } else { Err(format!("{view:?}")) }
    })
    .await;
}

/// A person wants it at once.
async fn send_now(stage: &Stage, id: &DeliveryId) {
    let soon = after(stage.now(), Duration::from_secs(2)).to_string();
    let to = serde_json::from_value(json!({"at": soon})).unwrap();
    deliveries::reschedule(stage.acts(), stage.caller(), id, None, to).await.unwrap();
    stage.published(id).await;
}

/// It is out, and by what the database knows still to come.
async fn is_asked_about(stage: &Stage, outlet: &Outlet, id: &DeliveryId) {
    stage.until(id, DeliveryState::NeedsHuman).await;
    let post = stage.posts(outlet).remove(0).id;
    let found = Adoption { remote_id: Some(post), permalink: None };
    deliveries::adopt(stage.acts(), stage.caller(), id, found).await.unwrap();
}

/// What comes due meanwhile is not sent.
async fn waits_for_a_person(stage: &Stage, outlet: &Outlet, id: &DeliveryId, due: Timestamp) {
    stage.advance(chancery::clock::until(stage.now(), due) + Duration::from_secs(1));
    eventually("it waits for a person", async || {
        let it = stage.show(id).await.delivery;
        let waits = it.waits_for.map(|it| it.code);
        let there = it.state == DeliveryState::Scheduled && waits.as_deref() == Some("quarantine");
        if there { Ok(()) } else { Err(format!("{} {waits:?}", it.state)) }
    })
    .await;
    assert_eq!(stage.creates(outlet).len(), 0, "it was sent in quarantine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lagged_is_promoted_under_a_living_service() {
    lost_seconds(Successor::Replica, Service::Lives).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lagged_is_promoted_while_the_service_is_down() {
    lost_seconds(Successor::Replica, Service::IsDown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_living_service_knows_that_a_copy_lacks_what_was_committed() {
    lost_seconds(Successor::Copy, Service::Lives).await;
}

/// The server ends at once, as when its power goes, while a platform is slow to answer and other
/// deliveries come due; and comes back as it was. Nothing is lost, and nobody needs to do anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_at_once_and_comes_back_loses_nothing() {
    if is_left_out() {
        eprintln!("SKIPPED: PostgreSQL, because CHANCERY_TEST_SKIP says so");
        return;
    }
    let servers = Servers::new();
    let (relay, url) = Relay::before(&servers.ask(&["start"])).await;
    let stage = Stage::start_on(url).await;
    let slow = stage.both().await;
    let others = stage.both().await;
    let mut rows = Vec::new();
    for outlet in &slow {
        stage.spoil(outlet, FaultKind::HangAfter { ms: 700 });
        rows.push((outlet, stage.deliver(outlet, &Wanted::text("in flight")).await));
    }
    let due = after(now(), Duration::from_secs(2));
    for outlet in &others {
        let wanted = Wanted::text("due meanwhile").at(due);
        rows.push((outlet, stage.deliver(outlet, &wanted).await));
    }
    eventually("the platforms have two", async || {
        let made = stage.world().counts().created;
        if made == 2 { Ok(()) } else { Err(made) }
    })
    .await;
    servers.ask(&["crash"]);
    eventually("the others are due", async || {
        if now() > after(due, Duration::from_millis(300)) { Ok(()) } else { Err(now()) }
    })
    .await;
    assert_eq!(stage.world().counts().created, 2, "sent without a server");
    relay.lead_to(&servers.ask(&["again"]));
    for (outlet, id) in &rows {
        eventually("it is published", async || {
            let shown = deliveries::show(stage.acts(), stage.caller(), id).await;
            let found = shown.map(|it| it.delivery.state);
            let there = matches!(found, Ok(DeliveryState::Published));
            if there { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
        assert_eq!(stage.creates(outlet).len(), 1);
    }
    let view = quarantine::show(stage.acts(), stage.caller()).await.unwrap();
    assert!(!view.quarantined, "{view:?}");
    stage.finish().await;
}
