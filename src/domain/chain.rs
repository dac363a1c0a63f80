//! Walks the chain of the audit link by link, and says what was changed, taken out, put in or put elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::audit::{Entry, follows};

/// A link as a database has it, before anything in it is believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Its place.
    pub seq: i64,
    /// The hash that stands beside it.
    pub hash: String,
    /// What it says; nothing when its time or its detail is none that is ever written.
    pub entry: Option<Entry>,
}

/// What is wrong with a chain at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// Entries are not there, the first and the last included.
    Missing(i64, i64),
    /// It, or the one before it, is not what was written at its place.
    Changed(i64),
    /// It stands where none is written.
    Added(i64),
    /// What the database notes of its newest entry is not what this entry is.
    Head(i64),
    /// It is not what it was when this was known of it.
    Known(i64),
    /// It was known, and the chain ends before it.
    Cut(i64),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(first, last) if first == last => {
                write!(f, "entry {first}: missing, and nothing proves what the one after it says")
            }
            Self::Missing(first, last) => write!(
                f,
                "entries {first} to {last}: missing, and nothing proves what the one after them says"
            ),
            Self::Changed(seq) => write!(
                f,
                "entry {seq}: does not follow from the one before it; one of the two was changed, put in or put \
                 elsewhere"
            ),
            Self::Added(seq) => write!(f, "entry {seq}: stands where none is ever written"),
            Self::Head(seq) => {
                write!(f, "entry {seq}: is not the newest one that the database has noted")
            }
            Self::Known(seq) => write!(f, "entry {seq}: has not the hash that was known of it"),
            Self::Cut(seq) => {
                write!(f, "entry {seq}: was known, and the chain ends before it")
            }
        }
    }
}

/// Where a walk through the chain stands.
#[derive(Debug, Default)]
pub struct Walk {
    seq: i64,
    hash: String,
    known: BTreeMap<i64, BTreeSet<String>>,
}

impl Walk {
    /// Begins before the first entry. Each of `known` is a place and the hash that it had when it was looked at
    /// before.
    pub fn new(known: impl IntoIterator<Item = (i64, String)>) -> Self {
        let mut walk = Self::default();
        for (seq, hash) in known {
            walk.known.entry(seq).or_default().insert(hash);
        }
        walk
    }

    /// The place and the hash of the link that was looked at last.
    pub fn place(&self) -> (i64, &str) {
        (self.seq, &self.hash)
    }

    /// Looks at the next link in the order of places, and says what is wrong with it.
    pub fn step(&mut self, kept: Kept) -> Vec<Flaw> {
        let Kept { seq, hash, entry } = kept;
        if seq <= self.seq {
            return vec![Flaw::Added(seq)];
        }
        let mut flaws = Vec::new();
        let gap = seq - 1 > self.seq;
        if gap {
            flaws.push(Flaw::Missing(self.seq + 1, seq - 1));
        }
        // Behind a gap the hash that it follows from is not there any more.
        if !entry.is_some_and(|entry| gap || follows(&self.hash, &entry)) {
            flaws.push(Flaw::Changed(seq));
        }
        if self.known.remove(&seq).is_some_and(|known| known.iter().any(|one| *one != hash)) {
            flaws.push(Flaw::Known(seq));
        }
        (self.seq, self.hash) = (seq, hash);
        flaws
    }

    /// After the last link: what is wrong with the end. `noted` is the newest link by the database's own note.
    pub fn end(self, noted: (i64, &str)) -> Vec<Flaw> {
        let (seq, hash) = noted;
        let mut flaws: Vec<Flaw> =
            self.known.into_keys().filter(|known| *known > self.seq).map(Flaw::Cut).collect();
        if seq > self.seq {
            flaws.push(Flaw::Missing(self.seq + 1, seq));
        } else if seq < self.seq || hash != self.hash {
            flaws.push(Flaw::Head(self.seq));
        }
        flaws
    }
}

/// The detail of an entry from its text. None when a name stands in it twice: two readers would see two things.
pub fn detail(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().map(|Once(value)| value)
}

/// JSON in which no object has a name twice.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OnceVisitor).map(Self)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON in which no object has a name twice")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Value, E> {
        Ok(Value::Bool(is))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Once(item)) = from.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Once(member))) = from.next_entry::<String, Once>()? {
            if members.insert(name, member).is_some() {
                return Err(A::Error::custom("a name stands there twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::{NewEntry, link};
    use serde_json::json;

    fn chain(length: i64) -> Vec<Kept> {
        let mut hash = String::new();
        (1..=length)
            .map(|seq| {
                let (actor, action) = ("usr_1".to_owned(), "unit.create".to_owned());
                let new =
                    NewEntry { actor, action, subject: format!("unit_{seq}"), detail: json!({}) };
                let at = jiff::Timestamp::from_second(seq).unwrap();
                hash = link(&hash, seq, at, &new);
                let entry = Entry { seq, at, entry: new, hash: hash.clone() };
                Kept { seq, hash: hash.clone(), entry: Some(entry) }
            })
            .collect()
    }

    fn flaws(links: Vec<Kept>, noted: (i64, &str), known: &[(i64, &str)]) -> Vec<Flaw> {
        let mut walk = Walk::new(known.iter().map(|(seq, hash)| (*seq, (*hash).to_owned())));
        let mut flaws: Vec<Flaw> = links.into_iter().flat_map(|kept| walk.step(kept)).collect();
        flaws.extend(walk.end(noted));
        flaws
    }

    #[test]
    fn each_flaw_has_its_place() {
        let whole = chain(9);
        let last = whole[8].hash.clone();
        let noted = (9, last.as_str());
        assert_eq!(flaws(whole.clone(), noted, &[(9, &last)]), []);
        let mut gap = whole.clone();
        gap.drain(3..5);
        assert_eq!(flaws(gap, noted, &[]), [Flaw::Missing(4, 5)]);
        let cut = whole[..7].to_vec();
        assert_eq!(flaws(cut.clone(), noted, &[]), [Flaw::Missing(8, 9)]);
        let moved = (7, cut[6].hash.as_str());
        assert_eq!(flaws(cut.clone(), moved, &[(9, &last)]), [Flaw::Cut(9)]);
        // Without an exported head nobody can know.
        assert_eq!(flaws(cut.clone(), moved, &[]), []);
        assert_eq!(flaws(whole.clone(), moved, &[]), [Flaw::Head(9)]);
        assert_eq!(flaws(whole.clone(), noted, &[(2, "another")]), [Flaw::Known(2)]);
        let mut odd = whole;
        odd[4].entry = None;
        odd.insert(0, Kept { seq: 0, hash: String::new(), entry: None });
        assert_eq!(flaws(odd, noted, &[]), [Flaw::Added(0), Flaw::Changed(5)]);
    }

    #[test]
    fn a_detail_has_each_name_once() {
        assert_eq!(
            detail(r#"{"a":[1,-2,null,true,"x"]}"#),
            Some(json!({"a": [1, -2, null, true, "x"]}))
        );
        assert_eq!(detail(r#"{"a":{"b":1,"b":2}}"#), None);
        assert_eq!(detail("nothing"), None);
    }
}
