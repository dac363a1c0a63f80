//! The process is killed in the middle of an upload: how far it has come is the length of its file, and the
//! next process goes on there.

use chancery::service::tokens::{self, NewToken};
use reqwest::Method;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::daemon::{Daemon, client};
use super::set;
use crate::media::film;
use crate::stage::{Kind, Stage, eventually};

/// A person with his token at whichever process runs.
struct Sender {
    http: reqwest::Client,
    token: String,
}

impl Sender {
    async fn of(stage: &Stage) -> Self {
        let new = NewToken {
            name: "test".to_owned(),
            person_id: None,
            scopes: None,
            accounts: None,
            expires_at: None,
        };
        let made = tokens::create(stage.acts(), stage.caller(), new).await.unwrap();
        Self { http: client(), token: made.value.token.unwrap() }
    }

    fn ask(&self, daemon: &Daemon, method: Method, path: &str) -> reqwest::RequestBuilder {
        let ask = self.http.request(method, format!("http://{}{path}", daemon.address()));
        ask.bearer_auth(&self.token).header("tus-resumable", "1.0.0")
    }

    async fn offset(&self, daemon: &Daemon, place: &str) -> usize {
        let answer = self.ask(daemon, Method::HEAD, place).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.headers()["upload-offset"].to_str().unwrap().parse().unwrap()
    }

    /// Promises all that is left, sends so much of it, and keeps the connection open.
    async fn begin_a_piece(
        &self,
        daemon: &Daemon,
        place: &str,
        (bytes, at): (&[u8], usize),
        count: usize,
    ) -> tokio::net::TcpStream {
        let head = format!(
            "PATCH {place} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nTus-Resumable: 1.0.0\r\n\
             Upload-Offset: {at}\r\nContent-Type: application/offset+octet-stream\r\n\
             Content-Length: {}\r\n\r\n",
            self.token,
            bytes.len() - at,
        );
        let mut stream = tokio::net::TcpStream::connect(daemon.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&bytes[at..at + count]).await.unwrap();
        stream
    }
}

async fn survives(kind: Kind) {
    let Some(mut stage) = set(kind).await else { return };
    let sender = Sender::of(&stage).await;
    stage.stop().await;
    let bytes = film(3_000_000);
    let mut daemon = Daemon::start(stage.setting(), &[]);
    daemon.ready().await;
    let begun = sender.ask(&daemon, Method::POST, "/api/v1/uploads");
    let begun = begun.header("upload-length", bytes.len().to_string()).send().await.unwrap();
    assert_eq!(begun.status(), 201);
    let place = begun.headers()["location"].to_str().unwrap().to_owned();
    for count in [700_000, 1, 900_000] {
        let at = sender.offset(&daemon, &place).await;
        let open = sender.begin_a_piece(&daemon, &place, (&bytes, at), count).await;
        eventually("what was sent has come", async || {
            let there = sender.offset(&daemon, &place).await;
            if there == at + count { Ok(()) } else { Err(there) }
        })
        .await;
        daemon.kill().await;
        drop(open);
        daemon = Daemon::start(stage.setting(), &[]);
        daemon.ready().await;
        assert_eq!(sender.offset(&daemon, &place).await, at + count, "what had come is lost");
    }
    let at = sender.offset(&daemon, &place).await;
    let rest = sender.ask(&daemon, Method::PATCH, &place).header("upload-offset", at);
    let rest = rest.header("content-type", "application/offset+octet-stream");
    let last = rest.body(bytes[at..].to_vec()).send().await.unwrap();
    assert_eq!(last.status(), 204);
    let id = last.headers()["chancery-media-id"].to_str().unwrap().to_owned();
    let content = format!("/api/v1/media/{id}/content");
    let content = sender.ask(&daemon, Method::GET, &content).send().await.unwrap();
    let content = content.bytes().await.unwrap();
    assert_eq!(Sha256::digest(&content), Sha256::digest(&bytes));
    daemon.stop().await;
    stage.resume().await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_survives_a_kill_on_sqlite() {
    survives(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_survives_a_kill_on_postgres() {
    survives(Kind::Postgres).await;
}
