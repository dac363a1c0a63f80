//! Gives what is out another text because a person wants it. That may be repeated, so an answer that hides
//! what came of it is no danger: the post is looked at, and asked for again, until it is known.
//!
//! A later correction takes the place of an earlier one, and never the other way: what is sent is the newest
//! at the instant of the intent, and what an earlier request may still do is waited out. What somebody else
//! has written there is not overwritten unless a person says so.

mod attempt;
mod note;

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Pace, Tools, budgets, circuits, looks, place, verify};
use crate::clock::{after, before};
use crate::domain::audit::NewEntry;
use crate::domain::correction::{Correction, CorrectionState, made_meanwhile, unsure_until};
use crate::domain::delivery::DeliveryState;
use crate::domain::id::DeliveryId;
use crate::domain::variant::{Content, MAX_TEXT, REPEAT_WINDOW};
use crate::domain::work;
use crate::engine::outcomes::LONGEST_BLOCK;
use crate::platforms::outcome::Usage;
use crate::queue::Lease;
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, SET_ASIDE, Settled, Settlement, Verdict, Work};
use crate::store::after::{self as rows, Standing, WentOut};
use crate::store::corrections::{self, Hindrance, Progress};
use crate::store::jobs::{Claimed, Ending, enqueue};
use crate::store::publishing::{self, Prepared};
use crate::store::{Error, Tx, audit};

/// Accounts on which something is corrected at once.
const HANDS: usize = 4;
/// How often it is looked whether a hold has ended.
const HELD: Duration = Duration::from_secs(15);
/// What another was faster with is looked at again after so long.
const SOON: Duration = Duration::from_millis(200);

/// The kind of work that corrects.
#[derive(Debug)]
pub struct Correct {
    tools: Tools,
    lease: Lease,
}

/// What is to be corrected, and with what.
#[derive(Debug)]
pub struct Errand {
    /// With what it says by itself; none when the account has no credential any more.
    prepared: Option<(Prepared, Content)>,
    standing: Standing,
    correction: Correction,
    history: Vec<Correction>,
}

/// What came of a try.
#[derive(Debug)]
pub struct Tried {
    came: Came,
    usage: Vec<Usage>,
    traces: Traces,
}

/// What requests may have left behind.
#[derive(Debug, Clone, Copy)]
struct Traces {
    /// Since when the post may say it.
    begun_at: Option<Timestamp>,
    /// Since when a request may be under way whose end nobody knows.
    open_since: Option<Timestamp>,
}

impl Traces {
    const NONE: Self = Self { begun_at: None, open_since: None };

    fn of(it: &Correction) -> Self {
        Self { begun_at: it.begun_at, open_since: it.open_since }
    }
}

#[derive(Debug)]
enum Came {
    /// The post says it; and what it said by somebody else in the moment before, where that was seen.
    Made { how: &'static str, replaced: Option<String> },
    /// The platform says that the post does not exist, which the look for it decides.
    Missing { detail: String },
    /// Not yet, or nobody knows.
    NotYet { detail: String, until: Option<Timestamp> },
    /// The platform cannot be asked before somebody has connected the account again.
    Waits { detail: String },
    /// Somebody must do something about it.
    Refused { code: String, detail: String },
    /// The post says what neither we nor this correction have said.
    Conflict { shown: String },
    /// It must not be made any more, or not now.
    Overtaken,
}

impl Tried {
    /// Nothing has left, so it stands as it stood.
    fn without_request(came: Came, usage: Vec<Usage>, traces: Traces) -> Self {
        Self { came, usage, traces }
    }
}

/// What is known of deliveries: how they stand, and their corrections in order.
struct Known {
    standing: HashMap<DeliveryId, Standing>,
    histories: HashMap<DeliveryId, Vec<Correction>>,
}

impl Known {
    async fn of(tx: &mut Tx, ids: &[DeliveryId]) -> Result<Self, Error> {
        let standing = rows::standing(tx, ids).await?;
        let mut histories: HashMap<DeliveryId, Vec<Correction>> = HashMap::new();
        for (id, one) in corrections::of(tx, ids).await? {
            histories.entry(id).or_default().push(one);
        }
        let standing = standing.into_iter().map(|it| (it.id.clone(), it)).collect();
        Ok(Self { standing, histories })
    }

    /// How a delivery stands that is out and not to be deleted.
    fn out(&self, id: &DeliveryId) -> Option<&Standing> {
        let is_out = |it: &&Standing| it.state == DeliveryState::Published && it.recall.is_none();
        self.standing.get(id).filter(is_out)
    }

