//! Comments below posts: write, list, read (Graph API reference, comments of an object and the comment
//! node, read 2026-09-11).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::Context;
use super::errors::GraphError;
use super::feed::own_application;
use super::fields::{self, Field, graph_time};
use crate::simulator::{PostRecord, Reply};

/// The longest comment; reported by many, written nowhere.
const LONGEST: usize = 8_000;
const DEFAULT_LIMIT: usize = 25;
const MAX_LIMIT: usize = 100;

/// What a comment node has besides what is given a value here.
const ABSENT: &[&str] = &[
    "application",
    "attachment",
    "can_comment",
    "can_remove",
    "comment_count",
    "like_count",
    "message_tags",
    "object",
    "parent",
    "user_likes",
];

/// `POST /{post}/comments`.
pub(super) fn create(context: &Context<'_>, post: &str) -> Result<Reply, GraphError> {
    let (world, settings) = (context.world, &context.settings.facebook);
    if !settings.may_comment {
        return Err(GraphError::known(200, None)
            .saying("(#200) Requires pages_manage_engagement permission to manage the object"));
    }
    let text = context.params.text("message").unwrap_or_default();
    if text.trim().is_empty() {
        return Err(GraphError::parameter("One of message or an attachment is required"));
    }
    if text.chars().count() > LONGEST {
        return Err(GraphError::parameter("Param message is too long"));
    }
    let now = world.now();
    let mut state = context.account.lock();
    if state.post(post, now).is_none() {
        return Err(GraphError::missing(post));
    }
    let number = post.rsplit('_').next().unwrap_or_default();
    let record = PostRecord {
        id: format!("{number}_{}", world.next_graph_number()),
        text,
        link: None,
        photos: Vec::new(),
        poll: None,
        reply_to: Some(post.to_owned()),
        audience: None,
        created_at: now,
        visible_at: now,
        application: Some(own_application(context)),
        is_published: true,
        publish_at: None,
        versions: Vec::new(),
    };
    let id = record.id.clone();
    world.store(&context.account, &mut state, record, context.effects);
    Ok(Reply::json(200, &json!({ "id": id })).creating(id))
}

/// `GET /{post}/comments`.
pub(super) fn list(context: &Context<'_>, post: &str) -> Result<Reply, GraphError> {
    let params = &context.params;
    let asked = params.text("fields").unwrap_or_else(|| "created_time,from,message".to_owned());
    let wanted = fields::parse(&asked)?;
    let newest_first = match params.text("order").as_deref() {
        None | Some("chronological") => false,
        Some("reverse_chronological") => true,
        Some(_) => return Err(GraphError::parameter("Param order is not one of its values")),
    };
    if !matches!(params.text("filter").as_deref(), None | Some("toplevel" | "stream")) {
        return Err(GraphError::parameter("Param filter is not one of its values"));
    }
    let limit = match params.text("limit").map(|limit| limit.parse::<usize>()) {
        None => DEFAULT_LIMIT,
        Some(Ok(limit)) if limit > 0 => limit.min(MAX_LIMIT),
        Some(_) => return Err(GraphError::parameter("param limit must be a number")),
    };
    let after = params.text("after").and_then(|it| URL_SAFE_NO_PAD.decode(it).ok());
    let after = after.and_then(|it| String::from_utf8(it).ok());
    let now = context.world.now();
    context.account.count_read();
    let state = context.account.lock();
    if state.post(post, now).is_none() {
        return Err(GraphError::missing(post));
    }
    let mut all: Vec<&PostRecord> = state
        .posts(now)
        .filter(|it| it.reply_to.as_deref() == Some(post) && it.is_listed(now))
        .collect();
    if newest_first {
        all.reverse();
    }
    let start = after.and_then(|id| all.iter().position(|it| it.id == id)).map_or(0, |at| at + 1);
    let shown: Vec<&PostRecord> = all.iter().skip(start).take(limit).copied().collect();
    let continues = all.len() > start + shown.len();
    let data: Vec<Value> =
        shown.iter().map(|it| node(context, it, &wanted)).collect::<Result<_, _>>()?;
    let mut body = Map::new();
    body.insert("data".to_owned(), data.into());
    if let (Some(first), Some(last)) = (shown.first(), shown.last()) {
        let cursor = |id: &str| URL_SAFE_NO_PAD.encode(id);
        let mut paging = json!({
            "cursors": { "before": cursor(&first.id), "after": cursor(&last.id) },
        });
        if continues && let Some(paging) = paging.as_object_mut() {
            paging.insert("next".to_owned(), "https://graph.facebook.com/next".into());
        }
        body.insert("paging".to_owned(), paging);
    }
    Ok(Reply::json(200, &Value::Object(body)))
}

