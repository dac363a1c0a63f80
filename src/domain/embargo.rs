//! Embargoes: until when a post, or all posts of a campaign, may not be published.

use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fault::Fault;
use super::id::PersonId;
use super::locale;

/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;
/// The longest embargo, in days: what is longer is a slip of the pen.
const LONGEST_DAYS: i64 = 1_830;

/// An embargo that somebody has set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Embargo {
    /// Its end: from then on it may be published.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// Who has set it.
    pub set_by: PersonId,
    /// When.
    pub set_at: Timestamp,
}

/// An embargo that binds a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Binding {
    /// Where it was set: the post itself, its campaign, or the post of which it is a copy.
    pub subject_id: String,
    /// Its end.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

impl Embargo {
    /// The embargo in whole milliseconds, not earlier than was said; or everything that is wrong with it.
    pub fn settle(mut self) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        locale::check_line("/reason", &self.reason, LONGEST_REASON, &mut faults);
        let cut = Timestamp::from_millisecond(self.until.as_millisecond()).unwrap_or(self.until);
        if cut < self.until {
            self.until = cut.checked_add(1.millisecond()).unwrap_or(cut);
        }
        let latest = self.set_at.checked_add((LONGEST_DAYS * 24).hours()).unwrap_or(Timestamp::MAX);
        if self.until <= self.set_at {
            let detail = "it would be over already; to end an embargo, delete it";
            faults.push(Fault::new("/until", "embargo_over", detail));
        } else if self.until > latest {
            let detail = format!("at most {LONGEST_DAYS} days ahead");
            faults.push(Fault::new("/until", "embargo_long", detail).with("max", LONGEST_DAYS));
        }
        if faults.is_empty() { Ok(self) } else { Err(faults) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embargo(until: &str, reason: &str) -> Embargo {
        Embargo {
            until: until.parse().unwrap(),
            reason: reason.to_owned(),
            set_by: format!("usr_{}", "1".repeat(32)).parse().unwrap(),
            set_at: "2031-09-02T02:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn an_embargo_lies_ahead_and_is_never_shorter_than_was_said() {
        for (until, found) in [
            ("2031-09-02T02:00:00.001Z", Ok("2031-09-02T02:00:00.001Z")),
            ("2031-09-02T02:00:00.0010001Z", Ok("2031-09-02T02:00:00.002Z")),
            ("2031-09-02T02:00:00Z", Err("embargo_over")),
            ("2036-09-05T02:00:00Z", Ok("2036-09-05T02:00:00Z")),
            ("2036-09-05T02:00:00.001Z", Err("embargo_long")),
        ] {
            let settled = embargo(until, "Hội đàm chưa kết thúc").settle();
            let expected = found.map(|it| it.parse::<Timestamp>().unwrap());
            assert_eq!(settled.map(|it| it.until).map_err(|all| all[0].code), expected, "{until}");
        }
        let blank = embargo("2031-09-03T02:00:00Z", " ").settle().unwrap_err();
        assert_eq!(blank[0].pointer, "/reason");
    }
}
