//! Looks for a post of a Page after doubt.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::api::{Graph, Post, message, permalink, usage};
use super::classify::{GraphError, Meaning, free_at, is_post_of};
use super::{Settings, comments, film_look, seen, two_steps};
use crate::domain::attempt::Receipt;
use crate::domain::text::{alike, normalised};
use crate::outbound::{Request, Response};
use crate::platforms::outcome::{Lookup, Sighting, Usage};
use crate::platforms::session::{Metered, Place, Probe, Session};
use crate::platforms::wire::{Unsendable, clock_lead, describe, is_number, number_order, text_at};

/// All that helps to recognise a post.
const FIELDS: &str =
    "id,message,created_time,permalink_url,is_published,from,application,attachments";

/// What is enough, when the platform refuses one of the others (one bad field fails a whole call).
const FEWER_FIELDS: &str = "id,message,created_time,permalink_url";

/// How much earlier than the attempt a post may seem to be made, for clocks that differ.
const SLACK: SignedDuration = SignedDuration::from_secs(120);

/// How much earlier than that the list begins, because nothing promises that `since` is exact.
pub(super) const LIST_SLACK: SignedDuration = SignedDuration::from_hours(1);

/// So many posts of one Page since an attempt are not normal; a person must look.
const MOST_PAGES: usize = 4;

/// A read that says nothing.
pub(super) struct Blind {
    pub(super) detail: String,
    pub(super) until: Option<Timestamp>,
    /// How many posts of a list were shown all the same, and on how many of its pages.
    pub(super) shown: usize,
    pub(super) pages: u32,
    /// The platform did not like the question itself.
    pub(super) bad_question: bool,
}

impl From<Unsendable> for Blind {
    fn from(fault: Unsendable) -> Self {
        blind(&fault.refusal().detail)
    }
}

pub(super) fn blind(detail: &str) -> Blind {
    Blind { detail: detail.to_owned(), until: None, shown: 0, pages: 0, bad_question: false }
}

pub(super) async fn find(settings: &Settings, on: &Session, probe: &Probe) -> Metered<Lookup> {
    let mut usage = Vec::new();
    let value = look(settings, on, probe, &mut usage)
        .await
        .unwrap_or_else(|blind| Lookup::CannotSee { detail: blind.detail, until: blind.until });
    Metered { value, usage }
}

async fn look(
    settings: &Settings,
    on: &Session,
    probe: &Probe,
    usage: &mut Vec<Usage>,
) -> Result<Lookup, Blind> {
    let graph = Graph::of(settings, on);
    let lead = whose(on, &graph, usage).await?;
    let not_before = not_before(probe.started_at, lead);
    match &probe.place {
        Place::First => {}
        Place::Under(post) => {
            return comments::look(on, &graph, (probe, post, not_before), usage).await;
        }
        Place::UnderSome => return Err(blind("the post below which it stands is not known")),
    }
    let search = Search::new(settings, &graph, probe, not_before);
    if let Some(made) = &probe.made {
        let seen = if is_post_of(&made.remote_id, graph.page) {
            two_steps::by_id(on, &graph, made, usage).await?
        } else {
            film_look::by_id(on, &graph, made, usage).await?
        };
        // What was not whole was never made public, but another one may have been after a backup.
        if made.whole || seen != Lookup::NotPublic {
            return Ok(seen);
        }
    }
    if probe.film {
        let asked = (shift(search.not_before, -LIST_SLACK), MOST_PAGES);
        let films = film_look::lists(on, &graph, asked, usage).await?;
        return Ok(search.verdict(&films, on.clock.now()));
    }
    if let Some(verdict) = named(settings, on, &search, usage).await? {
        return Ok(verdict);
    }
    let (posts, _) = list_in_any_words(on, &graph, search.not_before, MOST_PAGES, usage).await?;
    Ok(search.verdict(&posts, on.clock.now()))
}

/// Positive control: the token speaks for this very Page, so an empty list means absence. Gives by how
/// much the platform's clock is ahead of ours.
pub(super) async fn whose(
    on: &Session,
    graph: &Graph<'_>,
    usage: &mut Vec<Usage>,
) -> Result<SignedDuration, Blind> {
    let (me, lead) = read(on, graph.me("id")?, usage).await?;
    if text_at(&me, "id").as_deref() != Some(graph.page) {
        return Err(blind("the token answers for another account"));
    }
    Ok(lead)
}

/// The earliest time that a post can have that was made since an instant of ours. A platform clock
/// behind ours makes its posts look older.
pub(super) fn not_before(since: Timestamp, lead: SignedDuration) -> Timestamp {
    shift(shift(since, -SLACK), lead.min(SignedDuration::ZERO))
}

/// The posts since then with all that can be known of them, or with less when the platform refuses a
/// field.
pub(super) async fn list_in_any_words(
    on: &Session,
    graph: &Graph<'_>,
    not_before: Timestamp,
    most_pages: usize,
    usage: &mut Vec<Usage>,
) -> Result<(Vec<Post>, u32), Blind> {
    match list(on, graph, not_before, (FIELDS, most_pages), usage).await {
        Err(refused) if refused.bad_question => {
            list(on, graph, not_before, (FEWER_FIELDS, most_pages), usage).await
        }
        other => other,
    }
}

