//! Circuits: which platforms and accounts are left alone for a while, shared by all nodes.

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::order::Lock;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::circuit::{Circuit, Seen};

#[derive(sqlx::FromRow)]
struct Row {
    scope: String,
    failures: i64,
    trips: i64,
    incident: bool,
    code: Option<String>,
    detail: Option<String>,
    opened_at: Option<At>,
    open_until: Option<At>,
    probe_until: Option<At>,
    seen: Json<Vec<Seen>>,
}

statements! {
    FIND =
        "SELECT scope, failures, trips, incident, code, detail, opened_at, open_until, probe_until,
                seen FROM circuits WHERE scope IN " ids(1);
    SAVE =
        "INSERT INTO circuits (scope, failures, trips, incident, code, detail, opened_at,
                               open_until, probe_until, seen, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (scope) DO UPDATE SET failures = excluded.failures, trips = excluded.trips,
             incident = excluded.incident, code = excluded.code, detail = excluded.detail,
             opened_at = excluded.opened_at, open_until = excluded.open_until,
             probe_until = excluded.probe_until, seen = excluded.seen,
             updated_at = excluded.updated_at";
    CLOSE = "DELETE FROM circuits WHERE scope IN " ids(1);
    PROBE =
        "UPDATE circuits SET probe_until = $3
         WHERE (probe_until IS NULL OR probe_until <= $2) AND scope IN " ids(1) " RETURNING scope";
    UNUSED = "UPDATE circuits SET probe_until = NULL WHERE scope IN " ids(1);
    OPEN = "SELECT scope, incident FROM circuits WHERE open_until IS NOT NULL";
}

/// The circuits of these scopes that are not closed and blank; in no order.
pub async fn find(reader: &mut Reader, scopes: &[&str]) -> Result<Vec<Circuit>, Error> {
    let rows: Vec<Row> = on!(reader, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(Json(scopes)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Circuit::from).collect())
}

/// Writes one circuit.
pub async fn save(tx: &mut Tx, circuit: &Circuit, now: Timestamp) -> Result<(), Error> {
    tx.takes(Lock::Circuits);
    on!(tx, SAVE, |sql, conn| {
        sqlx::query(sql)
            .bind(&circuit.scope)
            .bind(circuit.failures)
            .bind(circuit.trips)
            .bind(circuit.incident)
            .bind(&circuit.code)
            .bind(&circuit.detail)
            .bind(circuit.opened_at.map(At))
            .bind(circuit.open_until.map(At))
            .bind(circuit.probe_until.map(At))
            .bind(Json(&circuit.seen))
            .bind(At(now))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Closes circuits: what they remembered is forgotten.
pub async fn close(tx: &mut Tx, scopes: &[&str]) -> Result<(), Error> {
    tx.takes(Lock::Circuits);
    on!(tx, CLOSE, |sql, conn| {
        sqlx::query(sql).bind(Json(scopes)).execute(conn).await?;
    });
    Ok(())
}

/// Takes the probe of those of the circuits that await none; of all nodes one gets it. Gives their
/// scopes, in no order.
pub async fn probe(
    tx: &mut Tx,
    scopes: &[&str],
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<String>, Error> {
    tx.takes(Lock::Circuits);
    Ok(on!(tx, PROBE, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(Json(scopes))
            .bind(At(now))
            .bind(At(until))
            .fetch_all(conn)
            .await?
    }))
}

/// Gives probes back that were not made, by whoever has taken them in the same transaction.
pub async fn unused(tx: &mut Tx, scopes: &[&str]) -> Result<(), Error> {
    on!(tx, UNUSED, |sql, conn| {
        sqlx::query(sql).bind(Json(scopes)).execute(conn).await?;
    });
    Ok(())
}

/// The scopes of the circuits that are open, each with whether it is an incident; in no order.
pub async fn open(reader: &mut Reader) -> Result<Vec<(String, bool)>, Error> {
    Ok(on!(reader, OPEN, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?))
}

impl From<Row> for Circuit {
    fn from(row: Row) -> Self {
        Self {
            scope: row.scope,
            failures: row.failures,
            trips: row.trips,
            incident: row.incident,
            code: row.code,
            detail: row.detail,
            opened_at: row.opened_at.map(Timestamp::from),
            open_until: row.open_until.map(Timestamp::from),
            probe_until: row.probe_until.map(Timestamp::from),
            seen: row.seen.0,
        }
    }
}
