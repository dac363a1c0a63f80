//! `chancery vault`: which keys seal, and sealing everything again with a newer one.

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::exit::{Failure, say};
use crate::app::App;
use crate::config::{self, Config, Place};
use crate::service::Services;
use crate::service::sealing::{self, KeyUse};
use crate::store::installation;
use crate::vault::{self, Sealed, Vault};

/// What to do about the keys.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Lists the keys by their ids: which one seals, and how much each has sealed.
    Keys,
    /// Seals everything again with the first key.
    Rotate(Rotate),
}

/// How to seal anew.
#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// Makes a new key first and puts it before the others in the data directory's `vault.key`.
    #[arg(long)]
    new_key: bool,
}

pub(super) async fn run(config: Config, keys: Keys) -> Result<(), Failure> {
    let settings = config.vault.clone();
    let alone = matches!(config.database.place, Place::Sqlite(_));
    let mut services = App::services(config).await?;
    let done = match keys {
        Keys::Keys => list(&services).await,
        Keys::Rotate(rotate) => {
            let ready =
                if rotate.new_key { add(&mut services, &settings, alone).await } else { Ok(()) };
            match ready {
                Ok(()) => reseal(&services).await,
                Err(failure) => Err(failure),
            }
        }
    };
    services.store.close().await;
    done
}

async fn list(services: &Services) -> Result<(), Failure> {
    let keys = sealing::keys(services).await.map_err(|error| Failure::service(&error))?;
    for KeyUse { key_id, values, known, active } in keys {
        let word = match (active, known) {
            (true, _) => "seals",
            (false, true) => "opens",
            (false, false) => "MISSING: what it has sealed cannot be opened",
        };
        say(format_args!("{key_id}: {values} values, {word}"))?;
    }
    Ok(())
}

/// The data directory is ours while this runs, so nobody seals with the older key meanwhile.
async fn add(services: &mut Services, keys: &config::Vault, alone: bool) -> Result<(), Failure> {
    let (config::Vault::Generated(path), true) = (keys, alone) else {
        return Err(Failure::usage(
            "the keys are not in the data directory of a single node: put the new key last on every \
             node and start each anew, then put it first on every node and start each anew, then run \
             this without --new-key; docs/operations/keys.md",
        ));
    };
    let today = services.clock.now().strftime("%Y%m%d").to_string();
    let ids = std::iter::once(today.clone()).chain((2..100).map(|n| format!("{today}-{n}")));
    let id = ids.into_iter().find(|id| !services.vault.knows(id)).unwrap_or(today);
    let failed = |error: vault::Error| Failure::from(crate::app::Error::Vault(error));
    vault::add_key(path, &id).map_err(failed)?;
    let known = installation::find(&mut services.store.read().await?).await?;
    let check = known.and_then(|it| Sealed::from_bytes(it.key_check));
    services.vault = Arc::new(Vault::unlock(keys, check.as_ref()).map_err(failed)?);
    say(format_args!("key {id} added before the others in {}", path.display()))
}

async fn reseal(services: &Services) -> Result<(), Failure> {
    let done = sealing::reseal(services).await.map_err(|error| Failure::service(&error))?;
    let key = services.vault.active_key();
    say(format_args!(
        "{} credentials, webhooks and second factors sealed with key {key}",
        done.rows
    ))?;
    if done.unopened.is_empty() {
        return say(
            "no older key is needed any more, except for an hour by sign-ins that are under way, and \
             for backups that were made before: copy the keys to where you keep them, and take the \
             older ones away when those backups are gone",
        );
    }
    let lines: Vec<String> =
        done.unopened.iter().map(|(what, key)| format!("{what} (key {key})")).collect();
    Err(Failure::refused(format!(
        "left as they were, for they do not open: {}; bring back the key, or hand in the credential again",
        lines.join(", ")
    )))
}
