//! Campaigns: what is said together over a time, with its message, hashtags and guidance.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fault::Fault;
use super::id::{AccountId, CampaignId, PersonId, UnitId};
use super::unit::UnitName;
use super::{locale, variant};

/// The longest title, in characters.
const LONGEST_TITLE: usize = 200;
/// The longest message, in code points.
const LONGEST_MESSAGE: usize = 2_000;
/// The longest guidance, in code points.
const LONGEST_GUIDANCE: usize = 20_000;
/// The most hashtags, and the most pillars.
const MOST_WORDS: usize = 20;
/// The longest hashtag or pillar, in code points.
const LONGEST_WORD: usize = 100;
/// The most units, and the most accounts, that it is meant for.
const MOST_TARGETS: usize = 500;
/// The longest campaign, in days.
const LONGEST_DAYS: i32 = 1_100;

/// From when to when, in whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// The first day.
    pub from: Date,
    /// The last; the first when there is one day.
    pub to: Date,
}

impl Period {
    /// The same period beginning on another day: by whole years where day and month stay the same, so that a
    /// leap day between does not move its end; by whole days otherwise.
    #[must_use]
    pub fn moved_to(self, from: Date) -> Self {
        let years = (from.month(), from.day()) == (self.from.month(), self.from.day());
        let to = if years {
            self.to.checked_add(i32::from(from.year() - self.from.year()).years())
        } else {
            self.to.checked_add(from.since(self.from).map_or(0, |it| it.get_days()).days())
        };
        Self { from, to: to.unwrap_or(from) }
    }

    fn check(self, faults: &mut Vec<Fault>) {
        locale::check_date("/period/from", self.from, faults);
        locale::check_date("/period/to", self.to, faults);
        if self.to < self.from {
            let detail = "a campaign cannot end before it begins";
            faults.push(Fault::new("/period/to", "ends_before_it_begins", detail));
        }
        if self.to.since(self.from).map_or(i32::MAX, |span| span.get_days()) >= LONGEST_DAYS {
            let detail = format!("at most {LONGEST_DAYS} days");
            let fault = Fault::new("/period/to", "campaign_too_long", detail);
            faults.push(fault.with("max", LONGEST_DAYS));
        }
    }
}

/// A campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// Whose it is.
    pub unit_id: UnitId,
    /// What it is called.
    pub title: UnitName,
    /// When it is.
    pub period: Period,
    /// IANA zone in which its days begin and end.
    pub time_zone: String,
    /// What is to be understood.
    pub message: String,
    /// With their `#`.
    pub hashtags: Vec<String>,
    /// The topics that it rests on.
    pub pillars: Vec<String>,
    /// What is to be heeded: for all who take part.
    pub guidance: String,
    /// The units that it is meant for; of those only one's own are shown to other units.
    pub units: Vec<UnitId>,
    /// The accounts that it is meant for; the same.
    pub accounts: Vec<AccountId>,
    /// The campaign that it was made after.
    pub cloned_from: Option<CampaignId>,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// Who entered it.
    pub created_by: PersonId,
    /// When it was entered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Campaign {
    /// In its one form, or everything that is wrong with it.
    pub fn settle(mut self) -> Result<Self, Vec<Fault>> {
        let faults = &mut Vec::new();
        locale::check_line("/title/vi", &self.title.vi, LONGEST_TITLE, faults);
        locale::check_line("/title/en", &self.title.en, LONGEST_TITLE, faults);
        locale::check_zone("/time_zone", &self.time_zone, faults);
        self.period.check(faults);
        self.message = variant::clean(&self.message, LONGEST_MESSAGE, true, "/message", faults);
        self.guidance = variant::clean(&self.guidance, LONGEST_GUIDANCE, true, "/guidance", faults);
        self.pillars = words("/pillars", &self.pillars, faults);
        let hashtags: Vec<String> = self.hashtags.iter().map(|it| with_sign(it)).collect();
        self.hashtags = words("/hashtags", &hashtags, faults);
        for (place, tag) in hashtags.iter().enumerate() {
            if !is_hashtag(tag) {
                let detail = "a hashtag is letters, digits and _ after its #, and not digits alone";
                let fault = Fault::new(format!("/hashtags/{place}"), "bad_hashtag", detail);
                faults.push(fault.with("value", locale::quoted(tag)));
            }
        }
        for (pointer, count) in [("/units", self.units.len()), ("/accounts", self.accounts.len())] {
            if count > MOST_TARGETS {
                let fault = Fault::new(pointer, "too_many", format!("at most {MOST_TARGETS}"));
                faults.push(fault.with("max", MOST_TARGETS));
            }
        }
        if faults.is_empty() { Ok(self) } else { Err(std::mem::take(faults)) }
    }
}

