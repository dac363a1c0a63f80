//! The calendar that all units share: deliveries and events as one list, and as much of each as its reader may
//! know.

use serde_json::{Value, json};

use crate::world::{World, both, embassy};

const MONTH: &str = "/api/v1/calendar?from=2031-09-01T00:00:00Z&to=2031-10-01T00:00:00Z";

pub(crate) fn id(of: &Value) -> String {
    of["id"].as_str().unwrap_or_else(|| panic!("{of}")).to_owned()
}

pub(crate) async fn made(world: &World, path: &str, body: &Value) -> Value {
    world.ask("POST", &format!("/api/v1/{path}")).json(body).await.expect(201)
}

pub(crate) async fn unit(world: &World, parent: Option<&str>) -> String {
    let mut body = embassy();
    body["parent_id"] = json!(parent);
    // Without a country the calendar adds no days that it knows by itself.
    body["country"] = Value::Null;
    id(&made(world, "units", &body).await)
}

/// A delivery of a unit at an instant, on the account of an office.
pub(crate) async fn planned(world: &World, unit: &str, office: usize, at: &str) -> String {
    let body = world.page_of(office, &json!({"id": unit}));
    let account = world.ask("POST", "/api/v1/accounts").json(&body).await.expect(201);
    let post = made(world, "posts", &json!({
        "unit_id": unit, "title": format!("Bài {office}"), "class": "routine", "source_language": "vi",
        "variants": [{"language": "vi", "text": format!("Tin số {office}")}],
    })).await;
    let wanted = json!({"deliveries": [{"account_id": account["id"], "at": at}]});
    let scheduled = made(world, &format!("posts/{}/deliveries", id(&post)), &wanted).await;
    id(&scheduled["deliveries"][0])
}

pub(crate) fn event(unit: &str, day: &str, visibility: &str) -> Value {
    json!({
        "unit_id": unit, "title": {"vi": "Chuyến thăm", "en": "Visit"}, "kind": "visit",
        "when": {"days": {"from": day, "to": day}}, "visibility": visibility,
        "note": "Chưa công bố",
    })
}

async fn items(world: &World, token: &str, path: &str) -> Vec<Value> {
    let page = world.ask_as(token, "GET", path).send().await.expect(200);
    page["items"].as_array().unwrap().clone()
}

/// What each entry is, in short.
fn brief(entries: &[Value]) -> Vec<String> {
    let name = |entry: &Value| {
        let what = if entry["until"].is_null() { "delivery" } else { "event" };
        format!(
            "{} {what} {}",
            &entry["at"].as_str().unwrap()[8..16],
            entry["shown"].as_str().unwrap()
        )
    };
    entries.iter().map(name).collect()
}

pub(crate) async fn reader(world: &World, unit: &str) -> String {
    let person = json!({
        "email": "r@mofa.example", "name": "r", "roles": [{"unit_id": unit, "role": "reader"}],
    });
    let person = made(world, "people", &person).await;
    let token = world.token(json!({"name": "r", "person_id": person["id"]})).await;
    token["token"].as_str().unwrap().to_owned()
}

