//! Copies of what is offered: they follow it for as long as their unit has not changed them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::{hearers, told_of};
use crate::domain::audit::NewEntry;
use crate::domain::fault::Fault;
use crate::domain::id::PostId;
use crate::domain::kit::{Field, Offer, OfferState, Rule, merge};
use crate::domain::post::{Post, content_hash};
use crate::domain::translation::{self, Before, Translation};
use crate::domain::variant::Variant;
use crate::service::plan::Plan;
use crate::service::posts::{followed, unapprove};
use crate::service::{Caller, Error, Services};
use crate::store::deliveries::Delivery;
use crate::store::{self, Reader, Tx, deliveries, kits, translations, units, variants};

/// A post with the copies that would follow it.
pub(in crate::service) async fn with_copies(
    services: &Services,
    id: &PostId,
) -> Result<Vec<PostId>, Error> {
    let copies = kits::copies(&mut services.store.read().await?, id).await?;
    let copies = copies.into_iter().filter_map(|one| one.post_id);
    Ok(std::iter::once(id.clone()).chain(copies).collect())
}

/// Writes into a copy what has changed in what is offered, but for what its unit says otherwise. False where that
/// cannot be: one of its deliveries is leaving, or what it is made from is not proofed.
pub(super) async fn take_over(
    tx: &mut Tx,
    caller: &Caller,
    offer: &mut Offer,
    mut copy: Post,
    (revision, offered): (i64, &[Variant]),
    now: Timestamp,
) -> Result<bool, Error> {
    let says = variants::of_posts(tx, &[&copy.id]).await?.remove(&copy.id).unwrap_or_default();
    let merged = merge(&offer.base, offered, &says, &copy.source_language);
    let mut after: Vec<Variant> = merged
        .into_iter()
        .map(|(language, content)| {
            let content_hash = content.hash(&language);
            let same = says.iter().find(|old| old.content_hash == content_hash);
            let revision = same.map_or(copy.revision + 1, |old| old.revision);
            let translation = Translation::source(revision, &content_hash);
            Variant { language, content, content_hash, revision, translation }
        })
        .collect();
    // What nobody has proofed cannot be what a copy's own translations are made from.
    let source = translation::of(offered, &copy.source_language);
    if source.is_some_and(|it| !it.translation.status.goes_out())
        || !translate(tx, caller, (&copy, &says), offered, &mut after).await?
    {
        return Ok(false);
    }
    let hash = content_hash(copy.class, &copy.source_language, &after);
    if hash != copy.content_hash {
        let was = copy.clone();
        copy.content_hash = hash;
        copy.updated_at = now;
        if !store::posts::update(tx, &copy, now).await? {
            return Ok(false);
        }
        unapprove(tx, caller, &copy, now).await?;
        variants::replace(tx, &copy.id, &after, now, rand::random).await?;
        copy.revision += 1;
        let told = followed(tx, caller, (&was, &says), (&copy, &after), now).await?;
        store::audit::append(tx, &Vec::from_iter(told), now);
        store::series::hasten(tx, &copy.id, now).await?;
    }
    offer.base = offered.iter().map(|it| (it.language.clone(), it.content.clone())).collect();
    offer.base_revision = Some(revision);
    offer.state = offer.standing(&after);
    Ok(true)
}

/// How the texts of a copy came from its source: as in a post of its own, but for what is not proofed in what is
/// offered, which nobody has proofed in the copy either.
async fn translate(
    tx: &mut Tx,
    caller: &Caller,
    (copy, says): (&Post, &[Variant]),
    offered: &[Variant],
    after: &mut [Variant],
) -> Result<bool, Error> {
    let unproofed = translations::unproofed(tx, &copy.id).await?;
    let source_language = copy.source_language.as_str();
    let before = Before { variants: says, source_language, unproofed: &unproofed };
    let (me, mut faults) = (&caller.actor.person_id, Vec::new());
    translation::carry(after, &[], source_language, before, me, &mut faults);
    if !faults.is_empty() {
        return Ok(false);
    }
    let source = translation::of(offered, source_language);
    for one in after.iter_mut().filter(|one| one.language != source_language) {
        let is_new = says.iter().all(|old| old.content_hash != one.content_hash);
        let theirs = translation::of(offered, &one.language).filter(|_| is_new);
        let Some(theirs) = theirs else { continue };
        if theirs.is_stale(source) {
            one.translation.source_hash.clone_from(&theirs.translation.source_hash);
        }
        if !theirs.translation.status.goes_out() {
            one.translation.status = theirs.translation.status;
        }
    }
    Ok(true)
}

