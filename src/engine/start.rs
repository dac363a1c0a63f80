//! Starts everything that happens by itself, and stops it in order.

use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Tools;
use super::after::{Arrange, Looks};
use super::bring::Bring;
use super::correct::Correct;
use super::failover::Failover;
use super::follow::{Means, mail, relay, webhook};
use super::foreign::{Foreign, plan};
use super::holds::Heed;
use super::probe::{self, Probe};
use super::publish::Publish;
use super::read_back::ReadBack;
use super::recall::TakeBack;
use super::reconcile::Reconcile;
use super::refresh::Refresh;
use super::remind::Remind;
use super::self_audit::{Heads, SelfAudit};
use super::sweep::{Keep, Sweep};
use super::timekeeper::Timekeeper;
use super::verify::Verify;
use super::watchdog::Watch;
use crate::clock::before;
use crate::domain::id::NodeId;
use crate::domain::work;
use crate::queue::job::Work;
use crate::queue::periodic::{BadTimetable, Periodic};
use crate::queue::{Herald, Lane, Lease, Queue, Timing, vital};
use crate::store::jobs::Holder;
use crate::store::{self, Store, nodes};

/// Another process that was seen since so long ago may be alive.
const LATELY: Duration = Duration::from_mins(10);
/// How many processes may register at one moment before starting is given up.
const REGISTRATIONS: usize = 20;

