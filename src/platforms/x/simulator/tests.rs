//! X's side of the contract, call by call.

use std::time::Duration;

use serde_json::{Value, json};

use super::Api;
use crate::simulator::probe::{Answer, Probe, picture};
use crate::simulator::{
    CreateOutcome, Death, DeleteMissing, Exhausted, Fault, Kind, Operation, Platform, Problem,
    Unreadable, User, Words,
};

fn probe() -> Probe {
    let probe = Probe::new(Api);
    for (id, name, premium) in
        [("7", "mofa_vn", false), ("8", "embassy", false), ("9", "long", true)]
    {
        probe.world.add_user(User {
            id: id.into(),
            username: name.into(),
            name: name.to_uppercase(),
            token: format!("t{id}"),
            followers: 12,
            premium,
        });
    }
    probe
}

async fn tweet(probe: &Probe, text: &str) -> Answer {
    probe.post_json("/2/tweets", "t7", &json!({ "text": text })).await
}

fn id_of(answer: &Answer) -> String {
    answer.json()["data"]["id"].as_str().unwrap_or_default().to_owned()
}

async fn upload(probe: &Probe, token: &str, salt: u8) -> String {
    let fields = [("media_category", "tweet_image")];
    let file = ("media", picture(salt));
    let answer = probe.post_file("/2/media/upload", token, &fields, (file.0, &file.1)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    id_of(&answer)
}

#[tokio::test]
async fn a_create_answers_with_the_text_as_x_shows_it() {
    let probe = probe();
    let sent = "Tiê\u{301}ng Viê\u{323}t & <b> https://mofa.gov.vn/tin";
    let answer = tweet(&probe, sent).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let data = &answer.json()["data"];
    let text = data["text"].as_str().unwrap();
    assert!(text.starts_with("Tiếng Việt &amp; &lt;b&gt; https://t.co/"), "{text}");
    assert_eq!(data["edit_history_tweet_ids"][0], data["id"]);
    assert_eq!(answer.header("x-rate-limit-remaining"), Some("99"));
    assert_eq!(answer.header("x-app-limit-24hour-remaining"), Some("9999"));
    let posts = probe.world.user_posts("7");
    assert_eq!(posts[0].text, "Tiếng Việt & <b> https://mofa.gov.vn/tin");
    assert_eq!(posts[0].id, id_of(&answer));
    probe.world.change_settings(|settings| settings.x.create_words = Words::Post);
    let answer = tweet(&probe, "other words").await;
    assert!(answer.json()["data"]["edit_history_post_ids"].is_array());
}

#[tokio::test]
async fn a_wrong_body_is_refused_and_nothing_is_made() {
    let probe = probe();
    for body in [
        json!({}),
        json!({ "text": "" }),
        json!({ "text": 5 }),
        json!({ "text": "a", "idempotency_key": "b" }),
        json!({ "text": "a", "reply": { "to": "1" } }),
        json!({ "text": "a", "media": { "media_ids": [] } }),
        json!({ "text": "a", "media": { "media_ids": ["1", "2", "3", "4", "5"] } }),
        json!({ "text": "a", "media": { "media_ids": ["404"] } }),
        json!({ "text": "a", "reply_settings": "everyone" }),
        json!(["text"]),
    ] {
        let answer = probe.post_json("/2/tweets", "t7", &body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert_eq!(answer.json()["title"], "Invalid Request");
        assert!(answer.json()["errors"][0]["message"].is_string());
        assert_eq!(answer.header("x-rate-limit-limit"), Some("100"));
    }
    assert!(probe.world.user_posts("7").is_empty());
    assert!(probe.world.journal().iter().all(|entry| entry.outcome == CreateOutcome::Refused(400)));
}

#[tokio::test]
async fn without_a_living_token_there_is_no_header_about_rates() {
    let probe = probe();
    probe.world.revoke("t8", Death::PasswordChanged);
    for token in ["", "nobody", "t8"] {
        let answer = probe.post_json("/2/tweets", token, &json!({ "text": "a" })).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["type"], "about:blank");
        assert_eq!(answer.header("x-rate-limit-limit"), None);
    }
}

#[tokio::test]
async fn length_is_weighed() {
    let probe = probe();
    assert_eq!(tweet(&probe, &"ế".repeat(140)).await.status, 201);
    let answer = tweet(&probe, &"ế".repeat(141)).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()["detail"], "You are not permitted to perform this action.");
    let long = json!({ "text": "a ".repeat(400) });
    let answer = probe.post_json("/2/tweets", "t9", &long).await;
    assert_eq!(answer.status, 201);
    assert!(answer.json()["data"]["text"].as_str().unwrap().ends_with('…'));
    let path = format!("/2/tweets/{}?tweet.fields=note_tweet", id_of(&answer));
    let note = probe.get(&path, "t9").await.json();
    assert_eq!(note["data"]["note_tweet"]["text"].as_str().unwrap(), "a ".repeat(400).trim());
}

