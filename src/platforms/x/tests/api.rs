//! The requests as they leave, and what is read of answers.

use std::time::Duration;

use http::HeaderValue;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use secrecy::SecretString;

use super::*;
use crate::domain::media::MediaKind;
use crate::platforms::session::MediaSource;

fn settings() -> Settings {
    Settings {
        web_url: "https://x.com/".parse().expect("url"),
        ..crate::platforms::setting::public().x
    }
}

fn with_api(check: impl Fn(&Api<'_>)) {
    let token = SecretString::from("TOKEN-1".to_owned());
    let caller = Caller { destination: "x", token: &token, timeout: Duration::from_secs(20) };
    check(&Api { settings: &settings(), user: "2244994945", caller, now: Timestamp::UNIX_EPOCH });
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

fn json_body(request: &Request) -> Value {
    assert_eq!(request.headers[CONTENT_TYPE], "application/json");
    serde_json::from_slice(&request.body).expect("JSON")
}

#[test]
fn a_text_with_a_link_is_one_json_object_with_known_keys_only() {
    with_api(|api| {
        let request =
            api.tweet(&item("Xin chào", Some("https://mofa.gov.vn")), &[]).expect("request");
        assert_eq!(request.method, Method::POST);
        assert_eq!(request.url.as_str(), "https://api.x.com/2/tweets");
        assert_eq!(request.headers[AUTHORIZATION], "Bearer TOKEN-1");
        assert_eq!(json_body(&request), json!({"text": "Xin chào\nhttps://mofa.gov.vn"}));
        assert!(!format!("{request:?}").contains("TOKEN"));
    });
}

#[test]
fn who_may_answer_is_said_only_when_it_is_set() {
    with_api(|api| {
        let set = json!({"reply_settings": "mentionedUsers"});
        let request = api.tweet(&Item { settings: set, ..item("A", None) }, &[]).expect("request");
        assert_eq!(json_body(&request), json!({"text": "A", "reply_settings": "mentionedUsers"}));
        let unknown = Item { settings: json!({"reply_settings": "all"}), ..item("A", None) };
        assert_eq!(api.tweet(&unknown, &[]).expect_err("unknown").refusal().code, "settings");
    });
}

#[test]
fn pictures_alone_have_no_text() {
    with_api(|api| {
        let media = ["1".to_owned(), "2".to_owned()];
        let request = api.tweet(&item("", None), &media).expect("request");
        assert_eq!(json_body(&request), json!({"media": {"media_ids": ["1", "2"]}}));
    });
}

#[test]
fn a_link_is_added_only_when_the_text_lacks_it() {
    assert_eq!(sent_text("A https://b.vn B", Some("https://b.vn")), "A https://b.vn B");
    assert_eq!(sent_text("A", Some("https://b.vn")), "A\nhttps://b.vn");
    assert_eq!(sent_text("", Some("https://b.vn")), "https://b.vn");
    assert_eq!(sent_text("A", None), "A");
}

#[test]
fn a_picture_goes_up_with_its_category_and_then_gets_its_text() {
    with_api(|api| {
        let media = ItemMedia {
            sha256: "cd".repeat(32),
            mime: "image/png".to_owned(),
            alt: "Lá cờ".to_owned(),
            kind: MediaKind::Image,
            source: MediaSource::Held(bytes::Bytes::from_static(b"\x89PNG")),
        };
        let request = api.upload(&media).expect("request");
        assert_eq!(request.url.as_str(), "https://api.x.com/2/media/upload");
        let body = String::from_utf8_lossy(&request.body).into_owned();
        assert!(body.contains("name=\"media_category\"\r\n\r\ntweet_image\r\n"), "{body}");
        assert!(body.contains("name=\"media_type\"\r\n\r\nimage/png\r\n"), "{body}");
        assert!(
            body.contains("name=\"media\"; filename=\"picture.png\"\r\nContent-Type: image/png")
        );
        let request = api.alternative_text("77", &media.alt).expect("request");
        assert_eq!(request.url.as_str(), "https://api.x.com/2/media/metadata");
        let expected = json!({"id": "77", "metadata": {"alt_text": {"text": "Lá cờ"}}});
        assert_eq!(json_body(&request), expected);
    });
}

#[test]
fn own_posts_are_asked_for_narrowly_and_with_replies() {
    with_api(|api| {
        let url = api.own_posts(Some("199"), None).expect("request").url;
        assert_eq!(url.path(), "/2/users/2244994945/tweets");
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let value =
            |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(value("max_results"), Some("10"));
        assert_eq!(value("since_id"), Some("199"));
        assert_eq!(value("exclude"), Some("retweets"));
        assert_eq!(value("post.fields"), None, "one vocabulary only");
        let url = api.own_posts(None, Some("t1")).expect("request").url;
        assert!(
            url.as_str().contains("max_results=100")
                && url.as_str().contains("pagination_token=t1")
        );
    });
}

#[test]
fn an_id_tells_when_its_post_was_made() {
    // The id that X's own documents use as their example, with the time they give for it.
    let made = made_at("1212092628029698048").expect("instant");
    assert_eq!(made.to_string(), "2019-12-31T19:26:16.771Z");
    let id = id_at(made).expect("id");
    assert_eq!(made_at(&id), Some(made));
    assert!(id.as_str() <= "1212092628029698048");
    assert_eq!(id_at(Timestamp::UNIX_EPOCH), None);
    assert_eq!(made_at("x"), None);
}

#[test]
fn a_permalink_has_the_handle_when_it_is_known() {
    let settings = settings();
    let link = |handle| permalink(&settings, handle, "5").expect("link");
    assert_eq!(link(Some("mofa_vn")), "https://x.com/mofa_vn/status/5");
    assert_eq!(link(Some("@mofa_vn")), "https://x.com/mofa_vn/status/5");
    assert_eq!(link(None), "https://x.com/i/web/status/5");
}

#[test]
fn both_vocabularies_are_read() {
    for note in ["note_tweet", "note_post"] {
        let value = json!({"id": "5", "text": "short… https://t.co/a", "author_id": "1",
            note: {"text": "the whole &amp; long text", "entities": {"urls": []}}});
        let tweet = Tweet::from_json(&value).expect("post");
        assert_eq!(tweet.text, "the whole & long text", "{note}");
    }
    assert_eq!(Tweet::from_json(&json!({"id": "5"})), None, "without a text nothing is known");
}

#[test]
fn escaped_signs_are_read_once() {
    assert_eq!(unescape("a &amp; b &lt;c&gt; &amp;lt;"), "a & b <c> &lt;");
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().expect("name"), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn usage_is_told_for_each_window_and_not_without_headers() {
    let now: Timestamp = "2026-11-22T10:00:00Z".parse().expect("instant");
    let headers = headers(&[
        ("x-rate-limit-limit", "100"),
        ("x-rate-limit-remaining", "25"),
        ("x-rate-limit-reset", "1795342500"),
        ("x-user-limit-24hour-limit", "17"),
        ("x-user-limit-24hour-remaining", "0"),
        ("x-user-limit-24hour-reset", "1795420800"),
        ("x-app-limit-24hour-limit", "10000"),
    ]);
    let at = |second| Some(Timestamp::from_second(second).expect("instant"));
    let window = |name: &str, left, until| Usage {
        window: name.to_owned(),
        most: if name == "x-rate-limit" { 100 } else { 17 },
        left,
        counted: true,
        until,
        whole_app: false,
    };
    let found = usage(&headers, now);
    let scarce = window("x-rate-limit", 25, at(1_795_342_500));
    let spent = window("x-user-limit-24hour", 0, at(1_795_420_800));
    assert_eq!(found, [scarce.clone(), spent.clone()]);
    assert_eq!((scarce.blocked_until(), spent.blocked_until()), (None, at(1_795_420_800)));
    assert!(usage(&HeaderMap::new(), now).is_empty());
}

#[test]
fn an_uploaded_file_is_used_with_a_margin() {
    assert_eq!(usable_for(Some(86_400)), SignedDuration::from_hours(22));
    assert_eq!(usable_for(None), SignedDuration::from_hours(22));
    assert_eq!(usable_for(Some(60)), SignedDuration::ZERO);
}
