//! Reading JSON strictly: no duplicate names, no deep nesting, no unknown fields, all faults told.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::domain::fault::Fault;
use crate::service::Told;

/// How deep arrays and objects may lie in each other.
const DEEPEST: usize = 64;

/// How many values a body may hold. Ours have a few hundred; each costs far more memory than text.
const MOST_VALUES: usize = 50_000;

/// How many faults are looked for; each costs a few readings of the body.
const MOST_FAULTS: usize = 40;

/// From how many values on only the first fault is told, because of the same cost.
const MANY_VALUES: usize = 5_000;

/// Reads text into a tree, or says why it cannot be.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, Told> {
    if let Err(error) = std::str::from_utf8(bytes) {
        let detail = format!("the body must be UTF-8; byte {} is not", error.valid_up_to());
        return Err(Told::new("not_utf8", detail));
    }
    let (found, left) = (RefCell::new(None), Cell::new(MOST_VALUES));
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let tree = Strict { depth: 0, left: &left, found: &found }
        .deserialize(&mut from)
        .and_then(|tree| from.end().map(|()| tree));
    tree.map_err(|error| {
        found.take().unwrap_or_else(|| {
            let reason = error.to_string();
            Told::new("bad_json", format!("not JSON: {reason}")).with("reason", reason)
        })
    })
}

/// Reads a tree, refusing what `serde_json` itself would let pass.
struct Strict<'a> {
    depth: usize,
    left: &'a Cell<usize>,
    found: &'a RefCell<Option<Told>>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(&self) -> Result<Strict<'_>, E> {
        if self.depth == DEEPEST {
            let detail = format!("nested more than {DEEPEST} deep");
            self.found.replace(Some(Told::new("too_deep", detail).with("max", DEEPEST)));
            return Err(E::custom("too deep"));
        }
        Ok(Strict { depth: self.depth + 1, ..self.again() })
    }

    fn again(&self) -> Strict<'_> {
        Strict { depth: self.depth, left: self.left, found: self.found }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        let Some(left) = self.left.get().checked_sub(1) else {
            let detail = format!("more than {MOST_VALUES} values in one body; send fewer at once");
            self.found.replace(Some(Told::new("too_many_values", detail).with("max", MOST_VALUES)));
            return Err(serde::de::Error::custom("too many values"));
        };
        self.left.set(left);
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(Value::Bool(it))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
        Ok(Value::from(it))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Value, E> {
        Ok(Value::from(it))
    }

    fn visit_f64<E: serde::de::Error>(self, it: f64) -> Result<Value, E> {
        Number::from_f64(it).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, it: &str) -> Result<Value, E> {
        Ok(Value::String(it.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner.again())? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner.again())?;
            if object.insert(name.clone(), value).is_some() {
                let short = crate::domain::locale::quoted(&name);
                let detail = format!("the name {short} is given twice in one object");
                self.found.replace(Some(Told::new("duplicate_key", detail).with("name", short)));
                return Err(serde::de::Error::custom("duplicate name"));
            }
        }
        Ok(Value::Object(object))
    }
}

/// Reads a type from a tree, or tells all that is wrong: every unknown field, and every wrong or
/// missing one that can be seen.
///
/// A reader stops at the first value that it cannot take. To see the next one, the bad value is
/// replaced by something that it would have taken, and the whole is read again.
pub(super) fn typed<T: DeserializeOwned>(mut tree: Value) -> Result<T, Vec<Fault>> {
    // A list would be taken for an object that has nothing but what may be left out.
    if tree.is_array() {
        return Err(vec![Fault::new("", "wrong_type", "invalid type: list, expected an object")]);
    }
    let mut unknown = BTreeMap::new();
    let mut faults: Vec<Fault> = Vec::new();
    let rounds = if values(&tree) > MANY_VALUES { 1 } else { MOST_FAULTS };
    for _ in 0..rounds {
        match read::<T>(&tree, &mut unknown) {
            Ok(value) if faults.is_empty() && unknown.is_empty() => return Ok(value),
            Ok(_) => break,
            Err(bad) => {
                // What lies inside of our own replacement is nobody's fault.
                if !faults.iter().any(|fault| below(&bad.pointer, &fault.pointer)) {
                    faults.push(bad.fault());
                }
                if rounds == 1 || !mend::<T>(&mut tree, &bad) {
                    break;
                }
            }
        }
    }
    faults.extend(unknown.into_values());
    Err(faults)
}

