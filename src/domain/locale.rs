//! Checks of names that come from outside lists: zones, countries, languages, dates, short texts.

use jiff::civil::Date;

use super::fault::Fault;
use super::text::Language;

/// The most languages that a unit or an account may name.
const MOST_LANGUAGES: usize = 40;

/// The years in which a date of this product can lie.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2199;

/// Checks that `zone` is in the IANA list.
pub fn check_zone(pointer: &str, zone: &str, faults: &mut Vec<Fault>) {
    if jiff::tz::TimeZone::get(zone).is_err() {
        let detail = format!(
            "{} is not a time zone of the IANA list, such as Asia/Ho_Chi_Minh",
            quoted(zone)
        );
        faults.push(Fault::new(pointer, "unknown_time_zone", detail).with("value", quoted(zone)));
    }
}

/// Checks that `country` has the form of an ISO 3166 code.
pub fn check_country(pointer: &str, country: &str, faults: &mut Vec<Fault>) {
    if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let detail = "a country is its ISO 3166 code, two capital letters such as VN";
        faults.push(Fault::new(pointer, "bad_country", detail));
    }
}

/// Checks a list of language tags: at least one, none twice, each of the form of BCP 47.
pub fn check_languages(pointer: &str, languages: &[String], faults: &mut Vec<Fault>) {
    if languages.is_empty() || languages.len() > MOST_LANGUAGES {
        let detail = format!("name between 1 and {MOST_LANGUAGES} languages");
        faults.push(Fault::new(pointer, "language_count", detail).with("max", MOST_LANGUAGES));
    }
    for (index, tag) in languages.iter().enumerate() {
        let here = format!("{pointer}/{index}");
        if tag.parse::<Language>().ok().as_ref().map(Language::as_str) != Some(tag.as_str()) {
            let detail = format!(
                "{} is not a language tag in its canonical form, such as vi or zh-Hans",
                quoted(tag)
            );
            faults.push(Fault::new(here, "bad_language", detail).with("value", quoted(tag)));
        } else if languages.iter().take(index).any(|earlier| earlier == tag) {
            let detail = format!("{tag} is named twice");
            faults.push(Fault::new(here, "repeated", detail).with("value", tag));
        }
    }
}

/// Checks that a day lies in a year that makes sense.
pub fn check_date(pointer: &str, date: Date, faults: &mut Vec<Fault>) {
    if !YEARS.contains(&date.year()) {
        let detail = format!("the year must lie between {} and {}", YEARS.start(), YEARS.end());
        faults.push(
            Fault::new(pointer, "date_out_of_range", detail)
                .with("first", YEARS.start())
                .with("last", YEARS.end()),
        );
    }
}

/// Checks a name or title: not blank, not longer than `max` characters, no control characters.
pub fn check_line(pointer: &str, text: &str, max: usize, faults: &mut Vec<Fault>) {
    if text.trim().is_empty() {
        faults.push(Fault::new(pointer, "blank", "must not be blank"));
    } else if text.chars().count() > max {
        let detail = format!("at most {max} characters");
        faults.push(Fault::new(pointer, "too_long", detail).with("max", max));
    }
    if text.chars().any(char::is_control) {
        let detail = "must be one line without control characters";
        faults.push(Fault::new(pointer, "control_character", detail));
    }
}

/// What was handed in, short enough to be repeated in an answer.
pub fn quoted(text: &str) -> String {
    let short: String = text.chars().filter(|it| !it.is_control()).take(60).collect();
    format!("“{short}”")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(check: impl Fn(&mut Vec<Fault>)) -> Vec<(String, &'static str)> {
        let mut faults = Vec::new();
        check(&mut faults);
        faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    #[test]
    fn zones_are_those_of_the_iana_list() {
        assert_eq!(codes(|f| check_zone("/z", "Asia/Ho_Chi_Minh", f)), []);
        for wrong in ["", "Asia/Hanoi2", "+07:00", "../../etc/passwd", "Mars/Base"] {
            let found = codes(|f| check_zone("/z", wrong, f));
            assert_eq!(found, [("/z".to_owned(), "unknown_time_zone")], "{wrong}");
        }
    }

    #[test]
    fn languages_are_canonical_and_named_once() {
        let list = |tags: &[&str]| tags.iter().map(|&tag| tag.to_owned()).collect::<Vec<_>>();
        assert_eq!(codes(|f| check_languages("/l", &list(&["vi", "zh-Hans", "km"]), f)), []);
        assert_eq!(
            codes(|f| check_languages("/l", &list(&["vi", "EN", "vi", "x y"]), f)),
            [
                ("/l/1".to_owned(), "bad_language"),
                ("/l/2".to_owned(), "repeated"),
                ("/l/3".to_owned(), "bad_language"),
            ]
        );
        assert_eq!(codes(|f| check_languages("/l", &[], f)), [("/l".to_owned(), "language_count")]);
    }

    #[test]
    fn lines_are_short_and_clean() {
        assert_eq!(codes(|f| check_line("/n", "Đại sứ quán", 20, f)), []);
        assert_eq!(codes(|f| check_line("/n", "  ", 20, f)), [("/n".to_owned(), "blank")]);
        assert_eq!(codes(|f| check_line("/n", "dài quá", 3, f)), [("/n".to_owned(), "too_long")]);
        assert_eq!(
            codes(|f| check_line("/n", "a\u{0}b", 20, f)),
            [("/n".to_owned(), "control_character")]
        );
    }

    #[test]
    fn dates_outside_all_reason_are_refused() {
        let absurd: Date = "9999-12-31".parse().unwrap();
        let found = codes(|f| check_date("/d", absurd, f));
        assert_eq!(found, [("/d".to_owned(), "date_out_of_range")]);
    }
}
