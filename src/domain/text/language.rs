//! Languages of texts as BCP 47 tags, and which of them are written from right to left.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unic_langid::{CharacterDirection, LanguageIdentifier};
use utoipa::ToSchema;

/// A language tag in its canonical spelling, such as `vi`, `zh-Hant-TW` or `jra`.
///
/// Any well-formed tag of two or three letters is taken, whether or not a list knows it: a mission
/// may write Jarai, Bahnar, Cham or Rade.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language(String);

/// Not a well-formed language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a BCP 47 language tag such as vi, zh-Hant or pt-BR")]
pub struct NotALanguage;

/// Which way a text runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Left to right.
    Ltr,
    /// Right to left.
    Rtl,
}

impl Language {
    /// The canonical tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Which way texts in this language run.
    pub fn direction(&self) -> Direction {
        let runs = self.0.parse::<LanguageIdentifier>().map(|tag| tag.character_direction());
        match runs {
            Ok(CharacterDirection::RTL) => Direction::Rtl,
            // Mongolian from top to bottom is set from left to right on the platforms.
            Ok(CharacterDirection::LTR | CharacterDirection::TTB) | Err(_) => Direction::Ltr,
        }
    }
}

impl FromStr for Language {
    type Err = NotALanguage;

    fn from_str(text: &str) -> Result<Self, NotALanguage> {
        // The parser also takes `_` and an empty language; a tag has neither.
        if text.len() > 35 || text.contains('_') {
            return Err(NotALanguage);
        }
        let tag: LanguageIdentifier = text.parse().ok().ok_or(NotALanguage)?;
        if tag.language.is_empty() { Err(NotALanguage) } else { Ok(Self(tag.to_string())) }
    }
}

impl TryFrom<String> for Language {
    type Error = NotALanguage;

    fn try_from(text: String) -> Result<Self, NotALanguage> {
        text.parse()
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.0
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_minorities_and_scripts_are_taken_and_spelled_canonically() {
        for (given, canonical) in [
            ("vi", "vi"),
            ("VI-vn", "vi-VN"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("jra", "jra"),
            ("bdq", "bdq"),
            ("cjm", "cjm"),
            ("rad", "rad"),
            ("ckb-Arab-IQ", "ckb-Arab-IQ"),
        ] {
            let tag: Language = given.parse().expect(given);
            assert_eq!(tag.as_str(), canonical);
        }
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for bad in ["", "v", "vi_VN", "vietnamese language", "und", "vi-", "12", "tiếng", "vi\n"]
        {
            assert_eq!(bad.parse::<Language>(), Err(NotALanguage), "{bad:?}");
        }
    }

    #[test]
    fn scripts_decide_the_direction_before_languages_do() {
        for (tag, direction) in [
            ("ar", Direction::Rtl),
            ("fa-IR", Direction::Rtl),
            ("he", Direction::Rtl),
            ("ur", Direction::Rtl),
            ("ckb", Direction::Rtl),
            ("ku-Arab", Direction::Rtl),
            ("az-Arab", Direction::Rtl),
            ("uz-Latn", Direction::Ltr),
            ("vi", Direction::Ltr),
            ("zh-Hans", Direction::Ltr),
        ] {
            assert_eq!(tag.parse::<Language>().expect(tag).direction(), direction, "{tag}");
        }
    }
}
