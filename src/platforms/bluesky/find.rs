//! Looks for a post on Bluesky after doubt, by its key, and reads the posts of a gap.

use jiff::SignedDuration;
use serde_json::Value;

use super::api::Api;
use super::classify::{Meaning, Problem};
use super::entry::control;
use super::record::{Kept, kept, text_of};
use super::{Desk, key};
use crate::domain::text::normalised;
use crate::outbound::{Request, Response};
use crate::platforms::matching::{Blind, Listed, reading};
use crate::platforms::outcome::{Lookup, Reading, Shown};
use crate::platforms::session::{Gap, Metered, Probe, Sent, Session};
use crate::platforms::wire::{clock_lead, describe, text_at};

/// How much earlier than the gap a post may seem to be made.
const SLACK: SignedDuration = SignedDuration::from_secs(120);

/// 30 * 100 posts in a gap are not normal; a person must look.
const MOST_PAGES: u32 = 30;

/// The usage headers of reads are left out: they count calls, and those of creates points.
pub(super) async fn find(desk: &Desk, on: &Session, probe: &Probe) -> Metered<Lookup> {
    let value = look(desk, on, probe).await.unwrap_or_else(Lookup::from);
    Metered { value, usage: Vec::new() }
}

async fn look(desk: &Desk, on: &Session, probe: &Probe) -> Result<Lookup, Blind> {
    let api = Api::of(desk, on)?;
    let delivery = probe.delivery.as_ref();
    let key = key::of(delivery.ok_or_else(|| Blind::because("it is not said which delivery"))?);
    if let Some(post) = one(desk, on, &api, &key).await? {
        return Ok(judge(&post, &probe.text, probe.link.as_deref(), probe.media_count));
    }
    control(desk, on, &api).await?;
    Ok(Lookup::Absent)
}

/// What is under the delivery's key was made by it. With another text it is a person's to judge.
fn judge(post: &Kept, text: &str, link: Option<&str>, pictures: usize) -> Lookup {
    let sent = normalised(&text_of(text, link, pictures));
    let same_link = pictures > 0 || post.link.as_deref() == link;
    let receipt = post.shown.receipt.clone();
    if sent == normalised(&post.shown.text) && post.shown.media == pictures && same_link {
        Lookup::Found(receipt)
    } else {
        Lookup::Several(vec![receipt])
    }
}

/// The post under a key; `None` when the server says that there is none.
pub(super) async fn one(
    desk: &Desk,
    on: &Session,
    api: &Api<'_>,
    key: &str,
) -> Result<Option<Kept>, Blind> {
    let answer = on.outbound.send(api.one(key)?).await;
    let answer = answer.map_err(|failure| Blind::because(describe(&failure)))?;
    let missing = || Problem::parse(&answer)?.meaning();
    if !answer.status.is_success() && missing() == Some(Meaning::Missing) {
        return Ok(None);
    }
    let value = interpret(&answer, on)?;
    let post = kept(&desk.settings, api.account, &value).filter(|post| post.key == key);
    post.map(Some).ok_or_else(|| Blind::because("the answer shows another post, or none"))
}

/// The posts of one page of the list, and where the next begins.
pub(super) async fn page(
    desk: &Desk,
    on: &Session,
    request: Request,
    api: &Api<'_>,
) -> Result<(Vec<Kept>, Option<String>), Blind> {
    let answer = on.outbound.send(request).await;
    let answer = answer.map_err(|failure| Blind::because(describe(&failure)))?;
    let value = interpret(&answer, on)?;
    let list = value.get("records").and_then(Value::as_array);
    let list = list.ok_or_else(|| Blind::because("the list of posts is no list"))?;
    let posts: Option<Vec<Kept>> =
        list.iter().map(|entry| kept(&desk.settings, api.account, entry)).collect();
    let posts =
        posts.ok_or_else(|| Blind::because("a record in the list is no post of the account"))?;
    Ok((posts, text_at(&value, "cursor").filter(|cursor| !cursor.is_empty())))
}

pub(super) fn interpret(answer: &Response, on: &Session) -> Result<Value, Blind> {
    if answer.status.is_success() {
        let parsed = serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object);
        return parsed.ok_or_else(|| Blind::because("the answer is not what was asked for"));
    }
    let Some(problem) = Problem::parse(answer) else {
        return Err(Blind::because(format!("status {}", answer.status.as_u16())));
    };
    let until = match problem.meaning() {
        Some(Meaning::RateLimited) => problem.deferral(answer, on.clock.now()).until,
        Some(Meaning::Ended | Meaning::Missing | Meaning::Refused(_)) | None => None,
    };
    Err(Blind { until, ..Blind::because(problem.said()) })
}

/// Reads all posts of a gap: those whose keys say that they were entered since, and those of the
/// deliveries that are still to be sent, whose keys are known and may be older.
pub(super) async fn read_back(desk: &Desk, on: &Session, gap: &Gap) -> Metered<Reading> {
    let value = look_back(desk, on, gap).await.unwrap_or_else(Reading::from);
    Metered { value, usage: Vec::new() }
}

async fn look_back(desk: &Desk, on: &Session, gap: &Gap) -> Result<Reading, Blind> {
    let api = Api::of(desk, on)?;
    let answer = control(desk, on, &api).await?;
    let behind = clock_lead(&answer.headers, on.clock.now()).min(SignedDuration::ZERO);
    let from = gap.since.checked_add(behind - SLACK).unwrap_or(gap.since);
    let (mut posts, mut pages) = (Vec::new(), 0);
    let mut before: Option<String> = None;
    let seen = |posts: &[Listed], pages, blind| Blind { shown: posts.len(), pages, ..blind };
    loop {
        pages += 1;
        if pages > MOST_PAGES {
            let why = "there are too many posts since then to look through";
            return Err(seen(&posts, MOST_PAGES, Blind::because(why)));
        }
        let request = api.list(before.as_deref())?;
        let read = page(desk, on, request, &api).await;
        let (page, next) = read.map_err(|blind| seen(&posts, pages, blind))?;
        let older = |post: &Kept| key::made_at(&post.key).is_some_and(|at| at < from);
        let reached = page.iter().any(older);
        let said_since = |post: &Kept| post.shown.receipt.published_at >= from;
        let wanted = page.into_iter().filter(|post| !older(post) || said_since(post));
        posts.extend(wanted.map(|post| post.shown));
        before = next;
        if reached || before.is_none() {
            break;
        }
    }
    let form = |sent: &Sent| text_of(&sent.text, sent.link.as_deref(), sent.media_count);
    let whole = reading(gap, posts, pages, form).await;
    named(desk, on, &api, gap, whole).await
}

/// What is under the key of a delivery that is still to be sent is that delivery's, whatever else is alike.
async fn named(
    desk: &Desk,
    on: &Session,
    api: &Api<'_>,
    gap: &Gap,
    reading: Reading,
) -> Result<Reading, Blind> {
    let Reading::Whole { mut posts, mut lookups, mut shown, pages } = reading else {
        return Ok(reading);
    };
    for (sent, lookup) in gap.waiting.iter().zip(&mut lookups) {
        let Some(delivery) = &sent.delivery else { continue };
        let Some(post) = one(desk, on, api, &key::of(delivery)).await? else { continue };
        *lookup = judge(&post, &sent.text, sent.link.as_deref(), sent.media_count);
        if !posts.iter().any(|seen| seen.receipt.remote_id == post.key) {
            shown += 1;
            posts.push(Shown { receipt: post.shown.receipt, text: post.shown.text });
        }
    }
    Ok(Reading::Whole { posts, lookups, shown, pages })
}
