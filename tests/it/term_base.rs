//! The term base: official names that hold for a unit and all below it, and what is told of texts by them.

use serde_json::{Value, json};

use crate::planning::{codes, place_of};
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
async fn officer(world: &World, unit: &str, role: &str) -> String {
    let name = format!("{role}.{}", &unit[unit.len() - 8..]);
    let person = json!({
        "email": format!("{name}@mofa.example"), "name": name, "roles": [{"unit_id": unit, "role": role}],
    });
    let person = made(world, &world.admin, "people", &person).await;
    let token = world.token(json!({"name": name, "person_id": person["id"]})).await;
    token["token"].as_str().unwrap().to_owned()
}

/// A ministry with one mission below it, and a unit beside them.
struct House {
    ministry: String,
    mission: String,
    beside: String,
}

impl House {
    async fn open(world: &World) -> Self {
        let ministry = id(&made(world, &world.admin, "units", &embassy()).await).to_owned();
        let mut below = embassy();
        below["parent_id"] = json!(ministry);
        let mission = id(&made(world, &world.admin, "units", &below).await).to_owned();
        let beside = id(&made(world, &world.admin, "units", &embassy()).await).to_owned();
        Self { ministry, mission, beside }
    }
}

fn ministry(unit: &str) -> Value {
    json!({
        "unit_id": unit, "note": "Theo Nghị định",
        "names": [
            {"language": "vi", "name": "Bộ Ngoại giao"},
            {"language": "en", "name": "Ministry of Foreign Affairs", "not": ["Ministry of Foreign Relations"]},
            {"language": "fr", "name": "ministère des Affaires étrangères", "also": ["MAE"]},
        ],
    })
}

fn draft(unit: &str, texts: &[(&str, &str)]) -> Value {
    let variants = texts.iter().map(|(tag, text)| json!({"language": tag, "text": text}));
    json!({
        "unit_id": unit, "title": "t", "class": "routine", "source_language": "vi",
        "variants": variants.collect::<Vec<_>>(),
    })
}

const SOURCE: (&str, &str) = ("vi", "Bộ Ngoại giao thông báo");

async fn names(world: &World, token: &str, query: &str) -> Vec<String> {
    let page = got(world, token, &format!("term-entries{query}")).await;
    let items = page["items"].as_array().unwrap();
    items.iter().map(|it| it["names"][0]["name"].as_str().unwrap().to_owned()).collect()
}

