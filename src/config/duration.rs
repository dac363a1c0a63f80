//! Durations as people write them: `250ms`, `20s`, `5m`, `4h`, `2d`.

use std::time::Duration;

/// Units, with their length in milliseconds. `ms` stands before `m` and `s`, which end it.
const UNITS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The longest that may be written: far above any sensible wait, far below any overflow.
const LONGEST: Duration = Duration::from_hours(24 * 3_650);

/// Reads a duration; `None` when it is not written as above or longer than ten years.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, length) =
        UNITS.iter().find_map(|(unit, length)| Some((text.strip_suffix(unit)?, *length)))?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let span = Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(length)?);
    (span <= LONGEST).then_some(span)
}

/// Writes a duration in the largest unit that is exact.
pub(super) fn print(span: Duration) -> String {
    let millis = span.as_millis();
    let exact = UNITS.iter().rev().find(|(_, length)| {
        millis >= u128::from(*length) && millis.is_multiple_of(u128::from(*length))
    });
    match exact {
        Some((unit, length)) => format!("{}{unit}", millis / u128::from(*length)),
        None => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_read_and_written_back() {
        for (text, millis) in [
            ("250ms", 250),
            ("20s", 20_000),
            ("5m", 300_000),
            ("4h", 14_400_000),
            ("2d", 172_800_000),
            ("0s", 0),
        ] {
            let span = parse(text).unwrap();
            assert_eq!(span, Duration::from_millis(millis), "{text}");
            assert_eq!(print(span), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "s",
            "5",
            "5 s",
            "-5s",
            "+5s",
            "1.5s",
            "5S",
            "5min",
            "1h30m",
            "99999999999999d",
            "4000d",
            "٥s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