    fn history(&self, id: &DeliveryId) -> &[Correction] {
        self.histories.get(id).map_or(&[], Vec::as_slice)
    }

    /// One that is still to be made.
    fn wanted(&self, job: &work::Correct) -> Option<(&Standing, &Correction)> {
        let standing = self.out(&job.delivery_id)?;
        let history = self.history(&job.delivery_id).iter();
        let mut open = history.filter(|it| it.state.is_open());
        open.find(|it| it.number == job.number).map(|it| (standing, it))
    }
}

/// What is to be written down of corrections.
#[derive(Default)]
struct Written {
    notes: Vec<(DeliveryId, Correction)>,
    dropped: Vec<DeliveryId>,
    entries: Vec<NewEntry>,
}

impl Written {
    /// What has not changed gives the delivery no new version.
    fn note(&mut self, standing: &Standing, was: &Correction, is: Correction, now: Timestamp) {
        if is.told_at == Some(now) && was.told_at != is.told_at {
            self.entries.push(note::tell(standing, &is));
        }
        if *was != is {
            self.notes.push((standing.id.clone(), is));
        }
    }

    async fn write(self, tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
        let ms = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
        let each = self.notes.iter().map(|(id, it)| Progress {
            id,
            number: it.number,
            state: it.state,
            tries: it.tries,
            problem: it.problem.as_ref(),
            told_ms: ms(it.told_at),
            shown: it.shown.as_deref(),
            begun_ms: ms(it.begun_at),
            open_ms: ms(it.open_since),
            ended_ms: ms(it.ended_at),
        });
        let notes: Vec<Progress<'_>> = each.collect();
        corrections::note(tx, &notes, now).await?;
        corrections::drop_open(tx, &self.dropped, now).await?;
        audit::append(tx, &self.entries, now);
        Ok(())
    }
}

impl Correct {
    /// Corrects with these tools, under this lease.
    pub fn new(tools: Tools, lease: Lease) -> Self {
        Self { tools, lease }
    }

    async fn admit_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Vec<Admission<Errand>>, Error> {
        let wishes: Vec<Option<work::Correct>> = jobs.iter().map(payload_of).collect();
        let named: Vec<DeliveryId> =
            wishes.iter().flatten().map(|it| it.delivery_id.clone()).collect();
        let slots: Vec<&str> = jobs.iter().map(|job| job.slot.as_str()).collect();
        let closed = circuits::closed_even_to_urgent(&self.tools, tx, now, &slots).await?;
        let known = Known::of(tx, &named).await?;
        let silent = looks::silent(tx, now, &slots).await?;
        let stopped = self.stopped(tx, &named, now).await?;
        let mut prepared: HashMap<DeliveryId, Prepared> = publishing::prepare(tx, &named)
            .await?
            .into_iter()
            .map(|it| (it.delivery_id.clone(), it))
            .collect();
        let mut admissions = Vec::with_capacity(jobs.len());
        let mut written = Written::default();
        for (job, wish) in jobs.iter().zip(&wishes) {
            let Some((standing, correction)) = wish.as_ref().and_then(|it| known.wanted(it)) else {
                let gone = wish.iter().filter(|it| known.out(&it.delivery_id).is_none());
                written.dropped.extend(gone.map(|it| it.delivery_id.clone()));
                let why = "not to be corrected any more".to_owned();
                admissions.push(Admission::Not(Ending::Done, why));
                continue;
            };
            let slot = job.slot.as_str();
            let prepared = prepared.remove(&standing.id);
            let wait = stopped.get(&standing.id).cloned();
            let passing = |until: Timestamp, why: &str| {
                (until, format!("{why}; asked again at {until}"), Some(until))
            };
            let wait = wait
                .or_else(|| closed.get(slot).map(|it| passing(*it, "the platform does not answer")))
                .or_else(|| silent.get(slot).map(|it| passing(*it, "no calls are left")))
                .or_else(|| {
                    let brake = self.tools.time_brake(&prepared.as_ref()?.platform)?;
                    Some((brake.until, format!("it waits for {}", brake.detail), None))
                });
            if let Some((again, why, until)) = wait {
                let is = note::put_off(standing, correction, &why, now, until);
                written.note(standing, correction, is, now);
                admissions.push(Admission::Not(Ending::Again(again), why));
                continue;
            }
            let said = |it: Prepared| place::said(&it).map(|said| (it, said));
            admissions.push(Admission::Run(Errand {
                prepared: prepared.and_then(said),
                standing: standing.clone(),
                correction: correction.clone(),
                history: known.history(&standing.id).to_vec(),
            }));
        }
        written.write(tx, now).await?;
        Ok(admissions)
    }

