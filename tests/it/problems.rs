//! Every answer that is no success is a problem, in the reader's language.

use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_answers_with_a_problem() {
    let world = World::sqlite().await;
    world.anonymous("GET", "/api/v1/units").send().await.problem(401, "unauthenticated");
    world
        .ask_as("chy_nonsense", "GET", "/api/v1/units")
        .send()
        .await
        .problem(401, "unauthenticated");
    world.ask("GET", "/api/v1/nothing").send().await.problem(404, "not_found");
    world.ask("GET", "/nowhere").send().await.problem(404, "not_found");
    world.ask("GET", "/api/v1/units/post_1").send().await.problem(404, "not_found");
    let wrong = world.ask("PUT", "/api/v1/units").send().await;
    wrong.problem(405, "method_not_allowed");
    assert!(wrong.header("allow").contains("POST"), "{}", wrong.header("allow"));
    assert_eq!(wrong.header("cache-control"), "no-store");
    assert_eq!(wrong.header("x-content-type-options"), "nosniff");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_read_problems_in_their_language() {
    let world = World::sqlite().await;
    let mut body = crate::world::embassy();
    body["time_zone"] = json!("Paris");
    let vi = world.ask("POST", "/api/v1/units").header("accept-language", "vi").json(&body).await;
    assert_eq!(vi.header("content-language"), "vi");
    let problem = vi.problem(422, "validation");
    assert_eq!(problem["title"], "Dữ liệu gửi lên chưa đúng");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("múi giờ"));
    let en = world.ask("POST", "/api/v1/units").header("accept-language", "en").json(&body).await;
    let problem = en.problem(422, "validation");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("time zone"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_own_request_id_is_kept_when_it_is_harmless() {
    let world = World::sqlite().await;
    let kept = world.ask("GET", "/api/v1/nothing").header("x-request-id", "abc-1").send().await;
    assert_eq!(kept.problem(404, "not_found")["instance"], "abc-1");
    let odd =
        world.ask("GET", "/api/v1/nothing").header("x-request-id", "a b<script>").send().await;
    assert!(odd.header("x-request-id").starts_with("req_"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_watches_is_answered_without_a_token() {
    let world = World::sqlite().await;
    assert_eq!(world.anonymous("GET", "/healthz").send().await.expect(200)["status"], "alive");
    let ready = world.anonymous("GET", "/readyz").send().await.expect(200);
    assert_eq!((&ready["ready"], &ready["reasons"]), (&json!(true), &json!([])));
    let metrics = world.anonymous("GET", "/metrics").send().await;
    let text = String::from_utf8(metrics.bytes).unwrap();
    assert!(text.contains("chancery_http_requests_total"), "{text}");
    let docs = world.anonymous("GET", "/docs/").send().await;
    assert_eq!(docs.status, 200);
    let page = String::from_utf8(docs.bytes).unwrap();
    assert!(!page.contains("https://") && !page.contains("//cdn"), "the page needs a network");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_another_list_is_refused_by_every_list() {
    let world = World::sqlite().await;
    for list in ["units", "accounts", "media", "posts", "deliveries", "tokens"] {
        // `W10` is an empty list in base64: well formed, and of no list of ours.
        let answer = world.ask("GET", &format!("/api/v1/{list}?cursor=W10")).send().await;
        assert_eq!(answer.status, 422, "{list}");
        assert_eq!(answer.faults()[0].1, "bad_cursor", "{list}");
    }
    world.end().await;
}
