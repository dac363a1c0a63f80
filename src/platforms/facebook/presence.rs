//! Whether a post of a Page that was there once still is.
//!
//! Code 100 with subcode 33 stands for "does not exist" and for "not allowed to see it" alike (Graph
//! API error handling guide, read 2026-09-11), so it proves nothing until the same token has just
//! shown that it is the Page's and may read the Page's posts.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Settings;
use super::api::{Graph, Post, usage};
use super::classify::{GraphError, is_post_of, spellings, whole_id};
use super::find::{Blind, blind, read, tail};
use crate::platforms::outcome::{Presence, Usage, Witness};
use crate::platforms::session::{Metered, Session};
use crate::platforms::wire::{describe, text_at};

/// Enough to see that it is there; each field more could be refused.
const FIELDS: &str = "id";

/// What the control reads of the list: its newest posts, be they some weeks old.
const RECENT: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Asks for the post, and when it is said not to exist, for the Page and its list.
pub(super) async fn presence(
    settings: &Settings,
    on: &Session,
    id: &str,
    witness: &Witness,
) -> Metered<Presence> {
    let mut usage = Vec::new();
    let value = look(settings, on, (id, witness), &mut usage)
        .await
        .unwrap_or_else(|blind| Presence::CannotSee { detail: blind.detail, until: blind.until });
    Metered { value, usage }
}

async fn look(
    settings: &Settings,
    on: &Session,
    (id, witness): (&str, &Witness),
    seen: &mut Vec<Usage>,
) -> Result<Presence, Blind> {
    let graph = Graph::of(settings, on);
    let spellings = spellings(id, graph.page);
    if spellings.is_empty() {
        return Err(blind("the id is of no post of this Page"));
    }
    for id in &spellings {
        if is_there(on, &graph, id, seen).await? {
            return Ok(Presence::There);
        }
    }
    control(on, &graph, (id, witness), seen).await?;
    Ok(Presence::Gone)
}

/// Whether it is there; no when the platform says that it does not exist.
async fn is_there(
    on: &Session,
    graph: &Graph<'_>,
    id: &str,
    seen: &mut Vec<Usage>,
) -> Result<bool, Blind> {
    let answer = on
        .outbound
        .send(graph.post(id, FIELDS)?)
        .await
        .map_err(|failure| blind(&describe(&failure)))?;
    let newer = usage(&answer.headers, on.clock.now());
    if !newer.is_empty() {
        *seen = newer;
    }
    let Some(error) = GraphError::parse(&answer.body) else {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let own = text_at(&value, "id").is_some_and(|shown| tail(&shown) == tail(id));
        return if own && answer.status.is_success() {
            Ok(true)
        } else {
            Err(blind(&format!("status {}", answer.status.as_u16())))
        };
    };
    if error.word() != "100/33" || !answer.status.is_client_error() {
        return Err(Blind {
            detail: format!("{} {}", error.word(), error.detail()),
            until: seen.iter().filter_map(Usage::blocked_until).max(),
            ..blind("")
        });
    }
    Ok(false)
}

/// Positive control: the token speaks for this very Page and may read its posts, and no list shows
/// the one that is said to be gone.
async fn control(
    on: &Session,
    graph: &Graph<'_>,
    (id, witness): (&str, &Witness),
    seen: &mut Vec<Usage>,
) -> Result<(), Blind> {
    let (me, _) = read(on, graph.me("id")?, seen).await?;
    if text_at(&me, "id").as_deref() != Some(graph.page) {
        return Err(blind("the token answers for another account"));
    }
    let since = on.clock.now().checked_sub(RECENT).unwrap_or(Timestamp::UNIX_EPOCH);
    let (list, _) = read(on, graph.published(FIELDS, since, None)?, seen).await?;
    let posts = list.get("data").and_then(Value::as_array);
    let posts = posts.ok_or_else(|| blind("the list of posts has no data"))?;
    if posts.iter().filter_map(Post::from_json).any(|post| tail(&post.id) == tail(id)) {
        return Err(blind("the list of posts still shows it"));
    }
    if posts.is_empty() && witness.needed && !is_shown(on, graph, witness, seen).await? {
        return Err(blind("no post of the account is shown"));
    }
    Ok(())
}

/// Whether the other post is there, of which it is known that it should be.
async fn is_shown(
    on: &Session,
    graph: &Graph<'_>,
    witness: &Witness,
    seen: &mut Vec<Usage>,
) -> Result<bool, Blind> {
    let other = witness.remote_id.as_deref().map(|id| whole_id(id, graph.page));
    let Some(other) = other.filter(|id| is_post_of(id, graph.page)) else { return Ok(false) };
    let (value, _) = read(on, graph.post(&other, FIELDS)?, seen).await?;
    Ok(text_at(&value, "id").is_some_and(|shown| tail(&shown) == tail(&other)))
}
