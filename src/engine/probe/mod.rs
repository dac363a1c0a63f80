//! Asks platforms what accounts' access is worth, daily and before what is due: whoever must sign in again is
//! told while there is time.
//!
//! Only the platform's own words say that a credential is dead, and only twice with a pause between. What
//! cannot be asked says nothing.

pub mod plan;
mod warn;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::credentials::account_entry;
use super::{Tools, circuits, looks, money, renewals};
use crate::clock::after;
use crate::domain::account::AccountStatus;
use crate::domain::audit::NewEntry;
use crate::domain::id::AccountId;
use crate::domain::outbox::Occasion;
use crate::domain::probe::{DAY, HOUR, ProbeVerdict, REFUSALS};
use crate::domain::work;
use crate::platforms::outcome::{Access, Standing};
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, SET_ASIDE, Settled, Settlement, Verdict, Work};
use crate::queue::retry::BackOff;
use crate::store::jobs::{Claimed, Ending};
use crate::store::outcomes::{self, Learn};
use crate::store::probes::{self as rows, Said, ToProbe};
use crate::store::refreshes::Version;
use crate::store::{Error, Tx, audit};

/// Accounts of a platform that are asked about at once: few, since nobody waits for it.
const HANDS: usize = 2;
/// Between the first refusal and the second question.
const AGAIN: Duration = Duration::from_mins(5);
/// Between questions that were not answered.
const BACK_OFF: BackOff = BackOff { first: Duration::from_mins(5), most: Duration::from_hours(2) };
/// How long a question waits for which there is no money.
const BROKE: Duration = Duration::from_hours(6);
/// How long one waits while its access token is being refreshed.
const TOKEN: Duration = Duration::from_mins(1);
/// An account costs at most as much to read as so many posts (X API documents, pricing, read 2026-09-11).
const AS_POSTS: usize = 2;

/// The kind of work that asks.
#[derive(Debug)]
pub struct Probe {
    tools: Tools,
    every: Duration,
}

/// Everything that follows from some answers.
#[derive(Debug, Default)]
struct Outcome {
    entries: Vec<NewEntry>,
    verdicts: Vec<Verdict>,
    paid: BTreeMap<String, usize>,
}

impl Probe {
    /// Asks with these tools, each account at least so often.
    pub fn new(tools: Tools, every: Duration) -> Self {
        Self { tools, every }
    }

    async fn admit_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Vec<Admission<ToProbe>>, Error> {
        let ids: Vec<Option<AccountId>> = jobs.iter().map(account_of).collect();
        let named: Vec<AccountId> = ids.iter().flatten().cloned().collect();
        let mut known = prepared(tx, &named).await?;
        let slots: Vec<&str> = jobs.iter().map(|job| job.slot.as_str()).collect();
        let closed = circuits::closed_even_to_urgent(&self.tools, tx, now, &slots).await?;
        let mut admissions = Vec::with_capacity(jobs.len());
        for (job, id) in jobs.iter().zip(ids) {
            let Some(account) = id.and_then(|id| known.remove(&id)) else {
                admissions.push(Admission::Not(Ending::Done, "nothing to ask".to_owned()));
                continue;
            };
            let closed = closed.get(job.slot.as_str()).copied();
            admissions.push(match self.wait(&account, closed, now) {
                Some((until, why)) => Admission::Not(Ending::Again(until), why),
                None => Admission::Run(account),
            });
        }
        looks::spare(&self.tools, tx, now, jobs, &mut admissions).await?;
        self.afford(tx, now, jobs, &mut admissions).await?;
        looks::made(&self.tools, tx, now, jobs, &admissions).await?;
        Ok(admissions)
    }

