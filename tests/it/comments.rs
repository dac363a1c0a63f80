//! Notes on posts: who sees them, who is called, who may change what.

use serde_json::{Value, json};

use crate::calendar::{id, made, unit};
use crate::world::{World, both};

/// A person with a role in a unit: his id and a token.
async fn person(world: &World, unit: &str, name: &str, role: &str) -> (String, String) {
    let body = json!({
        "email": format!("{name}@mofa.example"), "name": name, "roles": [{"unit_id": unit, "role": role}],
    });
    let person = id(&made(world, "people", &body).await);
    let token = world.token(json!({"name": name, "person_id": person})).await;
    (person, token["token"].as_str().unwrap().to_owned())
}

async fn post(world: &World, unit: &str) -> String {
    id(&made(
        world,
        "posts",
        &json!({
            "unit_id": unit, "title": "Bài", "class": "routine", "source_language": "vi",
            "variants": [{"language": "vi", "text": "Tin"}],
        }),
    )
    .await)
}

async fn note(world: &World, token: &str, post: &str, body: &Value) -> Value {
    let path = format!("/api/v1/posts/{post}/comments");
    world.ask_as(token, "POST", &path).json(body).await.expect(201)
}

async fn notes(world: &World, token: &str, post: &str) -> Vec<Value> {
    let path = format!("/api/v1/posts/{post}/comments");
    let page = world.ask_as(token, "GET", &path).send().await.expect(200);
    page["items"].as_array().unwrap().clone()
}

fn place(comment: &Value) -> String {
    format!("/api/v1/comments/{}", id(comment))
}