    /// What keeps deliveries from being corrected for the moment, each by what lasts longest.
    async fn stopped(
        &self,
        tx: &mut Tx,
        ids: &[DeliveryId],
        now: Timestamp,
    ) -> Result<HashMap<DeliveryId, Wait>, Error> {
        let all = corrections::hindrances(tx, ids, now, before(now, REPEAT_WINDOW)).await?;
        Ok(all.into_iter().filter_map(|it| Some((it.id.clone(), stopped_by(&it, now)?))).collect())
    }

    async fn settle_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        done: &[Settled<Errand, Tried>],
    ) -> Result<Settlement, Error> {
        let ids: Vec<DeliveryId> = done.iter().map(|one| one.item.standing.id.clone()).collect();
        let known = Known::of(tx, &ids).await?;
        let mut settlement = Settlement::default();
        let mut written = Written::default();
        for one in done {
            let id = &one.item.standing.id;
            let word = note::word(&one.report.came);
            let pool = work::pool(&one.job.slot).to_owned();
            metrics::counter!("chancery_corrections_total", "platform" => pool, "outcome" => word)
                .increment(1);
            tracing::info!(
                delivery.id = %id, outcome = word, came = ?one.report.came,
                "asked the platform to change the text of a post"
            );
            let Some(standing) = known.out(id) else {
                written.dropped.push(id.clone());
                settlement.verdicts.push(Verdict::DONE);
                continue;
            };
            let verdict = self.settle_one(one, standing, &known, &mut written, now);
            if let (Came::Missing { .. }, Some((prepared, _))) =
                (&one.report.came, &one.item.prepared)
            {
                let out = WentOut {
                    id: id.clone(),
                    account_id: prepared.account_id.clone(),
                    platform: prepared.platform.clone(),
                };
                settlement.enqueued.push(verify::first_job(&out, now));
            }
            settlement.verdicts.push(verdict);
        }
        let heard = done.iter().map(|one| (one.job.slot.as_str(), one.report.usage.as_slice()));
        budgets::hear(tx, now, heard).await?;
        written.write(tx, now).await?;
        enqueue(tx, &settlement.enqueued, now).await?;
        Ok(settlement)
    }

    /// What becomes of a correction of what is out still.
    fn settle_one(
        &self,
        one: &Settled<Errand, Tried>,
        standing: &Standing,
        known: &Known,
        written: &mut Written,
        now: Timestamp,
    ) -> Verdict {
        let (id, number) = (&standing.id, one.item.correction.number);
        let Tried { came, traces, .. } = &one.report;
        let Some(was) = known.history(id).iter().find(|it| it.number == number) else {
            return Verdict::DONE;
        };
        let Traces { begun_at, open_since } = *traces;
        let it = Correction { begun_at, open_since, ..was.clone() };
        let again = self.next(was, came, now);
        if let Came::Made { how, replaced } = came {
            let it = note::settled(&it, replaced.as_deref(), now);
            let reach = reach(&self.tools.pace, work::pool(&one.job.slot));
            let unsure = unsure_until(known.history(id), number, reach).filter(|at| now < *at);
            // On two nodes requests of two corrections can be under way at once.
            let beside = made_meanwhile(&one.item.history, known.history(id), number);
            let until = unsure.or(beside.then_some(now));
            if let Some(until) = until.filter(|_| was.state.is_open()) {
                // An earlier request may have come after it, or may still come. That it was public stays known.
                let it = Correction { ended_at: it.ended_at.or(Some(now)), ..it };
                written.note(standing, was, it, now);
                return Verdict::again(until, "an earlier request may come after it");
            }
            let made = Correction { state: CorrectionState::Done, ended_at: Some(now), ..it };
            if was.state != CorrectionState::Done {
                written.entries.push(note::corrected(standing, &made, how));
            }
            written.note(standing, was, made, now);
        } else if was.state.is_open() {
            let (is, again) = note::goes_on(standing, &it, came, (now, again));
            written.note(standing, was, is, now);
            return Verdict::again(again, note::word(came));
        } else {
            written.note(standing, was, it, now);
        }
        Verdict::DONE
    }

