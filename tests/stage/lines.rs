//! Keeps every log line of this process, so that secrets can be looked for in them.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

/// Of a run of thousands of stages only the newest lines are kept; one stage writes far less.
const MOST: usize = 64 << 20;

static KEPT: Mutex<Kept> = Mutex::new(Kept { gone: 0, bytes: Vec::new() });

struct Kept {
    /// How many bytes were there before.
    gone: usize,
    bytes: Vec<u8>,
}

struct Keep;

impl Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes.len() > MOST {
            kept.gone += MOST / 2;
            kept.bytes.drain(..MOST / 2);
        }
        kept.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts keeping; our own lines down to the smallest, those of the HTTP client as an operator might
/// switch them on. Gives the mark from which on the lines are the caller's.
pub(crate) fn keep() -> usize {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let filter = "info,chancery=trace,reqwest=trace,hyper=debug,hyper_util=debug";
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
        let subscriber = lines.with_writer(|| Keep).finish();
        // Another test of the process may have been first.
        let _second = tracing::subscriber::set_global_default(subscriber);
    });
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.gone + kept.bytes.len()
}

/// All lines since a mark that are still kept.
pub(crate) fn since(mark: usize) -> Vec<u8> {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let from = mark.saturating_sub(kept.gone).min(kept.bytes.len());
    kept.bytes[from..].to_vec()
}
