//! The simulator's films, call by call.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::Graph;
use crate::simulator::probe::{Answer, Probe};
use crate::simulator::{CreateOutcome, Page};

fn probe() -> Probe {
    let probe = Probe::new(Graph);
    probe.world.set_facebook_app("900", "secret", false);
    let page =
        Page { id: "55".into(), name: "MOFA".into(), token: "p55".into(), ..Page::default() };
    probe.world.add_page(page);
    probe.world.change_settings(|settings| settings.facebook.film_part_bytes = 4);
    probe
}

async fn videos(probe: &Probe, fields: &[(&str, &str)]) -> Answer {
    probe.post_form("/v25.0/55/videos", "p55", fields).await
}

async fn part(probe: &Probe, session: &str, from: &str, bytes: &[u8]) -> Answer {
    let fields =
        [("upload_phase", "transfer"), ("upload_session_id", session), ("start_offset", from)];
    probe.post_file("/v25.0/55/videos", "p55", &fields, ("video_file_chunk", bytes)).await
}

async fn look(probe: &Probe, film: &str) -> Value {
    let path = format!("/v25.0/{film}?fields=id,status,published,permalink_url,post_id,from");
    probe.get(&path, "p55").await.json()
}

fn code(answer: &Answer) -> (u64, u64) {
    let error = &answer.json()["error"];
    (error["code"].as_u64().unwrap_or(0), error["error_subcode"].as_u64().unwrap_or(0))
}

#[tokio::test]
async fn a_video_comes_in_parts_and_is_public_when_the_work_is_done() {
    let probe = probe();
    probe.world.change_settings(|settings| settings.facebook.film_processing_ms = 5_000);
    let begun = videos(&probe, &[("upload_phase", "start"), ("file_size", "6")]).await.json();
    assert_eq!((&begun["start_offset"], &begun["end_offset"]), (&json!("0"), &json!("4")));
    let (film, session) = (
        begun["video_id"].as_str().unwrap().to_owned(),
        begun["upload_session_id"].as_str().unwrap().to_owned(),
    );
    let finish = [
        ("upload_phase", "finish"),
        ("upload_session_id", session.as_str()),
        ("description", "Quốc khánh"),
    ];
    assert_eq!(code(&videos(&probe, &finish).await), (6_000, 1_363_045));
    assert_eq!(part(&probe, &session, "0", b"abcd").await.json()["start_offset"], "4");
    let wrong = part(&probe, &session, "0", b"abcd").await;
    assert_eq!(code(&wrong), (6_001, 1_363_037));
    assert_eq!(wrong.json()["error"]["error_data"]["start_offset"], "4");
    let last = part(&probe, &session, "4", b"ef").await.json();
    assert_eq!(last["start_offset"], last["end_offset"]);
    assert_eq!(look(&probe, &film).await["status"]["video_status"], "upload_complete");
    for _ in 0..2 {
        assert_eq!(videos(&probe, &finish).await.json(), json!({"success": true}));
    }
    let worked_on = look(&probe, &film).await;
    assert_eq!(worked_on["status"]["processing_phase"]["status"], "in_progress");
    assert_eq!((&worked_on["published"], worked_on.get("post_id")), (&json!(false), None));
    assert!(!probe.world.page_posts("55")[0].is_public(probe.world.now()));
    probe.clock.advance(Duration::from_secs(5));
    let out = look(&probe, &film).await;
    assert_eq!(out["status"]["publishing_phase"]["publish_status"], "published");
    let posts = probe.world.page_posts("55");
    assert_eq!(posts.len(), 1, "finished twice, made once");
    assert_eq!(out["post_id"], posts[0].id.as_str());
    assert!(posts[0].is_public(probe.world.now()));
    let made: Vec<_> = probe.world.journal().into_iter().map(|entry| entry.outcome).collect();
    let id = CreateOutcome::Created(posts[0].id.clone());
    assert_eq!(made, [CreateOutcome::Refused(400), id, CreateOutcome::Refused(200)]);
}

async fn bytes_of_reel(
    probe: &Probe,
    place: &str,
    headers: &[(&str, &str)],
    bytes: &'static [u8],
) -> Answer {
    let mut request = Request::post(place).header("authorization", "OAuth p55");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    probe.send(request.body(Body::from(bytes)).unwrap()).await
}

#[tokio::test]
async fn a_reel_has_its_own_phases_and_stands_in_no_list_of_posts() {
    let probe = probe();
    let edge = "/v25.0/55/video_reels";
    let begun = probe.post_form(edge, "p55", &[("upload_phase", "start")]).await.json();
    let film = begun["video_id"].as_str().unwrap().to_owned();
    let place = begun["upload_url"].as_str().unwrap();
    let without = bytes_of_reel(&probe, place, &[], b"abcdef").await;
    assert_eq!(without.json()["debug_info"]["type"], "ParameterValidationError");
    let sized = [("offset", "0"), ("file_size", "6")];
    assert_eq!(bytes_of_reel(&probe, place, &sized, b"abc").await.status, 400);
    let rest = [("offset", "3"), ("file_size", "6")];
    assert_eq!(bytes_of_reel(&probe, place, &rest, b"def").await.json(), json!({"success": true}));
    let finish =
        [("upload_phase", "finish"), ("video_id", film.as_str()), ("video_state", "PUBLISHED")];
    assert_eq!(probe.post_form(edge, "p55", &finish).await.json(), json!({"success": true}));
    let out = look(&probe, &film).await;
    assert_eq!((out.get("post_id"), &out["from"]["id"]), (None, &json!("55")));
    let list = |edge: &'static str| {
        let path = format!("/v25.0/55/{edge}?fields=id");
        let probe = &probe;
        async move { probe.get(&path, "p55").await.json()["data"].as_array().unwrap().len() }
    };
    assert_eq!((list("published_posts").await, list("video_reels").await), (0, 1));
    assert_eq!(list("videos").await, 0);
    assert_eq!(probe.delete(&format!("/v25.0/{film}"), "p55").await.status, 200);
    assert_eq!(code(&probe.get(&format!("/v25.0/{film}"), "p55").await), (100, 33));
    assert_eq!(list("video_reels").await, 0);
}

#[tokio::test]
async fn an_upload_ends_and_a_film_may_not_be_made() {
    let probe = probe();
    let start = [("upload_phase", "start"), ("file_size", "2")];
    let begun = videos(&probe, &start).await.json();
    let session = begun["upload_session_id"].as_str().unwrap().to_owned();
    probe.clock.advance(Duration::from_hours(24));
    assert_eq!(code(&part(&probe, &session, "0", b"ab").await), (6_000, 1_363_041));
    let film = begun["video_id"].as_str().unwrap();
    assert_eq!(look(&probe, film).await["status"]["video_status"], "expired");

    let failure = Some("No such codec".to_owned());
    probe.world.change_settings(|settings| settings.facebook.film_failure = failure);
    let begun = videos(&probe, &start).await.json();
    let session = begun["upload_session_id"].as_str().unwrap().to_owned();
    part(&probe, &session, "0", b"ab").await;
    let finish = [("upload_phase", "finish"), ("upload_session_id", session.as_str())];
    assert_eq!(videos(&probe, &finish).await.status, 200);
    let status = look(&probe, begun["video_id"].as_str().unwrap()).await["status"].clone();
    assert_eq!(status["video_status"], "error");
    assert_eq!(status["processing_phase"]["errors"][0]["message"], "No such codec");
    assert!(probe.world.page_posts("55").is_empty());
}
