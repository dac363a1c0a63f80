//! The acts on uploads: begin, look, add, give up; and what becomes of one that is whole.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Caller, Done, Error, Services, Told, finish, media, permit};
use crate::clock::after;
use crate::domain::fault::Fault;
use crate::domain::id::{MediaId, UploadId};
use crate::domain::policy::{Action, Subject};
use crate::domain::upload::{Upload, pairs};
use crate::media::{Appending, NoTurn, TELLING};
use crate::store::{self, uploads};

/// An upload as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadView {
    /// Its id.
    pub id: UploadId,
    /// Size of the whole file.
    pub size_bytes: u64,
    /// How much of it has come and is on the disk.
    pub offset_bytes: u64,
    /// What became of it, once it is whole.
    pub media_id: Option<MediaId>,
    /// Why nothing became of it, as the code of a problem.
    pub problem: Option<String>,
    /// When it is forgotten.
    pub expires_at: jiff::Timestamp,
}

impl UploadView {
    fn new(upload: Upload, offset_bytes: u64) -> Self {
        Self {
            id: upload.id,
            size_bytes: upload.size_bytes,
            offset_bytes: if upload.media_id.is_some() { upload.size_bytes } else { offset_bytes },
            media_id: upload.media_id,
            problem: upload.problem,
            expires_at: upload.expires_at,
        }
    }
}

/// The largest file that can be uploaded.
pub fn largest(services: &Services) -> u64 {
    let limits = &services.config.media;
    limits.max_bytes.max(limits.max_video_bytes) as u64
}

/// Begins an upload of a file of this size.
pub async fn create(
    services: &Services,
    caller: &Caller,
    size_bytes: u64,
    metadata: String,
) -> Result<Done<UploadView>, Error> {
    permit(caller, Action::WriteMedia, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let max_bytes = largest(services);
    if size_bytes > max_bytes {
        return Err(Error::TooLarge { max_bytes });
    }
    let mut faults = Vec::new();
    if size_bytes == 0 {
        faults.push(Fault::new("", "empty_file", "the file is empty"));
    }
    if pairs(&metadata).is_none() {
        let detail = "Upload-Metadata has names with values in base64, between commas";
        faults.push(Fault::new("", "bad_upload_metadata", detail));
    }
    super::all_well(faults)?;
    let now = services.clock.now();
    let upload = Upload {
        id: UploadId::new(now, services.random()),
        person_id: caller.actor.person_id.clone(),
        size_bytes,
        metadata,
        media_id: None,
        problem: None,
        created_at: now,
        expires_at: after(now, services.config.media.upload_expiry),
    };
    // Before its row: a row without its file would be a lie, a file without a row is swept.
    let files = services.files.resumables();
    files.begin(upload.id.as_str()).await.map_err(Error::internal)?;
    let id = upload.id.clone();
    let written = insert(services, caller, upload).await;
    if !matches!(&written, Ok(done) if done.value.id == id) {
        files.remove(id.as_str()).await.map_err(Error::internal)?;
    }
    written
}

async fn insert(
    services: &Services,
    caller: &Caller,
    upload: Upload,
) -> Result<Done<UploadView>, Error> {
    let mut tx = services.store.begin().await?;
    let count = uploads::unfinished(&mut tx, &upload.person_id, upload.created_at).await?;
    let most = services.config.media.uploads_per_person;
    if count >= i64::from(most) {
        let detail = format!("you have {count} unfinished uploads; finish or delete one first");
        let told = Told::new("too_many_uploads", detail).with("count", count);
        return Err(Error::Conflict(told.member("max", most)));
    }
    uploads::insert(&mut tx, &upload).await?;
    let detail = json!({"size_bytes": upload.size_bytes});
    let entry = caller.entry("upload.begin", &upload.id, detail);
    finish(services, caller, tx, UploadView::new(upload, 0), &[entry]).await
}

/// The caller's own upload, while its time is not over.
async fn own(services: &Services, caller: &Caller, id: &UploadId) -> Result<Upload, Error> {
    permit(caller, Action::WriteMedia, Subject::Any)?;
    let upload = uploads::find(&mut services.store.read().await?, id).await?;
    let now = services.clock.now();
    upload
        .filter(|it| it.person_id == caller.actor.person_id && it.expires_at > now)
        .ok_or(Error::NotFound)
}

/// How an upload stands; one that is whole is taken, if that was not done yet.
pub async fn show(
    services: &Services,
    caller: &Caller,
    id: &UploadId,
) -> Result<UploadView, Error> {
    let upload = own(services, caller, id).await?;
    if upload.is_over() {
        return Ok(UploadView::new(upload, 0));
    }
    match settle(services, caller, upload).await {
        // Why nothing became of it is what the asker wants to know.
        Err(Error::Invalid(_) | Error::Unsupported(_) | Error::TooLarge { .. }) => {
            Ok(UploadView::new(own(services, caller, id).await?, 0))
        }
        settled => settled,
    }
}

/// The right to add to an upload from this offset on.
pub async fn append(
    services: &Services,
    caller: &Caller,
    id: &UploadId,
    (offset, checked): (u64, bool),
) -> Result<(Upload, Appending), Error> {
    let upload = own(services, caller, id).await?;
    if upload.problem.is_some() {
        let detail = "nothing could become of this upload; begin another one";
        let told = Told::new("upload_over", detail).member("problem", upload.problem);
        return Err(Error::Conflict(told));
    }
    let mismatch = |there: u64| {
        let detail = format!("the upload has {there} bytes, not {offset}; go on from there");
        let told = Told::new("offset_mismatch", detail).with("offset", there);
        Error::Conflict(told.member("offset", there))
    };
    if upload.media_id.is_some() {
        return Err(mismatch(upload.size_bytes));
    }
    let appending = match services.files.resumables().append(id.as_str(), checked).await {
        Ok(appending) => appending,
        Err(NoTurn::Busy) => {
            let detail = "another connection is still writing to this upload; try again";
            return Err(Error::Unfinished(Told::new("upload_busy", detail)));
        }
        Err(NoTurn::Gone) => return Err(Error::NotFound),
        Err(NoTurn::Disk(error)) => return Err(Error::internal(error)),
    };
    if appending.offset() == offset {
        return Ok((upload, appending));
    }
    let there = appending.offset();
    appending.undo().await.map_err(Error::internal)?;
    Err(mismatch(there))
}

/// How an upload stands after something was added: what is whole becomes media, or nothing does.
pub async fn settle(
    services: &Services,
    caller: &Caller,
    upload: Upload,
) -> Result<UploadView, Error> {
    let files = services.files.resumables();
    let id = upload.id.clone();
    let offset = files.offset(id.as_str()).await.map_err(Error::internal)?;
    let Some(offset) = offset else {
        // Somebody else has just come to its end with it.
        let upload = own(services, caller, &id).await?;
        return if upload.is_over() {
            Ok(UploadView::new(upload, 0))
        } else {
            Err(Error::NotFound)
        };
    };
    let head = files.head(id.as_str()).await.map_err(Error::internal)?;
    let max_bytes = media::largest(services, &head) as u64;
    // With fewer bytes a film may still look like anything.
    let became = if upload.size_bytes > max_bytes && head.len() >= TELLING {
        Err(Error::TooLarge { max_bytes })
    } else if offset < upload.size_bytes {
        return Ok(UploadView::new(upload, offset));
    } else {
        taken(services, caller, &upload).await
    };
    match became {
        Ok(done) => {
            files.remove(id.as_str()).await.map_err(Error::internal)?;
            Ok(UploadView::new(done, offset))
        }
        Err(error) => {
            if let Some(code) = of_the_file(&error) {
                let mut tx = services.store.begin().await?;
                uploads::finish(&mut tx, &id, Err(code)).await?;
                tx.commit().await?;
                files.remove(id.as_str()).await.map_err(Error::internal)?;
            }
            Err(error)
        }
    }
}

/// The code of what is wrong with a file itself; nothing when it may be tried again.
fn of_the_file(error: &Error) -> Option<&'static str> {
    match error {
        Error::Invalid(faults) => faults.first().map(|fault| fault.code),
        Error::Unsupported(told) => Some(told.code),
        Error::TooLarge { .. } => Some("too_large"),
        Error::Forbidden(_)
        | Error::Unknown(_)
        | Error::TooSoon(_)
        | Error::NotFound
        | Error::Conflict(_)
        | Error::Stale
        | Error::Unreadable(_)
        | Error::IdempotencyMismatch
        | Error::Unfinished(_)
        | Error::Busy
        | Error::Internal(_) => None,
    }
}

