//! Reads accounts for posts that did not come from here: somebody may have got hold of one. What nobody
//! here knows is kept, and people are told of it once.
//!
//! A post of ours must never be taken for a foreign one. So nothing is concluded from a read that fails or
//! is not whole, the next one begins before the end of the last, and what may be a delivery's whose
//! outcome is not known yet is judged when it is.

mod judge;
pub mod plan;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use self::judge::{Account, Fate, Window};
use super::credentials::account_entry;
use super::read_back::storable;
use super::{Tools, looks, money, verify};
use crate::clock::{after, before};
use crate::domain::attempt::Receipt;
use crate::domain::audit::NewEntry;
use crate::domain::foreign::excerpt;
use crate::domain::id::{AccountId, DeliveryId, ForeignPostId, PersonId};
use crate::domain::outbox::Occasion;
use crate::domain::variant::Content;
use crate::domain::work;
use crate::platforms::outcome::{Lookup, Reading, Shown};
use crate::platforms::session::{Gap, Metered, Sent};
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, SET_ASIDE, Settled, Settlement, Verdict, Work};
use crate::queue::retry::BackOff;
use crate::store::after::WentOut;
use crate::store::foreign::{self as rows, NewPost, ToRead};
use crate::store::jobs::{Claimed, Ending, NewJob, enqueue};
use crate::store::{Error, Tx, accounts, audit, outcomes};

/// Accounts of a platform that are read at once: few, since nobody waits for it.
const READERS: usize = 2;
/// A reading begins so long before the end of the last one: lists show late what was made.
const OVERLAP: Duration = Duration::from_hours(1);
/// What was made so shortly before a reading is judged by the next one: it may be made by a delivery that
/// has begun and ended since the reading was prepared.
const A_MOMENT: Duration = Duration::from_secs(10);
/// What a list does not show so long after it went out is looked for. Lists were seen to lag by up to
/// 20 minutes.
const LAG: Duration = Duration::from_mins(30);
/// Clocks differ by less while anything is read.
const EDGE: Duration = Duration::from_mins(1);
/// What goes out is due at most so long before: it may have been held.
const HELD: Duration = Duration::from_hours(24 * 30);
/// Between readings that could not see.
const BACK_OFF: BackOff = BackOff { first: Duration::from_mins(5), most: Duration::from_hours(6) };
/// How long a reading waits for which there is no money.
const BROKE: Duration = Duration::from_hours(6);
/// How long one waits while the database is one that came back.
const QUARANTINED: Duration = Duration::from_mins(5);
/// Ids that a message names at most.
const NAMED: usize = 20;

/// The kind of work that reads.
#[derive(Debug)]
pub struct Foreign {
    tools: Tools,
    /// Whether what a list does not show any more is looked for.
    looks: bool,
}

/// A delivery of an account that a post may be.
#[derive(Debug)]
struct Kin {
    id: DeliveryId,
    /// Its id at the platform, and since when it is out, where that is known.
    out: Option<(String, Timestamp)>,
}

/// An account that is read, and what may be found there.
#[derive(Debug)]
pub struct Errand {
    account: ToRead,
    /// In the order of what the gap has waiting.
    kin: Vec<Kin>,
    gap: Gap,
}

impl Errand {
    /// Up to where it is judged.
    fn until(&self) -> Timestamp {
        before(self.gap.until, A_MOMENT)
    }
}

/// Everything that follows from some readings.
#[derive(Debug, Default)]
struct Outcome {
    entries: Vec<NewEntry>,
    jobs: Vec<NewJob>,
    verdicts: Vec<Verdict>,
}

impl Foreign {
    /// Reads with these tools; `looks` lets it be looked for what a list does not show any more.
    pub fn new(tools: Tools, looks: bool) -> Self {
        Self { tools, looks }
    }

