//! Which folder may name which: the table, and the check that `docs/architecture.md` shows the same.

use std::fmt::Write as _;
use std::path::Path;

use crate::source::Source;

/// Who may name whom, lowest first. `*` is everything. A folder may always name itself.
pub(crate) const EDGES: &[(&str, &str)] = &[
    ("domain", ""),
    ("crash", ""),
    ("clock", ""),
    ("config", ""),
    ("telemetry", "clock config domain"),
    ("vault", "clock config domain"),
    ("outbound", "clock config domain telemetry"),
    ("store", "clock config domain telemetry"),
    ("queue", "clock config domain store telemetry"),
    ("media", "clock config domain outbound store telemetry"),
    ("platforms", "clock config domain outbound telemetry"),
    ("report", "clock domain store"),
    ("calendar", "clock config domain store"),
    ("engine", "clock config domain media outbound platforms queue report store telemetry vault"),
    (
        "service",
        "clock config domain engine media outbound platforms queue report store telemetry vault",
    ),
    ("auth", "clock config domain outbound service store telemetry"),
    ("api", "auth calendar clock config domain media platforms report service telemetry"),
    ("ui", "auth clock config service telemetry"),
    ("simulator", "clock telemetry"),
    ("app", "*"),
    ("cli", "*"),
    ("lib", "*"),
    ("main", "*"),
];

/// The folder that a module belongs to. A platform's side of the contract lies in the platform's
/// folder and is part of the simulator: our client may not see it, nor it our client.
fn layer<'a>(module: &[&'a str]) -> &'a str {
    match module {
        ["platforms", _, part, ..] if part.starts_with("simulator") => "simulator",
        [folder, ..] => folder,
        [] => "",
    }
}

/// Every path that crosses between folders where the table has no edge.
pub(crate) fn forbidden(source: &Source) -> Vec<String> {
    let from = layer(&source.module());
    if from.is_empty() {
        return Vec::new();
    }
    let Some((_, allowed)) = EDGES.iter().find(|(folder, _)| *folder == from) else {
        return vec![format!(
            "{}: the folder {from} has no row in the table of edges",
            source.path
        )];
    };
    let mut found = Vec::new();
    for named in source.named() {
        let segments: Vec<&str> = named.segments.iter().map(String::as_str).collect();
        let to = layer(&segments);
        let known = EDGES.iter().any(|(folder, _)| *folder == to);
        if known && to != from && *allowed != "*" && !allowed.split(' ').any(|it| it == to) {
            found.push(format!("{}:{}: {from} may not name {to}", source.path, named.line));
        }
    }
    found
}

/// The table as the document must show it.
pub(crate) fn as_markdown() -> String {
    let mut table = String::from("| folder | may name |\n| --- | --- |\n");
    for (folder, allowed) in EDGES {
        let shown = match *allowed {
            "" => "nothing of ours".to_owned(),
            "*" => "everything".to_owned(),
            names => {
                names.split(' ').map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            }
        };
        writeln!(table, "| `{folder}` | {shown} |").expect("a text takes any writing");
    }
    table
}

#[test]
fn the_document_shows_the_table_of_edges() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let document = std::fs::read_to_string(path).expect("docs/architecture.md is there");
    let expected = as_markdown();
    assert!(
        document.contains(&expected),
        "docs/architecture.md must contain exactly this table:\n\n{expected}"
    );
}

#[test]
fn every_folder_names_only_what_is_below_it() {
    let found: Vec<String> = Source::all_below("src").iter().flat_map(forbidden).collect();
    assert!(found.is_empty(), "edges that the table does not have:\n{}", found.join("\n"));
}

#[test]
fn the_table_is_in_layer_order() {
    // Whatever a row allows stands above it, so that the picture has no circle.
    for (row, (folder, allowed)) in EDGES.iter().enumerate() {
        for name in allowed.split(' ').filter(|name| !matches!(*name, "" | "*")) {
            let place = EDGES.iter().position(|(other, _)| *other == name);
            assert!(place.is_some_and(|place| place < row), "{folder} names {name}, not above it");
        }
    }
}

#[test]
fn a_forbidden_edge_is_reported() {
    let bad = [
        ("src/domain/post.rs", "use crate::store::posts;"),
        ("src/platforms/mod.rs", "use crate::{clock::Clock, store::{Tx}};"),
        ("src/platforms/x/mod.rs", "fn f() { crate::store::jobs::claim(); }"),
        ("src/store/db.rs", "use super::super::service::Ctx;"),
        ("src/platforms/x/publish.rs", "use crate::simulator::World;"),
        ("src/queue/worker.rs", "pub(crate) fn f(_: crate::engine::Publish) {}"),
        ("src/api/v1/posts.rs", "use crate::store::\n    posts;"),
        ("src/platforms/x/simulator/read.rs", "use crate::outbound::Outbound;"),
        ("src/platforms/x/mod.rs", "use super::x::simulator::Tweet;"),
        ("src/simulator/world.rs", "use crate::platforms::x::api::Tweet;"),
        ("src/novelty/mod.rs", "fn f() {}"),
    ];
    for (path, text) in bad {
        assert_eq!(forbidden(&Source::new(path, text)).len(), 1, "{path}: {text}");
    }
}

#[test]
fn an_allowed_edge_is_not_reported() {
    let good = [
        ("src/store/posts.rs", "use crate::domain::{post::Post, id};\nuse super::db::Tx;"),
        ("src/domain/post.rs", "// use crate::store::posts;\nconst A: &str = \"crate::store::b\";"),
        ("src/domain/post.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use crate::store::db; }"),
        ("src/domain/tests.rs", "use crate::store::db;"),
        ("src/platforms/x/simulator/mod.rs", "use crate::simulator::world::World;"),
        (
            "src/simulator/mod.rs",
            "use crate::platforms::{facebook::simulator::Page, x::simulator};",
        ),
        ("src/app.rs", "use crate::{api, engine, store};"),
        ("src/platforms/x/simulator/media.rs", "use crate::simulator::World;"),
        (
            "src/domain/text.rs",
            "const Q: char = '\"'; // crate::store\nconst R: &str = r#\"\" crate::api::\"#;",
        ),
    ];
    for (path, text) in good {
        assert_eq!(forbidden(&Source::new(path, text)), Vec::<String>::new(), "{path}: {text}");
    }
}
