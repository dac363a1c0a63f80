//! A consistent copy of a live SQLite file, and looking at such a copy without changing it.
//!
//! The copy is made by a reader beside the daemon, which neither stops nor waits for it; a server's
//! database has its own tools for this.

use std::path::Path;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, SqlitePool};

use super::db::Reader;
use super::error::Error;
use super::open::not_a_database;
use super::sql::{on, statements};
use super::{audit, installation};
use crate::domain::audit as chain;

/// Links of the audit that are read at once.
const LINKS: u32 = 2_000;

statements! {
    /// PostgreSQL is not copied here; what stands for it does nothing.
    COPY = "VACUUM INTO $1" | "SELECT CAST($1 AS TEXT)";
    CHECK = "PRAGMA integrity_check(1)" | "SELECT 'ok'";
    STEP = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
    GENERATION = "SELECT generation FROM installation WHERE id = 1";
    ROWS =
        "SELECT (SELECT COUNT(*) FROM posts), (SELECT COUNT(*) FROM deliveries),
                (SELECT COUNT(*) FROM attempts), (SELECT COUNT(*) FROM audit)";
    FILES =
        "SELECT DISTINCT sha256, size_bytes FROM media WHERE sha256 > $1 ORDER BY sha256 LIMIT 1000";
}

/// What a copy has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Its schema step.
    pub step: i64,
    /// Which database it is a copy of.
    pub generation: String,
    /// Rows by table.
    pub rows: Rows,
    /// The last link of the audit: its place and hash.
    pub audit: (i64, String),
}

/// How many rows a copy has.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow, serde::Serialize, serde::Deserialize,
)]
pub struct Rows {
    /// Posts.
    pub posts: i64,
    /// Deliveries.
    pub deliveries: i64,
    /// Attempts.
    pub attempts: i64,
    /// Links of the audit.
    pub audit: i64,
}

/// An open copy, or the database itself.
#[derive(Debug)]
pub struct Copy(SqlitePool);

/// Writes a consistent copy of the database in `file`, which may be in use, to `to`, which must not
/// exist.
pub async fn copy(file: &Path, to: &Path) -> Result<(), Error> {
    let mut connection = SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .disable_statement_logging()
        .connect()
        .await
        .map_err(|error| not_a_database(error.into()))?;
    let to = to.to_str().ok_or_else(|| Error::Unsafe("the path is not UTF-8".to_owned()))?;
    sqlx::query(COPY.sqlite).bind(to).execute(&mut connection).await?;
    sqlx::Connection::close(connection).await?;
    Ok(())
}

impl Copy {
    /// Opens a copy that nobody else has open; nothing is written beside it.
    pub async fn open(file: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .read_only(true)
            .immutable(true)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        Ok(Self(pool.map_err(|error| not_a_database(error.into()))?))
    }

    /// Opens, for reading, a database that the daemon may have open.
    pub async fn beside(file: &Path) -> Result<Self, Error> {
        let options =
            SqliteConnectOptions::new().filename(file).read_only(true).disable_statement_logging();
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        Ok(Self(pool.map_err(|error| not_a_database(error.into()))?))
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<Reader, Error> {
        Ok(Reader::of(self.0.acquire().await?))
    }

    /// When the database was first used.
    pub async fn first_used(&self) -> Result<Timestamp, Error> {
        let mut reader = Reader::of(self.0.acquire().await?);
        let known = installation::find(&mut reader).await?;
        Ok(known.ok_or_else(never_used)?.created_at)
    }

    /// Checks every page, index and reference, and the whole audit chain; says what it has.
    /// `Unsafe` with what is wrong.
    pub async fn inspect(&self) -> Result<Contents, Error> {
        let mut reader = Reader::of(self.0.acquire().await?);
        let health: String = on!(reader, CHECK, |sql, conn| sqlx::query_scalar(sql)
            .fetch_one(conn)
            .await
            .map_err(|error| not_a_database(error.into()))?);
        if health != "ok" {
            return Err(Error::Unsafe(format!("the copy is damaged ({health})")));
        }
        let step: i64 =
            on!(reader, STEP, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await?);
        let generation: Option<String> =
            on!(reader, GENERATION, |sql, conn| sqlx::query_scalar(sql)
                .fetch_optional(conn)
                .await?);
        let generation = generation.ok_or_else(never_used)?;
        let rows: (i64, i64, i64, i64) =
            on!(reader, ROWS, |sql, conn| sqlx::query_as(sql).fetch_one(conn).await?);
        let (posts, deliveries, attempts, links) = rows;
        let rows = Rows { posts, deliveries, attempts, audit: links };
        Ok(Contents { step, generation, rows, audit: last_link(&mut reader).await? })
    }

    /// The hashes of all files that it knows, after `after`, in order, a page at a time.
    pub async fn files(&self, after: &str) -> Result<Vec<(String, i64)>, Error> {
        let mut reader = Reader::of(self.0.acquire().await?);
        Ok(on!(reader, FILES, |sql, conn| {
            sqlx::query_as(sql).bind(after).fetch_all(conn).await?
        }))
    }

    /// Lets go of the file.
    pub async fn close(self) {
        self.0.close().await;
    }
}

fn never_used() -> Error {
    Error::Unsafe("it is a database that was never used".to_owned())
}

/// The last link of the chain, every one of which must follow from the one before.
async fn last_link(reader: &mut Reader) -> Result<(i64, String), Error> {
    let (mut seq, mut hash) = (0, String::new());
    loop {
        let links = audit::after(reader, seq, LINKS).await?;
        let Some(last) = links.last().map(|link| (link.seq, link.hash.clone())) else {
            return Ok((seq, hash));
        };
        for link in &links {
            if link.seq != seq + 1 || !chain::follows(&hash, link) {
                return Err(Error::Unsafe(format!("its audit was changed at entry {}", link.seq)));
            }
            seq = link.seq;
            hash.clone_from(&link.hash);
        }
        debug_assert_eq!(last, (seq, hash.clone()), "the loop ends at the last link");
    }
}
