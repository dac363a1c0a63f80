//! The acts on media: hand in, look, fetch, remove.

use bytes::Bytes;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Caller, Done, Error, Page, Services, Told, Window, finish, permit};
use crate::domain::id::MediaId;
use crate::domain::media::{Media, MediaFacts};
use crate::domain::policy::{Action, Subject};
use crate::media::{self as files, Unfit};
use crate::store::media;

/// Stores a file whose sender calls it `declared`, after looking into it.
pub async fn create(
    services: &Services,
    mut caller: Caller,
    declared: Option<String>,
    bytes: Bytes,
) -> Result<Done<Media>, Error> {
    permit(&caller, Action::WriteMedia, Subject::Any)?;
    if let Some(key) = &mut caller.idempotency {
        key.fingerprint = hex::encode(Sha256::digest(&bytes));
    }
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let facts = look_into(services, bytes.clone()).await?;
    if let Some(declared) = declared.filter(|declared| *declared != facts.mime) {
        let detail = format!("the file is called {declared} but is {}", facts.mime);
        let told = Told::new("media_type_mismatch", detail);
        let told = told.with("declared", &declared).with("found", &facts.mime);
        return Err(Error::Unsupported(told));
    }
    // On disk first: a row without its file would be a lie, a file without a row is only waste.
    let sha256 = services.files.put(&bytes).await.map_err(Error::internal)?;
    let now = services.clock.now();
    let media = Media {
        id: MediaId::new(now, services.random()),
        kind: facts.kind,
        mime: facts.mime,
        width: facts.width,
        height: facts.height,
        duration_ms: facts.duration_ms,
        size_bytes: bytes.len() as u64,
        sha256,
        created_at: now,
    };
    let mut tx = services.store.begin().await?;
    media::insert(&mut tx, &media, &caller.actor.person_id).await?;
    let detail = json!({"sha256": media.sha256, "mime": media.mime});
    let entry = caller.entry("media.create", &media.id, detail);
    finish(services, &caller, tx, media, &[entry]).await
}

/// Unpacks at most two pictures at once: each may need hundreds of megabytes for a moment.
async fn look_into(services: &Services, bytes: Bytes) -> Result<MediaFacts, Error> {
    let max_pixels = services.config.media.max_pixels;
    let _turn = services.unpacking.acquire().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(move || files::inspect(&bytes, max_pixels))
        .await
        .map_err(Error::internal)?
        .map_err(|unfit| refuse(unfit, max_pixels))
}

fn refuse(unfit: Unfit, max_pixels: u64) -> Error {
    match unfit {
        Unfit::Empty => Error::fault("", "empty_file", "the file is empty"),
        Unfit::Unsupported { found } => {
            let found = found.map_or_else(String::new, |found| format!("; this is {found}"));
            let detail = format!("JPEG, PNG, WebP and GIF are taken{found}");
            Error::Unsupported(Told::new("unsupported_media", detail))
        }
        Unfit::Damaged => {
            let detail = "the picture cannot be read to its end: it is cut off or damaged";
            Error::fault("", "media_damaged", detail)
        }
        Unfit::TooManyPixels => {
            let detail = format!("a picture has at most {max_pixels} pixels");
            let fault = crate::domain::fault::Fault::new("", "too_many_pixels", detail);
            Error::Invalid(vec![fault.with("max", max_pixels)])
        }
    }
}

/// What is known of a file.
pub async fn show(services: &Services, caller: &Caller, id: &MediaId) -> Result<Media, Error> {
    permit(caller, Action::ReadMedia, Subject::Any)?;
    let mut reader = services.store.read().await?;
    media::find(&mut reader, id).await?.ok_or(Error::NotFound)
}

/// A file with its bytes.
pub async fn fetch(
    services: &Services,
    caller: &Caller,
    id: &MediaId,
) -> Result<(Media, Bytes), Error> {
    let media = show(services, caller, id).await?;
    let bytes = services.files.read(&media.sha256).await.map_err(Error::internal)?;
    Ok((media, bytes))
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

/// Hides a file from further use. Its bytes stay for what was scheduled with it.
pub async fn remove(services: &Services, caller: &Caller, id: &MediaId) -> Result<(), Error> {
    permit(caller, Action::WriteMedia, Subject::Any)?;
    let mut tx = services.store.begin().await?;
    let media = media::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if media::remove(&mut tx, id, services.clock.now()).await? {
        let entry = caller.entry("media.remove", id, json!({"sha256": media.sha256}));
        finish(services, caller, tx, (), &[entry]).await?;
    }
    Ok(())
}
