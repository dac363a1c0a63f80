//! What the acts are played on: the whole service on a runtime that can be killed, the platforms on
//! one that cannot, and what is remembered about both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chancery::domain::id::{DeliveryId, MediaId, PostId};
use chancery::simulator::{CreateOutcome, JournalEntry, Kind as FaultKind, Platform};
use jiff::SignedDuration;
use tokio::runtime::{Builder, Runtime};

use crate::act::OUTLETS;
use crate::bans::Ban;
use crate::node::Node;
use crate::stage::{Ground, Kind, Outlet, Stage, pass};
use crate::watch::{ENDS, Pulse, Row, Watch};

/// By the simulated clock, but for the deadline of a request, which is real.
const OPTIONS: [(&str, &str); 12] = [
    // A hold waits half as long for the word of a node that was lost.
    ("CHANCERY_SERVER__BODY_TIMEOUT", "900ms"),
    ("CHANCERY_SERVER__HEADER_TIMEOUT", "900ms"),
    ("CHANCERY_SERVER__REQUEST_TIMEOUT", "1s"),
    ("CHANCERY_PUBLISH__CATCH_UP_SPACING", "5s"),
    ("CHANCERY_PUBLISH__REQUEST_TIMEOUT", "300ms"),
    ("CHANCERY_PUBLISH__LEASE", "30s"),
    ("CHANCERY_PUBLISH__LOOKAHEAD", "50ms"),
    ("CHANCERY_PUBLISH__QUIET_WAIT", "30s"),
    ("CHANCERY_PUBLISH__POLL_INTERVAL", "20s"),
    ("CHANCERY_PUBLISH__BACKOFF", "2s"),
    ("CHANCERY_PUBLISH__BACKOFF_MAX", "30s"),
    ("CHANCERY_DATABASE__MAX_CONNECTIONS", "4"),
];

/// How long the service may take for what is due before the clock is moved on all the same.
const GLANCES: usize = 6;
/// The same when nothing may be left.
pub(crate) const PATIENCE: usize = 600;
const GLANCE: Duration = Duration::from_micros(1_200);
/// How long a runtime is waited for when it ends.
pub(crate) const GRACE: Duration = Duration::from_secs(20);
/// Longer than what a platform does later, shorter than the quiet wait.
const LATE: Duration = Duration::from_secs(9);

/// A delivery that was accepted.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) post: PostId,
    pub(crate) id: DeliveryId,
    pub(crate) text: String,
    pub(crate) outlet: usize,
    pub(crate) class: &'static str,
    pub(crate) link: bool,
    pub(crate) repeat: bool,
}

/// Everything that runs for one seed, and what is known about it.
pub(crate) struct Rig {
    pub(crate) kind: Kind,
    ground: Runtime,
    home: Option<Runtime>,
    pub(crate) second: Option<Node>,
    pub(crate) stage: Stage,
    watch: Watch,
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) orders: Vec<Order>,
    pub(crate) bans: Vec<Ban>,
    /// Deliveries that somebody wanted to be recalled, and whether that was confirmed.
    pub(crate) recalls: BTreeMap<String, bool>,
    /// Accounts that were removed: nothing can be deleted there any more.
    pub(crate) removed: BTreeSet<String>,
    pub(crate) picture: Option<MediaId>,
    /// Creates that were told to happen later.
    pub(crate) lates: usize,
    pub(crate) stepped: bool,
    pub(crate) found: Vec<String>,
}

/// Of one worker, besides whoever waits on it.
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Where a disk costs nothing: what is lost here is the process, not the machine.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

impl Rig {
    /// Two accounts at each platform; none when the database was left out on purpose.
    pub(crate) fn new(kind: Kind) -> Option<Self> {
        let (ground, home) = (runtime(), runtime());
        let laid = ground.block_on(Ground::lay_in(memory()));
        let stage = home.block_on(Stage::upon(laid, kind, &OPTIONS))?;
        let world = stage.world();
        world.change_settings(|settings| {
            settings.rate_limits = false;
            settings.hang_cap_ms = 500;
            // Nobody but the service itself keeps it from saying something twice.
            settings.x.duplicate_window_s = None;
        });
        let mut outlets = Vec::new();
        for number in 0..OUTLETS {
            let half = number < OUTLETS / 2;
            let platform = if half { Platform::Facebook } else { Platform::X };
            outlets.push(home.block_on(stage.outlet(platform)));
        }
        let watch = home.block_on(Watch::open(&stage.setting().database));
        Some(Self {
            kind,
            ground,
            home: Some(home),
            second: None,
            stage,
            watch,
            outlets,
            orders: Vec::new(),
            bans: Vec::new(),
            recalls: BTreeMap::new(),
            removed: BTreeSet::new(),
            picture: None,
            lates: 0,
            stepped: false,
            found: Vec::new(),
        })
    }

    /// Lets something happen where the service lives.
    pub(crate) fn run<T>(&self, act: impl Future<Output = T>) -> T {
        self.home.as_ref().expect("there is a runtime").block_on(act)
    }

