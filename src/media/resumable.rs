//! A file that comes in over several requests: how much of it there is, is the length of its file, so
//! that neither a cut connection nor the end of the process loses what has come.
//!
//! Whoever writes holds a lock on the file, so there is one writer over all processes that share the
//! directory. Within one process a newer writer makes an older one give way: its client has gone.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::files::{Error, at};
use super::incoming::{Aside, Received};
use super::inspect::TELLING;

/// Whose turn it is to write to which file, within this process.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<String, Turn>>);

#[derive(Debug, Clone)]
struct Turn {
    /// Held by the writer until its last write has ended.
    writing: Arc<tokio::sync::Mutex<()>>,
    /// Tells the writer to give way.
    give_way: CancellationToken,
}

/// The files that come in over several requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Resumables {
    directory: PathBuf,
    aside: PathBuf,
    turns: Arc<Turns>,
}

/// Why nothing can be written now.
#[derive(Debug, thiserror::Error)]
pub enum NoTurn {
    /// Another process is writing to it.
    #[error("another process is writing to the file")]
    Busy,
    /// There is no such file.
    #[error("there is no such file")]
    Gone,
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] Error),
}

/// The right to add to a file.
#[derive(Debug)]
pub struct Appending {
    /// Nothing only while a thread writes.
    held: Option<Held>,
    path: PathBuf,
    begun: u64,
    offset: u64,
    checked: bool,
    give_way: CancellationToken,
}

/// What goes with each write, so that both locks are held until it has really ended.
#[derive(Debug)]
struct Held {
    file: File,
    _turn: OwnedMutexGuard<()>,
}

impl Resumables {
    pub(super) fn new(directory: PathBuf, aside: PathBuf, turns: Arc<Turns>) -> Self {
        Self { directory, aside, turns }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(id)
    }

    /// Makes an empty file of this name, durably.
    pub async fn begin(&self, id: &str) -> Result<(), Error> {
        let (directory, path) = (self.directory.clone(), self.path(id));
        blocking(&path.clone(), move || {
            std::fs::create_dir_all(&directory)?;
            File::create_new(&path)?.sync_all()?;
            File::open(&directory)?.sync_all()
        })
        .await
    }

    /// How much of it there is, on the disk and not only on its way there; nothing without the file.
    pub async fn offset(&self, id: &str) -> Result<Option<u64>, Error> {
        let path = self.path(id);
        blocking(&path.clone(), move || {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            file.sync_all()?;
            let length = file.metadata()?.len();
            Ok(Some(unchecked_since(&path)?.map_or(length, |since| since.min(length))))
        })
        .await
    }

    /// The right to add to it. What is `checked` counts only from the moment when its writer says that
    /// it is good.
    pub async fn append(&self, id: &str, checked: bool) -> Result<Appending, NoTurn> {
        let turn = self.turns.next(id);
        let held = turn.writing.lock_owned().await;
        let path = self.path(id);
        let opened = blocking(&path.clone(), {
            let path = path.clone();
            move || open_locked(&path, checked)
        })
        .await;
        let (file, offset) = match opened {
            Ok(Some(opened)) => opened,
            Ok(None) => return Err(NoTurn::Busy),
            Err(Error::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(NoTurn::Gone);
            }
            Err(error) => return Err(NoTurn::Disk(error)),
        };
        let held = Some(Held { file, _turn: held });
        Ok(Appending { held, path, begun: offset, offset, checked, give_way: turn.give_way })
    }

