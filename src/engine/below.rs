//! What stands below a post that is to be deleted goes first, last part first; but nothing that cannot be
//! deleted keeps what is above it from being taken down.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::entry;
use crate::clock::after as later;
use crate::domain::audit::NewEntry;
use crate::domain::delivery::{DeliveryState, Recall};
use crate::domain::id::{DeliveryId, JobId};
use crate::domain::work;
use crate::store::after::{self, Standing};
use crate::store::jobs::{self, Claimed, NewJob};
use crate::store::{Error, Tx, parts};

/// For so long a post waits for what may still be going out under it.
const PATIENCE: Duration = Duration::from_mins(5);

/// Those of these recalls that wait for what stands below them. What has come to stand there since the
/// wish is part of it.
pub(super) async fn first(
    tx: &mut Tx,
    wanted: &[(&Claimed, &Standing)],
    now: Timestamp,
    entries: &mut Vec<NewEntry>,
) -> Result<HashSet<DeliveryId>, Error> {
    let by_id: HashMap<&DeliveryId, (&Claimed, &Recall)> =
        wanted.iter().filter_map(|(job, it)| Some((&it.id, (*job, it.recall.as_ref()?)))).collect();
    let ids: Vec<DeliveryId> = by_id.keys().map(|id| (*id).clone()).collect();
    let mut waiting = HashSet::new();
    for next in parts::next(tx, &ids).await? {
        let Some((job, wish)) = by_id.get(&next.follows) else { continue };
        let waits = match next.state {
            DeliveryState::Published if next.recalled => !next.stuck,
            DeliveryState::Published => {
                entries.push(inherit(tx, &next.id, (job, wish), now).await?);
                true
            }
            DeliveryState::Publishing | DeliveryState::Unknown => {
                now < later(wish.asked_at, PATIENCE)
            }
            DeliveryState::Draft
            | DeliveryState::PendingApproval
            | DeliveryState::Scheduled
            | DeliveryState::NeedsHuman
            | DeliveryState::Held
            | DeliveryState::Missed
            | DeliveryState::Failed
            | DeliveryState::Cancelled
            | DeliveryState::Vanished
            | DeliveryState::Recalled => false,
        };
        if waits {
            waiting.insert(next.follows);
        }
    }
    Ok(waiting)
}

/// The wish is for this one too.
async fn inherit(
    tx: &mut Tx,
    id: &DeliveryId,
    (above, wish): (&Claimed, &Recall),
    now: Timestamp,
) -> Result<NewEntry, Error> {
    let fresh = Recall { tries: 0, problem: None, told_at: None, missed_at: None, ..wish.clone() };
    after::ask(tx, id, &fresh, now).await?;
    let job = NewJob {
        id: JobId::new(now, rand::random()),
        kind: work::RECALL,
        unique_key: work::recall_key(id),
        slot: above.slot.clone(),
        payload: json!(work::Recall { delivery_id: id.clone() }),
        priority: above.priority,
        due_at: now,
    };
    jobs::enqueue(tx, &[job], now).await?;
    Ok(entry("delivery.recall", id, json!({"reason": wish.reason, "asked_by": wish.asked_by})))
}
