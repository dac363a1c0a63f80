//! The configuration: defaults, file and environment laid over each other, read into one tree.
//!
//! `default.toml` names every option and is the reference. All faults are reported at once, each
//! with its key. Nothing else in the program reads the environment.

mod accounts;
mod audit;
mod budgets;
mod duration;
mod fault;
mod films;
mod follow_ups;
mod foreign;
mod layers;
mod media;
mod open_platforms;
mod print;
mod quarantine;
mod read;
mod rules;
mod secret;
mod series;
#[cfg(test)]
mod tests;
mod verify;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use accounts::Accounts;
pub use audit::Audit;
pub use budgets::{Ceiling, Prices};
pub use fault::{Fault, Faults, Origin};
pub use films::Films;
pub use follow_ups::{Mail, MailSecurity, Notify, Webhooks};
pub use foreign::Foreign;
use layers::Layers;
pub use media::{Bucket, Keep, Media};
pub use open_platforms::{Bluesky, Mastodon};
pub use quarantine::Quarantine;
use read::Read;
pub use series::Series;
pub use verify::Verify;

/// The least that a timing may be set to; enough for tests to run fast.
const LEAST: Duration = Duration::from_millis(1);

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Database file, media and generated key; one process at a time.
    pub data_dir: PathBuf,
    /// The HTTP server.
    pub server: Server,
    /// Where everything is kept.
    pub database: Database,
    /// Where the keys are that access tokens are sealed with.
    pub vault: Vault,
    /// Signing heads of the audit.
    pub audit: Audit,
    /// Logs.
    pub telemetry: Telemetry,
    /// The API.
    pub api: Api,
    /// How people sign in.
    pub sign_in: SignIn,
    /// The HTTP client.
    pub outbound: Outbound,
    /// Pages on Facebook.
    pub facebook: Facebook,
    /// Accounts on X.
    pub x: X,
    /// Accounts on Mastodon servers.
    pub mastodon: Mastodon,
    /// Accounts on Bluesky.
    pub bluesky: Bluesky,
    /// Publishing.
    pub publish: Publish,
    /// Looks at what is out.
    pub verify: Verify,
    /// Posts that did not come from here.
    pub foreign: Foreign,
    /// What is asked about accounts.
    pub accounts: Accounts,
    /// Posts that go out again and again.
    pub series: Series,
    /// After a restore.
    pub quarantine: Quarantine,
    /// When the machine's clock is not to be trusted.
    pub clock: Clock,
    /// The queue's housekeeping.
    pub jobs: Jobs,
    /// Pictures.
    pub media: Media,
    /// Notifications.
    pub notify: Notify,
    /// Webhooks going out.
    pub webhooks: Webhooks,
    /// Mail going out.
    pub mail: Mail,
    /// What an operator should know about this configuration although it is valid.
    pub warnings: Vec<String>,
    effective: String,
}

/// The HTTP server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address of API and desk.
    pub listen: SocketAddr,
    /// How people reach it.
    pub public_url: Url,
    /// The largest JSON body.
    pub max_body_bytes: usize,
    /// The longest that a request may take.
    pub request_timeout: Duration,
    /// The longest that the head of a request may take to arrive.
    pub header_timeout: Duration,
    /// The longest that a JSON body may take to arrive.
    pub body_timeout: Duration,
    /// Connections from one address at once; 0 for no limit.
    pub connections_per_address: usize,
    /// Reverse proxies, which speak for others.
    pub proxies: Vec<IpAddr>,
    /// How long a stop waits for what is in flight.
    pub stop_timeout: Duration,
}

/// Where everything is kept.
#[derive(Debug, Clone)]
pub struct Database {
    /// A file or a server.
    pub place: Place,
    /// Connections to a server at most.
    pub max_connections: u32,
    /// How long a server is waited for.
    pub timeout: Duration,
}

/// A file or a server.
#[derive(Debug, Clone)]
pub enum Place {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// The address of a PostgreSQL database, with its password.
    Postgres(SecretString),
}

