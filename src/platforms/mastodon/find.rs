//! Looks for a post on Mastodon after doubt, and reads the posts of a gap.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Settings;
use super::api::{Api, Post, comparable, is_made_by};
use super::classify::{Meaning, Problem};
use crate::outbound::{Request, Response};
use crate::platforms::matching::{Blind, Listed, reading, verdict, with_link};
use crate::platforms::outcome::{Lookup, Reading};
use crate::platforms::session::{Gap, Metered, Probe, Sent, Session};
use crate::platforms::wire::{clock_lead, describe, number_order, text_at};

/// How much earlier than the attempt a post may seem to be made, where no newer mark is known.
const SLACK: SignedDuration = SignedDuration::from_secs(120);

/// A mark may seem to be of so much later than what is given as the start: after a restore that lies
/// an hour before the backup.
const AFTER_START: SignedDuration = SignedDuration::from_hours(2);

/// 5 * 40 posts of one account since an attempt are not normal; a person must look.
const MOST_PAGES: u32 = 5;

/// 50 * 40 posts in a gap are not, either.
const MOST_PAGES_OF_GAP: u32 = 50;

/// The usage headers of reads are left out: the next create says how it stands.
pub(super) async fn find(settings: &Settings, on: &Session, probe: &Probe) -> Metered<Lookup> {
    let value = look(settings, on, probe).await.unwrap_or_else(Lookup::from);
    Metered { value, usage: Vec::new() }
}

async fn look(settings: &Settings, on: &Session, probe: &Probe) -> Result<Lookup, Blind> {
    let api = Api::of(settings, on)?;
    let list = List::begin(on, &api, probe.started_at).await?;
    let mark = mark(probe);
    let (posts, _) = list.read(on, &api, mark, MOST_PAGES).await?;
    let is_newer = |id: &str| mark.is_none_or(|mark| number_order(id, mark).is_gt());
    let sent = form(&probe.text, probe.link.as_deref());
    Ok(verdict(&sent, probe, is_newer, &posts))
}

/// Reads all posts of a gap.
pub(super) async fn read_back(settings: &Settings, on: &Session, gap: &Gap) -> Metered<Reading> {
    let value = look_back(settings, on, gap).await.unwrap_or_else(Reading::from);
    Metered { value, usage: Vec::new() }
}

async fn look_back(settings: &Settings, on: &Session, gap: &Gap) -> Result<Reading, Blind> {
    let api = Api::of(settings, on)?;
    let list = List::begin(on, &api, gap.since).await?;
    let (posts, pages) = list.read(on, &api, None, MOST_PAGES_OF_GAP).await?;
    let form = |sent: &Sent| form(&sent.text, sent.link.as_deref());
    Ok(reading(gap, posts, pages, form).await)
}

fn form(text: &str, link: Option<&str>) -> String {
    comparable(&with_link(text, link))
}

/// The newest post before the attempt, when it can be that: one of the future would hide every post.
fn mark(probe: &Probe) -> Option<&str> {
    let latest = probe.started_at.checked_add(AFTER_START).unwrap_or(probe.started_at);
    probe.high_water.as_deref().filter(|id| is_made_by(id, latest))
}

/// The list of the account's posts since an instant.
struct List {
    number: String,
    from: Timestamp,
}

impl List {
    /// Asks for the token's owner first: that gives the number by which the list is asked for, proves that
    /// the list is the right one, and tells the server's clock.
    async fn begin(on: &Session, api: &Api<'_>, since: Timestamp) -> Result<Self, Blind> {
        let (me, lead) = read(on, api.me()?).await?;
        let number = own_number(&me, api.name)?;
        let behind = lead.min(SignedDuration::ZERO);
        let from = since.checked_add(behind - SLACK).unwrap_or(since);
        Ok(Self { number, from })
    }

    /// All posts since then and above `mark`, and in how many answers they came.
    async fn read(
        &self,
        on: &Session,
        api: &Api<'_>,
        mark: Option<&str>,
        most_pages: u32,
    ) -> Result<(Vec<Listed>, u32), Blind> {
        let (mut posts, mut pages) = (Vec::new(), 0);
        match self.turn_pages(on, api, mark, most_pages, (&mut posts, &mut pages)).await {
            Ok(()) => Ok((posts, pages)),
            Err(blind) => Err(Blind { shown: posts.len(), pages, ..blind }),
        }
    }

    async fn turn_pages(
        &self,
        on: &Session,
        api: &Api<'_>,
        mark: Option<&str>,
        most_pages: u32,
        (posts, pages): (&mut Vec<Listed>, &mut u32),
    ) -> Result<(), Blind> {
        let mut before: Option<String> = None;
        for number in 1..=most_pages {
            *pages = number;
            let request = api.own_posts(&self.number, mark, before.as_deref())?;
            let (value, _) = read(on, request).await?;
            let page = page(api, &value)?;
            // A page may be short and the next one not: only an empty one is the end.
            let Some(oldest) = page.last() else { return Ok(()) };
            let reached = oldest.shown.receipt.published_at < self.from;
            before = Some(oldest.shown.receipt.remote_id.clone());
            let wanted = |post: &Post| post.shown.receipt.published_at >= self.from;
            posts.extend(page.into_iter().filter(wanted).map(|post| post.shown));
            if reached {
                return Ok(());
            }
        }
        Err(Blind::because("there are too many posts since then to look through"))
    }
}

/// The posts of one answer. Positive control: each must be whole and by the account that was asked for.
pub(super) fn page(api: &Api<'_>, value: &Value) -> Result<Vec<Post>, Blind> {
    let list = value.as_array().ok_or_else(|| Blind::because("the list of posts is no list"))?;
    let posts: Option<Vec<Post>> = list.iter().map(|value| api.post(value)).collect();
    let posts = posts.ok_or_else(|| Blind::because("a post in the list is not whole"))?;
    if posts.iter().all(|post| post.is_own) {
        Ok(posts)
    } else {
        Err(Blind::because("the list has posts of another account"))
    }
}

/// The number of the token's owner, when he is the right one.
pub(super) fn own_number(me: &Value, name: &str) -> Result<String, Blind> {
    let is_own = text_at(me, "acct").is_some_and(|acct| acct.eq_ignore_ascii_case(name));
    let number = text_at(me, "id").filter(|_| is_own);
    number.ok_or_else(|| Blind::because("the token answers for another account"))
}

/// An answer to a read, and how far the server's clock is ahead.
pub(super) async fn read(on: &Session, request: Request) -> Result<(Value, SignedDuration), Blind> {
    let answer = on.outbound.send(request).await;
    let answer = answer.map_err(|failure| Blind::because(describe(&failure)))?;
    let now = on.clock.now();
    let lead = clock_lead(&answer.headers, now);
    interpret(&answer, now).map(|value| (value, lead))
}

pub(super) fn interpret(answer: &Response, now: Timestamp) -> Result<Value, Blind> {
    if answer.status.is_success() {
        return serde_json::from_slice(&answer.body)
            .map_err(|_misread| Blind::because("the answer is not what was asked for"));
    }
    let Some(problem) = Problem::parse(answer) else {
        return Err(Blind::because(format!("status {}", answer.status.as_u16())));
    };
    let until = match problem.meaning() {
        Some(Meaning::RateLimited) => problem.deferral(answer, now).until,
        Some(Meaning::NotReady | Meaning::Refused(_)) | None => None,
    };
    Err(Blind { until, ..Blind::because(problem.said()) })
}
