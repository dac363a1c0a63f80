//! Recalling what is out: it is deleted at the platform whatever the answers look like, nothing else is,
//! and who asked for it stays known.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::deliveries::{self, DeliveryView, Recalling};
use chancery::service::{Error, accounts, holds};
use chancery::simulator::{Exhausted, Kind, Operation, Platform, Problem, Unreadable};
use serde_json::json;

use crate::deliveries::becomes;
use crate::planning::{Desk, delivery_of, schedule_of};
use crate::stage::{Outlet, Stage, Wanted, eventually, on, pass, staged};
use crate::world::both;

fn why() -> Recalling {
    Recalling { reason: "A wrong figure".to_owned() }
}

async fn recall(stage: &Stage, id: &DeliveryId) -> Result<DeliveryView, Error> {
    deliveries::recall(stage.acts(), stage.caller(), id, why()).await.map(|done| done.value)
}

async fn published(stage: &Stage, outlet: &Outlet, what: &str) -> DeliveryId {
    let id = stage.deliver(outlet, &Wanted::text(what)).await;
    stage.published(&id).await;
    id
}

/// Another post of the account: one that is missed is gone only beside one that is shown.
fn beside_another(stage: &Stage, outlet: &Outlet) {
    stage.world().insert_foreign(outlet.platform, &outlet.remote_id, "stays").expect("a post");
}

async fn entries(stage: &Stage, id: &DeliveryId, action: &str) -> Vec<String> {
    let sql = format!(
        "SELECT CAST(detail AS TEXT) FROM audit WHERE subject = '{id}' AND action = '{action}'"
    );
    stage.setting().database.rows(&sql).await.into_iter().map(|mut row| row.remove(0)).collect()
}

/// Waits until the platform was asked in vain so often.
async fn in_vain(stage: &Stage, id: &DeliveryId, tries: i64) -> DeliveryView {
    eventually(&format!("{id} was asked for in vain {tries} times"), async || {
        let shown = stage.show(id).await.delivery;
        let recall = shown.recall.clone().unwrap();
        if recall.tries >= tries { Ok(shown) } else { Err(format!("{recall:?}")) }
    })
    .await
}

fn refusal(outlet: &Outlet) -> Kind {
    match outlet.platform {
        Platform::Facebook => Kind::Graph { code: 200, subcode: None, execute: false },
        Platform::X => Kind::XProblem { problem: Problem::NotPermitted, execute: false },
        Platform::Mastodon | Platform::Bluesky => unreachable!("not among these outlets"),
    }
}

