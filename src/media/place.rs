//! Where kept files lie: in a directory of this machine, or in a bucket that all nodes share. Each has the
//! same name in both, from the hash of its content, and nothing else can be named.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::fs;
use tokio::io::AsyncReadExt as _;

use super::bucket::{Bucket, PART};
use super::files::{Error, at};
use super::incoming::Received;
use super::owner::Owner;
use super::trouble::Trouble;

/// An object by which it is tried whether the bucket can be read and written. No hash begins with a dot.
const TRIED: &str = ".check";
/// One that is never there.
const NEVER: &str = ".never";

/// Where kept files lie. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A directory, and whose it must be; anybody's where nobody is named.
    Disk(PathBuf, Option<Owner>),
    /// A bucket.
    Bucket(Bucket),
}

/// Where one of them lies.
#[derive(Debug, Clone)]
pub(super) enum Spot {
    /// On the disk.
    Disk(PathBuf),
    /// In a bucket, by its name there.
    Bucket(Bucket, String),
}

impl Place {
    /// Where the file with this hash lies, if it is there.
    pub(super) fn spot(&self, sha256: &str) -> Result<Spot, Error> {
        let name = name_of(sha256).ok_or(Error::NoHash)?;
        Ok(match self {
            Self::Disk(directory, _) => Spot::Disk(directory.join(name)),
            Self::Bucket(bucket) => Spot::Bucket(bucket.clone(), name),
        })
    }

    /// What was the matter when the bucket was last asked.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Disk(..) => None,
            Self::Bucket(bucket) => bucket.last(),
        }
    }

    /// Whether it answers, and is ours. A name that is never there tells more than one that is: without
    /// the right to list, a store says "forbidden" to it, and so it would of a file that is lost.
    pub(super) async fn look(&self) -> Result<(), Trouble> {
        let bucket = match self {
            Self::Disk(_, None) => return Ok(()),
            Self::Disk(directory, Some(owner)) => return owner.may_use(directory).await,
            Self::Bucket(bucket) => bucket,
        };
        bucket.ask(NEVER, 0..2).await?;
        bucket.is_ours().await
    }

    /// Whether it can be read and written, tried; and what it is called.
    pub(super) async fn check(&self) -> Result<String, Trouble> {
        self.look().await?;
        let bucket = match self {
            Self::Disk(directory, _) => {
                return Ok(format!("on the disk, in {}", directory.display()));
            }
            Self::Bucket(bucket) => bucket,
        };
        // The same each time: another node may try it just now.
        let bytes = Bytes::from_static(b"Chancery can read and write here.\n");
        bucket.put(TRIED, bytes.clone()).await?;
        let got = bucket.get(TRIED, 0..PART).await?;
        if got.is_some_and(|(got, _)| got == bytes) {
            Ok(format!("in the bucket {}, which can be read and written", bucket.name()))
        } else {
            Err(Trouble::Unfaithful)
        }
    }
}

/// The name of a file with this hash, below the directory or the prefix.
pub(super) fn name_of(sha256: &str) -> Option<String> {
    let hexadecimal = sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (first, rest) = sha256.split_at_checked(2).filter(|_| hexadecimal && sha256.len() == 64)?;
    Some(format!("{first}/{rest}"))
}

impl Spot {
    /// Puts what has come in there: whole and durable, or not at all.
    pub(super) async fn put(&self, received: &Received) -> Result<(), Error> {
        match self {
            Self::Disk(path) => to_disk(received, path).await,
            Self::Bucket(bucket, key) => {
                bucket.put_file(key, &received.aside.0, received.size()).await
            }
        }
    }

    /// All of it, once it has proven to be what was put in. Of what is longer than that no more is read.
    pub(super) async fn read(&self, sha256: &str, most: u64) -> Result<Bytes, Error> {
        let bytes = match self {
            Self::Disk(path) => from_disk(path, most).await?,
            Self::Bucket(bucket, key) => all(bucket, key, most).await?,
        };
        let bytes = bytes.ok_or_else(|| Error::Missing(sha256.to_owned()))?;
        if hex::encode(Sha256::digest(&bytes)) == sha256 {
            Ok(bytes)
        } else {
            Err(Error::Changed(sha256.to_owned()))
        }
    }
}

async fn to_disk(received: &Received, path: &Path) -> Result<(), Error> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).await.map_err(at(parent))?;
    fs::rename(&received.aside.0, path).await.map_err(at(path))?;
    for directory in [Some(parent), parent.parent()].into_iter().flatten() {
        let opened = fs::File::open(directory).await.map_err(at(directory))?;
        opened.sync_all().await.map_err(at(directory))?;
    }
    Ok(())
}

/// One byte more than the most shows that it is longer.
async fn from_disk(path: &Path, most: u64) -> Result<Option<Bytes>, Error> {
    let file = match fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Disk { path: path.to_owned(), source }),
    };
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).await.map_err(at(path))?;
    Ok(Some(bytes.into()))
}

async fn all(bucket: &Bucket, key: &str, most: u64) -> Result<Option<Bytes>, Error> {
    let mut bytes = Vec::new();
    loop {
        let from = bytes.len() as u64;
        let got = bucket.get(key, from..from + PART).await.map_err(Error::Store)?;
        let Some((part, size)) = got else { return Ok(None) };
        let is_all = from == 0 && part.len() as u64 == size;
        if is_all {
            return Ok(Some(part));
        }
        bytes.extend_from_slice(&part);
        if part.is_empty() || bytes.len() as u64 >= size || size > most {
            return Ok(Some(bytes.into()));
        }
    }
}
