//! The simulators over real connections: faults that a client sees on the wire, control, pages.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::probe::over_wire;
use super::*;
use crate::clock::SimulatedClock;

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

async fn start() -> (SimulatedClock, Simulators) {
    let clock = SimulatedClock::at("2026-09-02T02:00:00Z".parse().unwrap());
    let shared: SharedClock = Arc::new(clock.clone());
    let simulators = Simulators::start(shared, loopback(), loopback()).await.unwrap();
    let user =
        User { id: "7".into(), username: "mofa".into(), token: "t7".into(), ..User::default() };
    simulators.world().add_user(user);
    let page =
        Page { id: "55".into(), name: "MOFA".into(), token: "p55".into(), ..Page::default() };
    simulators.world().add_page(page);
    (clock, simulators)
}

async fn tweet(simulators: &Simulators, text: &str) -> Vec<u8> {
    over_wire(&simulators.x_url(), "/2/tweets", "t7", &json!({ "text": text }))
        .await
        .unwrap_or_default()
}

fn fault(simulators: &Simulators, kind: Kind) {
    simulators.world().faults().push(Fault::once(Platform::X, Operation::Create, kind));
}

fn body_of(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer).into_owned();
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

fn status_of(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer).into_owned();
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn only_loopback_is_served() {
    let shared: SharedClock = Arc::new(SystemClock);
    let everywhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
    for (facebook, x) in [(everywhere, loopback()), (loopback(), everywhere)] {
        let started = Simulators::start(Arc::clone(&shared), facebook, x).await;
        assert!(matches!(started, Err(Error::NotLoopback(address)) if address == everywhere));
    }
}

