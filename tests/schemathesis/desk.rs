//! The real binary as a process, simulated platforms, and enough seeded things that ids exist.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use chancery::clock::SystemClock;
use chancery::simulator::{Simulators, WorldSeed};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::settings::{Ids, NOUNS};

/// How many of each noun may be removed while the others stay.
const SPARE: usize = 2;

/// A picture of one pixel; every one another file by its colour.
fn picture(number: usize) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let colour = image::Rgb([u8::try_from(number).unwrap(), 0, 0]);
    image::RgbImage::from_pixel(1, 1, colour)
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

/// The document as the binary prints it.
pub(crate) fn document() -> Value {
    let output = binary().arg("openapi").output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    command.stdin(Stdio::null());
    command
}

/// Where things are kept.
pub(crate) enum Database {
    /// In a file.
    Sqlite,
    /// In a schema of its own on a server.
    Postgres { server: String, schema: String },
}

impl Database {
    /// A new schema; `None` when PostgreSQL was left out on purpose.
    pub(crate) async fn postgres() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = server()?;
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let schema = format!("fuzz_{}_{number}", std::process::id());
        let mut admin = PgConnection::connect(&server).await.unwrap();
        admin.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.unwrap();
        Some(Self::Postgres { server, schema })
    }

    fn url(&self) -> Option<String> {
        match self {
            Self::Sqlite => None,
            Self::Postgres { server, schema } => {
                let join = if server.contains('?') { '&' } else { '?' };
                Some(format!("{server}{join}options=-csearch_path%3D{schema}"))
            }
        }
    }

    async fn forget(self) {
        if let Self::Postgres { server, schema } = self {
            let mut admin = PgConnection::connect(&server).await.unwrap();
            admin.execute(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"))).await.unwrap();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test, which no configuration reaches")]
fn server() -> Option<String> {
    let skipped = std::env::var("CHANCERY_TEST_SKIP").unwrap_or_default();
    if skipped.split(',').any(|it| it.trim() == "postgres") {
        eprintln!("SKIPPED: PostgreSQL, because CHANCERY_TEST_SKIP says so");
        return None;
    }
    Some(std::env::var("CHANCERY_TEST_POSTGRES").unwrap_or_else(|_unset| {
        panic!("NO POSTGRESQL TO TEST ON. Run `make test`, or set CHANCERY_TEST_POSTGRES")
    }))
}

/// Everything that runs.
pub(crate) struct Desk {
    /// Where the daemon is.
    pub(crate) base: String,
    /// A token that may everything.
    pub(crate) token: String,
    /// What was seeded.
    pub(crate) ids: Ids,
    daemon: Daemon,
    log: JoinHandle<Vec<String>>,
    simulators: Simulators,
    database: Database,
    _folder: tempfile::TempDir,
}

/// The daemon. A test that fails leaves none behind.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}

impl Desk {
    /// Starts everything and seeds it.
    pub(crate) async fn open(database: Database) -> Self {
        let free = "127.0.0.1:0".parse().unwrap();
        let simulators = Simulators::start(Arc::new(SystemClock), free, free).await.unwrap();
        let seed = WorldSeed::with_missions(6);
        seed.plant(&simulators.world());
        let folder = tempfile::tempdir().unwrap();
        let configured = || {
            let mut command = binary();
            command
                .env("CHANCERY_DATA_DIR", folder.path())
                .env("CHANCERY_SERVER__LISTEN", "127.0.0.1:0")
                .env("CHANCERY_TELEMETRY__LOG_FORMAT", "json")
                .env("CHANCERY_FACEBOOK__GRAPH_URL", simulators.facebook_url())
                .env("CHANCERY_X__API_URL", simulators.x_url())
                .env(
                    "CHANCERY_X__AUTHORIZE_URL",
                    format!("{}/i/oauth2/authorize", simulators.x_url()),
                )
                .env("CHANCERY_X__CLIENT_ID", "sim-client");
            if let Some(url) = database.url() {
                command.env("CHANCERY_DATABASE__URL", url);
            }
            command
        };
        let email = "an.nguyen@mofa.example";
        answer(configured().arg("migrate"));
        answer(configured().args(["admin", "create", "--email", email, "--name", "An Nguyễn"]));
        let said =
            answer(configured().args(["token", "create", "--email", email, "--name", "fuzz"]));
        let token = said.lines().last().unwrap().to_owned();
        let (daemon, base, log) = serve(configured().arg("serve"));
        let ids = Seeding { base: &base, token: &token, http: client() }.everything(&seed).await;
        Self { base, token, ids, daemon, log, simulators, database, _folder: folder }
    }

    /// Asks the daemon to stop, and tells what it complained about while it ran.
    pub(crate) async fn stop(mut self) -> Vec<String> {
        let pid = self.daemon.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.daemon.0.wait().unwrap();
        assert!(status.success(), "{status}");
        self.simulators.stop().await;
        self.database.forget().await;
        let lines = self.log.join().unwrap();
        lines.into_iter().filter(|it| it.contains("\"ERROR\"") || it.contains("panic")).collect()
    }
}

/// What a command prints, once it has succeeded.
fn answer(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Starts the daemon; its address is known when it says that it is ready.
fn serve(command: &mut Command) -> (Daemon, String, JoinHandle<Vec<String>>) {
    let mut daemon =
        command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().map(Daemon).unwrap();
    let mut lines = BufReader::new(daemon.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut seen = Vec::new();
    let address = lines.find_map(|line| {
        let entry: Value = serde_json::from_str(&line).unwrap_or_default();
        seen.push(line);
        let found = ["/address", "/fields/address"].iter().find_map(|at| entry.pointer(at));
        found.and_then(Value::as_str).map(str::to_owned)
    });
    let Some(address) = address else { panic!("not ready: {seen:#?}") };
    let log = std::thread::spawn(move || seen.into_iter().chain(lines).collect());
    (daemon, format!("http://{address}"), log)
}

#[expect(clippy::disallowed_methods, reason = "a client of the API, not part of the service")]
fn client() -> reqwest::Client {
    // Refused the second time, when it is there already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Puts things in through the front door.
struct Seeding<'a> {
    base: &'a str,
    token: &'a str,
    http: reqwest::Client,
}

impl Seeding<'_> {
    async fn post(&self, path: &str, kind: &str, body: Vec<u8>) -> Value {
        let request = self.http.post(format!("{}/api/v1/{path}", self.base));
        let request = request.bearer_auth(self.token).header("content-type", kind).body(body);
        let response = request.send().await.unwrap();
        let status = response.status();
        let bytes = response.bytes().await.unwrap();
        assert_eq!(status.as_u16(), 201, "{path}: {}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).unwrap()
    }

    async fn create(&self, path: &str, body: Value) -> String {
        let made = self.post(path, "application/json", body.to_string().into_bytes()).await;
        made["id"].as_str().unwrap().to_owned()
    }

    /// Sign-ins that nobody comes back from.
    async fn connections(&self, unit: &str) -> Vec<String> {
        let wanted = json!({"unit_id": unit, "platform": "x"});
        let mut connections = Vec::new();
        for _ in 0..2 {
            connections.push(self.create("accounts/connect", wanted.clone()).await);
        }
        connections
    }

    /// Holds that stop nothing: nothing here is of their class.
    async fn holds(&self) -> Vec<String> {
        let mut holds = Vec::new();
        for number in 0..2 {
            let hold = json!({"scope": {"class": "evergreen"}, "reason": format!("{number}")});
            let made = self.post("holds", "application/json", hold.to_string().into_bytes()).await;
            holds.push(made["hold"]["id"].as_str().unwrap().to_owned());
        }
        holds
    }

    async fn comments(&self, post: &str) -> Vec<String> {
        let mut comments = Vec::new();
        for number in 0..4 {
            let path = format!("posts/{post}/comments");
            comments.push(self.create(&path, json!({ "text": format!("{number}") })).await);
        }
        comments
    }

    /// Rules of a class that nothing here is of.
    async fn rules(&self, unit: &str) -> Vec<String> {
        let mut rules = Vec::new();
        for number in 0..2 {
            let rule = json!({
                "unit_id": unit, "name": {"vi": format!("{number}"), "en": "Quiet"}, "effect": "warn",
                "kind": {"quiet_hours": {"from": "22:00", "to": "07:00"}}, "classes": ["evergreen"],
            });
            let made = self.post("rules", "application/json", rule.to_string().into_bytes()).await;
            rules.push(made["rule"]["id"].as_str().unwrap().to_owned());
        }
        rules
    }

    async fn people(&self, unit: &str) -> Vec<String> {
        let mut people = Vec::new();
        for number in 0..3 {
            let role = json!([{"unit_id": unit, "role": "author"}]);
            let email = format!("p{number}@mofa.example");
            let person = json!({"email": email, "name": format!("{number}"), "roles": role});
            people.push(self.create("people", person).await);
        }
        people
    }

    /// A post of a campaign, offered to all units.
    async fn offers(&self, campaign: &str, units: &[String]) -> Vec<String> {
        let post = json!({
            "unit_id": units[0], "campaign_id": campaign, "title": "t", "class": "routine",
            "source_language": "vi", "variants": [{"language": "vi", "text": "t"}],
        });
        let post = self.create("posts", post).await;
        let kit = json!({"post_id": post, "units": units}).to_string().into_bytes();
        let made = self.post(&format!("campaigns/{campaign}/kits"), "application/json", kit).await;
        let offers = made["offers"].as_array().unwrap();
        offers.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Series that make nothing yet.
    async fn series(&self, post: &str, account: &str) -> Vec<String> {
        let mut series = Vec::new();
        for _ in 0..3 {
            let wanted = json!({
                "post_id": post, "cron": "0 9 29 2 *", "time_zone": "account",
                "accounts": [{"account_id": account}],
            });
            series.push(self.create("series", wanted).await);
        }
        series
    }

    /// A unit, and what else is there before anything is said.
    async fn house(&self) -> (String, Ids) {
        let units =
            vec![self.create("units", embassy()).await, self.create("units", embassy()).await];
        let unit = units[0].clone();
        let people = self.people(&unit).await;
        let platforms = ["facebook", "x"].map(str::to_owned).to_vec();
        let events = vec![self.create("events", event(&unit)).await];
        let campaigns = vec![self.create("campaigns", campaign(&unit)).await];
        let offers = self.offers(&campaigns[0], &units).await;
        let table = b"language,text\nvi,Xin\n".to_vec();
        let path = format!("imports?unit_id={unit}&dry_run=false");
        let imported = self.post(&path, "text/csv", table).await;
        let imports = vec![imported["import"]["id"].as_str().unwrap().to_owned()];
        let mut entries = Vec::new();
        for name in ["Bộ", "Cục", "Vụ"] {
            entries.push(self.create("term-entries", term_entry(&unit, name)).await);
        }
        let nouns = [
            ("term-entries", entries),
            ("rules", self.rules(&unit).await),
            ("units", units),
            ("people", people),
            ("platforms", platforms),
            ("events", events),
            ("campaigns", campaigns),
            ("offers", offers),
            ("imports", imports),
        ];
        (unit, nouns.map(|(noun, all)| (noun.to_owned(), all)).into())
    }

    async fn webhooks(&self) -> Vec<String> {
        let mut webhooks = Vec::new();
        for number in 0..4 {
            // Of what does not happen here: nobody is to be called.
            let url = format!("https://hooks.example.org/{number}");
            let webhook = json!({"url": url, "events": ["webhook.disabled"]});
            webhooks.push(self.create("webhooks", webhook).await);
        }
        webhooks
    }

    /// Some of every noun that stay, and some that may be removed.
    async fn everything(&self, seed: &WorldSeed) -> Ids {
        let (unit, mut ids) = self.house().await;
        ids.insert("accounts/connections".to_owned(), self.connections(&unit).await);
        let mut accounts = Vec::new();
        for number in 0..4 {
            accounts.push(self.create("accounts", account(seed, number, &unit)).await);
        }
        let (mut media, mut posts, mut deliveries, mut tokens) = (vec![], vec![], vec![], vec![]);
        let mut feeds = Vec::new();
        for number in 0..4 {
            feeds.push(self.create("calendar/feeds", json!({ "name": format!("{number}") })).await);
            let file = self.post("media", "image/png", picture(number)).await;
            media.push(file["id"].as_str().unwrap().to_owned());
            posts.push(self.create("posts", post(&unit, number, &media)).await);
            tokens.push(self.create("tokens", json!({ "name": format!("{number}") })).await);
        }
        for (post, account) in posts.iter().zip(&accounts).take(4 - SPARE) {
            // One that goes out at once, and one that can still be taken back or moved.
            let wanted = json!({"deliveries": [
                {"account_id": account, "now": true},
                {"account_id": account, "at": "2031-09-02T02:00:00Z", "settings": {"intended_repeat": true}},
            ]});
            let body = wanted.to_string().into_bytes();
            let made =
                self.post(&format!("posts/{post}/deliveries"), "application/json", body).await;
            let made = made["deliveries"].as_array().unwrap();
            deliveries.extend(made.iter().map(|it| it["id"].as_str().unwrap().to_owned()));
        }
        ids.insert("deliveries".to_owned(), deliveries);
        let comments = self.comments(&posts[0]).await;
        let series = self.series(&posts[0], &accounts[0]).await;
        ids.insert("holds".to_owned(), self.holds().await);
        let webhooks = self.webhooks().await;
        // Nobody is told of anything or signed in, uploads are of another protocol, and nobody posts by hand.
        for (noun, prefix) in [
            ("notifications", "ntf"),
            ("sessions", "ses"),
            ("uploads", "upl"),
            ("foreign-posts", "fps"),
        ] {
            let none = ["0", "1"].map(|digit| format!("{prefix}_{}", digit.repeat(32)));
            ids.insert(noun.to_owned(), none.to_vec());
        }
        for (noun, mut all) in [
            ("accounts", accounts),
            ("calendar/feeds", feeds),
            ("comments", comments),
            ("media", media),
            ("posts", posts),
            ("series", series),
            ("tokens", tokens),
            ("webhooks", webhooks),
        ] {
            ids.insert(format!("lost_{noun}"), all.split_off(all.len() - SPARE));
            ids.insert(noun.to_owned(), all);
        }
        for noun in NOUNS {
            let kept = ids.get(noun).cloned().unwrap();
            ids.entry(format!("lost_{noun}")).or_insert(kept);
        }
        ids
    }
}

fn embassy() -> Value {
    json!({
        "name": {"vi": "Đại sứ quán tại Pháp", "en": "Embassy in France"},
        "kind": "embassy", "country": "FR", "time_zone": "Europe/Paris",
        "languages": ["vi", "fr"], "approval": "none",
    })
}

fn event(unit: &str) -> Value {
    json!({
        "unit_id": unit, "title": {"vi": "Quốc khánh", "en": "National Day"}, "kind": "national_day",
        "when": {"days": {"from": "2026-09-02", "to": "2026-09-02"}},
    })
}

fn campaign(unit: &str) -> Value {
    json!({
        "unit_id": unit, "title": {"vi": "Quốc khánh", "en": "National Day"},
        "period": {"from": "2026-08-15", "to": "2026-09-03"},
    })
}

fn term_entry(unit: &str, name: &str) -> Value {
    json!({"unit_id": unit, "names": [{"language": "vi", "name": name}]})
}

/// The accounts of the seed in turn, of both platforms.
fn account(seed: &WorldSeed, number: usize, unit: &str) -> Value {
    let office = &seed.accounts()[number];
    if number.is_multiple_of(2) {
        let credential = json!({"kind": "page_token", "access_token": office.page.token});
        return json!({
            "unit_id": unit, "platform": "facebook", "remote_id": office.page.id,
            "credential": credential,
        });
    }
    let credential = json!({"kind": "oauth2", "access_token": office.user.token});
    json!({
        "unit_id": unit, "platform": "x", "remote_id": office.user.id, "credential": credential,
    })
}

fn post(unit: &str, number: usize, media: &[String]) -> Value {
    json!({
        "unit_id": unit, "title": format!("Bài {number}"), "class": "routine",
        "source_language": "vi", "labels": ["lễ"],
        "variants": [{
            "language": "vi", "text": format!("Xin chào {number}"),
            "media": [{"media_id": media[number], "alt": "Cờ"}],
        }],
    })
}
