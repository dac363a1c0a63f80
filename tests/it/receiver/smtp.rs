//! A mail server: real connections, its side of the protocol by another's library.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use mailin::response::{INTERNAL_ERROR, NO_MAILBOX, OK};
use mailin::{Action, Handler, Response, SessionBuilder};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

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

/// The server.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    address: SocketAddr,
    temper: Arc<Mutex<Temper>>,
    mails: Arc<Mutex<Vec<Mail>>>,
    /// How often a client came or said something, whatever became of it.
    visits: Arc<Mutex<usize>>,
}

struct Clerk {
    post: Post,
    to: String,
    text: Vec<u8>,
}

impl Handler for Clerk {
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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let post = Self {
            address: listener.local_addr().unwrap(),
            temper: Arc::new(Mutex::new(temper)),
            mails: Arc::default(),
            visits: Arc::default(),
        };
        let own = post.clone();
        tokio::spawn(async move {
            loop {
                let (client, from) = listener.accept().await.unwrap();
                // A client that goes away in the middle is no fault of the server.
                let post = own.clone();
                tokio::spawn(async move { serve(post, client, from.ip()).await.ok() });
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

async fn serve(post: Post, client: TcpStream, from: IpAddr) -> io::Result<()> {
    *post.visits.lock().unwrap() += 1;
    if post.is_silent() {
        // Kept open until the client gives up.
        BufReader::new(client).read_line(&mut String::new()).await?;
        return Ok(());
    }
    let (reading, mut writing) = client.into_split();
    let clerk = Clerk { post: post.clone(), to: String::new(), text: Vec::new() };
    let mut session = SessionBuilder::new("mail.test").build(from, clerk);
    writing.write_all(&session.greeting().buffer()?).await?;
    let mut reading = BufReader::new(reading);
    loop {
        let mut line = Vec::new();
        if reading.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        *post.visits.lock().unwrap() += 1;
        if post.is_silent() {
            reading.read_until(b'\n', &mut line).await?;
            return Ok(());
        }
        let answer = session.process(&line);
        match answer.action {
            Action::NoReply => {}
            Action::Reply => writing.write_all(&answer.buffer()?).await?,
            Action::Close | Action::UpgradeTls => {
                return writing.write_all(&answer.buffer()?).await;
            }
        }
    }
}
