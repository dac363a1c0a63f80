//! The vocabulary that every platform must speak: what came of a create, what a look found.

use jiff::Timestamp;

use crate::domain::account::Health;
use crate::domain::attempt::{Reach, Receipt};
use crate::domain::connection::MissingScope;

/// What came of a create. There is no error besides: a failure is one of these too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The platform has it and gave its id.
    Published(Receipt),
    /// The platform took it and is still processing; to be polled, never sent again.
    Pending(Ticket),
    /// Definitely not created, and trying again would not help.
    Refused(Refusal),
    /// Definitely not created; may be tried again at or after an instant.
    Deferred(Deferral),
    /// The platform may or may not have it.
    Unknown(Doubt),
}

/// How a platform knows what it is still processing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ticket {
    /// The platform's id of the unfinished thing.
    pub id: String,
    /// When to ask again.
    pub check_at: Timestamp,
}

/// Why a platform definitely refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal; decides what happens to the account.
    pub kind: RefusalKind,
    /// The platform's code, such as `190/463` or `403 duplicate`.
    pub code: String,
    /// The platform's words, shortened, without secrets.
    pub detail: String,
}

/// What a refusal means for what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// This post as it is; a person must change it.
    Content,
    /// The credential is dead: the account needs to be connected again; its deliveries are held.
    Credential,
    /// The credential lacks a right: the account is paused; its deliveries are held.
    Permission,
    /// The platform wants a person to do something there (security check, identity).
    Person,
    /// Our application's set-up is wrong; concerns every account of the platform.
    Configuration,
    /// The application's credit is used up; concerns every account of the platform.
    Credits,
    /// The platform says that the same text is already there: to be read back.
    Duplicate,
}

/// The word of a [`Deferral`] while a platform works on a file: only the platform can bring that on.
pub const PROCESSING: &str = "processing";

/// Why and until when to wait. Never uses up an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferral {
    /// Not before this instant; `None` leaves it to the back-off.
    pub until: Option<Timestamp>,
    /// Stable word: `rate_limit`, `connect`, `throttled`, `daily_limit`, `monthly_limit`, `upload`,
    /// [`PROCESSING`].
    pub code: &'static str,
    /// For people.
    pub detail: String,
    /// True when the whole account must wait, not this delivery alone.
    pub whole_account: bool,
}

/// Why the outcome is hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// How far the request got.
    pub reach: Reach,
    /// What was seen: a status, a broken answer, a time-out.
    pub detail: String,
    /// An id that the platform gave away although the answer was broken.
    pub remote_id: Option<String>,
}

/// What reading back an account says about one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Exactly one post matches.
    Found(Receipt),
    /// The read succeeded for the right account and no post matches.
    Absent,
    /// More than one post matches: a person must choose.
    Several(Vec<Receipt>),
    /// No post matches, but one may be it, with its text rewritten: only a person can tell.
    Similar(Vec<Receipt>),
    /// It is there by its id, and the platform is still working on it.
    Processing {
        /// What the platform says of it.
        detail: String,
    },
    /// It is there by its id, and nobody has made it public: that may be asked for again, because the
    /// request names it and can make no second one.
    NotPublic,
    /// It is there by its id, and will certainly never be public.
    Failed(Refusal),
    /// The read failed or was for the wrong account: says nothing, least of all absence.
    CannotSee {
        /// What was seen instead.
        detail: String,
        /// When to try again at the earliest, if the platform said so.
        until: Option<Timestamp>,
    },
}

/// What reading an account through says about a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Every post of the gap was seen, for the right account.
    Whole {
        /// Those that are not known here.
        posts: Vec<Shown>,
        /// For each that is still to be sent, in order: whether it is among them.
        lookups: Vec<Lookup>,
        /// How many posts were shown, known ones and others.
        shown: usize,
        /// How many answers that took.
        pages: u32,
    },
    /// The read failed, was not whole, or was for the wrong account: says nothing.
    CannotSee {
        /// What was seen instead.
        detail: String,
        /// When to try again at the earliest, if the platform said so.
        until: Option<Timestamp>,
        /// How many posts were shown all the same.
        shown: usize,
        /// How many answers of lists were asked for.
        pages: u32,
    },
}

/// A post that an account shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Which it is, where, and since when.
    pub receipt: Receipt,
    /// What it says, in the platform's words; may be empty.
    pub text: String,
}

/// What asking for one post of an account says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// It is there and the account's own.
    There(Receipt),
    /// The platform says that there is no such post, or none that the account may see.
    NotThere,
    /// It is another account's.
    OfAnother,
    /// The read failed: says nothing.
    CannotSee(String),
}

/// What must be shown before a post that is said not to exist counts as gone: that lists are empty and
/// other posts are not there either proves nothing but that the platform answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witness {
    /// Another post of the account that should be there.
    pub remote_id: Option<String>,
    /// Something must be shown: that post, or any in the account's list.
    pub needed: bool,
}

