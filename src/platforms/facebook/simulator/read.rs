//! Reading back: the Page itself, lists of posts, one post, and what a token is worth.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::errors::GraphError;
use super::params::Params;
use super::{Context, feed, fields};
use crate::clock;
use crate::simulator::{
    Call, Death, PersonToken, Platform, PostRecord, Reply, Standing, Unreadable, World,
};

const DEFAULT_LIMIT: usize = 25;
const MAX_LIMIT: usize = 100;
/// The cursor that stands before the first post.
const START: &str = "start";

/// `GET /{page}`.
pub(super) fn page(context: &Context<'_>) -> Result<Reply, GraphError> {
    let asked = context.params.text("fields").unwrap_or_else(|| "id,name".to_owned());
    let profile = &context.account.profile;
    let mut node = Map::new();
    for field in fields::parse(&asked)? {
        let value = match field.name.as_str() {
            "name" => Some(Value::from(profile.name.as_str())),
            "fan_count" | "followers_count" => Some(profile.followers.into()),
            "category" => Some("Government organization".into()),
            "link" => Some(format!("https://www.facebook.com/{}", profile.id).into()),
            "access_token" => Some(Value::from(context.token.as_str())),
            "is_published" => Some(true.into()),
            // `id` is added below in any case; the others exist without a value here.
            "id" | "username" | "about" | "tasks" | "picture" | "website" | "business" => None,
            unknown => return Err(fields::nonexisting(unknown, "Page")),
        };
        if let Some(value) = value {
            node.insert(field.name, value);
        }
    }
    node.insert("id".to_owned(), Value::from(profile.id.as_str()));
    Ok(Reply::json(200, &Value::Object(node)))
}

/// `GET /{post}`.
pub(super) fn post(context: &Context<'_>, id: &str) -> Result<Reply, GraphError> {
    let asked = context.params.text("fields").unwrap_or_else(|| "created_time,message".to_owned());
    let wanted = fields::parse(&asked)?;
    let now = context.world.now();
    context.account.count_read();
    let state = context.account.lock();
    let stored = state.post(id, now).ok_or_else(|| GraphError::missing(id))?;
    match stored.hidden(now) {
        Some(Unreadable::Missing) => return Err(GraphError::missing(id)),
        Some(Unreadable::Forbidden) => return Err(GraphError::known(10, None)),
        None => {}
    }
    let name = &context.account.profile.name;
    let node = fields::of_post(context.world, &context.settings, name, &stored.record, &wanted)?;
    Ok(Reply::json(200, &node))
}

/// `GET /{page}/published_posts` and its siblings.
pub(super) fn list(context: &Context<'_>, edge: &str) -> Result<Reply, GraphError> {
    let now = context.world.now();
    let belongs: fn(&PostRecord, Timestamp) -> bool = match edge {
        "published_posts" | "posts" => |post, now| post.is_public(now),
        // This one mixes in what is not public.
        "feed" => |_, _| true,
        "scheduled_posts" => |post, now| post.publish_at.is_some() && !post.is_public(now),
        _ => return Err(GraphError::missing(edge)),
    };
    let asked = context.params.text("fields").unwrap_or_else(|| "created_time,message".to_owned());
    let wanted = fields::parse(&asked)?;
    let range = Range::read(&context.params)?;
    context.account.count_read();
    if range.after.is_none() && context.settings.facebook.empty_first_page {
        let paging = paging(context, START, START, true);
        return Ok(Reply::json(200, &json!({ "data": [], "paging": paging })));
    }
    let state = context.account.lock();
    let mut posts = state
        .posts(now)
        .rev()
        .take_while(|post| range.since.is_none_or(|since| post.created_at >= since))
        .filter(|post| range.until.is_none_or(|until| post.created_at <= until))
        // Comments and reels stand in no list of posts.
        .filter(|post| {
            post.id.contains('_')
                && post.reply_to.is_none()
                && post.is_listed(now)
                && belongs(post, now)
        });
    if let Some(after) = range.after.as_deref().filter(|after| *after != START) {
        // Everything up to the post at the cursor was on earlier pages.
        let _passed = posts.find(|post| post.id == after);
    }
    let mut shown: Vec<&PostRecord> = posts.take(range.limit + 1).collect();
    let continues = shown.len() > range.limit;
    shown.truncate(range.limit);
    let name = &context.account.profile.name;
    let data: Vec<Value> = shown
        .iter()
        .map(|post| fields::of_post(context.world, &context.settings, name, post, &wanted))
        .collect::<Result<_, _>>()?;
    let mut body = Map::new();
    body.insert("data".to_owned(), data.into());
    if let (Some(first), Some(last)) = (shown.first(), shown.last()) {
        body.insert("paging".to_owned(), paging(context, &first.id, &last.id, continues));
    }
    Ok(Reply::json(200, &Value::Object(body)))
}

