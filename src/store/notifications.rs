//! What people are told in the product, and what they want to be told.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::outbox::{Message, MessageRow};
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::id::{AccountId, MessageId, NotificationId, PersonId};
use crate::domain::outbox::{Locale, Occasion};

/// A message for one person's inbox.
#[derive(Debug, Clone, Serialize)]
pub struct NewNotification {
    /// Its id.
    pub id: NotificationId,
    /// Whose.
    pub person_id: PersonId,
    /// The message.
    pub message_id: MessageId,
    /// The account that it concerns, if one.
    pub account_id: Option<AccountId>,
}

/// A message in an inbox.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// When it was read.
    pub read_at: Option<Timestamp>,
    /// When it came.
    pub created_at: Timestamp,
    /// What it says.
    pub message: Message,
}

/// Which notifications somebody may see and wants to.
#[derive(Debug, Clone)]
pub struct Mine<'a> {
    /// Whose.
    pub person_id: &'a PersonId,
    /// Those of these accounts alone; everything when `None`.
    pub accounts: Option<&'a BTreeSet<AccountId>>,
}

impl Mine<'_> {
    /// The accounts as a list, which PostgreSQL takes apart even when nobody asks for it.
    fn listed(&self) -> Vec<&AccountId> {
        self.accounts.into_iter().flatten().collect()
    }
}

/// What a person wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The language that he is written to in.
    pub locale: Locale,
    /// What he wants to see.
    pub inbox: Vec<Occasion>,
    /// What he wants to be written to about.
    pub mail: Vec<Occasion>,
    /// Counts changes; 0 when he has said nothing.
    pub version: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: NotificationId,
    read_at: Option<At>,
    created_at: At,
    #[sqlx(flatten)]
    message: MessageRow,
}

#[derive(sqlx::FromRow)]
struct SettingsRow {
    locale: Locale,
    inbox: Json<Vec<Occasion>>,
    mail: Json<Vec<Occasion>>,
    version: i64,
}

statements! {
    INSERT =
        "INSERT INTO notifications (id, person_id, message_id, account_id, created_at)
         SELECT value->>'id', value->>'person_id', value->>'message_id', value->>'account_id', $2
         FROM jsonb_each($1) WHERE true ON CONFLICT DO NOTHING"
        |
        "INSERT INTO notifications (id, person_id, message_id, account_id, created_at)
         SELECT id, person_id, message_id, account_id, $2
         FROM jsonb_to_recordset($1) AS v(id TEXT, person_id TEXT, message_id TEXT, account_id TEXT)
         ON CONFLICT DO NOTHING";
    /// Newest first.
    LIST =
        "SELECT n.id, n.read_at, n.created_at, m.id AS message_id, m.event, m.at, m.account_id,
                m.data, m.names
         FROM notifications AS n JOIN outbox AS m ON m.id = n.message_id
         WHERE n.person_id = $2 AND n.id < $3 AND (n.read_at IS NULL OR NOT $4)
           AND ($5 OR n.account_id IN " ids(1) ")
         ORDER BY n.id DESC LIMIT $6";
    UNREAD =
        "SELECT COUNT(*) FROM notifications
         WHERE person_id = $2 AND read_at IS NULL AND ($3 OR account_id IN " ids(1) ")";
    OWNED =
        "SELECT COUNT(*) FROM notifications
         WHERE id = $3 AND person_id = $2 AND ($4 OR account_id IN " ids(1) ")";
    READ_ONE =
        "UPDATE notifications SET read_at = $3 WHERE id = $1 AND person_id = $2 AND read_at IS NULL";
    READ_UP_TO =
        "UPDATE notifications SET read_at = $4
         WHERE person_id = $2 AND read_at IS NULL AND id <= $3 AND ($5 OR account_id IN " ids(1) ")";
    SETTINGS = "SELECT locale, inbox, mail, version FROM notification_settings WHERE person_id = $1";
    PUT_SETTINGS =
        "INSERT INTO notification_settings (person_id, locale, inbox, mail, version, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (person_id) DO UPDATE SET locale = excluded.locale, inbox = excluded.inbox,
             mail = excluded.mail, version = excluded.version, updated_at = excluded.updated_at
         WHERE notification_settings.version = excluded.version - 1";
    FORGET =
        "DELETE FROM notifications WHERE id IN (
             SELECT id FROM notifications WHERE created_at < $1 ORDER BY created_at LIMIT 2000)";
}

