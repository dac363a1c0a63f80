//! The process is stopped after it has deleted a post or changed its text and before it has written that
//! down, and while it arranges a look: the next start finds out.

use std::os::unix::process::ExitStatusExt as _;

use chancery::domain::id::DeliveryId;
use chancery::service::deliveries::{self, Correcting, Recalling};
use chancery::simulator::{Kind, Operation, Platform};

use super::daemon::Daemon;
use super::points::SIGABRT;
use super::{on_both, standing};
use crate::stage::{Stage, Wanted, eventually, on};

/// The points that are passed after publishing.
pub(super) const POINTS: [&str; 4] =
    ["recall.after_delete", "looks.before_commit", "correct.after_intent", "correct.after_call"];

async fn dies_at(stage: &Stage, options: &[(&str, &str)]) {
    let daemon = Daemon::start(stage.setting(), options);
    let status = daemon.ended().await;
    assert_eq!(status.signal(), Some(SIGABRT), "{options:?}: {status}");
}

async fn becomes(stage: &Stage, id: &DeliveryId, wanted: &str) {
    eventually(&format!("{id} is {wanted}"), async || {
        let (stands, _) = standing(stage, id).await;
        if stands == wanted { Ok(()) } else { Err(stands) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_deleting_and_writing_it_down_is_found_out() {
    on_both(async |stage| {
        let outlets = stage.both().await;
        let mut ids = Vec::new();
        for outlet in &outlets {
            let id = stage.deliver(outlet, &Wanted::text("deleted, and lost")).await;
            stage.published(&id).await;
            let never = on(outlet, Operation::Change, Kind::ServerError { execute: false });
            stage.world().faults().push(never.always());
            let why = Recalling { reason: "A wrong figure".to_owned() };
            deliveries::recall(stage.acts(), stage.caller(), &id, why).await.unwrap();
            ids.push(id);
        }
        stage.stop().await;
        stage.world().faults().clear();
        // One of the two is deleted, or both.
        dies_at(stage, &[("CHANCERY_CRASH_AT", "recall.after_delete")]).await;
        let left: usize = outlets.iter().map(|outlet| stage.posts(outlet).len()).sum();
        assert!(left < 2, "nothing was deleted");
        for id in &ids {
            assert_eq!(standing(stage, id).await.0, "published");
        }
        let daemon = Daemon::start(stage.setting(), &[("CHANCERY_VERIFY__PAUSE", "200ms")]);
        for (id, outlet) in ids.iter().zip(&outlets) {
            becomes(stage, id, "recalled").await;
            assert!(stage.posts(outlet).is_empty());
        }
        daemon.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_looks_are_arranged_loses_none() {
    on_both(async |stage| {
        stage.stop().await;
        stage.set_option("CHANCERY_VERIFY__SPANS", "1h");
        stage.resume().await;
        let outlets = stage.both().await;
        let mut ids = Vec::new();
        for outlet in &outlets {
            stage.world().insert_foreign(outlet.platform, &outlet.remote_id, "stays").unwrap();
            stage.spoil(outlet, Kind::Vanish { ms: 1 });
            let id = stage.deliver(outlet, &Wanted::text("looked for after a crash")).await;
            stage.published(&id).await;
            ids.push(id);
        }
        stage.stop().await;
        stage.setting().database.execute("UPDATE look_cursors SET span_ms = 1000").await;
        let (spans, pause) =
            (("CHANCERY_VERIFY__SPANS", "1s"), ("CHANCERY_VERIFY__PAUSE", "200ms"));
        dies_at(stage, &[("CHANCERY_CRASH_AT", "looks.before_commit"), spans, pause]).await;
        let daemon = Daemon::start(stage.setting(), &[spans, pause]);
        for id in &ids {
            becomes(stage, id, "vanished").await;
        }
        daemon.stop().await;
        assert_eq!(stage.world().counts().received, 2);
    })
    .await;
}

/// With the intent written down, or with the request made: the text is right in the end, and written down
/// once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_a_text_is_corrected_is_found_out() {
    on_both(async |stage| {
        let outlet = stage.outlet(Platform::Facebook).await;
        let id = stage.deliver(&outlet, &Wanted::text("corrected, and lost")).await;
        stage.published(&id).await;
        let never = on(&outlet, Operation::Change, Kind::ServerError { execute: false });
        stage.world().faults().push(never.always());
        let wish = Correcting {
            text: "as it should be".to_owned(),
            reason: "A wrong figure".to_owned(),
            overwrite: None,
            intended_repeat: false,
        };
        deliveries::correct(stage.acts(), stage.caller(), &id, wish).await.unwrap();
        stage.stop().await;
        stage.world().faults().clear();
        let text = || stage.posts(&outlet)[0].text.clone();
        dies_at(stage, &[("CHANCERY_CRASH_AT", "correct.after_intent")]).await;
        assert_ne!(text(), "as it should be");
        dies_at(stage, &[("CHANCERY_CRASH_AT", "correct.after_call")]).await;
        assert_eq!(text(), "as it should be");
        let daemon = Daemon::start(stage.setting(), &[]);
        let corrected = format!(
            "SELECT action FROM audit WHERE subject = '{id}' AND action = 'delivery.corrected'"
        );
        eventually("it is written down", async || {
            let rows = stage.setting().database.rows(&corrected).await;
            if rows.len() == 1 { Ok(()) } else { Err(rows.len()) }
        })
        .await;
        daemon.stop().await;
        assert_eq!((text().as_str(), stage.world().counts().received), ("as it should be", 1));
    })
    .await;
}
