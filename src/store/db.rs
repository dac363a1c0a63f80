//! The two databases behind one face: connections, readers, transactions and their rules.
//!
//! SQLite has one writer connection, on which every transaction begins with `BEGIN IMMEDIATE` (one
//! that reads first and writes later fails at once when another has committed between), and a pool
//! of read-only connections. PostgreSQL has one pool, see `session`. No transaction may be open
//! while anything outside is awaited: a [`Tx`] is therefore never handed to a platform.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, PgConnection, Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::audit;
use super::error::Error;
use super::order::{self, Lock};
use super::session::{Server, Session};
use crate::clock::{Clock as _, SystemClock};
use crate::domain::audit::NewEntry;

/// How long a caller waits for SQLite's file or its writer before the answer is "busy".
const WAIT: Duration = Duration::from_secs(20);

/// Between two looks for what became of a commit.
const PAUSE: Duration = Duration::from_millis(200);

/// Read-only connections to SQLite; reads seldom take longer than a millisecond.
const SQLITE_READERS: u32 = 4;

/// The connections to whichever database is configured.
#[derive(Debug, Clone)]
pub(super) enum Db {
    /// One writer and several readers on one file.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    /// One pool on a server.
    Postgres(Server),
}

/// A connection that can only be read from.
#[derive(Debug)]
pub struct Reader(Source);

#[derive(Debug)]
enum Source {
    SqliteRead(PoolConnection<Sqlite>),
    SqliteTx(Transaction<'static, Sqlite>),
    Postgres(Session),
}

/// A transaction; whatever takes a [`Reader`] takes it too. Rolled back when dropped.
#[derive(Debug)]
pub struct Tx {
    reader: Reader,
    /// For metrics: who changes something.
    purpose: &'static str,
    /// The link that it has added to the audit's chain, by which it can be known again.
    link: Option<(i64, String)>,
    /// What the audit is to say, with its moment.
    told: Vec<(Timestamp, NewEntry)>,
    /// The last of the shared locks that it has taken.
    taken: Option<Lock>,
}

/// The typed connection that the `on!` macro hands to a statement.
pub(crate) enum Conn<'a> {
    Sqlite(&'a mut SqliteConnection),
    /// With the longest that a statement may take.
    Postgres(&'a mut PgConnection, Duration),
}

impl Db {
    pub(super) async fn open_sqlite(file: &Path) -> Result<Self, Error> {
        let writing = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An intent that is lost after its post went out would be a duplicate.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT)
            .pragma("wal_autocheckpoint", "4000")
            // Kibibytes, filled only when there is so much to do: with the usual 2 MB a burst
            // reads its pages again and again.
            .pragma("cache_size", "-16384")
            // What a statement may have to undo is small: no temporary file for it.
            .pragma("temp_store", "MEMORY")
            .pragma("journal_size_limit", "67108864")
            // A batch's rows wait for their reader all at once, not the reader for each of them.
            .row_buffer_size(512)
            .disable_statement_logging();
        let reading = SqliteConnectOptions::new()
            .filename(file)
            .read_only(true)
            .foreign_keys(true)
            .busy_timeout(WAIT)
            .disable_statement_logging();
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(WAIT)
            .test_before_acquire(false)
            .connect_with(writing)
            .await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS)
            .acquire_timeout(WAIT)
            .test_before_acquire(false)
            .connect_lazy_with(reading);
        Ok(Self::Sqlite { writer, readers })
    }

    pub(super) async fn read(&self) -> Result<Reader, Error> {
        Ok(Reader(match self {
            Self::Sqlite { readers, .. } => Source::SqliteRead(readers.acquire().await?),
            Self::Postgres(server) => Source::Postgres(server.read().await?),
        }))
    }

    pub(super) async fn begin(&self, purpose: &'static str) -> Result<Tx, Error> {
        let reader = Reader(match self {
            Self::Sqlite { writer, .. } => Source::SqliteTx(begin_immediate(writer).await?),
            Self::Postgres(server) => Source::Postgres(server.begin().await?),
        });
        Ok(Tx { reader, purpose, link: None, told: Vec::new(), taken: None })
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(server) => server.close().await,
        }
    }
}

impl Reader {
    /// A reader on a connection to some other SQLite file.
    pub(super) fn of(connection: PoolConnection<Sqlite>) -> Self {
        Self(Source::SqliteRead(connection))
    }

    /// The newest link of the audit's chain that this process has committed on a server; 0 when there
    /// is none.
    pub(super) fn known(&self) -> (i64, String) {
        match &self.0 {
            Source::SqliteRead(_) | Source::SqliteTx(_) => (0, String::new()),
            Source::Postgres(session) => session.known(),
        }
    }

