//! Times on walls against zones with every kind of jump, and a property over all jumps there are.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ask(date_text: &str, time_text: &str, zone: &str) -> Result<Resolved, Refused> {
    let local = LocalTime {
        date: date(date_text).unwrap(),
        time: time(time_text).unwrap(),
        zone: Wall::Account,
    };
    resolve(&When::Local(local), zone, at("2026-01-01T00:00:00Z"))
}

#[test]
fn a_plain_time_is_the_instant_of_its_zone() {
    let cases = [
        ("2026-09-02", "09:00", "Asia/Ho_Chi_Minh", "2026-09-02T02:00:00Z", "+07:00"),
        ("2026-07-14", "09:00", "Europe/Paris", "2026-07-14T07:00:00Z", "+02:00"),
        ("2026-01-14", "09:00", "Europe/Paris", "2026-01-14T08:00:00Z", "+01:00"),
        ("2026-01-14", "23:59:59", "Pacific/Kiritimati", "2026-01-14T09:59:59Z", "+14:00"),
        ("2028-02-29", "00:00", "Asia/Kathmandu", "2028-02-28T18:15:00Z", "+05:45"),
        ("2026-08-01", "12:00", "America/St_Johns", "2026-08-01T14:30:00Z", "-02:30"),
    ];
    for (day, hour, zone, instant, offset) in cases {
        let resolved = ask(day, hour, zone).unwrap();
        assert_eq!(resolved.due_at, at(instant), "{day} {hour} {zone}");
        let civil = resolved.civil.unwrap();
        assert_eq!((civil.zone.as_str(), civil.offset.as_str()), (zone, offset));
    }
}

#[test]
fn a_skipped_time_is_refused_with_its_neighbours() {
    let cases = [
        // Paris jumps from 02:00 to 03:00.
        (
            "2026-03-29",
            "02:30",
            "Europe/Paris",
            ["2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"],
        ),
        // Santiago jumps at midnight: the day begins at 01:00.
        (
            "2026-09-06",
            "00:30",
            "America/Santiago",
            ["2026-09-05T23:30:00-04:00", "2026-09-06T01:30:00-03:00"],
        ),
        // Beirut too.
        (
            "2026-03-29",
            "00:15",
            "Asia/Beirut",
            ["2026-03-28T23:15:00+02:00", "2026-03-29T01:15:00+03:00"],
        ),
        // Lord Howe moves by half an hour.
        (
            "2026-10-04",
            "02:15",
            "Australia/Lord_Howe",
            ["2026-10-04T01:45:00+10:30", "2026-10-04T02:45:00+11:00"],
        ),
        // Casablanca leaves its clocks back during Ramadan and jumps after it.
        (
            "2026-03-22",
            "02:30",
            "Africa/Casablanca",
            ["2026-03-22T01:30:00+00:00", "2026-03-22T03:30:00+01:00"],
        ),
    ];
    for (day, hour, zone, offers) in cases {
        let refused = ask(day, hour, zone).unwrap_err();
        assert_eq!(refused.code(), "time_skipped", "{zone}");
        let found: Vec<_> = refused.offers().iter().map(|it| it.local.as_str()).collect();
        assert_eq!(found, offers, "{zone}");
        for offer in refused.offers() {
            assert_eq!(at(&offer.local), offer.at);
            assert!(refused.to_string().contains(&offer.local));
        }
    }
}