    /// The whole file, hashed, as one that has come in at once. This one stays until it is removed.
    pub async fn received(&self, id: &str) -> Result<Received, Error> {
        let (path, directory) = (self.path(id), self.aside.clone());
        let aside = directory.join(format!("{:032x}", rand::random::<u128>()));
        blocking(&path.clone(), move || {
            std::fs::create_dir_all(&directory)?;
            // The same bytes under another name; a copy where a disk cannot do that.
            if std::fs::hard_link(&path, &aside).is_err() {
                std::fs::copy(&path, &aside)?;
            }
            let aside = Aside(aside);
            let mut file = File::open(&aside.0)?;
            file.sync_all()?;
            let (mut hash, mut head, mut size) = (Sha256::new(), Vec::new(), 0_u64);
            let mut piece = vec![0; 1 << 20];
            loop {
                let read = file.read(&mut piece)?;
                let Some(piece) = piece.get(..read).filter(|it| !it.is_empty()) else { break };
                hash.update(piece);
                let missing = TELLING.saturating_sub(head.len()).min(read);
                head.extend_from_slice(piece.get(..missing).unwrap_or_default());
                size += read as u64;
            }
            Ok(Received::new(aside, head, size, hex::encode(hash.finalize())))
        })
        .await
    }

    /// The first bytes, as many as tell what it can be, as far as they are there.
    pub async fn head(&self, id: &str) -> Result<Vec<u8>, Error> {
        let path = self.path(id);
        blocking(&path.clone(), move || {
            let mut head = Vec::new();
            File::open(&path)?.take(TELLING as u64).read_to_end(&mut head)?;
            Ok(head)
        })
        .await
    }

    /// Removes it; nothing happens when it is not there.
    pub async fn remove(&self, id: &str) -> Result<(), Error> {
        self.turns.forget(id);
        let path = self.path(id);
        blocking(&path.clone(), move || {
            remove(&mark(&path))?;
            remove(&path)
        })
        .await
    }

    /// Removes what nobody has written to since `before`; for what no row knows any more.
    pub async fn sweep(&self, before: Timestamp) -> Result<(), Error> {
        let directory = self.directory.clone();
        blocking(&directory.clone(), move || {
            let entries = match std::fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let written = entry.metadata().and_then(|it| it.modified()).ok();
                let written = written.and_then(|it| Timestamp::try_from(it).ok());
                if written.is_some_and(|written| written < before) {
                    remove(&entry.path())?;
                }
            }
            Ok(())
        })
        .await
    }
}

impl Turns {
    /// The next turn of a file: whoever has it is told to give way.
    fn next(&self, id: &str) -> Turn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let writing = match turns.get(id) {
            Some(before) => {
                before.give_way.cancel();
                before.writing.clone()
            }
            None => Arc::default(),
        };
        let turn = Turn { writing, give_way: CancellationToken::new() };
        turns.insert(id.to_owned(), turn.clone());
        turn
    }

    fn forget(&self, id: &str) {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.remove(id) {
            turn.give_way.cancel();
        }
    }
}

impl Appending {
    /// Where the next piece goes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Ends when a newer writer wants its turn.
    pub async fn given_way(&self) {
        self.give_way.cancelled().await;
    }

    /// Adds a piece.
    pub async fn write(&mut self, piece: bytes::Bytes) -> Result<(), Error> {
        let length = piece.len() as u64;
        self.with(move |file| file.write_all(&piece)).await?;
        self.offset += length;
        Ok(())
    }

    /// What was added is on the disk, and good.
    pub async fn end(mut self) -> Result<u64, Error> {
        let mark = self.checked.then(|| mark(&self.path));
        self.with(move |file| {
            file.sync_all()?;
            mark.map_or(Ok(()), |mark| remove(&mark))
        })
        .await?;
        Ok(self.offset)
    }

    /// What was added is not what was meant: it goes again.
    pub async fn undo(mut self) -> Result<(), Error> {
        let (begun, mark) = (self.begun, mark(&self.path));
        self.with(move |file| {
            file.set_len(begun)?;
            file.sync_all()?;
            remove(&mark)
        })
        .await
    }

    /// Works with the file on a thread that may block. The locks go with it: when nobody waits for it
    /// any more they are held until it has ended.
    async fn with(
        &mut self,
        work: impl FnOnce(&mut File) -> io::Result<()> + Send + 'static,
    ) -> Result<(), Error> {
        let path = self.path.clone();
        let Some(mut held) = self.held.take() else {
            return Err(at(&path)(io::Error::other("a write before was not waited for")));
        };
        let held = blocking(&path, move || {
            work(&mut held.file)?;
            Ok(held)
        })
        .await?;
        self.held = Some(held);
        Ok(())
    }
}

