//! How many due deliveries a second go out end to end (guard, intent, create, outcome, audit, each
//! durable), beside reqwest alone at the same concurrency and apalis-sqlite doing nothing.

use std::time::Duration;

use anyhow::{Result, ensure};
use chancery::clock::{Clock as _, SystemClock, before};
use jiff::Timestamp;

use super::figures::{print_rate, print_ratio, rate};
use super::process::{Simulator, world};
use super::service::{Neighbour, Service};
use super::{Extent, bare, judge, peer};

/// Deliveries in flight at once, and requests of the bare client.
pub(crate) const AT_ONCE: usize = 64;
/// Accounts.
pub(crate) const ACCOUNTS: usize = 200;
/// The peer becomes slower with its backlog: with a small one it is at its best.
const PEER_JOBS: usize = 2_000;
/// How long a platform takes that is not on the same machine.
pub(crate) const FAR_MS: u64 = 20;
/// A drain that takes longer has lost something.
const PATIENCE: Duration = Duration::from_mins(4);

/// Bare, ours, bare again, and the peer: the machine is not equally fast all the time.
pub(crate) async fn measure(extent: Extent) -> Result<()> {
    let count = extent.of(20_000, 2_000);
    let mut simulator = Simulator::start()?;
    println!("  {count} due deliveries, {ACCOUNTS} accounts, {AT_ONCE} at once, synchronous=FULL");
    let first = bare::creates(&simulator, world(), count, AT_ONCE).await?;
    let before = simulator.counts()?;
    let ours = drain(&mut simulator, count, before).await?;
    let second = bare::creates(&simulator, world(), count, AT_ONCE).await?;
    let bare = f64::midpoint(first, second);
    print_rate("deliveries, end to end", ours);
    print_rate("bare reqwest before", first);
    print_rate("bare reqwest after", second);
    print_ratio("deliveries / bare reqwest", ours, bare, 0.5);
    far(&mut simulator, extent).await?;
    // Its best first, then the very same backlog.
    for jobs in [extent.of(PEER_JOBS, PEER_JOBS / 10), count] {
        match tokio::task::spawn_blocking(move || peer::drain(jobs)).await? {
            Ok(peer) => {
                print_rate(&format!("apalis-sqlite, {jobs} jobs that do nothing"), peer);
                print_ratio("deliveries / apalis-sqlite", ours, peer, 10.0);
            }
            // Without a network it cannot be built; the other figures count all the same.
            Err(error) => println!("  NOT MEASURED: apalis-sqlite could not be run: {error:#}"),
        }
    }
    Ok(())
}

/// The same with a platform that takes as long as a near one does over the Internet.
async fn far(simulator: &mut Simulator, extent: Extent) -> Result<()> {
    let count = extent.of(10_000, 1_000);
    simulator.answer_after(FAR_MS)?;
    let bare = bare::creates(simulator, world(), count, AT_ONCE).await?;
    let before = simulator.counts()?;
    let ours = drain(simulator, count, before).await?;
    simulator.answer_after(0)?;
    print_rate(&format!("deliveries, {FAR_MS} ms to the platform"), ours);
    print_rate(&format!("bare reqwest, {FAR_MS} ms to the platform"), bare);
    print_ratio("deliveries / bare reqwest", ours, bare, 0.5);
    Ok(())
}

/// As many at once as the bare client: they are for each platform, and there are two.
pub(crate) fn workers() -> (&'static str, String) {
    ("CHANCERY_PUBLISH__WORKERS", (AT_ONCE / 2).to_string())
}

async fn drain(simulator: &mut Simulator, count: usize, earlier: (u64, u64)) -> Result<f64> {
    let urls = (simulator.facebook.as_str(), simulator.x.as_str());
    let workers = [workers()];
    let service = Service::open(&world(), ACCOUNTS, urls, &workers).await?;
    let rate = run(&service, &[], count).await?;
    judge::all_once(earlier, simulator.counts()?, u64::try_from(count)?)?;
    Ok(rate)
}

/// Schedules so many, due a moment ago, and lets the service and its neighbours send them; by the
/// second.
pub(crate) async fn run(service: &Service, neighbours: &[Neighbour], count: usize) -> Result<f64> {
    let now = SystemClock.now();
    // Due a moment ago: less than what counts as a backlog, which would be spread out.
    let dues: Vec<Timestamp> = vec![before(now, Duration::from_secs(1)); count];
    service.seeded.schedule(&service.parts.base, now, &dues).await?;

    let start = SystemClock.elapsed();
    let mut engines = vec![service.parts.start_engine(&service.config).await?];
    for neighbour in neighbours {
        engines.push(neighbour.parts.start_engine(&neighbour.config).await?);
    }
    while service.left().await? > 0 {
        ensure!(SystemClock.elapsed() < start + PATIENCE, "not drained within {PATIENCE:?}");
        SystemClock.sleep(Duration::from_millis(50)).await;
    }
    let rate = rate(count, start);
    for engine in engines {
        engine.stop(&service.parts.clock, Duration::from_secs(10)).await;
    }
    service.all_published().await?;
    Ok(rate)
}
