//! Publishes on X: files and their alternative texts first, then one create.

use super::api::{Api, permalink, usage};
use super::classify::{accepted, created, uploaded};
use super::{Settings, films};
use crate::domain::media::MediaKind;
use crate::outbound::{Request, Response};
use crate::platforms::outcome::{Outcome, RefusalKind};
use crate::platforms::session::{Item, ItemMedia, Metered, Progress, Session, Staged};
use crate::platforms::staging;
use crate::platforms::wire::{Unsendable, failed_create, failed_step, upload_again};
use crate::platforms::{Leave, Withdrawn};

pub(super) async fn publish(
    settings: &Settings,
    on: &Session,
    item: &Item,
    progress: &mut Progress,
    leave: Leave<'_>,
) -> Result<Metered<Outcome>, Withdrawn> {
    let api = Api::of(settings, on);
    let unmetered = |value| Ok(Metered { value, usage: Vec::new() });
    let media = match stage(&api, on, item, progress).await {
        Ok(media) => media,
        Err(outcome) => return unmetered(*outcome),
    };
    let request = match api.tweet(item, &media) {
        Ok(request) => request,
        Err(fault) => return unmetered(Outcome::Refused(fault.refusal())),
    };
    leave.await?;
    let answer = match on.outbound.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return unmetered(failed_create(&failure)),
    };
    let now = on.clock.now();
    let value = created(&answer, now, |id| permalink(settings, on.handle.as_deref(), id));
    // A refusal for content may be about a file that X has dropped; the next try uploads anew.
    if let Outcome::Refused(refusal) = &value
        && refusal.kind == RefusalKind::Content
    {
        progress.staged.clear();
    }
    Ok(Metered { value, usage: usage(&answer.headers, now) })
}

/// The ids of the files in order, uploading what is not there yet.
async fn stage(
    api: &Api<'_>,
    on: &Session,
    item: &Item,
    progress: &mut Progress,
) -> Result<Vec<String>, Box<Outcome>> {
    let mut ids = Vec::with_capacity(item.media.len());
    for media in &item.media {
        if media.kind != MediaKind::Image {
            ids.push(moving(api, on, media, progress).await?);
            continue;
        }
        let key = staging::key(media);
        let id = match staging::already(progress, &key, on.clock.now()) {
            Some(id) => id.to_owned(),
            None => upload(api, on, media, key, progress).await?,
        };
        ids.push(id);
    }
    Ok(ids)
}

/// A video or an animation, which may have been there for long. Its alternative text is given in each try:
/// so it is counted among the costs of the try, and what is brought ahead costs nothing.
async fn moving(
    api: &Api<'_>,
    on: &Session,
    media: &ItemMedia,
    progress: &mut Progress,
) -> Result<String, Box<Outcome>> {
    let of_before = staging::already(progress, &media.sha256, on.clock.now()).is_some();
    let id = films::bring(api, on, media, progress).await?;
    if media.alt.is_empty() {
        return Ok(id);
    }
    let answer = step(on, api.alternative_text(&id, &media.alt)).await?;
    match accepted(&answer, on.clock.now()) {
        Ok(()) => Ok(id),
        Err(outcome) if of_before && films::is_for_content(&outcome) => {
            progress.staged.retain(|old| old.remote_id != id);
            Err(Box::new(upload_again("X does not have it any more; it is brought anew")))
        }
        Err(outcome) => Err(outcome),
    }
}

/// Remembers the picture only once it has its alternative text, so that a retry after a failure
/// between the two cannot publish it without.
async fn upload(
    api: &Api<'_>,
    on: &Session,
    media: &ItemMedia,
    key: String,
    progress: &mut Progress,
) -> Result<String, Box<Outcome>> {
    let answer = step(on, api.upload(media)).await?;
    let now = on.clock.now();
    let there = uploaded(&answer, now)?;
    if !media.alt.is_empty() {
        let answer = step(on, api.alternative_text(&there.id, &media.alt)).await?;
        accepted(&answer, on.clock.now())?;
    }
    let expires_at = now.checked_add(there.usable_for).unwrap_or(now);
    staging::remember(progress, Staged { sha256: key, remote_id: there.id.clone(), expires_at });
    Ok(there.id)
}

pub(super) async fn step(
    on: &Session,
    request: Result<Request, Unsendable>,
) -> Result<Response, Box<Outcome>> {
    let request = request.map_err(|fault| Box::new(Outcome::Refused(fault.refusal())))?;
    on.outbound.send(request).await.map_err(|failure| Box::new(failed_step(&failure)))
}
