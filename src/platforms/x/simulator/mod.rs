//! X's side of the contract: the part of the API v2 that publishing needs.
//!
//! Written from X's documents (create post, media, rate limits, OpenAPI 2.165 and 2.167; read
//! 2026-06-03 to 2026-09-11) and from dated observations of others. It shares nothing with our
//! client.

mod create;
mod films;
#[cfg(test)]
mod films_tests;
mod limits;
mod media;
mod problems;
mod read;
mod sign_in;
#[cfg(test)]
mod sign_in_tests;
mod signed;
#[cfg(test)]
mod tests;
mod text;
mod users;
mod words;

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::simulator::{
    self, Account, Call, Content, Effects, Intent, Kind, Operation, Place, Platform, PostRecord,
    Reply, Settings, Side, Standing, World,
};

/// The API v2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api;

/// Everything that an endpoint needs to answer a call.
struct Context<'a> {
    world: &'a World,
    settings: Arc<Settings>,
    account: Arc<Account>,
    call: &'a Call,
    effects: Effects,
}

/// The endpoints; each has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint<'a> {
    Create,
    Delete(&'a str),
    Lookup,
    LookupOne(&'a str),
    Timeline(&'a str),
    Me,
    Users,
    User(&'a str),
    UserByName(&'a str),
    Upload,
    Initialize,
    Append(&'a str),
    Finalize(&'a str),
    Status,
    Metadata,
}

impl Endpoint<'_> {
    fn of<'a>(method: &Method, path: &[&'a str]) -> Option<Endpoint<'a>> {
        let ["2", path @ ..] = path else { return None };
        match (method, path) {
            (&Method::POST, ["tweets"]) => Some(Endpoint::Create),
            (&Method::DELETE, ["tweets", id]) => Some(Endpoint::Delete(id)),
            (&Method::GET, ["tweets"]) => Some(Endpoint::Lookup),
            (&Method::GET, ["tweets", id]) => Some(Endpoint::LookupOne(id)),
            (&Method::GET, ["users", "me"]) => Some(Endpoint::Me),
            (&Method::GET, ["users"]) => Some(Endpoint::Users),
            (&Method::GET, ["users", id]) => Some(Endpoint::User(id)),
            (&Method::GET, ["users", "by", "username", name]) => Some(Endpoint::UserByName(name)),
            (&Method::GET, ["users", id, "tweets"]) => Some(Endpoint::Timeline(id)),
            (&Method::POST, ["media", "upload"]) => Some(Endpoint::Upload),
            (&Method::GET, ["media", "upload"]) => Some(Endpoint::Status),
            (&Method::POST, ["media", "upload", "initialize"]) => Some(Endpoint::Initialize),
            (&Method::POST, ["media", "upload", id, "append"]) => Some(Endpoint::Append(id)),
            (&Method::POST, ["media", "upload", id, "finalize"]) => Some(Endpoint::Finalize(id)),
            (&Method::POST, ["media", "metadata"]) => Some(Endpoint::Metadata),
            _ => None,
        }
    }

    /// The name of its row in the table of limits.
    fn limit(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete(_) => "delete",
            Self::Lookup => "lookup",
            Self::LookupOne(_) => "lookup_one",
            Self::Timeline(_) => "timeline",
            Self::Me => "me",
            Self::Users | Self::User(_) | Self::UserByName(_) => "users",
            Self::Upload => "upload",
            Self::Initialize | Self::Append(_) | Self::Finalize(_) => "segments",
            Self::Status => "status",
            Self::Metadata => "metadata",
        }
    }

    fn operation(self) -> Operation {
        match self {
            Self::Create => Operation::Create,
            Self::Delete(_) => Operation::Change,
            Self::Lookup | Self::LookupOne(_) | Self::Timeline(_) => Operation::Read,
            Self::Me | Self::Users | Self::User(_) | Self::UserByName(_) => Operation::Identity,
            Self::Upload
            | Self::Initialize
            | Self::Append(_)
            | Self::Finalize(_)
            | Self::Status
            | Self::Metadata => Operation::Upload,
        }
    }
}

impl Side for Api {
    fn platform(&self) -> Platform {
        Platform::X
    }

    fn place(&self, world: &World, call: &Call) -> Place {
        if let ["2", "oauth2", _] = call.segments().as_slice() {
            return Place { operation: Operation::Token, account: None };
        }
        let endpoint = Endpoint::of(&call.method, &call.segments());
        let account = owner(world, call).map(|account| account.profile.id.clone());
        Place { operation: endpoint.map_or(Operation::Identity, Endpoint::operation), account }
    }

    fn intent(&self, _: &World, call: &Call) -> Intent {
        let Content::Json(body) = &call.content else { return Intent::default() };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Intent {
            text: body.get("text").and_then(text).unwrap_or_default(),
            link: None,
            media: body
                .pointer("/media/media_ids")
                .and_then(Value::as_array)
                .map(|ids| ids.iter().filter_map(text).collect())
                .unwrap_or_default(),
            reply_to: body.pointer("/reply/in_reply_to_tweet_id").and_then(text),
        }
    }

    fn answer(&self, world: &World, call: &Call, effects: Effects) -> Reply {
        let path = call.segments();
        match (&call.method, path.as_slice()) {
            (&Method::POST, ["2", "oauth2", "token"]) => return sign_in::token(world, call),
            (&Method::POST, ["2", "oauth2", "revoke"]) => return sign_in::revoke(world, call),
            _ => {}
        }
        let Some(endpoint) = Endpoint::of(&call.method, &path) else {
            return problems::no_such_path();
        };
        let Some(account) = owner(world, call) else {
            return problems::unauthorized();
        };
        if signed::is_signed(call) && !signed::take_nonce(world, call) {
            return problems::unauthorized();
        }
        let context = Context { world, settings: world.settings(), account, call, effects };
        let (headers, allowed) = limits::count(&context, endpoint.limit());
        let reply = if allowed { dispatch(&context, endpoint) } else { problems::too_many() };
        let reply =
            headers.into_iter().fold(reply, |reply, (name, value)| reply.with_header(name, value));
        reply
            .with_header("x-access-level", "read-write")
            .with_header("x-transaction-id", format!("{:016x}", world.next_graph_number()))
            .with_header("api-version", "2.167")
    }

    fn failure(&self, world: &World, call: &Call, kind: &Kind, own: Option<&Reply>) -> Reply {
        let now = world.now();
        if *kind == Kind::WithoutId {
            let body = json!({ "data": { "text": "" } });
            return Reply::json(own.map_or(201, |own| own.status), &body);
        }
        if let Kind::RateLimited { seconds, exhausted } = kind {
            return limits::exhausted(problems::too_many(), now, *seconds, *exhausted);
        }
        let reply = if let Kind::XProblem { problem, .. } = kind {
            problems::named(&world.settings().x, *problem)
        } else {
            problems::plain(503, "Service Unavailable", "Service Unavailable")
        };
        // Only 401 comes without headers about rates.
        let known = call.bearer().is_some() && reply.status != 401;
        if known { limits::plenty(reply, now) } else { reply }
    }

    fn page(&self, world: &World, call: &Call) -> Option<Reply> {
        if call.method != Method::GET {
            return None;
        }
        match call.segments().as_slice() {
            [] => Some(simulator::accounts_page(world, Platform::X)),
            ["2" | "i", "oauth2", "authorize"] => Some(sign_in::authorize(world, call)),
            ["2", ..] => None,
            ["media", account, id] => Some(match world.account(Platform::X, account) {
                Some(account) => simulator::media_file(&account, id),
                None => simulator::missing_page(),
            }),
            [name, "status", id, ..] => Some(match users::by_name(world, name) {
                Some(account) => simulator::post_page(world, Platform::X, &account, id),
                None => simulator::missing_page(),
            }),
            _ => Some(simulator::missing_page()),
        }
    }
}

/// The account that the token acts for.
fn owner(world: &World, call: &Call) -> Option<Arc<Account>> {
    if signed::is_signed(call) {
        return signed::signer(world, call);
    }
    match world.standing(Platform::X, call.bearer()?) {
        Standing::Alive(account) => Some(account),
        Standing::Dead(_) | Standing::Unknown => None,
    }
}

fn dispatch(context: &Context<'_>, endpoint: Endpoint<'_>) -> Reply {
    let answer = match endpoint {
        Endpoint::Create => create::create(context),
        Endpoint::Delete(id) => create::delete(context, id),
        Endpoint::Lookup => read::lookup(context),
        Endpoint::LookupOne(id) => read::lookup_one(context, id),
        Endpoint::Timeline(id) => read::timeline(context, id),
        Endpoint::Me => users::one(context, Some(Arc::clone(&context.account)), "me"),
        Endpoint::User(id) => users::one(context, context.world.account(Platform::X, id), id),
        Endpoint::UserByName(name) => {
            users::one(context, users::by_name(context.world, name), name)
        }
        Endpoint::Users => users::several(context),
        Endpoint::Upload => media::upload(context),
        Endpoint::Initialize => films::initialize(context),
        Endpoint::Append(id) => films::append(context, id),
        Endpoint::Finalize(id) => films::finalize(context, id),
        Endpoint::Status => films::status(context),
        Endpoint::Metadata => media::describe(context),
    };
    answer.unwrap_or_else(problems::Refusal::into_reply)
}

/// A post of anybody, by its id, with its author.
fn find_post(world: &World, id: &str) -> Option<(Arc<Account>, PostRecord)> {
    let now = world.now();
    world.accounts(Platform::X).into_iter().find_map(|account| {
        let post = account.lock().post(id, now).map(|post| post.record.clone());
        post.map(|post| (account, post))
    })
}
