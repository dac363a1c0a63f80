//! That the simulated server does what its documents say.

use serde_json::json;

use super::*;
use crate::simulator::User;
use crate::simulator::probe::{Probe, picture};

fn probe() -> Probe {
    let probe = Probe::new(Instance);
    let user = |id: &str, name: &str| User {
        id: id.into(),
        username: name.into(),
        name: name.into(),
        token: format!("token-{name}"),
        ..User::default()
    };
    probe.world.add_member(Platform::Mastodon, user("1", "mofa"));
    probe.world.add_member(Platform::Mastodon, user("2", "other"));
    probe
}

#[tokio::test]
async fn a_status_is_made_shown_listed_and_deleted() {
    let probe = probe();
    let body = json!({"status": "Xin chào\n\nhttps://mofa.gov.vn/vi", "visibility": "unlisted"});
    let made = probe.post_json("/api/v1/statuses", "token-mofa", &body).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let (id, content) = (made.json()["id"].clone(), made.json()["content"].clone());
    assert!(content.as_str().unwrap().starts_with("<p>Xin chào</p><p><a href="), "{content}");
    assert_eq!(made.header("x-ratelimit-remaining"), Some("299"));
    let path = format!("/api/v1/statuses/{}", id.as_str().unwrap());
    assert_eq!(probe.get(&path, "token-other").await.json()["account"]["acct"], "mofa");
    let list = probe.get("/api/v1/accounts/1/statuses?limit=5", "token-mofa").await.json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(probe.delete(&path, "token-other").await.status, 404);
    let gone = probe.delete(&path, "token-mofa").await;
    assert_eq!((gone.status, gone.json()["text"].clone()), (200, body["status"].clone()));
    assert_eq!(probe.get(&path, "token-mofa").await.status, 404);
    assert_eq!(probe.get("/api/v1/accounts/verify_credentials", "nobody").await.status, 401);
}

/// An edit keeps the id; pictures that it does not name are taken away, and nobody edits another's.
#[tokio::test]
async fn a_status_is_edited_by_its_author() {
    let probe = probe();
    let made = probe.post_json("/api/v1/statuses", "token-mofa", &json!({"status": "3 %"})).await;
    let path = format!("/api/v1/statuses/{}", made.json()["id"].as_str().unwrap());
    let body = json!({"status": "5 %"});
    assert_eq!(probe.put_json(&path, "token-other", &body).await.status, 404);
    let edited = probe.put_json(&path, "token-mofa", &body).await;
    assert_eq!((edited.status, edited.json()["id"].clone()), (200, made.json()["id"].clone()));
    assert_eq!(probe.get(&path, "token-other").await.json()["content"], "<p>5 %</p>");
    let versions = probe.get(&format!("{path}/history"), "token-mofa").await.json();
    let said: Vec<&Value> =
        versions.as_array().unwrap().iter().map(|one| &one["content"]).collect();
    assert_eq!(said, ["<p>3 %</p>", "<p>5 %</p>"]);
    let blank = probe.put_json(&path, "token-mofa", &json!({"status": " "})).await;
    assert_eq!(blank.status, 422);
    assert_eq!(
        probe
            .get("/api/v1/accounts/1/statuses", "token-mofa")
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn limits_are_those_of_the_documents() {
    let probe = probe();
    let say = async |text: String| {
        let body = json!({ "status": text });
        probe.post_json("/api/v1/statuses", "token-mofa", &body).await.status
    };
    assert_eq!(say("a".repeat(500)).await, 200);
    assert_eq!(say("a".repeat(501)).await, 422);
    assert_eq!(say(format!("{} https://a.vn/{}", "a".repeat(476), "b".repeat(300))).await, 200);
    assert_eq!(say(format!("{} https://a.vn/", "a".repeat(477))).await, 422);
    assert_eq!(say(format!("{} @eu@ec.europa.eu", "a".repeat(496))).await, 200);
    assert_eq!(say("👨‍👩‍👧‍👦".repeat(500)).await, 200);
    assert_eq!(say("  ".to_owned()).await, 422);
}

#[tokio::test]
async fn a_picture_is_processed_before_it_can_be_used_and_is_used_once() {
    let probe = probe();
    probe.world.change_settings(|it| it.mastodon.processing_ms = 2_000);
    let file = picture(1);
    let fields = [("description", "Lá cờ")];
    let up =
        probe.post_file("/api/v2/media", "token-mofa", &fields, ("file", file.as_slice())).await;
    assert_eq!((up.status, up.json()["url"].clone()), (202, Value::Null));
    let id = up.json()["id"].as_str().unwrap().to_owned();
    let ask = format!("/api/v1/media/{id}");
    assert_eq!(probe.get(&ask, "token-mofa").await.status, 206);
    let body = json!({"status": "A", "media_ids": [id]});
    assert_eq!(probe.post_json("/api/v1/statuses", "token-mofa", &body).await.status, 422);
    probe.clock.advance(std::time::Duration::from_secs(2));
    assert_eq!(probe.get(&ask, "token-mofa").await.status, 200);
    let made = probe.post_json("/api/v1/statuses", "token-mofa", &body).await;
    assert_eq!(made.json()["media_attachments"][0]["description"], "Lá cờ");
    assert_eq!(probe.post_json("/api/v1/statuses", "token-mofa", &body).await.status, 422);
}
