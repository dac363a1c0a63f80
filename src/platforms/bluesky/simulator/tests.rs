//! That the simulated server does what its lexicons say.

use serde_json::json;

use super::*;
use crate::simulator::User;
use crate::simulator::probe::Probe;

const DID: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

fn probe() -> Probe {
    let probe = Probe::new(Pds);
    let user = User {
        id: DID.into(),
        username: "mofa.bsky.test".into(),
        name: "MOFA".into(),
        token: "abcd-efgh-ijkl-mnop".into(),
        ..User::default()
    };
    probe.world.add_member(Platform::Bluesky, user);
    probe
}

async fn enter(probe: &Probe, identifier: &str, password: &str) -> (u16, Value) {
    let body = json!({ "identifier": identifier, "password": password });
    let answer = probe.post_json("/xrpc/com.atproto.server.createSession", "", &body).await;
    (answer.status, answer.json())
}

fn post(text: &str) -> Value {
    json!({"repo": DID, "collection": "app.bsky.feed.post", "rkey": "3jzfcijpj2z2a",
        "record": {"$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-09-02T02:00:00Z"}})
}

#[tokio::test]
async fn a_password_gives_a_token_that_ends_and_is_none_itself() {
    let probe = probe();
    let (status, session) = enter(&probe, "mofa.bsky.test", "abcd-efgh-ijkl-mnop").await;
    assert_eq!((status, session["did"].as_str()), (200, Some(DID)));
    let token = session["accessJwt"].as_str().unwrap().to_owned();
    let me = "/xrpc/com.atproto.server.getSession";
    assert_eq!(probe.get(me, &token).await.json()["did"], DID);
    assert_eq!(probe.get(me, "abcd-efgh-ijkl-mnop").await.json()["error"], "InvalidToken");
    assert_eq!(enter(&probe, DID, &token).await.0, 401);
    assert_eq!(enter(&probe, "other.test", "abcd-efgh-ijkl-mnop").await.0, 401);
    probe.clock.advance(std::time::Duration::from_hours(3));
    assert_eq!(probe.get(me, &token).await.json()["error"], "ExpiredToken");
    for _ in 0..30 {
        enter(&probe, DID, "abcd-efgh-ijkl-mnop").await;
    }
    assert_eq!(enter(&probe, DID, "abcd-efgh-ijkl-mnop").await.0, 429);
}

#[tokio::test]
async fn a_key_is_taken_once() {
    let probe = probe();
    let (_, session) = enter(&probe, DID, "abcd-efgh-ijkl-mnop").await;
    let token = session["accessJwt"].as_str().unwrap();
    let create = "/xrpc/com.atproto.repo.createRecord";
    let made = probe.post_json(create, token, &post("Xin chào")).await;
    let uri = format!("at://{DID}/app.bsky.feed.post/3jzfcijpj2z2a");
    assert_eq!((made.status, made.json()["uri"].as_str()), (200, Some(uri.as_str())));
    assert_eq!(probe.post_json(create, token, &post("Xin chào")).await.status, 500);
    assert_eq!(probe.world.posts(Platform::Bluesky, DID).len(), 1);
    let query = format!("repo={DID}&collection=app.bsky.feed.post");
    let one = format!("/xrpc/com.atproto.repo.getRecord?{query}&rkey=3jzfcijpj2z2a");
    assert_eq!(probe.get(&one, "").await.json()["value"]["text"], "Xin chào");
    let list = probe.get(&format!("/xrpc/com.atproto.repo.listRecords?{query}"), "").await.json();
    assert_eq!(
        (list["records"][0]["uri"].as_str(), list["cursor"].as_str()),
        (Some(uri.as_str()), Some("3jzfcijpj2z2a"))
    );
    let delete = json!({"repo": DID, "collection": "app.bsky.feed.post", "rkey": "3jzfcijpj2z2a"});
    let path = "/xrpc/com.atproto.repo.deleteRecord";
    assert!(probe.post_json(path, token, &delete).await.json()["commit"]["rev"].is_string());
    assert_eq!(probe.post_json(path, token, &delete).await.json(), json!({}));
    assert_eq!(probe.get(&one, "").await.json()["error"], "RecordNotFound");
}

#[tokio::test]
async fn limits_are_those_of_the_lexicon() {
    let probe = probe();
    let (_, session) = enter(&probe, DID, "abcd-efgh-ijkl-mnop").await;
    let token = session["accessJwt"].as_str().unwrap();
    let say = async |change: &dyn Fn(&mut Value)| {
        let mut body = post("A");
        body.as_object_mut().unwrap().remove("rkey");
        change(&mut body);
        probe.post_json("/xrpc/com.atproto.repo.createRecord", token, &body).await.status
    };
    assert_eq!(say(&|body| body["record"]["text"] = "👨‍👩‍👧‍👦".repeat(120).into()).await, 200);
    assert_eq!(say(&|body| body["record"]["text"] = "👨‍👩‍👧‍👦".repeat(121).into()).await, 400);
    assert_eq!(say(&|body| body["record"]["text"] = "a".repeat(300).into()).await, 200);
    assert_eq!(say(&|body| body["record"]["text"] = "a".repeat(301).into()).await, 400);
    assert_eq!(say(&|body| body["rkey"] = "self".into()).await, 400);
    assert_eq!(say(&|body| body["repo"] = "did:plc:other".into()).await, 401);
    let facet = |start: u64, end: u64| json!([{"index": {"byteStart": start, "byteEnd": end}, "features": []}]);
    assert_eq!(say(&|body| body["record"]["facets"] = facet(0, 1)).await, 200);
    assert_eq!(say(&|body| body["record"]["facets"] = facet(0, 2)).await, 400);
    let images = json!({"$type": "app.bsky.embed.images", "images": [{"alt": "", "image": {"ref": {"$link": "bafk"}}}]});
    assert_eq!(say(&|body| body["record"]["embed"] = images.clone()).await, 400);
}
