//! Files by the SHA-256 of their content: the same file is kept once, and a file that is read back
//! is the one that was put in, or an error.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::fs;
use tokio::sync::Semaphore;

use super::bucket::Bucket;
use super::incoming::{Incoming, Received};
use super::inspect::Unfit;
use super::opened::Opened;
use super::owner::Owner;
use super::place::Place;
use super::rendition::MEGAPIXELS_AT_ONCE;
use super::resumable::{Resumables, Turns};
use super::trouble::Trouble;
use crate::config::{Config, Keep};

/// Where everything of media lies in the data directory.
pub const MEDIA: &str = "media";

/// Where files lie while they come in. No hash begins with a dot.
const ASIDE: &str = ".incoming";
/// Where they lie while they come in over several requests.
const RESUMABLE: &str = ".uploads";

/// Why a file could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no file with this content.
    #[error("there is no file with the hash {0}")]
    Missing(String),
    /// The file that is kept is not what was put in.
    #[error("the file with the hash {0} has changed where it is kept")]
    Changed(String),
    /// Something that is no hash.
    #[error("not the hash of a file")]
    NoHash,
    /// Nothing that may leave can be made of the file.
    #[error("nothing can be made of the file with the hash {sha256}")]
    Unfit {
        /// Which file.
        sha256: String,
        /// Why.
        #[source]
        why: Unfit,
    },
    /// The disk refused.
    #[error("file {path}")]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store elsewhere does not do it now; says nothing of the file.
    #[error("the store of media")]
    Store(#[source] Trouble),
}

impl Error {
    /// Whether it is refused because the place has another installation's files.
    pub fn is_anothers(&self) -> bool {
        matches!(self, Self::Store(Trouble::Anothers))
    }
}

/// The files of media. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Files {
    /// What comes in, and what is made of what is kept: always on the disk of this machine.
    directory: Arc<Path>,
    /// What is kept.
    place: Arc<Place>,
    /// Turns of working on pictures, in millions of pixels.
    turns: Arc<Semaphore>,
    /// Whose turn it is to write to what comes in over several requests.
    writers: Arc<Turns>,
}

