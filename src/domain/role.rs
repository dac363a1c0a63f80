//! Roles: what a person is to a unit and to all units below it, and what each role may.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::id::{AccountId, UnitId};
use super::policy::Action;
use super::words;

words! {
    /// What a person is to a unit.
    Role {
        /// Enters people, accounts and units there.
        Administrator = "administrator",
        /// Decides when something goes out, and stops it.
        Publisher = "publisher",
        /// Says that a text may go out, or may not.
        Approver = "approver",
        /// Writes.
        Author = "author",
        /// Carries a text into another language.
        Translator = "translator",
        /// Reads the figures.
        Analyst = "analyst",
        /// Hands in texts, and never publishes.
        Contributor = "contributor",
        /// Looks.
        Reader = "reader",
    }
}

/// Who writes.
const WRITERS: &[Role] =
    &[Role::Administrator, Role::Publisher, Role::Author, Role::Translator, Role::Contributor];
/// Who writes what others translate.
const AUTHORS: &[Role] = &[Role::Administrator, Role::Publisher, Role::Author, Role::Contributor];
/// Who says what things are called.
const TERMINOLOGISTS: &[Role] =
    &[Role::Administrator, Role::Publisher, Role::Author, Role::Translator];
/// Who says what is to come.
const PLANNERS: &[Role] = &[Role::Administrator, Role::Publisher, Role::Author];
/// Who decides when something goes out.
const PUBLISHERS: &[Role] = &[Role::Administrator, Role::Publisher];
/// Who may say stop: whoever answers for what goes out.
const STOPPERS: &[Role] = &[Role::Administrator, Role::Publisher, Role::Approver];
/// Who says that something may go out.
const APPROVERS: &[Role] = &[Role::Administrator, Role::Approver];
/// Who changes the house.
const ADMINISTRATORS: &[Role] = &[Role::Administrator];

/// The roles that may do this where they are held; none where only an administrator of everything may,
/// or only the person himself with what is his own.
pub const fn permitted(action: Action) -> &'static [Role] {
    match action {
        Action::ReadUnits
        | Action::ReadAccounts
        | Action::ReadMedia
        | Action::ReadPosts
        | Action::ReadDeliveries
        | Action::ReadHolds
        | Action::ReadCalendar
        | Action::ReadRules
        | Action::ReadCampaigns
        | Action::ReadPeople
        | Action::Comment => Role::ALL,
        Action::WriteEvents | Action::WriteCampaigns => PLANNERS,
        Action::WriteMedia | Action::WriteVariants => WRITERS,
        Action::WritePosts => AUTHORS,
        Action::WriteTerms => TERMINOLOGISTS,
        Action::Approve => APPROVERS,
        Action::WriteDeliveries => PUBLISHERS,
        Action::WriteHolds => STOPPERS,
        Action::WriteUnits
        | Action::WriteAccounts
        | Action::WritePeople
        | Action::WriteRules
        | Action::RemoveComments => ADMINISTRATORS,
        Action::ReleaseQuarantine
        | Action::ReadTokens
        | Action::WriteTokens
        | Action::ReadNotifications
        | Action::WriteNotifications
        | Action::ReadAudit
        | Action::ReadWebhooks
        | Action::WriteWebhooks => &[],
    }
}

/// A role that a person has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Office {
    /// To which unit, and to all below it.
    pub unit_id: UnitId,
    /// Which.
    pub role: Role,
    /// When it ends by itself, for a deputy; `null` for one that stays.
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
}

/// Where a person has roles: units with those below them, and the accounts of these units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    units: BTreeMap<UnitId, BTreeSet<Role>>,
    accounts: BTreeMap<AccountId, BTreeSet<Role>>,
    above: BTreeSet<UnitId>,
}

impl Reach {
    /// The same with the units above those where roles are held: what covers them covers these too.
    #[must_use]
    pub fn below(self, above: BTreeSet<UnitId>) -> Self {
        Self { above, ..self }
    }

    /// The units above those where roles are held.
    pub fn above(&self) -> &BTreeSet<UnitId> {
        &self.above
    }

    /// Whether a unit is one of them.
    pub fn is_above(&self, unit: &UnitId) -> bool {
        self.above.contains(unit)
    }

    /// Adds a role to a unit, with one of its accounts if there is one.
    pub fn add(&mut self, unit: UnitId, account: Option<AccountId>, role: Role) {
        self.units.entry(unit).or_default().insert(role);
        if let Some(account) = account {
            self.accounts.entry(account).or_default().insert(role);
        }
    }

    /// The roles that are held anywhere.
    pub fn anywhere(&self) -> BTreeSet<Role> {
        self.units.values().flatten().copied().collect()
    }

    /// Those held in a unit; nothing where there are none.
    pub fn unit(&self, id: &UnitId) -> Option<&BTreeSet<Role>> {
        self.units.get(id)
    }

    /// Those held over an account.
    pub fn account(&self, id: &AccountId) -> Option<&BTreeSet<Role>> {
        self.accounts.get(id)
    }

    /// The units where this may be done.
    pub fn units_for(&self, action: Action) -> BTreeSet<UnitId> {
        which(&self.units, action)
    }

    /// The accounts to which this may be done.
    pub fn accounts_for(&self, action: Action) -> BTreeSet<AccountId> {
        which(&self.accounts, action)
    }
}

fn which<K: Ord + Clone>(held: &BTreeMap<K, BTreeSet<Role>>, action: Action) -> BTreeSet<K> {
    let may = |roles: &BTreeSet<Role>| permitted(action).iter().any(|role| roles.contains(role));
    held.iter().filter(|(_, roles)| may(roles)).map(|(id, _)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_its_name_says() {
        let may = |role: Role, action: Action| permitted(action).contains(&role);
        assert!(
            may(Role::Author, Action::WritePosts) && !may(Role::Author, Action::WriteDeliveries)
        );
        assert!(
            may(Role::Contributor, Action::WriteMedia) && !may(Role::Reader, Action::WriteMedia)
        );
        assert!(
            may(Role::Approver, Action::WriteHolds) && !may(Role::Approver, Action::WritePosts)
        );
        assert!(may(Role::Publisher, Action::WriteDeliveries));
        assert!(
            may(Role::Translator, Action::WriteVariants)
                && !may(Role::Translator, Action::WritePosts)
        );
        for role in Role::ALL {
            assert!(may(*role, Action::ReadPosts), "{role}");
            assert_eq!(may(*role, Action::WriteAccounts), *role == Role::Administrator, "{role}");
            assert!(!may(*role, Action::ReleaseQuarantine) && !may(*role, Action::WriteTokens));
        }
    }

    #[test]
    fn a_reach_is_where_something_may_be_done() {
        let at = Timestamp::UNIX_EPOCH;
        let [paris, hanoi] = [1, 2].map(|number| UnitId::new(at, number));
        let account = AccountId::new(at, 1);
        let mut reach = Reach::default();
        reach.add(paris.clone(), Some(account.clone()), Role::Publisher);
        reach.add(hanoi.clone(), None, Role::Reader);
        assert_eq!(reach.units_for(Action::ReadPosts), [paris.clone(), hanoi].into());
        assert_eq!(reach.units_for(Action::WritePosts), [paris].into());
        assert_eq!(reach.accounts_for(Action::WriteDeliveries), [account].into());
        assert_eq!(reach.accounts_for(Action::WriteAccounts), BTreeSet::new());
    }
}
