//! `chancery backup`: a consistent copy of the database and the media, and checking one.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Failure, say};
use crate::app;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Place};
use crate::media::Files;
use crate::service::backup::{self, Manifest};

/// What to back up where.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The directory of the backup; it must not exist yet, or be empty.
    path: PathBuf,
    /// Checks the backup in that directory and writes nothing.
    #[arg(long)]
    verify: bool,
}

pub(super) async fn run(config: &Config, options: Options) -> Result<(), Failure> {
    let Options { path, verify } = options;
    if verify {
        let manifest = backup::verify(&path).await?;
        return tell("whole", &manifest);
    }
    let Place::Sqlite(file) = &config.database.place else {
        return Err(Failure::usage(
            "the database is on a PostgreSQL server: back it up with the server's own tools \
             (pg_basebackup and the write-ahead log, or pg_dump), and the directory media with them; \
             docs/operations/backup.md says how to bring it back",
        ));
    };
    let files = Files::configured(config, None).map_err(app::Error::from)?;
    let manifest = backup::make(file, &files, &path, SystemClock.now()).await?;
    tell("written", &manifest)
}

fn tell(word: &str, manifest: &Manifest) -> Result<(), Failure> {
    let Manifest { state_of, rows, media_files, media_bytes, audit, .. } = manifest;
    say(format_args!(
        "{word}: state of {state_of}, {} posts, {} deliveries, {} attempts, audit to entry {}, \
         {media_files} files ({media_bytes} bytes)",
        rows.posts, rows.deliveries, rows.attempts, audit.seq
    ))?;
    say("the key of the vault is not in it: keep that elsewhere")
}
