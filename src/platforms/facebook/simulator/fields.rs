//! The `fields` parameter: parsing it, and picking what it names (Graph API, fields of a
//! Page's post).

use serde_json::{Map, Value, json};

use super::errors::GraphError;
use crate::simulator::{Platform, PostRecord, Settings, World};

/// One wanted field and, in braces, what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) inner: Vec<Field>,
}

/// `a,b{c,d.limit(2)},e` as a list; modifiers such as `.limit(2)` are dropped.
pub(super) fn parse(text: &str) -> Result<Vec<Field>, GraphError> {
    let mut fields = Vec::new();
    for part in split(text)? {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        let (head, inner) = match part.find('{') {
            Some(open) if part.ends_with('}') => {
                let (head, rest) = part.split_at(open);
                let inside = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                (head, parse(inside.unwrap_or_default())?)
            }
            Some(_) => return Err(broken()),
            None => (part, Vec::new()),
        };
        let name = head.split('.').next().unwrap_or_default().to_owned();
        fields.push(Field { name, inner });
    }
    Ok(fields)
}

/// Splits at the commas that stand outside of all brackets.
fn split(text: &str) -> Result<Vec<&str>, GraphError> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (position, letter) in text.char_indices() {
        match letter {
            '{' | '(' => depth += 1,
            '}' | ')' => depth = depth.checked_sub(1).ok_or_else(broken)?,
            ',' if depth == 0 => {
                parts.push(text.get(start..position).unwrap_or_default());
                start = position + 1;
            }
            _ => {}
        }
        if depth > 10 {
            return Err(broken());
        }
    }
    if depth > 0 {
        return Err(broken());
    }
    parts.push(text.get(start..).unwrap_or_default());
    Ok(parts)
}

fn broken() -> GraphError {
    GraphError::known(2500, None).saying("Syntax error in the fields parameter")
}

/// Fields of a post that exist and that this simulator never has a value for.
const ABSENT: &[&str] = &[
    "actions",
    "admin_creator",
    "backdated_time",
    "call_to_action",
    "child_attachments",
    "coordinates",
    "event",
    "feed_targeting",
    "full_picture",
    "height",
    "icon",
    "instagram_eligibility",
    "message_tags",
    "parent_id",
    "picture",
    "place",
    "privacy",
    "promotable_id",
    "promotion_status",
    "properties",
    "shares",
    "story",
    "story_tags",
    "target",
    "targeting",
    "via",
    "width",
];

/// The wanted fields of a post; `id` comes in any case.
pub(super) fn of_post(
    world: &World,
    settings: &Settings,
    page_name: &str,
    post: &PostRecord,
    wanted: &[Field],
) -> Result<Value, GraphError> {
    let mut node = Map::new();
    for field in wanted {
        if let Some(value) = post_field(world, settings, page_name, post, &field.name)? {
            node.insert(field.name.clone(), pick(value, &field.inner));
        }
    }
    node.insert("id".to_owned(), post.id.as_str().into());
    Ok(Value::Object(node))
}

fn post_field(
    world: &World,
    settings: &Settings,
    page_name: &str,
    post: &PostRecord,
    name: &str,
) -> Result<Option<Value>, GraphError> {
    let now = world.now();
    let page_id = post.id.split('_').next().unwrap_or_default();
    Ok(match name {
        "id" => Some(post.id.as_str().into()),
        "message" => (!post.text.is_empty()).then(|| post.text.as_str().into()),
        "created_time" | "updated_time" => Some(graph_time(post.created_at).into()),
        "permalink_url" => Some(permalink(world, settings, post).into()),
        "is_published" => Some(post.is_public(now).into()),
        "is_hidden" | "is_expired" => Some(false.into()),
        "scheduled_publish_time" => post.publish_at.map(|at| at.as_second().into()),
        "from" => Some(json!({ "id": page_id, "name": page_name })),
        "application" => post
            .application
            .as_ref()
            .filter(|_| settings.facebook.application_readable)
            .map(|app| json!({ "id": app.id, "name": app.name, "category": "Business" })),
        "status_type" => Some(status_type(post).into()),
        "attachments" => attachments(world, settings, post),
        absent if ABSENT.contains(&absent) => None,
        unknown => return Err(nonexisting(unknown, "PagePost")),
    })
}

/// The error for a field that a kind of node does not have.
pub(super) fn nonexisting(field: &str, node: &str) -> GraphError {
    GraphError::parameter(&format!(
        "Tried accessing nonexisting field ({field}) on node type ({node})"
    ))
}

/// `2026-11-21T10:00:00+0000`: no colon in the offset.
pub(super) fn graph_time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

fn permalink(world: &World, settings: &Settings, post: &PostRecord) -> String {
    let own = || world.base(Platform::Facebook);
    let base = settings.facebook.permalink_base.clone().unwrap_or_else(own);
    format!("{base}/{}", post.id)
}

fn status_type(post: &PostRecord) -> &'static str {
    if shows_film(post) {
        "added_video"
    } else if !post.photos.is_empty() {
        "added_photos"
    } else if post.link.is_some() {
        "shared_story"
    } else {
        "mobile_status_update"
    }
}

fn shows_film(post: &PostRecord) -> bool {
    post.photos.first().is_some_and(|file| file.media_type.starts_with("video/"))
}

fn attachments(world: &World, settings: &Settings, post: &PostRecord) -> Option<Value> {
    let photo = |photo: &crate::simulator::PhotoRecord| {
        json!({
            "media_type": "photo",
            "type": "photo",
            "target": { "id": photo.id },
            "url": permalink(world, settings, post),
        })
    };
    let data = match (post.photos.as_slice(), &post.link) {
        ([], None) => return None,
        ([], Some(link)) => {
            json!([{ "media_type": "link", "type": "share", "unshimmed_url": link, "url": link }])
        }
        ([film], _) if shows_film(post) => json!([{
            "media_type": "video",
            "type": "video_inline",
            "target": { "id": film.id },
        }]),
        ([one], _) => json!([photo(one)]),
        (many, _) => json!([{
            "media_type": "album",
            "type": "album",
            "target": { "id": post.id },
            "subattachments": { "data": many.iter().map(photo).collect::<Vec<_>>() },
        }]),
    };
    Some(json!({ "data": data }))
}

/// What the braces behind a field leave of its value; lists are entered.
fn pick(value: Value, inner: &[Field]) -> Value {
    if inner.is_empty() {
        return value;
    }
    match value {
        Value::Array(items) => items.into_iter().map(|item| pick(item, inner)).collect(),
        Value::Object(mut all) => {
            if let Some(data) = all.remove("data") {
                return json!({ "data": pick(data, inner) });
            }
            let picked = inner.iter().filter_map(|field| {
                let value = all.remove(&field.name)?;
                Some((field.name.clone(), pick(value, &field.inner)))
            });
            Value::Object(picked.collect())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}
