//! Finding a post again: what matches, what does not, and what says nothing.

use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::*;

const USER: &str = "2244994945";

fn now() -> Timestamp {
    "2026-11-22T10:05:00Z".parse().expect("instant")
}

fn settings() -> Settings {
    Settings {
        web_url: "https://x.com".parse().expect("url"),
        ..crate::platforms::setting::public().x
    }
}

fn timeline() -> Vec<Tweet> {
    let sample: Value =
        serde_json::from_str(include_str!("../../../../tests/fixtures/x/timeline.json"))
            .expect("fixture");
    let Ok(tweets) = page(&sample["body"], USER) else { panic!("the fixture is whole") };
    tweets
}

fn probe(text: &str, link: Option<&str>, media_count: usize) -> Probe {
    Probe {
        delivery: None,
        text: text.to_owned(),
        link: link.map(str::to_owned),
        media_count,
        high_water: Some("1992173000000000000".to_owned()),
        started_at: "2026-11-22T10:00:00Z".parse().expect("instant"),
        remote_id: None,
        taken: Vec::new(),
        place: Place::First,
        settings: Value::Null,
        film: false,
        made: None,
    }
}

fn verdict(probe: &Probe, tweets: &[Tweet]) -> Lookup {
    let settings = settings();
    Search { settings: &settings, handle: Some("mofa_vn"), user: USER, probe }
        .verdict(tweets, now())
}

fn found_id(probe: &Probe, tweets: &[Tweet]) -> Option<String> {
    match verdict(probe, tweets) {
        Lookup::Found(receipt) => Some(receipt.remote_id),
        Lookup::Absent
        | Lookup::Several(_)
        | Lookup::Similar(_)
        | Lookup::Processing { .. }
        | Lookup::NotPublic
        | Lookup::Failed(_)
        | Lookup::CannotSee { .. } => None,
    }
}

#[test]
fn short_addresses_escapes_and_other_forms_do_not_hide_a_post() {
    let sent = probe(
        "Họp báo & trao đổi <mở>: mofa.gov.vn/vi",
        Some("https://www.mofa.gov.vn/tin?a=1&b=2"),
        0,
    );
    assert_eq!(found_id(&sent, &timeline()).as_deref(), Some("1992173824000000001"));
    let sent = probe("Chu\u{301}c mừng  Quốc khánh", None, 1);
    assert_eq!(found_id(&sent, &timeline()).as_deref(), Some("1992173824000000002"));
}

#[test]
fn a_text_that_was_rewritten_is_a_persons_to_judge() {
    let link = Some("https://www.mofa.gov.vn/tin?a=1&b=2");
    for text in ["Họp báo – trao đổi «mở»: mofa.gov.vn/vi", "HỌP BÁO & trao đổi mở mofa.gov.vn/vi"]
    {
        let verdict = verdict(&probe(text, link, 0), &timeline());
        assert!(matches!(&verdict, Lookup::Similar(all) if all.len() == 1), "{verdict:?}");
    }
    let mut sent = probe("HỌP BÁO & trao đổi mở mofa.gov.vn/vi", link, 0);
    sent.taken = vec!["1992173824000000001".to_owned()];
    assert_eq!(verdict(&sent, &timeline()), Lookup::Absent, "another delivery's");
    sent.taken.clear();
    sent.high_water = Some("1992173824000000003".to_owned());
    assert_eq!(verdict(&sent, &timeline()), Lookup::Absent, "older than the mark");
}

#[test]
fn a_mark_of_the_future_hides_nothing() {
    let mut sent = probe("Chu\u{301}c mừng  Quốc khánh", None, 1);
    sent.high_water = Some("7999999999999999999".to_owned());
    assert_eq!(found_id(&sent, &timeline()).as_deref(), Some("1992173824000000002"));
}

