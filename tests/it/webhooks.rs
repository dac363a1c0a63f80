//! Other programs are told what happens: signed, at least once, for days; and whatever they do, no
//! delivery is any different for it.

use std::time::Duration;

use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::{DeliveryId, WebhookId};
use chancery::service::webhooks::{self, TryView};
use chancery::service::{Window, notifications};
use chancery::simulator::{Kind as FaultKind, Platform, Problem};
use serde_json::{Value, json};

use crate::receiver::{Hook, Mood};
use crate::stage::{Stage, Wanted, eventually, pass, staged};

/// Tens of milliseconds instead of seconds and hours.
pub(crate) const OPTIONS: &[(&str, &str)] = &[
    ("CHANCERY_NOTIFY__POLL_INTERVAL", "20ms"),
    ("CHANCERY_NOTIFY__WATCH_INTERVAL", "50ms"),
    ("CHANCERY_WEBHOOKS__TIMEOUT", "10m"),
    ("CHANCERY_WEBHOOKS__BACKOFF", "20ms"),
    ("CHANCERY_WEBHOOKS__BACKOFF_MAX", "100ms"),
];

const WINDOW: Window = Window { limit: 200, after: None };

async fn enter(stage: &Stage, hook: &Hook, events: &[&str]) -> (WebhookId, String) {
    let new = serde_json::from_value(json!({"url": hook.url(), "events": events})).unwrap();
    let made = webhooks::create(stage.acts(), stage.caller(), new).await.unwrap().value;
    (made.webhook.id, made.secret.unwrap())
}

async fn tries(stage: &Stage, id: &WebhookId) -> Vec<TryView> {
    webhooks::tries(stage.acts(), stage.caller(), id, &WINDOW).await.unwrap().items
}

async fn told(hook: &Hook, count: usize) {
    eventually(&format!("told {count} times"), async || {
        let seen = hook.told().len();
        if seen >= count { Ok(()) } else { Err(seen) }
    })
    .await;
}

/// Everything that the database knows of a delivery.
async fn row(stage: &Stage, id: &DeliveryId) -> Vec<String> {
    let sql = format!(
        "SELECT state, CAST(version AS TEXT), CAST(attempts AS TEXT), CAST(doubts AS TEXT),
                CAST(updated_at AS TEXT), CAST(due_at AS TEXT), COALESCE(remote_id, '')
         FROM deliveries WHERE id = '{id}'"
    );
    stage.setting().database.rows(&sql).await.remove(0)
}

async fn patch(stage: &Stage, id: &WebhookId, change: Value) {
    let change = serde_json::from_value(change).unwrap();
    webhooks::change(stage.acts(), stage.caller(), id, None, change).await.unwrap();
}

