//! Messages on their way into people's mail, until they were sent or given up.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::outbox::{Message, MessageRow};
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::id::{MailItemId, MessageId, PersonId};
use crate::domain::outbox::{Locale, Occasion};

/// A message that a person wants to be written to about.
#[derive(Debug, Clone, Serialize)]
pub struct NewItem {
    /// Its id.
    pub id: MailItemId,
    /// To whom.
    pub person_id: PersonId,
    /// Of what kind.
    pub event: Occasion,
    /// The message.
    pub message_id: MessageId,
}

/// Items of one person and kind that wait, and nobody is about to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// To whom.
    pub person_id: PersonId,
    /// Of what kind.
    pub event: Occasion,
    /// When he was last written to about this kind.
    pub last_at: Option<Timestamp>,
}

/// An item with what it says.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its id.
    pub id: MailItemId,
    /// What it says.
    pub message: Message,
}

/// To whom mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// His address.
    pub email: String,
    /// His name.
    pub name: String,
    /// The language that he is written to in.
    pub locale: Locale,
}

#[derive(sqlx::FromRow)]
struct ItemRow {
    id: MailItemId,
    #[sqlx(flatten)]
    message: MessageRow,
}

statements! {
    INSERT =
        "INSERT INTO mail_items (id, person_id, event, message_id, created_at)
         SELECT value->>'id', value->>'person_id', value->>'event', value->>'message_id', $2
         FROM jsonb_each($1) WHERE true ON CONFLICT DO NOTHING"
        |
        "INSERT INTO mail_items (id, person_id, event, message_id, created_at)
         SELECT id, person_id, event, message_id, $2
         FROM jsonb_to_recordset($1) AS v(id TEXT, person_id TEXT, event TEXT, message_id TEXT)
         ON CONFLICT DO NOTHING";
    /// The state is named word by word as in the index of unique keys.
    WAITING =
        "SELECT w.person_id, w.event,
                (SELECT MAX(s.done_at) FROM mail_items AS s
                 WHERE s.person_id = w.person_id AND s.event = w.event AND s.outcome = 'sent')
         FROM (SELECT DISTINCT person_id, event FROM mail_items WHERE outcome IS NULL) AS w
         WHERE NOT EXISTS (
             SELECT 1 FROM jobs AS j
             WHERE j.unique_key = 'mail:' || w.person_id || ':' || w.event
               AND j.state IN ('queued', 'running'))";
    ITEMS =
        "SELECT i.id, m.id AS message_id, m.event, m.at, m.account_id, m.data, m.names
         FROM mail_items AS i JOIN outbox AS m ON m.id = i.message_id
         WHERE i.person_id = $1 AND i.event = $2 AND i.outcome IS NULL
         ORDER BY i.id LIMIT $3";
    REACHED =
        "SELECT u.email, u.name, s.locale
         FROM people AS u LEFT JOIN notification_settings AS s ON s.person_id = u.id
         WHERE u.id = $1 AND u.disabled_at IS NULL";
    CLOSE =
        "UPDATE mail_items SET outcome = $2, done_at = $3
         WHERE outcome IS NULL AND id IN " ids(1);
    DROP_ALL =
        "UPDATE mail_items SET outcome = $3, done_at = $4
         WHERE person_id = $1 AND event = $2 AND outcome IS NULL";
    FORGET =
        "DELETE FROM mail_items WHERE id IN (
             SELECT id FROM mail_items WHERE created_at < $1 ORDER BY created_at LIMIT 2000)";
}

/// Writes items; one that is there already is left as it is.
pub async fn insert(tx: &mut Tx, items: &[NewItem], now: Timestamp) -> Result<(), Error> {
    if items.is_empty() {
        return Ok(());
    }
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql).bind(Json(items)).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// Who waits for mail of which kind without a job that will send it; in no order.
pub async fn waiting(reader: &mut Reader) -> Result<Vec<Waiting>, Error> {
    let rows: Vec<(PersonId, Occasion, Option<At>)> =
        on!(reader, WAITING, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?);
    Ok(rows
        .into_iter()
        .map(|(person_id, event, last_at)| Waiting {
            person_id,
            event,
            last_at: last_at.map(Timestamp::from),
        })
        .collect())
}

/// The oldest items of one person and kind that wait.
pub async fn items(
    reader: &mut Reader,
    person: &PersonId,
    event: Occasion,
    limit: u32,
) -> Result<Vec<Item>, Error> {
    let rows: Vec<ItemRow> = on!(reader, ITEMS, |sql, conn| {
        sqlx::query_as(sql).bind(person).bind(event).bind(i64::from(limit)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|row| Item { id: row.id, message: row.message.into() }).collect())
}

/// Where a person is reached; nobody when he may not sign in any more.
pub async fn reached(reader: &mut Reader, person: &PersonId) -> Result<Option<Reached>, Error> {
    let row: Option<(String, String, Option<Locale>)> = on!(reader, REACHED, |sql, conn| {
        sqlx::query_as(sql).bind(person).fetch_optional(conn).await?
    });
    Ok(row.map(|(email, name, locale)| Reached {
        email,
        name,
        locale: locale.unwrap_or(Locale::Vi),
    }))
}

/// Closes items with an outcome: `sent`, `refused` or `given_up`.
pub async fn close(
    tx: &mut Tx,
    items: &[&MailItemId],
    outcome: &str,
    now: Timestamp,
) -> Result<(), Error> {
    on!(tx, CLOSE, |sql, conn| {
        sqlx::query(sql).bind(Json(items)).bind(outcome).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// Closes everything of one person and kind that waits.
pub async fn close_all(
    tx: &mut Tx,
    person: &PersonId,
    event: Occasion,
    outcome: &str,
    now: Timestamp,
) -> Result<(), Error> {
    on!(tx, DROP_ALL, |sql, conn| {
        sqlx::query(sql).bind(person).bind(event).bind(outcome).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// Forgets some that were made before `before`; says how many.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    Ok(on!(tx, FORGET, |sql, conn| {
        sqlx::query(sql).bind(At(before)).execute(conn).await?.rows_affected()
    }))
}
