//! Embargoes of posts and campaigns: nothing of them is out before they end, on whichever way somebody tries.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::correction::CorrectionState;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::{CampaignId, DeliveryId, PostId};
use chancery::service::deliveries::{self, Correcting};
use chancery::service::embargoes::{self, EmbargoSet, Embargoed};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::planning::{Desk, delivery_of, place_of, schedule_of};
use crate::stage::{Stage, Wanted, eventually, pass, staged};
use crate::stops::held_for;
use crate::world::{Answer, World, both};

fn in_minutes(stage: &Stage, minutes: u64) -> Timestamp {
    after(stage.now(), Duration::from_mins(minutes))
}

async fn set(stage: &Stage, subject: Embargoed<'_>, until: Timestamp) -> EmbargoSet {
    let new = json!({"until": until.to_string(), "reason": "Hội đàm chưa kết thúc"});
    let new = serde_json::from_value(new).unwrap();
    embargoes::set(stage.acts(), stage.caller(), subject, new).await.unwrap().value
}

async fn lift(stage: &Stage, subject: Embargoed<'_>) {
    embargoes::lift(stage.acts(), stage.caller(), subject).await.unwrap();
}

/// Puts a post into a campaign that is there in name alone.
async fn join(stage: &Stage, post: &PostId) -> CampaignId {
    let id: CampaignId = format!("camp_{}", "5".repeat(32)).parse().unwrap();
    let unit = "(SELECT unit_id FROM posts LIMIT 1)";
    let now = "(SELECT created_at FROM posts LIMIT 1)";
    stage.setting().database.execute(&format!(
        "INSERT INTO campaigns (id, unit_id, title, first_day, last_day, time_zone, message, hashtags, pillars, guidance,
            units, accounts, version, created_by, created_at, updated_at)
         VALUES ('{id}', {unit}, '{{\"vi\": \"a\", \"en\": \"a\"}}', '2031-01-01', '2031-01-02', 'Asia/Ho_Chi_Minh', '', '[]', '[]', '',
            '[]', '[]', 1, (SELECT created_by FROM posts LIMIT 1), {now}, {now}) ON CONFLICT (id) DO NOTHING"
    )).await;
    let sql = format!("UPDATE posts SET campaign_id = '{id}' WHERE id = '{post}'");
    stage.setting().database.execute(&sql).await;
    id
}

async fn post_of(stage: &Stage, id: &DeliveryId) -> PostId {
    stage.show(id).await.delivery.post_id
}

