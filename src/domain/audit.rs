//! Audit entries and the chain of hashes that makes a change to any of them visible.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewEntry {
    /// Who: a person with a token, or a part of the service.
    pub actor: String,
    /// What was done, such as `unit.create`.
    pub action: String,
    /// The id of what it was done to.
    pub subject: String,
    /// What else is worth knowing; never a secret. No fractions: databases write them differently.
    pub detail: Value,
}

/// A link of the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its place, from 1.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What is recorded.
    pub entry: NewEntry,
    /// Hash of the link before and of this one.
    pub hash: String,
}

/// The hash of a link: SHA-256 over the hash before it and the entry in one fixed spelling.
pub fn link(before: &str, seq: i64, at: Timestamp, entry: &NewEntry) -> String {
    let mut text = String::new();
    for word in [before, &seq.to_string(), &at.as_millisecond().to_string()] {
        text.push_str(word);
        text.push('\n');
    }
    for word in [&entry.actor, &entry.action, &entry.subject] {
        canonical(&Value::String(word.clone()), &mut text);
        text.push('\n');
    }
    canonical(&entry.detail, &mut text);
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Whether `entry` is the unchanged successor of a link with the hash `before`.
pub fn follows(before: &str, entry: &Entry) -> bool {
    link(before, entry.seq, entry.at, &entry.entry) == entry.hash
}

/// JSON with sorted names and no spaces, so that it does not matter how a database keeps it.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (index, (name, member)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                canonical(&Value::String(name.clone()), out);
                out.push(':');
                canonical(member, out);
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            // Writing to a text cannot fail.
            let _written = write!(out, "{value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(detail: Value) -> NewEntry {
        NewEntry {
            actor: "usr_1".into(),
            action: "unit.create".into(),
            subject: "unit_1".into(),
            detail,
        }
    }

    #[test]
    fn the_order_of_names_does_not_matter_and_everything_else_does() {
        let at: Timestamp = "2026-09-02T00:00:00Z".parse().unwrap();
        let one = link("", 1, at, &entry(json!({"a": 1, "b": [true, null, "x"]})));
        let same: Value = serde_json::from_str(r#"{"b":[true,null,"x"],"a":1}"#).unwrap();
        assert_eq!(one, link("", 1, at, &entry(same)));
        assert_ne!(one, link("", 1, at, &entry(json!({"a": 2, "b": [true, null, "x"]}))));
        assert_ne!(one, link("0", 1, at, &entry(json!({"a": 1, "b": [true, null, "x"]}))));
        assert_ne!(one, link("", 2, at, &entry(json!({"a": 1, "b": [true, null, "x"]}))));
    }

    #[test]
    fn a_changed_entry_does_not_follow() {
        let at: Timestamp = "2026-09-02T00:00:00Z".parse().unwrap();
        let new = entry(json!({}));
        let hash = link("before", 7, at, &new);
        let mut kept = Entry { seq: 7, at, entry: new, hash };
        assert!(follows("before", &kept));
        kept.entry.actor = "usr_2".into();
        assert!(!follows("before", &kept));
    }
}