#[tokio::test]
async fn a_repeated_text_is_refused_for_a_day_even_when_deleted() {
    let probe = probe();
    let first = tweet(&probe, "Quốc khánh  2/9").await;
    assert_eq!(first.status, 201);
    let again = tweet(&probe, " Quốc khánh 2/9 ").await;
    assert_eq!(again.status, 403);
    assert_eq!(
        again.json()["detail"],
        "You are not allowed to create a Tweet with duplicate content."
    );
    assert_eq!(again.json()["type"], "about:blank");
    assert!(!again.text.contains(&id_of(&first)));
    let other = probe.post_json("/2/tweets", "t8", &json!({ "text": "Quốc khánh 2/9" })).await;
    assert_eq!(other.status, 201);
    probe.delete(&format!("/2/tweets/{}", id_of(&first)), "t7").await;
    assert_eq!(tweet(&probe, "Quốc khánh 2/9").await.status, 403);
    probe.clock.advance(Duration::from_hours(24));
    assert_eq!(tweet(&probe, "Quốc khánh 2/9").await.status, 201);
    probe.world.change_settings(|settings| settings.x.duplicate_window_s = None);
    assert_eq!(tweet(&probe, "Quốc khánh 2/9").await.status, 201);
}

#[tokio::test]
async fn replies_go_to_own_posts_and_to_those_who_mentioned_us() {
    let probe = probe();
    let own = id_of(&tweet(&probe, "one").await);
    let stranger = probe.world.insert_foreign(Platform::X, "8", "hello all").unwrap();
    let caller = probe.world.insert_foreign(Platform::X, "8", "hello @Mofa_VN!").unwrap();
    for (target, status) in [(own.as_str(), 201), (&stranger, 403), (&caller, 201), ("1", 403)] {
        let body = json!({ "text": format!("to {target}"),
            "reply": { "in_reply_to_tweet_id": target } });
        let answer = probe.post_json("/2/tweets", "t7", &body).await;
        assert_eq!(answer.status, status, "{target}: {}", answer.text);
        if target == stranger {
            let kind = "https://api.x.com/2/problems/not-authorized-for-resource";
            assert_eq!(answer.json()["type"], kind);
        }
    }
    assert_eq!(tweet(&probe, "$VND and $USD.").await.status, 403);
    assert_eq!(tweet(&probe, "$VND costs $5").await.status, 201);
}

