//! Gets accounts new access tokens before their old ones end. A refresh token is presented once, ever: that
//! it is going to be is durable before it leaves, and the pair that it gives is durable before it is used.
//!
//! What came of it may stay hidden: the process dies, or the platform does not say. Then the old access
//! token is used for as long as it lives, and people are told at once that somebody must sign in again before
//! its end. To present the token a second time could end what is left of that life.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::credentials::{Ending, account_entry, tell_ending};
use super::{Tools, circuits};
use crate::clock::{after, before, until};
use crate::domain::account::AccountStatus;
use crate::domain::audit::NewEntry;
use crate::domain::id::AccountId;
use crate::domain::outbox::Occasion;
use crate::domain::refresh::{Plan, RefreshOutcome};
use crate::domain::work;
use crate::platforms::sign_in::{Fresh, Means, Renewal};
use crate::queue::Lease;
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, Settled, Settlement, Verdict, Work};
use crate::store::jobs::{Claimed, Ending as JobEnding};
use crate::store::outcomes::{self, Learn};
use crate::store::refreshes::{self as rows, Pair, ToRefresh, Version};
use crate::store::{Error, Tx, audit};
use crate::vault::{Binding, Sealed, refresh_name};

/// Accounts that are refreshed at once on each platform: few, since all of them have an hour for it.
const HANDS: usize = 4;
/// Deliveries that were due so long ago and still wait count as due.
const OVERDUE: Duration = Duration::from_hours(1);
/// A platform's answer is waited for so many times as long as usual: nobody can ask again.
const PATIENCE: u32 = 2;
/// Between tries that the platform has certainly not looked at.
const SHORTEST: Duration = Duration::from_secs(5);
/// No such wait is longer.
const LONGEST: Duration = Duration::from_mins(5);
/// Wait before what stands in the way for everybody is looked at again.
const WAIT: Duration = Duration::from_mins(1);
/// Wait between tries to keep a pair that the database did not take.
const PAUSE: Duration = Duration::from_millis(250);
/// So often that is tried: nobody else will ever have it.
const INSISTENCE: u32 = 240;

/// The kind of work that refreshes.
#[derive(Debug)]
pub struct Refresh {
    tools: Tools,
    lease: Lease,
}

/// A refresh token that is marked as presented.
#[derive(Debug)]
pub struct Errand {
    row: ToRefresh,
    token: SecretString,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// The new pair is kept; when its access token ends, where that was said.
    Kept(Option<Timestamp>),
    /// Somebody has connected the account again meanwhile: what came too late is dropped.
    Superseded,
    /// The platform does not take the token.
    Refused(String),
    /// It has not left: the process was to stop, or its lease was too short.
    TakenBack,
    /// It certainly was not looked at.
    NotTaken(String),
    /// Nobody knows.
    Unknown(String),
}

impl Refresh {
    /// Refreshes with these tools under this lease.
    pub fn new(tools: Tools, lease: Lease) -> Self {
        Self { tools, lease }
    }

    async fn admit_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Vec<Admission<Errand>>, Error> {
        let ids: Vec<Option<AccountId>> = jobs.iter().map(account_of).collect();
        let named: Vec<AccountId> = ids.iter().flatten().cloned().collect();
        let mut known: HashMap<AccountId, ToRefresh> =
            rows::prepare(tx, &named, before(now, OVERDUE))
                .await?
                .into_iter()
                .map(|row| (row.account_id.clone(), row))
                .collect();
        let slots: Vec<&str> = jobs.iter().map(|job| job.slot.as_str()).collect();
        let closed = circuits::closed_even_to_urgent(&self.tools, tx, now, &slots).await?;
        let mut admissions = Vec::with_capacity(jobs.len());
        for (job, id) in jobs.iter().zip(ids) {
            let Some(row) = id.and_then(|id| known.remove(&id)).filter(is_wanted) else {
                admissions.push(Admission::Not(JobEnding::Done, "nothing to refresh".to_owned()));
                continue;
            };
            let closed = closed.get(job.slot.as_str()).copied();
            admissions.push(match wait(&row, closed, now) {
                Some((until, why)) => Admission::Not(JobEnding::Again(until), why.to_owned()),
                None => self.present(tx, row, now).await?,
            });
        }
        Ok(admissions)
    }