/// `GET /{comment}`.
pub(super) fn read(context: &Context<'_>, id: &str) -> Result<Reply, GraphError> {
    let asked = context.params.text("fields").unwrap_or_else(|| "created_time,message".to_owned());
    let wanted = fields::parse(&asked)?;
    let now = context.world.now();
    context.account.count_read();
    let state = context.account.lock();
    let stored = state.post(id, now).ok_or_else(|| GraphError::missing(id))?;
    if stored.hidden(now).is_some() {
        return Err(GraphError::missing(id));
    }
    Ok(Reply::json(200, &node(context, &stored.record, &wanted)?))
}

fn node(
    context: &Context<'_>,
    comment: &PostRecord,
    wanted: &[Field],
) -> Result<Value, GraphError> {
    let profile = &context.account.profile;
    let mut node = Map::new();
    for field in wanted {
        let value = match field.name.as_str() {
            "message" => Some(comment.text.as_str().into()),
            "created_time" => Some(graph_time(comment.created_at).into()),
            "from" => context
                .settings
                .facebook
                .comment_author_readable
                .then(|| json!({ "id": profile.id, "name": profile.name })),
            "permalink_url" => {
                let own = comment.id.rsplit('_').next().unwrap_or_default();
                let post = comment.reply_to.as_deref().unwrap_or_default();
                Some(format!("https://www.facebook.com/{post}?comment_id={own}").into())
            }
            "id" => None,
            absent if ABSENT.contains(&absent) => None,
            unknown => return Err(fields::nonexisting(unknown, "Comment")),
        };
        if let Some(value) = value {
            node.insert(field.name.clone(), value);
        }
    }
    node.insert("id".to_owned(), comment.id.as_str().into());
    Ok(Value::Object(node))
}

#[cfg(test)]
mod tests {
    use super::super::Graph;
    use crate::simulator::Page;
    use crate::simulator::probe::{Answer, Probe};

    fn id_of(answer: &Answer) -> String {
        answer.json()["id"].as_str().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn a_comment_stands_below_its_post_in_no_list_of_posts_and_goes_with_it() {
        let probe = Probe::new(Graph);
        let page = Page { id: "55".into(), token: "p55".into(), ..Page::default() };
        probe.world.add_page(page);
        let post = probe.post_form("/v25.0/55/feed", "p55", &[("message", "first")]).await;
        let edge = format!("/v25.0/{}/comments", id_of(&post));
        let made = probe.post_form(&edge, "p55", &[("message", "read on")]).await;
        assert_eq!(made.status, 200, "{}", made.text);
        let (post, comment) = (id_of(&post), id_of(&made));
        let number = post.split('_').next_back().unwrap();
        assert!(comment.starts_with(&format!("{number}_")), "{comment}");
        let listed = probe.get(&format!("{edge}?fields=id,message,from"), "p55").await.json();
        assert_eq!(listed["data"][0]["from"]["id"], "55");
        assert_eq!(listed["data"][0]["id"], comment.as_str());
        let posts = probe.get("/v25.0/55/published_posts?fields=id", "p55").await.json();
        assert_eq!(posts["data"].as_array().map(Vec::len), Some(1));
        let entry = probe.world.journal().pop().unwrap();
        assert_eq!(entry.intent.reply_to.as_deref(), Some(post.as_str()));
        for (form, status) in [(vec![], 400), (vec![("message", " ")], 400)] {
            assert_eq!(probe.post_form(&edge, "p55", &form).await.status, status);
        }
        assert_eq!(probe.delete(&format!("/v25.0/{post}"), "p55").await.status, 200);
        let gone = probe.get(&format!("/v25.0/{comment}?fields=id"), "p55").await;
        assert_eq!(gone.status, 400, "{}", gone.text);
        probe.world.change_settings(|all| all.facebook.may_comment = false);
        let none = probe.post_form(&edge, "p55", &[("message", "no")]).await;
        assert_eq!(none.json()["error"]["code"], 200);
    }
}
