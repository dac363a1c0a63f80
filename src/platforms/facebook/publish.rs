//! Publishes on a Page: pictures first, invisible and repeatable, then one create.

use jiff::SignedDuration;

use super::api::{Graph, usage};
use super::classify::{commented, created, uploaded};
use super::{Settings, film, two_steps};
use crate::domain::media::MediaKind;
use crate::platforms::outcome::{Outcome, Refusal, RefusalKind, Usage};
use crate::platforms::session::{Item, Metered, Progress, Session, Staged};
use crate::platforms::staging;
use crate::platforms::wire::{failed_create, failed_step};
use crate::platforms::{Leave, Withdrawn};

/// Facebook drops pictures that no post shows after about 24 hours; two of them are kept as margin.
const STAGED_FOR: SignedDuration = SignedDuration::from_hours(22);

pub(super) async fn publish(
    settings: &Settings,
    on: &Session,
    item: &Item,
    progress: &mut Progress,
    leave: Leave<'_>,
) -> Result<Metered<Outcome>, Withdrawn> {
    let graph = Graph::of(settings, on);
    let mut usage_seen = Vec::new();
    if let Some(post) = &item.under {
        return comment(&graph, on, (&item.text, post), leave).await;
    }
    if let Some(film) = item.media.iter().find(|one| one.kind == MediaKind::Video) {
        if item.media.len() > 1 {
            return Ok(Metered { value: not_alone(), usage: usage_seen });
        }
        return film::publish(&graph, on, (item, film), progress, leave).await;
    }
    let photos = match stage(&graph, on, item, progress, &mut usage_seen).await {
        Ok(photos) => photos,
        Err(outcome) => return Ok(Metered { value: *outcome, usage: usage_seen }),
    };
    if settings.in_two_steps(graph.page) {
        let step = (progress, usage_seen);
        return two_steps::publish(&graph, on, (item, &photos), step, leave).await;
    }
    let request = match graph.feed(item, &photos) {
        Ok(request) => request,
        Err(fault) => {
            return Ok(Metered { value: Outcome::Refused(fault.refusal()), usage: usage_seen });
        }
    };
    leave.await?;
    let value = match on.outbound.send(request).await {
        Ok(answer) => {
            note(&mut usage_seen, usage(&answer.headers, on.clock.now()));
            created(&answer, graph.page, on.clock.now())
        }
        Err(failure) => failed_create(&failure),
    };
    forget_refused(&value, progress);
    Ok(Metered { value, usage: usage_seen })
}

/// A film shows nothing beside it (vendors' reports, read 2026-09-11).
fn not_alone() -> Outcome {
    Outcome::Refused(Refusal {
        kind: RefusalKind::Content,
        code: "media_mixed".to_owned(),
        detail: "a film stands alone in its post".to_owned(),
    })
}

/// Says something below a post (Graph API reference, comments of an object, read 2026-09-11).
async fn comment(
    graph: &Graph<'_>,
    on: &Session,
    (text, post): (&str, &str),
    leave: Leave<'_>,
) -> Result<Metered<Outcome>, Withdrawn> {
    let unmetered = |value| Ok(Metered { value, usage: Vec::new() });
    let request = match graph.comment(text, post) {
        Ok(request) => request,
        Err(fault) => return unmetered(Outcome::Refused(fault.refusal())),
    };
    leave.await?;
    match on.outbound.send(request).await {
        Ok(answer) => {
            let now = on.clock.now();
            let value = commented(&answer, graph.page, post, now);
            Ok(Metered { value, usage: usage(&answer.headers, now) })
        }
        Err(failure) => unmetered(failed_create(&failure)),
    }
}

/// A refusal for content may be about a picture that Facebook has dropped; the next try uploads anew.
pub(super) fn forget_refused(value: &Outcome, progress: &mut Progress) {
    if let Outcome::Refused(refusal) = value
        && refusal.kind == RefusalKind::Content
    {
        progress.staged.clear();
    }
}

/// The ids of the pictures in order, uploading what is not there yet.
async fn stage(
    graph: &Graph<'_>,
    on: &Session,
    item: &Item,
    progress: &mut Progress,
    usage_seen: &mut Vec<Usage>,
) -> Result<Vec<String>, Box<Outcome>> {
    let mut photos = Vec::with_capacity(item.media.len());
    for media in &item.media {
        let key = staging::key(media);
        if let Some(id) = staging::already(progress, &key, on.clock.now()) {
            photos.push(id.to_owned());
            continue;
        }
        let request =
            graph.photo(media).map_err(|fault| Box::new(Outcome::Refused(fault.refusal())))?;
        let answer =
            on.outbound.send(request).await.map_err(|failure| Box::new(failed_step(&failure)))?;
        let now = on.clock.now();
        note(usage_seen, usage(&answer.headers, now));
        let id = uploaded(&answer, now)?;
        let expires_at = now.checked_add(STAGED_FOR).unwrap_or(now);
        staging::remember(progress, Staged { sha256: key, remote_id: id.clone(), expires_at });
        photos.push(id);
    }
    Ok(photos)
}

/// The newest word about the windows counts; an answer without headers says nothing.
pub(super) fn note(seen: &mut Vec<Usage>, newer: Vec<Usage>) {
    if !newer.is_empty() {
        *seen = newer;
    }
}
