//! Taking back what is guarded, here or on another node: either it never begins to leave, or it is said
//! that it has.

use std::time::Duration;

use futures_util::future::join_all;

use jiff::Timestamp;

use super::holds::InFlight;
use super::{Error, Services, Told};
use crate::config::Place;
use crate::domain::id::{AccountId, AttemptId, DeliveryId};
use crate::domain::work;
use crate::queue::Recall;
use crate::store::recalls::{self, Answer};

/// How often it is asked what the other node has answered.
const LOOK: Duration = Duration::from_millis(20);

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Back {
    /// This process has it and does not send it; this attempt may be withdrawn, if it is still open.
    Here(AttemptId),
    /// Another process had it and has written down that it does not send it, or it has come to its end.
    Ended,
    /// It is on its way.
    Leaving,
}

/// Takes back what is guarded of these and has not left, and tells what had left before. Whatever stops them must
/// be committed: none of them is guarded again while that stands.
pub(super) async fn stop(
    services: &Services,
    guarded: Vec<(DeliveryId, AccountId, Timestamp)>,
) -> Result<Vec<InFlight>, Error> {
    // All at once: one node that does not answer keeps no other from being asked.
    let asked = guarded.into_iter().map(async |(delivery_id, account_id, since)| {
        let back = take_back(services, &delivery_id).await;
        (back, InFlight { delivery_id, account_id, since })
    });
    let mut in_flight = Vec::new();
    for (back, one) in join_all(asked).await {
        match back? {
            // Whoever had it writes that down, and the guard says what it waits for.
            Back::Here(_) | Back::Ended => {}
            Back::Leaving => in_flight.push(one),
        }
    }
    Ok(in_flight)
}

/// Takes back a delivery that is guarded. An answer that does not come in time is
/// [`Error::Unfinished`]: the delivery may go out.
pub(super) async fn take_back(services: &Services, id: &DeliveryId) -> Result<Back, Error> {
    // Before the gate is asked: what is open afterwards may have been guarded since.
    let open = recalls::open(&mut services.store.read().await?, id).await?;
    let Some(attempt) = open else { return Ok(Back::Ended) };
    match services.queue.gate().recall(&work::publish_key(id)) {
        Recall::Taken => return Ok(Back::Here(attempt)),
        Recall::Leaving => return Ok(Back::Leaving),
        Recall::NotHere => {}
    }
    if matches!(services.config.database.place, Place::Sqlite(_)) {
        // Nobody else can have it: it has ended and is being written down.
        return Ok(Back::Leaving);
    }
    let mut tx = services.store.begin().await?;
    recalls::ask(&mut tx, &attempt).await?;
    tx.commit().await?;
    let clock = &services.clock;
    let patience = clock.elapsed() + services.config.server.request_timeout / 2;
    loop {
        match recalls::answer(&mut services.store.read().await?, &attempt).await? {
            Answer::Leaving => return Ok(Back::Leaving),
            Answer::Ended => return Ok(Back::Ended),
            Answer::None if clock.elapsed() >= patience => {
                let detail = "another node has not said yet whether it sends it; look at the delivery \
                              and ask again";
                let told = Told::new("recall_unconfirmed", detail);
                return Err(Error::Unfinished(told.member("delivery_id", id.as_str())));
            }
            Answer::None => clock.sleep(LOOK).await,
        }
    }
}
