//! Finding a post again: what matches, what does not, and what says nothing.

use http::{HeaderMap, StatusCode};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("instant")
}

fn now() -> Timestamp {
    at("2026-11-22T10:05:00Z")
}

fn posts() -> Vec<Post> {
    let sample: Value = serde_json::from_str(include_str!(
        "../../../../tests/fixtures/facebook/published_posts.json"
    ))
    .expect("fixture");
    let data = sample["body"]["data"].as_array().expect("data");
    data.iter().map(|post| Post::from_json(post).expect("post")).collect()
}

fn probe(text: &str, media_count: usize) -> Probe {
    Probe {
        delivery: None,
        text: text.to_owned(),
        link: None,
        media_count,
        high_water: Some("104_1220000".to_owned()),
        started_at: at("2026-11-22T10:00:00Z"),
        remote_id: None,
        taken: Vec::new(),
        place: Place::First,
        settings: Value::Null,
        film: false,
        made: None,
    }
}

fn search(probe: &Probe) -> Search<'_> {
    Search {
        page: "104",
        app: Some("555"),
        probe,
        text: normalised(&message(&probe.text, probe.link.as_deref(), probe.media_count > 0)),
        not_before: shift(probe.started_at, -SLACK),
    }
}

fn found(probe: &Probe) -> Lookup {
    search(probe).verdict(&posts(), now())
}

#[test]
fn the_same_text_is_found_whatever_its_blanks_and_form() {
    let probe = probe("Thông ba\u{301}o lãnh sự\r\n  Giờ làm việc ", 0);
    let expected = Receipt {
        remote_id: "104_1220002".to_owned(),
        permalink: Some("https://www.facebook.com/104/posts/1220002".to_owned()),
        published_at: at("2026-11-22T10:00:03Z"),
    };
    assert_eq!(found(&probe), Lookup::Found(expected));
}

#[test]
fn another_text_is_absent() {
    assert_eq!(found(&probe("Thông báo", 0)), Lookup::Absent);
}

#[test]
fn a_text_that_was_rewritten_is_a_persons_to_judge() {
    for text in
        ["THÔNG BÁO lãnh sự – “Giờ làm việc”", "Thông báo lãnh sự Giờ làm việc https://l.vn/1"]
    {
        let verdict = found(&probe(text, 0));
        let is_it = |one: &Receipt| one.remote_id == "104_1220002";
        assert!(matches!(&verdict, Lookup::Similar(all) if all.iter().any(is_it)), "{verdict:?}");
    }
    let mut sent = probe("THÔNG BÁO lãnh sự – “Giờ làm việc”", 0);
    sent.taken = vec!["104_1220002".to_owned()];
    assert_eq!(found(&sent), Lookup::Absent, "another delivery's");
}

#[test]
fn a_lone_post_with_pictures_is_a_persons_to_judge_when_none_were_sent() {
    assert!(matches!(found(&probe("Chúc mừng Quốc khánh Việt Nam", 2)), Lookup::Found(_)));
    // Never an absence: a link can be shown as a picture.
    assert!(matches!(found(&probe("Chúc mừng Quốc khánh Việt Nam", 0)), Lookup::Several(_)));
}

#[test]
fn a_post_of_another_delivery_or_of_before_does_not_count() {
    let text = "Thông báo lãnh sự Giờ làm việc";
    let mut taken = probe(text, 0);
    taken.taken.push("104_1220002".to_owned());
    assert_eq!(found(&taken), Lookup::Absent);
    let mut known = probe(text, 0);
    known.high_water = Some("1220002".to_owned());
    assert_eq!(found(&known), Lookup::Absent);
    let mut later = probe(text, 0);
    later.started_at = at("2026-11-22T10:02:04Z");
    assert_eq!(found(&later), Lookup::Absent);
    let sought = probe(text, 0);
    let other_app = Search { app: Some("556"), ..search(&sought) };
    // The token can be another application's: a person must look.
    assert!(matches!(other_app.verdict(&posts(), now()), Lookup::Several(_)));
}

#[test]
fn what_the_platform_does_not_say_excludes_nothing() {
    let sought = probe("Thông báo", 0);
    let bare = Post::from_json(&serde_json::json!({"id": "104_1220009", "message": "Thông báo"}))
        .expect("post");
    assert!(search(&sought).is_match(&bare));
    // Without a time only the id can tell older posts.
    let older = Post { id: "104_1219999".to_owned(), ..bare.clone() };
    assert!(!search(&sought).is_match(&older));
    // Ids need not grow: with a time, the time decides.
    let timed = Post { created: Some(at("2026-11-22T10:00:01Z")), ..older };
    assert!(search(&sought).is_match(&timed));
    let foreign = Post { id: "105_1220009".to_owned(), ..bare };
    assert!(!search(&sought).is_match(&foreign));
}

#[test]
fn two_matches_are_for_a_person_unless_the_link_tells_them_apart() {
    let post = |id: &str, link: &str| {
        Post::from_json(&serde_json::json!({
            "id": id, "created_time": "2026-11-22T10:00:03+0000",
            "attachments": {"data": [{"type": "share", "unshimmed_url": link}]},
        }))
        .expect("post")
    };
    let two = [post("104_7", "https://a.vn/1"), post("104_8", "https://a.vn/2")];
    let mut sought = probe("", 0);
    assert!(matches!(search(&sought).verdict(&two, now()), Lookup::Several(all) if all.len() == 2));
    sought.link = Some("https://a.vn/2".to_owned());
    let verdict = search(&sought).verdict(&two, now());
    let Lookup::Found(receipt) = verdict else { panic!("{verdict:?}") };
    assert_eq!(receipt.remote_id, "104_8");
    let twice = [two[1].clone(), two[1].clone()];
    assert!(matches!(search(&sought).verdict(&twice, now()), Lookup::Found(_)));
    // Without a text nothing but the place it leads to says that it is ours.
    assert!(matches!(search(&sought).verdict(&two[..1], now()), Lookup::Several(_)));
    sought.link = None;
    assert!(matches!(search(&sought).verdict(&two[..1], now()), Lookup::Several(_)));
}

#[test]
fn a_failed_read_says_nothing() {
    let read = |status: u16, body: &'static str| {
        let status = StatusCode::from_u16(status).expect("status");
        interpret(&Response { status, headers: HeaderMap::new(), body: body.into() }, now())
    };
    for (status, body) in [
        (500, r#"{"error":{"code":2,"message":"later"}}"#),
        (502, "<html>"),
        (200, "<html>"),
        (200, r#"{"data":["#),
        (200, r#"{"error":{"code":190,"message":"dead"}}"#),
        (400, r#"{"error":{"code":190,"message":"dead"}}"#),
        (302, ""),
    ] {
        assert!(read(status, body).is_err(), "{status} {body}");
    }
    let limited = read(400, r#"{"error":{"code":80001,"message":"limit"}}"#);
    let until = limited.err().and_then(|blind| blind.until);
    assert_eq!(until, Some(at("2026-11-22T10:15:00Z")));
    let field = read(400, r#"{"error":{"code":100,"message":"nonexisting field"}}"#);
    assert!(field.is_err_and(|blind| blind.bad_question));
}
