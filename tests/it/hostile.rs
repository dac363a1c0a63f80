//! A table of hostile and absurd input over real HTTP: each is answered with a problem that says what
//! to do, in both languages, writes nothing, and leaves the service as it was.

use serde_json::{Value, json};

use crate::planning::{Desk, place_of, schedule_of};
use crate::world::{Answer, World, both, embassy};

const LISTS: [&str; 6] = ["units", "accounts", "media", "posts", "deliveries", "tokens"];

/// Everything that can be listed.
async fn everything(world: &World) -> Vec<Value> {
    let mut all = Vec::new();
    for list in LISTS {
        let mut page =
            world.ask("GET", &format!("/api/v1/{list}?limit=200")).send().await.expect(200);
        // The use of a token is noted; that is no effect of a request's content.
        for item in page["items"].as_array_mut().unwrap() {
            item.as_object_mut().unwrap().remove("last_used_at");
        }
        all.push(page);
    }
    all
}

/// A request and what it must be answered.
struct Case {
    what: String,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    kind: &'static str,
    body: Vec<u8>,
    status: u16,
    /// The code, or the faults that must be among those told.
    expected: Expected,
}

enum Expected {
    Code(&'static str),
    Faults(Vec<(&'static str, &'static str)>),
}

fn case(method: &'static str, path: &str, body: impl Into<Vec<u8>>, code: &'static str) -> Case {
    let status = match code {
        "too_large" => 413,
        "not_found" => 404,
        "uri_too_long" => 414,
        "headers_too_large" => 431,
        "bad_cursor" | "bad_limit" => 422,
        _ => 400,
    };
    let body = body.into();
    let start: String = String::from_utf8_lossy(&body).chars().take(60).collect();
    Case {
        what: format!("{method} {path} {start}"),
        method,
        path: path.to_owned(),
        headers: Vec::new(),
        kind: "application/json",
        body,
        status,
        expected: Expected::Code(code),
    }
}

fn faulty(
    method: &'static str,
    path: &str,
    body: &Value,
    faults: &[(&'static str, &'static str)],
) -> Case {
    let bytes = serde_json::to_vec(body).unwrap();
    let expected = Expected::Faults(faults.to_vec());
    Case { status: 422, expected, ..case(method, path, bytes, "") }
}

impl Case {
    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    async fn ask(&self, world: &World, tongue: &str) -> Answer {
        let mut ask = world.ask(self.method, &self.path).header("accept-language", tongue);
        for (name, value) in &self.headers {
            ask = ask.header(name, value);
        }
        ask.body(self.kind, self.body.clone()).await
    }

