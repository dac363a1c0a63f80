//! Stopping at the very instant, under load: once a hold was answered nothing that it covers starts
//! any more. Judged by the simulator's journal of arrivals and the answer, on one clock.

use std::collections::BTreeSet;
use std::time::Duration;

use chancery::clock::{Clock as _, SystemClock, after, before};
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::holds::{self, Placed};
use chancery::simulator::Platform;
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::stage::{Outlet, Stage, Wanted, eventually, now, pass, staged};
use crate::stops::{everything, lift};

/// Guarded so long ahead that most wait at the gate when the hold comes.
const AHEAD: &[(&str, &str)] = &[("CHANCERY_PUBLISH__LOOKAHEAD", "500ms")];
/// How many are written at once before a race.
const HANDS: usize = 16;
/// So far from its instant somebody stops it, at most.
const SPREAD_MS: u64 = 50;

struct Raced {
    outlet: Outlet,
    id: DeliveryId,
    due: Timestamp,
}

/// New accounts, and how long it took to connect them.
async fn outlets(stage: &Stage, count: usize) -> (Vec<Outlet>, Duration) {
    stage.world().change_settings(|settings| settings.rate_limits = false);
    let start = SystemClock.elapsed();
    let made = (0..count).map(async |_| stage.outlet(Platform::X).await);
    let made = stream::iter(made).buffered(HANDS).collect().await;
    (made, SystemClock.elapsed().saturating_sub(start))
}

/// One delivery for each, with a step between. A slow machine needs as long for them as it took for the accounts,
/// about.
async fn scheduled(
    stage: &Stage,
    outlets: &[Outlet],
    took: Duration,
    step: Duration,
) -> Vec<Raced> {
    let first = after(now(), 3 * took + Duration::from_secs(5));
    let written = (0..).zip(outlets).map(async |(place, outlet): (u32, &Outlet)| {
        let due = after(first, step * place);
        let id = stage.deliver(outlet, &Wanted::text("raced").at(due)).await;
        Raced { outlet: outlet.clone(), id, due }
    });
    let rows = stream::iter(written).buffered(HANDS).collect().await;
    assert!(now() < before(first, Duration::from_millis(200)), "too slow to race");
    rows
}

/// A hold, and the instant at which it was answered.
struct Stopped {
    placed: Placed,
    answered: Timestamp,
    took: Duration,
}

async fn stopped(stage: &Stage, hold: Value, at: Timestamp) -> Stopped {
    SystemClock.sleep_until(at).await;
    let new = serde_json::from_value(hold).unwrap();
    let start = SystemClock.elapsed();
    let done = holds::place(stage.acts(), stage.caller(), new).await.unwrap();
    let took = SystemClock.elapsed().saturating_sub(start);
    Stopped { placed: done.value, answered: now(), took }
}

/// How long the answers took; told, and nothing depends on it.
fn tell(answers: &[Stopped]) {
    let mut spans: Vec<Duration> = answers.iter().map(|one| one.took).collect();
    spans.sort_unstable();
    let of = |percent: usize| spans[(spans.len() - 1) * percent / 100];
    let (half, most, last) = (of(50), of(99), of(100));
    eprintln!("{} holds: answered p50 {half:?}, p99 {most:?}, max {last:?}", spans.len());
}

/// Nothing started after the answer; what had started is named; the rest is held. Says how many of
/// them went out.
async fn judge(stage: &Stage, raced: &Raced, stopped: &Stopped) -> usize {
    let (Raced { outlet, id, due }, Stopped { placed, answered, .. }) = (raced, stopped);
    let in_flight: BTreeSet<_> = placed.in_flight.iter().map(|it| &it.delivery_id).collect();
    let creates = stage.creates(outlet);
    for create in &creates {
        let before = create.at <= *answered;
        assert!(
            before || in_flight.contains(id),
            "{id}, due {due}, arrived at {} after the answer at {answered}",
            create.at
        );
    }
    let wanted = if creates.is_empty() { DeliveryState::Held } else { DeliveryState::Published };
    eventually(&format!("{id} is {wanted}"), async || {
        let it = stage.show(id).await.delivery.state;
        if it == wanted { Ok(()) } else { Err(it.to_string()) }
    })
    .await;
    let shown = stage.show(id).await.delivery;
    assert_eq!(shown.attempt_count, i64::try_from(creates.len()).unwrap(), "what counts as a try");
    creates.len()
}

/// Other work at the same time that no hold covers.
async fn load(stage: &Stage, outlets: &[Outlet], rounds: usize) -> Vec<DeliveryId> {
    let mut ids = Vec::new();
    for _ in 0..rounds {
        for outlet in outlets {
            ids.push(stage.deliver(outlet, &Wanted::text("load").class("urgent")).await);
        }
    }
    ids
}

staged! {
    with AHEAD;
    /// Hundreds of deliveries around the instant of one hold that covers them all.
    async fn one_hold_stops_hundreds_at_their_instant(stage) {
        let stage = &*stage;
        let (busy, _) = outlets(stage, 4).await;
        let mut hold = everything();
        hold["except"] = json!(["urgent"]);
        let (mut out, mut all) = (0, 0);
        // Asked for at the first instant, after a quarter of them and after half: a busy machine may
        // need a while for the answer.
        for quarters in 0..3 {
            let (own, took) = outlets(stage, 170).await;
            let rows = scheduled(stage, &own, took, Duration::from_millis(4)).await;
            let asked = rows[quarters * rows.len() / 4].due;
            let (answer, loaded) = tokio::join!(
                stopped(stage, hold.clone(), asked),
                load(stage, &busy, 5),
            );
            // Long enough for everything that waited at the gate to have left.
            pass(Duration::from_millis(800)).await;
            for raced in &rows {
                out += judge(stage, raced, &answer).await;
                all += 1;
            }
            for id in &loaded {
                stage.published(id).await;
            }
            lift(stage, &answer.placed.hold.id).await;
        }
        assert!(0 < out && out < all, "no race: {out} of {all} went out");
    }

    /// A hold for each account, each at another distance from its instant.
    async fn each_of_many_holds_is_answered_truly(stage) {
        let stage = &*stage;
        let (outlets, took) = outlets(stage, 500).await;
        let (busy, _) = self::outlets(stage, 4).await;
        let rows = scheduled(stage, &outlets, took, Duration::from_millis(12)).await;
        let holds = (0..).zip(&rows).map(async |(round, raced): (u64, &Raced)| {
            let early = before(raced.due, Duration::from_millis(SPREAD_MS));
            let at = after(early, Duration::from_millis(round * 37 % (2 * SPREAD_MS)));
            let hold = json!({"scope": {"account_id": raced.outlet.id}, "reason": "raced"});
            stopped(stage, hold, at).await
        });
        let (answers, loaded) = tokio::join!(join_all(holds), load(stage, &busy, 8));
        tell(&answers);
        pass(Duration::from_millis(800)).await;
        let mut out = 0;
        for (raced, answer) in rows.iter().zip(&answers) {
            out += judge(stage, raced, answer).await;
        }
        assert!(0 < out && out < rows.len(), "no race: {out} of {} went out", rows.len());
        for id in &loaded {
            stage.published(id).await;
        }
    }
}
