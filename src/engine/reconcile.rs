//! Finds out what became of a doubtful attempt: the only way out of `unknown` besides a person.
//!
//! It reads the account back. A failed read is never an absence; absence counts only after the
//! quiet wait; a second doubt, an official statement and a refusal as duplicate end at a person.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::conclude::{ask, conclude, newest_known, still_waiting};
use super::place::{self, placed, places};
use super::{Tools, batch::Batch, budgets, entry, looks, publish, publish_job};
use crate::clock::{after, before, until};
use crate::domain::attempt::Receipt;
use crate::domain::class::Class;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{AccountId, DeliveryId};
use crate::domain::variant::Content;
use crate::domain::work;
use crate::platforms::outcome::{Lookup, Refusal};
use crate::platforms::session::{Metered, Probe};
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, SET_ASIDE, Settled, Settlement, Verdict, Work};
use crate::store::jobs::{Claimed, Ending};
use crate::store::outcomes::Doubtful;
use crate::store::publishing::Prepared;
use crate::store::{Error, Tx, audit, outcomes as rows, publishing};

/// Accounts that are read at once.
const READERS: usize = 8;
/// For how many quiet waits a read may fail before a person is asked.
const PATIENCE: u32 = 8;
/// A film that the platform works on for longer is a person's.
const LONGEST_PROCESSING: Duration = Duration::from_hours(24);
/// Posts of the account that were published this long before the attempt may still be confused
/// with it, because the platform's clock is not ours.
const SKEW: Duration = Duration::from_mins(10);

/// The kind of work that looks.
#[derive(Debug)]
pub struct Reconcile {
    tools: Tools,
}

/// A doubt and what is needed to look for it.
#[derive(Debug)]
pub struct Search {
    pub(super) prepared: Prepared,
    content: Content,
    pub(super) attempt: Doubtful,
    /// When the first attempt began that may have been carried out, and the newest post before it: a
    /// later refusal as a duplicate speaks of that one, and so may a post that shows up late.
    since: Timestamp,
    mark: Option<String>,
    known: Vec<String>,
    payload: work::Reconcile,
}

/// What was seen, and when the look for it began.
#[derive(Debug)]
pub struct Seen {
    at: Timestamp,
    looked: Metered<Lookup>,
}

/// What a decision depends on.
#[derive(Debug, Clone, Copy)]
struct Facts {
    now: Timestamp,
    /// When the look began. What it did not find was not there then; whatever came later, such as a
    /// slow answer or a database that refused, makes the absence no older.
    looked_at: Timestamp,
    /// When the request had certainly ended.
    ended_at: Timestamp,
    quiet: Duration,
    publish_by: Timestamp,
    class: Class,
    doubts: i64,
    duplicate: bool,
}

/// What to do about a doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is there.
    Adopt(Receipt),
    /// Too early to tell.
    LookAgain(Timestamp),
    /// It is certainly not there, and may be sent again.
    SendAgain,
    /// It is certainly never going to be there.
    Fail(Refusal),
    /// Only a person can tell.
    Ask(&'static str, String),
}

impl Reconcile {
    /// Looks with these tools.
    pub fn new(tools: Tools) -> Self {
        Self { tools }
    }

