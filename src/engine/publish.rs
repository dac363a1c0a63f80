//! Publishes one delivery: guard and intent, the one request, and what came of it.
//!
//! The guard, the claim and the intent are one transaction, durable before the first byte leaves.
//! The irreversible request is the platform's last step and leaves through the gate, after a last
//! look at the clock and at what is left of the lease. A worker that is lost after the intent
//! leaves a doubt behind, never a second request.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::Semaphore;

use super::batch::Batch;
use super::clauses::{Brake, Force};
use super::ledger::Kept;
use super::money::{self, Bill};
use super::{Tools, budgets, circuits, clauses, entry, files, outcomes, reconcile_job, spacing};
use crate::clock::{after, before, until};
use crate::domain::attempt::{AttemptOutcome, Reach};
use crate::domain::delivery::{DeliveryProblem, DeliveryState, Event, WaitsFor};
use crate::domain::id::{AttemptId, DeliveryId};
use crate::domain::variant::{Content, REPEAT_WINDOW};
use crate::domain::work;
use crate::platforms::outcome::{Doubt, Outcome};
use crate::platforms::session::{Item, ItemMedia, Ledger, Metered, Progress};
use crate::platforms::{Leave, Withdrawn};
use crate::queue::Lease;
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, Settled, Settlement, Verdict, Work};
use crate::store::jobs::{Claimed, Ending};
use crate::store::outcomes::{Close, Move};
use crate::store::publishing::{Guard, Intent, Prepared};
use crate::store::{Error, Tx, audit, outcomes as rows, publishing, standing};

/// The kind of work that publishes.
#[derive(Debug)]
pub struct Publish {
    tools: Tools,
    lease: Lease,
    /// By platform: one that hangs holds nobody's permits but its own.
    permits: BTreeMap<&'static str, Permits>,
    alone: bool,
}

/// How many deliveries to one platform may be in flight.
#[derive(Debug)]
struct Permits {
    /// For what has nothing to do before its instant.
    plain: Semaphore,
    /// For what uploads first and then waits: it must not keep others from leaving on time.
    uploads: Semaphore,
}

/// A guarded delivery with its open intent.
#[derive(Debug)]
pub struct Errand {
    pub(super) prepared: Prepared,
    pub(super) content: Content,
    pub(super) attempt: AttemptId,
}

/// What a run found out.
#[derive(Debug)]
pub enum Report {
    /// The platform was asked.
    Asked {
        /// What it said.
        answer: Metered<Outcome>,
        /// When the irreversible request left the gate, if it did.
        sent_at: Option<Timestamp>,
        /// What the platform has already.
        progress: Progress,
    },
    /// It was taken back before anything irreversible.
    TakenBack,
    /// It cannot be sent now for a reason that may pass; nothing irreversible was done.
    NotNow {
        /// Stable word.
        code: &'static str,
        /// For people.
        detail: String,
    },
    /// It cannot be sent as it is; nothing irreversible was done.
    Unfit {
        /// Stable word.
        code: &'static str,
        /// For people.
        detail: String,
        /// What one can do.
        hint: &'static str,
    },
}

impl Publish {
    /// Publishes with these tools under this lease; `alone` when no other process can be sending.
    pub fn new(tools: Tools, lease: Lease, alone: bool) -> Self {
        let workers = tools.pace.workers;
        let permits =
            || Permits { plain: Semaphore::new(workers), uploads: Semaphore::new(workers) };
        let permits = tools.platforms.iter().map(|one| (one.id(), permits())).collect();
        Self { tools, lease, permits, alone }
    }