staged! {
    async fn what_is_out_is_deleted_once_however_often_it_is_asked_for(stage) {
        for outlet in stage.both().await {
            let kept = published(stage, &outlet, "stays").await;
            let id = published(stage, &outlet, "a wrong figure").await;
            assert_eq!(stage.show(&id).await.delivery.acts.len(), 1);
            let (one, two) = tokio::join!(recall(stage, &id), recall(stage, &id));
            // One of two that come at one moment may have to ask again.
            assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
            let gone = stage.until(&id, DeliveryState::Recalled).await.delivery;
            let recall_view = gone.recall.unwrap();
            assert_eq!((recall_view.reason.as_str(), recall_view.tries), ("A wrong figure", 0));
            assert_eq!(recall_view.asked_by, stage.caller().actor.label());
            assert!(gone.receipt.is_some() && gone.acts.is_empty());
            assert_eq!(recall(stage, &id).await.unwrap().state, DeliveryState::Recalled);
            let ended = entries(stage, &id, "delivery.recalled").await;
            assert!(ended.len() == 1 && ended[0].contains("A wrong figure"), "{ended:?}");
            assert!(!entries(stage, &id, "delivery.recall").await.is_empty());
            assert_eq!((stage.posts(&outlet).len(), stage.creates(&outlet).len()), (1, 2));
            assert_eq!(stage.show(&kept).await.delivery.state, DeliveryState::Published);
        }
    }

    /// Deleted or not, the answer does not say: asked again and looked for until it is known.
    async fn an_unclear_answer_is_asked_again_until_it_is_known(stage) {
        let mut all = Vec::new();
        for platform in [Platform::Facebook, Platform::X] {
            for kind in [
                Kind::DropBefore,
                Kind::DropAfter,
                Kind::ServerError { execute: true },
                Kind::ServerError { execute: false },
                Kind::Html { execute: true },
                Kind::Empty,
                Kind::Truncate { bytes: 9 },
                Kind::HangAfter { ms: 5_000 },
                Kind::RateLimited { seconds: 1, exhausted: Exhausted::Window },
            ] {
                let outlet = stage.outlet(platform).await;
                let id = published(stage, &outlet, "unclear").await;
                stage.world().faults().push(on(&outlet, Operation::Change, kind));
                recall(stage, &id).await.unwrap();
                all.push((id, outlet));
            }
        }
        // What is throttled waits for as long as the platform says.
        for _ in 0..8 {
            pass(Duration::from_millis(300)).await;
            stage.advance(Duration::from_mins(10));
        }
        for (id, outlet) in all {
            eventually(&format!("{id} is recalled"), async || {
                let shown = stage.show(&id).await.delivery;
                let gone = shown.state == DeliveryState::Recalled;
                if gone { Ok(()) } else { Err(format!("{:?} at {}", shown.recall, stage.now())) }
            })
            .await;
            assert!(stage.posts(&outlet).is_empty(), "{outlet:?}");
            assert_eq!(entries(stage, &id, "delivery.recalled").await.len(), 1);
        }
    }

    /// What is new may not be seen for a while, by its id or in a list: that is not "deleted".
    async fn a_post_that_cannot_be_seen_yet_is_not_recalled(stage) {
        stage.world().change_settings(|settings| settings.read_lag_ms = 1_200_000);
        for outlet in stage.both().await {
            stage.spoil(&outlet, Kind::Unreadable { ms: 1_200_000, how: Unreadable::Missing });
            let id = published(stage, &outlet, "not to be seen yet").await;
            let lost = Kind::ServerError { execute: false };
            stage.world().faults().push(on(&outlet, Operation::Change, lost));
            recall(stage, &id).await.unwrap();
            eventually("it was missed once", async || {
                let shown = stage.show(&id).await.delivery;
                let problem = shown.recall.clone().and_then(|it| it.problem);
                if problem.is_some() { Ok(()) } else { Err(format!("{:?}", shown.recall)) }
            })
            .await;
            assert_eq!(stage.show(&id).await.delivery.state, DeliveryState::Published);
            assert_eq!(stage.posts(&outlet).len(), 1, "it is out");
            stage.advance(Duration::from_mins(31));
            stage.until(&id, DeliveryState::Recalled).await;
            assert!(stage.posts(&outlet).is_empty());
        }
    }

    /// Nobody knows whether it was deleted, and the account cannot be read: that is not "recalled".
    async fn a_read_that_fails_proves_no_deletion(stage) {
        for outlet in stage.both().await {
            let id = published(stage, &outlet, "hidden").await;
            let lost = Kind::ServerError { execute: false };
            for operation in [Operation::Change, Operation::Read] {
                stage.world().faults().push(on(&outlet, operation, lost.clone()).always());
            }
            recall(stage, &id).await.unwrap();
            let shown = in_vain(stage, &id, 5).await;
            assert_eq!(shown.state, DeliveryState::Published);
            let problem = shown.recall.unwrap().problem.unwrap();
            assert_eq!(problem.code, "recall_unclear");
            assert_eq!(entries(stage, &id, "delivery.recall_stuck").await.len(), 1);
            stage.world().faults().clear();
            stage.until(&id, DeliveryState::Recalled).await;
            assert!(stage.posts(&outlet).is_empty());
        }
    }

    /// A refusal is told at once, once, with what one can do; asked again, it is tried at once.
    async fn a_refusal_is_put_before_people_and_tried_again(stage) {
        for outlet in stage.both().await {
            let id = published(stage, &outlet, "not permitted").await;
            stage.world().faults().push(on(&outlet, Operation::Change, refusal(&outlet)).always());
            recall(stage, &id).await.unwrap();
            let shown = in_vain(stage, &id, 3).await;
            let link = shown.receipt.unwrap().permalink.unwrap();
            let recall_view = shown.recall.unwrap();
            let problem = recall_view.problem.unwrap();
            assert_eq!(problem.code, "recall_refused");
            assert!(problem.hint.contains(&link), "{}", problem.hint);
            assert_eq!(stage.show(&id).await.delivery.state, DeliveryState::Published);
            let acts = stage.show(&id).await.delivery.acts;
            assert_eq!(acts.len(), 1, "asked for again it is tried at once: {acts:?}");
            assert_eq!(entries(stage, &id, "delivery.recall_stuck").await.len(), 1);
            eventually("people are told", async || {
                let sql = "SELECT CAST(data AS TEXT) FROM outbox WHERE event = 'delivery.recall_stuck'";
                let rows = stage.setting().database.rows(sql).await;
                if rows.iter().any(|row| row[0].contains(&link)) { Ok(()) } else { Err(rows.len()) }
            })
            .await;
            assert_eq!(stage.posts(&outlet).len(), 1);
            stage.world().faults().clear();
            recall(stage, &id).await.unwrap();
            stage.until(&id, DeliveryState::Recalled).await;
            assert!(stage.posts(&outlet).is_empty());
        }
    }

    /// Without a credential nobody is asked and nothing changes; people are told once. With a new one it goes
    /// on at once.
    async fn a_recall_waits_for_its_account(stage) {
        for outlet in stage.both().await {
            let id = published(stage, &outlet, "nobody may delete it").await;
            let database = &stage.setting().database;
            let account = &outlet.id;
            database.execute(&format!("DELETE FROM credentials WHERE account_id = '{account}'")).await;
            let status = format!("UPDATE accounts SET status = 'revoked' WHERE id = '{account}'");
            database.execute(&status).await;
            recall(stage, &id).await.unwrap();
            // Settled, not only claimed: else its rest would begin after the hour that passes below.
            let looks = format!(
                "SELECT CAST(tries AS TEXT) FROM jobs
                 WHERE unique_key = 'recall:{id}' AND state <> 'running'"
            );
            let looked = async |count: i64| {
                eventually("it is seen that it waits", async || {
                    let tries = stage.setting().database.rows(&looks).await;
                    let tries = tries.first().map_or_else(|| "-1".to_owned(), |row| row[0].clone());
                    let shown = stage.show(&id).await.delivery;
                    let waits = shown.recall.as_ref().is_some_and(|it| it.problem.is_some());
                    if waits && tries.parse::<i64>().unwrap() >= count { Ok(shown) } else { Err(tries) }
                })
                .await
            };
            let first = looked(1).await;
            assert_eq!(first.recall.as_ref().unwrap().problem.as_ref().unwrap().code, "recall_waits");
            for round in 2..=3 {
                stage.advance(Duration::from_mins(61));
                let again = looked(round).await;
                assert_eq!((again.version, &again.recall), (first.version, &first.recall));
            }
            assert_eq!(entries(stage, &id, "delivery.recall_stuck").await.len(), 1);
            assert_eq!(stage.posts(&outlet).len(), 1);
            let kind = match outlet.platform {
                Platform::Facebook
                | Platform::Mastodon
                | Platform::Bluesky => "page_token",
                Platform::X => "oauth2",
            };
            let credential = json!({"kind": kind, "access_token": outlet.token});
            let change = serde_json::from_value(json!({"credential": credential})).unwrap();
            accounts::change(stage.acts(), stage.caller(), account, None, change).await.unwrap();
            stage.until(&id, DeliveryState::Recalled).await;
            assert!(stage.posts(&outlet).is_empty());
        }
    }

    /// A hold stops what is to leave. What is out can be taken back all the more.
    async fn no_hold_stops_a_recall(stage) {
        let outlets = stage.both().await;
        let mut ids = Vec::new();
        for outlet in &outlets {
            ids.push(published(stage, outlet, "out before the hold").await);
        }
        let all = serde_json::from_value(json!({"scope": {"all": true}, "reason": "Mourning"}));
        holds::place(stage.acts(), stage.caller(), all.unwrap()).await.unwrap();
        let stopped = stage.deliver(&outlets[0], &Wanted::text("stopped")).await;
        stage.until(&stopped, DeliveryState::Held).await;
        for (id, outlet) in ids.iter().zip(&outlets) {
            recall(stage, id).await.unwrap();
            stage.until(id, DeliveryState::Recalled).await;
            assert!(stage.posts(outlet).is_empty());
        }
        deliveries::cancel(stage.acts(), stage.caller(), &stopped).await.unwrap();
    }

    /// What was taken back was said: the same words go out again only when that is meant.
    async fn the_same_text_is_not_sent_again_unless_that_is_meant(stage) {
        for outlet in stage.both().await {
            let wanted = Wanted::text("said once");
            let id = stage.deliver(&outlet, &wanted).await;
            stage.published(&id).await;
            recall(stage, &id).await.unwrap();
            stage.until(&id, DeliveryState::Recalled).await;
            let again = stage.deliver(&outlet, &wanted).await;
            let refused = stage.until(&again, DeliveryState::Failed).await.delivery;
            assert_eq!(refused.problem.unwrap().code, "same_text_recently");
            assert_eq!(stage.creates(&outlet).len(), 1);
            if outlet.platform == Platform::Facebook {
                let meant = stage.deliver(&outlet, &wanted.clone().repeat()).await;
                stage.published(&meant).await;
            }
        }
    }

    /// Only what is out; the refusal says how it stands and what to do instead.
    async fn what_is_not_out_cannot_be_recalled(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let later = Wanted::text("later").at(after(stage.now(), Duration::from_hours(1)));
        let scheduled = stage.deliver(&outlet, &later).await;
        let blind = on(&outlet, Operation::Read, Kind::ServerError { execute: false });
        stage.world().faults().push(blind.always());
        stage.spoil(&outlet, Kind::DropAfter);
        let doubtful = stage.deliver(&outlet, &Wanted::text("in doubt")).await;
        stage.until(&doubtful, DeliveryState::Unknown).await;
        for (id, state, advice) in
            [(&scheduled, "scheduled", "cancel it"), (&doubtful, "unknown", "as soon as")]
        {
            let Err(Error::Conflict(told)) = recall(stage, id).await else { panic!("{state}") };
            assert_eq!(told.code, "not_published");
            assert!(told.detail.contains(state) && told.detail.contains(advice), "{}", told.detail);
        }
        stage.world().faults().clear();
        stage.published(&doubtful).await;
        recall(stage, &doubtful).await.unwrap();
        stage.until(&doubtful, DeliveryState::Recalled).await;
        deliveries::cancel(stage.acts(), stage.caller(), &scheduled).await.unwrap();
    }
}

