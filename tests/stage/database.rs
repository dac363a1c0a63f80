//! A database of either kind for one test, and a way to look at it past the service.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chancery::store::{Location, Store};
use secrecy::SecretString;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};
use sqlx::{PgConnection, SqliteConnection};

/// A file is locked for moments only.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file.
    Sqlite,
    /// A schema of its own on the server that `CHANCERY_TEST_POSTGRES` names.
    Postgres,
}

/// A migrated database that no other test uses.
#[derive(Debug)]
pub(crate) enum Database {
    /// A file.
    Sqlite { file: PathBuf },
    /// A schema.
    Postgres { server: String, url: String, schema: String },
}

impl Database {
    /// A new one; none when PostgreSQL was left out on purpose.
    pub(crate) async fn fresh(kind: Kind, directory: &Path) -> Option<Self> {
        match kind {
            Kind::Sqlite => Some(Self::Sqlite { file: directory.join("chancery.db") }),
            Kind::Postgres => Some(Self::on(server()?).await),
        }
    }

    /// A new schema on this server.
    pub(crate) async fn on(server: String) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let schema = format!("stage_{}_{number}", std::process::id());
        let mut admin = PgConnection::connect(&server).await.unwrap();
        let drop = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
        admin.execute(AssertSqlSafe(drop)).await.unwrap();
        admin.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.unwrap();
        let join = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{join}options=-csearch_path%3D{schema}");
        let location = Location::Postgres { url: SecretString::from(url.clone()), connections: 2 };
        let store = Store::open(&location).await.unwrap();
        store.migrate().await.unwrap();
        store.close().await;
        Self::Postgres { server, url, schema }
    }

    /// What the configuration says of it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite { file } => format!("sqlite:{}", file.display()),
            Self::Postgres { url, .. } => url.clone(),
        }
    }

    /// All rows of a query whose columns are all texts.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let sql = AssertSqlSafe(sql.to_owned());
        let text = |value: Option<String>| value.unwrap_or_default();
        match self {
            Self::Sqlite { file } => {
                let mut connection: SqliteConnection = SqliteConnectOptions::new()
                    .filename(file)
                    .read_only(true)
                    .connect()
                    .await
                    .unwrap();
                let rows = connection.fetch_all(sql).await.unwrap();
                connection.close().await.unwrap();
                rows.iter().map(|it| (0..it.len()).map(|at| text(it.get(at))).collect()).collect()
            }
            Self::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                let rows = connection.fetch_all(sql).await.unwrap();
                connection.close().await.unwrap();
                rows.iter().map(|it| (0..it.len()).map(|at| text(it.get(at))).collect()).collect()
            }
        }
    }

    /// Changes something past the service.
    pub(crate) async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite { file } => {
                let options = SqliteConnectOptions::new().filename(file).busy_timeout(PATIENCE);
                let mut connection: SqliteConnection = options.connect().await.unwrap();
                connection.execute(sql).await.unwrap();
                connection.close().await.unwrap();
            }
            Self::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                connection.execute(sql).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// Keeps a row locked on the server until the connection is closed.
    pub(crate) async fn lock(&self, table: &str, id: &impl std::fmt::Display) -> PgConnection {
        let Self::Postgres { url, .. } = self else { panic!("a file has no locks on rows") };
        let mut connection = PgConnection::connect(url).await.unwrap();
        let sql = format!("BEGIN; SELECT id FROM {table} WHERE id = '{id}' FOR UPDATE");
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
        connection
    }

    /// Keeps whoever changes something from his commit until the connection is closed.
    pub(crate) async fn lock_audit(&self) -> PgConnection {
        let Self::Postgres { url, .. } = self else { panic!("a file has no locks on rows") };
        let mut connection = PgConnection::connect(url).await.unwrap();
        let sql = "BEGIN; SELECT seq FROM audit_head FOR UPDATE";
        connection.execute(sql).await.unwrap();
        connection
    }

    /// How many of those who have to do with a table wait for somebody.
    pub(crate) async fn waiting_with(&self, table: &str) -> usize {
        let sql = format!(
            "SELECT DISTINCT a.pid::text FROM pg_stat_activity AS a JOIN pg_locks AS l ON l.pid = a.pid
             WHERE a.wait_event_type = 'Lock' AND l.relation = '{table}'::regclass"
        );
        self.rows(&sql).await.len()
    }

    /// From now on the database refuses this change, such as `UPDATE ON attempts`, for rows that the
    /// condition on `NEW` (and `OLD`) fits.
    pub(crate) async fn refuse(&self, change: &str, condition: &str) {
        let sql = match self {
            Self::Sqlite { .. } => format!(
                "CREATE TRIGGER refusal BEFORE {change} WHEN {condition}
                 BEGIN SELECT RAISE(ABORT, 'refused by the test'); END"
            ),
            Self::Postgres { .. } => format!(
                "CREATE FUNCTION refusal() RETURNS trigger LANGUAGE plpgsql
                     AS $$ BEGIN RAISE EXCEPTION 'refused by the test'; END $$;
                 CREATE TRIGGER refusal BEFORE {change} FOR EACH ROW WHEN ({condition})
                     EXECUTE FUNCTION refusal()"
            ),
        };
        self.execute(&sql).await;
    }

    /// Takes the refusal of a change back.
    pub(crate) async fn permit(&self) {
        let sql = match self {
            Self::Sqlite { .. } => "DROP TRIGGER refusal",
            Self::Postgres { .. } => "DROP FUNCTION refusal CASCADE",
        };
        self.execute(sql).await;
    }

    /// Everything that a server keeps for us, as text; a file is searched as it is.
    pub(crate) async fn dump(&self) -> String {
        let Self::Postgres { schema, .. } = self else { return String::new() };
        let tables = format!("SELECT tablename::text FROM pg_tables WHERE schemaname = '{schema}'");
        let mut all = String::new();
        for table in self.rows(&tables).await {
            let sql = format!("SELECT it::text FROM {schema}.{} AS it", table[0]);
            for row in self.rows(&sql).await {
                all.push_str(&row[0]);
                all.push('\n');
            }
        }
        all
    }

    /// Forgets it; the schema of a failed test stays until its server is stopped.
    pub(crate) async fn remove(self) {
        if let Self::Postgres { server, schema, .. } = self {
            let mut admin = PgConnection::connect(&server).await.unwrap();
            admin.execute(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"))).await.unwrap();
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
