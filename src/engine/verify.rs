//! Looks whether what was published is still there. A post that is certainly gone becomes `vanished`: it
//! was out, and is never sent again.
//!
//! Nothing counts as gone that was seen once: the platform must say twice, with a pause between, that it
//! does not exist, and each time show that the account itself can be read, and another post of it. A read
//! that fails says nothing, nor do many posts that are missed at once.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::missing::{Belief, Tally};
use super::outcomes::problem;
use super::{Tools, budgets, entry, looks, money};
use crate::clock::{after, before};
use crate::domain::audit::NewEntry;
use crate::domain::delivery::{DeliveryState, Event};
use crate::domain::id::{DeliveryId, JobId};
use crate::domain::outbox::Occasion;
use crate::domain::work;
use crate::platforms::outcome::{Presence, Witness};
use crate::platforms::session::Metered;
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, Settled, Settlement, Verdict, Work};
use crate::queue::retry::BackOff;
use crate::store::after::{self as rows, Standing, WentOut};
use crate::store::jobs::{Claimed, Ending, NewJob, enqueue};
use crate::store::outcomes::{Move, transition};
use crate::store::publishing::{self, Prepared};
use crate::store::{Error, Tx, audit};

/// Accounts that are looked at at once: few, since nobody waits for it.
const READERS: usize = 2;
/// After everything else.
const PRIORITY: i64 = 9;
/// Between two looks that could not see.
const BACK_OFF: BackOff = BackOff { first: Duration::from_mins(2), most: Duration::from_hours(2) };
/// A look that could not be made for so long is not made at all; the next span has its own.
const PATIENCE: Duration = Duration::from_hours(48);
/// Why nothing follows from a second look.
const TOO_MANY: &str = "too many posts of the platform are missed at once";
/// How long a look waits for which there is no money.
const BROKE: Duration = Duration::from_hours(6);

/// The kind of work that looks.
#[derive(Debug)]
pub struct Verify {
    tools: Tools,
    belief: Belief,
}

/// What is looked for, and with what.
#[derive(Debug)]
pub struct Look {
    prepared: Prepared,
    standing: Standing,
    witness: Witness,
    payload: work::Verify,
}

impl Verify {
    /// Looks with these tools, and believes what platforms say so far.
    pub fn new(tools: Tools, belief: Belief) -> Self {
        Self { tools, belief }
    }

    async fn admit_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Vec<Admission<Look>>, Error> {
        let payloads: Vec<Option<work::Verify>> =
            jobs.iter().map(|job| serde_json::from_value(job.payload.clone()).ok()).collect();
        let ids: Vec<DeliveryId> =
            payloads.iter().flatten().map(|payload| payload.delivery_id.clone()).collect();
        let mut standing: HashMap<DeliveryId, Standing> =
            rows::standing(tx, &ids).await?.into_iter().map(|it| (it.id.clone(), it)).collect();
        let mut prepared: HashMap<DeliveryId, Prepared> = publishing::prepare(tx, &ids)
            .await?
            .into_iter()
            .map(|it| (it.delivery_id.clone(), it))
            .collect();
        let mut witnesses: HashMap<DeliveryId, Option<String>> =
            rows::witnesses(tx, &ids, before(now, self.belief.pause)).await?.into_iter().collect();
        let mut admissions = Vec::with_capacity(jobs.len());
        for (job, payload) in jobs.iter().zip(payloads) {
            let look = payload.and_then(|payload| {
                let standing = standing.remove(&payload.delivery_id).filter(is_out)?;
                let prepared = prepared.remove(&payload.delivery_id)?;
                let remote_id = witnesses.remove(&payload.delivery_id).flatten();
                let witness = Witness { remote_id, needed: true };
                Some(Look { prepared, standing, witness, payload })
            });
            admissions.push(match look {
                None => Admission::Not(Ending::Done, "nothing to look for".to_owned()),
                Some(_) if is_over(job, now) => {
                    Admission::Not(Ending::Done, "it could not be looked for".to_owned())
                }
                Some(look) => match self.tools.time_brake(&look.prepared.platform) {
                    Some(brake) => Admission::Not(Ending::Again(brake.until), brake.detail),
                    None => Admission::Run(look),
                },
            });
        }
        looks::spare(&self.tools, tx, now, jobs, &mut admissions).await?;
        let mut paid: BTreeMap<&str, usize> = BTreeMap::new();
        for (job, admission) in jobs.iter().zip(&mut admissions) {
            if !matches!(admission, Admission::Run(_)) {
                continue;
            }
            let pool = work::pool(&job.slot);
            let looks = paid.entry(pool).or_default();
            if money::affords_look(&self.tools, tx, now, (pool, *looks)).await? {
                *looks += 1;
            } else {
                let why = "no money is left for looks".to_owned();
                *admission = Admission::Not(Ending::Again(after(now, BROKE)), why);
            }
        }
        looks::made(&self.tools, tx, now, jobs, &admissions).await?;
        for (pool, looks) in paid {
            money::charge_reads(&self.tools, tx, now, pool, looks).await?;
        }
        Ok(admissions)
    }

