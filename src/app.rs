//! Wiring: from a configuration to running services, and back to a clean stop.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Vitals};
use crate::auth::Auth;
use crate::clock::{Limits, SharedClock, Steady, SystemClock, Why, before};
use crate::config::{Config, Place};
use crate::domain::circuit::Rules;
use crate::engine::after::Looks;
use crate::engine::follow::Means;
use crate::engine::missing::Belief;
use crate::engine::self_audit::Heads;
use crate::engine::start::{Engine, Settings, StartError};
use crate::engine::sweep::Keep;
use crate::engine::watchdog::Watch;
use crate::engine::{Pace, QuietWait, Tools};
use crate::media::{self, Files, Owner};
use crate::outbound::mail::Mailer;
use crate::outbound::{self, Outbound, SetupError};
use crate::platforms::{self, Platforms};
use crate::queue::retry::BackOff;
use crate::queue::{Queue, Timing, vital};
use crate::service::quarantine::AccountsRead;
use crate::service::term_base::TermBases;
use crate::service::{Batches, Services, series};
use crate::store::backup::Copy;
use crate::store::read_backs::Counts;
use crate::store::{self, Location, SCHEMA_VERSION, Schema, Store, installation};
use crate::telemetry::{self, Metrics, MetricsError};
use crate::vault::signer::Signer;
use crate::vault::{self, Sealed, Vault};

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be made.
    #[error("the data directory {path} cannot be used")]
    DataDir {
        /// Which directory.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The database.
    #[error("the database cannot be used")]
    Store(#[from] store::Error),
    /// The schema of a server's database is behind.
    #[error(
        "the database lacks a schema step after step {0}, this build needs all up to {SCHEMA_VERSION}: run \
         `chancery migrate`"
    )]
    SchemaBehind(i64),
    /// The key.
    #[error("the vault cannot be opened")]
    Vault(#[from] vault::Error),
    /// What is sealed in the database is no sealed value.
    #[error("the database's check value is damaged; restore a backup")]
    CheckValue,
    /// The HTTP client.
    #[error("the HTTP client cannot be used")]
    Outbound(#[from] SetupError),
    /// The way to the mail server.
    #[error("mail cannot be used")]
    Mail(#[from] outbound::mail::SetupError),
    /// Where media are kept.
    #[error("media cannot be kept")]
    Media(#[from] media::Error),
    /// The metrics.
    #[error("the metrics cannot be set up")]
    Metrics(#[from] MetricsError),
    /// The engine.
    #[error("the engine cannot be started")]
    Engine(#[from] StartError),
    /// The address to listen on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// The exit code that the contract gives to it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Store(store::Error::InUse(_)) => 4,
            Self::Store(store::Error::Unsafe(_)) | Self::Vault(_) | Self::CheckValue => 3,
            Self::Media(error) if error.is_anothers() => 3,
            Self::DataDir { .. }
            | Self::SchemaBehind(_)
            | Self::Mail(_)
            | Self::Engine(StartError::Timetable(_)) => 2,
            Self::Store(_)
            | Self::Outbound(_)
            | Self::Media(_)
            | Self::Metrics(_)
            | Self::Engine(_)
            | Self::Listen { .. } => 1,
        }
    }
}

/// The open database with the keys that fit it.
#[derive(Debug, Clone)]
pub struct Base {
    /// The database, its schema up to date.
    pub store: Store,
    /// The keys.
    pub vault: Arc<Vault>,
}

/// Where the configured database is.
pub fn location(config: &Config) -> Location {
    match &config.database.place {
        Place::Sqlite(file) => Location::Sqlite { file: file.clone() },
        Place::Postgres(url) => {
            Location::Postgres { url: url.clone(), connections: config.database.max_connections }
        }
    }
}

/// Opens the database; a local file is made when it is not there, and locked.
pub async fn open_store(config: &Config) -> Result<Store, Error> {
    make_directory(&config.data_dir)?;
    if let Place::Sqlite(file) = &config.database.place {
        make_directory(file.parent().unwrap_or(Path::new(".")))?;
    }
    Ok(Store::open_within(&location(config), config.database.timeout).await?)
}

/// When the database was first used: by that the installation is known. The daemon may have it open.
pub async fn first_used(config: &Config) -> Result<Timestamp, Error> {
    if let Place::Sqlite(file) = &config.database.place {
        let database = Copy::beside(file).await?;
        let first_used = database.first_used().await;
        database.close().await;
        return Ok(first_used?);
    }
    let store = open_store(config).await?;
    let known = installation::find(&mut store.read().await?).await?;
    store.close().await;
    Ok(known.ok_or(store::Error::NotFound)?.created_at)
}

fn make_directory(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|source| Error::DataDir { path: path.to_owned(), source })
}

impl Base {
    /// Opens the database and the keys. A local file is brought up to date by itself, a server's
    /// database only by `chancery migrate`.
    pub async fn open(config: &Config, clock: &SharedClock) -> Result<Self, Error> {
        let store = open_store(config).await?;
        match &config.database.place {
            Place::Sqlite(_) => store.migrate().await?,
            Place::Postgres(_) => match store.schema().await? {
                Schema::Current => {}
                Schema::Behind(step) => return Err(Error::SchemaBehind(step)),
            },
        }
        let vault = unlock(config, &store, clock).await?;
        Ok(Self { store, vault: Arc::new(vault) })
    }
}

async fn unlock(config: &Config, store: &Store, clock: &SharedClock) -> Result<Vault, Error> {
    let known = installation::find(&mut store.read().await?).await?;
    if let Some(known) = known {
        let check = Sealed::from_bytes(known.key_check).ok_or(Error::CheckValue)?;
        return Ok(Vault::unlock(&config.vault, Some(&check))?);
    }
    let vault = Vault::unlock(&config.vault, None)?;
    let check = vault.check_value()?;
    let generation = format!("{:032x}", rand::random::<u128>());
    let mut tx = store.begin().await?;
    let kept =
        installation::load_or_create(&mut tx, &generation, &check.bytes, clock.now()).await?;
    tx.commit().await?;
    // Another node may have been first: then its value counts.
    vault.verify(&Sealed::from_bytes(kept.key_check).ok_or(Error::CheckValue)?)?;
    Ok(vault)
}

/// The timings of publishing as configured.
fn pace(config: &Config) -> Pace {
    let publish = &config.publish;
    Pace {
        workers: publish.workers,
        request_timeout: publish.request_timeout,
        margin: publish.margin(),
        files_ahead: publish.files_ahead,
        lookahead: publish.lookahead,
        lease: publish.lease,
        quiet_wait: QuietWait {
            usual: publish.quiet_wait,
            by_platform: platforms::quiet_waits(config),
        },
        catch_up_after: publish.catch_up_after,
        catch_up_spacing: publish.catch_up_spacing,
        limits: platforms::limits(config),
        circuits: Rules {
            failures: i64::from(publish.circuit_failures),
            accounts: usize::try_from(publish.incident_accounts).unwrap_or(usize::MAX),
            window: publish.incident_window,
            first: publish.circuit_wait,
            most: publish.circuit_wait_max,
        },
        back_off: BackOff { first: publish.backoff, most: publish.backoff_max },
    }
}

/// Everything that the doors and the engine share.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The database with its keys.
    pub base: Base,
    /// The time.
    pub clock: SharedClock,
    /// The same, and whether it can be trusted.
    pub steady: Steady,
    /// The platforms.
    pub platforms: Platforms,
    /// The only HTTP client.
    pub outbound: Outbound,
    /// Files of media.
    pub files: Files,
    /// Hints and the gate.
    pub queue: Queue,
}

impl Parts {
    /// Opens everything; nothing works yet.
    pub async fn open(config: &Config, clock: SharedClock) -> Result<Self, Error> {
        let platforms = Platforms::configured(config);
        let limits = Limits { step: config.clock.max_step, skew: config.clock.max_skew };
        let asked = platforms.iter().filter(|platform| platform.base_url().is_some());
        let witnesses = asked.map(|platform| platform.id()).collect();
        let steady = Steady::new(clock, limits, witnesses);
        let clock: SharedClock = Arc::new(steady.clone());
        let base = Base::open(config, &clock).await?;
        let owner = Owner::new(base.store.clone());
        Ok(Self {
            base,
            outbound: Outbound::configured(&config.outbound)?.heard_by(steady.clone()),
            platforms,
            steady,
            files: Files::configured(config, Some(owner))?,
            queue: Queue::default(),
            clock,
        })
    }

    /// What acts need.
    fn services(&self, config: &Arc<Config>) -> Services {
        Services {
            store: self.base.store.clone(),
            clock: self.clock.clone(),
            platforms: self.platforms.clone(),
            outbound: self.outbound.clone(),
            queue: self.queue.clone(),
            vault: self.base.vault.clone(),
            files: self.files.clone(),
            unpacking: Arc::new(tokio::sync::Semaphore::new(2)),
            config: config.clone(),
            revocations: Arc::default(),
            batches: Batches::default(),
            term_bases: TermBases::default(),
        }
    }

    /// What follow-ups work with.
    fn means(&self, config: &Config) -> Result<Means, Error> {
        Ok(Means {
            store: self.base.store.clone(),
            clock: self.clock.clone(),
            vault: self.base.vault.clone(),
            outbound: self.outbound.clone(),
            mailer: Mailer::configured(&config.mail)?,
            notify: config.notify.clone(),
            webhooks: config.webhooks.clone(),
            mail: config.mail.clone(),
        })
    }

    /// Starts what happens by itself.
    pub async fn start_engine(&self, config: &Config) -> Result<Engine, Error> {
        let tools = Tools {
            store: self.base.store.clone(),
            clock: self.clock.clone(),
            steady: self.steady.clone(),
            platforms: self.platforms.clone(),
            vault: self.base.vault.clone(),
            files: self.files.clone(),
            outbound: self.outbound.clone(),
            pace: pace(config),
        };
        let settings = Settings {
            tools,
            means: self.means(config)?,
            desk: config.server.public_url.to_string(),
            queue: self.queue.clone(),
            timing: Timing {
                poll: config.publish.poll_interval,
                window: Duration::from_mins(10),
                // A local file is locked by one process; a server's database is not.
                alone: matches!(config.database.place, Place::Sqlite(_)),
            },
            keep: Keep {
                jobs: config.jobs.keep,
                idempotency: config.api.idempotency_keep,
                follow_ups: config.notify.keep,
                uploads: config.media.upload_expiry,
            },
            prune: config.jobs.prune.clone(),
            looks: Looks {
                spans: config.verify.spans.clone(),
                belief: Belief {
                    pause: config.verify.pause,
                    most_per_hour: config.verify.most_per_hour,
                },
                interval: config.publish.poll_interval,
            },
            self_audit: config.jobs.self_audit.clone(),
            heads: heads(config)?,
            foreign: platforms::foreign_intervals(config),
            probe_every: config.accounts.probe_every,
            read_back: config.quarantine.read_back,
        };
        Ok(Engine::start(settings).await?)
    }
}

/// What signs heads of the audit, when there is a key for that.
fn heads(config: &Config) -> Result<Option<Heads>, Error> {
    let Some(file) = &config.audit.head_key_file else { return Ok(None) };
    let signer = Arc::new(Signer::read(file)?);
    Ok(Some(Heads { signer, every: config.audit.head_every }))
}

/// The running service.
#[derive(Debug)]
pub struct App {
    parts: Parts,
    config: Arc<Config>,
    services: Services,
    auth: Auth,
    engine: Engine,
    address: SocketAddr,
    stopping: CancellationToken,
    server: JoinHandle<()>,
    rest: [JoinHandle<()>; 2],
}

/// What the process tells of itself.
#[derive(Debug)]
struct Pulse {
    watch: Watch,
    steady: Steady,
    files: Files,
    stopping: CancellationToken,
    metrics: Metrics,
}

impl Vitals for Pulse {
    fn lateness(&self) -> Duration {
        self.watch.oldest_due()
    }

    fn stuck(&self) -> u64 {
        self.watch.stuck()
    }

    fn quarantine(&self) -> Option<AccountsRead> {
        let Counts { read, left, blind, in_the_way } = self.watch.quarantine()?;
        Some(AccountsRead { read, left, unreadable: blind, in_the_way })
    }

    fn clock_doubts(&self) -> Vec<String> {
        let condition = self.steady.condition();
        let apart = condition.apart.map(|by| {
            format!(
                "the machine's clock has stepped by {:.1} s and is not followed",
                by.as_secs_f64()
            )
        });
        let doubt = |(name, why): &(&str, Why)| {
            format!("nothing is sent to {name}: its time and ours ({})", why.as_str())
        };
        apart.into_iter().chain(condition.doubts.iter().map(doubt)).collect()
    }

    fn media_trouble(&self) -> Option<String> {
        self.files.trouble()
    }

    fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    fn metrics(&self) -> String {
        self.metrics.render()
    }
}

/// An upload of which nothing has come for so long was given up by a process that was killed.
const ABANDONED: Duration = Duration::from_hours(24);

/// How often the metrics are tidied and the use of tokens is written down.
const UPKEEP: Duration = Duration::from_secs(10);

impl App {
    /// What acts need, without starting anything; for the command line.
    pub async fn services(config: Config) -> Result<Services, Error> {
        let config = Arc::new(config);
        let parts = Parts::open(&config, Arc::new(SystemClock)).await?;
        Ok(parts.services(&config))
    }

    /// Opens everything, starts what happens by itself, and then lets people in.
    pub async fn start(config: Config, clock: SharedClock) -> Result<Self, Error> {
        let config = Arc::new(config);
        let metrics = telemetry::install_metrics(SCHEMA_VERSION)?;
        // In boxes: they are large, and whoever starts a service keeps them inside his own.
        let parts = Box::pin(Parts::open(&config, clock)).await?;
        // The address first: a process that cannot listen must not have claimed anything.
        let listen = config.server.listen;
        let failed = |source| Error::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let engine = Box::pin(parts.start_engine(&config)).await?;
        parts.files.sweep(before(parts.clock.now(), ABANDONED)).await?;
        let services = parts.services(&config);
        let auth = Auth::new(services.clone());
        let stopping = CancellationToken::new();
        let pulse = Pulse {
            watch: engine.watch.clone(),
            steady: parts.steady.clone(),
            files: parts.files.clone(),
            stopping: stopping.clone(),
            metrics: metrics.clone(),
        };
        let router = api::router(services.clone(), auth.clone(), Arc::new(pulse));
        let door = api::serve(listener, router, config.server.clone(), stopping.clone());
        let server = tokio::spawn(door);
        let upkeep =
            tokio::spawn(keep_up(metrics, auth.clone(), parts.clock.clone(), stopping.clone()));
        let making = series::make::keep(services.clone(), parts.steady.clone(), stopping.clone());
        let making = tokio::spawn(vital("series", making));
        if parts.files.are_elsewhere() {
            let (files, clock) = (parts.files.clone(), parts.clock.clone());
            tokio::spawn(look_at(files, clock, stopping.clone()));
        }
        let rest = [upkeep, making];
        Ok(Self { parts, config, services, auth, engine, address, stopping, server, rest })
    }

    /// Where people are let in.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends when this process has lost its place among the nodes: then it must be stopped.
    pub async fn lost(&self) {
        self.engine.lost.cancelled().await;
    }

    /// What acts need; for the demonstration and tests.
    pub fn acts(&self) -> &Services {
        &self.services
    }

    /// What the watchdog last saw; for tests.
    pub fn watch(&self) -> &Watch {
        &self.engine.watch
    }

    /// Lets nobody in any more, claims nothing more, and waits for what is in flight. True when
    /// everything in flight was recorded.
    pub async fn stop(self) -> bool {
        self.stopping.cancel();
        let patience = self.config.server.stop_timeout;
        let clean = self.engine.stop(&self.parts.clock, patience).await;
        let abort = self.server.abort_handle();
        tokio::select! {
            _ended = self.server => {}
            () = self.parts.clock.sleep(patience) => abort.abort(),
        }
        for task in self.rest {
            let _ended = task.await;
        }
        self.auth.flush().await;
        self.parts.base.store.close().await;
        clean
    }
}

async fn keep_up(metrics: Metrics, auth: Auth, clock: SharedClock, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = clock.sleep(UPKEEP) => {}
        }
        metrics.sort_in();
        auth.flush().await;
    }
}

/// Asks the store of media again and again, so that its trouble is known before a file is needed.
async fn look_at(files: Files, clock: SharedClock, stopping: CancellationToken) {
    let mut answered = true;
    loop {
        let looked = tokio::select! {
            () = stopping.cancelled() => return,
            looked = files.look() => looked,
        };
        metrics::gauge!("chancery_media_store_up").set(if looked.is_ok() { 1.0 } else { 0.0 });
        match &looked {
            Err(error) if answered => {
                let error = telemetry::Chain(error);
                tracing::error!(%error, "files cannot be taken, and posts with files wait");
            }
            Ok(()) if !answered => tracing::info!("the store of media answers again"),
            Ok(()) | Err(_) => {}
        }
        answered = looked.is_ok();
        tokio::select! {
            () = stopping.cancelled() => return,
            () = clock.sleep(UPKEEP) => {}
        }
    }
}
