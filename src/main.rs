//! Parses the command line, runs it and chooses the exit code.

fn main() {}
