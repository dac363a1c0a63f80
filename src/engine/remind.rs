//! Reminds people of what waits for them: at once, after a while, and then daily until it is decided;
//! of many deliveries that wait for one reason once, with their number; and of holds.
//!
//! Each step is written down in the transaction of the audit entry that tells of it, under a key that
//! all nodes share: it is told once, however many nodes look and however often they start.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Tools;
use crate::clock::{after, before, until};
use crate::config;
use crate::domain::audit::NewEntry;
use crate::domain::id::PersonId;
use crate::domain::ladder::{ESCALATES, Ladder};
use crate::domain::outbox::Occasion;
use crate::queue::contained;
use crate::store::reminders::{self, Group, HoldNews, Step, Told};
use crate::store::{Error, Reader, audit};

/// Whose deliveries a hold concerns is counted among those that are due so soon.
const AHEAD: Duration = Duration::from_hours(7 * 24);
/// A hold is news for so long after its end.
const NEWS: Duration = Duration::from_hours(24);
/// What waits no more is forgotten so long after it was told of. Nothing that began meanwhile can be
/// mistaken for it: it is looked at far more often.
const SETTLED: Duration = Duration::from_mins(10);
/// The last part of a subject that is told to administrators.
const ADMINISTRATORS: &str = "administrators";

/// The task that reminds.
#[derive(Debug)]
pub(super) struct Remind {
    tools: Tools,
    settings: config::Notify,
}

/// A step that may be due, and what is told then.
#[derive(Debug)]
struct Notice {
    step: Step,
    entry: NewEntry,
}

/// What has been told before.
type Memory = HashMap<String, Told>;

impl Remind {
    /// Reminds with these tools.
    pub(super) fn new(tools: Tools, settings: config::Notify) -> Self {
        Self { tools, settings }
    }

    /// Reminds until told to stop. What goes wrong is logged and tried again.
    pub(super) async fn keep(self, stop: CancellationToken) {
        loop {
            if let Err(error) = contained("remind", self.round()).await {
                let error = crate::telemetry::Chain(&error);
                tracing::warn!(%error, "nobody could be reminded; tried again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.tools.clock.sleep(self.settings.watch_interval) => {}
            }
        }
    }

    async fn round(&self) -> Result<(), Error> {
        let now = self.tools.clock.now();
        let mut reader = self.tools.store.read().await?;
        let groups = reminders::groups(&mut reader).await?;
        let holds = reminders::holds(&mut reader, before(now, NEWS)).await?;
        let told = reminders::told(&mut reader).await?;
        if groups.is_empty() && holds.is_empty() && told.is_empty() {
            return Ok(());
        }
        let memory: Memory = told.into_iter().map(|it| (it.subject.clone(), it)).collect();
        let authors: Vec<&str> = groups.iter().map(|it| it.author.as_str()).collect();
        let able = reminders::able(&mut reader, &authors).await?;
        let able: BTreeSet<&str> = able.iter().map(PersonId::as_str).collect();
        let ladder =
            Ladder { after: &self.settings.remind_after, every: self.settings.remind_every };
        let from = Reckoning { memory: &memory, ladder, now };
        let mut notices = of_groups(&groups, &able, from);
        let mut alive: BTreeSet<String> =
            notices.iter().map(|it| it.step.subject.clone()).collect();
        for hold in &holds {
            alive.extend(["placed", "ending", "lifted"].map(|what| hold_subject(what, hold)));
            notices.extend(self.of_hold(&mut reader, hold, &memory, now).await?);
        }
        drop(reader);
        notices.retain(|notice| is_news(&notice.step, &memory));
        let stale = memory
            .values()
            .filter(|it| !alive.contains(&it.subject))
            .map(|it| it.subject.as_str())
            .collect::<Vec<_>>();
        if notices.is_empty() && stale.is_empty() {
            return Ok(());
        }
        let mut tx = self.tools.store.begin_for("remind").await?;
        reminders::forget(&mut tx, &stale, before(now, SETTLED)).await?;
        let steps: Vec<Step> = notices.iter().map(|notice| notice.step.clone()).collect();
        let news: BTreeSet<String> =
            reminders::tell(&mut tx, &steps, now).await?.into_iter().collect();
        notices.retain(|notice| news.contains(&notice.step.subject));
        let entries: Vec<NewEntry> = notices.into_iter().map(|notice| notice.entry).collect();
        audit::append(&mut tx, &entries, now).await?;
        tx.commit().await
    }

    /// What is told of a hold: that it was placed, that it is about to end, that it was lifted.
    async fn of_hold(
        &self,
        reader: &mut Reader,
        hold: &HoldNews,
        memory: &Memory,
        now: Timestamp,
    ) -> Result<Option<Notice>, Error> {
        let ending = self.settings.hold_ending;
        let ends_soon = |at: Timestamp| {
            at > now && at <= after(now, ending) && at > after(hold.created_at, ending)
        };
        let stands = hold.lifted_at.is_none() && hold.ends_at.is_none_or(|at| at > now);
        let (what, event) = match (hold.lifted_at, hold.ends_at) {
            (Some(_), _) => ("lifted", Occasion::HoldLifted),
            (None, Some(at)) if ends_soon(at) => ("ending", Occasion::HoldEnding),
            (None, _) if stands => ("placed", Occasion::HoldPlaced),
            (None, _) => return Ok(None),
        };
        let subject = hold_subject(what, hold);
        if memory.contains_key(&subject) {
            return Ok(None);
        }
        let concerned = if event == Occasion::HoldPlaced {
            reminders::covered(reader, &hold.id, after(now, AHEAD)).await?
        } else {
            reminders::caught(reader, &hold.id).await?
        };
        let count: i64 = concerned.iter().map(|(_, count)| count).sum();
        let owners: Vec<&str> = concerned.iter().map(|(author, _)| author.as_str()).collect();
        let detail = json!({
            "reason": hold.reason, "hold_id": hold.id, "ends_at": hold.ends_at, "count": count,
            "owners": owners, "administrators": true,
        });
        let step = Step { subject, since: now, step: 0, renews: false };
        Ok(Some(Notice { step, entry: entry(event, hold.id.as_str(), detail) }))
    }
}

fn hold_subject(what: &str, hold: &HoldNews) -> String {
    format!("hold_{what}:{}", hold.id)
}

fn entry(event: Occasion, subject: &str, detail: Value) -> NewEntry {
    NewEntry {
        actor: "engine".to_owned(),
        action: event.as_str().to_owned(),
        subject: subject.to_owned(),
        detail,
    }
}

/// Whether nobody was told of this step.
fn is_news(step: &Step, memory: &Memory) -> bool {
    memory
        .get(&step.subject)
        .is_none_or(|told| told.step < step.step || (step.renews && told.since < step.since))
}

/// What steps are reckoned from.
#[derive(Debug, Clone, Copy)]
struct Reckoning<'a> {
    memory: &'a Memory,
    ladder: Ladder<'a>,
    now: Timestamp,
}

