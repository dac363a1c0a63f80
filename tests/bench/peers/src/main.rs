//! Drains no-op jobs with apalis-sqlite and prints how many a second: `peers <directory> <jobs>`.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use apalis::prelude::*;
use apalis_sqlite::{Config, SqliteStorage};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

/// As many jobs at once as the bench beside it has deliveries in flight.
const AT_ONCE: usize = 64;

#[derive(Clone)]
struct Left(Arc<AtomicU32>);

async fn nothing(_: u32, left: Data<Left>, worker: WorkerContext) -> Result<(), BoxDynError> {
    if left.0.0.fetch_sub(1, Ordering::Relaxed) == 1 {
        worker.stop()?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("no directory")?;
    let jobs: u32 = arguments.next().ok_or("no number of jobs")?.parse()?;
    let options = SqliteConnectOptions::new()
        .filename(std::path::Path::new(&directory).join("apalis.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(20));
    // One connection: with more, its transactions fail on each other's locks.
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    SqliteStorage::setup(&pool).await?;
    let config = Config { batch_size: 500, ..Config::default() };
    let mut backend = SqliteStorage::new(&pool).with_config(config);
    for number in 0..jobs {
        backend.push(number).await?;
    }
    let left = Left(Arc::new(AtomicU32::new(jobs)));
    let start = Instant::now();
    WorkerBuilder::new("drain")
        .backend(backend.poll_with_interval(Duration::from_millis(1)))
        .concurrency(AT_ONCE)
        .data(left)
        .build(nothing)
        .run()
        .await?;
    println!("{:.1}", f64::from(jobs) / start.elapsed().as_secs_f64());
    Ok(())
}
