//! Tokens through the front door: what they carry, that they end, that their secret is shown once.

use serde_json::json;

use crate::world::both;

both! {
    async fn a_token_does_what_it_carries_and_no_more(world) {
        let made = world.token(json!({"name": "reader", "scopes": ["units:read"]})).await;
        let token = made["token"].as_str().unwrap();
        world.ask_as(token, "GET", "/api/v1/units").send().await.expect(200);
        let refused = world.ask_as(token, "POST", "/api/v1/units").json(&json!({})).await;
        // The body is read before the right is known to be missing, but nothing is done with it.
        assert!([403, 422].contains(&refused.status), "{refused:?}");
        let body = crate::world::embassy();
        let refused = world.ask_as(token, "POST", "/api/v1/units").json(&body).await;
        refused.problem(403, "scope_missing");
        world.ask_as(token, "GET", "/api/v1/tokens").send().await.problem(403, "scope_missing");
    }

    async fn a_revoked_token_is_worth_nothing_at_once(world) {
        let made = world.token(json!({"name": "short"})).await;
        let token = made["token"].as_str().unwrap();
        world.ask_as(token, "GET", "/api/v1/units").send().await.expect(200);
        let place = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
        assert_eq!(world.ask("DELETE", &place).send().await.status, 204);
        let refused = world.ask_as(token, "GET", "/api/v1/units").send().await;
        refused.problem(401, "unauthenticated");
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
        assert_eq!(world.ask("DELETE", &place).send().await.status, 204);
    }

    async fn the_secret_is_shown_once_and_never_again(world) {
        let body = json!({"name": "ci"});
        let ask = || world.ask("POST", "/api/v1/tokens").key("t1").json(&body);
        let made = ask().await.expect(201);
        let token = made["token"].as_str().unwrap().to_owned();
        let again = ask().await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        let again = again.expect(201);
        assert!(again["token"].is_null());
        assert_eq!(again["id"], made["id"]);
        let list = world.ask("GET", "/api/v1/tokens").send().await;
        assert!(!String::from_utf8_lossy(&list.bytes).contains(&token));
        assert!(String::from_utf8_lossy(&list.bytes).contains(&token[..12]));
    }

    async fn nobody_gives_more_than_he_has(world) {
        let scopes = json!(["tokens:write", "units:read"]);
        let made = world.token(json!({"name": "small", "scopes": scopes})).await;
        let token = made["token"].as_str().unwrap();
        for more in [json!(["units:write"]), json!(["*"])] {
            let body = json!({"name": "larger", "scopes": more});
            let answer = world.ask_as(token, "POST", "/api/v1/tokens").json(&body).await;
            assert_eq!(answer.faults(), [("/scopes".to_owned(), "scope_beyond_own".to_owned())]);
        }
        let same = world.ask_as(token, "POST", "/api/v1/tokens").json(&json!({"name": "same"})).await;
        assert_eq!(same.expect(201)["scopes"], scopes_sorted());
        let bad = json!({"name": "", "scopes": ["fly"], "expires_at": "1999-01-01T00:00:00Z"});
        let faults = world.ask("POST", "/api/v1/tokens").json(&bad).await.faults();
        let codes: Vec<_> = faults.iter().map(|it| it.1.as_str()).collect();
        assert_eq!(codes, ["bad_expiry", "blank", "unknown_scope"]);
    }

    /// Two administrators are two people: with the other's token in his hand one would be both.
    async fn an_administrator_makes_no_token_of_another_administrator(world) {
        let colleague = world.colleague("binh.tran@mofa.example").await;
        let own = world.ask_as(&colleague, "POST", "/api/v1/tokens").json(&json!({"name": "own"})).await;
        let place = format!("/api/v1/tokens/{}", own.expect(201)["id"].as_str().unwrap());
        let person = world.ask("GET", &place).send().await.expect(200)["person_id"].clone();
        let body = json!({"name": "his", "person_id": person, "scopes": ["holds:write"]});
        let refused = world.ask("POST", "/api/v1/tokens").json(&body).await;
        assert_eq!(refused.faults(), [("/person_id".to_owned(), "administrators_own".to_owned())]);
        // He may revoke it, and may make one for somebody who is none.
        assert_eq!(world.ask("DELETE", &place).send().await.status, 204);
        world.change("UPDATE people SET administrator = false WHERE email = 'binh.tran@mofa.example'").await;
        world.ask("POST", "/api/v1/tokens").json(&body).await.expect(201);
    }

    /// The fault names the place where the asker wrote it, whatever order the accounts are kept in.
    async fn an_account_that_is_not_there_is_named_by_its_place(world) {
        let unit = world.unit().await;
        let page = world.page_of(1, &unit);
        let mine = world.ask("POST", "/api/v1/accounts").json(&page).await.expect(201);
        let unknown = format!("acct_{}", "f".repeat(32));
        let body = json!({"name": "two", "accounts": [unknown, mine["id"]]});
        let faults = world.ask("POST", "/api/v1/tokens").json(&body).await.faults();
        assert_eq!(faults, [("/accounts/0".to_owned(), "unknown_reference".to_owned())]);
    }

    async fn a_token_for_one_account_knows_no_other(world) {
        let unit = world.unit().await;
        let connect = |office| {
            let body = world.page_of(office, &unit);
            async move { world.ask("POST", "/api/v1/accounts").json(&body).await.expect(201) }
        };
        let (mine, other) = (connect(1).await, connect(2).await);
        let made = world.token(json!({"name": "one", "accounts": [mine["id"]]})).await;
        let token = made["token"].as_str().unwrap();
        let place = |it: &serde_json::Value| format!("/api/v1/accounts/{}", it["id"].as_str().unwrap());
        world.ask_as(token, "GET", &place(&mine)).send().await.expect(200);
        world.ask_as(token, "GET", &place(&other)).send().await.problem(404, "not_found");
        let list = world.ask_as(token, "GET", "/api/v1/accounts").send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        let deleted = world.ask_as(token, "DELETE", &place(&other)).seen("*").send().await;
        deleted.problem(404, "not_found");
        let body = crate::world::embassy();
        world.ask_as(token, "POST", "/api/v1/units").json(&body).await.problem(403, "token_limited");
    }
}

fn scopes_sorted() -> serde_json::Value {
    json!(["units:read", "tokens:write"])
}
