//! The documents agree with the code and with each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chancery::domain::class::Class;
use chancery::domain::delivery::{DeliveryState, Event};
use chancery::domain::outbox::Occasion;
use chancery::telemetry::{FIELDS, Kind, METRICS, Metric};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("the document is readable")
}

/// Every document, by its path from the top.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md")];
    let mut open = vec![root().join("docs")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("the folder is readable") {
            let path = entry.expect("the entry is readable").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == "md") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 15, "the documents were not found");
    found
}

/// The text without its fenced blocks, whose brackets are no links.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut out = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// The targets of `[…](…)`.
fn links(text: &str) -> Vec<String> {
    prose(text)
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target.to_owned()))
        .collect()
}

/// The names under which headings can be linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    prose(text)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
        })
        .collect()
}

/// What is wrong with a link from `document`.
fn broken(document: &Path, link: &str) -> Option<String> {
    if link.starts_with("https://") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(f, a)| (f, Some(a)));
    let folder = document.parent().expect("a document lies in a folder");
    let target = if file.is_empty() { document.to_owned() } else { folder.join(file) };
    if !target.exists() {
        return Some(format!("{}: {link}: no such file", document.display()));
    }
    let anchor = anchor?;
    let text = fs::read_to_string(&target).expect("the target is readable");
    let known = anchors(&text).contains(anchor);
    (!known).then(|| format!("{}: {link}: no such heading", document.display()))
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    let mut found = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("the document is readable");
        for link in links(&text) {
            count += 1;
            found.extend(broken(&document, &link));
        }
    }
    assert!(count > 20, "only {count} links were seen");
    assert!(found.is_empty(), "{}", found.join("\n"));

    let from = root().join("docs/README.md");
    for bad in ["nowhere.md", "glossary.md#nothing", "#nothing", "../docs/nowhere.md#x"] {
        assert!(broken(&from, bad).is_some(), "{bad} must be reported");
    }
}

#[test]
fn every_document_can_be_reached_from_the_first_page() {
    let mut reached = BTreeSet::new();
    let mut open = vec![root().join("README.md")];
    while let Some(document) = open.pop() {
        let document = document.canonicalize().expect("links were tested above");
        if document.extension().is_none_or(|it| it != "md") || !reached.insert(document.clone()) {
            continue;
        }
        let text = fs::read_to_string(&document).expect("the document is readable");
        let folder = document.parent().expect("a document lies in a folder");
        for link in links(&text) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !link.starts_with("https://") {
                open.push(folder.join(file));
            }
        }
    }
    let lost: Vec<PathBuf> = documents()
        .into_iter()
        .filter(|it| !reached.contains(&it.canonicalize().expect("it exists")))
        .collect();
    assert!(lost.is_empty(), "no link leads to {lost:?}");
}

/// The cells of the table rows that begin with `` | `word` | ``.
fn row<'a>(text: &'a str, word: &str) -> Option<Vec<&'a str>> {
    let head = format!("| `{word}` |");
    let line = text.lines().find(|line| line.starts_with(&head))?;
    Some(line.trim_matches('|').split('|').map(str::trim).collect())
}

#[test]
fn the_glossary_has_every_state_and_class_in_both_languages() {
    let glossary = read("docs/glossary.md");
    let states = DeliveryState::ALL.iter().map(|it| it.as_str());
    for word in states.chain(Class::ALL.iter().map(|it| it.as_str())) {
        let cells = row(&glossary, word).unwrap_or_default();
        assert_eq!(cells.len(), 3, "glossary.md needs a row for `{word}` with both languages");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "glossary.md: `{word}`: {cells:?}");
    }
    assert_eq!(row(&glossary, "no_such_state"), None);
}

#[test]
fn the_lifecycle_has_every_state_and_marks_the_final_ones() {
    let lifecycle = read("docs/lifecycle.md");
    for state in DeliveryState::ALL {
        let cells = row(&lifecycle, state.as_str()).unwrap_or_default();
        assert_eq!(cells.len(), 3, "lifecycle.md needs a row for `{state}`");
        let said_final = cells.iter().any(|cell| cell.contains("(final)"));
        assert_eq!(said_final, state.is_final(), "lifecycle.md: is `{state}` final?");
    }
}

/// What happens to a delivery, in the words of `lifecycle.md`. A new event does not compile until
/// it has its word, and belongs into [`EVENTS`] too.
fn event_word(event: Event) -> &'static str {
    match event {
        Event::Guarded => "guarded",
        Event::Published => "published",
        Event::Pending => "pending",
        Event::Refused => "refused",
        Event::GuardRefused => "guard refused",
        Event::Deferred => "deferred",
        Event::Doubted => "doubted",
        Event::Found => "found",
        Event::Absent => "absent",
        Event::NeedsPerson => "needs person",
        Event::Late => "late",
        Event::Dropped => "dropped",
        Event::SentAgain => "sent again",
        Event::Cancelled => "cancelled",
        Event::Rescheduled => "rescheduled",
        Event::Withdrawn => "withdrawn",
        Event::AccountUnfit => "account unfit",
        Event::AccountFit => "account fit",
        Event::Restored => "restored",
        Event::Stopped => "stopped",
        Event::Approved => "approved",
        Event::Unapproved => "unapproved",
        Event::Released => "released",
        Event::Vanished => "vanished",
        Event::Recalled => "recalled",
    }
}

