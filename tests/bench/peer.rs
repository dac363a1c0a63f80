//! The peer that draining is compared with: apalis-sqlite, in a package of its own below `peers/`.

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
