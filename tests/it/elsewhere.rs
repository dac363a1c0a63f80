//! Taking back what another node has guarded: whoever asks is told the truth, as on the node that has it.

use std::collections::BTreeMap;
use std::time::Duration;

use chancery::clock::{Clock as _, SystemClock, after, before};
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::deliveries::{self, Move};
use chancery::service::{Error, accounts};
use chancery::simulator::Platform;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use serde_json::json;

use crate::stage::{Kind, Outlet, Stage, Wanted, eventually, now};

const ROUNDS: u64 = 100;
/// How many are written at once before a race.
const HANDS: usize = 16;
/// From one instant to the next.
const STEP: Duration = Duration::from_millis(60);
/// So long before its instant somebody changes his mind, at most; and as long after it as `LATE`.
const EARLY: u64 = 2_500;
const LATE: u64 = 300;
/// The node that is asked guards late, the other one so long ahead that what it guards waits at its gate: who is
/// first must not be left to the machine.
const LATE_HERE: &[(&str, &str)] =
    &[("CHANCERY_PUBLISH__LOOKAHEAD", "1s"), ("CHANCERY_PUBLISH__LEASE", "9s")];
const AHEAD_THERE: &[(&str, &str)] = &[("CHANCERY_PUBLISH__LOOKAHEAD", "3s")];

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Done,
    TooLate,
}

struct Raced {
    outlet: Outlet,
    id: DeliveryId,
    due: Timestamp,
    asked: Timestamp,
}

/// One delivery for each of many accounts, which are asked about at other distances from their instant.
async fn scheduled(stage: &Stage) -> Vec<Raced> {
    stage.world().change_settings(|settings| settings.rate_limits = false);
    let made = (0..ROUNDS).map(async |_| stage.outlet(Platform::X).await);
    let start = SystemClock.elapsed();
    let outlets: Vec<Outlet> = stream::iter(made).buffered(HANDS).collect().await;
    // A slow machine needs as long for the deliveries as for the accounts, about.
    let lead = 3 * SystemClock.elapsed().saturating_sub(start) + Duration::from_secs(14);
    let first = after(now(), lead);
    let written = (0..).zip(outlets).map(async |(place, outlet): (u32, Outlet)| {
        let due = after(first, STEP * place);
        let id = stage.deliver(&outlet, &Wanted::text("raced elsewhere").at(due)).await;
        let early = before(due, Duration::from_millis(EARLY));
        let spread = u64::from(place) * 37 % ROUNDS * (EARLY + LATE) / ROUNDS;
        Raced { outlet, id, due, asked: after(early, Duration::from_millis(spread)) }
    });
    let rows: Vec<_> = stream::iter(written).buffered(HANDS).collect().await;
    assert!(now() < before(first, Duration::from_secs(3)), "too slow to race");
    rows
}

/// Asks until the answer is clear.
async fn told(at: Timestamp, ask: impl AsyncFn() -> Result<(), Error>) -> Told {
    SystemClock.sleep_until(at).await;
    loop {
        match ask().await {
            Ok(()) => return Told::Done,
            Err(Error::Conflict(why)) => {
                assert!(["already_leaving", "already_ended"].contains(&why.code), "{why:?}");
                return Told::TooLate;
            }
            Err(Error::Busy | Error::Stale) => {}
            Err(other) => panic!("{}", chancery::telemetry::Chain(&other)),
        }
    }
}

/// Both answers were given, each was true, and some of what was taken back waited at another node.
async fn judge(stage: &Stage, rows: &[Raced], all: &[Told], stays: DeliveryState) {
    let done = all.iter().filter(|it| **it == Told::Done).count();
    assert!(done > 0 && done < all.len(), "no race: {done} of {} were done", all.len());
    for (Raced { outlet, id, due, asked }, told) in rows.iter().zip(all) {
        let wanted = if *told == Told::Done { stays } else { DeliveryState::Published };
        eventually(&format!("{id} is {wanted}"), async || {
            let it = stage.show(id).await.delivery.state;
            if it == wanted { Ok(()) } else { Err(it.to_string()) }
        })
        .await;
        let made = stage.made(outlet);
        assert_eq!(made, usize::from(*told == Told::TooLate), "{told:?}, due {due}, asked {asked}");
        assert_eq!(stage.creates(outlet).len(), made);
    }
    // What never left costs nothing, wherever it was taken back.
    let made: usize = rows.iter().map(|one| stage.made(&one.outlet)).sum();
    let sql =
        "SELECT CAST(cost AS TEXT), CAST(creates AS TEXT) FROM spending WHERE scope = 'money:x'";
    let spent = stage.setting().database.rows(sql).await;
    assert_eq!(spent, [vec![(made * 15_000).to_string(), made.to_string()]]);
    let recalled = "SELECT outcome FROM attempts WHERE recall IS NOT NULL";
    let mut by_outcome: BTreeMap<String, usize> = BTreeMap::new();
    for row in stage.setting().database.rows(recalled).await {
        *by_outcome.entry(row[0].clone()).or_default() += 1;
    }
    eprintln!("{done} of {} were done; asked for elsewhere: {by_outcome:?}", all.len());
    assert!(by_outcome.contains_key("withdrawn"), "nothing waited at another node: {by_outcome:?}");
}

