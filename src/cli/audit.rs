//! `chancery audit`: proves that the audit is the chain that it was written as.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Subcommand;

use super::exit::{Failure, say};
use crate::app;
use crate::config::{Config, Place};
use crate::service::audit::{self, Stuck, Unreadable, Walked};
use crate::store::backup::Copy;
use crate::store::{self, Reader, Store};
use crate::telemetry::Chain;
use crate::vault::signer::{Signer, is_signed};

/// What to do about the audit.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Computes every hash of the audit again, and names each entry that was changed, taken out, put in or put
    /// elsewhere; the daemon may run.
    Verify {
        /// An entry that was newest once, with its hash as it was printed then, such as 4711:9f86d0…; may be repeated.
        #[arg(long, value_name = "ENTRY:HASH", value_parser = known)]
        known: Vec<(i64, String)>,
        /// An export of the whole audit as JSON Lines, instead of the database.
        #[arg(long, value_name = "EXPORT")]
        file: Option<PathBuf>,
        /// Signed heads as they were told elsewhere, one JSON object in a line: each must be signed, and stand in the chain.
        #[arg(long, value_name = "HEADS", requires = "head_key")]
        heads: Option<PathBuf>,
        /// The public key that heads are signed with, as `chancery audit key` printed it.
        #[arg(long, value_name = "PUBLIC", requires = "heads")]
        head_key: Option<String>,
    },
    /// Makes a key that signs heads of the audit, in a file that is not there yet, and prints the public one.
    Key {
        /// The file, for `audit.head_key_file`.
        file: PathBuf,
    },
}

/// Reads an entry and its hash.
fn known(text: &str) -> Result<(i64, String), String> {
    let (seq, hash) = text.split_once(':').ok_or("write it as entry:hash")?;
    let seq = seq.parse().map_err(|_other| "the entry is a number")?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|it| it.is_ascii_hexdigit());
    if is_hash {
        Ok((seq, hash.to_lowercase()))
    } else {
        Err("a hash has 64 hexadecimal digits".to_owned())
    }
}

/// The database, which the daemon may have open.
enum Opened {
    File(Copy),
    Server(Store),
}

impl Opened {
    async fn of(config: &Config) -> Result<Self, Failure> {
        Ok(match &config.database.place {
            Place::Sqlite(file) => Self::File(Copy::beside(file).await?),
            Place::Postgres(_) => Self::Server(app::open_store(config).await?),
        })
    }

    async fn read(&self) -> Result<Reader, store::Error> {
        match self {
            Self::File(copy) => copy.read().await,
            Self::Server(store) => store.read().await,
        }
    }

    async fn close(self) {
        match self {
            Self::File(copy) => copy.close().await,
            Self::Server(store) => store.close().await,
        }
    }
}

impl From<Stuck> for Failure {
    fn from(stuck: Stuck) -> Self {
        // What was found before stands; without it nothing is known.
        if stuck.flaws > 0 {
            Self::refused(Chain(&stuck).to_string())
        } else {
            Self::failed("nothing is known of the audit", stuck)
        }
    }
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Self {
        Self::failed("nothing is known of the export", unreadable)
    }
}

pub(super) async fn run(config: &Config, what: Audit) -> Result<(), Failure> {
    let (mut known, file, heads) = match what {
        Audit::Key { file } => {
            let made = Signer::generate(&file);
            let made = made.map_err(|error| Failure::failed("the key was not made", error))?;
            return say(made.public());
        }
        Audit::Verify { known, file, heads, head_key } => (known, file, heads.zip(head_key)),
    };
    let mut forged = 0;
    if let Some((file, key)) = heads {
        let heads = File::open(file).map_err(Unreadable::from)?;
        for (line, head) in audit::heads(BufReader::new(heads))? {
            if is_signed(&head, &key) {
                known.push((head.seq, head.hash));
            } else {
                forged += 1;
                say(format_args!("line {line} of the heads: is not signed with this key"))?;
            }
        }
    }
    if let Some(file) = file {
        let export = File::open(file).map_err(Unreadable::from)?;
        let walked = audit::verify_export(BufReader::new(export), known, |flaw| say(flaw))?;
        return concluded(walked, forged);
    }
    let opened = Opened::of(config).await?;
    let done = verify(&opened, known, forged).await;
    opened.close().await;
    done
}

async fn verify(opened: &Opened, known: Vec<(i64, String)>, forged: u64) -> Result<(), Failure> {
    let mut reader = opened.read().await?;
    concluded(audit::verify::<Failure>(&mut reader, known, |flaw| say(flaw)).await?, forged)
}

fn concluded(walked: Walked, forged: u64) -> Result<(), Failure> {
    let Walked { entries, seq, hash, flaws } = walked;
    let flaws = flaws + forged;
    if flaws > 0 {
        return Err(Failure::refused(format!(
            "the audit is not what was written: {flaws} findings"
        )));
    }
    say(format_args!("whole: {entries} entries, the newest is {seq} with hash {hash}"))
}