#[tokio::test]
async fn pictures_are_uploaded_described_and_attached() {
    let probe = probe();
    let one = upload(&probe, "t7", 1).await;
    let two = upload(&probe, "t7", 2).await;
    let alt = json!({ "id": one, "metadata": { "alt_text": { "text": "Cờ đỏ" } } });
    let answer = probe.post_json("/2/media/metadata", "t7", &alt).await;
    assert_eq!(answer.json()["data"]["associated_metadata"]["alt_text"]["text"], "Cờ đỏ");
    let body = json!({ "text": "hai ảnh", "media": { "media_ids": [one, two] } });
    let stolen = probe.post_json("/2/tweets", "t8", &body).await;
    assert_eq!(stolen.json()["errors"][0]["message"], "Your media IDs are invalid.");
    let answer = probe.post_json("/2/tweets", "t7", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let text = answer.json()["data"]["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("hai ảnh https://t.co/"), "{text}");
    let post = &probe.world.user_posts("7")[0];
    assert_eq!(post.photos[0].alt_text.as_deref(), Some("Cờ đỏ"));
    let digest = <sha2::Sha256 as sha2::Digest>::digest(picture(2));
    assert_eq!(post.photos[1].sha256, hex::encode(digest));
    let path = format!(
        "/2/tweets/{}?tweet.fields=entities,attachments&expansions=attachments.media_keys\
         &media.fields=alt_text",
        post.id
    );
    let read = probe.get(&path, "t7").await.json();
    assert_eq!(read["data"]["attachments"]["media_keys"].as_array().unwrap().len(), 2);
    assert_eq!(read["includes"]["media"][0]["alt_text"], "Cờ đỏ");
    assert_eq!(read["data"]["entities"]["urls"][0]["media_key"], format!("3_{one}"));
}

#[tokio::test]
async fn the_page_of_a_post_shows_its_pictures() {
    let probe = probe();
    let id = upload(&probe, "t7", 5).await;
    let alt = json!({ "id": id, "metadata": { "alt_text": { "text": "\"cờ\" <đỏ>" } } });
    probe.post_json("/2/media/metadata", "t7", &alt).await;
    let body = json!({ "media": { "media_ids": [id] } });
    let post = id_of(&probe.post_json("/2/tweets", "t7", &body).await);
    let page = probe.get(&format!("/mofa_vn/status/{post}"), "").await;
    let source = format!("/media/7/{id}");
    let image = format!("<img src=\"{source}\" alt=\"&quot;cờ&quot; &lt;đỏ&gt;\">");
    assert!(page.text.contains(&image), "{}", page.text);
    let file = probe.get(&source, "").await;
    assert_eq!((file.status, file.header("content-type")), (200, Some("image/png")));
    probe.world.change_settings(|settings| settings.keep_media = false);
    let forgotten = upload(&probe, "t7", 6).await;
    assert_eq!(probe.get(&format!("/media/7/{forgotten}"), "").await.status, 404);
}

#[tokio::test]
async fn uploads_are_checked_and_expire() {
    let probe = probe();
    let category = [("media_category", "tweet_image")];
    let path = "/2/media/upload";
    let no_picture = probe.post_file(path, "t7", &category, ("media", b"%PDF-1.7")).await;
    assert_eq!(no_picture.status, 400);
    let moving = probe.post_file(path, "t7", &category, ("media", b"GIF89a\x01\0\x01\0")).await;
    assert_eq!(moving.status, 400);
    let picture = picture(1);
    assert_eq!(probe.post_file(path, "t7", &[], ("media", &picture)).await.status, 400);
    let mut large = picture.clone();
    large.resize(5 * 1024 * 1024 + 1, 0);
    assert_eq!(probe.post_file(path, "t7", &category, ("media", &large)).await.status, 400);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &picture);
    let body = json!({ "media": encoded, "media_category": "tweet_image" });
    let answer = probe.post_json(path, "t7", &body).await;
    assert_eq!(answer.json()["data"]["expires_after_secs"], 86_400);
    probe.clock.advance(Duration::from_hours(24));
    let body = json!({ "media": { "media_ids": [id_of(&answer)] } });
    assert_eq!(probe.post_json("/2/tweets", "t7", &body).await.status, 400);
}

#[tokio::test]
async fn the_request_decides_the_words_of_the_answer() {
    let probe = probe();
    let one = id_of(&tweet(&probe, "one").await);
    let body = json!({ "text": "two", "reply": { "in_reply_to_tweet_id": one } });
    let two = id_of(&probe.post_json("/2/tweets", "t7", &body).await);
    for (name, prefix, reference, reposts) in [
        ("tweet.fields", "edit_history_tweet_ids", "referenced_tweets", "retweet_count"),
        ("post.fields", "edit_history_post_ids", "referenced_posts", "repost_count"),
    ] {
        let path = format!("/2/tweets/{two}?{name}={reference},public_metrics,created_at");
        let data = probe.get(&path, "t7").await.json()["data"].clone();
        assert_eq!(data[prefix][0], two);
        assert_eq!(data[reference][0]["id"], one);
        assert!(data["public_metrics"][reposts].is_number());
        assert_eq!(data["created_at"], "2026-09-02T02:00:00.000Z");
        assert!(data.get("author_id").is_none());
    }
    let plain = probe.get(&format!("/2/tweets/{two}"), "t7").await.json();
    assert!(plain["data"]["edit_history_tweet_ids"].is_array());
    let wrong = probe.get(&format!("/2/tweets/{two}?tweet.fields=nonsense"), "t7").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text.contains("public_metrics"), "{}", wrong.text);
}