    /// Every request so far.
    pub(crate) fn journal(&self) -> Vec<JournalEntry> {
        self.stage.world().journal()
    }

    /// All deliveries as the database has them.
    pub(crate) fn rows(&mut self) -> Vec<Row> {
        let home = self.home.as_ref().expect("there is a runtime");
        home.block_on(self.watch.rows())
    }

    fn pulse(&mut self) -> Pulse {
        let now = self.stage.now();
        let home = self.home.as_ref().expect("there is a runtime");
        home.block_on(self.watch.pulse(now))
    }

    /// Waits until nothing is under way, or nothing has changed for a while; then looks for what must
    /// never have changed.
    pub(crate) fn breathe(&mut self, glances: usize) {
        let mut before = Pulse::default();
        let mut same = 0;
        // What is due waits while the lease is renewed, which a leap of the clock has ended.
        let enough = |pulse: Pulse| {
            let idle = pulse.running == 0 && pulse.due == 0;
            if idle { glances.min(GLANCES) } else { glances }
        };
        while same < enough(before) {
            let pulse = self.pulse();
            if pulse.is_still() && before.is_still() && pulse == before {
                break;
            }
            same = if pulse == before { same + 1 } else { 0 };
            before = pulse;
            self.run(pass(GLANCE));
        }
        let home = self.home.as_ref().expect("there is a runtime");
        self.found.extend(home.block_on(self.watch.broken()));
    }

    /// What a platform was told to do later is done before the time moves on: it would else come
    /// later by the clock than it was told.
    fn wait_for_lates(&mut self) {
        let world = self.stage.world();
        let late = |kind: &FaultKind| matches!(kind, FaultKind::Late { .. });
        let open = || {
            let waiting = world.faults().waiting().iter().filter(|it| late(&it.kind)).count();
            let done = world.journal().iter().filter(|it| it.fault == Some("late")).count();
            self.lates.saturating_sub(waiting + done)
        };
        if open() == 0 {
            return;
        }
        self.stage.advance(LATE);
        for _ in 0..PATIENCE {
            if open() == 0 {
                return;
            }
            self.run(pass(GLANCE));
        }
    }

    /// Time passes.
    pub(crate) fn advance(&mut self, span: Duration) {
        self.before_a_leap();
        self.wait_for_lates();
        self.stage.advance(span);
        self.breathe(GLANCES);
    }

    /// The machine is suspended.
    pub(crate) fn suspend(&mut self, span: Duration) {
        self.before_a_leap();
        self.wait_for_lates();
        self.stage.suspend(span);
        self.breathe(GLANCES);
    }

    /// The service's wall clock steps; once in a story, by less than is left between what may lag
    /// and what is waited for.
    pub(crate) fn step(&mut self, span: SignedDuration) {
        if !self.stepped {
            self.stepped = true;
            self.stage.step_by(span);
        }
        self.breathe(GLANCES);
    }

    /// Goes to shortly before the next instant.
    pub(crate) fn brink(&mut self, before: Duration) {
        self.before_a_leap();
        let now = self.stage.now();
        let home = self.home.as_ref().expect("there is a runtime");
        let Some(due) = home.block_on(self.watch.next_due(now)) else { return };
        let left = Duration::from_millis(u64::try_from(due - now.as_millisecond()).unwrap_or(0));
        self.wait_for_lates();
        self.stage.advance(left.saturating_sub(before));
        self.run(pass(GLANCE));
    }

    /// A clean stop, and a start.
    pub(crate) fn restart(&mut self, down: Duration) {
        let home = self.home.as_ref().expect("there is a runtime");
        home.block_on(self.stage.stop());
        self.before_a_leap();
        self.wait_for_lates();
        self.stage.advance(down);
        let home = self.home.as_ref().expect("there is a runtime");
        home.block_on(self.stage.resume());
        self.breathe(GLANCES);
    }

    /// The process is lost at whatever it does after this moment, and another one starts.
    pub(crate) fn crash(&mut self, at: Duration, down: Duration) {
        self.run(pass(at));
        drop(self.stage.app.take());
        let home = self.home.take().expect("there is a runtime");
        // All of it is gone before anything new begins, as with a process.
        home.shutdown_timeout(GRACE);
        self.home = Some(runtime());
        let home = self.home.as_ref().expect("there is a runtime");
        self.watch =
            home.block_on(Watch::open(&self.stage.setting().database)).knowing(&self.watch);
        self.before_a_leap();
        self.wait_for_lates();
        self.stage.advance(down);
        let home = self.home.as_ref().expect("there is a runtime");
        home.block_on(self.stage.resume());
        self.breathe(GLANCES);
    }