    /// It is asked again for as long as somebody wants it.
    fn next(&self, it: &Correction, came: &Came, now: Timestamp) -> Timestamp {
        let until = match came {
            Came::Overtaken => return after(now, SOON),
            Came::NotYet { until, .. } => *until,
            Came::Made { .. }
            | Came::Missing { .. }
            | Came::Waits { .. }
            | Came::Refused { .. }
            | Came::Conflict { .. } => None,
        };
        let failures = u32::try_from(it.tries + 1).unwrap_or(u32::MAX);
        let wait = after(now, self.tools.pace.back_off.wait(failures, rand::random()));
        // No window of a platform is longer than a day: what says more is garbled.
        let believed = until.map(|until| until.min(after(now, LONGEST_BLOCK)));
        believed.map_or(wait, |until| until.max(wait))
    }

    /// Correcting may be repeated, but not when it is what kills the process.
    async fn lose_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Settlement, Error> {
        let wishes: Vec<work::Correct> =
            jobs.iter().filter(|job| job.losses >= SET_ASIDE).filter_map(payload_of).collect();
        let ids: Vec<DeliveryId> = wishes.iter().map(|it| it.delivery_id.clone()).collect();
        let known = Known::of(tx, &ids).await?;
        let mut written = Written::default();
        for wish in &wishes {
            let Some((standing, was)) = known.wanted(wish) else { continue };
            let why = "the process was lost three times while it tried; ask for it again, or change \
                       the text by hand";
            let is = Correction {
                state: CorrectionState::Stuck,
                tries: was.tries + 1,
                problem: Some(note::in_the_way(standing, "correction_set_aside", why)),
                told_at: Some(now),
                ..was.clone()
            };
            written.note(standing, was, is, now);
        }
        written.write(tx, now).await?;
        let soon = after(now, Duration::from_secs(1));
        let verdicts =
            jobs.iter().map(|job| Verdict::lost(job, soon, "lost while correcting")).collect();
        Ok(Settlement { verdicts, enqueued: Vec::new() })
    }
}

/// For how long after an intent its request may take effect, whoever has sent it: it leaves within a lease
/// of the intent, takes no longer than its deadline, and may be seen late.
fn reach(pace: &Pace, platform: &str) -> Duration {
    pace.lease + pace.request_timeout + pace.quiet_wait.of(platform)
}

/// When it is looked at again, why it waits, and until when if people are to be told when that is long.
type Wait = (Timestamp, String, Option<Timestamp>);

/// Of a hold and of a quarantine people know. That a correction waits for what else they have done may be
/// news to whoever has asked for it.
fn stopped_by(it: &Hindrance, now: Timestamp) -> Option<Wait> {
    let again = after(now, HELD);
    let (why, until) = if it.moved {
        ("what was done here last is not in the database any more", None)
    } else if it.quarantined {
        ("nothing is sent until a person releases the database", None)
    } else if it.held {
        ("a hold covers it; it is corrected when the hold has ended", None)
    } else if it.embargoed {
        ("an embargo covers it; it is corrected when that has ended", None)
    } else if it.withdrawn {
        ("its unit is closed or its post was removed", Some(again))
    } else if it.account_unfit {
        ("its account must be connected again", Some(again))
    } else if it.unapproved {
        (
            "its post does not say this any more, or that is not approved or not proofed any more",
            Some(again),
        )
    } else if it.repeated {
        // Of which people are told at once.
        let why = "the account has said the same elsewhere since; ask for it again as an intended repeat, or for \
                   another text";
        (why, Some(after(now, REPEAT_WINDOW)))
    } else {
        return None;
    };
    Some((again, why.to_owned(), until))
}

/// What a post says as it may be kept: platforms can give anything.
fn shown_text(shown: &str) -> String {
    shown.replace('\0', "").chars().take(MAX_TEXT).collect()
}

fn payload_of(job: &Claimed) -> Option<work::Correct> {
    serde_json::from_value(job.payload.clone()).ok()
}

impl Work for Correct {
    const KIND: &'static str = work::CORRECT;
    type Item = Errand;
    type Report = Tried;

    fn lookahead(&self) -> Duration {
        Duration::ZERO
    }

    fn least_lease(&self) -> Duration {
        self.tools.pace.request_timeout + self.tools.pace.margin
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

    fn run<'a>(&'a self, _: &'a Claimed, errand: &'a Errand, pass: Pass) -> Later<'a, Tried> {
        Box::pin(async move { self.attempt(errand, &pass).await })
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
