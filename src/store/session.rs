//! Connections to PostgreSQL that never wait for ever: for a connection, a lock, an answer, or for
//! whoever went away in the middle.
//!
//! A server, or the way to it, can stop answering without any connection being closed. Whoever waited
//! for it without a limit would hang for good, and with him what he alone does, such as the heartbeat.
//! So each wait ends here after the same span, the server itself gives up sooner, and a connection on
//! which something was left unanswered is thrown away instead of being handed to the next one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool, Postgres};

use super::error::Error;
use crate::clock::{Clock as _, SystemClock};

/// How long a connection that was let go of may take to be fit for the next one.
const TIDYING: Duration = Duration::from_secs(5);

/// The pool on a server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pool: PgPool,
    /// Holds the password.
    url: SecretString,
    /// The longest wait for a connection or an answer.
    longest: Duration,
    /// The newest link of the audit's chain that this process has committed.
    known: Known,
}

/// A link of the audit's chain.
type Known = Arc<Mutex<Option<(i64, String)>>>;

/// A connection, with or without a transaction.
#[derive(Debug)]
pub(super) struct Session {
    /// Taken only when it is let go of.
    conn: Option<PoolConnection<Postgres>>,
    server: Server,
    is_transaction: bool,
}

impl Server {
    /// Connects; no wait is longer than `longest`.
    pub(super) async fn open(
        url: &str,
        connections: u32,
        longest: Duration,
    ) -> Result<Self, Error> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(longest)
            // Looked at by ourselves: one that does not answer must not use up the whole wait, for
            // then its neighbours are no better.
            .test_before_acquire(false)
            .before_acquire(move |conn, _| {
                Box::pin(async move {
                    let answered = within(longest / 8, async { Ok(conn.ping().await?) }).await;
                    Ok(answered.is_ok())
                })
            })
            .connect_with(options(url, longest)?)
            .await?;
        let known = Known::default();
        Ok(Self { pool, url: SecretString::from(url), longest, known })
    }

    /// A pool of one connection beside the others, to be kept for good.
    pub(super) fn alone(&self) -> Result<PgPool, Error> {
        Ok(PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.longest)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options(self.url.expose_secret(), self.longest)?))
    }

    /// The newest link of the audit's chain that this process has committed; 0 when there is none.
    pub(super) fn known(&self) -> (i64, String) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone().unwrap_or_default()
    }

    /// Notes a link that was committed.
    pub(super) fn knows(&self, link: (i64, String)) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Answers to commits may overtake each other.
        if known.as_ref().is_none_or(|(seq, _)| *seq < link.0) {
            *known = Some(link);
        }
    }

    /// Forgets what was committed: that history has ended.
    pub(super) fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The longest wait for a connection or an answer.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// A connection of its own for long work, without limits; not to be given back.
    pub(super) async fn unlimited(&self) -> Result<PgConnection, Error> {
        let mut conn = self.pool.acquire().await?.detach();
        sqlx::raw_sql("SET statement_timeout = 0; SET lock_timeout = 0").execute(&mut conn).await?;
        Ok(conn)
    }

    pub(super) async fn read(&self) -> Result<Session, Error> {
        let conn = self.pool.acquire().await?;
        Ok(Session { conn: Some(conn), server: self.clone(), is_transaction: false })
    }

    pub(super) async fn begin(&self) -> Result<Session, Error> {
        let mut session = self.read().await?;
        // From before the statement: it may be carried out although its answer does not come.
        session.is_transaction = true;
        session.tell("BEGIN").await?;
        Ok(session)
    }

    pub(super) async fn close(&self) {
        // Whoever still holds a connection that does not answer is not waited for.
        let _closed = within(self.longest, async {
            self.pool.close().await;
            Ok(())
        })
        .await;
    }
}

impl Session {
    /// The newest link of the audit's chain that was committed; 0 when there is none.
    pub(super) fn known(&self) -> (i64, String) {
        self.server.known()
    }

    /// Where it leads to.
    pub(super) fn server(&self) -> Server {
        self.server.clone()
    }

    /// The connection, and the longest that a statement on it may take.
    pub(super) fn conn(&mut self) -> Result<(&mut PgConnection, Duration), Error> {
        // It is there until the session is dropped.
        let conn = self.conn.as_mut().ok_or(Error::Busy)?;
        Ok((conn, self.server.longest))
    }

    pub(super) async fn commit(mut self) -> Result<(), Error> {
        if !self.is_transaction {
            return Err(Error::NotCommitted);
        }
        self.tell("COMMIT").await?;
        self.is_transaction = false;
        Ok(())
    }

    async fn tell(&mut self, words: &'static str) -> Result<(), Error> {
        let (conn, longest) = self.conn()?;
        within(longest, async { Ok(sqlx::raw_sql(words).execute(conn).await?) }).await?;
        Ok(())
    }
}

impl Drop for Session {
    /// Gives the connection back, rolled back, if that is done soon; otherwise closes it.
    fn drop(&mut self) {
        let Some(mut conn) = self.conn.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let is_transaction = self.is_transaction;
        runtime.spawn(async move {
            if is_transaction {
                let rolled_back = within(TIDYING, async {
                    Ok(sqlx::raw_sql("ROLLBACK").execute(&mut *conn).await?)
                })
                .await;
                if rolled_back.is_err() {
                    // Whoever does not answer is not told goodbye.
                    drop(conn.detach());
                    return;
                }
            }
            let _returned = within(TIDYING, async {
                conn.return_to_pool().await;
                Ok(())
            })
            .await;
        });
    }
}

/// The end of some work on a connection, or [`Error::Busy`] after `longest`.
pub(crate) async fn within<T>(
    longest: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        biased;
        done = work => done,
        // Real time, whatever clock the caller has: it is the server that is waited for.
        () = SystemClock.sleep(longest) => {
            tracing::warn!(waited_ms = longest.as_millis(), "the database does not answer");
            Err(Error::Busy)
        }
    }
}

fn options(url: &str, longest: Duration) -> Result<PgConnectOptions, Error> {
    let options: PgConnectOptions = url.parse()?;
    let millis = |span: Duration| span.as_millis().to_string();
    Ok(options
        .application_name("chancery")
        .options([("synchronous_commit", "on"), ("timezone", "UTC")])
        // Sooner than we do, so that we hear which of the two it was.
        .options([
            ("lock_timeout", millis(longest / 2)),
            ("statement_timeout", millis(longest * 3 / 4)),
        ])
        // What a node that stands still has locked must not stop the others for long.
        .options([("idle_in_transaction_session_timeout", millis(longest))])
        // A node that is gone without a word is noticed by the server.
        .options([
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ])
        .options([("tcp_user_timeout", millis(longest))])
        .disable_statement_logging())
}
