//! The audit: a chain that only grows. What is appended in a transaction is written when it is committed,
//! after everything else, because the head stays locked until the commit is over.

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::types::Json;

use super::codec::At;
use super::error::Error;
use super::order::Lock;
use super::sql::{on, statements};
use super::{Reader, Tx};
use crate::domain::audit::{self, Entry, NewEntry};
use crate::domain::chain::{self, Kept};

statements! {
    HEAD = "SELECT seq, hash FROM audit_head WHERE id = 1"
        | "SELECT seq, hash FROM audit_head WHERE id = 1 FOR UPDATE";
    MOVE_HEAD = "UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1";
    APPEND = "INSERT INTO audit (seq, at, actor, action, subject, detail, hash) SELECT json_extract(value, '$.seq'), $2, json_extract(value, '$.actor'), json_extract(value, '$.action'), json_extract(value, '$.subject'), json_extract(value, '$.detail'), json_extract(value, '$.hash') FROM jsonb_each($1)"
        | "INSERT INTO audit (seq, at, actor, action, subject, detail, hash) SELECT seq, CAST($2 AS TIMESTAMPTZ), actor, action, subject, detail, hash FROM jsonb_to_recordset($1) AS new (seq BIGINT, actor TEXT, action TEXT, subject TEXT, detail JSONB, hash TEXT)";
    HAS = "SELECT EXISTS (SELECT 1 FROM audit WHERE seq = $1 AND hash = $2)";
    AFTER = "SELECT seq, at, actor, action, subject, detail, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";
    /// Time and detail as texts, for what cannot be read has its place in a report too.
    KEPT = "SELECT seq, CAST(at AS TEXT) AS at, actor, action, subject, detail, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2"
        | "SELECT seq, CAST(at AS TEXT) AS at, actor, action, subject, CAST(detail AS TEXT) AS detail, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";
    NOTED = "SELECT seq, hash FROM audit_head WHERE id = 1";
    FOUND = "SELECT seq, at, actor, action, subject, detail, hash FROM audit WHERE seq >= 1";
    NEXT_AT = "SELECT at FROM audit WHERE seq >= $1 ORDER BY seq LIMIT 1";
}

/// Which entries are wanted; every filter that is `None` lets all pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this one, with whichever token.
    pub actor: Option<String>,
    /// Of this sort; of all whose name begins so when it ends with a dot.
    pub action: Option<String>,
    /// To this.
    pub subject: Option<String>,
    /// From this instant.
    pub from: Option<Timestamp>,
    /// To before this one.
    pub to: Option<Timestamp>,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As it was written.
    Oldest,
    /// The other way round.
    Newest,
}

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    at: At,
    actor: String,
    action: String,
    subject: String,
    detail: Json<Value>,
    hash: String,
}

#[derive(sqlx::FromRow)]
struct KeptRow {
    seq: i64,
    at: String,
    actor: String,
    action: String,
    subject: String,
    detail: String,
    hash: String,
}

/// Appends entries in their order, when the transaction is committed: whoever has the head of the chain
/// waits for nobody any more, or two transactions could wait for each other. Their `detail` must be
/// a JSON object.
pub fn append(tx: &mut Tx, entries: &[NewEntry], now: Timestamp) {
    tx.tells(entries.iter().map(|entry| (now, entry.clone())));
}

/// Writes what was appended and gives the newest link; the end of a transaction.
pub(super) async fn write(
    tx: &mut Tx,
    entries: &[(Timestamp, NewEntry)],
) -> Result<(i64, String), Error> {
    tx.takes(Lock::Chain);
    let (mut seq, mut hash): (i64, String) =
        on!(tx, HEAD, |sql, conn| sqlx::query_as(sql).fetch_one(conn).await?);
    for moment in entries.chunk_by(|one, next| one.0 == next.0) {
        let Some((now, _)) = moment.first() else { continue };
        let mut rows = Vec::with_capacity(moment.len());
        for (_, entry) in moment {
            seq += 1;
            hash = audit::link(&hash, seq, *now, entry);
            rows.push(json!({
                "seq": seq, "actor": entry.actor, "action": entry.action,
                "subject": entry.subject, "detail": entry.detail, "hash": hash,
            }));
        }
        on!(tx, APPEND, |sql, conn| {
            sqlx::query(sql).bind(Json(&rows)).bind(At(*now)).execute(conn).await?;
        });
    }
    on!(tx, MOVE_HEAD, |sql, conn| {
        sqlx::query(sql).bind(seq).bind(&hash).execute(conn).await?;
    });
    Ok((seq, hash))
}

