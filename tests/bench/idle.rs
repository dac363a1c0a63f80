//! The real program with 200,000 deliveries that are far from due: how long until it is ready, and
//! how much memory it keeps.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chancery::app::Base;
use chancery::clock::{Clock as _, SystemClock, after};
use chancery::config::Config;
use jiff::Timestamp;

use super::Extent;
use super::daemon::Daemon;
use super::figures::print_most;
use super::process::world;
use super::seed::plant;
use super::service::{scratch, variables};

/// A quarter of an hour after the start of a year's plan nothing is due.
const FIRST: Duration = Duration::from_hours(24);
/// It is left alone for so long before its memory is read.
const SETTLE: Duration = Duration::from_secs(10);

/// Seeds, starts, looks.
pub(crate) async fn measure(extent: Extent) -> Result<()> {
    let count: u32 = extent.of(200_000, 20_000);
    let directory = scratch()?;
    // Nothing is due, so nobody is called.
    let nowhere = "http://127.0.0.1:9";
    let variables = variables(directory.path(), nowhere, nowhere);
    seed(Config::load(None, variables.iter().cloned())?, count).await?;

    let (mut daemon, ready_after) = Daemon::start(&variables).await?;
    println!("  {count} pending deliveries");
    print_most("from exec to /readyz 200", ready_after.as_secs_f64() * 1_000.0, "ms", 1_000.0);
    SystemClock.sleep(extent.of(SETTLE, Duration::from_secs(2))).await;
    match daemon.resident_mb() {
        Some(resident) => print_most("resident memory, idle", resident, "MB", 40.0),
        None => println!("  NOT MEASURED: this system has no /proc"),
    }
    daemon.stop().await.context("it did not stop in order")
}

async fn seed(config: Config, count: u32) -> Result<()> {
    let base = Base::open(&config, &(Arc::new(SystemClock) as _)).await?;
    let now = SystemClock.now();
    let seeded = plant(&base, &world(), 200, now).await?;
    let year = 364 * 24 * 3_600;
    let dues: Vec<Timestamp> = (0..count)
        .map(|_| after(now, FIRST + Duration::from_secs(rand::random::<u64>() % year)))
        .collect();
    seeded.schedule(&base, now, &dues).await?;
    // Checkpoints, and lets go of the lock that the program needs.
    base.store.close().await;
    Ok(())
}
