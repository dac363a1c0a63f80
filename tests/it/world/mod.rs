//! A running service with simulated platforms, and a client that speaks plain HTTP to it.

mod ask;

use std::sync::Arc;

use chancery::app::App;
use chancery::clock::{SharedClock, SystemClock};
use chancery::config::Config;
use chancery::service::tokens::{self, NewToken};
use chancery::service::{Caller, people};
use chancery::simulator::{Simulators, WorldSeed};
use serde_json::{Value, json};

use crate::stage::{Database, Kind, lines};

pub(crate) use ask::{Answer, Ask};

/// Makes two tests of one: the same body on SQLite and on PostgreSQL.
macro_rules! both {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident) $body:block)*) => {
        $crate::world::both! { with &[]; $($(#[$doc])* async fn $name($world) $body)* }
    };
    (with $options:expr; $($(#[$doc:meta])* async fn $name:ident($world:ident) $body:block)*) => {
        $($(#[$doc])* mod $name {
            use super::*;

            async fn run($world: &$crate::world::World) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let world = $crate::world::World::sqlite_with($options).await;
                run(&world).await;
                world.end().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(world) = $crate::world::World::postgres_with($options).await {
                    run(&world).await;
                    world.end().await;
                }
            }
        })*
    };
}
pub(crate) use both;

/// Timings with which doubts end soon.
pub(crate) const QUICK: &[(&str, &str)] = &[
    ("CHANCERY_PUBLISH__REQUEST_TIMEOUT", "900ms"),
    ("CHANCERY_PUBLISH__LEASE", "5s"),
    ("CHANCERY_PUBLISH__LOOKAHEAD", "50ms"),
    ("CHANCERY_PUBLISH__QUIET_WAIT", "300ms"),
    ("CHANCERY_PUBLISH__POLL_INTERVAL", "100ms"),
    ("CHANCERY_PUBLISH__BACKOFF", "20ms"),
    ("CHANCERY_PUBLISH__BACKOFF_MAX", "200ms"),
];

/// Everything that runs.
pub(crate) struct World {
    app: App,
    /// The platforms.
    pub(crate) simulators: Simulators,
    /// The accounts that the platforms have.
    pub(crate) seed: WorldSeed,
    http: reqwest::Client,
    /// Where it is.
    pub(crate) base: String,
    /// A token that may everything.
    pub(crate) admin: String,
    /// A schema of its own; none for a file in the directory.
    database: Option<Database>,
    directory: tempfile::TempDir,
    mark: usize,
}

impl World {
    /// With its own SQLite file.
    pub(crate) async fn sqlite() -> Self {
        Self::open(&[], None).await
    }

    /// With its own SQLite file and options of the configuration, named as in the environment.
    pub(crate) async fn sqlite_with(options: &[(&str, &str)]) -> Self {
        Self::open(options, None).await
    }

    /// With its own schema on a server; `None` when PostgreSQL was left out on purpose.
    pub(crate) async fn postgres_with(options: &[(&str, &str)]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::fresh(Kind::Postgres, directory.path()).await?;
        let url = database.url();
        let mut options = options.to_vec();
        options.push(("CHANCERY_DATABASE__URL", url.as_str()));
        Some(Self::open(&options, Some(database)).await)
    }

    async fn open(options: &[(&str, &str)], database: Option<Database>) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let free = "127.0.0.1:0".parse().unwrap();
        let simulators = Simulators::start(clock.clone(), free, free).await.unwrap();
        let seed = WorldSeed::with_missions(4);
        seed.plant(&simulators.world());
        let directory = tempfile::tempdir().unwrap();
        let fixed = [
            ("CHANCERY_DATA_DIR", directory.path().to_str().unwrap().to_owned()),
            ("CHANCERY_SERVER__LISTEN", "127.0.0.1:0".to_owned()),
            ("CHANCERY_API__TOKEN_CACHE", "1s".to_owned()),
            // Tests spoil what is asked about accounts.
            ("CHANCERY_ACCOUNTS__PROBE_EVERY", String::new()),
            ("CHANCERY_FACEBOOK__GRAPH_URL", simulators.facebook_url()),
            ("CHANCERY_FACEBOOK__VIDEO_URL", simulators.facebook_url()),
            ("CHANCERY_X__API_URL", simulators.x_url()),
            ("CHANCERY_X__WEB_URL", simulators.x_url()),
            ("CHANCERY_FACEBOOK__DIALOG_URL", simulators.facebook_url()),
            ("CHANCERY_X__AUTHORIZE_URL", format!("{}/i/oauth2/authorize", simulators.x_url())),
        ];
        let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value));
        let given = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::load(None, fixed.chain(given)).unwrap();
        let mark = lines::keep();
        let app = App::start(config, clock).await.unwrap();
        let admin = administrator(&app, "an.nguyen@mofa.example", "An Nguyễn").await;
        let base = format!("http://{}", app.address());
        let http = client();
        Self { app, simulators, seed, http, base, admin, database, directory, mark }
    }

    /// Stops everything and forgets the database.
    pub(crate) async fn end(self) {
        assert!(self.app.stop().await, "not everything in flight was recorded");
        self.simulators.stop().await;
        if let Some(database) = self.database {
            database.remove().await;
        }
    }

    /// Everything that is kept, in files, on a server and in the service's own log lines.
    pub(crate) async fn everything_kept(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.directory.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                all.extend(std::fs::read(path).unwrap());
            }
        }
        if let Some(database) = &self.database {
            all.extend(database.dump().await.into_bytes());
        }
        let log = String::from_utf8_lossy(&lines::since(self.mark)).into_owned();
        for line in log.lines().filter(|line| line.contains(" chancery::")) {
            all.extend(line.as_bytes());
        }
        all
    }

    /// The directory of its data.
    pub(crate) fn data(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Changes the database past the service.
    pub(crate) async fn change(&self, sql: &str) {
        if let Some(database) = &self.database {
            return database.execute(sql).await;
        }
        let file = self.directory.path().join("chancery.db");
        Database::Sqlite { file }.execute(sql).await;
    }

    /// The acts themselves, past the front door.
    pub(crate) fn acts(&self) -> &chancery::service::Services {
        self.app.acts()
    }

    /// Where the service listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.app.address()
    }

    /// A request of the administrator.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        self.ask_as(&self.admin, method, path)
    }

    /// A request with this token.
    pub(crate) fn ask_as(&self, token: &str, method: &str, path: &str) -> Ask {
        self.anonymous(method, path).header("authorization", &format!("Bearer {token}"))
    }

    /// A request of nobody.
    pub(crate) fn anonymous(&self, method: &str, path: &str) -> Ask {
        let method = method.parse().unwrap();
        Ask::new(self.http.request(method, format!("{}{path}", self.base)))
    }

    /// What somebody sees in a browser.
    pub(crate) async fn fetch(&self, url: &str) -> Vec<u8> {
        let response = self.http.get(url).send().await.unwrap();
        assert_eq!(response.status(), 200, "{url}");
        response.bytes().await.unwrap().to_vec()
    }

    /// A token of another person who may everything.
    pub(crate) async fn colleague(&self, email: &str) -> String {
        administrator(&self.app, email, "Bình Trần").await
    }

    /// Gives somebody one role, and no other.
    pub(crate) async fn appoint(&self, email: &str, unit: &Value, role: &str) {
        let people = self.ask("GET", "/api/v1/people").send().await.expect(200);
        let person = people["items"].as_array().unwrap().iter().find(|it| it["email"] == email);
        let place = format!("/api/v1/people/{}", person.unwrap()["id"].as_str().unwrap());
        let roles = json!({"roles": [{"unit_id": unit["id"], "role": role}]});
        self.ask("PATCH", &place).seen("*").json(&roles).await.expect(200);
    }

    /// A unit.
    pub(crate) async fn unit(&self) -> Value {
        self.ask("POST", "/api/v1/units").json(&embassy()).await.expect(201)
    }

    /// A token made by the administrator.
    pub(crate) async fn token(&self, body: Value) -> Value {
        self.ask("POST", "/api/v1/tokens").json(&body).await.expect(201)
    }

    /// The body that connects the Page of an office to a unit.
    pub(crate) fn page_of(&self, office: usize, unit: &Value) -> Value {
        let page = &self.seed.accounts()[office].page;
        json!({
            "unit_id": unit["id"], "platform": "facebook", "remote_id": page.id,
            "credential": {"kind": "page_token", "access_token": page.token},
        })
    }
}

/// An embassy as people enter it.
pub(crate) fn embassy() -> Value {
    json!({
        "name": {"vi": "Đại sứ quán tại Pháp", "en": "Embassy in France"},
        "kind": "embassy", "country": "FR", "time_zone": "Europe/Paris",
        "languages": ["vi", "fr"], "approval": "none",
    })
}

#[expect(clippy::disallowed_methods, reason = "a client of the API, not part of the service")]
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A token of a new person who may everything.
async fn administrator(app: &App, email: &str, name: &str) -> String {
    let services = app.acts();
    people::create_administrator(services, email, name, None).await.unwrap();
    let actor = people::at_the_console(services, email).await.unwrap();
    let caller = Caller { actor, idempotency: None, request_id: "test".to_owned() };
    let new = NewToken {
        name: "test".to_owned(),
        person_id: None,
        scopes: None,
        accounts: None,
        expires_at: None,
    };
    tokens::create(services, &caller, new).await.unwrap().value.token.unwrap()
}
