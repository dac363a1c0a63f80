//! The control surface under `/_control/`: what tests and people tell the simulators to do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::consent::Person;
use super::faults::Fault;
use super::records::{Counts, Death, JournalEntry, Page, Platform, PostRecord, User};
use super::settings::Settings;
use super::world::World;

type Shared = State<Arc<World>>;

/// The routes, to be nested under `/_control`.
pub(crate) fn router<S>(world: Arc<World>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/posts", get(posts))
        .route("/journal", get(journal))
        .route("/counts", get(counts))
        .route("/reads", get(reads))
        .route("/faults", get(faults).post(push_faults).delete(clear_faults))
        .route("/settings", get(settings).post(change_settings))
        .route("/pages", post(add_page))
        .route("/users", post(add_user))
        .route("/people", post(add_person))
        .route("/app", post(set_app))
        .route("/x_client", post(set_x_client))
        .route("/redirects", post(set_redirects))
        .route("/foreign", post(insert_foreign))
        .route("/lag", post(set_lag))
        .route("/revoke", post(revoke))
        .route("/swap", post(swap))
        .with_state(world)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    platform: Option<Platform>,
    account: Option<String>,
}

/// The true posts by platform and account.
async fn posts(
    State(world): Shared,
    Query(which): Query<Which>,
) -> Json<BTreeMap<&'static str, BTreeMap<String, Vec<PostRecord>>>> {
    let mut all = BTreeMap::new();
    for platform in Platform::ALL {
        if which.platform.is_some_and(|wanted| wanted != platform) {
            continue;
        }
        let accounts =
            world.accounts(platform).into_iter().map(|account| account.profile.id.clone());
        let wanted = accounts.filter(|id| which.account.as_ref().is_none_or(|wanted| wanted == id));
        let posts = wanted.map(|id| (id.clone(), world.posts(platform, &id))).collect();
        all.insert(platform.name(), posts);
    }
    Json(all)
}

async fn journal(State(world): Shared) -> Json<Vec<JournalEntry>> {
    Json(world.journal())
}

async fn counts(State(world): Shared) -> Json<Counts> {
    Json(world.counts())
}

async fn reads(State(world): Shared) -> Json<BTreeMap<String, u64>> {
    Json(world.reads())
}

async fn faults(State(world): Shared) -> Json<Vec<Fault>> {
    Json(world.faults().waiting())
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Fault>),
    One(Box<Fault>),
}

async fn push_faults(State(world): Shared, Json(faults): Json<OneOrMany>) -> Response {
    let faults = match faults {
        OneOrMany::Many(faults) => faults,
        OneOrMany::One(fault) => vec![*fault],
    };
    let pushed = faults.len();
    for fault in faults {
        world.faults().push(fault);
    }
    done(&json!({ "pushed": pushed }))
}

async fn clear_faults(State(world): Shared) -> Response {
    world.faults().clear();
    done(&json!({ "cleared": true }))
}

async fn settings(State(world): Shared) -> Json<Settings> {
    Json(Settings::clone(&world.settings()))
}

/// Changes the settings that the body names and leaves the others.
async fn change_settings(State(world): Shared, Json(patch): Json<Value>) -> Response {
    let mut merged = match serde_json::to_value(&*world.settings()) {
        Ok(current) => current,
        Err(error) => return refused(&error.to_string()),
    };
    merge(&mut merged, patch);
    match serde_json::from_value::<Settings>(merged) {
        Ok(settings) => {
            world.change_settings(|place| *place = settings.clone());
            Json(settings).into_response()
        }
        Err(error) => refused(&error.to_string()),
    }
}

fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

async fn add_page(State(world): Shared, Json(page): Json<Page>) -> Response {
    if !is_decimal(&page.id) || page.token.is_empty() {
        return refused("a page needs a decimal id and a token");
    }
    let answer = json!({ "id": page.id });
    world.add_page(page);
    done(&answer)
}

async fn add_user(State(world): Shared, Json(user): Json<User>) -> Response {
    if !is_decimal(&user.id) || user.token.is_empty() || user.username.is_empty() {
        return refused("a user needs a decimal id, a username and a token");
    }
    let answer = json!({ "id": user.id });
    world.add_user(user);
    done(&answer)
}

async fn add_person(State(world): Shared, Json(person): Json<Person>) -> Response {
    if !is_decimal(&person.id) || person.name.is_empty() {
        return refused("a person needs a decimal id and a name");
    }
    let answer = json!({ "id": person.id });
    world.add_person(person);
    done(&answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientBody {
    id: String,
    secret: Option<String>,
}

async fn set_x_client(State(world): Shared, Json(client): Json<ClientBody>) -> Response {
    world.set_x_client(&client.id, client.secret.as_deref());
    done(&json!({ "id": client.id, "public": client.secret.is_none() }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RedirectsBody {
    platform: Platform,
    addresses: Vec<String>,
}

async fn set_redirects(State(world): Shared, Json(body): Json<RedirectsBody>) -> Response {
    let addresses: Vec<&str> = body.addresses.iter().map(String::as_str).collect();
    world.set_redirects(body.platform, &addresses);
    done(&json!({ "addresses": addresses }))
}

fn is_decimal(id: &str) -> bool {
    !id.is_empty() && id.len() <= 19 && id.bytes().all(|byte| byte.is_ascii_digit())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppBody {
    id: String,
    secret: String,
    #[serde(default)]
    require_proof: bool,
}

async fn set_app(State(world): Shared, Json(app): Json<AppBody>) -> Response {
    world.set_facebook_app(&app.id, &app.secret, app.require_proof);
    done(&json!({ "id": app.id, "require_proof": app.require_proof }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForeignBody {
    platform: Platform,
    account: String,
    text: String,
    at: Option<Timestamp>,
}

async fn insert_foreign(State(world): Shared, Json(post): Json<ForeignBody>) -> Response {
    let at = post.at.unwrap_or_else(|| world.now());
    match world.insert_foreign_at(post.platform, &post.account, &post.text, at) {
        Some(id) => done(&json!({ "id": id })),
        None => refused("there is no such account"),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LagBody {
    platform: Platform,
    account: String,
    ms: Option<u64>,
}

async fn set_lag(State(world): Shared, Json(lag): Json<LagBody>) -> Response {
    if world.account(lag.platform, &lag.account).is_none() {
        return refused("there is no such account");
    }
    world.set_read_lag(lag.platform, &lag.account, lag.ms.map(Duration::from_millis));
    done(&json!({ "lag_ms": lag.ms }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeBody {
    token: String,
    reason: Death,
}

async fn revoke(State(world): Shared, Json(body): Json<RevokeBody>) -> Response {
    world.revoke(&body.token, body.reason);
    done(&json!({ "revoked": true }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwapBody {
    a: String,
    b: String,
}

async fn swap(State(world): Shared, Json(body): Json<SwapBody>) -> Response {
    world.swap_tokens(&body.a, &body.b);
    done(&json!({ "swapped": true }))
}

fn done(body: &Value) -> Response {
    Json(body).into_response()
}

fn refused(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response()
}
