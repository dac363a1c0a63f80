//! The way to a person's token and to his Pages, call by call.

use std::time::Duration;

use serde_json::Value;

use super::Graph;
use crate::simulator::probe::{Answer, Probe};
use crate::simulator::{Business, Page, Person, Platform, Role};

const BACK: &str = "https://desk.example/connect/facebook/callback";

fn probe() -> Probe {
    let probe = Probe::new(Graph);
    probe.world.set_facebook_app("900", "secret", false);
    probe.world.set_redirects(Platform::Facebook, &[BACK]);
    for id in ["55", "66", "77"] {
        let token = format!("p{id}");
        probe.world.add_page(Page {
            id: id.into(),
            name: "Embassy".into(),
            token,
            ..Page::default()
        });
    }
    probe.world.add_person(Person {
        id: "7".into(),
        name: "An".into(),
        pages: vec![Role::full("55"), Role::full("66")],
        businesses: vec![Business {
            id: "8".into(),
            name: "Ministry".into(),
            owned: vec![Role { page: "77".into(), tasks: vec!["ANALYZE".into()] }],
            client: Vec::new(),
        }],
    });
    probe
}

async fn dialog(probe: &Probe, redirect: &str, more: &str) -> Answer {
    let scope = "pages_show_list,pages_manage_posts,business_management";
    let path = format!(
        "/v25.0/dialog/oauth?client_id=900&redirect_uri={redirect}&state=S&response_type=code\
         &scope={scope}{more}"
    );
    probe.get(&path, "").await
}

/// What the browser is sent back with.
fn sent_back(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, 302, "{}", answer.text);
    let url = url::Url::parse(answer.header("location").unwrap()).unwrap();
    assert!(url.as_str().starts_with(BACK));
    url.query_pairs().into_owned().collect()
}

async fn code(probe: &Probe, more: &str) -> String {
    let sent = sent_back(&dialog(probe, BACK, &format!("&sim_user=7{more}")).await);
    assert!(sent.contains(&("state".to_owned(), "S".to_owned())));
    sent.into_iter().find(|(name, _)| name == "code").unwrap().1
}

async fn exchange(probe: &Probe, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("client_id", "900"), ("client_secret", "secret")];
    all.extend(fields);
    probe.post_form("/v25.0/oauth/access_token", "", &all).await
}

async fn long_token(probe: &Probe, more: &str) -> String {
    let code = code(probe, more).await;
    let short = exchange(probe, &[("code", &code), ("redirect_uri", BACK)]).await.json();
    let short = short["access_token"].as_str().unwrap().to_owned();
    let fields = [("grant_type", "fb_exchange_token"), ("fb_exchange_token", short.as_str())];
    let long = exchange(probe, &fields).await.json();
    assert_eq!(long["expires_in"], 5_183_944);
    long["access_token"].as_str().unwrap().to_owned()
}

fn code_of(answer: &Answer) -> (Option<u64>, Option<u64>) {
    let error = &answer.json()["error"];
    (error["code"].as_u64(), error["error_subcode"].as_u64())
}

#[tokio::test]
async fn a_code_becomes_a_token_once_and_only_where_it_was_asked_for() {
    let probe = probe();
    let other = "https://desk.example/other";
    assert_eq!(dialog(&probe, other, "&sim_user=7").await.status, 400);
    let code = code(&probe, "").await;
    let wrong = exchange(&probe, &[("code", &code), ("redirect_uri", other)]).await;
    assert_eq!(code_of(&wrong), (Some(100), Some(36_008)));
    let again = exchange(&probe, &[("code", &code), ("redirect_uri", BACK)]).await;
    assert_eq!(code_of(&again), (Some(100), Some(36_009)), "a code is used by being presented");

    let late = self::code(&probe, "").await;
    probe.clock.advance(Duration::from_mins(11));
    let late = exchange(&probe, &[("code", &late), ("redirect_uri", BACK)]).await;
    assert_eq!(code_of(&late).0, Some(100));
    let fields = [("client_id", "900"), ("client_secret", "wrong"), ("code", "x")];
    let stranger = probe.post_form("/v25.0/oauth/access_token", "", &fields).await;
    assert_eq!((stranger.status, code_of(&stranger).0), (400, Some(1)));
}

