//! A disk that fails when it is told to, and forgets at a power loss what it had not confirmed: put
//! between the real process and its files by `disk.c`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::stage::Stage;

/// As in `disk.c`.
const SECTOR: usize = 512;
/// The database, and its write-ahead log.
const FILES: [&str; 2] = ["", "-wal"];

/// What a disk can do instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whim {
    /// Nothing can be written.
    Full,
    /// What is written cannot be confirmed.
    Broken,
    /// Everything is confirmed, and nothing is kept.
    Lying,
}

impl Whim {
    fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Broken => "broken",
            Self::Lying => "lying",
        }
    }
}

/// The disk under the database file of a stage.
#[derive(Debug)]
pub(super) struct Disk {
    file: PathBuf,
    library: PathBuf,
}

impl Disk {
    /// Needs the compiler that builds SQLite for this program.
    pub(super) fn under(stage: &Stage) -> Self {
        let directory = stage.setting().directory();
        let library = directory.join("disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/crash/disk.c");
        let built = Command::new("cc")
            .args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", source, "-ldl", "-lpthread"])
            .arg("-o")
            .arg(&library)
            .output()
            .expect("the C compiler that builds SQLite builds this too");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self { file: directory.join("chancery.db"), library }
    }

    /// What the process is started with so that its files lie on this disk.
    pub(super) fn options(&self) -> [(&str, &str); 2] {
        let library = self.library.to_str().unwrap();
        [("LD_PRELOAD", library), ("FAULTY_DISK_FILE", self.file.to_str().unwrap())]
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.file.clone().into_os_string();
        path.push(ending);
        path.into()
    }

    /// From now on.
    pub(super) fn become_(&self, whim: Whim) {
        fs::write(self.beside(&format!(".{}", whim.word())), "").unwrap();
    }

    /// Not any more.
    pub(super) fn recover(&self, whim: Whim) {
        fs::remove_file(self.beside(&format!(".{}", whim.word()))).unwrap();
    }

    /// All that there is has reached the disk.
    pub(super) fn settle(&self) {
        for ending in FILES {
            let durable = self.beside(&format!("{ending}.durable"));
            fs::write(durable, fs::read(self.beside(ending)).unwrap_or_default()).unwrap();
        }
    }

    /// The power went: what was confirmed is there; of what was not, any sectors by `chance`, else none.
    pub(super) fn lose_power(&self, mut chance: Option<&mut StdRng>) {
        for ending in FILES {
            let Ok(seen) = fs::read(self.beside(ending)) else { continue };
            let mut left = fs::read(self.beside(&format!("{ending}.durable"))).unwrap();
            if let Some(chance) = &mut chance {
                left.resize(left.len().max(seen.len()), 0);
                for (at, sector) in seen.chunks(SECTOR).enumerate() {
                    if chance.random_bool(0.5) {
                        left[at * SECTOR..][..sector.len()].copy_from_slice(sector);
                    }
                }
            }
            fs::write(self.beside(ending), left).unwrap();
        }
        // Only in memory, so to speak.
        let _absent = fs::remove_file(self.beside("-shm"));
    }
}