/// The post whose id the platform answered with, when it is there. With another text than was sent it
/// is a person's to judge: the platform may have changed it, or named a wrong one.
async fn named(
    settings: &Settings,
    on: &Session,
    search: &Search<'_>,
    usage: &mut Vec<Usage>,
) -> Result<Option<Lookup>, Blind> {
    let Some(id) = &search.probe.remote_id else { return Ok(None) };
    let seen = match seen::look(settings, on, id, &search.probe.place).await {
        Sighting::There(receipt) => receipt,
        Sighting::NotThere | Sighting::OfAnother => return Ok(None),
        // The list may show it later than it can be read by its id: it must not decide alone.
        Sighting::CannotSee(detail) => return Err(blind(&detail)),
    };
    let taken = search.probe.taken.iter().any(|taken| same_post(taken, &seen.remote_id));
    if taken || !search.is_newer(&seen.remote_id, Some(seen.published_at)) {
        return Ok(None);
    }
    let request = Graph::of(settings, on).post(&seen.remote_id, FIELDS)?;
    let (value, _) = read(on, request, usage).await?;
    let same = Post::from_json(&value).is_some_and(|post| search.is_match(&post));
    Ok(Some(if same { Lookup::Found(seen) } else { Lookup::Several(vec![seen]) }))
}

pub(super) fn shift(instant: Timestamp, by: SignedDuration) -> Timestamp {
    instant.checked_add(by).unwrap_or(instant)
}

/// The posts since then, and in how many answers they came. Follows cursors, never the address in `paging.next`: that one
/// holds the token.
async fn list(
    on: &Session,
    graph: &Graph<'_>,
    not_before: Timestamp,
    (fields, most_pages): (&str, usize),
    usage: &mut Vec<Usage>,
) -> Result<(Vec<Post>, u32), Blind> {
    let (mut posts, mut pages) = (Vec::new(), 0);
    let asked = (fields, most_pages);
    match turn_pages(on, graph, not_before, asked, (&mut posts, &mut pages), usage).await {
        Ok(()) => Ok((posts, pages)),
        Err(blind) => Err(Blind { shown: posts.len(), pages, ..blind }),
    }
}

async fn turn_pages(
    on: &Session,
    graph: &Graph<'_>,
    not_before: Timestamp,
    (fields, most_pages): (&str, usize),
    (posts, pages): (&mut Vec<Post>, &mut u32),
    usage: &mut Vec<Usage>,
) -> Result<(), Blind> {
    let since = shift(not_before, -LIST_SLACK);
    let mut after: Option<String> = None;
    for number in (1..).take(most_pages) {
        *pages = number;
        let request = graph.published(fields, since, after.as_deref())?;
        let (value, _) = read(on, request, usage).await?;
        let data = value.get("data").and_then(Value::as_array);
        let data = data.ok_or_else(|| blind("the list of posts has no data"))?;
        let page: Option<Vec<Post>> = data.iter().map(Post::from_json).collect();
        let page = page.ok_or_else(|| blind("a post in the list has no id"))?;
        let past = page.iter().any(|post| post.created.is_some_and(|at| at < since));
        posts.extend(page);
        after = value.pointer("/paging/cursors/after").and_then(Value::as_str).map(str::to_owned);
        let has_next = value.pointer("/paging/next").is_some();
        if past || !has_next {
            return Ok(());
        }
        if after.is_none() {
            return Err(blind("the list goes on without a cursor"));
        }
    }
    Err(blind("there are too many posts since then to look through"))
}

pub(super) async fn read(
    on: &Session,
    request: Request,
    usage_seen: &mut Vec<Usage>,
) -> Result<(Value, SignedDuration), Blind> {
    let answer = on.outbound.send(request).await.map_err(|failure| blind(&describe(&failure)))?;
    let now = on.clock.now();
    let newer = usage(&answer.headers, now);
    if !newer.is_empty() {
        *usage_seen = newer;
    }
    let lead = clock_lead(&answer.headers, now);
    interpret(&answer, now).map(|value| (value, lead))
}

fn interpret(answer: &Response, now: Timestamp) -> Result<Value, Blind> {
    let status = answer.status.as_u16();
    let parsed = serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object);
    if answer.status.is_success() {
        let whole = parsed.filter(|value| value.get("error").is_none());
        return whole.ok_or_else(|| blind("the answer is not what was asked for"));
    }
    let Some(error) = GraphError::parse(&answer.body) else {
        return Err(blind(&format!("status {status}")));
    };
    let meaning = error.meaning();
    let throttled = matches!(meaning, Some(Meaning::Throttled | Meaning::TooOften));
    Err(Blind {
        detail: format!("status {status}: {} {}", error.word(), error.detail()),
        until: meaning.filter(|_| throttled).map(|meaning| free_at(answer, meaning, now)),
        bad_question: error.word() == "100",
        ..blind("")
    })
}

