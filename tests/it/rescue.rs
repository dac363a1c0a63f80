//! What another process has left behind: its leases run out, its open attempts become doubts, and
//! nothing of it is sent again before the platform was looked at.

use std::time::Duration;

use chancery::app::App;
use chancery::clock::{after, before};
use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::audit::NewEntry;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::{AttemptId, DeliveryId, NodeId};
use chancery::domain::work;
use chancery::simulator::{CreateOutcome, Kind as FaultKind, Platform};
use chancery::store::jobs::Holder;
use chancery::store::publishing::{Guard, Intent};
use chancery::store::{Store, audit, jobs, nodes, publishing};
use serde_json::json;

use crate::stage::{Outlet, Stage, Wanted, eventually, now, on, pass, staged};

/// How far the lost process had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// It had claimed the job.
    Claimed,
    /// Its intent was durable.
    Guarded,
}

/// Does what a process does up to its loss; its lease has run out already.
async fn lose(store: &Store, ids: &[DeliveryId], how: Lost) {
    let now = now();
    let mut tx = store.begin().await.unwrap();
    let node = NodeId::new(now, rand::random());
    let fence = nodes::register(&mut tx, &node, "lost", now).await.unwrap();
    let holder = Holder { node, fence };
    let keys: Vec<String> = ids.iter().map(work::publish_key).collect();
    let dues = jobs::upcoming(&mut tx, work::PUBLISH, now, 1_000).await.unwrap();
    let jobs: Vec<_> = dues.into_iter().map(|due| due.id).collect();
    let run_out = before(now, Duration::from_secs(1));
    let claimed = jobs::claim(&mut tx, &jobs, &holder, run_out, now).await.unwrap();
    assert!(keys.iter().all(|key| claimed.iter().any(|job| job.unique_key == *key)));
    if how == Lost::Guarded {
        let guard = Guard {
            now,
            token_until: now,
            horizon: now,
            repeat_since: before(now, Duration::from_hours(24)),
            today: "2000-01-01",
            holder: &holder,
        };
        let guarded = publishing::guard(&mut tx, ids, &guard).await.unwrap();
        assert_eq!(guarded.len(), ids.len());
        let prepared = publishing::prepare(&mut tx, &guarded).await.unwrap();
        let intents: Vec<Intent> = prepared
            .into_iter()
            .map(|one| Intent {
                id: AttemptId::new(now, rand::random()),
                delivery_id: one.delivery_id,
                account_id: one.account_id,
                number: one.attempts,
                fingerprint: one.content_hash,
                high_water: one.high_water,
                cost: None,
            })
            .collect();
        publishing::open(&mut tx, &intents, &holder, now).await.unwrap();
        let told: Vec<NewEntry> = intents
            .iter()
            .map(|one| NewEntry {
                actor: "engine".to_owned(),
                action: "delivery.publishing".to_owned(),
                subject: one.delivery_id.to_string(),
                detail: json!({"attempt": one.id}),
            })
            .collect();
        audit::append(&mut tx, &told, now);
    }
    tx.commit().await.unwrap();
}

/// Lets another process take what is due at this moment, and be lost with it.
async fn lost(stage: &mut Stage, wanted: &[(Outlet, Wanted)], how: Lost) -> Vec<DeliveryId> {
    let due = after(now(), Duration::from_secs(3));
    let mut ids = Vec::new();
    for (outlet, wanted) in wanted {
        ids.push(stage.deliver(outlet, &wanted.clone().at(due)).await);
    }
    assert!(now() < before(due, Duration::from_millis(100)), "too slow: they are due already");
    stage.stop().await;
    let services = App::services(stage.setting().config()).await.unwrap();
    eventually("they are due", async || if now() > due { Ok(()) } else { Err(String::new()) })
        .await;
    lose(&services.store, &ids, how).await;
    services.store.close().await;
    ids
}

