//! What is due next, in memory: the database stays the truth, this only says when to ask it.
//!
//! Within a slot one job at a time; among slots the more urgent, then the earlier one first. A pool
//! that has no room is passed over, so that it cannot keep the others waiting. Taking costs the
//! logarithm of what is pending, times the few pools there are, however long the backlog.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::after;
use crate::domain::id::JobId;
use crate::domain::work::pool;
use crate::store::jobs::Due;

/// Order among jobs that are due.
type Rank = (i64, Timestamp, JobId);

/// Jobs of this priority do not wait behind a backlog that rests.
const FIRST: i64 = 0;

/// A pause of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    /// Its end.
    pub(super) until: Timestamp,
    /// Whether it is for the most urgent jobs too.
    pub(super) all: bool,
    /// How long it was to last, if it is for what a job itself has done: that does not pass because
    /// something else has changed.
    pub(super) firm: Option<Duration>,
}

/// The timetable of one lane.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Jobs not yet due, earliest first.
    later: BinaryHeap<Reverse<(Timestamp, JobId)>>,
    /// What is known of each job that waits in `later` or `waiting`.
    known: HashMap<JobId, Due>,
    /// Jobs that are due, by slot.
    waiting: HashMap<String, BTreeSet<Rank>>,
    /// By pool, the first waiting job of each slot that is free.
    heads: BTreeMap<String, BTreeSet<(Rank, String)>>,
    /// Which of its jobs each slot has among the heads.
    shown: HashMap<String, Rank>,
    /// Slots with a job at work.
    busy: HashSet<String>,
    /// Slots that rest.
    rests: HashMap<String, Rest>,
    /// When rests end, earliest first.
    waking: BinaryHeap<Reverse<(Timestamp, String)>>,
}

impl Agenda {
    /// Notes a job, or its new instant.
    pub(super) fn note(&mut self, due: Due) {
        match self.known.get(&due.id) {
            Some(known) if *known == due => return,
            Some(_) => self.forget(&due.id),
            None => {}
        }
        self.later.push(Reverse((due.due_at, due.id.clone())));
        self.known.insert(due.id.clone(), due);
    }

