//! Turns what platforms said into changes of attempts, deliveries, accounts and jobs.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::batch::Batch;
use super::circuits::Lessons;
use super::publish::{Errand, Report, close, moved, waiting_for};
use super::{Tools, budgets, money, place, reconcile_job, renewals};
use crate::clock::after;
use crate::domain::attempt::{AttemptOutcome, Receipt};
use crate::domain::delivery::{DeliveryProblem, DeliveryState, Event};
use crate::domain::id::AccountId;
use crate::domain::work;
use crate::platforms::outcome::{
    Deferral, Doubt, Outcome, PROCESSING, Refusal, RefusalKind, Usage,
};
use crate::queue::job::{Settled, Settlement, Verdict};
use crate::store::jobs::NewJob;
use crate::store::outcomes::{Close, Learn, Move};
use crate::store::publishing::Prepared;
use crate::store::{Error, Tx, outcomes as rows};

/// Nothing waits for longer on the word of a platform.
pub(super) const LONGEST_BLOCK: Duration = Duration::from_hours(25);
/// What is said of every incident.
const WHOLE_PLATFORM: &str = "several accounts are refused alike; tried again by itself";

/// Records what came of several deliveries.
pub(super) async fn settle(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    done: &[Settled<Errand, Report>],
) -> Result<Settlement, Error> {
    let taken = taken(tx, done).await?;
    let accounts: Vec<&AccountId> = done.iter().map(|one| &one.item.prepared.account_id).collect();
    let high_waters: HashMap<AccountId, String> =
        rows::high_waters(tx, &accounts).await?.into_iter().collect();
    let mut lessons = Lessons::of(tools, tx, now, done).await?;
    let renewable = renewals::possible(tx, now, done).await?;
    let mut renewed = Vec::new();
    let mut settlement = Settlement::default();
    let mut batch = Batch::default();
    for one in done {
        let incident = lessons.learn(one);
        let mut recorder = Recorder {
            tools,
            now,
            errand: &one.item,
            high_water: high_waters.get(&one.item.prepared.account_id),
            taken: &taken,
            incident,
            renewal: !incident && renewals::is_among(&renewable, one),
            batch: &mut batch,
            enqueued: &mut settlement.enqueued,
        };
        if recorder.renewal {
            renewed.push(&one.item.prepared);
        }
        settlement.verdicts.push(recorder.record(&one.report));
    }
    lessons.write(tx).await?;
    let written = batch.write_rows(tx, now).await?;
    let heard = done.iter().filter_map(|one| match &one.report {
        Report::Asked { answer, .. } => Some((one.job.slot.as_str(), answer.usage.as_slice())),
        Report::TakenBack | Report::NotNow { .. } | Report::Unfit { .. } => None,
    });
    budgets::hear(tx, now, heard).await?;
    let out = done.iter().filter(|one| is_out(&one.report)).map(|one| &one.item.prepared);
    place::wake(tx, out, now).await?;
    money::give_back(tx, done, |errand| written.closed.contains(&errand.attempt)).await?;
    renewals::begin(tx, now, &renewed).await?;
    written.tell(tx, now, &settlement.enqueued).await?;
    Ok(settlement)
}

fn is_out(report: &Report) -> bool {
    match report {
        Report::Asked { answer, .. } => matches!(answer.value, Outcome::Published(_)),
        Report::TakenBack | Report::NotNow { .. } | Report::Unfit { .. } => false,
    }
}

/// Remote ids among these that belong to other deliveries.
async fn taken(
    tx: &mut Tx,
    done: &[Settled<Errand, Report>],
) -> Result<HashSet<(AccountId, String)>, Error> {
    let ids: Vec<(&AccountId, &str)> = done
        .iter()
        .filter_map(|one| match &one.report {
            Report::Asked { answer, .. } => match &answer.value {
                Outcome::Published(receipt) => {
                    Some((&one.item.prepared.account_id, receipt.remote_id.as_str()))
                }
                Outcome::Pending(_)
                | Outcome::Refused(_)
                | Outcome::Deferred(_)
                | Outcome::Unknown(_) => None,
            },
            Report::TakenBack | Report::NotNow { .. } | Report::Unfit { .. } => None,
        })
        .collect();
    Ok(rows::taken(tx, &ids).await?.into_iter().collect())
}

