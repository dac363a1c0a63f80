//! People who may sign in.

use jiff::Timestamp;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::id::PersonId;

statements! {
    INSERT = "INSERT INTO people (id, email, name, administrator, password_hash, disabled_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    FIND = "SELECT id, email, name, administrator, disabled_at, created_at FROM people WHERE id = $1";
    BY_EMAIL = "SELECT id, email, name, administrator, disabled_at, created_at FROM people WHERE email = $1";
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// His id.
    pub id: PersonId,
    /// His address, in lower case.
    pub email: String,
    /// His name.
    pub name: String,
    /// True for one who may everything.
    pub administrator: bool,
    /// Since when he may not sign in any more.
    pub disabled_at: Option<Timestamp>,
    /// When he was entered.
    pub created_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: PersonId,
    email: String,
    name: String,
    administrator: bool,
    disabled_at: Option<At>,
    created_at: At,
}

impl From<Row> for Person {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            email: row.email,
            name: row.name,
            administrator: row.administrator,
            disabled_at: row.disabled_at.map(Timestamp::from),
            created_at: row.created_at.into(),
        }
    }
}

/// Writes a new person; `Conflict("people_email_key")` when the address is taken.
pub async fn insert(
    tx: &mut Tx,
    person: &Person,
    password_hash: Option<&str>,
) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&person.id)
            .bind(&person.email)
            .bind(&person.name)
            .bind(person.administrator)
            .bind(password_hash)
            .bind(person.disabled_at.map(At))
            .bind(At(person.created_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// One person.
pub async fn find(reader: &mut Reader, id: &PersonId) -> Result<Option<Person>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Person::from))
}

/// The person with this address, which must be in lower case.
pub async fn by_email(reader: &mut Reader, email: &str) -> Result<Option<Person>, Error> {
    let row: Option<Row> = on!(reader, BY_EMAIL, |sql, conn| {
        sqlx::query_as(sql).bind(email).fetch_optional(conn).await?
    });
    Ok(row.map(Person::from))
}
