//! Kits: what units may change, how they answer, and what becomes of their copies when what was offered is
//! corrected.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::pass;
use crate::world::{World, both, embassy};

fn id(of: &Value) -> &str {
    of["id"].as_str().unwrap_or_else(|| panic!("{of}"))
}

async fn made(world: &World, token: &str, path: &str, body: &Value) -> Value {
    world.ask_as(token, "POST", &format!("/api/v1/{path}")).json(body).await.expect(201)
}

async fn got(world: &World, token: &str, path: &str) -> Value {
    world.ask_as(token, "GET", &format!("/api/v1/{path}")).send().await.expect(200)
}

/// A token of somebody with one role in a unit.
async fn officer(world: &World, unit: &str, role: &str, name: &str) -> String {
    let person = json!({
        "email": format!("{name}@mofa.example"), "name": name, "roles": [{"unit_id": unit, "role": role}],
    });
    let person = made(world, &world.admin, "people", &person).await;
    let token = world.token(json!({"name": name, "person_id": person["id"]})).await;
    token["token"].as_str().unwrap().to_owned()
}

/// A unit with somebody who may publish there.
struct Mission {
    unit: String,
    token: String,
}

impl Mission {
    async fn open(world: &World, name: &str) -> Self {
        let unit = made(world, &world.admin, "units", &embassy()).await;
        let unit = id(&unit).to_owned();
        let token = officer(world, &unit, "publisher", name).await;
        Self { unit, token }
    }

    /// The offer to it.
    async fn offer(&self, world: &World) -> Value {
        let offers = got(world, &self.token, "offers").await;
        assert_eq!(offers["items"].as_array().unwrap().len(), 1, "{offers}");
        offers["items"][0].clone()
    }

    /// Takes it; the copy.
    async fn accept(&self, world: &World, revision: i64) -> Value {
        let offer = self.offer(world).await;
        let place = format!("/api/v1/offers/{}/accept", id(&offer));
        let seen = json!({"revision": revision});
        let taken = world.ask_as(&self.token, "POST", &place).json(&seen).await.expect(200);
        got(world, &self.token, &format!("posts/{}", taken["post_id"].as_str().unwrap())).await
    }

    /// Says something else in the copy, from the revision that was read.
    async fn edit(
        &self,
        world: &World,
        copy: &Value,
        language: usize,
        text: &str,
    ) -> crate::world::Answer {
        let says = |one: &Value| json!({"language": one["language"], "text": one["text"]});
        let mut variants: Vec<Value> =
            copy["variants"].as_array().unwrap().iter().map(says).collect();
        variants[language]["text"] = json!(text);
        let place = format!("/api/v1/posts/{}", id(copy));
        let tag = format!("\"{}\"", copy["revision"]);
        world
            .ask_as(&self.token, "PATCH", &place)
            .seen(&tag)
            .json(&json!({"variants": variants}))
            .await
    }

    /// How often it was told of something, once it was told that often.
    async fn told(&self, world: &World, event: &str, times: usize) -> Value {
        for _ in 0..1_200 {
            let inbox = got(world, &self.token, "notifications").await;
            let all: Vec<&Value> = inbox["items"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|it| it["event"] == event)
                .collect();
            assert!(all.len() <= times, "{event} is told too often: {inbox}");
            if all.len() == times {
                return all[0].clone();
            }
            pass(Duration::from_millis(50)).await;
        }
        panic!("{event} is not told {times} times");
    }
}

/// A campaign of headquarters with a post in it, as `(campaign, post)`.
async fn campaign(world: &World, office: &Mission) -> (Value, Value) {
    let campaign = json!({
        "unit_id": office.unit, "title": {"vi": "Quốc khánh", "en": "National Day"},
        "period": {"from": "2031-08-15", "to": "2031-09-03"},
    });
    let campaign = made(world, &office.token, "campaigns", &campaign).await;
    let post = json!({
        "unit_id": office.unit, "campaign_id": campaign["id"], "title": "Thông điệp", "class": "routine",
        "source_language": "vi",
        "variants": [{"language": "vi", "text": "Chào mừng 80 năm #VN"}, {"language": "fr", "text": "Bonjour #VN"}],
    });
    let post = made(world, &office.token, "posts", &post).await;
    (campaign, post)
}

