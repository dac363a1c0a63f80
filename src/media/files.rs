//! Files by the SHA-256 of their content: the same file is kept once, and a file that is read back
//! is the one that was put in, or an error.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::fs;
use tokio::io::AsyncWriteExt as _;

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
}

impl Files {
    /// Files below `directory`, which is made when it is needed.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Keeps a file durably and gives its hash.
    pub async fn put(&self, bytes: &Bytes) -> Result<String, Error> {
        let sha256 = hex::encode(Sha256::digest(bytes));
        let path = self.path(&sha256)?;
        if fs::metadata(&path).await.is_ok_and(|kept| kept.len() == bytes.len() as u64) {
            return Ok(sha256);
        }
        let parent = path.parent().unwrap_or(&self.directory);
        fs::create_dir_all(parent).await.map_err(at(parent))?;
        // Written aside and moved into place, so that a file is either whole or not there.
        let aside = parent.join(format!(".{sha256}.{:016x}", rand::random::<u64>()));
        let written = write(&aside, bytes).await;
        if let Err(error) = written {
            // Best effort: the first error is the one to tell.
            let _left = fs::remove_file(&aside).await;
            return Err(error);
        }
        fs::rename(&aside, &path).await.map_err(at(&path))?;
        let directory = fs::File::open(parent).await.map_err(at(parent))?;
        directory.sync_all().await.map_err(at(parent))?;
        Ok(sha256)
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

async fn write(path: &Path, bytes: &Bytes) -> Result<(), Error> {
    let mut file = fs::File::create_new(path).await.map_err(at(path))?;
    file.write_all(bytes).await.map_err(at(path))?;
    file.sync_all().await.map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
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
        assert!(matches!(files.read("../../etc/passwd").await, Err(Error::NoHash)));
    }
}