    async fn admit_all(
        &self,
        tx: &mut Tx,
        jobs: &[Claimed],
    ) -> Result<Vec<Admission<Search>>, Error> {
        let payloads: Vec<Option<work::Reconcile>> =
            jobs.iter().map(|job| serde_json::from_value(job.payload.clone()).ok()).collect();
        let ids: Vec<DeliveryId> =
            payloads.iter().flatten().map(|payload| payload.delivery_id.clone()).collect();
        let attempts: Vec<_> =
            payloads.iter().flatten().map(|payload| payload.attempt_id.clone()).collect();
        let states: HashMap<_, _> = rows::states(tx, &ids).await?.into_iter().collect();
        let mut doubts: HashMap<_, _> = rows::doubtful(tx, &attempts)
            .await?
            .into_iter()
            .map(|attempt| (attempt.id.clone(), attempt))
            .collect();
        let mut first: HashMap<_, _> = rows::first_doubts(tx, &ids).await?;
        let mut prepared: HashMap<_, _> = publishing::prepare(tx, &ids)
            .await?
            .into_iter()
            .map(|prepared| (prepared.delivery_id.clone(), prepared))
            .collect();
        let mut admissions = Vec::with_capacity(jobs.len());
        for payload in payloads {
            let search = payload.and_then(|payload| {
                let unknown = states.get(&payload.delivery_id) == Some(&DeliveryState::Unknown);
                let prepared = prepared.remove(&payload.delivery_id).filter(|_| unknown)?;
                let content = place::said(&prepared)?;
                let attempt = doubts.remove(&payload.attempt_id)?;
                let (since, mark) = first
                    .remove(&payload.delivery_id)
                    .filter(|(since, _)| *since < attempt.started_at)
                    .unwrap_or_else(|| (attempt.started_at, attempt.high_water.clone()));
                let known = Vec::new();
                Some(Search { prepared, content, attempt, since, mark, known, payload })
            });
            admissions.push(match search {
                None => Admission::Not(Ending::Done, "not in doubt any more".to_owned()),
                Some(mut search) => {
                    let since = before(search.since, SKEW);
                    let (account, id) = (&search.prepared.account_id, &search.prepared.delivery_id);
                    search.known = rows::known_remote(tx, account, id, since).await?;
                    Admission::Run(search)
                }
            });
        }
        Ok(admissions)
    }

    /// Whether the quiet wait is over depends on the time: while that is in doubt nothing is judged.
    fn in_time(&self, admission: Admission<Search>) -> Admission<Search> {
        let Admission::Run(search) = admission else { return admission };
        match self.tools.time_brake(&search.prepared.platform) {
            Some(brake) => Admission::Not(Ending::Again(brake.until), brake.detail),
            None => Admission::Run(search),
        }
    }

    async fn look(&self, search: &Search) -> Metered<Lookup> {
        let cannot_see = |detail: &str| Metered {
            value: Lookup::CannotSee { detail: detail.to_owned(), until: None },
            usage: Vec::new(),
        };
        let Some(platform) = self.tools.platforms.get(&search.prepared.platform) else {
            return cannot_see("this build does not have the platform");
        };
        let Ok(session) = self.tools.session(&search.prepared) else {
            return cannot_see("the account's credential does not open");
        };
        let place = match placed(&search.prepared) {
            Ok(place) => place,
            Err(value) => return Metered { value, usage: Vec::new() },
        };
        let probe = Probe {
            delivery: Some(search.prepared.delivery_id.clone()),
            text: search.content.text.clone(),
            link: search.content.link.clone(),
            media_count: search.content.media.len(),
            high_water: search.mark.clone(),
            started_at: search.since,
            remote_id: search.payload.remote_id.clone(),
            taken: search.known.clone(),
            place,
            settings: search.prepared.settings.clone(),
            film: search.content.has_film(),
            made: publish::progress(&search.prepared).made,
        };
        platform.find(&session, &probe).await
    }

    fn facts(&self, search: &Search, looked_at: Timestamp, now: Timestamp) -> Facts {
        let pace = &self.tools.pace;
        let mut quiet = pace.quiet_wait.of(&search.prepared.platform);
        if search.payload.foreign {
            // The process that was sending may have gone on until its lease ended.
            quiet += pace.lease + pace.request_timeout;
        }
        Facts {
            now,
            looked_at,
            ended_at: search.attempt.ended_at.unwrap_or(search.attempt.started_at),
            quiet,
            publish_by: search.prepared.publish_by,
            class: search.prepared.class,
            doubts: search.prepared.doubts,
            duplicate: search.payload.duplicate,
        }
    }

