//! Stands between the service and PostgreSQL, and can lose the answer to one commit: the server has
//! made it, and the service never hears of that.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a transaction must have named for the answer to its commit to be lost; once.
type Marker = Arc<Mutex<Option<String>>>;

/// The relay; nobody gets through any more when it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    marker: Marker,
    listening: JoinHandle<()>,
}

impl Relay {
    /// In front of the server of this URL; gives the URL that leads through it.
    pub(crate) async fn before(url: &str) -> (Self, String) {
        let (start, rest) = url.split_once('@').unwrap();
        let (server, end) = rest.split_once('/').unwrap();
        let server: SocketAddr = server.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let marker = Marker::default();
        let shared = marker.clone();
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let marker = shared.clone();
                tokio::spawn(async move {
                    let server = TcpStream::connect(server).await.unwrap();
                    // Either end may go as it likes.
                    let _ended = pass_on(client, server, &marker).await;
                });
            }
        });
        (Self { marker, listening }, format!("{start}@{address}/{end}"))
    }

    /// The next transaction that names this is committed, and the connection breaks at that moment.
    pub(crate) fn lose_commit_of(&self, marker: &str) {
        *self.marker.lock().unwrap() = Some(marker.to_owned());
    }

    /// Whether a commit is still to be lost.
    pub(crate) fn waits(&self) -> bool {
        self.marker.lock().unwrap().is_some()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn contains(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|it| it == word.as_bytes())
}

/// Whether these bytes commit a transaction that has named the marker.
fn is_named(bytes: &[u8], marker: &Marker, named: &mut bool) -> bool {
    let mut marker = marker.lock().unwrap();
    *named |= marker.as_ref().is_some_and(|it| contains(bytes, it));
    if contains(bytes, "ROLLBACK") {
        *named = false;
    }
    let commits = *named && contains(bytes, "COMMIT");
    if commits {
        marker.take();
    }
    commits
}

async fn pass_on(
    mut client: TcpStream,
    mut server: TcpStream,
    marker: &Marker,
) -> std::io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut named = false;
    let mut losing = false;
    loop {
        tokio::select! {
            length = client.read(&mut asked) => {
                let bytes = &asked[..length?];
                if bytes.is_empty() {
                    return Ok(());
                }
                losing |= is_named(bytes, marker, &mut named);
                server.write_all(bytes).await?;
            }
            length = server.read(&mut answered) => {
                let bytes = &answered[..length?];
                if bytes.is_empty() || (losing && contains(bytes, "COMMIT\0")) {
                    return Ok(());
                }
                client.write_all(bytes).await?;
            }
        }
    }
}
