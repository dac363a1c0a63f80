//! Credentials on their way in: their form, whose they are by the platform's word, and the seal
//! under which they are kept.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Error, Services, Told};
use crate::domain::account::{Account, CredentialKind, Health};
use crate::domain::fault::Fault;
use crate::platforms::outcome::{Owner, OwnerError};
use crate::platforms::session::Session;
use crate::store::credentials::{self, Credential};
use crate::store::{Tx, probes, scrub::scrubbed};
use crate::vault::{Binding, refresh_name};

/// When to try again after a platform could not be asked.
const RETRY_AFTER_S: u64 = 30;

/// The longest token that is taken.
const LONGEST: usize = 4_096;

/// A credential as it is handed in; write-only.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewCredential {
    /// What kind it is.
    pub kind: CredentialKind,
    /// The access token.
    #[schema(value_type = String, format = Password)]
    pub access_token: SecretString,
    /// The refresh token, for `oauth2`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub refresh_token: Option<SecretString>,
    /// The secret of the access token, for `oauth1`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub token_secret: Option<SecretString>,
    /// When the access token ends, for `oauth2`.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

impl NewCredential {
    /// What is wrong with its form.
    pub(super) fn check(&self, now: Timestamp) -> Vec<Fault> {
        let mut faults = Vec::new();
        check_secret("/credential/access_token", &self.access_token, &mut faults);
        if let Some(refresh) = &self.refresh_token {
            check_secret("/credential/refresh_token", refresh, &mut faults);
        }
        if self.kind != CredentialKind::Oauth2 && self.refresh_token.is_some() {
            let detail = "only oauth2 has a refresh token";
            faults.push(Fault::new("/credential/refresh_token", "not_of_this_kind", detail));
        }
        match (self.kind == CredentialKind::Oauth1, &self.token_secret) {
            (true, None) => {
                let pointer = "/credential/token_secret";
                faults.push(Fault::new(pointer, "blank", "oauth1 has a token secret"));
            }
            (true, Some(secret)) => {
                check_secret("/credential/token_secret", secret, &mut faults);
            }
            (false, Some(_)) => {
                let detail = "only oauth1 has a token secret";
                let pointer = "/credential/token_secret";
                faults.push(Fault::new(pointer, "not_of_this_kind", detail));
            }
            (false, None) => {}
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            let detail = "the access token has ended already";
            faults.push(Fault::new("/credential/expires_at", "credential_ended", detail));
        }
        faults
    }
}

fn check_secret(pointer: &str, secret: &SecretString, faults: &mut Vec<Fault>) {
    let text = secret.expose_secret();
    if text.is_empty() {
        faults.push(Fault::new(pointer, "blank", "must not be blank"));
    } else if text.len() > LONGEST || !text.bytes().all(|it| it.is_ascii_graphic()) {
        let detail = format!("up to {LONGEST} visible ASCII characters");
        faults.push(Fault::new(pointer, "bad_token", detail).with("max", LONGEST));
    }
}

/// Asks the platform whose a token is. No transaction may be open.
pub(super) async fn ask(
    services: &Services,
    account: &Account,
    token: SecretString,
) -> Result<Result<Owner, OwnerError>, Error> {
    let Some(platform) = services.platforms.get(&account.platform) else {
        return Ok(Err(OwnerError::Unreachable("the platform is not in this build".to_owned())));
    };
    let session = session(services, account, token);
    // Names are their owners' to choose, but for what a database cannot keep.
    Ok(platform.owner(&session).await.map(|owner| Owner {
        name: scrubbed(&owner.name),
        handle: owner.handle.as_deref().map(scrubbed),
        ..owner
    }))
}

/// An account ready to be asked for.
pub(super) fn session(services: &Services, account: &Account, token: SecretString) -> Session {
    Session {
        remote_id: account.remote_id.clone(),
        handle: account.handle.clone(),
        token,
        outbound: services.outbound.clone(),
        clock: services.clock.clone(),
        timeout: services.config.publish.request_timeout,
    }
}

/// A credential in the form in which it is kept. Of a system user's token only the account's own one is
/// kept that it gives: the other reaches every account that he may act for.
pub(super) async fn settle(
    services: &Services,
    account: &Account,
    credential: NewCredential,
) -> Result<NewCredential, Error> {
    match credential.kind {
        CredentialKind::PageToken | CredentialKind::Oauth2 => return Ok(credential),
        CredentialKind::Oauth1 | CredentialKind::SystemUser => {}
    }
    let Some(platform) = services.platforms.get(&account.platform) else { return Ok(credential) };
    if credential.kind == CredentialKind::Oauth1 {
        if !platform.signs_requests() {
            let detail =
                "requests are not signed there, or the application's key is not configured";
            return Err(Error::fault("/credential/kind", "kind_not_taken", detail));
        }
        return Ok(joined(credential));
    }
    let session = session(services, account, credential.access_token.clone());
    let access_token = platform.own_token(&session).await.map_err(not_proven)?;
    Ok(NewCredential { access_token, ..credential })
}

