//! Connections that an HTTP client would not make: endless, slow, too many, broken in the middle.

use std::time::Duration;

use chancery::clock::{Clock as _, SystemClock};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{World, embassy};

/// Far more than any of the deadlines of these tests: who reaches it waits for ever.
const EVER: Duration = Duration::from_mins(1);

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.address()).await.unwrap()
}

fn head(world: &World, method: &str, path: &str, more: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: chancery\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nAccept-Language: vi\r\n{more}\r\n",
        world.admin
    )
}

/// What comes until the other side closes.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    tokio::select! {
        read = stream.read_to_end(&mut bytes) => drop(read),
        () = SystemClock.sleep(EVER) => panic!("never closed"),
    }
    bytes
}

/// Status and body of the only answer in these bytes.
fn answer(bytes: &[u8]) -> (u16, Value) {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer in {text:?}"));
    (status, serde_json::from_str(body).unwrap_or_default())
}

fn problem(bytes: &[u8], status: u16, code: &str) {
    let (got, body) = answer(bytes);
    assert_eq!((got, body["code"].as_str()), (status, Some(code)), "{body}");
    assert!(!body["detail"].as_str().unwrap().is_ascii(), "not Vietnamese: {body}");
}

/// Nothing was written, and everybody else is served.
async fn lives(world: &World) {
    let list = world.ask("GET", "/api/v1/units").send().await.expect(200);
    assert!(list["items"].as_array().unwrap().is_empty(), "{list}");
    let again = world.ask("GET", "/healthz").send().await;
    assert_eq!(again.status, 200);
}

