//! Prints the effective configuration: every key, its value, where it was set; secrets hidden.

use std::fmt::Write as _;

use super::fault::Origin;
use super::layers::{Layers, Value};
use super::secret;

/// Keys whose value is never shown.
const SECRETS: &[&str] = &[
    "vault.key",
    "facebook.app_secret",
    "x.client_secret",
    "x.consumer_secret",
    "mail.password",
    "media.s3.secret_access_key",
];

pub(super) fn effective(layers: &Layers) -> String {
    // Keys of the top level come first, as TOML wants it.
    let mut keys: Vec<_> = layers
        .settings
        .iter()
        .map(|(key, setting)| (key.rsplit_once('.').unwrap_or(("", key)), setting, key.as_str()))
        .collect();
    keys.sort_by_key(|((table, name), _, _)| (*table, *name));
    let mut text = String::new();
    let mut open = "";
    for ((table, name), setting, key) in keys {
        if table != open {
            let _infallible = write!(text, "\n[{table}]\n");
            open = table;
        }
        let value = shown(key, &setting.value);
        let _infallible = match &setting.origin {
            Origin::Default => writeln!(text, "{name} = {value}"),
            set @ (Origin::File { .. } | Origin::Environment(_)) => {
                writeln!(text, "{name} = {value} # {set}")
            }
        };
    }
    text
}

fn shown(key: &str, value: &Value) -> String {
    match value {
        Value::Text(text) if text.is_empty() => "\"\"".to_owned(),
        _ if SECRETS.contains(&key) => "\"(hidden)\"".to_owned(),
        Value::Text(text) if key == "database.url" => quoted(&secret::hide_password(text)),
        Value::Text(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        Value::Truth(truth) => truth.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_control() => {
                let _infallible = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
