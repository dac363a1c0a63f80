//! Rules about when accounts may not speak: days of mourning, silence before an election, too much at once, quiet hours,
//! weekends. Pure: whether a rule catches a delivery follows from the two and what else goes out near it.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::class::Class;
use super::fault::Fault;
use super::id::{AccountId, DeliveryId, PersonId, RuleId, UnitId};
use super::unit::UnitName;
use super::weekend::{self, DayOfWeek};
use super::{locale, words};

/// The longest name, in characters.
const LONGEST_NAME: usize = 200;
/// The longest mourning or silence, in days.
const LONGEST_DAYS: i32 = 366;
/// The least and the most minutes between two deliveries that a rule may want.
const MINUTES: std::ops::RangeInclusive<u32> = 2..=1_440;
/// The most names in one of its lists.
const MOST_NAMES: usize = 200;
/// No two clocks on Earth differ by more than this, in hours.
const ANY_ZONE_HOURS: i64 = 27;

words! {
    /// What a rule does to a delivery that it catches.
    Effect {
        /// It is told of, and goes out.
        Warn = "warn",
        /// It is not scheduled.
        Block = "block",
    }
}

/// What a rule is about. Days and times are those of the account's zone, wherever the unit is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RuleKind {
    /// Days of mourning.
    Mourning {
        /// The first.
        from: Date,
        /// The last; the first when there is one day.
        to: Date,
    },
    /// Silence before an election.
    ElectionSilence {
        /// Its beginning.
        #[schema(value_type = String, example = "2027-04-23T00:00:00")]
        from: DateTime,
        /// Its end, when one may speak again.
        #[schema(value_type = String, example = "2027-04-25T20:00:00")]
        to: DateTime,
        /// ISO 3166 code: only accounts of units that work in this country. All that the rule covers when not said.
        #[serde(default)]
        country: Option<String>,
    },
    /// Two deliveries of one account with less time between them.
    Spacing {
        /// So many minutes.
        #[schema(minimum = 2, maximum = 1440)]
        minutes: u32,
    },
    /// Hours of each day; they may cross midnight.
    QuietHours {
        /// When they begin.
        #[schema(value_type = String, example = "22:00")]
        from: Time,
        /// When they end.
        #[schema(value_type = String, example = "07:00")]
        to: Time,
    },
    /// Days of each week.
    Weekend {
        /// Which; empty for those of the country in which the account's unit works.
        #[serde(default)]
        days: Vec<DayOfWeek>,
    },
}

impl RuleKind {
    /// The fixed word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Mourning { .. } => "mourning",
            Self::ElectionSilence { .. } => "election_silence",
            Self::Spacing { .. } => "spacing",
            Self::QuietHours { .. } => "quiet_hours",
            Self::Weekend { .. } => "weekend",
        }
    }
}

/// A rule. It covers the accounts of its unit and of all units below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
// What a kit lets a unit do is a rule in the document already.
#[schema(as = SpeakingRule)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Whose it is.
    pub unit_id: UnitId,
    /// What it is called.
    pub name: UnitName,
    /// What it is about.
    pub kind: RuleKind,
    /// What it does to what it catches.
    pub effect: Effect,
    /// Only on these platforms; empty for all.
    pub platforms: Vec<String>,
    /// Only these accounts; empty for all.
    pub account_ids: Vec<AccountId>,
    /// Only these classes; empty for all.
    pub classes: Vec<Class>,
    /// Not these classes.
    pub except_classes: Vec<Class>,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// Who made it.
    pub created_by: PersonId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A delivery, as far as rules ask about it.
#[derive(Debug, Clone, Copy)]
pub struct Going<'a> {
    /// Where it goes.
    pub account_id: &'a AccountId,
    /// The platform's id.
    pub platform: &'a str,
    /// How urgent it is.
    pub class: Class,
    /// Its instant.
    pub due_at: Timestamp,
    /// The account's zone.
    pub zone: &'a TimeZone,
    /// Where the account's unit works.
    pub country: Option<&'a str>,
    /// Other deliveries of the same account; further ones do no harm.
    pub neighbours: &'a [Neighbour],
}

/// Another delivery of the same account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Which.
    pub id: DeliveryId,
    /// How urgent it is.
    pub class: Class,
    /// Its instant.
    pub due_at: Timestamp,
}

