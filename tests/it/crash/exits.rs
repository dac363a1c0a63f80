//! Where the process must refuse to run, and the exit code by which a supervisor knows why.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::time::Duration;

use chancery::clock::after;
use chancery::simulator::Kind as FaultKind;

use super::daemon::Daemon;
use super::set;
use crate::stage::{Kind, Stage, Wanted, eventually};

async fn code(stage: &Stage, further: &[(&str, &str)]) -> Option<i32> {
    Daemon::start(stage.setting(), further).ended().await.code()
}

/// A second process on the same directory; the first goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_a_directory_ends_with_4() {
    let mut stage = set(Kind::Sqlite).await.unwrap();
    let [outlet, _] = stage.both().await;
    stage.stop().await;
    let mut first = Daemon::start(stage.setting(), &[]);
    first.ready().await;
    assert_eq!(code(&stage, &[]).await, Some(4));
    first.must_run();
    first.stop().await;
    stage.resume().await;
    let id = stage.deliver(&outlet, &Wanted::text("after the second")).await;
    stage.published(&id).await;
    stage.finish().await;
}

/// A file that is damaged is not used: every page after the first is overwritten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_database_ends_with_3_and_sends_nothing() {
    let mut stage = set(Kind::Sqlite).await.unwrap();
    let [outlet, _] = stage.both().await;
    let due = super::soon();
    stage.deliver(&outlet, &Wanted::text("damaged").at(due)).await;
    stage.stop().await;
    let file = stage.setting().directory().join("chancery.db");
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    for page in 1..whole.len() as u64 / 4096 {
        damaged.seek(SeekFrom::Start(page * 4096 + 64)).unwrap();
        damaged.write_all(&[0xA5; 512]).unwrap();
    }
    drop(damaged);
    assert_eq!(code(&stage, &[]).await, Some(3));
    std::fs::write(&file, b"this is no database, it is a letter, and a long one at that").unwrap();
    assert_eq!(code(&stage, &[]).await, Some(3));
    assert_eq!(stage.world().counts().received, 0);
    std::fs::write(&file, whole).unwrap();
    stage.resume().await;
    stage.finish().await;
}

/// Another key than the one that sealed the tokens, or none that can be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_ends_with_3_and_sends_nothing() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let Some(mut stage) = set(kind).await else { continue };
        let [outlet, _] = stage.both().await;
        let due = super::soon();
        let id = stage.deliver(&outlet, &Wanted::text("wrong key").at(due)).await;
        stage.stop().await;
        let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(code(&stage, &[("CHANCERY_VAULT__KEY", other)]).await, Some(3));
        assert_eq!(stage.world().counts().received, 0);
        stage.resume().await;
        stage.published(&id).await;
        stage.finish().await;
    }
}

/// A node finds that nobody knows it any more: what it has on its way is written down, nothing else is
/// claimed, and it ends, so that whoever watches it starts it anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_not_among_the_nodes_any_more_ends_with_1() {
    let Some(mut stage) = set(Kind::Postgres).await else { return };
    let [page, user] = stage.both().await;
    let due = super::soon();
    stage.spoil(&page, FaultKind::HangAfter { ms: 1_900 });
    let underway = stage.deliver(&page, &Wanted::text("on its way").at(due)).await;
    let later = after(due, Duration::from_secs(4));
    let waits = stage.deliver(&user, &Wanted::text("not claimed any more").at(later)).await;
    stage.stop().await;
    let mut daemon = Daemon::start(stage.setting(), &[]);
    eventually("the platform has it", async || {
        daemon.must_run();
        if stage.made(&page) == 1 { Ok(()) } else { Err("not yet") }
    })
    .await;
    // As after a failover that lost its place: no fence is given twice.
    let floor = "UPDATE installation SET fence_floor = (SELECT MAX(fence) FROM nodes)";
    stage.setting().database.execute(floor).await;
    stage.setting().database.execute("DELETE FROM nodes").await;
    assert_eq!(daemon.ended().await.code(), Some(1));
    assert_eq!(super::standing(&stage, &underway).await.0, "published");
    assert_eq!(super::standing(&stage, &waits).await.0, "scheduled");
    stage.resume().await;
    stage.published(&waits).await;
    assert_eq!((stage.creates(&page).len(), stage.creates(&user).len()), (1, 1));
    stage.finish().await;
}

/// Options that cannot be: each ends with 2, and all faults are told at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_ends_with_2_and_names_every_fault() {
    let mut stage = set(Kind::Sqlite).await.unwrap();
    stage.stop().await;
    let wrong = [
        ("CHANCERY_PUBLISH__LEASE", "soon"),
        ("CHANCERY_PUBLISH__LEESE", "10s"),
        ("CHANCERY_FACEBOOK__GRAPH_URL", "http://graph.example"),
    ];
    assert_eq!(code(&stage, &wrong).await, Some(2));
    let log = std::fs::read_to_string(stage.setting().directory().join("daemon.log")).unwrap();
    for word in ["publish.lease", "leese", "facebook.graph_url"] {
        assert!(log.to_lowercase().contains(word), "{word} is not named:\n{log}");
    }
    stage.finish().await;
}
