//! A fresh database of either kind for each test, and the macro that makes two tests of one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use chancery::store::{Location, Store};
use secrecy::SecretString;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use sqlx::{PgConnection, SqliteConnection};

/// Makes two tests of one: the same body on SQLite and on PostgreSQL.
macro_rules! both {
    ($($(#[$doc:meta])* async fn $name:ident($fresh:ident) $body:block)*) => {
        $($(#[$doc])* mod $name {
            use super::*;

            async fn run($fresh: &crate::database::Fresh) $body

            #[tokio::test]
            async fn sqlite() {
                let fresh = crate::database::Fresh::sqlite().await;
                run(&fresh).await;
                fresh.remove().await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(fresh) = crate::database::Fresh::postgres().await {
                    run(&fresh).await;
                    fresh.remove().await;
                }
            }
        })*
    };
}
pub(crate) use both;

/// An open and migrated database that nobody else uses.
pub(crate) struct Fresh {
    pub(crate) store: Store,
    pub(crate) location: Location,
    pub(crate) place: Place,
}

/// Where a database is, for looking at it past the store.
pub(crate) enum Place {
    Sqlite { file: PathBuf, _directory: tempfile::TempDir },
    Postgres { server: String, url: String, schema: String },
}

/// A connection past the store.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Fresh {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("chancery.db");
        let location = Location::Sqlite { file: file.clone() };
        Self::open(location, Place::Sqlite { file, _directory: directory }).await
    }

    /// `None` when PostgreSQL was left out on purpose.
    pub(crate) async fn postgres() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = server()?;
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let schema = format!("store_{}_{number}", std::process::id());
        let mut admin = PgConnection::connect(&server).await.unwrap();
        let drop = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
        admin.execute(AssertSqlSafe(drop)).await.unwrap();
        admin.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.unwrap();
        let join = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{join}options=-csearch_path%3D{schema}");
        let location = Location::Postgres { url: SecretString::from(url.clone()), connections: 4 };
        Some(Self::open(location, Place::Postgres { server, url, schema }).await)
    }

    async fn open(location: Location, place: Place) -> Self {
        let store = Store::open(&location).await.unwrap();
        store.migrate().await.unwrap();
        Self { store, location, place }
    }

    /// A connection past the store, without foreign keys.
    pub(crate) async fn raw(&self) -> Raw {
        match &self.place {
            Place::Sqlite { file, .. } => Raw::Sqlite(
                SqliteConnectOptions::new()
                    .filename(file)
                    .foreign_keys(false)
                    .connect()
                    .await
                    .unwrap(),
            ),
            Place::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                connection.execute("SET session_replication_role = replica").await.unwrap();
                Raw::Postgres(connection)
            }
        }
    }

    /// Forgets the database; the schema of a failed test stays until its server is stopped.
    pub(crate) async fn remove(self) {
        self.store.close().await;
        if let Place::Postgres { server, schema, .. } = &self.place {
            let mut admin = PgConnection::connect(server).await.unwrap();
            admin.execute(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"))).await.unwrap();
        }
    }
}

impl Raw {
    /// Runs a text and answers with how many rows it touched.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Sqlite(connection) => connection.execute(sql).await?.rows_affected(),
            Self::Postgres(connection) => connection.execute(sql).await?.rows_affected(),
        })
    }

    /// All rows of a query whose columns are all texts.
    pub(crate) async fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        use sqlx::Row as _;
        let sql = AssertSqlSafe(sql.to_owned());
        let text = |value: Option<String>| value.unwrap_or_default();
        match self {
            Self::Sqlite(connection) => {
                let rows = connection.fetch_all(sql).await.unwrap();
                rows.iter().map(|it| (0..it.len()).map(|at| text(it.get(at))).collect()).collect()
            }
            Self::Postgres(connection) => {
                let rows = connection.fetch_all(sql).await.unwrap();
                rows.iter().map(|it| (0..it.len()).map(|at| text(it.get(at))).collect()).collect()
            }
        }
    }
}

/// The server to test on. Its absence is a failure unless it was asked for.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment what to use")]
fn server() -> Option<String> {
    let skipped = std::env::var("CHANCERY_TEST_SKIP").unwrap_or_default();
    if skipped.split(',').any(|it| it.trim() == "postgres") {
        eprintln!("SKIPPED: PostgreSQL, because CHANCERY_TEST_SKIP says so");
        return None;
    }
    Some(std::env::var("CHANCERY_TEST_POSTGRES").unwrap_or_else(|_unset| {
        panic!(
            "NO POSTGRESQL TO TEST ON. Run `make test`, or set CHANCERY_TEST_POSTGRES to what \
             `tests/tools/postgres.sh start` prints, or set CHANCERY_TEST_SKIP=postgres to leave \
             this half out knowingly"
        )
    }))
}
