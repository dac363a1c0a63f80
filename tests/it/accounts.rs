//! Accounts through the front door: the platform says whose a credential is.

use chancery::simulator::{Fault, Kind, Operation, Platform};
use serde_json::json;

use crate::world::both;

both! {
    async fn an_account_is_connected_only_with_its_own_credential(world) {
        let unit = world.unit().await;
        let mut body = world.page_of(1, &unit);
        let stolen = world.seed.accounts()[2].page.clone();
        body["credential"]["access_token"] = json!(stolen.token);
        let answer = world.ask("POST", "/api/v1/accounts").json(&body).await;
        assert_eq!(answer.faults(), [("/credential".to_owned(), "owner_mismatch".to_owned())]);
        let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        let own = &world.seed.accounts()[1].page;
        assert!(detail.contains(&own.id) && detail.contains(&stolen.id), "{detail}");

        let body = world.page_of(1, &unit);
        let answer = world.ask("POST", "/api/v1/accounts").json(&body).await;
        assert!(!String::from_utf8_lossy(&answer.bytes).contains(&own.token));
        let account = answer.expect(201);
        assert_eq!(account["status"], "connected");
        assert_eq!(account["display_name"], own.name);
        assert_eq!(account["time_zone"], "Europe/Paris");
        assert_eq!(account["health"]["owner_name"], own.name);
        assert_eq!(account["health"]["followers"], own.fan_count);
        world.ask("POST", "/api/v1/accounts").json(&body).await.problem(409, "account_exists");
    }

    async fn a_token_that_the_platform_refuses_is_not_stored(world) {
        let unit = world.unit().await;
        let mut body = world.page_of(1, &unit);
        body["credential"]["access_token"] = json!("sim-page-token-unknown");
        let answer = world.ask("POST", "/api/v1/accounts").json(&body).await;
        let at = "/credential/access_token".to_owned();
        assert_eq!(answer.faults(), [(at, "credential_refused".to_owned())]);
        let list = world.ask("GET", "/api/v1/accounts").send().await.expect(200);
        assert_eq!(list["items"], json!([]));
    }

    async fn a_platform_that_cannot_be_asked_is_no_failure_of_ours(world) {
        let unit = world.unit().await;
        let fault = Fault::once(Platform::Facebook, Operation::Identity, Kind::DropBefore).always();
        world.simulators.world().faults().push(fault);
        let body = world.page_of(1, &unit);
        let answer = world.ask("POST", "/api/v1/accounts").json(&body).await;
        answer.problem(409, "platform_unreachable");
        assert_eq!(answer.header("retry-after"), "30");
        world.simulators.world().faults().clear();
        world.ask("POST", "/api/v1/accounts").json(&body).await.expect(201);
    }

    async fn an_account_is_changed_checked_and_removed(world) {
        let unit = world.unit().await;
        let body = world.page_of(1, &unit);
        let account = world.ask("POST", "/api/v1/accounts").json(&body).await.expect(201);
        let place = format!("/api/v1/accounts/{}", account["id"].as_str().unwrap());
        let paused = world.ask("PATCH", &place).seen("\"1\"").json(&json!({"status": "paused"})).await;
        assert_eq!(paused.expect(200)["status"], "paused");
        let revoked = world.ask("PATCH", &place).seen("\"2\"").json(&json!({"status": "revoked"})).await;
        assert_eq!(revoked.faults(), [("/status".to_owned(), "status_not_allowed".to_owned())]);
        let checked = world.ask("POST", &format!("{place}/check")).send().await.expect(200);
        assert_eq!((checked["status"].as_str(), checked["version"].as_i64()), (Some("paused"), Some(3)));
        assert!(checked["health"]["checked_at"].is_string());
        let renewed = json!({"credential": body["credential"]});
        let renewed = world.ask("PATCH", &place).seen("\"3\"").json(&renewed).await.expect(200);
        assert_eq!(renewed["status"], "connected");
        // The new seal opens too: otherwise this would be a failure of ours.
        world.ask("POST", &format!("{place}/check")).send().await.expect(200);
        world.ask("DELETE", &place).send().await.problem(428, "precondition_required");
        assert_eq!(world.ask("DELETE", &place).seen("*").send().await.status, 204);
        world.ask("GET", &place).send().await.problem(404, "not_found");
        world.ask("POST", "/api/v1/accounts").json(&body).await.expect(201);
    }

    async fn everything_wrong_with_an_account_is_told_at_once(world) {
        let body = json!({
            "unit_id": "unit_00000000000000000000000000000000", "platform": "myspace",
            "remote_id": "../1", "time_zone": "Paris", "languages": ["vi", "vi"],
            "credential": {"kind": "page_token", "access_token": "", "refresh_token": "r"},
        });
        let answer = world.ask("POST", "/api/v1/accounts").json(&body).await;
        let faults = answer.faults();
        let faults: Vec<_> = faults.iter().map(|(at, code)| (at.as_str(), code.as_str())).collect();
        assert_eq!(
            faults,
            [
                ("/credential/access_token", "blank"),
                ("/credential/refresh_token", "not_of_this_kind"),
                ("/languages/1", "repeated"),
                ("/platform", "unknown_platform"),
                ("/remote_id", "bad_remote_id"),
                ("/time_zone", "unknown_time_zone"),
                ("/unit_id", "unknown_reference"),
            ]
        );
    }

    async fn a_closed_unit_gets_no_account(world) {
        let unit = world.unit().await;
        let place = format!("/api/v1/units/{}", unit["id"].as_str().unwrap());
        let closed = json!({"closed_on": "2020-01-01"});
        world.ask("PATCH", &place).seen("*").json(&closed).await.expect(200);
        let body = world.page_of(1, &unit);
        let answer = world.ask("POST", "/api/v1/accounts").json(&body).await;
        assert_eq!(answer.faults(), [("/unit_id".to_owned(), "unit_closed".to_owned())]);
    }
}