fn values(tree: &Value) -> usize {
    1 + match tree {
        Value::Array(items) => items.iter().map(values).sum(),
        Value::Object(members) => members.values().map(values).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0_usize,
    }
}

/// Whether a place lies inside of another one.
fn below(pointer: &str, outer: &str) -> bool {
    pointer.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

/// What a reader stopped at.
struct Bad {
    pointer: String,
    message: String,
}

impl Bad {
    fn fault(&self) -> Fault {
        if self.message.starts_with("missing field") {
            return Fault::new(&self.pointer, "missing", "this field is needed");
        }
        // The name of a type of ours says nothing to people.
        let message = match self.message.split_once("expected struct ") {
            Some((before, _)) => format!("{before}expected an object"),
            None => self.message.clone(),
        };
        Fault::new(&self.pointer, "wrong_type", message)
    }
}

fn read<T: DeserializeOwned>(
    tree: &Value,
    unknown: &mut BTreeMap<String, Fault>,
) -> Result<T, Bad> {
    let mut track = serde_path_to_error::Track::new();
    let mut note = |path: serde_ignored::Path<'_>| {
        if unknown.len() >= MOST_FAULTS {
            return;
        }
        let pointer = ignored_pointer(&path);
        let fault = Fault::new(&pointer, "unknown_field", "there is no such field");
        unknown.insert(pointer, fault);
    };
    let tracked = serde_path_to_error::Deserializer::new(tree, &mut track);
    let result = T::deserialize(serde_ignored::Deserializer::new(tracked, &mut note));
    result.map_err(|error: serde_json::Error| {
        let message = error.to_string();
        let mut pointer = tracked_pointer(&track.path());
        // A missing field is reported at the object; its own place is more useful.
        if let Some(name) =
            message.strip_prefix("missing field `").and_then(|it| it.split('`').next())
        {
            push(&mut pointer, name);
        }
        Bad { pointer, message }
    })
}

/// Puts something acceptable in the place of what is bad; false when nothing is.
fn mend<T: DeserializeOwned>(tree: &mut Value, bad: &Bad) -> bool {
    let Some((parent, name)) = bad.pointer.rsplit_once('/') else { return false };
    let name = name.replace("~1", "/").replace("~0", "~");
    let mut candidates: Vec<Value> = hint(&bad.message).into_iter().chain(anything()).collect();
    let mut next = 0;
    while let Some(candidate) = candidates.get(next).cloned() {
        next += 1;
        let place = match tree.pointer_mut(parent) {
            Some(Value::Object(members)) => members.entry(name.clone()).or_insert(Value::Null),
            Some(Value::Array(items)) => {
                let Some(item) = name.parse().ok().and_then(|at: usize| items.get_mut(at)) else {
                    return false;
                };
                item
            }
            _ => return false,
        };
        *place = candidate;
        match read::<T>(tree, &mut BTreeMap::new()) {
            Err(other) if other.pointer == bad.pointer => {
                let hint = hint(&other.message).filter(|it| !candidates.contains(it));
                candidates.extend(hint);
            }
            Ok(_) | Err(_) => return true,
        }
    }
    false
}

/// Values of which nearly every reader takes one.
fn anything() -> impl Iterator<Item = Value> {
    let texts = ["", "2000-01-01", "2000-01-01T00:00:00Z", "00:00", "vi", "https://example.org/"];
    let plain = [
        Value::Null,
        Value::from(0),
        Value::from(1),
        Value::Bool(false),
        Value::Array(Vec::new()),
        Value::Object(Map::new()),
    ];
    plain.into_iter().chain(texts.into_iter().map(Value::from))
}

/// A value that a reader says itself that it would take: one of its words, or an id.
fn hint(complaint: &str) -> Option<Value> {
    if let Some(prefix) = complaint.strip_prefix("not an id that begins with ") {
        return Some(Value::from(format!("{prefix}{:032x}", 0)));
    }
    let (_, expected) = complaint.split_once("expected")?;
    expected.split('`').nth(1).map(Value::from)
}

fn push(pointer: &mut String, part: &str) {
    pointer.push('/');
    pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
}

fn tracked_pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            // The name of the object's one member.
            Segment::Enum { variant } => push(&mut pointer, variant),
            Segment::Unknown => {}
        }
    }
    pointer
}

