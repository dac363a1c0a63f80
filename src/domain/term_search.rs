//! Looks for the names of a term base in texts, and says where a translation calls something otherwise than it is
//! officially called. One pass over each text, however many names there are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use aho_corasick::{AhoCorasick, BuildError};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};
use unicode_script::{Script, UnicodeScript as _};

use super::id::TermEntryId;
use super::term_base::{TermEntry, fold};
use super::variant::Variant;

/// So many findings are told of one post.
const MOST_FINDINGS: usize = 100;

/// The names of one unit's term base, ready to be looked for.
#[derive(Debug, Default)]
pub struct TermIndex {
    ids: Vec<TermEntryId>,
    languages: HashMap<String, Names>,
}

/// Those in one language.
#[derive(Debug)]
struct Names {
    search: AhoCorasick,
    forms: Vec<Form>,
    /// The official name of each entry that has one.
    official: HashMap<usize, String>,
}

/// One way in which something may or must not be called.
#[derive(Debug)]
struct Form {
    entry: usize,
    name: String,
    forbidden: bool,
    match_case: bool,
}

/// Where something is called otherwise than it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermFinding {
    /// The variant, by its place.
    pub variant: usize,
    /// Where in it: a JSON pointer; the whole of it when a name is not there.
    pub pointer: String,
    /// The entry.
    pub entry: TermEntryId,
    /// The official name in the variant's language.
    pub name: String,
    /// What is wrong.
    pub kind: TermFault,
}

/// What is wrong with how something is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TermFault {
    /// The source says this, and the translation does not have the official name of it.
    Missing(String),
    /// This must not be said.
    Forbidden(String),
}

/// A form at a place of a text.
struct Found<'a> {
    entry: (usize, usize),
    form: &'a Form,
    names: &'a Names,
    /// The place of the text within the variant.
    part: usize,
    from: usize,
    to: usize,
    /// It is only a part of a longer name that is right: the ministry of another country is another ministry.
    within: bool,
}

impl TermIndex {
    /// Of these entries; fails when they are too many for memory.
    pub fn new(entries: &[TermEntry]) -> Result<Self, BuildError> {
        let mut by_language: BTreeMap<&str, Vec<Form>> = BTreeMap::new();
        for (number, entry) in entries.iter().enumerate() {
            for one in &entry.names {
                let forms = by_language.entry(&one.language).or_default();
                let said = std::iter::once(&one.name).chain(&one.also).map(|it| (it, false));
                for (name, forbidden) in said.chain(one.not.iter().map(|it| (it, true))) {
                    let name = name.clone();
                    forms.push(Form {
                        entry: number,
                        name,
                        forbidden,
                        match_case: entry.match_case,
                    });
                }
            }
        }
        let mut languages = HashMap::new();
        for (language, forms) in by_language {
            let search =
                AhoCorasick::new(forms.iter().map(|it| super::term_base::folded(&it.name)))?;
            let official = entries.iter().enumerate().filter_map(|(number, entry)| {
                let one = entry.names.iter().find(|it| it.language == language)?;
                Some((number, one.name.clone()))
            });
            let official = official.collect();
            languages.insert(language.to_owned(), Names { search, forms, official });
        }
        Ok(Self { ids: entries.iter().map(|it| it.id.clone()).collect(), languages })
    }
}

/// What is wrong with how things are called in a post: where its source has a name of an entry, its translations
/// must have the official one of their language, and none that is forbidden; the source itself none that is.
pub fn findings(
    indexes: &[&TermIndex],
    source_language: &str,
    variants: &[Variant],
) -> Vec<TermFinding> {
    let mut found = Vec::new();
    let Some(place) = variants.iter().position(|it| it.language == source_language) else {
        return found;
    };
    let Some(source) = variants.get(place) else { return found };
    let parts = parts(source);
    let said = look(indexes, source_language, &parts);
    let mut meant: BTreeMap<(usize, usize), &str> = BTreeMap::new();
    for one in &said {
        if one.form.forbidden {
            found.extend(forbidden(indexes, one, place, &parts));
        } else if !one.within {
            meant.entry(one.entry).or_insert(&one.form.name);
        }
    }
    for (number, variant) in variants.iter().enumerate().filter(|(number, _)| *number != place) {
        translated(indexes, &meant, (number, variant), &mut found);
    }
    found.truncate(MOST_FINDINGS);
    found
}

