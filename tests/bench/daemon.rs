//! `chancery serve` as it is shipped, in a process of its own.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use chancery::clock::{Clock as _, SystemClock};

use super::bare;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chancery");
/// How long it may take until it is ready, or has stopped.
const PATIENCE: Duration = Duration::from_mins(1);

/// The running program.
pub(crate) struct Daemon {
    pub(crate) url: String,
    child: Child,
}

/// Runs a command of the program to its end and gives the last line that it printed.
pub(crate) fn command(arguments: &[&str], variables: &[(String, String)]) -> Result<String> {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .envs(variables.iter().cloned())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{arguments:?} ended with {}", output.status);
    let printed = String::from_utf8(output.stdout)?;
    Ok(printed.lines().last().unwrap_or_default().to_owned())
}

impl Daemon {
    /// Starts it with these variables; says how long it took until it was ready.
    pub(crate) async fn start(variables: &[(String, String)]) -> Result<(Self, Duration)> {
        // Another process could take the port before it does; then it says so and ends.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let client = bare::client()?;
        let url = format!("http://{address}");
        let start = SystemClock.elapsed();
        let child = Command::new(PROGRAM)
            .arg("serve")
            .envs(variables.iter().cloned())
            .env("CHANCERY_SERVER__LISTEN", &address)
            .env("CHANCERY_SERVER__PUBLIC_URL", &url)
            // Logs of a service go to a collector, not to a terminal.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut daemon = Self { url, child };
        loop {
            let asked = client.get(format!("{}/readyz", daemon.url)).send().await;
            let took = SystemClock.elapsed().saturating_sub(start);
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return Ok((daemon, took));
            }
            if let Some(status) = daemon.child.try_wait()? {
                bail!("it ended with {status} instead of becoming ready");
            }
            ensure!(took < PATIENCE, "it is not ready after {took:?}");
            SystemClock.sleep(Duration::from_millis(2)).await;
        }
    }

    /// Resident memory in megabytes, where the system tells.
    pub(crate) fn resident_mb(&mut self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes / 1_024.0)
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let stopped = Command::new("kill").arg(self.child.id().to_string()).status()?;
        ensure!(stopped.success(), "it could not be asked to stop");
        let start = SystemClock.elapsed();
        loop {
            if let Some(status) = self.child.try_wait().context("waiting for it")? {
                ensure!(status.success(), "it ended with {status}");
                return Ok(());
            }
            ensure!(SystemClock.elapsed() < start + PATIENCE, "it does not stop");
            SystemClock.sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // After a clean stop there is nothing left to kill.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}
