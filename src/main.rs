//! Parses the command line, runs it and chooses the exit code.

use std::process::ExitCode;

/// A burst makes and drops thousands of small texts on several threads at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    chancery::cli::main()
}