    /// Marks the token as presented, in the transaction of the claim.
    async fn present(
        &self,
        tx: &mut Tx,
        row: ToRefresh,
        now: Timestamp,
    ) -> Result<Admission<Errand>, Error> {
        let again = |why: &str| Admission::Not(JobEnding::Again(after(now, WAIT)), why.to_owned());
        let Some(token) = self.open(&row) else {
            // Another node may have the key; the account has done nothing wrong.
            return Ok(again("its refresh token does not open with the key of this process"));
        };
        let (which, holder) = (version(&row), self.lease.holder());
        let mark = (row.platform.as_str(), fingerprint(&token));
        if rows::present(tx, which, (mark.0, &mark.1), holder, now).await? {
            return Ok(Admission::Run(Errand { row, token }));
        }
        if rows::is_known(tx, &mark.1).await? {
            // Somebody has handed it in once more.
            rows::give_up(tx, which, &row.platform, now).await?;
            let told = lost(tx, &row, "its refresh token was presented before").await?;
            audit::append(tx, &Vec::from_iter(told), now);
            let why = "its refresh token was presented before".to_owned();
            return Ok(Admission::Not(JobEnding::Done, why));
        }
        Ok(again("nothing may be sent from this database now"))
    }

    fn open(&self, row: &ToRefresh) -> Option<SecretString> {
        let name = refresh_name(&row.remote_id);
        let bound = Binding { platform: &row.platform, remote_id: &name, version: row.version };
        let sealed = Sealed { key_id: row.key_id.clone(), bytes: row.refresh.clone()? };
        self.tools.vault.open(bound, &sealed).ok()
    }

    async fn refresh(&self, errand: &Errand, pass: &Pass) -> Came {
        let pace = &self.tools.pace;
        let lease_is_short = self.lease.left() < pace.request_timeout + pace.margin;
        if lease_is_short || pass.leave().is_err() {
            return Came::TakenBack;
        }
        let platform = self.tools.platforms.get(&errand.row.platform);
        let Some(sign_in) = platform.and_then(|it| it.sign_in()) else {
            return Came::NotTaken("the application is not configured".to_owned());
        };
        let means = Means {
            outbound: self.tools.outbound.clone(),
            clock: self.tools.clock.clone(),
            timeout: pace.request_timeout * PATIENCE,
        };
        crate::crash_point!("refresh.before_call");
        let came = sign_in.refresh(&means, &errand.token).await;
        crate::crash_point!("refresh.after_answer");
        match came {
            Renewal::Fresh(fresh) => self.insist(errand, &fresh).await,
            Renewal::Refused(said) => Came::Refused(said),
            Renewal::NotTaken(said) => Came::NotTaken(said),
            Renewal::Unknown(said) => Came::Unknown(said),
        }
    }

    /// Keeps a pair. Whatever has become of the lease and of the job: nobody else has it.
    async fn insist(&self, errand: &Errand, fresh: &Fresh) -> Came {
        let mut tries = 1;
        loop {
            match self.keep(errand, fresh).await {
                Ok(came) => return came,
                Err(error) if tries < INSISTENCE => {
                    let account = &errand.row.account_id;
                    let error = crate::telemetry::Chain(&error);
                    tracing::error!(account.id = %account, tries, %error, "a new token could not be kept yet");
                }
                Err(error) => return Came::Unknown(format!("it could not be kept: {error}")),
            }
            self.tools.clock.sleep(PAUSE * tries.min(20)).await;
            tries += 1;
        }
    }

    async fn keep(&self, errand: &Errand, fresh: &Fresh) -> Result<Came, Error> {
        let row = &errand.row;
        let now = self.tools.clock.now();
        let next = row.version + 1;
        let seal = |name: &str, secret: &SecretString| {
            let bound = Binding { platform: &row.platform, remote_id: name, version: next };
            self.tools.vault.seal(bound, secret)
        };
        let refresh = fresh.refresh.as_ref().unwrap_or(&errand.token);
        let sealed = seal(&row.remote_id, &fresh.access)
            .and_then(|access| Ok((access, seal(&refresh_name(&row.remote_id), refresh)?)));
        let Ok((access, sealed_refresh)) = sealed else {
            return Ok(Came::Unknown("the new pair could not be sealed".to_owned()));
        };
        let pair = Pair {
            key_id: &access.key_id,
            sealed: &access.bytes,
            refresh: &sealed_refresh.bytes,
            expires_at: fresh.expires_at,
            same: refresh.expose_secret() == errand.token.expose_secret(),
        };
        let mut tx = self.tools.store.begin_for("refresh").await?;
        let kept = rows::keep(&mut tx, version(row), pair, now).await?;
        crate::crash_point!("refresh.before_keep");
        tx.commit().await?;
        crate::crash_point!("refresh.after_keep");
        Ok(if kept { Came::Kept(fresh.expires_at) } else { Came::Superseded })
    }

