//! Media in a bucket, at an S3 server by somebody else: what was taken is there and on every node, what is
//! not given now waits, and what is not what was put in does not leave.

mod places;
mod server;

use std::process::{Command, Output};
use std::time::Duration;

use bytes::Bytes;
use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::{DeliveryId, MediaId};
use chancery::service::{Error, media};
use chancery::simulator::Platform;
use sha2::{Digest as _, Sha256};

use crate::media::{film_saying, png};
use crate::stage::{Kind, Stage, Wanted, eventually};
pub(crate) use server::Server;

const ALT: &str = "Lễ thượng cờ";

/// Options as a stage takes them.
fn borrowed<'a>(options: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    options.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

async fn stage(kind: Kind, server: &Server) -> Option<Stage> {
    Stage::start(kind, &borrowed(&server.options())).await
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A film of more than one part, that says where it was taken; and what is to leave of it.
fn travelled() -> (Bytes, String) {
    let place = b"+21.0285+105.8542/";
    let size = u8::try_from(place.len() + 8).unwrap();
    let told = [&[0, 0, 0, size][..], b"udta", place].concat();
    let quiet = [&[0, 0, 0, size][..], b"free", &[0; 18]].concat();
    (film_saying(9_000_000, &told).into(), sha256(&film_saying(9_000_000, &quiet)))
}

/// Everything of a file that the service gives.
async fn given(acts: &chancery::service::Services, stage: &Stage, id: &MediaId) -> Bytes {
    let (_, opened) = media::fetch(acts, stage.caller(), id).await.unwrap();
    opened.read(0..opened.size()).await.unwrap()
}

/// Hands in a file as a request does.
async fn try_to_hand_in(stage: &Stage, bytes: &[u8]) -> Result<MediaId, Error> {
    let mut incoming = stage.acts().files.receive().await.unwrap();
    incoming.write(bytes).await.unwrap();
    let received = incoming.end().await.unwrap();
    let done = media::create(stage.acts(), stage.caller().clone(), None, received).await?;
    Ok(done.value.id)
}

async fn waits_for(stage: &Stage, id: &DeliveryId, code: &str) {
    eventually(&format!("{id} waits for {code}"), async || {
        let shown = stage.show(id).await.delivery;
        let waits = shown.waits_for.as_ref().is_some_and(|it| it.code == code);
        if waits { Ok(()) } else { Err(format!("{} {:?}", shown.state, shown.waits_for)) }
    })
    .await;
}

/// How many files are kept in the data directory; what comes in and what is made of it does not count.
fn kept_on_disk(stage: &Stage) -> usize {
    let entries = std::fs::read_dir(stage.setting().directory().join("media"));
    let names = entries.unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| !name.to_string_lossy().starts_with('.')).count()
}

