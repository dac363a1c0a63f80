//! Limits as data: what may be published on a platform, each number with its source.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::domain::account::Health;
use crate::domain::media::MediaKind;
use crate::domain::text::links;
use crate::domain::variant::Content;

/// What a platform allows. Served as it is by `GET /platforms`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rules {
    /// How long a text may be and how it is counted.
    pub text: TextRule,
    /// Whether a link may be given, and how much it counts.
    pub link: LinkRule,
    /// The kinds of files that this release publishes there.
    pub kinds: &'static [MediaKind],
    /// Those of them that are brought there ahead of the post, because it takes long.
    pub ahead: &'static [MediaKind],
    /// Pictures.
    pub images: ImageRule,
    /// Videos, where they are published.
    pub videos: Option<MovingRule>,
    /// Animations, where they are published.
    pub animations: Option<MovingRule>,
    /// Polls, where they are published.
    pub polls: Option<PollRule>,
    /// What may follow.
    pub follow_ups: FollowUpRule,
    /// Creates in a window, per account; start values until headers say better.
    pub rates: &'static [RateRule],
    /// Which version of the platform's interface is used, and when it ends.
    pub version: VersionRule,
    /// What a token needs.
    pub scopes: &'static [&'static str],
    /// What the same text on several accounts means there.
    pub same_text_on_many_accounts: SameText,
    /// What a post costs, where the platform takes money for it.
    pub cost: Option<CostRule>,
}

impl Rules {
    /// As they are for one account: its texts may be longer than those of others.
    pub fn of(&self, health: &Health) -> Cow<'_, Self> {
        match self.text.max_long.filter(|_| health.long_posts) {
            None => Cow::Borrowed(self),
            Some(max) => {
                Cow::Owned(Self { text: TextRule { max, ..self.text.clone() }, ..self.clone() })
            }
        }
    }
}

/// What one post costs, in millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CostRule {
    /// A post without an address in it.
    pub post_usd_micros: i64,
    /// A post with an address in it.
    pub post_with_link_usd_micros: i64,
    /// The alternative text of a picture.
    pub alt_text_usd_micros: i64,
    /// Reading one post.
    pub read_usd_micros: i64,
    /// Where this is written and when it was read.
    pub source: &'static str,
}

impl CostRule {
    /// What it costs to publish this.
    pub fn of(&self, content: &Content) -> i64 {
        let has_link = content.link.is_some() || !links(&content.text).is_empty();
        let post = if has_link { self.post_with_link_usd_micros } else { self.post_usd_micros };
        let described = content.media.iter().filter(|one| !one.alt.is_empty()).count();
        post + self.alt_text_usd_micros * i64::try_from(described).unwrap_or(0)
    }
}

/// How a text is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counting {
    /// Unicode code points after NFC.
    CodePoints,
    /// twitter-text version 3: weighted code points, links 23, an emoji sequence 2.
    WeightedV3,
    /// What readers take for one sign each (grapheme clusters).
    Graphemes,
    /// The same, but an address with its scheme is 23, and names on other servers count without the server.
    GraphemesLinks23,
}

/// Length of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TextRule {
    /// How it is counted.
    pub counting: Counting,
    /// The most it may count.
    pub max: u32,
    /// The most for accounts that may publish long texts, where the platform has such (`health.long_posts`).
    pub max_long: Option<u32>,
    /// The most bytes of UTF-8, where they are limited too.
    pub max_bytes: Option<usize>,
    /// The most cashtags (`$ABC`), if they are limited there.
    pub max_cashtags: Option<usize>,
    /// Where this is written and when it was read.
    pub source: &'static str,
}

/// Links.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkRule {
    /// Whether the link is a field of its own (a card) or part of the text.
    pub separate_field: bool,
    /// What one link counts in the text, if links have a fixed length there.
    pub counts: Option<u32>,
    /// Where this is written and when it was read.
    pub source: &'static str,
}

/// Pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageRule {
    /// The most in one post.
    pub max_count: usize,
    /// The largest file that is sent, in bytes; what was handed in may be larger.
    pub max_bytes: u64,
    /// The longest side that is sent, in pixels.
    pub max_side: u32,
    /// Types that are sent. Whatever was handed in is made into one of them.
    pub sent_as: &'static [&'static str],
    /// The longest alternative text, in code points.
    pub max_alt: usize,
    /// Where this is written and when it was read.
    pub source: &'static str,
}

/// Videos or animations; one stands alone in its post, without pictures beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MovingRule {
    /// The largest file, in bytes.
    pub max_bytes: u64,
    /// The shortest that is taken, in milliseconds.
    pub min_ms: u64,
    /// The longest, in milliseconds, where that is limited.
    pub max_ms: Option<u64>,
    /// The widest, in pixels, where that is limited.
    pub max_width: Option<u32>,
    /// The highest, in pixels, where that is limited.
    pub max_height: Option<u32>,
    /// How often the longer side may hold the shorter one at most, where that is limited.
    pub max_ratio: Option<u32>,
    /// Types that are taken. Nothing is made into another type.
    pub types: &'static [&'static str],
    /// Where this is written and when it was read.
    pub source: &'static str,
}

/// Polls: a question with answers to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PollRule {
    /// The fewest answers.
    pub min_options: usize,
    /// The most answers.
    pub max_options: usize,
    /// The longest answer, in code points.
    pub max_option: usize,
    /// The shortest that it is open, in minutes.
    pub min_minutes: u32,
    /// The longest that it is open, in minutes.
    pub max_minutes: u32,
    /// Where this is written and when it was read.
    pub source: &'static str,
}

/// What may follow a post, each part as a post or a comment of its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FollowUpRule {
    /// The most parts of a thread after the first; 0 where there are no threads.
    pub max_thread: usize,
    /// The longest first comment, counted as texts are.
    pub max_comment: u32,
    /// Where this is written and when it was read.
    pub source: &'static str,
}

/// Creates in a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateRule {
    /// How many.
    pub limit: u32,
    /// In how many seconds.
    pub window_s: u32,
    /// For one account, or for the whole application.
    pub per_account: bool,
    /// Where this is written and when it was read.
    pub source: &'static str,
}

/// Version of a platform's interface.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VersionRule {
    /// The version in use.
    pub current: String,
    /// Until when it works (a date), if that is known.
    pub usable_until: Option<String>,
}

impl VersionRule {
    /// How many days it works from this instant on (UTC); none while its end is not known.
    pub fn days_left(&self, now: Timestamp) -> Option<i32> {
        let end: jiff::civil::Date = self.usable_until.as_deref()?.parse().ok()?;
        let today = now.to_zoned(TimeZone::UTC).date();
        Some((end - today).get_days())
    }
}

/// What the same text on several accounts means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SameText {
    /// Nothing.
    Allowed,
    /// Against the platform's rules: warn.
    Discouraged,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(until: Option<&str>) -> VersionRule {
        VersionRule { current: "v21.0".to_owned(), usable_until: until.map(str::to_owned) }
    }

    #[test]
    fn days_are_counted_to_the_end_and_beyond() {
        let now: Timestamp = "2026-11-22T23:59:59Z".parse().unwrap();
        assert_eq!(version(Some("2027-01-21")).days_left(now), Some(60));
        assert_eq!(version(Some("2026-11-22")).days_left(now), Some(0));
        assert_eq!(version(Some("2026-11-20")).days_left(now), Some(-2));
        assert_eq!(version(Some("2029-11-22")).days_left(now), Some(1096));
        assert_eq!(version(None).days_left(now), None);
    }
}
