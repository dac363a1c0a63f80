//! The rules that are not about edges: outside crates, names, sizes and things that are never
//! written. Each is a function over one file, with a sample that it must report.

use crate::source::Source;

/// A rule over one file: what it is called and what it finds.
struct Rule {
    name: &'static str,
    check: fn(&Source) -> Vec<String>,
    /// Files that break it.
    bad: &'static [(&'static str, &'static str)],
    /// Files that look like it and do not.
    good: &'static [(&'static str, &'static str)],
}

const LONGEST: usize = 600;

const RULES: &[Rule] = &[
    Rule {
        name: "a file has at most 600 lines",
        check: too_long,
        bad: &[],
        good: &[("src/a.rs", "//! Short.\n")],
    },
    Rule {
        name: "the first line says what the file is for",
        check: without_head,
        bad: &[("src/a.rs", "use b;\n//! Late."), ("src/a.rs", ""), ("tests/a.rs", "//!\n")],
        good: &[("src/a.rs", "//! Says it.\n")],
    },
    Rule {
        name: "no file is named for having no subject",
        check: subjectless_name,
        bad: &[
            ("src/store/utils.rs", ""),
            ("src/helpers/mod.rs", ""),
            ("tests/it/common/mod.rs", ""),
            ("src/job_manager.rs", ""),
            ("src/misc.rs", ""),
            ("src/a.rs", "mod util { }"),
        ],
        good: &[("src/commonwealth.rs", "mod utility_bills {}")],
    },
    Rule {
        name: "nothing is left to do, no lint is silenced without a reason",
        check: unfinished,
        bad: &[
            ("src/a.rs", "fn f() { todo!() }"),
            ("src/a.rs", "fn f() { unimplemented!(\"later\") }"),
            ("src/a.rs", "#[allow(dead_code)]\nfn f() {}"),
            ("tests/a.rs", "#![allow(unused)]"),
            ("src/a.rs", "#[cfg_attr(test, allow(dead_code))] fn f() {}"),
        ],
        good: &[(
            "src/a.rs",
            "// todo!() is forbidden\n#[expect(dead_code, reason = \"r\")] fn allow() {}",
        )],
    },
    Rule {
        name: "an outside crate is named only where it belongs",
        check: outside_crate,
        bad: &[
            ("src/service/posts.rs", "use sqlx::query;"),
            ("src/domain/post.rs", "#[derive(A)] struct P; fn f(it: sqlx::Row) {}"),
            ("src/service/posts.rs", "#[derive(sqlx::FromRow)] struct P;"),
            ("src/platforms/x/api.rs", "fn f(c: reqwest::Client) {}"),
            ("src/engine/follow/mail.rs", "use lettre::Message;"),
            ("src/engine/publish.rs", "use axum::Router;"),
            ("src/platforms/x/api.rs", "use axum::Json;"),
        ],
        good: &[
            ("src/store/db.rs", "use sqlx::query;"),
            (
                "src/domain/post.rs",
                "#[derive(sqlx::FromRow)] #[sqlx(transparent)] struct P([u8; 2]);",
            ),
            ("src/outbound.rs", "use reqwest::Client;"),
            ("src/outbound/client.rs", "use reqwest::Client;"),
            ("src/platforms/x/simulator.rs", "use axum::Json;"),
            ("src/platforms/x/simulator/rate.rs", "use axum::Json;"),
            ("src/cli/serve.rs", "use axum::serve;"),
            ("src/service/posts.rs", "// axum\nconst A: &str = \"sqlx::query\";"),
        ],
    },
    Rule {
        name: "the domain is pure",
        check: impure_domain,
        bad: &[
            ("src/domain/post.rs", "pub async fn load() {}"),
            ("src/domain/post.rs", "use tokio::sync::Mutex;"),
            ("src/domain/post.rs", "use std::fs;"),
        ],
        good: &[("src/domain/post.rs", "use std::fmt;"), ("src/store/a.rs", "async fn f() {}")],
    },
    Rule {
        name: "platforms do not know each other, and a simulator does not know its neighbours",
        check: platform_neighbours,
        bad: &[
            ("src/platforms/x/api.rs", "use crate::platforms::facebook::api;"),
            ("src/platforms/x/api.rs", "use super::super::facebook::api;"),
            ("src/platforms/x/simulator.rs", "use super::api::Tweet;"),
            ("src/platforms/x/simulator/posts.rs", "use super::super::rules::LIMIT;"),
            ("src/platforms/facebook/simulator.rs", "use crate::platforms::facebook::classify;"),
        ],
        good: &[
            ("src/platforms/x/api.rs", "use super::rules; use crate::platforms::outcome::Outcome;"),
            ("src/platforms/x/simulator/posts.rs", "use super::world::World;"),
            ("src/platforms/mod.rs", "pub mod x; use crate::platforms::x::X;"),
        ],
    },
    Rule {
        name: "the queue knows jobs, not posts",
        check: queue_knows_posts,
        bad: &[
            ("src/queue/worker.rs", "use crate::domain::post::Post;"),
            ("src/queue/worker.rs", "use crate::domain::{delivery, id};"),
            ("src/queue/job.rs", "use crate::store::deliveries;"),
        ],
        good: &[("src/queue/worker.rs", "use crate::domain::id; use crate::store::jobs;")],
    },
    Rule {
        name: "a follow-up has nothing in its hands that changes a delivery",
        check: follow_up_that_decides,
        bad: &[
            ("src/engine/follow/relay.rs", "use crate::store::deliveries;"),
            ("src/engine/follow/relay.rs", "use crate::store::{Error, outcomes::transition};"),
            ("src/engine/follow/mail.rs", "fn f() { crate::store::publishing::withdraw(); }"),
            ("src/engine/follow/mail.rs", "use crate::store::jobs;"),
            ("src/engine/follow/mail.rs", "use crate::store::jobs::{Claimed, remove_queued};"),
            ("src/engine/follow/webhook.rs", "use crate::platforms::Platforms;"),
            ("src/engine/follow/webhook.rs", "use crate::engine::Tools;"),
            ("src/engine/follow/webhook.rs", "use super::super::publish;"),
        ],
        good: &[
            ("src/engine/follow/relay.rs", "use crate::store::jobs::{Claimed, NewJob, enqueue};"),
            ("src/engine/follow/relay.rs", "use crate::store::{Error, Tx, outbox};"),
            ("src/engine/follow/relay.rs", "use super::{Means, contained};"),
            ("src/engine/publish.rs", "use crate::store::outcomes;"),
        ],
    },
    Rule {
        name: "the doors open no transaction",
        check: door_with_transaction,
        bad: &[
            ("src/api/v1/posts.rs", "let tx = ctx.store.begin_write().await?;"),
            ("src/ui/mod.rs", "fn f(tx: &mut Tx) {}"),
        ],
        good: &[("src/service/posts.rs", "let tx = store.begin_write().await?;")],
    },
    Rule {
        name: "a platform is named only where platforms are",
        check: platform_by_name,
        bad: &[
            ("src/engine/publish.rs", "if account.platform == \"facebook\" {}"),
            ("src/service/posts.rs", "match it { Platform::X => 1, _ => 2 }"),
            ("src/store/posts.rs", "fn twitter_id() {}"),
            ("src/engine/publish.rs", "use crate::platforms::x;"),
        ],
        good: &[
            ("src/engine/publish.rs", "// Facebook answers late"),
            ("src/platforms/facebook/api.rs", "const NAME: &str = \"facebook\";"),
            ("src/simulator/mod.rs", "fn facebook() {}"),
            ("src/config/mod.rs", "facebook: Facebook,"),
            ("src/cli/demo.rs", "const A: &str = \"Facebook\";"),
        ],
    },
];

