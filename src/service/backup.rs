//! A backup: a directory with a consistent copy of the database, the media by their hashes, and a
//! manifest that is written last and says what there must be. The key is never in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::fs;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::media::{self, Files};
use crate::store::backup::{self as copies, Copy, Rows};
use crate::store::{self, SCHEMA_VERSION};

/// The name of the copy.
const DATABASE: &str = "chancery.db";
/// The name of the manifest.
const MANIFEST: &str = "manifest.json";
/// The name of the directory of media.
const MEDIA: &str = "media";
/// The form of the manifest.
const FORM: u32 = 1;

/// What a backup has; without it the directory is no backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this file.
    pub form: u32,
    /// The instant of which the backup tells the state: right before the copy was begun.
    pub state_of: Timestamp,
    /// The release that wrote it.
    pub version: String,
    /// The database's schema step.
    pub schema_step: i64,
    /// Which database it is a copy of.
    pub generation: String,
    /// SHA-256 of the copy.
    pub database_sha256: String,
    /// Rows by table.
    pub rows: Rows,
    /// The last link of the audit.
    pub audit: AuditHead,
    /// How many files of media.
    pub media_files: usize,
    /// Bytes of media.
    pub media_bytes: u64,
}

/// The last link of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Its place.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
}

/// Why a backup could not be made, or is none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory has something in it.
    #[error("{0} is not empty; name a directory that does not exist yet")]
    NotEmpty(PathBuf),
    /// Something is not as the manifest says.
    #[error("the backup is not whole: {0}")]
    NotWhole(String),
    /// It is of a newer release.
    #[error(
        "the backup has schema step {0}, this build knows {SCHEMA_VERSION}; use the newer build"
    )]
    Newer(i64),
    /// The database.
    #[error("the copy of the database")]
    Store(#[from] store::Error),
    /// A file of media.
    #[error("the media")]
    Media(#[from] media::Error),
    /// The disk.
    #[error("{path}")]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Makes a backup of the database in `database` and of `files` in `directory`, which must be empty or
/// not there. The daemon may go on meanwhile.
pub async fn make(
    database: &Path,
    files: &Files,
    directory: &Path,
    now: Timestamp,
) -> Result<Manifest, Error> {
    must_be_empty(directory).await?;
    fs::create_dir_all(directory).await.map_err(at(directory))?;
    let kept = directory.join(DATABASE);
    copies::copy(database, &kept).await?;
    sync(&kept).await?;
    let copy = Copy::open(&kept).await?;
    let contents = copy.inspect().await?;
    let hashes = hashes(&copy).await?;
    copy.close().await;
    // The file of a row is on disk before the row is: whatever the copy knows is there.
    let into = Files::new(directory.join(MEDIA));
    let mut media_bytes = 0;
    for (sha256, size) in &hashes {
        media_bytes += files.copy(sha256, *size, &into).await?;
    }
    let manifest = Manifest {
        form: FORM,
        state_of: now,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema_step: contents.step,
        generation: contents.generation,
        database_sha256: digest(&kept).await?,
        rows: contents.rows,
        audit: AuditHead { seq: contents.audit.0, hash: contents.audit.1 },
        media_files: hashes.len(),
        media_bytes,
    };
    write_manifest(directory, &manifest).await?;
    Ok(manifest)
}

/// Checks a backup: that it is whole and unchanged, every page and reference of the database, the
/// audit chain, and every file.
pub async fn verify(directory: &Path) -> Result<Manifest, Error> {
    let manifest = read_manifest(directory).await?;
    if manifest.schema_step > SCHEMA_VERSION {
        return Err(Error::Newer(manifest.schema_step));
    }
    let kept = directory.join(DATABASE);
    if digest(&kept).await? != manifest.database_sha256 {
        let why = format!("{DATABASE} is not the file that the manifest names");
        return Err(Error::NotWhole(why));
    }
    let copy = Copy::open(&kept).await?;
    let contents = copy.inspect().await?;
    let hashes = hashes(&copy).await?;
    copy.close().await;
    if contents.rows != manifest.rows || contents.generation != manifest.generation {
        return Err(Error::NotWhole("the database is another than the manifest says".to_owned()));
    }
    let files = Files::new(directory.join(MEDIA));
    for (sha256, size) in &hashes {
        files.open(sha256, *size).await?;
    }
    Ok(manifest)
}

/// When the database of a verified backup was first used: by that its installation is known.
pub async fn first_used(directory: &Path) -> Result<Timestamp, Error> {
    let copy = Copy::open(&directory.join(DATABASE)).await?;
    let first_used = copy.first_used().await;
    copy.close().await;
    Ok(first_used?)
}

/// Puts the files of a verified backup where the service looks for them: the media in place, the
/// database beside its place, in `aside`, until it may be used.
pub async fn bring_back(directory: &Path, aside: &Path, files: &Files) -> Result<(), Error> {
    let kept = directory.join(DATABASE);
    let copy = Copy::open(&kept).await?;
    let hashes = hashes(&copy).await?;
    copy.close().await;
    let from = Files::new(directory.join(MEDIA));
    for (sha256, size) in &hashes {
        from.copy(sha256, *size, files).await?;
    }
    fs::copy(&kept, aside).await.map_err(at(aside))?;
    sync(aside).await
}

async fn must_be_empty(directory: &Path) -> Result<(), Error> {
    let mut entries = match fs::read_dir(directory).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(Error::Disk { path: directory.to_owned(), source }),
    };
    match entries.next_entry().await.map_err(at(directory))? {
        None => Ok(()),
        Some(_) => Err(Error::NotEmpty(directory.to_owned())),
    }
}

/// The hashes and sizes of all files that the copy knows.
async fn hashes(copy: &Copy) -> Result<BTreeMap<String, u64>, Error> {
    let mut all = BTreeMap::new();
    loop {
        let after: String = all
            .last_key_value()
            .map(|(sha256, _): (&String, &u64)| sha256.clone())
            .unwrap_or_default();
        let page = copy.files(&after).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page.into_iter().map(|(sha256, size)| (sha256, size.unsigned_abs())));
    }
}

