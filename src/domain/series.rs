//! Series: a post that goes out again and again by a rule.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fault::Fault;
use super::id::{AccountId, PersonId, PostId, SeriesId, UnitId};
use super::locale;
use super::recurrence::{Jump, Rule, Timetable};
use super::schedule;

/// The word for the zone of each account.
pub const ACCOUNT: &str = "account";
/// The most accounts of one series.
pub const MOST_ACCOUNTS: usize = 100;
/// The most days that are left out.
const MOST_EXCEPT: usize = 400;

/// When a series goes out, as somebody said it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recurrence {
    /// Five fields: minute, hour, day of the month, month, weekday. A day must fit both its fields.
    pub cron: String,
    /// IANA zone on whose wall that is, or `account` for each account's own.
    pub time_zone: String,
    /// The first day.
    #[serde(default)]
    pub from: Option<Date>,
    /// The last day.
    #[serde(default)]
    pub until: Option<Date>,
    /// Days on which nothing goes out.
    #[serde(default)]
    pub except: BTreeSet<Date>,
}

/// Where a series goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Target {
    /// Which account.
    pub account_id: AccountId,
    /// In which language; the first of the account's languages that the post has when not said.
    #[serde(default)]
    pub language: Option<String>,
}

/// Why the next of a series cannot be scheduled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stuck {
    /// Stable machine word, as scheduling by hand would be refused with.
    pub code: String,
    /// In English.
    pub detail: String,
    /// To which account, where it is about one.
    pub account_id: Option<AccountId>,
    /// The first instant that is concerned.
    pub at: Option<Timestamp>,
    /// Since when.
    pub since: Timestamp,
}

/// A series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Its id.
    pub id: SeriesId,
    /// The unit of its post.
    pub unit_id: UnitId,
    /// What goes out.
    pub post_id: PostId,
    /// When.
    pub recurrence: Recurrence,
    /// Where.
    pub accounts: Vec<Target>,
    /// Since when it pauses.
    pub paused_at: Option<Timestamp>,
    /// What stands in its way.
    pub stuck: Vec<Stuck>,
    /// What was due until then is settled: made, missed, or not its business.
    pub settled_until: Timestamp,
    /// When it is looked next whether there is something to make.
    pub look_at: Timestamp,
    /// Who answers for what it schedules: whoever made it or changed it last.
    pub answers_by: PersonId,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// Who made it.
    pub created_by: PersonId,
    /// When.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// One time of a series on the walls of all its zones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NextDate {
    /// What the wall shows, such as `2026-09-02T09:00:00`.
    #[schema(value_type = String)]
    pub wall: DateTime,
    /// The instants that are meant: one, or one for each zone of the accounts.
    pub instants: Vec<NextInstant>,
}

/// The instant of a time on one wall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NextInstant {
    /// The zone.
    pub zone: String,
    /// The instant.
    pub at: Timestamp,
    /// What the wall shows at that instant, with its offset.
    pub local: String,
    /// What the clocks do there at this time: `skipped` comes as much later as they jump, `repeated` the first time.
    pub clocks: Option<Jump>,
}

impl Recurrence {
    /// The rule that was said, or everything that is wrong with it.
    pub fn rule(&self) -> Result<Rule, Vec<Fault>> {
        let mut faults = Vec::new();
        if self.time_zone != ACCOUNT && schedule::zone(&self.time_zone).is_err() {
            let value = locale::quoted(&self.time_zone);
            let detail = format!(
                "{value} is neither account nor a zone of the IANA list such as Asia/Ho_Chi_Minh"
            );
            faults.push(Fault::new("/time_zone", "unknown_time_zone", detail).with("value", value));
        }
        for (pointer, day) in [("/from", self.from), ("/until", self.until)] {
            if let Some(day) = day {
                locale::check_date(pointer, day, &mut faults);
            }
        }
        if self.except.len() > MOST_EXCEPT {
            let detail = format!("at most {MOST_EXCEPT} days");
            faults.push(Fault::new("/except", "too_many", detail).with("max", MOST_EXCEPT));
        }
        match Timetable::parse("/cron", &self.cron) {
            Ok(timetable) if faults.is_empty() => {
                let except = self.except.clone();
                Ok(Rule { timetable, from: self.from, until: self.until, except })
            }
            Ok(_) => Err(faults),
            Err(fault) => {
                faults.push(fault);
                Err(faults)
            }
        }
    }

    /// The zone for an account in this zone; nothing when there is no such zone any more.
    pub fn zone_for(&self, account_zone: &str) -> Option<TimeZone> {
        let name = if self.time_zone == ACCOUNT { account_zone } else { &self.time_zone };
        schedule::zone(name).ok()
    }
}

/// The next times of a rule on the walls of these zones, at most so many.
pub fn next_dates(rule: &Rule, zones: &[TimeZone], now: Timestamp, most: usize) -> Vec<NextDate> {
    let mut walls: BTreeMap<DateTime, Vec<NextInstant>> = BTreeMap::new();
    for zone in zones {
        for one in rule.after(now, zone).take(most) {
            walls.entry(one.wall).or_default().push(NextInstant {
                zone: zone.iana_name().unwrap_or("UTC").to_owned(),
                at: one.at,
                local: schedule::local(one.at, zone),
                clocks: one.jump,
            });
        }
    }
    let dates = walls.into_iter().take(most);
    dates.map(|(wall, instants)| NextDate { wall, instants }).collect()
}