async fn quick() -> World {
    World::sqlite_with(&[
        ("CHANCERY_SERVER__HEADER_TIMEOUT", "300ms"),
        ("CHANCERY_SERVER__BODY_TIMEOUT", "400ms"),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_never_ends_is_cut_off() {
    let world = quick().await;
    for beginning in ["", "G", "GET /api/v1/units HTTP/1.1\r\n", "GET / HTTP/1.1\r\nX-A: "] {
        let mut stream = connect(&world).await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let bytes = rest(&mut stream).await;
        assert!(bytes.is_empty(), "{}", String::from_utf8_lossy(&bytes));
    }
    // A byte now and then does not help.
    let mut stream = connect(&world).await;
    let _refused = stream.write_all(b"GET /api/v1/units HTTP/1.1\r\nX-A: ").await;
    let dripped = async {
        while stream.write_all(b"a").await.is_ok() {
            SystemClock.sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = dripped => {}
        () = SystemClock.sleep(EVER) => panic!("fed for ever"),
    }
    lives(&world).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_never_ends_is_answered() {
    let world = quick().await;
    for (path, length) in [
        ("/api/v1/units", "Content-Length: 100\r\n"),
        ("/api/v1/units", "Transfer-Encoding: chunked\r\n"),
    ] {
        let mut stream = connect(&world).await;
        stream.write_all(head(&world, "POST", path, length).as_bytes()).await.unwrap();
        if length.contains("chunked") {
            stream.write_all(b"1\r\n{\r\n").await.unwrap();
        }
        problem(&rest(&mut stream).await, 408, "body_too_slow");
    }
    lives(&world).await;
    world.end().await;
}

/// Who is answered before his body was read is told that the connection ends; who was heard out goes
/// on using it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_before_the_end_of_a_body_ends_the_connection() {
    let world = World::sqlite_with(&[]).await;
    let unit = embassy().to_string();
    let length = format!("Content-Length: {}\r\n", 64 << 20);
    for (more, body, closes) in
        [(length, "{", true), (format!("Content-Length: {}\r\n", unit.len()), unit.as_str(), false)]
    {
        let mut stream = connect(&world).await;
        let head = head(&world, "POST", "/api/v1/units", &more);
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        while !bytes.windows(4).any(|it| it == b"\r\n\r\n") {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "closed without an answer");
        }
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert_eq!(text.contains("\r\nconnection: close\r\n"), closes, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_chunked_body_is_cut_at_the_limit() {
    let world = World::sqlite().await;
    for (path, kind) in [
        ("/api/v1/units", "application/json"),
        ("/api/v1/media", "image/png"),
        ("/api/v1/media", "multipart/form-data; boundary=x"),
    ] {
        let mut stream = connect(&world).await;
        let head = head(&world, "POST", path, "Transfer-Encoding: chunked\r\n")
            .replace("application/json", kind);
        stream.write_all(head.as_bytes()).await.unwrap();
        if kind.starts_with("multipart") {
            let part = "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
            let chunk = format!("{:x}\r\n{part}\r\n", part.len());
            stream.write_all(chunk.as_bytes()).await.unwrap();
        }
        let mut chunk = b"10000\r\n".to_vec();
        chunk.extend(vec![b' '; 0x1_0000]);
        chunk.extend(b"\r\n");
        let (mut reading, mut writing) = stream.into_split();
        let feeding = tokio::spawn(async move {
            // Ends only because the other side does not want any more.
            while writing.write_all(&chunk).await.is_ok() {}
        });
        let mut bytes = Vec::new();
        let mut piece = [0_u8; 4096];
        tokio::select! {
            () = async {
                while let Ok(length @ 1..) = reading.read(&mut piece).await {
                    bytes.extend_from_slice(&piece[..length]);
                }
            } => {}
            () = SystemClock.sleep(EVER) => panic!("swallowed for ever"),
        }
        problem(&bytes, 413, "too_large");
        feeding.await.unwrap();
    }
    lives(&world).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_http_is_refused_with_a_status() {
    let world = World::sqlite().await;
    let bomb = "x: y\r\n".repeat(100_000);
    for (bytes, status) in [
        (format!("GET / HTTP/1.1\r\n{bomb}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(1 << 20)), 431),
        (format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000)), 414),
        ("NONSENSE\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nbad header\r\n\r\n".to_owned(), 400),
        (head(&world, "POST", "/api/v1/units", "Transfer-Encoding: chunked\r\n") + "zz\r\n", 400),
        (
            head(&world, "POST", "/api/v1/units", "Content-Length: 1\r\nContent-Length: 2\r\n")
                + "{}",
            400,
        ),
        (head(&world, "POST", "/api/v1/units", "Content-Length: -1\r\n"), 400),
        (head(&world, "POST", "/api/v1/units", "Content-Length: 99999999999999999999\r\n"), 400),
    ] {
        let mut stream = connect(&world).await;
        let _reset = stream.write_all(bytes.as_bytes()).await;
        let said = rest(&mut stream).await;
        let start: String = bytes.chars().take(60).collect();
        assert_eq!(answer(&said).0, status, "{start}");
    }
    lives(&world).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_utf8_in_an_address_is_no_crash() {
    let world = World::sqlite().await;
    for target in [&b"/api/v1/posts/\xff\xfe"[..], b"/api/v1/posts?cursor=\xff", b"/\xc3\x28"] {
        let mut bytes = b"GET ".to_vec();
        bytes.extend(target);
        let more = head(&world, "GET", "/", "Connection: close\r\n");
        bytes.extend(more.strip_prefix("GET /").unwrap().as_bytes());
        let mut stream = connect(&world).await;
        stream.write_all(&bytes).await.unwrap();
        let (status, body) = answer(&rest(&mut stream).await);
        assert!([400, 404, 422].contains(&status), "{status} {body}");
    }
    lives(&world).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_in_the_middle_leaves_nothing() {
    let world = World::sqlite().await;
    let body = serde_json::to_vec(&embassy()).unwrap();
    for sent in [0, 1, body.len() / 2, body.len() - 1] {
        let mut stream = connect(&world).await;
        let length = format!("Content-Length: {}\r\n", body.len());
        stream.write_all(head(&world, "POST", "/api/v1/units", &length).as_bytes()).await.unwrap();
        stream.write_all(&body[..sent]).await.unwrap();
        stream.shutdown().await.unwrap();
        let said = rest(&mut stream).await;
        if !said.is_empty() {
            problem(&said, 400, "bad_upload");
        }
    }
    lives(&world).await;
    world.end().await;
}

/// One address cannot take all connections; what it closes it has again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_so_many_connections_and_no_more() {
    let world = World::sqlite_with(&[("CHANCERY_SERVER__CONNECTIONS_PER_ADDRESS", "3")]).await;
    let ask = head(&world, "GET", "/api/v1/units", "");
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(&world).await;
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut byte = [0_u8; 12];
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"HTTP/1.1 200");
        kept.push(stream);
    }
    let mut one_more = connect(&world).await;
    one_more.write_all(ask.as_bytes()).await.unwrap();
    let said = rest(&mut one_more).await;
    problem(&said, 429, "too_many_connections");
    assert!(String::from_utf8_lossy(&said).to_lowercase().contains("retry-after: 5"));
    drop(kept);
    // Closing is noticed a moment later.
    for round in 0.. {
        let mut stream = connect(&world).await;
        let close = head(&world, "GET", "/api/v1/units", "Connection: close\r\n");
        stream.write_all(close.as_bytes()).await.unwrap();
        if answer(&rest(&mut stream).await).0 == 200 {
            break;
        }
        assert!(round < 100, "the places are not given back");
        SystemClock.sleep(Duration::from_millis(20)).await;
    }
    world.end().await;
}