const EVENTS: &[Event] = &[
    Event::Guarded,
    Event::Published,
    Event::Pending,
    Event::Refused,
    Event::GuardRefused,
    Event::Deferred,
    Event::Doubted,
    Event::Found,
    Event::Absent,
    Event::NeedsPerson,
    Event::Late,
    Event::Dropped,
    Event::SentAgain,
    Event::Cancelled,
    Event::Rescheduled,
    Event::Withdrawn,
    Event::AccountUnfit,
    Event::AccountFit,
    Event::Restored,
    Event::Stopped,
    Event::Approved,
    Event::Unapproved,
    Event::Released,
    Event::Vanished,
    Event::Recalled,
];

#[test]
fn the_lifecycle_shows_every_arrow_and_no_other() {
    let lifecycle = read("docs/lifecycle.md");
    let mut arrows = BTreeSet::new();
    for state in DeliveryState::ALL {
        for event in EVENTS {
            if let Ok(next) = state.apply(*event) {
                arrows.insert(format!("| `{state}` | {} | `{next}` |", event_word(*event)));
            }
        }
    }
    assert!(arrows.len() > 15, "the arrows were not found");
    let (_, table) = lifecycle.split_once("| from | event | to |\n").expect("the table is there");
    let shown: BTreeSet<String> =
        table.lines().skip(1).take_while(|line| line.starts_with('|')).map(str::to_owned).collect();
    assert_eq!(shown, arrows, "lifecycle.md and src/domain/delivery.rs differ");
}

#[test]
fn the_top_of_the_tree_has_only_what_was_agreed() {
    let agreed: BTreeSet<&str> = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "Makefile",
        "README.md",
        "deploy",
        "docs",
        "migrations",
        "src",
        "tests",
    ]
    .into();
    // What git ignores: built things and a demonstration's data.
    let ignored = ["target", "chancery-data"];
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(root()).expect("the tree is readable") {
        let name = entry.expect("the entry is readable").file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !ignored.contains(&name.as_str()) {
            assert!(agreed.contains(name.as_str()), "{name} does not belong at the top");
            seen.insert(name);
        }
    }
    assert_eq!(seen.len(), agreed.len(), "something is missing: {seen:?}");
}

/// A metric as the document writes it: name, then labels in braces.
fn shown(metric: &Metric) -> String {
    if metric.labels.is_empty() {
        return metric.name.to_owned();
    }
    format!("{}{{{}}}", metric.name, metric.labels.join(","))
}

#[test]
fn every_metric_and_field_is_documented_and_no_other() {
    let page = read("docs/logging.md");
    for metric in METRICS {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let cells = row(&page, &shown(metric)).unwrap_or_default();
        assert_eq!(cells.get(1), Some(&kind), "logging.md: {}: {cells:?}", shown(metric));
    }
    let rows = page.lines().filter(|line| line.starts_with("| `chancery_")).count();
    assert_eq!(rows, METRICS.len(), "logging.md has rows for metrics that do not exist");
    for (field, _) in FIELDS {
        assert!(page.contains(&format!("`{field}`")), "logging.md lacks the field {field}");
    }
}

#[test]
fn every_alert_reads_metrics_and_labels_that_exist() {
    let mut seen = 0;
    for line in read("deploy/alerts.yml").lines().filter(|line| !line.contains("summary:")) {
        for (at, _) in line.match_indices("chancery_") {
            let rest = line.get(at..).unwrap_or_default();
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
            let name = name.strip_suffix("_bucket").unwrap_or(name);
            let metric = METRICS.iter().find(|it| it.name == name);
            assert!(metric.is_some(), "alerts.yml reads {name}, which does not exist");
            let selector = after.strip_prefix('{').and_then(|it| it.split_once('}'));
            for condition in selector.iter().flat_map(|(inside, _)| inside.split(',')) {
                let label = condition.split(['=', '!']).next().unwrap_or_default().trim();
                let known = metric.is_some_and(|it| it.labels.contains(&label));
                assert!(known, "alerts.yml: {name} has no label {label}");
            }
            seen += 1;
        }
    }
    assert!(seen > 9, "only {seen} uses were seen");
}

/// Every option, as `section.key`.
fn options() -> BTreeSet<String> {
    let text = read("src/config/default.toml");
    let table = toml::de::DeTable::parse(&text).expect("default.toml is TOML");
    let mut found = BTreeSet::new();
    for (section, value) in table.get_ref() {
        if let Some(inner) = value.get_ref().as_table() {
            found
                .extend(inner.keys().map(|key| format!("{}.{}", section.get_ref(), key.get_ref())));
        }
    }
    assert!(found.len() > 20, "the options were not read");
    found
}

/// The `words.with_dots` of a text whose first part is a section of the configuration.
fn options_named(text: &str, sections: &BTreeSet<String>) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '_')))
        .filter(|word| word.split_once('.').is_some_and(|(section, _)| sections.contains(section)))
        // What happens has names of the same form.
        .filter(|word| Occasion::ALL.iter().all(|it| it.as_str() != *word))
        .filter(|word| !["rs", "md", "toml"].iter().any(|end| word.ends_with(&format!(".{end}"))))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_option_that_a_document_names_exists() {
    let options = options();
    let sections =
        options.iter().filter_map(|key| Some(key.split_once('.')?.0.to_owned())).collect();
    let mut count = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).expect("the document is readable");
        for named in options_named(&prose(&text), &sections) {
            count += 1;
            assert!(options.contains(&named), "{}: no option {named}", document.display());
        }
    }
    assert!(count > 10, "only {count} options were seen");
    assert_eq!(options_named("`publish.no_such`, publish.lease", &sections), ["publish.no_such"]);
}
