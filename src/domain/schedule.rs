//! When a delivery is due: an instant, or a wall-clock time in a zone that names exactly one.
//!
//! A wall-clock time that the zone skips (gap) or has twice (fold) is never shifted quietly: it is
//! refused and the two neighbouring instants are offered.

use std::fmt;
use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::class::Class;
use Refused as R;

/// How far ahead something may be scheduled, in days: ten years.
const HORIZON_DAYS: i64 = 3_653;
/// Names no instant that anybody can mean: older than this is called absurd, not late.
const MEMORY_DAYS: i64 = 1;

/// When something is to go out, as somebody said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// As soon as possible.
    Now,
    /// At an instant.
    At(Timestamp),
    /// When the clock on the wall shows a time.
    Local(LocalTime),
}

/// A time on a wall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalTime {
    /// The day.
    pub date: Date,
    /// The time of day.
    pub time: Time,
    /// Where the wall is.
    pub zone: Wall,
}

/// Where a wall is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wall {
    /// In the zone of the account.
    Account,
    /// In a zone of the IANA list.
    Zone(String),
}

/// The wall-clock time that was asked for, kept beside the instant that it meant, so that a change
/// of the zone's law can be noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Civil {
    /// `2026-09-02`.
    pub date: String,
    /// `09:00:00`.
    pub time: String,
    /// IANA name of the zone.
    pub zone: String,
    /// The offset from UTC that the zone had when this was resolved.
    pub offset: String,
    /// The version of the zone's data by which it was resolved: a hash of its jumps for a year before
    /// and after, so that it says the same whichever release of the time-zone data it came from.
    #[serde(default)]
    pub rules: String,
}

/// The law of a zone has changed: a wall-clock time does not mean the instant any more that it meant
/// when a delivery was scheduled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneChange {
    /// The instant that it means now; both when it comes twice, the neighbours when it is skipped, and
    /// nothing when there is no such zone any more.
    pub means: Vec<Timestamp>,
    /// The version of the zone's data that says so.
    pub rules: String,
    /// When it was noticed.
    pub found_at: Timestamp,
}

impl Civil {
    /// What has changed since an instant was resolved from this, by the zones of `zones`; nothing when
    /// it still means that instant.
    pub fn change(
        &self,
        due_at: Timestamp,
        zones: &TimeZoneDatabase,
        now: Timestamp,
    ) -> Option<ZoneChange> {
        let zone = zone_of(zones, &self.zone).ok();
        let rules = zone.as_ref().map(|zone| rules(zone, due_at)).unwrap_or_default();
        let wall = date(&self.date).zip(time(&self.time));
        let means = match zone.zip(wall) {
            None => Vec::new(),
            Some((zone, (date, time))) => match instant(&zone, DateTime::from_parts(date, time)) {
                Ok((at, _)) => vec![at],
                Err(refused) => refused.offers().iter().map(|offer| offer.at).collect(),
            },
        };
        (means != [due_at]).then_some(ZoneChange { means, rules, found_at: now })
    }
}

/// One instant, and what the wall shows then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The instant.
    pub at: Timestamp,
    /// The same with the offset of the zone.
    pub local: String,
}

/// An instant that was found to be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The instant; the delivery never goes out before it.
    pub due_at: Timestamp,
    /// What was asked for, when it was a time on a wall.
    pub civil: Option<Civil>,
}

/// Why a time cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The zone skips this time.
    Gap {
        /// The zone.
        zone: String,
        /// As far before the gap as the time is inside it, and as far after.
        offers: [Neighbour; 2],
    },
    /// The zone has this time twice.
    Fold {
        /// The zone.
        zone: String,
        /// Both instants, the earlier first.
        offers: [Neighbour; 2],
    },
    /// There is no such zone.
    UnknownZone(String),
    /// It has passed; only `now` sends at once.
    Past {
        /// What was asked for.
        at: Timestamp,
    },
    /// Years away from anything that can be meant.
    Absurd,
    /// The latest useful time is not after the due time.
    PublishByNotAfterDue,
}

