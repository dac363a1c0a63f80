//! Rules against instants, clocks that jump included.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn rule(kind: &str) -> Rule {
    let now = Timestamp::UNIX_EPOCH;
    Rule {
        id: RuleId::new(now, 1),
        unit_id: UnitId::new(now, 1),
        name: UnitName { vi: "Giờ yên tĩnh".into(), en: "Quiet".into() },
        kind: serde_json::from_str(kind).unwrap(),
        effect: Effect::Warn,
        platforms: vec![],
        account_ids: vec![],
        classes: vec![],
        except_classes: vec![],
        version: 1,
        created_by: PersonId::new(now, 1),
        created_at: now,
        updated_at: now,
    }
}

/// What a rule has against a routine delivery of the first account on Facebook.
fn against(rule: &Rule, due: &str, zone: &str, country: Option<&str>) -> Option<Caught> {
    ask(rule, at(due), &TimeZone::get(zone).unwrap(), country)
}

fn ask(rule: &Rule, due_at: Timestamp, zone: &TimeZone, country: Option<&str>) -> Option<Caught> {
    let account_id = AccountId::new(Timestamp::UNIX_EPOCH, 1);
    rule.catches(&Going {
        account_id: &account_id,
        platform: "here",
        class: Class::Routine,
        due_at,
        zone,
        country,
        neighbours: &[],
    })
}

const NIGHT: &str = r#"{"quiet_hours": {"from": "22:00", "to": "07:00"}}"#;
const EARLY: &str = r#"{"quiet_hours": {"from": "01:00", "to": "02:30"}}"#;
const MOURNING: &str = r#"{"mourning": {"from": "2031-07-19", "to": "2031-07-20"}}"#;
const SILENCE: &str = r#"{"election_silence": {"from": "2032-04-24T00:00", "to": "2032-04-25T20:00", "country": "FR"}}"#;
const WEEKEND: &str = r#"{"weekend": {}}"#;
const MONDAYS: &str = r#"{"weekend": {"days": ["monday"]}}"#;