/// What looking for a post says that was there once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It is there.
    There,
    /// The platform says that it does not exist, while the account and its other posts can be read.
    Gone,
    /// Says nothing, least of all that it is gone.
    CannotSee {
        /// What was seen instead.
        detail: String,
        /// When to try again at the earliest, if the platform said so.
        until: Option<Timestamp>,
    },
}

/// What came of deleting a post, or of giving it another text. Either may be repeated, whatever came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alteration {
    /// The platform says that it has done so.
    Made,
    /// The platform says that there is no such post, or none that the account may see.
    NotThere(String),
    /// Definitely not done, and trying again would not help unless somebody does something.
    Refused(Refusal),
    /// Definitely not done; may be tried again at or after an instant.
    Deferred(Deferral),
    /// It may or may not be done.
    Unknown(String),
}

/// What a post says at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worded {
    /// Its text in the platform's form; empty where it has none.
    pub text: String,
    /// What the platform must be told again with another text, in the form of its client.
    pub beside: serde_json::Value,
}

/// What asking for the text of a post says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wording {
    /// It is there and says this.
    Says(Worded),
    /// The platform says that there is no such post, or none that the account may see.
    NotThere(String),
    /// The read failed: says nothing.
    CannotSee {
        /// What was seen instead.
        detail: String,
        /// When to try again at the earliest, if the platform said so.
        until: Option<Timestamp>,
    },
}

/// Why a link names no post of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPost {
    /// It leads to another host than the platform's.
    Elsewhere,
    /// It names another account.
    AnotherAccount,
    /// It has no id of a post, or one that only the platform can resolve.
    NoId,
}

/// Who a credential belongs to, by the platform's own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The platform's id.
    pub remote_id: String,
    /// The name shown there.
    pub name: String,
    /// The handle, where the platform has one.
    pub handle: Option<String>,
    /// Followers, when the answer carried them.
    pub followers: Option<u64>,
    /// Whether it may publish long texts.
    pub long_posts: LongPosts,
}

/// Whether an account may publish long texts, and by whose word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LongPosts {
    /// What the platform has said, when the answer said so.
    pub said: Option<bool>,
    /// The configuration names the account.
    pub named: bool,
}

impl LongPosts {
    /// What is known of an account with this. What the platform does not say is as it has said last; the
    /// configuration is as it is now.
    pub fn learnt(self, before: &Health) -> Health {
        let said = self.said.or(before.long_posts_said);
        let long_posts = self.named || said.unwrap_or(false);
        Health { long_posts, long_posts_said: said, ..before.clone() }
    }
}

/// What a platform says of an account's access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Its credential is taken.
    Alive(Standing),
    /// The platform says in its own words that it does not take the credential.
    Refused(String),
    /// The credential is taken, but the platform wants something of a person first, or a right is gone.
    Barred(String),
    /// Says nothing about the account.
    Unclear {
        /// What was seen instead.
        detail: String,
        /// When to ask again at the earliest, if the platform said so.
        until: Option<Timestamp>,
    },
}

/// What is told of a credential that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose it is.
    pub owner: Owner,
    /// The rights that it has, where the platform says so.
    pub scopes: Option<Vec<String>>,
    /// Those that are missing of what is asked for, where that is known.
    pub missing: Option<Vec<MissingScope>>,
    /// When it ends, where it does and the platform says so.
    pub expires_at: Option<Timestamp>,
    /// When the platform stops giving data unless a person signs in again, where it says so.
    pub data_access_ends_at: Option<Timestamp>,
}

impl Standing {
    /// Of which nothing but the owner is told.
    pub fn of(owner: Owner) -> Self {
        Self { owner, scopes: None, missing: None, expires_at: None, data_access_ends_at: None }
    }
}

impl From<Result<Owner, OwnerError>> for Access {
    fn from(said: Result<Owner, OwnerError>) -> Self {
        match said {
            Ok(owner) => Self::Alive(Standing::of(owner)),
            Err(OwnerError::Refused(why)) => Self::Refused(why),
            Err(OwnerError::Unreachable(detail)) => Self::Unclear { detail, until: None },
        }
    }
}

/// Why the owner could not be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    /// The platform does not accept the credential.
    #[error("the platform refuses the credential: {0}")]
    Refused(String),
    /// The platform could not be asked; says nothing about the credential.
    #[error("the platform could not be asked: {0}")]
    Unreachable(String),
}

/// What the rate headers of an answer say about one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Which window, such as `x-rate-limit` or `pages`.
    pub window: String,
    /// How much the window holds: creates, or 100 where the platform tells only a share in percent.
    pub most: i64,
    /// How much of that is left; nothing may be sent at 0.
    pub left: i64,
    /// True when creates are counted, false when it is a share.
    pub counted: bool,
    /// Until when that holds; `None` while there is plenty.
    pub until: Option<Timestamp>,
    /// True when it concerns all accounts of the application.
    pub whole_app: bool,
}

impl Usage {
    /// When anything may be sent again, if the window is used up.
    pub fn blocked_until(&self) -> Option<Timestamp> {
        self.until.filter(|_| self.left <= 0)
    }
}
