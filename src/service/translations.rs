//! Translations: who moves a variant on, who says that it is still right, and who is told when it may not be.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::approvals::told_of;
use super::posts::{PostView, see, stands_in_the_way, views};
use super::{Caller, Done, Error, Services, Told, finish, permit};
use crate::clock::after;
use crate::domain::audit::NewEntry;
use crate::domain::id::PostId;
use crate::domain::policy::{Action, Subject};
use crate::domain::post::Post;
use crate::domain::translation::{self, VariantStatus};
use crate::domain::variant::{self, Variant};
use crate::domain::work;
use crate::store::{Reader, Tx, jobs, posts, publishing, series, translations, variants};

/// How often what waits for a proof is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_mins(1);

/// Where a variant stands from now on.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Moving {
    /// `machine`, `in_translation`, `in_editing` or `proofed`.
    pub status: VariantStatus,
}

/// That a variant is right although its source has changed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct StillRight {
    /// The `revision` of the source's variant with which it was compared.
    pub source_revision: i64,
}

/// A post that somebody works on, as it was seen.
struct Opened {
    tx: Tx,
    post: Post,
    /// The variant that it is about.
    one: Variant,
    /// Its place among the variants.
    place: usize,
    /// The others, with the source among them.
    others: Vec<Variant>,
}

