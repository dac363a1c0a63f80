//! Stands for the bucket in a build without the feature `s3`: there is none, and none can be made.

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use super::files::Error;
use super::owner::Owner;
use super::trouble::Trouble;
use crate::config;

pub(super) const PART: u64 = 8 << 20;

/// No bucket.
#[derive(Debug, Clone)]
pub(super) enum Bucket {}

#[expect(clippy::unused_async, reason = "called like the other one")]
impl Bucket {
    pub(super) fn new(
        _: &config::Bucket,
        _: &config::Outbound,
        _: Option<Owner>,
    ) -> Result<Self, Trouble> {
        Err(Trouble::Other("nothing: this build was made without the feature s3".to_owned()))
    }

    pub(super) fn name(&self) -> &str {
        match *self {}
    }

    pub(super) fn last(&self) -> Option<Trouble> {
        match *self {}
    }

    pub(super) async fn is_ours(&self) -> Result<(), Trouble> {
        match *self {}
    }

    pub(super) async fn get(
        &self,
        _: &str,
        _: Range<u64>,
    ) -> Result<Option<(Bytes, u64)>, Trouble> {
        match *self {}
    }

    pub(super) async fn ask(
        &self,
        _: &str,
        _: Range<u64>,
    ) -> Result<Option<(Bytes, u64)>, Trouble> {
        match *self {}
    }

    pub(super) async fn put(&self, _: &str, _: Bytes) -> Result<(), Trouble> {
        match *self {}
    }

    pub(super) async fn put_file(&self, _: &str, _: &Path, _: u64) -> Result<(), Error> {
        match *self {}
    }
}
