//! Several nodes whose clocks differ, and nodes that nobody knows any more: a living neighbour keeps what
//! it has, and a fence is never given twice.

use std::time::Duration;

use chancery::app::App;
use chancery::clock::after;
use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::delivery::DeliveryState;
use chancery::engine::quarantine;
use chancery::service::clock::{self, Confirmation};
use chancery::service::{deliveries, health};
use chancery::simulator::{Kind as FaultKind, Platform};
use jiff::SignedDuration;
use serde_json::json;

use crate::stage::{Kind, Stage, Wanted, eventually, now, pass};

/// A node has requests on their way when a second one starts whose clock is ahead by far more than a
/// lease, and a person says that this clock is right. The second one lets the first one finish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_clock_is_ahead_leaves_a_living_neighbour_alone() {
    let options = [("CHANCERY_PUBLISH__REQUEST_TIMEOUT", "9s"), ("CHANCERY_PUBLISH__LEASE", "20s")];
    let Some(stage) = Stage::start(Kind::Postgres, &options).await else { return };
    let mut ids = Vec::new();
    for outlet in stage.both().await {
        stage.spoil(&outlet, FaultKind::HangAfter { ms: 7_000 });
        ids.push((stage.deliver(&outlet, &Wanted::text("on its way")).await, outlet));
    }
    for (id, _) in &ids {
        stage.until(id, DeliveryState::Publishing).await;
    }
    let other = stage.another_ahead(SignedDuration::from_mins(10)).await;
    let acts = other.acts();
    let node = health::nodes(acts).await.unwrap().remove(0);
    // To it this is due: it asks the platforms, and they say another time.
    let outlet = stage.outlet(Platform::X).await;
    let due = after(stage.now(), Duration::from_mins(5));
    let due = stage.deliver(&outlet, &Wanted::text("due by a wrong clock").at(due)).await;
    let node = eventually("its clock is in doubt", async || {
        let nodes = health::nodes(acts).await.unwrap();
        let found = nodes.into_iter().find(|it| it.id == node.id && it.clock.doubt.is_some());
        found.ok_or("it is not")
    })
    .await;
    deliveries::cancel(stage.acts(), stage.caller(), &due).await.unwrap();
    let given = json!({"node_id": node.id, "step": node.clock.step});
    let confirmation: Confirmation = serde_json::from_value(given).unwrap();
    clock::confirm(acts, stage.caller(), &confirmation).await.unwrap();
    eventually("its clock counts", async || {
        let nodes = health::nodes(acts).await.unwrap();
        if nodes.iter().all(|it| it.clock.doubt.is_none()) { Ok(()) } else { Err("not yet") }
    })
    .await;
    // It looks for lost work ten times in a second.
    pass(Duration::from_secs(1)).await;
    for (id, outlet) in &ids {
        let shown = stage.published(id).await;
        let outcomes: Vec<_> = shown.attempts.iter().map(|one| one.outcome).collect();
        assert_eq!(outcomes, [AttemptOutcome::Published], "the living were declared lost");
        assert_eq!((stage.doubts(id).await, stage.creates(outlet).len()), (0, 1));
    }
    assert!(other.stop().await);
    stage.finish().await;
}

/// What was restored gives no fence that a process of the lost history may have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_database_gives_fences_above_all_that_were_lost() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let Some(mut stage) = Stage::start(kind, &[]).await else { continue };
        stage.stop().await;
        let services = App::services(stage.setting().config()).await.unwrap();
        let restored = now();
        quarantine::restored(&services.store, restored, "drill", true, restored).await.unwrap();
        services.store.close().await;
        stage.resume().await;
        let fence = health::nodes(stage.acts()).await.unwrap().remove(0).fence;
        assert!(fence > restored.as_millisecond(), "the fence is {fence}");
        assert!(fence < after(restored, Duration::from_hours(1)).as_millisecond());
        stage.finish().await;
    }
}
