//! Reads accounts through whose last posts the database may not know: it came back from a backup, or has
//! lost its last commits. What is still to be sent by what it knows may have been moved and sent since.
//!
//! Nothing is concluded from a read that fails or is not whole, and none is made before whoever was
//! sending has certainly ended. What looks like a delivery that is still to be sent is put before a person;
//! what looks like none is kept, to be shown: nobody here knows it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::place::places;
use super::quarantine::{self, Seen};
use super::{Tools, looks};
use crate::clock::after;
use crate::domain::attempt::Receipt;
use crate::domain::audit::NewEntry;
use crate::domain::id::{AccountId, DeliveryId};
use crate::domain::work;
use crate::platforms::outcome::{Lookup, Reading};
use crate::platforms::session::{Gap, Metered, Sent};
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, SET_ASIDE, Settled, Settlement, Verdict, Work};
use crate::store::jobs::{Claimed, Ending};
use crate::store::quarantine::SentPerhaps;
use crate::store::read_backs::{self as rows, ToRead};
use crate::store::{Error, Tx, audit, outcomes};

/// Accounts that are read at once.
const READERS: usize = 4;
/// Posts of one account that are kept to be shown.
const KEPT: usize = 100;
/// However long the platform wants to be left alone: a person waits for the answer.
const LONGEST_WAIT: Duration = Duration::from_mins(30);

/// The kind of work that reads.
#[derive(Debug)]
pub struct ReadBack {
    tools: Tools,
}

/// An account and what its posts are compared with.
#[derive(Debug)]
pub struct Errand {
    account: ToRead,
    /// In the order of what the gap has waiting, each with the first part of its post, if it is not that.
    to_come: Vec<(DeliveryId, Option<DeliveryId>)>,
    gap: Gap,
}

/// What an account shows, without what belongs to deliveries.
#[derive(Debug, Default)]
struct Shown {
    /// Posts that look like what is still to be sent.
    alike: HashMap<DeliveryId, Vec<Receipt>>,
    /// Posts that look like nothing.
    not_known: Vec<Receipt>,
}

impl ReadBack {
    /// Reads with these tools.
    pub fn new(tools: Tools) -> Self {
        Self { tools }
    }

    async fn admit_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Vec<Admission<Errand>>, Error> {
        let ids: Vec<Option<AccountId>> = jobs.iter().map(account_of).collect();
        let named: Vec<AccountId> = ids.iter().flatten().cloned().collect();
        let mut accounts: HashMap<AccountId, ToRead> = rows::prepare(tx, &named)
            .await?
            .into_iter()
            .map(|account| (account.account_id.clone(), account))
            .collect();
        let mut admissions = Vec::with_capacity(jobs.len());
        for id in ids {
            let Some(account) = id.and_then(|id| accounts.remove(&id)) else {
                admissions.push(Admission::Not(Ending::Done, "nothing to read".to_owned()));
                continue;
            };
            let until = self.until(&account);
            admissions.push(match self.wait(&account, now) {
                Some((later, why)) => Admission::Not(Ending::Again(later), why),
                None => Admission::Run(errand(tx, account, until).await?),
            });
        }
        looks::spare(&self.tools, tx, now, jobs, &mut admissions).await?;
        looks::made(&self.tools, tx, now, jobs, &admissions).await?;
        Ok(admissions)
    }

    /// When whoever was sending for it has certainly ended, and lists show what he has sent.
    fn until(&self, account: &ToRead) -> Timestamp {
        let pace = &self.tools.pace;
        let quiet = pace.quiet_wait.of(&account.platform);
        after(account.begun_at, pace.lease + pace.request_timeout + quiet)
    }

    /// Why it is not read yet, and until when.
    fn wait(&self, account: &ToRead, now: Timestamp) -> Option<(Timestamp, String)> {
        let until = self.until(account);
        if now < until {
            return Some((until, "what was sent last may not be shown yet".to_owned()));
        }
        if account.unsettled {
            let soon = after(now, self.tools.pace.quiet_wait.of(&account.platform) / 6);
            return Some((soon, "deliveries of it are still being looked for".to_owned()));
        }
        let brake = self.tools.time_brake(&account.platform)?;
        Some((brake.until, brake.detail))
    }

    async fn read(&self, errand: &Errand) -> Metered<Reading> {
        let cannot_see = |detail: &str| Metered {
            value: Reading::CannotSee {
                detail: detail.to_owned(),
                until: None,
                shown: 0,
                pages: 0,
            },
            usage: Vec::new(),
        };
        let ToRead { platform, remote_id, handle, credential, .. } = &errand.account;
        let Some(known) = self.tools.platforms.get(platform) else {
            return cannot_see("this build does not have the platform");
        };
        let Some(credential) = credential else {
            return cannot_see("the account has no credential; connect it again");
        };
        match self.tools.session_of(platform, remote_id, handle.as_ref(), credential) {
            Ok(session) => known.read_back(&session, &errand.gap).await,
            Err(_sealed) => cannot_see("the account's credential does not open"),
        }
    }

