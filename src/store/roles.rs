//! Roles of people in units, and how far they reach.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::id::{AccountId, PersonId, UnitId};
use crate::domain::role::{Office, Reach, Role};

statements! {
    GIVE =
        "INSERT INTO roles (person_id, unit_id, role, ends_at, given_by, given_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (person_id, unit_id, role) DO UPDATE
         SET ends_at = excluded.ends_at, given_by = excluded.given_by, given_at = excluded.given_at";
    TAKE = "DELETE FROM roles WHERE person_id = $1 AND unit_id = $2 AND role = $3";
    OF_PEOPLE =
        "SELECT person_id, unit_id, role, ends_at FROM roles WHERE person_id IN " ids(1) "
         ORDER BY person_id, unit_id, role";
    /// Accounts that were removed too: what went out there stays to be seen.
    REACH =
        "WITH RECURSIVE covered (unit_id, role, depth) AS (
             SELECT unit_id, role, 0 FROM roles
             WHERE person_id = $1 AND (ends_at IS NULL OR ends_at > $2)
             UNION ALL
             SELECT units.id, covered.role, covered.depth + 1
             FROM units JOIN covered ON units.parent_id = covered.unit_id
             WHERE covered.depth < 100)
         SELECT DISTINCT covered.unit_id, covered.role, accounts.id AS account_id
         FROM covered LEFT JOIN accounts ON accounts.unit_id = covered.unit_id";
    ABOVE =
        "WITH RECURSIVE above (id, parent_id, depth) AS (
             SELECT units.id, units.parent_id, 0 FROM units WHERE units.id IN (
                 SELECT unit_id FROM roles WHERE person_id = $1 AND (ends_at IS NULL OR ends_at > $2))
             UNION ALL
             SELECT units.id, units.parent_id, above.depth + 1
             FROM units JOIN above ON units.id = above.parent_id
             WHERE above.depth < 100)
         SELECT DISTINCT id FROM above";
}

#[derive(sqlx::FromRow)]
struct OfficeRow {
    person_id: PersonId,
    unit_id: UnitId,
    role: Role,
    ends_at: Option<At>,
}

#[derive(sqlx::FromRow)]
struct ReachRow {
    unit_id: UnitId,
    role: Role,
    account_id: Option<AccountId>,
}

/// Gives a person a role, or gives it another end.
pub async fn give(
    tx: &mut Tx,
    person: &PersonId,
    office: &Office,
    by: &PersonId,
    now: Timestamp,
) -> Result<(), Error> {
    on!(tx, GIVE, |sql, conn| {
        sqlx::query(sql)
            .bind(person)
            .bind(&office.unit_id)
            .bind(office.role)
            .bind(office.ends_at.map(At))
            .bind(by)
            .bind(At(now))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// Takes a role from a person.
pub async fn take(tx: &mut Tx, person: &PersonId, office: &Office) -> Result<(), Error> {
    on!(tx, TAKE, |sql, conn| {
        sqlx::query(sql).bind(person).bind(&office.unit_id).bind(office.role).execute(conn).await?;
        Ok(())
    })
}

/// What each of these people has, also what has ended; nothing for whoever has none.
pub async fn of_people(
    reader: &mut Reader,
    people: &[&PersonId],
) -> Result<BTreeMap<PersonId, Vec<Office>>, Error> {
    let rows: Vec<OfficeRow> = on!(reader, OF_PEOPLE, |sql, conn| {
        sqlx::query_as(sql).bind(Json(people)).fetch_all(conn).await?
    });
    let mut found: BTreeMap<PersonId, Vec<Office>> = BTreeMap::new();
    for row in rows {
        let ends_at = row.ends_at.map(Timestamp::from);
        let office = Office { unit_id: row.unit_id, role: row.role, ends_at };
        found.entry(row.person_id).or_default().push(office);
    }
    Ok(found)
}

/// How far a person's roles reach at an instant.
pub async fn reach(reader: &mut Reader, person: &PersonId, now: Timestamp) -> Result<Reach, Error> {
    let rows: Vec<ReachRow> = on!(reader, REACH, |sql, conn| {
        sqlx::query_as(sql).bind(person).bind(At(now)).fetch_all(conn).await?
    });
    let mut reach = Reach::default();
    for row in rows {
        reach.add(row.unit_id, row.account_id, row.role);
    }
    let above: Vec<UnitId> = on!(reader, ABOVE, |sql, conn| {
        sqlx::query_scalar(sql).bind(person).bind(At(now)).fetch_all(conn).await?
    });
    Ok(reach.below(above.into_iter().collect()))
}
