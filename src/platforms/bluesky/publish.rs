//! Publishes on Bluesky: a session and the pictures first, then one create under the delivery's key.

use std::time::Duration;

use serde_json::Value;

use super::api::{Api, usage};
use super::classify::{Meaning, Problem, created, uploaded};
use super::entry::{Entry, enter};
use super::record::{POST, Picture, permalink, record};
use super::{Desk, key};
use crate::clock::after;
use crate::domain::attempt::Receipt;
use crate::outbound::Response;
use crate::platforms::outcome::{Outcome, RefusalKind};
use crate::platforms::session::{Item, ItemMedia, Metered, Progress, Session, Staged};
use crate::platforms::staging;
use crate::platforms::wire::{failed_create, failed_step};
use crate::platforms::{Leave, Withdrawn};

/// A file that no record names is kept for some hours (specification of blobs: at least one).
const USABLE: Duration = Duration::from_mins(50);

pub(super) async fn publish(
    desk: &Desk,
    on: &Session,
    item: &Item,
    progress: &mut Progress,
    leave: Leave<'_>,
) -> Result<Metered<Outcome>, Withdrawn> {
    let unmetered = |value| Ok(Metered { value, usage: Vec::new() });
    let api = match Api::of(desk, on) {
        Ok(api) => api,
        Err(fault) => return unmetered(Outcome::Refused(fault.refusal())),
    };
    let (entry, pictures) = match stage(desk, on, &api, item, progress).await {
        Ok(staged) => staged,
        Err(outcome) => return unmetered(*outcome),
    };
    let (key, now) = (key::of(&item.delivery), on.clock.now());
    let request =
        record(item, &pictures, now).and_then(|record| api.create(&entry.token, &key, &record));
    let request = match request {
        Ok(request) => request,
        Err(fault) => return unmetered(Outcome::Refused(fault.refusal())),
    };
    leave.await?;
    let answer = match on.outbound.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return unmetered(failed_create(&failure)),
    };
    let now = on.clock.now();
    let receipt = Receipt {
        permalink: permalink(&desk.settings, api.account, &key),
        remote_id: key.clone(),
        published_at: now,
    };
    let uri = format!("at://{}/{POST}/{key}", api.account);
    let value = created(&answer, now, &uri, receipt);
    forget_what_ended(desk, on, &answer);
    // A refusal for content may be about a file that the server has dropped; the next try uploads anew.
    if let Outcome::Refused(refusal) = &value
        && refusal.kind == RefusalKind::Content
    {
        progress.staged.clear();
    }
    Ok(Metered { value, usage: usage(&answer.headers, now) })
}

fn forget_what_ended(desk: &Desk, on: &Session, answer: &Response) {
    let ended = || Problem::parse(answer)?.meaning();
    if !answer.status.is_success() && ended() == Some(Meaning::Ended) {
        desk.entries.forget(on);
    }
}

/// Everything that is repeatable: the session, and the pictures that are not there yet.
async fn stage(
    desk: &Desk,
    on: &Session,
    api: &Api<'_>,
    item: &Item,
    progress: &mut Progress,
) -> Result<(Entry, Vec<Picture>), Box<Outcome>> {
    let entry = enter(desk, on, api).await?;
    let mut pictures = Vec::with_capacity(item.media.len());
    for media in &item.media {
        let key = staging::key(media);
        let there = staging::already(progress, &key, on.clock.now());
        let there: Option<Value> = there.and_then(|blob| serde_json::from_str(blob).ok());
        let blob = match there {
            Some(blob) => blob,
            None => upload(desk, on, api, &entry, media, key, progress).await?,
        };
        let size = media.source.held().and_then(|bytes| size(bytes));
        pictures.push(Picture { blob, alt: media.alt.clone(), size });
    }
    Ok((entry, pictures))
}

async fn upload(
    desk: &Desk,
    on: &Session,
    api: &Api<'_>,
    entry: &Entry,
    media: &ItemMedia,
    key: String,
    progress: &mut Progress,
) -> Result<Value, Box<Outcome>> {
    let request = api.upload(&entry.token, media);
    let request = request.map_err(|fault| Box::new(Outcome::Refused(fault.refusal())))?;
    let answer = on.outbound.send(request).await;
    let answer = answer.map_err(|failure| Box::new(failed_step(&failure)))?;
    forget_what_ended(desk, on, &answer);
    let now = on.clock.now();
    let blob = uploaded(&answer, now)?;
    let staged =
        Staged { sha256: key, remote_id: blob.to_string(), expires_at: after(now, USABLE) };
    staging::remember(progress, staged);
    Ok(blob)
}

/// Width and height, for the space that apps keep free before a picture is there.
fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let reader = image::ImageReader::new(std::io::Cursor::new(bytes));
    reader.with_guessed_format().ok()?.into_dimensions().ok()
}