staged! {
    /// A job that was claimed and no more is simply done.
    async fn a_lost_claim_is_taken_over(stage) {
        let wanted = stage.both().await.map(|outlet| (outlet, Wanted::text("only claimed")));
        let ids = lost(stage, &wanted, Lost::Claimed).await;
        stage.resume().await;
        for (id, (outlet, _)) in ids.iter().zip(&wanted) {
            let shown = stage.published(id).await;
            assert_eq!((shown.delivery.attempt_count, stage.creates(outlet).len()), (1, 1));
        }
    }

    /// An open attempt of a lost process is a doubt: for a statement a person is asked, and nobody
    /// sends anything; an ordinary post goes out once it was certainly not there.
    async fn an_open_attempt_of_a_lost_process_is_doubted_and_not_sent(stage) {
        let [page, user] = stage.both().await;
        let statement = || Wanted::text("lost with a statement").class("statement");
        let wanted = [
            (page, statement()),
            (user, statement()),
            (stage.outlet(Platform::Facebook).await, Wanted::text("lost on its way")),
            (stage.outlet(Platform::X).await, Wanted::text("lost on its way")),
        ];
        // While the accounts cannot be read, nothing may be concluded.
        for (outlet, _) in &wanted {
            let blind = FaultKind::ServerError { execute: false };
            let fault = on(outlet, chancery::simulator::Operation::Any, blind);
            stage.world().faults().push(fault.always());
        }
        let ids = lost(stage, &wanted, Lost::Guarded).await;
        stage.resume().await;
        for id in &ids {
            let shown = stage.until(id, DeliveryState::Unknown).await;
            assert_eq!(shown.attempts[0].outcome, AttemptOutcome::Unknown);
        }
        pass(Duration::from_secs(1)).await;
        assert_eq!(stage.world().counts().received, 0, "something was sent without looking");
        stage.world().faults().clear();
        for (id, (outlet, _)) in ids.iter().zip(&wanted).take(2) {
            let shown = stage.until(id, DeliveryState::NeedsHuman).await;
            assert_eq!(shown.delivery.problem.unwrap().code, "statement_in_doubt");
            assert_eq!(stage.creates(outlet).len(), 0);
        }
        for (id, (outlet, _)) in ids.iter().zip(&wanted).skip(2) {
            let shown = stage.published(id).await;
            let outcomes: Vec<_> = shown.attempts.iter().map(|one| one.outcome).collect();
            assert_eq!(outcomes, [AttemptOutcome::Absent, AttemptOutcome::Published]);
            let creates = stage.creates(outlet);
            assert!(matches!(creates[..], [ref one] if matches!(one.outcome, CreateOutcome::Created(_))));
        }
    }

    /// Of several that are lost at once, the one that nothing can be decided about leaves the others
    /// to be looked for, and their accounts to go on.
    async fn a_lost_job_that_cannot_be_decided_about_stops_none_of_those_lost_with_it(stage) {
        let [page, user] = stage.both().await;
        let wanted = [
            (page, Wanted::text("lost before")),
            (user, Wanted::text("lost and stuck")),
            (stage.outlet(Platform::X).await, Wanted::text("lost after")),
        ];
        let ids = lost(stage, &wanted, Lost::Guarded).await;
        let condition = format!("NEW.delivery_id = '{}'", ids[1]);
        stage.setting().database.refuse("UPDATE ON attempts", &condition).await;
        stage.resume().await;
        for place in [0, 2] {
            stage.published(&ids[place]).await;
            assert_eq!(stage.creates(&wanted[place].0).len(), 1);
        }
        assert_eq!(stage.show(&ids[1]).await.delivery.state, DeliveryState::Publishing);
        stage.setting().database.permit().await;
        stage.published(&ids[1]).await;
        assert_eq!(stage.creates(&wanted[1].0).len(), 1);
    }

    /// One lost job that nothing can be decided about, because the database refuses the decision: the
    /// service starts, everybody else goes on, and that one is looked for when it can be.
    async fn a_lost_job_that_cannot_be_decided_about_stops_nobody(stage) {
        let [page, user] = stage.both().await;
        let wanted = [(page.clone(), Wanted::text("lost and stuck"))];
        let ids = lost(stage, &wanted, Lost::Guarded).await;
        let condition = format!("NEW.delivery_id = '{}'", ids[0]);
        stage.setting().database.refuse("UPDATE ON attempts", &condition).await;
        stage.resume().await;
        let other = stage.deliver(&user, &Wanted::text("not held up")).await;
        stage.published(&other).await;
        // Its lease has run out, so that every look tries to rescue it.
        pass(Duration::from_millis(300)).await;
        let third = stage.deliver(&user, &Wanted::text("not held up")).await;
        stage.published(&third).await;
        assert_eq!(stage.show(&ids[0]).await.delivery.state, DeliveryState::Publishing);
        stage.setting().database.permit().await;
        let shown = stage.published(&ids[0]).await;
        assert_eq!(shown.attempts[0].outcome, AttemptOutcome::Absent);
        assert_eq!(stage.creates(&page).len(), 1);
    }
}
