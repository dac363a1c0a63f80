//! Deletes what is out because a person wants it. Deleting may be repeated, so an answer that hides what
//! came of it is no danger: it is asked again, and the post is looked for, until it is known.
//!
//! Holds stop what is to leave, and never this.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::outcomes::{LONGEST_BLOCK, problem};
use super::{Tools, below, budgets, circuits, entry, looks};
use crate::clock::after;
use crate::domain::audit::NewEntry;
use crate::domain::delivery::{DeliveryProblem, DeliveryState, Event, Recall};
use crate::domain::id::DeliveryId;
use crate::domain::outbox::Occasion;
use crate::domain::work;
use crate::platforms::outcome::{Alteration, Presence, Usage, Witness};
use crate::platforms::session::Metered;
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, SET_ASIDE, Settled, Settlement, Verdict, Work};
use crate::store::after::{self as rows, Note, Standing};
use crate::store::jobs::{Claimed, Ending};
use crate::store::outcomes::{Move, transition};
use crate::store::publishing::{self, Prepared};
use crate::store::{Error, Tx, audit};

/// Accounts on which something is deleted at once.
const HANDS: usize = 8;
/// After so many tries without success people are told; a refusal is told at once.
const TELL_AFTER: i64 = 4;
/// A recall that goes on for longer than this is told of, however few tries it had.
const TELL_BEYOND: Duration = Duration::from_mins(10);
/// How often it is seen whether what stands below a post is gone.
const BELOW: Duration = Duration::from_millis(500);
/// How often it is seen whether an account is connected again of which nobody has said so.
const UNCONNECTED: Duration = Duration::from_hours(1);

/// The kind of work that deletes.
#[derive(Debug)]
pub struct TakeBack {
    tools: Tools,
    pause: Duration,
}

/// What is to be deleted, and with what.
#[derive(Debug)]
pub struct Errand {
    /// None when the account has no credential any more.
    prepared: Option<Prepared>,
    standing: Standing,
}

/// What came of a try.
#[derive(Debug)]
pub struct Tried {
    came: Came,
    usage: Vec<Usage>,
}

#[derive(Debug)]
enum Came {
    /// The platform says that it has deleted it.
    Gone,
    /// The platform says that it does not exist, which it may say of what is new.
    Missing { detail: String },
    /// Not yet, or nobody knows.
    NotYet { detail: String, until: Option<Timestamp> },
    /// The platform cannot be asked before somebody has connected the account again.
    Waits { detail: String },
    /// Somebody must do something about it.
    Refused { code: String, detail: String },
}

impl TakeBack {
    /// Deletes with these tools; what cannot be seen counts as gone when it cannot be seen after
    /// `pause` either.
    pub fn new(tools: Tools, pause: Duration) -> Self {
        Self { tools, pause }
    }

    async fn admit_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Vec<Admission<Errand>>, Error> {
        let ids: Vec<Option<DeliveryId>> = jobs.iter().map(delivery_of).collect();
        let named: Vec<DeliveryId> = ids.iter().flatten().cloned().collect();
        let mut standing: HashMap<DeliveryId, Standing> =
            rows::standing(tx, &named).await?.into_iter().map(|it| (it.id.clone(), it)).collect();
        let mut prepared: HashMap<DeliveryId, Prepared> = publishing::prepare(tx, &named)
            .await?
            .into_iter()
            .map(|it| (it.delivery_id.clone(), it))
            .collect();
        let slots: Vec<&str> = jobs.iter().map(|job| job.slot.as_str()).collect();
        let closed = circuits::closed_even_to_urgent(&self.tools, tx, now, &slots).await?;
        let silent = looks::silent(tx, now, &slots).await?;
        let mut admissions = Vec::with_capacity(jobs.len());
        let mut entries = Vec::new();
        let wanted: Vec<(&Claimed, &Standing)> = jobs
            .iter()
            .zip(&ids)
            .filter_map(|(job, id)| Some((job, standing.get(id.as_ref()?)?)))
            .filter(|(_, standing)| is_wanted(standing))
            .collect();
        let waiting = below::first(tx, &wanted, now, &mut entries).await?;
        for (job, id) in jobs.iter().zip(ids) {
            let wanted = id.and_then(|id| standing.remove(&id)).filter(is_wanted);
            let Some(standing) = wanted else {
                let why = "not to be recalled any more".to_owned();
                admissions.push(Admission::Not(Ending::Done, why));
                continue;
            };
            if waiting.contains(&standing.id) {
                let why = "what stands below it goes first".to_owned();
                admissions.push(Admission::Not(Ending::Again(after(now, BELOW)), why));
                continue;
            }
            let slot = job.slot.as_str();
            let wait = closed.get(slot).map(|until| (*until, "the platform does not answer"));
            let wait = wait.or_else(|| silent.get(slot).map(|it| (*it, "no calls are left")));
            if let Some((until, why)) = wait {
                entries.extend(put_off(tx, &standing, (until, why), now).await?);
                admissions.push(Admission::Not(Ending::Again(until), why.to_owned()));
            } else {
                let prepared = prepared.remove(&standing.id);
                admissions.push(Admission::Run(Errand { prepared, standing }));
            }
        }
        audit::append(tx, &entries, now);
        Ok(admissions)
    }