    async fn settle_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        done: &[Settled<Errand, Metered<Reading>>],
    ) -> Result<Settlement, Error> {
        let mut settlement = Settlement::default();
        let mut entries = Vec::new();
        for one in done {
            let verdict = self.settle_one(tx, now, one, &mut entries).await?;
            settlement.verdicts.push(verdict);
        }
        looks::count_readings(&self.tools, tx, now, done).await?;
        audit::append(tx, &entries, now);
        Ok(settlement)
    }

    async fn settle_one(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        one: &Settled<Errand, Metered<Reading>>,
        entries: &mut Vec<NewEntry>,
    ) -> Result<Verdict, Error> {
        let account = &one.item.account;
        let (posts, lookups) = match &one.report.value {
            Reading::CannotSee { detail, until, .. } => {
                tracing::warn!(account.id = %account.account_id, detail, "an account was not read");
                let why = detail.replace('\0', "");
                rows::failed(tx, &account.account_id, account.begun_at, &why).await?;
                return Ok(Verdict::again(self.next(account, *until, now), why));
            }
            Reading::Whole { posts, lookups, .. } => (posts, lookups),
        };
        let posts: Vec<&Receipt> = posts.iter().map(|it| &it.receipt).collect();
        let shown = shown(tx, &one.item, &posts, lookups).await?;
        let ids: Vec<&DeliveryId> = shown.alike.keys().collect();
        let asked: Vec<(SentPerhaps, Seen)> = rows::still_to_come(tx, &ids)
            .await?
            .into_iter()
            .filter_map(|it| {
                let seen = seen(shown.alike.get(&it.id)?);
                Some((it, seen))
            })
            .collect();
        let count = i64::try_from(shown.not_known.len()).unwrap_or(i64::MAX);
        let kept = shown.not_known.get(..KEPT).unwrap_or(&shown.not_known);
        if !rows::done(tx, account, kept, count, now).await? {
            return Ok(Verdict::again(now, "another quarantine has begun"));
        }
        tracing::info!(
            account.id = %account.account_id, asked = asked.len(), not_known = count,
            "an account was read through"
        );
        entries.push(read_through(&one.item, asked.len(), count));
        entries.extend(quarantine::put_before_person(tx, &asked, one.item.gap.since, now).await?);
        Ok(Verdict::DONE)
    }

    fn next(&self, account: &ToRead, until: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let failures = u32::try_from(account.tries + 1).unwrap_or(u32::MAX);
        let wait = after(now, self.tools.pace.back_off.wait(failures, rand::random()));
        let believed = until.map(|until| until.min(after(now, LONGEST_WAIT)));
        believed.map_or(wait, |until| until.max(wait))
    }

    /// Reading may be repeated, but not when it is what kills the process.
    async fn lose_all(tx: &mut Tx, now: Timestamp, jobs: &[Claimed]) -> Result<Settlement, Error> {
        let lost = jobs.iter().filter(|job| job.losses >= SET_ASIDE);
        let named: Vec<AccountId> = lost.filter_map(account_of).collect();
        for account in rows::prepare(tx, &named).await? {
            let why = "the process was lost three times while it was read; it is not read again";
            rows::failed(tx, &account.account_id, account.begun_at, why).await?;
        }
        let soon = after(now, Duration::from_secs(1));
        let verdicts =
            jobs.iter().map(|job| Verdict::lost(job, soon, "lost while reading")).collect();
        Ok(Settlement { verdicts, enqueued: Vec::new() })
    }
}

fn account_of(job: &Claimed) -> Option<AccountId> {
    let payload: work::ReadBack = serde_json::from_value(job.payload.clone()).ok()?;
    Some(payload.account_id)
}

async fn errand(tx: &mut Tx, account: ToRead, until: Timestamp) -> Result<Errand, Error> {
    let id = &account.account_id;
    let taken = rows::known(tx, id, account.since).await?;
    let (mut to_come, mut waiting) = (Vec::new(), Vec::new());
    for one in rows::to_come(tx, id, account.begun_at).await? {
        waiting.push(Sent {
            delivery: Some(one.id.clone()),
            media_count: one.content.media.len(),
            film: one.content.has_film(),
            text: one.content.text,
            link: one.content.link,
            follows: one.root.is_some(),
        });
        to_come.push((one.id, one.root));
    }
    let gap = Gap { since: account.since, until, taken, waiting };
    Ok(Errand { account, to_come, gap })
}

