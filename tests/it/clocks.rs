//! Clocks that step, forward and back, and clocks that are wrong from the start: nothing is early by the
//! platforms' time, nothing is lost or late because of it, and people are told.

use std::time::Duration;

use chancery::clock::{after, until};
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::domain::outbox::Occasion;
use chancery::service::clock::Confirmation;
use chancery::service::{Error, clock, health};
use chancery::simulator::{Kind as FaultKind, Platform};
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::stage::{Kind, Stage, Wanted, eventually, pass, staged};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Steps the machine's clock at random while deliveries come due, and in the end leaves it wrong.
async fn storm(stage: &Stage, steps: u32) {
    let seed = rand::random::<u64>();
    eprintln!("seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let mut outlets = Vec::new();
    for _ in 0..10 {
        outlets.extend(stage.both().await);
    }
    let first = after(stage.true_now(), Duration::from_secs(12));
    let mut ids = Vec::new();
    for (place, outlet) in (0..).zip(outlets.iter().cycle().take(60)) {
        // Late within minutes, so that a clock that is hours ahead would lose it.
        let due = after(first, Duration::from_millis(150) * place);
        let wanted = Wanted::text(&format!("place {place}")).class("urgent").at(due);
        ids.push(stage.deliver(outlet, &wanted).await);
    }
    eventually("the first is nearly due", async || {
        let left = until(stage.true_now(), first);
        if left < Duration::from_millis(500) { Ok(()) } else { Err(left.as_millis()) }
    })
    .await;
    for _ in 0..steps {
        let by = match chance.random_range(0..4) {
            0 => -stage.wall_ahead(),
            1 => SignedDuration::from_millis(chance.random_range(2_500..20_000)),
            2 => SignedDuration::from_secs(chance.random_range(60..10_800)),
            _ => -SignedDuration::from_secs(chance.random_range(3..10_800)),
        };
        stage.step_wall(by);
        pass(Duration::from_millis(chance.random_range(5..95))).await;
    }
    stage.step_wall(HOUR - stage.wall_ahead());
    for id in &ids {
        stage.published(id).await;
    }
    let made: usize = outlets.iter().map(|outlet| stage.made(outlet)).sum();
    assert_eq!(made, ids.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_steps_make_nothing_early_lost_or_double() {
    let stage = Stage::start(Kind::Sqlite, &[]).await.unwrap();
    storm(&stage, 200).await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_do_forty_on_a_server() {
    let Some(stage) = Stage::start(Kind::Postgres, &[]).await else { return };
    storm(&stage, 40).await;
    stage.finish().await;
}

async fn waits_for_the_time(stage: &Stage, id: &DeliveryId) {
    eventually("it waits for the time", async || {
        let it = stage.show(id).await.delivery;
        let waits = it.waits_for.map(|it| it.code);
        let there = it.state == DeliveryState::Scheduled && waits.as_deref() == Some("clock");
        if there { Ok(()) } else { Err(format!("{} {waits:?}", it.state)) }
    })
    .await;
}

async fn told_of(stage: &Stage, occasion: Occasion) {
    eventually(&format!("people are told: {occasion}"), async || {
        let list = stage.setting().database.rows("SELECT event FROM outbox").await;
        if list.iter().any(|row| row[0] == occasion.as_str()) {
            Ok(())
        } else {
            Err(format!("{list:?}"))
        }
    })
    .await;
}

async fn readiness(stage: &Stage) -> Value {
    let address = format!("http://{}/readyz", stage.address());
    reqwest::get(address).await.unwrap().json().await.unwrap()
}

/// Whether the clock is among the reasons.
fn is_among(told: &Value) -> bool {
    told["reasons"].as_array().unwrap().iter().any(|it| it["code"] == "clock")
}

staged! {
    /// The machine comes up with a clock that is an hour ahead. What was scheduled before is neither
    /// sent nor missed, however often it is looked at; and once the clock is put right it goes out.
    async fn a_clock_that_is_wrong_from_the_start_sends_and_misses_nothing(stage) {
        let [outlet, _] = stage.both().await;
        let due = after(stage.true_now(), Duration::from_secs(4));
        let wanted = Wanted::text("up with a wrong clock").class("urgent").at(due);
        let id = stage.deliver(&outlet, &wanted).await;
        stage.stop().await;
        stage.step_wall(HOUR);
        stage.resume().await;
        waits_for_the_time(stage, &id).await;
        told_of(stage, Occasion::ClockDoubted).await;
        let told = readiness(stage).await;
        assert_eq!((&told["ready"], is_among(&told)), (&json!(true), true), "{told}");
        let node = health::nodes(stage.acts()).await.unwrap().remove(0);
        assert_eq!(node.clock.doubt.as_deref(), Some("disagrees"), "{node:?}");
        eventually("it is due in truth", async || {
            if stage.true_now() > due { Ok(()) } else { Err(stage.true_now()) }
        })
        .await;
        assert_eq!(stage.creates(&outlet).len(), 0);
        stage.step_wall(-HOUR);
        stage.published(&id).await;
        told_of(stage, Occasion::ClockTrusted).await;
        let told = readiness(stage).await;
        assert!(!is_among(&told), "{told}");
    }

    /// A person says that the clock is right after all, whatever the platforms say: it is sent then.
    async fn an_administrator_may_confirm_a_clock(stage) {
        let outlet = stage.outlet(Platform::X).await;
        stage.stop().await;
        stage.step_wall(SignedDuration::from_secs(-30));
        stage.resume().await;
        let id = stage.deliver(&outlet, &Wanted::text("confirmed")).await;
        waits_for_the_time(stage, &id).await;
        told_of(stage, Occasion::ClockDoubted).await;
        let (acts, caller) = (stage.acts(), stage.caller());
        let node = health::nodes(acts).await.unwrap().remove(0);
        let confirm = |step| {
            let given = json!({"node_id": node.id, "step": step});
            serde_json::from_value::<Confirmation>(given).unwrap()
        };
        let moved = clock::confirm(acts, caller, &confirm(node.clock.step + 1)).await;
        assert!(matches!(moved, Err(Error::Conflict(it)) if it.code == "clock_not_in_doubt"));
        clock::confirm(acts, caller, &confirm(node.clock.step)).await.unwrap();
        stage.published(&id).await;
        told_of(stage, Occasion::ClockTrusted).await;
        let again = clock::confirm(acts, caller, &confirm(node.clock.step)).await;
        assert!(matches!(again, Err(Error::Conflict(it)) if it.code == "clock_not_in_doubt"));
        let shown = clock::show(acts, caller).await.unwrap();
        assert_eq!(shown.nodes[0].clock.doubt, None);
    }
}

/// A node comes up with a clock that is far ahead: by that the lease of its neighbour has ended, but it
/// takes nothing of the neighbour's, and sends nothing of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_does_not_know_the_time_takes_no_neighbours_work() {
    let options = [("CHANCERY_PUBLISH__REQUEST_TIMEOUT", "4s"), ("CHANCERY_PUBLISH__LEASE", "15s")];
    let Some(stage) = Stage::start(Kind::Postgres, &options).await else { return };
    let outlet = stage.outlet(Platform::X).await;
    stage.spoil(&outlet, FaultKind::HangAfter { ms: 3_000 });
    let id = stage.deliver(&outlet, &Wanted::text("a neighbour's")).await;
    eventually("the platform has it", async || {
        let made = stage.made(&outlet);
        if made == 1 { Ok(()) } else { Err(made) }
    })
    .await;
    let other = stage.another_ahead(HOUR).await;
    stage.published(&id).await;
    assert_eq!(stage.doubts(&id).await, 0, "the neighbour took it for lost");
    let nodes = health::nodes(stage.acts()).await.unwrap();
    assert_eq!(nodes.len(), 2, "{nodes:?}");
    assert!(other.stop().await);
    stage.finish().await;
}