    async fn take_back(&self, errand: &Errand) -> Tried {
        let refused = |code: &str, detail: &str| Tried {
            came: Came::Refused { code: code.to_owned(), detail: detail.to_owned() },
            usage: Vec::new(),
        };
        let waits = |detail: &str| Tried {
            came: Came::Waits { detail: detail.to_owned() },
            usage: Vec::new(),
        };
        let Some(prepared) = &errand.prepared else {
            return waits("the account has no credential any more");
        };
        let Some(id) = &errand.standing.remote_id else {
            return refused("remote_id", "its id at the platform is not known");
        };
        let Some(platform) = self.tools.platforms.get(&prepared.platform) else {
            return refused("unknown_platform", "this build does not have the platform");
        };
        let Ok(session) = self.tools.session(prepared) else {
            return waits("the account's credential does not open with the key of this process");
        };
        let Metered { value, mut usage } = platform.remove(&session, id).await;
        crate::crash_point!("recall.after_delete");
        let came = match value {
            Alteration::Made => Came::Gone,
            Alteration::NotThere(said) | Alteration::Unknown(said) => {
                let seen = platform.presence(&session, id, &Witness::default()).await;
                usage.extend(seen.usage);
                match seen.value {
                    Presence::Gone => Came::Missing { detail: said },
                    Presence::There => {
                        Came::NotYet { detail: format!("it is still there ({said})"), until: None }
                    }
                    Presence::CannotSee { detail, until } => {
                        let detail = format!("{said}; the account cannot be read: {detail}");
                        Came::NotYet { detail, until }
                    }
                }
            }
            Alteration::Refused(refusal) => {
                Came::Refused { code: refusal.code, detail: refusal.detail }
            }
            Alteration::Deferred(put_off) => {
                Came::NotYet { detail: put_off.detail, until: put_off.until }
            }
        };
        Tried { came, usage }
    }

