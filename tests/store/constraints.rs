//! Each constraint is broken once on each database, and must be told by the same name on both.

use std::collections::{BTreeMap, BTreeSet};

use chancery::domain::account::CredentialKind;
use chancery::domain::id::AccountId;
use chancery::store::{self, Error};

use crate::database::both;
use crate::schema::{self, Table};

/// What a row must hold so that a partial index covers it.
const COVERED: &[(&str, &[(&str, &str)])] = &[
    ("attempts_open_key", &[("outcome", "'open'")]),
    ("deliveries_follows_key", &[("follows", "'row-0'")]),
    ("deliveries_publishing_key", &[("state", "'publishing'")]),
    ("deliveries_remote_key", &[("remote_id", "'9'")]),
    ("jobs_unique_key", &[("state", "'queued'")]),
];

/// A row with something in every column that needs it; `own` tells it from others by its key.
fn insert(name: &str, table: &Table, own: &str, given: &BTreeMap<&str, &str>) -> String {
    let mut columns = Vec::new();
    let mut values = Vec::new();
    for (column, (kind, nullable)) in &table.columns {
        let value = match given.get(column.as_str()) {
            Some(value) => (*value).to_owned(),
            None if *nullable => continue,
            None if table.primary_key == [column.clone()] && kind == "TEXT" => format!("'{own}'"),
            None if table.primary_key == [column.clone()] && name == "searched_posts" => {
                own.trim_start_matches("row-").to_owned()
            }
            None => any_value(&table.spelled[column]).to_owned(),
        };
        columns.push(column.as_str());
        values.push(value);
    }
    format!("INSERT INTO {name} ({}) VALUES ({})", columns.join(", "), values.join(", "))
}

/// Some value that a type takes, by the name that its own database gives it.
fn any_value(kind: &str) -> &'static str {
    match kind {
        "INTEGER" | "bigint" => "1",
        "REAL" | "double precision" => "1.5",
        "BLOB" => "x'00'",
        "bytea" => "'\\x00'",
        "boolean" => "false",
        "timestamp with time zone" => "'2026-09-02T02:00:00Z'",
        _ => "'{}'",
    }
}

both! {
    async fn each_unique_key_is_told_by_its_name(fresh) {
        let mut raw = fresh.raw().await;
        let schema = schema::read(&mut raw).await;
        let mut broken = BTreeSet::new();
        // How SQLite keeps full text is its own.
        for (name, table) in schema.iter().filter(|(name, _)| !name.starts_with("post_words")) {
            let unique = table.indexes.iter().filter(|(_, index)| index.unique);
            let mut keys: Vec<(String, bool)> =
                unique.map(|(key, index)| (key.clone(), !index.only.is_empty())).collect();
            if table.primary_key.len() > 1 {
                keys.push((format!("{name}_pkey"), false));
            }
            for (key, partial) in keys {
                let covered = COVERED.iter().find(|(it, _)| *it == key).map(|(_, given)| *given);
                let given: BTreeMap<&str, &str> =
                    covered.unwrap_or_default().iter().copied().collect();
                raw.execute(&format!("DELETE FROM {name}")).await.unwrap();
                let first = insert(name, table, "row-1", &given);
                raw.execute(&first).await.unwrap_or_else(|error| panic!("{first}: {error}"));
                let second = insert(name, table, "row-2", &given);
                let error = raw.execute(&second).await.err()
                    .unwrap_or_else(|| panic!("{key} lets two rows in (partial: {partial})"));
                let told = Error::from(error);
                assert!(matches!(told, Error::Conflict(it) if it == key), "{key} is told as {told:?}");
                broken.insert(key);
            }
        }
        let named: BTreeSet<String> = store::constraints().map(str::to_owned).collect();
        assert_eq!(broken, named, "left: of the schema; right: those that errors are told by");
    }

    async fn a_foreign_key_is_told_as_such(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        let now = "2026-09-02T02:00:00Z".parse().unwrap();
        let account: AccountId = AccountId::new(now, 1);
        let credential = store::credentials::Credential {
            account_id: account,
            kind: CredentialKind::PageToken,
            version: 1,
            key_id: "1".to_owned(),
            sealed: vec![0],
            refresh: None,
            expires_at: None,
            updated_at: now,
        };
        let error = store::credentials::put(&mut tx, &credential).await.unwrap_err();
        assert!(matches!(error, Error::Conflict("foreign key")), "{error:?}");
    }
}
