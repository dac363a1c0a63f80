//! The requests as they leave, and what is read of answers.

use std::time::Duration;

use http::HeaderValue;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use secrecy::SecretString;

use super::*;
use crate::domain::media::MediaKind;
use crate::platforms::session::MediaSource;

struct Setup {
    settings: Settings,
    token: SecretString,
}

impl Setup {
    fn new(secret: Option<&str>) -> Self {
        Self {
            settings: Settings {
                graph_url: "https://graph.facebook.com".parse().expect("url"),
                video_url: "https://graph-video.facebook.com".parse().expect("url"),
                upload_hosts: vec!["rupload.facebook.com".to_owned()],
                two_steps: Vec::new(),
                version: "v25.0".to_owned(),
                app_id: Some("555".to_owned()),
                app_secret: secret.map(|text| SecretString::from(text.to_owned())),
                dialog_url: "https://www.facebook.com".parse().expect("url"),
                login_config_id: None,
            },
            token: SecretString::from("TOKEN-1".to_owned()),
        }
    }

    fn graph(&self) -> Graph<'_> {
        let caller = Caller {
            destination: "facebook",
            token: &self.token,
            timeout: Duration::from_secs(20),
        };
        Graph { settings: &self.settings, page: "104", caller }
    }
}

fn item(text: &str, link: Option<&str>) -> Item {
    Item {
        delivery: crate::domain::id::DeliveryId::new(Timestamp::UNIX_EPOCH, 1),
        text: text.to_owned(),
        language: "vi".to_owned(),
        link: link.map(str::to_owned),
        media: Vec::new(),
        settings: Value::Null,
        under: None,
        ledger: crate::platforms::notes::Notes::open(),
    }
}