    async fn admit_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Vec<Admission<Errand>>, Error> {
        let ids: Vec<Option<AccountId>> = jobs.iter().map(account_of).collect();
        let named: Vec<AccountId> = ids.iter().flatten().cloned().collect();
        let mut known: HashMap<AccountId, ToRead> = rows::prepare(tx, &named)
            .await?
            .into_iter()
            .map(|account| (account.account_id.clone(), account))
            .collect();
        let mut admissions = Vec::with_capacity(jobs.len());
        for id in ids {
            let Some(account) = id.and_then(|id| known.remove(&id)) else {
                admissions.push(Admission::Not(Ending::Done, "nothing to read".to_owned()));
                continue;
            };
            admissions.push(match self.wait(&account, now) {
                Some((until, why)) => Admission::Not(Ending::Again(until), why),
                None => Admission::Run(errand(tx, account, now).await?),
            });
        }
        looks::spare(&self.tools, tx, now, jobs, &mut admissions).await?;
        self.afford(tx, now, jobs, &mut admissions).await?;
        looks::made(&self.tools, tx, now, jobs, &admissions).await?;
        Ok(admissions)
    }

    /// Why an account is not read now, and until when.
    fn wait(&self, account: &ToRead, now: Timestamp) -> Option<(Timestamp, String)> {
        if account.quarantined {
            let why = "nobody knows yet what was sent before the database came back";
            return Some((after(now, QUARANTINED), why.to_owned()));
        }
        let brake = self.tools.time_brake(&account.platform)?;
        Some((brake.until, brake.detail))
    }

    /// Puts off readings for which no money is left; what they show is charged when they are made.
    async fn afford(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
        admissions: &mut [Admission<Errand>],
    ) -> Result<(), Error> {
        let mut beside: BTreeMap<&str, usize> = BTreeMap::new();
        for (job, admission) in jobs.iter().zip(admissions) {
            if !matches!(admission, Admission::Run(_)) {
                continue;
            }
            let pool = work::pool(&job.slot);
            let readings = beside.entry(pool).or_default();
            if money::affords_look(&self.tools, tx, now, (pool, *readings)).await? {
                *readings += 1;
            } else {
                let why = "no money is left for looks".to_owned();
                *admission = Admission::Not(Ending::Again(after(now, BROKE)), why);
            }
        }
        Ok(())
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
        let mut outcome = Outcome::default();
        for one in done {
            self.settle_one(tx, now, one, &mut outcome).await?;
        }
        looks::count_readings(&self.tools, tx, now, done).await?;
        audit::append(tx, &outcome.entries, now);
        enqueue(tx, &outcome.jobs, now).await?;
        Ok(Settlement { verdicts: outcome.verdicts, enqueued: outcome.jobs })
    }

    async fn settle_one(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        one: &Settled<Errand, Metered<Reading>>,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let account = &one.item.account;
        let count = |word: &'static str| {
            let platform = account.platform.clone();
            metrics::counter!("chancery_foreign_reads_total", "platform" => platform, "outcome" => word)
                .increment(1);
        };
        let (posts, lookups) = match &one.report.value {
            Reading::CannotSee { detail, until, .. } => {
                tracing::warn!(account.id = %account.account_id, detail, "an account was not read");
                count("unseen");
                let why = detail.replace('\0', "");
                outcome.verdicts.push(Verdict::again(next(&one.job, *until, now), why));
                return Ok(());
            }
            Reading::Whole { posts, lookups, .. } => (posts, lookups),
        };
        let judged = judge_all(tx, &one.item, posts, lookups, now).await?;
        if !rows::read(tx, &account.account_id, one.item.until(), now).await? {
            // The row is gone, or another reading has come further: that one has seen all this.
            outcome.verdicts.push(Verdict::DONE);
            return Ok(());
        }
        count("whole");
        rows::insert(tx, &judged.found, now).await?;
        rows::alarm(tx, &judged.raised).await?;
        rows::forget(tx, &judged.ours).await?;
        let new = judged.found.iter().filter(|post| !post.open).map(|post| &post.id);
        let new: Vec<&ForeignPostId> = new.chain(&judged.raised).collect();
        outcome.entries.extend(told(tx, account, &new).await?);
        if self.looks {
            let missing = missing(&one.item, posts, lookups);
            outcome.jobs.extend(missing.iter().map(|it| verify::first_job(it, now)));
        }
        outcome.verdicts.push(Verdict::DONE);
        Ok(())
    }

    async fn lose_all(tx: &mut Tx, now: Timestamp, jobs: &[Claimed]) -> Result<Settlement, Error> {
        // What kills the process is not planned again at once.
        let lost = jobs.iter().filter(|job| job.losses >= SET_ASIDE);
        for account in lost.filter_map(account_of) {
            rows::put_off(tx, &account, now).await?;
        }
        let soon = after(now, Duration::from_mins(1));
        let verdicts =
            jobs.iter().map(|job| Verdict::lost(job, soon, "lost while reading")).collect();
        Ok(Settlement { verdicts, enqueued: Vec::new() })
    }
}