#[test]
fn a_long_text_is_found_and_an_answer_only_where_one_was_sent() {
    let long = "Tuyên bố. ".repeat(40);
    let answer = Probe { place: Place::UnderSome, ..probe(long.trim(), None, 0) };
    assert_eq!(found_id(&answer, &timeline()).as_deref(), Some("1992173824000000003"));
    assert_eq!(found_id(&probe(long.trim(), None, 0), &timeline()), None, "it is an answer");
}

#[test]
fn other_texts_links_media_owners_and_older_posts_do_not_count() {
    let text = "Họp báo & trao đổi <mở>: mofa.gov.vn/vi";
    let link = Some("https://www.mofa.gov.vn/tin?a=1&b=2");
    assert_eq!(verdict(&probe("Họp báo", None, 0), &timeline()), Lookup::Absent);
    assert_eq!(verdict(&probe(text, Some("https://other.vn/"), 0), &timeline()), Lookup::Absent);
    assert_eq!(verdict(&probe("Chúc mừng Quốc khánh", None, 0), &timeline()), Lookup::Absent);
    let mut newer = probe(text, link, 0);
    newer.high_water = Some("1992173824000000001".to_owned());
    assert_eq!(verdict(&newer, &timeline()), Lookup::Absent);
    let mut taken = probe(text, link, 0);
    taken.taken.push("1992173824000000001".to_owned());
    assert_eq!(verdict(&taken, &timeline()), Lookup::Absent);
}

#[test]
fn an_address_that_x_does_not_resolve_stands_for_any_link() {
    let tweet = |text: &str| {
        Tweet::from_json(&json!({"id": "1992173824000000009", "author_id": USER, "text": text}))
            .expect("post")
    };
    let sent = probe("Xem", Some("https://mofa.gov.vn/tin"), 0);
    assert!(found_id(&sent, &[tweet("Xem https://t.co/abcdefghij")]).is_some());
    assert!(found_id(&sent, &[tweet("Xem")]).is_none());
    assert!(found_id(&probe("Xem", None, 0), &[tweet("Xem https://t.co/abcdefghij")]).is_none());
    // With a picture the address at the end is the picture's.
    assert!(found_id(&probe("Xem", None, 1), &[tweet("Xem https://t.co/abcdefghij")]).is_some());
}

#[test]
fn two_matches_are_for_a_person() {
    let tweet = |id: &str| {
        Tweet::from_json(&json!({"id": id, "author_id": USER, "text": "A"})).expect("post")
    };
    let two = [tweet("1992173824000000008"), tweet("1992173824000000009")];
    assert!(matches!(verdict(&probe("A", None, 0), &two), Lookup::Several(all) if all.len() == 2));
    // Without a text nothing says that a picture is ours.
    let picture = Tweet::from_json(&json!({
        "id": "1992173824000000008", "author_id": USER, "text": "https://t.co/abcdefghij",
    }));
    let alone = [picture.expect("post")];
    assert!(matches!(verdict(&probe("", None, 1), &alone), Lookup::Several(all) if all.len() == 1));
}

#[test]
fn an_empty_list_counts_only_when_it_says_that_it_is_empty() {
    assert!(page(&json!({"meta": {"result_count": 0}}), USER).is_ok_and(|it| it.is_empty()));
    for says_nothing in [
        json!({}),
        json!({"meta": {}}),
        json!({"meta": {"result_count": 1}}),
        json!({"meta": {"result_count": 0}, "errors": [{"title": "Not Found Error"}]}),
        json!({"data": {}, "meta": {"result_count": 0}}),
        json!({"data": [{"id": "5", "text": "A", "author_id": "1"}]}),
        json!({"data": [{"id": "5", "text": "A"}]}),
        json!({"data": [{"id": "5", "author_id": USER}]}),
    ] {
        assert!(page(&says_nothing, USER).is_err(), "{says_nothing}");
    }
}

