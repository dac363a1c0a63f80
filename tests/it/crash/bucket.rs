//! The process is killed while its file is on the way to the bucket: there is no row without its object.

use chancery::service::tokens::{self, NewToken};
use sha2::{Digest as _, Sha256};

use super::daemon::{Daemon, client};
use super::set_with;
use crate::bucket::Server;
use crate::media::film;
use crate::stage::{Kind, Stage};

async fn token(stage: &Stage) -> String {
    let new = NewToken {
        name: "test".to_owned(),
        person_id: None,
        scopes: None,
        accounts: None,
        expires_at: None,
    };
    tokens::create(stage.acts(), stage.caller(), new).await.unwrap().value.token.unwrap()
}

async fn killed_on_the_way(kind: Kind) {
    let server = Server::start().await;
    let options = server.options();
    let options: Vec<_> = options.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let Some(mut stage) = set_with(kind, &options).await else { return };
    let token = token(&stage).await;
    stage.stop().await;
    let film = film(9_000_000);
    let sha256 = hex::encode(Sha256::digest(&film));
    let daemon = Daemon::start(stage.setting(), &[]);
    daemon.ready().await;
    let hand_in = |daemon: &Daemon| {
        let url = format!("http://{}/api/v1/media", daemon.address());
        client()
            .post(url)
            .bearer_auth(&token)
            .header("content-type", "video/mp4")
            .body(film.clone())
    };

    server.turn_deaf();
    let asked = tokio::spawn(hand_in(&daemon).send());
    server.has_kept_one().await;
    daemon.kill().await;
    assert!(asked.await.unwrap().is_err(), "nobody was told that it is there");
    let rows = stage.setting().database.rows("SELECT sha256 FROM media").await;
    assert!(rows.is_empty(), "a row without its object: {rows:?}");
    assert!(!server.object(&sha256).exists());

    server.come_back();
    let daemon = Daemon::start(stage.setting(), &[]);
    daemon.ready().await;
    let answer = hand_in(&daemon).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let object = std::fs::read(server.object(&sha256)).unwrap();
    assert_eq!(hex::encode(Sha256::digest(object)), sha256);
    daemon.stop().await;
    stage.resume().await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_on_the_way_to_the_bucket_leaves_no_row_on_sqlite() {
    Box::pin(killed_on_the_way(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_on_the_way_to_the_bucket_leaves_no_row_on_postgres() {
    Box::pin(killed_on_the_way(Kind::Postgres)).await;
}
