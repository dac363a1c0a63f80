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
        // 2031 is after the end of the version of Facebook that is in use.
        assert_eq!(codes(&report["warnings"]), ["version_ends", "same_minute"]);
        assert_eq!(report["warnings"][1]["deliveries"], json!([taken["id"]]));
        let vi = world.ask("POST", "/api/v1/posts/check").header("accept-language", "vi");
        let vi = vi.json(&body).await.expect(200);
        assert!(vi["errors"][0]["detail"].as_str().unwrap().starts_with("Bản vi: văn bản"), "{vi}");
        assert!(vi["errors"][1]["detail"].as_str().unwrap().starts_with("Đồng hồ nơi đó"), "{vi}");
        let ask = world.ask("POST", "/api/v1/posts/check").header("accept-language", "vi");
        let vi = ask.json(&json!({"post_id": post["id"]})).await.expect(200);
        let found: Vec<_> = list(&vi["counts"]).flat_map(|it| list(&it["findings"])).collect();
        assert_eq!(found.len(), 1, "too long for one of the platforms: {vi}");
        // As a thread it would fit where there are threads.
        for count in list(&vi["counts"]) {
            let pieces: Vec<_> = list(&count["pieces"]).map(|it| it.as_str().unwrap()).collect();
            let too_long = count["platform"] == "x" && count["language"] == "vi";
            let expected = if too_long { 2 } else { 0 };
            assert_eq!(pieces.len(), expected, "{count}");
            let whole = post["variants"][0]["text"].as_str().unwrap();
            assert!(expected == 0 || pieces.concat().replace(' ', "") == whole.replace(' ', ""), "{count}");
        }
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

both! {
    with &[("CHANCERY_X__MONTHLY_BUDGET", "450")];

    /// What readers do not see is shown, and refused where it can mislead; what is left of the limits is
    /// told for each account and for the month's money.
    async fn a_dry_run_shows_what_is_hidden_and_what_is_left(world) {
        let desk = Desk::open(world).await;
        let mut draft = desk.draft();
        draft["variants"][0]["text"] = json!("Chào \u{2067}שלום\u{2069}, hoà\u{200b}bình mоfa.gov.vn");
        let body = json!({"post": draft, "deliveries": [
            {"account_id": desk.page, "language": "vi", "at": "2031-07-14T07:00:00Z"},
            {"account_id": desk.profile, "language": "fr", "at": "2031-07-14T07:00:00Z"},
        ]});
        let report = world.ask("POST", "/api/v1/posts/check").json(&body).await.expect(200);
        assert_eq!(codes(&report["errors"]), ["text_hidden_character", "link_disguised"], "{report}");
        let odd: Vec<_> = list(&report["odd_characters"])
            .map(|it| (it["code_point"].as_str().unwrap(), it["refused"].as_bool().unwrap()))
            .collect();
        assert_eq!(odd, [("U+2067", false), ("U+2069", false), ("U+200B", true)]);
        assert_eq!(report["odd_characters"][0]["place"], 5);
        let vi = world.ask("POST", "/api/v1/posts/check").header("accept-language", "vi");
        let vi = vi.json(&body).await.expect(200);
        let detail = vi["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("U+200B xuất hiện 1 lần, lần đầu ở vị trí 17"), "{detail}");

        let body = json!({"post": desk.draft(), "deliveries": [
            {"account_id": desk.profile, "language": "vi", "at": "2031-07-14T07:00:00Z"},
            {"account_id": desk.profile, "language": "fr", "at": "2031-07-14T09:00:00Z"},
        ]});
        let report = world.ask("POST", "/api/v1/posts/check").json(&body).await.expect(200);
        let left = |counts: &str, account: &Value| {
            let of = |it: &&Value| it["counts"] == counts && it["account_id"] == *account;
            list(&report["remaining"]).find(of).cloned().unwrap_or_default()
        };
        let creates = left("creates", &json!(desk.profile));
        let numbers = |of: &Value| ["most", "used", "wanted", "left"].map(|it| of[it].as_u64());
        assert_eq!(numbers(&creates), [Some(100), Some(0), Some(2), Some(98)], "{report}");
        assert_eq!(creates["span_s"], 900);
        let cost = report["cost_usd_micros"].as_u64();
        let money = left("usd_micros", &Value::Null);
        assert_eq!(numbers(&money), [Some(450_000_000), Some(0), cost, cost.map(|it| 450_000_000 - it)]);
        assert!(money["renews_at"].as_str().unwrap().ends_with("-01T00:00:00Z"), "{money}");
        assert!(list(&report["remaining"]).all(|it| it["platform"] == "x"), "{report}");
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
