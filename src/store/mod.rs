//! Where everything is kept: the only folder that contains SQL.
//!
//! One file per noun with its statements and functions; a function that changes takes `&mut Tx`,
//! one that only reads takes `&mut Reader` (a `Tx` serves as one). Rules in `docs/database.md`.

pub mod account_health;
pub mod accounts;
pub mod after;
pub mod approvals;
pub mod audit;
pub mod backup;
pub mod boards;
pub mod budgets;
pub mod calendar;
pub mod campaigns;
pub mod care;
pub mod circuits;
mod codec;
pub mod comments;
pub mod connections;
pub mod corrections;
pub mod credentials;
mod db;
pub mod deliveries;
pub mod embargoes;
mod error;
pub mod events;
pub mod factors;
pub mod feeds;
pub mod foreign;
pub mod foreign_posts;
mod group;
pub mod held;
pub mod hints;
pub mod holds;
pub mod idempotency;
pub mod imports;
pub mod incidents;
pub mod installation;
pub mod jobs;
pub mod kits;
pub mod leavers;
pub mod mail_items;
pub mod media;
pub mod neighbours;
pub mod nodes;
pub mod notifications;
mod open;
mod order;
pub mod outbox;
pub mod outcomes;
pub mod parts;
pub mod passwords;
pub mod people;
pub mod posts;
pub mod probes;
pub mod publishing;
pub mod quarantine;
pub mod read_backs;
pub mod recalls;
pub mod refreshes;
pub mod reminders;
pub mod review;
pub mod roles;
pub mod rules;
pub mod scrub;
pub mod sealed;
pub mod search;
pub mod self_audit;
pub mod series;
mod session;
pub mod sessions;
mod sql;
pub mod standing;
pub mod term_base;
pub mod terms;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod translations;
pub mod units;
pub mod uploads;
pub mod variants;
pub mod waiting;
pub mod webhook_tries;
pub mod webhooks;
pub mod zones;

pub use db::{Reader, Tx};
pub use error::{Error, constraints};
pub use group::{Answer, Applied, Apply, Group};
pub use open::{LONGEST_WAIT, Location, SCHEMA_VERSION, Schema};
pub use order::disorder;

use std::sync::Arc;

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<open::Opened>,
}

impl Store {
    /// A connection for reading.
    pub async fn read(&self) -> Result<Reader, Error> {
        self.inner.db.read().await
    }

    /// A transaction; see [`Tx`].
    pub async fn begin(&self) -> Result<Tx, Error> {
        self.begin_for("act").await
    }

    /// A transaction that metrics count under `purpose`.
    pub async fn begin_for(&self, purpose: &'static str) -> Result<Tx, Error> {
        self.inner.db.begin(purpose).await
    }

    /// Forgets what this process has committed: the database has lost it.
    pub fn forget_history(&self) {
        match &self.inner.db {
            db::Db::Sqlite { .. } => {}
            db::Db::Postgres(server) => server.forget(),
        }
    }

    /// Ends all connections and lets go of the directory; for a clean stop.
    pub async fn close(&self) {
        self.inner.close().await;
    }
}

/// All files with statements.
const FILES: &[&[(&str, sql::Sql)]] = &[
    account_health::STATEMENTS,
    accounts::STATEMENTS,
    after::STATEMENTS,
    approvals::STATEMENTS,
    audit::STATEMENTS,
    backup::STATEMENTS,
    boards::STATEMENTS,
    budgets::STATEMENTS,
    calendar::STATEMENTS,
    campaigns::STATEMENTS,
    care::STATEMENTS,
    circuits::STATEMENTS,
    comments::STATEMENTS,
    connections::STATEMENTS,
    corrections::STATEMENTS,
    credentials::STATEMENTS,
    deliveries::STATEMENTS,
    embargoes::STATEMENTS,
    events::STATEMENTS,
    feeds::STATEMENTS,
    foreign::STATEMENTS,
    foreign_posts::STATEMENTS,
    held::STATEMENTS,
    hints::STATEMENTS,
    holds::STATEMENTS,
    idempotency::STATEMENTS,
    imports::STATEMENTS,
    incidents::STATEMENTS,
    installation::STATEMENTS,
    jobs::STATEMENTS,
    kits::STATEMENTS,
    leavers::STATEMENTS,
    mail_items::STATEMENTS,
    media::STATEMENTS,
    neighbours::STATEMENTS,
    nodes::STATEMENTS,
    notifications::STATEMENTS,
    open::STATEMENTS,
    outbox::STATEMENTS,
    outcomes::STATEMENTS,
    parts::STATEMENTS,
    passwords::STATEMENTS,
    people::STATEMENTS,
    posts::STATEMENTS,
    probes::STATEMENTS,
    publishing::STATEMENTS,
    quarantine::STATEMENTS,
    read_backs::STATEMENTS,
    recalls::STATEMENTS,
    refreshes::STATEMENTS,
    reminders::STATEMENTS,
    review::STATEMENTS,
    roles::STATEMENTS,
    rules::STATEMENTS,
    sealed::STATEMENTS,
    search::STATEMENTS,
    self_audit::STATEMENTS,
    series::STATEMENTS,
    factors::STATEMENTS,
    sessions::STATEMENTS,
    standing::STATEMENTS,
    term_base::STATEMENTS,
    terms::STATEMENTS,
    tokens::STATEMENTS,
    translations::STATEMENTS,
    units::STATEMENTS,
    uploads::STATEMENTS,
    variants::STATEMENTS,
    waiting::STATEMENTS,
    webhook_tries::STATEMENTS,
    webhooks::STATEMENTS,
    zones::STATEMENTS,
];

/// Every statement there is, for the test that prepares each on both databases.
pub fn statements() -> Vec<(&'static str, sql::Sql)> {
    FILES.concat()
}
