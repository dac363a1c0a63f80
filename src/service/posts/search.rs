//! Finds posts by their words.

use super::{Filter, PostView, views};
use crate::domain::policy::{Action, Subject};
use crate::domain::text::Search;
use crate::service::{Caller, Error, Page, Services, Window, permit};
use crate::store::{posts, search};

/// How much is learnt at once, and how often, before somebody gets an answer: what he has just written is found, and a
/// crowd that writes does not make him wait for ever.
const BATCH: u32 = 50;
const BATCHES: usize = 4;

/// A page of the posts that have all that was typed, newest first.
pub(super) async fn list(
    services: &Services,
    caller: &Caller,
    filter: &Filter,
    typed: &str,
    window: &Window,
) -> Result<Page<PostView>, Error> {
    permit(caller, Action::ReadPosts, Subject::Any)?;
    let wanted = Search::read(typed).map_err(|fault| Error::Invalid(vec![fault]))?;
    if filter.wanted || filter.mine {
        let detail = "what waits for approval is not searched: leave approval and owner out, or q";
        return Err(Error::fault("?q", "not_searched", detail));
    }
    let after = window.after_id()?;
    catch_up(services).await?;
    let within = caller.actor.units_for(Action::ReadPosts);
    // Of a unit that the caller does not see there is nothing to find.
    let units = match (&filter.unit_id, &within) {
        (None, None) => None,
        (None, Some(within)) => Some(within.iter().collect()),
        (Some(unit), within) => {
            let seen = within.as_ref().is_none_or(|within| within.contains(unit));
            Some(if seen { vec![unit] } else { Vec::new() })
        }
    };
    let mut reader = services.store.read().await?;
    let (campaign_id, class) = (filter.campaign_id.as_deref(), filter.class);
    let asked =
        search::Filter { search: &wanted, units, campaign_id, class, after: after.as_ref() };
    let ids = search::matching(&mut reader, &asked, window.rows()).await?;
    let page = window.page(ids, |id| vec![id.to_string()]);
    let mut found = posts::find_many(&mut reader, &page.items).await?;
    // The search knows what was; who may see a post, and whether it is there, is asked of the post.
    found.retain(|post| {
        within.as_ref().is_none_or(|units| units.contains(&post.unit_id)) && filter.passes(post)
    });
    found.sort_by_key(|post| page.items.iter().position(|id| *id == post.id));
    let items = views(&mut reader, found, services.clock.now()).await?;
    Ok(Page { items, next: page.next })
}

async fn catch_up(services: &Services) -> Result<(), Error> {
    for _ in 0..BATCHES {
        if !search::is_behind(&mut services.store.read().await?).await? {
            break;
        }
        let mut tx = services.store.begin_for("search").await?;
        search::learn(&mut tx, BATCH).await?;
        tx.commit().await?;
    }
    Ok(())
}
