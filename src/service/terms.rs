//! The terms of files: set them, and hold what is planned against them.
//!
//! Setting them is answered only when nothing that they forbid can begin to leave any more, on any node.
//! Why they are the content's: `docs/decisions/0037-terms-are-the-contents.md`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::holds::InFlight;
use super::plan::Plan;
use super::recall;
use super::warning::Warning;
use super::{Caller, Done, Error, Services, finish, permit};
use crate::domain::fault::Fault;
use crate::domain::id::{DeliveryId, MediaId};
use crate::domain::policy::{Action, Subject};
use crate::domain::terms::{Barred, Terms};
use crate::domain::variant::Content;
use crate::domain::work;
use crate::store::{Reader, jobs, media, publishing, terms};

/// The most deliveries that an answer lists.
const MOST: usize = 200;

/// Terms that stand: nothing that they forbid begins to leave any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TermsSet {
    /// The terms of the file, under whichever id it was handed in.
    pub terms: Terms,
    /// Deliveries with the file that they do not let go at their instant, by that; at most 200. What is
    /// under embargo goes out at its end, if that is before `publish_by`.
    pub stopped: Vec<DeliveryId>,
    /// How many those are.
    pub stopped_count: usize,
    /// What had begun to leave before.
    pub in_flight: Vec<InFlight>,
}

/// Sets the terms of a file in the place of those before.
pub async fn set(
    services: &Services,
    caller: &Caller,
    id: &MediaId,
    new: Terms,
) -> Result<Done<TermsSet>, Error> {
    permit(caller, Action::WriteMedia, Subject::Any)?;
    let new = new.settle().map_err(Error::Invalid)?;
    let mut tx = services.store.begin().await?;
    // Before anything else: every later guard sees these terms, and what earlier ones have let through
    // is found below.
    publishing::stand_still(&mut tx).await?;
    let media = media::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    super::media::answers_for(&mut tx, caller, &media).await?;
    let now = services.clock.now();
    terms::set(&mut tx, &media.sha256, &new, &caller.actor.person_id, now).await?;
    let mut stopped = terms::stopped(&mut tx, &media.sha256).await?;
    // The guard says at once what each waits for from now on.
    let held = terms::held(&mut tx, &media.sha256).await?;
    let held: Vec<String> = held.iter().map(work::publish_key).collect();
    jobs::move_all_queued(&mut tx, &held, now).await?;
    let detail = json!({"sha256": media.sha256, "before": media.terms, "after": new,
                        "stopped": stopped.len()});
    let entry = caller.entry("media.terms", id, detail);
    let stopped_count = stopped.len();
    stopped.truncate(MOST);
    let set = TermsSet { terms: new, stopped, stopped_count, in_flight: Vec::new() };
    let mut done = finish(services, caller, tx, set, &[entry]).await?;
    services.queue.look_again();
    done.value.in_flight = taken_back(services, &media.sha256).await?;
    Ok(done)
}

/// Takes back what was guarded before the terms stood and has not left; tells what had.
async fn taken_back(services: &Services, sha256: &str) -> Result<Vec<InFlight>, Error> {
    let under_way = terms::under_way(&mut services.store.read().await?, sha256).await?;
    recall::stop(services, under_way).await
}

/// Every file of a content, in all its parts.
fn files(content: &Content) -> impl Iterator<Item = &str> {
    let thread = content.thread.iter().flat_map(|part| &part.media);
    content.media.iter().chain(thread).map(|file| file.sha256.as_str())
}

/// Holds what is planned against the terms of its files: what may not be shown at its instant is a fault,
/// somebody who is not named a warning.
pub(super) async fn judge(reader: &mut Reader, plan: &mut Plan) -> Result<(), Error> {
    let used: BTreeSet<&str> = plan.ready.iter().flat_map(|one| files(&one.row.content)).collect();
    if used.is_empty() {
        return Ok(());
    }
    let known = terms::of(reader, &used).await?;
    if known.is_empty() {
        return Ok(());
    }
    let mut faults = Vec::new();
    for one in plan.ready.iter().filter(|one| one.row.part.number == 1) {
        let pointer = format!("/deliveries/{}", one.place);
        let own = own(&known, &one.row.content);
        faults.extend(own.iter().filter_map(|it| fault(it, one.row.due_at, &pointer)));
        let unnamed: BTreeSet<&str> =
            own.iter().filter_map(|it| it.unnamed(&one.row.content)).collect();
        plan.warnings.extend(unnamed.into_iter().map(|credit| {
            let detail = format!("the text does not name {credit}, as the terms of the media want");
            Warning::new(&pointer, "credit_missing", detail).with("credit", credit)
        }));
    }
    plan.ready.retain(|one| {
        own(&known, &one.row.content).iter().all(|it| it.barred(one.row.due_at).is_none())
    });
    faults.dedup();
    plan.faults.extend(faults);
    Ok(())
}

fn own<'a>(known: &'a BTreeMap<String, Terms>, content: &Content) -> Vec<&'a Terms> {
    let used: BTreeSet<&str> = files(content).collect();
    used.into_iter().filter_map(|file| known.get(file)).collect()
}

/// Why a delivery may not be given this instant.
pub(super) async fn time_faults(
    reader: &mut Reader,
    id: &DeliveryId,
    due_at: Timestamp,
    pointer: &str,
) -> Result<Vec<Fault>, Error> {
    let own = terms::of_delivery(reader, id).await?;
    Ok(own.iter().filter_map(|it| fault(it, due_at, pointer)).collect())
}

fn fault(terms: &Terms, due_at: Timestamp, pointer: &str) -> Option<Fault> {
    Some(match terms.barred(due_at)? {
        Barred::Embargo(until) => {
            let detail = format!("a picture or video of it may not be shown before {until}");
            Fault::new(pointer, "media_embargoed", detail).with("until", until)
        }
        Barred::Ended(until) => {
            let detail = format!("the licence of a picture or video of it ends at {until}");
            Fault::new(pointer, "media_licence_ended", detail).with("until", until)
        }
    })
}
