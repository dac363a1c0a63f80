//! Looks for a post on X after doubt.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::api::{Api, Tweet, id_at, is_made_by, permalink, sent_text};
use super::classify::{Meaning, Problem, free_at};
use super::{Settings, post_settings, seen};
use crate::domain::attempt::Receipt;
use crate::domain::text::{alike, links, nfc, normalised};
use crate::outbound::{Request, Response};
use crate::platforms::outcome::{Lookup, Sighting};
use crate::platforms::session::{Metered, Place, Probe, Session};
use crate::platforms::wire::{Unsendable, clock_lead, describe, number_order, text_at};

/// How much earlier than the attempt a post may seem to be made, where no newer mark is known.
const SLACK: SignedDuration = SignedDuration::from_secs(120);

/// A mark may seem to be of so much later than what is given as the start: after a restore that lies
/// an hour before the backup.
const AFTER_START: SignedDuration = SignedDuration::from_hours(2);

/// 10 + 100 + 100 posts of one account since an attempt are not normal; a person must look.
const MOST_PAGES: usize = 3;

/// A read that says nothing.
pub(super) struct Blind {
    pub(super) detail: String,
    pub(super) until: Option<Timestamp>,
    /// How many posts of a list were shown all the same, and on how many of its pages.
    pub(super) shown: usize,
    pub(super) pages: u32,
}

impl From<Unsendable> for Blind {
    fn from(fault: Unsendable) -> Self {
        blind(&fault.refusal().detail)
    }
}

pub(super) fn blind(detail: &str) -> Blind {
    Blind { detail: detail.to_owned(), until: None, shown: 0, pages: 0 }
}

/// The usage headers of reads are left out: they carry the names of those of creates and would
/// block an account for the wrong window.
pub(super) async fn find(settings: &Settings, on: &Session, probe: &Probe) -> Metered<Lookup> {
    let value = look(settings, on, probe)
        .await
        .unwrap_or_else(|blind| Lookup::CannotSee { detail: blind.detail, until: blind.until });
    Metered { value, usage: Vec::new() }
}

async fn look(settings: &Settings, on: &Session, probe: &Probe) -> Result<Lookup, Blind> {
    let api = Api::of(settings, on);
    let search = Search { settings, handle: on.handle.as_deref(), user: api.user, probe };
    if let Some(verdict) = named(settings, on, &search).await? {
        return Ok(verdict);
    }
    let since = match mark(probe) {
        Some(mark) => Some(mark.to_owned()),
        None => since_start(on, &api, probe).await?,
    };
    let (tweets, _) = list(on, &api, since.as_deref(), MOST_PAGES).await?;
    Ok(search.verdict(&tweets, on.clock.now()))
}

/// The newest post before the attempt, when it can be that: one of the future would hide every post.
fn mark(probe: &Probe) -> Option<&str> {
    let latest = probe.started_at.checked_add(AFTER_START).unwrap_or(probe.started_at);
    probe.high_water.as_deref().filter(|id| is_made_by(id, latest))
}

/// The post whose id X answered with, when it is there. With another text than was sent it is a
/// person's to judge: X may have changed it, or named a wrong one.
async fn named(
    settings: &Settings,
    on: &Session,
    search: &Search<'_>,
) -> Result<Option<Lookup>, Blind> {
    let Some(id) = &search.probe.remote_id else { return Ok(None) };
    let seen = match seen::look(settings, on, id).await {
        Sighting::There(receipt) => receipt,
        Sighting::NotThere | Sighting::OfAnother => return Ok(None),
        // The list may show it later than it can be read by its id: it must not decide alone.
        Sighting::CannotSee(detail) => return Err(blind(&detail)),
    };
    if !search.is_newer(&seen.remote_id) || search.probe.taken.contains(&seen.remote_id) {
        return Ok(None);
    }
    let (value, _) = read(on, Api::of(settings, on).one(&seen.remote_id)?).await?;
    let same = value
        .get("data")
        .and_then(Tweet::from_json)
        .is_some_and(|it| search.is_match(&it) && search.is_whole(&it));
    Ok(Some(if same { Lookup::Found(seen) } else { Lookup::Several(vec![seen]) }))
}

/// Without a mark the attempt's start must do; then X's clock has to be known, and one more read
/// tells it, which proves the token's owner as well.
pub(super) async fn since_start(
    on: &Session,
    api: &Api<'_>,
    probe: &Probe,
) -> Result<Option<String>, Blind> {
    let (me, lead) = read(on, api.me()?).await?;
    let id = me.get("data").and_then(|user| text_at(user, "id"));
    if id.as_deref() != Some(api.user) {
        return Err(blind("the token answers for another account"));
    }
    let behind = lead.min(SignedDuration::ZERO);
    let from = probe.started_at.checked_add(behind - SLACK).unwrap_or(probe.started_at);
    Ok(id_at(from))
}

