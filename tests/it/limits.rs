//! Limits, broken credentials, absent platforms and late hours: what waits, what is held, what is
//! missed, and that none of it uses up an attempt or holds up a neighbour.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::account::AccountStatus;
use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::delivery::DeliveryState;
use chancery::service::accounts;
use chancery::simulator::{Death, Exhausted, Kind, Platform};
use serde_json::json;

use crate::stage::{Wanted, eventually, now, staged};

fn limited(seconds: u64) -> Kind {
    Kind::RateLimited { seconds, exhausted: Exhausted::Window }
}

staged! {
    /// A limit is waited for; nobody else waits with it.
    async fn a_limit_uses_up_no_attempt_and_holds_up_nobody_else(stage) {
        let limited_one = stage.outlet(Platform::X).await;
        stage.spoil(&limited_one, limited(3));
        let late = stage.deliver(&limited_one, &Wanted::text("limited")).await;
        eventually("the limit is known", async || {
            let waits = stage.show(&late).await.delivery.waits_for;
            let known = waits.as_ref().is_some_and(|wait| wait.code == "rate_limit");
            if known { Ok(()) } else { Err(format!("{waits:?}")) }
        })
        .await;
        for outlet in stage.both().await {
            let id = stage.deliver(&outlet, &Wanted::text("not limited")).await;
            stage.published(&id).await;
        }
        assert_eq!(stage.show(&late).await.delivery.state, DeliveryState::Scheduled);
        let shown = stage.published(&late).await;
        assert_eq!(shown.delivery.attempt_count, 1);
        let outcomes: Vec<_> = shown.attempts.iter().map(|one| one.outcome).collect();
        assert_eq!(outcomes, [AttemptOutcome::Deferred, AttemptOutcome::Published]);
    }

    /// What would come after its latest useful time does not come at all.
    async fn a_limit_beyond_the_latest_useful_time_makes_it_missed(stage) {
        for outlet in stage.both().await {
            stage.spoil(&outlet, limited(120));
            let publish_by = after(now(), Duration::from_millis(1_500));
            let wanted = Wanted::text("too late then").publish_by(publish_by);
            let id = stage.deliver(&outlet, &wanted).await;
            let shown = stage.until(&id, DeliveryState::Missed).await;
            assert!(shown.delivery.state_since >= publish_by);
            assert_eq!((stage.creates(&outlet).len(), stage.made(&outlet)), (1, 0));
        }
    }

    /// Nobody was there at its instant, and afterwards it was too late.
    async fn what_was_slept_through_is_missed(stage) {
        let outlets = stage.both().await;
        let mut ids = Vec::new();
        for outlet in &outlets {
            let due = after(stage.now(), Duration::from_mins(1));
            let publish_by = after(due, Duration::from_millis(100));
            let wanted = Wanted::text("slept through").at(due).publish_by(publish_by);
            ids.push(stage.deliver(outlet, &wanted).await);
        }
        stage.stop().await;
        stage.advance(Duration::from_mins(2));
        stage.resume().await;
        for (id, outlet) in ids.iter().zip(&outlets) {
            stage.until(id, DeliveryState::Missed).await;
            assert_eq!(stage.creates(outlet).len(), 0);
        }
    }

    /// A platform that cannot be reached costs no attempt; when it is back, everything goes out once.
    async fn a_platform_that_is_away_is_waited_for(stage) {
        let outlets = stage.both().await;
        stage.platforms_leave().await;
        let mut ids = Vec::new();
        for outlet in &outlets {
            ids.push(stage.deliver(outlet, &Wanted::text("platform away")).await);
        }
        for id in &ids {
            eventually("it was tried in vain", async || {
                let shown = stage.show(id).await;
                let mut tries = shown.attempts.iter().map(|one| one.outcome);
                assert!(tries.all(|it| matches!(it, AttemptOutcome::Deferred | AttemptOutcome::Open)));
                let count = shown.attempts.len();
                if count >= 3 { Ok(()) } else { Err(format!("{count} in vain")) }
            })
            .await;
        }
        stage.platforms_return().await;
        for (id, outlet) in ids.iter().zip(&outlets) {
            let shown = stage.published(id).await;
            assert_eq!(shown.delivery.attempt_count, 1);
            assert_eq!(stage.creates(outlet).len(), 1);
        }
    }

    /// A dead token stops its account until somebody connects it again; then what was held goes out.
    async fn a_dead_token_holds_until_the_account_is_connected_again(stage) {
        for outlet in stage.both().await {
            stage.world().revoke(&outlet.token, Death::Expired);
            let id = stage.deliver(&outlet, &Wanted::text("held")).await;
            let shown = stage.until(&id, DeliveryState::Held).await;
            assert_eq!(shown.delivery.attempt_count, 0);
            assert_eq!(stage.account(&outlet).await.status, AccountStatus::NeedsReconnect);
            assert_eq!(stage.made(&outlet), 0);

            let token = stage.new_token(&outlet);
            let kind = if outlet.platform == Platform::X { "oauth2" } else { "page_token" };
            let change = json!({"credential": {"kind": kind, "access_token": token}});
            let change = serde_json::from_value(change).unwrap();
            let (acts, caller) = (stage.acts(), stage.caller());
            accounts::change(acts, caller, &outlet.id, None, change).await.unwrap();
            stage.published(&id).await;
            assert_eq!(stage.made(&outlet), 1);
        }
    }

    /// The same text twice within a day is a mistake, unless somebody says that it is meant.
    async fn the_same_text_is_refused_within_a_day_unless_it_is_meant(stage) {
        stage.world().change_settings(|settings| settings.x.duplicate_window_s = None);
        for outlet in stage.both().await {
            let wanted = Wanted::text("said twice");
            let first = stage.deliver(&outlet, &wanted).await;
            stage.published(&first).await;
            let second = stage.deliver(&outlet, &wanted).await;
            let shown = stage.until(&second, DeliveryState::Failed).await;
            assert_eq!(shown.delivery.problem.unwrap().code, "same_text_recently");
            assert_eq!(stage.creates(&outlet).len(), 1);
            let third = stage.deliver(&outlet, &wanted.clone().repeat()).await;
            stage.published(&third).await;
            assert_eq!(stage.made(&outlet), 2);
        }
    }
}
