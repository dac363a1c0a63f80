//! Facebook's side of the contract, call by call.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Graph;
use crate::simulator::probe::{Answer, Probe, picture};
use crate::simulator::{
    Death, DuplicateCode, Exhausted, Fault, Kind, Operation, Page, Platform, Unreadable,
};

fn probe() -> Probe {
    let probe = Probe::new(Graph);
    probe.world.set_facebook_app("900", "secret", false);
    for (id, name) in [("55", "MOFA"), ("66", "Embassy")] {
        probe.world.add_page(Page {
            id: id.into(),
            name: name.into(),
            token: format!("p{id}"),
            fan_count: 1_234,
            ..Page::default()
        });
    }
    probe
}

async fn say(probe: &Probe, fields: &[(&str, &str)]) -> Answer {
    probe.post_form("/v25.0/55/feed", "p55", fields).await
}

fn id_of(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap_or_default().to_owned()
}

/// code and subcode of an error.
fn code(answer: &Answer) -> (u64, u64) {
    let error = &answer.json()["error"];
    (error["code"].as_u64().unwrap_or(0), error["error_subcode"].as_u64().unwrap_or(0))
}

async fn stage(probe: &Probe, salt: u8, alt: &str) -> String {
    let fields = [("published", "false"), ("alt_text_custom", alt)];
    let bytes = picture(salt);
    let answer = probe.post_file("/v25.0/55/photos", "p55", &fields, ("source", &bytes)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json().get("post_id").is_none());
    id_of(&answer)
}

