//! From the rows of a table to events of the calendar.

use super::Finding;
use super::posts::unknown_word;
use super::table::{Cell, Row};
use crate::domain::event::{EventKind, Visibility, When};
use crate::domain::fault::Fault;
use crate::domain::feed::kind_words;
use crate::domain::id::UnitId;
use crate::domain::import::{self, Moment};
use crate::domain::outbox::Locale;
use crate::domain::schedule;
use crate::domain::unit::UnitName;
use crate::service::events::NewEvent;
use crate::service::plan::time_fault;

/// An event as a row says it.
pub(super) struct Entered {
    /// Its row.
    pub(super) row: u32,
    /// The event.
    pub(super) event: NewEvent,
}

/// The events of a table: one for each row.
pub(super) fn gather(
    rows: &[Row],
    (unit_id, zone): (&UnitId, &str),
    found: &mut Vec<Finding>,
) -> Vec<Entered> {
    rows.iter().filter_map(|row| entered(row, unit_id, zone, found)).collect()
}

fn entered(row: &Row, unit_id: &UnitId, zone: &str, found: &mut Vec<Finding>) -> Option<Entered> {
    let zone = row.said("zone").unwrap_or_else(|| zone.to_owned());
    let vi = row.text("title").trim().to_owned();
    let kind = row.said("kind").map_or(Some(EventKind::Other), |word| {
        let kind = import::event_kind(&word);
        if kind.is_none() {
            let named = |it: &EventKind| format!("{it} ({})", kind_words(*it, Locale::Vi));
            let known: Vec<String> = EventKind::ALL.iter().map(named).collect();
            unknown_word(row, "kind", &word, &known, found);
        }
        kind
    });
    let visibility = row.said("visibility").map_or(Some(Visibility::Title), |word| {
        let visibility = import::visibility(&word);
        if visibility.is_none() {
            let named = |it: &Visibility| format!("{it} ({})", import::visibility_words(*it));
            let known: Vec<String> = Visibility::ALL.iter().map(named).collect();
            unknown_word(row, "visibility", &word, &known, found);
        }
        visibility
    });
    let when = when(row, &zone, found);
    let event = NewEvent {
        unit_id: unit_id.clone(),
        title: UnitName { en: row.said("title en").unwrap_or_else(|| vi.clone()), vi },
        kind: kind?,
        when: when?,
        time_zone: Some(zone),
        country: row.said("country"),
        visibility,
        note: Some(row.text("note").to_owned()).filter(|it| !it.trim().is_empty()),
    };
    Some(Entered { row: row.number, event })
}

/// Whole days where both ends are days, from one instant to another where both have a time.
fn when(row: &Row, zone: &str, found: &mut Vec<Finding>) -> Option<When> {
    let from = moment(row, "from", found);
    let to = if row.cell("to").is_some() { moment(row, "to", found) } else { from };
    match (from?, to?) {
        (Moment::Day(from), Moment::Day(to)) => Some(When::Days { from, to }),
        (Moment::Wall(_) | Moment::Instant(_), Moment::Wall(_) | Moment::Instant(_)) => {
            let (from, to) = (from?, to?);
            let from = instant(row, "from", (from, zone), found);
            let to = instant(row, "to", (to, zone), found);
            Some(When::Instants { from: from?, to: to? })
        }
        (Moment::Day(_), Moment::Wall(_) | Moment::Instant(_))
        | (Moment::Wall(_) | Moment::Instant(_), Moment::Day(_)) => {
            let detail = "say a time for both ends, or for neither";
            found.push(Finding::new(row.number, "to", Fault::new("", "ends_differ", detail)));
            None
        }
    }
}

fn moment(row: &Row, column: &'static str, found: &mut Vec<Finding>) -> Option<Moment> {
    let moment = match row.cell(column) {
        Some(Cell::Moment(moment)) => Some(*moment),
        Some(Cell::Text(text)) => import::moment(text),
        Some(Cell::Formula) | None => None,
    };
    if moment.is_none() {
        let detail = "write a day such as 2026-09-02 or 02/09/2026 (the day comes first), with a time if it has one";
        found.push(Finding::new(row.number, column, Fault::new("", "bad_day", detail)));
    }
    moment
}

/// The instant of an end. A time that the clocks skip or show twice is refused as it is everywhere.
fn instant(
    row: &Row,
    column: &'static str,
    (moment, zone): (Moment, &str),
    found: &mut Vec<Finding>,
) -> Option<jiff::Timestamp> {
    let wall = match moment {
        Moment::Instant(at) => return Some(at),
        Moment::Day(day) => day.at(0, 0, 0, 0),
        Moment::Wall(wall) => wall,
    };
    let placed = schedule::on_wall_of(zone, wall);
    placed
        .map_err(|refused| found.push(Finding::new(row.number, column, time_fault(&refused, ""))))
        .ok()
}

impl Entered {
    /// A fault of the event, at the column where it comes from.
    pub(super) fn place(&self, fault: Fault) -> Finding {
        let column = match fault.pointer.as_str() {
            "/title/en" => "title en",
            "/time_zone" => "zone",
            "/country" => "country",
            "/note" => "note",
            pointer if pointer.ends_with("/to") => "to",
            pointer if pointer.starts_with("/when") => "from",
            _ => "title",
        };
        Finding::new(self.row, column, fault)
    }
}
