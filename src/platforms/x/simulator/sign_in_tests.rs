//! The way to a user's tokens and their renewal, call by call.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::Api;
use crate::simulator::probe::{Answer, Probe};
use crate::simulator::{Platform, User};

const BACK: &str = "https://desk.example/connect/x/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn probe() -> Probe {
    let probe = Probe::new(Api);
    probe.world.set_redirects(Platform::X, &[BACK]);
    probe.world.add_user(User {
        id: "5".into(),
        username: "mofa".into(),
        name: "MOFA".into(),
        token: "t5".into(),
        ..User::default()
    });
    probe
}

async fn authorize(probe: &Probe, more: &str) -> Answer {
    // The example of RFC 7636, appendix B.
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let path = format!(
        "/i/oauth2/authorize?response_type=code&client_id=sim-client&redirect_uri={BACK}\
         &scope=tweet.read%20tweet.write%20users.read%20offline.access&state=S\
         &code_challenge={challenge}&code_challenge_method=S256{more}"
    );
    probe.get(&path, "").await
}

async fn code(probe: &Probe) -> String {
    let answer = authorize(probe, "&sim_user=5").await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    let url = url::Url::parse(answer.header("location").unwrap()).unwrap();
    let sent: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    assert_eq!(sent[0], ("state".to_owned(), "S".to_owned()));
    sent[1].1.clone()
}

async fn exchange(probe: &Probe, code: &str, verifier: &str, redirect: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
        ("client_id", "sim-client"),
    ];
    probe.post_form("/2/oauth2/token", "", &form).await
}

async fn refresh(probe: &Probe, token: &str) -> Answer {
    let form =
        [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "sim-client")];
    probe.post_form("/2/oauth2/token", "", &form).await
}

fn word(answer: &Answer, name: &str) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_lives_thirty_seconds_and_belongs_to_its_challenge_and_its_address() {
    let probe = probe();
    let good = exchange(&probe, &code(&probe).await, VERIFIER, BACK).await;
    assert_eq!(good.json()["expires_in"], 7200);
    assert_eq!(good.json()["scope"], "tweet.read tweet.write users.read offline.access");
    let access = word(&good, "access_token");
    assert_eq!(probe.get("/2/users/me", &access).await.json()["data"]["id"], "5");
    let wrong = "x".repeat(43);
    for (verifier, redirect) in [(wrong.as_str(), BACK), (VERIFIER, "https://desk.example/")] {
        let code = code(&probe).await;
        assert_eq!(exchange(&probe, &code, verifier, redirect).await.status, 400);
        let again = exchange(&probe, &code, VERIFIER, BACK).await;
        assert_eq!(again.status, 400, "a code is used by being presented");
    }
    let code = code(&probe).await;
    probe.clock.advance(Duration::from_secs(30));
    assert_eq!(exchange(&probe, &code, VERIFIER, BACK).await.status, 400);
    probe.clock.advance(Duration::from_hours(2));
    assert_eq!(probe.get("/2/users/me", &access).await.status, 401);
}

#[tokio::test]
async fn a_confidential_application_says_its_secret_in_the_header() {
    let probe = probe();
    probe.world.set_x_client("sim-client", Some("word"));
    let code = code(&probe).await;
    assert_eq!(exchange(&probe, &code, VERIFIER, BACK).await.status, 401);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = http::Request::post("/2/oauth2/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", format!("Basic {}", STANDARD.encode("sim-client:word")))
        .body(axum::body::Body::from(body))
        .unwrap();
    assert_eq!(probe.send(request).await.status, 200);
}

#[tokio::test]
async fn an_old_refresh_token_kills_the_family_unless_switched_off() {
    for kill in [true, false] {
        let probe = probe();
        probe.world.change_settings(|it| it.x.refresh_family_kill = kill);
        let first = exchange(&probe, &code(&probe).await, VERIFIER, BACK).await;
        let old = word(&first, "refresh_token");
        let second = refresh(&probe, &old).await;
        let (access, new) = (word(&second, "access_token"), word(&second, "refresh_token"));
        assert_ne!(old, new);
        assert_eq!(refresh(&probe, &old).await.status, 400);
        let alive = probe.get("/2/users/me", &access).await.status;
        let renewed = refresh(&probe, &new).await.status;
        assert_eq!((alive, renewed), if kill { (401, 400) } else { (200, 200) });
        assert_eq!(probe.world.presented()[&old], 2);
        assert_eq!(probe.world.presented()[&new], 1);
    }
}

#[tokio::test]
async fn a_person_may_refuse_and_an_application_may_give_back() {
    let probe = probe();
    let refused = authorize(&probe, "&sim_user=5&sim_refuse=1").await;
    let location = refused.header("location").unwrap();
    assert!(location.ends_with("state=S&error=access_denied"), "{location}");
    let form = authorize(&probe, "").await;
    assert!(form.text.contains("@mofa") && form.text.contains("tweet.write"));
    let stranger = "/i/oauth2/authorize?response_type=code&client_id=other&state=S";
    assert_eq!(probe.get(stranger, "").await.status, 400);
    let pair = exchange(&probe, &code(&probe).await, VERIFIER, BACK).await;
    let (access, again) = (word(&pair, "access_token"), word(&pair, "refresh_token"));
    let form = [("token", again.as_str()), ("client_id", "sim-client")];
    let revoked = probe.post_form("/2/oauth2/revoke", "", &form).await;
    assert_eq!(revoked.json()["revoked"], true);
    assert_eq!(probe.get("/2/users/me", &access).await.status, 401);
    assert_eq!(refresh(&probe, &again).await.status, 400);
}
