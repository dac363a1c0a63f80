//! Signing heads of the audit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::read::{self, Read};

/// What is said of the audit to people elsewhere.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The key that signs heads; none are signed without.
    pub head_key_file: Option<PathBuf>,
    /// How often a head is signed.
    pub head_every: Duration,
}

impl Audit {
    pub(super) fn read(read: &Read<'_>, data_dir: &Path) -> Self {
        let file = read.optional("audit.head_key_file");
        Self {
            head_key_file: file.map(|file| read::path(&file, data_dir)),
            head_every: read.duration("audit.head_every", Duration::from_mins(5)),
        }
    }
}
