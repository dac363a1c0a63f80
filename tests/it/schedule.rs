//! Scheduling through the front door: times, languages, rules, and all or nothing.

use serde_json::{Value, json};

use crate::planning::{Desk, account, codes, schedule_of};
use crate::world::{World, both};

const FAR: &str = "2031-09-02T02:00:00Z";

async fn try_one(world: &World, desk: &Desk, wanted: Value) -> Vec<(String, String)> {
    let post = desk.post(world, "Câu").await;
    let mut wanted = wanted;
    wanted["account_id"] = json!(desk.page);
    world.ask("POST", &schedule_of(&post)).json(&json!({"deliveries": [wanted]})).await.faults()
}

both! {
    async fn a_time_on_the_wall_of_the_account_becomes_one_instant(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Chào").await;
        let wanted = json!({"deliveries": [
            {"account_id": desk.page, "local": {"date": "2031-07-14", "time": "09:00", "zone": "account"}},
            {"account_id": desk.page, "language": "fr",
             "local": {"date": "2031-07-14", "time": "09:00", "zone": "Asia/Ho_Chi_Minh"},
             "publish_by": "2031-07-14T03:00:00Z"},
        ]});
        let done = world.ask("POST", &schedule_of(&post)).json(&wanted).await.expect(201);
        let [paris, hanoi] = done["deliveries"].as_array().unwrap().as_slice() else { panic!("{done}") };
        assert_eq!((&paris["due_at"], &paris["due_local"]), (&json!("2031-07-14T07:00:00Z"), &json!("2031-07-14T09:00:00+02:00")));
        assert_eq!((&paris["zone"], &paris["language"]), (&json!("Europe/Paris"), &json!("vi")));
        // Four hours of grace for routine work.
        assert_eq!(paris["publish_by"], "2031-07-14T11:00:00Z");
        assert_eq!((&hanoi["due_at"], &hanoi["zone"]), (&json!("2031-07-14T02:00:00Z"), &json!("Asia/Ho_Chi_Minh")));
        assert_eq!((&hanoi["publish_by"], &hanoi["language"]), (&json!("2031-07-14T03:00:00Z"), &json!("fr")));
        assert_eq!((&hanoi["state"], &hanoi["waits_for"]["code"]), (&json!("scheduled"), &json!("due")));
        // The answer is what is kept.
        for one in [paris, hanoi] {
            let place = format!("/api/v1/deliveries/{}", one["id"].as_str().unwrap());
            let kept = world.ask("GET", &place).send().await.expect(200);
            for (name, value) in one.as_object().unwrap() {
                assert_eq!(&kept[name], value, "{name}");
            }
        }
    }

    async fn a_time_that_is_not_one_instant_is_refused(world) {
        let desk = Desk::open(world).await;
        let local = |date: &str, time: &str, zone: &str| {
            json!({"local": {"date": date, "time": time, "zone": zone}})
        };
        for (wanted, place, code) in [
            // Paris jumps over 02:30 on the last Sunday of March and repeats it in October.
            (local("2031-03-30", "02:30", "account"), "/local", "time_skipped"),
            (local("2031-10-26", "02:30", "account"), "/local", "time_ambiguous"),
            (local("2031-10-26", "02:30", "Mars/Olympus"), "/local", "unknown_time_zone"),
            (local("2031-02-29", "02:30", "account"), "/local/date", "bad_date"),
            (local("2031-02-28", "24:00", "account"), "/local/time", "bad_time"),
            (json!({"at": "2031-02-28T10:00:00"}), "/at", "bad_instant"),
            (json!({"at": "9999-12-01T10:00:00Z"}), "/at", "absurd_date"),
            (json!({"at": "1970-01-01T00:00:00Z"}), "/at", "absurd_date"),
            (json!({}), "", "when_not_clear"),
            (json!({"at": FAR, "now": true}), "", "when_not_clear"),
            (json!({"at": FAR, "publish_by": FAR}), "/publish_by", "publish_by_not_after_due"),
            (json!({"at": FAR, "language": "en"}), "/language", "language_missing"),
            (json!({"at": FAR, "settings": {"colour": 1}}), "/settings/colour", "bad_setting"),
            (json!({"at": FAR, "settings": {"intended_repeat": 1}}), "/settings/intended_repeat", "wrong_type"),
        ] {
            let found = try_one(world, &desk, wanted.clone()).await;
            assert_eq!(found, [(format!("/deliveries/0{place}"), code.to_owned())], "{wanted}");
        }
        let list = world.ask("GET", "/api/v1/deliveries").send().await.expect(200);
        assert_eq!(list["items"], json!([]));
    }

    async fn a_platform_says_what_can_be_set_there(world) {
        let x = world.ask("GET", "/api/v1/platforms/x").send().await.expect(200);
        assert_eq!((&x["id"], &x["name"]), (&json!("x"), &json!("X")));
        let words = &x["settings"]["properties"]["reply_settings"];
        assert!(words.to_string().contains("mentionedUsers"), "{words}");
        assert_eq!(x["settings"]["additionalProperties"], json!(false));
        let all = world.ask("GET", "/api/v1/platforms").send().await.expect(200);
        assert!(all["items"].as_array().unwrap().contains(&x));
        world.ask("GET", "/api/v1/platforms/friendster").send().await.expect(404);
    }

    async fn the_neighbours_of_a_skipped_time_are_offered_in_both_languages(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Câu").await;
        let wanted = json!({"deliveries": [{"account_id": desk.page,
            "local": {"date": "2031-03-30", "time": "02:30", "zone": "account"}}]});
        for tongue in ["en", "vi"] {
            let answer = world.ask("POST", &schedule_of(&post)).header("accept-language", tongue).json(&wanted).await;
            let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("2031-03-30T01:30:00+01:00"), "{detail}");
            assert!(detail.contains("2031-03-30T03:30:00+02:00"), "{detail}");
            assert_eq!(detail.contains("Đồng hồ"), tongue == "vi");
        }
    }

    async fn one_bad_delivery_leaves_none_behind(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Câu").await;
        let wanted = json!({"deliveries": [
            {"account_id": desk.page, "at": FAR},
            {"account_id": "acct_00000000000000000000000000000000", "at": FAR},
            {"account_id": desk.page, "at": "nonsense"},
        ]});
        let found = world.ask("POST", &schedule_of(&post)).json(&wanted).await.faults();
        let codes: Vec<_> = found.iter().map(|(place, code)| (place.as_str(), code.as_str())).collect();
        assert_eq!(codes, [("/deliveries/1/account_id", "unknown_reference"), ("/deliveries/2/at", "bad_instant")]);
        let list = world.ask("GET", "/api/v1/deliveries").send().await.expect(200);
        assert_eq!(list["items"], json!([]));
    }

    async fn a_text_over_the_limit_of_the_platform_is_refused_there_and_taken_elsewhere(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, &"a".repeat(281)).await;
        let to = |account: &str| json!({"deliveries": [{"account_id": account, "language": "vi", "at": FAR}]});
        let found = world.ask("POST", &schedule_of(&post)).json(&to(&desk.profile)).await.faults();
        assert_eq!(found, [("/deliveries/0".to_owned(), "text_too_long".to_owned())]);
        world.ask("POST", &schedule_of(&post)).json(&to(&desk.page)).await.expect(201);
    }

    async fn the_same_text_again_is_warned_about_unless_it_is_meant(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Lặp lại").await;
        let ask = async |at: &str, repeat: bool| {
            let wanted = json!({"deliveries": [{"account_id": desk.page, "language": "vi", "at": at,
                "settings": {"intended_repeat": repeat}}]});
            world.ask("POST", &schedule_of(&post)).json(&wanted).await.expect(201)
        };
        // All after the end of the version of Facebook that is in use.
        let ends = ["version_ends"];
        assert_eq!(codes(&ask(FAR, false).await["warnings"]), ends);
        let again = ask("2031-09-02T20:00:00Z", false).await;
        assert_eq!(codes(&again["warnings"]), ["version_ends", "same_text_recently"]);
        assert_eq!(codes(&ask("2031-09-02T20:00:00Z", true).await["warnings"]), ends);
        assert_eq!(codes(&ask("2031-09-09T20:00:00Z", false).await["warnings"]), ends);
    }

    async fn the_same_text_on_many_profiles_is_warned_about(world) {
        let desk = Desk::open(world).await;
        let user = &world.seed.accounts()[1].user;
        let second = account(world, json!({
            "unit_id": desk.unit, "platform": "x", "remote_id": user.id,
            "credential": {"kind": "oauth2", "access_token": user.token},
        })).await;
        let post = desk.post(world, "Một câu").await;
        let to = |account: &str| json!({"deliveries": [{"account_id": account, "language": "vi", "at": FAR}]});
        let first = world.ask("POST", &schedule_of(&post)).json(&to(&desk.profile)).await.expect(201);
        assert_eq!(first["warnings"], json!([]));
        let next = world.ask("POST", &schedule_of(&post)).json(&to(&second)).await.expect(201);
        assert_eq!(codes(&next["warnings"]), ["same_text_many_accounts"]);
    }

    async fn the_same_request_schedules_once(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Một lần").await;
        let wanted = json!({"deliveries": [{"account_id": desk.page, "language": "vi", "at": FAR}]});
        let place = schedule_of(&post);
        let asks = (0..20).map(|_| world.ask("POST", &place).key("once").json(&wanted));
        let answers = futures_util::future::join_all(asks).await;
        let first = answers[0].json();
        for answer in answers {
            assert_eq!(answer.expect(201), first);
        }
        let list = world.ask("GET", "/api/v1/deliveries").send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
    }

    /// Nobody learns from an answer whether an account exists that is not his to know.
    async fn an_account_of_others_is_answered_like_one_that_is_not_there(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Câu").await;
        let token = world.token(json!({"name": "narrow", "accounts": [desk.profile]})).await;
        let token = token["token"].as_str().unwrap();
        let nobody = format!("acct_{}", "0".repeat(32));
        for (place, tongue, status) in [
            (schedule_of(&post), "vi", 422),
            (schedule_of(&post), "en", 422),
            ("/api/v1/posts/check".to_owned(), "vi", 200),
        ] {
            let told = async |account: &str| {
                let mut wanted = json!({"deliveries": [
                    {"account_id": account, "language": "vi", "at": FAR},
                ]});
                if place.ends_with("/check") {
                    wanted["post_id"] = post["id"].clone();
                }
                let ask = world.ask_as(token, "POST", &place).header("accept-language", tongue);
                let mut said = ask.json(&wanted).await.expect(status);
                said["instance"] = json!(null);
                said.to_string().replace(account, "<id>")
            };
            let real = told(&desk.page).await;
            assert!(real.contains("unknown_reference") && real.contains("<id>"), "{real}");
            assert_eq!(real, told(&nobody).await, "{place} in {tongue}");
        }
        let listed = async |account: &str| {
            let place = format!("/api/v1/deliveries?account_id={account}");
            world.ask_as(token, "GET", &place).send().await.expect(200)
        };
        desk.scheduled(world, "Của người khác", FAR).await;
        assert_eq!(listed(&desk.page).await, listed(&nobody).await);
    }

    async fn a_token_for_other_accounts_cannot_schedule_here(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Câu").await;
        let token = world.token(json!({"name": "narrow", "accounts": [desk.profile]})).await;
        let token = token["token"].as_str().unwrap();
        let to = |account: &str| json!({"deliveries": [{"account_id": account, "language": "vi", "at": FAR}]});
        let ask = async |account: &str| {
            world.ask_as(token, "POST", &schedule_of(&post)).json(&to(account)).await
        };
        let found = ask(&desk.page).await.faults();
        assert_eq!(found, [("/deliveries/0/account_id".to_owned(), "unknown_reference".to_owned())]);
        ask(&desk.profile).await.expect(201);
        let other = world.ask("POST", &schedule_of(&post)).json(&to(&desk.page)).await.expect(201);
        let place = format!("/api/v1/deliveries/{}", other["deliveries"][0]["id"].as_str().unwrap());
        world.ask_as(token, "GET", &place).send().await.problem(404, "not_found");
        let list = world.ask_as(token, "GET", "/api/v1/deliveries").send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
    }
}
