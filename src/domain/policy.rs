//! Who may do what: one pure table. What is not in it is refused.

use super::actor::{Actor, Scope};
use super::id::{AccountId, PersonId, UnitId};
use super::role::{Role, permitted};

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
    /// Write what posts say in other languages than their source's, and move that on.
    WriteVariants,
    /// Write notes on posts.
    Comment,
    /// Remove what others have noted.
    RemoveComments,
    /// Say what things are officially called.
    WriteTerms,
    /// Approve posts, or refuse to.
    Approve,
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
    /// See the calendar.
    ReadCalendar,
    /// Enter or change events.
    WriteEvents,
    /// See the rules about when accounts may not speak.
    ReadRules,
    /// Make, change, remove or override them.
    WriteRules,
    /// See campaigns.
    ReadCampaigns,
    /// Enter or change campaigns, and answer what others offer.
    WriteCampaigns,
    /// See people and their roles.
    ReadPeople,
    /// Enter people and give them roles.
    WritePeople,
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
            Self::WritePosts
            | Self::WriteVariants
            | Self::Comment
            | Self::RemoveComments
            | Self::WriteTerms => Scope::PostsWrite,
            Self::Approve => Scope::ApprovalsWrite,
            Self::ReadDeliveries => Scope::DeliveriesRead,
            Self::WriteDeliveries => Scope::DeliveriesWrite,
            Self::ReleaseQuarantine => Scope::QuarantineWrite,
            Self::ReadHolds => Scope::HoldsRead,
            Self::WriteHolds => Scope::HoldsWrite,
            Self::ReadTokens => Scope::TokensRead,
            Self::WriteTokens => Scope::TokensWrite,
            Self::ReadCalendar => Scope::CalendarRead,
            Self::WriteEvents => Scope::CalendarWrite,
            Self::ReadRules => Scope::RulesRead,
            Self::WriteRules => Scope::RulesWrite,
            Self::ReadCampaigns => Scope::CampaignsRead,
            Self::WriteCampaigns => Scope::CampaignsWrite,
            Self::ReadPeople => Scope::PeopleRead,
            Self::WritePeople => Scope::PeopleWrite,
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
            | Self::WriteTerms
            | Self::Approve
            | Self::ReleaseQuarantine
            | Self::WriteHolds
            | Self::ReadTokens
            | Self::WriteTokens
            | Self::ReadPeople
            | Self::WritePeople
            | Self::WriteEvents
            | Self::WriteRules
            | Self::WriteCampaigns
            | Self::ReadAudit
            | Self::ReadWebhooks
            | Self::WriteWebhooks => true,
            Self::ReadUnits
            | Self::ReadCalendar
            | Self::ReadRules
            | Self::ReadCampaigns
            | Self::ReadAccounts
            | Self::ReadMedia
            | Self::WriteMedia
            | Self::ReadPosts
            | Self::WritePosts
            | Self::WriteVariants
            | Self::Comment
            | Self::RemoveComments
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
    /// Something of the noun, wherever it belongs; what exactly is asked about later, or only what the
    /// actor may know of is shown.
    Any,
    /// All that there is, such as every account at once.
    Everything,
    /// One account, or something of it.
    Account(&'a AccountId),
    /// One unit, or something of it.
    Unit(&'a UnitId),
    /// What belongs to one person, such as his tokens.
    Person(&'a PersonId),
}

/// Why it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The token does not carry this right.
    LacksScope(Scope),
    /// Only an administrator of everything may.
    NeedsAdministrator,
    /// The person has none of the roles that let him there.
    NeedsRole(&'static [Role]),
    /// The token is limited to some accounts, and this would concern others too.
    LimitedToAccounts,
    /// Not for the actor to know: to be answered as if it were not there.
    Hidden,
}

/// Decides.
///
/// An administrator of everything may what his token carries; everybody else what his roles let him in
/// the units where he has them, and with what is his own.
pub fn may(actor: &Actor, action: Action, subject: Subject<'_>) -> Result<(), Refused> {
    let scope = action.scope();
    if !actor.scopes.has(scope) {
        return Err(Refused::LacksScope(scope));
    }
    match subject {
        Subject::Account(account) if !actor.sees(account) => return Err(Refused::Hidden),
        Subject::Unit(unit) if !actor.sees_unit(unit) => return Err(Refused::Hidden),
        Subject::Any | Subject::Everything | Subject::Unit(_)
            if actor.accounts.is_some() && action.concerns_everybody() =>
        {
            return Err(Refused::LimitedToAccounts);
        }
        Subject::Any
        | Subject::Everything
        | Subject::Unit(_)
        | Subject::Account(_)
        | Subject::Person(_) => {}
    }
    if actor.administrator {
        return Ok(());
    }
    let held = match subject {
        Subject::Person(person) if *person == actor.person_id => return Ok(()),
        Subject::Person(_) => return Err(Refused::Hidden),
        Subject::Everything => return Err(Refused::NeedsAdministrator),
        Subject::Any => actor.reach.anywhere(),
        Subject::Account(account) => actor.reach.account(account).cloned().unwrap_or_default(),
        Subject::Unit(unit) => actor.reach.unit(unit).cloned().unwrap_or_default(),
    };
    match permitted(action) {
        [] => Err(Refused::NeedsAdministrator),
        roles if roles.iter().any(|role| held.contains(role)) => Ok(()),
        roles => Err(Refused::NeedsRole(roles)),
    }
}

/// Whether a person is told of something by himself: administrators of everything, others of what
/// they scheduled (people of a unit, when there are roles).
pub const fn hears(administrator: bool, is_author: bool) -> bool {
    administrator || is_author
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::actor::Scopes;
    use crate::domain::role::Reach;

    fn actor(administrator: bool, scopes: Scopes, accounts: Option<&AccountId>) -> Actor {
        Actor {
            signed_in: None,
            person_id: PersonId::new(jiff::Timestamp::UNIX_EPOCH, 1),
            token_id: None,
            administrator,
            scopes,
            accounts: accounts.map(|it| [it.clone()].into()),
            reach: Arc::default(),
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
        let refused = may(&nobody, Action::ReadPosts, Subject::Any);
        assert!(matches!(refused, Err(Refused::NeedsRole(_))), "{refused:?}");
        assert_eq!(may(&nobody, Action::ReadAudit, Subject::Any), Err(Refused::NeedsAdministrator));
        let own = nobody.person_id.clone();
        assert_eq!(may(&nobody, Action::ReadTokens, Subject::Person(&own)), Ok(()));
        let other = PersonId::new(jiff::Timestamp::UNIX_EPOCH, 2);
        assert_eq!(may(&nobody, Action::ReadTokens, Subject::Person(&other)), Err(Refused::Hidden));
    }

    #[test]
    fn a_role_counts_where_it_is_held_and_nothing_is_known_of_the_rest() {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let [paris, hanoi] = [1, 2].map(|number| UnitId::new(at, number));
        let [own, other] = [1, 2].map(|number| AccountId::new(at, number));
        let mut reach = Reach::default();
        reach.add(paris.clone(), Some(own.clone()), Role::Publisher);
        let publisher = Actor { reach: Arc::new(reach), ..actor(false, Scopes::All, None) };
        for (subject, expected) in [
            (Subject::Unit(&paris), Ok(())),
            (Subject::Account(&own), Ok(())),
            (Subject::Any, Ok(())),
            (Subject::Unit(&hanoi), Err(Refused::Hidden)),
            (Subject::Account(&other), Err(Refused::Hidden)),
        ] {
            assert_eq!(may(&publisher, Action::WriteDeliveries, subject), expected, "{subject:?}");
        }
        let refused = may(&publisher, Action::WriteAccounts, Subject::Account(&own));
        assert_eq!(refused, Err(Refused::NeedsRole(&[Role::Administrator])));
        let limited = Actor { accounts: Some([other].into()), ..publisher };
        assert_eq!(
            may(&limited, Action::ReadAccounts, Subject::Account(&own)),
            Err(Refused::Hidden)
        );
        assert_eq!(limited.accounts_for(Action::ReadAccounts), Some([].into()));
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