fn account_of(job: &Claimed) -> Option<AccountId> {
    let payload: work::Foreign = serde_json::from_value(job.payload.clone()).ok()?;
    Some(payload.account_id)
}

fn next(job: &Claimed, until: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let tries = u32::try_from(job.tries).unwrap_or(u32::MAX);
    let wait = after(now, BACK_OFF.wait(tries, rand::random()));
    let believed = until.map(|until| until.min(after(now, BACK_OFF.most)));
    believed.map_or(wait, |until| until.max(wait))
}

async fn errand(tx: &mut Tx, mut account: ToRead, now: Timestamp) -> Result<Errand, Error> {
    // Platforms tell instants to the second: what was posted in that of the connection seems to be from before.
    account.began_at = whole_second(account.began_at);
    let since = before(account.mark, OVERLAP).max(account.began_at);
    let id = &account.account_id;
    let (mut kin, mut waiting) = (Vec::new(), Vec::new());
    for one in rows::unsettled(tx, id).await? {
        let delivery = one.id.clone();
        kin.push(Kin { id: one.id, out: None });
        waiting.push(Sent { follows: one.part > 1, ..sent(delivery, one.content) });
    }
    let from = before(since, EDGE);
    for one in rows::published(tx, id, before(from, HELD), from).await? {
        let delivery = one.id.clone();
        kin.push(Kin { id: one.id, out: Some((one.remote_id, one.published_at)) });
        waiting.push(sent(delivery, one.content));
    }
    // What is known here is to be shown, too: what is not shown of it is looked for.
    let gap = Gap { since, until: now, taken: Vec::new(), waiting };
    Ok(Errand { account, kin, gap })
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_millisecond().div_euclid(1_000)).unwrap_or(at)
}

fn sent(delivery: DeliveryId, content: Content) -> Sent {
    Sent {
        delivery: Some(delivery),
        media_count: content.media.len(),
        film: content.has_film(),
        text: content.text,
        link: content.link,
        follows: false,
    }
}

/// What is written about the posts of one account.
#[derive(Debug, Default)]
struct Judged {
    /// What was not known before.
    found: Vec<NewPost>,
    /// What was open and is foreign.
    raised: Vec<ForeignPostId>,
    /// What was open and is ours.
    ours: Vec<ForeignPostId>,
}

/// Judges everything that an account shows, and what was left open earlier. In the transaction that
/// writes it: what has become a delivery's meanwhile is known by now.
async fn judge_all(
    tx: &mut Tx,
    errand: &Errand,
    posts: &[Shown],
    lookups: &[Lookup],
    now: Timestamp,
) -> Result<Judged, Error> {
    let id = &errand.account.account_id;
    let left = rows::open(tx, id).await?;
    let shown = posts.iter().map(|post| post.receipt.remote_id.as_str());
    let named: Vec<(&AccountId, &str)> = shown
        .clone()
        .chain(left.iter().map(|it| it.remote_id.as_str()))
        .map(|it| (id, it))
        .collect();
    let remote_ids: Vec<&str> = shown.collect();
    let account = Account {
        from: errand.account.began_at,
        until: errand.until(),
        taken: outcomes::taken(tx, &named).await?.into_iter().map(|(_, id)| id).collect(),
        claimed: claimed(errand, posts, lookups),
        windows: rows::unsettled(tx, id).await?.iter().filter_map(Window::of).collect(),
    };
    let known: HashSet<String> = rows::known(tx, id, &remote_ids).await?.into_iter().collect();
    let mut judged = Judged::default();
    for post in posts.iter().filter(|post| !known.contains(&post.receipt.remote_id)) {
        let Receipt { remote_id, permalink, published_at } = storable(&post.receipt);
        let open = match account.judge(&remote_id, published_at) {
            Fate::Ours | Fate::Beyond => continue,
            Fate::Open => true,
            Fate::Foreign => false,
        };
        judged.found.push(NewPost {
            id: ForeignPostId::new(now, rand::random()),
            account_id: id.clone(),
            remote_id,
            permalink,
            published_at,
            text: excerpt(&post.text),
            open,
        });
    }
    for one in left {
        match account.judge_left(&one.remote_id, one.published_at) {
            Fate::Ours => judged.ours.push(one.id),
            Fate::Open | Fate::Beyond => {}
            Fate::Foreign => judged.raised.push(one.id),
        }
    }
    Ok(judged)
}

