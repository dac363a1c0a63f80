//! What is held or waits for a platform is looked at again, and goes out or is missed by itself; what
//! an account learns, it learns from the credential that it has.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::account::AccountStatus;
use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::accounts;
use chancery::simulator::{Exhausted, Kind as FaultKind, Platform, Problem};
use serde_json::{Value, json};

use crate::stage::{Outlet, Stage, Wanted, eventually, pass, staged};

async fn change(stage: &Stage, outlet: &Outlet, change: Value) {
    let change = serde_json::from_value(change).unwrap();
    accounts::change(stage.acts(), stage.caller(), &outlet.id, None, change).await.unwrap();
}

async fn held(stage: &Stage, outlet: &Outlet, why: Problem, wanted: &Wanted) -> DeliveryId {
    stage.spoil(outlet, FaultKind::XProblem { problem: why, execute: false });
    let id = stage.deliver(outlet, wanted).await;
    stage.until(&id, DeliveryState::Held).await;
    id
}

/// Some time passes, and it is still held.
async fn stays_held(stage: &Stage, id: &DeliveryId, span: Duration) {
    stage.advance(span);
    pass(Duration::from_millis(700)).await;
    assert_eq!(stage.show(id).await.delivery.state, DeliveryState::Held);
}

staged! {
    /// Nobody says that the application was put right: within a minute it is tried.
    async fn a_refusal_of_the_whole_application_is_tried_again_by_itself(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let wanted = Wanted::text("no credit");
        let id = held(stage, &outlet, Problem::PaymentRequired, &wanted).await;
        stays_held(stage, &id, Duration::from_secs(50)).await;
        assert_eq!(stage.creates(&outlet).len(), 1, "the platform was asked too early");
        stage.advance(Duration::from_secs(12));
        let shown = stage.published(&id).await;
        assert_eq!((shown.delivery.attempt_count, stage.creates(&outlet).len()), (1, 2));
    }

    /// Somebody connects the account where this process does not hear of it: within a minute what it
    /// holds goes on. What nobody puts right is missed when it is late, and was sent once.
    async fn what_is_held_is_looked_at_each_minute_and_is_missed_when_late(stage) {
        let (outlet, other) = (stage.outlet(Platform::X).await, stage.outlet(Platform::X).await);
        let id = held(stage, &outlet, Problem::Unauthorized, &Wanted::text("a dead token")).await;
        let late = after(stage.now(), Duration::from_secs(150));
        let wanted = Wanted::text("late").publish_by(late);
        let missed = held(stage, &other, Problem::Unauthorized, &wanted).await;
        let sql = format!("UPDATE accounts SET status = 'connected' WHERE id = '{}'", outlet.id);
        stage.setting().database.execute(&sql).await;
        stays_held(stage, &id, Duration::from_secs(50)).await;
        stage.advance(Duration::from_secs(12));
        stage.published(&id).await;
        stays_held(stage, &missed, Duration::from_secs(70)).await;
        stage.advance(Duration::from_secs(30));
        stage.until(&missed, DeliveryState::Missed).await;
        assert_eq!((stage.creates(&outlet).len(), stage.creates(&other).len()), (2, 1));
    }

    /// A dead token is replaced while a request with it is on its way: the platform's refusal of the
    /// old one says nothing about the new one.
    async fn the_refusal_of_an_old_credential_does_not_touch_the_new_one(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let id = refused_slowly(stage, &outlet).await;
        let token = stage.new_token(&outlet);
        let credential = json!({"kind": "oauth2", "access_token": token});
        change(stage, &outlet, json!({"credential": credential})).await;
        // The refusal speaks of the old one, so it is tried again with the new one and nobody waits.
        stage.published(&id).await;
        assert_eq!(stage.account(&outlet).await.status, AccountStatus::Connected);
        assert_eq!(stage.creates(&outlet).len(), 2);
    }

    /// What a person has decided about an account is not overruled by a late answer.
    async fn a_late_refusal_does_not_overrule_a_person(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let id = refused_slowly(stage, &outlet).await;
        change(stage, &outlet, json!({"status": "paused"})).await;
        stage.until(&id, DeliveryState::Held).await;
        assert_eq!(stage.account(&outlet).await.status, AccountStatus::Paused);
        change(stage, &outlet, json!({"status": "connected"})).await;
        stage.published(&id).await;
    }

    /// A platform that says "in ten years" is believed for a day.
    async fn no_platform_blocks_an_account_for_years(stage) {
        let years = u64::from(60_u32 * 60 * 24 * 3_650);
        let day = Duration::from_hours(25);
        for outlet in stage.both().await {
            let limit = FaultKind::RateLimited { seconds: years, exhausted: Exhausted::Window };
            stage.spoil(&outlet, limit);
            let far = after(stage.now(), day * 4);
            let wanted = Wanted::text("blocked for years").publish_by(far);
            let id = stage.deliver(&outlet, &wanted).await;
            eventually("the limit is known", async || {
                let shown = stage.show(&id).await.delivery;
                if shown.waits_for.as_ref().is_some_and(|it| it.code == "rate_limit") {
                    return Ok(());
                }
                Err(format!("{} {:?}", shown.state, shown.waits_for))
            })
            .await;
            stage.advance(Duration::from_hours(23));
            pass(Duration::from_millis(500)).await;
            let name = outlet.platform.name();
            assert_eq!(stage.creates(&outlet).len(), 1, "{name} is not believed at all");
            stage.advance(Duration::from_hours(2));
            stage.advance(Duration::from_mins(1));
            stage.published(&id).await;
        }
    }
}

/// A delivery whose create is on its way and will be refused because of its token.
async fn refused_slowly(stage: &Stage, outlet: &Outlet) -> DeliveryId {
    stage.world().change_settings(|settings| settings.latency_ms = 600);
    let unauthorized = FaultKind::XProblem { problem: Problem::Unauthorized, execute: false };
    stage.spoil(outlet, unauthorized);
    let id = stage.deliver(outlet, &Wanted::text("with the old token")).await;
    stage.until(&id, DeliveryState::Publishing).await;
    pass(Duration::from_millis(100)).await;
    stage.world().change_settings(|settings| settings.latency_ms = 0);
    id
}

staged! {
    with &[("CHANCERY_PUBLISH__LOOKAHEAD", "3s"), ("CHANCERY_PUBLISH__LEASE", "7s")];

    /// An account is paused while a delivery waits at the gate: it is taken back before the answer is
    /// given, and goes out when the account goes on.
    async fn pausing_takes_back_what_has_not_left(stage) {
        for outlet in stage.both().await {
            let due = after(stage.now(), Duration::from_millis(2_500));
            let id = stage.deliver(&outlet, &Wanted::text("paused at the gate").at(due)).await;
            stage.until(&id, DeliveryState::Publishing).await;
            change(stage, &outlet, json!({"status": "paused"})).await;
            stage.advance(Duration::from_secs(5));
            let shown = stage.until(&id, DeliveryState::Held).await;
            assert_eq!(shown.attempts[0].outcome, AttemptOutcome::Withdrawn);
            assert_eq!((shown.delivery.attempt_count, stage.creates(&outlet).len()), (0, 0));
            change(stage, &outlet, json!({"status": "connected"})).await;
            stage.published(&id).await;
            assert_eq!(stage.creates(&outlet).len(), 1);
        }
    }
}
