//! Facebook's side of the contract: the part of the Graph API that publishing to Pages needs.
//!
//! Written from the Graph API reference (Page feed and photos edges, rate limiting, error handling,
//! changelog; read 2026-08-23 to 2026-09-11) and from dated observations of others. It shares
//! nothing with our client.

mod batch;
mod comments;
mod dialog;
mod errors;
mod feed;
mod fields;
mod films;
#[cfg(test)]
mod films_tests;
mod params;
mod person;
mod photos;
mod read;
#[cfg(test)]
mod sign_in_tests;
#[cfg(test)]
mod tests;
mod usage;

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use serde_json::json;
use sha2::Sha256;

use self::errors::GraphError;
use self::params::Params;
use crate::simulator::{
    self, Account, Call, Effects, Intent, Kind, Operation, Place, Platform, PostRecord, Reply,
    Settings, Side, Standing, World,
};

/// The Graph API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Graph;

/// Everything that an edge needs to answer a call.
struct Context<'a> {
    world: &'a World,
    settings: Arc<Settings>,
    account: Arc<Account>,
    params: Params<'a>,
    token: String,
    path: &'a str,
    effects: Effects,
}

/// What the first part of a path names.
enum Node {
    OwnPage,
    Post(String),
    Comment(String),
    Photo(String),
    Film(String),
}

impl Side for Graph {
    fn platform(&self) -> Platform {
        Platform::Facebook
    }

    fn place(&self, world: &World, call: &Call) -> Place {
        let (_version, path) = split_version(call);
        let node = path.first().copied().unwrap_or_default();
        let edge = path.get(1).copied();
        let operation = operation(world, call, node, edge);
        let owner = node.split('_').next().unwrap_or_default();
        let account = if world.account(Platform::Facebook, owner).is_some() {
            Some(owner.to_owned())
        } else {
            let params = Params::of(call);
            let token = params.token(call).unwrap_or_default();
            match world.standing(Platform::Facebook, &token) {
                Standing::Alive(account) => Some(account.profile.id.clone()),
                Standing::Dead(_) | Standing::Unknown => None,
            }
        };
        Place { operation, account }
    }

    fn intent(&self, world: &World, call: &Call) -> Intent {
        let params = Params::of(call);
        if let Some(post) = drafted(world, call) {
            let media = post.photos.into_iter().map(|photo| photo.id).collect();
            return Intent { text: post.text, link: post.link, media, reply_to: None };
        }
        Intent {
            text: ["message", "caption", "description"]
                .iter()
                .find_map(|name| params.text(name))
                .unwrap_or_default(),
            link: params.text("link"),
            media: params.attached_media().unwrap_or_default(),
            reply_to: match split_version(call).1.as_slice() {
                [post, "comments"] => Some((*post).to_owned()),
                _ => None,
            },
        }
    }

    fn answer(&self, world: &World, call: &Call, effects: Effects) -> Reply {
        let (version, path) = split_version(call);
        if is_batch(call, &path) {
            let one = |part: &Call| self.answer(world, part, Effects::default());
            return batch::answer(world, call, &Params::of(call), one);
        }
        let served = match served_version(world, version) {
            Ok(served) => served,
            Err(error) => return error.reply(world),
        };
        let reply = route(world, call, &path, effects).unwrap_or_else(|error| error.reply(world));
        reply.with_header("facebook-api-version", served)
    }

    fn failure(&self, world: &World, call: &Call, kind: &Kind, own: Option<&Reply>) -> Reply {
        let account = self.place(world, call).account.unwrap_or_default();
        if *kind == Kind::WithoutId {
            let body = json!({ "success": true });
            return Reply::json(own.map_or(200, |own| own.status), &body);
        }
        if let Kind::RateLimited { seconds, .. } = kind {
            let reply = GraphError::known(80001, None).reply(world);
            return usage::full(reply, &account, seconds.div_ceil(60));
        }
        if let Kind::Graph { code, subcode, .. } = kind {
            let reply = GraphError::known(*code, *subcode).reply(world);
            return usage::with_fitting_header(reply, *code, &account);
        }
        GraphError::known(2, None).reply(world)
    }

    fn page(&self, world: &World, call: &Call) -> Option<Reply> {
        // Versioned paths are the API's, and so is whatever brings a token.
        let for_api = call.query("access_token").is_some()
            || call.query("ids").is_some()
            || call.bearer().is_some();
        if call.method != Method::GET || for_api {
            return None;
        }
        match call.segments().as_slice() {
            [_, "dialog", "oauth"] | ["dialog", "oauth"] => Some(dialog::dialog(world, call)),
            [] => Some(simulator::accounts_page(world, Platform::Facebook)),
            ["media", account, id] => Some(match world.account(Platform::Facebook, account) {
                Some(account) => simulator::media_file(&account, id),
                None => simulator::missing_page(),
            }),
            [post] if post.contains('_') => Some(match page_of(world, post) {
                Some(account) => simulator::post_page(world, Platform::Facebook, &account, post),
                None => simulator::missing_page(),
            }),
            _ => None,
        }
    }
}

