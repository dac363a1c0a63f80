//! A kept file that is read in parts: all of it is proven once, and every part again when it is read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;

use super::bucket::{Bucket, PART};
use super::files::{Error, at};
use super::inspect::Unfit;
use super::place::Spot;
use super::video::{Blank, blanks};

/// What is proven at a time.
const BLOCK: u64 = 1 << 20;

/// A file that was the one that was put in when it was opened. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Opened(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    sha256: String,
    size: u64,
    /// The hash of each block, by which a part is known again.
    blocks: Vec<[u8; 32]>,
}

#[derive(Debug)]
enum Source {
    Disk { file: File, path: PathBuf },
    Bucket { bucket: Bucket, key: String },
}

impl Opened {
    /// Reads the file once, in blocks, if it has at most so many bytes.
    pub(super) async fn open(spot: Spot, sha256: String, most: u64) -> Result<Self, Error> {
        let inner = match spot {
            Spot::Disk(path) => blocking(move || Inner::from_disk(path, sha256, most)).await?,
            Spot::Bucket(bucket, key) => Inner::from_bucket(bucket, key, sha256, most).await?,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Size of the file.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// The film as it leaves: without what it says beside its pictures and its sound.
    pub async fn quiet(&self) -> Result<Quiet, Error> {
        let mut reader = Reader::new(self.0.clone());
        let found = blocking(move || {
            let size = reader.inner.size;
            blanks(&mut reader, size).map_err(|why| reader.fault(why))
        });
        Ok(Quiet { opened: self.clone(), blanks: Arc::new(found.await?) })
    }

    /// The file as it leaves where nothing is taken out of it.
    pub fn as_it_is(&self) -> Quiet {
        Quiet { opened: self.clone(), blanks: Arc::default() }
    }

    /// A part of the file, shorter where the file ends; the same bytes that were put in, or an error.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let inner = self.0.clone();
        match inner.source {
            Source::Disk { .. } => blocking(move || inner.read_disk(&range)).await,
            Source::Bucket { .. } => inner.read_bucket(&range).await,
        }
    }
}

/// A film as it leaves; the same bytes each time.
#[derive(Debug, Clone)]
pub struct Quiet {
    opened: Opened,
    blanks: Arc<Vec<Blank>>,
}

impl Quiet {
    /// Size, which is that of the file.
    pub fn size(&self) -> u64 {
        self.opened.size()
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
}

impl Inner {
    fn from_disk(path: PathBuf, sha256: String, most: u64) -> Result<Self, Error> {
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Missing(sha256));
            }
            Err(source) => return Err(Error::Disk { path, source }),
        };
        if file.metadata().map_err(at(&path))?.len() > most {
            return Err(Error::Changed(sha256));
        }
        let mut proof = Proof::default();
        let mut block = Vec::new();
        loop {
            block.clear();
            let read = file.by_ref().take(BLOCK).read_to_end(&mut block).map_err(at(&path))?;
            if read == 0 {
                break;
            }
            proof.add(&block);
        }
        proof.end(Source::Disk { file, path }, sha256)
    }

    async fn from_bucket(
        bucket: Bucket,
        key: String,
        sha256: String,
        most: u64,
    ) -> Result<Self, Error> {
        let mut proof = Proof::default();
        loop {
            let from = proof.size;
            let got = bucket.get(&key, from..from + PART).await.map_err(Error::Store)?;
            let Some((part, size)) = got else { return Err(Error::Missing(sha256)) };
            if size > most {
                return Err(Error::Changed(sha256));
            }
            let is_over = part.is_empty() || from + part.len() as u64 >= size;
            proof = blocking(move || {
                proof.add(&part);
                Ok(proof)
            })
            .await?;
            if is_over {
                return proof.end(Source::Bucket { bucket, key }, sha256);
            }
        }
    }

    /// The blocks that a part touches, as bytes of the file.
    fn around(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let until = range.end.min(self.size);
        let from = range.start / BLOCK * BLOCK;
        (range.start < until).then(|| from..until.next_multiple_of(BLOCK).min(self.size))
    }

    fn read_disk(&self, range: &Range<u64>) -> Result<Bytes, Error> {
        let Source::Disk { file, path } = &self.source else { return Err(self.changed()) };
        let Some(around) = self.around(range) else { return Ok(Bytes::new()) };
        let mut bytes = vec![0; length(&around)];
        file.read_exact_at(&mut bytes, around.start).map_err(at(path))?;
        self.proven(&around, &bytes.into(), range)
    }

    async fn read_bucket(&self, range: &Range<u64>) -> Result<Bytes, Error> {
        let Source::Bucket { bucket, key } = &self.source else { return Err(self.changed()) };
        let Some(around) = self.around(range) else { return Ok(Bytes::new()) };
        let mut bytes = BytesMut::with_capacity(length(&around));
        let mut from = around.start;
        while from < around.end {
            let until = around.end.min(from + PART);
            let got = bucket.get(key, from..until).await.map_err(Error::Store)?;
            let (part, _) = got.ok_or_else(|| Error::Missing(self.sha256.clone()))?;
            bytes.extend_from_slice(&part);
            if part.len() as u64 != until - from {
                return Err(self.changed());
            }
            from = until;
        }
        self.proven(&around, &bytes.freeze(), range)
    }

    /// The part of whole blocks that was asked for, if each is what it was.
    fn proven(
        &self,
        around: &Range<u64>,
        bytes: &Bytes,
        range: &Range<u64>,
    ) -> Result<Bytes, Error> {
        let first = usize::try_from(around.start / BLOCK).unwrap_or(usize::MAX);
        let known = self.blocks.iter().skip(first);
        let same = bytes.chunks(length(&(0..BLOCK))).zip(known);
        if !same.into_iter().all(|(block, known)| Sha256::digest(block)[..] == known[..]) {
            return Err(self.changed());
        }
        let from = length(&(around.start..range.start));
        let until = length(&(around.start..range.end.min(self.size)));
        Ok(bytes.slice(from..until))
    }

    fn changed(&self) -> Error {
        Error::Changed(self.sha256.clone())
    }
}

fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX)
}

/// Hashes what is read of a file: all of it together, and each block.
#[derive(Debug, Default)]
struct Proof {
    whole: Sha256,
    blocks: Vec<[u8; 32]>,
    size: u64,
}

impl Proof {
    /// The next bytes: whole blocks, except at the end of the file.
    fn add(&mut self, bytes: &[u8]) {
        self.whole.update(bytes);
        let blocks = bytes.chunks(length(&(0..BLOCK)));
        self.blocks.extend(blocks.map(|block| <[u8; 32]>::from(Sha256::digest(block))));
        self.size += bytes.len() as u64;
    }

    /// That was all of it.
    fn end(self, source: Source, sha256: String) -> Result<Inner, Error> {
        let Self { whole, blocks, size } = self;
        if hex::encode(whole.finalize()) == sha256 {
            Ok(Inner { source, sha256, size, blocks })
        } else {
            Err(Error::Changed(sha256))
        }
    }
}

/// Reads an opened file on a thread that may block, one proven block after the other.
struct Reader {
    inner: Arc<Inner>,
    runtime: Handle,
    at: u64,
    /// The block that was read last, with its place.
    held: (u64, Bytes),
    failed: Option<Error>,
}

impl Reader {
    fn new(inner: Arc<Inner>) -> Self {
        let runtime = Handle::current();
        Self { inner, runtime, at: 0, held: (0, Bytes::new()), failed: None }
    }

    /// What it means that the film cannot be read: what is wrong with it, or that it was not given.
    fn fault(&mut self, why: Unfit) -> Error {
        self.failed
            .take()
            .unwrap_or_else(|| Error::Unfit { sha256: self.inner.sha256.clone(), why })
    }

    /// What is held of the block around the place, from the place on.
    fn here(&self) -> &[u8] {
        let (from, block) = &self.held;
        self.at
            .checked_sub(*from)
            .map_or(&[][..], |before| block.get(length(&(0..before))..).unwrap_or_default())
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.here().is_empty() {
            let from = self.at / BLOCK * BLOCK;
            let range = from..from + BLOCK;
            let block = match self.inner.source {
                Source::Disk { .. } => self.inner.read_disk(&range),
                Source::Bucket { .. } => self.runtime.block_on(self.inner.read_bucket(&range)),
            };
            match block {
                Ok(block) => self.held = (from, block),
                Err(error) => {
                    self.failed = Some(error);
                    return Err(io::Error::other("not given"));
                }
            }
        }
        let mut here = self.here();
        let read = here.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let moved = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.inner.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = moved.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let stopped =
        |error| Error::Disk { path: Path::new("").to_owned(), source: io::Error::other(error) };
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
        let opened = files.open(&sha256, u64::MAX).await.unwrap();
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
        assert!(matches!(files.open(&sha256, u64::MAX).await, Err(Error::Changed(_))));
        // What has become longer is known by that, and not read.
        file.set_len(1 << 40).unwrap();
        assert!(matches!(files.open(&sha256, 3_000_000).await, Err(Error::Changed(_))));
        assert!(matches!(files.read(&sha256, 3_000_000).await, Err(Error::Changed(_))));
        assert!(matches!(files.open(&"0".repeat(64), u64::MAX).await, Err(Error::Missing(_))));
    }
    #[tokio::test]
    async fn what_a_film_says_of_itself_does_not_leave() {
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
        let quiet = files.open(&sha256, u64::MAX).await.unwrap().quiet().await.unwrap();
        let left = quiet.read(0..quiet.size()).await.unwrap();
        assert_eq!(left.len(), film.len());
        assert!(!left.windows(4).any(|it| it == b"LEAK"));
        // A film that says nothing leaves as it is.
        let film = [boxed("ftyp", b"isom"), boxed("mdat", &[7; 99])].concat();
        let sha256 = files.put(&film.clone().into()).await.unwrap();
        let quiet = files.open(&sha256, u64::MAX).await.unwrap().quiet().await.unwrap();
        assert_eq!(quiet.read(0..quiet.size()).await.unwrap(), film);
    }
}
