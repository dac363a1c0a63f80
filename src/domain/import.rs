//! Imports: tables that people hand in, which columns they may have, and how their words and times are read.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use utoipa::ToSchema;

use super::class::Class;
use super::event::{EventKind, Visibility};
use super::feed;
use super::id::{AccountId, EventId, ImportId, PersonId, PostId, UnitId};
use super::outbox::Locale;
use super::{schedule, words};

/// The most rows of one table, its heading not counted.
pub const MOST_ROWS: usize = 2_000;

words! {
    /// What the rows of a table are.
    ImportKind {
        /// Posts, with where and when they are meant to go out.
        Posts = "posts",
        /// Events of the calendar.
        Plan = "plan",
    }
}

words! {
    /// What has become of something since it was imported.
    Since {
        /// Nothing: an undo takes it away.
        Untouched = "untouched",
        /// Somebody has changed it.
        Changed = "changed",
        /// It was submitted, or somebody has decided about it.
        Submitted = "submitted",
        /// It was scheduled, repeated or offered.
        Planned = "planned",
        /// It is not there any more.
        Removed = "removed",
    }
}

/// A batch: everything that came out of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Import {
    /// Its id.
    pub id: ImportId,
    /// What its rows were.
    pub kind: ImportKind,
    /// Whose everything is that came of it.
    pub unit_id: UnitId,
    /// What the file was called, if that was said.
    pub file_name: Option<String>,
    /// Of the bytes that were handed in.
    pub sha256: String,
    /// How many rows it had.
    pub rows: i64,
    /// How many posts or events were made.
    pub made: i64,
    /// Who handed it in.
    pub created_by: PersonId,
    /// When.
    pub created_at: Timestamp,
    /// Who undid it.
    pub undone_by: Option<PersonId>,
    /// When it was undone.
    pub undone_at: Option<Timestamp>,
}

/// Where and when something that was imported is meant to go out; a delivery of `POST /posts/{id}/deliveries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeantDelivery {
    /// Where.
    pub account_id: AccountId,
    /// In which language.
    pub language: String,
    /// At an instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// When a wall shows a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<MeantLocal>,
}

/// A time on a wall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeantLocal {
    /// `2026-09-02`.
    pub date: String,
    /// `09:00` or `09:00:30`.
    pub time: String,
    /// `account` for the zone of the account, or an IANA name.
    pub zone: String,
}

/// What was made of a table: one for each post or event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The row at which it begins, as a spreadsheet counts.
    pub number: i64,
    /// What it is called.
    pub title: String,
    /// The post.
    pub post_id: Option<PostId>,
    /// The event.
    pub event_id: Option<EventId>,
    /// Where and when a post is meant to go out.
    pub deliveries: Vec<MeantDelivery>,
}

/// A column: its word in English, and in Vietnamese.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// In English; also how everything else names it.
    pub en: &'static str,
    /// In Vietnamese.
    pub vi: &'static str,
    /// Whether it is only for people: an export has it, an import passes over it.
    pub told: bool,
}

const fn column(en: &'static str, vi: &'static str) -> Column {
    Column { en, vi, told: false }
}

const fn told(en: &'static str, vi: &'static str) -> Column {
    Column { en, vi, told: true }
}

/// The columns of posts.
pub const POSTS: &[Column] = &[
    column("key", "mã bài"),
    column("title", "tiêu đề"),
    column("language", "ngôn ngữ"),
    column("text", "nội dung"),
    column("link", "liên kết"),
    column("media", "tệp"),
    column("alt", "mô tả ảnh"),
    column("first comment", "bình luận đầu tiên"),
    column("accounts", "tài khoản"),
    column("when", "thời điểm"),
    column("zone", "múi giờ"),
    column("class", "loại tin"),
    column("campaign", "chiến dịch"),
    column("labels", "nhãn"),
    told("unit", "đơn vị"),
    told("platform", "nền tảng"),
    told("state", "trạng thái"),
    told("shown", "được xem"),
];

/// The columns of a plan.
pub const PLAN: &[Column] = &[
    column("title", "tiêu đề"),
    column("title en", "tiêu đề tiếng anh"),
    column("kind", "loại sự kiện"),
    column("from", "từ"),
    column("to", "đến"),
    column("zone", "múi giờ"),
    column("country", "nước"),
    column("visibility", "mức hiển thị"),
    column("note", "ghi chú"),
    told("unit", "đơn vị"),
    told("shown", "được xem"),
];

impl ImportKind {
    /// The columns that a table of this kind may have.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Posts => POSTS,
            Self::Plan => PLAN,
        }
    }

    /// The columns without which a table of this kind says nothing.
    pub const fn needed(self) -> &'static [&'static str] {
        match self {
            Self::Posts => &["language", "text"],
            Self::Plan => &["title", "from"],
        }
    }

    /// The column with this heading.
    pub fn column(self, heading: &str) -> Option<Column> {
        let heading = folded(heading);
        self.columns().iter().copied().find(|it| it.en == heading || it.vi == heading)
    }
}

