//! Who is signed in at which screen: only the hash of what his browser has is kept.

use std::sync::Arc;

use jiff::Timestamp;

use super::codec::At;
use super::error::Error;
use super::sql::{on, statements};
use super::tokens::Bearer;
use super::{Reader, Tx, roles};
use crate::domain::actor::{Actor, Scopes};
use crate::domain::id::{PersonId, SessionId};
use crate::domain::role::Reach;
use crate::domain::session::SignedIn;

statements! {
    INSERT =
        "INSERT INTO sessions (id, person_id, hash, address, agent, created_at, seen_at, proved_at, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $6, $7)";
    BEARER =
        "SELECT s.id, s.person_id, s.seen_at, s.proved_at, s.ends_at, p.administrator,
                EXISTS (SELECT 1 FROM second_factors AS f
                        WHERE f.person_id = p.id AND f.confirmed_at IS NOT NULL) AS second_factor
         FROM sessions AS s JOIN people AS p ON p.id = s.person_id
         WHERE s.hash = $1 AND s.ended_at IS NULL AND s.ends_at > $2 AND s.seen_at > $3
           AND p.disabled_at IS NULL";
    SEEN = "UPDATE sessions SET seen_at = $2 WHERE id = $1 AND seen_at < $2 AND ended_at IS NULL";
    FIND =
        "SELECT id, person_id, address, agent, created_at, seen_at, proved_at, ends_at, ended_at
         FROM sessions WHERE id = $1";
    /// Those that are in force.
    LIST =
        "SELECT id, person_id, address, agent, created_at, seen_at, proved_at, ends_at, ended_at
         FROM sessions
         WHERE person_id = $1 AND id > $2 AND ended_at IS NULL AND ends_at > $3 AND seen_at > $4
         ORDER BY id LIMIT $5";
    PROVE = "UPDATE sessions SET proved_at = $2 WHERE id = $1 AND ended_at IS NULL";
    END = "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    END_OTHERS =
        "UPDATE sessions SET ended_at = $3 WHERE person_id = $1 AND id <> $2 AND ended_at IS NULL";
    END_ALL = "UPDATE sessions SET ended_at = $2 WHERE person_id = $1 AND ended_at IS NULL";
    END_EVERY = "UPDATE sessions SET ended_at = $1 WHERE ended_at IS NULL";
    FROM_HERE =
        "SELECT EXISTS (SELECT 1 FROM sessions
                        WHERE person_id = $1 AND address = $2 AND created_at > $3)";
    PRUNE = "DELETE FROM sessions WHERE ends_at < $1";
}

/// Somebody signed in at one screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who.
    pub person_id: PersonId,
    /// From which address he signed in.
    pub address: String,
    /// What his browser calls itself.
    pub agent: String,
    /// When he signed in.
    pub created_at: Timestamp,
    /// When he was last there, to the minute.
    pub seen_at: Timestamp,
    /// When he has last shown that it is he.
    pub proved_at: Timestamp,
    /// When it ends whatever he does.
    pub ends_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: SessionId,
    person_id: PersonId,
    address: String,
    agent: String,
    created_at: At,
    seen_at: At,
    proved_at: At,
    ends_at: At,
    ended_at: Option<At>,
}

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            person_id: row.person_id,
            address: row.address,
            agent: row.agent,
            created_at: row.created_at.into(),
            seen_at: row.seen_at.into(),
            proved_at: row.proved_at.into(),
            ends_at: row.ends_at.into(),
            ended_at: row.ended_at.map(Timestamp::from),
        }
    }
}

/// When a session is in force: now, and since when somebody must have been there.
#[derive(Debug, Clone, Copy)]
pub struct InForce {
    /// Now.
    pub now: Timestamp,
    /// Whoever was not there since has gone.
    pub seen_since: Timestamp,
}

#[derive(sqlx::FromRow)]
struct BearerRow {
    id: SessionId,
    person_id: PersonId,
    seen_at: At,
    proved_at: At,
    ends_at: At,
    administrator: bool,
    second_factor: bool,
}

/// Writes a new session.
pub async fn insert(tx: &mut Tx, session: &Session, hash: &str) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&session.id)
            .bind(&session.person_id)
            .bind(hash)
            .bind(&session.address)
            .bind(&session.agent)
            .bind(At(session.created_at))
            .bind(At(session.ends_at))
            .execute(conn)
            .await?;
        Ok(())
    })
}