/// Looks at one translation for everything that the source means.
fn translated(
    indexes: &[&TermIndex],
    meant: &BTreeMap<(usize, usize), &str>,
    (number, variant): (usize, &Variant),
    found: &mut Vec<TermFinding>,
) {
    if meant.is_empty() {
        return;
    }
    let parts = parts(variant);
    let said = look(indexes, &variant.language, &parts);
    let mut settled = BTreeSet::new();
    for one in said.iter().filter(|one| meant.contains_key(&one.entry)) {
        let told = if one.form.forbidden { forbidden(indexes, one, number, &parts) } else { None };
        if told.is_some() || !one.form.forbidden {
            settled.insert(one.entry);
        }
        found.extend(told);
    }
    for (&(base, entry), said) in meant.iter().filter(|(entry, _)| !settled.contains(entry)) {
        let Some(index) = indexes.get(base) else { continue };
        let mut tags = tags(&variant.language);
        let name = tags.find_map(|tag| index.languages.get(tag)?.official.get(&entry));
        if let (Some(name), Some(id)) = (name, index.ids.get(entry)) {
            found.push(TermFinding {
                variant: number,
                pointer: String::new(),
                entry: id.clone(),
                name: name.clone(),
                kind: TermFault::Missing((*said).to_owned()),
            });
        }
    }
}

/// What is to be told of a forbidden name.
fn forbidden(
    indexes: &[&TermIndex],
    one: &Found<'_>,
    variant: usize,
    parts: &[(String, &str)],
) -> Option<TermFinding> {
    let (base, entry) = one.entry;
    Some(TermFinding {
        variant,
        pointer: parts.get(one.part)?.0.clone(),
        entry: indexes.get(base)?.ids.get(entry)?.clone(),
        name: one.names.official.get(&entry)?.clone(),
        kind: TermFault::Forbidden(one.form.name.clone()),
    })
}

/// Every text of a variant that readers see, with its place.
fn parts(variant: &Variant) -> Vec<(String, &str)> {
    let content = &variant.content;
    let mut parts = vec![("/text".to_owned(), content.text.as_str())];
    let alts = content.media.iter().enumerate();
    parts.extend(alts.map(|(place, it)| (format!("/media/{place}/alt"), it.alt.as_str())));
    for (number, piece) in content.thread.iter().enumerate() {
        parts.push((format!("/thread/{number}/text"), &piece.text));
        let alts = piece.media.iter().enumerate();
        let at = |place| format!("/thread/{number}/media/{place}/alt");
        parts.extend(alts.map(|(place, it)| (at(place), it.alt.as_str())));
    }
    parts.extend(content.first_comment.iter().map(|it| ("/first_comment".to_owned(), it.as_str())));
    parts
}

/// A tag and those that it is a kind of: `pt-BR`, then `pt`.
fn tags(language: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(language), |tag| tag.rsplit_once('-').map(|it| it.0))
}

/// Every name in the texts; of each entry in the nearest language that it has one in. What is forbidden is left out
/// where it is only a part of a longer name that is right.
fn look<'a>(indexes: &[&'a TermIndex], language: &str, parts: &[(String, &str)]) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    for (part, (_, text)) in parts.iter().enumerate() {
        let text = Text::new(text);
        for (base, index) in indexes.iter().enumerate() {
            let mut nearer: Vec<&Names> = Vec::new();
            for names in tags(language).filter_map(|tag| index.languages.get(tag)) {
                for (form, from, to) in text.names(names) {
                    if nearer.iter().any(|it| it.official.contains_key(&form.entry)) {
                        continue;
                    }
                    let entry = (base, form.entry);
                    found.push(Found { entry, form, names, part, from, to, within: false });
                }
                nearer.push(names);
            }
        }
    }
    mark_within(&mut found);
    found.retain(|one| !(one.form.forbidden && one.within));
    found
}

