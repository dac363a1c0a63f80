//! What the client does with servers that misbehave, each a few lines over a raw socket.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::address::Lookup;
use super::*;
use crate::clock::{Clock as _, SystemClock};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Serves every connection with `each` and counts them.
async fn server<F, Fut>(each: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(each(stream));
        }
    });
    (address, count)
}

/// Reads one request: its head and the body that its length announces. `None` at the end.
async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

fn client() -> Outbound {
    Outbound::new(vec!["127.0.0.1".to_owned()]).unwrap()
}

fn post(address: impl fmt::Display, body: impl Into<Bytes>) -> Request {
    Request {
        method: Method::POST,
        url: format!("http://{address}/2/tweets").parse().unwrap(),
        headers: HeaderMap::new(),
        body: body.into(),
        timeout: Duration::from_secs(10),
        max_answer: 64 * 1024,
        label: Label { destination: "test", kind: "create" },
    }
}

/// A server that reads the request, writes `answer` and closes.
async fn answering(answer: &'static [u8]) -> SocketAddr {
    let serve = move |mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        let _gone = stream.write_all(answer).await;
    };
    server(serve).await.0
}

fn parts(failure: &Failure) -> (Reach, FailureKind, Option<u16>) {
    (failure.reach, failure.kind, failure.status.map(|status| status.as_u16()))
}

#[tokio::test]
async fn a_request_arrives_whole_and_its_answer_comes_back_as_it_is() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let (address, _) = server(move |mut stream| {
        let kept = kept.clone();
        async move {
            let request = read_request(&mut stream).await.unwrap();
            kept.lock().unwrap().push(request);
            stream.write_all(OK).await.unwrap();
        }
    })
    .await;
    let mut request = post(address, "{\"text\":\"Chào\"}");
    request.headers.insert("authorization", secret_header("Bearer canary").unwrap());
    let printed = format!("{request:?}");
    assert!(!printed.contains("canary") && !printed.contains("Chào"), "{printed}");
    let answer = client().send(request).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.as_ref()), (200, b"ok".as_ref()));
    assert!(!format!("{answer:?}").contains("ok\""));
    let seen = seen.lock().unwrap();
    let (head, body) = &seen[0];
    assert!(
        head.contains("authorization: bearer canary") && head.contains("content-length: 16"),
        "{head}"
    );
    assert!(!head.contains("accept-encoding") && !head.contains("expect"), "{head}");
    assert_eq!(body, "{\"text\":\"Chào\"}".as_bytes());
}

