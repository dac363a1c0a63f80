//! The term base: what offices, treaties and places are officially called in each language.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fault::Fault;
use super::id::{PersonId, TermEntryId, UnitId};
use super::{locale, text, variant};

/// The most entries of one unit.
pub const MOST_ENTRIES: i64 = 5_000;
/// The most languages of one entry.
const MOST_LANGUAGES: usize = 50;
/// The most further names, and the most forbidden ones, in one language.
const MOST_FORMS: usize = 20;
/// The longest name, in code points.
const LONGEST_NAME: usize = 200;
/// The longest note, in code points.
const LONGEST_NOTE: usize = 2_000;

/// One concept with its official names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TermEntry {
    /// Its id.
    pub id: TermEntryId,
    /// Whose it is; it holds for all units below too.
    pub unit_id: UnitId,
    /// What it is called, language by language.
    pub names: Vec<TermName>,
    /// What is to be known of it.
    pub note: String,
    /// Whether capitals must be as they are here.
    pub match_case: bool,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// Who entered it.
    pub created_by: PersonId,
    /// When it was entered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What something is called in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermName {
    /// BCP 47 tag; `pt` is for `pt-BR` too where that has no name of its own.
    pub language: String,
    /// The official name.
    pub name: String,
    /// What may be said as well: a short form, another case.
    #[serde(default)]
    pub also: Vec<String>,
    /// What must not be said.
    #[serde(default)]
    pub not: Vec<String>,
}

impl TermEntry {
    /// In its one form, or everything that is wrong with it.
    pub fn settle(mut self) -> Result<Self, Vec<Fault>> {
        let faults = &mut Vec::new();
        self.note = variant::clean(&self.note, LONGEST_NOTE, true, "/note", faults);
        let count = self.names.len();
        if count == 0 {
            faults.push(Fault::new(
                "/names",
                "blank",
                "an entry has a name in one language at least",
            ));
        }
        if count > MOST_LANGUAGES {
            let fault = Fault::new("/names", "too_many", format!("at most {MOST_LANGUAGES}"));
            faults.push(fault.with("max", MOST_LANGUAGES));
        }
        let mut languages = BTreeSet::new();
        for (place, one) in self.names.iter_mut().enumerate() {
            let pointer = format!("/names/{place}");
            one.settle(&pointer, self.match_case, faults);
            if !languages.insert(one.language.clone()) {
                let detail = format!("{} has a name already", one.language);
                let fault =
                    Fault::new(format!("{pointer}/language"), "term_language_twice", detail);
                faults.push(fault.with("language", &one.language));
            }
        }
        if faults.is_empty() { Ok(self) } else { Err(std::mem::take(faults)) }
    }

    /// Everything that it may be found by, as it is compared.
    pub fn found_by(&self) -> String {
        let forms = self.names.iter().flat_map(|one| {
            std::iter::once(&one.name).chain(&one.also).chain(&one.not).map(|it| folded(it))
        });
        let mut forms: Vec<String> = forms.collect();
        forms.push(folded(&self.note));
        forms.join("\n")
    }
}

impl TermName {
    fn settle(&mut self, pointer: &str, match_case: bool, faults: &mut Vec<Fault>) {
        if let Some(tag) = variant::language(&self.language) {
            self.language = tag;
        } else {
            let detail = "must be a language tag such as vi, en or zh-Hans";
            let fault = Fault::new(format!("{pointer}/language"), "bad_language", detail);
            faults.push(fault.with("value", locale::quoted(&self.language)));
        }
        self.name = form(&self.name, &format!("{pointer}/name"), faults);
        let mut taken = BTreeSet::from([compared(&self.name, match_case)]);
        for (member, forms) in [("also", &mut self.also), ("not", &mut self.not)] {
            let pointer = format!("{pointer}/{member}");
            if forms.len() > MOST_FORMS {
                let fault = Fault::new(&pointer, "too_many", format!("at most {MOST_FORMS}"));
                faults.push(fault.with("max", MOST_FORMS));
            }
            for (place, one) in forms.iter_mut().enumerate() {
                let pointer = format!("{pointer}/{place}");
                *one = form(one, &pointer, faults);
                if !taken.insert(compared(one, match_case)) {
                    let detail = "it stands here already; what is official cannot be forbidden";
                    let fault = Fault::new(pointer, "term_said_twice", detail);
                    faults.push(fault.with("value", locale::quoted(one)));
                }
            }
        }
    }
}

