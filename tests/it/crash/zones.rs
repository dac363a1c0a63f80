//! The real process with other time-zone data than those by which something was scheduled.

use std::path::Path;
use std::time::Duration;

use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::domain::schedule::local_in;
use chancery::service::Window;
use chancery::service::deliveries::{self, Filter, Move};
use chancery::simulator::Platform;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::daemon::Daemon;
use crate::stage::{Kind, Outlet, Stage, Wanted, eventually, now, staged};

const HANOI: &str = "Asia/Ho_Chi_Minh";

/// An instant as the wall in Hanoi shows it.
fn on_wall(at: Timestamp) -> Value {
    let shown = local_in(at, HANOI);
    json!({"date": &shown[..10], "time": &shown[11..19], "zone": HANOI})
}

/// A whole second, so far from now.
fn in_seconds(count: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + count).unwrap()
}

async fn deliver(stage: &Stage, outlet: &Outlet, text: &str, at: Timestamp) -> DeliveryId {
    let wanted = Wanted::text(text);
    let post = stage.post("routine", &[wanted.variant()]).await;
    let mut delivery = wanted.delivery(outlet);
    delivery.as_object_mut().unwrap().remove("now");
    delivery["local"] = on_wall(at);
    stage.schedule(&post, &[delivery]).await.remove(0)
}

/// Time-zone data by which Hanoi has the clocks of Tokyo.
fn other_law(directory: &Path) -> String {
    let zones = directory.join("zones");
    std::fs::create_dir_all(zones.join("Asia")).unwrap();
    std::fs::copy("/usr/share/zoneinfo/Asia/Tokyo", zones.join(HANOI)).unwrap();
    zones.to_str().unwrap().to_owned()
}

/// Vietnam is said to put its clocks forward. What was to go out by the old ones is not moved and not
/// sent; and when that turns out to be wrong it goes out as if nothing had been.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_law_stops_what_it_concerns_and_moves_nothing() {
    let mut stage = super::set(Kind::Sqlite).await.unwrap();
    let outlet = stage.outlet(Platform::X).await;
    stage.stop().await;
    stage.resume().await;
    let due = in_seconds(8);
    let ids = [
        deliver(&stage, &outlet, "by the old law", due).await,
        deliver(&stage, &outlet, "in three days", in_seconds(3 * 86_400)).await,
    ];
    let by_instant = stage
        .deliver(&outlet, &Wanted::text("by no law").at(after(due, Duration::from_secs(1))))
        .await;
    stage.stop().await;
    let law = other_law(stage.setting().directory());
    let mut daemon = Daemon::start(stage.setting(), &[("TZDIR", &law)]);
    let changed = "SELECT id FROM deliveries WHERE zone_change IS NOT NULL ORDER BY due_at";
    eventually("it is noticed", async || {
        daemon.must_run();
        let rows = stage.setting().database.rows(changed).await;
        if rows.len() == 2 { Ok(()) } else { Err(format!("{rows:?}")) }
    })
    .await;
    eventually("what goes by no wall is published", async || {
        daemon.must_run();
        let made = stage.made(&outlet);
        if made == 1 { Ok(()) } else { Err(made) }
    })
    .await;
    assert!(now() > due, "it was due before");
    daemon.stop().await;
    assert_eq!(stage.made(&outlet), 1, "it was sent by the old law");
    let told = "SELECT subject FROM audit WHERE action = 'delivery.zone_changed' ORDER BY subject";
    assert_eq!(stage.setting().database.rows(told).await.len(), 2);
    stage.resume().await;
    stage.published(&by_instant).await;
    stage.published(&ids[0]).await;
    let far = stage.show(&ids[1]).await.delivery;
    assert_eq!((far.state, far.zone_change), (DeliveryState::Scheduled, None));
    stage.finish().await;
}

staged! {
    /// What a changed law concerns is listed, waits past its instant, and goes out when a person has
    /// given it a time again.
    async fn a_person_says_which_instant_counts(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let due = in_seconds(3);
        let id = deliver(stage, &outlet, "which instant", due).await;
        let change = json!({"means": [in_seconds(-7_000)], "rules": "new", "found_at": now()});
        let sql = format!("UPDATE deliveries SET zone_change = '{change}' WHERE id = '{id}'");
        stage.setting().database.execute(&sql).await;
        eventually("it waits for a person", async || {
            let it = stage.show(&id).await.delivery;
            let waits = it.waits_for.map(|it| it.code);
            let there = it.state == DeliveryState::Scheduled && waits.as_deref() == Some("time_zone");
            if there { Ok(()) } else { Err(format!("{} {waits:?}", it.state)) }
        })
        .await;
        let filter = Filter { zone_changed: true, ..Filter::default() };
        let (acts, caller) = (stage.acts(), stage.caller());
        let window = Window { limit: 10, after: None };
        let list = deliveries::list(acts, caller, filter, &window).await.unwrap();
        assert_eq!(list.items.iter().map(|it| &it.id).collect::<Vec<_>>(), [&id]);
        assert_eq!(stage.creates(&outlet).len(), 0);
        let to: Move = serde_json::from_value(json!({"at": in_seconds(2)})).unwrap();
        let moved = deliveries::reschedule(acts, caller, &id, None, to).await.unwrap().value;
        assert_eq!(moved.zone_change, None);
        stage.published(&id).await;
    }
}