/// Who has the key with this hash, when he was last seen, and when the session ends whatever he does; nobody
/// when it has ended or he may not sign in any more.
pub async fn bearer(
    reader: &mut Reader,
    hash: &str,
    when: InForce,
) -> Result<Option<(Bearer, Timestamp)>, Error> {
    let row: Option<BearerRow> = on!(reader, BEARER, |sql, conn| {
        sqlx::query_as(sql)
            .bind(hash)
            .bind(At(when.now))
            .bind(At(when.seen_since))
            .fetch_optional(conn)
            .await?
    });
    let Some(row) = row else { return Ok(None) };
    let reach = if row.administrator {
        Reach::default()
    } else {
        roles::reach(reader, &row.person_id, when.now).await?
    };
    let signed_in = SignedIn {
        session_id: row.id,
        proved_at: row.proved_at.into(),
        second_factor: row.second_factor,
    };
    let bearer = Bearer {
        actor: Actor {
            person_id: row.person_id,
            token_id: None,
            signed_in: Some(signed_in),
            administrator: row.administrator,
            scopes: Scopes::All,
            accounts: None,
            reach: Arc::new(reach),
        },
        expires_at: Some(row.ends_at.into()),
    };
    Ok(Some((bearer, row.seen_at.into())))
}

/// Notes that somebody is there.
pub async fn seen(tx: &mut Tx, id: &SessionId, now: Timestamp) -> Result<(), Error> {
    on!(tx, SEEN, |sql, conn| {
        sqlx::query(sql).bind(id).bind(At(now)).execute(conn).await?;
        Ok(())
    })
}

/// One session, also one that has ended.
pub async fn find(reader: &mut Reader, id: &SessionId) -> Result<Option<Session>, Error> {
    let row: Option<Row> =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await?);
    Ok(row.map(Session::from))
}

/// The sessions of a person that are in force, after an id, in the order of their ids.
pub async fn list(
    reader: &mut Reader,
    person: &PersonId,
    after: Option<&SessionId>,
    when: InForce,
    limit: u32,
) -> Result<Vec<Session>, Error> {
    let rows: Vec<Row> = on!(reader, LIST, |sql, conn| {
        sqlx::query_as(sql)
            .bind(person)
            .bind(after.map_or("", SessionId::as_str))
            .bind(At(when.now))
            .bind(At(when.seen_since))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
    });
    Ok(rows.into_iter().map(Session::from).collect())
}

/// Notes that somebody has shown again that it is he.
pub async fn prove(tx: &mut Tx, id: &SessionId, now: Timestamp) -> Result<(), Error> {
    on!(tx, PROVE, |sql, conn| {
        sqlx::query(sql).bind(id).bind(At(now)).execute(conn).await?;
        Ok(())
    })
}

/// Ends a session; false when it had ended.
pub async fn end(tx: &mut Tx, id: &SessionId, now: Timestamp) -> Result<bool, Error> {
    on!(tx, END, |sql, conn| {
        Ok(sqlx::query(sql).bind(id).bind(At(now)).execute(conn).await?.rows_affected() == 1)
    })
}

/// Ends all sessions of a person, and gives how many.
pub async fn end_all(tx: &mut Tx, person: &PersonId, now: Timestamp) -> Result<u64, Error> {
    on!(tx, END_ALL, |sql, conn| {
        Ok(sqlx::query(sql).bind(person).bind(At(now)).execute(conn).await?.rows_affected())
    })
}

/// Ends all sessions of a person but one, and gives how many.
pub async fn end_others(
    tx: &mut Tx,
    person: &PersonId,
    but: &SessionId,
    now: Timestamp,
) -> Result<u64, Error> {
    on!(tx, END_OTHERS, |sql, conn| {
        let ended = sqlx::query(sql).bind(person).bind(but).bind(At(now)).execute(conn).await?;
        Ok(ended.rows_affected())
    })
}

/// Ends the sessions of everybody.
pub async fn end_every(tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
    on!(tx, END_EVERY, |sql, conn| {
        sqlx::query(sql).bind(At(now)).execute(conn).await?;
        Ok(())
    })
}

/// Whether a person has signed in from an address since an instant.
pub async fn has_come_from(
    reader: &mut Reader,
    person: &PersonId,
    address: &str,
    since: Timestamp,
) -> Result<bool, Error> {
    Ok(on!(reader, FROM_HERE, |sql, conn| {
        sqlx::query_scalar(sql).bind(person).bind(address).bind(At(since)).fetch_one(conn).await?
    }))
}

/// Forgets what ended before an instant.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<(), Error> {
    on!(tx, PRUNE, |sql, conn| {
        sqlx::query(sql).bind(At(before)).execute(conn).await?;
        Ok(())
    })
}
