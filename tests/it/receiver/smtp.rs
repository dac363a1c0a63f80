//! A mail server: real connections, its side of the protocol by another's library.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use mailin::response::{AUTH_OK, INTERNAL_ERROR, NO_MAILBOX, OK};
use mailin::{Action, AuthMechanism, Handler, Response, Session, SessionBuilder};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How it treats its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temper {
    /// It takes mail.
    Well,
    /// It has no such mailbox.
    NoMailbox,
    /// It cannot take mail now.
    Ailing,
    /// It says nothing at all.
    Silent,
}

/// A mail as it came.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) text: String,
}

/// How its connections are protected.
#[derive(Clone)]
pub(crate) enum Guarded {
    /// Not at all.
    No,
    /// Not at all, and it would take a password all the same.
    Careless,
    /// From the first byte.
    Wrapped(TlsAcceptor),
    /// When the client asks for it.
    OnDemand(TlsAcceptor),
}

/// The server.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    address: SocketAddr,
    temper: Arc<Mutex<Temper>>,
    mails: Arc<Mutex<Vec<Mail>>>,
    /// How often a client came or said something, whatever became of it.
    visits: Arc<Mutex<usize>>,
    /// With whom and with what clients have signed in.
    signed_in: Arc<Mutex<Vec<(String, String)>>>,
    /// Every line that came, protected or not, as text.
    lines: Arc<Mutex<Vec<String>>>,
}

struct Clerk {
    post: Post,
    to: String,
    text: Vec<u8>,
}

impl Handler for Clerk {
    fn auth_plain(&mut self, _: &str, name: &str, password: &str) -> Response {
        self.post.signed_in.lock().unwrap().push((name.to_owned(), password.to_owned()));
        AUTH_OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        to.clone_into(&mut self.to);
        match *self.post.temper.lock().unwrap() {
            Temper::Well | Temper::Silent => OK,
            Temper::NoMailbox => NO_MAILBOX,
            Temper::Ailing => INTERNAL_ERROR,
        }
    }

    fn data_start(&mut self, _: &str, _: &str, _: bool, _: &[String]) -> Response {
        self.text.clear();
        OK
    }

    fn data(&mut self, buf: &[u8]) -> io::Result<()> {
        self.text.extend_from_slice(buf);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let text = String::from_utf8(std::mem::take(&mut self.text)).unwrap();
        self.post.mails.lock().unwrap().push(Mail { to: self.to.clone(), text });
        OK
    }
}

impl Post {
    /// Starts it; it lives as long as the test's runtime.
    pub(crate) async fn start(temper: Temper) -> Self {
        Self::guarded(temper, Guarded::No).await
    }

    /// The same over TLS; whoever comes must sign in.
    pub(crate) async fn guarded(temper: Temper, guarded: Guarded) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let post = Self {
            address: listener.local_addr().unwrap(),
            temper: Arc::new(Mutex::new(temper)),
            mails: Arc::default(),
            visits: Arc::default(),
            signed_in: Arc::default(),
            lines: Arc::default(),
        };
        let own = post.clone();
        tokio::spawn(async move {
            loop {
                let (client, from) = listener.accept().await.unwrap();
                // A client that goes away in the middle is no fault of the server.
                let (post, guarded) = (own.clone(), guarded.clone());
                tokio::spawn(async move { serve(post, client, from.ip(), guarded).await.ok() });
            }
        });
        post
    }

    /// Its port.
    pub(crate) fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// It treats its clients otherwise from now on.
    pub(crate) fn becomes(&self, temper: Temper) {
        *self.temper.lock().unwrap() = temper;
    }

    fn is_silent(&self) -> bool {
        *self.temper.lock().unwrap() == Temper::Silent
    }

    /// What it took.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    /// With whom and with what clients have signed in.
    pub(crate) fn signed_in(&self) -> Vec<(String, String)> {
        self.signed_in.lock().unwrap().clone()
    }

    /// Every line that came.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// How often a client came or said something.
    pub(crate) fn visits(&self) -> usize {
        *self.visits.lock().unwrap()
    }
}

impl Mail {
    /// A header, decoded as far as the tests need it.
    pub(crate) fn header(&self, name: &str) -> &str {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        let start = format!("{name}: ");
        head.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default()
    }

    /// The body with its quoted-printable undone.
    pub(crate) fn body(&self) -> String {
        let (head, body) = self.text.split_once("\r\n\r\n").unwrap();
        if head.to_lowercase().contains("content-transfer-encoding: base64") {
            use base64::Engine as _;
            let tight: String = body.split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(tight).unwrap();
            return String::from_utf8(bytes).unwrap();
        }
        let joined = body.replace("=\r\n", "");
        let (mut bytes, mut rest) = (Vec::new(), joined.as_bytes());
        while let [first, tail @ ..] = rest {
            let code = if *first == b'=' { tail.get(..2).and_then(hex) } else { None };
            bytes.push(code.unwrap_or(*first));
            rest = if code.is_some() { &tail[2..] } else { tail };
        }
        String::from_utf8(bytes).unwrap()
    }
}

fn hex(two: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()
}

async fn serve(post: Post, client: TcpStream, from: IpAddr, guarded: Guarded) -> io::Result<()> {
    *post.visits.lock().unwrap() += 1;
    if post.is_silent() {
        // Kept open until the client gives up.
        BufReader::new(client).read_line(&mut String::new()).await?;
        return Ok(());
    }
    let clerk = Clerk { post: post.clone(), to: String::new(), text: Vec::new() };
    let mut builder = SessionBuilder::new("mail.test");
    match &guarded {
        Guarded::No => {}
        Guarded::Careless => {
            builder.insecure_enable_plaintext_auth().enable_auth(AuthMechanism::Plain);
        }
        Guarded::Wrapped(_) | Guarded::OnDemand(_) => {
            builder.enable_start_tls().enable_auth(AuthMechanism::Plain);
        }
    }
    let mut session = builder.build(from, clerk);
    let greeting = session.greeting().buffer()?;
    match guarded {
        Guarded::No | Guarded::Careless => {
            talk(&post, &mut session, BufReader::new(client), &greeting).await.map(drop)
        }
        Guarded::Wrapped(tls) => {
            let client = BufReader::new(tls.accept(client).await?);
            session.tls_active();
            talk(&post, &mut session, client, &greeting).await.map(drop)
        }
        Guarded::OnDemand(tls) => {
            let client = BufReader::new(client);
            let Some(client) = talk(&post, &mut session, client, &greeting).await? else {
                return Ok(());
            };
            let client = BufReader::new(tls.accept(client.into_inner()).await?);
            session.tls_active();
            talk(&post, &mut session, client, &[]).await.map(drop)
        }
    }
}

/// Until the client has gone, or wants to go on over TLS.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    post: &Post,
    session: &mut Session<Clerk>,
    mut client: BufReader<S>,
    greeting: &[u8],
) -> io::Result<Option<BufReader<S>>> {
    client.write_all(greeting).await?;
    client.flush().await?;
    loop {
        let mut line = Vec::new();
        if client.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        *post.visits.lock().unwrap() += 1;
        post.lines.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
        if post.is_silent() {
            client.read_until(b'\n', &mut line).await?;
            return Ok(None);
        }
        let answer = session.process(&line);
        if answer.action != Action::NoReply {
            client.write_all(&answer.buffer()?).await?;
            client.flush().await?;
        }
        match answer.action {
            Action::NoReply | Action::Reply => {}
            Action::Close => return Ok(None),
            Action::UpgradeTls => return Ok(Some(client)),
        }
    }
}