#[test]
fn a_time_that_comes_twice_is_refused_with_both() {
    let cases = [
        ("2026-10-25", "02:30", "Europe/Paris", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
        (
            "2026-04-04",
            "23:30",
            "America/Santiago",
            ["2026-04-05T02:30:00Z", "2026-04-05T03:30:00Z"],
        ),
        ("2026-10-24", "23:45", "Asia/Beirut", ["2026-10-24T20:45:00Z", "2026-10-24T21:45:00Z"]),
        (
            "2026-04-05",
            "01:45",
            "Australia/Lord_Howe",
            ["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"],
        ),
        (
            "2026-02-15",
            "02:30",
            "Africa/Casablanca",
            ["2026-02-15T01:30:00Z", "2026-02-15T02:30:00Z"],
        ),
    ];
    for (day, hour, zone, offers) in cases {
        let refused = ask(day, hour, zone).unwrap_err();
        assert_eq!(refused.code(), "time_ambiguous", "{zone}");
        let found: Vec<_> = refused.offers().iter().map(|it| it.at).collect();
        assert_eq!(found, offers.map(at), "{zone}");
    }
}

#[test]
fn a_named_wall_wins_over_the_accounts() {
    let local = LocalTime {
        date: date("2026-09-02").unwrap(),
        time: time("09:00").unwrap(),
        zone: Wall::Zone("asia/ho_chi_minh".into()),
    };
    let resolved =
        resolve(&When::Local(local), "America/New_York", at("2026-01-01T00:00:00Z")).unwrap();
    assert_eq!(resolved.due_at, at("2026-09-02T02:00:00Z"));
    assert_eq!(resolved.civil.unwrap().zone, "Asia/Ho_Chi_Minh");
}

#[test]
fn what_is_no_zone_is_refused() {
    for name in [
        "",
        "CET/../x",
        "+07:00",
        "right/UTC",
        "posix/Europe/Paris",
        "Mars/Olympus",
        "/etc/passwd",
        "local/time",
    ] {
        assert!(matches!(zone(name), Err(Refused::UnknownZone(_))), "{name}");
    }
    assert!(zone("UTC").is_ok());
}

#[test]
fn what_is_no_day_or_time_is_not_read() {
    for text in [
        "2026-02-30",
        "26-09-02",
        "2026-9-2",
        "+002026-09-02",
        "-002026-09-02",
        "2026-09-02T10:00",
        "２０２６-09-02",
    ] {
        assert_eq!(date(text), None, "{text}");
    }
    for text in ["24:00", "9:00", "09:60", "09:00:60", "09:00:61", "0900", "09:00Z", "09:00:00.5"] {
        assert_eq!(time(text), None, "{text}");
    }
}

#[test]
fn the_past_and_the_absurd_are_refused() {
    let now = at("2026-09-02T02:00:00.500Z");
    let code = |text: &str| resolve(&When::At(at(text)), "UTC", now).map_err(|it| it.code());
    assert_eq!(code("2026-09-02T02:00:00.499Z"), Err("in_the_past"));
    assert_eq!(code("2026-09-01T01:00:00Z"), Err("absurd_date"));
    assert_eq!(code("-009998-01-02T00:00:00Z"), Err("absurd_date"));
    assert_eq!(code("2038-01-19T03:14:08Z"), Err("absurd_date"));
    assert_eq!(code("9999-12-30T22:00:00Z"), Err("absurd_date"));
    assert!(code("2036-08-31T00:00:00Z").is_ok());
    assert_eq!(resolve(&When::Now, "UTC", now).unwrap().due_at, now);
    assert_eq!(resolve(&When::At(now), "UTC", now).unwrap().due_at, now);
}

#[test]
fn a_finer_instant_is_rounded_up_and_never_early() {
    let now = at("2026-01-01T00:00:00Z");
    let fine = at("2026-09-02T02:00:00.000000001Z");
    let due = resolve(&When::At(fine), "UTC", now).unwrap().due_at;
    assert_eq!(due, at("2026-09-02T02:00:00.001Z"));
}

#[test]
fn the_latest_useful_time_is_the_classes_or_the_one_asked_for() {
    let due = at("2026-09-02T02:00:00Z");
    let grace = Duration::from_mins(30);
    assert_eq!(publish_by(due, None, grace), Ok(at("2026-09-02T02:30:00Z")));
    assert_eq!(
        publish_by(due, Some(at("2026-09-02T02:00:01Z")), grace),
        Ok(at("2026-09-02T02:00:01Z"))
    );
    for bad in ["2026-09-02T02:00:00Z", "2026-09-01T00:00:00Z", "2026-09-02T02:00:00.0004Z"] {
        assert_eq!(publish_by(due, Some(at(bad)), grace), Err(Refused::PublishByNotAfterDue));
    }
}

/// Capitals and cities in which missions stand.
const ZONES: &[&str] = &[
    "Africa/Abidjan",
    "Africa/Accra",
    "Africa/Addis_Ababa",
    "Africa/Algiers",
    "Africa/Asmara",
    "Africa/Bamako",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Conakry",
    "Africa/Dakar",
    "Africa/Dar_es_Salaam",
    "Africa/Djibouti",
    "Africa/Harare",
    "Africa/Johannesburg",
    "Africa/Khartoum",
    "Africa/Kinshasa",
    "Africa/Lagos",
    "Africa/Luanda",
    "Africa/Lusaka",
    "Africa/Maputo",
    "Africa/Nairobi",
    "Africa/Tripoli",
    "Africa/Tunis",
    "Africa/Windhoek",
    "America/Argentina/Buenos_Aires",
    "America/Bogota",
    "America/Caracas",
    "America/Havana",
    "America/La_Paz",
    "America/Lima",
    "America/Los_Angeles",
    "America/Managua",
    "America/Mexico_City",
    "America/Montevideo",
    "America/New_York",
    "America/Panama",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Toronto",
    "America/Vancouver",
    "America/Asuncion",
    "Asia/Almaty",
    "Asia/Amman",
    "Asia/Ashgabat",
    "Asia/Baghdad",
    "Asia/Baku",
    "Asia/Bangkok",
    "Asia/Beirut",
    "Asia/Brunei",
    "Asia/Colombo",
    "Asia/Damascus",
    "Asia/Dhaka",
    "Asia/Dili",
    "Asia/Dubai",
    "Asia/Gaza",
    "Asia/Ho_Chi_Minh",
    "Asia/Hong_Kong",
    "Asia/Jakarta",
    "Asia/Jerusalem",
    "Asia/Karachi",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Kuala_Lumpur",
    "Asia/Kuwait",
    "Asia/Manila",
    "Asia/Muscat",
    "Asia/Phnom_Penh",
    "Asia/Pyongyang",
    "Asia/Qatar",
    "Asia/Riyadh",
    "Asia/Seoul",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tashkent",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Asia/Ulaanbaatar",
    "Asia/Vientiane",
    "Asia/Yangon",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Athens",
    "Europe/Berlin",
    "Europe/Brussels",
    "Europe/Bucharest",
    "Europe/Budapest",
    "Europe/Chisinau",
    "Europe/Dublin",
    "Europe/Istanbul",
    "Europe/Kyiv",
    "Europe/Lisbon",
    "Europe/London",
    "Europe/Madrid",
    "Europe/Minsk",
    "Europe/Moscow",
    "Europe/Paris",
    "Europe/Prague",
    "Europe/Rome",
    "Europe/Sofia",
    "Europe/Vienna",
    "Europe/Warsaw",
    "Pacific/Auckland",
    "Pacific/Chatham",
];

/// What the wall shows `seconds` after `from`.
fn wall(from: DateTime, seconds: i64) -> (String, String) {
    let shown = from.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    (shown.date().to_string(), shown.time().to_string())
}

#[test]
fn every_jump_of_every_zone_is_seen_and_nothing_beside_it() {
    let (mut gaps, mut folds) = (0, 0);
    for &name in ZONES {
        let zone = zone(name).unwrap();
        let end = at("2029-01-01T00:00:00Z");
        let jumps = zone.following(at("2026-01-02T00:00:00Z"));
        for jump in jumps.take_while(|jump| jump.timestamp() < end) {
            let instant = jump.timestamp();
            let before = zone.to_offset(instant - SignedDuration::from_secs(1)).seconds();
            let after = jump.offset().seconds();
            let length = i64::from((after - before).abs());
            if length == 0 {
                continue;
            }
            let is_gap = after > before;
            let lower = Offset::from_seconds(before.min(after)).unwrap();
            // Of a gap the wall skips, of a fold it repeats, the span of `length` from here on.
            let from = lower.to_datetime(instant);
            let case = format!("{name} {instant}");
            for inside in [0, length / 2, length - 1] {
                let (day, hour) = wall(from, inside);
                let refused = ask(&day, &hour, name).expect_err(&case);
                let [first, second] = refused.offers() else { panic!("{case}") };
                assert_eq!(second.at.duration_since(first.at).as_secs(), length, "{case}");
                assert_eq!(refused.code() == "time_skipped", is_gap, "{case}");
                assert!(first.at < instant && second.at >= instant, "{case}: {refused}");
                let same = first.local[..19] == second.local[..19];
                assert_eq!(same, !is_gap, "{case}: {refused}");
            }
            for outside in [-1, length] {
                let (day, hour) = wall(from, outside);
                let resolved = ask(&day, &hour, name).expect(&case);
                assert!(
                    local(resolved.due_at, &zone).starts_with(&format!("{day}T{hour}")),
                    "{case}"
                );
            }
            if is_gap { gaps += 1 } else { folds += 1 }
        }
    }
    // Most of Europe and the others that keep summer time: three years, two jumps a year.
    assert!(gaps > 90 && folds > 90, "{gaps} gaps and {folds} folds");
}

/// A directory of zones in which Hanoi has the clocks of `hanoi`.
fn zones(hanoi: &str) -> (tempfile::TempDir, TimeZoneDatabase) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("Asia")).unwrap();
    let from = std::path::Path::new("/usr/share/zoneinfo").join(hanoi);
    std::fs::copy(from, directory.path().join("Asia/Ho_Chi_Minh")).unwrap();
    let zones = TimeZoneDatabase::from_dir(directory.path()).unwrap();
    (directory, zones)
}

