//! Why a command failed, for people, and the exit code that the contract gives to it: 1 failed,
//! 2 wrong usage or configuration, 3 refused for safety, 4 data directory in use.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use crate::app;
use crate::config::Faults;
use crate::media;
use crate::service::{self, backup};
use crate::store;
use crate::telemetry::Chain;

/// A command that failed.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// Something failed that has a cause.
    pub(super) fn failed(what: &str, error: impl Error + 'static) -> Self {
        Self { code: 1, text: format!("{what}: {}", Chain(&error)) }
    }

    /// Something failed.
    pub(super) fn because(why: impl Into<String>) -> Self {
        Self { code: 1, text: why.into() }
    }

    /// It was asked for in a wrong way.
    pub(super) fn usage(why: impl Into<String>) -> Self {
        Self { code: 2, text: why.into() }
    }

    /// It is refused because it would do harm.
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self { code: 3, text: why.into() }
    }

    /// An act was refused or failed.
    pub(super) fn service(error: &service::Error) -> Self {
        if let service::Error::Invalid(faults) = error {
            let lines: Vec<String> = faults
                .iter()
                .map(|fault| format!("{}: {}", fault.pointer.trim_start_matches('/'), fault.detail))
                .collect();
            return Self::usage(lines.join("\n"));
        }
        Self { code: 1, text: Chain(error).to_string() }
    }

    /// The configuration is wrong.
    pub(super) fn config(faults: &Faults) -> Self {
        Self { code: 2, text: faults.to_string() }
    }

    /// Prints it and gives its exit code.
    pub(super) fn tell(&self) -> ExitCode {
        // Without a standard error the exit code must do.
        let _unwritable = writeln!(std::io::stderr(), "chancery: {}", self.text);
        ExitCode::from(self.code)
    }
}

impl From<app::Error> for Failure {
    fn from(error: app::Error) -> Self {
        Self { code: error.exit_code(), text: Chain(&error).to_string() }
    }
}

impl From<backup::Error> for Failure {
    fn from(error: backup::Error) -> Self {
        use backup::Error as E;
        let code = match &error {
            E::NotEmpty(_) => 2,
            E::Media(error) if error.is_anothers() => 3,
            E::Media(media::Error::Store(_)) => 1,
            E::NotWhole(_) | E::Newer(_) | E::Media(_) | E::Store(store::Error::Unsafe(_)) => 3,
            E::Store(_) | E::Disk { .. } => 1,
        };
        Self { code, text: Chain(&error).to_string() }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        app::Error::from(error).into()
    }
}

/// Prints a line for the caller.
pub(super) fn say(line: impl std::fmt::Display) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(|error| Failure::failed("standard output", error))
}
