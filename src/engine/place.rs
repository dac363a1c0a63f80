//! Where posts stand: under what a part of a post goes, who waits for it, and where people find a post.

use jiff::Timestamp;

use crate::domain::attempt::Receipt;
use crate::domain::id::DeliveryId;
use crate::domain::variant::Content;
use crate::platforms::outcome::Lookup;
use crate::platforms::session::Place;
use crate::store::publishing::Prepared;
use crate::store::{Error, Tx, parts};

/// What a delivery says: its part of the whole.
pub(super) fn said(prepared: &Prepared) -> Option<Content> {
    serde_json::from_value::<Content>(prepared.content.clone()).ok()?.part(prepared.part)
}

/// Where a delivery stands if it is out; or what is known of it without a look.
pub(super) fn placed(prepared: &Prepared) -> Result<Place, Lookup> {
    let Some(before) = &prepared.before else { return Ok(Place::First) };
    if let Some(id) = &before.remote_id {
        return Ok(Place::Under(id.clone()));
    }
    if !before.state.may_be_out() {
        // Nothing stands below what is not there.
        return Err(Lookup::Absent);
    }
    let detail = format!("the part before it is {}, which is settled first", before.state);
    Err(Lookup::CannotSee { detail, until: None })
}

/// These are out: what follows one of them is looked at now.
pub(super) async fn wake<'a>(
    tx: &mut Tx,
    out: impl Iterator<Item = &'a Prepared>,
    now: Timestamp,
) -> Result<(), Error> {
    let followed = out.filter(|prepared| prepared.part < prepared.parts);
    let ids: Vec<&DeliveryId> = followed.map(|prepared| &prepared.delivery_id).collect();
    parts::wake(tx, &ids, now).await
}

/// Where a person finds these posts.
pub(super) fn places(receipts: &[Receipt]) -> String {
    let place = |one: &Receipt| match &one.permalink {
        Some(link) => format!("{} ({link})", one.remote_id),
        None => one.remote_id.clone(),
    };
    receipts.iter().map(place).collect::<Vec<_>>().join(", ")
}
