//! Accounts: one page or profile on one platform, its state and its health.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::connection::MissingScope;
use super::fault::Fault;
use super::id::{AccountId, PersonId, UnitId};
use super::{locale, words};

words! {
    /// Whether an account can publish.
    AccountStatus {
        /// Its credential was accepted when last used.
        Connected = "connected",
        /// Its credential is dead; a person must connect it again.
        NeedsReconnect = "needs_reconnect",
        /// Switched off by a person (`health.paused_by`), or the platform took a right away.
        Paused = "paused",
        /// The organisation took the connection back at the platform.
        Revoked = "revoked",
    }
}

words! {
    /// What kind of credential an account has.
    CredentialKind {
        /// A token of the account's own without an end: a Page's, an access token of Mastodon, an app
        /// password of Bluesky.
        PageToken = "page_token",
        /// A token of a page that was made with a system user's, which hangs on no person.
        SystemUser = "system_user",
        /// An OAuth 2.0 pair of access and refresh token.
        Oauth2 = "oauth2",
        /// An OAuth 1.0a token with its secret: it does not end, and signs each request.
        Oauth1 = "oauth1",
    }
}

/// What is known of an account's connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// When the platform last accepted the credential.
    pub last_ok_at: Option<Timestamp>,
    /// What went wrong after that, if anything did.
    pub last_error: Option<String>,
    /// The owner's name by the platform's word.
    pub owner_name: Option<String>,
    /// Followers, where the platform told.
    pub followers: Option<u64>,
    /// When the platform was last asked.
    pub checked_at: Option<Timestamp>,
    /// The rights that its sign-in was granted; empty for a credential that was handed in.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The rights that were asked for and not granted, with what each is for.
    #[serde(default)]
    pub scopes_missing: Vec<MissingScope>,
    /// Who began the sign-in that connected it last.
    #[serde(default)]
    pub connected_by: Option<PersonId>,
    /// When that was.
    #[serde(default)]
    pub connected_at: Option<Timestamp>,
    /// Who has switched it off, while it is `paused`; `null` when that was the platform. What a person
    /// has switched off only a person switches on again.
    #[serde(default)]
    pub paused_by: Option<PersonId>,
    /// When the platform stops giving data unless a person signs in again, where it said so.
    #[serde(default)]
    pub data_access_ends_at: Option<Timestamp>,
    /// Whether it may publish texts as long as `text.max_long` of its platform, by the platform's word or by
    /// the configuration's; false where there is no such thing.
    #[serde(default)]
    pub long_posts: bool,
    /// What the platform itself has said of that last; `null` when it has said nothing.
    #[serde(default)]
    pub long_posts_said: Option<bool>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The unit that answers for it.
    pub unit_id: UnitId,
    /// The platform's id, as in `GET /platforms`.
    pub platform: String,
    /// The platform's id of the page or profile.
    pub remote_id: String,
    /// The name shown in the desk.
    pub display_name: String,
    /// The handle, where the platform has one.
    pub handle: Option<String>,
    /// Languages it publishes in.
    pub languages: Vec<String>,
    /// IANA zone of its readers; civil times with the zone `account` are read in it.
    pub time_zone: String,
    /// Whether it can publish.
    pub status: AccountStatus,
    /// What is known of its connection.
    pub health: Health,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// When it was entered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Account {
    /// Everything that is wrong with what people wrote into it.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        // `name@server` of Mastodon and `did:plc:…` of Bluesky have two more.
        let plain =
            |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.' | '@' | ':');
        if self.remote_id.is_empty()
            || self.remote_id.len() > 100
            || !self.remote_id.chars().all(plain)
        {
            let detail = "the platform's id of the account: up to 100 letters, digits, _ - . @ :";
            faults.push(Fault::new("/remote_id", "bad_remote_id", detail));
        }
        locale::check_line("/display_name", &self.display_name, 200, &mut faults);
        locale::check_languages("/languages", &self.languages, &mut faults);
        locale::check_zone("/time_zone", &self.time_zone, &mut faults);
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_checked() {
        let now = Timestamp::UNIX_EPOCH;
        let mut account = Account {
            id: AccountId::new(now, 1),
            unit_id: UnitId::new(now, 1),
            platform: "p".into(),
            remote_id: "104899".into(),
            display_name: "Embassy".into(),
            handle: None,
            languages: vec!["fr".into()],
            time_zone: "Europe/Paris".into(),
            status: AccountStatus::Connected,
            health: Health::default(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        assert_eq!(account.check(), []);
        account.remote_id = "../me".into();
        account.display_name = "a\nb".into();
        account.time_zone = "account".into();
        let codes: Vec<_> = account.check().into_iter().map(|fault| fault.code).collect();
        assert_eq!(codes, ["bad_remote_id", "control_character", "unknown_time_zone"]);
    }
}
