//! When a platform or an account is left alone for a while, as pure rules: after failures in a row,
//! and when several accounts are refused alike, which is an incident of the whole platform.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The most refusals and failures that a circuit remembers.
const MEMORY: usize = 64;
/// The word under which failures without an answer are remembered.
const NO_ANSWER: &str = "no_answer";

/// When circuits open and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Failures in a row that open it.
    pub failures: i64,
    /// Accounts that must be concerned before a whole platform is.
    pub accounts: usize,
    /// Refusals within this time belong together.
    pub window: Duration,
    /// The first wait; doubled each time that a probe fails.
    pub first: Duration,
    /// No wait is longer.
    pub most: Duration,
}

/// Whom a failure or refusal concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concerned<'a> {
    /// Which account.
    pub account: &'a str,
    /// What was to be published; the same text refused on many accounts is no incident.
    pub content: &'a str,
}

/// A failure or refusal that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    code: String,
    account: String,
    content: String,
    at: Timestamp,
}

/// How a refusal speaks for an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The platform names the whole application.
    Application,
    /// It names the account: several accounts make an incident.
    Account,
    /// It names the post: several accounts with different posts make an incident.
    Content,
}

/// The state of one circuit. The one without anything in it is closed and not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    /// A platform, or an account on it.
    pub scope: String,
    /// Failures in a row.
    pub failures: i64,
    /// How often it opened in a row.
    pub trips: i64,
    /// True when it opened because accounts were refused alike.
    pub incident: bool,
    /// The platform's code of an incident.
    pub code: Option<String>,
    /// What was seen, for people.
    pub detail: Option<String>,
    /// Since when it is open.
    pub opened_at: Option<Timestamp>,
    /// Until when nothing is tried; `None` when it is closed.
    pub open_until: Option<Timestamp>,
    /// Until when the result of a probe is awaited.
    pub probe_until: Option<Timestamp>,
    /// What was seen since the last good answer.
    pub seen: Vec<Seen>,
}

impl Circuit {
    /// A closed one.
    pub fn closed(scope: &str) -> Self {
        Self {
            scope: scope.to_owned(),
            failures: 0,
            trips: 0,
            incident: false,
            code: None,
            detail: None,
            opened_at: None,
            open_until: None,
            probe_until: None,
            seen: Vec::new(),
        }
    }

    /// Whether it lets nothing through but probes.
    pub fn is_open(&self) -> bool {
        self.open_until.is_some()
    }

    /// When the next probe may go, if it is open.
    pub fn next_probe(&self) -> Option<Timestamp> {
        self.open_until.map(|until| self.probe_until.map_or(until, |probe| probe.max(until)))
    }

    /// Whether one delivery may try it now; what is urgent need not wait for the end of the pause.
    pub fn may_probe(&self, now: Timestamp, urgent: bool) -> bool {
        let alone = self.probe_until.is_none_or(|until| until <= now);
        alone && self.open_until.is_some_and(|until| urgent || until <= now)
    }

    /// There was no answer, or one that hides what happened. True when that opened it.
    pub fn failed(
        &mut self,
        whom: &Concerned<'_>,
        detail: &str,
        now: Timestamp,
        rules: &Rules,
    ) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.note(NO_ANSWER, whom, now, rules);
        if self.is_open() {
            self.probe_failed(now, rules);
            return false;
        }
        let whole = !self.scope.contains('/');
        let wide = !whole || self.accounts(NO_ANSWER) >= rules.accounts;
        if self.failures < rules.failures || !wide {
            return false;
        }
        self.open(false, None, detail, now, rules);
        true
    }

    /// The platform refused with `code`. True when an incident with that code is on, new or not.
    pub fn refused(
        &mut self,
        code: &str,
        (weight, detail): (Weight, &str),
        whom: &Concerned<'_>,
        now: Timestamp,
        rules: &Rules,
    ) -> bool {
        if self.is_open() {
            if self.incident && self.code.as_deref() == Some(code) {
                self.probe_failed(now, rules);
                return true;
            }
            // It answers, and says something else: what it was is over.
            *self = Self::closed(&self.scope);
        }
        self.failures = 0;
        self.note(code, whom, now, rules);
        let enough = match weight {
            Weight::Application => true,
            Weight::Account => self.accounts(code) >= rules.accounts,
            Weight::Content => {
                self.accounts(code) >= rules.accounts && self.contents(code) >= rules.accounts
            }
        };
        if enough {
            self.open(true, Some(code), detail, now, rules);
        }
        enough
    }

    fn open(
        &mut self,
        incident: bool,
        code: Option<&str>,
        detail: &str,
        now: Timestamp,
        rules: &Rules,
    ) {
        self.trips = 1;
        self.incident = incident;
        self.code = code.map(str::to_owned);
        self.detail = Some(detail.to_owned());
        self.opened_at = Some(now);
        self.open_until = Some(later(now, wait(self.trips, rules)));
        self.probe_until = None;
    }

    /// What was under way when it opened says nothing new; a probe does.
    fn probe_failed(&mut self, now: Timestamp, rules: &Rules) {
        if self.probe_until.take().is_some() {
            self.trips = self.trips.saturating_add(1);
            self.open_until = Some(later(now, wait(self.trips, rules)));
        }
    }

    fn note(&mut self, code: &str, whom: &Concerned<'_>, now: Timestamp, rules: &Rules) {
        self.seen.retain(|one| later(one.at, rules.window) > now);
        if self.seen.len() >= MEMORY {
            self.seen.remove(0);
        }
        self.seen.push(Seen {
            code: code.to_owned(),
            account: whom.account.to_owned(),
            content: whom.content.to_owned(),
            at: now,
        });
    }

    /// Whether something of this account was seen; others are better probes.
    pub fn has_seen(&self, account: &str) -> bool {
        self.seen.iter().any(|one| one.account == account)
    }

    fn accounts(&self, code: &str) -> usize {
        let alike = self.seen.iter().filter(|one| one.code == code);
        alike.map(|one| one.account.as_str()).collect::<BTreeSet<_>>().len()
    }

    fn contents(&self, code: &str) -> usize {
        let alike = self.seen.iter().filter(|one| one.code == code);
        alike.map(|one| one.content.as_str()).collect::<BTreeSet<_>>().len()
    }
}