    /// The title; an empty one stands for an unexpected status or code.
    fn check(&self, answer: &Answer, tongue: &str) -> String {
        let told = answer.json();
        let code = match self.expected {
            Expected::Code(code) => code,
            Expected::Faults(_) => "validation",
        };
        if answer.status != self.status || told["code"] != code {
            eprintln!("{}: not {} {code} but {} {told}", self.what, self.status, answer.status);
            return String::new();
        }
        assert_eq!(answer.header("content-language"), tongue, "{}", self.what);
        let body = match &self.expected {
            Expected::Code(code) => answer.problem(self.status, code),
            Expected::Faults(faults) => {
                let told = answer.faults();
                for (pointer, code) in faults {
                    let one = ((*pointer).to_owned(), (*code).to_owned());
                    if !told.contains(&one) {
                        eprintln!("{}: {one:?} is not in {told:?}", self.what);
                        return String::new();
                    }
                }
                answer.problem(422, "validation")
            }
        };
        let details = body["errors"].as_array().into_iter().flatten().chain([&body]);
        for detail in details.map(|it| it["detail"].as_str().unwrap()) {
            assert!(tongue == "en" || !detail.is_ascii(), "{}: {detail}", self.what);
        }
        assert!(answer.bytes.len() < 64 * 1024, "{}: {}", self.what, answer.bytes.len());
        body["title"].as_str().unwrap().to_owned()
    }
}

/// All are refused in both languages, and nothing has changed afterwards.
async fn refused(world: &World, cases: Vec<Case>) {
    let before = everything(world).await;
    let mut bad = Vec::new();
    for case in &cases {
        let vi = case.check(&case.ask(world, "vi").await, "vi");
        let en = case.check(&case.ask(world, "en").await, "en");
        if vi.is_ascii() || en.is_empty() || !en.is_ascii() {
            bad.push(&case.what);
        }
    }
    assert_eq!(bad, Vec::<&String>::new(), "what was said instead is above");
    assert_eq!(everything(world).await, before, "something was written");
    // A normal request works.
    let unit = world.ask("POST", "/api/v1/units").json(&embassy()).await.expect(201);
    assert_eq!(unit["kind"], "embassy");
}

fn many(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(",")
}

/// With one member more or another value for one.
fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

fn unreadable() -> Vec<Case> {
    let path = "/api/v1/posts";
    let deep = |open: &str, count: usize| open.repeat(count);
    vec![
        case(
            "POST",
            path,
            format!("{{{}}}", many(1_000_000, |it| format!("\"k{it}\":0"))),
            "too_large",
        ),
        case("POST", path, format!("[{}]", many(1_000_000, |_| "0".into())), "too_large"),
        case(
            "POST",
            path,
            format!("{{{}}}", many(80_000, |it| format!("\"k{it}\":0"))),
            "too_many_values",
        ),
        case("POST", path, format!("[{}]", many(500_000, |_| "0".into())), "too_many_values"),
        case("POST", path, deep("[", 1_000_000), "too_deep"),
        case("POST", path, deep("{\"a\":", 100_000), "too_deep"),
        case("POST", path, &b"{\"title\":\"\xc3\x28\"}"[..], "not_utf8"),
        case("POST", path, &b"{\"title\":\"\xed\xa0\x80\"}"[..], "not_utf8"),
        case("POST", path, &b"\xef\xbb\xbf{}"[..], "bad_json"),
        case("POST", path, &b"\xff\xfe{\x00}\x00"[..], "not_utf8"),
        case("POST", path, &b"{\"title\":\"a\0b\"}"[..], "bad_json"),
        case("POST", path, &b"{\"title\":\"\\udc00\"}"[..], "bad_json"),
        case("POST", path, &b"{\"title\":1e999999}"[..], "bad_json"),
        case("POST", path, &b"{\"title\":1,\"title\":2}"[..], "duplicate_key"),
    ]
}

fn addressed() -> Vec<Case> {
    let get = |path: &str, code| case("GET", path, Vec::new(), code);
    let huge = "9".repeat(400);
    let query = |path: &str, name: &'static str, code: &'static str| Case {
        status: 422,
        expected: Expected::Faults(vec![(name, code)]),
        ..get(path, "")
    };
    let mut cases = vec![
        get("/api/v1/posts/%ff%fe", "not_found"),
        get("/api/v1/posts/post_%00", "not_found"),
        get("/api/v1/posts/..%2f..%2fetc%2fpasswd", "not_found"),
        get("/api/v1/posts/post_00000000000000000000000000000000", "not_found"),
        get("/api/v1/posts/acct_00000000000000000000000000000000", "not_found"),
        get(&format!("/api/v1/posts/{huge}"), "not_found"),
        get("/%c0%af", "not_found"),
        get("/api/v1/posts?cursor=%ff%fe", "bad_cursor"),
        get("/api/v1/posts?cursor=%00", "bad_cursor"),
        get("/api/v1/posts?limit=0", "bad_limit"),
        get("/api/v1/posts?limit=4294967295", "bad_limit"),
        query("/api/v1/posts?limit=4294967296", "?limit", "bad_query"),
        query("/api/v1/posts?limit=-1", "?limit", "bad_query"),
        query(&format!("/api/v1/posts?limit={huge}"), "?limit", "bad_query"),
        query("/api/v1/posts?limit=%ff", "?limit", "bad_query"),
        query("/api/v1/deliveries?from=9999-12-31T99:00:00Z", "?from", "bad_query"),
        query("/api/v1/deliveries?from=%2D999999-01-01T00:00:00Z", "?from", "bad_query"),
        query("/api/v1/deliveries?state=published,%ff", "?state", "unknown_state"),
        get(&format!("/api/v1/posts?cursor={}", "a".repeat(9_000)), "uri_too_long"),
        get(&format!("/api/v1/{}", "a/".repeat(20_000)), "uri_too_long"),
        get("/api/v1/posts", "headers_too_large").header("x-huge", &"a".repeat(40_000)),
        get("/api/v1/posts", "bad_idempotency_key").header("idempotency-key", &"k".repeat(300)),
    ];
    let mut crowd = get("/api/v1/posts", "headers_too_large");
    crowd.headers.extend((0..300).map(|_| ("x-one-of-many", "1".to_owned())));
    cases.push(crowd);
    cases
}

/// Instants and days that are none, or none of our time.
fn absurd_times(desk: &Desk, post: &Value) -> Vec<Case> {
    let at = |member: &str, value: Value, pointer: &'static str, code: &'static str| {
        let one = json!({"account_id": desk.page, "language": "vi", member: value});
        faulty("POST", &schedule_of(post), &json!({"deliveries": [one]}), &[(pointer, code)])
    };
    let instant = |text: &str, code| at("at", json!(text), "/deliveries/0/at", code);
    let local = |date: &str, time: &str, pointer, code| {
        let civil = json!({"date": date, "time": time, "zone": "account"});
        at("local", civil, pointer, code)
    };
    vec![
        instant("9999-12-31T23:59:59Z", "bad_instant"),
        instant("9999-12-01T00:00:00Z", "absurd_date"),
        instant("-000001-01-01T00:00:00Z", "absurd_date"),
        instant("1969-12-31T23:59:59Z", "absurd_date"),
        instant("-1", "bad_instant"),
        instant("2031-13-01T00:00:00Z", "bad_instant"),
        instant("2031-02-30T00:00:00Z", "bad_instant"),
        instant("2031-01-01T25:00:00Z", "bad_instant"),
        instant("2031-01-01T00:00:00", "bad_instant"),
        instant("2031-01-01T00:00:00+99:99", "bad_instant"),
        instant("2031-01-01\u{0}T00:00:00Z", "bad_instant"),
        instant(&"9".repeat(100_000), "bad_instant"),
        at("at", json!(1e308), "/deliveries/0/at", "wrong_type"),
        at("at", json!(u64::MAX), "/deliveries/0/at", "wrong_type"),
        at("at", json!(-1), "/deliveries/0/at", "wrong_type"),
        local("9999-12-31", "09:00", "/deliveries/0/local", "absurd_date"),
        local("-1-01-01", "09:00", "/deliveries/0/local/date", "bad_date"),
        local("2031-02-30", "09:00", "/deliveries/0/local/date", "bad_date"),
        local("2031-01-01", "24:00", "/deliveries/0/local/time", "bad_time"),
        at("now", json!("true"), "/deliveries/0/now", "wrong_type"),
    ]
}

fn none(prefix: &str) -> String {
    format!("{prefix}_{}", "0".repeat(32))
}

/// Ids of other kinds, of nothing, and of what is not an id.
fn foreign_ids(desk: &Desk, post: &Value) -> Vec<Case> {
    let delivery = |id: Value| json!({"deliveries": [{"account_id": id, "language": "vi", "at": "2031-01-01T00:00:00Z"}]});
    let draft = desk.draft();
    let media = |id: String| {
        let mut draft = desk.draft();
        draft["variants"][0]["media"] = json!([{"media_id": id, "alt": "x"}]);
        draft
    };
    vec![
        faulty(
            "POST",
            "/api/v1/posts",
            &with(draft.clone(), "unit_id", json!(none("unit"))),
            &[("/unit_id", "unknown_reference")],
        ),
        faulty(
            "POST",
            "/api/v1/posts",
            &with(draft.clone(), "unit_id", json!(desk.page)),
            &[("/unit_id", "wrong_type")],
        ),
        faulty(
            "POST",
            "/api/v1/posts",
            &with(draft, "unit_id", json!("unit_' OR 1=1 --")),
            &[("/unit_id", "wrong_type")],
        ),
        faulty(
            "POST",
            "/api/v1/posts",
            &media(none("med")),
            &[("/variants/0/media/0/media_id", "unknown_reference")],
        ),
        faulty(
            "POST",
            "/api/v1/posts",
            &media(desk.unit.clone()),
            &[("/variants/0/media/0/media_id", "wrong_type")],
        ),
        faulty(
            "POST",
            &schedule_of(post),
            &delivery(json!(none("acct"))),
            &[("/deliveries/0/account_id", "unknown_reference")],
        ),
        faulty(
            "POST",
            &schedule_of(post),
            &delivery(json!(desk.unit)),
            &[("/deliveries/0/account_id", "wrong_type")],
        ),
    ]
}

/// The same in what belongs to an office.
fn foreign_ids_elsewhere(desk: &Desk, world: &World, unit: &Value) -> Vec<Case> {
    let page = world.page_of(1, unit);
    let token = json!({"name": "t"});
    let delivery =
        json!({"deliveries": [{"account_id": desk.page, "language": "vi", "now": true}]});
    vec![
        faulty(
            "POST",
            "/api/v1/accounts",
            &with(page.clone(), "unit_id", json!(none("unit"))),
            &[("/unit_id", "unknown_reference")],
        ),
        faulty(
            "POST",
            "/api/v1/accounts",
            &with(page, "platform", json!("myspace\u{0}")),
            &[("/platform", "unknown_platform")],
        ),
        faulty(
            "POST",
            "/api/v1/tokens",
            &with(token.clone(), "person_id", json!(none("usr"))),
            &[("/person_id", "unknown_reference")],
        ),
        faulty(
            "POST",
            "/api/v1/tokens",
            &with(token, "accounts", json!([none("acct")])),
            &[("/accounts/0", "unknown_reference")],
        ),
        case(
            "POST",
            &format!("/api/v1/posts/{}/deliveries", none("post")),
            delivery.to_string(),
            "not_found",
        ),
        case(
            "POST",
            &format!("/api/v1/deliveries/{}/cancel", none("dlv")),
            Vec::new(),
            "not_found",
        ),
    ]
}

/// Members that are only answered, or that nobody has ever had.
fn mass_assignment(desk: &Desk, world: &World, unit: &Value, post: &Value) -> Vec<Case> {
    let names = [
        "id",
        "state",
        "status_code",
        "created_by",
        "created_at",
        "updated_at",
        "version",
        "revision",
        "role",
        "roles",
        "administrator",
        "content_hash",
        "approved",
        "__proto__",
        "constructor",
    ];
    let delivery = json!({"account_id": desk.page, "language": "vi", "at": "2031-01-01T00:00:00Z"});
    let bodies = [
        ("POST", "/api/v1/units".to_owned(), embassy(), ""),
        ("POST", "/api/v1/posts".to_owned(), desk.draft(), ""),
        ("POST", "/api/v1/accounts".to_owned(), world.page_of(1, unit), ""),
        ("POST", "/api/v1/tokens".to_owned(), json!({"name": "t"}), ""),
        ("POST", schedule_of(post), json!({"deliveries": [delivery]}), "/deliveries/0"),
        ("PATCH", place_of(post), json!({"title": "t"}), ""),
    ];
    let mut cases = Vec::new();
    for (method, path, body, inside) in bodies {
        let mut all = body;
        for name in names {
            all.pointer_mut(inside).unwrap()[name] = json!("x");
        }
        let faults: Vec<_> = names
            .iter()
            .map(|name| (&*format!("{inside}/{name}").leak(), "unknown_field"))
            .collect();
        cases.push(faulty(method, &path, &all, &faults).header("if-match", "*"));
    }
    let mut draft = desk.draft();
    draft["variants"][0]["status"] = json!("approved");
    draft["variants"][0]["content_hash"] = json!("x");
    let inner =
        [("/variants/0/status", "unknown_field"), ("/variants/0/content_hash", "unknown_field")];
    cases.push(faulty("POST", "/api/v1/posts", &draft, &inner));
    let secret = with(world.page_of(1, unit), "health", json!({}));
    cases.push(faulty("POST", "/api/v1/accounts", &secret, &[("/health", "unknown_field")]));
    let token = json!({"name": "t", "token": "chy_mine", "prefix": "chy_", "hash": "00"});
    let inner =
        [("/token", "unknown_field"), ("/prefix", "unknown_field"), ("/hash", "unknown_field")];
    cases.push(faulty("POST", "/api/v1/tokens", &token, &inner));
    cases
}

fn absurd_values(desk: &Desk) -> Vec<Case> {
    let mut long = desk.draft();
    long["variants"][0]["text"] = json!("ữ".repeat(200_000));
    let mut nul = desk.draft();
    nul["variants"][0]["text"] = json!("a\u{0}b");
    let mut crowd = desk.draft();
    let one = crowd["variants"][0].clone();
    crowd["variants"] = json!(vec![one; 2_000]);
    vec![
        faulty("POST", "/api/v1/posts", &long, &[("/variants/0/text", "too_long")]),
        faulty("POST", "/api/v1/posts", &nul, &[("/variants/0/text", "text_control_character")]),
        faulty("POST", "/api/v1/posts", &crowd, &[("/variants", "too_many")]),
        faulty(
            "POST",
            "/api/v1/posts",
            &with(desk.draft(), "title", json!("a\u{0}b")),
            &[("/title", "control_character")],
        ),
        faulty(
            "POST",
            "/api/v1/posts",
            &with(desk.draft(), "title", json!(1e300)),
            &[("/title", "wrong_type")],
        ),
        faulty(
            "POST",
            "/api/v1/posts",
            &with(desk.draft(), "labels", json!(vec!["x"; 4_000])),
            &[("/labels", "too_many")],
        ),
        faulty(
            "POST",
            "/api/v1/tokens",
            &json!({"name": "t", "expires_at": "9999-12-01T00:00:00Z"}),
            &[("/expires_at", "bad_expiry")],
        ),
        faulty(
            "POST",
            "/api/v1/tokens",
            &json!({"name": "t", "scopes": ["\u{0}"]}),
            &[("/scopes", "unknown_scope")],
        ),
    ]
}

both! {
    async fn bodies_that_cannot_be_read(world) {
        refused(world, unreadable()).await;
    }

    async fn addresses_and_headers(world) {
        refused(world, addressed()).await;
    }

    async fn times_that_are_none(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Lúc nào").await;
        refused(world, absurd_times(&desk, &post)).await;
        // RFC 3339 has leap seconds; one that has been announced would be a good instant.
        let leap = json!({"deliveries": [{
            "account_id": desk.page, "language": "vi", "at": "2031-06-30T23:59:60Z",
        }]});
        let done = world.ask("POST", &schedule_of(&post)).json(&leap).await.expect(201);
        assert_eq!(done["deliveries"][0]["due_at"], "2031-06-30T23:59:59Z");
    }

    async fn ids_of_others(world) {
        let desk = Desk::open(world).await;
        let (unit, post) = (world.unit().await, desk.post(world, "Của ai").await);
        refused(world, foreign_ids(&desk, &post)).await;
        refused(world, foreign_ids_elsewhere(&desk, world, &unit)).await;
    }

    async fn members_that_nobody_may_set(world) {
        let desk = Desk::open(world).await;
        let (unit, post) = (world.unit().await, desk.post(world, "Của ai").await);
        refused(world, mass_assignment(&desk, world, &unit, &post)).await;
    }

    async fn values_beyond_reason(world) {
        let desk = Desk::open(world).await;
        refused(world, absurd_values(&desk)).await;
    }
}

/// Media take no members at all: what is not the file is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_with_more_than_the_file() {
    let world = World::sqlite().await;
    let form = b"--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nmed_1\r\n--x--\r\n";
    let mut more = case("POST", "/api/v1/media", &form[..], "bad_multipart");
    more.kind = "multipart/form-data; boundary=x";
    let mut endless = case("POST", "/api/v1/media", &b"--x\r\n\xff\xfe"[..], "bad_multipart");
    endless.kind = "multipart/form-data; boundary=x";
    let mut none = case("POST", "/api/v1/media", Vec::new(), "bad_multipart");
    none.kind = "multipart/form-data";
    refused(&world, vec![more, endless, none]).await;
    world.end().await;
}
