//! The terms of media: what is under embargo never leaves early, whenever that is said; what has no
//! licence any more does not leave at all; who is not named is warned about.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::MediaId;
use chancery::service::terms::{self, TermsSet};
use chancery::service::{Error, deliveries, media};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::media::png;
use crate::planning::{Desk, schedule_of};
use crate::stage::{Stage, Wanted, eventually, pass, staged};
use crate::stops::held_for;
use crate::world::both;

async fn set(stage: &Stage, media: &MediaId, new: Value) -> TermsSet {
    let new = serde_json::from_value(new).unwrap();
    terms::set(stage.acts(), stage.caller(), media, new).await.unwrap().value
}

fn until(at: Timestamp) -> Value {
    json!({"embargo_until": at.to_string()})
}

fn in_minutes(stage: &Stage, minutes: u64) -> Timestamp {
    after(stage.now(), Duration::from_mins(minutes))
}

staged! {
    /// Scheduled before anybody said so. It is held at its instant, stays so to the embargo's last
    /// second, and then goes out by itself, once.
    async fn an_embargo_that_is_said_after_scheduling_holds_until_its_end(stage) {
        for outlet in stage.both().await {
            let (picture, _) = stage.picture(1).await;
            let due = in_minutes(stage, 10);
            let wanted = Wanted::text("a state visit").picture(&picture, "Hai lá cờ").at(due);
            let wanted = wanted.publish_by(in_minutes(stage, 240));
            let id = stage.deliver(&outlet, &wanted).await;
            let end = in_minutes(stage, 60);
            let stands = set(stage, &picture, until(end)).await;
            assert_eq!((&stands.stopped[..], stands.stopped_count), (std::slice::from_ref(&id), 1));
            assert_eq!(stands.in_flight, []);
            stage.advance(Duration::from_mins(11));
            let shown = held_for(stage, &id, "embargo").await;
            let why = shown.waits_for.unwrap();
            assert!(why.detail.contains(&end.to_string()), "{why:?}");
            for _ in 0..4 {
                stage.advance(Duration::from_mins(12));
                pass(Duration::from_millis(200)).await;
            }
            assert_eq!(stage.show(&id).await.delivery.state, DeliveryState::Held);
            assert_eq!(stage.creates(&outlet), []);
            stage.advance(Duration::from_secs(61));
            stage.published(&id).await;
            let creates = stage.creates(&outlet);
            assert_eq!(creates.len(), 1);
            assert!(creates[0].at >= end, "{} is before {end}", creates[0].at);
        }
    }

    /// The embargo is taken away while it holds something: that goes out at once. One that outlasts the
    /// latest useful time ends as missed, never as published.
    async fn an_embargo_that_is_lifted_lets_go_and_one_that_stays_outlasts_it(stage) {
        for outlet in stage.both().await {
            let (picture, _) = stage.picture(2).await;
            let far = in_minutes(stage, 600);
            let due = in_minutes(stage, 1);
            let wanted = Wanted::text("lifted").picture(&picture, "x").at(due);
            let lifted = stage.deliver(&outlet, &wanted.publish_by(in_minutes(stage, 240))).await;
            let by = in_minutes(stage, 30);
            let wanted = Wanted::text("too long").picture(&picture, "x").at(due).publish_by(by);
            let [other, _] = stage.both().await;
            let missed = stage.deliver(&other, &wanted).await;
            set(stage, &picture, until(far)).await;
            stage.advance(Duration::from_secs(61));
            held_for(stage, &lifted, "embargo").await;
            held_for(stage, &missed, "embargo").await;
            stage.advance(Duration::from_mins(31));
            stage.until(&missed, DeliveryState::Missed).await;
            set(stage, &picture, json!({"credit": "TTXVN"})).await;
            stage.published(&lifted).await;
            assert_eq!((stage.creates(&outlet).len(), stage.creates(&other).len()), (1, 0));
        }
    }

    /// Nothing mends it by itself; a person who says that it was prolonged does.
    async fn what_has_no_licence_any_more_waits_for_a_person(stage) {
        let [outlet, _] = stage.both().await;
        let (picture, _) = stage.picture(3).await;
        let due = in_minutes(stage, 5);
        let wanted = Wanted::text("licensed").picture(&picture, "x").at(due);
        let id = stage.deliver(&outlet, &wanted.publish_by(in_minutes(stage, 240))).await;
        let end = json!({"licence": "AFP", "licensed_until": in_minutes(stage, 3).to_string()});
        assert_eq!(set(stage, &picture, end).await.stopped, std::slice::from_ref(&id));
        stage.advance(Duration::from_mins(6));
        held_for(stage, &id, "licence").await;
        for _ in 0..3 {
            stage.advance(Duration::from_mins(10));
            pass(Duration::from_millis(200)).await;
        }
        assert_eq!(stage.creates(&outlet), []);
        let end = json!({"licence": "AFP", "licensed_until": in_minutes(stage, 600).to_string()});
        set(stage, &picture, end).await;
        stage.published(&id).await;
    }

    /// The picture of a later part holds the whole thread back, not its end.
    async fn a_thread_does_not_begin_before_its_last_picture_may_be_shown(stage) {
        let [_, outlet] = stage.both().await;
        let (picture, _) = stage.picture(4).await;
        let variant = json!({
            "language": "en", "text": "A thread whose end is under embargo [terms]", "media": [],
            "thread": [{"text": "Its end [terms]",
                        "media": [{"media_id": picture, "alt": "x"}]}],
        });
        let post = stage.post("routine", &[variant]).await;
        let by = in_minutes(stage, 300).to_string();
        let wanted = json!({"account_id": outlet.id, "language": "en", "publish_by": by,
                            "at": in_minutes(stage, 2).to_string()});
        let parts = stage.schedule(&post, &[wanted]).await;
        set(stage, &picture, until(in_minutes(stage, 30))).await;
        stage.advance(Duration::from_mins(3));
        held_for(stage, &parts[0], "embargo").await;
        assert_eq!(stage.creates(&outlet), []);
        stage.advance(Duration::from_mins(30));
        for part in &parts {
            stage.published(part).await;
        }
    }

    /// A delivery cannot be moved into an embargo, and the same file under another id has its terms.
    async fn an_embargo_is_the_contents_and_nothing_is_moved_into_it(stage) {
        let [outlet, _] = stage.both().await;
        let (picture, _) = stage.picture(5).await;
        set(stage, &picture, until(in_minutes(stage, 60))).await;
        let (again, _) = stage.picture(5).await;
        assert_ne!(again, picture);
        let shown = media::show(stage.acts(), stage.caller(), &again).await.unwrap();
        assert!(shown.terms.unwrap().embargo_until.is_some());
        let wanted = Wanted::text("moved").picture(&again, "x");
        let post = stage.write(&wanted).await;
        let early = wanted.clone().at(in_minutes(stage, 30)).delivery(&outlet);
        let refused = stage.try_schedule(&post, &[early]).await;
        assert!(matches!(&refused, Err(Error::Invalid(all)) if all[0].code == "media_embargoed"), "{refused:?}");
        let late = wanted.at(in_minutes(stage, 90)).delivery(&outlet);
        let id = stage.schedule(&post, &[late]).await.remove(0);
        let to = json!({"at": in_minutes(stage, 59).to_string()});
        let to = serde_json::from_value(to).unwrap();
        let refused = deliveries::reschedule(stage.acts(), stage.caller(), &id, None, to).await;
        assert!(matches!(&refused, Err(Error::Invalid(all)) if all[0].code == "media_embargoed"));
        let to = json!({"at": in_minutes(stage, 61).to_string()});
        let to = serde_json::from_value(to).unwrap();
        deliveries::reschedule(stage.acts(), stage.caller(), &id, None, to).await.unwrap();
        stage.advance(Duration::from_mins(62));
        stage.published(&id).await;
    }
}