fn with_sign(tag: &str) -> String {
    let tag = tag.trim();
    if tag.starts_with('#') { tag.to_owned() } else { format!("#{tag}") }
}

/// Letters of any script with the marks on them: what platforms make a link of.
fn is_hashtag(tag: &str) -> bool {
    tag.strip_prefix('#').is_some_and(|word| {
        word.chars().any(char::is_alphabetic)
            && word.chars().all(|it| it.is_alphanumeric() || it == '_' || is_mark(it))
    })
}

/// Marks that stand on a letter of their own.
const fn is_mark(it: char) -> bool {
    matches!(it, '\u{300}'..='\u{36f}' | '\u{93a}'..='\u{94f}' | '\u{e31}'..='\u{e4e}' | '\u{17b4}'..='\u{17d3}')
}

/// Short lines, none empty and none twice.
fn words(pointer: &str, raw: &[String], faults: &mut Vec<Fault>) -> Vec<String> {
    if raw.len() > MOST_WORDS {
        let fault = Fault::new(pointer, "too_many", format!("at most {MOST_WORDS}"));
        faults.push(fault.with("max", MOST_WORDS));
    }
    let mut words: Vec<String> = Vec::with_capacity(raw.len());
    for (place, word) in raw.iter().enumerate() {
        let pointer = format!("{pointer}/{place}");
        let word = variant::clean(word, LONGEST_WORD, false, &pointer, faults);
        if word.is_empty() {
            faults.push(Fault::new(pointer, "blank", "must not be blank"));
        } else if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn campaign() -> Campaign {
        let now = Timestamp::UNIX_EPOCH;
        Campaign {
            id: CampaignId::new(now, 1),
            unit_id: UnitId::new(now, 1),
            title: UnitName { vi: "Quốc khánh".into(), en: "National Day".into() },
            period: Period { from: day("2026-08-15"), to: day("2026-09-03") },
            time_zone: "Asia/Ho_Chi_Minh".into(),
            message: " Độc lập ".into(),
            hashtags: vec!["QuốcKhánh".into(), "#QuốcKhánh".into()],
            pillars: vec!["Hòa bình".into()],
            guidance: String::new(),
            units: Vec::new(),
            accounts: Vec::new(),
            cloned_from: None,
            version: 1,
            created_by: PersonId::new(now, 1),
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn a_campaign_is_brought_into_one_form_or_told_all_that_is_wrong() {
        let settled = campaign().settle().unwrap();
        assert_eq!(settled.message, "Độc lập");
        assert_eq!(settled.hashtags, ["#QuốcKhánh"]);
        let mut bad = campaign();
        bad.title.en = String::new();
        bad.period.to = day("2026-08-01");
        bad.hashtags = vec!["#hai từ".into(), "2026".into()];
        bad.pillars = vec![" ".into()];
        let found: Vec<_> =
            bad.settle().unwrap_err().into_iter().map(|it| (it.pointer, it.code)).collect();
        let expected = [
            ("/title/en", "blank"),
            ("/period/to", "ends_before_it_begins"),
            ("/pillars/0", "blank"),
            ("/hashtags/0", "bad_hashtag"),
            ("/hashtags/1", "bad_hashtag"),
        ];
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }

    #[test]
    fn a_period_moves_by_years_or_by_days() {
        let moved = |from: &str, to: &str, begin: &str| {
            let period = Period { from: day(from), to: day(to) };
            period.moved_to(day(begin)).to.to_string()
        };
        // Over a leap day: the end stays the same day of the year, or as many days away.
        assert_eq!(moved("2026-02-01", "2026-03-10", "2028-02-01"), "2028-03-10");
        assert_eq!(moved("2026-02-01", "2026-03-10", "2028-02-02"), "2028-03-10");
        assert_eq!(moved("2026-08-15", "2026-09-03", "2027-08-15"), "2027-09-03");
    }
}