#[tokio::test]
async fn a_timeline_is_read_in_parts() {
    let probe = probe();
    let empty = probe.get("/2/users/7/tweets?max_results=5", "t7").await;
    assert_eq!(empty.json(), json!({ "meta": { "result_count": 0 } }));
    let mut ids = Vec::new();
    for number in 0..7 {
        probe.clock.advance(Duration::from_secs(1));
        ids.push(id_of(&tweet(&probe, &format!("post {number}")).await));
    }
    let first = probe.get("/2/users/7/tweets?max_results=5", "t7").await.json();
    assert_eq!(first["meta"]["result_count"], 5);
    assert_eq!(first["meta"]["newest_id"], ids[6]);
    assert_eq!(first["meta"]["oldest_id"], ids[2]);
    let token = first["meta"]["next_token"].as_str().unwrap();
    let path = format!("/2/users/7/tweets?max_results=5&pagination_token={token}");
    let second = probe.get(&path, "t7").await.json();
    assert_eq!(texts(&second), ["post 1", "post 0"]);
    assert!(second["meta"].get("next_token").is_none());
    let since = probe.get(&format!("/2/users/7/tweets?since_id={}", ids[4]), "t7").await.json();
    assert_eq!(texts(&since), ["post 6", "post 5"]);
    let start = probe.get("/2/users/7/tweets?start_time=2026-09-02T02:00:06Z", "t7").await.json();
    assert_eq!(texts(&start), ["post 6", "post 5"]);
    let few = probe.get("/2/users/7/tweets?max_results=4", "t7").await;
    assert_eq!(few.status, 400);
    assert!(few.text.contains("between 5 and 100"));
    assert_eq!(probe.get("/2/users/7/tweets?limit=5", "t7").await.status, 400);
    assert_eq!(probe.world.reads()["7"], 5);
}

fn texts(answer: &Value) -> Vec<&str> {
    answer["data"].as_array().unwrap().iter().map(|it| it["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_missing_stands_beside_what_is_there() {
    let probe = probe();
    let one = id_of(&tweet(&probe, "one").await);
    let answer = probe.get(&format!("/2/tweets?ids={one},123"), "t7").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["data"][0]["id"], one);
    assert_eq!(answer.json()["errors"][0]["resource_id"], "123");
    let many = vec!["1"; 101].join(",");
    assert_eq!(probe.get(&format!("/2/tweets?ids={many}"), "t7").await.status, 400);
    let nobody = probe.get("/2/users/404/tweets", "t7").await;
    assert!(nobody.json()["errors"][0]["type"].as_str().unwrap().ends_with("resource-not-found"));
}

#[tokio::test]
async fn a_post_is_deleted_by_its_author() {
    let probe = probe();
    let one = id_of(&tweet(&probe, "one").await);
    let path = format!("/2/tweets/{one}");
    assert_eq!(probe.delete(&path, "t8").await.status, 403);
    assert_eq!(probe.delete(&path, "t7").await.json()["data"]["deleted"], true);
    assert_eq!(probe.delete(&path, "t7").await.json()["data"]["deleted"], false);
    probe.world.change_settings(|settings| settings.x.delete_missing = DeleteMissing::NotFound);
    assert_eq!(probe.delete(&path, "t7").await.status, 404);
    assert!(probe.world.user_posts("7").is_empty());
}

#[tokio::test]
async fn a_token_tells_whose_it_is() {
    let probe = probe();
    let me = probe.get("/2/users/me?user.fields=public_metrics", "t7").await.json();
    assert_eq!(me["data"]["id"], "7");
    assert_eq!(me["data"]["username"], "mofa_vn");
    assert_eq!(me["data"]["public_metrics"]["followers_count"], 12);
    probe.world.swap_tokens("t7", "t8");
    assert_eq!(probe.get("/2/users/me", "t7").await.json()["data"]["id"], "8");
    let named = probe.get("/2/users/by/username/MOFA_vn", "t7").await.json();
    assert_eq!(named["data"]["id"], "7");
}

#[tokio::test]
async fn the_hundred_and_first_create_of_a_quarter_is_refused() {
    let probe = probe();
    for number in 0..100 {
        assert_eq!(tweet(&probe, &format!("post {number}")).await.status, 201);
    }
    let answer = tweet(&probe, "one too many").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("x-rate-limit-remaining"), Some("0"));
    let reset: i64 = answer.header("x-rate-limit-reset").unwrap().parse().unwrap();
    assert_eq!(reset, probe.world.now().as_second() + 900);
    let other = probe.post_json("/2/tweets", "t8", &json!({ "text": "other" })).await;
    assert_eq!(other.status, 201);
    probe.clock.advance(Duration::from_mins(15));
    assert_eq!(tweet(&probe, "one too many").await.status, 201);
    probe.world.change_settings(|settings| settings.rate_limits = false);
    for number in 100..300 {
        assert_eq!(tweet(&probe, &format!("post {number}")).await.status, 201);
    }
}