    /// The typed connection, for the `on!` macro.
    pub(crate) fn conn(&mut self) -> Result<Conn<'_>, Error> {
        Ok(match &mut self.0 {
            Source::SqliteRead(conn) => Conn::Sqlite(conn),
            Source::SqliteTx(tx) => Conn::Sqlite(tx),
            Source::Postgres(session) => {
                let (conn, longest) = session.conn()?;
                Conn::Postgres(conn, longest)
            }
        })
    }
}

impl Tx {
    /// Keeps entries for the audit until the commit.
    pub(super) fn tells(&mut self, entries: impl Iterator<Item = (Timestamp, NewEntry)>) {
        self.told.extend(entries);
    }

    /// Notes that from here on others who want the same wait for the end of this transaction.
    pub(super) fn takes(&mut self, lock: Lock) {
        if let Some(after) = self.taken.filter(|taken| *taken > lock) {
            order::broken(self.purpose, after, lock);
        }
        self.taken = self.taken.max(Some(lock));
    }

    /// Writes what the audit is to say.
    async fn write_down(&mut self) -> Result<(), Error> {
        let told = std::mem::take(&mut self.told);
        if !told.is_empty() {
            self.link = Some(audit::write(self, &told).await?);
        }
        Ok(())
    }

    /// Makes the changes durable like [`Self::commit`]. When the answer to that is lost although the
    /// server may have made them, looks for the link that they added to the audit, and says what is
    /// true.
    pub async fn conclude(mut self) -> Result<(), Error> {
        self.write_down().await?;
        let server = match &self.reader.0 {
            Source::Postgres(session) => Some(session.server()),
            // A file tells its outcome itself.
            Source::SqliteTx(_) | Source::SqliteRead(_) => None,
        };
        let link = self.link.clone();
        let Err(error) = self.commit().await else { return Ok(()) };
        let (Some(server), Some((seq, hash))) = (server, link) else { return Err(error) };
        tracing::warn!(error = %crate::telemetry::Chain(&error), "it is not known whether a commit was made: looking");
        let start = SystemClock.elapsed();
        loop {
            let looking = Db::Postgres(server.clone());
            match looked(&looking, seq, &hash).await {
                Ok(true) => return Ok(()),
                Ok(false) if is_lost(&error) => return Err(Error::Busy),
                Ok(false) => return Err(error),
                Err(_unseen) if SystemClock.elapsed().saturating_sub(start) > server.longest() => {
                    return Err(Error::Busy);
                }
                Err(_unseen) => SystemClock.sleep(PAUSE).await,
            }
        }
    }

    /// Makes the changes durable. Only after this has returned may anybody be told of them.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.write_down().await?;
        // Real time, whatever clock the caller has: it is the disk that is measured.
        let start = SystemClock.elapsed();
        let done = match self.reader.0 {
            Source::SqliteTx(tx) => tx.commit().await.map_err(Error::from),
            Source::Postgres(session) => {
                let server = session.server();
                let done = session.commit().await;
                if let (Ok(()), Some(link)) = (&done, self.link) {
                    server.knows(link);
                }
                done
            }
            Source::SqliteRead(_) => Err(Error::NotCommitted),
        };
        let span = SystemClock.elapsed().saturating_sub(start);
        metrics::histogram!("chancery_store_commit_seconds").record(span.as_secs_f64());
        let result = if done.is_ok() { "committed" } else { "failed" };
        metrics::counter!(
            "chancery_store_transactions_total", "purpose" => self.purpose, "result" => result
        )
        .increment(1);
        done
    }
}

/// A transaction on the one writer. When a commit fails because the disk does, SQLite itself undoes it;
/// the connection is then still counted as being within a transaction, and would be for ever: a new one
/// takes its place.
async fn begin_immediate(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
    match writer.begin_with("BEGIN IMMEDIATE").await {
        Err(sqlx::Error::InvalidSavePointStatement) => {
            // Whichever it is: one that somebody else has replaced meanwhile is replaced once more.
            writer.acquire().await?.close().await?;
            writer.begin_with("BEGIN IMMEDIATE").await
        }
        begun => begun,
    }
}

/// Whether the connection broke, which says nothing about what it was used for.
fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Database(sqlx::Error::Io(_)))
}

/// Whether a link is in the audit's chain.
async fn looked(db: &Db, seq: i64, hash: &str) -> Result<bool, Error> {
    let mut tx = db.begin("look").await?;
    audit::has(&mut tx, seq, hash).await
}

impl Deref for Tx {
    type Target = Reader;
    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}
