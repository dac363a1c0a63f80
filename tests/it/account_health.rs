//! How an account stands, through the front door.

use serde_json::json;

use crate::world::both;

both! {
    async fn an_account_shows_how_it_stands_and_who_attested_what(world) {
        let unit = world.unit().await;
        let body = world.page_of(1, &unit);
        let account = world.ask("POST", "/api/v1/accounts").json(&body).await.expect(201);
        let place = format!("/api/v1/accounts/{}", account["id"].as_str().unwrap());
        let health = world.ask("GET", &format!("{place}/health")).send().await.expect(200);
        assert_eq!((&health["status"], &health["hindrance"]), (&json!("connected"), &json!(null)));
        assert_eq!(health["credential"]["kind"], "page_token");
        assert_eq!(health["credential"]["renews_itself"], false);
        let needed = health["scopes_needed"].as_array().unwrap();
        assert!(needed.contains(&json!("pages_manage_posts")), "{needed:?}");
        assert_eq!((&health["probe"], &health["two_factor"]), (&json!(null), &json!(null)));
        assert_eq!(health["coming"], json!({"count": 0, "first": []}));
        assert!(health["last_success_at"].is_string());

        let attest = format!("{place}/attest");
        let blank = world.ask("POST", &attest).json(&json!({"note": " "})).await;
        assert_eq!(blank.faults()[0].0, "/note");
        let note = "Cả bốn người quản trị, đã xem trong phần cài đặt";
        let health = world.ask("POST", &attest).json(&json!({"note": note})).await.expect(200);
        assert_eq!(health["two_factor"]["note"], note);
        let by = health["two_factor"]["attested_by"].clone();
        assert!(by.as_str().unwrap().starts_with("usr_"), "{by}");
        let again = json!({"note": "after the change of guard"});
        let health = world.ask("POST", &attest).json(&again).await.expect(200);
        assert_eq!(health["two_factor"]["note"], again["note"]);
        let nowhere = format!("/api/v1/accounts/acct_{}/health", "0".repeat(32));
        world.ask("GET", &nowhere).send().await.problem(404, "not_found");
        let paused = world.ask("PATCH", &place).seen("\"1\"").json(&json!({"status": "paused"})).await;
        paused.expect(200);
        let health = world.ask("GET", &format!("{place}/health")).send().await.expect(200);
        assert_eq!(health["hindrance"], "paused");
    }
}
