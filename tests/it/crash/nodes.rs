//! Two living nodes on one server: one stands still in the middle of a call, the other takes over,
//! and what the first says when it goes on changes nothing any more.

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
    let later = chancery::clock::after(due, std::time::Duration::from_secs(2));
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