impl Refused {
    /// Stable machine word.
    pub const fn code(&self) -> &'static str {
        match self {
            R::Gap { .. } => "time_skipped",
            R::Fold { .. } => "time_ambiguous",
            R::UnknownZone(_) => "unknown_time_zone",
            R::Past { .. } => "in_the_past",
            R::Absurd => "absurd_date",
            R::PublishByNotAfterDue => "publish_by_not_after_due",
        }
    }

    /// What could be meant instead.
    pub fn offers(&self) -> &[Neighbour] {
        match self {
            R::Gap { offers, .. } | R::Fold { offers, .. } => offers,
            R::UnknownZone(_) | R::Past { .. } | R::Absurd | R::PublishByNotAfterDue => &[],
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            R::Gap { zone, offers: [before, after] } => write!(
                f,
                "the clocks of {zone} skip this time; choose {} ({}) or {} ({})",
                before.local, before.at, after.local, after.at
            ),
            R::Fold { zone, offers: [first, second] } => write!(
                f,
                "the clocks of {zone} show this time twice; choose {} ({}) or {} ({})",
                first.local, first.at, second.local, second.at
            ),
            R::UnknownZone(zone) => {
                write!(f, "{zone:?} is not a zone of the IANA list such as Asia/Ho_Chi_Minh")
            }
            R::Past { at } => write!(f, "{at} has passed; say now: true to send at once"),
            R::Absurd => f.write_str("must lie within the next ten years"),
            R::PublishByNotAfterDue => f.write_str("must be after the due time"),
        }
    }
}

/// The zone with this IANA name, in the spelling of the list.
pub fn zone(name: &str) -> Result<TimeZone, Refused> {
    zone_of(jiff::tz::db(), name)
}

fn zone_of(zones: &TimeZoneDatabase, name: &str) -> Result<TimeZone, Refused> {
    let unknown = || R::UnknownZone(name.chars().take(64).collect());
    // A zone of the list is `Area/Place`; `right/…` counts leap seconds and `posix/…` is a double.
    let named = name == "UTC" || (name.contains('/') && name.len() <= 64);
    let lower = name.to_ascii_lowercase();
    if !named || lower.starts_with("right/") || lower.starts_with("posix/") {
        return Err(unknown());
    }
    zones.get(name).ok().filter(|zone| zone.iana_name().is_some()).ok_or_else(unknown)
}

/// Reads a day in the one form `2026-09-02`.
pub fn date(text: &str) -> Option<Date> {
    let shape = text.len() == 10 && digits_and(text, b'-', &[4, 7]);
    if shape { text.parse().ok() } else { None }
}

/// Reads a time of day in the forms `09:00` and `09:00:30`.
pub fn time(text: &str) -> Option<Time> {
    let shape = match text.len() {
        5 => digits_and(text, b':', &[2]),
        8 => digits_and(text, b':', &[2, 5]) && !text.ends_with("60"),
        _ => false,
    };
    // 24:00 belongs to the next day and is not a time of this one.
    if shape && !text.starts_with("24") { text.parse().ok() } else { None }
}

fn digits_and(text: &str, sign: u8, places: &[usize]) -> bool {
    text.bytes().enumerate().all(|(place, byte)| {
        if places.contains(&place) { byte == sign } else { byte.is_ascii_digit() }
    })
}

/// The instant that is meant, for an account in `account_zone`.
pub fn resolve(when: &When, account_zone: &str, now: Timestamp) -> Result<Resolved, Refused> {
    let resolved = match when {
        When::Now => return Ok(Resolved { due_at: now, civil: None }),
        When::At(at) => Resolved { due_at: up_to_millis(*at)?, civil: None },
        When::Local(local) => on_wall(local, account_zone)?,
    };
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let away = resolved.due_at.duration_since(now);
    if away > days(HORIZON_DAYS) || away < -days(MEMORY_DAYS) {
        return Err(R::Absurd);
    }
    if resolved.due_at < now {
        return Err(R::Past { at: resolved.due_at });
    }
    Ok(resolved)
}

/// The instant at which the wall of a zone shows this.
pub fn on_wall_of(zone_name: &str, wall: DateTime) -> Result<Timestamp, Refused> {
    instant(&zone(zone_name)?, wall).map(|(at, _)| at)
}

/// The databases keep milliseconds; rounding down would be early.
fn up_to_millis(at: Timestamp) -> Result<Timestamp, Refused> {
    let millis = at.as_millisecond();
    let whole = Timestamp::from_millisecond(millis).map_err(|_range| R::Absurd)?;
    if whole >= at {
        return Ok(whole);
    }
    Timestamp::from_millisecond(millis + 1).map_err(|_range| R::Absurd)
}