/// Cancelled means never sent, wherever it waits; too late means sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_what_another_node_has_is_answered_truly() {
    let Some(stage) = Stage::start(Kind::Postgres, LATE_HERE).await else { return };
    let other = stage.another(AHEAD_THERE).await;
    let rows = scheduled(&stage).await;
    let (acts, caller) = (stage.acts(), stage.caller());
    let all = futures_util::future::join_all(rows.iter().map(|one| {
        told(one.asked, async move || deliveries::cancel(acts, caller, &one.id).await.map(|_| ()))
    }))
    .await;
    judge(&stage, &rows, &all, DeliveryState::Cancelled).await;
    assert!(other.stop().await);
    stage.finish().await;
}

/// Moved means not sent at the old instant, wherever it waits; too late means sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_what_another_node_has_is_answered_truly() {
    let Some(stage) = Stage::start(Kind::Postgres, LATE_HERE).await else { return };
    let other = stage.another(AHEAD_THERE).await;
    let rows = scheduled(&stage).await;
    let (acts, caller) = (stage.acts(), stage.caller());
    let all = futures_util::future::join_all(rows.iter().map(|one| {
        let tomorrow = after(one.due, Duration::from_hours(24)).to_string();
        told(one.asked, async move || {
            let to: Move = serde_json::from_value(json!({"at": tomorrow})).unwrap();
            deliveries::reschedule(acts, caller, &one.id, None, to).await.map(|_| ())
        })
    }))
    .await;
    judge(&stage, &rows, &all, DeliveryState::Scheduled).await;
    assert!(other.stop().await);
    stage.finish().await;
}

/// Once the pause of an account was answered nothing of it leaves the gate any more, on any node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_an_account_stops_what_another_node_has() {
    let Some(stage) = Stage::start(Kind::Postgres, LATE_HERE).await else { return };
    let other = stage.another(AHEAD_THERE).await;
    let rows = scheduled(&stage).await;
    let (acts, caller) = (stage.acts(), stage.caller());
    let answered = futures_util::future::join_all(rows.iter().map(async |one| {
        SystemClock.sleep_until(one.asked).await;
        let change = || serde_json::from_value(json!({"status": "paused"})).unwrap();
        while let Err(error) = accounts::change(acts, caller, &one.outlet.id, None, change()).await
        {
            assert!(matches!(error, Error::Busy | Error::Stale), "{error:?}");
        }
        now()
    }))
    .await;
    let mut out = 0;
    for (Raced { outlet, id, due, .. }, answered) in rows.iter().zip(answered) {
        let shown = eventually(&format!("{id} rests"), async || {
            let shown = stage.show(id).await;
            let it = shown.delivery.state;
            let rests = matches!(it, DeliveryState::Held | DeliveryState::Published);
            if rests { Ok(shown) } else { Err(it.to_string()) }
        })
        .await;
        out += stage.creates(outlet).len();
        for left in shown.attempts.iter().filter_map(|one| one.sent_at) {
            assert!(left <= answered, "{id}, due {due}, left at {left}, paused at {answered}");
        }
    }
    assert!(0 < out && out < rows.len(), "no race: {out} of {} went out", rows.len());
    let recalled = "SELECT id FROM attempts WHERE recall IS NOT NULL AND outcome = 'withdrawn'";
    let recalled = stage.setting().database.rows(recalled).await;
    assert!(!recalled.is_empty(), "nothing waited at another node");
    assert!(other.stop().await);
    stage.finish().await;
}
