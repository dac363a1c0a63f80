//! Sign-ins that connect accounts, through the front door and the platforms' own pages.

mod again;
mod callbacks;
mod forgotten;
mod people;

use chancery::simulator::{Person, Platform, Role};
use serde_json::{Value, json};

use crate::world::{Answer, World};

/// An application that both platforms know.
const APP: &[(&str, &str)] = &[
    ("CHANCERY_FACEBOOK__APP_ID", "900"),
    ("CHANCERY_FACEBOOK__APP_SECRET", "canary-fb-secret"),
    ("CHANCERY_X__CLIENT_ID", "sim-client"),
    ("CHANCERY_X__CLIENT_SECRET", "canary-x-secret"),
];

/// Facebook's part of the seed: a person with a role on the Pages of the first three offices.
const PRESS: &str = "7001";

/// Tells the platforms about the application and about a person.
fn prepare(world: &World) {
    let platforms = world.simulators.world();
    platforms.set_facebook_app("900", "canary-fb-secret", true);
    platforms.set_x_client("sim-client", Some("canary-x-secret"));
    for platform in [Platform::Facebook, Platform::X] {
        let back = format!("http://127.0.0.1:8080/connect/{}/callback", platform.name());
        platforms.set_redirects(platform, &[&back]);
    }
    let pages = world.seed.accounts().iter().take(3).map(|it| Role::full(&it.page.id)).collect();
    let (id, name) = (PRESS.to_owned(), "Press".to_owned());
    platforms.add_person(Person { id, name, pages, businesses: Vec::new() });
}

/// A sign-in that was begun.
struct Begun {
    id: String,
    url: String,
}

async fn begin(world: &World, body: &Value) -> Begun {
    begin_as(world, &world.admin, body).await
}

async fn begin_as(world: &World, token: &str, body: &Value) -> Begun {
    let answer = world.ask_as(token, "POST", "/api/v1/accounts/connect").json(body).await;
    let place = answer.header("location").to_owned();
    let begun = answer.expect(201);
    let id = begun["id"].as_str().unwrap().to_owned();
    assert_eq!(place, format!("/api/v1/accounts/connections/{id}"));
    Begun { id, url: begun["authorize_url"].as_str().unwrap().to_owned() }
}

#[expect(clippy::disallowed_methods, reason = "a browser, not part of the service")]
fn browser() -> reqwest::Client {
    let follow = reqwest::redirect::Policy::none();
    reqwest::Client::builder().no_proxy().redirect(follow).build().unwrap()
}

/// What somebody does on the platform's page; gives the path and query that he is sent back to.
async fn visit(url: &str, more: &str) -> String {
    let answer = browser().get(format!("{url}{more}")).send().await.unwrap();
    assert_eq!(answer.status(), 302, "{url}");
    let back: url::Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    assert_eq!(back.origin().ascii_serialization(), "http://127.0.0.1:8080");
    format!("{}?{}", back.path(), back.query().unwrap())
}

/// A browser comes back.
async fn land(world: &World, back: &str) -> Answer {
    let answer = world.anonymous("GET", back).header("accept-language", "en").send().await;
    if answer.status < 500 {
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
    }
    answer
}

async fn shown(world: &World, id: &str) -> Value {
    let place = format!("/api/v1/accounts/connections/{id}");
    world.ask("GET", &place).send().await.expect(200)
}

async fn accounts(world: &World) -> Vec<Value> {
    let list = world.ask("GET", "/api/v1/accounts").send().await.expect(200);
    list["items"].as_array().unwrap().clone()
}

fn page(world: &World, office: usize) -> String {
    world.seed.accounts()[office].page.id.clone()
}

fn user(world: &World, office: usize) -> String {
    world.seed.accounts()[office].user.id.clone()
}

/// The account that came of a sign-in on the first Page.
async fn connected_page(world: &World) -> Value {
    let unit = world.unit().await;
    let body = json!({"unit_id": unit["id"], "platform": "facebook",
        "expected_remote_id": page(world, 0)});
    let begun = begin(world, &body).await;
    let back = visit(&begun.url, &format!("&sim_user={PRESS}")).await;
    assert_eq!(land(world, &back).await.status, 200);
    accounts(world).await.remove(0)
}

/// Nothing that a platform gave out for a sign-in is to be found in clear.
async fn no_secret_is_kept(world: &World) {
    let kept = world.everything_kept().await;
    let words = [
        "sim-code-",
        "sim-person-token-",
        "sim-page-token-",
        "sim-access-token-",
        "sim-refresh-token-",
        "canary-fb-secret",
        "canary-x-secret",
    ];
    for word in words {
        let found = kept.windows(word.len()).position(|it| it == word.as_bytes());
        if let Some(at) = found {
            let around = &kept[at.saturating_sub(60)..kept.len().min(at + 60)];
            panic!("{word} is kept in clear: {}", String::from_utf8_lossy(around));
        }
    }
}