/// Opens a file at its end and locks it; nothing when another process has the lock. What a writer has left
/// that never said whether it was good is cut off.
fn open_locked(path: &Path, checked: bool) -> io::Result<Option<(File, u64)>> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
    }
    if let Some(since) = unchecked_since(path)? {
        if since < file.metadata()?.len() {
            file.set_len(since)?;
            file.sync_all()?;
        }
        remove(&mark(path))?;
    }
    let offset = file.seek(SeekFrom::End(0))?;
    if checked {
        let mark = mark(path);
        let mut noted = File::create(&mark)?;
        noted.write_all(offset.to_string().as_bytes())?;
        noted.sync_all()?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
    }
    Ok(Some((file, offset)))
}

/// Beside a file to which something is added that is not known to be good: from where on.
fn mark(path: &Path) -> PathBuf {
    path.with_extension("unchecked")
}

/// From where on a file is not known to be good. A mark that was not written to its end is older than
/// everything that it would be about.
fn unchecked_since(path: &Path) -> io::Result<Option<u64>> {
    match std::fs::read_to_string(mark(path)) {
        Ok(text) => Ok(text.parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other).and_then(|it| it).map_err(at(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Files;
    use bytes::Bytes;

    async fn add(files: &Resumables, id: &str, piece: &'static [u8], checked: bool) -> Appending {
        let mut appending = files.append(id, checked).await.unwrap();
        appending.write(Bytes::from_static(piece)).await.unwrap();
        appending
    }

    #[tokio::test]
    async fn what_has_come_stays_and_what_was_not_good_goes() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path()).resumables();
        assert_eq!(files.offset("upl_1").await.unwrap(), None);
        assert!(matches!(files.append("upl_1", false).await, Err(NoTurn::Gone)));
        files.begin("upl_1").await.unwrap();
        // Cut off: nobody says that it is at its end.
        drop(add(&files, "upl_1", b"abc", false).await);
        assert_eq!(files.offset("upl_1").await.unwrap(), Some(3));
        // Cut off before it was known to be good: a process that ends here leaves the same.
        drop(add(&files, "upl_1", b"wrong", true).await);
        assert_eq!(files.offset("upl_1").await.unwrap(), Some(3));
        let checked = add(&files, "upl_1", b"wrong too", true).await;
        assert_eq!((checked.begun, checked.offset()), (3, 12));
        checked.undo().await.unwrap();
        assert_eq!(add(&files, "upl_1", b"def", true).await.end().await.unwrap(), 6);
        let received = files.received("upl_1").await.unwrap();
        assert_eq!((received.size(), received.head()), (6, &b"abcdef"[..]));
        assert_eq!(received.sha256(), hex::encode(Sha256::digest(b"abcdef")));
        drop(received);
        assert_eq!(files.offset("upl_1").await.unwrap(), Some(6));
        files.remove("upl_1").await.unwrap();
        files.remove("upl_1").await.unwrap();
        assert_eq!(files.offset("upl_1").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_newer_writer_makes_an_older_one_give_way_and_another_process_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path()).resumables();
        files.begin("upl_2").await.unwrap();
        let older = add(&files, "upl_2", b"abc", false).await;
        // As another process would: it shares nothing but the directory.
        let elsewhere = Files::new(directory.path()).resumables();
        assert!(matches!(elsewhere.append("upl_2", false).await, Err(NoTurn::Busy)));
        let newer = tokio::spawn({
            let files = files.clone();
            async move { files.append("upl_2", false).await.unwrap().offset() }
        });
        older.given_way().await;
        drop(older);
        assert_eq!(newer.await.unwrap(), 3);
        files.sweep("2120-01-01T00:00:00Z".parse().unwrap()).await.unwrap();
        assert_eq!(files.offset("upl_2").await.unwrap(), None);
    }
}
