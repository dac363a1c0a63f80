//! Claims that fail: one bad job stops nobody, and what a process holds without knowing is looked for
//! and never sent blindly.

use std::time::Duration;

use chancery::clock::{after, until};
use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::domain::work;
use chancery::service::accounts;
use chancery::simulator::{Kind as FaultKind, Operation, Platform};

use crate::stage::{Database, Kind, Outlet, Relay, Stage, Wanted, eventually, on, pass, staged};

staged! {
    /// The database refuses the intent of one delivery, and with it the claim of all that were picked
    /// together: the others go out, the bad one waits aside and goes out when it can.
    async fn one_bad_claim_stops_nobody(stage) {
        let due = after(stage.now(), Duration::from_mins(1));
        let mut rows = Vec::new();
        for _ in 0..4 {
            for outlet in stage.both().await {
                let id = stage.deliver(&outlet, &Wanted::text("claimed together").at(due)).await;
                rows.push((id, outlet));
            }
        }
        let (bad, outlet) = rows.remove(3);
        let database = &stage.setting().database;
        database.refuse("INSERT ON attempts", &format!("NEW.delivery_id = '{bad}'")).await;
        assert!(stage.now() < due, "too slow: they are due already");
        stage.advance(until(stage.now(), due));
        for (id, _) in &rows {
            stage.published(id).await;
        }
        assert_eq!(stage.show(&bad).await.delivery.state, DeliveryState::Scheduled);
        database.permit().await;
        stage.advance(Duration::from_secs(61));
        let shown = stage.published(&bad).await;
        assert_eq!((shown.attempts.len(), stage.creates(&outlet).len()), (1, 1));
    }
}

/// The key of a delivery's job in the queue.
async fn job_of(stage: &Stage, id: &DeliveryId) -> String {
    let key = work::publish_key(id);
    let sql = format!("SELECT id FROM jobs WHERE unique_key = '{key}'");
    stage.setting().database.rows(&sql).await.remove(0).remove(0)
}

/// One delivery for each outlet, claimed together by a transaction whose commit is made and not heard
/// of.
async fn claimed_unheard(
    stage: &mut Stage,
    relay: &Relay,
    wanted: Vec<(Outlet, Wanted)>,
) -> Vec<(DeliveryId, Outlet)> {
    let due = after(stage.now(), Duration::from_secs(6));
    let mut rows = Vec::new();
    for (outlet, wanted) in wanted {
        // While the accounts cannot be read, nothing may be concluded.
        let blind = on(&outlet, Operation::Any, FaultKind::ServerError { execute: false });
        stage.world().faults().push(blind.always());
        rows.push((stage.deliver(&outlet, &wanted.at(due)).await, outlet));
    }
    relay.lose_commit_of(&job_of(stage, &rows[0].0).await);
    // They are claimed up to the look-ahead before.
    assert!(after(stage.now(), Duration::from_secs(1)) < due, "too slow: they may be claimed");
    for (id, _) in &rows {
        let shown = stage.until(id, DeliveryState::Unknown).await;
        assert_eq!(shown.attempts[0].outcome, AttemptOutcome::Unknown);
    }
    assert!(!relay.waits(), "no commit was lost");
    pass(Duration::from_millis(800)).await;
    assert_eq!(stage.world().counts().received, 0, "something was sent without looking");
    stage.world().faults().clear();
    rows
}

/// The commit of a claim is made although it fails: nobody works on what it claimed, so it is put in
/// doubt, looked for, and sent only when it is certainly not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_without_knowing_is_doubted_and_not_sent() {
    let Some(mut stage) = Stage::start(Kind::Postgres, &[]).await else { return };
    let [page, user] = stage.both().await;
    stage.stop().await;
    let (relay, url) = Relay::before(&stage.setting().database.url()).await;
    stage.set_option("CHANCERY_DATABASE__URL", &url);
    stage.resume().await;
    for outlet in [&page, &user] {
        // So that they have said the time, and nothing is claimed in vain.
        accounts::check(stage.acts(), stage.caller(), &outlet.id).await.unwrap();
    }

    // Alone, and with another one.
    let wanted = vec![(page.clone(), Wanted::text("held unheard").class("statement"))];
    let rows = claimed_unheard(&mut stage, &relay, wanted).await;
    stage.until(&rows[0].0, DeliveryState::NeedsHuman).await;
    assert_eq!(stage.creates(&page).len(), 0);

    let wanted = [page, user].map(|outlet| (outlet, Wanted::text("held unheard")));
    for (id, outlet) in claimed_unheard(&mut stage, &relay, wanted.into()).await {
        let shown = stage.published(&id).await;
        let outcomes: Vec<_> = shown.attempts.iter().map(|one| one.outcome).collect();
        assert_eq!(outcomes, [AttemptOutcome::Absent, AttemptOutcome::Published]);
        assert_eq!(stage.creates(&outlet).len(), 1);
    }
    eventually("the job is done", async || {
        let sql = "SELECT unique_key FROM jobs WHERE state = 'running'";
        let running = stage.setting().database.rows(sql).await;
        if running.is_empty() { Ok(()) } else { Err(format!("{running:?}")) }
    })
    .await;
    stage.finish().await;
}

staged! {
    with &[("CHANCERY_PUBLISH__LOOKAHEAD", "900ms")];

    /// An account that must wait until an instant that is near is not tried over and over until then.
    async fn what_may_not_go_yet_is_not_tried_in_a_circle(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let open = after(stage.now(), Duration::from_secs(2)).as_millisecond();
        let instant = match stage.setting().database {
            Database::Sqlite { .. } => open.to_string(),
            Database::Postgres { .. } => format!("to_timestamp({open} / 1000.0)"),
        };
        let database = &stage.setting().database;
        database.execute(&format!("UPDATE accounts SET blocked_until = {instant}")).await;
        let id = stage.deliver(&outlet, &Wanted::text("waits for its window")).await;
        stage.published(&id).await;
        assert!(stage.creates(&outlet)[0].at.as_millisecond() >= open);
        let tries = database.rows("SELECT CAST(tries AS TEXT) FROM jobs WHERE kind = 'publish'").await;
        // At first, once more for each look at the database in the last 900 ms, and then.
        let tries: u32 = tries[0][0].parse().unwrap();
        assert!(tries < 25, "tried {tries} times");
    }
}
