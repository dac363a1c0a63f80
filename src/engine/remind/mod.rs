//! Reminds people of what waits for them: at once, after a while, and then daily until it is decided;
//! of many deliveries that wait for one reason once, with their number; and of holds.
//!
//! Each step is written down in the transaction of the audit entry that tells of it, under a key that
//! all nodes share: it is told once, however many nodes look and however often they start.

mod approvals;
mod groups;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Tools;
use crate::clock::{after, before};
use crate::config;
use crate::domain::audit::NewEntry;
use crate::domain::ladder::Ladder;
use crate::domain::outbox::Occasion;
use crate::queue::contained;
use crate::store::reminders::{self, HoldNews, Step};
use crate::store::{Error, Reader, audit, quarantine};
use groups::{Memory, Notice, Reckoning};

/// Whose deliveries a hold concerns is counted among those that are due so soon.
const AHEAD: Duration = Duration::from_hours(7 * 24);
/// A hold is news for so long after its end.
const NEWS: Duration = Duration::from_hours(24);
/// What waits no more is forgotten so long after it was told of: not at once, since another node may
/// just have told of what this one has not seen yet. What begins again after this is told of anew.
const SETTLED: Duration = Duration::from_mins(1);

/// The task that reminds.
#[derive(Debug)]
pub(super) struct Remind {
    tools: Tools,
    settings: config::Notify,
}

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
        let waiting = reminders::waiting(&mut reader, now).await?;
        let tried = reminders::tried(&mut reader).await?;
        let holds = reminders::holds(&mut reader, before(now, NEWS)).await?;
        let quarantine = quarantine::find(&mut reader).await?;
        let told = reminders::told(&mut reader).await?;
        let unapproved = approvals::unapproved(&mut reader, now).await?;
        let nothing = waiting.is_empty() && holds.is_empty() && unapproved.is_empty();
        if nothing && quarantine.is_none() && told.is_empty() {
            return Ok(());
        }
        let memory: Memory = told.into_iter().map(|it| (it.subject.clone(), it)).collect();
        let ladder =
            Ladder { after: &self.settings.remind_after, every: self.settings.remind_every };
        let from = Reckoning { memory: &memory, ladder, now };
        let mut notices = groups::of_groups(&waiting, from);
        let mut alive = groups::alive(&waiting, &tried, &memory);
        if let Some(quarantine) = quarantine {
            let count = reminders::quarantined(&mut reader).await?;
            notices.extend(groups::of_quarantine(&quarantine, count, from));
            alive.insert(groups::quarantine_subject());
        }
        for hold in &holds {
            alive.extend(["placed", "ending", "lifted"].map(|what| hold_subject(what, hold)));
            notices.extend(self.of_hold(&mut reader, hold, &memory, now).await?);
        }
        for one in &unapproved {
            alive.extend(one.subjects());
            notices.extend(one.notices(from));
        }
        drop(reader);
        notices.retain(|notice| notice.is_news(&memory));
        let stale: Vec<&str> =
            memory.keys().filter(|it| !alive.contains(*it)).map(String::as_str).collect();
        if notices.is_empty() && stale.is_empty() {
            return Ok(());
        }
        self.tell(notices, &stale, now).await
    }

    /// Tells what nobody has told, whichever node was faster.
    async fn tell(
        &self,
        notices: Vec<Notice>,
        stale: &[&str],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.tools.store.begin_for("remind").await?;
        reminders::forget(&mut tx, stale, before(now, SETTLED)).await?;
        let joined: Vec<Step> = notices.iter().flat_map(|it| it.joined.clone()).collect();
        let mut news: BTreeSet<String> =
            reminders::tell(&mut tx, &joined, now).await?.into_iter().collect();
        let has_joined =
            |it: &Notice, news: &BTreeSet<_>| it.joined.iter().any(|it| news.contains(&it.subject));
        let steps: Vec<Step> = notices
            .iter()
            .filter(|it| !it.hangs_on_joined() || has_joined(it, &news))
            .map(|it| it.step.clone())
            .collect();
        news.extend(reminders::tell(&mut tx, &steps, now).await?);
        let entries: Vec<NewEntry> = notices
            .into_iter()
            .filter_map(|it| {
                let late = it.late.clone().filter(|_| has_joined(&it, &news));
                it.whole.filter(|_| news.contains(&it.step.subject)).or(late)
            })
            .collect();
        audit::append(&mut tx, &entries, now);
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
            reminders::covered(reader, &hold.id, after(now, AHEAD), now).await?
        } else {
            reminders::caught(reader, &hold.id, now).await?
        };
        let count: i64 = concerned.iter().map(|(_, count, _)| count).sum();
        let able = concerned.iter().filter(|(_, _, vouched)| *vouched > 0);
        let owners: Vec<&str> = able.map(|(author, ..)| author.as_str()).collect();
        let detail = json!({
            "reason": hold.reason, "hold_id": hold.id, "ends_at": hold.ends_at, "count": count,
            "owners": owners, "administrators": true,
        });
        let step = Step { subject, since: now, step: 0, renews: false };
        Ok(Some(Notice::single(step, entry(event.as_str(), hold.id.as_str(), detail))))
    }
}

fn hold_subject(what: &str, hold: &HoldNews) -> String {
    format!("hold_{what}:{}", hold.id)
}

fn entry(action: &str, subject: &str, detail: Value) -> NewEntry {
    NewEntry {
        actor: "engine".to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        detail,
    }
}
