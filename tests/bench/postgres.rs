//! Draining on PostgreSQL: one node and two beside reqwest alone, and the queues that others run on
//! the same server with jobs that do nothing.

use anyhow::Result;

use super::drain::{ACCOUNTS, AT_ONCE, FAR_MS, run, workers};
use super::figures::{print_rate, print_ratio};
use super::process::{Simulator, world};
use super::server::Server;
use super::service::Service;
use super::{Extent, bare, judge, peer};

/// A platform that does what a real one does before it answers; here a node waits for it and not for
/// the processors that both nodes, the server and the simulators share.
const REAL_MS: u64 = 200;

/// One node, two, bare; the same with a platform that is farther away; then the peers.
pub(crate) async fn measure(extent: Extent) -> Result<()> {
    let mut server = match Server::start() {
        Ok(server) => server,
        Err(error) => {
            println!("  NOT MEASURED: no PostgreSQL could be started: {error:#}");
            return Ok(());
        }
    };
    let count = extent.of(20_000, 2_000);
    let mut simulator = Simulator::start()?;
    println!("  {count} due deliveries, {ACCOUNTS} accounts, {AT_ONCE} at once on each node");
    round(&mut simulator, &mut server, count, "").await?;
    for (millis, count) in [(FAR_MS, extent.of(10_000, 1_000)), (REAL_MS, extent.of(4_000, 600))] {
        simulator.answer_after(millis)?;
        let far = format!(", {millis} ms to the platform");
        round(&mut simulator, &mut server, count, &far).await?;
    }
    for queue in peer::ON_POSTGRES {
        let url = server.database().await?;
        match tokio::task::spawn_blocking(move || peer::drain_on_postgres(queue, &url, count))
            .await?
        {
            Ok(rate) => print_rate(&format!("{queue}, jobs that do nothing"), rate),
            // Without a network it cannot be installed; the other figures count all the same.
            Err(error) => println!("  NOT MEASURED: {queue} could not be run: {error:#}"),
        }
    }
    Ok(())
}

async fn round(
    simulator: &mut Simulator,
    server: &mut Server,
    count: usize,
    how: &str,
) -> Result<()> {
    let first = bare::creates(simulator, world(), count, AT_ONCE).await?;
    let one = drain(simulator, server, count, 1).await?;
    let two = drain(simulator, server, count, 2).await?;
    let second = bare::creates(simulator, world(), count, AT_ONCE).await?;
    let bare = f64::midpoint(first, second);
    print_rate(&format!("one node{how}"), one);
    print_rate(&format!("two nodes{how}"), two);
    print_rate(&format!("bare reqwest{how}"), bare);
    print_ratio("one node / bare reqwest", one, bare, 0.4);
    print_ratio("two nodes / one", two, one, 1.3);
    Ok(())
}

async fn drain(
    simulator: &mut Simulator,
    server: &mut Server,
    count: usize,
    nodes: usize,
) -> Result<f64> {
    let earlier = simulator.counts()?;
    let urls = (simulator.facebook.as_str(), simulator.x.as_str());
    let variables = [workers(), ("CHANCERY_DATABASE__URL", server.migrated().await?)];
    let service = Service::open(&world(), ACCOUNTS, urls, &variables).await?;
    let mut neighbours = Vec::new();
    for _ in 1..nodes {
        neighbours.push(service.neighbour(urls, &variables).await?);
    }
    let rate = run(&service, &neighbours, count).await?;
    judge::all_once(earlier, simulator.counts()?, u64::try_from(count)?)?;
    Ok(rate)
}
