//! Events: what stands in the calendar besides deliveries, such as visits, briefings and national days.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fault::Fault;
use super::id::{EventId, PersonId, UnitId};
use super::unit::UnitName;
use super::yearly::{GAP, Yearly};
use super::{locale, words};

/// The longest title, in characters.
const LONGEST_TITLE: usize = 200;
/// The longest note, in characters.
const LONGEST_NOTE: usize = 4_000;
/// The longest event, in days.
const LONGEST_DAYS: i32 = 366;

words! {
    /// What kind of event it is.
    EventKind {
        /// Somebody goes or comes.
        Visit = "visit",
        /// The spokesperson speaks to the press.
        Briefing = "briefing",
        /// A national day, of Viet Nam or of a host country.
        NationalDay = "national_day",
        /// So many years of something.
        Anniversary = "anniversary",
        /// A festival or another public holiday.
        Festival = "festival",
        /// Days of mourning.
        Mourning = "mourning",
        /// An election, there or here.
        Election = "election",
        /// Something else.
        Other = "other",
    }
}

words! {
    /// How much of it other units see in the calendar.
    Visibility {
        /// All of it.
        Whole = "whole",
        /// When it is and what it is called.
        Title = "title",
        /// That there is something.
        Busy = "busy",
    }
}

/// When it is: either whole days or from one instant to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum When {
    /// Whole days, wherever the reader is.
    Days {
        /// The first.
        from: Date,
        /// The last; the first when there is one day.
        to: Date,
    },
    /// Instants.
    Instants {
        /// Its beginning.
        from: Timestamp,
        /// Its end, later than its beginning.
        to: Timestamp,
    },
    /// A day of each year, by the sun or by the moon; `{years}` in the title stands for their number.
    Yearly(Yearly),
}

impl When {
    /// To the millisecond, as databases keep instants.
    #[must_use]
    pub fn settled(self) -> Self {
        let whole = |at: Timestamp| Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        match self {
            Self::Days { from, to } => Self::Days { from, to },
            Self::Instants { from, to } => Self::Instants { from: whole(from), to: whole(to) },
            Self::Yearly(yearly) => Self::Yearly(yearly),
        }
    }

    /// Its beginning and its end as instants; days begin and end in this zone. What comes each year has no span
    /// of its own: both are the same instant.
    pub fn span(&self, zone: &str) -> (Timestamp, Timestamp) {
        match self {
            Self::Instants { from, to } => (*from, *to),
            Self::Days { from, to } => {
                let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
                let begins = |day: Date| {
                    let midnight = zone.to_ambiguous_zoned(day.at(0, 0, 0, 0)).compatible();
                    midnight.map_or(Timestamp::MIN, |it| it.timestamp())
                };
                let after = to.checked_add(1.day()).unwrap_or(*to);
                (begins(*from), begins(after))
            }
            Self::Yearly(_) => (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
        }
    }
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub unit_id: UnitId,
    /// What it is called.
    pub title: UnitName,
    /// What kind it is.
    pub kind: EventKind,
    /// When it is.
    pub when: When,
    /// IANA zone in which its days begin and end.
    pub time_zone: String,
    /// ISO 3166 code of the country that it concerns.
    pub country: Option<String>,
    /// How much of it other units see.
    pub visibility: Visibility,
    /// What its own unit should know.
    pub note: Option<String>,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// Who entered it.
    pub created_by: PersonId,
    /// When it was entered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Event {
    /// Everything that is wrong with it.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        locale::check_line("/title/vi", &self.title.vi, LONGEST_TITLE, &mut faults);
        locale::check_line("/title/en", &self.title.en, LONGEST_TITLE, &mut faults);
        locale::check_zone("/time_zone", &self.time_zone, &mut faults);
        if let Some(country) = &self.country {
            locale::check_country("/country", country, &mut faults);
        }
        let note = self.note.as_deref().unwrap_or_default();
        if note.chars().count() > LONGEST_NOTE {
            let detail = format!("at most {LONGEST_NOTE} characters");
            faults.push(Fault::new("/note", "too_long", detail).with("max", LONGEST_NOTE));
        }
        if note.contains('\0') {
            faults.push(Fault::new("/note", "control_character", "must not have a zero byte"));
        }
        self.check_when(&mut faults);
        let counted = matches!(&self.when, When::Yearly(yearly) if yearly.since.is_some());
        for (pointer, title) in [("/title/vi", &self.title.vi), ("/title/en", &self.title.en)] {
            if title.contains(GAP) && !counted {
                let detail = format!(
                    "{GAP} stands for the years since when.yearly.since, which is not said"
                );
                faults.push(Fault::new(pointer, "years_of_nothing", detail).with("gap", GAP));
            }
        }
        faults
    }

