//! A Mastodon server's side of the contract: the part of the REST API that publishing needs.
//!
//! Written from docs.joinmastodon.org (methods: accounts, statuses, media; entities; rate limits; read
//! 2026-11-22). It shares nothing with our client.

mod html;
mod media;
mod statuses;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::clock;
use crate::simulator::{
    self, Account, Call, Content, Effects, Intent, Kind, Operation, Place, Platform, Reply,
    Settings, Side, Standing, Window, World,
};

/// One server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instance;

/// Everything that an endpoint needs to answer a call.
struct Context<'a> {
    world: &'a World,
    settings: Arc<Settings>,
    account: Arc<Account>,
    call: &'a Call,
    effects: Effects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint<'a> {
    Verify,
    Create,
    One(&'a str),
    History(&'a str),
    Edit(&'a str),
    Delete(&'a str),
    Timeline(&'a str),
    Upload,
    Media(&'a str),
}

impl Endpoint<'_> {
    fn of<'a>(method: &Method, path: &[&'a str]) -> Option<Endpoint<'a>> {
        let ["api", version, path @ ..] = path else { return None };
        match (method, *version, path) {
            (&Method::GET, "v1", ["accounts", "verify_credentials"]) => Some(Endpoint::Verify),
            (&Method::GET, "v1", ["accounts", id, "statuses"]) => Some(Endpoint::Timeline(id)),
            (&Method::POST, "v1", ["statuses"]) => Some(Endpoint::Create),
            (&Method::GET, "v1", ["statuses", id]) => Some(Endpoint::One(id)),
            (&Method::GET, "v1", ["statuses", id, "history"]) => Some(Endpoint::History(id)),
            (&Method::PUT, "v1", ["statuses", id]) => Some(Endpoint::Edit(id)),
            (&Method::DELETE, "v1", ["statuses", id]) => Some(Endpoint::Delete(id)),
            (&Method::POST, "v2", ["media"]) => Some(Endpoint::Upload),
            (&Method::GET, "v1", ["media", id]) => Some(Endpoint::Media(id)),
            _ => None,
        }
    }

    fn operation(self) -> Operation {
        match self {
            Self::Verify => Operation::Identity,
            Self::Create => Operation::Create,
            Self::One(_) | Self::History(_) | Self::Timeline(_) => Operation::Read,
            Self::Edit(_) | Self::Delete(_) => Operation::Change,
            Self::Upload | Self::Media(_) => Operation::Upload,
        }
    }
}

impl Side for Instance {
    fn platform(&self) -> Platform {
        Platform::Mastodon
    }

    fn place(&self, world: &World, call: &Call) -> Place {
        let endpoint = Endpoint::of(&call.method, &call.segments());
        let account = owner(world, call).map(|account| account.profile.id.clone());
        Place { operation: endpoint.map_or(Operation::Identity, Endpoint::operation), account }
    }

    fn intent(&self, _: &World, call: &Call) -> Intent {
        let Content::Json(body) = &call.content else { return Intent::default() };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Intent {
            text: body.get("status").and_then(text).unwrap_or_default(),
            link: None,
            media: body
                .get("media_ids")
                .and_then(Value::as_array)
                .map(|ids| ids.iter().filter_map(text).collect())
                .unwrap_or_default(),
            reply_to: body.get("in_reply_to_id").and_then(text),
        }
    }

    fn answer(&self, world: &World, call: &Call, effects: Effects) -> Reply {
        let Some(endpoint) = Endpoint::of(&call.method, &call.segments()) else {
            return error(404, "Not Found");
        };
        let account = match world.standing(Platform::Mastodon, call.bearer().unwrap_or_default()) {
            Standing::Alive(account) => account,
            Standing::Dead(_) => return error(401, "The access token was revoked"),
            Standing::Unknown => return error(401, "The access token is invalid"),
        };
        let context = Context { world, settings: world.settings(), account, call, effects };
        let (window, allowed) = count(&context);
        let reply = if allowed { dispatch(&context, endpoint) } else { too_many() };
        let limit = context.settings.mastodon.calls.calls;
        limited(reply, limit, limit.saturating_sub(window.used), window.ends_at)
    }

    fn failure(&self, world: &World, _call: &Call, kind: &Kind, own: Option<&Reply>) -> Reply {
        if *kind == Kind::WithoutId {
            return Reply::json(own.map_or(200, |own| own.status), &json!({ "content": "" }));
        }
        if let Kind::RateLimited { seconds, .. } = kind {
            let end = clock::after(world.now(), std::time::Duration::from_secs(*seconds));
            return limited(too_many(), 300, 0, end);
        }
        error(500, "There was an error")
    }

    fn page(&self, world: &World, call: &Call) -> Option<Reply> {
        if call.method != Method::GET {
            return None;
        }
        match call.segments().as_slice() {
            [] => Some(simulator::accounts_page(world, Platform::Mastodon)),
            ["api", ..] => None,
            ["media", account, id] => Some(match world.account(Platform::Mastodon, account) {
                Some(account) => simulator::media_file(&account, id),
                None => simulator::missing_page(),
            }),
            [name, id] => Some(match named(world, name) {
                Some(account) => simulator::post_page(world, Platform::Mastodon, &account, id),
                None => simulator::missing_page(),
            }),
            _ => Some(simulator::missing_page()),
        }
    }
}

fn named(world: &World, name: &str) -> Option<Arc<Account>> {
    let name = name.strip_prefix('@')?;
    let mut all = world.accounts(Platform::Mastodon).into_iter();
    all.find(|account| account.profile.username.eq_ignore_ascii_case(name))
}

/// The account that the token acts for.
fn owner(world: &World, call: &Call) -> Option<Arc<Account>> {
    match world.standing(Platform::Mastodon, call.bearer()?) {
        Standing::Alive(account) => Some(account),
        Standing::Dead(_) | Standing::Unknown => None,
    }
}

fn count(context: &Context<'_>) -> (Window, bool) {
    let allowance = context.settings.mastodon.calls;
    let now = context.world.now();
    let window = Window::count(&mut context.account.lock().windows, "calls", allowance, now);
    (window, !context.settings.rate_limits || window.used <= allowance.calls)
}

fn dispatch(context: &Context<'_>, endpoint: Endpoint<'_>) -> Reply {
    match endpoint {
        Endpoint::Verify => Reply::json(200, &credential_account(context)),
        Endpoint::Create => statuses::create(context),
        Endpoint::One(id) => statuses::one(context, id),
        Endpoint::History(id) => statuses::history(context, id),
        Endpoint::Edit(id) => statuses::edit(context, id),
        Endpoint::Delete(id) => statuses::delete(context, id),
        Endpoint::Timeline(id) => statuses::timeline(context, id),
        Endpoint::Upload => media::upload(context),
        Endpoint::Media(id) => media::show(context, id),
    }
}

/// What every account object has, as far as it matters here.
fn account(context: &Context<'_>, holder: &Account) -> Value {
    let (profile, base) = (&holder.profile, context.world.base(Platform::Mastodon));
    json!({
        "id": profile.id,
        "username": profile.username,
        "acct": profile.username,
        "display_name": profile.name,
        "locked": false,
        "bot": false,
        "url": format!("{base}/@{}", profile.username),
        "followers_count": profile.followers,
        "following_count": 0,
        "statuses_count": holder.lock().posts(context.world.now()).count(),
    })
}

fn credential_account(context: &Context<'_>) -> Value {
    let mut value = account(context, &context.account);
    if let Some(fields) = value.as_object_mut() {
        let source = json!({ "privacy": "public", "sensitive": false, "language": null });
        fields.insert("source".to_owned(), source);
    }
    value
}

/// The form of every refusal.
fn error(status: u16, words: &str) -> Reply {
    Reply::json(status, &json!({ "error": words }))
}

fn too_many() -> Reply {
    error(429, "Too many requests")
}

fn limited(reply: Reply, limit: u64, left: u64, end: jiff::Timestamp) -> Reply {
    reply
        .with_header("x-ratelimit-limit", limit.to_string())
        .with_header("x-ratelimit-remaining", left.to_string())
        .with_header("x-ratelimit-reset", end.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}