both! {
    async fn people_write_answer_and_settle(world) {
        let unit = unit(world, None).await;
        let post = post(world, &unit).await;
        let (_, an) = person(world, &unit, "an", "author").await;
        let (_, binh) = person(world, &unit, "binh", "reader").await;
        let first = note(world, &an, &post, &json!({"text": " Tên đúng chưa? ", "language": "vi"})).await;
        assert_eq!((&first["text"], &first["revision"]), (&json!("Tên đúng chưa?"), &json!(1)));
        let answer = note(world, &binh, &post, &json!({"text": "Đúng", "reply_to": first["id"]})).await;
        assert_eq!(notes(world, &binh, &post).await, [first.clone(), answer.clone()]);
        let settled = world.ask_as(&binh, "PATCH", &place(&first)).seen("\"1\"");
        let settled = settled.json(&json!({"resolved": true})).await.expect(200);
        assert!(settled["resolved_at"].is_string() && settled["version"] == 2);
        let stale = world.ask_as(&an, "PATCH", &place(&first)).seen("\"1\"");
        stale.json(&json!({"resolved": false})).await.problem(412, "stale");
        let on_answer = world.ask_as(&an, "PATCH", &place(&answer)).seen("\"1\"");
        let refused = on_answer.json(&json!({"resolved": true})).await;
        assert_eq!(refused.faults(), [("/resolved".to_owned(), "not_answerable".to_owned())]);
        // The post is as it was: a note is no change of it.
        let shown = world.ask("GET", &format!("/api/v1/posts/{post}")).send().await.expect(200);
        assert_eq!(shown["revision"], 1);
    }

    async fn what_somebody_wrote_is_his(world) {
        let unit = unit(world, None).await;
        let post = post(world, &unit).await;
        let (_, an) = person(world, &unit, "an", "author").await;
        let (_, binh) = person(world, &unit, "binh", "publisher").await;
        let (_, chief) = person(world, &unit, "chief", "administrator").await;
        let first = note(world, &an, &post, &json!({"text": "Một"})).await;
        let answer = note(world, &binh, &post, &json!({"text": "Hai", "reply_to": first["id"]})).await;
        let other = world.ask_as(&binh, "PATCH", &place(&first)).seen("\"1\"");
        other.json(&json!({"text": "Khác"})).await.problem(403, "not_your_comment");
        assert_eq!(world.ask_as(&binh, "DELETE", &place(&first)).seen("\"1\"").send().await.status, 403);
        let own = world.ask_as(&an, "PATCH", &place(&first)).seen("\"1\"");
        assert_eq!(own.json(&json!({"text": "Một rưỡi"})).await.expect(200)["text"], "Một rưỡi");
        assert_eq!(world.ask_as(&chief, "DELETE", &place(&first)).seen("\"2\"").send().await.status, 204);
        let seen = notes(world, &an, &post).await;
        assert_eq!((&seen[0]["text"], seen[0]["removed_at"].is_string()), (&json!(""), true));
        assert_eq!(seen[1], answer);
        let again = world.ask_as(&an, "PATCH", &place(&first)).seen("*");
        again.json(&json!({"text": "x"})).await.problem(409, "comment_removed");
        let body = json!({"text": "x", "reply_to": first["id"]});
        let path = format!("/api/v1/posts/{post}/comments");
        let late = world.ask_as(&an, "POST", &path).json(&body).await;
        assert_eq!(late.faults(), [("/reply_to".to_owned(), "not_answerable".to_owned())]);
        let deeper = json!({"text": "x", "reply_to": answer["id"]});
        let deeper = world.ask_as(&an, "POST", &path).json(&deeper).await;
        assert_eq!(deeper.faults(), [("/reply_to".to_owned(), "not_answerable".to_owned())]);
        // Nowhere is kept what was taken back.
        let audit = world.ask("GET", "/api/v1/audit?action=comment.").send().await.expect(200);
        assert!(audit["items"].as_array().unwrap().len() >= 4 && !audit.to_string().contains("Một"), "{audit}");
    }

    async fn others_units_neither_see_nor_are_called(world) {
        let [own, other] = [unit(world, None).await, unit(world, None).await];
        let post = post(world, &own).await;
        let (an, token) = person(world, &own, "an", "author").await;
        let (stranger, foreign) = person(world, &other, "stranger", "administrator").await;
        let first = note(world, &token, &post, &json!({"text": "Nội bộ"})).await;
        let path = format!("/api/v1/posts/{post}/comments");
        for (method, place) in [("GET", path.clone()), ("GET", place(&first)), ("DELETE", place(&first))] {
            let ask = world.ask_as(&foreign, method, &place).seen("*");
            ask.send().await.problem(404, "not_found");
        }
        let called = json!({"text": "t", "mentions": [an, stranger, "usr_0190a1b2c3d47e5f8a9b0c1d2e3f4a5b"]});
        let refused = world.ask_as(&token, "POST", &path).json(&called).await;
        let fault = |place: usize| (format!("/mentions/{place}"), "unknown_reference".to_owned());
        assert_eq!(refused.faults(), [fault(1), fault(2)]);
    }

    async fn the_called_are_told_once(world) {
        let ministry = unit(world, None).await;
        let own = unit(world, Some(&ministry)).await;
        let post = post(world, &own).await;
        let (an, author) = person(world, &own, "an", "author").await;
        let (chief, above) = person(world, &ministry, "chief", "approver").await;
        let asks = json!({"text": "Xin ý kiến", "mentions": [chief, an, chief]});
        let first = note(world, &author, &post, &asks).await;
        assert_eq!(first["mentions"], json!([chief, an]));
        let change = json!({"text": "Xin ý kiến ạ", "mentions": [chief]});
        world.ask_as(&author, "PATCH", &place(&first)).seen("\"1\"").json(&change).await.expect(200);
        note(world, &above, &post, &json!({"text": "Được", "reply_to": first["id"]})).await;
        let told = async || -> Vec<Value> {
            let audit = "/api/v1/audit?action=comment.mention";
            let audit = world.ask("GET", audit).send().await.expect(200);
            audit["items"].as_array().unwrap().iter().map(|it| it["detail"]["owners"].clone()).collect()
        };
        assert_eq!(told().await, [json!([an]), json!([chief])]);
    }
}