/// Moves a variant on its way.
pub async fn move_on(
    services: &Services,
    caller: &Caller,
    (id, language): (&PostId, &str),
    seen: Option<i64>,
    wanted: Moving,
) -> Result<Done<PostView>, Error> {
    permit(caller, Action::WriteVariants, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let next = wanted.status;
    let mut tx = services.store.begin().await?;
    if !next.goes_out() {
        // Nobody is guarding it any more from here on.
        publishing::stand_still(&mut tx).await?;
    }
    let mut opened = open(tx, caller, (id, language), seen).await?;
    let was = opened.one.translation.status;
    check_next(caller, &opened, next)?;
    let me = &caller.actor.person_id;
    let translation = &mut opened.one.translation;
    translation.status = next;
    match next {
        VariantStatus::Machine => translation.translator = None,
        VariantStatus::InTranslation => translation.translator = Some(me.clone()),
        VariantStatus::InEditing => translation.editor = Some(me.clone()),
        VariantStatus::Missing
        | VariantStatus::Draft
        | VariantStatus::Proofed
        | VariantStatus::Approved => {}
    }
    if next == VariantStatus::Proofed {
        translations::let_pass(&mut opened.tx, id, &opened.one).await?;
    }
    let one = &opened.one;
    let detail = json!({
        "language": one.language, "from": was, "to": next, "content_hash": one.content_hash,
    });
    opened.close(services, caller, "variant.move", detail).await
}

/// Says that a variant is right although its source has changed: for the source as it was compared, and no
/// later one.
pub async fn still_right(
    services: &Services,
    caller: &Caller,
    (id, language): (&PostId, &str),
    seen: Option<i64>,
    said: StillRight,
) -> Result<Done<PostView>, Error> {
    permit(caller, Action::WriteVariants, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let tx = services.store.begin().await?;
    let mut opened = open(tx, caller, (id, language), seen).await?;
    let source = opened.source()?.clone();
    if said.source_revision != source.revision {
        let detail = "the source has changed since: compare with it as it is now, and say that";
        let told = Told::new("source_changed", detail).with("revision", source.revision);
        return Err(Error::Conflict(told.member("source_revision", source.revision)));
    }
    let made_from = opened.one.translation.made_from;
    opened.one.translation.follow(&source);
    let one = &opened.one;
    let detail = json!({
        "language": one.language, "content_hash": one.content_hash, "made_from": made_from,
        "source_revision": source.revision, "source_hash": source.content_hash,
    });
    opened.close(services, caller, "variant.still_right", detail).await
}

/// The post with the variant that somebody works on; the source is none of those.
async fn open(
    mut tx: Tx,
    caller: &Caller,
    (id, language): (&PostId, &str),
    seen: Option<i64>,
) -> Result<Opened, Error> {
    let post = see(&mut tx, caller, Action::WriteVariants, id).await?;
    if seen.is_some_and(|seen| seen != post.revision) {
        return Err(Error::Stale);
    }
    let mut others = variants::of_posts(&mut tx, &[id]).await?.remove(id).unwrap_or_default();
    let tag = variant::language(language);
    let place = others.iter().position(|one| Some(&one.language) == tag.as_ref());
    let place = place.ok_or(Error::NotFound)?;
    if tag.as_ref() == Some(&post.source_language) {
        let detail = "this is the source: it is written, and made from no other variant";
        return Err(Error::Conflict(Told::new("source_not_translated", detail)));
    }
    let one = others.remove(place);
    Ok(Opened { tx, post, one, place, others })
}

impl Opened {
    fn source(&self) -> Result<&Variant, Error> {
        translation::of(&self.others, &self.post.source_language).ok_or(Error::NotFound)
    }

    /// Writes it down; the post has another revision by it, and says the same.
    async fn close(
        mut self,
        services: &Services,
        caller: &Caller,
        action: &str,
        detail: serde_json::Value,
    ) -> Result<Done<PostView>, Error> {
        let now = services.clock.now();
        let proofed = self.one.translation.status == VariantStatus::Proofed;
        self.others.insert(self.place, self.one);
        let (tx, id, variants) = (&mut self.tx, &self.post.id, &self.others);
        if !posts::update(tx, &self.post, now).await? {
            return Err(stands_in_the_way(tx, id, self.post.revision).await?);
        }
        variants::replace(tx, id, variants, now, rand::random).await?;
        translations::bar(tx, &[(id, variants)]).await?;
        translations::bar_copies(tx, id, variants).await?;
        series::hasten(tx, id, now).await?;
        if proofed {
            // What waits for it is looked at once a minute, and may be late by then.
            jobs::hasten(tx, work::PUBLISH, now, after(now, BETWEEN_LOOKS)).await?;
        }
        let post = posts::find(tx, id).await?.ok_or(Error::NotFound)?;
        let entry = caller.entry(action, id, detail);
        let view = views(tx, vec![post], now).await?.pop().ok_or(Error::NotFound)?;
        let done = finish(services, caller, self.tx, view, &[entry]).await?;
        services.queue.look_again();
        Ok(done)
    }
}

/// Whether a variant may be said to stand there next, and by whom.
fn check_next(caller: &Caller, opened: &Opened, next: VariantStatus) -> Result<(), Error> {
    let one = &opened.one;
    let kept = &one.translation;
    if !kept.status.may_become(next) {
        let detail = format!("a variant that is {} does not become {next}", kept.status);
        let told = Told::new("status_not_next", detail);
        return Err(Error::Conflict(told.with("from", kept.status).with("to", next)));
    }
    if next != VariantStatus::Proofed {
        return Ok(());
    }
    if kept.translator.as_ref() == Some(&caller.actor.person_id) {
        let detail = "whoever has translated a variant does not proof it: another person must";
        return Err(Error::Forbidden(Told::new("own_translation", detail)));
    }
    if one.is_stale(Some(opened.source()?)) {
        return Err(is_stale(&[one.language.as_str()]));
    }
    Ok(())
}

fn is_stale(languages: &[&str]) -> Error {
    let there = languages.join(", ");
    let detail = format!(
        "the source has changed since {there} was made from it: change it, or say that it is still right"
    );
    let told = Told::new("variant_stale", detail).with("languages", &there);
    Error::Conflict(told.member("languages", languages.to_vec()))
}

/// Nobody says yes to what no longer agrees with its source.
pub(super) async fn check_fresh(reader: &mut Reader, post: &Post) -> Result<(), Error> {
    let id = &post.id;
    let variants = variants::of_posts(reader, &[id]).await?.remove(id).unwrap_or_default();
    match translation::stale(&variants, &post.source_language).as_slice() {
        [] => Ok(()),
        stale => Err(is_stale(stale)),
    }
}

/// That variants are stale by a change of the source: for those who made them, and who have planned what is
/// still to go out in their languages.
pub(super) async fn told(
    reader: &mut Reader,
    caller: &Caller,
    post: &Post,
    stale: &[&Variant],
) -> Result<Option<NewEntry>, Error> {
    if stale.is_empty() {
        return Ok(None);
    }
    let coming = translations::coming(reader, &post.id).await?;
    let (mut owners, mut deliveries) = (BTreeSet::new(), Vec::new());
    for one in stale {
        let kept = &one.translation;
        owners.extend(kept.translator.iter().chain(&kept.editor).map(ToString::to_string));
        for (id, by) in coming.get(&one.language).into_iter().flatten() {
            owners.insert(by.clone());
            deliveries.push(id.clone());
        }
    }
    owners.remove(caller.actor.person_id.as_str());
    let detail = json!({
        "post_id": post.id, "unit_id": post.unit_id, "title": post.title, "owners": owners,
        "languages": stale.iter().map(|one| &one.language).collect::<Vec<_>>(),
        "deliveries": deliveries,
    });
    Ok(Some(told_of("variant.stale", &post.id, detail)))
}
