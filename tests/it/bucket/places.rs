//! Where files are not: what is not where media are kept waits for a person, and nobody's files are brought
//! into another's place.

use std::path::Path;
use std::time::Duration;

use chancery::domain::waiting::Party;
use chancery::simulator::Platform;

use super::{ALT, Server, borrowed, chancery, sha256, stage, waits_for};
use crate::reminders::{WAITING, told};
use crate::stage::{Kind, Stage, Wanted, eventually};

const PREFIX: &str = "CHANCERY_MEDIA__S3__PREFIX";
const MARK: &str = ".chancery";

/// One file was taken onto the disk after the others were brought, another one is lost in the bucket: both
/// wait on the desk of whoever scheduled them, and go out by themselves when they are there.
async fn what_is_not_there(kind: Kind) {
    let server = Server::start().await;
    let options =
        [("CHANCERY_NOTIFY__WATCH_INTERVAL", "50ms"), ("CHANCERY_PUBLISH__BACKOFF_MAX", "60s")];
    let Some(mut stage) = Stage::start(kind, &options).await else { return };
    let (lost, lost_bytes) = stage.picture(9).await;
    let in_the_bucket = server.options();
    let copy = |stage: &Stage| {
        let (output, told) = chancery(stage, &borrowed(&in_the_bucket), &["media", "copy"]);
        assert_eq!(output.status.code(), Some(0), "{told}");
        told
    };
    copy(&stage);
    let (left, _) = stage.picture(10).await;
    stage.stop().await;
    for (name, value) in &in_the_bucket {
        stage.set_option(name, value);
    }
    stage.resume().await;
    std::fs::remove_file(server.object(&sha256(&lost_bytes))).unwrap();

    let outlet = stage.outlet(Platform::Facebook).await;
    let lost = stage.deliver(&outlet, &Wanted::text("lost").picture(&lost, ALT)).await;
    let left = stage.deliver(&outlet, &Wanted::text("left").picture(&left, ALT)).await;
    for id in [&lost, &left] {
        waits_for(&stage, id, "media_missing").await;
        let wait = stage.show(id).await.delivery.waits_for.unwrap();
        assert_eq!((wait.party, wait.owners[0].name.as_str()), (Party::Person, "An Nguyễn"));
        assert!(wait.detail.contains("chancery media copy"), "{}", wait.detail);
    }
    eventually("its author is told", async || {
        let words = told(&stage, stage.caller(), WAITING).await;
        let said = words.iter().any(|it| it.data["reason"] == "media_missing");
        if said { Ok(()) } else { Err(format!("{words:?}")) }
    })
    .await;

    // One is handed in again, the other is brought from the disk.
    stage.hand_in(&lost_bytes).await;
    stage.advance(Duration::from_secs(61));
    stage.published(&lost).await;
    assert!(copy(&stage).contains("there and proven: 2 files"));
    stage.advance(Duration::from_secs(61));
    stage.published(&left).await;
    assert_eq!(stage.made(&outlet), 2);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_waits_for_a_person_on_sqlite() {
    Box::pin(what_is_not_there(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_waits_for_a_person_on_postgres() {
    Box::pin(what_is_not_there(Kind::Postgres)).await;
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Where another's mark lies nothing is brought, by no command; where none lies, the place becomes ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_brought_into_nobody_elses_place() {
    let server = Server::start().await;
    let mut stage = stage(Kind::Sqlite, &server).await.unwrap();
    let (_, bytes) = stage.picture(12).await;
    stage.stop().await;
    let hash = sha256(&bytes);
    let mark = std::fs::read(server.below("media/one").join(MARK)).unwrap();
    let anothers = server.below("media/anothers");
    std::fs::write(anothers.join(MARK), "Somebody's").unwrap();
    let media = stage.setting().directory().join("media");
    std::fs::create_dir_all(media.join(&hash[..2])).unwrap();
    std::fs::write(media.join(&hash[..2]).join(&hash[2..]), &bytes).unwrap();
    let backup = stage.setting().directory().join("a-backup");
    let backup = backup.to_str().unwrap();
    let (output, told) = chancery(&stage, &[], &["backup", backup]);
    assert_eq!(output.status.code(), Some(0), "{told}");

    let new = tempfile::tempdir().unwrap();
    let key = stage.setting().directory().join("vault.key");
    let database = format!("sqlite:{}/chancery.db", new.path().display());
    let restore = |further: (&str, &str)| {
        let options = [
            ("CHANCERY_DATA_DIR", new.path().to_str().unwrap()),
            ("CHANCERY_DATABASE__URL", database.as_str()),
            ("CHANCERY_VAULT__KEY_FILE", key.to_str().unwrap()),
            further,
        ];
        chancery(&stage, &options, &["restore", backup])
    };
    std::fs::create_dir(new.path().join("media")).unwrap();
    std::fs::write(new.path().join("media").join(MARK), "Somebody's").unwrap();
    for (output, told) in [
        chancery(&stage, &[(PREFIX, "media/anothers")], &["media", "copy"]),
        restore((PREFIX, "media/anothers")),
        restore(("CHANCERY_MEDIA__STORE", "disk")),
    ] {
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("files of another installation"), "{told}");
        assert!(told.contains("media.s3.prefix") && told.contains("data_dir"), "{told}");
    }
    assert_eq!(names(&anothers), [MARK]);
    assert_eq!(names(&new.path().join("media")), [MARK]);
    assert_eq!(names(new.path()), ["media"]);

    for (command, prefix) in [("copy", "media/copied"), ("restore", "media/restored")] {
        let place = server.below(prefix);
        let at = [(PREFIX, prefix)];
        let (_, told) = chancery(&stage, &at, &["check"]);
        assert!(told.contains("make it ours by chancery media copy"), "{told}");
        let (output, told) = match command {
            "copy" => chancery(&stage, &at, &["media", "copy"]),
            _ => restore(at[0]),
        };
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert_eq!(std::fs::read(place.join(MARK)).unwrap(), mark, "{command}");
        assert_eq!(std::fs::read(place.join(&hash[..2]).join(&hash[2..])).unwrap(), bytes);
    }
    stage.resume().await;
    stage.finish().await;
}