    async fn settle_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        done: &[Settled<Search, Seen>],
    ) -> Result<Settlement, Error> {
        let ids: Vec<(&AccountId, &str)> = done
            .iter()
            .filter_map(|one| {
                Some((&one.item.prepared.account_id, found(&one.report.looked.value)?))
            })
            .collect();
        let taken: HashSet<(AccountId, String)> =
            rows::taken(tx, &ids).await?.into_iter().collect();
        let accounts: Vec<&AccountId> =
            done.iter().map(|one| &one.item.prepared.account_id).collect();
        let high_waters: HashMap<AccountId, String> =
            rows::high_waters(tx, &accounts).await?.into_iter().collect();
        let mut settlement = Settlement::default();
        let mut batch = Batch::default();
        let (mut waiting, mut absent) = (Vec::new(), Vec::new());
        for one in done {
            let (search, seen) = (&one.item, &one.report);
            let account = &search.prepared.account_id;
            let elsewhere = found(&one.report.looked.value)
                .filter(|id| taken.contains(&(account.clone(), (*id).to_owned())));
            let decision = match elsewhere {
                Some(id) => {
                    Decision::Ask("remote_id_taken", format!("the post {id} belongs elsewhere"))
                }
                None => decide(&seen.looked.value, &self.facts(search, seen.at, now)),
            };
            tracing::info!(
                delivery.id = %search.prepared.delivery_id, account.id = %account,
                attempt.id = %search.attempt.id, decision = ?decision, "looked for a doubtful attempt"
            );
            if let Decision::LookAgain(at) = decision {
                waiting.push(still_waiting(search, &seen.looked.value, at));
                settlement.verdicts.push(Verdict::again(at, "not seen yet"));
                continue;
            }
            if let Decision::SendAgain = decision {
                settlement.enqueued.push(publish_job(&search.prepared, now, now));
                absent.push(&search.attempt.id);
            }
            if let Decision::Adopt(receipt) = &decision {
                let newest = high_waters.get(account);
                if self.tools.is_newest(&search.prepared, &receipt.remote_id, newest, now) {
                    batch.learn(&search.attempt.id, newest_known(search, receipt));
                }
            }
            conclude(&mut batch, search, &decision);
            settlement.verdicts.push(Verdict::DONE);
        }
        rows::transition(tx, &waiting, now).await?;
        let written = batch.write_rows(tx, now).await?;
        place::wake(tx, all_found(done), now).await?;
        // What was looked for and is not there costs nothing.
        absent.retain(|attempt| written.closed.contains(*attempt));
        let heard =
            done.iter().map(|one| (one.job.slot.as_str(), one.report.looked.usage.as_slice()));
        budgets::hear(tx, now, heard).await?;
        crate::store::budgets::give_back(tx, &absent).await?;
        written.tell(tx, now, &settlement.enqueued).await?;
        Ok(settlement)
    }

    /// Looking may be repeated, but not when it is the looking that kills the process.
    async fn lose_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Settlement, Error> {
        let mut entries = Vec::new();
        let mut batch = Batch::default();
        let mut settlement = Settlement::default();
        for (job, admission) in jobs.iter().zip(self.admit_all(tx, jobs).await?) {
            if let Admission::Run(search) = admission {
                if job.losses >= SET_ASIDE {
                    let detail = "the process was lost three times while it looked";
                    ask(&mut batch, &search, "look_lost", detail);
                    settlement.verdicts.push(Verdict::discarded("set aside"));
                    continue;
                }
                let detail = json!({"code": "reader_lost"});
                entries.push(entry("delivery.look_lost", &search.prepared.delivery_id, detail));
            }
            let soon = after(now, Duration::from_secs(1));
            settlement.verdicts.push(Verdict::again(soon, "lost while looking"));
        }
        audit::append(tx, &entries, now);
        batch.write(tx, now, &[]).await?;
        Ok(settlement)
    }
}

fn all_found(done: &[Settled<Search, Seen>]) -> impl Iterator<Item = &Prepared> {
    done.iter().filter(|it| found(&it.report.looked.value).is_some()).map(|it| &it.item.prepared)
}

fn found(lookup: &Lookup) -> Option<&str> {
    match lookup {
        Lookup::Found(receipt) => Some(&receipt.remote_id),
        Lookup::Absent
        | Lookup::Several(_)
        | Lookup::Similar(_)
        | Lookup::Processing { .. }
        | Lookup::NotPublic
        | Lookup::Failed(_)
        | Lookup::CannotSee { .. } => None,
    }
}