/// What the engine is started with.
#[derive(Debug)]
pub struct Settings {
    /// What all kinds of work share.
    pub tools: Tools,
    /// What follow-ups work with.
    pub means: Means,
    /// Where people find the service.
    pub desk: String,
    /// Hints and the gate.
    pub queue: Queue,
    /// How lanes look for work.
    pub timing: Timing,
    /// How long finished things are kept.
    pub keep: Keep,
    /// When they are forgotten, as a cron expression.
    pub prune: String,
    /// When it is looked whether what was published is still there.
    pub looks: Looks,
    /// When the service looks for broken promises, as a cron expression.
    pub self_audit: String,
    /// What signs heads of the audit.
    pub heads: Option<Heads>,
    /// How often accounts are read for posts that did not come from here.
    pub foreign: plan::Intervals,
    /// How often accounts are asked about; never when it is none.
    pub probe_every: Option<Duration>,
    /// Whether all accounts are read when the database has lost what was committed last.
    pub read_back: bool,
}

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database refused.
    #[error("the engine could not start")]
    Store(#[from] store::Error),
    /// A timetable is wrong.
    #[error("a timetable is wrong")]
    Timetable(#[from] BadTimetable),
}

/// The running engine.
#[derive(Debug)]
pub struct Engine {
    /// What the watchdog last saw.
    pub watch: Watch,
    /// Ends when this process has lost its place among the nodes and must end.
    pub lost: CancellationToken,
    /// In a box: whoever starts a service keeps it inside his own.
    own: Box<(Store, Lease)>,
    lanes: TaskTracker,
    stop_lanes: CancellationToken,
    stop_rest: CancellationToken,
    rest: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Registers this process and starts working.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let (tools, queue) = (settings.tools.clone(), settings.queue.clone());
        let failover = Failover::new(tools, queue, settings.read_back);
        let (foreign, probe_every) = (settings.foreign.clone(), settings.probe_every);
        let Settings { tools, means, desk, queue, timing, keep, prune, looks, self_audit, .. } =
            settings;
        failover.look().await?;
        super::zones::look_ahead(&tools).await?;
        let holder = register(&tools).await?;
        let (store, clock) = (tools.store.clone(), tools.clock.clone());
        let lease = Lease::new(store, clock, holder, tools.pace.lease, queue.gate().clone());
        lease.renew().await?;
        let since = before(tools.clock.now(), LATELY);
        let fence = lease.holder().fence;
        let after_a_death = nodes::died(&mut tools.store.read().await?, fence, since).await?;
        let publish = Publish::new(tools.clone(), lease.clone(), timing.alone);
        let reconcile = Reconcile::new(tools.clone());
        let arrange = Arrange::new(tools.clone(), queue.clone(), &looks);
        let sweep = Sweep::new(tools.clone(), keep);
        let tell = webhook::Tell::new(means.clone());
        let write = mail::Write::new(means.clone(), desk);
        let periodic =
            [Periodic::new(work::SWEEP, &prune)?, Periodic::new(work::SELF_AUDIT, &self_audit)?];

        let (stop_lanes, stop_rest) = (CancellationToken::new(), CancellationToken::new());
        let lanes = TaskTracker::new();
        let watch = Watch::default();
        let mut rest = vec![
            tokio::spawn(vital("lease", lease.clone().keep(stop_rest.clone()))),
            tokio::spawn(vital(
                "watch",
                watch.clone().keep(tools.clone(), means.notify.clone(), stop_rest.clone()),
            )),
            tokio::spawn(Remind::new(tools.clone(), means.notify.clone()).keep(stop_rest.clone())),
            tokio::spawn(vital("looks", arrange.keep(stop_rest.clone()))),
            tokio::spawn(relay::Relay::new(means, queue.clone()).keep(stop_rest.clone())),
        ];
        for one in periodic {
            let (store, clock) = (tools.store.clone(), tools.clock.clone());
            let keeping = one.keep(store, clock, queue.clone(), stop_rest.clone());
            rest.push(tokio::spawn(vital("timetable", keeping)));
        }
        let start = Lanes { tools: &tools, lease: &lease, queue: &queue, timing, after_a_death };
        rest.extend(start.beside(failover, &stop_rest));
        rest.extend(start.planning(foreign, probe_every, &stop_rest));
        if let Some(line) = tools.store.line().await? {
            let herald =
                Herald::new(line, tools.clock.clone(), queue.clone(), lease.holder().node.clone());
            rest.push(tokio::spawn(vital("herald", herald.keep(stop_rest.clone()))));
        }
        lanes.spawn(vital("publish", start.lane(publish).run(stop_lanes.clone())));
        lanes.spawn(vital("reconcile", start.lane(reconcile).run(stop_lanes.clone())));
        start.looking_back(&looks, (probe_every, settings.heads), &lanes, &stop_lanes);
        lanes.spawn(vital("sweep", start.lane(sweep).run(stop_lanes.clone())));
        lanes.spawn(vital("webhooks", start.lane(tell).run(stop_lanes.clone())));
        lanes.spawn(vital("mail", start.lane(write).run(stop_lanes.clone())));
        lanes.close();
        let lost = lease.lost().clone();
        let own = Box::new((tools.store, lease));
        Ok(Self { watch, lost, own, lanes, stop_lanes, stop_rest, rest })
    }

    /// Claims nothing more, takes back what has not left, and waits for what has, at most for
    /// `patience`. True when everything in flight was recorded; what was not is found by the next
    /// start and looked for at the platform.
    pub async fn stop(self, clock: &crate::clock::SharedClock, patience: Duration) -> bool {
        self.stop_lanes.cancel();
        let clean = tokio::select! {
            () = self.lanes.wait() => true,
            () = clock.sleep(patience) => false,
        };
        self.stop_rest.cancel();
        for task in self.rest {
            // A panic was logged where it happened.
            let _ended = task.await;
        }
        if clean && let Err(error) = Box::pin(leave(&self.own, clock.now())).await {
            let error = crate::telemetry::Chain(&error);
            tracing::warn!(%error, "the next start cannot know that this stop was clean");
        }
        clean
    }
}

struct Lanes<'a> {
    tools: &'a Tools,
    lease: &'a Lease,
    queue: &'a Queue,
    timing: Timing,
    after_a_death: bool,
}

