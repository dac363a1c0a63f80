//! A file while it comes in: written aside piece by piece and hashed on the way, so that its size
//! costs no memory; gone again unless it is kept.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::fs;
use tokio::io::AsyncWriteExt as _;

use super::files::{Error, at};
use super::inspect::TELLING;

/// A file that is being written.
#[derive(Debug)]
pub struct Incoming {
    aside: Aside,
    file: fs::File,
    hash: Sha256,
    head: Vec<u8>,
    size: u64,
}

/// A file that has come in whole and is not kept yet.
#[derive(Debug)]
pub struct Received {
    pub(super) aside: Aside,
    head: Vec<u8>,
    size: u64,
    sha256: String,
}

/// Where it lies. Whatever ends the upload also removes the file, unless it was moved away.
#[derive(Debug)]
pub(super) struct Aside(pub(super) PathBuf);

impl Drop for Aside {
    fn drop(&mut self) {
        // Best effort: what a killed process leaves is swept at the next start.
        let _moved = std::fs::remove_file(&self.0);
    }
}

impl Incoming {
    pub(super) async fn begin(directory: &Path) -> Result<Self, Error> {
        fs::create_dir_all(directory).await.map_err(at(directory))?;
        let path = directory.join(format!("{:032x}", rand::random::<u128>()));
        let file = fs::File::create_new(&path).await.map_err(at(&path))?;
        let (hash, head) = (Sha256::new(), Vec::new());
        Ok(Self { aside: Aside(path), file, hash, head, size: 0 })
    }

    /// The next piece.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.hash.update(piece);
        self.size += piece.len() as u64;
        let missing = TELLING.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(piece.get(..missing).unwrap_or_default());
        self.file.write_all(piece).await.map_err(at(&self.aside.0))
    }

    /// The first bytes, as many as tell what it can be.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// How much has come in.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// That was all of it; it is on the disk now.
    pub async fn end(self) -> Result<Received, Error> {
        self.file.sync_all().await.map_err(at(&self.aside.0))?;
        let sha256 = hex::encode(self.hash.finalize());
        Ok(Received { aside: self.aside, head: self.head, size: self.size, sha256 })
    }
}

impl Received {
    /// What lies there, whole.
    pub(super) fn new(aside: Aside, head: Vec<u8>, size: u64, sha256: String) -> Self {
        Self { aside, head, size, sha256 }
    }

    /// The first bytes, as many as tell what it can be.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Size of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Lower-case hexadecimal SHA-256 of what has come in.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// All of it; for files that are small enough to be held.
    pub async fn bytes(&self) -> Result<Bytes, Error> {
        let path = &self.aside.0;
        fs::read(path).await.map(Bytes::from).map_err(at(path))
    }

    /// For reading parts of it, on a thread that may block.
    pub async fn open(&self) -> Result<std::fs::File, Error> {
        let path = &self.aside.0;
        Ok(fs::File::open(path).await.map_err(at(path))?.into_std().await)
    }
}
