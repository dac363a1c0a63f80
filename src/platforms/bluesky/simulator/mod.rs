//! A personal data server's side of the contract: the part of the AT protocol that publishing needs.
//!
//! Written from the lexicons `com.atproto.server`, `com.atproto.repo` and `app.bsky.feed.post`, and from the
//! pages on rate limits (atproto.com and docs.bsky.app, read 2026-11-22). It shares nothing with our
//! client.

mod records;
mod sessions;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::clock;
use crate::simulator::{
    self, Account, Call, Content, Effects, Intent, Kind, Operation, Place, Platform, Reply,
    Settings, Side, World,
};

/// A personal data server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pds;

/// Everything that an endpoint needs to answer a call.
struct Context<'a> {
    world: &'a World,
    settings: Arc<Settings>,
    call: &'a Call,
    effects: Effects,
}

impl Side for Pds {
    fn platform(&self) -> Platform {
        Platform::Bluesky
    }

    fn place(&self, world: &World, call: &Call) -> Place {
        let operation = match method(call).unwrap_or_default() {
            "com.atproto.server.createSession" | "com.atproto.server.refreshSession" => {
                Operation::Token
            }
            "com.atproto.repo.createRecord" => Operation::Create,
            "com.atproto.repo.getRecord" | "com.atproto.repo.listRecords" => Operation::Read,
            "com.atproto.repo.uploadBlob" => Operation::Upload,
            "com.atproto.repo.deleteRecord" => Operation::Change,
            _ => Operation::Identity,
        };
        let asked = call.query("repo").map(str::to_owned);
        let own = || sessions::bearer(world, call).ok().map(|it| it.profile.id.clone());
        Place { operation, account: asked.or_else(own) }
    }

    fn intent(&self, _: &World, call: &Call) -> Intent {
        let Content::Json(body) = &call.content else { return Intent::default() };
        let text = |place: &str| body.pointer(place).and_then(Value::as_str).map(str::to_owned);
        let images = body.pointer("/record/embed/images").and_then(Value::as_array);
        let media = images.map(|images| {
            let name =
                |image: &Value| image.pointer("/image/ref/$link")?.as_str().map(str::to_owned);
            images.iter().filter_map(name).collect()
        });
        Intent {
            text: text("/record/text").unwrap_or_default(),
            link: text("/record/embed/external/uri"),
            media: media.unwrap_or_default(),
            reply_to: text("/record/reply/parent/uri"),
        }
    }

    fn answer(&self, world: &World, call: &Call, effects: Effects) -> Reply {
        let context = Context { world, settings: world.settings(), call, effects };
        match (&call.method, method(call).unwrap_or_default()) {
            (&Method::GET, "_health") => Reply::json(200, &json!({ "version": "simulated" })),
            (&Method::POST, "com.atproto.server.createSession") => sessions::create(&context),
            (&Method::GET, "com.atproto.server.getSession") => sessions::show(&context),
            (&Method::POST, "com.atproto.repo.uploadBlob") => records::upload(&context),
            (&Method::POST, "com.atproto.repo.createRecord") => records::create(&context),
            (&Method::POST, "com.atproto.repo.deleteRecord") => records::delete(&context),
            (&Method::GET, "com.atproto.repo.getRecord") => records::show(&context),
            (&Method::GET, "com.atproto.repo.listRecords") => records::list(&context),
            _ => error(501, "MethodNotImplemented", "Method Not Implemented"),
        }
    }

    fn failure(&self, world: &World, _call: &Call, kind: &Kind, own: Option<&Reply>) -> Reply {
        if *kind == Kind::WithoutId {
            return Reply::json(own.map_or(200, |own| own.status), &json!({ "cid": "bafyrei" }));
        }
        if let Kind::RateLimited { seconds, .. } = kind {
            let end = clock::after(world.now(), std::time::Duration::from_secs(*seconds));
            return limited(too_many(), 5_000, 0, end);
        }
        error(500, "InternalServerError", "Internal Server Error")
    }

    fn page(&self, world: &World, call: &Call) -> Option<Reply> {
        if call.method != Method::GET {
            return None;
        }
        match call.segments().as_slice() {
            [] => Some(simulator::accounts_page(world, Platform::Bluesky)),
            ["xrpc", ..] => None,
            ["media", account, id] => Some(match world.account(Platform::Bluesky, account) {
                Some(account) => simulator::media_file(&account, id),
                None => simulator::missing_page(),
            }),
            ["profile", account, "post", id] => Some(match repo(world, account) {
                Some(account) => simulator::post_page(world, Platform::Bluesky, &account, id),
                None => simulator::missing_page(),
            }),
            _ => Some(simulator::missing_page()),
        }
    }
}

fn method(call: &Call) -> Option<&str> {
    match call.segments().as_slice() {
        ["xrpc", method] => Some(method),
        _ => None,
    }
}

/// An account by its DID or its handle.
fn repo(world: &World, name: &str) -> Option<Arc<Account>> {
    world.account(Platform::Bluesky, name).or_else(|| {
        let mut all = world.accounts(Platform::Bluesky).into_iter();
        all.find(|account| account.profile.username.eq_ignore_ascii_case(name))
    })
}

/// The form of every refusal.
fn error(status: u16, name: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": name, "message": message }))
}

fn too_many() -> Reply {
    error(429, "RateLimitExceeded", "Rate Limit Exceeded")
}

fn limited(reply: Reply, limit: u64, left: u64, end: jiff::Timestamp) -> Reply {
    reply
        .with_header("ratelimit-limit", limit.to_string())
        .with_header("ratelimit-remaining", left.to_string())
        .with_header("ratelimit-reset", end.as_second().to_string())
}