staged! {
    with &[
        ("CHANCERY_VERIFY__SPANS", "5m"), ("CHANCERY_VERIFY__PAUSE", "10m"),
        ("CHANCERY_PUBLISH__BACKOFF", "1h"), ("CHANCERY_PUBLISH__BACKOFF_MAX", "1h"),
    ];

    /// What a person wants to be deleted does not count as removed by the platform meanwhile.
    async fn while_a_recall_is_under_way_an_absence_is_no_news(stage) {
        for outlet in stage.both().await {
            beside_another(stage, &outlet);
            stage.spoil(&outlet, Kind::Vanish { ms: 60_000 });
            let id = published(stage, &outlet, "missed once").await;
            stage.advance(Duration::from_mins(6));
            let second = format!("SELECT id FROM jobs WHERE unique_key = 'verify:{id}:again'");
            eventually("it was missed once", async || {
                let rows = stage.setting().database.rows(&second).await;
                if rows.is_empty() { Err("not yet") } else { Ok(()) }
            })
            .await;
            let blind = Kind::ServerError { execute: false };
            for operation in [Operation::Change, Operation::Read] {
                stage.world().faults().push(on(&outlet, operation, blind.clone()));
            }
            recall(stage, &id).await.unwrap();
            in_vain(stage, &id, 1).await;
            stage.advance(Duration::from_mins(11));
            eventually("the second look is over", async || {
                let done = format!("{second} AND state = 'done'");
                let rows = stage.setting().database.rows(&done).await;
                if rows.is_empty() { Err("not yet") } else { Ok(()) }
            })
            .await;
            assert_eq!(stage.show(&id).await.delivery.state, DeliveryState::Published);
            stage.advance(Duration::from_hours(1));
            eventually("it was tried again, and missed", async || {
                let recall = stage.show(&id).await.delivery.recall;
                let problem = recall.and_then(|it| it.problem).map(|it| it.detail);
                let missed = problem.as_ref().is_some_and(|it| it.contains("when it says so again"));
                if missed { Ok(()) } else { Err(format!("{problem:?}")) }
            })
            .await;
            stage.advance(Duration::from_mins(31));
            stage.until(&id, DeliveryState::Recalled).await;
        }
    }

    /// What the platform has removed cannot be recalled, and stays as it is.
    async fn vanished_stays_vanished(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        beside_another(stage, &outlet);
        stage.spoil(&outlet, Kind::Vanish { ms: 60_000 });
        let id = published(stage, &outlet, "vanished").await;
        for _ in 0..2 {
            stage.advance(Duration::from_mins(11));
            pass(Duration::from_millis(700)).await;
        }
        stage.until(&id, DeliveryState::Vanished).await;
        let Err(Error::Conflict(told)) = recall(stage, &id).await else { panic!("vanished") };
        assert!(told.code == "not_published" && told.detail.contains("removed it already"));
        assert_eq!(stage.show(&id).await.delivery.state, DeliveryState::Vanished);
    }
}