fn too_long(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines > LONGEST { vec![format!("{}: {lines} lines", source.path)] } else { Vec::new() }
}

fn without_head(source: &Source) -> Vec<String> {
    let head = source.text.lines().next().unwrap_or_default();
    let said = head.strip_prefix("//! ").is_some_and(|rest| !rest.trim().is_empty());
    if said { Vec::new() } else { vec![format!("{}:1: {head}", source.path)] }
}

const SUBJECTLESS: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "manager", "misc", "shared", "stuff"];

fn subjectless_name(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let path = source.path.strip_suffix(".rs").unwrap_or(&source.path);
    if path.split(['/', '_', '-']).any(|word| SUBJECTLESS.contains(&word)) {
        found.push(source.path.clone());
    }
    for pair in source.tokens.windows(2) {
        if let [keyword, name] = pair
            && keyword.text == "mod"
            && SUBJECTLESS.contains(&name.text.as_str())
        {
            found.push(format!("{}:{}: mod {}", source.path, name.line, name.text));
        }
    }
    found
}

/// Looks at tests too: what is unfinished there proves nothing.
fn unfinished(source: &Source) -> Vec<String> {
    let bare: String = crate::source::blank(&source.text, true);
    let mut found = Vec::new();
    for (number, line) in bare.lines().enumerate() {
        let tight: String = line.split_whitespace().collect();
        let attribute = tight.contains("#[") || tight.contains("#![");
        let silenced = attribute && (tight.contains("[allow(") || tight.contains(",allow("));
        if silenced || tight.contains("todo!(") || tight.contains("unimplemented!(") {
            found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
        }
    }
    found
}