/// Puts messages into inboxes; one that is there already is left as it is.
pub async fn insert(
    tx: &mut Tx,
    notifications: &[NewNotification],
    now: Timestamp,
) -> Result<(), Error> {
    if notifications.is_empty() {
        return Ok(());
    }
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql).bind(Json(notifications)).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// A person's notifications before one of them, newest first.
pub async fn list(
    reader: &mut Reader,
    mine: &Mine<'_>,
    unread: bool,
    before: Option<&NotificationId>,
    limit: u32,
) -> Result<Vec<Notification>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql)
            .bind(Json(mine.listed()))
            .bind(mine.person_id)
            // Later than every id.
            .bind(before.map_or("o", NotificationId::as_str))
            .bind(unread)
            .bind(mine.accounts.is_none())
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
    });
    Ok(rows
        .into_iter()
        .map(|row| Notification {
            id: row.id,
            read_at: row.read_at.map(Timestamp::from),
            created_at: row.created_at.0,
            message: row.message.into(),
        })
        .collect())
}

/// How many a person has not read.
pub async fn unread(reader: &mut Reader, mine: &Mine<'_>) -> Result<i64, Error> {
    Ok(on!(reader, UNREAD, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(Json(mine.listed()))
            .bind(mine.person_id)
            .bind(mine.accounts.is_none())
            .fetch_one(conn)
            .await?
    }))
}

/// Marks one as read; `NotFound` when it is not this person's, false when it was read already.
pub async fn read_one(
    tx: &mut Tx,
    mine: &Mine<'_>,
    id: &NotificationId,
    now: Timestamp,
) -> Result<bool, Error> {
    let owned: i64 = on!(tx, OWNED, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(Json(mine.listed()))
            .bind(mine.person_id)
            .bind(id)
            .bind(mine.accounts.is_none())
            .fetch_one(conn)
            .await?
    });
    if owned == 0 {
        return Err(Error::NotFound);
    }
    Ok(on!(tx, READ_ONE, |sql, conn| {
        let query = sqlx::query(sql).bind(id).bind(mine.person_id).bind(At(now));
        query.execute(conn).await?.rows_affected() == 1
    }))
}

/// Marks all up to one, itself included, as read; says how many were not.
pub async fn read_up_to(
    tx: &mut Tx,
    mine: &Mine<'_>,
    last: &NotificationId,
    now: Timestamp,
) -> Result<u64, Error> {
    Ok(on!(tx, READ_UP_TO, |sql, conn| {
        sqlx::query(sql)
            .bind(Json(mine.listed()))
            .bind(mine.person_id)
            .bind(last)
            .bind(At(now))
            .bind(mine.accounts.is_none())
            .execute(conn)
            .await?
            .rows_affected()
    }))
}

/// What a person wants to be told.
pub async fn settings(reader: &mut Reader, person: &PersonId) -> Result<Settings, Error> {
    let row: Option<SettingsRow> = on!(reader, SETTINGS, |sql, conn| {
        sqlx::query_as(sql).bind(person).fetch_optional(conn).await?
    });
    Ok(row.map_or_else(Settings::default, |row| Settings {
        locale: row.locale,
        inbox: row.inbox.0,
        mail: row.mail.0,
        version: row.version,
    }))
}

/// Writes what a person wants to be told, of the version after the one that was read; `Stale` when
/// that is gone.
pub async fn put_settings(
    tx: &mut Tx,
    person: &PersonId,
    settings: &Settings,
    now: Timestamp,
) -> Result<(), Error> {
    let changed = on!(tx, PUT_SETTINGS, |sql, conn| {
        sqlx::query(sql)
            .bind(person)
            .bind(settings.locale)
            .bind(Json(&settings.inbox))
            .bind(Json(&settings.mail))
            .bind(settings.version)
            .bind(At(now))
            .execute(conn)
            .await?
            .rows_affected()
    });
    if changed == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Forgets some that came before `before`; says how many.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    Ok(on!(tx, FORGET, |sql, conn| {
        sqlx::query(sql).bind(At(before)).execute(conn).await?.rows_affected()
    }))
}

impl Default for Settings {
    fn default() -> Self {
        Self { locale: Locale::Vi, inbox: Occasion::usual(), mail: Vec::new(), version: 0 }
    }
}