#[test]
fn a_failed_read_says_nothing() {
    let read = |status: u16, body: &'static str, reset: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        if let Some(reset) = reset {
            for (name, value) in [("limit", "900"), ("remaining", "0"), ("reset", reset)] {
                let name: http::HeaderName = format!("x-rate-limit-{name}").parse().expect("name");
                headers.insert(name, http::HeaderValue::from_static(value));
            }
        }
        let status = StatusCode::from_u16(status).expect("status");
        interpret(&Response { status, headers, body: body.into() }, now())
    };
    for (status, body) in [
        (404, r#"{"title":"Not Found Error"}"#),
        (503, ""),
        (200, "<html>"),
        (200, "[]"),
        (302, ""),
        (401, r#"{"title":"x"}"#),
    ] {
        assert!(read(status, body, None).is_err(), "{status} {body}");
    }
    let until = read(429, r#"{"title":"Too Many Requests"}"#, Some("1795342500")).err();
    assert_eq!(until.and_then(|blind| blind.until), Timestamp::from_second(1_795_342_500).ok());
}

/// X may answer with a host in punycode and a path in percent; both lead to where the sent one does.
#[test]
fn the_two_spellings_of_an_address_are_one() {
    let tweet = |link: &str| {
        let (short, text) = ("https://t.co/abcdefghij", "Xem https://t.co/abcdefghij");
        Tweet::from_json(&json!({
            "id": "1992173824000000009", "author_id": USER, "text": text,
            "entities": {"urls": [{"url": short, "expanded_url": link}]},
        }))
        .expect("post")
    };
    let (mine, hosts) = ("https://ngoạigiao.vn/tin-tức", "https://ngoạigiao.vn/");
    let ascii = url::Url::parse(mine).expect("an address").to_string();
    assert!(ascii.contains("//xn--") && ascii.contains("t%E1%BB%A9c"), "{ascii}");
    for (sent, answered) in [
        (mine, ascii.as_str()),
        (ascii.as_str(), mine),
        ("https://mofa.gov.vn/tin-tức", "https://mofa.gov.vn/tin-t%E1%BB%A9c"),
        ("https://MOFA.gov.vn", "https://mofa.gov.vn/"),
    ] {
        assert!(found_id(&probe("Xem", Some(sent), 0), &[tweet(answered)]).is_some(), "{sent}");
    }
    let other = verdict(&probe("Xem", Some(hosts), 0), &[tweet(&ascii)]);
    assert_eq!(other, Lookup::Absent, "another page of the same host");
}

#[test]
fn a_part_of_a_thread_is_known_by_what_it_answers() {
    let answer = |id: &str, above: Option<&str>| {
        let mut value = json!({"id": id, "text": "Phần hai", "author_id": USER});
        if let Some(above) = above {
            value["referenced_tweets"] = json!([{"type": "replied_to", "id": above}]);
        }
        Tweet::from_json(&value).expect("a post")
    };
    let all = [
        answer("1992173824000000101", Some("1992173824000000001")),
        answer("1992173824000000102", Some("1992173824000000002")),
    ];
    let under = |place: Place| Probe { place, high_water: None, ..probe("Phần hai", None, 0) };
    let settings = settings();
    let seen = |probe: &Probe, tweets: &[Tweet]| {
        Search { settings: &settings, handle: None, user: USER, probe }.verdict(tweets, now())
    };
    let second = under(Place::Under("1992173824000000002".to_owned()));
    let Lookup::Found(found) = seen(&second, &all) else { panic!("it is there") };
    assert_eq!(found.remote_id, "1992173824000000102");
    let other = under(Place::Under("1992173824000000003".to_owned()));
    assert_eq!(seen(&other, &all), Lookup::Absent);
    // What is said first answers nothing, and what does not say that it answers is a person's to judge.
    assert_eq!(seen(&under(Place::First), &all), Lookup::Absent);
    let silent = [answer("1992173824000000103", None)];
    assert!(matches!(seen(&second, &silent), Lookup::Similar(_)));
    assert!(matches!(seen(&under(Place::UnderSome), &all), Lookup::Several(it) if it.len() == 2));
}
