//! Looks through the program for every word by which it refuses something, and for its Vietnamese.

use std::collections::BTreeSet;
use std::path::Path;

use super::text::{self, Tongue};

/// Where refusals are made, and which argument is their word.
const MAKERS: [(&str, usize); 7] = [
    ("Told::new(", 0),
    ("Fault::new(", 1),
    ("Error::fault(", 1),
    ("Warning::new(", 1),
    ("not_now(", 1),
    (".fatal(", 1),
    (".warn(", 1),
];

/// Places where the word is handed on from another maker, or comes from a `fn code`.
const HANDED_ON: [(&str, &str); 7] = [
    ("service/check.rs", "told.code"),
    ("service/deliveries/mod.rs", "code"),
    ("service/deliveries/mod.rs", "code: &'static str"),
    ("service/error.rs", "code"),
    ("service/plan.rs", "refused.code()"),
    ("service/plan.rs", "finding.code"),
    ("service/series/make.rs", "told.code"),
];

/// Gaps that are filled where the fault is handed on, and not where it is made.
const FILLED_LATER: [&str; 3] = ["language", "place", "state"];

/// A refusal in the source.
#[derive(Debug)]
struct Refusal {
    file: String,
    code: String,
    /// The values that the words may use.
    values: BTreeSet<String>,
}

fn below(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            found.push((path.display().to_string(), text));
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for folder in ["api", "service", "domain", "platforms", "auth"] {
        below(&root.join(folder), &mut found);
    }
    let tests = |path: &str| path.contains("tests") || path.contains("simulator");
    found.retain(|(path, _)| !tests(path) && !path.ends_with("text_codes.rs"));
    found
}

/// The arguments of a call, from behind its opening bracket.
fn arguments(text: &str) -> Vec<String> {
    let (mut all, mut one, mut depth) = (Vec::new(), String::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                all.push(std::mem::take(&mut one).trim().to_owned());
                continue;
            }
            _ => {}
        }
        one.push(letter);
    }
    all.push(one.trim().to_owned());
    all
}

/// The literals in an expression; codes have no quotation marks inside.
fn literals(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

fn refusals(sources: &[(String, String)]) -> (Vec<Refusal>, Vec<String>) {
    let (mut found, mut unclear) = (Vec::new(), Vec::new());
    for (file, text) in sources {
        for (maker, place) in MAKERS {
            for (at, _) in text.match_indices(maker) {
                let rest = &text[at + maker.len()..];
                let arguments = arguments(rest);
                let Some(code) = arguments.get(place) else { continue };
                let near: String = rest.chars().take(600).collect();
                let values: BTreeSet<String> = near
                    .split("with(\"")
                    .skip(1)
                    .filter_map(|it| it.split('"').next().map(str::to_owned))
                    .collect();
                let words: Vec<&str> = literals(code).collect();
                let known = HANDED_ON.iter().any(|(it, how)| file.ends_with(it) && how == code);
                // Logs have a `warn` too, but no literal in its second place by itself.
                if words.is_empty() && !known && !maker.starts_with('.') {
                    unclear.push(format!("{file}: {maker} {code}"));
                }
                let own = |code: &&str| Refusal {
                    file: file.clone(),
                    code: (*code).to_owned(),
                    values: values.clone(),
                };
                found.extend(words.iter().map(own));
            }
        }
        for (at, head) in text.match_indices("fn code(&self) -> &'static str {") {
            if file.ends_with("domain/schedule.rs") {
                let body = arguments(&text[at + head.len()..]).join(",");
                let offered = ["first", "second", "value"].map(str::to_owned);
                found.extend(literals(&body).map(|code| Refusal {
                    file: file.clone(),
                    code: code.to_owned(),
                    values: BTreeSet::from(offered.clone()),
                }));
            }
        }
    }
    (found, unclear)
}

/// The gaps of the Vietnamese words for a code.
fn gaps(code: &str) -> Option<Vec<String>> {
    let template = text::template(code)?;
    Some(template.split('{').skip(1).map(|it| it.split('}').next().unwrap().to_owned()).collect())
}

#[test]
fn every_refusal_has_vietnamese_words_with_all_their_values() {
    let (found, unclear) = refusals(&sources());
    assert!(unclear.is_empty(), "the word of these cannot be told: {unclear:#?}");
    assert!(found.len() > 120, "only {} refusals were seen", found.len());
    let mut bad = Vec::new();
    for Refusal { file, code, values } in &found {
        let Some(gaps) = gaps(code) else {
            bad.push(format!("{file}: {code} has no Vietnamese"));
            continue;
        };
        let holes = gaps.iter().filter(|it| !values.contains(*it));
        for hole in holes.filter(|it| !FILLED_LATER.contains(&it.as_str())) {
            bad.push(format!("{file}: {code} does not say its {hole}"));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn the_words_are_vietnamese_and_no_row_is_left_over() {
    let (found, _) = refusals(&sources());
    let used: BTreeSet<&str> = found.iter().map(|it| it.code.as_str()).collect();
    for words in text::all() {
        assert!(used.contains(words.code), "{} is used nowhere", words.code);
        let (title, detail) = (text::title(words.code, Tongue::Vi).unwrap(), words.vi_detail);
        let marked = |text: &str| !text.is_ascii();
        assert!(marked(title) && marked(detail), "{}: {title} / {detail}", words.code);
        assert!(!words.en.is_empty() && words.en.is_ascii(), "{}", words.code);
    }
}

#[test]
fn a_refusal_without_words_would_be_seen() {
    let source = |text: &str| vec![("service/new.rs".to_owned(), text.to_owned())];
    let (found, unclear) = refusals(&source("Fault::new(\n  \"/a,(\\\"\", \"brand_new\", x)"));
    assert_eq!((found[0].code.as_str(), unclear.len()), ("brand_new", 0));
    assert_eq!(gaps("brand_new"), None);
    let (found, unclear) = refusals(&source("Told::new(word, detail)"));
    assert_eq!((found.len(), unclear.len()), (0, 1));
}
