//! The simulators in a process of their own: the bench starts itself once more, asks over its
//! standard input what has arrived, and ends it by closing that.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use chancery::clock::SystemClock;
use chancery::simulator::{Simulators, WorldSeed};

/// The argument that makes the bench a simulator.
pub(crate) const SIMULATOR: &str = "--simulator";

/// Offices of the simulated world; each has a Page and an X account.
pub(crate) const MISSIONS: usize = 100;

/// The child.
pub(crate) struct Simulator {
    pub(crate) facebook: String,
    pub(crate) x: String,
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// The world that both processes know.
pub(crate) fn world() -> WorldSeed {
    WorldSeed::with_missions(MISSIONS - 1)
}

impl Simulator {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SIMULATOR)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().context("no output")?);
        let facebook = line(&mut answers)?;
        let x = line(&mut answers)?;
        Ok(Self { facebook, x, child, questions, answers })
    }

    /// How many creates it received, and how many posts exist because of them.
    pub(crate) fn counts(&mut self) -> Result<(u64, u64)> {
        let questions = self.questions.as_mut().context("it was stopped")?;
        questions.write_all(b"counts\n")?;
        let answer = line(&mut self.answers)?;
        let (received, created) = answer.split_once(' ').context("no counts")?;
        Ok((received.parse()?, created.parse()?))
    }
}

impl Simulator {
    /// From now on every answer takes this long.
    pub(crate) fn answer_after(&mut self, millis: u64) -> Result<()> {
        let questions = self.questions.as_mut().context("it was stopped")?;
        questions.write_all(format!("answer after {millis}\n").as_bytes())?;
        let answer = line(&mut self.answers)?;
        anyhow::ensure!(answer == "yes", "it said {answer}");
        Ok(())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.questions.take());
        // It ends when its input does; how, does not matter any more.
        let _ended = self.child.wait();
    }
}

fn line(from: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

/// Is the simulator until the standard input ends.
pub(crate) async fn simulate() -> Result<()> {
    let any = ([127, 0, 0, 1], 0).into();
    let simulators = Simulators::start(Arc::new(SystemClock), any, any).await?;
    let truth = simulators.world();
    truth.change_settings(|settings| {
        settings.rate_limits = false;
        settings.journal = false;
    });
    world().plant(&truth);
    println!("{}\n{}", simulators.facebook_url(), simulators.x_url());
    tokio::task::spawn_blocking(move || -> Result<()> {
        for question in std::io::stdin().lines() {
            if let Some(millis) = question?.strip_prefix("answer after ") {
                let millis = millis.parse()?;
                truth.change_settings(|settings| settings.latency_ms = millis);
                println!("yes");
                continue;
            }
            let counts = truth.counts();
            println!("{} {}", counts.received, counts.created);
        }
        Ok(())
    })
    .await??;
    simulators.stop().await;
    Ok(())
}
