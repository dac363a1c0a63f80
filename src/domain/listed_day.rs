//! Days of the year that the calendar knows by itself: national days, festivals, and since when Viet Nam has relations
//! with a country.

use std::sync::LazyLock;

use super::event::EventKind;
use super::unit::UnitName;
use super::yearly::{Reckoning, Yearly};

const LIST: &str = include_str!("days_of_the_year.tsv");

static DAYS: LazyLock<Vec<ListedDay>> =
    LazyLock::new(|| lines().filter_map(ListedDay::read).collect());

/// A day of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDay {
    /// ISO 3166 code of the country that keeps it, or with which there are relations.
    pub country: &'static str,
    /// When it is.
    pub yearly: Yearly,
    /// What kind of event it is.
    pub kind: EventKind,
    /// What it is called.
    pub title: UnitName,
}

impl ListedDay {
    /// The days of a country.
    pub fn of(country: &str) -> impl Iterator<Item = &'static Self> {
        DAYS.iter().filter(move |day| day.country == country)
    }

    /// Tells it from all others. Before every id, in whatever order a database sorts letters: a page goes on behind it.
    pub fn key(&self) -> String {
        let Yearly { by, month, day, .. } = &self.yearly;
        let country = self.country.to_lowercase();
        format!("day_{country}/{by}/{month:02}-{day:02}/{}", self.kind)
    }

    /// Reads a line: country, calendar, month and day, since when, kind, Vietnamese, English, source.
    fn read(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t');
        let mut next = || fields.next();
        let country = next()?;
        let by: Reckoning = next()?.parse().ok()?;
        let (month, day) = next()?.split_once('-')?;
        let since = Some(next()?).filter(|it| !it.is_empty());
        let yearly = Yearly {
            by,
            month: month.parse().ok()?,
            day: day.parse().ok()?,
            days: 1,
            since: since.map(str::parse).transpose().ok()?,
        };
        let kind = next()?.parse().ok()?;
        let title = UnitName { vi: next()?.to_owned(), en: next()?.to_owned() };
        let source = next()?;
        (!source.is_empty()).then_some(Self { country, yearly, kind, title })
    }
}

fn lines() -> impl Iterator<Item = &'static str> {
    LIST.lines().filter(|line| !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_a_day_with_a_source_and_none_is_there_twice() {
        let keys: std::collections::BTreeSet<_> = DAYS.iter().map(ListedDay::key).collect();
        assert_eq!((keys.len(), DAYS.len()), (lines().count(), lines().count()));
        for day in DAYS.iter() {
            let mut faults = Vec::new();
            super::super::locale::check_country("/country", day.country, &mut faults);
            assert!(faults.is_empty() && day.yearly.on(2026).is_some(), "{day:?}");
            let counted = day.title.vi.contains("{years}");
            assert_eq!(counted, day.yearly.since.is_some(), "{day:?}");
        }
    }
}
