//! Makes an account ready to use: opens its credential for one call.

use crate::platforms::session::Session;
use crate::store::publishing::Prepared;
use crate::vault::{Binding, Error as VaultError, Sealed};

use super::Tools;

impl Tools {
    /// A session for the account of `prepared`. A credential that was moved to another account,
    /// or is of another version, does not open.
    pub(super) fn session(&self, prepared: &Prepared) -> Result<Session, VaultError> {
        let binding = Binding {
            platform: &prepared.platform,
            remote_id: &prepared.remote_id,
            version: prepared.credential.version,
        };
        let sealed = Sealed {
            key_id: prepared.credential.key_id.clone(),
            bytes: prepared.credential.sealed.clone(),
        };
        Ok(Session {
            remote_id: prepared.remote_id.clone(),
            handle: prepared.handle.clone(),
            token: self.vault.open(binding, &sealed)?,
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            timeout: self.pace.request_timeout,
        })
    }
}
