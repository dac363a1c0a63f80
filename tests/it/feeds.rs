//! Calendar feeds, read as calendar programs read them: by two parsers of others, and by a client that has nothing but
//! the secret address.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use calcard::icalendar::ICalendarComponentType;
use calcard::{Entry, Parser};
use chancery::clock::{Clock as _, SystemClock};
use chancery::domain::ics::Calendar;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::calendar::{event, id, made, planned, unit};
use crate::world::{Answer, World, both};

/// The properties that both parsers give as text.
const TEXTS: [&str; 6] = ["UID", "SUMMARY", "DESCRIPTION", "LOCATION", "CATEGORIES", "STATUS"];

type Read = BTreeMap<String, String>;

/// What a calendar has, by a parser in Rust.
fn by_calcard(text: &str) -> Vec<Read> {
    let mut parser = Parser::new(text);
    let Entry::ICalendar(calendar) = parser.entry() else { panic!("no calendar: {text}") };
    assert!(matches!(parser.entry(), Entry::Eof), "something follows: {text}");
    let events =
        calendar.components.iter().filter(|it| it.component_type == ICalendarComponentType::VEvent);
    let read = events.map(|event| {
        let texts = event.entries.iter().map(|entry| {
            let values: Vec<&str> = entry.values.iter().filter_map(|it| it.as_text()).collect();
            (entry.name.as_str().to_owned(), values.join("|"))
        });
        texts.filter(|(name, _)| TEXTS.contains(&name.as_str())).collect()
    });
    read.collect()
}

