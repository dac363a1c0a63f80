//! Calendars as RFC 5545 wants them: lines escaped and folded, instants, days, and zones as their clocks go.

use jiff::civil::Date;
use jiff::tz::{Dst, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// The longest line in bytes, without its end.
const LONGEST: usize = 75;

/// How much a zone is told of beyond the time that is asked for.
const AROUND: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A calendar that is being written.
#[derive(Debug, Default)]
pub struct Calendar {
    text: String,
}

impl Calendar {
    /// What was written.
    pub fn finish(self) -> String {
        self.text
    }

    /// Begins a component.
    pub fn begin(&mut self, component: &str) {
        self.plain("BEGIN", component);
    }

    /// Ends it.
    pub fn end(&mut self, component: &str) {
        self.plain("END", component);
    }

    /// A property whose value is one of the standard's own words, a number or an address.
    pub fn plain(&mut self, name: &str, value: &str) {
        self.line(&format!("{name}:{value}"));
    }

    /// A property with a text of people.
    pub fn text(&mut self, name: &str, text: &str) {
        self.line(&format!("{name}:{}", escaped(text)));
    }

    /// A property with several texts.
    pub fn texts(&mut self, name: &str, texts: &[&str]) {
        let texts: Vec<String> = texts.iter().map(|it| escaped(it)).collect();
        self.line(&format!("{name}:{}", texts.join(",")));
    }

    /// An instant, to the second.
    pub fn instant(&mut self, name: &str, at: Timestamp) {
        self.line(&format!("{name}:{}", at.strftime("%Y%m%dT%H%M%SZ")));
    }

    /// A whole day, wherever the reader is.
    pub fn day(&mut self, name: &str, day: Date) {
        self.line(&format!("{name};VALUE=DATE:{}", day.strftime("%Y%m%d")));
    }

    /// An instant as the clocks of a zone show it, whose [`Calendar::zone`] must stand in the calendar. What they show
    /// twice means the first time: the second is written as an instant.
    pub fn local(&mut self, name: &str, zone: &str, at: Timestamp) {
        let shown = TimeZone::get(zone).ok().and_then(|zone| {
            let civil = zone.to_datetime(at);
            let meant = zone.to_ambiguous_timestamp(civil).compatible().ok()?;
            (meant == at).then_some(civil)
        });
        match shown {
            Some(civil) => {
                let shown = civil.strftime("%Y%m%dT%H%M%S");
                self.line(&format!("{name};TZID={zone}:{shown}"));
            }
            None => self.instant(name, at),
        }
    }

    /// A zone with every change of its clocks around a time. No rule is written: governments change them.
    pub fn zone(&mut self, name: &str, from: Timestamp, to: Timestamp) {
        let Ok(zone) = TimeZone::get(name) else { return };
        let from = from.saturating_sub(AROUND).unwrap_or(Timestamp::MIN);
        let to = to.saturating_add(AROUND).unwrap_or(Timestamp::MAX);
        self.begin("VTIMEZONE");
        self.plain("TZID", name);
        let before = zone.to_offset_info(from);
        let mut offset = before.offset();
        let always = Timestamp::UNIX_EPOCH.min(from);
        let first = Change { at: always, before: offset, after: offset, dst: before.dst() };
        self.change(&first, before.abbreviation());
        for next in zone.following(from).take_while(|it| it.timestamp() <= to) {
            let (at, after) = (next.timestamp(), next.offset());
            let change = Change { at, before: offset, after, dst: next.dst() };
            self.change(&change, next.abbreviation());
            offset = after;
        }
        self.end("VTIMEZONE");
    }

    fn change(&mut self, change: &Change, name: &str) {
        let component = match change.dst {
            Dst::Yes => "DAYLIGHT",
            Dst::No => "STANDARD",
        };
        self.begin(component);
        let begins = change.before.to_datetime(change.at);
        self.plain("DTSTART", &begins.strftime("%Y%m%dT%H%M%S").to_string());
        self.plain("TZOFFSETFROM", &offset(change.before));
        self.plain("TZOFFSETTO", &offset(change.after));
        self.text("TZNAME", name);
        self.end(component);
    }

    /// Whatever stands in it, a line stays one: its only ends and folds are those that are made here.
    fn line(&mut self, line: &str) {
        let line: String = line.chars().filter(|it| !it.is_control()).collect();
        let (mut rest, mut room) = (line.as_str(), LONGEST);
        while rest.len() > room {
            let (folded, later) = rest.split_at(fold(rest, room));
            self.text.push_str(folded);
            self.text.push_str("\r\n ");
            (rest, room) = (later, LONGEST - 1);
        }
        self.text.push_str(rest);
        self.text.push_str("\r\n");
    }
}

/// Where a line is folded that has no more room: between letters, as some programs lose a space beside a fold.
fn fold(line: &str, room: usize) -> usize {
    let places = line.char_indices().map(|(at, _)| at).take_while(|at| *at <= room).skip(1);
    let is_clear = |at: &usize| {
        let (before, after) = line.split_at(*at);
        !before.ends_with(' ') && !after.starts_with(' ')
    };
    let clear = places.clone().filter(is_clear).last();
    clear.or_else(|| places.last()).unwrap_or(line.len())
}

/// A change of a zone's clocks.
struct Change {
    at: Timestamp,
    before: Offset,
    after: Offset,
    dst: Dst,
}

fn offset(offset: Offset) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if seconds == 0 {
        format!("{sign}{hours:02}{minutes:02}")
    } else {
        format!("{sign}{hours:02}{minutes:02}{seconds:02}")
    }
}

