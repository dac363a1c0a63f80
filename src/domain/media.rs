//! Media: what is known of a stored file.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::id::MediaId;
use super::words;

words! {
    /// What kind of file it is.
    MediaKind {
        /// A still picture.
        Image = "image",
        /// A moving picture without sound, such as an animated GIF.
        Animation = "animation",
    }
}

/// What looking into a file's bytes tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MediaFacts {
    /// What it is.
    pub kind: MediaKind,
    /// Its type by its own bytes, such as `image/jpeg`.
    pub mime: String,
    /// Width in pixels, as it is shown.
    pub width: Option<u32>,
    /// Height in pixels, as it is shown.
    pub height: Option<u32>,
    /// How long it plays.
    pub duration_ms: Option<u64>,
}

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Media {
    /// Its id.
    pub id: MediaId,
    /// What it is.
    pub kind: MediaKind,
    /// Its type by its own bytes.
    pub mime: String,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// How long it plays.
    pub duration_ms: Option<u64>,
    /// Size of the file.
    pub size_bytes: u64,
    /// Lower-case hexadecimal SHA-256 of the file.
    pub sha256: String,
    /// When it was handed in.
    pub created_at: Timestamp,
}
