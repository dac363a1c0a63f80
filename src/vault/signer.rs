//! Signs heads of the audit with a key that is kept outside the database, and proves such signatures.
//!
//! Ed25519 of the `ring` crate, which TLS needs anyway.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::{Error, read_secret, sync_directory, write_new};
use crate::domain::head::{SignedHead, said};

/// A key that signs.
pub struct Signer(Ed25519KeyPair);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.public()).finish()
    }
}

impl Signer {
    /// The key of a file that only we may read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bad = |_shown| Error::BadSigningKey(path.to_owned());
        let text = read_secret(path)?;
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_shown| bad(()))?);
        Ed25519KeyPair::from_pkcs8(&bytes).map(Self).map_err(|_shown| bad(()))
    }

    /// Writes a new key into a file that is not there yet.
    pub fn generate(path: &Path) -> Result<Self, Error> {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let made = made.map_err(|_unspecified| Error::NoRandomness)?;
        write_new(path, &Zeroizing::new(format!("{}\n", STANDARD.encode(made.as_ref()))))?;
        sync_directory(path)?;
        Self::read(path)
    }

    /// The public key, in base64: by this anybody proves what was signed.
    pub fn public(&self) -> String {
        STANDARD.encode(self.0.public_key().as_ref())
    }

    /// Signs that this was the newest entry.
    pub fn sign(&self, seq: i64, hash: String, at: Timestamp) -> SignedHead {
        // As it is written down.
        let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        let signature = self.0.sign(said(seq, &hash, at).as_bytes());
        SignedHead {
            seq,
            hash,
            at,
            key: self.public(),
            signature: STANDARD.encode(signature.as_ref()),
        }
    }
}

/// Whether a head was signed with the key of this public one, whatever key it says itself.
pub fn is_signed(head: &SignedHead, public: &str) -> bool {
    let (Ok(key), Ok(signature)) = (STANDARD.decode(public), STANDARD.decode(&head.signature))
    else {
        return false;
    };
    let said = said(head.seq, &head.hash, head.at);
    UnparsedPublicKey::new(&ED25519, key).verify(said.as_bytes(), &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_head_is_proven_by_its_own_key_and_by_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("head.key");
        let signer = Signer::generate(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(
            matches!(Signer::generate(&path), Err(Error::File { .. })),
            "never over an older one"
        );
        let again = Signer::read(&path).unwrap();
        assert_eq!(again.public(), signer.public());
        let at: Timestamp = "2031-09-02T02:00:00.1234567Z".parse().unwrap();
        let head = again.sign(7, "ab".repeat(32), at);
        let text = serde_json::to_string(&head).unwrap();
        let head: SignedHead = serde_json::from_str(&text).unwrap();
        assert!(is_signed(&head, &signer.public()));
        let other = Signer::generate(&directory.path().join("other.key")).unwrap();
        for bad in [
            SignedHead { seq: 8, ..head.clone() },
            SignedHead { hash: "ac".repeat(32), ..head.clone() },
            SignedHead { at: at + jiff::SignedDuration::from_secs(1), ..head.clone() },
            SignedHead { signature: "x".to_owned(), ..head.clone() },
            // A key of its own proves nothing.
            other.sign(7, "ab".repeat(32), at),
        ] {
            assert!(!is_signed(&bad, &signer.public()), "{bad:?}");
        }
        std::fs::write(&path, "AAAA\n").unwrap();
        assert!(matches!(Signer::read(&path), Err(Error::BadSigningKey(_))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Signer::read(&path), Err(Error::TooOpen { .. })));
    }
}
