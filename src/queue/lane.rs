//! One lane for each kind of work: sleeps until the next instant, claims what is due in batches,
//! runs it, and hands what it found out to be settled.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::agenda::{Agenda, Rest};
use super::gate::Pass;
use super::job::{Admission, Settled, Work};
use super::rescue::Rescue;
use super::settle::{Ended, Ledger, Settler};
use super::{Lease, Queue, contained};
use crate::clock::{SharedClock, after, before};
use crate::domain::id::JobId;
use crate::domain::work;
use crate::store::jobs::{Claimed, Due, Ending, Finish};
use crate::store::{Error, Store, care, jobs};

/// Most jobs that one transaction claims.
const BATCH: usize = 256;
/// Most jobs of a pool that are at work ahead of their instant, those included that only wait for it.
const AHEAD: usize = 1_024;
/// Most jobs kept in memory; more are looked up when these have been worked off.
const KEPT: usize = 60_000;
/// Wait after a failure of the database.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// Wait before another job of a slot is tried of which another process has one.
const ELSEWHERE: Duration = Duration::from_millis(250);
/// Wait before a job is claimed again that could not be claimed alone.
const ASIDE: Duration = Duration::from_mins(1);

/// How a lane looks for work.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How often the database is asked, hints or not.
    pub poll: Duration,
    /// How far ahead jobs are kept in memory.
    pub window: Duration,
    /// True when no other process can be working on the database: what a process that is gone has
    /// left behind is then rescued at once, not when its lease ends.
    pub alone: bool,
}

impl Timing {
    /// How many jobs of a pool are claimed for each that may be at work. As much again while the next
    /// ones are claimed; and twice that while what came of them is written down, for the larger a batch,
    /// the less each of it costs. Where others may be working too, what is claimed and waits is taken
    /// from them: a house has few accounts, and one process would have them all.
    fn room(self) -> usize {
        if self.alone { 4 } else { 2 }
    }
}

/// What a lane is told.
#[derive(Debug)]
pub(super) enum Message {
    /// New or moved jobs.
    Announced(Vec<Due>),
    /// Something has changed.
    LookAgain,
    /// What came of a job cannot be written down: it is to be decided about as if it were lost.
    GivenUp { id: JobId, slot: String },
    /// A job has been settled: its slot is free (after a rest), and it may be due again.
    Settled { id: JobId, slot: String, rest_until: Option<Timestamp>, again: Option<Due> },
}

/// One lane.
#[derive(Debug)]
pub struct Lane<W: Work> {
    pub(super) work: Arc<W>,
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    pub(super) lease: Lease,
    pub(super) queue: Queue,
    pub(super) timing: Timing,
    pub(super) agenda: Agenda,
    inbox: mpsc::UnboundedReceiver<Message>,
    ended: mpsc::UnboundedSender<Ended<W>>,
    settler: Option<Settler<W>>,
    running: TaskTracker,
    /// By pool, how many jobs are at work that were due when they were claimed.
    due: HashMap<String, usize>,
    /// By pool, jobs at work that were claimed ahead of their instant.
    ahead: HashMap<String, HashSet<JobId>>,
    /// Jobs that may be ours in the database although nobody works on them.
    suspects: Vec<JobId>,
    /// Lost jobs that we have taken over and about which nothing is decided yet.
    lost: Vec<JobId>,
    loaded_until: Timestamp,
    complete: bool,
    look_at: Duration,
    /// So many jobs are still claimed one by one, because the process before this one did not end in
    /// order.
    careful: usize,
}

impl<W: Work> Lane<W> {
    /// A lane for `work`, not yet running.
    pub fn new(
        work: W,
        store: Store,
        clock: SharedClock,
        lease: Lease,
        queue: Queue,
        timing: Timing,
    ) -> Self {
        let work = Arc::new(work);
        let (to_inbox, inbox) = mpsc::unbounded_channel();
        let (ended, to_settle) = mpsc::unbounded_channel();
        queue.register(W::KIND, to_inbox.clone());
        let ledger = Ledger {
            work: work.clone(),
            store: store.clone(),
            clock: clock.clone(),
            lease: lease.clone(),
            queue: queue.clone(),
            lane: to_inbox,
        };
        let settler = Settler { ledger, ended: to_settle };
        Self {
            work,
            store,
            clock,
            lease,
            queue,
            timing,
            agenda: Agenda::default(),
            inbox,
            ended,
            settler: Some(settler),
            running: TaskTracker::new(),
            due: HashMap::new(),
            ahead: HashMap::new(),
            suspects: Vec::new(),
            lost: Vec::new(),
            loaded_until: Timestamp::MIN,
            complete: true,
            look_at: Duration::ZERO,
            careful: 0,
        }
    }

