//! An account ready to use: its token, its remote id and the one HTTP client.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;

use super::outcome::Usage;
use super::{Answer, Withdrawn};
use crate::clock::SharedClock;
use crate::domain::id::DeliveryId;
use crate::domain::media::MediaKind;
use crate::outbound::Outbound;

/// What a platform needs to act for one account. Made for one call and dropped after it.
#[derive(Debug, Clone)]
pub struct Session {
    /// The platform's id of the account; what the platform answers must agree with it.
    pub remote_id: String,
    /// The account's handle, where the platform has one; for links.
    pub handle: Option<String>,
    /// The access token; one of OAuth 1.0a with its secret behind a space, which no other token has.
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
    /// The delivery: the same in every attempt, so a platform that lets one choose a key for a post gets it.
    pub delivery: DeliveryId,
    /// NFC text; may be empty when there is media.
    pub text: String,
    /// BCP 47 tag.
    pub language: String,
    /// A link to show as a card or to append, as the platform does it.
    pub link: Option<String>,
    /// Pictures or a video, in order.
    pub media: Vec<ItemMedia>,
    /// Per-platform settings of the delivery, already checked against the platform's rules.
    pub settings: serde_json::Value,
    /// The platform's id of the post under which it is to stand; nothing for what is said first.
    pub under: Option<String>,
    /// Where it is written down what the platform has before anybody sees it.
    pub ledger: Arc<dyn Ledger>,
}

/// Makes durable what a platform has of a delivery while nobody can see it yet.
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Durable when it answers. `Err` means that the delivery is not ours to send any more.
    fn keep<'a>(&'a self, progress: &'a Progress) -> Answer<'a, Result<(), Withdrawn>>;
}

/// Where a post stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Place {
    /// By itself: it is said first.
    #[default]
    First,
    /// Under the post with this id.
    Under(String),
    /// Under a post whose id is not known here.
    UnderSome,
}

/// One picture or video of an [`Item`].
#[derive(Debug, Clone)]
pub struct ItemMedia {
    /// Lower-case hexadecimal SHA-256, of a film the one of the file that was handed in; the key under
    /// which progress is kept.
    pub sha256: String,
    /// Sniffed type, such as `image/jpeg`.
    pub mime: String,
    /// Alternative text in the variant's language; may be empty.
    pub alt: String,
    /// What kind of file it is.
    pub kind: MediaKind,
    /// The file.
    pub source: MediaSource,
}

/// The bytes of a file.
#[derive(Debug, Clone)]
pub enum MediaSource {
    /// All of them; so it is with pictures.
    Held(Bytes),
    /// Read in parts as they are asked for, because all of them would be too many; so it is with videos.
    Parts(Arc<dyn Parts>),
}

/// A file that is read in parts: what is read is what was scheduled.
pub trait Parts: fmt::Debug + Send + Sync {
    /// How many bytes it has.
    fn size(&self) -> u64;

    /// The bytes of a part; fewer only at the end of the file.
    fn read(&self, part: Range<u64>) -> Answer<'_, Result<Bytes, Gone>>;
}

/// The file cannot be read any more, or is not what it was.
#[derive(Debug, thiserror::Error)]
#[error("the file cannot be read any more")]
pub struct Gone(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl MediaSource {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Parts(parts) => parts.size(),
        }
    }

    /// All bytes, if they are held.
    pub fn held(&self) -> Option<&Bytes> {
        match self {
            Self::Held(bytes) => Some(bytes),
            Self::Parts(_) => None,
        }
    }

    /// `length` bytes from `offset` on; fewer only at the end of the file.
    pub async fn read_range(&self, offset: u64, length: u64) -> Result<Bytes, Gone> {
        let until = offset.saturating_add(length).min(self.size());
        match self {
            Self::Held(bytes) => {
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.slice(place(offset.min(until))..place(until)))
            }
            Self::Parts(parts) => parts.read(offset.min(until)..until).await,
        }
    }
}

/// What has been done for a delivery and may be used again: staged media by content hash.
///
/// Saved with the attempt, so that a retry does not upload again.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// Media already at the platform.
    pub staged: Vec<Staged>,
    /// Media on its way there, or worked on there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub under_way: Vec<UnderWay>,
    /// What the platform has made of the whole delivery and shows to nobody yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
}

impl Progress {
    /// Whether nothing is worth keeping.
    pub fn is_empty(&self) -> bool {
        self.staged.is_empty() && self.under_way.is_empty() && self.made.is_none()
    }

    /// Whether the platform has all bytes of a file, so that none of them is needed as it seems now.
    pub fn has_all_of(&self, sha256: &str, now: jiff::Timestamp) -> bool {
        let staged = |it: &Staged| it.sha256 == sha256 && it.expires_at > now;
        let under_way = |it: &UnderWay| it.sha256 == sha256 && it.is_whole && it.expires_at > now;
        // A film that stands for itself is named by what it becomes and its file.
        let made = |it: &Made| it.whole && it.key.ends_with(sha256);
        self.staged.iter().any(staged)
            || self.under_way.iter().any(under_way)
            || self.made.as_ref().is_some_and(made)
    }
}

/// What becomes the post by one more request, which names it and so makes no second one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Made {
    /// Names what it was made of.
    pub key: String,
    /// The platform's id for it; known before anybody sees it.
    pub remote_id: String,
    /// The platform's id of the upload, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    /// Nothing is lacking but the request that makes it public. Durable before that request leaves: what
    /// is not whole was never asked to be made public.
    pub whole: bool,
}

/// A file that the platform takes in parts and works on before it can be used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct UnderWay {
    /// Hash by which it is known again.
    pub sha256: String,
    /// The platform's id for it.
    pub remote_id: String,
    /// How many bytes from its beginning the platform has.
    pub sent: u64,
    /// Whether the platform was told that this is all, and works on it.
    pub is_whole: bool,
    /// Not to be used after this instant.
    pub expires_at: jiff::Timestamp,
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
    /// The delivery that it was; none when any post will do.
    pub delivery: Option<DeliveryId>,
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
    /// Where it was to stand.
    pub place: Place,
    /// The settings of the delivery; null where they are not known.
    pub settings: serde_json::Value,
    /// Whether it is a film: it stands in other lists than posts do.
    pub film: bool,
    /// The id of what was to become public, where that was written down before.
    pub made: Option<Made>,
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
    /// The delivery; none when any post will do.
    pub delivery: Option<DeliveryId>,
    /// The text.
    pub text: String,
    /// The link.
    pub link: Option<String>,
    /// How many pictures are attached.
    pub media_count: usize,
    /// Whether it stands under another post.
    pub follows: bool,
    /// Whether it is a film.
    pub film: bool,
}

impl Gap {
    /// What is looked for, if `sent` was sent in the gap. No mark: a lost attempt may have been made
    /// before the newest post that is known.
    pub(super) fn probe(&self, sent: &Sent) -> Probe {
        Probe {
            delivery: sent.delivery.clone(),
            text: sent.text.clone(),
            link: sent.link.clone(),
            media_count: sent.media_count,
            high_water: None,
            started_at: self.since,
            remote_id: None,
            taken: self.taken.clone(),
            place: if sent.follows { Place::UnderSome } else { Place::First },
            settings: serde_json::Value::Null,
            film: sent.film,
            made: None,
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
