//! No more creates start in a window than a platform allows, over all nodes; what cannot wait has a
//! reserve; what is planned beyond it is told when it is scheduled.

use std::sync::Arc;
use std::time::Duration;

use chancery::app::App;
use chancery::clock::{SystemClock, after};
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::schedule;
use chancery::simulator::{Allowance, Exhausted, Kind as FaultKind, Platform};
use serde_json::{Value, json};

use crate::stage::{Outlet, Stage, Wanted, eventually, pass, staged};

async fn users(stage: &Stage, count: usize) -> Vec<Outlet> {
    let mut outlets = Vec::new();
    for _ in 0..count {
        outlets.push(stage.outlet(Platform::X).await);
    }
    outlets
}

/// Waits until nothing is on its way; gives how many are out and how many wait for a budget.
async fn settled(stage: &Stage, ids: &[DeliveryId]) -> (usize, usize) {
    eventually("all are out or wait for the budget", async || {
        let (mut out, mut waiting) = (0, 0);
        for id in ids {
            let it = stage.show(id).await.delivery;
            out += usize::from(it.state == DeliveryState::Published);
            let words = ["budget", "rate_limit"];
            let budget = it.waits_for.as_ref().is_some_and(|it| words.contains(&it.code.as_str()));
            waiting += usize::from(it.state == DeliveryState::Scheduled && budget);
        }
        if out + waiting == ids.len() {
            Ok((out, waiting))
        } else {
            Err(format!("{out} {waiting}"))
        }
    })
    .await
}

staged! {
    with &[("CHANCERY_X__CREATES_PER_APP", "10/20m")];

    /// Many accounts are due at one instant, on PostgreSQL at two nodes: no more than the window
    /// holds start, the last of it only for what is urgent, and no attempt is used up.
    async fn nodes_share_the_budget_of_an_application(stage) {
        let mut other = None;
        if stage.setting().database.url().starts_with("postgres") {
            let config = stage.setting().config();
            other = Some(App::start(config, Arc::new(SystemClock)).await.unwrap());
        }
        let outlets = users(stage, 30).await;
        let due = after(stage.now(), Duration::from_secs(4));
        let mut ids = Vec::new();
        for outlet in &outlets {
            let far = after(due, Duration::from_hours(2));
            let wanted = Wanted::text("one of many").at(due).publish_by(far);
            ids.push(stage.deliver(outlet, &wanted).await);
        }
        assert_eq!(settled(stage, &ids).await, (9, 21));
        let mut urgent = Vec::new();
        for outlet in &outlets[..2] {
            let far = after(stage.now(), Duration::from_mins(40));
            let wanted = Wanted::text("cannot wait").class("urgent").publish_by(far);
            urgent.push(stage.deliver(outlet, &wanted).await);
        }
        assert_eq!(settled(stage, &urgent).await, (1, 1));
        assert_eq!(stage.world().counts().created, 10);
        for id in ids.iter().chain(&urgent) {
            let it = stage.show(id).await.delivery;
            assert_eq!(it.attempt_count, i64::from(it.state == DeliveryState::Published));
        }
        if let Some(other) = other {
            assert!(other.stop().await);
            return;
        }
        // When the window has passed there is room for as many again.
        stage.advance(Duration::from_mins(22));
        eventually("the next ones are out", async || {
            let created = stage.world().counts().created;
            if created > 10 { Ok(()) } else { Err(created) }
        })
        .await;
        pass(Duration::from_millis(1_500)).await;
        assert!(stage.world().counts().created <= 20);
    }
}

staged! {
    with &[("CHANCERY_X__CREATES_PER_ACCOUNT", "5/10m")];

    /// One account has used up its window: the rest waits and says so, another account does not.
    async fn an_account_waits_for_its_own_window(stage) {
        let [full, free] = <[Outlet; 2]>::try_from(users(stage, 2).await).unwrap();
        let mut ids = Vec::new();
        for _ in 0..7 {
            ids.push(stage.deliver(&full, &Wanted::text("one of seven")).await);
        }
        assert_eq!(settled(stage, &ids).await, (5, 2));
        let other = stage.deliver(&free, &Wanted::text("another account")).await;
        stage.published(&other).await;
        assert_eq!(stage.creates(&full).len(), 5);
        stage.advance(Duration::from_mins(11));
        for _ in 0..3 {
            pass(Duration::from_millis(900)).await;
            stage.advance(Duration::from_secs(31));
        }
        for id in &ids {
            stage.published(id).await;
        }
        assert_eq!(stage.creates(&full).len(), 7);
    }

    /// Five in ten minutes fit; the sixth is told when it is scheduled, and one in the next window
    /// is not.
    async fn what_will_not_fit_is_told_when_it_is_scheduled(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let start = after(stage.now(), Duration::from_hours(24));
        let told = async |seconds: &[u64]| -> Vec<String> {
            let variant = json!({"language": "en", "text": format!("boundaries {seconds:?}")});
            let post = stage.post("routine", &[variant]).await;
            let wanted: Vec<Value> = seconds
                .iter()
                .map(|second| {
                    let at = after(start, Duration::from_secs(*second)).to_string();
                    json!({"account_id": outlet.id, "language": "en", "at": at,
                           "settings": {"intended_repeat": true}})
                })
                .collect();
            let wanted = serde_json::from_value(json!({"deliveries": wanted})).unwrap();
            let done = schedule::schedule(stage.acts(), stage.caller(), &post, wanted).await.unwrap();
            let warnings = done.value.warnings.into_iter();
            warnings.filter(|one| one.code == "does_not_fit").map(|one| one.detail).collect()
        };
        assert_eq!(told(&[0, 100, 200, 300, 599]).await, Vec::<String>::new());
        assert_eq!(told(&[700]).await, Vec::<String>::new(), "five in each ten minutes");
        let found = told(&[400]).await;
        assert!(found[0].contains("6 deliveries are planned") && found[0].contains("lets 5 through"));
    }
}