impl Files {
    /// Files below `directory`, which is made when it is needed.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        Self::kept(directory.clone(), Place::Disk(directory, None))
    }

    /// Files where the configuration says, which must be `owner`'s place.
    pub fn configured(config: &Config, owner: Option<Owner>) -> Result<Self, Error> {
        let directory = config.data_dir.join(MEDIA);
        let place = match &config.media.keep {
            Keep::Disk => Place::Disk(directory.clone(), owner),
            Keep::Bucket(bucket) => {
                Place::Bucket(Bucket::new(bucket, &config.outbound, owner).map_err(Error::Store)?)
            }
        };
        Ok(Self::kept(directory, place))
    }

    fn kept(directory: PathBuf, place: Place) -> Self {
        let turns = Arc::new(Semaphore::new(MEGAPIXELS_AT_ONCE as usize));
        Self { directory: directory.into(), place: place.into(), turns, writers: Arc::default() }
    }

    /// Others in a directory of that name inside of this one; they take the same turns.
    pub(super) fn beside(&self, name: &str) -> Self {
        let directory = self.directory.join(name);
        let place = Place::Disk(directory.clone(), None).into();
        let (directory, turns) = (directory.into(), self.turns.clone());
        Self { directory, place, turns, writers: Arc::default() }
    }

    /// Whether the store elsewhere answers, as a disk always does; and whether the place is ours.
    pub async fn look(&self) -> Result<(), Error> {
        self.place.look().await.map_err(Error::Store)
    }

    /// Where files are kept, once it has been tried that they can be.
    pub async fn check(&self) -> Result<String, Error> {
        self.place.check().await.map_err(Error::Store)
    }

    /// What was the matter with the store elsewhere when it was last asked.
    pub fn trouble(&self) -> Option<String> {
        self.place.trouble().map(|trouble| trouble.to_string())
    }

    /// Whether files are kept elsewhere.
    pub fn are_elsewhere(&self) -> bool {
        matches!(*self.place, Place::Bucket(_))
    }

    /// Files that come in over several requests.
    pub fn resumables(&self) -> Resumables {
        let (files, aside) = (self.directory.join(RESUMABLE), self.directory.join(ASIDE));
        Resumables::new(files, aside, self.writers.clone())
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn turns(&self) -> &Semaphore {
        &self.turns
    }

    /// A place for a file that comes in piece by piece.
    pub async fn receive(&self) -> Result<Incoming, Error> {
        Incoming::begin(&self.directory.join(ASIDE)).await
    }

    /// Keeps a file that has come in; it is either whole in its place, or not there.
    pub async fn keep(&self, received: &Received) -> Result<(), Error> {
        match self.open(received.sha256(), received.size()).await {
            Ok(_whole) => return Ok(()),
            // What does not give now does not take now either.
            Err(error @ Error::Store(_)) => return Err(error),
            Err(
                Error::Missing(_)
                | Error::Changed(_)
                | Error::NoHash
                | Error::Unfit { .. }
                | Error::Disk { .. },
            ) => {}
        }
        self.place.spot(received.sha256())?.put(received).await?;
        if !self.are_elsewhere() {
            return Ok(());
        }
        // Nobody else's word is taken for it: what lies there now is read again, to its end.
        match self.open(received.sha256(), received.size()).await {
            Ok(_whole) => Ok(()),
            Err(Error::Missing(_) | Error::Changed(_)) => Err(Error::Store(Trouble::Unfaithful)),
            Err(error) => Err(error),
        }
    }

    /// Keeps a file durably and gives its hash.
    pub async fn put(&self, bytes: &Bytes) -> Result<String, Error> {
        let mut incoming = self.receive().await?;
        incoming.write(bytes).await?;
        let received = incoming.end().await?;
        self.keep(&received).await?;
        Ok(received.sha256().to_owned())
    }

    /// Copies a file of at most so many bytes, in parts, and gives its size.
    pub async fn copy(&self, sha256: &str, most: u64, into: &Self) -> Result<u64, Error> {
        const PART: u64 = 4 << 20;
        let opened = self.open(sha256, most).await?;
        let mut incoming = into.receive().await?;
        while incoming.size() < opened.size() {
            let from = incoming.size();
            incoming.write(&opened.read(from..from + PART).await?).await?;
        }
        let received = incoming.end().await?;
        into.keep(&received).await?;
        Ok(received.size())
    }

    /// The hashes of all files that lie in the directory on the disk, in their order.
    pub async fn on_disk(&self) -> Result<BTreeSet<String>, Error> {
        let directory = self.directory.clone();
        let read = move || {
            let mut found = BTreeSet::new();
            for (first, path) in
                entries(&directory)?.into_iter().filter(|(name, _)| name.len() == 2)
            {
                for (rest, _) in entries(&path)? {
                    found.insert(format!("{first}{rest}"));
                }
            }
            Ok(found)
        };
        let found: std::io::Result<BTreeSet<String>> =
            tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(error.into()));
        let mut found = found.map_err(at(&self.directory))?;
        found.retain(|sha256| self.place.spot(sha256).is_ok());
        Ok(found)
    }

    /// Removes what uploads have left that a killed process did not end: whatever nobody has written
    /// to since `before`. Another node may share the directory and be in the middle of an upload.
    pub async fn sweep(&self, before: Timestamp) -> Result<(), Error> {
        let aside = self.directory.join(ASIDE);
        let mut entries = match fs::read_dir(&aside).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(at(&aside)(error)),
        };
        while let Some(entry) = entries.next_entry().await.map_err(at(&aside))? {
            let written = entry.metadata().await.and_then(|it| it.modified());
            let written = written.ok().and_then(|it| Timestamp::try_from(it).ok());
            if written.is_some_and(|written| written < before) {
                let path = entry.path();
                fs::remove_file(&path).await.map_err(at(&path))?;
            }
        }
        Ok(())
    }

    /// Opens a file for reading it in parts, after making sure that it is the one that was put in. What has
    /// more than `most` bytes is another one, and is not read.
    pub async fn open(&self, sha256: &str, most: u64) -> Result<Opened, Error> {
        Opened::open(self.place.spot(sha256)?, sha256.to_owned(), most).await
    }

    /// Reads a file of at most so many bytes and makes sure that it is the one that was put in.
    pub async fn read(&self, sha256: &str, most: u64) -> Result<Bytes, Error> {
        self.place.spot(sha256)?.read(sha256, most).await
    }
}

/// What is in a directory, by name; nothing when it is not there.
fn entries(directory: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries
        .map(|entry| entry.map(|it| (it.file_name().to_string_lossy().into_owned(), it.path())))
        .collect()
}

pub(super) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Disk { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_put_in_comes_back_and_a_changed_file_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path());
        let sha256 = files.put(&Bytes::from_static(b"picture")).await.unwrap();
        assert_eq!(files.put(&Bytes::from_static(b"picture")).await.unwrap(), sha256);
        assert_eq!(files.read(&sha256, 7).await.unwrap(), "picture");

        let path = directory.path().join(&sha256[..2]).join(&sha256[2..]);
        std::fs::write(path, b"Picture").unwrap();
        assert!(matches!(files.read(&sha256, 7).await, Err(Error::Changed(_))));
        assert!(matches!(files.read(&"0".repeat(64), 7).await, Err(Error::Missing(_))));
        let left = |at: &Path| std::fs::read_dir(at).unwrap().count();
        assert_eq!(left(&directory.path().join(ASIDE)), 0);
        let mut broken = files.receive().await.unwrap();
        broken.write(b"half").await.unwrap();
        assert_eq!(left(&directory.path().join(ASIDE)), 1);
        drop(broken);
        assert_eq!(left(&directory.path().join(ASIDE)), 0);
        std::fs::write(directory.path().join(ASIDE).join("of a killed process"), b"x").unwrap();
        files.sweep("2020-01-01T00:00:00Z".parse().unwrap()).await.unwrap();
        assert_eq!(left(&directory.path().join(ASIDE)), 1);
        files.sweep("2120-01-01T00:00:00Z".parse().unwrap()).await.unwrap();
        assert_eq!(left(&directory.path().join(ASIDE)), 0);
        assert!(matches!(files.read("../../etc/passwd", 7).await, Err(Error::NoHash)));
    }
}
