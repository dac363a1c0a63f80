//! Taking back and moving at the very instant: what was answered with success never went out before,
//! what was refused did.

use std::time::Duration;

use chancery::clock::{Clock as _, SystemClock, after, before};
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::deliveries::{self, Move};
use chancery::service::{Error, accounts, schedule, units};
use chancery::simulator::Platform;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use serde_json::json;

use crate::stage::{Kind, Outlet, Stage, Wanted, eventually, now, pass, staged};

const ROUNDS: u64 = 500;
/// How many are written at once before a race.
const HANDS: usize = 16;
/// So far from its instant somebody changes his mind, at most.
const SPREAD_MS: u64 = 50;
/// From one instant to the next.
const STEP: Duration = Duration::from_millis(15);

/// How somebody's wish was answered.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Done,
    TooLate,
}

async fn scheduled(stage: &Stage) -> Vec<(Outlet, DeliveryId, Timestamp)> {
    stage.world().change_settings(|settings| settings.rate_limits = false);
    let made = (0..ROUNDS).map(async |_| stage.outlet(Platform::X).await);
    let start = SystemClock.elapsed();
    let outlets: Vec<Outlet> = stream::iter(made).buffered(HANDS).collect().await;
    // All must be written before the first is due; a slow machine needs as long as for the accounts, about.
    let lead = 3 * SystemClock.elapsed().saturating_sub(start) + Duration::from_secs(8);
    let first = after(now(), lead);
    let written = (0..).zip(outlets).map(async |(place, outlet): (u32, Outlet)| {
        let due = after(first, STEP * place);
        let id = stage.deliver(&outlet, &Wanted::text("raced").at(due)).await;
        (outlet, id, due)
    });
    let rows: Vec<_> = stream::iter(written).buffered(HANDS).collect().await;
    assert!(now() < before(first, Duration::from_millis(200)), "too slow to race");
    rows
}

/// Asks at `due` ± the spread until the answer is clear.
async fn raced(round: u64, due: Timestamp, ask: impl AsyncFn() -> Result<(), Error>) -> Told {
    let early = before(due, Duration::from_millis(SPREAD_MS));
    let at = after(early, Duration::from_millis(round * 2 * SPREAD_MS / ROUNDS));
    SystemClock.sleep_until(at).await;
    loop {
        match ask().await {
            Ok(()) => return Told::Done,
            Err(Error::Conflict(_)) => return Told::TooLate,
            Err(Error::Busy | Error::Stale) => {}
            Err(other) => panic!("{}", chancery::telemetry::Chain(&other)),
        }
    }
}

/// Both answers were given, and each was true.
async fn judge(
    stage: &Stage,
    rows: &[(Outlet, DeliveryId, Timestamp)],
    told: &[Told],
    stays: DeliveryState,
) {
    let done = told.iter().filter(|it| **it == Told::Done).count();
    assert!(done > 0 && done < told.len(), "no race: {done} of {} were done", told.len());
    for ((outlet, id, due), told) in rows.iter().zip(told) {
        let wanted = if *told == Told::Done { stays } else { DeliveryState::Published };
        eventually(&format!("{id} is {wanted}"), async || {
            let it = stage.show(id).await.delivery.state;
            if it == wanted { Ok(()) } else { Err(it.to_string()) }
        })
        .await;
        let made = stage.made(outlet);
        assert_eq!(made, usize::from(*told == Told::TooLate), "{told:?}, due {due}");
        assert_eq!(stage.creates(outlet).len(), made);
    }
}