/// Text as it stands in a line. Whatever some program takes for the end of a line becomes the one that is meant to be
/// one; other control characters are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => {
                letters.next_if_eq(&'\n');
                out.push_str("\\n");
            }
            '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push_str("\\n"),
            '\t' => out.push(' '),
            '\\' | ';' | ',' => out.extend(['\\', letter]),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn written(write: impl Fn(&mut Calendar)) -> String {
        let mut calendar = Calendar::default();
        write(&mut calendar);
        calendar.finish()
    }

    proptest! {
        /// What is folded is found again, whatever it is, and no line is longer than allowed.
        #[test]
        fn a_line_is_folded_and_found_again(text in "[ -~]{0,80}(\\PC|\\p{Emoji}|[\r\n\t\u{85}\u{2028}]){0,120}") {
            let folded = written(|it| it.text("SUMMARY", &text));
            prop_assert!(folded.ends_with("\r\n"));
            let lines: Vec<&str> = folded.trim_end_matches("\r\n").split("\r\n").collect();
            for (number, line) in lines.iter().enumerate() {
                prop_assert!(line.len() <= LONGEST, "{line:?}");
                prop_assert!(!line.contains(['\r', '\n']));
                prop_assert_eq!(line.starts_with(' '), number > 0);
            }
            let whole: String = lines.iter().enumerate().map(|(number, line)| &line[usize::from(number > 0)..]).collect();
            let plain: String = format!("SUMMARY:{}", escaped(&text)).chars().filter(|it| !it.is_control()).collect();
            prop_assert_eq!(whole, plain);
        }
    }

    #[test]
    fn nothing_in_a_value_ends_its_line() {
        let out = "x\r\nATTACH:https://evil.example/\r\n y\nz\u{0}\u{7}";
        assert_eq!(
            written(|it| it.text("SUMMARY", out)),
            "SUMMARY:x\\nATTACH:https://evil.example/\\n y\\nz\r\n"
        );
        assert_eq!(written(|it| it.plain("URL", "a\r\nb")), "URL:ab\r\n");
        assert_eq!(written(|it| it.texts("C", &["a,b", "c;d\\"])), "C:a\\,b,c\\;d\\\\\r\n");
    }

    #[test]
    fn instants_days_and_zones_are_those_of_the_standard() {
        let one = at("2026-09-02T02:00:00.5Z");
        assert_eq!(written(|it| it.instant("DTSTART", one)), "DTSTART:20260902T020000Z\r\n");
        let day = jiff::civil::date(2026, 9, 2);
        assert_eq!(written(|it| it.day("DTSTART", day)), "DTSTART;VALUE=DATE:20260902\r\n");
        let paris = |at: Timestamp| written(|it| it.local("DTSTART", "Europe/Paris", at));
        assert_eq!(paris(one), "DTSTART;TZID=Europe/Paris:20260902T040000\r\n");
        // On 25 October half past two is shown twice.
        let [first, second] = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"].map(at);
        assert_eq!(paris(first), "DTSTART;TZID=Europe/Paris:20261025T023000\r\n");
        assert_eq!(paris(second), "DTSTART:20261025T013000Z\r\n");
        let zone = written(|it| it.zone("Asia/Ho_Chi_Minh", one, one));
        assert_eq!(zone.matches("BEGIN:STANDARD").count(), 1, "{zone}");
        assert!(zone.contains("TZOFFSETTO:+0700\r\n"), "{zone}");
        assert_eq!(offset(Offset::from_seconds(-12_345).unwrap()), "-032545");
    }
}
