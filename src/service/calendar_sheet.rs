//! The calendar as a table to take away: what goes out in a time, or the events of it, each with as much as its reader
//! may know.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::calendar::{self, CalendarDelivery, CalendarEvent, Entry, Filter};
use super::{Caller, Error, MOST, Services, Window};
use crate::domain::account::Account;
use crate::domain::event::{Visibility, When};
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, UnitId};
use crate::domain::unit::Unit;
use crate::store::{Reader, accounts, units};

/// The most entries of the calendar that one table is made of.
const MOST_ENTRIES: usize = 20_000;

/// What a table is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// What goes out.
    Deliveries,
    /// What happens. Its columns are those of a plan that can be imported.
    Events,
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A day.
    Day(Date),
    /// A time on the wall of the row's zone.
    Wall(DateTime),
}

/// A table: the names of its columns, English and Vietnamese, and its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The columns.
    pub head: &'static [(&'static str, &'static str)],
    /// The rows, each with a cell for every column.
    pub rows: Vec<Vec<Cell>>,
}

/// The names are those of imports where the same is meant.
const DELIVERIES: &[(&str, &str)] = &[
    ("when", "thời điểm"),
    ("zone", "múi giờ"),
    ("utc", "giờ UTC"),
    ("unit", "đơn vị"),
    ("account", "tài khoản"),
    ("platform", "nền tảng"),
    ("language", "ngôn ngữ"),
    ("class", "loại tin"),
    ("state", "trạng thái"),
    ("title", "tiêu đề"),
    ("campaign", "chiến dịch"),
    ("shown", "được xem"),
];

/// Just the columns that an import of a plan knows.
const EVENTS: &[(&str, &str)] = &[
    ("title", "tiêu đề"),
    ("title en", "tiêu đề tiếng Anh"),
    ("kind", "loại sự kiện"),
    ("from", "từ"),
    ("to", "đến"),
    ("zone", "múi giờ"),
    ("country", "nước"),
    ("note", "ghi chú"),
    ("unit", "đơn vị"),
    ("shown", "được xem"),
];

/// The calendar of a time as a table.
pub async fn export(
    services: &Services,
    caller: &Caller,
    filter: &Filter,
    content: Content,
) -> Result<Table, Error> {
    let mut window = Window { limit: MOST, after: None };
    let (mut entries, mut looked) = (Vec::new(), 0);
    loop {
        let page = calendar::list(services, caller, filter.clone(), &window).await?;
        looked += page.items.len();
        if looked > MOST_ENTRIES {
            let detail =
                format!("more than {MOST_ENTRIES} entries: take a shorter time, or a unit");
            return Err(Error::Invalid(vec![
                Fault::new("?to", "too_many", detail).with("max", MOST_ENTRIES),
            ]));
        }
        let wanted = |entry: &Entry| (content == Content::Events) == entry.until.is_some();
        entries.extend(page.items.into_iter().filter(wanted));
        window.after = page.next;
        if window.after.is_none() {
            break;
        }
    }
    let mut reader = services.store.read().await?;
    let places = Places::of(&mut reader, &entries).await?;
    let (head, row): (_, fn(&Places, &Entry) -> Vec<Cell>) = match content {
        Content::Deliveries => (DELIVERIES, Places::delivery),
        Content::Events => (EVENTS, Places::event),
    };
    Ok(Table { head, rows: entries.iter().map(|entry| row(&places, entry)).collect() })
}

/// What units and accounts of a table are called, and where they are.
struct Places {
    units: BTreeMap<UnitId, Unit>,
    accounts: BTreeMap<AccountId, Account>,
}

impl Places {
    async fn of(reader: &mut Reader, entries: &[Entry]) -> Result<Self, Error> {
        let mut named = BTreeMap::new();
        for id in entries.iter().map(|entry| &entry.unit_id).collect::<BTreeSet<_>>() {
            if let Some(unit) = units::find(reader, id).await? {
                named.insert(id.clone(), unit);
            }
        }
        let delivered = entries.iter().filter_map(|entry| entry.delivery.as_ref());
        let ids: BTreeSet<AccountId> = delivered.map(|one| one.account_id.clone()).collect();
        let found = accounts::find_many(reader, &Vec::from_iter(ids)).await?;
        let accounts = found.into_iter().map(|one| (one.id.clone(), one)).collect();
        Ok(Self { units: named, accounts })
    }

    fn delivery(&self, entry: &Entry) -> Vec<Cell> {
        let one = entry.delivery.as_ref();
        let account = one.and_then(|one| self.accounts.get(&one.account_id));
        let unit = self.units.get(&entry.unit_id).map(|unit| unit.time_zone.as_str());
        let zone = account.map(|it| it.time_zone.as_str()).or(unit).unwrap_or("UTC");
        let of = |say: fn(&CalendarDelivery) -> String| text(one.map(say).unwrap_or_default());
        let campaign = one.and_then(|one| one.campaign_id.clone());
        vec![
            Cell::Wall(wall(entry.at, zone)),
            text(zone),
            text(entry.at.to_string()),
            self.unit(entry),
            text(account.map_or("", |it| it.display_name.as_str())),
            of(|one| one.platform.clone()),
            of(|one| one.language.clone()),
            of(|one| one.class.to_string()),
            of(|one| one.state.to_string()),
            text(entry.title.values().next().map_or("", String::as_str)),
            text(campaign.unwrap_or_default()),
            text(entry.shown.to_string()),
        ]
    }

    fn event(&self, entry: &Entry) -> Vec<Cell> {
        let one = entry.event.as_ref();
        let unit = self.units.get(&entry.unit_id).map(|unit| unit.time_zone.as_str());
        let zone = one.map(|it| it.time_zone.as_str()).or(unit).unwrap_or("UTC");
        let title = |language: &str| text(entry.title.get(language).map_or("", String::as_str));
        let of =
            |say: fn(&CalendarEvent) -> Option<String>| text(one.and_then(say).unwrap_or_default());
        let [from, to] = ends(entry, zone);
        vec![
            title("vi"),
            title("en"),
            of(|one| Some(one.kind.to_string())),
            from,
            to,
            text(zone),
            of(|one| one.country.clone()),
            of(|one| one.note.clone()),
            self.unit(entry),
            text(entry.shown.to_string()),
        ]
    }

    /// Its name in Vietnamese where the reader is told what it does; its id otherwise, as the calendar has it.
    fn unit(&self, entry: &Entry) -> Cell {
        let unit = self.units.get(&entry.unit_id).filter(|_| entry.shown != Visibility::Busy);
        unit.map_or_else(|| text(entry.unit_id.as_str()), |unit| text(&unit.name.vi))
    }
}

/// From when to when, as an import reads it: days where it is whole days.
fn ends(entry: &Entry, zone: &str) -> [Cell; 2] {
    let until = entry.until.unwrap_or(entry.at);
    let whole = match entry.event.as_ref().map(|one| &one.when) {
        Some(When::Days { .. } | When::Yearly(_)) => true,
        Some(When::Instants { .. }) | None => false,
    };
    if whole {
        // The end of a day is the beginning of the next one.
        let last = wall(until, zone).date();
        let last = last.yesterday().unwrap_or(last);
        [Cell::Day(wall(entry.at, zone).date()), Cell::Day(last)]
    } else {
        [Cell::Wall(wall(entry.at, zone)), Cell::Wall(wall(until, zone))]
    }
}

fn text(said: impl Into<String>) -> Cell {
    Cell::Text(said.into())
}

fn wall(at: Timestamp, zone: &str) -> DateTime {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).datetime()
}