#[tokio::test]
async fn a_lag_hides_a_post_from_the_timeline_only() {
    let probe = probe();
    let lag = Fault::once(Platform::X, Operation::Create, Kind::Lag { ms: 60_000 });
    probe.world.faults().push(lag.on_account("7"));
    let id = id_of(&tweet(&probe, "late to be seen").await);
    let seen = async || probe.get("/2/users/7/tweets", "t7").await.json().get("data").is_some();
    assert!(!seen().await);
    assert_eq!(probe.get(&format!("/2/tweets/{id}"), "t7").await.json()["data"]["id"], id);
    probe.clock.advance(Duration::from_mins(1));
    assert!(seen().await);
    probe.world.set_read_lag(Platform::X, "7", Some(Duration::from_secs(5)));
    tweet(&probe, "again").await;
    let first = probe.get("/2/users/7/tweets", "t7").await.json();
    assert_eq!(first["data"][0]["text"], "late to be seen");
}

#[tokio::test]
async fn a_post_can_vanish_or_be_unreadable_for_a_while() {
    let probe = probe();
    let fault = |kind| Fault::once(Platform::X, Operation::Create, kind);
    probe.world.faults().push(fault(Kind::Vanish { ms: 60_000 }));
    let gone = id_of(&tweet(&probe, "moderated").await);
    let how = Unreadable::Missing;
    probe.world.faults().push(fault(Kind::Unreadable { ms: 30_000, how }));
    let shy = id_of(&tweet(&probe, "shy").await);
    let there = async |id: &str| {
        probe.get(&format!("/2/tweets/{id}"), "t7").await.json().get("data").is_some()
    };
    assert!(there(&gone).await && !there(&shy).await);
    probe.clock.advance(Duration::from_secs(61));
    assert!(!there(&gone).await && there(&shy).await);
    assert_eq!(probe.world.user_posts("7").len(), 1);
}

#[tokio::test]
async fn a_refusal_can_name_the_day_instead_of_the_quarter() {
    let probe = probe();
    for (exhausted, window, user, app) in [
        (Exhausted::Window, "0", None, None),
        (Exhausted::UserDay, "57", Some("0"), Some("9000")),
        (Exhausted::AppDay, "57", Some("40"), Some("0")),
    ] {
        let kind = Kind::RateLimited { seconds: 7_200, exhausted };
        probe.world.faults().push(Fault::once(Platform::X, Operation::Create, kind));
        let answer = tweet(&probe, "limited").await;
        assert_eq!(answer.status, 429);
        assert_eq!(answer.header("x-rate-limit-remaining"), Some(window));
        assert_eq!(answer.header("x-user-limit-24hour-remaining"), user);
        assert_eq!(answer.header("x-app-limit-24hour-remaining"), app);
    }
    assert!(probe.world.user_posts("7").is_empty());
}

#[tokio::test]
async fn every_named_problem_has_its_status_and_shape() {
    let probe = probe();
    for (problem, status, mark) in [
        (Problem::Duplicate, 403, "duplicate content"),
        (Problem::CreditsDepleted, 402, "CreditsDepleted"),
        (Problem::PaymentRequired, 402, "credits-depleted"),
        (Problem::NotPermitted, 403, "not permitted"),
        (Problem::ReplyRule, 403, "not-authorized-for-resource"),
        (Problem::ClientForbidden, 403, "client-not-enrolled"),
        (Problem::UnsupportedAuthentication, 403, "unsupported-authentication"),
        (Problem::Oauth1Permissions, 403, "oauth1-permissions"),
        (Problem::UserSuspended, 403, "suspended"),
        (Problem::UsageCapped, 429, "usage-capped"),
        (Problem::OldRateLimit, 429, "\"code\":88"),
        (Problem::Unauthorized, 401, "about:blank"),
    ] {
        let kind = Kind::XProblem { problem, execute: false };
        probe.world.faults().push(Fault::once(Platform::X, Operation::Create, kind));
        let answer = tweet(&probe, "refused").await;
        assert_eq!(answer.status, status, "{problem:?}");
        assert!(answer.text.contains(mark), "{problem:?}: {}", answer.text);
        assert_eq!(answer.header("x-rate-limit-limit").is_some(), status != 401, "{problem:?}");
    }
    assert!(probe.world.user_posts("7").is_empty());
}