    async fn admit_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Vec<Admission<Errand>>, Error> {
        let ids: Vec<DeliveryId> = jobs.iter().filter_map(delivery_of).collect();
        let today = now.strftime("%Y-%m-%d").to_string();
        let horizon = after(now, self.tools.pace.lookahead);
        let guard = Guard {
            now,
            horizon,
            token_until: after(horizon, self.tools.pace.request_timeout),
            repeat_since: before(now, REPEAT_WINDOW),
            today: &today,
            holder: self.lease.holder(),
        };
        let mut brakes = circuits::brakes(&self.tools, tx, now, jobs).await?;
        for (job, id) in jobs.iter().filter_map(|job| Some((job, delivery_of(job)?))) {
            brakes.stopped.extend(self.tools.time_brake(work::pool(&job.slot)).map(|it| (id, it)));
        }
        spacing::brakes(&self.tools, tx, now, jobs, &mut brakes.stopped).await?;
        let spoken = budgets::brakes(&self.tools, tx, now, jobs, &mut brakes.stopped).await?;
        let empty = money::brakes(&self.tools, tx, now, jobs, &mut brakes.stopped).await?;
        let free: Vec<DeliveryId> =
            ids.iter().filter(|id| !brakes.stopped.contains_key(id)).cloned().collect();
        let guarded: HashSet<DeliveryId> =
            publishing::guard(tx, &free, &guard).await?.into_iter().collect();
        brakes.give_back(tx, &guarded).await?;
        budgets::spend(&self.tools, tx, now, (jobs, &guarded), &spoken).await?;
        let (granted, refused): (Vec<_>, Vec<_>) =
            ids.into_iter().partition(|id| guarded.contains(id));
        let mut admissions = self.intend(tx, now, &granted).await?;
        if !refused.is_empty() {
            admissions.extend(self.explain(tx, &refused, &brakes.stopped, &guard).await?);
        }
        money::tell_empty(tx, now, &empty).await?;
        Ok(jobs
            .iter()
            .map(|job| {
                delivery_of(job)
                    .and_then(|id| admissions.remove(&id))
                    .unwrap_or_else(|| Admission::Not(Ending::Discarded, "no such delivery".into()))
            })
            .collect())
    }

    /// Opens the intents of what was guarded.
    async fn intend(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        granted: &[DeliveryId],
    ) -> Result<HashMap<DeliveryId, Admission<Errand>>, Error> {
        let mut admissions = HashMap::new();
        if granted.is_empty() {
            return Ok(admissions);
        }
        let mut intents = Vec::new();
        let mut entries = Vec::new();
        let mut moves = Vec::new();
        let mut bill = Bill::new(&self.tools, now);
        for prepared in publishing::prepare(tx, granted).await? {
            let id = prepared.delivery_id.clone();
            crate::crash_point!("publish.admit", id.as_str());
            let Some(content) = unchanged(&prepared) else {
                moves.push(changed(&id));
                entries.push(entry("delivery.failed", &id, json!({"code": "content_changed"})));
                let why = "content changed".to_owned();
                admissions.insert(id, Admission::Not(Ending::Done, why));
                continue;
            };
            let attempt = AttemptId::new(now, rand::random());
            entries.push(entry("delivery.publishing", &id, json!({"attempt": attempt})));
            intents.push(Intent {
                id: attempt.clone(),
                delivery_id: id.clone(),
                account_id: prepared.account_id.clone(),
                number: prepared.attempts,
                fingerprint: prepared.content_hash.clone(),
                high_water: prepared.high_water.clone(),
                cost: bill.add(&prepared.platform, &content),
            });
            let errand = Errand { prepared, content, attempt };
            admissions.insert(id, Admission::Run(errand));
        }
        publishing::open(tx, &intents, self.lease.holder(), now).await?;
        bill.charge(tx, now).await?;
        rows::transition(tx, &moves, now).await?;
        audit::append(tx, &entries, now);
        Ok(admissions)
    }