both! {
    async fn deliveries_and_events_are_one_list_in_pages(world) {
        let unit = unit(world, None).await;
        planned(world, &unit, 0, "2031-09-02T02:00:00Z").await;
        planned(world, &unit, 1, "2031-09-04T02:00:00Z").await;
        made(world, "events", &event(&unit, "2031-09-03", "whole")).await;
        // One that has begun before, and one that lies outside.
        let mut long = event(&unit, "2031-08-30", "whole");
        long["when"]["days"]["to"] = json!("2031-09-01");
        made(world, "events", &long).await;
        made(world, "events", &event(&unit, "2031-10-05", "whole")).await;
        let expected = [
            "29T22:00 event whole", "02T02:00 delivery whole", "02T22:00 event whole",
            "04T02:00 delivery whole",
        ];
        assert_eq!(brief(&items(world, &world.admin, MONTH).await), expected);
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("{MONTH}&limit=1{cursor}");
            let page = world.ask("GET", &path).send().await.expect(200);
            seen.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(brief(&seen), expected);
        let filtered = items(world, &world.admin, &format!("{MONTH}&platform=facebook")).await;
        assert_eq!(filtered.len(), 2, "no events beside one platform's");
        assert_eq!(filtered[0]["delivery"]["state"], "scheduled");
        let empty = world.ask("GET", "/api/v1/calendar?from=2031-09-01T00:00:00Z&to=2031-09-01T00:00:00Z");
        assert_eq!(empty.send().await.faults(), [("?to".to_owned(), "bad_time_span".to_owned())]);
    }

    async fn each_sees_his_own_whole_the_region_by_title_and_the_rest_as_busy(world) {
        let ministry = unit(world, None).await;
        let [europe, asia] = [unit(world, Some(&ministry)).await, unit(world, Some(&ministry)).await];
        let [paris, rome] = [unit(world, Some(&europe)).await, unit(world, Some(&europe)).await];
        let tokyo = unit(world, Some(&asia)).await;
        for (office, unit) in [&paris, &rome, &tokyo].into_iter().enumerate() {
            planned(world, unit, office, &format!("2031-09-0{}T02:00:00Z", office + 1)).await;
        }
        for (day, visibility) in [(5, "whole"), (6, "title"), (7, "busy")] {
            made(world, "events", &event(&tokyo, &format!("2031-09-0{day}"), visibility)).await;
        }
        let token = reader(world, &paris).await;
        let seen = items(world, &token, MONTH).await;
        assert_eq!(brief(&seen), [
            "01T02:00 delivery whole", "02T02:00 delivery title", "03T02:00 delivery busy",
            "04T22:00 event whole", "05T22:00 event title", "06T22:00 event busy",
        ]);
        let [own, region, rest, whole, title, busy] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!((&own["title"]["vi"], &own["delivery"]["language"]), (&json!("Bài 0"), &json!("vi")));
        assert_eq!((&region["title"]["vi"], &region["delivery"]), (&json!("Bài 1"), &Value::Null));
        assert_eq!((&rest["title"], &rest["delivery"]), (&json!({}), &Value::Null));
        // What only its own unit should know stays there even where all else is shown.
        assert_eq!((&whole["event"]["kind"], &whole["event"]["note"]), (&json!("visit"), &Value::Null));
        assert_eq!((&title["title"]["en"], &title["event"]), (&json!("Visit"), &Value::Null));
        assert_eq!((&busy["title"], &busy["event"]), (&json!({}), &Value::Null));
        let all = serde_json::to_string(&seen).unwrap();
        assert!(!all.contains("Bài 2") && !all.contains("Chưa công bố"), "{all}");
    }

    async fn an_event_is_changed_and_removed_by_its_version(world) {
        let unit = unit(world, None).await;
        let entered = world.ask("POST", "/api/v1/events").json(&event(&unit, "2031-09-02", "whole")).await;
        let place = entered.header("location").to_owned();
        let tag = entered.header("etag").to_owned();
        assert_eq!(entered.expect(201)["time_zone"], "Europe/Paris");
        let change = json!({"when": {"instants": {"from": "2031-09-09T01:00:00.0005Z", "to": "2031-09-09T02:00:00Z"}}});
        let changed = world.ask("PATCH", &place).seen(&tag).json(&change).await;
        let changed_tag = changed.header("etag").to_owned();
        changed.expect(200);
        world.ask("PATCH", &place).seen(&tag).json(&change).await.problem(412, "stale");
        assert_eq!(brief(&items(world, &world.admin, MONTH).await), ["09T01:00 event whole"]);
        let back = json!({"when": {"days": {"from": "2031-09-03", "to": "2031-09-02"}}});
        let refused = world.ask("PATCH", &place).seen("*").json(&back).await;
        assert_eq!(refused.faults(), [("/when/days/to".to_owned(), "ends_before_it_begins".to_owned())]);
        assert_eq!(world.ask("DELETE", &place).seen(&changed_tag).send().await.status, 204);
        world.ask("GET", &place).send().await.problem(404, "not_found");
        assert_eq!(items(world, &world.admin, MONTH).await, [] as [Value; 0]);
        // What was cancelled is not planned any more either.
        let delivery = planned(world, &unit, 0, "2031-09-02T02:00:00Z").await;
        assert_eq!(items(world, &world.admin, MONTH).await.len(), 1);
        world.ask("POST", &format!("/api/v1/deliveries/{delivery}/cancel")).send().await.expect(200);
        assert_eq!(items(world, &world.admin, MONTH).await, [] as [Value; 0]);
    }

    async fn what_comes_each_year_is_there_on_its_day_by_sun_or_by_moon(world) {
        let paris = id(&made(world, "units", &embassy()).await);
        let mut yearly = event(&paris, "", "title");
        yearly["title"] = json!({"vi": "{years} năm Hiệp định Paris", "en": "Paris Accords: {years} years"});
        yearly["when"] = json!({"yearly": {"by": "solar", "month": 1, "day": 27, "since": 1973}});
        let accords = made(world, "events", &yearly).await;
        yearly["when"] = json!({"yearly": {"by": "lunar", "month": 1, "day": 1, "days": 3}});
        yearly["title"] = json!({"vi": "Nghỉ Tết", "en": "Closed for Tết"});
        made(world, "events", &yearly).await;
        let path = |limit: usize, cursor: &str| {
            let span = "from=2030-01-01T00:00:00Z&to=2031-01-27T00:00:00Z";
            format!("/api/v1/calendar?{span}&unit_id={paris}&limit={limit}{cursor}")
        };
        let whole = items(world, &world.admin, &path(50, "")).await;
        let short = |one: &Value| {
            let event = &one["event"];
            let days = &event["when"]["days"];
            format!("{} {} {} {}", one["title"]["en"], days["from"], days["to"], event["mark"]).replace('"', "")
        };
        // Tết of 2030 is the day before the Chinese new year.
        assert_eq!(whole.iter().map(short).collect::<Vec<_>>(), [
            "Paris Accords: 57 years 2030-01-27 2030-01-27 null",
            "Closed for Tết 2030-02-02 2030-02-04 null",
            "57 years of diplomatic relations between Viet Nam and France 2030-04-12 2030-04-12 null",
            "National Day of France 2030-07-14 2030-07-14 null",
            "Closed for Tết 2031-01-23 2031-01-25 null",
            "Paris Accords: 58 years 2031-01-27 2031-01-27 null",
        ]);
        let listed = &whole[2];
        assert_eq!((&listed["event"]["event_id"], &listed["event"]["years"]), (&Value::Null, &json!(57)));
        assert_eq!((&listed["unit_id"], &listed["at"]), (&json!(paris), &json!("2030-04-11T22:00:00Z")));
        let round = format!("/api/v1/calendar?from=2033-04-12T00:00:00Z&to=2033-04-13T00:00:00Z&unit_id={paris}");
        assert_eq!(items(world, &world.admin, &round).await[0]["event"]["mark"], "round");
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = world.ask("GET", &path(1, &cursor)).send().await.expect(200);
            seen.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, whole);
        yearly["when"]["yearly"]["month"] = json!(13);
        let refused = world.ask("POST", "/api/v1/events").json(&yearly).await;
        assert_eq!(refused.faults(), [("/when/yearly/month".to_owned(), "not_in_the_year".to_owned())]);
        let place = format!("/api/v1/events/{}", id(&accords));
        assert_eq!(world.ask("DELETE", &place).seen("*").send().await.status, 204);
        assert_eq!(items(world, &world.admin, &path(50, "")).await.len(), 4);
    }
}