    /// Takes up to `most` jobs that are due until `horizon`, and no more of a pool than `room` says
    /// of it, marking their slots busy.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        horizon: Timestamp,
        most: usize,
        room: impl Fn(&str) -> usize,
    ) -> Vec<Due> {
        self.wake(now);
        self.ripen(horizon);
        let mut left: HashMap<String, usize> =
            self.heads.keys().map(|pool| (pool.clone(), room(pool))).collect();
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some((rank, slot)) = self.pop_first(&mut left)
        {
            if let Some(waiting) = self.waiting.get_mut(&slot) {
                waiting.remove(&rank);
                if waiting.is_empty() {
                    self.waiting.remove(&slot);
                }
            }
            self.busy.insert(slot);
            taken.extend(self.known.remove(&rank.2));
        }
        taken
    }

    /// A slot has no job at work any more; it rests first, if that is given.
    pub(super) fn release(&mut self, slot: &str, rest: Option<Rest>) {
        self.busy.remove(slot);
        if let Some(rest) = rest {
            self.rests.insert(slot.to_owned(), rest);
            self.waking.push(Reverse((rest.until, slot.to_owned())));
        }
        self.show(slot);
    }

    /// Lets slots go on: what their rest was for may be over, or was reckoned by a clock that was wrong.
    /// A firm one goes on, but no longer from now than it was to last.
    pub(super) fn end_rests(&mut self, now: Timestamp) {
        self.waking.clear();
        for (slot, rest) in std::mem::take(&mut self.rests) {
            if let Some(span) = rest.firm {
                let until = rest.until.min(after(now, span));
                self.waking.push(Reverse((until, slot.clone())));
                self.rests.insert(slot, Rest { until, ..rest });
            } else {
                self.show(&slot);
            }
        }
    }

    /// The instant of the next change: a job becoming due, or a slot that has rested.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        let due = self.later.peek().map(|Reverse((at, _))| *at);
        let rested = self.waking.peek().map(|Reverse((at, _))| *at);
        match (due, rested) {
            (Some(due), Some(rested)) => Some(due.min(rested)),
            (one, other) => one.or(other),
        }
    }

    /// How many jobs are noted.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The first head among the pools that have room, which becomes less by it.
    fn pop_first(&mut self, left: &mut HashMap<String, usize>) -> Option<(Rank, String)> {
        let open = |name: &str| left.get(name).is_some_and(|left| *left > 0);
        let (name, heads) = self
            .heads
            .iter_mut()
            .filter(|(name, _)| open(name))
            .min_by(|(_, a), (_, b)| a.first().cmp(&b.first()))?;
        let first = heads.pop_first();
        let (name, empty) = (name.clone(), heads.is_empty());
        if empty {
            self.heads.remove(&name);
        }
        if let Some(left) = left.get_mut(&name) {
            *left -= 1;
        }
        let (rank, slot) = first?;
        self.shown.remove(&slot);
        Some((rank, slot))
    }

    /// The job that a slot would do next, if it may do any.
    fn head(&self, slot: &str) -> Option<&Rank> {
        if self.busy.contains(slot) {
            return None;
        }
        let first = self.waiting.get(slot)?.first()?;
        match self.rests.get(slot) {
            Some(rest) if rest.all || first.0 > FIRST => None,
            Some(_) | None => Some(first),
        }
    }

    /// Puts a slot's next job among the heads, in the place of the one that was there.
    fn show(&mut self, slot: &str) {
        let next = self.head(slot).cloned();
        if self.shown.get(slot) == next.as_ref() {
            return;
        }
        if let Some(old) = self.shown.remove(slot) {
            self.drop_head(&(old, slot.to_owned()));
        }
        if let Some(next) = next {
            self.put_head(next.clone(), slot.to_owned());
            self.shown.insert(slot.to_owned(), next);
        }
    }

    fn put_head(&mut self, rank: Rank, slot: String) {
        self.heads.entry(pool(&slot).to_owned()).or_default().insert((rank, slot));
    }

    fn drop_head(&mut self, head: &(Rank, String)) {
        let Some(heads) = self.heads.get_mut(pool(&head.1)) else { return };
        heads.remove(head);
        if heads.is_empty() {
            self.heads.remove(pool(&head.1));
        }
    }

    fn wake(&mut self, now: Timestamp) {
        while self.waking.peek().is_some_and(|Reverse((until, _))| *until <= now) {
            let Some(Reverse((_, slot))) = self.waking.pop() else { return };
            // It may have been sent to rest again meanwhile.
            if self.rests.get(&slot).is_some_and(|rest| rest.until <= now) {
                self.rests.remove(&slot);
                self.show(&slot);
            }
        }
    }

    fn ripen(&mut self, horizon: Timestamp) {
        while self.later.peek().is_some_and(|Reverse((at, _))| *at <= horizon) {
            let Some(Reverse((at, id))) = self.later.pop() else { return };
            // An entry that no longer agrees was replaced by a newer one.
            let Some(due) = self.known.get(&id).filter(|due| due.due_at == at) else { continue };
            let (rank, slot) = ((due.priority, due.due_at, id), due.slot.clone());
            self.waiting.entry(slot.clone()).or_default().insert(rank);
            self.show(&slot);
        }
    }

    fn forget(&mut self, id: &JobId) {
        let Some(old) = self.known.remove(id) else { return };
        let rank = (old.priority, old.due_at, old.id);
        let Some(waiting) = self.waiting.get_mut(&old.slot) else { return };
        waiting.remove(&rank);
        if waiting.is_empty() {
            self.waiting.remove(&old.slot);
        }
        self.show(&old.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn due(number: u128, slot: &str, priority: i64, second: i64) -> Due {
        let id = JobId::new(at(0), number);
        Due { id, slot: slot.to_owned(), priority, due_at: at(second) }
    }

    fn all(_: &str) -> usize {
        usize::MAX
    }

    fn order(taken: &[Due]) -> Vec<(String, i64)> {
        taken.iter().map(|due| (due.slot.clone(), due.due_at.as_second())).collect()
    }

    #[test]
    fn nothing_is_taken_before_its_horizon() {
        let mut agenda = Agenda::default();
        agenda.note(due(1, "a", 2, 10));
        assert!(agenda.take(at(9), at(9), 9, all).is_empty());
        assert_eq!(agenda.next_change(), Some(at(10)));
        assert_eq!(agenda.take(at(9), at(10), 9, all).len(), 1);
    }

    #[test]
    fn one_at_a_time_in_a_slot_and_the_urgent_first() {
        let mut agenda = Agenda::default();
        for job in [due(1, "a", 2, 1), due(2, "a", 2, 2), due(3, "a", 0, 3), due(4, "b", 2, 4)] {
            agenda.note(job);
        }
        let first = agenda.take(at(9), at(9), 9, all);
        assert_eq!(order(&first), [("a".to_owned(), 3), ("b".to_owned(), 4)]);
        assert!(agenda.take(at(9), at(9), 9, all).is_empty());
        agenda.release("a", None);
        assert_eq!(order(&agenda.take(at(9), at(9), 9, all)), [("a".to_owned(), 1)]);
    }

    #[test]
    fn a_new_instant_replaces_the_old_one() {
        let mut agenda = Agenda::default();
        agenda.note(due(1, "a", 2, 5));
        agenda.note(due(1, "a", 2, 8));
        assert!(agenda.take(at(6), at(6), 9, all).is_empty());
        assert_eq!(order(&agenda.take(at(8), at(8), 9, all)), [("a".to_owned(), 8)]);
        // … also when it had become due already.
        agenda.release("a", None);
        agenda.note(due(2, "a", 2, 1));
        agenda.note(due(3, "a", 2, 2));
        assert!(agenda.take(at(8), at(8), 0, all).is_empty());
        agenda.note(due(2, "a", 2, 20));
        assert_eq!(order(&agenda.take(at(9), at(9), 9, all)), [("a".to_owned(), 2)]);
    }

    #[test]
    fn a_resting_slot_is_free_when_it_has_rested() {
        let mut agenda = Agenda::default();
        agenda.note(due(1, "a", 2, 1));
        agenda.note(due(2, "a", 2, 1));
        assert_eq!(agenda.take(at(1), at(1), 1, all).len(), 1);
        agenda.release("a", Some(Rest { until: at(30), all: false, firm: None }));
        assert!(agenda.take(at(29), at(29), 9, all).is_empty());
        assert_eq!(agenda.next_change(), Some(at(30)));
        assert_eq!(agenda.take(at(30), at(30), 9, all).len(), 1);
        assert_eq!(agenda.len(), 0);
    }

    #[test]
    fn what_is_urgent_does_not_wait_behind_what_rests() {
        let mut agenda = Agenda::default();
        agenda.note(due(1, "a", 2, 1));
        assert_eq!(agenda.take(at(1), at(1), 9, all).len(), 1);
        agenda.note(due(2, "a", 2, 1));
        agenda.release("a", Some(Rest { until: at(30), all: false, firm: None }));
        agenda.note(due(3, "a", 0, 5));
        assert_eq!(order(&agenda.take(at(5), at(5), 9, all)), [("a".to_owned(), 5)]);
        // The rest ends while the urgent one is at work, or goes on after it.
        assert!(agenda.take(at(29), at(29), 9, all).is_empty());
        agenda.release("a", None);
        assert!(agenda.take(at(29), at(29), 9, all).is_empty());
        assert_eq!(order(&agenda.take(at(30), at(30), 9, all)), [("a".to_owned(), 1)]);
        // A pause for all is one for what is urgent too, and the last word about a pause counts.
        agenda.note(due(4, "a", 0, 31));
        agenda.release("a", Some(Rest { until: at(40), all: true, firm: None }));
        agenda.release("a", Some(Rest { until: at(50), all: true, firm: None }));
        assert!(agenda.take(at(49), at(49), 9, all).is_empty());
        assert_eq!(agenda.take(at(50), at(50), 9, all).len(), 1);
    }

    #[test]
    fn only_what_waits_for_others_goes_on_when_something_has_changed() {
        let mut agenda = Agenda::default();
        let minute = Duration::from_mins(1);
        for (number, slot) in (1_u128..).zip(["spaced", "panicked"]) {
            agenda.note(due(number, slot, 2, 1));
        }
        assert_eq!(agenda.take(at(1), at(1), 9, all).len(), 2);
        agenda.note(due(3, "spaced", 2, 1));
        agenda.note(due(4, "panicked", 0, 1));
        agenda.release("spaced", Some(Rest { until: at(61), all: false, firm: None }));
        agenda.release("panicked", Some(Rest { until: at(61), all: true, firm: Some(minute) }));
        agenda.end_rests(at(2));
        assert_eq!(order(&agenda.take(at(2), at(2), 9, all)), [("spaced".to_owned(), 1)]);
        agenda.end_rests(at(60));
        assert!(agenda.take(at(60), at(60), 9, all).is_empty());
        assert_eq!(agenda.next_change(), Some(at(61)));
        assert_eq!(agenda.take(at(61), at(61), 9, all).len(), 1);
        // By a clock that was an hour ahead it would be an hour too long.
        agenda.note(due(5, "panicked", 2, 1));
        agenda.release("panicked", Some(Rest { until: at(3_721), all: true, firm: Some(minute) }));
        agenda.end_rests(at(70));
        assert!(agenda.take(at(129), at(129), 9, all).is_empty());
        assert_eq!(agenda.next_change(), Some(at(130)));
        assert_eq!(agenda.take(at(130), at(130), 9, all).len(), 1);
    }

    #[test]
    fn a_pool_without_room_is_passed_over_and_keeps_its_order() {
        let mut agenda = Agenda::default();
        for (number, slot) in (1_u128..).zip(["f/a", "f/b", "f/c", "x/a", "x/b"]) {
            agenda.note(due(number, slot, 2, i64::try_from(number).unwrap()));
        }
        let room = |pool: &str| if pool == "f" { 1 } else { 9 };
        let first = agenda.take(at(9), at(9), 9, room);
        let expected = [("f/a".to_owned(), 1), ("x/a".to_owned(), 4), ("x/b".to_owned(), 5)];
        assert_eq!(order(&first), expected);
        assert!(agenda.take(at(9), at(9), 9, |pool| if pool == "f" { 0 } else { 9 }).is_empty());
        let rest = agenda.take(at(9), at(9), 9, all);
        assert_eq!(order(&rest), [("f/b".to_owned(), 2), ("f/c".to_owned(), 3)]);
    }
}
