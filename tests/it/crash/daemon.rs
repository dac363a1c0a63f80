//! The real process, as a child.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::stage::{Setting, eventually};

/// Somebody who asks a real process.
#[expect(clippy::disallowed_methods, reason = "a client of our own service")]
pub(super) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// `chancery serve`, running; killed when it is dropped.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
    log: PathBuf,
    /// How long the log was when it started.
    start: usize,
}

impl Daemon {
    /// Starts it with the options of the setting and these. What it writes goes to a file among its
    /// data, where the judge looks for secrets.
    pub(super) fn start(setting: &Setting, further: &[(&str, &str)]) -> Self {
        Self::run(setting, &["serve"], further)
    }

    /// The same with another command.
    pub(super) fn run(setting: &Setting, command: &[&str], further: &[(&str, &str)]) -> Self {
        let path = setting.directory().join("daemon.log");
        let log = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        let start = usize::try_from(log.metadata().unwrap().len()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_chancery"))
            .args(command)
            .env_clear()
            .envs(setting.options().iter().map(|(name, value)| (name, value)))
            .env("CHANCERY_TELEMETRY__LOG_LEVEL", "info,chancery=debug")
            .envs(further.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, log: path, start }
    }

    /// Fails the test when it has ended by itself.
    pub(super) fn must_run(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "the service ended by itself: {ended:?}");
    }

    /// How it has ended by itself, if it has.
    pub(super) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// How it ended by itself.
    pub(super) async fn ended(mut self) -> ExitStatus {
        eventually("the process ends", async || {
            self.child.try_wait().unwrap().ok_or_else(|| "running".to_owned())
        })
        .await
    }

    /// It stands still, as a machine that swaps or is being moved.
    pub(super) fn pause(&self) {
        self.signal("-STOP");
    }

    /// It goes on where it stood still.
    pub(super) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let asked = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(asked.unwrap().success());
    }

    /// The power goes.
    pub(super) async fn kill(mut self) {
        self.child.kill().unwrap();
        self.ended().await;
    }

    /// It lets people in.
    pub(super) async fn ready(&self) {
        eventually("it is ready", async || {
            let log = std::fs::read(&self.log).unwrap();
            let own = String::from_utf8_lossy(&log[self.start..]);
            let told = own.lines().any(|line| line.contains("ready") && line.contains("address="));
            if told { Ok(()) } else { Err(own.into_owned()) }
        })
        .await;
    }

    /// Where it lets people in, once it is ready.
    pub(super) fn address(&self) -> String {
        let log = std::fs::read(&self.log).unwrap();
        let own = String::from_utf8_lossy(&log[self.start..]);
        let line = own.lines().find(|line| line.contains("ready") && line.contains("address="));
        let line = line.expect("it is ready");
        let at = line.split("address=").nth(1).expect("it says where");
        at.split_whitespace().next().expect("it says where").to_owned()
    }

    /// It is asked to stop once it is ready, and does so with success.
    pub(super) async fn stop(self) {
        self.ready().await;
        self.signal("-TERM");
        let status = self.ended().await;
        assert!(status.success(), "it stopped with {status}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has usually ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
