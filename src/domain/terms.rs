//! On what terms a file may be shown: whose it is, from when, and how long.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fault::Fault;
use super::locale;
use super::variant::Content;

/// The longest licence and credit, in code points.
const LONGEST: usize = 500;

/// The terms of a file; nothing is known where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Terms {
    /// Under what licence it is used, such as `CC BY 4.0` or a contract.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub licence: Option<String>,
    /// Who is named, such as `TTXVN / Dương Giang`; a post that does not name him is warned about.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub credit: Option<String>,
    /// Nothing with it goes out before this instant.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub embargo_until: Option<Timestamp>,
    /// Nothing with it goes out at or after this instant.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub licensed_until: Option<Timestamp>,
}

/// Why a file may not be shown at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barred {
    /// Not yet: its embargo ends then.
    Embargo(Timestamp),
    /// No more: its licence ended then.
    Ended(Timestamp),
}

impl Terms {
    /// The terms in their one form, or every fault at once.
    pub fn settle(self) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        for (pointer, text) in [("/licence", &self.licence), ("/credit", &self.credit)] {
            if let Some(text) = text {
                locale::check_line(pointer, text, LONGEST, &mut faults);
            }
        }
        // The databases keep milliseconds. What is rounded must not make anything earlier or longer.
        let millis = |at: Timestamp, up: bool| {
            let whole = Timestamp::from_millisecond(at.as_millisecond());
            let later = Timestamp::from_millisecond(at.as_millisecond().saturating_add(1));
            match whole {
                Ok(whole) if up && whole < at => later.unwrap_or(Timestamp::MAX),
                Ok(whole) if !up && whole > at => {
                    Timestamp::from_millisecond(at.as_millisecond().saturating_sub(1))
                        .unwrap_or(Timestamp::MIN)
                }
                Ok(whole) => whole,
                Err(_range) => at,
            }
        };
        let embargo_until = self.embargo_until.map(|at| millis(at, true));
        let licensed_until = self.licensed_until.map(|at| millis(at, false));
        if let Some((from, to)) = embargo_until.zip(licensed_until)
            && to <= from
        {
            let detail = "the licence would end before the embargo: it could never be shown";
            faults.push(Fault::new("/licensed_until", "never_shown", detail));
        }
        if faults.is_empty() {
            let Self { licence, credit, .. } = self;
            Ok(Self { licence, credit, embargo_until, licensed_until })
        } else {
            Err(faults)
        }
    }

    /// Why it may not be shown at this instant, if it may not.
    pub fn barred(&self, at: Timestamp) -> Option<Barred> {
        let ended = self.licensed_until.filter(|end| *end <= at).map(Barred::Ended);
        ended.or(self.embargo_until.filter(|end| *end > at).map(Barred::Embargo))
    }

    /// Who is to be named and is not, in any part of what is said.
    pub fn unnamed(&self, said: &Content) -> Option<&str> {
        let credit = self.credit.as_deref()?;
        let plain = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
            words.join(" ")
        };
        let wanted = plain(credit);
        let texts = std::iter::once(said.text.as_str())
            .chain(said.thread.iter().map(|part| part.text.as_str()))
            .chain(said.first_comment.as_deref());
        let named = texts.map(plain).any(|text| text.contains(&wanted));
        (!named).then_some(credit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_file_is_shown_from_its_embargo_to_the_end_of_its_licence() {
        let terms = Terms {
            embargo_until: Some(at(100)),
            licensed_until: Some(at(200)),
            ..Terms::default()
        };
        assert_eq!(terms.barred(at(99)), Some(Barred::Embargo(at(100))));
        assert_eq!(terms.barred(at(100)), None);
        assert_eq!(terms.barred(at(199)), None);
        assert_eq!(terms.barred(at(200)), Some(Barred::Ended(at(200))));
        assert_eq!(Terms::default().barred(at(0)), None);
    }

    #[test]
    fn what_is_rounded_is_never_earlier_and_never_longer() {
        for (text, embargo, licence) in [
            ("2026-09-02T02:00:00.0001Z", 1, 0),
            ("2026-09-02T02:00:00Z", 0, 0),
            ("1969-12-31T23:59:59.9999Z", 0, -1),
        ] {
            let at: Timestamp = text.parse().unwrap();
            let base = at.as_second() * 1_000;
            let base = if at.as_millisecond() < 0 || at < Timestamp::UNIX_EPOCH { 0 } else { base };
            let one = Terms { embargo_until: Some(at), ..Terms::default() }.settle().unwrap();
            assert_eq!(one.embargo_until.unwrap().as_millisecond(), base + embargo, "{text}");
            let one = Terms { licensed_until: Some(at), ..Terms::default() }.settle().unwrap();
            assert_eq!(one.licensed_until.unwrap().as_millisecond(), base + licence, "{text}");
        }
        let never = Terms {
            licence: Some(" ".into()),
            embargo_until: Some(at(200)),
            licensed_until: Some(at(200)),
            credit: None,
        };
        let codes: Vec<_> = never.settle().unwrap_err().iter().map(|fault| fault.code).collect();
        assert_eq!(codes, ["blank", "never_shown"]);
    }

    #[test]
    fn who_is_named_in_any_part_is_named() {
        let terms = Terms { credit: Some("TTXVN / Dương Giang".into()), ..Terms::default() };
        let said = |text: &str| Content { text: text.into(), ..Content::default() };
        assert_eq!(terms.unnamed(&said("Quốc khánh")), Some("TTXVN / Dương Giang"));
        assert_eq!(terms.unnamed(&said("Ảnh:  ttxvn /\ndương giang.")), None);
        let comment =
            Content { first_comment: Some("Ảnh: TTXVN / Dương Giang".into()), ..said("x") };
        assert_eq!(terms.unnamed(&comment), None);
        assert_eq!(Terms::default().unnamed(&said("x")), None);
    }
}
