//! Sessions: a password for an access token that ends, and whose such a token is.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Context, error, limited, repo, too_many};
use crate::clock;
use crate::simulator::{Account, Call, Content, Death, Platform, Reply, Standing, Window, World};

/// What every access token begins with, and no password.
const BEGINNING: &str = "eyJ";

/// `POST com.atproto.server.createSession`.
pub(super) fn create(context: &Context<'_>) -> Reply {
    let world = context.world;
    let text = |name: &str| {
        let Content::Json(body) = &context.call.content else { return None };
        body.get(name).and_then(Value::as_str).map(str::to_owned)
    };
    let (Some(identifier), Some(password)) = (text("identifier"), text("password")) else {
        return error(400, "InvalidRequest", "Input must have the property \"identifier\"");
    };
    let wrong = || error(401, "AuthenticationRequired", "Invalid identifier or password");
    let account = match world.standing(Platform::Bluesky, &password) {
        Standing::Alive(account) if !password.starts_with(BEGINNING) => account,
        Standing::Dead(Death::Checkpoint) => {
            return error(401, "AccountTakedown", "Account has been taken down");
        }
        Standing::Alive(_) | Standing::Dead(_) | Standing::Unknown => return wrong(),
    };
    let named = repo(world, &identifier).is_some_and(|it| it.profile.id == account.profile.id);
    if !named {
        return wrong();
    }
    let (allowance, now) = (context.settings.bluesky.sessions, world.now());
    let window = Window::count(&mut account.lock().windows, "sessions", allowance, now);
    let left = allowance.calls.saturating_sub(window.used);
    if context.settings.rate_limits && window.used > allowance.calls {
        return limited(too_many(), allowance.calls, 0, window.ends_at);
    }
    let end = clock::after(now, Duration::from_secs(context.settings.bluesky.access_life_s));
    let claims = json!({
        "scope": "com.atproto.appPass",
        "sub": account.profile.id,
        "iat": now.as_second(),
        "exp": end.as_second(),
        "jti": world.next_graph_number(),
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = json!({ "typ": "at+jwt", "alg": "ES256K" });
    let token = format!("{}.{}.c2lt", part(&head), part(&claims));
    world.add_ending_token(Platform::Bluesky, &account.profile.id, &token, end);
    let reply = Reply::json(
        200,
        &json!({
            "accessJwt": token,
            "refreshJwt": format!("{BEGINNING}r.{}.c2lt", world.next_graph_number()),
            "handle": account.profile.username,
            "did": account.profile.id,
            "active": true,
        }),
    );
    limited(reply, allowance.calls, left, window.ends_at)
}

/// `GET com.atproto.server.getSession`.
pub(super) fn show(context: &Context<'_>) -> Reply {
    match bearer(context.world, context.call) {
        Ok(account) => Reply::json(
            200,
            &json!({
                "handle": account.profile.username,
                "did": account.profile.id,
                "active": true,
            }),
        ),
        Err(refusal) => *refusal,
    }
}

/// The account that the access token acts for.
pub(super) fn bearer(world: &World, call: &Call) -> Result<Arc<Account>, Box<Reply>> {
    let Some(token) = call.bearer() else {
        return Err(Box::new(error(401, "AuthMissing", "Authentication Required")));
    };
    match world.standing(Platform::Bluesky, token) {
        Standing::Alive(account) if token.starts_with(BEGINNING) => Ok(account),
        Standing::Dead(Death::Expired) => {
            Err(Box::new(error(400, "ExpiredToken", "Token has expired")))
        }
        Standing::Alive(_) | Standing::Dead(_) | Standing::Unknown => {
            Err(Box::new(error(400, "InvalidToken", "Token could not be verified")))
        }
    }
}
