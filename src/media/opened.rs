//! A kept file that is read in parts: all of it is proven once, and every part again when it is read.

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::files::{Error, at};
use super::video::{Blank, blanks};

/// What is proven at a time.
const BLOCK: u64 = 1 << 20;

/// A file that was the one that was put in when it was opened. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Opened(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    path: PathBuf,
    sha256: String,
    size: u64,
    /// The hash of each block, by which a part is known again.
    blocks: Vec<[u8; 32]>,
}

impl Opened {
    /// Reads the file once, in blocks.
    pub(super) async fn open(path: PathBuf, sha256: String) -> Result<Self, Error> {
        blocking(move || Inner::open(path, sha256)).await.map(|inner| Self(Arc::new(inner)))
    }

    /// Size of the file.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// The film as it leaves: without what it says beside its pictures and its sound.
    pub async fn quiet(&self) -> Result<Quiet, Error> {
        let inner = self.0.clone();
        let found = blocking(move || {
            let mut file = inner.file.try_clone().map_err(at(&inner.path))?;
            let unfit = |why| Error::Unfit { sha256: inner.sha256.clone(), why };
            blanks(&mut file, inner.size).map_err(unfit)
        });
        let blanks = Arc::new(found.await?);
        let opened = self.clone();
        let mut quiet = Quiet { sha256: self.0.sha256.clone(), opened, blanks };
        if !quiet.blanks.is_empty() {
            quiet.sha256 = quiet.hash().await?;
        }
        Ok(quiet)
    }

    /// A part of the file, shorter where the file ends; the same bytes that were put in, or an error.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let inner = self.0.clone();
        blocking(move || inner.read(&range)).await
    }
}

/// A film as it leaves; the same bytes each time.
#[derive(Debug, Clone)]
pub struct Quiet {
    opened: Opened,
    blanks: Arc<Vec<Blank>>,
    sha256: String,
}

impl Quiet {
    /// Size, which is that of the file.
    pub fn size(&self) -> u64 {
        self.opened.size()
    }

    /// The hash of all bytes that leave.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// A part of what leaves, shorter where the file ends.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let from = range.start;
        let mut bytes = Vec::from(self.opened.read(range).await?);
        for blank in self.blanks.iter() {
            blank.apply(&mut bytes, from);
        }
        Ok(bytes.into())
    }

    async fn hash(&self) -> Result<String, Error> {
        let mut hash = Sha256::new();
        let mut from = 0;
        while from < self.size() {
            let until = from + BLOCK;
            hash.update(&self.read(from..until).await?);
            from = until;
        }
        Ok(hex::encode(hash.finalize()))
    }
}

impl Inner {
    fn open(path: PathBuf, sha256: String) -> Result<Self, Error> {
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Missing(sha256));
            }
            Err(source) => return Err(Error::Disk { path, source }),
        };
        let (mut whole, mut blocks, mut size) = (Sha256::new(), Vec::new(), 0);
        let mut block = Vec::new();
        loop {
            block.clear();
            let read = file.by_ref().take(BLOCK).read_to_end(&mut block).map_err(at(&path))?;
            if read == 0 {
                break;
            }
            whole.update(&block);
            blocks.push(Sha256::digest(&block).into());
            size += read as u64;
        }
        if hex::encode(whole.finalize()) != sha256 {
            return Err(Error::Changed(sha256));
        }
        Ok(Self { file, path, sha256, size, blocks })
    }

    fn read(&self, range: &Range<u64>) -> Result<Bytes, Error> {
        let until = range.end.min(self.size);
        if range.start >= until {
            return Ok(Bytes::new());
        }
        let first = range.start / BLOCK;
        let from = first * BLOCK;
        let mut bytes = Vec::new();
        for (number, known) in (first..until.div_ceil(BLOCK)).zip(self.known_since(first)) {
            let at_byte = number * BLOCK;
            let length = BLOCK.min(self.size - at_byte);
            let mut block = vec![0; usize::try_from(length).unwrap_or_default()];
            self.file.read_exact_at(&mut block, at_byte).map_err(at(&self.path))?;
            if Sha256::digest(&block)[..] != known[..] {
                return Err(Error::Changed(self.sha256.clone()));
            }
            bytes.append(&mut block);
        }
        let place = |at: u64| usize::try_from(at - from).unwrap_or(usize::MAX);
        let asked = place(range.start)..place(until).min(bytes.len());
        Ok(Bytes::from(bytes).slice(asked))
    }

    fn known_since(&self, first: u64) -> impl Iterator<Item = &[u8; 32]> {
        self.blocks.iter().skip(usize::try_from(first).unwrap_or(usize::MAX))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let stopped = |error| Error::Disk {
        path: Path::new("").to_owned(),
        source: std::io::Error::other(error),
    };
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Files;

    #[tokio::test]
    async fn parts_are_what_was_put_in_or_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path());
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|it| (it % 251) as u8).collect();
        let sha256 = files.put(&bytes.clone().into()).await.unwrap();
        let opened = files.open(&sha256).await.unwrap();
        assert_eq!(opened.size(), 3_000_000);
        for (from, until) in
            [(0, 1), (5, 1_048_580), (1_048_575, 2_097_153), (2_999_999, 9_999_999)]
        {
            let part = opened.read(from..until).await.unwrap();
            let until = until.min(3_000_000);
            let (from, until) = (usize::try_from(from).unwrap(), usize::try_from(until).unwrap());
            assert_eq!(part, bytes[from..until], "{from}");
        }
        assert_eq!(opened.read(3_000_000..4_000_000).await.unwrap(), "");

        // Changed behind our back after it was opened: only what is touched by it is refused.
        let path = directory.path().join(&sha256[..2]).join(&sha256[2..]);
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(b"x", 2_500_000).unwrap();
        assert!(matches!(opened.read(2_100_000..2_200_000).await, Err(Error::Changed(_))));
        assert!(opened.read(0..2_000_000).await.is_ok());
        assert!(matches!(files.open(&sha256).await, Err(Error::Changed(_))));
        assert!(matches!(files.open(&"0".repeat(64)).await, Err(Error::Missing(_))));
    }
    #[tokio::test]
    async fn the_hash_of_what_leaves_of_a_film_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path());
        let boxed = |kind: &str, body: &[u8]| {
            let size = u32::try_from(body.len() + 8).unwrap();
            [&size.to_be_bytes()[..], kind.as_bytes(), body].concat()
        };
        let film = [
            boxed("ftyp", b"isom"),
            boxed("moov", &boxed("udta", b"LEAK")),
            boxed("mdat", &vec![7; 3_000_000]),
        ];
        let film = film.concat();
        let sha256 = files.put(&film.clone().into()).await.unwrap();
        let quiet = files.open(&sha256).await.unwrap().quiet().await.unwrap();
        let left = quiet.read(0..quiet.size()).await.unwrap();
        assert_eq!(
            (left.len(), hex::encode(Sha256::digest(&left)).as_str()),
            (film.len(), quiet.sha256())
        );
        assert_ne!(quiet.sha256(), sha256);
        assert!(!left.windows(4).any(|it| it == b"LEAK"));
        // A film that says nothing leaves as it is.
        let film = [boxed("ftyp", b"isom"), boxed("mdat", &[7; 99])].concat();
        let sha256 = files.put(&film.into()).await.unwrap();
        let quiet = files.open(&sha256).await.unwrap().quiet().await.unwrap();
        assert_eq!(quiet.sha256(), sha256);
    }
}
