//! Uploads in segments at the simulated X, by its documents.

use std::time::Duration;

use serde_json::{Value, json};

use super::Api;
use crate::simulator::User;
use crate::simulator::probe::{Answer, Probe};

const HEAD: &[u8] = b"\0\0\0\x18ftypisom\0\0\x02\0isommp41";

fn probe() -> Probe {
    let probe = Probe::new(Api);
    probe.world.add_user(User {
        id: "7".into(),
        username: "seven".into(),
        token: "t7".into(),
        ..User::default()
    });
    probe
}

async fn begin(probe: &Probe, total: usize) -> String {
    let body =
        json!({ "media_type": "video/mp4", "media_category": "tweet_video", "total_bytes": total });
    let answer = probe.post_json("/2/media/upload/initialize", "t7", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["data"]["expires_after_secs"], 86_400);
    answer.json()["data"]["id"].as_str().unwrap().to_owned()
}

async fn append(probe: &Probe, id: &str, number: &str, bytes: &[u8]) -> u16 {
    let path = format!("/2/media/upload/{id}/append");
    let fields = [("segment_index", number)];
    probe.post_file(&path, "t7", &fields, ("media", bytes)).await.status
}

async fn finalize(probe: &Probe, id: &str) -> Answer {
    probe.post_json(&format!("/2/media/upload/{id}/finalize"), "t7", &Value::Null).await
}

async fn state(probe: &Probe, id: &str) -> Value {
    let path = format!("/2/media/upload?command=STATUS&media_id={id}");
    probe.get(&path, "t7").await.json()["data"]["processing_info"]["state"].clone()
}

async fn tweet(probe: &Probe, text: &str, ids: &[&str]) -> u16 {
    let body = json!({ "text": text, "media": { "media_ids": ids } });
    probe.post_json("/2/tweets", "t7", &body).await.status
}

#[tokio::test]
async fn a_film_comes_in_segments_in_any_order_and_is_worked_on() {
    let probe = probe();
    probe.world.change_settings(|it| it.x.processing_s = 12);
    let id = begin(&probe, HEAD.len() + 4).await;
    assert_eq!(append(&probe, &id, "1", b"tail").await, 200);
    let early = finalize(&probe, &id).await;
    assert_eq!(early.status, 400);
    assert!(early.text.contains("Segments do not add up"), "{}", early.text);
    assert_eq!(append(&probe, &id, "0", HEAD).await, 200);
    // A segment may be sent again.
    assert_eq!(append(&probe, &id, "1", b"TAIL").await, 200);
    assert_eq!(state(&probe, &id).await, Value::Null);
    let whole = finalize(&probe, &id).await.json();
    assert_eq!(whole["data"]["processing_info"]["state"], "pending");
    assert_eq!(whole["data"]["processing_info"]["check_after_secs"], 5);
    assert_eq!(tweet(&probe, "too early", &[&id]).await, 400);
    probe.clock.advance(Duration::from_secs(11));
    assert_eq!(state(&probe, &id).await, "in_progress");
    probe.clock.advance(Duration::from_secs(1));
    assert_eq!(state(&probe, &id).await, "succeeded");
    assert_eq!(tweet(&probe, "a film", &[&id]).await, 201);
    let posts = probe.world.user_posts("7");
    assert_eq!(posts[0].photos[0].media_type, "video/mp4");
    assert_eq!(append(&probe, &id, "2", b"more").await, 400);
}

#[tokio::test]
async fn what_is_against_the_rules_is_refused() {
    let probe = probe();
    for body in [
        json!({ "media_type": "video/mp4", "media_category": "tweet_gif", "total_bytes": 9 }),
        json!({ "media_type": "video/mp4", "media_category": "tweet_video", "total_bytes": 0 }),
        json!({ "media_type": "video/mp4", "total_bytes": 9 }),
        json!({ "media_type": "video/x", "media_category": "tweet_video", "total_bytes": 9 }),
        json!({ "media_type": "video/mp4", "media_category": "tweet_video", "total_bytes": 9, "a": 1 }),
    ] {
        let answer = probe.post_json("/2/media/upload/initialize", "t7", &body).await;
        assert_eq!(answer.status, 400, "{body}");
    }
    let id = begin(&probe, HEAD.len()).await;
    assert_eq!(append(&probe, &id, "1000", HEAD).await, 400);
    assert_eq!(append(&probe, "12", "0", HEAD).await, 400);
    assert_eq!(append(&probe, &id, "0", &vec![0; 8_000_001]).await, 413);
    assert_eq!(append(&probe, &id, "0", HEAD).await, 200);
    // Nothing stands beside a film.
    let other = begin(&probe, HEAD.len()).await;
    assert_eq!(append(&probe, &other, "0", HEAD).await, 200);
    for id in [&id, &other] {
        assert_eq!(finalize(&probe, id).await.status, 200);
        assert_eq!(finalize(&probe, id).await.status, 400, "once");
    }
    probe.clock.advance(Duration::from_secs(1));
    assert_eq!(tweet(&probe, "two films", &[&id, &other]).await, 400);
    probe.clock.advance(Duration::from_hours(24));
    assert_eq!(state(&probe, &id).await, Value::Null);
    assert_eq!(tweet(&probe, "too late", &[&id]).await, 400);
}

#[tokio::test]
async fn what_is_no_film_fails() {
    let probe = probe();
    let id = begin(&probe, 4).await;
    assert_eq!(append(&probe, &id, "0", b"text").await, 200);
    assert_eq!(finalize(&probe, &id).await.status, 200);
    probe.clock.advance(Duration::from_secs(1));
    assert_eq!(state(&probe, &id).await, "failed");
    assert_eq!(tweet(&probe, "no film", &[&id]).await, 400);
}