staged! { with OPTIONS;
    async fn what_is_published_is_told_and_signed(stage) {
        let hook = Hook::start(Mood::Answer(204)).await;
        let deaf = Hook::start(Mood::Answer(204)).await;
        let (id, secret) = enter(stage, &hook, &["delivery.published"]).await;
        enter(stage, &deaf, &["delivery.failed"]).await;
        let outlet = stage.outlet(Platform::X).await;
        let delivery = stage.deliver(&outlet, &Wanted::text("told")).await;
        let shown = stage.published(&delivery).await;
        told(&hook, 1).await;
        let request = hook.told().remove(0);
        assert!(request.is_signed_with(&secret));
        assert!(!request.is_signed_with("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
        assert!(request.id.starts_with("msg_"), "{}", request.id);
        assert!((request.timestamp - stage.now().as_second()).abs() < 300);
        let body = request.json();
        assert_eq!(body["type"], "delivery.published");
        assert_eq!(body["data"]["delivery_id"], delivery.to_string());
        assert_eq!(body["data"]["account_id"], outlet.id.to_string());
        let permalink = shown.delivery.receipt.unwrap().permalink.unwrap();
        assert_eq!(body["data"]["permalink"], permalink);
        // No text of a post leaves this way.
        assert!(!String::from_utf8(request.body).unwrap().contains("A test"));
        let log = eventually("the try is in the log", async || {
            let log = tries(stage, &id).await;
            if log.is_empty() { Err("empty") } else { Ok(log) }
        }).await;
        let one = (log[0].number, log[0].outcome.as_str(), log[0].status, log[0].next_at);
        assert_eq!(one, (1, "delivered", Some(204), None));
        assert_eq!((hook.told().len(), deaf.told().len()), (1, 0));
    }

    /// It is told until it says yes, always under the same id, each time signed anew.
    async fn a_failure_is_tried_again_under_the_same_id(stage) {
        let hook = Hook::start(Mood::Answer(500)).await;
        let (id, secret) = enter(stage, &hook, &["delivery.published"]).await;
        let outlet = stage.outlet(Platform::X).await;
        let delivery = stage.deliver(&outlet, &Wanted::text("again and again")).await;
        stage.published(&delivery).await;
        told(&hook, 3).await;
        hook.becomes(Mood::Answer(200));
        let log = eventually("it is delivered", async || {
            let log = tries(stage, &id).await;
            let newest = log.first().map(|it| it.outcome.clone()).unwrap_or_default();
            if newest == "delivered" { Ok(log) } else { Err(newest) }
        }).await;
        let requests = hook.told();
        assert!(requests.iter().all(|it| it.id == requests[0].id && it.is_signed_with(&secret)));
        assert_eq!(log.len(), requests.len());
        assert!(log[1..].iter().all(|it| it.outcome == "refused" && it.next_at.is_some()));
        let numbers: Vec<i64> = log.iter().rev().map(|it| it.number).collect();
        assert_eq!(numbers, (1..).take(log.len()).collect::<Vec<i64>>());
        let view = webhooks::show(stage.acts(), stage.caller(), &id).await.unwrap();
        assert!(view.succeeded_at.is_some() && view.failing_since.is_none());
    }

    /// While the other side keeps the request open, everything else goes on: the delivery that it is
    /// about stays as it is, others are published, other webhooks are told.
    async fn a_receiver_that_hangs_holds_up_nobody(stage) {
        let (hanging, well) = (Hook::start(Mood::Hang).await, Hook::start(Mood::Answer(200)).await);
        let (id, _) = enter(stage, &hanging, &["delivery.published"]).await;
        enter(stage, &well, &["delivery.published"]).await;
        let outlet = stage.outlet(Platform::X).await;
        let first = stage.deliver(&outlet, &Wanted::text("first")).await;
        stage.published(&first).await;
        told(&hanging, 1).await;
        let before = row(stage, &first).await;
        for number in 2..=6 {
            let next = stage.deliver(&outlet, &Wanted::text("while it hangs")).await;
            let shown = stage.published(&next).await;
            assert_eq!(shown.delivery.attempt_count, 1);
            told(&well, number).await;
        }
        assert!(tries(stage, &id).await.is_empty(), "it does not hang");
        assert!(hanging.told().len() <= 2, "it takes more than its share of the workers");
        hanging.becomes(Mood::Answer(500));
        told(&hanging, 8).await;
        assert_eq!(row(stage, &first).await, before);
        assert_eq!(stage.made(&outlet), 6);
        // What is tried again hangs; the judge stops the service, which must not wait for an answer.
        hanging.becomes(Mood::Hang);
        pass(Duration::from_millis(500)).await;
    }

    /// A redirect is a failure, and nobody goes where it points.
    async fn a_redirect_is_not_followed(stage) {
        let elsewhere = Hook::start(Mood::Answer(200)).await;
        let hook = Hook::start(Mood::Redirect(elsewhere.url())).await;
        let (id, _) = enter(stage, &hook, &["delivery.published"]).await;
        let outlet = stage.outlet(Platform::X).await;
        let delivery = stage.deliver(&outlet, &Wanted::text("elsewhere")).await;
        stage.published(&delivery).await;
        told(&hook, 2).await;
        let log = tries(stage, &id).await;
        assert!(log.iter().all(|it| it.outcome == "redirect" && it.status == Some(307)), "{log:?}");
        assert_eq!(elsewhere.told().len(), 0);
    }

    async fn a_wish_for_later_is_heard(stage) {
        let hook = Hook::start(Mood::RetryAfter(503, 600)).await;
        let (id, _) = enter(stage, &hook, &["delivery.published"]).await;
        let outlet = stage.outlet(Platform::X).await;
        stage.published(&stage.deliver(&outlet, &Wanted::text("later")).await).await;
        let log = eventually("the try is in the log", async || {
            let log = tries(stage, &id).await;
            if log.is_empty() { Err("empty") } else { Ok(log) }
        }).await;
        let wait = log[0].next_at.unwrap().duration_since(log[0].at);
        assert!(wait.as_secs() >= 599, "{wait:?}");
        hook.becomes(Mood::Answer(200));
        pass(Duration::from_millis(300)).await;
        assert_eq!(hook.told().len(), 1);
        stage.advance(Duration::from_secs(601));
        told(&hook, 2).await;
    }

    /// Both secrets are right for a while, then the new one alone.
    async fn a_secret_is_replaced_without_a_gap(stage) {
        let hook = Hook::start(Mood::Answer(200)).await;
        let (id, old) = enter(stage, &hook, &["delivery.published"]).await;
        let rotated = webhooks::rotate(stage.acts(), stage.caller(), &id).await.unwrap().value;
        let new = rotated.secret.unwrap();
        assert_ne!(old, new);
        assert!(rotated.webhook.previous_secret_until.is_some());
        let outlet = stage.outlet(Platform::X).await;
        stage.published(&stage.deliver(&outlet, &Wanted::text("both")).await).await;
        told(&hook, 1).await;
        let request = hook.told().remove(0);
        assert!(request.is_signed_with(&old) && request.is_signed_with(&new));
        assert_eq!(request.signatures.len(), 2);
        stage.advance(Duration::from_hours(25));
        stage.published(&stage.deliver(&outlet, &Wanted::text("one")).await).await;
        told(&hook, 2).await;
        let request = hook.told().remove(1);
        assert!(!request.is_signed_with(&old) && request.is_signed_with(&new));
    }

    /// Days without a single success: it is switched off, people are told, and it stays off until
    /// somebody switches it on.
    async fn a_webhook_that_fails_for_days_is_switched_off(stage) {
        let hook = Hook::start(Mood::Answer(500)).await;
        let (id, _) = enter(stage, &hook, &["delivery.published"]).await;
        let outlet = stage.outlet(Platform::X).await;
        stage.published(&stage.deliver(&outlet, &Wanted::text("failing")).await).await;
        // Not only asked: what came of it must be written down before days go by.
        eventually("it is known to fail", async || {
            let view = webhooks::show(stage.acts(), stage.caller(), &id).await.unwrap();
            view.failing_since.ok_or("not yet")
        }).await;
        stage.advance(Duration::from_hours(4 * 24));
        stage.published(&stage.deliver(&outlet, &Wanted::text("still failing")).await).await;
        told(&hook, 3).await;
        assert!(webhooks::show(stage.acts(), stage.caller(), &id).await.unwrap().enabled);
        stage.advance(Duration::from_hours(2 * 24));
        let view = eventually("it is switched off", async || {
            let view = webhooks::show(stage.acts(), stage.caller(), &id).await.unwrap();
            if view.enabled { Err("on") } else { Ok(view) }
        }).await;
        assert_eq!(view.disabled_because.as_deref(), Some("failing"));
        eventually("people are told", async || {
            let page = notifications::list(stage.acts(), stage.caller(), true, &WINDOW).await.unwrap();
            let events: Vec<_> = page.items.iter().map(|it| it.event.as_str()).collect();
            if events == ["webhook.disabled"] { Ok(()) } else { Err(format!("{events:?}")) }
        }).await;
        let before = hook.told().len();
        hook.becomes(Mood::Answer(200));
        stage.published(&stage.deliver(&outlet, &Wanted::text("unheard")).await).await;
        pass(Duration::from_millis(300)).await;
        assert_eq!(hook.told().len(), before);
        patch(stage, &id, json!({"enabled": true})).await;
        stage.published(&stage.deliver(&outlet, &Wanted::text("heard")).await).await;
        told(&hook, before + 1).await;
    }

    /// 410 is the other side's own wish.
    async fn gone_switches_it_off_at_once(stage) {
        let hook = Hook::start(Mood::Answer(410)).await;
        let (id, _) = enter(stage, &hook, &["delivery.published"]).await;
        let outlet = stage.outlet(Platform::X).await;
        stage.published(&stage.deliver(&outlet, &Wanted::text("gone")).await).await;
        eventually("it is switched off", async || {
            let view = webhooks::show(stage.acts(), stage.caller(), &id).await.unwrap();
            if view.disabled_because.as_deref() == Some("gone") { Ok(()) } else { Err("on") }
        }).await;
    }

    /// Everything that needs somebody is told: refused, held with its account, in doubt, missed.
    async fn every_ending_is_told_by_its_own_word(stage) {
        let hook = Hook::start(Mood::Answer(200)).await;
        let events = [
            "delivery.failed", "delivery.held", "delivery.unknown", "delivery.missed",
            "account.needs_reconnect", "delivery.published",
        ];
        enter(stage, &hook, &events).await;
        let outlets = [stage.outlet(Platform::X).await, stage.outlet(Platform::X).await];
        stage.spoil(&outlets[0], FaultKind::DropAfter);
        let doubt = stage.deliver(&outlets[0], &Wanted::text("in doubt")).await;
        stage.published(&doubt).await;
        stage.spoil(&outlets[0], FaultKind::XProblem { problem: Problem::ReplyRule, execute: false });
        let failed = stage.deliver(&outlets[0], &Wanted::text("refused")).await;
        stage.until(&failed, DeliveryState::Failed).await;
        stage.spoil(&outlets[1], FaultKind::XProblem { problem: Problem::Unauthorized, execute: false });
        let late = chancery::clock::after(stage.now(), Duration::from_mins(2));
        let held = stage.deliver(&outlets[1], &Wanted::text("held").publish_by(late)).await;
        stage.until(&held, DeliveryState::Held).await;
        stage.advance(Duration::from_mins(3));
        stage.until(&held, DeliveryState::Missed).await;
        told(&hook, 6).await;
        let mut seen: Vec<(String, String)> = hook.told().iter().map(|it| {
            let body = it.json();
            let subject = body["data"]["delivery_id"].as_str().unwrap_or("account").to_owned();
            (body["type"].as_str().unwrap().to_owned(), subject)
        }).collect();
        seen.sort();
        let mut wanted = [
            ("delivery.unknown", doubt.to_string()), ("delivery.published", doubt.to_string()),
            ("delivery.failed", failed.to_string()), ("delivery.held", held.to_string()),
            ("delivery.missed", held.to_string()), ("account.needs_reconnect", "account".to_owned()),
        ].map(|(event, subject)| (event.to_owned(), subject));
        wanted.sort();
        assert_eq!(seen, wanted);
    }
}
