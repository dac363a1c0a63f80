//! Simulated Facebook, X, Mastodon and Bluesky on loopback, for tests, for the demonstration and for trying things.
//!
//! The platforms' sides are written from their documents alone and share nothing with our clients,
//! so that an agreement between the two means something. `world` is the truth about what was
//! created, whatever the clients were told; `faults` is what goes wrong on purpose; `settings`
//! holds every fact about the platforms that may be otherwise.

mod account;
mod call;
mod consent;
mod control;
mod faults;
mod front;
mod heard;
mod page;
#[cfg(test)]
pub(crate) mod probe;
mod records;
mod seed;
mod settings;
mod wire;
mod world;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use account::{Account, AccountState, Film, FinishedFilm, Media, Segmented, Window};
pub(crate) use call::{Call, Content, Reply};
pub use consent::{Business, Person, Role};
pub(crate) use consent::{Code, Pair, PersonToken};
pub(crate) use faults::Effects;
pub use faults::{Exhausted, Fault, Faults, Kind, Operation, Problem, Unreadable};
pub(crate) use front::{Place, Side, router};
pub use heard::{Carried, Heard};
pub(crate) use page::{
    Choice, accounts_page, consent_page, escape, media_file, missing_page, post_page, refusal_page,
};
pub(crate) use records::Profile;
pub use records::{
    Application, Counts, CreateOutcome, Death, Intent, JournalEntry, Page, PhotoRecord, Platform,
    PostRecord, User,
};
pub use seed::{SeedAccount, WorldSeed};
pub use settings::{
    Allowance, BlueskySettings, DeleteMissing, DuplicateCode, FacebookSettings, Limits,
    MastodonSettings, Settings, Words, XSettings,
};
pub(crate) use world::Standing;
pub use world::{World, X_EPOCH_MS};

use crate::clock::{Clock, SharedClock, SystemClock};
use crate::platforms::{
    bluesky::simulator::Pds, facebook::simulator::Graph, mastodon::simulator::Instance,
    x::simulator::Api,
};

/// Why the simulators could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// They let anybody do anything, so nobody else may reach them.
    #[error("the simulator listens on loopback only, and {0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The address could not be had.
    #[error("the simulator cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

/// Where the simulators listen; port 0 takes any free one.
#[derive(Debug, Clone, Copy)]
pub struct Doors {
    /// Facebook.
    pub facebook: SocketAddr,
    /// X.
    pub x: SocketAddr,
    /// A Mastodon server.
    pub mastodon: SocketAddr,
    /// A Bluesky server.
    pub bluesky: SocketAddr,
}

impl Doors {
    /// Facebook and X there, the others anywhere.
    pub fn of(facebook: SocketAddr, x: SocketAddr) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { facebook, x, mastodon: any, bluesky: any }
    }
}

/// The simulators, running.
#[derive(Debug)]
pub struct Simulators {
    world: Arc<World>,
    stopping: CancellationToken,
    servers: Vec<JoinHandle<()>>,
}

impl Simulators {
    /// Starts all of them, Facebook and X at these addresses; port 0 takes any free one.
    pub async fn start(
        clock: SharedClock,
        facebook: SocketAddr,
        x: SocketAddr,
    ) -> Result<Self, Error> {
        Box::pin(Self::open(clock, Doors::of(facebook, x), |_world| ())).await
    }

    /// Starts all of them with what `plant` puts there. Whoever asks in their first instant finds it:
    /// an account that is not there yet would be refused, and need a person.
    pub async fn open(
        clock: SharedClock,
        at: Doors,
        plant: impl FnOnce(&World),
    ) -> Result<Self, Error> {
        let world = Arc::new(World::new(clock));
        let stopping = CancellationToken::new();
        let doors = [
            bind(at.facebook).await?,
            bind(at.x).await?,
            bind(at.mastodon).await?,
            bind(at.bluesky).await?,
        ];
        for ((_, address), platform) in doors.iter().zip(Platform::ALL) {
            world.set_base(platform, format!("http://{address}"));
        }
        plant(&world);
        let mut servers = Vec::new();
        for ((listener, _), platform) in doors.into_iter().zip(Platform::ALL) {
            let (shared, token) = (Arc::clone(&world), stopping.clone());
            let routes = match platform {
                Platform::Facebook => router(Graph, shared, token),
                Platform::X => router(Api, shared, token),
                Platform::Mastodon => router(Instance, shared, token),
                Platform::Bluesky => router(Pds, shared, token),
            };
            servers.push(tokio::spawn(serve(listener, routes, stopping.clone())));
        }
        Ok(Self { world, stopping, servers })
    }

    /// Where Facebook is: a client appends `/v25.0/…`.
    pub fn facebook_url(&self) -> String {
        self.world.base(Platform::Facebook)
    }

    /// Where X is: a client appends `/2/…`.
    pub fn x_url(&self) -> String {
        self.world.base(Platform::X)
    }

    /// Where the Mastodon server is: a client appends `/api/…`.
    pub fn mastodon_url(&self) -> String {
        self.world.base(Platform::Mastodon)
    }

    /// Where the Bluesky server is: a client appends `/xrpc/…`.
    pub fn bluesky_url(&self) -> String {
        self.world.base(Platform::Bluesky)
    }

    /// The truth behind them.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world)
    }

    /// Ends all hangs, answers what is under way, and stops.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        for server in std::mem::take(&mut self.servers) {
            let handle = server.abort_handle();
            tokio::select! {
                _ended = server => {}
                // A client that never finishes its request must not keep us.
                () = SystemClock.sleep(Duration::from_secs(2)) => handle.abort(),
            }
        }
    }
}

impl Drop for Simulators {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

/// Runs them with the accounts of `seed` until `shutdown` ends.
pub async fn run(
    clock: SharedClock,
    doors: Doors,
    seed: WorldSeed,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let simulators = Simulators::open(clock, doors, |world| seed.plant(world)).await?;
    tracing::info!(
        facebook = simulators.facebook_url(),
        x = simulators.x_url(),
        mastodon = simulators.mastodon_url(),
        bluesky = simulators.bluesky_url(),
        accounts = seed.accounts().len(),
        "simulators started"
    );
    shutdown.await;
    simulators.stop().await;
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    let failed = |source| Error::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

async fn serve(listener: TcpListener, routes: axum::Router, stopping: CancellationToken) {
    let service = routes.into_make_service_with_connect_info::<wire::Cut>();
    let served = axum::serve(wire::Wires(listener), service)
        .with_graceful_shutdown(stopping.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "a simulator stopped");
    }
}

#[cfg(test)]
mod tests;