/// Where the keys are that access tokens are sealed with.
#[derive(Debug, Clone)]
pub enum Vault {
    /// Given as text.
    Keys(SecretString),
    /// In a file that must be there.
    File(PathBuf),
    /// In the data directory; made on the first start.
    Generated(PathBuf),
}

/// Logs.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// For people or for collectors.
    pub log_format: LogFormat,
    /// A level or filters by module.
    pub log_level: String,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The API.
#[derive(Debug, Clone)]
pub struct Api {
    /// How long a verified token is remembered.
    pub token_cache: Duration,
    /// How long an answer to an `Idempotency-Key` is kept.
    pub idempotency_keep: Duration,
}

/// How people sign in.
#[derive(Debug, Clone, Copy)]
pub struct SignIn {
    /// Whether everybody at a screen needs a second factor.
    pub second_factor_required: bool,
}

/// The HTTP client.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// How long name resolution, connecting and TLS may take together.
    pub connect_timeout: Duration,
    /// Hosts that may be private and without TLS; includes the platforms' hosts on this machine.
    pub trusted_hosts: Vec<String>,
    /// Whether to go through the proxy that the environment names.
    pub system_proxy: bool,
}

/// Pages on Facebook.
#[derive(Debug, Clone)]
pub struct Facebook {
    /// Base address of the Graph API.
    pub graph_url: Url,
    /// Where videos are sent.
    pub video_url: Url,
    /// Where people sign in.
    pub dialog_url: Url,
    /// Hosts that resumable uploads may be sent to.
    pub upload_hosts: Vec<String>,
    /// Pages whose posts are made first and made public then; `all` for all.
    pub two_steps: Vec<String>,
    /// Version of the Graph API, such as `v25.0`.
    pub version: String,
    /// The application's id.
    pub app_id: Option<String>,
    /// The application's secret.
    pub app_secret: Option<SecretString>,
    /// The configuration of Login for Business.
    pub login_config_id: Option<String>,
    /// How long after a doubtful attempt before absence counts.
    pub quiet_wait: Duration,
    /// How many creates each account may make.
    pub creates_per_account: Vec<Ceiling>,
    /// How many all accounts together may make.
    pub creates_per_app: Vec<Ceiling>,
    /// How often each account may be looked through for posts in doubt.
    pub looks_per_account: Vec<Ceiling>,
}

/// Accounts on X.
#[derive(Debug, Clone)]
pub struct X {
    /// Base address of the API.
    pub api_url: Url,
    /// What links to posts begin with.
    pub web_url: Url,
    /// Where people sign in.
    pub authorize_url: Url,
    /// The application's client id.
    pub client_id: Option<String>,
    /// The application's client secret.
    pub client_secret: Option<SecretString>,
    /// The application's key of OAuth 1.0a.
    pub consumer_key: Option<String>,
    /// The secret that goes with it.
    pub consumer_secret: Option<SecretString>,
    /// How long after a doubtful attempt before absence counts.
    pub quiet_wait: Duration,
    /// How many creates each account may make.
    pub creates_per_account: Vec<Ceiling>,
    /// How many all accounts together may make.
    pub creates_per_app: Vec<Ceiling>,
    /// How often each account may be looked through for posts in doubt.
    pub looks_per_account: Vec<Ceiling>,
    /// What it takes for what.
    pub prices: Prices,
    /// The largest and longest video.
    pub films: Films,
    /// Accounts that may publish long posts whatever X says of them: ids or handles.
    pub long_posts: Vec<String>,
    /// What a long post may count; not more than an ordinary one for none.
    pub long_post_max: u32,
    /// The most that a month may cost, in millionths of a dollar.
    pub monthly_budget: Option<i64>,
}

