//! Bad input: a clear problem, quickly, and nothing half-written.

use std::time::Duration;

use serde_json::json;

use crate::world::{World, embassy};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_refused() {
    let world = World::sqlite().await;
    let post = |body: Vec<u8>| world.ask("POST", "/api/v1/units").body("application/json", body);
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, code) in [
        (b"".to_vec(), "bad_json"),
        (b"{\"name\":".to_vec(), "bad_json"),
        (b"{\"name\": NaN}".to_vec(), "bad_json"),
        (b"{\"name\":\"\\ud800\"}".to_vec(), "bad_json"),
        (b"{\"name\":\"\xff\"}".to_vec(), "not_utf8"),
        (b"{\"kind\":\"embassy\",\"kind\":\"mission\"}".to_vec(), "duplicate_key"),
        (nested.into_bytes(), "too_deep"),
    ] {
        post(body).await.problem(400, code);
    }
    let ask = world.ask("POST", "/api/v1/units");
    ask.body("text/plain", b"{}".to_vec()).await.problem(415, "not_json");
    let ask = world.ask("POST", "/api/v1/units");
    ask.body("application/x-www-form-urlencoded", b"a=b".to_vec()).await.problem(415, "not_json");
    let list = world.ask("GET", "/api/v1/units").send().await.expect(200);
    assert_eq!(list["items"], json!([]));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_megabytes_are_refused_at_once() {
    let world = World::sqlite().await;
    let body = vec![b' '; 100 << 20];
    let send = world.ask("POST", "/api/v1/units").body("application/json", body);
    let answer = tokio::select! {
        answer = send => answer,
        () = chancery::clock::Clock::sleep(&chancery::clock::SystemClock, Duration::from_secs(10)) =>
            panic!("not refused within ten seconds"),
    };
    answer.problem(413, "too_large");
    // The door is still open.
    world.ask("GET", "/api/v1/units").send().await.expect(200);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_body_is_told_at_once() {
    let world = World::sqlite().await;
    let mut body = embassy();
    body["kind"] = json!("palace");
    body["state"] = json!("published");
    body["name"]["fr"] = json!("Ambassade");
    body["languages"] = json!("fr");
    body["created_by"] = json!("usr_1");
    let faults = world.ask("POST", "/api/v1/units").json(&body).await.faults();
    let faults: Vec<_> = faults.iter().map(|(at, code)| (at.as_str(), code.as_str())).collect();
    assert_eq!(
        faults,
        [
            ("/created_by", "unknown_field"),
            ("/kind", "wrong_type"),
            ("/languages", "wrong_type"),
            ("/name/fr", "unknown_field"),
            ("/state", "unknown_field"),
        ]
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absurd_values_are_faults_and_no_crash() {
    let world = World::sqlite().await;
    for (name, value, code) in [
        ("opened_on", json!("9999-12-31"), "date_out_of_range"),
        ("opened_on", json!("-009999-01-01"), "date_out_of_range"),
        ("opened_on", json!("2026-02-30"), "wrong_type"),
        ("country", json!("VIỆT NAM"), "bad_country"),
        ("time_zone", json!("../../etc/passwd"), "unknown_time_zone"),
        ("parent_id", json!("acct_00000000000000000000000000000000"), "wrong_type"),
        ("languages", json!([]), "language_count"),
        ("languages", json!(["klingonese-x"]), "bad_language"),
        ("name", json!({"vi": "a\u{0}b", "en": "x"}), "control_character"),
        ("name", json!({"vi": "x".repeat(100_000), "en": "x"}), "too_long"),
    ] {
        let mut body = embassy();
        body[name] = value.clone();
        let faults = world.ask("POST", "/api/v1/units").json(&body).await.faults();
        assert!(faults.iter().any(|it| it.1 == code), "{name} {value}: {faults:?}");
    }
    world.end().await;
}