staged! {
    /// Scheduled before anybody said so: held at its instant, to the embargo's last second, then out by itself, once.
    async fn what_a_post_or_its_campaign_says_after_scheduling_holds_until_its_end(stage) {
        for (number, outlet) in stage.both().await.iter().enumerate() {
            let wanted = Wanted::text("a joint statement").at(in_minutes(stage, 10));
            let id = stage.deliver(outlet, &wanted.publish_by(in_minutes(stage, 240))).await;
            let (post, end) = (post_of(stage, &id).await, in_minutes(stage, 60));
            let stands = if number == 0 {
                set(stage, Embargoed::Post(&post), end).await
            } else {
                let campaign = join(stage, &post).await;
                set(stage, Embargoed::Campaign(&campaign), end).await
            };
            assert_eq!((&stands.stopped[..], stands.stopped_count), (std::slice::from_ref(&id), 1));
            assert_eq!(stands.in_flight, []);
            stage.advance(Duration::from_mins(11));
            let why = held_for(stage, &id, "embargo").await.waits_for.unwrap();
            assert!(why.detail.contains(&end.to_string()), "{why:?}");
            for _ in 0..4 {
                stage.advance(Duration::from_mins(12));
                pass(Duration::from_millis(200)).await;
            }
            assert_eq!(stage.show(&id).await.delivery.state, DeliveryState::Held);
            assert_eq!(stage.creates(outlet), []);
            stage.advance(Duration::from_secs(61));
            stage.published(&id).await;
            assert_eq!(stage.creates(outlet).len(), 1);
        }
    }

    /// What is lifted lets go at once; what is lifted at one place stays bound by the other.
    async fn what_is_lifted_lets_go_unless_something_else_binds_it(stage) {
        let [outlet, _] = stage.both().await;
        let wanted = Wanted::text("bound twice").at(in_minutes(stage, 1));
        let id = stage.deliver(&outlet, &wanted.publish_by(in_minutes(stage, 240))).await;
        let post = post_of(stage, &id).await;
        let campaign = join(stage, &post).await;
        set(stage, Embargoed::Post(&post), in_minutes(stage, 90)).await;
        set(stage, Embargoed::Campaign(&campaign), in_minutes(stage, 60)).await;
        stage.advance(Duration::from_mins(2));
        held_for(stage, &id, "embargo").await;
        lift(stage, Embargoed::Post(&post)).await;
        pass(Duration::from_millis(500)).await;
        held_for(stage, &id, "embargo").await;
        assert_eq!(stage.creates(&outlet), []);
        lift(stage, Embargoed::Campaign(&campaign)).await;
        stage.published(&id).await;
        assert_eq!(stage.creates(&outlet).len(), 1);
    }

    /// New words in what is out are words all the same.
    async fn a_correction_waits_for_the_end(stage) {
        let [outlet, _] = stage.both().await;
        let id = stage.deliver(&outlet, &Wanted::text("the visit begins")).await;
        stage.published(&id).await;
        let post = post_of(stage, &id).await;
        set(stage, Embargoed::Post(&post), in_minutes(stage, 60)).await;
        let wish = Correcting {
            text: "the visit has ended".to_owned(), reason: "r".to_owned(), overwrite: None, intended_repeat: false,
        };
        deliveries::correct(stage.acts(), stage.caller(), &id, wish).await.unwrap();
        let stands = async || stage.show(&id).await.delivery.correction.unwrap();
        eventually("the correction waits", async || {
            let it = stands().await;
            let waits = it.problem.as_ref().is_some_and(|it| it.detail.contains("embargo"));
            if waits { Ok(()) } else { Err(format!("{it:?}")) }
        })
        .await;
        for _ in 0..4 {
            stage.advance(Duration::from_mins(14));
            pass(Duration::from_millis(200)).await;
        }
        assert!(stage.posts(&outlet)[0].text.contains("the visit begins"));
        stage.advance(Duration::from_mins(10));
        eventually("it is corrected", async || {
            let it = stands().await;
            if it.state == CorrectionState::Done { Ok(()) } else { Err(format!("{it:?}")) }
        })
        .await;
        assert_eq!(stage.posts(&outlet)[0].text, "the visit has ended");
    }
}

staged! {
    with &[("CHANCERY_PUBLISH__LOOKAHEAD", "3s"), ("CHANCERY_PUBLISH__LEASE", "7s")];

    /// The bytes wait at the gate when somebody says that it is too early: they are taken back before he is answered.
    async fn what_waits_at_the_gate_is_taken_back(stage) {
        for outlet in stage.both().await {
            let due = after(stage.now(), Duration::from_millis(2_500));
            let wanted = Wanted::text("at the gate").at(due);
            let id = stage.deliver(&outlet, &wanted.publish_by(in_minutes(stage, 240))).await;
            stage.until(&id, DeliveryState::Publishing).await;
            let post = post_of(stage, &id).await;
            let stands = set(stage, Embargoed::Post(&post), in_minutes(stage, 60)).await;
            assert_eq!(stands.in_flight, []);
            stage.advance(Duration::from_secs(5));
            held_for(stage, &id, "embargo").await;
            assert_eq!(stage.creates(&outlet), []);
            stage.advance(Duration::from_mins(61));
            stage.published(&id).await;
        }
    }
}

const UNTIL: &str = "2031-09-02T02:00:00Z";

async fn embargo(world: &World, token: &str, place: &str, until: &str) -> Answer {
    let new = json!({"until": until, "reason": "Hội đàm chưa kết thúc"});
    world.ask_as(token, "PUT", &format!("{place}/embargo")).json(&new).await
}

fn one(pointer: &str, code: &str) -> Vec<(String, String)> {
    vec![(pointer.to_owned(), code.to_owned())]
}

async fn campaign(world: &World, unit: &str, title: &str) -> Value {
    let campaign = json!({
        "unit_id": unit, "title": {"vi": title, "en": title}, "period": {"from": "2031-08-15", "to": "2031-09-03"},
    });
    world.ask("POST", "/api/v1/campaigns").json(&campaign).await.expect(201)
}

fn campaign_place(campaign: &Value) -> String {
    format!("/api/v1/campaigns/{}", campaign["id"].as_str().unwrap())
}

async fn officer(world: &World, unit: &str, role: &str) -> String {
    let person = json!({
        "email": format!("{role}@mofa.example"), "name": role, "roles": [{"unit_id": unit, "role": role}],
    });
    let person = world.ask("POST", "/api/v1/people").json(&person).await.expect(201);
    let token = world.token(json!({"name": role, "person_id": person["id"]})).await;
    token["token"].as_str().unwrap().to_owned()
}

