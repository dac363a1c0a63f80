//! The layers laid over each other: which value each key has, and where it was set.
//!
//! The defaults name every key there is and the kind of its value, so they are also what unknown
//! keys and wrong kinds are found by.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Origin};

const DEFAULTS: &str = include_str!("default.toml");

/// Ends the name of a key that names a file with the value of its neighbour.
const FILE: &str = "_file";

/// What all our variables begin with.
pub(super) const PREFIX: &str = "CHANCERY_";

/// Variables that are no options: which file to read, what tests need, and what container platforms
/// set for a service that happens to be called like us.
const NO_OPTIONS: &[&str] =
    &["CHANCERY_CONFIG", "CHANCERY_TEST_", "CHANCERY_CRASH_", "CHANCERY_PORT", "CHANCERY_SERVICE_"];

/// Keys whose members may also be given as one text `a=1, b=2`.
const MAPS: &[&str] = &["publish.grace"];

/// A value without a type of its own yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Truth(bool),
    List(Vec<String>),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text in quotes",
            Self::Integer(_) => "a whole number",
            Self::Truth(_) => "true or false",
            Self::List(_) => "a list of texts",
        }
    }

    fn same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// A value and where it was set.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// All keys with their values, and what was wrong on the way.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) settings: BTreeMap<String, Setting>,
    pub(super) faults: Vec<Fault>,
}

impl Layers {
    pub(super) fn defaults() -> Self {
        let mut layers = Self { settings: BTreeMap::new(), faults: Vec::new() };
        match DeTable::parse(DEFAULTS) {
            Ok(table) => {
                layers.walk(
                    table.get_ref(),
                    "",
                    &mut |layers, key, value, _| match scalar(value) {
                        Some(value) => {
                            layers.settings.insert(key, Setting { value, origin: Origin::Default });
                        }
                        None => layers.fault(&key, Origin::Default, "is of no kind that is known"),
                    },
                );
            }
            Err(error) => layers.fault("", Origin::Default, error.message()),
        }
        layers
    }

