//! `chancery simulate`: only the platform simulators, on loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;

use super::exit::Failure;
use super::serve::stop_signal;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::simulator::{self, Doors, WorldSeed};
use crate::telemetry;

/// Where to listen, and for whom.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Address of the simulated Graph API; loopback only.
    #[arg(long, default_value = "127.0.0.1:8091", value_name = "ADDRESS")]
    pages: SocketAddr,
    /// Address of the simulated X; loopback only.
    #[arg(long, default_value = "127.0.0.1:8092", value_name = "ADDRESS")]
    posts: SocketAddr,
    /// Address of the simulated Mastodon server; loopback only.
    #[arg(long, default_value = "127.0.0.1:8093", value_name = "ADDRESS")]
    mastodon: SocketAddr,
    /// Address of the simulated Bluesky server; loopback only.
    #[arg(long, default_value = "127.0.0.1:8094", value_name = "ADDRESS")]
    bluesky: SocketAddr,
    /// How many missions have accounts there, besides the ministry.
    #[arg(long, default_value_t = 16)]
    missions: usize,
}

pub(super) async fn run(config: &Config, options: Options) -> Result<(), Failure> {
    telemetry::install_logs(&config.telemetry)
        .map_err(|error| Failure::failed("logs could not be set up", error))?;
    let seed = WorldSeed::with_missions(options.missions);
    let doors = Doors {
        facebook: options.pages,
        x: options.posts,
        mastodon: options.mastodon,
        bluesky: options.bluesky,
    };
    simulator::run(Arc::new(SystemClock), doors, seed, stop_signal())
        .await
        .map_err(|error| Failure::failed("the simulators could not be started", error))
}
