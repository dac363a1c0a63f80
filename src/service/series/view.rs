//! Series as people hand them in and see them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::delivery::DeliveryState;
use crate::domain::id::{AccountId, DeliveryId, PersonId, PostId, SeriesId, UnitId};
use crate::domain::series::{NextDate, Recurrence, Stuck, Target};
use crate::domain::words;
use crate::service::Change;
use crate::service::warning::Warning;
use crate::store::series::Standing;

/// A series to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewSeries {
    /// What goes out: whole, in each account's language.
    pub post_id: PostId,
    /// Five fields: minute, hour, day of the month, month, weekday, such as `30 8 * * 1-5`.
    #[schema(max_length = 200)]
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
    /// Where it goes.
    #[schema(min_items = 1, max_items = 100)]
    pub accounts: Vec<NewTarget>,
}

/// Where a series is to go.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewTarget {
    /// Which account.
    pub account_id: AccountId,
    /// In which language; the first of the account's languages that the post has when not said.
    #[serde(default)]
    pub language: Option<String>,
}

/// What to change in a series; what is not named stays. Whatever is changed, what was made ahead is taken back and made
/// anew in the name of whoever changes it.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct SeriesChange {
    /// Five fields: minute, hour, day of the month, month, weekday.
    #[schema(max_length = 200)]
    pub cron: Option<String>,
    /// IANA zone on whose wall that is, or `account`.
    pub time_zone: Option<String>,
    /// The first day; `null` for none.
    #[serde(default)]
    #[schema(value_type = Option<Date>)]
    pub from: Change<Date>,
    /// The last day; `null` for none.
    #[serde(default)]
    #[schema(value_type = Option<Date>)]
    pub until: Change<Date>,
    /// Days on which nothing goes out.
    pub except: Option<BTreeSet<Date>>,
    /// Where it goes.
    #[schema(min_items = 1, max_items = 100)]
    pub accounts: Option<Vec<NewTarget>>,
    /// True to pause it, false to let it go on. What was due meanwhile does not come later.
    pub paused: Option<bool>,
}

/// A rule whose dates are asked for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct WantedDates {
    /// Five fields: minute, hour, day of the month, month, weekday.
    #[schema(max_length = 200)]
    pub cron: String,
    /// IANA zone on whose wall that is, or `account`; then `account_ids` say whose.
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
    /// Accounts whose zones are meant by `account`.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub account_ids: Vec<AccountId>,
}

/// The dates of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dates {
    /// The next ten.
    pub next: Vec<NextDate>,
}

words! {
    /// How a series stands.
    SeriesState {
        /// It goes on.
        Active = "active",
        /// It goes on, but something could not be scheduled.
        Stuck = "stuck",
        /// Nothing goes out until somebody lets it go on.
        Paused = "paused",
    }
}

/// A series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeriesView {
    /// Its id.
    pub id: SeriesId,
    /// The unit of its post.
    pub unit_id: UnitId,
    /// What goes out.
    pub post_id: PostId,
    /// The post's title; nothing when the post was removed.
    pub title: Option<String>,
    /// When.
    #[serde(flatten)]
    pub recurrence: Recurrence,
    /// Where.
    pub accounts: Vec<Target>,
    /// How it stands.
    pub state: SeriesState,
    /// What stands in its way.
    pub stuck: Vec<Stuck>,
    /// Since when it pauses.
    pub paused_at: Option<Timestamp>,
    /// The next ten dates; none while it pauses.
    pub next: Vec<NextDate>,
    /// How many deliveries of it wait for their instant.
    pub ahead: i64,
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

/// What was taken back of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TakenBack {
    /// How many deliveries were taken back that had been made ahead. Those that somebody has moved by hand stay.
    pub taken_back: usize,
    /// How many were leaving by then.
    pub under_way: i64,
}

/// A series as it is after somebody has made or changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeriesChanged {
    /// The series.
    #[serde(flatten)]
    pub series: SeriesView,
    /// What was taken back.
    #[serde(flatten)]
    pub back: TakenBack,
    /// What is worth knowing about its next date.
    pub warnings: Vec<Warning>,
}

words! {
    /// What became of one time of a series.
    Became {
        /// A delivery was made.
        Made = "made",
        /// Somebody has given its delivery another time.
        Moved = "moved",
        /// The service was not working, or something stood in the way: it does not come later.
        Missed = "missed",
    }
}

/// One time of a series on one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OccurrenceView {
    /// On which account.
    pub account_id: AccountId,
    /// What the rule says: the time of the wall.
    #[schema(value_type = String)]
    pub wall: DateTime,
    /// Whose wall.
    pub zone: String,
    /// The instant that it meant when it was made.
    pub at: Timestamp,
    /// What became of it.
    pub became: Became,
    /// Its delivery.
    pub delivery_id: Option<DeliveryId>,
    /// Where that stands.
    pub state: Option<DeliveryState>,
}

impl From<Standing> for OccurrenceView {
    fn from(one: Standing) -> Self {
        let became = match (&one.noted.delivery_id, one.moved) {
            (None, _) => Became::Missed,
            (Some(_), true) => Became::Moved,
            (Some(_), false) => Became::Made,
        };
        Self {
            account_id: one.noted.account_id,
            wall: one.noted.wall,
            zone: one.noted.zone,
            at: one.noted.due_at,
            became,
            delivery_id: one.noted.delivery_id,
            state: one.state,
        }
    }
}

impl From<NewTarget> for Target {
    fn from(new: NewTarget) -> Self {
        Self { account_id: new.account_id, language: new.language }
    }
}