#[tokio::test]
async fn without_a_connection_nothing_left() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failure = client().send(post(free, "a")).await.unwrap_err();
    assert_eq!(parts(&failure), (Reach::NotConnected, FailureKind::Connect, None));
    // A server that does not speak TLS.
    let (plain, _) = server(|mut stream| async move {
        let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let mut request = post(plain, "a");
    request.url.set_scheme("https").unwrap();
    let failure = client().send(request).await.unwrap_err();
    assert_eq!(parts(&failure), (Reach::NotConnected, FailureKind::Connect, None));
    // A name that does not exist, and one whose resolver never answers.
    let unknown: Lookup = Arc::new(|_| Box::pin(async { Err(io::Error::other("no such name")) }));
    let silent: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
    for (lookup, kind) in [(unknown, FailureKind::Connect), (silent, FailureKind::Timeout)] {
        let outbound = looking_up(lookup, &["slow.example"]);
        let mut request = post("slow.example", "a");
        request.timeout = Duration::from_millis(150);
        let failure = outbound.send(request).await.unwrap_err();
        assert_eq!(parts(&failure), (Reach::NotConnected, kind, None));
    }
}

#[tokio::test]
async fn a_reset_is_told_by_how_far_the_request_got() {
    // Amid a body far larger than all buffers on the way; closing with unread bytes resets.
    let (address, _) = server(|mut stream| async move {
        let mut some = [0; 1_000];
        let _some = stream.read(&mut some).await;
    })
    .await;
    let failure = client().send(post(address, vec![b'a'; 64 << 20])).await.unwrap_err();
    assert_eq!(parts(&failure), (Reach::HeadersStarted, FailureKind::Broken, None));
    // After the body, before, amid and after the head of the answer.
    for (answer, expected) in [
        ("", (Reach::BodyComplete, None)),
        ("HTTP/1.1 200 OK\r\nconte", (Reach::BodyComplete, None)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"id\"", (Reach::AnswerStarted, Some(200))),
        (
            "HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            (Reach::AnswerStarted, Some(500)),
        ),
        ("<html>not HTTP</html>\r\n\r\n", (Reach::BodyComplete, None)),
    ] {
        let address = answering(answer.as_bytes()).await;
        let failure = client().send(post(address, "a")).await.unwrap_err();
        assert_eq!(parts(&failure), (expected.0, FailureKind::Broken, expected.1), "{answer:?}");
    }
}

#[tokio::test]
async fn one_deadline_covers_everything() {
    let (silent, _) = server(|mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let (dripping, _) = server(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n").await.unwrap();
        while stream.write_all(b" ").await.is_ok() {
            SystemClock.sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    for (address, reach, status) in
        [(silent, Reach::BodyComplete, None), (dripping, Reach::AnswerStarted, Some(200))]
    {
        let start = SystemClock.elapsed();
        let mut request = post(address, "a");
        request.timeout = Duration::from_millis(200);
        let failure = client().send(request).await.unwrap_err();
        assert_eq!(parts(&failure), (reach, FailureKind::Timeout, status));
        assert!(SystemClock.elapsed().saturating_sub(start) < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let written = Arc::new(AtomicUsize::new(0));
    let counted = written.clone();
    let (endless, _) = server(move |mut stream| {
        let counted = counted.clone();
        async move {
            read_request(&mut stream).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await
                .unwrap();
            let chunk = [b"4000\r\n".as_slice(), &[b' '; 0x4000], b"\r\n"].concat();
            while counted.load(Ordering::SeqCst) < 1 << 30 && stream.write_all(&chunk).await.is_ok()
            {
                counted.fetch_add(chunk.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    let failure = client().send(post(endless, "a")).await.unwrap_err();
    assert_eq!(parts(&failure), (Reach::AnswerStarted, FailureKind::TooLarge, Some(200)));
    assert!(written.load(Ordering::SeqCst) < 32 << 20, "it read on");
    let announced = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n").await;
    let failure = client().send(post(announced, "a")).await.unwrap_err();
    assert_eq!(parts(&failure), (Reach::AnswerStarted, FailureKind::TooLarge, Some(200)));
    // Exactly the limit is allowed, in however many pieces it comes.
    let (exact, _) = server(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
        for letter in b"abcde" {
            stream.write_all(&[b'1', b'\r', b'\n', *letter, b'\r', b'\n']).await.unwrap();
            stream.flush().await.unwrap();
            SystemClock.sleep(Duration::from_millis(2)).await;
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    })
    .await;
    for (max_answer, fits) in [(5, true), (4, false)] {
        let answer = client().send(Request { max_answer, ..post(exact, "a") }).await;
        assert_eq!(answer.is_ok_and(|it| it.body == "abcde"), fits);
    }
}

#[tokio::test]
async fn a_compressed_answer_is_not_unpacked() {
    let packed =
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00";
    let answer = client().send(post(answering(packed).await, "a")).await.unwrap();
    assert_eq!(answer.body.as_ref(), b"\x1f\x8b\x08\x00");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    for status in ["301 M", "302 F", "303 S", "307 T", "308 P"] {
        let text = format!("HTTP/1.1 {status}\r\nlocation: /2/tweets\r\ncontent-length: 0\r\n\r\n");
        let (address, requests) = server(move |mut stream| {
            let text = text.clone();
            async move {
                while read_request(&mut stream).await.is_some() {
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
            }
        })
        .await;
        let answer = client().send(post(address, "a")).await.unwrap();
        assert_eq!(answer.status.as_str(), &status[..3]);
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }
}

/// Each connection is closed right after its answer without a word of it, so the next request often
/// goes out on a connection that is just being closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_closed_at_the_moment_of_send_repeats_nothing() {
    let seen: Arc<Mutex<BTreeMap<Vec<u8>, usize>>> = Arc::default();
    let kept = seen.clone();
    let (address, connections) = server(move |mut stream| {
        let kept = kept.clone();
        async move {
            if let Some((_, body)) = read_request(&mut stream).await {
                *kept.lock().unwrap().entry(body).or_default() += 1;
                stream.write_all(OK).await.unwrap();
            }
            // Sometimes the next request is read before it is thrown away.
            let mut byte = [0];
            if kept.lock().unwrap().len().is_multiple_of(3)
                && stream.read_exact(&mut byte).await.is_ok()
            {
                let mut rest = vec![0; 4_096];
                let length = stream.read(&mut rest).await.unwrap_or(0);
                let body = rest[..length].rsplit(|byte| *byte == b'\n').next().unwrap().to_vec();
                *kept.lock().unwrap().entry(body).or_default() += 1;
            }
        }
    })
    .await;
    let outbound = client();
    let (mut answered, mut doubtful) = (0, 0);
    for number in 0..1_000 {
        let id = format!("request-{number}");
        let result = outbound.send(post(address, id.clone())).await;
        let times = seen.lock().unwrap().get(id.as_bytes()).copied().unwrap_or(0);
        match result {
            Ok(_) => {
                answered += 1;
                assert_eq!(times, 1, "{id} was read {times} times");
            }
            Err(failure) => {
                doubtful += 1;
                assert!(times <= 1, "{id} was read {times} times");
                if failure.reach == Reach::NotConnected {
                    assert_eq!(times, 0, "{id} was read though it never left");
                }
            }
        }
    }
    let connections = connections.load(Ordering::SeqCst);
    // Both must have happened, or the test has shown nothing.
    assert!(answered > 0 && doubtful > 0, "{answered} answered, {doubtful} doubtful");
    assert!(connections <= 1_000 + 1, "{connections} connections");
    assert!(seen.lock().unwrap().values().all(|times| *times == 1));
}

fn looking_up(lookup: Lookup, trusted: &[&str]) -> Outbound {
    let trusted_hosts: Vec<String> = trusted.iter().map(|host| (*host).to_owned()).collect();
    let guard = Guard::with_lookup(&trusted_hosts, lookup);
    let connect_timeout = Duration::from_secs(5);
    let settings = config::Outbound { connect_timeout, trusted_hosts, system_proxy: false };
    Outbound::guarded(&settings, guard).unwrap()
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_without_one_connection() {
    let (address, connections) = server(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(OK).await.unwrap();
    })
    .await;
    // A resolver that says something public first and the inside afterwards.
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let lookup: Lookup = Arc::new(move |_| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        let inside = SocketAddr::from(([127, 0, 0, 1], address.port()));
        let public = SocketAddr::from(([192, 0, 2, 1], 9));
        Box::pin(async move { Ok(if first { vec![public] } else { vec![inside] }) })
    });
    let request = |host: &str| {
        let mut request = post(host, "a");
        request.url.set_scheme("https").unwrap();
        request.url.set_port(Some(address.port())).unwrap();
        request
    };
    let outbound = looking_up(lookup.clone(), &[]);
    for _ in 0..3 {
        let failure = outbound.send(request("rebind.example")).await.unwrap_err();
        assert_eq!(parts(&failure), (Reach::NotConnected, FailureKind::Forbidden, None));
    }
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0", "localhost"] {
        let failure = outbound.send(request(host)).await.unwrap_err();
        assert_eq!(parts(&failure), (Reach::NotConnected, FailureKind::Forbidden, None), "{host}");
    }
    let failure = outbound.send(post("api.x.com", "a")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Forbidden, "without TLS");
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    // The same name is reached when it was configured.
    let outbound = looking_up(lookup, &["sim.example"]);
    outbound.send(post(format!("sim.example:{}", address.port()), "a")).await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn connections_are_used_again() {
    let (address, connections) = server(|mut stream| async move {
        while read_request(&mut stream).await.is_some() {
            stream.write_all(OK).await.unwrap();
        }
    })
    .await;
    let outbound = client();
    for _ in 0..20 {
        outbound.send(post(address, "a")).await.unwrap();
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
