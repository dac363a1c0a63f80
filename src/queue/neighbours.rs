//! Whether other processes live: told by their beats and a clock of our own that never steps, so that
//! no two wall clocks are ever compared.
//!
//! A process counts its lease from before it writes a beat. Whoever sees that beat sees it later, so
//! when no other has come for the length of the lease since then, the lease has ended.

use std::collections::HashMap;
use std::time::Duration;

use crate::store::jobs::Beat;

/// The clocks of two machines do not run equally fast: a lease is waited for longer by this part of it.
const DRIFT: u32 = 20;

/// What was seen of the other processes.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// By fence, the newest beat and when it was seen first.
    seen: HashMap<i64, (i64, Duration)>,
}

impl Neighbours {
    /// Notes how the others beat, as it was asked at `asked` and answered by `answered`: who stood still
    /// in between knows nothing of what they did meanwhile. Gives the fences of those whose leases have
    /// certainly ended; `own` is the length of one of which nothing else is known.
    pub(super) fn silent(
        &mut self,
        beats: &[Beat],
        [asked, answered]: [Duration; 2],
        own: Duration,
    ) -> Vec<i64> {
        let mut silent = Vec::new();
        for beat in beats {
            let (newest, since) = self.seen.entry(beat.fence).or_insert((beat.beats, answered));
            if *newest != beat.beats {
                (*newest, *since) = (beat.beats, answered);
            }
            let told =
                beat.lease_ms.map(|it| Duration::from_millis(u64::try_from(it).unwrap_or(0)));
            let lease = told.unwrap_or(own);
            if asked.saturating_sub(*since) >= lease + lease / DRIFT {
                silent.push(beat.fence);
            }
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Duration = Duration::from_secs(10);

    fn beat(fence: i64, beats: i64, lease_ms: Option<i64>) -> Beat {
        Beat { fence, beats, lease_ms }
    }

    fn at(seconds: u64) -> [Duration; 2] {
        [Duration::from_secs(seconds); 2]
    }

    #[test]
    fn a_lease_has_ended_when_no_beat_came_for_its_length_since_it_was_seen() {
        let mut all = Neighbours::default();
        let lives = |beats| [beat(3, beats, Some(20_000))];
        assert!(all.silent(&lives(7), at(100), OWN).is_empty(), "it has only just been seen");
        assert!(all.silent(&lives(7), at(120), OWN).is_empty(), "its clock may be a little slower");
        assert!(all.silent(&lives(8), at(121), OWN).is_empty(), "it has beaten");
        assert!(all.silent(&lives(8), at(141), OWN).is_empty());
        assert_eq!(all.silent(&lives(8), at(142), OWN), [3]);
        assert!(all.silent(&lives(9), at(143), OWN).is_empty(), "it lives after all");
    }

    #[test]
    fn who_stood_still_before_the_answer_came_calls_nobody_lost() {
        let mut all = Neighbours::default();
        let lives = |beats| [beat(3, beats, Some(20_000))];
        assert!(all.silent(&lives(7), at(100), OWN).is_empty());
        let stood_still = [Duration::from_secs(110), Duration::from_secs(500)];
        assert!(all.silent(&lives(7), stood_still, OWN).is_empty());
    }

    #[test]
    fn a_lost_row_counts_by_our_own_lease_and_no_beat_at_all_is_no_lease() {
        let mut all = Neighbours::default();
        let both = [beat(1, -1, None), beat(2, 0, Some(0))];
        assert_eq!(all.silent(&both, at(5), OWN), [2]);
        assert_eq!(all.silent(&both, at(15), OWN), [2]);
        assert_eq!(all.silent(&both, at(16), OWN), [1, 2]);
    }
}
