//! Watches over the time: asks the platforms for theirs when somebody waits for it, tells people and the
//! other processes when the machine's clock cannot be trusted, and hears when a person has confirmed it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, Method};
use jiff::SignedDuration;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Tools;
use super::clauses::{Brake, Force};
use crate::clock::{Condition, Doubt, Why, after, before};
use crate::domain::audit::NewEntry;
use crate::domain::outbox::Occasion;
use crate::domain::work;
use crate::outbound::{Label, Request};
use crate::queue::{Lease, Queue};
use crate::store::{Error, audit, incidents, jobs, nodes};

/// How often the clocks are compared although nobody uses them.
const PERIOD: Duration = Duration::from_secs(1);
/// The longest that an answer to the question for the time is waited for; a later one says little.
const PATIENCE: Duration = Duration::from_secs(4);
/// Between two questions at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(30)];
/// What waits for the time looks again after so long at first,
const SOON: Duration = Duration::from_millis(250);
/// and after so long when it has waited for a while; it is hastened when the waiting is over.
const LATER: Duration = Duration::from_secs(20);
/// A while.
const WHILE: Duration = Duration::from_secs(3);

/// The incident of some process's clock, among all processes on one database.
const CLOCK: &str = "clock";

/// What people and other processes were told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    /// Tells two doubts apart that read alike.
    step: u64,
    doubt: &'static str,
    detail: String,
}

/// Watches over the time.
#[derive(Debug)]
pub(super) struct Timekeeper {
    tools: Tools,
    lease: Lease,
    queue: Queue,
    told: Option<Told>,
    /// Since when somebody waits for a platform's word, by the clock that never steps.
    waiting_since: Option<Duration>,
    /// How far the time here was from a platform's at most, meanwhile.
    farthest: SignedDuration,
    /// The step for which it was asked last.
    step: u64,
    pause: Duration,
    ask_at: Duration,
}

impl Timekeeper {
    /// For this process.
    pub(super) fn new(tools: Tools, lease: Lease, queue: Queue) -> Self {
        let [pause, _] = PAUSES;
        let farthest = SignedDuration::ZERO;
        let (told, waiting_since, ask_at) = (None, None, Duration::ZERO);
        Self { tools, lease, queue, told, waiting_since, farthest, step: 0, pause, ask_at }
    }

    /// Watches until told to stop.
    pub(super) async fn keep(mut self, stop: CancellationToken) {
        loop {
            let rest = self.ask_if_needed().await;
            if let Err(error) = self.look().await {
                let error = crate::telemetry::Chain(&error);
                tracing::warn!(%error, "how it stands with the clock could not be written down");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.tools.steady.is_wanted() => {}
                () = self.tools.clock.sleep(rest) => {}
            }
        }
    }

    /// Asks the platforms that somebody waits for, and says when to look again.
    async fn ask_if_needed(&mut self) -> Duration {
        let condition = self.tools.steady.condition();
        if condition.doubts.is_empty() {
            [self.pause, _] = PAUSES;
            return PERIOD;
        }
        self.waiting_since.get_or_insert(self.tools.clock.elapsed());
        if condition.step != self.step {
            self.step = condition.step;
            [self.pause, _] = PAUSES;
            self.ask_at = self.ask_at.min(self.tools.clock.elapsed() + self.pause);
        }
        let now = self.tools.clock.elapsed();
        if now >= self.ask_at {
            let names = condition.doubts.iter().map(|(name, _)| *name);
            join_all(names.map(|name| self.ask(name))).await;
            let [_, longest] = PAUSES;
            self.ask_at = self.tools.clock.elapsed() + self.pause;
            self.pause = (self.pause * 2).min(longest);
        }
        self.ask_at.saturating_sub(now).clamp(Duration::from_millis(10), PERIOD)
    }

