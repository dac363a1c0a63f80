//! A bucket of an S3-compatible store: objects are put whole and got in parts. It says what is the matter
//! and repeats nothing; whoever asks comes back.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectStore as _, ObjectStoreExt as _, PutPayload,
    RetryConfig,
};
use secrecy::ExposeSecret as _;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::carrier::Carrier;
use super::files::{Error, at};
use super::owner::Owner;
use super::trouble::{Refused, Trouble};
use crate::config;
use crate::outbound::{Failure, Outbound};

/// The most that is got at a time, and what is put at once: as many of the blocks that are proven.
pub(super) const PART: u64 = 8 << 20;
/// The store takes 10,000 parts of a file (Amazon S3 User Guide, "Multipart upload limits", read 2026-11-23).
const MOST_PARTS: u64 = 9_000;
/// What stands around the bytes in an answer.
const ROOM: u64 = 64 << 10;

/// The bucket. Cheap to clone.
#[derive(Clone)]
pub(super) struct Bucket {
    store: Arc<AmazonS3>,
    name: String,
    prefix: String,
    /// Whose it must be; anybody's where nobody is named.
    owner: Option<Owner>,
    /// What was the matter when it was last asked.
    last: Arc<Mutex<Option<Trouble>>>,
}

/// The key is not shown, and nothing else of the library's that may hold it.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Bucket {
    /// The bucket as configured. Its host was chosen by the operator and may lie in a private network;
    /// this client reaches no other one there.
    pub(super) fn new(
        settings: &config::Bucket,
        outbound: &config::Outbound,
        owner: Option<Owner>,
    ) -> Result<Self, Trouble> {
        let other = |error: &dyn StdError| Trouble::Other(error.to_string());
        let mut endpoint = settings.endpoint.clone();
        if !settings.path_style {
            let host = format!("{}.{}", settings.bucket, endpoint.host_str().unwrap_or_default());
            endpoint.set_host(Some(&host)).map_err(|error| other(&error))?;
        }
        let host = endpoint.host_str().unwrap_or_default().to_owned();
        let outbound = config::Outbound { trusted_hosts: vec![host], ..outbound.clone() };
        let outbound = Outbound::configured(&outbound).map_err(|error| other(&error))?;
        let max_answer = usize::try_from(PART + ROOM).unwrap_or(usize::MAX);
        let carrier = Carrier { outbound, timeout: settings.timeout, max_answer };
        let store = AmazonS3Builder::new()
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_region(&settings.region)
            .with_bucket_name(&settings.bucket)
            .with_access_key_id(&settings.access_key_id)
            .with_secret_access_key(settings.secret_access_key.expose_secret())
            // Whether it may be without TLS was judged with the configuration.
            .with_allow_http(true)
            .with_virtual_hosted_style_request(!settings.path_style)
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_http_connector(carrier)
            .build()
            .map_err(|error| other(&error))?;
        let (name, prefix) = (settings.bucket.clone(), settings.prefix.clone());
        Ok(Self { store: Arc::new(store), name, prefix, owner, last: Arc::default() })
    }

    /// How it is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What was the matter when it was last asked, or when it was last looked at whose it is.
    pub(super) fn last(&self) -> Option<Trouble> {
        self.answered().or_else(|| self.owner.as_ref()?.last())
    }

    /// Whether its files are those of whoever keeps them here.
    pub(super) async fn is_ours(&self) -> Result<(), Trouble> {
        match &self.owner {
            Some(owner) => owner.owns(self).await,
            None => Ok(()),
        }
    }

    fn answered(&self) -> Option<Trouble> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whoever does not answer is left alone until [`Self::ask`] finds that it does: a store that hangs
    /// must not keep those who have something else to do.
    fn answers(&self) -> Result<(), Trouble> {
        match self.answered() {
            Some(silent @ Trouble::Silent(_)) => Err(silent),
            Some(_) | None => Ok(()),
        }
    }

    /// A part of an object, shorter where it ends, with the size of the whole; nothing when there is no
    /// such object in a bucket that is ours. At most [`PART`].
    pub(super) async fn get(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<Option<(Bytes, u64)>, Trouble> {
        self.answers()?;
        let got = self.ask(key, range).await?;
        if got.is_none() {
            self.is_ours().await?;
        }
        Ok(got)
    }

    /// The same of any bucket, also of a store that did not answer before.
    pub(super) async fn ask(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<Option<(Bytes, u64)>, Trouble> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let got = async {
            let got = self.store.get_opts(&self.key(key), options).await?;
            let size = got.meta.size;
            Ok((got.bytes().await?, size))
        };
        let got = match got.await {
            Ok(got) => Ok(Some(got)),
            Err(error) => match refused(&error) {
                Some(refused) if refused.is_missing() => Ok(None),
                Some(refused) if refused.is_beyond() => Ok(Some((Bytes::new(), 0))),
                Some(_) | None => Err(self.trouble(&error, "get")),
            },
        };
        self.note(got)
    }

    /// Puts a small object.
    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Trouble> {
        self.answers()?;
        let put = self.store.put(&self.key(key), PutPayload::from_bytes(bytes)).await;
        self.note(put.map(drop).map_err(|error| self.trouble(&error, "put")))
    }

    /// Puts a file; it is there whole, or as it was before.
    pub(super) async fn put_file(&self, key: &str, path: &Path, size: u64) -> Result<(), Error> {
        self.answers().map_err(Error::Store)?;
        let mut file = File::open(path).await.map_err(at(path))?;
        let length = part_length(size);
        if size <= length {
            let bytes = piece(&mut file, path, size).await?;
            return self.put(key, bytes).await.map_err(Error::Store);
        }
        let failed = |error: object_store::Error| {
            let trouble = self.trouble(&error, "put");
            self.remember(Some(trouble.clone()));
            Error::Store(trouble)
        };
        let mut upload = self.store.put_multipart(&self.key(key)).await.map_err(failed)?;
        let sent = async {
            let mut left = size;
            while left > 0 {
                let bytes = piece(&mut file, path, length.min(left)).await?;
                left -= bytes.len() as u64;
                upload.put_part(PutPayload::from_bytes(bytes)).await.map_err(failed)?;
            }
            upload.complete().await.map_err(failed)
        };
        if let Err(error) = sent.await {
            // Best effort: what stays is for the bucket's own rule on unfinished uploads.
            let _gone = upload.abort().await;
            return Err(error);
        }
        self.remember(None);
        Ok(())
    }

    fn key(&self, key: &str) -> Key {
        if self.prefix.is_empty() {
            Key::from(key)
        } else {
            Key::from(format!("{}/{key}", self.prefix))
        }
    }

    fn trouble(&self, error: &object_store::Error, doing: &'static str) -> Trouble {
        if let Some(refused) = refused(error) {
            return refused.trouble(&self.name, doing);
        }
        match causes(error).find_map(|it| it.downcast_ref::<Failure>()) {
            Some(failure) => Trouble::Silent(failure.to_string()),
            None => Trouble::Other(error.to_string()),
        }
    }

    fn note<T>(&self, came: Result<T, Trouble>) -> Result<T, Trouble> {
        self.remember(came.as_ref().err().cloned());
        came
    }

    fn remember(&self, trouble: Option<Trouble>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// How much of a file of this size is put at a time.
fn part_length(size: u64) -> u64 {
    size.div_ceil(MOST_PARTS).next_multiple_of(1 << 20).max(PART)
}

async fn piece(file: &mut File, path: &Path, length: u64) -> Result<Bytes, Error> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact(&mut bytes).await.map_err(at(path))?;
    Ok(bytes.into())
}

fn refused(error: &object_store::Error) -> Option<&Refused> {
    causes(error).find_map(|it| it.downcast_ref())
}

/// An error of anybody's.
type Cause = dyn StdError + 'static;

fn causes<'a>(error: &'a Cause) -> impl Iterator<Item = &'a Cause> {
    std::iter::successors(Some(error), |it: &&'a Cause| (*it).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_never_has_more_parts_than_the_store_takes() {
        for size in [1, PART, PART + 1, 512 << 20, 80 << 30, 1 << 40] {
            let length = part_length(size);
            assert!(size.div_ceil(length) <= 10_000 && length >= PART, "{size}");
        }
    }
}