    /// Names the clause that failed and does what follows from it.
    async fn explain(
        &self,
        tx: &mut Tx,
        refused: &[DeliveryId],
        stopped: &HashMap<DeliveryId, Brake>,
        guard: &Guard<'_>,
    ) -> Result<HashMap<DeliveryId, Admission<Errand>>, Error> {
        let now = guard.now;
        let mut admissions = HashMap::new();
        let mut moves = Vec::new();
        let mut entries = Vec::new();
        for standing in standing::standing(tx, refused, guard).await? {
            let failed = clauses::failed(&standing, stopped.get(&standing.id), now);
            tracing::debug!(delivery.id = %standing.id, clause = failed.clause, "not guarded");
            if let Some(change) = failed.change {
                if change.state != standing.state {
                    let action = format!("delivery.{}", change.state);
                    entries.push(entry(&action, &standing.id, json!({"clause": failed.clause})));
                }
                moves.push(change);
            }
            let note = failed.clause.to_owned();
            let brake = stopped.get(&standing.id).filter(|brake| brake.code == failed.clause);
            let admission = match brake {
                Some(Brake { force: Force::Rests | Force::NoTime, until, .. }) => {
                    Admission::Rest(*until, note)
                }
                // In its place: what is behind it must not overtake it meanwhile.
                None if failed.clause == clauses::BUSY => {
                    Admission::Rest(after(now, clauses::BEHIND), note)
                }
                Some(_) | None => Admission::Not(failed.ending, note),
            };
            admissions.insert(standing.id, admission);
        }
        rows::transition(tx, &moves, now).await?;
        audit::append(tx, &entries, now);
        Ok(admissions)
    }

    async fn send(&self, errand: &Errand, pass: &Pass) -> Report {
        let uploads = !errand.content.media.is_empty();
        if !uploads {
            // There is nothing to do before the instant: wait without a permit.
            let due_at = errand.prepared.due_at;
            if pass.wait_until(&self.tools.clock, due_at).await.is_err() {
                return Report::TakenBack;
            }
        }
        let id = errand.prepared.platform.as_str();
        let known = self.tools.platforms.get(id).zip(self.permits.get(id));
        let Some((platform, permits)) = known else {
            return Report::Unfit {
                code: "platform_unknown",
                detail: format!("this build has no platform {id}"),
                hint: "run the build that scheduled it",
            };
        };
        let permits = if uploads { &permits.uploads } else { &permits.plain };
        let permit = tokio::select! {
            biased;
            () = pass.taken_back() => return Report::TakenBack,
            permit = permits.acquire() => permit,
        };
        let Ok(_permit) = permit else { return Report::TakenBack };
        let mut progress = progress(&errand.prepared);
        let rule = &platform.rules().images;
        let media = match files::of(&self.tools, rule, &errand.content, &progress).await {
            Ok(media) => media,
            Err(unfit) => return unfit,
        };
        let Ok(session) = self.tools.session(&errand.prepared) else {
            return Report::NotNow {
                code: "credential_sealed",
                detail: "the account's credential does not open with the key of this process; \
                         check vault.key, or hand in the credential again"
                    .to_owned(),
            };
        };
        let item = item(errand, media, Kept::of(&self.tools, &self.lease, errand).shared());
        let sent_at = OnceLock::new();
        let leave = self.leave(errand, pass, &sent_at);
        let started = self.tools.clock.elapsed();
        // Taken back while pictures are brought: nothing more of it is sent. Never after the leave.
        let answer = tokio::select! {
            biased;
            () = pass.taken_back() => Err(Withdrawn),
            answer = platform.publish(&session, &item, &mut progress, leave) => answer,
        };
        let took = self.tools.clock.elapsed().saturating_sub(started);
        metrics::histogram!("chancery_attempt_seconds", "platform" => platform.id())
            .record(took.as_secs_f64());
        match answer {
            Ok(answer) => Report::Asked { answer, sent_at: sent_at.get().copied(), progress },
            Err(Withdrawn) => Report::TakenBack,
        }
    }