struct Recorder<'a> {
    tools: &'a Tools,
    now: Timestamp,
    errand: &'a Errand,
    high_water: Option<&'a String>,
    taken: &'a HashSet<(AccountId, String)>,
    /// The refusal is one of many alike: it says nothing about this delivery or its account.
    incident: bool,
    /// The access token was refused, and can be followed by another.
    renewal: bool,
    batch: &'a mut Batch,
    enqueued: &'a mut Vec<NewJob>,
}

impl Recorder<'_> {
    fn record(&mut self, report: &Report) -> Verdict {
        let prepared = &self.errand.prepared;
        let attempt = &self.errand.attempt;
        match report {
            Report::Asked { answer, sent_at, progress } => {
                // What was kept and holds no more must go too.
                let keep = !progress.is_empty() || prepared.progress.is_some();
                let progress = keep.then(|| json!(progress));
                let word = self.count(&answer.value);
                let verdict = self.outcome(&answer.value, *sent_at, progress);
                let own = answer.usage.iter().filter(|usage| !usage.whole_app);
                let blocked = own.filter_map(Usage::blocked_until).max();
                if let Some(until) = blocked {
                    self.block(until);
                }
                let (delivery, account) = (&prepared.delivery_id, &prepared.account_id);
                tracing::info!(
                    delivery.id = %delivery, account.id = %account, attempt.id = %attempt,
                    platform = prepared.platform, outcome = word, "asked the platform"
                );
                verdict
            }
            Report::TakenBack => {
                let change = Move {
                    attempts: -1,
                    ..moved(prepared, DeliveryState::Publishing, Event::Withdrawn)
                };
                let close = close(attempt, AttemptOutcome::Withdrawn);
                self.batch.add(close, change, json!({"code": "withdrawn"}));
                Verdict::again(prepared.due_at.max(self.now), "taken back")
            }
            Report::NotNow { code, detail } => {
                let deferral =
                    Deferral { until: None, code, detail: detail.clone(), whole_account: false };
                self.deferred(&deferral, None)
            }
            Report::Unfit { code, detail, hint } => {
                let problem = problem(code, detail, hint);
                self.fail(problem, json!({"code": code, "detail": detail}))
            }
        }
    }

    fn count(&self, outcome: &Outcome) -> &'static str {
        let word = match outcome {
            Outcome::Published(_) => AttemptOutcome::Published,
            Outcome::Pending(_) => AttemptOutcome::Pending,
            Outcome::Refused(_) => AttemptOutcome::Refused,
            Outcome::Deferred(_) => AttemptOutcome::Deferred,
            Outcome::Unknown(_) => AttemptOutcome::Unknown,
        };
        let platform = self.errand.prepared.platform.clone();
        metrics::counter!(
            "chancery_deliveries_total", "platform" => platform, "outcome" => word.as_str()
        )
        .increment(1);
        word.as_str()
    }

    fn outcome(
        &mut self,
        outcome: &Outcome,
        sent_at: Option<Timestamp>,
        progress: Option<Value>,
    ) -> Verdict {
        match outcome {
            Outcome::Published(receipt) => self.published(receipt, sent_at),
            // The id is known: looking at it says what became of it.
            Outcome::Pending(ticket) => {
                let doubt = Doubt {
                    reach: crate::domain::attempt::Reach::AnswerStarted,
                    detail: "the platform is still processing it".to_owned(),
                    remote_id: Some(ticket.id.clone()),
                };
                self.doubt(&doubt, sent_at, false)
            }
            Outcome::Refused(refusal) => self.refused(refusal, sent_at, progress),
            Outcome::Deferred(deferral) => self.deferred(deferral, progress),
            Outcome::Unknown(doubt) => self.doubt(doubt, sent_at, false),
        }
    }

    fn published(&mut self, receipt: &Receipt, sent_at: Option<Timestamp>) -> Verdict {
        let prepared = &self.errand.prepared;
        let key = (prepared.account_id.clone(), receipt.remote_id.clone());
        if self.taken.contains(&key) {
            // An id that another delivery has cannot be this one's: a person must look.
            let detail = format!("the platform answered with the id {} of an older post", key.1);
            let change = Move {
                problem: Some(problem("remote_id_taken", &detail, "look at the live account")),
                waits_for: waiting_for("person", detail.clone()),
                ..moved(prepared, DeliveryState::Publishing, Event::NeedsPerson)
            };
            let close = Close {
                sent_ms: sent_at,
                detail: Some(json!({"code": "remote_id_taken", "remote_id": key.1})),
                ..close(&self.errand.attempt, AttemptOutcome::Unknown)
            };
            self.batch.add(close, change, json!({"code": "remote_id_taken"}));
            return Verdict::DONE;
        }
        let change = Move {
            remote_id: Some(receipt.remote_id.clone()),
            permalink: receipt.permalink.clone(),
            published_ms: Some(receipt.published_at),
            ..moved(prepared, DeliveryState::Publishing, Event::Published)
        };
        let detail = json!({"remote_id": receipt.remote_id});
        let close = Close {
            sent_ms: sent_at,
            detail: Some(detail.clone()),
            ..close(&self.errand.attempt, AttemptOutcome::Published)
        };
        self.batch.add(close, change, detail);
        self.newest(&receipt.remote_id);
        Verdict { rest_until: self.rest(), ..Verdict::DONE }
    }

    /// A delivery of a backlog lets its account rest.
    fn rest(&self) -> Option<Timestamp> {
        let pace = &self.tools.pace;
        let backlog = after(self.errand.prepared.due_at, pace.catch_up_after) < self.now;
        backlog.then(|| after(self.now, pace.catch_up_spacing))
    }

    fn newest(&mut self, remote_id: &str) {
        let prepared = &self.errand.prepared;
        if self.tools.is_newest(prepared, remote_id, self.high_water, self.now) {
            let learned =
                Learn { high_water: Some(remote_id.to_owned()), ..learns_nothing(prepared) };
            self.batch.learn(&self.errand.attempt, learned);
        }
    }

    fn block(&mut self, until: Timestamp) {
        // No window of a platform is longer than a day: what says more is garbled.
        let until = until.min(after(self.now, LONGEST_BLOCK));
        let learned = Learn { blocked_ms: Some(until), ..learns_nothing(&self.errand.prepared) };
        self.batch.learn(&self.errand.attempt, learned);
    }

    fn refused(
        &mut self,
        refusal: &Refusal,
        sent_at: Option<Timestamp>,
        progress: Option<Value>,
    ) -> Verdict {
        let (status, hint) = remedy(refusal.kind);
        match refusal.kind {
            RefusalKind::Credential if self.renewal => self.renew(refusal, sent_at, progress),
            RefusalKind::Duplicate => {
                let doubt = Doubt {
                    reach: crate::domain::attempt::Reach::AnswerStarted,
                    detail: said(refusal),
                    remote_id: None,
                };
                self.doubt(&doubt, sent_at, true)
            }
            RefusalKind::Content if !self.incident => {
                let detail = json!({"code": refusal.code, "detail": refusal.detail});
                self.fail(problem("refused", &said(refusal), hint), detail)
            }
            RefusalKind::Content
            | RefusalKind::Credential
            | RefusalKind::Permission
            | RefusalKind::Person
            | RefusalKind::Configuration
            | RefusalKind::Credits => {
                let status = status.filter(|_| !self.incident);
                self.hold(refusal, (status, hint), sent_at, progress)
            }
        }
    }

    /// Held, because of the account or of the whole platform; no attempt is used up.
    fn hold(
        &mut self,
        refusal: &Refusal,
        (status, hint): (Option<&'static str>, &str),
        sent_at: Option<Timestamp>,
        progress: Option<Value>,
    ) -> Verdict {
        let detail = json!({"code": refusal.code, "detail": refusal.detail});
        let prepared = &self.errand.prepared;
        let hint =
            if self.incident { format!("{hint}; {WHOLE_PLATFORM}") } else { hint.to_owned() };
        let (code, why) =
            if self.incident { ("incident", "incident") } else { ("account_unfit", "account") };
        let change = Move {
            attempts: -1,
            progress,
            problem: Some(problem(code, &said(refusal), &hint)),
            waits_for: waiting_for(why, format!("{}; {hint}", refusal.detail)),
            ..moved(prepared, DeliveryState::Publishing, Event::AccountUnfit)
        };
        let close = Close {
            sent_ms: sent_at,
            detail: Some(detail.clone()),
            ..close(&self.errand.attempt, AttemptOutcome::Refused)
        };
        self.batch.add(close, change, detail);
        self.batch.learn(&self.errand.attempt, Learn { status, ..learns_nothing(prepared) });
        // Looked at again from time to time: somebody may have put it right.
        Verdict::again(
            after(self.now, super::clauses::HELD).min(prepared.publish_by),
            refusal.code.clone(),
        )
    }

    /// Certainly not created, since its access token was not taken; tried again with the next one. No attempt
    /// is used up.
    fn renew(
        &mut self,
        refusal: &Refusal,
        sent_at: Option<Timestamp>,
        progress: Option<Value>,
    ) -> Verdict {
        let prepared = &self.errand.prepared;
        let detail = json!({"code": refusal.code, "detail": refusal.detail});
        let waiting = format!("a new access token of its account; the last one: {}", said(refusal));
        let change = Move {
            attempts: -1,
            progress,
            waits_for: waiting_for("token_refresh", waiting),
            ..moved(prepared, DeliveryState::Publishing, Event::Deferred)
        };
        let close = Close {
            sent_ms: sent_at,
            detail: Some(detail.clone()),
            ..close(&self.errand.attempt, AttemptOutcome::Refused)
        };
        self.batch.add(close, change, detail);
        let next = after(self.now, super::clauses::TOKEN).min(prepared.publish_by);
        Verdict::again(next, "token_refresh")
    }

    fn deferred(&mut self, deferral: &Deferral, progress: Option<Value>) -> Verdict {
        let prepared = &self.errand.prepared;
        let failures = u32::try_from(prepared.refusals + 1).unwrap_or(u32::MAX);
        let wait = self.tools.pace.back_off.wait(failures, rand::random());
        let backed_off = after(self.now, wait);
        // A little after the window opens, so that many accounts do not come back at one instant.
        let believed = deferral.until.map(|until| until.min(after(self.now, LONGEST_BLOCK)));
        let wanted = believed.map_or(backed_off, |until| until.max(backed_off));
        if deferral.code == PROCESSING && wanted >= prepared.publish_by {
            return self.too_slow(deferral, progress);
        }
        let next = wanted.min(prepared.publish_by);
        let detail = json!({"code": deferral.code, "detail": deferral.detail});
        let waiting = if wanted >= prepared.publish_by {
            format!("{}; not before {wanted}, which is too late", deferral.detail)
        } else {
            format!("{}; tried again at {next}", deferral.detail)
        };
        let change = Move {
            attempts: -1,
            refusals: 1,
            progress,
            waits_for: waiting_for(deferral.code, waiting),
            ..moved(prepared, DeliveryState::Publishing, Event::Deferred)
        };
        let close = Close {
            detail: Some(detail.clone()),
            ..close(&self.errand.attempt, AttemptOutcome::Deferred)
        };
        self.batch.add(close, change, detail);
        if let Some(until) = deferral.until.filter(|_| deferral.whole_account) {
            self.block(until);
        }
        Verdict::again(next, deferral.code)
    }

    /// The platform will not have worked on a file in time: a person decides, while there is time.
    fn too_slow(&mut self, deferral: &Deferral, progress: Option<Value>) -> Verdict {
        let detail = json!({"code": deferral.code, "detail": deferral.detail});
        let hint = "send it again, which gives it more time, or drop it";
        let change = Move {
            attempts: -1,
            refusals: 1,
            progress,
            problem: Some(problem("media_processing", &deferral.detail, hint)),
            waits_for: waiting_for("person", deferral.detail.clone()),
            ..moved(&self.errand.prepared, DeliveryState::Publishing, Event::NeedsPerson)
        };
        let close = Close {
            detail: Some(detail.clone()),
            ..close(&self.errand.attempt, AttemptOutcome::Deferred)
        };
        self.batch.add(close, change, detail);
        Verdict::DONE
    }

    fn doubt(&mut self, doubt: &Doubt, sent_at: Option<Timestamp>, duplicate: bool) -> Verdict {
        let prepared = &self.errand.prepared;
        self.batch.doubt(prepared, &self.errand.attempt, doubt, sent_at, self.now);
        let payload = work::Reconcile {
            delivery_id: prepared.delivery_id.clone(),
            attempt_id: self.errand.attempt.clone(),
            remote_id: doubt.remote_id.clone(),
            duplicate,
            foreign: false,
        };
        let first_look = after(self.now, self.tools.pace.quiet_wait.of(&prepared.platform) / 60);
        self.enqueued.push(reconcile_job(prepared, &payload, self.now, first_look));
        Verdict { note: Some("in doubt".to_owned()), ..Verdict::DONE }
    }

    fn fail(&mut self, problem: DeliveryProblem, detail: Value) -> Verdict {
        let change = Move {
            problem: Some(problem),
            ..moved(&self.errand.prepared, DeliveryState::Publishing, Event::Refused)
        };
        let close = Close {
            detail: Some(detail.clone()),
            ..close(&self.errand.attempt, AttemptOutcome::Refused)
        };
        self.batch.add(close, change, detail);
        Verdict::DONE
    }
}