fn on_wall(local: &LocalTime, account_zone: &str) -> Result<Resolved, Refused> {
    let zone = zone(match &local.zone {
        Wall::Account => account_zone,
        Wall::Zone(name) => name,
    })?;
    let (due_at, offset) = instant(&zone, DateTime::from_parts(local.date, local.time))?;
    let civil = Civil {
        date: local.date.to_string(),
        time: local.time.to_string(),
        zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        offset: offset_text(offset),
        rules: rules(&zone, due_at),
    };
    Ok(Resolved { due_at, civil: Some(civil) })
}

/// The one instant at which the wall of a zone shows this, with its offset.
fn instant(zone: &TimeZone, wall: DateTime) -> Result<(Timestamp, Offset), Refused> {
    let name = zone.iana_name().unwrap_or("UTC").to_owned();
    let ambiguous = zone.to_ambiguous_timestamp(wall);
    let offset = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Gap { .. } | AmbiguousOffset::Fold { .. } => {
            let is_gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
            let earlier = ambiguous.earlier().map_err(|_range| R::Absurd)?;
            let later = ambiguous.later().map_err(|_range| R::Absurd)?;
            let offers = [earlier, later].map(|at| neighbour(at, zone));
            return Err(if is_gap {
                R::Gap { zone: name, offers }
            } else {
                R::Fold { zone: name, offers }
            });
        }
    };
    Ok((ambiguous.unambiguous().map_err(|_range| R::Absurd)?, offset))
}

/// Names how a zone jumps for a year before and after an instant.
fn rules(zone: &TimeZone, around: Timestamp) -> String {
    let year = SignedDuration::from_hours(24 * 366);
    let from = around.checked_sub(year).unwrap_or(Timestamp::MIN);
    let to = around.checked_add(year).unwrap_or(Timestamp::MAX);
    let mut hash = Sha256::new();
    hash.update(zone.to_offset(from).seconds().to_be_bytes());
    for jump in zone.following(from).take_while(|jump| jump.timestamp() <= to) {
        hash.update(jump.timestamp().as_second().to_be_bytes());
        hash.update(jump.offset().seconds().to_be_bytes());
    }
    let mut name = hex::encode(hash.finalize());
    name.truncate(12);
    name
}

fn neighbour(at: Timestamp, zone: &TimeZone) -> Neighbour {
    Neighbour { at, local: local(at, zone) }
}

/// What the wall shows at an instant, with the offset: `2026-09-02T09:00:00+07:00`.
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    let offset = zone.to_offset(at);
    format!("{}{}", offset.to_datetime(at), offset_text(offset))
}

/// What the wall in the zone with this name shows; in UTC when the name is no zone any more.
pub fn local_in(at: Timestamp, zone_name: &str) -> String {
    local(at, &zone(zone_name).unwrap_or(TimeZone::UTC))
}

fn offset_text(offset: Offset) -> String {
    let minutes = offset.seconds().div_euclid(60);
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// How late each class may still go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// For [`Class::Statement`].
    pub statement: Duration,
    /// For [`Class::Urgent`].
    pub urgent: Duration,
    /// For [`Class::Routine`].
    pub routine: Duration,
    /// For [`Class::Evergreen`].
    pub evergreen: Duration,
}

impl Grace {
    /// How late this class may still go out.
    pub const fn of(&self, class: Class) -> Duration {
        match class {
            Class::Statement => self.statement,
            Class::Urgent => self.urgent,
            Class::Routine => self.routine,
            Class::Evergreen => self.evergreen,
        }
    }
}

/// The latest useful time: the one that was asked for, or the class's own.
pub fn publish_by(
    due_at: Timestamp,
    asked: Option<Timestamp>,
    grace: Duration,
) -> Result<Timestamp, Refused> {
    let Some(asked) = asked else {
        let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
        return Ok(due_at.checked_add(grace).unwrap_or(Timestamp::MAX));
    };
    let asked = Timestamp::from_millisecond(asked.as_millisecond()).map_err(|_range| R::Absurd)?;
    let span = asked.duration_since(due_at);
    if span <= SignedDuration::ZERO {
        return Err(R::PublishByNotAfterDue);
    }
    if span > SignedDuration::from_hours(24 * HORIZON_DAYS) {
        return Err(R::Absurd);
    }
    Ok(asked)
}

#[cfg(test)]
#[path = "schedule/tests.rs"]
mod tests;
