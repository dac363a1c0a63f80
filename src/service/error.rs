//! What can come of an act besides success, told apart by what the asker will do about it.

use serde_json::{Map, Value};

use crate::domain::actor::Scope;
use crate::domain::fault::Fault;
use crate::domain::policy::Refused;
use crate::domain::role::Role;
use crate::store;

/// A refusal with its stable word and its words for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Stable machine word; also the key under which its words in other languages are kept.
    pub code: &'static str,
    /// In English.
    pub detail: String,
    /// What the words in other languages put into their gaps.
    pub args: Vec<(&'static str, String)>,
    /// What programs may want to know besides, such as the live state.
    pub members: Map<String, Value>,
    /// When to try again.
    pub retry_after_s: Option<u64>,
}

impl Told {
    /// A refusal.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            args: Vec::new(),
            members: Map::new(),
            retry_after_s: None,
        }
    }

    /// With a value for the gap `name` of its words.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers hand in numbers as well as texts")]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.args.push((name, value.to_string()));
        self
    }

    /// With a member for programs.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// With the number of seconds after which to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

/// Why an act was not done. Nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The actor may not.
    #[error("refused by policy: {}", .0.code)]
    Forbidden(Told),
    /// Nobody knows who asks.
    #[error("not recognised: {}", .0.code)]
    Unknown(Told),
    /// Asked too often; it says when to ask again.
    #[error("too soon: {}", .0.code)]
    TooSoon(Told),
    /// Not there, or not for the actor to know.
    #[error("not found")]
    NotFound,
    /// The state has moved, or something stands in the way.
    #[error("conflict: {}", .0.code)]
    Conflict(Told),
    /// The version that the change was made from is gone.
    #[error("the version is stale")]
    Stale,
    /// Understood, but against a rule; every fault at once.
    #[error("{} faults", .0.len())]
    Invalid(Vec<Fault>),
    /// Larger than allowed.
    #[error("larger than {max_bytes} bytes")]
    TooLarge {
        /// What is allowed.
        max_bytes: u64,
    },
    /// A kind of file that is not taken, or not what it says it is.
    #[error("unsupported: {}", .0.code)]
    Unsupported(Told),
    /// What was being sent broke off or could not be read.
    #[error("unreadable: {}", .0.code)]
    Unreadable(Told),
    /// The idempotency key belongs to another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyMismatch,
    /// Not finished yet, for a reason that should pass; trying again under the same key helps.
    #[error("unfinished: {}", .0.code)]
    Unfinished(Told),
    /// Our outage; trying again helps.
    #[error("busy")]
    Busy,
    /// Our bug or a broken disk.
    #[error("internal failure")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// One fault.
    pub fn fault(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Fault::new(pointer, code, detail)])
    }

    /// A failure that is ours.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound => Self::NotFound,
            store::Error::Stale => Self::Stale,
            store::Error::Busy => Self::Busy,
            store::Error::Full => Self::Unfinished(full()),
            store::Error::Conflict(name) => Self::Conflict(
                Told::new("conflict", "another change got in the way; look again and retry")
                    .member("constraint", name),
            ),
            other @ (store::Error::InUse(_)
            | store::Error::Unsafe(_)
            | store::Error::Unreadable(_)
            | store::Error::NotCommitted
            | store::Error::Panicked
            | store::Error::Migrate(_)
            | store::Error::File { .. }
            | store::Error::Database(_)) => Self::Internal(Box::new(other)),
        }
    }
}

fn full() -> Told {
    let detail = "no room is left on the disk of the database; nothing was changed. Whoever runs the \
                  service must make room; then try again with the same Idempotency-Key";
    Told::new("disk_full", detail)
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::LacksScope(scope) => Self::Forbidden(lacks(scope)),
            Refused::NeedsAdministrator => {
                Self::Forbidden(Told::new("needs_administrator", "only an administrator may"))
            }
            Refused::NeedsRole(roles) => Self::Forbidden(needs_role(roles)),
            Refused::LimitedToAccounts => Self::Forbidden(Told::new(
                "token_limited",
                "the token is limited to some accounts, and this would concern others too",
            )),
            Refused::Hidden => Self::NotFound,
        }
    }
}

fn needs_role(roles: &[Role]) -> Told {
    let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    let words = words.join(", ");
    Told::new("needs_role", format!("this needs one of the roles {words} in the unit"))
        .with("roles", words)
}

fn lacks(scope: Scope) -> Told {
    Told::new("scope_missing", format!("the token does not carry {scope}")).with("scope", scope)
}

/// `Ok` when nothing is wrong, otherwise all of it.
pub fn all_well(faults: Vec<Fault>) -> Result<(), Error> {
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
}