/// The same by a library for Python; `None` when it was left out on purpose.
#[expect(clippy::disallowed_methods, reason = "a test, which no configuration reaches")]
fn by_icalendar(text: &str, samples: &Value) -> Option<Vec<Read>> {
    let skipped = std::env::var("CHANCERY_TEST_SKIP").unwrap_or_default();
    if skipped.split(',').any(|it| it == "icalendar") {
        eprintln!("NOT CHECKED: CHANCERY_TEST_SKIP names icalendar");
        return None;
    }
    let python = std::env::var("CHANCERY_TEST_ICALENDAR").expect(
        "icalendar is missing: `make test` fetches it, or set CHANCERY_TEST_SKIP=icalendar",
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/icalendar/read.py");
    let mut child = Command::new(python)
        .arg(script)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = json!({"ics": text, "samples": samples}).to_string();
    child.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "it cannot read {text}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["wrong"], json!([]));
    let events: Vec<Read> = serde_json::from_value(said["events"].clone()).unwrap();
    let texts = |mut event: Read| {
        event.retain(|name, _| TEXTS.contains(&name.as_str()));
        event
    };
    Some(events.into_iter().map(texts).collect())
}

/// What both find, which must be the same.
fn read(text: &str) -> Vec<Read> {
    let read = by_calcard(text);
    if let Some(other) = by_icalendar(text, &json!({})) {
        assert_eq!(read.len(), other.len(), "two parsers read differently: {text}");
        for pair in read.iter().zip(&other) {
            assert_eq!(pair.0, pair.1, "two parsers read differently");
        }
    }
    read
}

/// Texts that break calendars, each with what must be read.
const NASTY: [(&str, &str); 36] = [
    ("plain", "plain"),
    ("a, b", "a, b"),
    ("a; b", "a; b"),
    ("C:\\new\\n", "C:\\new\\n"),
    ("ends with \\", "ends with \\"),
    ("\\,\\;\\\\", "\\,\\;\\\\"),
    ("two\nlines", "two\nlines"),
    ("two\r\nlines", "two\nlines"),
    ("two\rlines", "two\nlines"),
    ("\n\r\n\r", "\n\n\n"),
    ("x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:forged", "x\nEND:VEVENT\nBEGIN:VEVENT\nUID:forged"),
    ("x\nATTACH:https://evil.example/", "x\nATTACH:https://evil.example/"),
    ("x\r\n folded", "x\n folded"),
    ("x\u{2028}ATTENDEE:y", "x\nATTENDEE:y"),
    ("x\u{2029}y\u{85}z", "x\ny\nz"),
    ("x\u{b}y\u{c}z", "x\ny\nz"),
    ("a\u{0}b\u{7}c\u{1b}[31md\u{7f}e\u{9b}f", "abc[31mdef"),
    ("tab\there", "tab here"),
    ("\"quoted\" 'text'", "\"quoted\" 'text'"),
    ("SUMMARY:no", "SUMMARY:no"),
    (";VALUE=DATE:20260101", ";VALUE=DATE:20260101"),
    ("100% & <b>bold</b>", "100% & <b>bold</b>"),
    ("Chủ tịch nước thăm chính thức Pháp", "Chủ tịch nước thăm chính thức Pháp"),
    ("Nguyê\u{303}n Thi\u{323} Ha\u{300}", "Nguyê\u{303}n Thi\u{323} Ha\u{300}"),
    ("🇻🇳 👨‍👩‍👧‍👦 👍🏽 ❤️", "🇻🇳 👨‍👩‍👧‍👦 👍🏽 ❤️"),
    ("مرحبا, بالعالم; هنا", "مرحبا, بالعالم; هنا"),
    ("\u{202e}desrever\u{202c} \u{200f}", "\u{202e}desrever\u{202c} \u{200f}"),
    ("外交部、发言人；例行\\记者会", "外交部、发言人；例行\\记者会"),
    ("\u{feff}mark", "\u{feff}mark"),
    ("zero\u{200b}width", "zero\u{200b}width"),
    ("a:b=c,d;e", "a:b=c,d;e"),
    ("=1+1", "=1+1"),
    ("a  b   c", "a  b   c"),
    ("\\N\\n", "\\N\\n"),
    ("𝓗𝓪 𝓝𝓸𝓲", "𝓗𝓪 𝓝𝓸𝓲"),
    ("^n ^' ^^", "^n ^' ^^"),
];

/// One of the parsers makes one space of several in lists alone, of which ours have none.
fn listed(text: &str) -> &str {
    if text.contains("  ") { "one" } else { text }
}

#[test]
fn whatever_a_text_has_two_parsers_read_it_as_it_is() {
    let mut expected = Vec::new();
    let mut out = Calendar::default();
    out.begin("VCALENDAR");
    out.plain("VERSION", "2.0");
    out.plain("PRODID", "test");
    out.text("X-WR-CALNAME", NASTY[10].0);
    let at: Timestamp = "2026-09-02T02:00:00Z".parse().unwrap();
    // As they are, and pushed to each side of where a line is folded.
    let pushed = [0, 3, 30, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 130, 138, 140, 142];
    for (number, before) in pushed.into_iter().enumerate() {
        let before = "ế".repeat(before / 3) + &"x".repeat(before % 3);
        for (text, meant) in NASTY {
            let (text, meant) = (format!("{before}{text}."), format!("{before}{meant}."));
            out.begin("VEVENT");
            out.plain("UID", &format!("{number}-{}", expected.len()));
            out.instant("DTSTAMP", at);
            out.instant("DTSTART", at);
            out.text("SUMMARY", &text);
            out.text("DESCRIPTION", &text);
            out.texts("CATEGORIES", &[listed(&text), "two"]);
            out.plain("STATUS", "CONFIRMED");
            out.end("VEVENT");
            expected.push(meant);
        }
    }
    out.end("VCALENDAR");
    let text = out.finish();
    assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains(['\r', '\n'])));
    let read = read(&text);
    assert_eq!(read.len(), expected.len(), "an entry was forged or lost");
    for (event, meant) in read.iter().zip(&expected) {
        assert_eq!((&event["SUMMARY"], &event["DESCRIPTION"]), (meant, meant));
        assert_eq!(event["CATEGORIES"], format!("{}|two", listed(meant)));
    }
}

#[test]
fn zones_are_written_as_their_clocks_go() {
    let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let until = from + SignedDuration::from_hours(2 * 365 * 24);
    let mut out = Calendar::default();
    let mut samples = BTreeMap::new();
    out.begin("VCALENDAR");
    out.plain("VERSION", "2.0");
    out.plain("PRODID", "test");
    for name in [
        "Europe/Paris",
        "Europe/Dublin",
        "America/New_York",
        "America/Santiago",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Asia/Beirut",
        "Asia/Kathmandu",
        "Asia/Ho_Chi_Minh",
    ] {
        out.zone(name, from, until);
        let zone = TimeZone::get(name).unwrap();
        let mut pairs = Vec::new();
        let mut at = from;
        while at < until {
            let civil = zone.to_datetime(at);
            // What clocks show twice no reader can tell from that alone; it is written as an instant.
            if zone.to_ambiguous_timestamp(civil).compatible().unwrap() == at {
                pairs.push(json!([civil.to_string(), zone.to_offset(at).seconds()]));
            }
            at += SignedDuration::from_mins(295);
        }
        samples.insert(name, pairs);
    }
    out.end("VCALENDAR");
    by_icalendar(&out.finish(), &json!(samples));
}

