//! Seals everything again with the key that seals now, so that an older one can be put away.

use serde_json::json;

use super::{Error, Services, factors};
use crate::domain::audit::NewEntry;
use crate::engine::follow::webhook::binding as webhook_binding;
use crate::store::sealed::{self, SealedCredential, SealedWebhook};
use crate::store::{audit, installation};
use crate::vault::{self, Binding, Sealed, Vault};

/// Rows that are sealed again in one transaction.
const AT_ONCE: u32 = 200;

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Credentials, webhooks and second factors that are sealed with the active key now.
    pub rows: u64,
    /// What stayed as it was because it does not open, with the key that sealed it.
    pub unopened: Vec<(String, String)>,
}

/// How many values a key has sealed, and whether it is among the keys at hand.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The key's id.
    pub key_id: String,
    /// How many values.
    pub values: i64,
    /// It is at hand.
    pub known: bool,
    /// It is the one that seals.
    pub active: bool,
}

/// Every key that is at hand or has sealed something.
pub async fn keys(services: &Services) -> Result<Vec<KeyUse>, Error> {
    let vault = &services.vault;
    let mut uses: Vec<KeyUse> = sealed::keys(&mut services.store.read().await?)
        .await?
        .into_iter()
        .map(|(key_id, values)| KeyUse {
            known: vault.knows(&key_id),
            active: key_id == vault.active_key(),
            key_id,
            values,
        })
        .collect();
    for key_id in vault.key_ids() {
        if uses.iter().all(|it| it.key_id != key_id) {
            let active = key_id == vault.active_key();
            uses.push(KeyUse { key_id: key_id.to_owned(), values: 0, known: true, active });
        }
    }
    Ok(uses)
}

/// Seals everything again. May be broken off and begun anew at any moment: each row is sealed with one
/// key or the other, and both are at hand.
pub async fn reseal(services: &Services) -> Result<Resealed, Error> {
    let begun = check_value(services).await?;
    let mut done = Resealed::default();
    credentials(services, &mut done).await?;
    webhooks(services, &mut done).await?;
    second_factors(services, &mut done).await?;
    if begun || done.rows > 0 {
        let entry = NewEntry {
            actor: "console".to_owned(),
            action: "vault.rotate".to_owned(),
            subject: "vault".to_owned(),
            detail: json!({
                "key": services.vault.active_key(),
                "rows": done.rows,
                "unopened": done.unopened.len(),
            }),
        };
        let mut tx = services.store.begin().await?;
        audit::append(&mut tx, &[entry], services.clock.now());
        tx.conclude().await?;
    }
    Ok(done)
}

/// The check value, first: from now on a node without the new key does not start, instead of being
/// unable to open one credential after the other. True when it was sealed with another key.
async fn check_value(services: &Services) -> Result<bool, Error> {
    let mut tx = services.store.begin().await?;
    let known = installation::find(&mut tx).await?;
    let sealed_with = known.and_then(|it| Sealed::from_bytes(it.key_check)).map(|it| it.key_id);
    if sealed_with.as_deref() == Some(services.vault.active_key()) {
        return Ok(false);
    }
    let check = services.vault.check_value().map_err(Error::internal)?;
    sealed::keep_check(&mut tx, &check.bytes).await?;
    tx.conclude().await?;
    Ok(true)
}

async fn credentials(services: &Services, done: &mut Resealed) -> Result<(), Error> {
    let key = services.vault.active_key();
    let mut after = String::new();
    loop {
        let mut tx = services.store.begin().await?;
        let page = sealed::credentials(&mut tx, key, &after, AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.account_id.to_string();
        for row in &page {
            let Ok((token, refresh)) = credential(&services.vault, row) else {
                done.unopened.push((row.account_id.to_string(), row.key_id.clone()));
                continue;
            };
            let refresh = refresh.as_deref();
            let put = sealed::reseal_credential(&mut tx, row, key, &token, refresh).await?;
            done.rows += u64::from(put);
        }
        tx.conclude().await?;
    }
}

async fn webhooks(services: &Services, done: &mut Resealed) -> Result<(), Error> {
    let key = services.vault.active_key();
    let mut after = String::new();
    loop {
        let mut tx = services.store.begin().await?;
        let page = sealed::webhooks(&mut tx, key, &after, AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id.to_string();
        for row in &page {
            let Ok((secret, previous)) = webhook(&services.vault, row) else {
                done.unopened.push((row.id.to_string(), row.key_id.clone()));
                continue;
            };
            let previous = previous.as_deref();
            let put = sealed::reseal_webhook(&mut tx, row, key, &secret, previous).await?;
            done.rows += u64::from(put);
        }
        tx.conclude().await?;
    }
}

async fn second_factors(services: &Services, done: &mut Resealed) -> Result<(), Error> {
    let key = services.vault.active_key();
    let mut after = String::new();
    loop {
        let mut tx = services.store.begin().await?;
        let page = sealed::factors(&mut tx, key, &after, AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.person_id.to_string();
        for row in &page {
            let bound = factors::bound(&row.person_id, row.version);
            let Ok(secret) = again(&services.vault, bound, &row.key_id, &row.sealed) else {
                done.unopened.push((row.person_id.to_string(), row.key_id.clone()));
                continue;
            };
            let put = sealed::reseal_factor(&mut tx, row, key, &secret).await?;
            done.rows += u64::from(put);
        }
        tx.conclude().await?;
    }
}

/// Both halves of a credential under the active key.
fn credential(
    vault: &Vault,
    row: &SealedCredential,
) -> Result<(Vec<u8>, Option<Vec<u8>>), vault::Error> {
    let refresh_name = vault::refresh_name(&row.remote_id);
    let bound = |remote_id| Binding { platform: &row.platform, remote_id, version: row.version };
    let token = again(vault, bound(&row.remote_id), &row.key_id, &row.sealed)?;
    let refresh = row.refresh.as_ref();
    let refresh = refresh.map(|it| again(vault, bound(&refresh_name), &row.key_id, it));
    Ok((token, refresh.transpose()?))
}

/// Both secrets of a webhook under the active key.
fn webhook(vault: &Vault, row: &SealedWebhook) -> Result<(Vec<u8>, Option<Vec<u8>>), vault::Error> {
    let secret =
        again(vault, webhook_binding(&row.id, row.secret_version), &row.key_id, &row.sealed)?;
    let previous = row.previous_key_id.as_ref().zip(row.previous_sealed.as_ref());
    let before = webhook_binding(&row.id, row.secret_version - 1);
    let previous = previous.map(|(key_id, sealed)| again(vault, before, key_id, sealed));
    Ok((secret, previous.transpose()?))
}

fn again(
    vault: &Vault,
    bound: Binding<'_>,
    key_id: &str,
    sealed: &[u8],
) -> Result<Vec<u8>, vault::Error> {
    let kept = Sealed { key_id: key_id.to_owned(), bytes: sealed.to_vec() };
    Ok(vault.seal(bound, &vault.open(bound, &kept)?)?.bytes)
}
