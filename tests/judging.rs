//! The judge of the benchmarks sees what is lost, sent twice, refused or early. (A benchmark itself is
//! no test: it runs without the harness.)

#[path = "bench/judge.rs"]
mod judge;

#[cfg(test)]
mod tests {
    use chancery::simulator::{CreateOutcome, Intent, JournalEntry, Platform};
    use jiff::Timestamp;

    use super::judge::{all_once, arrivals, millis, punctual};

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    fn made(text: &str, millisecond: i64) -> JournalEntry {
        JournalEntry {
            number: 1,
            platform: Platform::X,
            account: None,
            at: at(millisecond),
            intent: Intent { text: text.to_owned(), ..Intent::default() },
            outcome: CreateOutcome::Created("1".to_owned()),
            fault: None,
        }
    }

    fn judged(journal: &[JournalEntry]) -> Result<Vec<f64>, String> {
        let texts = ["one", "two"].map(str::to_owned);
        arrivals(&texts, &[at(1_000), at(2_000)], journal).map_err(|error| error.to_string())
    }

    #[test]
    fn a_run_in_which_each_arrived_once_and_late_is_good() {
        let late = judged(&[made("two", 2_001), made("one", 1_000)]).unwrap();
        assert_eq!(late, [1.0, 0.0]);
        assert!(punctual(&late).is_ok());
        assert!(all_once((10, 10), (12, 12), 2).is_ok());
    }

    #[test]
    fn what_is_lost_doubled_refused_or_foreign_is_bad() {
        let refused = JournalEntry { outcome: CreateOutcome::Refused(403), ..made("two", 2_001) };
        let rows = [
            (vec![made("one", 1_001)], "1 deliveries never arrived"),
            (vec![made("one", 1_001), made("two", 2_001), made("one", 1_002)], "sent twice"),
            (vec![made("one", 1_001), made("one", 1_002)], "sent twice"),
            (vec![made("one", 1_001), refused], "refused"),
            (vec![made("one", 1_001), made("two", 2_001), made("three", 3_001)], "sent twice"),
        ];
        for (journal, why) in rows {
            let told = judged(&journal).unwrap_err();
            assert!(told.starts_with(why), "{why}: {told}");
        }
        // One lost, one twice, of which the platform refused one: the creates alone would be right.
        for after in [(11, 11), (13, 13), (12, 11), (12, 13), (13, 12)] {
            assert!(all_once((10, 10), after, 2).is_err(), "{after:?}");
        }
    }

    #[test]
    fn what_is_early_is_bad() {
        let late = judged(&[made("one", 999), made("two", 2_001)]).unwrap();
        assert!(punctual(&late).is_err());
        assert!(millis(at(1_000), at(999)) < 0.0);
    }
}
