//! The same request under the same key is done once, however often and however quickly it comes.

use serde_json::json;

use crate::world::{both, embassy};

both! {
    async fn a_repetition_gets_the_same_answer(world) {
        let first = world.ask("POST", "/api/v1/units").key("k").json(&embassy()).await;
        assert_eq!(first.header("idempotency-replayed"), "");
        let again = world.ask("POST", "/api/v1/units").key("k").json(&embassy()).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!((again.status, again.header("etag")), (201, first.header("etag")));
        assert_eq!(again.json(), first.json());
        let list = world.ask("GET", "/api/v1/units").send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
    }

    async fn another_request_under_the_key_is_refused(world) {
        world.ask("POST", "/api/v1/units").key("k").json(&embassy()).await.expect(201);
        let mut other = embassy();
        other["country"] = json!("BE");
        let answer = world.ask("POST", "/api/v1/units").key("k").json(&other).await;
        answer.problem(422, "idempotency_mismatch");
        let answer = world.ask("POST", "/api/v1/tokens").key("k").json(&json!({"name": "x"})).await;
        answer.problem(422, "idempotency_mismatch");
    }

    async fn fifty_at_once_are_done_once(world) {
        let body = embassy();
        let send = || world.ask("POST", "/api/v1/units").key("crowd").json(&body);
        let answers = futures_util::future::join_all((0..50).map(|_| send())).await;
        let mut ids: Vec<_> = answers.into_iter().map(|it| it.expect(201)["id"].to_string()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1);
        let list = world.ask("GET", "/api/v1/units").send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
    }

    async fn a_refused_request_does_not_use_up_its_key(world) {
        let mut bad = embassy();
        bad["time_zone"] = json!("Paris");
        let answer = world.ask("POST", "/api/v1/units").key("k").json(&bad).await;
        answer.problem(422, "validation");
        world.ask("POST", "/api/v1/units").key("k").json(&embassy()).await.expect(201);
        let answer = world.ask("POST", "/api/v1/units").key("a b").json(&embassy()).await;
        answer.problem(400, "bad_idempotency_key");
    }
}