    /// Posts that were made for a text on an account and that no delivery has.
    pub(crate) fn unclaimed(&mut self, order: &Order) -> Vec<String> {
        let rows = self.rows();
        let taken: Vec<&str> = rows.iter().filter_map(|row| row.remote_id.as_deref()).collect();
        let account = self.outlets[order.outlet].remote_id.as_str();
        let mut made = Vec::new();
        for entry in self.journal() {
            let meant = entry.account.as_deref() == Some(account)
                && entry.intent.text.starts_with(&order.text);
            if let CreateOutcome::Created(id) = entry.outcome
                && meant
                && !taken.contains(&id.as_str())
            {
                made.push(id);
            }
        }
        made
    }

    /// Lets all that was accepted come to its end, with platforms that work.
    pub(crate) fn settle(&mut self) {
        self.wait_for_lates();
        self.stage.world().faults().clear();
        for number in 0..OUTLETS {
            let (platform, id) =
                (self.outlets[number].platform, self.outlets[number].remote_id.clone());
            self.stage.world().set_read_lag(platform, &id, None);
            self.renew(number);
        }
        self.lift_all();
        for round in 0..120 {
            let small = round < 40;
            self.advance(if small { Duration::from_secs(12) } else { Duration::from_mins(10) });
            self.review_all();
            if !self.open().is_empty() {
                // A request may still be hanging, by the real clock.
                self.breathe(if small { GLANCES } else { PATIENCE });
            }
            if self.open().is_empty() {
                return;
            }
        }
        for row in self.open() {
            let sql = format!(
                "SELECT CAST(d.waits_for AS TEXT), j.unique_key, j.state, CAST(j.due_at AS TEXT), j.node, j.note
                 FROM deliveries AS d LEFT JOIN jobs AS j ON j.unique_key LIKE '%' || d.id
                 WHERE d.id = '{}'",
                row.id
            );
            let why = self.run(self.stage.setting().database.rows(&sql));
            let (at, now) = (row.due_ms, self.stage.now());
            self.found.push(format!("{} stays {}, due {at}, at {now}: {why:?}", row.id, row.state));
        }
    }

    /// What has neither ended nor asks a person.
    fn open(&mut self) -> Vec<Row> {
        let mut rows = self.rows();
        rows.retain(|row| {
            let ended = ENDS.contains(&row.state.as_str()) || row.state == "needs_human";
            let wanted = self.recalls.get(&row.id) == Some(&true);
            let stays =
                wanted && row.state == "published" && !self.removed.contains(&row.account_id);
            !ended || stays
        });
        rows
    }

    /// Stops everything and lets the judge look; everything that was found.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let journal = self.journal();
        let broken = |ban: &Ban| ban.broken(&journal, &self.orders, &self.outlets);
        let broken: Vec<String> = self.bans.iter().flat_map(broken).collect();
        self.found.extend(broken);
        self.repeats(&journal);
        self.taken_back();
        let log = self.stage.log();
        let Self { ground, home, second, stage, watch, mut found, .. } = self;
        if let Some(node) = second {
            node.end(true);
        }
        let home = home.expect("there is a runtime");
        home.block_on(watch.close());
        found.extend(home.block_on(stage.finish_with_findings()));
        home.shutdown_timeout(GRACE);
        ground.shutdown_timeout(GRACE);
        if !found.is_empty() {
            let place = std::env::temp_dir().join(format!("model-{}.log", std::process::id()));
            std::fs::write(&place, log).unwrap();
            found.push(format!("what the service said is in {}", place.display()));
        }
        found
    }

    /// What is recalled is gone, and by somebody's wish; everything else that is out is there.
    fn taken_back(&mut self) {
        for row in self.rows() {
            let Some(outlet) = self.outlets.iter().find(|it| it.id.as_str() == row.account_id)
            else {
                continue;
            };
            let posts = self.stage.posts(outlet);
            let there = posts.iter().any(|post| row.remote_id.as_ref() == Some(&post.id));
            let wanted = self.recalls.contains_key(&row.id);
            let lie = match row.state.as_str() {
                "recalled" => there || !wanted,
                "published" => !there && !wanted,
                _ => false,
            };
            if lie {
                self.found
                    .push(format!("{} is {}, there: {there}, wanted: {wanted}", row.id, row.state));
            }
        }
    }

    /// What was not meant as a repeat is the first of its text on its account.
    fn repeats(&mut self, journal: &[JournalEntry]) {
        let rows = self.rows();
        let place = |row: &Row| {
            journal.iter().position(|entry| match &entry.outcome {
                CreateOutcome::Created(id) => row.remote_id.as_deref() == Some(id),
                CreateOutcome::Refused(_) | CreateOutcome::NotExecuted => false,
            })
        };
        for order in self.orders.iter().filter(|order| !order.repeat) {
            let of =
                |id: &DeliveryId| rows.iter().find(|row| row.id == id.as_str()).and_then(place);
            let Some(own) = of(&order.id) else { continue };
            let mut siblings = self.orders.iter().filter(|other| {
                other.id != order.id && other.outlet == order.outlet && other.text == order.text
            });
            if siblings.any(|other| of(&other.id).is_some_and(|other| other < own)) {
                self.found.push(format!("{} said again what was said there", order.id));
            }
        }
    }
}