    /// Claims the first ones alone, so that what ends the process while it is claimed is known by that.
    #[must_use]
    pub fn carefully(self, after_a_death: bool) -> Self {
        Self { careful: if after_a_death { BATCH } else { 0 }, ..self }
    }

    /// Works until told to stop; then waits for what is at work, up to the caller's patience.
    /// What is left undone keeps its lease, and its kind decides about it after a restart.
    pub async fn run(mut self, stop: CancellationToken) {
        let settler = self.settler.take();
        let settling = settler.map(|settler| tokio::spawn(super::vital(W::KIND, settler.run())));
        while !stop.is_cancelled() {
            if let Err(error) = self.step(&stop).await {
                tracing::error!(job.kind = W::KIND, error = %crate::telemetry::Chain(&error), "the lane could not work");
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.clock.sleep(PAUSE) => {}
                }
            }
        }
        self.queue.gate().recall_all();
        self.running.close();
        self.running.wait().await;
        drop(self.ended);
        if let Some(settling) = settling {
            // A panic there ends the process.
            let _ended = settling.await;
        }
    }

    async fn step(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        self.hear_all();
        if self.lease.left() < self.work.least_lease() {
            // Nothing may leave under a lease that runs out: claiming would only go in circles.
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.clock.sleep(PAUSE) => {}
            }
            return Ok(());
        }
        self.look_if_needed().await?;
        let now = self.clock.now();
        let picked = self.pick(now);
        if picked.is_empty() {
            self.rest(stop, now).await;
            return Ok(());
        }
        if self.careful > 0 {
            let singly = super::careful::claim(self, picked).await;
            self.careful = self.careful.saturating_sub(singly);
            return Ok(());
        }
        self.claim_all(picked).await
    }

    /// What may be claimed now. Each pool has its own room: what hangs in one of them takes none
    /// from the others.
    fn pick(&mut self, now: Timestamp) -> Vec<Due> {
        let most = self.timing.room() * self.work.workers();
        let due = &self.due;
        let due_room = |pool: &str| most.saturating_sub(due.get(pool).copied().unwrap_or(0));
        let mut picked = self.agenda.take(now, now, BATCH, due_room);
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for one in &picked {
            *counts.entry(work::pool(&one.slot)).or_default() += 1;
        }
        let ahead = &self.ahead;
        let room = |pool: &str| {
            // While due work of a pool waits for room, nothing of it is claimed ahead.
            if counts.get(pool).copied().unwrap_or(0) >= due_room(pool) {
                return 0;
            }
            AHEAD.saturating_sub(ahead.get(pool).map_or(0, HashSet::len))
        };
        let horizon = after(now, self.work.lookahead());
        let early = self.agenda.take(now, horizon, BATCH - picked.len(), room);
        picked.extend(early);
        picked
    }

    /// Claims together; when that fails one by one, so that one bad job cannot stop the lane.
    async fn claim_all(&mut self, picked: Vec<Due>) -> Result<(), Error> {
        let Err(error) = self.claim(&picked, false).await else { return Ok(()) };
        let alone = picked.len() == 1 && !matches!(error, Error::Panicked);
        if matches!(error, Error::Busy) || alone {
            self.doubt_claim(&picked);
            self.rest_slots(&picked, PAUSE);
            return Err(error);
        }
        let (mut refused, mut well) = (Vec::new(), false);
        let mut unblamed = Ok(());
        for due in &picked {
            let one = std::slice::from_ref(due);
            match self.claim(one, false).await {
                Ok(started) => {
                    well = true;
                    if !started.contains(&due.id) {
                        // Not to be had: perhaps because the failed claim has it.
                        self.doubt_claim(one);
                    }
                }
                Err(error) => {
                    tracing::error!(
                        job.id = %due.id, job.kind = W::KIND,
                        error = %crate::telemetry::Chain(&error),
                        "a job could not be claimed"
                    );
                    self.doubt_claim(one);
                    if matches!(error, Error::Panicked) {
                        // Its own fault, and nobody else's.
                        well = true;
                        // The others have their turn, and every slot is given back, all the same.
                        unblamed = unblamed.and(super::careful::blame(self, due).await);
                    }
                    refused.push(due.clone());
                }
            }
        }
        // Where none can be claimed it is the database that fails: none of them is to be blamed for it,
        // and late by a minute.
        if well {
            self.set_slots_aside(&refused);
        } else {
            self.rest_slots(&refused, PAUSE);
        }
        unblamed
    }

    /// A commit that failed may have been made all the same: what it claimed is looked at again
    /// before anything else.
    pub(super) fn doubt_claim(&mut self, picked: &[Due]) {
        self.suspects.extend(picked.iter().map(|due| due.id.clone()));
        self.look_at = Duration::ZERO;
    }

    pub(super) fn rest_slots(&mut self, picked: &[Due], span: Duration) {
        let until = after(self.clock.now(), span);
        for due in picked {
            self.agenda.release(&due.slot, Some(Rest { until, all: true, firm: None }));
        }
    }

    /// The same for what they have done themselves.
    pub(super) fn set_slots_aside(&mut self, picked: &[Due]) {
        let until = after(self.clock.now(), ASIDE);
        for due in picked {
            let rest = Rest { until, all: true, firm: Some(ASIDE) };
            self.agenda.release(&due.slot, Some(rest));
        }
    }

    /// Sleeps until something is due, something is said, or it is time to look again.
    async fn rest(&mut self, stop: &CancellationToken, now: Timestamp) {
        let poll = after(now, self.look_at.saturating_sub(self.clock.elapsed()));
        let change = self.agenda.next_change();
        let next = change.map_or(poll, |at| before(at, self.work.lookahead()));
        // A change that lies behind us waits for room, and room is announced.
        let until = if next <= now { poll } else { next.min(poll) };
        tokio::select! {
            () = stop.cancelled() => {}
            message = self.inbox.recv() => {
                if let Some(message) = message {
                    self.hear(message);
                }
            }
            () = self.clock.sleep_until(until) => {}
        }
    }

    fn hear_all(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            self.hear(message);
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Announced(dues) => {
                for due in dues {
                    if due.due_at <= self.loaded_until {
                        self.agenda.note(due);
                    }
                }
            }
            Message::LookAgain => {
                self.look_at = Duration::ZERO;
                self.agenda.end_rests(self.clock.now());
            }
            Message::GivenUp { id, slot } => {
                self.ended(&id, &slot, None);
                self.suspects.push(id);
                self.look_at = Duration::ZERO;
            }
            Message::Settled { id, slot, rest_until, again } => {
                self.ended(&id, &slot, rest_until);
                if let Some(due) = again.filter(|due| due.due_at <= self.loaded_until) {
                    self.agenda.note(due);
                }
            }
        }
    }

    /// A job is not at work any more.
    fn ended(&mut self, id: &JobId, slot: &str, rest_until: Option<Timestamp>) {
        let pool = work::pool(slot);
        let was_ahead = self.ahead.get_mut(pool).is_some_and(|ahead| ahead.remove(id));
        if !was_ahead && let Some(due) = self.due.get_mut(pool) {
            *due = due.saturating_sub(1);
        }
        let rest = rest_until.map(|until| Rest { until, all: false, firm: None });
        self.agenda.release(slot, rest);
    }

    /// Reads what is due within the window, and rescues what was lost.
    async fn look_if_needed(&mut self) -> Result<(), Error> {
        let elapsed = self.clock.elapsed();
        let running_out = !self.complete && self.agenda.len() < KEPT / 4;
        if elapsed < self.look_at && !running_out {
            return Ok(());
        }
        if let Err(error) = self.rescue().await {
            // Tried again with the next look. What is not lost goes on meanwhile.
            tracing::error!(job.kind = W::KIND, error = %crate::telemetry::Chain(&error), "lost jobs could not be rescued");
        }
        let until = after(self.clock.now(), self.timing.window);
        let mut reader = self.store.read().await?;
        let dues =
            jobs::upcoming(&mut reader, W::KIND, until, i64::try_from(KEPT).unwrap_or(i64::MAX))
                .await?;
        self.complete = dues.len() < KEPT;
        // With more than can be kept, only what is earlier than the last one is known completely.
        let last = dues.last().filter(|_| !self.complete);
        self.loaded_until = last.map_or(until, |due| due.due_at);
        for due in dues {
            self.agenda.note(due);
        }
        self.look_at = elapsed + self.timing.poll.min(self.timing.window / 2);
        Ok(())
    }

    async fn rescue(&mut self) -> Result<(), Error> {
        self.take_over().await?;
        let lost = std::mem::take(&mut self.lost);
        let rescue = Rescue {
            work: &*self.work,
            store: &self.store,
            clock: &self.clock,
            queue: &self.queue,
            holder: self.lease.holder(),
        };
        self.lost = rescue.decide(lost).await;
        Ok(())
    }

    /// Takes lost jobs over. That is durable before anybody decides, so that a decision that kills the
    /// process is not made for ever.
    async fn take_over(&mut self) -> Result<(), Error> {
        let holder = self.lease.holder();
        let mut tx = self.store.begin().await?;
        let mut lost = if self.timing.alone {
            jobs::take_orphaned(&mut tx, W::KIND, holder).await?
        } else {
            let asked = self.clock.elapsed();
            let beats = jobs::holders(&mut tx, W::KIND, holder).await?;
            let silent = self.lease.silent(&beats, asked);
            jobs::take_from(&mut tx, W::KIND, &silent, holder).await?
        };
        if !lost.is_empty() && !self.timing.alone && !self.work.knows_time() {
            // When it was found lost could not be written down; looked at again when the time is known.
            return Ok(());
        }
        if !self.suspects.is_empty() {
            lost.extend(jobs::held_by(&mut tx, &self.suspects, holder).await?);
        }
        if !lost.is_empty() {
            for job in &lost {
                // We may have been at work on it ourselves before we lost the lease.
                let _here = self.queue.gate().recall(&job.unique_key);
            }
            let ids: Vec<JobId> = lost.iter().map(|job| job.id.clone()).collect();
            // A commit that fails may have been made all the same: then they are ours.
            self.suspects.extend(ids.iter().cloned());
            jobs::lose(&mut tx, lost).await?;
            tx.commit().await?;
            self.lost.extend(ids);
        }
        self.suspects.clear();
        Ok(())
    }

    /// Claims, and starts what was admitted; says what was started. What was `suspected` is not any more,
    /// by the same commit.
    pub(super) async fn claim(
        &mut self,
        picked: &[Due],
        suspected: bool,
    ) -> Result<HashSet<JobId>, Error> {
        let now = self.clock.now();
        let holder = self.lease.holder().clone();
        let left = self.lease.left();
        let lease_until = after(now, left);
        let lease_ends = self.clock.elapsed() + left;
        let horizon = after(now, self.work.lookahead());
        let ids: Vec<_> = picked.iter().map(|due| due.id.clone()).collect();

        let mut tx = self.store.begin().await?;
        let mut claimed = jobs::claim(&mut tx, &ids, &holder, lease_until, horizon).await?;
        if suspected {
            // Got or not: this process lives.
            care::acquit(&mut tx, &ids).await?;
            for job in &mut claimed {
                job.losses -= 1;
            }
        }
        // RETURNING has no order.
        claimed.sort_by(|a, b| (a.priority, a.due_at, &a.id).cmp(&(b.priority, b.due_at, &b.id)));
        let admissions = contained(W::KIND, self.work.admit(&mut tx, now, &claimed)).await?;
        let mut finishes = Vec::new();
        let mut admitted = Vec::new();
        let mut again = Vec::new();
        let mut rests = HashMap::new();
        for (job, admission) in claimed.into_iter().zip(admissions) {
            match admission {
                Admission::Run(item) => {
                    // Before the commit: whoever sees it guarded can take it back.
                    let pass = self.queue.gate().enter(&job.unique_key);
                    admitted.push((job, item, pass));
                }
                Admission::Rest(until, note) => {
                    // It keeps its place. What is most urgent would be the next again.
                    let ending = Ending::Again(job.due_at);
                    again.extend(super::settle::again(&job, ending));
                    let all = job.priority == 0;
                    rests.insert(job.slot, Some(Rest { until, all, firm: None }));
                    finishes.push(Finish { id: job.id, ending, note: Some(note) });
                }
                Admission::Not(ending, note) => {
                    again.extend(self.not_at_once(&job, ending, now));
                    rests.insert(job.slot, None);
                    finishes.push(Finish { id: job.id, ending, note: Some(note) });
                }
            }
        }
        jobs::finish(&mut tx, &finishes, &holder, now).await?;
        crate::crash_point!("claim.before_commit");
        tx.commit().await?;

        let busy: HashSet<&str> = admitted.iter().map(|(job, ..)| job.slot.as_str()).collect();
        self.let_go(picked.iter().filter(|it| !busy.contains(it.slot.as_str())), &rests, now);
        for due in again.into_iter().filter(|due| due.due_at <= self.loaded_until) {
            self.agenda.note(due);
        }
        let started: HashSet<JobId> = admitted.iter().map(|(job, ..)| job.id.clone()).collect();
        // Whatever became of an earlier claim of them: now somebody works on them.
        self.suspects.retain(|id| !started.contains(id));
        let lapsed = self.clock.elapsed() >= lease_ends;
        self.start_all(admitted, lapsed, now);
        Ok(started)
    }

    fn start_all(&mut self, admitted: Vec<(Claimed, W::Item, Pass)>, lapsed: bool, now: Timestamp) {
        for (job, item, pass) in admitted {
            if lapsed {
                // The lease that it was claimed under has ended, and may have begun anew since:
                // others may have decided about it already.
                let _waiting = self.queue.gate().recall(&job.unique_key);
            }
            let pool = work::pool(&job.slot).to_owned();
            if job.due_at > now {
                self.ahead.entry(pool).or_default().insert(job.id.clone());
            } else {
                *self.due.entry(pool).or_default() += 1;
            }
            self.start(job, item, pass);
        }
    }

    /// When to try a refused job again. One that is to wait until an instant that is near would be tried
    /// at once, by its look-ahead, and over and over.
    fn not_at_once(&self, job: &Claimed, ending: Ending, now: Timestamp) -> Option<Due> {
        let lookahead = self.work.lookahead();
        let due = super::settle::again(job, ending)?;
        let is_near = now < due.due_at && before(due.due_at, lookahead) <= now;
        let due_at = if is_near { after(due.due_at, lookahead) } else { due.due_at };
        Some(Due { due_at, ..due })
    }

    /// Slots of jobs that were not admitted are free again. One of which another process has a job is
    /// left to that for a moment: what stands behind the job must not overtake it.
    fn let_go<'a>(
        &mut self,
        idle: impl Iterator<Item = &'a Due>,
        rests: &HashMap<String, Option<Rest>>,
        now: Timestamp,
    ) {
        let elsewhere = Rest { until: after(now, ELSEWHERE), all: true, firm: None };
        for due in idle {
            let rest = rests.get(&due.slot).copied().unwrap_or(Some(elsewhere));
            self.agenda.release(&due.slot, rest);
        }
    }

    fn start(&self, job: Claimed, item: W::Item, pass: Pass) {
        let work = self.work.clone();
        let ended = self.ended.clone();
        self.running.spawn(async move {
            let report = AssertUnwindSafe(work.run(&job, &item, pass)).catch_unwind().await;
            let message = match report {
                Ok(report) => Ended::Report(Settled { job, item, report }),
                // A panic is a crash of this job alone: its kind decides what that means.
                Err(_panic) => Ended::Lost(job),
            };
            // The settler outlives all work; if it is gone, so is the process soon.
            let _gone = ended.send(message);
        });
    }
}
