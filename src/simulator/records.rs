//! What the simulated platforms keep and report: accounts, posts, pictures and the journal.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One of the simulated platforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// Facebook Pages through the Graph API.
    Facebook,
    /// X through its API v2.
    X,
    /// A Mastodon server.
    Mastodon,
    /// A Bluesky server (AT protocol).
    Bluesky,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Facebook, Self::X, Self::Mastodon, Self::Bluesky];

    /// The name used in the control surface and the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Facebook => "facebook",
            Self::X => "x",
            Self::Mastodon => "mastodon",
            Self::Bluesky => "bluesky",
        }
    }
}

/// A Facebook Page and the token that may act for it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Page {
    /// The decimal id.
    pub id: String,
    /// The name people see.
    pub name: String,
    /// The page access token.
    pub token: String,
    /// Likes and followers.
    pub fan_count: u64,
    /// People who engaged in the last day; the Graph call budget is 4,800 times this.
    pub engaged_users: u64,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            token: String::new(),
            fan_count: 0,
            engaged_users: 10_000,
        }
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// An account with a handle (X, Mastodon, Bluesky) and the token that may act for it.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// The platform's id: a number, on Bluesky a DID.
    pub id: String,
    /// The handle without `@`.
    pub username: String,
    /// The name people see.
    pub name: String,
    /// The user access token.
    pub token: String,
    /// Followers.
    pub followers: u64,
    /// Premium accounts may write 25,000 characters.
    pub premium: bool,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// What both kinds of account have in common inside the simulator.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) name: String,
    pub(crate) followers: u64,
    pub(crate) engaged_users: u64,
    pub(crate) premium: bool,
}

impl From<&Page> for Profile {
    fn from(page: &Page) -> Self {
        Self {
            id: page.id.clone(),
            username: String::new(),
            name: page.name.clone(),
            followers: page.fan_count,
            engaged_users: page.engaged_users,
            premium: false,
        }
    }
}

impl From<&User> for Profile {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.clone(),
            username: user.username.clone(),
            name: user.name.clone(),
            followers: user.followers,
            engaged_users: 0,
            premium: user.premium,
        }
    }
}

/// The application through which a post was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Application {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A picture that belongs to a post.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PhotoRecord {
    /// The platform's id of the picture.
    pub id: String,
    /// The description for people who cannot see it.
    pub alt_text: Option<String>,
    /// Lower-case hex SHA-256 of the bytes that arrived; empty when only an address was given.
    pub sha256: String,
    /// How many bytes arrived.
    pub size: usize,
    /// The sniffed media type.
    pub media_type: String,
}

/// What is true about one post, whatever any reader is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PostRecord {
    /// The platform's id.
    pub id: String,
    /// The text as it was sent, after the platform's own tidying.
    pub text: String,
    /// The link of a Facebook link post.
    pub link: Option<String>,
    /// The pictures in order.
    pub photos: Vec<PhotoRecord>,
    /// The answers of a poll, and for how many minutes it is open.
    pub poll: Option<(Vec<String>, u32)>,
    /// The X post that this one answers.
    pub reply_to: Option<String>,
    /// Who may answer it on X; whom Facebook is to show it rather, as it was sent. None for everybody.
    pub audience: Option<String>,
    /// When it was created, by our clock.
    pub created_at: Timestamp,
    /// From when on lists show it; later than `created_at` when reads lag.
    pub visible_at: Timestamp,
    /// The application that made it; none for a post that did not come through the API.
    pub application: Option<Application>,
    /// False for a draft, and for a scheduled post until its time.
    pub is_published: bool,
    /// When a scheduled Facebook post becomes public.
    pub publish_at: Option<Timestamp>,
    /// What it said before, the first text first.
    pub versions: Vec<String>,
}

impl PostRecord {
    /// Gives it another text; what it said before stays known.
    pub(crate) fn rewrite(&mut self, text: &str) {
        if self.text != text {
            self.versions.push(std::mem::replace(&mut self.text, text.to_owned()));
        }
    }

    /// Whether the public sees it at `now`.
    pub fn is_public(&self, now: Timestamp) -> bool {
        self.is_published || self.publish_at.is_some_and(|at| at <= now)
    }

    /// Whether lists show it at `now`.
    pub fn is_listed(&self, now: Timestamp) -> bool {
        self.visible_at <= now
    }
}

/// What a create request contained, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Intent {
    /// The text.
    pub text: String,
    /// The link, if one was given apart from the text.
    pub link: Option<String>,
    /// The ids of the pictures it named.
    pub media: Vec<String>,
    /// The post it answers.
    pub reply_to: Option<String>,
}

/// What became of a create request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CreateOutcome {
    /// The post exists under this id, whatever the client was told.
    Created(String),
    /// The platform looked at it and said no with this HTTP status.
    Refused(u16),
    /// It was never looked at, because a fault came first.
    NotExecuted,
}

/// One byte-complete create request that reached a simulator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JournalEntry {
    /// Counts up over both platforms.
    pub number: u64,
    /// Where it arrived.
    pub platform: Platform,
    /// The account that it addressed (the token's owner on X).
    pub account: Option<String>,
    /// When it arrived, by our clock.
    pub at: Timestamp,
    /// What it asked for.
    pub intent: Intent,
    /// What became of it.
    pub outcome: CreateOutcome,
    /// The name of the fault that was applied to it.
    pub fault: Option<&'static str>,
}

/// How many create requests arrived, and what became of them; counted even without a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Byte-complete create requests.
    pub received: u64,
    /// Posts that exist because of them.
    pub created: u64,
}

/// Why a token stopped working.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Death {
    /// The person removed the app (Graph subcode 458).
    AppRemoved,
    /// The person must log in to facebook.com (459).
    Checkpoint,
    /// The password was changed (460).
    PasswordChanged,
    /// The token is too old (463).
    Expired,
    /// The person is not confirmed (464).
    Unconfirmed,
    /// The token is invalid (467).
    Invalid,
    /// The person lost the role on the Page (492).
    RoleLost,
}