both! {
    async fn an_entry_is_changed_by_its_version_and_holds_below(world) {
        let house = House::open(world).await;
        let author = officer(world, &house.ministry, "author").await;
        let asked = world.ask_as(&author, "POST", "/api/v1/term-entries").json(&ministry(&house.ministry)).await;
        let (place, tag) = (asked.header("location").to_owned(), asked.header("etag").to_owned());
        asked.expect(201);
        let change = json!({"note": null, "match_case": true});
        let changed = world.ask_as(&author, "PATCH", &place).seen(&tag).json(&change).await.expect(200);
        assert_eq!((&changed["note"], &changed["match_case"]), (&json!(""), &json!(true)));
        world.ask_as(&author, "PATCH", &place).seen(&tag).json(&change).await.problem(412, "stale");
        world.ask_as(&author, "PATCH", &place).json(&change).await.problem(428, "precondition_required");
        let twice = json!({"names": [{"language": "en", "name": "a", "not": ["A"]}, {"language": "EN", "name": ""}]});
        let refused = world.ask_as(&author, "PATCH", &place).seen("*").json(&twice).await;
        let expected = [("/names/1/language", "term_language_twice"), ("/names/1/name", "blank")];
        let expected = expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned()));
        assert_eq!(refused.faults(), expected, "with capitals that count the forbidden one is another");
        // Whoever is covered reads it and does not change it; of those beside it is not there.
        let below = officer(world, &house.mission, "publisher").await;
        assert_eq!(names(world, &below, "").await, ["Bộ Ngoại giao"]);
        world.ask_as(&below, "GET", &place).send().await.expect(200);
        world.ask_as(&below, "PATCH", &place).seen("*").json(&change).await.problem(403, "needs_role");
        let beside = officer(world, &house.beside, "publisher").await;
        assert_eq!(names(world, &beside, "").await, [""; 0]);
        world.ask_as(&beside, "GET", &place).send().await.problem(404, "not_found");
        world.ask_as(&beside, "DELETE", &place).seen("*").send().await.problem(404, "not_found");
        let elsewhere = world.ask_as(&beside, "POST", "/api/v1/term-entries").json(&ministry(&house.ministry)).await;
        assert_eq!(elsewhere.faults(), [("/unit_id".to_owned(), "unknown_reference".to_owned())]);
        let hands_in = officer(world, &house.ministry, "contributor").await;
        let refused = world.ask_as(&hands_in, "POST", "/api/v1/term-entries").json(&ministry(&house.ministry)).await;
        refused.problem(403, "needs_role");

        let own = json!({"unit_id": house.mission, "names": [{"language": "vi", "name": "Đại sứ quán 100%"}]});
        made(world, &below, "term-entries", &own).await;
        let covers = format!("?covers={}", house.mission);
        assert_eq!(names(world, &world.admin, &covers).await, ["Đại sứ quán 100%", "Bộ Ngoại giao"]);
        assert_eq!(names(world, &world.admin, &format!("?unit_id={}", house.ministry)).await, ["Bộ Ngoại giao"]);
        assert_eq!(names(world, &below, "?q=FOREIGN%20relations").await, ["Bộ Ngoại giao"]);
        assert_eq!(names(world, &below, "?q=100%25").await, ["Đại sứ quán 100%"]);
        assert_eq!(names(world, &below, "?q=%25giao").await, [""; 0], "no sign stands for others");
        assert_eq!(world.ask_as(&author, "DELETE", &place).seen("\"2\"").send().await.status, 204);
        world.ask_as(&author, "GET", &place).send().await.problem(404, "not_found");
    }

    async fn what_is_called_otherwise_is_told_when_it_is_written_checked_and_read(world) {
        let house = House::open(world).await;
        let body = draft(&house.mission, &[SOURCE, ("en", "The Ministry of Foreign Relations says"), ("fr", "Le ministère")]);
        let none = made(world, &world.admin, "posts", &body).await;
        assert_eq!(none["term_warnings"], Value::Null, "there is no term base yet");
        let entry = made(world, &world.admin, "term-entries", &ministry(&house.ministry)).await;
        let post = made(world, &world.admin, "posts", &body).await;
        let told = &post["term_warnings"];
        assert_eq!(codes(told), ["term_forbidden", "term_missing"]);
        assert_eq!((&told[0]["pointer"], &told[1]["pointer"]), (&json!("/variants/1/text"), &json!("/variants/2")));
        assert_eq!(told[0]["values"]["term_entry_id"], entry["id"]);
        assert_eq!(told[1]["values"]["name"], "ministère des Affaires étrangères");
        // Of those beside it says nothing.
        let mut other = body.clone();
        other["unit_id"] = json!(house.beside);
        assert_eq!(made(world, &world.admin, "posts", &other).await["term_warnings"], Value::Null);

        let check = json!({"post": body, "deliveries": []});
        let report = world.ask("POST", "/api/v1/posts/check").header("accept-language", "vi").json(&check).await.expect(200);
        assert_eq!((&report["ok"], codes(&report["warnings"])), (&json!(true), vec!["term_forbidden", "term_missing"]));
        assert_eq!(report["warnings"][0]["pointer"], "/post/variants/1/text");
        assert_eq!(
            report["warnings"][1]["detail"],
            "Bản gốc có “Bộ Ngoại giao”: bản fr phải dùng “ministère des Affaires étrangères”."
        );
        let saved = json!({"post_id": none["id"], "deliveries": []});
        let report = world.ask("POST", "/api/v1/posts/check").json(&saved).await.expect(200);
        assert_eq!(report["warnings"][0]["pointer"], "/post_id");
        assert_eq!(report["warnings"][0]["values"]["place"], "/variants/1/text");

        // Written before there was a term base, and read now.
        let path = place_of(&none)["/api/v1/".len()..].to_owned();
        assert_eq!(codes(&got(world, &world.admin, &path).await["term_warnings"]), ["term_forbidden", "term_missing"]);
        let page = got(world, &world.admin, "posts").await;
        assert!(page["items"][0].get("term_warnings").is_none(), "not in lists");
        let right = [SOURCE, ("en", "The MINISTRY OF FOREIGN AFFAIRS says"), ("fr", "Le MAE dit")];
        let right = json!({"variants": draft("", &right)["variants"]});
        let mended = world.ask("PATCH", &place_of(&none)).seen("*").json(&right).await.expect(200);
        assert_eq!(mended["term_warnings"], Value::Null);
        // The base changes, and is read anew.
        let place = format!("/api/v1/term-entries/{}", id(&entry));
        let names = json!({"names": [{"language": "vi", "name": "Bộ Ngoại giao"}, {"language": "en", "name": "MOFA"}]});
        world.ask("PATCH", &place).seen("*").json(&names).await.expect(200);
        let told = got(world, &world.admin, &path).await["term_warnings"].clone();
        assert_eq!((codes(&told), &told[0]["values"]["name"]), (vec!["term_missing"], &json!("MOFA")));
        world.ask("DELETE", &place).seen("*").send().await;
        assert_eq!(got(world, &world.admin, &path).await["term_warnings"], Value::Null);
    }

    async fn a_table_is_taken_all_or_not_at_all_and_given_back(world) {
        let house = House::open(world).await;
        let path = |dry: bool| format!("/api/v1/term-entries/import?unit_id={}&dry_run={dry}", house.ministry);
        let hand = |dry: bool, table: &str| world.ask("POST", &path(dry)).body("text/csv", table.as_bytes().to_vec());
        let bad = "vi;en;en not;klingon speech;match_case\nBộ A;;B;x;maybe\nBộ C;C;C;;yes\n";
        let seen = hand(true, bad).await.expect(200);
        assert_eq!((&seen["ok"], &seen["rows"], &seen["made"]), (&json!(false), &json!(2), &json!(0)));
        let faults: Vec<_> = seen["errors"].as_array().unwrap().iter()
            .map(|it| (it["row"].as_u64().unwrap(), it["code"].as_str().unwrap())).collect();
        assert_eq!(faults, [(1, "unknown_column"), (2, "unknown_word"), (2, "blank"), (3, "term_said_twice")]);
        assert_eq!(hand(false, bad).await.status, 422);
        assert_eq!(names(world, &world.admin, "").await, [""; 0], "nothing of it");

        let table = "note,match_case,vi,vi không dùng,en,EN also\n\
            ,,Bộ Ngoại giao,Bộ Ngoại vụ | Bộ Đối ngoại,Ministry of Foreign Affairs,MOFA\n\
            '=1,true,Quốc hội,,National Assembly,\n\
            '=1,yes,Quốc hội,,National Assembly,\n";
        let seen = hand(true, table).await.expect(200);
        assert_eq!((&seen["made"], &seen["known"], &seen["errors"]), (&json!(2), &json!(1), &json!([])));
        assert_eq!(names(world, &world.admin, "").await, [""; 0], "only looked at");
        let done = hand(false, table).await.expect(200);
        assert_eq!((&done["made"], &done["known"]), (&json!(2), &json!(1)));
        let page = got(world, &world.admin, "term-entries").await;
        let of = |name: &str| page["items"].as_array().unwrap().iter().find(|it| it["names"][1]["name"] == name).unwrap().clone();
        let ministry = of("Bộ Ngoại giao");
        assert_eq!(ministry["names"][1]["not"], json!(["Bộ Ngoại vụ", "Bộ Đối ngoại"]));
        assert_eq!(ministry["names"][0]["also"], json!(["MOFA"]));
        assert_eq!((&of("Quốc hội")["note"], &of("Quốc hội")["match_case"]), (&json!("=1"), &json!(true)));
        let out = format!("/api/v1/term-entries/export?unit_id={}", house.ministry);
        let out = world.ask("GET", &out).send().await;
        assert!(out.header("content-type").starts_with("text/csv"));
        let text = String::from_utf8(out.bytes.clone()).unwrap();
        assert!(text.contains("'=1,true"), "no program takes it for a formula: {text}");
        let again = hand(false, &text).await.expect(200);
        assert_eq!((&again["made"], &again["known"]), (&json!(0), &json!(2)), "it says what there is");
        let beside = officer(world, &house.beside, "author").await;
        let path = path(true);
        let refused = world.ask_as(&beside, "POST", &path).body("text/csv", table.as_bytes().to_vec()).await;
        assert_eq!(refused.faults(), [("?unit_id".to_owned(), "unknown_reference".to_owned())]);
    }
}