/// Takes the whole file as media, once: its row and the note of it are one commit.
async fn taken(services: &Services, caller: &Caller, upload: &Upload) -> Result<Upload, Error> {
    let received = services.files.resumables().received(upload.id.as_str()).await;
    let received = received.map_err(Error::internal)?;
    if let Some(said) = upload.said("sha256")
        && !said.eq_ignore_ascii_case(received.sha256())
    {
        let found = received.sha256();
        let detail = format!("what has come has the hash {found}, not {said}; send it again");
        return Err(Error::Invalid(vec![
            Fault::new("", "upload_differs", detail).with("found", found),
        ]));
    }
    let declared = upload.said("filetype").map(|it| it.to_ascii_lowercase());
    let declared = declared.filter(|it| !it.is_empty() && it != "application/octet-stream");
    let media = media::take(services, declared, &received).await?;
    let mut tx = services.store.begin().await?;
    store::media::insert(&mut tx, &media, &caller.actor.person_id).await?;
    if !uploads::finish(&mut tx, &upload.id, Ok(&media.id)).await? {
        // Somebody else was faster: his is the one.
        drop(tx);
        return own(services, caller, &upload.id).await;
    }
    let detail = json!({"sha256": media.sha256, "mime": media.mime, "upload_id": upload.id});
    let entry = caller.entry("media.create", &media.id, detail);
    let caller = Caller { idempotency: None, ..caller.clone() };
    let id = finish(services, &caller, tx, media.id, &[entry]).await?.value;
    Ok(Upload { media_id: Some(id), ..upload.clone() })
}

/// Gives an upload up; what became of it stays.
pub async fn remove(services: &Services, caller: &Caller, id: &UploadId) -> Result<(), Error> {
    own(services, caller, id).await?;
    let mut tx = services.store.begin().await?;
    uploads::remove(&mut tx, id).await?;
    let entry = caller.entry("upload.remove", id, json!({}));
    let caller = Caller { idempotency: None, ..caller.clone() };
    finish(services, &caller, tx, (), &[entry]).await?;
    services.files.resumables().remove(id.as_str()).await.map_err(Error::internal)
}