    async fn settle_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        done: &[Settled<Errand, Tried>],
    ) -> Result<Settlement, Error> {
        let ids: Vec<DeliveryId> = done.iter().map(|one| one.item.standing.id.clone()).collect();
        let standing: HashMap<DeliveryId, Standing> =
            rows::standing(tx, &ids).await?.into_iter().map(|it| (it.id.clone(), it)).collect();
        let mut settlement = Settlement::default();
        let (mut moves, mut entries, mut recalls) = (Vec::new(), Vec::new(), Vec::new());
        for one in done {
            let now_is = standing.get(&one.item.standing.id).filter(|it| is_wanted(it));
            let Some((it, recall)) = now_is.and_then(|it| Some((it, it.recall.clone()?))) else {
                settlement.verdicts.push(Verdict::DONE);
                continue;
            };
            let word = word(&one.report.came);
            let pool = work::pool(&one.job.slot).to_owned();
            metrics::counter!("chancery_recalls_total", "platform" => pool, "outcome" => word)
                .increment(1);
            tracing::info!(
                delivery.id = %it.id, outcome = word, came = ?one.report.came,
                "asked the platform to delete a post"
            );
            let (recall, verdict) = match self.ended(&recall, &one.report.came, now) {
                Some(how) => {
                    moves.push(recalled(it));
                    entries.push(taken_back(it, &recall, how));
                    (Recall { problem: None, ..recall }, Verdict::DONE)
                }
                None => self.goes_on(it, &recall, &one.report.came, now),
            };
            if recall.told_at == Some(now) {
                entries.push(tell(it, &recall));
            }
            // What has not changed gives the delivery no new version.
            if it.recall.as_ref() != Some(&recall) {
                recalls.push((it.id.clone(), recall));
            }
            settlement.verdicts.push(verdict);
        }
        let notes: Vec<Note<'_>> = recalls.iter().map(|(id, recall)| Note { id, recall }).collect();
        rows::note(tx, &notes, now).await?;
        transition(tx, &moves, now).await?;
        let heard = done.iter().map(|one| (one.job.slot.as_str(), one.report.usage.as_slice()));
        budgets::hear(tx, now, heard).await?;
        audit::append(tx, &entries, now);
        Ok(settlement)
    }

    /// How it is known that the post is gone, if it is.
    fn ended(&self, recall: &Recall, came: &Came, now: Timestamp) -> Option<&'static str> {
        match came {
            Came::Gone => Some("the platform says that it has deleted it"),
            Came::Missing { .. } => {
                let surely = after(recall.missed_at?, self.pause);
                (now >= surely).then_some("it is not there any more")
            }
            Came::NotYet { .. } | Came::Waits { .. } | Came::Refused { .. } => None,
        }
    }

    /// What is noted of a try that has not ended it, and when the next one is.
    fn goes_on(
        &self,
        it: &Standing,
        recall: &Recall,
        came: &Came,
        now: Timestamp,
    ) -> (Recall, Verdict) {
        let word = word(came);
        match came {
            Came::Gone => (recall.clone(), Verdict::DONE),
            Came::Missing { detail } => {
                let first = recall.missed_at.unwrap_or(now);
                let surely = after(first, self.pause);
                let said = format!(
                    "{detail}; the platform says that it does not exist, which is believed when it \
                     says so again at {surely}"
                );
                let problem = Some(in_the_way(it, "recall_unclear", &said));
                let recall = Recall { missed_at: Some(first), problem, ..recall.clone() };
                (recall, Verdict::again(surely, word))
            }
            Came::NotYet { detail, until } => {
                let at = self.next(recall, *until, now);
                let said = format!("{detail}; asked again at {at}");
                let recall = stuck(it, recall, ("recall_unclear", &said), now, at);
                // Whoever sees it, or cannot, begins anew to miss it.
                (Recall { missed_at: None, ..recall }, Verdict::again(at, word))
            }
            Came::Waits { detail } => {
                let said =
                    format!("{detail}; it is asked again when the account is connected again");
                let problem = Some(in_the_way(it, "recall_waits", &said));
                let told_at = recall.told_at.or(Some(now));
                let recall = Recall { missed_at: None, problem, told_at, ..recall.clone() };
                (recall, Verdict::again(after(now, UNCONNECTED), word))
            }
            Came::Refused { code, detail } => {
                let at = self.next(recall, None, now);
                let said = format!("the platform refuses to delete it ({code}): {detail}");
                (stuck(it, recall, ("recall_refused", &said), now, at), Verdict::again(at, word))
            }
        }
    }

    /// It is asked again for as long as somebody wants it.
    fn next(&self, recall: &Recall, until: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let failures = u32::try_from(recall.tries + 1).unwrap_or(u32::MAX);
        let wait = after(now, self.tools.pace.back_off.wait(failures, rand::random()));
        // No window of a platform is longer than a day: what says more is garbled.
        let believed = until.map(|until| until.min(after(now, LONGEST_BLOCK)));
        believed.map_or(wait, |until| until.max(wait))
    }

    /// Deleting may be repeated, but not when it is what kills the process.
    async fn lose_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Settlement, Error> {
        let ids: Vec<DeliveryId> =
            jobs.iter().filter(|job| job.losses >= SET_ASIDE).filter_map(delivery_of).collect();
        let mut entries = Vec::new();
        for it in rows::standing(tx, &ids).await?.iter().filter(|it| is_wanted(it)) {
            let Some(recall) = &it.recall else { continue };
            let why = "the process was lost three times while it tried; ask for it again, or delete \
                       it by hand";
            let recall = Recall { told_at: None, tries: TELL_AFTER, ..recall.clone() };
            let stuck = stuck(it, &recall, ("recall_set_aside", why), now, now);
            rows::note(tx, &[Note { id: &it.id, recall: &stuck }], now).await?;
            entries.push(tell(it, &stuck));
        }
        audit::append(tx, &entries, now);
        let soon = after(now, Duration::from_secs(1));
        let verdicts =
            jobs.iter().map(|job| Verdict::lost(job, soon, "lost while deleting")).collect();
        Ok(Settlement { verdicts, enqueued: Vec::new() })
    }
}

