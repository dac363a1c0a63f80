//! The dry run through the front door: it tells everything and changes nothing.

use serde_json::{Value, json};

use crate::planning::{Desk, codes};
use crate::world::both;

both! {
    async fn a_dry_run_counts_resolves_prices_and_changes_nothing(world) {
        let desk = Desk::open(world).await;
        let mut draft = desk.draft();
        draft["variants"][0]["link"] = json!("https://mofa.gov.vn/");
        let body = json!({"post": draft, "deliveries": [
            {"account_id": desk.page, "local": {"date": "2031-07-14", "time": "09:00", "zone": "account"}},
            {"account_id": desk.profile, "language": "vi", "at": "2031-07-14T07:00:00Z"},
            {"account_id": desk.profile, "language": "fr", "at": "2031-07-14T07:00:30Z"},
        ]});
        let report = world.ask("POST", "/api/v1/posts/check").json(&body).await.expect(200);
        assert_eq!((&report["ok"], &report["errors"]), (&json!(true), &json!([])), "{report}");
        assert_eq!(report["deliveries"][0]["due_local"], "2031-07-14T09:00:00+02:00");
        assert_eq!(report["deliveries"][0]["publish_by"], "2031-07-14T11:00:00Z");
        assert_eq!(report["deliveries"][0]["cost_usd_micros"], json!(null));
        // 0.200 dollars with an address, 0.015 without.
        assert_eq!(report["deliveries"][1]["cost_usd_micros"], 200_000);
        assert_eq!(report["cost_usd_micros"], 215_000);
        let on_x = report["counts"].as_array().unwrap().iter()
            .find(|it| it["platform"] == "x" && it["language"] == "vi").unwrap();
        // "Chào mừng Quốc khánh 2/9" with ừ and ố counting two, a new line, and a link of 23.
        assert_eq!((&on_x["count"], &on_x["max"]), (&json!(26 + 1 + 23), &json!(280)));
        for what in ["posts", "deliveries"] {
            let list = world.ask("GET", &format!("/api/v1/{what}")).send().await.expect(200);
            assert_eq!(list["items"], json!([]), "{what}");
        }
    }

    async fn a_dry_run_tells_all_that_stands_in_the_way(world) {
        let desk = Desk::open(world).await;
        let taken = desk.scheduled(world, "Đã có", "2031-07-14T07:00:20Z").await;
        let post = desk.post(world, &format!("{} dài", "ộ".repeat(150))).await;
        let body = json!({"post_id": post["id"], "deliveries": [
            {"account_id": desk.page, "language": "vi", "at": "2031-07-14T07:00:00Z"},
            {"account_id": desk.profile, "language": "vi", "at": "2031-07-14T07:00:00Z"},
            {"account_id": desk.page, "local": {"date": "2031-03-30", "time": "02:30", "zone": "account"}},
        ]});
        let report = world.ask("POST", "/api/v1/posts/check").json(&body).await.expect(200);
        assert_eq!(report["ok"], false);
        assert_eq!(codes(&report["errors"]), ["text_too_long", "time_skipped"]);
        assert_eq!(codes(&report["warnings"]), ["same_minute"]);
        assert_eq!(report["warnings"][0]["deliveries"], json!([taken["id"]]));
        let vi = world.ask("POST", "/api/v1/posts/check").header("accept-language", "vi");
        let vi = vi.json(&body).await.expect(200);
        assert!(vi["errors"][0]["detail"].as_str().unwrap().starts_with("Bản vi: văn bản"), "{vi}");
        assert!(vi["errors"][1]["detail"].as_str().unwrap().starts_with("Đồng hồ nơi đó"), "{vi}");
        let ask = world.ask("POST", "/api/v1/posts/check").header("accept-language", "vi");
        let vi = ask.json(&json!({"post_id": post["id"]})).await.expect(200);
        let found: Vec<_> = list(&vi["counts"]).flat_map(|it| list(&it["findings"])).collect();
        assert_eq!(found.len(), 1, "too long for one of the platforms: {vi}");
        assert!(found[0]["detail"].as_str().unwrap().starts_with("Bản vi: "), "{vi}");
        let bad = json!({"post": {"unit_id": desk.unit, "title": "", "class": "routine",
            "source_language": "vi", "variants": []}});
        let report = world.ask("POST", "/api/v1/posts/check").json(&bad).await.expect(200);
        assert_eq!(codes(&report["errors"]), ["blank", "source_language_missing"]);
        assert_eq!(report["errors"][0]["pointer"], "/post/title");
        let neither = world.ask("POST", "/api/v1/posts/check").json(&json!({})).await;
        assert_eq!(neither.faults(), [(String::new(), "post_or_post_id".to_owned())]);
    }

    /// 120 posts for one account on X within a quarter of an hour, where 100 fit.
    async fn more_than_fits_is_told_in_both_languages(world) {
        let desk = Desk::open(world).await;
        let wanted = |count: u32| {
            let one = |number: u32| {
                let at = format!("2031-07-14T07:{:02}:{:02}Z", number / 10, number % 10 * 6);
                json!({"account_id": desk.profile, "language": "vi", "at": at,
                       "settings": {"intended_repeat": true}})
            };
            json!({"post": desk.draft(), "deliveries": (0..count).map(one).collect::<Vec<_>>()})
        };
        let ask = async |count: u32, tongue: &str| {
            let ask = world.ask("POST", "/api/v1/posts/check").header("accept-language", tongue);
            let report = ask.json(&wanted(count)).await.expect(200);
            let all = report["warnings"].as_array().unwrap().clone();
            all.into_iter().filter(|it| it["code"] == "does_not_fit").collect::<Vec<_>>()
        };
        assert_eq!(ask(100, "en").await, Vec::<Value>::new());
        let told = ask(120, "en").await;
        let detail = told[0]["detail"].as_str().unwrap();
        assert!(detail.starts_with("120 deliveries are planned for this account"), "{detail}");
        assert_eq!((&told[0]["values"]["most"], &told[0]["values"]["over"]), (&json!("100"), &json!("20")));
        let told = ask(120, "vi").await;
        let detail = told[0]["detail"].as_str().unwrap();
        assert!(detail.starts_with("Có 120 lượt đăng trên tài khoản này trong 15 phút"), "{detail}");
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
