//! Series through the front door: rules with their next dates, what is refused, versions, and the calendar.

use serde_json::{Value, json};

use crate::planning::{Desk, codes};
use crate::world::both;

fn rule(cron: &str, zone: &str) -> Value {
    json!({"cron": cron, "time_zone": zone, "from": "2031-03-29", "until": "2031-10-27"})
}

both! {
    async fn a_rule_shows_its_next_dates_and_where_the_clocks_jump(world) {
        let preview = async |body: &Value| world.ask("POST", "/api/v1/series/preview").json(body).await;
        let spring = preview(&rule("30 2 29,30 3 *", "Europe/Paris")).await.expect(200);
        let at = |date: &Value| {
            let one = &date["instants"][0];
            (date["wall"].clone(), one["local"].clone(), one["clocks"].clone())
        };
        assert_eq!(spring["next"].as_array().unwrap().iter().map(at).collect::<Vec<_>>(), [
            (json!("2031-03-29T02:30:00"), json!("2031-03-29T02:30:00+01:00"), Value::Null),
            (json!("2031-03-30T02:30:00"), json!("2031-03-30T03:30:00+02:00"), json!("skipped")),
        ]);
        let autumn = preview(&rule("30 2 26 10 *", "Europe/Paris")).await.expect(200);
        assert_eq!(at(&autumn["next"][0]).1, json!("2031-10-26T02:30:00+02:00"));
        assert_eq!(at(&autumn["next"][0]).2, json!("repeated"));
        let daily = preview(&json!({"cron": "0 9 * * *", "time_zone": "Asia/Ho_Chi_Minh"})).await.expect(200);
        assert_eq!(daily["next"].as_array().unwrap().len(), 10);
        for (body, place, code) in [
            (rule("0 30 8 * * 1-5", "UTC"), "/cron", "cron_fields"),
            (rule("*/30 * * * *", "UTC"), "/cron", "cron_too_often"),
            (rule("0 9 31 2 *", "UTC"), "/cron", "never_fires"),
            (rule("0 9 25 12 *", "UTC"), "/cron", "never_fires"),
            (rule("0 9 * * ?", "UTC"), "/cron", "cron_field"),
            (rule("0 9 * * *", "Hanoi"), "/time_zone", "unknown_time_zone"),
            (rule("0 9 * * *", "account"), "/account_ids", "whose_zone"),
        ] {
            assert_eq!(preview(&body).await.faults(), [(place.to_owned(), code.to_owned())], "{body}");
        }
        let words = world.ask("POST", "/api/v1/series/preview").header("accept-language", "vi");
        let words = words.json(&rule("*/30 * * * *", "UTC")).await.json();
        assert!(words["errors"][0]["detail"].as_str().unwrap().contains("thư rác"), "{words}");
    }

    async fn a_series_is_made_changed_and_ended_by_its_version(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Hằng ngày").await;
        let new = json!({
            "post_id": post["id"], "cron": "0 9 * * *", "time_zone": "account",
            "accounts": [{"account_id": desk.page}, {"account_id": desk.profile, "language": "fr"}],
        });
        let made = world.ask("POST", "/api/v1/series").key("once").json(&new).await;
        let (place, tag) = (made.header("location").to_owned(), made.header("etag").to_owned());
        let made = made.expect(201);
        assert_eq!(codes(&made["warnings"]), ["repeats_refused"]);
        assert_eq!(made["next"][0]["instants"][0]["zone"], "Europe/Paris");
        let again = world.ask("POST", "/api/v1/series").key("once").json(&new).await.expect(201);
        assert_eq!(again["id"], made["id"]);

        let shown = world.ask("GET", &place).send().await.expect(200);
        // Two weeks, in which a clock may jump.
        let ahead = shown["ahead"].as_u64().unwrap();
        assert!(shown["state"] == "active" && (26..=30).contains(&ahead), "{shown}");
        let dates = world.ask("GET", &format!("{place}/dates?limit=3")).send().await.expect(200);
        assert_eq!(dates["items"].as_array().unwrap().len(), 3);
        let next = dates["next_cursor"].as_str().unwrap();
        let rest = world.ask("GET", &format!("{place}/dates?limit=200&cursor={next}")).send().await.expect(200);
        let rest_of = rest["items"].as_array().unwrap();
        assert_eq!(rest_of.len() as u64, ahead - 3);
        let first = rest_of.last().unwrap();
        assert!(first["wall"].as_str().unwrap().ends_with("T09:00:00") && first["became"] == "made", "{first}");
        let at = first["at"].as_str().unwrap();
        let day = format!("/api/v1/calendar?from={at}&to={}", dates["items"][0]["at"].as_str().unwrap());
        let day = world.ask("GET", &day).send().await.expect(200);
        assert_eq!(day["items"][0]["delivery"]["series_id"], made["id"]);

        let earlier = json!({"cron": "30 8 * * 1-5"});
        world.ask("PATCH", &place).json(&earlier).await.problem(428, "precondition_required");
        let changed = world.ask("PATCH", &place).seen(&tag).json(&earlier).await;
        let now = changed.header("etag").to_owned();
        assert_eq!(changed.expect(200)["taken_back"], ahead);
        world.ask("PATCH", &place).seen(&tag).json(&earlier).await.problem(412, "stale");
        let worse = world.ask("PATCH", &place).seen(&now).json(&json!({"until": "2020-01-01"})).await;
        assert_eq!(worse.faults(), [("/cron".to_owned(), "never_fires".to_owned())]);
        world.ask("DELETE", &place).seen(&tag).send().await.problem(412, "stale");
        let ended = world.ask("DELETE", &place).seen(&now).send().await.expect(200);
        assert!((18..=22).contains(&ended["taken_back"].as_u64().unwrap()), "{ended}");
        world.ask("GET", &place).send().await.problem(404, "not_found");
        let left = world.ask("GET", "/api/v1/deliveries?state=scheduled").send().await.expect(200);
        assert_eq!(left["items"], json!([]));
    }

    async fn what_the_first_date_could_not_be_scheduled_with_is_refused_at_once(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, &"a".repeat(281)).await;
        let wanted = |accounts: Value| json!({
            "post_id": post["id"], "cron": "0 9 * * *", "time_zone": "account", "accounts": accounts,
        });
        let nobody = "acct_00000000000000000000000000000000";
        for (accounts, place, code) in [
            (json!([]), "/accounts", "count_out_of_range"),
            (json!([{"account_id": desk.page}, {"account_id": desk.page}]), "/accounts/1/account_id", "repeated"),
            (json!([{"account_id": nobody}]), "/accounts/0/account_id", "unknown_reference"),
            (json!([{"account_id": desk.page}, {"account_id": desk.profile}]), "/accounts/1", "text_too_long"),
            (json!([{"account_id": desk.page, "language": "ar"}]), "/accounts/0/language", "language_missing"),
        ] {
            let answer = world.ask("POST", "/api/v1/series").json(&wanted(accounts)).await;
            assert_eq!(answer.faults(), [(place.to_owned(), code.to_owned())]);
        }
    }
}
