//! Every named point at which the process can be stopped, with the story that passes it.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use chancery::domain::delivery::DeliveryState;
use chancery::simulator::{Kind, Operation};

use super::daemon::Daemon;
use super::{on_both, published_once, soon, standing};
use crate::stage::{Stage, Wanted, on};

/// The signal of `abort`.
pub(super) const SIGABRT: i32 = 6;

/// One point, and what leads to it.
struct Point {
    name: &'static str,
    /// What happens to the create before.
    fault: Option<Kind>,
    /// How often an earlier process is stopped elsewhere before this point is reached.
    after: Option<&'static str>,
}

const fn plain(name: &'static str) -> Point {
    Point { name, fault: None, after: None }
}

fn points() -> Vec<Point> {
    vec![
        plain("claim.before_commit"),
        plain("lease.before_renewal"),
        plain("publish.after_intent"),
        plain("publish.before_call"),
        plain("publish.after_call"),
        plain("settle.before_commit"),
        plain("settle.after_commit"),
        plain("relay.before_commit"),
        Point { name: "reconcile.after_look", fault: Some(Kind::DropAfter), after: None },
        Point { name: "rescue.before_commit", fault: None, after: Some("publish.after_call") },
    ]
}

async fn dies_at(stage: &Stage, point: &str) {
    let daemon = Daemon::start(stage.setting(), &[("CHANCERY_CRASH_AT", point)]);
    let status = daemon.ended().await;
    assert_eq!(status.signal(), Some(SIGABRT), "at {point}: {status}");
}

/// Whatever the point, the next start ends with exactly one post under its own id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_point_makes_exactly_one_post() {
    for point in points() {
        on_both(async |stage| {
            let outlets = stage.both().await;
            let due = soon();
            let mut ids = Vec::new();
            for outlet in &outlets {
                if let Some(fault) = &point.fault {
                    stage.world().faults().push(on(outlet, Operation::Create, fault.clone()));
                }
                let text = format!("stopped at {}", point.name);
                ids.push(stage.deliver(outlet, &Wanted::text(&text).at(due)).await);
            }
            stage.stop().await;
            if let Some(earlier) = point.after {
                dies_at(stage, earlier).await;
            }
            dies_at(stage, point.name).await;
            for id in &ids {
                assert_ne!(standing(stage, id).await.0, "failed");
            }
            let daemon = Daemon::start(stage.setting(), &[]);
            for (id, outlet) in ids.iter().zip(&outlets) {
                published_once(stage, id, outlet).await;
            }
            daemon.stop().await;
        })
        .await;
    }
}

/// A point that no story passes is a point that nobody has tested.
#[test]
fn every_point_of_the_code_has_its_story() {
    let mut named = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut named);
    let told = points().into_iter().map(|point| point.name).chain(super::after::POINTS);
    let told: BTreeSet<String> = told.map(str::to_owned).collect();
    assert_eq!(named, told);
}

fn collect(directory: &Path, named: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, named);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for (_, rest) in
            text.match_indices("crash_point!(\"").map(|(at, it)| (at, &text[at + it.len()..]))
        {
            named.insert(rest.split('"').next().unwrap_or_default().to_owned());
        }
    }
}

/// What kills the process three times is not tried a fourth time: a person is asked, and the process
/// lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_kills_the_process_three_times_is_set_aside() {
    on_both(async |stage| {
        let [outlet, other] = stage.both().await;
        stage.spoil(&outlet, Kind::DropAfter);
        let id = stage.deliver(&outlet, &Wanted::text("poison").at(soon())).await;
        stage.stop().await;
        for _ in 0..3 {
            assert_ne!(standing(stage, &id).await.0, "needs_human");
            dies_at(stage, "reconcile.after_look").await;
        }
        stage.resume().await;
        let asked = stage.until(&id, DeliveryState::NeedsHuman).await;
        assert_eq!(asked.delivery.problem.unwrap().code, "look_lost");
        let next = stage.deliver(&other, &Wanted::text("others go on")).await;
        stage.published(&next).await;
        assert_eq!(stage.made(&outlet), 1);
    })
    .await;
}