fn pairs(request: &Request) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[test]
fn a_text_with_a_link_is_one_form_without_the_token() {
    let setup = Setup::new(None);
    let item = item("Chúc mừng & vui", Some("https://mofa.gov.vn/?a=1&b=2"));
    let request = setup.graph().feed(&item, &[]).expect("request");
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.url.as_str(), "https://graph.facebook.com/v25.0/104/feed");
    assert_eq!(request.headers[CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(request.headers[AUTHORIZATION], "Bearer TOKEN-1");
    assert_eq!(
        pairs(&request),
        [
            ("message".to_owned(), "Chúc mừng & vui".to_owned()),
            ("link".to_owned(), "https://mofa.gov.vn/?a=1&b=2".to_owned()),
            ("fields".to_owned(), "id,created_time,permalink_url,message,is_published".to_owned()),
        ]
    );
    assert!(!String::from_utf8_lossy(&request.body).contains("TOKEN"));
}

#[test]
fn whom_it_is_shown_rather_is_said_only_when_it_is_set() {
    let setup = Setup::new(None);
    let set = json!({"feed_targeting": {"countries": ["LA", "KH"], "locales": [47]}});
    let item = Item { settings: set, ..item("Chào", None) };
    let pairs = pairs(&setup.graph().feed(&item, &[]).expect("request"));
    let told: Value =
        serde_json::from_str(value(&pairs, "feed_targeting").expect("told")).expect("JSON");
    assert_eq!(told, json!({"geo_locations": {"countries": ["LA", "KH"]}, "locales": [47]}));
}

#[test]
fn pictures_are_attached_in_order_and_an_empty_message_is_left_out() {
    let setup = Setup::new(None);
    let photos = ["9001".to_owned(), "9002".to_owned()];
    let request = setup.graph().feed(&item("", None), &photos).expect("request");
    let pairs = pairs(&request);
    assert_eq!(value(&pairs, "message"), None);
    assert_eq!(value(&pairs, "attached_media[0]"), Some(r#"{"media_fbid":"9001"}"#));
    assert_eq!(value(&pairs, "attached_media[1]"), Some(r#"{"media_fbid":"9002"}"#));
}

#[test]
fn a_link_beside_pictures_goes_into_the_text_once() {
    assert_eq!(message("A", Some("https://b.vn"), true), "A\nhttps://b.vn");
    assert_eq!(message("A https://b.vn", Some("https://b.vn"), true), "A https://b.vn");
    assert_eq!(message("", Some("https://b.vn"), true), "https://b.vn");
    assert_eq!(message("A", Some("https://b.vn"), false), "A");
    let setup = Setup::new(None);
    let item = item("A", Some("https://b.vn"));
    let request = setup.graph().feed(&item, &["9001".to_owned()]).expect("request");
    let pairs = pairs(&request);
    assert_eq!(value(&pairs, "message"), Some("A\nhttps://b.vn"));
    assert_eq!(value(&pairs, "link"), None);
}

/// The expected proof was computed with `printf TOKEN-1 | openssl dgst -sha256 -hmac s3cret`.
#[test]
fn every_call_proves_the_applications_secret() {
    const PROOF: &str = "2a6d74a3c774db4bd980c22f019a3752619b60fff7d08fb891cf05340689ad04";
    let setup = Setup::new(Some("s3cret"));
    let graph = setup.graph();
    let create = graph.feed(&item("A", None), &[]).expect("request");
    assert_eq!(value(&pairs(&create), "appsecret_proof"), Some(PROOF));
    let since = Timestamp::UNIX_EPOCH;
    for read in [graph.me("id"), graph.post("104_1", "id"), graph.published("id", since, None)] {
        let url = read.expect("request").url;
        let proof = url.query_pairs().find(|(key, _)| key == "appsecret_proof");
        assert_eq!(proof.map(|(_, value)| value.into_owned()).as_deref(), Some(PROOF), "{url}");
        assert!(!url.as_str().contains("TOKEN"), "{url}");
    }
    let photo = graph.photo(&picture("")).expect("request");
    assert!(String::from_utf8_lossy(&photo.body).contains(PROOF));
}

fn picture(alt: &str) -> ItemMedia {
    ItemMedia {
        sha256: "ab".repeat(32),
        mime: "image/jpeg".to_owned(),
        alt: alt.to_owned(),
        kind: MediaKind::Image,
        source: MediaSource::Held(bytes::Bytes::from_static(b"\xff\xd8JPEG")),
    }
}

#[test]
fn a_picture_is_staged_unpublished_with_its_alternative_text() {
    let setup = Setup::new(None);
    let request = setup.graph().photo(&picture("Lá cờ đỏ sao vàng")).expect("request");
    assert_eq!(request.url.as_str(), "https://graph.facebook.com/v25.0/104/photos");
    let body = String::from_utf8_lossy(&request.body).into_owned();
    assert!(body.contains("name=\"published\"\r\n\r\nfalse\r\n"), "{body}");
    assert!(body.contains("name=\"alt_text_custom\"\r\n\r\nLá cờ đỏ sao vàng\r\n"), "{body}");
    assert!(
        body.contains("name=\"source\"; filename=\"picture.jpeg\"\r\nContent-Type: image/jpeg\r\n")
    );
    assert!(!body.contains("caption"));
    let without = setup.graph().photo(&picture("")).expect("request");
    assert!(!String::from_utf8_lossy(&without.body).contains("alt_text_custom"));
}

#[test]
fn the_list_is_asked_for_since_an_instant_and_after_a_cursor() {
    let setup = Setup::new(None);
    let since: Timestamp = "2026-11-22T10:00:00Z".parse().expect("instant");
    let url = setup.graph().published("id", since, Some("QV=&x")).expect("request").url;
    assert_eq!(
        url.as_str(),
        "https://graph.facebook.com/v25.0/104/published_posts?fields=id&limit=25&since=1795341600&after=QV%3D%26x"
    );
}

#[test]
fn times_come_without_a_colon_in_the_offset() {
    let expected: Timestamp = "2026-11-21T10:00:00Z".parse().expect("instant");
    assert_eq!(instant("2026-11-21T10:00:00+0000"), Some(expected));
    assert_eq!(instant("2026-11-21T17:00:00+0700"), Some(expected));
    assert_eq!(instant("2026-11-21T10:00:00Z"), Some(expected));
    assert_eq!(instant("yesterday"), None);
}

#[test]
fn usage_is_the_highest_of_the_three_counts_and_is_told_before_the_platform_blocks() {
    let now: Timestamp = "2026-11-22T10:00:00Z".parse().expect("instant");
    let mut headers = HeaderMap::new();
    headers.insert(
        "x-app-usage",
        HeaderValue::from_static(r#"{"call_count":28,"total_time":25,"total_cputime":86}"#),
    );
    headers.insert(
        "x-business-use-case-usage",
        HeaderValue::from_static(
            r#"{"104":[{"type":"pages","call_count":12,"total_cputime":4,"total_time":5,"estimated_time_to_regain_access":0}]}"#,
        ),
    );
    headers.insert("x-page-usage", HeaderValue::from_static("not json"));
    let at = |text: &str| Some(text.parse().expect("instant"));
    assert_eq!(
        usage(&headers, now),
        [
            Usage {
                window: "app".to_owned(),
                most: 100,
                left: 14,
                counted: false,
                until: at("2026-11-22T10:02:00Z"),
                whole_app: true,
            },
            Usage {
                window: "pages".to_owned(),
                most: 100,
                left: 88,
                counted: false,
                until: None,
                whole_app: false,
            },
        ]
    );
    assert!(usage(&HeaderMap::new(), now).is_empty(), "absence is not zero");
}

#[test]
fn a_permalink_is_always_absolute() {
    assert_eq!(permalink("104_1", None), "https://www.facebook.com/104_1");
    assert_eq!(permalink("104_1", Some("/reel/7/")), "https://www.facebook.com/reel/7/");
    assert_eq!(permalink("104_1", Some("http://127.0.0.1:9/p/1")), "http://127.0.0.1:9/p/1");
    assert_eq!(permalink("104_1", Some("javascript:x")), "https://www.facebook.com/104_1");
}