/// An instant in so many days, to the hour.
fn in_days(days: i64) -> Timestamp {
    let hours = SystemClock.now().as_second() / 3_600 + days * 24;
    Timestamp::from_second(hours * 3_600).unwrap()
}

/// No hour that is there twice.
fn noon_in_days(days: i64) -> Timestamp {
    Timestamp::from_second(in_days(days).as_second() / 86_400 * 86_400 + 43_200).unwrap()
}

fn stamp(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Makes a feed: its id, and the path of its address.
async fn feed(world: &World, token: &str, body: Value) -> (String, String) {
    let created = world.ask_as(token, "POST", "/api/v1/calendar/feeds").json(&body).await;
    let created = created.expect(201);
    let address = created["address"].as_str().unwrap();
    let (_, path) = address.split_once("/calendar/feeds/").unwrap();
    (id(&created), format!("/calendar/feeds/{path}"))
}

async fn fetch(world: &World, path: &str) -> Answer {
    world.anonymous("GET", path).send().await
}

fn text(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    String::from_utf8(answer.bytes.clone()).unwrap()
}

/// The number of changes of an entry.
fn sequence(text: &str, title: &str) -> i64 {
    let event = text.split("BEGIN:VEVENT").find(|it| it.contains(title)).unwrap();
    let (_, after) = event.split_once("SEQUENCE:").unwrap();
    after.split_once("\r\n").unwrap().0.parse().unwrap()
}

async fn person(world: &World, name: &str, unit: &str, role: &str) -> (String, String) {
    let body = json!({
        "email": format!("{name}@mofa.example"), "name": name, "roles": [{"unit_id": unit, "role": role}],
    });
    let person = id(&made(world, "people", &body).await);
    let token = world.token(json!({"name": name, "person_id": person})).await;
    (person, token["token"].as_str().unwrap().to_owned())
}

/// Changes somebody, whatever he is now.
async fn change(world: &World, person: &str, body: Value) {
    let place = format!("/api/v1/people/{person}");
    world.ask("PATCH", &place).seen("*").json(&body).await.expect(200);
}

async fn summaries(world: &World, path: &str) -> Vec<String> {
    let text = text(&fetch(world, path).await);
    read(&text).iter().map(|it| it["SUMMARY"].clone()).collect()
}

both! {
    async fn a_calendar_program_sees_what_is_planned_moved_and_taken_back(world) {
        let unit = unit(world, None).await;
        let [third, fourth] = [in_days(3), in_days(4)];
        let delivery = planned(world, &unit, 0, &third.to_string()).await;
        let day = in_days(5).to_zoned(TimeZone::UTC).date().to_string();
        let days = id(&made(world, "events", &event(&unit, &day, "whole")).await);
        let mut hours = event(&unit, &day, "whole");
        hours["title"] = json!({"vi": "Họp báo, thường kỳ; 🇻🇳", "en": "Briefing"});
        hours["when"] = json!({"instants": {"from": noon_in_days(6), "to": noon_in_days(7)}});
        made(world, "events", &hours).await;
        let (feed_id, path) = feed(world, &world.admin, json!({"name": "Lịch của tôi"})).await;
        let answer = fetch(world, &path).await;
        assert_eq!(answer.header("content-type"), "text/calendar; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        let before = text(&answer);
        assert_eq!(read(&before).len(), 3);
        for wanted in [
            "X-WR-CALNAME:Lịch của tôi\r\n".to_owned(), "TZID:Europe/Paris\r\n".to_owned(),
            "SUMMARY:Bài 0\r\n".to_owned(), "STATUS:CONFIRMED\r\n".to_owned(),
            "SUMMARY:Họp báo\\, thường kỳ\\; 🇻🇳\r\n".to_owned(), "CATEGORIES:Facebook,routine\r\n".to_owned(),
            format!("DTSTART:{}\r\n", stamp(third)), "DTSTART;TZID=Europe/Paris:".to_owned(),
            format!("DTSTART;VALUE=DATE:{}\r\n", day.replace('-', "")), "CATEGORIES:chuyến thăm\r\n".to_owned(),
        ] {
            assert!(before.contains(&wanted), "{wanted} is not in {before}");
        }
        assert!(!before.contains("Tin số") && !before.contains("Chưa công bố"), "{before}");
        let tag = answer.header("etag");
        let same = world.anonymous("GET", &path).header("if-none-match", tag).send().await;
        assert_eq!((same.status, same.bytes.len()), (304, 0));
        let head = world.anonymous("HEAD", &path).send().await;
        assert_eq!((head.status, head.header("etag"), head.bytes.len()), (200, tag, 0));
        world.ask("DELETE", &format!("/api/v1/events/{days}")).seen("*").send().await;
        let place = format!("/api/v1/deliveries/{delivery}");
        let moved = json!({"at": fourth});
        world.ask("POST", &format!("{place}/reschedule")).seen("*").json(&moved).await.expect(200);
        let after = text(&fetch(world, &path).await);
        assert!(after.contains(&format!("DTSTART:{}\r\n", stamp(fourth))), "{after}");
        assert!(sequence(&after, "Bài 0") > sequence(&before, "Bài 0"));
        assert!(after.contains("SUMMARY:ĐÃ HỦY: Chuyến thăm\r\nSTATUS:CANCELLED\r\n"), "{after}");
        let uids = |text: &str| {
            let mut uids: Vec<String> = read(text).iter().map(|it| it["UID"].clone()).collect();
            uids.sort();
            uids
        };
        assert_eq!(uids(&before), uids(&after));
        world.ask("POST", &format!("{place}/cancel")).send().await.expect(200);
        let last = fetch(world, &path).await;
        assert!(text(&last).contains("SUMMARY:ĐÃ HỦY: Bài 0\r\nSTATUS:CANCELLED\r\n"));
        assert_ne!(last.header("etag"), tag);
        let shown = world.ask("GET", &format!("/api/v1/calendar/feeds/{feed_id}")).send().await;
        assert!(shown.expect(200)["fetched_at"].is_string());
    }

    async fn a_revoked_or_unknown_address_leads_nowhere_and_no_secret_is_kept(world) {
        let body = json!({"name": "f", "locale": "en", "detail": "busy", "content": "deliveries"});
        let ask = || world.ask("POST", "/api/v1/calendar/feeds").key("once");
        let created = ask().json(&body).await.expect(201);
        let address = created["address"].as_str().unwrap().to_owned();
        assert_eq!(ask().json(&body).await.expect(201)["address"], Value::Null);
        let path = &address[address.find("/calendar/").unwrap()..];
        let unit = unit(world, None).await;
        planned(world, &unit, 0, &in_days(3).to_string()).await;
        assert_eq!(summaries(world, path).await, ["Busy"]);
        let secret = path.rsplit('/').next().unwrap().strip_suffix(".ics").unwrap();
        let kept = world.everything_kept().await;
        assert!(!kept.windows(secret.len()).any(|it| it == secret.as_bytes()));
        let place = format!("/api/v1/calendar/feeds/{}", id(&created));
        for _ in 0..2 {
            assert_eq!(world.ask("DELETE", &place).send().await.status, 204);
        }
        fetch(world, path).await.problem(404, "not_found");
        let listed = world.ask("GET", "/api/v1/calendar/feeds").send().await.expect(200);
        assert_eq!(listed["items"], json!([]));
        for odd in [
            format!("/calendar/feeds/{}.ics", "0".repeat(64)), "/calendar/feeds/x.ics".to_owned(),
            path.strip_suffix(".ics").unwrap().to_owned(), path.to_uppercase(),
        ] {
            fetch(world, &odd).await.problem(404, "not_found");
        }
        for _ in 0..20 {
            feed(world, &world.admin, json!({"name": "f"})).await;
        }
        let refused = world.ask("POST", "/api/v1/calendar/feeds").json(&json!({"name": "f"})).await;
        refused.problem(409, "too_many_feeds");
    }

    async fn a_feed_shows_what_its_owner_may_see_now_and_to_nobody_else_that_it_is_there(world) {
        let ministry = unit(world, None).await;
        let [europe, asia] = [unit(world, Some(&ministry)).await, unit(world, Some(&ministry)).await];
        let [paris, rome] = [unit(world, Some(&europe)).await, unit(world, Some(&europe)).await];
        for (office, unit) in [&paris, &rome, &asia].into_iter().enumerate() {
            let days = i64::try_from(office).unwrap() + 3;
            planned(world, unit, office, &in_days(days).to_string()).await;
        }
        let (reader, token) = person(world, "reader", &paris, "reader").await;
        let (feed_id, path) = feed(world, &token, json!({"name": "f"})).await;
        assert_eq!(summaries(world, &path).await, ["Bài 0", "Bài 1", "Bận"]);
        let whole = text(&fetch(world, &path).await);
        assert_eq!(whole.matches("URL:").count(), 1, "one's own alone has a link: {whole}");
        // Those who answer for him see and revoke it; to others it is not there.
        let place = format!("/api/v1/calendar/feeds/{feed_id}");
        let (_, chief) = person(world, "chief", &paris, "administrator").await;
        let (_, other) = person(world, "other", &asia, "administrator").await;
        for (token, sees) in [(&chief, 1), (&other, 0), (&world.admin, 1), (&token, 1)] {
            let listed = world.ask_as(token, "GET", "/api/v1/calendar/feeds").send().await.expect(200);
            assert_eq!(listed["items"].as_array().unwrap().len(), sees);
            let shown = world.ask_as(token, "GET", &place).send().await;
            assert_eq!(shown.status, if sees == 1 { 200 } else { 404 });
        }
        world.ask_as(&other, "DELETE", &place).send().await.problem(404, "not_found");
        // His rights are asked each time.
        for (rights, status) in [
            (json!({"roles": []}), 404),
            (json!({"roles": [{"unit_id": asia, "role": "reader"}]}), 200),
            (json!({"disabled": true}), 404),
        ] {
            change(world, &reader, rights).await;
            assert_eq!(fetch(world, &path).await.status, status);
            if status == 200 {
                assert_eq!(summaries(world, &path).await, ["Bận", "Bận", "Bài 2"]);
            }
        }
        change(world, &reader, json!({"disabled": false, "roles": [{"unit_id": paris, "role": "reader"}]})).await;
        assert_eq!(world.ask_as(&chief, "DELETE", &place).send().await.status, 204);
        assert_eq!(fetch(world, &path).await.status, 404);
    }

    async fn a_feed_is_narrowed_by_what_was_asked_and_by_the_token_it_was_made_with(world) {
        let [paris, rome] = [unit(world, None).await, unit(world, None).await];
        for (office, unit) in [&paris, &rome].into_iter().enumerate() {
            planned(world, unit, office, &in_days(3).to_string()).await;
        }
        let accounts = world.ask("GET", "/api/v1/accounts").send().await.expect(200);
        let of = |unit: &str| {
            let items = accounts["items"].as_array().unwrap();
            id(items.iter().find(|it| it["unit_id"] == unit).unwrap())
        };
        let day = in_days(5).to_zoned(TimeZone::UTC).date().to_string();
        made(world, "events", &event(&rome, &day, "whole")).await;
        let limited = world.token(json!({"name": "l", "accounts": [of(&paris)]})).await;
        let limited = limited["token"].as_str().unwrap();
        let admin = &world.admin;
        for (token, body, expected) in [
            (admin.as_str(), json!({"unit_id": paris}), vec!["Bài 0"]),
            (admin, json!({"account_id": of(&rome)}), vec!["Bài 1"]),
            (admin, json!({"platform": "x"}), vec![]),
            (admin, json!({"language": "vi", "unit_id": rome}), vec!["Bài 1"]),
            (admin, json!({"content": "events", "locale": "en"}), vec!["Visit"]),
            (limited, json!({"content": "deliveries"}), vec!["Bài 0"]),
        ] {
            let mut body = body;
            body["name"] = json!("f");
            let (_, path) = feed(world, token, body.clone()).await;
            assert_eq!(summaries(world, &path).await, expected, "{body}");
        }
        let (_, reader) = person(world, "reader", &paris, "reader").await;
        for (body, pointer, code) in [
            (json!({"name": "f", "account_id": of(&rome)}), "/account_id", "unknown_reference"),
            (json!({"name": "f", "content": "events", "platform": "x"}), "/content", "feed_of_events"),
            (json!({"name": "f", "platform": "y"}), "/platform", "unknown_platform"),
            (json!({"name": "f", "language": "?"}), "/language", "bad_language"),
            (json!({"name": "a\r\nb"}), "/name", "control_character"),
        ] {
            let refused = world.ask_as(&reader, "POST", "/api/v1/calendar/feeds").json(&body).await;
            assert_eq!(refused.faults(), [(pointer.to_owned(), code.to_owned())]);
        }
    }
}
