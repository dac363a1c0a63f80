//! Files by the SHA-256 of their content: the same file is kept once, and a file that is read back
//! is the one that was put in, or an error.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::fs;
use tokio::sync::Semaphore;

use super::incoming::{Incoming, Received};
use super::inspect::Unfit;
use super::opened::Opened;
use super::rendition::MEGAPIXELS_AT_ONCE;
use super::resumable::{Resumables, Turns};

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
    /// The file on disk is not what was put in.
    #[error("the file with the hash {0} has changed on disk")]
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
}

/// The directory of media files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Files {
    directory: PathBuf,
    /// Turns of working on pictures, in millions of pixels.
    turns: Arc<Semaphore>,
    /// Whose turn it is to write to what comes in over several requests.
    writers: Arc<Turns>,
}

impl Files {
    /// Files below `directory`, which is made when it is needed.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let turns = Arc::new(Semaphore::new(MEGAPIXELS_AT_ONCE as usize));
        Self { directory: directory.into(), turns, writers: Arc::default() }
    }

    /// Others in a directory of that name inside of this one; they take the same turns.
    pub(super) fn beside(&self, name: &str) -> Self {
        let directory = self.directory.join(name);
        Self { directory, turns: self.turns.clone(), writers: Arc::default() }
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
        let path = self.path(received.sha256())?;
        if self.open(received.sha256()).await.is_ok() {
            return Ok(());
        }
        let parent = path.parent().unwrap_or(&self.directory);
        fs::create_dir_all(parent).await.map_err(at(parent))?;
        fs::rename(&received.aside.0, &path).await.map_err(at(&path))?;
        for directory in [parent, &self.directory] {
            let opened = fs::File::open(directory).await.map_err(at(directory))?;
            opened.sync_all().await.map_err(at(directory))?;
        }
        Ok(())
    }

    /// Keeps a file durably and gives its hash.
    pub async fn put(&self, bytes: &Bytes) -> Result<String, Error> {
        let mut incoming = self.receive().await?;
        incoming.write(bytes).await?;
        let received = incoming.end().await?;
        self.keep(&received).await?;
        Ok(received.sha256().to_owned())
    }

    /// Copies a file, in parts, and gives its size.
    pub async fn copy(&self, sha256: &str, into: &Self) -> Result<u64, Error> {
        const PART: u64 = 4 << 20;
        let opened = self.open(sha256).await?;
        let mut incoming = into.receive().await?;
        while incoming.size() < opened.size() {
            let from = incoming.size();
            incoming.write(&opened.read(from..from + PART).await?).await?;
        }
        let received = incoming.end().await?;
        into.keep(&received).await?;
        Ok(received.size())
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

    /// Opens a file for reading it in parts, after making sure that it is the one that was put in.
    pub async fn open(&self, sha256: &str) -> Result<Opened, Error> {
        Opened::open(self.path(sha256)?, sha256.to_owned()).await
    }

    /// Reads a file and makes sure that it is the one that was put in.
    pub async fn read(&self, sha256: &str) -> Result<Bytes, Error> {
        let path = self.path(sha256)?;
        let bytes = match fs::read(&path).await {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Missing(sha256.to_owned()));
            }
            Err(source) => return Err(Error::Disk { path, source }),
        };
        if hex::encode(Sha256::digest(&bytes)) == sha256 {
            Ok(bytes)
        } else {
            Err(Error::Changed(sha256.to_owned()))
        }
    }

    fn path(&self, sha256: &str) -> Result<PathBuf, Error> {
        let hexadecimal = sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let (first, rest) = sha256
            .split_at_checked(2)
            .filter(|_| hexadecimal && sha256.len() == 64)
            .ok_or(Error::NoHash)?;
        Ok(self.directory.join(first).join(rest))
    }
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
        assert_eq!(files.read(&sha256).await.unwrap(), "picture");

        let path = directory.path().join(&sha256[..2]).join(&sha256[2..]);
        std::fs::write(path, b"Picture").unwrap();
        assert!(matches!(files.read(&sha256).await, Err(Error::Changed(_))));
        assert!(matches!(files.read(&"0".repeat(64)).await, Err(Error::Missing(_))));
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
        assert!(matches!(files.read("../../etc/passwd").await, Err(Error::NoHash)));
    }
}