    async fn settle_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        done: &[Settled<Errand, Came>],
    ) -> Result<Settlement, Error> {
        let mut settlement = Settlement::default();
        let mut entries = Vec::new();
        for one in done {
            let (row, came) = (&one.item.row, &one.report);
            let word = word(came);
            let platform = row.platform.clone();
            metrics::counter!("chancery_refreshes_total", "platform" => platform, "outcome" => word)
                .increment(1);
            tracing::info!(account.id = %row.account_id, outcome = word, ?came, "refreshed a token");
            let verdict = match came {
                Came::Kept(ends) => {
                    entries.push(refreshed(row, *ends));
                    Verdict::again(Plan::of(now, *ends).due, word)
                }
                Came::Superseded => Verdict::again(now, word),
                Came::TakenBack => {
                    rows::not_presented(tx, version(row)).await?;
                    Verdict::again(after(now, SHORTEST / 5), word)
                }
                Came::NotTaken(said) => {
                    rows::not_presented(tx, version(row)).await?;
                    Verdict::again(back_off(row, now), said.replace('\0', ""))
                }
                Came::Refused(said) => {
                    let outcome = RefreshOutcome::Refused;
                    if end(tx, row, (outcome, said), now).await? {
                        entries.extend(self.refused(tx, row, said, now).await?);
                    }
                    Verdict { note: Some(word.to_owned()), ..Verdict::DONE }
                }
                Came::Unknown(said) => {
                    if end(tx, row, (RefreshOutcome::Lost, said), now).await? {
                        entries.extend(lost(tx, row, said).await?);
                    }
                    Verdict { note: Some(word.to_owned()), ..Verdict::DONE }
                }
            };
            settlement.verdicts.push(verdict);
        }
        // Last: whoever has the head of the audit waits for nobody.
        audit::append(tx, &entries, now);
        Ok(settlement)
    }

    /// The account must be connected again, unless it has been meanwhile.
    async fn refused(
        &self,
        tx: &mut Tx,
        row: &ToRefresh,
        said: &str,
        now: Timestamp,
    ) -> Result<Option<NewEntry>, Error> {
        let learned = Learn {
            id: row.account_id.clone(),
            high_water: None,
            blocked_ms: None,
            status: Some(AccountStatus::NeedsReconnect.as_str()),
            credential_version: row.version,
        };
        let fallen = !outcomes::learn(tx, &[learned], now).await?.is_empty();
        let reason = json!({"reason": "refresh_refused", "detail": said.replace('\0', "")});
        let event = Occasion::AccountNeedsReconnect;
        Ok(fallen.then(|| account_entry(event, &row.account_id, reason)))
    }

    /// Nobody knows whether it left.
    async fn lose_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Settlement, Error> {
        let ids: Vec<AccountId> = jobs.iter().filter_map(account_of).collect();
        let open: HashMap<AccountId, i64> = rows::open_of(tx, &ids).await?.into_iter().collect();
        let known = rows::prepare(tx, &ids, before(now, OVERDUE)).await?;
        let mut entries = Vec::new();
        for row in known.iter().filter(|row| open.contains_key(&row.account_id)) {
            let why = "the process that presented its refresh token was lost";
            if end(tx, row, (RefreshOutcome::Orphaned, why), now).await? {
                entries.extend(lost(tx, row, why).await?);
            }
        }
        audit::append(tx, &entries, now);
        let verdict = |job: &Claimed| {
            if account_of(job).is_some_and(|id| open.contains_key(&id)) {
                return Verdict::discarded("lost while its token was presented");
            }
            Verdict::lost(job, after(now, Duration::from_secs(1)), "lost while refreshing")
        };
        Ok(Settlement { verdicts: jobs.iter().map(verdict).collect(), enqueued: Vec::new() })
    }
}