    /// The last look, right before the one irreversible request.
    fn leave<'a>(
        &'a self,
        errand: &'a Errand,
        pass: &'a Pass,
        sent_at: &'a OnceLock<Timestamp>,
    ) -> Leave<'a> {
        Box::pin(async move {
            let clock = &self.tools.clock;
            let due_at = errand.prepared.due_at;
            pass.wait_until(clock, due_at).await.map_err(|_taken| Withdrawn)?;
            let pace = &self.tools.pace;
            let now = clock.now();
            let lease_is_short = self.lease.left() < pace.request_timeout + pace.margin;
            let ended = errand.prepared.licensed_until.is_some_and(|end| end <= now);
            if lease_is_short || ended || now >= errand.prepared.publish_by || now < due_at {
                return Err(Withdrawn);
            }
            self.tools.steady.may_send(&errand.prepared.platform).map_err(|_doubt| Withdrawn)?;
            pass.leave().map_err(|_taken| Withdrawn)?;
            // Set once: a platform awaits its leave once.
            let _again = sent_at.set(now);
            metrics::histogram!("chancery_delivery_lateness_seconds")
                .record(until(due_at, now).as_secs_f64());
            crate::crash_point!("publish.before_call");
            Ok(())
        })
    }

    /// What ends the process as soon as it is looked at is not looked at again: a person decides.
    async fn set_aside(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Settlement, Error> {
        let ids: Vec<DeliveryId> = jobs.iter().filter_map(delivery_of).collect();
        let (mut moves, mut entries) = (Vec::new(), Vec::new());
        for (id, from) in rows::states(tx, &ids).await? {
            // What has left or has ended meanwhile is nobody's question.
            let Ok(state) = from.apply(Event::NeedsPerson) else { continue };
            let change = Move { state, ..Move::stay(id.clone(), from) };
            moves.push(Move {
                problem: Some(poison()),
                waits_for: waiting_for("person", "the service fails whenever it looks at it"),
                ..change
            });
            entries.push(entry(&format!("delivery.{state}"), &id, json!({"code": "set_aside"})));
        }
        rows::transition(tx, &moves, now).await?;
        audit::append(tx, &entries, now);
        let verdicts = jobs.iter().map(|_| Verdict::discarded("set aside")).collect();
        Ok(Settlement { verdicts, enqueued: Vec::new() })
    }

    /// An open attempt whose worker is gone may have been sent: it becomes a doubt.
    async fn doubt_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Settlement, Error> {
        let ids: Vec<DeliveryId> = jobs.iter().filter_map(delivery_of).collect();
        let open: HashMap<DeliveryId, AttemptId> = rows::open_of(tx, &ids)
            .await?
            .into_iter()
            .map(|attempt| (attempt.delivery_id, attempt.id))
            .collect();
        let prepared: HashMap<DeliveryId, Prepared> = publishing::prepare(tx, &ids)
            .await?
            .into_iter()
            .map(|prepared| (prepared.delivery_id.clone(), prepared))
            .collect();
        let mut settlement = Settlement::default();
        let mut batch = Batch::default();
        for job in jobs {
            let id = delivery_of(job);
            let attempt = id.as_ref().and_then(|id| open.get(id));
            let known = id.as_ref().and_then(|id| prepared.get(id));
            let (Some(attempt), Some(prepared)) = (attempt, known) else {
                // No intent is open: nothing was sent, so the job may run again.
                let verdict = Verdict::again(job.due_at.max(now), "lost before its intent");
                settlement.verdicts.push(verdict);
                continue;
            };
            let doubt = Doubt {
                reach: Reach::HeadersStarted,
                detail: "the process that was sending it was lost".to_owned(),
                remote_id: None,
            };
            batch.doubt(prepared, attempt, &doubt, None, now);
            let payload = work::Reconcile {
                delivery_id: prepared.delivery_id.clone(),
                attempt_id: attempt.clone(),
                remote_id: None,
                duplicate: false,
                // Another process may go on sending until its lease has ended.
                foreign: !self.alone,
            };
            settlement.enqueued.push(reconcile_job(prepared, &payload, now, now));
            settlement.verdicts.push(Verdict { note: Some("lost".into()), ..Verdict::DONE });
        }
        batch.write(tx, now, &settlement.enqueued).await?;
        Ok(settlement)
    }
}

/// What the platform is handed.
fn item(errand: &Errand, media: Vec<ItemMedia>, ledger: Arc<dyn Ledger>) -> Item {
    Item {
        delivery: errand.prepared.delivery_id.clone(),
        text: errand.content.text.clone(),
        language: errand.prepared.language.clone(),
        link: errand.content.link.clone(),
        media,
        settings: errand.prepared.settings.clone(),
        under: errand.prepared.before.as_ref().and_then(|before| before.remote_id.clone()),
        ledger,
    }
}

