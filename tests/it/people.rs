//! People and their roles: each may what his role says where he has it, knows nothing of the rest, and
//! nothing any more when he has left.

use serde_json::{Value, json};

use crate::world::{Answer, World, both, embassy};

/// Two missions below the ministry, with one account each, and one person for each role in the first.
struct House {
    top: String,
    paris: String,
    hanoi: String,
    account: String,
    other: String,
}

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap_or_else(|| panic!("{of}")).to_owned()
}

impl House {
    async fn build(world: &World) -> Self {
        let mut body = embassy();
        body["approval"] = json!("none");
        let top = id(&world.ask("POST", "/api/v1/units").json(&body).await.expect(201));
        body["parent_id"] = json!(top);
        let paris = id(&world.ask("POST", "/api/v1/units").json(&body).await.expect(201));
        let hanoi = id(&world.ask("POST", "/api/v1/units").json(&body).await.expect(201));
        let mut accounts = Vec::new();
        for (office, unit) in [&paris, &hanoi].into_iter().enumerate() {
            let body = world.page_of(office, &json!({"id": unit}));
            accounts.push(id(&world.ask("POST", "/api/v1/accounts").json(&body).await.expect(201)));
        }
        let [account, other] = <[String; 2]>::try_from(accounts).unwrap();
        Self { top, paris, hanoi, account, other }
    }
}

/// Enters somebody with these roles, and gives his token and himself.
async fn enter(world: &World, name: &str, roles: Value) -> (String, Value) {
    let body = json!({"email": format!("{name}@mofa.example"), "name": name, "roles": roles});
    let person = world.ask("POST", "/api/v1/people").json(&body).await.expect(201);
    let token = world.token(json!({"name": name, "person_id": person["id"]})).await;
    (token["token"].as_str().unwrap().to_owned(), person)
}

async fn with(
    world: &World,
    token: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let ask = world.ask_as(token, method, path);
    match body {
        Some(body) => ask.json(body).await,
        None => ask.send().await,
    }
}

fn post(unit: &str) -> Value {
    json!({
        "unit_id": unit, "title": "Quốc khánh", "class": "routine", "source_language": "vi",
        "variants": [{"language": "vi", "text": "Chào mừng Quốc khánh 2 tháng 9"}],
    })
}

