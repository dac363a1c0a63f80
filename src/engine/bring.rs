//! Brings files to platforms ahead of a delivery's instant where that takes long: videos are sent in segments,
//! and then the platform works on them.
//!
//! Nobody can see what that makes, so nothing is guarded and no attempt is counted; how far it has come is
//! kept with the delivery. Nothing depends on this work: what is not there at the instant is brought by
//! the attempt itself, later than was wanted.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::outcomes::problem;
use super::publish::{Report, delivery_of};
use super::{Tools, entry, files, place};
use crate::clock::{after, before};
use crate::domain::delivery::{DeliveryState, Event};
use crate::domain::id::DeliveryId;
use crate::domain::variant::Content;
use crate::domain::work;
use crate::platforms::outcome::{Outcome, Refusal, RefusalKind};
use crate::platforms::session::Progress;
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, Settled, Settlement, Verdict, Work};
use crate::queue::retry::BackOff;
use crate::store::jobs::{Claimed, Ending};
use crate::store::outcomes::{self as rows, Move};
use crate::store::publishing::{self, Prepared};
use crate::store::{Error, Tx, audit};

/// Accounts for which files are brought at once on each platform: nobody waits for it yet.
const HANDS: usize = 2;
/// Between tries that nobody has said a time for.
const BACK_OFF: BackOff = BackOff { first: Duration::from_secs(10), most: Duration::from_mins(5) };
/// How often it is looked at whether it is approved by now.
const UNAPPROVED: Duration = Duration::from_mins(1);
/// The shortest pause between two runs for one delivery.
const PAUSE: Duration = Duration::from_secs(2);

/// The kind of work that brings files.
#[derive(Debug)]
pub struct Bring {
    tools: Tools,
    ahead: Duration,
}

/// A delivery whose files are to be brought.
#[derive(Debug)]
pub struct Errand {
    prepared: Prepared,
    said: Content,
}

/// How far it came.
#[derive(Debug)]
pub struct Brought {
    progress: Progress,
    came: Came,
}

/// What it came to.
#[derive(Debug)]
enum Came {
    /// Everything is there and ready.
    There,
    /// The platform has said something else.
    Told(Outcome),
    /// Nothing was asked, for this reason.
    NotNow(String),
}

impl Bring {
    /// Brings files so long before the instant.
    pub fn new(tools: Tools, ahead: Duration) -> Self {
        Self { tools, ahead }
    }

    async fn admit_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Vec<Admission<Errand>>, Error> {
        let ids: Vec<DeliveryId> = jobs.iter().filter_map(delivery_of).collect();
        let states: HashMap<DeliveryId, DeliveryState> =
            rows::states(tx, &ids).await?.into_iter().collect();
        let prepared = publishing::prepare(tx, &ids).await?.into_iter();
        let mut prepared: HashMap<DeliveryId, Prepared> =
            prepared.map(|one| (one.delivery_id.clone(), one)).collect();
        let mut admit = |job: &Claimed| {
            let waits = |id: &DeliveryId| {
                matches!(states.get(id), Some(DeliveryState::Scheduled | DeliveryState::Held))
            };
            let prepared = delivery_of(job).filter(waits).and_then(|id| prepared.remove(&id));
            let said = prepared.as_ref().and_then(place::said);
            let pending = delivery_of(job).and_then(|id| states.get(&id).copied())
                == Some(DeliveryState::PendingApproval);
            match prepared.zip(said) {
                Some((prepared, said)) => self.admit_one(prepared, said, now),
                // Nothing leaves the house before that.
                None if pending => {
                    Admission::Not(Ending::Again(after(now, UNAPPROVED)), "not approved".to_owned())
                }
                None => Admission::Not(Ending::Done, "nothing to bring".to_owned()),
            }
        };
        Ok(jobs.iter().map(&mut admit).collect())
    }

    fn admit_one(&self, prepared: Prepared, said: Content, now: Timestamp) -> Admission<Errand> {
        let begin = before(prepared.due_at, self.ahead);
        if prepared.due_at <= now {
            return Admission::Not(Ending::Done, "its instant has come".to_owned());
        }
        if begin > now {
            return Admission::Not(Ending::Again(begin), "there is time".to_owned());
        }
        match self.tools.time_brake(&prepared.platform) {
            Some(brake) => Admission::Not(Ending::Again(brake.until), brake.detail),
            None => Admission::Run(Errand { prepared, said }),
        }
    }