#[tokio::test]
async fn a_person_is_asked_and_may_refuse_the_whole_or_a_part() {
    let probe = probe();
    let form = dialog(&probe, BACK, "").await;
    assert_eq!(form.status, 200);
    assert!(form.text.contains("pages_manage_posts") && form.text.contains("Refuse"));
    let refused = sent_back(&dialog(&probe, BACK, "&sim_user=7&sim_refuse=1").await);
    assert!(refused.contains(&("error".to_owned(), "access_denied".to_owned())));
    let ticked = "&sim_form=1&sim_allow=pages_show_list";
    let token = long_token(&probe, ticked).await;
    let granted = probe.get("/v25.0/me/permissions", &token).await.json();
    let granted: Vec<&str> = granted["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["permission"].as_str())
        .collect();
    assert_eq!(granted, ["pages_show_list", "public_profile"]);
    let denied = probe.get("/v25.0/me/businesses", &token).await;
    assert_eq!((denied.status, code_of(&denied).0), (403, Some(200)));
}

#[tokio::test]
async fn pages_come_in_parts_and_their_tokens_work_for_them_alone() {
    let probe = probe();
    let token = long_token(&probe, "").await;
    probe.world.change_settings(|it| it.facebook.pages_per_answer = 1);
    let path = "/v25.0/me/accounts?fields=id,name,access_token,tasks&limit=100";
    let first = probe.get(path, &token).await.json();
    assert_eq!(first["data"][0]["id"], "55");
    let after = first["paging"]["cursors"]["after"].as_str().unwrap();
    assert!(first["paging"]["next"].is_string());
    let second = probe.get(&format!("{path}&after={after}"), &token).await.json();
    assert_eq!(second["data"][0]["id"], "66");
    assert!(second["paging"].get("next").is_none());
    let of_page = second["data"][0]["access_token"].as_str().unwrap();
    assert_eq!(probe.get("/v25.0/me?fields=id", of_page).await.json()["id"], "66");
    assert_eq!(probe.post_form("/v25.0/55/feed", of_page, &[("message", "a")]).await.status, 403);
    assert_eq!(probe.post_form("/v25.0/55/feed", &token, &[("message", "a")]).await.status, 403);

    let owned = probe.get("/v25.0/8/owned_pages?fields=id,tasks", &token).await.json();
    assert_eq!(owned["data"][0]["tasks"], serde_json::json!(["ANALYZE"]));
    let one = probe.get("/v25.0/77?fields=access_token", &token).await.json();
    assert!(one["access_token"].is_string());
    // A page token outlives the person's that it was made from.
    probe.clock.advance(Duration::from_hours(24 * 61));
    assert_eq!(code_of(&probe.get("/v25.0/me", &token).await), (Some(190), Some(463)));
    assert_eq!(probe.get("/v25.0/me?fields=id", of_page).await.status, 200);
}

#[tokio::test]
async fn a_batch_answers_each_part() {
    let probe = probe();
    let token = long_token(&probe, "").await;
    let batch = serde_json::json!([
        { "method": "GET", "relative_url": format!("v25.0/debug_token?input_token={token}") },
        { "method": "GET", "relative_url": "v25.0/me", "access_token": token },
        { "method": "DELETE", "relative_url": "v25.0/55_1" },
    ]);
    let fields = [("batch", batch.to_string()), ("access_token", "900|secret".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(a, b)| (*a, b.as_str())).collect();
    let answers = probe.post_form("/", "", &fields).await.json();
    let body = |at: usize| -> Value {
        serde_json::from_str(answers[at]["body"].as_str().unwrap()).unwrap()
    };
    assert_eq!(body(0)["data"]["is_valid"], true);
    assert_eq!(body(0)["data"]["app_id"], "900");
    assert_eq!(body(1)["id"], "7");
    assert_eq!(answers[2]["code"], 400);
}
