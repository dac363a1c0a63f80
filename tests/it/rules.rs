//! Rules about when accounts may not speak: who makes them, whom they bind, what they warn of and what they block on
//! every way to an instant, and who lets something through.

use std::collections::BTreeSet;

use chancery::domain::actor::{Actor, Scopes};
use chancery::domain::session::SignedIn;
use chancery::service::{Caller, Error, schedule};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::calendar::id;
use crate::planning::{Desk, account, delivery_of, schedule_of};
use crate::world::{Answer, World, both, embassy};

/// A Tuesday, eleven at night in Paris.
const NIGHT: &str = "2031-09-02T21:00:00Z";
/// The same Tuesday, eleven in the morning.
const DAY: &str = "2031-09-02T09:00:00Z";

fn quiet(unit: &str, effect: &str) -> Value {
    json!({
        "unit_id": unit, "name": {"vi": "Đêm yên tĩnh", "en": "Quiet nights"}, "effect": effect,
        "kind": {"quiet_hours": {"from": "22:00", "to": "07:00"}},
    })
}

fn about(unit: &str, effect: &str, kind: Value) -> Value {
    let mut rule = quiet(unit, effect);
    rule["kind"] = kind;
    rule
}

async fn made(world: &World, rule: &Value) -> Value {
    world.ask("POST", "/api/v1/rules").json(rule).await.expect(201)
}

fn place_of(made: &Value) -> String {
    format!("/api/v1/rules/{}", id(&made["rule"]))
}

/// A new post, asked to go out on an account at these instants.
async fn asked(world: &World, token: &str, desk: &Desk, account: &str, at: &[&str]) -> Answer {
    ask_with(world, token, desk, (account, at), None).await
}

async fn ask_with(
    world: &World,
    token: &str,
    desk: &Desk,
    (account, at): (&str, &[&str]),
    reason: Option<&str>,
) -> Answer {
    let post = desk.post(world, &format!("Tin {at:?} {account}")).await;
    let deliveries: Vec<Value> = at
        .iter()
        .map(|at| json!({"account_id": account, "language": "vi", "at": at, "settings": {"intended_repeat": true}}))
        .collect();
    let mut body = json!({"deliveries": deliveries});
    if let Some(reason) = reason {
        body["override"] = json!({"reason": reason});
    }
    world.ask_as(token, "POST", &schedule_of(&post)).json(&body).await
}

/// Where rules have warned, and by which code.
fn warned(answer: &Value) -> Vec<(String, String)> {
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let all = answer["warnings"].as_array().into_iter().flatten();
    let rules = all.filter(|it| it["values"]["rule_id"].is_string());
    rules.map(|it| (text(&it["pointer"]), text(&it["code"]))).collect()
}

fn one(place: &str, code: &str) -> Vec<(String, String)> {
    vec![(place.to_owned(), code.to_owned())]
}

async fn acts(world: &World, action: &str) -> Vec<Value> {
    let page = world.ask("GET", &format!("/api/v1/audit?action={action}")).send().await.expect(200);
    page["items"].as_array().unwrap().clone()
}

async fn count(world: &World) -> usize {
    let list = world.ask("GET", "/api/v1/deliveries?limit=200").send().await.expect(200);
    list["items"].as_array().unwrap().len()
}

/// A token of somebody with one role in a unit.
async fn with_role(world: &World, unit: &str, role: &str) -> String {
    let person = json!({
        "email": format!("{role}.{unit}@mofa.example"), "name": role,
        "roles": [{"unit_id": unit, "role": role}],
    });
    let person = world.ask("POST", "/api/v1/people").json(&person).await.expect(201);
    let token = world.token(json!({"name": role, "person_id": person["id"]})).await;
    token["token"].as_str().unwrap().to_owned()
}

/// A unit below another, with a Page.
async fn mission(
    world: &World,
    parent: &Value,
    office: usize,
    country: &str,
    zone: &str,
) -> (Desk, Value) {
    let mut body = embassy();
    body["parent_id"] = parent["id"].clone();
    body["country"] = json!(country);
    let unit = world.ask("POST", "/api/v1/units").json(&body).await.expect(201);
    let mut page = world.page_of(office, &unit);
    page["languages"] = json!(["vi"]);
    page["time_zone"] = json!(zone);
    let page = id(&world.ask("POST", "/api/v1/accounts").json(&page).await.expect(201));
    (Desk { unit: id(&unit), page, profile: String::new() }, unit)
}