/// Kind, instant, zone, country, and the first free instant when it is caught.
type Case = (&'static str, &'static str, &'static str, Option<&'static str>, Option<&'static str>);

const CASES: &[Case] = &[
    // The night crosses midnight; its end is not quiet, its beginning is.
    (NIGHT, "2031-07-14T21:59:59+02:00", "Europe/Paris", None, None),
    (NIGHT, "2031-07-14T22:00:00+02:00", "Europe/Paris", None, Some("2031-07-15T07:00:00+02:00")),
    (NIGHT, "2031-07-15T06:59:59+02:00", "Europe/Paris", None, Some("2031-07-15T07:00:00+02:00")),
    (NIGHT, "2031-07-15T07:00:00+02:00", "Europe/Paris", None, None),
    // The same instant is day in Hanoi.
    (NIGHT, "2031-07-15T06:59:59+02:00", "Asia/Ho_Chi_Minh", None, None),
    // Over the night in which the clocks go forward it is the wall that counts.
    (NIGHT, "2031-03-29T23:00:00+01:00", "Europe/Paris", None, Some("2031-03-30T07:00:00+02:00")),
    // An end that the clocks skip: 02:30 is never shown, 03:00 is free.
    (EARLY, "2031-03-30T01:59:59+01:00", "Europe/Paris", None, Some("2031-03-30T03:30:00+02:00")),
    (EARLY, "2031-03-30T03:00:00+02:00", "Europe/Paris", None, None),
    // One that they show twice: quiet until it was shown for the last time.
    (EARLY, "2031-10-26T02:29:00+02:00", "Europe/Paris", None, Some("2031-10-26T02:30:00+01:00")),
    (EARLY, "2031-10-26T02:29:00+01:00", "Europe/Paris", None, Some("2031-10-26T02:30:00+01:00")),
    // Days are the account's: already over in Hanoi, not yet begun in Washington.
    (
        MOURNING,
        "2031-07-19T17:00:00+02:00",
        "Europe/Paris",
        None,
        Some("2031-07-21T00:00:00+02:00"),
    ),
    (MOURNING, "2031-07-20T18:00:00Z", "Asia/Ho_Chi_Minh", None, None),
    (MOURNING, "2031-07-20T18:00:00Z", "Europe/Paris", None, Some("2031-07-21T00:00:00+02:00")),
    (MOURNING, "2031-07-19T02:00:00Z", "America/New_York", None, None),
    // Silence is the host country's, to the minute.
    (
        SILENCE,
        "2032-04-25T19:59:00+02:00",
        "Europe/Paris",
        Some("FR"),
        Some("2032-04-25T20:00:00+02:00"),
    ),
    (SILENCE, "2032-04-25T20:00:00+02:00", "Europe/Paris", Some("FR"), None),
    (SILENCE, "2032-04-25T19:59:00+02:00", "Europe/Paris", Some("BE"), None),
    (SILENCE, "2032-04-25T19:59:00+02:00", "Europe/Paris", None, None),
    // 2031-07-18 is a Friday.
    (
        WEEKEND,
        "2031-07-18T10:00:00+03:00",
        "Africa/Cairo",
        Some("EG"),
        Some("2031-07-20T00:00:00+03:00"),
    ),
    (WEEKEND, "2031-07-20T10:00:00+03:00", "Africa/Cairo", Some("EG"), None),
    (WEEKEND, "2031-07-18T10:00:00+02:00", "Europe/Paris", Some("FR"), None),
    (
        WEEKEND,
        "2031-07-20T10:00:00+02:00",
        "Europe/Paris",
        Some("FR"),
        Some("2031-07-21T00:00:00+02:00"),
    ),
    (WEEKEND, "2031-07-20T10:00:00+02:00", "Europe/Paris", None, Some("2031-07-21T00:00:00+02:00")),
    (
        MONDAYS,
        "2031-07-21T10:00:00+03:00",
        "Africa/Cairo",
        Some("EG"),
        Some("2031-07-22T00:00:00+03:00"),
    ),
    (MONDAYS, "2031-07-18T10:00:00+03:00", "Africa/Cairo", Some("EG"), None),
];

#[test]
fn each_kind_catches_what_it_says_in_the_zone_of_the_account() {
    for (kind, due, zone, country, free) in CASES.iter().copied() {
        let found = against(&rule(kind), due, zone, country);
        let expected = free.map(|free| Caught { free_at: Some(at(free)), near: vec![] });
        assert_eq!(found, expected, "{kind} at {due} in {zone}");
    }
}

/// Whatever the clocks do: what is caught is told an instant later than its own at which the rule has nothing
/// against it any more.
#[test]
fn what_is_offered_instead_is_free() {
    for (zone, from) in [
        ("Europe/Paris", "2031-03-28T00:00:00Z"),
        ("Europe/Paris", "2031-10-24T00:00:00Z"),
        // Midnight is skipped here.
        ("Asia/Beirut", "2031-03-28T00:00:00Z"),
        ("Africa/Cairo", "2031-10-29T00:00:00Z"),
        // Half an hour.
        ("Australia/Lord_Howe", "2031-04-04T00:00:00Z"),
        ("America/Havana", "2031-11-01T00:00:00Z"),
        // A whole day is not there.
        ("Pacific/Apia", "2011-12-28T00:00:00Z"),
    ] {
        let tz = TimeZone::get(zone).unwrap();
        let mut caught = 0;
        for kind in [
            NIGHT,
            EARLY,
            r#"{"quiet_hours": {"from": "02:15", "to": "00:15"}}"#,
            r#"{"quiet_hours": {"from": "12:00", "to": "00:00"}}"#,
            r#"{"weekend": {}}"#,
            r#"{"weekend": {"days": ["friday", "sunday", "monday"]}}"#,
            r#"{"mourning": {"from": "2031-03-29", "to": "2031-03-30"}}"#,
            r#"{"election_silence": {"from": "2031-10-25T12:00", "to": "2031-10-26T02:30"}}"#,
        ] {
            let rule = rule(kind);
            for minute in (0..5 * 24 * 60).step_by(7) {
                let due = at(from).checked_add(minute.minutes()).unwrap();
                let Some(found) = ask(&rule, due, &tz, Some("EG")) else { continue };
                let free = found.free_at.unwrap();
                assert!(free > due, "{kind} in {zone}: {free} is not after {due}");
                assert_eq!(ask(&rule, free, &tz, Some("EG")), None, "{kind} in {zone} at {free}");
                caught += 1;
            }
        }
        assert!(caught > 500, "{zone}: only {caught} were caught");
    }
}

#[test]
fn what_is_near_is_told_by_name_and_both_must_be_covered() {
    let apart = |minutes: i64, class| Neighbour {
        id: DeliveryId::new(Timestamp::UNIX_EPOCH, 7),
        class,
        due_at: at("2031-07-14T09:00:00Z").checked_add(minutes.minutes()).unwrap(),
    };
    let mut statements = rule(r#"{"spacing": {"minutes": 60}}"#);
    statements.classes = vec![Class::Statement];
    let account_id = AccountId::new(Timestamp::UNIX_EPOCH, 1);
    let ask = |class, neighbour: &Neighbour| {
        let found = statements.catches(&Going {
            account_id: &account_id,
            platform: "there",
            class,
            due_at: at("2031-07-14T09:00:00Z"),
            zone: &TimeZone::UTC,
            country: None,
            neighbours: std::slice::from_ref(neighbour),
        });
        found.map(|it| (it.near, it.free_at))
    };
    let near = Some((vec![DeliveryId::new(Timestamp::UNIX_EPOCH, 7)], None));
    for (mine, minutes, other, expected) in [
        (Class::Statement, 59, Class::Statement, &near),
        (Class::Statement, -59, Class::Statement, &near),
        (Class::Statement, 0, Class::Statement, &near),
        (Class::Statement, 60, Class::Statement, &None),
        (Class::Statement, -60, Class::Statement, &None),
        (Class::Statement, 5, Class::Routine, &None),
        (Class::Routine, 5, Class::Statement, &None),
    ] {
        assert_eq!(&ask(mine, &apart(minutes, other)), expected, "{mine} {minutes} {other}");
    }
}

#[test]
fn a_rule_covers_only_what_it_names() {
    let mine = AccountId::new(Timestamp::UNIX_EPOCH, 1);
    let other = AccountId::new(Timestamp::UNIX_EPOCH, 2);
    let caught = |change: &dyn Fn(&mut Rule)| {
        let mut rule = rule(NIGHT);
        change(&mut rule);
        against(&rule, "2031-07-14T23:00:00Z", "UTC", None).is_some()
    };
    assert!(caught(&|_| {}));
    assert!(caught(&|it| it.platforms = vec!["here".into()]));
    assert!(!caught(&|it| it.platforms = vec!["there".into()]));
    assert!(caught(&|it| it.account_ids = vec![mine.clone()]));
    assert!(!caught(&|it| it.account_ids = vec![other.clone()]));
    assert!(caught(&|it| it.classes = vec![Class::Routine]));
    assert!(!caught(&|it| it.classes = vec![Class::Statement]));
    assert!(!caught(&|it| it.except_classes = vec![Class::Routine]));
    assert!(caught(&|it| it.except_classes = vec![Class::Urgent]));
}

/// The scan of what is scheduled looks no further than this.
#[test]
fn a_span_holds_all_that_can_be_caught_anywhere() {
    for (kind, from) in [(MOURNING, "2031-07-17T00:00:00Z"), (SILENCE, "2032-04-22T00:00:00Z")] {
        let rule = rule(kind);
        let (early, late) = rule.span().unwrap();
        for zone in ["Pacific/Kiritimati", "Etc/GMT+12", "Asia/Ho_Chi_Minh", "UTC"] {
            let tz = TimeZone::get(zone).unwrap();
            for minute in (0..6 * 24 * 60).step_by(15) {
                let due = at(from).checked_add(minute.minutes()).unwrap();
                if ask(&rule, due, &tz, Some("FR")).is_some() {
                    assert!((early..late).contains(&due), "{kind} in {zone} at {due}");
                }
            }
        }
    }
    assert_eq!(rule(NIGHT).span(), None);
}

#[test]
fn what_cannot_be_is_told_by_its_place() {
    for kind in
        [NIGHT, EARLY, MOURNING, SILENCE, WEEKEND, MONDAYS, r#"{"spacing": {"minutes": 2}}"#]
    {
        assert_eq!(rule(kind).check(), [], "{kind}");
    }
    for (kind, place, code) in [
        (
            r#"{"mourning": {"from": "2031-07-20", "to": "2031-07-19"}}"#,
            "mourning/to",
            "rule_ends_first",
        ),
        (
            r#"{"mourning": {"from": "2031-07-20", "to": "2033-07-19"}}"#,
            "mourning/to",
            "rule_too_long",
        ),
        (
            r#"{"mourning": {"from": "0031-07-20", "to": "0031-07-20"}}"#,
            "mourning/from",
            "date_out_of_range",
        ),
        (
            r#"{"election_silence": {"from": "2032-04-25T20:00", "to": "2032-04-25T20:00"}}"#,
            "election_silence/to",
            "rule_ends_first",
        ),
        (
            r#"{"election_silence": {"from": "2032-04-24T00:00", "to": "2032-04-25T20:00", "country": "fr"}}"#,
            "election_silence/country",
            "bad_country",
        ),
        (r#"{"spacing": {"minutes": 1}}"#, "spacing/minutes", "rule_minutes"),
        (r#"{"spacing": {"minutes": 1441}}"#, "spacing/minutes", "rule_minutes"),
        (r#"{"quiet_hours": {"from": "07:00", "to": "07:00"}}"#, "quiet_hours/to", "quiet_all_day"),
        (
            r#"{"weekend": {"days": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]}}"#,
            "weekend/days",
            "weekend_all_week",
        ),
    ] {
        let found = rule(kind).check();
        let first = found.first().map(|it| (it.pointer.as_str(), it.code));
        assert_eq!(first, Some((format!("/kind/{place}").as_str(), code)), "{kind}: {found:?}");
    }
    let mut nothing = rule(NIGHT);
    nothing.classes = vec![Class::Urgent];
    nothing.except_classes = vec![Class::Urgent];
    assert_eq!(nothing.check().first().map(|it| it.code), Some("rule_covers_nothing"));
    // Twice the same day is that day.
    let mut days = rule(r#"{"weekend": {"days": ["sunday", "friday", "sunday"]}}"#);
    days = days.settled();
    assert_eq!(days.kind, RuleKind::Weekend { days: vec![DayOfWeek::Friday, DayOfWeek::Sunday] });
}