    fn check_when(&self, faults: &mut Vec<Fault>) {
        let longest = match &self.when {
            When::Days { from, to } => {
                locale::check_date("/when/days/from", *from, faults);
                locale::check_date("/when/days/to", *to, faults);
                if to < from {
                    let detail = "an event cannot end before it begins";
                    faults.push(Fault::new("/when/days/to", "ends_before_it_begins", detail));
                }
                to.since(*from).map_or(i32::MAX, |span| span.get_days()) >= LONGEST_DAYS
            }
            When::Instants { from, to } => {
                let day = |at: &Timestamp| at.to_zoned(TimeZone::UTC).date();
                locale::check_date("/when/instants/from", day(from), faults);
                locale::check_date("/when/instants/to", day(to), faults);
                if to <= from {
                    let detail = "an event cannot end before it begins";
                    faults.push(Fault::new("/when/instants/to", "ends_before_it_begins", detail));
                }
                to.as_second() - from.as_second() > i64::from(LONGEST_DAYS) * 86_400
            }
            When::Yearly(yearly) => {
                yearly.check(faults);
                false
            }
        };
        if longest {
            let detail = format!("at most {LONGEST_DAYS} days; enter several events");
            faults.push(Fault::new("/when", "event_too_long", detail).with("max", LONGEST_DAYS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(when: When) -> Event {
        let now = Timestamp::UNIX_EPOCH;
        Event {
            id: EventId::new(now, 1),
            unit_id: UnitId::new(now, 1),
            title: UnitName { vi: "Quốc khánh".into(), en: "National Day".into() },
            kind: EventKind::NationalDay,
            when,
            time_zone: "Asia/Ho_Chi_Minh".into(),
            country: Some("VN".into()),
            visibility: Visibility::Whole,
            note: None,
            version: 1,
            created_by: PersonId::new(now, 1),
            created_at: now,
            updated_at: now,
        }
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn years_are_counted_from_a_year_that_is_said() {
        let titled = |when: &str| {
            let mut event = event(serde_json::from_str(when).unwrap());
            event.title.en = "{years} years".into();
            event.check().into_iter().map(|it| (it.pointer, it.code)).collect::<Vec<_>>()
        };
        let day = r#"{"yearly": {"by": "solar", "month": 1, "day": 27}}"#;
        assert_eq!(titled(day), [("/title/en".to_owned(), "years_of_nothing")]);
        assert_eq!(titled(&day.replace("27", "27, \"since\": 1973")), []);
    }

    #[test]
    fn a_day_begins_and_ends_where_the_event_is() {
        let days = When::Days { from: day("2026-09-02"), to: day("2026-09-03") };
        let hanoi = days.span("Asia/Ho_Chi_Minh");
        assert_eq!(hanoi, (at("2026-09-01T17:00:00Z"), at("2026-09-03T17:00:00Z")));
        // In Beirut the clocks go forward at midnight: the day begins at one.
        let jump = When::Days { from: day("2026-03-29"), to: day("2026-03-29") };
        assert_eq!(jump.span("Asia/Beirut").0, at("2026-03-28T22:00:00Z"));
    }

    #[test]
    fn what_cannot_be_is_told_by_its_place() {
        let whole = event(When::Days { from: day("2026-09-02"), to: day("2026-09-02") });
        assert_eq!(whole.check(), []);
        let codes = |event: &Event| {
            event.check().into_iter().map(|it| (it.pointer, it.code)).collect::<Vec<_>>()
        };
        let back = event(When::Days { from: day("2026-09-02"), to: day("2026-09-01") });
        assert_eq!(codes(&back), [("/when/days/to".to_owned(), "ends_before_it_begins")]);
        let none = event(When::Instants {
            from: at("2026-09-02T00:00:00Z"),
            to: at("2026-09-02T00:00:00Z"),
        });
        assert_eq!(codes(&none), [("/when/instants/to".to_owned(), "ends_before_it_begins")]);
        let long = event(When::Days { from: day("2026-01-01"), to: day("2027-12-31") });
        assert_eq!(codes(&long), [("/when".to_owned(), "event_too_long")]);
        let mut bad = whole.clone();
        bad.title.vi = String::new();
        bad.country = Some("Viet Nam".into());
        bad.time_zone = "Hanoi".into();
        assert_eq!(bad.check().len(), 3);
    }
}