    /// Why an account is not asked about now, and until when.
    fn wait(
        &self,
        account: &ToProbe,
        closed: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<(Timestamp, String)> {
        if let Some(until) = closed {
            return Some((until, "the platform does not answer".to_owned()));
        }
        if account.renewable && account.expires_at.is_some_and(|end| end <= now) {
            let why = "its access token has ended and is about to be refreshed";
            return Some((after(now, TOKEN), why.to_owned()));
        }
        let brake = self.tools.time_brake(&account.platform)?;
        Some((brake.until, brake.detail))
    }

    /// Puts off questions for which no money is left; an answer is charged when it has come.
    async fn afford(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
        admissions: &mut [Admission<ToProbe>],
    ) -> Result<(), Error> {
        let mut beside: BTreeMap<&str, usize> = BTreeMap::new();
        for (job, admission) in jobs.iter().zip(admissions) {
            if !matches!(admission, Admission::Run(_)) {
                continue;
            }
            let pool = work::pool(&job.slot);
            let posts = beside.entry(pool).or_default();
            if money::affords_look(&self.tools, tx, now, (pool, *posts + AS_POSTS - 1)).await? {
                *posts += AS_POSTS;
            } else {
                let why = "no money is left for looks".to_owned();
                *admission = Admission::Not(Ending::Again(after(now, BROKE)), why);
            }
        }
        Ok(())
    }

    async fn ask(&self, account: &ToProbe) -> Access {
        let unclear = |detail: &str| Access::Unclear { detail: detail.to_owned(), until: None };
        let ToProbe { platform, remote_id, handle, credential, .. } = account;
        let Some(known) = self.tools.platforms.get(platform) else {
            return unclear("this build does not have the platform");
        };
        match self.tools.session_of(platform, remote_id, handle.as_ref(), credential) {
            Ok(session) => known.access(&session).await,
            // Another node may have the key; the account has done nothing wrong.
            Err(_sealed) => unclear("the account's credential does not open"),
        }
    }

    async fn settle_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        done: &[Settled<ToProbe, Access>],
    ) -> Result<Settlement, Error> {
        let ids: Vec<AccountId> = done.iter().map(|one| one.item.account_id.clone()).collect();
        let present = prepared(tx, &ids).await?;
        let mut outcome = Outcome::default();
        for one in done {
            let account = &one.item;
            let asked = account.credential.version;
            let verdict = match present.get(&account.account_id) {
                None => Verdict::DONE,
                // Somebody has connected it again, or it was refreshed: that one is asked about.
                Some(is) if is.credential.version != asked => {
                    Verdict::again(now, "another credential")
                }
                Some(is) => {
                    length_of_posts(tx, is, &one.report, now).await?;
                    self.settle_one(tx, now, one, &mut outcome).await?
                }
            };
            outcome.verdicts.push(verdict);
        }
        for (pool, posts) in &outcome.paid {
            money::charge_reads(&self.tools, tx, now, pool, *posts).await?;
        }
        audit::append(tx, &outcome.entries, now);
        Ok(Settlement { verdicts: outcome.verdicts, enqueued: Vec::new() })
    }

    async fn settle_one(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        one: &Settled<ToProbe, Access>,
        outcome: &mut Outcome,
    ) -> Result<Verdict, Error> {
        let account = &one.item;
        let word = word(account, &one.report);
        let platform = account.platform.clone();
        metrics::counter!("chancery_probes_total", "platform" => platform, "outcome" => word.as_str())
            .increment(1);
        tracing::debug!(account.id = %account.account_id, outcome = %word, "asked about an account");
        if let Access::Unclear { detail, until } = &one.report {
            let why = detail.replace('\0', "");
            let version = account.credential.version;
            rows::trouble(tx, &account.account_id, version, &why, now).await?;
            return Ok(Verdict::again(next(&one.job, *until, now), why));
        }
        if matches!(&one.report, Access::Alive(_)) {
            // Requests that fail are not billed.
            *outcome.paid.entry(account.platform.clone()).or_default() += AS_POSTS;
        }
        let refusals = if word == ProbeVerdict::Refused { account.refusals + 1 } else { 0 };
        let said = self.said(account, &one.report, (word, refusals), now);
        rows::keep(tx, &said, now).await?;
        if refusals == 0 {
            return Ok(Verdict { note: Some(word.to_string()), ..Verdict::DONE });
        }
        if refusals < REFUSALS {
            if account.renewable {
                let which =
                    Version { account: &account.account_id, number: account.credential.version };
                renewals::ask(tx, which, &one.job.slot, now).await?;
            }
            return Ok(Verdict::again(after(now, AGAIN), "refused; asked once more"));
        }
        outcome.entries.extend(ended(tx, account, said.detail.as_deref(), now).await?);
        Ok(Verdict { note: Some("refused twice".to_owned()), ..Verdict::DONE })
    }

    fn said<'a>(
        &self,
        account: &'a ToProbe,
        access: &'a Access,
        (verdict, refusals): (ProbeVerdict, i64),
        now: Timestamp,
    ) -> Said<'a> {
        let standing = match access {
            Access::Alive(standing) => Some(standing),
            Access::Refused(_) | Access::Barred(_) | Access::Unclear { .. } => None,
        };
        let own = standing.and_then(|it| it.data_access_ends_at);
        Said {
            account_id: &account.account_id,
            version: account.credential.version,
            next_at: after(now, self.every),
            day_until: after(now, DAY),
            hour_until: after(now, HOUR),
            verdict,
            detail: detail(account, access).map(|it| it.replace('\0', "")),
            refusals,
            scopes: standing.and_then(|it| it.scopes.as_deref()),
            missing: standing.and_then(|it| it.missing.as_deref()),
            expires_at: standing.and_then(|it| it.expires_at),
            data_access_ends_at: own.or(account.health.data_access_ends_at),
        }
    }

    async fn lose_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Settlement, Error> {
        // What kills the process is not planned again at once.
        let lost = jobs.iter().filter(|job| job.losses >= SET_ASIDE);
        for account in lost.filter_map(account_of) {
            let until = after(now, self.every.max(DAY));
            rows::put_off(tx, &account, until, "set aside: it has ended the process", now).await?;
        }
        let soon = after(now, Duration::from_mins(1));
        let verdicts =
            jobs.iter().map(|job| Verdict::lost(job, soon, "lost while asking")).collect();
        Ok(Settlement { verdicts, enqueued: Vec::new() })
    }
}