/// Publishing.
#[derive(Debug, Clone)]
pub struct Publish {
    /// Deliveries in flight at once on this node, for each platform.
    pub workers: usize,
    /// Total deadline of one create.
    pub request_timeout: Duration,
    /// How long a node may hold a delivery without a sign of life.
    pub lease: Duration,
    /// How early files are brought that take long.
    pub files_ahead: Duration,
    /// How early a delivery is guarded.
    pub lookahead: Duration,
    /// How long after a doubtful attempt before absence counts, where a platform has no other.
    pub quiet_wait: Duration,
    /// How late each class may still go out.
    pub grace: Grace,
    /// What is overdue by more than this is caught up with slowly.
    pub catch_up_after: Duration,
    /// Between two deliveries of one account that are caught up with.
    pub catch_up_spacing: Duration,
    /// How often the queue is looked at without being told to.
    pub poll_interval: Duration,
    /// First wait after a definite failure that may pass.
    pub backoff: Duration,
    /// Longest wait after such failures.
    pub backoff_max: Duration,
    /// The share of every limit that is kept for what cannot wait.
    pub reserve_percent: i64,
    /// Failures in a row after which an account or a platform is left alone.
    pub circuit_failures: u32,
    /// The first time for which it is left alone.
    pub circuit_wait: Duration,
    /// The longest.
    pub circuit_wait_max: Duration,
    /// Accounts that must be concerned before a whole platform is.
    pub incident_accounts: u32,
    /// Refusals within this time belong together.
    pub incident_window: Duration,
}

impl Publish {
    /// What must be left of a lease beyond the deadline of a request before its first byte leaves.
    pub fn margin(&self) -> Duration {
        self.request_timeout / 4
    }
}

/// How late each class may still go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// Official positions.
    pub statement: Duration,
    /// Alerts.
    pub urgent: Duration,
    /// The daily work.
    pub routine: Duration,
    /// Whenever there is room.
    pub evergreen: Duration,
}

/// When the machine's clock is not to be trusted.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// A wall clock that has moved by more than this against the one that never steps has stepped.
    pub max_step: Duration,
    /// How far the time may be from what a platform says.
    pub max_skew: Duration,
}

/// The queue's housekeeping.
#[derive(Debug, Clone)]
pub struct Jobs {
    /// How long finished jobs are kept.
    pub keep: Duration,
    /// When they are forgotten, in the six fields of the `cron` crate, in UTC.
    pub prune: String,
    /// When the service looks for broken promises, as a cron expression.
    pub self_audit: String,
}

/// The variables of the environment that concern us.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    // A value that is not UTF-8 is no valid value of any option, and is reported as such.
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(layers::PREFIX))?;
        Some((name, value.to_string_lossy().into_owned()))
    })
}

impl Config {
    /// Lays defaults, file (or the one that `CHANCERY_CONFIG` names) and environment over each
    /// other and checks the result.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Faults> {
        let variables: Vec<(String, String)> = environment.collect();
        let named = variables.iter().find(|(name, _)| name == "CHANCERY_CONFIG");
        let file = file.or_else(|| named.map(|(_, path)| Path::new(path)));
        let mut layers = Layers::defaults();
        if let Some(file) = file {
            layers.add_file(file);
        }
        layers.add_environment(variables);
        let read = Read::new(&layers);
        let config = Self::read(&read, &layers);
        let mut faults = layers.faults.clone();
        faults.extend(read.into_faults());
        match config {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(Faults(faults)),
        }
    }

    /// The effective values with where they were set, as TOML, with secrets hidden.
    pub fn effective(&self) -> &str {
        &self.effective
    }

    /// `None` when an address was so wrong that there is nothing to go on with; noted as a fault.
    fn read(read: &Read<'_>, layers: &Layers) -> Option<Self> {
        let data_dir = PathBuf::from(read.text("data_dir"));
        let publish = read_publish(read);
        // Each is read before the first `?`, so that all their faults are noted.
        let (server, facebook, x) =
            (read_server(read), read_facebook(read, &publish), read_x(read, &publish));
        let mut config = Self {
            database: read_database(read, &data_dir),
            vault: read_vault(read, &data_dir),
            audit: Audit::read(read, &data_dir),
            telemetry: read_telemetry(read),
            api: Api {
                token_cache: read.duration("api.token_cache", Duration::ZERO),
                idempotency_keep: read.duration("api.idempotency_keep", LEAST),
            },
            sign_in: SignIn {
                second_factor_required: read.truth("sign_in.second_factor_required"),
            },
            outbound: Outbound {
                connect_timeout: read.duration("outbound.connect_timeout", LEAST),
                trusted_hosts: read.list("outbound.trusted_hosts"),
                system_proxy: read.truth("outbound.system_proxy"),
            },
            verify: Verify::read(read),
            foreign: Foreign::read(read),
            accounts: Accounts::read(read),
            series: Series::read(read),
            quarantine: Quarantine::read(read),
            clock: Clock {
                max_step: read.duration("clock.max_step", LEAST),
                max_skew: read.duration("clock.max_skew", Duration::from_secs(2)),
            },
            jobs: Jobs {
                keep: read.duration("jobs.keep", LEAST),
                self_audit: read.text("jobs.self_audit"),
                prune: read.text("jobs.prune"),
            },
            media: Media::read(read),
            notify: follow_ups::read_notify(read),
            webhooks: follow_ups::read_webhooks(read),
            mail: follow_ups::read_mail(read),
            server: server?,
            facebook: facebook?,
            x: x?,
            mastodon: Mastodon::read(read, &publish),
            bluesky: Bluesky::read(read, &publish)?,
            publish,
            warnings: Vec::new(),
            effective: print::effective(layers),
            data_dir,
        };
        rules::check(&mut config, read);
        Some(config)
    }
}

