//! One simulated account: its posts, its pictures and what it has used up.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::faults::{Effects, Unreadable};
use super::records::{PhotoRecord, PostRecord, Profile};
use super::settings::Allowance;
use crate::clock;

/// An account with a lock of its own, so that accounts do not wait for each other.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) profile: Profile,
    /// Milliseconds that lists lag behind; `u64::MAX` means "as the settings say".
    lag_ms: AtomicU64,
    reads: AtomicU64,
    /// Whether it has a subscription that lets it write long posts.
    premium: AtomicBool,
    state: Mutex<AccountState>,
}

impl Account {
    pub(crate) fn new(profile: Profile) -> Self {
        Self {
            premium: AtomicBool::new(profile.premium),
            profile,
            lag_ms: AtomicU64::new(u64::MAX),
            reads: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, AccountState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_lag(&self, lag: Option<Duration>) {
        let ms = lag.map_or(u64::MAX, |lag| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX));
        self.lag_ms.store(ms, Ordering::Relaxed);
    }

    /// How far lists lag behind, when the account has a lag of its own.
    pub(crate) fn lag(&self) -> Option<Duration> {
        match self.lag_ms.load(Ordering::Relaxed) {
            u64::MAX => None,
            ms => Some(Duration::from_millis(ms)),
        }
    }

    pub(crate) fn set_premium(&self, premium: bool) {
        self.premium.store(premium, Ordering::Relaxed);
    }

    pub(crate) fn premium(&self) -> bool {
        self.premium.load(Ordering::Relaxed)
    }

    pub(crate) fn count_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

/// A post and what a fault did to it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) record: PostRecord,
    unreadable: Option<(Timestamp, Unreadable)>,
    vanishes_at: Option<Timestamp>,
    deleted: bool,
}

impl Stored {
    pub(crate) fn new(record: PostRecord, effects: Effects) -> Self {
        let at = record.created_at;
        Self {
            unreadable: effects.unreadable.map(|(span, how)| (clock::after(at, span), how)),
            vanishes_at: effects.vanish.map(|span| clock::after(at, span)),
            deleted: false,
            record,
        }
    }

    pub(crate) fn exists(&self, now: Timestamp) -> bool {
        !self.deleted && self.vanishes_at.is_none_or(|at| now < at)
    }

    /// Why it cannot be read by its id just now.
    pub(crate) fn hidden(&self, now: Timestamp) -> Option<Unreadable> {
        self.unreadable.filter(|(until, _)| now < *until).map(|(_, how)| how)
    }
}

/// An uploaded picture.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    pub(crate) photo: PhotoRecord,
    pub(crate) uploaded_at: Timestamp,
    /// Whether a post already shows it.
    pub(crate) used: bool,
    pub(crate) bytes: Bytes,
}

impl Media {
    pub(crate) fn is_expired(&self, now: Timestamp, life_s: u64) -> bool {
        clock::until(self.uploaded_at, now) >= Duration::from_secs(life_s)
    }
}

/// An upload in segments.
#[derive(Debug)]
pub(crate) struct Segmented {
    pub(crate) media_type: String,
    pub(crate) category: String,
    pub(crate) total: u64,
    pub(crate) begun_at: Timestamp,
    pub(crate) segments: BTreeMap<u64, Bytes>,
    /// When it was said that all segments are there.
    pub(crate) whole_at: Option<Timestamp>,
    /// Whether it can be made into something that plays.
    pub(crate) is_sound: bool,
}

/// A film that is brought in parts to an id of its own, and becomes a post when it is finished.
#[derive(Debug, Clone)]
pub(crate) struct Film {
    pub(crate) id: String,
    /// Names the upload of a video; reels have none.
    pub(crate) session: Option<String>,
    /// How many bytes there will be; of a reel that is said with the bytes.
    pub(crate) size: Option<u64>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) begun_at: Timestamp,
    pub(crate) finished: Option<FinishedFilm>,
}

/// What was asked for when a film was finished.
#[derive(Debug, Clone)]
pub(crate) struct FinishedFilm {
    pub(crate) description: String,
    /// Until then it is worked on.
    pub(crate) ready_at: Timestamp,
    /// The post that it becomes; none for a draft, and for what cannot be made.
    pub(crate) post: Option<String>,
    /// Why it cannot be made.
    pub(crate) failure: Option<String>,
}

