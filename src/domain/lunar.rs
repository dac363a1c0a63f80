//! The calendar of Viet Nam by sun and moon: on which day a month of it begins, as the sky shows it at UTC+7.
//!
//! New moons and the sun's longitude are computed after Jean Meeus, Astronomical Formulae for Calculators (chapters 18
//! and 32). The calendar of China has the same rules at UTC+8, and so other days in some years: Tết was in 1968, 1969,
//! 1985 and 2007, and is in 2030, not on the day on which it is in China.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

/// The years that were compared, month by month, with the tables of Hồ Ngọc Đức. Before, another zone was in force;
/// in the year after, the two differ for the first time.
pub const YEARS: std::ops::RangeInclusive<i16> = 1968..=2053;

/// From one new moon to the next, in days.
const SYNODIC: f64 = 29.530_588_68;
/// The beginning of the days, seven hours after those of Greenwich.
const EAST: f64 = 7.0 / 24.0;
/// The number that astronomers give the day before the first of January 1900, at noon.
const NOON_BEFORE_1900: i32 = 2_415_020;

/// On which day this day of the lunar year is; in a month that has 29 days the thirtieth is the last. Nothing outside
/// of the years that are known. Months that come twice are counted once, the first time.
pub fn on(year: i16, month: i8, day: i8) -> Option<Date> {
    if !YEARS.contains(&year) || !(1..=12).contains(&month) || !(1..=30).contains(&day) {
        return None;
    }
    // The eleventh month, in which the winter begins, is the first that is known.
    let year_before = if month < 11 { year - 1 } else { year };
    let (from, to) = (eleventh(year_before)?, eleventh(year_before + 1)?);
    let mut moon = from + i32::from((month + 1) % 12);
    if to - from == 13 && moon - from >= repeated(from) {
        moon += 1;
    }
    let (begins, ends) = (new_moon(moon), new_moon(moon + 1));
    civil(begins + i32::from(day - 1).min(ends - begins - 1))
}

/// How many months after this eleventh one the month comes that repeats: the first in which the sun enters no sign.
fn repeated(from: i32) -> i32 {
    let without = |moon: i32| sign(new_moon(moon)) == sign(new_moon(moon + 1));
    (1..=13).find(|it| without(from + it)).unwrap_or(13)
}

/// The new moon with which the eleventh month of this year begins: the last before the sun enters its tenth sign.
fn eleventh(year: i16) -> Option<i32> {
    let last = date(year, 12, 31).since(date(1900, 1, 1)).ok()?.get_days();
    let moon = whole(f64::from(last) / SYNODIC);
    Some(if sign(new_moon(moon)) >= 9 { moon - 1 } else { moon })
}

/// The day of a number of days.
fn civil(day: i32) -> Option<Date> {
    date(1900, 1, 1).checked_add((day - NOON_BEFORE_1900 - 1).days()).ok()
}

/// On which day it is new moon for the so manieth time since the beginning of 1900.
fn new_moon(count: i32) -> i32 {
    let count = f64::from(count);
    let t = count / 1_236.85;
    let (square, cube) = (t * t, t * t * t);
    let angle = |begin: f64, each: f64, second: f64, third: f64| {
        (begin + each * count + second * square + third * cube).to_radians()
    };
    let sun = angle(359.224_2, 29.105_356_08, -0.000_033_3, -0.000_003_47);
    let moon = angle(306.025_3, 385.816_918_06, 0.010_730_6, 0.000_012_36);
    let node = angle(21.296_4, 390.670_506_46, -0.001_652_8, -0.000_002_39);
    let drift = (166.56 + 132.87 * t - 0.009_173 * square).to_radians();
    let mean = 2_415_020.759_33 + SYNODIC * count + 0.000_117_8 * square - 0.000_000_155 * cube;
    let mean = mean + 0.000_33 * drift.sin();
    let terms = [
        (0.173_4 - 0.000_393 * t, sun),
        (0.002_1, 2.0 * sun),
        (-0.406_8, moon),
        (0.016_1, 2.0 * moon),
        (-0.000_4, 3.0 * moon),
        (0.010_4, 2.0 * node),
        (-0.005_1, sun + moon),
        (-0.007_4, sun - moon),
        (0.000_4, 2.0 * node + sun),
        (-0.000_4, 2.0 * node - sun),
        (-0.000_6, 2.0 * node + moon),
        (0.001_0, 2.0 * node - moon),
        (0.000_5, sun + 2.0 * moon),
    ];
    let true_moon = mean + terms.iter().map(|(size, of)| size * of.sin()).sum::<f64>();
    // The clocks of people run behind those of astronomers.
    let clocks = -0.000_278 + 0.000_265 * t + 0.000_262 * square;
    whole(true_moon - clocks + 0.5 + EAST)
}

/// In which of the twelve signs the sun is when this day begins; the first begins with the spring.
fn sign(day: i32) -> i32 {
    let t = (f64::from(day) - 0.5 - EAST - 2_451_545.0) / 36_525.0;
    let anomaly = (357.529_1 + 35_999.050_3 * t - 0.000_155_9 * t * t).to_radians();
    let mean = 280.466_45 + 36_000.769_83 * t + 0.000_303_2 * t * t;
    let centre = (1.914_6 - 0.004_817 * t - 0.000_014 * t * t) * anomaly.sin()
        + (0.019_993 - 0.000_101 * t) * (2.0 * anomaly).sin()
        + 0.000_29 * (3.0 * anomaly).sin();
    let nutation = 0.004_78 * (125.04 - 1_934.136 * t).to_radians().sin();
    whole((mean + centre - 0.005_69 - nutation).rem_euclid(360.0) / 30.0)
}

