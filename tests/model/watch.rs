//! Looks at the database while the service works: whether anything is under way, and whether what
//! must never change has changed.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};

use crate::stage::Database;

/// The states that nothing moves on from, but a recall what is out.
pub(crate) const ENDS: [&str; 6] =
    ["published", "missed", "failed", "cancelled", "vanished", "recalled"];

/// What is under way at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pulse {
    pub(crate) running: i64,
    pub(crate) due: i64,
    /// Grows with every change of a delivery.
    pub(crate) changes: i64,
}

impl Pulse {
    pub(crate) fn is_still(self) -> bool {
        self.running == 0 && self.due == 0
    }
}

/// A delivery as it stands in the database.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) remote_id: Option<String>,
    pub(crate) account_id: String,
    /// Its instant, in milliseconds.
    pub(crate) due_ms: i64,
}

#[derive(Debug)]
enum Eye {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Its own connection, past the service.
#[derive(Debug)]
pub(crate) struct Watch {
    eye: Eye,
    known: HashMap<String, Row>,
}

const SQLITE_ROWS: &str =
    "SELECT id, state, remote_id, account_id, due_at AS due_ms FROM deliveries";
const POSTGRES_ROWS: &str = "SELECT id, state, remote_id, account_id,
            (EXTRACT(EPOCH FROM due_at) * 1000)::bigint AS due_ms FROM deliveries";

impl Watch {
    pub(crate) async fn open(database: &Database) -> Self {
        let eye = match database {
            Database::Sqlite { file } => Eye::Sqlite(
                SqliteConnectOptions::new().filename(file).read_only(true).connect().await.unwrap(),
            ),
            Database::Postgres { url, .. } => {
                Eye::Postgres(PgConnection::connect(url).await.unwrap())
            }
        };
        Self { eye, known: HashMap::new() }
    }

    /// With what another one had seen.
    pub(crate) fn knowing(self, other: &Self) -> Self {
        Self { known: other.known.clone(), ..self }
    }

    /// How much is under way.
    pub(crate) async fn pulse(&mut self, now: Timestamp) -> Pulse {
        let ms = now.as_millisecond();
        let (running, due, changes) = match &mut self.eye {
            Eye::Sqlite(connection) => sqlx::query_as(
                "SELECT (SELECT COUNT(*) FROM jobs WHERE state = 'running'),
                        (SELECT COUNT(*) FROM jobs WHERE state = 'queued' AND due_at <= $1),
                        (SELECT COALESCE(SUM(version), 0) FROM deliveries)",
            )
            .bind(ms)
            .fetch_one(connection)
            .await
            .unwrap(),
            Eye::Postgres(connection) => sqlx::query_as(
                "SELECT (SELECT COUNT(*) FROM jobs WHERE state = 'running'),
                        (SELECT COUNT(*) FROM jobs WHERE state = 'queued'
                         AND due_at <= TIMESTAMPTZ 'epoch' + $1 * INTERVAL '1 millisecond'),
                        (SELECT COALESCE(SUM(version), 0)::bigint FROM deliveries)",
            )
            .bind(ms)
            .fetch_one(connection)
            .await
            .unwrap(),
        };
        Pulse { running, due, changes }
    }

    /// The next instant at which a delivery is due, in milliseconds.
    pub(crate) async fn next_due(&mut self, now: Timestamp) -> Option<i64> {
        let ms = now.as_millisecond();
        match &mut self.eye {
            Eye::Sqlite(connection) => sqlx::query_scalar(
                "SELECT MIN(due_at) FROM deliveries WHERE state = 'scheduled' AND due_at > $1",
            )
            .bind(ms)
            .fetch_one(connection)
            .await
            .unwrap(),
            Eye::Postgres(connection) => sqlx::query_scalar(
                "SELECT (EXTRACT(EPOCH FROM MIN(due_at)) * 1000)::bigint FROM deliveries
                 WHERE state = 'scheduled'
                   AND due_at > TIMESTAMPTZ 'epoch' + $1 * INTERVAL '1 millisecond'",
            )
            .bind(ms)
            .fetch_one(connection)
            .await
            .unwrap(),
        }
    }

    /// All deliveries.
    pub(crate) async fn rows(&mut self) -> Vec<Row> {
        match &mut self.eye {
            Eye::Sqlite(connection) => sqlx::query_as(SQLITE_ROWS).fetch_all(connection).await,
            Eye::Postgres(connection) => sqlx::query_as(POSTGRES_ROWS).fetch_all(connection).await,
        }
        .unwrap()
    }

    /// What has changed that never may: an end, an id of the platform; or two at once on an account.
    pub(crate) async fn broken(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        let mut publishing: HashMap<String, usize> = HashMap::new();
        for row in self.rows().await {
            if row.state == "publishing" {
                *publishing.entry(row.account_id.clone()).or_default() += 1;
            }
            if let Some(old) = self.known.get(&row.id) {
                let recalled = old.state == "published" && row.state == "recalled";
                if ENDS.contains(&old.state.as_str()) && old.state != row.state && !recalled {
                    found.push(format!("{} was {} and is {}", row.id, old.state, row.state));
                }
                if old.remote_id.is_some() && old.remote_id != row.remote_id {
                    let (was, is) = (&old.remote_id, &row.remote_id);
                    found.push(format!("{} was {was:?} and is {is:?} there", row.id));
                }
            }
            self.known.insert(row.id.clone(), row);
        }
        found.extend(
            publishing
                .into_iter()
                .filter(|(_, count)| *count > 1)
                .map(|(account, count)| format!("{count} are being published on {account}")),
        );
        found
    }

    pub(crate) async fn close(self) {
        match self.eye {
            Eye::Sqlite(connection) => connection.close().await.unwrap(),
            Eye::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}
