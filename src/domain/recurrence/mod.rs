//! A rule by which something comes again: a cron expression of five fields on the wall of a zone.
//!
//! The `cron` crate is asked on wall-clock time as if it were UTC, where no day is skipped and no hour comes twice; what it
//! says is placed in the zone. Asked in the zone itself it leaves out a time that the clocks skip, and gives one
//! that they repeat twice. Here what is skipped comes as much later as the clocks jump, and what is repeated comes the
//! first time.

mod fields;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;

use chrono::Utc;
use cron::{OwnedScheduleIterator, Schedule, TimeUnitSpec as _};
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::fault::Fault;
use super::words;

/// How far ahead dates are looked for, in days: as far as anything may be scheduled.
const FAR_DAYS: i64 = 3_653;
/// No clocks jump by more: Samoa left out a day in 2011.
const LONGEST_JUMP: SignedDuration = SignedDuration::from_hours(24);

words! {
    /// What the clocks of a zone do at a time of the wall.
    Jump {
        /// They skip it: it comes as much later as they jump.
        Skipped = "skipped",
        /// They show it twice: it comes the first time.
        Repeated = "repeated",
    }
}

/// A cron expression that was understood.
#[derive(Debug, Clone)]
pub struct Timetable {
    schedule: Schedule,
}

impl Timetable {
    /// Reads minute, hour, day of the month, month and weekday.
    pub fn parse(pointer: &str, text: &str) -> Result<Self, Fault> {
        let expression = fields::normal(pointer, text)?;
        let unreadable = |_error| fields::unreadable(pointer, text);
        let schedule = Schedule::from_str(&expression).map_err(unreadable)?;
        if schedule.minutes().count() > 1 {
            // Each minute that is named falls into the same hours as the others.
            let detail = "it would publish more often than once an hour, which platforms take for spam: \
                          name one minute, such as 0 in \"0 9 * * *\"";
            return Err(Fault::new(pointer, "cron_too_often", detail));
        }
        Ok(Self { schedule })
    }
}

/// When something comes again.
#[derive(Debug, Clone)]
pub struct Rule {
    /// At which times of the wall.
    pub timetable: Timetable,
    /// From this day on.
    pub from: Option<Date>,
    /// To this day.
    pub until: Option<Date>,
    /// But not on these days.
    pub except: BTreeSet<Date>,
}

/// One time at which it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// What the rule says: the time of the wall.
    pub wall: DateTime,
    /// The instant.
    pub at: Timestamp,
    /// What the clocks do then, if they do anything.
    pub jump: Option<Jump>,
}

impl Rule {
    /// Every time after an instant, in order, none twice; for ten years.
    pub fn after(
        &self,
        after: Timestamp,
        zone: &TimeZone,
    ) -> impl Iterator<Item = Occurrence> + use<'_> {
        let now = zone.to_datetime(after);
        // Where the clocks jump, a time of the wall that is over comes later.
        let start = now.checked_sub(LONGEST_JUMP).unwrap_or(DateTime::MIN);
        let first = self.from.and_then(|day| day.at(0, 0, 0, 0).checked_sub(1.second()).ok());
        let start = first.map_or(start, |first| first.max(start));
        let far = SignedDuration::from_hours(24 * FAR_DAYS);
        Occurrences {
            rule: self,
            zone: zone.clone(),
            after,
            walls: as_utc(start).map(|start| self.timetable.schedule.after_owned(start)),
            last: now.checked_add(far).unwrap_or(DateTime::MAX),
            newest: start,
            waiting: BTreeMap::new(),
        }
    }

    fn covers(&self, day: Date) -> bool {
        self.from.is_none_or(|from| day >= from) && !self.except.contains(&day)
    }
}

/// The times of a rule.
struct Occurrences<'a> {
    rule: &'a Rule,
    zone: TimeZone,
    after: Timestamp,
    /// Nothing when there are no more.
    walls: Option<OwnedScheduleIterator<Utc>>,
    last: DateTime,
    newest: DateTime,
    /// What may still have something before it: what is skipped comes after what follows it on the wall.
    waiting: BTreeMap<Timestamp, Occurrence>,
}

impl Occurrences<'_> {
    /// The next time of the wall that the rule names.
    fn pull(&mut self) -> Option<DateTime> {
        let next = self.walls.as_mut()?.next()?;
        let wall = Timestamp::from_second(next.timestamp()).ok()?;
        let wall = TimeZone::UTC.to_datetime(wall);
        let over = wall > self.last || self.rule.until.is_some_and(|until| wall.date() > until);
        (!over).then_some(wall)
    }

    fn place(&mut self, wall: DateTime) {
        let found = self.zone.to_ambiguous_timestamp(wall);
        let jump = match found.offset() {
            AmbiguousOffset::Unambiguous { .. } => None,
            AmbiguousOffset::Gap { .. } => Some(Jump::Skipped),
            AmbiguousOffset::Fold { .. } => Some(Jump::Repeated),
        };
        // In a gap the later, in a fold the first.
        let Ok(at) = found.compatible() else { return };
        if at <= self.after {
            return;
        }
        let one = Occurrence { wall, at, jump };
        let known = self.waiting.entry(at).or_insert(one);
        if jump != Some(Jump::Skipped) {
            // What was skipped falls on a time that the rule names itself.
            *known = one;
        }
    }
}

impl Iterator for Occurrences<'_> {
    type Item = Occurrence;

    fn next(&mut self) -> Option<Occurrence> {
        loop {
            if let Some((_, first)) = self.waiting.first_key_value()
                && (self.walls.is_none() || self.newest.duration_since(first.wall) > LONGEST_JUMP)
            {
                return self.waiting.pop_first().map(|(_, first)| first);
            }
            self.walls.as_ref()?;
            match self.pull() {
                None => self.walls = None,
                Some(wall) => {
                    self.newest = wall;
                    if self.rule.covers(wall.date()) {
                        self.place(wall);
                    }
                }
            }
        }
    }
}

/// A time of the wall as if it were UTC.
fn as_utc(wall: DateTime) -> Option<chrono::DateTime<Utc>> {
    let at = TimeZone::UTC.to_timestamp(wall).ok()?;
    chrono::DateTime::from_timestamp(at.as_second(), 0)
}

#[cfg(test)]
mod tests;