staged! {
    /// Cancelled means never sent; too late means sent.
    async fn cancelling_at_the_instant_is_answered_truly(stage) {
        let stage = &*stage;
        let rows = scheduled(stage).await;
        let told = futures_util::future::join_all((0..).zip(&rows).map(|(round, (_, id, due))| {
            raced(round, *due, async move || {
                deliveries::cancel(stage.acts(), stage.caller(), id).await.map(|_| ())
            })
        }))
        .await;
        judge(stage, &rows, &told, DeliveryState::Cancelled).await;
    }

    /// Moved means not sent at the old instant; too late means sent.
    async fn moving_at_the_instant_is_answered_truly(stage) {
        let stage = &*stage;
        let rows = scheduled(stage).await;
        let told = futures_util::future::join_all((0..).zip(&rows).map(|(round, (_, id, due))| {
            let tomorrow = after(*due, Duration::from_hours(24)).to_string();
            raced(round, *due, async move || {
                let to: Move = serde_json::from_value(json!({"at": tomorrow})).unwrap();
                let (acts, caller) = (stage.acts(), stage.caller());
                deliveries::reschedule(acts, caller, id, None, to).await.map(|_| ())
            })
        }))
        .await;
        judge(stage, &rows, &told, DeliveryState::Scheduled).await;
    }
}

/// A guard has seen the account connected and waits for a row, while somebody pauses the account: the
/// answer comes after the guard, and what it guarded is taken back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_is_answered_after_the_guards_that_have_not_seen_it() {
    let Some(stage) = Stage::start(Kind::Postgres, &[]).await else { return };
    let outlet = stage.outlet(Platform::X).await;
    let due = after(now(), Duration::from_secs(1));
    let id = stage.deliver(&outlet, &Wanted::text("paused").at(due)).await;
    let lock = stage.setting().database.lock("deliveries", &id).await;
    eventually("a guard waits for the delivery", async || {
        let waiting = stage.setting().database.waiting_with("deliveries").await;
        if waiting > 0 { Ok(()) } else { Err(waiting.to_string()) }
    })
    .await;
    let change = serde_json::from_value(json!({"status": "paused"})).unwrap();
    let pause = accounts::change(stage.acts(), stage.caller(), &outlet.id, None, change);
    let freed = async {
        pass(Duration::from_millis(500)).await;
        drop(lock);
    };
    let (paused, ()) = futures_util::future::join(pause, freed).await;
    paused.unwrap();
    let answered = now();
    eventually("it is held", async || {
        let it = stage.show(&id).await.delivery.state;
        let rests = matches!(it, DeliveryState::Held | DeliveryState::Published);
        if rests { Ok(()) } else { Err(it.to_string()) }
    })
    .await;
    for create in stage.creates(&outlet) {
        assert!(create.at <= answered, "sent at {}, paused at {answered}", create.at);
    }
    stage.finish().await;
}

/// An account comes to another unit while somebody schedules on it who was allowed to before: what is written is
/// asked about again, and is not planned for a unit that has not agreed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_planned_for_an_account_of_another_unit_is_not_scheduled() {
    let Some(stage) = Stage::start(Kind::Postgres, &[]).await else { return };
    let outlet = stage.outlet(Platform::X).await;
    let post = stage.write(&Wanted::text("planned before the move")).await;
    let new = json!({
        "name": {"vi": "Phòng mới", "en": "A new office"}, "kind": "mission", "time_zone": "UTC", "languages": ["vi"],
    });
    let new = serde_json::from_value(new).unwrap();
    let unit = units::create(stage.acts(), stage.caller(), new).await.unwrap().value.id;
    let lock = stage.setting().database.lock("posts", &post).await;
    let wanted = Wanted::text("planned before the move").at(after(now(), Duration::from_hours(1)));
    let wanted = serde_json::from_value(json!({"deliveries": [wanted.delivery(&outlet)]})).unwrap();
    let planning = schedule::schedule(stage.acts(), stage.caller(), &post, wanted);
    let moved = async {
        eventually("what was planned waits for the post", async || {
            let waiting = stage.setting().database.waiting_with("posts").await;
            if waiting > 0 { Ok(()) } else { Err(waiting.to_string()) }
        })
        .await;
        let change = serde_json::from_value(json!({"unit_id": unit})).unwrap();
        accounts::change(stage.acts(), stage.caller(), &outlet.id, None, change).await.unwrap();
        drop(lock);
    };
    let (planned, ()) = futures_util::future::join(planning, moved).await;
    let Err(Error::Conflict(told)) = planned else { panic!("{planned:?}") };
    assert_eq!(told.code, "account_not_connected");
    stage.finish().await;
}
