//! Our sign-in against the simulated platforms, which were written before it and apart from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::sign_in::{Arrival, Bounty, Departure, Means, SignIn, SignInError};
use super::{Platforms, setting};
use crate::clock::SimulatedClock;
use crate::domain::account::CredentialKind;
use crate::outbound::{Label, Outbound, Request};
use crate::simulator::{
    Business, Fault, Kind, Operation, Page, Person, Platform, Role, Simulators, User, World,
};

const STATE: &str = "a-state-that-nobody-guesses";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

struct Door {
    simulators: Simulators,
    platforms: Platforms,
    clock: SimulatedClock,
    means: Means,
    browser: Outbound,
}

impl Door {
    async fn new(x_secret: Option<&str>, config_id: Option<&str>) -> Self {
        let clock = SimulatedClock::at("2026-11-22T10:00:00Z".parse().unwrap());
        let any = "127.0.0.1:0".parse().unwrap();
        let simulators = Simulators::start(Arc::new(clock.clone()), any, any).await.unwrap();
        let world = simulators.world();
        world.set_facebook_app("900", "fb-secret", true);
        world.set_x_client("client", x_secret);
        people(&world);
        let (graph, api): (Url, Url) =
            (simulators.facebook_url().parse().unwrap(), simulators.x_url().parse().unwrap());
        let secret = |text: &str| SecretString::from(text.to_owned());
        let places = [graph.clone(), api.clone(), graph.clone(), graph.clone()];
        let mut settings = setting::at(places);
        settings.facebook.app_id = Some("900".to_owned());
        settings.facebook.app_secret = Some(secret("fb-secret"));
        settings.facebook.dialog_url = graph;
        settings.facebook.login_config_id = config_id.map(str::to_owned);
        settings.x.client_id = Some("client".to_owned());
        settings.x.client_secret = x_secret.map(secret);
        settings.x.authorize_url = api.join("/i/oauth2/authorize").unwrap();
        let platforms = Platforms::new(settings);
        let outbound = Outbound::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let means = Means {
            outbound: outbound.clone(),
            clock: Arc::new(clock.clone()),
            timeout: Duration::from_secs(10),
        };
        Self { simulators, platforms, clock, means, browser: outbound }
    }

    fn sign_in(&self, platform: &str) -> &dyn SignIn {
        self.platforms.get(platform).unwrap().sign_in().unwrap()
    }

    /// Where the platform sends somebody who does there what `more` says.
    async fn visit(&self, platform: &str, more: &str) -> Url {
        let verifier = SecretString::from(VERIFIER);
        let redirect = redirect(platform);
        let with = Departure { state: STATE, verifier: &verifier, redirect: &redirect };
        let url = self.sign_in(platform).authorize_url(&with).unwrap();
        assert!(!url.as_str().contains(VERIFIER), "the verifier is for the exchange alone");
        assert!(!url.as_str().contains("secret"), "{url}");
        let url: Url = format!("{url}{more}").parse().unwrap();
        let answer = self.browser.send(visit(url)).await.unwrap();
        assert_eq!(answer.status, 302, "{}", String::from_utf8_lossy(&answer.body));
        answer.headers["location"].to_str().unwrap().parse().unwrap()
    }

    async fn exchange(
        &self,
        platform: &str,
        code: &str,
        verifier: &str,
        redirect: &Url,
    ) -> Result<Bounty, SignInError> {
        let (code, verifier) =
            (SecretString::from(code.to_owned()), SecretString::from(verifier.to_owned()));
        let with = Arrival { code: &code, verifier: &verifier, redirect };
        self.sign_in(platform).exchange(&self.means, with).await
    }

    async fn code(&self, platform: &str, more: &str) -> String {
        let back = self.visit(platform, more).await;
        assert_eq!(word(&back, "state").as_deref(), Some(STATE));
        word(&back, "code").expect("a code")
    }

    async fn bounty(&self, platform: &str, more: &str) -> Bounty {
        let code = self.code(platform, more).await;
        self.exchange(platform, &code, VERIFIER, &redirect(platform)).await.unwrap()
    }
}

/// A person with Pages and a portfolio, and an account of X.
fn people(world: &World) {
    for id in ["55", "66", "77", "88"] {
        let token = format!("seed-{id}");
        world.add_page(Page {
            id: id.into(),
            name: format!("Page {id}"),
            token,
            ..Page::default()
        });
    }
    world.add_person(Person {
        id: "7".into(),
        name: "An".into(),
        pages: vec![Role::full("55"), Role { page: "66".into(), tasks: vec!["ANALYZE".into()] }],
        businesses: vec![Business {
            id: "8".into(),
            name: "Ministry".into(),
            owned: vec![Role::full("77"), Role::full("55")],
            client: vec![Role::full("88")],
        }],
    });
    let user =
        User { id: "5".into(), username: "mofa".into(), name: "MOFA".into(), ..User::default() };
    world.add_user(User { token: "seed-5".into(), ..user });
}

