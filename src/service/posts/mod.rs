//! The acts on posts: write, change, remove, look.

mod body;
mod creating;
mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

pub use body::{
    MediaRef, MediaView, NewPost, NewVariant, PostChange, PostView, ThreadPart, ThreadPartView,
    VariantView,
};
pub(super) use creating::Creating;
use creating::Creation;

use super::approvals::{self, ApprovalsView};
use super::term_base::Terms;
use super::{
    Caller, Done, Error, Page, Services, Told, Window, all_well, campaigns, embargoes, kits,
    permit, same_answer,
};
use crate::domain::audit::NewEntry;
use crate::domain::class::Class;
use crate::domain::delivery::WaitsFor;
use crate::domain::fault::Fault;
use crate::domain::id::{MediaId, PersonId, PostId, UnitId};
use crate::domain::kit::Offer;
use crate::domain::media::Media;
use crate::domain::parts::{Piece, PieceDraft};
use crate::domain::policy::{Action, Subject};
use crate::domain::post::{Post, PostDraft, content_hash};
use crate::domain::translation::{self, Before, Translation, Unproofed};
use crate::domain::unit::{Approval, Unit};
use crate::domain::variant::{Content, ContentMedia, MediaUse, Variant, VariantDraft};
use crate::store::{
    self, Reader, Tx, deliveries, media, posts, publishing, translations, units, variants,
};

/// Writes a post.
pub async fn create(
    services: &Services,
    caller: &Caller,
    new: NewPost,
) -> Result<Done<PostView>, Error> {
    permit(caller, Action::WritePosts, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let (post, variants, wanted, terms) = {
        let mut reader = services.store.read().await?;
        let (post, variants, wanted) = prepare(services, caller, &mut reader, new).await?;
        let terms = Terms::of_unit(services, &mut reader, &post.unit_id).await?;
        (post, variants, wanted, terms)
    };
    let fresh = ApprovalsView::fresh(wanted);
    let warnings = terms.warnings(&post.source_language, &variants);
    let view = PostView::new(post.clone(), &variants, Vec::new(), fresh).told(warnings);
    let answer = serde_json::to_value(&view).map_err(Error::internal)?;
    let creation = Creation {
        entry: created(caller, &post, &variants),
        post: Arc::new((post, variants)),
        claim: caller.claim(answer),
    };
    match (services.creating().submit(creation).await?, &caller.idempotency) {
        (Some(kept), Some(key)) => same_answer(key, kept),
        (Some(_), None) | (None, _) => Ok(Done { value: view, replayed: false }),
    }
}

/// A new post as it will be written, with the approval that its unit wants; or everything that is wrong with it.
pub(super) async fn prepare(
    services: &Services,
    caller: &Caller,
    reader: &mut Reader,
    new: NewPost,
) -> Result<(Post, Vec<Variant>, Approval), Error> {
    let unit_id = new.unit_id.clone();
    let draft = new.settle().map_err(Error::Invalid)?;
    let now = services.clock.now();
    let unit = units::find(reader, &unit_id).await?;
    let unit = unit.filter(|unit| caller.actor.sees_unit(&unit.id));
    if unit.is_some() {
        permit(caller, Action::WritePosts, Subject::Unit(&unit_id))?;
    }
    let mut faults: Vec<Fault> =
        open_unit(unit.as_ref(), &unit_id, now).err().into_iter().collect();
    let campaign = draft.campaign_id.as_deref();
    faults.extend(campaigns::check_reference(reader, &caller.actor, campaign).await?);
    let files = files(reader, &draft.variants).await?;
    let unproofed = Unproofed::new();
    let source_language = draft.source_language.as_str();
    let before = Before { variants: &[], source_language, unproofed: &unproofed };
    let me = &caller.actor.person_id;
    let variants =
        settled(draft.variants.clone(), source_language, &files, (1, before), me, &mut faults);
    all_well(faults)?;
    let wanted = unit.map_or(Approval::Two, |unit| unit.approval);
    Ok((compose(services, caller, unit_id, draft, &variants), variants, wanted))
}

/// What the audit is told of a new post.
pub(super) fn created(caller: &Caller, post: &Post, variants: &[Variant]) -> NewEntry {
    let detail = json!({
        "unit_id": post.unit_id, "class": post.class, "content_hash": post.content_hash,
        "languages": variants.iter().map(|one| &one.language).collect::<Vec<_>>(),
    });
    caller.entry("post.create", &post.id, detail)
}

/// The unit is there and open, or what is wrong with naming it.
pub(super) fn open_unit<'a>(
    unit: Option<&'a Unit>,
    id: &UnitId,
    now: jiff::Timestamp,
) -> Result<&'a Unit, Fault> {
    let Some(unit) = unit else {
        let detail = format!("there is no unit {id}");
        return Err(Fault::new("/unit_id", "unknown_reference", detail).with("value", id));
    };
    if unit.is_closed(now) {
        let detail = "the unit is closed and publishes nothing any more";
        return Err(Fault::new("/unit_id", "unit_closed", detail));
    }
    Ok(unit)
}

