//! Who may do what: one pure table. What is not in it is refused.

use super::actor::{Actor, Scope};
use super::id::{AccountId, PersonId};

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See units.
    ReadUnits,
    /// Enter or change units.
    WriteUnits,
    /// See accounts.
    ReadAccounts,
    /// Connect, change or remove accounts.
    WriteAccounts,
    /// See or fetch media.
    ReadMedia,
    /// Hand in or remove media.
    WriteMedia,
    /// See posts.
    ReadPosts,
    /// Write or change posts.
    WritePosts,
    /// See deliveries.
    ReadDeliveries,
    /// Schedule, cancel or decide about deliveries.
    WriteDeliveries,
    /// Let a restored database send again.
    ReleaseQuarantine,
    /// See holds.
    ReadHolds,
    /// Place or lift holds.
    WriteHolds,
    /// See tokens.
    ReadTokens,
    /// Make or revoke tokens.
    WriteTokens,
    /// See notifications.
    ReadNotifications,
    /// Mark notifications, or choose what to be told.
    WriteNotifications,
    /// See what the service has found out about itself.
    ReadAudit,
    /// See webhooks.
    ReadWebhooks,
    /// Enter, change or remove webhooks.
    WriteWebhooks,
}

impl Action {
    /// The right that a token needs for it.
    pub const fn scope(self) -> Scope {
        match self {
            Self::ReadUnits => Scope::UnitsRead,
            Self::WriteUnits => Scope::UnitsWrite,
            Self::ReadAccounts => Scope::AccountsRead,
            Self::WriteAccounts => Scope::AccountsWrite,
            Self::ReadMedia => Scope::MediaRead,
            Self::WriteMedia => Scope::MediaWrite,
            Self::ReadPosts => Scope::PostsRead,
            Self::WritePosts => Scope::PostsWrite,
            Self::ReadDeliveries => Scope::DeliveriesRead,
            Self::WriteDeliveries => Scope::DeliveriesWrite,
            Self::ReleaseQuarantine => Scope::QuarantineWrite,
            Self::ReadHolds => Scope::HoldsRead,
            Self::WriteHolds => Scope::HoldsWrite,
            Self::ReadTokens => Scope::TokensRead,
            Self::WriteTokens => Scope::TokensWrite,
            Self::ReadNotifications => Scope::NotificationsRead,
            Self::WriteNotifications => Scope::NotificationsWrite,
            Self::ReadAudit => Scope::AuditRead,
            Self::ReadWebhooks => Scope::WebhooksRead,
            Self::WriteWebhooks => Scope::WebhooksWrite,
        }
    }

    /// Whether a token that is limited to some accounts may do it to something that is no account.
    const fn concerns_everybody(self) -> bool {
        match self {
            Self::WriteUnits
            | Self::WriteAccounts
            | Self::ReleaseQuarantine
            | Self::WriteHolds
            | Self::ReadTokens
            | Self::WriteTokens
            | Self::ReadAudit
            | Self::ReadWebhooks
            | Self::WriteWebhooks => true,
            Self::ReadUnits
            | Self::ReadAccounts
            | Self::ReadMedia
            | Self::WriteMedia
            | Self::ReadPosts
            | Self::WritePosts
            | Self::ReadHolds
            | Self::ReadDeliveries
            | Self::WriteDeliveries
            | Self::ReadNotifications
            | Self::WriteNotifications => false,
        }
    }
}

/// What it is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The noun as a whole, or something of it that belongs to no account.
    Any,
    /// One account, or something of it.
    Account(&'a AccountId),
    /// What belongs to one person, such as his tokens.
    Person(&'a PersonId),
}

/// Why it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The token does not carry this right.
    LacksScope(Scope),
    /// The person has no role that lets him; only an administrator may.
    NeedsAdministrator,
    /// The token is limited to some accounts, and this would concern others too.
    LimitedToAccounts,
    /// Not for the actor to know: to be answered as if it were not there.
    Hidden,
}