async fn from_taking_to_publishing(kind: Kind) {
    let server = Server::start().await;
    let Some(stage) = stage(kind, &server).await else { return };
    let (picture, bytes) = stage.picture(1).await;
    let (film, quiet) = travelled();
    let film_id = stage.hand_in(&film).await;
    for file in [&bytes, &film] {
        let object = std::fs::read(server.object(&sha256(file))).unwrap();
        assert_eq!(sha256(&object), sha256(file));
    }
    assert_eq!(kept_on_disk(&stage), 0);
    assert_eq!(given(stage.acts(), &stage, &picture).await, bytes);

    let [page, user] = stage.both().await;
    let with_picture =
        stage.deliver(&page, &Wanted::text("a picture").picture(&picture, ALT)).await;
    let with_film = stage.deliver(&user, &Wanted::text("a film").picture(&film_id, ALT)).await;
    stage.published(&with_picture).await;
    stage.published(&with_film).await;
    assert_eq!(stage.posts(&page)[0].photos.len(), 1);
    assert_eq!(stage.posts(&user)[0].photos[0].sha256, quiet);

    // The same file again is the same object.
    stage.hand_in(&bytes).await;
    if kind == Kind::Postgres {
        // Another node, with a directory of its own, has what was handed in here.
        let elsewhere = tempfile::tempdir().unwrap();
        let directory = elsewhere.path().to_str().unwrap();
        let key = stage.setting().directory().join("vault.key");
        let further =
            [("CHANCERY_DATA_DIR", directory), ("CHANCERY_VAULT__KEY_FILE", key.to_str().unwrap())];
        let other = stage.another(&further).await;
        assert_eq!(given(other.acts(), &stage, &film_id).await, film);
        assert!(other.stop().await);
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_and_a_film_go_out_from_a_bucket_on_sqlite() {
    Box::pin(from_taking_to_publishing(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_and_a_film_go_out_from_a_bucket_on_postgres() {
    Box::pin(from_taking_to_publishing(Kind::Postgres)).await;
}

async fn away_and_back(kind: Kind) {
    let server = Server::start().await;
    let Some(stage) = stage(kind, &server).await else { return };
    let (picture, _) = stage.picture(2).await;
    let (film, quiet) = travelled();
    let film = stage.hand_in(&film).await;
    let [page, user] = stage.both().await;
    server.leave();

    // Nothing is taken, and nothing of it stays.
    let png = png(33, 21);
    let refused = try_to_hand_in(&stage, &png).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Unfinished(told) if told.code == "media_store_unavailable"),
        "{refused:?}"
    );
    let rows = stage.setting().database.rows("SELECT sha256 FROM media").await;
    assert!(!rows.iter().any(|row| row[0] == sha256(&png)), "a row without its object");

    // What is due waits, and nobody is in doubt about it; what has no file goes out.
    let mut waiting = Vec::new();
    for (outlet, file) in [(&page, &picture), (&user, &film)] {
        let wanted = Wanted::text("not yet").picture(file, ALT);
        waiting.push(stage.deliver(outlet, &wanted).await);
    }
    for id in &waiting {
        waits_for(&stage, id, "media_unreadable").await;
        assert_eq!(stage.doubts(id).await, 0);
    }
    let plain = stage.outlet(Platform::Facebook).await;
    let text = stage.deliver(&plain, &Wanted::text("without any file")).await;
    stage.published(&text).await;
    let told = readiness(&stage).await;
    let media = told["reasons"].as_array().unwrap().iter().find(|it| it["code"] == "media");
    assert!(
        media.is_some_and(|it| it["detail"].as_str().unwrap().contains("does not answer")),
        "{told}"
    );
    assert_eq!(told["ready"], true);

    server.come_back();
    stage.advance(Duration::from_secs(61));
    for id in &waiting {
        stage.published(id).await;
    }
    assert_eq!((stage.made(&page), stage.made(&user)), (1, 1));
    assert_eq!(stage.posts(&user)[0].photos[0].sha256, quiet);
    try_to_hand_in(&stage, &png).await.unwrap();
    stage.finish().await;
}

/// What the service tells of itself.
#[expect(clippy::disallowed_methods, reason = "a client of our own service")]
async fn readiness(stage: &Stage) -> serde_json::Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/readyz", stage.address());
    client.get(url).send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_bucket_is_away_files_wait_on_sqlite() {
    Box::pin(away_and_back(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_bucket_is_away_files_wait_on_postgres() {
    Box::pin(away_and_back(Kind::Postgres)).await;
}

/// A film that was brought ahead leaves at its instant, also when it cannot be read any more just then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_at_x_leaves_without_the_bucket() {
    let server = Server::start().await;
    let stage = stage(Kind::Sqlite, &server).await.unwrap();
    let (film, quiet) = travelled();
    let film = stage.hand_in(&film).await;
    let outlet = stage.outlet(Platform::X).await;
    let at = after(stage.now(), Duration::from_hours(3));
    let wanted = Wanted::text("ahead").picture(&film, ALT).at(at);
    let id = stage.deliver(&outlet, &wanted).await;
    stage.advance(Duration::from_mins(151));
    let sql = format!("SELECT CAST(progress AS TEXT) FROM deliveries WHERE id = '{id}'");
    eventually("the film is at X", async || {
        let kept = stage.setting().database.rows(&sql).await;
        let is_there = kept[0][0].contains("remote_id") && !kept[0][0].contains("under_way");
        if is_there { Ok(()) } else { Err(kept[0][0].clone()) }
    })
    .await;
    server.leave();
    stage.advance(Duration::from_mins(30));
    stage.published(&id).await;
    assert_eq!(stage.posts(&outlet)[0].photos[0].sha256, quiet);
    server.come_back();
    stage.finish().await;
}

/// Somebody has written something else in the place of two objects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_what_was_put_in_does_not_leave() {
    let server = Server::start().await;
    let stage = stage(Kind::Sqlite, &server).await.unwrap();
    let (picture, picture_bytes) = stage.picture(3).await;
    let (_, other_picture) = stage.picture(4).await;
    let (film_bytes, _) = travelled();
    let film = stage.hand_in(&film_bytes).await;
    let (_, opened) = media::fetch(stage.acts(), stage.caller(), &film).await.unwrap();

    std::fs::write(server.object(&sha256(&picture_bytes)), &other_picture).unwrap();
    let mut changed = film_bytes.to_vec();
    changed[8_900_000] ^= 1;
    std::fs::write(server.object(&sha256(&film_bytes)), changed).unwrap();
    // It was opened before: what is touched by the change is not given, what is not is.
    assert!(opened.read(0..2_000_000).await.is_ok());
    assert!(opened.read(8_800_000..8_999_000).await.is_err());

    let [page, user] = stage.both().await;
    for (outlet, file) in [(&page, &picture), (&user, &film)] {
        let id = stage.deliver(outlet, &Wanted::text("changed").picture(file, ALT)).await;
        let shown = stage.until(&id, DeliveryState::Failed).await;
        assert_eq!(shown.delivery.problem.unwrap().code, "media_changed");
        assert!(stage.creates(outlet).is_empty());
    }
    // What has become longer is not read to its end.
    let (long, long_bytes) = stage.picture(8).await;
    let object = std::fs::OpenOptions::new().write(true).open(server.object(&sha256(&long_bytes)));
    object.unwrap().set_len(1 << 30).unwrap();
    let before = server.heard();
    let id = stage.deliver(&page, &Wanted::text("too long").picture(&long, ALT)).await;
    let shown = stage.until(&id, DeliveryState::Failed).await;
    assert_eq!(shown.delivery.problem.unwrap().code, "media_changed");
    assert!(server.heard() - before < 30, "{} requests", server.heard() - before);
    // Whoever hands it in again puts it right.
    stage.hand_in(&picture_bytes).await;
    let id = stage.deliver(&page, &Wanted::text("put right").picture(&picture, ALT)).await;
    stage.published(&id).await;
    stage.finish().await;
}

/// Runs a command with the options of the stage and further ones.
fn chancery(stage: &Stage, further: &[(&str, &str)], command: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(command)
        .env_clear()
        .envs(stage.setting().options().iter().map(|(name, value)| (name, value)))
        .envs(further.iter().copied())
        .output()
        .unwrap();
    let (out, err) = (&output.stdout, &output.stderr);
    let told = format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    (output, told)
}

/// Before anybody serves: each fault by the option that is to be looked at, and no secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_says_what_is_wrong_with_the_bucket() {
    let server = Server::start().await;
    let mut stage = stage(Kind::Sqlite, &server).await.unwrap();
    stage.stop().await;
    let check = |name: &str, value: &str| {
        let (output, told) = chancery(&stage, &[(name, value)], &["check"]);
        assert!(!told.contains("canary"), "{told}");
        (output.status.code(), told)
    };
    let (code, told) = check("CHANCERY_MEDIA__S3__REGION", "us-east-1");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("kept in the bucket desk, which can be read and written"), "{told}");
    for (name, value, says) in [
        ("CHANCERY_MEDIA__S3__BUCKET", "another", "it has no bucket another"),
        ("CHANCERY_MEDIA__S3__SECRET_ACCESS_KEY", "wrong", "media.s3.secret_access_key"),
        ("CHANCERY_MEDIA__S3__ACCESS_KEY_ID", "SOMEBODY", "the key"),
        ("CHANCERY_MEDIA__S3__ENDPOINT", "http://127.0.0.1:9", "it does not answer"),
    ] {
        let (code, told) = check(name, value);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(says), "{told}");
    }
    let (code, told) = check("CHANCERY_MEDIA__S3__BUCKET", "");
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("media.s3.bucket"), "{told}");
    stage.resume().await;
    stage.finish().await;
}

