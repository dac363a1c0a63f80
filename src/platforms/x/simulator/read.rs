//! Reading posts back: by id and from an account's timeline (OpenAPI 2.165 and 2.167).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::problems::{self, Answer, Refusal};
use super::words::{self, Wanted};
use super::{Context, find_post};
use crate::simulator::{Account, Platform, PostRecord, Profile, Reply};

const COMMON: &[&str] = &[
    "expansions",
    "media.fields",
    "place.fields",
    "poll.fields",
    "post.fields",
    "tweet.fields",
    "user.fields",
];
const TIMELINE: &[&str] = &[
    "end_time",
    "exclude",
    "max_results",
    "pagination_token",
    "since_id",
    "start_time",
    "until_id",
];

/// Refuses parameters that the endpoint does not have.
fn check_names(context: &Context<'_>, own: &[&str]) -> Result<(), Refusal> {
    let known = |name: &str| own.contains(&name) || COMMON.contains(&name);
    match context.call.query.iter().find(|(name, _)| !known(name)) {
        None => Ok(()),
        Some((name, value)) => {
            let all = [own, COMMON].concat().join(",");
            let message = format!("The query parameter [{name}] is not one of [{all}]");
            Err(problems::invalid(&context.settings.x, &message, name, value))
        }
    }
}

/// `GET /2/tweets?ids=`.
pub(super) fn lookup(context: &Context<'_>) -> Answer {
    check_names(context, &["ids"])?;
    let ids = context.call.query("ids").unwrap_or_default();
    let list: Vec<&str> = ids.split(',').collect();
    if ids.is_empty() || list.len() > 100 {
        let message = format!(
            "The number of values in the `ids` query parameter list [{}] is not between 1 and 100",
            list.len()
        );
        return Err(problems::invalid(&context.settings.x, &message, "ids", ids));
    }
    by_ids(context, &list, "ids", false)
}

/// `GET /2/tweets/{id}`.
pub(super) fn lookup_one(context: &Context<'_>, id: &str) -> Answer {
    check_names(context, &[])?;
    by_ids(context, &[id], "id", true)
}

/// What was found in `data`, what was not in `errors`, both with status 200.
fn by_ids(context: &Context<'_>, ids: &[&str], parameter: &str, single: bool) -> Answer {
    let wanted = Wanted::read(context)?;
    context.account.count_read();
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for id in ids {
        if id.is_empty() || id.len() > 19 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!("The `{parameter}` query parameter value [{id}] is not valid");
            return Err(problems::invalid(&context.settings.x, &message, parameter, id));
        }
        match find_post(context.world, id).filter(|(author, _)| is_readable(context, author, id)) {
            Some((author, post)) => found.push((author.profile.clone(), post)),
            None => {
                errors.push(problems::not_found(&context.settings.x, "tweet", parameter, id));
            }
        }
    }
    let mut data: Vec<Value> =
        found.iter().map(|(author, post)| words::object(context, author, post, &wanted)).collect();
    let mut body = Map::new();
    if single && let Some(one) = data.pop() {
        body.insert("data".to_owned(), one);
    } else if !data.is_empty() {
        body.insert("data".to_owned(), data.into());
    }
    if let Some(includes) = words::includes(context, &found, &wanted) {
        body.insert("includes".to_owned(), includes);
    }
    if !errors.is_empty() {
        body.insert("errors".to_owned(), errors.into());
    }
    Ok(Reply::json(200, &Value::Object(body)))
}

fn is_readable(context: &Context<'_>, author: &Arc<Account>, id: &str) -> bool {
    let now = context.world.now();
    author.lock().post(id, now).is_some_and(|post| post.hidden(now).is_none())
}

/// Which part of a timeline is wanted.
#[derive(Debug)]
struct Range {
    since_id: Option<u64>,
    until_id: Option<u64>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    before: Option<u64>,
    without_replies: bool,
    limit: usize,
}