    async fn look(&self, look: &Look) -> Metered<Presence> {
        let cannot_see = |detail: &str| Metered {
            value: Presence::CannotSee { detail: detail.to_owned(), until: None },
            usage: Vec::new(),
        };
        let Some(platform) = self.tools.platforms.get(&look.prepared.platform) else {
            return cannot_see("this build does not have the platform");
        };
        let Some(id) = &look.standing.remote_id else {
            return cannot_see("its id at the platform is not known");
        };
        match self.tools.session(&look.prepared) {
            Ok(session) => platform.presence(&session, id, &look.witness).await,
            Err(_sealed) => cannot_see("the account's credential does not open"),
        }
    }

    async fn settle_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        done: &[Settled<Look, Metered<Presence>>],
    ) -> Result<Settlement, Error> {
        let ids: Vec<DeliveryId> = done.iter().map(|one| one.item.standing.id.clone()).collect();
        let standing: HashMap<DeliveryId, Standing> =
            rows::standing(tx, &ids).await?.into_iter().map(|it| (it.id.clone(), it)).collect();
        let mut settlement = Settlement::default();
        let heard = done.iter().map(|one| (one.job.slot.as_str(), one.report.usage.as_slice()));
        budgets::hear(tx, now, heard).await?;
        let (doubted, mut entries) = self.belief.doubted(tx, tally(done, &standing), now).await?;
        let mut moves = Vec::new();
        for one in done {
            let still = still_out(one, &standing);
            let pool = work::pool(&one.job.slot);
            let payload = &one.item.payload;
            let (word, verdict) = match (&one.report.value, still) {
                (_, None) => ("overtaken", Verdict::DONE),
                (Presence::There, Some(_)) => ("there", Verdict::DONE),
                (Presence::CannotSee { detail, until }, Some(_)) => {
                    let note = detail.replace('\0', "");
                    ("unseen", Verdict::again(next(&one.job, *until, now), note))
                }
                (Presence::Gone, Some(it)) => match payload.missed_at {
                    None => {
                        let again = work::Verify { missed_at: Some(now), ..payload.clone() };
                        let due_at = after(now, self.belief.pause);
                        settlement.enqueued.push(job(&again, &one.job.slot, now, due_at));
                        ("missed", Verdict::DONE)
                    }
                    Some(_) if doubted.contains(pool) => {
                        ("suspended", Verdict::again(next(&one.job, None, now), TOO_MANY))
                    }
                    Some(missed_at) => {
                        moves.push(vanished(it));
                        entries.push(gone(it, missed_at));
                        ("vanished", Verdict::DONE)
                    }
                },
            };
            let platform = pool.to_owned();
            metrics::counter!("chancery_verifications_total", "platform" => platform, "outcome" => word)
                .increment(1);
            if word != "there" {
                tracing::info!(
                    delivery.id = %one.item.standing.id, outcome = word,
                    "looked whether a post is still there"
                );
            }
            settlement.verdicts.push(verdict);
        }
        transition(tx, &moves, now).await?;
        audit::append(tx, &entries, now);
        enqueue(tx, &settlement.enqueued, now).await?;
        Ok(settlement)
    }
}

