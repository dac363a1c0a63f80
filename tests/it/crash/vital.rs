//! What panics: a single job is doubted and nobody else notices; a part without which nothing is
//! published ends the process, so that a supervisor starts it anew. And a process that cannot listen
//! has taken nothing in hand.

use std::os::unix::process::ExitStatusExt as _;

use super::daemon::Daemon;
use super::points::SIGABRT;
use super::{on_both, published_once, soon, standing};
use crate::stage::{Wanted, eventually};

/// Each job panics after its call: its post is there, is found by reading back, and the lane goes on
/// with the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_a_job_is_a_doubt_and_stops_nobody() {
    on_both(async |stage| {
        let outlets = stage.both().await;
        let mut ids = Vec::new();
        for outlet in outlets.iter().chain(&outlets) {
            let wanted = Wanted::text("panics after the call").at(soon());
            ids.push((stage.deliver(outlet, &wanted).await, outlet));
        }
        stage.stop().await;
        let panics = [("CHANCERY_CRASH_PANIC_AT", "publish.after_call")];
        let mut daemon = Daemon::start(stage.setting(), &panics);
        for (id, _) in &ids {
            eventually(&format!("{id} is published"), async || {
                daemon.must_run();
                let (state, _) = standing(stage, id).await;
                if state == "published" { Ok(()) } else { Err(state) }
            })
            .await;
            assert_eq!(stage.doubts(id).await, 1, "{id} was not doubted");
        }
        // Only now: the first of an account can be found before the second has left.
        for outlet in &outlets {
            assert_eq!(stage.creates(outlet).len(), 2);
        }
        daemon.stop().await;
    })
    .await;
}

/// A panic of a lane, of who writes the outcomes or of who keeps the lease ends the process with a failure, and the next
/// start does the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_a_vital_part_ends_the_process() {
    for point in ["claim.before_commit", "settle.before_commit", "lease.before_renewal"] {
        on_both(async |stage| {
            let [outlet, _] = stage.both().await;
            let id = stage.deliver(&outlet, &Wanted::text("dies").at(soon())).await;
            stage.stop().await;
            let panics = [("CHANCERY_CRASH_PANIC_AT", point)];
            let status = Daemon::start(stage.setting(), &panics).ended().await;
            assert_eq!(status.signal(), Some(SIGABRT), "{point}: {status}");
            let daemon = Daemon::start(stage.setting(), &[]);
            published_once(stage, &id, &outlet).await;
            daemon.stop().await;
        })
        .await;
    }
}

/// Somebody else listens there: the process ends at once, has claimed nothing and sent nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_cannot_listen_takes_nothing_in_hand() {
    on_both(async |stage| {
        let [outlet, _] = stage.both().await;
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let due = soon();
        let id = stage.deliver(&outlet, &Wanted::text("nobody listens").at(due)).await;
        stage.stop().await;
        eventually(
            "it is due",
            async || {
                if crate::stage::now() > due { Ok(()) } else { Err("not yet") }
            },
        )
        .await;
        let nodes = "SELECT id FROM nodes";
        let before = stage.setting().database.rows(nodes).await;
        let options = [("CHANCERY_SERVER__LISTEN", address.as_str())];
        let status = Daemon::start(stage.setting(), &options).ended().await;
        assert_eq!(status.code(), Some(1));
        assert_eq!(standing(stage, &id).await.0, "scheduled");
        assert_eq!(stage.setting().database.rows(nodes).await, before, "its engine has started");
        assert_eq!(stage.world().counts().received, 0);
        stage.resume().await;
        stage.published(&id).await;
    })
    .await;
}
