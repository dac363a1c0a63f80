//! What is wrong with the service as a whole: one row while it is, so that it is told of once,
//! however many processes see it and however often they start.

use jiff::Timestamp;

use super::codec::At;
use super::order::Lock;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};

statements! {
    OPEN = "INSERT INTO incidents (kind, began_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    BEGAN = "SELECT began_at FROM incidents WHERE kind = $1";
    PROLONG = "UPDATE incidents SET began_at = $2 WHERE kind = $1";
    CLOSE = "DELETE FROM incidents WHERE kind = $1";
}

/// Notes that something has begun to be wrong; false when that is known.
pub async fn open(tx: &mut Tx, kind: &str, now: Timestamp) -> Result<bool, Error> {
    tx.takes(Lock::Incidents);
    Ok(on!(tx, OPEN, |sql, conn| {
        sqlx::query(sql).bind(kind).bind(At(now)).execute(conn).await?.rows_affected() == 1
    }))
}

/// When it began, or was last prolonged; `None` while nothing is wrong.
pub async fn began(reader: &mut Reader, kind: &str) -> Result<Option<Timestamp>, Error> {
    let at: Option<At> = on!(reader, BEGAN, |sql, conn| {
        sqlx::query_scalar(sql).bind(kind).fetch_optional(conn).await?
    });
    Ok(at.map(Timestamp::from))
}

/// Notes that it is wrong at this moment, too.
pub async fn prolong(tx: &mut Tx, kind: &str, now: Timestamp) -> Result<(), Error> {
    tx.takes(Lock::Incidents);
    on!(tx, PROLONG, |sql, conn| {
        sqlx::query(sql).bind(kind).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// Notes that it is over; false when it was not known to be wrong.
pub async fn close(tx: &mut Tx, kind: &str) -> Result<bool, Error> {
    tx.takes(Lock::Incidents);
    Ok(on!(tx, CLOSE, |sql, conn| {
        sqlx::query(sql).bind(kind).execute(conn).await?.rows_affected() == 1
    }))
}