impl Range {
    fn read(context: &Context<'_>) -> Result<Self, Refusal> {
        let call = context.call;
        let wrong = |name: &str, value: &str, why: &str| {
            let message = format!("The `{name}` query parameter value [{value}] is not {why}");
            problems::invalid(&context.settings.x, &message, name, value)
        };
        let id = |name: &str| match call.query(name) {
            None => Ok(None),
            Some(value) => {
                value.parse().map(Some).map_err(|_not_a_number| wrong(name, value, "a valid id"))
            }
        };
        let time = |name: &str| match call.query(name) {
            None => Ok(None),
            Some(value) => value
                .parse()
                .map(Some)
                .map_err(|_not_a_time| wrong(name, value, "an RFC 3339 time")),
        };
        let limit = match call.query("max_results") {
            None => 10,
            Some(value) => match value.parse() {
                Ok(limit @ 5..=100) => limit,
                Ok(_) | Err(_) => {
                    return Err(wrong("max_results", value, "between 5 and 100"));
                }
            },
        };
        let before = match call.query("pagination_token") {
            None => None,
            Some(token) => match read_token(token) {
                Some(id) => Some(id),
                None => return Err(wrong("pagination_token", token, "valid")),
            },
        };
        let exclude = words::list(context, "exclude", &["replies", "retweets"])?;
        Ok(Self {
            since_id: id("since_id")?,
            until_id: id("until_id")?,
            start: time("start_time")?,
            end: time("end_time")?,
            before,
            without_replies: exclude.iter().any(|it| it == "replies"),
            limit,
        })
    }

    fn holds(&self, post: &PostRecord) -> bool {
        let id = post.id.parse().unwrap_or(0_u64);
        // Ids take precedence over times.
        let after_start = match (self.since_id, self.start) {
            (Some(since), _) => id > since,
            (None, Some(start)) => post.created_at >= start,
            (None, None) => true,
        };
        let before_end = match (self.until_id, self.end) {
            (Some(until), _) => id < until,
            (None, Some(end)) => post.created_at < end,
            (None, None) => true,
        };
        after_start
            && before_end
            && self.before.is_none_or(|before| id < before)
            && !(self.without_replies && post.reply_to.is_some())
    }
}

fn read_token(token: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    String::from_utf8(bytes).ok()?.parse().ok()
}

/// `GET /2/users/{id}/tweets`: newest first, without what readers may not see yet.
pub(super) fn timeline(context: &Context<'_>, id: &str) -> Answer {
    check_names(context, TIMELINE)?;
    let wanted = Wanted::read(context)?;
    let range = Range::read(context)?;
    let Some(account) = context.world.account(Platform::X, id) else {
        let error = problems::not_found(&context.settings.x, "user", "id", id);
        return Ok(Reply::json(200, &json!({ "errors": [error] })));
    };
    context.account.count_read();
    let now = context.world.now();
    let state = account.lock();
    let mut posts: Vec<(Profile, PostRecord)> = state
        .posts(now)
        .rev()
        .filter(|post| post.is_listed(now) && range.holds(post))
        .take(range.limit + 1)
        .map(|post| (account.profile.clone(), post.clone()))
        .collect();
    // What follows looks at other accounts, and maybe again at this one.
    drop(state);
    let continues = posts.len() > range.limit;
    posts.truncate(range.limit);
    let mut meta = Map::new();
    meta.insert("result_count".to_owned(), posts.len().into());
    if let (Some((_, newest)), Some((_, oldest))) = (posts.first(), posts.last()) {
        meta.insert("newest_id".to_owned(), newest.id.as_str().into());
        meta.insert("oldest_id".to_owned(), oldest.id.as_str().into());
        if continues {
            meta.insert("next_token".to_owned(), URL_SAFE_NO_PAD.encode(&oldest.id).into());
        }
    }
    let mut body = Map::new();
    if !posts.is_empty() {
        let data: Vec<Value> = posts
            .iter()
            .map(|(author, post)| words::object(context, author, post, &wanted))
            .collect();
        body.insert("data".to_owned(), data.into());
    }
    if let Some(includes) = words::includes(context, &posts, &wanted) {
        body.insert("includes".to_owned(), includes);
    }
    body.insert("meta".to_owned(), Value::Object(meta));
    Ok(Reply::json(200, &Value::Object(body)))
}
