//! What is sealed while a sign-in goes on: the secret that it left with, and the credentials it brought.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::domain::account::CredentialKind;
use crate::domain::connection::Connection;
use crate::platforms::sign_in::Candidate;
use crate::service::{Error, NewCredential, Services};
use crate::store::connections::Kept;
use crate::vault::{Binding, Sealed};

/// A credential as it is written before it is sealed.
#[derive(Serialize, Deserialize)]
struct Written {
    remote_id: String,
    kind: CredentialKind,
    access: String,
    refresh: Option<String>,
    expires_at: Option<Timestamp>,
}

/// Which of the two is sealed; neither opens in the place of the other, nor in another sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Verifier,
    Credentials,
}

fn name(connection: &Connection, what: What) -> String {
    match what {
        What::Verifier => format!("{}#verifier", connection.id),
        What::Credentials => format!("{}#credentials", connection.id),
    }
}

fn seal(
    services: &Services,
    connection: &Connection,
    what: What,
    secret: &SecretString,
) -> Result<Vec<u8>, Error> {
    let remote_id = name(connection, what);
    let binding = Binding { platform: &connection.platform, remote_id: &remote_id, version: 1 };
    Ok(services.vault.seal(binding, secret).map_err(Error::internal)?.bytes)
}

fn open(
    services: &Services,
    connection: &Connection,
    what: What,
    bytes: Option<&Vec<u8>>,
) -> Result<SecretString, Error> {
    let gone = || Error::internal("what a sign-in has sealed is not there");
    let sealed = Sealed::from_bytes(bytes.cloned().ok_or_else(gone)?).ok_or_else(gone)?;
    let remote_id = name(connection, what);
    let binding = Binding { platform: &connection.platform, remote_id: &remote_id, version: 1 };
    services.vault.open(binding, &sealed).map_err(Error::internal)
}

/// Seals the secret that a person leaves with.
pub(super) fn verifier(
    services: &Services,
    connection: &Connection,
    secret: &SecretString,
) -> Result<Vec<u8>, Error> {
    seal(services, connection, What::Verifier, secret)
}

/// Opens it when he is back.
pub(super) fn open_verifier(services: &Services, kept: &Kept) -> Result<SecretString, Error> {
    open(services, &kept.connection, What::Verifier, kept.verifier.as_ref())
}

/// Seals the credentials of all accounts that could be connected, as one text.
pub(super) fn credentials(
    services: &Services,
    connection: &Connection,
    candidates: &[Candidate],
) -> Result<Vec<u8>, Error> {
    let written: Vec<Written> = candidates
        .iter()
        .filter_map(|candidate| {
            let fresh = candidate.credential.as_ref().ok()?;
            Some(Written {
                remote_id: candidate.owner.remote_id.clone(),
                kind: fresh.kind,
                access: fresh.access.expose_secret().to_owned(),
                refresh: fresh.refresh.as_ref().map(|it| it.expose_secret().to_owned()),
                expires_at: fresh.expires_at,
            })
        })
        .collect();
    let text = serde_json::to_string(&written).map_err(Error::internal)?;
    seal(services, connection, What::Credentials, &SecretString::from(text))
}

/// Opens them, by the platform's ids of their accounts.
pub(super) fn open_credentials(
    services: &Services,
    kept: &Kept,
) -> Result<BTreeMap<String, NewCredential>, Error> {
    let text = open(services, &kept.connection, What::Credentials, kept.sealed.as_ref())?;
    let text = Zeroizing::new(text.expose_secret().to_owned());
    let written: Vec<Written> = serde_json::from_str(&text).map_err(Error::internal)?;
    Ok(written
        .into_iter()
        .map(|it| {
            let credential = NewCredential {
                kind: it.kind,
                access_token: SecretString::from(it.access),
                token_secret: None,
                refresh_token: it.refresh.map(SecretString::from),
                expires_at: it.expires_at,
            };
            (it.remote_id, credential)
        })
        .collect())
}