/// Sorts what was read. What has become a delivery's while it was read is known by now.
async fn shown(
    tx: &mut Tx,
    errand: &Errand,
    posts: &[&Receipt],
    lookups: &[Lookup],
) -> Result<Shown, Error> {
    let account = &errand.account.account_id;
    let alike = lookups.iter().flat_map(candidates);
    let ids: Vec<(&AccountId, &str)> =
        posts.iter().copied().chain(alike).map(|post| (account, post.remote_id.as_str())).collect();
    let taken: HashSet<String> =
        outcomes::taken(tx, &ids).await?.into_iter().map(|(_, id)| id).collect();
    let free = |post: &&Receipt| !taken.contains(&post.remote_id);
    let mut shown = Shown::default();
    for ((id, root), lookup) in errand.to_come.iter().zip(lookups) {
        let alike: Vec<Receipt> = candidates(lookup).iter().filter(free).map(storable).collect();
        // If the first part is out, so may be those that follow it, whether lists show them or not.
        let first = || root.as_ref().and_then(|root| shown.alike.get(root)).cloned();
        if let Some(alike) = (!alike.is_empty()).then_some(alike).or_else(first) {
            shown.alike.insert(id.clone(), alike);
        }
    }
    let alike: HashSet<&str> =
        shown.alike.values().flatten().map(|post| post.remote_id.as_str()).collect();
    let is_new = |post: &&Receipt| free(post) && !alike.contains(post.remote_id.as_str());
    shown.not_known = posts.iter().copied().filter(is_new).map(storable).collect();
    Ok(shown)
}

/// A post as it may be kept: what a platform calls its address can be anything.
pub(super) fn storable(post: &Receipt) -> Receipt {
    let permalink = post.permalink.clone().filter(|link| !link.contains(char::is_control));
    Receipt { permalink, ..post.clone() }
}

/// The posts that may be the delivery: one that is alike is a question, too.
fn candidates(lookup: &Lookup) -> &[Receipt] {
    match lookup {
        Lookup::Found(post) => std::slice::from_ref(post),
        Lookup::Several(posts) | Lookup::Similar(posts) => posts,
        Lookup::Absent
        | Lookup::Processing { .. }
        | Lookup::NotPublic
        | Lookup::Failed(_)
        | Lookup::CannotSee { .. } => &[],
    }
}

fn seen(posts: &[Receipt]) -> Seen {
    let detail = format!(
        "a post like this one is out already, which the database does not know; it may have been moved \
         and sent before the database was lost: {}",
        places(posts)
    );
    Seen { ids: posts.iter().map(|post| post.remote_id.clone()).collect(), detail }
}

fn read_through(errand: &Errand, asked: usize, not_known: i64) -> NewEntry {
    NewEntry {
        actor: "engine".to_owned(),
        action: "account.read_back".to_owned(),
        subject: errand.account.account_id.to_string(),
        detail: json!({
            "since": errand.gap.since, "until": errand.gap.until,
            "compared": errand.to_come.len(), "asked": asked, "not_known": not_known,
        }),
    }
}

impl Work for ReadBack {
    const KIND: &'static str = work::READ_BACK;
    type Item = Errand;
    type Report = Metered<Reading>;

    fn lookahead(&self) -> Duration {
        Duration::ZERO
    }

    fn least_lease(&self) -> Duration {
        self.tools.pace.request_timeout
    }

    fn workers(&self) -> usize {
        READERS
    }

    fn knows_time(&self) -> bool {
        self.tools.steady.is_vouched_for()
    }

    fn admit<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Vec<Admission<Errand>>, Error>> {
        Box::pin(self.admit_all(tx, now, jobs))
    }

    fn run<'a>(&'a self, _: &'a Claimed, errand: &'a Errand, _: Pass) -> Later<'a, Self::Report> {
        Box::pin(self.read(errand))
    }

    fn settle<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<Errand, Self::Report>],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(self.settle_all(tx, now, done))
    }

    fn lost<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(Self::lose_all(tx, now, jobs))
    }

    fn aside<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(Self::lose_all(tx, now, jobs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_no_database_keeps_is_left_out() {
        let published_at = Timestamp::UNIX_EPOCH;
        let post = |link: &str| Receipt {
            remote_id: "1".to_owned(),
            permalink: Some(link.to_owned()),
            published_at,
        };
        let good = post("https://x.com/i/status/1");
        assert_eq!(storable(&good), good);
        for bad in ["https://x.com/\0", "https://x.com/\n"] {
            assert_eq!(storable(&post(bad)), Receipt { permalink: None, ..good.clone() });
        }
    }
}