async fn write_manifest(directory: &Path, manifest: &Manifest) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|error| Error::NotWhole(format!("{MANIFEST} cannot be written: {error}")))?;
    let aside = directory.join(format!(".{MANIFEST}"));
    let mut file = fs::File::create(&aside).await.map_err(at(&aside))?;
    file.write_all(&Bytes::from(text)).await.map_err(at(&aside))?;
    file.sync_all().await.map_err(at(&aside))?;
    let path = directory.join(MANIFEST);
    fs::rename(&aside, &path).await.map_err(at(&path))?;
    sync(directory).await
}

async fn read_manifest(directory: &Path) -> Result<Manifest, Error> {
    let path = directory.join(MANIFEST);
    let text = match fs::read(&path).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let why = format!("{} is missing: it was never finished", path.display());
            return Err(Error::NotWhole(why));
        }
        Err(source) => return Err(Error::Disk { path, source }),
    };
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| Error::NotWhole(format!("{MANIFEST} cannot be read: {error}")))?;
    if manifest.form != FORM {
        let why = format!("{MANIFEST} has form {}, this build knows {FORM}", manifest.form);
        return Err(Error::NotWhole(why));
    }
    Ok(manifest)
}

async fn digest(path: &Path) -> Result<String, Error> {
    let mut file = fs::File::open(path).await.map_err(at(path))?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut piece).await.map_err(at(path))?;
        let Some(got) = piece.get(..read).filter(|got| !got.is_empty()) else {
            return Ok(hex::encode(hash.finalize()));
        };
        hash.update(got);
    }
}

async fn sync(path: &Path) -> Result<(), Error> {
    let file = fs::File::open(path).await.map_err(at(path))?;
    file.sync_all().await.map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Disk { path, source }
}
