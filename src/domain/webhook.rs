//! Signatures of webhooks by the Standard Webhooks specification 1.0.0 (read 2026-11-22), and the
//! secrets that they are made with.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

use super::id::MessageId;

/// What every secret begins with, by the specification.
const PREFIX: &str = "whsec_";

/// A secret that a webhook is signed with. Shown to its owner once; never printed by us.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one from 32 fresh random bytes.
    pub fn mint(random: [u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", STANDARD.encode(random)))
    }

    /// A secret as it was kept; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let key = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (24..=64).contains(&key.len()).then(|| Self(text.to_owned()))
    }

    /// The secret itself, for its owner's eyes and the vault.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The signature of one request, such as `v1,K5oZ…`; `None` for a secret that cannot be a key.
    fn sign(&self, signed: &[u8]) -> Option<String> {
        let key = STANDARD.decode(self.0.strip_prefix(PREFIX)?).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(signed);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The value of `webhook-signature`: one signature for each secret, with a space between. The
/// receiver takes the request when any of them is right.
pub fn signature(secrets: &[Secret], id: &MessageId, at: Timestamp, body: &[u8]) -> Option<String> {
    let mut signed = format!("{id}.{}.", at.as_second()).into_bytes();
    signed.extend_from_slice(body);
    let all: Option<Vec<String>> = secrets.iter().map(|secret| secret.sign(&signed)).collect();
    all.filter(|all| !all.is_empty()).map(|all| all.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by Python's hmac and base64 for `id.timestamp.body` with these 32 bytes of 7.
    const EXPECTED: &str = "v1,7bXttZa+tMWFLNVf9tPn3MDQQE+U9fDrD94t+r35yiA=";

    #[test]
    fn a_signature_is_what_another_implementation_computes() {
        let id = MessageId::new(Timestamp::UNIX_EPOCH, 1);
        let at = Timestamp::from_second(1_674_087_231).unwrap();
        let secret = Secret::mint([7; 32]);
        let made = signature(std::slice::from_ref(&secret), &id, at, b"{\"type\":\"a\"}").unwrap();
        assert_eq!(made, EXPECTED);
        let both = signature(&[Secret::mint([8; 32]), secret], &id, at, b"{\"type\":\"a\"}");
        let both = both.unwrap();
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(second, EXPECTED);
        assert_ne!(first, second);
        assert_eq!(signature(&[], &id, at, b""), None);
    }

    #[test]
    fn a_secret_survives_and_is_not_printed() {
        let secret = Secret::mint([9; 32]);
        assert_eq!(Secret::parse(secret.reveal()), Some(secret.clone()));
        assert_eq!(Secret::parse("whsec_c2hvcnQ="), None);
        assert_eq!(Secret::parse("nonsense"), None);
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
