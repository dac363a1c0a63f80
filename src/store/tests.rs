//! What cannot be seen from outside the store: the settings of its connections.

use super::sql::{Sql, on};
use super::{Location, Store};

const fn plain(sqlite: &'static str) -> Sql {
    Sql { sqlite, postgres: "SELECT ''" }
}

async fn fresh() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chancery.db");
    let store = Store::open(&Location::Sqlite { file }).await.unwrap();
    store.migrate().await.unwrap();
    (directory, store)
}

#[tokio::test]
async fn the_writer_waits_for_the_disk_and_keeps_foreign_keys() {
    let (_directory, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    for (pragma, expected) in [
        ("SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous", "2"),
        ("SELECT journal_mode FROM pragma_journal_mode", "wal"),
        ("SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys", "1"),
    ] {
        let statement = plain(pragma);
        let mut ask = async || -> Result<String, super::Error> {
            Ok(on!(tx, statement, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await?))
        };
        assert_eq!(ask().await.unwrap(), expected, "{pragma}");
    }
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let (_directory, store) = fresh().await;
    let mut reader = store.read().await.unwrap();
    let statement = plain("DELETE FROM installation");
    let mut write = async || -> Result<(), super::Error> {
        on!(reader, statement, |sql, conn| {
            sqlx::query(sql).execute(conn).await?;
        });
        Ok(())
    };
    let error = write().await.unwrap_err();
    let super::Error::Database(source) = error else { panic!("told as {error:?}") };
    let code = source.as_database_error().unwrap().code().unwrap().into_owned();
    assert_eq!(code, "8", "SQLITE_READONLY");
}

#[tokio::test]
async fn the_library_is_one_without_the_race_that_corrupts() {
    let (_directory, store) = fresh().await;
    let mut reader = store.read().await.unwrap();
    let statement = plain("SELECT sqlite_version()");
    let mut ask = async || -> Result<String, super::Error> {
        Ok(on!(reader, statement, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await?))
    };
    let found = ask().await.unwrap();
    let parts: Vec<u32> = found.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts >= vec![3, 51, 3], "{found}");
}
