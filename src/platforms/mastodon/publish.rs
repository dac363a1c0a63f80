//! Publishes on Mastodon: pictures first, until they are processed, then one create.

use std::time::Duration;

use super::Settings;
use super::api::{Api, usage};
use super::classify::{Upload, created, uploaded};
use crate::clock::after;
use crate::outbound::{Request, Response};
use crate::platforms::outcome::{Outcome, RefusalKind};
use crate::platforms::session::{Item, ItemMedia, Metered, Progress, Session, Staged};
use crate::platforms::staging;
use crate::platforms::wire::{Unsendable, failed_create, failed_step, upload_again};
use crate::platforms::{Leave, Withdrawn};

/// A picture that no post uses is kept for a day (source of the server, vacuum of media).
const USABLE: Duration = Duration::from_hours(22);

/// How often a picture is asked for that is being processed, and after which pauses.
const PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

pub(super) async fn publish(
    settings: &Settings,
    on: &Session,
    item: &Item,
    progress: &mut Progress,
    leave: Leave<'_>,
) -> Result<Metered<Outcome>, Withdrawn> {
    let unmetered = |value| Ok(Metered { value, usage: Vec::new() });
    let api = match Api::of(settings, on) {
        Ok(api) => api,
        Err(fault) => return unmetered(Outcome::Refused(fault.refusal())),
    };
    let media = match stage(&api, on, item, progress).await {
        Ok(media) => media,
        Err(outcome) => return unmetered(*outcome),
    };
    let request = match api.status(item, &media) {
        Ok(request) => request,
        Err(fault) => return unmetered(Outcome::Refused(fault.refusal())),
    };
    leave.await?;
    let answer = match on.outbound.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return unmetered(failed_create(&failure)),
    };
    let now = on.clock.now();
    let read = |value: &serde_json::Value| {
        api.post(value).filter(|post| post.is_own).map(|post| post.shown.receipt)
    };
    let value = created(&answer, now, read);
    // A refusal for content may be about a file that the server has dropped; the next try uploads anew.
    if let Outcome::Refused(refusal) = &value
        && refusal.kind == RefusalKind::Content
    {
        progress.staged.clear();
    }
    Ok(Metered { value, usage: usage(&answer.headers, now) })
}

/// The ids of the pictures in order, uploading what is not there yet.
async fn stage(
    api: &Api<'_>,
    on: &Session,
    item: &Item,
    progress: &mut Progress,
) -> Result<Vec<String>, Box<Outcome>> {
    let mut ids = Vec::with_capacity(item.media.len());
    for media in &item.media {
        let key = staging::key(media);
        let there = staging::already(progress, &key, on.clock.now()).map(str::to_owned);
        let ready = match there {
            // It may have been dropped since, or not be ready yet.
            Some(id) => processed(api, on, id).await?,
            None => None,
        };
        let id = match ready {
            Some(id) => id,
            None => upload(api, on, media, key, progress).await?,
        };
        ids.push(id);
    }
    Ok(ids)
}

/// What is being processed is remembered at once: a retry asks for it and does not upload it again.
async fn upload(
    api: &Api<'_>,
    on: &Session,
    media: &ItemMedia,
    key: String,
    progress: &mut Progress,
) -> Result<String, Box<Outcome>> {
    let answer = step(on, api.upload(media)).await?;
    let now = on.clock.now();
    let (id, is_ready) = match uploaded(&answer, now)? {
        Upload::Ready(id) => (id, true),
        Upload::Processing(id) => (id, false),
        Upload::Gone => return Err(Box::new(upload_again("the server has no place for it"))),
    };
    let expires_at = after(now, USABLE);
    staging::remember(progress, Staged { sha256: key, remote_id: id.clone(), expires_at });
    if is_ready {
        return Ok(id);
    }
    let gone = || Box::new(upload_again("it was gone before it was processed"));
    processed(api, on, id).await?.ok_or_else(gone)
}

/// The id once the picture is processed; `None` when the server does not have it.
async fn processed(
    api: &Api<'_>,
    on: &Session,
    id: String,
) -> Result<Option<String>, Box<Outcome>> {
    for pause in PAUSES {
        if !pause.is_zero() {
            on.clock.sleep(pause).await;
        }
        let answer = step(on, api.processed(&id)).await?;
        match uploaded(&answer, on.clock.now())? {
            Upload::Ready(id) => return Ok(Some(id)),
            Upload::Gone => return Ok(None),
            Upload::Processing(_) => {}
        }
    }
    Err(Box::new(upload_again("the server is still processing it")))
}

async fn step(
    on: &Session,
    request: Result<Request, Unsendable>,
) -> Result<Response, Box<Outcome>> {
    let request = request.map_err(|fault| Box::new(Outcome::Refused(fault.refusal())))?;
    on.outbound.send(request).await.map_err(|failure| Box::new(failed_step(&failure)))
}