fn outside_crate(source: &Source) -> Vec<String> {
    let module = source.module();
    let folder = source.folder();
    let simulates = folder == "simulator"
        || (folder == "platforms" && module.iter().any(|part| part.starts_with("simulator")));
    let serves = matches!(module.as_slice(), ["cli", "serve", ..] | ["app", ..]);
    let feeds = matches!(module.as_slice(), ["calendar", "feed", ..]);
    let door = matches!(folder, "api" | "ui" | "auth") || serves || simulates || feeds;
    let mut found = Vec::new();
    // The domain may derive how its words are written in a database, and nothing else of it.
    let derives = folder == "domain";
    let tokens = if derives { source.outside_attributes() } else { source.tokens.iter().collect() };
    for token in tokens {
        let allowed = match token.text.as_str() {
            "sqlx" => folder == "store",
            "reqwest" | "lettre" => folder == "outbound",
            "axum" | "axum_extra" => door,
            _ => true,
        };
        if !allowed && source.path.starts_with("src/") {
            found.push(format!("{}:{}: {}", source.path, token.line, token.text));
        }
    }
    found
}

fn impure_domain(source: &Source) -> Vec<String> {
    if source.folder() != "domain" {
        return Vec::new();
    }
    let impure = ["async", "await", "tokio", "fs", "net", "env", "process"];
    // A post may have a thread; one of the machine is named with its path.
    let runs = |at: usize| {
        let around = [at.checked_sub(2), at.checked_add(1)].map(|at| at.map(|at| source.token(at)));
        matches!(around, [Some("std"), _] | [_, Some("::")])
    };
    let is_impure =
        |at: usize, text: &str| impure.contains(&text) || (text == "thread" && runs(at));
    let tokens = source.tokens.iter().enumerate();
    tokens
        .filter(|(at, token)| is_impure(*at, &token.text))
        .map(|(_, token)| format!("{}:{}: {}", source.path, token.line, token.text))
        .collect()
}

fn platform_neighbours(source: &Source) -> Vec<String> {
    let module = source.module();
    let ["platforms", platform, inside @ ..] = module.as_slice() else {
        return Vec::new();
    };
    let simulates = inside.first().is_some_and(|part| part.starts_with("simulator"));
    let mut found = Vec::new();
    for named in source.named() {
        let segments: Vec<&str> = named.segments.iter().map(String::as_str).collect();
        let ["platforms", other, rest @ ..] = segments.as_slice() else { continue };
        let is_platform = PLATFORM_FOLDERS.contains(other) && PLATFORM_FOLDERS.contains(platform);
        let foreign = is_platform && other != platform;
        let neighbour = simulates
            && other == platform
            && !rest.first().is_some_and(|part| part.starts_with("simulator"));
        if foreign || neighbour {
            found.push(format!("{}:{}: {}", source.path, named.line, segments.join("::")));
        }
    }
    found
}

const PLATFORM_FOLDERS: &[&str] = &["facebook", "x"];

fn queue_knows_posts(source: &Source) -> Vec<String> {
    if source.folder() != "queue" {
        return Vec::new();
    }
    let subjects = [
        "post",
        "posts",
        "variant",
        "variants",
        "delivery",
        "deliveries",
        "attempt",
        "attempts",
        "account",
        "accounts",
        "media",
    ];
    source
        .named()
        .into_iter()
        .filter(|named| named.segments.get(1).is_some_and(|it| subjects.contains(&it.as_str())))
        .map(|named| format!("{}:{}: {}", source.path, named.line, named.segments.join("::")))
        .collect()
}