impl Reckoning<'_> {
    /// The step of a ladder that began at `since`, unless it is below the first one that is told.
    fn step(&self, subject: String, since: Timestamp, first: i64, renews: bool) -> Option<Step> {
        let step = self.ladder.step(until(since, self.now));
        (step >= first).then_some(Step { subject, since, step, renews })
    }

    /// When the ladder of this subject began.
    fn began(&self, subject: &str) -> Option<Timestamp> {
        self.memory.get(subject).map(|it| it.since)
    }
}

/// The steps that are due for all groups.
fn of_groups(groups: &[Group], able: &BTreeSet<&str>, from: Reckoning<'_>) -> Vec<Notice> {
    let mut causes: BTreeMap<&str, Vec<&Group>> = BTreeMap::new();
    for group in groups {
        causes.entry(&group.cause).or_default().push(group);
    }
    let of = |(cause, groups)| of_cause(cause, groups, able, from);
    causes.into_iter().flat_map(of).collect()
}

/// The steps that are due for what waits for one reason: for whoever scheduled the deliveries, and for
/// administrators where it is nobody else's or was not decided after the first reminder.
fn of_cause(
    cause: &str,
    groups: Vec<&Group>,
    able: &BTreeSet<&str>,
    from: Reckoning<'_>,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    let count: i64 = groups.iter().map(|it| it.count).sum();
    let Some(oldest) = groups.iter().copied().min_by_key(|it| it.since) else { return notices };
    let is_one = cause.starts_with("delivery:");
    // That one delivery needs a decision was told with the transition itself.
    let first = i64::from(is_one);
    let (own, orphans): (Vec<&Group>, Vec<&Group>) =
        groups.into_iter().partition(|it| able.contains(it.author.as_str()));
    // A group is told of when it is seen first; who leaves it or joins it later changes nothing.
    let since = |subject: &str| {
        let began = || from.began(subject).unwrap_or(from.now);
        if is_one { oldest.since } else { began() }
    };
    let subject = format!("{cause}|{ADMINISTRATORS}");
    let theirs = !orphans.is_empty() || cause.starts_with("incident:");
    let begins = own
        .iter()
        .filter_map(|it| from.began(&format!("{cause}|{}", it.author)))
        .min()
        .filter(|_| !is_one && from.began(&subject).is_none())
        .unwrap_or_else(|| since(&subject));
    let least = if theirs { first } else { ESCALATES };
    if let Some(step) = from.step(subject, begins, least, is_one) {
        let owners: Vec<&str> = own.iter().map(|it| it.author.as_str()).collect();
        let to = json!({"owners": [], "administrators": true, "except": owners});
        notices.push(waiting(step, oldest, count, to));
    }
    for group in own {
        let subject = format!("{cause}|{}", group.author);
        let since = since(&subject);
        if let Some(step) = from.step(subject, since, first, is_one) {
            let to = json!({"owners": [group.author], "administrators": false});
            notices.push(waiting(step, group, group.count, to));
        }
    }
    notices
}

/// What is told of deliveries that wait.
fn waiting(step: Step, sample: &Group, count: i64, to: Value) -> Notice {
    let mut detail = json!({
        "code": sample.code, "cause": sample.cause, "count": count, "step": step.step,
        "since": step.since,
    });
    if let (Value::Object(detail), Value::Object(to)) = (&mut detail, to) {
        detail.extend(to);
    }
    let common = sample.cause.split_once(':').map_or("", |(_, id)| id);
    let subject = if count == 1 { sample.sample.as_str() } else { common };
    Notice { entry: entry(Occasion::DeliveriesWaiting, subject, detail), step }
}