both! {
    async fn a_role_counts_in_its_unit_and_nowhere_else(world) {
        let house = House::build(world).await;
        let roles = json!([{"unit_id": house.paris, "role": "publisher"}]);
        let (token, _) = enter(world, "binh", roles).await;
        // His own.
        let written = with(world, &token, "POST", "/api/v1/posts", Some(&post(&house.paris))).await;
        let written = id(&written.expect(201));
        let wanted = json!({"deliveries": [{"account_id": house.account, "now": true}]});
        let path = format!("/api/v1/posts/{written}/deliveries");
        with(world, &token, "POST", &path, Some(&wanted)).await.expect(201);
        // Of others he knows nothing: not even that there is something.
        let foreign = world.ask("POST", "/api/v1/posts").json(&post(&house.hanoi)).await.expect(201);
        let foreign = id(&foreign);
        for path in [
            format!("/api/v1/posts/{foreign}"),
            format!("/api/v1/accounts/{}", house.other),
            format!("/api/v1/accounts/{}/health", house.other),
        ] {
            with(world, &token, "GET", &path, None).await.problem(404, "not_found");
        }
        let unknown = with(world, &token, "POST", "/api/v1/posts", Some(&post(&house.hanoi))).await;
        assert_eq!(unknown.faults(), [("/unit_id".to_owned(), "unknown_reference".to_owned())]);
        let wanted = json!({"deliveries": [{"account_id": house.other, "now": true}]});
        let refused = with(world, &token, "POST", &path, Some(&wanted)).await;
        let place = "/deliveries/0/account_id".to_owned();
        assert_eq!(refused.faults(), [(place, "unknown_reference".to_owned())]);
        let wanted = json!({"scope": {"unit_id": house.hanoi}, "reason": "not his"});
        let refused = with(world, &token, "POST", "/api/v1/holds", Some(&wanted)).await;
        assert_eq!(refused.status, 422);
        // Lists have his own and nothing else.
        for (list, mine) in [("posts", &written), ("accounts", &house.account)] {
            let path = format!("/api/v1/{list}");
            let shown = with(world, &token, "GET", &path, None).await.expect(200);
            let ids: Vec<String> = shown["items"].as_array().unwrap().iter().map(id).collect();
            assert_eq!(&ids, std::slice::from_ref(mine), "{list}");
        }
        // What concerns everybody is not his, and what his role does not have is said.
        let all = json!({"scope": {"all": true}, "reason": "everything"});
        let refused = with(world, &token, "POST", "/api/v1/holds", Some(&all)).await;
        refused.problem(403, "needs_administrator");
        let path = format!("/api/v1/accounts/{}/check", house.account);
        let refused = with(world, &token, "POST", &path, None).await.problem(403, "needs_role");
        assert!(refused["detail"].as_str().unwrap().contains("administrator"), "{refused}");
    }

    async fn a_role_covers_the_units_below(world) {
        let house = House::build(world).await;
        let (token, _) = enter(world, "an", json!([{"unit_id": house.top, "role": "reader"}])).await;
        let shown = with(world, &token, "GET", "/api/v1/accounts", None).await.expect(200);
        assert_eq!(shown["items"].as_array().unwrap().len(), 2);
        let refused = with(world, &token, "POST", "/api/v1/posts", Some(&post(&house.paris))).await;
        refused.problem(403, "needs_role");
    }

    async fn only_an_administrator_of_a_unit_gives_roles_there(world) {
        let house = House::build(world).await;
        let roles = json!([{"unit_id": house.paris, "role": "administrator"}]);
        let (token, _) = enter(world, "chi", roles).await;
        let author = |unit: &str| json!({
            "email": format!("{unit}@mofa.example"), "name": "Dung",
            "roles": [{"unit_id": unit, "role": "author"}],
        });
        let entered = with(world, &token, "POST", "/api/v1/people", Some(&author(&house.paris))).await;
        let entered = entered.expect(201);
        let refused = with(world, &token, "POST", "/api/v1/people", Some(&author(&house.hanoi))).await;
        assert_eq!(refused.faults(), [("/roles/0/unit_id".to_owned(), "unknown_reference".to_owned())]);
        // She may not make herself more than she is, nor change an administrator of everything.
        let people = with(world, &token, "GET", "/api/v1/people", None).await.expect(200);
        let names: Vec<&str> =
            people["items"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["chi", "Dung"]);
        let place = format!("/api/v1/people/{}", id(&entered));
        let change = json!({"roles": [{"unit_id": house.top, "role": "author"}]});
        let ask = world.ask_as(&token, "PATCH", &place).seen("*");
        let refused = ask.json(&change).await;
        assert_eq!(refused.faults(), [("/roles/0/unit_id".to_owned(), "unknown_reference".to_owned())]);
        let change = json!({"roles": [], "name": "Dũng"});
        let ask = world.ask_as(&token, "PATCH", &place).seen("\"1\"");
        let changed = ask.json(&change).await.expect(200);
        assert_eq!((&changed["name"], &changed["roles"]), (&json!("Dũng"), &json!([])));
        // Without a role he is nobody's but the ministry's.
        with(world, &token, "GET", &place, None).await.problem(404, "not_found");
        world.ask("GET", &place).send().await.expect(200);
    }

    async fn nobody_gives_more_than_he_has(world) {
        let house = House::build(world).await;
        // An administrator in one unit, and a reader in another and above.
        let end = "2999-01-01T00:00:00Z";
        let roles = json!([
            {"unit_id": house.paris, "role": "administrator", "ends_at": end},
            {"unit_id": house.hanoi, "role": "reader"},
        ]);
        let (token, me) = enter(world, "khoa", roles).await;
        let person = |unit: &str, end: Option<&str>| json!({
            "email": "linh@mofa.example", "name": "Linh",
            "roles": [{"unit_id": unit, "role": "publisher", "ends_at": end}],
        });
        for (body, code) in [
            (person(&house.hanoi, Some(end)), "needs_role"),
            (person(&house.paris, None), "role_beyond_own"),
            (person(&house.paris, Some("2999-01-02T00:00:00Z")), "role_beyond_own"),
        ] {
            let refused = with(world, &token, "POST", "/api/v1/people", Some(&body)).await;
            refused.problem(403, code);
        }
        let body = person(&house.paris, Some(end));
        let linh = with(world, &token, "POST", "/api/v1/people", Some(&body)).await.expect(201);
        // Not even to himself.
        let own = format!("/api/v1/people/{}", id(&me));
        let longer = json!({"roles": [{"unit_id": house.paris, "role": "administrator"}]});
        let ask = world.ask_as(&token, "PATCH", &own).seen("*");
        ask.json(&longer).await.problem(403, "role_beyond_own");
        // What somebody has where the other may not look stays, and is not shown to him.
        let place = format!("/api/v1/people/{}", id(&linh));
        let everywhere = json!({"roles": [
            {"unit_id": house.paris, "role": "publisher", "ends_at": end},
            {"unit_id": house.top, "role": "reader"},
        ]});
        world.ask("PATCH", &place).seen("*").json(&everywhere).await.expect(200);
        let seen = with(world, &token, "GET", &place, None).await.expect(200);
        assert_eq!(seen["roles"].as_array().unwrap().len(), 1);
        let ask = world.ask_as(&token, "PATCH", &place).seen("*");
        ask.json(&json!({"roles": []})).await.expect(200);
        let kept = world.ask("GET", &place).send().await.expect(200);
        assert_eq!(kept["roles"], json!([{"unit_id": house.top, "role": "reader", "ends_at": null}]));
        // Whom the ministry has shut out only the ministry lets in again.
        let gone = json!({"email": "minh@mofa.example", "name": "Minh",
            "roles": [{"unit_id": house.paris, "role": "author"}]});
        let gone = id(&world.ask("POST", "/api/v1/people").json(&gone).await.expect(201));
        let place = format!("/api/v1/people/{gone}");
        world.ask("PATCH", &place).seen("*").json(&json!({"disabled": true})).await.expect(200);
        let ask = world.ask_as(&token, "PATCH", &place).seen("*");
        ask.json(&json!({"disabled": false})).await.problem(403, "needs_administrator");
    }

    async fn what_others_have_handed_in_is_not_ones_own(world) {
        let house = House::build(world).await;
        let roles = json!([{"unit_id": house.paris, "role": "contributor"}]);
        let (token, _) = enter(world, "nga", roles).await;
        let hand_in = async |token: &str, side: u32| {
            let ask = world.ask_as(token, "POST", "/api/v1/media");
            id(&ask.body("image/png", crate::media::png(side, 2)).await.expect(201))
        };
        let shared = hand_in(&world.admin, 2).await;
        let own = hand_in(&token, 3).await;
        // The same bytes under an id of one's own are the same file.
        let same = hand_in(&token, 2).await;
        let over = json!({"licensed_until": "2020-01-01T00:00:00Z"});
        for file in [&shared, &same] {
            let terms = format!("/api/v1/media/{file}/terms");
            with(world, &token, "PUT", &terms, Some(&over)).await.problem(403, "not_your_file");
            let place = format!("/api/v1/media/{file}");
            with(world, &token, "DELETE", &place, None).await.problem(403, "not_your_file");
        }
        let terms = format!("/api/v1/media/{own}/terms");
        with(world, &token, "PUT", &terms, Some(&over)).await.expect(200);
    }

    async fn whoever_has_left_is_nobody_at_once(world) {
        let house = House::build(world).await;
        let roles = json!([{"unit_id": house.paris, "role": "author"}]);
        let (token, person) = enter(world, "em", roles).await;
        with(world, &token, "GET", "/api/v1/posts", None).await.expect(200);
        let place = format!("/api/v1/people/{}", id(&person));
        let gone = world.ask("PATCH", &place).seen("\"1\"").json(&json!({"disabled": true})).await;
        assert!(gone.expect(200)["disabled_at"].is_string());
        with(world, &token, "GET", "/api/v1/posts", None).await.problem(401, "unauthenticated");
        let back = world.ask("PATCH", &place).seen("\"2\"").json(&json!({"disabled": false})).await;
        back.expect(200);
        with(world, &token, "GET", "/api/v1/posts", None).await.expect(200);
        // The last one who may everything stays.
        let me = world.ask("GET", "/api/v1/people").send().await.expect(200);
        let me = me["items"].as_array().unwrap().iter().find(|it| it["administrator"] == true).unwrap().clone();
        let place = format!("/api/v1/people/{}", id(&me));
        let change = json!({"disabled": true});
        world.ask("PATCH", &place).seen("*").json(&change).await.problem(409, "last_administrator");
    }

    async fn a_deputy_is_one_until_the_end(world) {
        let house = House::build(world).await;
        let over = json!([{"unit_id": house.paris, "role": "approver", "ends_at": "2020-01-01T00:00:00Z"}]);
        let body = json!({"email": "p@mofa.example", "name": "Phó", "roles": over});
        let refused = world.ask("POST", "/api/v1/people").json(&body).await;
        assert_eq!(refused.faults(), [("/roles/0/ends_at".to_owned(), "role_over".to_owned())]);
        let roles = json!([{"unit_id": house.paris, "role": "approver", "ends_at": "2999-01-01T00:00:00Z"}]);
        let (token, _) = enter(world, "giang", roles).await;
        with(world, &token, "GET", "/api/v1/posts", None).await.expect(200);
        // Its end has come.
        world.change("UPDATE roles SET ends_at = given_at").await;
        crate::stage::eventually("the role has ended", async || {
            let answer = with(world, &token, "GET", "/api/v1/posts", None).await;
            if answer.status == 403 { Ok(()) } else { Err(format!("{}", answer.status)) }
        })
        .await;
    }

    async fn what_is_wrong_with_a_person_is_said_at_once(world) {
        let house = House::build(world).await;
        let body = json!({"email": "x", "name": " ", "roles": [
            {"unit_id": house.paris, "role": "author"}, {"unit_id": house.paris, "role": "author"},
            {"unit_id": "unit_00000000000000000000000000000000", "role": "reader"},
        ]});
        let refused = world.ask("POST", "/api/v1/people").json(&body).await;
        let mut places: Vec<String> = refused.faults().into_iter().map(|it| it.0).collect();
        places.sort();
        assert_eq!(places, ["/email", "/name", "/roles/1", "/roles/2/unit_id"]);
        let roles = json!([{"unit_id": house.paris, "role": "author"}]);
        enter(world, "hoa", roles.clone()).await;
        let body = json!({"email": "HOA@mofa.example", "name": "Hoa", "roles": roles});
        world.ask("POST", "/api/v1/people").json(&body).await.problem(409, "person_exists");
    }
}
