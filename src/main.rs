//! Parses the command line, runs it and chooses the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    chancery::cli::main()
}
