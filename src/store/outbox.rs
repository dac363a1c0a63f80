//! Messages: what is told of things that happened, made of audit entries, and how far that has come.
//!
//! The audit is the outbox: every transition appends to it in its own transaction, under a lock that
//! makes the order of its entries the order of commits, so whoever has read up to an entry has missed
//! none before it. Nothing here changes a delivery, an account or an attempt.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::id::{AccountId, DeliveryId, MessageId, PersonId, PostId, UnitId};
use crate::domain::outbox::{Locale, Occasion};
use crate::domain::outbox_text::Names;

/// How far messages were made, and how far the audit reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Up to this audit entry.
    pub done: i64,
    /// The newest audit entry.
    pub newest: i64,
}

/// An audit entry that somebody may want to hear of.
#[derive(Debug, Clone)]
pub struct Happened {
    /// Its place in the audit, which is the order of commits.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// The audit's word.
    pub action: String,
    /// The id of what it happened to.
    pub subject: String,
    /// What else was recorded.
    pub detail: Value,
    /// The hash of its link, which no other entry has, not even after a restore.
    pub hash: String,
}

/// What a message says of a delivery.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DeliveryFacts {
    /// The delivery.
    pub id: DeliveryId,
    /// Its post.
    pub post_id: PostId,
    /// Its account.
    pub account_id: AccountId,
    /// The post's unit.
    pub unit_id: UnitId,
    /// The platform's word.
    pub platform: String,
    /// BCP 47 tag.
    pub language: String,
    /// Its instant.
    #[sqlx(try_from = "At")]
    pub due_at: Timestamp,
    /// Where people see it.
    pub permalink: Option<String>,
    /// Who scheduled it.
    pub created_by: String,
    /// The post's title.
    pub title: String,
    /// The account's name.
    pub account_name: String,
}

/// What a message says of an account.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AccountFacts {
    /// The account.
    pub id: AccountId,
    /// The unit that answers for it.
    pub unit_id: UnitId,
    /// The platform's word.
    pub platform: String,
    /// Its name.
    pub display_name: String,
}

/// A person who may be told.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Who.
    pub id: PersonId,
    /// May everything.
    pub administrator: bool,
    /// The language that he is written to in.
    pub locale: Locale,
    /// What he wants to see.
    pub inbox: Vec<Occasion>,
    /// What he wants to be written to about.
    pub mail: Vec<Occasion>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    /// Its id, the same however often it is made.
    pub id: MessageId,
    /// What it tells of.
    pub event: Occasion,
    /// When that happened.
    #[serde(rename = "at_ms", serialize_with = "millis")]
    pub at: Timestamp,
    /// The account that it concerns, if one.
    pub account_id: Option<AccountId>,
    /// What webhooks are told: ids and words, no texts of posts.
    pub data: Value,
    /// What people read besides.
    pub names: Names,
}

fn millis<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(at.as_millisecond())
}

#[derive(sqlx::FromRow)]
struct HappenedRow {
    seq: i64,
    at: At,
    action: String,
    subject: String,
    detail: Json<Value>,
    hash: String,
}

#[derive(sqlx::FromRow)]
struct ListenerRow {
    id: PersonId,
    administrator: bool,
    locale: Option<Locale>,
    inbox: Option<Json<Vec<Occasion>>>,
    mail: Option<Json<Vec<Occasion>>>,
}

/// A message as its row has it; also read beside notifications and items of mail.
#[derive(sqlx::FromRow)]
pub(super) struct MessageRow {
    #[sqlx(rename = "message_id")]
    id: MessageId,
    event: Occasion,
    at: At,
    account_id: Option<AccountId>,
    data: Json<Value>,
    names: Json<Names>,
}

statements! {
    REACH = "SELECT c.seq, h.seq FROM outbox_cursor AS c JOIN audit_head AS h ON h.id = c.id WHERE c.id = 1";
    MOVE_CURSOR = "UPDATE outbox_cursor SET seq = $2 WHERE id = 1 AND seq = $1";
    HAPPENED =
        "SELECT seq, at, action, subject, detail, hash FROM audit
         WHERE seq > $2 AND seq <= $3 AND action IN " ids(1) " ORDER BY seq";
    DELIVERY_FACTS =
        "SELECT d.id, d.post_id, d.account_id, d.unit_id, d.platform, d.language, d.due_at,
                d.permalink, d.created_by, p.title, a.display_name AS account_name
         FROM deliveries AS d
         JOIN posts AS p ON p.id = d.post_id
         JOIN accounts AS a ON a.id = d.account_id
         WHERE d.id IN " ids(1);
    ACCOUNT_FACTS =
        "SELECT id, unit_id, platform, display_name FROM accounts WHERE id IN " ids(1);
    /// Which of these people may see which of these accounts, and schedule there.
    SEEING =
        "SELECT person_id, account_id,
                CAST(MAX(CASE WHEN role IN ('administrator', 'publisher') THEN 1 ELSE 0 END) AS BIGINT)
         FROM duties
         WHERE (ends_at IS NULL OR ends_at > $3) AND person_id IN " ids(1) " AND account_id IN " ids(2) "
         GROUP BY person_id, account_id";
    LISTENERS =
        "SELECT u.id, u.administrator, s.locale, s.inbox, s.mail
         FROM people AS u LEFT JOIN notification_settings AS s ON s.person_id = u.id
         WHERE u.disabled_at IS NULL AND (u.administrator OR u.id IN " ids(1) ")";
    INSERT =
        "INSERT INTO outbox (id, event, at, account_id, data, names, created_at)
         SELECT value->>'id', value->>'event', value->>'at_ms', value->>'account_id',
                json_extract(value, '$.data'), json_extract(value, '$.names'), $2
         FROM jsonb_each($1) WHERE true ON CONFLICT DO NOTHING"
        |
        "INSERT INTO outbox (id, event, at, account_id, data, names, created_at)
         SELECT id, event, TIMESTAMPTZ 'epoch' + at_ms * INTERVAL '1 millisecond', account_id, data,
                names, $2
         FROM jsonb_to_recordset($1) AS v(id TEXT, event TEXT, at_ms BIGINT, account_id TEXT,
                                          data JSONB, names JSONB)
         ON CONFLICT DO NOTHING";
    FIND =
        "SELECT id AS message_id, event, at, account_id, data, names FROM outbox
         WHERE id IN " ids(1);
    FORGET =
        "DELETE FROM outbox WHERE id IN (
             SELECT id FROM outbox WHERE created_at < $1 ORDER BY created_at LIMIT 2000)";
}

