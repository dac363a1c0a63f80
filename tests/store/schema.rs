//! The two schemas are the same one: tables, columns, nullability, keys and indexes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chancery::store::SCHEMA_VERSION;

use crate::database::{Fresh, Raw};

/// A table or view as both databases can describe it.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// By name: SQLite's type, and whether it may be null.
    pub(crate) columns: BTreeMap<String, (String, bool)>,
    /// The type of each column as its own database calls it.
    pub(crate) spelled: BTreeMap<String, String>,
    pub(crate) primary_key: Vec<String>,
    /// Column, table and column that it points to.
    foreign_keys: BTreeSet<(String, String, String)>,
    pub(crate) indexes: BTreeMap<String, Index>,
}

/// An index as both databases can describe it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) unique: bool,
    pub(crate) columns: Vec<String>,
    /// Which rows it covers, in plain words; empty for all.
    pub(crate) only: String,
}

/// Everything that was migrated, by the table's name.
pub(crate) type Schema = BTreeMap<String, Table>;

/// Types of PostgreSQL and what carries the same values in SQLite.
const TYPES: &[(&str, &str)] = &[
    ("text", "TEXT"),
    ("jsonb", "TEXT"),
    ("bigint", "INTEGER"),
    ("boolean", "INTEGER"),
    ("timestamp with time zone", "INTEGER"),
    ("bytea", "BLOB"),
    ("double precision", "REAL"),
];

pub(crate) async fn read(raw: &mut Raw) -> Schema {
    let sqlite = matches!(raw, Raw::Sqlite(_));
    let mut schema = Schema::new();
    for row in raw.rows(if sqlite { SQLITE_COLUMNS } else { POSTGRES_COLUMNS }).await {
        let [table, column, kind, nullable, key] = row.try_into().unwrap();
        let table = schema.entry(table).or_default();
        let same = TYPES.iter().find(|(postgres, _)| *postgres == kind);
        let same = same.map_or(kind.clone(), |(_, sqlite)| (*sqlite).to_owned());
        if key != "0" {
            table.primary_key.push(column.clone());
        }
        table.spelled.insert(column.clone(), kind);
        table.columns.insert(column, (same, nullable == "yes"));
    }
    for row in raw.rows(if sqlite { SQLITE_FOREIGN } else { POSTGRES_FOREIGN }).await {
        let [table, from, to_table, to] = row.try_into().unwrap();
        schema.get_mut(&table).unwrap().foreign_keys.insert((from, to_table, to));
    }
    for row in raw.rows(if sqlite { SQLITE_INDEXES } else { POSTGRES_INDEXES }).await {
        let [table, name, unique, columns, only] = row.try_into().unwrap();
        let columns = columns.split(',').map(str::to_owned).collect();
        let index = Index { unique: unique == "1", columns, only: plain(&only) };
        schema.get_mut(&table).unwrap().indexes.insert(name, index);
    }
    schema
}

const SQLITE_COLUMNS: &str = "SELECT t.name, c.name, c.type,
        CASE WHEN c.\"notnull\" THEN 'no' ELSE 'yes' END, CAST(c.pk AS TEXT)
    FROM sqlite_master t, pragma_table_info(t.name) c
    WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '\\_sqlx%' ESCAPE '\\'
    ORDER BY t.name, c.pk, c.cid";

const POSTGRES_COLUMNS: &str = "SELECT CAST(c.table_name AS TEXT), CAST(c.column_name AS TEXT),
        CAST(c.data_type AS TEXT), lower(CAST(c.is_nullable AS TEXT)),
        CAST(COALESCE(k.ordinal_position, 0) AS TEXT)
    FROM information_schema.columns c
    LEFT JOIN information_schema.table_constraints p ON p.table_schema = c.table_schema
        AND p.table_name = c.table_name AND p.constraint_type = 'PRIMARY KEY'
    LEFT JOIN information_schema.key_column_usage k ON k.constraint_schema = p.constraint_schema
        AND k.constraint_name = p.constraint_name AND k.column_name = c.column_name
    WHERE c.table_schema = current_schema() AND c.table_name NOT LIKE '\\_sqlx%'
    ORDER BY c.table_name, COALESCE(k.ordinal_position, 0), c.ordinal_position";