both! {
    async fn nothing_is_scheduled_or_moved_before_its_end(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Thông cáo chung").await;
        let stands = embargo(world, &world.admin, &place_of(&post), UNTIL).await.expect(200);
        assert_eq!((&stands["embargo"]["until"], &stands["stopped_count"]), (&json!(UNTIL), &json!(0)));
        let at = |at: &str| json!({"deliveries": [{"account_id": desk.page, "language": "vi", "at": at}]});
        let ask = async |when: &str| world.ask("POST", &schedule_of(&post)).json(&at(when)).await;
        let refused = ask("2031-09-02T01:59:59Z").await;
        assert_eq!(refused.faults(), one("/deliveries/0", "embargoed"));
        let vi = world.ask("POST", &schedule_of(&post)).header("accept-language", "vi");
        let vi = vi.json(&at("2031-09-02T01:00:00Z")).await.json();
        assert!(vi["errors"][0]["detail"].as_str().unwrap().contains(UNTIL), "{vi}");
        let check = json!({"post_id": post["id"], "deliveries": at("2031-09-02T01:00:00Z")["deliveries"]});
        let report = world.ask("POST", "/api/v1/posts/check").json(&check).await.expect(200);
        assert_eq!((&report["ok"], &report["errors"][0]["code"]), (&json!(false), &json!("embargoed")));
        let done = ask(UNTIL).await.expect(201);
        let delivery = &done["deliveries"][0];
        let place = format!("{}/reschedule", delivery_of(delivery));
        let early = world.ask("POST", &place).seen("*").json(&json!({"at": "2031-09-02T01:59:59Z"})).await;
        assert_eq!(early.faults(), one("/at", "embargoed"));
        world.ask("POST", &place).seen("*").json(&json!({"at": "2031-09-02T03:00:00Z"})).await.expect(200);
        // Nor after a hold was lifted.
        world.change(&format!(
            "UPDATE deliveries SET state = 'held', waits_for = '{{\"code\": \"review\", \"detail\": \"x\"}}' WHERE id = {}",
            delivery["id"].to_string().replace('"', "'")
        )).await;
        let review = json!({"deliveries": [{"id": delivery["id"], "act": "reschedule", "at": "2031-09-02T01:00:00Z"}]});
        let review = world.ask("POST", "/api/v1/deliveries/review").json(&review).await;
        assert_eq!(review.faults(), one("/deliveries/0", "embargoed"));
        // What is over, endless or without a reason is no embargo.
        for (until, found) in [("2020-01-01T00:00:00Z", "embargo_over"), ("2099-01-01T00:00:00Z", "embargo_long")] {
            assert_eq!(embargo(world, &world.admin, &place_of(&post), until).await.faults(), one("/until", found));
        }
        let bare = world.ask("PUT", &format!("{}/embargo", place_of(&post))).json(&json!({"until": UNTIL})).await;
        assert_eq!(bare.faults(), one("/reason", "missing"));
    }

    async fn who_writes_prolongs_and_who_publishes_shortens(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Thông cáo chung").await;
        let [author, publisher] =
            [officer(world, &desk.unit, "author").await, officer(world, &desk.unit, "publisher").await];
        let place = place_of(&post);
        let later = "2031-09-03T02:00:00Z";
        embargo(world, &author, &place, UNTIL).await.expect(200);
        embargo(world, &author, &place, later).await.expect(200);
        embargo(world, &author, &place, UNTIL).await.problem(403, "needs_role");
        let lift = async |token: &str| world.ask_as(token, "DELETE", &format!("{place}/embargo")).send().await;
        lift(&author).await.problem(403, "needs_role");
        let seen = world.ask_as(&author, "GET", &format!("{place}/embargo")).send().await.expect(200);
        assert_eq!((&seen["own"]["until"], seen["binding"].as_array().unwrap().len()), (&json!(later), 1));
        assert_eq!(seen["binding"][0]["reason"], "Hội đàm chưa kết thúc");
        embargo(world, &publisher, &place, UNTIL).await.expect(200);
        assert_eq!(lift(&publisher).await.status, 204);
        assert_eq!(lift(&publisher).await.status, 204, "once more is no harm");
        let seen = world.ask_as(&author, "GET", &format!("{place}/embargo")).send().await.expect(200);
        assert_eq!(seen, json!({"own": null, "binding": []}));
        let audit = world.ask("GET", "/api/v1/audit?limit=200").send().await.expect(200);
        let acts = audit["items"].as_array().unwrap().iter();
        let acts: Vec<&str> =
            acts.map(|it| it["action"].as_str().unwrap()).filter(|it| it.starts_with("embargo.")).collect();
        assert_eq!(acts, ["embargo.lift", "embargo.set", "embargo.set", "embargo.set"]);
    }

    async fn a_post_does_not_leave_it_by_leaving_its_campaign_or_by_being_copied(world) {
        let desk = Desk::open(world).await;
        let [bound, free] =
            [campaign(world, &desk.unit, "Thăm cấp Nhà nước").await, campaign(world, &desk.unit, "Khác").await];
        let mut draft = desk.draft();
        draft["campaign_id"] = bound["id"].clone();
        let post = world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
        embargo(world, &world.admin, &campaign_place(&bound), UNTIL).await.expect(200);
        let to = async |campaign: &Value| {
            let change = json!({"campaign_id": campaign});
            world.ask("PATCH", &place_of(&post)).seen("*").json(&change).await
        };
        for campaign in [&json!(null), &free["id"]] {
            assert_eq!(to(campaign).await.faults(), one("/campaign_id", "leaves_embargo"));
        }
        // Last year's campaign made again has the same words.
        let clone = world.ask("POST", &format!("{}/clone", campaign_place(&bound)));
        let clone = clone.json(&json!({"from": "2032-08-15"})).await.expect(201);
        let copy = format!("/api/v1/posts/{}", clone["posts"][0].as_str().unwrap());
        let seen = world.ask("GET", &format!("{copy}/embargo")).send().await.expect(200);
        assert_eq!((&seen["own"]["until"], &seen["own"]["reason"]), (&json!(UNTIL), &json!("Hội đàm chưa kết thúc")));
        // With one of its own that is as long it may go.
        embargo(world, &world.admin, &place_of(&post), "2031-09-02T01:00:00Z").await.expect(200);
        assert_eq!(to(&json!(null)).await.faults(), one("/campaign_id", "leaves_embargo"));
        embargo(world, &world.admin, &place_of(&post), UNTIL).await.expect(200);
        to(&json!(null)).await.expect(200);
        to(&bound["id"]).await.expect(200);
        // And once the campaign's is over.
        let [post_place, campaign_place] = [place_of(&post), campaign_place(&bound)];
        for place in [post_place, campaign_place] {
            assert_eq!(world.ask("DELETE", &format!("{place}/embargo")).send().await.status, 204);
        }
        to(&json!(null)).await.expect(200);
    }

    async fn a_units_copy_is_bound_by_what_it_is_a_copy_of(world) {
        let desk = Desk::open(world).await;
        let bound = campaign(world, &desk.unit, "Quốc khánh").await;
        let mut draft = desk.draft();
        draft["campaign_id"] = bound["id"].clone();
        let source = world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
        let mission = world.unit().await;
        let kit = json!({"post_id": source["id"], "units": [mission["id"]], "fields": {}});
        world.ask("POST", &format!("{}/kits", campaign_place(&bound))).json(&kit).await.expect(201);
        let own = officer(world, mission["id"].as_str().unwrap(), "publisher").await;
        let offers = world.ask_as(&own, "GET", "/api/v1/offers").send().await.expect(200);
        let accept = format!("/api/v1/offers/{}/accept", offers["items"][0]["id"].as_str().unwrap());
        let taken = world.ask_as(&own, "POST", &accept).json(&json!({"revision": source["revision"]})).await.expect(200);
        let copy = format!("/api/v1/posts/{}", taken["post_id"].as_str().unwrap());
        embargo(world, &world.admin, &place_of(&source), UNTIL).await.expect(200);
        let seen = world.ask_as(&own, "GET", &format!("{copy}/embargo")).send().await.expect(200);
        assert_eq!((&seen["own"], &seen["binding"][0]["subject_id"]), (&json!(null), &source["id"]));
        let page = world.page_of(1, &mission);
        let account = crate::planning::account(world, page).await;
        let wanted = json!({"deliveries": [{"account_id": account, "language": "vi", "at": "2031-09-02T01:00:00Z"}]});
        let refused = world.ask_as(&own, "POST", &format!("{copy}/deliveries")).json(&wanted).await;
        assert_eq!(refused.faults(), one("/deliveries/0", "embargoed"));
        // The mission cannot lift it where it was not set.
        assert_eq!(world.ask_as(&own, "DELETE", &format!("{copy}/embargo")).send().await.status, 204);
        let refused = world.ask_as(&own, "POST", &format!("{copy}/deliveries")).json(&wanted).await;
        assert_eq!(refused.faults(), one("/deliveries/0", "embargoed"));
    }
}
