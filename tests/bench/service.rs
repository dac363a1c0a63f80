//! The service under measurement: a data directory on disk, its configuration, and its parts.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use chancery::app::Parts;
use chancery::clock::{Clock as _, SystemClock};
use chancery::config::Config;
use chancery::domain::delivery::DeliveryState;
use chancery::simulator::WorldSeed;
use chancery::store::{deliveries, jobs};
use tempfile::TempDir;

use super::seed::{Seeded, plant};

/// The file of the key below the data directory, which the first start makes.
const KEY: &str = "vault.key";

/// An opened service with accounts, nothing running yet.
pub(crate) struct Service {
    pub(crate) parts: Parts,
    pub(crate) config: Box<Config>,
    pub(crate) seeded: Seeded,
    // Last, so that everything in it is closed before it is removed.
    directory: TempDir,
}

/// Another node of the same installation, nothing running yet.
pub(crate) struct Neighbour {
    pub(crate) parts: Parts,
    pub(crate) config: Box<Config>,
    _directory: TempDir,
}

/// A new directory below the build's own, which is on a disk where `/tmp` may be in memory.
pub(crate) fn scratch() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// The variables that lead a service with this data directory to the simulators.
pub(crate) fn variables(data_dir: &Path, facebook: &str, x: &str) -> Vec<(String, String)> {
    [
        ("CHANCERY_DATA_DIR", data_dir.to_string_lossy().as_ref()),
        ("CHANCERY_FACEBOOK__GRAPH_URL", facebook),
        ("CHANCERY_X__API_URL", x),
        ("CHANCERY_OUTBOUND__TRUSTED_HOSTS", "127.0.0.1"),
        // Counted as always, and never reached.
        ("CHANCERY_X__CREATES_PER_ACCOUNT", "900000000/15m"),
        ("CHANCERY_X__CREATES_PER_APP", "900000000/24h"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

impl Service {
    /// Opens a new one with so many accounts; `more` are further variables.
    pub(crate) async fn open(
        world: &WorldSeed,
        accounts: usize,
        (facebook, x): (&str, &str),
        more: &[(&str, String)],
    ) -> Result<Self> {
        let directory = scratch()?;
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let variables = variables(directory.path(), facebook, x).into_iter().chain(more);
        let config = Box::new(Config::load(None, variables)?);
        let parts = Parts::open(&config, Arc::new(SystemClock)).await?;
        let seeded = plant(&parts.base, world, accounts, SystemClock.now()).await?;
        Ok(Self { parts, config, seeded, directory })
    }

    /// Another node on the same server with the same key.
    pub(crate) async fn neighbour(
        &self,
        (facebook, x): (&str, &str),
        more: &[(&str, String)],
    ) -> Result<Neighbour> {
        let directory = scratch()?;
        std::fs::copy(self.directory.path().join(KEY), directory.path().join(KEY))?;
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let variables = variables(directory.path(), facebook, x).into_iter().chain(more);
        let config = Box::new(Config::load(None, variables)?);
        let parts = Parts::open(&config, Arc::new(SystemClock)).await?;
        Ok(Neighbour { parts, config, _directory: directory })
    }

    /// How many deliveries still have a job.
    pub(crate) async fn left(&self) -> Result<i64> {
        let counts = jobs::counts(&mut self.parts.base.store.read().await?).await?;
        Ok(counts.iter().map(|(_, _, count)| count).sum())
    }

    /// Fails unless every delivery is published.
    pub(crate) async fn all_published(&self) -> Result<()> {
        let states = DeliveryState::ALL
            .iter()
            .copied()
            .filter(|state| *state != DeliveryState::Published)
            .collect();
        let filter = deliveries::Filter { states, ..deliveries::Filter::default() };
        let others =
            deliveries::list(&mut self.parts.base.store.read().await?, &filter, 10).await?;
        let first = others.first().map(|one| (one.state, one.waits_for.clone()));
        ensure!(
            first.is_none(),
            "{} or more are not published, the first: {first:?}",
            others.len()
        );
        Ok(())
    }
}