/// What follows from what was seen.
fn decide(lookup: &Lookup, facts: &Facts) -> Decision {
    let age = until(facts.ended_at, facts.looked_at);
    match lookup {
        Lookup::Found(receipt) => Decision::Adopt(receipt.clone()),
        Lookup::Several(receipts) => Decision::Ask(
            "several_found",
            format!("posts that may be this one: {}", places(receipts)),
        ),
        Lookup::CannotSee { detail, until } => {
            if age > facts.quiet * PATIENCE {
                return Decision::Ask(
                    "cannot_see",
                    format!("the account cannot be read: {detail}"),
                );
            }
            let next = next_look(facts, age);
            // However long the platform wants to be left alone: then a person is asked.
            let last = after(facts.ended_at, facts.quiet * PATIENCE + Duration::from_millis(1));
            Decision::LookAgain(until.map_or(next, |until| until.max(next)).min(last.max(next)))
        }
        Lookup::Processing { detail } if age > LONGEST_PROCESSING => {
            Decision::Ask("still_processing", format!("the platform does not finish it: {detail}"))
        }
        // What takes long is looked at more seldom.
        Lookup::Processing { .. } => {
            Decision::LookAgain(next_look(facts, age).max(after(facts.looked_at, age / 10)))
        }
        Lookup::Failed(refusal) => Decision::Fail(refusal.clone()),
        Lookup::Absent | Lookup::NotPublic | Lookup::Similar(_) if age < facts.quiet => {
            Decision::LookAgain(next_look(facts, age))
        }
        Lookup::NotPublic if facts.now >= facts.publish_by => Decision::Ask(
            "too_late_to_repeat",
            "it is not public, and its latest useful time has passed".to_owned(),
        ),
        Lookup::Similar(receipts) => {
            let told = format!("this may be it, with its text rewritten: {}", places(receipts));
            Decision::Ask("similar_found", told)
        }
        Lookup::Absent if facts.duplicate => Decision::Ask(
            "duplicate_not_found",
            "the platform says that the text is there already, but no new post shows it".to_owned(),
        ),
        Lookup::Absent if facts.doubts > 1 => {
            Decision::Ask("second_doubt", "its outcome was hidden for the second time".to_owned())
        }
        Lookup::Absent if facts.class == Class::Statement => Decision::Ask(
            "statement_in_doubt",
            "an official statement is not sent a second time without a person".to_owned(),
        ),
        Lookup::Absent if facts.now >= facts.publish_by => Decision::Ask(
            "too_late_to_repeat",
            "it cannot be found, and its latest useful time has passed".to_owned(),
        ),
        // What is there by its id however often, and a statement too: no second one can come of it.
        Lookup::Absent | Lookup::NotPublic => Decision::SendAgain,
    }
}

/// Looks at 1/60, 1/24, 1/12, 1/6 and 1/3 of the quiet wait (2, 5, 10, 20 and 40 s of two minutes),
/// then every third of it, and once right after it.
fn next_look(facts: &Facts, age: Duration) -> Timestamp {
    let quiet = facts.quiet;
    let early = [60, 24, 12, 6, 3].map(|part| quiet / part);
    let next = early.into_iter().find(|look| *look > age).unwrap_or_else(|| {
        if age < quiet { (age + quiet / 3).min(quiet) } else { age + quiet / 3 }
    });
    let tick = Duration::from_millis(1);
    after(facts.ended_at, next.max(age + tick) + tick)
}

impl Work for Reconcile {
    const KIND: &'static str = work::RECONCILE;
    type Item = Search;
    type Report = Seen;

    fn lookahead(&self) -> Duration {
        Duration::ZERO
    }

    fn least_lease(&self) -> Duration {
        self.tools.pace.request_timeout
    }

    fn knows_time(&self) -> bool {
        self.tools.steady.is_vouched_for()
    }

    fn workers(&self) -> usize {
        READERS
    }

    fn admit<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Vec<Admission<Search>>, Error>> {
        Box::pin(async move {
            let all = self.admit_all(tx, jobs).await?;
            let mut found: Vec<_> = all.into_iter().map(|one| self.in_time(one)).collect();
            let looks = jobs.iter().zip(&mut found).filter_map(|(job, admission)| {
                let Admission::Run(search) = &*admission else { return None };
                let id = search.prepared.delivery_id.clone();
                Some(looks::Look { slot: &job.slot, id, admission })
            });
            looks::restrain(&self.tools, tx, now, looks.collect()).await?;
            Ok(found)
        })
    }

