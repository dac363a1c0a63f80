//! Units: the ministry's departments and its missions, a tree with opening and closing days.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fault::Fault;
use super::id::UnitId;
use super::{locale, words};

words! {
    /// What kind of unit it is.
    UnitKind {
        /// The ministry itself.
        Ministry = "ministry",
        /// A department of it.
        Department = "department",
        /// An embassy.
        Embassy = "embassy",
        /// A consulate or consulate general.
        Consulate = "consulate",
        /// A permanent mission, delegation or office.
        Mission = "mission",
    }
}

words! {
    /// How many people other than the author must approve a post of the unit.
    Approval {
        /// Nobody.
        None = "none",
        /// One.
        One = "one",
        /// Two.
        Two = "two",
    }
}

impl Approval {
    /// How many people that is.
    pub const fn needed(self) -> usize {
        match self {
            Self::None => 0,
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

/// A name in the house's two languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnitName {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

/// A unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unit {
    /// Its id.
    pub id: UnitId,
    /// Its name.
    pub name: UnitName,
    /// What it is.
    pub kind: UnitKind,
    /// The unit that it belongs to; none for the top.
    pub parent_id: Option<UnitId>,
    /// ISO 3166 code of the country where it works.
    pub country: Option<String>,
    /// IANA zone of its working day.
    pub time_zone: String,
    /// Languages it publishes in.
    pub languages: Vec<String>,
    /// How many must approve.
    pub approval: Approval,
    /// First day.
    pub opened_on: Option<Date>,
    /// First day on which it no longer works.
    pub closed_on: Option<Date>,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// When it was entered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Unit {
    /// Everything that is wrong with it by itself; its place in the tree is [`check_place`]'s.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        locale::check_line("/name/vi", &self.name.vi, 200, &mut faults);
        locale::check_line("/name/en", &self.name.en, 200, &mut faults);
        if let Some(country) = &self.country {
            locale::check_country("/country", country, &mut faults);
        }
        locale::check_zone("/time_zone", &self.time_zone, &mut faults);
        locale::check_languages("/languages", &self.languages, &mut faults);
        if let Some(day) = self.opened_on {
            locale::check_date("/opened_on", day, &mut faults);
        }
        if let Some(day) = self.closed_on {
            locale::check_date("/closed_on", day, &mut faults);
        }
        if let (Some(opened), Some(closed)) = (self.opened_on, self.closed_on)
            && closed < opened
        {
            let detail = "a unit cannot close before it opens";
            faults.push(Fault::new("/closed_on", "closes_before_it_opens", detail));
        }
        faults
    }

    /// Whether it has closed at `now`, by the day of its own zone.
    pub fn is_closed(&self, now: Timestamp) -> bool {
        let Some(closed) = self.closed_on else { return false };
        let zone = jiff::tz::TimeZone::get(&self.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
        now.to_zoned(zone).date() >= closed
    }
}

/// Checks the place in the tree: `above` is the parent and all units above it, empty when there is
/// no such parent.
pub fn check_place(unit: &Unit, above: &[UnitId]) -> Option<Fault> {
    let parent = unit.parent_id.as_ref()?;
    if above.is_empty() {
        let detail = format!("there is no unit {parent}");
        return Some(Fault::new("/parent_id", "unknown_reference", detail).with("value", parent));
    }
    if above.contains(&unit.id) {
        let detail = "a unit cannot stand below itself";
        return Some(Fault::new("/parent_id", "cycle", detail));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embassy() -> Unit {
        let now = "2026-09-02T00:00:00Z".parse().unwrap();
        Unit {
            id: UnitId::new(now, 1),
            name: UnitName {
                vi: "Đại sứ quán tại Pháp".into(), en: "Embassy in France".into()
            },
            kind: UnitKind::Embassy,
            parent_id: None,
            country: Some("FR".into()),
            time_zone: "Europe/Paris".into(),
            languages: vec!["vi".into(), "fr".into()],
            approval: Approval::One,
            opened_on: None,
            closed_on: None,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let mut unit = embassy();
        assert_eq!(unit.check(), []);
        unit.name.vi = String::new();
        unit.country = Some("France".into());
        unit.time_zone = "Paris".into();
        unit.opened_on = Some("2020-01-01".parse().unwrap());
        unit.closed_on = Some("2019-01-01".parse().unwrap());
        let pointers: Vec<_> = unit.check().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(pointers, ["/name/vi", "/country", "/time_zone", "/closed_on"]);
    }

    #[test]
    fn a_unit_closes_at_the_midnight_of_its_own_zone() {
        let mut unit = embassy();
        unit.closed_on = Some("2026-09-02".parse().unwrap());
        assert!(!unit.is_closed("2026-09-01T21:59:59Z".parse().unwrap()));
        assert!(unit.is_closed("2026-09-01T22:00:00Z".parse().unwrap()));
    }

    #[test]
    fn the_tree_has_no_circle_and_no_missing_parent() {
        let mut unit = embassy();
        let other = UnitId::new(unit.created_at, 2);
        assert_eq!(check_place(&unit, &[]), None);
        unit.parent_id = Some(other.clone());
        assert_eq!(check_place(&unit, &[]).unwrap().code, "unknown_reference");
        assert_eq!(check_place(&unit, std::slice::from_ref(&other)), None);
        assert_eq!(check_place(&unit, &[other, unit.id.clone()]).unwrap().code, "cycle");
    }
}
