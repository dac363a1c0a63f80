//! Every named point at which the process can be stopped, with the story that passes it.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::work;
use chancery::service::{Window, deliveries, notifications};
use chancery::simulator::{Kind, Operation, Platform};
use serde_json::json;

use super::daemon::Daemon;
use super::{on_both, published_once, soon, standing};
use crate::stage::{Stage, Wanted, eventually, on};

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
        plain("publish.admit"),
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

/// Stopped at any point of its second part a thread is taken up where it was: every part is there once,
/// under the one before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_the_parts_of_a_thread_resumes_it() {
    for point in
        ["publish.before_call", "publish.after_call", "settle.before_commit", "settle.after_commit"]
    {
        on_both(async |stage| {
            let outlet = stage.outlet(Platform::X).await;
            let wanted = Wanted::text(&format!("a thread stopped at {point}"));
            let wanted = wanted.thread(&["second", "third"]);
            let post = stage.write(&wanted).await;
            let begun = stage.now();
            let at = after(begun, Duration::from_secs(3));
            let ids = stage.schedule(&post, &[wanted.at(at).delivery(&outlet)]).await;
            let later = after(begun, Duration::from_secs(8)).to_string();
            let later = serde_json::from_value(json!({"at": later})).unwrap();
            let (acts, caller) = (stage.acts(), stage.caller());
            Box::pin(deliveries::reschedule(acts, caller, &ids[1], None, later)).await.unwrap();
            stage.published(&ids[0]).await;
            stage.stop().await;
            if stage.made(&outlet) == 1 {
                dies_at(stage, point).await;
            }
            let daemon = Daemon::start(stage.setting(), &[]);
            for id in &ids {
                eventually(&format!("{id} is published"), async || {
                    let (stands, _) = standing(stage, id).await;
                    if stands == "published" { Ok(()) } else { Err(stands) }
                })
                .await;
            }
            daemon.stop().await;
            let posts = stage.posts(&outlet);
            let above: Vec<_> = posts.iter().map(|one| one.reply_to.as_deref()).collect();
            let under: Vec<_> = posts.iter().map(|one| Some(one.id.as_str())).collect();
            assert_eq!((above.len(), above[0]), (3, None), "{posts:?}");
            assert_eq!(above[1..], under[..2], "{posts:?}");
        })
        .await;
    }
}

/// A point that no story passes is a point that nobody has tested.
#[test]
fn every_point_of_the_code_has_its_story() {
    let mut named = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut named);
    let later = super::after::POINTS.into_iter().chain(super::refresh::POINTS);
    let later = later.chain(super::films::POINTS);
    let told = points().into_iter().map(|point| point.name).chain(later);
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

/// The admission of one delivery ends the process, before anything is written down: it is found out, a
/// person is asked and administrators are told; the others go out, once each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admission_that_kills_the_process_three_times_is_set_aside() {
    on_both(async |stage| {
        let [outlet, other] = stage.both().await;
        let third = stage.outlet(Platform::X).await;
        let due = soon();
        let poison = stage.deliver(&outlet, &Wanted::text("poison").at(due)).await;
        let mut others = Vec::new();
        for outlet in [&other, &third] {
            others.push((stage.deliver(outlet, &Wanted::text("goes on").at(due)).await, outlet));
        }
        stage.stop().await;
        let options =
            [("CHANCERY_CRASH_AT", "publish.admit"), ("CHANCERY_CRASH_ABOUT", poison.as_str())];
        // Once among others, where nobody can tell which it was, and three times by itself.
        for round in 1..=4 {
            assert_eq!(standing(stage, &poison).await.0, "scheduled", "before the {round}. death");
            let status = Daemon::start(stage.setting(), &options).ended().await;
            assert_eq!(status.signal(), Some(SIGABRT), "{status}");
        }
        let mut daemon = Daemon::start(stage.setting(), &options);
        eventually("it is set aside", async || {
            daemon.must_run();
            let (state, _) = standing(stage, &poison).await;
            if state == "needs_human" { Ok(()) } else { Err(state) }
        })
        .await;
        for (id, outlet) in &others {
            published_once(stage, id, outlet).await;
        }
        daemon.stop().await;
        let losses =
            "SELECT CAST(losses AS TEXT) FROM jobs WHERE losses > 0 AND state <> 'discarded'";
        assert_eq!(stage.setting().database.rows(losses).await, Vec::<Vec<String>>::new());
        stage.resume().await;
        let asked = stage.show(&poison).await.delivery;
        assert_eq!(asked.problem.unwrap().code, "set_aside");
        let window = Window { limit: 200, after: None };
        eventually("administrators are told", async || {
            let all =
                notifications::list(stage.acts(), stage.caller(), false, &window).await.unwrap();
            let told = |event: &str| all.items.iter().any(|it| it.event.as_str() == event);
            if told("job.set_aside") && told("delivery.needs_human") {
                Ok(())
            } else {
                Err(format!("{:?}", all.items))
            }
        })
        .await;
        deliveries::retry(stage.acts(), stage.caller(), &poison).await.unwrap();
        stage.published(&poison).await;
        assert_eq!(stage.creates(&outlet).len(), 1);
    })
    .await;
}

/// The admission of one delivery panics, and the process lives: it is counted, a person is asked after the
/// third time, and the others go out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admission_that_panics_three_times_is_set_aside() {
    on_both(async |stage| {
        let [outlet, other] = stage.both().await;
        let due = soon();
        let poison = stage.deliver(&outlet, &Wanted::text("poison").at(due)).await;
        let beside = stage.deliver(&other, &Wanted::text("goes on").at(due)).await;
        stage.stop().await;
        let options = [
            ("CHANCERY_CRASH_PANIC_AT", "publish.admit"),
            ("CHANCERY_CRASH_ABOUT", poison.as_str()),
        ];
        let key = work::publish_key(&poison);
        let losses = format!("SELECT CAST(losses AS TEXT) FROM jobs WHERE unique_key = '{key}'");
        // In one process the tries are a minute apart; a new one tries at once.
        for round in 1..=3_u32 {
            assert_eq!(standing(stage, &poison).await.0, "scheduled", "before the {round}. panic");
            let mut daemon = Daemon::start(stage.setting(), &options);
            eventually("the panic is counted", async || {
                daemon.must_run();
                let seen = stage.setting().database.rows(&losses).await[0][0].clone();
                if seen == round.to_string() { Ok(()) } else { Err(seen) }
            })
            .await;
            if round == 3 {
                eventually("it is set aside", async || {
                    let (state, _) = standing(stage, &poison).await;
                    if state == "needs_human" { Ok(()) } else { Err(state) }
                })
                .await;
            }
            published_once(stage, &beside, &other).await;
            daemon.stop().await;
        }
        stage.resume().await;
        let asked = stage.show(&poison).await.delivery;
        assert_eq!(asked.problem.unwrap().code, "set_aside");
        let window = Window { limit: 200, after: None };
        eventually("administrators are told", async || {
            let all =
                notifications::list(stage.acts(), stage.caller(), false, &window).await.unwrap();
            let told = all.items.iter().any(|it| it.event.as_str() == "job.set_aside");
            if told { Ok(()) } else { Err(format!("{:?}", all.items)) }
        })
        .await;
        deliveries::retry(stage.acts(), stage.caller(), &poison).await.unwrap();
        stage.published(&poison).await;
        assert_eq!(stage.creates(&outlet).len(), 1);
    })
    .await;
}
