//! Reads the posts of a gap on a Page, and compares them with what is still to be sent.

use super::Settings;
use super::api::Graph;
use super::film_look;
use super::find::{
    Blind, LIST_SLACK, Search, list_in_any_words, not_before, receipt, same_post, shift, whose,
};
use crate::platforms::outcome::{Lookup, Reading, Shown, Usage};
use crate::platforms::session::{Gap, Metered, Sent, Session};

/// So many posts of one Page in a gap, 25 on each, are not normal; a person must look.
const MOST_PAGES: usize = 40;

pub(super) async fn read_back(settings: &Settings, on: &Session, gap: &Gap) -> Metered<Reading> {
    let mut usage = Vec::new();
    let value =
        look(settings, on, gap, &mut usage).await.unwrap_or_else(|blind| Reading::CannotSee {
            detail: blind.detail,
            until: blind.until,
            shown: blind.shown,
            pages: blind.pages,
        });
    Metered { value, usage }
}

async fn look(
    settings: &Settings,
    on: &Session,
    gap: &Gap,
    usage: &mut Vec<Usage>,
) -> Result<Reading, Blind> {
    let graph = Graph::of(settings, on);
    let lead = whose(on, &graph, usage).await?;
    let from = not_before(gap.since, lead);
    let sent = Sent {
        delivery: None,
        text: String::new(),
        link: None,
        media_count: 0,
        follows: false,
        film: false,
    };
    let any = gap.probe(&sent);
    let (mut found, pages) = list_in_any_words(on, &graph, from, MOST_PAGES, usage).await?;
    let shown = found.len();
    // What does not say when it was made is not left out.
    let latest = gap.latest();
    found.retain(|post| post.created.is_none_or(|at| at <= latest));
    let now = on.clock.now();
    let mut films = Vec::new();
    if gap.waiting.iter().any(|sent| sent.film && !sent.follows) {
        films = film_look::lists(on, &graph, (shift(from, -LIST_SLACK), MOST_PAGES), usage).await?;
        films.retain(|film| film.created.is_none_or(|at| at <= latest));
        // A video stands in the list of posts, too, under another id.
        films.extend(found.iter().cloned());
    }
    let mut lookups = Vec::with_capacity(gap.waiting.len());
    for sent in &gap.waiting {
        // Comments are in no list of posts; what follows a post that is out is asked about with that.
        if sent.follows {
            lookups.push(Lookup::Absent);
            continue;
        }
        let probe = gap.probe(sent);
        let among = if sent.film { &films } else { &found };
        lookups.push(Search::new(settings, &graph, &probe, from).verdict(among, now));
        // Many texts are much work, and others wait for this thread.
        tokio::task::yield_now().await;
    }
    let any = Search::new(settings, &graph, &any, from);
    let mut posts: Vec<Shown> = Vec::new();
    for post in found.iter().filter(|post| any.can_be(post)) {
        // A post that comes while pages are read can show up twice.
        if !posts.iter().any(|seen| same_post(&seen.receipt.remote_id, &post.id)) {
            posts.push(Shown { receipt: receipt(post, now), text: post.message.clone() });
        }
    }
    Ok(Reading::Whole { posts, lookups, shown, pages })
}
