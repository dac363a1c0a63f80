//! Makes an account ready to use: opens its credential for one call.

use crate::platforms::session::Session;
use crate::store::publishing::{Prepared, SealedCredential};
use crate::vault::{Binding, Error as VaultError, Sealed};

use super::Tools;

impl Tools {
    /// A session for the account of `prepared`. A credential that was moved to another account,
    /// or is of another version, does not open.
    pub(super) fn session(&self, prepared: &Prepared) -> Result<Session, VaultError> {
        let Prepared { platform, remote_id, handle, credential, .. } = prepared;
        self.session_of(platform, remote_id, handle.as_ref(), credential)
    }

    /// The same for an account without a delivery.
    pub(super) fn session_of(
        &self,
        platform: &str,
        remote_id: &str,
        handle: Option<&String>,
        credential: &SealedCredential,
    ) -> Result<Session, VaultError> {
        let binding = Binding { platform, remote_id, version: credential.version };
        let sealed = Sealed { key_id: credential.key_id.clone(), bytes: credential.sealed.clone() };
        Ok(Session {
            remote_id: remote_id.to_owned(),
            handle: handle.cloned(),
            token: self.vault.open(binding, &sealed)?,
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            timeout: self.pace.request_timeout,
        })
    }
}
