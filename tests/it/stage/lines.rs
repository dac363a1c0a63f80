//! Keeps every log line of this process, so that secrets can be looked for in them.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Keep;

impl Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts keeping; our own lines down to the smallest, those of the HTTP client as an operator might
/// switch them on.
pub(crate) fn keep() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let filter = "info,chancery=trace,reqwest=trace,hyper=debug,hyper_util=debug";
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
        let subscriber = lines.with_writer(|| Keep).finish();
        // Another test of the process may have been first.
        let _second = tracing::subscriber::set_global_default(subscriber);
    });
}

/// All lines so far.
pub(crate) fn kept() -> String {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&kept).into_owned()
}
