//! Opening a database safely: the directory lock, the version of the library, the health of the
//! file, the schema.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migrator};

use super::Store;
use super::db::Db;
use super::error::Error;
use super::session::Server;
use super::sql::{on, statements};

static SQLITE_STEPS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_STEPS: Migrator = sqlx::migrate!("migrations/postgres");

/// The newest schema step that this build knows.
pub const SCHEMA_VERSION: i64 = 49;

/// How long a server is waited for when nobody says otherwise.
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The first release without the race that could corrupt a write-ahead log.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

statements! {
    LIBRARY = "SELECT sqlite_version()" | "SHOW server_version_num";
    QUICK_CHECK = "PRAGMA quick_check(1)" | "SELECT 'ok'";
    MIGRATED =
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')"
        | "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    STEPS = "SELECT version, checksum FROM _sqlx_migrations";
    SYNCHRONOUS = "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous" | "SHOW synchronous_commit";
}

/// How the schema of a database stands to this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// It is the one.
    Current,
    /// It lacks a step, the first one after this; 0 when it has none.
    Behind(i64),
}

/// Which database to open.
#[derive(Debug, Clone)]
pub enum Location {
    /// A file in a data directory that one process may use.
    Sqlite {
        /// The database file.
        file: PathBuf,
    },
    /// A server, for several nodes.
    Postgres {
        /// `postgres://…`, with its password.
        url: secrecy::SecretString,
        /// The most connections to keep.
        connections: u32,
    },
}

#[derive(Debug)]
pub(super) struct Opened {
    pub(super) db: Db,
    /// Held until the store is closed; the system lets go of it when the process ends.
    lock: Mutex<Option<File>>,
}