    async fn bring(&self, errand: &Errand, pass: &Pass) -> Brought {
        let prepared = &errand.prepared;
        let mut progress = kept(prepared);
        let not_now = |progress: Progress, why: &str| Brought {
            progress,
            came: Came::NotNow(why.to_owned()),
        };
        let Some(platform) = self.tools.platforms.get(&prepared.platform) else {
            return not_now(progress, "this build does not have the platform");
        };
        let rule = &platform.rules().images;
        let media = match files::of(&self.tools, rule, &errand.said, &progress).await {
            Ok(media) => media,
            Err(Report::NotNow { detail, .. } | Report::Unfit { detail, .. }) => {
                return not_now(progress, &detail);
            }
            Err(Report::Asked { .. } | Report::TakenBack) => return not_now(progress, "no files"),
        };
        let Ok(session) = self.tools.session(prepared) else {
            return not_now(progress, "the account's credential does not open");
        };
        let came = tokio::select! {
            biased;
            () = pass.taken_back() => Came::NotNow("taken back".to_owned()),
            came = platform.bring(&session, &media, &mut progress) => match came {
                Ok(()) => Came::There,
                Err(outcome) => Came::Told(*outcome),
            },
        };
        Brought { progress, came }
    }

    async fn settle_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        done: &[Settled<Errand, Brought>],
    ) -> Result<Settlement, Error> {
        let (mut moves, mut refusals) = (Vec::new(), HashMap::new());
        let mut settlement = Settlement::default();
        for one in done {
            let (prepared, report) = (&one.item.prepared, &one.report);
            if report.progress != kept(prepared) {
                rows::keep_progress(tx, &prepared.delivery_id, &json!(report.progress)).await?;
            }
            if let Some(refusal) = unusable(&report.came) {
                moves.extend(failed(&prepared.delivery_id, refusal));
                refusals.insert(prepared.delivery_id.clone(), refusal);
            }
            let verdict = verdict(&one.job, prepared, &report.came, now);
            let note = verdict.note.as_deref().unwrap_or_default();
            let delivery = &prepared.delivery_id;
            tracing::info!(delivery.id = %delivery, came = note, "brought files ahead");
            settlement.verdicts.push(verdict);
        }
        let mut entries = Vec::new();
        for id in rows::transition(tx, &moves, now).await? {
            let refusal = refusals.get(&id);
            let detail =
                refusal.map_or(Value::Null, |it| json!({"code": it.code, "detail": it.detail}));
            entries.push(entry("delivery.failed", &id, detail));
        }
        audit::append(tx, &entries, now);
        Ok(settlement)
    }
}

fn kept(prepared: &Prepared) -> Progress {
    let kept = prepared.progress.clone();
    kept.and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_default()
}

/// The platform does not take the file itself. Of the account and all else the attempt will hear.
fn unusable(came: &Came) -> Option<&Refusal> {
    match came {
        Came::Told(Outcome::Refused(refusal)) if refusal.kind == RefusalKind::Content => {
            Some(refusal)
        }
        Came::Told(_) | Came::There | Came::NotNow(_) => None,
    }
}

/// People hear of it while there is time to do something about it.
fn failed(id: &DeliveryId, refusal: &Refusal) -> Option<Move> {
    let state = DeliveryState::Scheduled.apply(Event::GuardRefused).ok()?;
    let detail = format!("the platform refused it ({}): {}", refusal.code, refusal.detail);
    let problem = problem("refused", &detail, "change the post and schedule it again");
    let stay = Move::stay(id.clone(), DeliveryState::Scheduled);
    Some(Move { state, problem: Some(problem), ..stay })
}

fn verdict(job: &Claimed, prepared: &Prepared, came: &Came, now: Timestamp) -> Verdict {
    let tries = u32::try_from(job.tries).unwrap_or(u32::MAX);
    let backed_off = after(now, BACK_OFF.wait(tries, rand::random()));
    let (next, note) = match came {
        // Looked at once more then: it may have been moved, and what is there lives for a day only.
        Came::There => (prepared.due_at, "there".to_owned()),
        Came::NotNow(why) => (backed_off, why.clone()),
        Came::Told(Outcome::Deferred(deferral)) => {
            let until = deferral.until.map_or(backed_off, |until| until.max(after(now, PAUSE)));
            (until, deferral.detail.clone())
        }
        Came::Told(Outcome::Refused(refusal)) => (backed_off, refusal.detail.clone()),
        Came::Told(Outcome::Published(_) | Outcome::Pending(_) | Outcome::Unknown(_)) => {
            (backed_off, "an answer that bringing files cannot have".to_owned())
        }
    };
    Verdict::again(next.min(prepared.due_at), note.replace('\0', ""))
}

impl Work for Bring {
    const KIND: &'static str = work::BRING;
    type Item = Errand;
    type Report = Brought;

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

    fn run<'a>(&'a self, _: &'a Claimed, errand: &'a Errand, pass: Pass) -> Later<'a, Brought> {
        Box::pin(async move { self.bring(errand, &pass).await })
    }

    fn settle<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<Errand, Brought>],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(self.settle_all(tx, now, done))
    }

    /// What was brought and not written down is brought again.
    fn lost<'a>(
        &'a self,
        _tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>> {
        let again = after(now, BACK_OFF.first);
        let lost = |job: &Claimed| Verdict::lost(job, again, "lost while bringing files");
        let verdicts = jobs.iter().map(lost).collect();
        Box::pin(async move { Ok(Settlement { verdicts, enqueued: Vec::new() }) })
    }
}
