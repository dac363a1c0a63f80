//! Days that come again each year, by the sun or by the moon: when they fall, and how many years it is then.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::event::{Event, EventKind, Visibility, When};
use super::fault::Fault;
use super::id::{EventId, UnitId};
use super::unit::UnitName;
use super::{lunar, words};

/// The most days that come again together.
const MOST_DAYS: i16 = 31;
/// The last year that makes sense.
const LAST_YEAR: i16 = 2199;
/// What stands in a title for the number of years.
pub(super) const GAP: &str = "{years}";

words! {
    /// The calendar by which a day of the year is said.
    Reckoning {
        /// Day and month as everywhere.
        Solar = "solar",
        /// Day and month of the Vietnamese lunar year.
        Lunar = "lunar",
    }
}

words! {
    /// How round a number of years is, in the words of Decree 111/2018/NĐ-CP.
    Mark {
        /// It ends with 0: năm tròn.
        Round = "round",
        /// It ends with 5: năm lẻ 5.
        Five = "five",
    }
}

impl Mark {
    /// How round this number is, if it is.
    pub const fn of(years: i16) -> Option<Self> {
        match years % 10 {
            0 if years > 0 => Some(Self::Round),
            5 => Some(Self::Five),
            _ => None,
        }
    }
}

/// A day that comes again each year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Yearly {
    /// By which calendar.
    pub by: Reckoning,
    /// Its month.
    #[schema(minimum = 1, maximum = 12)]
    pub month: i8,
    /// Its day; the month's last where it has not so many.
    #[schema(minimum = 1, maximum = 31)]
    pub day: i8,
    /// How many days it lasts; one when not said.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 31)]
    pub days: i8,
    /// The year in which it was for the first time; then its years are counted.
    #[serde(default)]
    pub since: Option<i16>,
}

const fn one() -> i8 {
    1
}

impl Yearly {
    /// Its first day in this year, by the calendar by which it is said; nothing before it began.
    pub fn on(&self, year: i16) -> Option<Date> {
        if self.since.is_some_and(|since| year < since) {
            return None;
        }
        match self.by {
            Reckoning::Lunar => lunar::on(year, self.month, self.day),
            Reckoning::Solar => {
                let first = Date::new(year, self.month, 1).ok()?;
                first.with().day(self.day.min(first.days_in_month())).build().ok()
            }
        }
    }

    /// How many years it is in this one.
    pub fn years(&self, year: i16) -> Option<i16> {
        self.since.map(|since| year - since).filter(|years| *years > 0)
    }

    /// Everything that is wrong with it.
    pub(super) fn check(&self, faults: &mut Vec<Fault>) {
        let last_day = match (self.by, self.month) {
            (Reckoning::Lunar, _) | (Reckoning::Solar, 4 | 6 | 9 | 11) => 30,
            (Reckoning::Solar, 2) => 29,
            (Reckoning::Solar, _) => 31,
        };
        let ranges = [
            ("month", i16::from(self.month), 12),
            ("day", i16::from(self.day), last_day),
            ("days", i16::from(self.days), MOST_DAYS),
            ("since", self.since.unwrap_or(1), LAST_YEAR),
        ];
        for (name, value, max) in ranges {
            if !(1..=max).contains(&value) {
                let pointer = format!("/when/yearly/{name}");
                let fault = Fault::new(pointer, "not_in_the_year", format!("from 1 to {max}"));
                faults.push(fault.with("max", max));
            }
        }
    }
}

/// An event as it stands in the calendar at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Tells it from all others.
    pub key: String,
    /// The event that was entered; none for a day that the calendar knows by itself.
    pub event_id: Option<EventId>,
    /// Whose it is.
    pub unit_id: UnitId,
    /// What it is called.
    pub title: UnitName,
    /// What kind it is.
    pub kind: EventKind,
    /// When it is: never yearly.
    pub when: When,
    /// The zone in which its days begin and end.
    pub time_zone: String,
    /// The country that it concerns.
    pub country: Option<String>,
    /// How much of it other units see.
    pub visibility: Visibility,
    /// What its own unit should know.
    pub note: Option<String>,
    /// How many years it is.
    pub years: Option<i16>,
    /// Counts changes of what was entered.
    pub version: i64,
    /// When that was last changed.
    pub updated_at: Timestamp,
}

impl From<Event> for Occurrence {
    fn from(event: Event) -> Self {
        Self {
            key: event.id.to_string(),
            event_id: Some(event.id),
            unit_id: event.unit_id,
            title: event.title,
            kind: event.kind,
            when: event.when,
            time_zone: event.time_zone,
            country: event.country,
            visibility: event.visibility,
            note: event.note,
            years: None,
            version: event.version,
            updated_at: event.updated_at,
        }
    }
}

impl Occurrence {
    /// Its beginning and its end.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        self.when.span(&self.time_zone)
    }

    /// What this is in each year in which it touches the time between two instants.
    pub fn each_year(&self, yearly: &Yearly, from: Timestamp, to: Timestamp) -> Vec<Self> {
        let year = |at: Timestamp| at.to_zoned(TimeZone::UTC).year();
        let years = (year(from) - 1)..=year(to).saturating_add(1);
        let within = |one: &Self| {
            let (begins, ends) = one.span();
            begins < to && ends > from
        };
        years.filter_map(|year| self.in_year(yearly, year)).filter(within).collect()
    }

    fn in_year(&self, yearly: &Yearly, year: i16) -> Option<Self> {
        let from = yearly.on(year)?;
        let to = from.checked_add(i32::from(yearly.days - 1).days()).ok()?;
        let years = yearly.years(year);
        let counts = self.title.vi.contains(GAP) || self.title.en.contains(GAP);
        if counts && years.is_none() {
            // In the year itself there is nothing to count yet.
            return None;
        }
        let said = |title: &str| title.replace(GAP, &years.unwrap_or(0).to_string());
        Some(Self {
            key: format!("{}/{year}", self.key),
            title: UnitName { vi: said(&self.title.vi), en: said(&self.title.en) },
            when: When::Days { from, to },
            years,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_the_year_is_clamped_counted_and_marked() {
        let yearly = |by, month, day, since| Yearly { by, month, day, days: 1, since };
        let leap = yearly(Reckoning::Solar, 2, 29, Some(1992));
        let found = [1991, 1992, 2026, 2032].map(|year| leap.on(year).map(|it| it.to_string()));
        let expected = [None, Some("1992-02-29"), Some("2026-02-28"), Some("2032-02-29")];
        assert_eq!(found, expected.map(|it| it.map(str::to_owned)));
        assert_eq!(
            [1992, 2026, 2027, 2032].map(|year| leap.years(year).and_then(Mark::of)),
            [None, None, Some(Mark::Five), Some(Mark::Round)]
        );
        let mut faults = Vec::new();
        yearly(Reckoning::Lunar, 13, 31, Some(0)).check(&mut faults);
        let codes: Vec<_> = faults.iter().map(|it| (it.pointer.as_str(), it.code)).collect();
        assert_eq!(
            codes,
            [
                ("/when/yearly/month", "not_in_the_year"),
                ("/when/yearly/day", "not_in_the_year"),
                ("/when/yearly/since", "not_in_the_year"),
            ]
        );
    }
}
