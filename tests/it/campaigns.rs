//! Campaigns: what belongs together, who sees it, and last year's again.

use serde_json::{Value, json};

use crate::planning::{Desk, place_of};
use crate::world::{World, both};

fn id(of: &Value) -> &str {
    of["id"].as_str().unwrap_or_else(|| panic!("{of}"))
}

async fn made(world: &World, token: &str, path: &str, body: &Value) -> Value {
    world.ask_as(token, "POST", &format!("/api/v1/{path}")).json(body).await.expect(201)
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

fn campaign(unit: &str) -> Value {
    json!({
        "unit_id": unit, "title": {"vi": "Quốc khánh", "en": "National Day"},
        "period": {"from": "2031-08-15", "to": "2031-09-03"}, "time_zone": "Asia/Ho_Chi_Minh",
        "message": "Độc lập", "hashtags": ["QuocKhanh"],
    })
}

async fn ids(world: &World, token: &str, path: &str) -> Vec<String> {
    let page = world.ask_as(token, "GET", &format!("/api/v1/{path}")).send().await.expect(200);
    page["items"].as_array().unwrap().iter().map(|it| id(it).to_owned()).collect()
}

both! {
    async fn posts_belong_to_a_campaign_that_is_changed_by_its_version(world) {
        let desk = Desk::open(world).await;
        let entered = world.ask("POST", "/api/v1/campaigns").json(&campaign(&desk.unit)).await;
        let (place, tag) = (entered.header("location").to_owned(), entered.header("etag").to_owned());
        let entered = entered.expect(201);
        assert_eq!((&entered["hashtags"], &entered["pillars"]), (&json!(["#QuocKhanh"]), &json!([])));
        let change = json!({"guidance": "Không nêu tên", "message": null});
        let changed = world.ask("PATCH", &place).seen(&tag).json(&change).await.expect(200);
        assert_eq!((&changed["guidance"], &changed["message"]), (&json!("Không nêu tên"), &json!("")));
        world.ask("PATCH", &place).seen(&tag).json(&change).await.problem(412, "stale");
        let back = json!({"period": {"from": "2031-08-15", "to": "2031-08-14"}, "units": [desk.unit],
            "accounts": [desk.page]});
        let refused = world.ask("PATCH", &place).seen("*").json(&back).await;
        assert_eq!(refused.faults(), [("/period/to".to_owned(), "ends_before_it_begins".to_owned())]);

        let mut draft = desk.draft();
        draft["campaign_id"] = entered["id"].clone();
        let post = made(world, &world.admin, "posts", &draft).await;
        let wanted = json!({"deliveries": [{"account_id": desk.page, "language": "vi", "at": "2031-09-02T02:00:00Z"}]});
        made(world, &world.admin, &format!("posts/{}/deliveries", id(&post)), &wanted).await;
        desk.scheduled(world, "Bài ngoài", "2031-09-02T03:00:00Z").await;
        let filter = format!("campaign_id={}", id(&entered));
        assert_eq!(ids(world, &world.admin, &format!("posts?{filter}")).await, [id(&post)]);
        assert_eq!(ids(world, &world.admin, &format!("deliveries?{filter}")).await.len(), 1);
        let month = "/api/v1/calendar?from=2031-09-01T00:00:00Z&to=2031-10-01T00:00:00Z";
        let planned = world.ask("GET", &format!("{month}&{filter}")).send().await.expect(200);
        assert_eq!(planned["items"].as_array().unwrap().len(), 1);
        assert_eq!(planned["items"][0]["delivery"]["campaign_id"], entered["id"]);
        world.ask("DELETE", &place).seen("*").send().await.problem(409, "campaign_has_posts");
        let out = json!({"campaign_id": null});
        world.ask("PATCH", &place_of(&post)).seen("*").json(&out).await.expect(200);
        assert_eq!(world.ask("DELETE", &place).seen("*").send().await.status, 204);
        let back = json!({"campaign_id": entered["id"]});
        let gone = world.ask("PATCH", &place_of(&post)).seen("*").json(&back).await;
        assert_eq!(gone.faults(), [("/campaign_id".to_owned(), "unknown_reference".to_owned())]);
    }

    async fn last_years_campaign_is_made_again_with_its_own_posts(world) {
        let desk = Desk::open(world).await;
        let old = made(world, &world.admin, "campaigns", &campaign(&desk.unit)).await;
        let mut draft = desk.draft();
        draft["campaign_id"] = old["id"].clone();
        let post = made(world, &world.admin, "posts", &draft).await;
        let other = world.unit().await;
        draft["unit_id"] = other["id"].clone();
        made(world, &world.admin, "posts", &draft).await;
        let author = officer(world, &desk.unit, "author").await;
        let clone = format!("/api/v1/campaigns/{}/clone", id(&old));
        let wanted = json!({"from": "2032-08-15"});
        let asked = || world.ask_as(&author, "POST", &clone).key("again");
        let made = asked().json(&wanted).await.expect(201);
        let new = &made["campaign"];
        assert_eq!((&new["period"]["to"], &new["cloned_from"]), (&json!("2032-09-03"), &old["id"]));
        let repeated = asked().json(&wanted).await.expect(201);
        assert_eq!(repeated, made, "once, however often it is asked for");
        let copies = ids(world, &author, &format!("posts?campaign_id={}", id(new))).await;
        assert_eq!(json!(copies), made["posts"]);
        let [copy] = &copies[..] else { panic!("{copies:?}") };
        let copy = world.ask("GET", &format!("/api/v1/posts/{copy}")).send().await.expect(200);
        assert_eq!(copy["content_hash"], post["content_hash"]);
        assert_eq!((&copy["revision"], &copy["variants"][1]["status"]), (&json!(1), &json!("draft")));
        assert_ne!(copy["created_by"], post["created_by"]);
    }

    async fn what_is_anothers_is_not_there(world) {
        let desk = Desk::open(world).await;
        let other = world.unit().await;
        let mut meant = campaign(&desk.unit);
        meant["units"] = json!([other["id"]]);
        let hidden = made(world, &world.admin, "campaigns", &meant).await;
        let own = made(world, &world.admin, "campaigns", &campaign(id(&other))).await;
        let author = officer(world, id(&other), "author").await;
        assert_eq!(ids(world, &author, "campaigns").await, [id(&own)]);
        assert_eq!(ids(world, &world.admin, "campaigns?from=2031-09-03&to=2031-09-30").await.len(), 2);
        assert_eq!(ids(world, &world.admin, "campaigns?from=2031-09-04").await, [""; 0]);
        let place = format!("/api/v1/campaigns/{}", id(&hidden));
        world.ask_as(&author, "GET", &place).send().await.problem(404, "not_found");
        let title = json!({"title": {"vi": "a", "en": "a"}});
        world.ask_as(&author, "PATCH", &place).seen("*").json(&title).await.problem(404, "not_found");
        let clone = world.ask_as(&author, "POST", &format!("{place}/clone"));
        clone.json(&json!({"from": "2032-01-01"})).await.problem(404, "not_found");
        let mut draft = desk.draft();
        (draft["unit_id"], draft["campaign_id"]) = (other["id"].clone(), hidden["id"].clone());
        let refused = world.ask_as(&author, "POST", "/api/v1/posts").json(&draft).await;
        assert_eq!(refused.faults(), [("/campaign_id".to_owned(), "unknown_reference".to_owned())]);
        let reader = officer(world, id(&other), "reader").await;
        let refused = world.ask_as(&reader, "POST", "/api/v1/campaigns").json(&campaign(id(&other))).await;
        refused.problem(403, "needs_role");
    }
}