async fn offered(
    world: &World,
    office: &Mission,
    to: &[&Mission],
    fields: Value,
) -> (Value, Value) {
    let (campaign, post) = campaign(world, office).await;
    let units: Vec<&str> = to.iter().map(|it| it.unit.as_str()).collect();
    let kit = json!({
        "post_id": post["id"], "units": units, "fields": fields, "answer_by": "2031-08-25T17:00:00Z",
        "local": {"date": "2031-09-02", "time": "09:00"},
    });
    made(world, &office.token, &format!("campaigns/{}/kits", id(&campaign)), &kit).await;
    (campaign, post)
}

fn fault(pointer: &str, code: &str) -> Vec<(String, String)> {
    vec![(pointer.to_owned(), code.to_owned())]
}

/// Schedules a copy, and moves it: only as it was asked for.
async fn scheduled(world: &World, mission: &Mission, copy: &Value) {
    let account = world.page_of(0, &json!({"id": mission.unit}));
    let account = crate::planning::account(world, account).await;
    let plan = format!("/api/v1/posts/{}/deliveries", id(copy));
    let at = |at: &str| {
        let wanted = json!({"deliveries": [{"account_id": account, "language": "vi", "at": at}]});
        let ask = world.ask_as(&mission.token, "POST", &plan);
        async move { ask.json(&wanted).await }
    };
    let right = "2031-09-02T09:00:00+02:00";
    assert_eq!(at(right).await.faults(), fault("/deliveries/0", "kit_unchanged"));
    let own = mission.edit(world, copy, 0, "Chào mừng 80 năm #VN #Paris").await.expect(200);
    assert_eq!(own["variants"][0]["text"], "Chào mừng 80 năm #VN #Paris");
    assert_eq!(mission.offer(world).await["state"], "adapted");
    let early = at("2031-09-02T08:00:00+02:00").await;
    assert_eq!(early.faults(), fault("/deliveries/0", "kit_time_fixed"));
    let made = at(right).await.expect(201);
    let moving = format!("/api/v1/deliveries/{}/reschedule", id(&made["deliveries"][0]));
    let later = json!({"at": "2031-09-02T10:00:00+02:00"});
    let moved = world.ask_as(&mission.token, "POST", &moving).seen("*").json(&later).await;
    assert_eq!(moved.faults(), fault("", "kit_time_fixed"));
}