fn compose(
    services: &Services,
    caller: &Caller,
    unit_id: UnitId,
    draft: PostDraft,
    variants: &[Variant],
) -> Post {
    let now = services.clock.now();
    Post {
        id: PostId::new(now, services.random()),
        unit_id,
        campaign_id: draft.campaign_id,
        title: draft.title,
        content_hash: content_hash(draft.class, &draft.source_language, variants),
        class: draft.class,
        source_language: draft.source_language,
        wanted_languages: draft.wanted_languages,
        labels: draft.labels,
        revision: 1,
        created_by: caller.actor.person_id.to_string(),
        created_at: now,
        updated_at: now,
    }
}

/// The files that the variants use, as far as there are such files.
pub(super) async fn files(
    reader: &mut Reader,
    variants: &[VariantDraft],
) -> Result<BTreeMap<MediaId, Media>, Error> {
    let wanted: BTreeSet<MediaId> =
        variants.iter().flat_map(used).map(|one| one.media_id.clone()).collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted: Vec<MediaId> = wanted.into_iter().collect();
    let found = media::find_many(reader, &wanted).await?;
    Ok(found.into_iter().map(|one| (one.id.clone(), one)).collect())
}

/// The pictures of a variant in all its parts.
fn used(variant: &VariantDraft) -> impl Iterator<Item = &MediaUse> {
    variant.media.iter().chain(variant.thread.iter().flat_map(|piece| &piece.media))
}

