//! How an application comes to a user's tokens: authorization code with PKCE, refresh, revocation.
//!
//! Written from X's OAuth 2.0 guide (2026-08-22). Rotation of refresh tokens and the death of the
//! whole family are what others have reported (2026-07-01, 2026-08-20) and are switches.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::simulator::{
    Call, Choice, Code, Pair, Platform, Reply, World, consent_page, refusal_page,
};

const SCOPES: [&str; 9] = [
    "tweet.read",
    "tweet.write",
    "tweet.moderate.write",
    "users.read",
    "media.write",
    "offline.access",
    "dm.read",
    "dm.write",
    "follows.read",
];

/// The longest state that is taken.
const LONGEST_STATE: usize = 500;

/// The page on which a person lets an application act for his account.
pub(super) fn authorize(world: &World, call: &Call) -> Reply {
    let refuse = |why: &str| refusal_page(Platform::X, why);
    let redirect = call.query("redirect_uri").unwrap_or_default();
    let known = {
        let consents = world.consents();
        call.query("client_id") == Some(consents.client().id.as_str())
            && consents.may_redirect(Platform::X, redirect)
    };
    let state = call.query("state").unwrap_or_default();
    let scopes: Vec<String> =
        call.query("scope").unwrap_or_default().split(' ').map(str::to_owned).collect();
    let method = call.query("code_challenge_method").unwrap_or("plain");
    let challenge = call.query("code_challenge").unwrap_or_default();
    let well_formed = call.query("response_type") == Some("code")
        && !state.is_empty()
        && state.len() <= LONGEST_STATE
        && scopes.iter().all(|scope| SCOPES.contains(&scope.as_str()))
        && !challenge.is_empty()
        && matches!(method, "S256" | "plain");
    if !known || !well_formed {
        return refuse(
            "You weren't able to give access to the App. Go back and try logging in again.",
        );
    }
    let Some(user) = call.query("sim_user") else {
        return form(world, call, &scopes);
    };
    if world.account(Platform::X, user).is_none() {
        return refuse("There is no such simulated account.");
    }
    if call.query("sim_refuse").is_some() {
        return back(redirect, state, ("error", "access_denied"));
    }
    let withheld = &world.settings().x.withheld_scopes;
    let code = Code {
        platform: Platform::X,
        subject: user.to_owned(),
        client: call.query("client_id").unwrap_or_default().to_owned(),
        scopes: scopes.into_iter().filter(|scope| !withheld.contains(scope)).collect(),
        redirect: redirect.to_owned(),
        challenge: Some((method.to_owned(), challenge.to_owned())),
        made_at: world.now(),
        used: false,
    };
    let code = world.consents().give_code(code);
    back(redirect, state, ("code", &code))
}

fn form(world: &World, call: &Call, scopes: &[String]) -> Reply {
    let accounts: Vec<Choice> = world
        .accounts(Platform::X)
        .iter()
        .map(|account| Choice {
            value: account.profile.id.clone(),
            label: format!("@{}", account.profile.username),
        })
        .collect();
    // All or nothing: nobody can untick one.
    let label = format!("This application may: {}", scopes.join(", "));
    let scopes = [Choice { value: "all".to_owned(), label }];
    consent_page(Platform::X, &call.query, &accounts, &scopes)
}

fn back(redirect: &str, state: &str, (name, value): (&str, &str)) -> Reply {
    let Ok(mut url) = url::Url::parse(redirect) else {
        return refusal_page(Platform::X, "The redirect is no address.");
    };
    url.query_pairs_mut().append_pair("state", state).append_pair(name, value);
    Reply::redirect(url.to_string())
}

/// `POST /2/oauth2/token`.
pub(super) fn token(world: &World, call: &Call) -> Reply {
    let Some(client) = client(world, call) else { return unauthorized_client() };
    let pair = match call.form("grant_type") {
        Some("authorization_code") => exchange(world, call, &client),
        Some("refresh_token") => {
            world.refresh(&client, call.form("refresh_token").unwrap_or_default())
        }
        Some(_) | None => return invalid("Missing or unknown grant_type."),
    };
    match pair {
        Some(pair) => given(world, &pair),
        None => invalid("Value passed for the token was invalid."),
    }
}

fn given(world: &World, pair: &Pair) -> Reply {
    let mut body = json!({
        "token_type": "bearer",
        "expires_in": world.settings().x.access_life_s,
        "access_token": pair.access,
        "scope": pair.scopes.join(" "),
    });
    if let (Some(refresh), Some(body)) = (&pair.refresh, body.as_object_mut()) {
        body.insert("refresh_token".to_owned(), refresh.as_str().into());
    }
    Reply::json(200, &body)
}

/// A code for a pair. A code that was presented once is worth nothing any more, whatever came of it.
fn exchange(world: &World, call: &Call, client: &str) -> Option<Pair> {
    let code = world.consents().use_code(Platform::X, call.form("code")?)?;
    let life = Duration::from_secs(world.settings().x.code_life_s);
    let alive = !code.used && clock::until(code.made_at, world.now()) < life;
    let same_place = code.client == client && call.form("redirect_uri") == Some(&*code.redirect);
    let (method, challenge) = code.challenge?;
    let verifier = call.form("code_verifier")?;
    let proven = match method.as_str() {
        "S256" => URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge,
        _ => verifier == challenge,
    };
    (alive && same_place && proven).then(|| world.found_family(&code.subject, client, code.scopes))
}

/// `POST /2/oauth2/revoke`.
pub(super) fn revoke(world: &World, call: &Call) -> Reply {
    if client(world, call).is_none() {
        return unauthorized_client();
    }
    match call.form("token") {
        Some(token) => {
            world.take_back(token);
            Reply::json(200, &json!({ "revoked": true }))
        }
        None => invalid("Missing required parameter [token]."),
    }
}

/// The application, when it says who it is in its own way: a confidential one by Basic, a public one
/// by its id in the body.
fn client(world: &World, call: &Call) -> Option<String> {
    let known = world.consents().client().clone();
    let said = match &known.secret {
        Some(secret) => {
            let basic = call.header("authorization")?.strip_prefix("Basic ")?;
            let pair = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
            let (id, proof) = pair.split_once(':')?;
            (proof == secret).then(|| id.to_owned())?
        }
        None => call.form("client_id")?.to_owned(),
    };
    (said == known.id).then_some(said)
}

fn unauthorized_client() -> Reply {
    let body = json!({
        "error": "unauthorized_client",
        "error_description": "Missing valid authorization header",
    });
    Reply::json(401, &body)
}

fn invalid(what: &str) -> Reply {
    Reply::json(400, &json!({ "error": "invalid_request", "error_description": what }))
}
