//! `chancery restore`: brings a backup back into an empty place, or marks a server's database that
//! was brought back by other tools. Either way nothing is sent until a person lets it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use super::exit::{Failure, say};
use crate::app::{self, Base};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, Place};
use crate::engine::quarantine;
use crate::media::{Files, Owner};
use crate::service::backup;

/// What to bring back.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The directory of the backup.
    #[arg(required_unless_present = "state_of")]
    path: Option<PathBuf>,
    /// For a PostgreSQL database that the server's own tools have brought back already: the instant
    /// of which it tells the state, such as 2026-09-02T01:00:00Z.
    #[arg(long, conflicts_with = "path", value_name = "INSTANT")]
    state_of: Option<Timestamp>,
}

pub(super) async fn run(config: &Config, options: Options) -> Result<(), Failure> {
    match (&config.database.place, options) {
        (Place::Sqlite(file), Options { path: Some(path), state_of: None }) => {
            from_backup(config, file, &path).await
        }
        (Place::Postgres(_), Options { state_of: Some(state_of), .. }) => {
            mark(config, state_of, "a server's backup").await
        }
        (Place::Sqlite(_), _) => Err(Failure::usage("name the directory of the backup")),
        (Place::Postgres(_), _) => Err(Failure::usage(
            "the database is on a PostgreSQL server: bring it back with the server's own tools, and \
             then run chancery restore --state-of with the instant of which it tells the state",
        )),
    }
}

async fn from_backup(config: &Config, file: &Path, path: &Path) -> Result<(), Failure> {
    let manifest = backup::verify(path).await?;
    for taken in [file.to_owned(), beside(file, "-wal")] {
        if taken.exists() {
            return Err(Failure::refused(format!(
                "{} exists: a backup is only brought back into an empty place; move it away",
                taken.display()
            )));
        }
    }
    let owner = Owner::bringing(backup::first_used(path).await?);
    let files = Files::configured(config, Some(owner)).map_err(app::Error::from)?;
    files.look().await.map_err(app::Error::from)?;
    let parent = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)
        .map_err(|error| Failure::failed("the data directory", error))?;
    // What was left by a restore that broke off is no database yet, and its log not that of the next.
    let aside = beside(file, ".restoring");
    for left in [aside.clone(), beside(&aside, "-wal"), beside(&aside, "-shm")] {
        match std::fs::remove_file(&left) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::failed("what an earlier restore left behind", error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    backup::bring_back(path, &aside, &files).await?;
    // In quarantine before it has its name: a restore that breaks off leaves nothing to be sent.
    let mut there = config.clone();
    there.database.place = Place::Sqlite(aside.clone());
    let reason = format!("restored from {}", path.display());
    mark(&there, manifest.state_of, &reason).await?;
    if beside(&aside, "-wal").exists() {
        return Err(Failure::because("the restored database was not closed cleanly; try again"));
    }
    let named =
        std::fs::rename(&aside, file).and_then(|()| std::fs::File::open(parent)?.sync_all());
    named.map_err(|error| Failure::failed("the database could not be put in its place", error))?;
    say(format_args!("restored: state of {}", manifest.state_of))
}

async fn mark(config: &Config, state_of: Timestamp, reason: &str) -> Result<(), Failure> {
    let clock: SharedClock = Arc::new(SystemClock);
    let base = Base::open(config, &clock).await?;
    let read_back = config.quarantine.read_back;
    let begun = quarantine::restored(&base.store, state_of, reason, read_back, clock.now()).await?;
    base.store.close().await;
    say(format_args!(
        "in quarantine: nothing is sent; {} deliveries may be out and will be looked for, and {} \
         accounts will be read through, when chancery serve runs; then look at GET \
         /api/v1/quarantine and release it there",
        begun.doubted, begun.accounts
    ))?;
    if read_back {
        return Ok(());
    }
    say(format_args!(
        "quarantine.read_back is off: what was moved to an earlier instant and sent after the backup \
         would be sent again; look over the calendar before the release"
    ))
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
