//! `chancery serve`: the daemon, from its start to its clean stop, in order.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::exit::Failure;
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::telemetry;

pub(super) async fn run(config: Config) -> Result<(), Failure> {
    telemetry::install_logs(&config.telemetry)
        .map_err(|error| Failure::failed("logs could not be set up", error))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let app = App::start(config, Arc::new(SystemClock)).await?;
    tracing::info!(address = %app.address(), "ready");
    stop_signal().await;
    tracing::info!("stopping: nothing new is claimed, what is in flight finishes");
    app.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// Ends when the process is asked to stop, by SIGTERM or SIGINT.
pub(super) async fn stop_signal() {
    let asked = async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _asked = terminate.recv() => {}
            _asked = interrupt.recv() => {}
        }
        Ok::<(), std::io::Error>(())
    };
    if let Err(error) = asked.await {
        tracing::error!(%error, "signals cannot be heard: stopping at once");
    }
}
