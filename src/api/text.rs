//! What people read in a problem, in Vietnamese and English, by its stable code.
//!
//! English details come with the problem itself; the Vietnamese ones are templates here, whose
//! gaps take the problem's values. A code without a row falls back to English.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// The languages that problems are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tongue {
    /// English.
    En,
    /// Vietnamese.
    Vi,
}

impl Tongue {
    /// The one that the client likes best; English when it names neither.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let text = headers.get(ACCEPT_LANGUAGE).and_then(|it| it.to_str().ok()).unwrap_or_default();
        let mut best = (Self::En, 0.0_f32);
        for item in text.split(',') {
            let (tag, quality) = match item.split_once(";q=") {
                Some((tag, quality)) => (tag.trim(), quality.trim().parse().unwrap_or(0.0)),
                None => (item.trim(), 1.0),
            };
            let language = tag.split('-').next().unwrap_or_default();
            let tongue = match language.to_ascii_lowercase().as_str() {
                "vi" => Self::Vi,
                "en" => Self::En,
                _ => continue,
            };
            if quality > best.1 {
                best = (tongue, quality);
            }
        }
        best.0
    }

    /// The tag for `Content-Language`.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Vi => "vi",
        }
    }
}

/// The words for one code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// The code.
    pub(super) code: &'static str,
    /// English title.
    pub(super) en: &'static str,
    /// Vietnamese title.
    pub(super) vi: &'static str,
    /// Vietnamese detail with gaps in braces.
    pub(super) vi_detail: &'static str,
}

/// Shortens the tables.
pub(super) const fn words(
    code: &'static str,
    en: &'static str,
    vi: &'static str,
    vi_detail: &'static str,
) -> Words {
    Words { code, en, vi, vi_detail }
}

/// All tables.
const TABLES: &[&[Words]] = &[
    super::text_connections::WORDS,
    super::text_http::WORDS,
    super::text_holds::WORDS,
    super::text_imports::WORDS,
    super::text_nouns::WORDS,
    super::text_plans::WORDS,
    super::text_platforms::WORDS,
    super::text_embargoes::WORDS,
    super::text_rules::WORDS,
    super::text_series::WORDS,
    super::text_translations::WORDS,
    super::text_follow_ups::WORDS,
];

fn find(code: &str) -> Option<&'static Words> {
    TABLES.iter().flat_map(|table| table.iter()).find(|words| words.code == code)
}

/// All rows.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static Words> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The Vietnamese words of a code with their gaps.
#[cfg(test)]
pub(super) fn template(code: &str) -> Option<&'static str> {
    find(code).map(|words| words.vi_detail)
}

/// The title of a code.
pub(super) fn title(code: &str, tongue: Tongue) -> Option<&'static str> {
    let words = find(code)?;
    Some(match tongue {
        Tongue::En => words.en,
        Tongue::Vi => words.vi,
    })
}

/// The detail of a code with its gaps filled; `None` when it is to be told in English.
pub(super) fn detail(code: &str, tongue: Tongue, args: &[(&str, String)]) -> Option<String> {
    match tongue {
        Tongue::En => None,
        Tongue::Vi => fill(find(code)?.vi_detail, args),
    }
}

/// `None` when a gap has no value: a sentence with a hole is worse than one in English.
fn fill(template: &str, args: &[(&str, String)]) -> Option<String> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}')?;
        text.push_str(before);
        text.push_str(&args.iter().find(|(it, _)| *it == name)?.1);
        rest = behind;
    }
    text.push_str(rest);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(header: &str) -> Tongue {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, header.parse().unwrap());
        Tongue::wanted(&headers)
    }

    #[test]
    fn the_language_is_chosen_by_weight() {
        assert_eq!(wanted("vi"), Tongue::Vi);
        assert_eq!(wanted("fr-FR, vi-VN;q=0.8, en;q=0.5"), Tongue::Vi);
        assert_eq!(wanted("en-GB,vi;q=0.9"), Tongue::En);
        assert_eq!(wanted("vi;q=0"), Tongue::En);
        assert_eq!(wanted(""), Tongue::En);
        assert_eq!(wanted("*;;q=x"), Tongue::En);
    }

    #[test]
    fn gaps_are_filled_or_the_sentence_is_not_used() {
        let args = [("max", "10".to_owned())];
        assert_eq!(fill("tối đa {max} ký tự", &args).as_deref(), Some("tối đa 10 ký tự"));
        assert_eq!(fill("{min} đến {max}", &args), None);
    }

    #[test]
    fn no_code_has_two_rows() {
        let mut codes: Vec<_> = TABLES.iter().flat_map(|it| it.iter().map(|w| w.code)).collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }
}