/// What a rule has against a delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caught {
    /// The first instant after it against which this rule has nothing; none for a spacing, which depends on the others.
    pub free_at: Option<Timestamp>,
    /// The deliveries that it would be too near to.
    pub near: Vec<DeliveryId>,
}

impl Rule {
    /// The rule in its one form.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.platforms.sort_unstable();
        self.platforms.dedup();
        self.account_ids.sort_unstable();
        self.account_ids.dedup();
        self.classes.sort_unstable();
        self.classes.dedup();
        self.except_classes.sort_unstable();
        self.except_classes.dedup();
        if let RuleKind::Weekend { days } = &mut self.kind {
            days.sort_unstable();
            days.dedup();
        }
        self
    }

    /// Everything that is wrong with it by itself.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        locale::check_line("/name/vi", &self.name.vi, LONGEST_NAME, &mut faults);
        locale::check_line("/name/en", &self.name.en, LONGEST_NAME, &mut faults);
        for (pointer, count) in
            [("/platforms", self.platforms.len()), ("/account_ids", self.account_ids.len())]
        {
            if count > MOST_NAMES {
                let detail = format!("at most {MOST_NAMES}; leave it empty for all");
                faults.push(Fault::new(pointer, "rule_names_many", detail).with("max", MOST_NAMES));
            }
        }
        if !Class::ALL.iter().any(|class| self.has_class(*class)) {
            let detail = "its classes without except_classes are none, so it would catch nothing";
            faults.push(Fault::new("/except_classes", "rule_covers_nothing", detail));
        }
        self.kind.check(&mut faults);
        faults
    }

    /// Whether it asks about this class.
    pub fn has_class(&self, class: Class) -> bool {
        (self.classes.is_empty() || self.classes.contains(&class))
            && !self.except_classes.contains(&class)
    }

    /// Whether it asks about anything of this account at all, as far as the rule itself says.
    pub fn covers(&self, account: &AccountId, platform: &str) -> bool {
        (self.platforms.is_empty() || self.platforms.iter().any(|it| it == platform))
            && (self.account_ids.is_empty() || self.account_ids.contains(account))
    }

    /// What it has against a delivery; nothing when it lets that pass.
    pub fn catches(&self, going: &Going<'_>) -> Option<Caught> {
        if !self.covers(going.account_id, going.platform) || !self.has_class(going.class) {
            return None;
        }
        let wall = going.zone.to_datetime(going.due_at);
        let until = match &self.kind {
            RuleKind::Spacing { minutes } => return self.crowded(going, *minutes),
            RuleKind::Mourning { from, to } if (*from..=*to).contains(&wall.date()) => {
                begins(to.checked_add(1.day()).ok()?, going.zone)
            }
            RuleKind::ElectionSilence { from, to, country }
                if (*from..*to).contains(&wall)
                    && country.as_deref().is_none_or(|it| going.country == Some(it)) =>
            {
                shown_last(*to, going.zone)
            }
            RuleKind::QuietHours { from, to } if is_quiet(wall.time(), *from, *to) => {
                let next = wall.time() >= *to;
                let day = if next { wall.date().tomorrow().ok()? } else { wall.date() };
                shown_last(day.to_datetime(*to), going.zone)
            }
            RuleKind::Weekend { days } => {
                let days = if days.is_empty() { weekend::of(going.country) } else { days };
                let rests = |day: Date| days.contains(&DayOfWeek::from(day.weekday()));
                if !rests(wall.date()) {
                    return None;
                }
                let mut ahead = wall.date().series(1.day()).take(8);
                begins(ahead.find(|day| !rests(*day))?, going.zone)
            }
            RuleKind::Mourning { .. }
            | RuleKind::ElectionSilence { .. }
            | RuleKind::QuietHours { .. } => return None,
        };
        Some(Caught { free_at: until, near: Vec::new() })
    }

    /// A spacing is between two that the rule covers both, so that it does not matter which was scheduled first.
    fn crowded(&self, going: &Going<'_>, minutes: u32) -> Option<Caught> {
        let apart_ms = i64::from(minutes) * 60_000;
        let distance_ms =
            |it: &Neighbour| (it.due_at.as_millisecond() - going.due_at.as_millisecond()).abs();
        let others = going.neighbours.iter().filter(|it| self.has_class(it.class));
        let near: Vec<DeliveryId> =
            others.filter(|it| distance_ms(it) < apart_ms).map(|it| it.id.clone()).collect();
        (!near.is_empty()).then_some(Caught { free_at: None, near })
    }

    /// Between which instants it can catch anything, whatever the zone; nothing for what comes again and again.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let (from, to) = match &self.kind {
            RuleKind::Mourning { from, to } => {
                (from.to_datetime(Time::midnight()), to.checked_add(1.day()).ok()?.into())
            }
            RuleKind::ElectionSilence { from, to, .. } => (*from, *to),
            RuleKind::Spacing { .. } | RuleKind::QuietHours { .. } | RuleKind::Weekend { .. } => {
                return None;
            }
        };
        let utc = |wall: DateTime| wall.to_zoned(TimeZone::UTC).map(|it| it.timestamp()).ok();
        let early = utc(from)?.checked_sub(ANY_ZONE_HOURS.hours()).unwrap_or(Timestamp::MIN);
        let late = utc(to)?.checked_add(ANY_ZONE_HOURS.hours()).unwrap_or(Timestamp::MAX);
        Some((early, late))
    }
}