/// Whether this link is in the chain. Waits for whoever is appending: afterwards it is certain.
pub async fn has(tx: &mut Tx, seq: i64, hash: &str) -> Result<bool, Error> {
    let _head: (i64, String) =
        on!(tx, HEAD, |sql, conn| sqlx::query_as(sql).fetch_one(conn).await?);
    Ok(on!(tx, HAS, |sql, conn| {
        sqlx::query_scalar(sql).bind(seq).bind(hash).fetch_one(conn).await?
    }))
}

/// Links after a place, in order.
pub async fn after(reader: &mut Reader, seq: i64, limit: u32) -> Result<Vec<Entry>, Error> {
    let rows: Vec<Row> = on!(reader, AFTER, |sql, conn| {
        sqlx::query_as(sql).bind(seq).bind(i64::from(limit)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Entry::from).collect())
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            seq: row.seq,
            at: row.at.into(),
            entry: NewEntry {
                actor: row.actor,
                action: row.action,
                subject: row.subject,
                detail: row.detail.0,
            },
            hash: row.hash,
        }
    }
}

/// Links between two places that pass, neither place included.
pub async fn found(
    reader: &mut Reader,
    filter: &Filter,
    (above, below): (i64, i64),
    order: Order,
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    let rows: Vec<Row> = on!(reader, FOUND, |sql, conn| {
        let mut query = sqlx::QueryBuilder::new(sql);
        query.push(" AND seq > ").push_bind(above).push(" AND seq < ").push_bind(below);
        if let Some(actor) = &filter.actor {
            // With a token he is written with its id behind his own.
            let letters = i64::try_from(actor.chars().count() + 1).unwrap_or(i64::MAX);
            query.push(" AND (actor = ").push_bind(actor);
            query.push(" OR substr(actor, 1, CAST(").push_bind(letters);
            query.push(" AS INTEGER)) = ").push_bind(format!("{actor} ")).push(")");
        }
        if let Some(action) = &filter.action {
            if action.ends_with('.') {
                let letters = i64::try_from(action.chars().count()).unwrap_or(i64::MAX);
                query.push(" AND substr(action, 1, CAST(").push_bind(letters);
                query.push(" AS INTEGER)) = ").push_bind(action);
            } else {
                query.push(" AND action = ").push_bind(action);
            }
        }
        if let Some(subject) = &filter.subject {
            query.push(" AND subject = ").push_bind(subject);
        }
        if let Some(from) = filter.from {
            query.push(" AND at >= ").push_bind(At(from));
        }
        if let Some(to) = filter.to {
            query.push(" AND at < ").push_bind(At(to));
        }
        query.push(match order {
            Order::Oldest => " ORDER BY seq LIMIT ",
            Order::Newest => " ORDER BY seq DESC LIMIT ",
        });
        query.push_bind(i64::from(limit));
        query.build_query_as().fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// The place of the first link up to `newest` that was written at `at` or after, as far as later ones stand behind
/// earlier ones; `newest + 1` when there is none.
pub async fn place_at(reader: &mut Reader, at: Timestamp, newest: i64) -> Result<i64, Error> {
    let (mut low, mut high) = (1, newest + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let then: Option<At> = on!(reader, NEXT_AT, |sql, conn| {
            sqlx::query_scalar(sql).bind(middle).fetch_optional(conn).await?
        });
        if then.is_some_and(|then| Timestamp::from(then) < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Links after a place, in order, as they are kept: also those that [`after`] could not read.
pub async fn kept(reader: &mut Reader, seq: i64, limit: u32) -> Result<Vec<Kept>, Error> {
    let rows: Vec<KeptRow> = on!(reader, KEPT, |sql, conn| {
        sqlx::query_as(sql).bind(seq).bind(i64::from(limit)).fetch_all(conn).await?
    });
    Ok(rows
        .into_iter()
        .map(|row| {
            let said = instant(&row.at).zip(chain::detail(&row.detail));
            let entry = said.map(|(at, detail)| Entry {
                seq: row.seq,
                at,
                entry: NewEntry {
                    actor: row.actor,
                    action: row.action,
                    subject: row.subject,
                    detail,
                },
                hash: row.hash.clone(),
            });
            Kept { seq: row.seq, hash: row.hash, entry }
        })
        .collect())
}

/// Milliseconds from SQLite, civil time with its offset from PostgreSQL. Nothing finer is ever written, so an
/// instant that has more was changed.
fn instant(text: &str) -> Option<Timestamp> {
    let at = match text.parse() {
        Ok(millis) => Timestamp::from_millisecond(millis).ok()?,
        Err(_civil) => text.parse::<Timestamp>().ok()?,
    };
    (at.subsec_nanosecond() % 1_000_000 == 0).then_some(at)
}

/// The newest link by the database's own note.
pub async fn noted(reader: &mut Reader) -> Result<(i64, String), Error> {
    Ok(on!(reader, NOTED, |sql, conn| sqlx::query_as(sql).fetch_one(conn).await?))
}
