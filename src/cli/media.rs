//! `chancery media copy`: brings what lies on the disk into the bucket, each file proven in both places.

use clap::Subcommand;

use super::exit::{Failure, say};
use crate::app;
use crate::config::{Config, Keep};
use crate::media::{Error, Files, MEDIA, Owner};
use crate::telemetry::Chain;

/// What to do about files.
#[derive(Debug, Subcommand)]
pub(super) enum Media {
    /// Copies every file of the directory media into the bucket of the configuration, and makes that this
    /// installation's place unless it is another's; the daemon may run, and what is there already is only
    /// looked at.
    Copy,
}

pub(super) async fn run(config: &Config, what: Media) -> Result<(), Failure> {
    match what {
        Media::Copy => copy(config).await,
    }
}

async fn copy(config: &Config) -> Result<(), Failure> {
    let from = Files::new(config.data_dir.join(MEDIA));
    if matches!(config.media.keep, Keep::Disk) {
        return Err(Failure::usage(
            "media.store is disk: set CHANCERY_MEDIA__STORE=s3 for this command, and the options of \
             media.s3",
        ));
    }
    let owner = Owner::bringing(app::first_used(config).await?);
    let into = Files::configured(config, Some(owner)).map_err(app::Error::from)?;
    let place = into.check().await.map_err(app::Error::from)?;
    say(format_args!("media: kept {place}"))?;
    let (mut files, mut bytes, mut damaged) = (0_u64, 0_u64, 0_u64);
    for sha256 in from.on_disk().await.map_err(app::Error::from)? {
        match from.copy(&sha256, u64::MAX, &into).await {
            Ok(size) => {
                files += 1;
                bytes += size;
            }
            // One that is lost on the disk does not keep the others from being brought.
            Err(error @ (Error::Changed(_) | Error::Missing(_))) => {
                damaged += 1;
                say(format_args!("left out: {}", Chain(&error)))?;
            }
            Err(error) => return Err(app::Error::from(error).into()),
        }
    }
    say(format_args!("there and proven: {files} files ({bytes} bytes)"))?;
    if damaged == 0 {
        return Ok(());
    }
    Err(Failure::refused(format!("{damaged} files on the disk are damaged; bring a backup back")))
}