impl Opened {
    /// Ends all connections and lets go of the directory, although handles may live on.
    pub(super) async fn close(&self) {
        self.db.close().await;
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Takes the lock that lets only one process use a data directory.
pub(super) fn lock_directory(directory: &Path) -> Result<File, Error> {
    let path = directory.join("chancery.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| Error::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse(directory.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(Error::File { path, source }),
    }
}

impl Store {
    /// Opens the database, checks that it is safe to use, and does not change its schema.
    pub async fn open(location: &Location) -> Result<Self, Error> {
        Self::open_within(location, LONGEST_WAIT).await
    }

    /// The same; no wait for a server is longer than `longest`.
    pub async fn open_within(location: &Location, longest: Duration) -> Result<Self, Error> {
        let (db, lock) = match location {
            Location::Sqlite { file } => {
                let directory = file.parent().unwrap_or(Path::new("."));
                let lock = lock_directory(directory)?;
                let db = Db::open_sqlite(file).await.map_err(not_a_database)?;
                (db, Some(lock))
            }
            Location::Postgres { url, connections } => {
                use secrecy::ExposeSecret as _;
                let url = url.expose_secret();
                (Db::Postgres(Server::open(url, *connections, longest).await?), None)
            }
        };
        let store = Self { inner: std::sync::Arc::new(Opened { db, lock: Mutex::new(lock) }) };
        store.check().await?;
        Ok(store)
    }

    /// Brings the schema up to date; `Unsafe` when the database is from a newer version.
    pub async fn migrate(&self) -> Result<(), Error> {
        let done = match &self.inner.db {
            Db::Sqlite { writer, .. } => SQLITE_STEPS.run(writer).await,
            // By itself: a step may take long, or wait for another node that takes it.
            Db::Postgres(server) => {
                let mut conn = server.unlimited().await?;
                let done = POSTGRES_STEPS.run(&mut conn).await;
                // Nothing depends on how it ends.
                let _closed = conn.close().await;
                done
            }
        };
        let Err(error) = done else { return Ok(()) };
        if let MigrateError::VersionMissing(version) = error {
            return Err(unknown(version));
        }
        if let MigrateError::VersionMismatch(version) = error {
            return Err(another(version));
        }
        Err(Error::Migrate(error))
    }

    /// Whether the schema is the one that this build needs, step by step: steps may land out of their order.
    /// `Unsafe` when it has one that this build does not know, or knows by another text.
    pub async fn schema(&self) -> Result<Schema, Error> {
        let mut reader = self.read().await?;
        let there: bool =
            on!(reader, MIGRATED, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await?);
        if !there {
            return Ok(Schema::Behind(0));
        }
        let applied: Vec<(i64, Vec<u8>)> =
            on!(reader, STEPS, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?);
        let steps = match &self.inner.db {
            Db::Sqlite { .. } => &SQLITE_STEPS,
            Db::Postgres(_) => &POSTGRES_STEPS,
        };
        let known: Vec<(i64, &[u8])> =
            steps.iter().map(|it| (it.version, it.checksum.as_ref())).collect();
        compare(&applied, &known)
    }

    async fn check(&self) -> Result<(), Error> {
        let mut tx = self.begin().await.map_err(not_a_database)?;
        let library: String =
            on!(tx, LIBRARY, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await?);
        let old = match &self.inner.db {
            Db::Sqlite { .. } => version(&library) < OLDEST_SQLITE,
            Db::Postgres(_) => library.parse::<u32>().unwrap_or(0) < 150_000,
        };
        if old {
            return Err(Error::Unsafe(format!("its library or server is too old: {library}")));
        }
        // By a reader: it walks through the whole file, and the writer's larger cache would keep
        // what it has seen of it for good.
        let mut reader = self.read().await.map_err(not_a_database)?;
        let health: String = on!(reader, QUICK_CHECK, |sql, conn| {
            sqlx::query_scalar(sql).fetch_one(conn).await.map_err(|e| not_a_database(e.into()))?
        });
        if health != "ok" {
            return Err(Error::Unsafe(format!("it is damaged ({health}); restore a backup")));
        }
        let durable: String =
            on!(tx, SYNCHRONOUS, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await?);
        // SQLite says 2 for FULL; PostgreSQL's `on` and stronger all wait for the local disk.
        if !["2", "on", "remote_apply"].contains(&durable.as_str()) {
            return Err(Error::Unsafe(format!("it does not wait for the disk (level {durable})")));
        }
        Ok(())
    }
}

/// How the steps of a database stand to those of this build, which are in order.
fn compare(applied: &[(i64, Vec<u8>)], known: &[(i64, &[u8])]) -> Result<Schema, Error> {
    let text_of = |step: i64| known.iter().find(|(it, _)| *it == step).map(|(_, text)| *text);
    let is_new = |step: &&(i64, Vec<u8>)| text_of(step.0).is_none();
    if let Some((step, _)) = applied.iter().filter(is_new).max() {
        return Err(unknown(*step));
    }
    if let Some((step, _)) = applied.iter().find(|(it, text)| text_of(*it) != Some(text)) {
        return Err(another(*step));
    }
    let is_done = |step: i64| applied.iter().any(|(it, _)| *it == step);
    let Some(missing) = known.iter().position(|(step, _)| !is_done(*step)) else {
        return Ok(Schema::Current);
    };
    let before = missing.checked_sub(1).and_then(|at| known.get(at));
    Ok(Schema::Behind(before.map_or(0, |(step, _)| *step)))
}

fn another(step: i64) -> Error {
    Error::Unsafe(format!("its schema step {step} is not the one of this build"))
}

fn unknown(step: i64) -> Error {
    Error::Unsafe(format!(
        "its schema has step {step}, which this build does not know (it has steps up to {SCHEMA_VERSION}); use \
         the newer build"
    ))
}

/// What SQLite says of a file that is no database or a damaged one (codes 11 and 26).
pub(super) fn not_a_database(error: Error) -> Error {
    let damaged = matches!(
        &error,
        Error::Database(source) if source.as_database_error().and_then(sqlx::error::DatabaseError::code)
            .is_some_and(|code| ["11", "26", "267", "523", "779"].contains(&code.as_ref()))
    );
    if damaged {
        return Error::Unsafe("the file is damaged or no database; restore a backup".to_owned());
    }
    error
}

fn version(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}
