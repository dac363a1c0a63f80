//! Checks the dependency tree against `.config/deny.toml` without a network and without cargo-deny:
//! licences, banned crates, doubled crates, sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// What `.config/deny.toml` says, as far as this test judges it.
#[derive(Debug, Default)]
struct Rules {
    licences: BTreeSet<String>,
    banned: Vec<Ban>,
    undoubled: BTreeSet<String>,
    registries: BTreeSet<String>,
}

/// A crate that may not be there, or not in a version below `below`.
#[derive(Debug)]
struct Ban {
    name: String,
    below: Option<Vec<u64>>,
}

/// One package of the tree.
#[derive(Debug, Clone, Default)]
struct Package {
    name: String,
    version: String,
    licence: String,
    source: String,
}

fn rules(text: &str) -> Rules {
    let table = DeTable::parse(text).expect("deny.toml is TOML").into_inner();
    let section = |name: &str| table.get(name).expect("the section is there").get_ref();
    let bans = section("bans").get("deny").expect("bans.deny is there").get_ref();
    let mut rules = Rules {
        licences: texts(section("licenses"), "allow"),
        registries: texts(section("sources"), "allow-registry"),
        ..Rules::default()
    };
    for ban in bans.as_array().expect("bans.deny is a list") {
        let ban = ban.get_ref();
        let spec = ban.get("crate").and_then(|it| it.get_ref().as_str()).expect("it names a crate");
        if ban.get("deny-multiple-versions").is_some() {
            rules.undoubled.insert(spec.to_owned());
        } else {
            let (name, below) = spec.split_once(":<").map_or((spec, None), |(n, v)| (n, Some(v)));
            rules.banned.push(Ban { name: name.to_owned(), below: below.map(numbers) });
        }
    }
    rules
}

fn texts(section: &DeValue<'_>, key: &str) -> BTreeSet<String> {
    let list = section.get(key).expect("the key is there").get_ref();
    let list = list.as_array().expect("it is a list");
    list.iter().map(|it| it.get_ref().as_str().expect("of texts").to_owned()).collect()
}

fn numbers(version: &str) -> Vec<u64> {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    core.split('.').map(|part| part.parse().expect("a version is numbers")).collect()
}

/// Everything that the rules do not let pass.
fn faults(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        let shown = format!("{} {}", package.name, package.version);
        versions.entry(&package.name).or_default().insert(&package.version);
        if !licensed(&package.licence, &rules.licences) {
            found.push(format!("{shown}: licence {:?}", package.licence));
        }
        // Our own package has no source.
        let source = package.source.strip_prefix("registry+").unwrap_or(&package.source);
        if !source.is_empty() && !rules.registries.contains(source) {
            found.push(format!("{shown}: source {source}"));
        }
        for ban in rules.banned.iter().filter(|ban| ban.name == package.name) {
            if ban.below.as_ref().is_none_or(|below| numbers(&package.version) < *below) {
                found.push(format!("{shown}: banned"));
            }
        }
    }
    for name in &rules.undoubled {
        match versions.get(name.as_str()) {
            Some(versions) if versions.len() > 1 => found.push(format!("{name}: {versions:?}")),
            _ => {}
        }
    }
    found
}

/// Whether an SPDX expression can be met with licences of the list alone. The slash is the old way
/// of writing OR.
fn licensed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any(&words, &mut at, allowed);
    met && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(words, at, allowed);
    }
    met
}

fn all(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let met = any(words, at, allowed);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return met && closed;
    }
    // An exception only widens what a licence permits, but is another text: it is not on the list.
    if words.get(*at) == Some(&"WITH") {
        *at += 2;
        return false;
    }
    allowed.contains(*word)
}

/// The packages of the lock file, for every target.
fn locked() -> Vec<Package> {
    let text = read("Cargo.lock");
    let table = DeTable::parse(&text).expect("Cargo.lock is TOML").into_inner();
    let list = table.get("package").expect("it has packages").get_ref().as_array();
    let entry = |it: &DeValue<'_>, key: &str| {
        it.get(key).and_then(|it| it.get_ref().as_str().map(str::to_owned)).unwrap_or_default()
    };
    list.expect("they are a list")
        .iter()
        .map(|it| Package {
            name: entry(it.get_ref(), "name"),
            version: entry(it.get_ref(), "version"),
            licence: "MIT".to_owned(),
            source: entry(it.get_ref(), "source"),
        })
        .collect()
}

/// The packages that our target is built from, with their licences.
fn built() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1", "--all-features"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let entry =
        |it: &Value, key: &str| it.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = metadata.get("packages").and_then(Value::as_array).expect("it has packages");
    list.iter()
        .map(|it| Package {
            name: entry(it, "name"),
            version: entry(it, "version"),
            licence: entry(it, "license"),
            source: entry(it, "source"),
        })
        .collect()
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).expect("the file is readable")
}

#[test]
fn the_dependency_tree_keeps_the_rules() {
    let rules = rules(&read(".config/deny.toml"));
    assert!(rules.licences.len() > 3 && rules.undoubled.len() > 5 && rules.banned.len() > 3);
    for (what, packages) in [("Cargo.lock", locked()), ("cargo metadata", built())] {
        assert!(packages.len() > 100, "{what} was not read");
        let found = faults(&rules, &packages);
        assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
    }
}

#[test]
fn each_fault_is_reported() {
    let rules = rules(&read(".config/deny.toml"));
    let good = Package {
        name: "tokio".to_owned(),
        version: "1.0.0".to_owned(),
        licence: "MIT".to_owned(),
        source: "registry+https://github.com/rust-lang/crates.io-index".to_owned(),
    };
    assert_eq!(faults(&rules, std::slice::from_ref(&good)), Vec::<String>::new());
    let named = |name: &str, version: &str| Package {
        name: name.to_owned(),
        version: version.to_owned(),
        ..good.clone()
    };
    let bad = [
        named("openssl-sys", "0.9.0"),
        named("aws-lc-rs", "1.0.0"),
        named("native-tls", "0.2.0"),
        named("libsqlite3-sys", "0.30.1"),
        named("tokio", "2.0.0"),
        Package { licence: "GPL-3.0-only".to_owned(), ..good.clone() },
        Package { licence: String::new(), ..good.clone() },
        Package { source: "git+https://example.org/fork".to_owned(), ..good.clone() },
    ];
    for package in bad {
        let found = faults(&rules, &[good.clone(), package.clone()]);
        assert_eq!(found.len(), 1, "{package:?}: {found:?}");
    }
    assert_eq!(faults(&rules, &[named("libsqlite3-sys", "0.37.0")]), Vec::<String>::new());
}

#[test]
fn licence_expressions_are_judged_as_spdx_means_them() {
    let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned).into();
    for good in [
        "MIT",
        "GPL-3.0-only OR MIT",
        "Unlicense/MIT",
        "(MIT OR GPL-2.0-only) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
    ] {
        assert!(licensed(good, &allowed), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0-only",
        "MIT AND GPL-2.0-only",
        "(MIT",
        "MIT MIT",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(!licensed(bad, &allowed), "{bad}");
    }
}