#[expect(clippy::cast_possible_truncation, reason = "numbers of days and of moons are small")]
fn whole(number: f64) -> i32 {
    number.floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tết and the fifteenth of the eighth month, from the tables of Hồ Ngọc Đức (amlich-hnd.js, 2004: TK20 and TK21).
    /// At UTC+8 they would be others in 1968, 1969, 1978, 1985, 2007, 2030, 2034 and 2041.
    const KNOWN: [(&str, &str); 83] = [
        ("1968-01-29", "1968-10-06"),
        ("1969-02-16", "1969-09-26"),
        ("1970-02-06", "1970-09-15"),
        ("1971-01-27", "1971-10-03"),
        ("1972-02-15", "1972-09-22"),
        ("1973-02-03", "1973-09-11"),
        ("1974-01-23", "1974-09-30"),
        ("1975-02-11", "1975-09-20"),
        ("1976-01-31", "1976-09-08"),
        ("1977-02-18", "1977-09-27"),
        ("1978-02-07", "1978-09-16"),
        ("1979-01-28", "1979-10-05"),
        ("1980-02-16", "1980-09-23"),
        ("1981-02-05", "1981-09-12"),
        ("1982-01-25", "1982-10-01"),
        ("1983-02-13", "1983-09-21"),
        ("1984-02-02", "1984-09-10"),
        ("1985-01-21", "1985-09-29"),
        ("1986-02-09", "1986-09-18"),
        ("1987-01-29", "1987-10-07"),
        ("1988-02-17", "1988-09-25"),
        ("1989-02-06", "1989-09-14"),
        ("1990-01-27", "1990-10-03"),
        ("1991-02-15", "1991-09-22"),
        ("1992-02-04", "1992-09-11"),
        ("1993-01-23", "1993-09-30"),
        ("1994-02-10", "1994-09-20"),
        ("1995-01-31", "1995-09-09"),
        ("1996-02-19", "1996-09-27"),
        ("1997-02-07", "1997-09-16"),
        ("1998-01-28", "1998-10-05"),
        ("1999-02-16", "1999-09-24"),
        ("2000-02-05", "2000-09-12"),
        ("2001-01-24", "2001-10-01"),
        ("2002-02-12", "2002-09-21"),
        ("2003-02-01", "2003-09-11"),
        ("2004-01-22", "2004-09-28"),
        ("2005-02-09", "2005-09-18"),
        ("2006-01-29", "2006-10-06"),
        ("2007-02-17", "2007-09-25"),
        ("2008-02-07", "2008-09-14"),
        ("2009-01-26", "2009-10-03"),
        ("2010-02-14", "2010-09-22"),
        ("2011-02-03", "2011-09-12"),
        ("2012-01-23", "2012-09-30"),
        ("2013-02-10", "2013-09-19"),
        ("2014-01-31", "2014-09-08"),
        ("2015-02-19", "2015-09-27"),
        ("2016-02-08", "2016-09-15"),
        ("2017-01-28", "2017-10-04"),
        ("2018-02-16", "2018-09-24"),
        ("2019-02-05", "2019-09-13"),
        ("2020-01-25", "2020-10-01"),
        ("2021-02-12", "2021-09-21"),
        ("2022-02-01", "2022-09-10"),
        ("2023-01-22", "2023-09-29"),
        ("2024-02-10", "2024-09-17"),
        ("2025-01-29", "2025-10-06"),
        ("2026-02-17", "2026-09-25"),
        ("2027-02-06", "2027-09-15"),
        ("2028-01-26", "2028-10-03"),
        ("2029-02-13", "2029-09-22"),
        ("2030-02-02", "2030-09-12"),
        ("2031-01-23", "2031-10-01"),
        ("2032-02-11", "2032-09-19"),
        ("2033-01-31", "2033-09-08"),
        ("2034-02-19", "2034-09-26"),
        ("2035-02-08", "2035-09-16"),
        ("2036-01-28", "2036-10-04"),
        ("2037-02-15", "2037-09-24"),
        ("2038-02-04", "2038-09-13"),
        ("2039-01-24", "2039-10-02"),
        ("2040-02-12", "2040-09-20"),
        ("2041-02-01", "2041-09-09"),
        ("2042-01-22", "2042-09-28"),
        ("2043-02-10", "2043-09-17"),
        ("2044-01-30", "2044-10-05"),
        ("2045-02-17", "2045-09-25"),
        ("2046-02-06", "2046-09-15"),
        ("2047-01-26", "2047-10-04"),
        ("2048-02-14", "2048-09-22"),
        ("2049-02-02", "2049-09-11"),
        ("2050-01-23", "2050-09-30"),
    ];

    #[test]
    fn tet_and_mid_autumn_are_on_the_days_on_which_they_are_kept() {
        for (year, (tet, autumn)) in (1968..).zip(KNOWN) {
            let found = [(1, 1), (8, 15)].map(|(month, day)| on(year, month, day).unwrap());
            assert_eq!(found.map(|it| it.to_string()), [tet, autumn]);
        }
        // The day before Tết, in a year in which its month has 29 days, and outside of what is known.
        assert_eq!(on(2025, 12, 30).unwrap().to_string(), "2026-02-16");
        assert_eq!((on(1967, 1, 1), on(2054, 1, 1), on(2026, 13, 1)), (None, None, None));
    }
}
