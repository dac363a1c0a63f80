//! What the tests of posts and deliveries begin with.

use serde_json::{Value, json};

use crate::world::World;

/// A unit whose posts need no approval, with one Page and one profile on X.
pub(crate) struct Desk {
    pub(crate) unit: String,
    pub(crate) page: String,
    pub(crate) profile: String,
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

impl Desk {
    /// Made over the API.
    pub(crate) async fn open(world: &World) -> Self {
        let unit = world.unit().await;
        let page = account(world, world.page_of(0, &unit)).await;
        let user = &world.seed.accounts()[0].user;
        let profile = json!({
            "unit_id": unit["id"], "platform": "x", "remote_id": user.id,
            "credential": {"kind": "oauth2", "access_token": user.token},
        });
        let profile = account(world, profile).await;
        Self { unit: id(&unit), page, profile }
    }

    /// The body of a post in Vietnamese and French.
    pub(crate) fn draft(&self) -> Value {
        json!({
            "unit_id": self.unit, "title": "Quốc khánh", "class": "routine",
            "source_language": "vi", "labels": ["lễ"],
            "variants": [
                {"language": "vi", "text": "Chào mừng Quốc khánh 2/9"},
                {"language": "fr", "text": "Fête nationale du Vietnam"},
            ],
        })
    }

    /// A post with this Vietnamese text.
    pub(crate) async fn post(&self, world: &World, text: &str) -> Value {
        let mut draft = self.draft();
        draft["variants"][0]["text"] = json!(text);
        world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201)
    }

    /// One delivery of a new post to the Page at an instant.
    pub(crate) async fn scheduled(&self, world: &World, text: &str, at: &str) -> Value {
        let post = self.post(world, text).await;
        let wanted = json!({"deliveries": [{"account_id": self.page, "language": "vi", "at": at}]});
        let done = world.ask("POST", &schedule_of(&post)).json(&wanted).await.expect(201);
        done["deliveries"][0].clone()
    }
}

/// An account made of a body, with the zone and languages of these tests; its id.
pub(crate) async fn account(world: &World, mut body: Value) -> String {
    body["languages"] = json!(["vi", "en"]);
    body["time_zone"] = json!("Europe/Paris");
    id(&world.ask("POST", "/api/v1/accounts").json(&body).await.expect(201))
}

/// Where a post is.
pub(crate) fn place_of(post: &Value) -> String {
    format!("/api/v1/posts/{}", post["id"].as_str().unwrap())
}

/// Where a post is scheduled.
pub(crate) fn schedule_of(post: &Value) -> String {
    format!("{}/deliveries", place_of(post))
}

/// Where a delivery is.
pub(crate) fn delivery_of(delivery: &Value) -> String {
    format!("/api/v1/deliveries/{}", delivery["id"].as_str().unwrap())
}

/// The codes of a list of findings, in their order.
pub(crate) fn codes(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect()
}