async fn prepared(
    tx: &mut Tx,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, ToProbe>, Error> {
    let rows = rows::prepare(tx, accounts).await?;
    Ok(rows.into_iter().map(|account| (account.account_id.clone(), account)).collect())
}

/// Keeps whether the account may publish long posts, when that has changed.
async fn length_of_posts(
    tx: &mut Tx,
    account: &ToProbe,
    access: &Access,
    now: Timestamp,
) -> Result<(), Error> {
    let Access::Alive(standing) = access else { return Ok(()) };
    let health = standing.owner.long_posts.learnt(&account.health);
    if is_own(account, standing)
        && health != account.health
        && rows::learn(tx, account, &health, now).await?
    {
        let long_posts = health.long_posts;
        tracing::info!(account.id = %account.account_id, long_posts, "another length of posts");
    }
    Ok(())
}

fn account_of(job: &Claimed) -> Option<AccountId> {
    let payload: work::Probe = serde_json::from_value(job.payload.clone()).ok()?;
    Some(payload.account_id)
}

fn next(job: &Claimed, until: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let tries = u32::try_from(job.tries).unwrap_or(u32::MAX);
    let wait = after(now, BACK_OFF.wait(tries, rand::random()));
    let believed = until.map(|until| until.min(after(now, BACK_OFF.most)));
    believed.map_or(wait, |until| until.max(wait))
}

fn is_own(account: &ToProbe, standing: &Standing) -> bool {
    standing.owner.remote_id == account.remote_id
}

fn lacks_needed(standing: &Standing) -> bool {
    standing.missing.as_deref().unwrap_or_default().iter().any(|it| it.needed)
}

fn word(account: &ToProbe, access: &Access) -> ProbeVerdict {
    match access {
        Access::Alive(standing) if !is_own(account, standing) => ProbeVerdict::Refused,
        Access::Alive(standing) if lacks_needed(standing) => ProbeVerdict::Lacking,
        Access::Alive(_) => ProbeVerdict::Fit,
        Access::Refused(_) => ProbeVerdict::Refused,
        Access::Barred(_) => ProbeVerdict::Lacking,
        Access::Unclear { .. } => ProbeVerdict::Unclear,
    }
}

/// Why it is no good.
fn detail(account: &ToProbe, access: &Access) -> Option<String> {
    match access {
        Access::Alive(standing) if !is_own(account, standing) => {
            Some(format!("the credential belongs to {}", standing.owner.remote_id))
        }
        Access::Alive(standing) => {
            let missing = standing.missing.as_deref().unwrap_or_default();
            let needed: Vec<&str> =
                missing.iter().filter(|it| it.needed).map(|it| it.scope.as_str()).collect();
            (!needed.is_empty()).then(|| format!("it lacks {}", needed.join(", ")))
        }
        Access::Refused(why) | Access::Barred(why) => Some(why.clone()),
        Access::Unclear { .. } => None,
    }
}

/// The account must be connected again, unless it has been meanwhile.
async fn ended(
    tx: &mut Tx,
    account: &ToProbe,
    why: Option<&str>,
    now: Timestamp,
) -> Result<Option<NewEntry>, Error> {
    let learned = Learn {
        id: account.account_id.clone(),
        high_water: None,
        blocked_ms: None,
        status: Some(AccountStatus::NeedsReconnect.as_str()),
        credential_version: account.credential.version,
    };
    let fallen = !outcomes::learn(tx, &[learned], now).await?.is_empty();
    let reason = json!({"reason": "probe_refused", "detail": why});
    let event = Occasion::AccountNeedsReconnect;
    Ok(fallen.then(|| account_entry(event, &account.account_id, reason)))
}

impl Work for Probe {
    const KIND: &'static str = work::PROBE;
    type Item = ToProbe;
    type Report = Access;

    fn lookahead(&self) -> Duration {
        Duration::ZERO
    }

    fn least_lease(&self) -> Duration {
        self.tools.pace.request_timeout
    }

    fn workers(&self) -> usize {
        HANDS
    }

    fn knows_time(&self) -> bool {
        self.tools.steady.is_vouched_for()
    }

    fn admit<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Vec<Admission<ToProbe>>, Error>> {
        Box::pin(self.admit_all(tx, now, jobs))
    }

    fn run<'a>(&'a self, _: &'a Claimed, account: &'a ToProbe, _: Pass) -> Later<'a, Access> {
        Box::pin(self.ask(account))
    }

    fn settle<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<ToProbe, Access>],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(self.settle_all(tx, now, done))
    }

    fn lost<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(self.lose_all(tx, now, jobs))
    }
}
