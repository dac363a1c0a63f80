//! Every statement is prepared on both databases, and no file's statements are forgotten.

use std::path::Path;

use chancery::store;
use sqlx::{Executor as _, SqlSafeStr as _};

use crate::database::{Raw, both};

both! {
    async fn every_statement_can_be_prepared(fresh) {
        let mut raw = fresh.raw().await;
        let statements = store::statements();
        assert!(statements.len() > 10, "the list is nearly empty");
        let mut faults = Vec::new();
        for (name, sql) in statements {
            let prepared = match &mut raw {
                Raw::Sqlite(it) => it.prepare(sql.sqlite.into_sql_str()).await.map(drop),
                Raw::Postgres(it) => it.prepare(sql.postgres.into_sql_str()).await.map(drop),
            };
            if let Err(error) = prepared {
                faults.push(format!("{name}: {error}"));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

/// The files of the store that name statements, by module path.
fn files_with_statements(folder: &Path, module: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            files_with_statements(&path, &format!("{module}::{stem}"), found);
        } else if std::fs::read_to_string(&path).unwrap().contains("\nstatements! {") {
            let own = if stem == "mod" { String::new() } else { format!("::{stem}") };
            found.push(format!("{module}{own}::"));
        }
    }
}

#[test]
fn the_list_has_the_statements_of_every_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut files = Vec::new();
    files_with_statements(&folder, "chancery::store", &mut files);
    assert!(files.len() > 3, "the sources were not found");
    let statements = store::statements();
    for file in files {
        assert!(
            statements.iter().any(|(name, _)| {
                name.strip_prefix(&file).is_some_and(|rest| !rest.contains("::"))
            }),
            "{file} is missing in store::statements()"
        );
    }
}

#[test]
fn no_statement_is_listed_twice() {
    let mut names: Vec<&str> = store::statements().into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
