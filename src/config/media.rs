//! Pictures and videos: how large they may be, and where they are kept.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::LEAST;
use super::read::Read;

/// Pictures and videos.
#[derive(Debug, Clone)]
pub struct Media {
    /// The largest file of a picture.
    pub max_bytes: usize,
    /// The largest file of a video.
    pub max_video_bytes: usize,
    /// The largest picture, width times height.
    pub max_pixels: u64,
    /// How many unfinished uploads one person may have.
    pub uploads_per_person: u32,
    /// How long after its beginning an upload is forgotten.
    pub upload_expiry: Duration,
    /// Where they are kept.
    pub keep: Keep,
}

/// Where files are kept.
#[derive(Debug, Clone)]
pub enum Keep {
    /// In the data directory.
    Disk,
    /// In a bucket of an S3-compatible store.
    Bucket(Box<Bucket>),
}

/// A bucket of an S3-compatible store.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Where the store is.
    pub endpoint: Url,
    /// What it calls the place of the bucket.
    pub region: String,
    /// The bucket's name.
    pub bucket: String,
    /// What the names of all objects begin with; empty, or without slashes at its ends.
    pub prefix: String,
    /// Which key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: SecretString,
    /// Whether the bucket stands in the path and not in the name of the host.
    pub path_style: bool,
    /// Total deadline of one request.
    pub timeout: Duration,
}

impl Media {
    pub(super) fn read(read: &Read<'_>) -> Self {
        let bucket = Bucket::read(read);
        let keep = match (read.text("media.store").as_str(), bucket) {
            ("s3", Some(bucket)) if cfg!(feature = "s3") => Keep::Bucket(Box::new(bucket)),
            ("s3", _) => {
                Bucket::demand(read);
                Keep::Disk
            }
            ("disk", _) => Keep::Disk,
            _ => {
                read.fault("media.store", "must be disk or s3");
                Keep::Disk
            }
        };
        Self {
            max_bytes: read.number("media.max_bytes", 1..=1 << 32),
            max_video_bytes: read.number("media.max_video_bytes", 1..=1 << 40),
            max_pixels: read.number("media.max_pixels", 1..=1 << 32),
            uploads_per_person: read.number("media.uploads_per_person", 1..=1_000),
            upload_expiry: read.duration("media.upload_expiry", LEAST),
            keep,
        }
    }
}

impl Bucket {
    /// The bucket, when all of it is there.
    fn read(read: &Read<'_>) -> Option<Self> {
        let endpoint =
            read.optional("media.s3.endpoint").and_then(|_| read.url("media.s3.endpoint"));
        let bucket = read.optional("media.s3.bucket");
        if bucket.as_ref().is_some_and(|it| !is_name(it)) {
            let message = "must have 3 to 63 lower-case letters, digits, dots and hyphens";
            read.fault("media.s3.bucket", message);
        }
        let prefix = read.text("media.s3.prefix");
        let prefix = prefix.trim_matches('/');
        if !prefix.is_empty() && !prefix.split('/').all(is_segment) {
            let message =
                "must be parts of letters, digits, -, _ and single dots, with / between them";
            read.fault("media.s3.prefix", message);
        }
        let region = read.text("media.s3.region");
        let access_key_id = read.optional("media.s3.access_key_id");
        let secret_access_key = read.secret("media.s3.secret_access_key");
        let path_style = read.truth("media.s3.path_style");
        let timeout = read.duration("media.s3.timeout", LEAST);
        Some(Self {
            endpoint: endpoint?,
            region,
            bucket: bucket?,
            prefix: prefix.to_owned(),
            access_key_id: access_key_id?,
            secret_access_key: secret_access_key?,
            path_style,
            timeout,
        })
    }

    /// Says what is missing.
    fn demand(read: &Read<'_>) {
        if !cfg!(feature = "s3") {
            read.fault("media.store", "this build has no s3: it was made without that feature");
            return;
        }
        for key in ["media.s3.endpoint", "media.s3.bucket", "media.s3.access_key_id"] {
            if read.optional(key).is_none() {
                read.fault(key, "must be set, since media.store is s3");
            }
        }
        let pair = ["media.s3.secret_access_key", "media.s3.secret_access_key_file"];
        if pair.iter().all(|key| read.optional(key).is_none()) {
            read.fault("media.s3.secret_access_key_file", "must be set, since media.store is s3");
        }
    }
}

/// What buckets may be called, as far as it concerns an address.
fn is_name(text: &str) -> bool {
    let letter = |it: u8| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    (3..=63).contains(&text.len())
        && text.bytes().all(letter)
        && !text.starts_with(['-', '.'])
        && !text.ends_with(['-', '.'])
        && !text.contains("..")
}

fn is_segment(text: &str) -> bool {
    let letter = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(letter) && !text.contains("..") && text != "."
}
