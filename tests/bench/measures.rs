//! Measures the speeds that Chancery promises, each beside a limit or a peer in the same run:
//! `make bench`, or `cargo bench --bench measures -- [--quick] [lateness] [drain] [postgres]
//! [burst] [api] [idle] [desk]`.
//!
//! Figures are printed, never judged: only a run that is wrong in itself (a delivery lost, sent
//! twice or early) ends with a failure.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod api;
mod bare;
mod burst;
mod clock;
mod daemon;
mod desk;
mod drain;
mod figures;
mod idle;
mod judge;
mod lateness;
mod peer;
mod postgres;
mod process;
mod seed;
mod server;
mod service;

use anyhow::{Context as _, Result, bail};

/// The allocator of the daemon.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// What the documents promise.
    Full,
    /// Enough to see that it runs.
    Quick,
}

impl Extent {
    /// The one or the other.
    fn of<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

const ALL: [&str; 7] = ["lateness", "drain", "postgres", "burst", "api", "idle", "desk"];

fn main() -> Result<()> {
    let mut extent = Extent::Full;
    let mut wanted = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            // Cargo says so to every bench.
            "--bench" => {}
            "--quick" => extent = Extent::Quick,
            process::SIMULATOR => return runtime()?.block_on(process::simulate()),
            name if ALL.contains(&name) => wanted.push(argument),
            other => bail!("unknown argument {other}; known are --quick and {}", ALL.join(", ")),
        }
    }
    let all = wanted.is_empty();
    println!("chancery {}: {} cores", env!("CARGO_PKG_VERSION"), figures::cores());
    for name in ALL.into_iter().filter(|name| all || wanted.iter().any(|one| one == name)) {
        println!("\n{name}");
        // A runtime each, so that nothing is left running from the one before.
        let runtime = runtime()?;
        runtime.block_on(measure(name, extent)).with_context(|| format!("{name} went wrong"))?;
        runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    }
    Ok(())
}

async fn measure(name: &str, extent: Extent) -> Result<()> {
    match name {
        "lateness" => lateness::measure(extent).await,
        "drain" => drain::measure(extent).await,
        "postgres" => Box::pin(postgres::measure(extent)).await,
        "burst" => burst::measure(extent).await,
        "api" => api::measure(extent).await,
        "desk" => desk::measure(extent).await,
        _ => idle::measure(extent).await,
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