both! {
    async fn units_answer_and_change_what_they_may(world) {
        let office = Mission::open(world, "office").await;
        let [paris, rome, other] = [
            Mission::open(world, "paris").await, Mission::open(world, "rome").await,
            Mission::open(world, "other").await,
        ];
        let fields = json!({"text": "must_not", "hashtags": "must", "time": "must_not"});
        let (campaign, post) = offered(world, &office, &[&paris, &rome], fields).await;
        let again = json!({"post_id": post["id"], "units": [rome.unit]});
        let kits = format!("/api/v1/campaigns/{}/kits", id(&campaign));
        let again = world.ask_as(&office.token, "POST", &kits).json(&again).await;
        assert_eq!(again.faults(), fault("/units/0", "offered_already"));
        // What was offered is known, with the campaign; the post itself, and what others were offered, is not.
        let offer = paris.offer(world).await;
        let place = format!("/api/v1/offers/{}", id(&offer));
        let shown = world.ask_as(&paris.token, "GET", &place).send().await.expect(200);
        assert_eq!(shown["offered"]["variants"][0]["text"], "Chào mừng 80 năm #VN");
        let known = format!("/api/v1/campaigns/{}", id(&campaign));
        world.ask_as(&paris.token, "GET", &known).send().await.expect(200);
        for (token, path) in [(&paris.token, &format!("/api/v1/posts/{}", id(&post))), (&rome.token, &place),
                              (&other.token, &place), (&other.token, &known)] {
            world.ask_as(token, "GET", path).send().await.problem(404, "not_found");
        }
        let accept = || world.ask_as(&paris.token, "POST", &format!("{place}/accept"));
        accept().json(&json!({"revision": 2})).await.problem(409, "offer_changed");
        let copy = paris.accept(world, 1).await;
        assert_eq!((&copy["unit_id"], &copy["campaign_id"]), (&json!(paris.unit), &campaign["id"]));
        assert_eq!(copy["content_hash"], post["content_hash"]);
        let changed = paris.edit(world, &copy, 0, "Chào mừng 81 năm #VN #Paris").await;
        assert_eq!(changed.faults(), fault("/variants/0/text", "kit_fixed"));
        scheduled(world, &paris, &copy).await;
        let decline = format!("{place}/decline");
        let no = json!({"reason": "Không phù hợp"});
        world.ask_as(&paris.token, "POST", &decline).json(&no).await.problem(409, "offer_accepted");
        let decline = format!("/api/v1/offers/{}/decline", id(&rome.offer(world).await));
        let empty = world.ask_as(&rome.token, "POST", &decline).json(&json!({"reason": " "})).await;
        assert_eq!(empty.faults(), fault("/reason", "blank"));
        let declined = world.ask_as(&rome.token, "POST", &decline).json(&no).await.expect(200);
        assert_eq!((&declined["state"], &declined["reason"]), (&json!("declined"), &no["reason"]));
        for event in ["kit.accepted", "kit.adapted", "kit.declined"] {
            office.told(world, event, 1).await;
        }
        paris.told(world, "kit.offered", 1).await;
    }

    async fn corrections_reach_copies_that_nobody_has_changed(world) {
        let office = Mission::open(world, "office").await;
        let [paris, rome] = [Mission::open(world, "paris").await, Mission::open(world, "rome").await];
        let (_, post) = offered(world, &office, &[&paris, &rome], json!({})).await;
        let unit = format!("/api/v1/units/{}", paris.unit);
        world.ask("PATCH", &unit).seen("*").json(&json!({"approval": "one"})).await.expect(200);
        let (untouched, adapted) = (paris.accept(world, 1).await, rome.accept(world, 1).await);
        let adapted = rome.edit(world, &adapted, 1, "Bonjour de Rome #VN").await.expect(200);
        // Approved, and scheduled.
        let chief = officer(world, &paris.unit, "approver", "chief").await;
        let yes = json!({"revision": 1, "content_hash": untouched["content_hash"], "decision": "approve"});
        made(world, &chief, &format!("posts/{}/approvals", id(&untouched)), &yes).await;
        let account = world.page_of(0, &json!({"id": paris.unit}));
        let account = crate::planning::account(world, account).await;
        let wanted = json!({"deliveries": [{"account_id": account, "language": "vi", "at": "2031-09-02T02:00:00Z"}]});
        let planned = made(world, &paris.token, &format!("posts/{}/deliveries", id(&untouched)), &wanted).await;
        let planned = &planned["deliveries"][0];

        let corrected = office.edit(world, &post, 0, "Chào mừng 81 năm #VN").await.expect(200);
        let title = json!({"title": "Thông điệp mới"});
        let place = format!("/api/v1/posts/{}", id(&post));
        world.ask_as(&office.token, "PATCH", &place).seen("*").json(&title).await.expect(200);
        let follows = got(world, &paris.token, &format!("posts/{}", id(&untouched))).await;
        assert_eq!(follows["content_hash"], corrected["content_hash"]);
        assert_eq!((&follows["revision"], &follows["approvals"]["given"]), (&json!(2), &json!(0)));
        assert_eq!(follows["stale_deliveries"], json!([planned["id"]]));
        let waits = got(world, &paris.token, &format!("deliveries/{}", id(planned))).await;
        assert_eq!(waits["state"], "pending_approval");
        let stale = paris.edit(world, &untouched, 1, "Salut").await;
        stale.problem(412, "stale");
        // The other is told, sees the difference, and takes over what it has not changed itself.
        let own = got(world, &rome.token, &format!("posts/{}", id(&adapted))).await;
        assert_eq!((&own["revision"], &own["variants"]), (&json!(2), &adapted["variants"]));
        let told = rome.told(world, "kit.corrected", 1).await;
        assert_eq!(told["data"]["followed"], false, "{told}");
        assert_eq!(paris.told(world, "kit.corrected", 1).await["data"]["followed"], true);
        let diff = got(world, &rome.token, &format!("offers/{}/diff", id(&rome.offer(world).await))).await;
        let pieces = &diff["languages"][0]["fields"][0]["pieces"];
        assert_eq!((&diff["languages"][0]["language"], &diff["base_revision"]), (&json!("vi"), &json!(1)));
        assert_eq!((&pieces[1]["text"], &pieces[2]["text"]), (&json!("80"), &json!("81")), "{diff}");
        let taken = rome.accept(world, 3).await;
        let texts = [&taken["variants"][0]["text"], &taken["variants"][1]["text"]];
        assert_eq!(texts, [&json!("Chào mừng 81 năm #VN"), &json!("Bonjour de Rome #VN")]);
        let diff = got(world, &rome.token, &format!("offers/{}/diff", id(&rome.offer(world).await))).await;
        assert_eq!((&diff["languages"], &diff["base_revision"]), (&json!([]), &json!(3)));
    }

    async fn the_board_shows_what_each_unit_has_made_of_it(world) {
        let office = Mission::open(world, "office").await;
        let [paris, rome] = [Mission::open(world, "paris").await, Mission::open(world, "rome").await];
        let (campaign, _) = offered(world, &office, &[&paris, &rome], json!({})).await;
        let copy = paris.accept(world, 1).await;
        let account = world.page_of(0, &json!({"id": paris.unit}));
        let account = crate::planning::account(world, account).await;
        let wanted = json!({"deliveries": [{"account_id": account, "language": "vi", "at": "2031-09-02T02:00:00Z"}]});
        made(world, &paris.token, &format!("posts/{}/deliveries", id(&copy)), &wanted).await;
        let path = format!("campaigns/{}/board", id(&campaign));
        let board = got(world, &office.token, &path).await;
        assert_eq!(board["languages"], json!(["fr", "vi"]));
        let row = |board: &Value, unit: &str| {
            let rows = board["units"].as_array().unwrap();
            rows.iter().find(|it| it["unit_id"] == unit).cloned().unwrap_or_else(|| panic!("{board}"))
        };
        let own = row(&board, &paris.unit);
        assert_eq!((&own["offers"][0]["state"], &own["posts"]), (&json!("accepted"), &json!(1)));
        assert_eq!(own["deliveries"], json!({"scheduled": 1, "published": 0, "failed": 0, "needs_person": 0}));
        assert_eq!(own["languages"][0]["deliveries"]["scheduled"], 0, "none in French");
        assert_eq!((&own["languages"][1]["posts"], &own["missing"]), (&json!(1), &json!([])));
        let none = row(&board, &rome.unit);
        assert_eq!((&none["offers"][0]["state"], &none["posts"]), (&json!("offered"), &json!(0)));
        assert_eq!(none["missing"], json!(["vi", "fr"]));
        let part = got(world, &paris.token, &path).await;
        assert_eq!(part["units"].as_array().unwrap().len(), 1, "of others nothing is shown: {part}");
        assert_eq!(row(&part, &paris.unit), own);
    }
}