impl Tools {
    /// Whether a post is to be the mark of its account's newest from now on. A mark that cannot be one
    /// gives way to any that can.
    pub(super) fn is_newest(
        &self,
        prepared: &Prepared,
        remote_id: &str,
        known: Option<&String>,
        now: Timestamp,
    ) -> bool {
        let Some(platform) = self.platforms.get(&prepared.platform) else { return false };
        let can_be = |id: &str| platform.can_be_newest(id, &prepared.remote_id, now);
        let known = known.filter(|known| can_be(known));
        can_be(remote_id) && known.is_none_or(|known| platform.newer(remote_id, known).is_gt())
    }
}

/// What an account learns; the caller fills in what it is.
pub(super) fn learns_nothing(prepared: &Prepared) -> Learn {
    Learn {
        id: prepared.account_id.clone(),
        high_water: None,
        blocked_ms: None,
        status: None,
        credential_version: prepared.credential.version,
    }
}

/// What a refusal makes of the account, and what one can do.
const fn remedy(kind: RefusalKind) -> (Option<&'static str>, &'static str) {
    match kind {
        RefusalKind::Content => (None, "change the post and schedule it again"),
        RefusalKind::Duplicate => (None, "look at the live account"),
        RefusalKind::Credential => (Some("needs_reconnect"), "connect the account again"),
        RefusalKind::Permission => (Some("paused"), "give the token the right it lacks"),
        RefusalKind::Person => (Some("paused"), "do what the platform asks for there"),
        RefusalKind::Configuration => (None, "correct the application's set-up"),
        RefusalKind::Credits => (None, "top up the application's credit"),
    }
}

fn said(refusal: &Refusal) -> String {
    format!("the platform refused it ({}): {}", refusal.code, refusal.detail)
}

/// A problem of a delivery.
pub(super) fn problem(code: &str, detail: &str, hint: &str) -> DeliveryProblem {
    DeliveryProblem { code: code.to_owned(), detail: detail.to_owned(), hint: hint.to_owned() }
}
