//! What makes this database this one: its generation, and the value by which a wrong key is noticed.

use jiff::Timestamp;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};

statements! {
    FIND = "SELECT generation, key_check, created_at FROM installation WHERE id = 1";
    CREATE =
        "INSERT INTO installation (id, generation, key_check, created_at) VALUES (1, $1, $2, $3)
         ON CONFLICT (id) DO NOTHING";
    /// Whether a link of the audit's chain that was committed is still there: 0 for none.
    SERVER =
        "SELECT there.word, own.server AS kept,
                CAST($1 AS BIGINT) = 0 OR EXISTS (SELECT 1 FROM audit WHERE seq = $1 AND hash = $2)
                    AS stands
         FROM this_server AS there CROSS JOIN installation AS own WHERE own.id = 1";
    KEEP_SERVER = "UPDATE installation SET server = $1 WHERE id = 1";
}

/// On which server the database is used, and whether anything was lost on the way there.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Server {
    /// The server and the timeline of its log; empty for a file.
    pub word: String,
    /// The same when it was used last.
    pub kept: Option<String>,
    /// The newest change that this process has committed is there.
    pub stands: bool,
}

impl Server {
    /// Commits may have been lost.
    pub fn has_changed(&self) -> bool {
        !self.stands || self.kept.as_ref().is_some_and(|kept| *kept != self.word)
    }
}

/// The one row that says what this database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Changes when a backup is restored, so that what was sent since then is looked for.
    pub generation: String,
    /// A sealed value that only the right key opens.
    pub key_check: Vec<u8>,
    /// When the database was first used.
    pub created_at: Timestamp,
}

/// What this database is; `None` before it was first used.
pub async fn find(on: &mut Reader) -> Result<Option<Installation>, Error> {
    let row: Option<(String, Vec<u8>, At)> =
        on!(on, FIND, |sql, conn| sqlx::query_as(sql).fetch_optional(conn).await?);
    Ok(row.map(|(generation, key_check, created_at)| Installation {
        generation,
        key_check,
        created_at: created_at.0,
    }))
}

/// What this database is; written now when nobody did before. Of two nodes that start at the same
/// moment the second gets what the first wrote, and must check its key against that.
pub async fn load_or_create(
    tx: &mut Tx,
    generation: &str,
    key_check: &[u8],
    now: Timestamp,
) -> Result<Installation, Error> {
    on!(tx, CREATE, |sql, conn| {
        sqlx::query(sql).bind(generation).bind(key_check).bind(At(now)).execute(conn).await?;
    });
    find(tx).await?.ok_or(Error::NotFound)
}

/// On which server the database is used; `None` before it was first used.
pub async fn server(reader: &mut Reader) -> Result<Option<Server>, Error> {
    let (seq, hash) = reader.known();
    Ok(on!(reader, SERVER, |sql, conn| {
        sqlx::query_as(sql).bind(seq).bind(hash).fetch_optional(conn).await?
    }))
}

/// Keeps on which server the database is used.
pub async fn keep_server(tx: &mut Tx, word: &str) -> Result<(), Error> {
    on!(tx, KEEP_SERVER, |sql, conn| {
        sqlx::query(sql).bind(word).execute(conn).await?;
    });
    Ok(())
}
