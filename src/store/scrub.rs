//! Takes out of foreign words what a database cannot keep: PostgreSQL has no place for U+0000.

use serde_json::Value;

/// A text without it.
pub fn scrubbed(text: &str) -> String {
    text.replace('\0', "")
}

/// Every text in a value without it.
pub fn scrub(value: &mut Value) {
    match value {
        Value::String(text) => *text = scrubbed(text),
        Value::Array(items) => items.iter_mut().for_each(scrub),
        Value::Object(members) => members.values_mut().for_each(scrub),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
