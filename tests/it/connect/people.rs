//! What people get: the account they named, a choice, a second administrator, the account again.

use chancery::simulator::{Death, Fault, Kind, Operation, Platform};
use serde_json::json;

use super::{
    APP, PRESS, accounts, begin, begin_as, connected_page, land, no_secret_is_kept, page, prepare,
    shown, user, visit,
};
use crate::world::both;

both! { with APP;
    async fn the_account_that_was_named_is_connected_at_once(world) {
        prepare(world);
        let unit = world.unit().await;
        for (platform, remote_id, who) in [
            ("facebook", page(world, 1), PRESS.to_owned()),
            ("x", user(world, 1), user(world, 1)),
        ] {
            let body = json!({"unit_id": unit["id"], "platform": platform,
                "expected_remote_id": remote_id, "languages": ["fr"], "time_zone": "Africa/Dakar"});
            let begun = begin(world, &body).await;
            assert_eq!(shown(world, &begun.id).await["status"], "waiting");
            let back = visit(&begun.url, &format!("&sim_user={who}")).await;
            let landed = land(world, &back).await;
            let text = String::from_utf8_lossy(&landed.bytes).into_owned();
            assert_eq!(landed.status, 200, "{text}");
            assert!(text.contains("Connected: "), "{text}");
            let done = shown(world, &begun.id).await;
            assert_eq!(done["status"], "done");
            let account = done["accounts"][0].as_str().unwrap();
            let account = world.ask("GET", &format!("/api/v1/accounts/{account}")).send().await;
            let account = account.expect(200);
            assert_eq!(account["remote_id"], remote_id);
            assert_eq!(account["status"], "connected");
            assert_eq!((&account["languages"], &account["time_zone"]), (&json!(["fr"]), &json!("Africa/Dakar")));
            assert_eq!(account["health"]["connected_by"], done["person_id"]);
            assert!(account["health"]["connected_at"].is_string());
            assert_eq!(account["health"]["scopes_missing"], json!([]));
            // The credential works, and what the sign-in was granted outlives a check.
            let place = format!("/api/v1/accounts/{}/check", account["id"].as_str().unwrap());
            let checked = world.ask("POST", &place).send().await.expect(200);
            assert_eq!(checked["status"], "connected");
            assert_eq!(checked["health"]["scopes"], account["health"]["scopes"]);
            assert!(!checked["health"]["scopes"].as_array().unwrap().is_empty());
        }
        assert_eq!(accounts(world).await.len(), 2);
        no_secret_is_kept(world).await;
    }

    async fn an_account_that_nobody_named_needs_a_second_administrator(world) {
        prepare(world);
        let (unit, colleague) = (world.unit().await, world.colleague("binh.tran@mofa.example").await);
        let body = json!({"unit_id": unit["id"], "platform": "facebook"});
        let begun = begin(world, &body).await;
        let place = format!("/api/v1/accounts/connections/{}", begun.id);
        let (finish, approve) = (format!("{place}/finish"), format!("{place}/approve"));
        let choice = json!({"remote_ids": [page(world, 0), page(world, 2)]});
        world.ask("POST", &finish).json(&choice).await.problem(409, "connection_elsewhere");
        let back = visit(&begun.url, &format!("&sim_user={PRESS}")).await;
        let landed = land(world, &back).await;
        assert!(String::from_utf8_lossy(&landed.bytes).contains("choose which accounts"));
        let granted = shown(world, &begun.id).await;
        assert_eq!(granted["status"], "granted");
        assert_eq!(granted["granted"]["accounts"].as_array().unwrap().len(), 3);
        assert!(accounts(world).await.is_empty());

        let other = world.ask_as(&colleague, "POST", &finish).json(&choice).await;
        other.problem(403, "not_yours");
        let wrong = json!({"remote_ids": [page(world, 4), page(world, 0), page(world, 0)]});
        let wrong = world.ask("POST", &finish).json(&wrong).await.faults();
        let wrong: Vec<_> = wrong.iter().map(|(at, code)| (at.as_str(), code.as_str())).collect();
        assert_eq!(wrong, [("/remote_ids/0", "not_offered"), ("/remote_ids/2", "repeated")]);
        world.ask("POST", &approve).send().await.problem(409, "connection_elsewhere");
        let chosen = world.ask("POST", &finish).key("once").json(&choice).await.expect(200);
        assert_eq!(chosen["status"], "chosen");
        let again = world.ask("POST", &finish).key("once").json(&choice).await.expect(200);
        assert_eq!(again, chosen);
        assert!(accounts(world).await.is_empty());

        world.ask("POST", &approve).send().await.problem(409, "approval_needs_another");
        let done = world.ask_as(&colleague, "POST", &approve).send().await.expect(200);
        assert_eq!((done["status"].as_str(), done["accounts"].as_array().unwrap().len()), (Some("done"), 2));
        assert_ne!(done["approved_by"], done["person_id"]);
        assert_eq!(accounts(world).await.len(), 2);
        world.ask_as(&colleague, "POST", &approve).send().await.problem(409, "connection_elsewhere");
        no_secret_is_kept(world).await;
    }

    /// A hundred accounts are proven within the time of one request.
    async fn accounts_are_proven_beside_each_other(world) {
        prepare(world);
        let (unit, colleague) = (world.unit().await, world.colleague("yen.ho@mofa.example").await);
        let begun = begin(world, &json!({"unit_id": unit["id"], "platform": "facebook"})).await;
        land(world, &visit(&begun.url, &format!("&sim_user={PRESS}")).await).await;
        let place = format!("/api/v1/accounts/connections/{}", begun.id);
        let choice = json!({"remote_ids": [page(world, 0), page(world, 1), page(world, 2)]});
        world.ask("POST", &format!("{place}/finish")).json(&choice).await.expect(200);
        let faults = [Kind::HangBefore { ms: 3_000 }, Kind::HangAfter { ms: 0 }, Kind::HangAfter { ms: 0 }];
        for (office, kind) in faults.into_iter().enumerate() {
            let fault = Fault::once(Platform::Facebook, Operation::Identity, kind);
            world.simulators.world().faults().push(fault.on_account(page(world, office)));
        }
        let approve = format!("{place}/approve");
        let refused = world.ask_as(&colleague, "POST", &approve).send().await;
        refused.problem(409, "platform_unreachable");
        // The others were asked about while the first one hung.
        assert_eq!(world.simulators.world().faults().waiting(), []);
        assert!(accounts(world).await.is_empty());
        let done = world.ask_as(&colleague, "POST", &approve).send().await.expect(200);
        assert_eq!(done["accounts"].as_array().unwrap().len(), 3);
        // In the order in which they were chosen.
        let mut remote_ids = Vec::new();
        for id in done["accounts"].as_array().unwrap() {
            let place = format!("/api/v1/accounts/{}", id.as_str().unwrap());
            remote_ids.push(world.ask("GET", &place).send().await.expect(200)["remote_id"].clone());
        }
        assert_eq!(json!(remote_ids), choice["remote_ids"]);
    }

    async fn whoever_is_no_administrator_cannot_approve(world) {
        prepare(world);
        let unit = world.unit().await;
        let begun = begin(world, &json!({"unit_id": unit["id"], "platform": "x"})).await;
        land(world, &visit(&begun.url, &format!("&sim_user={}", user(world, 0))).await).await;
        let place = format!("/api/v1/accounts/connections/{}", begun.id);
        let choice = json!({"remote_ids": [user(world, 0)]});
        world.ask("POST", &format!("{place}/finish")).json(&choice).await.expect(200);
        let colleague = world.colleague("chi.le@mofa.example").await;
        let sql = "UPDATE people SET administrator = false WHERE email = 'chi.le@mofa.example'";
        world.change(sql).await;
        // An administrator of the unit is none of everything.
        world.appoint("chi.le@mofa.example", &unit, "administrator").await;
        world.ask_as(&colleague, "GET", &place).send().await.expect(200);
        // In his list are those of his units, also without an account yet, and no others.
        let elsewhere = world.unit().await;
        begin(world, &json!({"unit_id": elsewhere["id"], "platform": "x"})).await;
        let listed = world.ask_as(&colleague, "GET", "/api/v1/accounts/connections").send().await;
        let listed = listed.expect(200)["items"].as_array().unwrap().clone();
        assert_eq!(listed.iter().map(|it| &it["id"]).collect::<Vec<_>>(), [&json!(begun.id)]);
        let approve = format!("{place}/approve");
        let refused = world.ask_as(&colleague, "POST", &approve).send().await;
        refused.problem(403, "needs_administrator");
        assert!(accounts(world).await.is_empty());
    }

    async fn an_account_is_connected_again_and_only_that_one(world) {
        prepare(world);
        let account = connected_page(world).await;
        let id = account["id"].as_str().unwrap().to_owned();
        let place = format!("/api/v1/accounts/{id}");
        let kill = Fault::once(Platform::Facebook, Operation::Identity,
            Kind::Graph { code: 190, subcode: Some(460), execute: false });
        world.simulators.world().faults().push(kill);
        let dead = world.ask("POST", &format!("{place}/check")).send().await.expect(200);
        assert_eq!(dead["status"], "needs_reconnect");

        for (pointer, value) in [("platform", "x".to_owned()), ("expected_remote_id", page(world, 1))] {
            let mut body = json!({"platform": "facebook", "account_id": id});
            body[pointer] = json!(value);
            let answer = world.ask("POST", "/api/v1/accounts/connect").json(&body).await;
            assert!(answer.faults().contains(&(format!("/{pointer}"), "not_the_accounts".to_owned())));
        }
        let body = json!({"platform": "facebook", "account_id": id});
        let other = begin(world, &body).await;
        let person = chancery::simulator::Person {
            id: "7002".to_owned(),
            name: "Somebody else".to_owned(),
            pages: vec![chancery::simulator::Role::full(&page(world, 1))],
            businesses: Vec::new(),
        };
        world.simulators.world().add_person(person);
        let landed = land(world, &visit(&other.url, "&sim_user=7002").await).await;
        assert_eq!(landed.status, 400);
        let failed = shown(world, &other.id).await;
        assert_eq!((&failed["status"], &failed["problem"]), (&json!("failed"), &json!("other_account")));
        let choice = json!({"remote_ids": [page(world, 1)]});
        let finish = format!("/api/v1/accounts/connections/{}/finish", other.id);
        world.ask("POST", &finish).json(&choice).await.problem(409, "connection_elsewhere");
        assert_eq!(world.ask("GET", &place).send().await.expect(200)["status"], "needs_reconnect");

        let begun = begin(world, &body).await;
        land(world, &visit(&begun.url, &format!("&sim_user={PRESS}")).await).await;
        let alive = world.ask("GET", &place).send().await.expect(200);
        assert_eq!(alive["status"], "connected");
        assert_eq!(alive["remote_id"], account["remote_id"]);
        assert_eq!(alive["created_at"], account["created_at"]);
        assert_eq!(shown(world, &begun.id).await["accounts"], json!([id]));
        assert_eq!(accounts(world).await.len(), 1);
        no_secret_is_kept(world).await;
    }

    async fn a_paused_account_stays_so_when_it_is_connected_again(world) {
        prepare(world);
        let account = connected_page(world).await;
        let id = account["id"].as_str().unwrap();
        let place = format!("/api/v1/accounts/{id}");
        world.ask("PATCH", &place).seen("*").json(&json!({"status": "paused"})).await.expect(200);
        let begun = begin(world, &json!({"platform": "facebook", "account_id": id})).await;
        land(world, &visit(&begun.url, &format!("&sim_user={PRESS}")).await).await;
        assert_eq!(shown(world, &begun.id).await["status"], "done");
        assert_eq!(world.ask("GET", &place).send().await.expect(200)["status"], "paused");
    }

    async fn what_a_person_does_not_grant_is_shown_and_stops_only_what_needs_it(world) {
        prepare(world);
        let unit = world.unit().await;
        let body = json!({"unit_id": unit["id"], "platform": "facebook",
            "expected_remote_id": page(world, 0)});
        let begun = begin(world, &body).await;
        let more = format!("&sim_user={PRESS}&sim_decline=pages_manage_posts");
        assert_eq!(land(world, &visit(&begun.url, &more).await).await.status, 400);
        let failed = shown(world, &begun.id).await;
        assert_eq!((&failed["status"], &failed["problem"]), (&json!("failed"), &json!("scopes_missing")));
        assert_eq!(failed["problem_detail"], "pages_manage_posts");
        assert!(accounts(world).await.is_empty());

        let begun = begin(world, &body).await;
        let more = format!("&sim_user={PRESS}&sim_decline=read_insights");
        assert_eq!(land(world, &visit(&begun.url, &more).await).await.status, 200);
        let account = accounts(world).await.remove(0);
        let missing = json!([{"scope": "read_insights", "purpose": "measure", "needed": false}]);
        assert_eq!(account["health"]["scopes_missing"], missing);
        assert_eq!(account["status"], "connected");
    }

    async fn a_refusal_and_an_outage_are_told_apart(world) {
        prepare(world);
        let unit = world.unit().await;
        let body = json!({"unit_id": unit["id"], "platform": "x", "expected_remote_id": user(world, 0)});
        let more = format!("&sim_user={}", user(world, 0));
        let begun = begin(world, &body).await;
        let back = visit(&begun.url, &format!("{more}&sim_refuse=1")).await;
        let landed = world.anonymous("GET", &back).header("accept-language", "vi").send().await;
        assert!(String::from_utf8_lossy(&landed.bytes).contains("chế độ phát triển"));
        let refused = shown(world, &begun.id).await;
        assert_eq!((&refused["status"], &refused["problem"]), (&json!("refused"), &json!("access_denied")));
        assert!(refused["problem_detail"].as_str().unwrap().contains("still being developed"));

        let begun = begin(world, &body).await;
        let back = visit(&begun.url, &more).await;
        let fault = Fault::once(Platform::X, Operation::Token, Kind::DropAfter);
        world.simulators.world().faults().push(fault);
        assert_eq!(land(world, &back).await.status, 400);
        let lost = shown(world, &begun.id).await;
        assert_eq!((&lost["status"], &lost["problem"]), (&json!("failed"), &json!("platform_unreachable")));
        assert!(accounts(world).await.is_empty());
    }

    async fn an_account_that_cannot_be_proven_at_once_is_finished_later(world) {
        prepare(world);
        let unit = world.unit().await;
        let body = json!({"unit_id": unit["id"], "platform": "facebook",
            "expected_remote_id": page(world, 0)});
        let begun = begin(world, &body).await;
        let back = visit(&begun.url, &format!("&sim_user={PRESS}")).await;
        let fault = Fault::once(Platform::Facebook, Operation::Identity, Kind::DropBefore);
        world.simulators.world().faults().push(fault.on_account(page(world, 0)));
        assert_eq!(land(world, &back).await.status, 200);
        assert_eq!(shown(world, &begun.id).await["status"], "granted");
        assert!(accounts(world).await.is_empty());
        let finish = format!("/api/v1/accounts/connections/{}/finish", begun.id);
        // It is what the sign-in is for; no other account that the person reaches comes of it.
        for others in [vec![page(world, 1)], vec![page(world, 0), page(world, 2)]] {
            let faults = world.ask("POST", &finish).json(&json!({"remote_ids": others})).await.faults();
            let at = format!("/remote_ids/{}", others.len() - 1);
            assert_eq!(faults, [(at, "not_offered".to_owned())]);
        }
        // It was named beforehand, so the one who began it needs nobody else.
        let choice = json!({"remote_ids": [page(world, 0)]});
        let done = world.ask("POST", &finish).json(&choice).await.expect(200);
        assert_eq!(done["status"], "done");
        let begun = begin(world, &body).await;
        let back = visit(&begun.url, &format!("&sim_user={PRESS}")).await;
        assert_eq!(land(world, &back).await.status, 200);
        let finish = format!("/api/v1/accounts/connections/{}/finish", begun.id);
        world.ask("POST", &finish).json(&choice).await.problem(409, "account_exists");
    }

    async fn a_system_user_gives_the_pages_own_token_and_is_not_kept(world) {
        prepare(world);
        let unit = world.unit().await;
        let token = "sim-person-token-of-a-system-user";
        let scopes = ["pages_show_list", "pages_manage_posts", "pages_read_engagement"];
        world.simulators.world().add_system_token(PRESS, token, &scopes);
        let with = |kind: &str, page: String| json!({
            "unit_id": unit["id"], "platform": "facebook", "remote_id": page,
            "credential": {"kind": kind, "access_token": token},
        });
        // It is no Page's token, and gives none of a Page that the system user has no task on.
        let refused = [with("page_token", page(world, 0)), with("system_user", page(world, 4))];
        for body in refused {
            let answer = world.ask("POST", "/api/v1/accounts").json(&body).await;
            let at = ("/credential/access_token".to_owned(), "credential_refused".to_owned());
            assert_eq!(answer.faults(), [at]);
        }
        let body = with("system_user", page(world, 0));
        let account = world.ask("POST", "/api/v1/accounts").json(&body).await.expect(201);
        let place = format!("/api/v1/accounts/{}", account["id"].as_str().unwrap());
        let checked = world.ask("POST", &format!("{place}/check")).send().await.expect(200);
        assert_eq!(checked["status"], "connected");
        let again = json!({"credential": {"kind": "system_user", "access_token": token}});
        let again = world.ask("PATCH", &place).seen("*").json(&again).await.expect(200);
        assert_eq!(again["status"], "connected");
        let mut body = with("system_user", user(world, 0));
        body["platform"] = json!("x");
        let answer = world.ask("POST", "/api/v1/accounts").json(&body).await;
        assert_eq!(answer.faults()[0].1, "credential_refused");
        no_secret_is_kept(world).await;
    }

    async fn whoever_has_left_connects_nothing(world) {
        prepare(world);
        let unit = world.unit().await;
        let leaver = world.colleague("dung.pham@mofa.example").await;
        let body = json!({"unit_id": unit["id"], "platform": "x", "expected_remote_id": user(world, 0)});
        let begun = begin_as(world, &leaver, &body).await;
        let sql = "UPDATE people SET disabled_at = created_at WHERE email = 'dung.pham@mofa.example'";
        world.change(sql).await;
        land(world, &visit(&begun.url, &format!("&sim_user={}", user(world, 0))).await).await;
        assert_eq!(shown(world, &begun.id).await["status"], "granted");
        assert!(accounts(world).await.is_empty());
    }

    async fn whoever_may_not_act_any_more_connects_nothing(world) {
        prepare(world);
        let unit = world.unit().await;
        let body = json!({"unit_id": unit["id"], "platform": "x", "expected_remote_id": user(world, 0)});
        let demoted = world.colleague("giang.vo@mofa.example").await;
        let without_token = world.colleague("hoa.bui@mofa.example").await;
        let (one, other) =
            (begin_as(world, &demoted, &body).await, begin_as(world, &without_token, &body).await);
        world.change("UPDATE people SET administrator = false WHERE email = 'giang.vo@mofa.example'").await;
        let revoked = "UPDATE tokens SET revoked_at = created_at WHERE person_id IN \
            (SELECT id FROM people WHERE email = 'hoa.bui@mofa.example')";
        world.change(revoked).await;
        for begun in [one, other] {
            land(world, &visit(&begun.url, &format!("&sim_user={}", user(world, 0))).await).await;
            assert_eq!(shown(world, &begun.id).await["status"], "granted");
            assert!(accounts(world).await.is_empty());
        }
    }

    async fn what_is_not_finished_in_time_is_forgotten(world) {
        prepare(world);
        let unit = world.unit().await;
        let body = json!({"unit_id": unit["id"], "platform": "x"});
        let begun = begin(world, &body).await;
        land(world, &visit(&begun.url, &format!("&sim_user={}", user(world, 0))).await).await;
        world.change("UPDATE connections SET expires_at = created_at").await;
        assert_eq!(shown(world, &begun.id).await["status"], "expired");
        let finish = format!("/api/v1/accounts/connections/{}/finish", begun.id);
        let choice = json!({"remote_ids": [user(world, 0)]});
        world.ask("POST", &finish).json(&choice).await.problem(409, "connection_elsewhere");
        let late = begin(world, &body).await;
        let back = visit(&late.url, &format!("&sim_user={}", user(world, 0))).await;
        world.change("UPDATE connections SET expires_at = created_at").await;
        assert_eq!(land(world, &back).await.status, 400);
        assert_eq!(shown(world, &late.id).await["status"], "expired");
    }

    async fn a_repeated_request_does_not_show_the_address_again(world) {
        prepare(world);
        let unit = world.unit().await;
        let body = json!({"unit_id": unit["id"], "platform": "x"});
        let ask = || world.ask("POST", "/api/v1/accounts/connect").key("begin").json(&body);
        let first = ask().await.expect(201);
        let url: url::Url = first["authorize_url"].as_str().unwrap().parse().unwrap();
        let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let second = ask().await.expect(201);
        assert_eq!(second["id"], first["id"]);
        assert!(second["authorize_url"].is_null());
        let kept = world.everything_kept().await;
        let found = kept.windows(state.len()).any(|it| it == state.as_bytes());
        assert!(!found, "the state is kept in clear");
        world.simulators.world().revoke("nothing", Death::Invalid);
        let list = world.ask("GET", "/api/v1/accounts/connections?limit=1").send().await.expect(200);
        assert_eq!(list["items"][0]["id"], first["id"]);
    }
}

both! {
    async fn without_an_application_nobody_is_sent_anywhere(world) {
        let unit = world.unit().await;
        for platform in ["facebook", "x"] {
            let body = json!({"unit_id": unit["id"], "platform": platform});
            let answer = world.ask("POST", "/api/v1/accounts/connect").json(&body).await;
            let at = ("/platform".to_owned(), "sign_in_not_configured".to_owned());
            assert_eq!(answer.faults(), [at]);
        }
        let body = json!({"platform": "myspace", "time_zone": "Paris"});
        let answer = world.ask("POST", "/api/v1/accounts/connect").json(&body).await;
        let faults = answer.faults();
        assert_eq!(faults.iter().map(|it| it.1.as_str()).collect::<Vec<_>>(), ["unknown_platform", "blank"]);
    }
}
