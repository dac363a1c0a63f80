//! Holds: what they cover, how long they stand, and who has said that they may end.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::class::Class;
use super::fault::Fault;
use super::id::{AccountId, HoldId, PersonId, UnitId};
use super::{locale, words};

/// The most characters of a reason.
pub const LONGEST_REASON: usize = 500;

words! {
    /// Whether a hold stops anything.
    HoldState {
        /// Nothing that it covers is sent.
        Active = "active",
        /// It was lifted, or its end has passed.
        Lifted = "lifted",
    }
}

/// What a hold covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldScope {
    /// Everything.
    All,
    /// One platform.
    Platform(String),
    /// A unit with all below it: its posts, and what goes to its accounts.
    Unit(UnitId),
    /// One account.
    Account(AccountId),
    /// The posts of a campaign.
    Campaign(String),
    /// The posts of a class.
    Class(Class),
}

/// Somebody's word that a hold may end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lift {
    /// Who.
    pub person_id: PersonId,
    /// When.
    pub at: Timestamp,
}

/// A pause with a scope, exceptions, a reason and perhaps an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// What it covers.
    pub scope: HoldScope,
    /// Classes that stay open.
    pub except: Vec<Class>,
    /// Why.
    pub reason: String,
    /// When it ends by itself.
    pub ends_at: Option<Timestamp>,
    /// How many people must say that it may end.
    pub lift_needs: i64,
    /// Who has said so.
    pub lifts: Vec<Lift>,
    /// When enough had said so.
    pub lifted_at: Option<Timestamp>,
    /// Counts changes.
    pub version: i64,
    /// Who placed it.
    pub created_by: PersonId,
    /// When.
    pub created_at: Timestamp,
}

/// Why somebody's word does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotLifted {
    /// It stands no more.
    Over,
    /// He has said so already; another one must.
    SamePerson,
}

impl Hold {
    /// The instant from which it stops nothing more, if that is known.
    pub fn end(&self) -> Option<Timestamp> {
        self.lifted_at.or(self.ends_at)
    }

    /// How it stands.
    pub fn state(&self, now: Timestamp) -> HoldState {
        match self.end() {
            Some(end) if end <= now => HoldState::Lifted,
            Some(_) | None => HoldState::Active,
        }
    }

    /// Takes somebody's word that it may end; with the last one that is needed it is lifted.
    pub fn lift(&mut self, person: &PersonId, now: Timestamp) -> Result<(), NotLifted> {
        if self.state(now) == HoldState::Lifted {
            return Err(NotLifted::Over);
        }
        if self.lifts.iter().any(|lift| lift.person_id == *person) {
            return Err(NotLifted::SamePerson);
        }
        self.lifts.push(Lift { person_id: person.clone(), at: now });
        if i64::try_from(self.lifts.len()).is_ok_and(|count| count >= self.lift_needs) {
            self.lifted_at = Some(now);
        }
        Ok(())
    }

    /// Everything that is wrong with it, save whether what it names exists.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        locale::check_line("/reason", &self.reason, LONGEST_REASON, &mut faults);
        if !(1..=2).contains(&self.lift_needs) {
            let detail = "one person or two: 1 or 2";
            faults.push(Fault::new("/lift_needs", "lift_needs_one_or_two", detail));
        }
        if self.ends_at.is_some_and(|end| end <= self.created_at) {
            let detail = "the end must lie in the future";
            faults.push(Fault::new("/ends_at", "ends_in_the_past", detail));
        }
        for (index, class) in self.except.iter().enumerate() {
            if self.except.iter().take(index).any(|earlier| earlier == class) {
                let fault = Fault::new(
                    format!("/except/{index}"),
                    "repeated",
                    format!("{class} is named twice"),
                );
                faults.push(fault.with("value", class));
            }
        }
        let all_open = Class::ALL.iter().all(|class| self.except.contains(class));
        let own_open =
            matches!(&self.scope, HoldScope::Class(class) if self.except.contains(class));
        if all_open || own_open {
            let detail = "with these exceptions it would stop nothing";
            faults.push(Fault::new("/except", "covers_nothing", detail));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn person(number: u128) -> PersonId {
        PersonId::new(at(0), number)
    }

    fn hold() -> Hold {
        Hold {
            id: HoldId::new(at(0), 1),
            scope: HoldScope::All,
            except: vec![Class::Urgent],
            reason: "An accident".to_owned(),
            ends_at: None,
            lift_needs: 1,
            lifts: Vec::new(),
            lifted_at: None,
            version: 1,
            created_by: person(1),
            created_at: at(100),
        }
    }

    #[test]
    fn two_people_are_two_people() {
        let mut two = Hold { lift_needs: 2, ..hold() };
        assert_eq!(two.lift(&person(1), at(200)), Ok(()));
        assert_eq!(two.state(at(200)), HoldState::Active);
        assert_eq!(two.lift(&person(1), at(201)), Err(NotLifted::SamePerson));
        assert_eq!(two.lift(&person(2), at(202)), Ok(()));
        assert_eq!((two.state(at(202)), two.end()), (HoldState::Lifted, Some(at(202))));
        assert_eq!(two.lift(&person(3), at(203)), Err(NotLifted::Over));
    }

    #[test]
    fn an_end_that_has_passed_counts_as_lifted() {
        let mut short = Hold { ends_at: Some(at(300)), ..hold() };
        assert_eq!(short.state(at(299)), HoldState::Active);
        assert_eq!(short.state(at(300)), HoldState::Lifted);
        assert_eq!(short.lift(&person(1), at(301)), Err(NotLifted::Over));
        short.lift(&person(1), at(250)).unwrap();
        assert_eq!(short.end(), Some(at(250)));
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let bad = Hold {
            scope: HoldScope::Class(Class::Urgent),
            except: vec![Class::Urgent, Class::Urgent],
            reason: " ".to_owned(),
            ends_at: Some(at(100)),
            lift_needs: 3,
            ..hold()
        };
        let codes: Vec<_> = bad.check().into_iter().map(|fault| fault.code).collect();
        let wanted =
            ["blank", "lift_needs_one_or_two", "ends_in_the_past", "repeated", "covers_nothing"];
        assert_eq!(codes, wanted);
        let all = Hold { except: Class::ALL.to_vec(), ..hold() };
        assert_eq!(all.check()[0].code, "covers_nothing");
        assert_eq!(hold().check(), []);
    }
}
