//! Stands between the service and PostgreSQL, and can lose the answer to one commit: the server has
//! made it, and the service never hears of that. It can also fall silent with all connections open.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a transaction must have named for its commit to be lost, and whether the server is to make
/// it all the same; once.
type Marker = Arc<Mutex<Option<(String, Made)>>>;

/// Whether a lost commit was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Yes,
    No,
}

/// The relay; nobody gets through any more when it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    marker: Marker,
    server: watch::Sender<SocketAddr>,
    silent: watch::Sender<bool>,
    listening: JoinHandle<()>,
}

impl Relay {
    /// In front of the server of this URL; gives the URL that leads through it.
    pub(crate) async fn before(url: &str) -> (Self, String) {
        let (start, server, end) = parts(url);
        let server = watch::Sender::new(server);
        let target = server.subscribe();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let marker = Marker::default();
        let shared = marker.clone();
        let silent = watch::Sender::new(false);
        let silence = silent.subscribe();
        let listening = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let marker = shared.clone();
                let mut silence = silence.clone();
                let server = *target.borrow();
                tokio::spawn(async move {
                    // Nobody there: the client hears it by the end of his connection.
                    let Ok(mut server) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        biased;
                        // Both ends stay as they are, and nobody hears anything, for good.
                        () = async { let _there = silence.wait_for(|silent| *silent).await; } => {
                            std::future::pending::<()>().await;
                        }
                        // Either end may go as it likes.
                        _ended = pass_on(&mut client, &mut server, &marker) => {}
                    }
                });
            }
        });
        (Self { marker, server, silent, listening }, format!("{start}@{address}/{end}"))
    }

    /// New connections lead to the server of this URL.
    pub(crate) fn lead_to(&self, url: &str) {
        let (_, server, _) = parts(url);
        self.server.send_replace(server);
    }

    /// From now on nothing passes, although every connection stays open and new ones are taken.
    pub(crate) fn fall_silent(&self) {
        self.silent.send_replace(true);
    }

    /// New connections pass again; those that fell silent never do.
    pub(crate) fn speak(&self) {
        self.silent.send_replace(false);
    }

    /// The next transaction that names this is committed, and the connection breaks at that moment.
    pub(crate) fn lose_commit_of(&self, marker: &str) {
        *self.marker.lock().unwrap() = Some((marker.to_owned(), Made::Yes));
    }

    /// The connection of the next transaction that names this breaks before its commit arrives.
    pub(crate) fn cut_commit_of(&self, marker: &str) {
        *self.marker.lock().unwrap() = Some((marker.to_owned(), Made::No));
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

/// What stands before the server of a URL, the server, and what stands after it.
fn parts(url: &str) -> (&str, SocketAddr, &str) {
    let (start, rest) = url.split_once('@').unwrap();
    let (server, end) = rest.split_once('/').unwrap();
    (start, server.parse().unwrap(), end)
}

fn contains(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|it| it == word.as_bytes())
}

/// Whether these bytes commit a transaction that has named the marker, and what is to come of it.
fn is_named(bytes: &[u8], marker: &Marker, named: &mut bool) -> Option<Made> {
    let mut marker = marker.lock().unwrap();
    *named |= marker.as_ref().is_some_and(|(it, _)| contains(bytes, it));
    if contains(bytes, "ROLLBACK") {
        *named = false;
    }
    let commits = *named && contains(bytes, "COMMIT");
    if commits { marker.take().map(|(_, made)| made) } else { None }
}

async fn pass_on(
    client: &mut TcpStream,
    server: &mut TcpStream,
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
                match is_named(bytes, marker, &mut named) {
                    Some(Made::No) => return Ok(()),
                    Some(Made::Yes) => losing = true,
                    None => {}
                }
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