/// What is looked for, ready to compare.
pub(super) struct Search<'a> {
    page: &'a str,
    app: Option<&'a str>,
    probe: &'a Probe,
    text: String,
    not_before: Timestamp,
}

impl<'a> Search<'a> {
    /// Of posts that were made at `not_before` or later, by the platform's word.
    pub(super) fn new(
        settings: &'a Settings,
        graph: &Graph<'a>,
        probe: &'a Probe,
        not_before: Timestamp,
    ) -> Self {
        Self {
            page: graph.page,
            app: settings.app_id.as_deref(),
            probe,
            text: normalised(&message(&probe.text, probe.link.as_deref(), probe.media_count > 0)),
            not_before,
        }
    }
}

impl Search<'_> {
    /// A wrong "no" can send a post twice, a wrong "yes" is seen by a person; so what the platform
    /// does not say never excludes a post.
    fn is_match(&self, post: &Post) -> bool {
        self.can_be(post) && normalised(&post.message) == self.text
    }

    /// Whatever it says.
    pub(super) fn can_be(&self, post: &Post) -> bool {
        let ours = is_post_of(&post.id, self.page)
            || (is_number(&post.id) && post.from.as_deref() == Some(self.page));
        ours && self.is_newer(&post.id, post.created)
            && !self.probe.taken.iter().any(|taken| same_post(taken, &post.id))
    }

    /// Nothing has the text that was sent; what may be it, rewritten, is a person's to judge.
    fn similar(&self, posts: &[Post], now: Timestamp) -> Lookup {
        let is_similar = |post: &&Post| self.can_be(post) && alike(&self.text, &post.message);
        let similar: Vec<Receipt> =
            posts.iter().filter(is_similar).map(|post| receipt(post, now)).collect();
        if similar.is_empty() { Lookup::Absent } else { Lookup::Similar(similar) }
    }

    /// By time, because nothing promises that the ids of a Page grow; by id only without a time.
    fn is_newer(&self, id: &str, created: Option<Timestamp>) -> bool {
        // One of another form was never a post of this Page.
        let is_ours = |it: &&str| is_post_of(it, self.page) || is_number(it);
        let mark = self.probe.high_water.as_deref().filter(is_ours);
        if mark.is_some_and(|mark| same_post(mark, id)) {
            return false;
        }
        match (created, mark) {
            (Some(created), _) => created >= self.not_before,
            (None, Some(mark)) => number_order(tail(id), tail(mark)).is_gt(),
            (None, None) => true,
        }
    }

    fn disagrees(&self, post: &Post) -> bool {
        let other_app =
            matches!((&post.application, self.app), (Some(made), Some(app)) if made != app);
        let other_kind = post.has_pictures.is_some_and(|has| has != (self.probe.media_count > 0));
        other_app || other_kind
    }

    /// Whether a match says that the post is ours: two without a text are alike whatever they show,
    /// unless they lead to the same place.
    fn tells(&self, post: &Post) -> bool {
        !self.text.is_empty() || (self.probe.link.is_some() && post.link == self.probe.link)
    }

    pub(super) fn verdict(&self, posts: &[Post], now: Timestamp) -> Lookup {
        let mut matches: Vec<&Post> = Vec::new();
        for post in posts.iter().filter(|post| self.is_match(post)) {
            // A post that comes while pages are read can show up twice.
            if !matches.iter().any(|seen| same_post(&seen.id, &post.id)) {
                matches.push(post);
            }
        }
        // What another application made, or has pictures where we sent none, is hardly ours; but a
        // link can be shown as a picture, and a token can be another application's. So these tell
        // posts apart, and a lone one that disagrees is a person's to judge, never an absence.
        let (ours, odd): (Vec<&Post>, Vec<&Post>) =
            matches.into_iter().partition(|post| !self.disagrees(post));
        if ours.is_empty() && !odd.is_empty() {
            return Lookup::Several(odd.iter().map(|post| receipt(post, now)).collect());
        }
        let mut matches = ours;
        // The card's address may be rewritten, so it decides only between several.
        if matches.len() > 1
            && let Some(link) = &self.probe.link
        {
            let same_link: Vec<&Post> =
                matches.iter().copied().filter(|post| post.link.as_ref() == Some(link)).collect();
            if same_link.len() == 1 {
                matches = same_link;
            }
        }
        match matches.as_slice() {
            [] => self.similar(posts, now),
            [post] if self.tells(post) => Lookup::Found(receipt(post, now)),
            several => Lookup::Several(several.iter().map(|post| receipt(post, now)).collect()),
        }
    }
}

/// Ids come as `{page}_{post}` and bare; the part after `_` is the post.
pub(super) fn tail(id: &str) -> &str {
    id.rsplit('_').next().unwrap_or(id)
}

pub(super) fn same_post(a: &str, b: &str) -> bool {
    tail(a) == tail(b)
}

pub(super) fn receipt(post: &Post, now: Timestamp) -> Receipt {
    Receipt {
        remote_id: post.id.clone(),
        permalink: Some(permalink(&post.id, post.permalink.as_deref())),
        published_at: post.created.unwrap_or(now),
    }
}

#[cfg(test)]
#[path = "tests/find.rs"]
mod tests;