impl Film {
    pub(crate) fn is_whole(&self) -> bool {
        self.size == Some(self.bytes.len() as u64)
    }
}

/// Calls counted since the start of a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) ends_at: Timestamp,
    pub(crate) used: u64,
}

impl Window {
    /// Counts one call; the window starts anew when it has ended.
    pub(crate) fn count(
        windows: &mut HashMap<String, Window>,
        name: &str,
        allowance: Allowance,
        now: Timestamp,
    ) -> Window {
        let fresh =
            Window { ends_at: clock::after(now, Duration::from_secs(allowance.seconds)), used: 1 };
        if let Some(window) = windows.get_mut(name) {
            if window.ends_at <= now {
                *window = fresh;
            } else {
                window.used += 1;
            }
            return *window;
        }
        windows.insert(name.to_owned(), fresh);
        fresh
    }
}

/// What changes about an account.
#[derive(Debug, Default)]
pub(crate) struct AccountState {
    posts: Vec<Stored>,
    by_id: HashMap<String, usize>,
    pub(crate) media: HashMap<String, Media>,
    /// Uploads in segments.
    pub(crate) segmented: HashMap<String, Segmented>,
    pub(crate) films: HashMap<String, Film>,
    /// When each text was last posted, for the duplicate rule.
    recent: HashMap<String, Timestamp>,
    pub(crate) windows: HashMap<String, Window>,
    /// The post that each key of a repeatable request made, and when.
    pub(crate) keys: HashMap<String, (String, Timestamp)>,
    /// Until when the account is throttled.
    pub(crate) blocked_until: Option<Timestamp>,
}

impl AccountState {
    /// Whether the same content was posted less than `window_s` ago.
    pub(crate) fn is_repeat(&self, key: &str, now: Timestamp, window_s: u64) -> bool {
        self.recent
            .get(key)
            .is_some_and(|at| clock::until(*at, now) < Duration::from_secs(window_s))
    }

    pub(crate) fn remember(&mut self, key: String, now: Timestamp) {
        self.recent.insert(key, now);
    }

    /// Adds a post; the newest goes to the end, one from the past to its place.
    pub(crate) fn add(&mut self, post: Stored) {
        let at = post.record.created_at;
        if self.posts.last().is_none_or(|last| last.record.created_at <= at) {
            self.by_id.insert(post.record.id.clone(), self.posts.len());
            self.posts.push(post);
            return;
        }
        let place = self.posts.partition_point(|earlier| earlier.record.created_at <= at);
        self.posts.insert(place, post);
        self.by_id =
            self.posts.iter().enumerate().map(|(n, post)| (post.record.id.clone(), n)).collect();
    }

    /// A post that exists, by its id.
    pub(crate) fn post(&self, id: &str, now: Timestamp) -> Option<&Stored> {
        self.posts.get(*self.by_id.get(id)?).filter(|post| post.exists(now))
    }

    pub(crate) fn post_mut(&mut self, id: &str, now: Timestamp) -> Option<&mut PostRecord> {
        let post = self.posts.get_mut(*self.by_id.get(id)?)?;
        if post.exists(now) { Some(&mut post.record) } else { None }
    }

    /// Deletes a post; false when there was none.
    pub(crate) fn delete(&mut self, id: &str, now: Timestamp) -> bool {
        let Some(position) = self.by_id.get(id).copied() else { return false };
        match self.posts.get_mut(position) {
            Some(post) if post.exists(now) => {
                post.deleted = true;
                true
            }
            Some(_) | None => false,
        }
    }

    /// All posts that exist, oldest first.
    pub(crate) fn posts(
        &self,
        now: Timestamp,
    ) -> impl DoubleEndedIterator<Item = &PostRecord> + '_ {
        self.posts.iter().filter(move |post| post.exists(now)).map(|post| &post.record)
    }

    /// How many posts were ever made, deleted ones included.
    pub(crate) fn made(&self) -> usize {
        self.posts.len()
    }
}