impl Lanes<'_> {
    /// Starts what watches beside them over the time, and over other processes where there may be any.
    fn beside(&self, failover: Failover, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
        let (tools, lease, queue) = (self.tools.clone(), self.lease.clone(), self.queue.clone());
        let time = Timekeeper::new(tools.clone(), lease.clone(), queue.clone());
        let on_walls = super::zones::keep(tools.clone(), stop.clone());
        let tokens = super::credentials::keep(tools.clone(), queue.clone(), stop.clone());
        let mut all = vec![
            tokio::spawn(vital("clock", time.keep(stop.clone()))),
            tokio::spawn(vital("zones", on_walls)),
            tokio::spawn(vital("credentials", tokens)),
            tokio::spawn(vital("leavers", super::leavers::keep(tools.clone(), stop.clone()))),
            tokio::spawn(vital("sign_ins", super::sign_ins::keep(tools.clone(), stop.clone()))),
            tokio::spawn(vital("search", super::search::keep(tools.clone(), stop.clone()))),
        ];
        if !self.timing.alone {
            let heed = Heed::new(tools, lease, queue);
            all.push(tokio::spawn(vital("holds", heed.keep(stop.clone()))));
            all.push(tokio::spawn(vital("failover", failover.keep(stop.clone()))));
        }
        all
    }

    /// Starts what plans when accounts are read for posts that did not come from here, and when they are
    /// asked about.
    fn planning(
        &self,
        foreign: plan::Intervals,
        probes: Option<Duration>,
        stop: &CancellationToken,
    ) -> [JoinHandle<()>; 2] {
        let (tools, queue) = (self.tools, self.queue);
        let foreign = plan::keep(tools.clone(), queue.clone(), foreign, stop.clone());
        let probes = probe::plan::keep(tools.clone(), queue.clone(), probes, stop.clone());
        [tokio::spawn(vital("foreign", foreign)), tokio::spawn(vital("probes", probes))]
    }

    /// Starts what asks what accounts' access is worth.
    fn asking(&self, every: Option<Duration>, lanes: &TaskTracker, stop: &CancellationToken) {
        if let Some(every) = every {
            let probe = self.lane(Probe::new(self.tools.clone(), every));
            lanes.spawn(vital("probe", probe.run(stop.clone())));
        }
    }

    /// Starts what has to do with what is out, with what was done, with what is to come, and with credentials.
    fn looking_back(
        &self,
        looks: &Looks,
        (probe_every, heads): (Option<Duration>, Option<Heads>),
        lanes: &TaskTracker,
        stop: &CancellationToken,
    ) {
        self.asking(probe_every, lanes, stop);
        let bring = self.lane(Bring::new(self.tools.clone(), self.tools.pace.files_ahead));
        lanes.spawn(vital("bring", bring.run(stop.clone())));
        let (tools, belief) = (self.tools, looks.belief);
        let foreign = self.lane(Foreign::new(tools.clone(), !looks.spans.is_empty()));
        lanes.spawn(vital("foreign_posts", foreign.run(stop.clone())));
        let take_back = self.lane(TakeBack::new(tools.clone(), belief.pause));
        lanes.spawn(vital("recall", take_back.run(stop.clone())));
        let correct = self.lane(Correct::new(tools.clone(), self.lease.clone()));
        lanes.spawn(vital("correct", correct.run(stop.clone())));
        let refresh = self.lane(Refresh::new(tools.clone(), self.lease.clone()));
        lanes.spawn(vital("refresh", refresh.run(stop.clone())));
        let verify = self.lane(Verify::new(tools.clone(), belief));
        lanes.spawn(vital("verify", verify.run(stop.clone())));
        let read_back = self.lane(ReadBack::new(tools.clone()));
        lanes.spawn(vital("read_back", read_back.run(stop.clone())));
        let self_audit = self.lane(SelfAudit::new(tools.clone(), heads));
        lanes.spawn(vital("self_audit", self_audit.run(stop.clone())));
    }

    fn lane<W: Work>(&self, work: W) -> Lane<W> {
        let (store, clock) = (self.tools.store.clone(), self.tools.clock.clone());
        Lane::new(work, store, clock, self.lease.clone(), self.queue.clone(), self.timing)
            .carefully(self.after_a_death)
    }
}

/// The next start need not be careful.
async fn leave((store, lease): &(Store, Lease), now: Timestamp) -> Result<(), store::Error> {
    let mut tx = store.begin().await?;
    nodes::stopped(&mut tx, &lease.holder().node, lease.holder().fence, now).await?;
    tx.commit().await
}

async fn register(tools: &Tools) -> Result<Holder, store::Error> {
    let now = tools.clock.now();
    let node = NodeId::new(now, rand::random());
    for _ in 0..REGISTRATIONS {
        let mut tx = tools.store.begin().await?;
        match nodes::register(&mut tx, &node, env!("CARGO_PKG_VERSION"), now).await {
            Ok(fence) => {
                tx.commit().await?;
                return Ok(Holder { node, fence });
            }
            Err(store::Error::Conflict("nodes_fence_key")) => {}
            Err(other) => return Err(other),
        }
    }
    Err(store::Error::Busy)
}