/// A heading or a word without what people write differently: capitals, spaces, underscores, ways to spell an accent.
fn folded(text: &str) -> String {
    let lower: String = text.nfc().collect::<String>().to_lowercase();
    lower
        .split(|it: char| it.is_whitespace() || matches!(it, '_' | '-'))
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A time as a cell says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A whole day.
    Day(Date),
    /// A time on a wall.
    Wall(DateTime),
    /// An instant.
    Instant(Timestamp),
}

/// Reads a time: `2026-09-02`, `2026-09-02 09:00`, the same with an offset, or with the day before the month as in
/// `02/09/2026 9:00`.
pub fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(Moment::Instant(instant));
    }
    let (day, time) = match text.split_once(['T', ' ']) {
        Some((day, time)) => (day, Some(time.trim())),
        None => (text, None),
    };
    let day = schedule::date(day).or_else(|| day_first(day))?;
    let Some(time) = time.filter(|it| !it.is_empty()) else { return Some(Moment::Day(day)) };
    let early = time.find(':') == Some(1);
    let time = if early { schedule::time(&format!("0{time}")) } else { schedule::time(time) }?;
    Some(Moment::Wall(DateTime::from_parts(day, time)))
}

/// As Viet Nam and most of the world write days.
fn day_first(text: &str) -> Option<Date> {
    let mut parts = text.split('/');
    let [day, month, year] = [parts.next()?, parts.next()?, parts.next()?];
    let short = |it: &str| matches!(it.len(), 1 | 2);
    let digits = [day, month, year].iter().all(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
    if parts.next().is_some() || !digits || !short(day) || !short(month) || year.len() != 4 {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// The class that a word names, in either language.
pub fn class(word: &str) -> Option<Class> {
    let word = folded(word);
    Class::ALL.iter().copied().find(|it| it.as_str() == word || class_words(*it) == word)
}

/// A class in Vietnamese.
pub const fn class_words(class: Class) -> &'static str {
    match class {
        Class::Statement => "tuyên bố",
        Class::Urgent => "khẩn",
        Class::Routine => "thường nhật",
        Class::Evergreen => "không thời hạn",
    }
}

/// The kind of event that a word names, in either language.
pub fn event_kind(word: &str) -> Option<EventKind> {
    let word = folded(word);
    let said = |it: EventKind, locale| feed::kind_words(it, locale) == word;
    EventKind::ALL
        .iter()
        .copied()
        .find(|it| said(*it, Locale::Vi) || said(*it, Locale::En) || folded(it.as_str()) == word)
}

/// How much of an event others see, by a word in either language.
pub fn visibility(word: &str) -> Option<Visibility> {
    let word = folded(word);
    Visibility::ALL.iter().copied().find(|it| it.as_str() == word || visibility_words(*it) == word)
}

/// How much others see, in Vietnamese.
pub const fn visibility_words(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Whole => "toàn bộ",
        Visibility::Title => "tiêu đề",
        Visibility::Busy => "có việc",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_and_words_are_known_in_both_languages_however_they_are_written() {
        // The second is written with its accents apart.
        for heading in ["Title", "Tie\u{302}u đe\u{302}\u{300}", "TIÊU  ĐỀ", " tiêu_đề "] {
            let found = ImportKind::Posts.column(heading).map(|it| it.en);
            assert_eq!(found, Some("title"), "{heading}");
        }
        assert_eq!(ImportKind::Posts.column("body"), None);
        assert_eq!(class("Thường nhật"), Some(Class::Routine));
        assert_eq!(event_kind("National_Day"), Some(EventKind::NationalDay));
        assert_eq!(event_kind("Quốc khánh"), Some(EventKind::NationalDay));
        assert_eq!(visibility("Có việc"), Some(Visibility::Busy));
        for kind in ImportKind::ALL {
            for one in kind.columns() {
                assert_eq!(kind.column(one.en), Some(*one));
                assert_eq!(kind.column(one.vi), Some(*one));
            }
        }
    }

    #[test]
    fn times_are_days_walls_or_instants_and_the_day_comes_before_the_month() {
        let wall = |text: &str| Some(Moment::Wall(text.parse().unwrap()));
        let day = |text: &str| Some(Moment::Day(text.parse().unwrap()));
        assert_eq!(moment("2026-09-02 09:00"), wall("2026-09-02T09:00:00"));
        assert_eq!(moment("2/9/2026 9:05"), wall("2026-09-02T09:05:00"));
        assert_eq!(moment(" 02/09/2026 "), day("2026-09-02"));
        let instant = "2026-09-02T02:00:00Z".parse().unwrap();
        assert_eq!(moment("2026-09-02T09:00+07:00"), Some(Moment::Instant(instant)));
        for bad in
            ["", "soon", "31/02/2026", "9/2026", "2026-09-02 25:00", "1/2/26", "2026-09-02 9"]
        {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }
}