#[test]
fn a_zone_whose_law_has_changed_is_noticed_and_one_that_has_not_is_left_alone() {
    let now = at("2026-01-01T00:00:00Z");
    let resolved = ask("2026-03-29", "02:30", "Asia/Ho_Chi_Minh").unwrap();
    let (due_at, civil) = (resolved.due_at, resolved.civil.unwrap());
    let change = |hanoi: &str| {
        let (_directory, zones) = zones(hanoi);
        civil.change(due_at, &zones, now)
    };
    assert_eq!(change("Asia/Ho_Chi_Minh"), None);
    let moved = change("Asia/Tokyo").unwrap();
    assert_eq!((moved.means, moved.found_at), (vec![at("2026-03-28T17:30:00Z")], now));
    assert_ne!(moved.rules, civil.rules);
    // By the clocks of Paris there is no such time, and only two that could be meant.
    let skipped = change("Europe/Paris").unwrap();
    assert_eq!(skipped.means, [at("2026-03-29T00:30:00Z"), at("2026-03-29T01:30:00Z")]);
    let gone = Civil { zone: "Asia/Nowhere".to_owned(), ..civil.clone() };
    let (_directory, zones) = zones("Asia/Tokyo");
    assert_eq!(gone.change(due_at, &zones, now).unwrap().means, []);
}

#[test]
fn the_version_of_a_zone_is_that_of_its_jumps_around_the_instant() {
    let rules = |day: &str, zone: &str| ask(day, "09:00", zone).unwrap().civil.unwrap().rules;
    assert_eq!(rules("2026-07-01", "Europe/Paris"), rules("2026-07-01", "Europe/Berlin"));
    assert_ne!(rules("2026-07-01", "Europe/Paris"), rules("2026-07-01", "Africa/Casablanca"));
    assert_eq!(rules("2026-07-01", "Asia/Ho_Chi_Minh"), rules("2028-02-01", "Asia/Ho_Chi_Minh"));
}
