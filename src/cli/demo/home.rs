//! Where a demonstration lives: a temporary directory, or one that only demonstrations have used.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::cli::exit::Failure;

/// Says in a data directory that it is a demonstration's.
const MARK: &str = "demonstration";

/// The data directory of a demonstration; a temporary one goes away with it.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    temporary: bool,
}

impl Home {
    /// This directory, or a temporary one.
    pub(super) fn open(chosen: Option<PathBuf>) -> Result<Self, Failure> {
        let home = if let Some(path) = chosen {
            Self { path, temporary: false }
        } else {
            let name = format!("chancery-demo-{:016x}", rand::random::<u64>());
            Self { path: std::env::temp_dir().join(name), temporary: true }
        };
        home.prepare()?;
        Ok(home)
    }

    /// Real posts that wait in a real directory must not be sent to a simulated platform, which
    /// would count them as published.
    fn prepare(&self) -> Result<(), Failure> {
        let failed =
            |error| Failure::failed(&format!("the directory {}", self.path.display()), error);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(failed)?;
        let mark = self.path.join(MARK);
        if mark.exists() {
            return Ok(());
        }
        if fs::read_dir(&self.path).map_err(failed)?.next().is_some() {
            return Err(Failure::usage(format!(
                "{} is neither empty nor a demonstration's: choose another directory",
                self.path.display()
            )));
        }
        fs::write(mark, "Made by chancery demo: nothing in here is real.\n").map_err(failed)
    }

    /// Which directory it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What becomes of it.
    pub(super) fn fate(&self) -> &'static str {
        if self.temporary { "removed at the end" } else { "kept" }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.temporary {
            // Nothing can be done about a directory that will not go away.
            let _left = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_home_goes_away_and_a_chosen_one_stays() {
        let home = Home::open(None).unwrap();
        let path = home.path().to_owned();
        assert!(path.is_dir());
        drop(home);
        assert!(!path.exists());

        let kept = tempfile::tempdir().unwrap();
        let chosen = kept.path().join("new");
        drop(Home::open(Some(chosen.clone())).unwrap());
        assert!(chosen.join(MARK).exists());
        drop(Home::open(Some(chosen)).unwrap());
    }

    #[test]
    fn a_real_data_directory_is_left_alone() {
        let real = tempfile::tempdir().unwrap();
        fs::write(real.path().join("chancery.db"), "real").unwrap();
        assert!(Home::open(Some(real.path().to_owned())).is_err());
        assert_eq!(fs::read_dir(real.path()).unwrap().count(), 1, "nothing was added");
    }
}