/// The variants with what is known of their files, and how they came from the source. One whose content is
/// as it was `before` keeps the revision in which it got it.
pub(super) fn settled(
    drafts: Vec<VariantDraft>,
    source_language: &str,
    files: &BTreeMap<MediaId, Media>,
    (revision, before): (i64, Before<'_>),
    me: &PersonId,
    faults: &mut Vec<Fault>,
) -> Vec<Variant> {
    let said = translation::said(&drafts);
    let mut variants = Vec::with_capacity(drafts.len());
    for (place, draft) in drafts.into_iter().enumerate() {
        let pointer = format!("/variants/{place}");
        let media = with_files(draft.media, files, &pointer, faults);
        let mut thread = Vec::with_capacity(draft.thread.len());
        for (number, piece) in draft.thread.into_iter().enumerate() {
            let pointer = format!("{pointer}/thread/{number}");
            let media = with_files(piece.media, files, &pointer, faults);
            thread.push(Piece { text: piece.text, media });
        }
        let first_comment = draft.first_comment;
        let content = Content { text: draft.text, link: draft.link, media, thread, first_comment };
        let content_hash = content.hash(&draft.language);
        let same = before
            .variants
            .iter()
            .find(|old| old.language == draft.language && old.content_hash == content_hash);
        let revision = same.map_or(revision, |old| old.revision);
        let translation = Translation::source(revision, &content_hash);
        let language = draft.language;
        variants.push(Variant { language, content, content_hash, revision, translation });
    }
    translation::carry(&mut variants, &said, source_language, before, me, faults);
    variants
}

/// Pictures with what is known of their files.
fn with_files(
    pictures: Vec<MediaUse>,
    files: &BTreeMap<MediaId, Media>,
    pointer: &str,
    faults: &mut Vec<Fault>,
) -> Vec<ContentMedia> {
    let mut media = Vec::with_capacity(pictures.len());
    for (number, one) in pictures.into_iter().enumerate() {
        let Some(file) = files.get(&one.media_id) else {
            let pointer = format!("{pointer}/media/{number}/media_id");
            let detail = format!("there is no file {}", one.media_id);
            let fault = Fault::new(pointer, "unknown_reference", detail);
            faults.push(fault.with("value", one.media_id));
            continue;
        };
        media.push(ContentMedia {
            media_id: one.media_id,
            sha256: file.sha256.clone(),
            kind: file.kind,
            mime: file.mime.clone(),
            size_bytes: file.size_bytes,
            alt: one.alt,
            moving: file.moving(),
        });
    }
    media
}

/// Changes a post from the revision that the caller has seen; `None` for whatever it is now.
///
/// What was scheduled keeps what it says: the answer names the deliveries that now differ.
pub async fn change(
    services: &Services,
    caller: &Caller,
    id: &PostId,
    seen: Option<i64>,
    change: PostChange,
) -> Result<Done<PostView>, Error> {
    permit(caller, Action::WriteVariants, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let all = kits::with_copies(services, id).await?;
    let terms = Terms::of_post(services, id).await?;
    let mut tx = services.store.begin().await?;
    let machine = change.says_machine();
    if machine || approved(services, &all.iter().collect::<Vec<_>>(), now).await? {
        // Nobody is guarding what may not go out any more from here on.
        publishing::stand_still(&mut tx).await?;
    }
    // Whoever corrects what this is a copy of comes before or after.
    store::approvals::lock(&mut tx, id).await?;
    let mut post = see(&mut tx, caller, Action::WriteVariants, id).await?;
    let before = variants::of_posts(&mut tx, &[id]).await?.remove(id).unwrap_or_default();
    if seen.is_some_and(|seen| seen != post.revision) {
        return Err(Error::Stale);
    }
    let offer = store::kits::of_copy(&mut tx, id).await?;
    let (was, rewritten) = (post.clone(), change.variants.is_some());
    let draft = merge(&post, &before, change).map_err(Error::Invalid)?;
    let of = (&post, &before[..], offer.as_ref());
    let after = after(&mut tx, caller, of, &draft, rewritten).await?;
    rewrite(&mut post, draft, &after, now);
    embargoes::check_campaign(&mut tx, (&was, &post), now).await?;
    if touches_more(&was, &post, &before, &after) {
        permit(caller, Action::WritePosts, Subject::Unit(&post.unit_id))?;
    }
    if !posts::update(&mut tx, &post, now).await? {
        return Err(stands_in_the_way(&mut tx, id, post.revision).await?);
    }
    store::series::hasten(&mut tx, id, now).await?;
    if post.content_hash != was.content_hash {
        unapprove(&mut tx, caller, &post, now).await?;
    }
    post.revision += 1;
    variants::replace(&mut tx, id, &after, now, rand::random).await?;
    let new = after.len() != before.len() || after.iter().any(|it| it.revision == post.revision);
    let told = followed(&mut tx, caller, (&was, &before), (&post, &after), now).await?;
    let is = json!({"revision": post.revision, "content_hash": post.content_hash});
    let was = json!({"revision": was.revision, "content_hash": was.content_hash});
    let entry = caller.entry("post.change", id, json!({"before": was, "after": is}));
    let mut entries: Vec<_> = std::iter::once(entry).chain(told).collect();
    if new {
        entries.extend(kits::flow(&mut tx, caller, &post, &after, now).await?);
    }
    if let Some(offer) = offer.filter(|_| new) {
        entries.extend(kits::edited(&mut tx, offer, (&post.title, &after)).await?);
    }
    let stale = deliveries::stale(&mut tx, &[id]).await?.remove(id).unwrap_or_default();
    let how = approvals::of(&mut tx, &[&post], now).await?.remove(id).ok_or(Error::NotFound)?;
    let warnings = terms.warnings(&post.source_language, &after);
    let view = PostView::new(post, &after, stale, how).told(warnings);
    super::finish(services, caller, tx, view, &entries).await
}

/// The post as the draft has it, with what it says now.
fn rewrite(post: &mut Post, draft: PostDraft, after: &[Variant], now: jiff::Timestamp) {
    post.campaign_id = draft.campaign_id;
    post.title = draft.title;
    post.class = draft.class;
    post.content_hash = content_hash(draft.class, &draft.source_language, after);
    post.source_language = draft.source_language;
    post.wanted_languages = draft.wanted_languages;
    post.labels = draft.labels;
    post.updated_at = now;
}

/// What a post says in each language after a change; a copy of what another unit offers only within its rules.
async fn after(
    tx: &mut Tx,
    caller: &Caller,
    (post, variants, offer): (&Post, &[Variant], Option<&Offer>),
    draft: &PostDraft,
    rewritten: bool,
) -> Result<Vec<Variant>, Error> {
    let unproofed = translations::unproofed(tx, &post.id).await?;
    let source_language = post.source_language.as_str();
    let before = Before { variants, source_language, unproofed: &unproofed };
    let (me, mut faults) = (&caller.actor.person_id, Vec::new());
    if draft.campaign_id != post.campaign_id {
        let campaign = draft.campaign_id.as_deref();
        faults.extend(campaigns::check_reference(tx, &caller.actor, campaign).await?);
    }
    let after = if rewritten {
        let files = files(tx, &draft.variants).await?;
        let (drafts, next) = (draft.variants.clone(), (post.revision + 1, before));
        settled(drafts, &draft.source_language, &files, next, me, &mut faults)
    } else {
        let mut after = variants.to_vec();
        translation::carry(&mut after, &[], &draft.source_language, before, me, &mut faults);
        after
    };
    faults.extend(offer.map(|offer| offer.check(&after)).unwrap_or_default());
    all_well(faults)?;
    Ok(after)
}

/// Whether a change concerns more than translations and the languages in which there are any.
fn touches_more(was: &Post, is: &Post, before: &[Variant], after: &[Variant]) -> bool {
    let said = |post: &Post, variants| {
        translation::of(variants, &post.source_language).map(|it: &Variant| it.content_hash.clone())
    };
    let rest = |post: &Post| {
        let of_others = (post.campaign_id.clone(), post.title.clone(), post.labels.clone());
        (of_others, post.class, post.source_language.clone(), post.wanted_languages.clone())
    };
    rest(was) != rest(is) || said(was, before) != said(is, after)
}

/// What follows from a change for the variants: what the source said is kept, what is not proofed may not go
/// out, and those are told whose translations are stale by it.
pub(super) async fn followed(
    tx: &mut Tx,
    caller: &Caller,
    (was, before): (&Post, &[Variant]),
    (post, after): (&Post, &[Variant]),
    now: jiff::Timestamp,
) -> Result<Option<NewEntry>, Error> {
    translations::bar(tx, &[(&post.id, after)]).await?;
    translations::bar_copies(tx, &post.id, after).await?;
    let source = translation::of(after, &post.source_language);
    let former = translation::of(before, &was.source_language);
    let Some(former) =
        former.filter(|it| source.is_none_or(|is| is.content_hash != it.content_hash))
    else {
        return Ok(None);
    };
    translations::keep(tx, &post.id, former, now).await?;
    let stale = after.iter().filter(|one| one.is_stale(source));
    super::translations::told(tx, caller, post, &stale.collect::<Vec<_>>()).await
}

/// Whether any of these posts goes out by people's yes.
pub(super) async fn approved(
    services: &Services,
    posts: &[&PostId],
    now: jiff::Timestamp,
) -> Result<bool, Error> {
    let mut reader = services.store.read().await?;
    Ok(!store::approvals::standing(&mut reader, posts, now).await?.is_empty())
}

/// What people have said yes to is not what the post says any more: nothing of it goes out until they have
/// said it again.
pub(super) async fn unapprove(
    tx: &mut Tx,
    caller: &Caller,
    post: &Post,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    let (id, hash) = (&post.id, &post.content_hash);
    if post.created_by != caller.actor.person_id.as_str() {
        store::approvals::wrote(tx, id, &caller.actor.person_id).await?;
    }
    let wanted = store::approvals::wanted(tx, &[id]).await?.remove(id);
    let ended = store::approvals::end_others(tx, id, hash, &caller.actor.label(), now).await?;
    if ended > 0 && wanted.is_some_and(|it| it.needed() > 0) {
        let stopped = store::approvals::stop(tx, id, &WaitsFor::approval(), now).await?;
        if let Some(wanted) = wanted.filter(|_| !stopped.is_empty()) {
            let told = approvals::wanted(tx, (post, wanted), None, now).await?;
            store::audit::append(tx, &[told], now);
        }
    }
    Ok(())
}

/// The post as it would be, in its one form.
fn merge(post: &Post, before: &[Variant], change: PostChange) -> Result<PostDraft, Vec<Fault>> {
    let variants = match change.variants {
        Some(variants) => variants.into_iter().map(NewVariant::draft).collect(),
        None => before.iter().map(as_draft).collect(),
    };
    let mut campaign_id = post.campaign_id.clone();
    change.campaign_id.apply(&mut campaign_id);
    PostDraft {
        campaign_id,
        title: change.title.unwrap_or_else(|| post.title.clone()),
        class: change.class.unwrap_or(post.class),
        source_language: change.source_language.unwrap_or_else(|| post.source_language.clone()),
        variants,
        wanted_languages: change.wanted_languages.unwrap_or_else(|| post.wanted_languages.clone()),
        labels: change.labels.unwrap_or_else(|| post.labels.clone()),
    }
    .settle()
}

fn as_draft(variant: &Variant) -> VariantDraft {
    let content = &variant.content;
    let piece = |one: &Piece| PieceDraft { text: one.text.clone(), media: uses(&one.media) };
    VariantDraft {
        language: variant.language.clone(),
        text: content.text.clone(),
        link: content.link.clone(),
        media: uses(&content.media),
        thread: content.thread.iter().map(piece).collect(),
        first_comment: content.first_comment.clone(),
        machine: false,
        made_from: None,
    }
}

fn uses(media: &[ContentMedia]) -> Vec<MediaUse> {
    let each =
        |one: &ContentMedia| MediaUse { media_id: one.media_id.clone(), alt: one.alt.clone() };
    media.iter().map(each).collect()
}

/// Why a post at `revision` could not be changed or removed.
pub(super) async fn stands_in_the_way(
    reader: &mut Reader,
    id: &PostId,
    revision: i64,
) -> Result<Error, Error> {
    let Some(post) = posts::find(reader, id).await? else { return Ok(Error::NotFound) };
    if post.revision != revision {
        return Ok(Error::Stale);
    }
    let unfinished = deliveries::unfinished(reader, id).await?;
    let listed: Vec<_> =
        unfinished.iter().map(|(id, state)| json!({"delivery_id": id, "state": state})).collect();
    let detail = "deliveries of this post are on their way; cancel them or wait for their end";
    Ok(Error::Conflict(Told::new("deliveries_pending", detail).member("deliveries", listed)))
}

/// Removes a post at the revision that the caller has seen; `None` for whatever it is now.
pub async fn remove(
    services: &Services,
    caller: &Caller,
    id: &PostId,
    seen: Option<i64>,
) -> Result<(), Error> {
    permit(caller, Action::WritePosts, Subject::Any)?;
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let post = see(&mut tx, caller, Action::WritePosts, id).await?;
    if seen.is_some_and(|seen| seen != post.revision) {
        return Err(Error::Stale);
    }
    if !posts::remove(&mut tx, id, post.revision, now).await? {
        return Err(stands_in_the_way(&mut tx, id, post.revision).await?);
    }
    let entry = caller.entry("post.remove", id, json!({"revision": post.revision}));
    super::finish(services, caller, tx, json!({}), &[entry]).await?;
    Ok(())
}

/// One post.
pub async fn show(services: &Services, caller: &Caller, id: &PostId) -> Result<PostView, Error> {
    let mut reader = services.store.read().await?;
    let post = see(&mut reader, caller, Action::ReadPosts, id).await?;
    let terms = Terms::of_unit(services, &mut reader, &post.unit_id).await?;
    let warnings = if terms.is_empty() {
        Vec::new()
    } else {
        let variants = variants::of_posts(&mut reader, &[id]).await?.remove(id).unwrap_or_default();
        terms.warnings(&post.source_language, &variants)
    };
    let view = views(&mut reader, vec![post], services.clock.now()).await?.pop();
    Ok(view.ok_or(Error::NotFound)?.told(warnings))
}

/// The post, when the caller may do this with posts of its unit.
pub(super) async fn see(
    reader: &mut Reader,
    caller: &Caller,
    action: Action,
    id: &PostId,
) -> Result<Post, Error> {
    permit(caller, action, Subject::Any)?;
    let post = posts::find(reader, id).await?.ok_or(Error::NotFound)?;
    permit(caller, action, Subject::Unit(&post.unit_id))?;
    Ok(post)
}

pub(super) async fn views(
    reader: &mut Reader,
    posts: Vec<Post>,
    now: jiff::Timestamp,
) -> Result<Vec<PostView>, Error> {
    let ids: Vec<PostId> = posts.iter().map(|post| post.id.clone()).collect();
    let ids: Vec<&PostId> = ids.iter().collect();
    let mut variants = variants::of_posts(reader, &ids).await?;
    let mut stale = deliveries::stale(reader, &ids).await?;
    let mut how = approvals::of(reader, &posts.iter().collect::<Vec<_>>(), now).await?;
    let view = |post: Post| {
        let variants = variants.remove(&post.id).unwrap_or_default();
        let stale = stale.remove(&post.id).unwrap_or_default();
        how.remove(&post.id).map(|how| PostView::new(post, &variants, stale, how))
    };
    Ok(posts.into_iter().filter_map(view).collect())
}

/// Which posts a list is to have.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this unit.
    pub unit_id: Option<UnitId>,
    /// Of this campaign.
    pub campaign_id: Option<String>,
    /// Of this class.
    pub class: Option<Class>,
    /// Only what waits for approval.
    pub wanted: bool,
    /// Only what waits for that of the caller.
    pub mine: bool,
    /// Only what has these words, as somebody typed them.
    pub text: Option<String>,
}

impl Filter {
    /// Whether a post passes, as far as itself says that.
    pub(super) fn passes(&self, post: &Post) -> bool {
        self.unit_id.as_ref().is_none_or(|it| *it == post.unit_id)
            && (self.campaign_id.is_none() || self.campaign_id == post.campaign_id)
            && self.class.is_none_or(|it| it == post.class)
    }
}

/// A page of posts, newest first; of those that wait for approval what is due first.
pub async fn list(
    services: &Services,
    caller: &Caller,
    filter: Filter,
    window: &Window,
) -> Result<Page<PostView>, Error> {
    if let Some(typed) = &filter.text {
        return search::list(services, caller, &filter, typed, window).await;
    }
    if filter.wanted || filter.mine {
        return approvals::list(services, caller, &filter, window).await;
    }
    permit(caller, Action::ReadPosts, Subject::Any)?;
    let filter = posts::Filter {
        unit_id: filter.unit_id,
        within: caller.actor.units_for(Action::ReadPosts),
        campaign_id: filter.campaign_id,
        class: filter.class,
        before: window.after_id()?,
    };
    let mut reader = services.store.read().await?;
    let found = posts::list(&mut reader, &filter, i64::from(window.rows())).await?;
    let page = window.page(found, |post| vec![post.id.to_string()]);
    let items = views(&mut reader, page.items, services.clock.now()).await?;
    Ok(Page { items, next: page.next })
}
