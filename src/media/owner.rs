//! Whose bucket it is. Only where this installation's mark lies does it mean anything that a file is not
//! there: in the wrong bucket, or below the wrong prefix, every file is missing.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::bucket::{Bucket, PART};
use super::place::name_of;
use super::trouble::Trouble;
use crate::store::{self, Store, installation, media};

/// The mark, beside the files. No hash begins with a dot.
const MARK: &str = ".chancery";

/// An installation, as the owner of what it keeps elsewhere. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Owner {
    store: Store,
    /// What was the matter when it was last looked at.
    last: Arc<Mutex<Option<Trouble>>>,
}

impl Owner {
    /// The installation with this database.
    pub fn new(store: Store) -> Self {
        Self { store, last: Arc::default() }
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
        let mut reader = self.store.read().await?;
        let known = installation::find(&mut reader).await?.ok_or(store::Error::NotFound)?;
        let mark = format!("Files of the Chancery installation of {}.\n", known.created_at);
        Ok((mark, media::newest(&mut reader).await?.map(|(sha256, _)| sha256)))
    }
}
