//! The five fields of a cron expression as people write them, in the form in which the `cron` crate wants them.
//!
//! That crate wants seconds, and counts weekdays from Sunday as 1: `1-5` would be Sunday to Thursday. So every field is read here
//! and handed on as a list of numbers, weekdays by name.

use std::collections::BTreeSet;

use crate::domain::fault::Fault;
use crate::domain::locale::quoted;

/// What a field may hold.
struct Field {
    name: &'static str,
    least: u8,
    most: u8,
    names: &'static [&'static str],
}

const MONTHS: &[&str] =
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
/// From 0; Sunday is 7, too.
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, names: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[] },
    Field { name: "day", least: 1, most: 31, names: &[] },
    Field { name: "month", least: 1, most: 12, names: MONTHS },
    Field { name: "weekday", least: 0, most: 7, names: DAYS },
];

/// The longest expression that is read.
const LONGEST: usize = 200;

/// The expression for the `cron` crate.
pub(super) fn normal(pointer: &str, text: &str) -> Result<String, Fault> {
    let given: Vec<&str> = text.split_ascii_whitespace().collect();
    if given.len() != FIELDS.len() || text.len() > LONGEST {
        let count = given.len();
        let detail = format!(
            "wants five fields, minute hour day month weekday, such as \"30 8 * * 1-5\"; this has {count}. \
             There are no seconds and no years"
        );
        return Err(Fault::new(pointer, "cron_fields", detail).with("count", count));
    }
    let mut written = String::from("0");
    for (field, text) in FIELDS.iter().zip(given) {
        let values = field.read(text).ok_or_else(|| field.refuse(pointer, text))?;
        written.push(' ');
        written.push_str(&field.write(&values));
    }
    Ok(written)
}

/// What is said of an expression that nobody can read.
pub(super) fn unreadable(pointer: &str, text: &str) -> Fault {
    let detail = format!("{} is no cron expression", quoted(text));
    Fault::new(pointer, "cron_unreadable", detail).with("value", quoted(text))
}

impl Field {
    fn refuse(&self, pointer: &str, text: &str) -> Fault {
        let (name, least, most) = (self.name, self.least, self.most);
        let value = quoted(text);
        let detail = format!(
            "{value} is no {name}: write *, numbers from {least} to {most}, lists such as 1,3, ranges such as 1-5, \
             and steps such as */2 or 1-9/2; L, W, # and ? are not known"
        );
        let fault = Fault::new(pointer, "cron_field", detail).with("value", value);
        fault.with("field", name).with("min", least).with("max", most)
    }

    fn read(&self, text: &str) -> Option<BTreeSet<u8>> {
        let mut values = BTreeSet::new();
        for item in text.split(',') {
            let (range, step) = match item.split_once('/') {
                Some((range, step)) => (range, Self::number(step).filter(|step| *step > 0)?),
                None => (item, 1),
            };
            let (first, last) = match (range, range.split_once('-')) {
                ("*", _) => (self.least, if self.most == 7 { 6 } else { self.most }),
                (_, Some((first, last))) => (self.value(first)?, self.end(last)?),
                // A step from one number has no end that everybody agrees on.
                (_, None) if item.contains('/') => return None,
                (one, None) => (self.value(one)?, self.value(one)?),
            };
            if first > last {
                return None;
            }
            values.extend((first..=last).step_by(usize::from(step)));
        }
        Some(values)
    }

    fn number(text: &str) -> Option<u8> {
        let digits =
            !text.is_empty() && text.len() <= 2 && text.bytes().all(|it| it.is_ascii_digit());
        if digits { text.parse().ok() } else { None }
    }

    fn value(&self, text: &str) -> Option<u8> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(place) => u8::try_from(place).ok()? + self.least,
            None => Self::number(text)?,
        };
        (self.least..=self.most).contains(&value).then_some(value)
    }

    /// The end of a range: a week that is named to Sunday ends with it.
    fn end(&self, text: &str) -> Option<u8> {
        let value = self.value(text)?;
        Some(if self.most == 7 && value == 0 && text != "0" { 7 } else { value })
    }

    fn write(&self, values: &BTreeSet<u8>) -> String {
        let weekday = self.most == 7;
        let all = if weekday { 0..=6 } else { self.least..=self.most };
        let values: BTreeSet<u8> =
            values.iter().map(|&value| if weekday { value % 7 } else { value }).collect();
        if all.clone().all(|value| values.contains(&value)) {
            return "*".to_owned();
        }
        let word = |&value: &u8| match DAYS.get(usize::from(value)) {
            Some(day) if weekday => (*day).to_owned(),
            Some(_) | None => value.to_string(),
        };
        values.iter().map(word).collect::<Vec<_>>().join(",")
    }
}
