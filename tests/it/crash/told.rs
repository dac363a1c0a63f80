//! The process is stopped between a transition and what follows from it: it is told of all the same,
//! under one id.

use std::os::unix::process::ExitStatusExt as _;

use chancery::service::webhooks;
use serde_json::json;

use super::daemon::Daemon;
use super::points::SIGABRT;
use super::{OPTIONS, soon, standing};
use crate::receiver::{Hook, Mood};
use crate::stage::{Kind as Database, Stage, Wanted, eventually};

/// The relay looks once when it starts, and then not again for a long time.
const ONCE: (&str, &str) = ("CHANCERY_NOTIFY__POLL_INTERVAL", "1h");
/// It looks all the time.
const OFTEN: (&str, &str) = ("CHANCERY_NOTIFY__POLL_INTERVAL", "20ms");

async fn told(hook: &Hook, count: usize) {
    eventually(&format!("told {count} times"), async || {
        let seen = hook.told().len();
        if seen >= count { Ok(()) } else { Err(seen) }
    })
    .await;
}

async fn dies(stage: &Stage, point: &str, interval: (&str, &str)) {
    let daemon = Daemon::start(stage.setting(), &[("CHANCERY_CRASH_AT", point), interval]);
    let status = daemon.ended().await;
    assert_eq!(status.signal(), Some(SIGABRT), "at {point}: {status}");
}

async fn story(kind: Database) {
    let hook = Hook::start(Mood::Hang).await;
    let Some(mut stage) = Stage::start(kind, &OPTIONS).await else { return };
    let new = json!({"url": hook.url(), "events": ["delivery.published"]});
    let new = serde_json::from_value(new).unwrap();
    let made = webhooks::create(stage.acts(), stage.caller(), new).await.unwrap().value;
    let secret = made.secret.unwrap();
    let outlet = stage.outlet(chancery::simulator::Platform::X).await;
    let id = stage.deliver(&outlet, &Wanted::text("told after a crash").at(soon())).await;
    stage.stop().await;

    // Published and committed, and nobody has looked what follows.
    dies(&stage, "settle.after_commit", ONCE).await;
    assert_eq!(standing(&stage, &id).await.0, "published");
    // What follows is worked out, and not committed.
    dies(&stage, "relay.before_commit", OFTEN).await;
    assert_eq!(hook.told().len(), 0);
    // It is being told, and the other side has not answered.
    let daemon = Daemon::start(stage.setting(), &[OFTEN]);
    told(&hook, 1).await;
    daemon.kill().await;
    hook.becomes(Mood::Answer(200));
    // The mood of the request that hangs changes too, but nobody reads its answer any more.
    let daemon = Daemon::start(stage.setting(), &[OFTEN]);
    told(&hook, 2).await;
    eventually("the try is in the log", async || {
        let sql = "SELECT outcome FROM webhook_tries";
        let rows = stage.setting().database.rows(sql).await;
        if rows == [["delivered"]] { Ok(()) } else { Err(format!("{rows:?}")) }
    })
    .await;
    daemon.stop().await;
    let requests = hook.told();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert!(request.is_signed_with(&secret) && request.id == requests[0].id);
        assert_eq!(request.json()["data"]["delivery_id"], id.to_string());
    }
    assert_eq!(stage.made(&outlet), 1);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_is_told_after_every_crash_on_sqlite() {
    story(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_is_told_after_every_crash_on_postgres() {
    story(Database::Postgres).await;
}