    fn run<'a>(&'a self, _: &'a Claimed, search: &'a Search, _: Pass) -> Later<'a, Seen> {
        Box::pin(async move {
            let at = self.tools.clock.now();
            let looked = self.look(search).await;
            crate::crash_point!("reconcile.after_look");
            Seen { at, looked }
        })
    }

    fn settle<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<Search, Seen>],
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

    fn facts(age: u64) -> Facts {
        let ended_at: Timestamp = "2026-09-02T02:00:00Z".parse().unwrap();
        let now = after(ended_at, Duration::from_secs(age));
        Facts {
            now,
            looked_at: now,
            ended_at,
            quiet: Duration::from_mins(2),
            publish_by: after(ended_at, Duration::from_hours(4)),
            class: Class::Routine,
            doubts: 1,
            duplicate: false,
        }
    }

    fn asks(decision: &Decision) -> Option<&'static str> {
        match decision {
            Decision::Ask(code, _) => Some(code),
            Decision::Adopt(_)
            | Decision::LookAgain(_)
            | Decision::SendAgain
            | Decision::Fail(_) => None,
        }
    }

    #[test]
    fn absence_counts_only_after_the_quiet_wait() {
        assert!(matches!(decide(&Lookup::Absent, &facts(119)), Decision::LookAgain(_)));
        assert_eq!(decide(&Lookup::Absent, &facts(120)), Decision::SendAgain);
    }

    #[test]
    fn an_absence_is_as_old_as_the_look_for_it() {
        let late = Facts { now: facts(500).now, ..facts(2) };
        assert!(matches!(decide(&Lookup::Absent, &late), Decision::LookAgain(_)));
    }

    #[test]
    fn a_failed_read_is_never_an_absence() {
        let blind = Lookup::CannotSee { detail: "503".to_owned(), until: None };
        assert!(matches!(decide(&blind, &facts(500)), Decision::LookAgain(_)));
        assert_eq!(asks(&decide(&blind, &facts(961))), Some("cannot_see"));
    }

    #[test]
    fn a_text_that_is_much_alike_is_never_an_absence() {
        let post = Receipt {
            remote_id: "7".to_owned(),
            permalink: Some("https://example.org/7".to_owned()),
            published_at: facts(0).ended_at,
        };
        let similar = Lookup::Similar(vec![post]);
        assert!(matches!(decide(&similar, &facts(119)), Decision::LookAgain(_)));
        let asked = decide(&similar, &facts(120));
        assert_eq!(asks(&asked), Some("similar_found"));
        assert!(matches!(asked, Decision::Ask(_, told) if told.contains("https://example.org/7")));
    }

    #[test]
    fn what_is_there_by_its_id_is_made_public_however_often_and_never_too_late() {
        assert!(matches!(decide(&Lookup::NotPublic, &facts(119)), Decision::LookAgain(_)));
        let often = Facts { doubts: 7, class: Class::Statement, ..facts(120) };
        assert_eq!(decide(&Lookup::NotPublic, &often), Decision::SendAgain);
        let late = Facts { publish_by: facts(100).now, ..facts(121) };
        assert_eq!(asks(&decide(&Lookup::NotPublic, &late)), Some("too_late_to_repeat"));
    }

    #[test]
    fn the_platform_has_a_day_for_a_film() {
        let works = Lookup::Processing { detail: "half of it".to_owned() };
        assert!(matches!(decide(&works, &facts(86_399)), Decision::LookAgain(_)));
        assert_eq!(asks(&decide(&works, &facts(86_401))), Some("still_processing"));
        let Decision::LookAgain(next) = decide(&works, &facts(7_200)) else { panic!() };
        assert!(next >= after(facts(7_200).now, Duration::from_mins(12)), "{next}");
    }

    #[test]
    fn what_must_not_be_repeated_ends_at_a_person() {
        let rows = [
            (Facts { doubts: 2, ..facts(121) }, "second_doubt"),
            (Facts { class: Class::Statement, ..facts(121) }, "statement_in_doubt"),
            (Facts { duplicate: true, ..facts(121) }, "duplicate_not_found"),
            (Facts { publish_by: facts(100).now, ..facts(121) }, "too_late_to_repeat"),
        ];
        for (facts, code) in rows {
            assert_eq!(asks(&decide(&Lookup::Absent, &facts)), Some(code));
        }
    }

    #[test]
    fn looks_come_at_two_five_ten_twenty_and_forty_seconds() {
        let mut age = 0;
        let mut looks = Vec::new();
        for _ in 0..9 {
            let facts = facts(age);
            let at = next_look(&facts, Duration::from_secs(age));
            let next = until(facts.ended_at, at).as_secs();
            looks.push(next);
            age = next;
        }
        assert_eq!(looks, [2, 5, 10, 20, 40, 80, 120, 160, 200]);
    }
}
