//! Whose place it is. Only where this installation's mark lies is a file taken, or missed: in the wrong
//! bucket, or below the wrong prefix, every file is missing.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::fs;

use super::bucket::{Bucket, PART};
use super::place::name_of;
use super::trouble::Trouble;
use crate::store::{self, Store, installation, media};

/// The mark, beside the files. No hash begins with a dot.
const MARK: &str = ".chancery";

/// An installation, as the owner of what it keeps elsewhere. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Owner {
    known: Known,
    /// What was the matter when it was last looked at.
    last: Arc<Mutex<Option<Trouble>>>,
}

/// What is known of it.
#[derive(Debug, Clone)]
enum Known {
    /// Its database.
    Store(Store),
    /// When its database was first used; no file of it need be there yet.
    FirstUsed(Timestamp),
}

impl Owner {
    /// The installation with this database.
    pub fn new(store: Store) -> Self {
        Self { known: Known::Store(store), last: Arc::default() }
    }

    /// The installation whose database was first used then, while a person has its files brought somewhere:
    /// that place becomes its own, whatever is there, unless it is another's.
    pub fn bringing(first_used: Timestamp) -> Self {
        Self { known: Known::FirstUsed(first_used), last: Arc::default() }
    }

    /// What was the matter with whose the bucket is.
    pub(super) fn last(&self) -> Option<Trouble> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the bucket is this installation's. One without a mark becomes it when this installation
    /// has no file yet, or has one there: it was brought there, or lay there before there were marks.
    pub(super) async fn owns(&self, bucket: &Bucket) -> Result<(), Trouble> {
        let found = self.look(bucket).await;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = found.as_ref().err().cloned();
        found
    }

    /// Whether a directory is nobody else's. It needs no mark; one may have come there from a bucket.
    pub(super) async fn may_use(&self, directory: &Path) -> Result<(), Trouble> {
        let Ok(found) = fs::read(directory.join(MARK)).await else { return Ok(()) };
        let (mark, _) = self.known().await.map_err(|error| Trouble::Unproven(error.to_string()))?;
        if found == mark.as_bytes() { Ok(()) } else { Err(Trouble::Anothers) }
    }

    async fn look(&self, bucket: &Bucket) -> Result<(), Trouble> {
        let (mark, file) =
            self.known().await.map_err(|error| Trouble::Unproven(error.to_string()))?;
        if let Some((found, _)) = bucket.ask(MARK, 0..PART).await? {
            return if found == mark { Ok(()) } else { Err(Trouble::Anothers) };
        }
        if let Some(sha256) = file {
            let key = name_of(&sha256).ok_or(Trouble::NotThere)?;
            bucket.ask(&key, 0..1).await?.ok_or(Trouble::NotThere)?;
        }
        bucket.put(MARK, Bytes::from(mark)).await
    }

    /// The mark, the same after a backup was brought back, and the newest file that there must be.
    async fn known(&self) -> Result<(String, Option<String>), store::Error> {
        let store = match &self.known {
            Known::Store(store) => store,
            Known::FirstUsed(first_used) => return Ok((mark(*first_used), None)),
        };
        let mut reader = store.read().await?;
        let known = installation::find(&mut reader).await?.ok_or(store::Error::NotFound)?;
        let newest = media::newest(&mut reader).await?;
        Ok((mark(known.created_at), newest.map(|(sha256, _)| sha256)))
    }
}

/// What the mark says.
fn mark(first_used: Timestamp) -> String {
    format!("Files of the Chancery installation of {first_used}.\n")
}
