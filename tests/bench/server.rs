//! A PostgreSQL of the bench's own, durable, with an empty database for each thing that is measured.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use chancery::store::{Location, Store};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// The running server.
pub(crate) struct Server {
    url: String,
    databases: u32,
}

/// Below the build's own directory, so that it is not the server of the tests.
fn home() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_TARGET_TMPDIR"), "/bench-server"))
}

fn tool(act: &str) -> Result<String> {
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/postgres.sh"))
        .arg(act)
        .env("CARGO_TARGET_DIR", home())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "tests/tools/postgres.sh {act} ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

impl Server {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        Ok(Self { url: tool("start")?, databases: 0 })
    }

    /// A new empty database on it, and its URL.
    pub(crate) async fn database(&mut self) -> Result<String> {
        self.databases += 1;
        let name = format!("bench_{}", self.databases);
        let mut admin = PgConnection::connect(&self.url).await?;
        admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
        // What the one before left to be written is not charged to the next.
        admin.execute("CHECKPOINT").await?;
        let (server, _) = self.url.rsplit_once('/').context("no database in the URL")?;
        Ok(format!("{server}/{name}"))
    }

    /// The same with the service's tables.
    pub(crate) async fn migrated(&mut self) -> Result<String> {
        let url = self.database().await?;
        let location = Location::Postgres { url: SecretString::from(url.clone()), connections: 2 };
        let store = Store::open(&location).await?;
        store.migrate().await?;
        store.close().await;
        Ok(url)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = tool("stop") {
            println!("  the server was not stopped: {error:#}");
        }
    }
}