/// Where nothing of ours lies no file is missing: that is said of the place, by everybody who may be asked,
/// and what is due waits for the right one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_wrong_place_no_file_is_missing() {
    const PREFIX: &str = "CHANCERY_MEDIA__S3__PREFIX";
    let server = Server::start().await;
    let mut stage = stage(Kind::Sqlite, &server).await.unwrap();
    let (picture, _) = stage.picture(7).await;
    stage.stop().await;
    let mark = server.below("media/one").join(".chancery");
    assert!(mark.exists());
    std::fs::write(server.below("media/anothers").join(".chancery"), "Somebody's").unwrap();
    for (prefix, says) in [
        ("media/empty", "not the newest file, which must be there"),
        ("media/anothers", "files of another installation"),
    ] {
        let (output, told) = chancery(&stage, &[(PREFIX, prefix)], &["check"]);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(says) && told.contains("media.s3.prefix"), "{told}");
    }
    assert!(!server.below("media/empty").join(".chancery").exists(), "nobody's place was taken");

    stage.set_option(PREFIX, "media/empty");
    stage.resume().await;
    let outlet = stage.outlet(Platform::Facebook).await;
    let id = stage.deliver(&outlet, &Wanted::text("kept").picture(&picture, ALT)).await;
    waits_for(&stage, &id, "media_unreadable").await;
    let told = readiness(&stage).await.to_string();
    assert!(told.contains("media.s3.prefix"), "{told}");
    let refused = try_to_hand_in(&stage, &png(33, 21)).await.unwrap_err();
    assert!(matches!(&refused, Error::Unfinished(_)), "{refused:?}");

    stage.stop().await;
    stage.set_option(PREFIX, "media/one");
    // Files that lay there before there were marks prove the same.
    std::fs::remove_file(&mark).unwrap();
    stage.resume().await;
    stage.advance(Duration::from_secs(61));
    stage.published(&id).await;
    eventually(
        "the mark is there again",
        async || {
            if mark.exists() { Ok(()) } else { Err("it is not") }
        },
    )
    .await;
    stage.finish().await;
}

