//! What a rule means where the clocks jump, and everywhere as somebody else reads it.

use croner::parser::CronParser;
use jiff::Zoned;
use proptest::prelude::*;

use super::*;

fn rule(cron: &str) -> Rule {
    let timetable = Timetable::parse("/cron", cron).unwrap();
    Rule { timetable, from: None, until: None, except: BTreeSet::new() }
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// What the wall shows, when a rule comes so often after a time of it.
fn shown(cron: &str, zone_name: &str, after: &str, count: usize) -> Vec<String> {
    let zone = zone(zone_name);
    let after: DateTime = after.parse().unwrap();
    let after = zone.to_ambiguous_timestamp(after).compatible().unwrap();
    let rule = rule(cron);
    let each = rule.after(after, &zone).take(count);
    each.map(|one| {
        let jump = one.jump.map_or(String::new(), |jump| format!(" {jump}"));
        format!("{}{jump}", one.at.to_zoned(zone.clone()).strftime("%m-%d %H:%M%:z"))
    })
    .collect()
}

#[test]
fn what_the_clocks_skip_comes_later_and_what_they_repeat_comes_once() {
    let paris = |cron: &str, after: &str, count| shown(cron, "Europe/Paris", after, count);
    assert_eq!(
        paris("30 2 * * *", "2026-03-28T00:00:00", 3),
        ["03-28 02:30+01:00", "03-29 03:30+02:00 skipped", "03-30 02:30+02:00"]
    );
    assert_eq!(
        paris("30 2 * * *", "2026-10-24T00:00:00", 3),
        ["10-24 02:30+02:00", "10-25 02:30+02:00 repeated", "10-26 02:30+01:00"]
    );
    // At the second pass the first is over: the day is not said again.
    let second: Timestamp = "2026-10-25T00:45:00Z".parse().unwrap();
    let rule = rule("30 2 * * *");
    let next = rule.after(second, &zone("Europe/Paris")).next().unwrap();
    assert_eq!(next.at.to_string(), "2026-10-26T01:30:00Z");
    // What is skipped falls on the next hour, which the rule names itself.
    assert_eq!(
        paris("30 * * * *", "2026-03-29T01:00:00", 3),
        ["03-29 01:30+01:00", "03-29 03:30+02:00", "03-29 04:30+02:00"]
    );
    // Where midnight is skipped, and where two hours are: what is skipped comes after what follows it.
    assert_eq!(
        shown("0 0 * * *", "America/Santiago", "2026-09-05T12:00:00", 2),
        ["09-06 01:00-03:00 skipped", "09-07 00:00-03:00"]
    );
    assert_eq!(
        shown("30 * * * *", "Antarctica/Troll", "2026-03-29T00:40:00", 3),
        ["03-29 03:30+02:00", "03-29 04:30+02:00", "03-29 05:30+02:00"]
    );
}

#[test]
fn five_fields_are_read_as_people_write_them() {
    let first = |cron: &str| shown(cron, "UTC", "2026-09-02T12:00:00", 3).join(" ");
    assert_eq!(first("30 8 * * 1-5"), "09-03 08:30+00:00 09-04 08:30+00:00 09-07 08:30+00:00");
    assert_eq!(first("30 8 * * MON-fri"), first("30 8 * * 1-5"));
    for sunday in ["0", "7", "SUN", "sun"] {
        assert!(first(&format!("0 9 * * {sunday}")).starts_with("09-06 "), "{sunday}");
    }
    assert_eq!(first("0 9 * * 5-7"), first("0 9 * * fri-sun"));
    // A day must fit both: the first Monday of the month; and there is a leap day every four years.
    assert_eq!(first("0 9 1-7 * 1"), "09-07 09:00+00:00 10-05 09:00+00:00 11-02 09:00+00:00");
    assert!(first("0 9 29 feb *").starts_with("02-29 09:00+00:00 02-29"));
    assert_eq!(first("0 9 31 2 *"), "", "never");
}

#[test]
fn what_nobody_can_mean_is_refused_and_why() {
    for (cron, code) in [
        ("0 30 8 * * 1-5", "cron_fields"),
        ("0 30 8 * * 1-5 2026", "cron_fields"),
        ("@daily", "cron_fields"),
        ("", "cron_fields"),
        ("0,30 9 * * *", "cron_too_often"),
        ("* * * * *", "cron_too_often"),
        ("*/59 9 * * *", "cron_too_often"),
        ("60 9 * * *", "cron_field"),
        ("0 24 * * *", "cron_field"),
        ("0 9 0 * *", "cron_field"),
        ("0 9 L * *", "cron_field"),
        ("0 9 * * 1#1", "cron_field"),
        ("0 9 * * 8", "cron_field"),
        ("0 17-9 * * *", "cron_field"),
        ("0 9/4 * * *", "cron_field"),
        ("0 */0 * * *", "cron_field"),
        ("0 9 * ? *", "cron_field"),
        ("0 +9 * * *", "cron_field"),
    ] {
        assert_eq!(Timetable::parse("/cron", cron).unwrap_err().code, code, "{cron}");
    }
}

#[test]
fn a_rule_begins_ends_and_leaves_out_days() {
    let day = |text: &str| Some(text.parse().unwrap());
    let except = ["2026-09-03".parse().unwrap()].into();
    let (from, until) = (day("2026-09-02"), day("2026-09-04"));
    let rule = Rule { from, until, except, ..rule("0 0 * * *") };
    let days = rule.after("2020-01-01T00:00:00Z".parse().unwrap(), &zone("Asia/Ho_Chi_Minh"));
    let days: Vec<_> = days.map(|one| one.at.to_string()).collect();
    assert_eq!(days, ["2026-09-01T17:00:00Z", "2026-09-03T17:00:00Z"]);
}

/// Fields of which some are common and some are odd.
fn expression() -> impl Strategy<Value = String> {
    let hour = prop_oneof![
        (0..24u8).prop_map(|it| it.to_string()),
        Just("*".to_owned()),
        (2..9u8).prop_map(|it| format!("*/{it}")),
        (0..12u8, 12..24u8).prop_map(|(a, b)| format!("{a}-{b}")),
        (0..4u8, 0..4u8).prop_map(|(a, b)| format!("{a},{b}")),
    ];
    let day = prop_oneof![
        3 => Just("*".to_owned()),
        1 => (1..32u8).prop_map(|it| it.to_string()),
        1 => (1..15u8, 15..32u8, 1..5u8).prop_map(|(a, b, c)| format!("{a}-{b}/{c}")),
    ];
    let month = prop_oneof![
        3 => Just("*".to_owned()),
        1 => (1..13u8).prop_map(|it| it.to_string()),
        1 => Just("MAR,oct".to_owned()),
    ];
    let weekday = prop_oneof![
        3 => Just("*".to_owned()),
        1 => (0..8u8).prop_map(|it| it.to_string()),
        1 => (0..4u8, 4..8u8).prop_map(|(a, b)| format!("{a}-{b}")),
        1 => Just("Sat,SUN".to_owned()),
    ];
    (0..60u8, hour, day, month, weekday).prop_map(|(minute, hour, day, month, weekday)| {
        format!("{minute} {hour} {day} {month} {weekday}")
    })
}

/// Zones that jump at odd times and by odd spans, and some that do not.
const ZONES: [&str; 10] = [
    "Europe/Paris",
    "America/New_York",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Asia/Beirut",
    "America/St_Johns",
    "Asia/Ho_Chi_Minh",
    "Pacific/Apia",
];

fn reading(cron: &str) -> croner::Cron {
    let parser = CronParser::builder().dom_and_dow(true).build();
    parser.parse(cron).unwrap()
}

fn wall_of(at: &Zoned) -> DateTime {
    at.datetime()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Somebody else's reading on a wall whose clocks never jump names the times; each of them comes once, in order, at
    /// the instant at which the zone shows it, or as much later as the zone jumps.
    #[test]
    fn each_time_of_the_wall_comes_once_and_in_order(
        cron in expression(),
        zone_name in proptest::sample::select(&ZONES[..]),
        // Near a jump of most of these zones, or anywhere.
        start in prop_oneof![
            1_774_000_000..1_775_200_000i64, 1_792_500_000..1_793_800_000i64, 1_300_000_000..2_000_000_000i64,
        ],
    ) {
        let (zone, rule) = (zone(zone_name), rule(&cron));
        let start = Timestamp::from_second(start).unwrap();
        let found: Vec<Occurrence> = rule.after(start, &zone).take(40).collect();
        prop_assert!(found.windows(2).all(|two| two[0].at < two[1].at), "in order: {found:?}");
        prop_assert!(found.iter().all(|one| one.at > start));
        let Some(last) = found.last() else { return Ok(()) };

        let begin = zone.to_datetime(start).checked_sub(LONGEST_JUMP).unwrap();
        let begin = begin.to_zoned(TimeZone::UTC).unwrap();
        let walls = reading(&cron).iter_after(begin).map(|at| wall_of(&at));
        let mut expected: BTreeMap<Timestamp, DateTime> = BTreeMap::new();
        // What a jump skips comes later than what the wall shows after it.
        let end = zone.to_datetime(last.at).checked_add(LONGEST_JUMP).unwrap();
        for wall in walls.take_while(|wall| *wall <= end) {
            let at = zone.to_ambiguous_timestamp(wall).compatible().unwrap();
            // Two times of the wall that mean one instant are one.
            if at > start && at <= last.at {
                expected.insert(at, wall);
            }
        }
        let instants: Vec<Timestamp> = found.iter().map(|one| one.at).collect();
        prop_assert_eq!(&instants, &expected.into_keys().collect::<Vec<_>>());
        for one in &found {
            let shows = zone.to_datetime(one.at);
            prop_assert_eq!(shows == one.wall, one.jump != Some(Jump::Skipped), "{:?}", one);
        }
    }

    /// Where no clock jumps, both readings in the zone itself agree.
    #[test]
    fn without_jumps_it_is_what_everybody_reads(cron in expression(), start in 1_780_300_000..1_788_000_000i64) {
        let (zone, rule) = (zone("Europe/Paris"), rule(&cron));
        let start = Timestamp::from_second(start).unwrap();
        let autumn: Timestamp = "2026-10-24T00:00:00Z".parse().unwrap();
        let ours: Vec<Timestamp> =
            rule.after(start, &zone).map(|one| one.at).take_while(|at| *at < autumn).collect();
        let theirs: Vec<Timestamp> = reading(&cron)
            .iter_after(start.to_zoned(zone))
            .map(|at| at.timestamp())
            .take_while(|at| *at < autumn)
            .collect();
        prop_assert_eq!(ours, theirs);
    }
}
