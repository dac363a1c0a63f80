//! The process is stopped between the phases of a film: the next start makes of it one post, and not two.

use std::os::unix::process::ExitStatusExt as _;

use chancery::simulator::Platform;

use super::daemon::Daemon;
use super::points::SIGABRT;
use super::{on_both, published_once, soon, standing};
use crate::page_films::{KINDS, wanted};
use crate::stage::Wanted;

/// The points that only films pass.
pub(super) const POINTS: [&str; 2] = ["ledger.begun", "ledger.whole"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_the_phases_of_a_film_makes_one_post() {
    for point in POINTS.into_iter().chain(["publish.after_call"]) {
        on_both(async |stage| {
            let mut films = Vec::new();
            for kind in KINDS {
                let film = wanted(stage, kind, &format!("stopped at {point}")).await;
                films.push((film, stage.outlet(Platform::Facebook).await));
            }
            let due = soon();
            let mut ids = Vec::new();
            for (film, outlet) in films {
                ids.push((stage.deliver(&outlet, &film.at(due)).await, outlet));
            }
            stage.stop().await;
            let out: usize = ids.iter().map(|(_, outlet)| stage.made(outlet)).sum();
            if out < ids.len() {
                let status =
                    Daemon::start(stage.setting(), &[("CHANCERY_CRASH_AT", point)]).ended();
                let status = status.await;
                assert_eq!(status.signal(), Some(SIGABRT), "at {point}: {status}");
            }
            for (id, _) in &ids {
                assert_ne!(standing(stage, id).await.0, "failed");
            }
            let daemon = Daemon::start(stage.setting(), &[]);
            for (id, outlet) in &ids {
                published_once(stage, id, outlet).await;
            }
            daemon.stop().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_the_two_steps_of_a_post_makes_one_post() {
    for point in ["ledger.whole", "publish.after_call"] {
        on_both(async |stage| {
            stage.stop().await;
            stage.set_option("CHANCERY_FACEBOOK__TWO_STEPS", "all");
            stage.resume().await;
            let outlet = stage.outlet(Platform::Facebook).await;
            let text = Wanted::text(&format!("stopped at {point}")).at(soon());
            let id = stage.deliver(&outlet, &text).await;
            stage.stop().await;
            if stage.made(&outlet) == 0 {
                let status =
                    Daemon::start(stage.setting(), &[("CHANCERY_CRASH_AT", point)]).ended();
                let status = status.await;
                assert_eq!(status.signal(), Some(SIGABRT), "at {point}: {status}");
            }
            let daemon = Daemon::start(stage.setting(), &[]);
            published_once(stage, &id, &outlet).await;
            daemon.stop().await;
        })
        .await;
    }
}