/// What the platform has of it already.
pub(super) fn progress(prepared: &Prepared) -> Progress {
    let kept = prepared.progress.clone();
    kept.and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_default()
}

pub(super) fn delivery_of(job: &Claimed) -> Option<DeliveryId> {
    let payload: work::Publish = serde_json::from_value(job.payload.clone()).ok()?;
    Some(payload.delivery_id)
}

/// What this part says, if the whole is still what was scheduled.
fn unchanged(prepared: &Prepared) -> Option<Content> {
    let whole: Content = serde_json::from_value(prepared.content.clone()).ok()?;
    let same = whole.hash(&prepared.language) == prepared.content_hash;
    whole.part(prepared.part).filter(|_| same)
}

fn poison() -> DeliveryProblem {
    DeliveryProblem {
        code: "set_aside".to_owned(),
        detail: "the service has failed three times while it was about to send it".to_owned(),
        hint: "report it with the log; nothing was sent. Send it again or drop it".to_owned(),
    }
}

fn changed(id: &DeliveryId) -> Move {
    Move {
        state: DeliveryState::Failed,
        problem: Some(DeliveryProblem {
            code: "content_changed".to_owned(),
            detail: "the content is not what was scheduled".to_owned(),
            hint: "schedule the post again; look at the audit log for who changed it".to_owned(),
        }),
        ..Move::stay(id.clone(), DeliveryState::Publishing)
    }
}

impl Work for Publish {
    const KIND: &'static str = work::PUBLISH;
    type Item = Errand;
    type Report = Report;

    fn lookahead(&self) -> Duration {
        self.tools.pace.lookahead
    }

    fn least_lease(&self) -> Duration {
        let pace = &self.tools.pace;
        pace.request_timeout + pace.margin + pace.lookahead
    }

    fn knows_time(&self) -> bool {
        self.tools.steady.is_vouched_for()
    }

    fn workers(&self) -> usize {
        self.tools.pace.workers
    }

    fn admit<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Vec<Admission<Errand>>, Error>> {
        Box::pin(self.admit_all(tx, now, jobs))
    }

    fn run<'a>(&'a self, _: &'a Claimed, errand: &'a Errand, pass: Pass) -> Later<'a, Report> {
        Box::pin(async move {
            crate::crash_point!("publish.after_intent");
            let report = self.send(errand, &pass).await;
            crate::crash_point!("publish.after_call");
            report
        })
    }

    fn settle<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<Errand, Report>],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(outcomes::settle(&self.tools, tx, now, done))
    }

    fn lost<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(self.doubt_all(tx, now, jobs))
    }

    fn aside<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(self.set_aside(tx, now, jobs))
    }
}

/// Moves a guarded delivery on by an event that the state machine knows.
pub(super) fn moved(prepared: &Prepared, from: DeliveryState, event: Event) -> Move {
    let stay = Move::stay(prepared.delivery_id.clone(), from);
    match from.apply(event) {
        Ok(state) => Move { state, ..stay },
        // Not to be reached: the callers pass pairs that the state machine has.
        Err(refused) => {
            tracing::error!(delivery.id = %prepared.delivery_id, error = %refused, "no such move");
            stay
        }
    }
}

/// What a delivery waits for; the form that [`Move`] wants.
#[expect(clippy::unnecessary_wraps, reason = "every caller puts it into a field that is optional")]
pub(super) fn waiting_for(code: &str, detail: impl Into<String>) -> Option<WaitsFor> {
    Some(WaitsFor { code: code.to_owned(), detail: detail.into() })
}

/// How an attempt that is open ends.
pub(super) fn close(attempt: &AttemptId, outcome: AttemptOutcome) -> Close {
    Close {
        id: attempt.clone(),
        from: AttemptOutcome::Open,
        outcome,
        reach: None,
        detail: None,
        sent_ms: None,
    }
}