fn read_server(read: &Read<'_>) -> Option<Server> {
    Some(Server {
        listen: read.parsed(
            "server.listen",
            SocketAddr::from(([127, 0, 0, 1], 8080)),
            "an address with a port, such as 127.0.0.1:8080",
        ),
        max_body_bytes: read.number("server.max_body_bytes", 1_024..=1 << 30),
        request_timeout: read.duration("server.request_timeout", LEAST),
        header_timeout: read.duration("server.header_timeout", LEAST),
        body_timeout: read.duration("server.body_timeout", LEAST),
        connections_per_address: read.number("server.connections_per_address", 0..=1_000_000),
        proxies: read_proxies(read),
        stop_timeout: read.duration("server.stop_timeout", LEAST),
        public_url: read.url("server.public_url")?,
    })
}

fn read_proxies(read: &Read<'_>) -> Vec<IpAddr> {
    let texts = read.list("server.proxies");
    let proxies: Vec<IpAddr> = texts.iter().filter_map(|it| it.trim().parse().ok()).collect();
    if proxies.len() < texts.len() {
        read.fault("server.proxies", "must be addresses such as 127.0.0.1, without a port");
    }
    proxies
}

fn read_database(read: &Read<'_>, data_dir: &Path) -> Database {
    use secrecy::ExposeSecret as _;
    let max_connections = read.number("database.max_connections", 2..=10_000);
    let address = read.secret("database.url").unwrap_or_default();
    let text = address.expose_secret();
    let place = if let Some(file) = text.strip_prefix("sqlite:") {
        if file.is_empty() || file.starts_with(':') || file.contains('?') {
            read.fault("database.url", "needs a plain file after sqlite:");
        }
        Place::Sqlite(read::path(file, data_dir))
    } else {
        let server = ["postgres://", "postgresql://"].iter().any(|it| text.starts_with(it));
        if !server || Url::parse(text).is_err() {
            read.fault("database.url", "must be sqlite:<file> or postgres://user@host/name");
        }
        Place::Postgres(address)
    };
    let timeout = read.duration("database.timeout", Duration::from_millis(100));
    Database { place, max_connections, timeout }
}

fn read_vault(read: &Read<'_>, data_dir: &Path) -> Vault {
    match (read.optional("vault.key"), read.optional("vault.key_file")) {
        (Some(keys), _) => Vault::Keys(SecretString::from(keys)),
        (None, Some(file)) => Vault::File(read::path(&file, data_dir)),
        (None, None) => Vault::Generated(data_dir.join("vault.key")),
    }
}

fn read_telemetry(read: &Read<'_>) -> Telemetry {
    let log_format = match read.text("telemetry.log_format").as_str() {
        "json" => LogFormat::Json,
        "text" => LogFormat::Text,
        _ => {
            read.fault("telemetry.log_format", "must be text or json");
            LogFormat::Text
        }
    };
    Telemetry { log_format, log_level: read.text("telemetry.log_level") }
}

