//! Deliveries whose time was said by a clock on a wall, and what has become of that time.

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::delivery::{DeliveryState, WaitsFor};
use crate::domain::id::DeliveryId;
use crate::domain::schedule::{Civil, ZoneChange};

statements! {
    /// By instant, a page at a time. One state at a time, too: their index gives them in this order,
    /// where several states would be sorted anew for each page.
    CIVIL =
        "SELECT id, due_at, civil, zone_change FROM deliveries
         WHERE state = $1 AND civil IS NOT NULL
           AND due_at >= $2 AND due_at <= $4 AND (due_at, id) > ($2, $3)
         ORDER BY due_at, id LIMIT 1000";
    NOTE =
        "UPDATE deliveries SET zone_change = $3, version = version + 1, updated_at = $5,
            waits_for = CASE WHEN state = 'scheduled' THEN $4 ELSE waits_for END
         WHERE id = $1 AND due_at = $2
           AND state IN ('draft', 'pending_approval', 'scheduled', 'held')";
}

/// A delivery that is still to go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnWall {
    /// Which.
    pub id: DeliveryId,
    /// Its instant.
    pub due_at: Timestamp,
    /// The time that was asked for.
    pub civil: Civil,
    /// What is known to have changed.
    pub change: Option<ZoneChange>,
}

/// Where in the order of instants and ids it is looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Nothing before this instant,
    pub from: Timestamp,
    /// and at this instant only what has a greater id.
    pub after: String,
    /// Nothing after this instant.
    pub until: Timestamp,
}

/// Some of those in one state from a place on, by instant and id.
pub async fn on_wall(
    reader: &mut Reader,
    state: DeliveryState,
    place: &Place,
) -> Result<Vec<OnWall>, Error> {
    type Row = (DeliveryId, At, Json<Civil>, Option<Json<ZoneChange>>);
    let rows: Vec<Row> = on!(reader, CIVIL, |sql, conn| {
        sqlx::query_as(sql)
            .bind(state.as_str())
            .bind(At(place.from))
            .bind(&place.after)
            .bind(At(place.until))
            .fetch_all(conn)
            .await?
    });
    Ok(rows
        .into_iter()
        .map(|(id, due_at, civil, change)| OnWall {
            id,
            due_at: due_at.0,
            civil: civil.0,
            change: change.map(|change| change.0),
        })
        .collect())
}

/// Writes down what has changed, or that nothing has; false when the delivery has another instant by
/// now, or is leaving.
pub async fn note(
    tx: &mut Tx,
    one: &OnWall,
    change: Option<&ZoneChange>,
    waits_for: Option<&WaitsFor>,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(on!(tx, NOTE, |sql, conn| {
        sqlx::query(sql)
            .bind(&one.id)
            .bind(At(one.due_at))
            .bind(change.map(Json))
            .bind(waits_for.map(Json))
            .bind(At(now))
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}
