//! What is still to go out although whoever scheduled it may not schedule there any more.

use jiff::Timestamp;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader};
use crate::domain::id::DeliveryId;

statements! {
    /// Changes whenever somebody may be entitled to more or less: a change of a person or a unit counts its
    /// version up, and a role that ends is one less.
    RIGHTS =
        "SELECT (SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM people),
                (SELECT COUNT(*) FROM people WHERE disabled_at IS NULL),
                (SELECT COUNT(*) FROM roles WHERE ends_at IS NULL OR ends_at > $1),
                (SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM units)";
    UNVOUCHED =
        "SELECT d.id FROM deliveries AS d
         WHERE d.state = 'scheduled' AND NOT EXISTS (
             SELECT 1 FROM vouched AS v WHERE v.delivery_id = d.id
             AND (v.ends_at IS NULL OR v.ends_at > $1))
         ORDER BY d.due_at, d.id LIMIT $2";
}

/// By what it is known that rights may have changed.
pub type Rights = (i64, i64, i64, i64);

/// How rights stand.
pub async fn rights(reader: &mut Reader, now: Timestamp) -> Result<Rights, Error> {
    Ok(on!(reader, RIGHTS, |sql, conn| {
        sqlx::query_as(sql).bind(At(now)).fetch_one(conn).await?
    }))
}

/// The first deliveries that are scheduled and that nobody vouches for.
pub async fn unvouched(
    reader: &mut Reader,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<DeliveryId>, Error> {
    Ok(on!(reader, UNVOUCHED, |sql, conn| {
        sqlx::query_scalar(sql).bind(At(now)).bind(limit).fetch_all(conn).await?
    }))
}
