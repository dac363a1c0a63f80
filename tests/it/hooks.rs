//! Webhooks and notifications through the front door: addresses that are refused, secrets that are
//! shown once, rights.

use serde_json::{Value, json};

use crate::world::both;

const PUBLIC: &str = "https://hooks.example.org/chancery?key=1";

fn new(url: &str) -> Value {
    json!({"url": url, "description": "Sổ tay", "events": ["delivery.failed", "webhook.disabled"]})
}

both! {
    async fn a_webhook_is_entered_changed_and_removed(world) {
        let body = new(PUBLIC);
        let ask = || world.ask("POST", "/api/v1/webhooks").key("w1").json(&body);
        let made = ask().await;
        let place = made.header("location").to_owned();
        let made = made.expect(201);
        let secret = made["secret"].as_str().unwrap().to_owned();
        assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
        let again = ask().await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        let again = again.expect(201);
        assert!(again["secret"].is_null() && again["id"] == made["id"]);
        let shown = world.ask("GET", &place).send().await;
        let tag = shown.header("etag").to_owned();
        assert!(!String::from_utf8_lossy(&shown.bytes).contains(&secret));
        assert_eq!(shown.expect(200)["enabled"], true);
        let list = world.ask("GET", "/api/v1/webhooks").send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        let off = json!({"enabled": false, "events": ["account.needs_reconnect"]});
        world.ask("PATCH", &place).json(&off).await.problem(428, "precondition_required");
        let changed = world.ask("PATCH", &place).seen(&tag).json(&off).await.expect(200);
        assert_eq!((&changed["enabled"], &changed["disabled_because"]), (&json!(false), &json!("asked")));
        world.ask("PATCH", &place).seen(&tag).json(&off).await.problem(412, "stale");
        let rotated = world.ask("POST", &format!("{place}/rotate")).send().await.expect(200);
        assert_ne!(rotated["secret"], json!(secret));
        assert!(rotated["previous_secret_until"].is_string());
        let tries = world.ask("GET", &format!("{place}/tries")).send().await.expect(200);
        assert_eq!(tries["items"], json!([]));
        assert_eq!(world.ask("DELETE", &place).send().await.status, 204);
        world.ask("DELETE", &place).send().await.problem(404, "not_found");
        world.ask("GET", &format!("{place}/tries")).send().await.problem(404, "not_found");
    }

    /// Nothing inside is to be reached by giving its address to us.
    async fn private_addresses_are_refused(world) {
        for inside in [
            "https://10.0.0.1/", "https://192.168.1.1/x", "https://169.254.169.254/latest/meta-data",
            "https://[::1]/", "https://[fd00::1]/", "https://[::ffff:10.0.0.1]/", "https://0.0.0.0/",
            "https://localhost/", "http://hooks.example.org/", "ftp://hooks.example.org/",
            "https://100.64.0.1/", "https://167772161/",
        ] {
            let answer = world.ask("POST", "/api/v1/webhooks").json(&new(inside)).await;
            let told = answer.faults();
            assert_eq!(told, [("/url".to_owned(), "address_not_public".to_owned())], "{inside}");
        }
        for nothing in ["", "hooks.example.org", "https://u:p@hooks.example.org/", "https://a.example/#b"] {
            let answer = world.ask("POST", "/api/v1/webhooks").json(&new(nothing)).await;
            let told = answer.faults();
            assert_eq!(told, [("/url".to_owned(), "bad_address".to_owned())], "{nothing}");
        }
        let made = world.ask("POST", "/api/v1/webhooks").json(&new(PUBLIC)).await.expect(201);
        let place = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
        let inside = json!({"url": "https://127.0.0.2/"});
        let answer = world.ask("PATCH", &place).seen("*").json(&inside).await;
        assert_eq!(answer.faults()[0].1, "address_not_public");
        let faults = json!({"url": PUBLIC, "events": ["delivery.failed", "delivery.failed"]});
        let answer = world.ask("POST", "/api/v1/webhooks").json(&faults).await;
        assert_eq!(answer.faults(), [("/events/1".to_owned(), "repeated".to_owned())]);
    }

    async fn rights_are_asked_for(world) {
        let reader = world.token(json!({"name": "r", "scopes": ["webhooks:read"]})).await;
        let reader = reader["token"].as_str().unwrap();
        world.ask_as(reader, "GET", "/api/v1/webhooks").send().await.expect(200);
        let answer = world.ask_as(reader, "POST", "/api/v1/webhooks").json(&new(PUBLIC)).await;
        answer.problem(403, "scope_missing");
        let answer = world.ask_as(reader, "GET", "/api/v1/notifications").send().await;
        answer.problem(403, "scope_missing");
        let unit = world.unit().await;
        let account = world.ask("POST", "/api/v1/accounts").json(&world.page_of(0, &unit)).await;
        let account = account.expect(201);
        let limited = world.token(json!({"name": "l", "accounts": [account["id"]]})).await;
        let limited = limited["token"].as_str().unwrap();
        let answer = world.ask_as(limited, "POST", "/api/v1/webhooks").json(&new(PUBLIC)).await;
        answer.problem(403, "token_limited");
        let own = world.ask_as(limited, "GET", "/api/v1/notifications").send().await.expect(200);
        assert_eq!(own["items"], json!([]));
    }

    async fn settings_are_one_s_own_and_versioned(world) {
        let place = "/api/v1/notifications/settings";
        let shown = world.ask("GET", place).send().await;
        let tag = shown.header("etag").to_owned();
        let shown = shown.expect(200);
        assert_eq!((&shown["locale"], &shown["mail"]), (&json!("vi"), &json!([])));
        let change = json!({"mail": ["delivery.needs_human"], "locale": "en"});
        let changed = world.ask("PATCH", place).seen(&tag).json(&change).await.expect(200);
        assert_eq!(changed["mail"], json!(["delivery.needs_human"]));
        world.ask("PATCH", place).seen(&tag).json(&change).await.problem(412, "stale");
        let unknown = json!({"mail": ["delivery.sunk"]});
        assert_eq!(world.ask("PATCH", place).seen("*").json(&unknown).await.status, 422);
        let nobody = json!({"up_to": format!("ntf_{}", "0".repeat(32))});
        let marked = world.ask("POST", "/api/v1/notifications/read").json(&nobody).await.expect(200);
        assert_eq!(marked, json!({"marked": 0, "unread": 0}));
        let one = format!("/api/v1/notifications/ntf_{}/read", "0".repeat(32));
        world.ask("POST", &one).send().await.problem(404, "not_found");
    }
}