/// A house begins with its disk and goes on with a bucket: everything is brought there, again and again
/// without harm, and what is damaged on the disk is told. A backup then has the files of the bucket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lies_on_the_disk_is_brought_into_a_bucket() {
    let server = Server::start().await;
    let options = server.options();
    let mut stage = Stage::start(Kind::Sqlite, &[]).await.unwrap();
    let (picture, bytes) = stage.picture(5).await;
    let (_, damaged) = stage.picture(6).await;
    let copy = |further: &[(&str, &str)]| chancery(&stage, further, &["media", "copy"]);
    let (output, told) = copy(&[]);
    assert_eq!(output.status.code(), Some(2), "{told}");
    let mut told = String::new();
    for _ in 0..2 {
        let output;
        (output, told) = copy(&borrowed(&options));
        assert_eq!(output.status.code(), Some(0), "{told}");
    }
    assert!(told.contains("there and proven: 2 files"), "{told}");
    let hash = sha256(&damaged);
    let media = stage.setting().directory().join("media");
    std::fs::write(media.join(&hash[..2]).join(&hash[2..]), b"damaged").unwrap();
    let (output, told) = copy(&borrowed(&options));
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains(&hash) && told.contains("there and proven: 1 files"), "{told}");

    stage.stop().await;
    for (name, value) in &options {
        stage.set_option(name, value);
    }
    let backup = stage.setting().directory().join("a-backup");
    let backup = backup.to_str().unwrap();
    for command in [&["backup", backup][..], &["backup", backup, "--verify"]] {
        let (output, told) = chancery(&stage, &[], command);
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert!(told.contains("2 files"), "{told}");
    }
    std::fs::remove_dir_all(&media).unwrap();
    stage.resume().await;
    let outlet = stage.outlet(Platform::X).await;
    let id = stage.deliver(&outlet, &Wanted::text("moved").picture(&picture, ALT)).await;
    stage.published(&id).await;
    assert_eq!(given(stage.acts(), &stage, &picture).await, bytes);
    stage.finish().await;
}
