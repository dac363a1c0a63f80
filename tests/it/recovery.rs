//! A database that is lost and comes back from a backup: what went out meanwhile is found and not sent
//! again, and what did not waits until a person lets it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::quarantine::{self, Release};
use chancery::service::{Error, Window, accounts, notifications};
use chancery::simulator::Platform;
use serde_json::json;

use crate::read_back::all_read;
use crate::stage::{Kind, Outlet, Stage, Wanted, eventually, now};

/// Runs a command with the options of the stage.
pub(crate) fn chancery(stage: &Stage, command: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(command)
        .env_clear()
        .envs(stage.setting().options().iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

pub(crate) fn succeeds(stage: &Stage, command: &[&str]) -> String {
    let output = chancery(stage, command);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// The machine is lost, but for its key.
pub(crate) fn lose(stage: &Stage) {
    for name in ["chancery.db", "chancery.db-wal", "chancery.db-shm"] {
        // The last two are there only after an unclean end.
        let _absent = std::fs::remove_file(stage.setting().directory().join(name));
    }
    assert!(!stage.setting().directory().join("chancery.db").exists());
}

async fn waits_for(stage: &Stage, id: &DeliveryId, code: &str) {
    eventually(&format!("{id} waits for {code}"), async || {
        let shown = stage.show(id).await.delivery;
        let waits = shown.waits_for.as_ref().map(|it| it.code.clone());
        let there = shown.state == DeliveryState::Scheduled && waits.as_deref() == Some(code);
        if there { Ok(()) } else { Err(format!("{} {waits:?}", shown.state)) }
    })
    .await;
}

/// Waits until the administrator was told of this.
async fn told(stage: &Stage, event: &str) {
    eventually(&format!("told of {event}"), async || {
        let window = Window { limit: 200, after: None };
        let all = notifications::list(stage.acts(), stage.caller(), false, &window).await.unwrap();
        let there = all.items.iter().any(|it| it.event.as_str() == event);
        if there { Ok(()) } else { Err(format!("{:?}", all.items)) }
    })
    .await;
}

pub(crate) async fn set_status(stage: &Stage, outlet: &Outlet, status: &str) {
    let change = serde_json::from_value(json!({"status": status})).unwrap();
    accounts::change(stage.acts(), stage.caller(), &outlet.id, None, change).await.unwrap();
}

/// While anything is looked for, and without a reason.
async fn is_not_released_early(stage: &Stage) {
    let early = quarantine::release(stage.acts(), stage.caller(), &Release::default()).await;
    assert!(
        matches!(&early, Err(Error::Conflict(told)) if told.code == "still_in_doubt"),
        "released although much is in doubt: {early:?}"
    );
    let silent = Release { force: true, reason: " ".to_owned() };
    let silent = quarantine::release(stage.acts(), stage.caller(), &silent).await;
    assert!(matches!(silent, Err(Error::Invalid(_))), "{silent:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_out_after_the_backup_is_found_and_what_did_not_waits_for_a_person() {
    let mut stage = Stage::start(Kind::Sqlite, &[]).await.unwrap();
    let [facebook, x] = stage.both().await;
    let idle = stage.outlet(Platform::X).await;
    // Late enough for the backup to be before it.
    let due = after(now(), Duration::from_secs(8));
    let sent = [
        stage.deliver(&facebook, &Wanted::text("sent after the backup").at(due)).await,
        stage.deliver(&x, &Wanted::text("sent after the backup").at(due)).await,
    ];
    let unsent = stage.deliver(&idle, &Wanted::text("held after the backup").at(due)).await;
    let hour = after(now(), Duration::from_hours(1));
    let later = stage.deliver(&idle, &Wanted::text("in an hour").at(hour)).await;

    // Held long before the backup, and sent after it.
    let paused = stage.outlet(Platform::Facebook).await;
    let soon = after(now(), Duration::from_secs(1));
    let held = stage.deliver(&paused, &Wanted::text("held for hours").at(soon)).await;
    set_status(&stage, &paused, "paused").await;
    stage.until(&held, DeliveryState::Held).await;
    let sql = format!("UPDATE deliveries SET due_at = due_at - 10800000 WHERE id = '{held}'");
    stage.setting().database.execute(&sql).await;

    let kept = stage.setting().directory().join("backup");
    let kept = kept.to_str().unwrap();
    let told = succeeds(&stage, &["backup", kept]);
    assert!(told.contains("written") && told.contains("5 deliveries"), "{told}");
    assert!(succeeds(&stage, &["backup", kept, "--verify"]).contains("whole"));
    assert!(now() < due, "the backup took too long for what this test wants to show");
    set_status(&stage, &idle, "paused").await;
    set_status(&stage, &paused, "connected").await;
    stage.published(&held).await;
    for id in &sent {
        stage.published(id).await;
    }
    stage.until(&unsent, DeliveryState::Held).await;
    stage.stop().await;
    lose(&stage);

    let told = succeeds(&stage, &["restore", kept]);
    assert!(told.contains("4 deliveries may be out"), "{told}");
    // They may have been moved to an earlier instant since: looked for from before the backup on.
    let sql =
        "SELECT id FROM attempts WHERE started_at > (SELECT state_of - 3600000 FROM installation)";
    assert_eq!(stage.setting().database.rows(sql).await, Vec::<Vec<String>>::new());
    stage.resume().await;
    is_not_released_early(&stage).await;
    let view = quarantine::show(stage.acts(), stage.caller()).await.unwrap();
    assert!(view.quarantined && view.state_of.is_some_and(|at| at < due), "{view:?}");
    for id in &sent {
        stage.published(id).await;
    }
    stage.published(&held).await;
    // Looked for and not found; but the account was not paused when the backup was made.
    waits_for(&stage, &unsent, "quarantine").await;
    assert_eq!(stage.creates(&idle).len(), 0, "it was sent in quarantine");

    all_read(&stage).await;
    let released =
        quarantine::release(stage.acts(), stage.caller(), &Release::default()).await.unwrap().value;
    assert!(!released.quarantined);
    stage.published(&unsent).await;
    assert_eq!(stage.show(&later).await.delivery.state, DeliveryState::Scheduled);
    for outlet in [&facebook, &x, &idle, &paused] {
        assert_eq!(stage.creates(outlet).len(), 1);
    }
    let again = quarantine::release(stage.acts(), stage.caller(), &Release::default()).await;
    assert!(matches!(again, Err(Error::Conflict(told)) if told.code == "not_quarantined"));
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_brought_back_is_marked_and_sends_nothing() {
    let options = [("CHANCERY_NOTIFY__WATCH_INTERVAL", "50ms")];
    let Some(mut stage) = Stage::start(Kind::Postgres, &options).await else { return };
    let outlet = stage.outlet(Platform::X).await;
    assert_eq!(code(&chancery(&stage, &["backup", "/nowhere"])), Some(2));
    assert_eq!(code(&chancery(&stage, &["restore", "/nowhere"])), Some(2));
    let state_of = now().to_string();
    succeeds(&stage, &["restore", "--state-of", &state_of]);
    // A node that runs already stops sending too.
    let id = stage.deliver(&outlet, &Wanted::text("in quarantine")).await;
    waits_for(&stage, &id, "quarantine").await;
    assert_eq!(stage.creates(&outlet).len(), 0);
    told(&stage, "quarantine.begun").await;
    eventually("the watchdog sees it", async || {
        let seen = stage.app.as_ref().unwrap().watch().quarantine().is_some();
        if seen { Ok(()) } else { Err("not yet") }
    })
    .await;
    quarantine::release(
        stage.acts(),
        stage.caller(),
        &Release { force: true, reason: "the drill is over".to_owned() },
    )
    .await
    .unwrap();
    stage.published(&id).await;
    told(&stage, "quarantine.released").await;
    stage.stop().await;
    stage.finish().await;
}

/// A backup that is not whole is not brought back, and nothing is written over what is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_do_harm_is_refused_with_its_exit_code() {
    let mut stage = Stage::start(Kind::Sqlite, &[]).await.unwrap();
    let directory = stage.setting().directory().to_owned();
    let place = |name: &str| -> PathBuf { directory.join(name) };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let kept = place("backup");
    succeeds(&stage, &["backup", &text(&kept)]);

    // There is something: neither a backup nor a database is overwritten.
    assert_eq!(code(&chancery(&stage, &["backup", &text(&kept)])), Some(2));
    assert_eq!(code(&chancery(&stage, &["restore", &text(&kept)])), Some(3));

    stage.stop().await;
    let whole = std::fs::read(kept.join("chancery.db")).unwrap();
    lose(&stage);
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x10;
    std::fs::write(kept.join("chancery.db"), damaged).unwrap();
    for command in [&["backup", &text(&kept), "--verify"][..], &["restore", &text(&kept)]] {
        let output = chancery(&stage, command);
        assert_eq!(code(&output), Some(3), "{command:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("not whole"));
    }
    assert!(!place("chancery.db").exists());

    // One that broke off before its manifest is none.
    std::fs::write(kept.join("chancery.db"), &whole).unwrap();
    let manifest = std::fs::read(kept.join("manifest.json")).unwrap();
    std::fs::remove_file(kept.join("manifest.json")).unwrap();
    assert_eq!(code(&chancery(&stage, &["restore", &text(&kept)])), Some(3));
    std::fs::write(kept.join("manifest.json"), manifest).unwrap();

    // What a restore left behind that broke off does not get into the next.
    for left in ["chancery.db.restoring", "chancery.db.restoring-wal"] {
        std::fs::write(place(left), b"left behind").unwrap();
    }
    succeeds(&stage, &["restore", &text(&kept)]);
    for left in ["chancery.db.restoring", "chancery.db.restoring-wal"] {
        assert!(!place(left).exists(), "{left} is still there");
    }
    stage.resume().await;
    stage.finish().await;
}
