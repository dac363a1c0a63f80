//! The matrix of a campaign: how far each account is in each language, and the holes.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::planning::account;
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

/// A token of a publisher of a unit.
async fn publisher(world: &World, unit: &str, name: &str) -> String {
    let person = json!({
        "email": format!("{name}@mofa.example"), "name": name, "roles": [{"unit_id": unit, "role": "publisher"}],
    });
    let person = made(world, &world.admin, "people", &person).await;
    let token = world.token(json!({"name": name, "person_id": person["id"]})).await;
    token["token"].as_str().unwrap().to_owned()
}

async fn unit(world: &World) -> String {
    id(&made(world, &world.admin, "units", &embassy()).await).to_owned()
}

/// The cells of a unit's rows, one a line: `vi draft`, a hole with a star, what nobody wants in brackets.
fn cells(matrix: &Value, unit: &str) -> String {
    let mut text = String::new();
    for row in matrix["rows"].as_array().unwrap().iter().filter(|row| row["unit_id"] == unit) {
        for cell in row["cells"].as_array().unwrap() {
            let (language, state) =
                (cell["language"].as_str().unwrap(), cell["state"].as_str().unwrap());
            let hole = if cell["hole"] == true { "*" } else { "" };
            if cell["wanted"] == true {
                write!(text, "{language} {state}{hole}; ").unwrap();
            } else {
                write!(text, "({language} {state}{hole}); ").unwrap();
            }
        }
    }
    text
}

/// A mission sees its own rows, a stranger none at all.
async fn sees_its_own_rows(world: &World, path: &str, (token, own): (&str, &str)) {
    let part = got(world, token, path).await;
    let rows = part["rows"].as_array().unwrap().iter();
    let units: Vec<_> = rows.map(|it| it["unit_id"].clone()).collect();
    assert_eq!(units, [json!(own)]);
    assert_eq!(part["counts"], json!({"draft": 1, "missing": 1, "stale": 1}));
    let stranger = publisher(world, &unit(world).await, "stranger").await;
    let refused = world.ask_as(&stranger, "GET", &format!("/api/v1/{path}")).send().await;
    refused.problem(404, "not_found");
}

both! {
    async fn each_target_shows_how_far_it_is_in_each_language(world) {
        let (office, paris, rome) = (unit(world).await, unit(world).await, unit(world).await);
        let publishes = publisher(world, &paris, "paris").await;
        let leads = publisher(world, &office, "office").await;
        let campaign = json!({
            "unit_id": office, "title": {"vi": "t", "en": "t"}, "units": [paris, rome],
            "period": {"from": "2031-08-15", "to": "2031-09-03"},
        });
        let campaign = made(world, &leads, "campaigns", &campaign).await;
        let path = format!("campaigns/{}/matrix", id(&campaign));
        // Its languages are Vietnamese and English.
        let page = account(world, world.page_of(0, &json!({"id": paris}))).await;
        let matrix = got(world, &leads, &path).await;
        assert_eq!(cells(&matrix, &paris), "vi missing*; en missing*; ");
        assert_eq!(cells(&matrix, &rome), "vi missing*; fr missing*; ", "without accounts: those of the unit");
        assert_eq!((&matrix["holes"], &matrix["counts"]), (&json!(4), &json!({"missing": 4})));

        // Of an offer that nobody has answered it comes to know of the campaign.
        let text = |language: &str, text: &str| json!({"language": language, "text": text});
        let mut first = json!({
            "unit_id": office, "campaign_id": campaign["id"], "title": "t", "class": "routine",
            "source_language": "vi", "variants": [text("vi", "một"), text("fr", "un")],
        });
        let offered = made(world, &leads, "posts", &first).await;
        let kit = json!({"post_id": offered["id"], "units": [paris]});
        made(world, &leads, &format!("campaigns/{}/kits", id(&campaign)), &kit).await;
        first["unit_id"] = json!(paris);
        let first = made(world, &publishes, "posts", &first).await;
        let matrix = got(world, &leads, &path).await;
        assert_eq!(cells(&matrix, &paris), "vi draft; en missing*; (fr draft); ");
        // A machine's words, and then another source.
        let place = format!("/api/v1/posts/{}", id(&first));
        let machine = json!({"language": "en", "text": "one", "machine": true});
        let three = json!({"variants": [text("vi", "một"), text("fr", "un"), machine]});
        world.ask_as(&publishes, "PATCH", &place).seen("*").json(&three).await.expect(200);
        assert_eq!(cells(&got(world, &leads, &path).await, &paris), "vi draft; en machine; (fr draft); ");
        let three = json!({"variants": [text("vi", "hai"), text("fr", "un"), text("en", "one")]});
        world.ask_as(&publishes, "PATCH", &place).seen("*").json(&three).await.expect(200);
        assert_eq!(cells(&got(world, &leads, &path).await, &paris), "vi draft; en machine; (fr stale); ");

        let wanted = json!({"deliveries": [{"account_id": page, "language": "vi", "at": "2031-09-02T02:00:00Z"}]});
        let planned = made(world, &publishes, &format!("posts/{}/deliveries", id(&first)), &wanted).await;
        let matrix = got(world, &leads, &path).await;
        assert_eq!(cells(&matrix, &paris), "vi scheduled; en machine; (fr stale); ");
        // A second post is less far: it is what the cell shows, and both are counted.
        let second = json!({
            "unit_id": paris, "campaign_id": campaign["id"], "title": "t", "class": "routine",
            "source_language": "vi", "variants": [text("vi", "ba")],
        });
        made(world, &publishes, "posts", &second).await;
        let matrix = got(world, &leads, &path).await;
        assert_eq!(cells(&matrix, &paris), "vi draft; en missing*; (fr stale); ");
        let row = matrix["rows"].as_array().unwrap().iter().find(|it| it["unit_id"] == *paris).unwrap();
        assert_eq!((&row["account_id"], &row["platform"]), (&json!(page), &json!("facebook")));
        assert_eq!(row["cells"][0]["posts"], json!({"draft": 1, "scheduled": 1}));
        assert_eq!(matrix["languages"], json!(["en", "fr", "vi"]));
        // What was cancelled is as if it had not been planned.
        let delivery = format!("/api/v1/deliveries/{}/cancel", id(&planned["deliveries"][0]));
        let cancelled = world.ask_as(&publishes, "POST", &delivery).seen("*").send().await;
        assert_eq!(cancelled.status, 200, "{cancelled:?}");
        let row = got(world, &leads, &path).await["rows"].clone();
        let row = row.as_array().unwrap().iter().find(|it| it["unit_id"] == *paris).unwrap().clone();
        assert_eq!(row["cells"][0]["posts"], json!({"draft": 2}));

        sees_its_own_rows(world, &path, (&publishes, &paris)).await;
    }
}