/// Posts that say what a delivery of ours says which the list does not show by its id: the platform shows
/// it under another one, or its id is not known yet.
fn claimed(errand: &Errand, posts: &[Shown], lookups: &[Lookup]) -> HashSet<String> {
    let shown: HashSet<&str> = posts.iter().map(|it| it.receipt.remote_id.as_str()).collect();
    let unseen = |kin: &Kin| kin.out.as_ref().is_none_or(|(id, _)| !shown.contains(id.as_str()));
    let pairs = errand.kin.iter().zip(lookups).filter(|(kin, _)| unseen(kin));
    pairs.flat_map(|(_, lookup)| same(lookup)).map(|post| post.remote_id.clone()).collect()
}

/// The posts that say just the same.
fn same(lookup: &Lookup) -> &[Receipt] {
    match lookup {
        Lookup::Found(post) => std::slice::from_ref(post),
        Lookup::Several(posts) => posts,
        Lookup::Similar(_)
        | Lookup::Absent
        | Lookup::Processing { .. }
        | Lookup::NotPublic
        | Lookup::Failed(_)
        | Lookup::CannotSee { .. } => &[],
    }
}

/// The deliveries that should be shown by now and are not. That is no proof: they are looked for.
fn missing(errand: &Errand, posts: &[Shown], lookups: &[Lookup]) -> Vec<WentOut> {
    let shown: HashSet<&str> = posts.iter().map(|it| it.receipt.remote_id.as_str()).collect();
    let (from, until) = (after(errand.gap.since, EDGE), before(errand.gap.until, LAG));
    let is_missing = |kin: &Kin, lookup: &Lookup| {
        let should = |(id, at): &(String, Timestamp)| {
            (from..until).contains(at) && !shown.contains(id.as_str())
        };
        kin.out.as_ref().is_some_and(should) && same(lookup).is_empty()
    };
    let pairs = errand.kin.iter().zip(lookups).filter(|(kin, lookup)| is_missing(kin, lookup));
    let went_out = |(kin, _): (&Kin, &Lookup)| WentOut {
        id: kin.id.clone(),
        account_id: errand.account.account_id.clone(),
        platform: errand.account.platform.clone(),
    };
    pairs.map(went_out).collect()
}

/// What people are told of new ones: administrators, and whoever connected the account.
async fn told(
    tx: &mut Tx,
    account: &ToRead,
    new: &[&ForeignPostId],
) -> Result<Option<NewEntry>, Error> {
    if new.is_empty() {
        return Ok(None);
    }
    let id = &account.account_id;
    tracing::warn!(account.id = %id, count = new.len(), "posts that did not come from here");
    metrics::counter!("chancery_foreign_found_total", "platform" => account.platform.clone())
        .increment(u64::try_from(new.len()).unwrap_or(u64::MAX));
    let known = accounts::find(tx, id).await?;
    let by = known.and_then(|account| account.health.connected_by);
    let owners: Vec<&str> = by.iter().map(PersonId::as_str).collect();
    let detail = json!({
        "count": new.len(), "posts": new.get(..NAMED).unwrap_or(new),
        "list": format!("/api/v1/foreign-posts?account_id={id}&status=new"),
        "hold": {"scope": {"account_id": id}},
        "owners": owners, "administrators": true,
    });
    Ok(Some(account_entry(Occasion::PostsForeign, id, detail)))
}

impl Work for Foreign {
    const KIND: &'static str = work::FOREIGN;
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
}