both! {
    async fn over_http_a_recall_has_a_reason_a_key_and_its_rights(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Số liệu sai").await;
        let wanted = json!({"deliveries": [{"account_id": desk.page, "language": "vi", "now": true}]});
        let done = world.ask("POST", &schedule_of(&post)).json(&wanted).await.expect(201);
        let delivery = &done["deliveries"][0];
        let place = format!("{}/recall", delivery_of(delivery));
        let body = json!({"reason": "Số liệu sai"});
        becomes(world, delivery, "published").await;
        for (bad, code) in [("", "blank"), ("a\nb", "control_character")] {
            let answer = world.ask("POST", &place).json(&json!({"reason": bad})).await;
            assert_eq!(answer.faults(), [("/reason".to_owned(), code.to_owned())]);
        }
        let elsewhere = world.token(json!({"name": "elsewhere", "accounts": [desk.profile]})).await;
        let token = elsewhere["token"].as_str().unwrap();
        world.ask_as(token, "POST", &place).json(&body).await.problem(404, "not_found");
        let reader = world.token(json!({"name": "reader", "scopes": ["deliveries:read"]})).await;
        let token = reader["token"].as_str().unwrap();
        world.ask_as(token, "POST", &place).json(&body).await.problem(403, "scope_missing");
        let asked = || world.ask("POST", &place).key("recall-1").json(&body);
        let first = asked().await.expect(200);
        assert_eq!((&first["state"], &first["acts"]), (&json!("published"), &json!([])));
        assert_eq!(first["recall"]["reason"], "Số liệu sai");
        let gone = becomes(world, delivery, "recalled").await;
        assert_eq!(gone["recall"]["asked_by"], first["recall"]["asked_by"]);
        let again = asked().await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(200), first);
        let page = &world.seed.accounts()[0].page;
        assert!(world.simulators.world().page_posts(&page.id).is_empty());
        let later = desk.scheduled(world, "Để sau", "2031-09-02T02:00:00Z").await;
        let early = world.ask("POST", &format!("{}/recall", delivery_of(&later))).json(&body).await;
        assert_eq!(early.problem(409, "not_published")["state"], "scheduled");
    }
}
