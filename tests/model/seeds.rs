//! Runs seeds, shortens the story of one that fails, and says how to see it again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chancery::clock::{Clock as _, SystemClock};
use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::act::{Act, story};
use crate::rig::Rig;
use crate::stage::Kind;

/// How many shorter stories are tried when one has failed, unless the environment says.
const SHORTENINGS: u64 = 40;

/// Plays a story; what was found, or none when the database was left out on purpose.
fn play(kind: Kind, acts: &[Act]) -> Option<Vec<String>> {
    let mut rig = Rig::new(kind)?;
    for act in acts {
        rig.play(act);
    }
    rig.settle();
    Some(rig.finish())
}

fn judged(kind: Kind, acts: &[Act]) -> Option<Vec<String>> {
    catch_unwind(AssertUnwindSafe(|| play(kind, acts))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let said = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        Some(vec![format!("a panic: {said}")])
    })
}

/// The story of a seed; the same for ever, as long as the acts are the same.
fn told(seed: u64) -> impl ValueTree<Value = Vec<Act>> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    story().new_tree(&mut TestRunner::new_with_rng(Config::default(), rng)).unwrap()
}

/// Fewer and smaller acts that fail as well, as far as a few tries lead.
fn shortened(kind: Kind, mut tree: impl ValueTree<Value = Vec<Act>>) -> Vec<Act> {
    let mut shortest = tree.current();
    let mut moved = tree.simplify();
    for _ in 0..number("CHANCERY_TEST_SHORTENINGS").unwrap_or(SHORTENINGS) {
        if !moved {
            break;
        }
        let acts = tree.current();
        // What simplifying has taken away and was needed is put back, and the next tried.
        moved = if judged(kind, &acts).is_some_and(|found| !found.is_empty()) {
            shortest = acts;
            tree.simplify()
        } else {
            tree.complicate()
        };
    }
    shortest
}

fn lines(acts: &[Act]) -> String {
    acts.iter().fold(String::new(), |all, act| all + &format!("  {act:?}\n"))
}

/// Every seed of the range keeps every promise.
fn all(kind: Kind, seeds: std::ops::Range<u64>) {
    let start = SystemClock.elapsed();
    eprintln!("seeds {seeds:?} on {kind:?}");
    for seed in seeds.clone() {
        let tree = told(seed);
        let Some(found) = judged(kind, &tree.current()) else { return };
        if found.is_empty() {
            continue;
        }
        let found = found.join("\n");
        eprintln!("seed {seed} on {kind:?}:\n{found}\n{}", lines(&tree.current()));
        let acts = lines(&shortened(kind, tree));
        panic!(
            "seed {seed} on {kind:?}:\n{found}\nshortest story that failed too:\n{acts}\nagain \
             with: CHANCERY_TEST_SEED={seed} CHANCERY_TEST_SEEDS=1 cargo test --all-features \
             --test model -- --ignored --nocapture"
        );
    }
    eprintln!("{seeds:?}: {:?}", SystemClock.elapsed().saturating_sub(start));
}

macro_rules! blocks {
    ($($name:ident: $kind:ident $seeds:expr;)*) => {
        $(#[test]
        fn $name() {
            all(Kind::$kind, $seeds);
        })*
    };
}

blocks! {
    sqlite_0: Sqlite 0..100;
    sqlite_1: Sqlite 100..200;
    sqlite_2: Sqlite 200..300;
    sqlite_3: Sqlite 300..400;
    sqlite_4: Sqlite 400..500;
    sqlite_5: Sqlite 500..600;
    sqlite_6: Sqlite 600..700;
    postgres_0: Postgres 0..10;
}

/// Other seeds each time, unless the environment says which.
#[test]
#[ignore = "soak"]
fn soak_of_seeds() {
    let first = number("CHANCERY_TEST_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let count = number("CHANCERY_TEST_SEEDS").unwrap_or(3_000);
    all(Kind::Sqlite, first..first + count);
    all(Kind::Postgres, first..first + count.div_ceil(20));
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment what to use")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}