#[tokio::test]
async fn an_answer_carries_the_date_of_the_simulated_clock() {
    let (_clock, simulators) = start().await;
    let answer = String::from_utf8(tweet(&simulators, "hello").await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(answer.contains("date: Wed, 02 Sep 2026 02:00:00 GMT"), "{answer}");
    simulators.stop().await;
}

#[tokio::test]
async fn drops_close_the_connection_without_a_byte() {
    let (_clock, simulators) = start().await;
    fault(&simulators, Kind::DropBefore);
    assert_eq!(tweet(&simulators, "one").await, b"");
    assert!(simulators.world().user_posts("7").is_empty());
    fault(&simulators, Kind::DropAfter);
    assert_eq!(tweet(&simulators, "two").await, b"");
    let posts = simulators.world().user_posts("7");
    assert_eq!(posts.len(), 1);
    let journal = simulators.world().journal();
    assert_eq!(journal[0].outcome, CreateOutcome::NotExecuted);
    assert_eq!(journal[0].fault, Some("drop_before"));
    assert_eq!(journal[0].intent.text, "one");
    assert_eq!(journal[1].outcome, CreateOutcome::Created(posts[0].id.clone()));
    assert_eq!(journal[1].fault, Some("drop_after"));
    simulators.stop().await;
}

#[tokio::test]
async fn an_answer_can_be_cut_in_the_middle() {
    let (_clock, simulators) = start().await;
    for bytes in [1, 12, 60] {
        fault(&simulators, Kind::CutAnswer { bytes });
        let answer = tweet(&simulators, &format!("cut at {bytes}")).await;
        assert_eq!(answer.len(), usize::try_from(bytes).unwrap());
        assert!(b"HTTP/1.1 201 Created".starts_with(&answer[..answer.len().min(20)]));
    }
    assert_eq!(simulators.world().user_posts("7").len(), 3);
    simulators.stop().await;
}

#[tokio::test]
async fn good_answers_can_be_spoiled() {
    let (_clock, simulators) = start().await;
    fault(&simulators, Kind::Truncate { bytes: 9 });
    let answer = tweet(&simulators, "truncated").await;
    assert_eq!((status_of(&answer), body_of(&answer).len()), (201, 9));
    fault(&simulators, Kind::Empty);
    let answer = tweet(&simulators, "empty").await;
    assert_eq!((status_of(&answer), body_of(&answer).as_str()), (201, ""));
    fault(&simulators, Kind::WithoutId);
    let answer = tweet(&simulators, "without id").await;
    let body: Value = serde_json::from_str(&body_of(&answer)).unwrap();
    assert_eq!((status_of(&answer), &body["data"]["id"]), (201, &Value::Null));
    fault(&simulators, Kind::Huge { bytes: 3_000_000 });
    let answer = tweet(&simulators, "huge").await;
    assert_eq!(status_of(&answer), 201);
    assert!(answer.len() > 3_000_000, "{}", answer.len());
    assert_eq!(simulators.world().user_posts("7").len(), 4);
    simulators.stop().await;
}

#[tokio::test]
async fn failures_happen_before_or_after_the_post_is_made() {
    let (_clock, simulators) = start().await;
    let mut made = 0;
    for execute in [false, true] {
        for (kind, status) in [
            (Kind::ServerError { execute }, 503),
            (Kind::Html { execute }, 502),
            (Kind::XProblem { problem: Problem::CreditsDepleted, execute }, 402),
            (
                Kind::Answer {
                    status: 418,
                    headers: [("x-own".to_owned(), "1".to_owned())].into(),
                    body: "tea".into(),
                    execute,
                },
                418,
            ),
        ] {
            fault(&simulators, kind);
            let answer = tweet(&simulators, &format!("{status} {execute}")).await;
            assert_eq!(status_of(&answer), status);
            made += usize::from(execute);
            assert_eq!(simulators.world().user_posts("7").len(), made);
            if status == 418 {
                assert!(String::from_utf8_lossy(&answer).contains("x-own: 1"));
                assert_eq!(body_of(&answer), "tea");
            }
        }
    }
    fault(&simulators, Kind::Redirect);
    let answer = tweet(&simulators, "redirected").await;
    assert_eq!(status_of(&answer), 307);
    assert!(String::from_utf8_lossy(&answer).contains("location: /2/tweets"));
    assert_eq!(simulators.world().user_posts("7").len(), made);
    simulators.stop().await;
}

/// Moves the time until something sleeps no more, as a test of the product would.
async fn run_out(clock: &SimulatedClock, span: Duration) {
    for _ in 0..500 {
        if clock.next_wake().is_some() {
            clock.advance(span);
            return;
        }
        SystemClock.sleep(Duration::from_millis(2)).await;
    }
    panic!("nobody sleeps");
}

#[tokio::test]
async fn hangs_last_as_long_as_the_clock_says() {
    let (clock, simulators) = start().await;
    let simulators = Arc::new(simulators);
    let world = simulators.world();
    for (kind, posts_before, posts_after, answered) in [
        (Kind::HangBefore { ms: 90_000 }, 0, 0, false),
        (Kind::HangAfter { ms: 90_000 }, 1, 1, true),
        (Kind::Late { ms: 90_000 }, 1, 2, false),
    ] {
        let name = kind.name();
        fault(&simulators, kind);
        let asking = Arc::clone(&simulators);
        let call = tokio::spawn(async move { tweet(&asking, name).await });
        while clock.next_wake().is_none() {
            SystemClock.sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(world.user_posts("7").len(), posts_before, "{name}");
        run_out(&clock, Duration::from_secs(90)).await;
        let answer = call.await.unwrap();
        assert_eq!(!answer.is_empty(), answered, "{name}");
        assert_eq!(world.user_posts("7").len(), posts_after, "{name}");
    }
}

#[tokio::test]
async fn a_late_execution_happens_though_the_client_has_gone() {
    let (clock, simulators) = start().await;
    let simulators = Arc::new(simulators);
    fault(&simulators, Kind::Late { ms: 30_000 });
    let asking = Arc::clone(&simulators);
    let call = tokio::spawn(async move { tweet(&asking, "late").await });
    while clock.next_wake().is_none() {
        SystemClock.sleep(Duration::from_millis(2)).await;
    }
    call.abort();
    let _gone = call.await;
    SystemClock.sleep(Duration::from_millis(20)).await;
    assert!(simulators.world().user_posts("7").is_empty());
    run_out(&clock, Duration::from_secs(30)).await;
    while simulators.world().user_posts("7").is_empty() {
        SystemClock.sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(simulators.world().journal()[0].fault, Some("late"));
}

#[tokio::test]
async fn an_answer_can_drip() {
    let (clock, simulators) = start().await;
    let simulators = Arc::new(simulators);
    fault(&simulators, Kind::SlowDrip { ms: 1_000 });
    let asking = Arc::clone(&simulators);
    let call = tokio::spawn(async move { tweet(&asking, "drip").await });
    let began = clock.now();
    while !call.is_finished() {
        if clock.next_wake().is_some() {
            clock.advance(Duration::from_secs(1));
        }
        tokio::task::yield_now().await;
    }
    let body: Value = serde_json::from_str(&body_of(&call.await.unwrap())).unwrap();
    assert_eq!(body["data"]["text"], "drip");
    let length = u64::try_from(body.to_string().len()).unwrap();
    assert!(crate::clock::until(began, clock.now()) >= Duration::from_secs(length));
}

#[tokio::test]
async fn stopping_ends_a_hang() {
    let (_clock, simulators) = start().await;
    fault(&simulators, Kind::HangBefore { ms: 3_600_000 });
    let base = simulators.x_url();
    let call = tokio::spawn(async move {
        over_wire(&base, "/2/tweets", "t7", &json!({ "text": "x" })).await.unwrap_or_default()
    });
    while simulators.world().journal().is_empty() {
        SystemClock.sleep(Duration::from_millis(2)).await;
    }
    simulators.stop().await;
    assert_eq!(call.await.unwrap(), b"");
}

#[tokio::test]
async fn stopping_does_not_wait_for_idle_connections() {
    let (_clock, simulators) = start().await;
    let base = simulators.x_url();
    let mut idle = tokio::net::TcpStream::connect(&base["http://".len()..]).await.unwrap();
    let head = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut idle, head).await.unwrap();
    let mut start = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut idle, &mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    simulators.stop().await;
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut idle, &mut rest).await.unwrap();
    let again = tokio::net::TcpStream::connect(&base["http://".len()..]).await;
    assert!(again.is_err(), "somebody still listens");
}

#[tokio::test]
async fn a_connection_serves_many_calls_until_a_fault_cuts_it() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (_clock, simulators) = start().await;
    let base = simulators.x_url();
    let mut stream = tokio::net::TcpStream::connect(&base["http://".len()..]).await.unwrap();
    for number in 0..3 {
        if number == 2 {
            fault(&simulators, Kind::DropAfter);
        }
        let body = json!({ "text": format!("post {number}") }).to_string();
        let call = format!(
            "POST /2/tweets HTTP/1.1\r\nhost: x\r\nauthorization: Bearer t7\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(call.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4_096];
        let read = stream.read(&mut answer).await.unwrap_or(0);
        assert_eq!(answer[..read].starts_with(b"HTTP/1.1 201"), number < 2, "{number}");
        assert_eq!(read == 0, number == 2, "{number}");
    }
    assert_eq!(simulators.world().user_posts("7").len(), 3);
    simulators.stop().await;
}

#[tokio::test]
async fn the_control_surface_does_what_the_world_does() {
    let (_clock, simulators) = start().await;
    let base = simulators.facebook_url();
    let ask = async |path: &str, body: Value| {
        let answer = over_wire(&base, &format!("/_control{path}"), "", &body).await.unwrap();
        (status_of(&answer), body_of(&answer))
    };
    let page = json!({ "id": "99", "name": "Embassy", "token": "p99" });
    assert_eq!(ask("/pages", page).await.0, 200);
    assert_eq!(ask("/pages", json!({ "id": "no", "token": "x" })).await.0, 400);
    let user = json!({ "id": "8", "username": "embassy", "token": "t8" });
    assert_eq!(ask("/users", user).await.0, 200);
    let foreign = json!({ "platform": "facebook", "account": "99", "text": "not ours" });
    assert_eq!(ask("/foreign", foreign).await.0, 200);
    let world = simulators.world();
    assert_eq!(world.page_posts("99")[0].application, None);
    let one = json!({ "platform": "x", "operation": "create", "kind": "lag", "ms": 5000 });
    assert_eq!(ask("/faults", json!([one, one])).await.0, 200);
    assert_eq!(ask("/faults", one).await.0, 200);
    assert_eq!(world.faults().waiting().len(), 3);
    assert_eq!(ask("/faults", json!({ "kind": "nonsense" })).await.0, 422);
    let settings = json!({ "read_lag_ms": 700, "x": { "duplicate_window_s": null } });
    assert_eq!(ask("/settings", settings).await.0, 200);
    assert_eq!(world.settings().read_lag_ms, 700);
    assert_eq!(world.settings().x.duplicate_window_s, None);
    assert_eq!(world.settings().x.limits["create"].user.unwrap().calls, 100);
    assert_eq!(ask("/settings", json!({ "no_such": 1 })).await.0, 400);
    assert_eq!(ask("/revoke", json!({ "token": "t8", "reason": "expired" })).await.0, 200);
    assert!(matches!(world.standing(Platform::X, "t8"), Standing::Dead(Death::Expired)));
    simulators.stop().await;
}

#[tokio::test]
async fn pages_for_people_are_escaped_and_have_no_scripts() {
    let (_clock, simulators) = start().await;
    let world = simulators.world();
    let text = "<script>alert(1)</script> \"Việt Nam\" مرحبا";
    let post = world.insert_foreign(Platform::Facebook, "55", text).unwrap();
    let tweet = world.insert_foreign(Platform::X, "7", text).unwrap();
    for (base, path) in [
        (simulators.facebook_url(), "/".to_owned()),
        (simulators.facebook_url(), format!("/{post}")),
        (simulators.x_url(), "/".to_owned()),
        (simulators.x_url(), format!("/mofa/status/{tweet}")),
    ] {
        let page = get(&base, &path).await;
        assert!(page.starts_with("HTTP/1.1 200"), "{path}: {page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &quot;Việt Nam&quot; مرحبا"));
        assert!(page.contains("dir=\"auto\"") && !page.contains("<script"));
        assert!(page.contains("content-security-policy: default-src 'none'"));
    }
    assert!(get(&simulators.x_url(), "/mofa/status/1").await.starts_with("HTTP/1.1 404"));
    assert!(get(&simulators.facebook_url(), "/55_1").await.starts_with("HTTP/1.1 404"));
    simulators.stop().await;
}

async fn get(base: &str, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = base.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn running_plants_the_seed_and_ends_when_told() {
    let shared: SharedClock = Arc::new(SystemClock);
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let running =
        tokio::spawn(run(shared, Doors::of(loopback(), loopback()), WorldSeed::default(), async {
            let _ended = told.await;
        }));
    tell.send(()).unwrap();
    running.await.unwrap().unwrap();
}