/// The Page that a post id begins with.
fn page_of(world: &World, post: &str) -> Option<Arc<Account>> {
    world.account(Platform::Facebook, post.split('_').next().unwrap_or_default())
}

/// The post that a call is about to make public.
fn drafted(world: &World, call: &Call) -> Option<PostRecord> {
    let (_version, path) = split_version(call);
    let [post] = path.as_slice() else { return None };
    let publishes = call.method == Method::POST
        && post.contains('_')
        && Params::of(call).flag("is_published") == Some(true);
    let account = page_of(world, post).filter(|_| publishes)?;
    let state = account.lock();
    state.post(post, world.now()).map(|stored| stored.record.clone())
}

fn is_batch(call: &Call, path: &[&str]) -> bool {
    call.method == Method::POST && path.is_empty() && Params::of(call).text("batch").is_some()
}

fn operation(world: &World, call: &Call, node: &str, edge: Option<&str>) -> Operation {
    if node == "oauth" {
        return Operation::Token;
    }
    let whole = node.is_empty() && is_batch(call, &[]);
    if whole || matches!(edge, Some("permissions" | "accounts" | "businesses")) {
        return Operation::Identity;
    }
    if call.method == Method::GET {
        let about_account = matches!(node, "me" | "debug_token")
            || world.account(Platform::Facebook, node).is_some();
        return if about_account && edge.is_none() { Operation::Identity } else { Operation::Read };
    }
    if node == films::UPLOADS {
        return Operation::Upload;
    }
    let is_last = || Params::of(call).text("upload_phase").as_deref() == Some("finish");
    let is_staged = || Params::of(call).flag("published") == Some(false);
    match edge {
        Some("videos" | "video_reels") if call.method == Method::POST => {
            if is_last() {
                Operation::Create
            } else {
                Operation::Upload
            }
        }
        // Nobody sees what is made so.
        Some("photos" | "feed") if call.method == Method::POST && is_staged() => Operation::Upload,
        Some("feed" | "photos" | "comments") if call.method == Method::POST => Operation::Create,
        None if drafted(world, call).is_some() => Operation::Create,
        Some(_) | None => Operation::Change,
    }
}

