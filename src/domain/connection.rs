//! Sign-ins that connect accounts: what a platform granted, how far one has come, what is still missing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::id::{AccountId, ConnectionId, PersonId, UnitId};
use super::words;

words! {
    /// How far a sign-in has come.
    ConnectionStatus {
        /// The person has been sent to the platform.
        Waiting = "waiting",
        /// The platform has sent the person back; its code is being exchanged.
        Exchanging = "exchanging",
        /// The platform has granted something; which accounts are meant is still to be said.
        Granted = "granted",
        /// Accounts were chosen that nobody had named beforehand: a second administrator must approve.
        Chosen = "chosen",
        /// The accounts are connected.
        Done = "done",
        /// The platform, or the person there, said no.
        Refused = "refused",
        /// It could not be finished.
        Failed = "failed",
        /// It was not finished in time.
        Expired = "expired",
    }
}

impl ConnectionStatus {
    /// Whether nothing can come of it any more.
    pub const fn is_over(self) -> bool {
        match self {
            Self::Waiting | Self::Exchanging | Self::Granted | Self::Chosen => false,
            Self::Done | Self::Refused | Self::Failed | Self::Expired => true,
        }
    }
}

words! {
    /// Why a sign-in did not come to its end.
    SignInProblem {
        /// The person refused, or the application may not be used by others yet.
        AccessDenied = "access_denied",
        /// The platform did not take the code.
        ExchangeRefused = "exchange_refused",
        /// The platform could not be asked.
        Unreachable = "platform_unreachable",
        /// Rights without which nothing can be published were not granted.
        ScopesMissing = "scopes_missing",
        /// The one who signed in has no account there that can be connected.
        NoAccounts = "no_accounts",
        /// Another account was granted than the one that was expected.
        OtherAccount = "other_account",
    }
}

words! {
    /// What a right at a platform is for.
    ScopePurpose {
        /// To find the accounts that a person may connect.
        FindAccounts = "find_accounts",
        /// To publish, change and delete posts.
        Publish = "publish",
        /// To look for a post after a doubt, and to see that it is still there.
        ReadBack = "read_back",
        /// To attach pictures and videos.
        Media = "media",
        /// To go on without asking the person again.
        StayConnected = "stay_connected",
        /// To write the first comment below a post.
        Comment = "comment",
        /// To measure.
        Measure = "measure",
        /// To reach accounts through a business portfolio.
        Portfolio = "portfolio",
    }
}

/// A right that was not granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissingScope {
    /// The platform's word for it.
    pub scope: String,
    /// What it is for.
    pub purpose: ScopePurpose,
    /// Whether nothing can be published without it.
    pub needed: bool,
}

/// An account that the platform would let us connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Offered {
    /// The platform's id.
    pub remote_id: String,
    /// Its name there.
    pub name: String,
    /// Its handle, where the platform has one.
    pub handle: Option<String>,
    /// Why it cannot be connected: `task_create_content`, `no_token`; `null` when it can.
    pub hindrance: Option<String>,
}

/// What a platform granted, without any secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Granted {
    /// Rights that were granted.
    pub scopes: Vec<String>,
    /// Rights that were asked for and not granted.
    pub missing: Vec<MissingScope>,
    /// Rights that nobody asked for.
    pub extra: Vec<String>,
    /// The accounts that could be connected.
    pub accounts: Vec<Offered>,
    /// When the platform stops giving data unless the person signs in again, where it said so.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub data_access_ends_at: Option<Timestamp>,
}

impl Granted {
    /// Whether something is missing without which nothing can be published.
    pub fn lacks_needed(&self) -> bool {
        self.missing.iter().any(|it| it.needed)
    }

    /// One of the accounts, by its id.
    pub fn offered(&self, remote_id: &str) -> Option<&Offered> {
        self.accounts.iter().find(|it| it.remote_id == remote_id)
    }
}

/// What the account is to be like that comes of a sign-in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Wishes {
    /// Languages it publishes in; the unit's when not said.
    pub languages: Option<Vec<String>>,
    /// IANA zone of its readers; the unit's when not said.
    pub time_zone: Option<String>,
    /// The name shown in the desk; the platform's own when not said.
    pub display_name: Option<String>,
}

/// A sign-in, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// Who began it.
    pub person_id: PersonId,
    /// The unit that is to answer for the accounts.
    pub unit_id: UnitId,
    /// The platform's id.
    pub platform: String,
    /// The account that is connected again; `null` for new ones.
    pub account_id: Option<AccountId>,
    /// The one account that may come of it, when it was named beforehand.
    pub expected_remote_id: Option<String>,
    /// What new accounts are to be like.
    pub wishes: Wishes,
    /// How far it has come.
    pub status: ConnectionStatus,
    /// What was granted.
    pub granted: Option<Granted>,
    /// Which accounts the person who began it has chosen.
    pub chosen: Vec<String>,
    /// The accounts that came of it.
    pub accounts: Vec<AccountId>,
    /// Who approved accounts that nobody had named beforehand.
    pub approved_by: Option<PersonId>,
    /// Why it did not come to its end.
    pub problem: Option<SignInProblem>,
    /// What the platform said about that.
    pub problem_detail: Option<String>,
    /// Counts changes.
    pub version: i64,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Until when it can be finished.
    pub expires_at: Timestamp,
}

impl Connection {
    /// Whether an account with this id may come of it without a second person: the account that is
    /// connected again, or the one that was named before anybody signed in.
    pub fn is_named(&self, remote_id: &str) -> bool {
        self.expected_remote_id.as_deref() == Some(remote_id)
    }

    /// Whether an account with this id may come of it at all: when one was named beforehand, no other.
    pub fn may_become(&self, remote_id: &str) -> bool {
        self.expected_remote_id.is_none() || self.is_named(remote_id)
    }

    /// How it stands at an instant.
    pub fn status_at(&self, now: Timestamp) -> ConnectionStatus {
        if self.status.is_over() || now < self.expires_at {
            self.status
        } else {
            ConnectionStatus::Expired
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_stands_in_the_way() {
        let missing =
            |needed| MissingScope { scope: "a".to_owned(), purpose: ScopePurpose::Measure, needed };
        let granted = |needed| Granted { missing: vec![missing(needed)], ..Granted::default() };
        assert!(granted(true).lacks_needed() && !granted(false).lacks_needed());
    }

    #[test]
    fn what_is_over_stays_what_it_is() {
        for status in ConnectionStatus::ALL {
            let over = !matches!(
                status,
                ConnectionStatus::Waiting
                    | ConnectionStatus::Exchanging
                    | ConnectionStatus::Granted
                    | ConnectionStatus::Chosen
            );
            assert_eq!(status.is_over(), over, "{status}");
        }
    }
}
