//! When a credential is refreshed: early, not beside a delivery, and in any case before its end.

use super::*;
use crate::domain::id::AccountId;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_788_000_000 + minute * 60).unwrap()
}

/// An access token of two hours.
fn two_hours() -> ToRefresh {
    ToRefresh {
        account_id: AccountId::new(at(0), 1),
        platform: "x".to_owned(),
        remote_id: "9".to_owned(),
        status: AccountStatus::Connected,
        version: 1,
        key_id: "1".to_owned(),
        refresh: Some(vec![1]),
        expires_at: Some(at(120)),
        issued_at: at(0),
        outcome: None,
        next_due: None,
        publishing: false,
        lost_at: None,
    }
}

#[test]
fn it_is_refreshed_early_unless_something_is_due_soon() {
    let due = |minute| ToRefresh { next_due: Some(at(minute)), ..two_hours() };
    let lost = |minute| ToRefresh { lost_at: Some(at(minute)), ..two_hours() };
    let rows = [
        (two_hours(), 59, Some(60)),
        (two_hours(), 60, None),
        // Within a quarter of an hour, or overdue.
        (due(74), 60, Some(79)),
        (due(76), 60, None),
        (due(50), 60, Some(65)),
        (due(103), 90, Some(105)),
        // The last call is made whatever is due.
        (due(106), 105, None),
        (ToRefresh { publishing: true, ..two_hours() }, 60, Some(65)),
        (ToRefresh { publishing: true, ..two_hours() }, 105, None),
        // A platform that hides what comes of refreshes is not given one after another.
        (lost(58), 60, Some(63)),
        (lost(54), 60, None),
        (lost(104), 105, None),
    ];
    for (row, now, until) in rows {
        let waits = wait(&row, None, at(now)).map(|(until, _)| until);
        assert_eq!(waits, until.map(at), "{row:?} at {now}: {:?}", wait(&row, None, at(now)));
    }
}

#[test]
fn nothing_is_presented_to_a_platform_that_does_not_answer() {
    assert_eq!(wait(&two_hours(), Some(at(118)), at(110)).unwrap().0, at(118));
}

#[test]
fn only_a_living_account_whose_token_was_not_presented_is_refreshed() {
    assert!(is_wanted(&two_hours()));
    assert!(is_wanted(&ToRefresh { status: AccountStatus::Paused, ..two_hours() }));
    assert!(!is_wanted(&ToRefresh { status: AccountStatus::NeedsReconnect, ..two_hours() }));
    assert!(!is_wanted(&ToRefresh { refresh: None, ..two_hours() }));
    for &outcome in RefreshOutcome::ALL {
        assert!(!is_wanted(&ToRefresh { outcome: Some(outcome), ..two_hours() }), "{outcome}");
    }
}

#[test]
fn a_token_is_known_again_by_a_hash_that_does_not_show_it() {
    let of = |text: &str| fingerprint(&SecretString::from(text.to_owned()));
    assert_eq!(of("canary"), of("canary"));
    assert_ne!(of("canary"), of("canary2"));
    assert!(of("canary").len() == 64 && !of("canary").contains("canary"));
}
