//! The quarantine of a database that came back from a backup: nothing is sent until a person lets it.

use jiff::Timestamp;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::class::Class;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{AccountId, DeliveryId};

statements! {
    /// On which server it is used is found out anew.
    RENEW = "UPDATE installation SET generation = $1, server = NULL WHERE id = 1";
    BEGIN =
        "UPDATE installation SET quarantined_at = $1, quarantine_reason = $2, state_of = $3
         WHERE id = 1";
    FIND =
        "SELECT quarantined_at, quarantine_reason, state_of FROM installation
         WHERE id = 1 AND quarantined_at IS NOT NULL";
    RELEASE =
        "UPDATE installation SET quarantined_at = NULL, quarantine_reason = NULL, state_of = NULL
         WHERE id = 1 AND quarantined_at = $1";
    /// By instant and state, so that a page of them can be taken until none is left. What was due long
    /// ago may have been sent last, when it had waited for something.
    SENT_PERHAPS =
        "SELECT d.id, d.account_id, d.platform, d.class, d.state, d.due_at, d.attempts,
                d.content_hash, a.high_water, c.account_id IS NOT NULL AS can_be_read
         FROM deliveries AS d
         JOIN accounts AS a ON a.id = d.account_id
         LEFT JOIN credentials AS c ON c.account_id = d.account_id
         WHERE d.state IN ('pending_approval', 'scheduled', 'held') AND d.due_at <= $1
         ORDER BY d.due_at, d.id LIMIT 500";
}

/// Why nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
    /// The instant of which the database tells the state.
    pub state_of: Timestamp,
}

/// A delivery that may have been sent after the backup was made.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SentPerhaps {
    /// The delivery.
    pub id: DeliveryId,
    /// Its account.
    pub account_id: AccountId,
    /// The platform's word.
    pub platform: String,
    /// How urgent it is.
    pub class: Class,
    /// `scheduled` or `held`, or `pending_approval`: it may have been approved after the backup.
    pub state: DeliveryState,
    /// Its instant.
    #[sqlx(try_from = "At")]
    pub due_at: Timestamp,
    /// Attempts that count.
    pub attempts: i64,
    /// The hash of what was scheduled.
    pub content_hash: String,
    /// The newest post of the account that was known then.
    pub high_water: Option<String>,
    /// Whether there is a credential to read the account with.
    pub can_be_read: bool,
}

/// Gives the database another generation.
pub async fn renew(tx: &mut Tx, generation: &str) -> Result<(), Error> {
    on!(tx, RENEW, |sql, conn| {
        sqlx::query(sql).bind(generation).execute(conn).await?;
    });
    Ok(())
}

/// Puts the database into quarantine.
pub async fn begin(tx: &mut Tx, quarantine: &Quarantine) -> Result<(), Error> {
    on!(tx, BEGIN, |sql, conn| {
        sqlx::query(sql)
            .bind(At(quarantine.since))
            .bind(&quarantine.reason)
            .bind(At(quarantine.state_of))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Why nothing is sent; `None` when there is no quarantine.
pub async fn find(reader: &mut Reader) -> Result<Option<Quarantine>, Error> {
    let row: Option<(At, String, At)> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).fetch_optional(conn).await?);
    Ok(row.map(|(since, reason, state_of)| Quarantine {
        since: since.0,
        reason,
        state_of: state_of.0,
    }))
}

/// Ends the quarantine that began at `since`; false when there is none, or another one.
pub async fn release(tx: &mut Tx, since: Timestamp) -> Result<bool, Error> {
    Ok(on!(tx, RELEASE, |sql, conn| {
        sqlx::query(sql).bind(At(since)).execute(conn).await?.rows_affected() > 0
    }))
}

/// Some of what was due until `now` and is said not to have been sent: however long ago it was due,
/// since it may have been held or put off until after the backup.
pub async fn sent_perhaps(reader: &mut Reader, now: Timestamp) -> Result<Vec<SentPerhaps>, Error> {
    Ok(on!(reader, SENT_PERHAPS, |sql, conn| {
        sqlx::query_as(sql).bind(At(now)).fetch_all(conn).await?
    }))
}
