//! Who is reminded of posts that wait for approval: the nearest who may give it, and those above them when nobody has
//! given it after a while, or the instant is near.

use jiff::Timestamp;
use serde_json::json;

use super::entry;
use super::groups::{Notice, Reckoning};
use crate::clock::{after, until};
use crate::domain::approval::{nearest, state, waits};
use crate::domain::id::{PersonId, PostId};
use crate::domain::ladder::ESCALATES;
use crate::domain::outbox::Occasion;
use crate::store::reminders::Step;
use crate::store::{Error, Reader, approvals, posts};

/// A post that waits for approval.
#[derive(Debug)]
pub(super) struct Unapproved {
    id: PostId,
    unit_id: String,
    title: String,
    /// Since when.
    since: Timestamp,
    /// When the first of it is due that waits, if it has a time.
    due_at: Option<Timestamp>,
    /// The nearest who may approve it and have not.
    near: Vec<PersonId>,
    /// All who may and have not.
    all: Vec<PersonId>,
}

/// The posts that wait for approval now.
pub(super) async fn unapproved(
    reader: &mut Reader,
    now: Timestamp,
) -> Result<Vec<Unapproved>, Error> {
    let ids = approvals::asked(reader, None, now).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = posts::find_many(reader, &ids).await?;
    let ids: Vec<&PostId> = ids.iter().collect();
    let wanted = approvals::wanted(reader, &ids).await?;
    let standing = approvals::standing(reader, &ids, now).await?;
    let asked = approvals::submissions(reader, &ids).await?;
    let said = approvals::of_posts(reader, &ids).await?;
    let waiting = approvals::waiting(reader, &ids).await?;
    let mut approvers = approvals::approvers(reader, &ids, now).await?;
    let mut unapproved = Vec::new();
    for post in found {
        let id = &post.id;
        let needed = wanted.get(id).map_or(0, |it| it.needed());
        let given = standing.get(id).map_or(0, std::collections::BTreeSet::len);
        let (asked, waiting) = (asked.get(id), waiting.get(id));
        let said = said.get(id).map_or(&[][..], Vec::as_slice);
        let state = state(needed, given, &post.content_hash, (asked, waiting), said);
        let waits = waits(state, waiting);
        let since = asked.map(|it| it.at).max(waiting.map(|it| it.since));
        let Some(since) = since.filter(|_| waits) else { continue };
        let mut may: Vec<(PersonId, i64)> = Vec::new();
        for (one, above) in approvers.remove(id).unwrap_or_default() {
            may.push((one.id, above));
        }
        if given < needed {
            may.retain(|(it, _)| !standing.get(id).is_some_and(|given| given.contains(it)));
        }
        unapproved.push(Unapproved {
            unit_id: post.unit_id.to_string(),
            since,
            due_at: waiting.map(|it| it.due_at),
            near: nearest(&may, needed.saturating_sub(given)).into_iter().cloned().collect(),
            all: may.into_iter().map(|(it, _)| it).collect(),
            id: post.id,
            title: post.title,
        });
    }
    Ok(unapproved)
}

impl Unapproved {
    /// Under which it is remembered what was told of it: by its ladder, and because its instant is near.
    pub(super) fn subjects(&self) -> [String; 2] {
        ["waiting", "near"].map(|why| format!("unapproved_{why}:{}", self.id))
    }

    /// The words that are due. The first was said by whatever made it wait.
    pub(super) fn notices(&self, from: Reckoning<'_>) -> Vec<Notice> {
        let [waiting, near] = self.subjects();
        let number = from.ladder.step(until(self.since, from.now));
        let mut notices = Vec::new();
        let step = |subject, step| Step { subject, since: self.since, step, renews: true };
        if number > 0 {
            let to = if number < ESCALATES { &self.near } else { &self.all };
            notices.push(self.notice(step(waiting, number), to));
        }
        let soon = after(from.now, from.ladder.next(0));
        if self.due_at.is_some_and(|due_at| due_at <= soon) {
            // The nearest have only just been told, unless the gate has stopped it at its instant: that tells nobody.
            let asked_ahead = self.due_at.is_some_and(|due_at| self.since < due_at);
            let fresh = |it: &&PersonId| number == 0 && asked_ahead && self.near.contains(it);
            let to: Vec<PersonId> = self.all.iter().filter(|it| !fresh(it)).cloned().collect();
            if !to.is_empty() {
                notices.push(self.notice(step(near, 0), &to));
            }
        }
        notices
    }

    fn notice(&self, step: Step, to: &[PersonId]) -> Notice {
        // Programs have heard it once.
        let detail = json!({
            "post_id": self.id, "unit_id": self.unit_id, "title": self.title, "owners": to,
            "administrators": to.is_empty(), "programs": false, "step": step.step,
        });
        Notice::single(step, entry(Occasion::ApprovalWanted.as_str(), self.id.as_str(), detail))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::ladder::Ladder;

    #[test]
    fn those_above_are_reminded_later_or_when_the_instant_is_near() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let [chief, director] = [1, 2].map(|number| PersonId::new(at(0), number));
        let post = |due: i64| Unapproved {
            id: PostId::new(at(0), 1),
            unit_id: String::new(),
            title: String::new(),
            since: at(0),
            due_at: Some(at(due)),
            near: vec![chief.clone()],
            all: vec![chief.clone(), director.clone()],
        };
        let waits = [Duration::from_mins(10), Duration::from_hours(1)];
        let ladder = Ladder { after: &waits, every: Duration::from_hours(24) };
        let memory = super::super::Memory::new();
        let told = |due, minute| -> Vec<usize> {
            let from = Reckoning { memory: &memory, ladder, now: at(minute) };
            let notices = post(due).notices(from).into_iter();
            let owners = |it: Notice| it.whole.unwrap().detail["owners"].as_array().unwrap().len();
            notices.map(owners).collect()
        };
        assert_eq!(told(1_000, 9), [] as [usize; 0]);
        assert_eq!(told(1_000, 10), [1]);
        assert_eq!(told(1_000, 60), [2]);
        assert_eq!(told(15, 4), [] as [usize; 0]);
        assert_eq!(told(15, 5), [1], "the nearest have only just been told");
        assert_eq!(told(100, 91), [2, 2]);
    }
}