/// `v25.0` as its two numbers.
fn version_of(segment: &str) -> Option<(u32, u32)> {
    let (major, minor) = segment.strip_prefix('v')?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn split_version(call: &Call) -> (Option<(u32, u32)>, Vec<&str>) {
    let mut path = call.segments();
    let version = path.first().and_then(|first| version_of(first));
    if version.is_some() {
        path.remove(0);
    }
    (version, path)
}

/// The oldest version that still lives; calls to older ones are served by it (Graph API
/// changelog, read after 2026-07-29).
const OLDEST_LIVING: u32 = 21;

fn served_version(world: &World, asked: Option<(u32, u32)>) -> Result<String, GraphError> {
    let newest = world.settings().facebook.newest_version;
    match asked {
        None => Ok(format!("v{OLDEST_LIVING}.0")),
        // The first three had minor versions.
        Some((major @ 2..=3, _) | (major, 0)) if (1..=newest).contains(&major) => {
            Ok(format!("v{}.0", major.max(OLDEST_LIVING)))
        }
        Some(_) => Err(GraphError::known(2500, None).saying("Unknown path components")),
    }
}

fn route(world: &World, call: &Call, path: &[&str], effects: Effects) -> Result<Reply, GraphError> {
    let params = Params::of(call);
    // Gone for all versions since 2026-10-27 (blog on v26, 2026-07-29).
    if params.text("ids").is_some() || params.text("date_format").is_some() {
        return Err(GraphError::known(100, None)
            .saying("(#100) ids and date_format are no longer supported"));
    }
    match path {
        ["debug_token"] => return read::debug_token(world, &params, call),
        ["oauth", "access_token"] => return dialog::access_token(world, &params),
        _ => {}
    }
    let node = path.first().copied().unwrap_or_default();
    let Some(token) = params.token(call) else {
        let code = if node == "me" { 2500 } else { 104 };
        return Err(GraphError::known(code, None));
    };
    if let Some(answer) = person::answer(world, call, &params, &token, path) {
        return answer;
    }
    let account = match world.standing(Platform::Facebook, &token) {
        Standing::Alive(account) => account,
        Standing::Dead(death) => return Err(GraphError::dead_token(death)),
        Standing::Unknown => return Err(GraphError::known(190, None)),
    };
    // Where bytes are sent, nothing but headers is asked for.
    if node != films::UPLOADS {
        check_proof(world, &params, &token)?;
    }
    let settings = world.settings();
    let context = Context { world, settings, account, params, token, path: &call.path, effects };
    let used = match usage::count(&context) {
        Ok(used) => used,
        Err(throttled) => {
            let minutes = usage::minutes_left(&context);
            let page = &context.account.profile.id;
            return Ok(usage::full(throttled.reply(world), page, minutes));
        }
    };
    let reply = match path {
        [films::UPLOADS, _version, film] => films::receive(&context, call, film),
        _ => dispatch(&context, call, node, path.get(1).copied()),
    };
    let reply = reply.unwrap_or_else(|error| error.reply(world));
    Ok(usage::with_header(reply, &context.account.profile.id, used, 0))
}

fn check_proof(world: &World, params: &Params<'_>, token: &str) -> Result<(), GraphError> {
    let app = world.app();
    match params.text("appsecret_proof") {
        Some(given) if is_proof(&given, &app.secret, token) => Ok(()),
        Some(_) => Err(GraphError::known(100, None)
            .of_kind("GraphMethodException")
            .saying("Invalid appsecret_proof provided in the API argument")),
        None if app.require_proof => Err(GraphError::known(100, None)
            .of_kind("GraphMethodException")
            .saying("API calls from the server require an appsecret_proof argument")),
        None => Ok(()),
    }
}

/// Whether it is the lower-case hex HMAC-SHA256 of the token under the app secret.
fn is_proof(given: &str, secret: &str, token: &str) -> bool {
    let is_lower = !given.bytes().any(|byte| byte.is_ascii_uppercase());
    let (Ok(given), Ok(mut mac)) =
        (hex::decode(given), Hmac::<Sha256>::new_from_slice(secret.as_bytes()))
    else {
        return false;
    };
    mac.update(token.as_bytes());
    is_lower && mac.verify_slice(&given).is_ok()
}

fn dispatch(
    context: &Context<'_>,
    call: &Call,
    node: &str,
    edge: Option<&str>,
) -> Result<Reply, GraphError> {
    let node = resolve(context, node)?;
    match (&call.method, node, edge) {
        (&Method::POST, Node::OwnPage, Some("feed")) => feed::create(context),
        (&Method::POST, Node::OwnPage, Some("photos")) => photos::upload(context),
        (&Method::POST, Node::OwnPage, Some("videos")) => films::video(context),
        (&Method::POST, Node::OwnPage, Some("video_reels")) => films::reel(context),
        (&Method::GET, Node::OwnPage, Some(edge @ ("videos" | "video_reels"))) => {
            films::list(context, edge)
        }
        (&Method::GET, Node::Film(id), None) => films::read(context, &id),
        (&Method::DELETE, Node::Film(id), None) => films::delete(context, &id),
        (&Method::GET, Node::OwnPage, None) => read::page(context),
        (&Method::GET, Node::OwnPage, Some(edge)) => read::list(context, edge),
        (&Method::GET, Node::Post(id), None) => read::post(context, &id),
        (&Method::POST, Node::Post(id), None) => feed::update(context, &id),
        (&Method::DELETE, Node::Post(id) | Node::Comment(id), None) => feed::delete(context, &id),
        (&Method::POST, Node::Post(id), Some("comments")) => comments::create(context, &id),
        (&Method::GET, Node::Post(id), Some("comments")) => comments::list(context, &id),
        (&Method::GET, Node::Comment(id), None) => comments::read(context, &id),
        (&Method::GET, Node::Photo(id), None) => photos::read(context, &id),
        (&Method::DELETE, Node::Photo(id), None) => photos::delete(context, &id),
        _ => Err(GraphError::missing(call.segments().last().copied().unwrap_or_default())),
    }
}

fn resolve(context: &Context<'_>, node: &str) -> Result<Node, GraphError> {
    let own = &context.account.profile.id;
    if node == "me" || node == own {
        return Ok(Node::OwnPage);
    }
    let state = context.account.lock();
    if state.media.contains_key(node) {
        return Ok(Node::Photo(node.to_owned()));
    }
    if state.films.contains_key(node) {
        return Ok(Node::Film(node.to_owned()));
    }
    let now = context.world.now();
    if state.post(node, now).is_some_and(|it| it.record.reply_to.is_some()) {
        return Ok(Node::Comment(node.to_owned()));
    }
    drop(state);
    let owner = node.split('_').next().unwrap_or_default();
    match (node.contains('_'), owner == own) {
        (true, true) => Ok(Node::Post(node.to_owned())),
        // Posts are also known by the part behind the underscore.
        (false, false) if context.world.account(Platform::Facebook, node).is_none() => {
            Ok(Node::Post(format!("{own}_{node}")))
        }
        (true | false, true | false) => {
            if context.world.account(Platform::Facebook, owner).is_some() {
                // A page token acts for its own Page alone.
                return Err(GraphError::known(200, None));
            }
            Err(GraphError::missing(node))
        }
    }
}
