//! Whole publishes and looks over a real connection: in which order requests leave, and which
//! never do. The other side is a script of answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::outcome::{Lookup, Outcome, RefusalKind};
use super::session::{Item, ItemMedia, MediaSource, Metered, Place, Probe, Progress, Session};
use super::{Platform, Platforms, Withdrawn, setting};
use crate::clock::SimulatedClock;
use crate::domain::attempt::Reach;
use crate::domain::id::DeliveryId;
use crate::domain::media::MediaKind;
use crate::outbound::Outbound;

/// What the other side does with one request.
enum Act {
    Answer(u16, &'static str),
    /// Reads the request and closes the connection.
    Drop,
}

use Act::{Answer, Drop};

/// First lines and events, in the order in which they happened.
type Journal = Arc<Mutex<Vec<String>>>;

fn note(journal: &Journal, line: String) {
    journal.lock().expect("journal").push(line);
}

fn seen(journal: &Journal) -> Vec<String> {
    journal.lock().expect("journal").clone()
}

async fn serve(listener: TcpListener, acts: Vec<Act>, journal: Journal) {
    for act in acts {
        let (mut stream, _) = listener.accept().await.expect("accept");
        let mut bytes = Vec::new();
        let mut chunk = [0_u8; 4096];
        loop {
            let read = stream.read(&mut chunk).await.expect("read");
            bytes.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_lowercase().strip_prefix("content-length:").map(str::to_owned)
                })
                .map_or(0, |length| length.trim().parse::<usize>().expect("length"));
            if bytes.len() >= head.len() + 4 + length {
                let line = head.lines().next().expect("line").replace(" HTTP/1.1", "");
                note(&journal, line);
                break;
            }
        }
        if let Answer(status, body) = act {
            let answer = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.expect("write");
        }
        stream.shutdown().await.ok();
    }
}

struct Stage {
    platforms: Platforms,
    session: Session,
    journal: Journal,
}

impl Stage {
    async fn new(remote_id: &str, acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listener");
        let port = listener.local_addr().expect("address").port();
        let base: url::Url = format!("http://127.0.0.1:{port}").parse().expect("url");
        let journal = Journal::default();
        tokio::spawn(serve(listener, acts, Arc::clone(&journal)));
        let platforms = Platforms::new(setting::at(std::array::from_fn(|_| base.clone())));
        let start: Timestamp = "2026-11-22T10:00:00Z".parse().expect("instant");
        let session = Session {
            remote_id: remote_id.to_owned(),
            handle: None,
            token: SecretString::from("TOKEN".to_owned()),
            outbound: Outbound::new(vec!["127.0.0.1".to_owned()]).expect("client"),
            clock: Arc::new(SimulatedClock::at(start)),
            timeout: Duration::from_secs(10),
        };
        Self { platforms, session, journal }
    }

    fn platform(&self, id: &str) -> &dyn Platform {
        self.platforms.get(id).expect("platform").as_ref()
    }

    async fn publish(
        &self,
        id: &str,
        item: &Item,
        progress: &mut Progress,
        may_leave: Result<(), Withdrawn>,
    ) -> Result<Metered<Outcome>, Withdrawn> {
        let journal = Arc::clone(&self.journal);
        let leave = Box::pin(async move {
            note(&journal, "leave".to_owned());
            may_leave
        });
        self.platform(id).publish(&self.session, item, progress, leave).await
    }
}

fn item(pictures: usize) -> Item {
    let media = (0..pictures).map(|number| ItemMedia {
        sha256: format!("{number:064x}"),
        mime: "image/png".to_owned(),
        alt: "Lá cờ".to_owned(),
        kind: MediaKind::Image,
        source: MediaSource::Held(bytes::Bytes::from_static(b"\x89PNG")),
    });
    Item {
        delivery: DeliveryId::new(Timestamp::UNIX_EPOCH, 1),
        text: "Xin chào".to_owned(),
        language: "vi".to_owned(),
        link: None,
        media: media.collect(),
        settings: Value::Null,
        under: None,
        ledger: super::notes::Notes::open(),
    }
}

const PHOTO: &str = r#"{"id":"9001"}"#;
const UPLOAD: &str = r#"{"data":{"id":"77","expires_after_secs":86400}}"#;
const METADATA: &str = r#"{"data":{"id":"77"}}"#;

