//! Reads the posts of a gap on X, and compares them with what is still to be sent.

use super::Settings;
use super::api::{Api, Tweet, made_at};
use super::find::{Blind, Search, list, since_start};
use crate::platforms::outcome::{Reading, Shown};
use crate::platforms::session::{Gap, Metered, Sent, Session};

/// 10 + 19 * 100 posts of one account in a gap are not normal; a person must look.
const MOST_PAGES: usize = 20;

/// The usage headers of reads are left out, as in a look for one post.
pub(super) async fn read_back(settings: &Settings, on: &Session, gap: &Gap) -> Metered<Reading> {
    let value = look(settings, on, gap).await.unwrap_or_else(|blind| Reading::CannotSee {
        detail: blind.detail,
        until: blind.until,
        shown: blind.shown,
        pages: blind.pages,
    });
    Metered { value, usage: Vec::new() }
}

async fn look(settings: &Settings, on: &Session, gap: &Gap) -> Result<Reading, Blind> {
    let api = Api::of(settings, on);
    let sent = Sent {
        delivery: None,
        text: String::new(),
        link: None,
        media_count: 0,
        follows: false,
        film: false,
    };
    let any = gap.probe(&sent);
    // Positive control: the token speaks for this very account, so an empty list means absence.
    let since = since_start(on, &api, &any).await?;
    let (mut tweets, pages) = list(on, &api, since.as_deref(), MOST_PAGES).await?;
    let shown = tweets.len();
    // What does not say when it was made is not left out.
    let latest = gap.latest();
    tweets
        .retain(|tweet| tweet.created.or_else(|| made_at(&tweet.id)).is_none_or(|at| at <= latest));
    let now = on.clock.now();
    let (handle, user) = (on.handle.as_deref(), api.user);
    let mut lookups = Vec::with_capacity(gap.waiting.len());
    for sent in &gap.waiting {
        let search = Search { settings, handle, user, probe: &gap.probe(sent) };
        lookups.push(search.verdict(&tweets, now));
        // Many texts are much work, and others wait for this thread.
        tokio::task::yield_now().await;
    }
    let any = Search { settings, handle, user, probe: &any };
    let mut posts: Vec<Shown> = Vec::new();
    let unknown = |tweet: &&Tweet| !gap.taken.contains(&tweet.id);
    for tweet in tweets.iter().filter(unknown) {
        // A post that comes while pages are read can show up twice.
        if !posts.iter().any(|seen| seen.receipt.remote_id == tweet.id) {
            posts.push(Shown { receipt: any.receipt(tweet, now), text: tweet.text.clone() });
        }
    }
    Ok(Reading::Whole { posts, lookups, shown, pages })
}