/// The posts since an id, and in how many answers they came.
pub(super) async fn list(
    on: &Session,
    api: &Api<'_>,
    since: Option<&str>,
    most_pages: usize,
) -> Result<(Vec<Tweet>, u32), Blind> {
    let (mut tweets, mut pages) = (Vec::new(), 0);
    match turn_pages(on, api, since, most_pages, (&mut tweets, &mut pages)).await {
        Ok(()) => Ok((tweets, pages)),
        // They were shown, and are paid for, all the same.
        Err(blind) => Err(Blind { shown: tweets.len(), pages, ..blind }),
    }
}

async fn turn_pages(
    on: &Session,
    api: &Api<'_>,
    since: Option<&str>,
    most_pages: usize,
    (tweets, pages): (&mut Vec<Tweet>, &mut u32),
) -> Result<(), Blind> {
    let mut after: Option<String> = None;
    for number in (1..).take(most_pages) {
        *pages = number;
        let (value, _) = read(on, api.own_posts(since, after.as_deref())?).await?;
        tweets.extend(page(&value, api.user)?);
        after = value.pointer("/meta/next_token").and_then(Value::as_str).map(str::to_owned);
        if after.is_none() {
            return Ok(());
        }
    }
    Err(blind("there are too many posts since then to look through"))
}

/// The posts of one answer. Positive control: X leaves `data` out when there is nothing, so an
/// empty answer must say so itself, and every post must be by the account that was asked for.
pub(super) fn page(value: &Value, user: &str) -> Result<Vec<Tweet>, Blind> {
    let Some(data) = value.get("data") else {
        let none = value.pointer("/meta/result_count").and_then(Value::as_u64) == Some(0);
        let whole = none && value.get("errors").is_none();
        return if whole { Ok(Vec::new()) } else { Err(blind("the list of posts is incomplete")) };
    };
    let data = data.as_array().ok_or_else(|| blind("the list of posts is no list"))?;
    let tweets: Option<Vec<Tweet>> = data.iter().map(Tweet::from_json).collect();
    let tweets = tweets.ok_or_else(|| blind("a post in the list has no id or text"))?;
    if tweets.iter().all(|tweet| tweet.author.as_deref() == Some(user)) {
        Ok(tweets)
    } else {
        Err(blind("the list has posts of another account, or does not say whose they are"))
    }
}

pub(super) async fn read(on: &Session, request: Request) -> Result<(Value, SignedDuration), Blind> {
    let answer = on.outbound.send(request).await.map_err(|failure| blind(&describe(&failure)))?;
    let now = on.clock.now();
    let lead = clock_lead(&answer.headers, now);
    interpret(&answer, now).map(|value| (value, lead))
}

pub(super) fn interpret(answer: &Response, now: Timestamp) -> Result<Value, Blind> {
    if answer.status.is_success() {
        let parsed = serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object);
        return parsed.ok_or_else(|| blind("the answer is not what was asked for"));
    }
    let Some(problem) = Problem::parse(answer) else {
        return Err(blind(&format!("status {}", answer.status.as_u16())));
    };
    let until = match problem.meaning() {
        Some(Meaning::RateLimited) => free_at(answer, now).0,
        Some(Meaning::Capped | Meaning::Refused(_)) | None => None,
    };
    Err(Blind { until, ..blind(&format!("{} {}", problem.word(), problem.said())) })
}

/// What is looked for.
pub(super) struct Search<'a> {
    pub(super) settings: &'a Settings,
    pub(super) handle: Option<&'a str>,
    pub(super) user: &'a str,
    pub(super) probe: &'a Probe,
}