/// Marks what is only a part of a longer name that is right, in one walk over everything that was found.
fn mark_within(found: &mut [Found<'_>]) {
    found.sort_by_key(|one| (one.part, one.from, Reverse(one.to)));
    let (mut part, mut from) = (0, 0);
    // How far names reach that begin before this place, and those that begin at it.
    let (mut before, mut here) = (0, 0);
    for one in found {
        if one.part != part {
            (part, from, before, here) = (one.part, one.from, 0, 0);
        } else if one.from != from {
            (from, before, here) = (one.from, before.max(here), 0);
        }
        one.within = before >= one.to || here > one.to;
        if !one.form.forbidden {
            here = here.max(one.to);
        }
    }
}

/// A text as names are looked for in it, and as it was written.
struct Text<'a> {
    written: &'a str,
    folded: String,
    /// For each byte of the folded text where its letter begins in the written one.
    places: Vec<usize>,
}

impl<'a> Text<'a> {
    fn new(written: &'a str) -> Self {
        let (mut folded, mut places) = (String::with_capacity(written.len()), Vec::new());
        for (place, letter) in written.char_indices() {
            folded.push(fold(letter));
            places.resize(folded.len(), place);
        }
        places.push(written.len());
        Self { written, folded, places }
    }

    /// Where each name stands as a word of its own.
    fn names<'n>(&self, names: &'n Names) -> impl Iterator<Item = (&'n Form, usize, usize)> {
        names.search.find_overlapping_iter(&self.folded).filter_map(move |hit| {
            let form = names.forms.get(hit.pattern().as_usize())?;
            let at = |place: usize| self.places.get(place).copied();
            let (from, to) = (at(hit.start())?, at(hit.end())?);
            let said = self.written.get(from..to)?;
            let same = !form.match_case || said.chars().map(typed).eq(form.name.chars().map(typed));
            let (before, after) = (self.written.get(..from)?, self.written.get(to..)?);
            (same && is_apart(before, said, after)).then_some((form, from, to))
        })
    }
}

/// A letter as it is compared where capitals count.
fn typed(letter: char) -> char {
    if letter.is_alphanumeric() { letter } else { fold(letter) }
}

/// Whether what was found is a word of its own there, and no part of a longer one.
fn is_apart(before: &str, said: &str, after: &str) -> bool {
    let ends = (said.chars().next(), said.chars().next_back());
    let (Some(first), Some(last)) = ends else { return false };
    let begins = before.chars().next_back().is_none_or(|it| {
        !is_letter(it)
            || !is_letter(first)
            || is_unspaced(it)
            || is_unspaced(first)
            || takes_prefixes(first)
    });
    let ends = after.chars().next().is_none_or(|it| {
        // A mark belongs to the letter before it, in every script.
        !is_mark(it)
            && (!is_letter(it)
                || !is_letter(last)
                || is_unspaced(it)
                || is_unspaced(last)
                || takes_suffixes(last))
    });
    begins && ends
}

fn is_mark(letter: char) -> bool {
    letter.general_category_group() == GeneralCategoryGroup::Mark
}

fn is_letter(letter: char) -> bool {
    letter.is_alphanumeric() || is_mark(letter)
}

/// Scripts that write no blanks between words.
fn is_unspaced(letter: char) -> bool {
    matches!(
        letter.script(),
        Script::Han
            | Script::Hiragana
            | Script::Katakana
            | Script::Bopomofo
            | Script::Thai
            | Script::Lao
            | Script::Khmer
            | Script::Myanmar
            | Script::Tai_Viet
            | Script::Tibetan
    )
}

/// Korean sets its particles on the word before.
fn takes_suffixes(letter: char) -> bool {
    letter.script() == Script::Hangul
}