/// How far messages were made.
pub async fn reach(reader: &mut Reader) -> Result<Reach, Error> {
    let (done, newest) =
        on!(reader, REACH, |sql, conn| sqlx::query_as(sql).fetch_one(conn).await?);
    Ok(Reach { done, newest })
}

/// Moves the cursor; false when another process has. Locks it until the commit.
pub async fn move_cursor(tx: &mut Tx, from: i64, to: i64) -> Result<bool, Error> {
    Ok(on!(tx, MOVE_CURSOR, |sql, conn| {
        sqlx::query(sql).bind(from).bind(to).execute(conn).await?.rows_affected() == 1
    }))
}

/// What happened after one audit entry and up to another, in order.
pub async fn happened(reader: &mut Reader, after: i64, until: i64) -> Result<Vec<Happened>, Error> {
    let actions = Occasion::actions();
    let rows: Vec<HappenedRow> = on!(reader, HAPPENED, |sql, conn| {
        sqlx::query_as(sql).bind(Json(actions)).bind(after).bind(until).fetch_all(conn).await?
    });
    Ok(rows
        .into_iter()
        .map(|row| Happened {
            seq: row.seq,
            at: row.at.0,
            action: row.action,
            subject: row.subject,
            detail: row.detail.0,
            hash: row.hash,
        })
        .collect())
}

/// What messages say of deliveries; in no order.
pub async fn delivery_facts(
    reader: &mut Reader,
    ids: &[&str],
) -> Result<Vec<DeliveryFacts>, Error> {
    Ok(on!(reader, DELIVERY_FACTS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    }))
}

/// What messages say of accounts; in no order.
pub async fn account_facts(reader: &mut Reader, ids: &[&str]) -> Result<Vec<AccountFacts>, Error> {
    Ok(on!(reader, ACCOUNT_FACTS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    }))
}

/// Everybody who may sign in and is an administrator or among `authors`; in no order.
pub async fn listeners(reader: &mut Reader, authors: &[&str]) -> Result<Vec<Listener>, Error> {
    let rows: Vec<ListenerRow> = on!(reader, LISTENERS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(authors)).fetch_all(conn).await?
    });
    Ok(rows
        .into_iter()
        .map(|row| Listener {
            id: row.id,
            administrator: row.administrator,
            locale: row.locale.unwrap_or(Locale::Vi),
            inbox: row.inbox.map_or_else(Occasion::usual, |it| it.0),
            mail: row.mail.map_or_else(Vec::new, |it| it.0),
        })
        .collect())
}

/// Which of these people have a role over which of these accounts, and whether one by which they schedule
/// there; in no order.
pub async fn seeing(
    reader: &mut Reader,
    people: &[&str],
    accounts: &[&AccountId],
    now: Timestamp,
) -> Result<Vec<((PersonId, AccountId), bool)>, Error> {
    if people.is_empty() || accounts.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(PersonId, AccountId, i64)> = on!(reader, SEEING, |sql, conn| {
        sqlx::query_as(sql)
            .bind(Json(people))
            .bind(Json(accounts))
            .bind(At(now))
            .fetch_all(conn)
            .await?
    });
    Ok(rows.into_iter().map(|(person, account, may)| ((person, account), may == 1)).collect())
}

/// Writes messages; one that is there already is left as it is.
pub async fn insert(tx: &mut Tx, messages: &[Message], now: Timestamp) -> Result<(), Error> {
    if messages.is_empty() {
        return Ok(());
    }
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql).bind(Json(messages)).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// Messages by id; in no order.
pub async fn find(reader: &mut Reader, ids: &[&MessageId]) -> Result<Vec<Message>, Error> {
    let rows: Vec<MessageRow> = on!(reader, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Message::from).collect())
}

/// Forgets some messages that were made before `before`; says how many.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    Ok(on!(tx, FORGET, |sql, conn| {
        sqlx::query(sql).bind(At(before)).execute(conn).await?.rows_affected()
    }))
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        Self {
            id: row.id,
            event: row.event,
            at: row.at.0,
            account_id: row.account_id,
            data: row.data.0,
            names: row.names.0,
        }
    }
}
