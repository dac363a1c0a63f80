//! Named points at which the crash tests stop the process, as a power cut would, or let the part that
//! passes there panic, as a fault of ours would.

/// Stops the process when `CHANCERY_CRASH_AT` names this point, and panics when `CHANCERY_CRASH_PANIC_AT`
/// does. Compiled to nothing without the feature `crash-points`, which no shipped binary has.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(feature = "crash-points")]
        $crate::crash::at($name);
    };
    ($name:literal, $about:expr) => {
        #[cfg(feature = "crash-points")]
        $crate::crash::about($name, $about);
    };
}

/// The same, only for what `CHANCERY_CRASH_ABOUT` names; for everything when it names nothing.
#[cfg(feature = "crash-points")]
pub fn about(name: &str, about: &str) {
    use std::ffi::{OsStr, OsString};
    use std::sync::OnceLock;
    static ABOUT: OnceLock<Option<OsString>> = OnceLock::new();
    let wanted = ABOUT.get_or_init(|| std::env::var_os("CHANCERY_CRASH_ABOUT"));
    if wanted.as_deref().is_none_or(|wanted| wanted == OsStr::new(about)) {
        at(name);
    }
}

/// Aborts or panics when this is the point that the environment names.
///
/// # Panics
///
/// When it was asked to.
#[cfg(feature = "crash-points")]
pub fn at(name: &str) {
    use std::ffi::{OsStr, OsString};
    use std::sync::OnceLock;
    static POINTS: OnceLock<[Option<OsString>; 2]> = OnceLock::new();
    let [abort, panic] = POINTS.get_or_init(|| {
        [std::env::var_os("CHANCERY_CRASH_AT"), std::env::var_os("CHANCERY_CRASH_PANIC_AT")]
    });
    if abort.as_deref() == Some(OsStr::new(name)) {
        std::process::abort();
    }
    assert_ne!(panic.as_deref(), Some(OsStr::new(name)), "asked to panic here");
}
