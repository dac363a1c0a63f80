//! An account ready to use: its token, its remote id and the one HTTP client.

use std::time::Duration;

use secrecy::SecretString;

use super::outcome::Usage;
use crate::clock::SharedClock;
use crate::outbound::Outbound;

/// What a platform needs to act for one account. Made for one call and dropped after it.
#[derive(Debug, Clone)]
pub struct Session {
    /// The platform's id of the account; what the platform answers must agree with it.
    pub remote_id: String,
    /// The account's handle, where the platform has one; for links.
    pub handle: Option<String>,
    /// The access token.
    pub token: SecretString,
    /// The only HTTP client.
    pub outbound: Outbound,
    /// The time.
    pub clock: SharedClock,
    /// Total deadline of one request.
    pub timeout: Duration,
}

/// One thing to publish: a variant as it was scheduled, with the bytes of its media.
#[derive(Debug, Clone)]
pub struct Item {
    /// NFC text; may be empty when there is media.
    pub text: String,
    /// BCP 47 tag.
    pub language: String,
    /// A link to show as a card or to append, as the platform does it.
    pub link: Option<String>,
    /// Pictures, in order.
    pub media: Vec<ItemMedia>,
    /// Per-platform settings of the delivery, already checked against the platform's rules.
    pub settings: serde_json::Value,
}

/// One picture of an [`Item`].
#[derive(Debug, Clone)]
pub struct ItemMedia {
    /// Lower-case hexadecimal SHA-256; the key under which progress is kept.
    pub sha256: String,
    /// Sniffed type, such as `image/jpeg`.
    pub mime: String,
    /// Alternative text in the variant's language; may be empty.
    pub alt: String,
    /// The file.
    pub bytes: bytes::Bytes,
}

/// What has been done for a delivery and may be used again: staged media by content hash.
///
/// Saved with the attempt, so that a retry does not upload again.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// Media already at the platform.
    pub staged: Vec<Staged>,
}

/// A file that the platform already has.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Staged {
    /// Hash of the file's content and its alternative text.
    pub sha256: String,
    /// The platform's id for it.
    pub remote_id: String,
    /// Not to be used after this instant.
    pub expires_at: jiff::Timestamp,
}

/// What is known of an attempt that is looked for.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The text as it was sent.
    pub text: String,
    /// The link as it was sent.
    pub link: Option<String>,
    /// How many pictures were attached.
    pub media_count: usize,
    /// The newest post of the account that was known before the attempt; only newer ones count.
    pub high_water: Option<String>,
    /// When the attempt began.
    pub started_at: jiff::Timestamp,
    /// An id that the platform gave away although its answer was broken.
    pub remote_id: Option<String>,
    /// Ids that belong to other deliveries and cannot be this one.
    pub taken: Vec<String>,
}

/// What is known of the posts that an account may have got while nobody wrote it down: the database came
/// back from a backup, or has lost its last commits.
#[derive(Debug, Clone)]
pub struct Gap {
    /// Where it begins, by our time.
    pub since: jiff::Timestamp,
    /// Where it ends: what is certainly younger was not made in it.
    pub until: jiff::Timestamp,
    /// Ids of posts that are known here.
    pub taken: Vec<String>,
    /// What is still to be sent, and may be among these posts.
    pub waiting: Vec<Sent>,
}

/// What a delivery sends, as far as posts are compared with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The text.
    pub text: String,
    /// The link.
    pub link: Option<String>,
    /// How many pictures are attached.
    pub media_count: usize,
}

impl Gap {
    /// What is looked for, if `sent` was sent in the gap. No mark: a lost attempt may have been made
    /// before the newest post that is known.
    pub(super) fn probe(&self, sent: &Sent) -> Probe {
        Probe {
            text: sent.text.clone(),
            link: sent.link.clone(),
            media_count: sent.media_count,
            high_water: None,
            started_at: self.since,
            remote_id: None,
            taken: self.taken.clone(),
        }
    }

    /// The latest instant, by a platform's word, of a post that may have been made in it.
    pub(super) fn latest(&self) -> jiff::Timestamp {
        self.until.checked_add(CLOCKS_DIFFER).unwrap_or(self.until)
    }
}

/// Clocks differ by less.
const CLOCKS_DIFFER: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// An answer with what its headers said about rates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metered<T> {
    /// The answer.
    pub value: T,
    /// What the rate headers said, empty when there were none (absence is not zero).
    pub usage: Vec<Usage>,
}
