//! Media: what is known of a stored file.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::id::MediaId;
use super::terms::Terms;
use super::words;

words! {
    /// What kind of file it is.
    MediaKind {
        /// A still picture.
        Image = "image",
        /// A moving picture without sound, such as an animated GIF.
        Animation = "animation",
        /// Moving pictures, with sound or without.
        Video = "video",
    }
}

impl MediaKind {
    /// Whether it is a still picture, which is what is meant where nothing is said.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "made for serde")]
    pub(super) fn is_image(&self) -> bool {
        matches!(self, Self::Image)
    }
}

/// What only a video has, as its container says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VideoFacts {
    /// The four letters by which the container calls the pictures' coding, such as `avc1`.
    pub codec: String,
    /// The same of the sound, such as `mp4a`; `null` without sound.
    pub audio_codec: Option<String>,
    /// Pictures in a thousand seconds, in the mean: 29970 for NTSC.
    pub frames_per_1000_s: Option<u32>,
    /// Whether the index stands before the pictures, so that it can be played while it is loaded.
    pub starts_at_once: bool,
}

/// What platforms limit of moving pictures, as it was when they were scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovingFacts {
    /// Width in pixels, as it is shown.
    pub width: Option<u32>,
    /// Height in pixels, as it is shown.
    pub height: Option<u32>,
    /// How long it plays, where that is known.
    pub duration_ms: Option<u64>,
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
    /// What only a video has.
    pub video: Option<VideoFacts>,
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
    /// What only a video has.
    pub video: Option<VideoFacts>,
    /// Size of the file.
    pub size_bytes: u64,
    /// Lower-case hexadecimal SHA-256 of the file.
    pub sha256: String,
    /// On what terms it may be shown, where anything was said: `PUT /media/{id}/terms`.
    #[serde(default)]
    pub terms: Option<Terms>,
    /// When it was handed in.
    pub created_at: Timestamp,
}

impl Media {
    /// What only moving pictures have.
    pub fn moving(&self) -> Option<MovingFacts> {
        let Self { width, height, duration_ms, .. } = *self;
        (!self.kind.is_image()).then_some(MovingFacts { width, height, duration_ms })
    }
}
