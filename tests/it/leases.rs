//! What a process may still do when time has jumped: nothing leaves under a lease that has ended, and
//! a stepped clock makes nobody doubt his own living work.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::deliveries::DeliveryDetail;
use chancery::simulator::Kind as FaultKind;
use jiff::SignedDuration;
use sqlx::Connection as _;

use crate::stage::{Kind, Stage, Wanted, eventually, pass, staged};

/// Longer than any lease.
const LONG: Duration = Duration::from_mins(10);

async fn waiting_at_the_gate(stage: &Stage, id: &DeliveryId) {
    stage.until(id, DeliveryState::Publishing).await;
}

fn outcomes(shown: &DeliveryDetail) -> Vec<AttemptOutcome> {
    shown.attempts.iter().map(|one| one.outcome).collect()
}

staged! {
    // Long enough to be seen at the gate on a busy machine.
    with &[("CHANCERY_PUBLISH__LOOKAHEAD", "1s")];

    /// The machine sleeps while deliveries wait at the gate; when it wakes their lease has ended, and
    /// so has their instant. They are taken back, guarded anew, and go out once.
    async fn a_lapsed_lease_closes_the_gate(stage) {
        let due = after(stage.now(), Duration::from_millis(1_500));
        let mut ids = Vec::new();
        for outlet in stage.both().await {
            let id = stage.deliver(&outlet, &Wanted::text("asleep at the gate").at(due)).await;
            ids.push((id, outlet));
        }
        for (id, _) in &ids {
            waiting_at_the_gate(stage, id).await;
        }
        stage.suspend(LONG);
        for (id, outlet) in &ids {
            let shown = stage.published(id).await;
            assert_eq!(outcomes(&shown), [AttemptOutcome::Withdrawn, AttemptOutcome::Published]);
            assert_eq!((shown.delivery.attempt_count, stage.creates(outlet).len()), (1, 1));
        }
    }

    /// The time server puts the clock forward while the platform is slow: the work is alive, and
    /// nobody declares it lost.
    async fn a_stepped_clock_does_not_doubt_living_work(stage) {
        let mut ids = Vec::new();
        for outlet in stage.both().await {
            stage.spoil(&outlet, FaultKind::HangAfter { ms: 700 });
            let id = stage.deliver(&outlet, &Wanted::text("stepped")).await;
            ids.push((id, outlet));
        }
        eventually("the platforms have both", async || {
            let made = stage.world().counts().created;
            if made == 2 { Ok(()) } else { Err(made.to_string()) }
        })
        .await;
        stage.step_by(SignedDuration::try_from(LONG).unwrap());
        // Several times the queue is looked at.
        pass(Duration::from_millis(500)).await;
        for (id, outlet) in &ids {
            let shown = stage.published(id).await;
            assert_eq!(outcomes(&shown), [AttemptOutcome::Published]);
            assert_eq!((stage.doubts(id).await, stage.creates(outlet).len()), (0, 1));
        }
    }
}

staged! {
    with &[("CHANCERY_PUBLISH__LOOKAHEAD", "3s"), ("CHANCERY_PUBLISH__LEASE", "7s")];

    /// The lease is renewed before they wake who wait at the gate: what they were let in with has
    /// ended all the same.
    async fn a_lease_renewed_after_it_lapsed_lets_nothing_go_that_waits(stage) {
        let due = after(stage.now(), Duration::from_millis(3_500));
        let mut ids = Vec::new();
        for outlet in stage.both().await {
            let id = stage.deliver(&outlet, &Wanted::text("asleep for longer").at(due)).await;
            ids.push((id, outlet));
        }
        for (id, _) in &ids {
            waiting_at_the_gate(stage, id).await;
        }
        stage.suspend(LONG);
        for (id, outlet) in &ids {
            let shown = stage.published(id).await;
            assert_eq!(outcomes(&shown), [AttemptOutcome::Withdrawn, AttemptOutcome::Published]);
            assert_eq!(stage.creates(outlet).len(), 1);
        }
    }
}

/// While a claim waits for the database the machine is suspended, and the lease is renewed before the
/// claim is made: others may have decided about it already, so nothing of it leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_outlasts_its_lease_is_taken_back() {
    let Some(stage) = Stage::start(Kind::Postgres, &[]).await else { return };
    let [outlet, _] = stage.both().await;
    let due = after(stage.now(), Duration::from_mins(1));
    let id = stage.deliver(&outlet, &Wanted::text("claimed too slowly").at(due)).await;
    let lock = stage.setting().database.lock("deliveries", &id).await;
    stage.advance(Duration::from_mins(1));
    let (waits, seen) = (
        "SELECT pid::text FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
        "SELECT MAX(seen_at)::text FROM nodes",
    );
    let database = &stage.setting().database;
    eventually("the claim waits", async || {
        if database.rows(waits).await.is_empty() { Err("nobody waits") } else { Ok(()) }
    })
    .await;
    stage.suspend(LONG);
    // Twice, because the first may have begun before.
    for _ in 0..2 {
        let before = database.rows(seen).await;
        eventually("the lease is renewed", async || {
            if database.rows(seen).await == before { Err("it is not") } else { Ok(()) }
        })
        .await;
    }
    lock.close().await.unwrap();
    let shown = stage.published(&id).await;
    assert_eq!(outcomes(&shown), [AttemptOutcome::Withdrawn, AttemptOutcome::Published]);
    assert_eq!(stage.creates(&outlet).len(), 1);
    stage.finish().await;
}