both! {
    async fn a_rule_is_made_once_changed_by_its_version_and_removed(world) {
        let desk = Desk::open(world).await;
        let mut new = quiet(&desk.unit, "warn");
        new["platforms"] = json!(["facebook", "facebook"]);
        new["except_classes"] = json!(["urgent"]);
        let make = || world.ask("POST", "/api/v1/rules").key("once").json(&new);
        let answer = make().await;
        assert_eq!(answer.header("etag"), "\"1\"");
        let place = answer.header("location").to_owned();
        let first = answer.expect(201);
        assert_eq!((&first["conflicts"], &first["all_looked_at"]), (&json!(0), &json!(true)));
        assert_eq!(first["rule"]["platforms"], json!(["facebook"]));
        assert_eq!(first["rule"]["kind"], json!({"quiet_hours": {"from": "22:00:00", "to": "07:00:00"}}));
        assert_eq!(make().await.expect(201), first, "the same key makes one");
        let shown = world.ask("GET", &place).send().await;
        assert_eq!((shown.header("etag"), shown.json()), ("\"1\"", first["rule"].clone()));
        let list = async || world.ask("GET", "/api/v1/rules").send().await.expect(200)["items"].clone();
        assert_eq!(list().await, json!([first["rule"]]));

        let change = json!({"effect": "block", "kind": {"spacing": {"minutes": 30}}});
        world.ask("PATCH", &place).json(&change).await.problem(428, "precondition_required");
        world.ask("PATCH", &place).seen("\"7\"").json(&change).await.problem(412, "stale");
        let changed = world.ask("PATCH", &place).seen("\"1\"").json(&change).await;
        assert_eq!(changed.header("etag"), "\"2\"");
        let changed = changed.expect(200);
        assert_eq!((&changed["rule"]["effect"], &changed["rule"]["platforms"]), (&json!("block"), &json!(["facebook"])));
        world.ask("DELETE", &place).seen("\"1\"").send().await.problem(412, "stale");
        assert_eq!(world.ask("DELETE", &place).seen("\"2\"").send().await.status, 204);
        world.ask("GET", &place).send().await.problem(404, "not_found");
        assert_eq!(list().await, json!([]));
        for action in ["rule.create", "rule.change", "rule.remove"] {
            assert_eq!(acts(world, action).await.len(), 1, "{action}");
        }
    }

    async fn what_cannot_be_a_rule_is_told_by_its_place_in_both_languages(world) {
        let desk = Desk::open(world).await;
        let (other, _) = mission(world, &json!({"id": null}), 3, "FR", "Europe/Paris").await;
        let faults = async |change: &dyn Fn(&mut Value)| {
            let mut rule = quiet(&desk.unit, "warn");
            change(&mut rule);
            world.ask("POST", "/api/v1/rules").json(&rule).await.faults()
        };
        let nobody = format!("acct_{}", "0".repeat(32));
        for (place, code, change) in [
            ("/name/vi", "blank", &(|it: &mut Value| it["name"]["vi"] = json!(" ")) as &dyn Fn(&mut Value)),
            ("/kind/quiet_hours/to", "quiet_all_day", &|it| it["kind"]["quiet_hours"]["to"] = json!("22:00")),
            ("/kind/quiet_hours/to", "wrong_type", &|it| it["kind"]["quiet_hours"]["to"] = json!("25:00")),
            ("/kind/spacing/minutes", "rule_minutes", &|it| it["kind"] = json!({"spacing": {"minutes": 1}})),
            ("/kind/mourning/to", "rule_ends_first", &|it| {
                it["kind"] = json!({"mourning": {"from": "2031-07-20", "to": "2031-07-19"}});
            }),
            ("/platforms/0", "unknown_reference", &|it| it["platforms"] = json!(["friendster"])),
            ("/account_ids/0", "unknown_reference", &|it| it["account_ids"] = json!([nobody])),
            // One of a unit that the rule does not cover.
            ("/account_ids/0", "unknown_reference", &|it| it["account_ids"] = json!([other.page])),
            ("/except_classes", "rule_covers_nothing", &|it| {
                it["except_classes"] = json!(["statement", "urgent", "routine", "evergreen"]);
            }),
            ("/unit_id", "unknown_reference", &|it| it["unit_id"] = json!(format!("unit_{}", "0".repeat(32)))),
        ] {
            assert_eq!(faults(change).await, one(place, code));
        }
        let mut rule = quiet(&desk.unit, "warn");
        rule["kind"]["quiet_hours"]["to"] = json!("22:00");
        let told = world.ask("POST", "/api/v1/rules").header("accept-language", "vi").json(&rule).await.json();
        assert!(told["errors"][0]["detail"].as_str().unwrap().contains("22:00 và 07:00"), "{told}");
        assert_eq!(acts(world, "rule.create").await.len(), 0);
    }

    async fn each_kind_warns_in_the_check_when_scheduled_and_when_moved(world) {
        let desk = Desk::open(world).await;
        for (kind, code) in [
            (json!({"quiet_hours": {"from": "22:00", "to": "07:00"}}), "rule_quiet_hours"),
            (json!({"mourning": {"from": "2031-09-02", "to": "2031-09-02"}}), "rule_mourning"),
            (json!({"weekend": {"days": ["tuesday"]}}), "rule_weekend"),
            (json!({"election_silence": {"from": "2031-09-02T20:00", "to": "2031-09-03T00:00", "country": "FR"}}),
             "rule_election_silence"),
        ] {
            let rule = made(world, &about(&desk.unit, "warn", kind)).await;
            let post = desk.post(world, code).await;
            let deliveries = json!([
                {"account_id": desk.page, "language": "vi", "at": "2031-09-10T09:00:00Z"},
                {"account_id": desk.page, "language": "fr", "at": NIGHT},
            ]);
            let check = json!({"post_id": post["id"], "deliveries": deliveries});
            let report = world.ask("POST", "/api/v1/posts/check").json(&check).await.expect(200);
            assert_eq!((warned(&report), &report["ok"]), (one("/deliveries/1", code), &json!(true)), "{report}");
            let done = world.ask("POST", &schedule_of(&post)).header("accept-language", "vi");
            let done = done.json(&json!({"deliveries": deliveries})).await.expect(201);
            assert_eq!(warned(&done), one("/deliveries/1", code));
            let said = done["warnings"].as_array().unwrap().iter().find(|it| it["code"] == code).unwrap();
            let detail = said["detail"].as_str().unwrap();
            assert!(detail.contains("“Đêm yên tĩnh”") && detail.contains("2031-09-02T23:00:00+02:00"), "{detail}");
            assert!(detail.contains("2031-09-03T") && detail.contains("Hãy chọn giờ khác"), "{detail}");
            let place = format!("{}/reschedule", delivery_of(&done["deliveries"][0]));
            let moved = world.ask("POST", &place).seen("*").json(&json!({"at": "2031-09-02T21:30:00Z"})).await;
            assert_eq!(warned(&moved.expect(200)), one("/at", code));
            let away = world.ask("POST", &place).seen("*").json(&json!({"at": "2031-09-11T09:00:00Z"})).await;
            assert_eq!(warned(&away.expect(200)), []);
            // A rule that is removed says nothing any more.
            world.ask("DELETE", &place_of(&rule)).seen("*").send().await;
            assert_eq!(warned(&asked(world, &world.admin, &desk, &desk.page, &[NIGHT]).await.expect(201)), []);
        }
    }

    async fn a_block_refuses_all_and_names_each_delivery_and_rule(world) {
        let desk = Desk::open(world).await;
        let rule = made(world, &quiet(&desk.unit, "block")).await;
        made(world, &about(&desk.unit, "block", json!({"mourning": {"from": "2031-09-02", "to": "2031-09-02"}}))).await;
        let refused = asked(world, &world.admin, &desk, &desk.page, &["2031-09-03T09:00:00Z", NIGHT]).await;
        let told = refused.problem(409, "blocked_by_rule");
        let conflicts = told["conflicts"].as_array().unwrap();
        let seen: Vec<_> = conflicts.iter().map(|it| (&it["pointer"], &it["kind"])).collect();
        let place = json!("/deliveries/1");
        assert_eq!(seen, [(&place, &json!("quiet_hours")), (&place, &json!("mourning"))]);
        assert_eq!((&conflicts[0]["rule_id"], &conflicts[0]["rule"]["en"]), (&rule["rule"]["id"], &json!("Quiet nights")));
        assert_eq!(conflicts[0]["free_at"], "2031-09-03T05:00:00Z");
        assert_eq!(count(world).await, 0, "all or none");
        let vi = desk.post(world, "Đêm").await;
        let body = json!({"deliveries": [{"account_id": desk.page, "language": "vi", "at": NIGHT}]});
        let vi = world.ask("POST", &schedule_of(&vi)).header("accept-language", "vi").json(&body).await;
        let detail = vi.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("“Đêm yên tĩnh”") && detail.contains("override"), "{detail}");
        // Beside other faults it is one of them.
        let post = desk.post(world, "Lẫn lộn").await;
        let mixed = json!({"deliveries": [
            {"account_id": desk.page, "language": "vi", "at": NIGHT}, {"account_id": desk.page, "at": "x"},
        ]});
        let faults = world.ask("POST", &schedule_of(&post)).json(&mixed).await.faults();
        let codes: Vec<&str> = faults.iter().map(|it| it.1.as_str()).collect();
        assert_eq!(codes, ["blocked_by_rule", "blocked_by_rule", "bad_instant"], "{faults:?}");
        // The dry run says the same.
        let check = json!({"post_id": post["id"], "deliveries": body["deliveries"]});
        let report = world.ask("POST", "/api/v1/posts/check").json(&check).await.expect(200);
        assert_eq!((&report["ok"], &report["deliveries"]), (&json!(false), &json!([])));
        assert_eq!(report["errors"][0]["code"], "blocked_by_rule");
        // Another time of what was scheduled is refused too, and leaves it where it was.
        let done = asked(world, &world.admin, &desk, &desk.page, &["2031-09-03T09:00:00Z"]).await.expect(201);
        let delivery = delivery_of(&done["deliveries"][0]);
        let moved = world.ask("POST", &format!("{delivery}/reschedule")).seen("*").json(&json!({"at": NIGHT})).await;
        assert_eq!(moved.problem(409, "blocked_by_rule")["conflicts"][0]["pointer"], "/at");
        let kept = world.ask("GET", &delivery).send().await.expect(200);
        assert_eq!(kept["due_at"], "2031-09-03T09:00:00Z");
    }

    async fn an_administrator_of_the_rules_unit_lets_it_through_and_nobody_else(world) {
        let ministry = world.unit().await;
        let (desk, _) = mission(world, &ministry, 0, "FR", "Europe/Paris").await;
        let own = made(world, &quiet(&desk.unit, "block")).await;
        let [head, publisher] =
            [with_role(world, &desk.unit, "administrator").await, with_role(world, &desk.unit, "publisher").await];
        let through = async |token: &str| {
            ask_with(world, token, &desk, (&desk.page, &[NIGHT]), Some("Bão số 3")).await
        };
        through(&publisher).await.problem(409, "blocked_by_rule");
        let limited = world.token(json!({"name": "narrow", "accounts": [desk.page]})).await;
        through(limited["token"].as_str().unwrap()).await.problem(409, "blocked_by_rule");
        let blank = ask_with(world, &head, &desk, (&desk.page, &[NIGHT]), Some(" ")).await;
        assert_eq!(blank.faults(), one("/override/reason", "blank"));
        assert_eq!((count(world).await, acts(world, "rule.override").await.len()), (0, 0));
        let done = through(&head).await.expect(201);
        assert_eq!(warned(&done), one("/deliveries/0", "rule_overridden"));
        let entries = acts(world, "rule.override").await;
        let delivery = &done["deliveries"][0];
        assert_eq!((entries.len(), &entries[0]["subject"]), (1, &own["rule"]["id"]));
        assert_eq!(entries[0]["detail"], json!({"reason": "Bão số 3", "deliveries": [delivery["id"]]}));
        // The same for another time.
        let place = format!("{}/reschedule", delivery_of(delivery));
        let later = json!({"at": "2031-09-02T22:00:00Z", "override": {"reason": "Bão số 4"}});
        world.ask_as(&publisher, "POST", &place).seen("*").json(&later).await.problem(409, "blocked_by_rule");
        world.ask_as(&head, "POST", &place).seen("*").json(&later).await.expect(200);
        assert_eq!(acts(world, "rule.override").await.len(), 2);
        // What needs no override is not overridden.
        ask_with(world, &head, &desk, (&desk.page, &["2031-09-04T09:00:00Z"]), Some("Thừa")).await.expect(201);
        assert_eq!(acts(world, "rule.override").await.len(), 2);
        // The ministry's is not the mission's to override.
        made(world, &quiet(ministry["id"].as_str().unwrap(), "block")).await;
        let told = through(&head).await.problem(409, "blocked_by_rule");
        assert_eq!(told["conflicts"].as_array().unwrap().len(), 1, "{told}");
        assert_eq!(told["conflicts"][0]["unit_id"], ministry["id"]);
        through(&world.admin).await.expect(201);
    }

    async fn at_a_screen_one_shows_again_who_one_is_before_one_overrides(world) {
        let desk = Desk::open(world).await;
        made(world, &quiet(&desk.unit, "block")).await;
        let people = world.ask("GET", "/api/v1/people").send().await.expect(200);
        let person = people["items"].as_array().unwrap().iter().find(|it| it["administrator"] == true).unwrap();
        let now = world.acts().clock.now();
        let by = |proved_at: Timestamp| Caller {
            actor: Actor {
                person_id: person["id"].as_str().unwrap().parse().unwrap(),
                token_id: None,
                signed_in: Some(SignedIn {
                    session_id: format!("ses_{}", "1".repeat(32)).parse().unwrap(),
                    proved_at,
                    second_factor: false,
                }),
                administrator: true,
                scopes: Scopes::All,
                accounts: None,
                reach: std::sync::Arc::default(),
            },
            idempotency: None,
            request_id: "r".into(),
        };
        let post = desk.post(world, "Đêm").await;
        let id = id(&post).parse().unwrap();
        let ask = async |caller: &Caller, at: &str| {
            let body = json!({
                "deliveries": [{"account_id": desk.page, "language": "vi", "at": at}], "override": {"reason": "Bão"},
            });
            schedule::schedule(world.acts(), caller, &id, serde_json::from_value(body).unwrap()).await
        };
        let long_ago = by(now - SignedDuration::from_hours(2));
        let refused = ask(&long_ago, NIGHT).await;
        assert!(matches!(&refused, Err(Error::Forbidden(told)) if told.code == "proof_needed"), "{refused:?}");
        // Only for what is overridden.
        ask(&long_ago, DAY).await.unwrap();
        ask(&by(now), NIGHT).await.unwrap();
    }

    async fn two_of_one_account_within_an_hour_are_too_near_and_a_thread_is_one(world) {
        let desk = Desk::open(world).await;
        let mut rule = about(&desk.unit, "block", json!({"spacing": {"minutes": 60}}));
        rule["except_classes"] = json!(["urgent"]);
        made(world, &rule).await;
        let admin = world.admin.clone();
        // In one request the earlier is there for the later.
        let both = asked(world, &admin, &desk, &desk.page, &["2031-09-02T09:30:00Z", DAY]).await;
        let told = both.problem(409, "blocked_by_rule");
        assert_eq!(told["conflicts"].as_array().unwrap().len(), 1, "{told}");
        assert_eq!(told["conflicts"][0]["pointer"], "/deliveries/0");
        let first = asked(world, &admin, &desk, &desk.page, &[DAY]).await.expect(201);
        let first = &first["deliveries"][0];
        for (at, blocked) in [("2031-09-02T09:59:59Z", true), ("2031-09-02T08:00:01Z", true),
                              ("2031-09-02T10:00:00Z", false), ("2031-09-02T08:00:00Z", false)] {
            let post = desk.post(world, at).await;
            let check = json!({"post_id": post["id"], "deliveries": [
                {"account_id": desk.page, "language": "vi", "at": at}]});
            let report = world.ask("POST", "/api/v1/posts/check").json(&check).await.expect(200);
            assert_eq!(report["ok"], json!(!blocked), "{at} {report}");
        }
        // Another account does not matter, nor what the rule does not cover.
        asked(world, &admin, &desk, &desk.profile, &["2031-09-02T09:10:00Z"]).await.expect(201);
        let mut draft = desk.draft();
        draft["class"] = json!("urgent");
        let urgent = world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
        let body = json!({"deliveries": [{"account_id": desk.page, "language": "vi", "at": "2031-09-02T11:00:00Z"}]});
        world.ask("POST", &schedule_of(&urgent)).json(&body).await.expect(201);
        let beside = asked(world, &admin, &desk, &desk.page, &["2031-09-02T11:10:00Z"]).await.expect(201);
        // A move does not come too near to itself, but to the other.
        let place = format!("{}/reschedule", delivery_of(first));
        let moved = world.ask("POST", &place).seen("*").json(&json!({"at": "2031-09-02T09:10:00Z"})).await;
        assert_eq!(moved.expect(200)["due_at"], "2031-09-02T09:10:00Z");
        let moved = world.ask("POST", &place).seen("*").json(&json!({"at": "2031-09-02T10:30:00Z"})).await;
        let near = &moved.problem(409, "blocked_by_rule")["conflicts"][0]["near"];
        assert_eq!(near, &json!([beside["deliveries"][0]["id"]]));
        // What was cancelled is not there any more.
        let gone = format!("{}/cancel", delivery_of(&beside["deliveries"][0]));
        world.ask("POST", &gone).send().await.expect(200);
        world.ask("POST", &place).seen("*").json(&json!({"at": "2031-09-02T10:30:00Z"})).await.expect(200);
        // A thread goes out at once.
        let mut draft = desk.draft();
        draft["variants"] = json!([{"language": "vi", "text": "Một", "thread": [{"text": "Hai"}, {"text": "Ba"}]}]);
        let thread = world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
        let body = json!({"deliveries": [{"account_id": desk.profile, "language": "vi", "at": "2031-09-05T11:00:00Z"}]});
        let done = world.ask("POST", &schedule_of(&thread)).json(&body).await.expect(201);
        let place = format!("{}/reschedule", delivery_of(&done["deliveries"][0]));
        world.ask("POST", &place).seen("*").json(&json!({"at": "2031-09-05T11:20:00Z"})).await.expect(200);
    }

    async fn a_rule_binds_the_units_below_and_those_may_read_it(world) {
        let ministry = world.unit().await;
        let (paris, _) = mission(world, &ministry, 0, "FR", "Europe/Paris").await;
        let (cairo, _) = mission(world, &ministry, 1, "EG", "Africa/Cairo").await;
        let (elsewhere, _) = mission(world, &json!({"id": null}), 2, "EG", "Africa/Cairo").await;
        let ministrys = made(world, &about(ministry["id"].as_str().unwrap(), "warn", json!({"weekend": {}}))).await;
        let cairos = made(world, &quiet(&cairo.unit, "warn")).await;
        // 2031-09-05 is a Friday: the weekend in Cairo, not in Paris.
        let says = async |desk: &Desk, at: &str| {
            warned(&asked(world, &world.admin, desk, &desk.page, &[at]).await.expect(201))
        };
        assert_eq!(says(&cairo, "2031-09-05T09:00:00Z").await, one("/deliveries/0", "rule_weekend"));
        assert_eq!(says(&paris, "2031-09-05T09:00:00Z").await, []);
        assert_eq!(says(&paris, "2031-09-07T09:00:00Z").await, one("/deliveries/0", "rule_weekend"));
        assert_eq!(says(&cairo, "2031-09-07T09:00:00Z").await, []);
        assert_eq!(says(&elsewhere, "2031-09-05T09:00:00Z").await, []);
        assert_eq!(says(&paris, "2031-09-08T21:00:00Z").await, [], "Cairo's own binds no other");
        assert_eq!(says(&cairo, "2031-09-08T21:00:00Z").await, one("/deliveries/0", "rule_quiet_hours"));
        let reader = with_role(world, &paris.unit, "administrator").await;
        let read = async |made: &Value| world.ask_as(&reader, "GET", &place_of(made)).send().await;
        read(&ministrys).await.expect(200);
        read(&cairos).await.problem(404, "not_found");
        let list = world.ask_as(&reader, "GET", "/api/v1/rules").send().await.expect(200);
        assert_eq!(list["items"], json!([ministrys["rule"]]));
        // Reading is not changing.
        let change = json!({"effect": "block"});
        let place = place_of(&ministrys);
        world.ask_as(&reader, "PATCH", &place).seen("*").json(&change).await.problem(404, "not_found");
        world.ask_as(&reader, "DELETE", &place).seen("*").send().await.problem(404, "not_found");
        let above = quiet(ministry["id"].as_str().unwrap(), "block");
        let made = world.ask_as(&reader, "POST", "/api/v1/rules").json(&above).await;
        assert_eq!(made.faults(), one("/unit_id", "unknown_reference"));
    }

    async fn what_was_scheduled_before_is_counted_and_listed_and_goes_on(world) {
        let ministry = world.unit().await;
        let (paris, _) = mission(world, &ministry, 0, "FR", "Europe/Paris").await;
        let (cairo, _) = mission(world, &ministry, 1, "EG", "Africa/Cairo").await;
        let mut expected = BTreeSet::new();
        for desk in [&paris, &cairo] {
            // Ten at night in Cairo and in Paris alike, and one by day.
            let all = asked(world, &world.admin, desk, &desk.page, &[NIGHT, "2031-09-09T21:00:00Z", DAY]).await.expect(201);
            expected.extend([id(&all["deliveries"][0]), id(&all["deliveries"][1])]);
        }
        let gone = asked(world, &world.admin, &paris, &paris.page, &["2031-09-16T21:00:00Z"]).await.expect(201);
        let cancel = format!("{}/cancel", delivery_of(&gone["deliveries"][0]));
        world.ask("POST", &cancel).send().await.expect(200);
        let rule = made(world, &quiet(ministry["id"].as_str().unwrap(), "block")).await;
        assert_eq!((&rule["conflicts"], &rule["all_looked_at"]), (&json!(4), &json!(true)));
        let place = format!("{}/conflicts", place_of(&rule));
        let listed = async |token: &str, limit: usize| {
            let (mut all, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = world.ask_as(token, "GET", &format!("{place}?limit={limit}{cursor}"));
                let page = page.send().await.expect(200);
                let items = page["items"].as_array().unwrap().clone();
                assert!(items.len() <= limit, "{page}");
                all.extend(items);
                let Some(next) = page["next_cursor"].as_str() else { return all };
                cursor = format!("&cursor={next}");
            }
        };
        for limit in [1, 3, 200] {
            let all = listed(&world.admin, limit).await;
            assert_eq!(all.len(), 4, "each once with {limit}");
            let ids: BTreeSet<String> =
                all.iter().map(|it| it["delivery_id"].as_str().unwrap().to_owned()).collect();
            assert_eq!(ids, expected);
            assert!(all.iter().all(|it| it["state"] == "scheduled" && it["free_at"].is_string()));
        }
        // A mission sees what is its own of it.
        let reader = with_role(world, &cairo.unit, "reader").await;
        let own = listed(&reader, 200).await;
        assert!(own.len() == 2 && own.iter().all(|it| it["account_id"] == json!(cairo.page)), "{own:?}");
        world.ask("GET", &format!("{place}?cursor=W10")).send().await.problem(422, "validation");
        // A change of the rule is counted anew; of a spacing both that are near are told.
        let change = json!({"kind": {"spacing": {"minutes": 720}}});
        let changed = world.ask("PATCH", &place_of(&rule)).seen("*").json(&change).await.expect(200);
        assert_eq!(changed["conflicts"], 0, "twelve hours lie between them");
        let change = json!({"kind": {"spacing": {"minutes": 721}}});
        let changed = world.ask("PATCH", &place_of(&rule)).seen("*").json(&change).await.expect(200);
        assert_eq!(changed["conflicts"], 4);
        for one in listed(&world.admin, 3).await {
            assert_eq!(one["near"].as_array().unwrap().len(), 1, "{one}");
        }
    }

    async fn a_series_makes_every_date_that_no_rule_blocks_and_says_so(world) {
        let desk = Desk::open(world).await;
        made(world, &about(&desk.unit, "block", json!({"weekend": {}}))).await;
        let post = desk.post(world, "Hằng ngày").await;
        let new = json!({
            "post_id": post["id"], "cron": "0 9 * * *", "time_zone": "account",
            "accounts": [{"account_id": desk.page, "language": "vi"}],
        });
        let series = world.ask("POST", "/api/v1/series").json(&new).await;
        let place = series.header("location").to_owned();
        series.expect(201);
        let dates = world.ask("GET", &format!("{place}/dates?limit=200")).send().await.expect(200);
        let days: Vec<jiff::civil::Date> = dates["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["wall"].as_str().unwrap().parse::<jiff::civil::DateTime>().unwrap().date())
            .collect();
        // Of two weeks ten days.
        assert!((9..=11).contains(&days.len()), "{days:?}");
        let rests = |day: &jiff::civil::Date| {
            matches!(day.weekday(), jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday)
        };
        assert!(!days.iter().any(rests), "{days:?}");
        let shown = world.ask("GET", &place).send().await.expect(200);
        let stuck = shown["stuck"].as_array().unwrap();
        assert_eq!((stuck.len(), &stuck[0]["code"]), (1, &json!("blocked_by_rule")), "{shown}");
        assert_eq!(stuck[0]["account_id"], json!(desk.page));
        assert!(stuck[0]["detail"].as_str().unwrap().contains("Quiet nights"), "{shown}");
    }

    async fn a_row_of_a_table_that_a_rule_blocks_is_told_and_nothing_is_made(world) {
        let desk = Desk::open(world).await;
        made(world, &quiet(&desk.unit, "block")).await;
        let table = |at: &str| format!("language,text,accounts,when\nvi,Xin,{},{at}\n", desk.page);
        let hand_in = async |at: &str, query: &str| {
            let path = format!("/api/v1/imports?unit_id={}{query}", desk.unit);
            world.ask("POST", &path).body("text/csv", table(at).into_bytes()).await
        };
        let seen = hand_in(NIGHT, "").await.expect(200);
        let errors = seen["errors"].as_array().unwrap();
        assert_eq!((errors.len(), &errors[0]["code"], &errors[0]["row"]), (1, &json!("blocked_by_rule"), &json!(2)), "{seen}");
        let made = hand_in(NIGHT, "&dry_run=false").await;
        assert_eq!(made.status, 422, "{made:?}");
        let posts = world.ask("GET", "/api/v1/posts").send().await.expect(200);
        assert_eq!(posts["items"], json!([]));
        hand_in(DAY, "&dry_run=false").await.expect(201);
    }

    async fn a_review_after_a_hold_gives_no_time_that_a_rule_blocks(world) {
        let desk = Desk::open(world).await;
        let done = asked(world, &world.admin, &desk, &desk.page, &[DAY]).await.expect(201);
        let delivery = &done["deliveries"][0];
        made(world, &quiet(&desk.unit, "block")).await;
        // As if a hold had caught it and was lifted.
        world.change(&format!(
            "UPDATE deliveries SET state = 'held', waits_for = '{{\"code\": \"review\", \"detail\": \"x\"}}' WHERE id = '{}'",
            id(delivery)
        )).await;
        let review = async |at: &str| {
            let body = json!({"deliveries": [{"id": delivery["id"], "act": "reschedule", "at": at}]});
            world.ask("POST", "/api/v1/deliveries/review").json(&body).await
        };
        assert_eq!(review(NIGHT).await.faults(), one("/deliveries/0", "blocked_by_rule"));
        review("2031-09-03T09:00:00Z").await.expect(200);
    }

    async fn a_unit_has_a_hundred_rules_at_most(world) {
        let desk = Desk::open(world).await;
        let other = account(world, {
            let user = &world.seed.accounts()[1].user;
            json!({
                "unit_id": desk.unit, "platform": "x", "remote_id": user.id,
                "credential": {"kind": "oauth2", "access_token": user.token},
            })
        }).await;
        let mut rule = quiet(&desk.unit, "warn");
        rule["account_ids"] = json!([other]);
        for _ in 0..100 {
            made(world, &rule).await;
        }
        let full = world.ask("POST", "/api/v1/rules").json(&rule).await;
        full.problem(409, "too_many_rules");
        // A hundred that name another account say nothing here.
        assert_eq!(warned(&asked(world, &world.admin, &desk, &desk.page, &[NIGHT]).await.expect(201)), []);
        let answer = asked(world, &world.admin, &desk, &other, &[NIGHT]).await.expect(201);
        assert_eq!(warned(&answer).len(), 100);
    }
}
