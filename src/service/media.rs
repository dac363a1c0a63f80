//! The acts on media: hand in, look, fetch, remove.

use std::collections::BTreeSet;
use std::io::BufReader;

use serde_json::json;

use super::{Caller, Done, Error, Page, Services, Told, Window, finish, permit};
use crate::domain::fault::Fault;
use crate::domain::id::MediaId;
use crate::domain::media::{Media, MediaFacts};
use crate::domain::policy::{Action, Subject};
use crate::domain::terms::Terms;
use crate::media::{self as files, Guess, Opened, Received, Unfit};
use crate::store::{Reader, media, terms};
use crate::telemetry::Chain;

/// The largest file that can become of what begins like this.
pub fn largest(services: &Services, head: &[u8]) -> usize {
    match files::guess(head) {
        Guess::Picture => services.config.media.max_bytes,
        Guess::Video(_) => services.config.media.max_video_bytes,
    }
}

/// Whether the caller may hand in files at all; asked before anything is read of one.
pub fn may_create(caller: &Caller) -> Result<(), Error> {
    permit(caller, Action::WriteMedia, Subject::Any)
}

/// Stores a file whose sender calls it `declared`, after looking into it.
pub async fn create(
    services: &Services,
    mut caller: Caller,
    declared: Option<String>,
    received: Received,
) -> Result<Done<Media>, Error> {
    permit(&caller, Action::WriteMedia, Subject::Any)?;
    if let Some(key) = &mut caller.idempotency {
        received.sha256().clone_into(&mut key.fingerprint);
    }
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let media = take(services, declared, &received).await?;
    let mut tx = services.store.begin().await?;
    media::insert(&mut tx, &media, &caller.actor.person_id).await?;
    let detail = json!({"sha256": media.sha256, "mime": media.mime});
    let entry = caller.entry("media.create", &media.id, detail);
    finish(services, &caller, tx, media, &[entry]).await
}

/// Keeps a file that is fit to be kept, and says what it is; its row is yet to be written.
pub(super) async fn take(
    services: &Services,
    declared: Option<String>,
    received: &Received,
) -> Result<Media, Error> {
    let facts = look_into(services, received).await?;
    if let Some(declared) = declared.filter(|declared| !is_called(declared, &facts.mime)) {
        let detail = format!("the file is called {declared} but is {}", facts.mime);
        let told = Told::new("media_type_mismatch", detail);
        let told = told.with("declared", &declared).with("found", &facts.mime);
        return Err(Error::Unsupported(told));
    }
    // Its bytes first: a row without its file would be a lie, a file without a row is only waste.
    services.files.keep(received).await.map_err(unkept)?;
    let now = services.clock.now();
    Ok(Media {
        id: MediaId::new(now, services.random()),
        kind: facts.kind,
        mime: facts.mime,
        width: facts.width,
        height: facts.height,
        duration_ms: facts.duration_ms,
        video: facts.video,
        size_bytes: received.size(),
        sha256: received.sha256().to_owned(),
        terms: known_terms(services, received.sha256()).await?,
        created_at: now,
    })
}

/// Why a file cannot be kept or given: for a while, when a store elsewhere does not answer.
fn unkept(error: files::Error) -> Error {
    match error {
        files::Error::Store(trouble) => {
            tracing::warn!(error = %Chain(&trouble), "the store of media does not do it now");
            let detail = "the store in which files are kept does not do it now; nothing was changed. Try \
                          again with the same Idempotency-Key";
            Error::Unfinished(Told::new("media_store_unavailable", detail))
        }
        other @ (files::Error::Missing(_)
        | files::Error::Changed(_)
        | files::Error::NoHash
        | files::Error::Unfit { .. }
        | files::Error::Disk { .. }) => Error::internal(other),
    }
}

/// The terms of a file that was handed in before.
async fn known_terms(services: &Services, sha256: &str) -> Result<Option<Terms>, Error> {
    let mut reader = services.store.read().await?;
    Ok(terms::of(&mut reader, &BTreeSet::from([sha256])).await?.remove(sha256))
}

/// Whether people may call a file so. The same container has three names, and cameras use all.
fn is_called(declared: &str, found: &str) -> bool {
    let film = |it: &str| matches!(it, "video/mp4" | "video/quicktime" | "video/x-m4v");
    declared == found || (film(declared) && film(found))
}

