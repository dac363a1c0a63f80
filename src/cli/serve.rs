//! `chancery serve`: the daemon, from its start to its clean stop, in order.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::exit::Failure;
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::telemetry;

/// What the last line says when nobody knows this process any more.
const LOST: &str = "the process lost its place among the nodes of the database; start it anew";

pub(super) async fn run(config: Config) -> Result<(), Failure> {
    telemetry::install_logs(&config.telemetry)
        .map_err(|error| Failure::failed("logs could not be set up", error))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    // Heard from now on, so that nobody who stops it while it starts kills it.
    let asked = stop_signal();
    let app = App::start(config, Arc::new(SystemClock)).await?;
    tracing::info!(address = %app.address(), "ready");
    let lost = tokio::select! {
        () = asked => false,
        () = app.lost() => true,
    };
    if lost {
        tracing::error!("this process is not among the nodes any more: it ends");
    }
    tracing::info!("stopping: nothing new is claimed, what is in flight finishes");
    app.stop().await;
    tracing::info!("stopped");
    if lost { Err(Failure::because(LOST)) } else { Ok(()) }
}

/// Ends when the process is asked to stop, by SIGTERM or SIGINT; heard from the call on.
pub(super) fn stop_signal() -> impl Future<Output = ()> {
    let heard = signal(SignalKind::terminate())
        .and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?)));
    async {
        match heard {
            Ok((mut terminate, mut interrupt)) => tokio::select! {
                _asked = terminate.recv() => {}
                _asked = interrupt.recv() => {}
            },
            Err(error) => tracing::error!(%error, "signals cannot be heard: stopping at once"),
        }
    }
}