/// Why it is not refreshed yet, and until when.
fn wait(
    row: &ToRefresh,
    closed: Option<Timestamp>,
    now: Timestamp,
) -> Option<(Timestamp, &'static str)> {
    let plan = Plan::of(row.issued_at, row.expires_at);
    if now < plan.due {
        return Some((plan.due, "not yet"));
    }
    if let Some(until) = closed {
        return Some((until, "the platform does not answer"));
    }
    if now >= plan.last_call {
        return None;
    }
    let soon = |until: Timestamp| after(until, plan.pause).min(plan.last_call);
    if row.publishing {
        return Some((soon(now), "one of its deliveries is on its way"));
    }
    if let Some(due) = row.next_due.filter(|due| *due <= after(now, plan.quiet)) {
        return Some((soon(due.max(now)), "one of its deliveries is due soon"));
    }
    let calm = row.lost_at.map(|at| after(at, plan.pause)).filter(|at| *at > now)?;
    Some((calm.min(plan.last_call), "the platform has just hidden what came of another refresh"))
}

/// The later it is, the longer: one job does all refreshes of an account, so its tries say nothing.
fn back_off(row: &ToRefresh, now: Timestamp) -> Timestamp {
    let late = until(Plan::of(row.issued_at, row.expires_at).due, now);
    after(now, (late / 4).clamp(SHORTEST, LONGEST))
}

/// Not presented yet, and of use.
fn is_wanted(row: &ToRefresh) -> bool {
    let alive = match row.status {
        AccountStatus::Connected | AccountStatus::Paused => true,
        AccountStatus::NeedsReconnect | AccountStatus::Revoked => false,
    };
    alive && row.refresh.is_some() && row.outcome.is_none()
}

fn version(row: &ToRefresh) -> Version<'_> {
    Version { account: &row.account_id, number: row.version }
}

/// By which a token is known again that is handed in once more.
fn fingerprint(token: &SecretString) -> String {
    hex::encode(Sha256::digest(format!("refresh:{}", token.expose_secret())))
}

async fn end(
    tx: &mut Tx,
    row: &ToRefresh,
    (outcome, said): (RefreshOutcome, &str),
    now: Timestamp,
) -> Result<bool, Error> {
    rows::end(tx, version(row), (outcome, &said.replace('\0', "")), now).await
}

/// What people are told when it is not known what came of a refresh, if they must do something.
async fn lost(tx: &mut Tx, row: &ToRefresh, why: &str) -> Result<Option<NewEntry>, Error> {
    let ends_at = row.expires_at;
    let ending = Ending { reason: "refresh_lost", ends_at, detail: &why.replace('\0', "") };
    tell_ending(tx, &row.account_id, ending).await
}

fn refreshed(row: &ToRefresh, ends_at: Option<Timestamp>) -> NewEntry {
    NewEntry {
        actor: "engine".to_owned(),
        action: "account.refresh".to_owned(),
        subject: row.account_id.to_string(),
        detail: json!({"ends_at": ends_at, "credential_version": row.version + 1}),
    }
}

const fn word(came: &Came) -> &'static str {
    match came {
        Came::Kept(_) => "kept",
        Came::Superseded => "superseded",
        Came::Refused(_) => "refused",
        Came::TakenBack => "taken_back",
        Came::NotTaken(_) => "not_taken",
        Came::Unknown(_) => "lost",
    }
}

fn account_of(job: &Claimed) -> Option<AccountId> {
    let payload: work::Refresh = serde_json::from_value(job.payload.clone()).ok()?;
    Some(payload.account_id)
}

impl Work for Refresh {
    const KIND: &'static str = work::REFRESH;
    type Item = Errand;
    type Report = Came;

    fn lookahead(&self) -> Duration {
        Duration::ZERO
    }

    fn least_lease(&self) -> Duration {
        self.tools.pace.request_timeout + self.tools.pace.margin
    }

    fn workers(&self) -> usize {
        HANDS
    }

    fn admit<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Vec<Admission<Errand>>, Error>> {
        Box::pin(self.admit_all(tx, now, jobs))
    }

    fn run<'a>(&'a self, _: &'a Claimed, errand: &'a Errand, pass: Pass) -> Later<'a, Came> {
        Box::pin(async move { self.refresh(errand, &pass).await })
    }

    fn settle<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<Errand, Came>],
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

#[cfg(test)]
#[path = "tests/refresh.rs"]
mod tests;