/// Shows that it waits, and for what; gives what people are to be told when that is long.
async fn put_off(
    tx: &mut Tx,
    standing: &Standing,
    (until, why): (Timestamp, &str),
    now: Timestamp,
) -> Result<Option<NewEntry>, Error> {
    let Some(recall) = &standing.recall else { return Ok(None) };
    let detail = format!("{why}; asked again at {until}");
    let problem = Some(in_the_way(standing, "recall_waits", &detail));
    let long = recall.told_at.is_none() && is_long(recall, until);
    let told_at = recall.told_at.or_else(|| long.then_some(now));
    let recall = Recall { problem, told_at, ..recall.clone() };
    rows::note(tx, &[Note { id: &standing.id, recall: &recall }], now).await?;
    Ok(long.then(|| tell(standing, &recall)))
}

fn delivery_of(job: &Claimed) -> Option<DeliveryId> {
    let payload: work::Recall = serde_json::from_value(job.payload.clone()).ok()?;
    Some(payload.delivery_id)
}

fn is_wanted(standing: &Standing) -> bool {
    standing.state == DeliveryState::Published && standing.recall.is_some()
}

fn word(came: &Came) -> &'static str {
    match came {
        Came::Gone => "gone",
        Came::Missing { .. } => "missing",
        Came::NotYet { .. } => "not_yet",
        Came::Waits { .. } => "waits",
        Came::Refused { .. } => "refused",
    }
}

/// A recall after one more try without success, which goes on at `again`; people are told once.
fn stuck(
    standing: &Standing,
    recall: &Recall,
    (code, detail): (&str, &str),
    now: Timestamp,
    again: Timestamp,
) -> Recall {
    let tries = recall.tries + 1;
    let tell = code == "recall_refused" || tries >= TELL_AFTER || is_long(recall, again);
    Recall {
        tries,
        problem: Some(in_the_way(standing, code, detail)),
        told_at: recall.told_at.or_else(|| tell.then_some(now)),
        ..recall.clone()
    }
}

/// Whether it is not done when people begin to wonder.
fn is_long(recall: &Recall, again: Timestamp) -> bool {
    again > after(recall.asked_at, TELL_BEYOND)
}

/// What stands in the way of a recall, without what a database cannot keep: platforms are quoted.
fn in_the_way(standing: &Standing, code: &str, detail: &str) -> DeliveryProblem {
    problem(code, &detail.replace('\0', ""), &by_hand(standing))
}

/// What a person can do when the service cannot.
fn by_hand(standing: &Standing) -> String {
    let place = standing.permalink.as_deref().or(standing.remote_id.as_deref());
    let place = place.unwrap_or("the account");
    format!("put right what the platform names, or delete it by hand: {place}")
}

fn recalled(standing: &Standing) -> Move {
    let stay = Move::stay(standing.id.clone(), DeliveryState::Published);
    match DeliveryState::Published.apply(Event::Recalled) {
        Ok(state) => Move { state, ..stay },
        Err(_not_now) => stay,
    }
}

fn taken_back(standing: &Standing, recall: &Recall, how: &str) -> NewEntry {
    let detail = json!({
        "remote_id": standing.remote_id, "asked_by": recall.asked_by, "asked_at": recall.asked_at,
        "reason": recall.reason, "how": how,
    });
    entry(Occasion::DeliveryRecalled.as_str(), &standing.id, detail)
}

fn tell(standing: &Standing, recall: &Recall) -> NewEntry {
    let detail = json!({
        "code": recall.problem.as_ref().map(|it| &it.code),
        "detail": recall.problem.as_ref().map(|it| &it.detail),
        "asked_by": recall.asked_by, "tries": recall.tries,
    });
    entry(Occasion::RecallStuck.as_str(), &standing.id, detail)
}

impl Work for TakeBack {
    const KIND: &'static str = work::RECALL;
    type Item = Errand;
    type Report = Tried;

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
    ) -> Later<'a, Result<Vec<Admission<Errand>>, Error>> {
        Box::pin(self.admit_all(tx, now, jobs))
    }

    fn run<'a>(&'a self, _: &'a Claimed, errand: &'a Errand, _: Pass) -> Later<'a, Tried> {
        Box::pin(self.take_back(errand))
    }

    fn settle<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<Errand, Tried>],
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
mod tests {
    use super::*;

    #[test]
    fn what_a_platform_says_is_kept_without_what_a_database_cannot_keep() {
        let standing = Standing {
            id: DeliveryId::new(Timestamp::UNIX_EPOCH, 1),
            state: DeliveryState::Published,
            remote_id: None,
            permalink: None,
            recall: None,
        };
        let problem = in_the_way(&standing, "recall_unclear", "a\0b");
        assert_eq!(problem.detail, "ab");
    }
}