/// What follow-ups may name of the store.
const FOLLOW_UPS_STORE: &[&str] = &[
    "Error",
    "Reader",
    "Store",
    "Tx",
    "audit",
    "mail_items",
    "notifications",
    "outbox",
    "reminders",
    "webhook_tries",
    "webhooks",
];

/// And of its jobs: to enqueue, and what the queue hands to every kind of work.
const FOLLOW_UPS_JOBS: &[&str] = &["Claimed", "Ending", "NewJob", "enqueue"];

fn follow_up_that_decides(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/engine/follow/") {
        return Vec::new();
    }
    source
        .named()
        .into_iter()
        .filter(|named| {
            let segments: Vec<&str> = named.segments.iter().map(String::as_str).collect();
            match segments.as_slice() {
                ["store", "jobs", what, ..] => !FOLLOW_UPS_JOBS.contains(what),
                ["store", what, ..] => !FOLLOW_UPS_STORE.contains(what),
                ["engine", inside, ..] => *inside != "follow",
                ["platforms" | "media" | "service", ..] | ["store" | "engine"] => true,
                _ => false,
            }
        })
        .map(|named| format!("{}:{}: {}", source.path, named.line, named.segments.join("::")))
        .collect()
}

fn door_with_transaction(source: &Source) -> Vec<String> {
    if !matches!(source.folder(), "api" | "ui") {
        return Vec::new();
    }
    source
        .tokens
        .iter()
        .filter(|token| matches!(token.text.as_str(), "Tx" | "begin" | "begin_write"))
        .map(|token| format!("{}:{}: {}", source.path, token.line, token.text))
        .collect()
}

/// The data keys of the configuration and the demonstration's seeds name platforms; nothing else
/// may decide anything by a platform's name.
fn platform_by_name(source: &Source) -> Vec<String> {
    let module = source.module();
    let excepted = matches!(source.folder(), "platforms" | "simulator" | "config")
        || matches!(module.as_slice(), ["cli", "demo" | "simulate", ..]);
    if excepted || !source.path.starts_with("src/") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in source.code.lines().enumerate() {
        let lower = line.to_lowercase();
        if ["facebook", "twitter"].iter().any(|name| lower.contains(name)) {
            found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
        }
    }
    for three in source.tokens.windows(3) {
        if let [owner, path, name] = three
            && path.text == "::"
            && matches!(
                (owner.text.as_str(), name.text.as_str()),
                ("Platform", "X") | ("platforms", "x")
            )
        {
            found.push(format!("{}:{}: {}::{}", source.path, name.line, owner.text, name.text));
        }
    }
    found
}

#[test]
fn the_tree_keeps_every_rule() {
    let mut sources = Source::all_below("src");
    sources.extend(Source::all_below("tests"));
    assert!(sources.len() > 5, "the tree was not found");
    let mut found = Vec::new();
    for rule in RULES {
        for source in &sources {
            // The samples below are this file's business.
            if source.path.starts_with("tests/architecture/") && rule.name.starts_with("a platform")
            {
                continue;
            }
            found.extend((rule.check)(source).into_iter().map(|it| format!("{}: {it}", rule.name)));
        }
    }
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_rule_reports_its_bad_samples_and_only_those() {
    for rule in RULES {
        for (path, text) in rule.bad {
            let found = (rule.check)(&Source::new(path, text));
            assert!(!found.is_empty(), "{}: not reported: {path}: {text}", rule.name);
        }
        for (path, text) in rule.good {
            let found = (rule.check)(&Source::new(path, text));
            assert!(found.is_empty(), "{}: wrongly reported: {path}: {text}: {found:?}", rule.name);
        }
    }
}

#[test]
fn a_long_file_is_reported() {
    let long = "//! Long.\n".repeat(LONGEST + 1);
    assert_eq!(too_long(&Source::new("src/a.rs", &long)).len(), 1);
    let just = "//! Long.\n".repeat(LONGEST);
    assert_eq!(too_long(&Source::new("src/a.rs", &just)).len(), 0);
}