/// A name in its one form.
fn form(raw: &str, pointer: &str, faults: &mut Vec<Fault>) -> String {
    let name = text::normalised(&variant::clean(raw, LONGEST_NAME, false, pointer, faults));
    if !name.chars().any(char::is_alphanumeric) {
        faults.push(Fault::new(pointer, "blank", "must not be blank"));
    }
    name
}

fn compared(name: &str, match_case: bool) -> String {
    if match_case { name.to_owned() } else { folded(name) }
}

/// A text as names are looked for in it.
pub fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

/// A letter as it is compared: small; blanks, apostrophes and hyphens are each one, however they were typed. Marks
/// stay: in Vietnamese they make other words. One letter always becomes one, so that places can be told.
pub(super) fn fold(letter: char) -> char {
    match letter {
        '\u{2018}' | '\u{2019}' | '\u{2bc}' | '`' | '\u{b4}' => '\'',
        '\u{2010}' | '\u{2011}' => '-',
        it if it.is_whitespace() => ' ',
        it => {
            let mut small = it.to_lowercase();
            match (small.next(), small.next()) {
                (Some(one), None) => one,
                // Few letters become two, such as the İ of Turkish.
                (Some(_) | None, _) => it,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(language: &str, name: &str, not: &[&str]) -> TermName {
        let not = not.iter().map(|&it| it.to_owned()).collect();
        TermName { language: language.into(), name: name.into(), also: Vec::new(), not }
    }

    fn entry(names: Vec<TermName>) -> TermEntry {
        let now = Timestamp::UNIX_EPOCH;
        TermEntry {
            id: TermEntryId::new(now, 1),
            unit_id: UnitId::new(now, 1),
            names,
            note: String::new(),
            match_case: false,
            version: 1,
            created_by: PersonId::new(now, 1),
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn an_entry_is_brought_into_one_form_or_told_all_that_is_wrong() {
        // Typed with combining marks, and with two blanks.
        let settled = entry(vec![named("VI", " Bo\u{323}\u{302}  Ngoại giao ", &[])]).settle();
        let settled = settled.unwrap();
        assert_eq!((&*settled.names[0].language, &*settled.names[0].name), ("vi", "Bộ Ngoại giao"));
        let bad = entry(vec![
            named("en", "Ministry", &["MINISTRY"]),
            named("en", "…", &[]),
            named("not a tag", "a", &[]),
        ]);
        let found: Vec<_> =
            bad.clone().settle().unwrap_err().into_iter().map(|it| (it.pointer, it.code)).collect();
        let expected = [
            ("/names/0/not/0", "term_said_twice"),
            ("/names/1/name", "blank"),
            ("/names/1/language", "term_language_twice"),
            ("/names/2/language", "bad_language"),
        ];
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
        // Where capitals count they are two words.
        let exact = TermEntry { match_case: true, names: bad.names[..1].to_vec(), ..bad };
        assert!(exact.settle().is_ok());
        assert_eq!(entry(Vec::new()).settle().unwrap_err()[0].pointer, "/names");
    }

    #[test]
    fn marks_are_never_lost() {
        assert_eq!(folded("BỘ Ngoại\u{a0}giao d’État"), "bộ ngoại giao d'état");
        assert_ne!(folded("Bộ"), folded("Bo"));
        assert_eq!(folded("İ").chars().count(), 1);
    }
}