fn read_publish(read: &Read<'_>) -> Publish {
    Publish {
        workers: read.number("publish.workers", 1..=4_096),
        request_timeout: read.duration("publish.request_timeout", LEAST),
        lease: read.duration("publish.lease", LEAST),
        files_ahead: read.duration("publish.files_ahead", Duration::ZERO),
        lookahead: read.duration("publish.lookahead", Duration::ZERO),
        quiet_wait: read.duration("publish.quiet_wait", Duration::ZERO),
        grace: Grace {
            statement: read.duration("publish.grace.statement", Duration::ZERO),
            urgent: read.duration("publish.grace.urgent", Duration::ZERO),
            routine: read.duration("publish.grace.routine", Duration::ZERO),
            evergreen: read.duration("publish.grace.evergreen", Duration::ZERO),
        },
        catch_up_after: read.duration("publish.catch_up_after", Duration::ZERO),
        catch_up_spacing: read.duration("publish.catch_up_spacing", Duration::ZERO),
        poll_interval: read.duration("publish.poll_interval", LEAST),
        backoff: read.duration("publish.backoff", LEAST),
        backoff_max: read.duration("publish.backoff_max", LEAST),
        reserve_percent: read.number("publish.reserve_percent", 0..=90),
        circuit_failures: read.number("publish.circuit_failures", 1..=1_000_000),
        circuit_wait: read.duration("publish.circuit_wait", LEAST),
        circuit_wait_max: read.duration("publish.circuit_wait_max", LEAST),
        incident_accounts: read.number("publish.incident_accounts", 2..=1_000_000),
        incident_window: read.duration("publish.incident_window", LEAST),
    }
}

fn read_facebook(read: &Read<'_>, publish: &Publish) -> Option<Facebook> {
    let [graph_url, video_url, dialog_url] =
        ["facebook.graph_url", "facebook.video_url", "facebook.dialog_url"].map(|it| read.url(it));
    Some(Facebook {
        upload_hosts: read.list("facebook.upload_hosts"),
        two_steps: read.list("facebook.two_steps"),
        version: read.text("facebook.version"),
        app_id: read.optional("facebook.app_id"),
        app_secret: read.secret("facebook.app_secret"),
        login_config_id: read.optional("facebook.login_config_id"),
        quiet_wait: read
            .optional_duration("facebook.quiet_wait", Duration::ZERO)
            .unwrap_or(publish.quiet_wait),
        creates_per_account: read.ceilings("facebook.creates_per_account"),
        creates_per_app: read.ceilings("facebook.creates_per_app"),
        looks_per_account: read.ceilings("facebook.looks_per_account"),
        graph_url: graph_url?,
        video_url: video_url?,
        dialog_url: dialog_url?,
    })
}

fn read_x(read: &Read<'_>, publish: &Publish) -> Option<X> {
    let [api_url, web_url, authorize_url] =
        ["x.api_url", "x.web_url", "x.authorize_url"].map(|it| read.url(it));
    Some(X {
        client_id: read.optional("x.client_id"),
        client_secret: read.secret("x.client_secret"),
        consumer_key: read.optional("x.consumer_key"),
        consumer_secret: read.secret("x.consumer_secret"),
        quiet_wait: read
            .optional_duration("x.quiet_wait", Duration::ZERO)
            .unwrap_or(publish.quiet_wait),
        creates_per_account: read.ceilings("x.creates_per_account"),
        creates_per_app: read.ceilings("x.creates_per_app"),
        looks_per_account: read.ceilings("x.looks_per_account"),
        prices: Prices::read(read, "x"),
        films: Films::read(read, "x"),
        long_posts: read.list("x.long_posts"),
        long_post_max: read.number("x.long_post_max", 280..=100_000),
        monthly_budget: read.optional("x.monthly_budget").map(|_| read.dollars("x.monthly_budget")),
        api_url: api_url?,
        web_url: web_url?,
        authorize_url: authorize_url?,
    })
}