const SQLITE_FOREIGN: &str = "SELECT t.name, f.\"from\", f.\"table\", f.\"to\"
    FROM sqlite_master t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'";

const POSTGRES_FOREIGN: &str = "SELECT CAST(t.relname AS TEXT), CAST(a.attname AS TEXT),
        CAST(o.relname AS TEXT), CAST(b.attname AS TEXT)
    FROM pg_constraint c
    JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class o ON o.oid = c.confrelid
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
    WHERE c.contype = 'f' AND c.connamespace = CAST(current_schema() AS regnamespace)";

const SQLITE_INDEXES: &str = "SELECT t.name, i.name, CAST(i.\"unique\" AS TEXT),
        (SELECT group_concat(x.name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno) x),
        CASE WHEN i.partial THEN substr(m.sql, instr(m.sql, ' WHERE ') + 7) ELSE '' END
    FROM sqlite_master t, pragma_index_list(t.name) i
    JOIN sqlite_master m ON m.type = 'index' AND m.name = i.name
    WHERE t.type = 'table' AND i.origin = 'c'";

const POSTGRES_INDEXES: &str = "SELECT CAST(t.relname AS TEXT), CAST(c.relname AS TEXT),
        CASE WHEN i.indisunique THEN '1' ELSE '0' END,
        (SELECT string_agg(a.attname, ',' ORDER BY k.at)
            FROM unnest(CAST(i.indkey AS smallint[])) WITH ORDINALITY AS k(number, at)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number),
        COALESCE(pg_get_expr(i.indpred, i.indrelid), '')
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND NOT i.indisprimary
        AND t.relname NOT LIKE '\\_sqlx%'";

/// A condition without the marks that only one of the two prints.
fn plain(condition: &str) -> String {
    let bare: String = condition
        .replace("::text", "")
        .replace("= ANY (ARRAY", "IN (")
        .chars()
        .filter(|letter| !"()[]".contains(*letter))
        .collect();
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn both_databases_have_the_same_schema() {
    let Some(postgres) = Fresh::postgres().await else { return };
    let sqlite = Fresh::sqlite().await;
    let mut left = read(&mut sqlite.raw().await).await;
    let mut right = read(&mut postgres.raw().await).await;
    // Full text is what each database makes of it.
    for schema in [&mut left, &mut right] {
        let count = schema.len();
        schema.retain(|name, _| !name.starts_with("post_words"));
        assert!(schema.len() < count, "there is no full text");
    }
    assert!(left.len() > 10, "the tables were not found: {:?}", left.keys());
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    for (name, table) in &left {
        let other = &right[name];
        assert_eq!(table.columns, other.columns, "{name}: SQLite left, PostgreSQL right");
        assert_eq!(table.primary_key, other.primary_key, "{name}");
        assert_eq!(table.foreign_keys, other.foreign_keys, "{name}");
        assert_eq!(table.indexes, other.indexes, "{name}");
        let views = [
            "deliveries_of_stale_variants",
            "delivery_approvals",
            "duties",
            "hold_covers",
            "post_approvals",
            "post_embargoes",
            "this_server",
            "unproofed_deliveries",
            "vouched",
        ];
        let view = views.contains(&name.as_str());
        assert_eq!(table.primary_key.is_empty(), view, "{name}: a primary key");
    }
    // Something of each sort was compared, not nothing with nothing.
    let deliveries = &left["deliveries"];
    assert!(deliveries.columns["remote_id"].1 && !deliveries.columns["due_at"].1);
    assert!(deliveries.foreign_keys.contains(&("post_id".into(), "posts".into(), "id".into())));
    assert_eq!(deliveries.indexes["deliveries_publishing_key"].only, "state = 'publishing'");
    assert_eq!(left["idempotency"].primary_key, ["person_id", "key"]);
    sqlite.remove().await;
    postgres.remove().await;
}

#[test]
fn both_folders_have_the_same_steps() {
    let steps = |database: &str| -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let sqlite = steps("sqlite");
    assert_eq!(sqlite, steps("postgres"));
    let numbers: Vec<i64> = sqlite.iter().map(|name| name[..4].parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&SCHEMA_VERSION));
}
