//! The OpenAPI document says what the door does.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::World;

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("responses").is_some() {
                all.push((path.clone(), method.clone(), operation.clone()));
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_served_and_is_3_1() {
    let world = World::sqlite().await;
    let served = world.anonymous("GET", "/openapi.json").send().await.expect(200);
    let version = served["openapi"].as_str().unwrap();
    assert!(version.starts_with("3.1"), "{version}");
    let printed: Value =
        serde_json::from_str(&chancery::api::document().to_json().unwrap()).unwrap();
    assert_eq!(served, printed);
    world.end().await;
}

/// Nobody gets in without a token unless the document says that the address is open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_that_is_not_open_asks_who_is_there() {
    let world = World::sqlite().await;
    let served = world.anonymous("GET", "/openapi.json").send().await.expect(200);
    let mut guarded = 0;
    for (path, method, operation) in operations(&served) {
        let is_open =
            operation["security"].as_array().unwrap().iter().any(|it| it == &serde_json::json!({}));
        if is_open {
            let proves = ["/api/v1/sessions", "/api/v1/passwords"].contains(&path.as_str());
            assert!(proves || !path.starts_with("/api/"), "{method} {path} is open");
            continue;
        }
        let path = path.replace("{id}", "x");
        let answer = world.anonymous(&method.to_uppercase(), &path).send().await;
        answer.problem(401, "unauthenticated");
        guarded += 1;
    }
    assert!(guarded > 15, "only {guarded} operations");
    world.end().await;
}

#[test]
fn every_operation_has_its_name_and_lists_its_problems() {
    let document: Value =
        serde_json::from_str(&chancery::api::document().to_json().unwrap()).unwrap();
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(name.contains('_'), "{method} {path}: {name}");
        assert!(operation["summary"].as_str().is_some_and(|it| !it.is_empty()), "{name}");
        assert!(operation["security"].as_array().is_some_and(|it| !it.is_empty()), "{name}");
        assert!(names.insert(name.clone()), "{name} twice");
        if !path.starts_with("/api/") {
            continue;
        }
        for status in ["400", "401", "403", "422", "429", "503"] {
            let schema = &operation["responses"][status]["content"]["application/problem+json"];
            assert!(schema["schema"]["$ref"].is_string(), "{method} {path} lacks {status}");
        }
    }
}

/// The headers that clients build on; schemathesis compares them with what is sent.
#[test]
fn answers_declare_their_headers() {
    let document: Value =
        serde_json::from_str(&chancery::api::document().to_json().unwrap()).unwrap();
    let mut seen = 0;
    for (path, method, operation) in operations(&document) {
        if !path.starts_with("/api/") {
            continue;
        }
        let name = operation["operationId"].as_str().unwrap();
        let of = |status: &str, header: &str| {
            operation["responses"][status]["headers"][header]["schema"].is_object()
        };
        assert!(["429", "503"].iter().all(|status| of(status, "Retry-After")), "{name}");
        assert!(of("401", "WWW-Authenticate"), "{name}");
        let made = operation["responses"]["201"].is_object();
        assert_eq!(of("201", "Location"), made, "{name}");
        let names = operation["parameters"].as_array().into_iter().flatten();
        let conditional = names.clone().any(|it| it["name"] == "If-Match");
        assert!(!conditional || method == "delete" || of("200", "ETag"), "{name}");
        // What is found in another state than it was read in; revoking a token minds none.
        let can_conflict = method != "get" && name != "delete_token";
        assert_eq!(operation["responses"]["409"].is_object(), can_conflict, "{name}");
        // Only what takes a version can be told that it is stale or missing; uploads have one of a protocol.
        let spoken = names.clone().any(|it| it["name"] == "Tus-Resumable");
        for (status, wanted) in [("412", conditional || spoken), ("428", conditional)] {
            assert_eq!(operation["responses"][status].is_object(), wanted, "{name} {status}");
        }
        seen += 1;
    }
    assert!(seen > 25, "only {seen} operations");
}

#[test]
fn every_reference_leads_somewhere() {
    let text = chancery::api::document().to_json().unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

/// A reader of the document finds the words that are really sent, and every name of a query.
#[test]
fn words_and_queries_are_those_of_the_wire() {
    let document: Value =
        serde_json::from_str(&chancery::api::document().to_json().unwrap()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let words: Vec<_> = schemas
        .values()
        .filter_map(|it| it["enum"].as_array())
        .flatten()
        .map(|it| it.as_str().unwrap())
        .collect();
    assert!(words.contains(&"needs_reconnect") && words.contains(&"page_token"));
    assert!(words.iter().all(|it| !it.contains(char::is_uppercase)), "{words:?}");
    for noun in ["accounts", "deliveries", "media", "posts", "tokens", "units"] {
        let list = &document["paths"][format!("/api/v1/{noun}")]["get"]["parameters"];
        let names: BTreeSet<_> =
            list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert!(names.is_superset(&BTreeSet::from(["limit", "cursor"])), "{noun}: {names:?}");
    }
}

/// The page that shows the document fetches nothing from anywhere else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_works_without_a_network() {
    let world = World::sqlite().await;
    let page = world.anonymous("GET", "/docs/").send().await;
    assert_eq!(page.status, 200);
    let text = String::from_utf8(page.bytes).unwrap();
    let mut loaded = 0;
    for part in text.split(['"', '\'']) {
        assert!(!part.starts_with("//") && !part.contains("://"), "{part}");
        if part.starts_with("./") {
            let path = format!("/docs/{}", part.trim_start_matches("./"));
            assert_eq!(world.anonymous("GET", &path).send().await.status, 200, "{part}");
            loaded += 1;
        }
    }
    assert!(loaded >= 3, "{text}");
    let start = world.anonymous("GET", "/docs/swagger-initializer.js").send().await;
    let start = String::from_utf8(start.bytes).unwrap();
    assert!(start.contains("/openapi.json") && !start.contains("://"), "{start}");
    world.end().await;
}
