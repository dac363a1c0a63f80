//! The peers that draining is compared with, in packages of their own below `peers/`: apalis-sqlite,
//! and on PostgreSQL graphile-worker and pg-boss.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Drains so many jobs that do nothing; by the second.
pub(crate) fn drain(jobs: usize) -> Result<f64> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/peers/Cargo.toml");
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/peers");
    let directory = super::service::scratch()?;
    println!("  (building apalis-sqlite, if that was not done before)");
    let output = Command::new("cargo")
        .args(["run", "--release", "--locked", "--quiet", "--manifest-path", manifest])
        .args(["--target-dir", target, "--"])
        .arg(directory.path())
        .arg(jobs.to_string())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be started")?;
    ensure!(output.status.success(), "it ended with {}", output.status);
    let printed = String::from_utf8(output.stdout)?;
    Ok(printed.trim().parse()?)
}

/// The queues on PostgreSQL, each as it comes and as its documents say that it is fast.
pub(crate) const ON_POSTGRES: [&str; 4] =
    ["graphile-worker", "graphile-worker-tuned", "pg-boss", "pg-boss-tuned"];

/// Lets one of `ON_POSTGRES` drain so many jobs that do nothing; by the second.
pub(crate) fn drain_on_postgres(queue: &str, url: &str, jobs: usize) -> Result<f64> {
    let script = installed()?;
    let output = Command::new("node")
        .arg(script)
        .args([queue, url, &jobs.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .context("node could not be started")?;
    ensure!(output.status.success(), "{queue} ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// The script beside its packages, which are installed once, below the build's directory.
fn installed() -> Result<std::path::PathBuf> {
    let from = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/peers/postgres"));
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers-postgres");
    std::fs::create_dir_all(&home)?;
    for file in ["package.json", "package-lock.json", "drain.mjs"] {
        std::fs::copy(from.join(file), home.join(file))?;
    }
    if !home.join("node_modules").is_dir() {
        let status = Command::new("npm")
            .args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(&home)
            .stdout(Stdio::null())
            .status()
            .context("npm could not be started")?;
        ensure!(status.success(), "npm ci ended with {status}");
    }
    Ok(home.join("drain.mjs"))
}