staged! {
    with &[("CHANCERY_PUBLISH__LOOKAHEAD", "3s"), ("CHANCERY_PUBLISH__LEASE", "7s")];

    /// The bytes wait at the gate when somebody says that the picture is not free yet: they are taken
    /// back before he is answered.
    async fn what_waits_at_the_gate_is_taken_back(stage) {
        for outlet in stage.both().await {
            let (picture, _) = stage.picture(6).await;
            let due = after(stage.now(), Duration::from_millis(2_500));
            let wanted = Wanted::text("at the gate").picture(&picture, "x").at(due);
            let id = stage.deliver(&outlet, &wanted.publish_by(in_minutes(stage, 240))).await;
            stage.until(&id, DeliveryState::Publishing).await;
            let stands = set(stage, &picture, until(in_minutes(stage, 60))).await;
            assert_eq!(stands.in_flight, []);
            stage.advance(Duration::from_secs(5));
            held_for(stage, &id, "embargo").await;
            assert_eq!(stage.creates(&outlet), []);
            stage.advance(Duration::from_mins(61));
            stage.published(&id).await;
            eventually("one create", async || {
                let count = stage.creates(&outlet).len();
                if count == 1 { Ok(()) } else { Err(count) }
            })
            .await;
        }
    }
}

both! {
    async fn the_check_and_the_schedule_refuse_what_may_not_be_shown(world) {
        let desk = Desk::open(world).await;
        let media = world.ask("POST", "/api/v1/media").body("image/png", png(21, 22)).await.expect(201);
        assert_eq!(media["terms"], Value::Null);
        let place = format!("/api/v1/media/{}", media["id"].as_str().unwrap());
        let terms_at = format!("{place}/terms");
        let new = json!({
            "licence": "CC BY 4.0", "credit": "TTXVN / Dương Giang",
            "embargo_until": "2031-09-02T02:00:00Z", "licensed_until": "2031-12-31T00:00:00Z",
        });
        let stands = world.ask("PUT", &terms_at).json(&new).await.expect(200);
        assert_eq!((&stands["terms"], &stands["stopped"]), (&new, &json!([])));
        assert_eq!(world.ask("GET", &place).send().await.expect(200)["terms"], new);
        let list = world.ask("GET", "/api/v1/media").send().await.expect(200);
        assert_eq!(list["items"][0]["terms"], new);

        let mut draft = desk.draft();
        draft["variants"][0]["media"] = json!([{"media_id": media["id"], "alt": "Cờ"}]);
        let post = world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
        let at = |at: &str| json!([{"account_id": desk.page, "language": "vi", "at": at}]);
        for (instant, code) in [
            ("2031-09-02T01:59:59Z", Some("media_embargoed")),
            ("2031-09-02T02:00:00Z", None),
            ("2031-12-31T00:00:00Z", Some("media_licence_ended")),
        ] {
            let wanted = json!({"post_id": post["id"], "deliveries": at(instant)});
            let report = world.ask("POST", "/api/v1/posts/check").json(&wanted).await.expect(200);
            let codes: Vec<_> = report["errors"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect();
            assert_eq!(codes, Vec::from_iter(code), "{instant}: {report}");
            let warned = report["warnings"].as_array().unwrap().iter().any(|it| it["code"] == "credit_missing");
            assert!(warned, "{report}");
            let wanted = json!({"deliveries": at(instant)});
            let answer = world.ask("POST", &schedule_of(&post)).json(&wanted).await;
            match code {
                Some(code) => assert_eq!(answer.faults()[0].1, code),
                None => assert_eq!(answer.expect(201)["deliveries"].as_array().unwrap().len(), 1),
            }
        }
        // Somebody who is named is not warned about.
        draft["variants"][0]["text"] = json!("Quốc khánh. Ảnh: TTXVN / Dương Giang");
        let wanted = json!({"post": draft, "deliveries": at("2031-10-02T02:00:00Z")});
        let report = world.ask("POST", "/api/v1/posts/check").json(&wanted).await.expect(200);
        let warned = report["warnings"].as_array().unwrap().iter().any(|it| it["code"] == "credit_missing");
        assert!(!warned, "{report}");

        let never = json!({"licence": "", "embargo_until": "2031-09-02T02:00:00Z", "licensed_until": "2031-09-01T02:00:00Z"});
        let faults = world.ask("PUT", &terms_at).json(&never).await.faults();
        let codes: Vec<_> = faults.iter().map(|it| it.1.as_str()).collect();
        assert_eq!(codes, ["blank", "never_shown"]);
        let unknown = format!("/api/v1/media/{}/terms", "med_01jzzzzzzzzzzzzzzzzzzzzzzz");
        assert!([404, 422].contains(&world.ask("PUT", &unknown).json(&json!({})).await.status));
        // In the place of all that was said before.
        world.ask("PUT", &terms_at).json(&json!({})).await.expect(200);
        let after = world.ask("GET", &place).send().await.expect(200);
        assert_eq!(after["terms"]["embargo_until"], Value::Null);
    }
}