    pub(super) fn add_file(&mut self, path: &Path) {
        let whole = |line| Origin::File { path: path.to_owned(), line };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.fault("", whole(1), &format!("cannot be read: {error}")),
        };
        let line =
            |offset: usize| 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        match DeTable::parse(&text) {
            Ok(table) => {
                let mut given = Vec::new();
                self.walk(table.get_ref(), "", &mut |_, key, value, offset| {
                    given.push((key, scalar(value), whole(line(offset))));
                });
                self.lay(given);
            }
            Err(error) => {
                let at = line(error.span().map_or(0, |span| span.start));
                // The parser's picture of the line is left out: it may show a secret.
                self.fault("", whole(at), error.message());
            }
        }
    }

    pub(super) fn add_environment(&mut self, variables: Vec<(String, String)>) {
        let mut given = Vec::new();
        for (variable, text) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else { continue };
            if NO_OPTIONS.iter().any(|it| variable.starts_with(it)) {
                continue;
            }
            let key = name.to_lowercase().replace("__", ".");
            let origin = Origin::Environment(variable);
            let value = match self.settings.get(&key).map(|setting| &setting.value) {
                Some(Value::Integer(_)) => text.trim().parse().ok().map(Value::Integer),
                Some(Value::Truth(_)) => text.trim().parse().ok().map(Value::Truth),
                Some(Value::List(_)) => Some(Value::List(split(&text))),
                Some(Value::Text(_)) | None => Some(Value::Text(text)),
            };
            given.push((key, value, origin));
        }
        self.lay(given);
    }

    pub(super) fn fault(&mut self, key: &str, origin: Origin, message: &str) {
        self.faults.push(Fault { key: key.to_owned(), origin, message: message.to_owned() });
    }

    /// Lays one layer over what is there.
    fn lay(&mut self, given: Vec<(String, Option<Value>, Origin)>) {
        let mut laid: BTreeMap<String, Setting> = BTreeMap::new();
        for (key, value, origin) in given {
            if MAPS.contains(&key.as_str()) {
                match value {
                    Some(Value::Text(text)) => {
                        for member in split(&text) {
                            let (name, value) = member.split_once('=').unwrap_or((&member, ""));
                            let key = format!("{key}.{}", name.trim());
                            let value = Value::Text(value.trim().to_owned());
                            self.accept(&mut laid, key, Some(value), origin.clone());
                        }
                    }
                    _ => self.fault(
                        &key,
                        origin,
                        "expected a table or a text such as \"a=5m, b=1h\"",
                    ),
                }
            } else {
                self.accept(&mut laid, key, value, origin);
            }
        }
        self.one_of_each_pair(&mut laid);
        self.settings.append(&mut laid);
    }

    fn accept(
        &mut self,
        laid: &mut BTreeMap<String, Setting>,
        key: String,
        value: Option<Value>,
        origin: Origin,
    ) {
        let Some(known) = self.settings.get(&key).map(|setting| setting.value.clone()) else {
            let message = match self.nearest(&key) {
                Some(near) => format!("there is no such option; did you mean {near}?"),
                None => "there is no such option".to_owned(),
            };
            return self.fault(&key, origin, &message);
        };
        match value {
            Some(value) if value.same_kind(&known) => {
                laid.insert(key, Setting { value, origin });
            }
            _ => self.fault(&key, origin, &format!("expected {}", known.kind())),
        }
    }

    /// A key and its `_file` neighbour: not both in one layer, and the newer layer takes both.
    fn one_of_each_pair(&mut self, laid: &mut BTreeMap<String, Setting>) {
        let pairs: Vec<(String, String)> = self
            .settings
            .keys()
            .filter_map(|key| Some((key.strip_suffix(FILE)?.to_owned(), key.clone())))
            .filter(|(plain, _)| self.settings.contains_key(plain))
            .collect();
        for (plain, file) in pairs {
            let set = |key: &str| laid.get(key).filter(|it| it.value != Value::Text(String::new()));
            match (set(&plain).cloned(), set(&file).cloned()) {
                (Some(_), Some(second)) => {
                    self.fault(
                        &file,
                        second.origin,
                        &format!("is set together with {plain}; keep one"),
                    );
                }
                (Some(first), None) => {
                    laid.insert(file, Setting { value: Value::Text(String::new()), ..first });
                }
                (None, Some(second)) => {
                    laid.insert(plain, Setting { value: Value::Text(String::new()), ..second });
                }
                (None, None) => {}
            }
        }
    }

    fn walk(
        &mut self,
        table: &DeTable<'_>,
        above: &str,
        each: &mut dyn FnMut(&mut Self, String, &DeValue<'_>, usize),
    ) {
        for (name, value) in table {
            let key = match above {
                "" => name.get_ref().to_string(),
                above => format!("{above}.{}", name.get_ref()),
            };
            match value.get_ref() {
                DeValue::Table(inner) => self.walk(inner, &key, each),
                leaf @ (DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_)) => each(self, key, leaf, name.span().start),
            }
        }
    }

    /// The known key that differs least, when it differs little.
    fn nearest(&self, key: &str) -> Option<&str> {
        let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
        self.settings
            .keys()
            .map(|known| {
                let moved = last(known) == last(key);
                (if moved { 1 } else { distance(known, key) }, known.as_str())
            })
            .filter(|(far, _)| *far <= 2)
            .min()
            .map(|(_, known)| known)
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

fn scalar(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::Text(text.to_string())),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Integer)
        }
        DeValue::Boolean(truth) => Some(Value::Truth(*truth)),
        DeValue::Array(items) => items
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map(Value::List),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// How many letters must be put in, taken out or changed to make one text the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        let mut next = vec![before];
        for (right, above) in b.iter().zip(row.iter().skip(1)) {
            let change = diagonal + usize::from(left != *right);
            before = change.min(before + 1).min(above + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