fn ignored_pointer(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => {
            let mut pointer = ignored_pointer(parent);
            push(&mut pointer, &index.to_string());
            pointer
        }
        Path::Map { parent, key } => {
            let mut pointer = ignored_pointer(parent);
            push(&mut pointer, key);
            pointer
        }
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => ignored_pointer(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::units::{NewUnit, UnitChange};

    fn refused(text: &[u8]) -> &'static str {
        parse(text).expect_err("must be refused").code
    }

    #[test]
    fn a_body_that_is_not_plain_json_is_refused() {
        for (text, code) in [
            (&b"{\"a\":1,\"b\":{\"a\":1,\"a\":2}}"[..], "duplicate_key"),
            (b"{\"a\":1,\"\\u0061\":2}", "duplicate_key"),
            (b"\xff\xfe", "not_utf8"),
            (b"{\"a\":\"\xc3\x28\"}", "not_utf8"),
            (b"", "bad_json"),
            (b"{\"a\":NaN}", "bad_json"),
            (b"{\"a\":1e999}", "bad_json"),
            (b"{\"a\":\"\\ud800\"}", "bad_json"),
            (b"{} {}", "bad_json"),
            (b"{\"a\":1,}", "bad_json"),
        ] {
            assert_eq!(refused(text), code, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(64).as_bytes()).is_ok());
        assert_eq!(refused(nested(65).as_bytes()), "too_deep");
        assert_eq!(refused("[".repeat(1_000_000).as_bytes()), "too_deep");
        assert_eq!(refused("{\"a\":".repeat(100_000).as_bytes()), "too_deep");
    }

    #[test]
    fn the_number_of_values_is_bounded() {
        let items = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert!(parse(items(MOST_VALUES - 1).as_bytes()).is_ok());
        assert_eq!(refused(items(MOST_VALUES).as_bytes()), "too_many_values");
        let names: Vec<_> = (0..MOST_VALUES).map(|it| format!("\"k{it}\":0")).collect();
        assert_eq!(refused(format!("{{{}}}", names.join(",")).as_bytes()), "too_many_values");
    }

    /// What is told is bounded as well, and so is the work of finding it.
    #[test]
    fn no_more_than_some_faults_are_told() {
        let names: Vec<_> = (0..20_000).map(|it| format!("\"k{it}\":0")).collect();
        let all = faults::<NewUnit>(&format!("{{\"kind\":1,{}}}", names.join(",")));
        assert_eq!(all.len(), 1 + MOST_FAULTS);
        assert_eq!(all[0], ("/kind".to_owned(), "wrong_type"));
    }

    fn faults<T: DeserializeOwned>(text: &str) -> Vec<(String, &'static str)> {
        let faults = typed::<T>(parse(text.as_bytes()).unwrap()).err().unwrap_or_default();
        faults.into_iter().map(|it| (it.pointer, it.code)).collect()
    }

    #[test]
    fn every_unknown_wrong_and_missing_field_is_told_at_once() {
        let found = faults::<NewUnit>(
            r#"{"name":{"vi":1,"en":"E","fr":"F"},"kind":"palace","time_zone":7,"state":"open",
                "languages":["vi",3],"opened_on":"soon","parent_id":"post_1"}"#,
        );
        let mut pointers: Vec<_> = found.iter().map(|it| (it.0.as_str(), it.1)).collect();
        pointers.sort_unstable();
        assert_eq!(
            pointers,
            [
                ("/kind", "wrong_type"),
                ("/languages/1", "wrong_type"),
                ("/name/fr", "unknown_field"),
                ("/name/vi", "wrong_type"),
                ("/opened_on", "wrong_type"),
                ("/parent_id", "wrong_type"),
                ("/state", "unknown_field"),
                ("/time_zone", "wrong_type"),
            ]
        );
        let mut missing = faults::<NewUnit>("{}");
        missing.sort();
        let at = |pointer: &str| (pointer.to_owned(), "missing");
        assert_eq!(missing, [at("/kind"), at("/languages"), at("/name"), at("/time_zone")]);
        assert_eq!(faults::<NewUnit>("[]"), [(String::new(), "wrong_type")]);
    }

    #[test]
    fn no_name_of_ours_is_told() {
        let wrong = r#"{"name":"Đại sứ quán","kind":"embassy","time_zone":"UTC","languages":[]}"#;
        let faults = typed::<NewUnit>(parse(wrong.as_bytes()).unwrap()).err().unwrap();
        assert_eq!(faults[0].detail, "invalid type: string \"Đại sứ quán\", expected an object");
    }

    #[test]
    fn null_is_told_from_not_there() {
        let change: UnitChange = typed(parse(br#"{"country":null}"#).unwrap()).unwrap();
        assert_eq!(change.country, crate::service::Change::Set(None));
        assert_eq!(change.parent_id, crate::service::Change::Keep);
    }
}
