//! Two living nodes on one server: one stands still in the middle of a call, the other takes over,
//! and what the first says when it goes on changes nothing any more.

use std::time::Duration;

use chancery::domain::delivery::DeliveryState;
use chancery::simulator::Kind as FaultKind;

use super::daemon::Daemon;
use super::{set, soon};
use crate::stage::{Kind, Wanted, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stood_still_changes_nothing_any_more() {
    let Some(mut stage) = set(Kind::Postgres).await else { return };
    let [page, user] = stage.both().await;
    // Another two, which the first node has let in and which wait for their instant.
    let waiting = stage.both().await;
    stage.stop().await;
    stage.resume().await;
    let due = soon();
    let mut ids = Vec::new();
    for outlet in [&page, &user] {
        stage.spoil(outlet, FaultKind::HangAfter { ms: 1_500 });
        ids.push(stage.deliver(outlet, &Wanted::text("stood still").at(due)).await);
    }
    let later = chancery::clock::after(due, Duration::from_secs(2));
    let mut rest = Vec::new();
    for outlet in &waiting {
        rest.push(stage.deliver(outlet, &Wanted::text("waited meanwhile").at(later)).await);
    }
    stage.stop().await;
    // It alone lets things in so early.
    let early = [("CHANCERY_PUBLISH__LOOKAHEAD", "3s"), ("CHANCERY_PUBLISH__LEASE", "9s")];
    let mut first = Daemon::start(stage.setting(), &early);
    eventually("the platforms have both", async || {
        first.must_run();
        let made = stage.world().counts().created;
        if made == 2 { Ok(()) } else { Err(made) }
    })
    .await;
    first.pause();
    let publishing = "SELECT id FROM deliveries WHERE state = 'publishing'";
    assert_eq!(stage.setting().database.rows(publishing).await.len(), 4);

    stage.resume().await;
    for id in ids.iter().chain(&rest) {
        stage.published(id).await;
    }
    let database = &stage.setting().database;
    let written = "SELECT id, version::text, state, remote_id FROM deliveries ORDER BY id";
    let attempts = "SELECT id, outcome, fence::text, sent_at::text FROM attempts ORDER BY id";
    let before = (database.rows(written).await, database.rows(attempts).await);
    first.go_on();
    first.stop().await;
    assert_eq!((database.rows(written).await, database.rows(attempts).await), before);
    for (id, outlet) in ids.iter().zip([&page, &user]) {
        assert_eq!((stage.doubts(id).await, stage.creates(outlet).len()), (1, 1));
    }
    for (id, outlet) in rest.iter().zip(&waiting) {
        assert_eq!((stage.doubts(id).await, stage.creates(outlet).len()), (1, 1));
        assert_eq!(stage.show(id).await.delivery.state, DeliveryState::Published);
    }
    stage.finish().await;
}

/// Three nodes under load: one is killed, another one stands still past its lease and goes on. Each
/// delivery is made once, whoever had it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_nodes_one_is_killed_and_one_stands_still() {
    let Some(mut stage) = set(Kind::Postgres).await else { return };
    let mut outlets = Vec::new();
    for _ in 0..6 {
        outlets.extend(stage.both().await);
    }
    stage.stop().await;
    stage.resume().await;
    let mut rows = Vec::new();
    let first = chancery::clock::after(soon(), Duration::from_secs(5));
    for (place, outlet) in (0..).zip(&outlets) {
        // Some answers come after the kill, some intents wait for their instant.
        stage.spoil(outlet, FaultKind::HangAfter { ms: 600 });
        let due = chancery::clock::after(first, Duration::from_millis(150) * place);
        rows.push((outlet, stage.deliver(outlet, &Wanted::text("of three nodes").at(due)).await));
    }
    stage.stop().await;
    let [killed, still, mut third] = [(); 3].map(|()| Daemon::start(stage.setting(), &[]));
    for daemon in [&killed, &still, &third] {
        daemon.ready().await;
    }
    eventually("some are made", async || {
        let made = stage.world().counts().created;
        if made >= 3 { Ok(()) } else { Err(made) }
    })
    .await;
    killed.kill().await;
    still.pause();
    for (outlet, id) in &rows {
        super::published_once(&stage, id, outlet).await;
    }
    third.must_run();
    still.go_on();
    still.stop().await;
    third.stop().await;
    for (outlet, id) in &rows {
        assert_eq!(stage.creates(outlet).len(), 1, "{id}");
    }
    stage.finish().await;
}
