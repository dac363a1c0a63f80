//! A month's money is shared by all nodes: ordinary posts stop before it is spent and say so, what is
//! urgent goes on, and what was not made costs nothing.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::{Error, deliveries};
use chancery::simulator::{Kind as FaultKind, Platform, Problem};
use serde_json::json;

use crate::stage::{Outlet, Stage, Wanted, eventually, staged};
use crate::stops::{held_for, place};

fn long(stage: &Stage, what: &str) -> Wanted {
    Wanted::text(what).publish_by(after(stage.now(), Duration::from_hours(3)))
}

/// Costs 0.2 dollars.
fn dear(stage: &Stage, what: &str) -> Wanted {
    long(stage, what).link("https://mofa.example/a")
}

/// What this month has cost, in millionths.
async fn spent(stage: &Stage) -> i64 {
    let sql = "SELECT CAST(cost AS TEXT) FROM spending WHERE scope = 'money:x'";
    let rows = stage.setting().database.rows(sql).await;
    rows.iter().map(|row| row[0].parse::<i64>().unwrap()).sum()
}

async fn stopped(stage: &Stage, outlet: &Outlet, wanted: &Wanted) -> DeliveryId {
    let id = stage.deliver(outlet, wanted).await;
    let shown = stage.until(&id, DeliveryState::Held).await;
    let wait = shown.delivery.waits_for.unwrap();
    assert_eq!((wait.code.as_str(), shown.delivery.attempt_count), ("money", 0));
    assert!(
        wait.detail.contains("1.00 US dollars") && wait.detail.contains("x.monthly_budget"),
        "{}",
        wait.detail
    );
    id
}

async fn told(stage: &Stage, occasion: &str) -> usize {
    let sql = format!("SELECT id FROM outbox WHERE event = '{occasion}'");
    stage.setting().database.rows(&sql).await.len()
}

staged! {
    with &[("CHANCERY_X__MONTHLY_BUDGET", "1")];

    /// One dollar, a tenth of it kept; two nodes on PostgreSQL.
    async fn ordinary_posts_stop_before_the_month_is_spent(stage) {
        let on_server = stage.setting().database.url().starts_with("postgres");
        let other = if on_server { Some(stage.another(&[]).await) } else { None };
        let mut outlets = Vec::new();
        for _ in 0..8 {
            outlets.push(stage.outlet(Platform::X).await);
        }
        // Eight at one instant, for which there is money for four.
        let due = after(stage.now(), Duration::from_secs(2));
        let mut ids = Vec::new();
        for outlet in &outlets {
            ids.push(stage.deliver(outlet, &dear(stage, "one of eight").at(due)).await);
        }
        eventually("four are out and four are held", async || {
            let mut counts = (0, 0);
            for id in &ids {
                let state = stage.show(id).await.delivery.state;
                counts.0 += usize::from(state == DeliveryState::Published);
                counts.1 += usize::from(state == DeliveryState::Held);
            }
            if counts == (4, 4) { Ok(()) } else { Err(format!("{counts:?}")) }
        })
        .await;
        assert_eq!((stage.world().counts().received, spent(stage).await), (4, 800_000));
        // What is cheap has room still; a statement has what is kept; what is urgent goes beyond.
        let outlet = &outlets[0];
        stage.published(&stage.deliver(outlet, &long(stage, "cheap")).await).await;
        let statement = dear(stage, "a dear statement").class("statement");
        ids.push(stopped(stage, outlet, &statement).await);
        let cheap = long(stage, "a cheap statement").class("statement");
        stage.published(&stage.deliver(outlet, &cheap).await).await;
        let urgent = dear(stage, "cannot wait").class("urgent");
        stage.published(&stage.deliver(outlet, &urgent).await).await;
        assert_eq!(spent(stage).await, 1_030_000);
        ids.push(stopped(stage, outlet, &long(stage, "cheap, too late")).await);
        for occasion in ["money.low", "money.spent"] {
            eventually("people are told", async || {
                let count = told(stage, occasion).await;
                if count > 0 { Ok(()) } else { Err(format!("no {occasion}")) }
            })
            .await;
        }
        assert_eq!((told(stage, "money.low").await, told(stage, "money.spent").await), (1, 1));
        if let Some(other) = other {
            assert!(other.stop().await);
        }
        // A larger budget, and what was held goes out by itself.
        stage.stop().await;
        stage.set_option("CHANCERY_X__MONTHLY_BUDGET", "100");
        stage.resume().await;
        stage.advance(Duration::from_secs(62));
        for id in &ids {
            stage.published(id).await;
        }
    }

    /// A refusal, a limit and an absence cost nothing; a post that was found costs what it costs.
    async fn what_was_not_made_costs_nothing(stage) {
        let outlet = stage.outlet(Platform::X).await;
        stage.spoil(&outlet, FaultKind::XProblem { problem: Problem::ReplyRule, execute: false });
        let refused = stage.deliver(&outlet, &dear(stage, "refused")).await;
        stage.until(&refused, DeliveryState::Failed).await;
        assert_eq!(spent(stage).await, 0);
        stage.spoil(&outlet, FaultKind::ServerError { execute: false });
        stage.published(&stage.deliver(&outlet, &long(stage, "sent twice, made once")).await).await;
        assert_eq!((stage.creates(&outlet).len(), spent(stage).await), (3, 15_000));
        stage.spoil(&outlet, FaultKind::DropAfter);
        stage.published(&stage.deliver(&outlet, &dear(stage, "made, and found")).await).await;
        assert_eq!((stage.creates(&outlet).len(), spent(stage).await), (4, 215_000));
    }
}

staged! {
    // Guarded, and so charged, long before it leaves.
    with &[("CHANCERY_PUBLISH__LOOKAHEAD", "40s"), ("CHANCERY_PUBLISH__LEASE", "4m")];

    /// What is taken back while it waits for its instant costs nothing, whoever takes it back.
    async fn what_never_left_costs_nothing(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let due = |stage: &Stage| after(stage.now(), Duration::from_secs(30));
        let waits = async |stage: &Stage, wanted: &Wanted| {
            let id = stage.deliver(&outlet, wanted).await;
            stage.until(&id, DeliveryState::Publishing).await;
            assert_eq!(spent(stage).await, 200_000);
            id
        };
        let id = waits(stage, &dear(stage, "cancelled").at(due(stage))).await;
        while let Err(error) = deliveries::cancel(stage.acts(), stage.caller(), &id).await {
            assert!(matches!(error, Error::Busy | Error::Stale), "{error:?}");
        }
        assert_eq!(spent(stage).await, 0);
        let id = waits(stage, &dear(stage, "moved").at(due(stage))).await;
        let tomorrow = after(stage.now(), Duration::from_hours(24)).to_string();
        let to = || serde_json::from_value(json!({"at": tomorrow})).unwrap();
        while let Err(error) =
            deliveries::reschedule(stage.acts(), stage.caller(), &id, None, to()).await
        {
            assert!(matches!(error, Error::Busy | Error::Stale), "{error:?}");
        }
        assert_eq!(spent(stage).await, 0);
        let id = waits(stage, &dear(stage, "held").at(due(stage))).await;
        let hold = json!({"scope": {"account_id": outlet.id}, "reason": "An accident"});
        place(stage, hold).await;
        held_for(stage, &id, "hold").await;
        assert_eq!((stage.creates(&outlet).len(), spent(stage).await), (0, 0));
        // What goes out pays.
        let other = stage.outlet(Platform::X).await;
        stage.published(&stage.deliver(&other, &dear(stage, "sent")).await).await;
        assert_eq!(spent(stage).await, 200_000);
    }
}
