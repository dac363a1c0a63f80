//! What can go wrong in the store, told apart by what the caller can do about it.

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such row.
    #[error("not found")]
    NotFound,
    /// A unique or foreign key was violated; the name is PostgreSQL's on both databases.
    #[error("conflict with {0}")]
    Conflict(&'static str),
    /// The row is no longer in the state that the change was based on.
    #[error("the row has changed meanwhile")]
    Stale,
    /// The database is locked or out of connections; trying again later may help.
    #[error("the database is busy")]
    Busy,
    /// The disk of the database is full; the change was not made.
    #[error("no room is left on the disk of the database")]
    Full,
    /// The data directory is used by another process.
    #[error("the data directory is in use by another process: {0}")]
    InUse(std::path::PathBuf),
    /// The database must not be used: corrupt, from a newer version, or too old a library.
    #[error("the database must not be used: {0}")]
    Unsafe(String),
    /// A value in the database that this version cannot read.
    #[error("unreadable value in {0}")]
    Unreadable(&'static str),
    /// The group commit that carried the change has failed; the change was not made.
    #[error("the change was not committed")]
    NotCommitted,
    /// A part of this service has panicked; the change was not made.
    #[error("a part of the service has panicked")]
    Panicked,
    /// Moving the schema forward failed.
    #[error("migration failed")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// Reading or writing beside the database failed.
    #[error("file {path}")]
    File {
        /// Which file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Anything else that the database said.
    #[error("database")]
    Database(#[source] sqlx::Error),
}

/// Unique and check constraints by PostgreSQL's name, with what SQLite says instead.
const CONSTRAINTS: &[(&str, &str)] = &[
    ("accounts_remote_key", "accounts.platform, accounts.remote_id"),
    (
        "account_warnings_pkey",
        "account_warnings.account_id, account_warnings.subject, account_warnings.stage",
    ),
    ("attempts_open_key", "attempts.delivery_id"),
    ("approved_times_pkey", "approved_times.approval_id, approved_times.delivery_id"),
    ("budgets_pkey", "budgets.scope, budgets.name"),
    ("connections_state_key", "connections.state_hash"),
    ("corrections_pkey", "corrections.delivery_id, corrections.number"),
    ("deliveries_follows_key", "deliveries.follows"),
    ("deliveries_publishing_key", "deliveries.account_id"),
    ("deliveries_remote_key", "deliveries.account_id, deliveries.remote_id"),
    ("delivery_files_pkey", "delivery_files.delivery_id, delivery_files.sha256"),
    ("feeds_hash_key", "feeds.hash"),
    ("foreign_posts_remote_key", "foreign_posts.account_id, foreign_posts.remote_id"),
    ("former_sources_pkey", "former_sources.post_id, former_sources.content_hash"),
    ("holds_seq_key", "holds.seq"),
    ("idempotency_pkey", "idempotency.person_id, idempotency.key"),
    ("import_items_pkey", "import_items.import_id, import_items.number"),
    ("jobs_unique_key", "jobs.unique_key"),
    ("mail_items_message_key", "mail_items.person_id, mail_items.message_id"),
    ("nodes_fence_key", "nodes.fence"),
    ("notifications_message_key", "notifications.person_id, notifications.message_id"),
    ("offers_unit_key", "offers.source_id, offers.unit_id"),
    ("occurrences_pkey", "occurrences.series_id, occurrences.account_id, occurrences.wall"),
    ("people_email_key", "people.email"),
    ("post_writers_pkey", "post_writers.post_id, post_writers.person_id"),
    ("refreshes_version_key", "refreshes.account_id, refreshes.version"),
    ("roles_pkey", "roles.person_id, roles.unit_id, roles.role"),
    ("searched_posts_post_key", "searched_posts.post_id"),
    ("sessions_hash_key", "sessions.hash"),
    ("spending_pkey", "spending.scope, spending.slice"),
    ("tokens_hash_key", "tokens.hash"),
    ("unproofed_pkey", "unproofed.post_id, unproofed.language, unproofed.content_hash"),
    ("variants_post_language_key", "variants.post_id, variants.language"),
    ("violations_pkey", "violations.invariant, violations.subject"),
];

/// The unique keys that [`Error::Conflict`] tells by name; a test breaks each on both databases.
pub fn constraints() -> impl Iterator<Item = &'static str> {
    CONSTRAINTS.iter().map(|&(name, _)| name)
}

/// SQLite's extended result codes for a lock that another connection holds.
const SQLITE_BUSY: &[&str] = &["5", "261", "517", "773"];

/// PostgreSQL's codes for what was undone so that others could go on: serialization failure,
/// deadlock; and for what took too long: a lock, a statement, a pause in a transaction.
const POSTGRES_BUSY: &[&str] = &["40001", "40P01", "55P03", "57014", "25P03"];

/// What SQLite (`SQLITE_FULL`) and PostgreSQL (`disk_full`) say when no room is left.
const FULL: &[&str] = &["13", "53100"];

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::PoolTimedOut = error {
            return Self::Busy;
        }
        if let sqlx::Error::RowNotFound = error {
            return Self::NotFound;
        }
        let Some(database) = error.as_database_error() else {
            return Self::Database(error);
        };
        if database.is_foreign_key_violation() {
            return Self::Conflict("foreign key");
        }
        if database.is_unique_violation() {
            let name = database.constraint();
            let message = database.message();
            let listed = message.rsplit(": ").next().unwrap_or(message);
            for &(constraint, columns) in CONSTRAINTS {
                if name == Some(constraint) || (name.is_none() && listed == columns) {
                    return Self::Conflict(constraint);
                }
            }
            return Self::Database(error);
        }
        let code = database.code();
        let passing = |code| SQLITE_BUSY.contains(&code) || POSTGRES_BUSY.contains(&code);
        if code.as_deref().is_some_and(passing) {
            return Self::Busy;
        }
        if code.as_deref().is_some_and(|code| FULL.contains(&code)) {
            return Self::Full;
        }
        Self::Database(error)
    }
}
