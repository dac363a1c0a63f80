//! Bits flip in the file of the database while the process is down: it refuses to start, or leaves out
//! what it cannot trust; it never sends another text, to another account, or twice.

use std::fs;
use std::time::Duration;

use chancery::clock::{Clock as _, SystemClock, after};
use chancery::simulator::CreateOutcome;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::OPTIONS;
use super::daemon::Daemon;
use crate::stage::{Kind, Outlet, Stage, Wanted, now, pass};

/// What makes the run repeatable.
const SEED: u64 = 20_260_902;
/// Bits at places that nobody chose.
const ANYWHERE: usize = 20;
/// Long enough for what goes out at all, with a process that has just started.
const PATIENCE: Duration = Duration::from_secs(3);

/// A database with what is due, and what may go out of it.
struct Base {
    stage: Stage,
    whole: Vec<u8>,
    wanted: Vec<(Outlet, String)>,
}

/// What came of a start on a flipped bit.
#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    all: usize,
    some: usize,
}

async fn base() -> Base {
    let options = [OPTIONS[0], OPTIONS[1], ("CHANCERY_PUBLISH__CATCH_UP_AFTER", "1h")];
    let mut stage = Stage::start(Kind::Sqlite, &options).await.unwrap();
    // The same posts go out again and again, each time from the same file.
    stage.world().change_settings(|settings| {
        settings.rate_limits = false;
        settings.x.duplicate_window_s = None;
    });
    let due = after(now(), Duration::from_millis(200));
    let mut wanted = Vec::new();
    for outlet in stage.both().await.into_iter().chain(stage.both().await) {
        let one = Wanted::text("with a flipped bit").at(after(due, Duration::from_hours(1)));
        stage.deliver(&outlet, &one).await;
        wanted.push((outlet, one.text));
    }
    stage.stop().await;
    let sql = format!("UPDATE deliveries SET due_at = {}", due.as_millisecond());
    stage.setting().database.execute(&sql).await;
    let sql = format!("UPDATE jobs SET due_at = {} WHERE kind = 'publish'", due.as_millisecond());
    stage.setting().database.execute(&sql).await;
    let whole = fs::read(stage.setting().directory().join("chancery.db")).unwrap();
    Base { stage, whole, wanted }
}

impl Base {
    /// One life on the file with this bit flipped.
    async fn live(&self, at: usize, bit: u8, tally: &mut Tally) {
        let file = self.stage.setting().directory().join("chancery.db");
        let mut flipped = self.whole.clone();
        flipped[at] ^= 1 << bit;
        fs::write(&file, flipped).unwrap();
        for ending in ["-wal", "-shm"] {
            let _absent = fs::remove_file(file.with_file_name(format!("chancery.db{ending}")));
        }
        let since = self.stage.world().journal().len();
        let mut daemon = Daemon::start(self.stage.setting(), &[]);
        let start = SystemClock.elapsed();
        let ended = loop {
            let sent = self.stage.world().journal().len() - since;
            let ended = daemon.has_ended();
            let late = SystemClock.elapsed().saturating_sub(start) > PATIENCE;
            if sent >= self.wanted.len() || ended.is_some() || late {
                break ended;
            }
            pass(Duration::from_millis(20)).await;
        };
        // What would go out twice, would do so at once.
        pass(Duration::from_millis(100)).await;
        if let Some(status) = ended {
            assert_eq!(status.code(), Some(3), "byte {at}, bit {bit}: ended with {status}");
            tally.refused += 1;
        } else {
            daemon.kill().await;
        }
        self.judge(since, &format!("byte {at}, bit {bit}"));
        let sent = self.stage.world().journal().len() - since;
        if sent == self.wanted.len() {
            tally.all += 1;
        } else if ended.is_none() {
            tally.some += 1;
        }
    }

    /// Only what was wanted, where it was wanted, once.
    fn judge(&self, since: usize, place: &str) {
        let mut left = self.wanted.clone();
        for entry in &self.stage.world().journal()[since..] {
            let CreateOutcome::Created(_) = entry.outcome else { continue };
            let own = left.iter().position(|(outlet, text)| {
                entry.account.as_ref() == Some(&outlet.remote_id) && entry.intent.text == *text
            });
            let Some(own) = own else { panic!("{place}: nobody wanted {entry:?}") };
            left.remove(own);
        }
    }

    /// Where these bytes stand in the file.
    fn places(&self, bytes: &[u8]) -> Vec<usize> {
        let windows = self.whole.windows(bytes.len()).enumerate();
        windows.filter(|(_, window)| *window == bytes).map(|(at, _)| at).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_anywhere_sends_nothing_wrong() {
    let base = base().await;
    let (mut chance, mut tally) = (StdRng::seed_from_u64(SEED), Tally::default());
    for _ in 0..ANYWHERE {
        let at = chance.random_range(0..base.whole.len());
        base.live(at, chance.random_range(0..8), &mut tally).await;
    }
    eprintln!("seed {SEED}, {ANYWHERE} bits of {} bytes: {tally:?}", base.whole.len());
    assert!(tally.all > 0, "the file was of no use to begin with: {tally:?}");
}

/// In every place where the text of a post, or the name of its account there, is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_in_text_or_account_sends_nothing_wrong() {
    let base = base().await;
    let mut tally = Tally::default();
    let (outlet, text) = base.wanted[0].clone();
    for bytes in [text.as_bytes(), outlet.remote_id.as_bytes()] {
        let places = base.places(bytes);
        assert!(places.len() > 1, "it is not in the file");
        for place in places {
            base.live(place + bytes.len() - 4, 0, &mut tally).await;
        }
    }
    eprintln!("bits of a text and of an account's id: {tally:?}");
    assert!(tally.some > 0, "no flipped bit has mattered: {tally:?}");
}