fn wait(trips: i64, rules: &Rules) -> Duration {
    let doublings = u32::try_from(trips.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
    rules.first.saturating_mul(1 << doublings).min(rules.most)
}

fn later(at: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        failures: 3,
        accounts: 3,
        window: Duration::from_mins(5),
        first: Duration::from_secs(30),
        most: Duration::from_mins(2),
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn whom<'a>(account: &'a str, content: &'a str) -> Concerned<'a> {
        Concerned { account, content }
    }

    #[test]
    fn an_account_opens_after_failures_in_a_row_and_waits_longer_after_each_probe() {
        let mut circuit = Circuit::closed("x/a");
        assert!(!circuit.failed(&whom("a", "1"), "no answer", at(0), &RULES));
        assert!(!circuit.failed(&whom("a", "1"), "no answer", at(1), &RULES));
        assert!(!circuit.is_open());
        assert!(circuit.failed(&whom("a", "1"), "no answer", at(2), &RULES));
        assert_eq!(circuit.next_probe(), Some(at(32)));
        // What was still under way changes nothing.
        assert!(!circuit.failed(&whom("a", "1"), "no answer", at(3), &RULES));
        assert_eq!(circuit.next_probe(), Some(at(32)));
        assert!(!circuit.may_probe(at(31), false) && circuit.may_probe(at(31), true));
        assert!(circuit.may_probe(at(32), false));
        for (number, wait) in [(1, 60), (2, 120), (3, 120)] {
            circuit.probe_until = Some(at(1_000 * number + 25));
            assert!(!circuit.may_probe(at(1_000 * number), true), "one probe at a time");
            circuit.failed(&whom("a", "1"), "no answer", at(1_000 * number), &RULES);
            assert_eq!(circuit.next_probe(), Some(at(1_000 * number + wait)));
        }
    }

    #[test]
    fn one_account_that_hangs_does_not_close_its_platform() {
        let mut circuit = Circuit::closed("x");
        for second in 0..20 {
            circuit.failed(&whom("a", "1"), "no answer", at(second), &RULES);
        }
        assert!(!circuit.is_open());
        circuit.failed(&whom("b", "1"), "no answer", at(20), &RULES);
        assert!(circuit.failed(&whom("c", "1"), "no answer", at(21), &RULES));
        assert!(circuit.is_open() && !circuit.incident);
    }

    #[test]
    fn accounts_refused_alike_are_an_incident_only_within_the_window() {
        let mut circuit = Circuit::closed("x");
        let why = (Weight::Account, "no");
        assert!(!circuit.refused("401", why, &whom("a", "1"), at(0), &RULES));
        assert!(!circuit.refused("401", why, &whom("b", "2"), at(290), &RULES));
        assert!(!circuit.refused("401", why, &whom("c", "3"), at(301), &RULES), "a is too old");
        assert!(!circuit.refused("403", why, &whom("d", "4"), at(302), &RULES), "not alike");
        assert!(circuit.refused("401", why, &whom("d", "4"), at(303), &RULES));
        assert!(circuit.incident);
        // Another word ends it.
        assert!(!circuit.refused(
            "400",
            (Weight::Content, "bad"),
            &whom("a", "9"),
            at(400),
            &RULES
        ));
        assert!(!circuit.is_open());
    }

    #[test]
    fn one_bad_text_on_many_accounts_is_no_incident() {
        let mut circuit = Circuit::closed("x");
        let why = (Weight::Content, "too long");
        for account in ["a", "b", "c", "d"] {
            assert!(!circuit.refused("400", why, &whom(account, "same"), at(1), &RULES));
        }
        for (account, text) in [("e", "other"), ("f", "third")] {
            circuit.refused("400", why, &whom(account, text), at(2), &RULES);
        }
        assert!(circuit.is_open());
        let mut circuit = Circuit::closed("x");
        let why = (Weight::Application, "not enrolled");
        assert!(circuit.refused("403", why, &whom("a", "1"), at(1), &RULES));
    }
}
