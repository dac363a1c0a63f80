//! Other deliveries that stand too near to a planned one: the same text to the same account, or the
//! same account at the same minute; and where else a post's text goes.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader};
use crate::domain::id::{AccountId, DeliveryId, PostId};

/// A delivery that is planned.
#[derive(Debug, Clone)]
pub struct Planned<'a> {
    /// Where it goes.
    pub account_id: &'a AccountId,
    /// Its instant.
    pub due_at: Timestamp,
    /// The hash by which the same text is noticed.
    pub text_hash: &'a str,
}

/// A delivery that stands near one of the planned ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// Which of the planned ones, by its place.
    pub place: usize,
    /// The other.
    pub id: DeliveryId,
    /// When the other goes or went out.
    pub due_at: Timestamp,
    /// True for the same text, false for the same account at nearly the same time.
    pub same_text: bool,
}

#[derive(Serialize)]
struct PlannedRow<'a> {
    place: usize,
    account_id: &'a AccountId,
    text_hash: &'a str,
    text_from: i64,
    text_to: i64,
    time_from: i64,
    time_to: i64,
}

statements! {
    /// What was out and was taken away was said. The `+` makes SQLite look by the text, which is rarer than the account's next days.
    SAME_TEXT =
        "SELECT v.value->>'place', d.id, d.due_at FROM jsonb_each($1) AS v
         JOIN deliveries AS d ON d.account_id = v.value->>'account_id'
              AND d.text_hash = v.value->>'text_hash'
         WHERE d.state NOT IN ('failed', 'missed', 'cancelled')
           AND +d.due_at > v.value->>'text_from' AND +d.due_at < v.value->>'text_to'
         UNION
         SELECT v.value->>'place', k.delivery_id, k.begun_at FROM jsonb_each($1) AS v
         JOIN corrections AS k ON k.account_id = v.value->>'account_id'
              AND k.text_hash = v.value->>'text_hash'
         WHERE k.begun_at > v.value->>'text_from' AND k.begun_at < v.value->>'text_to'
         ORDER BY 1, 3, 2 LIMIT 1000"
        |
        "SELECT v.place, d.id, d.due_at
         FROM jsonb_to_recordset($1) AS v(place BIGINT, account_id TEXT, text_hash TEXT,
              text_from BIGINT, text_to BIGINT)
         JOIN deliveries AS d ON d.account_id = v.account_id AND d.text_hash = v.text_hash
         WHERE d.state NOT IN ('failed', 'missed', 'cancelled')
           AND d.due_at > TIMESTAMPTZ 'epoch' + v.text_from * INTERVAL '1 millisecond'
           AND d.due_at < TIMESTAMPTZ 'epoch' + v.text_to * INTERVAL '1 millisecond'
         UNION
         SELECT v.place, k.delivery_id, k.begun_at
         FROM jsonb_to_recordset($1) AS v(place BIGINT, account_id TEXT, text_hash TEXT,
              text_from BIGINT, text_to BIGINT)
         JOIN corrections AS k ON k.account_id = v.account_id AND k.text_hash = v.text_hash
         WHERE k.begun_at > TIMESTAMPTZ 'epoch' + v.text_from * INTERVAL '1 millisecond'
           AND k.begun_at < TIMESTAMPTZ 'epoch' + v.text_to * INTERVAL '1 millisecond'
         ORDER BY 1, 3, 2 LIMIT 1000";
    SAME_TIME =
        "SELECT v.value->>'place', d.id, d.due_at FROM jsonb_each($1) AS v
         JOIN deliveries AS d ON d.account_id = v.value->>'account_id'
              AND d.due_at > v.value->>'time_from' AND d.due_at < v.value->>'time_to'
         WHERE d.state NOT IN ('failed', 'missed', 'cancelled', 'vanished', 'recalled')
         ORDER BY 1, 3, 2 LIMIT 1000"
        |
        "SELECT v.place, d.id, d.due_at
         FROM jsonb_to_recordset($1) AS v(place BIGINT, account_id TEXT, time_from BIGINT,
              time_to BIGINT)
         JOIN deliveries AS d ON d.account_id = v.account_id
           AND d.due_at > TIMESTAMPTZ 'epoch' + v.time_from * INTERVAL '1 millisecond'
           AND d.due_at < TIMESTAMPTZ 'epoch' + v.time_to * INTERVAL '1 millisecond'
         WHERE d.state NOT IN ('failed', 'missed', 'cancelled', 'vanished', 'recalled')
         ORDER BY 1, 3, 2 LIMIT 1000";
    ELSEWHERE =
        "SELECT DISTINCT platform, text_hash, account_id FROM deliveries
         WHERE post_id = $1
           AND state NOT IN ('failed', 'missed', 'cancelled', 'vanished', 'recalled')";
}

/// The same text to one account is near within a day, before and after.
const SAME_TEXT_MS: i64 = 24 * 3_600 * 1_000;
/// One account is busy at the same time within a minute.
const SAME_TIME_MS: i64 = 60 * 1_000;

/// Which kinds of nearness to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The same text only.
    Text,
    /// The same text, and the same account at nearly the same time.
    TextAndTime,
}

/// What stands near the planned deliveries, by their place.
pub async fn near(
    reader: &mut Reader,
    planned: &[Planned<'_>],
    look: Look,
) -> Result<Vec<Near>, Error> {
    let rows: Vec<_> = planned
        .iter()
        .enumerate()
        .map(|(place, one)| {
            let due = one.due_at.as_millisecond();
            PlannedRow {
                place,
                account_id: one.account_id,
                text_hash: one.text_hash,
                text_from: due - SAME_TEXT_MS,
                text_to: due + SAME_TEXT_MS,
                time_from: due - SAME_TIME_MS,
                time_to: due + SAME_TIME_MS,
            }
        })
        .collect();
    let mut found: Vec<Near> = Vec::new();
    let texts: Vec<(i64, DeliveryId, At)> = on!(reader, SAME_TEXT, |sql, conn| {
        sqlx::query_as(sql).bind(Json(&rows)).fetch_all(conn).await?
    });
    found.extend(texts.into_iter().map(|row| one(row, true)));
    if look == Look::TextAndTime {
        let times: Vec<(i64, DeliveryId, At)> = on!(reader, SAME_TIME, |sql, conn| {
            sqlx::query_as(sql).bind(Json(&rows)).fetch_all(conn).await?
        });
        found.extend(times.into_iter().map(|row| one(row, false)));
    }
    Ok(found)
}

fn one((place, id, due_at): (i64, DeliveryId, At), same_text: bool) -> Near {
    Near { place: usize::try_from(place).unwrap_or(0), id, due_at: due_at.0, same_text }
}

/// Where a post goes or went already: platform, hash of the text, account.
pub async fn elsewhere(
    reader: &mut Reader,
    post: &PostId,
) -> Result<Vec<(String, String, AccountId)>, Error> {
    Ok(on!(reader, ELSEWHERE, |sql, conn| {
        sqlx::query_as(sql).bind(post).fetch_all(conn).await?
    }))
}