impl Search<'_> {
    /// A wrong "no" can send a post twice, a wrong "yes" is seen by a person; so what X does not
    /// say never excludes a post.
    fn is_match(&self, tweet: &Tweet) -> bool {
        let placed = match &self.probe.place {
            Place::First => true,
            // What does not say that it is an answer is a person's to judge.
            Place::Under(_) | Place::UnderSome => tweet.above.is_some(),
        };
        placed && self.can_be(tweet) && self.same_text(tweet)
    }

    /// Whether it stands where it was to stand, by what X says.
    fn same_place(&self, tweet: &Tweet) -> bool {
        tweet.above.as_ref().is_none_or(|above| match &self.probe.place {
            Place::First => false,
            Place::Under(id) => above == id,
            Place::UnderSome => true,
        })
    }

    /// Whatever it says.
    fn can_be(&self, tweet: &Tweet) -> bool {
        let same_media = tweet.media.is_none_or(|count| count == self.probe.media_count)
            && !(tweet.has_poll && self.has_poll() == Some(false));
        tweet.author.as_deref() == Some(self.user)
            && self.same_place(tweet)
            && same_media
            && self.is_newer(&tweet.id)
            && !self.probe.taken.contains(&tweet.id)
    }

    fn has_poll(&self) -> Option<bool> {
        post_settings::has_poll(&self.probe.settings)
    }

    /// Whether all of it is there by what X says. A poll that it does not speak of is a person's to look for.
    fn is_whole(&self, tweet: &Tweet) -> bool {
        tweet.has_poll || self.has_poll() != Some(true)
    }

    /// Nothing has the text that was sent; what may be it, rewritten, is a person's to judge.
    fn similar(&self, tweets: &[Tweet], now: Timestamp) -> Lookup {
        let sent = sent_text(&self.probe.text, self.probe.link.as_deref());
        let is_similar = |tweet: &&Tweet| {
            let (read, all_known) = expanded(tweet, self.probe.media_count > 0);
            // X takes no links away and says where they lead.
            let same_links = !all_known || addresses(&sent) == addresses(&read);
            self.can_be(tweet) && same_links && alike(&sent, &read)
        };
        let similar: Vec<Receipt> =
            tweets.iter().filter(is_similar).map(|tweet| self.receipt(tweet, now)).collect();
        if similar.is_empty() { Lookup::Absent } else { Lookup::Similar(similar) }
    }

    fn is_newer(&self, id: &str) -> bool {
        mark(self.probe).is_none_or(|mark| number_order(id, mark).is_gt())
    }

    fn same_text(&self, tweet: &Tweet) -> bool {
        let sent = nfc(&sent_text(&self.probe.text, self.probe.link.as_deref()));
        let (read, all_known) = expanded(tweet, self.probe.media_count > 0);
        if canonical(&sent) == canonical(&read) {
            return true;
        }
        // Short addresses that X does not resolve can stand for any link, but only for a link.
        !all_known && without_links(&sent) == without_links(&read)
    }

    pub(super) fn verdict(&self, tweets: &[Tweet], now: Timestamp) -> Lookup {
        let mut matches: Vec<&Tweet> = Vec::new();
        for tweet in tweets.iter().filter(|tweet| self.is_match(tweet)) {
            if !matches.iter().any(|seen| seen.id == tweet.id) {
                matches.push(tweet);
            }
        }
        match matches.as_slice() {
            [] => self.similar(tweets, now),
            // Two without a text are alike whatever they show.
            [tweet]
                if !sent_text(&self.probe.text, self.probe.link.as_deref()).is_empty()
                    && self.is_whole(tweet) =>
            {
                Lookup::Found(self.receipt(tweet, now))
            }
            several => {
                Lookup::Several(several.iter().map(|tweet| self.receipt(tweet, now)).collect())
            }
        }
    }

    pub(super) fn receipt(&self, tweet: &Tweet, now: Timestamp) -> Receipt {
        Receipt {
            permalink: permalink(self.settings, self.handle, &tweet.id),
            published_at: tweet.published_at(now),
            remote_id: tweet.id.clone(),
        }
    }
}

/// The text with its short addresses replaced by what they stand for, the link of attached media
/// dropped; and whether all of them were known.
fn expanded(tweet: &Tweet, has_media: bool) -> (String, bool) {
    let mut text = nfc(&tweet.text);
    for link in &tweet.links {
        text = text.replace(&link.short, link.target.as_deref().unwrap_or_default());
    }
    let is_short =
        |link: &str| link.starts_with("https://t.co/") || link.starts_with("http://t.co/");
    let unknown: Vec<_> = links(&text)
        .into_iter()
        .filter(|link| text.get(link.start..link.end).is_some_and(is_short))
        .collect();
    let dropped = tweet.links.iter().any(|link| link.target.is_none());
    match unknown.last() {
        // The one at the very end is that of the media, when X did not say so.
        Some(last) if has_media && !dropped && text.trim_end().len() == last.end => {
            text.truncate(last.start);
            (text, unknown.len() == 1)
        }
        Some(_) => (text, false),
        None => (text, true),
    }
}

/// For comparing: X adds a scheme to bare addresses, and a slash or small letters to a host.
fn canonical(text: &str) -> String {
    rewritten(text, address)
}

fn address(link: &str) -> String {
    let whole = if link.contains("://") { link.to_owned() } else { format!("https://{link}") };
    // Hosts in other scripts have two spellings, and so has a path.
    let parsed = url::Url::parse(&whole).ok();
    let link = parsed.as_ref().map_or(link, url::Url::as_str);
    let bare = link.split_once("://").map_or(link, |(_, rest)| rest);
    let host = bare.find(['/', '?', '#', ':']).unwrap_or(bare.len());
    let (host, rest) = bare.split_at(host);
    format!("{}{}", host.to_lowercase(), rest.trim_end_matches('/'))
}

/// Where a text leads to, in order.
fn addresses(text: &str) -> Vec<String> {
    let found = links(text).into_iter();
    found.filter_map(|link| text.get(link.start..link.end).map(address)).collect()
}

fn without_links(text: &str) -> String {
    rewritten(text, |_| "\u{fffc}".to_owned())
}

fn rewritten(text: &str, rewrite: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for link in links(text) {
        out.push_str(text.get(from..link.start).unwrap_or_default());
        out.push_str(&rewrite(text.get(link.start..link.end).unwrap_or_default()));
        from = link.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    normalised(&out)
}

#[cfg(test)]
#[path = "tests/find.rs"]
mod tests;
