//! Named points at which the crash tests stop the process, as a power cut would.

/// Stops the process when `CHANCERY_CRASH_AT` names this point. Compiled to nothing without the
/// feature `crash-points`, which no shipped binary has.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(feature = "crash-points")]
        $crate::crash::at($name);
    };
}

/// Aborts when this is the point that the environment names.
#[cfg(feature = "crash-points")]
pub fn at(name: &str) {
    use std::sync::OnceLock;
    static POINT: OnceLock<Option<std::ffi::OsString>> = OnceLock::new();
    let point = POINT.get_or_init(|| std::env::var_os("CHANCERY_CRASH_AT"));
    if point.as_deref() == Some(std::ffi::OsStr::new(name)) {
        std::process::abort();
    }
}
