//! `chancery admin create`: the first administrator.

use std::io::Read as _;

use clap::{Args, Subcommand};
use secrecy::SecretString;

use super::exit::{Failure, say};
use crate::app::App;
use crate::config::Config;
use crate::service::people;

/// What to do about administrators.
#[derive(Debug, Subcommand)]
pub(super) enum Admin {
    /// Enters an administrator.
    Create(Create),
}

/// An administrator.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Address, by which he is known.
    #[arg(long)]
    email: String,
    /// Name.
    #[arg(long)]
    name: String,
    /// Reads a password from standard input, up to the end of its first line.
    #[arg(long)]
    password_stdin: bool,
}

/// The longest password that is read.
const LONGEST: u64 = 4_096;

pub(super) async fn run(config: Config, admin: Admin) -> Result<(), Failure> {
    let Admin::Create(create) = admin;
    let password = if create.password_stdin { Some(read_password()?) } else { None };
    let services = App::services(config).await?;
    let made = people::create_administrator(&services, &create.email, &create.name, password).await;
    services.store.close().await;
    let id = made.map_err(|error| Failure::service(&error))?;
    say(format_args!("administrator {id} entered; make a token with: chancery token create"))
}

fn read_password() -> Result<SecretString, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed("standard input", error))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(SecretString::from(line)),
        _ => Err(Failure::usage("there is no password on standard input")),
    }
}