/// How it stands, if it is out still. Whoever wants it to be recalled deletes it: then its absence is
/// no news.
fn still_out<'a>(
    one: &Settled<Look, Metered<Presence>>,
    standing: &'a HashMap<DeliveryId, Standing>,
) -> Option<&'a Standing> {
    standing.get(&one.item.standing.id).filter(|it| is_out(it))
}

/// How many more posts are missed.
fn tally<'a>(
    done: &'a [Settled<Look, Metered<Presence>>],
    standing: &HashMap<DeliveryId, Standing>,
) -> Tally<'a> {
    let mut tally = Tally::default();
    for one in done {
        let out = still_out(one, standing).is_some();
        let missed = out && one.report.value == Presence::Gone;
        let unseen = out && matches!(one.report.value, Presence::CannotSee { .. });
        let second = one.item.payload.missed_at.is_some();
        tally.add(work::pool(&one.job.slot), second, missed, unseen);
    }
    tally
}

/// The job that looks whether a delivery that went out is still there.
pub(super) fn first_job(delivery: &WentOut, now: Timestamp) -> NewJob {
    let payload = work::Verify { delivery_id: delivery.id.clone(), missed_at: None };
    let slot = work::slot(&delivery.platform, &delivery.account_id);
    job(&payload, &slot, now, now)
}

fn job(payload: &work::Verify, slot: &str, now: Timestamp, due_at: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(now, rand::random()),
        kind: work::VERIFY,
        unique_key: work::verify_key(payload),
        slot: slot.to_owned(),
        payload: json!(payload),
        priority: PRIORITY,
        due_at,
    }
}

fn is_out(standing: &Standing) -> bool {
    standing.state == DeliveryState::Published && standing.recall.is_none()
}

fn is_over(job: &Claimed, now: Timestamp) -> bool {
    now > after(job.created_at, PATIENCE)
}

fn next(job: &Claimed, until: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let tries = u32::try_from(job.tries).unwrap_or(u32::MAX);
    let wait = after(now, BACK_OFF.wait(tries, rand::random()));
    // However long the platform wants to be left alone: at the end of the patience it is given up.
    let last = after(job.created_at, PATIENCE + Duration::from_millis(1));
    until.map_or(wait, |until| until.max(wait)).min(last.max(wait))
}

fn vanished(standing: &Standing) -> Move {
    let stay = Move::stay(standing.id.clone(), DeliveryState::Published);
    let detail =
        "the platform says that it does not exist any more, and nobody here has deleted it";
    let hint = "ask the platform, or whoever else may delete on the account; it is never sent again by \
                itself";
    match DeliveryState::Published.apply(Event::Vanished) {
        Ok(state) => Move { state, problem: Some(problem("vanished", detail, hint)), ..stay },
        Err(_not_now) => stay,
    }
}

fn gone(standing: &Standing, missed_at: Timestamp) -> NewEntry {
    let detail = json!({"remote_id": standing.remote_id, "missed_at": missed_at});
    entry(Occasion::DeliveryVanished.as_str(), &standing.id, detail)
}

impl Work for Verify {
    const KIND: &'static str = work::VERIFY;
    type Item = Look;
    type Report = Metered<Presence>;

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
    ) -> Later<'a, Result<Vec<Admission<Look>>, Error>> {
        Box::pin(self.admit_all(tx, now, jobs))
    }

    fn run<'a>(&'a self, _: &'a Claimed, look: &'a Look, _: Pass) -> Later<'a, Self::Report> {
        Box::pin(self.look(look))
    }

    fn settle<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<Look, Self::Report>],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(self.settle_all(tx, now, done))
    }

    fn lost<'a>(
        &'a self,
        _: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>> {
        // Nothing is known, so nothing changes; the next span looks again.
        let soon = after(now, Duration::from_mins(1));
        let verdicts =
            jobs.iter().map(|it| Verdict::lost(it, soon, "lost while looking")).collect();
        Box::pin(async move { Ok(Settlement { verdicts, enqueued: Vec::new() }) })
    }
}
