//! Who is acting, and what the token in his hand lets him do.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::id::{AccountId, PersonId, TokenId, UnitId};
use super::policy::Action;
use super::role::Reach;
use super::session::SignedIn;
use super::words;

words! {
    /// One right that a token can carry.
    Scope {
        /// See units.
        UnitsRead = "units:read",
        /// Enter and change units.
        UnitsWrite = "units:write",
        /// See accounts and their health.
        AccountsRead = "accounts:read",
        /// Connect, change and remove accounts.
        AccountsWrite = "accounts:write",
        /// See and fetch media.
        MediaRead = "media:read",
        /// Hand in and remove media.
        MediaWrite = "media:write",
        /// See posts.
        PostsRead = "posts:read",
        /// Write and change posts.
        PostsWrite = "posts:write",
        /// Approve posts, or refuse to.
        ApprovalsWrite = "approvals:write",
        /// See deliveries and their attempts.
        DeliveriesRead = "deliveries:read",
        /// Schedule, cancel and decide about deliveries.
        DeliveriesWrite = "deliveries:write",
        /// Let a restored database send again.
        QuarantineWrite = "quarantine:write",
        /// See holds.
        HoldsRead = "holds:read",
        /// Place and lift holds.
        HoldsWrite = "holds:write",
        /// See tokens (never their secret).
        TokensRead = "tokens:read",
        /// Make and revoke tokens.
        TokensWrite = "tokens:write",
        /// See the calendar.
        CalendarRead = "calendar:read",
        /// Enter, change and remove events.
        CalendarWrite = "calendar:write",
        /// See the rules about when accounts may not speak.
        RulesRead = "rules:read",
        /// Make, change, remove and override them.
        RulesWrite = "rules:write",
        /// See campaigns.
        CampaignsRead = "campaigns:read",
        /// Enter and change campaigns, and answer what others offer.
        CampaignsWrite = "campaigns:write",
        /// See people and their roles.
        PeopleRead = "people:read",
        /// Enter people and give them roles.
        PeopleWrite = "people:write",
        /// See one's own notifications.
        NotificationsRead = "notifications:read",
        /// Mark one's own notifications and choose what to be told.
        NotificationsWrite = "notifications:write",
        /// See what the service has found out about itself.
        AuditRead = "audit:read",
        /// See webhooks and what came of telling them.
        WebhooksRead = "webhooks:read",
        /// Enter, change and remove webhooks.
        WebhooksWrite = "webhooks:write",
    }
}

/// The word for "everything that the person may".
const EVERYTHING: &str = "*";

/// What a token lets its bearer do. Written as a list of words, `["*"]` for everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", try_from = "Vec<String>")]
pub enum Scopes {
    /// Everything that the person may.
    All,
    /// These rights and no others.
    Only(BTreeSet<Scope>),
}

impl Scopes {
    /// True when it carries this right.
    pub fn has(&self, scope: Scope) -> bool {
        match self {
            Self::All => true,
            Self::Only(scopes) => scopes.contains(&scope),
        }
    }

    /// True when it carries every right of `other`.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Only(_), Self::All) => false,
            (Self::Only(mine), Self::Only(theirs)) => theirs.is_subset(mine),
        }
    }
}

impl From<Scopes> for Vec<String> {
    fn from(scopes: Scopes) -> Self {
        match scopes {
            Scopes::All => vec![EVERYTHING.to_owned()],
            Scopes::Only(only) => only.into_iter().map(|it| it.as_str().to_owned()).collect(),
        }
    }
}

impl TryFrom<Vec<String>> for Scopes {
    type Error = super::UnknownWord;

    fn try_from(words: Vec<String>) -> Result<Self, Self::Error> {
        if words.iter().any(|word| word == EVERYTHING) {
            return Ok(Self::All);
        }
        words.iter().map(|word| word.parse()).collect::<Result<_, _>>().map(Self::Only)
    }
}

/// The person in the label of an actor, who may have used a token.
pub fn person_of(label: &str) -> &str {
    label.split(' ').next().unwrap_or_default()
}

/// Who is acting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person.
    pub person_id: PersonId,
    /// The token, when a program acts with one.
    pub token_id: Option<TokenId>,
    /// How he is signed in, when a person acts at a screen.
    pub signed_in: Option<SignedIn>,
    /// True for a person who may everything.
    pub administrator: bool,
    /// What the token carries.
    pub scopes: Scopes,
    /// The only accounts that the token concerns; `None` for all.
    pub accounts: Option<BTreeSet<AccountId>>,
    /// Where the person has roles; of no matter to an administrator of everything.
    pub reach: Arc<Reach>,
}

impl Actor {
    /// Whether the actor may know of this account at all.
    pub fn sees(&self, account: &AccountId) -> bool {
        self.accounts.as_ref().is_none_or(|accounts| accounts.contains(account))
            && (self.administrator || self.reach.account(account).is_some())
    }

    /// Whether the actor may know of what belongs to this unit.
    pub fn sees_unit(&self, unit: &UnitId) -> bool {
        self.administrator || self.reach.unit(unit).is_some()
    }

    /// The only accounts to which the actor may do this; `None` for all.
    pub fn accounts_for(&self, action: Action) -> Option<BTreeSet<AccountId>> {
        if self.administrator {
            return self.accounts.clone();
        }
        let mut own = self.reach.accounts_for(action);
        if let Some(listed) = &self.accounts {
            own.retain(|account| listed.contains(account));
        }
        Some(own)
    }

    /// The only units where the actor may do this; `None` for all.
    pub fn units_for(&self, action: Action) -> Option<BTreeSet<UnitId>> {
        (!self.administrator).then(|| self.reach.units_for(action))
    }

    /// How the audit names the actor.
    pub fn label(&self) -> String {
        match &self.token_id {
            Some(token) => format!("{} {token}", self.person_id),
            None => self.person_id.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_list_of_words() {
        let some: Scopes = serde_json::from_str(r#"["posts:write","units:read"]"#).unwrap();
        assert!(some.has(Scope::PostsWrite) && !some.has(Scope::PostsRead));
        assert_eq!(serde_json::to_string(&some).unwrap(), r#"["units:read","posts:write"]"#);
        assert_eq!(serde_json::from_str::<Scopes>(r#"["*"]"#).unwrap(), Scopes::All);
        assert!(serde_json::from_str::<Scopes>(r#"["posts:delete"]"#).is_err());
    }

    #[test]
    fn nobody_covers_more_than_he_has() {
        let read = Scopes::Only([Scope::UnitsRead].into());
        let both = Scopes::Only([Scope::UnitsRead, Scope::UnitsWrite].into());
        assert!(both.covers(&read) && Scopes::All.covers(&both));
        assert!(!read.covers(&both) && !both.covers(&Scopes::All));
    }
}
