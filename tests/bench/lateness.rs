//! How late the create reaches the platform after its instant, beside the bare timer with as many
//! instants of the same kind at the same time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use chancery::clock::{Clock as _, SystemClock, after};
use chancery::simulator::{Simulators, WorldSeed};
use jiff::Timestamp;

use super::clock::FineClock;
use super::figures::Lateness;
use super::service::Service;
use super::{Extent, judge};

/// From starting until the first instant.
const HEAD_START: Duration = Duration::from_secs(3);
/// A delivery that has not arrived so long after the last instant is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many deliveries, within how long, over how many accounts.
struct Load {
    name: &'static str,
    deliveries: u32,
    within: Duration,
    missions: usize,
}

/// At light load and at a thousand a second.
pub(crate) async fn measure(extent: Extent) -> Result<()> {
    let light = Load {
        name: "200 at random instants",
        deliveries: 200,
        within: extent.of(Duration::from_secs(30), Duration::from_secs(5)),
        missions: 100,
    };
    run(&light).await?;
    let seconds = extent.of(10, 2);
    let dense = Load {
        name: "1,000 a second",
        deliveries: 1_000 * seconds,
        within: Duration::from_secs(u64::from(seconds)),
        missions: 500,
    };
    run(&dense).await
}

async fn run(load: &Load) -> Result<()> {
    let any = ([127, 0, 0, 1], 0).into();
    let simulators = Simulators::start(Arc::new(FineClock), any, any).await?;
    let world = simulators.world();
    world.change_settings(|settings| settings.rate_limits = false);
    let seed = WorldSeed::with_missions(load.missions - 1);
    seed.plant(&world);
    let urls = (simulators.facebook_url(), simulators.x_url());
    let service = Service::open(&seed, 2 * load.missions, (&urls.0, &urls.1), &[]).await?;

    let now = SystemClock.now();
    let dues = instants(load, after(now, HEAD_START));
    let texts = service.seeded.schedule(&service.parts.base, now, &dues).await?;
    let engine = service.parts.start_engine(&service.config).await?;
    let timer = tokio::spawn(bare_timer(instants(load, after(now, HEAD_START))));

    let wanted = u64::from(load.deliveries);
    let give_up = SystemClock.elapsed() + HEAD_START + load.within + PATIENCE;
    while (world.counts().created < wanted || service.left().await? > 0)
        && SystemClock.elapsed() < give_up
    {
        SystemClock.sleep(Duration::from_millis(200)).await;
    }
    let timer = timer.await?;
    engine.stop(&service.parts.clock, Duration::from_secs(10)).await;
    service.all_published().await?;
    let late = judge::arrivals(&texts, &dues, &world.journal())?;
    println!("  {} within {} s", load.name, load.within.as_secs());
    Lateness::of(late.clone()).print("due to first byte of the create, as received");
    timer.print("the bare timer in the same process");
    judge::punctual(&late)?;
    simulators.stop().await;
    Ok(())
}

/// Random instants in order, whole milliseconds as the service keeps them.
fn instants(load: &Load, start: Timestamp) -> Vec<Timestamp> {
    let span = u64::try_from(load.within.as_millis()).unwrap_or(u64::MAX).max(1);
    let mut all: Vec<Timestamp> = (0..load.deliveries)
        .map(|_| after(start, Duration::from_millis(rand::random::<u64>() % span)))
        .collect();
    all.sort_unstable();
    all
}

async fn bare_timer(instants: Vec<Timestamp>) -> Lateness {
    let sleepers: Vec<_> = instants
        .into_iter()
        .map(|at| {
            tokio::spawn(async move {
                SystemClock.sleep_until(at).await;
                judge::millis(at, FineClock.now())
            })
        })
        .collect();
    let mut late = Vec::new();
    for sleeper in sleepers {
        late.extend(sleeper.await);
    }
    Lateness::of(late)
}