/// What is offered says something else now: copies that their units have not changed say it too from here on, and
/// all units that have copies are told. What was scheduled of them is not touched.
pub(in crate::service) async fn flow(
    tx: &mut Tx,
    caller: &Caller,
    source: &Post,
    offered: &[Variant],
    now: Timestamp,
) -> Result<Vec<NewEntry>, Error> {
    let copies: Vec<PostId> =
        kits::copies(tx, &source.id).await?.into_iter().filter_map(|one| one.post_id).collect();
    if copies.is_empty() {
        return Ok(Vec::new());
    }
    kits::lock_copies(tx, &copies.iter().collect::<Vec<_>>()).await?;
    // Anew: somebody may have changed his copy while it was waited for.
    let offers = kits::copies(tx, &source.id).await?;
    let hear = hearers(tx, &offers, now).await?;
    let mut entries = Vec::new();
    for mut offer in offers {
        let Some(id) = offer.post_id.clone() else { continue };
        let Some(copy) = store::posts::find(tx, &id).await? else { continue };
        let was = offer.state;
        let followed = was == OfferState::Accepted
            && take_over(tx, caller, &mut offer, copy, (source.revision, offered), now).await?;
        if followed {
            if !kits::answer(tx, &offer, was).await? {
                return Err(Error::Busy);
            }
            let detail = json!({"offer": offer.id, "revision": source.revision});
            entries.push(caller.entry("post.follow", &id, detail));
        }
        let stale = deliveries::stale(tx, &[&id]).await?.remove(&id).unwrap_or_default();
        let owners = hear.get(&offer.unit_id).cloned().unwrap_or_default();
        let more = json!({
            "revision": source.revision, "followed": followed, "stale_deliveries": stale,
        });
        entries.push(told_of("kit.corrected", &offer, &source.title, &owners, more));
    }
    Ok(entries)
}

/// Notes how a copy stands that its unit has changed; whoever offered it is told that it was adapted.
pub(in crate::service) async fn edited(
    tx: &mut Tx,
    mut offer: Offer,
    (title, copy): (&str, &[Variant]),
) -> Result<Option<NewEntry>, Error> {
    let was = offer.state;
    offer.state = offer.standing(copy);
    if offer.state == was {
        return Ok(None);
    }
    if !kits::answer(tx, &offer, was).await? {
        return Err(Error::Stale);
    }
    if offer.state != OfferState::Adapted {
        return Ok(None);
    }
    Ok(Some(answered(tx, "kit.adapted", &offer, title, json!({})).await?))
}

/// What whoever offered it is told, with the name of the unit.
pub(super) async fn answered(
    reader: &mut Reader,
    action: &str,
    offer: &Offer,
    title: &str,
    more: serde_json::Value,
) -> Result<NewEntry, Error> {
    let unit = units::find(reader, &offer.unit_id).await?.map(|it| it.name.vi).unwrap_or_default();
    let owners = [offer.kit.created_by.clone()];
    Ok(told_of(action, offer, &format!("{title} – {unit}"), &owners, more))
}

/// Whether deliveries of a copy are as they were asked for: what has to be said otherwise is, and the time is the
/// one that was said.
pub(in crate::service) async fn check_plan(
    reader: &mut Reader,
    post: Option<&PostId>,
    copy: &[Variant],
    plan: &mut Plan,
) -> Result<(), Error> {
    let Some(post) = post else { return Ok(()) };
    let Some(offer) = kits::of_copy(reader, post).await? else { return Ok(()) };
    for one in plan.ready.iter().filter(|one| one.row.part.number == 1) {
        let pointer = format!("/deliveries/{}", one.place);
        let says = copy.iter().find(|it| it.language == one.row.language);
        for field in says.map(|it| offer.unchanged(it)).unwrap_or_default() {
            plan.faults.push(unchanged(&pointer, field));
        }
        let zone = &one.account.time_zone;
        plan.faults.extend(check_time(&offer, one.row.due_at, zone, &pointer));
    }
    Ok(())
}

/// The same of one that is given another time.
pub(in crate::service) async fn check_move(
    reader: &mut Reader,
    delivery: &Delivery,
    due_at: Timestamp,
) -> Result<(), Error> {
    let Some(offer) = kits::of_copy(reader, &delivery.post_id).await? else { return Ok(()) };
    match check_time(&offer, due_at, &delivery.account_zone, "") {
        Some(fault) => Err(Error::Invalid(vec![fault])),
        None => Ok(()),
    }
}

fn check_time(offer: &Offer, due_at: Timestamp, zone: &str, pointer: &str) -> Option<Fault> {
    let local = offer.kit.local?;
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let same = due_at.to_zoned(zone).datetime() == local.date.to_datetime(local.time);
    match offer.kit.fields.time {
        Rule::MustNot if !same => {
            let wall = local.date.to_datetime(local.time);
            let detail =
                format!("it goes out at {wall} where the account is: units do not change that");
            Some(Fault::new(pointer, "kit_time_fixed", detail).with("value", wall))
        }
        Rule::Must if same => Some(unchanged(pointer, Field::Time)),
        Rule::MustNot | Rule::Must | Rule::May => None,
    }
}

fn unchanged(pointer: &str, field: Field) -> Fault {
    let detail =
        format!("the {field} must be the unit's own before it goes out; it is as it was offered");
    Fault::new(pointer, "kit_unchanged", detail).with("field", field)
}
