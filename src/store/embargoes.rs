//! Until when posts may not be published, by a word on the post or on its campaign.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::embargo::{Binding, Embargo};
use crate::domain::id::{AccountId, DeliveryId, PersonId, PostId};

statements! {
    SET =
        "INSERT INTO embargoes (subject_id, ends_at, reason, set_by, set_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (subject_id) DO UPDATE SET ends_at = excluded.ends_at, reason = excluded.reason,
            set_by = excluded.set_by, set_at = excluded.set_at";
    LIFT = "DELETE FROM embargoes WHERE subject_id = $1";
    FIND = "SELECT ends_at, reason, set_by, set_at FROM embargoes WHERE subject_id = $1";
    BINDING =
        "SELECT post_id, subject_id, ends_at, reason FROM post_embargoes
         WHERE post_id IN " ids(1) " AND ends_at > $2 ORDER BY post_id, ends_at DESC, subject_id";
    HELD =
        "SELECT d.id FROM post_embargoes AS e JOIN deliveries AS d ON d.post_id = e.post_id
         WHERE e.subject_id = $1 AND (d.state = 'held') IS TRUE ORDER BY d.id";
    STOPPED =
        "SELECT d.id FROM post_embargoes AS e JOIN deliveries AS d ON d.post_id = e.post_id
         WHERE e.subject_id = $1 AND (d.state IN ('scheduled', 'held', 'pending_approval')) IS TRUE
           AND e.ends_at > d.due_at
         ORDER BY d.due_at, d.id";
    UNDER_WAY =
        "SELECT d.id, d.account_id, d.state_since FROM post_embargoes AS e
         JOIN deliveries AS d ON d.post_id = e.post_id
         WHERE e.subject_id = $1 AND (d.state = 'publishing') IS TRUE ORDER BY d.due_at, d.id";
}

/// Sets an embargo in the place of the one before.
pub async fn set(tx: &mut Tx, subject: &str, embargo: &Embargo) -> Result<(), Error> {
    on!(tx, SET, |sql, conn| {
        sqlx::query(sql)
            .bind(subject)
            .bind(At(embargo.until))
            .bind(&embargo.reason)
            .bind(&embargo.set_by)
            .bind(At(embargo.set_at))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Ends one.
pub async fn lift(tx: &mut Tx, subject: &str) -> Result<(), Error> {
    on!(tx, LIFT, |sql, conn| {
        sqlx::query(sql).bind(subject).execute(conn).await?;
    });
    Ok(())
}

/// The embargo that was set on a post or campaign, over or not.
pub async fn find(reader: &mut Reader, subject: &str) -> Result<Option<Embargo>, Error> {
    let row: Option<(At, String, PersonId, At)> = on!(reader, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(subject).fetch_optional(conn).await?
    });
    let embargo = |(until, reason, set_by, set_at): (At, String, PersonId, At)| Embargo {
        until: until.0,
        reason,
        set_by,
        set_at: set_at.0,
    };
    Ok(row.map(embargo))
}

/// Whatever binds these posts longer than this, the longest first.
pub async fn binding(
    reader: &mut Reader,
    posts: &BTreeSet<&PostId>,
    now: Timestamp,
) -> Result<BTreeMap<PostId, Vec<Binding>>, Error> {
    let rows: Vec<(PostId, String, At, String)> = on!(reader, BINDING, |sql, conn| {
        sqlx::query_as(sql).bind(Json(posts)).bind(At(now)).fetch_all(conn).await?
    });
    let mut all: BTreeMap<PostId, Vec<Binding>> = BTreeMap::new();
    for (post, subject_id, until, reason) in rows {
        all.entry(post).or_default().push(Binding { subject_id, until: until.0, reason });
    }
    Ok(all)
}

/// The deliveries under an embargo that are held, for whatever reason, by their id.
pub async fn held(reader: &mut Reader, subject: &str) -> Result<Vec<DeliveryId>, Error> {
    Ok(on!(reader, HELD, |sql, conn| {
        sqlx::query_scalar(sql).bind(subject).fetch_all(conn).await?
    }))
}

/// The deliveries that have not begun to leave and that an embargo does not let go at their instant, by that.
pub async fn stopped(reader: &mut Reader, subject: &str) -> Result<Vec<DeliveryId>, Error> {
    Ok(on!(reader, STOPPED, |sql, conn| {
        sqlx::query_scalar(sql).bind(subject).fetch_all(conn).await?
    }))
}

/// The deliveries under an embargo that are guarded or on their way, and since when, by their instant.
pub async fn under_way(
    reader: &mut Reader,
    subject: &str,
) -> Result<Vec<(DeliveryId, AccountId, Timestamp)>, Error> {
    let rows: Vec<(DeliveryId, AccountId, At)> = on!(reader, UNDER_WAY, |sql, conn| {
        sqlx::query_as(sql).bind(subject).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(id, account, since)| (id, account, since.0)).collect())
}