/// Unpacks at most two pictures at once: each may need hundreds of megabytes for a moment.
async fn look_into(services: &Services, received: &Received) -> Result<MediaFacts, Error> {
    let max_pixels = services.config.media.max_pixels;
    let size = received.size();
    let _turn = services.unpacking.acquire().await.map_err(Error::internal)?;
    let looked = match files::guess(received.head()) {
        Guess::Picture => {
            let bytes = received.bytes().await.map_err(Error::internal)?;
            tokio::task::spawn_blocking(move || files::inspect(&bytes, max_pixels)).await
        }
        Guess::Video(mime) => {
            let file = received.open().await.map_err(Error::internal)?;
            let look = move || files::inspect_video(&mut BufReader::new(file), size, mime);
            tokio::task::spawn_blocking(look).await
        }
    };
    // Whatever makes a decoder panic is the file's fault; the panic is in the log.
    looked.unwrap_or(Err(Unfit::Damaged)).map_err(|unfit| refuse(unfit, max_pixels))
}

fn refuse(unfit: Unfit, max_pixels: u64) -> Error {
    match unfit {
        Unfit::Empty => Error::fault("", "empty_file", "the file is empty"),
        Unfit::Unsupported { found } => {
            let found = found.map_or_else(String::new, |found| format!("; this is {found}"));
            let detail = format!("JPEG, PNG, WebP, GIF, MP4 and MOV are taken{found}");
            Error::Unsupported(Told::new("unsupported_media", detail))
        }
        // The second is not of a file that comes in.
        Unfit::Damaged | Unfit::TooLarge => {
            let detail = "the file cannot be read to its end: it is cut off or damaged";
            Error::fault("", "media_damaged", detail)
        }
        Unfit::TooManyPixels => {
            let detail = format!("a picture has at most {max_pixels} pixels");
            let fault = Fault::new("", "too_many_pixels", detail);
            Error::Invalid(vec![fault.with("max", max_pixels)])
        }
        Unfit::NoPictures => {
            let detail = "there are no moving pictures in the file";
            Error::fault("", "video_without_pictures", detail)
        }
        Unfit::Fragmented => {
            let detail = "the video is cut into fragments, as streams are; save it as one film";
            Error::fault("", "video_fragmented", detail)
        }
        Unfit::Protected => {
            let detail = "the video is encrypted; only who has its key can see it";
            Error::fault("", "video_protected", detail)
        }
        Unfit::Unread(kind) => Error::internal(std::io::Error::from(kind)),
    }
}

/// What is known of a file.
pub async fn show(services: &Services, caller: &Caller, id: &MediaId) -> Result<Media, Error> {
    permit(caller, Action::ReadMedia, Subject::Any)?;
    let mut reader = services.store.read().await?;
    media::find(&mut reader, id).await?.ok_or(Error::NotFound)
}

/// A file, opened.
pub async fn fetch(
    services: &Services,
    caller: &Caller,
    id: &MediaId,
) -> Result<(Media, Opened), Error> {
    let media = show(services, caller, id).await?;
    let opened = services.files.open(&media.sha256, media.size_bytes).await.map_err(unkept)?;
    Ok((media, opened))
}

/// A page of files.
pub async fn list(
    services: &Services,
    caller: &Caller,
    window: &Window,
) -> Result<Page<Media>, Error> {
    permit(caller, Action::ReadMedia, Subject::Any)?;
    let after: Option<MediaId> = window.after_id()?;
    let mut reader = services.store.read().await?;
    let rows = media::list(&mut reader, after.as_ref(), window.rows()).await?;
    Ok(window.page(rows, |media| vec![media.id.to_string()]))
}

/// Refuses what concerns everybody who uses a file, unless nobody else has handed it in.
pub(super) async fn answers_for(
    reader: &mut Reader,
    caller: &Caller,
    media: &Media,
) -> Result<(), Error> {
    let me = &caller.actor.person_id;
    if caller.actor.administrator || !media::by_others(reader, &media.sha256, me).await? {
        return Ok(());
    }
    let detail = "somebody else has handed in this file; only an administrator of \
                  everything changes its terms or removes it";
    Err(Error::Forbidden(Told::new("not_your_file", detail)))
}

/// Hides a file from further use. Its bytes stay for what was scheduled with it.
pub async fn remove(services: &Services, caller: &Caller, id: &MediaId) -> Result<(), Error> {
    permit(caller, Action::WriteMedia, Subject::Any)?;
    let mut tx = services.store.begin().await?;
    let media = media::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    answers_for(&mut tx, caller, &media).await?;
    if media::remove(&mut tx, id, services.clock.now()).await? {
        let entry = caller.entry("media.remove", id, json!({"sha256": media.sha256}));
        finish(services, caller, tx, (), &[entry]).await?;
    }
    Ok(())
}