impl RuleKind {
    fn check(&self, faults: &mut Vec<Fault>) {
        let ends_first =
            |pointer| Fault::new(pointer, "rule_ends_first", "it cannot end before it begins");
        let too_long = |pointer| {
            let detail = format!("at most {LONGEST_DAYS} days; make several rules");
            Fault::new(pointer, "rule_too_long", detail).with("max", LONGEST_DAYS)
        };
        let days = |from: Date, to: Date| to.since(from).map_or(i32::MAX, |it| it.get_days());
        match self {
            Self::Mourning { from, to } => {
                locale::check_date("/kind/mourning/from", *from, faults);
                locale::check_date("/kind/mourning/to", *to, faults);
                if to < from {
                    faults.push(ends_first("/kind/mourning/to"));
                } else if days(*from, *to) >= LONGEST_DAYS {
                    faults.push(too_long("/kind/mourning/to"));
                }
            }
            Self::ElectionSilence { from, to, country } => {
                locale::check_date("/kind/election_silence/from", from.date(), faults);
                locale::check_date("/kind/election_silence/to", to.date(), faults);
                if to <= from {
                    faults.push(ends_first("/kind/election_silence/to"));
                } else if days(from.date(), to.date()) >= LONGEST_DAYS {
                    faults.push(too_long("/kind/election_silence/to"));
                }
                if let Some(country) = country {
                    locale::check_country("/kind/election_silence/country", country, faults);
                }
            }
            Self::Spacing { minutes } => {
                if !MINUTES.contains(minutes) {
                    let (min, max) = (MINUTES.start(), MINUTES.end());
                    let detail = format!("from {min} to {max} minutes");
                    let fault = Fault::new("/kind/spacing/minutes", "rule_minutes", detail);
                    faults.push(fault.with("min", min).with("max", max));
                }
            }
            Self::QuietHours { from, to } => {
                if from == to {
                    let detail = "they begin when they end: say two times, such as 22:00 and 07:00";
                    faults.push(Fault::new("/kind/quiet_hours/to", "quiet_all_day", detail));
                }
            }
            Self::Weekend { days } => {
                if days.len() >= DayOfWeek::ALL.len() {
                    let detail = "at most six days: of a whole week nothing would be left";
                    faults.push(Fault::new("/kind/weekend/days", "weekend_all_week", detail));
                }
            }
        }
    }
}

/// Whether a wall shows a quiet hour. What a wall shows twice is quiet twice, what it skips is never shown.
fn is_quiet(at: Time, from: Time, to: Time) -> bool {
    if from < to { (from..to).contains(&at) } else { at >= from || at < to }
}

/// The first instant of a day somewhere; it need not be midnight.
fn begins(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let midnight = day.to_datetime(Time::midnight());
    zone.to_ambiguous_zoned(midnight).compatible().ok().map(|it| it.timestamp())
}

/// When a wall shows this for the last time; where it skips that, the instant as far behind the jump.
fn shown_last(wall: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_zoned(wall).later().ok().map(|it| it.timestamp())
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
