//! Holds through the front door: who may place, see and lift them, and what is told when something
//! is wrong.

use serde_json::{Value, json};

use crate::deliveries::becomes;
use crate::planning::{Desk, account, delivery_of, schedule_of};
use crate::world::{Answer, World, both};

const FAR: &str = "2031-09-02T02:00:00Z";

async fn place(world: &World, body: &Value) -> Answer {
    world.ask("POST", "/api/v1/holds").json(body).await
}

fn place_of(hold: &Value) -> String {
    format!("/api/v1/holds/{}", hold["id"].as_str().unwrap())
}

async fn lift(world: &World, token: &str, hold: &Value) -> Answer {
    world.ask_as(token, "POST", &format!("{}/lift", place_of(hold))).send().await
}

/// A token of another person.
async fn colleague(world: &World) -> String {
    world.colleague("binh.tran@mofa.example").await
}

both! {
    async fn a_hold_is_placed_shown_listed_and_lifted(world) {
        let desk = Desk::open(world).await;
        let body = json!({
            "scope": {"unit_id": desk.unit}, "except": ["urgent"], "reason": "Quốc tang",
            "ends_at": "2031-09-02T09:00:00+07:00",
        });
        let asked = || world.ask("POST", "/api/v1/holds").key("stop-1").json(&body);
        let made = asked().await;
        assert_eq!(made.header("etag"), "\"1\"");
        let place = made.header("location").to_owned();
        let made = made.expect(201);
        let hold = &made["hold"];
        assert_eq!((&made["in_flight"], &hold["state"]), (&json!([]), &json!("active")));
        assert_eq!((&hold["scope"], &hold["lift_needs"]), (&body["scope"], &json!(1)));
        assert_eq!((&hold["except"], &hold["ends_at"]), (&json!(["urgent"]), &json!(FAR)));
        let again = asked().await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(201), made);
        let other = json!({"scope": {"all": true}, "reason": "Khác"});
        let mixed = world.ask("POST", "/api/v1/holds").key("stop-1").json(&other).await;
        mixed.problem(422, "idempotency_mismatch");

        let shown = world.ask("GET", &place).send().await;
        assert_eq!(shown.header("etag"), "\"1\"");
        assert_eq!(&shown.expect(200), hold);
        let list = async |state: &str| {
            let path = format!("/api/v1/holds?state={state}");
            world.ask("GET", &path).send().await.expect(200)["items"].clone()
        };
        assert_eq!((list("active").await, list("lifted").await), (json!([hold]), json!([])));
        let lifting = || world.ask("POST", &format!("{place}/lift")).key("lift-1").send();
        let lifted = lifting().await;
        assert_eq!(lifted.header("etag"), "\"2\"");
        let lifted = lifted.expect(200);
        assert_eq!(lifted["state"], "lifted");
        assert_eq!(lifting().await.expect(200), lifted, "a repetition is no second lift");
        assert_eq!((list("active").await, list("lifted").await), (json!([]), json!([lifted])));
        cannot_be_lifted(world, &lifted).await;
        let nobody = "/api/v1/holds/hold_00000000000000000000000000000000";
        world.ask("GET", nobody).send().await.problem(404, "not_found");
        world.ask("POST", &format!("{nobody}/lift")).send().await.problem(404, "not_found");
    }

    async fn two_people_lift_what_needs_two(world) {
        let second = colleague(world).await;
        let body = json!({"scope": {"all": true}, "reason": "Khủng hoảng", "lift_needs": 2});
        let hold = place(world, &body).await.expect(201)["hold"].clone();
        let once = lift(world, &world.admin, &hold).await.expect(200);
        assert_eq!((&once["state"], once["lifts"].as_array().unwrap().len()), (&json!("active"), 1));
        lift(world, &world.admin, &hold).await.problem(409, "lift_needs_another");
        let twice = lift(world, &second, &hold).await.expect(200);
        assert_eq!((&twice["state"], twice["lifts"].as_array().unwrap().len()), (&json!("lifted"), 2));
        assert!(twice["lifted_at"].is_string());
        lift(world, &second, &hold).await.problem(409, "hold_over");
    }

    /// A token with this one right can be made by an administrator for somebody else: he would be both.
    async fn what_needs_two_people_needs_two_administrators(world) {
        let officer = colleague(world).await;
        let own = world.ask_as(&officer, "POST", "/api/v1/tokens").json(&json!({"name": "own"})).await;
        let made = format!("/api/v1/tokens/{}", own.expect(201)["id"].as_str().unwrap());
        let person = world.ask("GET", &made).send().await.expect(200)["person_id"].clone();
        world.change("UPDATE people SET administrator = false WHERE email = 'binh.tran@mofa.example'").await;
        let unit = world.unit().await;
        world.appoint("binh.tran@mofa.example", &unit, "publisher").await;
        let body = json!({"name": "stops", "person_id": person, "scopes": ["holds:read", "holds:write"]});
        let stops = world.token(body).await["token"].as_str().unwrap().to_owned();
        let body = json!({"scope": {"all": true}, "reason": "Khủng hoảng", "lift_needs": 2});
        let hold = place(world, &body).await.expect(201)["hold"].clone();
        lift(world, &world.admin, &hold).await.expect(200);
        lift(world, &stops, &hold).await.problem(403, "needs_administrator");
        let shown = world.ask("GET", &place_of(&hold)).send().await.expect(200);
        assert_eq!((&shown["state"], shown["lifts"].as_array().unwrap().len()), (&json!("active"), 1));
        // What one person may lift he lifts, where he has a role.
        let body = json!({"scope": {"unit_id": unit["id"]}, "reason": "Tạm ngừng"});
        let hold = place(world, &body).await.expect(201)["hold"].clone();
        // Whom the ministry has stopped does not go on by himself.
        lift(world, &stops, &hold).await.problem(403, "needs_administrator");
        let own = world.ask_as(&stops, "POST", "/api/v1/holds").json(&body).await;
        let own = own.expect(201)["hold"].clone();
        assert_eq!(lift(world, &stops, &own).await.expect(200)["state"], "lifted");
    }

    async fn everything_that_is_wrong_is_told_at_once(world) {
        let bad = json!({
            "scope": {"all": true, "class": "urgent"}, "reason": " ", "lift_needs": 3,
            "except": ["urgent", "urgent"], "ends_at": "2001-01-01T00:00:00Z",
        });
        let wanted = [
            ("/ends_at", "ends_in_the_past"),
            ("/except/1", "repeated"),
            ("/lift_needs", "lift_needs_one_or_two"),
            ("/reason", "blank"),
            ("/scope", "one_scope"),
        ];
        let wanted = wanted.map(|(pointer, code)| (pointer.to_owned(), code.to_owned()));
        assert_eq!(place(world, &bad).await.faults(), wanted);
        let fault = async |scope: Value| {
            let body = json!({"scope": scope, "reason": "r"});
            let [fault] = place(world, &body).await.faults().try_into().unwrap();
            fault
        };
        let unit = json!({"unit_id": "unit_00000000000000000000000000000000"});
        assert_eq!(fault(unit).await, ("/scope/unit_id".into(), "unknown_reference".into()));
        let account = json!({"account_id": "acct_00000000000000000000000000000000"});
        assert_eq!(fault(account).await, ("/scope/account_id".into(), "unknown_reference".into()));
        let platform = json!({"platform": "nowhere"});
        assert_eq!(fault(platform).await, ("/scope/platform".into(), "unknown_reference".into()));
        let campaign = json!({"campaign_id": "no campaign"});
        assert_eq!(fault(campaign).await, ("/scope/campaign_id".into(), "bad_campaign".into()));
        assert_eq!(fault(json!({"all": false})).await, ("/scope".into(), "one_scope".into()));
        assert_eq!(fault(json!({})).await, ("/scope".into(), "one_scope".into()));
        let listed = world.ask("GET", "/api/v1/holds").send().await.expect(200);
        assert_eq!(listed["items"], json!([]), "nothing of it was placed");
    }

    async fn only_who_may_stop_something_stops_it(world) {
        let desk = Desk::open(world).await;
        let unit = world.unit().await;
        let other = account(world, world.page_of(1, &unit)).await;
        let token = async |body: Value| -> String {
            world.token(body).await["token"].as_str().unwrap().to_owned()
        };
        let reader = token(json!({"name": "reads", "scopes": ["holds:read"]})).await;
        let own = json!({"name": "own", "accounts": [desk.page]});
        let own = token(own).await;
        let all = json!({"scope": {"all": true}, "reason": "r"});
        let ask = async |token: &str, body: &Value| {
            world.ask_as(token, "POST", "/api/v1/holds").json(body).await
        };
        ask(&reader, &all).await.problem(403, "scope_missing");
        ask(&own, &all).await.problem(403, "token_limited");
        let theirs = json!({"scope": {"account_id": other}, "reason": "r"});
        let hidden = ask(&own, &theirs).await.faults();
        assert_eq!(hidden, [("/scope/account_id".to_owned(), "unknown_reference".to_owned())]);
        let mine = json!({"scope": {"account_id": desk.page}, "reason": "r"});
        let mine = ask(&own, &mine).await.expect(201)["hold"].clone();
        let theirs = place(world, &theirs).await.expect(201)["hold"].clone();
        let all = place(world, &all).await.expect(201)["hold"].clone();
        world.ask_as(&own, "GET", &place_of(&theirs)).send().await.problem(404, "not_found");
        lift(world, &own, &theirs).await.problem(404, "not_found");
        lift(world, &own, &all).await.problem(403, "token_limited");
        lift(world, &reader, &mine).await.problem(403, "scope_missing");
        let seen = world.ask_as(&own, "GET", "/api/v1/holds").send().await.expect(200);
        let ids: Vec<&Value> = seen["items"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
        assert_eq!(ids, [&all["id"], &mine["id"]], "what stops its account, and nothing else");
        lift(world, &own, &mine).await.expect(200);
    }

    async fn a_review_is_all_or_nothing(world) {
        let desk = Desk::open(world).await;
        let scope = json!({"scope": {"all": true}, "reason": "r"});
        let hold = place(world, &scope).await.expect(201)["hold"].clone();
        let post = desk.post(world, "Bị giữ").await;
        let now = json!({"deliveries": [{"account_id": desk.page, "language": "vi", "now": true}]});
        let made = world.ask("POST", &schedule_of(&post)).json(&now).await.expect(201);
        let stopped = &made["deliveries"][0];
        let far = desk.scheduled(world, "Chưa đến giờ", FAR).await;
        becomes(world, stopped, "held").await;
        lift(world, &world.admin, &hold).await.expect(200);
        let place = format!("/api/v1/deliveries?state=held&hold_id={}", hold["id"].as_str().unwrap());
        let listed = world.ask("GET", &place).send().await.expect(200);
        assert_eq!(listed["items"][0]["id"], stopped["id"]);
        let review = async |body: Value| {
            world.ask("POST", "/api/v1/deliveries/review").json(&json!({"deliveries": body})).await
        };
        let nobody = "dlv_00000000000000000000000000000000";
        let bad = json!([
            {"id": stopped["id"], "act": "drop"},
            {"id": far["id"], "act": "release"},
            {"id": nobody, "act": "drop"},
            {"id": stopped["id"], "act": "release", "now": true},
            {"id": stopped["id"], "act": "reschedule", "at": "tomorrow"},
        ]);
        let wanted = [
            ("/deliveries/1/id", "not_in_review"),
            ("/deliveries/2/id", "unknown_reference"),
            ("/deliveries/3/act", "act_takes_no_time"),
            ("/deliveries/3/id", "repeated"),
            ("/deliveries/4/at", "bad_instant"),
            ("/deliveries/4/id", "repeated"),
        ];
        let wanted = wanted.map(|(pointer, code)| (pointer.to_owned(), code.to_owned()));
        assert_eq!(review(bad).await.faults(), wanted);
        review(json!([])).await.problem(422, "validation");
        let still = world.ask("GET", &delivery_of(stopped)).send().await.expect(200);
        assert_eq!(still["state"], "held", "nothing was done");
        let done = review(json!([{"id": stopped["id"], "act": "drop"}])).await.expect(200);
        assert_eq!(done["deliveries"][0]["state"], "cancelled");
        let again = review(json!([{"id": stopped["id"], "act": "drop"}])).await.faults();
        assert_eq!(again, [("/deliveries/0/id".to_owned(), "not_in_review".to_owned())]);
    }
}

/// What is over cannot be lifted again.
async fn cannot_be_lifted(world: &World, hold: &Value) {
    lift(world, &world.admin, hold).await.problem(409, "hold_over");
}
