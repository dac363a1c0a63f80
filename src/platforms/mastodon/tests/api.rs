//! What leaves for a server, and how its posts and headers are read.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::*;
use crate::clock::SimulatedClock;
use crate::domain::id::DeliveryId;
use crate::outbound::Outbound;

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().expect("instant")
}

fn settings() -> Settings {
    let servers = ["https://social.example/", "http://127.0.0.1:9001"];
    Settings { servers: servers.map(|it| it.parse().expect("url")).to_vec(), characters: 500 }
}

fn session(account: &str) -> Session {
    Session {
        remote_id: account.to_owned(),
        handle: None,
        token: SecretString::from("TOKEN".to_owned()),
        outbound: Outbound::new(Vec::new()).expect("client"),
        clock: Arc::new(SimulatedClock::at(now())),
        timeout: Duration::from_secs(1),
    }
}

fn item(settings: Value) -> Item {
    Item {
        delivery: DeliveryId::new(now(), 7),
        text: "Xin chào".to_owned(),
        language: "pt-BR".to_owned(),
        link: Some("https://mofa.gov.vn/vi".to_owned()),
        media: Vec::new(),
        settings,
        under: None,
        ledger: crate::platforms::notes::Notes::open(),
    }
}

#[test]
fn a_create_says_all_that_was_set_and_has_the_deliverys_key() {
    let (settings, on) = (settings(), session("mofa@social.example"));
    let api = Api::of(&settings, &on).expect("api");
    let set = json!({"visibility": "unlisted", "content_warning": "Số liệu", "sensitive": true});
    let request = api.status(&item(set), &["5".to_owned()]).expect("request");
    assert_eq!(request.url.as_str(), "https://social.example/api/v1/statuses");
    let key = request.headers.get("idempotency-key").expect("key");
    assert_eq!(key.to_str().expect("text"), DeliveryId::new(now(), 7).as_str());
    assert!(request.headers.get("authorization").expect("token").is_sensitive());
    let body: Value = serde_json::from_slice(&request.body).expect("json");
    let expected = json!({
        "status": "Xin chào\nhttps://mofa.gov.vn/vi", "media_ids": ["5"], "language": "pt",
        "visibility": "unlisted", "spoiler_text": "Số liệu", "sensitive": true,
    });
    assert_eq!(body, expected);
    let plain = api.status(&item(Value::Null), &[]).expect("request");
    let body: Value = serde_json::from_slice(&plain.body).expect("json");
    assert_eq!(body, json!({"status": "Xin chào\nhttps://mofa.gov.vn/vi", "language": "pt"}));
}

#[test]
fn only_servers_that_are_configured_are_asked() {
    let settings = settings();
    for (account, base) in [
        ("mofa@social.example", Some("https://social.example/")),
        ("mofa@SOCIAL.example", Some("https://social.example/")),
        ("mofa@127.0.0.1:9001", Some("http://127.0.0.1:9001/")),
        ("mofa@127.0.0.1", None),
        ("mofa@elsewhere.example", None),
        ("mofa", None),
        ("@social.example", None),
        ("a/b@social.example", None),
    ] {
        let found = home(&settings, account).map(|(_, base)| base.as_str());
        assert_eq!(found, base, "{account}");
        assert_eq!(Api::of(&settings, &session(account)).is_ok(), base.is_some(), "{account}");
    }
}

#[test]
fn names_on_other_servers_are_compared_without_them() {
    for (text, expected) in [
        ("Hello @eu@social.network-europa.eu, hello", "Hello @eu, hello"),
        ("By @eu@ec.europa.eu.", "By @eu."),
        ("mail a@b.vn and @local", "mail a@b.vn and @local"),
    ] {
        assert_eq!(comparable(text), expected, "{text}");
    }
}

#[test]
fn an_id_of_the_future_is_no_mark() {
    let id = |at: &str| {
        let at: Timestamp = at.parse().expect("instant");
        (at.as_millisecond() << 16).to_string()
    };
    assert!(is_made_by(&id("2026-11-22T09:00:00Z"), now()));
    assert!(!is_made_by(&id("2026-11-22T11:00:00Z"), now()));
    assert!(!is_made_by("abc", now()) && !is_made_by("", now()));
}

#[test]
fn headers_say_how_much_is_left() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-ratelimit-limit", "300"),
        ("x-ratelimit-remaining", "15"),
        ("x-ratelimit-reset", "2026-11-22T10:04:00.000123Z"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let [one] = usage(&headers, now()).try_into().expect("one");
    assert_eq!((one.most, one.left, one.counted), (100, 5, false));
    assert!(one.until.is_some() && one.blocked_until().is_none());
    headers.insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
    let [one] = usage(&headers, now()).try_into().expect("one");
    assert!(one.blocked_until().is_some());
    assert!(usage(&HeaderMap::new(), now()).is_empty());
}