#[tokio::test]
async fn a_page_gets_its_pictures_before_leaving_and_one_create_after() {
    let acts = vec![Answer(200, PHOTO), Answer(200, PHOTO), Answer(200, r#"{"id":"104_5"}"#)];
    let stage = Stage::new("104", acts).await;
    let mut progress = Progress::default();
    let done = stage.publish("facebook", &item(2), &mut progress, Ok(())).await.expect("left");
    let Outcome::Published(receipt) = done.value else { panic!("{:?}", done.value) };
    assert_eq!(receipt.remote_id, "104_5");
    assert_eq!(
        seen(&stage.journal),
        ["POST /v25.0/104/photos", "POST /v25.0/104/photos", "leave", "POST /v25.0/104/feed"]
    );
    let hours = progress.staged[0].expires_at.duration_since(stage.session.clock.now()).as_hours();
    assert_eq!((progress.staged.len(), hours), (2, 22));
}

#[tokio::test]
async fn x_gets_pictures_and_their_texts_before_leaving_and_one_create_after() {
    let created = r#"{"data":{"id":"2124442764702646272","text":"Xin"}}"#;
    let acts = vec![Answer(200, UPLOAD), Answer(200, METADATA), Answer(201, created)];
    let stage = Stage::new("22", acts).await;
    let mut progress = Progress::default();
    let done = stage.publish("x", &item(1), &mut progress, Ok(())).await.expect("left");
    assert!(matches!(done.value, Outcome::Published(_)), "{:?}", done.value);
    assert_eq!(
        seen(&stage.journal),
        ["POST /2/media/upload", "POST /2/media/metadata", "leave", "POST /2/tweets"]
    );
}

#[tokio::test]
async fn what_is_taken_back_is_never_sent() {
    for (id, remote_id) in [("facebook", "104"), ("x", "22")] {
        let stage = Stage::new(remote_id, vec![Answer(200, "{}")]).await;
        let mut progress = Progress::default();
        let done = stage.publish(id, &item(0), &mut progress, Err(Withdrawn)).await;
        assert_eq!(done, Err(Withdrawn), "{id}");
        assert_eq!(seen(&stage.journal), ["leave"], "{id}");
    }
}

#[tokio::test]
async fn a_second_try_uploads_only_what_is_missing() {
    for (id, remote_id) in [("facebook", "104"), ("x", "22")] {
        // The second picture fails first: nothing leaves, the first one is remembered.
        let (first, second) = if id == "x" {
            let first = vec![Answer(200, UPLOAD), Answer(200, METADATA), Drop];
            (first, vec![Answer(200, UPLOAD), Answer(200, METADATA), Drop])
        } else {
            (vec![Answer(200, PHOTO), Drop], vec![Answer(200, PHOTO), Drop])
        };
        let stage = Stage::new(remote_id, first.into_iter().chain(second).collect()).await;
        let mut progress = Progress::default();
        let early = stage.publish(id, &item(2), &mut progress, Ok(())).await.expect("not asked");
        let Outcome::Deferred(deferral) = early.value else { panic!("{:?}", early.value) };
        assert_eq!((deferral.code, progress.staged.len()), ("upload", 1), "{id}");
        let late = stage.publish(id, &item(2), &mut progress, Ok(())).await.expect("left");
        let Outcome::Unknown(doubt) = late.value else { panic!("{:?}", late.value) };
        assert_eq!((doubt.reach, progress.staged.len()), (Reach::BodyComplete, 2), "{id}");
        let creates = seen(&stage.journal)
            .iter()
            .filter(|it| it.ends_with("/feed") || it.ends_with("/tweets"))
            .count();
        assert_eq!(creates, 1, "{id}: {:?}", seen(&stage.journal));
    }
}

#[tokio::test]
async fn a_picture_without_its_text_is_not_remembered() {
    let stage = Stage::new("22", vec![Answer(200, UPLOAD), Answer(503, "")]).await;
    let mut progress = Progress::default();
    let done = stage.publish("x", &item(1), &mut progress, Ok(())).await.expect("not asked");
    assert!(matches!(done.value, Outcome::Deferred(_)), "{:?}", done.value);
    assert!(progress.staged.is_empty());
    assert!(!seen(&stage.journal).contains(&"leave".to_owned()));
}

#[tokio::test]
async fn a_refusal_for_content_forgets_the_pictures() {
    let refused = r#"{"error":{"message":"invalid","code":100}}"#;
    let stage = Stage::new("104", vec![Answer(200, PHOTO), Answer(400, refused)]).await;
    let mut progress = Progress::default();
    let done = stage.publish("facebook", &item(1), &mut progress, Ok(())).await.expect("left");
    let Outcome::Refused(refusal) = done.value else { panic!("{:?}", done.value) };
    assert_eq!(refusal.kind, RefusalKind::Content);
    assert!(progress.staged.is_empty());
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    for (id, remote_id) in [("facebook", "104"), ("x", "22")] {
        let stage = Stage::new(remote_id, Vec::new()).await;
        tokio::task::yield_now().await;
        let mut progress = Progress::default();
        let done = stage.publish(id, &item(0), &mut progress, Ok(())).await.expect("left");
        let Outcome::Deferred(deferral) = done.value else { panic!("{id}: {:?}", done.value) };
        assert_eq!(deferral.code, "connect");
    }
}

fn probe(high_water: Option<&str>) -> Probe {
    Probe {
        delivery: Some(DeliveryId::new(Timestamp::UNIX_EPOCH, 1)),
        text: "Xin chào".to_owned(),
        link: None,
        media_count: 0,
        high_water: high_water.map(str::to_owned),
        started_at: "2026-11-22T10:00:00Z".parse().expect("instant"),
        remote_id: None,
        taken: Vec::new(),
        place: Place::First,
        settings: Value::Null,
        film: false,
        made: None,
    }
}

const LISTED: &str =
    r#"{"data":[{"id":"104_7","message":"Xin chào","created_time":"2026-11-22T10:00:01+0000"}]}"#;

#[tokio::test]
async fn an_empty_list_proves_absence_only_for_the_right_page() {
    let acts = vec![
        Answer(200, r#"{"id":"104"}"#),
        Answer(200, r#"{"data":[]}"#),
        Answer(200, r#"{"id":"105"}"#),
        // Never asked for: a list that cannot be trusted is not read.
        Answer(200, r#"{"data":[]}"#),
    ];
    let stage = Stage::new("104", acts).await;
    let found = stage.platform("facebook").find(&stage.session, &probe(None)).await;
    assert_eq!(found.value, Lookup::Absent);
    let other = stage.platform("facebook").find(&stage.session, &probe(None)).await;
    assert!(matches!(other.value, Lookup::CannotSee { .. }), "{:?}", other.value);
}

#[tokio::test]
async fn a_page_is_read_on_over_an_empty_page_and_with_fewer_fields() {
    let field = r#"{"error":{"message":"nonexisting field","code":100}}"#;
    let goes_on = r#"{"data":[],"paging":{"cursors":{"after":"c1"},"next":"https://graph.facebook.com/x?access_token=y"}}"#;
    let acts = vec![
        Answer(200, r#"{"id":"104"}"#),
        Answer(400, field),
        Answer(200, goes_on),
        Answer(200, LISTED),
    ];
    let stage = Stage::new("104", acts).await;
    let found = stage.platform("facebook").find(&stage.session, &probe(None)).await;
    let Lookup::Found(receipt) = found.value else { panic!("{:?}", found.value) };
    assert_eq!(receipt.remote_id, "104_7");
    let last = seen(&stage.journal).pop().expect("a request");
    assert!(last.contains("after=c1") && !last.contains("access_token"), "{last}");
}

#[tokio::test]
async fn a_given_away_id_is_looked_at_first_and_with_another_text_it_is_a_persons() {
    let post = r#"{"id":"104_7","message":"Xin chào","created_time":"2026-11-22T10:00:01+0000"}"#;
    let acts = vec![Answer(200, r#"{"id":"104"}"#), Answer(200, post), Answer(200, post)];
    let stage = Stage::new("104", acts).await;
    let known = Probe { remote_id: Some("104_7".to_owned()), ..probe(None) };
    let found = stage.platform("facebook").find(&stage.session, &known).await;
    assert!(matches!(found.value, Lookup::Found(_)), "{:?}", found.value);
    let other = r#"{"data":{"id":"1992173824000000001","author_id":"22","text":"other"}}"#;
    let stage = Stage::new("22", vec![Answer(200, other), Answer(200, other)]).await;
    let known = Probe {
        remote_id: Some("1992173824000000001".to_owned()),
        ..probe(Some("1992173000000000000"))
    };
    let found = stage.platform("x").find(&stage.session, &known).await;
    assert!(matches!(found.value, Lookup::Several(all) if all.len() == 1));
    // A read of it that fails says nothing, and the list is not asked instead.
    let stage = Stage::new("22", vec![Answer(503, "")]).await;
    let found = stage.platform("x").find(&stage.session, &known).await;
    assert!(matches!(found.value, Lookup::CannotSee { .. }), "{:?}", found.value);
}

#[tokio::test]
async fn x_without_a_mark_asks_who_it_is_and_too_many_posts_are_for_a_person() {
    let me = r#"{"data":{"id":"22","name":"A","username":"a"}}"#;
    let none = r#"{"meta":{"result_count":0}}"#;
    let stage = Stage::new("22", vec![Answer(200, me), Answer(200, none)]).await;
    let found = stage.platform("x").find(&stage.session, &probe(None)).await;
    assert_eq!(found.value, Lookup::Absent);
    let requests = seen(&stage.journal);
    assert!(requests[0].starts_with("GET /2/users/me"), "{requests:?}");
    assert!(requests[1].contains("since_id="), "{requests:?}");
    let more = r#"{"data":[{"id":"1992173824000000001","author_id":"22","text":"B"}],"meta":{"result_count":1,"next_token":"n"}}"#;
    let stage =
        Stage::new("22", vec![Answer(200, more), Answer(200, more), Answer(200, more)]).await;
    let found = stage.platform("x").find(&stage.session, &probe(Some("5"))).await;
    assert!(matches!(found.value, Lookup::CannotSee { .. }), "{:?}", found.value);
}

#[tokio::test]
async fn ids_are_ordered_as_numbers() {
    let stage = Stage::new("104", Vec::new()).await;
    let newer = |id: &str, a: &str, b: &str| stage.platform(id).newer(a, b);
    assert!(newer("facebook", "104_99", "104_100").is_lt());
    assert!(newer("facebook", "104_100", "100").is_eq());
    assert!(newer("x", "999", "1992173824000000001").is_lt());
}

#[tokio::test]
async fn settings_are_what_a_platform_has_and_its_schema_says() {
    let stage = Stage::new("104", Vec::new()).await;
    let targeting = |audience: Value| serde_json::json!({ "feed_targeting": audience });
    let many: Vec<String> = (0..26_u8).map(|it| format!("A{}", char::from(b'A' + it))).collect();
    for (id, settings, wrong) in [
        ("x", serde_json::json!({"reply_settings": "mentionedUsers"}), None),
        ("x", serde_json::json!({"reply_settings": "everyone"}), Some("/reply_settings")),
        ("x", targeting(serde_json::json!({"countries": ["VN"]})), Some("/feed_targeting")),
        (
            "facebook",
            targeting(serde_json::json!({"countries": ["VN", "LA"], "locales": [47]})),
            None,
        ),
        ("facebook", targeting(serde_json::json!({})), Some("/feed_targeting")),
        (
            "facebook",
            targeting(serde_json::json!({"countries": ["VN", "vn"]})),
            Some("/feed_targeting/countries/1"),
        ),
        (
            "facebook",
            targeting(serde_json::json!({"countries": ["VN", "VN"]})),
            Some("/feed_targeting/countries/1"),
        ),
        (
            "facebook",
            targeting(serde_json::json!({"countries": many})),
            Some("/feed_targeting/countries"),
        ),
        (
            "facebook",
            targeting(serde_json::json!({"locales": [-1]})),
            Some("/feed_targeting/locales/0"),
        ),
        (
            "facebook",
            targeting(serde_json::json!({"age_min": 18})),
            Some("/feed_targeting/age_min"),
        ),
    ] {
        let found = stage.platform(id).check_settings(&settings);
        let place = found.first().map(|(pointer, _)| pointer.as_str());
        assert_eq!(place, wrong, "{id} {settings}: {found:?}");
    }
    let members = |id: &str| stage.platform(id).settings_schema()["properties"].clone();
    let words = members("x")["reply_settings"].to_string();
    for word in ["following", "mentionedUsers", "subscribers", "verified"] {
        assert!(words.contains(word), "{words}");
    }
    let audience = members("facebook")["feed_targeting"].to_string();
    assert!(audience.contains("countries") && !audience.contains("$ref"), "{audience}");
    for id in ["facebook", "x"] {
        let check = |settings: Value| stage.platform(id).check_settings(&settings);
        assert!(check(Value::Null).is_empty() && check(serde_json::json!({})).is_empty());
        let unknown = check(serde_json::json!({"a/b": 1}));
        assert_eq!(unknown.first().map(|(pointer, _)| pointer.as_str()), Some("/a~1b"));
        assert_eq!(check(serde_json::json!([1])).len(), 1);
    }
}
