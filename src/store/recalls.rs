//! Taking back what another process has guarded: somebody asks, and the process that has it answers.

use jiff::Timestamp;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx, jobs};
use crate::domain::attempt::AttemptOutcome;
use crate::domain::id::{AttemptId, DeliveryId, NodeId};
use crate::domain::work;

statements! {
    OPEN = "SELECT id FROM attempts WHERE delivery_id = $1 AND outcome = 'open'";
    ASK =
        "UPDATE attempts SET recall = 'asked'
         WHERE id = $1 AND outcome = 'open' AND recall IS NULL";
    ASKED =
        "SELECT delivery_id, id FROM attempts
         WHERE node = $1 AND recall = 'asked' AND outcome = 'open' ORDER BY delivery_id";
    REFUSE =
        "UPDATE attempts SET recall = 'leaving'
         WHERE id = $1 AND recall = 'asked' AND outcome = 'open'";
    ANSWER = "SELECT outcome, recall FROM attempts WHERE id = $1";
    /// Before everything else of a delivery, as whoever claims it and whoever writes down what came of
    /// it: in another order two of them would wait for each other.
    LOCK_JOB =
        "SELECT id FROM jobs
         WHERE state = 'running' AND state IN ('queued', 'running') AND unique_key = $1"
        |
        "SELECT id FROM jobs
         WHERE state = 'running' AND state IN ('queued', 'running') AND unique_key = $1 FOR UPDATE";
    CLOSE_WITHDRAWN =
        "UPDATE attempts SET outcome = 'withdrawn', ended_at = $2
         WHERE id = $1 AND outcome = 'open'";
    BACK_TO_SCHEDULED =
        "UPDATE deliveries SET state = 'scheduled', state_since = $2, attempts = attempts - 1,
                version = version + 1, updated_at = $2
         WHERE id = $1 AND state = 'publishing'";
}

/// How an attempt stands that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The process that has it has not said anything yet.
    None,
    /// It has left.
    Leaving,
    /// It was taken back, or has come to its end.
    Ended,
}

/// The attempt of a delivery that is under way, if one is.
pub async fn open(reader: &mut Reader, id: &DeliveryId) -> Result<Option<AttemptId>, Error> {
    Ok(on!(reader, OPEN, |sql, conn| {
        sqlx::query_scalar(sql).bind(id).fetch_optional(conn).await?
    }))
}

/// Asks the process that has an attempt to take it back; asking again changes nothing.
pub async fn ask(tx: &mut Tx, attempt: &AttemptId) -> Result<(), Error> {
    on!(tx, ASK, |sql, conn| {
        sqlx::query(sql).bind(attempt).execute(conn).await?;
    });
    Ok(())
}

/// What a process was asked to take back.
pub async fn asked(
    reader: &mut Reader,
    node: &NodeId,
) -> Result<Vec<(DeliveryId, AttemptId)>, Error> {
    Ok(on!(reader, ASKED, |sql, conn| sqlx::query_as(sql).bind(node).fetch_all(conn).await?))
}

/// Answers that an attempt has left.
pub async fn refuse(tx: &mut Tx, attempt: &AttemptId) -> Result<(), Error> {
    on!(tx, REFUSE, |sql, conn| {
        sqlx::query(sql).bind(attempt).execute(conn).await?;
    });
    Ok(())
}

/// What was answered about an attempt.
pub async fn answer(reader: &mut Reader, attempt: &AttemptId) -> Result<Answer, Error> {
    let row: Option<(AttemptOutcome, Option<String>)> = on!(reader, ANSWER, |sql, conn| {
        sqlx::query_as(sql).bind(attempt).fetch_optional(conn).await?
    });
    Ok(match row {
        Some((AttemptOutcome::Open, Some(word))) if word == "leaving" => Answer::Leaving,
        Some((AttemptOutcome::Open, _)) => Answer::None,
        Some(_) | None => Answer::Ended,
    })
}

/// Takes a guarded delivery back that the gate has stopped: its attempt is closed as withdrawn and
/// does not count, the delivery is scheduled again, its job queued for `again`. False when the attempt
/// had ended already. What it was charged the caller gives back, after the last that is withdrawn.
///
/// The attempt is the one that was open *before* the gate was asked. Whichever is open now may be
/// another one, guarded since, which nobody has stopped and which is going to leave.
pub async fn withdraw(
    tx: &mut Tx,
    (id, attempt): (&DeliveryId, &AttemptId),
    now: Timestamp,
    again: Timestamp,
) -> Result<bool, Error> {
    let key = work::publish_key(id);
    on!(tx, LOCK_JOB, |sql, conn| {
        sqlx::query(sql).bind(&key).fetch_optional(conn).await?;
    });
    let closed = on!(tx, CLOSE_WITHDRAWN, |sql, conn| {
        sqlx::query(sql).bind(attempt).bind(At(now)).execute(conn).await?.rows_affected()
    });
    if closed == 0 {
        return Ok(false);
    }
    on!(tx, BACK_TO_SCHEDULED, |sql, conn| {
        sqlx::query(sql).bind(id).bind(At(now)).execute(conn).await?;
    });
    jobs::requeue(tx, &key, again).await?;
    Ok(true)
}