/// Decides.
///
/// A person who is no administrator has no rights of his own yet (roles by unit come with people);
/// a token that an administrator made for him may still name rights one by one. His own tokens are
/// his business.
pub fn may(actor: &Actor, action: Action, subject: Subject<'_>) -> Result<(), Refused> {
    let scope = action.scope();
    if !actor.scopes.has(scope) {
        return Err(Refused::LacksScope(scope));
    }
    let own = matches!(subject, Subject::Person(person) if *person == actor.person_id);
    let named = matches!(actor.scopes, super::actor::Scopes::Only(_));
    match subject {
        Subject::Account(account) if !actor.sees(account) => return Err(Refused::Hidden),
        Subject::Person(_) if !own && !actor.administrator => return Err(Refused::Hidden),
        Subject::Any if actor.accounts.is_some() && action.concerns_everybody() => {
            return Err(Refused::LimitedToAccounts);
        }
        Subject::Any | Subject::Account(_) | Subject::Person(_) => {}
    }
    if actor.administrator || named || own { Ok(()) } else { Err(Refused::NeedsAdministrator) }
}

/// Whether a person is told of something by himself: administrators of everything, others of what
/// they scheduled (people of a unit, when there are roles).
pub const fn hears(administrator: bool, is_author: bool) -> bool {
    administrator || is_author
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::Scopes;

    fn actor(administrator: bool, scopes: Scopes, accounts: Option<&AccountId>) -> Actor {
        Actor {
            person_id: PersonId::new(jiff::Timestamp::UNIX_EPOCH, 1),
            token_id: None,
            administrator,
            scopes,
            accounts: accounts.map(|it| [it.clone()].into()),
        }
    }

    #[test]
    fn an_administrator_may_what_his_token_carries() {
        let all = actor(true, Scopes::All, None);
        assert_eq!(may(&all, Action::WriteUnits, Subject::Any), Ok(()));
        let read = actor(true, Scopes::Only([Scope::UnitsRead].into()), None);
        assert_eq!(may(&read, Action::ReadUnits, Subject::Any), Ok(()));
        assert_eq!(
            may(&read, Action::WriteUnits, Subject::Any),
            Err(Refused::LacksScope(Scope::UnitsWrite))
        );
    }

    #[test]
    fn nobody_has_rights_by_default() {
        let nobody = actor(false, Scopes::All, None);
        assert_eq!(may(&nobody, Action::ReadPosts, Subject::Any), Err(Refused::NeedsAdministrator));
        let own = nobody.person_id.clone();
        assert_eq!(may(&nobody, Action::ReadTokens, Subject::Person(&own)), Ok(()));
        let other = PersonId::new(jiff::Timestamp::UNIX_EPOCH, 2);
        assert_eq!(may(&nobody, Action::ReadTokens, Subject::Person(&other)), Err(Refused::Hidden));
    }

    #[test]
    fn a_token_for_one_account_knows_no_other() {
        let mine = AccountId::new(jiff::Timestamp::UNIX_EPOCH, 1);
        let other = AccountId::new(jiff::Timestamp::UNIX_EPOCH, 2);
        let limited = actor(true, Scopes::All, Some(&mine));
        assert_eq!(may(&limited, Action::WriteDeliveries, Subject::Account(&mine)), Ok(()));
        assert_eq!(
            may(&limited, Action::WriteDeliveries, Subject::Account(&other)),
            Err(Refused::Hidden)
        );
        assert_eq!(
            may(&limited, Action::WriteUnits, Subject::Any),
            Err(Refused::LimitedToAccounts)
        );
        assert_eq!(may(&limited, Action::WriteHolds, Subject::Account(&mine)), Ok(()));
        assert_eq!(
            may(&limited, Action::WriteHolds, Subject::Any),
            Err(Refused::LimitedToAccounts)
        );
        let own = limited.person_id.clone();
        assert_eq!(may(&limited, Action::WriteTokens, Subject::Person(&own)), Ok(()));
    }
}
