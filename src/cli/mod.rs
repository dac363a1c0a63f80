//! The command line: one binary, each role a command.

mod admin;
mod audit;
mod backup;
mod check;
mod demo;
mod exit;
mod media;
mod migrate;
mod openapi;
mod restore;
mod serve;
mod simulate;
mod token;
mod vault;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config};
use exit::Failure;

/// The publishing desk of a foreign ministry.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, about, arg_required_else_help = true)]
struct Cli {
    /// The configuration file; the environment (`CHANCERY_…`) goes over it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The daemon: API, desk and workers; stops cleanly on SIGTERM and SIGINT.
    Serve,
    /// The service with simulated platforms, a ministry, its missions and posts to watch.
    Demo(demo::Options),
    /// Only the platform simulators, on loopback.
    Simulate(simulate::Options),
    /// Brings the database up to date.
    Migrate,
    /// Writes a consistent copy of the database, which may be in use, and of the media.
    Backup(backup::Options),
    /// Brings a backup back; nothing is sent until a person releases the quarantine.
    Restore(restore::Options),
    /// Administrators.
    #[command(subcommand)]
    Admin(admin::Admin),
    /// API tokens.
    #[command(subcommand)]
    Token(token::Token),
    /// The keys that access tokens are sealed with.
    #[command(subcommand)]
    Vault(vault::Keys),
    /// The record of every act.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// The files of posts.
    #[command(subcommand)]
    Media(media::Media),
    /// Prints the effective configuration and tests database, key, media, clock and platforms.
    Check,
    /// Prints the OpenAPI document.
    Openapi,
}

/// Runs the command that was asked for.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no mistakes, and go to standard output.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _unwritable = error.print();
            return ExitCode::from(code);
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let config = Config::load(cli.config.as_deref(), config::environment())
        .map_err(|faults| Failure::config(&faults))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("the runtime could not be started", error))?;
    runtime.block_on(async move {
        match cli.command {
            Command::Serve => serve::run(config).await,
            Command::Demo(options) => demo::run(&config, options).await,
            Command::Simulate(options) => simulate::run(&config, options).await,
            Command::Migrate => migrate::run(&config).await,
            Command::Backup(options) => backup::run(&config, options).await,
            Command::Restore(options) => restore::run(&config, options).await,
            Command::Admin(admin) => admin::run(config, admin).await,
            Command::Token(token) => token::run(config, token).await,
            Command::Vault(keys) => vault::run(config, keys).await,
            Command::Audit(what) => audit::run(&config, what).await,
            Command::Media(media) => media::run(&config, media).await,
            Command::Check => check::run(&config).await,
            Command::Openapi => openapi::run(),
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_configuration_may_stand_before_or_after_the_command() {
        for line in [
            ["chancery", "--config", "a.toml", "serve"],
            ["chancery", "serve", "--config", "a.toml"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.config, Some(PathBuf::from("a.toml")));
        }
    }
}
