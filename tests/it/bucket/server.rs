//! An S3 server by somebody else (`s3s`), over HTTP on loopback: it checks signatures and keeps its objects
//! in a directory. It can go away and come back, and keep a request without answering.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The bucket that is there.
const BUCKET: &str = "desk";
const KEY: &str = "CHANCERYTEST";
const PREFIX: &str = "media/one";

/// What it does with who comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    /// Nobody is let in, and who is in is thrown out.
    Away,
    /// What is put is heard to its head, and neither taken nor answered.
    Deaf,
}

/// The server; gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    directory: tempfile::TempDir,
    secret: String,
    address: SocketAddr,
    mood: watch::Sender<Mood>,
    /// How many requests it has heard.
    heard: Arc<AtomicUsize>,
    /// How many requests to put something it has kept without answering.
    kept: watch::Receiver<usize>,
    listening: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Server {
    /// Starts it with an empty bucket.
    pub(crate) async fn start() -> Self {
        // The client under test and this server share a provider of cryptography.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(BUCKET)).unwrap();
        let secret = format!("canary{:032x}", rand::random::<u128>());
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(directory.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, secret.as_str()));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mood = watch::Sender::new(Mood::Well);
        let heard = Arc::<AtomicUsize>::default();
        let (count, kept) = watch::channel(0);
        let listening = tokio::spawn(listen(listener, service, mood.clone(), heard.clone(), count));
        Self { directory, secret, address, mood, heard, kept, listening }
    }

    /// The options with which a service keeps its files here.
    pub(crate) fn options(&self) -> Vec<(&'static str, String)> {
        vec![
            ("CHANCERY_MEDIA__STORE", "s3".to_owned()),
            ("CHANCERY_MEDIA__S3__ENDPOINT", format!("http://{}", self.address)),
            ("CHANCERY_MEDIA__S3__BUCKET", BUCKET.to_owned()),
            ("CHANCERY_MEDIA__S3__PREFIX", PREFIX.to_owned()),
            ("CHANCERY_MEDIA__S3__ACCESS_KEY_ID", KEY.to_owned()),
            ("CHANCERY_MEDIA__S3__SECRET_ACCESS_KEY", self.secret.clone()),
        ]
    }

    /// Nobody answers here any more.
    pub(crate) fn leave(&self) {
        self.mood.send_replace(Mood::Away);
    }

    /// It does what it is asked to, with all that it had.
    pub(crate) fn come_back(&self) {
        self.mood.send_replace(Mood::Well);
    }

    /// What is put from now on is neither taken nor answered.
    pub(crate) fn turn_deaf(&self) {
        self.mood.send_replace(Mood::Deaf);
    }

    /// Waits until it has not answered a request to put something.
    pub(crate) async fn has_kept_one(&self) {
        self.kept.clone().wait_for(|count| *count > 0).await.unwrap();
    }

    /// How many requests it has heard.
    pub(crate) fn heard(&self) -> usize {
        self.heard.load(Ordering::Relaxed)
    }

    /// A directory of the bucket, made when it is not there.
    pub(crate) fn below(&self, prefix: &str) -> PathBuf {
        let directory = self.directory.path().join(BUCKET).join(prefix);
        std::fs::create_dir_all(&directory).unwrap();
        directory
    }

    /// Where an object's bytes lie.
    pub(crate) fn object(&self, sha256: &str) -> PathBuf {
        let bucket = self.directory.path().join(BUCKET).join(PREFIX);
        bucket.join(&sha256[..2]).join(&sha256[2..])
    }
}

async fn listen(
    listener: TcpListener,
    service: S3Service,
    mood: watch::Sender<Mood>,
    heard: Arc<AtomicUsize>,
    kept: watch::Sender<usize>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        if *mood.borrow() == Mood::Away {
            continue;
        }
        let (service, seen, kept) = (service.clone(), mood.subscribe(), kept.clone());
        let heard = heard.clone();
        let mut away = mood.subscribe();
        let answer = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let (service, kept) = (service.clone(), kept.clone());
            heard.fetch_add(1, Ordering::Relaxed);
            let deaf = *seen.borrow() == Mood::Deaf && request.method() == Method::PUT;
            async move {
                if deaf {
                    kept.send_modify(|count| *count += 1);
                    std::future::pending::<()>().await;
                }
                // This server makes each bucket that is named to it; stores do not.
                if !request.uri().path().starts_with(&format!("/{BUCKET}/")) {
                    let said = "<Error><Code>NoSuchBucket</Code></Error>".to_owned();
                    let mut answer = http::Response::new(s3s::Body::from(said));
                    *answer.status_mut() = http::StatusCode::NOT_FOUND;
                    return Ok(answer);
                }
                Service::call(&service, request).await
            }
        });
        tokio::spawn(async move {
            tokio::select! {
                _left = away.wait_for(|mood| *mood == Mood::Away) => {}
                _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), answer) => {}
            }
        });
    }
}
