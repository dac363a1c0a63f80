//! What waits for approval: who is told when it begins to, and the list of it, by the first instant.

use jiff::Timestamp;
use serde_json::json;

use super::{of, told_of};
use crate::domain::approval::{nearest, waits};
use crate::domain::audit::NewEntry;
use crate::domain::id::{PersonId, PostId};
use crate::domain::policy::{Action, Subject};
use crate::domain::post::Post;
use crate::domain::unit;
use crate::service::posts::{Filter, PostView, views};
use crate::service::{Caller, Error, Page, Services, Window, permit};
use crate::store::{Reader, approvals, posts, units};

/// That a post waits for approval: the nearest who may give it are told, but for one who has just taken his back.
/// Where too few could, those who may everything must.
pub(in crate::service) async fn wanted(
    reader: &mut Reader,
    (post, wants): (&Post, unit::Approval),
    except: Option<&PersonId>,
    now: Timestamp,
) -> Result<NewEntry, Error> {
    let id = &post.id;
    let approvers = approvals::approvers(reader, &[id], now).await?.remove(id).unwrap_or_default();
    let others: Vec<_> = approvers.into_iter().filter(|(it, _)| Some(&it.id) != except).collect();
    let enough = others.len() >= wants.needed();
    let owners = nearest(&others, wants.needed()).into_iter().map(|it| &it.id);
    let told = json!({
        "post_id": id, "unit_id": post.unit_id, "title": post.title,
        "owners": owners.collect::<Vec<_>>(), "administrators": !enough,
    });
    Ok(told_of("approval.wanted", id, told))
}

/// The same for a post of which something waits again that did not.
pub(in crate::service) async fn wanted_again(
    reader: &mut Reader,
    id: &PostId,
    now: Timestamp,
) -> Result<Option<NewEntry>, Error> {
    let Some(post) = posts::find(reader, id).await? else { return Ok(None) };
    let Some(unit) = units::find(reader, &post.unit_id).await? else { return Ok(None) };
    Ok(Some(wanted(reader, (&post, unit.approval), None, now).await?))
}

/// A page of the posts that wait for anybody's approval, or for that of the caller: what is due first comes first,
/// and what has no time yet comes last.
pub(in crate::service) async fn list(
    services: &Services,
    caller: &Caller,
    filter: &Filter,
    window: &Window,
) -> Result<Page<PostView>, Error> {
    permit(caller, Action::ReadPosts, Subject::Any)?;
    let action = if filter.mine { Action::Approve } else { Action::ReadPosts };
    permit(caller, action, Subject::Any)?;
    let after = match window.after.as_deref() {
        None => None,
        Some([due_ms, id]) => {
            let key = due_ms.parse::<i64>().ok().zip(id.parse::<PostId>().ok());
            Some(key.ok_or_else(Window::foreign_cursor)?)
        }
        Some(_) => return Err(Window::foreign_cursor()),
    };
    let now = services.clock.now();
    let within = caller.actor.units_for(action);
    let mut reader = services.store.read().await?;
    let me = filter.mine.then_some(&caller.actor.person_id);
    let ids = approvals::asked(&mut reader, me, now).await?;
    let mut found = posts::find_many(&mut reader, &ids).await?;
    found.retain(|post| {
        within.as_ref().is_none_or(|units| units.contains(&post.unit_id)) && filter.passes(post)
    });
    let how = of(&mut reader, &found.iter().collect::<Vec<_>>(), now).await?;
    let due = |post: &Post| {
        let due_at = how.get(&post.id).and_then(|it| it.due_at);
        (due_at.map_or(i64::MAX, Timestamp::as_millisecond), post.id.clone())
    };
    let found_ids: Vec<&PostId> = found.iter().map(|post| &post.id).collect();
    let waiting = approvals::waiting(&mut reader, &found_ids).await?;
    found.retain(|post| how.get(&post.id).is_some_and(|it| waits(it.state, waiting.get(&post.id))));
    found.retain(|post| after.as_ref().is_none_or(|after| due(post) > *after));
    found.sort_by_key(&due);
    let page = window.page(found, |post| {
        let (due_ms, id) = due(post);
        vec![due_ms.to_string(), id.to_string()]
    });
    let items = views(&mut reader, page.items, now).await?;
    Ok(Page { items, next: page.next })
}