staged! {
    /// Nothing is configured, and X lets less through than its documents say: its headers alone keep
    /// an account within its window, with the last of it for what cannot wait.
    async fn headers_keep_an_account_within_its_window(stage) {
        stage.world().change_settings(|settings| {
            let create = settings.x.limits.get_mut("create").unwrap();
            create.user = Some(Allowance { calls: 20, seconds: 1_200 });
        });
        let outlet = stage.outlet(Platform::X).await;
        let far = after(stage.now(), Duration::from_hours(2));
        let mut ids = Vec::new();
        for _ in 0..21 {
            ids.push(stage.deliver(&outlet, &Wanted::text("one of 21").publish_by(far)).await);
        }
        assert_eq!(settled(stage, &ids).await, (18, 3), "two of twenty are kept");
        let mut urgent = Vec::new();
        for _ in 0..3 {
            let wanted = Wanted::text("cannot wait").class("urgent").publish_by(far);
            urgent.push(stage.deliver(&outlet, &wanted).await);
        }
        assert_eq!(settled(stage, &urgent).await, (2, 1));
        assert_eq!((stage.creates(&outlet).len(), stage.made(&outlet)), (20, 20), "none refused");
        stage.advance(Duration::from_mins(21));
        for id in ids.iter().chain(&urgent) {
            stage.published(id).await;
        }
        assert_eq!((stage.creates(&outlet).len(), stage.made(&outlet)), (24, 24));
    }

    /// The same for an application, at two nodes on PostgreSQL: what one hears holds for the other.
    async fn headers_keep_an_application_within_its_day(stage) {
        stage.world().change_settings(|settings| {
            let create = settings.x.limits.get_mut("create").unwrap();
            create.app = Some(Allowance { calls: 12, seconds: 86_400 });
        });
        let mut other = None;
        if stage.setting().database.url().starts_with("postgres") {
            let config = stage.setting().config();
            other = Some(App::start(config, Arc::new(SystemClock)).await.unwrap());
        }
        let outlets = users(stage, 20).await;
        let first = stage.deliver(&outlets[0], &Wanted::text("the first answer tells")).await;
        stage.published(&first).await;
        let due = after(stage.now(), Duration::from_secs(3));
        let mut ids = Vec::new();
        for outlet in &outlets {
            ids.push(stage.deliver(outlet, &Wanted::text("one of twenty").at(due)).await);
        }
        assert_eq!(settled(stage, &ids).await, (10, 10), "one of twelve is kept");
        let wanted = Wanted::text("cannot wait").class("urgent");
        let urgent = stage.deliver(&outlets[0], &wanted).await;
        stage.published(&urgent).await;
        let counts = stage.world().counts();
        assert_eq!(counts.created, 12);
        let all: usize = outlets.iter().map(|outlet| stage.creates(outlet).len()).sum();
        assert_eq!(all, 12, "none refused");
        if let Some(other) = other {
            assert!(other.stop().await);
        }
    }

    /// X says to one account that the application has used up its day: no other account is tried.
    async fn what_a_platform_says_of_the_application_holds_for_all(stage) {
        let [first, second] = <[Outlet; 2]>::try_from(users(stage, 2).await).unwrap();
        let limit = FaultKind::RateLimited { seconds: 3_600, exhausted: Exhausted::AppDay };
        stage.spoil(&first, limit);
        let mut ids = Vec::new();
        for outlet in [&first, &second] {
            let id = stage.deliver(outlet, &Wanted::text("the day is used up")).await;
            eventually("it waits", async || {
                let it = stage.show(&id).await.delivery;
                let codes = ["budget", "rate_limit", "daily_limit"];
                let waits = it.waits_for.filter(|it| codes.contains(&it.code.as_str()));
                if waits.is_some() { Ok(()) } else { Err(it.state) }
            })
            .await;
            ids.push(id);
        }
        assert_eq!((stage.creates(&first).len(), stage.creates(&second).len()), (1, 0));
        stage.advance(Duration::from_mins(62));
        stage.published(&ids[1]).await;
    }
}
