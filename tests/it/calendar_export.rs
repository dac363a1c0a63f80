//! The calendar as a table that people take away, and bring back.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::calendar::{event, made, planned, reader, unit};
use crate::world::{World, both};

const MONTH: &str = "/api/v1/calendar/export?from=2031-09-01T00:00:00Z&to=2031-10-01T00:00:00Z";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

async fn taken(world: &World, token: &str, query: &str, tongue: &str) -> Vec<u8> {
    let ask = world.ask_as(token, "GET", &format!("{MONTH}{query}"));
    let answer = ask.header("accept-language", tongue).send().await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.bytes));
    answer.bytes
}

fn rows(csv: &[u8]) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(csv).unwrap().strip_prefix('\u{feff}').unwrap();
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    rows.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The parts of a workbook, unpacked.
fn unpacked(xlsx: &[u8]) -> String {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(xlsx)).unwrap();
    let mut all = String::new();
    for place in 0..archive.len() {
        archive.by_index(place).unwrap().read_to_string(&mut all).unwrap();
    }
    all
}

/// The events that an import of a table makes in a new unit, as the calendar has them.
async fn brought_back(world: &World, kind: &str, table: Vec<u8>) -> Vec<Value> {
    let unit = unit(world, None).await;
    let path = format!("/api/v1/imports?unit_id={unit}&kind=plan&dry_run=false");
    world.ask("POST", &path).body(kind, table).await.expect(201);
    let month = MONTH.replace("/export", "");
    let page = world.ask("GET", &format!("{month}&unit_id={unit}")).send().await.expect(200);
    let said = |entry: &Value| {
        let event = &entry["event"];
        json!([entry["title"], event["kind"], event["when"], event["time_zone"], event["note"]])
    };
    page["items"].as_array().unwrap().iter().map(said).collect()
}

both! {
    async fn what_goes_out_is_a_table_in_the_time_of_each_account(world) {
        let unit = unit(world, None).await;
        let delivery = planned(world, &unit, 0, "2031-09-02T02:00:00Z").await;
        made(world, "events", &event(&unit, "2031-09-05", "whole")).await;
        let table = rows(&taken(world, &world.admin, "&format=csv", "vi").await);
        assert_eq!(table.len(), 2, "{table:?}");
        assert_eq!(table[0][..4], ["thời điểm", "múi giờ", "giờ UTC", "đơn vị"]);
        let shown = world.ask("GET", &format!("/api/v1/deliveries/{delivery}")).send().await.expect(200);
        let account = format!("/api/v1/accounts/{}", shown["account_id"].as_str().unwrap());
        let account = world.ask("GET", &account).send().await.expect(200);
        let zone = jiff::tz::TimeZone::get(account["time_zone"].as_str().unwrap()).unwrap();
        let at: jiff::Timestamp = "2031-09-02T02:00:00Z".parse().unwrap();
        assert_eq!(table[1][0], at.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string());
        assert_eq!(table[1][1..3], [account["time_zone"].as_str().unwrap(), "2031-09-02T02:00:00Z"]);
        assert_eq!(table[1][4], account["display_name"].as_str().unwrap());
        assert_eq!(table[1][5..10], ["facebook", "vi", "routine", "scheduled", "Bài 0"]);
        let english = rows(&taken(world, &world.admin, "&format=csv&platform=x", "en").await);
        assert_eq!((english.len(), english[0][0].as_str()), (1, "when"));
    }

    async fn events_that_were_taken_away_can_be_brought_back(world) {
        let unit = unit(world, None).await;
        let mut days = event(&unit, "2031-09-05", "whole");
        days["when"]["days"]["to"] = json!("2031-09-07");
        days["title"] = json!({"vi": "Lễ Quốc khánh", "en": "National Day"});
        made(world, "events", &days).await;
        let mut hours = event(&unit, "2031-09-05", "whole");
        hours["when"] = json!({"instants": {"from": "2031-09-10T07:00:00Z", "to": "2031-09-10T08:30:00Z"}});
        hours["title"] = json!({"vi": "Họp báo", "en": "Briefing"});
        hours["kind"] = json!("briefing");
        made(world, "events", &hours).await;
        let said = |event: &Value| {
            json!([event["title"], event["kind"], event["when"], "Europe/Paris", event["note"]])
        };
        for tongue in ["vi", "en"] {
            let query = format!("&content=events&unit_id={unit}");
            let table = taken(world, &world.admin, &format!("{query}&format=csv"), tongue).await;
            assert_eq!(brought_back(world, "text/csv", table).await, [said(&days), said(&hours)]);
            let table = taken(world, &world.admin, &query, tongue).await;
            assert_eq!(brought_back(world, XLSX, table).await, [said(&days), said(&hours)]);
        }
    }

    async fn nobody_takes_away_more_than_he_sees(world) {
        let [own, other] = [unit(world, None).await, unit(world, None).await];
        planned(world, &other, 0, "2031-09-02T02:00:00Z").await;
        let mut secret = event(&other, "2031-09-05", "busy");
        secret["title"] = json!({"vi": "Chuyến thăm bí mật", "en": "Secret visit"});
        made(world, "events", &secret).await;
        let token = reader(world, &own).await;
        for content in ["deliveries", "events"] {
            let table = taken(world, &token, &format!("&format=csv&content={content}"), "en").await;
            let table = rows(&table);
            assert_eq!(table.len(), 2, "{table:?}");
            let all = table[1].join(" ");
            assert!(all.ends_with("busy") && !all.contains("Bài") && !all.contains("ecret") && !all.contains("bí mật"), "{all}");
            assert!(!all.contains("Đại sứ quán"), "{all}");
        }
    }

    async fn a_title_is_never_a_formula(world) {
        let unit = unit(world, None).await;
        let mut one = event(&unit, "2031-09-05", "whole");
        one["title"] = json!({"vi": "=1+1", "en": "@SUM(A1)"});
        made(world, "events", &one).await;
        let table = rows(&taken(world, &world.admin, "&content=events&format=csv", "en").await);
        assert_eq!(table[1][..2], ["'=1+1", "'@SUM(A1)"]);
        let parts = unpacked(&taken(world, &world.admin, "&content=events", "en").await);
        assert!(parts.contains("=1+1") && !parts.contains("<f>"), "{parts}");
    }

    async fn too_long_a_time_is_refused(world) {
        let query = MONTH.replace("to=2031", "to=2033");
        let answer = world.ask("GET", &query).send().await;
        assert_eq!(answer.faults(), [("?to".to_owned(), "bad_time_span".to_owned())]);
    }
}
