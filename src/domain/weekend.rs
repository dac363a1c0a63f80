//! Which days of the week a country rests on.
//!
//! Source: Unicode CLDR 48, `supplemental/weekData` (`weekendStart`, `weekendEnd`). Bangladesh stands there with the
//! world's Saturday and Sunday; its government rests on Friday and Saturday (cabinet secretary, Prothom Alo, 5 April 2021).
//! A country without a line rests on Saturday and Sunday. A rule that says its days needs none of this.

use super::words;

words! {
    /// A day of the week.
    DayOfWeek {
        /// Monday.
        Monday = "monday",
        /// Tuesday.
        Tuesday = "tuesday",
        /// Wednesday.
        Wednesday = "wednesday",
        /// Thursday.
        Thursday = "thursday",
        /// Friday.
        Friday = "friday",
        /// Saturday.
        Saturday = "saturday",
        /// Sunday.
        Sunday = "sunday",
    }
}

impl From<jiff::civil::Weekday> for DayOfWeek {
    fn from(day: jiff::civil::Weekday) -> Self {
        match day {
            jiff::civil::Weekday::Monday => Self::Monday,
            jiff::civil::Weekday::Tuesday => Self::Tuesday,
            jiff::civil::Weekday::Wednesday => Self::Wednesday,
            jiff::civil::Weekday::Thursday => Self::Thursday,
            jiff::civil::Weekday::Friday => Self::Friday,
            jiff::civil::Weekday::Saturday => Self::Saturday,
            jiff::civil::Weekday::Sunday => Self::Sunday,
        }
    }
}

/// Countries by what they rest on.
const ELSEWHERE: &[(&[&str], &[DayOfWeek])] = &[
    (
        &["BD", "BH", "DZ", "EG", "IL", "IQ", "JO", "KW", "LY", "OM", "QA", "SA", "SD", "SY", "YE"],
        &[DayOfWeek::Friday, DayOfWeek::Saturday],
    ),
    (&["AF"], &[DayOfWeek::Thursday, DayOfWeek::Friday]),
    (&["IR"], &[DayOfWeek::Friday]),
    (&["IN", "UG"], &[DayOfWeek::Sunday]),
];

/// The days on which a country rests; Saturday and Sunday where none is known.
pub fn of(country: Option<&str>) -> &'static [DayOfWeek] {
    let found = country.and_then(|country| {
        ELSEWHERE.iter().find(|(countries, _)| countries.contains(&country)).map(|(_, days)| *days)
    });
    found.unwrap_or(&[DayOfWeek::Saturday, DayOfWeek::Sunday])
}

#[cfg(test)]
mod tests {
    use super::DayOfWeek::{Friday, Saturday, Sunday};
    use super::*;

    #[test]
    fn a_country_rests_on_its_own_days() {
        for (country, days) in [
            (Some("EG"), &[Friday, Saturday][..]),
            (Some("BD"), &[Friday, Saturday]),
            (Some("IR"), &[Friday]),
            (Some("AE"), &[Saturday, Sunday]),
            (Some("VN"), &[Saturday, Sunday]),
            (None, &[Saturday, Sunday]),
        ] {
            assert_eq!(of(country), days, "{country:?}");
        }
    }

    #[test]
    fn no_country_has_two_lines_and_none_rests_all_week() {
        let mut all: Vec<&str> = ELSEWHERE.iter().flat_map(|(it, _)| it.iter().copied()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(ELSEWHERE.iter().all(|(_, days)| (1..7).contains(&days.len())));
    }
}
