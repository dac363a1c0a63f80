//! `chancery admin`: the first administrator, links by which people choose their passwords, and phones that are lost.

use std::io::Read as _;

use clap::{Args, Subcommand};
use secrecy::SecretString;

use super::exit::{Failure, say};
use crate::app::App;
use crate::config::Config;
use crate::service::{Error, factors, passwords, people};

/// What to do about administrators.
#[derive(Debug, Subcommand)]
pub(super) enum Admin {
    /// Enters an administrator.
    Create(Create),
    /// Prints a link by which somebody chooses his password, alone on the last line.
    Invite(Invite),
    /// Takes a second factor away whose phone and paper are lost.
    ResetSecondFactor(Reset),
}

/// A person.
#[derive(Debug, Args)]
pub(super) struct Reset {
    /// Whose second factor it is.
    #[arg(long)]
    email: String,
}

/// A person.
#[derive(Debug, Args)]
pub(super) struct Invite {
    /// Whose password it is.
    #[arg(long)]
    email: String,
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
    match admin {
        Admin::Create(create) => enter(config, create).await,
        Admin::Invite(invite) => make_link(config, invite).await,
        Admin::ResetSecondFactor(reset) => take_away(config, reset).await,
    }
}

async fn take_away(config: Config, reset: Reset) -> Result<(), Failure> {
    let services = App::services(config).await?;
    let done = factors::reset_at_the_console(&services, &reset.email).await;
    services.store.close().await;
    match done {
        Ok(()) => say(format_args!("{} signs in with the password alone", reset.email)),
        Err(Error::NotFound) => {
            Err(Failure::usage(format!("nobody with the address {} may sign in", reset.email)))
        }
        Err(error) => Err(Failure::service(&error)),
    }
}

async fn make_link(config: Config, invite: Invite) -> Result<(), Failure> {
    let services = App::services(config).await?;
    let made = passwords::invite_at_the_console(&services, &invite.email).await;
    services.store.close().await;
    match made {
        Ok(invitation) => say(invitation.link),
        Err(Error::NotFound) => {
            Err(Failure::usage(format!("nobody with the address {} may sign in", invite.email)))
        }
        Err(error) => Err(Failure::service(&error)),
    }
}

async fn enter(config: Config, create: Create) -> Result<(), Failure> {
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