#[tokio::test]
async fn a_post_is_made_and_read_back_in_one_call() {
    let probe = probe();
    let answer = say(
        &probe,
        &[
            ("message", "Tiếng Việt\r\nthứ hai  "),
            ("fields", "id,created_time,permalink_url,message,is_published,application{id}"),
        ],
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let post = answer.json();
    assert!(post["id"].as_str().unwrap().starts_with("55_"));
    assert_eq!(post["created_time"], "2026-09-02T02:00:00+0000");
    assert_eq!(post["message"], "Tiếng Việt\nthứ hai");
    assert_eq!(post["is_published"], true);
    assert_eq!(post["application"], json!({ "id": "900" }));
    assert!(post["permalink_url"].as_str().unwrap().ends_with(post["id"].as_str().unwrap()));
    assert_eq!(answer.header("facebook-api-version"), Some("v25.0"));
    let usage: Value =
        serde_json::from_str(answer.header("x-business-use-case-usage").unwrap()).unwrap();
    assert_eq!(usage["55"][0]["type"], "pages");
    let plain = say(&probe, &[("message", "plain")]).await.json();
    assert_eq!(plain.as_object().unwrap().len(), 1);
    assert_eq!(probe.world.page_posts("55").len(), 2);
}

#[tokio::test]
async fn parameters_may_come_as_json_and_the_token_in_the_body() {
    let probe = probe();
    let body = json!({ "message": "json", "access_token": "p55", "published": true });
    let answer = probe.post_json("/v25.0/me/feed", "", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(probe.world.journal()[0].account.as_deref(), Some("55"));
    assert_eq!(probe.world.journal()[0].intent.text, "json");
}

/// The fields of a call, and the code and subcode that refuse it.
type Case<'a> = (&'a [(&'a str, &'a str)], (u64, u64));

#[tokio::test]
async fn empty_and_wrong_posts_are_refused() {
    let probe = probe();
    let long = "a".repeat(63_207);
    let cases: [Case<'_>; 8] = [
        (&[], (197, 0)),
        (&[("message", "  ")], (197, 0)),
        (&[("message", ""), ("link", "https://mofa.gov.vn/")], (197, 0)),
        (&[("message", &long)], (100, 0)),
        (&[("link", "not an address")], (100, 2_061_006)),
        (&[("link", "https://www.facebook.com/x")], (100, 1_609_008)),
        (&[("message", "a"), ("attached_media[0]", "{\"media_fbid\":\"404\"}")], (100, 33)),
        (&[("message", "a"), ("attached_media", "nonsense")], (100, 0)),
    ];
    for (fields, expected) in cases {
        let answer = say(&probe, fields).await;
        assert_eq!((answer.status, code(&answer)), (400, expected), "{}", answer.text);
        assert!(answer.json()["error"]["fbtrace_id"].is_string());
    }
    let unscrapable = vec!["slow.example".to_owned()];
    probe.world.change_settings(|it| it.facebook.unscrapable_hosts = unscrapable);
    let answer = say(&probe, &[("link", "https://slow.example/a")]).await;
    assert_eq!(code(&answer), (100, 1_609_005));
    assert!(probe.world.page_posts("55").is_empty());
}

#[tokio::test]
async fn several_staged_photos_become_one_post() {
    let probe = probe();
    let (one, two) = (stage(&probe, 1, "Cờ").await, stage(&probe, 2, "").await);
    assert!(probe.world.page_posts("55").is_empty());
    let (first, second) =
        (json!({ "media_fbid": one }).to_string(), json!({ "media_fbid": two }).to_string());
    let fields = [
        ("message", "album"),
        ("attached_media[0]", first.as_str()),
        ("attached_media[1]", second.as_str()),
        ("fields", "attachments{media_type,subattachments{target{id}}}"),
    ];
    let answer = say(&probe, &fields).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let attachment = &answer.json()["attachments"]["data"][0];
    assert_eq!(attachment["media_type"], "album");
    assert_eq!(attachment["subattachments"]["data"][1]["target"]["id"], two);
    let post = &probe.world.page_posts("55")[0];
    assert_eq!(post.photos[0].alt_text.as_deref(), Some("Cờ"));
    assert_eq!(post.photos[1].sha256, hex::encode(Sha256::digest(picture(2))));
    assert_eq!(probe.world.journal()[0].intent.media, [one.clone(), two]);
    let again = say(&probe, &[("message", "again"), ("attached_media[0]", &first)]).await;
    assert_eq!(code(&again), (100, 1_366_051));
    let json_way = json!({ "message": "json", "attached_media": [{ "media_fbid":
        stage(&probe, 3, "").await }] });
    assert_eq!(probe.post_json("/v25.0/55/feed", "p55", &json_way).await.status, 200);
}

#[tokio::test]
async fn staged_photos_expire_and_bad_ones_are_refused() {
    let probe = probe();
    let old = stage(&probe, 1, "").await;
    probe.clock.advance(Duration::from_hours(24));
    let media = json!({ "media_fbid": old }).to_string();
    let answer = say(&probe, &[("message", "a"), ("attached_media[0]", &media)]).await;
    assert_eq!(code(&answer), (100, 33));
    let staged = [("published", "false")];
    let path = "/v25.0/55/photos";
    let pdf = probe.post_file(path, "p55", &staged, ("source", b"%PDF-1.7")).await;
    assert_eq!(code(&pdf), (324, 0));
    let mut large = picture(1);
    large.resize(4 * 1024 * 1024 + 1, 0);
    let answer = probe.post_file(path, "p55", &staged, ("source", &large)).await;
    assert_eq!(code(&answer), (100, 1_366_046));
    let mut many = vec![("message".to_owned(), "eleven".to_owned())];
    for salt in 0..11 {
        let id = stage(&probe, salt, "").await;
        many.push((format!("attached_media[{salt}]"), json!({ "media_fbid": id }).to_string()));
    }
    let many: Vec<_> = many.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(code(&say(&probe, &many).await), (100, 0));
    let direct = probe
        .post_file(path, "p55", &[("caption", "at once")], ("source", &picture(9)))
        .await
        .json();
    assert_eq!(probe.world.page_posts("55")[0].id, direct["post_id"]);
    let photo = stage(&probe, 30, "alt").await;
    let path = format!("/v25.0/{photo}");
    let read = probe.get(&format!("{path}?fields=alt_text_custom"), "p55").await.json();
    assert_eq!(read["alt_text_custom"], "alt");
    assert_eq!(probe.delete(&path, "p55").await.json()["success"], true);
    assert_eq!(code(&probe.delete(&path, "p55").await), (100, 33));
}

#[tokio::test]
async fn tokens_act_for_their_page_alone_and_die_with_a_reason() {
    let probe = probe();
    assert_eq!(code(&probe.get("/v25.0/me", "").await), (2500, 0));
    assert_eq!(code(&probe.get("/v25.0/55", "").await), (104, 0));
    assert_eq!(code(&probe.get("/v25.0/55", "nobody").await), (190, 0));
    let other = probe.post_form("/v25.0/66/feed", "p55", &[("message", "a")]).await;
    assert_eq!((other.status, code(&other)), (403, (200, 0)));
    assert_eq!(code(&probe.get("/v25.0/404_1", "p55").await), (100, 33));
    for (death, subcode) in [
        (Death::AppRemoved, 458),
        (Death::Checkpoint, 459),
        (Death::PasswordChanged, 460),
        (Death::Expired, 463),
        (Death::Unconfirmed, 464),
        (Death::Invalid, 467),
        (Death::RoleLost, 492),
    ] {
        probe.world.revoke("p66", death);
        let answer = probe.get("/v25.0/me", "p66").await;
        assert_eq!((answer.status, code(&answer)), (400, (190, subcode)));
        assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"));
    }
    let path = "/v25.0/debug_token?access_token=900%7Csecret&input_token=";
    let alive = probe.get(&format!("{path}p55"), "").await.json();
    assert_eq!(
        (&alive["data"]["is_valid"], &alive["data"]["profile_id"]),
        (&json!(true), &json!("55"))
    );
    let dead = probe.get(&format!("{path}p66"), "").await.json();
    assert_eq!(dead["data"]["error"]["subcode"], 492);
}

#[tokio::test]
async fn the_proof_must_match_the_token_of_the_call() {
    let probe = probe();
    let proof = |token: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
        mac.update(token.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    };
    let ask =
        async |proof: &str| probe.get(&format!("/v25.0/me?appsecret_proof={proof}"), "p55").await;
    assert_eq!(ask(&proof("p55")).await.status, 200);
    for wrong in [proof("p66"), proof("p55").to_uppercase(), "no hex".to_owned()] {
        let answer = ask(&wrong.replace(' ', "%20")).await;
        assert_eq!(code(&answer), (100, 0), "{wrong}");
    }
    assert_eq!(probe.get("/v25.0/me", "p55").await.status, 200);
    probe.world.set_facebook_app("900", "secret", true);
    assert_eq!(code(&probe.get("/v25.0/me", "p55").await), (100, 0));
    assert_eq!(ask(&proof("p55")).await.status, 200);
}

#[tokio::test]
async fn versions_live_die_and_never_were() {
    let probe = probe();
    for (version, served) in [("v26.0", "v26.0"), ("v21.0", "v21.0"), ("v18.0", "v21.0")] {
        let answer = probe.get(&format!("/{version}/me"), "p55").await;
        assert_eq!((answer.status, answer.header("facebook-api-version")), (200, Some(served)));
    }
    for version in ["v27.0", "v25.1", "v0.0"] {
        let answer = probe.get(&format!("/{version}/me"), "p55").await;
        assert!(answer.text.contains("Unknown path components"), "{version}: {}", answer.text);
    }
    assert_eq!(code(&probe.get("/v25.0/?ids=1,2", "p55").await), (100, 0));
    assert_eq!(code(&probe.get("/v25.0/55/posts?date_format=U", "p55").await), (100, 0));
}

#[tokio::test]
async fn lists_are_newest_first_and_read_in_parts() {
    let probe = probe();
    let began = probe.world.now().as_second();
    let empty = probe.get("/v25.0/55/published_posts", "p55").await.json();
    assert_eq!(empty, json!({ "data": [] }));
    for number in 0..5 {
        probe.clock.advance(Duration::from_secs(10));
        say(&probe, &[("message", &format!("post {number}"))]).await;
    }
    let draft = say(&probe, &[("message", "draft"), ("published", "false")]).await;
    probe.world.insert_foreign(Platform::Facebook, "55", "foreign").unwrap();
    let path = "/v25.0/55/published_posts?fields=message,application&limit=2";
    let first = probe.get(path, "p55").await.json();
    assert_eq!(messages(&first), ["foreign", "post 4"]);
    assert!(first["data"][0].get("application").is_none());
    assert_eq!(first["data"][1]["application"]["id"], "900");
    let next = first["paging"]["next"].as_str().unwrap();
    assert!(next.contains("access_token=p55"), "{next}");
    let second = probe.get(next, "p55").await.json();
    assert_eq!(messages(&second), ["post 3", "post 2"]);
    let since = began + 40;
    let path = format!("/v25.0/55/posts?since={since}&fields=message");
    assert_eq!(messages(&probe.get(&path, "p55").await.json()), ["foreign", "post 4", "post 3"]);
    let path = format!("/v25.0/55/posts?until={}&fields=message", began + 20);
    assert_eq!(messages(&probe.get(&path, "p55").await.json()), ["post 1", "post 0"]);
    let mixed = probe.get("/v25.0/55/feed?fields=message,is_published", "p55").await.json();
    assert!(messages(&mixed).contains(&"draft"));
    let path = format!("/v25.0/{}?fields=is_published", id_of(&draft));
    assert_eq!(probe.get(&path, "p55").await.json()["is_published"], false);
    assert_eq!(code(&probe.get("/v25.0/55/posts?fields=nonsense", "p55").await), (100, 0));
    assert!(probe.world.reads()["55"] >= 7);
    probe.world.change_settings(|settings| settings.facebook.empty_first_page = true);
    let empty = probe.get("/v25.0/55/published_posts?fields=message&limit=1", "p55").await.json();
    assert_eq!(empty["data"], json!([]));
    let rest = probe.get(empty["paging"]["next"].as_str().unwrap(), "p55").await.json();
    assert_eq!(messages(&rest), ["foreign"]);
}

fn messages(answer: &Value) -> Vec<&str> {
    answer["data"].as_array().unwrap().iter().map(|it| it["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn one_post_is_read_under_both_of_its_names() {
    let probe = probe();
    let id = id_of(&say(&probe, &[("link", "https://mofa.gov.vn/a")]).await);
    let bare = id.split_once('_').unwrap().1;
    for name in [id.as_str(), bare] {
        let path = format!("/v25.0/{name}?fields=id,attachments{{media_type,unshimmed_url}}");
        let post = probe.get(&path, "p55").await.json();
        assert_eq!(post["id"], id);
        let attachment = json!({ "media_type": "link", "unshimmed_url": "https://mofa.gov.vn/a" });
        assert_eq!(post["attachments"]["data"][0], attachment);
    }
    assert_eq!(code(&probe.get("/v25.0/55_404", "p55").await), (100, 33));
    let page = probe.get("/v25.0/55?fields=id,name,followers_count", "p55").await.json();
    assert_eq!(page, json!({ "id": "55", "name": "MOFA", "followers_count": 1234 }));
}

#[tokio::test]
async fn drafts_are_published_later_and_posts_edited_and_deleted() {
    let probe = probe();
    let draft = id_of(&say(&probe, &[("message", "draft"), ("published", "false")]).await);
    let path = format!("/v25.0/{draft}");
    for _ in 0..2 {
        let answer = probe.post_form(&path, "p55", &[("is_published", "true")]).await;
        assert_eq!(answer.json()["success"], true, "{}", answer.text);
    }
    assert!(probe.world.page_posts("55")[0].is_published);
    probe.post_form(&path, "p55", &[("message", "changed")]).await;
    assert_eq!(probe.world.page_posts("55")[0].text, "changed");
    let foreign = probe.world.insert_foreign(Platform::Facebook, "55", "theirs").unwrap();
    let edit = probe.post_form(&format!("/v25.0/{foreign}"), "p55", &[("message", "x")]).await;
    assert_eq!(code(&edit), (200, 0));
    assert_eq!(probe.delete(&path, "p55").await.json()["success"], true);
    assert_eq!(code(&probe.delete(&path, "p55").await), (100, 33));
    probe.world.change_settings(|settings| settings.facebook.publish_later = false);
    let draft = id_of(&say(&probe, &[("message", "draft 2"), ("published", "false")]).await);
    let answer =
        probe.post_form(&format!("/v25.0/{draft}"), "p55", &[("is_published", "true")]).await;
    assert_eq!(code(&answer), (100, 0));
}

#[tokio::test]
async fn a_scheduled_post_becomes_public_by_itself() {
    let probe = probe();
    let now = probe.world.now().as_second();
    let at = async |seconds: i64| {
        let time = (now + seconds).to_string();
        let fields =
            [("message", "later"), ("published", "false"), ("scheduled_publish_time", &time)];
        say(&probe, &fields).await
    };
    assert_eq!(code(&at(599).await), (100, 0));
    assert_eq!(code(&at(75 * 86_400 + 1).await), (100, 0));
    assert_eq!(at(600).await.status, 200);
    let listed = async |edge: &str| {
        let path = format!("/v25.0/55/{edge}");
        probe.get(&path, "p55").await.json()["data"].as_array().unwrap().len()
    };
    assert_eq!((listed("scheduled_posts").await, listed("posts").await), (1, 0));
    probe.clock.advance(Duration::from_mins(10));
    assert_eq!((listed("scheduled_posts").await, listed("posts").await), (0, 1));
}

#[tokio::test]
async fn duplicates_are_refused_only_when_switched_on() {
    let probe = probe();
    let repeat = async || say(&probe, &[("message", "same")]).await;
    assert_eq!((repeat().await.status, repeat().await.status), (200, 200));
    for (duplicate, expected) in
        [(DuplicateCode::Code506, (506, 0)), (DuplicateCode::Code368, (368, 1_404_082))]
    {
        probe.world.change_settings(|settings| {
            settings.facebook.duplicate_window_s = Some(60);
            settings.facebook.duplicate_code = duplicate;
        });
        assert_eq!(repeat().await.status, 200);
        assert_eq!(code(&repeat().await), expected);
        probe.clock.advance(Duration::from_mins(1));
    }
}

#[tokio::test]
async fn the_budget_of_calls_ends_and_ignoring_that_lengthens_the_block() {
    let probe = probe();
    let page = Page { id: "77".into(), token: "p77".into(), engaged_users: 1, ..Page::default() };
    probe.world.add_page(page);
    let usage = |answer: &Answer| {
        let header = answer.header("x-business-use-case-usage").unwrap();
        serde_json::from_str::<Value>(header).unwrap()["77"][0].clone()
    };
    for _ in 0..4_799 {
        assert_eq!(probe.get("/v25.0/me", "p77").await.status, 200);
    }
    let last = probe.get("/v25.0/me", "p77").await;
    assert_eq!((last.status, usage(&last)["call_count"].as_u64()), (200, Some(100)));
    let minutes = async || {
        let answer = probe.get("/v25.0/me", "p77").await;
        assert_eq!(code(&answer), (80001, 0));
        usage(&answer)["estimated_time_to_regain_access"].as_u64().unwrap()
    };
    let first = minutes().await;
    assert_eq!((first, minutes().await), (1_441, 1_442));
    probe.clock.advance(Duration::from_mins(1_443));
    assert_eq!(probe.get("/v25.0/me", "p77").await.status, 200);
}

#[tokio::test]
async fn every_graph_code_can_be_provoked_with_its_header() {
    let probe = probe();
    for (number, subcode, status, header) in [
        (1, None, 500, None),
        (2, None, 500, None),
        (4, None, 403, Some("x-app-usage")),
        (17, None, 403, Some("x-app-usage")),
        (32, None, 403, Some("x-business-use-case-usage")),
        (613, None, 403, Some("x-business-use-case-usage")),
        (80001, None, 403, Some("x-business-use-case-usage")),
        (368, Some(1_390_008), 403, None),
        (368, Some(1_404_082), 403, None),
        (506, None, 400, None),
        (190, Some(460), 400, None),
        (1_404_112, None, 400, None),
    ] {
        for execute in [false, true] {
            let before = probe.world.page_posts("55").len();
            let kind = Kind::Graph { code: number, subcode, execute };
            let fault = Fault::once(Platform::Facebook, Operation::Create, kind);
            probe.world.faults().push(fault.on_account("55"));
            let answer = say(&probe, &[("message", "a")]).await;
            assert_eq!(answer.status, status, "{}", answer.text);
            let expected = (u64::from(number), subcode.map_or(0, u64::from));
            assert_eq!(code(&answer), expected);
            if let Some(header) = header {
                assert!(answer.header(header).unwrap().contains("100"), "{number}");
            }
            let made = probe.world.page_posts("55").len() - before;
            assert_eq!(made, usize::from(execute));
        }
    }
}

#[tokio::test]
async fn a_new_post_can_be_hard_to_read() {
    let probe = probe();
    let say_with = async |kind: Kind| {
        probe.world.faults().push(Fault::once(Platform::Facebook, Operation::Create, kind));
        id_of(&say(&probe, &[("message", "hard to read")]).await)
    };
    for (how, expected) in [(Unreadable::Missing, (100, 33)), (Unreadable::Forbidden, (10, 0))] {
        let id = say_with(Kind::Unreadable { ms: 5_000, how }).await;
        let path = format!("/v25.0/{id}");
        assert_eq!(code(&probe.get(&path, "p55").await), expected);
        let listed = probe.get("/v25.0/55/published_posts", "p55").await.text;
        assert!(listed.contains(&id));
        probe.clock.advance(Duration::from_secs(5));
        assert_eq!(probe.get(&path, "p55").await.status, 200);
    }
    let id = say_with(Kind::Lag { ms: 30_000 }).await;
    let listed = async || probe.get("/v25.0/55/published_posts", "p55").await.text.contains(&id);
    assert!(!listed().await);
    assert_eq!(probe.get(&format!("/v25.0/{id}"), "p55").await.status, 200);
    probe.clock.advance(Duration::from_secs(30));
    assert!(listed().await);
}

#[tokio::test]
async fn failures_have_the_form_of_the_platform() {
    let probe = probe();
    let fault = |operation, kind| Fault::once(Platform::Facebook, operation, kind);
    probe.world.faults().push(fault(Operation::Create, Kind::ServerError { execute: true }));
    let answer = say(&probe, &[("message", "a")]).await;
    assert_eq!((answer.status, code(&answer)), (500, (2, 0)));
    assert_eq!(answer.json()["error"]["is_transient"], true);
    assert_eq!(probe.world.page_posts("55").len(), 1);
    let limited = Kind::RateLimited { seconds: 90, exhausted: Exhausted::Window };
    probe.world.faults().push(fault(Operation::Create, limited));
    let answer = say(&probe, &[("message", "b")]).await;
    assert_eq!(code(&answer), (80001, 0));
    assert!(answer.header("x-business-use-case-usage").unwrap().contains("access\":2"));
    probe.world.faults().push(fault(Operation::Create, Kind::WithoutId));
    assert_eq!(say(&probe, &[("message", "c")]).await.json(), json!({ "success": true }));
    assert_eq!(probe.world.page_posts("55").len(), 2);
    probe.world.faults().push(fault(Operation::Read, Kind::Html { execute: false }));
    assert_eq!(probe.get("/v25.0/me", "p55").await.status, 200);
    assert_eq!(probe.get("/v25.0/55/posts", "p55").await.status, 502);
    probe.world.faults().push(fault(Operation::Upload, Kind::ServerError { execute: false }));
    assert_eq!(say(&probe, &[("message", "d")]).await.status, 200);
    let staged = [("published", "false")];
    let answer = probe.post_file("/v25.0/55/photos", "p55", &staged, ("source", &picture(1))).await;
    assert_eq!(answer.status, 500);
}