/// Which part of a list is wanted.
pub(super) struct Range {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

impl Range {
    pub(super) fn read(params: &Params<'_>) -> Result<Self, GraphError> {
        let time = |name: &str| match params.text(name) {
            None => Ok(None),
            Some(text) => match feed::read_time(&text) {
                Some(at) => Ok(Some(at)),
                None => Err(GraphError::parameter(&format!("param {name} is not a time"))),
            },
        };
        let limit = match params.text("limit").map(|limit| limit.parse::<usize>()) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit)) if limit > 0 => limit.min(MAX_LIMIT),
            Some(_) => return Err(GraphError::parameter("param limit must be a number")),
        };
        let after = match params.text("after").filter(|after| !after.is_empty()) {
            None => None,
            Some(after) => match URL_SAFE_NO_PAD.decode(after).map(String::from_utf8) {
                Ok(Ok(id)) => Some(id),
                Ok(Err(_)) | Err(_) => return Err(GraphError::parameter("Invalid cursor")),
            },
        };
        Ok(Self { since: time("since")?, until: time("until")?, after, limit })
    }
}

/// Cursors, and the full address of the next page with the token in it, as Graph gives it.
pub(super) fn paging(context: &Context<'_>, first: &str, last: &str, continues: bool) -> Value {
    let (before, after) = (URL_SAFE_NO_PAD.encode(first), URL_SAFE_NO_PAD.encode(last));
    let cursors = json!({ "before": before, "after": after });
    if !continues {
        return json!({ "cursors": cursors });
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in ["fields", "limit", "since", "until"] {
        if let Some(value) = context.params.text(name) {
            query.append_pair(name, &value);
        }
    }
    query.append_pair("access_token", &context.token).append_pair("after", &after);
    let base = context.world.base(Platform::Facebook);
    json!({ "cursors": cursors, "next": format!("{base}{}?{}", context.path, query.finish()) })
}

/// `GET /debug_token`: what a token is worth, asked with the app's own token.
pub(super) fn debug_token(
    world: &World,
    params: &Params<'_>,
    call: &Call,
) -> Result<Reply, GraphError> {
    let app = world.app();
    if params.token(call).as_deref() != Some(format!("{}|{}", app.id, app.secret).as_str()) {
        return Err(GraphError::known(190, None));
    }
    let input = params.text("input_token").unwrap_or_default();
    if let Some(token) = world.consents().person_token(&input) {
        return Ok(Reply::json(200, &json!({ "data": of_person(world, &app.id, token) })));
    }
    let data = match world.standing(Platform::Facebook, &input) {
        Standing::Alive(account) => json!({
            "app_id": app.id,
            "type": "PAGE",
            "application": "Chancery",
            "is_valid": true,
            "expires_at": world.ends_of(&input).map_or(0, Timestamp::as_second),
            "data_access_expires_at": world.settings().facebook.page_data_access_ends_s,
            "profile_id": account.profile.id,
            "scopes": page_scopes(world),
        }),
        Standing::Dead(death) => {
            let error = GraphError::dead_token(death);
            json!({
                "app_id": app.id,
                "is_valid": false,
                "scopes": [],
                "error": { "code": 190, "subcode": error.subcode(), "message": error.message() },
            })
        }
        Standing::Unknown => {
            let error = GraphError::known(190, None);
            json!({ "is_valid": false, "scopes": [],
                "error": { "code": 190, "message": error.message() } })
        }
    };
    Ok(Reply::json(200, &json!({ "data": data })))
}

/// The rights of Pages' tokens.
fn page_scopes(world: &World) -> Vec<String> {
    let declined = &world.settings().facebook.page_scopes_declined;
    let left = SCOPES.iter().filter(|scope| !declined.iter().any(|it| it == *scope));
    left.map(|&scope| scope.to_owned()).collect()
}

/// What is said of a person's token.
fn of_person(world: &World, app: &str, token: &PersonToken) -> Value {
    let now = world.now();
    let ended = token.ends_at <= now;
    if let Some(death) = token.death.or(ended.then_some(Death::Expired)) {
        let error = GraphError::dead_token(death);
        return json!({
            "app_id": app, "is_valid": false, "scopes": [],
            "error": { "code": 190, "subcode": error.subcode(), "message": error.message() },
        });
    }
    // Access to data ends 90 days after the person was there.
    let data_access = clock::after(now, Duration::from_hours(90 * 24));
    json!({
        "app_id": app,
        "type": "USER",
        "application": "Chancery",
        "is_valid": true,
        "expires_at": token.ends_at.as_second(),
        "data_access_expires_at": data_access.as_second(),
        "scopes": token.scopes,
        "user_id": token.person,
    })
}

const SCOPES: [&str; 4] =
    ["pages_show_list", "pages_manage_posts", "pages_read_engagement", "read_insights"];