    /// Any answer of a platform says its time; this is the least that can be asked.
    async fn ask(&self, name: &'static str) {
        let Some(platform) = self.tools.platforms.get(name) else { return };
        let Some(url) = platform.base_url() else { return };
        let request = Request {
            method: Method::GET,
            url: url.clone(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: PATIENCE,
            max_answer: 1 << 20,
            label: Label { destination: platform.id(), kind: "time" },
        };
        if let Err(error) = self.tools.outbound.send(request).await {
            tracing::debug!(platform = name, %error, "the platform did not say the time");
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let condition = self.tools.steady.condition();
        measure(&condition, &self.tools);
        let now = self.tools.clock.elapsed();
        if condition.doubts.is_empty() {
            if let Some(since) = self.waiting_since {
                self.hasten(now.saturating_sub(since)).await?;
                self.waiting_since = None;
            }
        } else {
            self.waiting_since.get_or_insert(now);
            for (_, why) in &condition.doubts {
                if let Why::Disagrees(by) = why {
                    self.farthest = self.farthest.max(by.abs());
                }
            }
        }
        let told = self.worth_telling(&condition, now).then(|| describe(&condition)).flatten();
        if told != self.told {
            self.tell(condition.step, told.as_ref()).await?;
            self.told = told;
        }
        if self.told.is_some() && !condition.confirmed {
            self.hear_person(condition.step).await?;
        }
        Ok(())
    }

    /// Whoever has just started and waits for the first word is not worth telling of.
    fn worth_telling(&self, condition: &Condition, now: Duration) -> bool {
        let is_new = self.waiting_since.is_none_or(|since| now.saturating_sub(since) < WHILE);
        let is_first = condition.doubts.iter().all(|(_, why)| *why == Why::Unproven);
        condition.apart.is_some() || !is_first || !is_new
    }

    /// Goes by the machine's clock when a person has said that it is right.
    async fn hear_person(&self, step: u64) -> Result<(), Error> {
        let step = number(step);
        let holder = self.lease.holder();
        let mut reader = self.tools.store.read().await?;
        if nodes::is_clock_confirmed(&mut reader, &holder.node, holder.fence, step).await? {
            tracing::warn!(step, "a person has confirmed the machine's clock");
            self.tools.steady.confirm();
        }
        Ok(())
    }

    /// Tells the other processes how it stands here, and people when that is news.
    async fn tell(&self, step: u64, told: Option<&Told>) -> Result<(), Error> {
        let now = self.tools.clock.now();
        let holder = self.lease.holder();
        let mut tx = self.tools.store.begin_for("clock").await?;
        let clock = nodes::Clock {
            step: number(step),
            doubt: told.map(|it| it.doubt.to_owned()),
            detail: told.map(|it| it.detail.clone()),
        };
        nodes::tell_clock(&mut tx, &holder.node, holder.fence, &clock).await?;
        let news = if told.is_some() {
            incidents::open(&mut tx, CLOCK, now).await?.then_some(Occasion::ClockDoubted)
        } else if nodes::has_doubted_clock(&mut tx, before(now, self.lease.length())).await? {
            None
        } else {
            incidents::close(&mut tx, CLOCK).await?.then_some(Occasion::ClockTrusted)
        };
        if let Some(occasion) = news {
            let entry = NewEntry {
                actor: "engine".to_owned(),
                action: occasion.as_str().to_owned(),
                subject: holder.node.to_string(),
                detail: json!({
                    "node": holder.node, "step": clock.step, "reason": clock.doubt,
                    "detail": clock.detail,
                }),
            };
            audit::append(&mut tx, &[entry], now);
        }
        tx.commit().await?;
        let node = &holder.node;
        if let Some(Told { doubt, detail, .. }) = told {
            tracing::error!(node.id = %node, reason = doubt, "the clock is in doubt: {detail}");
        } else {
            tracing::warn!(node.id = %node, "the clock is trusted again");
        }
        Ok(())
    }

    /// What has waited for the time need not wait until it would have looked again by itself.
    async fn hasten(&mut self, waited: Duration) -> Result<(), Error> {
        let now = self.tools.clock.now();
        // By the time that was wrong it may have been put off by as much more.
        let wrong = Duration::try_from(self.farthest).unwrap_or_default();
        let until = after(now, wrong + if waited < WHILE { SOON } else { LATER });
        let mut tx = self.tools.store.begin_for("clock").await?;
        for kind in [work::PUBLISH, work::RECONCILE] {
            jobs::hasten(&mut tx, kind, now, until).await?;
        }
        tx.commit().await?;
        self.farthest = SignedDuration::ZERO;
        self.queue.look_again();
        Ok(())
    }
}

impl Tools {
    /// Why nothing is sent to a platform now, when that is because of the time.
    pub(super) fn time_brake(&self, platform: &str) -> Option<Brake> {
        let doubt = self.steady.may_send(platform).err()?;
        let until = after(self.clock.now(), wait(doubt));
        let detail = match doubt.why {
            Why::Unproven => {
                format!("{platform} to say the time, which it has not since the start")
            }
            Why::Stepped => {
                format!("{platform} to say the time: the machine's clock has stepped")
            }
            Why::Disagrees(by) => {
                format!("the clocks to agree: the time here is {by:#} from that of {platform}")
            }
        };
        Some(Brake { code: "clock", detail, until, force: Force::NoTime })
    }
}

fn wait(doubt: Doubt) -> Duration {
    if doubt.age < WHILE { SOON } else { LATER }
}

fn number(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}

/// What people are told; nothing when all is well.
fn describe(condition: &Condition) -> Option<Told> {
    if condition.is_sound() {
        return None;
    }
    let mut parts = Vec::new();
    if let Some(by) = condition.apart {
        let way = if by.is_negative() { "behind" } else { "ahead" };
        let by = SignedDuration::from_secs(by.abs().as_secs());
        parts.push(format!("the machine's clock has stepped and is {by:#} {way}"));
    }
    for (name, why) in &condition.doubts {
        parts.push(match why {
            Why::Unproven | Why::Stepped => format!("{name} has not said the time since"),
            Why::Disagrees(by) => {
                let by = SignedDuration::from_secs(by.as_secs());
                format!("the time here is {by:#} ahead of that of {name}")
            }
        });
    }
    let disagrees =
        condition.doubts.iter().map(|(_, why)| *why).find(|it| !matches!(it, Why::Stepped));
    let doubt = if condition.apart.is_some() {
        "stepped"
    } else {
        disagrees.map_or("stepped", Why::as_str)
    };
    Some(Told { step: condition.step, doubt, detail: parts.join("; ") })
}

fn measure(condition: &Condition, tools: &Tools) {
    let apart = condition.apart.unwrap_or(SignedDuration::ZERO);
    metrics::gauge!("chancery_clock_apart_seconds").set(apart.as_secs_f64());
    for name in tools.platforms.iter().map(|platform| platform.id()) {
        let is_in_doubt = condition.doubts.iter().any(|(one, _)| *one == name);
        metrics::gauge!("chancery_clock_in_doubt", "platform" => name).set(if is_in_doubt {
            1.0
        } else {
            0.0
        });
    }
}