/// Arabic and Hebrew set short words on the one behind.
fn takes_prefixes(letter: char) -> bool {
    matches!(letter.script(), Script::Arabic | Script::Hebrew)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::id::{PersonId, UnitId};
    use super::super::term_base::TermName;
    use super::super::translation::Translation;
    use super::super::variant::Content;
    use super::*;

    fn entry(number: u128, match_case: bool, names: &[(&str, &str, &[&str])]) -> TermEntry {
        let now = Timestamp::UNIX_EPOCH;
        let name = |(language, name, not): &(&str, &str, &[&str])| TermName {
            language: (*language).into(),
            name: (*name).into(),
            also: Vec::new(),
            not: not.iter().map(|&it| it.to_owned()).collect(),
        };
        let entry = TermEntry {
            id: TermEntryId::new(now, number),
            unit_id: UnitId::new(now, 1),
            names: names.iter().map(name).collect(),
            note: String::new(),
            match_case,
            version: 1,
            created_by: PersonId::new(now, 1),
            created_at: now,
            updated_at: now,
        };
        entry.settle().unwrap()
    }

    fn variant(language: &str, text: &str) -> Variant {
        let content = Content { text: text.to_owned(), ..Content::default() };
        let content_hash = content.hash(language);
        let translation = Translation::source(1, "");
        Variant { language: language.into(), content, content_hash, revision: 1, translation }
    }

    /// What is told of a post in Vietnamese with its translations.
    fn told(entries: &[TermEntry], texts: &[(&str, &str)]) -> Vec<String> {
        let index = TermIndex::new(entries).unwrap();
        let variants: Vec<_> = texts.iter().map(|(tag, text)| variant(tag, text)).collect();
        let line = |one: TermFinding| match one.kind {
            TermFault::Missing(said) => format!("{} lacks {} for {said}", one.variant, one.name),
            TermFault::Forbidden(said) => format!("{}{} says {said}", one.variant, one.pointer),
        };
        findings(&[&index], texts[0].0, &variants).into_iter().map(line).collect()
    }

    fn ministry() -> TermEntry {
        let en: &[&str] = &["Ministry of Foreign Relations"];
        let fr = "Ministère des Affaires étrangères";
        entry(
            1,
            false,
            &[
                ("vi", "Bộ Ngoại giao", &["Bộ Ngoại vụ"]),
                ("en", "Ministry of Foreign Affairs", en),
                ("fr", fr, &[]),
            ],
        )
    }

    #[test]
    fn a_translation_has_the_official_name_where_the_source_has_the_term() {
        let entries = [ministry()];
        let source = ("vi", "Theo BỘ NGOẠI\u{a0}GIAO, hôm nay");
        assert_eq!(
            told(&entries, &[source, ("en", "The ministry of foreign\naffairs says"), ("de", "x")]),
            [""; 0]
        );
        assert_eq!(
            told(
                &entries,
                &[
                    source,
                    ("en", "The Ministry says"),
                    ("fr", "Le Ministere des affaires etrangeres")
                ]
            ),
            [
                "1 lacks Ministry of Foreign Affairs for Bộ Ngoại giao",
                "2 lacks Ministère des Affaires étrangères for Bộ Ngoại giao",
            ]
        );
        let wrong = ("en", "The Ministry of Foreign Relations says");
        assert_eq!(told(&entries, &[source, wrong]), ["1/text says Ministry of Foreign Relations"]);
        // Of another country it may be right.
        assert_eq!(told(&entries, &[("vi", "Tin khác"), wrong]), [""; 0]);
        assert_eq!(told(&entries, &[("vi", "Bộ Ngoại vụ"), wrong]), ["0/text says Bộ Ngoại vụ"]);
        // Without its marks it is another word, and so is a part of a longer one.
        assert_eq!(told(&entries, &[("vi", "Bo Ngoai giao, Bộ Ngoại giaox"), wrong]), [""; 0]);
        assert_eq!(told(&entries, &[("vi", "dạng tổ hợp: Bộ Ngoại giao"), wrong]).len(), 1);
    }

    #[test]
    fn the_longest_name_is_what_is_meant() {
        let french = entry(
            2,
            false,
            &[
                ("vi", "Bộ Ngoại giao Pháp", &[]),
                ("en", "French Ministry for Europe", &["Ministry of Foreign Affairs"]),
            ],
        );
        let entries = [ministry(), french];
        let source = ("vi", "Bộ Ngoại giao Pháp cho biết");
        assert_eq!(told(&entries, &[source, ("en", "The French Ministry for Europe")]), [""; 0]);
        let both = ("vi", "Bộ Ngoại giao và Bộ Ngoại giao Pháp");
        let lacking = told(&entries, &[both, ("en", "French Ministry for Europe")]);
        assert_eq!(lacking, ["1 lacks Ministry of Foreign Affairs for Bộ Ngoại giao"]);
        // What is forbidden may be a part of what is right.
        let whole = entry(
            3,
            false,
            &[
                ("vi", "Quốc hội", &[]),
                ("en", "National Assembly of Viet Nam", &["National Assembly"]),
            ],
        );
        let said = |text| told(std::slice::from_ref(&whole), &[("vi", "Quốc hội"), ("en", text)]);
        assert_eq!(said("the National Assembly of Viet Nam"), [""; 0]);
        assert_eq!(
            said("National Assembly of Viet Nam; the National Assembly"),
            ["1/text says National Assembly"]
        );
    }

    #[test]
    fn words_end_as_their_script_ends_them() {
        let source = ("vi", "Bộ Ngoại giao");
        let has = |language: &str, name: &str, text: &str| {
            let one = entry(1, false, &[("vi", "Bộ Ngoại giao", &[]), (language, name, &[])]);
            told(&[one], &[source, (language, text)]).is_empty()
        };
        assert!(has("zh-Hans", "外交部", "据外交部发言人表示"));
        assert!(has("ja", "外務省", "ベトナム外務省は"));
        assert!(has("th", "กระทรวงการต่างประเทศ", "ที่กระทรวงการต่างประเทศได้"));
        assert!(has("ko", "외교부", "베트남 외교부는"), "a particle");
        assert!(!has("ko", "외교부", "구외교부"));
        assert!(has("ar", "وزارة الخارجية", "لوزارة الخارجية"), "a preposition");
        assert!(!has("ar", "وزارة الخارج", "وزارة الخارجية"));
        assert!(has("pt-BR", "Ministério", "o Ministério.") && !has("en", "ASEAN", "ASEANs"));
        // A name for a kind of a language goes before that of the language.
        let two =
            entry(1, false, &[("vi", "Bộ", &[]), ("pt", "Facto", &[]), ("pt-BR", "Fato", &[])]);
        let told = |text| {
            told(std::slice::from_ref(&two), &[("vi", "Bộ"), ("pt-BR", text), ("pt-PT", text)])
        };
        assert_eq!(told("Fato"), ["2 lacks Facto for Bộ"]);
        assert_eq!(told("Facto"), ["1 lacks Fato for Bộ"]);
    }

    #[test]
    fn capitals_count_where_they_are_to() {
        let exact = entry(1, true, &[("vi", "Đổi mới", &[]), ("en", "Doi Moi", &["doi moi"])]);
        let said = |vi, en| told(std::slice::from_ref(&exact), &[("vi", vi), ("en", en)]);
        assert_eq!(said("công cuộc Đổi mới", "doi moi"), ["1/text says doi moi"]);
        assert_eq!(said("đổi mới cách làm", "reform"), [""; 0]);
        assert_eq!(said("Đổi mới", "DOI MOI"), ["1 lacks Doi Moi for Đổi mới"]);
    }

    #[test]
    fn a_long_text_full_of_names_is_walked_through_once() {
        let entries: Vec<_> = (0..2_000)
            .map(|number| {
                entry(
                    number,
                    false,
                    &[
                        ("vi", &format!("Cục {number}"), &[]),
                        ("en", &format!("Department {number}"), &[]),
                    ],
                )
            })
            .collect();
        let many = "Cục 7 ".repeat(20_000);
        assert_eq!(told(&entries, &[("vi", &many), ("en", "Department 7")]), [""; 0]);
        let all: Vec<String> = (0..2_000).map(|number| format!("Cục {number}")).collect();
        let all = all.join(", ");
        assert_eq!(told(&entries, &[("vi", &all), ("en", "none")]).len(), MOST_FINDINGS);
    }
}