/// What a browser asks.
fn visit(url: Url) -> Request {
    Request {
        method: http::Method::GET,
        url,
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::new(),
        timeout: Duration::from_secs(10),
        max_answer: 1 << 20,
        label: Label { destination: "browser", kind: "read" },
    }
}

fn redirect(platform: &str) -> Url {
    format!("https://desk.example/connect/{platform}/callback").parse().unwrap()
}

fn word(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn ids(bounty: &Bounty) -> Vec<(&str, Option<&str>)> {
    let accounts = bounty.granted.accounts.iter();
    accounts.map(|it| (it.remote_id.as_str(), it.hindrance.as_deref())).collect()
}

#[tokio::test]
async fn a_person_brings_his_pages_also_those_of_portfolios() {
    let door = Door::new(None, None).await;
    door.simulators.world().change_settings(|it| it.facebook.pages_per_answer = 1);
    let bounty = door.bounty("facebook", "&sim_user=7").await;
    let expected = [("55", None), ("66", Some("task_create_content")), ("77", None), ("88", None)];
    assert_eq!(ids(&bounty), expected);
    assert!(bounty.granted.missing.is_empty() && bounty.granted.extra.is_empty());
    assert!(bounty.granted.data_access_ends_at.is_some());
    for candidate in &bounty.candidates {
        let Ok(fresh) = &candidate.credential else { continue };
        assert_eq!((fresh.kind, fresh.expires_at), (CredentialKind::PageToken, None));
        let session = door.means.session(fresh.access.clone());
        let owner = door.platforms.get("facebook").unwrap().owner(&session).await.unwrap();
        assert_eq!(owner.remote_id, candidate.owner.remote_id);
    }
    // Made of a long-lived token, it is still good when that one has ended.
    door.clock.advance(Duration::from_hours(24 * 70));
    let fresh = bounty.candidates[0].credential.as_ref().unwrap();
    let session = door.means.session(fresh.access.clone());
    assert!(door.platforms.get("facebook").unwrap().owner(&session).await.is_ok());
}

#[tokio::test]
async fn what_was_not_granted_and_what_nobody_asked_for_is_told() {
    let door = Door::new(None, None).await;
    door.simulators.world().change_settings(|it| {
        it.facebook.extra_scopes = vec!["pages_manage_metadata".to_owned()];
    });
    let bounty =
        door.bounty("facebook", "&sim_user=7&sim_decline=read_insights,business_management");
    let bounty = bounty.await;
    let missing: Vec<_> =
        bounty.granted.missing.iter().map(|it| (it.scope.as_str(), it.needed)).collect();
    assert_eq!(missing, [("read_insights", false), ("business_management", false)]);
    assert_eq!(bounty.granted.extra, ["pages_manage_metadata"]);
    assert_eq!(ids(&bounty).len(), 2, "portfolios were not opened");
    let bounty = door.bounty("facebook", "&sim_user=7&sim_decline=pages_manage_posts").await;
    assert!(bounty.granted.lacks_needed());

    door.simulators.world().change_settings(|it| {
        it.x.withheld_scopes = vec!["media.write".to_owned()];
    });
    let bounty = door.bounty("x", "&sim_user=5").await;
    assert_eq!(bounty.granted.missing.len(), 1);
    assert!(!bounty.granted.lacks_needed());
}

#[tokio::test]
async fn a_login_configuration_takes_the_place_of_the_list_of_rights() {
    let door = Door::new(None, Some("4711")).await;
    door.simulators.world().change_settings(|it| {
        let names = ["pages_show_list", "pages_manage_posts", "pages_read_engagement"];
        it.facebook.login_config = names.map(str::to_owned).to_vec();
    });
    let bounty = door.bounty("facebook", "&sim_user=7").await;
    assert!(!bounty.granted.lacks_needed());
    assert_eq!(bounty.granted.missing.len(), 3);
}

#[tokio::test]
async fn an_account_of_x_brings_a_pair_of_tokens_to_public_and_confidential_applications() {
    for secret in [None, Some("x-secret")] {
        let door = Door::new(secret, None).await;
        let bounty = door.bounty("x", "&sim_user=5").await;
        assert_eq!(ids(&bounty), [("5", None)]);
        assert_eq!(bounty.candidates[0].owner.handle.as_deref(), Some("mofa"));
        let fresh = bounty.candidates[0].credential.as_ref().unwrap();
        assert_eq!(fresh.kind, CredentialKind::Oauth2);
        assert!(fresh.refresh.is_some());
        assert_eq!(fresh.expires_at, Some("2026-11-22T12:00:00Z".parse().unwrap()));
        let shown = format!("{bounty:?}");
        assert!(!shown.contains(fresh.access.expose_secret()), "{shown}");
    }
}

#[tokio::test]
async fn a_code_is_good_once_for_its_verifier_and_its_address() {
    for platform in ["facebook", "x"] {
        let door = Door::new(None, None).await;
        let more = if platform == "x" { "&sim_user=5" } else { "&sim_user=7" };
        let (right, wrong) = (redirect(platform), redirect("other"));
        let code = door.code(platform, more).await;
        door.exchange(platform, &code, VERIFIER, &right).await.unwrap();
        let again = door.exchange(platform, &code, VERIFIER, &right).await;
        assert!(matches!(again, Err(SignInError::Refused(_))), "{again:?}");
        let code = door.code(platform, more).await;
        let elsewhere = door.exchange(platform, &code, VERIFIER, &wrong).await;
        assert!(matches!(elsewhere, Err(SignInError::Refused(_))), "{elsewhere:?}");
        let made_up = door.exchange(platform, "made-up", VERIFIER, &right).await;
        assert!(matches!(made_up, Err(SignInError::Refused(_))), "{made_up:?}");
    }
    let door = Door::new(None, None).await;
    let code = door.code("x", "&sim_user=5").await;
    let other = "x".repeat(43);
    let stolen = door.exchange("x", &code, &other, &redirect("x")).await;
    assert!(matches!(stolen, Err(SignInError::Refused(_))), "{stolen:?}");
    let code = door.code("x", "&sim_user=5").await;
    door.clock.advance(Duration::from_secs(31));
    let late = door.exchange("x", &code, VERIFIER, &redirect("x")).await;
    assert!(matches!(late, Err(SignInError::Refused(_))), "{late:?}");
}

#[tokio::test]
async fn a_platform_that_breaks_off_has_refused_nothing_and_gives_no_secret_away() {
    let side = [("facebook", Platform::Facebook, "&sim_user=7"), ("x", Platform::X, "&sim_user=5")];
    for (platform, side, more) in side {
        let kinds = [
            Kind::DropBefore,
            Kind::DropAfter,
            Kind::ServerError { execute: true },
            Kind::Html { execute: true },
            Kind::Truncate { bytes: 60 },
            Kind::Empty,
            Kind::Redirect,
            Kind::Huge { bytes: 3_000_000 },
        ];
        for kind in kinds {
            let door = Door::new(None, None).await;
            let code = door.code(platform, more).await;
            let fault = Fault::once(side, Operation::Token, kind.clone());
            door.simulators.world().faults().push(fault);
            let lost = door.exchange(platform, &code, VERIFIER, &redirect(platform)).await;
            let Err(SignInError::Unreachable(why)) = lost else { panic!("{kind:?}: {lost:?}") };
            assert!(!why.contains("sim-"), "{kind:?}: {why}");
        }
    }
}

#[tokio::test]
async fn a_refusal_comes_back_as_one() {
    let door = Door::new(None, None).await;
    for (platform, more) in [("facebook", "&sim_user=7"), ("x", "&sim_user=5")] {
        let back = door.visit(platform, &format!("{more}&sim_refuse=1")).await;
        assert_eq!(word(&back, "error").as_deref(), Some("access_denied"));
        assert_eq!(word(&back, "state").as_deref(), Some(STATE));
    }
    door.simulators.world().change_settings(|it| it.facebook.in_development = true);
    let back = door.visit("facebook", "&sim_user=7").await;
    assert_eq!(word(&back, "error").as_deref(), Some("access_denied"), "{back}");
}

#[tokio::test]
async fn a_token_of_another_application_is_refused() {
    let door = Door::new(None, None).await;
    let code = door.code("facebook", "&sim_user=7").await;
    let body = serde_json::json!([{"code": 200, "body":
        "{\"data\":{\"app_id\":\"901\",\"is_valid\":true}}"}]);
    let kind = Kind::Answer {
        execute: false,
        status: 200,
        headers: BTreeMap::default(),
        body: body.to_string(),
    };
    // The batch is the first question about who somebody is.
    door.simulators.world().faults().push(Fault::once(
        Platform::Facebook,
        Operation::Identity,
        kind,
    ));
    let other = door.exchange("facebook", &code, VERIFIER, &redirect("facebook")).await;
    assert!(matches!(other, Err(SignInError::Refused(_))), "{other:?}");
}
