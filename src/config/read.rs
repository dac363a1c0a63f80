//! Reads typed values out of the layers and notes every fault instead of stopping at the first.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::fault::{Fault, Origin};
use super::layers::{Layers, Value};
use super::{duration, secret};

/// Stands for the data directory in paths.
const DATA_DIR: &str = "<data_dir>";

/// Reads keys and remembers which it read, so that a test sees an option nobody reads.
pub(super) struct Read<'a> {
    layers: &'a Layers,
    faults: RefCell<Vec<Fault>>,
    seen: RefCell<BTreeSet<String>>,
}

impl<'a> Read<'a> {
    pub(super) fn new(layers: &'a Layers) -> Self {
        Self { layers, faults: RefCell::default(), seen: RefCell::default() }
    }

    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults.into_inner()
    }

    #[cfg(test)]
    pub(super) fn seen(&self) -> BTreeSet<String> {
        self.seen.borrow().clone()
    }

    /// Notes that something is wrong with a key.
    pub(super) fn fault(&self, key: &str, message: &str) {
        let origin = self.layers.settings.get(key).map(|it| it.origin.clone());
        self.faults.borrow_mut().push(Fault {
            key: key.to_owned(),
            origin: origin.unwrap_or(Origin::Default),
            message: message.to_owned(),
        });
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.seen.borrow_mut().insert(key.to_owned());
        let setting = self.layers.settings.get(key);
        if setting.is_none() {
            self.fault(key, "is missing in default.toml");
        }
        setting.map(|setting| &setting.value)
    }

    /// A text as it is.
    pub(super) fn text(&self, key: &str) -> String {
        match self.value(key) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Integer(_) | Value::Truth(_) | Value::List(_)) | None => String::new(),
        }
    }

    /// A text that may be left empty.
    pub(super) fn optional(&self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    /// A list of texts.
    pub(super) fn list(&self, key: &str) -> Vec<String> {
        match self.value(key) {
            Some(Value::List(items)) => items.clone(),
            Some(Value::Integer(_) | Value::Truth(_) | Value::Text(_)) | None => Vec::new(),
        }
    }

    /// A switch.
    pub(super) fn truth(&self, key: &str) -> bool {
        matches!(self.value(key), Some(Value::Truth(true)))
    }

    /// A whole number within bounds.
    pub(super) fn number<N: TryFrom<i64> + Default>(
        &self,
        key: &str,
        within: RangeInclusive<i64>,
    ) -> N {
        let Some(Value::Integer(number)) = self.value(key) else { return N::default() };
        match N::try_from(*number) {
            Ok(value) if within.contains(number) => value,
            _ => {
                let bounds = format!("must lie between {} and {}", within.start(), within.end());
                self.fault(key, &bounds);
                N::default()
            }
        }
    }

    /// A duration of at least `least`.
    pub(super) fn duration(&self, key: &str, least: Duration) -> Duration {
        let text = self.text(key);
        match duration::parse(&text) {
            Some(span) if span >= least => span,
            Some(_) => {
                self.fault(key, &format!("must be at least {}", duration::print(least)));
                least
            }
            None => {
                let message = format!("{text:?} is no duration; write 250ms, 20s, 5m, 4h or 2d");
                self.fault(key, &message);
                least
            }
        }
    }

    /// A duration that may be left empty.
    pub(super) fn optional_duration(&self, key: &str, least: Duration) -> Option<Duration> {
        self.optional(key).map(|_| self.duration(key, least))
    }

    /// A list of growing durations; it may be empty.
    pub(super) fn durations(&self, key: &str) -> Vec<Duration> {
        let texts = self.list(key);
        let spans: Vec<Duration> = texts.iter().filter_map(|it| duration::parse(it)).collect();
        if spans.len() < texts.len() || !spans.is_sorted() {
            self.fault(key, "must be growing durations, such as [\"10m\", \"1h\"]");
        }
        spans
    }

    /// Something that reads itself from its text.
    pub(super) fn parsed<T>(&self, key: &str, otherwise: T, expected: &str) -> T
    where
        T: std::str::FromStr,
    {
        let text = self.text(key);
        text.trim().parse().unwrap_or_else(|_| {
            self.fault(key, &format!("{text:?} is not {expected}"));
            otherwise
        })
    }

    /// An absolute web address without query, fragment or login.
    pub(super) fn url(&self, key: &str) -> Option<Url> {
        let text = self.text(key);
        let plain = |url: &Url| {
            matches!(url.scheme(), "https" | "http")
                && url.host_str().is_some()
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        };
        let url = Url::parse(text.trim()).ok().filter(plain);
        if url.is_none() {
            // The text is not shown: a login in an address is a secret.
            self.fault(key, "is not an address like https://host/path (no query, no login)");
        }
        url
    }

    /// A secret, given as such or as a file.
    pub(super) fn secret(&self, key: &str) -> Option<SecretString> {
        let file_key = format!("{key}_file");
        let file = self.optional(&file_key);
        let text = self.optional(key);
        let Some(file) = file else { return text.map(SecretString::from) };
        match secret::read(Path::new(&file)) {
            Ok(secret) => Some(secret),
            Err(error) => {
                self.fault(&file_key, &format!("{file}: {error}"));
                None
            }
        }
    }
}

/// A path, in which `<data_dir>` stands for the data directory.
pub(super) fn path(text: &str, data_dir: &Path) -> PathBuf {
    match text.strip_prefix(DATA_DIR) {
        Some(rest) => data_dir.join(rest.trim_start_matches('/')),
        None => PathBuf::from(text),
    }
}
