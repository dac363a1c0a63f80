//! Accounts of X: who the token belongs to, and anybody by id or handle.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::problems::{self, Answer};
use super::{Context, words};
use crate::simulator::{Account, Platform, Profile, Reply, Words, World};

const USER_FIELDS: &[&str] = &[
    "affiliation",
    "confirmed_email",
    "connection_status",
    "created_at",
    "description",
    "entities",
    "id",
    "is_identity_verified",
    "location",
    "most_recent_tweet_id",
    "name",
    "parody",
    "pinned_tweet_id",
    "profile_banner_url",
    "profile_image_url",
    "protected",
    "public_metrics",
    "receives_your_dm",
    "subscription",
    "subscription_type",
    "url",
    "username",
    "verified",
    "verified_followers_count",
    "verified_type",
    "withheld",
];

pub(super) fn by_name(world: &World, name: &str) -> Option<Arc<Account>> {
    world
        .accounts(Platform::X)
        .into_iter()
        .find(|account| account.profile.username.eq_ignore_ascii_case(name))
}

/// `GET /2/users/me` and its siblings.
pub(super) fn one(context: &Context<'_>, account: Option<Arc<Account>>, asked: &str) -> Answer {
    let fields = words::list(context, "user.fields", USER_FIELDS)?;
    if let Some(account) = account {
        return Ok(Reply::json(200, &json!({ "data": object(context, &account, &fields) })));
    }
    let error = problems::not_found(&context.settings.x, "user", "id", asked);
    Ok(Reply::json(200, &json!({ "errors": [error] })))
}

/// `GET /2/users?ids=`.
pub(super) fn several(context: &Context<'_>) -> Answer {
    let fields = words::list(context, "user.fields", USER_FIELDS)?;
    let asked = context.call.query("ids").unwrap_or_default();
    let ids: Vec<&str> = asked.split(',').collect();
    if asked.is_empty() || ids.len() > 100 {
        let message = "The `ids` query parameter must have between 1 and 100 values";
        return Err(problems::invalid(&context.settings.x, message, "ids", asked));
    }
    let (mut data, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        match context.world.account(Platform::X, id) {
            Some(account) => data.push(object(context, &account, &fields)),
            None => errors.push(problems::not_found(&context.settings.x, "user", "ids", id)),
        }
    }
    let mut body = Map::new();
    for (name, list) in [("data", data), ("errors", errors)] {
        if !list.is_empty() {
            body.insert(name.to_owned(), list.into());
        }
    }
    Ok(Reply::json(200, &Value::Object(body)))
}

/// What every user object has.
pub(super) fn brief(profile: &Profile) -> Value {
    json!({ "id": profile.id, "name": profile.name, "username": profile.username })
}

fn object(context: &Context<'_>, account: &Account, fields: &[String]) -> Value {
    let profile = &account.profile;
    let mut node = brief(profile);
    let wanted = |name: &str| fields.iter().any(|field| field == name);
    let Some(map) = node.as_object_mut() else { return node };
    if wanted("public_metrics") {
        let posts = match context.settings.x.default_words {
            Words::Tweet => "tweet_count",
            Words::Post => "post_count",
        };
        let made = account.lock().posts(context.world.now()).count();
        let metrics = json!({ "followers_count": profile.followers, "following_count": 0,
            posts: made, "listed_count": 0, "like_count": 0 });
        map.insert("public_metrics".to_owned(), metrics);
    }
    if wanted("subscription_type") {
        let kind = if account.premium() { "Premium" } else { "None" };
        map.insert("subscription_type".to_owned(), kind.into());
    }
    if wanted("verified") {
        map.insert("verified".to_owned(), true.into());
    }
    if wanted("protected") {
        map.insert("protected".to_owned(), false.into());
    }
    node
}