/// A token with its secret as one text. Neither has a space in it.
fn joined(credential: NewCredential) -> NewCredential {
    let secret = credential.token_secret.as_ref().map(secrecy::ExposeSecret::expose_secret);
    let both =
        format!("{} {}", credential.access_token.expose_secret(), secret.unwrap_or_default());
    NewCredential { access_token: both.into(), ..credential }
}

/// Makes sure that a credential is the account's own.
///
/// When the platform cannot be asked nothing is known, so nothing is accepted; and since its
/// failure is not ours, the answer is a conflict to be tried again and no error of the server.
pub(super) async fn prove(
    services: &Services,
    account: &Account,
    credential: &NewCredential,
) -> Result<Owner, Error> {
    match ask(services, account, credential.access_token.clone()).await? {
        Ok(owner) if owner.remote_id == account.remote_id => Ok(owner),
        Ok(other) => {
            let (owner, expected) = (&other.remote_id, &account.remote_id);
            let detail = format!("the credential belongs to {owner}, not to {expected}");
            let fault = Fault::new("/credential", "owner_mismatch", detail);
            Err(Error::Invalid(vec![fault.with("owner", owner).with("expected", expected)]))
        }
        Err(error) => Err(not_proven(error)),
    }
}

fn not_proven(error: OwnerError) -> Error {
    match error {
        OwnerError::Refused(why) => {
            let detail = format!("the platform refuses the credential: {why}");
            let fault = Fault::new("/credential/access_token", "credential_refused", detail);
            Error::Invalid(vec![fault.with("reason", why)])
        }
        OwnerError::Unreachable(why) => {
            let detail = format!("the platform could not be asked, nothing was changed: {why}");
            let told = Told::new("platform_unreachable", detail);
            Error::Conflict(told.retry_after(RETRY_AFTER_S))
        }
    }
}

/// The health of an account whose owner was just told. What its sign-in was granted stays.
pub(super) fn healthy(before: &Health, owner: Owner, now: Timestamp) -> Health {
    Health {
        last_ok_at: Some(now),
        last_error: None,
        owner_name: Some(owner.name),
        followers: owner.followers,
        checked_at: Some(now),
        ..owner.long_posts.learnt(before)
    }
}

/// The same with another credential. What an earlier sign-in was granted says nothing about it; how long its
/// posts may be is a fact of the account.
pub(super) fn healthy_anew(before: &Health, owner: Owner, now: Timestamp) -> Health {
    let long_posts_said = before.long_posts_said;
    healthy(&Health { long_posts_said, ..Health::default() }, owner, now)
}

/// Seals a credential for its account and stores it.
pub(super) async fn keep(
    services: &Services,
    tx: &mut Tx,
    account: &Account,
    credential: &NewCredential,
    version: i64,
) -> Result<(), Error> {
    let binding = |remote_id| Binding { platform: &account.platform, remote_id, version };
    let sealed = services
        .vault
        .seal(binding(&account.remote_id), &credential.access_token)
        .map_err(Error::internal)?;
    let refresh_name = refresh_name(&account.remote_id);
    let refresh = credential
        .refresh_token
        .as_ref()
        .map(|token| services.vault.seal(binding(&refresh_name), token))
        .transpose()
        .map_err(Error::internal)?;
    let row = Credential {
        account_id: account.id.clone(),
        kind: credential.kind,
        version,
        key_id: sealed.key_id,
        sealed: sealed.bytes,
        refresh: refresh.map(|it| it.bytes),
        expires_at: credential.expires_at,
        updated_at: services.clock.now(),
    };
    credentials::put(tx, &row).await?;
    Ok(probes::forget(tx, &account.id).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platforms::outcome::LongPosts;

    #[test]
    fn another_credential_keeps_what_is_a_fact_of_the_account() {
        let owner = |said| Owner {
            remote_id: "7".to_owned(),
            name: "MOFA".to_owned(),
            handle: None,
            followers: None,
            long_posts: LongPosts { said, named: false },
        };
        let before = Health {
            long_posts: true,
            long_posts_said: Some(true),
            last_error: Some("expired".to_owned()),
            ..Health::default()
        };
        let after = healthy_anew(&before, owner(None), Timestamp::UNIX_EPOCH);
        assert_eq!((after.long_posts, after.last_error), (true, None));
        assert!(!healthy_anew(&before, owner(Some(false)), Timestamp::UNIX_EPOCH).long_posts);
    }
}
