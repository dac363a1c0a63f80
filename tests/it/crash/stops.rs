//! A hold on two nodes: it is answered when the other one has said that it sends nothing more, and
//! not before.

use std::time::Duration;

use chancery::clock::{Clock as _, SystemClock, after};
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::{Caller, Error, IdempotencyKey, holds};
use serde_json::json;

use super::daemon::Daemon;
use super::set;
use crate::stage::{Kind, Outlet, Stage, Wanted, eventually, now, pass};

/// Deliveries that wait at the gate of the other node, due in some seconds. It guards so far ahead that everything
/// waits there and not here.
async fn at_its_gate(stage: &mut Stage) -> (Daemon, Vec<(Outlet, DeliveryId)>) {
    let start = SystemClock.elapsed();
    let mut outlets = Vec::new();
    for _ in 0..10 {
        outlets.extend(stage.both().await);
    }
    // A slow machine needs about as long again to schedule, to start the other node and to place the hold.
    let lead = 12 + 4 * SystemClock.elapsed().saturating_sub(start).as_secs();
    let due = after(now(), Duration::from_secs(lead));
    let mut rows = Vec::new();
    for outlet in outlets {
        let id = stage.deliver(&outlet, &Wanted::text("on two nodes").at(due)).await;
        rows.push((outlet, id));
    }
    let (ahead, lease) = (format!("{}s", lead - 3), format!("{}s", 3 * lead));
    let ahead =
        [("CHANCERY_PUBLISH__LOOKAHEAD", ahead.as_str()), ("CHANCERY_PUBLISH__LEASE", &lease)];
    let mut daemon = Daemon::start(stage.setting(), &ahead);
    let count = rows.len();
    eventually("all wait at the other gate", async || {
        daemon.must_run();
        let sql = "SELECT id FROM deliveries WHERE state = 'publishing'";
        let seen = stage.setting().database.rows(sql).await.len();
        if seen == count { Ok(()) } else { Err(seen) }
    })
    .await;
    (daemon, rows)
}

fn caller(stage: &Stage) -> Caller {
    let key = IdempotencyKey {
        key: "stop".to_owned(),
        fingerprint: "stop".to_owned(),
        operation: "POST /api/v1/holds".to_owned(),
    };
    Caller { idempotency: Some(key), ..stage.caller().clone() }
}

async fn place(stage: &Stage) -> Result<holds::Placed, Error> {
    let new = json!({"scope": {"all": true}, "reason": "An accident"});
    let new = serde_json::from_value(new).unwrap();
    holds::place(stage.acts(), &caller(stage), new).await.map(|done| done.value)
}

async fn nothing_went_out(stage: &Stage, rows: &[(Outlet, DeliveryId)]) {
    for (outlet, id) in rows {
        stage.until(id, DeliveryState::Held).await;
        let shown = stage.show(id).await.delivery;
        assert_eq!((shown.attempt_count, stage.creates(outlet).len()), (0, 0));
    }
    // Long enough for their instant to pass.
    let due = stage.show(&rows[0].1).await.delivery.due_at;
    while now() < after(due, Duration::from_millis(500)) {
        pass(Duration::from_millis(100)).await;
    }
    assert_eq!(stage.world().counts().received, 0, "something was sent after the answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_stops_what_waits_on_another_node() {
    let Some(mut stage) = set(Kind::Postgres).await else { return };
    let (daemon, rows) = at_its_gate(&mut stage).await;
    let placed = place(&stage).await.unwrap();
    assert_eq!(placed.in_flight, [], "nothing had left");
    nothing_went_out(&stage, &rows).await;
    daemon.stop().await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_is_not_answered_before_another_node_has_followed() {
    let Some(mut stage) = set(Kind::Postgres).await else { return };
    stage.set_option("CHANCERY_SERVER__BODY_TIMEOUT", "900ms");
    stage.set_option("CHANCERY_SERVER__HEADER_TIMEOUT", "900ms");
    stage.set_option("CHANCERY_SERVER__REQUEST_TIMEOUT", "1s");
    stage.stop().await;
    stage.resume().await;
    let (daemon, rows) = at_its_gate(&mut stage).await;
    daemon.pause();
    let told = place(&stage).await;
    assert!(
        matches!(&told, Err(Error::Unfinished(why)) if why.code == "hold_unconfirmed"),
        "{told:?}"
    );
    daemon.go_on();
    let placed = eventually("the other node follows", async || {
        place(&stage).await.map_err(|error| error.to_string())
    })
    .await;
    assert_eq!(placed.in_flight, []);
    let listed = holds::list(
        stage.acts(),
        stage.caller(),
        None,
        &chancery::service::Window { limit: 9, after: None },
    );
    assert_eq!(listed.await.unwrap().items.len(), 1, "asked again is not placed again");
    nothing_went_out(&stage, &rows).await;
    daemon.stop().await;
    stage.finish().await;
}
